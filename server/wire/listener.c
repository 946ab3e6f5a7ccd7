#include "wire/listener.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/list.h"
#include "base/log.h"
#include "base/timer.h"
#include "wire/caps.h"
#include "wire/filter.h"

#define SOCKETS_MAX    2
#define BACKLOG        4096
#define ACCEPT_AT_ONCE 64 /* then the connections already there get their turn */
#define RETRY          (100 * NS_PER_MS)
#define PORT_TRIES     16

struct bound {
    struct listener *listener;
    int fd;
    uv_poll_t poll;
    char text[ADDRESS_TEXT_SIZE];
};

struct listener {
    struct link link;
    char name[16];
    uint16_t port;
    listener_accepted accepted;
    void *owner;
    struct bound bound[SOCKETS_MAX];
    unsigned count, closing;
    enum listener_answer answer;
    bool (*room)(void *owner); /* listener_reserve; NULL: one of those that pause */
    struct link waiting;       /* accepted, but not handed over yet */
    struct timer hand_over;
};

/* A connection that had to be taken out of a socket before that stopped listening. */
struct waiting {
    struct link link;
    int fd;
    union address peer;
};

static struct {
    struct link all;
    struct timer retry; /* armed: all but those with a reserve pause */
    bool said;          /* this shortage was reported already */
    void (*hook)(void *owner);
    void *hook_owner;
} listeners = { .all = { &listeners.all, &listeners.all } };

void listener_set_out_of_descriptors(void (*hook)(void *owner), void *owner)
{
    listeners.hook = hook;
    listeners.hook_owner = owner;
}

/* --- Accepting */

static void acceptable(uv_poll_t *poll, int status, int events);

static void watch(struct listener *l)
{
    bool on = l->answer != LISTENER_REFUSES && (l->room || !timer_armed(&listeners.retry));
    for (unsigned i = 0; i < l->count; i++) {
        if (on)
            uv_poll_start(&l->bound[i].poll, UV_READABLE, acceptable);
        else
            uv_poll_stop(&l->bound[i].poll);
    }
}

static void watch_all(void)
{
    for (struct link *i = listeners.all.next; i != &listeners.all; i = i->next)
        watch(link_entry(i, struct listener, link));
}

static void retry_reached(struct timer *m, int64_t late)
{
    watch_all();
}

static void pause_all(int error)
{
    listeners.retry.reached = retry_reached;
    timer_at(&listeners.retry, clock_now() + RETRY);
    watch_all();
    if (listeners.said)
        return;
    listeners.said = true;
    if (error)
        log_warn("cannot accept connections: %s; they wait until descriptors return",
                 strerror(error));
    else
        log_warn("no file descriptors are left for connections (%u are kept for responses and the "
                 "admin API); they wait until some return",
                 descriptors_reserved(FOR_CONNECTIONS));
    if (listeners.hook)
        listeners.hook(listeners.hook_owner);
}

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* The next connection that waits in the kernel, or -1 and errno. */
static int take(struct bound *b, union address *peer)
{
    socklen_t len = sizeof *peer;
    int fd = accept4(b->fd, &peer->any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 && b->listener->answer == LISTENER_DROPS)
        filter_none(fd); /* a socket made in the instant the filter came has a copy of it */
    return fd;
}

static bool has_some(const struct bound *b)
{
    struct pollfd one = { .fd = b->fd, .events = POLLIN };
    return poll(&one, 1, 0) > 0 && (one.revents & POLLIN);
}

/* Whether the next one may be accepted. If not, none waits, or nobody makes room for it. */
static bool may_accept(const struct bound *b)
{
    if (b->listener->room)
        return true;
    while (!descriptors_left(FOR_CONNECTIONS)) {
        if (!has_some(b))
            return false;
        if (!descriptors_make_room()) {
            pause_all(0);
            return false;
        }
    }
    return true;
}

/* accept4() has failed for want of descriptors or memory, which it does also when none waits.
 * Returns whether to try again. */
static bool made_room(const struct bound *b, int error)
{
    const struct listener *l = b->listener;
    if (!has_some(b))
        return false;
    if ((error == EMFILE || error == ENFILE) &&
        ((l->room && l->room(l->owner)) || descriptors_make_room()))
        return true;
    if (!l->room)
        pause_all(error);
    return false;
}

static void took(struct listener *l, int fd, const union address *peer)
{
    if (listeners.said && !l->room) {
        listeners.said = false;
        log_info("accepting connections again");
    }
    descriptors_note(fd);
    l->accepted(l->owner, fd, &peer->any, address_len(peer));
}

static void hand_over(struct listener *l)
{
    while (!link_empty(&l->waiting) && !l->closing) {
        struct waiting *first = link_entry(l->waiting.next, struct waiting, link);
        struct waiting w = *first;
        link_remove(&first->link);
        free(first);
        l->accepted(l->owner, w.fd, &w.peer.any, address_len(&w.peer));
    }
}

