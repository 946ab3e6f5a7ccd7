#include "cli/http.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/token.h"

#define HEAD_MAX     ((size_t)64 * 1024)
#define BODY_MAX     ((size_t)256 * 1024 * 1024)
#define DEFAULT_PORT "9000"
#define ALLOWED      "a URL such as http://localhost:9000"

/* --- Where */

static int not_found(struct refusal *why, const char *option, const char *url, const char *what)
{
    return refuse(why, option, ALLOWED, "\"%.120s\": %s", url, what);
}

/* Returns 0 or an error of getaddrinfo(). */
static int look_up(struct http *h, const char *name, const char *port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    int error = getaddrinfo(name, port, &hints, &found);
    for (struct addrinfo *a = found; a && h->address_count < HTTP_ADDRESSES; a = a->ai_next)
        if (a->ai_family == AF_INET || a->ai_family == AF_INET6)
            h->addresses[h->address_count++] = address_of(a->ai_addr);
    if (found)
        freeaddrinfo(found);
    return error;
}

/* Without a look-up: a root without /etc/hosts resolves no "localhost". */
static void take_loopback(struct http *h, uint16_t port)
{
    static const int families[] = { AF_INET6, AF_INET };
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        union address *a = &h->addresses[h->address_count++];
        address_set_loopback(a, families[i]);
        address_set_port(a, port);
    }
}

int http_find(struct http *h, const char *url, const char *option, struct refusal *why)
{
    const char *text = strncmp(url, "http://", 7) == 0 ? url + 7 : url;
    size_t len = strcspn(text, "/");
    char host[HTTP_HOST_MAX + 1], name[HTTP_HOST_MAX + 1];
    if (strstr(url, "://") && text == url)
        return not_found(why, option, url, "the admin API speaks http");
    if (len == 0 || text[0] == ':' || len >= sizeof host ||
        strcmp(text + len, text[len] ? "/" : "") != 0)
        return not_found(why, option, url, "it names no host and port alone");
    memcpy(host, text, len);
    host[len] = '\0';
    char *colon = strrchr(host, ':');
    const char *port = colon && !strchr(colon, ']') ? colon + 1 : NULL;
    size_t end = port ? (size_t)(colon - host) : len;
    /* getaddrinfo takes 65537 for 1. */
    if (port && (strspn(port, "0123456789") != strlen(port) || strlen(port) > 5 || atoi(port) < 1 ||
                 atoi(port) > UINT16_MAX))
        return not_found(why, option, url, "its port is not from 1 to 65535");
    bool brackets = end > 2 && host[0] == '[' && host[end - 1] == ']';
    snprintf(name, sizeof name, "%.*s", (int)(end - 2 * brackets), host + brackets);
    if (!port)
        port = DEFAULT_PORT;
    h->address_count = 0;
    int error = 0;
    if (address_is_localhost(name))
        take_loopback(h, (uint16_t)atoi(port));
    else
        error = look_up(h, name, port);
    if (error)
        return not_found(why, option, url, gai_strerror(error));
    snprintf(h->host, sizeof h->host, "%.*s:%s", (int)end, host, port);
    return 0;
}

/* --- A call */

/* Waits until the socket is ready. Returns 0 or -errno. */
static int await(int fd, short events, int64_t until)
{
    struct pollfd can = { .fd = fd, .events = events };
    int64_t left = until - clock_now();
    int ready = left > 0 ? poll(&can, 1, (int)(left / NS_PER_MS + 1)) : 0;
    return ready > 0 ? 0 : ready == 0 ? -ETIMEDOUT : -errno;
}

static int connect_to_one(const union address *to, int64_t until)
{
    int error = 0;
    socklen_t len = sizeof error;
    int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, &to->any, address_len(to)) != 0)
        error = errno == EINPROGRESS ? -await(fd, POLLOUT, until) : errno;
    if (!error)
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (!error)
        return fd;
    close(fd);
    return -error;
}

static int connect_to(const struct http *h, int64_t until)
{
    int fd = -EADDRNOTAVAIL;
    for (unsigned i = 0; fd < 0 && fd != -EINTR && i < h->address_count; i++)
        fd = connect_to_one(&h->addresses[i], until);
    return fd;
}

