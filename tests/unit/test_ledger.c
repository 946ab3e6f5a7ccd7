#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/buf.h"
#include "ledger/ledger.c"
#include "ledger/words.c"

#include "harness/memcheck.h"
#include "harness/memory.h"

static int make(void **state)
{
    memory_restore();
    *state = ledger_create(4 * CHUNK_SIZE);
    return *state ? 0 : -1;
}

static int end(void **state)
{
    memory_restore();
    ledger_destroy(*state);
    return 0;
}

static uint64_t mark(struct ledger *l, const char *name)
{
    ledger_begin(l, EV_MARK, 0, 0);
    ledger_text(l, F_NAME, name);
    return ledger_commit(l);
}

static char big[3 * TEXT_MAX + 1];

static void fill_big(char c)
{
    memset(big, c, sizeof big - 1);
    big[sizeof big - 1] = '\0';
}

/* What ledger_read writes, as an array. The caller gives it back with json_decref. */
static json_t *read_all(const struct ledger *l, uint64_t since, size_t max_events, uint64_t *next)
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

static uint64_t seq_of(const json_t *event)
{
    return (uint64_t)json_integer_value(json_object_get(event, "seq"));
}

static const char *text_of(const json_t *event, const char *key)
{
    return json_string_value(json_object_get(event, key));
}

/* The newest event, as the text behind "event": (times vary). */
static void assert_newest(const struct ledger *l, const char *expected)
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

static void an_empty_ledger_has_nothing(void **state)
{
    const struct ledger *l = *state;
    struct buf out = { 0 };
    uint64_t next = 99;
    assert_int_equal(ledger_last(l), 0);
    assert_int_equal(ledger_first(l), 0);
    assert_int_equal(ledger_dropped(l), 0);
    assert_int_equal(ledger_read(l, 0, 10, 1000, ",", &out, &next), 0);
    assert_int_equal(next, 0);
    assert_int_equal(buf_len(&out), 0);
    ledger_destroy(NULL);
}

static void sequence_numbers_start_at_one_without_gaps(void **state)
{
    struct ledger *l = *state;
    for (uint64_t i = 1; i <= 5; i++) {
        assert_int_equal(mark(l, "x"), i);
        assert_int_equal(ledger_last(l), i);
        assert_int_equal(ledger_first(l), 1);
    }
}

/* A field with these strings, the last behind them NULL. */
static void ledger_list(struct ledger *l, enum ledger_field field, const char *const *strings)
{
    static char list[LEDGER_LIST_SIZE];
    size_t len = 0;
    for (; *strings; strings++)
        len = ledger_item(list, sizeof list, len, *strings, strlen(*strings));
    ledger_bytes(l, field, list, len);
}

static void each_kind_of_field_has_its_json(void **state)
{
    struct ledger *l = *state;
    ledger_begin(l, EV_REQUEST, 7, 3);
    ledger_int(l, F_STREAM, 5);
    ledger_text(l, F_METHOD, "GET");
    ledger_text(l, F_AUTHORITY, NULL);
    ledger_bytes(l, F_TARGET, "/a\"b\n\xff", 6);
    ledger_int(l, F_RESUMED, 1);
    ledger_int(l, F_COMPLETE, 0);
    ledger_int(l, F_IDLE_BEFORE, 1234567890);
    ledger_list(l, F_HEADERS, (const char *const[]){ "Host", "X-\"y\"", "", "a\nb", NULL });
    ledger_list(l, F_ALPN_OFFERED, (const char *const[]){ NULL });
    ledger_text(l, F_WHY, "");
    ledger_commit(l);
    assert_newest(l, "\"event\":\"request\",\"connection\":7,\"exchange\":3,\"stream\":5,"
                     "\"method\":\"GET\",\"target\":\"/a\\\"b\\n\\u00ff\",\"resumed\":true,"
                     "\"complete\":false,\"idle_before_ms\":1234.567,"
                     "\"headers\":[\"Host\",\"X-\\\"y\\\"\",\"\",\"a\\nb\"],\"alpn_offered\":[],"
                     "\"why\":\"\"}");

    ledger_begin(l, EV_MARK, 0, 0);
    ledger_commit(l);
    assert_newest(l, "\"event\":\"mark\"}");

    ledger_begin(l, EV_CONNECTION_END, UINT64_MAX, UINT32_MAX);
    ledger_commit(l);
    assert_newest(l, "\"event\":\"connection_end\",\"connection\":18446744073709551615,"
                     "\"exchange\":4294967295}");
}

