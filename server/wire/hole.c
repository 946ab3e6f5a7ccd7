/* hole.c - what a black hole swallows.
 *
 * How many segments, the kernel tells by a counter (SO_MEMINFO), which is sampled. What they were,
 * a tap shows (CAP_TAP), of as many holes at once as HOLES_MAX: data, or what is no attempt at
 * anything: a keep-alive probe, a FIN or RST, an ACK, the SYN of a new connection from the same
 * port. A probe is told by its sequence number, which is before the next that the client has to
 * send: the kernel tells which that is as the hole begins.
 */
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "wire/caps.h"
#include "wire/tap.h"
#include "wire/wire_impl.h"

#define HOLE_SAMPLE (20 * NS_PER_MS)
#define HOLES_MAX   64        /* with a tap: each looks at every packet of the machine */
#define SEEN_TWICE  NS_PER_MS /* the same so soon: on another interface, not sent again */
#define SOON        NS_PER_MS /* to tell of segments together */

struct hole {
    struct tap *tap;
    struct wire *w;
    union address client, server;
    struct tap_segment last;
    bool inexact;       /* segments came too fast for the tap, or their numbers are not known */
    bool any;           /* one was seen since the last event */
    uint32_t begin;     /* the first sequence number that the client had not sent when it began */
    uint32_t next;      /* and by now */
    uint64_t offset;    /* of begin: so many octets of the client's stream came before the hole */
    int64_t first_data; /* TIME_NONE: none yet */
    int64_t since;      /* of the segments since the last event: when the first came */
    int64_t data, fins, rsts, syns, probes, acks; /* of these */
};

static unsigned taps;

/* --- What was seen */

/* Is number a behind b, in the circle of sequence numbers (RFC 9293 3.4)? */
static bool is_behind(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

static void classify(struct hole *h, const struct tap_segment *s)
{
    uint32_t end = s->seq + s->length;
    if (s->flags & TAP_RST) {
        h->rsts++;
        return;
    }
    if (s->flags & TAP_SYN) { /* its numbers are another connection's */
        h->syns++;
        return;
    }
    if (s->length && is_behind(end, h->begin)) {
        h->data++;
        if (h->first_data == TIME_NONE)
            h->first_data = s->at;
    } else if (!(s->flags & TAP_FIN) && is_behind(h->next, s->seq)) {
        h->probes++; /* of no octet, or of the last one once more */
    } else if (!(s->flags & TAP_FIN)) {
        h->acks++;
    }
    if (s->flags & TAP_FIN)
        h->fins++;
    if (is_behind(end, h->next))
        h->next = end;
}

static void seen(void *owner, const struct tap_segment *s)
{
    struct hole *h = owner;
    const struct tap_segment *last = &h->last;
    if (!address_same_host(&s->from, &h->client) || !address_same_host(&s->to, &h->server))
        return;
    if (last->at && s->interface != last->interface && s->seq == last->seq &&
        s->length == last->length && s->flags == last->flags && s->at - last->at < SEEN_TWICE)
        return;
    h->last = *s;
    if (!h->any)
        h->since = s->at;
    h->any = true;
    classify(h, s);
    struct timer *sample = &h->w->sample;
    int64_t soon = clock_now() + SOON; /* the kernel drops it behind us */
    if (!timer_armed(sample) || sample->due > soon)
        timer_at(sample, soon);
}

/* --- Beginning and end of the tap */

/* The next sequence number that we expect of the client: RCV.NXT (RFC 9293 3.3.1). */
static bool expected(int fd, uint32_t *number)
{
    int on = 1, off = -1 /* TCP_REPAIR_OFF_NO_WP: without a window probe */,
        queue = 1 /* TCP_RECV_QUEUE */;
    socklen_t len = sizeof *number;
    if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) < 0)
        return false;
    bool known = setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof queue) == 0 &&
                 getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, number, &len) == 0;
    if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof off) < 0) {
        off = 0;
        setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof off);
    }
    /* Linux takes SO_REUSEADDR away with it: then nobody could listen on our port again, once
     * a fault has made it refuse, as long as this connection is there. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return known;
}

static bool addresses(struct hole *h, int fd)
{
    socklen_t client = sizeof h->client, server = sizeof h->server;
    if (getpeername(fd, &h->client.any, &client) < 0 ||
        getsockname(fd, &h->server.any, &server) < 0)
        return false;
    address_unmap(&h->client);
    address_unmap(&h->server);
    return true;
}

/* Without a tap it is as without the capability. */
static void open_tap(struct wire *w)
{
    if (!caps_have(CAP_TAP) || taps == HOLES_MAX)
        return;
    struct hole *h = calloc(1, sizeof *h);
    if (!h)
        return;
    *h = (struct hole){ .w = w, .first_data = TIME_NONE };
    struct tap_config config = { .loop = w->poll.loop, .port_count = 1, .seen = seen, .owner = h };
    if (expected(w->fd, &h->begin) && addresses(h, w->fd)) {
        h->next = h->begin;
        h->offset = w->bytes_in + (uint64_t)wire_unread(w);
        config.ports[0] = address_port(&h->server);
        config.from_port = address_port(&h->client);
        if (tap_open(&config, &h->tap) == 0) {
            w->hole = h;
            taps++;
            return;
        }
    }
    free(h);
}

