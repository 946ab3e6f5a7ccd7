/* A ledger in a file: whole lines, in order, also when the disk is full for a while. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/timer.h"
#include "run/ledger_file.h"

#include "harness/memory.h"

#define PATIENCE (60 * NS_PER_S)
#define ROOM     (256 << 10)

static uv_loop_t loop;
static char dir[] = "/tmp/hangup-ledger-XXXXXX";
static struct timer awake; /* keeps the loop turning while a condition is waited for */

/* A disk that does not answer: whoever writes waits until it is let go. */
static struct {
    _Atomic bool hangs;
    _Atomic size_t largest; /* of the pieces */
    uv_sem_t answers;
} disk;

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);

ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    if (fd != STDERR_FILENO) { /* the log's */
        disk.largest = len > disk.largest ? len : disk.largest;
        if (disk.hangs)
            uv_sem_wait(&disk.answers);
    }
    return __real_write(fd, bytes, len);
}

static void disk_answers(void)
{
    disk.hangs = false;
    uv_sem_post(&disk.answers);
}

struct bench {
    struct ledger *ledger;
    struct ledger_file *file;
};

static void tick(struct timer *m, int64_t late)
{
    (void)late;
    timer_at(m, clock_now() + NS_PER_MS);
}

static int make(void **state)
{
    static struct bench b;
    struct refusal why;
    b = (struct bench){ .ledger = ledger_create(ROOM) };
    assert_non_null(b.ledger);
    assert_int_equal(ledger_file_open(&loop, b.ledger, dir, "default", &b.file, &why), 0);
    *state = &b;
    return 0;
}

static int unmake(void **state)
{
    struct bench *b = *state;
    char path[300];
    snprintf(path, sizeof path, "%s", b->file ? ledger_file_path(b->file) : "");
    ledger_file_close(b->file);
    ledger_destroy(b->ledger);
    timer_at(&awake, clock_now());
    int64_t until = clock_now() + NS_PER_S / 10;
    while (clock_now() < until)
        uv_run(&loop, UV_RUN_ONCE);
    unlink(path);
    return 0;
}

static uint64_t mark(struct ledger *l, const char *name)
{
    ledger_begin(l, EV_MARK, 0, 0);
    ledger_text(l, F_NAME, name);
    ledger_word(l, F_SOURCE, SOURCE_ADMIN);
    ledger_int(l, F_FROM, 1);
    ledger_int(l, F_TO, 1);
    return ledger_commit(l);
}

/* What is in a file, as far as its lines are whole, as a ledger. Fails when a line is none. */
static struct ledger *load(const char *path)
{
    static char bytes[8 << 20];
    struct ledger *l = ledger_create(16 << 20);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, bytes, sizeof bytes - 1);
    close(fd);
    assert_true(n >= 0);
    bytes[n] = '\0';
    for (char *at = bytes, *end; (end = strchr(at, '\n')); at = end + 1) {
        struct refusal why;
        if (ledger_load(l, at, (size_t)(end - at), &why))
            fail_msg("%s: %s %s: %.*s", path, why.where, why.what, (int)(end - at), at);
    }
    return l;
}

/* Is this event among the last ones of the file, with its whole line? */
static bool is_at_end(const char *path, uint64_t seq)
{
    char end[4096], head[40];
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    off_t from = st.st_size > (off_t)sizeof end - 1 ? st.st_size - (off_t)sizeof end + 1 : 0;
    ssize_t n = pread(fd, end, sizeof end - 1, from);
    close(fd);
    assert_true(n >= 0);
    end[n] = '\0';
    snprintf(head, sizeof head, "{\"seq\":%llu,", (unsigned long long)seq);
    const char *line = strstr(end, head);
    return line && strchr(line, '\n');
}

/* Lets the loop run until the file's last event is this one. */
static struct ledger *await(const char *path, uint64_t seq)
{
    int64_t until = clock_now() + PATIENCE;
    timer_at(&awake, clock_now());
    while (!is_at_end(path, seq)) {
        uv_run(&loop, UV_RUN_ONCE);
        if (clock_now() > until)
            fail_msg("event %llu is not in %s", (unsigned long long)seq, path);
    }
    return load(path);
}

