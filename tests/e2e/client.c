/* client.c - see client.h.
 *
 * For TLS, the bytes of the socket go into c->raw, and GnuTLS pulls from there: it is told "try
 * again" when that is empty, and never of the FIN. So an end of data from GnuTLS can only be a
 * close_notify, and a bare FIN leaves the session usable, as the scenarios of stale use need it.
 */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

#define ATTEMPT_MS 2500 /* to connect: a SYN is sent again within it */

static ssize_t pull(gnutls_transport_ptr_t ptr, void *out, size_t n)
{
    struct client *c = ptr;
    size_t have = buf_len(&c->raw);

    if (have == 0) {
        gnutls_transport_set_errno(c->tls, EAGAIN);
        return -1;
    }
    if (n > have)
        n = have;
    memcpy(out, buf_bytes(&c->raw), n);
    buf_consume(&c->raw, n);
    return (ssize_t)n;
}

static void note_rst(struct client *c)
{
    if (!c->rst)
        c->rst_at = clock_now();
    c->rst = true;
}

/* Waits at most until then for the events; returns poll's revents. */
static short wait_for(const struct client *c, short events, int64_t until)
{
    for (;;) {
        int64_t left = until - clock_now();
        struct timespec span = { .tv_sec = 0 };
        struct pollfd pfd = { .fd = c->fd, .events = events };

        if (left > 0)
            span = (struct timespec){ .tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S };
        int n = ppoll(&pfd, 1, &span, NULL);
        if (n > 0)
            return pfd.revents;
        if (n == 0)
            return 0;
    }
}

static int send_raw(struct client *c, const uint8_t *bytes, size_t n)
{
    int64_t until = in_ms(PATIENCE_MS);

    while (n > 0) {
        ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            bytes += sent;
            n -= (size_t)sent;
        } else if (errno == EAGAIN) {
            if (!wait_for(c, POLLOUT, until))
                return -ETIMEDOUT;
        } else {
            int error = errno;
            if (error == ECONNRESET || error == EPIPE)
                note_rst(c);
            return -error;
        }
    }
    return 0;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const void *bytes, size_t n)
{
    struct client *c = ptr;
    int error = send_raw(c, bytes, n);

    if (error < 0) {
        gnutls_transport_set_errno(c->tls, -error);
        return -1;
    }
    return (ssize_t)n;
}

static void note_alert(struct client *c)
{
    c->alert = (int)gnutls_alert_get(c->tls);
}

/* Decrypts what has come. */
static void decrypt(struct client *c)
{
    uint8_t plain[16384];

    while (!c->tls_error && !c->close_notify) {
        ssize_t n = gnutls_record_recv(c->tls, plain, sizeof plain);
        if (n > 0) {
            buf_add(&c->in, plain, (size_t)n);
        } else if (n == 0) {
            c->close_notify = true;
            c->close_notify_at = clock_now();
        } else if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED) {
            if (buf_len(&c->raw) == 0)
                return;
        } else if (n == GNUTLS_E_WARNING_ALERT_RECEIVED || n == GNUTLS_E_FATAL_ALERT_RECEIVED) {
            note_alert(c);
            if (n == GNUTLS_E_FATAL_ALERT_RECEIVED)
                c->tls_error = (int)n;
        } else {
            c->tls_error = (int)n;
        }
    }
}

/* One reading from the socket. Returns false when there was nothing to note. */
static bool receive(struct client *c)
{
    uint8_t bytes[65536];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n > 0) {
        c->raw_in += (uint64_t)n;
        c->last_byte_at = clock_now();
        buf_add(c->tls ? &c->raw : &c->in, bytes, (size_t)n);
        return true;
    }
    if (n == 0) {
        c->fin = true;
        c->fin_at = clock_now();
        return true;
    }
    if (errno == ECONNRESET || errno == EPIPE) {
        note_rst(c);
        return true;
    }
    return false;
}

