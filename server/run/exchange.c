/* exchange.c - one request and its response, from the first byte read to the last byte handed to
 * the kernel, as the engine tells it. Ledgers each stage, fires the mode's rules there, and answers
 * when the request is whole and nothing holds it.
 *
 * An exchange is in session->exchanges until the engine has put out its last byte, then in
 * session->leaving until the wire has handed that byte to the kernel.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/log.h"
#include "endpoint/endpoint.h"
#include "engine/h2_error.h"
#include "run/run_impl.h"

#define POOL_MAX 256

static const char *const reached_names[] = {
    [REACHED_BEGUN] = "begun",
    [REACHED_HEADERS] = "headers",
    [REACHED_COMPLETE] = "complete",
    [REACHED_ANSWERING] = "answering",
};

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
    free(sx->problem_text);
    if (pooled < POOL_MAX) {
        link_append(&pool, &sx->link);
        pooled++;
    } else {
        free(sx);
    }
}

/* It is over; its memory goes, when nobody up the stack looks at it any more. */
static void free_exchange(struct session_exchange *sx)
{
    mode_exchange_over(&sx->mx);
    link_remove(&sx->link);
    sx->session->open--;
    sx->over = true;
    if (sx->pins == 0)
        recycle(sx);
}

/* Fires the rules of a slot; a step of theirs may end this very exchange. Returns whether it goes
 * on; if not, it is gone. */
static bool fire(struct session_exchange *sx, enum trigger_slot slot)
{
    sx->pins++;
    mode_fire(&sx->session->mode, slot, &sx->mx);
    sx->pins--;
    if (!sx->over)
        return true;
    if (sx->pins == 0)
        recycle(sx);
    return false;
}

static bool is_closed(const struct session *s)
{
    return wire_state(s->wire) == WIRE_CLOSED;
}

/* --- Ledger */

static void tell_lost(struct session_exchange *sx, const char *why)
{
    struct session *s = sx->session;
    if (sx->lost_told)
        return;
    sx->lost_told = true;
    if (sx->reached == REACHED_HEADERS && !sx->attempt)
        sx->attempt = attempts_begin(s->run->attempts, sx->key.hash);
    ledger_begin(s->run->ledger, EV_EXCHANGE_LOST, s->id, sx->copy.nth);
    ledger_text(s->run->ledger, F_REACHED, reached_names[sx->reached]);
    if (sx->attempt)
        ledger_int(s->run->ledger, F_ATTEMPT, sx->attempt);
    ledger_text(s->run->ledger, F_WHY, why);
    ledger_commit(s->run->ledger);
}

void exchange_tell_lost(struct session *s, const char *why, bool leaving)
{
    struct link *i;
    for (i = s->exchanges.next; i != &s->exchanges; i = i->next)
        tell_lost(link_entry(i, struct session_exchange, link), why);
    for (i = s->leaving.next; leaving && i != &s->leaving; i = i->next)
        tell_lost(link_entry(i, struct session_exchange, link), why);
}

void exchange_drop_all(struct session *s)
{
    struct link *const lists[] = { &s->exchanges, &s->leaving };
    for (unsigned k = 0; k < 2; k++) {
        while (!link_empty(lists[k])) {
            struct session_exchange *sx = link_entry(lists[k]->next, struct session_exchange, link);
            tell_lost(sx, "the connection ended");
            free_exchange(sx);
        }
    }
}

/* The fields that a request and a stale request share. */
static void ledger_request(struct session *s, const struct request *request, int32_t stream,
                           const struct attempt_key *key)
{
    struct ledger *l = s->run->ledger;
    const struct header *connection = request_header(request, "connection");
    static char names[8192]; /* more than the ledger takes, so that it is the one to cut */
    size_t len = 0;
    for (size_t i = 0; i < request->header_count && len + 1 < sizeof names; i++) {
        const struct header *h = &request->headers[i];
        if (len)
            names[len++] = '\n';
        size_t n = h->name_len < sizeof names - len ? h->name_len : sizeof names - len;
        memcpy(names + len, h->name, n);
        len += n;
    }
    if (stream)
        ledger_int(l, F_STREAM, stream);
    ledger_text(l, F_METHOD, request->method);
    ledger_text(l, F_TARGET, request->target);
    ledger_text(l, F_AUTHORITY, request->authority);
    if (key->key) {
        ledger_bytes(l, F_KEY, key->key->value, key->key->value_len);
        ledger_text(l, F_KEY_FROM, key->from);
    }
    if (connection)
        ledger_bytes(l, F_CONNECTION_HEADER, connection->value, connection->value_len);
    ledger_bytes(l, F_HEADERS, names, len);
}

