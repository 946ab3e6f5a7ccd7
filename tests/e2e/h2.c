#include "h2.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_HEADER 9

/* 1.60 named them anew, for its own ssize_t. */
#if NGHTTP2_VERSION_NUM >= 0x013c00
#define inflate_hd nghttp2_hd_inflate_hd3
#define deflate_hd nghttp2_hd_deflate_hd2
#else
#define inflate_hd nghttp2_hd_inflate_hd2
#define deflate_hd nghttp2_hd_deflate_hd
#endif

uint32_t h2_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void h2_put32(uint8_t *p, uint32_t value)
{
    value = htonl(value);
    memcpy(p, &value, 4);
}

void h2_init(struct h2 *h, struct client *c)
{
    *h = (struct h2){ .c = c, .last_stream = -1 };
    nghttp2_hd_deflate_new(&h->deflater, 4096);
    nghttp2_hd_inflate_new(&h->inflater);
}

void h2_start(struct h2 *h, struct client *c)
{
    struct buf out = { .data = NULL };

    h2_init(h, c);
    buf_text(&out, H2_PREFACE);
    h2_compose_frame(&out, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    client_send(c, buf_bytes(&out), buf_len(&out));
    buf_free(&out);
}

void h2_free(struct h2 *h)
{
    for (unsigned i = 0; i < H2_STREAMS; i++)
        buf_free(&h->streams[i].body);
    nghttp2_hd_deflate_del(h->deflater);
    nghttp2_hd_inflate_del(h->inflater);
    h->deflater = NULL;
    h->inflater = NULL;
}

struct h2_stream *h2_stream(struct h2 *h, int32_t stream)
{
    static struct h2_stream beyond;

    if (stream < 1 || stream / 2 >= H2_STREAMS)
        return &beyond;
    return &h->streams[stream / 2];
}

/* RFC 9113 8.2.2 */
static bool hop_by_hop(const nghttp2_nv *nv)
{
    static const char *const names[] = { "connection", "keep-alive", "proxy-connection",
                                         "transfer-encoding", "upgrade" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == nv->namelen && memcmp(names[i], nv->name, nv->namelen) == 0)
            return true;
    return false;
}

static bool has_capitals(const nghttp2_nv *nv)
{
    for (size_t i = 0; i < nv->namelen; i++)
        if (nv->name[i] >= 'A' && nv->name[i] <= 'Z')
            return true;
    return false;
}

static void note_headers(struct h2 *h, const struct h2_frame *f)
{
    const uint8_t *in = f->payload;
    size_t left = f->length;

    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t used = inflate_hd(h->inflater, &nv, &flags, in, left, 1);
        if (used < 0)
            return;
        in += used;
        left -= (size_t)used;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) && nv.namelen == 7 &&
            memcmp(nv.name, ":status", 7) == 0)
            h2_stream(h, f->stream)->status = atoi((const char *)nv.value);
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) && hop_by_hop(&nv))
            h2_stream(h, f->stream)->hop_by_hop = true;
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            h2_stream(h, f->stream)->fields++;
            h2_stream(h, f->stream)->capitals |= has_capitals(&nv);
        }
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            break;
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && left == 0)
            break;
    }
    nghttp2_hd_inflate_end_headers(h->inflater);
}

