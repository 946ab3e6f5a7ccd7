/* work.c - what follows from the records of a run: each check in both readings, phases, the result.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "verdict/verdict_parts.h"

#define SLOW NS_PER_S /* see history_held */

static void work_finish(struct work *w)
{
    calls_destroy(w->calls);
    free(w->notes);
    free(w->checks);
    *w = (struct work){ 0 };
}

void verdict_drop_work(struct verdict *v)
{
    for (int i = 0; i < PHASE_COUNT; i++)
        work_finish(&v->works[i]);
    v->dirty = true;
}

struct work *verdict_work_of(struct verdict *v, enum ledger_phase phase)
{
    return v->works[phase].phase ? &v->works[phase] : NULL;
}

/* --- Circumstances */

/* It may be another one then. */
static void look_at(struct verdict *v, int64_t age)
{
    if (age > v->age && (v->next == NEVER || age < v->next))
        v->next = age;
}

/* The mode's parameter `idle`, as it runs. */
static int64_t idle_of(const struct verdict *v)
{
    const json_t *text = json_object_get(v->params, "idle");
    int64_t idle;
    if (!json_is_string(text) ||
        duration_parse(json_string_value(text), json_string_length(text), &idle) != 0 ||
        idle == DURATION_NEVER)
        return NEVER;
    return duration_scale(idle, v->time_scale);
}

/* --- One check in both readings */

static check_function *const functions[CHECK_COUNT] = {
#define X(symbol, name, function) [CHECK_##symbol] = function,
    CHECKS(X)
#undef X
};

/* Checks that say that something never happened: nothing may be forgotten of what they look at. */
static bool needs_all(enum check check)
{
    switch (check) {
    case CHECK_CONNECTION_CLOSE:
    case CHECK_NO_STALE_USE:
    case CHECK_FRESH_AFTER_MARK:
    case CHECK_IDLE_EVICTION:
    case CHECK_HONOURS_HINT:
    case CHECK_GOAWAY_RESPECTED:
    case CHECK_PING_LIVENESS:
        return true;
    default:
        return false;
    }
}

/* An account that cannot be put to calls may differ from them, unless all was well in both. */
static bool may_differ(const struct scene *s)
{
    if (s->account->broken || !account_given(s->account))
        return s->account->broken;
    if (s->account_fits && !s->account->pending)
        return false;
    for (size_t i = 0; i < s->account->count; i++) {
        if (!s->account->lines[i].ok)
            return true;
    }
    for (size_t i = 0; i < s->calls->count; i++) {
        if (!calls_is_answered(&s->calls->calls[i]))
            return true;
    }
    return false;
}

static void work_out(const struct verdict *v, const struct scene *s, const struct phase *p,
                     struct finding *f)
{
    finding_begin(f);
    functions[s->e->check](s, f);
    if (v->expected_unknown)
        finding_doubt(f, REMEDY_BEGIN, UNTIL_THE_END, "what is expected is not in the ledger");
    if (v->expected_unknown && f->outcome == OUTCOME_INCONCLUSIVE && f->remedy == REMEDY_GAP)
        f->remedy = REMEDY_BEGIN; /* that is missing, too */
    if (p->gap)
        finding_doubt(f, REMEDY_GAP, UNTIL_THE_END, "events are missing");
    if (f->outcome == OUTCOME_INCONCLUSIVE && f->remedy == REMEDY_NO_EXPOSURE &&
        history_forgotten_struck(p->h))
        finding_say(f, REMEDY_RESET, "the calls that met a fault are not kept any more");
    if (history_forgotten_struck(p->h) || (needs_all(s->e->check) && history_forgotten(p->h)))
        finding_doubt(f, REMEDY_RESET, UNTIL_THE_END, "not all calls are kept any more");
    if (s->e->check == CHECK_CLOSES_AFTER_GOAWAY && s->forgotten && f->outcome == OUTCOME_FAIL)
        finding_withdraw(f, REMEDY_RESET, "not all streams are kept any more");
    if (may_differ(s))
        finding_doubt(f, REMEDY_CALL_NAME, UNTIL_THE_END,
                      "nobody can say to which calls the client's account belongs");
    if (history_proxied(p->h))
        finding_foreign(f, REMEDY_PROXY, UNTIL_THE_END, "a proxy has sent it");
    if (history_pauses_forgotten(p->h))
        finding_withdraw(f, REMEDY_PAUSED, "the server paused more often than is kept");
    if (p->untold || v->expected_untold)
        finding_withdraw(f, REMEDY_GAP, "another phase may have begun in what is missing");
    if (v->expected_unknown)
        finding_withdraw(f, REMEDY_BEGIN, "what is expected is not in the ledger");
}

