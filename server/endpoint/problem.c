#include "endpoint/problem.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* --- Problems of ours */

static const struct problem_row rows[PROBLEM_COUNT] = {
#define X(symbol, status, kind, title, about) { status, kind, title, about },
    PROBLEMS(X)
#undef X
};

const struct problem_row *problem_row(enum problem problem)
{
    return &rows[problem];
}

enum problem problem_of_status(int status)
{
    for (int i = 0; i < PROBLEM_COUNT; i++)
        if (rows[i].status == status)
            return (enum problem)i;
    return PROBLEM_FAILED;
}

/* Clauses that say something of the place: it is put before them. */
static bool lacks_subject(const char *what)
{
    static const char *const verbs[] = { "is ", "are ", "has ", "asks ", "cannot " };
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strncmp(what, verbs[i], strlen(verbs[i])) == 0)
            return true;
    return false;
}

static void write_detail(struct buf *out, const struct refusal *why)
{
    char text[sizeof why->where + sizeof why->what + 2];
    const char *subject = why->where[0] ? why->where : "It";
    size_t n = 0;
    if (lacks_subject(why->what))
        n = (size_t)snprintf(text, sizeof text, "%s ", subject);
    n += (size_t)snprintf(text + n, sizeof text - n, "%s", why->what);
    if (text[0] >= 'a' && text[0] <= 'z' && !lacks_subject(why->what))
        text[0] = (char)(text[0] - 'a' + 'A');
    if (n && !strchr(".?!", text[n - 1]) && n + 1 < sizeof text)
        memcpy(text + n, ".", 2);
    buf_text(out, ",\"detail\":");
    buf_json(out, text, strlen(text));
}

/* "a, b, c": names without blanks. */
static bool is_list(const char *allowed)
{
    for (const char *at = allowed; (at = strchr(at, ' ')); at++)
        if (at == allowed || at[-1] != ',')
            return false;
    return true;
}

/* A list has an item a name, anything else is one item. */
static void write_allowed(struct buf *out, const char *allowed)
{
    bool list = is_list(allowed);
    const char *before = ",\"allowed\":[";
    while (*allowed) {
        const char *comma = list ? strstr(allowed, ", ") : NULL;
        size_t n = comma ? (size_t)(comma - allowed) : strlen(allowed);
        bool quoted = list && n > 2 && allowed[0] == '"' && allowed[n - 1] == '"';
        buf_text(out, before);
        buf_json(out, allowed + quoted, n - 2 * quoted);
        before = ",";
        allowed += comma ? n + 2 : n;
    }
    if (before[1] == '\0')
        buf_text(out, "]");
}

static void write_meant(struct buf *out, const struct refusal *why)
{
    for (size_t i = 0; i < SUGGEST_MAX && why->meant[i][0]; i++) {
        buf_text(out, i ? "," : ",\"did_you_mean\":[");
        buf_json(out, why->meant[i], strlen(why->meant[i]));
    }
    if (why->meant[0][0])
        buf_text(out, "]");
}

int problem_write(struct buf *out, enum problem problem, const struct refusal *why)
{
    const struct problem_row *row = &rows[problem];
    buf_printf(out, "{\"type\":\"/problems/%s\",\"title\":\"%s\",\"status\":%d", row->kind,
               row->title, row->status);
    write_detail(out, why);
    if (why->where[0]) {
        buf_text(out, ",\"where\":");
        buf_json(out, why->where, strlen(why->where));
    }
    write_allowed(out, why->allowed);
    write_meant(out, why);
    buf_text(out, "}\n");
    return out->failed ? -ENOMEM : 0;
}

/* --- Those that a status tells of */

static const struct {
    int status;
    const char *title;
} titles[] = {
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 417, "Expectation Failed" },
    { 421, "Misdirected Request" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
};

const char *problem_title(int status)
{
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
        if (titles[i].status == status)
            return titles[i].title;
    }
    return "Error";
}

int problem_write_status(struct buf *out, int status, const char *detail)
{
    buf_printf(out, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":",
               problem_title(status), status);
    buf_json(out, detail, strlen(detail));
    buf_text(out, "}\n");
    return out->failed ? -ENOMEM : 0;
}
