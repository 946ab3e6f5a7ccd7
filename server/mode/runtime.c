/* runtime.c - when rules fire: at a place in a connection's life, at a mark; due.c has those that
 * fall due.
 *
 * What firing does is in script.c. Steps may come back in here: a program is kept for as long as
 * its rules are gone through, and the going ends when the connection's program is another one by
 * then.
 *
 * A rule that a mark has set off waits as a script that has not begun, and becomes an ordinary one
 * at its time. It belongs to the mode in force: another mode ends the waiting.
 */
#include "mode/runtime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "ledger/ledger.h"
#include "mode/runtime_impl.h"

/* --- Rules */

/* Whether a rule waits for a time or a mark, and not for something that the client does. */
static bool is_timed(const struct mode_rule *rule)
{
    return rule->slot >= ON_IDLE && rule->slot <= ON_MARK;
}

/* Whether a rule is about this connection at all. What has said nothing that tells its protocol is
 * taken as what it is presumed to be. */
static bool is_about(const struct mode_conn *mc, const struct mode_rule *rule)
{
    return (rule->over == OVER_ALL ||
            rule->over == (mc->over || !is_timed(rule) ? mc->over : mc->presumed)) &&
           mode_range_has(&rule->connections, mc->number) &&
           (!rule->narrow_count || narrow_is_about(mc, rule));
}

bool mode_rule_fits(const struct mode_conn *mc, const struct mode_rule *rule,
                    const struct mode_exchange *mx)
{
    if (!is_about(mc, rule))
        return false;
    if (rule->age && clock_now() - mc->accepted_at < rule->age)
        return false;
    if (rule->narrow_count && !narrow_fits(mc, rule, mx))
        return false;
    if (!mx) /* a first request, or none */
        return rule->nth_first <= 1;
    return mx->ex->nth >= rule->nth_first && mx->ex->nth <= rule->nth_last &&
           mx->idle_before >= rule->idle_before;
}

bool mode_rule_exhausted(const struct mode_conn *mc, const struct mode_rule *rule)
{
    return mc->fired && mc->fired[rule->number] >= rule->times;
}

/* Counts this firing of a rule with a limit. False: it has fired often enough, or chance is against
 * it. */
static bool may_fire(struct mode_conn *mc, const struct mode_rule *rule,
                     const struct mode_exchange *mx)
{
    if (!mx && rule->narrow_count && !narrow_drawn(mc, rule))
        return false;
    if (rule->times == UINT32_MAX)
        return true;
    if (!mc->fired) {
        mc->fired = calloc(mc->program->rule_count, sizeof *mc->fired);
        if (!mc->fired) {
            mode_log_no_memory(mc);
            return false;
        }
    }
    if (mode_rule_exhausted(mc, rule))
        return false;
    mc->fired[rule->number]++;
    return true;
}

bool mode_rule_fires(struct mode_conn *mc, const struct mode_rule *rule)
{
    return mode_rule_fits(mc, rule, NULL) && mode_wire_state(mc) != WIRE_CLOSED &&
           may_fire(mc, rule, NULL);
}

static bool has_room(const struct mode_conn *mc)
{
    static struct log_gate gate;
    if (mc->script_count < SCRIPTS_MAX)
        return true;
    log_sometimes(&gate, LOG_WARN, "connection %llu: a rule did not fire: %u scripts run already",
                  (unsigned long long)mc->id, mc->script_count);
    return false;
}

bool mode_rule_fire(struct mode_conn *mc, struct mode_program *program,
                    const struct mode_rule *rule, struct mode_exchange *mx, bool from_loop,
                    int64_t late)
{
    if (!mode_rule_fits(mc, rule, mx) || mode_wire_state(mc) == WIRE_CLOSED || !has_room(mc) ||
        !may_fire(mc, rule, mx))
        return false;
    struct script *s = script_create(mc, program, rule, mx);
    if (!s) {
        mode_log_no_memory(mc);
        return false;
    }
    return script_run(s, from_loop, late);
}

#define ANYWHERE UINT64_MAX

