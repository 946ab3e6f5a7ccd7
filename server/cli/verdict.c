/* verdict.c - `hangup verdict FILE`: judges a saved ledger.
 *
 * The file is read a line at a time. Each becomes the record that it was made of, in a ledger that
 * keeps the newest alone, and the verdict is fed it from there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/option.h"
#include "cli/report_file.h"
#include "cli/story.h"
#include "ledger/ledger.h"
#include "verdict/expect.h"
#include "verdict/report.h"
#include "verdict/verdict.h"

#define LINE_MAX_BYTES ((size_t)1 << 20)
#define LEDGER_BYTES   ((size_t)4 << 20) /* of the newest records */
/* A file can be long: more than a live run keeps, so that nothing that it judged is forgotten. */
#define KEPT_ATTEMPTS    65536
#define KEPT_CONNECTIONS 65536
#define KEPT_FAULTS      16384
#define EXIT_NOT_PROVED  1
#define EXIT_UNCLEAR     3

/* --- The arguments */

struct arguments {
    const char *file;
    const char *junit, *markdown, *html;
    struct option_texts expect;
    bool json, allow_inconclusive;
};

#define PLACE(member) offsetof(struct arguments, member)

static const struct option_row rows[] = {
    { "--expect", "NAME[;k=v]",
      "judge by this check or mitigation instead of what the ledger says; may be repeated",
      OPTION_TEXTS, PLACE(expect) },
    { "--json", NULL, "the verdict's document on stdout", OPTION_FLAG, PLACE(json) },
    { "--junit", "FILE", "write JUnit XML", OPTION_TEXT, PLACE(junit) },
    { "--markdown", "FILE", "append Markdown", OPTION_TEXT, PLACE(markdown) },
    { "--html", "FILE", "write a page", OPTION_TEXT, PLACE(html) },
    { "--allow-inconclusive", NULL, "in JUnit an inconclusive check is skipped, not an error",
      OPTION_FLAG, PLACE(allow_inconclusive) },
};
static const struct option_table table = { rows, sizeof rows / sizeof *rows,
                                           "hangup help verdict" };

void verdict_help(FILE *to)
{
    option_help(&table, to);
    fputs(
        "\nFILE is a file of --ledger-dir, or what GET /v1/runs/{id}/events says as NDJSON; \"-\" "
        "is stdin.\nThe exit status is 0 when all is proved, 1 when it is not, 3 when it is "
        "inconclusive, 2 when FILE cannot be judged.\n",
        to);
}

static int read_arguments(int argc, char **argv, struct arguments *out)
{
    struct refusal why;
    int error = option_read_all(&table, argc, argv, out, &out->file, "FILE", &why);
    if (error)
        return command_refused("verdict", error, &why);
    return out->file ? 0 : command_error("verdict", "a FILE is missing: a saved ledger");
}

/* --- The file */

struct reading {
    struct ledger *ledger;
    struct verdict *verdict;
    struct ledger_watch watch;
    struct ledger_record last; /* its fields aside; event EV_COUNT: none yet */
    bool any;
    bool cut; /* the last line was */
    unsigned long line;
};

static void committed(struct ledger_watch *watch, const struct ledger_record *record)
{
    struct reading *r = link_entry(watch, struct reading, watch);
    r->last = *record;
    r->any = true;
    verdict_feed(r->verdict, record);
}

static int refuse_line(const struct arguments *a, const struct reading *r,
                       const struct refusal *inner)
{
    struct refusal why = *inner;
    char where[sizeof why.where * 2];
    snprintf(where, sizeof where, "%.80s, line %lu%s%s", a->file, r->line,
             inner->where[0] ? ": " : "", inner->where);
    refuse_in(&why, where, NULL);
    return command_refused("verdict", BAD_INPUT, &why);
}

/* len: without the line's end. whole: it had one. */
static int take_line(const struct arguments *a, struct reading *r, const char *line, size_t len,
                     bool whole)
{
    struct refusal why = { 0 };
    if (len && line[len - 1] == '\r')
        len--;
    if (len == 0)
        return 0;
    if (len > LINE_MAX_BYTES) {
        refuse(&why, "", "lines of at most 1 MiB", "the line is too long");
        return refuse_line(a, r, &why);
    }
    int error = ledger_load(r->ledger, line, len, &why);
    if (error == 0)
        return 0;
    if (error < 0)
        return command_error("verdict", "out of memory");
    if (whole)
        return refuse_line(a, r, &why);
    r->cut = true; /* its writer was ended; what it told is missing */
    return 0;
}

static int read_lines(const struct arguments *a, struct reading *r, FILE *from)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    int status = 0;
    while (!status && (errno = 0, len = getline(&line, &size, from)) > 0) {
        bool whole = line[len - 1] == '\n';
        r->line++;
        status = take_line(a, r, line, (size_t)len - whole, whole);
    }
    if (!status && (ferror(from) || errno == ENOMEM))
        status = command_error("verdict", "%s: %s", a->file, strerror(errno));
    free(line);
    return status;
}

