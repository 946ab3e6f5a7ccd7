/* calls.c - what became of each call: section 2, CALL. */
#include "verdict/calls.h"

#include <stdlib.h>

#include "base/clock.h"
#include "verdict/calls_parts.h"

/* What the members of a call come to. */
struct sum {
    const struct attempt *answer; /* the first answer; NULL */
    const struct attempt *bitten; /* the first that a fault struck before that; NULL */
    int64_t bitten_at;
    bool presumed; /* all bites are */
    bool unsure, doubtful, all_out, all_over;
};

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static const struct connection *connection_of(const struct build *b, const struct attempt *a)
{
    return history_find_connection(b->h, a->connection);
}

/* When a fault first put it out of service; NEVER: none did. A hold after which the answer came
 * within `within` does not count: to the client that was slow. */
static int64_t struck_at(const struct history *h, const struct attempt *a, int64_t within)
{
    int64_t handed = a->reached[PROGRESS_HANDED];
    for (int i = 0; i < a->out_count; i++) {
        if (a->outs[i].fault)
            return a->outs[i].from;
    }
    if ((handed == NEVER || handed - a->first_byte.to > within) && history_held(h, a))
        return later(history_find_fault(h, a->holding)->at, a->first_byte.from);
    return NEVER;
}

static const struct attempt *first_answer(const struct history *h, const struct call *call,
                                          const struct member *members)
{
    const struct attempt *answer = NULL;
    for (size_t i = 0; i < call->count; i++) {
        const struct attempt *a = members[i].attempt;
        if (!members[i].hopped && history_answered(h, a) &&
            (!answer || a->reached[PROGRESS_HANDED] < answer->reached[PROGRESS_HANDED]))
            answer = a;
    }
    return answer;
}

/* What is presumed to have been sent, and not answered by then: an equal request elsewhere within
 * `within` makes it certain (R7). */
static bool only_presumed(const struct build *b, const struct call *call,
                          const struct member *members, const struct attempt *a)
{
    if (!a->presumed || join_is_resent(b, a))
        return false;
    if (!a->method.hash)
        return true;
    for (size_t i = 0; i < call->count; i++) {
        const struct attempt *other = members[i].attempt;
        if (other->connection != a->connection && members[i].join != JOIN_LOOSE &&
            other->first_byte.from >= a->first_byte.from &&
            other->first_byte.from <= a->first_byte.to + b->config->within)
            return false;
    }
    return true;
}

static struct sum add_up(const struct build *b, struct call *call, const struct member *members)
{
    const struct history *h = b->h;
    struct sum sum = { .presumed = true, .all_out = true, .all_over = true };
    sum.answer = first_answer(h, call, members);
    int64_t answered = sum.answer ? sum.answer->reached[PROGRESS_HANDED] : INT64_MAX;
    for (size_t i = 0; i < call->count; i++) {
        const struct attempt *a = members[i].attempt;
        const struct connection *c = connection_of(b, a);
        enum trouble trouble = history_trouble(h, a);
        int64_t struck = struck_at(h, a, b->config->within);
        if (struck != NEVER && struck < answered) {
            sum.presumed &= only_presumed(b, call, members, a);
            if (!sum.bitten || struck < sum.bitten_at) {
                sum.bitten = a;
                sum.bitten_at = struck;
            }
        }
        call->held |= history_held(h, a);
        sum.unsure |= trouble == TROUBLE_UNKNOWN && a->first_byte.from <= answered &&
                      !(a->presumed && join_is_resent(b, a));
        sum.doubtful |= trouble == TROUBLE_DOUBTFUL || trouble == TROUBLE_UNCONFIRMED;
        sum.all_out &= history_out(h, a, history_age(h)) != TROUBLE_FINE;
        sum.all_over &= !c || c->ended != NEVER;
        call->executions += a->processed && a->effect == TRI_YES;
        bool dropped = a->presumed && join_is_resent(b, a); /* then it was not done */
        call->executions_unknown +=
            (a->unknown && !dropped) || (a->processed && a->effect == TRI_UNKNOWN);
    }
    return sum;
}

/* --- Members */

/* Retries, each on a connection that was opened after the first bite or on one of before (a pool
 * whose connections are all dead gives one dead one after the other). */
