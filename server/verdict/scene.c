/* scene.c - what checks have in common. */
#include "verdict/scene.h"

#include <stdio.h>
#include <string.h>

#include "verdict/spelling.h"

bool scene_asks(const struct scene *s, const struct attempt *a)
{
    if (!s->e->path[0] || !a || !a->method.bytes || !a->target.bytes)
        return true; /* nobody can say that it is not */
    size_t len = strlen(a->target.bytes);
    const char *at = spelling_origin(a->target.bytes, &len);
    char path[FOR_PATH_MAX + 1];
    size_t end = strcspn(at, "?");
    if (!at[end] && a->target.len > strlen(a->target.bytes))
        return true; /* not all of it is kept */
    snprintf(path, sizeof path, "%.*s", (int)end, at);
    return expected_for(s->e, a->method.bytes, path);
}

bool scene_about(const struct scene *s, const struct call *call)
{
    return scene_asks(s, call_read(s, call));
}

int64_t scene_number(const struct scene *s, size_t param)
{
    return s->e->number[param];
}

const struct member *call_members(const struct scene *s, const struct call *call)
{
    return &s->calls->members[call->first];
}

const struct attempt *call_first(const struct scene *s, const struct call *call)
{
    return call->count ? call_members(s, call)->attempt : NULL;
}

const struct attempt *call_read(const struct scene *s, const struct call *call)
{
    return calls_first_read(s->calls, call);
}

const struct fault *call_fault(const struct scene *s, const struct call *call)
{
    return call->fault ? history_find_fault(s->h, call->fault) : NULL;
}

const char *call_text(const struct scene *s, const struct call *call, char out[CALL_SIZE])
{
    const struct attempt *a = call_read(s, call);
    if (a && a->method.bytes && a->target.bytes)
        snprintf(out, CALL_SIZE, "%.16s %.64s", a->method.bytes, a->target.bytes);
    else
        snprintf(out, CALL_SIZE, "%s",
                 a ? a->headless ? "a request that could not be read"
                                 : "a request of which nothing was read"
                   : "a call that got no connection");
    return out;
}

/* --- Evidence */

struct subject subject_of_attempt(const struct scene *s, const struct attempt *a)
{
    struct subject who = { 0 };
    ids_add(&who.seqs, a->fault ? a->fault : a->holding);
    ids_add(&who.seqs, a->first_seq);
    for (int p = PROGRESS_HANDED; p < PROGRESS_COUNT; p++)
        ids_add(&who.seqs, a->seqs[p]);
    ids_add(&who.connections, a->connection);
    return who;
}

struct subject subject_of_call(const struct scene *s, const struct call *call)
{
    struct subject who = { 0 };
    ids_add(&who.calls, s->notes[call - s->calls->calls].id);
    ids_add(&who.seqs, call->fault);
    ids_add(&who.connections, call->left);
    for (size_t i = 0; i < call->count && i < EVIDENCE_MAX; i++) {
        struct subject one = subject_of_attempt(s, call_members(s, call)[i].attempt);
        for (int k = 0; k < one.seqs.count; k++)
            ids_add(&who.seqs, one.seqs.list[k]);
        ids_add(&who.connections, one.connections.list[0]);
    }
    return who;
}

struct subject subject_of_connection(const struct connection *c)
{
    struct subject who = { 0 };
    ids_add(&who.connections, c->id);
    ids_add(&who.seqs, c->fault ? c->fault : c->notice);
    return who;
}

/* --- What was found of calls */

bool scene_may_be_two(const struct scene *s, const struct call *call)
{
    return (call->quick || s->notes[call - s->calls->calls].fewer) && s->all_told != TRI_YES;
}

enum remedy scene_lacks(const struct scene *s, const struct attempt *a)
{
    return a->headless && !s->gap ? REMEDY_MALFORMED : REMEDY_GAP;
}

enum remedy scene_unsaid(const struct scene *s, const struct call *call)
{
    for (size_t i = 0; i < call->count; i++)
        if (scene_lacks(s, call_members(s, call)[i].attempt) == REMEDY_MALFORMED)
            return REMEDY_MALFORMED;
    return !call->presumed || s->gap ? REMEDY_GAP : scene_untold(s, call);
}

/* Whether the client's own account has a line for each request already. */
static bool has_lines(const struct scene *s)
{
    return account_whole(s->account) && s->account->count > 0 && !s->gap && !s->forgotten;
}

enum remedy scene_unread(const struct scene *s)
{
    bool timed = has_lines(s);
    for (size_t i = 0; timed && i < s->account->count; i++)
        timed = s->account->lines[i].took != NEVER;
    return timed ? REMEDY_MODE : REMEDY_REPORT;
}

