/* h2.h - HTTP/2 frames by hand, over a raw client.
 *
 * h2_next reads one frame, notes what it said (GOAWAY, RST_STREAM, responses by stream ...) and
 * keeps it for the test to look at. It acknowledges SETTINGS and PING, unless told not to, and
 * nothing else: windows are the test's business. nghttp2 serves for HPACK only.
 */
#pragma once

#include <nghttp2/nghttp2.h>
#include <stdbool.h>

#include "client.h"

#define H2_STREAMS 256 /* noted, ids 1, 3 ... 511 */
#define H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

struct h2_frame {
    uint32_t length;
    uint8_t type, flags;
    int32_t stream;
    uint8_t payload[65536];
    int64_t at;
};

struct h2_stream {
    int status;
    struct buf body; /* NUL-terminated behind its end */
    bool ended, reset;
    bool hop_by_hop; /* it carried Connection, Keep-Alive or the like */
    bool capitals;   /* a field's name had some (RFC 9113 8.2.1) */
    unsigned fields; /* of its header section */
    uint32_t error;  /* of RST_STREAM */
};

struct h2 {
    struct client *c;
    nghttp2_hd_deflater *deflater;
    nghttp2_hd_inflater *inflater;
    int32_t last_stream; /* the last one we opened */
    bool no_acks;        /* leave SETTINGS and PING unacknowledged */

    struct h2_frame frame; /* the last one read */
    struct h2_stream streams[H2_STREAMS];
    int64_t connection_window; /* what WINDOW_UPDATEs on stream 0 gave us so far */
    int64_t uploaded;          /* DATA bytes sent, for the test to count */
    uint32_t settings[8];      /* the server's, by identifier; 0: not said */
    unsigned settings_said;    /* a bit for each identifier that was, whatever its value */
    unsigned window_updates;   /* WINDOW_UPDATE frames so far, of any stream */
    bool settings_seen, settings_acked, ping_acked;
    unsigned goaways;
    struct {
        int32_t last;
        uint32_t error;
        size_t debug_len;
        char debug[64]; /* its beginning, NUL-terminated */
        int64_t at;
    } goaway; /* the last one */
};

/* Sends the preface and an empty SETTINGS. */
void h2_start(struct h2 *h, struct client *c);
/* The same state without sending anything. */
void h2_init(struct h2 *h, struct client *c);
void h2_free(struct h2 *h);

/* The next frame. False: none was whole until then, or the connection ended. */
bool h2_next(struct h2 *h, int64_t until);
/* Frames until one of this type was read. */
bool h2_wait_frame(struct h2 *h, uint8_t type, int64_t until);
/* Frames until the stream was ended or reset. */
bool h2_wait_stream(struct h2 *h, int32_t stream, int64_t until);

/* A 32-bit number in a payload. */
uint32_t h2_get32(const uint8_t *p);
void h2_put32(uint8_t *p, uint32_t value);

struct h2_stream *h2_stream(struct h2 *h, int32_t stream);

/* Appends a frame. */
void h2_compose_frame(struct buf *out, uint8_t type, uint8_t flags, int32_t stream,
                      const void *payload, size_t n);
/* Appends a header block of these fields, names and values in turn, ended by NULL. */
void h2_compose_block(struct h2 *h, struct buf *out, const char *const *fields);
/* Appends a whole request on the next stream, whose id it returns. extra: further fields, ended by
 * NULL, or NULL itself. body: NULL for none. */
int32_t h2_compose_request(struct h2 *h, struct buf *out, const char *method, const char *target,
                           const char *const *extra, const char *body);

/* Composes and sends. Return what client_send does, or the stream. */
int h2_send_frame(struct h2 *h, uint8_t type, uint8_t flags, int32_t stream, const void *payload,
                  size_t n);
int32_t h2_request(struct h2 *h, const char *method, const char *target);
