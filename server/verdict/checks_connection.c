/* checks_connection.c - which connections a client uses: no_stale_use, connection_close,
 * fresh_after_mark, idle_eviction, honours_hint. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "verdict/scene.h"

static const struct connection *connection_of(const struct scene *s, const struct attempt *a)
{
    return history_find_connection(s->h, a->connection);
}

static const char *attempt_text(const struct attempt *a, char out[CALL_SIZE])
{
    snprintf(out, CALL_SIZE, "%.16s %.64s", a->method.bytes ? a->method.bytes : "?",
             a->target.bytes ? a->target.bytes : "?");
    return out;
}

/* --- no_stale_use */

static void used_stale(const struct scene *s, struct finding *f, const struct attempt *a)
{
    const struct connection *c = connection_of(s, a);
    struct subject who = subject_of_attempt(s, a);
    char name[CALL_SIZE];
    bool relayed = c && c->path != PATH_DIRECT;
    switch (history_knew(s->h, a)) {
    case TRI_YES:
        found(f, OUTCOME_FAIL, REMEDY_NONE, NEVER, &who,
              "%s was sent on connection %llu, of which the client could know that it had ended",
              attempt_text(a, name), (unsigned long long)a->connection);
        break;
    case TRI_UNKNOWN:
        if (c && !c->unknown && !a->unknown && c->dead == NEVER && !c->notice)
            break;
        found(f, OUTCOME_INCONCLUSIVE,
              !c || c->unknown || a->unknown ? scene_lacks(s, a)
              : relayed                      ? REMEDY_RELAYED
                                             : REMEDY_LATER,
              UNTIL_THE_END, &who,
              "whether the client could know that connection %llu had ended when it sent %s is "
              "not seen",
              (unsigned long long)a->connection, attempt_text(a, name));
        break;
    case TRI_NO:
        break;
    }
}

/* Whether it was reset, or may have been, before its client had left it: then that one's kernel
 * sends nothing more, and nobody sees whether it tried. Behind a FIN, all that comes may draw an
 * RST: over HTTP/2 the ACK of our SETTINGS, also if it is still to come. (What the client says as
 * it leaves may draw one, too; a request is seen.) */
static bool was_reset(const struct fault *fault, const struct connection *c)
{
    bool late = c->settings_acked > c->dead && c->how == HOW_RST;
    return fault->step == STEP_RST || (c->h2 && c->ended != NEVER && c->left == LEFT_NOT &&
                                       (c->settings_acked == NEVER || late));
}

/* A call that went elsewhere though the client would have used the dead connection. */
static void kept_off_stale(const struct scene *s, struct finding *f, const struct call *call)
{
    const struct connection *c = history_find_connection(s->h, call->left);
    const struct fault *fault = call_fault(s, call);
    char name[CALL_SIZE];
    call_text(s, call, name);
    if (!c || !fault)
        return;
    struct span known = history_known(s->h, c);
    if (was_reset(fault, c))
        found_of(s, f, call, OUTCOME_NA, REMEDY_NONE, UNTIL_THE_END,
                 "connection %llu was reset, or may have been: nobody can send on it any more",
                 (unsigned long long)c->id);
    else if (known.to == NEVER || known.to > call->begun.from)
        scene_leave(s, f, call, fault->class == CLASS_SILENCES ? REMEDY_MODE : REMEDY_LATER,
                    "%s came before the client could know that connection %llu had ended", name,
                    (unsigned long long)c->id);
    else if (!call->exposure_proven)
        scene_leave(s, f, call, s->control ? REMEDY_REUSE : REMEDY_CONTROL,
                    "nothing shows that this client would have used connection %llu",
                    (unsigned long long)c->id);
    else
        found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, c->ended == NEVER ? UNTIL_THE_END : NEVER,
                 "%s went to connection %llu", name,
                 (unsigned long long)call_first(s, call)->connection);
}

