/* connections.c - what the events of connections do: opened, left by the client, ended. */
#include "verdict/history_parts.h"

#include "base/clock.h"
#include "ledger/ledger.h"

/* One that the record is the first to tell of. */
static struct connection *add(struct history *h, const struct ledger_record *r)
{
    history_make_room(h, &h->connections);
    struct connection *c = store_add(&h->connections, r->connection);
    *c = (struct connection){ .id = r->connection,
                              .opened = NEVER,
                              .path = -1,
                              .idle_since = NEVER,
                              .dead = NEVER,
                              .stale_bytes = NEVER,
                              .dropped = NEVER,
                              .stale_last = NEVER,
                              .no_use_at = NEVER,
                              .left_at = NEVER,
                              .reset_at = NEVER,
                              .shut_at = NEVER,
                              .said_at = NEVER,
                              .settings_acked = NEVER,
                              .pings_ignored_at = NEVER,
                              .pinged = NEVER,
                              .hint = NEVER,
                              .ended = NEVER,
                              .sent = NEVER,
                              .due_in = NEVER,
                              .unknown = true,
                              .first_seq = r->seq };
    return c;
}

static __attribute__((noinline)) struct connection *look_up(struct history *h,
                                                            const struct ledger_record *r)
{
    struct connection *c = store_find(&h->connections, r->connection);
    h->recent = c ? c : add(h, r);
    return h->recent;
}

struct connection *history_connection_of(struct history *h, const struct ledger_record *r)
{
    struct connection *c = h->recent;
    if (!c || c->id != r->connection)
        c = look_up(h, r);
    c->last_seq = r->seq;
    return c;
}

/* A listener that accepts again: SYNs that it drops later are another matter. */
static void accepts_again(struct history *h, const struct connection *c)
{
    struct lost_syns *syns;
    for (size_t i = 0; (syns = store_back(&h->lost_syns, i)); i++) {
        if (syns->ended == NEVER && syns->listener.hash == c->listener.hash)
            syns->ended = c->opened;
    }
}

void history_on_connection_open(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    c->unknown = false;
    c->opened = r->age;
    record_hash(r, F_LISTENER, &c->listener);
    c->family = (int)ledger_number(r, F_FAMILY, 0);
    c->number = (int)ledger_number(r, F_NUMBER, 0);
    c->path = (int)ledger_number(r, F_PATH, -1);
    accepts_again(h, c);
}

void history_on_client_hello(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    c->spoke = c->tls = true;
}

void history_on_protocol(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    c->protocol = true;
    c->h2 = ledger_number(r, F_PROTOCOL_NAME, SPOKEN_H1) == SPOKEN_H2;
    record_hash(r, F_CLIENT, &c->client);
}

void history_on_peer_settings(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    struct ledger_value client;
    if (ledger_value(r, F_CLIENT, &client))
        record_hash(r, F_CLIENT, &c->client);
}

void history_on_syn_dropped(struct history *h, const struct ledger_record *r)
{
    struct text listener;
    struct lost_syns *syns;
    record_hash(r, F_LISTENER, &listener);
    for (size_t i = 0; (syns = store_back(&h->lost_syns, i)); i++) {
        if (syns->ended == NEVER && syns->listener.hash == listener.hash) {
            syns->last = r->age;
            return;
        }
    }
    history_make_room(h, &h->lost_syns);
    syns = store_add(&h->lost_syns, r->seq);
    *syns = (struct lost_syns){ .listener = listener,
                                .first = { r->age, r->age },
                                .last = r->age,
                                .ended = NEVER,
                                .seq = r->seq };
    struct ledger_value peer;
    if (ledger_value(r, F_PEER, &peer))
        return;
    /* Counted by the kernel, looked at now and then: since the listeners drop them. */
    const struct fault *fault;
    for (size_t i = 0; (fault = store_back(&h->faults, i)); i++) {
        if (fault->step == STEP_DROP_SYN) {
            syns->first.from = fault->at;
            return;
        }
    }
    syns->first.from = 0;
}

/* --- What the client's process does */

#define TOGETHER (5 * NS_PER_MS) /* in one reading */

/* What was read of a dead connection was no use of it, but this: an alert, a frame of HTTP/2 that
 * asks for nothing. The ledger tells it just before or just behind its bytes. */
static void no_use(struct connection *c, const struct ledger_record *r)
{
    c->no_use_at = r->age;
    if (c->stale_bytes != NEVER && c->stale_last == c->stale_bytes &&
        r->age - c->stale_bytes <= TOGETHER)
        c->stale_bytes = NEVER;
}

/* It has reacted, so that it knew of the fault: in the order of what came, not of time (R3). */
static void said(struct connection *c, const struct ledger_record *r)
{
    if ((c->dead != NEVER || c->notice) && c->said_at == NEVER) {
        c->said_at = r->age;
        c->said_seq = r->seq;
    }
}

