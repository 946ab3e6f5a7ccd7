/* COMMAND of `hangup prove`: real programs of a shell, which end, or do all they can not to. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cli/child.h"
#include "cli/environment.h"
#include "cli/keeper.h"

#define LATE_NS (20 * NS_PER_S)

static uv_loop_t loop;
static uv_timer_t late;
static struct child *child;
static struct buf out;
static unsigned ended, gone;
static bool taking; /* what wrote returns */

static bool wrote(void *arg, const char *bytes, size_t len)
{
    buf_add(&out, bytes, len);
    return taking;
}

static void has_ended(void *arg)
{
    ended++;
}

static void has_gone(void *arg)
{
    assert_int_equal(ended, 1);
    gone++;
}

static void too_late(uv_timer_t *timer)
{
    fail_msg("nothing came in time; stdout so far: %.*s", (int)buf_len(&out),
             (const char *)buf_bytes(&out));
}

static int setup(void **state)
{
    signal(SIGINT, SIG_DFL); /* a shell cannot trap what whoever started us has ignored */
    ended = gone = 0;
    taking = true;
    child = NULL;
    uv_loop_init(&loop);
    uv_timer_init(&loop, &late);
    uv_timer_start(&late, too_late, LATE_NS / NS_PER_MS, 0);
    return 0;
}

