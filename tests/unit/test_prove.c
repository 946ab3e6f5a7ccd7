/* `hangup prove` on a server that the test stands in for: what COMMAND is started with, when, how
 * it is ended, and the exit status that comes of it. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "harness/prove_rig.h"
#include "tests/skip.h"

#define LATE_NS (30 * NS_PER_S)

/* --- Phases */

static void a_control_comes_first(void **state)
{
    assert_int_equal(RUN("--mode", "close-on-reuse", SH("exit 0")), 0);
    assert_string_equal(fake.story,
                        "add(any,control,seed=0) started(get get pause get) exited(0,0) "
                        "phase(fault) started(get get pause get) exited(0,0) end close ");
    assert_has(file(out_path), "PROVED");
}

static void the_control_is_told_of_no_background(void **state)
{
    assert_int_equal(RUN("08", SH("exit 0")), 0);
    assert_null(strstr(strstr(fake.story, "started"), "exited") ? NULL : fake.story);
    char *first = strstr(fake.story, "exited");
    *first = '\0';
    assert_null(strstr(fake.story, "ground"));
    *first = 'e';
    assert_has(first, "foreground");
}

static void a_control_can_be_left_out(void **state)
{
    assert_int_equal(RUN("--mode", "close-on-reuse", "--no-control", SH("exit 0")), 0);
    assert_string_equal(fake.story,
                        "add(any,fault,seed=0) started(get get pause get) exited(0,0) end close ");
    fake.requests = 0; /* which the fault may have kept away */
    fake.verdict = "inconclusive";
    assert_int_equal(RUN("--mode", "close-on-reuse", "--no-control", SH("exit 0")), 3);
}

static void the_mitigation_can_be_left_out(void **state)
{
    assert_int_equal(RUN("--mode", "close-on-reuse", "--without", "exit 9", SH("exit 0")), 0);
    assert_has(fake.story, "exited(0,0) phase(without) started(get get pause get) exited(9,0) end");
}

static void the_same_command_may_be_told_that_it_is_off(void **state)
{
    assert_int_equal(RUN("--mode", "close-on-reuse", "--without", "HANGUP_MITIGATION=off",
                         SH("test $HANGUP_MITIGATION = on || exit 7")),
                     0);
    assert_has(fake.story, "exited(0,0) phase(without) started(get get pause get) exited(7,0) end");
}

