/* exchange.h - the lowest of the three steps of run/ (exchange, session, run): requests and their
 * responses on one connection, for exchange.c (their stages), respond.c (what they are answered
 * with), places.c (rules inside a response), late.c and witness.c (what the ledger is told).
 *
 * Nothing here calls a session or a run. What it needs of the connection is in struct exchanges,
 * which the session embeds, or is asked for by struct exchanges_calls.
 */
#pragma once

#include "base/clock.h"
#include "base/list.h"
#include "base/timer.h"
#include "endpoint/problem.h"
#include "engine/engine.h"
#include "ledger/ledger.h"
#include "mode/runtime.h"
#include "run/attempts.h"
#include "run/config.h"
#include "wire/wire.h"

struct exchanges;
struct session_exchange;

struct exchanges_calls {
    /* A request has got as far as sx->reached says, or some of its body has come. */
    void (*heard)(struct exchanges *xs, struct session_exchange *sx, int64_t now);
    /* A request has set this mark: fires the rules that wait for it, now or later in the loop. */
    void (*mark)(struct exchanges *xs, const char *name, bool now);
    /* The request's URL asks for this mode ("NAME;k=v", len octets): sets it for the connection.
     * Returns as catalogue_compile, or MODE_NOT_HERE. */
    int (*url_mode)(struct exchanges *xs, const struct exchange *ex, const char *spec, size_t len,
                    struct refusal *why);
};

/* What a client may not have yet, for acks.c. */
struct acks {
    struct timer timer;
    struct link unacked; /* struct wait, as they were said */
    struct link unread;  /* responses that are ACKed */
    int64_t looked_at;
    int64_t spent;      /* until then its looks are spent, one each LOOK_PACE */
    int64_t passed;     /* the last request that got no look; 0: none */
    struct ping *pings; /* PINGS_MAX, as they were sent; NULL: none was */
    unsigned unacked_count;
    uint8_t unread_count, ping_count;
    bool pings_lost : 1; /* one was not noted */
    bool lost : 1;       /* the same of a struct wait */
    bool pipelines : 1;
    bool ended : 1; /* acks_end() was called: nothing waits any more */
};

/* The exchanges of a connection. The session sets what comes first, and engine when it has one. */
struct exchanges {
    const struct exchanges_calls *calls;
    const struct run_config *config;
    struct ledger *ledger;
    struct attempts *attempts;
    struct mode_conn *mode;
    struct wire *wire;
    struct engine *engine; /* NULL until the protocol is known */
    uint64_t id;           /* of the connection */

    int64_t now; /* reading: the newest exchange in what is read began now; 0: none did. Of what is
                    told of exchanges meanwhile this is the time: see exchange_now */

    /* What comes out of a black hole, see witness_from_hole(). */
    int64_t from_hole_until;     /* without from_hole_end: it comes by then; 0: nothing does */
    uint64_t from_hole_end;      /* up to this octet of all that is received (0: not known) */
    uint64_t healed, from_holed; /* of fed: when the hole healed, and behind what came out of it */
    uint64_t fed;                /* octets that the engine was given */

    int64_t idle_since;  /* TIME_NONE: busy, or nothing can be asked of it yet */
    int64_t quiet_since; /* the same, also under a fault, until something comes */
    struct acks acks;
    uint32_t answered; /* exchanges whose response is with the kernel */
    uint32_t begun;    /* exchanges so far */
    uint32_t numbered; /* and of requests that have not begun, but for stale ones */
    uint32_t open;     /* of these, not over yet */
    uint32_t stops;    /* of these, stopped at a place that is not with the kernel yet */
    unsigned unbegun_count;
    struct link unanswered;
    struct link leaving; /* answered; their last bytes are on the way to the kernel */
    struct link unbegun; /* struct unbegun, in the order in which they came */

    bool reading : 1;       /* the engine is being given what was read */
    bool from_hole : 1;     /* what was given to it last was sent into the hole */
    bool asked : 1;         /* the ledger has a request of it without a number */
    bool peer_goaway : 1;   /* the client has said GOAWAY */
    bool peer_settings : 1; /* and its first SETTINGS */
    bool timed_out : 1;     /* it was silent for too long, and the server ends the connection */
    bool unsaid : 1;        /* some of what the engine put out, as a close_notify had been sent */
    bool stale_seen : 1;    /* bytes came after the fault that put it out of service */
    bool client_leaves : 1; /* it said so: GOAWAY, Connection: close */
    bool finished : 1;      /* the engine has served what is to be served */
};

