/* history.h - what the ledger of a run says of its attempts, connections, faults and marks.
 *
 * A history is fed the records of a ledger in their order, live or out of a file, and can be asked
 * at any time. It says of each attempt how far it came (progress) and what is wrong with it
 * (trouble). That is two things, as `heal`, `resume` and the end of a `delay` take trouble away
 * again, and what the attempt has been through stays to be seen.
 *
 * It is bounded. What it had to forget, and what the ledger lacks (gaps), makes what depends on it
 * UNKNOWN; it never makes an attempt answered. The rules R1 to R10, the state machine and the table
 * of the kinds of faults are those of docs/verdict.md.
 *
 * All times are ages of the ledger in ns, as records have them. A span [from, to] holds the moment
 * at which something happened: not before from, not after to.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "ledger/ledger.h"

#define NEVER (-1) /* an age: it has not happened */

static inline int64_t history_sooner(int64_t x, int64_t y)
{
    return x == NEVER || (y != NEVER && y < x) ? y : x;
}

struct span {
    int64_t from, to; /* both NEVER, or neither */
};
#define SPAN_NEVER ((struct span){ NEVER, NEVER })

/* Yes, no, or the ledger does not tell. */
enum tri { TRI_UNKNOWN, TRI_NO, TRI_YES };

/* A text of a record. Texts that are only compared have no bytes; long ones are cut for showing.
 * hash is of all of it, and 0 when there is none. */
struct text {
    const char *bytes; /* with a NUL behind it, or NULL */
    uint64_t hash;
    uint32_t len; /* of all of it */
};

/* How far a request and its answer came. */
enum progress {
    PROGRESS_BEGUN,     /* its first byte is there, or is presumed to have been sent */
    PROGRESS_TOLD,      /* its header section is whole */
    PROGRESS_WHOLE,     /* all of it is */
    PROGRESS_ANSWERING, /* its response has begun (that may be before it is whole) */
    PROGRESS_HANDED,    /* the response's last byte is with our kernel */
    PROGRESS_ACKED,     /* and with the client's */
    PROGRESS_CONFIRMED, /* and the client has read it */
    PROGRESS_COUNT
};

/* What keeps an attempt from being answered; FINE: nothing that is known. */
enum trouble {
    TROUBLE_FINE,
    TROUBLE_BITTEN,    /* a fault that ends, silences or cuts has struck its stream or connection */
    TROUBLE_HELD,      /* a fault holds its answer for longer than grace */
    TROUBLE_REFUSED,   /* it was told that it is not done here */
    TROUBLE_ABANDONED, /* the client has given it up itself */
    TROUBLE_LOST,      /* it ended without an answer */
    TROUBLE_DOUBTFUL,  /* answered, in a way that the client may not have got or may not take */
    TROUBLE_UNCONFIRMED, /* the response went out; nothing shows well enough that it arrived */
    TROUBLE_UNKNOWN      /* the ledger lacks what would tell */
};

/* A time in which an attempt was out of service, by a fault (its seq; 0: by none). */
struct out {
    int64_t from, to; /* to: NEVER while it lasts */
    int64_t since;    /* when it became this trouble */
    enum trouble trouble;
    uint64_t fault;
    uint64_t seq; /* of the event that says so */
};
#define OUTS_MAX 6

/* One request on the wire. */
#define ATTEMPT_KEYS 4
struct attempt {
    uint64_t number; /* of attempts, in the order in which the ledger tells of them, from 1 */
    uint64_t connection;
    uint32_t exchange; /* 0: it has none (stale, presumed) */
    int64_t stream;    /* 0: none */
    int network;       /* enum ledger_path, of its connection; -1: not known */

    struct text method, target;
    uint64_t asked, path; /* target and path as hashes, the same in all spellings; 0: not known */
    struct text authority, hangup_call, idempotency_key;
    uint64_t other_keys[ATTEMPT_KEYS]; /* hashes of the headers given by --key; 0: none */
    struct text request_id, trace_id, user_agent, fingerprint;
    uint64_t media_type;    /* of the content, as a hash; 0: it does not say */
    struct text digest;     /* of the content; none while it is not known */
    int64_t content_length; /* as declared, else as read; -1: not known */
    bool has_range;
    bool said_close; /* Connection: close */
    enum tri reused; /* its connection had carried a request before */
    int64_t idle_before;

