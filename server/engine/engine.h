/* engine.h - HTTP on bytes. An engine turns a connection's plaintext into exchanges and responses
 * into plaintext; it knows no sockets and no modes.
 *
 * Two engines, one interface: h1.c (libmicrohttpd) and h2.c (nghttp2). The host is whoever owns
 * the connection (run/session.c).
 *
 * Life of an exchange: begin, headers, body*, complete, then the host calls engine_respond when it
 * likes (also before complete: an early response), then responded - or lost, at any point, when it
 * will never be answered. After responded or lost the pointer is dead. Exactly one of the two ends
 * every exchange that began.
 *
 * The host may call any function of an engine from inside a callback, but for engine_destroy.
 *
 * Watching: after engine_watch the engine no longer serves, but keeps reading. What comes is
 * reported with stale_request, stale_body and stale_complete instead of begin, headers, body and
 * complete, also the rest of an exchange that has begun and, before engine_watch returns, what was
 * pipelined behind it. Nothing at all is put out, no callback but these and frame is made, and
 * engine_respond is taken without effect. WATCH_ONLY is for ever: exchanges still open are lost
 * when the engine is destroyed. WATCH_HOLD keeps what arrives and what is to be sent, so that
 * engine_resume can serve all of it as if it had just come: then it is told with begin, headers ...
 * as far as it was not before. A change from HOLD to ONLY is possible. engine_watch may be called
 * from inside begin(), headers() ... of an exchange.
 *
 * Limits: an engine takes all input that it is given. What it cannot serve yet it keeps: requests
 * that an HTTP/1.1 client has pipelined, and all that comes during WATCH_HOLD. When that has
 * reached LIMIT_HELD (base/limits.h) engine_full() says so, and the host stops reading, so that the
 * client's window closes, until has_room(); nothing is lost. (h2 keeps the content of requests
 * only; its client is bound by the windows too, which do not grow meanwhile.) One reading more fits
 * in any case.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "engine/protocol.h"
#include "ledger/ledger.h"

struct engine;
struct uv_loop_s;

struct header {
    const char *name, *value; /* not NUL-terminated in general */
    size_t name_len, value_len;
};

/* A request as it was sent. h2 pseudo-header fields are not among the headers; names have the case
 * the client used. Valid as long as its exchange, in stale_request during the call. */
struct request {
    const char *method, *target, *authority; /* NUL-terminated; authority "" if none */
    const struct header *headers;            /* in the order received */
    uint32_t header_count;
    bool content;     /* once its header section is whole: it has content */
    uint64_t pseudo;  /* hash of the names of its h2 pseudo-header fields, in order; 0: none */
    int64_t begun_at; /* clock_now() when its first octet was read, if that was kept; 0: just now */
    size_t read;      /* as it begins: so many octets were read from its first one on; 0: just it */
};

/* Whether this is its name, in any case. Inline, as most names are constants and of another length.
 */
static inline bool header_is(const struct header *h, const char *name)
{
    return h->name_len == strlen(name) && strncasecmp(h->name, name, h->name_len) == 0;
}
/* Is it a header field's name (RFC 9110 5.1: a token)? */
bool header_name_valid(const char *name);
/* Whether its value, a list, has this token, in any case (RFC 9110 5.6.1). */
bool header_has_token(const struct header *h, const char *token);
/* Its value as a number, INT64_MAX when it is more; -1: it is none (RFC 9110 8.6: 1*DIGIT). */
int64_t header_number(const struct header *h);
/* The value of the first header of this name (any case), or NULL. */
const struct header *request_header(const struct request *request, const char *name);

/* Is text what Host and :authority may be: uri-host [ ":" port ] (RFC 9110 7.2, RFC 3986 3.2.2) and
 * neither empty nor with userinfo? */
bool request_authority_valid(const char *text, size_t len);

/* What stands in a request target, or a :path, that must not in any form of it: a control
 * character, a space, a fragment (RFC 9112 3.2, RFC 9113 8.3.1). NULL: nothing. */
