/* run.c - a run: its mode, its connections, its end. */
#include "run/run_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int run_create(const struct run_config *config, struct run **out)
{
    struct refusal why;
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return -ENOMEM;
    run->config = *config;
    link_init(&run->sessions);
    run->ledger = ledger_create(config->ledger_bytes);
    run->attempts = attempts_create();
    int error = run->ledger && run->attempts ? 0 : -ENOMEM;
    if (!error)
        error = catalogue_compile(config->catalogue, "normal", NULL, false, config->time_scale,
                                  &run->mode, &why);
    if (error) {
        run_destroy(run);
        return error < 0 ? error : -EINVAL;
    }
    *out = run;
    return 0;
}

void run_destroy(struct run *run)
{
    if (!run)
        return;
    assert(link_empty(&run->sessions));
    moment_cancel(&run->grace);
    mode_unref(run->mode);
    attempts_destroy(run->attempts);
    ledger_destroy(run->ledger);
    free(run);
}

struct ledger *run_ledger(struct run *run)
{
    return run->ledger;
}

/* --- The mode */

static void ledger_mode(struct run *run, enum run_apply apply)
{
    ledger_begin(run->ledger, EV_MODE, 0, 0);
    ledger_text(run->ledger, F_MODE_NAME, run->mode->name);
    ledger_text(run->ledger, F_PARAMS, run->mode->params);
    ledger_text(run->ledger, F_APPLY, apply == APPLY_ALL ? "all" : "new");
    ledger_commit(run->ledger);
}

/* Takes over the caller's reference. */
static void install(struct run *run, struct mode_program *program, enum run_apply apply)
{
    mode_unref(run->mode);
    run->mode = program;
    ledger_mode(run, apply);
    if (apply == APPLY_NEW)
        return;
    for (struct link *i = run->sessions.next; i != &run->sessions; i = i->next) {
        struct session *s = link_entry(i, struct session, link);
        s->mode_text[0] = '\0';
        mode_conn_set(&s->mode, program);
    }
}

int run_set_mode(struct run *run, const char *name, const json_t *params, bool lenient,
                 enum run_apply apply, struct refusal *why)
{
    struct mode_program *program;
    int error = catalogue_compile(run->config.catalogue, name, params, lenient,
                                  run->config.time_scale, &program, why);
    if (!error)
        install(run, program, apply);
    return error;
}

int run_set_mode_text(struct run *run, const char *text, struct refusal *why)
{
    struct mode_program *program;
    int error = catalogue_compile_text(run->config.catalogue, text, strlen(text),
                                       run->config.time_scale, &program, why);
    if (!error)
        install(run, program, APPLY_ALL);
    return error;
}

json_t *run_mode(const struct run *run)
{
    return json_pack("{s:s, s:o, s:f}", "mode", run->mode->name, "params",
                     json_loads(run->mode->params, 0, NULL), "time_scale", run->config.time_scale);
}

void run_reset(struct run *run)
{
    struct refusal why;
    struct link *i, *next;
    run_set_mode(run, "normal", NULL, false, APPLY_ALL, &why);
    for (i = run->sessions.next; i != &run->sessions; i = next) {
        next = i->next; /* sessions are freed from the loop, not from inside this */
        session_let_go(link_entry(i, struct session, link));
    }
    attempts_clear(run->attempts);
    ledger_clear(run->ledger);
}

/* --- Connections */

json_t *run_connections(const struct run *run)
{
    json_t *all = json_array();
    for (struct link *i = run->sessions.next; i != &run->sessions; i = i->next)
        json_array_append_new(all, session_json(link_entry(i, struct session, link)));
    return all;
}

json_t *run_connection(const struct run *run, uint64_t id)
{
    struct session *s = session_find(run, id);
    return s ? session_json(s) : NULL;
}

size_t run_connection_count(const struct run *run)
{
    return run->session_count;
}

int run_do(struct run *run, uint64_t id, const json_t *steps, struct refusal *why)
{
    struct mode_program *program;
    struct session *s = session_find(run, id);
    if (!s)
        return RUN_NO_CONNECTION;
    unsigned over = s->mode.over ? s->mode.over : OVER_BOTH;
    int error = mode_compile_steps(steps, over, run->config.time_scale, &program, why);
    if (error)
        return error;
    error = mode_run(&s->mode, program, "admin");
    mode_unref(program);
    return error;
}

/* --- The end */

void run_abort(struct run *run)
{
    for (struct link *i = run->sessions.next; i != &run->sessions; i = i->next) {
        wire_abort(link_entry(i, struct session, link)->wire, "shutdown", NULL);
    }
}

static void grace_over(struct moment *m, int64_t late)
{
    struct run *run = link_entry(m, struct run, grace);
    if (!link_empty(&run->sessions))
        run_abort(run);
    else
        run->done(run->done_arg);
}

void run_shutdown(struct run *run, int64_t grace_ns, void (*done)(void *arg), void *arg)
{
    run->done = done;
    run->done_arg = arg;
    for (struct link *i = run->sessions.next; i != &run->sessions; i = i->next)
        session_shutdown(link_entry(i, struct session, link));
    run->grace.reached = grace_over;
    moment_at(&run->grace, link_empty(&run->sessions) ? clock_now() : clock_now() + grace_ns);
}
