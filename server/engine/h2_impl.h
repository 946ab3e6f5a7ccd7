/* h2_impl.h - what the parts of the HTTP/2 engine share. See h2.c for how they work together. */
#pragma once

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/list.h"
#include "engine/engine.h"

/* nghttp2 1.60 renamed what used ssize_t and deprecated the old names. */
#if NGHTTP2_VERSION_NUM >= 0x013c00
typedef nghttp2_ssize h2_ssize;
#define h2_session_recv    nghttp2_session_mem_recv2
#define h2_session_send    nghttp2_session_mem_send2
#define h2_submit_response nghttp2_submit_response2
#define h2_data_provider   nghttp2_data_provider2
#else
typedef ssize_t h2_ssize;
#define h2_session_recv    nghttp2_session_mem_recv
#define h2_session_send    nghttp2_session_mem_send
#define h2_submit_response nghttp2_submit_response
#define h2_data_provider   nghttp2_data_provider
#endif

#define H2_FRAME_HEAD     9
#define H2_STREAMS_MAX    128         /* our SETTINGS_MAX_CONCURRENT_STREAMS */
#define H2_HEADERS_MAX    (64 * 1024) /* header list size (RFC 9113 10.5.1) that is accepted */
#define H2_HEADERS_INLINE 24
#define H2_BODY_INLINE    512
#define H2_LAST_MAX       INT32_MAX
#define H2_STREAMS_PAST   256 /* closed streams of which it is known how they closed */

_Static_assert(H2_STREAMS_MAX <= LIMIT_UNBEGUN,
               "of all that may be open it is known what was read");
_Static_assert(H2_HEADERS_MAX <= LIMIT_HEADS_SMALL, "one that is accepted is a small one");
_Static_assert(NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE <= LIMIT_HELD,
               "in a stall the content that may come can be kept");

/* What nghttp2 is given as SETTINGS_MAX_CONCURRENT_STREAMS: one it does not know (of those for
 * experiments), as it would end the connection when a stream is above an acknowledged number. The
 * identifier is set right on the way out, and h2_session.c refuses the stream. */
#define H2_OUR_MAX_STREAMS 0xf003

enum h2_outcome { H2_OPEN, H2_ANSWERED, H2_LOST };

enum h2_stopped { H2_RUNS, H2_AT_OCTETS, H2_AT_CONTENT };

/* Where a response is to stop, see h2_stop.c. All zeros: nowhere. */
struct h2_stop {
    uint64_t octets, content; /* the places, plus one; 0: none */
    uint64_t out;             /* octets of the response's frames that were put out */
    enum h2_stopped at;       /* it has stopped there */
    bool told;                /* so */
    bool counted;             /* out is kept */
    bool deferred;            /* nghttp2 waits for nghttp2_session_resume_data */
};

/* The frame that stopped the whole connection. */
struct h2_block {
    struct h2_exchange *ex; /* NULL: it was lost, and nothing is waited for */
    bool whole_section;     /* the frame ends a header section or is DATA */
    size_t start, end;      /* of octets[]: what was not put out yet */
    uint8_t octets[];
};

/* A stream that a client opened. Held (refs) by nghttp2 as its stream's user data, by the engine
 * until the host was told how it ended, and by whoever calls the host about it. */
struct h2_exchange {
    struct exchange pub;
    struct link link, over; /* in h2.exchanges; in h2.over */
    unsigned refs;
    size_t dropped;  /* body bytes behind an early response: up to LIMIT_DROPPED, as many clients
                        look at it only when they have sent all; then RST_STREAM(NO_ERROR)
                        asks for an end (RFC 9113 8.1) */
    bool stale;      /* never begins: only reported, with stale_request */
    bool part_told;  /* its first part was, when no more was waited for */
    bool stale_told; /* it was */
    bool stale_done; /* and with stale_complete */
    bool opened;     /* nghttp2 holds it */
    bool headers_in, whole;                        /* read: the header section; all of it */
    bool begun, headers_told, complete_told, told; /* host calls made; told: the last one */
    bool behind;                                   /* a hold has kept some of these back */
    bool reset_by_client;
    bool reset_said;       /* by RST_STREAM of our own: nghttp2's is not for the wire */
    uint32_t error;        /* nghttp2 reset the stream: the client broke the protocol */
    bool is_head, expects; /* method HEAD; Expect: 100-continue */
    bool answered;         /* engine_respond was called */
    enum h2_outcome outcome;
    const char *why;       /* it was lost */
    const char *why_later; /* a verb has ended it within its header section: it is lost for this
                              when that was read, and its request reported */
    uint32_t window_kept;  /* see h2 */
    struct h2_stop stop;
    struct buf held;          /* body bytes that a hold keeps */
    struct h2_stored *stored; /* a response given before the header section was read */
    const uint8_t *body;      /* of the response */
    size_t body_len, body_sent;
    uint8_t *body_copy;
    void (*release)(void *release_arg);
    void *release_arg;
    /* The header section: pointers into nghttp2's reference-counted strings. */
    struct header *headers;
    nghttp2_rcbuf **strings;
    size_t header_count, string_count, header_max, header_bytes;
    size_t memory; /* that head_memory.h counts for it */
    /* What is above is zeroed when the memory is used again. */
    struct header inline_headers[H2_HEADERS_INLINE];
    nghttp2_rcbuf *inline_strings[2 * H2_HEADERS_INLINE];
    uint8_t inline_body[H2_BODY_INLINE];
};

