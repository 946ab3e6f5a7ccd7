/* acks.c - whether the client has what was said to it: a response, a frame or an alert that tells
 * of a fault.
 *
 * Its kernel's ACK is seen by a counter, not by an event: it is looked at when the client's next
 * request begins, when it acknowledges a PING, at the end of the connection, and by a timer in
 * between, soon at first and ever more seldom. So an ACK is known to lie between two looks.
 *
 * That the client itself has read a response is shown by its next request on an HTTP/1.1
 * connection (unless it was seen to pipeline: such a request waits for nothing), or by its ACK of a
 * PING that was sent behind the response: HTTP/2 keeps their order. A WINDOW_UPDATE shows nothing,
 * as clients also send it to have more room, whatever they have read.
 *
 * A look costs a system call. Each request gets one as long as they come at the rate of an app; on
 * a connection that is under load, and that no rule and no fault has anything to do with, it is one
 * each LOOK_PACE, or as soon as LOOK_FULL wait, which says the same of all responses since the last
 * one, a little later.
 *
 * What waits comes from a pool.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "run/exchange.h"

#define POOL_MAX   4096
#define UNREAD_MAX 64              /* responses of a connection that are ACKed; the oldest go */
#define LOOK_FIRST (5 * NS_PER_MS) /* then a quarter of what waits longest has waited, up to */
#define LOOK_LAST  NS_PER_S
#define LOOK_AGAIN (50 * NS_PER_US) /* two looks are no nearer */
#define LOOK_IDLY  NS_PER_MS        /* nor without a proof at hand */
#define LOOK_PACE  (50 * NS_PER_MS) /* under load, */
#define LOOK_FULL  256              /* or sooner, when so many wait; */
#define LOOK_BURST 64               /* that is when so many looks did not keep to the pace */
#define PINGS_MAX  8 /* that wait for their ACK; once there were more, none proves anything */
#define OPAQUE     8

struct wait {
    struct link link;
    uint64_t offset; /* where it ends in the TCP stream; or, */
    bool queued : 1; /* if that is not known yet, wire_queued() behind it; or neither, */
    bool unsaid : 1; /* when the engine has not put it out yet */
    bool undone : 1; /* that the fault is in effect is to be said when it has left, */
    uint32_t about;  /* of this exchange */
    enum ledger_step step : 8;
    uint32_t nth;     /* the exchange whose response it is; 0: */
    uint64_t fault;   /* it tells of this fault, by that step */
    int64_t since;    /* it was said then */
    int64_t not_then; /* it was not ACKed then */
};

struct ping {
    char opaque[2 * OPAQUE + 1];
    uint64_t before;
};

_Static_assert(UNREAD_MAX <= UINT8_MAX && PINGS_MAX <= UINT8_MAX, "for struct acks");

/* What the client has shown that it has read: PROOF_NONE, or by this what ends by that offset. */
struct proof {
    enum ledger_proof by;
    uint64_t up_to;
};

static struct link pool = { &pool, &pool };
static unsigned pooled;

static struct exchanges *exchanges_of(struct acks *a)
{
    return link_entry(a, struct exchanges, acks);
}

static struct wait *wait_at(const struct link *i)
{
    return link_entry(i, struct wait, link);
}

static void recycle(struct wait *wait)
{
    link_remove(&wait->link);
    if (pooled == POOL_MAX) {
        free(wait);
        return;
    }
    link_append(&pool, &wait->link);
    pooled++;
}

void acks_stop(void)
{
    for (; !link_empty(&pool); pooled--) {
        struct wait *wait = wait_at(pool.next);
        link_remove(&wait->link);
        free(wait);
    }
}

/* --- Leaving */

static bool has_left(const struct wire *w, const struct wait *wait)
{
    return !wait->unsaid &&
           (wait->queued ? wire_handed(w) >= wait->offset : wire_bytes_out(w) >= wait->offset);
}

/* If it has left by now, that is said. */
static void tell_left(struct exchanges *xs, struct wait *wait)
{
    if (!has_left(xs->wire, wait))
        return;
    uint64_t offset = wait->queued ? WIRE_NO_OFFSET : wait->offset;
    if (wait->queued)
        wait->offset = wire_bytes_out(xs->wire);
    wait->queued = false;
    if (wait->undone)
        mode_ledger_in_effect(xs->mode, wait->about, wait->step, wait->fault, offset);
    wait->undone = false;
}

void acks_left(struct exchanges *xs)
{
    for (struct link *i = xs->acks.unacked.next; i != &xs->acks.unacked; i = i->next)
        if (wait_at(i)->undone)
            tell_left(xs, wait_at(i));
}

/* --- Looking */

