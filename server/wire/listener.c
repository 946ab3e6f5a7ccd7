#include "wire/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "wire/moment.h"

#define SOCKETS_MAX    2
#define BACKLOG        4096
#define ACCEPT_AT_ONCE 64 /* then the connections already there get their turn */
#define RETRY          (100 * NS_PER_MS)
#define PORT_TRIES     16
#define ADDRESS_ALLOWED                                                                            \
    "PORT, :PORT, IPV4:PORT, [IPV6]:PORT or localhost:PORT, with PORT from 0 to 65535"

struct bound {
    struct listener *listener;
    int fd;
    uv_poll_t poll;
    char text[INET6_ADDRSTRLEN + 10];
};

struct listener {
    struct link link;
    char name[16];
    uint16_t port;
    listener_accepted accepted;
    void *owner;
    struct bound bound[SOCKETS_MAX];
    unsigned count, closing;
};

static struct {
    struct link all;
    struct moment retry; /* armed: all listeners pause */
    bool said;           /* this shortage was reported already */
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

static void set_accepting(bool on)
{
    for (struct link *i = listeners.all.next; i != &listeners.all; i = i->next) {
        struct listener *l = link_entry(i, struct listener, link);
        for (unsigned k = 0; k < l->count; k++) {
            if (on)
                uv_poll_start(&l->bound[k].poll, UV_READABLE, acceptable);
            else
                uv_poll_stop(&l->bound[k].poll);
        }
    }
}

static void retry_reached(struct moment *m, int64_t late)
{
    set_accepting(true);
}

static void pause_all(int error)
{
    listeners.retry.reached = retry_reached;
    if (moment_at(&listeners.retry, clock_now() + RETRY) < 0)
        return; /* stay level-triggered rather than never wake up */
    set_accepting(false);
    if (listeners.said)
        return;
    listeners.said = true;
    log_warn("cannot accept connections: %s; they wait until descriptors return", strerror(error));
    if (listeners.hook)
        listeners.hook(listeners.hook_owner);
}

static void acceptable(uv_poll_t *poll, int status, int events)
{
    struct bound *b = poll->data;
    struct listener *l = b->listener;
    for (int i = 0; i < ACCEPT_AT_ONCE && !l->closing; i++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof peer;
        int fd = accept4(b->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            if (listeners.said) {
                listeners.said = false;
                log_info("accepting connections again");
            }
            l->accepted(l->owner, fd, (struct sockaddr *)&peer, len);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_all(errno);
            return;
        } else if (errno == EAGAIN) {
            return;
        } /* anything else is about that one connection (accept(2)): go on */
    }
}

/* --- Opening */

struct target {
    bool every, localhost;
    struct sockaddr_storage address;
    uint16_t port;
};

static bool parse_port(const char *text, uint16_t *port)
{
    unsigned long value = 0;
    if (!*text || strlen(text) > 5)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
    }
    *port = (uint16_t)value;
    return value <= 65535;
}

static bool parse_address(const char *text, struct target *t)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    const char *port = colon ? colon + 1 : text;
    size_t host_len = colon ? (size_t)(colon - text) : 0;
    memset(t, 0, sizeof *t);
    if (!parse_port(port, &t->port) || host_len >= sizeof host)
        return false;
    memcpy(host, text, host_len);
    host[host_len] = '\0';
    struct sockaddr_in *v4 = (struct sockaddr_in *)&t->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&t->address;
    if (!host_len) {
        t->every = true;
        return true;
    }
    if (strcmp(host, "localhost") == 0) {
        t->localhost = true;
        return true;
    }
    if (host[0] == '[' && host[host_len - 1] == ']') {
        host[host_len - 1] = '\0';
        v6->sin6_family = AF_INET6;
        t->every = strcmp(host + 1, "::") == 0;
        return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1;
    }
    v4->sin_family = AF_INET;
    return inet_pton(AF_INET, host, &v4->sin_addr) == 1;
}

void address_text(const struct sockaddr *address, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    bool is_v6 = address->sa_family == AF_INET6;
    if (is_v6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], host, sizeof host);
        snprintf(out, size, "%s:%u", host, ntohs(v6->sin6_port));
    } else if (is_v6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(out, size, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(out, size, "%s:%u", host, ntohs(v4->sin_port));
    }
}

/* Binds one more socket. Returns 0 or -errno; l->port is what it got. */
static int bind_one(struct listener *l, struct sockaddr_storage address, uint16_t port,
                    bool v6_only)
{
    struct bound *b = &l->bound[l->count];
    bool v6 = address.ss_family == AF_INET6;
    socklen_t len = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int on = 1, only = v6_only, error;
    if (v6)
        ((struct sockaddr_in6 *)&address)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)&address)->sin_port = htons(port);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if ((v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) < 0) ||
        bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    address_text((struct sockaddr *)&address, b->text, sizeof b->text);
    l->port = ntohs(v6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                       : ((struct sockaddr_in *)&address)->sin_port);
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
    struct sockaddr_storage any6 = { .ss_family = AF_INET6 }, any4 = { .ss_family = AF_INET };
    int error = bind_one(l, any6, port, false);
    return no_ipv6(error) ? bind_one(l, any4, port, false) : error;
}

static int bind_localhost(struct listener *l, uint16_t port)
{
    struct sockaddr_storage loop4 = { .ss_family = AF_INET }, loop6 = { .ss_family = AF_INET6 };
    ((struct sockaddr_in *)&loop4)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ((struct sockaddr_in6 *)&loop6)->sin6_addr = in6addr_loopback;
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

int listener_open(struct uv_loop_s *loop, const char *name, const char *address,
                  listener_accepted accepted, void *owner, struct listener **out,
                  struct refusal *why)
{
    struct target target;
    char where[24];
    snprintf(where, sizeof where, "--%s", name);
    if (!parse_address(address, &target))
        return refuse(why, where, ADDRESS_ALLOWED, "\"%s\" is not an address to listen on",
                      address);
    struct listener *l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    snprintf(l->name, sizeof l->name, "%s", name);
    l->accepted = accepted;
    l->owner = owner;
    int error = target.every       ? bind_every(l, target.port)
                : target.localhost ? bind_localhost(l, target.port)
                                   : bind_one(l, target.address, target.port, true);
    if (error) {
        unbind(l);
        free(l);
        if (error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOBUFS)
            return error;
        return refuse(why, where,
                      error == -EADDRINUSE ? "a port that is free, or 0 to let the kernel choose"
                                           : "an address of this machine",
                      "cannot listen on %s: %s", address, strerror(-error));
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
    if (link_empty(&listeners.all))
        moment_cancel(&listeners.retry);
    l->closing = l->count;
    for (unsigned i = 0; i < l->count; i++) {
        uv_poll_stop(&l->bound[i].poll);
        uv_close((uv_handle_t *)&l->bound[i].poll, poll_closed);
    }
}