/* What was read of a request, and what the ledger has of it; the first of these and the last two
 * count what was read while the engine watched. */
struct reading {
    enum ledger_reached reached;
    bool told;          /* the ledger has its request */
    bool complete_told; /* and its request_complete */
    bool stale;         /* it came after the fault */
    bool content;       /* it has some */
    uint32_t attempt;   /* 0: not counted yet */
    uint64_t hash;      /* of its key without the content, once its header section is there */
    int64_t begun_at;   /* when its first octet was read */
    uint64_t body_bytes, digest;
};

/* A request that came while the connection was out of service, and has not begun. */
struct unbegun {
    struct link link;
    int32_t stream;
    uint32_t nth; /* its number; 0: it is stale and has none */
    bool lost_told;
    struct reading read;
};

#define STOP_KINDS 2 /* of enum engine_stop */

struct session_exchange {
    struct link link;
    struct exchanges *xs;
    struct mode_exchange mx;
    struct exchange copy; /* what mx points at once the engine's own is gone */
    enum ledger_reached reached;
    unsigned pins;         /* callers up the stack that look at it again */
    uint32_t tried;        /* by which respond_all() */
    bool over : 1;         /* only pins keep its memory */
    bool from_hole : 1;    /* it began in what was sent into a black hole */
    bool stop_counted : 1; /* stop_content and content_of are known */
    bool start_fired : 1, end_told : 1;
    uint8_t stopped; /* 1u << kind: it has, and the rules there have not fired yet */
    struct reading read;
    int64_t heard_at; /* its first byte, the end of its header section, or the last of its body */
    uint64_t body_bytes, digest;
    const char *target;     /* as sent, with the mode that obey_url takes off */
    struct attempt_key key; /* from REACHED_HEADERS on */
    int64_t
        place[STOP_KINDS]; /* the next place of each kind at which the response stops; -1: none */
    uint64_t said[STOP_KINDS]; /* how much of it there was, where places were set */
    uint64_t stop_mark;        /* wire_queued() then */
    uint64_t stop_content;     /* if stop_counted: octets of content by then, */
    uint64_t content_of;       /* and in all */
    uint64_t end_mark;         /* wire_queued() after its last byte */
    uint64_t end_offset;       /* wire_end_offset() there */
    int status;
    int problem;       /* status of a response of our own instead of the endpoint's; 0: none */
    enum problem kind; /* if the mode of its URL is refused */
    struct refusal *refusal; /* likewise, why; NULL: no memory */
};

/* Is the connection in service? */
static inline bool exchange_serving(const struct exchanges *xs)
{
    return wire_state(xs->wire) == WIRE_OPEN;
}

/* Has a fault put it out of service? */
static inline bool exchange_silenced(const struct exchanges *xs)
{
    return wire_state_is_fault(wire_state(xs->wire));
}

/* Whether a response may begin or continue. */
static inline bool exchange_may_say(const struct exchanges *xs)
{
    return exchange_serving(xs) && wire_can_send(xs->wire) && !xs->mode->held;
}

/* The time for an event of an exchange. The clock is read once for all that one does in a reading:
 * so many events are written then that it would be a tenth of the work to read it for each. */
static inline int64_t exchange_now(const struct exchanges *xs)
{
    return xs->now ? xs->now : clock_now();
}

/* --- exchange.c */
/* What an engine's host is: struct exchanges. */
extern const struct engine_host exchange_engine_host;
/* Gives back the memory that is kept for the next exchanges; there may be others afterwards. */
void exchange_stop(void);
/* What the session does not set. */
void exchange_init(struct exchanges *xs);
/* Gives the engine what was read. */
void exchange_input(struct exchanges *xs, const uint8_t *bytes, size_t n);
/* Looks whether the connection has become idle, now. */
void exchange_idle(struct exchanges *xs, int64_t now);
/* It is not, whatever is open. */
void exchange_busy(struct exchanges *xs);
/* Keeps its memory, also when it ends, until it is unpinned. exchange_unpin returns whether it goes
 * on; if not, it is gone. */
void exchange_pin(struct session_exchange *sx);
bool exchange_unpin(struct session_exchange *sx);
/* Fires the rules of a slot; a step of theirs may end this very exchange. Returns whether it goes
 * on; if not, it is gone. */
bool exchange_fire(struct session_exchange *sx, enum trigger_slot slot);
/* Ends those whose last bytes are with the kernel. */
void exchange_settle(struct exchanges *xs);
/* Before the engine watches. why: for ever, so that what is whole and not answered is lost, and
 * what is answered leaves; NULL: it is held. Of the others more may be read. */
