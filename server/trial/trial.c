/* trial.c - what happens to a run from its beginning to its end: what is set, its phases, its ttl.
 *
 * Things that take some turns of the loop (the connections of a phase end, what was set reaches
 * all, the run itself ends) are waited for in one place, trial_look.
 */
#include "trial/trial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "run/plan.h"
#include "trial/trial_parts.h"

/* --- Memory */

static void over_reached(struct timer *timer, int64_t late);
static void mode_over_reached(struct timer *timer, int64_t late);
static void phase_over(struct run_waiter *waiter);
static void run_settled(struct run_waiter *waiter);
static void say_again(struct trial *t);
static void last_words(struct runs_keeper *keeper);
static void ended(struct runs_keeper *keeper, struct ledger *ledger);

struct trial *trial_create(struct trials *trials, const char *id, struct run *run)
{
    struct trial *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    link_init(&t->link);
    link_init(&t->waiters);
    link_init(&t->run_settled.link);
    t->refs = 1;
    t->trials = trials;
    strcpy(t->id, id);
    t->run = run;
    t->ledger = run_ledger(run);
    tally_begin(&t->tally, &trials->tally, t->ledger);
    t->phase = PHASE_FAULT;
    t->ttl = DURATION_NEVER;
    t->started = clock_wall(clock_now());
    t->over_at.reached = over_reached;
    t->mode_over.reached = mode_over_reached;
    t->phase_over.settled = phase_over;
    t->run_settled.settled = run_settled;
    t->keeper.last = last_words;
    t->keeper.ended = ended;
    return t;
}

void trial_destroy(struct trial *t)
{
    link_remove(&t->link);
    link_remove(&t->run_settled.link);
    timer_cancel(&t->over_at);
    timer_cancel(&t->mode_over);
    judged_free(&t->judged);
    tally_end(&t->tally);
    if (t->owns_ledger)
        ledger_destroy(t->ledger);
    plan_unref(t->plan);
    expected_free(&t->expected);
    expected_free(&t->own);
    json_decref(t->urls);
    json_decref(t->at_end);
    free(t->name);
    free(t);
}

struct trial *trial_ref(struct trial *t)
{
    t->refs++;
    return t;
}

void trial_unref(struct trial *t)
{
    if (t && --t->refs == 0)
        trial_destroy(t);
}

/* --- Looking */

const char *trial_id(const struct trial *t)
{
    return t->id;
}

struct run *trial_run(const struct trial *t)
{
    return t->state == TRIAL_RUNNING ? t->run : NULL;
}

int64_t trial_started(const struct trial *t)
{
    return t->started;
}

struct ledger *trial_ledger(const struct trial *t)
{
    return t->run ? run_ledger(t->run) : t->ledger;
}

bool trial_is_live(const struct trial *t)
{
    return t->state != TRIAL_OVER;
}

enum ledger_phase trial_in_phase(const struct trial *t)
{
    return t->phase;
}

json_t *trial_mode(const struct trial *t)
{
    return t->run ? run_mode(t->run) : json_incref(t->at_end);
}

/* What was set for a time ends every silence when that is over. */
bool trial_is_awaited(const struct trial *t)
{
    if (!t->run || run_connection_count(t->run) == 0)
        return false;
    return timer_armed(&t->mode_over) || t->changing || run_is_awaited(t->run);
}

/* --- Waiting */

bool trial_is_settled(const struct trial *t)
{
    return t->state != TRIAL_ENDING && !t->changing && (!t->run || run_is_settled(t->run));
}

static void await_run(struct trial *t)
{
    if (t->run_awaited || !t->run || run_is_settled(t->run))
        return;
    t->run_awaited = true;
    run_await_settled(t->run, &t->run_settled);
}

void trial_await_settled(struct trial *t, struct trial_waiter *waiter)
{
    link_append(&t->waiters, &waiter->link);
    await_run(t);
}

