/* step_exchange.c - steps that act on the exchange that fired the rule: its response, its stream.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/engine.h"
#include "mode/language.h"
#include "mode/runtime_impl.h"
#include "wire/wire.h"

/* --- When they do anything */

int step_ready_response(const struct mode_conn *mc, const struct mode_exchange *mx,
                        const struct mode_step *step)
{
    return mx->answering ? STEP_ANSWERED : mx->lost ? STEP_OVER : 0;
}

/* A response that stands at a place can be held there. */
int step_ready_gate(const struct mode_conn *mc, const struct mode_exchange *mx,
                    const struct mode_step *step)
{
    return mx->answering && !mx->standing ? STEP_ANSWERED : mx->lost ? STEP_OVER : 0;
}

/* --- Another response */

static bool has_header(const struct response *response, const struct header *wanted)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (response->headers[i].name_len == wanted->name_len &&
            strncasecmp(response->headers[i].name, wanted->name, wanted->name_len) == 0)
            return true;
    return false;
}

const char *const step_framing_names[] = {
    [FRAMING_LENGTH] = "length", [FRAMING_CHUNKED] = "chunked", [FRAMING_EOF] = "eof", NULL
};

/* respond {status, headers, body, framing}: the response is arg[2]. */
int step_build_respond(struct compiler *c, const struct path *at, struct mode_step *step)
{
    const struct response *given = step->arg[1].response, *body = step->arg[2].response;
    int status = (int)step->arg[0].number;
    if (body->body_len && response_has_no_content(status)) {
        struct path here = PATH_KEY(at, "body");
        return mode_refuse_at(c, &here, "\"\"", "a response with status %d has no body", status);
    }
    if (step->arg[3].number != FRAMING_LENGTH && c->over != OVER_H1) {
        struct path here = PATH_KEY(at, "framing");
        return mode_refuse_at(c, &here, "\"length\", or a rule with \"over\": \"h1\"",
                              "HTTP/2 has frames of its own (RFC 9113 8.1)");
    }
    struct response *response = program_alloc(c->program, sizeof *response);
    struct header *headers = program_alloc(c->program, (given->header_count + 1) * sizeof *headers);
    if (!response || !headers)
        return -ENOMEM;
    memcpy(headers, given->headers, given->header_count * sizeof *headers);
    response->status = status;
    response->framing = (enum response_framing)step->arg[3].number;
    response->headers = headers;
    response->header_count = given->header_count;
    response->body = body->body;
    response->body_len = body->body_len;
    if (body->body_len && !has_header(given, body->headers))
        headers[response->header_count++] = *body->headers;
    step->arg[2].response = response;
    return 0;
}

int step_do_respond(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                    const struct mode_step *step)
{
    if (mx->instead)
        mode_ledger_undone(mc, mx->ex->nth, STEP_RESPOND, mx->instead_fault,
                           "another respond came after it");
    mode_ref(program);
    mode_unref(mx->program);
    mx->program = program;
    mx->instead = step->arg[2].response;
    mx->instead_fault = mc->acting;
    return 0;
}

/* --- Interim responses */

int step_ready_no_continue(const struct mode_conn *mc, const struct mode_exchange *mx,
                           const struct mode_step *step)
{
    int outcome = step_ready_response(mc, mx, step);
    return outcome ? outcome : engine_expects(mx->ex) ? 0 : STEP_NOT_ASKED;
}

int step_do_no_continue(struct mode_conn *mc, struct mode_exchange *mx,
                        struct mode_program *program, const struct mode_step *step)
{
    engine_no_continue(mx->ex);
    return 0;
}

/* interim {status, headers}: the response is arg[1]. */
int step_build_interim(struct compiler *c, const struct path *at, struct mode_step *step)
{
    const struct response *given = step->arg[1].response;
    struct path here = PATH_KEY(at, "status");
    int status = (int)step->arg[0].number;
    if (status == 101)
        return mode_refuse_at(c, &here, "an integer from 100 to 199, but for 101",
                              "101 changes the protocol (RFC 9110 15.2.2), and there is no other");
    struct response *response = program_alloc(c->program, sizeof *response);
    if (!response)
        return -ENOMEM;
    *response = (struct response){ .status = status,
                                   .headers = given->headers,
                                   .header_count = given->header_count };
    step->arg[1].response = response;
    return 0;
}

