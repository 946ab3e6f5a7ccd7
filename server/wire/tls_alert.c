/* tls_alert.c - what a client says when it does not want our TLS, and what it means.
 *
 * The first mistake of everybody is a client that does not trust the local CA. It shows in
 * three ways: an alert about the certificate, encrypted or (OpenSSL in TLS 1.3) in cleartext; an
 * end without a word behind our certificate; and the same behind a complete handshake, where a
 * client looks at the certificate only then (Node). Only the first is certain.
 */
#include "wire/tls_alert.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "wire/wire_impl.h"

#define RIGHT_AFTER NS_PER_S /* an end so soon behind the handshake belongs to it */

const char *tls_alert_name(int description)
{
    static char number[12];
    switch (description) {
#define X(value, name)                                                                             \
    case value:                                                                                    \
        return #name;
        TLS_ALERTS_OF_SERVERS(X)
        TLS_ALERTS_BESIDE(X)
#undef X
    default:
        snprintf(number, sizeof number, "%d", description);
        return number;
    }
}

static bool is_about_certificate(int description)
{
    return description == TLS_ALERT_unknown_ca || (description >= TLS_ALERT_bad_certificate &&
                                                   description <= TLS_ALERT_certificate_unknown);
}

static void ask_about_trust(const struct wire *w, const char *what)
{
    static struct log_gate gate;
    const char *ca = w->server->ca_file;
    log_sometimes(&gate, LOG_WARN,
                  "connection %llu: %s. Does the client trust %s, and connect by a name that the "
                  "certificate has? certs/README.md tells how",
                  (unsigned long long)w->id, what,
                  ca ? ca : "the CA that signed the certificate of --cert");
}

void wire_tls_ledger_failed(struct wire *w, const char *why, int sent)
{
    w->failed_told = true;
    ledger_begin(w->ledger, EV_TLS_FAILED, w->id, 0);
    ledger_text(w->ledger, F_WHY, why);
    if (sent >= 0)
        ledger_text(w->ledger, F_SENT_ALERT, tls_alert_name(sent));
    ledger_commit(w->ledger);
}

void wire_tls_ledger_alert(struct wire *w, int description, bool last)
{
    char why[96];
    const char *name = tls_alert_name(description);
    bool closed = description == TLS_ALERT_close_notify;
    ledger_begin(w->ledger, closed ? EV_PEER_CLOSE_NOTIFY : EV_PEER_ALERT, w->id, 0);
    if (!closed)
        ledger_text(w->ledger, F_ALERT, name);
    wire_ledger_fault(w);
    if (closed)
        wire_ledger_behind(w);
    ledger_commit(w->ledger);
    if (!last)
        return;
    if (is_about_certificate(description)) {
        snprintf(why, sizeof why, "the client refused our certificate: %s", name);
        ask_about_trust(w, why);
    } else {
        snprintf(why, sizeof why, "the client ended it: %s", name);
    }
    if (!w->established)
        wire_tls_ledger_failed(w, why, -1);
}

/* Was our certificate the last thing that was said in this handshake? */
static bool certificate_is_out(const struct wire *w)
{
    if (w->tls_done || !w->hello_seen || w->bytes_out == 0 || gnutls_session_is_resumed(w->tls))
        return false;
    switch (gnutls_handshake_get_last_out(w->tls)) {
    case GNUTLS_HANDSHAKE_SERVER_HELLO_DONE: /* TLS 1.2 */
    case GNUTLS_HANDSHAKE_FINISHED:
    case GNUTLS_HANDSHAKE_NEW_SESSION_TICKET:
        return true;
    default:
        return false; /* a HelloRetryRequest, for one */
    }
}

/* Is the client gone behind a full handshake, in which it saw our certificate, with nothing said
 * but perhaps a close_notify? */
static bool left_at_once(const struct wire *w)
{
    return w->established && !w->heard && !gnutls_session_is_resumed(w->tls) &&
           clock_now() - w->established_at < RIGHT_AFTER;
}

const char *wire_tls_left(struct wire *w, enum ledger_by by)
{
    static const char after_certificate[] = "closed after our certificate: it may not trust the CA";
    if (!w->tls || by != BY_CLIENT || w->fault_since != TIME_NONE || w->failed_told)
        return NULL;
    if (!w->established && w->in_cleartext) {
        wire_tls_ledger_failed(w, "what the client sent is no TLS", -1);
    } else if (!w->established && certificate_is_out(w)) {
        wire_tls_ledger_failed(w, after_certificate, -1);
        ask_about_trust(w, "the client closed after our certificate");
        return after_certificate;
    } else if (left_at_once(w)) {
        ask_about_trust(w, "the client closed right after the handshake, with nothing said");
        return "closed right after the handshake, with nothing said: it may not trust the CA, or "
               "not take the name";
    }
    return NULL;
}
