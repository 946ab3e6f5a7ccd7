/* fuzz.h - feeding the mode language with what nobody should write.
 *
 * A target takes bytes and aborts when what it feeds does not answer them as it promises. The same
 * target runs under libFuzzer (./dev fuzz), and under driver.c as a test: the corpus, and so many
 * mutations of it from a fixed seed.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/refusal.h"

/* libFuzzer's interface, which every target and the driver share. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

/* JSON as the admin API reads it; NULL when it is none. New reference. */
json_t *fuzz_json(const uint8_t *data, size_t size);

/* Aborts unless the outcome is 0 or one of the positive ones that are documented, and a refusal
 * says where, what and what is allowed. */
void fuzz_check(int outcome, const struct refusal *why);

/* Mutates a text in place: where it is JSON, mostly as a tree (members renamed, dropped, doubled,
 * values put in the place of others); else byte by byte. Returns the new size, at most max. The
 * same input and seed give the same output. */
size_t fuzz_mutate(uint8_t *data, size_t size, size_t max, unsigned seed);
