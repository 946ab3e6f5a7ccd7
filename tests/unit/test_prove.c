/* `hangup prove` on a server that the test stands in for: what COMMAND is started with, when, and
 * the exit status that comes of what is found. */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <uv.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/prove_place.h"

#define LATE_NS (30 * NS_PER_S)

/* --- The server */

static struct {
    struct place place;
    uv_loop_t loop;
    char story[4096];    /* what was asked of it, word by word */
    const char *verdict; /* of the fault */
    int requests;        /* that came in the control */
    bool final;
    size_t open;
    int refuses; /* what add returns */
    unsigned runs;
    const char *second; /* the verdict of the second run; NULL: the same */
} fake;

static void told(const char *format, ...)
{
    va_list args;
    size_t used = strlen(fake.story);
    va_start(args, format);
    vsnprintf(fake.story + used, sizeof fake.story - used, format, args);
    va_end(args);
    strcat(fake.story, " ");
}

static int add(struct place *p, const json_t *spec, struct refusal *why)
{
    const char *over = json_string_value(json_object_get(spec, "over"));
    told("add(%s,%s,seed=%d)", over ? over : "any",
         json_is_true(json_object_get(spec, "control")) ? "control" : "fault",
         (int)json_integer_value(json_object_get(spec, "seed")));
    fake.runs++;
    return fake.refuses ? refuse(why, "$.mode", "", "it cannot happen here") : 0;
}

static int about(struct place *p, json_t **out, struct refusal *why)
{
    *out = json_pack("{s:s, s:{s:s, s:s}, s:s, s:s, s:f}", "id", "r1", "urls", "base",
                     "https://127.0.0.1:1", "http", "http://127.0.0.1:2", "mark_url",
                     "http://127.0.0.1:3/v1/runs/r1/marks", "admin_url",
                     "http://127.0.0.1:3/v1/runs/r1", "pause_s", 1.5);
    return *out ? 0 : -ENOMEM;
}

static int phase(struct place *p, const char *name, struct refusal *why)
{
    told("phase(%s)", name);
    return 0;
}

static int report(struct place *p, const char *line, size_t len, struct refusal *why)
{
    told("report");
    return 0;
}

static int started(struct place *p, char *const *argv, int64_t pid, const char *steps,
                   struct refusal *why)
{
    told("started(%s)", steps);
    return 0;
}

static int exited(struct place *p, int status, int signal, bool killed, struct refusal *why)
{
    told("exited(%d,%d%s)", status, signal, killed ? ",killed" : "");
    return 0;
}

static int look(struct place *p, bool *final, size_t *connections, struct refusal *why)
{
    *final = fake.final;
    *connections = fake.open;
    return 0;
}

static int end(struct place *p, struct refusal *why)
{
    told("end");
    return 0;
}

static int verdict(struct place *p, json_t **out, struct refusal *why)
{
    const char *word = fake.runs == 2 && fake.second ? fake.second : fake.verdict;
    *out = json_pack("{s:s, s:b, s:[{s:s, s:i, s:s}], s:[{s:s, s:s, s:b, s:s}], s:i}", "verdict",
                     word, "final", 1, "phases", "phase", "control", "requests", fake.requests,
                     "verdict", "pass", "checks", "check", "recovered", "outcome", word, "final", 1,
                     "sentence", "so it was", "rules", 1);
    return *out ? 0 : -ENOMEM;
}

static int calls(struct place *p, json_t **out, struct refusal *why)
{
    *out = json_pack("{s:[], s:i}", "calls", "more", 0);
    return *out ? 0 : -ENOMEM;
}

static int ledger(struct place *p, FILE *to, struct refusal *why)
{
    fputs("{\"seq\":1}\n", to);
    return 0;
}

static void close_place(struct place *p)
{
    told("close");
    uv_run(&fake.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fake.loop), 0);
}

static const struct place_ops ops = { add,  about, phase,   report, started, exited,
                                      look, end,   verdict, calls,  ledger,  close_place };