void trial_look(struct trial *t)
{
    struct trial *held = trial_ref(t);
    while (trial_is_settled(t) && !link_empty(&t->waiters)) {
        struct trial_waiter *w = link_entry(t->waiters.next, struct trial_waiter, link);
        link_remove(&w->link);
        w->settled(w);
    }
    if (!link_empty(&t->waiters))
        await_run(t);
    trial_unref(held);
}

static void run_settled(struct run_waiter *waiter)
{
    struct trial *t = link_entry(waiter, struct trial, run_settled);
    t->run_awaited = false;
    if (t->resetting && t->state == TRIAL_RUNNING)
        say_again(t);
    trial_look(t);
}

/* --- What it does */

static int begin_judging(struct trial *t)
{
    return judged_begin(&t->judged, t->trials->config.loop, t->ledger);
}

static void keep_plan(struct trial *t, struct plan *plan)
{
    plan_ref(plan);
    plan_unref(t->plan);
    t->plan = plan;
}

/* Returns 0 or as run_compile_mode, which knows "normal". */
static int set_normal(struct trial *t, const char *why)
{
    struct plan *normal;
    struct refusal refusal;
    int error = run_compile_mode(t->run, "normal", NULL, false, &normal, &refusal);
    if (!error)
        run_set(t->run, normal, APPLY_ALL, why);
    return error;
}

static void mode_over_reached(struct timer *timer, int64_t late)
{
    struct trial *t = link_entry(timer, struct trial, mode_over);
    if (t->state != TRIAL_RUNNING)
        return;
    if (set_normal(t, "the ttl of what was set is over") != 0)
        timer_at(timer, clock_now() + NS_PER_S); /* there was no memory */
    else
        keep_plan(t, run_plan(t->run));
}

/* What is expected with this plan: what is given with it; else what a user gave before; else its
 * own. Null brings that back. */
static int read_expected(const struct trial *t, const json_t *given, const struct plan *plan,
                         const struct expected_of *own, struct expected_of *out,
                         struct refusal *why)
{
    struct exercise can;
    bool stays = !given && t->expected.by_user;
    run_exercise(t->run, plan, &can);
    if (stays || !json_is_array(given)) {
        int error = stays ? expected_stays(&t->expected, &can, why) : 0;
        if (!error)
            *out = expected_ref(stays ? &t->expected : own);
        return error;
    }
    return expected_given(given, &can, out, why);
}

static int own_of(const struct trial *t, const struct setting *s, const struct plan *plan,
                  struct expected_of *out)
{
    struct exercise can;
    run_exercise(t->run, plan, &can);
    return expected_own(t->trials->config.catalogue, s, &can, out);
}

/* Takes it over. */
static void expect(struct trial *t, struct expected_of *e)
{
    bool same = t->expected.list ? json_equal(t->expected.list, e->list) : expected_is_usual(e);
    struct expected_of before = t->expected;
    t->expected = *e;
    expected_free(&before);
    if (!same || t->unsaid)
        say_expectations(t);
    t->unsaid = false;
}

static int set(struct trial *t, const struct setting *s, struct refusal *why)
{
    struct plan *plan;
    struct expected_of own = { .list = NULL }, expected = { .list = NULL };
    int64_t ttl = setting_ttl(s);
    double scale = run_time_scale(t->run);
    uint64_t seed = run_seed(t->run);
    int error = setting_compile(s, t->run, &plan, why);
    if (error)
        return error;
    error = own_of(t, s, plan, &own);
    if (!error)
        error = read_expected(t, s->expect, plan, &own, &expected, why);
    if (error) {
        expected_free(&own);
        plan_unref(plan);
        run_set_time_scale(t->run, scale);
        run_set_seed(t->run, seed);
        return error;
    }
    expected_free(&t->own);
    t->own = own;
    expect(t, &expected);
    begin_judging(t); /* without memory: when it is asked for */
    keep_plan(t, plan);
    run_set(t->run, plan, setting_apply(s), NULL);
    timer_at(&t->mode_over, ttl == DURATION_NEVER ? TIME_NONE : clock_now() + ttl);
    return 0;
}