static void acceptable(uv_poll_t *poll, int status, int events)
{
    struct bound *b = poll->data;
    struct listener *l = b->listener;
    hand_over(l);
    for (int i = 0; i < ACCEPT_AT_ONCE && !l->closing && l->answer != LISTENER_REFUSES; i++) {
        union address peer;
        if (!may_accept(b))
            return;
        int fd = take(b, &peer);
        if (fd >= 0) {
            took(l, fd, &peer);
        } else if (is_shortage(errno)) {
            if (!made_room(b, errno))
                return;
        } else if (errno == EAGAIN) {
            return;
        } /* anything else is about that one connection (accept(2)) */
    }
}

/* --- How a SYN is answered */

static void hand_over_reached(struct timer *m, int64_t late)
{
    hand_over(link_entry(m, struct listener, hand_over));
}

/* Takes what the kernel has accepted so far. Returns 0 or -errno. */
static int set_aside_from(struct bound *b)
{
    for (int i = 0; i <= BACKLOG && has_some(b); i++) { /* what comes meanwhile may never end */
        struct waiting *one = malloc(sizeof *one);
        if (!one)
            return -ENOMEM;
        one->fd = take(b, &one->peer);
        if (one->fd >= 0) {
            link_append(&b->listener->waiting, &one->link);
            continue;
        }
        int error = errno;
        free(one);
        if (is_shortage(error))
            return -error;
    }
    return 0;
}

/* The same for all sockets. It is handed over from the loop: the owner may be in accepted() now. */
static int set_aside(struct listener *l)
{
    l->hand_over.reached = hand_over_reached;
    int error = 0;
    timer_at(&l->hand_over, clock_now());
    for (unsigned i = 0; i < l->count && !error; i++)
        error = set_aside_from(&l->bound[i]);
    return error;
}

/* On Linux shutdown() for reading ends a listening socket's listening: SYNs draw RST, and listen()
 * revives it. It stays bound, for the port was told to bind() (bind_one sees to that). Meanwhile
 * nobody else may have the port, not even with SO_REUSEADDR, which is for two that listen not. */
static void stop_listening(struct bound *b)
{
    int off = 0;
    uv_poll_stop(&b->poll);
    setsockopt(b->fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof off);
    shutdown(b->fd, SHUT_RD);
}

