/* document.c - the verdict as a document (docs/verdict.md), from which all reports are made. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "verdict/calls_parts.h"
#include "verdict/verdict_parts.h"

/* --- Small parts */

json_t *document_text(const char *text)
{
    char out[512];
    size_t len = strnlen(text, sizeof out - 1);
    for (size_t i = 0, step; i < len; i += step) {
        step = utf8_sequence((const uint8_t *)text + i, len - i);
        memcpy(out + i, step ? text + i : "?", step ? step : 1);
        step = step ? step : 1;
    }
    return json_stringn(out, len);
}

static json_t *ids_json(const struct ids *ids)
{
    json_t *list = json_array();
    for (int i = 0; i < ids->count; i++)
        json_array_append_new(list, json_integer((json_int_t)ids->list[i]));
    return list;
}

static json_t *remedy_json(enum remedy remedy)
{
    if (remedy == REMEDY_NONE)
        return json_null();
    return json_pack("{s:s, s:s}", "code", remedy_code(remedy), "do", remedy_text(remedy));
}

static json_t *text_of(struct buf *b)
{
    json_t *text = b->failed ? NULL : json_stringn((const char *)buf_bytes(b), buf_len(b));
    buf_free(b);
    return text;
}

static const char *method_of(const struct work *w, const struct call *call)
{
    const struct attempt *a = calls_first_read(w->calls, call);
    return a && a->method.bytes ? a->method.bytes : "call";
}

/* --- Phases */

static unsigned served_connections(const struct history *h)
{
    const struct connection *c;
    unsigned count = 0;
    for (size_t i = 0; (c = history_connection(h, i)); i++)
        count += c->opened != NEVER;
    return count;
}

static json_t *phase_json(const struct work *w)
{
    size_t requests = history_attempts(w->phase->h);
    unsigned connections = served_connections(w->phase->h);
    char exited[48] = "";
    if (w->phase->exited != NEVER && w->phase->status != 0)
        snprintf(exited, sizeof exited, "; the command ended with %d", w->phase->status);
    if (w->phase->killed)
        snprintf(exited, sizeof exited, "; the command was killed");
    return json_pack("{s:s, s:s, s:b, s:I, s:I, s:o}", "phase", verdict_phase_name(w->phase->phase),
                     "verdict", verdict_outcome_name(w->outcome), "final", w->final, "requests",
                     (json_int_t)requests, "connections", (json_int_t)connections, "sentence",
                     json_sprintf("%zu request%s on %u connection%s%s", requests,
                                  requests == 1 ? "" : "s", connections,
                                  connections == 1 ? "" : "s", exited));
}

/* --- Checks and mitigations */

static json_t *check_json(const struct work *w, const struct judged *one)
{
    const struct finding *f = &one->found;
    return json_pack("{s:s, s:s?, s:s, s:o, s:s, s:b, s:o, s:o, s:o, s:o, s:o}", "check",
                     check_rows[one->e->check].name, "of", one->e->of ? one->e->of->name : NULL,
                     "phase", verdict_phase_name(w->phase->phase), "params",
                     expected_params(one->e), "outcome", verdict_outcome_name(f->outcome), "final",
                     one->final, "sentence", document_text(f->sentence), "evidence",
                     ids_json(&f->who.seqs), "connections", ids_json(&f->who.connections), "calls",
                     ids_json(&f->who.calls), "remedy",
                     remedy_json(f->outcome == OUTCOME_INCONCLUSIVE ? f->remedy : REMEDY_NONE));
}

/* What its parts come to; all of them n/a is inconclusive. */
static enum outcome outcome_of(const struct work *w, size_t index)
{
    enum outcome worst = OUTCOME_NA;
    for (size_t i = 0; i < w->check_count; i++) {
        if (w->checks[i].e->index == index && w->checks[i].found.outcome > worst)
            worst = w->checks[i].found.outcome;
    }
    return worst == OUTCOME_NA ? OUTCOME_INCONCLUSIVE : worst;
}

static const char *sentence_of(const struct work *w, size_t index, enum outcome outcome)
{
    for (size_t i = 0; i < w->check_count; i++) {
        if (w->checks[i].e->index == index && w->checks[i].found.outcome == outcome)
            return w->checks[i].found.sentence;
    }
    return "nothing that it is about came to pass";
}

static json_t *mitigations_json(const struct verdict *v, const struct work *w)
{
    json_t *list = json_array();
    size_t done = SIZE_MAX;
    for (size_t i = 0; w && i < w->check_count; i++) {
        const struct expected *e = w->checks[i].e;
        if (!e->of || e->index == done)
            continue;
        done = e->index;
        enum outcome outcome = outcome_of(w, e->index);
        json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:o}", "name", e->of->name, "params",
                                              expect_params(v->expect, e->index), "outcome",
                                              verdict_outcome_name(outcome), "sentence",
                                              document_text(sentence_of(w, e->index, outcome))));
    }
    return list;
}

