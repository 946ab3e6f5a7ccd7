/* run_peer.h - a client of a run over h1 or h2, cleartext or TLS, that decides how its bytes are
 * split into records and segments.
 */
#pragma once

#include <gnutls/gnutls.h>
#include <netinet/tcp.h>

#include "run_client.h"

#include "minted_server.h"
#include "tests/count.h"

enum over { CLEARTEXT, TLS12, TLS13, OVERS };
enum http { H1, H2, HTTPS };
extern const char *const over_names[OVERS];
extern const char *const http_names[2];

/* --- A client whose records are gathered, and sent when it says so */

struct peer {
    enum over over;
    enum http http;
    int fd;
    gnutls_session_t tls;
    int handshaken; /* what gnutls_handshake() said last */
    gnutls_certificate_credentials_t trust;
    struct buf out;
    bool gathers;
    uint32_t stream;
    uint64_t since; /* the ledger's last event when it connected */
};

/* One record (cleartext: no boundary) of these bytes. */
void peer_record(struct peer *p, const void *bytes, size_t n);

/* Records of at most each bytes. */
void peer_records(struct peer *p, const struct buf *bytes, size_t each);

/* Waits until the ledger has so many events of this name since the client connected. */
bool peer_sees(struct peer *p, const char *name, size_t count);

/* All that was gathered, in one segment. */
void peer_send_out(struct peer *p);

/* Connects it; over TLS it has done the handshake, and over h2 exchanged SETTINGS. */
void open_peer(struct peer *p, enum over over, enum http http);
void close_peer(struct peer *p);

/* --- Requests */

/* An h2 frame. */
void peer_frame(struct buf *to, uint8_t type, uint8_t flags, uint32_t stream, const void *payload,
                size_t n);

/* Every second one has a body; over h2 every third a header section in two frames. */
void peer_add_request(struct peer *p, struct buf *to, unsigned nth);
