/* h1_impl.h - what h1.c, h1_pass.c, h1_stop.c and h1_watch.c share. */
#pragma once

#include "base/buf.h"
#include "base/limits.h"
#include "base/list.h"
#include "engine/engine.h"
#include "engine/h1_head.h"
#include "engine/h1_pair.h"
#include "engine/h1_response.h"

_Static_assert(H1_HEAD_MAX <= LIMIT_HEADS_SMALL, "one that is accepted is a small one");
_Static_assert(H1_HEAD_MAX <= LIMIT_HELD, "a header section can be kept whole in a stall");

enum h1_mode { H1_SERVING, H1_HOLDING, H1_WATCHING };

struct h1 {
    struct engine base;
    enum h1_mode mode;
    bool working : 1;     /* see h1.c */
    bool drops_input : 1; /* all that is left of the input is dropped */
    bool last : 1;        /* finished() when the open exchange is over */
    bool finished : 1;    /* finished() was called */
    bool stopping : 1;    /* engine_shutdown */
    bool of_open : 1;     /* what the witness reads belongs to ex */
    bool of_rest : 1;     /* or is what is dropped of a request that was answered early */
    bool flushed : 1;     /* engine_watch_flush reported something */
    struct link busy;
    struct h1_head in;       /* the request being received and served */
    struct buf pending;      /* input that `in` has not taken yet */
    int64_t pending_at;      /* clock_now() when its first octet was put there */
    int64_t kept_at;         /* the same of what is being read, if it comes from there; else 0 */
    const char *input_ended; /* nothing is added to the input any more, and why; */
    enum ledger_lost_by ended_by; /* what becomes of a request that is not whole */
    uint32_t nth;

    struct exchange ex;
    bool open : 1;      /* ex has begun and not ended */
    bool seen : 1;      /* headers() was called */
    bool completed : 1; /* complete() was called */
    bool answered : 1;  /* engine_respond was called */
    bool early : 1;     /* so, and of its request more is to come, which is dropped; also when the
                           exchange is over by then */
    bool expects : 1;   /* a 100 (Continue) is to be sent, behind headers() */
    bool own : 1;       /* the response is in out, not libmicrohttpd's */
    bool stops : 1;     /* it is on its way, and goes out by h1_stop_drain */
    int status;
    size_t dropped;       /* octets of the request behind an early response */
    const char *lost_why; /* it ends as lost, when out is empty */
    struct MHD_Response *response;
    struct h1_spelling spelling;
    struct h1_stop *stop; /* where the response stops; NULL: nowhere */
    struct h1_pair *pair;
    struct buf out;

    struct h1_head *witness; /* while watching; NULL for lack of memory */
    size_t told;             /* octets of the input to be served that were reported already */
    size_t quiet;            /* of these, octets that the witness has yet to read */
};

static inline struct h1 *h1_of(struct engine *e)
{
    return (struct h1 *)e;
}

/* Whether what comes is read: once it is finished, as requests that nobody will serve, if the last
 * one was read to its end. */
static inline bool h1_reads_on(const struct h1 *h)
{
    return !h->finished || (h->in.at == H1_BETWEEN && !h->lost_why && !h->input_ended);
}

/* h1.c: settles at the end of this turn; gives up libmicrohttpd's connection, a response not
 * given to it yet; puts input into pending. */
void h1_wake(struct h1 *h);
void h1_drop_pair(struct h1 *h);
void h1_drop_response(struct h1 *h);
void h1_keep(struct h1 *h, const uint8_t *bytes, size_t n);

/* h1_pass.c: gives libmicrohttpd the open request, and sets pair; returns 0 or -errno. And what
 * libmicrohttpd calls for it, see h1_pair_handler. */
int h1_pass_on(struct h1 *h);
/* Whether the client lets the connection stay (RFC 9112 9.3). */
bool h1_persists(const struct h1 *h);
enum MHD_Result h1_pass_handle(struct h1_pair *p, const char *upload, size_t *n, bool first);

/* h1_stop.c, for an exchange with stop set: the response is what comes behind so many octets; hands
 * out what there is, up to a place, and returns whether that is all there is for now; forgets the
 * places. And of struct engine_ops. */
void h1_stop_count(struct h1 *h, size_t before);
bool h1_stop_drain(struct h1 *h);
void h1_stop_end(struct h1 *h);
int h1_stop_at(struct exchange *ex, enum engine_stop of, uint64_t n);
void h1_stop_continue(struct exchange *ex);
bool h1_stop_said_all(const struct exchange *ex);
uint64_t h1_stop_said(const struct exchange *ex, enum engine_stop of);
bool h1_stop_content(const struct exchange *ex, uint64_t *said, uint64_t *of);
/* There is a place to stop at, and this is the response. */
void h1_stop_length(struct h1 *h, const struct response *response);

/* h1_watch.c: input while watching; the end of the witness; and of struct engine_ops. */
void h1_watch_input(struct h1 *h, const uint8_t *bytes, size_t n);
void h1_watch_end(struct h1 *h);
void h1_watch(struct engine *e, enum engine_watch how);
void h1_watch_flush(struct engine *e, bool begun);
void h1_watch_resume(struct engine *e);
