/* witness.c - requests as the ledger shows them, what the client did to a dead connection, and
 * other news of it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "engine/h2_error.h"
#include "run/exchange.h"

/* Ledgers the mark that a request sets. */
static void tell_mark(struct exchanges *xs, const struct header *h, int64_t from, uint32_t nth,
                      char mark[MODE_NAME_SIZE])
{
    struct ledger *l = xs->ledger;
    bool fits = h && h->value_len < MODE_NAME_SIZE;
    size_t len = fits ? h->value_len : 0;
    memcpy(mark, fits ? h->value : "", len);
    mark[len] = '\0';
    if (!h)
        return;
    if (!mode_name_ok(mark)) {
        mark[0] = '\0';
        ledger_begin(l, EV_WARNING, xs->id, nth);
        ledger_bytes(l, F_NAME, h->value, h->value_len);
        ledger_text(l, F_WHY, "Hangup-Mark: this cannot be a mark's name");
        ledger_commit(l);
        return;
    }
    int64_t to = exchange_now(xs);
    ledger_begin_at(l, to, EV_MARK, 0, 0);
    ledger_text(l, F_NAME, mark);
    ledger_word(l, F_SOURCE, SOURCE_HEADER);
    ledger_int(l, F_FROM, ledger_age(l, from));
    ledger_int(l, F_TO, ledger_age(l, to > from ? to : from));
    ledger_commit(l);
}

void witness_request(struct exchanges *xs, enum ledger_event event, const struct request *request,
                     const struct reading *read, int32_t stream, uint32_t nth, bool whole,
                     char mark[MODE_NAME_SIZE])
{
    struct ledger *l = xs->ledger;
    struct asked asked;
    asked_look(&asked, xs->config, request);
    if (mark)
        tell_mark(xs, whole ? asked.found[ASKED_MARK] : NULL, read->begun_at, nth, mark);
    ledger_begin_at(l, exchange_now(xs), event, xs->id, nth);
    if (stream)
        ledger_int(l, F_STREAM, stream);
    asked_tell(l, &asked, request, whole);
    ledger_int(l, F_FIRST_BYTE, ledger_age(l, read->begun_at));
    ledger_int(l, F_REUSED, nth ? nth > 1 || xs->asked : xs->asked || xs->numbered > 0);
    xs->asked |= nth == 0;
}

void witness_last_request(struct exchanges *xs, const struct request *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct header *h = &request->headers[i];
        xs->client_leaves |= header_is(h, "connection") && header_has_token(h, "close");
    }
}

static void add_fault(struct exchanges *xs, uint64_t fault)
{
    if (fault)
        ledger_int(xs->ledger, F_FAULT, (int64_t)fault);
}

/* The wire knows up to which octet the client has sent into the hole, if a tap has shown all that
 * was swallowed. Else what was sent into it is the first reading from which something comes, when
 * that is soon after the healing, within the time in which the client's kernel has sent again what
 * it sent in vain: nothing that was read with it can follow from an answer. */
void witness_from_hole(struct exchanges *xs)
{
    if (!xs->from_hole_until)
        return;
    uint64_t come = wire_bytes_in(xs->wire); /* this reading with it */
    if (!xs->from_hole_end)
        xs->from_hole_end = clock_now() <= xs->from_hole_until ? come : come - 1;
    xs->from_hole = come <= xs->from_hole_end;
    if (xs->from_hole)
        xs->from_holed = xs->fed;
}

bool witness_begins_in_hole(const struct exchanges *xs, const struct request *request)
{
    uint64_t first = xs->fed - (request->read ? request->read : 1);
    return first >= xs->healed && first < xs->from_holed;
}

