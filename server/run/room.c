/* room.c - which connections can be done without when descriptors run out.
 *
 * A silenced connection keeps its descriptor for as long as its client may still be there, since
 * silence is what was asked for; of many clients it cannot be seen that they have left (a black
 * hole swallows their FIN). So when others would have to wait, one at a time is ended: those first
 * for which it makes no difference, and the longest silent of each kind before the others. A client
 * that may be waiting for a response is left in its silence for as long as most clients wait.
 */
#include "base/limits.h"
#include "base/log.h"
#include "run/run_parts.h"

#define WHY "descriptors were needed"

/* From the one that is missed least. */
enum spare {
    SPARE_LEFT,     /* its client was seen to end it, and waits for nothing that will come */
    SPARE_SAME,     /* the kernel answers the client as we would */
    SPARE_NOT_OWED, /* silenced, with no request that was read and not answered */
    SPARE_OWED,     /* silenced long ago */
    SPARE_NOT
};

/* Is all that is open kept from being answered by a rule? */
static bool is_held(const struct session *s)
{
    if (s->mode.held)
        return true;
    for (const struct link *i = s->xs.unanswered.next; i != &s->xs.unanswered; i = i->next)
        if (link_entry(i, struct session_exchange, link)->mx.gates == 0)
            return false;
    return !link_empty(&s->xs.unanswered);
}

static enum spare how_spare(const struct session *s, int64_t now)
{
    enum wire_state state = wire_state(s->xs.wire);
    bool gone = wire_peer_gone(s->xs.wire);
    if (gone && (state == WIRE_STALLED || (state == WIRE_OPEN && is_held(s))))
        return SPARE_LEFT;
    if (wire_kernel_does_the_same(s->xs.wire))
        return SPARE_SAME;
    if (!wire_state_is_silent(state))
        return SPARE_NOT;
    if (s->xs.open == 0)
        return SPARE_NOT_OWED;
    return now - wire_fault_since(s->xs.wire) >= LIMIT_OWED ? SPARE_OWED : SPARE_NOT;
}

static int64_t since(const struct session *s)
{
    int64_t fault = wire_fault_since(s->xs.wire);
    return fault == TIME_NONE ? s->mode.accepted_at : fault;
}

void room_look(const struct run *run, struct room *best)
{
    int64_t now = clock_now();
    for (struct link *i = run->sessions.next; i != &run->sessions; i = i->next) {
        struct session *s = link_entry(i, struct session, link);
        enum spare spare = how_spare(s, now);
        if (spare == SPARE_NOT)
            continue;
        if (!best->s || spare < best->spare || (spare == best->spare && since(s) < since(best->s)))
            *best = (struct room){ s, spare };
    }
}

bool room_make(const struct room *best)
{
    static struct log_gate gate;
    if (!best->s)
        return false;
    struct wire *wire = best->s->xs.wire;
    log_sometimes(&gate, LOG_WARN, "connection %llu (%s) was ended: %s",
                  (unsigned long long)best->s->xs.id, wire_state_name(wire_state(wire)), WHY);
    wire_give_up(wire, WHY);
    return true;
}
