/* runtime.c - rules that fire, and the scripts they become.
 *
 * What holds everywhere here:
 *
 * A script is on its connection's list from its birth to its end, so that the end of an exchange or
 * of the connection finds it also while one of its steps runs. Steps call verbs, verbs call hosts,
 * and hosts may come back in (mode_fire, mode_busy, mode_exchange_over); but no host ends the
 * connection from inside, so a script and its connection outlive the step. An exchange may not:
 * script->mx is looked at anew after every step.
 *
 * "Fire" happens in two ways. From inside an engine's callback (mode_fire) steps run at once, but
 * those that let an engine go on (heal, resume) wait for the loop: they may start any number of
 * exchanges, each of which may fire again. From the loop (moments, mode_run) everything runs.
 *
 * The idle moment is lazy. A busy connection leaves it armed; when it is reached too soon, it is
 * armed for the time that is right by then, or left alone when the connection is busy. So a request
 * on a connection with an idle rule costs two assignments and a comparison. It can be armed too
 * early, never too late, and no rule fires before its time.
 */
#include "modes/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "ledger/ledger.h"
#include "modes/language.h"

/* A client that makes rules fire faster than their scripts end must not fill the memory. */
#define SCRIPTS_MAX 1024

#define ON_TIME INT64_MIN /* lateness of what was not due at a moment */

struct script {
    struct link link;
    struct moment moment;
    struct mode_conn *mc;
    struct mode_program *program;
    const struct mode_rule *rule;
    const char *trigger;
    struct mode_exchange *mx; /* NULL: none, or it is over */
    uint32_t nth;             /* its number, also when it is over */
    unsigned next;            /* step */
    bool gating;              /* a delay's gate is closed until the moment */
};

static struct log_gate no_memory_gate, too_many_gate;

static void log_no_memory(const struct mode_conn *mc)
{
    log_sometimes(&no_memory_gate, LOG_WARN, "connection %llu: a rule did not fire: out of memory",
                  (unsigned long long)mc->id);
}

/* --- Scripts */

static bool script_run(struct script *s, bool from_loop, int64_t late);

static void script_reached(struct moment *m, int64_t late)
{
    script_run(link_entry(m, struct script, moment), true, late);
}

static struct script *script_create(struct mode_conn *mc, struct mode_program *program,
                                    const struct mode_rule *rule, struct mode_exchange *mx,
                                    const char *trigger)
{
    struct script *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->moment.reached = script_reached;
    s->mc = mc;
    s->program = mode_ref(program);
    s->rule = rule;
    s->trigger = trigger;
    s->mx = mx;
    s->nth = mx ? mx->ex->nth : 0;
    link_append(&mc->scripts, &s->link);
    mc->script_count++;
    return s;
}

static void script_destroy(struct script *s)
{
    s->mc->script_count--;
    link_remove(&s->link);
    moment_cancel(&s->moment);
    mode_unref(s->program);
    free(s);
}

static void ledger_step(const struct script *s, const struct mode_step *step, int64_t late)
{
    struct ledger *l = s->mc->ledger;
    ledger_begin(l, EV_FAULT, s->mc->id, s->nth);
    ledger_text(l, F_MODE_NAME, s->program->name);
    ledger_int(l, F_RULE, s->rule->number);
    ledger_text(l, F_TRIGGER, s->trigger);
    ledger_text(l, F_STEP, step->row->name);
    ledger_text(l, F_ARGUMENTS, step->arguments);
    if (late != ON_TIME)
        ledger_int(l, F_LATE, late);
    ledger_commit(l);
}