/* The first attempt that belongs to its call in one reading only, and that call. What fell into a
 * hole has no name to be read: there its client's own account helps. */
static struct subject joined_loosely(const struct scene *wide, char text[CALL_SIZE],
                                     enum remedy *remedy)
{
    *remedy = REMEDY_CALL_NAME;
    for (size_t i = 0; i < wide->calls->count; i++) {
        const struct call *call = &wide->calls->calls[i];
        for (size_t k = 0; k < call->count; k++) {
            const struct member *member = &call_members(wide, call)[k];
            if (member->join != JOIN_LOOSE || member->role == ROLE_FIRST)
                continue;
            struct subject who = subject_of_attempt(wide, member->attempt);
            ids_add(&who.seqs, call_members(wide, call)[0].attempt->first_seq);
            ids_add(&who.connections, call_members(wide, call)[0].attempt->connection);
            ids_add(&who.calls, wide->notes[i].id);
            call_text(wide, call, text);
            const struct attempt *first = call_first(wide, call);
            if (first->presumed && !first->method.hash)
                *remedy = scene_unread(wide);
            return who;
        }
    }
    strcpy(text, "an attempt");
    return (struct subject){ 0 };
}

/* Whether a hole that heals may undo a pass: what it keeps back is done, or was another request. */
static bool may_be_undone(const struct work *w, enum check check)
{
    const struct attempt *a;
    if (check == CHECK_EXECUTED_ONCE)
        return true;
    for (size_t i = 0; (a = history_attempt(w->phase->h, i)); i++) {
        if (a->presumed)
            return true;
    }
    return false;
}

static bool is_final(const struct work *w, const struct verdict *v, const struct judged *one)
{
    const struct finding *f = &one->found;
    bool heard = w->heard_out != NEVER && v->age > w->heard_out &&
                 (f->outcome != OUTCOME_PASS || !may_be_undone(w, one->e->check));
    if (w->over || heard)
        return true;
    /* Until its client has left that may ask again, its account may say more, and the exit status
     * of the command differ. Where the account tells which request was which, or other requests do,
     * a fail may be none then. */
    bool told = account_given(&w->phase->account) || w->phase->started;
    if (f->outcome == OUTCOME_FAIL)
        return w->quit || (v->age > f->sure && !(told || w->resent));
    if ((told || w->phase->exited != NEVER) && !w->quit)
        return false;
    return f->until == NEVER || (f->until != UNTIL_THE_END && v->age > f->until);
}

/* --- Phases */

/* Fail if one fails, else inconclusive if one is, else pass if one passes, else inconclusive. */
static enum outcome sum_up(const struct judged *checks, size_t count)
{
    enum outcome worst = OUTCOME_NA;
    for (size_t i = 0; i < count; i++)
        worst = checks[i].found.outcome > worst ? checks[i].found.outcome : worst;
    return worst == OUTCOME_NA ? OUTCOME_INCONCLUSIVE : worst;
}

