/* wire_impl.h - the wire's inside, for wire.c (reading), end.c (its end), state.c (its states),
 * send.c (writing), shape.c (limits on writing), tls.c (TLS on it), verbs.c (the faults), closing.c
 * (what comes behind a FIN) and watch.c (what the kernel knows of a dead connection).
 */
#pragma once

#include <gnutls/gnutls.h>
#include <uv.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/timer.h"
#include "ledger/ledger.h"
#include "wire/tls_server.h"
#include "wire/wire.h"

#define RECORD_MAX 16384 /* plaintext in a TLS record (RFC 8446 5.1) */

struct shape;

/* How far the present state has come. */
enum wire_effect {
    WIRE_LEAVING,  /* what is queued leaves; handshake and open stay so */
    WIRE_WAITING,  /* nothing leaves any more; but the client is yet to ACK what did (black-holed),
                      or to  be told (resetting, which ends then) */
    WIRE_IN_EFFECT /* nothing leaves; the FIN is out, the filter of a black hole is attached */
};

struct wire {
    uv_poll_t poll;
    int fd;
    uint8_t polled;                      /* the events that poll is started with */
    enum wire_state state : 8, told : 8; /* told: as the owner knows it */
    enum wire_effect effect : 8;
    bool cutting : 1;     /* a cut takes effect, and the owner is yet to be told */
    bool exact : 1;       /* forgotten: by the kernel too, once all is out */
    bool established : 1; /* HTTP may flow (cleartext: from the start) */
    uint8_t sni_len;      /* octets of sni; 0: none, or no memory for it */
    uint8_t alert_have;   /* of alert, */
    uint8_t record_have;  /* of record_head: so much has come */
    uint32_t record_left; /* so much of the TLS record's body is to come */
    const struct wire_owner *calls;
    void *owner;
    struct ledger *ledger;
    uint64_t id;

    gnutls_session_t tls; /* NULL: cleartext */
    struct tls_server *server;
    const char *const *alpn; /* offered */
    struct buf early;        /* what has come of the ClientHello, while it is not there yet */
    bool hello_seen : 1;     /* it is there */
    bool tls_done : 1;       /* TLS carries nothing more towards us (close_notify, fatal alert) */
    bool notified : 1;       /* we sent close_notify */
    bool peer_notified : 1;  /* the client did, */
    bool notify_read : 1;    /* in the present reading */
    bool heard : 1;          /* TLS has given plaintext of the client */
    bool failed_told : 1;    /* the ledger has tls_failed */
    uint8_t alert[2];        /* of the last record, when that is a cleartext alert: level and
                                description */
    uint8_t record_head[5];  /* of the TLS record being received */
    char *sni;               /* the name that the ClientHello asks for, any bytes */
    uint64_t client;         /* wire_client() */
    const uint8_t *in;       /* what GnuTLS may pull now */
    size_t in_len;

    struct buf out;      /* for the kernel, TLS records or plain */
    struct shape *shape; /* NULL: nothing limits what leaves */
    struct buf held;     /* read, but to be looked at only after heal or resume (LIMIT_HELD) */
    bool corked : 1;     /* in a callback: flush once, at its end */
    bool peer_rst : 1;   /* its RST was, not in answer to a probe */
    bool peer_fin : 1;   /* the client's FIN was read */
    bool left_hole : 1;  /* black-holed: the client has left, see wire_left_in_silence */
    bool probing : 1;    /* wire_keepalive_probe */
    bool peer_closed_told : 1;
    bool to_kernel : 1;    /* behind our FIN the socket is to be closed, and the kernel answers */
    bool reset_due : 1;    /* RST as soon as what was read is looked at, */
    bool reset_reads : 1;  /* which is being done; with reset_left */
    bool last_said : 1;    /* TLS has no more to say in the orderly end */
    bool began : 1;        /* it is known whether the client speaks TLS: */
    bool in_cleartext : 1; /* it does not */
    bool hup_seen : 1;     /* while stalled and not reading: the client has closed */
    bool stale_noted : 1;  /* the ledger has the present reading */
    bool stayed : 1;       /* it had not left when we ended or silenced it */
    bool late : 1;         /* which the client sent after we had ended or silenced it */
    bool into_earlier : 1; /* the last one of these was sent into the fault before */
    enum ledger_by end_by : 8; /* who began that; BY_NOBODY: nobody */
    uint32_t records;          /* of TLS, that began in the present reading */
    const char *end_why;       /* for connection_end; NULL: it says enough */
    struct wire_closing closing;

