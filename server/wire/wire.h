/* wire.h - one accepted TCP connection: its socket, its TLS, and the faults that can be put on it.
 *
 * The wire owns every byte. It knows no HTTP and no modes: it hands plaintext up to its owner,
 * takes plaintext down, and performs verbs. All verbs of closing come through here, so a fault is
 * the same for HTTP/1.1 and HTTP/2, cleartext and TLS.
 *
 * What a wire does in each state (state.c), by its name in the ledger, in modes and over the API:
 *
 *     state        reads   sends   bytes from the client       FIN from the client
 *     open         yes     yes     up, to received()           up, to peer_closed()
 *     handshake    yes     TLS     to TLS                      close
 *     ending       yes     no      not served, then RST (*)    close
 *     fin_sent     yes     no      stale: up, then RST (*)     close
 *     forgotten    yes     no      stale: up, then RST         RST
 *     stalled      yes     no      stale: up, ACKed, held      noted, nothing said
 *     black_holed  no      no      dropped by the kernel       dropped by the kernel
 *     resetting    yes     no      stale: up, ACKed            noted
 *
 * (*) behind our FIN: discarded while it lingers, later RST with the first reading; a close_notify
 * that comes alone only if wire_closing says so. Without an answer of the client the connection is
 * gone after fin_wait.
 *
 * "ending" is the orderly close of RFC 9112 9.6 after wire_close: flush, close_notify, FIN, read
 * until the peer closes or a while passes. The others below it are faults; the wire keeps
 * watching what the client does (stale use): for at most LIMIT_WATCHED; a stalled one until two
 * minutes after the client's FIN; a forgotten one, where the kernel does not let us end with
 * nothing said, as long as the client keeps it; a resetting one until its RST. In each of them what
 * was queued before leaves first; only then, where it is paced, the state is in effect.
 *
 * What the client sent before a fault was in effect is not stale, however many records or frames it
 * is in: what is read until then, what comes with the same reading, and what the kernel had by then
 * and is read later. It draws no RST. A stall, and a reset that waits, are in effect at once. What
 * came behind one fault and is read behind the next was sent into the first (wire_sent_into), and
 * draws no RST of the second.
 *
 * Calls from inside callbacks are fine. Every callback but closed() may be followed by others;
 * after closed() the wire is gone and its owner must forget the pointer. closed() is always called
 * from the loop, never from inside a verb.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/limits.h"
#include "ledger/ledger.h"

struct tls_server;
struct uv_loop_s;
struct wire;

enum wire_state {
    WIRE_HANDSHAKE, /* TLS not established yet */
    WIRE_OPEN,
    WIRE_ENDING,
    WIRE_FIN_SENT,
    WIRE_FORGOTTEN,
    WIRE_STALLED,
    WIRE_BLACK_HOLED,
    WIRE_RESETTING, /* RST as soon as all that was sent is ACKed */
    WIRE_CLOSED     /* the socket is gone; closed() is about to come */
};
const char *wire_state_name(enum wire_state state);
/* The same for what a client sends then; INTO_NOTHING: it may. */
enum ledger_into wire_state_into(enum wire_state state);
/* Is it one that a fault puts a wire into: fin_sent, forgotten, stalled, black_holed, resetting? */
bool wire_state_is_fault(enum wire_state state);
/* Of these, can it end, so that the connection serves its client again: stalled, black_holed? */
bool wire_state_is_held(enum wire_state state);
/* Of these, does its client get no response and no end: forgotten, stalled, black_holed? */
bool wire_state_is_silent(enum wire_state state);

/* What ends the bytes that a cut lets through. */
enum wire_cut { WIRE_CUT_FIN, WIRE_CUT_RST, WIRE_CUT_STALL };

