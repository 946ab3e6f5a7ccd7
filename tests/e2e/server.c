#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"
#include "client.h"
#include "tests/skip.h"

#define MAX_ARGS   64
#define START_MS   20000
#define STOP_MS    20000
#define TERMINATED 256

static const char *binary(void)
{
    const char *path = getenv("HANGUP");

    check(path, "HANGUP must name the binary under test");
    return path;
}

void scratch_create(char *out, size_t size)
{
    const char *base = getenv("TMPDIR");

    snprintf(out, size, "%s/hangup-XXXXXX", base && strlen(base) < 40 ? base : "/tmp");
    check(mkdtemp(out), "mkdtemp %s: %s", out, strerror(errno));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    return remove(path);
}

void scratch_remove(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

char scratch[64];

int scratch_setup(void **state)
{
    scratch_create(scratch, sizeof scratch);
    return 0;
}

int scratch_teardown(void **state)
{
    scratch_remove(scratch);
    return 0;
}

/* Kills the process when this one ends, however that does. PR_SET_PDEATHSIG does the same, but a
 * binary with file capabilities loses it when it is executed. */
static void watch_over(pid_t pid)
{
    int alive[2], pidfd = pidfd_open(pid, 0);

    check(pidfd >= 0 && pipe2(alive, O_CLOEXEC) == 0, "watching a server: %s", strerror(errno));
    pid_t guard = fork();
    check(guard >= 0, "fork: %s", strerror(errno));
    if (guard > 0) {
        /* The writing end stays open as long as this process is there. */
        close(alive[0]);
        close(pidfd);
        waitpid(guard, NULL, 0);
        return;
    }
    if (fork() != 0)
        _exit(0); /* nobody has to wait for the guard */
    /* What else was open is not to stay so because of the guard. */
    dup2(alive[0], 0);
    dup2(pidfd, 1);
    close_range(2, ~0U, 0);
    struct pollfd ends[] = { { .fd = 0 }, { .fd = 1, .events = POLLIN } };
    while (poll(ends, 2, -1) < 0)
        ;
    if (!ends[1].revents)
        pidfd_send_signal(1, SIGKILL, NULL, 0);
    _exit(0);
}

pid_t server_spawn(const char *const *arguments, int out, int err, void (*in_child)(void *arg),
                   void *arg)
{
    const char *argv[MAX_ARGS] = { binary() };
    unsigned n = 1;

    for (; *arguments && n < MAX_ARGS - 1; n++)
        argv[n] = *arguments++;
    check(!*arguments, "too many arguments");

    pid_t parent = getpid();
    pid_t pid = fork();
    check(pid >= 0, "fork: %s", strerror(errno));
    if (pid > 0) {
        if (getxattr(argv[0], "security.capability", NULL, 0) > 0)
            watch_over(pid);
        return pid;
    }

    /* The server dies with its test, however that ends. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    if (in_child)
        in_child(arg);
    execv(argv[0], (char *const *)argv);
    _exit(127);
}

static void limit_descriptors(void *arg)
{
    const struct server *s = arg;
    struct rlimit limit = { .rlim_cur = s->descriptors, .rlim_max = s->descriptors };

    if (s->descriptors)
        setrlimit(RLIMIT_NOFILE, &limit);
}

/* Waits for the end of a process; as server_end. */
static int await_end(pid_t pid, int pidfd, int64_t patience_ms)
{
    struct pollfd pfd = { .fd = pidfd, .events = POLLIN };
    int status = 0;

    if (poll(&pfd, 1, (int)patience_ms) != 1)
        return -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : TERMINATED + WTERMSIG(status);
}

int server_await(pid_t pid, int64_t patience_ms)
{
    int pidfd = pidfd_open(pid, 0);
    int status = await_end(pid, pidfd, patience_ms);

    close(pidfd);
    return status;
}

/* Reads until the end of file, or the first line's end, or the time. */
static bool read_pipe(int fd, struct buf *out, bool one_line, int64_t until)
{
    for (;;) {
        struct pollfd pfd = { .fd = fd, .events = POLLIN };
        int64_t left = (until - clock_now()) / NS_PER_MS;
        char bytes[4096];

        if (left < 0 || poll(&pfd, 1, (int)left) != 1)
            return false;
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n <= 0)
            return !one_line;
        buf_add(out, bytes, (size_t)n);
        if (one_line && memchr(buf_bytes(out), '\n', buf_len(out)))
            return true;
    }
}

static uint16_t ready_port(const json_t *ready, const char *listener)
{
    const json_t *at = json_object_get(ready, listener);
    json_int_t port = json_integer_value(json_object_get(at, "port"));

    check(port > 0 && port < 65536, "the ready line has no port for %s", listener);
    check(json_array_size(json_object_get(at, "addresses")) > 0,
          "the ready line has no addresses for %s", listener);
    return (uint16_t)port;
}

static void read_ready(struct server *s, int fd)
{
    struct buf line = { .data = NULL };
    json_error_t error;

    if (!read_pipe(fd, &line, true, in_ms(START_MS))) {
        server_end(s, SIGKILL, STOP_MS);
        server_stop(s);
        fail_msg("hangup serve did not get ready");
    }
    json_t *json = json_loadb((const char *)buf_bytes(&line), buf_len(&line), 0, &error);
    check(json, "the ready line is not JSON: %.*s", (int)buf_len(&line), buf_bytes(&line));
    json_t *ready = json_object_get(json, "ready");
    json_decref(s->ready);
    s->ready = json_incref(ready);
    s->https = ready_port(ready, "https");
    s->https1 = ready_port(ready, "https1");
    s->http = ready_port(ready, "http");
    s->admin = ready_port(ready, "admin");
    check(json_integer_value(json_object_get(ready, "pid")) == s->pid, "the ready line's pid");
    const char *ca = json_string_value(json_object_get(ready, "ca"));
    snprintf(s->ca, sizeof s->ca, "%s", ca ? ca : "");
    json_decref(json);
    buf_free(&line);
}

void server_start(struct server *s, const char *const *options)
{
    scratch_create(s->dir, sizeof s->dir);
    snprintf(s->state, sizeof s->state, "%s/state", s->dir);
    snprintf(s->log, sizeof s->log, "%s/log", s->dir);
    server_start_again(s, options);
}

static bool has(const char *const *options, const char *name)
{
    while (options && *options && strcmp(*options, name) != 0)
        options++;
    return options && *options;
}

void server_start_again(struct server *s, const char *const *options)
{
    const char *const usual[][2] = {
        { "--https", "127.0.0.1:0" }, { "--https1", "127.0.0.1:0" },    { "--http", "127.0.0.1:0" },
        { "--admin", "127.0.0.1:0" }, { "--run-ports", "127.0.0.1:0" }, { "--state", s->state }
    };
    const char *arguments[MAX_ARGS] = { "serve" };
    unsigned n = 1;
    int out[2];

    for (unsigned i = 0; i < sizeof usual / sizeof *usual; i++)
        if (!has(options, usual[i][0])) {
            arguments[n++] = usual[i][0];
            arguments[n++] = usual[i][1];
        }
    for (; options && *options && n < MAX_ARGS - 1; n++)
        arguments[n] = *options++;
    check(pipe2(out, O_CLOEXEC) == 0, "pipe: %s", strerror(errno));
    int log = open(s->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    s->pid = server_spawn(arguments, out[1], log, limit_descriptors, s);
    s->pidfd = pidfd_open(s->pid, 0);
    close(out[1]);
    close(log);
    read_ready(s, out[0]);
    close(out[0]);
}

int server_end(struct server *s, int signal, int64_t patience_ms)
{
    kill(s->pid, signal);
    int status = await_end(s->pid, s->pidfd, patience_ms);
    if (status >= 0) {
        close(s->pidfd);
        s->pid = 0;
    }
    return status;
}

static void read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "re");
    char bytes[8192];
    size_t n;

    while (f && (n = fread(bytes, 1, sizeof bytes, f)) > 0)
        buf_add(out, bytes, n);
    if (f)
        fclose(f);
    buf_add(out, "", 1);
}

