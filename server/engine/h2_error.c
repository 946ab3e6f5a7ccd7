#include "engine/h2_error.h"

#include <stdio.h>
#include <string.h>

static const char *const names[H2_ERROR_COUNT] = {
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
};

const char *h2_error_name(uint32_t code)
{
    static char number[12];
    if (code < H2_ERROR_COUNT)
        return names[code];
    snprintf(number, sizeof number, "0x%x", code);
    return number;
}

bool h2_error_code(const char *name, uint32_t *code)
{
    for (size_t i = 0; i < H2_ERROR_COUNT; i++) {
        if (strcmp(name, names[i]) == 0) {
            *code = (uint32_t)i;
            return true;
        }
    }
    return false;
}
