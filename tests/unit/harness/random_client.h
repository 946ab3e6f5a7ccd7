/* random_client.h - a client over real sockets whose requests, and the writes and records that they
 * are split into, dice decide; it knows which octet of what it sends belongs to which request, and
 * compares what is answered octet by octet.
 */
#pragma once

#include <nghttp2/nghttp2.h>

#include "run_books.h"

extern uint64_t random_state;

/* Less than n. */
uint32_t random_below(uint32_t n);

#define PICK(array) (array)[random_below(COUNT(array))]

#define ASKS_MAX   6
#define LARGE_LEN  40000
#define LARGE_PATH "/large"
#define SMALL_PATH "/api/entitlement/get"

extern uint8_t random_large[LARGE_LEN]; /* what is served there */

/* A request. Offsets are in the client's plaintext, from its first octet. */
struct ask {
    bool post, large;
    size_t content;          /* octets of a body */
    size_t sent;             /* of these, composed */
    size_t begin, head, end; /* where it begins, its header section ends, and it ends */
    bool whole;              /* it is composed to its end */
    size_t length, got;      /* octets of the response's content, and of these read */
    struct buf answer;       /* which they are, but for those of a large one */
    bool headed, answered;   /* its header section was read, all of it */
};

struct random_client {
    struct peer peer;
    uint64_t id;
    struct ask asks[ASKS_MAX];
    unsigned count;
    struct buf bytes; /* all that it will say */
    size_t sealed;    /* of these, in records (cleartext: in the queue) */
    size_t delivered; /* of these, surely with the kernel */
    struct buf in;
    unsigned answered;
    nghttp2_hd_inflater *inflater;
    bool fin, rst, close_notify, broken; /* how the server's bytes ended */
    bool lazy;                           /* it reads seldom */
};

/* Its connection has ended, as far as it has read; it has sent all that it has to say. */
bool random_has_ended(const struct random_client *c);
bool random_has_said_all(const struct random_client *c);

/* Some octets more, in some records, and some of these. */
void random_say_some(struct random_client *c);

/* Prints the events of its connection, for whoever looks why a test failed. */
void show_ledger(const struct random_client *c);

/* One reading. False: there was nothing. */
bool random_hear_some(struct random_client *c, const char *what);

/* Connects it, and composes what it will say: the nth request has the key "kN". */
void open_random(struct random_client *c, enum over over, enum http http);
void close_random(struct random_client *c);