/* A phase without a fault: whether the test works at all. */
static void judge_control(struct work *w)
{
    const struct phase *p = w->phase;
    bool lost = false;
    w->final = w->over;
    for (size_t i = 0; i < w->calls->count; i++) {
        const struct call *call = &w->calls->calls[i];
        lost |= !calls_is_answered(call) && call->state != CALL_DOUBTFUL;
    }
    if (p->exited != NEVER && p->status != 0 && !p->untold)
        w->outcome = OUTCOME_FAIL;
    else if (w->calls->count == 0 || lost || p->gap)
        w->outcome = OUTCOME_INCONCLUSIVE;
    else
        w->outcome = OUTCOME_PASS;
}

static struct scene scene_of(const struct verdict *v, const struct work *w,
                             const struct phase *control, const struct calls *calls)
{
    struct phase *p = w->phase;
    return (struct scene){ .h = p->h,
                           .calls = calls,
                           .reading = calls->reading,
                           .control = control ? control->control : NULL,
                           .control_history = control ? control->h : NULL,
                           .account = &p->account,
                           .begun = p->begun,
                           .now = w->now,
                           .over = w->over,
                           .exited = p->exited,
                           .client_gone = w->client_gone,
                           .time_scale = v->time_scale,
                           .idle = idle_of(v),
                           .gap = p->gap || (control && control->gap),
                           .forgotten = history_forgotten(p->h) > 0 };
}

/* All checks in one reading. *notes: the caller's. */
static bool judge_reading(const struct verdict *v, struct work *w, struct scene *s,
                          const struct phase *control, struct finding *findings,
                          struct note **notes)
{
    s->account_fits =
        account_match(&w->phase->account, s->calls) && !w->phase->gap && !s->forgotten;
    *notes = notes_make(s, w->calls, &w->phase->account, s->account_fits);
    if (!*notes)
        return false;
    const struct work *before = &v->works[PHASE_CONTROL];
    if (control && before->calls && control->exited != NEVER && s->exited != NEVER &&
        s->reading == READING_NARROW && !notes_find_fewer(s, before->calls, *notes))
        return false;
    s->notes = *notes;
    s->all_told = notes_all_told(w->phase, control, s->control, s->account_fits, &s->lacking);
    for (size_t i = 0; i < expect_count(v->expect); i++) {
        s->e = expect_at(v->expect, i);
        work_out(v, s, w->phase, &findings[i]);
    }
    return true;
}

static bool judge(struct verdict *v, struct work *w, const struct phase *control,
                  const struct calls *wide)
{
    size_t count = expect_count(v->expect);
    struct finding *findings = calloc(2 * count, sizeof *findings);
    struct note *wide_notes = NULL;
    struct scene s = scene_of(v, w, control, wide);
    char text[CALL_SIZE];
    w->checks = calloc(count, sizeof *w->checks);
    bool done =
        findings && w->checks && judge_reading(v, w, &s, control, findings + count, &wide_notes);
    struct subject joined = { 0 };
    enum remedy remedy = REMEDY_NONE;
    if (done) {
        joined = joined_loosely(&s, text, &remedy);
        struct scene narrow = scene_of(v, w, control, w->calls);
        done = judge_reading(v, w, &narrow, control, findings, &w->notes);
    }
    w->final = true;
    for (size_t i = 0; done && i < count; i++) {
        struct judged *one = &w->checks[i];
        one->e = expect_at(v->expect, i);
        one->found = finding_of_both(&findings[i], &findings[count + i], text, &joined, remedy);
        one->final = is_final(w, v, one);
        w->final &= one->final;
        const int64_t times[] = { one->found.until, one->found.sure, one->found.waits,
                                  w->heard_out };
        for (int k = 0; k < 4 && !one->final; k++) {
            if (times[k] != NEVER && times[k] != UNTIL_THE_END)
                look_at(v, times[k] + 1);
        }
    }
    w->check_count = done ? count : 0;
    w->outcome = sum_up(w->checks, w->check_count);
    free(findings);
    free(wide_notes);
    return done;
}

