/* end.c - the end of a wire: who ends it, what its client sees of that, and what is ledgered.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/wire_impl.h"

static void poll_closed(uv_handle_t *handle)
{
    struct wire *w = handle->data;
    w->calls->closed(w->owner);
    if (w->tls)
        gnutls_deinit(w->tls);
    wire_shape_destroy(w);
    buf_free(&w->out);
    buf_free(&w->early);
    buf_free(&w->held);
    free(w->sni);
    free(w);
}

void wire_add_fields(const struct wire *w, enum ledger_event event)
{
    if (w->calls->add_fields)
        w->calls->add_fields(w->owner, event);
}

/* Prepares the socket for its close, and says what the close will look like to the client. */
static enum ledger_how last_words(struct wire *w, enum wire_last last)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };
    int on = 1;
    if (wire_tcp_state(w) == TCP_CLOSE)
        return HOW_NOTHING; /* both sides had ended it, or a reset did */
    if (last == WIRE_LAST_GONE) {
        int soon = 1; /* s: the kernel keeps no finer time, and 0 is its default */
        if (setsockopt(w->fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) != 0)
            setsockopt(w->fd, IPPROTO_TCP, TCP_LINGER2, &soon, sizeof soon);
        return HOW_FIN;
    }
    if (last == WIRE_LAST_QUIET && setsockopt(w->fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) == 0)
        return HOW_SILENCE;
    if (last != WIRE_LAST_CLOSE) { /* without the capability to be silent a RST says the least */
        setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        return HOW_RST;
    }
    if (wire_unread(w) > 0)
        return HOW_RST; /* the kernel's way of closing with bytes unread */
    return HOW_FIN;
}

void wire_end(struct wire *w, enum wire_last last, enum ledger_by by, enum ledger_how how)
{
    if (w->state == WIRE_CLOSED)
        return;
    wire_leave(w);
    w->calls->ending(w->owner, by);
    wire_verb_unfinished(w, by);
    const char *why = wire_tls_left(w, by);
    enum ledger_how seen = last_words(w, last);
    ledger_begin(w->ledger, EV_CONNECTION_END, w->id, 0);
    ledger_word(w->ledger, F_BY, by);
    ledger_word(w->ledger, F_HOW, how != HOW_AS_SEEN ? how : seen);
    if (w->fault && (by == BY_FAULT || wire_in_fault(w)))
        ledger_int(w->ledger, F_FAULT, (int64_t)w->fault);
    ledger_text(w->ledger, F_WHY, why ? why : w->end_why);
    if (w->tls && !w->established)
        ledger_word(w->ledger, F_IN, ENDED_IN_HANDSHAKE);
    wire_add_fields(w, EV_CONNECTION_END);
    ledger_int(w->ledger, F_BYTES_IN, (int64_t)w->bytes_in);
    ledger_int(w->ledger, F_BYTES_OUT, (int64_t)w->bytes_out);
    ledger_int(w->ledger, F_LIFETIME, clock_now() - w->opened_at);
    if (w->peer_fin)
        ledger_int(w->ledger, F_AFTER_PEER_FIN, clock_now() - w->peer_fin_at);
    ledger_commit(w->ledger);
    timer_cancel(&w->limit);
    timer_cancel(&w->sample);
    timer_cancel(&w->notify_timer);
    timer_cancel(&w->ack_timer);
    if (w->shape)
        wire_shape_stop(w);
    w->state = WIRE_CLOSED;
    uv_poll_stop(&w->poll);
    close(w->fd);
    w->fd = -1;
    uv_close((uv_handle_t *)&w->poll, poll_closed);
    wire_tell_state(w);
}

void wire_ledger_fault(struct wire *w)
{
    if (w->fault && wire_in_fault(w))
        ledger_int(w->ledger, F_FAULT, (int64_t)w->fault);
}

void wire_end_error(struct wire *w, enum wire_last last, enum ledger_by by, int error)
{
    if (error != ENOMEM)
        w->end_why = strerror(error);
    wire_end(w, last, by, error == ENOMEM ? HOW_NO_MEMORY : HOW_ERROR);
}

void wire_ledger_behind(const struct wire *w)
{
    bool sent_before = w->corked && !w->late; /* what is being read */
    if (w->stayed && wire_in_fault(w) && !sent_before)
        ledger_int(w->ledger, F_BEHIND_FAULT, 1);
}

bool wire_peer_rst(const struct wire *w)
{
    return w->peer_rst;
}

void wire_abort(struct wire *w, enum ledger_by by, enum ledger_how how)
{
    wire_end(w, wire_row(w)->ends, by, how);
}

/* Is the RST of a client that had sent its FIN just the answer to a probe of ours? It is if we have
 * said nothing else since. */
static bool answers_probe(const struct wire *w)
{
    return w->probing && w->peer_fin && w->bytes_out == w->probing_out &&
           clock_now() - w->probing_since >= LIMIT_PROBE;
}

void wire_say_why(struct wire *w, const char *why)
{
    w->end_why = why;
}

void wire_give_up(struct wire *w, const char *why)
{
    const struct wire_state_row *row = wire_row(w);
    w->end_why = why;
    wire_end(w, row->silent ? WIRE_LAST_QUIET : row->ends,
             w->state == WIRE_ENDING ? w->end_by : BY_SERVER, HOW_AS_SEEN);
}

/* The client's RST. Behind our FIN it does not end what we had ended. */
static void end_by_rst(struct wire *w, bool left)
{
    enum ledger_by by = wire_behind_fin(w) ? wire_ended_by(w) : BY_CLIENT;
    wire_end(w, WIRE_LAST_CLOSE, by, left || by != BY_CLIENT ? HOW_FIN : HOW_RST);
}

/* Its kernel, or the way to it, is gone: the same. */
static enum ledger_by by_network(const struct wire *w)
{
    return wire_behind_fin(w) ? wire_ended_by(w) : BY_NETWORK;
}

void wire_socket_error(struct wire *w, int error)
{
    if (error == ECONNRESET || error == EPIPE) {
        bool left = answers_probe(w);
        wire_verb_undone(w, "not done: the client reset the connection before");
        ledger_begin(w->ledger, EV_PEER_RST, w->id, 0);
        if (left)
            ledger_text(w->ledger, F_WHY, "its kernel's answer to a keep-alive probe");
        wire_add_fields(w, EV_PEER_RST);
        ledger_commit(w->ledger);
        if (left)
            w->end_why = "it had closed, as a keep-alive probe has shown";
        w->peer_rst = !left;
        end_by_rst(w, left);
    } else if (error == ETIMEDOUT) {
        wire_end(w, WIRE_LAST_CLOSE, by_network(w),
                 wire_unacked(w) > 0 ? HOW_UNACKED : HOW_UNPROBED);
    } else {
        wire_end_error(w, WIRE_LAST_CLOSE, by_network(w), error);
    }
}

/* The client's kernel forgets its half of a closed connection within 60 s; then ours is free to go.
 */
void wire_end_later(struct wire *w)
{
    timer_at(&w->limit, clock_now() + LIMIT_PEER_GONE);
}
