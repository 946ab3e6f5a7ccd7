/* test_ledger.c - a ledger as a whole: its numbers, how it is read, its bound and what it drops.
 * test_ledger_fields.c has what an event holds, test_ledger_watch.c who hears of it. */
#include <time.h>

#include "ledger_rig.h"

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

static void events_carry_wall_time_and_milliseconds_since_creation(void **state)
{
    struct ledger *l = *state;
    mark(l, "first");
    nanosleep(&(struct timespec){ .tv_nsec = 5 * NS_PER_MS }, NULL);
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
    assert_true(second_ms - first_ms >= 5 && second_ms - first_ms < 5000);
    assert_true(strcmp(text_of(second, "at"), before) >= 0);
    assert_true(strcmp(text_of(second, "at"), after) <= 0);
    assert_true(json_equal(all, again));
    json_decref(all);
    json_decref(again);
}

static void an_event_is_not_before_an_earlier_one_whatever_its_time(void **state)
{
    struct ledger *l = *state;
    int64_t now = clock_now(), times[] = { now + NS_PER_S, now, now + 2 * NS_PER_S };
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record;
    int64_t ages[3], walls[3];
    for (int i = 0; i < 3; i++) {
        ledger_begin_at(l, times[i], EV_MARK, 0, 0);
        ledger_text(l, F_NAME, "x");
        ledger_commit(l);
        assert_true(ledger_next(&cursor, &record));
        ages[i] = record.age;
        walls[i] = record.wall;
    }
    assert_int_equal(ages[0], ledger_age(l, times[0]) / NS_PER_US * NS_PER_US);
    assert_int_equal(ages[1], ages[0]);
    assert_int_equal(walls[1], walls[0]);
    assert_int_equal(ages[2], ages[0] + NS_PER_S);
}

/* Each field is where the index says, and what the record lacks is nowhere. */
static void a_field_is_the_same_by_index(void **state)
{
    struct ledger *l = *state;
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record, indexed;
    struct ledger_index index;
    ledger_begin(l, EV_REQUEST, 1, 1);
    ledger_text(l, F_METHOD, "GET");
    ledger_int(l, F_FIRST_BYTE, INT64_C(1) << 50);
    ledger_text(l, F_TARGET, "");
    ledger_hash(l, F_FINGERPRINT, 7);
    ledger_int(l, F_REUSED, 1);
    ledger_text(l, F_METHOD, "PUT"); /* no event has one twice; a file may */
    ledger_commit(l);
    assert_true(ledger_next(&cursor, &record));
    assert_null(record.index);
    indexed = record;
    ledger_index(&indexed, &index);
    unsigned found = 0;
    for (int field = 0; field < F_COUNT; field++) {
        struct ledger_value one = { 0 }, other = { 0 };
        bool is = ledger_value(&record, field, &one);
        assert_int_equal(is, ledger_value(&indexed, field, &other));
        assert_memory_equal(&one, &other, sizeof one);
        found += is;
    }
    assert_int_equal(found, 5);
}

/* The offset of the wall clock changes while a chunk fills, and at the border of two. */
static void each_event_has_its_own_wall_time(void **state)
{
    struct ledger *l = *state;
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record;
    uint64_t read = 0;
    const uint64_t count = 2 * CHUNK_SIZE / sizeof(struct head);
    for (uint64_t seq = 1; seq <= count; seq++) {
        int64_t age = (int64_t)seq * NS_PER_US, wall = age + (int64_t)(seq / 3 % 5) * NS_PER_S;
        ledger_begin_again(
            l, &(struct ledger_record){ .seq = seq, .age = age, .wall = wall, .event = EV_MARK });
        ledger_bytes(l, F_NAME, big, seq % 7);
        ledger_commit(l);
    }
    while (ledger_next(&cursor, &record)) {
        read++;
        assert_int_equal(record.seq, read);
        assert_int_equal(record.age, read * NS_PER_US);
        assert_int_equal(record.wall, record.age + (int64_t)(read / 3 % 5) * NS_PER_S);
        struct ledger_value name;
        assert_true(ledger_value(&record, F_NAME, &name));
        assert_int_equal(name.len, read % 7);
    }
    assert_int_equal(read, count);
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

/* --- Without memory */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEDGER_TEST(an_empty_ledger_has_nothing),
        LEDGER_TEST(sequence_numbers_start_at_one_without_gaps),
        LEDGER_TEST(events_carry_wall_time_and_milliseconds_since_creation),
        LEDGER_TEST(an_event_is_not_before_an_earlier_one_whatever_its_time),
        LEDGER_TEST(each_event_has_its_own_wall_time),
        LEDGER_TEST(a_field_is_the_same_by_index),
        LEDGER_TEST(a_poller_sees_each_event_once),
        LEDGER_TEST(reading_at_or_beyond_the_end_gives_nothing),
        LEDGER_TEST(reading_stops_at_both_limits),
        LEDGER_TEST(a_full_ledger_drops_its_oldest_and_counts_them),
        LEDGER_TEST(any_event_is_found_by_its_number),
        LEDGER_TEST(a_ledger_below_one_chunk_holds_one),
        LEDGER_TEST(ledgers_that_share_memory_take_it_of_the_largest),
        LEDGER_TEST(a_share_that_is_used_up_leaves_each_ledger_a_chunk),
        LEDGER_TEST(clearing_empties_it_and_numbers_continue),
        LEDGER_TEST(dropped_events_are_counted_by_kind),
        LEDGER_TEST(a_ledger_without_memory_is_not_made),
        LEDGER_TEST(writing_continues_when_memory_runs_out),
        LEDGER_TEST(reading_without_memory_leaves_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
