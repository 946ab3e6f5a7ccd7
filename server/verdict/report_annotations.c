/* report_annotations.c - workflow commands of GitHub Actions: "::error title=TITLE::MESSAGE".
 *
 * They are read out of the log of a job, a line each. The runner undoes "%25", "%0D" and "%0A" in a
 * message, and "%3A" and "%2C" in a property as well; all else stands as it is. What came from
 * outside cannot end its line: its control characters are shown by their numbers.
 */
#include <string.h>

#include "verdict/report_parts.h"

/* Appends what was put together, its lines parted by "\n"; takes it. */
static void escape(struct buf *out, struct buf *text, bool property)
{
    size_t len = buf_len(text);
    const char *bytes = len ? (const char *)buf_bytes(text) : "";
    for (size_t i = 0; i < len; i++) {
        char c = bytes[i];
        if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ',')))
            buf_printf(out, "%%%02X", (unsigned char)c);
        else
            buf_add(out, &c, 1);
    }
    out->failed = out->failed || text->failed;
    buf_free(text);
}

/* A text from outside, in which nothing ends a line. Takes it. */
static void add(struct buf *out, struct buf *text)
{
    if (buf_len(text))
        report_plain(out, (const char *)buf_bytes(text), buf_len(text));
    out->failed = out->failed || text->failed;
    buf_free(text);
}

static void add_text(struct buf *out, const char *text)
{
    report_plain(out, text, strlen(text));
}

/* What a check found, and what is to be done. */
static void add_check(struct buf *out, const json_t *check, enum outcome outcome)
{
    struct buf sentence = { 0 };
    const char *todo = report_member(json_object_get(check, "remedy"), "do");
    buf_text(out, "\n");
    add_text(out, report_member(check, "check"));
    buf_printf(out, ": %s: ", report_outcome_word(outcome));
    report_sentence(check, &sentence);
    add(out, &sentence);
    if (*todo && outcome == OUTCOME_INCONCLUSIVE) {
        buf_text(out, " -> ");
        add_text(out, todo);
    }
}

static void add_row(const struct report *r, const struct report_row *row, struct buf *out)
{
    enum outcome all = report_row_outcome(row), one;
    struct buf title = { 0 }, message = { 0 }, subject = { 0 };
    size_t i;
    const json_t *check;
    if (all == OUTCOME_PASS)
        return;
    buf_text(&title, "hangup: ");
    add_text(&title, report_row_name(row));
    report_subject(row, &subject);
    add(&message, &subject);
    buf_printf(&message, ": %s", report_verdict_word(all));
    if (row->error) {
        buf_text(&message, "\n");
        add_text(&message, row->error);
    }
    json_array_foreach(json_object_get(row->document, "checks"), i, check)
    {
        one = report_check_outcome(check);
        if (report_check_counts(check) && one == all)
            add_check(&message, check, one);
    }
    bool softened = all != OUTCOME_FAIL && r->allow_inconclusive && !row->error;
    buf_printf(out, "::%s title=", softened ? "warning" : "error");
    escape(out, &title, true);
    buf_text(out, "::");
    escape(out, &message, false);
    buf_text(out, "\n");
}

void report_annotations(const struct report *r, struct buf *out)
{
    for (size_t i = 0; i < r->count; i++)
        add_row(r, &r->rows[i], out);
}