struct wire_owner {
    /* The ClientHello was read, and nothing answered. Once; never on a cleartext connection. Verbs
     * may be called from inside: what they do comes before the ServerHello. NULL: it is not told.
     */
    void (*hello)(void *owner);
    /* What came to a TLS connection instead of a ClientHello is text: all of it so far. The owner
     * ends it with wire_refuse_cleartext, or waits for more, which is asked again. NULL: nobody
     * looks; it is given to TLS, which fails. */
    void (*in_cleartext)(void *owner, const uint8_t *bytes, size_t n);
    /* The TLS handshake is complete; alpn is what was agreed on ("h2", "http/1.1"), "" without
     * ALPN. Not called on a cleartext connection, which is open from the start. */
    void (*established)(void *owner, const char *alpn);
    /* Plaintext from the client while open. */
    void (*received)(void *owner, const uint8_t *bytes, size_t n);
    /* The same in fin_sent, forgotten, stalled, black_holed and resetting, sent before the fault.
     */
    void (*before)(void *owner, const uint8_t *bytes, size_t n);
    /* The same there, sent after it; none (NULL, 0) when a reading held no plaintext: part of a TLS
     * record, an alert. */
    void (*stale)(void *owner, const uint8_t *bytes, size_t n);
    /* The same in ending. NULL: it is dropped. */
    void (*unserved)(void *owner, const uint8_t *bytes, size_t n);
    /* Whether more is to be read (base/limits.h), while open and stalled; when that becomes true
     * again the owner calls wire_resume_reading. NULL: always. */
    bool (*takes)(void *owner);
    /* It is about to be over: write last events. Called once, also from inside verbs and wire_send.
     * The connection_end event, with this by, follows. */
    void (*ending)(void *owner, enum ledger_by by);
    /* This event is being written: add the fields that are the owner's. Of peer_fin, peer_rst and
     * connection_end. NULL: it has none. */
    void (*add_fields)(void *owner, enum ledger_event event);
    /* The client has said close_notify, or its FIN came: while open, before anything is done about
     * it. NULL: it is not told. */
    void (*peer_ends)(void *owner, bool fin);
    /* The client's FIN came (at_end: after a TLS close_notify or on a cleartext connection;
     * otherwise the TLS stream is truncated). Only while open; the owner answers with wire_close
     * when it has no more to say. */
    void (*peer_closed)(void *owner, bool at_end);
    /* It is in another state; from is the one that it was in when this was last called (at first
     * that of wire_create). Called for every change, at the end of what has brought it about: from
     * inside verbs, wire_close and wire_send too. A state that ends before that (the socket fails
     * while what was queued leaves) is not told.
     * cut: a cut was reached (fin_sent, stalled, resetting; closed where its RST is out already, or
     * the client was gone), and what lies behind it has not left. Then it is called from the loop.
     * NULL: it is not told. */
    void (*changed)(void *owner, enum wire_state from, bool cut);
    /* Bytes went to the kernel: wire_handed has grown, wire_room may have. Called from the loop,
     * never from inside a verb or wire_send: look at wire_handed after wire_send. */
    void (*progress)(void *owner);
    /* The last call. */
    void (*closed)(void *owner);
};

struct wire_config {
    struct uv_loop_s *loop;
    const struct wire_owner *owner_calls;
    void *owner;
    struct ledger *ledger; /* for transport events, under this id */
    uint64_t id;
    struct tls_server *tls; /* NULL: cleartext */
    /* Offered in ALPN, most preferred first, with a NULL behind them; NULL: no ALPN. It outlives
     * the wire. */
    const char *const *alpn;
    int64_t keepalive; /* keep-alive probes after so long without a segment, six, a sixth of it
                          apart (whole seconds, at least 1); 0: none. Not in a fault. */
};

/* Takes an accepted socket. Nothing is read before the loop runs again. On failure (-errno) fd is
 * still the caller's. */
int wire_create(const struct wire_config *config, int fd, struct wire **out);

/* Gives back the memory that is kept for the next wires; there may be others afterwards. */
void wire_stop(void);

/* Queues plaintext and tries to send it, at the latest when the callback it was called from has
 * returned. Ignored unless wire_can_send. */
void wire_send(struct wire *w, const void *bytes, size_t n);

/* takes() is true again. */
void wire_resume_reading(struct wire *w);

/* How much more may be queued now without growing past the bound; 0 when the client does not read,
 * or the pace allows no more. */
size_t wire_room(const struct wire *w);

/* Plaintext bytes queued (injected ones included), and of these handed to the kernel, since the
 * wire was made: what was queued when wire_queued() was q is in the kernel once wire_handed() >= q.
 * What is discarded, lies behind a cut or in a TLS record that it divides, is never handed. */
