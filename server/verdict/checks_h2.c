/* checks_h2.c - what a client makes of GOAWAY and of PINGs without an answer: goaway_respected,
 * closes_after_goaway, ping_liveness. */
#include "base/clock.h"
#include "verdict/calls_parts.h"
#include "verdict/scene.h"

/* The first GOAWAY of a connection, also one that only announces the end; NULL. */
static const struct fault *goaway_of(const struct scene *s, const struct connection *c, bool notice)
{
    const struct fault *final = c->fault ? history_find_fault(s->h, c->fault) : NULL;
    const struct fault *said = c->notice ? history_find_fault(s->h, c->notice) : NULL;
    if (final && final->step != STEP_GOAWAY)
        final = NULL;
    if (notice && said && said->in_effect != TRI_NO && (!final || said->at < final->at))
        return said;
    return final && final->in_effect != TRI_NO ? final : NULL;
}

/* When the client has it, by what its kernel ACKed; NEVER: nothing shows that. */
static struct span acked_of(const struct scene *s, const struct connection *c,
                            const struct fault *goaway)
{
    return c->path == PATH_DIRECT ? history_fault_seen(s->h, goaway) : SPAN_NEVER;
}

/* When it surely has it: also by what its process said. */
static struct span known_of(const struct scene *s, const struct connection *c,
                            const struct fault *goaway)
{
    struct span seen = acked_of(s, c, goaway);
    if (c->said_at != NEVER && (seen.to == NEVER || c->said_at < seen.to)) {
        seen.to = c->said_at;
        seen.from = seen.from == NEVER || seen.from > seen.to ? goaway->at : seen.from;
    }
    return seen;
}

/* What it says behind a stream, in the same write too, does not show that it knew before (R3). */
static enum tri knew(const struct connection *c, const struct span *known, const struct attempt *a)
{
    if (c->said_seq && a->first_seq > c->said_seq)
        return TRI_YES;
    if (known->to == NEVER)
        return TRI_UNKNOWN;
    if (a->first_byte.from >= known->to)
        return TRI_YES;
    return a->first_byte.to <= known->from ? TRI_NO : TRI_UNKNOWN;
}

/* --- goaway_respected */

#define REPEAT_WITHIN (10 * NS_PER_S)

static void streams_after(const struct scene *s, struct finding *f, const struct connection *c,
                          const struct fault *goaway)
{
    const struct attempt *a = c->newest ? history_find_attempt(s->h, c->newest) : NULL;
    const struct span acked = acked_of(s, c, goaway);
    for (; a; a = a->previous ? history_find_attempt(s->h, a->previous) : NULL) {
        struct subject who = subject_of_attempt(s, a);
        ids_add(&who.seqs, goaway->seq);
        if (a->first_byte.to <= goaway->at)
            continue;
        enum tri did = a->unknown ? TRI_UNKNOWN : knew(c, &acked, a);
        if (did == TRI_YES)
            found(f, OUTCOME_FAIL, REMEDY_NONE, NEVER, &who,
                  "stream %lld was opened on connection %llu, whose GOAWAY the client had",
                  (long long)a->stream, (unsigned long long)c->id);
        else if (did == TRI_UNKNOWN)
            found(f, OUTCOME_INCONCLUSIVE,
                  a->unknown               ? scene_lacks(s, a)
                  : c->path != PATH_DIRECT ? REMEDY_RELAYED
                                           : REMEDY_LATER,
                  UNTIL_THE_END, &who,
                  "whether the client had the GOAWAY of connection %llu when it opened stream "
                  "%lld is not seen",
                  (unsigned long long)c->id, (long long)a->stream);
    }
}

/* When the server ended the connection that had the GOAWAY, by FIN or otherwise; NEVER: it has not.
 */
static int64_t ended_by_us(const struct scene *s, const struct connection *c,
                           const struct fault *goaway)
{
    const struct fault *last = c->last_fault ? history_find_fault(s->h, c->last_fault) : NULL;
    const struct fault *first = c->fault ? history_find_fault(s->h, c->fault) : NULL;
    if (first && first != goaway && first->step != STEP_GOAWAY)
        return first->at;
    if (last && last != goaway && last->step != STEP_GOAWAY)
        return last->at;
    return c->left == LEFT_NOT ? c->ended : NEVER;
}

