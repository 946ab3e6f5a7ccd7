/* test_stubs.c - responses that a user supplies, in a directory. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "endpoint/stubs.h"

#include "endpoint_rig.h"

static char dir[] = "/tmp/test_stubs.XXXXXX";

static const char *path_of(const char *name)
{
    static char path[4][1400];
    static unsigned turn;
    char *out = path[turn++ % 4];
    snprintf(out, sizeof path[0], "%s/%s", dir, name);
    return out;
}

/* Makes a file and the directories above it. */
static void put(const char *name, const char *content)
{
    char path[1400];
    snprintf(path, sizeof path, "%s", path_of(name));
    for (char *c = path + strlen(dir) + 1; *c; c++) {
        if (*c == '/') {
            *c = '\0';
            assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
            *c = '/';
        }
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void clear(void)
{
    char command[sizeof dir + 64];
    snprintf(command, sizeof command, "rm -rf %s && mkdir %s", dir, dir);
    assert_int_equal(system(command), 0);
}

static int make_dir(void **state)
{
    strcpy(dir + sizeof dir - 7, "XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    char command[sizeof dir + 64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static struct endpoint *with_stubs(void)
{
    struct endpoint *e;
    struct refusal why = { 0 };
    int rc = endpoint_create(dir, &e, &why);
    if (rc)
        fail_msg("%d %s %s", rc, why.where, why.what);
    return e;
}

static void a_file_is_served_at_its_path(void **state)
{
    put("a/b.json", "{}");
    put("config", " [1]");
    put("blob", "x");
    put("with space.TXT", "t");
    put("menu/index.json", "{\"menu\":1}");
    put(".hidden", "secret");
    put(".well-known/apple-app-site-association", "{\"applinks\":{}}");
    put("empty", "");
    put("page.unknown", "{}");
    static const struct {
        const char *target, *type, *body;
    } rows[] = {
        { "/a/b.json", "application/json", "{}" },
        { "/a/b.json?x=1", "application/json", "{}" },
        { "http://h/a/b.json", "application/json", "{}" },
        { "/a/%62.json", "application/json", "{}" },
        { "/config", "application/json", " [1]" },
        { "/blob", "application/octet-stream", "x" },
        { "/with%20space.TXT", "text/plain; charset=utf-8", "t" },
        { "/menu/index.json", "application/json", "{\"menu\":1}" },
        { "/menu/", "application/json", "{\"menu\":1}" },
        { "/menu", "application/json", "{\"menu\":1}" },
        { "/.well-known/apple-app-site-association", "application/json", "{\"applinks\":{}}" },
        { "/empty", "application/octet-stream", "" },
        { "/page.unknown", "application/octet-stream", "{}" },
    };
    struct endpoint *e = with_stubs();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct response response = ask(e, "GET", rows[i].target);
        if (response.status != 200)
            fail_msg("%s: %d", rows[i].target, response.status);
        assert_header(&response, "content-type", rows[i].type);
        assert_header(&response, "cache-control", "no-store");
        assert_body(&response, rows[i].body);
    }
    static const char *const missing[] = { "/.hidden",   "/a",        "/a/",
                                           "/a/b.json/", "/b.json",   "/a/../a/b.json",
                                           "/a//b.json", "//a/b.json" };
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        struct response response = ask(e, "GET", missing[i]);
        assert_problem(&response, 404);
    }
    struct response response = ask(e, "POST", "/config");
    assert_problem(&response, 405);
    assert_header(&response, "allow", "GET, HEAD, OPTIONS");
    response = ask(e, "OPTIONS", "/config");
    assert_int_equal(response.status, 204);
    assert_header(&response, "allow", "GET, HEAD, OPTIONS");
    response = ask(e, "GET", "/api/entitlement/get");
    assert_int_equal(response.status, 200);
    assert_non_null(memmem(response.body, response.body_len, "premium", 7));
    endpoint_destroy(e);
}

static void a_side_file_gives_status_headers_and_methods(void **state)
{
    put("login", "{\"token\":1}");
    put("login.meta.json", "{\"status\":201,\"methods\":[\"POST\",\"OPTIONS\"],"
                           "\"headers\":{\"X-One\":\"1\",\"Content-Type\":\"text/x\"}}");
    put("gone", "");
    put("gone.meta.json", "{\"status\":410}");
    struct endpoint *e = with_stubs();
    struct response response = ask(e, "POST", "/login");
    assert_int_equal(response.status, 201);
    assert_header(&response, "x-one", "1");
    assert_header(&response, "content-type", "text/x");
    assert_int_equal(response.header_count, 3);
    assert_body(&response, "{\"token\":1}");
    response = ask(e, "OPTIONS", "/login");
    assert_int_equal(response.status, 201);
    response = ask(e, "GET", "/login");
    assert_problem(&response, 405);
    assert_header(&response, "allow", "POST, OPTIONS");
    response = ask(e, "HEAD", "/gone");
    assert_int_equal(response.status, 410);
    response = ask(e, "GET", "/login.meta.json");
    assert_problem(&response, 404);
    endpoint_destroy(e);
}

static void a_stub_can_stand_in_for_the_entitlement(void **state)
{
    put("api/entitlement/get", "{\"mine\":true}");
    struct endpoint *e = with_stubs();
    struct response response = ask(e, "GET", "/api/entitlement/get?x");
    assert_body(&response, "{\"mine\":true}");
    response = ask(e, "POST", "/api/entitlement/get");
    assert_problem(&response, 405);
    endpoint_destroy(e);
}

static void a_large_body_is_lent_and_a_small_one_copied(void **state)
{
    char large[5000];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    put("large", large);
    put("small", "x");
    struct endpoint *e = with_stubs();
    struct response response = ask(e, "GET", "/large");
    assert_int_equal(response.body_len, sizeof large - 1);
    assert_non_null(response.release);
    response.release(response.release_arg);
    response = ask(e, "GET", "/small");
    assert_null(response.release);
    endpoint_destroy(e);
}

static void a_bad_side_file_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *where, *allowed;
    } rows[] = {
        { "", "line 1", "JSON" },
        { "[]", ": $", "status, headers, methods" },
        { "{\"status\":200}x", "line 1", "JSON" },
        { "{\"status\":200,\"status\":200}", "line 1", "JSON" },
        { "{\"state\":200}", "$.state", "status, headers, methods" },
        { "{\"status\":\"200\"}", "$.status", "200 to 599" },
        { "{\"status\":199}", "$.status", "200 to 599" },
        { "{\"status\":600}", "$.status", "200 to 599" },
        { "{\"headers\":[]}", "$.headers", "object" },
        { "{\"headers\":{\"a b\":\"\"}}", "$.headers.a b", "field name" },
        { "{\"headers\":{\"\":\"\"}}", "$.headers.", "field name" },
        { "{\"headers\":{\"a\":1}}", "$.headers.a", "string" },
        { "{\"headers\":{\"a\":\"x\\r\\nb: c\"}}", "$.headers.a", "control" },
        { "{\"headers\":{\"a\":\" x\"}}", "$.headers.a", "blanks" },
        { "{\"headers\":{\"a\":\"x\",\"A\":\"y\"}}", "$.headers.A", "" },
        { "{\"headers\":{\"Content-Length\":\"1\"}}", "$.headers.Content-Length", "" },
        { "{\"headers\":{\"transfer-encoding\":\"x\"}}", "$.headers.transfer-encoding", "" },
        { "{\"methods\":\"GET\"}", "$.methods", "1 to 16" },
        { "{\"methods\":[]}", "$.methods", "1 to 16" },
        { "{\"methods\":[\"GET\",7]}", "$.methods[1]", "method" },
        { "{\"methods\":[\"\"]}", "$.methods[0]", "method" },
        { "{\"methods\":[\"G T\"]}", "$.methods[0]", "method" },
        { "{\"methods\":[\"CONNECT\"]}", "$.methods[0]", "method" },
    };
    put("a/x", "1");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct endpoint *e = NULL;
        struct refusal why = { 0 };
        put("a/x.meta.json", rows[i].text);
        assert_int_equal(endpoint_create(dir, &e, &why), BAD_INPUT);
        assert_null(e);
        assert_non_null(strstr(why.where, "/a/x.meta.json"));
        if (!strstr(why.where, rows[i].where) || !strstr(why.allowed, rows[i].allowed))
            fail_msg("%s: %s / %s", rows[i].text, why.where, why.allowed);
        assert_true(why.what[0]);
        assert_int_equal(endpoint_create(dir, &e, NULL), BAD_INPUT);
    }
}