static void numbers_of_any_size_come_back(void **state)
{
    static const struct {
        int64_t value;
        const char *number, *ms;
    } table[] = {
        { 0, "0", "0.000" },
        { 1, "1", "0.000" },
        { -1, "-1", "0.000" },
        { 999, "999", "0.000" },
        { 1000, "1000", "0.001" },
        { -1000, "-1000", "-0.001" },
        { 63, "63", "0.000" },
        { 64, "64", "0.000" },
        { -64, "-64", "0.000" },
        { -65, "-65", "0.000" },
        { 999999, "999999", "0.999" },
        { 1000000, "1000000", "1.000" },
        { -61001000, "-61001000", "-61.001" },
        { INT64_MAX, "9223372036854775807", "9223372036854.775" },
        { INT64_MIN, "-9223372036854775808", "-9223372036854.775" },
    };
    struct ledger *l = *state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ledger_begin(l, EV_MARK, 0, 0);
        ledger_int(l, F_BYTES, table[i].value);
        ledger_int(l, F_LIFETIME, table[i].value);
        ledger_commit(l);
        char expected[200];
        snprintf(expected, sizeof expected, "\"event\":\"mark\",\"bytes\":%s,\"lifetime_ms\":%s}",
                 table[i].number, table[i].ms);
        assert_newest(l, expected);
    }
}

static void every_event_and_field_has_a_distinct_name(void **state)
{
    struct ledger *l = *state;
    for (int i = 0; i < EV_COUNT; i++) {
        assert_true(strlen(ledger_event_name(i)) > 0);
        assert_true(strlen(ledger_event_about(i)) > 0);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(ledger_event_name(i), ledger_event_name(j));
    }
    ledger_begin(l, EV_MARK, 1, 1);
    for (int i = 0; i < F_COUNT; i++) {
        if (fields[i].kind == LEDGER_TEXT)
            ledger_text(l, i, "x");
        else if (fields[i].kind == LEDGER_LIST)
            ledger_list(l, i, (const char *const[]){ "x", NULL });
        else if (fields[i].kind == LEDGER_JSON)
            ledger_text(l, i, "{\"x\":1}");
        else if (fields[i].kind == LEDGER_REAL)
            ledger_real(l, i, 1);
        else if (fields[i].kind == LEDGER_WORD)
            ledger_word(l, i, 1);
        else
            ledger_int(l, i, 1);
    }
    ledger_commit(l);
    uint64_t next;
    json_t *all = read_all(l, 0, 9, &next); /* rejects duplicate keys */
    /* seq, at, ms, event, connection, exchange */
    assert_int_equal(json_object_size(json_array_get(all, 0)), 6 + F_COUNT);
    json_decref(all);
}

static bool is_head(const char *name)
{
    return strcmp(name, "connection") == 0 || strcmp(name, "exchange") == 0;
}

static void the_members_of_each_event_are_fields_and_each_field_is_of_an_event(void **state)
{
    bool used[F_COUNT] = { false };
    for (int i = 0; i < EV_COUNT; i++) {
        if (!ledger_event_members(i))
            fail_msg("LEDGER_MEMBERS has no row for %s", ledger_event_name(i));
        char names[1024], *rest = names;
        snprintf(names, sizeof names, "%s", ledger_event_members(i));
        for (char *name; (name = strsep(&rest, " "));) {
            char key[80];
            int f = 0;
            snprintf(key, sizeof key, "%.*s", (int)strcspn(name, "?"), name);
            while (f < F_COUNT && strcmp(ledger_field_name(f), key) != 0)
                f++;
            name[strcspn(name, "?")] = '\0';
            if (f < F_COUNT)
                used[f] = true;
            else if (*name && !is_head(name))
                fail_msg("%s: there is no field %s", ledger_event_name(i), name);
        }
    }
    for (int f = 0; f < F_COUNT; f++)
        if (!used[f])
            fail_msg("no event has %s", ledger_field_name(f));
}

static void a_fraction_is_shown_as_it_was_given(void **state)
{
    struct ledger *l = *state;
    static const double values[] = { 0.1, 0.30000000000000004, -2.5, 1e-6, 1e6, 1 };
    static const char *const shown[] = { "0.1",   "0.30000000000000004", "-2.5",
                                         "1e-06", "1000000.0",           "1.0" };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char expected[80];
        ledger_begin(l, EV_FAULT, 0, 0);
        ledger_real(l, F_TIME_SCALE, values[i]);
        ledger_commit(l);
        snprintf(expected, sizeof expected, "\"event\":\"fault\",\"time_scale\":%s}", shown[i]);
        assert_newest(l, expected);
    }
}

static void a_word_is_shown_as_its_text_and_read_as_its_number(void **state)
{
    struct ledger *l = *state;
    ledger_begin(l, EV_CONNECTION_END, 1, 0);
    ledger_word(l, F_BY, BY_SHUTDOWN);
    ledger_word(l, F_HOW, HOW_UNACKED);
    ledger_word(l, F_IN, ENDED_IN_SERVICE); /* which is no word */
    ledger_word(l, F_REACHED, REACHED_BEGUN);
    ledger_word(l, F_STEP, STEP_LISTEN);
    ledger_word(l, F_TRIGGER, TRIGGER_ADMIN);
    ledger_commit(l);
    assert_newest(l, "\"event\":\"connection_end\",\"connection\":1,\"by\":\"shutdown\","
                     "\"how\":\"what was sent is not acknowledged\",\"reached\":\"begun\","
                     "\"step\":\"listen\",\"trigger\":\"admin\"}");
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record;
    assert_true(ledger_next(&cursor, &record));
    assert_int_equal(ledger_number(&record, F_BY, -1), BY_SHUTDOWN);
    assert_int_equal(ledger_number(&record, F_REACHED, -1), REACHED_BEGUN);
    assert_int_equal(ledger_number(&record, F_IN, ENDED_IN_SERVICE), ENDED_IN_SERVICE);
    assert_int_equal(ledger_number(&record, F_STEP, -1), STEP_LISTEN);
}