    /* Plaintext accounting, see wire_handed(): one checkpoint under way at a time. */
    uint64_t queued, handed, mark_plain, mark_out;
    int64_t sending_at, handed_at; /* before the last send(), and the last that was one of these */
    uint64_t out_total;            /* bytes ever appended to out */
    uint64_t bytes_in, bytes_out;
    size_t reading;        /* bytes of the present reading */
    uint32_t before_left;  /* the kernel had so many when we ended or silenced it: these are to be
                              read first, */
    uint32_t earlier_left; /* then so many that were sent into the fault before, */
    struct wire_sent_into earlier; /* this one */

    int64_t peer_fin_at, probing_since;
    uint64_t probing_out;   /* bytes_out when it was asked */
    int64_t established_at; /* TLS; 0: not yet */
    int64_t opened_at, fault_since, fin_acked_at, black_hole_used_at;
    int64_t fin_looked_at; /* our FIN was out, and not ACKed then */
    int64_t drained_at;    /* all that was queued before the verb was in the kernel, and the FIN
                              behind it; resetting: or the kernel last took some of it */
    int64_t linger;        /* fin_sent: how long what comes is discarded */
    uint32_t drops_before, drops_seen;
    uint64_t black_hole_end; /* wire_black_hole_end */
    struct hole *hole;       /* what is seen of a black hole (hole.c); NULL: nothing */
    int64_t drops_looked_at;
    struct timer limit; /* of the state: linger, watch, drain */
    struct timer sample;
    struct timer notify_timer; /* progress() is due */
    uint64_t announced;        /* the seq of the fault event of the next verb, */
    uint64_t fault;            /* and of the one that put it out of service last; 0: none */
    struct {
        bool due : 1;    /* fault_done is to say whether it took effect, */
        bool of_cut : 1; /* or how what a cut has begun went; */
        enum ledger_step step;
        uint64_t fault; /* the seq of its fault event; 0: it has none */
        int64_t since;
    } verb;                 /* the last one that puts it out of service */
    size_t reset_left;      /* reset_due: of what the kernel has, so much is to be read; */
    uint64_t reset_fault;   /* the seq of the fault event */
    int64_t keepalive;      /* wire_config.keepalive */
    struct timer ack_timer; /* to look whether what was sent is ACKed */
    int64_t unacked_since;  /* TIME_NONE: it was not looked at, or all was ACKed then */
};

enum wire_last { WIRE_LAST_CLOSE, WIRE_LAST_RST, WIRE_LAST_QUIET, WIRE_LAST_GONE };

/* --- state.c */

/* What a wire does in a state. */
struct wire_state_row {
    const char *name;      /* in the ledger and the API */
    enum ledger_into into; /* what the client sends into it, also its name; or name says it */
    bool serves;           /* its client */
    bool fault;
    bool held;   /* it can end, so that the connection serves again */
    bool silent; /* the client gets no response and no end; given up, it ends with nothing said */
    bool reads;
    bool keeps; /* what is read may have to be kept: the owner says whether it takes more */
    /* When what is read counts as sent after the state began: never; once it is in effect, and then
     * it draws a RST; at once. */
    enum { WIRE_LATE_NEVER, WIRE_LATE_IN_EFFECT, WIRE_LATE_AT_ONCE } late;
    unsigned verbs;                   /* those that mean anything in it (1 << WIRE_VERB_...), as
                                         far as the state says: wire_ready knows the rest */
    enum wire_last ends;              /* how it ends for reasons of the server's own */
    void (*drained)(struct wire *w);  /* all that was queued is with the kernel; NULL: no matter */
    void (*peer_fin)(struct wire *w); /* the client's FIN was read; NULL: nothing is to be done */
    void (*limit)(struct wire *w);    /* w->limit was reached */
    void (*leave)(struct wire *w);    /* it is about to be over; NULL: nothing is to be done */
};
extern const struct wire_state_row wire_rows[];
static inline const struct wire_state_row *wire_row(const struct wire *w)
{
    return &wire_rows[w->state];
}

/* Does the connection serve its client (handshake or open)? Has a fault put it out of service? */
bool wire_serving(const struct wire *w);
bool wire_in_fault(const struct wire *w);
/* Our FIN is out, and the last word. */
bool wire_behind_fin(const struct wire *w);
/* Does what comes now draw a RST (but for what is discarded behind a FIN)? */
bool wire_draws_rst(const struct wire *w);
/* Will nothing leave any more, whatever is queued? */
bool wire_says_no_more(const struct wire *w);
/* Who has ended it, for the ledger. */
enum ledger_by wire_ended_by(const struct wire *w);
/* The first thing in what ends a state: what is known of its fault is told while it is that. */
void wire_leave(struct wire *w);
/* The last thing in whatever may have changed the state: tells the owner, if it was changed. */
void wire_tell_state(struct wire *w);

/* --- wire.c */

