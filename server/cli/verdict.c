/* verdict.c - `hangup verdict FILE`: judges a saved ledger.
 *
 * The file is read a line at a time. Each becomes the record that it was made of, in a ledger that
 * keeps the newest alone, and the verdict is fed it from there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/option.h"
#include "cli/report_file.h"
#include "cli/standard.h"
#include "cli/story.h"
#include "ledger/ledger.h"
#include "verdict/expect.h"
#include "verdict/report.h"
#include "verdict/verdict.h"

#define LINE_MAX_BYTES  ((size_t)1 << 20)
#define LEDGER_BYTES    ((size_t)4 << 20) /* of the newest records */
#define KEPT_MAX        1000000
#define EXIT_NOT_PROVED 1
#define EXIT_UNCLEAR    3

/* --- The arguments */

struct arguments {
    const char *file;
    const char *junit, *markdown, *html;
    struct option_texts expect;
    unsigned kept; /* 0: as many as the server kept */
    bool json, allow_inconclusive;
};

#define PLACE(member) offsetof(struct arguments, member)

static const struct option_row rows[] = {
    { "--expect", "NAME[;k=v]",
      "judge by this check or mitigation instead of what the ledger says; may be repeated",
      OPTION_TEXTS, PLACE(expect) },
    { "--kept", "N", "remember so many attempts, connections and faults of a phase (as the server)",
      OPTION_COUNT, PLACE(kept) },
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
        "inconclusive, 2 when FILE cannot be judged, or what is said of it not be written.\n",
        to);
}

#define FILE_ALLOWED "a saved ledger, or \"-\" for stdin"

static int read_arguments(int argc, char **argv, struct arguments *out)
{
    struct refusal why;
    int error = option_read_all(&table, argc, argv, out, &out->file, "FILE", &why);
    if (error)
        return command_refused("verdict", error, &why);
    return out->file ? 0 : command_error("verdict", "FILE: it is missing; allowed: " FILE_ALLOWED);
}

/* --- The file */

/* By errno. */
static int cannot_be_read(const struct arguments *a)
{
    return command_error("verdict", "FILE: \"%s\": %s; allowed: " FILE_ALLOWED, a->file,
                         strerror(errno));
}

struct reading {
    struct ledger *ledger;
    struct verdict *verdict; /* NULL: no event yet */
    unsigned kept;           /* 0: what run_start says */
    bool out_of_memory;
    struct ledger_watch watch;
    struct ledger_record last; /* its fields aside; event EV_COUNT: none yet */
    bool any;
    bool cut; /* the last line was */
    unsigned long line;
};

/* It keeps as many as the run whose first event this is, so that it forgets what was forgotten
 * there: else the two could differ. */
static struct verdict *begin_verdict(unsigned asked, const struct ledger_record *first)
{
    int64_t said = first->event == EV_RUN_START ? ledger_number(first, F_KEPT, 0) : 0;
    size_t kept = asked ? asked : said >= 1 && said <= KEPT_MAX ? (size_t)said : VERDICT_KEPT;
    const struct verdict_config config = { kept, kept, kept };
    return verdict_create(&config);
}

static void committed(struct ledger_watch *watch, const struct ledger_record *record)
{
    struct reading *r = link_entry(watch, struct reading, watch);
    r->last = *record;
    r->any = true;
    if (!r->verdict)
        r->verdict = begin_verdict(r->kept, record);
    if (r->verdict)
        verdict_feed(r->verdict, record);
    else
        r->out_of_memory = true;
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

/* What a file begins with that is no text of a ledger. */
static const char *other_kind(const char *line, size_t len)
{
    static const struct {
        const char *begin, *what;
    } kinds[] = { { "\x1f\x8b", "is compressed: gzip -dc FILE | hangup verdict -" },
                  { "\x28\xb5\x2f\xfd", "is compressed: zstd -dc FILE | hangup verdict -" },
                  { "\xfd"
                    "7zXZ",
                    "is compressed: xz -dc FILE | hangup verdict -" },
                  { "BZh", "is compressed: bzip2 -dc FILE | hangup verdict -" },
                  { "PK\x03\x04", "is a zip archive: unzip -p FILE | hangup verdict -" },
                  { "\xff\xfe", "is UTF-16" },
                  { "\xfe\xff", "is UTF-16" },
                  { "\xef\xbb\xbf", "begins with a byte order mark" } };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t n = strlen(kinds[i].begin);
        if (len >= n && memcmp(line, kinds[i].begin, n) == 0)
            return kinds[i].what;
    }
    return memchr(line, '\0', len) ? "is no text: there are octets of 0 in it" : NULL;
}