const char *request_target_wrong(const char *text, size_t len);

/* How an HTTP/1.1 response says where its content ends. */
enum response_framing { FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_EOF };

struct response {
    int status;
    enum response_framing framing; /* h1; with EOF it is the last response of its connection */
    const struct header *headers;  /* besides Date and Content-Length, which the engine adds; no
                                      Connection or Keep-Alive: the engine leaves them out on h2 */
    size_t header_count;
    bool fixed_headers; /* names in lower case, and all of it there for as long as the process runs:
                           they need not be copied */
    bool stays;         /* h1: it says Connection: close, and the connection goes on */
    bool reads_on;      /* to a request that is not whole: see engine_respond */
    const void *body;   /* copied, unless release is set */
    size_t body_len;
    /* When set, body is borrowed until the engine calls this, exactly once. */
    void (*release)(void *release_arg);
    void *release_arg;
};

/* No content may be sent with this status (RFC 9110 15.3.5, 15.3.6, 15.4.5). */
static inline bool response_has_no_content(int status)
{
    return status == 204 || status == 205 || status == 304;
}

struct exchange {
    struct engine *engine;
    uint32_t nth;           /* 1 for the connection's first request; begin() may give it another */
    int32_t stream;         /* h2 stream id; 0 on h1 */
    struct request request; /* from headers() on */
    void *data;             /* the host's own; NULL at begin */
    /* At lost(): to what. NONE: to the connection's end. */
    enum ledger_lost_by lost_by;
    bool window_shut; /* likewise, as engine_window_shut was */
};

/* What a peer's h2 frame said. */
enum engine_frame {
    FRAME_SETTINGS,
    FRAME_PING,
    FRAME_PING_ACK,
    FRAME_GOAWAY,
    FRAME_RST_STREAM,
    FRAME_SETTINGS_ACK,
    FRAME_WINDOW_UPDATE,
    FRAME_KINDS
};
struct engine_frame_info {
    enum engine_frame kind;
    int32_t stream;   /* RST_STREAM, WINDOW_UPDATE: which; GOAWAY: last stream */
    uint32_t error;   /* GOAWAY, RST_STREAM */
    const char *text; /* GOAWAY: debug data; SETTINGS: "NAME=VALUE ..."; PING: opaque in hex */
    size_t text_len;
    uint64_t answers; /* how many frames of HEADERS and DATA were sent by then */
};

/* Where in a response it stops: after so many octets of it - on h1 of the message, on h2 of its
 * frames, frame heads included -, or after so many of its content, which on h2 is the end of a DATA
 * frame (0: of the header section). */
enum engine_stop { STOP_OCTETS, STOP_CONTENT };

/* What was read of a request while watching: a part of its header section (the members of struct
 * request that have arrived are set, the others are ""), or all of that, or the whole request,
 * which has no content. */
enum engine_witnessed { WITNESSED_PART, WITNESSED_HEAD, WITNESSED_WHOLE };

