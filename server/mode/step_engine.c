/* step_engine.c - steps that are verbs of the HTTP/2 engine, for the whole connection. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "engine/engine.h"
#include "mode/language.h"
#include "mode/runtime.h"
#include "wire/wire.h"

/* 0, or why nothing can be asked of the engine. */
int step_ready_engine(const struct mode_conn *mc, const struct mode_exchange *mx,
                      const struct mode_step *step)
{
    if (!wire_can_send(mc->wire))
        return WIRE_TOO_LATE;
    if (!mc->engine)
        return -ENOTSUP;
    return engine_can_say(mc->engine) ? 0 : ENGINE_TOO_LATE;
}

static int ready_setting(const struct mode_conn *mc, const struct mode_step *step,
                         enum engine_setting setting)
{
    int outcome = step_ready_engine(mc, NULL, step);
    if (!outcome && engine_is_set(mc->engine, setting, (uint32_t)step->arg[0].number))
        return STEP_SO_ALREADY;
    return outcome;
}

int step_ready_ignore_pings(const struct mode_conn *mc, const struct mode_exchange *mx,
                            const struct mode_step *step)
{
    return ready_setting(mc, step, ENGINE_IGNORE_PINGS);
}

int step_ready_ignore_settings(const struct mode_conn *mc, const struct mode_exchange *mx,
                               const struct mode_step *step)
{
    return ready_setting(mc, step, ENGINE_IGNORE_SETTINGS);
}

int step_ready_window(const struct mode_conn *mc, const struct mode_exchange *mx,
                      const struct mode_step *step)
{
    int outcome = step_ready_engine(mc, mx, step);
    if (!outcome && engine_is_set(mc->engine, ENGINE_KEEP_WINDOWS, !step->arg[1].number) &&
        (uint32_t)step->arg[0].number == mc->initial_window)
        return STEP_SO_ALREADY;
    return outcome;
}

static int set(struct mode_conn *mc, enum engine_setting setting, int64_t value)
{
    return engine_set(mc->engine, setting, (uint32_t)value);
}

#define PING_OPAQUE 8 /* octets; RFC 9113 6.7 */

static int send_ping(struct mode_conn *mc, const uint8_t opaque[PING_OPAQUE])
{
    char text[2 * PING_OPAQUE + 1];
    uint64_t before = wire_end_offset(mc->wire);
    int error = engine_ping(mc->engine, opaque);
    if (error)
        return error;
    if (mc->calls->pinged)
        mc->calls->pinged(mc->host, opaque, before);
    ledger_begin(mc->ledger, EV_PING_SENT, mc->id, 0);
    ledger_bytes(mc->ledger, F_OPAQUE, text, hex_write(opaque, PING_OPAQUE, text));
    ledger_int(mc->ledger, F_FAULT, (int64_t)mc->acting);
    ledger_commit(mc->ledger);
    return 0;
}

/* goaway {error, last, debug, then_hold, barrier}: the frame is arg[1]. */
int step_build_goaway(struct compiler *c, const struct path *at, struct mode_step *step)
{
    struct goaway *goaway = program_alloc(c->program, sizeof *goaway);
    if (!goaway)
        return -ENOMEM;
    *goaway = *step->arg[1].goaway;
    goaway->error = (uint32_t)step->arg[0].number;
    goaway->debug = step->arg[2].text;
    goaway->debug_len = strlen(step->arg[2].text);
    step->arg[1].goaway = goaway;
    return 0;
}

static const uint8_t barrier_opaque[PING_OPAQUE] = "barrier";

int step_do_goaway(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                   const struct mode_step *step)
{
    int error = engine_goaway(mc->engine, step->arg[1].goaway);
    if (error)
        return error;
    mc->goaway_at = clock_now();
    mc->goaway_fault = mc->acting;
    if (step->arg[4].number)
        error = send_ping(mc, barrier_opaque);
    if (!error && step->arg[3].number) {
        mc->held = true;
        error = engine_set(mc->engine, ENGINE_HOLD_STREAMS, 1);
    }
    return error == ENGINE_TOO_LATE ? 0 : error; /* it has said the GOAWAY, and no more */
}

int step_do_goaway_notice(struct mode_conn *mc, struct mode_exchange *mx,
                          struct mode_program *program, const struct mode_step *step)
{
    return engine_goaway_notice(mc->engine);
}

/* ping {opaque} */
int step_do_ping(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                 const struct mode_step *step)
{
    return send_ping(mc, step->arg[0].bytes->bytes);
}

int step_do_ignore_pings(struct mode_conn *mc, struct mode_exchange *mx,
                         struct mode_program *program, const struct mode_step *step)
{
    return set(mc, ENGINE_IGNORE_PINGS, step->arg[0].number);
}

int step_do_ignore_settings(struct mode_conn *mc, struct mode_exchange *mx,
                            struct mode_program *program, const struct mode_step *step)
{
    return set(mc, ENGINE_IGNORE_SETTINGS, step->arg[0].number);
}

/* window {initial, update}: the setting is said when it differs from what is in force. */
int step_do_window(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                   const struct mode_step *step)
{
    uint32_t initial = (uint32_t)step->arg[0].number;
    int error = set(mc, ENGINE_KEEP_WINDOWS, !step->arg[1].number);
    if (error || initial == mc->initial_window)
        return error;
    error = set(mc, ENGINE_INITIAL_WINDOW, initial);
    if (!error)
        mc->initial_window = initial;
    return error;
}

/* max_streams {count} */
int step_do_max_streams(struct mode_conn *mc, struct mode_exchange *mx,
                        struct mode_program *program, const struct mode_step *step)
{
    return set(mc, ENGINE_MAX_STREAMS, step->arg[0].number);
}
