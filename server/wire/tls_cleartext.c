/* tls_cleartext.c - what comes to a TLS port and is no TLS. The owner knows what it may be, and
 * what to answer; it is asked with each reading until it has said so.
 */
#include <errno.h>
#include <string.h>

#include "wire/wire_impl.h"

/* The types of TLS records are control characters, and neither CR nor LF (RFC 8446 5.1). */
static bool begins_like_text(uint8_t first)
{
    return (first > 0x20 && first < 0x7f) || first == '\r' || first == '\n';
}

static void ask_owner(struct wire *w)
{
    if (buf_add(&w->early, w->in, w->in_len) < 0) {
        wire_end_error(w, WIRE_LAST_QUIET, BY_SERVER, ENOMEM);
        return;
    }
    w->calls->in_cleartext(w->owner, buf_bytes(&w->early), buf_len(&w->early));
    if (w->state == WIRE_HANDSHAKE &&
        buf_len(&w->early) > LIMIT_CLEARTEXT) /* nor will it know later */
        wire_refuse_cleartext(w, "what the client sent is no TLS", NULL, 0);
}

bool wire_tls_in_cleartext(struct wire *w)
{
    if (!w->began && w->state == WIRE_HANDSHAKE && w->in_len > 0) {
        w->began = true;
        w->in_cleartext = w->calls->in_cleartext && begins_like_text(*w->in);
    }
    if (!w->in_cleartext)
        return false;
    if (wire_row(w)->held)
        wire_hold(w, w->in, w->in_len);
    else if (w->state == WIRE_HANDSHAKE)
        ask_owner(w);
    w->in_len = 0;
    return true;
}

void wire_refuse_cleartext(struct wire *w, const char *why, const void *response, size_t n)
{
    if (w->state != WIRE_HANDSHAKE)
        return;
    if (n == 0) {
        wire_tls_fail(w, GNUTLS_E_UNEXPECTED_PACKET, why);
        return;
    }
    wire_tls_ledger_failed(w, why, -1);
    w->tls_done = true;
    wire_put(w, response, n, false);
    if (w->state == WIRE_HANDSHAKE)
        wire_begin_ending(w);
}
