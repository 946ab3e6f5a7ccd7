/* wire_seat.h - the client's seat of a wire: what it says and sees, and what is waited for. For a
 * rig, which includes it behind its struct bench; that has wire, client, ledger, sent and closed.
 */
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include "harness/loop.h"

/* In which what must not happen would have happened. */
#define A_WHILE (20 * REAL_MS)

/* --- The ledger */

static inline bool ledger_has(struct bench *b, const char *part)
{
    struct buf out = { 0 };
    uint64_t next;
    ledger_read(b->ledger, 0, 1000, 1 << 20, "\n", &out, &next);
    buf_add(&out, "", 1);
    bool found = strstr((const char *)buf_bytes(&out), part) != NULL;
    buf_free(&out);
    return found;
}

struct awaited {
    struct bench *bench;
    const char *part;
};

static inline bool has_awaited(void *awaited)
{
    const struct awaited *a = awaited;
    return ledger_has(a->bench, a->part);
}

/* Waits until an event has this in it. */
static inline void await(struct bench *b, const char *part)
{
    if (!loop_wait(&loop, has_awaited, &(struct awaited){ b, part }, PATIENCE))
        fail_msg("waited in vain for %s in the ledger", part);
}

/* --- Conditions of a bench */

/* The wire has read all that say() sent; or it is over. */
static inline bool all_is_read(void *bench)
{
    const struct bench *b = bench;
    return b->closed || wire_bytes_in(b->wire) >= b->sent;
}

static inline bool client_has(struct bench *b, short events)
{
    struct pollfd client = { .fd = b->client, .events = events };
    return poll(&client, 1, 0) > 0 && client.revents & (events | POLLERR);
}

/* Something has come: bytes, FIN or RST. */
static inline bool client_has_more(void *bench)
{
    return client_has(bench, POLLIN);
}

static inline bool client_has_rst(void *bench)
{
    return client_has(bench, 0);
}

/* --- What the client says and sees */

/* As send(). */
static inline ssize_t try_say(struct bench *b, const void *bytes, size_t n)
{
    ssize_t sent = send(b->client, bytes, n, MSG_NOSIGNAL);
    b->sent += sent > 0 ? (size_t)sent : 0;
    return sent;
}

/* These bytes as they are. The wire need not have read them. */
static inline void say(struct bench *b, const void *bytes, size_t n)
{
    assert_int_equal(try_say(b, bytes, n), n);
}

/* The same, and the wire reads them, or is over. */
static inline void client_says(struct bench *b, const char *text)
{
    say(b, text, strlen(text));
    if (!loop_wait(&loop, all_is_read, b, PATIENCE))
        fail_msg("waited in vain for the wire to read \"%s\"", text);
}

/* What comes next: so many bytes, 0 for FIN, or -errno: -EAGAIN, nothing does. */
static inline int client_reads(struct bench *b, void *bytes, size_t size)
{
    loop_wait(&loop, client_has_more, b, PATIENCE);
    ssize_t n = recv(b->client, bytes, size, 0);
    return n < 0 ? -errno : (int)n;
}

static inline int client_sees(struct bench *b)
{
    char bytes[256];
    return client_reads(b, bytes, sizeof bytes);
}

/* Neither a byte nor an end. */
static inline void client_sees_nothing(struct bench *b)
{
    loop_quiet(&loop, client_has_more, b, A_WHILE);
}

/* Behind a FIN, where recv() keeps saying 0. */
static inline bool client_was_reset(struct bench *b)
{
    return loop_wait(&loop, client_has_rst, b, PATIENCE);
}
