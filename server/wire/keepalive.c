/* keepalive.c - ends a connection whose client's machine is not there any more.
 *
 * While nothing of ours is on its way, the kernel's keep-alive probes find that out (RFC 9293
 * 3.8.4). While something is, its retransmissions do, which would last a quarter of an hour by
 * themselves: so a timer looks whether anything was ACKed for as long as the probes would take. A
 * client that only does not read ACKs the kernel's window probes (RFC 9293 3.8.6.1), and stays;
 * these come ever more seldom, so it is their number that counts.
 *
 * In a fault no probe is sent: no segment may come out of a silence that was asked for.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "wire/wire_impl.h"

#define PROBES   6
#define IDLE_MAX 32767 /* s, tcp(7) */

static void probe(struct wire *w, int idle, int interval)
{
    int on = 1, probes = PROBES;
    w->probing = true;
    setsockopt(w->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(w->fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(w->fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(w->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

/* The kernel takes whole seconds. */
static int seconds(int64_t ns)
{
    int64_t s = (ns + NS_PER_S - 1) / NS_PER_S;
    return s < 1 ? 1 : s > IDLE_MAX ? IDLE_MAX : (int)s;
}

void wire_keepalive_begin(struct wire *w)
{
    if (w->keepalive)
        probe(w, seconds(w->keepalive), seconds(w->keepalive / PROBES));
}

void wire_keepalive_probe(struct wire *w)
{
    if (!wire_serving(w))
        return;
    w->probing_since = clock_now();
    w->probing_out = w->bytes_out;
    probe(w, seconds(LIMIT_PROBE), 30);
}

void wire_keepalive_stop(struct wire *w)
{
    int off = 0;
    if (w->probing)
        setsockopt(w->fd, SOL_SOCKET, SO_KEEPALIVE, &off, sizeof off);
    w->probing = false;
    timer_cancel(&w->ack_timer);
    w->unacked_since = TIME_NONE;
}

/* Is the kernel waiting for an ACK of the client: to a segment of ours, or to window probes? One
 * probe may be just out. */
static bool waits_for_ack(const struct tcp_info *info)
{
    return info->tcpi_unacked > 0 || info->tcpi_probes > 1;
}

/* Bytes of ours were on their way when they were looked at first, and no ACK has come since. */
static void ack_look(struct timer *m, int64_t late)
{
    struct wire *w = link_entry(m, struct wire, ack_timer);
    struct tcp_info info = { 0 };
    socklen_t len = sizeof info;
    int64_t now = clock_now();
    if (wire_unacked(w) == 0) {
        w->unacked_since = TIME_NONE;
        return;
    }
    if (getsockopt(w->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 || !waits_for_ack(&info) ||
        w->unacked_since == TIME_NONE ||
        info.tcpi_last_ack_recv * NS_PER_MS < now - w->unacked_since)
        w->unacked_since = now;
    int64_t due = w->unacked_since + 2 * w->keepalive - w->keepalive / PROBES;
    if (due <= now)
        wire_end(w, WIRE_LAST_RST, BY_NETWORK, HOW_UNACKED);
    else
        timer_at(m, due);
}

void wire_keepalive_sent(struct wire *w)
{
    if (!w->keepalive || timer_armed(&w->ack_timer) || wire_in_fault(w))
        return;
    w->ack_timer.reached = ack_look;
    timer_at(&w->ack_timer, clock_now() + w->keepalive / PROBES);
}
