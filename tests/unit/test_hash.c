/* test_hash.c - what hashes tell apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"

#define LENGTH_MAX 40

static void bytes_in_parts_are_the_same_bytes(void **state)
{
    static const char bytes[] = "some bytes, in parts";
    uint64_t whole = hash_more(HASH_START, bytes, sizeof bytes);
    for (size_t n = 0; n <= sizeof bytes; n++)
        assert_int_equal(hash_more(hash_more(HASH_START, bytes, n), bytes + n, sizeof bytes - n),
                         whole);
}

static void items_are_told_apart_by_each_byte_and_their_length(void **state)
{
    uint8_t *bytes = calloc(1, LENGTH_MAX); /* so that valgrind sees what is read behind it */
    uint64_t seen[LENGTH_MAX * (LENGTH_MAX + 3) / 2];
    size_t count = 0;
    for (size_t n = 0; n < LENGTH_MAX; n++) {
        uint8_t *item = bytes + LENGTH_MAX - n;
        seen[count++] = hash_item(HASH_START, item, n);
        for (size_t i = 0; i < n; i++) {
            item[i] = 1;
            seen[count++] = hash_item(HASH_START, item, n);
            item[i] = 0;
        }
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(seen[i], seen[j]);
    free(bytes);
}

static void items_are_told_apart_by_where_one_ends_and_by_their_order(void **state)
{
    uint64_t a = hash_item(hash_item(HASH_START, "ab", 2), "c", 1);
    assert_int_not_equal(a, hash_item(hash_item(HASH_START, "a", 1), "bc", 2));
    assert_int_not_equal(a, hash_item(hash_item(HASH_START, "c", 1), "ab", 2));
    assert_int_not_equal(a, hash_item(hash_item(HASH_START, "abc", 3), "", 0));
    assert_int_equal(a, hash_item(hash_item(HASH_START, "abx", 2), "c", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_in_parts_are_the_same_bytes),
        cmocka_unit_test(items_are_told_apart_by_each_byte_and_their_length),
        cmocka_unit_test(items_are_told_apart_by_where_one_ends_and_by_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
