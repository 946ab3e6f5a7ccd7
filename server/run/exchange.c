/* exchange.c - one request and its response, from the first byte read to the last byte handed to
 * the kernel, as the engine tells it. Ledgers each stage, fires the mode's rules there, and answers
 * when the request is whole and nothing holds it.
 *
 * An exchange is in exchanges->unanswered until the engine has put out its last byte, then in
 * exchanges->leaving until the wire has handed that byte to the kernel.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "run/exchange.h"

#define POOL_MAX 256

/* --- Memory: a bounded pool, so that a request costs no allocation */

static struct link pool = { &pool, &pool };
static unsigned pooled;

static struct session_exchange *take_exchange(void)
{
    struct session_exchange *sx;
    if (link_empty(&pool))
        return calloc(1, sizeof *sx);
    sx = link_entry(pool.next, struct session_exchange, link);
    link_remove(&sx->link);
    pooled--;
    memset(sx, 0, sizeof *sx);
    return sx;
}

static void recycle(struct session_exchange *sx)
{
    free(sx->refusal);
    if (pooled < POOL_MAX) {
        link_append(&pool, &sx->link);
        pooled++;
    } else {
        free(sx);
    }
}

void exchange_stop(void)
{
    while (!link_empty(&pool)) {
        struct link *first = pool.next;
        link_remove(first);
        free(link_entry(first, struct session_exchange, link));
    }
    pooled = 0;
    acks_stop();
}

/* It is over; its memory goes, when nobody up the stack looks at it any more. */
static void free_exchange(struct session_exchange *sx)
{
    mode_exchange_over(&sx->mx);
    places_forget(sx);
    link_remove(&sx->link);
    sx->xs->open--;
    sx->over = true;
    if (sx->pins == 0)
        recycle(sx);
}

void exchange_pin(struct session_exchange *sx)
{
    sx->pins++;
}

bool exchange_unpin(struct session_exchange *sx)
{
    sx->pins--;
    if (!sx->over)
        return true;
    if (sx->pins == 0)
        recycle(sx);
    return false;
}

bool exchange_fire(struct session_exchange *sx, enum trigger_slot slot)
{
    exchange_pin(sx);
    mode_fire(sx->xs->mode, slot, &sx->mx);
    return exchange_unpin(sx);
}

void exchange_init(struct exchanges *xs)
{
    xs->idle_since = xs->quiet_since = TIME_NONE;
    link_init(&xs->unanswered);
    link_init(&xs->leaving);
    link_init(&xs->unbegun);
    acks_init(&xs->acks);
}

/* --- Idle: no exchange open, and none begun, since the last byte was handed over */

void exchange_idle(struct exchanges *xs, int64_t now)
{
    if (xs->open > 0 || xs->idle_since != TIME_NONE || !exchange_serving(xs))
        return;
    xs->idle_since = xs->quiet_since = now;
    mode_idle(xs->mode, now);
}

void exchange_busy(struct exchanges *xs)
{
    xs->idle_since = TIME_NONE;
    mode_busy(xs->mode);
}

static bool is_closed(const struct exchanges *xs)
{
    return wire_state(xs->wire) == WIRE_CLOSED;
}

/* --- Ledger */

/* It ended when its last byte went to the kernel: this process may have stood still since, and its
 * client be on with the next thing. */
static void tell_end(struct session_exchange *sx, int64_t now)
{
    struct exchanges *xs = sx->xs;
    int64_t handed = wire_handed_at(xs->wire);
    now = handed == TIME_NONE ? now : handed;
    sx->end_told = true;
    xs->answered++;
    uint64_t offset = sx->end_offset == WIRE_NO_OFFSET ? wire_bytes_out(xs->wire) : sx->end_offset;
    ledger_begin_at(xs->ledger, now, EV_RESPONSE_END, xs->id, sx->copy.nth);
    ledger_int(xs->ledger, F_STATUS, sx->status);
    ledger_int(xs->ledger, F_END_OFFSET, (int64_t)offset);
    ledger_commit(xs->ledger);
    acks_response(xs, sx->copy.nth, offset, now);
    if (sx->read.attempt)
        attempts_answered(xs->attempts, sx->key.hash);
}

uint64_t exchange_fault(const struct exchanges *xs, const struct mode_exchange *mx)
{
    /* The first that made it unanswerable; the end of its stream may be told within a later step.
     */
    if (mx && mx->ended)
        return mx->ended_fault;
    if (mx && xs->mode->goaway_fault &&
        (xs->mode->held || engine_disowns(xs->engine, mx->ex->stream)))
        return xs->mode->goaway_fault;
    if (xs->mode->acting)
        return xs->mode->acting;
    if (exchange_silenced(xs))
        return wire_fault(xs->wire);
    if (xs->mode->held || (mx && engine_disowns(xs->engine, mx->ex->stream)))
        return xs->mode->goaway_fault;
    return mx && mx->gates > 0 ? mx->gate_fault : 0;
}

