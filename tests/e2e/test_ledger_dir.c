/* --ledger-dir: the ledger in a file, the same that the admin API tells, and whole up to its last
 * line whatever happens to the server. */
#include "admin.h"
#include "check.h"
#include "server.h"
#include "talk.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ledger/ledger.h"

/* The one file there. */
static const char *find_file(void)
{
    static char path[400];
    unsigned count = 0;
    DIR *d = opendir(scratch);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        size_t len = strlen(e->d_name);
        if (len > 7 && strcmp(e->d_name + len - 7, ".ndjson") == 0) {
            snprintf(path, sizeof path, "%s/%s", scratch, e->d_name);
            count++;
        }
    }
    closedir(d);
    assert_int_equal(count, 1);
    return path;
}

/* Its whole lines as a ledger. */
static struct ledger *load(void)
{
    size_t size = 64 << 20, len = 0;
    char *bytes = malloc(size);
    struct ledger *l = ledger_create(64 << 20);
    int fd = open(find_file(), O_RDONLY | O_CLOEXEC);
    assert_true(bytes && l && fd >= 0);
    for (ssize_t n; (n = read(fd, bytes + len, size - 1 - len)) > 0;)
        len += (size_t)n;
    close(fd);
    bytes[len] = '\0';
    for (char *at = bytes, *end; (end = strchr(at, '\n')); at = end + 1) {
        struct refusal why;
        if (ledger_load(l, at, (size_t)(end - at), &why))
            fail_msg("%s: %s: %.*s", why.where, why.what, (int)(end - at), at);
    }
    free(bytes);
    return l;
}

/* Waits until the file has this event. */
static struct ledger *load_until(uint64_t seq)
{
    int64_t until = clock_now() + 20 * NS_PER_S;
    for (;;) {
        struct ledger *l = load();
        if (ledger_last(l) >= seq)
            return l;
        check(clock_now() < until, "event %llu is not in the file, the last one is %llu",
              (unsigned long long)seq, (unsigned long long)ledger_last(l));
        ledger_destroy(l);
        poll(NULL, 0, 5);
    }
}

static void the_file_has_what_the_api_tells(void **state)
{
    struct server server = { 0 };
    uint64_t next = 0, last;
    server_start(&server, (const char *const[]){ "--ledger-dir", scratch, NULL });
    json_decref(admin_call(&server, 200, "PUT", "/v1/mode",
                           "{\"mode\":\"close-on-reuse\",\"time_scale\":0.1}"));
    for (int i = 0; i < 50; i++)
        last = admin_mark(&server, i % 2 ? "foreground" : "background");
    json_t *events = admin_events(&server, 0, 0, &next);
    struct ledger *l = load_until(last);
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record;
    size_t i;
    json_t *event;
    assert_true(json_array_size(events) > 50);
    json_array_foreach(events, i, event)
    {
        struct buf line = { .data = NULL };
        assert_true(ledger_next(&cursor, &record));
        assert_int_equal(ledger_render(&record, &line), 0);
        json_t *saved = json_loadb((const char *)buf_bytes(&line), buf_len(&line), 0, NULL);
        check(json_equal(saved, event), "event %zu in the file: %.*s", i, (int)buf_len(&line),
              (const char *)buf_bytes(&line));
        json_decref(saved);
        buf_free(&line);
    }
    json_decref(events);
    ledger_destroy(l);
    server_stop(&server);
}

static void an_orderly_end_is_in_the_file(void **state)
{
    struct server server = { 0 };
    struct client c;
    server_start(&server, (const char *const[]){ "--ledger-dir", scratch, NULL });
    assert_true(client_connect(&c, &(struct client_options){ .port = server.http }));
    json_decref(ledger_await(&server, 0, "connection_open", NULL));
    server_stop(&server);
    client_close(&c);
    struct ledger *l = load();
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record = { 0 };
    int64_t by = 0;
    while (ledger_next(&cursor, &record))
        if (record.event == EV_CONNECTION_END)
            by = ledger_number(&record, F_BY, 0);
    assert_int_equal(by, BY_SHUTDOWN);
    assert_int_equal(record.event, EV_RUN_END);
    assert_int_equal(ledger_number(&record, F_REASON, 0), REASON_STOPPED);
    ledger_destroy(l);
}

/* At whatever point it strikes: the lines that are there are whole, and begin at the first. */
static void a_killed_server_leaves_whole_lines(void **state)
{
    for (int round = 0; round < 5; round++) {
        struct server server = { 0 };
        uint64_t last = 0;
        server_start(&server, (const char *const[]){ "--ledger-dir", scratch, NULL });
        for (int i = 0; i < 20 + 7 * round; i++)
            last = admin_mark(&server, "before-the-end");
        ledger_destroy(load_until(last));
        kill(server.pid, SIGSTOP); /* which lets no more be written */
        assert_int_equal(server_end(&server, SIGKILL, 10000), 256 + SIGKILL);
        struct ledger *l = load();
        assert_int_equal(ledger_first(l), 1);
        assert_true(ledger_last(l) >= last);
        ledger_destroy(l);
        unlink(find_file());
        server_stop(&server);
    }
}

static void a_directory_that_cannot_be_used_is_refused(void **state)
{
    struct buf out = { .data = NULL }, err = { .data = NULL };
    const char *const arguments[] = { "serve",
                                      "--https",
                                      "off",
                                      "--https1",
                                      "off",
                                      "--http",
                                      "127.0.0.1:0",
                                      "--admin",
                                      "127.0.0.1:0",
                                      "--state",
                                      scratch,
                                      "--ledger-dir",
                                      "/nonexistent/ledgers",
                                      NULL };
    assert_int_equal(server_run(arguments, &out, &err), 2);
    assert_non_null(strstr((const char *)buf_bytes(&err), "--ledger-dir"));
    assert_non_null(strstr((const char *)buf_bytes(&err), "No such file or directory"));
    buf_free(&out);
    buf_free(&err);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_file_has_what_the_api_tells),
        TEST(an_orderly_end_is_in_the_file),
        TEST(a_killed_server_leaves_whole_lines),
        TEST(a_directory_that_cannot_be_used_is_refused),
    };
    return cmocka_run_group_tests_name("ledger-dir", tests, NULL, NULL);
}
