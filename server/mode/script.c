/* script.c - a rule that has fired, or waits for its timer: its steps, one after the other.
 *
 * What holds everywhere here:
 *
 * A script is on its connection's list from its birth to its end, so that the end of an exchange or
 * of the connection finds it also while one of its steps runs. Steps call verbs, verbs call hosts,
 * and hosts may come back in (mode_fire, mode_busy, mode_exchange_over); but no host ends the
 * connection from inside, so a script and its connection outlive the step. An exchange may not:
 * script->mx is looked at anew after every step.
 *
 * From inside an engine's callback steps run at once, but those that make an engine continue (heal,
 * resume) wait for the loop: they may start any number of exchanges, each of which may fire again.
 * From the loop (timers, mode_run, mode_mark) everything runs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "ledger/ledger.h"
#include "mode/runtime_impl.h"

void mode_log_no_memory(const struct mode_conn *mc)
{
    static struct log_gate no_memory_gate;
    log_sometimes(&no_memory_gate, LOG_WARN, "connection %llu: a rule did not fire: out of memory",
                  (unsigned long long)mc->id);
}

static void script_reached(struct timer *m, int64_t late)
{
    struct script *s = link_entry(m, struct script, timer);
    if (s->waiting && has_caught_up(s->mc))
        return;
    if (s->waiting && !mode_rule_fires(s->mc, s->rule)) {
        script_destroy(s);
        return;
    }
    s->waiting = false;
    script_run(s, true, late);
}

struct script *script_create(struct mode_conn *mc, struct mode_program *program,
                             const struct mode_rule *rule, struct mode_exchange *mx)
{
    struct script *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->timer.reached = script_reached;
    s->mc = mc;
    s->program = mode_ref(program);
    s->rule = rule;
    s->mx = mx;
    s->nth = mx ? mx->ex->nth : 0;
    link_append(&mc->scripts, &s->link);
    mc->script_count++;
    return s;
}

void script_destroy(struct script *s)
{
    s->mc->script_count--;
    link_remove(&s->link);
    timer_cancel(&s->timer);
    mode_unref(s->program);
    free(s);
}

/* The event of a step, up to its lateness. */
static void begin_event(const struct script *s, enum ledger_event event,
                        const struct mode_step *step, int64_t late)
{
    struct ledger *l = s->mc->ledger;
    ledger_begin(l, event, s->mc->id, s->nth);
    ledger_text(l, F_MODE_NAME, s->program->name);
    ledger_int(l, F_RULE, s->rule->number);
    ledger_word(l, F_TRIGGER, s->rule->on);
    ledger_word(l, F_STEP, step_of(step->row));
    ledger_text(l, F_ARGUMENTS, step->arguments);
    if (late != ON_TIME)
        ledger_int(l, F_LATE, late);
}

/* Returns its seq. */
static uint64_t ledger_fault(const struct script *s, const struct mode_step *step, int64_t late)
{
    struct mode_conn *mc = s->mc;
    begin_event(s, EV_FAULT, step, late);
    mode_step_ledger_class(step, s->rule->slot, mc->ledger);
    if (step_of(step->row) == STEP_GOAWAY)
        ledger_int(mc->ledger, F_LAST_STREAM, engine_goaway_last(mc->engine, step->arg[1].goaway));
    if (step_of(step->row) == STEP_RST)
        wire_ledger_srtt(mc->wire);
    if (s->program->scale != 1)
        ledger_real(mc->ledger, F_TIME_SCALE, s->program->scale);
    return ledger_commit(mc->ledger);
}

static const char *wire_is_too_late(const struct mode_conn *mc)
{
    static const char *const why[] = {
        [WIRE_HANDSHAKE] = "nothing to do: the connection is in its TLS handshake",
        [WIRE_OPEN] = "nothing to do: the connection is open",
        [WIRE_ENDING] = "too late: the connection was already ending",
        [WIRE_FIN_SENT] = "too late: its FIN was already sent",
        [WIRE_FORGOTTEN] = "too late: the connection was already forgotten",
        [WIRE_STALLED] = "too late: the connection was already stalled",
        [WIRE_BLACK_HOLED] = "too late: the connection was already black-holed",
        [WIRE_RESETTING] = "too late: the connection was already being reset",
        [WIRE_CLOSED] = "too late: the connection was already closed",
    };
    enum wire_state state = mode_wire_state(mc);
    if (state == WIRE_OPEN && !wire_can_send(mc->wire))
        return "too late: a TLS close_notify or a fatal alert had been sent";
    return why[state];
}