void check_no_stale_use(const struct scene *s, struct finding *f)
{
    const struct attempt *a;
    for (size_t i = 0; (a = history_attempt(s->h, i)); i++) {
        if (scene_asks(s, a) && !a->presumed)
            used_stale(s, f, a);
    }
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        if (scene_about(s, call) && call->exposure == EXPOSURE_AVOIDED && call->count)
            kept_off_stale(s, f, call);
    }
    finding_end(f, "no request came after the client could know that a connection had ended");
}

/* --- connection_close */

static unsigned answers(const struct history *h)
{
    const struct attempt *a;
    unsigned count = 0;
    for (size_t i = 0; (a = history_attempt(h, i)); i++)
        count += history_answered(h, a);
    return count;
}

static void closes(const struct scene *s, struct finding *f, const struct attempt *a)
{
    const struct connection *c = connection_of(s, a);
    struct subject who = subject_of_attempt(s, a);
    char name[CALL_SIZE];
    attempt_text(a, name);
    if (!c || c->unknown || a->unknown)
        found(f, OUTCOME_INCONCLUSIVE, scene_lacks(s, a), UNTIL_THE_END, &who, UNSAID, name);
    else if (c->h2)
        found(f, OUTCOME_INCONCLUSIVE, REMEDY_OVER_H1, UNTIL_THE_END, &who,
              "%s went over HTTP/2, which has no Connection: close", name);
    else if (!a->said_close && a->reached[PROGRESS_TOLD] != NEVER)
        found(f, OUTCOME_FAIL, REMEDY_NONE, NEVER, &who, "%s did not say Connection: close", name);
    else if (a->reused == TRI_YES || c->requests > 1)
        found(f, OUTCOME_FAIL, REMEDY_NONE, NEVER, &who,
              "connection %llu carried more than one request", (unsigned long long)c->id);
}

void check_connection_close(const struct scene *s, struct finding *f)
{
    const struct attempt *a;
    int64_t answered_by = INT64_MAX;
    unsigned answered = 0;
    bool in_turn = false, all = true, unread = false;
    for (size_t i = 0; (a = history_attempt(s->h, i)); i++) {
        if (!scene_asks(s, a))
            continue;
        closes(s, f, a);
        if (!history_answered(s->h, a) && !scene_confirmed_alone(s, a)) {
            all = false;
            unread |= a->progress >= PROGRESS_HANDED;
            continue;
        }
        answered++;
        in_turn |= a->first_byte.from >= answered_by;
        if (a->reached[PROGRESS_HANDED] < answered_by)
            answered_by = a->reached[PROGRESS_HANDED];
    }
    if (!in_turn)
        found_none(f, REMEDY_MORE_CALLS, "there were no two requests one after the other");
    else if (!all || (s->control_history && answered < answers(s->control_history)))
        found_none(f, unread ? REMEDY_CONFIRM : REMEDY_MODE, "not all requests were answered");
    else
        found(f, OUTCOME_PASS, REMEDY_NONE, UNTIL_THE_END, NULL,
              "%u requests, each with a connection of its own", answered);
    finding_end(f, "no request came");
}

/* --- fresh_after_mark */

#define SKEW    (100 * NS_PER_MS)
#define OPENING NS_PER_S /* from opening a connection to its first request, at most */

/* A mark, and what lies before it. */
struct marked {
    const struct mark *mark;
    int64_t skew;
    int64_t away;     /* when the app went to the background, or the mark itself */
    int64_t last_use; /* of a connection, before that; NEVER: none */
    int64_t next;     /* the next mark of this name; INT64_MAX */
};

/* When the server ended a connection, or announced that, so that its client may see it; NEVER. */
static int64_t told_at(const struct scene *s, const struct connection *c)
{
    const struct fault *dead = c->fault ? history_find_fault(s->h, c->fault) : NULL;
    const struct fault *notice = c->notice ? history_find_fault(s->h, c->notice) : NULL;
    int64_t at = dead && dead->class != CLASS_SILENCES ? c->dead : NEVER;
    return notice && (at == NEVER || notice->at < at) ? notice->at : at;
}

