/* test_ledger_watch.c - who hears of events as they come, and cursors. */
#include "ledger_rig.h"

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

static void a_watcher_may_hear_of_some_kinds_alone(void **state)
{
    struct ledger *l = *state;
    struct counter all = { .watch.committed = count }, cleared = all;
    uint64_t counts[EV_COUNT] = { 0 };
    cleared.watch.only = UINT64_C(1) << EV_CLEARED;
    ledger_watch_add(l, &cleared.watch);
    ledger_count_into(l, counts);
    mark(l, "one");
    assert_int_equal(cleared.calls, 0);
    ledger_watch_add(l, &all.watch);
    mark(l, "two");
    ledger_clear(l);
    ledger_watch_remove(&all.watch);
    mark(l, "three");
    assert_int_equal(all.calls, 2);
    assert_int_equal(cleared.calls, 1);
    assert_int_equal(cleared.last, 3);
    ledger_count_into(l, NULL);
    mark(l, "four");
    assert_int_equal(counts[EV_MARK], 3);
    assert_int_equal(counts[EV_CLEARED], 1);
    ledger_watch_remove(&cleared.watch);
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
    assert_int_equal(ledger_number(record, F_IDLE_BEFORE, 0), 1234567890000);
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

static void a_watch_outlives_its_ledger(void **state)
{
    struct ledger *l = ledger_create(0);
    struct counter c = { .watch.committed = count };
    ledger_watch_add(l, &c.watch);
    ledger_destroy(l);
    ledger_watch_remove(&c.watch);
    assert_int_equal(c.calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEDGER_TEST(a_cursor_sees_each_event_that_is_there_once),
        LEDGER_TEST(watchers_and_cursors_get_typed_records),
        LEDGER_TEST(watchers_hear_of_each_event_until_removed),
        LEDGER_TEST(a_watcher_may_hear_of_some_kinds_alone),
        LEDGER_TEST(any_watcher_can_be_removed_from_inside_one),
        LEDGER_TEST(a_watcher_added_from_inside_one_hears_of_the_next_event),
        LEDGER_TEST(a_watch_outlives_its_ledger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