/* Why a step does nothing, or was not done. */
static const char *why_not(const struct mode_conn *mc, int outcome)
{
    switch (outcome) {
    case STEP_SKIPPED:
        return "skipped: it belongs to TLS, and the connection is cleartext";
    case STEP_ANSWERED:
        return "too late: the response had begun";
    case STEP_OVER:
        return "too late: the exchange was over";
    case STEP_NOT_ASKED:
        return "nothing to do: the request expects no 100 (Continue), or its content is there";
    case STEP_NO_INTERIM:
        return "skipped: the request is of HTTP/1.0, which has no interim responses";
    case STEP_HELD_BACK:
        return "too late: the exchange is not answered any more";
    case STEP_BEHIND_CUT:
        return "too late: an earlier cut goes before it";
    case STEP_SO_ALREADY:
        return "nothing to do: it is so already";
    case ENGINE_TOO_LATE:
        return "too late: HTTP/2 had already ended on the connection";
    case WIRE_TOO_LATE:
        return wire_is_too_late(mc);
    default:
        return strerror(-outcome);
    }
}

/* A step that does nothing is no fault. */
static void ledger_step_missed(const struct script *s, const struct mode_step *step, int64_t late,
                               int outcome)
{
    begin_event(s, EV_FAULT_MISSED, step, late);
    ledger_text(s->mc->ledger, F_WHY, why_not(s->mc, outcome));
    ledger_commit(s->mc->ledger);
}

static void begin_done(const struct mode_conn *mc, uint32_t nth, enum ledger_step step,
                       uint64_t fault, bool in_effect)
{
    struct ledger *l = mc->ledger;
    ledger_begin(l, EV_FAULT_DONE, mc->id, nth);
    ledger_word(l, F_STEP, step);
    ledger_int(l, F_FAULT, (int64_t)fault);
    ledger_int(l, F_IN_EFFECT, in_effect);
}

void mode_ledger_in_effect(const struct mode_conn *mc, uint32_t nth, enum ledger_step step,
                           uint64_t fault, uint64_t offset)
{
    begin_done(mc, nth, step, fault, true);
    if (offset != WIRE_NO_OFFSET)
        ledger_int(mc->ledger, F_OFFSET, (int64_t)offset);
    ledger_commit(mc->ledger);
}

void mode_ledger_undone(const struct mode_conn *mc, uint32_t nth, enum ledger_step step,
                        uint64_t fault, const char *why)
{
    begin_done(mc, nth, step, fault, false);
    ledger_text(mc->ledger, F_WHY, why);
    ledger_commit(mc->ledger);
}

/* A step that is being done, and says at once whether it took effect. */
struct doing {
    struct doing *outer; /* it is inside of that one */
    enum ledger_step step;
    uint32_t nth;
    uint64_t fault;
    bool told;
};

void mode_conn_ends(struct mode_conn *mc)
{
    for (struct doing *d = mc->doing; d; d = d->outer) {
        if (!d->told)
            mode_ledger_undone(mc, d->nth, d->step, d->fault, "not done: the connection ended");
        d->told = true;
    }
}

enum wire_state mode_wire_state(const struct mode_conn *mc)
{
    return mc->wire ? wire_state(mc->wire) : WIRE_CLOSED;
}

/* What was answered before this step goes out before it; not what the engine says first, when the
 * rule is about the time before. HTTP/1.1 has one exchange at a time, whose bytes left before the
 * next one began. Of a response that stands at a place nothing is put out. */
static void put_out_before(const struct script *s, const struct mode_step *step, bool from_loop)
{
    struct mode_conn *mc = s->mc;
    if (step->row->behind && (from_loop || s->rule->slot > ON_PROTOCOL) && mc->engine && mc->over &&
        protocol_of(mc->over)->streams && mode_wire_state(mc) == WIRE_OPEN)
        engine_pump(mc->engine);
}

/* Whether a step does anything now: 0, or why not. */
static int step_is_ready(const struct script *s, const struct mode_step *step)
{
    if (step->row->in_exchange && !s->mx)
        return STEP_OVER;
    return step->row->ready ? step->row->ready(s->mc, s->mx, step) : 0;
}

void mode_conn_strikes(struct mode_conn *mc, uint64_t fault)
{
    mc->last = (struct mode_fault){ fault, clock_now() };
}

