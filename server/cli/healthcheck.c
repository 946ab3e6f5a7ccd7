/* command_healthcheck.c - `hangup healthcheck`: asks a server whether it is alive. */
#include "cli/commands.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/duration.h"

#define PATIENCE (3 * NS_PER_S) /* for one answer */
#define PAUSE_US 50000          /* before it is asked again */

/* Where to ask a server that listens on this address: 0 when it is none. */
static socklen_t address_of(const char *text, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    char host[INET6_ADDRSTRLEN + 2] = "", *end;
    const char *colon = strrchr(text, ':'), *port_text = colon ? colon + 1 : text;
    unsigned long port = strtoul(port_text, &end, 10);
    size_t len = colon ? (size_t)(colon - text) : 0;
    memset(out, 0, sizeof *out);
    if (end == port_text || *end || port == 0 || port > 65535 || len >= sizeof host)
        return 0;
    memcpy(host, text, len);
    if (host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1 ? sizeof *v6 : 0;
    }
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)port);
    v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK); /* also one of "every address" */
    if (!host[0] || strcmp(host, "localhost") == 0 || strcmp(host, "0.0.0.0") == 0)
        return sizeof *v4;
    return inet_pton(AF_INET, host, &v4->sin_addr) == 1 ? sizeof *v4 : 0;
}

/* patience: ns. */
static bool healthy(const struct sockaddr_storage *to, socklen_t len, int64_t patience_ns)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
                                  "Connection: close\r\n\r\n";
    int64_t us = patience_ns > NS_PER_MS ? patience_ns / NS_PER_US : 1000; /* 0 would be no limit */
    struct timeval patience = { .tv_sec = us / 1000000, .tv_usec = us % 1000000 };
    char answer[16] = "";
    int fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    bool ok = connect(fd, (const struct sockaddr *)to, len) == 0 &&
              send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == sizeof request - 1 &&
              recv(fd, answer, 12, MSG_WAITALL) == 12 && memcmp(answer, "HTTP/1.1 200", 12) == 0;
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
    struct sockaddr_storage to;
    int status = read_arguments(argc, argv, &asked);
    if (status)
        return status;
    socklen_t len = address_of(asked.address, &to);
    if (!len)
        return command_error("healthcheck",
                             "--admin: \"%s\" is no address; allowed: PORT, :PORT, IPV4:PORT, "
                             "[IPV6]:PORT or localhost:PORT",
                             asked.address);
    int64_t now = clock_now();
    int64_t until = asked.wait < INT64_MAX - now ? now + asked.wait : INT64_MAX;
    do {
        int64_t left = until - clock_now();
        if (healthy(&to, len, asked.wait && left < PATIENCE ? left : PATIENCE))
            return 0;
        if (asked.wait)
            usleep(PAUSE_US);
    } while (clock_now() < until);
    command_error("healthcheck", "no answer from /healthz at %s", asked.address);
    return 1;
}
