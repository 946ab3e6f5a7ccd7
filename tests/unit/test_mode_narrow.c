/* test_mode_narrow.c - what narrows rules to some connections and requests: what is refused, and
 * what fits. */
#include "harness/mode_documents.h"
#include "harness/mode_rig.h"

/* --- Reading */

#define NARROWED(trigger, narrowing)                                                               \
    "{'name': 'x', 'summary': '-', 'rules': [{" trigger ", " narrowing ", 'do': ['fin']}]}"
#define AT_HEADERS(narrowing) NARROWED("'on': 'request', 'at': 'headers'", narrowing)

static void mistakes_are_refused_with_their_place(void **state)
{
    static const struct refused mistakes[] = {
        /* where nothing is known of it */
        { NARROWED("'on': 'request', 'at': 'first_byte'", "'path': '/a'"), "$.rules[0].path",
          "\"path\" is not known there yet", "from headers on, response" },
        { NARROWED("'on': 'reuse'", "'method': 'GET'"), "$.rules[0].method", "not known there yet",
          "from headers on" },
        { NARROWED("'on': 'accept'", "'sni': 'a'"), "$.rules[0].sni", "not known there yet",
          "from client_hello on" },
        { NARROWED("'on': 'client_hello'", "'resumed': true"), "$.rules[0].resumed",
          "not known there yet", "from handshake on" },
        { NARROWED("'on': 'late', 'what': 'handshake', 'after': '1s'", "'sni': 'a'"),
          "$.rules[0].sni", "not known there yet", "client_hello" },
        { NARROWED("'on': 'late', 'what': 'head', 'after': '1s'", "'authority': 'a'"),
          "$.rules[0].authority", "not known there yet", "body" },
        { AT_HEADERS("'content': {'min': 1}"), "$.rules[0].content", "not known there yet",
          "at complete" },
        { NARROWED("'on': 'idle', 'after': '1s'", "'path': '/a'"), "$.rules[0].path",
          "does not go with the trigger \"idle\"", "tls" },
        { NARROWED("'on': 'request'", "'used': true"), "$.rules[0].used",
          "does not go with the trigger \"request\"", "nth" },
        { NARROWED("'on': 'listen'", "'tls': true"), "$.rules[0].tls",
          "does not go with the trigger \"listen\"", "after" },
        /* what it can be */
        { AT_HEADERS("'tls': 'yes'"), "$.rules[0].tls", "\"yes\" is neither", "true or false" },
        { AT_HEADERS("'resumed': 1"), "$.rules[0].resumed", "1 is neither", "true or false" },
        { AT_HEADERS("'family': 4"), "$.rules[0].family", "4 is no version of IP", "ipv4, ipv6" },
        { AT_HEADERS("'method': []"), "$.rules[0].method", "0 texts", "a list of 1 to 64" },
        { AT_HEADERS("'method': ['GET', 2]"), "$.rules[0].method[1]", "2 is none", "a text" },
        { AT_HEADERS("'path': 'api'"), "$.rules[0].path", "\"api\" is no path", "/api/*" },
        { AT_HEADERS("'path': ['/a', '/b?c']"), "$.rules[0].path[1]", "has a query", "alone" },
        { AT_HEADERS("'header': 'a b'"), "$.rules[0].header", "\"a b\" is no header's name",
          "a header's name" },
        { AT_HEADERS("'header': {'value': 'b'}"), "$.rules[0].header.name", "it is missing",
          "a header's name" },
        { AT_HEADERS("'header': {'name': 'a', 'is': 'b'}"), "$.rules[0].header.is",
          "no such member", "name, value, present" },
        { AT_HEADERS("'header': {'name': 'a', 'value': 'b', 'present': false}"),
          "$.rules[0].header.value", "has no value", "one of value and present" },
        { AT_HEADERS("'header': {'name': 'a', 'present': 0}"), "$.rules[0].header.present",
          "0 is neither", "true or false" },
        { NARROWED("'on': 'request'", "'content': 5"), "$.rules[0].content",
          "5 says no number of octets", "min" },
        { NARROWED("'on': 'request'", "'content': {'least': 5}"), "$.rules[0].content.least",
          "no such member", "min, max" },
        { NARROWED("'on': 'request'", "'content': {'min': 5, 'max': 4}"), "$.rules[0].content",
          "no content is of so many octets", "not above max" },
        { NARROWED("'on': 'request'", "'content': {'min': -1}"), "$.rules[0].content.min", "-1",
          "0" },
        { AT_HEADERS("'probability': 1.5"), "$.rules[0].probability", "1.5 is no probability",
          "0 to 1" },
        { AT_HEADERS("'probability': '0.5'"), "$.rules[0].probability", "is no probability",
          "0 to 1" },
    };
    ASSERT_REFUSED(mistakes);
}