/* --- What was and was not tested */

/* Calls of a method that a fault struck, and how many of them were answered. */
struct tally {
    char method[24];
    unsigned struck, answered;
};
#define TALLIES 6

struct tested {
    struct tally tallies[TALLIES];
    size_t count;
    unsigned kept_off, calls;
    bool h1, h2, silence, gateway, relayed, get, post;
};

static void tally(struct tested *t, const char *method, bool answered)
{
    size_t i = 0;
    while (i < t->count && strcmp(t->tallies[i].method, method) != 0)
        i++;
    if (i == TALLIES)
        i--;
    if (i == t->count) {
        t->count++;
        snprintf(t->tallies[i].method, sizeof t->tallies[i].method, "%.20s", method);
    }
    t->tallies[i].struck++;
    t->tallies[i].answered += answered;
}

static void look_at(struct tested *t, const struct work *w, const struct call *call)
{
    const struct attempt *first = calls_first_read(w->calls, call);
    uint64_t id = call->left ? call->left : first ? first->connection : 0;
    const struct connection *c = history_find_connection(w->phase->h, id);
    const struct fault *f = call->fault ? history_find_fault(w->phase->h, call->fault) : NULL;
    const struct account_line *line = w->notes ? w->notes[call - w->calls->calls].line : NULL;
    bool struck = call->exposure == EXPOSURE_BITTEN;
    t->calls++;
    if (call->exposure == EXPOSURE_UNTOUCHED || call->exposure == EXPOSURE_UNKNOWN)
        return;
    if (struck)
        tally(t, method_of(w, call),
              calls_is_answered(call) || account_confirms(line, w->phase->h, w->calls, call));
    else
        t->kept_off++;
    t->h1 |= c && !c->h2;
    t->h2 |= c && c->h2;
    t->gateway |= c && c->path == PATH_GATEWAY;
    t->relayed |= c && c->path == PATH_RELAYED;
    t->silence |= struck && f && f->class == CLASS_SILENCES;
    t->get |= struck && first && first->method.bytes && repeat_is_safe(first);
    t->post |= struck && first && first->method.bytes && !repeat_is_idempotent(first);
}

static struct tested what_was_tested(const struct work *w)
{
    struct tested t = { 0 };
    for (size_t i = 0; w && i < w->calls->count; i++)
        look_at(&t, w, &w->calls->calls[i]);
    return t;
}

static json_t *summary_json(const struct tested *t)
{
    struct buf b = { 0 };
    const char *path = t->relayed ? "through a relay" : t->gateway ? "through a gateway" : "direct";
    for (size_t i = 0; i < t->count; i++)
        buf_printf(&b, "%s%u of %u bitten %ss", i ? ", " : "", t->tallies[i].answered,
                   t->tallies[i].struck, t->tallies[i].method);
    if (t->kept_off)
        buf_printf(&b, "%s%u kept off the fault", t->count ? ", " : "", t->kept_off);
    if (!t->count && !t->kept_off)
        buf_printf(&b, "%u call%s, none of which met a fault", t->calls, t->calls == 1 ? "" : "s");
    else
        buf_printf(&b, " over %s%s%s, %s", t->h1 ? "h1" : "", t->h1 && t->h2 ? " and " : "",
                   t->h2 ? "h2" : "", path);
    return text_of(&b);
}

static json_t *not_tested_json(const struct tested *t)
{
    json_t *list = json_array();
    const struct {
        const char *what;
        bool tested;
    } rows[] = { { "GET", t->get },
                 { "POST", t->post },
                 { "h1", t->h1 },
                 { "h2", t->h2 },
                 { "silence", t->silence } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!rows[i].tested)
            json_array_append_new(list, json_string(rows[i].what));
    }
    return list;
}

/* --- Calls, and where the client's account differs */

static json_t *calls_json(const struct work *w)
{
    unsigned count[EXPOSURE_UNKNOWN + 1] = { 0 }, retries = 0, hedges = 0, executions = 0;
    for (size_t i = 0; w && i < w->calls->count; i++) {
        const struct call *call = &w->calls->calls[i];
        count[call->exposure]++;
        retries += call->retries;
        hedges += call->hedges;
        executions += call->executions;
    }
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "total",
                     w ? (int)w->calls->count : 0, "bitten", (int)count[EXPOSURE_BITTEN], "avoided",
                     (int)count[EXPOSURE_AVOIDED], "pre_empted", (int)count[EXPOSURE_PREEMPTED],
                     "untouched", (int)count[EXPOSURE_UNTOUCHED], "unknown",
                     (int)count[EXPOSURE_UNKNOWN], "retries", (int)retries, "hedges", (int)hedges,
                     "executions", (int)executions);
}

