/* What feeding a history costs, as a server under load does that with each exchange: nothing is
 * read before somebody asks for it, and nothing takes longer the more attempts there are. What is
 * read later is the same. */
#include <time.h>

#include "harness/memcheck.h"
#include "verdict/history_parts.h"
#include "verdict_rig.h"

#define TARGET_LONG (HEAD_MAX + 100)

static struct attempt *as_it_is(struct history *h, size_t i)
{
    return store_at(&h->attempts, i);
}

static void tell_request_on(struct ledger *l, uint64_t connection, uint32_t exchange,
                            const char *target)
{
    ledger_begin(l, EV_REQUEST, connection, exchange);
    ledger_text(l, F_METHOD, "PUT");
    ledger_text(l, F_TARGET, target);
    ledger_text(l, F_HANGUP_CALL, "one");
    ledger_text(l, F_USER_AGENT, "x/1");
    ledger_int(l, F_FIRST_BYTE, 1);
    ledger_commit(l);
}

static void tell_request(struct ledger *l, uint32_t exchange, const char *target)
{
    tell_request_on(l, 1, exchange, target);
}

static void tell_end(struct ledger *l, uint64_t connection, uint32_t exchange)
{
    ledger_begin(l, EV_RESPONSE_END, connection, exchange);
    ledger_int(l, F_STATUS, 200);
    ledger_commit(l);
}

/* The first is kept as the ledger has it, and the second, which has no room, is read at once. */
static void a_head_is_read_when_it_is_looked_at(void **state)
{
    char target[1 + TARGET_LONG + sizeof "?b"] = "/";
    memset(target + 1, 'a', TARGET_LONG);
    strcpy(target + 1 + TARGET_LONG, "?b");
    struct ledger *l = ledger_create(1 << 20);
    struct history *h = rig_history(NULL);
    assert_non_null(l);
    tell_request(l, 1, "/a?b");
    tell_request(l, 2, target);
    rig_feed(h, l, 0, 0);
    ledger_destroy(l);
    assert_true(as_it_is(h, 0)->head_len > 0);
    assert_null(as_it_is(h, 0)->target.bytes);
    assert_int_equal(as_it_is(h, 1)->head_len, 0);

    const struct attempt *kept = history_attempt(h, 0), *read = history_find_attempt(h, 2);
    assert_int_equal(kept->head_len, 0);
    assert_string_equal(kept->method.bytes, "PUT");
    assert_string_equal(kept->target.bytes, "/a?b");
    assert_true(kept->asked && kept->path && kept->asked != kept->path);
    assert_string_equal(kept->hangup_call.bytes, "one");
    assert_int_equal(kept->method.hash, read->method.hash);
    assert_int_equal(kept->hangup_call.hash, read->hangup_call.hash);
    assert_int_equal(kept->user_agent.hash, read->user_agent.hash);
    assert_int_equal(read->target.len, 1 + TARGET_LONG + 2);
    assert_true(read->asked && read->path && read->path != kept->path);
    history_destroy(h);
}

/* Each place is used again and again. */
static void a_head_is_that_of_its_own_attempt(void **state)
{
    const struct history_config small = {
        .grace = GRACE, .attempts = 3, .connections = 4, .faults = 4
    };
    char target[16];
    struct history *h = rig_history(&small);
    struct ledger *l = ledger_create(1 << 20);
    assert_non_null(l);
    for (int i = 1; i <= 20; i++) {
        snprintf(target, sizeof target, "/a%d", i);
        tell_request(l, (uint32_t)i, target);
    }
    rig_feed(h, l, 0, 0);
    for (int i = 18; i <= 20; i++) {
        snprintf(target, sizeof target, "/a%d", i);
        assert_string_equal(history_find_attempt(h, (uint64_t)i)->target.bytes, target);
        assert_string_equal(history_attempt(h, (size_t)(i - 18))->target.bytes, target);
    }
    ledger_destroy(l);
    history_destroy(h);
}

/* Processor time of feeding exchanges on one connection of which each is answered when so many more
 * have begun. */
