/* witness.c - requests as the ledger shows them, what the client did to a dead connection, and
 * other news of it.
 */
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "engine/h2_error.h"
#include "run/run_impl.h"

void witness_request(struct session *s, const struct request *request, int32_t stream,
                     const struct attempt_key *key)
{
    struct ledger *l = s->run->ledger;
    const struct header *connection = request_header(request, "connection");
    static char names[LEDGER_LIST_SIZE];
    size_t len = 0;
    for (size_t i = 0; i < request->header_count; i++)
        len = ledger_item(names, sizeof names, len, request->headers[i].name,
                          request->headers[i].name_len);
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

void witness_last_request(struct session *s, const struct request *request)
{
    const struct header *options = request_header(request, "connection");
    if (!options)
        return;
    const char *at = options->value, *end = at + options->value_len;
    while (at < end) { /* a list, RFC 9110 5.6.1 */
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        while (at < stop && (*at == ' ' || *at == '\t'))
            at++;
        const char *last = stop;
        while (last > at && (last[-1] == ' ' || last[-1] == '\t'))
            last--;
        if (last - at == 5 && strncasecmp(at, "close", 5) == 0)
            s->client_leaves = true;
        at = stop + 1;
    }
}

/* It was sent into the hole when it came soon after the healing: within the time in which the
 * client's kernel has sent again what it sent in vain. */
void witness_came_late(struct session *s, const struct session_exchange *sx,
                       const struct exchange *ex)
{
    bool late = clock_now() > s->from_hole_until;
    s->from_hole_until = 0;
    if (late)
        return;
    ledger_begin(s->run->ledger, EV_STALE_REQUEST, s->id, ex->nth);
    witness_request(s, &ex->request, ex->stream, &sx->key);
    ledger_text(s->run->ledger, F_SENT_INTO, wire_state_name(WIRE_HOLED));
    ledger_int(s->run->ledger, F_AFTER_FAULT, wire_hole_used(s->wire) - wire_fault_since(s->wire));
    ledger_int(s->run->ledger, F_ATTEMPT, sx->attempt);
    ledger_int(s->run->ledger, F_COMPLETE, true);
    ledger_commit(s->run->ledger);
}

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

void witness_stale_request(void *host, const struct request *request, int32_t stream, bool whole)
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
        witness_request(s, request, stream, &key);
        if (sx)
            ledger_int(l, F_IDLE_BEFORE, sx->mx.idle_before);
        ledger_int(l, F_ATTEMPT, attempt);
        ledger_int(l, F_COMPLETE, whole);
        ledger_commit(l);
        return;
    }
    int64_t since = state == WIRE_OPEN ? s->mode.goaway_at : wire_fault_since(s->wire);
    ledger_begin(l, EV_STALE_REQUEST, s->id, sx ? sx->copy.nth : 0);
    witness_request(s, request, stream, &key);
    ledger_text(l, F_SENT_INTO, state == WIRE_OPEN ? "goaway" : wire_state_name(state));
    if (since != MOMENT_NONE)
        ledger_int(l, F_AFTER_FAULT, clock_now() - since);
    if (state == WIRE_FINNED)
        ledger_text(l, F_FIN_ACKED_BEFORE, wire_fin_acked_name(wire_fin_acked(s->wire)));
    ledger_int(l, F_ATTEMPT, attempt);
    ledger_int(l, F_COMPLETE, whole);
    ledger_commit(l);
}

void witness_frame(void *host, const struct engine_frame_info *info)
{
    static const enum ledger_event events[] = {
        [FRAME_SETTINGS] = EV_PEER_SETTINGS,     [FRAME_PING] = EV_PEER_PING,
        [FRAME_PING_ACK] = EV_PEER_PING_ACK,     [FRAME_GOAWAY] = EV_PEER_GOAWAY,
        [FRAME_RST_STREAM] = EV_PEER_RST_STREAM,
    };
    struct session *s = host;
    struct ledger *l = s->run->ledger;
    if (wire_state(s->wire) == WIRE_CLOSED)
        return;
    if (info->kind == FRAME_GOAWAY)
        s->client_leaves = true;
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

void witness_protocol_error(void *host, const char *what)
{
    struct session *s = host;
    if (wire_state(s->wire) == WIRE_CLOSED)
        return;
    s->client_leaves = false; /* whatever it said before: the connection ends because of this */
    ledger_begin(s->run->ledger, EV_PROTOCOL_ERROR, s->id, 0);
    ledger_text(s->run->ledger, F_WHY, what);
    ledger_commit(s->run->ledger);
}