enum remedy scene_untold(const struct scene *s, const struct call *call)
{
    const struct account_line *line = s->notes[call - s->calls->calls].line;
    if (call->presumed && line)
        return REMEDY_MODE;
    if (call->presumed || !has_lines(s))
        return scene_unread(s);
    if (!s->account_fits && !line)
        return REMEDY_CALL_NAME;
    return !line                                                     ? REMEDY_REPORT
           : s->notes[call - s->calls->calls].differs == DIFFERS_NOT ? REMEDY_MODE
                                                                     : REMEDY_DISAGREE;
}

/* Whether a client fails the check by what it sent more than once, or by how long all of that took:
 * then it has done nothing wrong if these were several calls. What was never answered was not
 * answered either way. */
static bool blames_for_more(enum check check)
{
    switch (check) {
    case CHECK_RETRIES:
    case CHECK_RETRY_ELSEWHERE:
    case CHECK_SAFE_RETRY:
    case CHECK_EXECUTED_ONCE:
    case CHECK_USER_WAIT:
    case CHECK_BACKOFF:
        return true;
    default:
        return false;
    }
}

/* Whether a call passes the check by how seldom it was sent. */
static bool praises_for_less(enum check check)
{
    return check == CHECK_RETRIES || check == CHECK_SAFE_RETRY || check == CHECK_EXECUTED_ONCE ||
           check == CHECK_NO_STORM;
}

/* It met a fault, and there are more calls of its kind than its client's own account has lines in
 * all: some of them may be further attempts of it. */
static bool may_be_more(const struct scene *s, const struct call *call)
{
    return call->exposure == EXPOSURE_BITTEN && has_lines(s) &&
           s->notes[call - s->calls->calls].alike > s->account->count;
}

/* Whether a call fails the check for want of another attempt. */
static bool blames_for_less(enum check check, const struct call *call)
{
    return call->answered.to == NEVER &&
           (check == CHECK_RECOVERED || check == CHECK_FALLS_BACK || check == CHECK_WAITS ||
            (check == CHECK_RETRIES && call->count <= 1));
}

void found_of(const struct scene *s, struct finding *f, const struct call *call,
              enum outcome outcome, enum remedy remedy, int64_t until, const char *format, ...)
{
    const struct note *note = &s->notes[call - s->calls->calls];
    struct subject who = subject_of_call(s, call);
    char sentence[SENTENCE_SIZE], name[CALL_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (outcome == OUTCOME_PASS && note->differs != DIFFERS_NOT) {
        ids_add(&who.seqs, note->line->seq);
        found(f, OUTCOME_INCONCLUSIVE, REMEDY_DISAGREE, until, &who,
              "%.120s; but the client's own account of %.80s differs", sentence,
              call_text(s, call, name));
    } else if (outcome == OUTCOME_FAIL && note->differs == DIFFERS_UNANSWERED) {
        ids_add(&who.seqs, note->line->seq);
        found(f, OUTCOME_INCONCLUSIVE, REMEDY_DISAGREE, until, &who,
              "%.120s; but by its own account something has answered %.80s", sentence,
              call_text(s, call, name));
    } else if (outcome == OUTCOME_FAIL && blames_for_less(s->e->check, call) &&
               paused_left(s, call)) {
        found(f, OUTCOME_INCONCLUSIVE, REMEDY_PAUSED, UNTIL_THE_END, &who,
              "%.160s; but it was left while the server itself did not run", sentence);
    } else if (scene_may_be_two(s, call) &&
               (outcome == OUTCOME_PASS ||
                (outcome == OUTCOME_FAIL && blames_for_more(s->e->check)))) {
        found(f, OUTCOME_INCONCLUSIVE, REMEDY_CALL_NAME, UNTIL_THE_END, &who,
              "%.100s, if the next %.80s was the same call: %s", sentence, call_text(s, call, name),
              call->quick ? "this client makes its next one as soon"
                          : "there were more of them in the control");
    } else if (outcome == OUTCOME_PASS && praises_for_less(s->e->check) && may_be_more(s, call)) {
        found(f, OUTCOME_INCONCLUSIVE, REMEDY_CALL_NAME, UNTIL_THE_END, &who,
              "%.100s; but more calls such as %.80s were made than the client's own account has",
              sentence, call_text(s, call, name));
    } else if (note->foreign && !s->e->path[0] && outcome == OUTCOME_PASS) {
        finding_leave(f, REMEDY_FOR, &who, "%.80s met the fault, which the control did not ask",
                      call_text(s, call, name));
    } else if (note->foreign && !s->e->path[0] && outcome == OUTCOME_FAIL) {
        found(f, OUTCOME_INCONCLUSIVE, REMEDY_FOR, until, &who,
              "%.80s, which the control did not ask: %.140s", call_text(s, call, name), sentence);
    } else {
        found(f, outcome, remedy, until, &who, "%s", sentence);
    }
}

void scene_leave(const struct scene *s, struct finding *f, const struct call *call,
                 enum remedy remedy, const char *format, ...)
{
    struct subject who = subject_of_call(s, call);
    char sentence[SENTENCE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    finding_leave(f, remedy, &who, "%s", sentence);
}

static bool met_any(const struct scene *s)
{
    for (size_t i = 0; i < s->calls->count; i++) {
        enum exposure exposure = s->calls->calls[i].exposure;
        if (scene_about(s, &s->calls->calls[i]) &&
            ((exposure != EXPOSURE_UNTOUCHED && exposure != EXPOSURE_UNKNOWN) ||
             s->calls->calls[i].held))
            return true;
    }
    return false;
}

void scene_end(const struct scene *s, struct finding *f, const char *none)
{
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        if (scene_about(s, call) && call->why == WHY_CROSSED)
            found_none(f, REMEDY_NOT_STRUCK,
                       "the client left its connection just as the fault came, "
                       "perhaps by a limit of its own");
    }
    finding_end(f, none);
}

void finding_end_or_na(const struct scene *s, struct finding *f, const char *none)
{
    if (f->outcome == OUTCOME_NA && !f->count[OUTCOME_NA] && !f->left && met_any(s))
        found(f, OUTCOME_NA, REMEDY_NONE, UNTIL_THE_END, NULL, "%s", none);
    scene_end(s, f, "no call met a fault");
}

struct call_group scene_group(const struct scene *s, const struct call *call)
{
    if (s->notes[call - s->calls->calls].alone)
        return (struct call_group){ .calls = 1 };
    return calls_group(s->calls, call);
}

/* --- Rules */

bool scene_may_hide_more(const struct scene *s, const struct call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        const struct attempt *a = call_members(s, call)[i].attempt;
        const struct connection *c = history_find_connection(s->h, a->connection);
        if (!c || c->fell[0].at.to > 0)
            return true;
    }
    return false;
}