static void assert_refused(const char *in_where, const char *in_what)
{
    struct endpoint *e = NULL;
    struct refusal why = { 0 };
    assert_int_equal(endpoint_create(dir, &e, &why), BAD_INPUT);
    if (!strstr(why.where, in_where) || !strstr(why.what, in_what))
        fail_msg("%s: %s", why.where, why.what);
    assert_null(e);
    clear();
}

static void what_leads_out_of_the_tree_or_cannot_be_served_is_refused(void **state)
{
    assert_int_equal(symlink("/etc/passwd", path_of("p")), 0);
    assert_refused("/p", "link out");
    assert_int_equal(symlink("..", path_of("up")), 0);
    assert_refused("/up", "link out");
    put("x", "1");
    assert_int_equal(symlink("/etc/passwd", path_of("x.meta.json")), 0);
    assert_refused("/x.meta.json", "link out");
    assert_int_equal(symlink("nowhere", path_of("dangling")), 0);
    assert_refused("/dangling", "cannot be read");
    put("deep/x", "1");
    assert_int_equal(symlink(".", path_of("deep/self")), 0);
    assert_refused("/deep/self", "deep");
    put("orphan.meta.json", "{}");
    assert_refused("/orphan.meta.json", "not there");
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    assert_refused("/fifo", "not a regular file");
    put("back\\slash", "1");
    assert_refused("back\\slash", "name");
    put("m/index.json", "1");
    put("m/index.html", "1");
    assert_refused("/m", "two files");
    put("big", "");
    assert_int_equal(truncate(path_of("big"), STUBS_MAX_BYTES + 1), 0);
    assert_refused("/big", "too large");
    assert_int_equal(rmdir(dir), 0);
    struct endpoint *e;
    struct refusal why;
    assert_int_equal(endpoint_create(dir, &e, &why), BAD_INPUT);
    assert_string_equal(why.where, "--stubs");
    assert_int_equal(mkdir(dir, 0700), 0);
}

