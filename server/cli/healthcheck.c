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
#include "cli/option.h"

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

static const struct option_row rows[] = {
    { "--admin", "ADDR", "the address of its admin API (localhost:9000)", OPTION_TEXT,
      offsetof(struct asked, address) },
    { "--wait", "TIME", "ask again for so long, until it answers", OPTION_WAIT,
      offsetof(struct asked, wait) },
};
static const struct option_table table = { rows, sizeof rows / sizeof *rows,
                                           "hangup help healthcheck" };

void healthcheck_help(FILE *to)
{
    option_help(&table, to);
}

int command_healthcheck(int argc, char **argv)
{
    struct asked asked = { .address = "localhost:9000" };
    union address to;
    struct refusal why;
    int error = option_read_all(&table, argc, argv, &asked, NULL, NULL, &why);
    if (error)
        return command_refused("healthcheck", error, &why);
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