static void each_word_of_a_field_is_another(void **state)
{
    for (int f = 0; f < F_COUNT; f++) {
        assert_int_equal(fields[f].kind == LEDGER_WORD, tables[f].count > 0);
        for (int64_t i = 0; i < tables[f].count; i++)
            for (int64_t j = 0; j < i; j++)
                assert_string_not_equal(ledger_word_name(f, i), ledger_word_name(f, j));
    }
}

static void events_carry_wall_time_and_milliseconds_since_creation(void **state)
{
    struct ledger *l = *state;
    mark(l, "first");
    nanosleep(&(struct timespec){ .tv_nsec = 30 * NS_PER_MS }, NULL);
    char before[CLOCK_RFC3339_SIZE], after[CLOCK_RFC3339_SIZE];
    clock_rfc3339(clock_wall(clock_now()) - NS_PER_MS, before);
    mark(l, "second");
    clock_rfc3339(clock_wall(clock_now()) + NS_PER_MS, after);

    uint64_t next;
    json_t *all = read_all(l, 0, 9, &next), *again = read_all(l, 0, 9, &next);
    const json_t *first = json_array_get(all, 0), *second = json_array_get(all, 1);
    double first_ms = json_real_value(json_object_get(first, "ms"));
    double second_ms = json_real_value(json_object_get(second, "ms"));
    assert_true(first_ms >= 0);
    assert_true(second_ms - first_ms >= 30 && second_ms - first_ms < 5000);
    assert_true(strcmp(text_of(second, "at"), before) >= 0);
    assert_true(strcmp(text_of(second, "at"), after) <= 0);
    assert_true(json_equal(all, again));
    json_decref(all);
    json_decref(again);
}

static void a_poller_sees_each_event_once(void **state)
{
    struct ledger *l = *state;
    uint64_t since = 0, seen = 0;
    for (int round = 0; round < (under_memcheck() ? 60 : 200); round++) {
        for (int i = 0; i < round % 7 * 50; i++)
            mark(l, "some event of the usual length");
        json_t *all;
        do {
            all = read_all(l, since, 64, &since);
            for (size_t i = 0; i < json_array_size(all); i++)
                assert_int_equal(seq_of(json_array_get(all, i)), ++seen);
            json_decref(all);
            assert_int_equal(since, seen);
        } while (seen < ledger_last(l));
    }
    assert_true(ledger_dropped(l) > 0); /* the bound was reached on the way */
}

static void reading_at_or_beyond_the_end_gives_nothing(void **state)
{
    struct ledger *l = *state;
    mark(l, "a");
    mark(l, "b");
    static const uint64_t ends[] = { 2, 3, 1000, UINT64_MAX };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct buf out = { 0 };
        uint64_t next = 0;
        assert_int_equal(ledger_read(l, ends[i], 10, SIZE_MAX, ",", &out, &next), 0);
        assert_true(next == ends[i]);
        assert_int_equal(buf_len(&out), 0);
    }
}

static void reading_stops_at_both_limits(void **state)
{
    struct ledger *l = *state;
    for (int i = 0; i < 100; i++)
        mark(l, "x");
    static const struct {
        uint64_t since;
        size_t max_events, max_bytes;
        int count;
        uint64_t next;
    } table[] = {
        { 0, 10, SIZE_MAX, 10, 10 }, { 95, 10, SIZE_MAX, 5, 100 },
        { 40, 0, SIZE_MAX, 0, 40 },  { 40, 10, 0, 0, 40 },
        { 40, 10, 1, 0, 40 }, /* out holds a byte already */
        { 40, 10, 2, 1, 41 },        { 0, SIZE_MAX, SIZE_MAX, 100, 100 },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct buf out = { 0 };
        uint64_t next;
        buf_text(&out, "[");
        assert_int_equal(ledger_read(l, table[i].since, table[i].max_events, table[i].max_bytes,
                                     "\n", &out, &next),
                         table[i].count);
        assert_int_equal(next, table[i].next);
        size_t newlines = 0;
        for (size_t j = 0; j < buf_len(&out); j++)
            newlines += buf_bytes(&out)[j] == '\n';
        assert_int_equal(newlines, table[i].count > 1 ? table[i].count - 1 : 0);
        buf_free(&out);
    }
}