/* --- The mode that a URL asks for: /mode/NAME;k=v/REST */

static void refuse_mode(struct session_exchange *sx, int error, const struct refusal *why)
{
    int size = 0;
    sx->problem = error == MODE_UNKNOWN ? 404 : error == MODE_UNAVAILABLE ? 409 : 400;
    if (error < 0)
        sx->problem = 503;
    else
        size = asprintf(&sx->problem_text, "%s: %s%s%s", why->where, why->what,
                        why->allowed[0] ? "; allowed: " : "", why->allowed);
    if (error < 0 || size < 0)
        sx->problem_text = NULL;
}

static void obey_url(struct session_exchange *sx, struct request *request)
{
    struct session *s = sx->session;
    const char *spec = request->target + strlen("/mode/");
    size_t len = strcspn(spec, "/?");
    struct mode_program *program;
    struct refusal why;
    const char *rest = spec[len] == '/' ? spec + len : "/";
    request->target = rest;
    bool same = strlen(s->mode_text) == len && memcmp(s->mode_text, spec, len) == 0;
    if (same && len > 0)
        return;
    int error = catalogue_compile_text(s->run->config.catalogue, spec, len,
                                       s->run->config.time_scale, &program, &why);
    if (error) {
        refuse_mode(sx, error, &why);
        return;
    }
    if (len < sizeof s->mode_text) {
        memcpy(s->mode_text, spec, len);
        s->mode_text[len] = '\0';
    }
    session_set_mode(s, program);
    mode_unref(program);
}

/* --- What the engine tells */

static void begin(void *host, struct exchange *ex)
{
    struct session *s = host;
    if (is_closed(s))
        return; /* pipelined behind the end: nothing is told of it */
    int64_t now = clock_now();
    struct session_exchange *sx = take_exchange();
    if (!sx) {
        wire_abort(s->wire, "server", "out of memory");
        return;
    }
    sx->session = s;
    sx->copy = *ex;
    sx->mx.conn = &s->mode;
    sx->mx.ex = ex;
    sx->digest = HASH_START;
    sx->idle_before = s->idle_since == MOMENT_NONE ? 0 : now - s->idle_since;
    ex->data = sx;
    link_append(&s->exchanges, &sx->link);
    s->begun++;
    s->open++;
    s->idle_since = MOMENT_NONE;
    mode_busy(&s->mode);
    fire(sx, ON_FIRST_BYTE);
}

static void answer_too_large(struct session_exchange *sx)
{
    sx->problem = 413;
    sx->reached = REACHED_COMPLETE; /* as far as it will get */
    exchange_try_answer(sx);
}

/* Whether its Content-Length (digits alone, as the engines have checked) is above the limit. */
static bool declares_more_than(const struct request *request, size_t limit)
{
    const struct header *length = request_header(request, "content-length");
    size_t value = 0;
    for (size_t i = 0; length && i < length->value_len && value <= limit; i++)
        value = value * 10 + (size_t)(length->value[i] - '0');
    return value > limit;
}

/* A request that was stale and held, and is served after all, has its number already. */
static uint32_t held_attempt(struct session *s)
{
    uint32_t attempt = 0;
    if (buf_len(&s->held_attempts) >= sizeof attempt) {
        memcpy(&attempt, buf_bytes(&s->held_attempts), sizeof attempt);
        buf_consume(&s->held_attempts, sizeof attempt);
    }
    return attempt;
}

