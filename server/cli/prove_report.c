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
    }
    free(results->list);
}

/* --- Rows of a report */

#define NAME_SIZE 256

static const char *row_name(const struct prove_results *results, size_t i, char out[NAME_SIZE])
{
    const struct prove_result *r = &results->list[i];
    if (!results->many)
        return NULL;
    int n = snprintf(out, NAME_SIZE, "%s%s%s", r->row->name, r->row->over ? " over " : "",
                     r->row->over ? r->row->over : "");
    if (results->rounds > 1)
        snprintf(out + n, NAME_SIZE - (size_t)n, ", round %u", r->round + 1);
    return out;
}

/* Makes a report of so many from the i-th on, and hands it to make. Returns 0 or -ENOMEM. */
static int render(const struct prove_results *results, size_t i, size_t count,
                  const struct prove_options *o, bool colour,
                  void (*make)(const struct report *r, struct buf *out), struct buf *out)
{
    char(*names)[NAME_SIZE] = malloc(count * sizeof *names), at[32];
    struct report_row *rows = calloc(count, sizeof *rows);
    time_t now = time(NULL);
    struct tm utc;
    if (!names || !rows) {
        free(names);
        free(rows);
        return -ENOMEM;
    }
    for (size_t k = 0; k < count; k++) {
        const struct prove_result *r = &results->list[i + k];
        rows[k] = (struct report_row){ .name = row_name(results, i + k, names[k]),
                                       .document = r->verdict,
                                       .error = *r->error ? r->error : NULL };
    }
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now, &utc));
    const struct report report = { .title = o->suite ? o->suite : NULL,
                                   .rows = rows,
                                   .count = count,
                                   .at = at,
                                   .colour = colour,
                                   .allow_inconclusive = o->lenient };
    make(&report, out);
    free(names);
    free(rows);
    return out->failed ? -ENOMEM : 0;
}

int prove_report_row(const struct prove_results *results, size_t i, const struct prove_options *o)
{
    struct buf text = { 0 };
    if (o->json)
        return 0;
    char name[NAME_SIZE];
    int error = 0;
    if (results->audit) {
        const char *of = row_name(results, i, name);
        audit_row_text(&results->list[i], of ? of : results->list[i].row->name,
                       story_colour(STDOUT_FILENO), &text);
    } else {
        error = render(results, i, 1, o, story_colour(STDOUT_FILENO), report_text, &text);
    }
    if (!error)
        fwrite(buf_bytes(&text), 1, buf_len(&text), stdout);
    buf_free(&text);
    return error ? error : standard_flush();
}

/* --- Files */

int prove_report_check(const struct prove_options *o, struct refusal *why)
{
    const struct {
        const char *option, *path;
    } files[] = { { "--junit", o->junit },
                  { "--html", o->html },
                  { "--markdown", o->markdown },
                  { "--ledger", o->ledger } };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        int fd = files[i].path
                     ? open(files[i].path, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0666)
                     : -1;
        if (files[i].path && fd < 0 && errno != ENXIO) /* a FIFO that nobody reads yet */
            return report_file_refuse(why, files[i].option, files[i].path, errno);
        if (fd >= 0)
            close(fd);
    }
    return 0;
}

int prove_report_ledger(struct place *place, size_t i, const struct prove_options *o,
                        struct refusal *why)
{
    char path[4200];
    snprintf(path, sizeof path, i ? "%s.%zu" : "%s", o->ledger, i + 1);
    FILE *file = fopen(path, "we");
    if (!file)
        return report_file_refuse(why, "--ledger", path, errno);
    errno = 0;
    int error = place->ops->ledger(place, file, why);
    int closed = report_file_close(file, "--ledger", path, error ? NULL : why);
    return error ? error : closed;
}

/* --- All of it */

/* As far as documents agree. NULL without memory. */
static json_t *json_of_all(const struct prove_results *results)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < results->count; i++) {
        const struct prove_result *r = &results->list[i];
        json_t *row = json_pack("{s:s, s:s?, s:i, s:i, s:s?, s:O?}", "name", r->row->name, "over",
                                r->row->over, "round", (int)r->round, "status", r->status, "error",
                                *r->error ? r->error : NULL, "document", r->verdict);
        if (row && results->audit)
            json_object_set_new(row, "audit", audit_row_json(r));
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
        fwrite(buf_bytes(&text), 1, buf_len(&text), stdout);
        putchar('\n');
        error = standard_flush();
    }
    buf_free(&text);
    return error;
}

/* "stale: 12 of 14 rows PROVED, 1 NOT PROVED, 1 INCONCLUSIVE" */
static int say_counts(const struct prove_results *results, const struct prove_options *o)
{
    static const struct {
        int status;
        const char *word;
    } words[] = { { PROVE_PROVED, "PROVED" },
                  { PROVE_NOT_PROVED, "NOT PROVED" },
                  { PROVE_INCONCLUSIVE, "INCONCLUSIVE" },
                  { PROVE_COMMAND_FAILED, "COMMAND FAILED" },
                  { PROVE_TIMED_OUT, "TIMED OUT" },
                  { EXIT_USAGE, "COULD NOT BE TRIED" } };
    const char *separator = "";
    printf("\n%s%s", o->suite ? o->suite : "all", ": ");
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        size_t n = 0;
        for (size_t i = 0; i < results->count; i++)
            n += results->list[i].status == words[k].status;
        if (n)
            printf("%s%zu %s", separator, n, words[k].word);
        separator = n ? ", " : separator;
    }
    printf(" (of %zu)\n", results->count);
    return standard_flush();
}

static int say_summary(const struct prove_results *results)
{
    struct buf text = { 0 };
    audit_summary(results, &text);
    if (!text.failed)
        fwrite(buf_bytes(&text), 1, buf_len(&text), stdout);
    int error = text.failed ? -ENOMEM : standard_flush();
    buf_free(&text);
    return error;
}

static int write_reports(const struct prove_results *results, const struct prove_options *o,
                         struct refusal *why)
{
    const struct {
        const char *option, *path, *how;
        void (*make)(const struct report *r, struct buf *out);
    } files[] = { { "--junit", o->junit, "we", report_junit },
                  { "--html", o->html, "we", report_html },
                  { "--markdown", o->markdown, "ae", report_markdown } };
    int error = 0;
    for (size_t i = 0; !error && i < sizeof files / sizeof *files; i++) {
        struct buf text = { 0 };
        if (!files[i].path)
            continue;
        error = render(results, 0, results->count, o, false, files[i].make, &text);
        if (!error)
            error = report_file_write(files[i].option, files[i].path, files[i].how, &text, why);
        buf_free(&text);
    }
    return error;
}

int prove_report_all(const struct prove_results *results, const struct prove_options *o,
                     struct refusal *why)
{
    int error = write_reports(results, o, why);
    if (!error && o->json)
        error = say_json(results);
    else if (!error && results->audit)
        error = say_summary(results);
    else if (!error && results->many)
        error = say_counts(results, o);
    return error;
}