static void a_full_ledger_drops_its_oldest_and_counts_them(void **state)
{
    struct ledger *l = *state;
    fill_big('x');
    for (uint64_t i = 1; i <= 1000; i++) {
        ledger_begin(l, EV_MARK, i, 0);
        ledger_bytes(l, F_NAME, big, 500 + i % 1500);
        ledger_commit(l);
        /* All but the dropped ones are held, and nothing twice. */
        assert_int_equal(ledger_first(l), ledger_dropped(l) + 1);
    }
    assert_true(ledger_dropped(l) > 500);
    assert_int_equal(l->chunk_count, 4);

    uint64_t next, expected = ledger_first(l);
    json_t *all = read_all(l, 0, SIZE_MAX, &next);
    assert_int_equal(next, 1000);
    assert_int_equal(json_array_size(all), 1000 - ledger_dropped(l));
    for (size_t i = 0; i < json_array_size(all); i++, expected++) {
        const json_t *event = json_array_get(all, i);
        assert_int_equal(seq_of(event), expected);
        assert_int_equal(json_integer_value(json_object_get(event, "connection")), expected);
        assert_int_equal(strlen(text_of(event, "name")), 500 + expected % 1500);
    }
    json_decref(all);
}

static void any_event_is_found_by_its_number(void **state)
{
    struct ledger *l = *state;
    fill_big('x');
    for (int i = 0; i < 700; i++) {
        ledger_begin(l, EV_MARK, 0, 0);
        ledger_bytes(l, F_NAME, big, (size_t)i * 37 % 1000);
        ledger_commit(l);
    }
    for (uint64_t since = 0; since < 700; since++) {
        uint64_t next, first = since + 1 > ledger_first(l) ? since + 1 : ledger_first(l);
        json_t *one = read_all(l, since, 1, &next);
        assert_int_equal(seq_of(json_array_get(one, 0)), first);
        assert_int_equal(next, first);
        json_decref(one);
    }
}

static void a_ledger_below_one_chunk_holds_one(void **state)
{
    struct ledger *l = ledger_create(0);
    assert_non_null(l);
    fill_big('x');
    for (uint64_t i = 1; i <= 200; i++) {
        ledger_begin(l, EV_MARK, i, 0);
        ledger_bytes(l, F_NAME, big, 1000);
        ledger_bytes(l, F_WHY, big, 1000);
        ledger_commit(l);
        uint64_t next;
        json_t *all = read_all(l, 0, SIZE_MAX, &next);
        assert_int_equal(json_array_size(all), i - ledger_dropped(l));
        const json_t *newest_event = json_array_get(all, json_array_size(all) - 1);
        assert_int_equal(seq_of(newest_event), i);
        assert_int_equal(json_integer_value(json_object_get(newest_event, "connection")), i);
        assert_int_equal(strlen(text_of(newest_event, "why")), 1000);
        json_decref(all);
    }
    assert_int_equal(l->chunk_count, 1);
    ledger_destroy(l);
}

static void write_events(struct ledger *l, unsigned count)
{
    char text[1000];
    memset(text, 'x', sizeof text);
    for (unsigned i = 0; i < count; i++) {
        ledger_begin(l, EV_MARK, 0, 0);
        ledger_bytes(l, F_NAME, text, sizeof text);
        ledger_commit(l);
    }
}

static void ledgers_that_share_memory_take_it_of_the_largest(void **state)
{
    struct ledger *all[3] = { *state, ledger_create(8 * CHUNK_SIZE),
                              ledger_create(2 * CHUNK_SIZE) };
    static struct ledger_budget budget; /* until the end of the ledger */
    uint64_t next;
    ledger_budget_init(&budget, 6 * CHUNK_SIZE);
    for (unsigned i = 0; i < 3; i++)
        ledger_join(all[i], &budget);
    assert_int_equal(budget.chunks, 3);

    write_events(all[1], 1000); /* all that the others have no need of: each keeps one */
    assert_int_equal(all[1]->chunk_count, 4);
    write_events(all[2], 1000); /* no more than its own bound */
    assert_int_equal(all[2]->chunk_count, 2);
    assert_int_equal(all[1]->chunk_count, 3);
    write_events(all[0], 1000);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(all[i]->chunk_count, 2);
        assert_int_equal(ledger_first(all[i]), ledger_dropped(all[i]) + 1);
        assert_int_equal(ledger_last(all[i]), 1000);
        json_t *held = read_all(all[i], 0, SIZE_MAX, &next);
        assert_int_equal(json_array_size(held), 1000 - ledger_dropped(all[i]));
        json_decref(held);
    }

    ledger_clear(all[2]); /* what it gives back the others may have */
    assert_int_equal(budget.chunks, 5);
    write_events(all[1], 100);
    assert_int_equal(all[1]->chunk_count, 3);
    ledger_destroy(all[1]);
    ledger_destroy(all[2]);
    assert_int_equal(budget.chunks, 2);
    write_events(all[0], 1000);
    assert_int_equal(all[0]->chunk_count, 4);
}