/* Whether the client had another connection by then: what goes there shows nothing of GOAWAY. */
static bool had_another(const struct scene *s, const struct attempt *a, const struct fault *goaway)
{
    const struct connection *own = history_find_connection(s->h, a->connection);
    return !own || own->opened == NEVER || own->opened < goaway->at;
}

/* Whether it goes on using a connection (R2): else each of its calls goes to a new one anyway. */
static bool would_have_used(const struct scene *s, const struct connection *c,
                            const struct attempt *a)
{
    int64_t idle = a->first_byte.from - history_last_use(s->h, c, a->first_byte.from);
    return scene_reuses(s, idle);
}

/* A call that began when the GOAWAY was known, and went elsewhere. When the server had ended the
 * connection by then, and not the client, there was no choice. */
static void calls_after(const struct scene *s, struct finding *f, const struct connection *c,
                        const struct fault *goaway, const struct span *known)
{
    bool any = false;
    char name[CALL_SIZE];
    int64_t ours = ended_by_us(s, c, goaway);
    bool left_itself = c->left != LEFT_NOT && (ours == NEVER || c->left_at < ours);
    for (size_t i = 0; i < s->calls->count && known->to != NEVER; i++) {
        const struct call *call = &s->calls->calls[i];
        const struct attempt *first = call_first(s, call);
        if (!first || first->connection == c->id || first->first_byte.from < known->to ||
            !scene_about(s, call))
            continue;
        any = true;
        if (call->state == CALL_UNKNOWN)
            found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                     call_text(s, call, name));
        else if (!left_itself && ours != NEVER && first->first_byte.from >= ours)
            scene_leave(s, f, call, REMEDY_GRACE,
                        "the server had ended connection %llu before %s: there was no choice",
                        (unsigned long long)c->id, call_text(s, call, name));
        else if (had_another(s, first, goaway))
            scene_leave(s, f, call, REMEDY_MORE_CALLS,
                        "%s went to a connection that was there before the GOAWAY",
                        call_text(s, call, name));
        else if (call->answered.to == NEVER && !scene_confirmed(s, call))
            scene_leave(s, f, call, REMEDY_CONFIRM, "%s was not answered",
                        call_text(s, call, name));
        else if (!would_have_used(s, c, first))
            scene_leave(s, f, call, s->control ? REMEDY_REUSE : REMEDY_CONTROL,
                        "nothing shows that this client would have used connection %llu",
                        (unsigned long long)c->id);
        else
            found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, UNTIL_THE_END,
                     "after GOAWAY %s went to connection %llu", call_text(s, call, name),
                     (unsigned long long)first->connection);
    }
    struct subject who = subject_of_connection(c);
    if (!any)
        finding_leave(f, REMEDY_LATER, &who, "no request came after the client had the GOAWAY");
}

/* The GOAWAY of an attempt's connection, if it had been sent by an age; NULL. */
static const struct fault *goaway_by(const struct scene *s, const struct attempt *a, int64_t age)
{
    const struct connection *c = history_find_connection(s->h, a->connection);
    const struct fault *goaway = c ? goaway_of(s, c, true) : NULL;
    return goaway && goaway->at <= age ? goaway : NULL;
}

/* Also if another fault struck it later. */
static bool refused_by_goaway(const struct scene *s, const struct attempt *a)
{
    const struct fault *fault = a->fault ? history_find_fault(s->h, a->fault) : NULL;
    return fault && fault->step == STEP_GOAWAY &&
           (history_trouble(s->h, a) == TROUBLE_REFUSED ||
            (a->out_count && fault->last_stream >= 0 && a->stream > fault->last_stream &&
             a->outs[0].fault == fault->seq));
}

static bool safe_to_repeat(const struct attempt *a)
{
    return !a->method.bytes || repeat_is_idempotent(a) || a->idempotency_key.hash;
}

/* What is wrong with an attempt that came when the client had sent its call elsewhere before. */
enum wrong { WRONG_NOT, WRONG_ANSWERED, WRONG_TWICE, WRONG_UNSAFE };

