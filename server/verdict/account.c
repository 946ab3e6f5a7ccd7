/* account.c - the client's own account (docs/verdict.md). */
#include "verdict/account.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "verdict/calls_parts.h"

void account_finish(struct account *a)
{
    free(a->lines);
    *a = (struct account){ 0 };
}

/* --- Lines */

/* In the order of n, and of one n in that in which they came. */
static struct account_line *add_line(struct account *a, int n)
{
    if (a->count == a->room && a->count < ACCOUNT_MAX) {
        size_t room = a->room ? 2 * a->room : 16;
        struct account_line *lines = realloc(a->lines, room * sizeof *lines);
        if (lines) {
            a->lines = lines;
            a->room = room;
        }
    }
    if (a->count == a->room) {
        a->broken = true;
        return NULL;
    }
    struct account_line *line = &a->lines[a->count++];
    for (; line > a->lines && line[-1].n > n; line--)
        *line = line[-1];
    *line = (struct account_line){ .n = n, .took = NEVER };
    return line;
}

static void copy(char *out, size_t size, const json_t *text)
{
    snprintf(out, size, "%s", json_is_string(text) ? json_string_value(text) : "");
}

static void read_line(struct account *a, const json_t *line, uint64_t seq, int64_t at)
{
    const json_t *n = json_object_get(line, "n"), *ok = json_object_get(line, "ok");
    const json_t *status = json_object_get(line, "status"), *ms = json_object_get(line, "ms");
    if (!json_is_integer(n) || !json_is_boolean(ok) || json_integer_value(n) < 1 ||
        json_integer_value(n) > 1000000) {
        a->broken = true;
        return;
    }
    struct account_line *out = add_line(a, (int)json_integer_value(n));
    if (!out)
        return;
    out->ok = json_is_true(ok);
    out->has_status = json_is_integer(status) && json_integer_value(status) > 0;
    out->status = out->has_status ? (int)json_integer_value(status) : 0;
    double took = json_is_number(ms) ? json_number_value(ms) : -1;
    if (took >= 0 && took < 1e9)
        out->took = (int64_t)(took * (double)NS_PER_MS);
    copy(out->step, sizeof out->step, json_object_get(line, "step"));
    copy(out->error, sizeof out->error, json_object_get(line, "error"));
    out->seq = seq;
    out->at = at;
}

void account_add(struct account *a, const char *json, size_t len, uint64_t seq, int64_t at)
{
    json_t *line = json_loadb(json, len, 0, NULL);
    if (json_object_get(line, "driver")) {
        a->driver = true;
        a->scaled = json_is_true(json_object_get(line, "scaled"));
    } else if (json_is_object(line)) {
        read_line(a, line, seq, at);
    } else {
        a->broken = true;
    }
    json_decref(line);
}

void account_steps(struct account *a, const char *steps, size_t len)
{
    a->asked = 0;
    a->at_once = a->marks = false;
    for (size_t i = 0; i < len;) {
        size_t end = i;
        while (end < len && steps[end] != ' ')
            end++;
        bool request = (end - i >= 3 && memcmp(steps + i, "get", 3) == 0) ||
                       (end - i >= 4 && memcmp(steps + i, "post", 4) == 0);
        const char *star = memchr(steps + i, '*', end - i);
        long times = star ? strtol(star + 1, NULL, 10) : 1;
        a->at_once |= request && times != 1;
        a->marks |= end - i == 10 && (memcmp(steps + i, "background", 10) == 0 ||
                                      memcmp(steps + i, "foreground", 10) == 0);
        if (request && times > 0 && times <= ACCOUNT_MAX)
            a->asked += (size_t)times;
        i = end + 1;
    }
}

bool account_given(const struct account *a)
{
    return a->driver || a->count > 0;
}

bool account_whole(const struct account *a)
{
    return a->driver && !a->broken && a->count >= a->asked;
}

/* --- To which calls they belong */

static const char *method_of(const struct calls *calls, const struct call *call)
{
    const struct attempt *a = call->count ? calls->members[call->first].attempt : NULL;
    return a && a->method.bytes ? a->method.bytes : "";
}

static const char *method_of_step(const struct account_line *line)
{
    return strncmp(line->step, "post", 4) == 0  ? "POST"
           : strncmp(line->step, "get", 3) == 0 ? "GET"
                                                : "";
}