void witness_came_late(struct exchanges *xs, const struct session_exchange *sx,
                       const struct exchange *ex)
{
    witness_request(xs, EV_STALE_REQUEST, &ex->request, &sx->read, ex->stream, ex->nth, true, NULL);
    ledger_word(xs->ledger, F_SENT_INTO, INTO_BLACK_HOLED);
    add_fault(xs, wire_fault(xs->wire));
    ledger_int(xs->ledger, F_AFTER_FAULT,
               wire_black_hole_used(xs->wire) - wire_fault_since(xs->wire));
    ledger_int(xs->ledger, F_ATTEMPT, sx->read.attempt);
    ledger_int(xs->ledger, F_COMPLETE, true);
    ledger_commit(xs->ledger);
}

/* --- What the engine reads while it watches */

static void drop_unbegun(struct exchanges *xs, struct unbegun *u)
{
    link_remove(&u->link);
    xs->unbegun_count--;
    free(u);
}

static struct unbegun *add_unbegun(struct exchanges *xs, int32_t stream, bool stale)
{
    struct unbegun *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    if (xs->unbegun_count == LIMIT_UNBEGUN)
        drop_unbegun(xs, link_entry(xs->unbegun.next, struct unbegun, link));
    u->stream = stream;
    u->nth = stale ? 0 : ++xs->numbered;
    xs->unbegun_count++;
    link_append(&xs->unbegun, &u->link);
    return u;
}

/* The newest on this stream: HTTP/1.1 has one, and one request after the other on it. */
static struct unbegun *find_unbegun(const struct exchanges *xs, int32_t stream)
{
    for (struct link *i = xs->unbegun.prev; i != &xs->unbegun; i = i->prev) {
        struct unbegun *u = link_entry(i, struct unbegun, link);
        if (u->stream == stream)
            return u;
    }
    return NULL;
}

/* What was read of the exchange, or of a request that never began; NULL: nothing is known of it. */
static struct reading *reading_of(const struct exchanges *xs, const struct exchange *ex,
                                  int32_t stream, uint32_t *nth)
{
    struct session_exchange *sx = ex ? ex->data : NULL;
    struct unbegun *u = ex ? NULL : find_unbegun(xs, stream);
    *nth = ex ? ex->nth : u ? u->nth : 0;
    if (wire_state(xs->wire) == WIRE_CLOSED || (sx && sx->reached > REACHED_HEADERS))
        return NULL;
    return sx ? &sx->read : u ? &u->read : NULL;
}

/* Of a request that came after the fault: into what, and when. */
static void add_staleness(struct exchanges *xs)
{
    struct ledger *l = xs->ledger;
    const struct wire_sent_into into = wire_sent_into(xs->wire);
    bool goaway = !xs->stale_seen; /* it came before the fault, or there is none */
    int64_t since = goaway ? xs->mode->goaway_at : into.since;
    ledger_word(l, F_SENT_INTO, goaway ? INTO_GOAWAY : wire_state_into(into.state));
    add_fault(xs, goaway ? xs->mode->goaway_fault : into.fault);
    if (since != TIME_NONE)
        ledger_int(l, F_AFTER_FAULT, clock_now() - since);
    if (!goaway && into.state == WIRE_FIN_SENT)
        ledger_word(l, F_FIN_ACKED_BEFORE, wire_fin_acked(xs->wire));
}

/* What came with the bytes on which the fault fired, or before them, was sent while all was well;
 * over h2 the engine also tells of streams that a GOAWAY has disowned, and of the rest of a header
 * section within which an exchange was ended. */
static bool is_stale(const struct exchanges *xs, const struct exchange *ex, int32_t stream)
{
    return xs->stale_seen || (!ex && engine_disowns(xs->engine, stream));
}