static void links_inside_the_tree_are_followed(void **state)
{
    put("real/x", "1");
    assert_int_equal(symlink("real/x", path_of("y")), 0);
    assert_int_equal(symlink("real", path_of("other")), 0);
    struct endpoint *e = with_stubs();
    assert_int_equal(ask(e, "GET", "/y").status, 200);
    assert_int_equal(ask(e, "GET", "/other/x").status, 200);
    endpoint_destroy(e);
}

static void every_failing_allocation_is_reported(void **state)
{
    put("a/index.json", "{}");
    put("a/index.json.meta.json", "{\"headers\":{\"x\":\"y\"},\"methods\":[\"GET\",\"POST\"]}");
    put("b", "{}");
    int rc = -ENOMEM;
    long n = 0;
    for (; rc; n++) {
        struct endpoint *e = NULL;
        struct refusal why;
        memory_ends_after(n);
        rc = endpoint_create(dir, &e, &why);
        memory_restore();
        /* Without memory for a token, jansson takes it for an invalid one. */
        if (rc)
            assert_true(rc == -ENOMEM || (rc == BAD_INPUT && strstr(why.where, "line ")));
        else
            endpoint_destroy(e);
        assert_true(n < 10000);
    }
    assert_true(n > 20);
}

int main(void)
{
#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        IN_DIR(a_file_is_served_at_its_path),
        IN_DIR(a_side_file_gives_status_headers_and_methods),
        IN_DIR(a_stub_can_stand_in_for_the_entitlement),
        IN_DIR(a_large_body_is_lent_and_a_small_one_copied),
        IN_DIR(a_bad_side_file_is_refused_with_its_place),
        IN_DIR(what_leads_out_of_the_tree_or_cannot_be_served_is_refused),
        IN_DIR(links_inside_the_tree_are_followed),
        IN_DIR(every_failing_allocation_is_reported),
    };
    memory_for_jansson(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