static int teardown(void **state)
{
    child_destroy(child);
    uv_close((uv_handle_t *)&late, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    buf_free(&out);
    return uv_loop_close(&loop);
}

static int start_argv(char *const *argv, struct refusal *why)
{
    struct environment e;
    environment_take(&e);
    environment_set(&e, "HANGUP_TEST", "yes");
    const struct child_config config = { .loop = &loop,
                                         .argv = argv,
                                         .environment = e.list,
                                         .wrote = wrote,
                                         .ended = has_ended,
                                         .gone = has_gone };
    int error = child_start(&config, &child, why);
    environment_free(&e);
    return error;
}

static void start(const char *script)
{
    char *argv[] = { "sh", "-c", (char *)script, NULL };
    assert_int_equal(start_argv(argv, NULL), 0);
    assert_true(child_id(child) > 1);
}

static const char *text(void)
{
    buf_add(&out, "", 1);
    out.end--;
    return (const char *)buf_bytes(&out);
}

static void run_until_gone(void)
{
    while (!gone)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(gone, 1);
    assert_true(child_gone_at(child) != TIME_NONE);
    assert_int_equal(child_left(child), 0);
}

static void run_until_ended(void)
{
    while (!ended)
        uv_run(&loop, UV_RUN_ONCE);
}

static void run_until_written(const char *what)
{
    while (!strstr(text(), what))
        uv_run(&loop, UV_RUN_ONCE);
}

static void ended_with(int status, int signal)
{
    int died;
    assert_int_equal(child_status(child, &died), status);
    assert_int_equal(died, signal);
}

/* The processes whose ids the child has written, one a line, live no more. */
static void none_lives(void)
{
    const char *line = text();
    unsigned found = 0;
    while (*line) {
        int pid = atoi(line);
        if (pid > 1) {
            found++;
            assert_int_equal(kill(pid, 0), -1);
            assert_int_equal(errno, ESRCH);
        }
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    assert_true(found > 0);
}

static void its_status_and_what_it_wrote_are_told(void **state)
{
    start("echo $HANGUP_TEST; exit 7");
    run_until_gone();
    assert_string_equal(text(), "yes\n");
    ended_with(7, 0);
}

static void a_death_by_a_signal_is_told(void **state)
{
    start("kill -SEGV $$");
    run_until_gone();
    ended_with(-1, SIGSEGV);
}

static void it_is_told_why_a_program_cannot_be_started(void **state)
{
    struct refusal why;
    char *missing[] = { "no-such-program-here", NULL };
    char *folder[] = { "/", NULL };
    assert_int_equal(start_argv(missing, &why), BAD_INPUT);
    assert_string_equal(why.where, "COMMAND");
    assert_non_null(strstr(why.what, "\"no-such-program-here\" cannot be started: No such file"));
    assert_int_equal(start_argv(folder, &why), BAD_INPUT);
    assert_non_null(strstr(why.what, "Permission denied"));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void it_is_alone_in_a_process_group(void **state)
{
    start("exec sleep 60");
    assert_int_equal(getpgid(child_id(child)), child_id(child));
    child_kill(child);
    run_until_gone();
    ended_with(-1, SIGKILL);
}

static void it_starts_with_signals_as_usual(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    start("grep -E 'SigBlk|SigIgn' /proc/self/status");
    run_until_gone();
    signal(SIGPIPE, SIG_DFL);
    unsigned long long blocked, ignored; /* whoever started us may have others ignored */
    assert_int_equal(sscanf(text(), "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), 2);
    assert_int_equal(blocked, 0);
    assert_false(ignored & (1ull << (SIGPIPE - 1)));
}

static void none_of_our_descriptors_are_its(void **state)
{
    start("ls /proc/self/fd | wc -l");
    run_until_gone();
    assert_int_equal(atoi(text()), 4); /* 0, 1, 2 and the folder */
}

static void a_signal_is_passed_on_to_its_group(void **state)
{
    start("trap 'echo int; exit 3' INT; echo up; sleep 60 & wait");
    run_until_written("up");
    child_signal(child, SIGINT);
    run_until_ended();
    ended_with(3, 0);
    child_stop(child);
    run_until_gone();
    assert_non_null(strstr(text(), "int"));
}

static void a_child_that_ignores_sigterm_is_killed(void **state)
{
    start("trap '' TERM; echo $$; while :; do sleep 1; done");
    run_until_written("\n");
    int64_t began = clock_now();
    child_stop(child);
    run_until_gone();
    assert_true(clock_now() - began >= (KEEPER_GRACE_MS - 50) * NS_PER_MS);
    ended_with(-1, SIGKILL);
    none_lives();
}

static void a_child_that_is_stopped_is_ended(void **state)
{
    start("echo $$; kill -STOP $$; echo on");
    run_until_written("\n");
    child_stop(child);
    run_until_gone();
    ended_with(-1, SIGTERM);
}

static void what_has_a_session_of_its_own_is_ended_too(void **state)
{
    start("setsid sh -c 'echo $$; setsid sleep 60 & echo $!; trap \"\" TERM; sleep 60' & sleep 60");
    run_until_written("\n");
    child_kill(child);
    run_until_gone();
    none_lives();
}

static void a_daemon_outlives_it_and_not_us(void **state)
{
    start("(setsid sh -c 'echo $$; exec sleep 60' &) ; sleep 0.1; exit 0");
    run_until_ended();
    run_until_written("\n");
    ended_with(0, 0);
    for (int i = 0; i < 20; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(gone, 0);
    child_stop(child);
    run_until_gone();
    none_lives();
}

static void a_daemon_that_ends_by_itself_leaves_nothing(void **state)
{
    start("(setsid sleep 0.2 &); exit 0");
    run_until_gone();
    ended_with(0, 0);
}

static void what_forks_all_the_time_is_ended(void **state)
{
    start("f() { sh -c 'sleep 60' & }; echo $$; trap '' TERM; "
          "while :; do f; f; sleep 0.02; done");
    run_until_written("\n");
    for (int64_t until = clock_now() + 200 * NS_PER_MS; clock_now() < until;)
        uv_run(&loop, UV_RUN_NOWAIT);
    child_kill(child);
    run_until_gone();
    none_lives();
}

static void one_that_closes_its_stdout_goes_on(void **state)
{
    start("echo x; exec >&-; sleep 0.2; exit 4");
    run_until_gone();
    assert_string_equal(text(), "x\n");
    ended_with(4, 0);
}

static void a_reader_that_waits_loses_nothing(void **state)
{
    taking = false;
    start("for i in 1 2 3 4 5 6 7 8; do printf '%08000d' 0; done; exec sleep 0.2");
    run_until_gone();
    assert_int_equal(buf_len(&out), 64000);
}

static void a_reader_that_goes_on_gets_the_rest(void **state)
{
    taking = false;
    start("i=0; while [ $i -lt 40 ]; do printf '%08000d' 0; i=$((i+1)); done");
    while (!gone) {
        uv_run(&loop, UV_RUN_NOWAIT);
        if (!gone)
            child_read_on(child);
    }
    assert_int_equal(buf_len(&out), 320000);
}

/* We are killed: a process of ours stands for us. */
static void its_keeper_ends_all_when_we_are_killed(void **state)
{
    int ends[2];
    char line[32] = "";
    assert_int_equal(pipe(ends), 0);
    pid_t us = fork();
    if (us == 0) {
        char *argv[] = { "sh", "-c", "trap '' TERM HUP; echo $$; while :; do sleep 1; done", NULL };
        loop = (uv_loop_t){ .data = NULL };
        uv_loop_init(&loop);
        if (start_argv(argv, NULL) != 0)
            _exit(1);
        while (!memchr(buf_bytes(&out) ? (const char *)buf_bytes(&out) : "", '\n', buf_len(&out)))
            uv_run(&loop, UV_RUN_ONCE);
        if (write(ends[1], buf_bytes(&out), buf_len(&out)) > 0)
            pause();
        _exit(1);
    }
    close(ends[1]);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    close(ends[0]);
    assert_int_equal(kill(atoi(line), 0), 0);
    kill(us, SIGKILL);
    waitpid(us, NULL, 0);
    for (int64_t until = clock_now() + LATE_NS; clock_now() < until && kill(atoi(line), 0) == 0;)
        usleep(10000);
    assert_int_equal(kill(atoi(line), 0), -1);
}

/* The out-of-memory killer takes the keeper: COMMAND goes with it. */
static void a_keeper_that_is_killed_takes_it_along(void **state)
{
    char path[64], parent[32] = "";
    start("echo $$ $PPID; exec sleep 60");
    run_until_written("\n");
    snprintf(path, sizeof path, "%s", strchr(text(), ' ') + 1);
    snprintf(parent, sizeof parent, "%d", atoi(path));
    kill(atoi(parent), SIGKILL);
    run_until_gone();
    ended_with(-1, SIGKILL);
    for (int64_t until = clock_now() + LATE_NS;
         clock_now() < until && kill(child_id(child), 0) == 0;)
        usleep(10000);
    assert_int_equal(kill(child_id(child), 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(its_status_and_what_it_wrote_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_death_by_a_signal_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_told_why_a_program_cannot_be_started, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(it_is_alone_in_a_process_group, setup, teardown),
        cmocka_unit_test_setup_teardown(it_starts_with_signals_as_usual, setup, teardown),
        cmocka_unit_test_setup_teardown(none_of_our_descriptors_are_its, setup, teardown),
        cmocka_unit_test_setup_teardown(a_signal_is_passed_on_to_its_group, setup, teardown),
        cmocka_unit_test_setup_teardown(a_child_that_ignores_sigterm_is_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_child_that_is_stopped_is_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_a_session_of_its_own_is_ended_too, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_daemon_outlives_it_and_not_us, setup, teardown),
        cmocka_unit_test_setup_teardown(a_daemon_that_ends_by_itself_leaves_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_forks_all_the_time_is_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_closes_its_stdout_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_that_waits_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_that_goes_on_gets_the_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(its_keeper_ends_all_when_we_are_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_keeper_that_is_killed_takes_it_along, setup, teardown),
    };
    close_range(3, ~0u, 0); /* what whoever started us has left open */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