/* Sets what the loop watches the socket for, from the state. */
void wire_poll(struct wire *w);
/* Hands plaintext (cleartext: the socket's bytes) up or away, by the state. */
void wire_deliver(struct wire *w, const uint8_t *bytes, size_t n);
/* Keeps bytes for when the wire is back in service. */
void wire_hold(struct wire *w, const uint8_t *bytes, size_t n);
/* The client will send no more; tells the owner once. */
void wire_tell_peer_closed(struct wire *w, bool at_end);
/* As wire_owner.peer_ends. */
void wire_tell_peer_ends(struct wire *w, bool fin);
/* Looks at what was kept in a stall or black hole, and at a FIN that came meanwhile. */
void wire_take_held(struct wire *w);
/* The state takes effect: what the kernel has now was sent before it. */
void wire_mark_before(struct wire *w);
/* Bytes in the kernel that are to be read yet, and were sent before the state took effect. */
size_t wire_early_left(const struct wire *w);
/* The state is about to be over, or its fault another: what was sent into it is told as that. */
void wire_keep_into(struct wire *w);
/* The RST is due, and all that was read is looked at; so is what waits in the kernel now. */
void wire_reset(struct wire *w);
/* The client's FIN came: in a handshake; while open; where our FIN ends it, too; in forgotten. */
void wire_handshake_fin(struct wire *w);
void wire_open_fin(struct wire *w);
void wire_both_fins(struct wire *w);
void wire_forgotten_fin(struct wire *w);

/* --- end.c */

/* The end: ledgers it, closes the socket. quiet: nothing goes out, if the kernel lets us. gone: the
 * same behind our FIN, at the latest two seconds later; until then the kernel answers as it does
 * for a closed socket. */
void wire_end(struct wire *w, enum wire_last last, enum ledger_by by, enum ledger_how how);
/* The same because of an error (positive), which the ledger shows. */
void wire_end_error(struct wire *w, enum wire_last last, enum ledger_by by, int error);
void wire_socket_error(struct wire *w, int error);
/* The client has closed, and nothing is to be said: ends when its kernel has forgotten it. */
void wire_end_later(struct wire *w);
/* Adds to the event being written the fault that has put it out of service, if one has; what the
 * owner has to add. */
void wire_ledger_fault(struct wire *w);
void wire_add_fields(const struct wire *w, enum ledger_event event);

/* --- closing.c */

/* Begins the orderly end (state "ending"); what TLS says last, at the end of the present reading;
 * all is out then; the limit was reached then. */
void wire_begin_ending(struct wire *w);
void wire_say_last(struct wire *w);
void wire_ending_drained(struct wire *w);
void wire_ending_limit(struct wire *w);
/* FIN; and the time in which we keep the socket behind it. */
void wire_send_fin(struct wire *w);
/* That is over. */
void wire_fin_wait_over(struct wire *w);
/* A reading is over: is the socket to be closed now, as the kernel is to answer? */
void wire_look_behind_fin(struct wire *w);
/* Is what comes behind our FIN discarded now? */
bool wire_lingers(const struct wire *w);

/* --- keepalive.c */

/* Probes from the beginning, or again after a fault, if they are wanted. */
void wire_keepalive_begin(struct wire *w);
/* Probes whatever is wanted, until a fault, from when the connection has been idle for 90 s (the
 * kernel of a client that has closed it has forgotten it by then): they are ACKed, draw RST, or
 * time out. */
void wire_keepalive_probe(struct wire *w);
/* Something was sent. */
void wire_keepalive_sent(struct wire *w);
/* A fault begins: no probes any more. */
void wire_keepalive_stop(struct wire *w);

/* --- send.c */

/* Sends what is queued as far as the state allows; when it is all with the kernel, the state comes
 * into effect. */
void wire_flush(struct wire *w);
/* The same, from the loop: calls progress(). */
void wire_flush_and_notify(struct wire *w);
/* The same, from inside a verb: progress() is called in the next turn of the loop. */
void wire_flush_in_verb(struct wire *w);
/* A verb may have sent more than it queued itself: if wire_handed() is not what it was, progress()
 * is called in the next turn of the loop. */
void wire_notify_later(struct wire *w, uint64_t handed);
/* Queues bytes, sealed into TLS records or as they are, and flushes unless corked. */
void wire_put(struct wire *w, const void *bytes, size_t n, bool sealed);
/* Appends to w->out. Returns 0 or -errno. */
int wire_append(struct wire *w, const void *bytes, size_t n, bool sealed);
/* Bytes of w->out that may leave now; bytes that wait to leave, in w->out or before it. */
size_t wire_leaving(const struct wire *w);
size_t wire_waiting(const struct wire *w);

/* --- shape.c. All but those that say so are for a wire that has a shape. */