static bool fits(const struct account_line *line, const struct calls *calls,
                 const struct call *call)
{
    const char *asked = method_of_step(line), *found = method_of(calls, call);
    return !*asked || !*found || strcmp(asked, found) == 0;
}

static bool may_be_answered(const struct call *call)
{
    return calls_is_answered(call) || call->state == CALL_DOUBTFUL;
}

/* Its Hangup-Call; NULL: none. */
static const char *name_of(const struct calls *calls, const struct call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        const struct attempt *a = calls->members[call->first + i].attempt;
        if (a->hangup_call.bytes)
            return a->hangup_call.bytes;
    }
    return NULL;
}

/* By the number that Hangup-Call is; lines are in the order of theirs. */
static struct account_line *line_named(struct account *a, const char *name)
{
    char *end;
    long n = strtol(name, &end, 10);
    size_t low = 0, high = a->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (a->lines[middle].n < n)
            low = middle + 1;
        else
            high = middle;
    }
    return !*end && low < a->count && a->lines[low].n == n ? &a->lines[low] : NULL;
}

static void match_named(struct account *a, const struct calls *calls)
{
    for (size_t i = 0; i < a->count; i++)
        a->lines[i].matched = MATCHED_NOTHING;
    for (size_t c = 0; c < calls->count; c++) {
        const char *name = name_of(calls, &calls->calls[c]);
        struct account_line *line = name ? line_named(a, name) : NULL;
        if (line) {
            line->matched = MATCHED_CALL;
            line->call = c;
            line->named = true;
        }
    }
}

/* In order. A line of a failure has the next call if that was not answered, and else, if there are
 * fewer calls than lines, none: it died inside the client, as it has if the next call began only
 * after that line. Calls that began behind the last line have none yet. False: they do not fit
 * together. */
static bool match_in_order(struct account *a, const struct calls *calls)
{
    int64_t last = NEVER;
    size_t spare = a->count > calls->count ? a->count - calls->count : 0, c = 0;
    for (size_t i = 0; i < a->count; i++) {
        struct account_line *line = &a->lines[i];
        const struct call *call = c < calls->count ? &calls->calls[c] : NULL;
        last = line->at > last ? line->at : last;
        bool here = call && fits(line, calls, call), before = call && line->at < call->begun.from;
        if (!line->ok && (before || (spare > 0 && (!here || may_be_answered(call))))) {
            line->matched = MATCHED_NOTHING;
            spare -= spare > 0;
            continue;
        }
        if (!here)
            return false;
        line->matched = MATCHED_CALL;
        line->call = c++;
    }
    a->pending = calls->count - c;
    while (c < calls->count && a->count && calls->calls[c].begun.from > last)
        c++;
    return c == calls->count;
}

bool account_match(struct account *a, const struct calls *calls)
{
    size_t named = 0;
    for (size_t i = 0; i < a->count; i++) {
        a->lines[i].matched = MATCHED_NOT;
        a->lines[i].named = false;
    }
    for (size_t c = 0; c < calls->count; c++)
        named += name_of(calls, &calls->calls[c]) != NULL;
    bool all = !a->broken;
    a->pending = 0;
    if (named > 0)
        match_named(a, calls);
    else
        all &= match_in_order(a, calls);
    for (size_t i = 0; i < a->count; i++) {
        if (!all && !named)
            a->lines[i].matched = MATCHED_NOT;
    }
    return all;
}

/* --- What went into a black hole */

static const struct attempt *first_of(const struct calls *calls, const struct call *call)
{
    return call->count ? calls->members[call->first].attempt : NULL;
}

/* A request of which nothing was read, that is joined to nothing. */
static bool is_blind(const struct calls *calls, const struct call *call)
{
    const struct attempt *a = first_of(calls, call);
    return call->count == 1 && a->presumed && !a->method.hash;
}

bool account_tells_each(const struct account *a, const struct calls *calls)
{
    size_t read = 0;
    if (!account_whole(a) || a->asked != a->count || a->at_once)
        return false;
    for (size_t c = 0; c < calls->count; c++)
        read += !is_blind(calls, &calls->calls[c]);
    if (read != a->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!a->lines[i].ok || (i > 0 && a->lines[i].n == a->lines[i - 1].n))
            return false;
    }
    return true;
}