static void assert_same(const struct ledger *a, const struct ledger *b)
{
    struct ledger_cursor ca = { .ledger = a }, cb = { .ledger = b };
    struct ledger_record ra, rb;
    while (ledger_next(&ca, &ra)) {
        assert_true(ledger_next(&cb, &rb));
        assert_int_equal(ra.seq, rb.seq);
        assert_int_equal(ra.event, rb.event);
        assert_int_equal(ra.age, rb.age);
        assert_int_equal(ra.fields_len, rb.fields_len);
        assert_memory_equal(ra.fields, rb.fields, ra.fields_len);
    }
    assert_false(ledger_next(&cb, &rb));
}

static void events_are_in_the_file_as_they_happen(void **state)
{
    struct bench *b = *state;
    for (int i = 0; i < 3; i++) {
        struct ledger *l = await(ledger_file_path(b->file), mark(b->ledger, "now"));
        assert_same(b->ledger, l);
        ledger_destroy(l);
    }
}

static void many_events_are_there_in_order(void **state)
{
    struct bench *b = *state;
    uint64_t last = 0;
    for (int i = 0; i < 2000; i++) {
        last = mark(b->ledger, "one of many, of a length that fills several pieces");
        if (i % 100 == 0)
            uv_run(&loop, UV_RUN_NOWAIT);
    }
    struct ledger *l = await(ledger_file_path(b->file), last);
    assert_same(b->ledger, l);
    ledger_destroy(l);
}

static void what_is_not_written_at_the_end_is_written_then(void **state)
{
    struct bench *b = *state;
    char path[300];
    uint64_t last = 0;
    snprintf(path, sizeof path, "%s", ledger_file_path(b->file));
    uv_run(&loop, UV_RUN_NOWAIT); /* a thread may be at it, or not */
    for (int i = 0; i < 2000; i++)
        last = mark(b->ledger, "at the end");
    ledger_file_close(b->file);
    b->file = NULL;
    disk.largest = 0;
    struct ledger *l = await(path, last);
    assert_in_range(disk.largest, 1, 100 << 10); /* in steps: nothing else is late by it */
    assert_same(b->ledger, l);
    ledger_destroy(l);
    unlink(path);
}

/* The same as a full disk: what was begun of a line is gone on with when there is room. */
static void a_full_disk_loses_only_what_the_ledger_drops(void **state)
{
    struct bench *b = *state;
    struct rlimit before;
    const char *path = ledger_file_path(b->file);
    ledger_destroy(await(path, mark(b->ledger, "before")));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit little = { 1000, before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    int64_t until = clock_now() + PATIENCE;
    uint64_t warned = 0;
    struct ledger_cursor cursor = { .ledger = b->ledger };
    struct ledger_record record;
    while (!warned && clock_now() < until) {
        mark(b->ledger, "while it is full");
        uv_run(&loop, UV_RUN_ONCE);
        while (ledger_next(&cursor, &record))
            if (record.event == EV_WARNING)
                warned = record.seq;
    }
    struct stat st;
    assert_true(warned);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 1000);
    while (ledger_dropped(b->ledger) == 0) /* more than the ledger holds */
        mark(b->ledger, "while it is full");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

    struct ledger *l = await(path, mark(b->ledger, "after"));
    uint64_t next = 1, gaps = 0;
    cursor = (struct ledger_cursor){ .ledger = l };
    while (ledger_next(&cursor, &record)) {
        if (record.event == EV_GAP) {
            gaps++;
            assert_int_equal(ledger_number(&record, F_FIRST_SEQ, 0), next);
            assert_int_equal(ledger_number(&record, F_LAST_SEQ, 0), record.seq);
        } else {
            assert_int_equal(record.seq, next);
        }
        next = record.seq + 1;
    }
    assert_int_equal(gaps, 1);
    ledger_destroy(l);
}