static void a_share_that_is_used_up_leaves_each_ledger_a_chunk(void **state)
{
    struct ledger *l = *state;
    static struct ledger_budget budget; /* until the end of the ledger */
    ledger_budget_init(&budget, 0);
    ledger_join(l, &budget);
    write_events(l, 200);
    assert_int_equal(l->chunk_count, 1);
    assert_int_equal(ledger_first(l), ledger_dropped(l) + 1);
    assert_true(ledger_first(l) < 200);
}

static void a_long_text_is_cut_and_the_event_says_so(void **state)
{
    static const struct {
        size_t len, held;
        bool cut;
    } table[] = { { TEXT_MAX - 1, TEXT_MAX - 1, false },
                  { TEXT_MAX, TEXT_MAX, false },
                  { TEXT_MAX + 1, TEXT_MAX, true },
                  { sizeof big - 1, TEXT_MAX, true } };
    struct ledger *l = *state;
    fill_big('x');
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ledger_begin(l, EV_MARK, 0, 0);
        ledger_bytes(l, F_NAME, big, table[i].len);
        ledger_text(l, F_WHY, "after");
        ledger_commit(l);
        uint64_t next;
        json_t *all = read_all(l, ledger_last(l) - 1, 1, &next);
        const json_t *event = json_array_get(all, 0);
        assert_int_equal(strlen(text_of(event, "name")), table[i].held);
        assert_string_equal(text_of(event, "why"), "after");
        assert_int_equal(json_is_true(json_object_get(event, "cut")), table[i].cut);
        json_decref(all);
    }
}

/* Wherever the cut lies: in a string, or in what tells its length. */
static void a_long_list_is_cut_and_keeps_its_beginning(void **state)
{
    struct ledger *l = *state;
    static char list[LEDGER_LIST_SIZE];
    fill_big('x');
    for (size_t first = TEXT_MAX - 8; first <= TEXT_MAX + 2; first++) {
        size_t len = ledger_item(list, sizeof list, 0, big, first);
        for (int i = 0; i < 2000; i++)
            len = ledger_item(list, sizeof list, len, "y\n", 2);
        assert_true(len > TEXT_MAX && len <= sizeof list);
        ledger_begin(l, EV_REQUEST, 0, 0);
        ledger_bytes(l, F_HEADERS, list, len);
        ledger_text(l, F_WHY, "after");
        ledger_commit(l);
        uint64_t next;
        json_t *all = read_all(l, ledger_last(l) - 1, 1, &next);
        const json_t *event = json_array_get(all, 0);
        const json_t *items = json_object_get(event, "headers");
        size_t held = first < TEXT_MAX - 2 ? first : TEXT_MAX - 2;
        assert_int_equal(json_string_length(json_array_get(items, 0)), held);
        for (size_t i = 1; i < json_array_size(items); i++)
            assert_memory_equal(json_string_value(json_array_get(items, i)), "y\n",
                                json_string_length(json_array_get(items, i)));
        assert_true(json_is_true(json_object_get(event, "cut")));
        assert_string_equal(text_of(event, "why"), "after");
        json_decref(all);
    }
}

static void a_text_is_cut_between_characters(void **state)
{
    struct ledger *l = *state;
    for (size_t shift = 0; shift < 4; shift++) {
        fill_big('x');
        for (size_t i = shift; i + 4 <= sizeof big - 1; i += 4)
            memcpy(big + i, "\xf0\x9f\x98\x80", 4);
        ledger_begin(l, EV_MARK, 0, 0);
        ledger_text(l, F_NAME, big);
        ledger_commit(l);
        uint64_t next;
        json_t *all = read_all(l, ledger_last(l) - 1, 1, &next);
        const char *held = text_of(json_array_get(all, 0), "name");
        assert_int_equal(strlen(held), shift + (TEXT_MAX - shift) / 4 * 4);
        assert_memory_equal(held, big, strlen(held));
        json_decref(all);
    }
}

static void json_is_shown_as_it_is_and_left_out_when_too_long(void **state)
{
    struct ledger *l = *state;
    uint64_t next;
    fill_big('1'); /* a number, as JSON goes */
    ledger_begin(l, EV_MODE, 0, 0);
    ledger_text(l, F_PARAMS, "{\"idle\":\"2s\"}");
    ledger_bytes(l, F_ARGUMENTS, big, TEXT_MAX + 1);
    ledger_commit(l);
    json_t *all = read_all(l, 0, 9, &next);
    json_t *event = json_array_get(all, 0);
    assert_string_equal(text_of(json_object_get(event, "params"), "idle"), "2s");
    assert_null(json_object_get(event, "arguments"));
    assert_true(json_is_true(json_object_get(event, "cut")));
    json_decref(all);
}