/* Says that a fault which was announced did not happen. state: before it was tried. */
static void ledger_failed(const struct script *s, const struct mode_step *step, int outcome,
                          enum wire_state state)
{
    char why[96];
    if (outcome == STEP_SKIPPED)
        snprintf(why, sizeof why, "skipped: it belongs to TLS, and the connection is clear");
    else if (outcome == WIRE_TOO_LATE && (state == WIRE_OPEN || state == WIRE_HANDSHAKE))
        snprintf(why, sizeof why, "nothing to do: the connection is %s", wire_state_name(state));
    else if (outcome == WIRE_TOO_LATE)
        snprintf(why, sizeof why, "too late: the connection was already %s",
                 wire_state_name(state));
    else
        snprintf(why, sizeof why, "%s", strerror(-outcome));
    struct ledger *l = s->mc->ledger;
    ledger_begin(l, EV_FAULT_DONE, s->mc->id, s->nth);
    ledger_text(l, F_STEP, step->row->name);
    ledger_text(l, F_WHY, why);
    ledger_commit(l);
}

static enum wire_state state_of(const struct mode_conn *mc)
{
    return mc->wire ? wire_state(mc->wire) : WIRE_CLOSED;
}

/* Does a step that takes no time. *silenced becomes whether the connection is out of service by it.
 */
static void step_do(struct script *s, const struct mode_step *step, bool *silenced)
{
    struct mode_conn *mc = s->mc;
    enum wire_state before = state_of(mc);
    /* What was answered before this step goes out before it. HTTP/1.1 has one exchange at a time,
     * whose bytes left before the next one began. */
    if (step->row->effect != EFFECT_NONE && s->rule->slot > ON_HANDSHAKE && mc->over == OVER_H2 &&
        before == WIRE_OPEN)
        engine_pump(mc->engine);
    int outcome = step->row->exec(mc, s->mx, s->program, step);
    if (outcome) {
        ledger_failed(s, step, outcome, before);
        return;
    }
    switch (step->row->effect) {
    case EFFECT_NONE:
        break;
    case EFFECT_RESUMES:
        *silenced = false;
        mc->calls->resumed(mc->host);
        break;
    case EFFECT_SILENCES:
    case EFFECT_ENDS:
    case EFFECT_DESTROYS:
        *silenced = true;
        mc->calls->silenced(mc->host, step->row->effect != EFFECT_SILENCES);
        break;
    }
}

/* Arms the moment of a step that takes time; for "never", or without memory, the script ends here.
 */
static void step_pause(struct script *s, const struct mode_step *step)
{
    int64_t ns = step->arg[0].number;
    if (ns == DURATION_NEVER)
        return;
    int error = moment_at(&s->moment, clock_now() + ns);
    if (!error) {
        s->gating = step->row->gates;
        return;
    }
    ledger_failed(s, step, error, state_of(s->mc));
    if (step->row->gates)
        s->mx->gates--;
}

/* One step. Returns whether the script goes on with the next one now. */
static bool script_step(struct script *s, bool from_loop, int64_t late, bool *silenced)
{
    if (s->next == s->rule->step_count || state_of(s->mc) == WIRE_CLOSED)
        return false;
    const struct mode_step *step = &s->rule->steps[s->next];
    const struct step_row *row = step->row;
    if (row->from_loop && !from_loop) {
        if (moment_at(&s->moment, clock_now()) != 0)
            log_no_memory(s->mc);
        return false;
    }
    s->next++;
    if (row->in_exchange && !s->mx)
        return true;
    if (row->fault)
        ledger_step(s, step, late);
    if (row->gates)
        s->mx->gates++;
    if (row->pauses) {
        step_pause(s, step);
        return false;
    }
    if (row->exec)
        step_do(s, step, silenced);
    return true;
}

/* Runs what can run now; frees the script at its end. Returns whether the connection was taken out
 * of service. A gate that opened is told last, when the steps behind it had their say on the
 * answer. */
static bool script_run(struct script *s, bool from_loop, int64_t late)
{
    struct mode_conn *mc = s->mc;
    bool opened = s->gating, silenced = false;
    s->gating = false;
    if (opened && s->mx)
        s->mx->gates--;
    while (script_step(s, from_loop, late, &silenced))
        ;
    struct mode_exchange *mx = opened ? s->mx : NULL;
    if (!moment_armed(&s->moment))
        script_destroy(s);
    if (mx && mx->gates == 0)
        mc->calls->released(mc->host, mx);
    return silenced;
}

