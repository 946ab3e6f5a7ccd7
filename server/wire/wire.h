/* wire.h - one accepted TCP connection: its socket, its TLS, and the faults that can be put on it.
 *
 * The wire owns every byte. It knows no HTTP and no modes: it hands plaintext up to its owner,
 * takes plaintext down, and performs verbs. All verbs of closing come through here, so a fault is
 * the same for HTTP/1.1 and HTTP/2, clear and TLS.
 *
 * What a wire does in each state:
 *
 *     state      reads   sends   bytes from the client       FIN from the client
 *     open       yes     yes     up, to received()           up, to peer_closed()
 *     handshake  yes     TLS     to TLS                      close
 *     ending     yes     no      read and dropped            close
 *     finned     yes     no      stale: up, then RST         close
 *     forgotten  yes     no      stale: up, then RST         RST
 *     stalled    yes     no      stale: up, ACKed, held      noted, nothing said
 *     holed      no      no      dropped by the kernel       dropped by the kernel
 *
 * "ending" is the orderly close of RFC 9112 9.6 after wire_close: flush, close_notify, FIN, read
 * until the peer closes or a while passes. "finned", "forgotten", "stalled" and "holed" are faults;
 * the wire goes on watching what the client does (stale use): for at most WIRE_WATCH_MAX; a stalled
 * one until two minutes after the client's FIN; a forgotten one, where the kernel does not let us
 * go quietly, as long as the client keeps it.
 *
 * Calls from inside callbacks are fine. Every callback but closed() may be
 * followed by others; after closed() the wire is gone and its owner must forget the pointer. It is
 * always called from the loop, never from inside a verb.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/clock.h"

struct ledger;
struct tls_server;
struct uv_loop_s;
struct wire;

#define WIRE_WATCH_MAX (INT64_C(20) * 60 * NS_PER_S) /* longer than any client retransmits */

enum wire_state {
    WIRE_HANDSHAKE, /* TLS not established yet */
    WIRE_OPEN,
    WIRE_ENDING,
    WIRE_FINNED,
    WIRE_FORGOTTEN,
    WIRE_STALLED,
    WIRE_HOLED,
    WIRE_CLOSED /* the socket is gone; closed() is about to come */
};
const char *wire_state_name(enum wire_state state);

/* How a client's use of a connection relates to our FIN. */
enum wire_fin_acked {
    WIRE_FIN_NONE,    /* we sent none */
    WIRE_FIN_ACKED,   /* seen ACKed before the bytes came: the client's kernel knew */
    WIRE_FIN_CROSSED, /* still not ACKed when the bytes were read: they crossed, nobody is to blame
                       */
    WIRE_FIN_UNCLEAR  /* ACKed by now, but perhaps only after the bytes were sent */
};
const char *wire_fin_acked_name(enum wire_fin_acked acked);

struct wire_owner {
    /* The TLS handshake is complete; alpn is what was agreed on ("h2", "http/1.1"), "" without
     * ALPN. Not called on a clear connection, which is open from the start. */
    void (*established)(void *owner, const char *alpn);
    /* Plaintext from the client while open. */
    void (*received)(void *owner, const uint8_t *bytes, size_t n);
    /* Plaintext from the client in finned, forgotten and stalled. */
    void (*stale)(void *owner, const uint8_t *bytes, size_t n);
    /* In finned and forgotten, once the stale bytes of a reading were all given (which may be none:
     * a TLS alert): true when they hold no half request, so that the RST goes out now; false gives
     * the rest WIRE_STALE_WAIT to come. */
    bool (*stale_whole)(void *owner);
    /* It is about to be over: write last events, return how many exchanges there were. Called once,
     * also from inside verbs and wire_send. The connection_end event, with this by, follows. */
    uint32_t (*ending)(void *owner, const char *by);
    /* The client's FIN came (at_end: after a TLS close_notify or on a clear connection; otherwise
     * the TLS stream is truncated). Only while open; the owner answers with wire_close when it has
     * no more to say. */
    void (*peer_closed)(void *owner, bool at_end);
    /* Bytes went to the kernel: wire_handed has grown, wire_room may have. Not called from inside
     * wire_send: look at wire_handed after it. */
    void (*progress)(void *owner);
    /* The last call. */
    void (*closed)(void *owner);
};

#define WIRE_STALE_WAIT (50 * NS_PER_MS)

struct wire_config {
    struct uv_loop_s *loop;
    const struct wire_owner *owner_calls;
    void *owner;
    struct ledger *ledger; /* for transport events, under this id */
    uint64_t id;
    struct tls_server *tls; /* NULL: clear */
    bool h2;                /* offer h2 in ALPN beside http/1.1 */
};

/* Takes an accepted socket. Nothing is read before the loop runs again. On failure (-errno) fd is
 * still the caller's. */
int wire_create(const struct wire_config *config, int fd, struct wire **out);

/* Queues plaintext and tries to send it, at the latest when the callback it was called from has
 * returned. Ignored unless wire_can_send. */
void wire_send(struct wire *w, const void *bytes, size_t n);

/* How much more may be queued now without growing past the bound; 0 when the client does not read.
 */
size_t wire_room(const struct wire *w);

/* Plaintext bytes queued, and of these handed to the kernel, since the wire was made: what was
 * queued when wire_queued() was q is in the kernel once wire_handed() >= q. */
uint64_t wire_queued(const struct wire *w);
uint64_t wire_handed(const struct wire *w);

/* Orderly close, see "ending". */
void wire_close(struct wire *w);

/* --- Verbs. What was queued before a verb goes out first, unless it says otherwise. They return 0,
 * or -errno when the kernel refused (-EPERM: the capability is missing), or WIRE_TOO_LATE when the
 * connection is past the point where the verb means anything; then nothing was done.
 * The caller ledgers the fault before it calls. */
#define WIRE_TOO_LATE 1

/* FIN (RFC 9293 3.6); TLS close_notify (RFC 8446 6.1) before it if notify. */
int wire_fin(struct wire *w, bool notify);
/* RST now; what was queued is discarded. */
int wire_rst(struct wire *w);
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

/* --- Looking */
enum wire_state wire_state(const struct wire *w);
bool wire_is_tls(const struct wire *w);
/* Open, and no close_notify was sent. */
bool wire_can_send(const struct wire *w);
/* When the last fault state began (MOMENT_NONE: there was none). */
int64_t wire_fault_since(const struct wire *w);
/* How stale bytes being handed up now relate to our FIN. */
enum wire_fin_acked wire_fin_acked(const struct wire *w);
/* When the last black hole was first seen to swallow a segment (MOMENT_NONE: it did not). The
 * kernel counts them per socket; the count is read every 20 ms at first, every 1/100 of the hole's
 * age later, so this is late by at most that. */
int64_t wire_hole_used(const struct wire *w);
/* Totals of bytes on the socket, TLS included. */
/* Bytes that wait in the kernel to be read. */
int wire_unread(const struct wire *w);
uint64_t wire_bytes_in(const struct wire *w);
uint64_t wire_bytes_out(const struct wire *w);
/* {"version","cipher","sni","resumed"} as ledgered; each "" before the handshake or on clear. */
struct wire_tls_info {
    const char *version, *cipher, *sni;
    bool resumed;
};
void wire_tls_info(const struct wire *w, struct wire_tls_info *info);

/* Ends it at once for the server's own reasons (shutdown, no memory): quietly where the state
 * promised silence (a black hole, if the kernel lets us), FIN otherwise. by and how go to the
 * ledger; how NULL: what the client sees of it. */
void wire_abort(struct wire *w, const char *by, const char *how);
