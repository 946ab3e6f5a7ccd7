/* listening.c - rules on "listen": what the run's listeners do with the next connection.
 *
 * The mode that the next connection would get decides. Its rules without a mark run when it becomes
 * the next one's: when a plan is set, or when the connection before was accepted; those with a mark
 * run at that mark. As long as the next connection's mode stays the same, its rules are not run
 * again. When it changes, what the old one's rules have begun ends, and the listeners accept again
 * unless a rule of the new one has said otherwise by then.
 *
 * Steps run as those of connections do (mode/runtime.c), on all listeners alike.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/log.h"
#include "run/run_parts.h"

/* A test harness that sets marks faster than their scripts end must not fill the memory. */
#define SCRIPTS_MAX 256

#define ON_TIME INT64_MIN /* lateness of what was not due at a time */

struct listen_script {
    struct link link;
    struct timer timer;
    struct run *run;
    struct mode_program *program;
    const struct mode_rule *rule;
    unsigned next; /* step */
};

/* --- The listeners */

/* All of them or none. Returns 0 or -errno. */
static int set_answer(struct run *run, enum listener_answer answer)
{
    struct listening *l = &run->listening;
    int error = 0;
    struct run_listener *i = run->shared.listeners;
    syns_look(l->syns);
    while (i && (error = listener_answer(i->socket, answer)) == 0)
        i = i->next;
    if (!error) {
        l->answer = answer;
        syns_watch(&l->syns, run, answer);
        return 0;
    }
    for (struct run_listener *k = run->shared.listeners; k != i; k = k->next)
        listener_answer(k->socket, l->answer);
    return error;
}

/* There are other listeners now. */
static void watch_anew(struct run *run)
{
    struct listening *l = &run->listening;
    syns_watch(&l->syns, run, LISTENER_ACCEPTS);
    syns_watch(&l->syns, run, l->answer);
}

void run_add_listener(struct run_listener *listener, struct listener *socket)
{
    struct run *run = listener->run;
    struct listening *l = &run->listening;
    listener->socket = socket;
    listener->next = run->shared.listeners;
    run->shared.listeners = listener;
    if (l->answer == LISTENER_ACCEPTS)
        return;
    listener_answer(socket, l->answer);
    watch_anew(run);
}

/* Without the listener that is gone, what is set may do nothing any more: when it was set that
 * would have been refused. */
static void warn_of_kinds(struct run *run, unsigned before)
{
    const struct plan *plan = run->shared.plan;
    const struct mode_program *mode = plan_only_mode(plan);
    struct ledger *l = run->shared.ledger;
    struct refusal why;
    if (run->done || plan_refuse_kinds(plan, before, NULL) != 0 ||
        plan_refuse_kinds(plan, listening_kinds(run), &why) == 0)
        return;
    ledger_begin(l, EV_WARNING, 0, 0);
    ledger_text(l, F_MODE_NAME, mode ? mode->name : NULL);
    if (!mode) /* which entry it is */
        refuse_in(&why, "", why.where);
    ledger_text(l, F_WHY, why.what);
    ledger_commit(l);
}

void run_remove_listener(struct run_listener *listener)
{
    struct run *run = listener->run;
    unsigned before = listening_kinds(run);
    struct run_listener **at = &run->shared.listeners;
    while (*at != listener)
        at = &(*at)->next;
    syns_look(run->listening.syns);
    *at = listener->next;
    if (run->listening.syns)
        watch_anew(run);
    warn_of_kinds(run, before);
}

unsigned listening_kinds(const struct run *run)
{
    unsigned kinds = 0;
    for (struct run_listener *i = run->shared.listeners; i; i = i->next)
        kinds |= KIND(i->over, i->tls);
    return kinds ? kinds : KINDS_ALL;
}

/* --- Scripts */

static void script_destroy(struct listen_script *s)
{
    s->run->listening.script_count--;
    link_remove(&s->link);
    timer_cancel(&s->timer);
    mode_unref(s->program);
    free(s);
}