    enum progress progress;
    int64_t reached[PROGRESS_COUNT]; /* when; NEVER */
    uint64_t seqs[PROGRESS_COUNT];   /* by which event; 0 */
    struct span first_byte;
    struct span sent;  /* while nothing of it was read: when something was; 0 */
    struct span acked; /* when the client had the response, by its kernel or by proof */
    enum ledger_proof proof;
    int64_t end_offset; /* of the response's end in what was sent on the connection; NEVER */
    int status;         /* of the response; 0: none yet */

    struct out outs[OUTS_MAX]; /* in the order in which they began */
    int out_count;
    uint64_t holding; /* a fault that holds it, or has: see history_trouble */
    uint64_t fault,
        last_fault; /* what first made it unanswerable, and what came last; 0: nothing */

    bool closed;     /* nothing more is to be told of it but what its client does */
    bool stale;      /* sent after the fault (stale_request) */
    bool partial;    /* it was never whole: its content cannot be compared */
    bool presumed;   /* the server has not read a byte of it (R7) */
    int64_t dropped; /* octets of it that a black hole dropped first; NEVER: it does not say */
    bool by_rule;    /* a rule's `respond` answered it */
    bool reset;      /* its client has reset its stream behind the response, and had not read it */
    bool cut_short;  /* its exchange was lost, not to the client, with a part of its answer sent */
    bool processed;
    enum tri effect;   /* of processed: it changed something */
    bool unknown;      /* the ledger lacks something of it */
    bool headless;     /* lost before its head was read: the ledger lacks nothing of it */
    uint16_t head_len; /* of what is kept of its request to be read when it is asked for */
    uint64_t first_seq, last_seq;
    int64_t last_at;   /* age of the last event of it */
    uint64_t previous; /* number of the one before it on its connection; 0 */
};

/* How a client left a connection by itself. */
enum leaving { LEFT_NOT, LEFT_FIN, LEFT_RST, LEFT_CLOSE_NOTIFY, LEFT_GOAWAY };

/* More of what a client sent fell into a black hole. */
struct fell {
    struct span at; /* 0: it did not */
    int64_t octets; /* NEVER: the ledger does not say */
};

struct connection {
    uint64_t id;
    int64_t opened;               /* NEVER: that is not in the ledger */
    struct text listener, client; /* client: the hash by which the server knows its kind */
    int family, number;           /* 0: not known */
    int path;                     /* enum ledger_path; -1: not known, and taken for relayed */
    bool h2, tls;
    uint32_t requests;  /* read in service */
    uint32_t answered;  /* handed whole */
    uint32_t open;      /* exchanges */
    int64_t idle_since; /* NEVER: it is not idle, or not used yet */

    uint64_t fault, last_fault; /* what put it out of service; 0: nothing */
    int64_t dead;               /* since when; NEVER */
    uint64_t notice;            /* the first GOAWAY that only announces the end; 0 */
    uint64_t holding;    /* a hold of connection scope that stands (window, throttle, drip); 0 */
    uint64_t pending;    /* the first fault on an exchange that is yet to be told; 0 */
    int64_t stale_bytes; /* when the first byte of a use came into the dead connection; NEVER */
    int64_t stale_last;  /* of any use or not: when the last bytes came; NEVER */
    int64_t no_use_at;   /* when something was last read that is no use; NEVER */

    enum leaving left; /* what it did first */
    int64_t left_at;
    int64_t reset_at; /* its RST, first or not; NEVER */
    int64_t shut_at;  /* the same, or its FIN: nothing new comes of it then; NEVER */
    enum tri crossed; /* it left without being able to know of the fault */
    bool behind;      /* the fault came first, as its leaving came to the server's kernel */
    int64_t said_at;  /* the client's process itself has reacted to the fault; NEVER */
    uint64_t said_seq;
    int64_t settings_acked; /* NEVER */
    uint64_t pings_ignored; /* the fault by which its PINGs are not answered (any more); 0 */
    int64_t pings_ignored_at,
        pinged; /* since when; the first PING of the client behind that. NEVER */
    unsigned pings, pings_unanswered; /* of the client: in all; behind that */
    int64_t
        hint; /* ns: how long a Keep-Alive header has said that it may be idle; NEVER: none did */
    uint64_t ping_sent;    /* seq of our first PING behind the fault; 0: none */
    uint32_t pings_before; /* of ours that were sent before it, and not ACKed yet */

