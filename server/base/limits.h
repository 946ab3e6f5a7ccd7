/* limits.h - how much is kept for one connection and for how long, and how these limits depend on
 * each other. What depends on none of them stands where it is used.
 *
 * Input that cannot be served yet is in one place at a time: in the wire (of a TLS handshake that a
 * fault has interrupted), in the engine (requests pipelined over HTTP/1.1, content that comes in a
 * stall), or in the kernel, whose window closes. A place that has LIMIT_HELD is not read into any
 * more; as it is not known before how much a reading brings, it may have come to LIMIT_HELD less
 * one octet, and take a whole reading:
 *
 *     input     LIMIT_HELD + LIMIT_READING       320 KiB
 *
 * Output waits in the wire, whether TLS or a pace comes first. An engine puts out what the wire has
 * room for, and frames of control beside that, of which LIMIT_FRAMES may wait in nghttp2, more than
 * one reading can ask for. While LIMIT_QUEUED waits nothing is read, so that nothing new is asked
 * for; the same while LIMIT_FRAMES wait behind a response that stands inside a frame:
 *
 *     output    LIMIT_QUEUED + frames of control       128 KiB
 *
 * In a stall nothing leaves, and what waits does not keep us from reading: input stops at its own
 * limit. A request that was answered early has its rest read and dropped, up to LIMIT_DROPPED,
 * which bounds the time that takes and not memory; in a stall it counts as input that is kept, as
 * all that comes then does.
 *
 * Header sections are counted apart, as they stay until their exchanges are over, which a mode or a
 * client can make long (engine/head_memory.h): for a connection, and for the whole server, where
 * those that hold little already get more than the others, so that one greedy client does not lock
 * out the rest.
 *
 * Times. A connection that is out of service is kept for as long as its client may send something
 * into it, which is as long as the client's kernel knows it:
 *
 *     its kernel                               we
 *     forgets a connection that it has         ask only then whether it is still there
 *     closed: PEER_FORGETS                     (LIMIT_PROBE), and end a stalled one whose client
 *                                              has sent FIN (LIMIT_PEER_GONE)
 *     sends again what is not ACKed:           watch what comes (LIMIT_WATCHED), unless its
 *     PEER_RETRANSMITS                         descriptor is needed (LIMIT_OWED)
 *
 * What we say last is waited for: by a verb that needs the client's ACKs for LIMIT_DRAIN, by an
 * orderly end for LIMIT_FLUSH, each from the last octet that left; and at the end of the process by
 * neither, for LIMIT_STOP in all; what ledgers have is then written to their files for
 * LIMIT_WRITTEN at most, so that all of it is over before the 10 s are that containers are given.
 * How long a client may take for what it says is the user's (run/patience.c), and off in a fault.
 */
#pragma once

#include <stddef.h>

#include "base/clock.h"

#define LIMIT_READING ((size_t)64 * 1024)  /* one reading from a socket */
#define LIMIT_HELD    ((size_t)256 * 1024) /* input that cannot be served yet */

/* A ClientHello that is not whole; more than GnuTLS takes for a message. It is read again when the
 * handshake was interrupted, so that it is held until then. */
#define LIMIT_HELLO LIMIT_HELD

/* What comes to a TLS port, is no TLS, and is not known to be anything else. */
#define LIMIT_CLEARTEXT ((size_t)16 * 1024)

/* Output that waits to leave. A paced piece has to wait as a whole before it leaves, while the
 * engine is asked for the next one. */
#define LIMIT_QUEUED ((size_t)128 * 1024)
#define LIMIT_PIECE  (LIMIT_QUEUED / 2)

#define LIMIT_FRAMES 8192 /* HTTP/2 frames of control that wait to leave */

/* Content behind an early response, also behind a refusal of the admin API. */
#define LIMIT_DROPPED ((size_t)16 * 1024 * 1024)

