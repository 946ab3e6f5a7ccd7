/* report.c - what the formats of a report share: outcomes, sentences, and texts made harmless. */
#include "verdict/report.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "verdict/report_parts.h"

/* --- Members */

const char *report_member(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

static const char *const words[] = { [OUTCOME_NA] = "n/a",
                                     [OUTCOME_PASS] = "pass",
                                     [OUTCOME_INCONCLUSIVE] = "inconclusive",
                                     [OUTCOME_FAIL] = "fail" };

const char *report_outcome_word(enum outcome outcome)
{
    return words[outcome];
}

enum outcome report_word(const json_t *object, const char *member)
{
    const char *word = report_member(object, member);
    for (enum outcome i = OUTCOME_NA; i <= OUTCOME_FAIL; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return OUTCOME_INCONCLUSIVE;
}

const char *report_verdict_word(enum outcome outcome)
{
    return outcome == OUTCOME_FAIL   ? "NOT PROVED"
           : outcome == OUTCOME_PASS ? "PROVED"
                                     : "INCONCLUSIVE";
}

enum outcome report_check_outcome(const json_t *check)
{
    enum outcome outcome = report_word(check, "outcome");
    return outcome == OUTCOME_PASS && !json_is_true(json_object_get(check, "final"))
               ? OUTCOME_INCONCLUSIVE
               : outcome;
}

/* --- Outcomes */

bool report_check_counts(const json_t *check)
{
    return strcmp(report_member(check, "phase"), "without") != 0;
}

enum outcome report_row_outcome(const struct report_row *row)
{
    size_t i;
    json_t *check;
    bool passes = false;
    enum outcome worst = report_word(row->document, "verdict");
    if (worst == OUTCOME_NA || row->error || !json_is_true(json_object_get(row->document, "final")))
        worst = worst == OUTCOME_FAIL ? worst : OUTCOME_INCONCLUSIVE;
    json_array_foreach(json_object_get(row->document, "checks"), i, check)
    {
        enum outcome one = report_check_outcome(check);
        if (!report_check_counts(check))
            continue;
        passes = passes || one == OUTCOME_PASS;
        worst = one > worst ? one : worst;
    }
    return worst == OUTCOME_PASS && !passes ? OUTCOME_INCONCLUSIVE : worst;
}

enum outcome report_outcome(const struct report *r)
{
    enum outcome worst = r->count ? OUTCOME_PASS : OUTCOME_INCONCLUSIVE;
    for (size_t i = 0; i < r->count; i++) {
        enum outcome one = report_row_outcome(&r->rows[i]);
        worst = one > worst ? one : worst;
    }
    return worst;
}

size_t report_count(const struct report *r, enum outcome outcome)
{
    size_t count = 0;
    for (size_t i = 0; i < r->count; i++)
        count += report_row_outcome(&r->rows[i]) == outcome;
    return count;
}

/* --- Sentences */

const char *report_title(const struct report *r)
{
    return r->title ? r->title : "hangup";
}

const char *report_row_name(const struct report_row *row)
{
    const char *run = report_member(row->document, "run");
    return row->name ? row->name : *run ? run : "run";
}

static void append_list(struct buf *out, const json_t *list)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        buf_text(out, i ? ", " : "");
        buf_text(out, json_string_value(item) ? json_string_value(item) : "");
    }
}

/* Behind a pass that may be nobody's merit but the HTTP stack's. */
static const char *what_without_says(const json_t *document)
{
    const char *verdict = NULL;
    size_t i;
    json_t *phase;
    json_array_foreach(json_object_get(document, "phases"), i, phase)
    {
        if (strcmp(report_member(phase, "phase"), "without") == 0)
            verdict = report_member(phase, "verdict");
    }
    if (!verdict)
        return "; --without tells";
    return strcmp(verdict, "pass") == 0 ? "; it passes without the mitigation, too"
                                        : "; what was done without the mitigation does not tell";
}

