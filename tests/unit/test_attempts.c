#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "base/hash.h"
#include "run/attempts.h"

static int make(void **state)
{
    *state = attempts_create();
    return *state ? 0 : -1;
}

static int end(void **state)
{
    attempts_destroy(*state);
    return 0;
}

#define HEADER(n, v)                                                                               \
    {                                                                                              \
        .name = n, .value = v, .name_len = sizeof n - 1, .value_len = sizeof v - 1                 \
    }
#define REQUEST(list)                                                                              \
    {                                                                                              \
        .method = "GET", .target = "/a", .authority = "", .headers = list,                         \
        .header_count = sizeof list / sizeof list[0]                                               \
    }

static void attempts_are_counted_up_to_the_answered_one(void **state)
{
    struct attempts *a = *state;
    assert_int_equal(attempts_begin(a, 1), 1);
    assert_int_equal(attempts_begin(a, 1), 2);
    assert_int_equal(attempts_begin(a, 2), 1);
    assert_int_equal(attempts_begin(a, 1), 3);
    attempts_answered(a, 1);
    assert_int_equal(attempts_begin(a, 1), 1);
    assert_int_equal(attempts_begin(a, 2), 2);
}

static void an_answer_to_no_open_chain_changes_nothing(void **state)
{
    struct attempts *a = *state;
    attempts_answered(a, 5);
    attempts_begin(a, 5);
    attempts_answered(a, 5);
    attempts_answered(a, 5);
    assert_int_equal(attempts_begin(a, 5), 1);
    assert_int_equal(attempts_begin(a, 5), 2);
    attempts_destroy(NULL);
}

static void clearing_forgets_all_chains(void **state)
{
    struct attempts *a = *state;
    for (uint64_t i = 0; i < 3 * ATTEMPTS_MAX; i++)
        attempts_begin(a, i);
    attempts_clear(a);
    for (uint64_t i = 0; i < ATTEMPTS_MAX; i++)
        assert_int_equal(attempts_begin(a, i), 1);
    for (uint64_t i = 0; i < ATTEMPTS_MAX; i++)
        assert_int_equal(attempts_begin(a, i), 2);
}

static void beyond_the_bound_the_least_recently_used_chain_is_forgotten(void **state)
{
    struct attempts *a = *state;
    for (uint64_t i = 0; i < ATTEMPTS_MAX; i++)
        assert_int_equal(attempts_begin(a, i), 1);
    assert_int_equal(attempts_begin(a, 0), 2); /* now 1 is the oldest */
    assert_int_equal(attempts_begin(a, ATTEMPTS_MAX), 1);
    assert_int_equal(attempts_begin(a, 0), 3);
    assert_int_equal(attempts_begin(a, 2), 2);
    assert_int_equal(attempts_begin(a, 1), 1); /* forgotten; 3 goes for it */
    assert_int_equal(attempts_begin(a, 4), 2);
    assert_int_equal(attempts_begin(a, 3), 1);
}

static void colliding_hashes_stay_apart(void **state)
{
    struct attempts *a = *state;
    /* All in one bucket, whatever power of two up to 2^20 their number is. */
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(attempts_begin(a, i << 20), 1);
    for (uint64_t i = 0; i < 100; i += 3)
        attempts_answered(a, i << 20);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(attempts_begin(a, i << 20), i % 3 == 0 ? 1 : 2);
}

/* Against a plain list that is searched from end to end. */
static void it_does_what_a_plain_list_would_do(void **state)
{
    static struct {
        uint64_t hash, used;
        uint32_t attempts;
    } plain[ATTEMPTS_MAX];
    memset(plain, 0, sizeof plain);
    struct attempts *a = *state;
    uint64_t random = 1;
    for (uint64_t step = 1; step < 30000; step++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t hash = (random >> 33) % (ATTEMPTS_MAX + 2000);
        size_t found = 0, least = 0;
        for (; found < ATTEMPTS_MAX; found++) {
            if (plain[found].used && plain[found].hash == hash)
                break;
            if (plain[found].used < plain[least].used)
                least = found;
        }
        if ((random >> 20) % 8 == 0) {
            attempts_answered(a, hash);
            if (found < ATTEMPTS_MAX)
                plain[found].used = 0;
            continue;
        }
        if (found == ATTEMPTS_MAX) {
            found = least;
            plain[found].hash = hash;
            plain[found].attempts = 0;
        }
        plain[found].used = step;
        assert_int_equal(attempts_begin(a, hash), ++plain[found].attempts);
    }
}