/* By one before it. once: that was sent when GOAWAY had refused another one before, so that this is
 * the second time. */
static enum wrong wrong_by(const struct scene *s, const struct attempt *before, bool once,
                           const struct attempt *a)
{
    int64_t age = a->first_byte.from;
    bool had_answer =
        history_answered(s->h, before) && before->acked.to + history_grace(s->h) <= age;
    bool out = history_out(s->h, before, age) != TROUBLE_FINE;
    bool at_once = age <= before->first_byte.to + history_grace(s->h);
    if (before->unknown || before->presumed)
        return WRONG_NOT;
    if (had_answer)
        return WRONG_ANSWERED;
    if (once && !out && (at_once || !safe_to_repeat(a)))
        return WRONG_TWICE;
    /* RFC 9113 6.8: what is not above the last stream may have been done. */
    return goaway_by(s, before, age) && !safe_to_repeat(before) &&
                   history_trouble(s->h, before) != TROUBLE_REFUSED
               ? WRONG_UNSAFE
               : WRONG_NOT;
}

/* Of the i-th attempt of a call. */
static enum wrong wrong_with(const struct scene *s, const struct call *call, size_t i)
{
    const struct member *members = call_members(s, call);
    const struct attempt *a = members[i].attempt;
    enum wrong worst = WRONG_NOT;
    bool goaway = false;
    int64_t refused = NEVER; /* since when one of them was */
    if (members[i].role == ROLE_HOP)
        return WRONG_NOT;
    for (size_t k = 0; k < i; k++) {
        const struct attempt *before = members[k].attempt;
        if (members[k].hopped)
            continue;
        bool once = refused != NEVER && before->first_byte.from >= refused;
        enum wrong wrong = wrong_by(s, before, once, a);
        worst = worst == WRONG_NOT ? wrong : worst;
        const struct fault *by = goaway_by(s, before, a->first_byte.from);
        goaway |= by != NULL;
        if (by && refused_by_goaway(s, before))
            refused = by->at;
    }
    return goaway ? worst : WRONG_NOT;
}

/* Whether so many of its attempts are surely of one call: what was joined loosely may be another
 * one, and then nothing is wrong, though the other reading may find fault with it, too. */
static bool is_one(const struct scene *s, const struct call *call, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (call_members(s, call)[i].join == JOIN_LOOSE)
            return false;
    }
    return !scene_may_be_two(s, call) && scene_group(s, call).calls == 1;
}

/* Once in a call is enough. */
static void repeated_ones(const struct scene *s, struct finding *f, const struct call *call)
{
    static const char *const why[] = {
        [WRONG_ANSWERED] = "%s was sent again although it had been answered",
        [WRONG_TWICE] = "%s was refused by GOAWAY, and sent again twice",
        [WRONG_UNSAFE] = "%s was sent again without a key, and GOAWAY had not refused it",
    };
    char name[CALL_SIZE];
    for (size_t i = 0; call->count > 1 && i < call->count; i++) {
        if (call_members(s, call)[i].attempt->unknown)
            found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                     call_text(s, call, name));
    }
    for (size_t i = 1; i < call->count; i++) {
        enum wrong wrong = wrong_with(s, call, i);
        if (wrong == WRONG_NOT)
            continue;
        bool sure = is_one(s, call, i + 1);
        int64_t until = wrong == WRONG_ANSWERED ? call_answered_until(s, call) : NEVER;
        found_of(s, f, call, sure ? OUTCOME_FAIL : OUTCOME_INCONCLUSIVE,
                 sure ? REMEDY_NONE : REMEDY_CALL_NAME, sure ? until : UNTIL_THE_END, why[wrong],
                 call_text(s, call, name));
        return;
    }
}

