/* timeline.c - what happened on connections, and the calls with their attempts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "verdict/verdict_parts.h"

#define CONNECTIONS_MAX 16
#define EVENTS_MAX      40
#define CALLS_MAX       1000
#define ATTEMPTS_MAX    32

/* Milliseconds as the ledger has them. */
static json_t *ms_json(int64_t ns)
{
    return json_real((double)(ns / 1000) / 1000);
}

static json_t *span_json(const struct span *span)
{
    if (span->to == NEVER)
        return json_null();
    return json_pack("[o, o]", ms_json(span->from), ms_json(span->to));
}

/* --- Words */

static const char *const step_names[STEP_COUNT] = {
    [STEP_FIN] = "FIN",
    [STEP_RST] = "RST",
    [STEP_FORGET] = "forgotten (no FIN)",
    [STEP_BLACK_HOLE] = "black hole",
    [STEP_HEAL] = "healed",
    [STEP_STALL] = "stall",
    [STEP_RESUME] = "resumed",
    [STEP_GOAWAY] = "GOAWAY",
    [STEP_GOAWAY_NOTICE] = "GOAWAY (notice)",
    [STEP_IGNORE_PINGS] = "PINGs are not answered",
    [STEP_IGNORE_SETTINGS] = "SETTINGS are not ACKed",
    [STEP_WINDOW] = "windows of 0",
    [STEP_MAX_STREAMS] = "fewer streams",
    [STEP_CLOSE_NOTIFY] = "close_notify",
    [STEP_ALERT] = "TLS alert",
    [STEP_THROTTLE] = "throttle",
    [STEP_DRIP] = "drip",
    [STEP_CUT] = "answer cut",
    [STEP_INJECT] = "garbage",
    [STEP_DELAY] = "answer delayed",
    [STEP_HOLD] = "answer held back",
    [STEP_RESPOND] = "answered by a rule",
    [STEP_RST_STREAM] = "RST_STREAM",
    [STEP_REFUSE] = "REFUSED_STREAM",
    [STEP_NO_CONTINUE] = "no 100 (Continue)",
    [STEP_INTERIM] = "interim response",
};

static const char *step_text(const struct fault *f)
{
    const char *name = step_names[f->step];
    return name ? name : ledger_word_name(F_STEP, f->step);
}

/* Of the attempt that was open on its connection, if one was: how far it had come. */
static void fault_text(const struct fault *f, const struct attempt *struck, char *out, size_t size)
{
    const char *where = "";
    if (f->trigger == TRIGGER_IDLE)
        where = " while idle";
    else if (struck && f->seq < struck->first_seq)
        where = " at its first byte";
    else if (struck && struck->reached[PROGRESS_ANSWERING] != NEVER &&
             struck->reached[PROGRESS_ANSWERING] <= f->at)
        where = " in its answer";
    else if (struck)
        where = " behind the request";
    snprintf(out, size, "%s%s", step_text(f), where);
}

/* --- Events of a connection */

struct item {
    int64_t at;
    uint64_t seq;
    json_t *json;
};

struct line {
    struct item *items;
    size_t count, room;
    unsigned more;
};

static void add(struct line *l, int64_t at, uint64_t seq, json_t *json)
{
    if (!json || at == NEVER)
        json_decref(json);
    else if (l->count == l->room) {
        l->more++;
        json_decref(json);
    } else {
        json_object_set_new(json, "ms", ms_json(at));
        if (seq)
            json_object_set_new(json, "seq", json_integer((json_int_t)seq));
        l->items[l->count++] = (struct item){ at, seq, json };
    }
}

static int by_time(const void *x, const void *y)
{
    const struct item *a = x, *b = y;
    if (a->at != b->at)
        return a->at < b->at ? -1 : 1;
    return (a->seq > b->seq) - (a->seq < b->seq);
}

