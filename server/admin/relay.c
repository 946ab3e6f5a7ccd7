/* relay.c - see relay.h.
 *
 * Both directions move what the other side takes, and read no more until it has: a caller that does
 * not read its responses stops libmicrohttpd, and the other way round. The end goes through each
 * way by itself. How long a caller may take is the business of libmicrohttpd's side (admin.c),
 * which closes its end; what is left to deliver then has a timeout here.
 */
#include "admin/relay.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"
#include "endpoint/problem.h"
#include "engine/h1_head.h"

#define READ_SIZE 16384
#define TAKE_MS   60000 /* for the caller to take more of what is left of a response */
#define AGAIN_MS  1
#define LINGER_MS 2000 /* for the caller's FIN behind ours (RFC 9112 9.6) */
#define DRAIN_MAX 16   /* reads */
#define QUERY_MAX 100  /* parameters; for many more libmicrohttpd has no room, and no answer */

struct side {
    uv_poll_t poll;
    int fd;
    struct buf out; /* to be written to fd */
    int polled;     /* the events that poll is started with */
    bool read_end;  /* it has sent its last */
    bool shut;      /* we have */
    int64_t stuck;  /* since when it takes nothing of what is to be written; 0: it does */
};

struct relay {
    struct link link;
    struct relay **place; /* relay_tell_end */
    struct side caller, inner;
    struct h1_head head;
    bool in_message; /* the head of the message that broke had gone to libmicrohttpd, */
    bool answered;   /* which has said something since */
    bool left;       /* relay_leave */
    bool limited;    /* for the caller to take the rest, limit runs */
    uv_timer_t limit;
    unsigned handles;
};

static void on_closed(uv_handle_t *handle)
{
    struct relay *r = handle->data;

    if (--r->handles > 0)
        return;
    buf_free(&r->caller.out);
    buf_free(&r->inner.out);
    h1_head_free(&r->head);
    free(r);
}

static void end(struct relay *r)
{
    if (r->place)
        *r->place = NULL;
    link_remove(&r->link);
    uv_close((uv_handle_t *)&r->caller.poll, on_closed);
    uv_close((uv_handle_t *)&r->inner.poll, on_closed);
    uv_close((uv_handle_t *)&r->limit, on_closed);
    close(r->caller.fd);
    close(r->inner.fd);
}

/* Writes what is to be written. Returns false when the other side takes nothing any more. */
static bool flush(struct side *s)
{
    while (buf_len(&s->out) > 0) {
        ssize_t n = send(s->fd, buf_bytes(&s->out), buf_len(&s->out), MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            s->stuck = s->stuck ? s->stuck : clock_now();
            return errno == EAGAIN;
        }
        s->stuck = 0;
        buf_consume(&s->out, (size_t)n);
    }
    return true;
}

/* Its head is whole: what libmicrohttpd gets, in the one way that it can be read. */
static void pass_head(struct relay *r)
{
    const struct request *request = &r->head.request;
    struct buf *out = &r->inner.out;

    buf_printf(out, "%s %s HTTP/1.%d\r\n", request->method, request->target, r->head.minor);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct header *f = &request->headers[i];
        buf_printf(out, "%.*s: %.*s\r\n", (int)f->name_len, f->name, (int)f->value_len, f->value);
    }
    buf_text(out, "\r\n");
    r->in_message = true;
    r->answered = false;
}

/* Its head is whole; more than is passed on breaks it. */
static void check_query(struct h1_head *h)
{
    size_t parameters = 1;

    for (const char *at = h->request.target; *at; at++)
        parameters += *at == '&';
    if (parameters <= QUERY_MAX)
        return;
    h->at = H1_BROKEN;
    h->status = 414;
    h->why = "query of more than 100 parameters";
}

static void take_request(struct relay *r, const uint8_t *bytes, size_t n)
{
    struct h1_head *h = &r->head;

    while (n > 0 && h->at != H1_BROKEN) {
        enum h1_at was = h->at;
        bool extension = h->chunk == H1_CHUNK_EXTENSION;
        size_t part = h1_head_feed(h, bytes, n);

        if (was == H1_IN_BODY && !extension)
            buf_add(&r->inner.out, bytes, part);
        if (was == H1_IN_HEAD && (h->at == H1_IN_BODY || h->at == H1_WHOLE)) {
            check_query(h);
            if (h->at != H1_BROKEN)
                pass_head(r);
        }
        if (h->at == H1_WHOLE) {
            r->in_message = false;
            h1_head_next(h);
        }
        bytes += part;
        n -= part;
    }
}

