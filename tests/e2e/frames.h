/* frames.h - what an HTTP/2 client sees, frame by frame: that these came, in this order, and no
 * others. */
#pragma once

#include "talk.h"

/* The last stream of a GOAWAY that only gives notice (RFC 9113 6.8). */
#define FRAMES_LAST_MAX 0x7fffffff

/* The next frame is of this type on this stream; otherwise the test fails. SETTINGS and their ACK
 * are passed over where another type is wanted: they belong to the connection's beginning. Good
 * until the next frame is read. */
const struct h2_frame *frame_next(struct talk *t, uint8_t type, int32_t stream);
/* The next frame is this GOAWAY. */
void frame_goaway(struct talk *t, uint32_t error, int32_t last, const char *debug);
/* The next frame is this RST_STREAM. */
void frame_rst_stream(struct talk *t, int32_t stream, uint32_t error);
/* The next frames are a whole response with status 200 on this stream. */
void frames_response(struct talk *t, int32_t stream);

/* No frame comes for a while, and neither does an end. */
void frames_none(struct talk *t, int64_t ms);
/* No frame comes any more, but the orderly end: close_notify under TLS, FIN, no RST. */
void frames_end(struct talk *t);

/* A PING is ACKed, and that is the next frame; or nothing comes of it. */
void frame_ping_acked(struct talk *t);
void frame_ping_in_time(struct talk *t, int64_t by); /* acked; it has left by then (in_time) */
void frame_ping_ignored(struct talk *t);

/* Sends the header section of a POST whose content is to follow, on the next stream, which is
 * t->stream then. */
void frame_post_begun(struct talk *t, const char *key);
/* Sends content on the talk's stream. */
void frame_content(struct talk *t, const void *bytes, size_t n, bool end);
