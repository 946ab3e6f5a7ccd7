/* attempts.c - attempts, and what the events of responses and losses do to them (section 2,
 * ATTEMPT). Those of requests are in requests.c. */
#include "verdict/history_parts.h"

#include <stdlib.h>

/* --- Times out of service */

bool attempt_pending(const struct attempt *a)
{
    return !a->closed && a->progress < PROGRESS_HANDED;
}

/* The one that lasts, or NULL. */
static struct out *standing(struct attempt *a)
{
    struct out *last = a->out_count ? &a->outs[a->out_count - 1] : NULL;
    return last && last->to == NEVER ? last : NULL;
}

void attempt_out(struct attempt *a, enum trouble trouble, uint64_t fault, int64_t from,
                 uint64_t seq)
{
    if (fault && (!a->fault || fault < a->fault))
        a->fault = fault;
    if (fault > a->last_fault)
        a->last_fault = fault;
    struct out *out = standing(a);
    if (out) {
        out->trouble = trouble;
        out->since = from > out->from ? from : out->from;
        out->seq = seq;
        out->fault = out->fault ? out->fault : fault;
        return;
    }
    if (a->out_count == OUTS_MAX) {
        a->unknown = true;
        return;
    }
    a->outs[a->out_count++] = (struct out){
        .from = from, .to = NEVER, .since = from, .trouble = trouble, .fault = fault, .seq = seq
    };
}

bool attempt_abandonable(struct history *h, struct attempt *a)
{
    const struct out *out = standing(a);
    if (!attempt_pending(a))
        return false;
    if (!out)
        return true;
    const struct fault *fault = store_find(&h->faults, out->fault);
    if (out->trouble != TROUBLE_BITTEN || !fault)
        return false;
    enum visibility seen = kind_of(fault->step)->visibility;
    return seen == SEEN_NEVER || seen == SEEN_END;
}

void attempt_abandoned(struct history *h, const struct connection *c, struct attempt *a,
                       uint64_t fault, const struct ledger_record *r)
{
    attempt_out(a, TROUBLE_ABANDONED, fault, r->age, r->seq);
    faults_drop(h, c, a);
}

void attempt_spared(struct attempt *a, uint64_t fault)
{
    int kept = 0;
    for (int i = 0; i < a->out_count; i++) {
        if (a->outs[i].fault != fault)
            a->outs[kept++] = a->outs[i];
    }
    a->out_count = kept;
    if (a->holding == fault)
        a->holding = 0;
    if (a->last_fault == fault)
        a->last_fault = a->fault == fault ? 0 : a->fault;
    if (a->fault == fault)
        a->fault = a->last_fault;
}

void attempt_repaired(struct attempt *a, uint64_t fault, int64_t age)
{
    struct out *out = standing(a);
    if (out && out->fault == fault && out->trouble == TROUBLE_BITTEN)
        out->to = age > out->from ? age : out->from;
}

/* --- Making and finding them */

void attempt_forget(struct attempt *a)
{
    struct text *kept[] = { &a->method, &a->target, &a->authority, &a->hangup_call,
                            &a->idempotency_key };
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        free((char *)kept[i]->bytes);
}

struct attempt *attempt_newest(struct history *h, const struct connection *c)
{
    return c->newest ? store_find(&h->attempts, c->newest) : NULL;
}

struct attempt *attempt_before(struct history *h, const struct attempt *a)
{
    return a->previous ? store_find(&h->attempts, a->previous) : NULL;
}

static uint64_t name_of(uint64_t connection, uint32_t exchange)
{
    return connection << 32 ^ exchange;
}

void attempt_enter(struct history *h, struct attempt *a)
{
    if (!a->exchange)
        return;
    store_name(&h->attempts, a, name_of(a->connection, a->exchange));
    h->recent_attempt = a;
}

static bool is_of(const struct attempt *a, const struct connection *c, uint32_t exchange)
{
    return a->connection == c->id && a->exchange == exchange;
}

/* The connection may have been forgotten since, or its attempts by a reset. */
static bool is_held(const struct attempt *a, const struct connection *c)
{
    return c->newest && a->number >= c->oldest;
}

static __attribute__((noinline)) struct attempt *
look_up(struct history *h, const struct connection *c, uint32_t exchange)
{
    struct attempt *a = exchange ? store_named(&h->attempts, name_of(c->id, exchange)) : NULL;
    if (!a && exchange)
        return NULL;
    if (a && is_of(a, c, exchange))
        return is_held(a, c) ? a : NULL;
    a = attempt_newest(h, c);
    while (a && a->exchange != exchange)
        a = attempt_before(h, a);
    return a;
}

