/* openapi.h - docs/openapi.json, compiled into the binary (tools/embed_bytes.py). */
#pragma once

#include <stddef.h>

extern const unsigned char openapi_json[];
extern const size_t openapi_json_len;