struct engine_host {
    /* The first bytes of a request arrived: on h1 its first octet after the previous request, on h2
     * the frame header of the HEADERS frame that opens a stream. Nothing else is known of it yet.
     */
    void (*begin)(void *host, struct exchange *ex);
    /* Its header section is complete; ex->request is set. */
    void (*headers)(void *host, struct exchange *ex);
    void (*body)(void *host, struct exchange *ex, const void *bytes, size_t n);
    /* The last byte of the request was read. */
    void (*complete)(void *host, struct exchange *ex);
    /* One of the two, and nothing of the exchange after it. The last byte of the response was given
     * to output(). */
    void (*responded)(void *host, struct exchange *ex);
    /* It will not be answered, or not in full. why: one clause ("stream reset by the client"). */
    void (*lost)(void *host, struct exchange *ex, const char *why);
    /* engine_stop_at is reached: exactly so much of the response was given to output(), and no more
     * of it is until engine_continue; with STOP_OCTETS nothing at all of the connection is, not
     * even frames of the verbs. Of two places that coincide, octets come first, and content after
     * engine_continue. responded comes only after engine_continue; lost may come instead (the
     * client resets the stream, a verb ends the exchange), and on h2 then finishes the frame that
     * was cut: the connection stays usable. NULL: the host does not use engine_stop_at. */
    void (*stopped)(void *host, struct exchange *ex, enum engine_stop of);
    /* Bytes for the wire. Called from engine_input, engine_pump, engine_respond and the verbs, or
     * from the loop. Only ever as much as room() said, but for small control messages. */
    void (*output)(void *host, const void *bytes, size_t n);
    /* What the verbs have queued was given to output(), up to here: engine_unsaid() is false. NULL:
     * the host does not ask. */
    void (*said)(void *host);
    size_t (*room)(void *host);
    /* A request in input while watching, or on a stream above the last one our GOAWAY promised,
     * each part of it once: its header section (what), its content, its last octet. ex: the
     * exchange, if it had begun; NULL: it never did, or will later when it was held. stream: 0 on
     * h1. Also, once, what is read of an exchange that engine_goaway or engine_rst_stream has
     * ended within its header section, before it is lost. */
    void (*stale_request)(void *host, struct exchange *ex, const struct request *request,
                          int32_t stream, enum engine_witnessed what);
    void (*stale_body)(void *host, struct exchange *ex, const void *bytes, size_t n,
                       int32_t stream);
    void (*stale_complete)(void *host, struct exchange *ex, const struct request *request,
                           int32_t stream);
    void (*frame)(void *host, const struct engine_frame_info *info);
    /* The client broke the protocol; the engine answers as the RFCs ask (400, GOAWAY ...). what:
     * one clause for the ledger. */
    void (*protocol_error)(void *host, const char *what);
    /* The same for what the RFCs allow, and is more than we take (431, ENHANCE_YOUR_CALM ...). */
    void (*limit)(void *host, const char *what);
    /* engine_full() was true and is not any more. */
    void (*has_room)(void *host);
    /* The engine is done (Connection: close, protocol error, GOAWAY and drained ...): close
     * orderly. Once, the last call but for lost(). Never while watching. */
    void (*finished)(void *host);
};

enum engine_watch { WATCH_ONLY, WATCH_HOLD };

enum goaway_last {
    GOAWAY_LAST_SEEN, /* the newest stream */
    GOAWAY_LAST_NONE, /* 0 */
    GOAWAY_LAST_NUMBER,
    GOAWAY_LAST_OFFSET,
    GOAWAY_LAST_ANSWERED /* the highest stream whose response was given to engine_respond; 0: none
                          */
};
struct goaway {
    uint32_t error;
    enum goaway_last last;
    int32_t number; /* NUMBER: the id; OFFSET: added to the newest stream's id */
    const void *debug;
    size_t debug_len;
};

/* What an h2 engine can be made to do for the rest of the connection. What was queued before the
 * call leaves as it would have without it. */
enum engine_setting {
    ENGINE_IGNORE_PINGS,    /* bool: no PING is ACKed, those that come meanwhile never */
    ENGINE_IGNORE_SETTINGS, /* bool: no SETTINGS is ACKed, the same */
    ENGINE_KEEP_WINDOWS,    /* bool: no WINDOW_UPDATE is sent; false again: those due are */
    /* SETTINGS_INITIAL_WINDOW_SIZE, sent now; counts from the client's ACK (RFC 9113 6.5.3). */
    ENGINE_INITIAL_WINDOW, /* at most 2^31-1 */
    /* SETTINGS_MAX_CONCURRENT_STREAMS, sent now. Streams above it are refused from now on, whether
     * the client has ACKed it or not: RST_STREAM(REFUSED_STREAM) (RFC 9113 5.1.2); the exchange
     * begins and is lost. Those that are open stay. */
    ENGINE_MAX_STREAMS,
    /* bool: no response begins or continues, engine_respond waits. PING and SETTINGS are ACKed, the
     * verbs' frames leave. */
    ENGINE_HOLD_STREAMS,
};