/* Marks, a few at most: the ledger has room for all. */
static uint64_t mark_for_a_while(struct ledger *l, const char *name)
{
    uint64_t seq = mark(l, name);
    timer_at(&awake, clock_now());
    for (int64_t until = clock_now() + 20 * NS_PER_MS; clock_now() < until;)
        uv_run(&loop, UV_RUN_ONCE);
    return seq;
}

/* What becomes of the file at its path while it is written. */
static void is_deleted(const char *path)
{
    assert_int_equal(unlink(path), 0);
}

static void is_replaced(const char *path)
{
    char other[310];
    snprintf(other, sizeof other, "%s.other", path);
    close(open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    assert_int_equal(rename(other, path), 0);
}

static void is_cut(const char *path)
{
    assert_int_equal(truncate(path, 0), 0);
}

static unsigned warnings(const struct ledger *l)
{
    unsigned count = 0;
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record;
    while (ledger_next(&cursor, &record))
        count += record.event == EV_WARNING;
    return count;
}

/* All that the ledger has is in another file then, and it is said once. */
static void a_file_that_is_lost_is_begun_anew(void **state)
{
    static void (*const losses[])(const char *path) = { is_deleted, is_replaced, is_cut };
    struct bench *b = *state;
    for (unsigned i = 0; i < sizeof losses / sizeof *losses; i++) {
        char path[300];
        uint64_t lost = ledger_file_losses();
        snprintf(path, sizeof path, "%s", ledger_file_path(b->file));
        ledger_destroy(await(path, mark(b->ledger, "before")));
        losses[i](path);
        int64_t until = clock_now() + PATIENCE;
        while (ledger_file_losses() == lost && clock_now() < until)
            mark_for_a_while(b->ledger, "into what is lost");
        bool in_its_place = strcmp(ledger_file_path(b->file), path) == 0;
        assert_false(in_its_place && i > 0); /* what is there is left alone */
        struct ledger *l = await(ledger_file_path(b->file), mark(b->ledger, "after"));
        assert_same(b->ledger, l);
        ledger_destroy(l);
        assert_int_equal(ledger_file_losses(), lost + 1);
        assert_int_equal(warnings(b->ledger), i + 1);
        if (!in_its_place)
            unlink(path);
    }
}

/* A file that was moved is still the ledger's. */
static void a_file_that_is_moved_is_written_where_it_is(void **state)
{
    struct bench *b = *state;
    char moved[310];
    uint64_t lost = ledger_file_losses(), last = 0;
    ledger_destroy(await(ledger_file_path(b->file), mark(b->ledger, "before")));
    snprintf(moved, sizeof moved, "%s.moved", ledger_file_path(b->file));
    assert_int_equal(rename(ledger_file_path(b->file), moved), 0);
    for (int i = 0; i < 15; i++) /* more than one look */
        last = mark_for_a_while(b->ledger, "moved");
    struct ledger *l = await(moved, last);
    assert_same(b->ledger, l);
    ledger_destroy(l);
    assert_int_equal(ledger_file_losses(), lost);
    unlink(moved);
}

/* Deleted when the ledger has ended: there is nothing to begin anew with, which is counted and
 * said. */
static void a_file_that_is_lost_at_the_end_is_counted(void **state)
{
    struct bench *b = *state;
    uint64_t lost = ledger_file_losses(), events = ledger_file_events_lost();
    FILE *log = tmpfile();
    int kept = dup(STDERR_FILENO);
    char line[4096] = "";
    ledger_destroy(await(ledger_file_path(b->file), mark(b->ledger, "before")));
    unlink(ledger_file_path(b->file));
    mark(b->ledger, "the last one");
    ledger_file_close(b->file);
    b->file = NULL;
    timer_at(&awake, clock_now());
    dup2(fileno(log), STDERR_FILENO);
    for (int64_t until = clock_now() + PATIENCE;
         ledger_file_losses() == lost && clock_now() < until;)
        uv_run(&loop, UV_RUN_ONCE);
    dup2(kept, STDERR_FILENO);
    close(kept);
    assert_int_equal(ledger_file_losses(), lost + 1);
    assert_int_equal(ledger_file_events_lost(), events);
    rewind(log);
    if (!fgets(line, sizeof line, log) || !strstr(line, " was deleted, or cut, ") ||
        !strstr(line, ": what was in it is lost\n") || fgets(line, sizeof line, log))
        fail_msg("%s", line);
    fclose(log);
}

/* --- Stop */

static int written = -1; /* what ledger_file_finish_all() has said */

static void finished(void *arg, bool all)
{
    written = all;
}

static void await_finished(int64_t time)
{
    written = -1;
    ledger_file_finish_all(clock_now() + time, finished, NULL);
    timer_at(&awake, clock_now());
    for (int64_t until = clock_now() + PATIENCE; written < 0 && clock_now() < until;)
        uv_run(&loop, UV_RUN_ONCE);
}

static void a_stop_waits_until_all_is_written(void **state)
{
    struct bench *b = *state;
    char path[300];
    uint64_t last = 0, lost = ledger_file_events_lost();
    snprintf(path, sizeof path, "%s", ledger_file_path(b->file));
    for (int i = 0; i < 1000; i++)
        last = mark(b->ledger, "before the stop");
    ledger_file_close(b->file);
    b->file = NULL;
    await_finished(PATIENCE);
    assert_int_equal(written, true);
    assert_true(is_at_end(path, last));
    assert_int_equal(ledger_file_events_lost(), lost);
    await_finished(PATIENCE); /* there is none */
    assert_int_equal(written, true);
    unlink(path);
}

/* As of a disk that hangs: the stop goes on without it, and counts what is missing. */
static void a_stop_does_not_wait_for_a_disk_that_hangs(void **state)
{
    struct bench *b = *state;
    char path[300];
    uint64_t last = 0, lost = ledger_file_events_lost();
    snprintf(path, sizeof path, "%s", ledger_file_path(b->file));
    ledger_destroy(await(path, mark(b->ledger, "before")));
    disk.hangs = true;
    for (int i = 0; i < 10; i++)
        last = mark(b->ledger, "before the stop");
    ledger_file_close(b->file);
    b->file = NULL;
    await_finished(NS_PER_S / 5);
    assert_int_equal(written, false);
    assert_int_equal(ledger_file_events_lost(), lost + 10);
    disk_answers();
    struct ledger *l = await(path, last);
    assert_same(b->ledger, l);
    ledger_destroy(l);
    unlink(path);
}

static void a_stop_does_not_wait_for_a_full_disk(void **state)
{
    struct bench *b = *state;
    struct rlimit before;
    char path[300];
    uint64_t lost = ledger_file_events_lost();
    snprintf(path, sizeof path, "%s", ledger_file_path(b->file));
    ledger_destroy(await(path, mark(b->ledger, "before")));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit little = { (rlim_t)st.st_size, before.rlim_max };
    for (int i = 0; i < 10; i++)
        mark(b->ledger, "before the stop");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    ledger_file_close(b->file);
    b->file = NULL;
    await_finished(PATIENCE);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(written, true); /* no thread is left */
    assert_int_equal(ledger_file_events_lost(), lost + 10);
    unlink(path);
}

/* Of a run that ends while others go on: the disk may have room again. */
static void a_full_disk_is_tried_again_for_a_ledger_that_has_ended(void **state)
{
    struct bench *b = *state;
    struct rlimit before;
    char path[300];
    uint64_t last = 0, lost = ledger_file_events_lost();
    snprintf(path, sizeof path, "%s", ledger_file_path(b->file));
    ledger_destroy(await(path, mark(b->ledger, "before")));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit little = { 1000, before.rlim_max };
    for (int i = 0; i < 20; i++)
        last = mark(b->ledger, "before the end");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    ledger_file_close(b->file);
    b->file = NULL;
    timer_at(&awake, clock_now());
    for (int64_t until = clock_now() + NS_PER_S / 5; clock_now() < until;)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    struct ledger *l = await(path, last);
    assert_same(b->ledger, l);
    ledger_destroy(l);
    assert_int_equal(ledger_file_events_lost(), lost);
    unlink(path);
}

/* Its directory too: it is tried again until that is there. */
static void a_file_that_is_lost_with_its_directory_comes_back(void **state)
{
    struct bench *b = *state;
    uint64_t lost = ledger_file_losses();
    ledger_destroy(await(ledger_file_path(b->file), mark(b->ledger, "before")));
    unlink(ledger_file_path(b->file));
    assert_int_equal(rmdir(dir), 0);
    int64_t until = clock_now() + PATIENCE;
    while (ledger_file_losses() == lost && clock_now() < until)
        mark_for_a_while(b->ledger, "into what is lost");
    assert_int_equal(mkdir(dir, 0700), 0);
    uint64_t last = mark(b->ledger, "after");
    while (access(ledger_file_path(b->file), F_OK) && clock_now() < until)
        uv_run(&loop, UV_RUN_ONCE);
    struct ledger *l = await(ledger_file_path(b->file), last);
    assert_same(b->ledger, l);
    ledger_destroy(l);
    assert_int_equal(ledger_file_losses(), lost + 1);
}

static void without_memory_events_are_written_later(void **state)
{
    struct bench *b = *state;
    uint64_t last = mark(b->ledger, "without memory");
    memory_ends_after(0);
    for (int i = 0; i < 10; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_true(memory_restore() > 0);
    struct ledger *l = await(ledger_file_path(b->file), last);
    assert_same(b->ledger, l);
    ledger_destroy(l);
}

static void files_of_one_second_have_names_of_their_own(void **state)
{
    struct bench *b = *state, more[3] = { { b->ledger, NULL } };
    struct refusal why;
    uint64_t last = mark(b->ledger, "in each of them");
    for (int i = 0; i < 3; i++) {
        more[i].ledger = b->ledger;
        assert_int_equal(ledger_file_open(&loop, b->ledger, dir, "default", &more[i].file, &why),
                         0);
        assert_string_not_equal(ledger_file_path(more[i].file), ledger_file_path(b->file));
    }
    for (int i = 0; i < 3; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s", ledger_file_path(more[i].file));
        ledger_file_close(more[i].file);
        ledger_destroy(await(path, last));
        unlink(path);
    }
}

static void a_directory_that_cannot_be_written_to_is_refused(void **state)
{
    struct bench *b = *state;
    static const char *const rows[] = { "/nonexistent/dir", "/dev/null", "/proc" };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ledger_file *f;
        struct refusal why;
        assert_int_equal(ledger_file_open(&loop, b->ledger, rows[i], "default", &f, &why),
                         BAD_INPUT);
        assert_string_equal(why.where, rows[i]);
    }
}

static int start(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    log_set_level(LOG_ERROR);
    awake.reached = tick;
    if (!mkdtemp(dir) || uv_loop_init(&loop) || uv_sem_init(&disk.answers, 0))
        return -1;
    return timers_start(&loop);
}

static int stop(void **state)
{
    (void)state;
    timers_stop();
    uv_run(&loop, UV_RUN_DEFAULT);
    int left = rmdir(dir);
    return uv_loop_close(&loop) || left;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)
    const struct CMUnitTest tests[] = {
        TEST(events_are_in_the_file_as_they_happen),
        TEST(many_events_are_there_in_order),
        TEST(what_is_not_written_at_the_end_is_written_then),
        TEST(a_full_disk_loses_only_what_the_ledger_drops),
        TEST(a_file_that_is_lost_is_begun_anew),
        TEST(a_file_that_is_moved_is_written_where_it_is),
        TEST(a_file_that_is_lost_at_the_end_is_counted),
        TEST(a_file_that_is_lost_with_its_directory_comes_back),
        TEST(a_stop_waits_until_all_is_written),
        TEST(a_stop_does_not_wait_for_a_disk_that_hangs),
        TEST(a_stop_does_not_wait_for_a_full_disk),
        TEST(a_full_disk_is_tried_again_for_a_ledger_that_has_ended),
        TEST(without_memory_events_are_written_later),
        TEST(files_of_one_second_have_names_of_their_own),
        TEST(a_directory_that_cannot_be_written_to_is_refused),
    };
    return cmocka_run_group_tests_name("ledger_file", tests, start, stop);
}
