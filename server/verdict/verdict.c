/* verdict.c - the records of a run as they come: to which phase each belongs, and what the run says
 * of itself.
 *
 * Each phase has a history of its own. A record of a connection belongs to the phase in which that
 * was opened, also when it comes later; all others to the current phase.
 */
#include "verdict/verdict.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "verdict/verdict_parts.h"

#define GRACE (100 * NS_PER_MS)

/* --- Made and ended */

static void phase_destroy(struct phase *p)
{
    if (!p)
        return;
    history_destroy(p->h);
    control_destroy(p->control);
    account_finish(&p->account);
    free(p);
}

struct verdict *verdict_create(const struct verdict_config *config)
{
    struct verdict *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->config = *config;
    v->time_scale = 1;
    v->next = v->worked_at = NEVER;
    v->dirty = true;
    if (expect_read_text(expect_default, EXPECT_DEFAULT_COUNT, &v->expect, NULL) == 0)
        return v;
    verdict_destroy(v);
    return NULL;
}

void verdict_destroy(struct verdict *v)
{
    if (!v)
        return;
    verdict_drop_work(v);
    for (int i = 0; i < PHASE_COUNT; i++)
        phase_destroy(v->phases[i]);
    expect_free(v->expect);
    json_decref(v->mode);
    json_decref(v->params);
    free(v);
}

/* --- Phases */

static struct phase *begin_phase(struct verdict *v, enum ledger_phase which, uint64_t seq)
{
    const struct history_config config = { .grace = GRACE,
                                           .attempts = v->config.attempts,
                                           .connections = v->config.connections,
                                           .faults = v->config.faults };
    struct phase *p = calloc(1, sizeof *p);
    if (!p || !(p->h = history_create(&config))) {
        free(p);
        v->failed = true;
        return NULL;
    }
    *p = (struct phase){ .phase = which,
                         .h = p->h,
                         .first_seq = seq,
                         .first_connection = v->last_connection + 1,
                         .begun = v->age,
                         .ended = NEVER,
                         .exited = NEVER,
                         .status = -1,
                         .gap = v->missing_count > 0, /* a control may have been in it */
                         .untold = v->missing_count > 0 };
    if (v->current && v->current->ended == NEVER)
        v->current->ended = v->age;
    if (v->current && v->current->running)
        v->current->disturbed = p->disturbed = p->running = p->started = true;
    history_commanded(p->h, p->started);
    verdict_drop_work(v); /* which points into a phase that may go now */
    phase_destroy(v->phases[which]);
    v->phases[which] = v->current = p;
    history_skip(p->h, seq - 1);
    return p;
}

/* The current phase; what says nothing of phases is one phase "fault". */
static struct phase *current_phase(struct verdict *v, uint64_t seq)
{
    return v->current || v->failed ? v->current : begin_phase(v, PHASE_FAULT, seq);
}

static struct phase *phase_of(struct verdict *v, const struct ledger_record *r)
{
    struct phase *now = current_phase(v, r->seq);
    if (!now || !r->connection || r->connection >= now->first_connection)
        return now;
    struct phase *found = NULL;
    for (int i = 0; i < PHASE_COUNT; i++) {
        struct phase *p = v->phases[i];
        if (p && p->first_connection <= r->connection &&
            (!found || p->first_connection > found->first_connection))
            found = p;
    }
    return found; /* NULL: it is from before all of them */
}

/* --- What is missing */

static void note_missing(struct verdict *v, uint64_t first, uint64_t last)
{
    if (v->missing_count < MISSING_MAX)
        v->missing[v->missing_count++] = (struct gap){ .first = first };
    v->missing[v->missing_count - 1].last = last;
}

