/* test_protocol.c - the table of protocols, and what derives from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "engine/protocol.h"

static void each_row_is_found_by_what_it_says(void **state)
{
    unsigned all = 0;
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        const struct protocol *p = &protocols[i];
        assert_ptr_equal(protocol_named(p->name), p);
        assert_ptr_equal(protocol_of_alpn(p->alpn), p);
        assert_ptr_equal(protocol_of(p->bit), p);
        assert_string_equal(protocol_names[i], p->name);
        assert_non_null(strstr(protocol_names_allowed(), p->name));
        assert_non_null(p->create);
        assert_int_equal(all & p->bit, 0);
        all |= p->bit;
    }
    assert_int_equal(all, OVER_ALL);
    assert_null(protocol_names[PROTOCOL_COUNT]);
}

static void what_is_none_is_not_found(void **state)
{
    assert_null(protocol_named("h9"));
    assert_null(protocol_named(""));
    assert_null(protocol_of(0));
    assert_null(protocol_of(OVER_ALL));
    assert_ptr_equal(protocol_of_alpn(""), &protocols[PROTOCOL_H1]); /* without ALPN */
}

static void what_people_read_is_as_ever(void **state)
{
    assert_string_equal(protocol_names_allowed(), "\"h1\" or \"h2\"");
    assert_string_equal(protocols[PROTOCOL_H1].over_tls, "HTTP/1.1 over TLS");
    assert_string_equal(protocols[PROTOCOL_H2].in_cleartext, "HTTP/2 in cleartext");
}

static void sets_are_listed_for_people(void **state)
{
    char out[PROTOCOL_LIST_SIZE];
    assert_string_equal(protocol_list_names(OVER_ALL, out), "\"h1\" or \"h2\"");
    assert_string_equal(protocol_list_names(OVER_H2, out), "\"h2\"");
    assert_string_equal(protocol_list_titles(OVER_ALL, out), "HTTP/1.1 or HTTP/2");
    assert_string_equal(protocol_list_titles(OVER_H1, out), "HTTP/1.1");
    assert_string_equal(protocol_list_titles(0, out), "");
    assert_true(strlen(protocol_list_titles(OVER_ALL, out)) < PROTOCOL_LIST_SIZE - 1); /* whole */
}

static void headers_of_the_connection_are_where_no_row_denies_them(void **state)
{
    assert_int_equal(protocol_with_connection_headers(OVER_ALL), OVER_H1);
    assert_int_equal(protocol_with_connection_headers(OVER_H2), 0);
}

static void alpn_offers_the_newest_first(void **state)
{
    const char *const *both = protocol_alpn_list(OVER_ALL);
    assert_string_equal(both[0], "h2");
    assert_string_equal(both[1], "http/1.1");
    assert_null(both[2]);
    assert_string_equal(protocol_alpn_list(OVER_H1)[0], "http/1.1");
    assert_null(protocol_alpn_list(OVER_H1)[1]);
    assert_string_equal(protocol_alpn_list(OVER_H2)[0], "h2");
    assert_null(protocol_alpn_list(OVER_H2)[1]);
    assert_null(protocol_alpn_list(0)[0]);
    assert_ptr_equal(protocol_alpn_list(OVER_ALL), both); /* it stays where it is */
    assert_string_equal(both[1], "http/1.1");
}

static void streams_are_what_h2_has(void **state)
{
    assert_false(protocols[PROTOCOL_H1].streams);
    assert_true(protocols[PROTOCOL_H2].streams);
}

/* Gives the octets in two parts, cut at each place. */
static void sniffed(const char *text, size_t len, const struct protocol *expected, size_t decided)
{
    for (size_t cut = 0; cut <= len; cut++) {
        struct protocol_sniff sniff = { 0 };
        const struct protocol *p = protocol_sniff(&sniff, (const uint8_t *)text, cut);
        if (cut < decided) {
            assert_null(p);
            assert_int_equal(sniff.seen, cut);
            assert_memory_equal(protocols[sniff.like].first, text, cut);
            p = protocol_sniff(&sniff, (const uint8_t *)text + cut, len - cut);
        }
        assert_ptr_equal(p, expected);
    }
}

static void the_first_octets_tell_the_protocol(void **state)
{
    static const char h2[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const struct protocol *one = &protocols[PROTOCOL_H1], *two = &protocols[PROTOCOL_H2];
    char other[40];
    assert_int_equal(two->first_len, 24);
    sniffed(h2, 24, two, 24);
    snprintf(other, sizeof other, "%sand more", h2);
    sniffed(other, strlen(other), two, 24);
    for (size_t i = 0; i < 24; i++) { /* the octet that tells them apart */
        memcpy(other, h2, sizeof h2);
        other[i] ^= 0x20;
        sniffed(other, 24, one, i + 1);
    }
    sniffed("PRI / HTTP/1.1\r\n", 16, one, 5);
    sniffed("GET / HTTP/1.1\r\n", 16, one, 1);
    sniffed("\0", 1, one, 1);
}

/* Else the shorter would hide the longer. */
static void no_first_octets_begin_with_those_of_another(void **state)
{
    assert_int_equal(protocols[0].first_len, 0);
    for (size_t i = 1; i < PROTOCOL_COUNT; i++) {
        const struct protocol *p = &protocols[i];
        assert_true(p->first_len > 0);
        for (size_t k = 1; k < PROTOCOL_COUNT; k++) {
            const struct protocol *q = &protocols[k];
            if (i != k && p->first_len <= q->first_len)
                assert_memory_not_equal(p->first, q->first, p->first_len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_is_found_by_what_it_says),
        cmocka_unit_test(what_is_none_is_not_found),
        cmocka_unit_test(what_people_read_is_as_ever),
        cmocka_unit_test(sets_are_listed_for_people),
        cmocka_unit_test(headers_of_the_connection_are_where_no_row_denies_them),
        cmocka_unit_test(alpn_offers_the_newest_first),
        cmocka_unit_test(streams_are_what_h2_has),
        cmocka_unit_test(the_first_octets_tell_the_protocol),
        cmocka_unit_test(no_first_octets_begin_with_those_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
