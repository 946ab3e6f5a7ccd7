#include "base/number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

size_t number_ms(int64_t ns, char out[NUMBER_SIZE])
{
    int64_t us = ns / NS_PER_US;
    unsigned long long size = us < 0 ? 0 - (unsigned long long)us : (unsigned long long)us;
    return (size_t)snprintf(out, NUMBER_SIZE, "%s%llu.%03llu", us < 0 ? "-" : "", size / 1000,
                            size % 1000);
}

#define DIGITS_SURE 15 /* of a decimal, which a double keeps */
#define DIGITS_MAX  17 /* that a double may need */

size_t number_real(double value, char out[NUMBER_SIZE])
{
    size_t n = 0;
    for (int digits = DIGITS_SURE; digits <= DIGITS_MAX; digits++) {
        n = (size_t)snprintf(out, NUMBER_SIZE, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    if (!strpbrk(out, ".e"))
        n += (size_t)snprintf(out + n, NUMBER_SIZE - n, ".0");
    return n;
}