uint64_t wire_queued(const struct wire *w);
uint64_t wire_handed(const struct wire *w);
/* When wire_handed() last grew: before the call that gave it to the kernel, as a process that
 * stands behind that call would say that it left later than the client had it. TIME_NONE: it has
 * not. */
int64_t wire_handed_at(const struct wire *w);

/* Has the client reset it (not in answer to a probe of ours)? */
bool wire_peer_rst(const struct wire *w);
/* Adds to an event of a client that leaves that it does so behind the fault that the wire is in:
 * our kernel had not heard of it when that began (it may have been on its way). */
void wire_ledger_behind(const struct wire *w);
/* Orderly close, see "ending". by: who wanted it (server, client), for the ledger; a client that
 * was first to say close_notify or FIN did. */
void wire_close(struct wire *w, enum ledger_by by);

/* What servers do differently when a connection ends. */
struct wire_closing {
    int64_t linger;   /* behind the FIN of an orderly close: what comes for so long is discarded
                         (RFC 9112 9.6); DURATION_NEVER: as long as there is a connection */
    int64_t fin_wait; /* behind any FIN of ours: so long the connection is known (tcp(7),
                         tcp_fin_timeout), or as long as it lingers; at most LIMIT_WATCHED */
    bool fin_alone;   /* the client ended first: FIN without close_notify (RFC 8446 6.1 asks for it)
                       */
    bool reset_late_notify; /* a close_notify of the client behind our FIN draws a RST, as other
                               bytes do; false: it is ignored */
};
#define WIRE_CLOSING_DEFAULT                                                                       \
    (struct wire_closing)                                                                          \
    {                                                                                              \
        .linger = 2 * NS_PER_S, .fin_wait = 60 * NS_PER_S                                          \
    }
/* For ends from now on; without effect once our FIN is out. */
void wire_closing(struct wire *w, const struct wire_closing *closing);

/* From now on the socket is closed behind a FIN of ours, so that the kernel answers, as soon as the
 * connection does not linger. */
void wire_hurry(struct wire *w);

/* From in_cleartext(): ledgers tls_failed with this reason, answers with these bytes as they are
 * (0: with an alert) and closes in order. */
void wire_refuse_cleartext(struct wire *w, const char *why, const void *response, size_t n);

/* --- Verbs. What was queued before a verb goes out first, unless it says otherwise. They return 0,
 * or -errno when the kernel refused (-EPERM: the capability is missing), or WIRE_TOO_LATE when the
 * connection is past the point where the verb means anything; then nothing was done.
 * The caller ledgers the fault before it calls, see wire_ready, and says its seq: wire_announce. */
#define WIRE_TOO_LATE 1

enum wire_verb {
    WIRE_VERB_FIN,
    WIRE_VERB_RST,
    WIRE_VERB_RST_DRAINED,
    WIRE_VERB_FORGET,
    WIRE_VERB_BLACK_HOLE,
    WIRE_VERB_HEAL,
    WIRE_VERB_STALL,
    WIRE_VERB_RESUME,
    WIRE_VERB_CLOSE_NOTIFY,
    WIRE_VERB_ALERT,
    WIRE_VERB_PACE, /* and throttle */
    WIRE_VERB_CUT,
    WIRE_VERB_INJECT
};
/* Whether a verb means anything now: 0, or WIRE_TOO_LATE, as the verb itself would return. The
 * caller ledgers a fault only if it does. */
int wire_ready(const struct wire *w, enum wire_verb verb);
/* The seq of the fault event that the next verb is: what follows from that verb names it. */
void wire_announce(struct wire *w, uint64_t fault);

/* FIN (RFC 9293 3.6); TLS close_notify (RFC 8446 6.1) before it if notify. For linger ns from the
 * FIN on (DURATION_NEVER: always) what comes is read and discarded, and draws a RST only later: the
 * lingering close of RFC 9112 9.6. exact: the socket is closed behind it, so that the kernel
 * answers with a bare RST - and nothing that comes after linger can be read. */