static void what_cannot_be_run_shows_nothing_without_it(void **state)
{
    static const struct {
        const char *without, *command;
        int requests, status;
    } rows[] = {
        { "/no/such/program", "exit 0", 0, 2 },
        { "/dev/null", "exit 0", 0, 2 }, /* is no program */
        { "/no/such/program", "test $HANGUP_PHASE = control", 0, 2 },
        { "exit 127", "exit 0", 1, 0 },
        { "exit 1", "exit 0", 0, 0 }, /* the verdict says that it asked for nothing */
        { "HANGUP_MITIGATION=off", "test $HANGUP_PHASE != without || exit 127", 0, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fake.without = rows[i].requests;
        assert_int_equal(RUN("01", "--without", rows[i].without, SH(rows[i].command)),
                         rows[i].status);
        if (rows[i].status == 2) {
            assert_has(file(err_path), "--without: ");
            assert_has(text, rows[i].without);
            assert_has(text, "cannot be run");
        }
    }
}

static void both_protocols_are_two_rows(void **state)
{
    assert_int_equal(RUN("01", "--over", "both", SH("exit 0")), 0);
    assert_has(fake.story, "add(h1,control,seed=0)");
    assert_has(fake.story, "add(h2,control,seed=0)");
}

/* --- What COMMAND gets */

static void it_gets_what_it_has_to_know(void **state)
{
    setenv("NO_PROXY", "example.org", 1);
    assert_int_equal(RUN("--mode", "close-on-reuse",
                         SH("env | grep -E '^(HANGUP|SSL_CERT_F|CURL_|REQ|NODE_E|NO_P|no_p)' | "
                            "grep -vE '^HANGUP_(TEST_|MEMCHECK)' | sort")),
                     0);
    file(out_path);
    assert_has(text, "CURL_CA_BUNDLE=/ca.pem\nHANGUP_ADMIN=http://127.0.0.1:3/v1/runs/r1\n"
                     "HANGUP_CA=/ca.pem\nHANGUP_HTTP=http://127.0.0.1:2\n"
                     "HANGUP_MARK_URL=http://127.0.0.1:3/v1/runs/r1/marks\nHANGUP_MITIGATION=on\n"
                     "HANGUP_PAUSE=1.400\nHANGUP_PHASE=control\nHANGUP_REPORT=/");
    assert_has(text, "HANGUP_RUN=r1\nHANGUP_STEPS=get get pause get\n"
                     "HANGUP_URL=https://127.0.0.1:1\nNODE_EXTRA_CA_CERTS=/ca.pem\n"
                     "NO_PROXY=example.org,localhost,127.0.0.1,::1\nREQUESTS_CA_BUNDLE=/ca.pem\n"
                     "SSL_CERT_FILE=/ca.pem\nno_proxy=localhost,127.0.0.1,::1\n");
    assert_has(text, "HANGUP_PAUSE=1.500\nHANGUP_PHASE=fault\n");
}

static void its_trust_can_be_its_own(void **state)
{
    assert_int_equal(RUN("--mode", "normal", "--no-trust-env",
                         SH("test -z \"$SSL_CERT_FILE$NODE_EXTRA_CA_CERTS\" -a -n \"$HANGUP_CA\"")),
                     0);
}

static void without_it_is_told_that_the_mitigation_is_off(void **state)
{
    assert_int_equal(RUN("--mode", "normal", "--without",
                         "test $HANGUP_MITIGATION-$HANGUP_PHASE = off-without", SH("exit 0")),
                     0);
    assert_has(fake.story, "phase(without) started(get get pause get) exited(0,0)");
}

/* --- Exit statuses */

static void what_is_found_is_the_exit_status(void **state)
{
    fake.verdict = "fail";
    assert_int_equal(RUN("01", SH("exit 0")), 1);
    fake.verdict = "inconclusive";
    assert_int_equal(RUN("01", SH("exit 0")), 3);
    assert_int_equal(RUN("01", "--allow-inconclusive", SH("exit 0")), 0);
    fake.verdict = "nonsense";
    assert_int_equal(RUN("01", SH("exit 0")), 3);
}

#define FAILS_IN_FAULT SH("test $HANGUP_PHASE = control")

static void a_command_that_fails_is_no_proof(void **state)
{
    assert_int_equal(RUN("01", FAILS_IN_FAULT), 4);
    assert_has(file(out_path), "exit status 1");
    fake.verdict = "fail"; /* says more */
    assert_int_equal(RUN("01", FAILS_IN_FAULT), 1);
    fake.verdict = "inconclusive";
    assert_int_equal(RUN("01", FAILS_IN_FAULT), 4);
    assert_int_equal(RUN("01", SH("test $HANGUP_PHASE = control || kill -SEGV $$")), 4);
    assert_has(file(out_path), "died of signal 11");
}

static void a_command_that_fails_in_the_control_proves_nothing(void **state)
{
    assert_int_equal(RUN("01", SH("exit 3")), 2);
    assert_has(file(err_path), "it fails without the fault, with exit status 3");
    assert_null(strstr(fake.story, "phase(fault)"));
    assert_int_equal(RUN("01", SH("kill -KILL $$")), 2);
    assert_has(file(err_path), "it dies without the fault, of signal 9");
    fake.requests = 0;
    assert_int_equal(RUN("01", SH("exit 0")), 2);
    assert_has(file(err_path), "no request of it came");
}

/* Whatever COMMAND makes of it, that is why nothing came. */
static void a_server_whose_urls_lead_nowhere_is_said(void **state)
{
    static const char *const scripts[] = { "exit 0", "exit 7", "kill -KILL $$" };
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        fake.own_url = "https://127.0.0.1:9100";
        fake.requests = 0;
        assert_int_equal(RUN("01", SH(scripts[i])), 2);
        assert_has(file(err_path), "--server: no request came: the URLs of its runs are for its "
                                   "own machine (https://127.0.0.1:9100); allowed: a server that "
                                   "was started with --advertise HOST");
        fake.requests = 2;
        assert_int_equal(RUN("01", SH(scripts[i])), i == 0 ? 0 : 2);
        assert_null(strstr(file(err_path), "--advertise"));
    }
}

