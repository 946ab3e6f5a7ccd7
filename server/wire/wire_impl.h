/* wire_impl.h - the wire's inside, for wire.c (reading, writing, ending), tls.c (TLS on it),
 * verbs.c (the faults) and watch.c (what the kernel knows of a dead connection).
 */
#pragma once

#include <gnutls/gnutls.h>
#include <uv.h>

#include "base/buf.h"
#include "ledger/ledger.h"
#include "wire/moment.h"
#include "wire/tls_server.h"
#include "wire/wire.h"

struct wire {
    uv_poll_t poll;
    int fd;
    int polled; /* the events that poll is started with */
    enum wire_state state;
    const struct wire_owner *calls;
    void *owner;
    struct ledger *ledger;
    uint64_t id;

    gnutls_session_t tls; /* NULL: clear */
    bool established;     /* HTTP may flow (clear: from the start) */
    bool hello_seen;
    bool tls_done; /* TLS carries nothing more towards us (close_notify, fatal alert) */
    bool notified; /* we sent close_notify */
    char sni[256];
    const uint8_t *in; /* what GnuTLS may pull now */
    size_t in_len;

    struct buf out;  /* for the kernel, TLS records or plain */
    struct buf held; /* read, but to be looked at only after heal or resume */
    bool corked;     /* in a callback: flush once, at its end */
    bool muted;      /* put nothing on the wire, whatever is queued */
    bool shut;       /* shutdown(SHUT_WR) was done */
    bool peer_fin;   /* the client's FIN was read */
    bool peer_closed_told;
    const char *end_by; /* who began the orderly end */

    /* Plaintext accounting, see wire_handed(): one checkpoint under way at a time. */
    uint64_t queued, handed, mark_plain, mark_out;
    uint64_t out_total; /* bytes ever appended to out */
    uint64_t bytes_in, bytes_out;
    uint64_t stalled_bytes;
    uint8_t record_head[5]; /* of the TLS record being received, of which */
    uint8_t record_have;    /* so much has come, */
    uint32_t record_left;   /* and so much of its body is to come */
    size_t reading;         /* bytes of the present reading */
    bool stale_noted;       /* the ledger has the stale bytes of this reading */
    bool hup_seen;          /* while stalled and not reading: the client has closed */

    int64_t opened_at, fault_since, fin_acked_at, hole_used_at;
    bool hole_in_effect; /* the filter is attached */
    uint32_t drops_before, drops_seen;
    struct moment limit; /* of the state: linger, stale wait, watch, drain */
    struct moment sample;
    bool stale_waiting; /* limit is WIRE_STALE_WAIT */
    bool exact;         /* forgotten: by the kernel too, once all is out */
};

/* --- wire.c */

/* Puts out what is queued as far as the state lets it, shuts down or goes quiet when it is all out.
 */
void wire_flush(struct wire *w);
/* Sets what the loop watches the socket for, from the state. */
void wire_poll(struct wire *w);
/* Hands plaintext (clear: the socket's bytes) up or away, by the state. */
void wire_deliver(struct wire *w, const uint8_t *bytes, size_t n);
/* Keeps bytes for when the wire is back in service. */
void wire_hold(struct wire *w, const uint8_t *bytes, size_t n);
/* The client will send no more; tells the owner once. */
void wire_tell_peer_closed(struct wire *w, bool at_end);
/* The end: ledgers it, closes the socket. quiet: nothing goes out, if the kernel lets us. */
enum wire_last { WIRE_LAST_CLOSE, WIRE_LAST_RST, WIRE_LAST_QUIET };
void wire_end(struct wire *w, enum wire_last last, const char *by, const char *how);
/* Begins the orderly end (state "ending"). */
void wire_begin_ending(struct wire *w);

/* --- verbs.c */

/* All that was queued before the verb is with the kernel now. */
void wire_verb_drained(struct wire *w);
/* The limit was reached in a fault state. */
void wire_verb_limit(struct wire *w);

/* --- tls.c */
int wire_tls_create(struct wire *w, struct tls_server *server, bool h2);
/* Works on w->in until it is used up or the state says stop. */
void wire_tls_input(struct wire *w);
/* Has the client sent a part of a record, of which the rest is to come? */
bool wire_tls_cut(const struct wire *w);
/* Queues a close_notify, once. */
void wire_tls_notify(struct wire *w);
/* Seals plaintext into w->out. Returns 0 or -errno. */
int wire_tls_seal(struct wire *w, const void *bytes, size_t n);

/* --- watch.c */
void wire_watch_fin(struct wire *w);
void wire_watch_hole(struct wire *w);
/* A last look at the drop counter. */
void wire_watch_hole_end(struct wire *w);
/* TCP state by TCP_INFO (TCP_ESTABLISHED ...), bytes in the send queue not ACKed yet. */
int wire_tcp_state(const struct wire *w);
int wire_unacked(const struct wire *w);