/* Whether all that was read was asked one after the other, and answered. */
static bool is_in_turn(const struct calls *calls)
{
    int64_t answered = NEVER;
    for (size_t c = 0; c < calls->count; c++) {
        const struct call *call = &calls->calls[c];
        if (is_blind(calls, call))
            continue;
        if (call->begun.from < answered || call->answered.from == NEVER)
            return false;
        answered = call->answered.from;
    }
    return true;
}

/* Unsafe and without a key, and so much fell into the hole that it was no PING or the like: that
 * one sends first, and then a POST but once. With a key nobody can say that the lost one had the
 * same. */
static bool is_risky(const struct history *h, const struct attempt *lost,
                     const struct attempt *again)
{
    return again->method.bytes && !repeat_is_idempotent(again) && !again->idempotency_key.hash &&
           attempt_is_request(h, lost);
}

/* The call that began next, in time and on another connection, all before it being answered; its
 * line lasted from then on. */
static const struct attempt *sent_again(const struct account *a, const struct history *h,
                                        const struct calls *calls, const struct attempt *lost,
                                        int64_t within)
{
    const struct call *next = NULL;
    size_t line = 0;
    for (size_t c = 0; c < calls->count && !next; c++) {
        const struct call *call = &calls->calls[c];
        if (is_blind(calls, call))
            continue;
        if (call->begun.from > lost->first_byte.to) {
            next = call;
            continue;
        }
        bool told = a->count && a->lines[line].at <= lost->first_byte.to; /* of its success */
        bool seen = calls_is_answered(call) && call->answered.from <= lost->first_byte.to;
        if (!told && !seen)
            return NULL;
        line++;
    }
    const struct attempt *again = next ? first_of(calls, next) : NULL;
    /* Nobody can know of the loss at once: then it is a request of its own, or no request. */
    if (!again || !calls_is_answered(next) || again->connection == lost->connection ||
        next->begun.from <= lost->first_byte.to + history_grace(h) ||
        !(repeat_is_safe(again) || (a->count && is_risky(h, lost, again))) ||
        next->begun.from > lost->first_byte.to + within)
        return NULL;
    if (!a->count)
        return attempt_is_request(h, lost) ? again : NULL;
    if (!fits(&a->lines[line], calls, next) || a->lines[line].took == NEVER)
        return NULL;
    int64_t since = next->answered.from - lost->first_byte.to;
    return a->lines[line].took >= since - history_grace(h) ? again : NULL;
}

size_t account_resent(struct account *a, const struct history *h, const struct calls *calls,
                      int64_t within, bool as_in_control, struct resent *out)
{
    size_t count = 0;
    if (!(as_in_control ? is_in_turn(calls) : account_tells_each(a, calls)))
        return 0;
    for (size_t c = 0; c < calls->count && count < RESENT_MAX; c++) {
        const struct attempt *lost = first_of(calls, &calls->calls[c]);
        if (!is_blind(calls, &calls->calls[c]))
            continue;
        const struct attempt *again = sent_again(a, h, calls, lost, within);
        if (!again || (count && out[count - 1].again == again->number))
            return 0; /* nobody can say what that was */
        out[count++] = (struct resent){ lost->number, again->number };
    }
    return count;
}

bool account_tells_apart(struct account *a, const struct calls *calls)
{
    return account_match(a, calls) && a->driver && !a->at_once &&
           (a->pending ? a->asked > a->count : a->asked == a->count) &&
           a->count + a->pending == calls->count;
}

/* Whether a request was surely not under way in a span: its answer had come before; or it took too
 * little to have begun by then. That its line comes late says nothing of when it was over. */
static bool was_quiet(const struct account_line *line, const struct calls *calls, struct span when,
                      int64_t grace)
{
    const struct call *call = line->matched == MATCHED_CALL ? &calls->calls[line->call] : NULL;
    if (!call || call->answered.from == NEVER || line->took == NEVER)
        return false;
    return (call->answered.to != NEVER && call->answered.to <= when.from) ||
           call->answered.from - line->took - grace > when.to;
}

