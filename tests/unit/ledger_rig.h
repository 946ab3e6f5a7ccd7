/* ledger_rig.h - a ledger of a few chunks, of whose inside tests know, and what it is read as. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/buf.h"
#include "ledger/ledger_impl.h"

#include "harness/memcheck.h"
#include "harness/memory.h"

static inline int make(void **state)
{
    memory_restore();
    *state = ledger_create(4 * CHUNK_SIZE);
    return *state ? 0 : -1;
}

static inline int end(void **state)
{
    memory_restore();
    ledger_destroy(*state);
    return 0;
}

static inline uint64_t mark(struct ledger *l, const char *name)
{
    ledger_begin(l, EV_MARK, 0, 0);
    ledger_text(l, F_NAME, name);
    return ledger_commit(l);
}

static char big[3 * TEXT_MAX + 1];

static inline void fill_big(char c)
{
    memset(big, c, sizeof big - 1);
    big[sizeof big - 1] = '\0';
}

/* What ledger_read writes, as an array. The caller gives it back with json_decref. */
static inline json_t *read_all(const struct ledger *l, uint64_t since, size_t max_events,
                               uint64_t *next)
{
    struct buf out = { 0 };
    buf_text(&out, "[");
    int n = ledger_read(l, since, max_events, SIZE_MAX, ",", &out, next);
    buf_text(&out, "]");
    json_error_t error;
    json_t *array = json_loadb((const char *)buf_bytes(&out), buf_len(&out),
                               JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!array)
        fail_msg("%s in %.*s", error.text, (int)buf_len(&out), (const char *)buf_bytes(&out));
    assert_int_equal(json_array_size(array), n);
    buf_free(&out);
    return array;
}

static inline uint64_t seq_of(const json_t *event)
{
    return (uint64_t)json_integer_value(json_object_get(event, "seq"));
}

static inline const char *text_of(const json_t *event, const char *key)
{
    return json_string_value(json_object_get(event, key));
}

/* The newest event, as the text behind "event": (times vary). */
static inline void assert_newest(const struct ledger *l, const char *expected)
{
    struct buf out = { 0 };
    uint64_t next;
    assert_int_equal(ledger_read(l, ledger_last(l) - 1, 9, SIZE_MAX, "", &out, &next), 1);
    buf_add(&out, "", 1);
    const char *at = strstr((const char *)buf_bytes(&out), "\"event\"");
    assert_non_null(at);
    assert_string_equal(at, expected);
    buf_free(&out);
}

/* A field with these strings, the last behind them NULL. */
static inline void ledger_list(struct ledger *l, enum ledger_field field,
                               const char *const *strings)
{
    static char list[LEDGER_LIST_SIZE];
    size_t len = 0;
    for (; *strings; strings++)
        len = ledger_item(list, sizeof list, len, *strings, strlen(*strings));
    ledger_bytes(l, field, list, len);
}

#define LEDGER_TEST(test) cmocka_unit_test_setup_teardown(test, make, end)