static void note_settings(struct h2 *h, const struct h2_frame *f)
{
    if (f->flags & NGHTTP2_FLAG_ACK) {
        h->settings_acked = true;
        return;
    }
    for (uint32_t i = 0; i + 6 <= f->length; i += 6) {
        unsigned id = (unsigned)f->payload[i] << 8 | f->payload[i + 1];
        if (id < 8) {
            h->settings[id] = h2_get32(f->payload + i + 2);
            h->settings_said |= 1u << id;
        }
    }
    h->settings_seen = true;
    if (!h->no_acks)
        h2_send_frame(h, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
}

static void note(struct h2 *h, const struct h2_frame *f)
{
    struct h2_stream *stream = h2_stream(h, f->stream);

    switch (f->type) {
    case NGHTTP2_HEADERS:
        note_headers(h, f);
        stream->ended = stream->ended || (f->flags & NGHTTP2_FLAG_END_STREAM);
        break;
    case NGHTTP2_DATA:
        buf_add(&stream->body, f->payload, f->length);
        buf_add(&stream->body, "", 1);
        stream->body.end--;
        stream->ended = stream->ended || (f->flags & NGHTTP2_FLAG_END_STREAM);
        break;
    case NGHTTP2_RST_STREAM:
        stream->reset = true;
        stream->error = h2_get32(f->payload);
        break;
    case NGHTTP2_SETTINGS:
        note_settings(h, f);
        break;
    case NGHTTP2_PING:
        if (f->flags & NGHTTP2_FLAG_ACK)
            h->ping_acked = true;
        else if (!h->no_acks)
            h2_send_frame(h, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, f->payload, f->length);
        break;
    case NGHTTP2_WINDOW_UPDATE:
        h->window_updates++;
        if (f->stream == 0)
            h->connection_window += h2_get32(f->payload);
        break;
    case NGHTTP2_GOAWAY:
        h->goaways++;
        h->goaway.last = (int32_t)(h2_get32(f->payload) & 0x7fffffff);
        h->goaway.error = h2_get32(f->payload + 4);
        h->goaway.debug_len = f->length - 8;
        snprintf(h->goaway.debug, sizeof h->goaway.debug, "%.*s", (int)f->length - 8,
                 (const char *)f->payload + 8);
        h->goaway.at = f->at;
        break;
    default:
        break;
    }
}

bool h2_next(struct h2 *h, int64_t until)
{
    struct h2_frame *f = &h->frame;

    if (!client_wait_bytes(h->c, FRAME_HEADER, until))
        return false;
    const uint8_t *head = buf_bytes(&h->c->in);
    uint32_t length = h2_get32(head) >> 8;
    if (length > sizeof f->payload)
        return false;
    if (!client_wait_bytes(h->c, FRAME_HEADER + length, until))
        return false;
    head = buf_bytes(&h->c->in);
    f->length = length;
    f->type = head[3];
    f->flags = head[4];
    f->stream = (int32_t)(h2_get32(head + 5) & 0x7fffffff);
    f->at = h->c->last_byte_at;
    memcpy(f->payload, head + FRAME_HEADER, length);
    buf_consume(&h->c->in, FRAME_HEADER + length);
    note(h, f);
    return true;
}

bool h2_wait_frame(struct h2 *h, uint8_t type, int64_t until)
{
    while (h2_next(h, until))
        if (h->frame.type == type)
            return true;
    return false;
}

bool h2_wait_stream(struct h2 *h, int32_t id, int64_t until)
{
    struct h2_stream *stream = h2_stream(h, id);

    while (!stream->ended && !stream->reset)
        if (!h2_next(h, until))
            return false;
    return true;
}

void h2_compose_frame(struct buf *out, uint8_t type, uint8_t flags, int32_t stream,
                      const void *payload, size_t n)
{
    uint8_t head[FRAME_HEADER] = { (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, type, flags };

    h2_put32(head + 5, (uint32_t)stream);
    buf_add(out, head, sizeof head);
    if (n > 0)
        buf_add(out, payload, n);
}

void h2_compose_block(struct h2 *h, struct buf *out, const char *const *fields)
{
    nghttp2_nv nv[64];
    size_t count = 0;

    for (; fields[2 * count] && count < 64; count++)
        nv[count] = (nghttp2_nv){ .name = (uint8_t *)fields[2 * count],
                                  .value = (uint8_t *)fields[2 * count + 1],
                                  .namelen = strlen(fields[2 * count]),
                                  .valuelen = strlen(fields[2 * count + 1]) };
    size_t bound = nghttp2_hd_deflate_bound(h->deflater, nv, count);
    if (buf_reserve(out, bound) < 0)
        return;
    ssize_t n = deflate_hd(h->deflater, out->data + out->end, bound, nv, count);
    if (n > 0)
        out->end += (size_t)n;
}

int32_t h2_compose_request(struct h2 *h, struct buf *out, const char *method, const char *target,
                           const char *const *extra, const char *body)
{
    const char *fields[64] = { ":method",    method,      ":scheme", h->c->tls ? "https" : "http",
                               ":authority", "localhost", ":path",   target };
    struct buf block = { .data = NULL };

    for (size_t i = 0; extra && extra[i] && i + 9 < 64; i++)
        fields[8 + i] = extra[i];
    h->last_stream += 2;
    h2_compose_block(h, &block, fields);
    h2_compose_frame(out, NGHTTP2_HEADERS,
                     NGHTTP2_FLAG_END_HEADERS | (body ? 0 : NGHTTP2_FLAG_END_STREAM),
                     h->last_stream, buf_bytes(&block), buf_len(&block));
    if (body)
        h2_compose_frame(out, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, h->last_stream, body,
                         strlen(body));
    buf_free(&block);
    return h->last_stream;
}

int h2_send_frame(struct h2 *h, uint8_t type, uint8_t flags, int32_t stream, const void *payload,
                  size_t n)
{
    struct buf out = { .data = NULL };

    h2_compose_frame(&out, type, flags, stream, payload, n);
    int result = client_send(h->c, buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    return result;
}

int32_t h2_request(struct h2 *h, const char *method, const char *target)
{
    struct buf out = { .data = NULL };
    int32_t stream = h2_compose_request(h, &out, method, target, NULL, NULL);

    client_send(h->c, buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    return stream;
}