static void close_tap(struct wire *w)
{
    if (!w->hole)
        return;
    tap_close(w->hole->tap);
    free(w->hole);
    w->hole = NULL;
    taps--;
}

/* --- Telling */

static uint32_t segments_dropped(const struct wire *w)
{
    uint32_t info[SK_MEMINFO_VARS] = { 0 };
    socklen_t len = sizeof info;
    if (getsockopt(w->fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0)
        return w->drops_seen;
    return info[SK_MEMINFO_DROPS];
}

/* Adds what they were, if all of them were seen: one that the kernel had not dropped yet when they
 * were counted last was told then. */
static void add_kinds(struct wire *w, struct hole *h, int64_t now)
{
    struct ledger *l = w->ledger;
    h->inexact |= tap_missed(h->tap) > 0 || (!h->any && now - h->last.at > 5 * SOON);
    if (!h->inexact) {
        ledger_int(l, F_DATA, h->data);
        ledger_int(l, F_FINS, h->fins);
        ledger_int(l, F_RSTS, h->rsts);
        ledger_int(l, F_SYNS, h->syns);
        ledger_int(l, F_PROBES, h->probes);
        ledger_int(l, F_ACKS, h->acks);
        w->left_hole |= h->fins > 0 || h->rsts > 0 || h->syns > 0;
        if (h->first_data != TIME_NONE) {
            ledger_int(l, F_DATA_BYTES, h->next - h->begin);
            ledger_int(l, F_FIRST_DATA, ledger_age(l, h->first_data));
        }
    }
    h->any = false;
    h->data = h->fins = h->rsts = h->syns = h->probes = h->acks = 0;
}

static void count_drops(struct wire *w)
{
    uint32_t drops = segments_dropped(w);
    struct hole *h = w->hole;
    if (h)
        tap_look(h->tap); /* behind that: what was dropped by then is there */
    int64_t now = clock_now(), looked_at = w->drops_looked_at;
    w->drops_looked_at = now;
    if (drops == w->drops_seen)
        return;
    int64_t since = h && h->any && h->since > looked_at ? h->since : looked_at;
    ledger_begin(w->ledger, EV_SEGMENTS_DROPPED, w->id, 0);
    ledger_int(w->ledger, F_SEGMENTS, drops - w->drops_seen);
    ledger_int(w->ledger, F_TOTAL, drops - w->drops_before);
    ledger_int(w->ledger, F_SAMPLED, now - since);
    ledger_int(w->ledger, F_AFTER_FAULT, now - w->fault_since);
    if (h)
        add_kinds(w, h, now);
    wire_ledger_fault(w);
    ledger_commit(w->ledger);
    bool exact = h && !h->inexact; /* then probes and such are told from data */
    if (w->black_hole_used_at == TIME_NONE && (!exact || h->first_data != TIME_NONE))
        w->black_hole_used_at = exact ? h->first_data : now;
    w->drops_seen = drops;
}

static void hole_sample(struct timer *m, int64_t late)
{
    struct wire *w = link_entry(m, struct wire, sample);
    count_drops(w);
    int64_t now = clock_now(), pause = (now - w->fault_since) / 100;
    timer_at(m, now + (pause > HOLE_SAMPLE ? pause : HOLE_SAMPLE));
}

void wire_watch_black_hole(struct wire *w)
{
    w->drops_before = w->drops_seen = segments_dropped(w);
    w->drops_looked_at = clock_now();
    w->black_hole_used_at = TIME_NONE;
    w->black_hole_end = 0;
    w->left_hole = false;
    w->sample.reached = hole_sample;
    open_tap(w);
    if (w->hole)
        w->hole->inexact = segments_dropped(w) != w->drops_before;
    timer_at(&w->sample, clock_now() + HOLE_SAMPLE);
}

void wire_watch_black_hole_end(struct wire *w)
{
    if (timer_armed(&w->sample)) {
        count_drops(w);
        timer_cancel(&w->sample);
    }
    const struct hole *h = w->hole;
    if (h && !h->inexact && h->first_data != TIME_NONE)
        w->black_hole_end = h->offset + (h->next - h->begin);
    close_tap(w);
}

int64_t wire_black_hole_used(const struct wire *w)
{
    return w->black_hole_used_at;
}

uint64_t wire_black_hole_end(const struct wire *w)
{
    return w->black_hole_end;
}