static void the_first_of_the_three_headers_is_the_key(void **state)
{
    static const struct header all[] = { HEADER("traceparent", "00-1"), HEADER("X-Request-Id", "r"),
                                         HEADER("IDEMPOTENCY-KEY", "k"), HEADER("Host", "h") };
    static const struct header two[] = { HEADER("traceparent", "00-1"),
                                         HEADER("x-request-id", "r") };
    static const struct header one[] = { HEADER("Traceparent", "00-1") };
    static const struct header none[] = { HEADER("Host", "h") };
    static const struct header empty[] = { HEADER("Idempotency-Key", ""),
                                           HEADER("x-request-id", "r") };
    static const struct {
        struct request request;
        const struct header *key;
    } table[] = {
        { REQUEST(all), &all[2] }, { REQUEST(two), &two[1] },     { REQUEST(one), &one[0] },
        { REQUEST(none), NULL },   { REQUEST(empty), &empty[1] },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct attempt_key key = attempts_key(&table[i].request, HASH_START);
        assert_ptr_equal(key.key, table[i].key);
    }
}

static void the_same_key_joins_whatever_else_differs(void **state)
{
    static const struct header first[] = { HEADER("Idempotency-Key", "k"),
                                           HEADER("traceparent", "1") };
    static const struct header again[] = { HEADER("traceparent", "2"),
                                           HEADER("idempotency-key", "k") };
    static const struct header other[] = { HEADER("Idempotency-Key", "l") };
    static const struct header elsewhere[] = { HEADER("X-Request-ID", "k") };
    const struct request requests[] = { REQUEST(first), REQUEST(again), REQUEST(other),
                                        REQUEST(elsewhere) };
    uint64_t hashes[4];
    for (int i = 0; i < 4; i++)
        hashes[i] = attempts_key(&requests[i], (uint64_t)i).hash;
    assert_true(hashes[0] == hashes[1]);
    assert_true(hashes[0] != hashes[2]);
    assert_true(hashes[0] != hashes[3]);
}

static void without_a_key_method_target_and_body_must_be_the_same(void **state)
{
    const struct request get_a = { .method = "GET", .target = "/a" };
    const struct request get_b = { .method = "GET", .target = "/b" };
    const struct request post_a = { .method = "POST", .target = "/a" };
    const struct request shifted = { .method = "GET/", .target = "a" };
    uint64_t hash = attempts_key(&get_a, 7).hash;
    assert_true(attempts_key(&get_a, 7).hash == hash);
    assert_true(attempts_key(&get_a, 8).hash != hash);
    assert_true(attempts_key(&get_b, 7).hash != hash);
    assert_true(attempts_key(&post_a, 7).hash != hash);
    assert_true(attempts_key(&shifted, 7).hash != hash);
}

#define ATTEMPTS_TEST(test) cmocka_unit_test_setup_teardown(test, make, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ATTEMPTS_TEST(attempts_are_counted_up_to_the_answered_one),
        ATTEMPTS_TEST(an_answer_to_no_open_chain_changes_nothing),
        ATTEMPTS_TEST(clearing_forgets_all_chains),
        ATTEMPTS_TEST(beyond_the_bound_the_least_recently_used_chain_is_forgotten),
        ATTEMPTS_TEST(colliding_hashes_stay_apart),
        ATTEMPTS_TEST(it_does_what_a_plain_list_would_do),
        cmocka_unit_test(the_first_of_the_three_headers_is_the_key),
        cmocka_unit_test(the_same_key_joins_whatever_else_differs),
        cmocka_unit_test(without_a_key_method_target_and_body_must_be_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