static void look_before(const struct scene *s, struct marked *m)
{
    const struct attempt *a;
    m->last_use = NEVER;
    for (size_t i = 0; (a = history_attempt(s->h, i)); i++) {
        int64_t handed = a->reached[PROGRESS_HANDED];
        if (a->first_byte.to < m->away && connection_of(s, a) && handed > m->last_use)
            m->last_use = handed;
    }
}

/* Whether a client that cares for no mark had nothing to use but a new connection: all that were
 * used before had visibly ended when that was opened, or the client had left them before it went
 * away. */
static bool had_no_choice(const struct scene *s, const struct marked *m,
                          const struct connection *own)
{
    const struct attempt *a;
    for (size_t i = 0; (a = history_attempt(s->h, i)); i++) {
        const struct connection *c = connection_of(s, a);
        if (a->first_byte.to >= m->away || !c || a->reached[PROGRESS_HANDED] == NEVER)
            continue;
        int64_t told = told_at(s, c);
        bool left = c->left != LEFT_NOT && (told == NEVER || c->left_at < told);
        bool was_left = left && c->left_at < m->away - m->skew;
        if (!was_left && (left || told == NEVER || told > own->opened))
            return false;
    }
    return true;
}

static bool find_marked(const struct scene *s, size_t *at, struct marked *m)
{
    const struct mark *mark;
    int64_t away = NEVER;
    const char *name = s->e->text[0];
    *m = (struct marked){ .next = INT64_MAX };
    for (size_t i = 0; (mark = history_mark(s->h, i)); i++) {
        if (strcmp(mark->name, name) == 0 && m->mark) {
            m->next = mark->at.from;
            break;
        }
        if (strcmp(mark->name, name) == 0 && i >= *at) {
            m->mark = mark;
            *at = i + 1;
        } else if (strcmp(mark->name, name) == 0) {
            away = NEVER; /* it had come back from that */
        } else if (strcmp(mark->name, "background") == 0 && !m->mark) {
            away = mark->at.from;
        }
    }
    if (!m->mark)
        return false;
    m->skew = m->mark->exact ? 0 : m->mark->at.to - m->mark->at.from + SKEW;
    m->away = away != NEVER && strcmp(name, "foreground") == 0 ? away : m->mark->at.from;
    look_before(s, m);
    return true;
}

/* Whether its connection is from before the mark. The request that sets a mark itself comes over a
 * connection that was opened just before. */
static enum tri is_old(const struct scene *s, const struct marked *m, const struct attempt *a)
{
    const struct connection *c = connection_of(s, a);
    if (!c || c->opened == NEVER || c->unknown)
        return TRI_UNKNOWN;
    if (!m->mark->exact)
        return c->opened < m->mark->at.from - m->skew ? TRI_YES : TRI_NO;
    if (c->opened >= m->mark->at.from)
        return TRI_NO;
    const struct attempt *one;
    for (size_t i = 0; (one = history_attempt(s->h, i)); i++) {
        if (one->connection == c->id && one->first_byte.from < m->mark->at.from)
            return TRI_YES;
    }
    int64_t before = m->away < m->mark->at.from ? m->away : m->mark->at.from - OPENING;
    return c->opened < before ? TRI_YES : TRI_NO;
}

static bool is_surely_after(const struct scene *s, const struct marked *m, int64_t age)
{
    /* A driver waits for the answer before it goes on. */
    int64_t skew = s->account->marks && account_whole(s->account) ? 0 : m->skew;
    return age >= m->mark->at.to + skew || (m->mark->exact && age >= m->mark->at.from);
}