struct engine_ops;

/* The head of each engine; the rest is h1.c's and h2.c's own. */
struct engine {
    const struct engine_ops *ops;
    const struct engine_host *calls;
    void *host;
};

struct engine_ops {
    const struct protocol *protocol;
    void (*input)(struct engine *e, const uint8_t *bytes, size_t n);
    void (*pump)(struct engine *e);
    void (*peer_closed)(struct engine *e);
    bool (*full)(struct engine *e);
    int (*respond)(struct exchange *ex, const struct response *response);
    bool (*expects)(const struct exchange *ex);
    void (*no_continue)(struct exchange *ex);
    bool (*takes_interim)(const struct exchange *ex);
    int (*interim)(struct exchange *ex, const struct response *response);
    int (*stop_at)(struct exchange *ex, enum engine_stop of, uint64_t n);
    void (*continue_response)(struct exchange *ex);
    bool (*said_all)(const struct exchange *ex);
    uint64_t (*said)(const struct exchange *ex, enum engine_stop of);
    bool (*content)(const struct exchange *ex, uint64_t *said, uint64_t *of);
    void (*shutdown)(struct engine *e);
    void (*watch)(struct engine *e, enum engine_watch how);
    void (*watch_flush)(struct engine *e, bool begun);
    void (*resume)(struct engine *e);
    void (*destroy)(struct engine *e);
    /* h2 only, NULL on h1 */
    bool (*can_say)(const struct engine *e);
    bool (*is_set)(const struct engine *e, enum engine_setting setting, uint32_t value);
    int (*goaway)(struct engine *e, const struct goaway *goaway);
    int32_t (*goaway_last)(struct engine *e, const struct goaway *goaway);
    int (*goaway_notice)(struct engine *e);
    int (*rst_stream)(struct engine *e, int32_t stream, uint32_t error);
    int (*ping)(struct engine *e, const uint8_t opaque[8]);
    bool (*unsaid)(const struct engine *e);
    int (*set)(struct engine *e, enum engine_setting setting, uint32_t value);
    bool (*disowns)(const struct engine *e, int32_t stream);
    bool (*window_shut)(const struct engine *e, int32_t stream);
};

/* Once per process: h1 starts its libmicrohttpd daemon on the loop. Returns 0 or -errno. */
int h1_start(struct uv_loop_s *loop);
void h1_stop(void);

/* Gives back the memory that h2 keeps for the next streams; it may still be used. */
void h2_stop(void);

/* One engine for a connection.
 * Returns 0 or -errno. (h1 needs two descriptors from a response's beginning to its end; without
 * them that response is the connection's last.) */
int h1_create(const struct engine_host *calls, void *host, struct engine **out);
int h2_create(const struct engine_host *calls, void *host, struct engine **out);

static inline const char *engine_protocol(const struct engine *e)
{
    return e->ops->protocol->alpn;
}

/* All of it is taken. May call every callback. */
static inline void engine_input(struct engine *e, const uint8_t *bytes, size_t n)
{
    e->ops->input(e, bytes, n);
}

/* See "Limits" above. */
static inline bool engine_full(struct engine *e)
{
    return e->ops->full(e);
}

/* room() has grown: put out what waits. */
static inline void engine_pump(struct engine *e)
{
    e->ops->pump(e);
}

/* The client will send no more. Exchanges whose request is whole are still answered, then
 * finished(). */
static inline void engine_peer_closed(struct engine *e)
{
    e->ops->peer_closed(e);
}

/* Answers an exchange, once. HEAD, 204 and 304 are the engine's business (no body). A response
 * before complete ends the exchange with the rest of the request read and dropped, within bounds
 * (h2: 16 MiB, then RST_STREAM(NO_ERROR)); on h1 the connection then closes, unless reads_on is set
 * and neither side has said so (Connection: close): then the next request is served behind the rest
 * of this one, which is at most 16 MiB. Returns 0 or -errno (then the exchange is lost). */