/* What it refused last must come again. */
static void refused_ones(const struct scene *s, struct finding *f, const struct call *call)
{
    const struct attempt *a = call->count ? call_members(s, call)[call->count - 1].attempt : NULL;
    char name[CALL_SIZE];
    if (!a || !refused_by_goaway(s, a))
        return;
    call_text(s, call, name);
    int64_t at = history_find_fault(s->h, a->fault)->at;
    int64_t deadline = (a->first_byte.to > at ? a->first_byte.to : at) + REPEAT_WITHIN;
    if (call->lacks_after || call->state == CALL_UNKNOWN)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                 name);
    else if (s->now > deadline || s->client_gone != NEVER)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%s was refused by GOAWAY, and not sent again", name);
    else if (s->over)
        scene_leave(s, f, call, REMEDY_ENDED_EARLY, "the run ended before %s was sent again", name);
    else
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_WAIT, deadline,
                 "%s was refused, and not sent again yet", name);
}

void check_goaway_respected(const struct scene *s, struct finding *f)
{
    const struct connection *c;
    for (size_t i = 0; (c = history_connection(s->h, i)); i++) {
        const struct fault *goaway = goaway_of(s, c, true);
        if (!goaway)
            continue;
        struct span known = known_of(s, c, goaway);
        streams_after(s, f, c, goaway);
        calls_after(s, f, c, goaway, &known);
    }
    for (size_t i = 0; i < s->calls->count; i++) {
        if (!scene_about(s, &s->calls->calls[i]))
            continue;
        repeated_ones(s, f, &s->calls->calls[i]);
        refused_ones(s, f, &s->calls->calls[i]);
    }
    found_none(f, REMEDY_MODE, "no GOAWAY was sent");
    finding_end(f, "");
    if (history_forgotten(s->h)) /* perhaps a stream, or one more attempt */
        finding_doubt(f, REMEDY_RESET, UNTIL_THE_END, "not all requests are kept any more");
}

/* --- closes_after_goaway */

/* When its last stream was over; NEVER: one is not. */
static int64_t drained_at(const struct scene *s, const struct connection *c)
{
    const struct attempt *a = c->newest ? history_find_attempt(s->h, c->newest) : NULL;
    int64_t at = 0;
    for (; a; a = a->previous ? history_find_attempt(s->h, a->previous) : NULL) {
        int64_t end = a->reached[PROGRESS_HANDED];
        if (a->out_count)
            end = end == NEVER ? a->outs[a->out_count - 1].since : end;
        if (end == NEVER)
            return NEVER;
        at = end > at ? end : at;
    }
    return at;
}

static void closing_of(const struct scene *s, struct finding *f, const struct connection *c,
                       const struct fault *goaway)
{
    int64_t within = scene_number(s, 0), drained = drained_at(s, c);
    struct span known = known_of(s, c, goaway);
    struct subject who = subject_of_connection(c);
    unsigned long long id = c->id;
    char time[TIME_SIZE];
    int64_t ours = ended_by_us(s, c, goaway);
    bool left = c->left == LEFT_FIN || c->left == LEFT_RST || c->left == LEFT_CLOSE_NOTIFY;
    int64_t since = drained > known.to ? drained : known.to;
    bool by_exit = left && s->exited != NEVER && c->left_at >= s->exited - history_grace(s->h);
    if (c->unknown)
        found(f, OUTCOME_INCONCLUSIVE, REMEDY_GAP, UNTIL_THE_END, &who,
              "what happened on connection %llu is not all in the ledger", id);
    else if (left && (ours == NEVER || c->left_at < ours) && !by_exit && drained != NEVER) {
        int64_t took = c->left_at - (since == NEVER ? goaway->at : since);
        int64_t idle = c->left_at - history_last_use(s->h, c, c->left_at);
        if (took <= within && scene_kept(s, c) < idle)
            finding_leave(f, s->control ? REMEDY_LATER : REMEDY_CONTROL, &who,
                          "nothing shows that this client keeps a connection for %s when there is "
                          "no GOAWAY",
                          finding_time(idle, time));
        else
            found(f, took <= within ? OUTCOME_PASS : OUTCOME_FAIL, REMEDY_NONE, NEVER, &who,
                  "connection %llu was closed %s after it was done", id,
                  finding_time(took > 0 ? took : 0, time));
    } else if (known.to == NEVER)
        finding_leave(f, c->path != PATH_DIRECT ? REMEDY_RELAYED : REMEDY_LATER, &who,
                      "nothing shows that the client had the GOAWAY of connection %llu", id);
    else if (drained != NEVER && (ours == NEVER || ours > since + within) &&
             s->now > since + within &&
             (!by_exit || s->exited > since + within + history_grace(s->h)))
        found(f, OUTCOME_FAIL, REMEDY_NONE, NEVER, &who,
              "connection %llu was still open %s after it was done", id,
              finding_time(within, time));
    else if (ours != NEVER && s->e->of)
        found(f, OUTCOME_NA, REMEDY_NONE, NEVER, &who, "the server ended connection %llu itself",
              id);
    else if (ours != NEVER)
        found(f, OUTCOME_INCONCLUSIVE, REMEDY_GRACE, NEVER, &who,
              "the server ended connection %llu itself, before the client had to", id);
    else if (s->over || by_exit || s->client_gone != NEVER)
        finding_leave(f, REMEDY_ENDED_EARLY, &who,
                      "the client ended before it had to close "
                      "connection %llu",
                      id);
    else
        found(f, OUTCOME_INCONCLUSIVE, REMEDY_WAIT,
              drained == NEVER ? UNTIL_THE_END : since + within, &who,
              "connection %llu is open, and its time is not over", id);
}

