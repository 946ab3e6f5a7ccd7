/* due.c - rules that fall due: so long after a connection became idle or was accepted, or after
 * something of it has begun that is not there yet. In the order of their times, counted off.
 *
 * The idle timer is lazy. A busy connection leaves it armed; when it is reached too soon, it is
 * armed for the time that is right by then, or left alone when the connection is busy. So a request
 * on a connection with an idle rule costs two assignments and a comparison. It can be armed too
 * early, never too late, and no rule fires before its time.
 *
 * Where no rule waits for what is late, only that and its beginning are noted.
 */
#include "base/clock.h"
#include "ledger/ledger.h"
#include "mode/runtime_impl.h"

/* Arms the timer for the next of the rules, unless it is armed for that or earlier. */
static void arm(struct mode_conn *mc, struct mode_due *d)
{
    if (d->since == TIME_NONE || d->done >= mc->program->by_slot[d->slot].count)
        return;
    int64_t due = d->since + mc->program->by_slot[d->slot].rules[d->done]->after;
    if (!timer_armed(&d->timer) || d->timer.due > due)
        timer_at(&d->timer, due);
}

/* The same for a new program, from now when that is overdue. */
static void arm_anew(struct mode_conn *mc, struct mode_due *d)
{
    timer_cancel(&d->timer);
    d->done = 0;
    d->looked = false;
    arm(mc, d);
    if (timer_armed(&d->timer) && d->timer.due < mc->mode_since)
        timer_at(&d->timer, mc->mode_since);
}

/* How late a rule is that was due: against its own time, or against when it became part of the
 * connection, if that was later. */
static int64_t lateness(const struct mode_conn *mc, int64_t due, int64_t now)
{
    return now - (due > mc->mode_since ? due : mc->mode_since);
}

/* Fires what is due at now. A step may end what is counted, or begin it anew. */
static void fire_due(struct mode_conn *mc, struct mode_due *d, struct mode_exchange *mx,
                     int64_t now)
{
    struct mode_program *program = mode_ref(mc->program);
    const int64_t began = d->since;
    const uint8_t slot = d->slot;
    bool silenced = false;
    while (mc->program == program && d->since == began && d->slot == slot && !(mx && mx->over) &&
           d->done < program->by_slot[slot].count) {
        const struct mode_rule *rule = program->by_slot[slot].rules[d->done];
        int64_t due = began + rule->after;
        if (due > now)
            break;
        d->done++;
        if (!silenced)
            silenced = mode_rule_fire(mc, program, rule, mx, true, lateness(mc, due, now));
    }
    mode_unref(program);
}

static void ledger_given_way(const struct mode_conn *mc, const struct mode_due *d,
                             const struct mode_exchange *mx, const char *why)
{
    if (d->since == TIME_NONE || d->done >= mc->program->by_slot[d->slot].count)
        return;
    int64_t now = clock_now();
    for (uint32_t done = d->done; done < mc->program->by_slot[d->slot].count; done++) {
        const struct mode_rule *rule = mc->program->by_slot[d->slot].rules[done];
        if (d->since + rule->after > now)
            return;
        if (mode_rule_fits(mc, rule, mx) && !mode_rule_exhausted(mc, rule))
            mode_ledger_missed(mc, rule, lateness(mc, d->since + rule->after, now), why);
    }
}

/* --- Idle and age */

static void idle_reached(struct timer *m, int64_t late)
{
    struct mode_conn *mc = link_entry(m, struct mode_conn, idle.timer);
    if (mc->idle.since == TIME_NONE || has_caught_up(mc))
        return;
    if (mc->wire && wire_unread(mc->wire) > 0) { /* not idle: the loop has yet to read it */
        timer_at(m, clock_now() + NS_PER_MS);
        return;
    }
    fire_due(mc, &mc->idle, NULL, m->due + late);
    arm(mc, &mc->idle);
}

static void age_reached(struct timer *m, int64_t late)
{
    struct mode_conn *mc = link_entry(m, struct mode_conn, age.timer);
    if (has_caught_up(mc))
        return;
    fire_due(mc, &mc->age, NULL, m->due + late);
    arm(mc, &mc->age);
}

void mode_idle(struct mode_conn *mc, int64_t since)
{
    mc->idle.since = since;
    mc->idle.done = 0;
    arm(mc, &mc->idle);
}

void mode_busy(struct mode_conn *mc)
{
    mc->idle.since = TIME_NONE;
}

