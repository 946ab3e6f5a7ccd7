/* hex.h - hexadecimal digits, and the percent-encoding that is made of them (RFC 3986 2.1). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value of a digit, of either case; -1: it is none. */
static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The octet that two digits stand for; -1: they are not two digits. */
static inline int hex_octet(const char two[2])
{
    int high = hex_digit(two[0]), low = high < 0 ? -1 : hex_digit(two[1]);
    return low < 0 ? -1 : high << 4 | low;
}

/* Writes n octets as 2 * n digits in lower case, and a NUL. Returns 2 * n. */
size_t hex_write(const void *bytes, size_t n, char *out);

/* Reads 2 * n digits as n octets. False: they are not all digits; then out is undefined. */
bool hex_read(const char *text, size_t n, uint8_t *out);

/* The next octet of a percent-encoded text, *at < end, with *at set behind it. *encoded, which may
 * be NULL: was it written as "%XX"? Returns -1, and leaves *at, at a "%" without two digits. */
int hex_percent_next(const char **at, const char *end, bool *encoded);