void report_remarks(const struct report_row *row, struct buf *out)
{
    const char *summary = report_member(row->document, "summary");
    const char *by = report_member(row->document, "attribution");
    const json_t *not_tested = json_object_get(row->document, "not_tested");
    bool passes = report_row_outcome(row) == OUTCOME_PASS;
    buf_text(out, summary);
    if (passes && *by) {
        bool mitigation = strcmp(by, "the mitigation") == 0;
        buf_printf(out, "%sby %s%s", *summary ? "; " : "", by,
                   mitigation ? "" : what_without_says(row->document));
    }
    if (passes && json_array_size(not_tested)) {
        buf_text(out, *summary || *by ? ". " : "");
        append_list(out, not_tested);
        buf_text(out, ": not tested");
    }
    if (row->before)
        buf_printf(out, "%s%u round%s before it %s inconclusive", buf_len(out) ? "; " : "",
                   row->before, row->before == 1 ? "" : "s", row->before == 1 ? "was" : "were");
}

/* Of a check, whether one before it has its name. */
static bool was_named(const json_t *checks, size_t i)
{
    const char *name = report_member(json_array_get(checks, i), "check");
    for (size_t k = 0; k < i; k++)
        if (strcmp(report_member(json_array_get(checks, k), "check"), name) == 0 &&
            !json_is_string(json_object_get(json_array_get(checks, k), "of")))
            return true;
    return false;
}

/* As a row's name of prove does: "01-answered-then-dead over h1". */
static bool says_over(const char *name, const char *over)
{
    const char *last = strrchr(name, ' ');
    return last && last - name >= 5 && strncmp(last - 5, " over", 5) == 0 &&
           strcmp(last + 1, over) == 0;
}

void report_subject(const struct report_row *row, struct buf *out)
{
    const json_t *mitigations = json_object_get(row->document, "mitigations"), *item;
    const json_t *checks = json_object_get(row->document, "checks");
    const char *over = report_member(row->document, "over");
    size_t i, named = 0;
    json_array_foreach((json_t *)mitigations, i, item)
        buf_printf(out, "%s%s", named++ ? ", " : "", report_member(item, "name"));
    json_array_foreach((json_t *)checks, i, item)
    {
        if (!json_is_string(json_object_get(item, "of")) && !was_named(checks, i))
            buf_printf(out, "%s%s", named++ ? ", " : "", report_member(item, "check"));
    }
    if (!named)
        buf_text(out, report_row_name(row));
    if (*over && (named || !says_over(report_row_name(row), over)))
        buf_printf(out, " over %s", over);
}

void report_counts(const struct report *r, struct buf *out)
{
    static const enum outcome order[] = { OUTCOME_PASS, OUTCOME_FAIL, OUTCOME_INCONCLUSIVE };
    bool any = false;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        size_t count = report_count(r, order[i]);
        if (count)
            buf_printf(out, "%s%s %zu", any ? ", " : "", report_verdict_word(order[i]), count);
        any = any || count;
    }
    buf_printf(out, "%sof %zu", any ? " " : "", r->count);
}

void report_sentence(const json_t *check, struct buf *out)
{
    if (report_word(check, "outcome") == OUTCOME_PASS &&
        report_check_outcome(check) != OUTCOME_PASS)
        buf_text(out, "passes so far, and can still fail: ");
    buf_text(out, report_member(check, "sentence"));
}

void report_disagreement(const json_t *one, struct buf *out)
{
    buf_printf(out, "request %" JSON_INTEGER_FORMAT ": the client says: %s; the server: %s; %s",
               json_integer_value(json_object_get(one, "n")), report_member(one, "client"),
               report_member(one, "server"), report_member(one, "meaning"));
}

void report_notes(const json_t *document, void (*each)(void *arg, struct buf *line), void *arg)
{
    size_t i;
    json_t *one;
    double scale = json_number_value(json_object_get(document, "time_scale"));
    json_int_t more = json_integer_value(json_object_get(document, "more"));
    const char *why = report_member(document, "why");
    struct buf line = { 0 };
    if (*why) {
        buf_printf(&line, "%s -> %s", why,
                   report_member(json_object_get(document, "remedy"), "do"));
        each(arg, &line);
        line.start = line.end = 0;
    }
    json_array_foreach(json_object_get(document, "disagreements"), i, one)
    {
        buf_text(&line, "they disagree: ");
        report_disagreement(one, &line);
        each(arg, &line);
        line.start = line.end = 0;
    }
    json_array_foreach(json_object_get(document, "missing"), i, one)
    {
        buf_printf(&line,
                   "the ledger lacks the events %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT,
                   json_integer_value(json_object_get(one, "first_seq")),
                   json_integer_value(json_object_get(one, "last_seq")));
        each(arg, &line);
        line.start = line.end = 0;
    }
    if (scale > 0 && scale != 1) {
        buf_printf(&line, "all durations of the mode were multiplied by %g", scale);
        each(arg, &line);
        line.start = line.end = 0;
    }
    if (more > 0) {
        buf_printf(&line, "%" JSON_INTEGER_FORMAT " more connections are not shown", more);
        each(arg, &line);
    }
    buf_free(&line);
}