static int send_all(int fd, const struct buf *bytes, int64_t until)
{
    size_t sent = 0;
    while (sent < buf_len(bytes)) {
        ssize_t n = send(fd, buf_bytes(bytes) + sent, buf_len(bytes) - sent, MSG_NOSIGNAL);
        if (n > 0) {
            sent += (size_t)n;
        } else if (errno == EAGAIN) {
            int error = await(fd, POLLOUT, until);
            if (error)
                return error;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

/* All of it, to the end of the connection. */
static int receive_all(int fd, struct buf *out, int64_t until)
{
    for (;;) {
        if (buf_len(out) > HEAD_MAX + BODY_MAX)
            return -EMSGSIZE;
        if (buf_reserve(out, 16384))
            return -ENOMEM;
        ssize_t n = recv(fd, out->data + out->end, out->size - out->end, 0);
        if (n > 0) {
            out->end += (size_t)n;
        } else if (n == 0) {
            return 0;
        } else if (errno == EAGAIN) {
            int error = await(fd, POLLIN, until);
            if (error)
                return error;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
}

/* --- A response */

/* The value of a header field in the head, up to its line's end; NULL: it has none. */
static const char *field(const char *head, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':')
            return line + 3 + len + strspn(line + 3 + len, " ");
    return NULL;
}

/* Puts a body of chunks together. False: it did not come whole. */
static bool join_chunks(struct buf *all, struct buf *out)
{
    for (;;) {
        const char *text = (const char *)buf_bytes(all);
        const char *end = buf_len(all) ? memmem(text, buf_len(all), "\r\n", 2) : NULL;
        if (!end)
            return false;
        char *behind;
        unsigned long n = strtoul(text, &behind, 16);
        buf_consume(all, (size_t)(end - text) + 2);
        if (behind == text || n + 2 > buf_len(all))
            return behind != text && n == 0;
        buf_add(out, buf_bytes(all), n);
        buf_consume(all, n + 2);
        if (n == 0)
            return true;
    }
}

/* Takes a response apart. Returns 0 or -EPROTO. */
static int read_response(struct buf *all, struct http_response *out)
{
    const char *text = (const char *)buf_bytes(all);
    char *end = buf_len(all) ? memmem(text, buf_len(all), "\r\n\r\n", 4) : NULL;
    if (!end || strncmp(text, "HTTP/1.1 ", 9) != 0)
        return -EPROTO;
    end[2] = '\0';
    const char *type = field(text, "content-type"), *length = field(text, "content-length");
    const char *coding = field(text, "transfer-encoding");
    bool chunked = coding && strncasecmp(coding, "chunked", 7) == 0;
    size_t whole = length ? strtoul(length, NULL, 10) : 0;
    out->status = atoi(text + 9);
    out->json = type && (strncasecmp(type, "application/json", 16) == 0 ||
                         strncasecmp(type, "application/problem+json", 24) == 0);
    buf_consume(all, (size_t)(end - text) + 4);
    if (chunked ? !join_chunks(all, &out->body) : length && buf_len(all) < whole)
        return -EPROTO;
    if (!chunked)
        buf_add(&out->body, buf_bytes(all), length ? whole : buf_len(all));
    return out->body.failed ? -ENOMEM : 0;
}

int http_take_token(struct http *h, struct refusal *why)
{
    const char *token = getenv("HANGUP_ADMIN_TOKEN");
    h->token = token && *token ? token : NULL;
    if (h->token && !token_is_valid(h->token))
        return refuse(why, "HANGUP_ADMIN_TOKEN", TOKEN_ALLOWED, TOKEN_REFUSED);
    return 0;
}

int http_call(const struct http *h, const char *method, const char *path, const char *body,
              const char *accept, struct http_response *out)
{
    struct buf request = { 0 }, all = { 0 };
    struct http_response response = { .status = 0 };
    int64_t until = clock_now() + h->patience;
    buf_printf(&request, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nAccept: %s\r\n",
               method, path, h->host, accept ? accept : "application/json");
    if (h->token)
        buf_printf(&request, "Authorization: Bearer %s\r\n", h->token);
    if (body)
        buf_printf(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                   strlen(body));
    buf_printf(&request, "\r\n%s", body ? body : "");
    int fd = request.failed ? -ENOMEM : connect_to(h, until);
    int error = fd < 0 ? fd : send_all(fd, &request, until);
    if (!error)
        error = receive_all(fd, &all, until);
    if (!error)
        error = read_response(&all, &response);
    if (fd >= 0)
        close(fd);
    buf_free(&request);
    buf_free(&all);
    if (error)
        http_free(&response);
    else
        *out = response;
    return error;
}

void http_free(struct http_response *r)
{
    buf_free(&r->body);
}