enum h2_watch { H2_SERVING, H2_HOLDING, H2_WATCHING };

/* What nghttp2's callbacks leave behind for the host to be told once nghttp2 has returned. */
struct h2_news {
    struct h2_exchange *ex; /* of which something was read */
    const uint8_t *body;    /* body bytes of it */
    size_t body_len;
    bool frame_read;
    struct engine_frame_info frame;
    char error[256]; /* what was wrong or too much, with this code; "" for none */
    uint32_t error_code;
    char detail[160]; /* the last error text of nghttp2; "" for none */
    char text[1280];  /* of frame */
};

static inline void h2_news_clear(struct h2_news *news)
{
    news->ex = NULL;
    news->body_len = 0;
    news->frame_read = false;
    news->error[0] = news->detail[0] = '\0';
}

/* Frames of a client that are counted, see h2_streams.c. */
enum h2_limit { H2_RESETS, H2_CHATTER, H2_LIMITS };

struct h2 {
    struct engine engine;
    nghttp2_session *session;
    struct h2_news *news;        /* set while nghttp2 runs */
    struct link exchanges;       /* all, in the order of their streams */
    struct link over;            /* outcome known, host not told */
    struct h2_exchange *current; /* a new stream whose header block is not complete */
    uint64_t answers;            /* frames of HEADERS and DATA that were sent */
    struct buf control;          /* frames of our own that wait */
    enum h2_watch watch;
    uint32_t nth;
    size_t memory;    /* of header sections, see head_memory.h */
    uint32_t live;    /* begun, or held back from it, and the host not told of the end */
    int32_t highest;  /* stream that any HEADERS frame opened */
    int32_t newest;   /* that is served */
    int32_t answered; /* the highest that was answered */
    int32_t limit;    /* streams above it are never answered */
    /* Input */
    uint8_t preface_left;
    uint8_t head[H2_FRAME_HEAD]; /* frame header, possibly not whole yet */
    uint8_t head_have;
    uint8_t continuations; /* that a field block has by now */
    uint32_t payload_left;
    bool in_input : 1;
    bool in_block : 1;     /* of a field block more is to come, in CONTINUATION frames */
    bool head_flushed : 1; /* the half frame header was reported as stale */
    bool peer_gone : 1;
    uint8_t past[H2_STREAMS_PAST / 4]; /* two bits for each of the last streams: how it closed */
    uint32_t calm_left[H2_LIMITS];     /* frames, before it is looked how much time has gone by, */
    int64_t calm_since[H2_LIMITS];     /* since then */
    size_t queued_before;              /* frames to be said, */
    uint32_t window_before; /* and the client's SETTINGS_INITIAL_WINDOW_SIZE, before its SETTINGS */
    uint32_t stale;         /* stale exchanges whose end has not come */
    size_t held;            /* octets that came in this hold */
    /* Output */
    size_t room;
    size_t unsaid; /* frames of nghttp2's that still wait since we put nothing out: a hold, or a
                      response that stands inside a frame. The client is not blamed for these */
    bool last_said : 1; /* nghttp2 has ended the connection with a GOAWAY */
    bool pumping : 1, again : 1, force : 1, paused : 1;
    bool special : 1;      /* any of what follows, or of the stops, or limit, was ever used */
    bool mute : 1;         /* the frame that nghttp2 is about to give is not for the wire */
    bool stop_reached : 1; /* by an exchange whose host was not told */
    /* Settings, by the host */
    bool ignore_pings, ignore_settings, keep_windows, hold_streams;
    bool greeted : 1; /* our SETTINGS were given to nghttp2 */
    /* End */
    bool telling : 1;
    bool shutting : 1;
    bool finished : 1;
    bool failed : 1; /* the connection ends with a GOAWAY of our own */
    bool sealed : 1; /* nghttp2 is not to be used any more */
    uint32_t fail_code;
    const char *fail_what; /* NULL: not the client's fault */
    struct h2_block *block;
    struct h2_exchange *saying; /* its header section is being put out, and its octets counted */
    uint32_t window_kept;       /* octets that WINDOW_UPDATE frames kept back would give */
    uint32_t initial_window;    /* of our first SETTINGS */
    uint32_t max_streams;       /* that we have said last, or are going to say first */
    uint32_t streams;           /* that the client has open (RFC 9113 5.1.2), also refused ones */
};

