/* alive.c - is the client's machine still there?
 *
 * Silence says nothing of that, so it is asked. While nothing of ours is on its way, the kernel's
 * keep-alive probes ask (RFC 9293 3.8.4). While something is, its retransmissions do, which would
 * go on for a quarter of an hour by themselves: so it is looked whether anything was ACKed for as
 * long as the probes would take. A client that only does not read ACKs the kernel's window probes
 * (RFC 9293 3.8.6.1), and stays; these come ever more seldom, so it is their number that counts.
 *
 * Nothing is asked in a fault: no segment may come out of a silence that was asked for.
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
    w->asks = true;
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

void wire_alive_begin(struct wire *w)
{
    if (w->alive_after)
        probe(w, seconds(w->alive_after), seconds(w->alive_after / PROBES));
}

void wire_ask_whether_it_lives(struct wire *w)
{
    if (!wire_serving(w))
        return;
    w->asked_at = clock_now();
    w->asked_out = w->bytes_out;
    probe(w, seconds(PROBE_AFTER), 30);
}

void wire_alive_stop(struct wire *w)
{
    int off = 0;
    if (w->asks)
        setsockopt(w->fd, SOL_SOCKET, SO_KEEPALIVE, &off, sizeof off);
    w->asks = false;
    timer_cancel(&w->alive);
    w->unacked_since = TIME_NONE;
}

/* Is the kernel waiting for an ACK of the client: to a segment of ours, or to window probes? One
 * probe may be just out. */
static bool waits_for_ack(const struct tcp_info *info)
{
    return info->tcpi_unacked > 0 || info->tcpi_probes > 1;
}

/* Bytes of ours were on their way when they were looked at first, and no ACK has come since. */
static void alive_look(struct timer *m, int64_t late)
{
    struct wire *w = link_entry(m, struct wire, alive);
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
    int64_t due = w->unacked_since + 2 * w->alive_after - w->alive_after / PROBES;
    if (due <= now)
        wire_end(w, WIRE_LAST_RST, "server", WIRE_UNACKED);
    else
        timer_at(m, due);
}

void wire_alive_sent(struct wire *w)
{
    if (!w->alive_after || timer_armed(&w->alive) || wire_in_fault(w))
        return;
    w->alive.reached = alive_look;
    timer_at(&w->alive, clock_now() + w->alive_after / PROBES);
}
