#include "cli/keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptors.h"

#define ROUND_MS      5 /* between two rounds of killing: what is killed may have forked before */
#define PROCESSES_MAX 4096

struct keeper {
    int socket, chld; /* chld: a signalfd */
    pid_t command;    /* 0: it has ended */
    int64_t kill_at;  /* when SIGKILL is next; TIME_NONE: not yet */
    int64_t give_up;  /* what has not died by then is left */
    bool alone;       /* nobody listens any more */
};

static void say(struct keeper *k, enum keeper_word word, int number)
{
    const struct keeper_report report = { word, number, clock_now() };
    if (send(k->socket, &report, sizeof report, MSG_NOSIGNAL) != sizeof report)
        k->alone = true;
}

/* --- COMMAND itself */

/* In COMMAND's process. What fails is written to trouble, which exec closes. */
static void become(const struct keeper_task *task, int trouble)
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    descriptors_restore_limit();
    int null = isatty(STDIN_FILENO) ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
    bool ok = (null < 0 || dup2(null, STDIN_FILENO) >= 0) && dup2(task->out, STDOUT_FILENO) >= 0 &&
              dup2(task->err, STDERR_FILENO) >= 0;
    if (ok)
        execvpe(task->argv[0], task->argv, task->environment);
    int error = errno;
    while (write(trouble, &error, sizeof error) < 0 && errno == EINTR)
        ;
    _exit(127);
}

/* Returns 0 or an errno. */
static int start(struct keeper *k, const struct keeper_task *task)
{
    int trouble[2], error = 0;
    if (pipe2(trouble, O_CLOEXEC) < 0)
        return errno;
    pid_t pid = fork();
    if (pid < 0) {
        error = errno;
        close(trouble[0]);
        close(trouble[1]);
        return error;
    }
    if (pid == 0)
        become(task, trouble[1]);
    close(trouble[1]);
    setpgid(pid, pid); /* also here: a signal may come before it has done that itself */
    ssize_t n;
    while ((n = read(trouble[0], &error, sizeof error)) < 0 && errno == EINTR)
        ;
    close(trouble[0]);
    if (n == sizeof error) {
        waitpid(pid, NULL, 0);
        return error;
    }
    k->command = pid;
    return 0;
}

/* --- All that are below us */

struct process {
    pid_t id, parent;
    bool ours;
};

/* False: it has ended. */
static bool read_parent(const char *id, struct process *out)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%.20s/stat", id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *behind = strrchr(text, ')'); /* a name may have any bytes in it */
    char state;
    int parent;
    if (!behind || sscanf(behind + 1, " %c %d", &state, &parent) != 2)
        return false;
    *out = (struct process){ .id = (pid_t)atoi(id), .parent = parent };
    return true;
}

/* Marks those below us; they stand in no certain order. */
static void mark_ours(struct process *all, size_t count)
{
    const pid_t self = getpid();
    bool found = true;
    while (found) {
        found = false;
        for (size_t i = 0; i < count; i++) {
            bool below = all[i].parent == self;
            for (size_t j = 0; !below && j < count; j++)
                below = all[j].ours && all[j].id == all[i].parent;
            if (below && !all[i].ours)
                found = all[i].ours = true;
        }
    }
}

/* Sends it to all that are below us; SIGCONT behind it, so that those who are stopped hear it.
 * Returns one of them, 0 for none. */
static pid_t signal_all(int number)
{
    static struct process all[PROCESSES_MAX];
    size_t count = 0;
    pid_t one = 0;
    DIR *dir = opendir("/proc");
    if (!dir)
        return 0;
    for (struct dirent *e; count < PROCESSES_MAX && (e = readdir(dir));)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
            count += read_parent(e->d_name, &all[count]);
    closedir(dir);
    mark_ours(all, count);
    for (size_t i = 0; i < count; i++)
        if (all[i].ours) {
            kill(all[i].id, number);
            kill(all[i].id, SIGCONT);
            one = all[i].id;
        }
    return one;
}

/* --- Keeping */

/* False: none is left. */
static bool reap(struct keeper *k)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == k->command) {
            k->command = 0;
            say(k, KEEPER_ENDED, status);
        }
    return pid == 0 || errno == EINTR;
}

static void stop(struct keeper *k, int64_t grace_ms)
{
    int64_t now = clock_now(), at = now + grace_ms * NS_PER_MS;
    if (at >= k->kill_at)
        return;
    k->kill_at = at;
    k->give_up = at + KEEPER_TRIES_MS * NS_PER_MS;
    if (grace_ms)
        signal_all(SIGTERM);
}

static void pass_on(struct keeper *k, int number)
{
    if (!k->command)
        signal_all(number);
    else if (kill(-k->command, number) == 0)
        kill(-k->command, SIGCONT);
}

static void listen_to_orders(struct keeper *k)
{
    struct keeper_message m;
    ssize_t n = recv(k->socket, &m, sizeof m, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != sizeof m) {
        k->alone = true;
        stop(k, 0);
    } else if (m.order == KEEPER_SIGNAL) {
        pass_on(k, m.signal);
    } else {
        stop(k, m.order == KEEPER_STOP ? KEEPER_GRACE_MS : 0);
    }
}

/* Until none is left, or what is left cannot be killed. */
static void keep(struct keeper *k)
{
    while (reap(k)) {
        int64_t now = clock_now();
        if (now >= k->give_up) {
            say(k, KEEPER_LEFT, signal_all(SIGKILL));
            return;
        }
        if (now >= k->kill_at) {
            signal_all(SIGKILL);
            k->kill_at = now + ROUND_MS * NS_PER_MS;
        }
        int wait = k->kill_at == TIME_NONE ? -1 : (int)((k->kill_at - now) / NS_PER_MS + 1);
        struct pollfd fds[] = { { .fd = k->chld, .events = POLLIN },
                                { .fd = k->alone ? -1 : k->socket, .events = POLLIN } };
        if (poll(fds, 2, wait) <= 0)
            continue;
        struct signalfd_siginfo news;
        if (fds[0].revents && read(k->chld, &news, sizeof news) < 0 && errno != EAGAIN)
            return;
        if (fds[1].revents)
            listen_to_orders(k);
    }
}

void keeper_run(const struct keeper_task *task, int socket)
{
    sigset_t all;
    sigfillset(&all); /* what the terminal sends is for our parent, who tells us */
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigset_t chld;
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    signal(SIGCHLD, SIG_DFL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct keeper k = { .socket = socket,
                        .chld = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK),
                        .kill_at = TIME_NONE,
                        .give_up = TIME_NONE };
    int error = k.chld < 0 ? errno : start(&k, task);
    if (error) {
        say(&k, KEEPER_FAILED, error);
        _exit(1);
    }
    say(&k, KEEPER_STARTED, k.command);
    /* Only those two stay open here: sockets of the server's and COMMAND's stdout are not ours. */
    dup2(k.socket, 0);
    dup2(k.chld, 1);
    close_range(2, ~0u, 0);
    k.socket = 0;
    k.chld = 1;
    keep(&k);
    say(&k, KEEPER_GONE, 0);
    _exit(0);
}
