/* healthcheck.c - `hangup healthcheck`: asks a server whether it is alive. */
#include "cli/commands.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/duration.h"

#define PATIENCE (3 * NS_PER_S) /* for one response */
#define PAUSE_US 50000          /* before it is asked again */

/* Where to ask a server that listens on this address. False: it is none. */
static bool read_address(const char *text, union address *out)
{
    struct address_spec spec;
    if (!address_read_spec(text, &spec) || spec.port == 0)
        return false;
    *out = spec.one;
    if (spec.kind != ADDRESS_ONE)
        address_set_loopback(out, AF_INET);
    else if (address_is_any(out))
        address_set_loopback(out, out->any.sa_family);
    address_set_port(out, spec.port);
    return true;
}

/* patience: ns. */
static bool healthy(const union address *to, int64_t patience_ns)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
                                  "Connection: close\r\n\r\n";
    int64_t us = patience_ns > NS_PER_MS ? patience_ns / NS_PER_US : 1000; /* 0 would be no limit */
    struct timeval patience = { .tv_sec = us / 1000000, .tv_usec = us % 1000000 };
    char start[16] = "";
    int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    bool ok = connect(fd, &to->any, address_len(to)) == 0 &&
              send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == sizeof request - 1 &&
              recv(fd, start, 12, MSG_WAITALL) == 12 && memcmp(start, "HTTP/1.1 200", 12) == 0;
    close(fd);
    return ok;
}

struct asked {
    const char *address;
    int64_t wait; /* ns; 0: ask once */
};

/* Reads the options. Returns 0 or EXIT_USAGE. */
static int read_arguments(int argc, char **argv, struct asked *out)
{
    for (int i = 0; i < argc; i += 2) {
        bool wait = strcmp(argv[i], "--wait") == 0;
        if (!wait && strcmp(argv[i], "--admin") != 0)
            return command_error("healthcheck", "%s: only --admin ADDR and --wait TIME are allowed",
                                 argv[i]);
        if (i + 1 == argc)
            return command_error("healthcheck", "%s: its value is missing", argv[i]);
        if (!wait)
            out->address = argv[i + 1];
        else if (duration_parse(argv[i + 1], strlen(argv[i + 1]), &out->wait) != 0)
            return command_error("healthcheck", "--wait: \"%s\" is no time; allowed: %s",
                                 argv[i + 1], DURATION_ALLOWED);
    }
    return 0;
}

int command_healthcheck(int argc, char **argv)
{
    struct asked asked = { .address = "localhost:9000" };
    union address to;
    int status = read_arguments(argc, argv, &asked);
    if (status)
        return status;
    if (!read_address(asked.address, &to))
        return command_error("healthcheck",
                             "--admin: \"%s\" is no address; allowed: " ADDRESS_SPEC_FORMS
                             ", with PORT from 1 to 65535",
                             asked.address);
    int64_t now = clock_now();
    int64_t until = asked.wait < INT64_MAX - now ? now + asked.wait : INT64_MAX;
    do {
        int64_t left = until - clock_now();
        if (healthy(&to, asked.wait && left < PATIENCE ? left : PATIENCE))
            return 0;
        if (asked.wait)
            usleep(PAUSE_US);
    } while (clock_now() < until);
    command_error("healthcheck", "no response from /healthz at %s", asked.address);
    return 1;
}
