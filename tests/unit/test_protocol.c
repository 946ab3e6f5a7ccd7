/* test_protocol.c - the table of protocols, and what derives from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_is_found_by_what_it_says),
        cmocka_unit_test(what_is_none_is_not_found),
        cmocka_unit_test(what_people_read_is_as_ever),
        cmocka_unit_test(alpn_offers_the_newest_first),
        cmocka_unit_test(streams_are_what_h2_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
