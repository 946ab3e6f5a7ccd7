#include "prove_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <uv.h>

#include "cli/commands.h"
#include "cli/prove_place.h"

/* --- The server */

struct prove_fake fake;

static struct place made;
static uv_loop_t loop;

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
    snprintf(p->own_url, sizeof p->own_url, "%s", fake.own_url ? fake.own_url : "");
    return fake.refuses ? refuse(why, "$.mode", "", "it cannot happen here") : 0;
}

static int about(struct place *p, json_t **out, struct refusal *why)
{
    *out = json_pack("{s:s, s:{s:s, s:s}, s:s, s:s, s:f}", "id", "r1", "urls", "base",
                     "https://127.0.0.1:1", "http", fake.http ? fake.http : "http://127.0.0.1:2",
                     "mark_url", "http://127.0.0.1:3/v1/runs/r1/marks", "admin_url",
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

static int look(struct place *p, bool *final, size_t *connections, bool *awaited,
                struct refusal *why)
{
    *final = fake.final;
    *connections = fake.open;
    *awaited = fake.open > 0 && !fake.left;
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
    if (fake.runs <= PROVE_FAKE_RUNS && fake.verdicts[fake.runs - 1])
        word = fake.verdicts[fake.runs - 1];
    *out = json_pack("{s:s, s:b, s:[{s:s, s:i, s:s}, {s:s, s:i}], s:[{s:s, s:s, s:b, s:s}], s:i}",
                     "verdict", word, "final", 1, "phases", "phase", "control", "requests",
                     fake.requests, "verdict", "pass", "phase", "without", "requests", fake.without,
                     "checks", "check", "recovered", "outcome", word, "final", 1, "sentence",
                     fake.sentence, "rules", 1);
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
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

PLACE_OPS(ops);

int place_inside(const struct prove_options *o, struct place **out, struct refusal *why)
{
    uv_loop_init(&loop);
    made = (struct place){ .ops = &ops, .loop = &loop, .ca = "/ca.pem" };
    *out = &made;
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

char scratch[64], out_path[80], err_path[80], text[16384];

static const char *const trusted[] = { "SSL_CERT_FILE",      "CURL_CA_BUNDLE",
                                       "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
                                       "NO_PROXY",           "no_proxy" };

int prove_setup(void **state)
{
    strcpy(scratch, "/tmp/hangup-test-XXXXXX");
    memset(&fake, 0, sizeof fake);
    for (size_t i = 0; i < sizeof trusted / sizeof *trusted; i++)
        unsetenv(trusted[i]); /* whatever is set here */
    unsetenv("GITHUB_ACTIONS");
    fake.verdict = "pass";
    fake.sentence = "so it was";
    fake.requests = 2;
    fake.without = 2;
    fake.final = true;
    assert_non_null(mkdtemp(scratch));
    snprintf(out_path, sizeof out_path, "%s/out", scratch);
    snprintf(err_path, sizeof err_path, "%s/err", scratch);
    return 0;
}

int prove_teardown(void **state)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", scratch);
    return system(command);
}

const char *file(const char *path)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

const char *in_scratch(const char *name)
{
    static char path[100];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    return path;
}

int run(const char *const *words)
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

void assert_has(const char *in, const char *what)
{
    if (!strstr(in, what))
        fail_msg("\"%s\" is not in: %s", what, in);
}
