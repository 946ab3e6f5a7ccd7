/* config.h - what a run is made with. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct catalogue;
struct endpoint;
struct listener;
struct run;
struct tls_server;
struct uv_loop_s;

/* How long a client may be silent (patience.c), ns; 0: for ever. */
struct run_patience {
    int64_t handshake, header, body;
};

struct run_config {
    struct uv_loop_s *loop;
    struct catalogue *catalogue; /* all borrowed, to outlive the run */
    struct endpoint *endpoint;
    struct tls_server *tls; /* of listeners with TLS */
    size_t ledger_bytes;
    size_t body_limit; /* request bodies above it are answered with 413 */
    double time_scale;
    const char *const *key_headers; /* names of header fields by which calls are known */
    unsigned key_header_count;
    bool relayed; /* all clients come by a relay: what ACKs for them is not their kernel */
    struct run_patience patience;
    int64_t keepalive; /* as in struct wire_config */
};

/* What a listener speaks. */
#define RUN_LISTENER_NAME_SIZE 16
struct run_listener {
    struct run *run;
    const char *name; /* "https"; longer than RUN_LISTENER_NAME_SIZE it is cut */
    bool tls;
    unsigned over;           /* OVER_*: the protocols that it speaks */
    struct listener *socket; /* set by run_add_listener */
    struct run_listener *next;
};