void witness_stale_request(void *host, struct exchange *ex, const struct request *request,
                           int32_t stream, enum engine_witnessed what)
{
    struct exchanges *xs = host;
    struct ledger *l = xs->ledger;
    bool stale = is_stale(xs, ex, stream);
    uint32_t nth;
    /* Without a fault: an exchange has begun, whose end says it; or it may be any frame, unless
     * GOAWAY has disowned its stream. */
    if (what == WITNESSED_PART && !exchange_silenced(xs) &&
        (ex || (protocol_of(xs->mode->over)->streams && !stale)))
        return;
    if (wire_state(xs->wire) != WIRE_CLOSED && !ex)
        add_unbegun(xs, stream, stale);
    struct reading *r = reading_of(xs, ex, stream, &nth);
    if (!r)
        return;
    char mark[MODE_NAME_SIZE];
    const struct attempt_key key = attempts_key(request, HASH_START);
    r->told = true;
    r->stale = stale;
    r->hash = key.hash;
    r->content = what == WITNESSED_HEAD && request->content;
    r->digest = HASH_START;
    r->complete_told = stale && what == WITNESSED_WHOLE; /* which is told with it */
    if (what != WITNESSED_PART)
        r->reached = REACHED_HEADERS;
    if (!r->attempt && (key.key || what == WITNESSED_WHOLE))
        r->attempt = attempts_begin(xs->attempts, key.hash);
    if (!r->begun_at)
        r->begun_at = request->begun_at ? request->begun_at : clock_now();
    witness_request(xs, stale ? EV_STALE_REQUEST : EV_REQUEST, request, r, stream, nth,
                    what != WITNESSED_PART, mark);
    if (stale)
        add_staleness(xs);
    else if (ex)
        ledger_int(l, F_IDLE_BEFORE, ((struct session_exchange *)ex->data)->mx.idle_before);
    if (r->attempt)
        ledger_int(l, F_ATTEMPT, r->attempt);
    ledger_int(l, F_COMPLETE, what != WITNESSED_PART);
    ledger_commit(l);
    if (mark[0])
        xs->calls->mark(xs, mark, false); /* the engine is at work */
}

void witness_stale_body(void *host, struct exchange *ex, const void *bytes, size_t n,
                        int32_t stream)
{
    uint32_t nth;
    struct reading *r = reading_of(host, ex, stream, &nth);
    if (!r)
        return;
    r->body_bytes += n;
    r->digest = hash_more(r->digest, bytes, n);
}

void witness_stale_complete(void *host, struct exchange *ex, const struct request *request,
                            int32_t stream)
{
    struct exchanges *xs = host;
    struct ledger *l = xs->ledger;
    uint32_t nth;
    struct reading *r = reading_of(xs, ex, stream, &nth);
    if (!r)
        return;
    struct request as_sent = *request;
    if (ex && ((struct session_exchange *)ex->data)->target)
        as_sent.target = ((struct session_exchange *)ex->data)->target;
    r->reached = REACHED_COMPLETE;
    if (!r->attempt)
        r->attempt = attempts_begin(xs->attempts, attempts_key(&as_sent, r->digest).hash);
    /* What came into a stall that has ended, and its rest later, is told when it is served. */
    if (!r->complete_told && (!r->stale || is_stale(xs, ex, stream))) {
        ledger_begin(l, EV_REQUEST_COMPLETE, xs->id, r->stale ? 0 : nth);
        if (r->stale && stream)
            ledger_int(l, F_STREAM, stream);
        if (r->stale)
            add_staleness(xs);
        ledger_int(l, F_BODY_BYTES, (int64_t)r->body_bytes);
        ledger_int(l, F_ATTEMPT, r->attempt);
        ledger_hash(l, F_DIGEST, r->digest);
        ledger_commit(l);
    }
    r->complete_told = true;
    if (!ex && r->stale && !wire_state_is_held(wire_state(xs->wire)))
        drop_unbegun(xs, find_unbegun(xs, stream));
}

void witness_resumes(struct exchanges *xs)
{
    struct link *next;
    for (struct link *i = xs->unbegun.next; i != &xs->unbegun; i = next) {
        struct unbegun *u = link_entry(i, struct unbegun, link);
        next = i->next;
        bool begins = !engine_disowns(xs->engine, u->stream);
        if (begins && u->nth == 0)
            u->nth = ++xs->numbered;
        else if (!begins && u->read.complete_told)
            drop_unbegun(xs, u);
    }
}

