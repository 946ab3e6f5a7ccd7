/* closing.c - what comes behind a FIN of ours, be it that of an orderly end or of the fault "fin".
 *
 * When a program has closed its socket, the kernel answers without it: data draws a RST, a
 * keep-alive probe is still ACKed, and tcp_fin_timeout after the FIN nothing is left that could
 * answer. We keep the socket for that time instead, to see what the client does, and answer as the
 * kernel would have: wire.c resets, this file ends it when the time is over, with nothing said.
 *
 * Where the kernel is to do it itself ("exact", or at the end of the process), the socket is closed
 * behind the FIN, and nothing of what comes is read.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/duration.h"
#include "wire/wire_impl.h"

#define LINGER2_MAX 120 /* s; tcp(7): the kernel takes no more */
#define LOOK_AGAIN  NS_PER_MS

void wire_closing(struct wire *w, const struct wire_closing *closing)
{
    if (!wire_behind_fin(w))
        w->closing = *closing;
}

/* --- The orderly end */

void wire_begin_ending(struct wire *w)
{
    w->state = WIRE_ENDING;
    if (!w->end_by)
        w->end_by = BY_SERVER;
    timer_at(&w->limit, clock_now() + LIMIT_FLUSH);
    if (!w->corked) { /* what the client says in the same reading may be that it ends */
        wire_say_last(w);
        wire_flush_in_verb(w);
    }
    wire_tell_state(w);
}

void wire_say_last(struct wire *w)
{
    bool client_first = w->peer_fin || w->peer_notified || w->peer_closed_told;
    if (w->last_said)
        return;
    w->last_said = true;
    if (client_first)
        w->end_by = BY_CLIENT;
    if (!client_first || !w->closing.fin_alone)
        wire_tls_notify(w);
}

void wire_close(struct wire *w, enum ledger_by by)
{
    if (!wire_serving(w))
        return;
    w->end_by = by;
    wire_begin_ending(w);
}

void wire_ending_drained(struct wire *w)
{
    if (w->last_said)
        wire_send_fin(w);
}

void wire_ending_limit(struct wire *w)
{
    if (wire_behind_fin(w))
        wire_fin_wait_over(w);
    else if (wire_shape_waits(w)) /* it is our pace that is slow, not the client */
        timer_at(&w->limit, clock_now() + LIMIT_FLUSH);
    else
        wire_end(w, WIRE_LAST_CLOSE, w->end_by, HOW_AS_SEEN);
}

/* --- Behind the FIN */

/* How long after the FIN what comes is discarded. */
static int64_t linger_of(const struct wire *w)
{
    return w->state == WIRE_ENDING ? w->closing.linger : w->linger;
}

bool wire_lingers(const struct wire *w)
{
    return wire_behind_fin(w) && clock_now() - w->drained_at < linger_of(w);
}

/* How long after the FIN we keep the socket. */
static int64_t stays(const struct wire *w)
{
    int64_t ns = linger_of(w);
    if (!w->to_kernel && ns < w->closing.fin_wait)
        ns = w->closing.fin_wait;
    return ns < LIMIT_WATCHED ? ns : LIMIT_WATCHED;
}

/* Closes the socket behind its FIN: the kernel answers what comes, for what is left of fin_wait. */
static void leave_to_kernel(struct wire *w)
{
    int64_t wait = w->closing.fin_wait; /* perhaps "never" */
    int s = LINGER2_MAX;
    if (wait < LINGER2_MAX * NS_PER_S) {
        int64_t left = w->drained_at + wait - clock_now();
        s = left > NS_PER_S ? (int)((left + NS_PER_S - 1) / NS_PER_S) : 1;
    }
    setsockopt(w->fd, IPPROTO_TCP, TCP_LINGER2, &s, sizeof s);
    wire_end(w, WIRE_LAST_CLOSE, wire_ended_by(w), HOW_AS_SEEN);
}

/* Nothing is known of the connection any more. */
static void gone(struct wire *w)
{
    w->end_why = "the client did not close within fin_wait";
    wire_end(w, WIRE_LAST_GONE, wire_ended_by(w), HOW_AS_SEEN);
}

void wire_fin_wait_over(struct wire *w)
{
    if (wire_unread(w) > 0) /* it came in time: the loop has yet to read it */
        timer_at(&w->limit, clock_now() + LOOK_AGAIN);
    else if (w->to_kernel || wire_tcp_state(w) != TCP_FIN_WAIT2)
        leave_to_kernel(w); /* which keeps sending a FIN that is not ACKed */
    else
        gone(w);
}

void wire_look_behind_fin(struct wire *w)
{
    if (w->to_kernel && !w->corked && wire_early_left(w) == 0 && !wire_lingers(w))
        leave_to_kernel(w);
}

void wire_send_fin(struct wire *w)
{
    w->effect = WIRE_IN_EFFECT;
    wire_mark_before(w); /* once the FIN is out, a client may know of it */
    shutdown(w->fd, SHUT_WR);
    w->drained_at = clock_now();
    if (w->state == WIRE_FIN_SENT)
        wire_verb_in_effect(w, NULL);
    if (w->peer_fin) {
        wire_end(w, WIRE_LAST_CLOSE, wire_ended_by(w), HOW_FIN);
        return;
    }
    timer_at(&w->limit, w->drained_at + stays(w));
    wire_watch_fin(w);
    wire_look_behind_fin(w);
}

void wire_hurry(struct wire *w)
{
    w->to_kernel = true;
    if (wire_behind_fin(w))
        timer_at(&w->limit, w->drained_at + stays(w));
}
