/* report_text.c - a report for a terminal or a log. */
#include <string.h>

#include "verdict/report_parts.h"

/* The columns behind the name of a check. */
#define NAME_WIDTH    20
#define OUTCOME_WIDTH 13

struct text {
    const struct report *report;
    struct buf *out;
};

static const char *const colours[] = { [OUTCOME_NA] = "\x1b[2m",
                                       [OUTCOME_PASS] = "\x1b[32m",
                                       [OUTCOME_INCONCLUSIVE] = "\x1b[33m",
                                       [OUTCOME_FAIL] = "\x1b[31m" };

static void begin_colour(const struct text *t, enum outcome outcome)
{
    if (t->report->colour)
        buf_text(t->out, colours[outcome]);
}

static void end_colour(const struct text *t)
{
    if (t->report->colour)
        buf_text(t->out, "\x1b[0m");
}

static void add(const struct text *t, const char *text)
{
    report_plain(t->out, text, strlen(text));
}

/* What was put together, made harmless; takes it. */
static void take(const struct text *t, struct buf *line)
{
    if (buf_len(line))
        report_plain(t->out, (const char *)buf_bytes(line), buf_len(line));
    t->out->failed = t->out->failed || line->failed;
    buf_free(line);
}

static void pad(const struct text *t, size_t from, size_t width)
{
    for (size_t used = buf_len(t->out) - from; used < width; used++)
        buf_text(t->out, " ");
}

/* A word in its column; colours take no place. */
static void column(const struct text *t, const char *word, size_t width, enum outcome outcome)
{
    begin_colour(t, outcome);
    size_t from = buf_len(t->out);
    add(t, word);
    size_t used = buf_len(t->out) - from;
    end_colour(t);
    from = buf_len(t->out);
    pad(t, from, used < width ? width - used : 0);
}

static void add_phases(const struct text *t, const json_t *document)
{
    size_t i;
    json_t *phase;
    json_array_foreach(json_object_get(document, "phases"), i, phase)
    {
        const char *name = report_member(phase, "phase");
        if (strcmp(name, "fault") == 0)
            continue; /* all that follows is about it */
        enum outcome outcome = report_word(phase, "verdict");
        buf_text(t->out, "   ");
        size_t from = buf_len(t->out);
        add(t, name);
        pad(t, from, 9);
        const char *word = outcome == OUTCOME_PASS ? "ok" : report_outcome_word(outcome);
        column(t, word, strlen(word) + 2, outcome);
        add(t, report_member(phase, "sentence"));
        buf_text(t->out, "\n");
    }
}

static void add_connections(const struct text *t, const json_t *document)
{
    size_t i, k;
    json_t *connection, *event;
    json_array_foreach(json_object_get(document, "connections"), i, connection)
    {
        const char *phase = report_member(connection, "phase");
        buf_printf(t->out, "   conn %" JSON_INTEGER_FORMAT "  ",
                   json_integer_value(json_object_get(connection, "id")));
        add(t, report_member(connection, "protocol"));
        if (*phase && strcmp(phase, "fault") != 0) {
            buf_text(t->out, " ");
            add(t, phase);
        }
        json_array_foreach(json_object_get(connection, "events"), k, event)
        {
            struct buf line = { 0 };
            bool fault;
            report_event(event, &line, &fault);
            buf_text(t->out, fault ? "  " : "   ");
            if (fault) {
                begin_colour(t, OUTCOME_FAIL);
                buf_text(t->out, "\xe2\x9c\x97 ");
            }
            take(t, &line);
            if (fault)
                end_colour(t);
        }
        buf_text(t->out, "\n");
    }
}

static void add_check(const struct text *t, const json_t *check)
{
    enum outcome outcome = report_check_outcome(check);
    const char *todo = report_member(json_object_get(check, "remedy"), "do");
    const char *phase = report_member(check, "phase");
    struct buf line = { 0 };
    buf_text(t->out, "   ");
    column(t, report_member(check, "check"), NAME_WIDTH, OUTCOME_NA);
    column(t, report_outcome_word(outcome), OUTCOME_WIDTH, outcome);
    if (*phase && strcmp(phase, "fault") != 0)
        buf_printf(&line, "%s: ", phase);
    report_sentence(check, &line);
    take(t, &line);
    buf_text(t->out, "\n");
    if (*todo && outcome == OUTCOME_INCONCLUSIVE) {
        buf_printf(t->out, "   %*s-> ", NAME_WIDTH + OUTCOME_WIDTH, "");
        add(t, todo);
        buf_text(t->out, "\n");
    }
}

static void add_note(void *arg, struct buf *line)
{
    const struct text *t = arg;
    buf_text(t->out, "   ");
    if (buf_len(line))
        report_plain(t->out, (const char *)buf_bytes(line), buf_len(line));
    t->out->failed = t->out->failed || line->failed;
    buf_text(t->out, "\n");
}

static void add_verdict(const struct text *t, const char *subject, size_t len, enum outcome outcome)
{
    buf_text(t->out, "   ");
    report_plain(t->out, subject, len);
    buf_text(t->out, ": ");
    begin_colour(t, outcome == OUTCOME_NA ? OUTCOME_INCONCLUSIVE : outcome);
    buf_text(t->out, report_verdict_word(outcome));
    end_colour(t);
}

static void add_row(const struct text *t, const struct report_row *row)
{
    struct buf subject = { 0 }, remarks = { 0 };
    size_t i;
    json_t *check;
    if (t->report->count > 1 || row->name) {
        add(t, report_row_name(row));
        buf_text(t->out, "\n");
    }
    if (row->document) {
        add_phases(t, row->document);
        add_connections(t, row->document);
        json_array_foreach(json_object_get(row->document, "checks"), i, check) add_check(t, check);
        report_notes(row->document, add_note, (void *)t);
    }
    if (row->error) {
        buf_text(t->out, "   ");
        add(t, row->error);
        buf_text(t->out, "\n");
    }
    report_subject(row, &subject);
    add_verdict(t, subject.end ? (const char *)buf_bytes(&subject) : "", buf_len(&subject),
                report_row_outcome(row));
    t->out->failed = t->out->failed || subject.failed;
    report_remarks(row, &remarks);
    if (buf_len(&remarks) || remarks.failed) {
        buf_text(t->out, "   (");
        take(t, &remarks);
        buf_text(t->out, ")");
    }
    buf_text(t->out, "\n");
    buf_free(&remarks);
    buf_free(&subject);
}

void report_text(const struct report *r, struct buf *out)
{
    const struct text t = { r, out };
    for (size_t i = 0; i < r->count; i++)
        add_row(&t, &r->rows[i]);
    if (r->count == 1)
        return;
    struct buf counts = { 0 };
    const char *title = report_title(r);
    add_verdict(&t, title, strlen(title), report_outcome(r));
    buf_text(out, "   (");
    report_counts(r, &counts);
    take(&t, &counts);
    buf_text(out, ")\n");
}