/* What the request that broke gets, once all before it were answered. */
static void refuse_broken(struct relay *r)
{
    char detail[128];
    struct buf body = { 0 }, *out = &r->caller.out;
    const struct h1_head *h = &r->head;

    if (r->in_message && r->answered)
        return; /* it was answered before it broke */
    snprintf(detail, sizeof detail, "the request was refused: %s", h->why);
    if (problem_write_status(&body, h->status, detail) == 0) {
        buf_printf(out,
                   "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\n"
                   "Content-Length: %zu\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
                   h->status, problem_title(h->status), buf_len(&body));
        buf_add(out, buf_bytes(&body), buf_len(&body));
    }
    buf_free(&body);
}

static bool wants_caller(const struct relay *r)
{
    return !r->caller.read_end &&
           (r->caller.shut || r->head.at == H1_BROKEN || buf_len(&r->inner.out) == 0);
}

static bool wants_inner(const struct relay *r)
{
    return !r->inner.read_end && buf_len(&r->caller.out) == 0;
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* otherwise: what is looked for when there is nothing to read or write. */
static void listen_to(struct side *s, bool readable, int otherwise)
{
    int events = (readable ? UV_READABLE : 0) | (buf_len(&s->out) > 0 ? UV_WRITABLE : 0);

    if (!events)
        events = otherwise;
    if (events == s->polled)
        return;
    s->polled = events;
    if (events)
        uv_poll_start(&s->poll, events, on_poll);
    else
        uv_poll_stop(&s->poll);
}

static void on_limit(uv_timer_t *timer)
{
    end(timer->data);
}

static void relay_some(struct relay *r);

static void on_again(uv_timer_t *timer)
{
    relay_some(timer->data);
}

/* FIONREAD: by us; SIOCOUTQ: by the other end of a pair. */
static bool has_unread(int fd, unsigned long request)
{
    int n = 0;

    return ioctl(fd, request, &n) == 0 && n > 0;
}

/* Passes the end on to libmicrohttpd once it has read what came before: of both together its
 * epoll, which tells of changes, shows it only the one. */
static void shut_inner(struct relay *r)
{
    if (has_unread(r->inner.fd, SIOCOUTQ)) {
        uv_timer_start(&r->limit, on_again, AGAIN_MS, 0);
        return;
    }
    r->inner.shut = true;
    shutdown(r->inner.fd, SHUT_WR);
}

/* libmicrohttpd sends nothing more: only the caller's taking more gives it more time. */
static void limit_taking(struct relay *r, bool took)
{
    if (r->limited && !took)
        return;
    r->limited = true;
    uv_timer_start(&r->limit, on_limit, TAKE_MS, 0);
}

/* Goes as far as it goes now. */
static void relay_some(struct relay *r)
{
    struct side *caller = &r->caller, *inner = &r->inner;

    if (inner->out.failed || caller->out.failed) { /* out of memory */
        end(r);
        return;
    }
    if (!flush(inner)) /* libmicrohttpd has closed: what it said comes, and its end */
        buf_consume(&inner->out, buf_len(&inner->out));
    if (buf_len(&inner->out) == 0 && !inner->shut && !r->left &&
        (caller->read_end || r->head.at == H1_BROKEN))
        shut_inner(r);
    size_t before = buf_len(&caller->out);
    if (!flush(caller)) {
        end(r);
        return;
    }
    if (inner->read_end && buf_len(&caller->out) == 0 && !caller->shut) {
        caller->shut = true;
        shutdown(caller->fd, SHUT_WR);
        uv_timer_start(&r->limit, on_limit, LINGER_MS, 0);
    } else if ((inner->read_end || r->left) && !caller->shut) {
        limit_taking(r, buf_len(&caller->out) < before);
    }
    if (caller->shut && caller->read_end) {
        end(r);
        return;
    }
    listen_to(caller, wants_caller(r), UV_PRIORITIZED); /* its reset */
    listen_to(inner, wants_inner(r), 0); /* its end would be told of again and again */
}

static ssize_t receive(int fd, uint8_t *bytes)
{
    ssize_t n = recv(fd, bytes, READ_SIZE, MSG_DONTWAIT);

    return n < 0 && errno != EAGAIN && errno != EINTR ? 0 : n;
}

static void read_caller(struct relay *r)
{
    static uint8_t bytes[READ_SIZE];
    ssize_t n = receive(r->caller.fd, bytes);

    if (n == 0)
        r->caller.read_end = true;
    else if (n > 0 && !r->caller.shut)
        take_request(r, bytes, (size_t)n);
}

static void read_inner(struct relay *r)
{
    static uint8_t bytes[READ_SIZE];
    ssize_t n = receive(r->inner.fd, bytes);

    if (n > 0) {
        r->answered = true;
        buf_add(&r->caller.out, bytes, (size_t)n);
    } else if (n == 0) {
        r->inner.read_end = true;
        if (r->head.at == H1_BROKEN)
            refuse_broken(r);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct relay *r = poll->data;
    bool from_caller = poll == &r->caller.poll;

    if (status < 0 && from_caller) { /* a reset */
        end(r);
        return;
    }
    if (from_caller && (events & UV_READABLE) && wants_caller(r))
        read_caller(r);
    if (status < 0)
        r->inner.polled = 0; /* libuv has stopped it */
    if (!from_caller && (status < 0 || (events & UV_READABLE)) && wants_inner(r))
        read_inner(r);
    relay_some(r);
}

static int init_handles(struct relay *r, struct uv_loop_s *loop)
{
    int rc = uv_poll_init(loop, &r->caller.poll, r->caller.fd);

    if (rc)
        return rc;
    r->handles++;
    rc = uv_poll_init(loop, &r->inner.poll, r->inner.fd);
    if (rc) {
        uv_close((uv_handle_t *)&r->caller.poll, on_closed); /* which frees r */
        return rc;
    }
    r->handles++;
    uv_timer_init(loop, &r->limit);
    r->handles++;
    return 0;
}

int relay_start(struct uv_loop_s *loop, int socket, struct link *list, struct relay **out,
                int *inner)
{
    struct relay *r = calloc(1, sizeof *r);
    int ends[2], on = 1;

    if (!r)
        return -ENOMEM;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends)) {
        int error = -errno;
        free(r);
        return error;
    }
    r->head.uncounted = true; /* guard.c bounds the callers; clients must not shut them out */
    r->caller.fd = socket;
    r->inner.fd = ends[0];
    r->caller.poll.data = r->inner.poll.data = r->limit.data = r;
    int rc = init_handles(r, loop);
    if (rc) {
        close(ends[0]);
        close(ends[1]);
        if (r->handles == 0)
            free(r);
        return rc;
    }
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    link_append(list, &r->link);
    listen_to(&r->caller, true, 0);
    listen_to(&r->inner, true, 0);
    *inner = ends[1];
    *out = r;
    return 0;
}

