/* test_admin_guard.c - who may call the admin API. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admin/guard.h"

#include "harness/memory.h"

static const char *const names[] = { "hangup.test", "*.wild.test", "192.0.2.7", "2001:db8::7" };

static struct guard with(const char *token, const char *bound)
{
    struct guard guard;
    assert_int_equal(guard_init(&guard, token, names, 4, NULL), 0);
    if (bound)
        guard_bound(&guard, bound);
    return guard;
}

static int check(const struct guard *guard, const struct guard_request *request, bool open)
{
    struct refusal why = { 0 };
    int status = guard_check(guard, request, open, &why);
    if (status)
        assert_true(why.where[0] && why.what[0]);
    assert_int_equal(guard_check(guard, request, open, NULL), status);
    return status;
}

static void host_must_name_this_server(void **state)
{
    static const struct {
        const char *bound, *host;
        int status;
    } rows[] = {
        { NULL, "localhost", 0 },
        { NULL, "localhost:9000", 0 },
        { NULL, "LocalHost.:9000", 0 },
        { NULL, "app.localhost", 0 },
        { NULL, "127.0.0.1:9000", 0 },
        { NULL, "127.1.2.3", 0 },
        { NULL, "[::1]:9000", 0 },
        { NULL, "[::1]", 0 },
        { NULL, "[0:0:0:0:0:0:0:1]:1", 0 },
        { NULL, "[::ffff:127.0.0.1]", 0 },
        { NULL, "host.docker.internal:9000", 0 },
        { NULL, "hangup.test", 0 },
        { NULL, "HANGUP.test:80", 0 },
        { NULL, "a.wild.test", 0 },
        { NULL, "192.0.2.7:9000", 0 },
        { NULL, "[2001:db8:0::7]:9000", 0 },
        { NULL, "localhost:", 0 },
        { "192.0.2.1:9000", "192.0.2.1:9000", 0 },
        { "192.0.2.1:9000", "192.0.2.1", 0 },
        { "192.0.2.1:9000", "127.0.0.1", 0 },
        { "[2001:db8::1]:9000", "[2001:db8::1]", 0 },
        { "0.0.0.0:9000", "192.0.2.99", 0 },
        { "[::]:9000", "172.17.0.2:9000", 0 },
        { "[::]:9000", "[2001:db8::99]", 0 },
        { "[::]:9000", "evil.test", 403 },
        { "192.0.2.1:9000", "192.0.2.2", 403 },
        { "127.0.0.1:9000", "192.0.2.1", 403 },
        { "rubbish", "192.0.2.1", 403 },
        { NULL, NULL, 403 },
        { NULL, "", 403 },
        { NULL, ":9000", 403 },
        { NULL, ".", 403 },
        { NULL, "evil.test", 403 },
        { NULL, "localhost.evil.test", 403 },
        { NULL, "evillocalhost", 403 },
        { NULL, ".localhost", 403 },
        { NULL, "xhangup.test", 403 },
        { NULL, "a.b.wild.test", 403 },
        { NULL, "wild.test", 403 },
        { NULL, ".wild.test", 403 },
        { NULL, "*.wild.test.evil.test", 403 },
        { NULL, "192.0.2.1", 403 },
        { NULL, "127.0.0.1.evil.test", 403 },
        { NULL, "127.1", 403 },
        { NULL, "0x7f000001", 403 },
        { NULL, "2130706433", 403 },
        { NULL, "[::2]", 403 },
        { NULL, "::1", 403 },
        { NULL, "[::1", 403 },
        { NULL, "[::1]x", 403 },
        { NULL, "localhost:80a", 403 },
        { NULL, "localhost:80:80", 403 },
        { NULL, "user@localhost", 403 },
        { NULL, "localhost evil.test", 403 },
        { NULL, "localhost,evil.test", 403 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct guard guard = with(NULL, rows[i].bound);
        const struct guard_request request = { .host = rows[i].host };
        if (check(&guard, &request, false) != rows[i].status)
            fail_msg("row %zu: %s", i, rows[i].host);
        guard_finish(&guard);
    }
}

static void a_host_of_any_length_is_taken(void **state)
{
    struct guard guard = with(NULL, NULL);
    char host[5000];
    for (size_t n = 0; n < sizeof host; n += 97) {
        memset(host, 'a', n);
        host[n] = '\0';
        const struct guard_request request = { .host = host };
        assert_int_equal(check(&guard, &request, false), 403);
    }
    guard_finish(&guard);
}

static void calls_of_web_pages_elsewhere_are_refused(void **state)
{
    static const struct {
        const char *origin, *site;
        int status;
    } rows[] = {
        { NULL, NULL, 0 },
        { "http://localhost:9000", NULL, 0 },
        { "http://localhost:9000", "same-origin", 0 },
        { "HTTP://LOCALHOST:9000", NULL, 0 },
        { NULL, "none", 0 },
        { NULL, "same-origin", 0 },
        { "http://localhost", NULL, 403 },
        { "http://localhost:3000", NULL, 403 },
        { "https://localhost:9000", NULL, 403 },
        { "http://evil.test", NULL, 403 },
        { "null", NULL, 403 },
        { "", NULL, 403 },
        { NULL, "cross-site", 403 },
        { NULL, "same-site", 403 },
        { NULL, "", 403 },
        { "http://localhost:9000", "cross-site", 403 },
    };
    struct guard guard = with(NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct guard_request request = { .host = "localhost:9000",
                                               .origin = rows[i].origin,
                                               .fetch_site = rows[i].site };
        if (check(&guard, &request, false) != rows[i].status ||
            check(&guard, &request, true) != rows[i].status)
            fail_msg("row %zu", i);
    }
    guard_finish(&guard);
}

static void an_absolute_target_is_held_to_the_same_names(void **state)
{
    struct guard guard = with(NULL, NULL);
    struct guard_request request = { .host = "localhost",
                                     .authority = "localhost:9000/v1",
                                     .authority_len = 14 };
    assert_int_equal(check(&guard, &request, false), 0);
    request.authority = "evil.test/v1";
    request.authority_len = 9;
    assert_int_equal(check(&guard, &request, false), 403);
    request.authority_len = 0;
    assert_int_equal(check(&guard, &request, false), 403);
    guard_finish(&guard);
}

static void repeated_fields_are_refused(void **state)
{
    struct guard guard = with(NULL, NULL);
    const struct guard_request request = { .host = "localhost", .repeated = true };
    assert_int_equal(check(&guard, &request, true), 400);
    guard_finish(&guard);
}

static void the_token_is_asked_for_when_there_is_one(void **state)
{
    static const struct {
        const char *authorization;
        int status;
    } rows[] = {
        { "Bearer secret", 0 },
        { "bearer secret", 0 },
        { "Bearer   secret", 0 },
        { NULL, 401 },
        { "", 401 },
        { "Bearer", 401 },
        { "Bearer ", 401 },
        { "Bearer secre", 401 },
        { "Bearer secrett", 401 },
        { "Bearer secretsecret", 401 },
        { "Bearer Secret", 401 },
        { "Basic secret", 401 },
        { "secret", 401 },
        { "Bearer secret ", 401 },
    };
    struct guard guard = with("secret", NULL);
    struct guard without = with(NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct guard_request request = { .host = "localhost",
                                               .authorization = rows[i].authorization };
        if (check(&guard, &request, false) != rows[i].status)
            fail_msg("row %zu", i);
        assert_int_equal(check(&guard, &request, true), 0);
        assert_int_equal(check(&without, &request, false), 0);
    }
    const struct guard_request stranger = { .host = "evil.test", .authorization = "Bearer secret" };
    assert_int_equal(check(&guard, &stranger, false), 403);
    guard_finish(&guard);
    guard_finish(&without);
}

static void a_token_that_no_field_could_carry_is_refused(void **state)
{
    static const char *const tokens[] = { "", "a b", "a\n", "\xc3\xa4", "\x7f" };
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        struct guard guard;
        struct refusal why;
        assert_int_equal(guard_init(&guard, tokens[i], NULL, 0, &why), BAD_INPUT);
        assert_string_equal(why.where, "--admin-token");
        guard_finish(&guard);
    }
}

static void failing_allocations_are_reported(void **state)
{
    for (int n = 0; n < 6; n++) {
        struct guard guard;
        memory_fails_once_after(n);
        assert_int_equal(guard_init(&guard, "t", names, 4, NULL), -ENOMEM);
        memory_restore();
        guard_finish(&guard);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_must_name_this_server),
        cmocka_unit_test(a_host_of_any_length_is_taken),
        cmocka_unit_test(calls_of_web_pages_elsewhere_are_refused),
        cmocka_unit_test(an_absolute_target_is_held_to_the_same_names),
        cmocka_unit_test(repeated_fields_are_refused),
        cmocka_unit_test(the_token_is_asked_for_when_there_is_one),
        cmocka_unit_test(a_token_that_no_field_could_carry_is_refused),
        cmocka_unit_test(failing_allocations_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
