/* h1_response.c - see h1_response.h.
 *
 * libmicrohttpd can answer a request that was read to its end, or one of which nothing but the head
 * was read. Any other response, and the refusal of what it never gets to see, is written here.
 */
#include "engine/h1_response.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"

/* The engine's own business (engine.h), whatever the host says. */
static bool is_ours(const struct header *h)
{
    return header_is(h, "Date") || header_is(h, "Content-Length") ||
           header_is(h, "Transfer-Encoding");
}

/* Nothing in it may end the line early or be taken for another line. */
static bool can_be_sent(const struct header *h)
{
    if (h->name_len == 0)
        return false;
    for (size_t i = 0; i < h->name_len; i++)
        if ((uint8_t)h->name[i] <= ' ' || h->name[i] == ':' || h->name[i] == 0x7f)
            return false;
    return !(memchr(h->value, '\r', h->value_len) || memchr(h->value, '\n', h->value_len) ||
             memchr(h->value, '\0', h->value_len));
}

static int check(const struct response *r, int least)
{
    if (r->status < least || r->status > 999)
        return -EINVAL;
    for (size_t i = 0; i < r->header_count; i++)
        if (!can_be_sent(&r->headers[i]))
            return -EINVAL;
    return 0;
}

static void release(const struct response *r)
{
    if (r->release)
        r->release(r->release_arg);
}

/* libmicrohttpd wants NUL-terminated strings, which it copies. */
static int add_headers(const struct response *r, bool kept, struct MHD_Response *to)
{
    static struct buf line; /* used up here; kept, so that a response costs no allocation */

    for (size_t i = 0; i < r->header_count; i++) {
        const struct header *h = &r->headers[i];
        const char *name;

        if (is_ours(h) || (!kept && header_is(h, "Keep-Alive")))
            continue;
        buf_consume(&line, buf_len(&line));
        buf_add(&line, h->name, h->name_len);
        buf_add(&line, "", 1);
        buf_add(&line, h->value, h->value_len);
        if (buf_add(&line, "", 1)) { /* or what failed before it */
            buf_free(&line);
            return -ENOMEM;
        }
        name = (const char *)buf_bytes(&line);
        if (MHD_add_response_header(to, name, name + h->name_len + 1) != MHD_YES)
            log_debug("libmicrohttpd leaves out the response header \"%s\"", name);
    }
    return 0;
}

/* libmicrohttpd takes "keep-alive" out of a Connection header, and says it itself only when told
 * to; never when it closes. */
static const char *says_keep_alive(const struct response *r)
{
    static const char wanted[] = "keep-alive";

    for (size_t i = 0; i < r->header_count; i++) {
        const struct header *h = &r->headers[i];
        if (header_is(h, "Connection") && h->value_len == sizeof wanted - 1 &&
            strncasecmp(h->value, wanted, h->value_len) == 0)
            return h->value;
    }
    return NULL;
}

void h1_spelling_begin(struct h1_spelling *s, const struct response *r)
{
    const char *value = says_keep_alive(r);

    *s = (struct h1_spelling){ .wanted = value != NULL };
    if (value)
        memcpy(s->value, value, sizeof s->value);
}

void h1_spelling_apply(struct h1_spelling *s, uint8_t *bytes, size_t n)
{
    static const char line[] = "\r\nConnection: Keep-Alive\r\n";
    const size_t value = strlen("\r\nConnection: ");

    for (size_t i = 0; i < n && s->wanted; i++) {
        if (bytes[i] == (uint8_t)line[s->at]) {
            if (s->at >= value && s->at < value + sizeof s->value)
                bytes[i] = (uint8_t)s->value[s->at - value];
            s->wanted = ++s->at < sizeof line - 1;
        } else {
            s->wanted = s->at != 2 || bytes[i] != '\r'; /* an empty line ends the header section */
            s->at = bytes[i] == '\r';
        }
    }
}

bool h1_response_closes(const struct response *r)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (header_is(&r->headers[i], "Connection") && header_has_token(&r->headers[i], "close"))
            return true;
    return false;
}

