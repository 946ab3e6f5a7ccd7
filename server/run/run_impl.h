/* run_impl.h - the inside of a run, for run.c (the run), listening.c (its listeners), session.c
 * (its connections), and exchange.c, answer.c, places.c and witness.c (their exchanges).
 */
#pragma once

#include "base/buf.h"
#include "base/list.h"
#include "endpoint/problem.h"
#include "engine/engine.h"
#include "ledger/ledger.h"
#include "mode/catalogue.h"
#include "mode/runtime.h"
#include "run/attempts.h"
#include "run/plan.h"
#include "run/run.h"
#include "run/syns.h"
#include "wire/listener.h"
#include "wire/wire.h"

#define PREFACE     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" /* RFC 9113 3.4 */
#define PREFACE_LEN (sizeof PREFACE - 1)

/* What the listeners of a run do, and why. */
struct listening {
    struct run_listener *listeners;
    enum listener_answer answer;
    struct syns *syns;            /* who is refused or dropped; NULL: nobody */
    struct mode_program *program; /* what the next connection gets; a reference. NULL: none yet */
    bool answered;                /* a rule of program has said what they do */
    struct link scripts;          /* its rules at work */
    unsigned script_count;
};

/* What was set for all, on its way to them (sweep.c). */
struct sweep {
    bool on, reset;
    bool let_go;
    struct run_cursor cursor;
    struct timer timer;
    struct link waiting; /* run_waiter */
};

struct run {
    struct run_config config;
    struct ledger *ledger;
    struct attempts *attempts;
    struct plan *plan;
    uint64_t setting; /* counts what was set for all */
    struct sweep sweep;
    uint64_t seed;
    uint32_t number; /* connections accepted since the plan was set */
    struct listening listening;
    struct link sessions;
    size_t session_count;
    struct link cursors; /* run_cursor, which look at sessions */
    uint64_t ordinal;
    struct timer grace;
    void (*done)(void *arg); /* set while shutting down */
    void *done_arg;
};

/* A connection in a run: the host of a wire, of an engine and of the rules at work on them. */
struct session {
    struct link link;
    struct run *run;
    const struct run_listener *listener;
    uint64_t id, ordinal;
    char peer[ADDRESS_TEXT_SIZE];
    int64_t opened_at;
    struct wire *wire;
    struct engine *engine; /* NULL until the protocol is known */
    struct mode_conn mode;
    uint64_t setting;        /* the run's, as far as it has reached this connection */
    struct plan *undecided;  /* its entry depends on the protocol; NULL: it has its mode */
    bool early;              /* it has the mode it was accepted with */
    uint8_t warning;         /* why its mode does nothing here, for fits_warning; 0: it may */
    char *mode_text;         /* the last /mode/... prefix that was obeyed; NULL: none */
    uint8_t sniffed;         /* bytes of the h2 preface seen so far on a cleartext connection */
    bool client_leaves;      /* it said so: GOAWAY, Connection: close */
    bool tls_type_seen;      /* on a cleartext connection: a first byte that TLS may begin with */
    bool protocol_fired;     /* the rules of "protocol" have */
    bool stale_seen;         /* bytes came after the fault that put it out of service */
    int64_t from_hole_until; /* a request that is whole by then was sent into a black hole */
    struct timer patience;   /* see patience.c, with */
    bool patience_held;
    int64_t patient_since; /* when it could shake hands, or carry its first request */
    int64_t idle_since;    /* TIME_NONE: busy, or nothing can be asked of it yet */
    uint32_t begun;        /* exchanges so far */
    uint32_t numbered;     /* and of requests that have not begun, but for stale ones */
    uint32_t open;         /* of these, not over yet */
    uint32_t stops;        /* of these, stopped at a place that is not with the kernel yet */
    struct link exchanges; /* not answered yet */
    struct link leaving;   /* answered; their last bytes are on the way to the kernel */
    struct link unbegun;   /* struct unbegun, in the order in which they came */
    unsigned unbegun_count;
    bool watched;        /* the engine only watches, for ever */
    struct timer losing; /* a fault has ended it: what is not answered is lost */
};

/* How far an exchange has got. */
enum reached { REACHED_BEGUN, REACHED_HEADERS, REACHED_COMPLETE, REACHED_ANSWERING };

/* What was read of a request, and what the ledger has of it; the first of these and the last two
 * count what was read while the engine watched. */
