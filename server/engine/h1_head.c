/* h1_head.c - see h1_head.h. */
#include "engine/h1_head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "engine/head_memory.h"

#define CHUNK_SIZE_MAX  (UINT64_C(1) << 56)
#define CHUNK_EXTRA_MAX 4096 /* chunk extensions and trailers of a message, together */

static bool is_token(uint8_t c)
{
    uint8_t lower = c | 0x20;

    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           (c && strchr("!#$%&'*+.^_`|~", c));
}

/* May stand in a field value (RFC 9110 5.5, obs-text included). */
static bool is_value(uint8_t c)
{
    return c >= 0x20 ? c != 0x7f : c == '\t';
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static void broken(struct h1_head *h, int status, const char *why)
{
    h->at = H1_BROKEN;
    h->status = status;
    h->why = why;
}

/* Splits a field line without its line end. White space behind the value is moved before it, since
 * libmicrohttpd 0.9 takes it for a part of the value. Returns NULL, or what is wrong. */
static const char *parse_field(char *line, size_t len, struct header *f)
{
    char *colon = memchr(line, ':', len);
    char *value, *end = line + len;
    size_t behind = 0;

    if (is_space((uint8_t)line[0]))
        return "folded header line";
    if (!colon)
        return "header line without a colon";
    if (colon == line)
        return "header line without a name";
    for (char *p = line; p < colon; p++)
        if (!is_token((uint8_t)*p))
            return "header name with an octet that is no token character";
    value = colon + 1;
    while (value < end && is_space((uint8_t)*value))
        value++;
    for (char *p = value; p < end; p++)
        if (!is_value((uint8_t)*p))
            return "header value with a control character";
    while (end > value && is_space((uint8_t)end[-1])) {
        end--;
        behind++;
    }
    if (behind) {
        memmove(value + behind, value, (size_t)(end - value));
        memset(value, ' ', behind);
        value += behind;
        end += behind;
    }
    *f = (struct header){ line, value, (size_t)(colon - line), (size_t)(end - value) };
    return NULL;
}

/* Appends a NUL-terminated copy. The caller has reserved the room. */
static const char *keep_string(struct h1_head *h, const char *text, size_t len)
{
    char *at = (char *)h->text.data + h->text.end;

    memcpy(at, text, len);
    at[len] = '\0';
    h->text.end += len + 1;
    return at;
}

/* The length of the line at text without its line end; *next is behind that. */
static size_t line_length(const char *text, const char *end, const char **next)
{
    const char *lf = memchr(text, '\n', (size_t)(end - text));
    size_t len = (size_t)(lf - text);

    *next = lf + 1;
    return len && text[len - 1] == '\r' ? len - 1 : len;
}

static bool starts_with(const char *text, size_t len, const char *start)
{
    size_t n = strlen(start);

    return len >= n && strncasecmp(text, start, n) == 0;
}

/* The authority of an absolute-form: the target's own, Host does not count (RFC 9112 3.2.2). */
static const char *parse_absolute(struct h1_head *h, const char *target, size_t len)
{
    size_t scheme = starts_with(target, len, "http://")    ? 7
                    : starts_with(target, len, "https://") ? 8
                                                           : 0;
    const char *authority = target + scheme, *end = authority;

    if (!scheme)
        return "request target of no form that RFC 9112 3.2 knows";
    while (end < target + len && *end != '/' && *end != '?')
        end++;
    if (!request_authority_valid(authority, (size_t)(end - authority)))
        return "request target without a valid host";
    h->request.authority = keep_string(h, authority, (size_t)(end - authority));
    return NULL;
}

/* The four forms of RFC 9112 3.2. */
static bool parse_target(struct h1_head *h, const char *target, size_t len)
{
    const char *method = h->request.method, *wrong = request_target_wrong(target, len);

    if (wrong)
        ;
    else if (strcmp(method, "CONNECT") == 0)
        wrong = memchr(target, ':', len) && request_authority_valid(target, len)
                    ? NULL
                    : "CONNECT to something other than host:port";
    else if (len == 1 && target[0] == '*')
        wrong = strcmp(method, "OPTIONS") == 0 ? NULL : "\"*\" with a method other than OPTIONS";
    else if (target[0] != '/')
        wrong = parse_absolute(h, target, len);
    if (wrong) {
        broken(h, 400, wrong);
        return false;
    }
    h->request.target = keep_string(h, target, len);
    return true;
}

/* Method, target and version (RFC 9112 3). */
static bool parse_request_line(struct h1_head *h, const char *line, size_t len)
{
    const char *end = line + len;
    const char *target = (const char *)memchr(line, ' ', len);
    const char *target_end, *version;

    if (!target) {
        broken(h, 400, "request line without a target");
        return false;
    }
    h->request.method = keep_string(h, line, (size_t)(target - line));
    target++;
    target_end = memchr(target, ' ', (size_t)(end - target));
    if (!target_end || target_end == target) {
        broken(h, 400, "request line without a target and a version");
        return false;
    }
    version = target_end + 1;
    if (end - version != 8 || memcmp(version, "HTTP/", 5) != 0 || version[5] < '0' ||
        version[5] > '9' || version[6] != '.' || version[7] < '0' || version[7] > '9') {
        broken(h, 400, "request line that does not end with an HTTP version");
        return false;
    }
    if (version[5] != '1') {
        broken(h, 505, "HTTP version other than 1.x");
        return false;
    }
    h->minor = version[7] - '0';
    return parse_target(h, target, (size_t)(target_end - target));
}

/* Host, RFC 9112 3.2; an empty one is allowed there, and none in HTTP/1.0. */
static bool parse_host(struct h1_head *h, const struct header *host)
{
    if (!host && h->minor > 0) {
        broken(h, 400, "HTTP/1.1 request without Host");
        return false;
    }
    if (host && host->value_len && !request_authority_valid(host->value, host->value_len)) {
        broken(h, 400, "Host that is no host and port");
        return false;
    }
    if (host && !*h->request.authority)
        h->request.authority = keep_string(h, host->value, host->value_len);
    return true;
}

/* RFC 9112 6.1: chunked alone is known here; where it is not the last coding, or applied twice, the
 * end of the message cannot be told (6.3). */
static void parse_coding(struct h1_head *h, const struct header *coding)
{
    const char *at = coding->value, *end = at + coding->value_len;
    bool chunked = false, again = false, other = false;

    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *next = comma ? comma + 1 : end, *stop = comma ? comma : end;

        while (at < stop && is_space((uint8_t)*at))
            at++;
        while (stop > at && is_space((uint8_t)stop[-1]))
            stop--;
        if (stop > at) { /* an empty element of the list is none (RFC 9110 5.6.1) */
            again |= chunked;
            chunked = stop - at == 7 && strncasecmp(at, "chunked", 7) == 0;
            other |= !chunked;
        }
        at = next;
    }
    if (!chunked || again)
        broken(h, 400, "Transfer-Encoding that does not end with chunked, applied once");
    else if (other)
        broken(h, 501, "Transfer-Encoding other than chunked");
    else
        h->chunked = true;
}

