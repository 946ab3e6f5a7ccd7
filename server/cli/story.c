#include "cli/story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/utf8.h"

enum colour { PLAIN, GOOD, BAD, FAULT, NOTE, FAINT };
static const char *const codes[] = {
    "", "\033[32m", "\033[31m", "\033[35m", "\033[33m", "\033[2m"
};

bool story_colour(int fd)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fd) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

/* --- Members */

static const char *text_of(const json_t *event, const char *name)
{
    const char *text = json_string_value(json_object_get(event, name));
    return text ? text : "";
}

static json_int_t number_of(const json_t *event, const char *name)
{
    return json_integer_value(json_object_get(event, name));
}

static double real_of(const json_t *event, const char *name)
{
    return json_number_value(json_object_get(event, name));
}

/* Appends what a client or a test has sent: nothing of it may speak to the terminal. */
static void add_safely(struct buf *out, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0, n; i < len; i += n) {
        const uint8_t *p = (const uint8_t *)text + i;
        n = utf8_sequence(p, len - i);
        bool control = p[0] < 0x20 || p[0] == 0x7f || (n == 2 && p[0] == 0xc2 && p[1] < 0xa0);
        bool fine = n > 0 && !control;
        n = n ? n : 1;
        if (fine)
            buf_add(out, p, n);
        for (size_t k = 0; !fine && k < n; k++)
            buf_printf(out, "\\x%02x", p[k]);
    }
}

/* --- Requests that are open */

static void remember(struct story *s, const json_t *event)
{
    unsigned place = s->next;
    s->next = (s->next + 1) % STORY_OPEN;
    s->open[place].connection = number_of(event, "connection");
    s->open[place].exchange = number_of(event, "exchange");
    s->open[place].ms = real_of(event, "first_byte_ms");
    snprintf(s->open[place].text, sizeof s->open[place].text, "%s %s", text_of(event, "method"),
             text_of(event, "target"));
}

/* Its place; -1: it is not known. */
static int recall(const struct story *s, const json_t *event)
{
    json_int_t connection = number_of(event, "connection"), exchange = number_of(event, "exchange");
    for (int i = 0; exchange && i < STORY_OPEN; i++)
        if (s->open[i].connection == connection && s->open[i].exchange == exchange)
            return i;
    return -1;
}

static const char *request_text(const struct story *s, const json_t *event)
{
    int i = recall(s, event);
    return i < 0 ? "a request" : s->open[i].text;
}

static void forget(struct story *s, const json_t *event)
{
    int i = recall(s, event);
    if (i >= 0)
        s->open[i].exchange = 0;
}

/* --- What is said of each; the text, and its colour. False: nothing. */

static enum colour tell_response(struct story *s, const json_t *event, struct buf *out)
{
    int i = recall(s, event);
    json_int_t status = number_of(event, "status");
    add_safely(out, request_text(s, event));
    buf_printf(out, " %d", (int)status);
    if (i >= 0)
        buf_printf(out, "  %.1f ms", real_of(event, "ms") - s->open[i].ms);
    forget(s, event);
    return status < 400 ? GOOD : BAD;
}

static enum colour tell_lost(struct story *s, const json_t *event, struct buf *out)
{
    const char *why = text_of(event, "why");
    add_safely(out, request_text(s, event));
    buf_printf(out, "  not answered: %s", text_of(event, "lost_by"));
    if (*why) {
        buf_text(out, ", ");
        add_safely(out, why);
    }
    forget(s, event);
    return BAD;
}

static enum colour tell_retry(struct story *s, const json_t *event, struct buf *out)
{
    buf_text(out, "retry: ");
    add_safely(out, request_text(s, event));
    buf_printf(out, " comes again, attempt %d", (int)number_of(event, "attempt"));
    return NOTE;
}

static enum colour tell_fault(struct story *s, const json_t *event, struct buf *out)
{
    const json_t *late = json_object_get(event, "late_ms");
    buf_printf(out, "fault: %s of ", text_of(event, "step"));
    add_safely(out, text_of(event, "mode"));
    buf_printf(out, " (%s)", text_of(event, "trigger"));
    if (real_of(event, "late_ms") > 1)
        buf_printf(out, ", %.1f ms late", json_number_value(late));
    return FAULT;
}

static enum colour tell_stale(struct story *s, const json_t *event, struct buf *out)
{
    const char *acked = text_of(event, "fin_acked");
    buf_text(out, "stale request: ");
    add_safely(out, text_of(event, "method"));
    buf_text(out, " ");
    add_safely(out, text_of(event, "target"));
    buf_printf(out, " sent into %s", text_of(event, "sent_into"));
    if (json_object_get(event, "after_fault_ms"))
        buf_printf(out, ", %.1f ms after the fault", real_of(event, "after_fault_ms"));
    if (*acked)
        buf_printf(out, " (FIN %s)", acked);
    return BAD;
}