void verdict_gap(struct verdict *v, uint64_t first, uint64_t last)
{
    if (last <= v->last_seq || last < first)
        return;
    first = first > v->last_seq ? first : v->last_seq + 1;
    note_missing(v, first, last);
    if (!v->started && !v->current)
        v->expected_unknown = true;
    for (int i = 0; i < PHASE_COUNT; i++) {
        struct phase *p = v->phases[i];
        if (!p)
            continue;
        history_skip(p->h, first - 1);
        history_gap(p->h, first, last);
        p->gap = true;
    }
    if (v->current && v->current->closed) { /* another command may have been started in it */
        v->current->closed = false;
        v->current->ended = NEVER;
    }
    v->last_seq = last;
    v->dirty = true;
}

/* Events come behind a gap. What is expected may have been changed in it, and a phase begun, until
 * an event says by what it is judged. */
static void behind_gap(struct verdict *v)
{
    v->expected_untold = true;
    if (v->current)
        v->current->untold = true;
}

static void on_circumstances(struct verdict *v, const struct ledger_record *r)
{
    struct ledger_value expected;
    if (!ledger_value(r, F_EXPECTED_SEQ, &expected))
        return;
    v->expected_untold = (uint64_t)expected.number != v->expected_seq;
    if (v->current)
        v->current->untold = (uint64_t)ledger_number(r, F_PHASE_SEQ, 0) != v->current->seq;
}

/* --- What the run says of itself */

static void keep_text(const struct ledger_record *r, enum ledger_field field, char *out,
                      size_t size)
{
    struct ledger_value value;
    if (ledger_value(r, field, &value))
        snprintf(out, size, "%.*s", (int)(value.len < size ? value.len : size - 1), value.bytes);
}

static json_t *keep_json(const struct ledger_record *r, enum ledger_field field)
{
    struct ledger_value value;
    return ledger_value(r, field, &value)
               ? json_loadb(value.bytes, value.len, JSON_DECODE_ANY, NULL)
               : NULL;
}

static void keep_scale(struct verdict *v, const struct ledger_record *r)
{
    struct ledger_value value;
    if (ledger_value(r, F_TIME_SCALE, &value))
        v->time_scale = value.real;
}

static void on_expectations(struct verdict *v, const struct ledger_record *r)
{
    json_t *list = keep_json(r, F_EXPECTATIONS);
    struct expect *expect = NULL;
    struct ledger_value origin;
    bool usual =
        !list && (!ledger_value(r, F_ORIGIN, &origin) || ledger_text_is(r, F_ORIGIN, "default"));
    int error = list    ? expect_read(list, &expect, NULL)
                : usual ? expect_read_text(expect_default, EXPECT_DEFAULT_COUNT, &expect, NULL)
                        : -1;
    json_decref(list);
    v->expected_seq = r->seq;
    v->expected_untold = false;
    v->expected_unknown = error != 0;
    if (error)
        return;
    verdict_drop_work(v);
    expect_free(v->expect);
    v->expect = expect;
}

static void on_run_start(struct verdict *v, const struct ledger_record *r)
{
    v->started = true;
    keep_text(r, F_RUN, v->run, sizeof v->run);
    keep_text(r, F_VERSION, v->version, sizeof v->version);
    int64_t over = ledger_number(r, F_OVER, -1);
    if (over >= 0)
        snprintf(v->over, sizeof v->over, "%s", ledger_word_name(F_OVER, over));
    keep_scale(v, r);
    v->relayed = ledger_number(r, F_RELAYED, 0) != 0;
    v->control_meant = ledger_number(r, F_CONTROL, 0) != 0;
    on_expectations(v, r);
}

/* The mode that a phase with a fault is in; those of single connections, and the control's normal,
 * are not the run's. */
static void on_mode(struct verdict *v, const struct ledger_record *r)
{
    bool control = v->current && v->current->phase == PHASE_CONTROL;
    if (r->connection || (control && ledger_text_is(r, F_MODE_NAME, "normal")))
        return;
    struct ledger_value name;
    json_decref(v->mode);
    json_decref(v->params);
    v->mode = ledger_value(r, F_MODE_NAME, &name) ? json_stringn(name.bytes, name.len) : NULL;
    v->params = keep_json(r, F_PARAMS);
    keep_scale(v, r);
}