void check_closes_after_goaway(const struct scene *s, struct finding *f)
{
    const struct connection *c;
    for (size_t i = 0; (c = history_connection(s->h, i)); i++) {
        const struct fault *goaway = goaway_of(s, c, false);
        /* Closed on the notice already, so that there was no other. */
        if (!goaway && c->left != LEFT_NOT)
            goaway = goaway_of(s, c, true);
        if (goaway)
            closing_of(s, f, c, goaway);
    }
    found_none(f, REMEDY_MODE, "no GOAWAY was sent that ends a connection");
    finding_end(f, "");
}

/* --- ping_liveness */

/* The longest time for which a request was open without an answer while PINGs were not answered,
 * and the client had sent none yet; *cancelled: when the client first gave one up; NEVER. */
static int64_t longest_silence(const struct scene *s, const struct connection *c,
                               int64_t *cancelled, bool *lasts)
{
    const struct attempt *a = c->newest ? history_find_attempt(s->h, c->newest) : NULL;
    int64_t longest = 0;
    *cancelled = NEVER;
    *lasts = false;
    for (; a; a = a->previous ? history_find_attempt(s->h, a->previous) : NULL) {
        int64_t from =
            a->first_byte.to > c->pings_ignored_at ? a->first_byte.to : c->pings_ignored_at;
        int64_t to = a->reached[PROGRESS_ANSWERING] != NEVER ? a->reached[PROGRESS_ANSWERING]
                     : a->out_count && a->outs[a->out_count - 1].trouble != TROUBLE_BITTEN
                         ? a->outs[a->out_count - 1].since
                     : c->left != LEFT_NOT ? c->left_at
                                           : s->now;
        to = c->pinged != NEVER && c->pinged < to ? c->pinged : to;
        longest = to - from > longest ? to - from : longest;
        *lasts |= to == s->now && to - from == longest;
        for (int i = 0; i < a->out_count; i++) {
            if (a->outs[i].trouble == TROUBLE_ABANDONED &&
                (*cancelled == NEVER || a->outs[i].since < *cancelled))
                *cancelled = a->outs[i].since;
        }
    }
    return longest;
}

/* Whether a request waited on it when the client left it. */
static bool left_a_request(const struct scene *s, const struct connection *c)
{
    const struct attempt *a = c->newest ? history_find_attempt(s->h, c->newest) : NULL;
    for (; a; a = a->previous ? history_find_attempt(s->h, a->previous) : NULL) {
        int64_t handed = a->reached[PROGRESS_HANDED];
        if (a->first_byte.from <= c->left_at && (handed == NEVER || handed > c->left_at))
            return true;
    }
    return false;
}

/* It left in time. Does that show that it left for the PING? A client that PINGs anyway may leave
 * by the limit of its request, and one that keeps no connection for long leaves each. */
