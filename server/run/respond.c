/* respond.c - what a request is answered with, and when: by the endpoint, by a rule, or with a
 * refusal of our own; once it is whole and nothing holds it. Also the mode that a URL asks for.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "endpoint/endpoint.h"
#include "run/exchange.h"

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

void respond_obey_url(struct session_exchange *sx, struct request *request)
{
    const char *spec = request->target + strlen("/mode/");
    size_t len = strcspn(spec, "/?");
    struct refusal why;
    request->target = spec[len] == '/' ? spec + len : "/";
    int error = sx->xs->calls->url_mode(sx->xs, sx->mx.ex, spec, len, &why);
    if (error)
        refuse_mode(sx, error, &why);
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

/* Whether the newest of those that say something of the connection is said alone. */
static bool stays(const struct mode_header *set)
{
    while (set && !header_is(set->header, "Connection"))
        set = set->next;
    return set && set->stay;
}

/* Puts the headers that rules have set into the response, in the order they were set, in place of
 * its own of the same names. The array is the caller's to free once the engine has the response.
 * NULL without memory. */
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
    response->fixed_headers = false;
    response->header_count = kept + end - first;
    return all;
}

/* --- Answering */

/* What a rule has given before its request is whole is an early response: that does not wait for
 * the content. */
static bool is_early(const struct session_exchange *sx)
{
    return sx->reached == REACHED_HEADERS && sx->mx.instead && sx->mx.ex->request.content;
}

static bool may_respond(const struct session_exchange *sx)
{
    return (sx->reached == REACHED_COMPLETE || is_early(sx)) && sx->mx.gates == 0 &&
           !sx->mx.ended && exchange_may_say(sx->xs);
}

/* How often the endpoint was asked for a response: each lives until the next one. */
static uint32_t asked_for;

/* By the endpoint; returns as endpoint_respond. */
static bool ask_endpoint(const struct session_exchange *sx, struct response *response)
{
    const struct exchanges *xs = sx->xs;
    const struct exchange *ex = sx->mx.ex;
    const struct served served = { xs->id, ex->nth, engine_protocol(xs->engine), sx->read.attempt };
    asked_for++;
    return endpoint_respond(xs->config->endpoint, &ex->request, &served, response);
}

/* RFC 9110 9.2.1. */
static bool is_safe(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
           strcmp(method, "OPTIONS") == 0 || strcmp(method, "TRACE") == 0;
}

/* Has the endpoint execute the request, and ledgers that, unless it refuses it. */
static void execute(const struct session_exchange *sx, struct response *response)
{
    struct exchanges *xs = sx->xs;
    if (!ask_endpoint(sx, response))
        return;
    bool effect = response->status / 100 == 2 && !is_safe(sx->mx.ex->request.method);
    ledger_begin_at(xs->ledger, exchange_now(xs), EV_PROCESSED, xs->id, sx->copy.nth);
    ledger_int(xs->ledger, F_ATTEMPT, sx->read.attempt);
    ledger_int(xs->ledger, F_STATUS, response->status);
    ledger_int(xs->ledger, F_EFFECT, effect);
    ledger_commit(xs->ledger);
}

static void forget(struct response *response)
{
    if (response->release)
        response->release(response->release_arg);
    *response = (struct response){ 0 };
}

/* The rules of "response at start" fire, once. Returns whether it is to be answered now; *response
 * is then what the endpoint has made before, or has status 0. */
static bool started(struct session_exchange *sx, struct response *response)
{
    if (sx->start_fired)
        return true;
    sx->start_fired = true;
    if (!sx->problem && !sx->mx.instead)
        execute(sx, response);
    uint32_t before = asked_for;
    bool now = exchange_fire(sx, ON_RESPONSE_START) && may_respond(sx);
    if (!now || asked_for != before)
        forget(response);
    return now;
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

/* *response: as started() says. */
static void compose(const struct session_exchange *sx, struct response *response)
{
    static const struct refusal no_memory = { .what = "the server is out of memory" };
    const struct exchanges *xs = sx->xs;
    struct endpoint *endpoint = xs->config->endpoint;
    if (response->status && !sx->problem && !sx->mx.instead)
        return;
    forget(response);
    asked_for++;
    if (sx->problem == 413) {
        endpoint_problem(endpoint, 413, "The request body is larger than this server takes.",
                         response);
    } else if (sx->problem) {
        endpoint_refuse(endpoint, sx->kind, sx->refusal ? sx->refusal : &no_memory, response);
    } else if (sx->mx.instead) {
        *response = *sx->mx.instead;
        response->reads_on = true;
    } else {
        ask_endpoint(sx, response);
    }
}

static void respond(struct session_exchange *sx, struct response response)
{
    struct exchanges *xs = sx->xs;
    struct exchange *ex = sx->mx.ex;
    struct header *headers = NULL;
    choose(sx);
    compose(sx, &response);
    if (sx->mx.set && !(headers = set_headers(sx->mx.set, &response))) {
        if (response.release)
            response.release(response.release_arg);
        wire_abort(xs->wire, BY_SERVER, HOW_NO_MEMORY);
        return;
    }
    response.stays = stays(sx->mx.set);
    sx->reached = REACHED_ANSWERING;
    sx->mx.answering = true;
    sx->status = response.status;
    ledger_begin_at(xs->ledger, exchange_now(xs), EV_RESPONSE_START, xs->id, ex->nth);
    ledger_int(xs->ledger, F_STATUS, response.status);
    ledger_commit(xs->ledger);
    mode_exchange_answers(&sx->mx);
    places_begin(sx);
    int error = engine_respond(ex, &response);
    free(headers);
    if (error < 0)
        log_warn("connection %llu: cannot answer: %s", (unsigned long long)xs->id,
                 strerror(-error));
}

void respond_continue(struct session_exchange *sx)
{
    struct response response = { 0 };
    if (sx->mx.standing)
        places_continue(sx);
    else if (may_respond(sx) && started(sx, &response))
        respond(sx, response);
}

void respond_all(struct exchanges *xs)
{
    static uint32_t pass;
    struct link *i = xs->unanswered.next;
    pass++;
    while (i != &xs->unanswered) {
        struct session_exchange *sx = link_entry(i, struct session_exchange, link);
        if (sx->tried == pass) {
            i = i->next;
            continue;
        }
        sx->tried = pass;
        respond_continue(sx); /* which may end any of them */
        i = xs->unanswered.next;
    }
}

void respond_open_gates(struct exchanges *xs)
{
    for (struct link *i = xs->unanswered.next; i != &xs->unanswered; i = i->next) {
        struct session_exchange *sx = link_entry(i, struct session_exchange, link);
        mode_exchange_open_gates(&sx->mx);
    }
    respond_all(xs);
}