void relay_tell_end(struct relay *r, struct relay **place)
{
    r->place = place;
    *place = r;
}

void relay_leave(struct relay *r)
{
    r->place = NULL;
    r->left = true;
    if (!r->caller.shut)
        limit_taking(r, true);
}

/* Delivers what libmicrohttpd has said, as far as the kernel takes it. Returns false when the
 * caller takes nothing any more. */
static bool deliver(struct relay *r)
{
    while (flush(&r->caller)) {
        if (buf_len(&r->caller.out) > 0 || r->inner.read_end)
            return true;
        read_inner(r);
        if (buf_len(&r->caller.out) == 0)
            return true;
    }
    return false;
}

bool relay_has_unread(const struct relay *r)
{
    return buf_len(&r->inner.out) > 0 || has_unread(r->caller.fd, FIONREAD) ||
           has_unread(r->inner.fd, SIOCOUTQ);
}

bool relay_is_quiet(struct relay *r)
{
    bool open = deliver(r);
    bool quiet = !open || (buf_len(&r->caller.out) == 0 && !has_unread(r->inner.fd, FIONREAD) &&
                           !relay_has_unread(r));

    relay_some(r); /* it may be over with that */
    return quiet;
}

/* Unread bytes would make a reset of the end, which takes away what is not delivered yet. */
static void end_unread(struct relay *r)
{
    uint8_t bytes[4096];

    for (int i = 0; i < DRAIN_MAX && recv(r->caller.fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0; i++)
        ;
    end(r);
}

void relay_drop(struct relay *r)
{
    deliver(r);
    end_unread(r);
}

void relay_move_all(struct link *list)
{
    for (struct link *i = list->next, *next; i != list; i = next) {
        struct relay *r = link_entry(i, struct relay, link);

        next = i->next;
        if (wants_caller(r))
            read_caller(r);
        if (wants_inner(r))
            read_inner(r);
        relay_some(r);
    }
}

bool relay_drop_answered(struct link *list)
{
    bool any = false;

    for (struct link *i = list->next, *next; i != list; i = next) {
        struct relay *r = link_entry(i, struct relay, link);

        next = i->next;
        if (r->caller.shut) {
            end_unread(r);
            any = true;
        }
    }
    return any;
}

bool relay_drop_stuck(struct link *list, int64_t span)
{
    struct relay *longest = NULL;

    for (struct link *i = list->next; i != list; i = i->next) {
        struct relay *r = link_entry(i, struct relay, link);

        if (r->caller.stuck && (!longest || r->caller.stuck < longest->caller.stuck))
            longest = r;
    }
    if (!longest || clock_now() - longest->caller.stuck < span)
        return false;
    end(longest);
    return true;
}

void relay_stop_all(struct link *list)
{
    while (!link_empty(list))
        relay_drop(link_entry(list->next, struct relay, link));
}
