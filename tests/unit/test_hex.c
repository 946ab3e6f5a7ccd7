/* test_hex.c - hexadecimal digits, and the percent-encoding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"

static void only_digits_have_a_value(void **state)
{
    static const char digits[] = "0123456789abcdef";
    int found = 0;
    for (int c = -128; c < 256; c++) {
        const char *at =
            c > 0 && c < 128 ? strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c) : NULL;
        assert_int_equal(hex_digit((char)c), at ? (int)(at - digits) : -1);
        found += at != NULL;
    }
    assert_int_equal(found, 22);
}

static void octets_are_written_and_read_back(void **state)
{
    uint8_t all[256], back[256];
    char text[2 * sizeof all + 1];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    assert_int_equal(hex_write(all, sizeof all, text), 512);
    assert_int_equal(strlen(text), 512);
    assert_memory_equal(text, "000102", 6);
    assert_memory_equal(text + 506, "fdfeff", 6);
    assert_true(hex_read(text, sizeof all, back));
    assert_memory_equal(all, back, sizeof all);
    assert_int_equal(hex_write(all, 0, text), 0);
    assert_string_equal(text, "");
    assert_true(hex_read("aF", 1, back));
    assert_int_equal(back[0], 0xaf);
    assert_false(hex_read("00g0", 2, back));
    assert_false(hex_read("000g", 2, back));
    assert_false(hex_read("0x", 1, back));
}

/* Decodes all of text into out. Returns how many octets, or -1. */
static int decode(const char *text, char *out)
{
    int n = 0;
    for (const char *at = text, *end = text + strlen(text); at < end; n++) {
        const char *before = at;
        int octet = hex_percent_next(&at, end, NULL);
        if (octet < 0) {
            assert_ptr_equal(at, before);
            return -1;
        }
        out[n] = (char)octet;
    }
    return n;
}

static void percent_encoding_is_undone(void **state)
{
    static const struct {
        const char *text, *octets;
        int len;
    } rows[] = {
        { "", "", 0 },
        { "plain/+;=", "plain/+;=", 9 },
        { "%41%7a%7A", "Azz", 3 },
        { "a%00b", "a\0b", 3 },
        { "%C3%A9", "\xc3\xa9", 2 },
        { "%2541", "%41", 3 }, /* once */
        { "\xff%ff", "\xff\xff", 2 },
        { "%", "", -1 },
        { "%4", "", -1 },
        { "a%4", "", -1 },
        { "%%41", "", -1 },
        { "%4g", "", -1 },
        { "%g4", "", -1 },
        { "% 4", "", -1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[32];
        assert_int_equal(decode(rows[i].text, out), rows[i].len);
        if (rows[i].len > 0)
            assert_memory_equal(out, rows[i].octets, (size_t)rows[i].len);
    }
}

static void what_is_behind_the_end_is_not_looked_at(void **state)
{
    const char text[] = "%41", *at = text;
    assert_int_equal(hex_percent_next(&at, text + 2, NULL), -1);
    assert_int_equal(hex_percent_next(&at, text + 1, NULL), -1);
    assert_int_equal(hex_percent_next(&at, text + 3, NULL), 'A');
}

static void it_is_told_what_was_encoded(void **state)
{
    const char text[] = "/%2f", *at = text;
    bool encoded = true;
    assert_int_equal(hex_percent_next(&at, text + 4, &encoded), '/');
    assert_false(encoded);
    assert_int_equal(hex_percent_next(&at, text + 4, &encoded), '/');
    assert_true(encoded);
    assert_ptr_equal(at, text + 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_digits_have_a_value),
        cmocka_unit_test(octets_are_written_and_read_back),
        cmocka_unit_test(percent_encoding_is_undone),
        cmocka_unit_test(what_is_behind_the_end_is_not_looked_at),
        cmocka_unit_test(it_is_told_what_was_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
