/* check.h - cmocka, and one assertion that says in words what was wrong. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define check(ok, ...)                                                                             \
    do {                                                                                           \
        if (!(ok))                                                                                 \
            fail_msg(__VA_ARGS__);                                                                 \
    } while (0)
