/* report_junit.c - JUnit XML, as Jenkins, GitLab and others read it, and by the schema of Ant's
 * report (tests/unit/junit.xsd): with all members that it wants, and none that it does not know.
 *
 * No consumer knows "inconclusive", and "skipped" is green in all of them: so it is an <error>. A
 * testcase "verdict" of each row fails when the row does, so that a run of which no check came to
 * anything is not green either.
 */
#include <string.h>

#include "verdict/report_parts.h"

struct tally {
    size_t tests, failures, errors, skipped;
};

struct junit {
    struct buf *out;
    bool allow_inconclusive;
    struct tally tally;
};

static const char *const no_time = "1970-01-01T00:00:00";

/* Counts, and writes what is inside of a <testcase>. message and more are to be escaped. */
static void add_outcome(struct junit *j, enum outcome outcome, const char *kind,
                        const struct buf *message, const char *more)
{
    const char *element = NULL;
    j->tally.tests++;
    if (outcome == OUTCOME_FAIL) {
        element = "failure";
        j->tally.failures++;
    } else if (outcome == OUTCOME_NA ||
               (outcome == OUTCOME_INCONCLUSIVE && j->allow_inconclusive)) {
        element = "skipped";
        j->tally.skipped++;
    } else if (outcome == OUTCOME_INCONCLUSIVE) {
        element = "error";
        j->tally.errors++;
    }
    if (!element)
        return;
    buf_printf(j->out, "      <%s message=\"", element);
    report_xml(j->out, message);
    buf_text(j->out, "\"");
    if (outcome == OUTCOME_FAIL || strcmp(element, "error") == 0)
        buf_printf(j->out, " type=\"%s\"", kind);
    buf_text(j->out, ">");
    report_xml_text(j->out, more);
    buf_printf(j->out, "</%s>\n", element);
}

/* A name of something: the schema wants one. */
static void add_label(struct buf *out, const char *text)
{
    report_xml_text(out, text[strspn(text, " \t\r\n")] ? text : "unnamed");
}

static void begin_case(struct junit *j, const struct report_row *row, const char *name,
                       const char *of, const char *phase)
{
    buf_text(j->out, "    <testcase name=\"");
    add_label(j->out, name);
    if (*of || *phase) {
        buf_text(j->out, " (");
        report_xml_text(j->out, of);
        buf_text(j->out, *of && *phase ? ", " : "");
        report_xml_text(j->out, phase);
        buf_text(j->out, ")");
    }
    buf_text(j->out, "\" classname=\"hangup.");
    report_xml_text(j->out, report_row_name(row));
    buf_text(j->out, "\" time=\"0\">\n");
}

static void add_check(struct junit *j, const struct report_row *row, const json_t *check)
{
    enum outcome outcome = report_check_counts(check) ? report_check_outcome(check) : OUTCOME_NA;
    const char *phase = report_member(check, "phase");
    struct buf sentence = { 0 };
    report_sentence(check, &sentence);
    begin_case(j, row, report_member(check, "check"), report_member(check, "of"),
               strcmp(phase, "fault") == 0 ? "" : phase);
    add_outcome(j, outcome, outcome == OUTCOME_FAIL ? "failed" : "inconclusive", &sentence,
                outcome == OUTCOME_INCONCLUSIVE
                    ? report_member(json_object_get(check, "remedy"), "do")
                    : "");
    buf_text(j->out, "    </testcase>\n");
    buf_free(&sentence);
}

/* What the row comes to as a whole. A set-up that failed is never skipped. */
static void add_verdict(struct junit *j, const struct report_row *row)
{
    enum outcome outcome = report_row_outcome(row);
    struct buf message = { 0 };
    report_subject(row, &message);
    buf_printf(&message, ": %s", report_verdict_word(outcome));
    begin_case(j, row, "verdict", "", "");
    j->allow_inconclusive = j->allow_inconclusive && !row->error;
    add_outcome(j, outcome,
                outcome == OUTCOME_FAIL ? "failed"
                : row->error            ? "set-up"
                                        : "inconclusive",
                &message,
                row->error ? row->error
                           : report_member(json_object_get(row->document, "remedy"), "do"));
    buf_text(j->out, "    </testcase>\n");
    buf_free(&message);
}