void scene_hides_more(const struct scene *s, struct finding *f, const struct call *call)
{
    char name[CALL_SIZE];
    found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_READ, UNTIL_THE_END,
             "%s: how often it was sent into the black hole is not seen", call_text(s, call, name));
}

bool scene_counts(const struct scene *s, const struct call *call, char why[WHY_SIZE],
                  enum remedy *remedy)
{
    const struct fault *fault = call_fault(s, call);
    /* Who sees the end of a connection needs no clock of his own for that; that it came sooner
     * than in earnest helps nobody. */
    bool seen = call->exposure == EXPOSURE_AVOIDED && fault && fault->class != CLASS_SILENCES &&
                s->time_scale < 1;
    const struct attempt *lacking = s->lacking;
    if (!call->exposure_proven) {
        strcpy(why, "nothing shows that this client would have used that connection");
        *remedy = s->control ? REMEDY_REUSE : REMEDY_CONTROL;
        return false;
    }
    if (s->time_scale != 1 && !seen && !s->account->scaled) {
        strcpy(why, "the time scale is not 1, and its clocks may not be scaled");
        *remedy = REMEDY_TIME_SCALE;
        return false;
    }
    if (s->all_told == TRI_YES)
        return true;
    bool lines = has_lines(s), odd = lines && s->account_fits && !s->account->pending;
    *remedy = s->gap                      ? REMEDY_GAP
              : s->all_told == TRI_NO     ? REMEDY_MODE
              : odd                       ? REMEDY_DISAGREE /* a success that has no call */
              : lines && !s->account_fits ? REMEDY_CALL_NAME
                                          : REMEDY_REPORT;
    if (s->all_told == TRI_NO)
        strcpy(why, "a request died inside the client");
    else if (lacking && lacking->method.bytes && lacking->target.bytes)
        snprintf(why, WHY_SIZE, "%.16s %.*s was answered less often than in the control",
                 lacking->method.bytes, (int)strnlen(lacking->target.bytes, 48),
                 lacking->target.bytes);
    else
        strcpy(why, "a call may have died inside the client, without a byte");
    return false;
}

const struct attempt *scene_confirmed_by(const struct scene *s, const struct call *call)
{
    return account_confirms(s->notes[call - s->calls->calls].line, s->h, s->calls, call);
}

bool scene_confirmed(const struct scene *s, const struct call *call)
{
    return scene_confirmed_by(s, call) != NULL;
}