void exchange_ledger_fault(const struct exchanges *xs, uint64_t fault)
{
    if (!fault)
        return;
    ledger_int(xs->ledger, F_FAULT, (int64_t)fault);
    if (xs->mode->last.seq > fault)
        ledger_int(xs->ledger, F_LAST_FAULT, (int64_t)xs->mode->last.seq);
}

void exchange_add_loss(struct exchanges *xs, enum ledger_lost_by by, const struct exchange *ex,
                       int32_t stream, const struct reading *read, enum ledger_reached reached,
                       uint64_t body_bytes)
{
    bool expected = read->content && reached == REACHED_HEADERS;
    ledger_word(xs->ledger, F_LOST_BY, by);
    if (expected || body_bytes)
        ledger_int(xs->ledger, F_BODY_BYTES, (int64_t)body_bytes);
    if (expected && protocol_of(xs->mode->over)->streams)
        ledger_int(xs->ledger, F_BLOCKED_BY_WINDOW,
                   (ex && ex->window_shut) || engine_window_shut(xs->engine, stream));
}

/* How much of its content is with the kernel, where that is known: on h2 what waits may be of other
 * streams. */
static void add_sent(const struct session_exchange *sx)
{
    const struct exchanges *xs = sx->xs;
    uint64_t said, of, handed = wire_handed(xs->wire), waits = wire_queued(xs->wire) - handed;
    if (sx->stop_counted && handed == sx->stop_mark) {
        said = sx->stop_content;
        of = sx->content_of;
    } else {
        bool gone = sx->mx.ex == &sx->copy, streams = protocol_of(xs->mode->over)->streams;
        if (gone || !engine_content(sx->mx.ex, &said, &of) || (waits && streams))
            return;
        said = said > waits ? said - waits : 0;
    }
    ledger_int(xs->ledger, F_SENT, (int64_t)said);
    ledger_int(xs->ledger, F_OF, (int64_t)of);
}

void exchange_tell_lost_one(struct session_exchange *sx, enum ledger_lost_by by, const char *why)
{
    struct exchanges *xs = sx->xs;
    struct reading *r = &sx->read;
    if (sx->end_told)
        return;
    sx->end_told = true;
    enum ledger_reached reached = sx->reached > r->reached ? sx->reached : r->reached;
    uint32_t attempt = r->attempt;
    if (reached == REACHED_HEADERS && !attempt)
        attempt = attempts_begin(xs->attempts, sx->reached ? sx->key.hash : r->hash);
    uint64_t fault = exchange_fault(xs, &sx->mx);
    mode_exchange_unsaid(&sx->mx, why);
    ledger_begin(xs->ledger, EV_EXCHANGE_LOST, xs->id, sx->copy.nth);
    ledger_word(xs->ledger, F_REACHED, reached);
    if (attempt)
        ledger_int(xs->ledger, F_ATTEMPT, attempt);
    ledger_text(xs->ledger, F_WHY, why);
    exchange_add_loss(xs, by, sx->mx.ex, sx->copy.stream, r, reached,
                      sx->body_bytes > r->body_bytes ? sx->body_bytes : r->body_bytes);
    if (reached == REACHED_ANSWERING)
        add_sent(sx);
    exchange_ledger_fault(xs, fault);
    ledger_commit(xs->ledger);
}

/* The engine has put out all of the response, and has no more say in it. */
static void leave(struct session_exchange *sx, uint64_t end_mark, uint64_t end_offset)
{
    struct exchanges *xs = sx->xs;
    struct exchange *ex = sx->mx.ex;
    sx->copy = *ex;
    sx->copy.request = (struct request){ .method = "", .target = "", .authority = "" };
    sx->mx.ex = &sx->copy;
    ex->data = NULL;
    sx->end_mark = end_mark;
    sx->end_offset = end_offset;
    sx->mx.standing = false;
    mode_exchange_late(&sx->mx, ON_LATE_BODY, TIME_NONE); /* if it was answered early */
    places_forget(sx);
    link_remove(&sx->link);
    link_append(&xs->leaving, &sx->link);
}

static bool is_handed(const struct session_exchange *sx)
{
    return wire_handed(sx->xs->wire) >= sx->end_mark;
}