static void where_no_file_can_be_made_is_said(void **state)
{
    char *before = getenv("TMPDIR") ? strdup(getenv("TMPDIR")) : NULL;
    setenv("TMPDIR", in_scratch("nowhere"), 1);
    int status = RUN("01", SH("exit 0"));
    if (before)
        setenv("TMPDIR", before, 1);
    else
        unsetenv("TMPDIR");
    free(before);
    assert_int_equal(status, 2);
    assert_has(file(err_path), "HANGUP_REPORT: its file cannot be made: No such file");
    assert_has(text, "TMPDIR");
}

static void one_that_does_not_end_is_ended(void **state)
{
    int64_t began = clock_now();
    assert_int_equal(
        RUN("01", "--timeout", "300ms", SH("test $HANGUP_PHASE = control || exec sleep 60")), 124);
    assert_true(clock_now() - began < LATE_NS);
    assert_has(fake.story, "exited(-1,15,killed) end");
    assert_has(file(out_path), "ran out of time");
}

static void one_that_does_not_end_in_the_control_is_ended(void **state)
{
    assert_int_equal(RUN("01", "--timeout", "300ms", SH("exec sleep 60")), 124);
    assert_null(strstr(fake.story, "phase(fault)"));
}

static void one_that_is_missing_is_said(void **state)
{
    assert_int_equal(RUN("01", "--", "/no/such/program"), 2);
    assert_has(file(err_path), "\"/no/such/program\" cannot be started: No such file");
}

static void a_run_that_is_refused_is_said(void **state)
{
    fake.refuses = 1;
    assert_int_equal(RUN("01", SH("exit 0")), 2);
    assert_has(file(err_path), "it cannot happen here");
}

/* --- Drivers */

#define DRIVER                                                                                     \
    "echo '{\"driver\":1}' > $HANGUP_REPORT; "                                                     \
    "for n in 1 2 3; do echo '{\"n\":'$n',\"ok\":true}' >> $HANGUP_REPORT; done"

static void a_drivers_lines_are_handed_on(void **state)
{
    assert_int_equal(RUN("--mode", "close-on-reuse", "--no-control", SH(DRIVER)), 0);
    assert_has(fake.story, "report report report report exited(0,0)");
}

static void a_drivers_lines_may_come_by_stdout(void **state)
{
    assert_int_equal(RUN("--mode", "normal", "--no-control",
                         SH("echo hello; echo '{\"driver\":1}'; for n in 1 2 3; do echo "
                            "'{\"n\":'$n'}'; done; printf bye")),
                     0);
    assert_has(fake.story, "report report report report exited(0,0)");
    file(out_path);
    assert_has(text, "hello\nbye");
    assert_null(strstr(text, "driver"));
}

static void a_driver_that_says_too_little_is_broken(void **state)
{
    assert_int_equal(
        RUN("--mode", "normal", "--no-control", SH("echo '{\"driver\":1}' > $HANGUP_REPORT")), 2);
    assert_has(file(err_path), "the driver broke: it told of 0 of 3 requests");
}

static void a_driver_that_writes_nonsense_is_broken(void **state)
{
    assert_int_equal(RUN("--mode", "normal", "--no-control", SH("echo hello > $HANGUP_REPORT")), 2);
    assert_has(file(err_path), "HANGUP_REPORT, line 1: it is no JSON object");
}

static void a_driver_that_is_not_served_in_the_control_proves_nothing(void **state)
{
    assert_int_equal(RUN("--mode", "normal",
                         SH("echo '{\"driver\":1}' > $HANGUP_REPORT; for n in 1 2 3; do echo "
                            "'{\"n\":'$n',\"ok\":false}' >> $HANGUP_REPORT; done")),
                     2);
    assert_has(file(err_path), "3 of its 3 requests fail without the fault");
}