bool scene_had_failed(const struct scene *s, const struct call *call)
{
    const struct account_line *line = s->notes[call - s->calls->calls].line;
    return line && call->state != CALL_UNKNOWN && !call->lacks_before && !call->lacks_after &&
           account_failed_before(line, s->calls, call);
}

bool scene_confirmed_alone(const struct scene *s, const struct attempt *a)
{
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        if (call->count == 1 && call_members(s, call)->attempt == a)
            return scene_confirmed(s, call);
    }
    return false;
}

/* Whether the client's account shows that an attempt is one: by a line of its own, of a failure, or
 * by the call that it was sent again for (the only name that one has of which nothing was read). */
static bool is_told(const struct scene *s, const struct attempt *a)
{
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        const struct account_line *line = s->notes[i].line;
        if (call->count && call_first(s, call) == a)
            return call->count > 1 ? call_members(s, call)[1].join == JOIN_NAMED
                                   : line && !line->ok;
    }
    return false;
}

enum tri scene_was_request(const struct scene *s, const struct attempt *a, struct span when)
{
    const struct account_line *failed;
    if (attempt_is_farewell(s->h, a))
        return TRI_NO;
    if (a->method.hash)
        return TRI_YES;
    if (account_was_quiet(s->account, s->calls, when, history_grace(s->h), &failed))
        return TRI_NO;
    bool first = when.to <= a->first_byte.to;
    return first && attempt_is_request(s->h, a) && (failed || is_told(s, a)) ? TRI_YES
                                                                             : TRI_UNKNOWN;
}

int64_t call_until(const struct call *call)
{
    return call->until == NEVER ? UNTIL_THE_END : call->until;
}

/* Whether its stream may yet be reset, which says that its answer was not read. */
static bool may_be_reset(const struct history *h, const struct attempt *a)
{
    const struct connection *c = history_find_connection(h, a->connection);
    return a->progress == PROGRESS_ACKED && c && c->h2 && c->ended == NEVER && c->shut_at == NEVER;
}

int64_t call_answered_until(const struct scene *s, const struct call *call)
{
    bool open = false;
    for (size_t i = 0; i < call->count; i++) {
        const struct attempt *a = call_members(s, call)[i].attempt;
        if (a->progress == PROGRESS_CONFIRMED && history_answered(s->h, a))
            return NEVER;
        open |= history_may_be_unread(s->h, a) || may_be_reset(s->h, a);
    }
    return call->answered.to == NEVER
               ? NEVER
               : call->answered.to + (open ? UNREAD_FOR : history_grace(s->h));
}

bool scene_reuses(const struct scene *s, int64_t idle)
{
    if (s->control && control_reuse_gap(s->control) != NEVER)
        return true; /* after a longer one: then after a shorter one all the more */
    const struct attempt *a;
    for (size_t i = 0; (a = history_attempt(s->h, i)); i++) {
        if (a->reused == TRI_YES && !a->unknown && a->idle_before != NEVER &&
            a->idle_before <= idle)
            return true;
    }
    return false;
}

/* Until when nothing was wrong with a connection that has ended. */
static int64_t sound_until(const struct history *h, const struct connection *c)
{
    const struct fault *notice = c->notice ? history_find_fault(h, c->notice) : NULL;
    const int64_t ends[] = { c->left == LEFT_NOT ? NEVER : c->left_at, c->dead,
                             notice ? notice->at : NEVER,
                             c->pings_ignored ? c->pings_ignored_at : NEVER };
    int64_t until = c->ended;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        until = ends[i] != NEVER && ends[i] < until ? ends[i] : until;
    return until;
}

static int64_t kept_in(const struct history *h, const struct connection *but)
{
    const struct attempt *a;
    const struct connection *c;
    int64_t longest = NEVER;
    for (size_t i = 0; (a = history_attempt(h, i)); i++) {
        if (a->reused == TRI_YES && !a->unknown && a->idle_before > longest)
            longest = a->idle_before;
    }
    for (size_t i = 0; (c = history_connection(h, i)); i++) {
        if (c == but || c->unknown || c->opened == NEVER || !c->answered || c->ended == NEVER)
            continue;
        int64_t until = sound_until(h, c), kept = until - history_last_use(h, c, until);
        if (c->left != LEFT_NOT &&
            c->left_at <= until + history_grace(h)) /* that is what it may do anyway */
            kept -= history_grace(h);
        longest = kept > longest ? kept : longest;
    }
    return longest;
}

int64_t scene_kept(const struct scene *s, const struct connection *but)
{
    int64_t here = kept_in(s->h, but);
    int64_t before = s->control_history ? kept_in(s->control_history, NULL) : NEVER;
    return here > before ? here : before;
}