/* Records of one exchange mostly come together. */
struct attempt *attempt_of(struct history *h, const struct connection *c, uint32_t exchange)
{
    struct attempt *a = h->recent_attempt;
    if (a && exchange && is_of(a, c, exchange) && is_held(a, c))
        return a;
    a = look_up(h, c, exchange);
    if (a && exchange)
        h->recent_attempt = a;
    return a;
}

struct attempt *attempt_add(struct history *h, struct connection *c, const struct ledger_record *r)
{
    history_make_room(h, &h->attempts);
    struct attempt *a = store_add(&h->attempts, ++h->last_number);
    a->number = h->last_number;
    a->connection = c->id;
    a->exchange = r->exchange;
    a->network = c->path;
    a->content_length = -1;
    a->idle_before = NEVER;
    a->acked = SPAN_NEVER;
    a->end_offset = NEVER;
    a->first_byte = (struct span){ r->age, r->age };
    for (int i = 0; i < PROGRESS_COUNT; i++)
        a->reached[i] = NEVER;
    a->first_seq = a->last_seq = r->seq;
    a->last_at = r->age;
    attempt_enter(h, a);
    a->previous = c->newest;
    c->newest = a->number;
    c->oldest = c->oldest ? c->oldest : a->number;
    return a;
}

void attempt_reach(struct attempt *a, enum progress progress, const struct ledger_record *r)
{
    if (a->reached[progress] == NEVER) {
        a->reached[progress] = r->age;
        a->seqs[progress] = r->seq;
    }
    if (progress > a->progress)
        a->progress = progress;
}

struct attempt *attempt_told(struct history *h, struct connection *c, const struct ledger_record *r)
{
    struct attempt *a = attempt_of(h, c, r->exchange);
    if (!a) {
        a = attempt_add(h, c, r);
        a->unknown = a->partial = true;
        a->first_byte.from = c->opened == NEVER ? 0 : c->opened;
        a->reused = TRI_UNKNOWN;
    }
    a->last_seq = r->seq;
    a->last_at = r->age;
    return a;
}

/* --- Answers and losses */

void history_on_processed(struct history *h, const struct ledger_record *r)
{
    struct attempt *a = attempt_told(h, history_connection_of(h, r), r);
    a->processed = true;
    a->effect = record_tri(r, F_EFFECT);
}

void history_on_response_start(struct history *h, const struct ledger_record *r)
{
    struct attempt *a = attempt_told(h, history_connection_of(h, r), r);
    a->status = (int)ledger_number(r, F_STATUS, 0);
    attempt_reach(a, PROGRESS_ANSWERING, r);
}

static bool by_client(int64_t lost_by)
{
    return lost_by == LOST_BY_CLIENT_CANCEL || lost_by == LOST_BY_CLIENT_FIN ||
           lost_by == LOST_BY_CLIENT_RST || lost_by == LOST_BY_CLIENT_GOAWAY;
}

/* Whether it was lost before its head was read, and so nothing of it is missing: it was no HTTP,
 * too long, left off, or not whole when a fault struck. */
static bool is_headless(const struct attempt *a, const struct ledger_record *r)
{
    return !a->method.len && ledger_number(r, F_REACHED, REACHED_HEADERS) == REACHED_BEGUN &&
           ledger_number(r, F_LOST_BY, LOST_BY_NONE) != LOST_BY_SERVER;
}

/* Its exchange ends before all of it was read: what it asked for cannot be compared. */
static void note_partial(struct attempt *a)
{
    a->partial |= a->reached[PROGRESS_WHOLE] == NEVER && !a->digest.hash;
}

/* The exchange is over, of which this attempt is. */
static void close_exchange(struct connection *c, struct attempt *a, const struct ledger_record *r)
{
    if (!a->closed && c->open > 0)
        c->open--;
    a->closed = true;
    if (c->open == 0)
        c->idle_since = r->age;
}

void history_on_response_end(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    struct attempt *a = attempt_told(h, c, r);
    a->status = (int)ledger_number(r, F_STATUS, a->status);
    a->end_offset = ledger_number(r, F_END_OFFSET, NEVER);
    close_exchange(c, a, r);
    c->answered++;
    note_partial(a);
    attempt_reach(a, PROGRESS_HANDED, r);
    struct out *out = standing(a);
    /* Answered into something that was ended, or to a client that had given it up. */
    if (out && (out->trouble == TROUBLE_BITTEN || out->trouble == TROUBLE_ABANDONED))
        out->trouble = TROUBLE_DOUBTFUL;
}