/* Of those whose last bytes were on their way to the kernel. */
static void tell_ended(struct exchanges *xs)
{
    for (struct link *i = xs->leaving.next; i != &xs->leaving; i = i->next) {
        struct session_exchange *sx = link_entry(i, struct session_exchange, link);
        if (!sx->end_told && is_handed(sx))
            tell_end(sx, clock_now());
    }
}

/* What the engine reads from now on belongs to what was read before. */
static void read_on(struct session_exchange *sx)
{
    struct reading *r = &sx->read;
    if (r->reached < sx->reached)
        r->reached = sx->reached;
    if (sx->reached && sx->key.key && !r->attempt) /* whatever its content will be */
        r->attempt = attempts_begin(sx->xs->attempts, sx->key.hash);
    if (r->body_bytes >= sx->body_bytes) /* it was read in an earlier hold, and is told again */
        return;
    r->body_bytes = sx->body_bytes;
    r->digest = sx->digest;
}

void exchange_watch(struct exchanges *xs, enum ledger_lost_by by, const char *why)
{
    struct link *next;
    for (struct link *i = xs->unanswered.next; i != &xs->unanswered; i = next) {
        struct session_exchange *sx = link_entry(i, struct session_exchange, link);
        next = i->next;
        if (sx->end_told)
            continue;
        if (sx->reached < REACHED_COMPLETE)
            read_on(sx);
        else if (why && engine_said_all(sx->mx.ex))
            leave(sx, sx->mx.standing ? sx->stop_mark : wire_queued(xs->wire),
                  sx->mx.standing ? WIRE_NO_OFFSET : wire_end_offset(xs->wire));
        else if (why)
            exchange_tell_lost_one(sx, by, why);
    }
    if (why)
        tell_ended(xs);
}

void exchange_tell_lost(struct exchanges *xs, enum ledger_lost_by by, const char *why, bool leaving)
{
    struct link *i;
    for (i = xs->unanswered.next; i != &xs->unanswered; i = i->next)
        exchange_tell_lost_one(link_entry(i, struct session_exchange, link), by, why);
    witness_tell_lost(xs, by, why);
    tell_ended(xs);
    if (leaving)
        exchange_tell_cut(xs, by, why);
}

void exchange_tell_cut(struct exchanges *xs, enum ledger_lost_by by, const char *why)
{
    tell_ended(xs);
    for (struct link *i = xs->leaving.next; i != &xs->leaving; i = i->next)
        exchange_tell_lost_one(link_entry(i, struct session_exchange, link), by, why);
}

void exchange_drop_all(struct exchanges *xs)
{
    struct link *const lists[] = { &xs->unanswered, &xs->leaving };
    for (unsigned k = 0; k < 2; k++) {
        while (!link_empty(lists[k])) {
            struct session_exchange *sx = link_entry(lists[k]->next, struct session_exchange, link);
            exchange_tell_lost_one(sx, LOST_BY_SERVER, "the connection ended");
            free_exchange(sx);
        }
    }
}

/* --- What the engine tells */

void exchange_input(struct exchanges *xs, const uint8_t *bytes, size_t n)
{
    xs->fed += n;
    witness_from_hole(xs);
    xs->reading = true;
    engine_input(xs->engine, bytes, n);
    xs->reading = false;
    xs->now = 0;
}

static void begin(void *host, struct exchange *ex)
{
    struct exchanges *xs = host;
    if (is_closed(xs))
        return; /* pipelined behind the end: nothing is told of it */
    int64_t now = clock_now();
    if (xs->reading)
        xs->now = now;
    if (protocol_of(xs->mode->over)->streams)
        acks_look(xs, now);
    else
        acks_next_request(xs, ex->request.begun_at ? ex->request.begun_at : now, now);
    struct session_exchange *sx = take_exchange();
    if (!sx) {
        wire_abort(xs->wire, BY_SERVER, HOW_NO_MEMORY);
        return;
    }
    sx->xs = xs;
    sx->mx.conn = xs->mode;
    sx->mx.ex = ex;
    sx->mx.late.since = TIME_NONE;
    sx->digest = sx->read.digest = HASH_START;
    for (unsigned of = 0; of < STOP_KINDS; of++)
        sx->place[of] = -1;
    ex->nth = witness_begins(xs, ex->stream, &sx->read);
    if (!sx->read.begun_at)
        sx->read.begun_at = ex->request.begun_at ? ex->request.begun_at : now;
    sx->from_hole = witness_begins_in_hole(xs, &ex->request);
    sx->copy = *ex;
    sx->mx.idle_before = xs->idle_since == TIME_NONE ? 0 : now - xs->idle_since;
    ex->data = sx;
    link_append(&xs->unanswered, &sx->link);
    xs->begun++;
    xs->open++;
    xs->idle_since = xs->quiet_since = TIME_NONE;
    mode_gives_way(xs->mode, "a request came first", false);
    mode_busy(xs->mode);
    xs->mode->used = true;
    if (xs->begun == 1)
        mode_late(xs->mode, ON_LATE_NOTHING, TIME_NONE);
    mode_exchange_late(&sx->mx, ON_LATE_HEAD, sx->read.begun_at);
    xs->calls->heard(xs, sx, now);
    exchange_fire(sx, ON_FIRST_BYTE);
}