/* Fires the rules of a slot, or those of one place in it. */
static void fire(struct mode_conn *mc, enum trigger_slot slot, struct mode_exchange *mx,
                 uint64_t place)
{
    has_caught_up(mc);
    if (!mode_has(mc->program, slot))
        return;
    struct mode_program *program = mode_ref(mc->program);
    bool silenced = false;
    for (unsigned i = 0; i < program->by_slot[slot].count; i++) {
        const struct mode_rule *rule = program->by_slot[slot].rules[i];
        if (silenced || mc->program != program || (mx && mx->over))
            break;
        if ((place == ANYWHERE || rule->place == place) && (!rule->count || said_enough(mc, rule)))
            silenced = mode_rule_fire(mc, program, rule, mx, false, ON_TIME);
    }
    mode_unref(program);
}

void mode_fire(struct mode_conn *mc, enum trigger_slot slot, struct mode_exchange *mx)
{
    fire(mc, slot, mx, ANYWHERE);
}

void mode_fire_at(struct mode_conn *mc, enum trigger_slot slot, struct mode_exchange *mx,
                  uint64_t place)
{
    fire(mc, slot, mx, place);
}

void mode_peer(struct mode_conn *mc, unsigned what, uint64_t answers)
{
    if (mode_wire_state(mc) != WIRE_OPEN)
        return;
    mc->answers = answers;
    fire(mc, ON_PEER, NULL, what);
}

int64_t mode_next_place(const struct mode_conn *mc, const struct mode_exchange *mx,
                        enum trigger_slot slot, int64_t passed)
{
    int64_t next = -1;
    for (unsigned i = 0; i < mc->program->by_slot[slot].count; i++) {
        const struct mode_rule *rule = mc->program->by_slot[slot].rules[i];
        int64_t place = (int64_t)rule->place;
        if (place > passed && (next < 0 || place < next) && mode_rule_fits(mc, rule, mx) &&
            !mode_rule_exhausted(mc, rule))
            next = place;
    }
    return next;
}

int mode_run(struct mode_conn *mc, struct mode_program *program)
{
    struct script *s = script_create(mc, program, &program->rules[0], NULL);
    if (!s)
        return -ENOMEM;
    script_run(s, true, ON_TIME);
    return 0;
}

void mode_ledger_missed(const struct mode_conn *mc, const struct mode_rule *rule, int64_t late,
                        const char *why)
{
    ledger_begin(mc->ledger, EV_FAULT_MISSED, mc->id, 0);
    ledger_text(mc->ledger, F_MODE_NAME, mc->program->name);
    ledger_int(mc->ledger, F_RULE, rule->number);
    ledger_word(mc->ledger, F_TRIGGER, rule->on);
    ledger_int(mc->ledger, F_LATE, late);
    ledger_text(mc->ledger, F_WHY, why);
    ledger_commit(mc->ledger);
}

/* --- What is armed */

/* Whether it can become a fault here at all: more than said, a shape or a repair. */
static bool is_armed(const struct mode_conn *mc, const struct mode_rule *rule)
{
    bool faults = false;
    for (unsigned i = 0; i < rule->step_count && !faults; i++) {
        enum ledger_class class = mode_step_class(&rule->steps[i], rule->slot);
        faults = class != CLASS_NONE && class != CLASS_SAYS && class != CLASS_REPAIRS;
    }
    unsigned kind = KIND(mc->over, mc->wire && wire_is_tls(mc->wire));
    return faults && !rule->unsure && is_about(mc, rule) && !mode_rule_exhausted(mc, rule) &&
           (!mc->over || mode_rule_kinds(rule) & kind);
}

struct armed {
    const struct mode_rule *rule; /* NULL: none is */
    int64_t due_in;
};

/* Takes the rule if it is due before the one that is there, and not yet. */
static void take_if_sooner(const struct mode_conn *mc, const struct mode_rule *rule, int64_t left,
                           struct armed *next)
{
    if (left >= 0 && (!next->rule || left < next->due_in) && is_armed(mc, rule))
        *next = (struct armed){ rule, left };
}

/* The first that waits for a request or a response of one: at once, or once it is idle or old
 * enough. */
static struct armed armed_for_request(const struct mode_conn *mc, uint32_t nth)
{
    int64_t now = clock_now();
    struct armed next = { NULL, 0 };
    for (unsigned i = 0; i < mc->program->rule_count; i++) {
        const struct mode_rule *rule = &mc->program->rules[i];
        bool waits = rule->slot >= ON_FIRST_BYTE && rule->slot <= ON_RESPONSE_END;
        if (!waits || rule->nth_last < nth)
            continue;
        int64_t left = rule->age ? mc->accepted_at + rule->age - now : 0;
        int64_t idle = mc->idle.since == TIME_NONE ? 0 : now - mc->idle.since;
        if (rule->idle_before - idle > left)
            left = rule->idle_before - idle;
        take_if_sooner(mc, rule, left > 0 ? left : 0, &next);
    }
    return next;
}