int place_inside(const struct prove_options *o, struct place **out, struct refusal *why)
{
    uv_loop_init(&fake.loop);
    fake.place = (struct place){ .ops = &ops, .loop = &fake.loop, .ca = "/ca.pem" };
    *out = &fake.place;
    return 0;
}

int place_elsewhere(const struct prove_options *o, struct place **out, struct refusal *why)
{
    return place_inside(o, out, why);
}

int command_serve(int argc, char **argv) /* is in main.c */
{
    return 0;
}

/* --- Running it */

static char scratch[64], out_path[80], err_path[80], text[16384];

static const char *const trusted[] = { "SSL_CERT_FILE",      "CURL_CA_BUNDLE",
                                       "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
                                       "NO_PROXY",           "no_proxy" };

static int setup(void **state)
{
    strcpy(scratch, "/tmp/hangup-test-XXXXXX");
    memset(&fake, 0, sizeof fake);
    for (size_t i = 0; i < sizeof trusted / sizeof *trusted; i++)
        unsetenv(trusted[i]); /* whatever is set here */
    fake.verdict = "pass";
    fake.requests = 2;
    fake.final = true;
    assert_non_null(mkdtemp(scratch));
    snprintf(out_path, sizeof out_path, "%s/out", scratch);
    snprintf(err_path, sizeof err_path, "%s/err", scratch);
    return 0;
}

static int teardown(void **state)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", scratch);
    return system(command);
}

static const char *file(const char *path)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static const char *in_scratch(const char *name)
{
    static char path[100];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    return path;
}

/* Its stdout and stderr go into files meanwhile. */
static int run(const char *const *words)
{
    char *argv[32];
    int argc = 0, kept[2] = { dup(1), dup(2) };
    while (words[argc]) {
        argv[argc] = (char *)words[argc];
        argc++;
    }
    argv[argc] = NULL;
    for (int fd = 1; fd <= 2; fd++) {
        int to = open(fd == 1 ? out_path : err_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        fflush(NULL);
        dup2(to, fd);
        close(to);
    }
    int status = command_prove(argc, argv);
    fflush(NULL);
    for (int fd = 1; fd <= 2; fd++) {
        dup2(kept[fd - 1], fd);
        close(kept[fd - 1]);
    }
    return status;
}
#define RUN(...)   run((const char *const[]){ __VA_ARGS__, NULL })
#define SH(script) "--", "sh", "-c", script

static void assert_has(const char *in, const char *what)
{
    if (!strstr(in, what))
        fail_msg("\"%s\" is not in: %s", what, in);
}

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
}

static void the_mitigation_can_be_left_out(void **state)
{
    assert_int_equal(RUN("--mode", "close-on-reuse", "--without", "exit 9", SH("exit 0")), 0);
    assert_has(fake.story, "exited(0,0) phase(without) started(get get pause get) exited(9,0) end");
}

static void both_protocols_are_two_rows(void **state)
{
    assert_int_equal(RUN("01", "--over", "both", SH("exit 0")), 0);
    assert_has(fake.story, "add(h1,control,seed=0)");
    assert_has(fake.story, "add(h2,control,seed=0)");
}