/* Something came on a silent connection from before the mark, and nobody has read it (R7). */
static void fell_after(const struct scene *s, struct finding *f, const struct marked *m,
                       const struct attempt *a)
{
    const struct connection *c = connection_of(s, a);
    const struct span times[] = { a->first_byte, c ? attempt_last_fell(s->h, c) : SPAN_NEVER };
    struct subject who = subject_of_attempt(s, a);
    unsigned long long id = a->connection;
    ids_add(&who.seqs, m->mark->seq);
    for (size_t i = 0; i < 2 && is_old(s, m, a) != TRI_NO; i++) {
        enum tri was = scene_was_request(s, a, times[i]);
        if (times[i].to == NEVER || was == TRI_NO || times[i].from >= m->next ||
            times[i].to < m->mark->at.from - m->skew)
            continue;
        if (was == TRI_YES && is_surely_after(s, m, times[i].from))
            found(f, OUTCOME_FAIL, REMEDY_NONE, NEVER, &who,
                  "a request was sent on connection %llu, which is from before the mark", id);
        else
            found(
                f, OUTCOME_INCONCLUSIVE, was == TRI_YES ? REMEDY_SKEW : scene_unread(s),
                UNTIL_THE_END, &who,
                "something was sent on connection %llu, which is from before the mark and silent, "
                "and perhaps it was a request",
                id);
    }
}

static void used_after(const struct scene *s, struct finding *f, const struct marked *m,
                       const struct attempt *a)
{
    struct subject who = subject_of_attempt(s, a);
    char name[CALL_SIZE];
    enum tri old = is_old(s, m, a);
    ids_add(&who.seqs, m->mark->seq);
    attempt_text(a, name);
    bool surely_after = is_surely_after(s, m, a->first_byte.from);
    if (a->first_byte.to < m->mark->at.from - m->skew || a->first_byte.from >= m->next)
        return;
    if (old == TRI_UNKNOWN || a->unknown)
        found(f, OUTCOME_INCONCLUSIVE, scene_lacks(s, a), UNTIL_THE_END, &who,
              "the ledger does not tell all of where %s went", name);
    else if (old == TRI_YES && surely_after)
        found(f, OUTCOME_FAIL, REMEDY_NONE, NEVER, &who,
              "%s was sent on connection %llu, which is from before the mark", name,
              (unsigned long long)a->connection);
    else if (old == TRI_YES && a->first_byte.to >= m->mark->at.from)
        found(f, OUTCOME_INCONCLUSIVE, REMEDY_SKEW, UNTIL_THE_END, &who,
              "%s came too close to the mark to be before or after it", name);
    else if (old == TRI_YES)
        return;
    else if (m->last_use == NEVER)
        finding_leave(f, REMEDY_MARK, &who, "no connection had been used before the mark");
    else if (had_no_choice(s, m, connection_of(s, a)))
        finding_leave(f, REMEDY_MODE, &who,
                      "the connections from before the mark had ended before connection %llu was "
                      "opened: there was no choice",
                      (unsigned long long)a->connection);
    else if (!history_answered(s->h, a) && !scene_confirmed_alone(s, a))
        finding_leave(f, REMEDY_CONFIRM, &who, "%s was not answered", name);
    else if (!scene_reuses(s, a->first_byte.from - m->last_use))
        finding_leave(f, s->control ? REMEDY_REUSE : REMEDY_CONTROL, &who,
                      "nothing shows that this client would have used an older connection");
    else
        found(f, OUTCOME_PASS, REMEDY_NONE, UNTIL_THE_END, &who,
              "%s went to connection %llu, opened after the mark", name,
              (unsigned long long)a->connection);
}

void check_fresh_after_mark(const struct scene *s, struct finding *f)
{
    struct marked m;
    size_t at = 0;
    bool any = false;
    while (find_marked(s, &at, &m)) {
        const struct attempt *a;
        any = true;
        for (size_t i = 0; (a = history_attempt(s->h, i)); i++) {
            if (scene_asks(s, a) && a->presumed)
                fell_after(s, f, &m, a);
            else if (scene_asks(s, a))
                used_after(s, f, &m, a);
        }
    }
    if (!any)
        found_none(f, REMEDY_MARK, "the mark \"%.60s\" was not set", s->e->text[0]);
    else
        found_none(f, REMEDY_MARK, "no request came after the mark");
    finding_end(f, "");
}

/* --- idle_eviction, honours_hint */

/* For how long its connection had been idle; NEVER: that is not known, or it was not. */
static int64_t idle_of(const struct scene *s, const struct attempt *a)
{
    const struct attempt *before = a->previous ? history_find_attempt(s->h, a->previous) : NULL;
    if (a->idle_before != NEVER)
        return a->idle_before;
    if (!before || before->reached[PROGRESS_HANDED] == NEVER)
        return NEVER;
    return a->first_byte.from - before->reached[PROGRESS_HANDED];
}