    int64_t ended; /* NEVER: it lives */
    int64_t sent;  /* octets, in all, once it has ended; NEVER */
    int by, how;   /* enum ledger_by, ledger_how, once it has ended */
    bool in_handshake;
    bool spoke;     /* the client has sent something */
    bool protocol;  /* its HTTP version is known: it can carry requests */
    bool armed;     /* at its end a rule had still to fire on it */
    int64_t due_in; /* then: how soon it would have; NEVER: it does not wait for a time */
    bool unknown;   /* it lived through a gap */
    uint64_t first_seq, last_seq;
    uint64_t oldest;     /* number of its first attempt since it is held, or since a reset; 0 */
    uint64_t newest;     /* number of its newest attempt; 0 */
    uint64_t presumed;   /* number of the newest that is presumed, or was; 0 */
    int64_t dropped;     /* octets of data that a black hole dropped; NEVER: it does not say */
    struct fell fell[2]; /* the last times that more of it fell into the hole, the newest first */
};

/* The states of section 2. */
enum connection_state {
    CONNECTION_SPARE, /* no request yet */
    CONNECTION_USED,
    CONNECTION_IDLE,
    CONNECTION_LEFT,  /* by the client, with no fault on it */
    CONNECTION_DEAD,  /* out of service */
    CONNECTION_KNOWN, /* and the client could know (R3) */
    CONNECTION_GONE
};

struct fault {
    uint64_t seq;
    enum ledger_step step;
    enum ledger_class class; /* CLASS_NONE: the ledger does not say */
    enum ledger_scope scope;
    enum ledger_trigger trigger;
    uint64_t connection; /* 0: of listeners */
    uint32_t exchange;   /* 0: of the connection */
    int64_t at, ended;
    struct span acked; /* when the client's kernel had ACKed what said it */
    int64_t crossed;   /* it had not when bytes were read that crossed it; NEVER: none did */
    enum tri in_effect;
    int64_t last_stream; /* of goaway; -1 */
    bool then_hold;      /* of goaway */
    bool then_silent;    /* of cut: nothing comes behind it, not even an end */
    int64_t srtt;        /* ns; 0: not known */
    int64_t retry_after; /* ns, of respond; NEVER: it does not say */
};

struct mark {
    char name[64]; /* cut */
    struct span at;
    uint64_t seq;
    bool exact; /* a request set it, with its own header: at is when that began and was read */
};

/* Events that are missing: seqs first to last, of a time in [from, to]. */
struct gap {
    uint64_t first, last;
    int64_t from, to;
};

/* SYNs that got no answer: a call may have begun with the first of them (R7). */
struct lost_syns {
    struct text listener;
    struct span first;
    int64_t last;
    int64_t ended; /* when the listener next accepted; NEVER */
    uint64_t seq;
};

/* When the server did not run: it did at both ends. until: what waited for its end is read by then.
 * Where the machine slept, the ledger's clock stood still; slept: for how long until then, in all.
 */
struct pause {
    int64_t from, to, until, slept;
};

struct history_config {
    int64_t grace;                /* ns: what a client may take to hear what its kernel knows */
    size_t attempts, connections; /* how many are kept, at least 1 */
    size_t faults;                /* of faults, marks, gaps and lost SYNs each */
};

struct history;

/* NULL without memory. */
struct history *history_create(const struct history_config *config);
void history_destroy(struct history *h);

/* The next record of the ledger, with all that its seq says of what is missing before it. */
void history_feed(struct history *h, const struct ledger_record *record);
/* The same of one that is no gap, and before which nothing is missing. */
void history_feed_next(struct history *h, const struct ledger_record *record);
/* Whether somebody tells of the command of the client: then nothing is sure before that has ended,
 * and what comes late says something, too. */
void history_commanded(struct history *h, bool commanded);
/* Records up to seq are about something else: none of them is missing. */
void history_skip(struct history *h, uint64_t seq);
/* The events first to last are missing, and the next record comes behind them. */
void history_gap(struct history *h, uint64_t first, uint64_t last);
/* It is so late now, though nothing happened. */
void history_now(struct history *h, int64_t age);

int64_t history_age(const struct history *h);
int64_t history_grace(const struct history *h);
/* Whether a request says, by a header field such as Via, that a proxy has sent it. */
bool history_proxied(const struct history *h);
/* Whether what a black hole dropped was no request (R7): over HTTP/2, just before its client's FIN,
 * and no more than the GOAWAY and the close_notify by which it leaves. */
