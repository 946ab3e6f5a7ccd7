/* `hangup verdict FILE`: what it says of ledgers that a server saved, whole, cut and damaged; its
 * exit status, reports and refusals. And `hangup prove --list`'s rows by way of it: --expect takes
 * them. */
#include "admin.h"
#include "check.h"
#include "client.h"
#include "h1.h"
#include "server.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_SETUP        2
#define EXIT_INCONCLUSIVE 3
#define NAMED             "Hangup-Call: 2\r\n"

/* A ledger: a connection is closed at its second request, which is sent again or is not. */
static struct ledger_text {
    char *bytes;
    size_t len;
} naive, retried;

static char *read_whole(const char *path, size_t *len)
{
    FILE *file = fopen(path, "re");
    if (!file)
        fail_msg("%s", path);
    char *bytes = calloc(1, 1 << 20);
    assert_non_null(bytes);
    *len = fread(bytes, 1, (1 << 20) - 1, file);
    fclose(file);
    return bytes;
}

static const char *scratch_path(const char *name)
{
    static char paths[8][160];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

static void write_whole(const char *path, const char *bytes, size_t len)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* The only saved ledger, which is moved out of the way. */
static struct ledger_text take_ledger(void)
{
    struct ledger_text text = { NULL, 0 };
    DIR *dir = opendir(scratch);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        size_t len = strlen(e->d_name);
        if (len < 7 || strcmp(e->d_name + len - 7, ".ndjson") != 0)
            continue;
        assert_null(text.bytes);
        text.bytes = read_whole(scratch_path(e->d_name), &text.len);
        unlink(scratch_path(e->d_name));
    }
    closedir(dir);
    assert_non_null(text.bytes);
    return text;
}

static void ask(struct client *c, const char *headers, bool answered)
{
    struct buf out = { .data = NULL };
    struct h1_response response = { 0 };
    h1_compose(&out, "GET", "/api/entitlement/get", headers, NULL);
    assert_int_equal(client_send(c, buf_bytes(&out), buf_len(&out)), 0);
    assert_int_equal(h1_read(c, false, &response, in_ms(PATIENCE_MS)), answered);
    h1_free(&response);
    buf_free(&out);
}

static struct ledger_text play(bool retries)
{
    struct server server = { 0 };
    struct client c, again;
    server_start(&server, (const char *const[]){ "--ledger-dir", scratch, "--case", "01", NULL });
    assert_true(client_connect(&c, &(struct client_options){ .port = server.http }));
    ask(&c, "Hangup-Call: 1\r\n", true);
    ask(&c, NAMED, false);
    client_close(&c);
    if (retries) {
        assert_true(client_connect(&again, &(struct client_options){ .port = server.http }));
        ask(&again, NAMED, true);
        ask(&again, "Hangup-Call: 3\r\n", true); /* which shows that the answer was read */
    }
    poll(NULL, 0, 700); /* the windows of the checks are over: nothing else tells it */
    admin_mark(&server, "over");
    server_stop(&server);
    if (retries)
        client_close(&again);
    return take_ledger();
}

#define RECOVERED "recovered;within=500ms"

/* Runs `hangup verdict FILE` and further arguments, up to NULL. out and err are texts. */
static int verdict(const char *const *more, struct buf *out, struct buf *err)
{
    const char *arguments[20] = { "verdict", scratch_path("ledger") };
    size_t n = 2;
    while (more && *more && n < 19)
        arguments[n++] = *more++;
    buf_free(out);
    buf_free(err);
    return server_run(arguments, out, err);
}

#define ROUNDS_MAX 6

/* As play(); what the server's own pauses leave open, which a busy machine may do to it, is played
 * again. A pass or a fail, whether it is deserved or not, never is. */