/* Notes what the connection is under when this step is done. A cut strikes when it is reached. */
static void note_strike(struct script *s, const struct mode_step *step, uint64_t fault)
{
    struct mode_conn *mc = s->mc;
    enum ledger_class class = mode_step_class(step, s->rule->slot);
    if (step->row->effect == EFFECT_RESUMES)
        mc->last = mc->said;
    if (mode_step_scope(step) != SCOPE_CONNECTION || class == CLASS_SAYS || class == CLASS_SHAPES ||
        class == CLASS_REPAIRS || step_of(step->row) == STEP_CUT)
        return;
    mode_conn_strikes(mc, fault);
    if (step->row->tells && !mc->said.seq)
        mc->said = mc->last;
}

/* Where in the TCP stream ends what a step has told the client, unless its frame waits. */
static uint64_t told_at(const struct mode_conn *mc, const struct mode_step *step)
{
    bool unsaid = mc->engine && engine_unsaid(mc->engine);
    return step->row->tells && !unsaid ? wire_end_offset(mc->wire) : WIRE_NO_OFFSET;
}

/* Does a step that takes no time; fault: the seq of its event. *silenced becomes whether the
 * connection is out of service by it.
 */
static void step_do(struct script *s, const struct mode_step *step, uint64_t fault, bool *silenced)
{
    struct mode_conn *mc = s->mc;
    uint64_t outer = mc->acting;
    struct doing doing = { mc->doing, step_of(step->row), s->nth, fault, step->row->later };
    const struct mode_fault said = mc->said, last = mc->last;
    mc->acting = fault;
    mc->doing = &doing;
    note_strike(s, step, fault);
    if (mc->wire)
        wire_announce(mc->wire, fault);
    int error = step->row->exec(mc, s->mx, s->program, step);
    mc->acting = outer;
    mc->doing = doing.outer;
    if (error) {
        mc->said = said;
        mc->last = last;
        if (!doing.told || step->row->later)
            mode_ledger_undone(mc, s->nth, step_of(step->row), fault, why_not(mc, error));
        return;
    }
    bool waits = step->row->tells && mc->calls->told &&
                 mc->calls->told(mc->host, fault, step_of(step->row), s->nth, !doing.told);
    if (!doing.told && !waits)
        mode_ledger_in_effect(mc, s->nth, step_of(step->row), fault, told_at(mc, step));
    switch (step->row->effect) {
    case EFFECT_NONE:
        break;
    case EFFECT_CHANGES:
        mc->changed = true;
        break;
    case EFFECT_RESUMES:
        *silenced = false;
        break;
    case EFFECT_SILENCES:
    case EFFECT_ENDS:
    case EFFECT_DESTROYS:
        *silenced = true;
        break;
    }
}

/* Arms the timer of a step that takes time; for "never" the script ends here. */
static void step_pause(struct script *s, const struct mode_step *step)
{
    int64_t ns = step->arg[0].number;
    if (ns == DURATION_NEVER)
        return;
    timer_at(&s->timer, clock_now() + ns);
    s->gating = step->row->gates;
}

/* One step. Returns whether the script continues with the next one now. */
static bool script_step(struct script *s, bool from_loop, int64_t late, bool *silenced)
{
    if (s->next == s->rule->step_count || mode_wire_state(s->mc) == WIRE_CLOSED)
        return false;
    const struct mode_step *step = &s->rule->steps[s->next];
    const struct step_row *row = step->row;
    if (row->from_loop && !from_loop) {
        timer_at(&s->timer, clock_now());
        return false;
    }
    s->next++;
    put_out_before(s, step, from_loop);
    if (mode_wire_state(s->mc) == WIRE_CLOSED)
        return false;
    int outcome = step_is_ready(s, step);
    if (outcome) {
        ledger_step_missed(s, step, late, outcome);
        return true;
    }
    uint64_t fault = row->fault ? ledger_fault(s, step, late) : 0;
    if (row->gates) {
        s->mx->gates++;
        s->mx->gate_fault = fault;
        mode_ledger_in_effect(s->mc, s->nth, step_of(row), fault, WIRE_NO_OFFSET);
    }
    if (row->pauses) {
        step_pause(s, step);
        return false;
    }
    if (row->exec)
        step_do(s, step, fault, silenced);
    return true;
}

/* A gate that opened is told last, when the steps behind it have changed the response. */
bool script_run(struct script *s, bool from_loop, int64_t late)
{
    struct mode_conn *mc = s->mc;
    bool opened = s->gating, silenced = false;
    s->gating = false;
    if (opened && s->mx)
        s->mx->gates--;
    while (script_step(s, from_loop, late, &silenced))
        ;
    struct mode_exchange *mx = opened ? s->mx : NULL;
    if (!timer_armed(&s->timer))
        script_destroy(s);
    if (mx && mx->gates == 0)
        mc->calls->released(mc->host, mx);
    return silenced;
}
