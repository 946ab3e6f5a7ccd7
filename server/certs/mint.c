#include "certs/mint.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <time.h>

#include "base/hex.h"
#include "base/log.h"

#define SERIAL_SIZE 16
#define KEY_ID_SIZE 64
#define CLOCK_SKEW  3600LL /* devices and simulators run a little late */

static int failure(int rc, const char *what)
{
    if (rc == GNUTLS_E_MEMORY_ERROR)
        return -ENOMEM;
    log_error("%s could not be made: %s", what, gnutls_strerror(rc));
    return -EIO;
}

int mint_key(gnutls_x509_privkey_t *out)
{
    gnutls_x509_privkey_t key;
    int rc = gnutls_x509_privkey_init(&key);
    if (rc < 0)
        return failure(rc, "a private key");
    rc = gnutls_x509_privkey_generate2(
        key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0, NULL, 0);
    if (rc < 0) {
        gnutls_x509_privkey_deinit(key);
        return failure(rc, "a private key");
    }
    *out = key;
    return 0;
}

/* The serial of RFC 5280 4.1.2.2: positive, unique, at most 20 octets. */
static int set_serial(gnutls_x509_crt_t cert)
{
    unsigned char serial[SERIAL_SIZE];
    int rc = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial);
    if (rc < 0)
        return rc;
    serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and never shortened */
    return gnutls_x509_crt_set_serial(cert, serial, sizeof serial);
}

static int set_key_id(gnutls_x509_crt_t cert)
{
    unsigned char id[KEY_ID_SIZE];
    size_t size = sizeof id;
    int rc = gnutls_x509_crt_get_key_id(cert, 0, id, &size);
    return rc < 0 ? rc : gnutls_x509_crt_set_subject_key_id(cert, id, size);
}

static int set_common_name(gnutls_x509_crt_t cert, const char *name, size_t len)
{
    return gnutls_x509_crt_set_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)len);
}

/* What both kinds have. */
static int begin(gnutls_x509_crt_t cert, gnutls_x509_privkey_t key, long long from, long long until)
{
    int rc = gnutls_x509_crt_set_version(cert, 3);
    if (rc >= 0)
        rc = set_serial(cert);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_activation_time(cert, (time_t)from);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_expiration_time(cert, (time_t)until);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_key(cert, key);
    if (rc >= 0)
        rc = set_key_id(cert);
    return rc;
}

/* A phone may trust the CAs of several machines: the name tells them apart. */
static int name_authority(gnutls_x509_crt_t cert)
{
    unsigned char tag[4];
    char digits[2 * sizeof tag + 1], name[64];
    int rc = gnutls_rnd(GNUTLS_RND_NONCE, tag, sizeof tag);
    if (rc < 0)
        return rc;
    hex_write(tag, sizeof tag, digits);
    int len = snprintf(name, sizeof name, "hangup local CA %s", digits);
    return set_common_name(cert, name, (size_t)len);
}

static int fill_authority(gnutls_x509_crt_t cert, gnutls_x509_privkey_t key, long long now)
{
    long long from = now - CLOCK_SKEW;
    int rc = begin(cert, key, from, from + MINT_AUTHORITY_DAYS * MINT_DAY);
    if (rc >= 0)
        rc = name_authority(cert);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_basic_constraints(cert, 1, 0);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_key_usage(cert, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
    if (rc >= 0)
        rc = gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0);
    return rc;
}

int mint_authority(gnutls_x509_privkey_t key, long long now, gnutls_x509_crt_t *out)
{
    gnutls_x509_crt_t cert;
    int rc = gnutls_x509_crt_init(&cert);
    if (rc < 0)
        return failure(rc, "the CA");
    rc = fill_authority(cert, key, now);
    if (rc < 0) {
        gnutls_x509_crt_deinit(cert);
        return failure(rc, "the CA");
    }
    *out = cert;
    return 0;
}

long long mint_server_expiry(gnutls_x509_crt_t ca, long long now)
{
    /* Both ends count as valid (RFC 5280 4.1.2.5), hence the second less. */
    long long expiry = now - CLOCK_SKEW + MINT_SERVER_DAYS * MINT_DAY - 1;
    long long with_ca = gnutls_x509_crt_get_expiration_time(ca);
    return expiry < with_ca ? expiry : with_ca;
}

static int set_names(gnutls_x509_crt_t cert, const struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        const struct name *name = &names->list[i];
        int rc = gnutls_x509_crt_set_subject_alt_name(
            cert, name->is_ip ? GNUTLS_SAN_IPADDRESS : GNUTLS_SAN_DNSNAME, name->bytes,
            (unsigned)name->len, GNUTLS_FSAN_APPEND);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The key id that the CA gives itself, or of its key if it gives none. */
static int set_authority_id(gnutls_x509_crt_t cert, gnutls_x509_crt_t ca)
{
    unsigned char id[KEY_ID_SIZE];
    size_t size = sizeof id;
    int rc = gnutls_x509_crt_get_subject_key_id(ca, id, &size, NULL);
    if (rc < 0) {
        size = sizeof id;
        rc = gnutls_x509_crt_get_key_id(ca, 0, id, &size);
    }
    return rc < 0 ? rc : gnutls_x509_crt_set_authority_key_id(cert, id, size);
}

static int fill_server(gnutls_x509_crt_t cert, gnutls_x509_privkey_t key, const struct names *names,
                       long long now, gnutls_x509_crt_t ca, gnutls_x509_privkey_t ca_key)
{
    int rc = begin(cert, key, now - CLOCK_SKEW, mint_server_expiry(ca, now));
    if (rc >= 0)
        rc = set_common_name(cert, "localhost", 9);
    if (rc >= 0)
        rc = set_names(cert, names);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_basic_constraints(cert, 0, -1);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_key_usage(cert, GNUTLS_KEY_DIGITAL_SIGNATURE);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_key_purpose_oid(cert, GNUTLS_KP_TLS_WWW_SERVER, 0);
    if (rc >= 0)
        rc = set_authority_id(cert, ca);
    if (rc >= 0)
        rc = gnutls_x509_crt_sign2(cert, ca, ca_key, GNUTLS_DIG_SHA256, 0);
    return rc;
}

int mint_server(gnutls_x509_privkey_t key, const struct names *names, long long now,
                gnutls_x509_crt_t ca, gnutls_x509_privkey_t ca_key, gnutls_x509_crt_t *out)
{
    gnutls_x509_crt_t cert;
    int rc = gnutls_x509_crt_init(&cert);
    if (rc < 0)
        return failure(rc, "the server certificate");
    rc = fill_server(cert, key, names, now, ca, ca_key);
    if (rc < 0) {
        gnutls_x509_crt_deinit(cert);
        return failure(rc, "the server certificate");
    }
    *out = cert;
    return 0;
}

int mint_key_pem(gnutls_x509_privkey_t key, gnutls_datum_t *out)
{
    /* PKCS #8, which more tools read than GnuTLS's own choice. */
    int rc =
        gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, out);
    return rc < 0 ? failure(rc, "a key file") : 0;
}

int mint_cert(gnutls_x509_crt_t cert, gnutls_x509_crt_fmt_t format, gnutls_datum_t *out)
{
    int rc = gnutls_x509_crt_export2(cert, format, out);
    return rc < 0 ? failure(rc, "a certificate file") : 0;
}