const struct mode_rule *mode_armed(const struct mode_conn *mc, uint32_t nth, int64_t *due_in)
{
    const struct mode_due *dues[] = { &mc->idle, &mc->age, &mc->late };
    const int64_t now = clock_now();
    struct armed next = { NULL, 0 };
    for (unsigned k = 0; k < sizeof dues / sizeof *dues; k++) {
        const struct mode_due *d = dues[k];
        for (unsigned i = d->done; d->since != TIME_NONE && i < mc->program->by_slot[d->slot].count;
             i++) {
            const struct mode_rule *rule = mc->program->by_slot[d->slot].rules[i];
            take_if_sooner(mc, rule, d->since + rule->after - now, &next);
        }
    }
    for (const struct link *l = mc->scripts.next; l != &mc->scripts; l = l->next) {
        const struct script *s = link_entry(l, struct script, link);
        if (s->waiting)
            take_if_sooner(mc, s->rule, s->timer.due - now, &next);
    }
    *due_in = next.due_in;
    if (next.rule)
        return next.rule;
    next = armed_for_request(mc, nth);
    *due_in = next.due_in > 0 ? next.due_in : -1;
    return next.rule;
}

/* Whether its steps come to one that ends a silence: not behind a pause that never ends. */
static bool brings_back(const struct mode_rule *rule)
{
    for (unsigned i = 0; i < rule->step_count; i++) {
        const struct mode_step *step = &rule->steps[i];
        if (step->row->effect == EFFECT_RESUMES)
            return true;
        if (step->row->pauses && step->arg[0].number == DURATION_NEVER)
            return false;
    }
    return false;
}

bool mode_may_go_on(const struct mode_conn *mc)
{
    bool may = !link_empty(&mc->scripts);
    for (unsigned i = 0; !may && i < mc->program->rule_count; i++)
        may = brings_back(&mc->program->rules[i]);
    return may;
}

/* --- Marks */

/* Lets a rule wait for its time. */
static void wait_for(struct mode_conn *mc, struct mode_program *program,
                     const struct mode_rule *rule)
{
    if (!has_room(mc))
        return;
    struct script *s = script_create(mc, program, rule, NULL);
    if (!s) {
        mode_log_no_memory(mc);
        return;
    }
    timer_at(&s->timer, clock_now() + rule->after);
    s->waiting = true;
}

/* Ends the waiting of the rules that this mark calls off (NULL: of all). Returns how many. */
static unsigned call_off(struct mode_conn *mc, const char *mark)
{
    struct link *next;
    unsigned count = 0;
    for (struct link *l = mc->scripts.next; l != &mc->scripts; l = next) {
        struct script *s = link_entry(l, struct script, link);
        next = l->next;
        if (!s->waiting || (mark && (!s->rule->unless || strcmp(s->rule->unless, mark) != 0)))
            continue;
        int64_t late = clock_now() - s->timer.due;
        if (late >= 0 && mode_rule_fits(mc, s->rule, NULL) && !mode_rule_exhausted(mc, s->rule))
            mode_ledger_missed(mc, s->rule, late,
                               mark ? "a mark called it off first" : "another mode came first");
        script_destroy(s);
        count++;
    }
    return count;
}

unsigned mode_mark(struct mode_conn *mc, const char *name)
{
    has_caught_up(mc);
    unsigned woken = call_off(mc, name);
    if (!mode_has(mc->program, ON_MARK))
        return woken;
    struct mode_program *program = mode_ref(mc->program);
    bool silenced = false;
    for (unsigned i = 0; i < program->by_slot[ON_MARK].count; i++) {
        const struct mode_rule *rule = program->by_slot[ON_MARK].rules[i];
        if (mc->program != program)
            break;
        if (strcmp(rule->mark, name) != 0)
            continue;
        woken += mode_rule_fits(mc, rule, NULL) && mode_wire_state(mc) != WIRE_CLOSED &&
                 !mode_rule_exhausted(mc, rule);
        if (rule->after > 0)
            wait_for(mc, program, rule);
        else if (!silenced)
            silenced = mode_rule_fire(mc, program, rule, NULL, true, ON_TIME);
    }
    mode_unref(program);
    return woken;
}

