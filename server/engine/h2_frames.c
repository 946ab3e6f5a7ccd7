/* h2_frames.c - frames of our own as bytes, and the peer's frames as text. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "engine/h2_impl.h"

#define GOAWAY_DEBUG_MAX (16384 - 8) /* no peer must take a larger frame than 16384 */

static void put32(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)(value >> 24);
    out[1] = (uint8_t)(value >> 16);
    out[2] = (uint8_t)(value >> 8);
    out[3] = (uint8_t)value;
}

/* Appends a frame's header, and makes room for its payload of n octets: adding that cannot fail. */
static int begin_frame(struct buf *out, uint8_t type, int32_t stream, size_t n)
{
    uint8_t head[H2_FRAME_HEAD] = { 0 };
    if (buf_reserve(out, sizeof head + n) < 0) {
        out->failed = false; /* nothing of it was appended: what is there stays good */
        return -ENOMEM;
    }
    put32(head, (uint32_t)n << 8 | type);
    put32(head + 5, (uint32_t)stream);
    return buf_add(out, head, sizeof head);
}

/* A frame whose payload is one number. */
static int number_frame(struct buf *out, uint8_t type, int32_t stream, uint32_t number)
{
    uint8_t payload[4];
    put32(payload, number);
    if (begin_frame(out, type, stream, sizeof payload) < 0)
        return -ENOMEM;
    return buf_add(out, payload, sizeof payload);
}

int h2_frame_goaway(struct buf *out, int32_t last, uint32_t error, const void *debug, size_t len)
{
    uint8_t payload[8];
    if (len > GOAWAY_DEBUG_MAX)
        len = GOAWAY_DEBUG_MAX;
    if (begin_frame(out, NGHTTP2_GOAWAY, 0, sizeof payload + len) < 0)
        return -ENOMEM;
    put32(payload, (uint32_t)last);
    put32(payload + 4, error);
    buf_add(out, payload, sizeof payload);
    if (len)
        buf_add(out, debug, len);
    return 0;
}

int h2_frame_rst_stream(struct buf *out, int32_t stream, uint32_t error)
{
    return number_frame(out, NGHTTP2_RST_STREAM, stream, error);
}

int h2_frame_ping(struct buf *out, const uint8_t opaque[8])
{
    return begin_frame(out, NGHTTP2_PING, 0, 8) < 0 ? -ENOMEM : buf_add(out, opaque, 8);
}

int h2_frame_window_update(struct buf *out, int32_t stream, uint32_t increment)
{
    return number_frame(out, NGHTTP2_WINDOW_UPDATE, stream, increment);
}

static const char *const settings_names[] = {
    [1] = "HEADER_TABLE_SIZE",       [2] = "ENABLE_PUSH",           [3] = "MAX_CONCURRENT_STREAMS",
    [4] = "INITIAL_WINDOW_SIZE",     [5] = "MAX_FRAME_SIZE",        [6] = "MAX_HEADER_LIST_SIZE",
    [8] = "ENABLE_CONNECT_PROTOCOL", [9] = "NO_RFC7540_PRIORITIES",
};

/* Appends to text, cut at its size; returns the new length. */
__attribute__((format(printf, 4, 5))) static size_t add(char *text, size_t size, size_t len,
                                                        const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text + len, size - len, format, args);
    va_end(args);
    return n < 0 ? len : len + (size_t)n < size ? len + (size_t)n : size - 1;
}

static size_t settings_text(const nghttp2_settings *settings, char *text, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i < settings->niv; i++) {
        uint32_t id = (uint32_t)settings->iv[i].settings_id;
        const char *name =
            id < sizeof settings_names / sizeof *settings_names ? settings_names[id] : NULL;
        const char *space = i ? " " : "";
        if (name)
            len = add(text, size, len, "%s%s=%u", space, name, settings->iv[i].value);
        else
            len = add(text, size, len, "%s0x%x=%u", space, id, settings->iv[i].value);
    }
    return len;
}

bool h2_frame_info(const nghttp2_frame *frame, struct engine_frame_info *info, char *text,
                   size_t size)
{
    bool ack = frame->hd.flags & NGHTTP2_FLAG_ACK;
    *info = (struct engine_frame_info){ .text = text };

    switch (frame->hd.type) {
    case NGHTTP2_SETTINGS:
        info->kind = ack ? FRAME_SETTINGS_ACK : FRAME_SETTINGS;
        if (!ack)
            info->text_len = settings_text(&frame->settings, text, size);
        return true;
    case NGHTTP2_PING:
        info->kind = ack ? FRAME_PING_ACK : FRAME_PING;
        if (size > 2 * sizeof frame->ping.opaque_data)
            info->text_len =
                hex_write(frame->ping.opaque_data, sizeof frame->ping.opaque_data, text);
        return true;
    case NGHTTP2_GOAWAY:
        info->kind = FRAME_GOAWAY;
        info->stream = frame->goaway.last_stream_id;
        info->error = frame->goaway.error_code;
        info->text_len =
            frame->goaway.opaque_data_len < size ? frame->goaway.opaque_data_len : size;
        if (info->text_len)
            memcpy(text, frame->goaway.opaque_data, info->text_len);
        return true;
    case NGHTTP2_RST_STREAM:
        info->kind = FRAME_RST_STREAM;
        info->stream = frame->hd.stream_id;
        info->error = frame->rst_stream.error_code;
        return true;
    case NGHTTP2_WINDOW_UPDATE:
        info->kind = FRAME_WINDOW_UPDATE;
        info->stream = frame->hd.stream_id;
        return true;
    default:
        return false;
    }
}
