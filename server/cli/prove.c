/* prove.c - `hangup prove`: makes COMMAND meet a fault, and says whether its client copes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/audit.h"
#include "cli/commands.h"
#include "cli/prove_command.h"
#include "cli/prove_ledger.h"
#include "cli/prove_options.h"
#include "cli/prove_place.h"
#include "cli/prove_report.h"
#include "cli/prove_rows.h"
#include "mode/driver.h"
#include "verdict/report.h"

/* The phase "without" tells any command so; this is the same one as in the others. */
#define SAME_COMMAND "HANGUP_MITIGATION=off"

/* Exit statuses of sh for what is no program, and for what is not there. */
#define SHELL_CANNOT     126
#define SHELL_FINDS_NONE 127

/* --- A round of a row */

/* The steps of the control: without what the app is told of, so that it does nothing about it. */
static void control_steps(const char *steps, char *out)
{
    static const char *const left_out[] = { "background", "foreground" };
    size_t used = 0;
    while (*steps) {
        size_t len = strcspn(steps, " ");
        bool keep = len > 0;
        for (size_t i = 0; i < 2; i++)
            keep = keep && !(len == strlen(left_out[i]) && memcmp(steps, left_out[i], len) == 0);
        if (keep) {
            if (used)
                out[used++] = ' ';
            memcpy(out + used, steps, len);
            used += len;
        }
        steps += len + strspn(steps + len, " ");
    }
    out[used] = '\0';
}

/* A driver that says less than it was to do is broken. */
static int check_driver(const struct command_result *r, const char *steps, struct refusal *why)
{
    struct driver_step list[DRIVER_STEPS_MAX];
    size_t count;
    if (!r->drives || r->timed_out || driver_steps_read(steps, "", list, &count, NULL) != 0)
        return 0;
    size_t due = driver_requests(list, count);
    if (r->requests >= due)
        return 0;
    return refuse(why, "HANGUP_REPORT", "a line for each request of HANGUP_STEPS",
                  "the driver broke: it told of %u of %zu requests", r->requests, due);
}

static int run_command(struct proving *p, char *const *argv, const char *phase, const char *steps,
                       bool judged, struct command_result *out, struct refusal *why)
{
    if (p->signal)
        return 0;
    p->phase = phase;
    int error = command_run(p, argv, phase, steps, judged, out, why);
    if (!error && !p->signal)
        error = check_driver(out, steps, why);
    return error;
}

/* How many requests came in a phase; -1: it is not known. */
static json_int_t requests_of(const json_t *document, const char *phase)
{
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(document, "phases"), i, one)
    {
        const char *name = json_string_value(json_object_get(one, "phase"));
        if (name && strcmp(name, phase) == 0)
            return json_integer_value(json_object_get(one, "requests"));
    }
    return -1;
}

/* Whether a connection of a phase spoke a protocol, as far as connections are told. */
static bool speaks(const json_t *document, const char *phase, const char *over)
{
    size_t i, told = 0;
    const json_t *one;
    json_array_foreach(json_object_get(document, "connections"), i, one)
    {
        const char *in = json_string_value(json_object_get(one, "phase"));
        const char *protocol = json_string_value(json_object_get(one, "protocol"));
        if (!in || !protocol || strcmp(in, phase) != 0)
            continue;
        told++;
        if (strcmp(protocol, strcmp(over, "h1") == 0 ? "http/1.1" : over) == 0 ||
            strcmp(protocol, over) == 0)
            return true;
    }
    return told == 0;
}

/* Why no request came in the control, as far as it can be said. */
static int none_came(const struct proving *p, struct refusal *why)
{
    if (*p->place->own_url)
        return refuse(why, "--server", "a server that was started with --advertise HOST",
                      "no request came: the URLs of its runs are for its own machine (%s)",
                      p->place->own_url);
    return refuse(why, "COMMAND", "a client that uses HANGUP_URL, and trusts HANGUP_CA",
                  "no request of it came");
}