/* Of what the phases "fault" and "without" have. */
static int set_expected(struct trial *t, const json_t *given, struct refusal *why)
{
    const struct setting nothing = { 0 };
    struct expected_of expected = { .list = NULL };
    if (!json_is_array(given) && !json_is_null(given))
        return refuse(why, "$.expect", "an array", "is of another type");
    int error = t->own.list ? 0 : own_of(t, &nothing, run_plan(t->run), &t->own);
    if (!error)
        error =
            read_expected(t, given, t->plan ? t->plan : run_plan(t->run), &t->own, &expected, why);
    if (error)
        return error;
    expect(t, &expected);
    begin_judging(t);
    return 0;
}

int trial_began_with(struct trial *t, const char *case_name, const json_t *given,
                     struct refusal *why)
{
    json_t *now = run_mode(t->run), *mode = json_object_get(now, "mode");
    struct setting s = { .case_name = case_name ? json_string(case_name) : NULL };
    if (!case_name && json_is_string(mode))
        s.mode = json_incref(mode);
    struct plan *plan = run_plan(t->run);
    struct expected_of own = { .list = NULL }, expected = { .list = NULL };
    int error = now && (!case_name || s.case_name) ? own_of(t, &s, plan, &own) : -ENOMEM;
    if (!error)
        error = read_expected(t, given, plan, &own, &expected, why);
    json_decref(now);
    setting_free(&s);
    if (error) {
        expected_free(&own);
        return error;
    }
    expected_free(&t->own);
    t->own = own;
    expect(t, &expected);
    return 0;
}

int trial_set(struct trial *t, const json_t *body, bool patch, struct refusal *why)
{
    struct setting s = { 0 };
    if (t->state != TRIAL_RUNNING)
        return TRIAL_ENDED;
    if (setting_only_expects(body))
        return set_expected(t, json_object_get(body, "expect"), why);
    if (t->phase == PHASE_CONTROL || (t->changing && t->next == PHASE_CONTROL))
        return refuse(why, "$", "the phase \"fault\" first",
                      "the run is in its control phase, which has mode \"normal\"");
    int error = patch ? setting_patch(body, t->run, &s, why) : setting_read(body, t->run, &s, why);
    if (!error)
        error = set(t, &s, why);
    setting_free(&s);
    return error;
}

/* The ledger is empty: what its verdict goes by is said again. */
static void say_again(struct trial *t)
{
    t->resetting = false;
    t->expected_seq = t->phase_seq = 0;
    if (t->ttl != DURATION_NEVER) {
        say_start(t);
    } else { /* the default run begins anew, with an empty ledger */
        expected_free(&t->expected);
        expected_free(&t->own);
        t->unsaid = true;
    }
    if (t->phased)
        say_phase(t);
}

int trial_reset(struct trial *t)
{
    int error = t->state == TRIAL_RUNNING ? run_reset(t->run) : TRIAL_ENDED;
    if (error)
        return error;
    timer_cancel(&t->mode_over);
    keep_plan(t, run_plan(t->run));
    t->resetting = true;
    if (run_is_settled(t->run))
        say_again(t);
    else
        await_run(t);
    return 0;
}

int trial_mark(struct trial *t, const char *name, int64_t from, uint64_t *seq, unsigned *rules,
               struct refusal *why)
{
    return t->state == TRIAL_RUNNING ? run_mark(t->run, name, from, seq, rules, why) : TRIAL_ENDED;
}

/* --- Phases */

void trial_enter(struct trial *t, enum ledger_phase phase)
{
    t->phase = phase;
    t->phased = true;
    t->changing = false;
    say_phase(t);
    if (phase == PHASE_CONTROL)
        set_normal(t, NULL);
    else if (t->plan)
        run_set(t->run, plan_ref(t->plan), APPLY_ALL, NULL);
}

static void phase_over(struct run_waiter *waiter)
{
    struct trial *t = link_entry(waiter, struct trial, phase_over);
    trial_enter(t, t->next);
    trial_look(t);
}