/* After a FIN only an error can still come; POLLIN would stay set for ever. */
static bool look_raw(struct client *c, int64_t until)
{
    for (;;) {
        if (c->fd < 0 || c->rst)
            return false;
        short seen = wait_for(c, c->fin ? 0 : POLLIN, until);
        if (!seen)
            return false;
        if (c->fin) {
            int error = 0;
            socklen_t len = sizeof error;
            getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
            if (!error)
                return false; /* both sides are closed: nothing can come any more */
            note_rst(c);
            return true;
        }
        if (receive(c))
            return true;
    }
}

bool client_look(struct client *c, int64_t until)
{
    bool seen = look_raw(c, until);

    if (seen && c->tls)
        decrypt(c);
    return seen;
}

bool client_wait_bytes(struct client *c, size_t n, int64_t until)
{
    while (buf_len(&c->in) < n)
        if (c->fin || !client_look(c, until))
            return false;
    return true;
}

bool client_wait_fin(struct client *c, int64_t until)
{
    while (!c->fin && client_look(c, until))
        ;
    return c->fin;
}

bool client_wait_rst(struct client *c, int64_t until)
{
    while (!c->rst && client_look(c, until))
        ;
    return c->rst;
}

bool client_wait_end(struct client *c, int64_t until)
{
    while (!c->rst && !c->fin && client_look(c, until))
        ;
    return c->rst || c->fin;
}

bool client_silent(struct client *c, int64_t until)
{
    int64_t now = clock_now();

    /* What is seen when this process wakes up late may have come after that time. */
    if (client_look(c, now))
        return now > until;
    return !client_look(c, until) || clock_now() > until;
}

int client_send(struct client *c, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;

    if (!c->tls)
        return send_raw(c, bytes, n);
    while (n > 0) {
        ssize_t sent = gnutls_record_send(c->tls, p, n);
        if (sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED)
            continue;
        if (sent < 0)
            return c->rst ? -ECONNRESET : -EIO;
        p += sent;
        n -= (size_t)sent;
    }
    return 0;
}

int client_text(struct client *c, const char *text)
{
    return client_send(c, text, strlen(text));
}

size_t client_fill(struct client *c, const void *bytes, size_t n)
{
    size_t taken = 0;
    ssize_t sent;

    while ((sent = send(c->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT)) >= 0)
        taken += (size_t)sent;
    return taken;
}

unsigned client_unacked(const struct client *c)
{
    struct tcp_info info = { .tcpi_state = 0 };
    socklen_t len = sizeof info;

    getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len);
    return info.tcpi_unacked;
}

/* The kernel tells nobody of an ACK: ask again every millisecond, without reading. */
bool client_wait_acked(struct client *c, int64_t until)
{
    for (;;) {
        int queued = 0;
        if (ioctl(c->fd, SIOCOUTQ, &queued) < 0)
            return false;
        if (queued == 0)
            return true;
        if (clock_now() >= until)
            return false;
        poll(NULL, 0, 1);
    }
}

void client_shut(struct client *c)
{
    shutdown(c->fd, SHUT_WR);
}

void client_bye(struct client *c)
{
    gnutls_bye(c->tls, GNUTLS_SHUT_WR);
}

void client_drop(struct client *c)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    client_close(c);
}

uint16_t client_port(const struct client *c)
{
    struct sockaddr_in name = { .sin_port = 0 };
    socklen_t len = sizeof name;

    getsockname(c->fd, (struct sockaddr *)&name, &len);
    return ntohs(name.sin_port);
}

uint16_t client_free_port(void)
{
    struct sockaddr_in any = { .sin_family = AF_INET };
    struct client c = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };

    check(bind(c.fd, (struct sockaddr *)&any, sizeof any) == 0, "bind: %s", strerror(errno));
    uint16_t port = client_port(&c);
    close(c.fd);
    return port;
}