static struct ledger_text play_until_judged(bool retries)
{
    struct buf out = { .data = NULL }, err = { .data = NULL };
    struct ledger_text text = play(retries);
    for (int round = 1; round < ROUNDS_MAX; round++) {
        write_whole(scratch_path("ledger"), text.bytes, text.len);
        if (verdict((const char *const[]){ "--expect", RECOVERED, NULL }, &out, &err) !=
                EXIT_INCONCLUSIVE ||
            !strstr(text.bytes, "\"event\":\"server_paused\""))
            break;
        free(text.bytes);
        text = play(retries);
    }
    buf_free(&out);
    buf_free(&err);
    return text;
}

static int set_up(void **state)
{
    scratch_create(scratch, sizeof scratch);
    naive = play_until_judged(false);
    retried = play_until_judged(true);
    return 0;
}

static int tear_down(void **state)
{
    scratch_remove(scratch);
    free(naive.bytes);
    free(retried.bytes);
    return 0;
}

static void assert_text(const struct buf *text, const char *part)
{
    if (!strstr((const char *)buf_bytes(text), part))
        fail_msg("no \"%s\" in:\n%s", part, (const char *)buf_bytes(text));
}

static void a_saved_ledger_is_judged(void **state)
{
    struct buf out = { .data = NULL }, err = { .data = NULL };
    const char *const expect[] = { "--expect", RECOVERED, NULL };
    write_whole(scratch_path("ledger"), retried.bytes, retried.len);
    int status = verdict(expect, &out, &err);
    check(status == 0, "%d: %s", status, (const char *)buf_bytes(&out));
    assert_text(&out, "recovered: PROVED");
    assert_text(&out, "FIN at its first byte");
    assert_text(&out, "(attempt 2)");
    write_whole(scratch_path("ledger"), naive.bytes, naive.len);
    status = verdict(expect, &out, &err);
    check(status == 1, "%d: %s", status, (const char *)buf_bytes(&out));
    assert_text(&out, "NOT PROVED");
    assert_string_equal((const char *)buf_bytes(&err), "");
    buf_free(&out);
    buf_free(&err);
}

static void without_expectations_the_user_is_asked(void **state)
{
    struct buf out = { .data = NULL }, err = { .data = NULL };
    write_whole(scratch_path("ledger"), retried.bytes, retried.len);
    assert_int_equal(verdict(NULL, &out, &err), 3); /* of a storm it is too early to say anything */
    assert_text(&out, "no_storm");
    assert_text(&out, "INCONCLUSIVE");
    buf_free(&out);
    buf_free(&err);
}

static void each_report_says_the_same(void **state)
{
    struct buf out = { .data = NULL }, err = { .data = NULL };
    const char *const more[] = {
        "--expect",   RECOVERED, "--json", "--junit", scratch_path("j.xml"),
        "--markdown", NULL,      "--html", NULL,      NULL
    };
    const char *arguments[sizeof more / sizeof *more];
    memcpy(arguments, more, sizeof more);
    arguments[6] = scratch_path("m.md");
    arguments[8] = scratch_path("p.html");
    write_whole(scratch_path("ledger"), naive.bytes, naive.len);
    int status = verdict(arguments, &out, &err);
    check(status == 1, "%d: %s", status, (const char *)buf_bytes(&err));
    json_t *document = json_loads((const char *)buf_bytes(&out), 0, NULL);
    assert_non_null(document);
    assert_string_equal(json_string_value(json_object_get(document, "verdict")), "fail");
    json_decref(document);
    static const char *const texts[][2] = { { "j.xml", "<failure message=" },
                                            { "m.md", "**NOT PROVED**" },
                                            { "p.html",
                                              "<h1>hangup: <span class=\"word fail\">" } };
    for (size_t i = 0; i < 3; i++) {
        size_t len;
        char *text = read_whole(scratch_path(texts[i][0]), &len);
        if (!strstr(text, texts[i][1]))
            fail_msg("%s: %s", texts[i][0], text);
        free(text);
    }
    buf_free(&out);
    buf_free(&err);
}