static void count_members(const struct build *b, struct call *call, struct member *members,
                          const struct sum *sum)
{
    for (size_t i = 0; i < call->count; i++) {
        const struct connection *c = connection_of(b, members[i].attempt);
        call->quick |= members[i].quick;
        members[i].fresh = sum->bitten && c && c->opened != NEVER && c->opened >= sum->bitten_at;
        switch (members[i].role) {
        case ROLE_FIRST:
        case ROLE_HOP:
            break;
        case ROLE_RETRY:
            call->retries++;
            call->retries_fresh += members[i].fresh;
            break;
        case ROLE_HEDGE:
            call->hedges++;
            break;
        case ROLE_DUPLICATE:
            call->duplicates++;
            break;
        }
    }
}

/* When its client had itself ended an attempt, in whatever way; NEVER: it has not. */
static int64_t ended_by_client(const struct build *b, const struct attempt *a)
{
    const struct connection *c = connection_of(b, a);
    for (int i = 0; i < a->out_count; i++) {
        if (a->outs[i].trouble == TROUBLE_ABANDONED)
            return a->outs[i].since;
    }
    bool left = c && c->left != LEFT_NOT && c->left_at >= a->first_byte.from;
    return left ? c->left_at : NEVER;
}

static int64_t all_ended(const struct build *b, const struct call *call,
                         const struct member *members)
{
    int64_t last = NEVER;
    for (size_t i = 0; i < call->count; i++) {
        int64_t at = ended_by_client(b, members[i].attempt);
        if (at == NEVER)
            return NEVER;
        last = later(last, at);
    }
    return last;
}

/* --- What the ledger lacks */

/* What may come yet, and what may have come that is not told. */
static void look_around(const struct build *b, struct call *call, const struct member *members,
                        struct sum *sum)
{
    int64_t within = b->config->within;
    int64_t last = call->begun.to;
    bool lived = false;
    for (size_t i = 0; i < call->count; i++) {
        const struct connection *c = connection_of(b, members[i].attempt);
        last = later(last, members[i].attempt->last_at);
        lived |= !c || c->unknown;
    }
    int64_t decided = call->answered.to != NEVER ? call->answered.to
                      : call->seen.to != NEVER   ? call->seen.to + within
                                                 : later(last, history_age(b->h));
    sum->unsure |= history_gap_in(b->h, call->begun.from, decided);
    call->until = sum->all_over ? last + join_apart(b->config) : NEVER;
    call->lacks_after =
        lived || history_gap_in(b->h, call->begun.from, last + join_apart(b->config));
    call->lacks_before = history_lacks(b->h, call->begun.from - within, call->begun.to);
}

/* --- The state */

static enum call_state state_of(const struct build *b, const struct call *call,
                                const struct sum *sum)
{
    if (sum->unsure)
        return CALL_UNKNOWN;
    if (sum->answer)
        return sum->bitten || call->anonymous ? CALL_RECOVERED : CALL_ANSWERED;
    if (sum->doubtful)
        return CALL_DOUBTFUL;
    bool bitten = sum->bitten || call->anonymous;
    if (bitten && b->config->client_gone != NEVER && sum->all_out && sum->all_over)
        return CALL_GIVEN_UP;
    if (b->config->over)
        return CALL_UNDECIDED;
    return bitten ? CALL_BITTEN : CALL_OPEN;
}

static void expose_call(const struct build *b, struct call *call, const struct entry *first,
                        const struct sum *sum)
{
    if (sum->bitten || call->anonymous) {
        call->exposure = EXPOSURE_BITTEN;
        call->why = WHY_STRUCK;
        call->presumed = sum->bitten ? sum->presumed : call->presumed;
    } else if (sum->unsure || !first) {
        call->exposure = EXPOSURE_UNKNOWN;
        call->why = WHY_MISSING;
    } else {
        exposure_find(b, call, first);
        if (call->held && call->exposure == EXPOSURE_UNTOUCHED) {
            call->why = WHY_HELD_ON;
            call->fault = first->attempt->holding;
        }
    }
}

/* What kept the call waiting before its first request. Long after its last sign that was perhaps
 * another call's: a SYN is sent again after twice the time. */
static void begin_in_silence(const struct build *b, struct call *call, const struct silence *s,
                             const struct attempt *first)
{
    const struct connection *c = first ? connection_of(b, first) : NULL;
    int64_t patience = later(b->config->within, s->last - s->begun.from + NS_PER_S);
    call->anonymous = true;
    call->begun = s->begun;
    call->fault = s->fault;
    call->seen = s->begun;
    call->presumed = !c || c->opened > s->last + patience;
    call->ended_by_client = first ? NEVER : s->ended;
}