void mode_gives_way(struct mode_conn *mc, const char *why, bool ends)
{
    if (!ends)
        has_caught_up(mc);
    ledger_given_way(mc, &mc->idle, NULL, why);
    if (!ends)
        return;
    ledger_given_way(mc, &mc->age, NULL, why);
    ledger_given_way(mc, &mc->late, NULL, why);
}

/* --- Late */

/* Whether it is still waited for. What the kernel has is read first, once: what never stops coming
 * may be late all the same. */
static bool is_late(struct mode_conn *mc, struct mode_due *d)
{
    enum wire_state state = mode_wire_state(mc);
    if (d->since == TIME_NONE ||
        state != (d->slot == ON_LATE_HANDSHAKE ? WIRE_HANDSHAKE : WIRE_OPEN))
        return false;
    if (d->looked || !mc->wire || wire_unread(mc->wire) <= 0)
        return true;
    d->looked = true;
    timer_at(&d->timer, clock_now() + NS_PER_MS);
    return false;
}

static void late_reached(struct timer *m, int64_t late)
{
    struct mode_conn *mc = link_entry(m, struct mode_conn, late.timer);
    if (has_caught_up(mc) || !is_late(mc, &mc->late))
        return;
    fire_due(mc, &mc->late, NULL, m->due + late);
    arm(mc, &mc->late);
}

static void exchange_late_reached(struct timer *m, int64_t late)
{
    struct mode_exchange *mx = link_entry(m, struct mode_exchange, late.timer);
    struct mode_conn *mc = mx->conn;
    if (has_caught_up(mc) || !is_late(mc, &mx->late))
        return;
    if (mc->calls->due)
        mc->calls->due(mc->host, mx, m->due + late);
    else
        mode_exchange_due(mx, m->due + late);
}

void mode_exchange_due(struct mode_exchange *mx, int64_t now)
{
    fire_due(mx->conn, &mx->late, mx, now);
    if (!mx->over)
        arm(mx->conn, &mx->late);
}

/* Something else is waited for, or the same anew. */
static void begin_late(struct mode_conn *mc, struct mode_due *d, const struct mode_exchange *mx,
                       enum trigger_slot slot, int64_t since)
{
    if (timer_armed(&d->timer))
        ledger_given_way(mc, d, mx, "what it waited for came first");
    timer_cancel(&d->timer);
    d->slot = (uint8_t)slot;
    d->since = since;
    d->done = 0;
    d->looked = false;
    arm(mc, d);
}

void mode_late(struct mode_conn *mc, enum trigger_slot slot, int64_t since)
{
    begin_late(mc, &mc->late, NULL, slot, since);
}

void mode_exchange_late_begin(struct mode_exchange *mx, enum trigger_slot slot, int64_t since)
{
    mx->late.timer.reached = exchange_late_reached;
    begin_late(mx->conn, &mx->late, mx, slot, since);
}

void mode_exchange_anew(struct mode_exchange *mx, bool known)
{
    mx->picked = 0;
    if (known)
        mode_exchange_headers(mx);
    mx->late.timer.reached = exchange_late_reached;
    arm_anew(mx->conn, &mx->late);
}

void due_exchange_over(struct mode_exchange *mx)
{
    if (!timer_armed(&mx->late.timer))
        return;
    if (mode_wire_state(mx->conn) == WIRE_OPEN)
        ledger_given_way(mx->conn, &mx->late, mx, "the exchange ended first");
    timer_cancel(&mx->late.timer);
}

/* --- The connection */

void due_begin(struct mode_conn *mc)
{
    const struct mode_due none = { .since = TIME_NONE };
    mc->idle = mc->age = mc->late = none;
    mc->idle.timer.reached = idle_reached;
    mc->age.timer.reached = age_reached;
    mc->late.timer.reached = late_reached;
    mc->idle.slot = ON_IDLE;
    mc->age.slot = ON_AGE;
    mc->late.slot = ON_LATE_NOTHING;
    mc->age.since = mc->accepted_at;
    arm(mc, &mc->age);
}

void due_end(struct mode_conn *mc)
{
    timer_cancel(&mc->idle.timer);
    timer_cancel(&mc->age.timer);
    timer_cancel(&mc->late.timer);
}

void due_anew(struct mode_conn *mc)
{
    arm_anew(mc, &mc->idle);
    arm_anew(mc, &mc->age);
    arm_anew(mc, &mc->late);
}