static int start_listening(struct bound *b)
{
    int on = 1; /* or the connections that are left of the port's would be in the way */
    setsockopt(b->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return listen(b->fd, BACKLOG) < 0 ? -errno : 0;
}

/* Returns 0, or -errno with nothing changed. Cannot fail on the way to LISTENER_REFUSES, nor from
 * LISTENER_DROPS to LISTENER_ACCEPTS. */
static int change(struct bound *b, enum listener_answer from, enum listener_answer to)
{
    int error = 0;
    if (to == LISTENER_DROPS)
        error = filter_drop_all(b->fd);
    if (!error && from == LISTENER_REFUSES) {
        error = start_listening(b);
        if (error && to == LISTENER_DROPS)
            filter_none(b->fd);
    }
    if (to == LISTENER_REFUSES)
        stop_listening(b);
    if (from == LISTENER_DROPS)
        filter_none(b->fd);
    return error;
}

int listener_answer(struct listener *l, enum listener_answer answer)
{
    if (answer == l->answer)
        return 0;
    if (answer == LISTENER_DROPS && !caps_have(CAP_BLACK_HOLE))
        return -EPERM;
    int error = 0;
    if (answer == LISTENER_REFUSES) /* which resets what waits in the kernel */
        error = set_aside(l);
    else if (l->answer == LISTENER_DROPS)
        set_aside(l); /* for take() to see them while it knows of the filter */
    unsigned done = 0;
    while (!error && done < l->count) {
        error = change(&l->bound[done], l->answer, answer);
        done += !error;
    }
    if (error) {
        while (done > 0)
            change(&l->bound[--done], answer, l->answer);
        return error;
    }
    l->answer = answer;
    watch(l);
    return 0;
}

uint64_t listener_drops(const struct listener *l)
{
    uint64_t drops = 0;
    for (unsigned i = 0; i < l->count; i++) {
        uint32_t info[SK_MEMINFO_VARS] = { 0 };
        socklen_t len = sizeof info;
        if (getsockopt(l->bound[i].fd, SOL_SOCKET, SO_MEMINFO, info, &len) == 0)
            drops += info[SK_MEMINFO_DROPS];
    }
    return drops;
}

/* --- Opening */

/* A socket bound to the address, whose port 0 is replaced by the one that the kernel chose. Returns
 * it or -errno. */
static int bound_socket(union address *address, bool v6_only)
{
    socklen_t len = address_len(address);
    int on = 1, only = v6_only, family = address->any.sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if ((family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) < 0) ||
        bind(fd, &address->any, len) < 0 || getsockname(fd, &address->any, &len) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

/* Binds one more socket. Returns 0 or -errno; l->port is what it got. */
static int bind_one(struct listener *l, union address address, uint16_t port, bool v6_only)
{
    struct bound *b = &l->bound[l->count];
    int chooser = -1;
    address_set_port(&address, port);
    if (!port) {
        /* A socket keeps its port while it is not listening only if bind() was told it
         * (stop_listening). So another one has the kernel choose, and holds the port until then. */
        chooser = bound_socket(&address, v6_only);
        if (chooser < 0)
            return chooser;
    }
    int fd = bound_socket(&address, v6_only);
    if (chooser >= 0)
        close(chooser);
    if (fd < 0)
        return fd;
    if (listen(fd, BACKLOG) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    address_text(&address.any, b->text);
    l->port = address_port(&address);
    b->fd = fd;
    l->count++;
    return 0;
}

static void unbind(struct listener *l)
{
    while (l->count)
        close(l->bound[--l->count].fd);
}

/* Is there no IPv6 on this machine? Then IPv4 alone will do. */
static bool no_ipv6(int error)
{
    return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL;
}

static int bind_every(struct listener *l, uint16_t port)
{
    union address any6 = { .any.sa_family = AF_INET6 }, any4 = { .any.sa_family = AF_INET };
    int error = bind_one(l, any6, port, false);
    return no_ipv6(error) ? bind_one(l, any4, port, false) : error;
}

static int bind_localhost(struct listener *l, uint16_t port)
{
    union address loop4, loop6;
    address_set_loopback(&loop4, AF_INET);
    address_set_loopback(&loop6, AF_INET6);
    for (int tries = 0;; tries++) {
        int error = bind_one(l, loop4, port, false);
        if (error)
            return error;
        error = bind_one(l, loop6, l->port, true);
        if (!error || no_ipv6(error))
            return 0;
        unbind(l);
        if (port || error != -EADDRINUSE || tries == PORT_TRIES)
            return error; /* the kernel chose a port that is taken on ::1: let it choose again */
    }
}

static int refuse_address(struct refusal *why, const char *where, const char *address,
                          uint16_t port, int error)
{
    char allowed[sizeof why->allowed];
    if (error != EACCES)
        return refuse(why, where,
                      error == EADDRINUSE ? "a port that is free, or 0 to let the kernel choose"
                                          : "an address of this machine",
                      "cannot listen on %s: %s", address, strerror(error));
    snprintf(allowed, sizeof allowed,
             "a port from 1024 on, or 0; for this one, run as root, or let every user have it: "
             "sudo sysctl net.ipv4.ip_unprivileged_port_start=%u",
             port);
    return refuse(why, where, allowed, "cannot listen on %s: ports below 1024 are for root (%s)",
                  address, strerror(error));
}

int listener_open(struct uv_loop_s *loop, const char *name, const char *address,
                  listener_accepted accepted, void *owner, struct listener **out,
                  struct refusal *why)
{
    struct address_spec spec;
    char where[24];
    snprintf(where, sizeof where, "--%s", name);
    if (!address_read_spec(address, &spec))
        return refuse(why, where, ADDRESS_SPEC_FORMS ", with PORT from 0 to 65535",
                      "\"%.150s\" is not an address to listen on", address);
    struct listener *l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    snprintf(l->name, sizeof l->name, "%s", name);
    l->accepted = accepted;
    l->owner = owner;
    link_init(&l->waiting);
    int error = spec.kind == ADDRESS_EVERY       ? bind_every(l, spec.port)
                : spec.kind == ADDRESS_LOCALHOST ? bind_localhost(l, spec.port)
                                                 : bind_one(l, spec.one, spec.port, true);
    if (error) {
        unbind(l);
        free(l);
        if (error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOBUFS)
            return error;
        return refuse_address(why, where, address, spec.port, -error);
    }
    for (unsigned i = 0; i < l->count; i++) {
        struct bound *b = &l->bound[i];
        b->listener = l;
        b->poll.data = b;
        /* Neither can fail for a fresh listening socket but by lack of memory in epoll_ctl. */
        if (uv_poll_init(loop, &b->poll, b->fd) || uv_poll_start(&b->poll, UV_READABLE, acceptable))
            log_error("--%s: cannot watch %s", name, b->text);
    }
    link_append(&listeners.all, &l->link);
    *out = l;
    return 0;
}

void listener_reserve(struct listener *l, bool (*room)(void *owner))
{
    l->room = room;
}

const char *listener_name(const struct listener *l)
{
    return l->name;
}

uint16_t listener_port(const struct listener *l)
{
    return l->port;
}

const char *listener_address(const struct listener *l, unsigned i)
{
    return i < l->count ? l->bound[i].text : NULL;
}

static void poll_closed(uv_handle_t *handle)
{
    struct bound *b = handle->data;
    struct listener *l = b->listener;
    close(b->fd);
    if (--l->closing == 0)
        free(l);
}

void listener_close(struct listener *l)
{
    link_remove(&l->link);
    if (link_empty(&listeners.all)) {
        timer_cancel(&listeners.retry);
        listeners.said = false; /* those of another server say it anew */
    }
    l->closing = l->count;
    timer_cancel(&l->hand_over);
    while (!link_empty(&l->waiting)) {
        struct waiting *one = link_entry(l->waiting.next, struct waiting, link);
        link_remove(&one->link);
        close(one->fd);
        free(one);
    }
    for (unsigned i = 0; i < l->count; i++) {
        uv_poll_stop(&l->bound[i].poll);
        uv_close((uv_handle_t *)&l->bound[i].poll, poll_closed);
    }
}