static void headers(void *host, struct exchange *ex)
{
    struct session *s = host;
    struct session_exchange *sx = ex->data;
    if (!sx || is_closed(s))
        return;
    sx->reached = REACHED_HEADERS;
    if (!sx->request_told)
        sx->attempt = held_attempt(s);
    sx->target = ex->request.target;
    sx->key = attempts_key(&ex->request, HASH_START);
    if (!sx->request_told) {
        ledger_begin(s->run->ledger, EV_REQUEST, s->id, ex->nth);
        ledger_request(s, &ex->request, ex->stream, &sx->key);
        ledger_int(s->run->ledger, F_IDLE_BEFORE, sx->idle_before);
        ledger_commit(s->run->ledger);
    }
    if (strncmp(ex->request.target, "/mode/", 6) == 0)
        obey_url(sx, &ex->request);
    if (fire(sx, ON_HEADERS) && declares_more_than(&ex->request, s->run->config.body_limit))
        answer_too_large(sx);
}

static void body(void *host, struct exchange *ex, const void *bytes, size_t n)
{
    struct session *s = host;
    struct session_exchange *sx = ex->data;
    if (!sx || sx->reached > REACHED_HEADERS || is_closed(s))
        return;
    sx->body_bytes += n;
    sx->digest = hash_more(sx->digest, bytes, n);
    if (sx->body_bytes > s->run->config.body_limit)
        answer_too_large(sx);
}

/* A request that was sent into a black hole and came when the hole was healed: within the time in
 * which the client's kernel has sent again what it sent in vain. */
static void tell_came_late(struct session *s, const struct session_exchange *sx,
                           const struct exchange *ex)
{
    bool late = clock_now() > s->from_hole_until;
    s->from_hole_until = 0;
    if (late)
        return;
    ledger_begin(s->run->ledger, EV_STALE_REQUEST, s->id, ex->nth);
    ledger_request(s, &ex->request, ex->stream, &sx->key);
    ledger_text(s->run->ledger, F_SENT_INTO, wire_state_name(WIRE_HOLED));
    ledger_int(s->run->ledger, F_AFTER_FAULT, wire_hole_used(s->wire) - wire_fault_since(s->wire));
    ledger_int(s->run->ledger, F_ATTEMPT, sx->attempt);
    ledger_int(s->run->ledger, F_COMPLETE, true);
    ledger_commit(s->run->ledger);
}

static void complete(void *host, struct exchange *ex)
{
    struct session *s = host;
    struct session_exchange *sx = ex->data;
    if (!sx || sx->reached > REACHED_HEADERS || is_closed(s))
        return;
    bool counted = sx->attempt != 0;
    sx->reached = REACHED_COMPLETE;
    if (sx->body_bytes > 0) {
        struct request as_sent = ex->request;
        as_sent.target = sx->target;
        sx->key = attempts_key(&as_sent, sx->digest);
    }
    if (!sx->attempt)
        sx->attempt = attempts_begin(s->run->attempts, sx->key.hash);
    if (s->from_hole_until && !counted)
        tell_came_late(s, sx, ex);
    ledger_begin(s->run->ledger, EV_REQUEST_COMPLETE, s->id, ex->nth);
    ledger_int(s->run->ledger, F_BODY_BYTES, (int64_t)sx->body_bytes);
    ledger_int(s->run->ledger, F_ATTEMPT, sx->attempt);
    ledger_commit(s->run->ledger);
    if (fire(sx, ON_COMPLETE))
        exchange_try_answer(sx);
}

static bool may_answer(const struct session_exchange *sx)
{
    return sx->reached == REACHED_COMPLETE && sx->mx.gates == 0 && session_serving(sx->session) &&
           wire_can_send(sx->session->wire);
}

