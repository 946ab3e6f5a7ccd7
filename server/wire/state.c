/* state.c - what a wire does in each of its states, in one table. */
#include "wire/caps.h"
#include "wire/wire_impl.h"

#define V(verb)        (1u << WIRE_VERB_##verb)
#define VERBS_OF_ANY   (V(RST) | V(RST_DRAINED) | V(PACE))
#define VERBS_IN_STALL (VERBS_OF_ANY | V(FIN) | V(FORGET) | V(BLACK_HOLE) | V(CUT))
#define VERBS_SERVING  (VERBS_IN_STALL | V(STALL) | V(ALERT) | V(INJECT))

const struct wire_state_row wire_rows[] = {
    [WIRE_HANDSHAKE] = { .name = "handshake",
                         .serves = true,
                         .reads = true,
                         .ends = WIRE_LAST_CLOSE,
                         .peer_fin = wire_handshake_fin,
                         .verbs = VERBS_SERVING,
                         .limit = wire_take_held },
    [WIRE_OPEN] = { .name = "open",
                    .serves = true,
                    .reads = true,
                    .keeps = true,
                    .ends = WIRE_LAST_CLOSE,
                    .peer_fin = wire_open_fin,
                    .verbs = VERBS_SERVING | V(CLOSE_NOTIFY),
                    .limit = wire_take_held },
    [WIRE_ENDING] = { .into = INTO_ENDING,
                      .reads = true,
                      .late = WIRE_LATE_IN_EFFECT,
                      .ends = WIRE_LAST_CLOSE,
                      .drained = wire_ending_drained,
                      .peer_fin = wire_both_fins,
                      .verbs = VERBS_OF_ANY,
                      .limit = wire_ending_limit },
    [WIRE_FIN_SENT] = { .into = INTO_FIN_SENT,
                        .fault = true,
                        .reads = true,
                        .late = WIRE_LATE_IN_EFFECT,
                        .ends = WIRE_LAST_CLOSE,
                        .drained = wire_fin_drained,
                        .peer_fin = wire_both_fins,
                        .verbs = VERBS_OF_ANY,
                        .limit = wire_fin_limit },
    [WIRE_FORGOTTEN] = { .into = INTO_FORGOTTEN,
                         .fault = true,
                         .reads = true,
                         .silent = true,
                         .late = WIRE_LATE_IN_EFFECT,
                         .ends = WIRE_LAST_QUIET,
                         .drained = wire_forget_drained,
                         .peer_fin = wire_forgotten_fin,
                         .verbs = VERBS_OF_ANY,
                         .limit = wire_forget_limit },
    [WIRE_STALLED] = { .into = INTO_STALLED,
                       .fault = true,
                       .held = true,
                       .reads = true,
                       .keeps = true,
                       .silent = true,
                       .late = WIRE_LATE_AT_ONCE,
                       .ends = WIRE_LAST_CLOSE,
                       .drained = wire_stall_drained,
                       .peer_fin = wire_end_later,
                       .verbs = VERBS_IN_STALL | V(RESUME),
                       .limit = wire_stall_limit },
    [WIRE_BLACK_HOLED] = { .into = INTO_BLACK_HOLED,
                           .fault = true,
                           .held = true,
                           .silent = true,
                           .ends = WIRE_LAST_QUIET,
                           .drained = wire_black_hole_drained,
                           .verbs = VERBS_OF_ANY | V(HEAL) | V(CUT),
                           .leave = wire_watch_black_hole_end,
                           .limit = wire_black_hole_limit },
    [WIRE_RESETTING] = { .into = INTO_RESETTING,
                         .fault = true,
                         .reads = true,
                         .late = WIRE_LATE_AT_ONCE,
                         .ends = WIRE_LAST_RST,
                         .drained = wire_rst_drained,
                         .verbs = V(RST) | V(PACE),
                         .limit = wire_rst_limit },
    [WIRE_CLOSED] = { .name = "closed" },
};

const char *wire_state_name(enum wire_state state)
{
    const struct wire_state_row *row = &wire_rows[state];
    return row->name ? row->name : ledger_word_name(F_SENT_INTO, row->into);
}

enum ledger_into wire_state_into(enum wire_state state)
{
    return wire_rows[state].into;
}

bool wire_state_is_fault(enum wire_state state)
{
    return wire_rows[state].fault;
}

bool wire_state_is_held(enum wire_state state)
{
    return wire_rows[state].held;
}

bool wire_state_is_silent(enum wire_state state)
{
    return wire_rows[state].silent;
}

bool wire_serving(const struct wire *w)
{
    return wire_rows[w->state].serves;
}

bool wire_in_fault(const struct wire *w)
{
    return wire_state_is_fault(w->state);
}

bool wire_behind_fin(const struct wire *w)
{
    return (w->state == WIRE_FIN_SENT || w->state == WIRE_ENDING) && w->effect == WIRE_IN_EFFECT;
}

bool wire_draws_rst(const struct wire *w)
{
    return wire_rows[w->state].late == WIRE_LATE_IN_EFFECT && w->effect == WIRE_IN_EFFECT;
}

bool wire_says_no_more(const struct wire *w)
{
    return w->effect != WIRE_LEAVING && !wire_rows[w->state].held;
}

bool wire_kernel_does_the_same(const struct wire *w)
{
    return wire_behind_fin(w) || (w->state == WIRE_FORGOTTEN && caps_have(CAP_REPAIR));
}

enum ledger_by wire_ended_by(const struct wire *w)
{
    return w->state == WIRE_ENDING ? w->end_by : BY_FAULT;
}

void wire_leave(struct wire *w)
{
    if (wire_rows[w->state].leave)
        wire_rows[w->state].leave(w);
}

void wire_tell_state(struct wire *w)
{
    enum wire_state from = w->told;
    bool cut = w->cutting;
    if (w->state == from)
        return;
    w->told = w->state;
    w->cutting = false;
    if (w->calls->changed)
        w->calls->changed(w->owner, from, cut);
}
