/* run_impl.h - the inside of a run, for run.c (the run), session.c (its connections) and exchange.c
 * (their exchanges).
 */
#pragma once

#include "base/buf.h"
#include "base/list.h"
#include "engine/engine.h"
#include "ledger/ledger.h"
#include "modes/catalogue.h"
#include "modes/runtime.h"
#include "run/attempts.h"
#include "run/run.h"
#include "wire/listener.h"
#include "wire/wire.h"

#define PREFACE     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" /* RFC 9113 3.4 */
#define PREFACE_LEN (sizeof PREFACE - 1)

struct run {
    struct run_config config;
    struct ledger *ledger;
    struct attempts *attempts;
    struct mode_program *mode;
    struct link sessions;
    size_t session_count;
    uint64_t ordinal;
    struct moment grace;
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
    char mode_text[128];      /* the last /mode/... prefix that was obeyed */
    uint8_t sniffed;          /* bytes of the h2 preface seen so far on a clear connection */
    bool stale_seen;          /* bytes came after the fault that put it out of service */
    int64_t from_hole_until;  /* a request that is whole by then was sent into a black hole */
    enum wire_state silenced; /* the state a fault put the wire into; WIRE_OPEN: in service */
    int64_t idle_since;       /* MOMENT_NONE: busy, or nothing can be asked of it yet */
    uint32_t begun;           /* exchanges so far */
    uint32_t open;            /* of these, not over yet */
    struct link exchanges;    /* not answered yet */
    struct link leaving;      /* answered; their last bytes are on the way to the kernel */
    struct buf held_attempts; /* attempt numbers (uint32_t) of stale requests to be served later */
};

/* How far an exchange has got. */
enum reached { REACHED_BEGUN, REACHED_HEADERS, REACHED_COMPLETE, REACHED_ANSWERING };

struct session_exchange {
    struct link link;
    struct session *session;
    struct mode_exchange mx;
    struct exchange copy; /* what mx points at once the engine's own is gone */
    enum reached reached;
    unsigned pins;     /* callers up the stack that look at it again */
    bool over;         /* only pins keep its memory */
    bool request_told; /* the ledger has its request */
    uint32_t tried;    /* by which exchange_try_all() */
    bool start_fired, lost_told;
    int64_t idle_before;
    uint64_t body_bytes, digest;
    const char *target;     /* as sent, with the mode that obey_url takes off */
    struct attempt_key key; /* from REACHED_HEADERS on */
    uint32_t attempt;       /* 0: not counted yet */
    int status;
    uint64_t end_mark; /* wire_queued() after its last byte */
    int problem;       /* status of an answer of our own instead of the endpoint's; 0: none */
    char *problem_text;
};

static inline bool session_serving(const struct session *s)
{
    return wire_state(s->wire) == WIRE_OPEN && s->silenced == WIRE_OPEN;
}

/* --- session.c */
struct session *session_find(const struct run *run, uint64_t id);
json_t *session_json(const struct session *s);
/* Looks whether the connection has become idle. */
void session_idle(struct session *s);
/* Another mode for this connection alone, ledgered. */
void session_set_mode(struct session *s, struct mode_program *program);
/* Ends what a rule has begun here, and what a fault holds; a connection in service stays open. */
void session_let_go(struct session *s);
/* The server stops: finish what is open, then close; silenced connections end at once. */
void session_shutdown(struct session *s);

/* --- exchange.c */
extern const struct engine_host session_engine_host;
/* Answers it if all is there and nothing holds it. */
void exchange_try_answer(struct session_exchange *sx);
/* The same for each that is open. */
void exchange_try_all(struct session *s);
/* Opens all gates and forgets all answers that rules have given. */
void exchange_let_go(struct session *s);
/* Ends those whose last bytes are with the kernel. */
void exchange_settle(struct session *s);
/* Ledgers open ones as lost, once; the engine lets go of them later. leaving: also those whose last
 * bytes are on their way. */
void exchange_tell_lost(struct session *s, const char *why, bool leaving);
/* Frees what is left at the end of a connection. */
void exchange_drop_all(struct session *s);
