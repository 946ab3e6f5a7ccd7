#include "cli/prove_report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/audit.h"
#include "cli/commands.h"
#include "cli/report_file.h"
#include "cli/standard.h"
#include "cli/story.h"
#include "verdict/report.h"
#include "verdict/verdict.h"

/* --- Exit statuses */

/* The first that applies comes first. */
static const int precedence[] = { EXIT_USAGE,           PROVE_TIMED_OUT,    PROVE_NOT_PROVED,
                                  PROVE_COMMAND_FAILED, PROVE_INCONCLUSIVE, PROVE_PROVED };
#define STATUSES (sizeof precedence / sizeof *precedence)

static size_t rank(int status)
{
    size_t i = 0;
    while (i + 1 < STATUSES && precedence[i] != status)
        i++;
    return i;
}

/* Of the rounds of one row, from i on; *behind is the first of the next one. */
static int status_of_rounds(const struct prove_results *results, size_t i, size_t *behind)
{
    size_t rounds = 0, passed = 0, inconclusive = 0, first = STATUSES - 1;
    const struct prove_row *row = results->list[i].row;
    for (; i < results->count && results->list[i].row == row; i++) {
        int status = results->list[i].status;
        if (results->list[i].superseded)
            continue;
        rounds++;
        passed += status == PROVE_PROVED;
        inconclusive += status == PROVE_INCONCLUSIVE;
        if (rank(status) < first)
            first = rank(status);
    }
    *behind = i;
    if (precedence[first] == PROVE_INCONCLUSIVE && passed > 0 && 2 * inconclusive < rounds)
        return PROVE_PROVED;
    return precedence[first];
}

int prove_results_status(const struct prove_results *results)
{
    size_t first = STATUSES - 1, i = 0;
    if (results->signal)
        return 128 + results->signal;
    if (results->unwritten)
        return EXIT_USAGE;
    while (i < results->count) {
        size_t one = rank(status_of_rounds(results, i, &i));
        first = one < first ? one : first;
    }
    return results->count ? precedence[first] : EXIT_USAGE;
}

int prove_results_add(struct prove_results *results, struct prove_result *r)
{
    struct prove_result *list = realloc(results->list, (results->count + 1) * sizeof *list);
    if (!list) {
        json_decref(r->verdict);
        json_decref(r->calls);
        return -ENOMEM;
    }
    results->list = list;
    list[results->count++] = *r;
    return 0;
}

void prove_results_free(struct prove_results *results)
{
    for (size_t i = 0; i < results->count; i++) {
        json_decref(results->list[i].verdict);
        json_decref(results->list[i].calls);
        free(results->list[i].ledger);
    }
    free(results->list);
}

/* --- Rows of a report */

/* roundless: as a row that has one round, so that a report calls it the same each time. */
static void write_name(const struct prove_results *results, size_t i, bool roundless,
                       char out[PROVE_NAME_SIZE])
{
    const struct prove_result *r = &results->list[i];
    int n = snprintf(out, PROVE_NAME_SIZE, "%s%s%s", r->row->name, r->row->over ? " over " : "",
                     r->row->over ? r->row->over : "");
    if (results->rounds > 1 && !roundless)
        snprintf(out + n, PROVE_NAME_SIZE - (size_t)n, ", round %u", r->round + 1);
}

void prove_report_name(const struct prove_results *results, size_t i, char out[PROVE_NAME_SIZE])
{
    write_name(results, i, false, out);
}

/* How many rounds of its row it makes up for. */
static unsigned superseded_before(const struct prove_results *results, size_t i)
{
    unsigned count = 0;
    while (i > count && results->list[i - count - 1].superseded &&
           results->list[i - count - 1].row == results->list[i].row)
        count++;
    return count;
}

/* What of the results a report is about. */
struct part {
    size_t from, count;
    bool whole; /* all of them, but those that were superseded */
    bool colour;
    bool named; /* also if there is only one; else that only where nothing was judged */
};

static struct part whole(const struct prove_results *results)
{
    return (struct part){ .count = results->count, .whole = true };
}

