/* calls_verdict.c - whether a client does what is expected of it: what is told by its driver, what
 * it is judged by, and the verdict.
 *
 * A verdict is fed in turns of the loop, and working it out may take a while: it is done when it is
 * asked for, and while a call waits for it to be final no more often than takes a small part of the
 * time.
 */
#include <errno.h>
#include <string.h>

#include "admin/call.h"
#include "base/clock.h"
#include "verdict/expect.h"
#include "verdict/report.h"

#define FEEDING   (2 * NS_PER_MS) /* before it is looked at again */
#define LOOK      (20 * NS_PER_MS)
#define LOOK_COST 20 /* times as long as it took */

void calls_checks(struct call *call)
{
    json_t *list = expect_list();
    response_json(call, 200, list ? json_pack("{s:o}", "checks", list) : NULL);
}

/* --- What the test tells */

static bool is_blank(const char *line, size_t len)
{
    while (len && (*line == ' ' || *line == '\t' || *line == '\r')) {
        line++;
        len--;
    }
    return len == 0;
}

/* The next line that is not blank; false at the end. */
static bool next_line(const char **at, const char *end, const char **line, size_t *len)
{
    while (*at < end) {
        const char *newline = memchr(*at, '\n', (size_t)(end - *at));
        *line = *at;
        *len = (size_t)((newline ? newline : end) - *at);
        *at += *len + (newline != NULL);
        if (!is_blank(*line, *len))
            return true;
    }
    return false;
}

/* Which line it is in. */
static void in_line(struct refusal *why, unsigned number)
{
    char where[sizeof why->where];
    snprintf(where, sizeof where, "line %u", number);
    refuse_in(why, where, NULL);
}

/* Each of them alone, and before any is written. */
static int check_lines(struct call *call, struct refusal *why)
{
    const char *at = (const char *)buf_bytes(&call->body), *end = at + buf_len(&call->body), *line;
    unsigned number = 0;
    size_t len;
    while (next_line(&at, end, &line, &len)) {
        json_t *value = NULL;
        number++;
        int error = json_read(line, len, "body", &value, why);
        if (!error && !json_is_object(value))
            error = refuse(why, "body", "a JSON object a line", "is not an object");
        json_decref(value);
        if (error > 0)
            in_line(why, number);
        if (error)
            return error;
    }
    return number ? 0 : refuse(why, "body", "lines of JSON", "the body is missing");
}

void calls_reports(struct call *call)
{
    struct refusal why = { 0 };
    int error = check_lines(call, &why);
    const char *at = (const char *)buf_bytes(&call->body), *end = at + buf_len(&call->body), *line;
    json_int_t count = 0;
    size_t len;
    if (error == BAD_INPUT) {
        response_problem(call, PROBLEM_JSON, &why);
        return;
    }
    for (; !error && next_line(&at, end, &line, &len); count++)
        error = trial_report(call->trial, line, len, &why);
    if (error)
        response_outcome(call, error, &why);
    else
        response_json(call, 201, json_pack("{s:I}", "reports", count));
}

#define ARGUMENTS_MAX 256

static int start(struct call *call, const json_t *given, struct refusal *why)
{
    json_t *argv, *pid, *steps, *argument;
    char *list[ARGUMENTS_MAX + 1] = { NULL };
    size_t i;
    const struct json_member members[] = {
        { "argv", JSON_ARRAY, true, false, &argv },
        { "pid", JSON_INTEGER, false, false, &pid },
        { "steps", JSON_STRING, false, false, &steps },
        { 0 },
    };
    int error = json_members(given, members, why);
    if (!error && (json_array_size(argv) == 0 || json_array_size(argv) > ARGUMENTS_MAX))
        error = refuse(why, "$.argv", "1 to 256 strings", "has %zu items", json_array_size(argv));
    json_array_foreach(error ? NULL : argv, i, argument)
    {
        if (!json_is_string(argument))
            return refuse(why, "$.argv", "strings", "has something else");
        list[i] = (char *)json_string_value(argument);
    }
    if (!error)
        trial_command_start(call->trial, list, json_integer_value(pid), json_string_value(steps));
    return error;
}

static int has_exited(struct call *call, const json_t *given, struct refusal *why)
{
    json_t *status, *signal, *killed;
    const struct json_member members[] = {
        { "status", JSON_INTEGER, false, false, &status },
        { "signal", JSON_INTEGER, false, false, &signal },
        { "killed", JSON_TRUE, false, false, &killed },
        { 0 },
    };
    int error = json_members(given, members, why);
    if (!error && !status == !signal)
        error = refuse(why, "$", "status or signal", "neither is there, or both");
    if (!error && status && (json_integer_value(status) < 0 || json_integer_value(status) > 255))
        error = refuse(why, "$.status", "0 to 255", "is out of range");
    if (!error && signal && (json_integer_value(signal) < 1 || json_integer_value(signal) > 64))
        error = refuse(why, "$.signal", "1 to 64", "is out of range");
    if (!error)
        trial_command_exit(call->trial, (int)json_integer_value(status),
                           (int)json_integer_value(signal), json_is_true(killed));
    return error;
}

/* "$.pid" in "start" is "$.start.pid". */
static void in_member(struct refusal *why, const char *member)
{
    char where[sizeof why->where + 8];
    snprintf(where, sizeof where, "$.%s%s", member, why->where + 1);
    refuse_in(why, where, NULL);
}