/* Wherever its writer was ended: it is judged, and nothing that failed is proved then. */
static void a_ledger_that_was_cut_is_judged_up_to_there(void **state)
{
    struct buf out = { .data = NULL }, err = { .data = NULL };
    const char *const expect[] = { "--expect", RECOVERED, NULL };
    size_t first = (size_t)(strchr(naive.bytes, '\n') - naive.bytes) + 1;
    for (size_t len = first; len < naive.len; len += 1 + naive.len / 40) {
        write_whole(scratch_path("ledger"), naive.bytes, len);
        int status = verdict(expect, &out, &err);
        check(status == 1 || status == 3, "%zu: %d: %s", len, status,
              (const char *)buf_bytes(&err));
        if (naive.bytes[len - 1] != '\n' && naive.bytes[len] != '\n')
            assert_text(&err, "the last line is cut");
    }
    write_whole(scratch_path("ledger"), naive.bytes, 10);
    assert_int_equal(verdict(expect, &out, &err), EXIT_SETUP);
    assert_text(&err, "no event");
    buf_free(&out);
    buf_free(&err);
}

static void damage_is_named_with_its_line(void **state)
{
    struct buf out = { .data = NULL }, err = { .data = NULL };
    char *damaged = strdup(naive.bytes), *second, *end;
    assert_non_null(damaged);
    second = strchr(damaged, '\n') + 1;
    end = strchr(second, '\n');
    second[0] = '[';
    write_whole(scratch_path("ledger"), damaged, naive.len);
    assert_int_equal(verdict(NULL, &out, &err), EXIT_SETUP);
    assert_text(&err, "ledger, line 2");
    assert_string_equal((const char *)buf_bytes(&out), "");
    memcpy(damaged, naive.bytes, naive.len);
    memmove(end + 1, second, (size_t)(end - second) + 1); /* once more */
    write_whole(scratch_path("ledger"), damaged,
                (size_t)(end - damaged) * 2 - (size_t)(second - damaged) + 2);
    assert_int_equal(verdict(NULL, &out, &err), EXIT_SETUP);
    assert_text(&err, "ledger, line 3");
    free(damaged);
    buf_free(&out);
    buf_free(&err);
}

static void a_line_that_is_missing_makes_no_pass(void **state)
{
    struct buf out = { .data = NULL }, err = { .data = NULL };
    const char *const expect[] = { "--expect", RECOVERED, NULL };
    unsigned proved = 0;
    for (char *at = naive.bytes, *end; (end = strchr(at, '\n')); at = end + 1) {
        char *text = calloc(1, naive.len);
        size_t before = (size_t)(at - naive.bytes), behind = (size_t)(end + 1 - naive.bytes);
        assert_non_null(text);
        memcpy(text, naive.bytes, before);
        memcpy(text + before, naive.bytes + behind, naive.len - behind);
        write_whole(scratch_path("ledger"), text, naive.len - (behind - before));
        int status = verdict(expect, &out, &err);
        check(status == 1 || status == 3, "without %.*s: %d: %s", (int)(end - at), at, status,
              (const char *)buf_bytes(&err));
        proved += status == 0;
        free(text);
    }
    assert_int_equal(proved, 0);
    buf_free(&out);
    buf_free(&err);
}