static inline struct h2 *h2_of(struct engine *e)
{
    return (struct h2 *)e;
}

/* --- h2.c */
/* Ends the connection with GOAWAY(code), as soon as the host may be called. */
void h2_fail(struct h2 *h, uint32_t code, const char *what, bool sealed);
/* Tells the host of news->error, if there is one and it may be told. */
void h2_tell_error(struct h2 *h, const struct h2_news *news);
/* Tells the host how exchanges ended, then whether the engine is done. */
void h2_settle(struct h2 *h);
/* Only the first of that. */
void h2_tell_all_over(struct h2 *h);
/* Something of the exchange was read, n octets of its content too: tells the host what it may. */
void h2_news(struct h2 *h, struct h2_exchange *ex, const uint8_t *body, size_t n);
/* All of a stale exchange was reported: nghttp2 may forget the stream. */
void h2_end_stale(struct h2 *h, struct h2_exchange *ex);

/* --- h2_input.c */
void h2_input(struct engine *e, const uint8_t *bytes, size_t n);

/* --- h2_session.c: nghttp2 and its callbacks */
int h2_session_create(struct h2 *h);
/* Our first SETTINGS; must come before anything else is given to nghttp2. */
void h2_session_greet(struct h2 *h);

/* --- h2_streams.c */
void h2_streams_start(struct h2 *h);
/* The header of a frame is read, its payload not yet: ends the connection (h2_fail), or the stream,
 * if it must not be. */
void h2_streams_frame(struct h2 *h, uint8_t type, uint8_t flags, int32_t stream);
/* A HEADERS frame has opened it. Sets h->highest. */
void h2_streams_opened(struct h2 *h, int32_t stream);
/* RST_STREAM was received, on any stream; or sent, on one whose client had more to say. */
void h2_streams_reset(struct h2 *h, int32_t stream, bool by_us);
/* A SETTINGS frame of the client is about to take effect; and has. */
void h2_streams_settings_begin(struct h2 *h);
void h2_streams_settings(struct h2 *h);
/* The client has done something of this kind once more. */
void h2_streams_spend(struct h2 *h, enum h2_limit limit);

/* --- h2_exchange.c */
struct h2_exchange *h2_exchange_create(struct h2 *h, int32_t stream);
void h2_exchange_unref(struct h2_exchange *ex);
/* Gives back what is kept for the next ones. */
void h2_exchange_stop(void);
/* Why a field was not taken. */
enum h2_refusal {
    H2_TAKEN,
    H2_NO_MEMORY,
    H2_TOO_LARGE,       /* the section */
    H2_CONNECTION_FULL, /* head_memory.h */
    H2_SERVER_FULL,
};
/* Adds a field of its header section. */
enum h2_refusal h2_exchange_add(struct h2_exchange *ex, nghttp2_rcbuf *name, nghttp2_rcbuf *value);
/* Fills pub.request from what was added. */
void h2_exchange_request(struct h2_exchange *ex);
/* The exchange will not be answered; the host is to be told. why is static. */
void h2_exchange_lose(struct h2_exchange *ex, enum ledger_lost_by by, const char *why);
/* The same, and the stream is reset. */
void h2_exchange_abort(struct h2_exchange *ex, uint32_t code, enum ledger_lost_by by,
                       const char *why);
/* The same for a verb, which has said so in its own words: nghttp2 does not. Where the header
 * section is being read, the rest of it comes first. */
void h2_exchange_end(struct h2_exchange *ex, const char *why);