static void rounds_have_seeds_of_their_own(void **state)
{
    assert_int_equal(RUN("--mode", "normal", "--repeat", "2", "--seed", "7", SH("exit 0")), 0);
    assert_has(fake.story, "add(any,control,seed=7)");
    assert_has(fake.story, "add(any,control,seed=8)");
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

static void rounds_pass_together(void **state)
{
    fake.second = "inconclusive"; /* one of three */
    assert_int_equal(RUN("01", "--repeat", "3", SH("exit 0")), 0);
    fake.runs = 0; /* one of two */
    assert_int_equal(RUN("01", "--repeat", "2", SH("exit 0")), 3);
    fake.runs = 0;
    fake.second = "fail";
    assert_int_equal(RUN("01", "--repeat", "3", SH("exit 0")), 1);
}

static void of_two_rows_each_counts(void **state)
{
    fake.second = "inconclusive";
    assert_int_equal(RUN("01", "--over", "both", SH("exit 0")), 3);
    assert_has(file(out_path), "1 PROVED, 1 INCONCLUSIVE (of 2)");
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
    int64_t began = clock_now();
    assert_int_equal(RUN("--mode", "normal", "--no-control", "--settle", "300ms", SH("exit 0")), 0);
    assert_true(clock_now() - began >= 300 * NS_PER_MS);
    fake.open = 0; /* and all of COMMAND is gone */
    began = clock_now();
    assert_int_equal(RUN("--mode", "normal", "--no-control", "--settle", "20s", SH("exit 0")), 0);
    assert_true(clock_now() - began < 10 * NS_PER_S);
}

/* --- Signals: in a process of its own */

static int interrupted(const char *script, const char *phase, int number, unsigned times)
{
    char flag[100];
    snprintf(flag, sizeof flag, "%s/up-%s", scratch, phase);
    setenv("SCRATCH", scratch, 1);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGINT, SIG_DFL);
        _exit(RUN("01", "--timeout", "60s", SH(script)));
    }
    for (int64_t until = clock_now() + LATE_NS; access(flag, F_OK) != 0 && clock_now() < until;)
        usleep(5000);
    for (unsigned i = 0; i < times; i++) {
        kill(pid, number);
        usleep(100000);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define WAITS_IN(phase)                                                                            \
    "test $HANGUP_PHASE = " phase " || exit 0; echo > $SCRATCH/up-" phase "; exec sleep 60"

static void a_signal_ends_it_in_each_phase(void **state)
{
    assert_int_equal(interrupted(WAITS_IN("control"), "control", SIGINT, 1), 130);
    assert_int_equal(interrupted(WAITS_IN("fault"), "fault", SIGINT, 1), 130);
    unlink(in_scratch("up-fault"));
    assert_int_equal(interrupted(WAITS_IN("fault"), "fault", SIGTERM, 1), 143);
    assert_null(strstr(file(out_path), "PROVED"));
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

/* --- Reports */

static void reports_are_written(void **state)
{
    char junit[100], html[100], markdown[100], ledger_path[100];
    snprintf(junit, sizeof junit, "%s", in_scratch("junit.xml"));
    snprintf(html, sizeof html, "%s", in_scratch("page.html"));
    snprintf(markdown, sizeof markdown, "%s", in_scratch("page.md"));
    snprintf(ledger_path, sizeof ledger_path, "%s", in_scratch("ledger"));
    for (int i = 0; i < 2; i++)
        assert_int_equal(RUN("01", "--over", "both", "--junit", junit, "--html", html, "--markdown",
                             markdown, "--ledger", ledger_path, SH("exit 0")),
                         0);
    assert_has(file(junit), "<testsuite");
    assert_has(file(html), "<html");
    assert_has(file(ledger_path), "{\"seq\":1}\n");
    assert_has(file(in_scratch("ledger.2")), "{\"seq\":1}\n");
    file(markdown); /* is appended to */
    char *second = strstr(text, "PROVED");
    assert_non_null(second);
    assert_non_null(strstr(second + 1, "PROVED"));
}

static void json_is_alone_on_stdout(void **state)
{
    json_error_t why;
    assert_int_equal(RUN("01", "--json", SH("echo noise")), 0);
    json_t *one = json_loads(file(out_path), 0, &why);
    assert_non_null(one);
    assert_string_equal(json_string_value(json_object_get(one, "verdict")), "pass");
    json_decref(one);
    assert_has(file(err_path), "noise");
    fake.refuses = 1;
    assert_int_equal(RUN("01", "--over", "both", "--json", SH("exit 0")), 2);
    one = json_loads(file(out_path), 0, &why);
    assert_int_equal(json_array_size(json_object_get(one, "rows")), 2);
    assert_int_equal(json_integer_value(json_object_get(one, "status")), 2);
    json_decref(one);
}

static void what_cannot_be_written_is_said_before(void **state)
{
    assert_int_equal(RUN("01", "--junit", "/no/such/folder/x", SH("exit 0")), 2);
    assert_has(file(err_path), "--junit: /no/such/folder/x: No such file");
    assert_string_equal(fake.story, "");
}

static void a_full_disk_is_said(void **state)
{
    assert_int_equal(RUN("01", "--junit", "/dev/full", SH("exit 0")), 2);
    assert_has(file(err_path), "--junit: /dev/full: No space left");
    assert_int_equal(RUN("01", "--ledger", "/dev/full", SH("exit 0")), 2);
    assert_has(file(err_path), "--ledger: /dev/full: No space left");
}

/* --- Options */

static void what_makes_no_sense_is_refused(void **state)
{
    static const struct {
        const char *words[8], *said;
    } rows[] = {
        { { "--", "true" }, "there is no fault to prove anything by" },
        { { "01" }, "COMMAND: it is missing" },
        { { "01", "--" }, "COMMAND: it is missing" },
        { { "01", "02", "--", "true" }, "there is a case already" },
        { { "01", "--mode", "normal", "--", "true" }, "it cannot go with another fault" },
        { { "nonsense", "--", "true" }, "CASE" },
        { { "--mode", "nonsense", "--", "true" }, "--mode" },
        { { "--plan", "/no/such/file", "--", "true" }, "--plan" },
        { { "--suite", "nonsense", "--", "true" }, "--suite" },
        { { "01", "--over", "h3", "--", "true" }, "h1|h2|both" },
        { { "01", "--repeat", "0", "--", "true" }, "--repeat" },
        { { "01", "--timeout", "never", "--", "true" }, "--timeout" },
        { { "01", "--time-scale", "x", "--", "true" }, "--time-scale" },
        { { "01", "--expect", "nonsense", "--", "true" }, "--expect" },
        { { "01", "--expect", "--", "true" }, "--expect: its value is missing" },
        { { "01", "--no-control", "--without", "x", "--", "true" }, "--without" },
        { { "01", "--server", "x", "--ports", "1-2", "--", "true" }, "cannot go with --server" },
        { { "01", "--junits", "x", "--", "true" }, "did you mean --junit" },
        { { "01", "--json=yes", "--", "true" }, "it takes no value" },
        { { "06-h2-black-hole", "--over", "h1", "--", "true" }, "nothing to try over h1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(run(rows[i].words), 2);
        assert_has(file(err_path), rows[i].said);
        assert_string_equal(fake.story, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_control_comes_first),
        TEST(the_control_is_told_of_no_background),
        TEST(a_control_can_be_left_out),
        TEST(the_mitigation_can_be_left_out),
        TEST(both_protocols_are_two_rows),
        TEST(rounds_have_seeds_of_their_own),
        TEST(it_gets_what_it_has_to_know),
        TEST(its_trust_can_be_its_own),
        TEST(without_it_is_told_that_the_mitigation_is_off),
        TEST(what_is_found_is_the_exit_status),
        TEST(a_command_that_fails_is_no_proof),
        TEST(a_command_that_fails_in_the_control_proves_nothing),
        TEST(one_that_does_not_end_is_ended),
        TEST(one_that_does_not_end_in_the_control_is_ended),
        TEST(one_that_is_missing_is_said),
        TEST(a_run_that_is_refused_is_said),
        TEST(rounds_pass_together),
        TEST(of_two_rows_each_counts),
        TEST(a_drivers_lines_are_handed_on),
        TEST(a_drivers_lines_may_come_by_stdout),
        TEST(a_driver_that_says_too_little_is_broken),
        TEST(a_driver_that_writes_nonsense_is_broken),
        TEST(a_driver_that_is_not_served_in_the_control_proves_nothing),
        TEST(nothing_of_it_is_left),
        TEST(what_is_not_final_is_waited_for),
        TEST(a_signal_ends_it_in_each_phase),
        TEST(a_command_that_ignores_it_is_killed_by_the_second),
        TEST(reports_are_written),
        TEST(json_is_alone_on_stdout),
        TEST(what_cannot_be_written_is_said_before),
        TEST(a_full_disk_is_said),
        TEST(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