uint32_t witness_begins(struct exchanges *xs, int32_t stream, struct reading *read)
{
    uint32_t nth = 0;
    for (struct link *i = xs->unbegun.next; i != &xs->unbegun; i = i->next) {
        struct unbegun *u = link_entry(i, struct unbegun, link);
        if (u->stream != stream)
            continue;
        *read = u->read;
        nth = u->nth;
        drop_unbegun(xs, u);
        break;
    }
    return nth ? nth : ++xs->numbered;
}

void witness_serves(struct reading *read)
{
    if (read->stale)
        read->told = read->complete_told = read->stale = false;
}

void witness_tell_lost(struct exchanges *xs, enum ledger_lost_by by, const char *why)
{
    for (struct link *i = xs->unbegun.next; i != &xs->unbegun; i = i->next) {
        struct unbegun *u = link_entry(i, struct unbegun, link);
        if (!u->nth || u->lost_told)
            continue;
        u->lost_told = true;
        ledger_begin(xs->ledger, EV_EXCHANGE_LOST, xs->id, u->nth);
        ledger_word(xs->ledger, F_REACHED, u->read.reached);
        if (u->read.attempt)
            ledger_int(xs->ledger, F_ATTEMPT, u->read.attempt);
        ledger_text(xs->ledger, F_WHY, why);
        exchange_add_loss(xs, by, NULL, u->stream, &u->read, u->read.reached, u->read.body_bytes);
        exchange_ledger_fault(xs, exchange_fault(xs, NULL));
        ledger_commit(xs->ledger);
    }
}

void witness_drop_all(struct exchanges *xs)
{
    while (!link_empty(&xs->unbegun))
        drop_unbegun(xs, link_entry(xs->unbegun.next, struct unbegun, link));
}

/* --- Other news */

/* What the connection is under: the first that told the client of its end, or put it out of
 * service; or else the last one. */
static struct mode_fault fault_over(const struct exchanges *xs, bool *silenced)
{
    const struct mode_conn *mode = xs->mode;
    uint64_t wire = exchange_silenced(xs) ? wire_fault(xs->wire) : 0;
    *silenced = wire && (!mode->said.seq || wire <= mode->said.seq);
    return *silenced        ? (struct mode_fault){ wire, wire_fault_since(xs->wire) }
           : mode->said.seq ? mode->said
                            : mode->last;
}

/* FIN_NONE: nothing told the client of it. */
static enum ledger_fin_acked knows_of(struct exchanges *xs, uint64_t fault, bool silenced)
{
    if (!silenced)
        return fault == xs->mode->said.seq ? acks_fault_acked(xs, fault) : FIN_NONE;
    return wire_state(xs->wire) == WIRE_FIN_SENT ? wire_fin_acked(xs->wire) : FIN_NONE;
}

void witness_leaves(struct exchanges *xs)
{
    struct ledger *l = xs->ledger;
    int64_t now = clock_now();
    bool silenced;
    const struct mode_fault fault = fault_over(xs, &silenced);
    if (xs->quiet_since != TIME_NONE)
        ledger_int(l, F_IDLE, now - xs->quiet_since);
    if (!fault.seq)
        return;
    enum ledger_fin_acked knows = knows_of(xs, fault.seq, silenced);
    exchange_ledger_fault(xs, fault.seq);
    ledger_int(l, F_AFTER_FAULT, now - fault.at);
    if (knows == FIN_ACKED || knows == FIN_CROSSED)
        ledger_int(l, F_CROSSED, knows == FIN_CROSSED);
    wire_ledger_behind(xs->wire);
}

/* The number of the exchange on a stream; 0: there is none, or it is over. */
static uint32_t number_of(const struct exchanges *xs, int32_t stream)
{
    const struct link *const lists[] = { &xs->unanswered, &xs->leaving };
    const struct unbegun *u = find_unbegun(xs, stream);
    for (unsigned k = 0; k < 2; k++) {
        for (struct link *i = lists[k]->next; i != lists[k]; i = i->next) {
            struct session_exchange *sx = link_entry(i, struct session_exchange, link);
            if (sx->copy.stream == stream)
                return sx->copy.nth;
        }
    }
    return u ? u->nth : 0;
}

