/* command_healthcheck.c - `hangup healthcheck`: asks a server whether it is alive. */
#include "commands.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

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

static bool healthy(const struct sockaddr_storage *to, socklen_t len)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
                                  "Connection: close\r\n\r\n";
    struct timeval patience = { .tv_sec = 3 };
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

int command_healthcheck(int argc, char **argv)
{
    const char *address = "localhost:9000";
    if (argc == 2 && strcmp(argv[0], "--admin") == 0) {
        address = argv[1];
    } else if (argc != 0) {
        fprintf(stderr, "hangup healthcheck: %s: only --admin ADDR is allowed\n", argv[0]);
        return 2;
    }
    struct sockaddr_storage to;
    socklen_t len = address_of(address, &to);
    if (!len) {
        fprintf(
            stderr,
            "hangup healthcheck: --admin: \"%s\" is no address; allowed: PORT, :PORT, IPV4:PORT, "
            "[IPV6]:PORT or localhost:PORT\n",
            address);
        return 2;
    }
    if (healthy(&to, len))
        return 0;
    fprintf(stderr, "hangup healthcheck: no answer from /healthz at %s\n", address);
    return 1;
}
