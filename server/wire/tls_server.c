#include "wire/tls_server.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define FILE_MAX     (1 << 20)
#define CERT_ALLOWED "a PEM file with the server's certificate first, then those that signed it"
#define KEY_ALLOWED  "a PEM file with the certificate's private key, without a password"

/* TLS 1.2 and 1.3 with forward secrecy and AEAD: what HTTP/2 allows (RFC 9113 9.2.2), every client
 * of the last ten years speaks, and a handshake is cheap with - no finite-field groups. Which of
 * them is used is the client's choice (no %SERVER_PRECEDENCE): a phone knows whether its processor
 * has AES. */
static const char priorities[] =
    "NONE:+VERS-TLS1.3:+VERS-TLS1.2:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AEAD:"
    "+ECDHE-ECDSA:+ECDHE-RSA:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1:"
    "+SIGN-ALL:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:+COMP-NULL:+CTYPE-X509";

struct option {
    const char *name, *file, *allowed;
};

struct chain {
    gnutls_x509_crt_t *certs;
    unsigned length;
};

static void free_chain(struct chain *chain)
{
    for (unsigned i = 0; i < chain->length; i++)
        gnutls_x509_crt_deinit(chain->certs[i]);
    gnutls_free(chain->certs);
}

static void free_key(gnutls_x509_privkey_t *key)
{
    gnutls_x509_privkey_deinit(*key);
}

static int refuse_option(const struct option *option, const char *what, struct refusal *why)
{
    return refuse(why, option->name, option->allowed, "%.160s %s", option->file, what);
}

static int read_file(const struct option *option, struct file *out, struct refusal *why)
{
    return file_take(option->name, option->file, FILE_MAX, FILE_ANY, option->allowed, out, why);
}

/* Clients will refuse it; but that may be just what is to be tested. */
static void warn_of_dates(const struct option *option, gnutls_x509_crt_t cert)
{
    time_t now = time(NULL);
    if (gnutls_x509_crt_get_expiration_time(cert) < now)
        log_warn("%s %s has expired", option->name, option->file);
    else if (gnutls_x509_crt_get_activation_time(cert) > now)
        log_warn("%s %s is not valid yet", option->name, option->file);
}

static int load_chain(const struct option *option, struct chain *out, struct refusal *why)
{
    __attribute__((cleanup(file_free))) struct file file = { 0 };
    int failed = read_file(option, &file, why);
    if (failed)
        return failed;
    const gnutls_datum_t pem = { (void *)file.bytes, (unsigned)file.len };
    struct chain chain = { 0 };
    int rc = gnutls_x509_crt_list_import2(&chain.certs, &chain.length, &pem, GNUTLS_X509_FMT_PEM,
                                          GNUTLS_X509_CRT_LIST_SORT);
    if (rc == GNUTLS_E_MEMORY_ERROR)
        return -ENOMEM;
    if (rc == GNUTLS_E_NO_CERTIFICATE_FOUND || rc == GNUTLS_E_BASE64_UNEXPECTED_HEADER_ERROR)
        return refuse_option(option, "holds no PEM certificate", why);
    if (rc < 0)
        return refuse(why, option->name, option->allowed, "%.120s holds no sound certificate: %s",
                      option->file, gnutls_strerror(rc));
    warn_of_dates(option, chain.certs[0]);
    *out = chain;
    return 0;
}

static int load_key(const struct option *option, gnutls_x509_privkey_t *out, struct refusal *why)
{
    __attribute__((cleanup(file_free))) struct file file = { 0 };
    int failed = read_file(option, &file, why);
    if (failed)
        return failed;
    const gnutls_datum_t pem = { (void *)file.bytes, (unsigned)file.len };
    if (gnutls_x509_privkey_init(out) < 0)
        return -ENOMEM;
    int rc = gnutls_x509_privkey_import2(*out, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (rc == GNUTLS_E_MEMORY_ERROR)
        return -ENOMEM;
    if (rc == GNUTLS_E_DECRYPTION_FAILED)
        return refuse_option(option, "is protected by a password", why);
    if (rc < 0)
        return refuse_option(option, "holds no sound PEM private key", why);
    return 0;
}

static int load_credentials(const char *cert_file, const char *key_file,
                            gnutls_certificate_credentials_t cred, struct refusal *why)
{
    const struct option cert = { "--cert", cert_file, CERT_ALLOWED };
    const struct option key = { "--key", key_file, KEY_ALLOWED };
    __attribute__((cleanup(free_chain))) struct chain chain = { 0 };
    __attribute__((cleanup(free_key))) gnutls_x509_privkey_t private = NULL;
    int failed = load_chain(&cert, &chain, why);
    if (!failed)
        failed = load_key(&key, &private, why);
    if (failed)
        return failed;
    int rc = gnutls_certificate_set_x509_key(cred, chain.certs, (int)chain.length, private);
    if (rc == GNUTLS_E_MEMORY_ERROR)
        return -ENOMEM;
    if (rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        return refuse(why, key.name, key.allowed,
                      "%.100s is not the key of the certificate in %.100s", key_file, cert_file);
    if (rc < 0)
        return refuse(why, cert.name, cert.allowed, "%.120s cannot be used: %s", cert_file,
                      gnutls_strerror(rc));
    return 0;
}

static int fill(struct tls_server *server, const char *cert_file, const char *key_file,
                struct refusal *why)
{
    if (gnutls_certificate_allocate_credentials(&server->cred) < 0)
        return -ENOMEM;
    int failed = load_credentials(cert_file, key_file, server->cred, why);
    if (failed)
        return failed;
    int rc = gnutls_priority_init(&server->priority, priorities, NULL);
    if (rc >= 0)
        rc = gnutls_session_ticket_key_generate(&server->ticket_key);
    if (rc >= 0)
        return 0;
    if (rc == GNUTLS_E_MEMORY_ERROR)
        return -ENOMEM;
    log_error("TLS could not be set up: %s", gnutls_strerror(rc));
    return -EIO;
}

int tls_server_create(const char *cert_file, const char *key_file, struct tls_server **out,
                      struct refusal *why)
{
    struct tls_server *server = calloc(1, sizeof *server);
    if (!server)
        return -ENOMEM;
    int failed = fill(server, cert_file, key_file, why);
    if (failed) {
        tls_server_destroy(server);
        return failed;
    }
    *out = server;
    return 0;
}

void tls_server_set_keylog(struct tls_server *server, struct keylog *keylog)
{
    server->keylog = keylog;
}

void tls_server_set_ca(struct tls_server *server, const char *ca_file)
{
    server->ca_file = ca_file;
}

void tls_server_destroy(struct tls_server *server)
{
    if (!server)
        return;
    if (server->cred)
        gnutls_certificate_free_credentials(server->cred);
    if (server->priority)
        gnutls_priority_deinit(server->priority);
    gnutls_free(server->ticket_key.data);
    free(server);
}
