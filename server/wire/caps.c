#include "wire/caps.h"

#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "wire/filter.h"
#include "wire/tap.h"

#define NEEDS "CAP_NET_ADMIN"

static struct capability_row rows[CAPABILITY_COUNT] = {
    [CAP_BLACK_HOLE] = { .name = "black_hole",
                         .about = "drop every segment of a client in the kernel, with no ACK",
                         .needs = NEEDS },
    [CAP_REPAIR] = { .name = "repair",
                     .about = "end a connection with nothing said (TCP_REPAIR), exact forget",
                     .needs = NEEDS },
    [CAP_TAP] = { .name = "tap",
                  .about = "see who sends the SYNs that are refused or dropped, and what a "
                           "black hole swallows",
                  .needs = "CAP_NET_RAW" },
};

static void raise_one(cap_value_t wanted)
{
    cap_t caps = cap_get_proc();
    if (!caps)
        return;
    cap_flag_value_t permitted = CAP_CLEAR;
    if (cap_get_flag(caps, wanted, CAP_PERMITTED, &permitted) == 0 && permitted == CAP_SET &&
        cap_set_flag(caps, CAP_EFFECTIVE, 1, &wanted, CAP_SET) == 0)
        cap_set_proc(caps);
    cap_free(caps);
}

bool caps_in_container(const char *root)
{
    static const char *const files[] = { "/.dockerenv", "/run/.containerenv" };
    static const char *const variables[] = { "container", "KUBERNETES_SERVICE_HOST" };
    char path[4096];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s%s", root, files[i]);
        if (access(path, F_OK) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if (getenv(variables[i]))
            return true;
    return false;
}

/* Adds how this server can be given the capability. setcap sets all that a file has, so both are in
 * one command. */
static void add_hint(enum capability i)
{
    static char texts[CAPABILITY_COUNT][PATH_MAX + 120];
    char path[PATH_MAX];
    const char *needs = rows[i].needs, *name = needs + strlen("CAP_");
    if (strchr(needs, ' '))
        return; /* probed again */
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    if (caps_in_container(""))
        snprintf(texts[i], sizeof texts[i], "%s (docker run --cap-add %s; compose: cap_add: [%s])",
                 needs, name, name);
    else
        snprintf(texts[i], sizeof texts[i],
                 "%s (sudo setcap cap_net_admin,cap_net_raw+p %s; or run it as root)", needs,
                 *path ? path : "BINARY");
    rows[i].needs = texts[i];
}

static int try_tap(int fd)
{
    int error = tap_try();
    errno = -error;
    return error;
}

static int try_repair(int fd)
{
    int on = 1;
    return setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on);
}

static void probe(struct capability_row *row, int fd, int (*attempt)(int))
{
    row->available = fd >= 0 && attempt(fd) == 0;
    row->why_not[0] = '\0';
    if (!row->available)
        snprintf(row->why_not, sizeof row->why_not, "%s: %s",
                 fd < 0 ? "no socket to try it on" : "the kernel refused it on a socket of ours",
                 strerror(errno));
}

/* One end of a TCP connection to ourselves, *other the other end; or -1. */
static int connected_socket(int *other)
{
    union address at;
    int accepted = -1;
    address_set_loopback(&at, AF_INET);
    socklen_t len = address_len(&at);
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listening >= 0 && fd >= 0 && bind(listening, &at.any, len) == 0 &&
        listen(listening, 1) == 0 && getsockname(listening, &at.any, &len) == 0 &&
        connect(fd, &at.any, len) == 0)
        accepted = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    int error = errno;
    if (listening >= 0)
        close(listening);
    if (accepted < 0) {
        if (fd >= 0)
            close(fd);
        errno = error;
        return -1;
    }
    *other = fd;
    return accepted;
}

void caps_probe(void)
{
    raise_one(CAP_NET_ADMIN);
    raise_one(CAP_NET_RAW);
    for (unsigned i = 0; i < CAPABILITY_COUNT; i++)
        add_hint((enum capability)i);
    int other = -1;
    int fd = connected_socket(&other);
    probe(&rows[CAP_BLACK_HOLE], fd, filter_drop_all);
    probe(&rows[CAP_REPAIR], fd, try_repair);
    probe(&rows[CAP_TAP], fd, try_tap);
    if (fd >= 0) {
        close(fd);
        close(other);
    }
}

const struct capability_row *caps_row(enum capability cap)
{
    return &rows[cap];
}

bool caps_have(enum capability cap)
{
    return rows[cap].available;
}