/* --- Rules */

/* Counts this firing of a rule with a limit. False: it has fired often enough. */
static bool may_fire(struct mode_conn *mc, const struct mode_rule *rule)
{
    if (rule->times == UINT32_MAX)
        return true;
    if (!mc->fired) {
        mc->fired = calloc(mc->program->rule_count, sizeof *mc->fired);
        if (!mc->fired) {
            log_no_memory(mc);
            return false;
        }
    }
    if (mc->fired[rule->number] >= rule->times)
        return false;
    mc->fired[rule->number]++;
    return true;
}

/* Fires a rule if it fits. Returns whether the connection was taken out of service. */
static bool fire_rule(struct mode_conn *mc, struct mode_program *program,
                      const struct mode_rule *rule, struct mode_exchange *mx, bool from_loop,
                      int64_t late)
{
    if (rule->over != OVER_BOTH && rule->over != mc->over)
        return false;
    if (mx && (mx->ex->nth < rule->nth_first || mx->ex->nth > rule->nth_last))
        return false;
    if (state_of(mc) == WIRE_CLOSED)
        return false;
    if (mc->script_count >= SCRIPTS_MAX) {
        log_sometimes(&too_many_gate, LOG_WARN,
                      "connection %llu: a rule did not fire: %u scripts run already",
                      (unsigned long long)mc->id, mc->script_count);
        return false;
    }
    if (!may_fire(mc, rule))
        return false;
    struct script *s = script_create(mc, program, rule, mx, rule->on);
    if (!s) {
        log_no_memory(mc);
        return false;
    }
    return script_run(s, from_loop, late);
}

void mode_fire(struct mode_conn *mc, enum trigger_slot slot, struct mode_exchange *mx)
{
    if (!mode_has(mc->program, slot))
        return;
    struct mode_program *program = mode_ref(mc->program);
    bool silenced = false;
    for (unsigned i = 0; i < program->by_slot[slot].count; i++) {
        if (silenced || mc->program != program || (mx && mx->over))
            break;
        silenced = fire_rule(mc, program, program->by_slot[slot].rules[i], mx, false, ON_TIME);
    }
    mode_unref(program);
}

int mode_run(struct mode_conn *mc, struct mode_program *program, const char *by)
{
    struct script *s = script_create(mc, program, &program->rules[0], NULL, by);
    if (!s)
        return -ENOMEM;
    script_run(s, true, ON_TIME);
    return 0;
}

/* --- Idle and age: rules in the order they fall due, counted off in *done from the moment since */

/* Arms m for the next of the rules, unless it is armed for that or earlier. */
static void arm(struct mode_conn *mc, struct moment *m, enum trigger_slot slot, int64_t since,
                uint32_t done)
{
    if (since == MOMENT_NONE || done >= mc->program->by_slot[slot].count)
        return;
    int64_t due = since + mc->program->by_slot[slot].rules[done]->after;
    if ((!moment_armed(m) || m->due > due) && moment_at(m, due) != 0)
        log_no_memory(mc);
}

/* Fires what is due at now. armed_for: the moment that was reached; a rule that became part of the
 * connection after its time is late against that. */
static void fire_due(struct mode_conn *mc, enum trigger_slot slot, const int64_t *since,
                     uint32_t *done, int64_t now, int64_t armed_for)
{
    struct mode_program *program = mode_ref(mc->program);
    int64_t began = *since;
    bool silenced = false;
    /* A step may end the spell or begin another one. */
    while (mc->program == program && *since == began && *done < program->by_slot[slot].count) {
        const struct mode_rule *rule = program->by_slot[slot].rules[*done];
        int64_t due = began + rule->after;
        if (due > now)
            break;
        ++*done;
        if (!silenced)
            silenced =
                fire_rule(mc, program, rule, NULL, true, now - (due > armed_for ? due : armed_for));
    }
    mode_unref(program);
}

