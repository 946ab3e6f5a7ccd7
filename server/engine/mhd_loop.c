/* mhd_loop.c - see mhd_loop.h.
 *
 * When the daemon runs: when its epoll descriptor is readable (unless it is driven), when one of
 * its timeouts is due, and when it was kicked. A kick starts two handles: the check handle makes
 * the run right after this turn's I/O, and the idle handle keeps the loop from sleeping before it
 * when the kick came too late for this turn. After a run the daemon may want another one at once
 * (MHD_get_timeout 0), which is a kick too. A few of these follow at once, since an upload or a
 * "100 Continue" takes several; the rest waits for the next turn, so that others get theirs.
 *
 * setsockopt() of libc is replaced in here, as the sockets are unix sockets, and libmicrohttpd sets
 * TCP options on them. The kernel says EOPNOTSUPP; libmicrohttpd takes ENOPROTOOPT for "this is no
 * TCP socket" and never tries again, but EOPNOTSUPP it has made into a text and tries again with
 * each response: two system calls of eight, and the texts, which nobody reads.
 */
#include "engine/mhd_loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"

#define RUNS_A_TURN 8

/* There is one thread. Where that can be said, it makes MHD_add_connection take a socket at once,
 * as earlier versions do: the library that runs tells, not the one that this was built with, as
 * both have one name and go with one another (Debian 12 has 0.9.75, Debian 13 has 1.0.1). */
#define NO_THREAD_SAFETY (1U << 19) /* MHD_USE_NO_THREAD_SAFETY, since 1.0.0 */
#if MHD_VERSION >= 0x01000000
_Static_assert(NO_THREAD_SAFETY == (unsigned)MHD_USE_NO_THREAD_SAFETY, "as in its header");
#endif

static unsigned single_threaded(void)
{
    return atoi(MHD_get_version()) >= 1 ? NO_THREAD_SAFETY : 0;
}

struct mhd_loop {
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_check_t check;
    uv_idle_t idle;
    unsigned open_handles;
    bool kicked, timed, running;
    void (*after)(void *arg);
    void *after_arg;
};

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    long rc = syscall(SYS_setsockopt, fd, level, name, value, len);

    if (rc < 0 && errno == EOPNOTSUPP && level == IPPROTO_TCP)
        errno = ENOPROTOOPT;
    return (int)rc;
}

static void log_text(void *arg, const char *format, va_list args)
{
    char text[512];
    int n = vsnprintf(text, sizeof text, format, args);

    if (n <= 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    log_debug("libmicrohttpd: %s", text);
}

static void on_timer(uv_timer_t *timer)
{
    mhd_loop_run(timer->data);
}

/* Asks the daemon when it wants to run again. */
static void plan_next(struct mhd_loop *m)
{
    MHD_UNSIGNED_LONG_LONG ms;

    if (MHD_get_timeout(m->daemon, &ms) != MHD_YES) {
        if (m->timed)
            uv_timer_stop(&m->timer);
        m->timed = false;
    } else if (ms == 0) {
        mhd_loop_kick(m);
    } else {
        m->timed = true;
        uv_timer_start(&m->timer, on_timer, ms, 0);
    }
}

static void unkick(struct mhd_loop *m)
{
    if (!m->kicked)
        return;
    m->kicked = false;
    uv_check_stop(&m->check);
    uv_idle_stop(&m->idle);
}

void mhd_loop_run(struct mhd_loop *m)
{
    if (m->running)
        return;
    m->running = true;
    for (int i = 0; i < RUNS_A_TURN; i++) {
        unkick(m);
        MHD_run(m->daemon);
        plan_next(m);
        if (!m->kicked)
            break;
    }
    m->running = false;
    if (m->after)
        m->after(m->after_arg);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    mhd_loop_run(poll->data);
}

static void on_check(uv_check_t *check)
{
    mhd_loop_run(check->data);
}

/* Only keeps the loop awake. */
static void on_idle(uv_idle_t *idle)
{
}

void mhd_loop_kick(struct mhd_loop *m)
{
    if (m->kicked)
        return;
    m->kicked = true;
    uv_check_start(&m->check, on_check);
    uv_idle_start(&m->idle, on_idle);
}

static void on_closed(uv_handle_t *handle)
{
    struct mhd_loop *m = handle->data;

    if (--m->open_handles == 0)
        free(m);
}

static void close_handles(struct mhd_loop *m)
{
    uv_close((uv_handle_t *)&m->poll, on_closed);
    uv_close((uv_handle_t *)&m->timer, on_closed);
    uv_close((uv_handle_t *)&m->check, on_closed);
    uv_close((uv_handle_t *)&m->idle, on_closed);
}

int mhd_loop_start(struct uv_loop_s *loop, unsigned flags, MHD_AccessHandlerCallback handler,
                   void *handler_arg, const struct MHD_OptionItem *options, struct mhd_loop **out)
{
    const struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };
    struct mhd_loop *m = calloc(1, sizeof *m);
    int err;

    if (!m)
        return -ENOMEM;
    errno = 0;
    m->daemon = MHD_start_daemon(
        flags | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_EPOLL | MHD_USE_ITC | single_threaded(), 0, NULL,
        NULL, handler, handler_arg, MHD_OPTION_EXTERNAL_LOGGER, log_text, NULL, MHD_OPTION_ARRAY,
        options ? options : none, MHD_OPTION_END);
    if (!m->daemon) {
        err = errno ? -errno : -ENOMEM;
        free(m);
        return err;
    }
    err = uv_poll_init(loop, &m->poll,
                       MHD_get_daemon_info(m->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    if (err) {
        MHD_stop_daemon(m->daemon);
        free(m);
        return err;
    }
    uv_timer_init(loop, &m->timer);
    uv_check_init(loop, &m->check);
    uv_idle_init(loop, &m->idle);
    m->poll.data = m->timer.data = m->check.data = m->idle.data = m;
    m->open_handles = 4;
    err = uv_poll_start(&m->poll, UV_READABLE, on_poll);
    if (err) {
        MHD_stop_daemon(m->daemon);
        close_handles(m);
        return err;
    }
    *out = m;
    return 0;
}

void mhd_loop_drive(struct mhd_loop *m, void (*after)(void *arg), void *arg)
{
    uv_poll_stop(&m->poll);
    m->after = after;
    m->after_arg = arg;
}

int mhd_loop_add(struct mhd_loop *m, int fd, const struct sockaddr *peer, socklen_t len)
{
    errno = 0;
    if (MHD_add_connection(m->daemon, fd, peer, len) != MHD_YES)
        return errno ? -errno : -ENOMEM;
    return 0;
}

void mhd_loop_stop(struct mhd_loop *m)
{
    if (!m)
        return;
    uv_poll_stop(&m->poll); /* before libmicrohttpd closes what it polls */
    MHD_stop_daemon(m->daemon);
    close_handles(m);
}