/* The connection that was used last before an attempt, and when that use was over. */
static const struct connection *used_before(const struct scene *s, const struct attempt *of,
                                            int64_t *over)
{
    const struct attempt *a;
    const struct connection *own = connection_of(s, of), *last = NULL;
    *over = NEVER;
    for (size_t i = 0; (a = history_attempt(s->h, i)); i++) {
        int64_t handed = a->reached[PROGRESS_HANDED];
        const struct connection *c = connection_of(s, a);
        if (handed == NEVER || handed > of->first_byte.from || handed <= *over || c == own || !c ||
            !own || c->listener.hash != own->listener.hash)
            continue;
        last = c;
        *over = handed;
    }
    return last;
}

/* A limit of idleness: told (hint), or the same for all connections. */
struct limit {
    bool hint;
    int64_t all;
};

static int64_t limit_of(const struct limit *l, const struct connection *c)
{
    return l->hint ? c->hint : l->all;
}

/* Something came on a silent connection, and nobody has read it (R7). */
static void fell_late(const struct scene *s, struct finding *f, const struct limit *l,
                      const struct attempt *a)
{
    const struct connection *c = connection_of(s, a);
    struct subject who = subject_of_attempt(s, a);
    char time[TIME_SIZE];
    int64_t idle = idle_of(s, a), limit = c ? limit_of(l, c) : NEVER;
    if (!c || idle == NEVER || limit == NEVER)
        return;
    struct span last = attempt_last_fell(s->h, c);
    enum tri first = scene_was_request(s, a, a->first_byte);
    enum tri later = last.to > a->first_byte.to ? scene_was_request(s, a, last) : TRI_NO;
    int64_t most = idle + (last.to > a->first_byte.to ? last.to - a->first_byte.from : 0);
    if (first == TRI_YES && idle >= limit + history_grace(s->h))
        found(f, OUTCOME_FAIL, REMEDY_NONE, NEVER, &who,
              "a request was sent on connection %llu after %s of idleness",
              (unsigned long long)c->id, finding_time(idle, time));
    else if ((first != TRI_NO && idle + a->first_byte.to - a->first_byte.from >= limit) ||
             (later != TRI_NO && most >= limit))
        found(f, OUTCOME_INCONCLUSIVE, scene_unread(s), UNTIL_THE_END, &who,
              "something was sent on connection %llu, which is silent, after %s of idleness, and "
              "perhaps it was a request",
              (unsigned long long)c->id, finding_time(most, time));
}

static void reused_late(const struct scene *s, struct finding *f, const struct limit *l,
                        const struct attempt *a)
{
    const struct connection *c = connection_of(s, a);
    struct subject who = subject_of_attempt(s, a);
    char name[CALL_SIZE], time[TIME_SIZE];
    int64_t idle = idle_of(s, a), limit = c ? limit_of(l, c) : NEVER;
    if (!c || a->reused != TRI_YES || idle == NEVER || limit == NEVER || idle < limit)
        return;
    attempt_text(a, name);
    if (a->unknown || c->unknown)
        found(f, OUTCOME_INCONCLUSIVE, scene_lacks(s, a), UNTIL_THE_END, &who,
              "the ledger does not tell all that happened on connection %llu",
              (unsigned long long)c->id);
    else if (idle < limit + history_grace(s->h))
        found(f, OUTCOME_INCONCLUSIVE, REMEDY_LATER, UNTIL_THE_END, &who,
              "%s came when connection %llu had been idle for just about so long", name,
              (unsigned long long)c->id);
    else
        found(f, OUTCOME_FAIL, REMEDY_NONE, NEVER, &who,
              "%s was sent on connection %llu after %s of idleness", name,
              (unsigned long long)c->id, finding_time(idle, time));
}