void client_alpn(const struct client *c, char out[32])
{
    gnutls_datum_t name = { .data = NULL };

    out[0] = '\0';
    if (c->tls && gnutls_alpn_get_selected_protocol(c->tls, &name) == 0)
        snprintf(out, 32, "%.*s", (int)name.size, (char *)name.data);
}

bool client_session(struct client *c, gnutls_datum_t *out)
{
    /* TLS 1.3 tickets come after the handshake. */
    int64_t until = in_ms(PATIENCE_MS);
    while (gnutls_protocol_get_version(c->tls) == GNUTLS_TLS1_3 &&
           !(gnutls_session_get_flags(c->tls) & GNUTLS_SFLAGS_SESSION_TICKET))
        if (!client_look(c, until))
            return false;
    return gnutls_session_get_data2(c->tls, out) == 0;
}

/* What became of a connect() that goes on by itself: 0 or an errno. */
static int connected(const struct client *c, int64_t until)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (!wait_for(c, POLLOUT, until))
        return ETIMEDOUT;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    return error;
}

/* An attempt, from a port of its own. Returns 0 or an errno. */
static int attempt(struct client *c, const struct client_options *o, uint16_t port, int64_t until)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(o->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_in6 to6 = { .sin6_family = AF_INET6,
                                .sin6_port = htons(o->port),
                                .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    const struct sockaddr *name = o->v6 ? (struct sockaddr *)&to6 : (struct sockaddr *)&to;
    int on = 1;

    c->fd = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        return errno;
    if (o->source || port) {
        struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = htons(port) };
        if (o->source)
            inet_pton(AF_INET, o->source, &from.sin_addr);
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        setsockopt(c->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(c->fd, (struct sockaddr *)&from, sizeof from) < 0)
            return errno;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int error = connect(c->fd, name, o->v6 ? sizeof to6 : sizeof to) < 0 ? errno : 0;
    return error == EINPROGRESS ? connected(c, until) : error;
}

/* The kernel may give a client the port of one before it, whose connection the server still has in
 * a black hole, and that swallows the SYN: so one that is not answered is given up, and another
 * port is tried. */
static bool tcp_connect(struct client *c, const struct client_options *o)
{
    int64_t until = in_ms(o->patience_ms ? o->patience_ms : CONNECT_MS);
    uint16_t port = o->source_port;
    int error;

    while ((error = attempt(c, o, port, o->patience_ms ? until : in_ms(ATTEMPT_MS))) == ETIMEDOUT) {
        if (clock_now() >= until)
            return false;
        close(c->fd);
        port = 0;
    }
    if (error == ECONNREFUSED || error == ECONNRESET)
        note_rst(c);
    return !error && fcntl(c->fd, F_SETFL, 0) == 0;
}

static bool tls_prepare(struct client *c, const struct client_options *o)
{
    gnutls_datum_t names[3];
    unsigned count = 0;
    const char *versions =
        o->tls == CLIENT_TLS12 ? "NORMAL:-VERS-ALL:+VERS-TLS1.2" : "NORMAL:-VERS-ALL:+VERS-TLS1.3";

    if (gnutls_init(&c->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0 ||
        gnutls_priority_set_direct(c->tls, versions, NULL) < 0 ||
        gnutls_certificate_allocate_credentials(&c->credentials) < 0 ||
        gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, c->credentials) < 0)
        return false;
    gnutls_server_name_set(c->tls, GNUTLS_NAME_DNS, "localhost", 9);
    if (o->ca) {
        if (gnutls_certificate_set_x509_trust_file(c->credentials, o->ca, GNUTLS_X509_FMT_PEM) < 1)
            return false;
        gnutls_session_set_verify_cert(c->tls, "localhost", 0);
    }
    for (; count < 3 && o->alpn[count]; count++)
        names[count] = (gnutls_datum_t){ .data = (unsigned char *)o->alpn[count],
                                         .size = (unsigned)strlen(o->alpn[count]) };
    if (count > 0)
        gnutls_alpn_set_protocols(c->tls, names, count, 0);
    if (o->session)
        gnutls_session_set_data(c->tls, o->session->data, o->session->size);
    gnutls_transport_set_ptr(c->tls, c);
    gnutls_transport_set_pull_function(c->tls, pull);
    gnutls_transport_set_push_function(c->tls, push);
    return true;
}

static bool tls_handshake(struct client *c, int64_t until)
{

    for (;;) {
        int result = gnutls_handshake(c->tls);
        if (result == 0)
            return true;
        if (result == GNUTLS_E_WARNING_ALERT_RECEIVED || result == GNUTLS_E_FATAL_ALERT_RECEIVED)
            note_alert(c);
        if (gnutls_error_is_fatal(result)) {
            c->tls_error = result;
            return false;
        }
        if (buf_len(&c->raw) == 0 && !look_raw(c, until))
            return false;
        if (c->rst || (c->fin && buf_len(&c->raw) == 0))
            return false;
    }
}

bool client_connect(struct client *c, const struct client_options *o)
{
    *c = (struct client){ .fd = -1, .alert = -1 };
    if (!tcp_connect(c, o))
        return false;
    if (o->tls == CLIENT_CLEARTEXT)
        return true;
    int64_t until = in_ms(o->patience_ms ? o->patience_ms : PATIENCE_MS);
    if (!tls_prepare(c, o) || !tls_handshake(c, until))
        return false;
    decrypt(c); /* what came right behind the handshake */
    return true;
}

static ssize_t keep_bytes(gnutls_transport_ptr_t ptr, const void *bytes, size_t n)
{
    buf_add(ptr, bytes, n);
    return (ssize_t)n;
}

static ssize_t no_bytes(gnutls_transport_ptr_t ptr, void *bytes, size_t n)
{
    errno = EAGAIN;
    return -1;
}

void client_hello(struct buf *out, const void *name, size_t n, const gnutls_datum_t *alpn,
                  unsigned alpn_count)
{
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    struct buf made = { .data = NULL };
    char stands_in[255]; /* GnuTLS takes no name that is not one */

    memset(stands_in, 'x', sizeof stands_in);
    gnutls_certificate_allocate_credentials(&credentials);
    gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
    gnutls_set_default_priority(session);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
    if (n)
        gnutls_server_name_set(session, GNUTLS_NAME_DNS, stands_in, n);
    if (alpn_count)
        gnutls_alpn_set_protocols(session, alpn, alpn_count, 0);
    gnutls_transport_set_ptr(session, &made);
    gnutls_transport_set_push_function(session, keep_bytes);
    gnutls_transport_set_pull_function(session, no_bytes);
    gnutls_handshake(session);
    gnutls_deinit(session);
    gnutls_certificate_free_credentials(credentials);
    uint8_t *place = n ? memmem(made.data, made.end, stands_in, n) : NULL;
    if (place)
        memcpy(place, name, n);
    check(buf_len(&made) && (place || !n), "GnuTLS made no such ClientHello");
    buf_add(out, buf_bytes(&made), buf_len(&made));
    buf_free(&made);
}

const char *client_story(const struct client *c)
{
    static char text[200];

    snprintf(text, sizeof text,
             "saw %llu bytes on the socket, %zu unread in plain; FIN %s, RST %s, close_notify %s, "
             "alert %d, TLS error %s",
             (unsigned long long)c->raw_in, buf_len(&c->in), c->fin ? "yes" : "no",
             c->rst ? "yes" : "no", c->close_notify ? "yes" : "no", c->alert,
             c->tls_error ? gnutls_strerror_name(c->tls_error) : "none");
    return text;
}

void client_close(struct client *c)
{
    if (c->tls)
        gnutls_deinit(c->tls);
    if (c->credentials)
        gnutls_certificate_free_credentials(c->credentials);
    buf_free(&c->raw);
    buf_free(&c->in);
    if (c->fd > 0)
        close(c->fd);
    *c = (struct client){ .fd = -1 };
}