int h1_response_make(const struct response *r, bool close, bool kept, struct MHD_Response **out)
{
    struct MHD_Response *made = NULL;
    int err = check(r, 200);

    size_t len = r->status == 205 ? 0 : r->body_len; /* 204 and 304 libmicrohttpd knows */
    if (!err && r->release && len)
        made = MHD_create_response_from_buffer_with_free_callback_cls(len, (void *)r->body,
                                                                      r->release, r->release_arg);
    else if (!err)
        made = MHD_create_response_from_buffer(len, (void *)r->body, MHD_RESPMEM_MUST_COPY);
    if (!made || !len)
        release(r);
    if (!made)
        return err ? err : -ENOMEM;
    err = add_headers(r, kept && !close && !h1_response_closes(r), made);
    if (!err && close && MHD_add_response_header(made, "Connection", "close") != MHD_YES)
        err = -ENOMEM;
    if (!err && !close && says_keep_alive(r))
        MHD_set_response_options(made, MHD_RF_SEND_KEEP_ALIVE_HEADER, MHD_RO_END);
    if (err) {
        MHD_destroy_response(made);
        return err;
    }
    *out = made;
    return 0;
}

/* RFC 9112 4: three digits and a phrase. */
static void add_status_line(struct buf *out, int status, bool close)
{
    char date[CLOCK_IMF_SIZE];

    clock_imf(clock_wall(clock_now()), date);
    buf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n%s", status,
               MHD_get_reason_phrase_for((unsigned)status), date,
               close ? "Connection: close\r\n" : "");
}

static void add_header(struct buf *out, const struct header *h)
{
    buf_add(out, h->name, h->name_len);
    buf_text(out, ": ");
    buf_add(out, h->value, h->value_len);
    buf_text(out, "\r\n");
}

int h1_response_interim(const struct response *r, struct buf *out)
{
    struct buf made = { 0 };
    int err = check(r, 100);

    if (err)
        return err;
    buf_printf(&made, "HTTP/1.1 %d %s\r\n", r->status,
               MHD_get_reason_phrase_for((unsigned)r->status));
    for (size_t i = 0; i < r->header_count; i++)
        if (!is_ours(&r->headers[i]))
            add_header(&made, &r->headers[i]);
    buf_text(&made, "\r\n");
    err = made.failed ? -ENOMEM : buf_add(out, buf_bytes(&made), buf_len(&made));
    buf_free(&made);
    return err;
}

/* RFC 9112 7.1: all of it is one chunk. */
static void add_content(struct buf *out, const struct response *r)
{
    bool chunked = r->framing == FRAMING_CHUNKED;

    if (chunked && r->body_len)
        buf_printf(out, "%zx\r\n", r->body_len);
    buf_add(out, r->body, r->body_len);
    if (chunked)
        buf_text(out, r->body_len ? "\r\n0\r\n\r\n" : "0\r\n\r\n");
}

size_t h1_response_content(const struct response *r)
{
    if (r->framing != FRAMING_CHUNKED)
        return r->body_len;
    if (!r->body_len)
        return strlen("0\r\n\r\n");
    return (size_t)snprintf(NULL, 0, "%zx", r->body_len) + strlen("\r\n") + r->body_len +
           strlen("\r\n0\r\n\r\n");
}

int h1_response_write(const struct response *r, bool head, bool close, struct buf *out)
{
    bool no_content = response_has_no_content(r->status);
    int err = check(r, 200);

    if (!err) {
        add_status_line(out, r->status, close);
        for (size_t i = 0; i < r->header_count; i++) {
            const struct header *h = &r->headers[i];

            if (is_ours(h) || header_is(h, "Connection") || header_is(h, "Keep-Alive"))
                continue;
            add_header(out, h);
        }
        if (!no_content && r->framing == FRAMING_CHUNKED)
            buf_text(out, "Transfer-Encoding: chunked\r\n");
        else if (r->status == 205 || (!no_content && r->framing == FRAMING_LENGTH))
            buf_printf(out, "Content-Length: %zu\r\n", no_content ? 0 : r->body_len);
        buf_text(out, "\r\n"); /* RFC 9110 8.6, 15.3.6 */
        if (!no_content && !head)
            add_content(out, r);
        err = out->failed ? -ENOMEM : 0;
    }
    release(r);
    return err;
}

int h1_response_refuse(int status, const char *why, struct buf *out)
{
    add_status_line(out, status, true);
    buf_printf(out, "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s\n", strlen(why) + 1,
               why);
    return out->failed ? -ENOMEM : 0;
}