static inline int engine_respond(struct exchange *ex, const struct response *response)
{
    return ex->engine->ops->respond(ex, response);
}

/* From headers(): will a 100 (Continue) be sent behind it, as the request expects one (RFC 9110
 * 10.1.1) and nothing of its content was read? And sees to it that none is. */
static inline bool engine_expects(const struct exchange *ex)
{
    return ex->engine->ops->expects(ex);
}
static inline void engine_no_continue(struct exchange *ex)
{
    ex->engine->ops->no_continue(ex);
}

/* An interim response (RFC 9110 15.2), from headers() on and before engine_respond; of the response
 * status and headers count. With 100 the engine sends none of its own. Returns 0 or -errno. To a
 * client of HTTP/1.0 there is none: engine_takes_interim() is false. */
static inline bool engine_takes_interim(const struct exchange *ex)
{
    return ex->engine->ops->takes_interim(ex);
}
static inline int engine_interim(struct exchange *ex, const struct response *response)
{
    return ex->engine->ops->interim(ex, response);
}

/* Makes the response stop there, once for each kind; before engine_respond, or from stopped() or
 * before engine_continue for a place further on. The place of a response that is shorter is never
 * reached; one that is as long stops before its end is said (h2: END_STREAM follows in a DATA frame
 * of its own). Of the body of a HEAD nothing is sent, so no content place but 0 is reached. An
 * interim response (100) does not count. Returns 0 or -errno: -EINVAL for a place that was passed,
 * or that cannot be as its frame has begun; -ENOTSUP without stopped(). */
static inline int engine_stop_at(struct exchange *ex, enum engine_stop of, uint64_t n)
{
    return ex->engine->ops->stop_at ? ex->engine->ops->stop_at(ex, of, n) : -ENOTSUP;
}

/* Continues after stopped(); also from inside it. While held by engine_watch or
 * ENGINE_HOLD_STREAMS, what is left follows when that ends. Without effect unless it was told to
 * have stopped. */
static inline void engine_continue(struct exchange *ex)
{
    if (ex->engine->ops->continue_response)
        ex->engine->ops->continue_response(ex);
}

/* Is the response put out, with its end, though responded() may be yet to come? Not to be asked
 * when WATCH_ONLY has begun. */
static inline bool engine_said_all(const struct exchange *ex)
{
    return ex->engine->ops->said_all(ex);
}

/* How much of the response was put out, of an exchange for which engine_stop_at was called; to be
 * asked up to responded(). */
static inline uint64_t engine_said(const struct exchange *ex, enum engine_stop of)
{
    return ex->engine->ops->said ? ex->engine->ops->said(ex, of) : 0;
}

/* How much of the content of its response was put out, and how much it has; up to responded() or
 * lost(). False: there is no response yet, or on h1 nobody counts as no engine_stop_at was called.
 */
static inline bool engine_content(const struct exchange *ex, uint64_t *said, uint64_t *of)
{
    return ex->engine->ops->content && ex->engine->ops->content(ex, said, of);
}

/* The server stops: h2 says GOAWAY(NO_ERROR, last seen), h1 answers with Connection: close; both
 * finish open exchanges, then call finished() - at once if none is open. */
static inline void engine_shutdown(struct engine *e)
{
    e->ops->shutdown(e);
}

static inline void engine_watch(struct engine *e, enum engine_watch how)
{
    e->ops->watch(e, how);
}

/* While watching: the host gives up waiting for more. A header section that is half received is
 * reported with stale_request, WITNESSED_PART; once, however often this is called. begun: only that
 * of an exchange that has begun. When the rest comes after all it is reported as a whole. */
static inline void engine_watch_flush(struct engine *e, bool begun)
{
    e->ops->watch_flush(e, begun);
}

static inline void engine_resume(struct engine *e)
{
    e->ops->resume(e);
}

/* Ends open exchanges as lost, frees. Never from inside a callback. NULL is fine. */
static inline void engine_destroy(struct engine *e)
{
    if (e)
        e->ops->destroy(e);
}