struct reading {
    enum reached reached;
    bool told;          /* the ledger has its request */
    bool complete_told; /* and its request_complete */
    bool stale;         /* it came after the fault */
    uint32_t attempt;   /* 0: not counted yet */
    uint64_t hash;      /* of its key without the content, once its header section is there */
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
    struct session *session;
    struct mode_exchange mx;
    struct exchange copy; /* what mx points at once the engine's own is gone */
    enum reached reached;
    unsigned pins;  /* callers up the stack that look at it again */
    bool over;      /* only pins keep its memory */
    uint32_t tried; /* by which exchange_try_all() */
    struct reading read;
    bool start_fired, end_told;
    int64_t heard_at; /* its first byte, the end of its header section, or the last of its body */
    uint64_t body_bytes, digest;
    const char *target;     /* as sent, with the mode that obey_url takes off */
    struct attempt_key key; /* from REACHED_HEADERS on */
    int status;
    int64_t
        place[STOP_KINDS]; /* the next place of each kind at which the response stops; -1: none */
    uint64_t said[STOP_KINDS]; /* how much of it there was, where places were set */
    uint8_t stopped;           /* 1u << kind: it has, and the rules there have not fired yet */
    uint64_t stop_mark;        /* wire_queued() then */
    uint64_t end_mark;         /* wire_queued() after its last byte */
    int problem;             /* status of an answer of our own instead of the endpoint's; 0: none */
    enum problem kind;       /* if the mode of its URL is refused */
    struct refusal *refusal; /* likewise, why; NULL: no memory */
};

static inline bool session_serving(const struct session *s)
{
    return wire_state(s->wire) == WIRE_OPEN;
}

/* Has a fault put it out of service? */
static inline bool session_silenced(const struct session *s)
{
    return wire_state_is_fault(wire_state(s->wire));
}

/* Whether an answer may begin or go on. */
static inline bool session_may_say(const struct session *s)
{
    return session_serving(s) && wire_can_send(s->wire) && !s->mode.held;
}

/* --- run.c */
/* The next one a cursor comes to; NULL: that was all. */
struct session *run_cursor_next(struct run_cursor *cursor);

/* --- sweep.c */
extern int64_t sweep_slice; /* how long one slice takes; tests make it shorter */
void sweep_init(struct run *run);
/* A plan was set for all. let_go: what a fault holds is let go as well; reset: by a reset, and the
 * ledger is emptied. Does the first slice at once. */
void sweep_begin(struct run *run, bool reset, bool let_go);
/* Gives it up. */
void sweep_drop(struct run *run);

/* --- room.c */
/* Ends a connection that can be done without, so that its descriptors are there for others; false:
 * there is none. Owner: the run. */
bool room_make(void *owner);

/* --- patience.c */
/* The connection can shake hands, or carry a request, from now on (again). */
void patience_begin(struct session *s);
/* A request has got as far as sx->reached says, or some of its body has come. */
void patience_heard(struct session_exchange *sx, int64_t now);

/* --- listening.c */
/* The next connection may get another mode than before. */
void listening_look(struct run *run);
/* Returns how many rules it set off. */
unsigned listening_mark(struct run *run, const char *mark);
/* Nothing is armed any more. */
void listening_stop(struct run *run);

/* The kinds of connection (KIND) that the listeners can have; all when there are no listeners. */
unsigned listening_kinds(const struct run *run);

/* --- fits.c */
/* Whether a mode that a request chooses by its URL can do anything on its connection from now on:
 * 0, or MODE_NOT_HERE. */
int fits_url(const struct session *s, const struct exchange *ex, const struct mode_program *program,
             struct refusal *why);
/* Ledgers a warning, and keeps it for those who look, when no rule of the connection's mode can
 * fire on it. by_url: also when its number is none of the rules'. */
void fits_look(struct session *s, bool by_url);
/* Why the connection's mode does nothing here; NULL: it may. out has its memory. */
#define FITS_WARNING_SIZE 96
const char *fits_warning(const struct session *s, char out[FITS_WARNING_SIZE]);

/* --- session.c */
struct session *session_find(const struct run *run, uint64_t id);
/* Appends it as a JSON object. */
void session_write(struct session *s, struct buf *out);
/* Looks whether the connection has become idle. */
void session_idle(struct session *s);
/* Another mode for this connection alone, ledgered. entry: of the plan; negative: none. */
void session_set_mode(struct session *s, struct mode_program *program, int entry);
/* Gives it what was set for all since it last came here. Returns whether there was something. */
bool session_catch_up(struct session *s);
/* Ends what a rule has begun here, and a connection that a fault holds or has changed for good;
 * others stay open. by: for the ledger. */
void session_let_go(struct session *s, const char *by);
/* The server stops: finish what is open, then close; silenced connections end at once. */
void session_shutdown(struct session *s);

