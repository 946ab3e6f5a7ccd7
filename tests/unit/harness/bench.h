/* bench.h - a wire on a connection over loopback, what its owner is told, and its client's seat. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/timer.h"
#include "ledger/ledger.h"
#include "loop.h"
#include "tests/count.h"
#include "wire/caps.h"
#include "wire/tls_server.h"
#include "wire/wire.h"

#define A_WHILE (30 * REAL_MS)

/* A wire, the client's end of its connection, and what the owner was told. */
struct bench {
    struct wire *wire;
    int client;
    int socket;                             /* the wire's own */
    uint64_t sent;                          /* by the client */
    gnutls_session_t tls;                   /* of the client; NULL: it has none */
    gnutls_certificate_credentials_t trust; /* of that */
    struct ledger *ledger;
    void (*at_hello)(struct bench *b); /* inside hello(), if set */
    struct buf received, before, stale;
    bool established, peer_closed, closed;
    uint64_t injected; /* by the test, before the ServerHello */
    unsigned hellos, progress, stales;
    unsigned told;            /* of progress, before it is waited for */
    uint64_t handed;          /* in the end */
    unsigned cuts;            /* how often a cut was reached, */
    enum wire_state cut_into; /* and the state then */
    enum wire_state state;    /* as it was told */
};

/* The owner of a wire whose owner is a bench. */
extern const struct wire_owner bench_calls;

/* The credentials of wires with TLS, of this program. */
extern struct tls_server *bench_server;

/* Connects, and makes a wire of the server's end, with TLS or without. */
void bench_open(struct bench *b, const struct wire_owner *owner, bool tls);

/* Waits until the wire is closed, which an abort sees to if nothing else has. Frees all. */
void bench_close(struct bench *b);

/* Of a group: the loop and the capabilities; with bench_server, which takes a moment. */
int bench_start(void **state);
int bench_start_tls(void **state);
int bench_stop(void **state);

/* Of a test: *state is a bench in cleartext. */
int bench_set_up(void **state);
int bench_tear_down(void **state);

/* Is this in the ledger? Waits until an event has it. For A_WHILE, none has. */
bool bench_ledger_has(struct bench *b, const char *part);
void bench_await(struct bench *b, const char *part);
void bench_await_none(struct bench *b, const char *part);

/* Conditions of a bench: the wire has read all that the client sent, or is over; it was cut. */
bool bench_all_read(void *bench);
bool bench_is_cut(void *bench);

/* --- The client's seat */

/* As send(), of bytes as they are. */
ssize_t client_tries(struct bench *b, const void *bytes, size_t n);

/* The same, and all are sent. The wire need not have read them. */
void client_sends(struct bench *b, const void *bytes, size_t n);

/* The same, and the wire reads them, or is over. */
void client_says(struct bench *b, const char *text);

/* What comes next: so many bytes, 0 for FIN, or -errno: -EAGAIN, nothing does. */
int client_reads(struct bench *b, void *bytes, size_t size);
int client_sees(struct bench *b);

/* Neither a byte nor an end, for A_WHILE. */
void client_sees_nothing(struct bench *b);

/* Behind a FIN, where recv() keeps saying 0. */
bool client_was_reset(struct bench *b);

/* Leaves, with RST. */
void client_resets(struct bench *b);

/* Bytes of the client that are not ACKed. */
int client_unacked(struct bench *b);

/* Conditions of a bench: something has come, bytes, FIN or RST; RST; all that the client sent is
 * ACKed; its kernel has sent something a second time. */
bool client_has_more(void *bench);
bool client_has_rst(void *bench);
bool client_is_acked(void *bench);
bool client_has_repeated(void *bench);