/* Its ClientHello, if there was one, and its first SETTINGS in their order, but for those that mean
 * nothing (RFC 8701, of 0x?a?a). */
static void tell_client(struct exchanges *xs, const char *settings, size_t len)
{
    uint64_t hash = wire_client(xs->wire) ? wire_client(xs->wire) : HASH_START;
    for (size_t at = 0; at < len;) {
        const char *one = settings + at, *space = memchr(one, ' ', len - at);
        size_t n = space ? (size_t)(space - one) : len - at;
        bool grease =
            n > 6 && memcmp(one, "0x", 2) == 0 && one[3] == 'a' && one[5] == 'a' && one[6] == '=';
        if (!grease)
            hash = hash_more(hash, one, n + !!space);
        at += n + 1;
    }
    xs->peer_settings = true;
    ledger_hash(xs->ledger, F_CLIENT, hash);
}

static void ledger_frame(struct exchanges *xs, const struct engine_frame_info *info)
{
    static const enum ledger_event events[] = {
        [FRAME_SETTINGS] = EV_PEER_SETTINGS,     [FRAME_PING] = EV_PEER_PING,
        [FRAME_PING_ACK] = EV_PEER_PING_ACK,     [FRAME_GOAWAY] = EV_PEER_GOAWAY,
        [FRAME_RST_STREAM] = EV_PEER_RST_STREAM, [FRAME_SETTINGS_ACK] = EV_PEER_SETTINGS_ACK,
    };
    struct ledger *l = xs->ledger;
    if (info->kind == FRAME_GOAWAY)
        xs->client_leaves = xs->peer_goaway = true;
    if (info->kind == FRAME_PING_ACK)
        acks_ping_ack(xs, info->text, info->text_len);
    ledger_begin(l, events[info->kind], xs->id,
                 info->kind == FRAME_RST_STREAM ? number_of(xs, info->stream) : 0);
    if (info->kind == FRAME_RST_STREAM)
        ledger_int(l, F_STREAM, info->stream);
    if (info->kind == FRAME_GOAWAY) {
        ledger_int(l, F_LAST_STREAM, info->stream);
        witness_leaves(xs);
    }
    if (info->kind == FRAME_GOAWAY || info->kind == FRAME_RST_STREAM)
        ledger_text(l, F_ERROR, h2_error_name(info->error));
    if (info->text_len > 0)
        ledger_bytes(l,
                     info->kind == FRAME_GOAWAY     ? F_DEBUG_DATA
                     : info->kind == FRAME_SETTINGS ? F_SETTINGS
                                                    : F_OPAQUE,
                     info->text, info->text_len);
    if (info->kind == FRAME_SETTINGS && !xs->peer_settings)
        tell_client(xs, info->text, info->text_len);
    ledger_commit(l);
}

/* Nobody wants to know of each WINDOW_UPDATE, and they are many. */
void witness_frame(void *host, const struct engine_frame_info *info)
{
    struct exchanges *xs = host;
    if (wire_state(xs->wire) == WIRE_CLOSED)
        return;
    if (info->kind != FRAME_WINDOW_UPDATE)
        ledger_frame(xs, info);
    mode_peer(xs->mode, info->kind, info->answers);
}

static void tell_why(struct exchanges *xs, enum ledger_event event, const char *why)
{
    if (wire_state(xs->wire) == WIRE_CLOSED)
        return;
    xs->client_leaves = false; /* whatever it said before: the connection ends because of this */
    ledger_begin(xs->ledger, event, xs->id, 0);
    ledger_text(xs->ledger, F_WHY, why);
    ledger_commit(xs->ledger);
}

void witness_protocol_error(void *host, const char *what)
{
    tell_why(host, EV_PROTOCOL_ERROR, what);
}

void witness_limit(void *host, const char *what)
{
    tell_why(host, EV_LIMIT, what);
}
