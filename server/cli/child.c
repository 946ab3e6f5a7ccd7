#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "cli/keeper.h"

struct child {
    struct child_config config;
    uv_poll_t socket_poll, out_poll;
    int socket, out; /* -1: closed */
    pid_t keeper, id;
    int status; /* of waitpid() */
    bool over, gone, reading;
    int64_t heard_at; /* of the keeper's last report */
    pid_t left;
    unsigned handles;
};

static void handle_closed(uv_handle_t *handle)
{
    struct child *c = handle->data;
    if (--c->handles == 0)
        free(c);
}

/* --- Its stdout */

#define PIPE_MAX ((size_t)1 << 20) /* more than that no pipe holds */

/* Returns how many bytes came; 0: none now, or never any more. */
static size_t read_some(struct child *c)
{
    char bytes[16384];
    ssize_t n;
    while ((n = read(c->out, bytes, sizeof bytes)) < 0 && errno == EINTR)
        ;
    bool go_on = n > 0 ? c->config.wrote(c->config.arg, bytes, (size_t)n) : n < 0;
    if (!go_on)
        uv_poll_stop(&c->out_poll);
    c->reading = go_on;
    return n > 0 ? (size_t)n : 0;
}

static void out_readable(uv_poll_t *poll, int status, int events)
{
    read_some(poll->data);
}

void child_read_on(struct child *c)
{
    if (!c->reading)
        c->reading = uv_poll_start(&c->out_poll, UV_READABLE, out_readable) == 0;
}

/* What it had written by now. */
static void drain(struct child *c)
{
    size_t all = 0, n;
    while (all < PIPE_MAX && (n = read_some(c)) > 0)
        all += n;
}

/* --- Its keeper */

static void tell(struct child *c, enum keeper_order order, int signal)
{
    const struct keeper_message m = { order, signal };
    if (!c->gone)
        send(c->socket, &m, sizeof m, MSG_NOSIGNAL);
}

static void set_over(struct child *c, int status)
{
    drain(c);
    c->over = true;
    c->status = status;
    c->config.ended(c->config.arg);
}

/* Also when the keeper was killed: then nobody knows how COMMAND ended, and it counts as killed. */
static void set_gone(struct child *c)
{
    uv_poll_stop(&c->socket_poll);
    while (waitpid(c->keeper, NULL, 0) < 0 && errno == EINTR)
        ;
    c->gone = true;
    if (!c->over)
        set_over(c, SIGKILL);
    drain(c);
    c->config.gone(c->config.arg);
}

static void keeper_spoke(uv_poll_t *poll, int status, int events)
{
    struct child *c = poll->data;
    struct keeper_report report;
    ssize_t n = recv(c->socket, &report, sizeof report, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n == sizeof report)
        c->heard_at = report.at;
    if (n != sizeof report || report.word == KEEPER_GONE)
        set_gone(c);
    else if (report.word == KEEPER_ENDED)
        set_over(c, report.number);
    else if (report.word == KEEPER_LEFT)
        c->left = report.number;
}

/* --- Start */

/* Waits for the keeper's first word. Returns 0 or an errno. */
static int await_start(struct child *c)
{
    struct keeper_report report;
    ssize_t n;
    while ((n = recv(c->socket, &report, sizeof report, 0)) < 0 && errno == EINTR)
        ;
    if (n == sizeof report && report.word == KEEPER_STARTED) {
        c->id = report.number;
        c->heard_at = report.at;
        return 0;
    }
    while (waitpid(c->keeper, NULL, 0) < 0 && errno == EINTR)
        ;
    return n == sizeof report ? report.number : ECHILD;
}

/* Returns 0, or -errno, or an errno of COMMAND's. */
static int fork_keeper(struct child *c)
{
    int ends[2], pipes[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        int error = -errno;
        close(ends[0]);
        close(ends[1]);
        return error;
    }
    c->socket = ends[0];
    c->out = pipes[0];
    c->keeper = fork();
    if (c->keeper == 0) {
        close(ends[0]); /* else it would not see that we have closed it */
        const struct keeper_task task = { .argv = c->config.argv,
                                          .environment = c->config.environment,
                                          .out = pipes[1],
                                          .err = STDERR_FILENO };
        keeper_run(&task, ends[1]);
    }
    int error = c->keeper < 0 ? -errno : 0;
    close(ends[1]);
    close(pipes[1]);
    return error ? error : await_start(c);
}

static int watch(struct child *c)
{
    fcntl(c->out, F_SETFL, O_NONBLOCK);
    c->socket_poll.data = c->out_poll.data = c;
    int error = uv_poll_init(c->config.loop, &c->socket_poll, c->socket);
    c->handles = !error;
    if (!error)
        error = uv_poll_init(c->config.loop, &c->out_poll, c->out);
    c->handles += !error;
    if (!error)
        error = uv_poll_start(&c->socket_poll, UV_READABLE, keeper_spoke);
    if (!error) {
        child_read_on(c);
        error = c->reading ? 0 : -EIO;
    }
    return error;
}

int child_start(const struct child_config *config, struct child **out, struct refusal *why)
{
    struct child *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->config = *config;
    c->socket = c->out = -1;
    int error = fork_keeper(c);
    if (!error)
        error = watch(c);
    if (!error) {
        *out = c;
        return 0;
    }
    if (c->id) { /* the keeper sees it, and kills all */
        close(c->socket);
        waitpid(c->keeper, NULL, 0);
        c->socket = -1;
    }
    c->gone = true;
    child_destroy(c);
    if (error < 0)
        return error;
    return refuse(why, "COMMAND", "a program that can be executed, behind --",
                  "\"%.120s\" cannot be started: %s", config->argv[0], strerror(error));
}

/* --- Looking, telling */

pid_t child_id(const struct child *c)
{
    return c->id;
}

int child_status(const struct child *c, int *signal)
{
    *signal = WIFSIGNALED(c->status) ? WTERMSIG(c->status) : 0;
    return *signal ? -1 : WEXITSTATUS(c->status);
}

int64_t child_gone_at(const struct child *c)
{
    return c->gone ? c->heard_at : TIME_NONE;
}

pid_t child_left(const struct child *c)
{
    return c->left;
}

void child_signal(struct child *c, int signal)
{
    tell(c, KEEPER_SIGNAL, signal);
}

void child_stop(struct child *c)
{
    tell(c, KEEPER_STOP, 0);
}

void child_kill(struct child *c)
{
    tell(c, KEEPER_KILL, 0);
}

void child_destroy(struct child *c)
{
    if (!c)
        return;
    unsigned handles = c->handles;
    if (handles == 2)
        uv_close((uv_handle_t *)&c->out_poll, handle_closed);
    if (handles >= 1)
        uv_close((uv_handle_t *)&c->socket_poll, handle_closed);
    if (c->socket >= 0)
        close(c->socket);
    if (c->out >= 0)
        close(c->out);
    if (!handles)
        free(c);
}