static void do_step(struct listen_script *s, const struct mode_step *step, int64_t late)
{
    static const enum listener_answer answers[] = {
        [LISTENER_STEP_REFUSE] = LISTENER_REFUSES,
        [LISTENER_STEP_DROP] = LISTENER_DROPS,
        [LISTENER_STEP_ACCEPT] = LISTENER_ACCEPTS,
    };
    struct listening *listening = &s->run->listening;
    struct ledger *l = s->run->shared.ledger;
    enum step_listener what = mode_step_listener(step);
    if (what == LISTENER_STEP_NONE)
        return;
    /* What another mode's rules have begun ends unless this one says that it continues. */
    bool already = listening->answer == answers[what] &&
                   (listening->answered || listening->answer == LISTENER_ACCEPTS);
    listening->answered = true;
    ledger_begin(l, already ? EV_FAULT_MISSED : EV_FAULT, 0, 0);
    ledger_text(l, F_MODE_NAME, s->program->name);
    ledger_int(l, F_RULE, s->rule->number);
    ledger_word(l, F_TRIGGER, s->rule->on);
    ledger_word(l, F_STEP, mode_step_word(step));
    mode_step_ledger_class(step, ON_LISTEN, l);
    ledger_text(l, F_ARGUMENTS, step->arguments);
    if (late != ON_TIME)
        ledger_int(l, F_LATE, late);
    if (already)
        ledger_text(l, F_WHY, "nothing to do: the listeners do so already");
    else if (s->program->scale != 1)
        ledger_real(l, F_TIME_SCALE, s->program->scale);
    uint64_t fault = ledger_commit(l);
    if (already)
        return;
    int error = set_answer(s->run, answers[what]);
    ledger_begin(l, EV_FAULT_DONE, 0, 0);
    ledger_word(l, F_STEP, mode_step_word(step));
    ledger_int(l, F_FAULT, (int64_t)fault);
    ledger_int(l, F_IN_EFFECT, !error);
    if (error)
        ledger_text(l, F_WHY, strerror(-error));
    ledger_commit(l);
}

static void log_no_memory(void)
{
    static struct log_gate gate;
    log_sometimes(&gate, LOG_WARN,
                  "a rule on \"listen\" did not run: out of memory, or too many do");
}

/* Continues after ns; for "never" the script ends. */
static void pause_script(struct listen_script *s, int64_t ns)
{
    if (ns == DURATION_NEVER)
        script_destroy(s);
    else
        timer_at(&s->timer, clock_now() + ns);
}

/* Runs what can run now; frees the script at its end. */
static void script_run(struct listen_script *s, int64_t late)
{
    while (s->next < s->rule->step_count) {
        const struct mode_step *step = &s->rule->steps[s->next++];
        int64_t pause = mode_step_pause(step);
        if (pause >= 0) {
            pause_script(s, pause);
            return;
        }
        do_step(s, step, late);
    }
    script_destroy(s);
}

static void script_reached(struct timer *m, int64_t late)
{
    script_run(link_entry(m, struct listen_script, timer), late);
}

static void start(struct run *run, const struct mode_rule *rule)
{
    struct listening *l = &run->listening;
    struct listen_script *s = l->script_count < SCRIPTS_MAX ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        log_no_memory();
        return;
    }
    s->timer.reached = script_reached;
    s->run = run;
    s->program = mode_ref(l->program);
    s->rule = rule;
    link_append(&l->scripts, &s->link);
    l->script_count++;
    if (rule->after > 0)
        pause_script(s, rule->after);
    else
        script_run(s, ON_TIME);
}

static void end_scripts(struct listening *l)
{
    while (!link_empty(&l->scripts))
        script_destroy(link_entry(l->scripts.next, struct listen_script, link));
}

/* --- When rules fire */

/* mark: NULL for the rules without one. Returns how many fired. */
static unsigned fire(struct run *run, const char *mark)
{
    unsigned count = 0;
    const struct mode_program *program = run->listening.program;
    for (unsigned i = 0; i < program->by_slot[ON_LISTEN].count; i++) {
        const struct mode_rule *rule = program->by_slot[ON_LISTEN].rules[i];
        if (mark ? rule->mark && strcmp(rule->mark, mark) == 0 : !rule->mark) {
            start(run, rule);
            count++;
        }
    }
    return count;
}

void listening_look(struct run *run)
{
    struct listening *l = &run->listening;
    struct mode_program *program =
        plan_program(run->shared.plan, plan_pick(run->shared.plan, run_next_number(run), 0, 0));
    if (program == l->program || run->done)
        return;
    end_scripts(l);
    mode_unref(l->program);
    l->program = mode_ref(program);
    l->answered = false;
    fire(run, NULL);
    if (!l->answered && l->answer != LISTENER_ACCEPTS && set_answer(run, LISTENER_ACCEPTS) != 0)
        log_error("the listeners cannot be made to accept again");
}

unsigned listening_mark(struct run *run, const char *mark)
{
    return run->listening.program && !run->done ? fire(run, mark) : 0;
}

void listening_stop(struct run *run)
{
    end_scripts(&run->listening);
    syns_watch(&run->listening.syns, run, LISTENER_ACCEPTS);
    mode_unref(run->listening.program);
    run->listening.program = NULL;
}
