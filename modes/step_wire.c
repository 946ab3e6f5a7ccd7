/* step_wire.c - steps that are verbs of the wire: how a connection ends, falls silent, and how what
 * is said leaves. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "modes/language.h"
#include "modes/runtime.h"
#include "wire/wire.h"

/* --- Ends and silences */

int do_fin(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
           const struct mode_step *step)
{
    return wire_fin(mc->wire, step->arg[0].number, step->arg[1].number, step->arg[2].number);
}

int do_rst(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
           const struct mode_step *step)
{
    return wire_rst(mc->wire, step->arg[0].number);
}

int do_forget(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
              const struct mode_step *step)
{
    return wire_forget(mc->wire, step->arg[0].number);
}

int do_black_hole(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                  const struct mode_step *step)
{
    return wire_black_hole(mc->wire);
}

int do_heal(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
            const struct mode_step *step)
{
    return wire_heal(mc->wire);
}

int do_stall(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
             const struct mode_step *step)
{
    return wire_stall(mc->wire);
}

int do_resume(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
              const struct mode_step *step)
{
    return wire_resume(mc->wire);
}

/* --- TLS */

int do_close_notify(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                    const struct mode_step *step)
{
    return wire_is_tls(mc->wire) ? wire_close_notify(mc->wire) : STEP_SKIPPED;
}

const char *const alert_levels[] = { "fatal", "warning", NULL };

/* RFC 8446 6.2, but for what a client alone says; close_notify is a step of its own. */
const char *const alert_names[] = {
    "unexpected_message",
    "bad_record_mac",
    "record_overflow",
    "handshake_failure",
    "bad_certificate",
    "unsupported_certificate",
    "certificate_revoked",
    "certificate_expired",
    "certificate_unknown",
    "illegal_parameter",
    "unknown_ca",
    "access_denied",
    "decode_error",
    "decrypt_error",
    "protocol_version",
    "insufficient_security",
    "internal_error",
    "inappropriate_fallback",
    "user_canceled",
    "missing_extension",
    "unsupported_extension",
    "unrecognized_name",
    "unknown_psk_identity",
    "certificate_required",
    "no_application_protocol",
    NULL,
};

/* alert {description, level} */
int do_alert(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
             const struct mode_step *step)
{
    static const uint8_t descriptions[] = { /* as alert_names */
                                            10, 20, 22, 40, 42, 43, 44,  45,  46,  47,  48,  49, 50,
                                            51, 70, 71, 80, 86, 90, 109, 110, 112, 115, 116, 120
    };
    if (!wire_is_tls(mc->wire))
        return STEP_SKIPPED;
    return wire_alert(mc->wire, step->arg[1].number == 0, descriptions[step->arg[0].number]);
}

/* --- Shaping */

/* throttle {rate} */
int do_throttle(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                const struct mode_step *step)
{
    return wire_throttle(mc->wire, (uint32_t)step->arg[0].number);
}

/* drip {chunk, every} */
int build_drip(struct compiler *c, const struct path *at, struct mode_step *step)
{
    struct path here = PATH_KEY(at, "every");
    return step->arg[1].number == DURATION_NEVER
               ? refuse_at(c, &here, "a duration, or \"stall\" for a connection that says nothing",
                           "a drop that never comes is no drip")
               : 0;
}

int do_drip(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
            const struct mode_step *step)
{
    return wire_pace(mc->wire, (uint32_t)step->arg[0].number, step->arg[1].number);
}

const char *const cut_names[] = { "fin", "rst", "stall", NULL }; /* as enum wire_cut */

/* cut {after, how} */
int do_cut(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
           const struct mode_step *step)
{
    return wire_cut(mc->wire, (uint64_t)step->arg[0].number, (enum wire_cut)step->arg[1].number);
}

/* inject {text, hex, tls}: the bytes become arg[1]. */
int build_inject(struct compiler *c, const struct path *at, struct mode_step *step)
{
    const char *text = step->arg[0].text;
    bool has_hex = step->arg[1].bytes->len > 0;
    if (has_hex == (*text != '\0'))
        return refuse_at(c, at, "exactly one of text and hex",
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
int do_inject(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
              const struct mode_step *step)
{
    const struct mode_bytes *bytes = step->arg[1].bytes;
    bool tls = step->arg[2].number && wire_state(mc->wire) != WIRE_HANDSHAKE;
    return wire_inject(mc->wire, bytes->bytes, bytes->len, tls);
}
