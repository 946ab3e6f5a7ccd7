/* run.c - a run: its plan, its marks, its connections, its end. */
#include "run/run_parts.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"

static void pass_cursors(const struct run *run, const struct session *s)
{
    for (struct link *i = run->cursors.next; i != &run->cursors; i = i->next) {
        struct run_cursor *cursor = link_entry(i, struct run_cursor, link);
        if (cursor->next == &s->link)
            cursor->next = s->link.next;
    }
}

static void closed(struct session_shared *shared, struct session *s)
{
    struct run *run = link_entry(shared, struct run, shared);
    pass_cursors(run, s);
    link_remove(&s->link);
    run->session_count--;
    if ((run->done || run->part_over) && link_empty(&run->sessions))
        timer_at(&run->grace, clock_now());
}

static void mark_by_request(struct session_shared *shared, const char *name, bool now);
static void drop_marks(struct run *run);

int run_create(const struct run_config *config, struct run **out)
{
    struct refusal why;
    struct mode_program *normal;
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return -ENOMEM;
    run->config = *config;
    run->shared.config = &run->config;
    run->shared.closed = closed;
    run->shared.mark = mark_by_request;
    link_init(&run->marks);
    gateways_read("/proc/net", &run->shared.gateways);
    link_init(&run->sessions);
    link_init(&run->cursors);
    sweep_init(run);
    link_init(&run->listening.scripts);
    run->shared.ledger = ledger_create(config->ledger_bytes);
    run->shared.attempts = attempts_create();
    int error = run->shared.ledger && run->shared.attempts ? 0 : -ENOMEM;
    if (!error)
        error = catalogue_compile(config->catalogue, "normal", NULL, false, config->time_scale,
                                  &normal, &why);
    if (!error && !(run->shared.plan = plan_of_mode(normal))) {
        mode_unref(normal);
        error = -ENOMEM;
    }
    if (error) {
        run_destroy(run, NULL);
        return error < 0 ? error : -EINVAL;
    }
    *out = run;
    return 0;
}

/* Who still looks finds no more connections. */
static void end_cursors(struct run *run)
{
    while (!link_empty(&run->cursors)) {
        struct run_cursor *cursor = link_entry(run->cursors.next, struct run_cursor, link);
        run_cursor_close(cursor);
        cursor->run = NULL;
    }
}

void run_destroy(struct run *run, struct ledger **keep)
{
    if (!run)
        return;
    assert(link_empty(&run->sessions));
    timer_cancel(&run->grace);
    drop_marks(run);
    sweep_drop(run);
    end_cursors(run);
    listening_stop(run);
    plan_unref(run->shared.plan);
    attempts_destroy(run->shared.attempts);
    if (keep)
        *keep = run->shared.ledger;
    else
        ledger_destroy(run->shared.ledger);
    free(run);
}

void run_set_tls(struct run *run, struct tls_server *tls)
{
    run->config.tls = tls;
}

struct ledger *run_ledger(struct run *run)
{
    return run->shared.ledger;
}

/* --- The plan. A mode is a plan of one entry that fits all. */

static void ledger_plan(struct run *run, enum run_apply apply, const char *why)
{
    if (plan_is_mode(run->shared.plan)) {
        const struct mode_program *mode = plan_only_mode(run->shared.plan);
        ledger_begin(run->shared.ledger, EV_MODE, 0, 0);
        ledger_text(run->shared.ledger, F_MODE_NAME, mode->name);
        ledger_text(run->shared.ledger, F_PARAMS, mode->params);
    } else {
        struct buf text = { 0 };
        json_write(&text, plan_json(run->shared.plan));
        ledger_begin(run->shared.ledger, EV_PLAN, 0, 0);
        if (!text.failed)
            ledger_bytes(run->shared.ledger, F_PLAN, (const char *)buf_bytes(&text),
                         buf_len(&text));
        buf_free(&text);
    }
    ledger_int(run->shared.ledger, F_SEED, (int64_t)run->shared.seed);
    ledger_word(run->shared.ledger, F_APPLY, apply == APPLY_ALL ? APPLIED_ALL : APPLIED_NEW);
    ledger_int(run->shared.ledger, F_LIVE, (int64_t)run->session_count);
    ledger_real(run->shared.ledger, F_TIME_SCALE, run->config.time_scale);
    ledger_text(run->shared.ledger, F_WHY, why);
    ledger_commit(run->shared.ledger);
}