static enum colour tell_mark(struct story *s, const json_t *event, struct buf *out)
{
    buf_text(out, "mark: ");
    add_safely(out, text_of(event, "name"));
    return NOTE;
}

static enum colour tell_mode(struct story *s, const json_t *event, struct buf *out)
{
    char *params = json_dumps(json_object_get(event, "params"), JSON_COMPACT);
    buf_text(out, "mode: ");
    add_safely(out, text_of(event, "mode"));
    if (params && strcmp(params, "{}") != 0) {
        buf_text(out, " ");
        add_safely(out, params);
    }
    free(params);
    return NOTE;
}

static enum colour tell_warning(struct story *s, const json_t *event, struct buf *out)
{
    buf_text(out, "warning: ");
    add_safely(out, text_of(event, "why"));
    return NOTE;
}

static enum colour tell_paused(struct story *s, const json_t *event, struct buf *out)
{
    bool slept = json_object_get(event, "slept_ms");
    buf_printf(out, "the server did not run for %.0f ms", real_of(event, "paused_ms"));
    if (slept)
        buf_text(out, ", as its machine slept");
    return NOTE;
}

/* Any event: its members as they are. */
static enum colour tell_all(const json_t *event, struct buf *out)
{
    static const char *const head[] = { "seq", "at", "ms", "event", "connection", "exchange" };
    const char *name;
    json_t *value;
    buf_text(out, text_of(event, "event"));
    json_object_foreach((json_t *)event, name, value)
    {
        bool known = false;
        for (size_t i = 0; i < sizeof head / sizeof *head; i++)
            known = known || strcmp(name, head[i]) == 0;
        if (known)
            continue;
        buf_printf(out, " %s=", name);
        struct buf text = { 0 };
        if (json_is_string(value))
            buf_text(&text, json_string_value(value));
        else
            json_write(&text, value);
        buf_add(&text, "", 1);
        if (!text.failed)
            add_safely(out, (const char *)buf_bytes(&text));
        buf_free(&text);
    }
    return FAINT;
}

static const struct {
    const char *event;
    enum colour (*tell)(struct story *s, const json_t *event, struct buf *out);
} rows[] = {
    { "response_end", tell_response },
    { "exchange_lost", tell_lost },
    { "fault", tell_fault },
    { "stale_request", tell_stale },
    { "mark", tell_mark },
    { "mode", tell_mode },
    { "plan", tell_mode },
    { "warning", tell_warning },
    { "server_paused", tell_paused },
};
#define ROWS (sizeof rows / sizeof *rows)

/* --- Lines */

static void add_head(const struct story *s, const json_t *event, struct buf *out)
{
    const char *at = text_of(event, "at"); /* 2026-11-30T04:45:08.315257Z */
    json_int_t connection = number_of(event, "connection");
    buf_printf(out, "%s%.12s%s  ", s->colour ? codes[FAINT] : "", strlen(at) > 23 ? at + 11 : "",
               s->colour ? "\033[0m" : "");
    if (connection)
        buf_printf(out, "conn %-4lld  ", (long long)connection);
    else
        buf_text(out, "           ");
}

static void add_line(const struct story *s, const json_t *event, enum colour colour,
                     const struct buf *text, struct buf *out)
{
    add_head(s, event, out);
    buf_printf(out, "%s%.*s%s\n", s->colour ? codes[colour] : "", (int)buf_len(text),
               (const char *)buf_bytes(text), s->colour && colour ? "\033[0m" : "");
}

void story_tell(struct story *s, const json_t *event, struct buf *out)
{
    const char *name = text_of(event, "event");
    struct buf text = { 0 };
    enum colour colour = PLAIN;
    if (strcmp(name, "request") == 0)
        remember(s, event);
    if (strcmp(name, "request_complete") == 0 && number_of(event, "attempt") > 1 &&
        recall(s, event) >= 0) {
        colour = tell_retry(s, event, &text);
        add_line(s, event, colour, &text, out);
        buf_consume(&text, buf_len(&text));
    }
    for (size_t i = 0; i < ROWS && !buf_len(&text); i++)
        if (strcmp(name, rows[i].event) == 0)
            colour = rows[i].tell(s, event, &text);
    if (!buf_len(&text) && s->all)
        colour = tell_all(event, &text);
    if (buf_len(&text) && !text.failed)
        add_line(s, event, colour, &text, out);
    buf_free(&text);
}