bool account_was_quiet(const struct account *a, const struct calls *calls, struct span when,
                       int64_t grace, const struct account_line **failed)
{
    size_t under_way = 0;
    *failed = NULL;
    if (!account_whole(a) || !a->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct account_line *line = &a->lines[i];
        if (was_quiet(line, calls, when, grace))
            continue;
        under_way++;
        bool lost = !line->ok && line->matched == MATCHED_NOTHING && line->at >= when.from;
        *failed = lost && under_way == 1 ? line : NULL;
    }
    return under_way == 0;
}

/* --- Attempts that nothing but the account joins */

/* Whether an attempt may be one more of the call that another began: from one kind of client, and
 * read. */
static bool is_alike(const struct history *h, const struct attempt *first, const struct attempt *a)
{
    const struct connection *one = history_find_connection(h, first->connection);
    const struct connection *other = history_find_connection(h, a->connection);
    bool known = one && other && !one->unknown && !other->unknown;
    return known && first->method.hash && a->method.hash && !a->presumed &&
           first->user_agent.hash == a->user_agent.hash &&
           (one->h2 != other->h2 || one->client.hash == other->client.hash);
}

#define MS_CUT NS_PER_MS /* `ms` may be a whole number */

/* Not before that its client had the answer of a call. That it is with our kernel is told somewhat
 * later than it is so. */
static int64_t answered_at_least(const struct history *h, const struct calls *calls,
                                 const struct call *call)
{
    int64_t least = call->answered.from - history_grace(h);
    for (size_t i = 0; i < call->count; i++) {
        const struct attempt *a = calls->members[call->first + i].attempt;
        if (a->reached[PROGRESS_HANDED] == call->answered.from &&
            a->reached[PROGRESS_ANSWERING] > least)
            least = a->reached[PROGRESS_ANSWERING];
    }
    return least;
}

/* Whether an attempt came no later than the answer of its call. Of two that are sent at once the
 * second may be read just behind the answer to the first: it counts as well if it was answered
 * itself, so that it was one too many, and nothing that failed. */
static bool came_with_answer(const struct history *h, const struct call *call,
                             const struct attempt *a)
{
    int64_t answered = call->answered.from;
    return a->first_byte.from <= answered ||
           (history_answered(h, a) && a->first_byte.from <= answered + history_grace(h));
}

/* Whether the request of a line lasted from before the first attempt of its call to the answer, and
 * all attempts came before that; it began when the call before it was over, or about then, and
 * behind what else that had sent. */
static bool spans(const struct account_line *line, const struct history *h,
                  const struct calls *calls, const struct call *call, const struct call *before)
{
    const struct attempt *first = first_of(calls, call);
    if (!calls_is_answered(call) || call->lacks_before || call->lacks_after || call->presumed ||
        name_of(calls, call) || !fits(line, calls, call) || line->took == NEVER ||
        line->at < call->answered.from ||
        line->took + MS_CUT < answered_at_least(h, calls, call) - call->begun.to)
        return false;
    int64_t began = call->answered.from - line->took;
    for (size_t i = 0; before && i < before->count; i++) {
        const struct attempt *a = calls->members[before->first + i].attempt;
        if (a->first_byte.from > before->answered.from && began <= a->first_byte.to)
            return false;
    }
    if (before && began + history_grace(h) < before->answered.from)
        return false;
    for (size_t i = 0; i < call->count; i++) {
        const struct attempt *a = calls->members[call->first + i].attempt;
        if (!is_alike(h, first, a) || !came_with_answer(h, call, a))
            return false;
    }
    return true;
}

bool account_joins(struct account *a, const struct history *h, const struct calls *wide)
{
    if (wide->count != a->count || !a->count || !account_tells_each(a, wide) || !is_in_turn(wide))
        return false;
    for (size_t c = 0; c < wide->count; c++) {
        if (!spans(&a->lines[c], h, wide, &wide->calls[c], c ? &wide->calls[c - 1] : NULL))
            return false;
    }
    return true;
}

/* --- Calls that the account parts */