static void an_event_larger_than_a_chunk_is_cut_to_one(void **state)
{
    struct ledger *l = *state;
    fill_big('x');
    mark(l, "before");
    ledger_begin(l, EV_MARK, 1, 0);
    for (int field = 0, texts = 0; texts < 17; field = (field + 1) % F_COUNT) {
        if (fields[field].kind != LEDGER_TEXT)
            continue;
        ledger_bytes(l, field, big, TEXT_MAX);
        texts++;
    }
    for (int i = 0; i < 500; i++)
        ledger_int(l, F_BYTES_IN, INT64_MIN);
    ledger_commit(l);
    assert_int_equal(mark(l, "after"), 3);

    struct buf out = { 0 };
    uint64_t next;
    assert_int_equal(ledger_read(l, 1, 1, SIZE_MAX, "", &out, &next), 1);
    assert_true(buf_len(&out) > 15 * TEXT_MAX);
    assert_memory_equal(buf_bytes(&out) + buf_len(&out) - 12, ",\"cut\":true}", 12);
    buf_free(&out);

    uint64_t ignored;
    json_t *after = read_all(l, 2, 9, &ignored);
    assert_string_equal(text_of(json_array_get(after, 0), "name"), "after");
    json_decref(after);
    assert_int_equal(ledger_first(l), 1);
}

static void clearing_empties_it_and_numbers_continue(void **state)
{
    struct ledger *l = *state;
    fill_big('x');
    for (int i = 0; i < 300; i++)
        mark(l, "before");
    for (int i = 0; i < 30; i++)
        mark(l, big);
    assert_true(l->chunk_count > 1);
    ledger_clear(l);
    assert_int_equal(l->chunk_count, 1);
    assert_int_equal(ledger_first(l), 331);
    assert_int_equal(ledger_last(l), 331);
    assert_int_equal(ledger_dropped(l), 0);
    assert_newest(l, "\"event\":\"cleared\"}");
    assert_int_equal(mark(l, "after"), 332);

    uint64_t next;
    json_t *all = read_all(l, 100, 9, &next);
    assert_int_equal(json_array_size(all), 2);
    assert_int_equal(next, 332);
    json_decref(all);
}

struct counter {
    struct ledger_watch watch;
    uint64_t last;
    int calls;
    bool once;
};

static void count(struct ledger_watch *watch, const struct ledger_record *record)
{
    struct counter *c = link_entry(watch, struct counter, watch);
    c->last = record->seq;
    c->calls++;
    if (c->once)
        ledger_watch_remove(watch);
}

static void watchers_hear_of_each_event_until_removed(void **state)
{
    struct ledger *l = *state;
    struct counter a = { .watch.committed = count }, once = a, b = a;
    once.once = true;
    ledger_watch_add(l, &a.watch);
    ledger_watch_add(l, &once.watch);
    ledger_watch_add(l, &b.watch);
    mark(l, "one");
    mark(l, "two");
    ledger_watch_remove(&a.watch);
    ledger_watch_remove(&a.watch);
    ledger_watch_remove(&once.watch);
    ledger_clear(l);
    ledger_watch_remove(&b.watch);
    assert_int_equal(a.calls, 2);
    assert_int_equal(a.last, 2);
    assert_int_equal(once.calls, 1);
    assert_int_equal(once.last, 1);
    assert_int_equal(b.calls, 3);
    assert_int_equal(b.last, 3);
}

/* One that removes watchers, or adds one, when it is called the first time. */
struct meddler {
    struct ledger_watch watch;
    int calls;
    struct ledger_watch *removes[4], *adds;
};

static void meddle(struct ledger_watch *watch, const struct ledger_record *record)
{
    struct meddler *m = link_entry(watch, struct meddler, watch);
    if (m->calls++ > 0)
        return;
    for (int i = 0; i < 4; i++)
        if (m->removes[i])
            ledger_watch_remove(m->removes[i]);
    if (m->adds)
        ledger_watch_add(watch->ledger, m->adds);
}

/* Watchers 0 to 3, of which 1 removes each set of them: who is called, in that event and the next.
 */
static void any_watcher_can_be_removed_from_inside_one(void **state)
{
    struct ledger *l = *state;
    for (unsigned set = 0; set < 1u << 4; set++) {
        struct meddler m[4] = { 0 };
        for (unsigned i = 0; i < 4; i++) {
            m[i].watch.committed = meddle;
            ledger_watch_add(l, &m[i].watch);
            if (set & 1u << i)
                m[1].removes[i] = &m[i].watch;
        }
        mark(l, "one");
        mark(l, "two");
        for (unsigned i = 0; i < 4; i++) {
            bool removed = set & 1u << i;
            assert_int_equal(m[i].calls, !removed ? 2 : i > 1 ? 0 : 1);
            ledger_watch_remove(&m[i].watch);
        }
    }
}

static void a_watcher_added_from_inside_one_hears_of_the_next_event(void **state)
{
    struct ledger *l = *state;
    struct counter c = { .watch.committed = count };
    struct meddler m = { .watch.committed = meddle, .adds = &c.watch };
    ledger_watch_add(l, &m.watch);
    mark(l, "one");
    assert_int_equal(c.calls, 0);
    mark(l, "two");
    assert_int_equal(c.calls, 1);
    assert_int_equal(c.last, 2);
    ledger_watch_remove(&c.watch);
    ledger_watch_remove(&m.watch);
}

