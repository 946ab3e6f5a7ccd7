/* mint.h - makes keys and certificates, in memory.
 *
 * Functions return 0 or -errno (-ENOMEM; -EIO when GnuTLS fails otherwise, which is logged); what
 * they give out is the caller's to deinit.
 */
#pragma once

#include <gnutls/x509.h>

#include "certs/names.h"

#define MINT_DAY            86400LL
#define MINT_SERVER_DAYS    397 /* the longest that Apple's clients accept */
#define MINT_AUTHORITY_DAYS 3652

/* ECDSA on P-256. */
int mint_key(gnutls_x509_privkey_t *out);

/* A self-signed CA certificate that may sign certificates, but no further CA. */
int mint_authority(gnutls_x509_privkey_t key, long long now, gnutls_x509_crt_t *out);

/* When a server certificate made now would expire: after 397 days, or with its CA. */
long long mint_server_expiry(gnutls_x509_crt_t ca, long long now);

/* A server certificate for these names and this key, signed by ca. */
int mint_server(gnutls_x509_privkey_t key, const struct names *names, long long now,
                gnutls_x509_crt_t ca, gnutls_x509_privkey_t ca_key, gnutls_x509_crt_t *out);

/* For gnutls_free(). */
int mint_key_pem(gnutls_x509_privkey_t key, gnutls_datum_t *out);
int mint_cert(gnutls_x509_crt_t cert, gnutls_x509_crt_fmt_t format, gnutls_datum_t *out);