static void on_command_exit(struct verdict *v, const struct ledger_record *r)
{
    struct phase *p = current_phase(v, r->seq);
    if (!p)
        return;
    p->disturbed |= !p->running && v->cleared; /* it was started before the reset */
    p->running = false;
    p->exited = r->age;
    p->status = (int)ledger_number(r, F_EXIT_STATUS, -1);
    p->killed = ledger_number(r, F_KILLED, 0) != 0;
}

/* Whether something of it is final, as nobody told of a command nor gave an account. */
static bool has_final(struct verdict *v, const struct phase *p)
{
    const struct work *w =
        !p->started && !account_given(&p->account) && verdict_work(v) ? &v->works[p->phase] : NULL;
    for (size_t i = 0; w && i < w->check_count; i++) {
        if (w->checks[i].final)
            return true;
    }
    return false;
}

/* A line that comes when all is final is none of the account any more; nor is one of an account
 * that begins when something is. */
static void on_report(struct verdict *v, const struct ledger_record *r)
{
    struct phase *p = current_phase(v, r->seq);
    struct ledger_value line;
    if (!p || phase_is_closed(v, p, r->age))
        return;
    p->account_late |= has_final(v, p);
    if (p->account_late)
        return;
    if (ledger_value(r, F_REPORT, &line))
        account_add(&p->account, line.bytes, line.len, r->seq, r->age);
    else
        p->account.broken = true;
}

static void on_command_start(struct verdict *v, const struct ledger_record *r)
{
    struct phase *p = current_phase(v, r->seq);
    struct ledger_value steps;
    if (p) {
        phase_reopen(p);
        p->started = p->running = true;
        history_commanded(p->h, true);
    }
    v->cleared = false;
    if (p && ledger_value(r, F_STEPS, &steps))
        account_steps(&p->account, steps.bytes, steps.len);
}

/* The harness begins anew, and what was missing before does not matter any more, but for what may
 * have been expected in it. */
static void on_cleared(struct verdict *v, const struct ledger_record *r)
{
    v->missing_count = 0;
    v->cleared = true;
    if (!v->current) {
        v->expected_unknown |= r->seq > 1 && !v->started;
        return;
    }
    v->current->untold = false;
    v->current->seq = 0;
    account_finish(&v->current->account);
    v->current->disturbed = v->current->started = v->current->running;
    history_commanded(v->current->h, v->current->running);
    phase_reopen(v->current);
    v->current->gap = false;
    v->current->begun = r->age;
    v->current->first_seq = r->seq;
}

static void on_phase(struct verdict *v, const struct ledger_record *r)
{
    struct phase *p =
        begin_phase(v, (enum ledger_phase)ledger_number(r, F_PHASE, PHASE_FAULT), r->seq);
    if (p) {
        p->seq = r->seq;
        p->untold = false;
    }
}

/* What is about the run and not about a connection. */
static void about_run(struct verdict *v, const struct ledger_record *r)
{
    on_circumstances(v, r);
    switch (r->event) {
    case EV_RUN_START:
        on_run_start(v, r);
        break;
    case EV_EXPECTATIONS:
        on_expectations(v, r);
        if (v->current && v->current->running)
            v->current->disturbed = true;
        break;
    case EV_PHASE:
        on_phase(v, r);
        break;
    case EV_MODE:
        on_mode(v, r);
        break;
    case EV_PLAN:
        keep_scale(v, r);
        break;
    case EV_COMMAND_START:
        on_command_start(v, r);
        break;
    case EV_COMMAND_EXIT:
        on_command_exit(v, r);
        break;
    case EV_REPORT:
        on_report(v, r);
        break;
    case EV_CLEARED:
        on_cleared(v, r);
        break;
    case EV_RUN_END:
        v->run_over = true;
        break;
    default:
        break;
    }
}

/* --- Records */

/* What changes nothing about the histories: it does not begin a phase. */
static bool is_aside(enum ledger_event event)
{
    return event == EV_RUN_START || event == EV_EXPECTATIONS || event == EV_MODE ||
           event == EV_PLAN || event == EV_WARNING || event == EV_RUN_END ||
           event == EV_SERVER_PAUSED;
}