void exchange_try_answer(struct session_exchange *sx)
{
    struct session *s = sx->session;
    struct endpoint *endpoint = s->run->config.endpoint;
    struct exchange *ex = sx->mx.ex;
    struct response response = { 0 };
    if (!may_answer(sx))
        return;
    if (!sx->start_fired) {
        sx->start_fired = true;
        if (!fire(sx, ON_RESPONSE_START) || !may_answer(sx))
            return;
    }
    if (sx->problem) {
        endpoint_problem(endpoint, sx->problem,
                         sx->problem == 413 ? "The request body is larger than this server takes."
                         : sx->problem_text ? sx->problem_text
                                            : "The server is out of memory.",
                         &response);
    } else if (sx->mx.instead) {
        response = *sx->mx.instead;
    } else {
        const struct served served = { s->id, ex->nth, engine_protocol(s->engine), sx->attempt };
        endpoint_answer(endpoint, &ex->request, &served, &response);
    }
    sx->reached = REACHED_ANSWERING;
    sx->status = response.status;
    ledger_begin(s->run->ledger, EV_RESPONSE_START, s->id, ex->nth);
    ledger_int(s->run->ledger, F_STATUS, response.status);
    ledger_commit(s->run->ledger);
    int error = engine_respond(ex, &response);
    if (error < 0)
        log_warn("connection %llu: cannot answer: %s", (unsigned long long)s->id, strerror(-error));
}

void exchange_try_all(struct session *s)
{
    static uint32_t pass;
    struct link *i = s->exchanges.next;
    pass++;
    while (i != &s->exchanges) {
        struct session_exchange *sx = link_entry(i, struct session_exchange, link);
        if (sx->tried == pass) {
            i = i->next;
            continue;
        }
        sx->tried = pass;
        exchange_try_answer(sx); /* which may end any of them */
        i = s->exchanges.next;
    }
}

void exchange_let_go(struct session *s)
{
    for (struct link *i = s->exchanges.next; i != &s->exchanges; i = i->next) {
        struct session_exchange *sx = link_entry(i, struct session_exchange, link);
        sx->mx.gates = 0;
        sx->mx.instead = NULL;
    }
    exchange_try_all(s);
}

/* --- The end of an exchange */

static void settled(struct session_exchange *sx)
{
    struct session *s = sx->session;
    ledger_begin(s->run->ledger, EV_RESPONSE_END, s->id, sx->copy.nth);
    ledger_int(s->run->ledger, F_STATUS, sx->status);
    ledger_commit(s->run->ledger);
    if (sx->attempt)
        attempts_answered(s->run->attempts, sx->key.hash);
    link_remove(&sx->link);
    mode_fire(&s->mode, ON_RESPONSE_END, &sx->mx);
    free_exchange(sx);
    session_idle(s);
}

void exchange_settle(struct session *s)
{
    while (!link_empty(&s->leaving)) {
        struct session_exchange *sx = link_entry(s->leaving.next, struct session_exchange, link);
        if (wire_handed(s->wire) < sx->end_mark)
            return;
        settled(sx);
    }
}

static void responded(void *host, struct exchange *ex)
{
    struct session *s = host;
    struct session_exchange *sx = ex->data;
    if (!sx)
        return;
    sx->copy = *ex;
    sx->copy.request = (struct request){ "", "", "", NULL, 0 };
    sx->mx.ex = &sx->copy;
    sx->end_mark = wire_queued(s->wire);
    link_remove(&sx->link);
    link_append(&s->leaving, &sx->link);
    exchange_settle(s);
}

static void lost(void *host, struct exchange *ex, const char *why)
{
    struct session *s = host;
    struct session_exchange *sx = ex->data;
    if (!sx)
        return;
    sx->copy.nth = ex->nth;
    sx->mx.ex = &sx->copy;
    tell_lost(sx, why);
    free_exchange(sx);
    session_idle(s);
}

static void output(void *host, const void *bytes, size_t n)
{
    struct session *s = host;
    wire_send(s->wire, bytes, n);
}

static size_t room(void *host)
{
    struct session *s = host;
    return wire_room(s->wire);
}

/* --- What the client did to a dead connection, and other news of it */

/* The exchange that began, and whose header section is being told now; NULL: it is a request behind
 * it, which never began. */
static struct session_exchange *begun_exchange(struct session *s, int32_t stream)
{
    for (struct link *i = s->exchanges.next; i != &s->exchanges; i = i->next) {
        struct session_exchange *sx = link_entry(i, struct session_exchange, link);
        if (sx->reached == REACHED_BEGUN && sx->copy.stream == stream && !sx->request_told)
            return sx;
    }
    return NULL;
}