static bool is_normal(const struct plan *plan)
{
    const struct mode_program *mode = plan_only_mode(plan);
    return mode && strcmp(mode->name, "normal") == 0;
}

/* Takes over the caller's reference. */
static void install(struct run *run, struct plan *plan, enum run_apply apply, bool reset,
                    const char *why)
{
    run_settle(run);
    plan_unref(run->shared.plan);
    run->shared.plan = plan;
    run->number = 0;
    ledger_plan(run, apply, why);
    if (apply == APPLY_ALL) {
        run->shared.setting++;
        sweep_begin(run, reset, is_normal(plan));
    }
    listening_look(run);
}

void run_set(struct run *run, struct plan *plan, enum run_apply apply, const char *why)
{
    install(run, plan, apply, false, why);
}

void run_exercise(const struct run *run, const struct plan *plan, struct exercise *out)
{
    plan_exercise(plan, listening_kinds(run), out);
}

struct plan *run_plan(const struct run *run)
{
    return run->shared.plan;
}

/* Takes over the caller's reference. */
static int plan_for_all(const struct run *run, struct mode_program *program, struct plan **out,
                        struct refusal *why)
{
    int error = mode_refuse_kinds(program, listening_kinds(run), "$.mode", why);
    if (!error && !(*out = plan_of_mode(program)))
        error = -ENOMEM;
    if (error)
        mode_unref(program);
    return error;
}

int run_compile_mode(const struct run *run, const char *name, const json_t *params, bool lenient,
                     struct plan **out, struct refusal *why)
{
    struct mode_program *program;
    int error = catalogue_compile(run->config.catalogue, name, params, lenient,
                                  run->config.time_scale, &program, why);
    return error ? error : plan_for_all(run, program, out, why);
}

int run_compile_plan(const struct run *run, const json_t *json, const uint64_t *seed,
                     struct plan **out, struct refusal *why)
{
    struct plan *plan;
    int error = plan_compile(run->config.catalogue, json, run->config.time_scale,
                             seed ? *seed : run->shared.seed, &plan, why);
    if (!error && (error = plan_refuse_kinds(plan, listening_kinds(run), why)))
        plan_unref(plan);
    if (!error)
        *out = plan;
    return error;
}

int run_set_mode(struct run *run, const char *name, const json_t *params, bool lenient,
                 enum run_apply apply, struct refusal *why)
{
    struct plan *plan;
    int error = run_compile_mode(run, name, params, lenient, &plan, why);
    if (!error)
        run_set(run, plan, apply, NULL);
    return error;
}

int run_set_mode_text(struct run *run, const char *text, struct refusal *why)
{
    struct mode_program *program;
    struct plan *plan;
    int error = catalogue_compile_text(run->config.catalogue, text, strlen(text),
                                       run->config.time_scale, &program, why);
    if (!error)
        error = plan_for_all(run, program, &plan, why);
    if (!error)
        run_set(run, plan, APPLY_ALL, NULL);
    return error;
}

int run_set_plan(struct run *run, const json_t *json, const uint64_t *seed, enum run_apply apply,
                 struct refusal *why)
{
    struct plan *plan;
    int error = run_compile_plan(run, json, seed, &plan, why);
    if (error)
        return error;
    if (seed)
        run->shared.seed = *seed;
    run_set(run, plan, apply, NULL);
    return 0;
}

void run_set_time_scale(struct run *run, double scale)
{
    run->config.time_scale = scale;
}

double run_time_scale(const struct run *run)
{
    return run->config.time_scale;
}

void run_set_seed(struct run *run, uint64_t seed)
{
    run->shared.seed = seed;
}

uint64_t run_seed(const struct run *run)
{
    return run->shared.seed;
}