static void idle_reached(struct moment *m, int64_t late)
{
    struct mode_conn *mc = link_entry(m, struct mode_conn, idle);
    int64_t armed_for = m->due;
    if (mc->idle_since == MOMENT_NONE)
        return;
    if (mc->wire && wire_unread(mc->wire) > 0) { /* not idle: the loop has yet to read it */
        if (moment_at(m, clock_now() + NS_PER_MS) != 0)
            log_no_memory(mc);
        return;
    }
    fire_due(mc, ON_IDLE, &mc->idle_since, &mc->idle_done, armed_for + late, armed_for);
    arm(mc, &mc->idle, ON_IDLE, mc->idle_since, mc->idle_done);
}

static void age_reached(struct moment *m, int64_t late)
{
    struct mode_conn *mc = link_entry(m, struct mode_conn, age);
    int64_t armed_for = m->due;
    fire_due(mc, ON_AGE, &mc->accepted_at, &mc->age_done, armed_for + late, armed_for);
    arm(mc, &mc->age, ON_AGE, mc->accepted_at, mc->age_done);
}

void mode_idle(struct mode_conn *mc, int64_t since)
{
    mc->idle_since = since;
    mc->idle_done = 0;
    arm(mc, &mc->idle, ON_IDLE, since, 0);
}

void mode_busy(struct mode_conn *mc)
{
    mc->idle_since = MOMENT_NONE;
}

/* --- The connection and its exchanges */

void mode_conn_init(struct mode_conn *mc, const struct mode_host *calls, void *host,
                    struct ledger *ledger, uint64_t id, struct mode_program *program)
{
    mc->calls = calls;
    mc->host = host;
    mc->ledger = ledger;
    mc->id = id;
    mc->program = mode_ref(program);
    mc->fired = NULL;
    mc->accepted_at = clock_now();
    mc->goaway_at = mc->idle_since = MOMENT_NONE;
    mc->idle = (struct moment){ .reached = idle_reached };
    mc->age = (struct moment){ .reached = age_reached };
    mc->idle_done = mc->age_done = 0;
    link_init(&mc->scripts);
    mc->script_count = 0;
    arm(mc, &mc->age, ON_AGE, mc->accepted_at, 0);
}

void mode_conn_stop_scripts(struct mode_conn *mc)
{
    while (!link_empty(&mc->scripts))
        script_destroy(link_entry(mc->scripts.next, struct script, link));
}

void mode_conn_finish(struct mode_conn *mc)
{
    moment_cancel(&mc->idle);
    moment_cancel(&mc->age);
    mode_conn_stop_scripts(mc);
    mode_unref(mc->program);
    mc->program = NULL;
    free(mc->fired);
    mc->fired = NULL;
}

/* Arms m for the first rule of a new program, from now when that is overdue. */
static void arm_anew(struct mode_conn *mc, struct moment *m, enum trigger_slot slot, int64_t since,
                     int64_t now)
{
    moment_cancel(m);
    if (since == MOMENT_NONE || !mode_has(mc->program, slot))
        return;
    int64_t due = since + mc->program->by_slot[slot].rules[0]->after;
    if (moment_at(m, due > now ? due : now) != 0)
        log_no_memory(mc);
}

void mode_conn_set(struct mode_conn *mc, struct mode_program *program)
{
    mode_ref(program);
    mode_unref(mc->program);
    mc->program = program;
    free(mc->fired);
    mc->fired = NULL;
    mc->idle_done = mc->age_done = 0;
    int64_t now = clock_now();
    arm_anew(mc, &mc->idle, ON_IDLE, mc->idle_since, now);
    arm_anew(mc, &mc->age, ON_AGE, mc->accepted_at, now);
}

void mode_exchange_over(struct mode_exchange *mx)
{
    struct mode_conn *mc = mx->conn;
    for (struct link *l = mc->scripts.next; l != &mc->scripts; l = l->next) {
        struct script *s = link_entry(l, struct script, link);
        if (s->mx == mx)
            s->mx = NULL;
    }
    mode_unref(mx->program);
    mx->program = NULL;
    mx->instead = NULL;
    mx->over = true;
}