/* --- A suite */

static void add_property(struct buf *out, const char *name, const char *value)
{
    if (!*value)
        return;
    buf_printf(out, "      <property name=\"%s\" value=\"", name);
    report_xml_text(out, value);
    buf_text(out, "\"/>\n");
}

static void add_properties(struct buf *out, const struct report_row *row)
{
    const json_t *mode = json_object_get(row->document, "mode");
    struct buf remarks = { 0 };
    buf_text(out, "    <properties>\n");
    add_property(out, "hangup", report_member(row->document, "hangup"));
    add_property(out, "over", report_member(row->document, "over"));
    add_property(out, "mode", report_member(mode, "mode"));
    report_remarks(row, &remarks);
    buf_add(&remarks, "", 1);
    add_property(out, "summary", remarks.failed ? "" : (const char *)buf_bytes(&remarks));
    out->failed = out->failed || remarks.failed;
    buf_free(&remarks);
    buf_text(out, "    </properties>\n");
}

static void add_line(void *arg, struct buf *line)
{
    struct buf *out = arg;
    report_xml(out, line);
    buf_text(out, "\n");
}

/* The connections, one a line. */
static void add_output(struct buf *out, const struct report_row *row)
{
    size_t i, k;
    json_t *connection, *event;
    buf_text(out, "    <system-out>");
    json_array_foreach(json_object_get(row->document, "connections"), i, connection)
    {
        buf_printf(out, "conn %" JSON_INTEGER_FORMAT " ",
                   json_integer_value(json_object_get(connection, "id")));
        report_xml_text(out, report_member(connection, "protocol"));
        json_array_foreach(json_object_get(connection, "events"), k, event)
        {
            struct buf line = { 0 };
            bool fault;
            report_event(event, &line, &fault);
            buf_text(out, fault ? "  FAULT " : "   ");
            report_xml(out, &line);
            buf_free(&line);
        }
        buf_text(out, "\n");
    }
    report_notes(row->document, add_line, out);
    buf_text(out, "</system-out>\n    <system-err>");
    report_xml_text(out, row->error ? row->error : "");
    buf_text(out, "</system-err>\n");
}

/* The numbers stand before the cases: these are written aside. */
static void add_suite(const struct report *r, const struct report_row *row, size_t id,
                      struct buf *out)
{
    struct buf cases = { 0 };
    struct junit j = { &cases, r->allow_inconclusive, { 0 } };
    size_t i;
    json_t *check;
    json_array_foreach(json_object_get(row->document, "checks"), i, check)
        add_check(&j, row, check);
    add_verdict(&j, row);
    buf_text(out, "  <testsuite name=\"");
    add_label(out, report_row_name(row));
    buf_text(out, "\" package=\"");
    add_label(out, report_title(r));
    buf_printf(out,
               "\" id=\"%zu\" timestamp=\"%s\" hostname=\"localhost\" tests=\"%zu\" "
               "failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"0\">\n",
               id, r->at ? r->at : no_time, j.tally.tests, j.tally.failures, j.tally.errors,
               j.tally.skipped);
    add_properties(out, row);
    if (buf_len(&cases))
        buf_add(out, buf_bytes(&cases), buf_len(&cases));
    out->failed = out->failed || cases.failed;
    buf_free(&cases);
    add_output(out, row);
    buf_text(out, "  </testsuite>\n");
}

void report_junit(const struct report *r, struct buf *out)
{
    static const struct report_row nothing = { .name = "hangup", .error = "nothing was tested" };
    buf_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (size_t i = 0; i < r->count; i++)
        add_suite(r, &r->rows[i], i, out);
    if (!r->count)
        add_suite(r, &nothing, 0, out);
    buf_text(out, "</testsuites>\n");
}
