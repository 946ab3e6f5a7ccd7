/* presumed.c - what fell into a black hole, where nobody reads it, and the attempt that is presumed
 * of it (R7).
 */
#include "verdict/history_parts.h"

#define CLOSE_NOTIFY_MAX 31 /* octets: a record with an alert, over TLS 1.2 or 1.3 with an AEAD */

/* Whether there was no request in it, as far as is known what they were: no data; or so little that
 * over TLS, and before a FIN, it can be a close_notify, and no request. */
static bool is_no_attempt(const struct connection *c, const struct ledger_record *r)
{
    struct ledger_value data;
    if (!ledger_value(r, F_DATA, &data))
        return false;
    return data.number == 0 || (c->tls && ledger_number(r, F_FINS, 0) > 0 &&
                                ledger_number(r, F_DATA_BYTES, INT64_MAX) <= CLOSE_NOTIFY_MAX);
}

/* Octets: GOAWAY of HTTP/2, in a record of TLS 1.2 or 1.3 of its own. */
#define FAREWELL_MAX(tls) ((tls) ? 17 + 29 + CLOSE_NOTIFY_MAX : 17)

bool attempt_is_farewell(const struct history *h, const struct attempt *a)
{
    const struct connection *c = history_find_connection(h, a->connection);
    bool left = c && (c->left == LEFT_FIN || c->left == LEFT_RST);
    return left && c->h2 && a->presumed && !a->method.hash && c->dropped > 0 &&
           c->dropped <= FAREWELL_MAX(c->tls) && c->left_at <= a->first_byte.to + h->config.grace;
}

bool attempt_is_request(const struct history *h, const struct attempt *a)
{
    const struct connection *c = history_find_connection(h, a->connection);
    int64_t most = !c ? INT64_MAX : c->h2 ? FAREWELL_MAX(c->tls) : c->tls ? CLOSE_NOTIFY_MAX : 0;
    return a->presumed && a->dropped > most;
}

struct span attempt_last_fell(const struct history *h, const struct connection *c)
{
    int64_t rest = c->h2 ? FAREWELL_MAX(c->tls) : c->tls ? CLOSE_NOTIFY_MAX : 0;
    bool left = c->left == LEFT_FIN || c->left == LEFT_RST;
    for (size_t i = 0; i < sizeof c->fell / sizeof *c->fell && c->fell[i].at.to; i++) {
        const struct fell *fell = &c->fell[i];
        if (!left || fell->octets == NEVER || fell->octets > rest ||
            c->left_at > fell->at.to + h->config.grace)
            return fell->at;
        rest -= fell->octets;
    }
    return SPAN_NEVER;
}

/* What was sent again is no more than there was. */
static void note_fell(struct connection *c, const struct ledger_record *r)
{
    int64_t total = ledger_number(r, F_DATA_BYTES, NEVER), before = c->dropped;
    struct ledger_value data;
    c->dropped = total;
    if ((ledger_value(r, F_DATA, &data) && data.number == 0) || (total != NEVER && total == before))
        return;
    int64_t sampled = ledger_number(r, F_SAMPLED, 0), first = record_age(r, F_FIRST_DATA);
    bool again = before != NEVER && total > before; /* not the first of this hole */
    c->fell[1] = c->fell[0];
    c->fell[0].octets = again ? total - before : total;
    c->fell[0].at = first != NEVER && !again
                        ? (struct span){ first, first }
                        : (struct span){ r->age > sampled ? r->age - sampled : 0, r->age };
}

/* A request that nobody has read. */
static void presume(struct history *h, struct connection *c, const struct ledger_record *r)
{
    uint64_t hole = (uint64_t)ledger_number(r, F_FAULT, 0);
    const struct fault *fault = store_find(&h->faults, hole);
    int64_t since = fault ? fault->at : r->age, first = record_age(r, F_FIRST_DATA);
    int64_t from = r->age - ledger_number(r, F_SAMPLED, r->age - since);
    struct span came = first != NEVER ? (struct span){ first, first }
                                      : (struct span){ from < since ? since : from, r->age };
    if (c->stale_bytes == NEVER)
        c->stale_bytes = came.to;
    struct attempt *a = attempt_newest(h, c);
    if (a && (a->presumed || (!c->h2 && attempt_pending(a))))
        return; /* it is that one's, sent again */
    a = attempt_add(h, c, r);
    c->presumed = a->number;
    a->presumed = a->partial = a->unknown = true;
    a->dropped = c->dropped;
    a->first_byte = came;
    a->reached[PROGRESS_BEGUN] = a->first_byte.to;
    a->seqs[PROGRESS_BEGUN] = r->seq;
    attempt_out(a, TROUBLE_BITTEN, hole, a->first_byte.from, r->seq);
}

/* Without a tap it may have been a request, and it may have been probes, a FIN, or ACKs. */
void history_on_segments_dropped(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    note_fell(c, r);
    if (!is_no_attempt(c, r))
        presume(h, c, r);
    if (ledger_number(r, F_FINS, 0) > 0 || ledger_number(r, F_RSTS, 0) > 0)
        connection_left(h, c, r, ledger_number(r, F_RSTS, 0) > 0 ? LEFT_RST : LEFT_FIN);
}

struct attempt *presumed_on(struct history *h, const struct connection *c)
{
    struct attempt *a = c->presumed ? store_find(&h->attempts, c->presumed) : NULL;
    bool unread = a && a->presumed && a->reached[PROGRESS_TOLD] == NEVER && !a->method.hash;
    return unread ? a : NULL;
}