/* --- What is left */

static void nothing_of_it_is_left(void **state)
{
    char path[100];
    snprintf(path, sizeof path, "%s/pid", scratch);
    setenv("PID_FILE", path, 1);
    assert_int_equal(RUN("--mode", "normal", "--no-control",
                         SH("setsid sh -c 'echo $$ > $PID_FILE; exec sleep 60' & "
                            "while [ ! -s $PID_FILE ]; do :; done")),
                     0);
    int pid = atoi(file(path));
    assert_true(pid > 1);
    assert_int_equal(kill(pid, 0), -1);
}

static void what_is_not_final_is_waited_for(void **state)
{
    fake.final = false;
    fake.open = 1;
    int64_t began = clock_now(), took = INT64_MAX;
    assert_int_equal(RUN("--mode", "normal", "--no-control", "--settle", "300ms", SH("exit 0")), 0);
    assert_true(clock_now() - began >= 300 * NS_PER_MS);
    fake.left = true; /* in silence, and all of COMMAND is gone; where that is not seen at once, it
                         is waited for */
    for (int i = 0; i < 10 && took >= 4 * NS_PER_S; i++) {
        began = clock_now();
        assert_int_equal(RUN("--mode", "normal", "--no-control", "--settle", "4s", SH("exit 0")),
                         0);
        took = clock_now() - began;
    }
    assert_true(took < 4 * NS_PER_S);
    fake.open = 0; /* over */
    began = clock_now();
    assert_int_equal(RUN("--mode", "normal", "--no-control", "--settle", "20s", SH("exit 0")), 0);
    assert_true(clock_now() - began < 10 * NS_PER_S);
}

/* What has a connection to the run when COMMAND is gone: of 127.0.0.1, by whom is not told. */
static void who_else_holds_connections_is_said(void **state)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    char url[48], said[80];
    int held[2], listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 2), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(at.sin_port));
    fake.http = url;
    fake.final = false;
    fake.open = 1;
    for (int i = 0; i < 2; i++) {
        held[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(held[i], (struct sockaddr *)&at, sizeof at), 0);
        assert_int_equal(RUN("--mode", "normal", "--no-control", "--settle", "50ms", SH("exit 0")),
                         0);
        snprintf(said, sizeof said, "%s held by something outside of COMMAND",
                 i ? "2 connections are" : "1 connection is");
        assert_has(file(err_path), said);
    }
    close(held[0]);
    close(held[1]);
    close(listener);
}

/* --- In a process of its own: what cannot be killed, and signals */

/* Waits for what a script writes there, and reads it. */
static const char *await_file(const char *path)
{
    for (int64_t until = clock_now() + LATE_NS; !*file(path) && clock_now() < until;)
        usleep(5000);
    return text;
}