/* When a hold will count as one though nothing happens. */
static void next_hold(struct verdict *v, const struct phase *p)
{
    const struct attempt *a;
    for (size_t i = 0; (a = history_attempt(p->h, i)); i++) {
        const struct fault *f =
            a->holding && !a->closed ? history_find_fault(p->h, a->holding) : NULL;
        if (!f)
            continue;
        int64_t from = f->at > a->first_byte.from ? f->at : a->first_byte.from;
        const int64_t times[] = { from + history_grace(p->h) + 1, from + SLOW + 1 };
        for (int k = 0; k < 2; k++)
            look_at(v, times[k]);
    }
}

/* Whether the control, if there was one, had a call for each line of its account: then its client
 * makes no requests beside those that it tells of. */
static bool control_tells_all(const struct verdict *v, const struct phase *control)
{
    const struct work *w = &v->works[PHASE_CONTROL];
    return !control || (w->calls && !control->gap && !history_forgotten(control->h) &&
                        w->calls->count == control->account.count &&
                        account_tells_each(&control->account, w->calls));
}

/* Whether the account can be held against the calls: nothing of these is missing, or somebody
 * else's. What one line too few or one request too many would say is not asked then. */
static bool is_comparable(const struct phase *p)
{
    return !p->gap && !history_forgotten(p->h) && !history_proxied(p->h);
}

/* Both readings of a phase, the narrow one being there already: where the client's account shows
 * that one of them is right, both are that. NULL: without memory. */
static struct calls *build_wide(const struct verdict *v, struct work *w, struct phase *p,
                                const struct phase *control, struct calls_config *config)
{
    const struct work *before = control ? &v->works[PHASE_CONTROL] : NULL;
    bool tells = is_comparable(p) && control_tells_all(v, control);
    config->counted =
        is_comparable(p) && account_counts(&p->account, w->calls) &&
        (!before || (before->calls && account_counts(&control->account, before->calls)));
    struct calls *wide = calls_build(p->h, config, READING_WIDE);
    if (!wide || wide->count == w->calls->count || !tells)
        return wide;
    config->parted = account_parts(&p->account, p->h, w->calls);
    config->joined = account_joins(&p->account, p->h, wide);
    if (!config->parted && !config->joined)
        return wide;
    calls_destroy(wide);
    calls_destroy(w->calls);
    w->calls = calls_build(p->h, config, READING_NARROW);
    return w->calls ? calls_build(p->h, config, READING_WIDE) : NULL;
}

/* How long behind a loss another attempt still matters to a check. */
static int64_t apart_of(const struct verdict *v)
{
    int64_t apart = phase_within(v);
    for (size_t i = 0; i < expect_count(v->expect); i++) {
        const struct expected *one = expect_at(v->expect, i);
        if (one->check == CHECK_NO_STORM && one->number[1] > apart)
            apart = one->number[1];
    }
    return apart;
}

/* By the times that its records have now. */
static bool work_by_times(struct verdict *v, struct work *w, struct phase *p,
                          const struct phase *control)
{
    struct phase_end end = phase_end_of(v, p);
    *w = (struct work){ .phase = p,
                        .now = phase_now(v, p),
                        .over = phase_over(v, p) || end.gone != NEVER,
                        .quit = end.closes != NEVER && v->age > end.closes,
                        .client_gone = end.gone,
                        .heard_out = phase_heard_out(v, p) };
    history_now(p->h, w->now);
    if (!w->over && end.sure != NEVER)
        look_at(v, end.sure + 1);
    if (!w->over && end.closes != NEVER)
        look_at(v, end.closes + 1);
    struct calls_config config = { .within = phase_within(v),
                                   .apart = apart_of(v),
                                   .control = control ? control->control : NULL,
                                   .client_gone = w->client_gone,
                                   .over = w->over };
    struct resent resent[RESENT_MAX];
    w->calls = calls_build(p->h, &config, READING_NARROW);
    if (w->calls && is_comparable(p))
        config.resent_count =
            account_resent(&p->account, p->h, w->calls, config.within,
                           control && notes_same_as_control(p, control, config.control), resent);
    w->resent = config.resent_count > 0;
    if (w->resent) {
        config.resent = resent;
        calls_destroy(w->calls);
        w->calls = calls_build(p->h, &config, READING_NARROW);
    }
    if (!w->calls)
        return false;
    if (p->phase == PHASE_CONTROL) {
        account_match(&p->account, w->calls);
        judge_control(w);
        return true;
    }
    config.told_apart = is_comparable(p) && account_tells_apart(&p->account, w->calls);
    struct calls *wide = build_wide(v, w, p, control, &config);
    bool done = wide && judge(v, w, control, wide);
    calls_destroy(wide);
    return done;
}