/* len: without the line's end. whole: it had one. */
static int take_line(const struct arguments *a, struct reading *r, const char *line, size_t len,
                     bool whole)
{
    struct refusal why = { 0 };
    const char *other = r->line == 1 ? other_kind(line, len) : NULL;
    if (other) {
        refuse(&why, "", "one event of a ledger, a JSON object in a line, in UTF-8", "the file %s",
               other);
        return refuse_line(a, r, &why);
    }
    if (len && line[len - 1] == '\r')
        len--;
    if (len == 0)
        return 0;
    int error = ledger_load(r->ledger, line, len, &why);
    if (error < 0 || r->out_of_memory)
        return command_error("verdict", "out of memory");
    if (error == 0)
        return 0;
    if (whole)
        return refuse_line(a, r, &why);
    r->cut = true; /* its writer was ended; what it told is missing */
    return 0;
}

/* Reads a line, its end included, of at most this size. Returns its length, 0 at the end of the
 * file. */
static size_t read_line(FILE *from, char *line, size_t size)
{
    size_t len = 0;
    int c;
    while (len < size && (c = getc_unlocked(from)) != EOF) {
        line[len++] = (char)c;
        if (c == '\n')
            break;
    }
    return len;
}

static int read_lines(const struct arguments *a, struct reading *r, FILE *from)
{
    size_t size = LINE_MAX_BYTES + 2, len;
    char *line = malloc(size);
    int status = line ? 0 : command_error("verdict", "out of memory");
    while (!status && (errno = 0, len = read_line(from, line, size)) > 0) {
        bool whole = line[len - 1] == '\n';
        struct refusal why = { 0 };
        r->line++;
        if (len < size || whole) {
            status = take_line(a, r, line, len - whole, whole);
            continue;
        }
        refuse(&why, "", "lines of at most 1 MiB", "the line is too long");
        status = refuse_line(a, r, &why);
    }
    if (!status && ferror(from))
        status = cannot_be_read(a);
    free(line);
    return status;
}

/* A FIFO is opened when somebody writes to it. */
static FILE *open_file(const char *path)
{
    struct stat is;
    if (stat(path, &is) == 0 && S_ISFIFO(is.st_mode) && strncmp(path, "/dev/fd/", 8) != 0 &&
        strncmp(path, "/proc/", 6) != 0)
        fprintf(stderr, "hangup verdict: %s: a FIFO; waiting until it is written to\n", path);
    return fopen(path, "re");
}

static int read_file(const struct arguments *a, struct reading *r)
{
    bool standard = strcmp(a->file, "-") == 0;
    FILE *from = standard ? stdin : open_file(a->file);
    if (!from)
        return cannot_be_read(a);
    int status = read_lines(a, r, from);
    if (!standard)
        fclose(from);
    if (!status && !r->any)
        status = command_error("verdict", "%s: there is no event in it%s", a->file,
                               r->cut ? ", its only line is cut" : "");
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
    struct report_file files[REPORT_FILES];
    report_file_kinds(a->junit, a->html, a->markdown, files);
    for (size_t i = 0; i < REPORT_FILES; i++) {
        struct buf text = { 0 };
        struct refusal why;
        if (!files[i].path)
            continue;
        files[i].make(report, &text);
        int error = text.failed ? -ENOMEM : report_file_write(&files[i], &text, &why);
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
        standard_write(&text, stdout);
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
    int error = status ? 0 : standard_flush();
    if (error) /* what nobody can read is neither a fail nor a pass */
        status = command_unwritten("verdict", error);
    if (status)
        return status;
    enum outcome outcome = report_outcome(&report);
    return outcome == OUTCOME_PASS ? 0 : outcome == OUTCOME_FAIL ? EXIT_NOT_PROVED : EXIT_UNCLEAR;
}

int command_verdict(int argc, char **argv)
{
    struct arguments arguments = { 0 };
    int status = read_arguments(argc, argv, &arguments);
    if (status)
        return status;
    struct reading r = { .ledger = ledger_create(LEDGER_BYTES),
                         .kept = arguments.kept,
                         .watch = { .committed = committed } };
    if (r.ledger) {
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
