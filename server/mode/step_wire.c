/* step_wire.c - steps that are verbs of the wire: how a connection ends, falls silent, and how what
 * is said leaves. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "mode/language.h"
#include "mode/runtime.h"
#include "wire/tls_alert.h"
#include "wire/wire.h"

/* --- When they do anything */

int step_ready_verb(const struct mode_conn *mc, const struct mode_exchange *mx,
                    const struct mode_step *step)
{
    return wire_ready(mc->wire, step->row->verb);
}

int step_ready_rst(const struct mode_conn *mc, const struct mode_exchange *mx,
                   const struct mode_step *step)
{
    return wire_ready(mc->wire, step->arg[0].number ? WIRE_VERB_RST_DRAINED : WIRE_VERB_RST);
}

int step_ready_tls_verb(const struct mode_conn *mc, const struct mode_exchange *mx,
                        const struct mode_step *step)
{
    return wire_is_tls(mc->wire) ? wire_ready(mc->wire, step->row->verb) : STEP_SKIPPED;
}

/* Without a pace there is none to end. */
int step_ready_pace(const struct mode_conn *mc, const struct mode_exchange *mx,
                    const struct mode_step *step)
{
    int outcome = wire_ready(mc->wire, step->row->verb);
    return !outcome && !step->arg[0].number && !wire_is_paced(mc->wire) ? STEP_SO_ALREADY : outcome;
}

/* The first cut of several responses at once ends the connection: a later one would let out what
 * lies behind that. */
int step_ready_cut(const struct mode_conn *mc, const struct mode_exchange *mx,
                   const struct mode_step *step)
{
    int outcome = wire_ready(mc->wire, step->row->verb);
    return !outcome && wire_cut_is_full(mc->wire) ? STEP_BEHIND_CUT : outcome;
}

/* --- Ends and silences */

int step_do_fin(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                const struct mode_step *step)
{
    return wire_fin(mc->wire, step->arg[0].number, step->arg[1].number, step->arg[2].number);
}

int step_do_rst(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                const struct mode_step *step)
{
    return wire_rst(mc->wire, step->arg[0].number);
}

int step_do_forget(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                   const struct mode_step *step)
{
    return wire_forget(mc->wire, step->arg[0].number);
}

int step_do_black_hole(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                       const struct mode_step *step)
{
    return wire_black_hole(mc->wire);
}

int step_do_heal(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                 const struct mode_step *step)
{
    return wire_heal(mc->wire);
}

int step_do_stall(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                  const struct mode_step *step)
{
    return wire_stall(mc->wire);
}

int step_do_resume(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                   const struct mode_step *step)
{
    return wire_resume(mc->wire);
}

/* --- TLS */

int step_do_close_notify(struct mode_conn *mc, struct mode_exchange *mx,
                         struct mode_program *program, const struct mode_step *step)
{
    return wire_close_notify(mc->wire);
}

const char *const step_alert_levels[] = { "fatal", "warning", NULL };

/* RFC 8446 6.2, but for what a client alone says; close_notify is a step of its own. */
#define X(number, name) #name,
const char *const step_alert_names[] = { TLS_ALERTS_OF_SERVERS(X) NULL };
#undef X

/* alert {description, level} */
int step_do_alert(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                  const struct mode_step *step)
{
#define X(number, name) number,
    static const uint8_t descriptions[] = { TLS_ALERTS_OF_SERVERS(X) }; /* as step_alert_names */
#undef X
    return wire_alert(mc->wire, step->arg[1].number == 0, descriptions[step->arg[0].number]);
}

/* --- Shaping */

/* throttle {rate} */
int step_do_throttle(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                     const struct mode_step *step)
{
    return wire_throttle(mc->wire, (uint32_t)step->arg[0].number);
}

/* drip {chunk, every} */
int step_build_drip(struct compiler *c, const struct path *at, struct mode_step *step)
{
    struct path here = PATH_KEY(at, "every");
    return step->arg[1].number == DURATION_NEVER
               ? mode_refuse_at(c, &here,
                                "a duration, or \"stall\" for a connection that says nothing",
                                "a drop that never comes is no drip")
               : 0;
}

int step_do_drip(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                 const struct mode_step *step)
{
    return wire_pace(mc->wire, (uint32_t)step->arg[0].number, step->arg[1].number);
}

const char *const step_cut_names[] = { "fin", "rst", "stall", NULL }; /* as enum wire_cut */

/* cut {after, how} */
int step_do_cut(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                const struct mode_step *step)
{
    return wire_cut(mc->wire, (uint64_t)step->arg[0].number, (enum wire_cut)step->arg[1].number);
}

/* inject {text, hex, tls}: the bytes become arg[1]. */
int step_build_inject(struct compiler *c, const struct path *at, struct mode_step *step)
{
    const char *text = step->arg[0].text;
    bool has_hex = step->arg[1].bytes->len > 0;
    if (has_hex == (*text != '\0'))
        return mode_refuse_at(c, at, "exactly one of text and hex",
                              has_hex ? "both are given" : "there is nothing to inject");
    if (has_hex)
        return 0;
    struct mode_bytes *bytes = program_alloc(c->program, sizeof *bytes);
    if (!bytes)
        return -ENOMEM;
    *bytes = (struct mode_bytes){ (const uint8_t *)text, strlen(text) };
    step->arg[1].bytes = bytes;
    return 0;
}

/* Before TLS is established there is none to go into: straight onto the socket. */
int step_do_inject(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                   const struct mode_step *step)
{
    const struct mode_bytes *bytes = step->arg[1].bytes;
    bool tls = step->arg[2].number && wire_state(mc->wire) != WIRE_HANDSHAKE;
    return wire_inject(mc->wire, bytes->bytes, bytes->len, tls);
}
