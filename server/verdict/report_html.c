/* report_html.c - a report as one page that needs nothing else: no script, no other file. */
#include <string.h>

#include "verdict/report_parts.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n<title>";
static const char style[] =
    "</title>\n<style>\n"
    ":root { color-scheme: light dark; }\n"
    "body { font: 1rem/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; "
    "padding: 0 1rem; }\n"
    "table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }\n"
    "th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; "
    "border-bottom: 1px solid #8886; }\n"
    "td, li { overflow-wrap: anywhere; }\n"
    "pre { overflow-x: auto; line-height: 1.4; }\n"
    ".pass { color: #1a7f37; } .fail { color: #cf222e; } .inconclusive { color: #9a6700; }\n"
    ".na { opacity: .7; } .word { font-weight: 600; white-space: nowrap; }\n"
    "@media (prefers-color-scheme: dark) { .pass { color: #3fb950; } .fail { color: #f85149; } "
    ".inconclusive { color: #d29922; } }\n"
    "</style>\n</head>\n<body>\n";

static const char *class_of(enum outcome outcome)
{
    return outcome == OUTCOME_NA ? "na" : report_outcome_word(outcome);
}

static void add(struct buf *out, const char *text)
{
    report_xml_text(out, text);
}

static void take(struct buf *out, struct buf *line)
{
    report_xml(out, line);
    buf_free(line);
}

static void add_word(struct buf *out, const char *element, enum outcome outcome, const char *word)
{
    buf_printf(out, "<%s class=\"word %s\">%s</%s>", element, class_of(outcome), word, element);
}

static void add_checks(struct buf *out, const json_t *document)
{
    size_t i;
    json_t *check;
    const json_t *checks = json_object_get(document, "checks");
    if (!json_array_size(checks))
        return;
    buf_text(out, "<table>\n<thead><tr><th scope=\"col\">Check</th><th scope=\"col\">Outcome</th>"
                  "<th scope=\"col\">Why</th></tr></thead>\n<tbody>\n");
    json_array_foreach((json_t *)checks, i, check)
    {
        enum outcome outcome = report_check_outcome(check);
        const char *todo = report_member(json_object_get(check, "remedy"), "do");
        const char *phase = report_member(check, "phase");
        struct buf line = { 0 };
        buf_text(out, "<tr><th scope=\"row\">");
        add(out, report_member(check, "check"));
        buf_text(out, "</th>");
        add_word(out, "td", outcome, report_outcome_word(outcome));
        buf_text(out, "<td>");
        if (*phase && strcmp(phase, "fault") != 0)
            buf_printf(&line, "%s: ", phase);
        report_sentence(check, &line);
        take(out, &line);
        if (*todo && outcome == OUTCOME_INCONCLUSIVE) {
            buf_text(out, "<br><b>To do:</b> ");
            add(out, todo);
        }
        buf_text(out, "</td></tr>\n");
    }
    buf_text(out, "</tbody>\n</table>\n");
}

static void add_connections(struct buf *out, const json_t *document)
{
    size_t i, k;
    json_t *connection, *event;
    const json_t *connections = json_object_get(document, "connections");
    if (!json_array_size(connections))
        return;
    buf_text(out, "<pre>");
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
            buf_text(out, fault ? "  <span class=\"fail\">\xe2\x9c\x97 " : "   ");
            take(out, &line);
            buf_text(out, fault ? "</span>" : "");
        }
        buf_text(out, "\n");
    }
    buf_text(out, "</pre>\n");
}

static void add_note(void *arg, struct buf *line)
{
    buf_text(arg, "<li>");
    report_xml(arg, line);
    buf_text(arg, "</li>\n");
}

static void add_notes(struct buf *out, const struct report_row *row)
{
    size_t i;
    json_t *phase;
    buf_text(out, "<ul>\n");
    if (row->error) {
        buf_text(out, "<li>");
        add(out, row->error);
        buf_text(out, "</li>\n");
    }
    json_array_foreach(json_object_get(row->document, "phases"), i, phase)
    {
        if (strcmp(report_member(phase, "phase"), "fault") == 0)
            continue;
        buf_text(out, "<li>");
        add(out, report_member(phase, "phase"));
        buf_text(out, ": ");
        add(out, report_member(phase, "sentence"));
        buf_text(out, "</li>\n");
    }
    report_notes(row->document, add_note, out);
    buf_text(out, "</ul>\n");
}

static void add_row(struct buf *out, const struct report_row *row)
{
    enum outcome outcome = report_row_outcome(row);
    struct buf subject = { 0 }, remarks = { 0 };
    buf_text(out, "<section>\n<h2>");
    add(out, report_row_name(row));
    buf_text(out, "</h2>\n<p>");
    report_subject(row, &subject);
    take(out, &subject);
    buf_text(out, ": ");
    add_word(out, "span", outcome, report_verdict_word(outcome));
    report_remarks(row, &remarks);
    if (buf_len(&remarks) || remarks.failed) {
        buf_text(out, " (");
        take(out, &remarks);
        buf_text(out, ")");
    }
    buf_free(&remarks);
    buf_text(out, "</p>\n");
    add_checks(out, row->document);
    add_notes(out, row);
    add_connections(out, row->document);
    buf_text(out, "</section>\n");
}

void report_html(const struct report *r, struct buf *out)
{
    struct buf counts = { 0 };
    buf_text(out, head);
    add(out, report_title(r));
    buf_text(out, style);
    buf_text(out, "<h1>");
    add(out, report_title(r));
    buf_text(out, ": ");
    add_word(out, "span", report_outcome(r), report_verdict_word(report_outcome(r)));
    buf_text(out, "</h1>\n<p>");
    report_counts(r, &counts);
    take(out, &counts);
    if (r->at) {
        buf_text(out, ", ");
        add(out, r->at);
        buf_text(out, " UTC");
    }
    buf_text(out, "</p>\n");
    for (size_t i = 0; i < r->count; i++)
        add_row(out, &r->rows[i]);
    buf_text(out, "</body>\n</html>\n");
}