/* What a check finds by other times that the records can have had. */
struct otherwise {
    struct finding found;
    bool final;
};

/* All checks by such times; count: of checks. *list: the caller's, times * count. */
static bool work_otherwise(struct verdict *v, struct phase *p, const struct phase *control,
                           struct paused *paused, struct otherwise **list, size_t *times)
{
    size_t count = expect_count(v->expect);
    int64_t now = v->age, next = v->next, over, then;
    int rc = 0;
    bool done = true;
    while (done && (rc = paused_next(paused)) > 0) {
        struct work other = { 0 };
        v->age = then = paused_now(paused, now, &over);
        v->next = NEVER;
        done = work_by_times(v, &other, p, control);
        then = v->next == NEVER ? NEVER : now + v->next - then;
        v->age = now;
        v->next = next;
        look_at(v, over);
        look_at(v, then);
        next = v->next;
        struct otherwise *more = realloc(*list, (*times + 1) * count * sizeof *more);
        *list = more ? more : *list;
        done = done && more;
        for (size_t i = 0; done && i < other.check_count; i++)
            more[*times * count + i] =
                (struct otherwise){ other.checks[i].found, other.checks[i].final };
        *times += done;
        work_finish(&other);
    }
    paused_back(paused);
    return done && rc == 0;
}

/* What holds only by the times that the server's pauses gave it is in doubt. */
static void doubt_pauses(const struct verdict *v, struct work *w, const struct otherwise *list,
                         size_t times)
{
    w->final = true;
    for (size_t i = 0; i < w->check_count; i++) {
        struct judged *one = &w->checks[i];
        bool final = true;
        for (size_t k = 0; k < times; k++) {
            paused_doubt(&one->found, &list[k * w->check_count + i].found);
            final &= list[k * w->check_count + i].final;
        }
        one->final = is_final(w, v, one) && final;
        w->final &= one->final;
    }
    w->outcome = sum_up(w->checks, w->check_count);
}

static bool work_phase(struct verdict *v, struct phase *p, const struct phase *control)
{
    struct work *w = &v->works[p->phase];
    struct otherwise *list = NULL;
    size_t times = 0;
    history_now(p->h, phase_now(v, p));
    if (p->phase == PHASE_CONTROL)
        return work_by_times(v, w, p, NULL);
    struct paused *paused = history_pauses(p->h) ? paused_create(p) : NULL;
    bool done =
        paused ? work_otherwise(v, p, control, paused, &list, &times) : !history_pauses(p->h);
    done = done && work_by_times(v, w, p, control);
    if (done && times)
        doubt_pauses(v, w, list, times);
    free(list);
    paused_destroy(paused);
    next_hold(v, p);
    return done;
}

/* --- The result */

static void doubt(struct verdict *v, enum remedy remedy, const char *why)
{
    if (v->outcome != OUTCOME_PASS)
        return;
    v->outcome = OUTCOME_INCONCLUSIVE;
    v->remedy = remedy;
    v->why = why;
}

static bool differs_somewhere(const struct work *w)
{
    for (size_t i = 0; i < w->calls->count; i++) {
        if (w->notes[i].differs != DIFFERS_NOT)
            return true;
    }
    for (size_t i = 0; i < w->phase->account.count; i++) {
        const struct account_line *line = &w->phase->account.lines[i];
        if (line->ok && line->matched == MATCHED_NOTHING)
            return true;
    }
    return false;
}