static void parse_length(struct h1_head *h, const struct header *length)
{
    if (length->value_len == 0) {
        broken(h, 400, "Content-Length that is no number");
        return;
    }
    for (size_t i = 0; i < length->value_len; i++) {
        char c = length->value[i];
        if (c < '0' || c > '9') {
            broken(h, 400, "Content-Length that is no number");
            return;
        }
        if (h->left > INT64_MAX / 10 - 1) {
            broken(h, 413, "Content-Length too large");
            return;
        }
        h->left = h->left * 10 + (uint64_t)(c - '0');
    }
}

/* How long the body is (RFC 9112 6.3), and Host. */
static void parse_framing(struct h1_head *h)
{
    const struct header *length = NULL, *coding = NULL, *host = NULL;

    for (size_t i = 0; i < h->request.header_count; i++) {
        const struct header *f = &h->headers[i];
        const struct header **slot = header_is(f, "Content-Length")      ? &length
                                     : header_is(f, "Transfer-Encoding") ? &coding
                                     : header_is(f, "Host")              ? &host
                                                                         : NULL;
        if (!slot)
            continue;
        if (*slot) {
            broken(h, 400, "more than one Host, Content-Length or Transfer-Encoding");
            return;
        }
        *slot = f;
    }
    if (!parse_host(h, host))
        return;
    if (coding && (length || h->minor == 0))
        broken(h, 400,
               length ? "both Content-Length and Transfer-Encoding"
                      : "Transfer-Encoding in HTTP/1.0");
    else if (coding)
        parse_coding(h, coding);
    else if (length)
        parse_length(h, length);
}

/* Makes room for the header table (a line each) and for copies of the strings. */
static int reserve_parts(struct h1_head *h)
{
    size_t lines = 0, len = buf_len(&h->text);

    if (buf_reserve(&h->text, 2 * len + 4)) /* the strings: method, target, authority */
        return -ENOMEM;
    for (const uint8_t *p = h->text.data, *end = p + len; p < end; p++)
        lines += *p == '\n';
    h->headers = calloc(lines + 1, sizeof *h->headers);
    if (!h->headers)
        return -ENOMEM;
    h->request = (struct request){
        .method = "", .target = "", .authority = "", .headers = h->headers, .begun_at = h->begun_at
    };
    return 0;
}