void connection_left(struct history *h, struct connection *c, const struct ledger_record *r,
                     enum leaving how)
{
    if (c->left == LEFT_NOT) {
        c->left = how;
        c->left_at = r->age;
        c->crossed = record_tri(r, F_CROSSED);
        c->behind = record_tri(r, F_BEHIND_FAULT) == TRI_YES;
    }
    if (how == LEFT_RST && c->reset_at == NEVER)
        c->reset_at = r->age;
    if (how == LEFT_GOAWAY || how == LEFT_CLOSE_NOTIFY)
        return; /* it may still read */
    if (c->shut_at == NEVER)
        c->shut_at = r->age;
    struct attempt *a = attempt_newest(h, c);
    for (; a; a = attempt_before(h, a)) {
        if (attempt_abandonable(h, a))
            attempt_abandoned(h, c, a, 0, r);
    }
}

void history_on_peer_fin(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    c->spoke |= ledger_number(r, F_BYTES, 0) > 0;
    connection_left(h, c, r, LEFT_FIN);
    if (c->crossed == TRI_NO)
        said(c, r);
}

void history_on_peer_rst(struct history *h, const struct ledger_record *r)
{
    connection_left(h, history_connection_of(h, r), r, LEFT_RST);
}

void history_on_peer_close_notify(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    connection_left(h, c, r, LEFT_CLOSE_NOTIFY);
    no_use(c, r);
}

void history_on_peer_goaway(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    connection_left(h, c, r, LEFT_GOAWAY);
    no_use(c, r);
    if (c->crossed == TRI_NO)
        said(c, r);
}

void history_on_ping_sent(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    if (c->dead == NEVER && !c->notice)
        c->pings_before++;
    else if (!c->ping_sent)
        c->ping_sent = r->seq;
}

void history_on_peer_ping(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    c->pings++;
    no_use(c, r);
    if (!c->pings_ignored)
        return;
    c->pings_unanswered++;
    if (c->pinged == NEVER)
        c->pinged = r->age;
}

void history_on_peer_ping_ack(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    if (c->pings_before > 0)
        c->pings_before--; /* it was sent before, and so was read before */
    else if (c->ping_sent)
        said(c, r);
}

void history_on_peer_settings_ack(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    if (c->settings_acked == NEVER)
        c->settings_acked = r->age;
    no_use(c, r);
}

static void came_stale(struct connection *c, int64_t age)
{
    c->stale_last = age;
    if (c->stale_bytes == NEVER && (c->no_use_at == NEVER || age - c->no_use_at > TOGETHER))
        c->stale_bytes = age;
}

void history_on_peer_alert(struct history *h, const struct ledger_record *r)
{
    no_use(history_connection_of(h, r), r);
}

void history_on_stale_bytes(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    c->spoke |= ledger_number(r, F_BYTES, 0) > 0;
    if (ledger_number(r, F_BYTES, 0) == 0)
        connection_left(h, c, r, LEFT_FIN); /* into a forgotten connection */
    else
        came_stale(c, r->age);
}

/* --- The end */

void connection_doubt(struct history *h, struct connection *c, uint64_t fault, int64_t at,
                      uint64_t seq)
{
    struct attempt *a = attempt_newest(h, c);
    for (; a; a = attempt_before(h, a)) {
        int64_t handed = a->reached[PROGRESS_HANDED];
        if (handed != NEVER && a->progress < PROGRESS_CONFIRMED && at - handed <= h->config.grace)
            attempt_out(a, TROUBLE_DOUBTFUL, fault, at, seq);
    }
}

void history_on_connection_end(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    struct ledger_value value;
    c->ended = r->age;
    c->sent = ledger_number(r, F_BYTES_OUT, NEVER);
    c->by = (int)ledger_number(r, F_BY, BY_NOBODY);
    c->how = (int)ledger_number(r, F_HOW, HOW_AS_SEEN);
    c->in_handshake = ledger_number(r, F_IN, ENDED_IN_SERVICE) == ENDED_IN_HANDSHAKE;
    c->spoke |= ledger_number(r, F_BYTES_IN, 0) > 0;
    c->armed = ledger_value(r, F_RULE, &value);
    c->due_in = record_age(r, F_DUE_IN);
    if (c->by == BY_CLIENT && (c->how == HOW_FIN || c->how == HOW_RST))
        connection_left(h, c, r, c->how == HOW_FIN ? LEFT_FIN : LEFT_RST);
    uint64_t fault = (uint64_t)ledger_number(r, F_FAULT, 0);
    if (c->how == HOW_RST && c->by != BY_CLIENT)
        connection_doubt(h, c, fault, r->age, r->seq);

    struct attempt *a = attempt_newest(h, c);
    for (; a; a = attempt_before(h, a)) {
        if (!attempt_pending(a))
            continue;
        const struct out *out = a->out_count ? &a->outs[a->out_count - 1] : NULL;
        bool bitten = out && out->to == NEVER && out->trouble == TROUBLE_BITTEN;
        if (!out || out->to != NEVER || bitten)
            attempt_out(a, TROUBLE_LOST, 0, r->age, r->seq); /* exchange_lost may say more */
    }
}