int wire_fin(struct wire *w, bool notify, int64_t linger, bool exact);
/* RST now, as soon as what was read and what waits in the kernel (up to LIMIT_HELD) has been
 * handed up: with before(), or stale() where it came behind another fault; what was queued is
 * discarded. drain: RST once the client's kernel has
 * ACKed all that was queued, or LIMIT_DRAIN after our kernel last took some of it (the ledger
 * says so: fault_done); until then nothing else is said, and what comes is stale. A black hole lets
 * no ACK through, and what came behind a FIN has drawn it: RST now. */
int wire_rst(struct wire *w, bool drain);
/* Says nothing; RST answers the client's next segment. exact: the kernel forgets the connection
 * (TCP_REPAIR), so that not even an ACK precedes that RST - and nothing that comes can be read. */
int wire_forget(struct wire *w, bool exact);
/* The kernel drops every segment from the client, once what we sent is ACKed; wire_heal ends it. */
int wire_black_hole(struct wire *w);
int wire_heal(struct wire *w);
/* Reads, ACKs and answers nothing; wire_resume ends it. */
int wire_stall(struct wire *w);
int wire_resume(struct wire *w);
/* A close_notify without touching TCP. TLS only. Nothing can follow it: wire_send does nothing from
 * then on. */
int wire_close_notify(struct wire *w);

/* A TLS alert (RFC 8446 6) without touching TCP. After a fatal one nothing can be said, as after
 * wire_close_notify. TLS only; also from hello(): the handshake then ends. */
int wire_alert(struct wire *w, bool fatal, int description);

/* --- Shaping: how what is queued leaves. Takes no state of its own. -ENOMEM: nothing was done. */

/* At most chunk bytes of plaintext at once, each chunk in a TLS record and a send of its own (over
 * 16384 bytes: in as few records as hold it), one every ns, counted from the first; that may leave
 * at once. A chunk that is late (the one before has not left yet, a timer came late) takes nothing
 * off the rate, unless it is late by more than 250 ms. (Chunks over 65536 bytes become smaller ones
 * at shorter times, for the same rate.) What is past the pace already leaves at once; another call
 * sets the pace of what waits, too. chunk 0: no limit any more, what waits leaves. TLS's own
 * records are not paced. Too late once nothing more leaves: behind a FIN, or while a drained reset
 * waits for its ACKs. The verbs that send first what was queued, and the orderly close, wait for
 * it. */
int wire_pace(struct wire *w, uint32_t chunk, int64_t every);

/* The same as a rate in bytes of plaintext a second, at most PACE_RATE_MAX: the first byte at once
 * and alone, each later one at its time or up to 20 ms after it, the last one at its time. 0:
 * no limit any more. */
int wire_throttle(struct wire *w, uint32_t rate);

/* Is there a pace, of either kind? */
bool wire_is_paced(const struct wire *w);

/* Lets so many bytes more onto the socket (TLS records included, so that one may be divided),
 * counted behind what is queued by now; once the last of them is in the kernel (at the soonest in
 * the next turn of the loop) it does what how says, ledgers fault_done, and calls changed(): FIN
 * without close_notify; RST once they are ACKed, as wire_rst(drain); or a stall. What lies behind
 * is discarded; but a stall can end: then wire_resume sends the rest, the divided record's too.
 *
 * It stays armed until so many bytes were queued, however many responses that takes, and goes
 * before the FIN of an orderly close. When the connection ends before, nothing comes of it. A verb
 * called before it is reached lets no more than these bytes out first, and takes its place; after a
 * stall or black hole that ended it is there still. Another call moves it. In a handshake, open,
 * stalled and black_holed only. */
int wire_cut(struct wire *w, uint64_t after, enum wire_cut how);

/* Is as much queued as a cut lets out, so that what comes now lies behind it, and the cut is yet to
 * take effect? */
bool wire_cut_is_full(const struct wire *w);

/* Puts bytes of the caller's choice out, behind what is queued, and at its pace. tls: inside TLS,
 * if it is established; otherwise straight onto the socket, between TLS records. In a handshake,
 * and where wire_can_send. */
int wire_inject(struct wire *w, const void *bytes, size_t n, bool tls);

