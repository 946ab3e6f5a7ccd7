/* answer.c - what a request is answered with, and when: by the endpoint, by a rule, or with a
 * refusal of our own; once it is whole and nothing holds it. Also the mode that a URL asks for.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "endpoint/endpoint.h"
#include "run/run_impl.h"

/* --- The mode that a URL asks for: /mode/NAME;k=v/REST */

static void refuse_mode(struct session_exchange *sx, int error, const struct refusal *why)
{
    sx->kind = error == MODE_UNKNOWN                                 ? PROBLEM_NO_MODE
               : error == MODE_UNAVAILABLE || error == MODE_NOT_HERE ? PROBLEM_UNAVAILABLE
                                                                     : PROBLEM_VALUE;
    sx->refusal = error < 0 ? NULL : malloc(sizeof *why);
    if (sx->refusal)
        *sx->refusal = *why;
    else
        sx->kind = PROBLEM_NO_MEMORY;
    sx->problem = problem_row(sx->kind)->status;
}

void answer_obey_url(struct session_exchange *sx, struct request *request)
{
    struct session *s = sx->session;
    const char *spec = request->target + strlen("/mode/");
    size_t len = strcspn(spec, "/?");
    struct mode_program *program;
    struct refusal why;
    const char *rest = spec[len] == '/' ? spec + len : "/";
    request->target = rest;
    if (s->mode_text && strlen(s->mode_text) == len && memcmp(s->mode_text, spec, len) == 0)
        return;
    int error = catalogue_compile_text(s->run->config.catalogue, spec, len,
                                       s->run->config.time_scale, &program, &why);
    if (!error && (error = fits_url(s, sx->mx.ex, program, &why)))
        mode_unref(program);
    if (error) {
        refuse_mode(sx, error, &why);
        return;
    }
    free(s->mode_text);
    s->mode_text = strndup(spec, len); /* without memory it is set anew the next time */
    session_set_mode(s, program, PLAN_NONE);
    s->early = false;
    fits_look(s, true);
    mode_unref(program);
}

/* --- Headers that rules have set */

static bool same_name(const struct header *a, const struct header *b)
{
    return a->name_len == b->name_len && strncasecmp(a->name, b->name, a->name_len) == 0;
}

/* Whether one of the set headers before end has this name. */
static bool is_set(const struct mode_header *set, const struct mode_header *end,
                   const struct header *header)
{
    while (set != end && !same_name(set->header, header))
        set = set->next;
    return set != end;
}

/* Puts the headers that rules have set into the response, in the order they were set, in place of
 * its own of the same names. The array is the caller's to free once the engine has the answer. NULL
 * without memory. */
static struct header *set_headers(const struct mode_header *set, struct response *response)
{
    size_t count = 0, kept = 0;
    for (const struct mode_header *m = set; m; m = m->next)
        count++;
    struct header *all = calloc(response->header_count + count, sizeof *all);
    if (!all)
        return NULL;
    for (size_t i = 0; i < response->header_count; i++)
        if (!is_set(set, NULL, &response->headers[i]))
            all[kept++] = response->headers[i];
    size_t end = kept + count, first = end;
    for (const struct mode_header *m = set; m; m = m->next) /* the newest first */
        if (!is_set(set, m, m->header))
            all[--first] = *m->header;
    memmove(all + kept, all + first, (end - first) * sizeof *all);
    response->headers = all;
    response->header_count = kept + end - first;
    return all;
}

/* --- Answering */

static bool may_answer(const struct session_exchange *sx)
{
    return sx->reached == REACHED_COMPLETE && sx->mx.gates == 0 && !sx->mx.ended &&
           session_may_say(sx->session);
}

/* The rules of "response at start" fire, once. Returns whether it is to be answered now. */
static bool started(struct session_exchange *sx)
{
    struct session *s = sx->session;
    if (sx->start_fired)
        return true;
    sx->start_fired = true;
    if (!sx->problem && !sx->mx.instead) {
        ledger_begin(s->run->ledger, EV_PROCESSED, s->id, sx->copy.nth);
        ledger_int(s->run->ledger, F_ATTEMPT, sx->read.attempt);
        ledger_commit(s->run->ledger);
    }
    return exchange_fire(sx, ON_RESPONSE_START) && may_answer(sx);
}

/* What a rule has announced is what is sent, also to a body that is too large; but a mode that the
 * URL asks for in vain is told to whoever wrote it. */
static void choose(struct session_exchange *sx)
{
    if (!sx->problem || !sx->mx.instead)
        return;
    if (sx->problem == 413)
        sx->problem = 0;
    else
        mode_exchange_overtaken(&sx->mx, "the mode that the URL asks for is refused instead");
}

static void compose(const struct session_exchange *sx, struct response *response)
{
    static const struct refusal no_memory = { .what = "the server is out of memory" };
    const struct session *s = sx->session;
    const struct exchange *ex = sx->mx.ex;
    struct endpoint *endpoint = s->run->config.endpoint;
    if (sx->problem == 413) {
        endpoint_problem(endpoint, 413, "The request body is larger than this server takes.",
                         response);
    } else if (sx->problem) {
        endpoint_refuse(endpoint, sx->kind, sx->refusal ? sx->refusal : &no_memory, response);
    } else if (sx->mx.instead) {
        *response = *sx->mx.instead;
    } else {
        const struct served served = { s->id, ex->nth, engine_protocol(s->engine),
                                       sx->read.attempt };
        endpoint_answer(endpoint, &ex->request, &served, response);
    }
}

static void answer(struct session_exchange *sx)
{
    struct session *s = sx->session;
    struct exchange *ex = sx->mx.ex;
    struct response response = { 0 };
    struct header *headers = NULL;
    choose(sx);
    compose(sx, &response);
    if (sx->mx.set && !(headers = set_headers(sx->mx.set, &response))) {
        if (response.release)
            response.release(response.release_arg);
        wire_abort(s->wire, "server", "out of memory");
        return;
    }
    sx->reached = REACHED_ANSWERING;
    sx->mx.answering = true;
    sx->status = response.status;
    ledger_begin(s->run->ledger, EV_RESPONSE_START, s->id, ex->nth);
    ledger_int(s->run->ledger, F_STATUS, response.status);
    ledger_commit(s->run->ledger);
    places_begin(sx);
    int error = engine_respond(ex, &response);
    free(headers);
    if (error < 0)
        log_warn("connection %llu: cannot answer: %s", (unsigned long long)s->id, strerror(-error));
}

void answer_go_on(struct session_exchange *sx)
{
    if (sx->mx.standing)
        places_go_on(sx);
    else if (may_answer(sx) && started(sx))
        answer(sx);
}

void answer_all(struct session *s)
{
    static uint32_t pass;
    struct link *i = s->exchanges.next;
    pass++;
    while (i != &s->exchanges) {
        struct session_exchange *sx = link_entry(i, struct session_exchange, link);
        if (sx->tried == pass) {
            i = i->next;
            continue;
        }
        sx->tried = pass;
        answer_go_on(sx); /* which may end any of them */
        i = s->exchanges.next;
    }
}

void answer_let_go(struct session *s)
{
    for (struct link *i = s->exchanges.next; i != &s->exchanges; i = i->next) {
        struct session_exchange *sx = link_entry(i, struct session_exchange, link);
        mode_exchange_let_go(&sx->mx);
    }
    answer_all(s);
}