static void went_elsewhere(const struct scene *s, struct finding *f, const struct limit *l,
                           const struct call *call)
{
    const struct attempt *first = call_first(s, call);
    int64_t over;
    const struct connection *c = first ? used_before(s, first, &over) : NULL;
    const struct connection *own = first ? connection_of(s, first) : NULL;
    char name[CALL_SIZE], time[TIME_SIZE];
    int64_t limit = c ? limit_of(l, c) : NEVER;
    if (!c || first->reused != TRI_NO || limit == NEVER)
        return;
    int64_t idle = first->first_byte.from - over;
    if (idle <= limit + history_grace(s->h))
        return;
    int64_t ended = told_at(s, c);
    bool left_in_time = c->left != LEFT_NOT && c->left_at <= over + limit + history_grace(s->h);
    bool kept = c->left != LEFT_NOT && c->left_at > over + limit + history_grace(s->h) &&
                c->left_at + history_grace(s->h) < (own ? own->opened : 0);
    bool told = ended != NEVER && ended <= first->first_byte.from;
    call_text(s, call, name);
    if (c->unknown || first->unknown || call->state == CALL_UNKNOWN)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                 name);
    else if (told && (!left_in_time || ended <= c->left_at))
        scene_leave(s, f, call, REMEDY_MODE,
                    "the server ended connection %llu, and the client may have seen that",
                    (unsigned long long)c->id);
    else if (!own || first->first_byte.from - own->opened > limit)
        scene_leave(s, f, call, REMEDY_MORE_CALLS,
                    "%s went to connection %llu, which was idle for as long, and not used before",
                    name, (unsigned long long)first->connection);
    else if (kept)
        scene_leave(s, f, call, REMEDY_LATER,
                    "the client had kept connection %llu for longer: ask within that time",
                    (unsigned long long)c->id);
    else if (call->state != CALL_ANSWERED && !scene_confirmed(s, call))
        scene_leave(s, f, call, REMEDY_CONFIRM, "%s was not answered", name);
    else if (!scene_reuses(s, idle))
        scene_leave(s, f, call, REMEDY_REUSE,
                    "nothing shows that this client would have used connection %llu",
                    (unsigned long long)c->id);
    else
        found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, UNTIL_THE_END,
                 "after %s %s went to connection %llu", finding_time(idle, time), name,
                 (unsigned long long)first->connection);
}

static void check_idleness(const struct scene *s, struct finding *f, const struct limit *l)
{
    const struct attempt *a;
    if (s->time_scale != 1 && !s->account->scaled) {
        found(f, OUTCOME_INCONCLUSIVE, REMEDY_TIME_SCALE, UNTIL_THE_END, NULL,
              "the time scale is not 1, and the client's clocks may not be scaled");
        return;
    }
    for (size_t i = 0; (a = history_attempt(s->h, i)); i++) {
        if (attempt_is_farewell(s->h, a))
            continue;
        if (scene_asks(s, a) && a->presumed)
            fell_late(s, f, l, a);
        else if (scene_asks(s, a))
            reused_late(s, f, l, a);
    }
    for (size_t i = 0; i < s->calls->count; i++) {
        if (scene_about(s, &s->calls->calls[i]))
            went_elsewhere(s, f, l, &s->calls->calls[i]);
    }
    found_none(f, REMEDY_LATER, "no request came after so long a pause");
    finding_end(f, "");
}

void check_idle_eviction(const struct scene *s, struct finding *f)
{
    int64_t before = scene_number(s, 0) == PARAM_UNSET ? s->idle : scene_number(s, 0);
    if (before == NEVER) {
        found_none(f, REMEDY_BEFORE, "the mode has no parameter idle");
        finding_end(f, "");
        return;
    }
    check_idleness(s, f, &(struct limit){ .all = before });
}

void check_honours_hint(const struct scene *s, struct finding *f)
{
    const struct connection *c;
    bool any = false;
    for (size_t i = 0; (c = history_connection(s->h, i)); i++)
        any |= c->hint != NEVER;
    if (!any)
        found_none(f, REMEDY_MODE, "the server said no Keep-Alive: timeout");
    check_idleness(s, f, &(struct limit){ .hint = true });
}