/* The call of an attempt, and which attempt of it that is, from 1; false: none. */
static bool place_of(const struct work *w, const struct attempt *a, size_t *call, size_t *place)
{
    for (size_t i = 0; i < w->calls->count; i++) {
        const struct call *one = &w->calls->calls[i];
        for (size_t k = 0; k < one->count; k++) {
            if (w->calls->members[one->first + k].attempt == a) {
                *call = i + 1;
                *place = k + 1;
                return true;
            }
        }
    }
    return false;
}

static json_t *request_json(const struct work *w, const struct attempt *a)
{
    size_t call, place;
    bool read = a->method.bytes || a->target.bytes;
    json_t *text =
        read ? json_sprintf("%.32s %.200s", a->method.bytes ? a->method.bytes : "?",
                            a->target.bytes ? a->target.bytes : "?")
             : json_string(attempt_is_farewell(w->phase->h, a) ? "what its client left with"
                           : a->headless                       ? "a request that could not be read"
                                         : "a request of which nothing was read");
    json_t *json =
        json_pack("{s:s, s:o}", "what", a->presumed ? "dropped" : "request", "text", text);
    if (!json)
        return NULL;
    if (a->status && a->progress >= PROGRESS_HANDED)
        json_object_set_new(json, "status", json_integer(a->status));
    if (a->stale)
        json_object_set_new(json, "stale", json_true());
    if (place_of(w, a, &call, &place)) {
        json_object_set_new(json, "call", json_integer((json_int_t)call));
        json_object_set_new(json, "attempt", json_integer((json_int_t)place));
    }
    return json;
}

/* What a fault struck, and since when the connection had been quiet before it. */
static json_t *fault_json(const struct work *w, const struct connection *c, const struct fault *f)
{
    const struct attempt *a = c->newest ? history_find_attempt(w->phase->h, c->newest) : NULL;
    const struct attempt *struck = NULL;
    int64_t quiet = c->opened;
    char text[96];
    for (; a; a = a->previous ? history_find_attempt(w->phase->h, a->previous) : NULL) {
        int64_t handed = a->reached[PROGRESS_HANDED];
        struck = a->fault == f->seq && !a->stale ? a : struck;
        if (handed != NEVER && handed <= f->at && handed > quiet)
            quiet = handed;
    }
    fault_text(f, struck, text, sizeof text);
    json_t *json = json_pack("{s:s, s:s}", "what", "fault", "text", text);
    if (json && quiet != NEVER)
        json_object_set_new(json, "after_ms", ms_json(f->at - quiet));
    return json;
}

static const char *leaving_text(enum leaving left)
{
    static const char *const names[] = { [LEFT_NOT] = "",
                                         [LEFT_FIN] = "FIN",
                                         [LEFT_RST] = "RST",
                                         [LEFT_CLOSE_NOTIFY] = "close_notify",
                                         [LEFT_GOAWAY] = "GOAWAY" };
    return names[left];
}

static json_t *events_of(const struct work *w, const struct connection *c, unsigned *more)
{
    struct item room[EVENTS_MAX];
    struct line line = { .items = room, .room = EVENTS_MAX };
    const struct attempt *a = c->newest ? history_find_attempt(w->phase->h, c->newest) : NULL;
    const struct fault *f;
    add(&line, c->opened, c->first_seq, json_pack("{s:s}", "what", "open"));
    for (size_t i = 0; (f = history_fault(w->phase->h, i)); i++) {
        if (f->connection == c->id && f->in_effect != TRI_NO)
            add(&line, f->at, f->seq, fault_json(w, c, f));
    }
    if (c->left != LEFT_NOT)
        add(&line, c->left_at, 0,
            json_pack("{s:s, s:s}", "what", "left", "text", leaving_text(c->left)));
    add(&line, c->ended, c->ended == NEVER ? 0 : c->last_seq, json_pack("{s:s}", "what", "end"));
    for (; a; a = a->previous ? history_find_attempt(w->phase->h, a->previous) : NULL) {
        if (line.count < line.room)
            add(&line, a->first_byte.from, a->first_seq, request_json(w, a));
        else
            line.more++;
    }
    qsort(line.items, line.count, sizeof *line.items, by_time);
    json_t *list = json_array();
    for (size_t i = 0; i < line.count; i++)
        json_array_append_new(list, room[i].json);
    *more = line.more;
    return list;
}

