/* verbs.c - the faults. Each verb is one state of the wire (the table in wire.h) and what leads
 * into it: first what was queued before leaves, then the socket goes quiet in the way the verb
 * says.
 *
 * The black hole takes one more care. The filter drops the client's ACKs too, so it may be attached
 * only when nothing of ours is waiting for one: else our kernel would keep retransmitting, which
 * is not silence.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "wire/caps.h"
#include "wire/filter.h"
#include "wire/wire_impl.h"

#define DRAIN_LOOK (NS_PER_MS)

/* Is what comes now told as sent into the present state? */
static bool tells_stale(const struct wire *w)
{
    return wire_draws_rst(w) || wire_row(w)->late == WIRE_LATE_AT_ONCE;
}

/* What is told from now on follows from the fault that was announced; but for what was sent into
 * the present one. */
static void take_fault(struct wire *w)
{
    wire_leave(w);
    if (tells_stale(w) && w->earlier_left == 0)
        wire_keep_into(w);
    w->fault = w->announced;
}

/* Of what the kernel has when the next state begins, what came into the present one, if that tells
 * it as stale. */
static void note_earlier(struct wire *w)
{
    uint32_t unread = (uint32_t)wire_unread(w);
    bool stale = tells_stale(w);
    if (!stale && w->earlier_left == 0)
        w->before_left = 0;
    else if (w->before_left > unread)
        w->before_left = unread;
    w->earlier_left = stale || w->earlier_left > 0 ? unread - w->before_left : 0;
}

static void enter(struct wire *w, enum wire_state state)
{
    take_fault(w);
    note_earlier(w);
    w->state = state;
    w->effect = WIRE_LEAVING;
    w->fault_since = clock_now();
    w->stayed = !w->peer_fin && wire_tcp_state(w) == TCP_ESTABLISHED;
    if (wire_row(w)->late == WIRE_LATE_AT_ONCE)
        wire_mark_before(w);
    wire_keepalive_stop(w); /* no probe belongs into a fault */
    timer_at(&w->limit, w->fault_since + LIMIT_WATCHED);
}

/* --- Whether they took effect */

static void verb_begins(struct wire *w, enum ledger_step step, bool of_cut)
{
    wire_verb_undone(w, "not done: another fault came before it was in effect");
    w->verb.due = true;
    w->verb.of_cut = of_cut;
    w->verb.step = step;
    w->verb.fault = w->announced;
    w->verb.since = clock_now();
}

static void ledger_done(struct wire *w, bool in_effect, const char *why)
{
    if (!w->verb.due)
        return;
    w->verb.due = false;
    ledger_begin(w->ledger, EV_FAULT_DONE, w->id, 0);
    ledger_word(w->ledger, F_STEP, w->verb.step);
    if (w->verb.fault)
        ledger_int(w->ledger, F_FAULT, (int64_t)w->verb.fault);
    if (!w->verb.of_cut) /* of which that is said already */
        ledger_int(w->ledger, F_IN_EFFECT, in_effect);
    ledger_text(w->ledger, F_WHY, why);
    ledger_int(w->ledger, F_AFTER_FAULT, clock_now() - w->verb.since);
    if (in_effect && w->verb.step == STEP_FIN)
        ledger_int(w->ledger, F_OFFSET, (int64_t)w->bytes_out);
    ledger_commit(w->ledger);
}

void wire_verb_in_effect(struct wire *w, const char *why)
{
    ledger_done(w, true, why);
}

void wire_verb_undone(struct wire *w, const char *why)
{
    ledger_done(w, false, why);
}

void wire_verb_unfinished(struct wire *w, enum ledger_by by)
{
    bool is_the_end = by == BY_FAULT;
    ledger_done(w, is_the_end, is_the_end ? NULL : "not done: the connection ended before");
    wire_shape_unfinished(w);
}