void report_event(const json_t *event, struct buf *out, bool *fault)
{
    const char *what = report_member(event, "what"), *text = report_member(event, "text");
    const json_t *after = json_object_get(event, "after_ms");
    json_int_t status = json_integer_value(json_object_get(event, "status"));
    json_int_t attempt = json_integer_value(json_object_get(event, "attempt"));
    bool request = strcmp(what, "request") == 0;
    *fault = strcmp(what, "fault") == 0;
    buf_printf(out, "%.3f ", json_number_value(json_object_get(event, "ms")) / 1000);
    if (!*text || (!request && !*fault))
        buf_printf(out, "%s%s", what, *text ? " " : "");
    buf_text(out, text);
    if (status)
        buf_printf(out, " %" JSON_INTEGER_FORMAT, status);
    if (request && attempt > 1)
        buf_printf(out, " (attempt %" JSON_INTEGER_FORMAT ")", attempt);
    if (json_is_number(after))
        buf_printf(out, " (after %.0f ms)", json_number_value(after));
}

/* --- Texts from outside */

bool report_next(const char **text, size_t *len, uint32_t *code)
{
    const uint8_t *p = (const uint8_t *)*text;
    if (!*len)
        return false;
    size_t n = utf8_sequence(p, *len);
    if (n == 1)
        *code = p[0];
    else if (n == 2)
        *code = (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    else if (n == 3)
        *code = (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    else if (n == 4)
        *code = (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 |
                (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
    else
        *code = 0xfffd;
    n = n ? n : 1;
    *text += n;
    *len -= n;
    return true;
}

bool report_is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xad || code == 0x61c ||
           code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
           (code >= 0xfff9 && code <= 0xfffb) || (code & 0xfffe) == 0xfffe ||
           (code >= 0xfdd0 && code <= 0xfdef);
}

void report_utf8(struct buf *out, uint32_t code)
{
    uint8_t bytes[4];
    size_t n = 0;
    if (code < 0x80) {
        bytes[n++] = (uint8_t)code;
    } else if (code < 0x800) {
        bytes[n++] = (uint8_t)(0xc0 | code >> 6);
    } else if (code < 0x10000) {
        bytes[n++] = (uint8_t)(0xe0 | code >> 12);
        bytes[n++] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    } else {
        bytes[n++] = (uint8_t)(0xf0 | code >> 18);
        bytes[n++] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
        bytes[n++] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    }
    if (code >= 0x80)
        bytes[n++] = (uint8_t)(0x80 | (code & 0x3f));
    buf_add(out, bytes, n);
}

void report_numbered(struct buf *out, uint32_t code)
{
    if (code < 0x100)
        buf_printf(out, "\\x%02x", code);
    else
        buf_printf(out, "\\u%04x", code);
}

void report_plain(struct buf *out, const char *text, size_t len)
{
    uint32_t code, before = 0;
    while (report_next(&text, &len, &code)) {
        /* "##[" and "##vso[" are commands to CI, wherever in a line they are. */
        if (report_is_control(code) || (code == '#' && before == '#'))
            report_numbered(out, code);
        else
            report_utf8(out, code);
        before = code;
    }
}

static void escape_xml(struct buf *out, const char *text, size_t len)
{
    uint32_t code;
    while (report_next(&text, &len, &code)) {
        if (code == '&')
            buf_text(out, "&amp;");
        else if (code == '<')
            buf_text(out, "&lt;");
        else if (code == '>')
            buf_text(out, "&gt;");
        else if (code == '"')
            buf_text(out, "&quot;");
        else if (code == '\'')
            buf_text(out, "&#39;");
        else if (report_is_control(code))
            report_numbered(out, code);
        else
            report_utf8(out, code);
    }
}

void report_xml(struct buf *out, const struct buf *text)
{
    if (buf_len(text))
        escape_xml(out, (const char *)buf_bytes(text), buf_len(text));
    out->failed = out->failed || text->failed;
}

void report_xml_text(struct buf *out, const char *text)
{
    escape_xml(out, text, strlen(text));
}
