#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/buf.h"
#include "base/utf8.h"

#include "harness/memcheck.h"
#include "harness/memory.h"

static int unlimited(void **state)
{
    memory_restore();
    return 0;
}

static void assert_content(const struct buf *b, const char *expected)
{
    assert_int_equal(buf_len(b), strlen(expected));
    if (*expected)
        assert_memory_equal(buf_bytes(b), expected, strlen(expected));
}

static void a_zeroed_buffer_is_empty_and_owns_nothing(void **state)
{
    struct buf b = { 0 };
    assert_int_equal(buf_len(&b), 0);
    assert_int_equal(buf_add(&b, NULL, 0), 0);
    assert_null(b.data);
    buf_free(&b);
}

static void what_is_added_comes_out_in_order(void **state)
{
    struct buf b = { 0 };
    assert_int_equal(buf_text(&b, "one "), 0);
    assert_int_equal(buf_add(&b, "two three", 3), 0);
    assert_int_equal(buf_printf(&b, " %d%s", 3, "!"), 0);
    assert_content(&b, "one two 3!");
    buf_consume(&b, 4);
    assert_content(&b, "two 3!");
    buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.size, 0);
}

static void printf_grows_the_buffer_to_what_it_writes(void **state)
{
    struct buf b = { 0 };
    char expected[5001];
    memset(expected, 'x', 5000);
    expected[5000] = '\0';
    assert_int_equal(buf_printf(&b, "%s", expected), 0);
    assert_content(&b, expected);
    assert_int_equal(buf_printf(&b, "%s", ""), 0);
    assert_content(&b, expected);
    buf_free(&b);
}

static void an_emptied_buffer_keeps_its_memory(void **state)
{
    struct buf b = { 0 };
    buf_text(&b, "abc");
    size_t size = b.size;
    buf_consume(&b, 3);
    assert_int_equal(b.start, 0);
    assert_int_equal(b.end, 0);
    assert_int_equal(b.size, size);
    buf_free(&b);
}

static void a_queue_that_stays_short_stays_small(void **state)
{
    struct buf b = { 0 };
    uint8_t in = 0, out = 0;
    for (unsigned round = 0; round < rounds_of(100000); round++) {
        for (int i = 0; i < 7; i++, in++)
            assert_int_equal(buf_add(&b, &in, 1), 0);
        for (int i = 0; i < (round < 20 ? 5 : 7); i++, out++) {
            assert_int_equal(*buf_bytes(&b), out);
            buf_consume(&b, 1);
        }
    }
    assert_int_equal(buf_len(&b), 40);
    assert_true(b.size <= 512);
    buf_free(&b);
}

static void reserved_room_is_used_without_allocating(void **state)
{
    struct buf b = { 0 };
    assert_int_equal(buf_reserve(&b, 10000), 0);
    assert_int_equal(buf_len(&b), 0);
    memory_ends_after(0);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(buf_add(&b, "x", 1), 0);
    buf_free(&b);
}

static void without_memory_the_content_is_a_true_beginning(void **state)
{
    struct buf b = { 0 };
    buf_text(&b, "kept");
    memory_ends_after(0);
    char big[1000] = "";
    assert_int_equal(buf_add(&b, big, sizeof big), -ENOMEM);
    assert_true(b.failed);
    assert_content(&b, "kept");

    /* A later, smaller piece would leave a hole before it. */
    assert_int_equal(buf_text(&b, "x"), -ENOMEM);
    assert_int_equal(buf_printf(&b, "x"), -ENOMEM);
    assert_int_equal(buf_json(&b, "x", 1), -ENOMEM);
    assert_int_equal(buf_reserve(&b, 0), -ENOMEM);
    assert_content(&b, "kept");
    buf_free(&b);
    assert_false(b.failed);
}

static void json_without_memory_appends_nothing(void **state)
{
    char text[2000];
    memset(text, '\n', sizeof text);
    for (int limit = 0; limit < 5; limit++) {
        struct buf b = { 0 };
        memory_restore();
        buf_text(&b, "before");
        memory_ends_after(limit);
        int r = buf_json(&b, text, sizeof text);
        if (r == 0) {
            assert_true(limit > 0);
            assert_int_equal(buf_len(&b), 6 + 2 + 2 * sizeof text);
        } else {
            assert_int_equal(r, -ENOMEM);
            assert_content(&b, "before");
        }
        buf_free(&b);
    }
}