static void respond_too_large(struct session_exchange *sx)
{
    struct exchanges *xs = sx->xs;
    ledger_begin(xs->ledger, EV_LIMIT, xs->id, sx->copy.nth);
    ledger_text(xs->ledger, F_WHY, "a request body larger than --body-limit");
    ledger_commit(xs->ledger);
    sx->problem = 413;
    sx->reached = REACHED_COMPLETE; /* as far as it will get */
    sx->mx.content = sx->body_bytes;
    mode_exchange_late(&sx->mx, ON_LATE_BODY, TIME_NONE);
    respond_continue(sx);
}

/* Whether its Content-Length is above the limit. */
static bool declares_more_than(const struct request *request, size_t limit)
{
    const struct header *length = request_header(request, "content-length");
    int64_t value = length ? header_number(length) : -1;
    return value >= 0 && (uint64_t)value > limit;
}

static void headers(void *host, struct exchange *ex)
{
    struct exchanges *xs = host;
    struct session_exchange *sx = ex->data;
    if (!sx || is_closed(xs))
        return;
    char mark[MODE_NAME_SIZE] = "";
    sx->reached = REACHED_HEADERS;
    mode_exchange_late(&sx->mx, ON_LATE_BODY, ex->request.content ? exchange_now(xs) : TIME_NONE);
    witness_serves(&sx->read);
    sx->target = ex->request.target;
    sx->read.content = ex->request.content;
    sx->key = attempts_key(&ex->request, HASH_START);
    if (!sx->read.told) {
        witness_request(xs, EV_REQUEST, &ex->request, &sx->read, ex->stream, ex->nth, true, mark);
        ledger_int(xs->ledger, F_IDLE_BEFORE, sx->mx.idle_before);
        ledger_commit(xs->ledger);
    }
    witness_last_request(xs, &ex->request);
    if (strncmp(ex->request.target, "/mode/", 6) == 0)
        respond_obey_url(sx, &ex->request);
    if (mark[0]) {
        exchange_pin(sx);
        xs->calls->mark(xs, mark, true);
        if (!exchange_unpin(sx))
            return;
    }
    mode_exchange_headers(&sx->mx);
    if (!exchange_fire(sx, ON_HEADERS))
        return;
    if (declares_more_than(&ex->request, xs->config->body_limit))
        respond_too_large(sx);
    else if (sx->mx.instead)
        respond_continue(sx);
}

/* Fires the rules of the places in its content that were passed since it had so much of it. */
static void pass_places(struct session_exchange *sx, uint64_t had)
{
    struct exchanges *xs = sx->xs;
    int64_t place = (int64_t)had;
    while (sx->reached == REACHED_HEADERS && exchange_serving(xs)) {
        place = mode_next_place(xs->mode, &sx->mx, ON_REQUEST_CONTENT, place);
        if (place < 0 || (uint64_t)place > sx->body_bytes)
            return;
        exchange_pin(sx);
        mode_fire_at(xs->mode, ON_REQUEST_CONTENT, &sx->mx, (uint64_t)place);
        if (!exchange_unpin(sx))
            return;
        if (sx->mx.instead)
            respond_continue(sx);
    }
}

static void body(void *host, struct exchange *ex, const void *bytes, size_t n)
{
    struct exchanges *xs = host;
    struct session_exchange *sx = ex->data;
    if (!sx || sx->reached > REACHED_HEADERS || is_closed(xs))
        return;
    sx->body_bytes += n;
    xs->calls->heard(xs, sx, exchange_now(xs));
    sx->digest = hash_more(sx->digest, bytes, n);
    if (sx->body_bytes > xs->config->body_limit)
        respond_too_large(sx);
    else if (mode_has(xs->mode->program, ON_REQUEST_CONTENT))
        pass_places(sx, sx->body_bytes - n);
}