static void read_fields(struct ledger_watch *watch, const struct ledger_record *record)
{
    struct counter *c = link_entry(watch, struct counter, watch);
    struct ledger_value value = { 0 };
    const char *item;
    size_t at = 0, n;
    c->calls++;
    assert_int_equal(record->event, EV_REQUEST);
    assert_int_equal(record->connection, 7);
    assert_int_equal(record->exchange, 3);
    assert_true(record->age >= 0 && record->wall > 0 && !record->cut);
    assert_int_equal(ledger_number(record, F_STREAM, 99), -5);
    assert_int_equal(ledger_number(record, F_STATUS, 99), 99);
    assert_int_equal(ledger_number(record, F_COMPLETE, 0), 1);
    assert_int_equal(ledger_number(record, F_IDLE_BEFORE, 0), 1234567890123);
    assert_true(ledger_text_is(record, F_METHOD, "GET"));
    assert_false(ledger_text_is(record, F_METHOD, "GE"));
    assert_false(ledger_text_is(record, F_METHOD, "GETS"));
    assert_false(ledger_text_is(record, F_TARGET, ""));
    assert_true(ledger_value(record, F_TIME_SCALE, &value) && value.real == 0.1);
    assert_true(ledger_value(record, F_HEADERS, &value));
    assert_true(ledger_item_next(&value, &at, &item, &n) && n == 2 && !memcmp(item, "ab", 2));
    assert_true(ledger_item_next(&value, &at, &item, &n) && n == 0);
    assert_false(ledger_item_next(&value, &at, &item, &n));
}

static void write_typed(struct ledger *l)
{
    ledger_begin(l, EV_REQUEST, 7, 3);
    ledger_int(l, F_STREAM, -5);
    ledger_text(l, F_METHOD, "GET");
    ledger_int(l, F_COMPLETE, true);
    ledger_int(l, F_IDLE_BEFORE, 1234567890123);
    ledger_real(l, F_TIME_SCALE, 0.1);
    ledger_list(l, F_HEADERS, (const char *const[]){ "ab", "", NULL });
    ledger_commit(l);
}

static void watchers_and_cursors_get_typed_records(void **state)
{
    struct ledger *l = *state;
    struct counter c = { .watch.committed = read_fields };
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record;
    assert_false(ledger_next(&cursor, &record));
    ledger_watch_add(l, &c.watch);
    write_typed(l);
    ledger_watch_remove(&c.watch);
    assert_true(ledger_next(&cursor, &record));
    read_fields(&c.watch, &record);
    assert_int_equal(record.seq, 1);
    assert_int_equal(c.calls, 2);
    assert_false(ledger_next(&cursor, &record));
}

/* Whatever is written, dropped and cleared between two steps of it. */
static void a_cursor_sees_each_event_that_is_there_once(void **state)
{
    struct ledger *l = *state;
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record;
    uint64_t steps = 0;
    fill_big('x');
    for (int round = 0; round < 400; round++) {
        for (int i = 0; i < round % 90; i++) {
            ledger_begin(l, EV_MARK, 0, 0);
            ledger_bytes(l, F_NAME, big, (size_t)i * 41 % 2000);
            ledger_commit(l);
        }
        if (round % 50 == 49)
            ledger_clear(l);
        for (int i = 0; i < round % 70; i++) {
            uint64_t since = cursor.since, first = ledger_first(l);
            bool more = since < ledger_last(l);
            assert_int_equal(ledger_next(&cursor, &record), more);
            if (!more)
                break;
            steps++;
            assert_int_equal(record.seq, since + 1 > first ? since + 1 : first);
            assert_int_equal(cursor.since, record.seq);
        }
    }
    assert_true(steps > 1000 && ledger_dropped(l) > 1000);
}

static void dropped_events_are_counted_by_kind(void **state)
{
    struct ledger *l = *state;
    uint64_t held[EV_COUNT] = { 0 }, written[EV_COUNT] = { 0 };
    for (int i = 0; i < 20000; i++) {
        enum ledger_event event = i % 3 ? EV_PEER_PING : i % 2 ? EV_MARK : EV_REQUEST;
        ledger_begin(l, event, 1, 0);
        ledger_commit(l);
        written[event]++;
    }
    struct ledger_cursor cursor = { .ledger = l };
    for (struct ledger_record record; ledger_next(&cursor, &record);)
        held[record.event]++;
    uint64_t sum = 0;
    for (int i = 0; i < EV_COUNT; i++) {
        assert_int_equal(ledger_dropped_of(l, i) + held[i], written[i]);
        sum += ledger_dropped_of(l, i);
    }
    assert_int_equal(sum, ledger_dropped(l));
    assert_true(ledger_dropped_of(l, EV_PEER_PING) > 100);
}

static void a_watch_outlives_its_ledger(void **state)
{
    struct ledger *l = ledger_create(0);
    struct counter c = { .watch.committed = count };
    ledger_watch_add(l, &c.watch);
    ledger_destroy(l);
    ledger_watch_remove(&c.watch);
    assert_int_equal(c.calls, 0);
}