static void left_in_time(const struct scene *s, struct finding *f, const struct connection *c,
                         const struct subject *who)
{
    bool open = left_a_request(s, c);
    int64_t took = c->left_at - c->pinged;
    int64_t kept = open ? took : c->left_at - history_last_use(s->h, c, c->left_at);
    unsigned long long id = c->id;
    char time[TIME_SIZE];
    if (open && c->pings_unanswered > 1)
        finding_leave(f, REMEDY_LATER, who,
                      "connection %llu was left after %u PINGs without an answer, while a request "
                      "waited: perhaps by the limit of that",
                      id, c->pings_unanswered);
    else if (scene_kept(s, c) < kept)
        finding_leave(f, s->control ? REMEDY_LATER : REMEDY_CONTROL, who,
                      "nothing shows that this client keeps a connection for %s when its PINGs "
                      "are answered",
                      finding_time(kept, time));
    else
        found(f, OUTCOME_PASS, REMEDY_NONE, NEVER, who,
              "connection %llu was left %s after a PING without an answer", id,
              finding_time(took, time));
}

static void liveness_of(const struct scene *s, struct finding *f, const struct connection *c)
{
    int64_t within = scene_number(s, 0), cancelled;
    bool lasts;
    int64_t silence = longest_silence(s, c, &cancelled, &lasts);
    struct subject who = subject_of_connection(c);
    unsigned long long id = c->id;
    char time[TIME_SIZE];
    ids_add(&who.seqs, c->pings_ignored);
    bool left = c->left != LEFT_NOT && c->left_at >= c->pinged;
    bool by_exit = left && s->exited != NEVER && c->left_at >= s->exited - history_grace(s->h);
    int64_t stayed = (left ? c->left_at : c->ended != NEVER ? c->ended : s->now) - c->pinged;
    if (c->unknown)
        found(f, OUTCOME_INCONCLUSIVE, REMEDY_GAP, UNTIL_THE_END, &who,
              "what happened on connection %llu is not all in the ledger", id);
    else if (silence > within)
        found(f, OUTCOME_FAIL, REMEDY_NONE, NEVER, &who,
              "no PING came on connection %llu in %s of silence", id, finding_time(silence, time));
    else if (c->pinged == NEVER && lasts && !s->over && s->client_gone == NEVER)
        found(f, OUTCOME_INCONCLUSIVE, REMEDY_WAIT, s->now + within - silence, &who,
              "a call is open in silence, and no PING came yet");
    else if (c->pinged == NEVER)
        finding_leave(f, REMEDY_LONGER, &who, "no call was open for %s in silence",
                      finding_time(within, time));
    else if (left && cancelled != NEVER && cancelled < c->left_at)
        finding_leave(
            f, REMEDY_LONGER, &who,
            "connection %llu was left after a request had been given up: perhaps for that", id);
    else if (left && !by_exit && c->left_at - c->pinged <= within)
        left_in_time(s, f, c, &who);
    else if (stayed > within)
        found(f, OUTCOME_FAIL, REMEDY_NONE, NEVER, &who,
              "connection %llu was still used %s after a PING without an answer", id,
              finding_time(within, time));
    else if (s->over || by_exit || c->ended != NEVER || s->client_gone != NEVER)
        finding_leave(f, REMEDY_ENDED_EARLY, &who,
                      "connection %llu ended before the client had to leave it", id);
    else
        found(f, OUTCOME_INCONCLUSIVE, REMEDY_WAIT, c->pinged + within, &who,
              "a PING on connection %llu is not answered yet", id);
}

void check_ping_liveness(const struct scene *s, struct finding *f)
{
    const struct connection *c;
    if (s->time_scale != 1 && !s->account->scaled) {
        found(f, OUTCOME_INCONCLUSIVE, REMEDY_TIME_SCALE, UNTIL_THE_END, NULL,
              "the time scale is not 1, and the client's clocks may not be scaled");
        return;
    }
    for (size_t i = 0; (c = history_connection(s->h, i)); i++) {
        if (c->pings_ignored && c->h2)
            liveness_of(s, f, c);
    }
    found_none(f, REMEDY_MODE, "PINGs were answered all the time");
    finding_end(f, "");
}