/* Without the fault all must be well. */
static int check_control(struct proving *p, const struct prove_row *row,
                         const struct command_result *r, struct refusal *why)
{
    static const char allowed[] = "a COMMAND that ends with 0 when nothing is wrong";
    json_t *document = NULL;
    if (r->timed_out || p->signal)
        return 0;
    int error = p->place->ops->verdict(p->place, &document, why);
    bool none = !error && requests_of(document, "control") == 0;
    bool other = !error && row->over && !speaks(document, "control", row->over);
    json_decref(document);
    if (none && *p->place->own_url)
        return none_came(p, why);
    if (r->signal)
        return refuse(why, "COMMAND", allowed, "it dies without the fault, of signal %d (%s)",
                      r->signal, strsignal(r->signal));
    if (r->status)
        return refuse(why, "COMMAND", allowed, "it fails without the fault, with exit status %d",
                      r->status);
    if (r->not_ok)
        return refuse(why, "COMMAND", "requests that are answered when nothing is wrong",
                      "%u of its %u requests fail without the fault", r->not_ok, r->requests);
    if (none)
        return none_came(p, why);
    if (other)
        return refuse(why, "--over", "a protocol that the client speaks",
                      "the client did not speak %s, though it was offered", row->over);
    return error;
}

static int run_control(struct proving *p, const struct prove_row *row, struct command_result *out,
                       struct refusal *why)
{
    char *steps = malloc(strlen(row->steps) + 1);
    if (!steps)
        return -ENOMEM;
    control_steps(row->steps, steps);
    int error = run_command(p, p->options->command, "control", steps, false, out, why);
    if (!error)
        error = check_control(p, row, out, why);
    free(steps);
    return error;
}

/* What its shell cannot run shows nothing of a client without the mitigation. */
static int check_without(struct proving *p, const struct command_result *r, struct refusal *why)
{
    json_t *document = NULL;
    if ((r->status != SHELL_CANNOT && r->status != SHELL_FINDS_NONE) || p->signal)
        return 0;
    int error = p->place->ops->verdict(p->place, &document, why);
    bool none = !error && requests_of(document, "without") == 0;
    json_decref(document);
    if (!none)
        return error;
    return refuse(why, "--without", "a command that sh -c can run",
                  "\"%.100s\" cannot be run: exit status %d, and no request came",
                  p->options->without, r->status);
}

/* Begins the next phase, unless there is none to come. */
static int next_phase(struct proving *p, const struct command_result *before, const char *phase,
                      bool *goes_on, struct refusal *why)
{
    *goes_on = !before->timed_out && !p->signal;
    return *goes_on ? p->place->ops->phase(p->place, phase, why) : 0;
}

static int run_phases(struct proving *p, const struct prove_row *row, struct prove_result *out,
                      struct refusal *why)
{
    const struct prove_options *o = p->options;
    char *shell[] = { (char *)"sh", (char *)"-c", (char *)o->without, NULL };
    bool same = o->without && strcmp(o->without, SAME_COMMAND) == 0;
    char *const *without = same ? o->command : shell;
    struct command_result *r = &out->command, before = { .status = 0 };
    bool goes_on = true;
    int error = 0;
    if (!o->no_control) {
        error = run_control(p, row, r, why);
        if (!error)
            error = next_phase(p, r, "fault", &goes_on, why);
    }
    if (error || !goes_on)
        return error;
    error = run_command(p, o->command, "fault", row->steps, true, r, why);
    before = *r;
    if (!error && o->without)
        error = next_phase(p, r, "without", &goes_on, why);
    if (!error && o->without && goes_on) {
        error = run_command(p, without, "without", row->steps, true, &before, why);
        r->timed_out = before.timed_out;
        if (!error && !same)
            error = check_without(p, &before, why);
    }
    return error;
}

/* The seed of a round: the row's, or 0, and its number. */
static json_t *spec_of(const struct proving *p, const struct prove_row *row, unsigned round)
{
    json_t *spec = json_copy(row->spec);
    json_int_t seed = json_integer_value(json_object_get(spec, "seed"));
    if (p->options->seed.given)
        seed = (json_int_t)p->options->seed.value;
    bool ok = spec && json_object_set_new(spec, "seed", json_integer(seed + round)) == 0 &&
              json_object_set_new(spec, "control", json_boolean(!p->options->no_control)) == 0;
    if (ok)
        return spec;
    json_decref(spec);
    return NULL;
}

