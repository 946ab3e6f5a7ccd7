/* h1_pair.h - libmicrohttpd connections, each behind an AF_UNIX socketpair, and the stock of them.
 *
 * Between two messages a kept-alive libmicrohttpd connection remembers nothing, so one is not bound
 * to a client: an engine takes one for the length of a response and gives it back. A client that is
 * idle, still sends its request or waits for the response to begin therefore costs neither
 * libmicrohttpd's memory nor descriptors, and none of its time: it looks at a connection only when
 * that has a response on its way.
 */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"

struct uv_loop_s;

struct h1_pair {
    void *owner;    /* whose exchange it carries; NULL: in stock, or abandoned */
    bool answered;  /* libmicrohttpd has written the last octet of the response to the pair */
    bool gone;      /* libmicrohttpd has closed its end; what it had written can still be read */
    bool suspended; /* see h1_pair_suspend */
    /* private */
    int fd;
    struct MHD_Connection *mhd;
    struct link link; /* in stock, in use or abandoned */
};

/* What libmicrohttpd calls for an owner's request: as its access handler, with *n = 0, as no
 * request has content; *first is true in the first call for a request. */
typedef enum MHD_Result (*h1_pair_handler)(struct h1_pair *p, const char *upload, size_t *n,
                                           bool first);

/* Starts libmicrohttpd. after is called behind each of its runs. Returns 0 or -errno. */
int h1_pair_start(struct uv_loop_s *loop, h1_pair_handler handler, void (*after)(void));

/* Ends everything, pairs in use included; their owners must not use them any more. */
void h1_pair_stop(void);

/* A run of libmicrohttpd and after() at the end of this turn, or now (not from the handler). */
void h1_pair_kick(void);
void h1_pair_run(void);

/* Takes one out of stock or makes one. Returns 0 or -errno (-EMFILE ...). */
int h1_pair_take(void *owner, struct h1_pair **out);

/* Back to stock: the exchange was answered and read to its end - or freed, if it is gone. */
void h1_pair_give_back(struct h1_pair *p);

/* Ends it whatever it is at. Also from inside the handler, which then must return MHD_NO. */
void h1_pair_abandon(struct h1_pair *p);

/* A request for libmicrohttpd: a head that its memory has room for, and nothing behind it. Returns
 * 0 or -EIO (it has closed its end). */
int h1_pair_write(struct h1_pair *p, const void *bytes, size_t n);

/* Octets from libmicrohttpd: how many, at most size. Fewer than size: there are no more now. */
size_t h1_pair_read(struct h1_pair *p, void *bytes, size_t size);

/* The same octets, which stay there; and how many there are for sure. */
size_t h1_pair_peek(struct h1_pair *p, void *bytes, size_t size);
size_t h1_pair_unread(const struct h1_pair *p);

/* From the handler: it is not called again before h1_pair_resume, which kicks. */
void h1_pair_suspend(struct h1_pair *p);
void h1_pair_resume(struct h1_pair *p);