void history_on_response_acked(struct history *h, const struct ledger_record *r)
{
    struct attempt *a = attempt_told(h, history_connection_of(h, r), r);
    int64_t handed = a->reached[PROGRESS_HANDED];
    enum ledger_proof proof = (enum ledger_proof)ledger_number(r, F_PROOF, PROOF_NONE);
    if (proof == PROOF_NONE || handed == NEVER) {
        a->unknown = true;
        return;
    }
    if (a->acked.to == NEVER)
        a->acked =
            (struct span){ ledger_number(r, F_FROM, handed), ledger_number(r, F_TO, r->age) };
    a->proof = proof;
    attempt_reach(a, proof == PROOF_ACK ? PROGRESS_ACKED : PROGRESS_CONFIRMED, r);
    if (proof == PROOF_ACK)
        return;
    attempt_reach(a, PROGRESS_ACKED, r);
    struct out *out = standing(a);
    if (out && out->trouble == TROUBLE_DOUBTFUL && a->fault == 0)
        out->to = out->from; /* it had only ended its own side: it has read the answer */
}

/* What a loss makes of the trouble that it is in already. */
static void lose(struct history *h, struct connection *c, struct attempt *a,
                 const struct ledger_record *r)
{
    uint64_t named = (uint64_t)ledger_number(r, F_FAULT, 0);
    const struct fault *fault = named ? store_find(&h->faults, named) : NULL;
    const struct out *out = standing(a);
    enum trouble now = out ? out->trouble : TROUBLE_FINE;

    if (named && !fault)
        a->unknown = true;
    if (now == TROUBLE_REFUSED || now == TROUBLE_ABANDONED)
        return;
    if (by_client(ledger_number(r, F_LOST_BY, LOST_BY_NONE)) && attempt_abandonable(h, a)) {
        attempt_abandoned(h, c, a, named, r);
    } else if (fault && fault->step == STEP_MAX_STREAMS) {
        /* Once it has taken our SETTINGS, a stream too many is the client's own mistake. */
        bool told = c->settings_acked != NEVER && c->settings_acked <= a->first_byte.from;
        attempt_out(a, told ? TROUBLE_LOST : TROUBLE_REFUSED, told ? 0 : named, r->age, r->seq);
    } else if (fault && fault->class == CLASS_REFUSES && fault->step != STEP_GOAWAY) {
        attempt_out(a, TROUBLE_REFUSED, named, r->age, r->seq);
    } else {
        attempt_out(a, TROUBLE_LOST, named, r->age, r->seq);
    }
    uint64_t last = (uint64_t)ledger_number(r, F_LAST_FAULT, 0);
    if (last)
        a->last_fault = last;
}

void history_on_exchange_lost(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    struct attempt *a = attempt_told(h, c, r);
    int64_t sent = ledger_number(r, F_SENT, 0), of = ledger_number(r, F_OF, INT64_MAX);
    a->headless |= is_headless(a, r);
    note_partial(a);
    a->cut_short |= sent > 0 && sent < of && !by_client(ledger_number(r, F_LOST_BY, LOST_BY_NONE));
    lose(h, c, a, r);
    close_exchange(c, a, r);
}

/* The attempt on a stream that is over, while it is held; NULL. Those of a connection come in the
 * order of their streams. */
static struct attempt *attempt_on_stream(struct history *h, const struct connection *c,
                                         int64_t stream)
{
    struct attempt *a = attempt_newest(h, c);
    while (a && stream && a->stream != stream)
        a = a->stream && a->stream < stream ? NULL : attempt_before(h, a);
    return stream ? a : NULL;
}

/* Who has read the end of a response has no stream left to reset (RFC 9113 5.1): an RST_STREAM
 * behind it was sent before that was read. Where nobody tells of a command the answer was final
 * when nothing more had come for so long. */
static bool is_reset_unread(const struct history *h, const struct attempt *a, int64_t age)
{
    bool settled = !h->commanded && a->acked.to != NEVER && age > a->acked.to + UNREAD_FOR;
    return a->reached[PROGRESS_HANDED] != NEVER && a->progress < PROGRESS_CONFIRMED && !settled;
}

void history_on_peer_rst_stream(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    struct attempt *a = r->exchange ? attempt_told(h, c, r)
                                    : attempt_on_stream(h, c, ledger_number(r, F_STREAM, 0));
    if (!a)
        return;
    if (attempt_abandonable(h, a))
        attempt_abandoned(h, c, a, 0, r);
    a->reset |= is_reset_unread(h, a, r->age);
}