bool server_log_has(const struct server *s, const char *text)
{
    struct buf log = { .data = NULL };

    read_file(s->log, &log);
    bool has = strstr((const char *)buf_bytes(&log), text) != NULL;
    buf_free(&log);
    return has;
}

void server_stop(struct server *s)
{
    struct buf log = { .data = NULL };
    int status = 0;

    if (!s->dir[0])
        return;
    if (s->pid) {
        status = server_end(s, SIGTERM, STOP_MS);
        if (status < 0)
            server_end(s, SIGKILL, STOP_MS);
    }
    read_file(s->log, &log);
    fwrite(buf_bytes(&log), 1, buf_len(&log) - 1, stderr);
    bool complained = strstr((const char *)buf_bytes(&log), "Sanitizer") ||
                      strstr((const char *)buf_bytes(&log), "runtime error:");
    buf_free(&log);
    scratch_remove(s->dir);
    s->dir[0] = '\0';
    json_decref(s->ready);
    s->ready = NULL;
    check(status != -1, "the server did not end within %d ms of SIGTERM", STOP_MS);
    check(status == 0, "the server ended with status %d", status);
    check(!complained, "a sanitizer complained, see the server's log");
}

bool server_alive(const struct server *s)
{
    struct pollfd pfd = { .fd = s->pidfd, .events = POLLIN };

    return s->pid && poll(&pfd, 1, 0) == 0;
}