static int add(struct proving *p, const struct prove_row *row, unsigned round, struct refusal *why)
{
    json_t *spec = spec_of(p, row, round);
    int error = spec ? p->place->ops->add(p->place, spec, why) : -ENOMEM;
    json_decref(spec);
    return error;
}

/* Asks for all that can be judged here: what cannot is refused by its place. */
static int add_audit(struct proving *p, const struct prove_row *row, unsigned round,
                     struct refusal *why)
{
    json_t *spec = spec_of(p, row, round), *expect = audit_expect();
    int error =
        spec && expect && json_object_set(spec, "expect", expect) == 0 ? BAD_INPUT : -ENOMEM;
    unsigned at = 0;
    while (error > 0 && json_array_size(expect) > 0) {
        error = p->place->ops->add(p->place, spec, why);
        if (error > 0 &&
            (sscanf(why->where, "$.expect[%u]", &at) != 1 || json_array_remove(expect, at) != 0))
            break;
    }
    json_decref(spec);
    json_decref(expect);
    return error;
}

static int run_round(struct proving *p, const struct prove_row *row, unsigned round,
                     struct prove_result *out, struct refusal *why)
{
    const struct place_ops *ops = p->place->ops;
    int error = p->audits ? add_audit(p, row, round, why) : add(p, row, round, why);
    if (error)
        return error;
    out->made = true;
    error = run_phases(p, row, out, why);
    int ending = ops->end(p->place, error ? NULL : why);
    error = error ? error : ending;
    if (!error && !p->signal)
        error = ops->verdict(p->place, &out->verdict, why);
    if (!error && !p->signal && p->audits)
        error = ops->calls(p->place, &out->calls, why);
    return error;
}

/* --- All of it */

/* Sets inconclusive, too. */
static int status_of(const struct prove_options *o, struct prove_result *r, bool audits)
{
    const struct report_row row = { .document = r->verdict };
    enum outcome outcome = report_row_outcome(&row);
    if (r->command.timed_out)
        return PROVE_TIMED_OUT;
    if (audits)
        return PROVE_PROVED; /* nothing is expected */
    if (outcome == OUTCOME_FAIL)
        return PROVE_NOT_PROVED;
    if (r->command.status != 0)
        return PROVE_COMMAND_FAILED;
    if (outcome == OUTCOME_PASS)
        return PROVE_PROVED;
    r->inconclusive = true;
    return o->lenient ? PROVE_PROVED : PROVE_INCONCLUSIVE;
}

static void warn_of_held(const struct prove_result *r)
{
    if (r->command.held)
        fprintf(stderr,
                "hangup: %zu connection%s held by something outside of COMMAND, which was waited "
                "for\n",
                r->command.held, r->command.held == 1 ? " is" : "s are");
}

/* What there is to say of a round beside its document. */
static void say_error(const char *name, int error, const struct refusal *why,
                      struct prove_result *r, bool many)
{
    const struct command_result *c = &r->command;
    size_t size = sizeof r->error;
    if (error > 0)
        snprintf(r->error, size, "%s%s%s", why->where, *why->where ? ": " : "", why->what);
    else if (error)
        snprintf(r->error, size, "%s", strerror(-error));
    else if (c->timed_out)
        snprintf(r->error, size, "COMMAND ran out of time (--timeout), and was ended");
    else if (c->signal)
        snprintf(r->error, size, "COMMAND died of signal %d (%s)", c->signal, strsignal(c->signal));
    else if (c->status)
        snprintf(r->error, size, "COMMAND ended with exit status %d", c->status);
    if (error && many)
        fprintf(stderr, "hangup %s: in row %s:\n", name, r->row->name);
    if (error)
        command_refused(name, error, why);
}

/* Of the row that was under way nothing is judged. */
static void set_interrupted(const struct proving *p, struct prove_result *r)
{
    json_decref(r->verdict);
    json_decref(r->calls);
    r->verdict = r->calls = NULL;
    r->status = 128 + p->signal;
    snprintf(r->error, sizeof r->error, "interrupted by signal %d (%s)%s%s", p->signal,
             strsignal(p->signal), p->phase ? " in the phase " : "", p->phase ? p->phase : "");
}

