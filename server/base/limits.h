/* limits.h - how much is kept for one connection, and how these limits depend on each other.
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
 * Header sections are counted apart (engine/head_memory.h).
 */
#pragma once

#include <stddef.h>

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

#define LIMIT_FRAMES  8192                       /* HTTP/2 frames of control that wait to leave */
#define LIMIT_DROPPED ((size_t)16 * 1024 * 1024) /* content behind an early response */

/* Requests that were read in a fault and have not begun, of which it is known what was read: more
 * than an HTTP/2 client may have open. Over HTTP/1.1 LIMIT_HELD may have more of them; then the
 * attempt that the oldest one was is forgotten. */
#define LIMIT_UNBEGUN 1024

_Static_assert(LIMIT_HELLO <= LIMIT_HELD,
               "a ClientHello is held when its handshake is interrupted");
_Static_assert(LIMIT_READING / 9 < LIMIT_FRAMES,
               "a SETTINGS frame of 9 octets asks for an ACK, and nothing may leave meanwhile");
_Static_assert(LIMIT_CLEARTEXT <= LIMIT_HELLO, "both are kept in one place");