static void read_proc(const struct server *s, const char *name, struct buf *out)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)s->pid, name);
    read_file(path, out);
}

long server_rss(const struct server *s)
{
    struct buf text = { .data = NULL };

    read_proc(s, "status", &text);
    const char *at = strstr((const char *)buf_bytes(&text), "VmRSS:");
    long rss = at ? strtol(at + 6, NULL, 10) : -1;
    buf_free(&text);
    return rss;
}

long server_cpu_ms(const struct server *s)
{
    struct buf text = { .data = NULL };
    unsigned long user = 0, kernel = 0;

    read_proc(s, "stat", &text);
    /* Fields 14 and 15; the second one, in parentheses, may hold spaces. */
    const char *at = strrchr((const char *)buf_bytes(&text), ')');
    if (at)
        sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel);
    buf_free(&text);
    return (long)(user + kernel) * 1000 / sysconf(_SC_CLK_TCK);
}

static long count;

static int count_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    count += ftw->level == 1;
    return 0;
}

long server_descriptors(const struct server *s)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/fd", (int)s->pid);
    if (access(path, R_OK) != 0)
        skip_because("the descriptors of a binary with file capabilities are hidden from its user");
    count = 0;
    nftw(path, count_one, 4, FTW_PHYS);
    return count;
}

int server_run(const char *const *arguments, struct buf *out, struct buf *err)
{
    int outs[2], errs[2];
    int64_t until = in_ms(START_MS);

    check(pipe2(outs, O_CLOEXEC) == 0 && pipe2(errs, O_CLOEXEC) == 0, "pipe: %s", strerror(errno));
    pid_t pid = server_spawn(arguments, outs[1], errs[1], NULL, NULL);
    int pidfd = pidfd_open(pid, 0);
    close(outs[1]);
    close(errs[1]);
    /* It writes a few lines: they fit into the pipes. */
    int status = await_end(pid, pidfd, START_MS);
    if (status < 0) {
        kill(pid, SIGKILL);
        await_end(pid, pidfd, STOP_MS);
    }
    read_pipe(outs[0], out, false, until);
    read_pipe(errs[0], err, false, until);
    buf_add(out, "", 1);
    buf_add(err, "", 1);
    close(outs[0]);
    close(errs[0]);
    close(pidfd);
    return status;
}

unsigned long scaled(unsigned long n)
{
    const char *scale = getenv("HANGUP_TEST_SCALE");
    double factor = scale ? strtod(scale, NULL) : 1;

    if (factor <= 0 || factor > 1)
        factor = 1;
    n = (unsigned long)((double)n * factor);
    return n > 0 ? n : 1;
}
