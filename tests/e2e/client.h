/* client.h - a raw client: one TCP connection, cleartext or TLS, with nothing between the test and
 * the wire.
 *
 * It notes what comes, with the time it was seen: bytes, FIN, RST, TLS close_notify and alerts.
 * It never reacts by itself: no close on FIN, no alert, no retry. Times are on clock_now()'s
 * clock; "until" is such a time, and in_ms() makes one.
 */
#pragma once

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"

/* How long a test waits for what must come, and how late a fault with a time may be. */
#define PATIENCE_MS 8000
#define LATE_MS     2000
#define CONNECT_MS  60000

enum client_tls { CLIENT_CLEARTEXT, CLIENT_TLS12, CLIENT_TLS13 };

struct client_options {
    uint16_t port;
    enum client_tls tls;
    const char *alpn[3];     /* offered in this order; {NULL}: no ALPN extension */
    const char *ca;          /* verify the server's certificate against this file; NULL: do not */
    bool v6;                 /* connect to ::1, not 127.0.0.1 */
    const char *source;      /* address to connect from; NULL: whatever the kernel picks */
    uint16_t source_port;    /* for the first attempt; 0: likewise */
    gnutls_datum_t *session; /* resume this one (client_session); NULL: a full handshake */
    int64_t patience_ms;     /* for connecting, from one port, and as much for the handshake; 0:
                              * CONNECT_MS, from several, and PATIENCE_MS */
};

struct client {
    int fd;
    gnutls_session_t tls; /* NULL on a cleartext connection */
    gnutls_certificate_credentials_t credentials;
    struct buf raw; /* TLS records received and not yet decrypted */
    struct buf in;  /* plaintext received and not yet consumed */

    uint64_t raw_in;   /* bytes received on the socket so far, TLS included */
    bool fin, rst;     /* seen, at fin_at and rst_at */
    bool close_notify; /* likewise */
    int alert;         /* another TLS alert that came, -1: none */
    int tls_error;     /* GnuTLS's code when the TLS stream broke, else 0 */
    int64_t last_byte_at, fin_at, rst_at, close_notify_at;
};

static inline int64_t in_ms(int64_t ms)
{
    return clock_now() + ms * NS_PER_MS;
}

/* Connects and, with TLS, completes the handshake. Returns false when either failed (c then tells
 * how: rst, fin, alert, tls_error); client_close is due in both cases. */
bool client_connect(struct client *c, const struct client_options *options);

/* Waits for the next thing to note. False: nothing at all came until then, or nothing can come any
 * more. */
bool client_look(struct client *c, int64_t until);

/* Looks until it was seen (true) or the time came. What comes before is kept in c->in. */
bool client_wait_bytes(struct client *c, size_t n, int64_t until);
bool client_wait_fin(struct client *c, int64_t until);
bool client_wait_rst(struct client *c, int64_t until);
/* FIN or RST, whichever comes first. */
bool client_wait_end(struct client *c, int64_t until);

/* True when nothing at all was seen until then: no byte, no FIN, no RST. */
bool client_silent(struct client *c, int64_t until);

/* Sends all of it. Returns 0 or -errno (a reset is also noted in c->rst). */
int client_send(struct client *c, const void *bytes, size_t n);
int client_text(struct client *c, const char *text);

/* Sends these bytes again and again, on a cleartext connection, until the kernel takes no more.
 * Returns how much it took. */
size_t client_fill(struct client *c, const void *bytes, size_t n);

/* Segments sent and not ACKed by the server's kernel. */
unsigned client_unacked(const struct client *c);
/* Waits until the server's kernel has ACKed all. */
bool client_wait_acked(struct client *c, int64_t until);

/* The client's own end: FIN, close_notify, RST. */
void client_shut(struct client *c);
void client_bye(struct client *c);
void client_drop(struct client *c);

/* The port it connected from. */
uint16_t client_port(const struct client *c);
/* One that nobody has, to connect from; nothing is left of whoever had it. */
uint16_t client_free_port(void);
/* What ALPN agreed on, "" for nothing. */
void client_alpn(const struct client *c, char out[32]);
/* What a later client may resume with; free with gnutls_free(out->data). */
bool client_session(struct client *c, gnutls_datum_t *out);

/* Appends a whole ClientHello in its TLS record, as GnuTLS makes it by default, that asks for a
 * server of this name (n: 0: none, at most 255) and offers these protocols, whatever bytes they
 * are. */
void client_hello(struct buf *out, const void *name, size_t n, const gnutls_datum_t *alpn,
                  unsigned alpn_count);

/* What it has seen, in words, for messages. Static memory. */
const char *client_story(const struct client *c);

/* Closes the descriptor and frees. Harmless on a zeroed or closed one. */
void client_close(struct client *c);
