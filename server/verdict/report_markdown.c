/* report_markdown.c - a report for the summary of a CI job (GitHub, GitLab, Gitea). */
#include <string.h>

#include "verdict/report_parts.h"

/* As text of Markdown, in a cell of a table too: what has a meaning is escaped. */
static void escape(struct buf *out, const char *text, size_t len)
{
    uint32_t code;
    while (report_next(&text, &len, &code)) {
        if (code == '&')
            buf_text(out, "&amp;");
        else if (code == '<')
            buf_text(out, "&lt;");
        else if (code == '>')
            buf_text(out, "&gt;");
        else if (code == '@')
            buf_text(out, "&#64;"); /* calls nobody */
        else if (code == ':')
            buf_text(out, "&#58;"); /* no link by itself */
        else if (code < 0x80 && strchr("\\`*_{}[]()#+-!|~$'\"^=/", (int)code) && code)
            buf_printf(out, "&#%u;", code);
        else if (report_is_control(code))
            buf_printf(out, code < 0x100 ? "&#92;x%02x" : "&#92;u%04x", code);
        else
            report_utf8(out, code);
    }
}

static void add(struct buf *out, const char *text)
{
    escape(out, text, strlen(text));
}

static void take(struct buf *out, struct buf *line)
{
    if (buf_len(line))
        escape(out, (const char *)buf_bytes(line), buf_len(line));
    out->failed = out->failed || line->failed;
    buf_free(line);
}

static void add_checks(struct buf *out, const json_t *document)
{
    size_t i;
    json_t *check;
    const json_t *checks = json_object_get(document, "checks");
    if (!json_array_size(checks))
        return;
    buf_text(out, "| check | outcome | |\n|---|---|---|\n");
    json_array_foreach((json_t *)checks, i, check)
    {
        enum outcome outcome = report_check_outcome(check);
        const char *todo = report_member(json_object_get(check, "remedy"), "do");
        const char *phase = report_member(check, "phase");
        struct buf line = { 0 };
        buf_text(out, "| ");
        add(out, report_member(check, "check"));
        buf_printf(out, " | %s%s%s | ", outcome >= OUTCOME_INCONCLUSIVE ? "**" : "",
                   report_outcome_word(outcome), outcome >= OUTCOME_INCONCLUSIVE ? "**" : "");
        if (*phase && strcmp(phase, "fault") != 0)
            buf_printf(&line, "%s: ", phase);
        report_sentence(check, &line);
        take(out, &line);
        if (*todo && outcome == OUTCOME_INCONCLUSIVE) {
            buf_text(out, " **To do:** ");
            add(out, todo);
        }
        buf_text(out, " |\n");
    }
    buf_text(out, "\n");
}

/* In <pre>, as a fence could be closed by what is in it. */
static void add_connections(struct buf *out, const json_t *document)
{
    size_t i, k;
    json_t *connection, *event;
    const json_t *connections = json_object_get(document, "connections");
    if (!json_array_size(connections))
        return;
    buf_text(out, "<details><summary>connections</summary>\n\n<pre>\n");
    json_array_foreach((json_t *)connections, i, connection)
    {
        buf_printf(out, "conn %" JSON_INTEGER_FORMAT "  ",
                   json_integer_value(json_object_get(connection, "id")));
        add(out, report_member(connection, "protocol"));
        json_array_foreach(json_object_get(connection, "events"), k, event)
        {
            struct buf line = { 0 };
            bool fault;
            report_event(event, &line, &fault);
            buf_text(out, fault ? "  \xe2\x9c\x97 " : "   ");
            take(out, &line);
        }
        buf_text(out, "\n");
    }
    buf_text(out, "</pre>\n</details>\n\n");
}

static void add_note(void *arg, struct buf *line)
{
    struct buf *out = arg;
    buf_text(out, "- ");
    if (buf_len(line))
        escape(out, (const char *)buf_bytes(line), buf_len(line));
    out->failed = out->failed || line->failed;
    buf_text(out, "\n");
}

static void add_row(struct buf *out, const struct report *r, const struct report_row *row)
{
    struct buf subject = { 0 }, remarks = { 0 };
    size_t i;
    json_t *phase;
    if (r->count > 1 || row->name) {
        buf_text(out, "### ");
        add(out, report_row_name(row));
        buf_text(out, "\n\n");
    }
    report_subject(row, &subject);
    buf_printf(out, "**%s**: ", report_verdict_word(report_row_outcome(row)));
    take(out, &subject);
    report_remarks(row, &remarks);
    if (buf_len(&remarks) || remarks.failed) {
        buf_text(out, " (");
        take(out, &remarks);
        buf_text(out, ")");
    }
    buf_free(&remarks);
    buf_text(out, "\n\n");
    if (row->error) {
        add(out, row->error);
        buf_text(out, "\n\n");
    }
    json_array_foreach(json_object_get(row->document, "phases"), i, phase)
    {
        if (strcmp(report_member(phase, "phase"), "fault") == 0)
            continue;
        add(out, report_member(phase, "phase"));
        buf_text(out, ": ");
        add(out, report_member(phase, "sentence"));
        buf_text(out, "\n\n");
    }
    add_checks(out, row->document);
    size_t before = buf_len(out);
    report_notes(row->document, add_note, out);
    buf_text(out, buf_len(out) > before ? "\n" : "");
    add_connections(out, row->document);
}

void report_markdown(const struct report *r, struct buf *out)
{
    buf_text(out, "## ");
    add(out, report_title(r));
    buf_printf(out, ": %s\n\n", report_verdict_word(report_outcome(r)));
    if (r->count > 1) {
        buf_text(out, "| test | verdict |\n|---|---|\n");
        for (size_t i = 0; i < r->count; i++) {
            buf_text(out, "| ");
            add(out, report_row_name(&r->rows[i]));
            buf_printf(out, " | %s |\n", report_verdict_word(report_row_outcome(&r->rows[i])));
        }
        buf_text(out, "\n");
    }
    for (size_t i = 0; i < r->count; i++)
        add_row(out, r, &r->rows[i]);
    if (!r->count)
        buf_text(out, "Nothing was tested.\n");
}
