/* test_http.c - where a command looks for a server's admin API. */
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "cli/http.h"

/* A root without /etc/hosts and a resolver: nothing is found. */
int __wrap_getaddrinfo(const char *name, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out);
int __wrap_getaddrinfo(const char *name, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out)
{
    check_expected_ptr(name);
    return EAI_NONAME;
}

static void localhost_is_loopback_without_a_look_up(void **state)
{
    static const struct {
        const char *url, *host;
        int port;
    } rows[] = {
        { "http://localhost:9000", "localhost:9000", 9000 },
        { "http://localhost/", "localhost:9000", 9000 },
        { "localhost", "localhost:9000", 9000 },
        { "LOCALHOST.:65535", "LOCALHOST.:65535", 65535 },
        { "http://app.localhost:80", "app.localhost:80", 80 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http http = { .address_count = HTTP_ADDRESSES };
        struct refusal why;
        char text[2][ADDRESS_TEXT_SIZE], six[ADDRESS_TEXT_SIZE], four[ADDRESS_TEXT_SIZE];
        assert_int_equal(http_find(&http, rows[i].url, "URL", &why), 0);
        assert_string_equal(http.host, rows[i].host);
        assert_int_equal(http.address_count, 2);
        for (size_t k = 0; k < 2; k++)
            address_text(&http.addresses[k].any, text[k]);
        snprintf(six, sizeof six, "[::1]:%d", rows[i].port);
        snprintf(four, sizeof four, "127.0.0.1:%d", rows[i].port);
        assert_string_equal(text[0], six);
        assert_string_equal(text[1], four);
    }
}

static void another_name_is_looked_up(void **state)
{
    static const char *const rows[][2] = {
        { "http://localhost.test:9000", "localhost.test" },
        { "evillocalhost", "evillocalhost" },
        { "http://[::1]:9000", "::1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http http;
        struct refusal why;
        expect_string(__wrap_getaddrinfo, name, rows[i][1]);
        assert_int_equal(http_find(&http, rows[i][0], "URL", &why), BAD_INPUT);
        assert_string_equal(why.where, "URL");
    }
}

/* A secret of a CI job often ends with a line's end: in a header section that would end a field. */
static void only_a_token_that_a_field_can_carry_is_taken(void **state)
{
    static const char *const bad[] = { "secret\n", "a\r\nHost: b", "a b", "\x80" };
    struct http h = { .token = NULL };
    struct refusal why;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv("HANGUP_ADMIN_TOKEN", bad[i], 1);
        assert_int_equal(http_take_token(&h, &why), BAD_INPUT);
        assert_string_equal(why.where, "HANGUP_ADMIN_TOKEN");
        assert_null(strstr(why.what, bad[i]));
    }
    setenv("HANGUP_ADMIN_TOKEN", "secret", 1);
    assert_int_equal(http_take_token(&h, &why), 0);
    assert_string_equal(h.token, "secret");
    setenv("HANGUP_ADMIN_TOKEN", "", 1); /* as where a CI job has no such secret */
    assert_int_equal(http_take_token(&h, &why), 0);
    assert_null(h.token);
    unsetenv("HANGUP_ADMIN_TOKEN");
    assert_int_equal(http_take_token(&h, &why), 0);
    assert_null(h.token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(localhost_is_loopback_without_a_look_up),
        cmocka_unit_test(another_name_is_looked_up),
        cmocka_unit_test(only_a_token_that_a_field_can_carry_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