/* Requests that were read in a fault and have not begun, of which it is known what was read: more
 * than an HTTP/2 client may have open. Over HTTP/1.1 LIMIT_HELD may have more of them; then the
 * attempt that the oldest one was is forgotten. */
#define LIMIT_UNBEGUN 1024

_Static_assert(LIMIT_HELLO <= LIMIT_HELD,
               "a ClientHello is held when its handshake is interrupted");
_Static_assert(LIMIT_READING / 9 < LIMIT_FRAMES,
               "a SETTINGS frame of 9 octets asks for an ACK, and nothing may leave meanwhile");
_Static_assert(LIMIT_CLEARTEXT <= LIMIT_HELLO, "both are kept in one place");

/* Header sections of open requests. */
#define LIMIT_HEADS_CONNECTION ((size_t)2 * 1024 * 1024)
#define LIMIT_HEADS_SERVER     ((size_t)64 * 1024 * 1024) /* for who holds more than a */
#define LIMIT_HEADS_SMALL      ((size_t)64 * 1024)        /* small section or two; for others: */
#define LIMIT_HEADS_RESERVE    ((size_t)128 * 1024 * 1024)

_Static_assert(LIMIT_HEADS_SMALL < LIMIT_HEADS_CONNECTION &&
                   LIMIT_HEADS_CONNECTION < LIMIT_HEADS_SERVER,
               "one connection does not use up what all have");
_Static_assert(LIMIT_HEADS_SERVER < LIMIT_HEADS_RESERVE, "those that hold little get more");
_Static_assert(LIMIT_READING <= LIMIT_HELD && LIMIT_HELD < LIMIT_DROPPED,
               "what is dropped is not kept");
_Static_assert(2 * LIMIT_PIECE <= LIMIT_QUEUED, "while a piece waits, the next one is asked for");

/* What a client's kernel does: Linux by default (tcp(7): tcp_fin_timeout, tcp_retries2). */
#define PEER_FORGETS     (INT64_C(60) * NS_PER_S)
#define PEER_RETRANSMITS (INT64_C(16) * 60 * NS_PER_S)

#define LIMIT_PROBE     (INT64_C(90) * NS_PER_S) /* without a segment; then probes, every 30 s */
#define LIMIT_PEER_GONE (INT64_C(2) * 60 * NS_PER_S)  /* from the client's FIN on */
#define LIMIT_WATCHED   (INT64_C(20) * 60 * NS_PER_S) /* from the fault on */
#define LIMIT_OWED      (INT64_C(30) * NS_PER_S)      /* of silence, to who waits for a response */
#define LIMIT_FLUSH     (INT64_C(30) * NS_PER_S)      /* without progress */
#define LIMIT_DRAIN     (INT64_C(3) * NS_PER_S)       /* the same */
#define LIMIT_STOP      (INT64_C(1) * NS_PER_S)
/* A server that did not run for at least LIMIT_PAUSED and PAUSE_LOOK is surely seen to have paused:
 * it looks each PAUSE_LOOK whether it is later than LIMIT_PAUSED. */
#define LIMIT_PAUSED  (INT64_C(50) * NS_PER_MS)
#define PAUSE_LOOK    (INT64_C(50) * NS_PER_MS)
#define LIMIT_WRITTEN (INT64_C(5) * NS_PER_S) /* by the files of ledgers, behind LIMIT_STOP */

_Static_assert(
    PEER_FORGETS < LIMIT_PROBE && PEER_FORGETS < LIMIT_PEER_GONE,
    "a client that has closed is known to have gone only when its kernel has forgotten it");
_Static_assert(PEER_RETRANSMITS < LIMIT_WATCHED && LIMIT_PEER_GONE < LIMIT_WATCHED,
               "what the client sends again is seen");
_Static_assert(LIMIT_OWED < LIMIT_WATCHED, "descriptors do not wait for what is only watched");
_Static_assert(LIMIT_STOP < LIMIT_DRAIN && LIMIT_DRAIN < LIMIT_FLUSH,
               "an orderly end outlives a verb that waits, and nothing the process");