static void tell(struct acks *a, const struct wait *wait, enum ledger_proof proof, int64_t now)
{
    struct exchanges *xs = exchanges_of(a);
    struct ledger *l = xs->ledger;
    ledger_begin_at(l, now, wait->nth ? EV_RESPONSE_ACKED : EV_FAULT_ACKED, xs->id, wait->nth);
    if (wait->nth) {
        ledger_word(l, F_PROOF, proof);
    } else {
        ledger_int(l, F_FAULT, (int64_t)wait->fault);
        ledger_word(l, F_STEP, wait->step);
    }
    ledger_int(l, F_FROM, ledger_age(l, wait->not_then));
    ledger_int(l, F_TO, ledger_age(l, now));
    if (!wait->nth)
        ledger_int(l, F_AFTER_FAULT, now - wait->since);
    ledger_commit(l);
}

static void add_unread(struct acks *a, struct wait *wait, int64_t now)
{
    link_remove(&wait->link);
    link_append(&a->unread, &wait->link);
    wait->not_then = now;
    if (a->unread_count == UNREAD_MAX)
        recycle(wait_at(a->unread.next));
    else
        a->unread_count++;
}

static void look(struct acks *a, struct proof proof, int64_t now)
{
    struct exchanges *xs = exchanges_of(a);
    if (link_empty(&a->unacked) || now - a->looked_at < LOOK_AGAIN)
        return;
    uint64_t acked = wire_acked(xs->wire);
    int unread = -1; /* whether there are bytes yet to be read, where it matters */
    struct link *next;
    a->looked_at = now;
    for (struct link *i = a->unacked.next; i != &a->unacked; i = next) {
        struct wait *wait = wait_at(i);
        next = i->next;
        if (wait->queued || wait->undone)
            tell_left(xs, wait);
        if (wait->unsaid || wait->queued || wait->offset > acked) {
            wait->not_then = now;
            continue;
        }
        if (!wait->nth && unread < 0)
            unread = wire_unread(xs->wire) > 0;
        if (!wait->nth && unread)
            continue; /* nobody is blamed for bytes that crossed it: not before they are read */
        a->unacked_count--;
        bool read = proof.by && wait->offset <= proof.up_to;
        tell(a, wait, read ? proof.by : PROOF_ACK, now);
        if (wait->nth && !read)
            add_unread(a, wait, now);
        else
            recycle(wait);
    }
}

/* Whether a request gets a look. Where a rule or a fault is about, always. */
static bool afford(struct acks *a, int64_t now)
{
    const struct mode_conn *mode = exchanges_of(a)->mode;
    bool harmless = !mode->program->rule_count && !mode->said.seq && !mode->last.seq;
    if (a->spent < now)
        a->spent = now;
    bool paced = harmless && a->spent - now >= LOOK_BURST * LOOK_PACE;
    if (paced && a->unacked_count < LOOK_FULL) {
        a->passed = now;
        return false;
    }
    a->spent += paced ? 0 : LOOK_PACE;
    a->passed = 0;
    return true;
}

/* Under load it leaves it to the next request, which shows more. */
static void look_due(struct timer *timer, int64_t late)
{
    struct acks *a = link_entry(timer, struct acks, timer);
    int64_t now = clock_now();
    if (now - a->passed < LOOK_PACE) {
        timer_at(timer, a->passed + LOOK_PACE);
        return;
    }
    look(a, (struct proof){ .by = PROOF_NONE }, now);
    if (link_empty(&a->unacked))
        return;
    int64_t pause = (now - wait_at(a->unacked.next)->since) / 4;
    pause = pause < LOOK_FIRST ? LOOK_FIRST : pause > LOOK_LAST ? LOOK_LAST : pause;
    timer_at(timer, now + pause);
}

/* --- What waits */

void acks_init(struct acks *a)
{
    a->timer.reached = look_due;
    link_init(&a->unacked);
    link_init(&a->unread);
}

static struct wait *take_wait(void)
{
    if (link_empty(&pool))
        return malloc(sizeof(struct wait));
    struct wait *wait = wait_at(pool.next);
    link_remove(&wait->link);
    pooled--;
    return wait;
}

/* Without memory it is as if it were never ACKed. */
static bool add(struct acks *a, const struct wait *as, int64_t now)
{
    struct wait *wait = a->ended ? NULL : take_wait();
    if (!wait) {
        a->lost = true;
        return false;
    }
    *wait = *as;
    wait->since = wait->not_then = now;
    link_append(&a->unacked, &wait->link);
    a->unacked_count++;
    if (!timer_armed(&a->timer))
        timer_at(&a->timer, now + LOOK_FIRST);
    return true;
}

void acks_response(struct exchanges *xs, uint32_t nth, uint64_t offset, int64_t now)
{
    add(&xs->acks, &(struct wait){ .offset = offset, .nth = nth }, now);
}

static void set_end(const struct exchanges *xs, struct wait *wait)
{
    wait->offset = wire_end_offset(xs->wire);
    wait->queued = wait->offset == WIRE_NO_OFFSET;
    if (wait->queued)
        wait->offset = wire_queued(xs->wire);
    wait->unsaid = false;
}

bool acks_fault(struct exchanges *xs, uint64_t fault, enum ledger_step step, uint32_t nth,
                bool done)
{
    struct wait wait = { .fault = fault, .step = step, .about = nth };
    set_end(xs, &wait);
    wait.unsaid = xs->engine && engine_unsaid(xs->engine);
    wait.undone = done && !has_left(xs->wire, &wait);
    return add(&xs->acks, &wait, clock_now()) && wait.undone;
}

