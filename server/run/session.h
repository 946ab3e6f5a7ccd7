/* session.h - the middle step of run/: a connection in a run, the host of a wire, of an engine and
 * of the rules at work on them. For session.c, session_write.c (what is shown of one), patience.c
 * (silent clients), fits.c (modes that can do nothing here) and wrong_port.c.
 *
 * Nothing here calls a run. What the sessions of one have in common it hands down in struct
 * session_shared, and it is told of their end.
 */
#pragma once

#include <sys/socket.h>

#include "base/address.h"
#include "base/buf.h"
#include "base/gateway.h"
#include "mode/catalogue.h"
#include "run/config.h"
#include "run/exchange.h"
#include "run/plan.h"
#include "wire/listener.h"

struct session;

/* The run's, which changes it. */
struct session_shared {
    const struct run_config *config;
    struct ledger *ledger;
    struct attempts *attempts;
    struct plan *plan;              /* in force; a reference */
    uint64_t seed;                  /* of what chance decides */
    uint64_t setting;               /* counts what was set for all */
    struct run_listener *listeners; /* where else a client could have gone */
    struct gateways gateways;
    /* As exchanges_calls.mark. */
    void (*mark)(struct session_shared *shared, const char *name, bool now);
    /* The last call about a session, whose memory goes when it returns. */
    void (*closed)(struct session_shared *shared, struct session *s);
};

struct session {
    struct link link; /* the run's */
    struct session_shared *shared;
    char listener[RUN_LISTENER_NAME_SIZE]; /* which may be gone by now */
    union address peer;
    struct protocol_sniff sniff; /* what a cleartext connection has begun with */
    uint8_t warning;             /* why its mode does nothing here, for fits_warning; 0: it may */
    bool early : 1;              /* it has the mode it was accepted with */
    bool tls_type_seen : 1;  /* on a cleartext connection: a first byte that TLS may begin with */
    bool protocol_fired : 1; /* the rules of "protocol" have */
    bool watched : 1;        /* the engine only watches, for ever */
    bool ended_by_fault : 1; /* once it has ended */
    bool patience_held : 1;  /* it and patience_since: see patience.c */
    struct exchanges xs;
    struct mode_conn mode;
    uint64_t setting;       /* the run's, as far as it has reached this connection */
    struct plan *undecided; /* its entry depends on the protocol; NULL: it has its mode */
    char *mode_text;        /* the last /mode/... prefix that was obeyed; NULL: none */
    struct timer losing;    /* a fault has ended it: what is not answered is lost */
    struct timer patience;  /* see patience.c */
    int64_t
        patience_since; /* when its handshake could begin, or it could carry its first request */
};

/* The session that these exchanges are of. */
static inline struct session *session_of(struct exchanges *xs)
{
    return link_entry(xs, struct session, xs);
}

/* --- session.c */
/* A session for a socket that was accepted on this listener, as the number-th since the plan was
 * set. What its mode does at "accept" is done by session_begin. Returns 0, or -errno: then fd is
 * still the caller's. */
int session_accept(struct session_shared *shared, const struct run_listener *listener,
                   uint32_t number, int fd, const struct sockaddr *peer, socklen_t len,
                   struct session **out);
void session_begin(struct session *s);
/* Another mode for this connection alone, ledgered. entry: of the plan; negative: none. */
void session_set_mode(struct session *s, struct mode_program *program, int entry);
/* Gives it what was set for all since it last came here. Returns whether there was something. */
bool session_catch_up(struct session *s);
/* Whether nothing can come of it any more by itself, though it is open: a fault keeps it silent,
 * its client has left, and no rule of its mode goes on or brings it back. Only who sets another
 * mode or does something to it (the admin API) could change that. */
bool session_is_settled(struct session *s);
/* Ends what a rule has begun here, and a connection that a fault holds or has changed for good;
 * others stay open. by: for the ledger. */
void session_end_faults(struct session *s, enum ledger_by by);
/* The server stops: finish what is open, then close; silenced connections end at once. */
void session_shutdown(struct session *s);

/* --- session_write.c */
/* Appends it as a JSON object. */
void session_write(struct session *s, struct buf *out);

/* --- patience.c */
/* The handshake can begin, or the connection carry a request, from now on (again). */
void patience_begin(struct session *s);
/* As exchanges_calls.heard. */
void patience_heard(struct exchanges *xs, struct session_exchange *sx, int64_t now);

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

/* --- wrong_port.c */
/* The wire's in_cleartext(): what came to a TLS port is no TLS. */
void wrong_port_in_cleartext(void *owner, const uint8_t *bytes, size_t n);
/* The first bytes on a cleartext connection: are they TLS? Taken: they are, or one alone may be,
 * and the engine is not to see them. After the type: that one alone was not, and is the engine's
 * first.
 */
enum wrong_port { WRONG_PORT_NO, WRONG_PORT_TAKEN, WRONG_PORT_NO_AFTER_TYPE };
enum wrong_port wrong_port_look(struct session *s, const uint8_t *bytes, size_t n);