static size_t make_rows(const struct prove_results *results, const struct part *part,
                        char (*names)[PROVE_NAME_SIZE], struct report_row *rows)
{
    size_t used = 0;
    for (size_t i = part->from; i < part->from + part->count; i++) {
        const struct prove_result *r = &results->list[i];
        if (r->superseded && part->whole)
            continue;
        write_name(results, i, part->whole && results->until, names[used]);
        bool named = results->many || part->named || !r->verdict;
        rows[used] = (struct report_row){ .name = named ? names[used] : NULL,
                                          .document = r->verdict,
                                          .error = *r->error ? r->error : NULL,
                                          .before = superseded_before(results, i) };
        used++;
    }
    return used;
}

/* Makes a report of them, and hands it to make. Returns 0 or -ENOMEM. */
static int render(const struct prove_results *results, struct part part,
                  const struct prove_options *o,
                  void (*make)(const struct report *r, struct buf *out), struct buf *out)
{
    char(*names)[PROVE_NAME_SIZE] = malloc((part.count + 1) * sizeof *names), at[32];
    struct report_row *rows = calloc(part.count + 1, sizeof *rows);
    time_t now = time(NULL);
    struct tm utc;
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now, &utc));
    if (names && rows) {
        const struct report report = { .title = o->suite ? o->suite : NULL,
                                       .rows = rows,
                                       .count = make_rows(results, &part, names, rows),
                                       .at = at,
                                       .colour = part.colour,
                                       .allow_inconclusive = o->lenient };
        make(&report, out);
    }
    int error = !names || !rows || out->failed ? -ENOMEM : 0;
    free(names);
    free(rows);
    return error;
}

int prove_report_row(const struct prove_results *results, size_t i, const struct prove_options *o)
{
    struct buf text = { 0 };
    if (o->json)
        return 0;
    char name[PROVE_NAME_SIZE];
    int error = 0;
    bool colour = story_colour(STDOUT_FILENO);
    if (results->audit) {
        prove_report_name(results, i, name);
        audit_row_text(&results->list[i], results->many ? name : results->list[i].row->name, colour,
                       &text);
    } else {
        const struct part one = { .from = i, .count = 1, .colour = colour };
        error = render(results, one, o, report_text, &text);
    }
    if (!error)
        standard_write(&text, stdout);
    buf_free(&text);
    return error ? error : standard_flush();
}

/* --- Files */

int prove_report_check(const struct prove_options *o, struct refusal *why)
{
    struct report_file files[REPORT_FILES + 1] = {
        [REPORT_FILES] = { .option = "--ledger", .path = o->ledger },
    };
    report_file_kinds(o->junit, o->html, o->markdown, files);
    for (size_t i = 0; i <= REPORT_FILES; i++) {
        int error = files[i].path ? report_file_try(files[i].path) : 0;
        if (error)
            return report_file_refuse(why, files[i].option, files[i].path, error);
    }
    return 0;
}

/* --- All of it */

/* As far as documents agree. NULL without memory. */
static json_t *json_of_all(const struct prove_results *results)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < results->count; i++) {
        const struct prove_result *r = &results->list[i];
        json_t *row = json_pack("{s:s, s:s?, s:i, s:i, s:s?, s:O?}", "name", r->row->name, "over",
                                r->row->over, "round", (int)r->round + 1, "status", r->status,
                                "error", *r->error ? r->error : NULL, "document", r->verdict);
        if (row && results->audit)
            json_object_set_new(row, "audit", audit_row_json(r));
        if (row && r->superseded)
            json_object_set_new(row, "superseded", json_true());
        if (row && r->ledger)
            json_object_set_new(row, "ledger", json_string(r->ledger));
        json_array_append_new(rows, row);
    }
    json_t *all = json_pack("{s:s, s:i, s:i, s:o}", "hangup", HANGUP_VERSION, "rules",
                            VERDICT_RULES, "status", prove_results_status(results), "rows", rows);
    if (all && results->audit)
        json_object_set_new(all, "client", audit_summary_json(results));
    return all;
}