/* --- h2 verbs. They return ENGINE_TOO_LATE, and nothing was done, when the engine says nothing any
 * more: it is finished, has failed, or watches for ever. The caller that ledgers what it is about
 * to do asks engine_can_say before. */
#define ENGINE_TOO_LATE 5

static inline bool engine_can_say(const struct engine *e)
{
    return !e->ops->can_say || e->ops->can_say(e);
}

/* RFC 9113 6.8: exactly this frame, on a frame boundary, after what was queued. The
 * connection stays as it is: streams up to the last one are served, later ones are reported with
 * stale_request and never answered. Return 0, ENGINE_TOO_LATE, -ENOMEM, or -ENOTSUP on h1. */
static inline int engine_goaway(struct engine *e, const struct goaway *goaway)
{
    return e->ops->goaway ? e->ops->goaway(e, goaway) : -ENOTSUP;
}

/* Is this stream above the last one that a GOAWAY of ours promised? Of h1 none is. */
static inline bool engine_disowns(const struct engine *e, int32_t stream)
{
    return e->ops->disowns && e->ops->disowns(e, stream);
}

/* Has the client no window left to send content on this stream (RFC 9113 6.9)? On h1 there is none
 * to be shut. */
static inline bool engine_window_shut(const struct engine *e, int32_t stream)
{
    return e->ops->window_shut && e->ops->window_shut(e, stream);
}

/* The last stream that such a GOAWAY would have now; 0 on h1. */
static inline int32_t engine_goaway_last(struct engine *e, const struct goaway *goaway)
{
    return e->ops->goaway_last ? e->ops->goaway_last(e, goaway) : 0;
}

/* GOAWAY(2^31-1, NO_ERROR): new streams are still served. */
static inline int engine_goaway_notice(struct engine *e)
{
    return e->ops->goaway_notice ? e->ops->goaway_notice(e) : -ENOTSUP;
}

/* RST_STREAM (RFC 9113 6.4): exactly this frame, whatever state the stream is in, also idle or
 * closed. An exchange that is open on it is lost, and nothing of it but lost() is told any more
 * (but for the rest of its header section, see stale_request); what the client sends on the stream
 * later is ignored (5.1), but counts in the connection's window. Returns 0, ENGINE_TOO_LATE,
 * -ENOMEM, or -ENOTSUP on h1. */
static inline int engine_rst_stream(struct engine *e, int32_t stream, uint32_t error)
{
    return e->ops->rst_stream ? e->ops->rst_stream(e, stream, error) : -ENOTSUP;
}

/* PING (RFC 9113 6.7); its ACK is reported with frame(). Returns 0, ENGINE_TOO_LATE, -ENOMEM, or
 * -ENOTSUP on h1. */
static inline int engine_ping(struct engine *e, const uint8_t opaque[8])
{
    return e->ops->ping ? e->ops->ping(e, opaque) : -ENOTSUP;
}

/* Does a frame of a verb wait? It does when the verb was called from within output() or stopped(),
 * or a response stands inside one of its own frames. said() tells when it has left. */
static inline bool engine_unsaid(const struct engine *e)
{
    return e->ops->unsaid && e->ops->unsaid(e);
}

/* Is a bool so already? What is a number is said anew each time. */
static inline bool engine_is_set(const struct engine *e, enum engine_setting setting,
                                 uint32_t value)
{
    return e->ops->is_set && e->ops->is_set(e, setting, value);
}

/* Called before anything was put out (nothing was pumped, no input given), the values of SETTINGS
 * are in the engine's first SETTINGS frame; later they are in one of their own. Returns 0 (also
 * when a bool is so already), ENGINE_TOO_LATE, -EINVAL, -ENOMEM (a bool can be set again then), or
 * -ENOTSUP on h1. */
static inline int engine_set(struct engine *e, enum engine_setting setting, uint32_t value)
{
    return e->ops->set ? e->ops->set(e, setting, value) : -ENOTSUP;
}