static int read_file(const struct arguments *a, struct reading *r)
{
    bool standard = strcmp(a->file, "-") == 0;
    FILE *from = standard ? stdin : fopen(a->file, "re");
    if (!from)
        return command_error("verdict", "%s: %s", a->file, strerror(errno));
    int status = read_lines(a, r, from);
    if (!standard)
        fclose(from);
    if (!status && !r->any)
        status = command_error("verdict", "%s: there is no event in it", a->file);
    if (!status && r->cut) {
        fprintf(stderr, "hangup verdict: %s: the last line is cut, and left out\n", a->file);
        verdict_gap(r->verdict, r->last.seq + 1, r->last.seq + 1);
    }
    return status;
}

/* What is expected, as the newest event. */
static int expect(const struct arguments *a, struct reading *r)
{
    struct expect *expected;
    struct refusal why;
    struct buf text = { 0 };
    if (!a->expect.count)
        return 0;
    int error = expect_read_text(a->expect.list, a->expect.count, &expected, &why);
    if (error > 0)
        refuse_in(&why, "--expect", why.where);
    if (error)
        return command_refused("verdict", error, &why);
    json_auto_t *list = expect_json(expected);
    expect_free(expected);
    if (!list || json_write(&text, list) != 0) {
        buf_free(&text);
        return command_error("verdict", "out of memory");
    }
    struct ledger_record as = r->last;
    as.event = EV_EXPECTATIONS;
    as.seq += r->cut ? 2 : 1;
    as.connection = 0;
    as.exchange = 0;
    as.cut = false;
    ledger_begin_again(r->ledger, &as);
    ledger_bytes(r->ledger, F_EXPECTATIONS, (const char *)buf_bytes(&text), buf_len(&text));
    ledger_text(r->ledger, F_ORIGIN, "--expect");
    ledger_commit(r->ledger);
    buf_free(&text);
    return 0;
}

/* --- What comes of it */

static int write_all(const struct arguments *a, const struct report *report)
{
    const struct {
        const char *option, *path, *how;
        void (*make)(const struct report *r, struct buf *out);
    } files[] = { { "--junit", a->junit, "we", report_junit },
                  { "--markdown", a->markdown, "ae", report_markdown },
                  { "--html", a->html, "we", report_html } };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct buf text = { 0 };
        struct refusal why;
        if (!files[i].path)
            continue;
        files[i].make(report, &text);
        int error = text.failed ? -ENOMEM
                                : report_file_write(files[i].option, files[i].path, files[i].how,
                                                    &text, &why);
        buf_free(&text);
        if (error)
            return command_refused("verdict", error, &why);
    }
    return 0;
}

static int show(const struct arguments *a, const json_t *document, const struct report *report)
{
    struct buf text = { 0 };
    if (a->json) {
        json_dumpf(document, stdout, JSON_INDENT(2));
        putchar('\n');
        return 0;
    }
    report_text(report, &text);
    if (!text.failed)
        fwrite(buf_bytes(&text), 1, buf_len(&text), stdout);
    int status = text.failed ? command_error("verdict", "out of memory") : 0;
    buf_free(&text);
    return status;
}

static int tell(const struct arguments *a, struct verdict *verdict)
{
    json_auto_t *document = verdict_json(verdict);
    if (!document)
        return command_error("verdict", "out of memory");
    char at[32];
    time_t now = time(NULL);
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%S", gmtime(&now));
    const struct report_row row = { .document = document };
    const struct report report = { .rows = &row,
                                   .count = 1,
                                   .at = at,
                                   .colour = story_colour(STDOUT_FILENO),
                                   .allow_inconclusive = a->allow_inconclusive };
    int status = write_all(a, &report);
    if (!status)
        status = show(a, document, &report);
    if (status)
        return status;
    enum outcome outcome = report_outcome(&report);
    return outcome == OUTCOME_PASS ? 0 : outcome == OUTCOME_FAIL ? EXIT_NOT_PROVED : EXIT_UNCLEAR;
}

int command_verdict(int argc, char **argv)
{
    static const struct verdict_config config = { KEPT_ATTEMPTS, KEPT_CONNECTIONS, KEPT_FAULTS };
    struct arguments arguments = { 0 };
    int status = read_arguments(argc, argv, &arguments);
    if (status)
        return status;
    struct reading r = { .ledger = ledger_create(LEDGER_BYTES),
                         .verdict = verdict_create(&config),
                         .watch = { .committed = committed } };
    if (r.ledger && r.verdict) {
        ledger_watch_add(r.ledger, &r.watch);
        status = read_file(&arguments, &r);
        if (!status)
            status = expect(&arguments, &r);
        if (!status)
            status = tell(&arguments, r.verdict);
        ledger_watch_remove(&r.watch);
    } else {
        status = command_error("verdict", "out of memory");
    }
    verdict_destroy(r.verdict);
    if (r.ledger)
        ledger_destroy(r.ledger);
    return status;
}
