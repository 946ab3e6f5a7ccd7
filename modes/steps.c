/* steps.c - what a rule does: the steps, their arguments, and how they are done. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "engine/engine.h"
#include "modes/language.h"
#include "modes/runtime.h"
#include "wire/wire.h"

/* --- Doing */

static int do_fin(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                  const struct mode_step *step)
{
    return wire_fin(mc->wire, step->arg[0].number);
}

static int do_rst(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                  const struct mode_step *step)
{
    return wire_rst(mc->wire);
}

static int do_forget(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                     const struct mode_step *step)
{
    return wire_forget(mc->wire, step->arg[0].number);
}

static int do_black_hole(struct mode_conn *mc, struct mode_exchange *mx,
                         struct mode_program *program, const struct mode_step *step)
{
    return wire_black_hole(mc->wire);
}

static int do_heal(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                   const struct mode_step *step)
{
    return wire_heal(mc->wire);
}

static int do_stall(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                    const struct mode_step *step)
{
    return wire_stall(mc->wire);
}

static int do_resume(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                     const struct mode_step *step)
{
    return wire_resume(mc->wire);
}

static int do_goaway(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                     const struct mode_step *step)
{
    if (wire_state(mc->wire) != WIRE_OPEN)
        return WIRE_TOO_LATE;
    int outcome = mc->engine ? engine_goaway(mc->engine, step->arg[1].goaway) : -ENOTSUP;
    if (!outcome)
        mc->goaway_at = clock_now();
    return outcome;
}

static int do_goaway_notice(struct mode_conn *mc, struct mode_exchange *mx,
                            struct mode_program *program, const struct mode_step *step)
{
    if (wire_state(mc->wire) != WIRE_OPEN)
        return WIRE_TOO_LATE;
    return mc->engine ? engine_goaway_notice(mc->engine) : -ENOTSUP;
}

static int do_close_notify(struct mode_conn *mc, struct mode_exchange *mx,
                           struct mode_program *program, const struct mode_step *step)
{
    return wire_is_tls(mc->wire) ? wire_close_notify(mc->wire) : STEP_SKIPPED;
}

static int do_respond(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                      const struct mode_step *step)
{
    mode_ref(program);
    mode_unref(mx->program);
    mx->program = program;
    mx->instead = step->arg[2].response;
    return 0;
}

/* --- Completing arguments */

/* goaway {error, last, debug}: the frame is arg[1]. */
static int build_goaway(struct compiler *c, const struct path *at, struct mode_step *step)
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

static bool has_header(const struct response *response, const struct header *wanted)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (response->headers[i].name_len == wanted->name_len &&
            strncasecmp(response->headers[i].name, wanted->name, wanted->name_len) == 0)
            return true;
    return false;
}

/* respond {status, headers, body}: the response is arg[2]. */
static int build_respond(struct compiler *c, const struct path *at, struct mode_step *step)
{
    const struct response *given = step->arg[1].response, *body = step->arg[2].response;
    int status = (int)step->arg[0].number;
    if (body->body_len && (status == 204 || status == 304)) {
        struct path here = PATH_KEY(at, "body");
        return refuse_at(c, &here, "\"\"", "an answer with status %d has no body", status);
    }
    struct response *response = program_alloc(c->program, sizeof *response);
    struct header *headers = program_alloc(c->program, (given->header_count + 1) * sizeof *headers);
    if (!response || !headers)
        return -ENOMEM;
    memcpy(headers, given->headers, given->header_count * sizeof *headers);
    response->status = status;
    response->headers = headers;
    response->header_count = given->header_count;
    response->body = body->body;
    response->body_len = body->body_len;
    if (body->body_len && !has_header(given, body->headers))
        headers[response->header_count++] = *body->headers;
    step->arg[2].response = response;
    return 0;
}

/* --- The rows */

static const struct arg_row no_args[] = { { 0 } };

static const struct arg_row fin_args[] = {
    { .name = "notify",
      .about = "TLS close_notify before it (RFC 8446 6.1)",
      .type = VALUE_BOOL,
      .fallback = "false" },
    { 0 },
};

static const struct arg_row forget_args[] = {
    { .name = "exact",
      .about = "the kernel forgets the connection, so that not even an ACK comes before the RST",
      .type = VALUE_BOOL,
      .fallback = "false",
      .needs = 1u << CAP_REPAIR },
    { 0 },
};

static const struct arg_row goaway_args[] = {
    { .name = "error",
      .about = "the error code",
      .type = VALUE_ERROR_CODE,
      .fallback = "\"NO_ERROR\"" },
    { .name = "last",
      .about = "the last stream that may have been processed",
      .type = VALUE_LAST_STREAM,
      .fallback = "\"seen\"" },
    { .name = "debug", .about = "the debug data", .type = VALUE_TEXT, .fallback = "\"\"" },
    { 0 },
};

static const struct arg_row time_args[] = {
    { .name = "for",
      .about = "how long; \"never\" ends",
      .type = VALUE_DURATION,
      .required = true },
    { 0 },
};