void exchange_watch(struct exchanges *xs, enum ledger_lost_by by, const char *why);
/* Ledgers that open ones are over, once; the engine forgets them later. leaving: also those
 * whose last bytes are on their way. */
void exchange_tell_lost(struct exchanges *xs, enum ledger_lost_by by, const char *why,
                        bool leaving);
/* The same for those alone whose last bytes are on their way. */
void exchange_tell_cut(struct exchanges *xs, enum ledger_lost_by by, const char *why);
/* The seq of the event of the fault to which an exchange is lost; 0: to none. mx: NULL when it
 * never began. */
uint64_t exchange_fault(const struct exchanges *xs, const struct mode_exchange *mx);
/* Adds it to the event being written, and the last one if that is another. 0: adds nothing. */
void exchange_ledger_fault(const struct exchanges *xs, uint64_t fault);
/* The same for one. */
void exchange_tell_lost_one(struct session_exchange *sx, enum ledger_lost_by by, const char *why);
/* Frees what is left of them at the end of a connection. */
void exchange_drop_all(struct exchanges *xs);

/* --- late.c */
/* It serves again: what is not there of open requests is waited for from now on. */
void late_anew(struct exchanges *xs, int64_t now);
/* The connection has another mode. */
void late_another_mode(struct exchanges *xs);
/* As mode_host.due. */
void late_due(void *host, struct mode_exchange *mx, int64_t now);

/* --- respond.c */
/* Takes /mode/NAME off the request's target, and has that mode set. */
void respond_obey_url(struct session_exchange *sx, struct request *request);
/* Answers it if all is there and nothing holds it; continues a response that stands. */
void respond_continue(struct session_exchange *sx);
/* The same for each that is open. */
void respond_all(struct exchanges *xs);
/* Opens all gates and forgets all responses that rules have given. */
void respond_open_gates(struct exchanges *xs);

/* --- acks.c */
/* Of a zeroed struct. */
void acks_init(struct acks *acks);
/* The response of an exchange is with the kernel, up to this offset of the TCP stream. */
void acks_response(struct exchanges *xs, uint32_t nth, uint64_t offset, int64_t now);
/* A step has told the client of a fault, with the last byte that was queued; or, if the engine has
 * that yet to say, with the last one that acks_said finds. As mode_host.told. */
bool acks_fault(struct exchanges *xs, uint64_t fault, enum ledger_step step, uint32_t nth,
                bool done);
/* What waited may have left. */
void acks_left(struct exchanges *xs);
/* engine_host.said */
void acks_said(void *host);
/* Looks what is ACKed by now, and ledgers it; not if it did within the last millisecond. */
void acks_look(struct exchanges *xs, int64_t now);
/* The same; a request on an HTTP/1.1 connection begins, the first of which was read then: the
 * client has read what it was sent before, unless it pipelines. */
void acks_next_request(struct exchanges *xs, int64_t read_at, int64_t now);
/* A PING was sent behind that many octets of the TCP stream (or WIRE_NO_OFFSET). */
void acks_ping(struct exchanges *xs, const uint8_t opaque[8], uint64_t before);
/* As acks_look; one was acknowledged, its opaque data in hexadecimal: the client has read what it
 * was sent before that PING. */
void acks_ping_ack(struct exchanges *xs, const char *opaque, size_t len);
/* Has the client's kernel ACKed what told it of this fault? Yes: that was seen before; crossed: not
 * yet; unclear: by now, or nobody knows. */
enum ledger_fin_acked acks_fault_acked(struct exchanges *xs, uint64_t fault);
/* The connection is about to end: a last look. */
void acks_end(struct exchanges *xs);
/* As exchange_stop. */
void acks_stop(void);

/* --- places.c */
/* Before engine_respond: where it is to stop. */
void places_begin(struct session_exchange *sx);
void places_stopped(void *host, struct exchange *ex, enum engine_stop of);
/* wire_handed may have grown: fires the rules of the places that are reached by now. */
void places_look(struct exchanges *xs);
/* Continues a response that stands, unless something holds it. */
void places_continue(struct session_exchange *sx);
/* The response is put out: notes how long it was. */
void places_end(struct session_exchange *sx);
/* Ledgers a warning for each kind of place that it never reached. */
void places_tell_missed(const struct session_exchange *sx);
/* It is over. */
void places_forget(struct session_exchange *sx);

