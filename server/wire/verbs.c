/* verbs.c - the faults. Each verb is one state of the wire (the table in wire.h) and what leads
 * into it: first what was queued before leaves, then the socket goes quiet in the way the verb
 * says.
 *
 * The black hole takes one more care. The filter drops the client's ACKs too, so it may be attached
 * only when nothing of ours is waiting for one: else our kernel would go on retransmitting, which
 * is not silence.
 */
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "wire/caps.h"
#include "wire/wire_impl.h"

#define DRAIN_LOOK (NS_PER_MS)
#define DRAIN_MAX  (3 * NS_PER_S)

static bool serving(const struct wire *w)
{
    return w->state == WIRE_HANDSHAKE || w->state == WIRE_OPEN;
}

static void enter(struct wire *w, enum wire_state state)
{
    w->state = state;
    w->fault_since = clock_now();
    w->stale_waiting = false;
    moment_at(&w->limit, w->fault_since + WIRE_WATCH_MAX);
}

/* The next segment should draw our RST, not first an ACK: lets the kernel put ACKs off. */
static void delay_acks(struct wire *w)
{
    int off = 0;
    setsockopt(w->fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
}

/* What TLS wanted to say in a stall (an answer to a KeyUpdate) is never said when the stall becomes
 * another fault. */
static void drop_unsaid(struct wire *w)
{
    if (w->muted)
        buf_consume(&w->out, buf_len(&w->out));
    w->muted = false;
}

/* --- fin, rst, forget, close_notify */

int wire_fin(struct wire *w, bool notify)
{
    if (!serving(w) && w->state != WIRE_STALLED)
        return WIRE_TOO_LATE;
    drop_unsaid(w);
    if (notify)
        wire_tls_notify(w);
    enter(w, WIRE_FINNED);
    wire_flush(w);
    return 0;
}

int wire_rst(struct wire *w)
{
    if (w->state == WIRE_CLOSED)
        return WIRE_TOO_LATE;
    wire_end(w, WIRE_LAST_RST, "fault", NULL);
    return 0;
}

int wire_forget(struct wire *w, bool exact)
{
    if (!serving(w) && w->state != WIRE_STALLED)
        return WIRE_TOO_LATE;
    if (exact && !caps_have(CAP_REPAIR))
        return -EPERM;
    drop_unsaid(w);
    enter(w, WIRE_FORGOTTEN);
    w->exact = exact;
    delay_acks(w);
    wire_flush(w);
    return 0;
}

int wire_close_notify(struct wire *w)
{
    if (!w->tls || w->state != WIRE_OPEN || w->notified)
        return WIRE_TOO_LATE;
    wire_tls_notify(w);
    wire_flush(w);
    return 0;
}

/* --- stall */

int wire_stall(struct wire *w)
{
    if (!serving(w))
        return WIRE_TOO_LATE;
    enter(w, WIRE_STALLED);
    w->stalled_bytes = 0;
    moment_cancel(&w->limit);
    wire_flush(w);
    return 0;
}

/* Back into service; what came meanwhile is looked at in the next turn of the loop. */
static void serve_again(struct wire *w)
{
    w->state = w->established ? WIRE_OPEN : WIRE_HANDSHAKE;
    w->muted = w->hup_seen = false;
    moment_at(&w->limit, clock_now());
    wire_flush(w);
}

int wire_resume(struct wire *w)
{
    if (w->state != WIRE_STALLED)
        return WIRE_TOO_LATE;
    serve_again(w);
    return 0;
}

/* --- black hole */

static int attach_filter(struct wire *w)
{
    struct sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = { .len = 1, .filter = &drop_all };
    if (setsockopt(w->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
        return -errno;
    w->hole_in_effect = true;
    return 0;
}

static void hole_begins(struct wire *w)
{
    moment_at(&w->limit, w->fault_since + WIRE_WATCH_MAX);
    wire_watch_hole(w);
}

/* Looks whether the kernel can forget the connection: only when nothing of ours is on its way. */
static void forget_look(struct wire *w)
{
    int64_t now = clock_now();
    if (wire_unacked(w) > 0 && now - w->fault_since < DRAIN_MAX)
        moment_at(&w->limit, now + DRAIN_LOOK);
    else
        wire_end(w, WIRE_LAST_QUIET, "fault", NULL);
}

/* Looks whether the hole can begin now that the client has ACKed all we sent. */
static void drain_look(struct wire *w)
{
    int unacked = wire_unacked(w);
    int64_t now = clock_now();
    char why[96];
    if (unacked > 0 && now - w->fault_since < DRAIN_MAX) {
        moment_at(&w->limit, now + DRAIN_LOOK);
        return;
    }
    int error = attach_filter(w);
    if (error)
        snprintf(why, sizeof why, "the kernel refused it: errno %d", -error);
    else if (unacked > 0)
        snprintf(why, sizeof why,
                 "in effect, but %d bytes of ours are not ACKed and will be retransmitted",
                 unacked);
    else
        snprintf(why, sizeof why, "in effect: all we sent is ACKed");
    ledger_begin(w->ledger, EV_FAULT_DONE, w->id, 0);
    ledger_text(w->ledger, F_STEP, "black_hole");
    ledger_text(w->ledger, F_WHY, why);
    ledger_int(w->ledger, F_AFTER_FAULT, now - w->fault_since);
    ledger_commit(w->ledger);
    if (error)
        wire_end(w, WIRE_LAST_RST, "server", strerror(-error));
    else
        hole_begins(w);
}

int wire_black_hole(struct wire *w)
{
    if (!serving(w) && w->state != WIRE_STALLED)
        return WIRE_TOO_LATE;
    if (!caps_have(CAP_BLACK_HOLE))
        return -EPERM;
    w->hole_used_at = MOMENT_NONE;
    if (buf_len(&w->out) == 0 && wire_unacked(w) == 0) {
        int error = attach_filter(w);
        if (error)
            return error;
        enter(w, WIRE_HOLED);
        w->muted = true;
        hole_begins(w);
        wire_poll(w);
        return 0;
    }
    enter(w, WIRE_HOLED);
    w->muted = false;
    wire_flush(w); /* goes on in wire_verb_drained */
    return 0;
}

int wire_heal(struct wire *w)
{
    int off = 0;
    if (w->state != WIRE_HOLED)
        return WIRE_TOO_LATE;
    if (w->hole_in_effect) {
        wire_watch_hole_end(w);
        if (setsockopt(w->fd, SOL_SOCKET, SO_DETACH_FILTER, &off, sizeof off) < 0)
            return -errno;
        w->hole_in_effect = false;
    }
    serve_again(w);
    return 0;
}

/* --- Moments on the way */

void wire_verb_drained(struct wire *w)
{
    switch (w->state) {
    case WIRE_FINNED:
        w->shut = true;
        shutdown(w->fd, SHUT_WR);
        delay_acks(w);
        if (w->peer_fin)
            wire_end(w, WIRE_LAST_CLOSE, "fault", "fin");
        else
            wire_watch_fin(w);
        break;
    case WIRE_FORGOTTEN:
        w->muted = true;
        if (w->exact)
            forget_look(w);
        break;
    case WIRE_STALLED:
        w->muted = true;
        break;
    case WIRE_HOLED:
        w->muted = true;
        drain_look(w);
        break;
    default:
        break;
    }
}

void wire_verb_limit(struct wire *w)
{
    switch (w->state) {
    case WIRE_FINNED:
        wire_end(w, WIRE_LAST_CLOSE, "fault", "fin");
        break;
    case WIRE_FORGOTTEN: /* the kernel can keep the promise without us, if it lets us go quietly */
        if (w->exact)
            forget_look(w);
        else if (caps_have(CAP_REPAIR))
            wire_end(w, WIRE_LAST_QUIET, "fault", NULL);
        break;
    case WIRE_STALLED:
        wire_end(w, WIRE_LAST_CLOSE, "client", "fin");
        break;
    case WIRE_HOLED:
        if (w->hole_in_effect)
            wire_end(w, WIRE_LAST_QUIET, "fault", NULL);
        else
            drain_look(w);
        break;
    default:
        break;
    }
}