static void complete(void *host, struct exchange *ex)
{
    struct exchanges *xs = host;
    struct session_exchange *sx = ex->data;
    if (!sx || sx->reached > REACHED_HEADERS || is_closed(xs))
        return;
    struct reading *r = &sx->read;
    bool counted = r->attempt != 0;
    sx->reached = REACHED_COMPLETE;
    sx->mx.content = sx->body_bytes;
    mode_exchange_late(&sx->mx, ON_LATE_BODY, TIME_NONE);
    if (sx->body_bytes > 0) {
        struct request as_sent = ex->request;
        as_sent.target = sx->target;
        sx->key = attempts_key(&as_sent, sx->digest);
    }
    if (!r->attempt)
        r->attempt = attempts_begin(xs->attempts, sx->key.hash);
    if ((sx->from_hole || (xs->reading && xs->from_hole)) && !counted)
        witness_came_late(xs, sx, ex);
    if (!r->complete_told) {
        ledger_begin_at(xs->ledger, exchange_now(xs), EV_REQUEST_COMPLETE, xs->id, ex->nth);
        ledger_int(xs->ledger, F_BODY_BYTES, (int64_t)sx->body_bytes);
        ledger_int(xs->ledger, F_ATTEMPT, r->attempt);
        ledger_hash(xs->ledger, F_DIGEST, sx->digest);
        ledger_commit(xs->ledger);
    }
    if (exchange_fire(sx, ON_COMPLETE))
        respond_continue(sx);
}

/* --- The end of an exchange */

static void settled(struct session_exchange *sx, int64_t now)
{
    struct exchanges *xs = sx->xs;
    bool ended_before = sx->end_told; /* the connection was, by a fault */
    link_remove(&sx->link);
    if (!ended_before) {
        tell_end(sx, now);
        places_tell_missed(sx);
        mode_fire(xs->mode, ON_RESPONSE_END, &sx->mx);
    }
    free_exchange(sx);
    exchange_idle(xs, now);
}

void exchange_settle(struct exchanges *xs)
{
    int64_t now = 0; /* read once: what the kernel took together, it took at one time */
    while (!link_empty(&xs->leaving)) {
        struct session_exchange *sx = link_entry(xs->leaving.next, struct session_exchange, link);
        if (!is_handed(sx))
            return;
        if (!now)
            now = clock_now();
        settled(sx, now);
    }
}

static void responded(void *host, struct exchange *ex)
{
    struct exchanges *xs = host;
    struct session_exchange *sx = ex->data;
    if (!sx)
        return;
    places_end(sx);
    if (xs->unsaid) /* one after the other, or together: nothing of this one came later */
        exchange_tell_lost_one(sx, LOST_BY_FAULT, "the connection's end was said before");
    leave(sx, wire_queued(xs->wire), wire_end_offset(xs->wire));
    exchange_settle(xs);
}

static void lost(void *host, struct exchange *ex, const char *why)
{
    struct exchanges *xs = host;
    struct session_exchange *sx = ex->data;
    if (!sx)
        return;
    enum ledger_lost_by by = ex->lost_by;
    if (by == LOST_BY_CLIENT_FIN && xs->peer_goaway)
        by = LOST_BY_CLIENT_GOAWAY;
    sx->copy.nth = ex->nth;
    sx->copy.window_shut = ex->window_shut;
    sx->mx.ex = &sx->copy;
    ex->data = NULL;
    exchange_tell_lost_one(sx, by ? by : LOST_BY_SERVER, why);
    free_exchange(sx);
    exchange_idle(xs, clock_now());
}

static void output(void *host, const void *bytes, size_t n)
{
    struct exchanges *xs = host;
    xs->unsaid |= wire_state(xs->wire) == WIRE_OPEN && !wire_can_send(xs->wire);
    wire_send(xs->wire, bytes, n);
    if (xs->stops > 0)
        places_look(xs); /* it may have taken along what was queued before */
}

static size_t room(void *host)
{
    struct exchanges *xs = host;
    return wire_room(xs->wire);
}

static void has_room(void *host)
{
    struct exchanges *xs = host;
    wire_resume_reading(xs->wire);
}

static void finished(void *host)
{
    struct exchanges *xs = host;
    xs->finished = true;
    wire_close(xs->wire, xs->client_leaves ? BY_CLIENT : BY_SERVER);
}

const struct engine_host exchange_engine_host = {
    .begin = begin,
    .headers = headers,
    .body = body,
    .complete = complete,
    .responded = responded,
    .lost = lost,
    .stopped = places_stopped,
    .output = output,
    .said = acks_said,
    .room = room,
    .stale_request = witness_stale_request,
    .stale_body = witness_stale_body,
    .stale_complete = witness_stale_complete,
    .frame = witness_frame,
    .protocol_error = witness_protocol_error,
    .limit = witness_limit,
    .has_room = has_room,
    .finished = finished,
};