/* --- asked.c */
/* The header fields that the ledger shows: symbol, name, the member for one that is shown as it is.
 */
#define ASKED_FIELDS(X)                                                                            \
    X(CONNECTION, "connection", F_CONNECTION_HEADER)                                               \
    X(CALL, "hangup-call", F_HANGUP_CALL)                                                          \
    X(MARK, "hangup-mark", F_COUNT)                                                                \
    X(KEY, "idempotency-key", F_COUNT)                                                             \
    X(X_KEY, "x-idempotency-key", F_COUNT)                                                         \
    X(REQUEST_ID, "x-request-id", F_REQUEST_ID)                                                    \
    X(TRACE, "traceparent", F_COUNT)                                                               \
    X(USER_AGENT, "user-agent", F_USER_AGENT)                                                      \
    X(RANGE, "range", F_RANGE)                                                                     \
    X(CONTENT_TYPE, "content-type", F_CONTENT_TYPE)                                                \
    X(LENGTH, "content-length", F_COUNT)                                                           \
    X(EXPECT, "expect", F_EXPECT)                                                                  \
    X(EARLY, "early-data", F_COUNT)
enum asked_field {
#define X(symbol, name, field) ASKED_##symbol,
    ASKED_FIELDS(X)
#undef X
        ASKED_COUNT
};

/* What was found of them, until the next request is looked at. */
struct asked {
    const struct header *found[ASKED_COUNT]; /* NULL: there is none, or it is empty */
    size_t names_len, others_len;            /* of lists that asked.c keeps */
    uint64_t fingerprint;
};

/* Looks through a header section, before an event of it is begun. */
void asked_look(struct asked *asked, const struct run_config *config,
                const struct request *request);
/* Adds what a request says of itself to the event being written. whole: that is all of its header
 * section. */
void asked_tell(struct ledger *l, const struct asked *asked, const struct request *request,
                bool whole);

/* Adds what an exchange was lost to, and how much of its content was read. ex: NULL when it never
 * began. */
void exchange_add_loss(struct exchanges *xs, enum ledger_lost_by by, const struct exchange *ex,
                       int32_t stream, const struct reading *read, enum ledger_reached reached,
                       uint64_t body_bytes);

/* --- witness.c */
/* Begins the event of a request, or of a stale one, with the members that these share. mark: gets
 * the name of the mark that it sets (Hangup-Mark), which is ledgered before it, or ""; NULL: it
 * sets none. */
void witness_request(struct exchanges *xs, enum ledger_event event, const struct request *request,
                     const struct reading *read, int32_t stream, uint32_t nth, bool whole,
                     char mark[MODE_NAME_SIZE]);
/* Notes when a request says that it is the last (RFC 9112 9.6). */
void witness_last_request(struct exchanges *xs, const struct request *request);
/* Something was read, and is about to be given to the engine: was it sent into a black hole? */
void witness_from_hole(struct exchanges *xs);
/* Has a request that begins now come out of it? */
bool witness_begins_in_hole(const struct exchanges *xs, const struct request *request);
/* Ledgers that a request, which is whole now, was sent into a black hole. */
void witness_came_late(struct exchanges *xs, const struct session_exchange *sx,
                       const struct exchange *ex);
void witness_stale_request(void *host, struct exchange *ex, const struct request *request,
                           int32_t stream, enum engine_witnessed what);
void witness_stale_body(void *host, struct exchange *ex, const void *bytes, size_t n,
                        int32_t stream);
void witness_stale_complete(void *host, struct exchange *ex, const struct request *request,
                            int32_t stream);
/* A stall or a hole has ended: requests that came into it are to be served, and have their
 * numbers from now on, ahead of those that come later. */
void witness_resumes(struct exchanges *xs);
/* An exchange begins: what was read of it before, if it was held, is *read from now on. Returns its
 * number. */
uint32_t witness_begins(struct exchanges *xs, int32_t stream, struct reading *read);
/* It was stale, perhaps, and is served after all: it is a request like any other. */
void witness_serves(struct reading *read);
/* Of requests that never began, but for stale ones: that they are lost; and their end. */
void witness_tell_lost(struct exchanges *xs, enum ledger_lost_by by, const char *why);
void witness_drop_all(struct exchanges *xs);
/* Adds to the event being written, by which the client leaves, how long the connection was idle,
 * and what fault it was under. */
void witness_leaves(struct exchanges *xs);
void witness_frame(void *host, const struct engine_frame_info *info);
void witness_protocol_error(void *host, const char *what);
void witness_limit(void *host, const char *what);