static json_t *difference(const struct account_line *line, const char *server, const char *meaning)
{
    char client[160];
    size_t len = (size_t)snprintf(client, sizeof client, "%s", line->ok ? "ok" : "failed");
    if (line->has_status)
        len += (size_t)snprintf(client + len, sizeof client - len, ", %d", line->status);
    if (line->error[0])
        snprintf(client + len, sizeof client - len, ", %.60s", line->error);
    return json_pack("{s:i, s:o, s:s, s:s}", "n", line->n, "client", document_text(client),
                     "server", server, "meaning", meaning);
}

static json_t *disagreements_json(const struct work *w)
{
    static const struct {
        const char *server, *meaning;
    } rows[] = {
        [DIFFERS_FAILED] = { "answered",
                             "the answer did not reach the app, or it did not take it" },
        [DIFFERS_CUT] = { "answered in part", "the client took a cut answer for a whole one" },
        [DIFFERS_UNANSWERED] = { "never answered",
                                 "something else has answered the client, or the server is wrong" },
        [DIFFERS_STATUS] = { "answered with another status",
                             "something in between has changed the answer" },
    };
    json_t *list = json_array();
    for (size_t i = 0; w && w->notes && i < w->calls->count; i++) {
        const struct note *note = &w->notes[i];
        if (note->differs != DIFFERS_NOT && note->line)
            json_array_append_new(list, difference(note->line, rows[note->differs].server,
                                                   rows[note->differs].meaning));
    }
    for (size_t i = 0; w && i < w->phase->account.count; i++) {
        const struct account_line *line = &w->phase->account.lines[i];
        if (line->ok && line->matched == MATCHED_NOTHING)
            json_array_append_new(list, difference(line, "no such request",
                                                   "a cache or something in between answered, or "
                                                   "Hangup-Call was not sent"));
    }
    return list;
}

/* --- The document */

static json_t *mode_json(const struct verdict *v)
{
    if (!v->mode)
        return json_null();
    return json_pack("{s:O, s:O?}", "mode", v->mode, "params", v->params);
}

static json_t *missing_json(const struct verdict *v)
{
    json_t *list = json_array();
    for (size_t i = 0; i < v->missing_count; i++)
        json_array_append_new(list,
                              json_pack("{s:I, s:I}", "first_seq", (json_int_t)v->missing[i].first,
                                        "last_seq", (json_int_t)v->missing[i].last));
    return list;
}

/* Only a difference between with and without it says that the mitigation works. */
static const char *attribution_of(struct verdict *v)
{
    const struct work *without = verdict_work_of(v, PHASE_WITHOUT);
    if (v->outcome != OUTCOME_PASS)
        return NULL;
    return without && without->outcome == OUTCOME_FAIL ? "the mitigation"
                                                       : "the app or its HTTP stack";
}

/* The run, before its checks. */
static json_t *head_json(struct verdict *v)
{
    struct tested t = what_was_tested(verdict_work_of(v, PHASE_FAULT));
    return json_pack("{s:o, s:i, s:o, s:s, s:b, s:s?, s:o, s:f, s:b, s:o, s:o, s:s?, s:s?, s:o}",
                     "hangup", document_text(v->version[0] ? v->version : HANGUP_VERSION), "rules",
                     VERDICT_RULES, "run", document_text(v->run[0] ? v->run : "default"), "verdict",
                     verdict_outcome_name(v->outcome), "final", v->final, "over",
                     v->over[0] ? v->over : NULL, "mode", mode_json(v), "time_scale", v->time_scale,
                     "relayed", v->relayed, "summary", summary_json(&t), "not_tested",
                     not_tested_json(&t), "attribution", attribution_of(v), "why", v->why, "remedy",
                     remedy_json(v->remedy));
}

json_t *verdict_json(struct verdict *v)
{
    if (!verdict_work(v))
        return NULL;
    const struct work *fault = verdict_work_of(v, PHASE_FAULT);
    json_t *phases = json_array(), *checks = json_array(), *out = head_json(v);
    json_t *lines = timeline_json(v);
    for (int i = 0; i < PHASE_COUNT; i++) {
        const struct work *w = verdict_work_of(v, (enum ledger_phase)i);
        if (w)
            json_array_append_new(phases, phase_json(w));
        for (size_t k = 0; w && k < w->check_count; k++)
            json_array_append_new(checks, check_json(w, &w->checks[k]));
    }
    int error = json_object_set_new(out, "phases", phases);
    error |= json_object_set_new(out, "mitigations", mitigations_json(v, fault));
    error |= json_object_set_new(out, "checks", checks);
    error |= json_object_set_new(out, "calls", calls_json(fault));
    error |= json_object_set_new(out, "disagreements", disagreements_json(fault));
    error |= json_object_set_new(out, "missing", missing_json(v));
    error |= lines ? json_object_update(out, lines) : -1;
    json_decref(lines);
    if (error) {
        json_decref(out);
        return NULL;
    }
    return out;
}
