#include "cli/audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mode/driver.h"
#include "verdict/report.h"

json_t *audit_expect(void)
{
    static const char *const checks[] = {
        "recovered",        "retries",
        "retry_elsewhere",  "no_stale_use",
        "safe_retry",       "executed_once",
        "user_wait",        "no_storm",
        "still_reuses",     "honours_hint",
        "goaway_respected", "ping_liveness",
        "falls_back",       "detects_truncation",
    };
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (json_array_append_new(list, json_string(checks[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* --- Documents */

static const char *member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static bool is(const json_t *object, const char *name, const char *word)
{
    return strcmp(member(object, name), word) == 0;
}

/* The outcome of a check in a phase; "": it was not asked for. */
static const char *check_outcome(const json_t *document, const char *name, const char *phase)
{
    size_t i;
    const json_t *check;
    json_array_foreach(json_object_get(document, "checks"), i,
                       check) if (is(check, "check", name) &&
                                  is(check, "phase", phase)) return member(check, "outcome");
    return "";
}

static bool fails(const json_t *document, const char *name)
{
    return strcmp(check_outcome(document, name, "fault"), "fail") == 0;
}

static unsigned count(const json_t *object, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(object, name));
    return n > 0 ? (unsigned)n : 0;
}

/* --- A row */

/* By the wire; or an answer went out, of which only its client's own account says that it came. */
static bool is_answered(const json_t *call)
{
    const json_t *line = json_object_get(call, "account");
    return is(call, "state", "recovered") || is(call, "state", "answered") ||
           (is(call, "state", "doubtful") && json_is_true(json_object_get(line, "ok")));
}

static enum audit_outcome outcome_of_call(const json_t *call, bool complained)
{
    bool bitten = is(call, "exposure", "bitten");
    if (is(call, "exposure", "avoided") || is(call, "exposure", "pre_empted"))
        return is_answered(call) ? AUDIT_AVOIDED : AUDIT_UNCLEAR;
    if (is(call, "exposure", "unknown"))
        return AUDIT_UNCLEAR;
    if (!bitten)
        return AUDIT_NOT_EXERCISED;
    if (is_answered(call))
        return AUDIT_RECOVERED;
    if (is(call, "state", "doubtful") || is(call, "state", "unknown"))
        return AUDIT_UNCLEAR;
    return complained ? AUDIT_FAILED : AUDIT_NO_ANSWER;
}

/* The late end of how long a call took, in ms; -1: it is not known. */
static double wait_of(const json_t *call)
{
    const json_t *late = json_array_get(json_object_get(call, "wait_ms"), 1);
    return json_is_number(late) ? json_number_value(late) : -1;
}

static void add_call(struct audit_row *row, const json_t *call, bool complained)
{
    enum audit_outcome outcome = outcome_of_call(call, complained);
    unsigned retries = count(call, "retries");
    if (outcome > row->outcome)
        row->outcome = outcome;
    if (retries > row->retries)
        row->retries = retries;
    if (count(call, "executions") > 1)
        row->twice = true;
    if (is(call, "exposure", "bitten") && wait_of(call) > row->wait_ms)
        row->wait_ms = wait_of(call);
}

static unsigned connections_of(const json_t *document, const char *phase)
{
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(document, "phases"), i,
                       one) if (is(one, "phase", phase)) return count(one, "connections");
    return 0;
}

struct audit_row audit_read(const struct prove_result *r)
{
    struct audit_row row = { .outcome = AUDIT_NOT_EXERCISED, .wait_ms = -1 };
    bool complained = r->command.not_ok > 0 || r->command.status != 0;
    size_t i;
    const json_t *call;
    if (!r->verdict || !r->calls) {
        row.outcome = AUDIT_UNCLEAR;
        return row;
    }
    json_array_foreach(json_object_get(r->calls, "calls"), i, call) if (is(call, "phase", "fault"))
        add_call(&row, call, complained);
    if (json_integer_value(json_object_get(r->calls, "more")) > 0 && row.outcome < AUDIT_UNCLEAR)
        row.outcome = AUDIT_UNCLEAR;
    if (complained && row.outcome < AUDIT_FAILED) /* also for what left no byte on the wire */
        row.outcome = AUDIT_FAILED;
    row.storm = fails(r->verdict, "no_storm");
    row.stale = fails(r->verdict, "no_stale_use"); /* of what GOAWAY has ended, too */
    row.twice = row.twice || fails(r->verdict, "executed_once");
    row.connections = connections_of(r->verdict, "fault");
    return row;
}

static const char *const words[] = {
    [AUDIT_NOT_EXERCISED] = "not exercised", [AUDIT_AVOIDED] = "avoided",
    [AUDIT_RECOVERED] = "recovered",         [AUDIT_UNCLEAR] = "unclear",
    [AUDIT_NO_ANSWER] = "no answer",         [AUDIT_FAILED] = "failed",
};

const char *audit_outcome_word(enum audit_outcome outcome)
{
    return words[outcome];
}

static const char *colour_of(enum audit_outcome outcome)
{
    return outcome >= AUDIT_NO_ANSWER       ? "\033[31m"
           : outcome == AUDIT_UNCLEAR       ? "\033[33m"
           : outcome == AUDIT_NOT_EXERCISED ? "\033[2m"
                                            : "\033[32m";
}

static void add_error(const struct prove_result *r, struct buf *out)
{
    if (!*r->error)
        return;
    buf_text(out, "  (");
    report_plain(out, r->error, strlen(r->error));
    buf_text(out, ")");
}

void audit_row_text(const struct prove_result *r, const char *name, bool colour, struct buf *out)
{
    struct audit_row row = audit_read(r);
    char padded[64];
    struct buf plain = { 0 };
    report_plain(&plain, name, strlen(name));
    snprintf(padded, sizeof padded, "%.*s", (int)buf_len(&plain),
             plain.end ? (const char *)buf_bytes(&plain) : "");
    buf_free(&plain);
    buf_printf(out, "   %-34s %s%-14s%s", padded, colour ? colour_of(row.outcome) : "",
               r->verdict ? words[row.outcome] : "not tried", colour ? "\033[0m" : "");
    if (r->verdict) {
        buf_printf(out, " %u %s, %u connection%s", row.retries,
                   row.retries == 1 ? "retry" : "retries", row.connections,
                   row.connections == 1 ? "" : "s");
        if (row.wait_ms >= 0)
            buf_printf(out, ", waits %.3f s", row.wait_ms / 1000);
        buf_printf(out, "%s%s%s", row.twice ? ", twice" : "", row.storm ? ", storm" : "",
                   row.stale ? ", stale use" : "");
    }
    add_error(r, out);
    buf_text(out, "\n");
}

json_t *audit_row_json(const struct prove_result *r)
{
    struct audit_row row = audit_read(r);
    json_t *flags = json_array();
    if (row.twice)
        json_array_append_new(flags, json_string("twice"));
    if (row.storm)
        json_array_append_new(flags, json_string("storm"));
    if (row.stale)
        json_array_append_new(flags, json_string("stale use"));
    return json_pack("{s:s?, s:o, s:i, s:i, s:o}", "outcome",
                     r->verdict ? words[row.outcome] : NULL, "flags", flags, "retries",
                     (int)row.retries, "connections", (int)row.connections, "wait_ms",
                     row.wait_ms < 0 ? json_null() : json_real(row.wait_ms));
}

/* --- What the client is */

/* What calls of a kind did when a fault had struck them. */
struct kind {
    unsigned struck, answered, repeated, most; /* most: retries of one */
    bool elsewhere, same;                      /* where these went */
    double longest_ms;
};

/* Does a row have POSTs of this kind, and none of the other? */
static bool posts_with(const struct prove_result *r, bool key)
{
    struct driver_step steps[DRIVER_STEPS_MAX];
    size_t count;
    bool plain = false, keyed = false;
    if (driver_steps_read(r->row->steps, "", steps, &count, NULL) != 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        plain = plain || steps[i].word == DRIVER_POST;
        keyed = keyed || steps[i].word == DRIVER_POST_KEY;
    }
    return key ? keyed && !plain : plain && !keyed;
}

/* Adds the struck calls of a method in all rows; of POST those with a key, or without one. */
static struct kind read_kind(const struct prove_results *results, const char *method, bool key)
{
    struct kind k = { .longest_ms = -1 };
    for (size_t n = 0; n < results->count; n++) {
        const struct prove_result *r = &results->list[n];
        size_t i;
        const json_t *call;
        json_array_foreach(json_object_get(r->calls, "calls"), i, call)
        {
            if (!is(call, "phase", "fault") || !is(call, "exposure", "bitten") ||
                !is(call, "method", method) || (strcmp(method, "POST") == 0 && !posts_with(r, key)))
                continue;
            unsigned retries = count(call, "retries");
            k.struck++;
            k.answered += is_answered(call);
            k.repeated += retries > 0;
            k.most = retries > k.most ? retries : k.most;
            k.longest_ms = wait_of(call) > k.longest_ms ? wait_of(call) : k.longest_ms;
        }
        const char *where = check_outcome(r->verdict, "retry_elsewhere", "fault");
        k.elsewhere = k.elsewhere || strcmp(where, "pass") == 0;
        k.same = k.same || strcmp(where, "fail") == 0;
    }
    return k;
}

static void fact(json_t *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fact(json_t *list, const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_array_append_new(list, json_string(text));
}

static void add_kind(json_t *list, const char *name, const struct kind *k)
{
    if (k->struck == 0)
        fact(list, "%s: not tested", name);
    else if (k->repeated == 0)
        fact(list, "%s: never repeated (%u %s struck)", name, k->struck,
             k->struck == 1 ? "was" : "were");
    else
        fact(list, "%s: repeated %s%s; %u of %u that were struck were repeated, %u answered", name,
             k->most == 1 ? "once" : "more than once",
             k->same        ? ", also on the connection that had failed"
             : k->elsewhere ? ", on another connection"
                            : "",
             k->repeated, k->struck, k->answered);
}

/* How a check came out in all rows: how often it passed and failed. */
static void add_check(json_t *list, const struct prove_results *results, const char *check,
                      const char *title, const char *passes, const char *fails)
{
    unsigned passed = 0, failed = 0;
    for (size_t i = 0; i < results->count; i++) {
        const char *outcome = check_outcome(results->list[i].verdict, check, "fault");
        passed += strcmp(outcome, "pass") == 0;
        failed += strcmp(outcome, "fail") == 0;
    }
    if (passed && failed)
        fact(list, "%s: %s in %u rows, %s in %u", title, passes, passed, fails, failed);
    else if (passed || failed)
        fact(list, "%s: %s", title, passed ? passes : fails);
    else
        fact(list, "%s: not tested", title);
}

json_t *audit_summary_json(const struct prove_results *results)
{
    json_t *list = json_array();
    struct kind get = read_kind(results, "GET", false), post = read_kind(results, "POST", false),
                keyed = read_kind(results, "POST", true);
    double longest = get.longest_ms;
    add_kind(list, "GET", &get);
    add_kind(list, "POST", &post);
    add_kind(list, "POST with a key", &keyed);
    add_check(list, results, "no_stale_use", "the end of an idle connection",
              "seen before it is used again", "not seen before it is used again");
    add_check(list, results, "goaway_respected", "GOAWAY", "obeyed", "not obeyed");
    add_check(list, results, "ping_liveness", "PING", "finds a dead connection", "none");
    add_check(list, results, "detects_truncation", "an answer that is cut", "noticed",
              "taken for a whole one");
    add_check(list, results, "still_reuses", "connections, without a fault", "used again",
              "a new one for each request");
    if (longest < 0)
        fact(list, "the longest wait: not tested");
    else
        fact(list, "the longest wait for an answer that a fault had delayed: %.1f s",
             longest / 1000);
    return list;
}

void audit_summary(const struct prove_results *results, struct buf *out)
{
    json_t *list = audit_summary_json(results), *line;
    size_t i;
    buf_text(out, "\nThis client:\n");
    json_array_foreach(list, i, line) buf_printf(out, "   %s\n", json_string_value(line));
    json_decref(list);
}