/* --- The connection and its exchanges */

void mode_conn_init(struct mode_conn *mc, const struct mode_host *calls, void *host,
                    struct ledger *ledger, uint64_t id, struct mode_program *program)
{
    mc->calls = calls;
    mc->host = host;
    mc->ledger = ledger;
    mc->id = id;
    mc->changed = mc->held = false;
    mc->initial_window = 65535; /* RFC 9113 6.5.2 */
    mc->program = mode_ref(program);
    mc->fired = NULL;
    mc->said_so = NULL;
    mc->accepted_at = mc->mode_since = clock_now();
    mc->goaway_at = TIME_NONE;
    mc->goaway_fault = mc->acting = 0;
    mc->said = mc->last = (struct mode_fault){ 0 };
    mc->doing = NULL;
    link_init(&mc->scripts);
    mc->script_count = mc->draws = 0;
    due_begin(mc);
}

void mode_conn_stop_scripts(struct mode_conn *mc)
{
    while (!link_empty(&mc->scripts))
        script_destroy(link_entry(mc->scripts.next, struct script, link));
}

void mode_conn_finish(struct mode_conn *mc)
{
    due_end(mc);
    mode_conn_stop_scripts(mc);
    said_forget(mc);
    mode_unref(mc->program);
    mc->program = NULL;
    free(mc->fired);
    mc->fired = NULL;
}

void mode_conn_set(struct mode_conn *mc, struct mode_program *program)
{
    call_off(mc, NULL);
    mode_ref(program);
    said_forget(mc);
    mode_unref(mc->program);
    mc->program = program;
    free(mc->fired);
    mc->fired = NULL;
    mc->mode_since = clock_now();
    due_anew(mc);
}

/* Forgets what rules have given for the response. */
static void forget_response(struct mode_exchange *mx)
{
    while (mx->set) {
        struct mode_header *set = mx->set;
        mx->set = set->next;
        mode_unref(set->program);
        free(set);
    }
    mode_unref(mx->program);
    mx->program = NULL;
    mx->instead = NULL;
}

void mode_exchange_open_gates(struct mode_exchange *mx)
{
    mode_exchange_unsaid(mx, "a reset came first");
    mx->lost = false;
    mx->gates = 0;
}

/* Does a newer one set the same? */
static bool is_set_anew(const struct mode_exchange *mx, const struct mode_header *set)
{
    const struct mode_header *newer = mx->set;
    while (newer != set &&
           (newer->header->name_len != set->header->name_len ||
            strncasecmp(newer->header->name, set->header->name, set->header->name_len) != 0))
        newer = newer->next;
    return newer != set;
}

void mode_exchange_answers(const struct mode_exchange *mx)
{
    uint32_t nth = mx->ex->nth;
    if (mx->instead)
        mode_ledger_in_effect(mx->conn, nth, STEP_RESPOND, mx->instead_fault, WIRE_NO_OFFSET);
    for (const struct mode_header *set = mx->set; set; set = set->next)
        if (is_set_anew(mx, set))
            mode_ledger_undone(mx->conn, nth, STEP_HEADER, set->fault,
                               "another header step came after it");
        else
            mode_ledger_in_effect(mx->conn, nth, STEP_HEADER, set->fault, WIRE_NO_OFFSET);
}

void mode_exchange_overtaken(struct mode_exchange *mx, const char *why)
{
    mode_ledger_undone(mx->conn, mx->ex->nth, STEP_RESPOND, mx->instead_fault, why);
    mx->instead = NULL;
}

void mode_exchange_unsaid(struct mode_exchange *mx, const char *why)
{
    mx->lost = true;
    if (mx->answering)
        return;
    if (mx->instead)
        mode_exchange_overtaken(mx, why);
    for (const struct mode_header *set = mx->set; set; set = set->next)
        mode_ledger_undone(mx->conn, mx->ex->nth, STEP_HEADER, set->fault, why);
    forget_response(mx);
}

void mode_exchange_over(struct mode_exchange *mx)
{
    struct mode_conn *mc = mx->conn;
    for (struct link *l = mc->scripts.next; l != &mc->scripts; l = l->next) {
        struct script *s = link_entry(l, struct script, link);
        if (s->mx == mx)
            s->mx = NULL;
    }
    due_exchange_over(mx);
    forget_response(mx);
    mx->over = true;
}
