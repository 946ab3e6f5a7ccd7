#include "h1.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Waits for the bytes of an ending ("\r\n\r\n"); returns the length up to and with it, or 0. */
static size_t wait_for_text(struct client *c, const char *ending, int64_t until)
{
    size_t n = strlen(ending);

    for (;;) {
        const uint8_t *bytes = buf_bytes(&c->in);
        const uint8_t *at = buf_len(&c->in) ? memmem(bytes, buf_len(&c->in), ending, n) : NULL;
        if (at)
            return (size_t)(at - bytes) + n;
        if (c->fin || !client_look(c, until))
            return 0;
    }
}

static bool take(struct client *c, size_t n, struct buf *out, int64_t until)
{
    if (!client_wait_bytes(c, n, until))
        return false;
    buf_add(out, buf_bytes(&c->in), n);
    buf_consume(&c->in, n);
    return true;
}

static bool read_chunks(struct client *c, struct buf *body, int64_t until)
{
    for (;;) {
        size_t line = wait_for_text(c, "\r\n", until);
        if (!line)
            return false;
        size_t size = strtoul((const char *)buf_bytes(&c->in), NULL, 16);
        buf_consume(&c->in, line);
        if (!take(c, size, body, until) || wait_for_text(c, "\r\n", until) != 2)
            return false;
        buf_consume(&c->in, 2);
        if (size == 0)
            return true;
    }
}

static bool read_body(struct client *c, struct h1_response *r, int64_t until)
{
    char value[64];

    if (h1_header(r, "Transfer-Encoding", value, sizeof value))
        return read_chunks(c, &r->body, until);
    if (h1_header(r, "Content-Length", value, sizeof value))
        return take(c, strtoul(value, NULL, 10), &r->body, until);
    r->to_the_end = true;
    if (!client_wait_fin(c, until))
        return false;
    return take(c, buf_len(&c->in), &r->body, until);
}

bool h1_read(struct client *c, bool head, struct h1_response *r, int64_t until)
{
    *r = (struct h1_response){ .status = 0 };
    size_t n = wait_for_text(c, "\r\n\r\n", until);
    if (!n || !take(c, n, &r->head, until))
        return false;
    buf_add(&r->head, "", 1);
    if (sscanf((const char *)buf_bytes(&r->head), "HTTP/1.%d %d ", &r->minor, &r->status) != 2)
        return false;
    bool whole =
        head || r->status < 200 || r->status == 204 || r->status == 304 || read_body(c, r, until);
    buf_add(&r->body, "", 1);
    r->body.end--;
    return whole;
}

bool h1_header(const struct h1_response *r, const char *name, char *value, size_t size)
{
    const char *line = (const char *)buf_bytes(&r->head);
    size_t n = strlen(name);

    while ((line = strstr(line, "\r\n")) != NULL) {
        line += 2;
        if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
            line += n + 1;
            line += strspn(line, " \t");
            snprintf(value, size, "%.*s", (int)strcspn(line, "\r"), line);
            return true;
        }
    }
    return false;
}

void h1_free(struct h1_response *r)
{
    buf_free(&r->head);
    buf_free(&r->body);
}

void h1_compose(struct buf *out, const char *method, const char *target, const char *headers,
                const char *body)
{
    buf_printf(out, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, target, headers);
    if (body)
        buf_printf(out, "Content-Length: %zu\r\n", strlen(body));
    buf_printf(out, "\r\n%s", body ? body : "");
}