static void kinds_of_connection_are_narrowed(void **state)
{
    static const struct {
        const char *rule;
        unsigned kinds;
    } table[] = {
        { "[{'on': 'accept', 'tls': true, 'do': ['fin']}]", KINDS_TLS },
        { "[{'on': 'accept', 'tls': false, 'do': ['fin']}]", KINDS_ALL & ~KINDS_TLS },
        { "[{'on': 'client_hello', 'tls': false, 'do': ['fin']}]", 0 },
        { "[{'on': 'request', 'sni': 'a', 'do': ['fin']}]", KINDS_TLS },
        { "[{'on': 'request', 'resumed': false, 'over': 'h2', 'do': ['fin']}]",
          KIND(OVER_H2, true) },
        { "[{'on': 'request', 'family': 'ipv4', 'do': ['fin']}]", KINDS_ALL },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mode_program *program = program_of(table[i].rule);
        assert_int_equal(mode_kinds(program), table[i].kinds);
        mode_unref(program);
    }
}

/* --- Matching */

static const struct header headers[] = {
    { "Host", "App.example:80", 4, 14 },
    { "X-A", "one", 3, 3 },
    { "X-A", "two", 3, 3 },
};

static const struct {
    const char *narrowing;
    bool fits;
} rows[] = {
    { "'tls': true", true },
    { "'tls': false", false },
    { "'listener': 'https'", true },
    { "'listener': ['http', 'https1']", false },
    { "'listener': 'http*'", true },
    { "'family': 'ipv4'", true },
    { "'family': 'ipv6'", false },
    { "'sni': 'app.EXAMPLE'", true },
    { "'sni': '*.example'", true },
    { "'sni': ''", false },
    { "'sni': 'b.example'", false },
    { "'resumed': true", true },
    { "'resumed': false", false },
    { "'method': 'PUT'", true },
    { "'method': 'put'", false },
    { "'method': ['GET', 'PUT']", true },
    { "'path': '/api/v1/x'", true },
    { "'path': '/api/*'", true },
    { "'path': '/api/*/x'", true },
    { "'path': '*x'", true },
    { "'path': '/*/*/*'", true },
    { "'path': '/api'", false },
    { "'path': '/api/v1/x*y'", false },
    { "'path': '/API/v1/x'", false },
    { "'path': ['/a', '/b']", false },
    { "'authority': 'app.example:80'", true },
    { "'authority': 'app.example'", false },
    { "'authority': '*.example:*'", true },
    { "'header': 'x-a'", true },
    { "'header': 'x-b'", false },
    { "'header': {'name': 'X-A', 'value': 'two'}", true },
    { "'header': {'name': 'X-A', 'value': 't*o'}", true },
    { "'header': {'name': 'X-A', 'value': 'three'}", false },
    { "'header': {'name': 'X-A', 'present': false}", false },
    { "'header': {'name': 'X-B', 'present': false}", true },
    { "'content': {'min': 10}", true },
    { "'content': {'min': 11}", false },
    { "'content': {'max': 9}", false },
    { "'content': {'min': 10, 'max': 10}", true },
    { "'probability': 1", true },
    { "'probability': 0", false },
    { "'tls': true, 'method': 'PUT', 'path': '/*'", true },
    { "'tls': false, 'method': 'PUT', 'path': '/*'", false },
    { "'tls': true, 'method': 'GET', 'path': '/*'", false },
};