static void stale_request(void *host, const struct request *request, int32_t stream, bool whole)
{
    struct session *s = host;
    struct ledger *l = s->run->ledger;
    enum wire_state state = wire_state(s->wire);
    if (state == WIRE_CLOSED)
        return;
    const struct attempt_key key = attempts_key(request, HASH_START);
    uint32_t attempt = attempts_begin(s->run->attempts, key.hash);
    struct session_exchange *sx = begun_exchange(s, stream);
    if (sx)
        sx->attempt = attempt;
    else if ((s->silenced == WIRE_STALLED || s->silenced == WIRE_HOLED) &&
             buf_add(&s->held_attempts, &attempt, sizeof attempt) < 0)
        buf_free(&s->held_attempts); /* they will be counted once more, when they are served */
    if (s->silenced != WIRE_OPEN && !s->stale_seen) {
        /* It came with the bytes on which the fault fired: sent while all was well. */
        if (sx)
            sx->request_told = true;
        ledger_begin(l, EV_REQUEST, s->id, sx ? sx->copy.nth : 0);
        ledger_request(s, request, stream, &key);
        if (sx)
            ledger_int(l, F_IDLE_BEFORE, sx->idle_before);
        ledger_int(l, F_ATTEMPT, attempt);
        ledger_int(l, F_COMPLETE, whole);
        ledger_commit(l);
        return;
    }
    int64_t since = state == WIRE_OPEN ? s->mode.goaway_at : wire_fault_since(s->wire);
    ledger_begin(l, EV_STALE_REQUEST, s->id, sx ? sx->copy.nth : 0);
    ledger_request(s, request, stream, &key);
    ledger_text(l, F_SENT_INTO, state == WIRE_OPEN ? "goaway" : wire_state_name(state));
    if (since != MOMENT_NONE)
        ledger_int(l, F_AFTER_FAULT, clock_now() - since);
    if (state == WIRE_FINNED)
        ledger_text(l, F_FIN_ACKED_BEFORE, wire_fin_acked_name(wire_fin_acked(s->wire)));
    ledger_int(l, F_ATTEMPT, attempt);
    ledger_int(l, F_COMPLETE, whole);
    ledger_commit(l);
}

static void frame(void *host, const struct engine_frame_info *info)
{
    static const enum ledger_event events[] = {
        [FRAME_SETTINGS] = EV_PEER_SETTINGS,     [FRAME_PING] = EV_PEER_PING,
        [FRAME_PING_ACK] = EV_PEER_PING_ACK,     [FRAME_GOAWAY] = EV_PEER_GOAWAY,
        [FRAME_RST_STREAM] = EV_PEER_RST_STREAM,
    };
    struct session *s = host;
    struct ledger *l = s->run->ledger;
    if (is_closed(s))
        return;
    ledger_begin(l, events[info->kind], s->id, 0);
    if (info->kind == FRAME_RST_STREAM)
        ledger_int(l, F_STREAM, info->stream);
    if (info->kind == FRAME_GOAWAY)
        ledger_int(l, F_LAST_STREAM, info->stream);
    if (info->kind == FRAME_GOAWAY || info->kind == FRAME_RST_STREAM)
        ledger_text(l, F_ERROR, h2_error_name(info->error));
    if (info->text_len > 0)
        ledger_bytes(l,
                     info->kind == FRAME_GOAWAY     ? F_DEBUG_DATA
                     : info->kind == FRAME_SETTINGS ? F_SETTINGS
                                                    : F_OPAQUE,
                     info->text, info->text_len);
    ledger_commit(l);
}

static void protocol_error(void *host, const char *what)
{
    struct session *s = host;
    if (is_closed(s))
        return;
    ledger_begin(s->run->ledger, EV_PROTOCOL_ERROR, s->id, 0);
    ledger_text(s->run->ledger, F_WHY, what);
    ledger_commit(s->run->ledger);
}

static void finished(void *host)
{
    struct session *s = host;
    wire_close(s->wire);
}

const struct engine_host session_engine_host = {
    .begin = begin,
    .headers = headers,
    .body = body,
    .complete = complete,
    .responded = responded,
    .lost = lost,
    .output = output,
    .room = room,
    .stale_request = stale_request,
    .frame = frame,
    .protocol_error = protocol_error,
    .finished = finished,
};