#define OF(event) (UINT64_C(1) << (event))
/* What is about the run, or is not of one connection. */
static const uint64_t about_all = OF(EV_RUN_START) | OF(EV_EXPECTATIONS) | OF(EV_PHASE) |
                                  OF(EV_MODE) | OF(EV_PLAN) | OF(EV_COMMAND_START) |
                                  OF(EV_COMMAND_EXIT) | OF(EV_REPORT) | OF(EV_CLEARED) |
                                  OF(EV_RUN_END) | OF(EV_WARNING) | OF(EV_GAP);
static_assert(EV_COUNT <= 64, "each event has a bit");

/* Nearly all records: the next one, of a connection of the phase that goes on. */
static bool is_usual(const struct verdict *v, const struct ledger_record *r)
{
    const struct phase *p = v->current;
    return p && !(about_all >> r->event & 1) && r->seq == v->last_seq + 1 &&
           r->connection >= p->first_connection && p->exited == NEVER;
}

static void feed_usual(struct verdict *v, const struct ledger_record *r)
{
    v->last_seq = r->seq;
    v->age = r->age > v->age ? r->age : v->age;
    v->dirty = true;
    if (r->connection > v->last_connection)
        v->last_connection = r->connection;
    history_feed_next(v->current->h, r);
}

/* Out of the way of the usual. */
static __attribute__((noinline)) void feed_other(struct verdict *v, const struct ledger_record *r)
{
    if (r->event == EV_GAP) {
        verdict_gap(v, (uint64_t)ledger_number(r, F_FIRST_SEQ, 1),
                    (uint64_t)ledger_number(r, F_LAST_SEQ, 0));
        v->last_seq = r->seq > v->last_seq ? r->seq : v->last_seq;
        behind_gap(v);
        return;
    }
    if (r->seq <= v->last_seq)
        return;
    if (r->seq > v->last_seq + 1 && !(r->event == EV_CLEARED && v->last_seq == 0)) {
        verdict_gap(v, v->last_seq + 1, r->seq - 1);
        behind_gap(v);
    }
    v->last_seq = r->seq;
    v->age = r->age > v->age ? r->age : v->age;
    v->dirty = true;
    about_run(v, r);
    struct phase *p = !v->current && is_aside(r->event) ? NULL : phase_of(v, r);
    bool begins = r->connection == 0 || r->connection > v->last_connection;
    if (p && p == v->current && begins)
        phase_close(v, p, r->age);
    bool behind = p && p->closed && (r->connection == 0 || r->connection > p->last_connection);
    if (r->connection > v->last_connection)
        v->last_connection = r->connection;
    if (!p)
        return;
    history_skip(p->h, behind ? r->seq : r->seq - 1);
    history_feed(p->h, r);
}

void verdict_feed(struct verdict *v, const struct ledger_record *r)
{
    if (v->failed)
        return;
    if (is_usual(v, r))
        feed_usual(v, r);
    else
        feed_other(v, r);
}

void verdict_now(struct verdict *v, int64_t age)
{
    if (!v->run_over) /* else all is as it was then, whenever that is asked for */
        v->age = age > v->age ? age : v->age;
}

/* --- Asking */

enum outcome verdict_outcome(struct verdict *v, bool *final)
{
    bool worked = verdict_work(v);
    if (final)
        *final = worked && v->final;
    return worked ? v->outcome : OUTCOME_INCONCLUSIVE;
}

int64_t verdict_next(struct verdict *v)
{
    return verdict_work(v) ? v->next : NEVER;
}

const char *verdict_outcome_name(enum outcome outcome)
{
    static const char *const names[] = { "n/a", "pass", "inconclusive", "fail" };
    return names[outcome];
}

const char *verdict_phase_name(enum ledger_phase phase)
{
    return ledger_word_name(F_PHASE, phase);
}