void acks_said(void *host)
{
    struct exchanges *xs = host;
    for (struct link *i = xs->acks.unacked.next; i != &xs->acks.unacked; i = i->next)
        if (wait_at(i)->unsaid)
            set_end(xs, wait_at(i));
    acks_left(xs);
}

void acks_look(struct exchanges *xs, int64_t now)
{
    struct acks *a = &xs->acks;
    if (!link_empty(&a->unacked) && now - a->looked_at >= LOOK_IDLY && afford(a, now))
        look(a, (struct proof){ .by = PROOF_NONE }, now);
}

/* Of what was seen to be ACKed. */
static void tell_unread(struct acks *a, struct proof proof, int64_t now)
{
    struct link *next;
    for (struct link *i = a->unread.next; i != &a->unread; i = next) {
        struct wait *wait = wait_at(i);
        next = i->next;
        if (wait->offset > proof.up_to)
            continue;
        tell(a, wait, proof.by, now);
        recycle(wait);
        a->unread_count--;
    }
}

/* One that came before the newest response left. Those of a list are in their order. */
static bool came_before(const struct link *list, int64_t read_at)
{
    for (const struct link *i = list->prev; i != list; i = i->prev)
        if (wait_at(i)->nth)
            return read_at < wait_at(i)->since;
    return false;
}

void acks_next_request(struct exchanges *xs, int64_t read_at, int64_t now)
{
    struct acks *a = &xs->acks;
    a->pipelines |= came_before(&a->unread, read_at) || came_before(&a->unacked, read_at);
    struct proof proof = { .by = PROOF_NONE };
    if (!a->pipelines) {
        proof = (struct proof){ PROOF_NEXT_REQUEST, wire_bytes_out(xs->wire) };
        tell_unread(a, proof, now);
    }
    if (!link_empty(&a->unacked) && afford(a, now))
        look(a, proof, now);
}

void acks_ping(struct exchanges *xs, const uint8_t opaque[OPAQUE], uint64_t before)
{
    struct acks *a = &xs->acks;
    if (a->ended)
        return;
    if (!a->pings)
        a->pings = malloc(PINGS_MAX * sizeof *a->pings);
    a->pings_lost |= !a->pings || a->ping_count == PINGS_MAX;
    if (a->pings_lost)
        return;
    struct ping *ping = &a->pings[a->ping_count++];
    hex_write(opaque, OPAQUE, ping->opaque);
    ping->before = before == WIRE_NO_OFFSET ? wire_bytes_out(xs->wire) : before;
}

void acks_ping_ack(struct exchanges *xs, const char *opaque, size_t len)
{
    struct acks *a = &xs->acks;
    for (unsigned i = 0; i < a->ping_count && !a->pings_lost; i++) {
        if (len != 2 * OPAQUE || memcmp(a->pings[i].opaque, opaque, len) != 0)
            continue;
        uint64_t before = a->pings[i].before;
        a->ping_count--;
        memmove(&a->pings[i], &a->pings[i + 1], (a->ping_count - i) * sizeof *a->pings);
        struct proof proof = { PROOF_PING_ACK, before };
        int64_t now = clock_now();
        tell_unread(a, proof, now);
        look(a, proof, now);
        return;
    }
    look(a, (struct proof){ .by = PROOF_NONE }, clock_now());
}

enum ledger_fin_acked acks_fault_acked(struct exchanges *xs, uint64_t fault)
{
    struct acks *a = &xs->acks;
    if (a->ended || a->lost)
        return FIN_UNCLEAR; /* it may not have been noted: nobody is blamed */
    for (struct link *i = a->unacked.next; i != &a->unacked; i = i->next) {
        const struct wait *wait = wait_at(i);
        if (wait->nth || wait->fault != fault)
            continue;
        uint64_t end = wait->queued ? wire_bytes_out(xs->wire) : wait->offset;
        bool leaves = wait->queued && wire_handed(xs->wire) < wait->offset;
        return wait->unsaid || leaves || end > wire_acked(xs->wire) ? FIN_CROSSED : FIN_UNCLEAR;
    }
    return FIN_ACKED;
}

void acks_end(struct exchanges *xs)
{
    struct acks *a = &xs->acks;
    a->ended = true; /* what is still told of the connection finds nobody who could look */
    a->looked_at = 0;
    look(a, (struct proof){ .by = PROOF_NONE }, clock_now());
    timer_cancel(&a->timer);
    while (!link_empty(&a->unacked)) {
        const struct wait *wait = wait_at(a->unacked.next);
        if (wait->undone)
            mode_ledger_undone(xs->mode, wait->about, wait->step, wait->fault,
                               "not done: the connection ended before it had left");
        recycle(wait_at(a->unacked.next));
    }
    while (!link_empty(&a->unread))
        recycle(wait_at(a->unread.next));
    free(a->pings);
    a->pings = NULL;
    a->ping_count = 0;
}