/* The head is whole: from text to request, and on to the body. */
static void parse_head(struct h1_head *h)
{
    char *text;
    const char *end, *next;
    size_t len;

    if (reserve_parts(h)) {
        broken(h, 503, "out of memory");
        return;
    }
    text = (char *)h->text.data;
    h->head_len = h->text.end;
    end = text + h->head_len;
    len = line_length(text, end, &next);
    if (!parse_request_line(h, text, len))
        return;
    for (;;) {
        char *line = text + (next - text);
        const char *wrong;

        len = line_length(line, end, &next);
        if (len == 0)
            break;
        wrong = parse_field(line, len, &h->headers[h->request.header_count]);
        if (wrong) {
            broken(h, 400, wrong);
            return;
        }
        h->request.header_count++;
    }
    parse_framing(h);
    h->request.content = h->chunked || h->left;
    if (h->at != H1_BROKEN)
        h->at = h->request.content ? H1_IN_BODY : H1_WHOLE;
}

int h1_head_partial(struct h1_head *h)
{
    char *text, *end, *space, *target, *line;

    if (reserve_parts(h))
        return -ENOMEM;
    text = (char *)h->text.data;
    end = text + h->text.end;
    space = memchr(text, ' ', (size_t)(end - text));
    if (!space)
        return 0;
    h->request.method = keep_string(h, text, (size_t)(space - text));
    for (target = space + 1, line = target;
         line < end && *line != ' ' && *line != '\r' && *line != '\n';)
        line++;
    if (line == end)
        return 0;
    h->request.target = keep_string(h, target, (size_t)(line - target));
    while ((line = memchr(line, '\n', (size_t)(end - line))) && ++line < end) {
        struct header *f = &h->headers[h->request.header_count];
        char *lf = memchr(line, '\n', (size_t)(end - line));
        size_t len = lf ? (size_t)(lf - line) : 0;

        if (len && line[len - 1] == '\r')
            len--;
        if (len == 0 || parse_field(line, len, f))
            break;
        h->request.header_count++;
        if (header_is(f, "Host") && !*h->request.authority)
            h->request.authority = keep_string(h, f->value, f->value_len);
    }
    return 0;
}

/* Takes up to the end of the head. */
static size_t feed_head(struct h1_head *h, const uint8_t *bytes, size_t n)
{
    size_t room = H1_HEAD_MAX - h->text.end, used = 0;

    if (!h->method_end) {
        while (used < n && used < room && is_token(bytes[used]))
            used++;
        if (used < n && used < room) {
            if (bytes[used] != ' ' || h->text.end + used == 0) {
                broken(h, 400, "request that does not begin with a method");
                return used;
            }
            h->method_end = true;
        }
        used = 0;
    }
    while (used < n) {
        const uint8_t *lf = memchr(bytes + used, '\n', n - used);
        size_t part = lf ? (size_t)(lf - bytes) + 1 - used : n - used;
        size_t len;

        if (part > H1_HEAD_MAX - h->text.end) {
            if (h->line)
                broken(h, 431, "header section of more than 12 KiB");
            else
                broken(h, 414, "request line of more than 12 KiB");
            return used;
        }
        /* The text, twice while it grows; the strings of the request; and the line's field. */
        if (!h->uncounted && head_memory_take(&h->memory, 3 * part + sizeof *h->headers)) {
            broken(h, 503, "the server keeps no more than 64 MiB of header sections");
            return used;
        }
        if (buf_add(&h->text, bytes + used, part)) {
            broken(h, 503, "out of memory");
            return used;
        }
        used += part;
        if (!lf)
            return used;
        len = h->text.end - h->line;
        if (h->line && (len == 1 || (len == 2 && h->text.data[h->line] == '\r'))) {
            parse_head(h);
            return used;
        }
        h->line = h->text.end;
    }
    return used;
}

/* One octet of a chunked body outside of chunk data. Returns the next state. */
static enum h1_chunk chunk_step(struct h1_head *h, uint8_t c)
{
    int digit;