static clock_t time_of(int exchanges, int behind)
{
    const struct history_config config = {
        .grace = GRACE, .attempts = 4096, .connections = 4, .faults = 4
    };
    struct ledger *l = ledger_create((size_t)64 << 20);
    assert_non_null(l);
    for (int i = 1; i <= exchanges + behind; i++) {
        if (i <= exchanges) {
            ledger_begin(l, EV_REQUEST, 1, (uint32_t)i);
            ledger_text(l, F_METHOD, "GET");
            ledger_text(l, F_TARGET, "/api/entitlement/get");
            ledger_int(l, F_FIRST_BYTE, 1);
            ledger_commit(l);
        }
        if (i <= behind)
            continue;
        tell_end(l, 1, (uint32_t)(i - behind));
    }
    struct history *h = rig_history(&config);
    clock_t begun = clock();
    rig_feed(h, l, 0, 0);
    clock_t took = clock() - begun;
    assert_int_equal(history_attempt(h, 0)->progress, PROGRESS_HANDED);
    history_destroy(h);
    ledger_destroy(l);
    return took;
}

/* A look at what is ACKed tells of some hundred responses at once, the oldest first. */
static void an_old_attempt_is_found_as_fast_as_a_new_one(void **state)
{
    const int exchanges = (int)rounds_of(20000);
    clock_t soon = time_of(exchanges, 1), late = time_of(exchanges, 2000);
    print_message("# %ld us, %ld us\n", (long)soon, (long)late);
    assert_true(late < 8 * soon + CLOCKS_PER_SEC / 50);
}

/* The attempt that the record before was of is looked at first. */
static void a_record_is_of_the_attempt_of_its_exchange(void **state)
{
    struct ledger *l = ledger_create(1 << 20);
    struct history *h = rig_history(NULL);
    tell_request_on(l, 1, 1, "/a");
    tell_request_on(l, 2, 1, "/b");
    tell_end(l, 1, 1);
    tell_request_on(l, 1, 2, "/c");
    tell_end(l, 2, 1);
    rig_feed(h, l, 0, 0);
    ledger_destroy(l);
    assert_int_equal(history_attempts(h), 3);
    assert_int_equal(as_it_is(h, 0)->progress, PROGRESS_HANDED);
    assert_int_equal(as_it_is(h, 1)->progress, PROGRESS_HANDED);
    assert_int_equal(as_it_is(h, 2)->progress, PROGRESS_TOLD);
    history_destroy(h);
}

static void an_attempt_from_before_a_reset_is_not_found(void **state)
{
    struct ledger *l = ledger_create(1 << 20);
    struct history *h = rig_history(NULL);
    tell_request(l, 1, "/a");
    ledger_begin(l, EV_CLEARED, 0, 0);
    ledger_commit(l);
    tell_end(l, 1, 1);
    rig_feed(h, l, 0, 0);
    ledger_destroy(l);
    assert_int_equal(history_attempts(h), 1);
    assert_true(as_it_is(h, 0)->partial && as_it_is(h, 0)->unknown);
    assert_int_equal(as_it_is(h, 0)->progress, PROGRESS_HANDED);
    history_destroy(h);
}

/* --- Names of a store's items */

static void a_store_finds_the_newest_of_a_name(void **state)
{
    struct store s;
    assert_int_equal(store_init(&s, sizeof(int), 4), 0);
    assert_int_equal(store_init_names(&s), 0);
    for (int i = 0; i < 100; i++) { /* two names by turns, and each third item has none */
        if (store_full(&s))
            store_drop(&s);
        int *item = store_add(&s, (uint64_t)i + 1000);
        *item = i;
        if (i % 3 != 2)
            store_name(&s, item, (uint64_t)(1 + i % 2));
        for (int of = 0; of < 2; of++) {
            int wanted = -1;
            for (int k = i; k >= 0 && k > i - 4; k--)
                wanted = wanted < 0 && k % 3 != 2 && k % 2 == of ? k : wanted;
            const int *found = store_named(&s, (uint64_t)(1 + of));
            assert_int_equal(found ? *found : -1, wanted);
        }
    }
    store_name(&s, store_back(&s, 0), 7); /* 99 is given another */
    assert_int_equal(*(int *)store_named(&s, 7), 99);
    assert_int_equal(*(int *)store_named(&s, 2), 97);
    store_finish(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_read_when_it_is_looked_at),
        cmocka_unit_test(a_head_is_that_of_its_own_attempt),
        cmocka_unit_test(an_old_attempt_is_found_as_fast_as_a_new_one),
        cmocka_unit_test(a_record_is_of_the_attempt_of_its_exchange),
        cmocka_unit_test(an_attempt_from_before_a_reset_is_not_found),
        cmocka_unit_test(a_store_finds_the_newest_of_a_name),
    };
    return cmocka_run_group_tests_name("verdict feed", tests, NULL, NULL);
}
