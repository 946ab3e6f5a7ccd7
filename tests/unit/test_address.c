/* test_address.c - addresses, to text and back. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/address.h"

static const char *text_of(const union address *a)
{
    static char text[ADDRESS_TEXT_SIZE];
    address_text(&a->any, text);
    return text;
}

static union address read_one(const char *text)
{
    union address a;
    assert_true(address_read(text, &a));
    return a;
}

static void what_people_listen_on_is_read(void **state)
{
    static const struct {
        const char *text;
        int kind, port;
        const char *one;
    } rows[] = {
        { "8443", ADDRESS_EVERY, 8443, NULL },
        { ":8443", ADDRESS_EVERY, 8443, NULL },
        { "[::]:8443", ADDRESS_EVERY, 8443, NULL },
        { "localhost:9000", ADDRESS_LOCALHOST, 9000, NULL },
        { "LocalHost.:9000", ADDRESS_LOCALHOST, 9000, NULL },
        { "127.0.0.1:0", ADDRESS_ONE, 0, "127.0.0.1:0" },
        { "0.0.0.0:80", ADDRESS_ONE, 80, "0.0.0.0:80" },
        { "255.255.255.255:65535", ADDRESS_ONE, 65535, "255.255.255.255:65535" },
        { "[::1]:00080", ADDRESS_ONE, 80, "[::1]:80" },
        { "[fd00:0:0::20]:1", ADDRESS_ONE, 1, "[fd00::20]:1" },
        { "[::ffff:10.0.0.1]:1", ADDRESS_ONE, 1, "10.0.0.1:1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct address_spec spec;
        assert_true(address_read_spec(rows[i].text, &spec));
        assert_int_equal(spec.kind, rows[i].kind);
        assert_int_equal(spec.port, rows[i].port);
        if (rows[i].one)
            assert_string_equal(text_of(&spec.one), rows[i].one);
    }
}

static void localhost_and_what_is_below_it_is_loopback(void **state)
{
    static const struct {
        const char *name;
        bool is;
    } rows[] = {
        { "localhost", true },
        { "LOCALHOST", true },
        { "localhost.", true },
        { "app.localhost", true },
        { "a.b.localhost.", true },
        { "", false },
        { ".", false },
        { ".localhost", false },
        { "..", false },
        { "evillocalhost", false },
        { "localhost.test", false },
        { "localhost..", false },
        { "ocalhost", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (address_is_localhost(rows[i].name) != rows[i].is)
            fail_msg("row %zu: %s", i, rows[i].name);
}

static void what_is_none_is_told(void **state)
{
    static const char *const rows[] = {
        "",
        ":",
        "x",
        ":x",
        ":-1",
        ":+1",
        ": 1",
        ":1 ",
        ":65536",
        ":100000",
        "localhost",
        "localhost:",
        "example.test:80",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0:80",
        "127.1:80",
        "[127.0.0.1]:80",
        "::1:80",
        "::1",
        "[::1]",
        "[::1]80",
        "[::1:80",
        "::1]:80",
        "[]:80",
        "[:80",
        "]:80",
        "[::1%lo]:80",
        "[::1]]:80",
        "http://[::1]:80",
        "127.0.0.1:80/",
        "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd]:80",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct address_spec spec;
        if (address_read_spec(rows[i], &spec))
            fail_msg("\"%s\" was read", rows[i]);
    }
}

static void addresses_alone_have_no_port_and_no_brackets(void **state)
{
    static const char *const none[] = { "", "[::1]", "::1%lo", "127.0.0.1:80", "1.2.3", "a.test" };
    union address a = read_one("192.168.1.20");
    assert_int_equal(a.any.sa_family, AF_INET);
    assert_int_equal(address_len(&a), sizeof(struct sockaddr_in));
    assert_string_equal(text_of(&a), "192.168.1.20:0");
    a = read_one("fd00::20");
    assert_int_equal(a.any.sa_family, AF_INET6);
    assert_int_equal(address_len(&a), sizeof(struct sockaddr_in6));
    assert_string_equal(text_of(&a), "[fd00::20]:0");
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(address_read(none[i], &a));
}

static void ports_are_set_and_got(void **state)
{
    union address a;
    address_set_loopback(&a, AF_INET);
    address_set_port(&a, 8080);
    assert_int_equal(address_port(&a), 8080);
    assert_int_equal(ntohs(a.v4.sin_port), 8080);
    assert_string_equal(text_of(&a), "127.0.0.1:8080");
    address_set_loopback(&a, AF_INET6);
    assert_int_equal(address_port(&a), 0);
    address_set_port(&a, 443);
    assert_int_equal(ntohs(a.v6.sin6_port), 443);
    assert_string_equal(text_of(&a), "[::1]:443");
}

static void kinds_of_hosts_are_told_apart(void **state)
{
    static const struct {
        const char *text;
        bool any, loopback;
    } rows[] = {
        { "0.0.0.0", true, false },    { "::", true, false },
        { "127.0.0.1", false, true },  { "127.255.255.254", false, true },
        { "128.0.0.1", false, false }, { "126.255.255.255", false, false },
        { "::1", false, true },        { "::2", false, false },
        { "0.0.0.1", false, false },   { "::ffff:127.0.0.1", false, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        union address a = read_one(rows[i].text);
        address_set_port(&a, 80);
        assert_int_equal(address_is_any(&a), rows[i].any);
        assert_int_equal(address_is_loopback(&a), rows[i].loopback);
    }
}

static void ipv4_written_as_ipv6_is_ipv4(void **state)
{
    union address a = read_one("::ffff:127.0.0.1"), b = read_one("127.0.0.1");
    address_set_port(&a, 80);
    assert_string_equal(text_of(&a), "127.0.0.1:80");
    assert_int_equal(a.any.sa_family, AF_INET6); /* writing it does not change it */
    assert_false(address_same_host(&a, &b));
    address_unmap(&a);
    assert_int_equal(address_port(&a), 80);
    assert_true(address_is_loopback(&a));
    assert_true(address_same_host(&a, &b));
    address_set_port(&b, 80);
    assert_memory_equal(&a, &b, sizeof a);
    a = b = read_one("::127.0.0.1");
    address_unmap(&a);
    assert_memory_equal(&a, &b, sizeof a);
}

static void hosts_are_compared_without_their_ports(void **state)
{
    static const char *const rows[] = { "10.0.0.1", "10.0.0.2", "::1", "fd00::1", "::a00:1" };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
            union address a = read_one(rows[i]), b = read_one(rows[k]);
            address_set_port(&a, 1);
            assert_int_equal(address_same_host(&a, &b), i == k);
        }
    }
}

static void the_longest_text_fits(void **state)
{
    char expected[ADDRESS_TEXT_SIZE];
    union address a = read_one("1111:2222:3333:4444:5555:6666:7777:8888");
    address_set_port(&a, 65535);
    snprintf(expected, sizeof expected, "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
    assert_string_equal(text_of(&a), expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_people_listen_on_is_read),
        cmocka_unit_test(localhost_and_what_is_below_it_is_loopback),
        cmocka_unit_test(what_is_none_is_told),
        cmocka_unit_test(addresses_alone_have_no_port_and_no_brackets),
        cmocka_unit_test(ports_are_set_and_got),
        cmocka_unit_test(kinds_of_hosts_are_told_apart),
        cmocka_unit_test(ipv4_written_as_ipv6_is_ipv4),
        cmocka_unit_test(hosts_are_compared_without_their_ports),
        cmocka_unit_test(the_longest_text_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
