/* wrong_port.c - HTTP in cleartext on a TLS port, TLS on a cleartext one: the mistake is answered
 * as real servers do, and told in words.
 *
 * Both are answered with 400 in cleartext. To HTTP on a TLS port that is a response that its client
 * understands. To TLS on a cleartext port it is none, and an alert would be one; but nginx, Apache,
 * Node and Go answer so, and what TLS libraries say to it ("wrong version number", "packet length
 * too long") is how this mistake shows everywhere else.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "endpoint/problem.h"
#include "engine/h1_response.h"
#include "run/session.h"

#define LINE_MAX_LEN   8192 /* of a request line that is waited for */
#define TLS_HANDSHAKE  22   /* the type of a record with a ClientHello (RFC 8446 5.1), */
#define TLS_MAJOR      3    /* and the first octet of its version */
#define SHOWN_LINE_LEN 80

/* " or http:// on port 8080": where the run has what the client speaks. Empty when it has not. */
static const char *other_port(const struct session *s, bool tls, char out[48])
{
    out[0] = '\0';
    for (const struct run_listener *l = s->shared->listeners; l; l = l->next)
        if (l->tls == tls && l->socket)
            snprintf(out, 48, ", or %s:// on port %u", tls ? "https" : "http",
                     listener_port(l->socket));
    return out;
}

/* A response with 400 and a problem in it. head: to a HEAD request. */
static void write_400(const char *detail, bool head, struct buf *out)
{
    struct buf body = { 0 };
    const struct header type = {
        .name = "Content-Type", .name_len = 12, .value = "application/problem+json", .value_len = 24
    };
    problem_write_status(&body, 400, detail);
    struct response response = { .status = 400,
                                 .headers = &type,
                                 .header_count = 1,
                                 .body = buf_bytes(&body),
                                 .body_len = buf_len(&body) };
    if (!body.failed)
        h1_response_write(&response, head, true, out);
    buf_free(&body);
}

/* --- HTTP on a TLS port */

/* RFC 9110 5.6.2 */
static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

enum likeness { NO, NOT_YET, YES };

/* Is this a request line, or what has come of one? The h2 preface begins with one, too (RFC 9113
 * 3.4). */
static enum likeness like_request(const char *line, size_t len, bool whole)
{
    size_t method = 0, target;
    while (method < len && is_token_char(line[method]))
        method++;
    if (method == len && !whole)
        return len < LINE_MAX_LEN ? NOT_YET : NO;
    if (method == 0 || method == len || line[method] != ' ')
        return NO;
    for (target = method + 1; target < len && (uint8_t)line[target] > ' '; target++)
        ;
    if (target == method + 1 && whole)
        return NO;
    if (!whole)
        return len < LINE_MAX_LEN ? NOT_YET : YES;
    if (target == len)
        return method == 3 && memcmp(line, "GET", 3) == 0 ? YES : NO; /* HTTP/0.9 */
    return len - target > 6 && memcmp(line + target, " HTTP/", 6) == 0 ? YES : NO;
}

void wrong_port_in_cleartext(void *owner, const uint8_t *bytes, size_t n)
{
    static struct log_gate gate;
    struct session *s = owner;
    struct buf response = { 0 };
    char detail[128], why[SHOWN_LINE_LEN + 64], other[48];
    const char *line = (const char *)bytes, *all_end = line + n;
    while (line < all_end && (*line == '\r' || *line == '\n'))
        line++; /* RFC 9112 2.2 */
    const char *end = memchr(line, '\n', (size_t)(all_end - line));
    bool whole = end != NULL;
    size_t len = (size_t)((end ? end : all_end) - line);
    if (whole && len > 0 && line[len - 1] == '\r')
        len--;
    enum likeness http = like_request(line, len, whole);
    if (http == NOT_YET)
        return;
    if (http == NO) {
        wire_refuse_cleartext(s->xs.wire, "what the client sent is no TLS", NULL, 0);
        return;
    }
    snprintf(detail, sizeof detail,
             "This port speaks TLS, but the request came in cleartext. Use https://%s.",
             other_port(s, false, other));
    snprintf(why, sizeof why, "HTTP in cleartext on a TLS port: %.*s",
             (int)(len < SHOWN_LINE_LEN ? len : SHOWN_LINE_LEN), line);
    log_sometimes(&gate, LOG_WARN,
                  "connection %llu, listener %s: %s; answered with 400: use https://%s",
                  (unsigned long long)s->xs.id, s->listener, why, other);
    write_400(detail, len > 5 && memcmp(line, "HEAD ", 5) == 0, &response);
    wire_refuse_cleartext(s->xs.wire, why, buf_bytes(&response),
                          response.failed ? 0 : buf_len(&response));
    buf_free(&response);
}

/* --- TLS on a cleartext port */

static void refuse_tls(struct session *s)
{
    static struct log_gate gate;
    struct buf response = { 0 };
    char detail[128], other[48];
    snprintf(detail, sizeof detail,
             "This port speaks no TLS, but a TLS handshake was begun. Use http://%s.",
             other_port(s, true, other));
    log_sometimes(&gate, LOG_WARN,
                  "connection %llu, listener %s: TLS on a cleartext port; answered with 400 in "
                  "cleartext: use http://%s",
                  (unsigned long long)s->xs.id, s->listener, other);
    witness_protocol_error(&s->xs, "TLS on a cleartext port: answered with 400 in cleartext");
    write_400(detail, false, &response);
    wire_send(s->xs.wire, buf_bytes(&response), buf_len(&response));
    buf_free(&response);
    wire_close(s->xs.wire, BY_SERVER);
}

enum wrong_port wrong_port_look(struct session *s, const uint8_t *bytes, size_t n)
{
    bool waited = s->tls_type_seen;
    s->tls_type_seen = false;
    if (s->sniff.seen > 0 || (!waited && bytes[0] != TLS_HANDSHAKE))
        return WRONG_PORT_NO;
    if (!waited && n == 1) {
        s->tls_type_seen = true;
        return WRONG_PORT_TAKEN;
    }
    if (bytes[waited ? 0 : 1] != TLS_MAJOR)
        return waited ? WRONG_PORT_NO_AFTER_TYPE : WRONG_PORT_NO;
    refuse_tls(s);
    return WRONG_PORT_TAKEN;
}