/* --- h2_response.c */
int h2_respond(struct exchange *ex, const struct response *response);
/* Gives nghttp2 the response that waited for the header section. */
void h2_response_stored(struct h2_exchange *ex);
/* 100 (Continue), if its client waits for it still. */
void h2_response_continue(struct h2_exchange *ex);
bool h2_expects(const struct exchange *ex);
void h2_no_continue(struct exchange *ex);
bool h2_takes_interim(const struct exchange *ex);
int h2_interim(struct exchange *ex, const struct response *response);
/* Gives up the body. */
void h2_response_drop(struct h2_exchange *ex);

/* --- h2_output.c */
/* Puts out what waits, as far as room() goes. force: all but DATA, whatever room() says, and then
 * the frames of our own. Then settles. */
void h2_pump(struct h2 *h, bool force);
/* How many of n body bytes may be put out in a DATA frame now; 0: none, pause. */
size_t h2_output_grant(struct h2 *h, size_t n);
void h2_output_put(struct h2 *h, const uint8_t *bytes, size_t n);

/* --- h2_verbs.c */
bool h2_can_say(const struct engine *e);
bool h2_is_set(const struct engine *e, enum engine_setting setting, uint32_t value);
int h2_goaway(struct engine *e, const struct goaway *goaway);
int32_t h2_goaway_last(struct engine *e, const struct goaway *goaway);
int h2_goaway_notice(struct engine *e);
int h2_rst_stream(struct engine *e, int32_t stream, uint32_t error);
int h2_ping(struct engine *e, const uint8_t opaque[8]);
bool h2_unsaid(const struct engine *e);
int h2_set(struct engine *e, enum engine_setting setting, uint32_t value);
bool h2_disowns(const struct engine *e, int32_t stream);
bool h2_window_shut(const struct engine *e, int32_t stream);
/* nghttp2 is about to give a frame that is not DATA: is it one that does not leave? */
bool h2_verbs_mute(struct h2 *h, const nghttp2_frame *frame);

/* --- h2_stop.c */
int h2_stop_at(struct exchange *ex, enum engine_stop of, uint64_t n);
void h2_stop_continue(struct exchange *ex);
bool h2_said_all(const struct exchange *ex);
uint64_t h2_said(const struct exchange *ex, enum engine_stop of);
bool h2_content(const struct exchange *pub, uint64_t *said, uint64_t *of);
/* Has a response stopped the whole connection? */
static inline bool h2_blocked(const struct h2 *h)
{
    return h->block && h->watch != H2_WATCHING;
}
/* Puts out the rest of the frame that h->block holds, if it may. Returns whether more may be
 * put out. */
bool h2_stop_pass(struct h2 *h);
/* How much of the body may go into the next DATA frame: makes *n smaller, or returns
 * NGHTTP2_ERR_PAUSE or NGHTTP2_ERR_DEFERRED. */
int h2_stop_ask(struct h2 *h, struct h2_exchange *ex, size_t *n);
/* nghttp2 is about to give a frame that is not DATA: sets h->saying. */
void h2_stop_watch(struct h2 *h, const nghttp2_frame *frame);
/* Puts out a frame of h->saying, as far as its place. */
void h2_stop_put(struct h2 *h, const uint8_t *frame, size_t n);
/* The same with a DATA frame, and counts body_sent. */
void h2_stop_put_data(struct h2 *h, struct h2_exchange *ex, const uint8_t *head, size_t length);
/* Does it wait for engine_continue with octets of its response, even the last ones, not put out? */
bool h2_stop_cuts(const struct h2_exchange *ex);
/* The exchange is lost: what it stops continues. */
void h2_stop_release(struct h2_exchange *ex);
/* Tells the host of one stop; returns whether there was one. */
bool h2_stop_tell(struct h2 *h);

/* --- h2_frames.c */
/* Each appends a frame. Returns 0 or -ENOMEM (then nothing was). GOAWAY's debug data is cut at a
 * frame's size. */
int h2_frame_goaway(struct buf *out, int32_t last, uint32_t error, const void *debug, size_t len);
int h2_frame_rst_stream(struct buf *out, int32_t stream, uint32_t error);
int h2_frame_ping(struct buf *out, const uint8_t opaque[8]);
int h2_frame_window_update(struct buf *out, int32_t stream, uint32_t increment);
/* Fills *info, with texts in text, from a peer's frame; false if the host is not to be told. */
bool h2_frame_info(const nghttp2_frame *frame, struct engine_frame_info *info, char *text,
                   size_t size);

/* --- h2_memory.c */
/* nghttp2_session_server_new3 with memory of ours. */
int h2_memory_session(nghttp2_session **out, const nghttp2_session_callbacks *callbacks, void *user,
                      const nghttp2_option *option);