int trial_phase(struct trial *t, enum ledger_phase phase, struct refusal *why)
{
    if (t->state != TRIAL_RUNNING)
        return TRIAL_ENDED;
    if (t->changing)
        return refuse(why, "$.phase", "", "the phase before has not begun yet");
    if (!t->plan)
        keep_plan(t, run_plan(t->run));
    t->next = phase;
    t->changing = true;
    run_end_connections(t->run, TRIAL_END_GRACE, &t->phase_over);
    return 0;
}

/* --- The verdict */

const struct judged_found *trial_judge_now(struct trial *t, bool calls)
{
    if (t->state != TRIAL_OVER && begin_judging(t) == 0)
        judged_now(&t->judged, calls);
    return &t->judged.found;
}

/* Fed up to now. NULL: the run is over, or there is no memory. */
static struct verdict *caught_up(struct trial *t)
{
    if (t->state == TRIAL_OVER || begin_judging(t))
        return NULL;
    judged_catch_up(&t->judged);
    return t->judged.verdict;
}

const struct judged_found *trial_judged(struct trial *t, int64_t since, bool calls)
{
    const struct judged_found *found = &t->judged.found;
    if (t->state == TRIAL_OVER || begin_judging(t))
        return found;
    if (found->as_of >= since && found->with_calls >= calls)
        return found;
    if (!judged_is_coming(&t->judged, since, calls))
        judged_ask(&t->judged, calls);
    return NULL;
}

enum outcome trial_outcome(struct trial *t, bool *final)
{
    struct verdict *v = caught_up(t);
    if (v)
        return verdict_outcome(v, final);
    if (final)
        *final = t->judged.found.final;
    return t->judged.found.as_of ? t->judged.found.outcome : OUTCOME_INCONCLUSIVE;
}

static json_t *kept_json(const struct buf *text)
{
    return buf_len(text) ? json_loadb((const char *)buf_bytes(text), buf_len(text), 0, NULL) : NULL;
}

json_t *trial_verdict_json(struct trial *t)
{
    struct verdict *v = caught_up(t);
    return v ? verdict_json(v) : kept_json(&t->judged.found.document);
}

json_t *trial_calls_json(struct trial *t)
{
    struct verdict *v = caught_up(t);
    return v ? verdict_calls(v) : kept_json(&t->judged.found.calls);
}

/* --- The end */

static void over_reached(struct timer *timer, int64_t late)
{
    trial_end(link_entry(timer, struct trial, over_at), REASON_TTL);
}

static void last_words(struct runs_keeper *keeper)
{
    struct trial *t = link_entry(keeper, struct trial, keeper);
    t->pause = show_pause(t->run, run_plan(t->run));
    t->at_end = run_mode(t->run);
    say_end(t);
}

/* The run is over, and its verdict has all. */
static void finish(struct trial *t)
{
    t->state = TRIAL_OVER;
    judged_end(&t->judged, &t->trials->tally);
    tally_end(&t->tally);
    t->ended = clock_wall(clock_now());
    trial_ref(t);
    trials_keep(t);
    trial_look(t);
    trial_unref(t);
}

static void judged_at_end(struct judged *j)
{
    finish(link_entry(j, struct trial, judged));
}

static void ended(struct runs_keeper *keeper, struct ledger *ledger)
{
    struct trial *t = link_entry(keeper, struct trial, keeper);
    t->run = NULL;
    t->owns_ledger = true;
    if (!t->judged.verdict) { /* or the server stops, and nobody asks for it any more */
        finish(t);
        return;
    }
    t->judged.over = judged_at_end;
    judged_ask(&t->judged, true);
}

void trial_end(struct trial *t, enum ledger_reason reason)
{
    if (t->state != TRIAL_RUNNING)
        return;
    t->state = TRIAL_ENDING;
    t->reason = reason;
    t->changing = false;
    timer_cancel(&t->over_at);
    timer_cancel(&t->mode_over);
    int64_t grace = reason == REASON_STOPPED ? LIMIT_STOP : TRIAL_END_GRACE;
    runs_end(t->trials->runs, t->run, grace, &t->keeper);
}
