/* hello.h - a wire in a TLS handshake, and its client. */
#pragma once

#include "bench.h"

/* Clients whose ClientHellos are answered in different ways: a full handshake, a HelloRetryRequest
 * (the only key share is for a group that we do not speak), a resumption by ticket. */
struct hello_kind {
    const char *priority;
    bool retries, resumes;
};
#define HELLO_KINDS 5
extern const struct hello_kind hello_kinds[HELLO_KINDS];
enum { TLS13, TLS12 }; /* the first two */

/* The client's session, which has said nothing yet. */
void hello_client(struct bench *b, const char *priority);
void hello_offer_h2(struct bench *b);

/* Connects a client of this kind. */
void hello_begin(struct bench *b, size_t kind, void (*at_hello)(struct bench *b));

/* For at_hello: stalls the wire. */
void hello_stall(struct bench *b);

/* Sends the ClientHello, which is read then, or was already. */
void hello_say(struct bench *b);

/* Continues with the client's handshake until it is done. Returns 0, or what stopped it;
 * GNUTLS_E_AGAIN: nothing, for long enough. */
int hello_shake(struct bench *b);

/* How many bytes the client reads of TLS, or why it does not; GNUTLS_E_AGAIN: none came for long
 * enough. */
ssize_t hello_hears(struct bench *b);

/* The handshake is completed, and bytes go both ways. */
void hello_works(struct bench *b);
