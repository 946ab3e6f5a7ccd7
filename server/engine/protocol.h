/* protocol.h - the protocols that a connection may speak: a row each. What differs between them
 * beyond their engines is told by the columns, so that a further one is a row and an engine.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct engine_host;

/* symbol, name in modes, plans and the admin API, title, ALPN protocol id (RFC 7301 6), what a
 * client says first in it ("": anything; h2: RFC 9113 3.4), has streams, where it is said that it
 * has no headers of the connection (NULL: it has them), constructor. By rising preference in ALPN;
 * the first one is spoken without ALPN, and where a client begins as no other row says. */
#define PROTOCOLS(X)                                                                               \
    X(H1, "h1", "HTTP/1.1", "http/1.1", "", false, NULL, h1_create)                                \
    X(H2, "h2", "HTTP/2", "h2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", true, "RFC 9113 8.2.2",        \
      h2_create)

enum protocol_index {
#define X(symbol, ...) PROTOCOL_##symbol,
    PROTOCOLS(X)
#undef X
        PROTOCOL_COUNT
};

/* Sets of protocols, such as a rule or a listener is for. */
enum {
#define X(symbol, ...) OVER_##symbol = 1u << PROTOCOL_##symbol,
    PROTOCOLS(X)
#undef X
        OVER_ALL = (1u << PROTOCOL_COUNT) - 1
};

struct protocol {
    const char *name, *title, *alpn;
    const char *in_cleartext, *over_tls; /* "HTTP/2 over TLS" */
    unsigned bit;                        /* OVER_* */
    const char *first;                   /* what a client says first; "": anything */
    uint8_t first_len;                   /* of that, in octets */
    bool streams; /* exchanges continue beside each other, and each can be reset by itself */
    const char *no_connection_headers; /* Connection, Keep-Alive ...: where that is said; NULL: it
                                          has them */
    /* Makes an engine for a connection. Returns 0 or -errno. */
    int (*create)(const struct engine_host *calls, void *host, struct engine **out);
};
extern const struct protocol protocols[PROTOCOL_COUNT];

/* Their names, in the order of the rows, with a NULL behind them. */
extern const char *const protocol_names[PROTOCOL_COUNT + 1];
/* The same for people: "\"h1\" or \"h2\"". */
const char *protocol_names_allowed(void);
/* The names of a set for people, and its titles: "HTTP/1.1 or HTTP/2". Return out. */
#define PROTOCOL_LIST_SIZE 64
const char *protocol_list_names(unsigned over, char out[PROTOCOL_LIST_SIZE]);
const char *protocol_list_titles(unsigned over, char out[PROTOCOL_LIST_SIZE]);
/* Of a set, those that have headers of the connection. */
unsigned protocol_with_connection_headers(unsigned over);
/* The names of a set for people, and its titles: "HTTP/1.1 or HTTP/2". Return out. */
#define PROTOCOL_LIST_SIZE 64
const char *protocol_list_names(unsigned over, char out[PROTOCOL_LIST_SIZE]);
const char *protocol_list_titles(unsigned over, char out[PROTOCOL_LIST_SIZE]);
/* Of a set, those that have headers of the connection. */
unsigned protocol_with_connection_headers(unsigned over);

/* The row of a name, or NULL. */
const struct protocol *protocol_named(const char *name);
/* The row of what ALPN agreed on; "": the first. */
const struct protocol *protocol_of_alpn(const char *alpn);
/* The row of one bit; NULL for 0. */
const struct protocol *protocol_of(unsigned bit);
/* The ALPN ids of a set, most preferred first, with a NULL behind them; never freed. */
const char *const *protocol_alpn_list(unsigned over);

/* What the first octets of a connection in cleartext tell. Zeroed at its beginning. */
struct protocol_sniff {
    uint8_t seen; /* so many have come, and they begin what is said first in a row: */
    uint8_t like; /* this one */
};
/* Looks at the next n octets. Returns the row, or NULL: more have to come. What was seen before is
 * the beginning of protocols[sniff->like].first, of sniff->seen octets, then and when the row is
 * returned. */
const struct protocol *protocol_sniff(struct protocol_sniff *sniff, const uint8_t *bytes, size_t n);