/* A process that has died is there until who traces it has seen that. */
static void what_cannot_be_killed_is_said(void **state)
{
    char said[80];
    setenv("SCRATCH", scratch, 1);
    pid_t pid = fork();
    if (pid == 0)
        _exit(RUN("--mode", "normal", "--no-control",
                  SH("sleep 60 & echo $! > $SCRATCH/up; "
                     "while [ ! -e $SCRATCH/traced ]; do sleep 0.01; done")));
    int status, left = atoi(await_file(in_scratch("up")));
    assert_true(left > 1);
    bool traced = ptrace(PTRACE_SEIZE, left, NULL, NULL) == 0;
    int fd = open(in_scratch("traced"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!traced)
        skip_because("no process may be traced here");
    assert_int_equal(waitpid(left, &status, __WALL), left);
    snprintf(said, sizeof said, "process %d of COMMAND cannot be killed", left);
    assert_has(file(err_path), said);
}

static int interrupted(const char *script, const char *phase, int number, unsigned times)
{
    char flag[100];
    snprintf(flag, sizeof flag, "%s/up-%s", scratch, phase);
    setenv("SCRATCH", scratch, 1);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGINT, SIG_DFL);
        _exit(RUN("01", "--timeout", "60s", "--without", "HANGUP_MITIGATION=off", "--junit",
                  in_scratch("junit.xml"), SH(script)));
    }
    await_file(flag);
    for (unsigned i = 0; i < times; i++) {
        kill(pid, number);
        usleep(100000);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define WAITS_IN(phase)                                                                            \
    "test $HANGUP_PHASE = " phase " || exit 0; echo $$ > $SCRATCH/up-" phase "; exec sleep 60"

/* That of which it wrote the process id. */
static void assert_gone(const char *phase)
{
    char name[32];
    snprintf(name, sizeof name, "up-%s", phase);
    int pid = atoi(file(in_scratch(name)));
    assert_true(pid > 1);
    assert_int_equal(kill(pid, 0), -1);
    unlink(in_scratch(name));
}

static void a_signal_ends_it_in_each_phase(void **state)
{
    static const struct {
        const char *phase, *script;
        int signal, status;
    } rows[] = {
        { "control", WAITS_IN("control"), SIGINT, 130 },
        { "control", WAITS_IN("control"), SIGTERM, 143 },
        { "fault", WAITS_IN("fault"), SIGINT, 130 },
        { "fault", WAITS_IN("fault"), SIGTERM, 143 },
        { "without", WAITS_IN("without"), SIGINT, 130 },
        { "without", WAITS_IN("without"), SIGTERM, 143 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char said[80];
        int status = interrupted(rows[i].script, rows[i].phase, rows[i].signal, 1);
        assert_int_equal(status, rows[i].status);
        snprintf(said, sizeof said, "interrupted by signal %d (%s) in the phase %s", rows[i].signal,
                 strsignal(rows[i].signal), rows[i].phase);
        assert_has(file(out_path), said);
        assert_null(strstr(text, "PROVED"));
        assert_gone(rows[i].phase);
        assert_has(file(in_scratch("junit.xml")), said);
        assert_has(text, "errors=\"1\"");
        unlink(in_scratch("junit.xml"));
    }
}

static void a_command_that_ignores_it_is_killed_by_the_second(void **state)
{
    int64_t began = clock_now();
    assert_int_equal(
        interrupted("trap '' INT TERM; echo > $SCRATCH/up-control; while :; do sleep 1; "
                    "done",
                    "control", SIGINT, 2),
        130);
    assert_true(clock_now() - began < 9 * NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, prove_setup, prove_teardown)
        TEST(a_control_comes_first),
        TEST(the_control_is_told_of_no_background),
        TEST(a_control_can_be_left_out),
        TEST(the_mitigation_can_be_left_out),
        TEST(the_same_command_may_be_told_that_it_is_off),
        TEST(what_cannot_be_run_shows_nothing_without_it),
        TEST(both_protocols_are_two_rows),
        TEST(it_gets_what_it_has_to_know),
        TEST(its_trust_can_be_its_own),
        TEST(without_it_is_told_that_the_mitigation_is_off),
        TEST(what_is_found_is_the_exit_status),
        TEST(a_command_that_fails_is_no_proof),
        TEST(a_command_that_fails_in_the_control_proves_nothing),
        TEST(a_server_whose_urls_lead_nowhere_is_said),
        TEST(where_no_file_can_be_made_is_said),
        TEST(one_that_does_not_end_is_ended),
        TEST(one_that_does_not_end_in_the_control_is_ended),
        TEST(one_that_is_missing_is_said),
        TEST(a_run_that_is_refused_is_said),
        TEST(a_drivers_lines_are_handed_on),
        TEST(a_drivers_lines_may_come_by_stdout),
        TEST(a_driver_that_says_too_little_is_broken),
        TEST(a_driver_that_writes_nonsense_is_broken),
        TEST(a_driver_that_is_not_served_in_the_control_proves_nothing),
        TEST(nothing_of_it_is_left),
        TEST(what_is_not_final_is_waited_for),
        TEST(who_else_holds_connections_is_said),
        TEST(what_cannot_be_killed_is_said),
        TEST(a_signal_ends_it_in_each_phase),
        TEST(a_command_that_ignores_it_is_killed_by_the_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