static void sizes_that_overflow_are_refused(void **state)
{
    static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 2, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct buf b = { 0 };
        buf_text(&b, "abc");
        memory_ends_after(0);
        assert_int_equal(buf_reserve(&b, sizes[i]), -ENOMEM);
        assert_content(&b, "abc");
        buf_free(&b);
        memory_restore();
    }
}

/* Also where there would be memory for it. */
static void a_buffer_grows_no_further_than_its_members_can_say(void **state)
{
    struct buf b = { 0 };
    buf_text(&b, "abc");
    assert_int_equal(buf_reserve(&b, BUF_MAX - 2), -ENOMEM);
    assert_true(b.failed);
    assert_content(&b, "abc");
    buf_free(&b);
}

#define BYTES(text) text, sizeof text - 1

static void json_strings_escape_what_they_must(void **state)
{
    static const struct {
        const char *in;
        size_t len;
        const char *out;
    } table[] = {
        { BYTES(""), "\"\"" },
        { BYTES("plain text / 1"), "\"plain text / 1\"" },
        { BYTES("\"quoted\" back\\slash"), "\"\\\"quoted\\\" back\\\\slash\"" },
        { BYTES("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"" },
        { BYTES("a\0b\x01\x1f\x7f"), "\"a\\u0000b\\u0001\\u001f\\u007f\"" },
        /* well-formed UTF-8, the first and last of each length */
        { BYTES("\xc2\x80 \xdf\xbf"), "\"\xc2\x80 \xdf\xbf\"" },
        { BYTES("\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf"),
          "\"\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf\"" },
        { BYTES("\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf"), "\"\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf\"" },
        /* not UTF-8: overlong, surrogate, beyond U+10FFFF, stray, cut short */
        { BYTES("\xc0\xaf"), "\"\\u00c0\\u00af\"" },
        { BYTES("\xc1\xbf"), "\"\\u00c1\\u00bf\"" },
        { BYTES("\xe0\x9f\xbf"), "\"\\u00e0\\u009f\\u00bf\"" },
        { BYTES("\xf0\x8f\xbf\xbf"), "\"\\u00f0\\u008f\\u00bf\\u00bf\"" },
        { BYTES("\xed\xa0\x80"), "\"\\u00ed\\u00a0\\u0080\"" },
        { BYTES("\xf4\x90\x80\x80"), "\"\\u00f4\\u0090\\u0080\\u0080\"" },
        { BYTES("\xf5\xff\xfe"), "\"\\u00f5\\u00ff\\u00fe\"" },
        { BYTES("\x80 \xbf"), "\"\\u0080 \\u00bf\"" },
        { BYTES("\xc3"), "\"\\u00c3\"" },
        { BYTES("\xe2\x82"), "\"\\u00e2\\u0082\"" },
        { BYTES("\xe2\x82x"), "\"\\u00e2\\u0082x\"" },
        { BYTES("\xf0\x9f\x98"), "\"\\u00f0\\u009f\\u0098\"" },
        { BYTES("\xe2\"\xac"), "\"\\u00e2\\\"\\u00ac\"" },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct buf b = { 0 };
        /* An exact copy, so that a sanitizer sees a read beyond the end. */
        char *in = malloc(table[i].len + 1);
        assert_non_null(in);
        char *exact = memcpy(in + 1, table[i].in, table[i].len);
        assert_int_equal(buf_json(&b, exact, table[i].len), 0);
        assert_content(&b, table[i].out);
        free(in);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_buffer_is_empty_and_owns_nothing),
        cmocka_unit_test(what_is_added_comes_out_in_order),
        cmocka_unit_test(printf_grows_the_buffer_to_what_it_writes),
        cmocka_unit_test(an_emptied_buffer_keeps_its_memory),
        cmocka_unit_test(a_queue_that_stays_short_stays_small),
        cmocka_unit_test_setup(reserved_room_is_used_without_allocating, unlimited),
        cmocka_unit_test_setup(without_memory_the_content_is_a_true_beginning, unlimited),
        cmocka_unit_test_setup(json_without_memory_appends_nothing, unlimited),
        cmocka_unit_test_setup(sizes_that_overflow_are_refused, unlimited),
        cmocka_unit_test(a_buffer_grows_no_further_than_its_members_can_say),
        cmocka_unit_test_setup(json_strings_escape_what_they_must, unlimited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