static struct mode_exchange *make(struct request_made *made, const char *target)
{
    struct mode_exchange *mx = begin(made);
    made->ex.request = (struct request){ .method = "PUT",
                                         .target = target,
                                         .authority = "",
                                         .headers = headers,
                                         .header_count = sizeof headers / sizeof *headers };
    mx->late.since = TIME_NONE;
    mode_exchange_headers(mx);
    mx->content = 10;
    return mx;
}

static void open_narrowed(const char *rule)
{
    open_connection(rule);
    conn.listener = "https";
    wire.info = (struct wire_tls_info){ "TLS 1.3", "-", "app.example", 11, true };
}

/* The engine forgets the request before the response ends: what is known by then is kept. */
static void what_narrows_decides_at_each_place_where_it_is_known(void **state)
{
    static const struct {
        const char *on;
        enum trigger_slot slot;
    } places[] = {
        { "'on': 'request', 'at': 'complete'", ON_COMPLETE },
        { "'on': 'response', 'at': 'start'", ON_RESPONSE_START },
        { "'on': 'response', 'at': 'end'", ON_RESPONSE_END },
    };
    char rules[256];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
            snprintf(rules, sizeof rules, "[{%s, %s, 'do': ['close_notify']}]", places[k].on,
                     rows[i].narrowing);
            open_narrowed(rules);
            struct request_made made = request(1);
            struct mode_exchange *mx = make(&made, "/api/v1/x?y=/z");
            made.ex.request = (struct request){ .method = "", .target = "", .authority = "" };
            mode_fire(&conn, places[k].slot, mx);
            if ((happened_len > 0) != rows[i].fits)
                fail_msg("%s: %s", rules, rows[i].fits ? "it did not fire" : "it fired");
            mode_exchange_over(mx);
        }
}

static void a_target_in_absolute_form_has_a_path(void **state)
{
    static const struct {
        const char *target, *path;
    } table[] = {
        { "http://l/api/v1/x?q", "/api/v1/x" },
        { "http://l", "/" },
        { "http://l?q", "/" },
        { "*", "*" },
        { "/http://l/x", "/http://l/x" },
    };
    char rules[256];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        snprintf(rules, sizeof rules,
                 "[{'on': 'request', 'path': '%s', 'do': ['close_notify']},"
                 " {'on': 'request', 'path': '%sx', 'do': ['fin']}]",
                 table[i].path, table[i].path);
        open_narrowed(rules);
        struct request_made made = request(1);
        mode_fire(&conn, ON_COMPLETE, make(&made, table[i].target));
        assert_happened("fault(conn=7 ex=1 test rule=0 request close_notify) close_notify ");
        mode_exchange_over(&made.mx);
    }
}

/* Before TLS is established nobody knows; in cleartext there is neither. */
static void what_cleartext_does_not_have_never_fits(void **state)
{
    static const char *const narrowing[] = { "'sni': '*'", "'resumed': false", "'resumed': true" };
    char rules[256];
    for (size_t i = 0; i < 3; i++)
        for (int tls = 0; tls < 2; tls++) {
            snprintf(rules, sizeof rules,
                     "[{'on': 'age', 'after': '1s', %s, 'do': ['close_notify']}]", narrowing[i]);
            open_connection(rules);
            wire.tls = tls;
            wire.info = (struct wire_tls_info){ "", "", "", 0, false };
            time_passes(1 * S);
            if ((happened_len > 0) != (tls && i == 0))
                fail_msg("%s: tls %d: %s", narrowing[i], tls, happened);
        }
}

static void another_mode_asks_anew(void **state)
{
    open_narrowed("[]");
    struct request_made made = request(1);
    struct mode_exchange *mx = make(&made, "/a");
    set_mode("[{'on': 'response', 'path': '/a', 'do': ['close_notify']}]");
    mode_exchange_anew(mx, true);
    mode_fire(&conn, ON_RESPONSE_END, mx);
    assert_happened("fault(conn=7 ex=1 test rule=0 response close_notify) close_notify ");
    mode_exchange_anew(mx, false); /* it is not known any more */
    mode_fire(&conn, ON_RESPONSE_END, mx);
    assert_happened("");
    mode_exchange_over(mx);
}

