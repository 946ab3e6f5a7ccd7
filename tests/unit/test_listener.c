/* Listeners: what an address text means, what is refused, and that both families accept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>
#include <uv.h>

#include "wire/listener.h"
#include "wire/moment.h"

static uv_loop_t loop;
static unsigned accepted_count;

static void accepted(void *owner, int fd, const struct sockaddr *peer, socklen_t len)
{
    assert_ptr_equal(owner, &accepted_count);
    accepted_count++;
    close(fd);
    uv_stop(&loop);
}

static int open_on(const char *address, struct listener **l, struct refusal *why)
{
    return listener_open(&loop, "https", address, accepted, &accepted_count, l, why);
}

static void close_listener(struct listener *l)
{
    listener_close(l);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void an_unusable_address_is_refused_and_the_option_named(void **state)
{
    static const char *const bad[] = {
        "",       ":",     ":65536", "8443x", "example.org:1",    "1.2.3:80",  "[::1:80",
        "::1:80", "[::1]", "[zz]:1", ":-1",   "127.0.0.1:123456", "localhost", "203.0.113.7:0"
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct listener *l = NULL;
        struct refusal why = { 0 };
        assert_int_equal(open_on(bad[i], &l, &why), BAD_INPUT);
        assert_string_equal(why.where, "--https");
        assert_true(why.what[0] && why.allowed[0]);
        assert_null(l);
    }
}

static void an_address_in_use_is_refused(void **state)
{
    struct listener *first, *second = NULL;
    struct refusal why;
    assert_int_equal(open_on("127.0.0.1:0", &first, &why), 0);
    assert_int_equal(open_on(listener_address(first, 0), &second, &why), BAD_INPUT);
    assert_non_null(strstr(why.what, "in use"));
    close_listener(first);
}

static void connect_to(int family, uint16_t port)
{
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
                               .sin6_port = htons(port),
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    struct sockaddr_in v4 = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(family, SOCK_STREAM, 0);
    int error = family == AF_INET6 ? connect(fd, (struct sockaddr *)&v6, sizeof v6)
                                   : connect(fd, (struct sockaddr *)&v4, sizeof v4);
    assert_int_equal(error, 0);
    unsigned before = accepted_count;
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(accepted_count, before + 1);
    close(fd);
}

static bool machine_has_ipv6(void)
{
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&v6, sizeof v6) == 0;
    close(fd);
    return has;
}

static void every_address_and_localhost_accept_both_families(void **state)
{
    static const char *const both[] = { ":0", "0", "localhost:0" };
    for (unsigned i = 0; i < sizeof both / sizeof *both; i++) {
        struct listener *l;
        struct refusal why;
        assert_int_equal(open_on(both[i], &l, &why), 0);
        assert_int_not_equal(listener_port(l), 0);
        connect_to(AF_INET, listener_port(l));
        if (machine_has_ipv6())
            connect_to(AF_INET6, listener_port(l));
        close_listener(l);
    }
}

static void addresses_are_told_with_the_port_that_the_kernel_chose(void **state)
{
    struct listener *l;
    struct refusal why;
    char expected[32];
    assert_int_equal(open_on("127.0.0.1:0", &l, &why), 0);
    snprintf(expected, sizeof expected, "127.0.0.1:%u", listener_port(l));
    assert_string_equal(listener_address(l, 0), expected);
    assert_null(listener_address(l, 1));
    assert_string_equal(listener_name(l), "https");
    close_listener(l);
}

static int set_up(void **state)
{
    return uv_loop_init(&loop) || moments_start(&loop);
}

static int tear_down(void **state)
{
    moments_stop();
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unusable_address_is_refused_and_the_option_named),
        cmocka_unit_test(an_address_in_use_is_refused),
        cmocka_unit_test(every_address_and_localhost_accept_both_families),
        cmocka_unit_test(addresses_are_told_with_the_port_that_the_kernel_chose),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