static void what_is_no_ledger_is_said(void **state)
{
    struct buf out = { .data = NULL }, err = { .data = NULL };
    static char long_line[(1 << 20) + 3];
    memset(long_line, 'a', sizeof long_line);
    const struct {
        const char *bytes;
        size_t len;
        const char *text;
    } rows[] = {
        { "", 0, "there is no event in it" },
        { "\n\n", 2, "there is no event in it" },
        { "{\"seq\":1,\"ev", 12, "there is no event in it, its only line is cut" },
        { "\x1f\x8b\x08", 3, "line 1: the file is compressed: gzip -dc FILE | hangup verdict -" },
        { "\x28\xb5\x2f\xfd", 4, "zstd -dc" },
        { "\xff\xfe{", 3, "is UTF-16" },
        { "\xef\xbb\xbf{}", 5, "a byte order mark" },
        { "ab\0cd\n", 6, "is no text" },
        { "[1]\n", 4, "line 1: $: this is JSON, but no object" },
        { long_line, sizeof long_line, "line 1: the line is too long" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_whole(scratch_path("ledger"), rows[i].bytes, rows[i].len);
        int status = verdict(NULL, &out, &err);
        check(status == EXIT_SETUP, "%zu: %d", i, status);
        assert_text(&err, rows[i].text);
    }
    unlink(scratch_path("ledger"));
    buf_free(&out);
    buf_free(&err);
    const char *const folder[] = { "verdict", scratch, NULL };
    assert_int_equal(server_run(folder, &out, &err), EXIT_SETUP);
    assert_text(&err, "Is a directory");
    buf_free(&out);
    buf_free(&err);
    const char *const endless[] = { "verdict", "/dev/zero", NULL };
    assert_int_equal(server_run(endless, &out, &err), EXIT_SETUP);
    buf_free(&out);
    buf_free(&err);
}

static void more_or_less_can_be_kept(void **state)
{
    struct buf out = { .data = NULL }, err = { .data = NULL };
    const char *const as_it_was[] = { "--expect", RECOVERED, NULL };
    const char *const less[] = { "--expect", RECOVERED, "--kept", "1", NULL };
    write_whole(scratch_path("ledger"), retried.bytes, retried.len);
    int status = verdict(less, &out, &err);
    check(status == 3, "%d: %s", status, (const char *)buf_bytes(&out));
    status = verdict(as_it_was, &out, &err);
    check(status == 0, "%d: %s", status, (const char *)buf_bytes(&out));
    buf_free(&out);
    buf_free(&err);
}

static void what_cannot_be_is_refused(void **state)
{
    struct buf out = { .data = NULL }, err = { .data = NULL };
    static const struct {
        const char *more[4], *text;
    } rows[] = {
        { { "--expect", "recoverd", NULL }, "did you mean recovered?" },
        { { "--expect", "recovered;within=soon", NULL }, "--expect" },
        { { "--expect", NULL }, "--expect: its value is missing; allowed: NAME[;k=v]" },
        { { "--jsno", NULL }, "did you mean --json?" },
        { { "another", NULL }, "one FILE at most" },
        { { "--junit", "/nonexistent/x.xml", NULL }, "/nonexistent/x.xml: No such file" },
        { { "--junit", "/dev/full", NULL }, "--junit: /dev/full: No space left" },
        { { "--json=yes", NULL }, "it takes no value" },
    };
    write_whole(scratch_path("ledger"), naive.bytes, naive.len);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int status = verdict(rows[i].more, &out, &err);
        check(status == EXIT_SETUP, "%zu: %d", i, status);
        assert_text(&err, rows[i].text);
    }
    unlink(scratch_path("ledger"));
    assert_int_equal(verdict(NULL, &out, &err), EXIT_SETUP);
    assert_text(&err, "FILE: \"");
    assert_text(&err, "\": No such file or directory; allowed: a saved ledger");
    buf_free(&out);
    buf_free(&err);
    assert_int_equal(server_run((const char *const[]){ "verdict", NULL }, &out, &err), EXIT_SETUP);
    assert_text(&err, "FILE: it is missing; allowed: a saved ledger");
    buf_free(&out);
    buf_free(&err);
    assert_int_equal(server_run((const char *const[]){ "verdict", "--help", NULL }, &out, &err), 0);
    assert_text(&out, "--allow-inconclusive");
    buf_free(&out);
    buf_free(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_saved_ledger_is_judged),
        cmocka_unit_test(without_expectations_the_user_is_asked),
        cmocka_unit_test(each_report_says_the_same),
        cmocka_unit_test(a_ledger_that_was_cut_is_judged_up_to_there),
        cmocka_unit_test(damage_is_named_with_its_line),
        cmocka_unit_test(a_line_that_is_missing_makes_no_pass),
        cmocka_unit_test(what_is_no_ledger_is_said),
        cmocka_unit_test(more_or_less_can_be_kept),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests_name("verdict-file", tests, set_up, tear_down);
}
