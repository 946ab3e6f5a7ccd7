/* watch.c - what the kernel knows about a connection that we ended or silenced.
 *
 * It tells by counters, not by events, so they are sampled: whether the client's kernel has ACKed
 * our FIN (TCP_INFO). An ACK counts as seen before the client's bytes only when nothing had come
 * when it was seen; anything else would blame a client for bytes that crossed our FIN.
 */
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "wire/wire_impl.h"

#define FIN_SAMPLE     (200 * NS_PER_US) /* at first, then a quarter of the FIN's age, up to: */
#define FIN_SAMPLE_MAX NS_PER_S

int wire_tcp_state(const struct wire *w)
{
    struct tcp_info info = { 0 };
    socklen_t len = sizeof info;
    if (getsockopt(w->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return -1;
    return info.tcpi_state;
}

int wire_unacked(const struct wire *w)
{
    int bytes = 0;
    return ioctl(w->fd, SIOCOUTQ, &bytes) < 0 ? -1 : bytes;
}

int wire_unread(const struct wire *w)
{
    int bytes = 0;
    return w->fd < 0 || ioctl(w->fd, FIONREAD, &bytes) < 0 ? 0 : bytes;
}

void wire_ledger_srtt(const struct wire *w)
{
    struct tcp_info info = { 0 };
    socklen_t len = sizeof info;
    if (w->fd >= 0 && getsockopt(w->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_rtt)
        ledger_int(w->ledger, F_SRTT, info.tcpi_rtt);
}

uint64_t wire_acked(const struct wire *w)
{
    int unacked = w->fd < 0 ? -1 : wire_unacked(w); /* our FIN counts as an octet */
    return unacked < 0 || (uint64_t)unacked > w->bytes_out ? 0 : w->bytes_out - (uint64_t)unacked;
}

/* --- Our FIN */

/* What the kernel says of our FIN. Once the connection is over (TCP_CLOSE) it does not tell whether
 * by a RST, and it may not say anything at all. */
static enum ledger_fin_acked fin_state(const struct wire *w)
{
    switch (wire_tcp_state(w)) {
    case TCP_FIN_WAIT1:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
        return FIN_CROSSED;
    case TCP_FIN_WAIT2:
    case TCP_TIME_WAIT:
        return FIN_ACKED;
    default:
        return FIN_UNCLEAR;
    }
}

static void fin_sample(struct timer *m, int64_t late)
{
    struct wire *w = link_entry(m, struct wire, sample);
    int64_t now = clock_now();
    switch (fin_state(w)) {
    case FIN_CROSSED: {
        w->fin_looked_at = now;
        int64_t pause = (now - w->drained_at) / 4;
        pause = pause < FIN_SAMPLE ? FIN_SAMPLE : pause > FIN_SAMPLE_MAX ? FIN_SAMPLE_MAX : pause;
        timer_at(m, now + pause);
        break;
    }
    case FIN_ACKED:
        if (wire_unread(w) > 0)
            break; /* bytes came too, perhaps before the ACK: it stays unclear */
        w->fin_acked_at = now;
        if (w->state != WIRE_FIN_SENT)
            break; /* the ACK of an orderly end's FIN is no news */
        ledger_begin(w->ledger, EV_FAULT_ACKED, w->id, 0);
        wire_ledger_fault(w);
        ledger_word(w->ledger, F_STEP, STEP_FIN);
        ledger_int(w->ledger, F_FROM, ledger_age(w->ledger, w->fin_looked_at));
        ledger_int(w->ledger, F_TO, ledger_age(w->ledger, now));
        ledger_int(w->ledger, F_AFTER_FAULT, now - w->drained_at);
        ledger_commit(w->ledger);
        break;
    default:
        break;
    }
}

void wire_watch_fin(struct wire *w)
{
    w->sample.reached = fin_sample;
    w->fin_looked_at = clock_now();
    timer_at(&w->sample, clock_now() + FIN_SAMPLE);
}

enum ledger_fin_acked wire_fin_acked(const struct wire *w)
{
    enum wire_state into = wire_sent_into(w).state;
    if (into != WIRE_FIN_SENT && into != WIRE_ENDING)
        return FIN_NONE;
    if (w->state == into && !wire_behind_fin(w))
        return FIN_CROSSED; /* it has not left yet: what was queued before it is in its way */
    if (w->fin_acked_at != TIME_NONE)
        return FIN_ACKED;
    return fin_state(w) == FIN_CROSSED ? FIN_CROSSED : FIN_UNCLEAR;
}