void calls_command(struct call *call)
{
    json_t *started, *ended;
    struct refusal why = { 0 };
    const struct json_member members[] = {
        { "start", JSON_OBJECT, false, false, &started },
        { "exit", JSON_OBJECT, false, false, &ended },
        { 0 },
    };
    if (input_members(call, members))
        return;
    int error = !started == !ended ? refuse(&why, "$", "start or exit", "neither is there, or both")
                : started          ? start(call, started, &why)
                                   : has_exited(call, ended, &why);
    if (error && started != ended)
        in_member(&why, started ? "start" : "exit");
    if (error)
        response_outcome(call, error, &why);
    else
        response_json(
            call, 201,
            json_pack("{s:I}", "seq", (json_int_t)ledger_last(trial_ledger(call->trial))));
}

/* --- Whether all is quiet */

static bool more_quiet(struct call *call, struct buf *out)
{
    struct run *run = trial_run(call->trial);
    int64_t now = clock_now();
    size_t open = run ? run_open_exchanges(run) : 0;
    if (open && now < call->until && !waiting_is_over(call)) {
        bool early = now < call->look;
        call->look = early ? call->look : now + NS_PER_MS;
        if ((early ? waiting_rest(call, call->look) : waiting_park(call, call->until)) == 0)
            return true;
    }
    buf_printf(out, "{\"quiet\":%s,\"open\":%zu,\"last\":%llu}\n", open ? "false" : "true", open,
               (unsigned long long)ledger_last(trial_ledger(call->trial)));
    return false;
}

static bool read_until(struct call *call)
{
    if (waiting_read(call, &call->until))
        return false;
    if (call->until == TIME_NONE)
        call->until = 0;
    return true;
}

void calls_quiet(struct call *call)
{
    if (read_until(call))
        response_stream(call, "application/json", more_quiet, NULL);
}

/* --- The verdict */

static const struct {
    const char *type;
    void (*write)(const struct report *r, struct buf *out); /* NULL: the document itself */
} reports[] = {
    { "application/json", NULL },
    { "text/plain; charset=utf-8", report_text },
    { "text/markdown; charset=utf-8", report_markdown },
    { "application/xml; charset=utf-8", report_junit },
    { "text/html; charset=utf-8", report_html },
};

/* Which of them is asked for; -1: none, and the call is answered. */
static int choose_report(struct call *call)
{
    static const char *const names[] = { "application/json", "text/plain", "text/markdown",
                                         "application/xml", "text/html" };
    return input_choose_type(call, names, sizeof names / sizeof *names);
}

static void write_report(struct call *call, const struct judged_found *found, struct buf *out)
{
    char at[CLOCK_RFC3339_SIZE];
    const struct buf *text = &found->document;
    if (buf_len(text) == 0) {
        out->failed = true;
        return;
    }
    if (!reports[call->as].write) {
        buf_add(out, buf_bytes(text), buf_len(text));
        buf_text(out, "\n");
        return;
    }
    json_auto_t *document = json_loadb((const char *)buf_bytes(text), buf_len(text), 0, NULL);
    const struct report_row row = { .document = document };
    const struct report r = { .rows = &row, .count = 1, .at = at };
    clock_rfc3339(clock_wall(clock_now()), at);
    at[19] = '\0'; /* whole seconds */
    if (document)
        reports[call->as].write(&r, out);
    else
        out->failed = true;
}

/* Waits a little, so that looking takes a small part of the time. Returns whether it does. */
static bool rests(struct call *call, int64_t until)
{
    return !waiting_is_over(call) && waiting_rest(call, until) == 0;
}

/* What was found when the call asked or later. NULL: the call rests until it is; once nobody may
 * wait any more it is worked out here. */
static const struct judged_found *found_for(struct call *call, bool calls)
{
    int64_t now = clock_now();
    if (!call->asked)
        call->asked = now;
    const struct judged_found *found = trial_judged(call->trial, call->asked, calls);
    if (found || rests(call, now + FEEDING))
        return found;
    return trial_judge_now(call->trial, calls);
}

/* Whether the call waits on: for what is final. Then it asks again, not before call->look. */
static bool is_wanted_later(struct call *call, const struct judged_found *found)
{
    int64_t now = clock_now(), cost = LOOK_COST * found->took;
    struct ledger *l = trial_ledger(call->trial);
    if (call->until <= now || waiting_is_over(call) || found->final || !trial_is_live(call->trial))
        return false;
    call->asked = 0;
    call->look = now + (cost > LOOK ? cost : LOOK);
    int64_t until = call->look < call->until ? call->look : call->until;
    if (ledger_last(l) > found->seq)
        return rests(call, until);
    int64_t next = found->next < 0 ? TIME_NONE : now + found->next - ledger_age(l, now);
    if (next < call->look)
        next = call->look;
    return waiting_park(call, next < call->until ? next : call->until) == 0;
}

static bool more_verdict(struct call *call, struct buf *out)
{
    int64_t now = clock_now();
    if (now < call->look && now < call->until &&
        rests(call, call->look < call->until ? call->look : call->until))
        return true;
    const struct judged_found *found = found_for(call, false);
    if (!found || is_wanted_later(call, found))
        return true;
    write_report(call, found, out);
    return false;
}

void calls_verdict(struct call *call)
{
    call->as = choose_report(call);
    if (call->as >= 0 && read_until(call))
        response_stream(call, reports[call->as].type, more_verdict, NULL);
}

static bool more_calls(struct call *call, struct buf *out)
{
    const struct judged_found *found = found_for(call, true);
    if (!found)
        return true;
    if (buf_len(&found->calls) == 0)
        out->failed = true;
    buf_add(out, buf_bytes(&found->calls), buf_len(&found->calls));
    buf_text(out, "\n");
    return false;
}

void calls_calls(struct call *call)
{
    response_stream(call, "application/json", more_calls, NULL);
}