static void settle(const struct build *b, struct call *call, struct member *members,
                   const struct made *made)
{
    const struct entry *first = made->first ? &b->entries[made->first - 1] : NULL;
    call->seen = call->answered = call->wait = SPAN_NEVER;
    call->ended_by_client = NEVER;
    if (first)
        call->begun = first->attempt->first_byte;
    if (made->silence)
        begin_in_silence(b, call, &b->silences[made->silence - 1], first ? first->attempt : NULL);
    call->sent = history_early(b->h, call->begun.from);

    struct sum sum = add_up(b, call, members);
    if (sum.bitten && !call->anonymous) {
        call->fault = sum.bitten->fault ? sum.bitten->fault : sum.bitten->holding;
        call->seen = history_seen(b->h, sum.bitten);
    }
    if (sum.answer) {
        call->answered =
            (struct span){ sum.answer->reached[PROGRESS_HANDED], sum.answer->acked.to };
        call->wait = (struct span){ later(call->answered.from - call->begun.to, 0),
                                    call->answered.to - call->sent };
        call->late = call->wait.from > b->config->within;
    } else if (first && sum.all_out) {
        call->ended_by_client = all_ended(b, call, members);
    }
    look_around(b, call, members, &sum);
    count_members(b, call, members, &sum);
    call->state = state_of(b, call, &sum);
    expose_call(b, call, first, &sum);
}

/* --- Building */

/* Members of a call stand together. */
static void lay_out(const struct build *b, struct calls *c)
{
    for (size_t i = 0; i < b->made_count; i++) {
        size_t group = i;
        while (b->made[group].group != group)
            group = b->made[group].group;
        c->calls[i].first = c->member_count;
        c->calls[i].count = b->made[i].count;
        c->calls[i].group = group;
        for (size_t e = b->made[i].first; e; e = b->entries[e - 1].next)
            c->members[c->member_count++] = b->entries[e - 1].member;
    }
    c->count = b->made_count;
}

static void add_up_groups(struct calls *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct call *one = &c->calls[i];
        struct call_group *group = &c->groups[one->group];
        group->calls++;
        group->attempts += (unsigned)one->count;
        group->answered += calls_is_answered(one);
        group->retries_max += one->retries;
    }
    for (size_t i = 0; i < c->count; i++) {
        struct call_group *group = &c->groups[i];
        if (group->calls)
            group->retries_min = (group->retries_max + group->calls - 1) / group->calls;
    }
}

/* Silences that no request ended are calls without one. */
static void add_silences(struct build *b)
{
    for (size_t i = 0; i < b->silence_count; i++) {
        if (b->silences[i].taken)
            continue;
        b->made[b->made_count] = (struct made){ .group = b->made_count, .silence = i + 1 };
        b->made_count++;
    }
}

static void build_finish(struct build *b)
{
    free(b->entries);
    free(b->made);
    free(b->silences);
    free(b->older);
    store_finish(&b->names);
    store_finish(&b->worn);
    store_finish(&b->paths);
    store_finish(&b->asked);
}

struct calls *calls_build(const struct history *h, const struct calls_config *config,
                          enum reading reading)
{
    struct build b = { .h = h, .config = config, .reading = reading };
    struct calls *c = calloc(1, sizeof *c);
    if (!c || silences_find(&b) != 0 || join_all(&b) != 0 || exposure_prepare(&b) != 0)
        goto failed;
    add_silences(&b);
    c->reading = reading;
    c->calls = calloc(b.made_count + 1, sizeof *c->calls);
    c->members = calloc(b.entry_count + 1, sizeof *c->members);
    c->groups = calloc(b.made_count + 1, sizeof *c->groups);
    if (!c->calls || !c->members || !c->groups)
        goto failed;
    lay_out(&b, c);
    for (size_t i = 0; i < c->count; i++)
        settle(&b, &c->calls[i], &c->members[c->calls[i].first], &b.made[i]);
    add_up_groups(c);
    build_finish(&b);
    return c;
failed:
    build_finish(&b);
    calls_destroy(c);
    return NULL;
}

void calls_destroy(struct calls *c)
{
    if (!c)
        return;
    free(c->calls);
    free(c->members);
    free(c->groups);
    free(c);
}

bool calls_is_answered(const struct call *call)
{
    return call->state == CALL_ANSWERED || call->state == CALL_RECOVERED;
}

struct call_group calls_group(const struct calls *c, const struct call *call)
{
    return c->groups[call->group];
}

const struct attempt *calls_first_read(const struct calls *c, const struct call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        const struct attempt *a = c->members[call->first + i].attempt;
        if (!a->presumed || a->method.hash)
            return a;
    }
    return call->count ? c->members[call->first].attempt : NULL;
}