bool account_counts(const struct account *a, const struct calls *narrow)
{
    size_t ok = 0, answered = 0;
    if (!account_whole(a) || a->asked != a->count || !a->count || narrow->count != a->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        ok += a->lines[i].ok;
    for (size_t c = 0; c < narrow->count; c++)
        answered += calls_is_answered(&narrow->calls[c]);
    return ok == answered;
}

/* Whether a line says what the wire says of its call, and does not reach back to what its client
 * sent before that call; when a request failed is not known so well. */
static bool tells_of(const struct account_line *line, const struct history *h,
                     const struct calls *calls, const struct call *call, int64_t before)
{
    const struct attempt *read = account_confirms(line, h, calls, call);
    int64_t began = calls_is_answered(call) ? answered_at_least(h, calls, call)
                    : read                  ? read->reached[PROGRESS_HANDED]
                                            : NEVER;
    if (line->ok != (began != NEVER) || line->took == NEVER || !fits(line, calls, call) ||
        name_of(calls, call) || call->lacks_before || call->lacks_after || call->presumed ||
        call->anonymous || call->begun.to > line->at || call->state == CALL_UNKNOWN)
        return false;
    for (size_t i = 0; i < call->count; i++) {
        if (!calls->members[call->first + i].attempt->method.hash)
            return false;
    }
    return before == NEVER || began == NEVER || began - line->took > before;
}

bool account_parts(struct account *a, const struct history *h, const struct calls *narrow)
{
    int64_t before = NEVER;
    if (!account_whole(a) || a->asked != a->count || !a->count || a->at_once ||
        narrow->count != a->count)
        return false;
    for (size_t c = 0; c < narrow->count; c++) {
        const struct call *call = &narrow->calls[c];
        if ((c > 0 && a->lines[c].n == a->lines[c - 1].n) || call->begun.from <= before ||
            !tells_of(&a->lines[c], h, narrow, call, before))
            return false;
        for (size_t i = 0; i < call->count; i++) {
            int64_t sent = narrow->members[call->first + i].attempt->first_byte.to;
            before = sent > before ? sent : before;
        }
    }
    return true;
}

/* --- Where they differ */

bool account_was_cut(const struct history *h, const struct calls *calls, const struct call *call)
{
    bool cut = false;
    if (call->answered.to != NEVER)
        return false;
    for (size_t i = 0; i < call->count; i++) {
        cut |= history_was_cut(h, calls->members[call->first + i].attempt);
    }
    return cut;
}

/* The status that the client was given last. */
static int status_of(const struct calls *calls, const struct call *call)
{
    int status = 0;
    for (size_t i = 0; i < call->count; i++) {
        const struct attempt *a = calls->members[call->first + i].attempt;
        if (a->status && a->progress >= PROGRESS_HANDED)
            status = a->status;
    }
    return status;
}

bool account_failed_before(const struct account_line *line, const struct calls *calls,
                           const struct call *call)
{
    bool any = false;
    for (size_t i = 0; i < call->count; i++) {
        int64_t handed = calls->members[call->first + i].attempt->reached[PROGRESS_HANDED];
        any |= handed != NEVER;
        if (handed != NEVER && handed <= line->at)
            return false;
    }
    return !line->ok && any && call->begun.to <= line->at;
}

const struct attempt *account_confirms(const struct account_line *line, const struct history *h,
                                       const struct calls *calls, const struct call *call)
{
    if (!line || !line->ok || !line->has_status || line->status / 100 != 2 || call->presumed ||
        call->state == CALL_UNKNOWN || call->lacks_before || call->lacks_after)
        return NULL;
    for (size_t i = 0; i < call->count; i++) {
        const struct attempt *a = calls->members[call->first + i].attempt;
        enum trouble trouble = history_trouble(h, a);
        bool out = trouble == TROUBLE_FINE || trouble == TROUBLE_UNCONFIRMED ||
                   trouble == TROUBLE_DOUBTFUL;
        if (out && a->progress >= PROGRESS_HANDED && a->status == line->status && !a->by_rule &&
            !a->has_range)
            return a;
    }
    return NULL;
}

enum differs account_differs(const struct account_line *line, const struct history *h,
                             const struct calls *calls, const struct call *call)
{
    int status = status_of(calls, call);
    bool answered = calls_is_answered(call);
    if (call->state == CALL_UNKNOWN)
        return DIFFERS_NOT;
    if (!line->ok)
        return answered && status / 100 == 2 && !account_failed_before(line, calls, call)
                   ? DIFFERS_FAILED
                   : DIFFERS_NOT;
    if (account_was_cut(h, calls, call))
        return DIFFERS_CUT;
    if (!status && !may_be_answered(call))
        return DIFFERS_UNANSWERED;
    return line->has_status && status && line->status != status ? DIFFERS_STATUS : DIFFERS_NOT;
}