static void a_ledger_without_memory_is_not_made(void **state)
{
    for (int i = 0; i < 2; i++) {
        memory_ends_after(i);
        assert_null(ledger_create(CHUNK_SIZE));
    }
}

static void writing_continues_when_memory_runs_out(void **state)
{
    struct ledger *l = *state;
    fill_big('x');
    memory_ends_after(1); /* two chunks instead of four */
    for (uint64_t i = 1; i <= 100; i++)
        assert_int_equal(mark(l, big), i);
    assert_int_equal(l->chunk_count, 2);
    assert_true(ledger_dropped(l) > 60);
    assert_int_equal(ledger_first(l), ledger_dropped(l) + 1);
    memory_restore();
    uint64_t next;
    json_t *all = read_all(l, 0, SIZE_MAX, &next);
    assert_int_equal(json_array_size(all), 100 - ledger_dropped(l));
    json_decref(all);
}

static void reading_without_memory_leaves_what_was_there(void **state)
{
    struct ledger *l = *state;
    fill_big('\0'); /* a list of empty strings */
    for (int i = 0; i < 20; i++) {
        ledger_begin(l, EV_REQUEST, 1, 1);
        ledger_text(l, F_METHOD, "GET");
        ledger_bytes(l, F_HEADERS, big, sizeof big - 1);
        ledger_int(l, F_IDLE_BEFORE, 5);
        ledger_commit(l);
    }
    int failures = 0;
    for (int limit = 0;; limit++) {
        struct buf out = { 0 };
        memory_restore();
        buf_text(&out, "kept");
        memory_ends_after(limit);
        uint64_t next = 77;
        int r = ledger_read(l, 0, SIZE_MAX, SIZE_MAX, ",", &out, &next);
        if (r < 0) {
            failures++;
            assert_int_equal(r, -ENOMEM);
            assert_int_equal(next, 77);
            assert_int_equal(buf_len(&out), 4);
            assert_memory_equal(buf_bytes(&out), "kept", 4);
        } else {
            assert_int_equal(r, 20);
        }
        buf_free(&out);
        if (r >= 0)
            break;
    }
    assert_true(failures > 5);
}

#define LEDGER_TEST(test) cmocka_unit_test_setup_teardown(test, make, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEDGER_TEST(an_empty_ledger_has_nothing),
        LEDGER_TEST(sequence_numbers_start_at_one_without_gaps),
        LEDGER_TEST(each_kind_of_field_has_its_json),
        LEDGER_TEST(numbers_of_any_size_come_back),
        LEDGER_TEST(every_event_and_field_has_a_distinct_name),
        LEDGER_TEST(the_members_of_each_event_are_fields_and_each_field_is_of_an_event),
        LEDGER_TEST(a_fraction_is_shown_as_it_was_given),
        LEDGER_TEST(a_word_is_shown_as_its_text_and_read_as_its_number),
        LEDGER_TEST(each_word_of_a_field_is_another),
        LEDGER_TEST(events_carry_wall_time_and_milliseconds_since_creation),
        LEDGER_TEST(a_poller_sees_each_event_once),
        LEDGER_TEST(reading_at_or_beyond_the_end_gives_nothing),
        LEDGER_TEST(reading_stops_at_both_limits),
        LEDGER_TEST(a_full_ledger_drops_its_oldest_and_counts_them),
        LEDGER_TEST(any_event_is_found_by_its_number),
        LEDGER_TEST(a_ledger_below_one_chunk_holds_one),
        LEDGER_TEST(ledgers_that_share_memory_take_it_of_the_largest),
        LEDGER_TEST(a_share_that_is_used_up_leaves_each_ledger_a_chunk),
        LEDGER_TEST(a_long_text_is_cut_and_the_event_says_so),
        LEDGER_TEST(a_text_is_cut_between_characters),
        LEDGER_TEST(a_long_list_is_cut_and_keeps_its_beginning),
        LEDGER_TEST(json_is_shown_as_it_is_and_left_out_when_too_long),
        LEDGER_TEST(an_event_larger_than_a_chunk_is_cut_to_one),
        LEDGER_TEST(clearing_empties_it_and_numbers_continue),
        LEDGER_TEST(a_cursor_sees_each_event_that_is_there_once),
        LEDGER_TEST(dropped_events_are_counted_by_kind),
        LEDGER_TEST(watchers_and_cursors_get_typed_records),
        LEDGER_TEST(watchers_hear_of_each_event_until_removed),
        LEDGER_TEST(any_watcher_can_be_removed_from_inside_one),
        LEDGER_TEST(a_watcher_added_from_inside_one_hears_of_the_next_event),
        LEDGER_TEST(a_watch_outlives_its_ledger),
        LEDGER_TEST(a_ledger_without_memory_is_not_made),
        LEDGER_TEST(writing_continues_when_memory_runs_out),
        LEDGER_TEST(reading_without_memory_leaves_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