static const char *path_name(int path)
{
    return path < 0 ? "unknown" : ledger_word_name(F_PATH, path);
}

static json_t *connection_json(const struct work *w, const struct connection *c)
{
    unsigned more;
    json_t *events = events_of(w, c, &more);
    json_t *json =
        json_pack("{s:I, s:s, s:s, s:s, s:o}", "id", (json_int_t)c->id, "phase",
                  verdict_phase_name(w->phase->phase), "protocol", c->h2 ? "h2" : "http/1.1",
                  "path", path_name(c->path), "events", events);
    if (json && more)
        json_object_set_new(json, "more", json_integer((json_int_t)more));
    return json;
}

/* --- Which connections are shown */

struct shown {
    uint64_t ids[CONNECTIONS_MAX];
    size_t count;
};

static void show(struct shown *s, uint64_t id)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->ids[i] == id)
            return;
    }
    if (id && s->count < CONNECTIONS_MAX)
        s->ids[s->count++] = id;
}

/* Those of calls that met a fault, then the others. */
static void choose(const struct work *w, struct shown *s)
{
    const struct connection *c;
    for (int met = 1; met >= 0; met--) {
        for (size_t i = 0; i < w->calls->count; i++) {
            const struct call *call = &w->calls->calls[i];
            if ((call->exposure != EXPOSURE_UNTOUCHED) != met)
                continue;
            show(s, call->left);
            for (size_t k = 0; k < call->count; k++)
                show(s, w->calls->members[call->first + k].attempt->connection);
        }
    }
    for (size_t i = 0; (c = history_connection(w->phase->h, i)); i++)
        show(s, c->id);
}

static size_t connections_of(const struct history *h)
{
    size_t count = 0;
    while (history_connection(h, count))
        count++;
    return count;
}

static int by_id(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return (a > b) - (a < b);
}

json_t *timeline_json(struct verdict *v)
{
    json_t *list = json_array();
    size_t more = 0;
    for (int i = 0; i < PHASE_COUNT; i++) {
        const struct work *w = verdict_work_of(v, (enum ledger_phase)i);
        struct shown shown = { 0 };
        if (!w)
            continue;
        choose(w, &shown);
        qsort(shown.ids, shown.count, sizeof *shown.ids, by_id);
        for (size_t k = 0; k < shown.count; k++) {
            const struct connection *c = history_find_connection(w->phase->h, shown.ids[k]);
            if (c)
                json_array_append_new(list, connection_json(w, c));
        }
        more += connections_of(w->phase->h) - shown.count;
    }
    json_t *out = json_pack("{s:o}", "connections", list);
    if (out && more)
        json_object_set_new(out, "more", json_integer((json_int_t)more));
    return out;
}

/* --- Calls */

static const char *const states[] = {
    [CALL_OPEN] = "open",           [CALL_BITTEN] = "bitten",     [CALL_ANSWERED] = "answered",
    [CALL_RECOVERED] = "recovered", [CALL_DOUBTFUL] = "doubtful", [CALL_GIVEN_UP] = "given_up",
    [CALL_UNDECIDED] = "undecided", [CALL_UNKNOWN] = "unknown"
};
static const char *const exposures[] = { [EXPOSURE_UNTOUCHED] = "untouched",
                                         [EXPOSURE_BITTEN] = "bitten",
                                         [EXPOSURE_AVOIDED] = "avoided",
                                         [EXPOSURE_PREEMPTED] = "pre_empted",
                                         [EXPOSURE_UNKNOWN] = "unknown" };