bool attempt_is_farewell(const struct history *h, const struct attempt *a);
/* Whether it was a request for sure: there is too much of it for anything else. */
bool attempt_is_request(const struct history *h, const struct attempt *a);
/* When more of what a client sent fell into the hole of a connection for the last time, but for its
 * farewell; NEVER: nothing did. */
struct span attempt_last_fell(const struct history *h, const struct connection *c);
/* How many attempts, connections and faults were forgotten for want of room or memory. */
uint64_t history_forgotten(const struct history *h);
/* How many of these attempts were not answered: calls that are no longer told may be among them, so
 * that nothing can be said of every call. */
uint64_t history_forgotten_unanswered(const struct history *h);
/* How many of them had met a fault, or were not answered, so that what a check says of all that met
 * one would leave them out. */
uint64_t history_forgotten_struck(const struct history *h);
/* Whether events of a time are missing; and whether that, or what was forgotten, may have had
 * attempts in it that are not told. */
bool history_gap_in(const struct history *h, int64_t from, int64_t to);
bool history_lacks(const struct history *h, int64_t from, int64_t to);

size_t history_pauses(const struct history *h);
/* The pause of the server that a time is in, or right behind; NULL: none. *index: its place; NULL:
 * nobody asks. */
const struct pause *history_pause_at(const struct history *h, int64_t at, size_t *index);
/* When what was read or done at a time would have been at the earliest without that pause: at its
 * beginning, in the same order. */
int64_t history_early(const struct history *h, int64_t at);
/* Whether more pauses were told since the last reset than are kept. */
bool history_pauses_forgotten(const struct history *h);
/* How long the machine had slept until then, in all: the ledger's clock stood still. */
int64_t history_slept(const struct history *h, int64_t at);

/* Those that are held, oldest first: NULL beyond the last. Good until the next feed. */
const struct attempt *history_attempt(const struct history *h, size_t i);
const struct connection *history_connection(const struct history *h, size_t i);
const struct fault *history_fault(const struct history *h, size_t i);
const struct mark *history_mark(const struct history *h, size_t i);
const struct gap *history_missing(const struct history *h, size_t i);
const struct lost_syns *history_lost_syns(const struct history *h, size_t i);
size_t history_attempts(const struct history *h);
size_t history_connections(const struct history *h);
/* By number, id or seq; NULL: it is not held. */
const struct attempt *history_find_attempt(const struct history *h, uint64_t number);
const struct connection *history_find_connection(const struct history *h, uint64_t id);
const struct fault *history_find_fault(const struct history *h, uint64_t seq);

/* --- What follows from it (judge.c) */

/* Whether an attempt was out of service at an age, and by what; FINE: not. */
enum trouble history_out(const struct history *h, const struct attempt *a, int64_t age);
/* Whether a fault holds its answer for longer than grace, or did before it was released. */
bool history_held(const struct history *h, const struct attempt *a);
/* Its trouble as of now. An attempt is answered if it has none and came to ACKED. */
enum trouble history_trouble(const struct history *h, const struct attempt *a);
bool history_answered(const struct history *h, const struct attempt *a);
/* How long behind the ACK of an answer an RST tells that it may not have been read; and whether
 * that may still come. */
#define UNREAD_FOR (5 * NS_PER_S)
bool history_may_be_unread(const struct history *h, const struct attempt *a);
/* Whether a fault let a part of its answer out and not the rest. */
bool history_was_cut(const struct history *h, const struct attempt *a);
/* When the client could see that the attempt is lost: of silent faults, from its first byte on. */
struct span history_seen(const struct history *h, const struct attempt *a);
/* When the client can first have known of the fault of its connection, or of the notice of one
 * (R3): not before from, surely by to. NEVER: it cannot, or nothing shows that it did. */
struct span history_known(const struct history *h, const struct connection *c);
/* When it could see a fault, if its own kernel was told: as history_known of a connection that has
 * met no other. */
struct span history_fault_seen(const struct history *h, const struct fault *f);
/* When, by an age, the last request on a connection had begun, been answered or got lost; when it
 * was opened, if there was none. */
int64_t history_last_use(const struct history *h, const struct connection *c, int64_t age);
/* Whether the client knew of it when it began the attempt: no; perhaps; yes. */
enum tri history_knew(const struct history *h, const struct attempt *a);
enum connection_state history_state(const struct history *h, const struct connection *c);
/* Whether the app was suspended (between the marks) at some moment of a span. */
enum tri history_suspended(const struct history *h, struct span when);