/* Runs a round, and says what came of it. */
static int try(struct proving *p, const char *name, const struct prove_row *row, unsigned round,
               struct prove_results *results)
{
    struct refusal why = { .where = "" };
    struct prove_result r = { .row = row, .round = round };
    p->phase = NULL;
    int error = run_round(p, row, round, &r, &why);
    if (p->signal) {
        set_interrupted(p, &r);
    } else {
        r.status = error ? EXIT_USAGE : status_of(p->options, &r, results->audit);
        say_error(name, error, &why, &r, results->many);
        warn_of_held(&r);
    }
    results->signal = p->signal;
    if (round > 0 && p->options->until && results->count > 0)
        results->list[results->count - 1].superseded = true;
    return prove_results_add(results, &r);
}

/* What is said and written of the newest one. A file that cannot be written stops nothing. */
static int tell(struct proving *p, const char *name, struct prove_results *results)
{
    struct refusal why;
    size_t i = results->count - 1;
    int error = prove_report_row(results, i, p->options);
    if (error)
        return error;
    error = prove_ledger_write(p->place, results, i, p->options, &why);
    if (error <= 0)
        return error;
    command_refused(name, error, &why);
    results->unwritten = true;
    return 0;
}

/* Is there another round of its row? */
static bool goes_on(const struct prove_options *o, const struct prove_results *results,
                    unsigned rounds)
{
    if (!o->until)
        return rounds < o->repeat;
    return rounds == 0 || (rounds < o->until && results->list[results->count - 1].inconclusive);
}

static int run_all(struct proving *p, const char *name, const struct prove_rows *rows,
                   struct prove_results *results)
{
    const struct prove_options *o = p->options;
    int error = 0;
    results->rounds = o->until ? o->until : o->repeat;
    results->until = o->until > 0;
    results->rows = rows->count;
    results->many = rows->count * results->rounds > 1;
    for (size_t i = 0; !error && !p->signal && i < rows->count; i++)
        for (unsigned round = 0; !error && !p->signal && goes_on(o, results, round); round++) {
            error = try(p, name, &rows->list[i], round, results);
            if (!error)
                error = tell(p, name, results);
        }
    return error;
}

static int check_files(const struct prove_options *o, struct refusal *why)
{
    int error = prove_report_check(o, why);
    return error ? error : prove_ledger_check(o, why);
}

static int prove(const char *name, const struct prove_options *o, const struct prove_rows *rows)
{
    struct proving p = { .options = o, .shown = o->json ? STDERR_FILENO : STDOUT_FILENO };
    struct prove_results results = { .audit = strcmp(name, "audit") == 0 };
    p.audits = results.audit;
    struct refusal why = { .where = "" };
    int error = check_files(o, &why);
    if (!error)
        error = o->server ? place_elsewhere(o, &p.place, &why) : place_inside(o, &p.place, &why);
    if (error)
        return command_refused(name, error, &why);
    error = proving_begin(&p);
    if (!error)
        error = run_all(&p, name, rows, &results);
    if (p.signal)
        proving_end(&p); /* the next one ends us, whoever does not read what is said now */
    if (!error)
        error = prove_report_all(&results, o, name);
    int status = error < 0 && ferror(stdout) ? command_unwritten(name, error)
                 : error                     ? command_refused(name, error, &why)
                                             : prove_results_status(&results);
    if (!p.signal)
        proving_end(&p);
    p.place->ops->close(p.place);
    prove_results_free(&results);
    return p.signal ? 128 + p.signal : status;
}

static int run(const char *name, int argc, char **argv)
{
    struct prove_options options;
    struct prove_rows rows;
    struct refusal why;
    int error = prove_options_read(name, argc, argv, &options, &why);
    if (!error && (options.list || options.explain))
        return command_checks(options.explain);
    if (!error)
        error = prove_rows_read(&options, &rows, &why);
    if (error)
        return command_refused(name, error, &why);
    int status = prove(name, &options, &rows);
    prove_rows_free(&rows);
    return status;
}

int command_prove(int argc, char **argv)
{
    return run("prove", argc, argv);
}

int command_audit(int argc, char **argv)
{
    return run("audit", argc, argv);
}