static void used_connections_are_told_apart_and_may_become_so(void **state)
{
    int64_t due;
    open_connection("[{'on': 'idle', 'after': '1s', 'used': true, 'do': ['close_notify']},"
                    " {'on': 'age', 'after': '3s', 'used': false, 'do': ['fin']}]");
    mode_idle(&conn, now);
    assert_ptr_equal(mode_armed(&conn, 1, &due), &conn.program->rules[1]);
    time_passes(1 * S);
    assert_happened("");
    mode_busy(&conn);
    conn.used = true;
    mode_idle(&conn, now);
    assert_ptr_equal(mode_armed(&conn, 2, &due), &conn.program->rules[0]);
    assert_true(mode_rule_is_for(&conn, &conn.program->rules[1])); /* it was */
    time_passes(2 * S);
    assert_happened("fault(conn=7 test rule=0 idle close_notify late=0ms) close_notify ");
}

/* --- Chance */

static unsigned fired(uint64_t seed, uint32_t number, char *pattern)
{
    unsigned count = 0;
    open_connection("[{'on': 'request', 'probability': 0.25, 'do': ['close_notify']}]");
    conn.seed = seed;
    conn.number = number;
    for (uint32_t nth = 1; nth <= 400; nth++) {
        struct request_made made = request(nth);
        mode_fire(&conn, ON_COMPLETE, begin(&made));
        pattern[nth - 1] = happened_len > 0;
        count += happened_len > 0;
        forget_what_happened();
        mode_exchange_over(&made.mx);
    }
    return count;
}

static void chance_is_of_the_seed_and_repeats(void **state)
{
    char a[400], b[400];
    unsigned count = fired(1, 1, a);
    assert_in_range(count, 60, 140);
    assert_int_equal(fired(1, 1, b), count);
    assert_memory_equal(a, b, sizeof a);
    fired(2, 1, b);
    assert_memory_not_equal(a, b, sizeof a);
    fired(1, 2, b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void chance_is_drawn_for_each_spell(void **state)
{
    unsigned count = 0;
    open_connection("[{'on': 'idle', 'after': '1s', 'probability': 0.5, 'do': ['close_notify']}]");
    for (int i = 0; i < 200; i++) {
        mode_idle(&conn, now);
        time_passes(1 * S);
        count += happened_len > 0;
        forget_what_happened();
        mode_busy(&conn);
    }
    assert_in_range(count, 60, 140);
}

/* Whether one would have fired nobody knows: it is not waited for. */
static void what_may_not_fire_is_not_armed(void **state)
{
    int64_t due;
    open_connection("[{'on': 'request', 'path': '/a', 'do': ['fin']},"
                    " {'on': 'idle', 'after': '1s', 'probability': 0.5, 'do': ['fin']}]");
    mode_idle(&conn, now);
    assert_null(mode_armed(&conn, 1, &due));
    open_connection("[{'on': 'request', 'tls': true, 'do': ['fin']}]");
    assert_non_null(mode_armed(&conn, 1, &due));
    open_connection("[{'on': 'request', 'tls': false, 'do': ['fin']}]");
    assert_null(mode_armed(&conn, 1, &due));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(mistakes_are_refused_with_their_place),
        TEST(kinds_of_connection_are_narrowed),
        TEST(what_narrows_decides_at_each_place_where_it_is_known),
        TEST(a_target_in_absolute_form_has_a_path),
        TEST(what_cleartext_does_not_have_never_fits),
        TEST(another_mode_asks_anew),
        TEST(used_connections_are_told_apart_and_may_become_so),
        TEST(chance_is_of_the_seed_and_repeats),
        TEST(chance_is_drawn_for_each_spell),
        TEST(what_may_not_fire_is_not_armed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