int step_ready_interim(const struct mode_conn *mc, const struct mode_exchange *mx,
                       const struct mode_step *step)
{
    int outcome = step_ready_response(mc, mx, step);
    if (outcome)
        return outcome;
    if (mode_wire_state(mc) != WIRE_OPEN || !wire_can_send(mc->wire))
        return WIRE_TOO_LATE;
    if (!engine_can_say(mc->engine))
        return ENGINE_TOO_LATE;
    return mc->held || mx->ended           ? STEP_HELD_BACK
           : !engine_takes_interim(mx->ex) ? STEP_NO_INTERIM
                                           : 0;
}

int step_do_interim(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                    const struct mode_step *step)
{
    return engine_interim(mx->ex, step->arg[1].response);
}

/* --- Headers */

/* As RFC 9113 8.2.2 has them; those that would be refused anyhow are left out. */
static bool is_of_the_connection(const char *name)
{
    return strcasecmp(name, "connection") == 0 || strcasecmp(name, "keep-alive") == 0 ||
           strcasecmp(name, "proxy-connection") == 0;
}

/* without: the protocols that have no such header. */
static int refuse_header(struct compiler *c, const struct path *at, const char *name,
                         unsigned without)
{
    char names[PROTOCOL_LIST_SIZE], allowed[PROTOCOL_LIST_SIZE + 32];
    const struct protocol *p = protocols;
    struct path here = PATH_KEY(at, "name");
    while (!(p->bit & without))
        p++;
    snprintf(allowed, sizeof allowed, "a rule with \"over\": %s",
             protocol_list_names(protocol_with_connection_headers(OVER_ALL), names));
    return mode_refuse_at(c, &here, allowed, "%s has no %.20s header (%s)", p->title, name,
                          p->no_connection_headers);
}

/* header {name, value, stay}: the first two together are arg[1]. */
int step_build_header(struct compiler *c, const struct path *at, struct mode_step *step)
{
    const char *name = step->arg[0].text, *value = step->arg[1].text;
    unsigned without = c->over & ~protocol_with_connection_headers(c->over);
    if (without && is_of_the_connection(name))
        return refuse_header(c, at, name, without);
    if (step->arg[2].number &&
        (strcasecmp(name, "connection") != 0 || strcasecmp(value, "close") != 0)) {
        struct path here = PATH_KEY(at, "stay");
        return mode_refuse_at(c, &here, "false, or the header \"Connection: close\"",
                              "no connection ends for the header \"%.40s: %.40s\"", name, value);
    }
    struct header *header = program_alloc(c->program, sizeof *header);
    if (!header)
        return -ENOMEM;
    *header = (struct header){
        .name = name, .value = value, .name_len = strlen(name), .value_len = strlen(value)
    };
    step->arg[1].header = header;
    return 0;
}

int step_do_header(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                   const struct mode_step *step)
{
    struct mode_header *set;
    if (!(set = malloc(sizeof *set)))
        return -ENOMEM;
    *set = (struct mode_header){ .next = mx->set,
                                 .header = step->arg[1].header,
                                 .program = mode_ref(program),
                                 .stay = step->arg[2].number,
                                 .fault = mc->acting };
    mx->set = set;
    return 0;
}

/* --- Its stream */

static int reset_stream(const struct mode_conn *mc, struct mode_exchange *mx, uint32_t error)
{
    mx->ended = true; /* before the call, in which the exchange may go */
    mx->ended_fault = mc->acting;
    int outcome = engine_rst_stream(mc->engine, mx->ex->stream, error);
    if (outcome)
        mx->ended = false;
    return outcome;
}

/* rst_stream {error} */
int step_do_rst_stream(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                       const struct mode_step *step)
{
    return reset_stream(mc, mx, (uint32_t)step->arg[0].number);
}

#define REFUSED_STREAM 7 /* RFC 9113 7, 8.7 */

int step_do_refuse(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                   const struct mode_step *step)
{
    return reset_stream(mc, mx, REFUSED_STREAM);
}