static const struct arg_row respond_args[] = {
    { .name = "status",
      .about = "the status code",
      .type = VALUE_INT,
      .fallback = "200",
      .min = 200,
      .max = 599 },
    { .name = "headers",
      .about = "header names and values; Content-Length and Date are added",
      .type = VALUE_HEADERS,
      .fallback = "{}" },
    { .name = "body",
      .about = "the body: a text as it is, anything else as JSON",
      .type = VALUE_BODY,
      .fallback = "\"\"" },
    { 0 },
};

#define IN_OPEN     (IN_ANY & ~IN(ON_STALE))
#define IN_ENGINE   (IN_OPEN & ~(IN(ON_ACCEPT) | IN(ON_HANDSHAKE)))
#define IN_EXCHANGE (IN_REQUEST | IN(ON_RESPONSE_START))

const struct step_row step_rows[] = {
    { .name = "fin",
      .about = "ends the connection with FIN (RFC 9293 3.6), and goes on watching it",
      .args = fin_args,
      .slots = IN_ANY,
      .over = OVER_BOTH,
      .fault = true,
      .while_silent = true,
      .effect = EFFECT_ENDS,
      .exec = do_fin },
    { .name = "rst",
      .about = "ends the connection with RST; what was queued is discarded",
      .args = no_args,
      .slots = IN_ANY,
      .over = OVER_BOTH,
      .fault = true,
      .after_end = true,
      .while_silent = true,
      .effect = EFFECT_DESTROYS,
      .exec = do_rst },
    { .name = "forget",
      .about = "says nothing; the client's next segment is answered with RST",
      .args = forget_args,
      .slots = IN_ANY,
      .over = OVER_BOTH,
      .fault = true,
      .while_silent = true,
      .effect = EFFECT_ENDS,
      .exec = do_forget },
    { .name = "black_hole",
      .about = "every segment from the client is dropped, with no ACK, until heal",
      .args = no_args,
      .slots = IN_ANY,
      .over = OVER_BOTH,
      .needs = 1u << CAP_BLACK_HOLE,
      .fault = true,
      .while_silent = true,
      .effect = EFFECT_SILENCES,
      .resumed_by = "heal",
      .exec = do_black_hole },
    { .name = "heal",
      .about = "ends a black hole: what the client retransmits is served",
      .args = no_args,
      .slots = IN_OPEN,
      .over = OVER_BOTH,
      .fault = true,
      .while_silent = true,
      .from_loop = true,
      .effect = EFFECT_RESUMES,
      .exec = do_heal },
    { .name = "stall",
      .about = "reads and ACKs what the client sends, and answers nothing, until resume",
      .args = no_args,
      .slots = IN_OPEN,
      .over = OVER_BOTH,
      .fault = true,
      .effect = EFFECT_SILENCES,
      .resumed_by = "resume",
      .exec = do_stall },
    { .name = "resume",
      .about = "ends a stall: what came meanwhile is served",
      .args = no_args,
      .slots = IN_ANY,
      .over = OVER_BOTH,
      .fault = true,
      .while_silent = true,
      .from_loop = true,
      .effect = EFFECT_RESUMES,
      .exec = do_resume },
    { .name = "goaway",
      .about = "an HTTP/2 GOAWAY frame (RFC 9113 6.8); the connection stays as it is",
      .args = goaway_args,
      .shorthand = true,
      .slots = IN_ENGINE,
      .over = OVER_H2,
      .fault = true,
      .build = build_goaway,
      .exec = do_goaway },
    { .name = "goaway_notice",
      .about = "GOAWAY(2^31-1, NO_ERROR): no more streams, please; new ones are still served",
      .args = no_args,
      .slots = IN_ENGINE,
      .over = OVER_H2,
      .fault = true,
      .exec = do_goaway_notice },
    { .name = "close_notify",
      .about = "a TLS close_notify without touching TCP; requests are read and no longer answered; "
               "skipped on a clear connection",
      .args = no_args,
      .slots = IN_OPEN & ~IN(ON_ACCEPT),
      .over = OVER_BOTH,
      .fault = true,
      .exec = do_close_notify },
    { .name = "wait",
      .about = "lets time pass before the next step; does not hold an answer back",
      .args = time_args,
      .shorthand = true,
      .slots = IN_ANY,
      .over = OVER_BOTH,
      .pauses = true,
      .after_end = true,
      .while_silent = true },
    { .name = "delay",
      .about = "holds the exchange's answer back for a while; the next steps come after it",
      .args = time_args,
      .shorthand = true,
      .slots = IN_EXCHANGE,
      .over = OVER_BOTH,
      .fault = true,
      .in_exchange = true,
      .gates = true,
      .pauses = true },
    { .name = "hold",
      .about = "never answers the exchange; the next steps go on at once",
      .args = no_args,
      .slots = IN_EXCHANGE,
      .over = OVER_BOTH,
      .fault = true,
      .in_exchange = true,
      .gates = true },
    { .name = "respond",
      .about = "answers the exchange with this instead",
      .args = respond_args,
      .shorthand = true,
      .slots = IN_EXCHANGE,
      .over = OVER_BOTH,
      .fault = true,
      .in_exchange = true,
      .build = build_respond,
      .exec = do_respond },
    { 0 },
};