json_t *run_mode(const struct run *run)
{
    const struct mode_program *mode = plan_only_mode(run->shared.plan);
    json_t *params = mode ? json_loads(mode->params, 0, NULL) : NULL;
    if (mode && !params)
        return NULL;
    return json_pack("{s:s?, s:o?, s:f, s:O?, s:I}", "mode", mode ? mode->name : NULL, "params",
                     params, "time_scale", run->config.time_scale, "plan",
                     plan_json(run->shared.plan), "seed", (json_int_t)run->shared.seed);
}

int run_reset(struct run *run)
{
    struct refusal why;
    struct plan *normal;
    int error = run_compile_mode(run, "normal", NULL, false, &normal, &why);
    if (error)
        return error < 0 ? error : -EINVAL; /* "normal" always compiles */
    install(run, normal, APPLY_ALL, true, NULL);
    return 0;
}

/* --- Marks */

/* Says that a mark had no effect. */
static void warn_of_mark(struct run *run, const char *name)
{
    ledger_begin(run->shared.ledger, EV_WARNING, 0, 0);
    ledger_text(run->shared.ledger, F_NAME, name);
    ledger_text(run->shared.ledger, F_WHY, "no rule waits for this mark now");
    ledger_commit(run->shared.ledger);
}

static unsigned fire_mark(struct run *run, const char *name)
{
    unsigned woken = 0;
    for (struct link *i = run->sessions.next; i != &run->sessions; i = i->next)
        woken += mode_mark(&link_entry(i, struct session, link)->mode, name);
    woken += listening_mark(run, name);
    if (woken == 0)
        warn_of_mark(run, name);
    return woken;
}

int run_mark(struct run *run, const char *name, int64_t from, uint64_t *seq, unsigned *rules,
             struct refusal *why)
{
    struct ledger *l = run->shared.ledger;
    if (!mode_name_ok(name))
        return refuse(why, "$.mark", MODE_NAME_ALLOWED, "this cannot be a mark's name");
    ledger_begin(l, EV_MARK, 0, 0);
    ledger_text(l, F_NAME, name);
    ledger_word(l, F_SOURCE, SOURCE_ADMIN);
    ledger_int(l, F_FROM, ledger_age(l, from));
    ledger_int(l, F_TO, ledger_age(l, clock_now()));
    *seq = ledger_commit(l);
    *rules = fire_mark(run, name);
    return 0;
}

/* Marks that requests have set while an engine was at work. */
struct later {
    struct link link;
    char name[MODE_NAME_SIZE];
};

static void marking_reached(struct timer *m, int64_t late)
{
    struct run *run = link_entry(m, struct run, marking);
    while (!link_empty(&run->marks)) {
        struct later *next = link_entry(run->marks.next, struct later, link);
        link_remove(&next->link);
        fire_mark(run, next->name);
        free(next);
    }
}

static void drop_marks(struct run *run)
{
    timer_cancel(&run->marking);
    while (!link_empty(&run->marks)) {
        struct later *next = link_entry(run->marks.next, struct later, link);
        link_remove(&next->link);
        free(next);
    }
}

static void mark_by_request(struct session_shared *shared, const char *name, bool now)
{
    struct run *run = link_entry(shared, struct run, shared);
    struct later *later = now ? NULL : calloc(1, sizeof *later);
    if (!later) {
        if (now)
            fire_mark(run, name);
        return;
    }
    snprintf(later->name, sizeof later->name, "%s", name);
    link_append(&run->marks, &later->link);
    run->marking.reached = marking_reached;
    timer_at(&run->marking, clock_now());
}

/* --- Connections */

uint32_t run_next_number(const struct run *run)
{
    return run->number < UINT32_MAX ? run->number + 1 : run->number;
}

void run_accept(void *owner, int fd, const struct sockaddr *peer, socklen_t len)
{
    static struct log_gate gate;
    const struct run_listener *listener = owner;
    struct run *run = listener->run;
    uint32_t number = run_next_number(run);
    struct session *s;
    int error = session_accept(&run->shared, listener, number, fd, peer, len, &s);
    if (error) {
        log_sometimes(&gate, LOG_ERROR, "a connection was turned away: %s", strerror(-error));
        close(fd);
        return;
    }
    run->number = number;
    link_append(&run->sessions, &s->link);
    run->session_count++;
    listening_look(run);
    session_begin(s);
}

