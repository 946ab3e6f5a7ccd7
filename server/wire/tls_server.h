/* tls_server.h - what is behind struct tls_server: for tls.c, which makes the sessions, and for
 * tls_server.c, which loads it. Everybody else includes tls.h.
 *
 * All of it is shared by the sessions and never changed once there are some, so it must outlive
 * every one of them:
 *     gnutls_priority_set(session, server->priority);
 *     gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, server->cred);
 *     gnutls_session_ticket_enable_server(session, &server->ticket_key);
 */
#pragma once

#include <gnutls/gnutls.h>

#include "wire/tls.h"

struct tls_server {
    gnutls_certificate_credentials_t cred;
    gnutls_priority_t priority;
    gnutls_datum_t ticket_key;
    struct keylog *keylog; /* NULL: none */
    const char *ca_file;   /* NULL: not ours */
};