/* --- Looking */
enum wire_state wire_state(const struct wire *w);
bool wire_is_tls(const struct wire *w);
/* Has wire_rst(w, false) been called, and is what was read before it being handed up? */
bool wire_reset_due(const struct wire *w);
/* Open, and no close_notify was sent. */
bool wire_can_send(const struct wire *w);
/* Out of service for ever: is something still to be read that counts as sent before the fault, or
 * into the one before it? */
bool wire_reads_before(const struct wire *w);
/* When the last fault state began (TIME_NONE: there was none). */
int64_t wire_fault_since(const struct wire *w);
/* The seq of the event of that fault, also when it is over; 0: there was none. */
uint64_t wire_fault(const struct wire *w);
/* What the stale bytes that were handed up last were sent into: which state, the seq of the event
 * of its fault (0: it has none), and since when. */
struct wire_sent_into {
    enum wire_state state;
    uint64_t fault;
    int64_t since;
};
struct wire_sent_into wire_sent_into(const struct wire *w);
/* How they relate to our FIN. */
enum ledger_fin_acked wire_fin_acked(const struct wire *w);
/* When the last black hole first swallowed data (TIME_NONE: it did not). Without a tap, when it was
 * first seen to swallow any segment: the kernel counts them per socket; the count is read every
 * 20 ms at first, every 1/100 of the black hole's age later, so this is late by at most that. */
int64_t wire_black_hole_used(const struct wire *w);
/* Up to which octet of all that is received (wire_bytes_in) the client had sent by the end of the
 * last black hole, data that it swallowed among it; no reading goes beyond it. 0: that is not
 * known, as without a tap, or there was none. */
uint64_t wire_black_hole_end(const struct wire *w);
/* Has the client ended it, as far as that was seen (its FIN; or, while its bytes are not read, both
 * directions)? */
bool wire_peer_gone(const struct wire *w);
/* Stalled or black-holed, and its client has left: its FIN was read in the stall, and so all before
 * it; a tap saw its FIN or RST fall into the hole; or the kernel says that it has closed its
 * socket, when that is on this machine. What comes now is only what it has sent before. Asks the
 * kernel, as long as the client has not left its hole. */
bool wire_left_in_silence(struct wire *w);
/* Would the kernel, without us, answer the client as we do: our FIN is out, or the connection is
 * forgotten, and the kernel lets us end it with nothing said? */
bool wire_kernel_does_the_same(const struct wire *w);
/* Bytes that wait in the kernel to be read. */
int wire_unread(const struct wire *w);
/* Totals of bytes on the socket, TLS included. */
uint64_t wire_bytes_in(const struct wire *w);
uint64_t wire_bytes_out(const struct wire *w);
/* Octets of the TCP stream: where all that is queued by now ends in it, or WIRE_NO_OFFSET while
 * some of it waits for a pace or cut; and of what the kernel has taken, how many the client's
 * kernel is known to have ACKed (RFC 9293 3.8: SND.UNA). */
#define WIRE_NO_OFFSET UINT64_MAX
uint64_t wire_end_offset(const struct wire *w);
uint64_t wire_acked(const struct wire *w);
/* Adds the round-trip time that the kernel has measured to the event being written, if it has. */
void wire_ledger_srtt(const struct wire *w);
/* A hash of its ClientHello, the same in each of one client; 0 before that, and in cleartext. */
uint64_t wire_client(const struct wire *w);
/* {"version","cipher","sni","resumed"} as ledgered; each "" before the handshake or in cleartext.
 * sni is any bytes, the first 255 of them, without a NUL behind. */
struct wire_tls_info {
    const char *version, *cipher, *sni;
    size_t sni_len;
    bool resumed;
};
void wire_tls_info(const struct wire *w, struct wire_tls_info *info);

/* Why the server is about to end it, a clause that lives on: `why` in the connection_end event. */
void wire_say_why(struct wire *w, const char *why);

/* Ends it at once because what it holds is needed elsewhere. In a fault nothing is said, if the
 * kernel lets us. */
void wire_give_up(struct wire *w, const char *why);

/* Ends it at once for the server's own reasons (shutdown, no memory): quietly where the state
 * promised silence (a black hole, if the kernel lets us), FIN otherwise. by and how go to the
 * ledger. */
void wire_abort(struct wire *w, enum ledger_by by, enum ledger_how how);