/* Puts bytes behind what waits. Returns 0 or -ENOMEM. */
int wire_shape_put(struct wire *w, const void *bytes, size_t n, bool sealed);
/* Puts a TLS alert behind what waits. Returns false, and has done nothing, when nothing waits: then
 * it can be sent at once. For any wire. */
bool wire_shape_put_alert(struct wire *w, int level, int description);
/* Appends to w->out what may leave now. Returns whether there was any. May end the wire. */
bool wire_shape_release(struct wire *w);
/* Of the len bytes of w->out, those in front of the cut. */
size_t wire_shape_leaving(const struct wire *w, size_t len);
/* Bytes that wait to be appended. */
size_t wire_shape_waiting(const struct wire *w);
/* Plaintext bytes queued that wait, lie behind the cut or were discarded. */
uint64_t wire_shape_behind(const struct wire *w);
/* With w->out empty up to the cut: is that all that may leave in this state? */
bool wire_shape_over(struct wire *w);
/* Does something wait for the time that the pace sets? For any wire. */
bool wire_shape_waits(const struct wire *w);
/* The client has ended TLS with an alert: what waits to be sealed can never be delivered, and is
 * dropped in the loop's next turn. For any wire. */
void wire_shape_tls_ended(struct wire *w);
/* Ledgers that a cut was not reached, at the end. For any wire. */
void wire_shape_unfinished(struct wire *w);
/* The wire is over; its memory is to be freed. destroy is for any wire. */
void wire_shape_stop(struct wire *w);
void wire_shape_destroy(struct wire *w);
/* Drops all that has not left. Returns whether there was any. For any wire. */
bool wire_discard(struct wire *w);

/* --- verbs.c */

/* All that was queued before the verb is with the kernel now. */
void wire_fin_drained(struct wire *w);
void wire_forget_drained(struct wire *w);
void wire_stall_drained(struct wire *w);
void wire_black_hole_drained(struct wire *w);
void wire_rst_drained(struct wire *w);
/* The verb that was called last is in effect: ledgers so, once. why: NULL, or what is special. */
void wire_verb_in_effect(struct wire *w, const char *why);
/* It does not come into effect, if it has not yet. */
void wire_verb_undone(struct wire *w, const char *why);
/* At the end, by: what verbs have announced and not come to; what the end itself was is done. */
void wire_verb_unfinished(struct wire *w, enum ledger_by by);
/* The limit was reached in the verb's state. */
void wire_fin_limit(struct wire *w);
void wire_forget_limit(struct wire *w);
void wire_stall_limit(struct wire *w);
void wire_black_hole_limit(struct wire *w);
void wire_rst_limit(struct wire *w);
/* The cut is reached, and is ledgered: enters the state. */
void wire_verb_cut(struct wire *w, enum wire_cut how);

/* --- tls.c */

int wire_tls_create(struct wire *w, struct tls_server *server, const char *const *alpn);
/* Works on w->in until it is used up or the state says stop. */
void wire_tls_input(struct wire *w);
/* Was a close_notify of the client all that the present reading held? */
bool wire_tls_just_notified(const struct wire *w);
/* The handshake or a record has failed: ledgers it, sends the alert, begins the orderly end. why:
 * NULL for the words of GnuTLS. */
void wire_tls_fail(struct wire *w, int error, const char *why);
/* Queues a close_notify, once. */
void wire_tls_notify(struct wire *w);
/* Seals plaintext into w->out. Returns 0 or -errno. */
int wire_tls_seal(struct wire *w, const void *bytes, size_t n);

/* --- tls_alert.c */

/* The TLS of this wire has failed, and why. sent: the alert with which we answer; -1: none. */
void wire_tls_ledger_failed(struct wire *w, const char *why, int sent);
/* An alert of the client, close_notify too. last: nothing follows it. */
void wire_tls_ledger_alert(struct wire *w, int description, bool last);
/* At the end, by: did the client leave because of our certificate? Returns the reason as the ledger
 * shall have it, or NULL. */
const char *wire_tls_left(struct wire *w, enum ledger_by by);

/* --- tls_cleartext.c */

/* Looks at the present reading of a handshake. True: the client does not speak TLS, and nothing of
 * it is for GnuTLS. */
bool wire_tls_in_cleartext(struct wire *w);

/* --- watch.c */
void wire_watch_fin(struct wire *w);

/* --- hole.c */
void wire_watch_black_hole(struct wire *w);
/* A last look at the drop counter; again, or when it was never watched: no harm. */
void wire_watch_black_hole_end(struct wire *w);
/* TCP state by TCP_INFO (TCP_ESTABLISHED ...); bytes in the send queue not ACKed yet. Negative: the
 * kernel does not say. */
int wire_tcp_state(const struct wire *w);
int wire_unacked(const struct wire *w);