/* Counts the connections on which a call met a fault, or which it was kept off: over a protocol,
 * and over the other one. */
static void count_met(const struct work *w, const struct call *call, bool h2, unsigned met[2])
{
    const struct history *h = w->phase->h;
    const struct connection *c = call->left ? history_find_connection(h, call->left) : NULL;
    if (c)
        met[c->h2 == h2]++;
    for (size_t i = 0; i < call->count; i++) {
        const struct attempt *a = w->calls->members[call->first + i].attempt;
        c = history_find_connection(h, a->connection);
        if (c && (a->fault || a->holding))
            met[c->h2 == h2]++;
    }
}

/* Whether a fault was met over the protocol that the run is to be about (R10); where no call met
 * one on a connection, whether the client spoke it. */
static bool met_over(const struct verdict *v, const struct work *w)
{
    bool h2 = strcmp(v->over, "h2") == 0;
    unsigned met[2] = { 0 };
    if (!v->over[0])
        return true;
    for (size_t i = 0; i < w->calls->count; i++)
        count_met(w, &w->calls->calls[i], h2, met);
    if (met[true] || met[false])
        return met[true] > 0;
    const struct connection *c;
    for (size_t i = 0; (c = history_connection(w->phase->h, i)); i++) {
        if (c->requests > 0 && c->h2 == h2)
            return true;
    }
    return false;
}

static bool any_applies(const struct work *w)
{
    for (size_t i = 0; i < w->check_count; i++) {
        if (w->checks[i].found.outcome != OUTCOME_NA)
            return true;
    }
    return false;
}

/* For good. */
static bool has_failed(const struct work *w)
{
    for (size_t i = 0; i < w->check_count; i++) {
        if (w->checks[i].found.outcome == OUTCOME_FAIL && w->checks[i].final)
            return true;
    }
    return false;
}

static void conclude(struct verdict *v)
{
    struct work *w = verdict_work_of(v, PHASE_FAULT), *control = verdict_work_of(v, PHASE_CONTROL);
    v->remedy = REMEDY_NONE;
    v->why = NULL;
    v->outcome = w ? w->outcome : OUTCOME_INCONCLUSIVE;
    v->final = w && (w->final || has_failed(w));
    if (!w) {
        v->remedy = REMEDY_NO_EXPOSURE;
        v->why = "there was no phase with a fault";
        v->final = v->run_over;
        return;
    }
    if (!any_applies(w)) {
        v->remedy = REMEDY_MODE;
        v->why = "none of the checks is about what happened";
    }
    if (control && control->outcome == OUTCOME_FAIL)
        doubt(v, REMEDY_COMMAND, "the test fails in the control, without a fault");
    if (w->phase->disturbed)
        doubt(v, REMEDY_DISTURBED, "the test was changed while its command ran");
    if (differs_somewhere(w))
        doubt(v, REMEDY_DISAGREE, "client and server differ");
    if (!met_over(v, w))
        doubt(v, REMEDY_OVER, "no fault was met over the protocol that was asked for");
}

bool verdict_work(struct verdict *v)
{
    bool timely = v->next == NEVER || v->age < v->next;
    if (v->failed)
        return false;
    if (!v->dirty && timely)
        return true;
    verdict_drop_work(v);
    v->next = NEVER;
    struct phase *control = v->phases[PHASE_CONTROL];
    if (control && !control->control && control->ended != NEVER)
        control->control = control_create(control->h);
    if (control && control->ended != NEVER && !control->control)
        return false;
    bool done = true;
    for (int i = 0; i < PHASE_COUNT; i++) {
        struct phase *p = v->phases[i];
        if (p)
            done &= work_phase(
                v, p, i != PHASE_CONTROL && control && control->ended != NEVER ? control : NULL);
    }
    if (!done) {
        verdict_drop_work(v);
        return false;
    }
    conclude(v);
    v->dirty = false;
    v->worked_at = v->age;
    return true;
}