static int say_json(const struct prove_results *results)
{
    bool one = !results->many && !results->audit && results->count == 1 && results->list[0].verdict;
    json_t *all = one ? json_incref(results->list[0].verdict) : json_of_all(results);
    struct buf text = { 0 };
    int error = json_write(&text, all);
    json_decref(all);
    if (!error) {
        standard_write(&text, stdout);
        putchar('\n');
        error = standard_flush();
    }
    buf_free(&text);
    return error;
}

/* "stale: 12 of 14 rows PROVED, 1 NOT PROVED, 1 INCONCLUSIVE" */
static int say_counts(const struct prove_results *results, const struct prove_options *o)
{
    const struct {
        int status;
        const char *word;
    } words[] = { { PROVE_PROVED, "PROVED" },
                  { PROVE_NOT_PROVED, "NOT PROVED" },
                  { PROVE_INCONCLUSIVE, "INCONCLUSIVE" },
                  { PROVE_COMMAND_FAILED, "COMMAND FAILED" },
                  { PROVE_TIMED_OUT, "TIMED OUT" },
                  { EXIT_USAGE, "COULD NOT BE TRIED" },
                  { 128 + results->signal, "INTERRUPTED" } };
    const char *separator = "";
    size_t superseded = 0, last = SIZE_MAX, tried = 0;
    for (size_t i = 0; i < results->count; i++) {
        superseded += results->list[i].superseded;
        tried += i == 0 || results->list[i].row != results->list[last].row;
        last = i;
    }
    printf("\n%s%s", o->suite ? o->suite : "all", ": ");
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        size_t n = 0;
        for (size_t i = 0; i < results->count; i++)
            n += results->list[i].status == words[k].status && !results->list[i].superseded;
        if (n)
            printf("%s%zu %s", separator, n, words[k].word);
        separator = n ? ", " : separator;
    }
    printf(" (of %zu", results->count - superseded);
    if (superseded)
        printf("; %zu round%s before them inconclusive", superseded, superseded > 1 ? "s" : "");
    if (tried < results->rows)
        printf("; %zu row%s not tried", results->rows - tried,
               results->rows - tried > 1 ? "s" : "");
    puts(")");
    return standard_flush();
}

static int say_summary(const struct prove_results *results)
{
    struct buf text = { 0 };
    audit_summary(results, &text);
    if (!text.failed)
        standard_write(&text, stdout);
    int error = text.failed ? -ENOMEM : standard_flush();
    buf_free(&text);
    return error;
}

/* Named, as those of several commands come together in one CI job. */
static int write_reports(struct prove_results *results, const struct prove_options *o,
                         const char *command)
{
    struct report_file files[REPORT_FILES];
    struct part all = whole(results);
    int error = 0;
    all.named = true;
    report_file_kinds(o->junit, o->html, o->markdown, files);
    for (size_t i = 0; !error && i < REPORT_FILES; i++) {
        struct buf text = { 0 };
        struct refusal why;
        if (!files[i].path)
            continue;
        error = render(results, all, o, files[i].make, &text);
        if (!error && report_file_write(&files[i], &text, &why) != 0) {
            command_refused(command, BAD_INPUT, &why);
            results->unwritten = true;
        }
        buf_free(&text);
    }
    return error;
}

/* Where nobody says it is done as the runner of a CI job expects. With --json stdout is taken. */
static int annotate(const struct prove_results *results, const struct prove_options *o)
{
    const char *runner = getenv("GITHUB_ACTIONS");
    bool wanted = o->annotations ? strcmp(o->annotations, "github") == 0
                                 : runner && strcmp(runner, "true") == 0;
    struct part all = whole(results);
    struct buf text = { 0 };
    if (!wanted || results->audit)
        return 0;
    all.named = true;
    int error = render(results, all, o, report_annotations, &text);
    if (!error)
        standard_write(&text, o->json ? stderr : stdout);
    buf_free(&text);
    return error ? error : standard_flush();
}

int prove_report_all(struct prove_results *results, const struct prove_options *o,
                     const char *command)
{
    int error = write_reports(results, o, command);
    if (!error && o->json)
        error = say_json(results);
    else if (!error && results->audit)
        error = say_summary(results);
    else if (!error && results->many)
        error = say_counts(results, o);
    return error ? error : annotate(results, o);
}