struct session *run_find(const struct run *run, uint64_t id)
{
    for (struct link *i = run->sessions.next; i != &run->sessions; i = i->next) {
        struct session *s = link_entry(i, struct session, link);
        if (s->xs.id == id)
            return s;
    }
    return NULL;
}

void run_cursor_open(struct run *run, struct run_cursor *cursor)
{
    struct link *newest = link_empty(&run->sessions) ? NULL : run->sessions.prev;
    cursor->run = run;
    cursor->next = run->sessions.next;
    cursor->last_id = newest ? link_entry(newest, struct session, link)->xs.id : 0;
    link_append(&run->cursors, &cursor->link);
}

void run_cursor_close(struct run_cursor *cursor)
{
    link_remove(&cursor->link);
}

struct session *run_cursor_next(struct run_cursor *cursor)
{
    if (!cursor->run || cursor->next == &cursor->run->sessions)
        return NULL;
    struct session *s = link_entry(cursor->next, struct session, link);
    if (s->xs.id > cursor->last_id)
        return NULL;
    cursor->next = cursor->next->next;
    return s;
}

bool run_cursor_write(struct run_cursor *cursor, const char *separator, struct buf *out)
{
    struct session *s = run_cursor_next(cursor);
    if (!s)
        return false;
    buf_text(out, separator);
    session_write(s, out);
    return true;
}

int run_connection(const struct run *run, uint64_t id, struct buf *out)
{
    struct session *s = run_find(run, id);
    if (!s)
        return RUN_NO_CONNECTION;
    session_write(s, out);
    return out->failed ? -ENOMEM : 0;
}

size_t run_connection_count(const struct run *run)
{
    return run->session_count;
}

bool run_is_awaited(const struct run *run)
{
    for (struct link *i = run->sessions.next; i != &run->sessions; i = i->next) {
        if (!session_is_settled(link_entry(i, struct session, link)))
            return true;
    }
    return false;
}

size_t run_open_exchanges(const struct run *run)
{
    size_t count = 0;
    for (const struct link *i = run->sessions.next; i != &run->sessions; i = i->next)
        count += link_entry(i, struct session, link)->xs.open;
    return count;
}

/* --- The end */

#define PART_TURNS 10 /* of the loop, in which new clients may come again and again */

void run_abort(struct run *run)
{
    for (struct link *i = run->sessions.next; i != &run->sessions; i = i->next) {
        wire_abort(link_entry(i, struct session, link)->xs.wire, BY_SHUTDOWN, HOW_AS_SEEN);
    }
}

static void grace_over(struct timer *m, int64_t late)
{
    struct run *run = link_entry(m, struct run, grace);
    struct run_waiter *over = run->part_over;
    if (!run->done && over) {
        run_abort(run);
        if (!link_empty(&run->sessions) && run->part_turns++ < PART_TURNS) {
            timer_at(m, clock_now()); /* what is over is gone by then */
            return;
        }
        run->part_over = NULL;
        attempts_clear(run->shared.attempts);
        over->settled(over);
    } else if (!link_empty(&run->sessions)) {
        run_abort(run);
    } else {
        run->done(run->done_arg);
    }
}

static void end_gracefully(struct run *run, int64_t grace_ns)
{
    for (struct link *i = run->sessions.next; i != &run->sessions; i = i->next)
        session_shutdown(link_entry(i, struct session, link));
    run->grace.reached = grace_over;
    timer_at(&run->grace, link_empty(&run->sessions) ? clock_now() : clock_now() + grace_ns);
}

void run_end_connections(struct run *run, int64_t grace_ns, struct run_waiter *over)
{
    run_settle(run);
    run->part_over = over;
    run->part_turns = 0;
    end_gracefully(run, grace_ns);
}

void run_shutdown(struct run *run, int64_t grace_ns, void (*done)(void *arg), void *arg)
{
    run->done = done;
    run->done_arg = arg;
    run->part_over = NULL;
    run_settle(run); /* somebody may wait for that */
    listening_stop(run);
    end_gracefully(run, grace_ns);
}