    switch (h->chunk) {
    case H1_CHUNK_SIZE:
        digit = hex_digit((char)c);
        if (digit >= 0 && h->left < CHUNK_SIZE_MAX) {
            h->left = h->left * 16 + (uint64_t)digit;
            h->any = true;
            return H1_CHUNK_SIZE;
        }
        if (h->any && c == '\r')
            return H1_CHUNK_SIZE_LF;
        broken(h, digit >= 0 ? 413 : 400,
               digit >= 0 ? "chunk size too large" : "malformed chunk size");
        return h->chunk;
    case H1_CHUNK_EXTENSION:
    case H1_CHUNK_TRAILER_VALUE:
        if (c == '\r')
            return H1_CHUNK_TRAILER_LF;
        if (!is_value(c))
            broken(h, 400, "control character in a chunk extension or trailer");
        return h->chunk;
    case H1_CHUNK_TRAILER:
        if (c == '\r')
            return H1_CHUNK_END_LF;
        if (!is_token(c))
            broken(h, 400, "malformed trailer");
        return H1_CHUNK_TRAILER_NAME;
    case H1_CHUNK_TRAILER_NAME:
        if (c == ':')
            return H1_CHUNK_TRAILER_VALUE;
        if (!is_token(c))
            broken(h, 400, "malformed trailer");
        return h->chunk;
    case H1_CHUNK_DATA_CR:
        if (c != '\r')
            broken(h, 400, "chunk longer than its size");
        return H1_CHUNK_DATA_LF;
    default:
        break;
    }
    if (c != '\n')
        broken(h, 400, "CR without LF in a chunked body");
    else if (h->chunk == H1_CHUNK_END_LF)
        h->at = H1_WHOLE;
    if (h->chunk == H1_CHUNK_SIZE_LF) {
        h->any = false;
        return h->left ? H1_CHUNK_DATA : H1_CHUNK_TRAILER;
    }
    return h->chunk == H1_CHUNK_DATA_LF ? H1_CHUNK_SIZE : H1_CHUNK_TRAILER;
}

/* Takes content. */
static size_t feed_content(struct h1_head *h, size_t n)
{
    size_t part = n < h->left ? n : (size_t)h->left;

    h->left -= part;
    if (h->left == 0 && h->chunked)
        h->chunk = H1_CHUNK_DATA_CR;
    else if (h->left == 0)
        h->at = H1_WHOLE;
    return part;
}

/* Takes what is between the content of two chunks, and behind the last one. */
static size_t feed_framing(struct h1_head *h, const uint8_t *bytes, size_t n)
{
    size_t used = 0;

    while (used < n && h->at == H1_IN_BODY && h->chunk != H1_CHUNK_DATA) {
        if (h->chunk == H1_CHUNK_SIZE && h->any && bytes[used] == ';')
            h->chunk = H1_CHUNK_EXTENSION;
        else if (h->chunk == H1_CHUNK_EXTENSION && bytes[used] == '\r')
            h->chunk = H1_CHUNK_SIZE;
        if (h->chunk == H1_CHUNK_EXTENSION || h->chunk >= H1_CHUNK_TRAILER)
            h->extra++;
        if (h->extra > CHUNK_EXTRA_MAX)
            broken(h, 431, "chunk extensions and trailers of more than 4 KiB");
        else
            h->chunk = chunk_step(h, bytes[used]);
        used += h->at != H1_BROKEN;
    }
    return used;
}

size_t h1_head_feed(struct h1_head *h, const uint8_t *bytes, size_t n)
{
    size_t used = 0;

    switch (h->at) {
    case H1_BETWEEN: /* RFC 9112 2.2: empty lines before a request are skipped */
        while (used < n && (bytes[used] == '\r' || bytes[used] == '\n'))
            used++;
        if (used < n)
            h->at = H1_IN_HEAD;
        return used;
    case H1_IN_HEAD:
        return feed_head(h, bytes, n);
    case H1_IN_BODY:
        return h1_head_in_content(h) ? feed_content(h, n) : feed_framing(h, bytes, n);
    case H1_WHOLE:
    case H1_BROKEN:
        break;
    }
    return 0;
}

void h1_head_free(struct h1_head *h)
{
    buf_free(&h->text);
    free(h->headers);
    head_memory_give(&h->memory, h->memory);
    *h = (struct h1_head){ .uncounted = h->uncounted };
}

void h1_head_next(struct h1_head *h)
{
    h1_head_free(h);
}

int h1_head_copy(struct h1_head *to, const struct h1_head *from)
{
    *to = *from;
    to->text = (struct buf){ 0 };
    to->request = (struct request){ 0 };
    to->headers = NULL;
    to->memory = 0;
    if (from->at == H1_IN_HEAD &&
        buf_add(&to->text, buf_bytes(&from->text), buf_len(&from->text))) {
        *to = (struct h1_head){ 0 };
        return -ENOMEM;
    }
    return 0;
}
