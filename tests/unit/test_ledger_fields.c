/* test_ledger_fields.c - the fields of an event: each kind of them, and what is too long. */
#include "ledger_rig.h"

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
        { INT32_MAX, "2147483647", "2147.483" },
        { INT32_MAX + INT64_C(1), "2147483648", "2147.483" },
        { INT32_MIN + 1, "-2147483647", "-2147.483" },
        { INT32_MIN, "-2147483648", "-2147.483" },
        { INT32_MIN - INT64_C(1), "-2147483649", "-2147.483" },
        { INT32_MIN * INT64_C(1000), "-2147483648000", "-2147483.648" },
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

static void hashes_are_16_digits(void **state)
{
    struct ledger *l = *state;
    ledger_begin(l, EV_REQUEST_COMPLETE, 0, 0);
    ledger_hash(l, F_DIGEST, 0x0123456789abcdef);
    ledger_hash(l, F_FINGERPRINT, 0);
    ledger_commit(l);
    assert_newest(l, "\"event\":\"request_complete\",\"digest\":\"0123456789abcdef\","
                     "\"fingerprint\":\"0000000000000000\"}");
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
        if (kind_of(i) == LEDGER_TEXT)
            ledger_text(l, i, "x");
        else if (kind_of(i) == LEDGER_LIST)
            ledger_list(l, i, (const char *const[]){ "x", NULL });
        else if (kind_of(i) == LEDGER_JSON)
            ledger_text(l, i, "{\"x\":1}");
        else if (kind_of(i) == LEDGER_REAL)
            ledger_real(l, i, 1);
        else if (kind_of(i) == LEDGER_WORD)
            ledger_word(l, i, 1);
        else if (kind_of(i) == LEDGER_HASH)
            ledger_hash(l, i, 1);
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
        assert_int_equal(kind_of(f) == LEDGER_WORD, ledger_word_count(f) > 0);
        for (int64_t i = 0; i < ledger_word_count(f); i++)
            for (int64_t j = 0; j < i; j++)
                assert_string_not_equal(ledger_word_name(f, i), ledger_word_name(f, j));
    }
}

/* --- What is too long */

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
        if (kind_of(field) != LEDGER_TEXT)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEDGER_TEST(each_kind_of_field_has_its_json),
        LEDGER_TEST(numbers_of_any_size_come_back),
        LEDGER_TEST(hashes_are_16_digits),
        LEDGER_TEST(every_event_and_field_has_a_distinct_name),
        LEDGER_TEST(the_members_of_each_event_are_fields_and_each_field_is_of_an_event),
        LEDGER_TEST(a_fraction_is_shown_as_it_was_given),
        LEDGER_TEST(a_word_is_shown_as_its_text_and_read_as_its_number),
        LEDGER_TEST(each_word_of_a_field_is_another),
        LEDGER_TEST(a_long_text_is_cut_and_the_event_says_so),
        LEDGER_TEST(a_text_is_cut_between_characters),
        LEDGER_TEST(a_long_list_is_cut_and_keeps_its_beginning),
        LEDGER_TEST(json_is_shown_as_it_is_and_left_out_when_too_long),
        LEDGER_TEST(an_event_larger_than_a_chunk_is_cut_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