/* --- exchange.c */
extern const struct engine_host session_engine_host;
/* Keeps its memory, also when it ends, until it is unpinned. exchange_unpin returns whether it goes
 * on; if not, it is gone. */
void exchange_pin(struct session_exchange *sx);
bool exchange_unpin(struct session_exchange *sx);
/* Fires the rules of a slot; a step of theirs may end this very exchange. Returns whether it goes
 * on; if not, it is gone. */
bool exchange_fire(struct session_exchange *sx, enum trigger_slot slot);
/* Ends those whose last bytes are with the kernel. */
void exchange_settle(struct session *s);
/* Before the engine watches. why: for ever, so that what is whole and not answered is lost, and
 * what is answered leaves; NULL: it is held. Of the others more may be read. */
void exchange_watch(struct session *s, const char *why);
/* Ledgers that open ones are over, once; the engine lets go of them later. leaving: also those
 * whose last bytes are on their way. */
void exchange_tell_lost(struct session *s, const char *why, bool leaving);
/* The same for those alone whose last bytes are on their way. */
void exchange_tell_cut(struct session *s, const char *why);
/* The same for one. */
void exchange_tell_lost_one(struct session_exchange *sx, const char *why);
/* The name of how far a request or exchange has got. */
const char *exchange_reached(enum reached reached);
/* Frees what is left at the end of a connection. */
void exchange_drop_all(struct session *s);

/* --- answer.c */
/* Takes /mode/NAME off the request's target, and sets that mode. */
void answer_obey_url(struct session_exchange *sx, struct request *request);
/* Answers it if all is there and nothing holds it; lets an answer that stands go on. */
void answer_go_on(struct session_exchange *sx);
/* The same for each that is open. */
void answer_all(struct session *s);
/* Opens all gates and forgets all answers that rules have given. */
void answer_let_go(struct session *s);

/* --- places.c */
/* Before engine_respond: where it is to stop. */
void places_begin(struct session_exchange *sx);
void places_stopped(void *host, struct exchange *ex, enum engine_stop of);
/* wire_handed may have grown: fires the rules of the places that are reached by now. */
void places_look(struct session *s);
/* Lets a response that stands go on, unless something holds it. */
void places_go_on(struct session_exchange *sx);
/* The response is put out: notes how long it was. */
void places_end(struct session_exchange *sx);
/* Ledgers a warning for each kind of place that it never reached. */
void places_tell_missed(const struct session_exchange *sx);
/* It is over. */
void places_forget(struct session_exchange *sx);

/* --- wrong_port.c */
/* The wire's in_clear(): what came to a TLS port is no TLS. */
void wrong_port_in_clear(void *owner, const uint8_t *bytes, size_t n);
/* The first bytes on a cleartext connection: are they TLS? Taken: they are, or one alone may be,
 * and the engine is not to see them. After the type: that one alone was not, and is the engine's
 * first.
 */
enum wrong_port { WRONG_PORT_NO, WRONG_PORT_TAKEN, WRONG_PORT_NO_AFTER_TYPE };
enum wrong_port wrong_port_look(struct session *s, const uint8_t *bytes, size_t n);

/* --- witness.c */
/* Adds the fields that a request and a stale request share to the event being written. */
void witness_request(struct session *s, const struct request *request, int32_t stream,
                     const struct attempt_key *key);
/* Notes when a request says that it is the last (RFC 9112 9.6). */
void witness_last_request(struct session *s, const struct request *request);
/* Ledgers a request that came late, out of a black hole. */
void witness_came_late(struct session *s, const struct session_exchange *sx,
                       const struct exchange *ex);
void witness_stale_request(void *host, struct exchange *ex, const struct request *request,
                           int32_t stream, enum engine_witnessed what);
void witness_stale_body(void *host, struct exchange *ex, const void *bytes, size_t n,
                        int32_t stream);
void witness_stale_complete(void *host, struct exchange *ex, const struct request *request,
                            int32_t stream);
/* An exchange begins: what was read of it before, if it was held, is *read from now on. Returns its
 * number. */
uint32_t witness_begins(struct session *s, int32_t stream, struct reading *read);
/* It was stale, perhaps, and is served after all: it is a request like any other. */
void witness_serves(struct reading *read);
/* Of requests that never began, but for stale ones: that they are lost; and their end. */
void witness_tell_lost(struct session *s, const char *why);
void witness_drop_all(struct session *s);
void witness_frame(void *host, const struct engine_frame_info *info);
void witness_protocol_error(void *host, const char *what);
void witness_limit(void *host, const char *what);