static const char *const joins[] = {
    [JOIN_LOOSE] = "loose", [JOIN_CLOSE] = "close", [JOIN_NAMED] = "named"
};
static const char *const roles[] = { [ROLE_FIRST] = "first",
                                     [ROLE_RETRY] = "retry",
                                     [ROLE_HEDGE] = "hedge",
                                     [ROLE_HOP] = "hop",
                                     [ROLE_DUPLICATE] = "duplicate" };
static const char *const troubles[] = { "fine", "bitten",   "held",        "refused", "abandoned",
                                        "lost", "doubtful", "unconfirmed", "unknown" };
static const char *const progresses[] = { "begun",  "told",  "whole",    "answering",
                                          "handed", "acked", "confirmed" };

static json_t *attempt_json(const struct work *w, const struct member *member)
{
    const struct attempt *a = member->attempt;
    json_t *json = json_pack(
        "{s:I, s:I, s:I, s:s, s:s?, s:s, s:s, s:o, s:b}", "connection", (json_int_t)a->connection,
        "exchange", (json_int_t)a->exchange, "seq", (json_int_t)a->first_seq, "role",
        roles[member->role], "join", member->role == ROLE_FIRST ? NULL : joins[member->join],
        "trouble", troubles[history_trouble(w->phase->h, a)], "progress", progresses[a->progress],
        "first_byte_ms", span_json(&a->first_byte), "processed", a->processed);
    if (json && a->status)
        json_object_set_new(json, "status", json_integer(a->status));
    if (json && a->fault)
        json_object_set_new(json, "fault", json_integer((json_int_t)a->fault));
    return json;
}

static json_t *call_json(const struct work *w, size_t index)
{
    const struct call *call = &w->calls->calls[index];
    const struct member *members = &w->calls->members[call->first];
    const struct attempt *read = calls_first_read(w->calls, call);
    json_t *attempts = json_array();
    for (size_t i = 0; i < call->count && i < ATTEMPTS_MAX; i++)
        json_array_append_new(attempts, attempt_json(w, &members[i]));
    json_t *json = json_pack(
        "{s:I, s:s, s:s?, s:s?, s:s, s:s, s:b, s:b, s:o, s:o, s:i, s:i, s:i, s:i, s:o}", "call",
        (json_int_t)index + 1, "phase", verdict_phase_name(w->phase->phase), "method",
        read ? read->method.bytes : NULL, "target", read ? read->target.bytes : NULL, "state",
        states[call->state], "exposure", exposures[call->exposure], "presumed", call->presumed,
        "anonymous", call->anonymous, "begun_ms", span_json(&call->begun), "wait_ms",
        span_json(&call->wait), "retries", (int)call->retries, "hedges", (int)call->hedges,
        "duplicates", (int)call->duplicates, "executions", (int)call->executions, "attempts",
        attempts);
    if (json && call->fault)
        json_object_set_new(json, "fault", json_integer((json_int_t)call->fault));
    if (json && read && read->hangup_call.bytes)
        json_object_set_new(json, "hangup_call", json_string(read->hangup_call.bytes));
    const struct account_line *line = w->notes ? w->notes[index].line : NULL;
    if (json && line)
        json_object_set_new(
            json, "account",
            json_pack("{s:i, s:b, s:i}", "n", line->n, "ok", line->ok, "status", line->status));
    if (json && call->count > ATTEMPTS_MAX)
        json_object_set_new(json, "more", json_integer((json_int_t)(call->count - ATTEMPTS_MAX)));
    return json;
}

json_t *verdict_calls(struct verdict *v)
{
    if (!verdict_work(v))
        return NULL;
    json_t *list = json_array();
    size_t shown = 0, more = 0;
    for (int i = 0; i < PHASE_COUNT; i++) {
        const struct work *w = verdict_work_of(v, (enum ledger_phase)i);
        for (size_t k = 0; w && k < w->calls->count; k++) {
            if (shown < CALLS_MAX && json_array_append_new(list, call_json(w, k)) == 0)
                shown++;
            else
                more++;
        }
    }
    return json_pack("{s:o, s:I}", "calls", list, "more", (json_int_t)more);
}