/* The next segment should draw our RST, not first an ACK: lets the kernel put ACKs off. */
static void delay_acks(struct wire *w)
{
    int off = 0;
    setsockopt(w->fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
}

/* What was to be said in a stall (an answer to a KeyUpdate, what lies behind a cut) is never said
 * when the stall becomes another fault. Returns whether there was any: behind such a gap the client
 * could not read what TLS says. */
static bool drop_unsaid(struct wire *w)
{
    return w->effect != WIRE_LEAVING && !wire_behind_fin(w) && wire_discard(w);
}

/* --- When they mean anything */

/* What the state does not say. */
static bool means_anything(const struct wire *w, enum wire_verb verb)
{
    switch (verb) {
    case WIRE_VERB_RST:
        return !w->reset_due;
    case WIRE_VERB_CLOSE_NOTIFY:
    case WIRE_VERB_ALERT:
        return w->tls && !w->notified;
    case WIRE_VERB_PACE:
        return !wire_says_no_more(w);
    case WIRE_VERB_INJECT:
        return w->state == WIRE_HANDSHAKE || wire_can_send(w);
    default:
        return true;
    }
}

int wire_ready(const struct wire *w, enum wire_verb verb)
{
    return (wire_row(w)->verbs & 1u << verb) && means_anything(w, verb) ? 0 : WIRE_TOO_LATE;
}

void wire_announce(struct wire *w, uint64_t fault)
{
    w->announced = fault;
}

/* --- fin, rst, forget, close_notify */

int wire_fin(struct wire *w, bool notify, int64_t linger, bool exact)
{
    if (wire_ready(w, WIRE_VERB_FIN))
        return WIRE_TOO_LATE;
    bool gap = drop_unsaid(w);
    w->linger = linger;
    w->to_kernel = exact;
    if (notify && !gap)
        wire_tls_notify(w);
    verb_begins(w, STEP_FIN, false);
    enter(w, WIRE_FIN_SENT);
    wire_flush_in_verb(w);
    wire_tell_state(w);
    return 0;
}

/* RST once what is queued has left and is ACKed. */
static void reset_drained(struct wire *w)
{
    bool fin_sent = wire_behind_fin(w);
    enter(w, WIRE_RESETTING);
    w->drained_at = w->fault_since;
    timer_at(&w->limit, w->drained_at + LIMIT_DRAIN);
    if (fin_sent)
        wire_rst_drained(w);
    else
        wire_flush_in_verb(w);
}

/* RST, once so much of what the kernel has is looked at. */
static void reset_behind(struct wire *w, size_t unread, uint64_t fault)
{
    w->reset_left = unread < LIMIT_HELD ? unread : LIMIT_HELD;
    w->reset_fault = fault;
    w->reset_due = true;
    timer_at(&w->limit, clock_now()); /* at the latest */
}

/* RST now; but what is read already, or waits in the kernel, was sent before it, and is looked at
 * first. Where a fault has said the end already it was sent into that one: the state stays until
 * then. */
static void reset_at_once(struct wire *w)
{
    bool ended = wire_draws_rst(w) || w->state == WIRE_RESETTING;
    int unread = wire_unread(w);
    if (!w->corked && unread <= 0) {
        take_fault(w);
        wire_end(w, WIRE_LAST_RST, BY_FAULT, HOW_AS_SEEN);
        return;
    }
    wire_discard(w);
    if (!ended) {
        enter(w, WIRE_RESETTING);
        w->effect = WIRE_WAITING;
    }
    reset_behind(w, unread > 0 ? (size_t)unread : 0, w->announced);
}

int wire_rst(struct wire *w, bool drain)
{
    if (wire_ready(w, drain ? WIRE_VERB_RST_DRAINED : WIRE_VERB_RST))
        return WIRE_TOO_LATE;
    bool drawn = wire_draws_rst(w) && wire_unread(w) > 0 && !wire_lingers(w);
    verb_begins(w, STEP_RST, false);
    if (!drain || drawn || w->state == WIRE_BLACK_HOLED) {
        reset_at_once(w);
    } else {
        drop_unsaid(w);
        reset_drained(w);
    }
    wire_tell_state(w);
    return 0;
}

int wire_forget(struct wire *w, bool exact)
{
    if (wire_ready(w, WIRE_VERB_FORGET))
        return WIRE_TOO_LATE;
    if (exact && !caps_have(CAP_REPAIR))
        return -EPERM;
    drop_unsaid(w);
    verb_begins(w, STEP_FORGET, false);
    enter(w, WIRE_FORGOTTEN);
    w->exact = exact;
    delay_acks(w);
    wire_flush_in_verb(w);
    wire_tell_state(w);
    return 0;
}

int wire_close_notify(struct wire *w)
{
    if (wire_ready(w, WIRE_VERB_CLOSE_NOTIFY))
        return WIRE_TOO_LATE;
    wire_tls_notify(w);
    wire_flush_in_verb(w);
    return 0;
}

/* --- stall */

static void stall(struct wire *w)
{
    enter(w, WIRE_STALLED);
    if (w->peer_fin)
        wire_end_later(w);
    else
        timer_cancel(&w->limit);
}

int wire_stall(struct wire *w)
{
    if (wire_ready(w, WIRE_VERB_STALL))
        return WIRE_TOO_LATE;
    verb_begins(w, STEP_STALL, false);
    stall(w);
    wire_flush_in_verb(w);
    wire_tell_state(w);
    return 0;
}

/* Back into service, or to where an orderly end was cut; what came meanwhile is looked at in the
 * next turn of the loop. */
static void serve_again(struct wire *w)
{
    int64_t now = clock_now();
    wire_verb_undone(w, "not done: it was ended before it was in effect");
    wire_leave(w);
    w->state = w->end_by ? WIRE_ENDING : w->established ? WIRE_OPEN : WIRE_HANDSHAKE;
    w->effect = WIRE_LEAVING;
    w->before_left = w->earlier_left = 0;
    w->into_earlier = false;
    w->hup_seen = false;
    timer_at(&w->limit, w->end_by ? now + LIMIT_FLUSH : now);
    wire_keepalive_begin(w);
    wire_flush_in_verb(w);
}

int wire_resume(struct wire *w)
{
    if (wire_ready(w, WIRE_VERB_RESUME))
        return WIRE_TOO_LATE;
    serve_again(w);
    if (w->peer_fin)
        wire_keepalive_probe(w);
    wire_tell_state(w);
    return 0;
}

/* --- black hole */

static void hole_begins(struct wire *w)
{
    w->effect = WIRE_IN_EFFECT;
    timer_at(&w->limit, w->fault_since + LIMIT_WATCHED);
    wire_watch_black_hole(w);
}

/* Has the client ACKed all we sent, as far as we wait for that? If not, looks again in a while.
 * *unacked: how many bytes it has not; negative: unknown. */
static bool acked_or_late(struct wire *w, int *unacked)
{
    int64_t now = clock_now();
    *unacked = wire_unacked(w);
    if (*unacked >= 0 && w->effect == WIRE_LEAVING)
        *unacked += (int)wire_waiting(w);
    if (*unacked == 0 || now - w->drained_at >= LIMIT_DRAIN)
        return true;
    timer_at(&w->limit, now + DRAIN_LOOK);
    return false;
}

/* Looks whether the kernel can forget the connection: only when nothing of ours is on its way. */
static void forget_look(struct wire *w)
{
    int unacked;
    if (w->corked || wire_early_left(w) > 0) /* what came before is looked at first */
        timer_at(&w->limit, clock_now() + (w->corked ? 0 : DRAIN_LOOK));
    else if (acked_or_late(w, &unacked))
        wire_end(w, WIRE_LAST_QUIET, BY_FAULT, HOW_AS_SEEN); /* and it is in effect */
}

/* Looks whether the RST can go out. */
static void rst_look(struct wire *w)
{
    int unacked;
    char why[96] = "in effect: all we sent is ACKed";
    if (!acked_or_late(w, &unacked))
        return;
    if (unacked < 0)
        snprintf(why, sizeof why, "in effect; the kernel does not say whether all is ACKed");
    else if (unacked > 0)
        snprintf(why, sizeof why, "in effect, but %d bytes of ours are not ACKed", unacked);
    wire_verb_in_effect(w, why);
    if (w->corked || (wire_early_left(w) > 0 && wire_unread(w) > 0))
        reset_behind(w, wire_early_left(w), w->fault);
    else
        wire_end(w, WIRE_LAST_RST, BY_FAULT, HOW_AS_SEEN);
}

/* Looks whether the black hole can begin. */
static void hole_look(struct wire *w)
{
    int unacked;
    char why[96] = "in effect: all we sent is ACKed";
    if (!acked_or_late(w, &unacked))
        return;
    w->effect = WIRE_WAITING;
    int error = filter_drop_all(w->fd);
    if (error)
        snprintf(why, sizeof why, "the kernel refused it: errno %d", -error);
    else if (unacked < 0)
        snprintf(why, sizeof why, "in effect; the kernel does not say whether all is ACKed");
    else if (unacked > 0)
        snprintf(why, sizeof why,
                 "in effect, but %d bytes of ours are not ACKed and will be retransmitted",
                 unacked);
    ledger_done(w, !error, why);
    if (error) {
        wire_end_error(w, WIRE_LAST_RST, BY_SERVER, -error);
        return;
    }
    w->fault_since = clock_now(); /* what was queued took its time to leave */
    hole_begins(w);
}

int wire_black_hole(struct wire *w)
{
    if (wire_ready(w, WIRE_VERB_BLACK_HOLE))
        return WIRE_TOO_LATE;
    if (!caps_have(CAP_BLACK_HOLE))
        return -EPERM;
    w->black_hole_used_at = TIME_NONE;
    bool quiet = w->effect != WIRE_LEAVING; /* a stall, and nothing is said on the way from it */
    if ((quiet || wire_waiting(w) == 0) && wire_unacked(w) == 0) {
        int error = filter_drop_all(w->fd);
        if (error)
            return error;
        verb_begins(w, STEP_BLACK_HOLE, false);
        enter(w, WIRE_BLACK_HOLED);
        hole_begins(w);
        wire_verb_in_effect(w, NULL);
        wire_poll(w);
    } else {
        verb_begins(w, STEP_BLACK_HOLE, false);
        enter(w, WIRE_BLACK_HOLED);
        w->drained_at = w->fault_since;
        if (quiet)
            wire_black_hole_drained(w);
        else
            wire_flush_in_verb(w); /* the rest is in wire_black_hole_drained */
    }
    wire_tell_state(w);
    return 0;
}

int wire_heal(struct wire *w)
{
    if (wire_ready(w, WIRE_VERB_HEAL))
        return WIRE_TOO_LATE;
    int error = w->effect == WIRE_IN_EFFECT ? filter_none(w->fd) : 0;
    if (error)
        return error;
    serve_again(w);
    wire_keepalive_probe(w); /* the client's RST may be among what was dropped */
    wire_tell_state(w);
    return 0;
}

/* --- All that was queued is with the kernel; and the limit of each */

void wire_fin_drained(struct wire *w)
{
    delay_acks(w);
    wire_send_fin(w);
    w->fault_since = w->drained_at; /* what was queued took its time to leave */
}

void wire_fin_limit(struct wire *w)
{
    if (wire_behind_fin(w))
        wire_fin_wait_over(w);
    else
        wire_end(w, WIRE_LAST_CLOSE, BY_FAULT, HOW_FIN);
}

void wire_forget_drained(struct wire *w)
{
    w->effect = WIRE_IN_EFFECT;
    wire_mark_before(w);
    w->fault_since = w->drained_at;
    timer_at(&w->limit, w->drained_at + LIMIT_WATCHED);
    if (w->exact)
        forget_look(w);
    else
        wire_verb_in_effect(w, NULL);
}

/* The kernel can keep the promise without us, if it lets us end with nothing said. */
void wire_forget_limit(struct wire *w)
{
    if (w->exact)
        forget_look(w);
    else if (w->peer_fin || caps_have(CAP_REPAIR))
        wire_end(w, WIRE_LAST_QUIET, BY_FAULT, HOW_AS_SEEN);
}

void wire_stall_drained(struct wire *w)
{
    w->effect = WIRE_IN_EFFECT;
    wire_verb_in_effect(w, NULL);
}

void wire_stall_limit(struct wire *w)
{
    wire_end(w, WIRE_LAST_CLOSE, BY_CLIENT, HOW_FIN);
}

void wire_black_hole_drained(struct wire *w)
{
    w->effect = WIRE_WAITING;
    hole_look(w);
}

void wire_black_hole_limit(struct wire *w)
{
    if (w->effect == WIRE_IN_EFFECT)
        wire_end(w, WIRE_LAST_QUIET, BY_FAULT, HOW_AS_SEEN);
    else
        hole_look(w);
}

void wire_rst_drained(struct wire *w)
{
    w->effect = WIRE_WAITING;
    rst_look(w);
}

void wire_rst_limit(struct wire *w)
{
    rst_look(w);
}

void wire_verb_cut(struct wire *w, enum wire_cut how)
{
    w->cutting = true;
    switch (how) {
    case WIRE_CUT_FIN:
        wire_discard(w);
        enter(w, WIRE_FIN_SENT);
        wire_flush_in_verb(w);
        break;
    case WIRE_CUT_RST:
        wire_discard(w);
        verb_begins(w, STEP_RST, true);
        reset_drained(w);
        break;
    case WIRE_CUT_STALL:
        stall(w);
        w->effect = WIRE_IN_EFFECT; /* what lies behind is kept, for a resume */
        wire_poll(w);
        break;
    }
    wire_tell_state(w);
}
