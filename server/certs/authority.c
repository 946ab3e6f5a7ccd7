/* What is kept and what is made anew is decided by looking at the files themselves, under the
 * directory's lock: nothing else says how they came about. Two rules hold throughout:
 *
 * - The CA is kept, as clients have been made to trust it. It is made only where there is no trace
 *   of one, and never replaced; whatever is wrong with it is refused, and people decide. A tester's
 *   own CA, put there as ca.pem and ca-key.pem, is used as ours would be.
 * - The server certificate is not: when anything is wrong with it, another one is made. It keeps
 *   its key as long as that is sound, so that who reads the two files while they are replaced (or
 *   after a crash between them) still gets a pair that fits.
 */
#include "certs/authority.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "certs/mint.h"
#include "certs/names.h"
#include "certs/store.h"

#define CA_KEY     "ca-key.pem"
#define CA_PEM     "ca.pem"
#define CA_DER     "ca.der"
#define SERVER_KEY "server-key.pem"
#define SERVER_PEM "server.pem"

#define RENEW_BEFORE (30 * MINT_DAY)
#define CHAIN_MAX    4 /* certificates looked at in server.pem; ours has two */
#define KEY_ID_SIZE  64

#define REMOVE  "remove " CA_KEY ", " CA_PEM " and " CA_DER
#define ANEW    "a new CA, which every client has to trust anew"
#define RESTORE "to put it back as it was, or to " REMOVE " and get " ANEW

struct ca {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t cert;
};

/* The pair in the files; any may be NULL. */
struct server {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t chain[CHAIN_MAX];
    unsigned length;
};

static void free_datum(gnutls_datum_t *datum)
{
    free(datum->data);
}

static void gnutls_free_datum(gnutls_datum_t *datum)
{
    gnutls_free(datum->data);
}

static void ca_finish(struct ca *ca)
{
    gnutls_x509_privkey_deinit(ca->key);
    gnutls_x509_crt_deinit(ca->cert);
}

static void server_finish(struct server *server)
{
    gnutls_x509_privkey_deinit(server->key);
    for (unsigned i = 0; i < server->length; i++)
        gnutls_x509_crt_deinit(server->chain[i]);
}

#define FILE_BYTES   __attribute__((cleanup(free_datum))) gnutls_datum_t
#define GNUTLS_BYTES __attribute__((cleanup(gnutls_free_datum))) gnutls_datum_t

#define DATE_SIZE sizeof "2026-01-02 03:04"

static void date_text(long long seconds, const char *format, char out[DATE_SIZE])
{
    struct tm tm;
    time_t time = (time_t)seconds;
    if (!gmtime_r(&time, &tm) || !strftime(out, DATE_SIZE, format, &tm))
        strcpy(out, "?");
}

static int refuse_ca(const struct store *store, const char *file, const char *what,
                     struct refusal *why)
{
    char path[STORE_PATH_SIZE];
    return refuse(why, store_path(store, file, path), RESTORE, "%s", what);
}

/* --- Reading keys and certificates */

static int import_key(const gnutls_datum_t *pem, gnutls_x509_privkey_t *out)
{
    gnutls_x509_privkey_t key;
    int rc = gnutls_x509_privkey_init(&key);
    if (rc < 0)
        return rc;
    rc = gnutls_x509_privkey_import2(key, pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (rc < 0) {
        gnutls_x509_privkey_deinit(key);
        return rc;
    }
    *out = key;
    return 0;
}

static int import_cert(const gnutls_datum_t *pem, gnutls_x509_crt_t *out)
{
    gnutls_x509_crt_t cert;
    int rc = gnutls_x509_crt_init(&cert);
    if (rc < 0)
        return rc;
    rc = gnutls_x509_crt_import(cert, pem, GNUTLS_X509_FMT_PEM);
    if (rc < 0) {
        gnutls_x509_crt_deinit(cert);
        return rc;
    }
    *out = cert;
    return 0;
}

static bool key_fits(gnutls_x509_privkey_t key, gnutls_x509_crt_t cert)
{
    unsigned char of_key[KEY_ID_SIZE], of_cert[KEY_ID_SIZE];
    size_t key_size = sizeof of_key, cert_size = sizeof of_cert;
    return gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, of_key, &key_size) >= 0 &&
           gnutls_x509_crt_get_key_id(cert, GNUTLS_KEYID_USE_SHA256, of_cert, &cert_size) >= 0 &&
           key_size == cert_size && memcmp(of_key, of_cert, key_size) == 0;
}

/* --- The CA */

static int write_der(const struct store *store, gnutls_x509_crt_t cert, struct refusal *why)
{
    GNUTLS_BYTES der = { 0 };
    int failed = mint_cert(cert, GNUTLS_X509_FMT_DER, &der);
    if (failed)
        return failed;
    struct store_file file = { CA_DER, 0644, der };
    return store_write(store, &file, 1, why);
}

static int ca_write(const struct store *store, const struct ca *ca, struct refusal *why)
{
    GNUTLS_BYTES key = { 0 }, pem = { 0 }, der = { 0 };
    int failed = mint_key_pem(ca->key, &key);
    if (!failed)
        failed = mint_cert(ca->cert, GNUTLS_X509_FMT_PEM, &pem);
    if (!failed)
        failed = mint_cert(ca->cert, GNUTLS_X509_FMT_DER, &der);
    if (failed)
        return failed;
    struct store_file files[] = { { CA_KEY, 0600, key },
                                  { CA_PEM, 0644, pem },
                                  { CA_DER, 0644, der } };
    return store_write(store, files, sizeof files / sizeof *files, why);
}

static int ca_make(const struct store *store, long long now, struct ca *ca, struct refusal *why)
{
    char path[STORE_PATH_SIZE];
    int failed = mint_key(&ca->key);
    if (!failed)
        failed = mint_authority(ca->key, now, &ca->cert);
    if (!failed)
        failed = ca_write(store, ca, why);
    if (!failed)
        log_info("made a local CA, for clients to trust: %s", store_path(store, CA_PEM, path));
    return failed;
}

static bool may_sign(gnutls_x509_crt_t cert)
{
    unsigned is_ca = 0, usage = 0;
    if (gnutls_x509_crt_get_basic_constraints(cert, NULL, &is_ca, NULL) < 0 || !is_ca)
        return false;
    int rc = gnutls_x509_crt_get_key_usage(cert, &usage, NULL);
    return rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE ||
           (rc >= 0 && (usage & GNUTLS_KEY_KEY_CERT_SIGN));
}

static int ca_check_dates(const struct store *store, gnutls_x509_crt_t cert, long long now,
                          struct refusal *why)
{
    char path[STORE_PATH_SIZE], date[DATE_SIZE], clock[DATE_SIZE];
    long long until = gnutls_x509_crt_get_expiration_time(cert);
    long long from = gnutls_x509_crt_get_activation_time(cert);
    store_path(store, CA_PEM, path);
    date_text(until, "%F", date);
    if (until <= now)
        return refuse(why, path, "to " REMOVE " and get " ANEW, "the CA expired on %s", date);
    if (until - now < RENEW_BEFORE)
        log_warn("%s expires on %s, and the server certificate with it; " REMOVE
                 " before that, to get " ANEW,
                 path, date);
    date_text(from, "%F %R", date);
    date_text(now, "%F %R", clock);
    if (from > now)
        return refuse(why, path, "a clock that is right, or to " REMOVE " and get " ANEW,
                      "the CA is not valid before %s UTC, and the clock says %s", date, clock);
    return 0;
}

static int ca_parse(const struct store *store, const gnutls_datum_t *key, const gnutls_datum_t *pem,
                    struct ca *ca, struct refusal *why)
{
    int rc = import_key(key, &ca->key);
    if (rc == GNUTLS_E_MEMORY_ERROR)
        return -ENOMEM;
    if (rc < 0)
        return refuse_ca(store, CA_KEY,
                         rc == GNUTLS_E_DECRYPTION_FAILED
                             ? "the CA's key is protected by a password"
                             : "is damaged: it holds no private key in PEM",
                         why);
    rc = import_cert(pem, &ca->cert);
    if (rc == GNUTLS_E_MEMORY_ERROR)
        return -ENOMEM;
    if (rc < 0)
        return refuse_ca(store, CA_PEM, "is damaged: it holds no certificate in PEM", why);
    if (!key_fits(ca->key, ca->cert))
        return refuse_ca(store, CA_PEM, "does not belong to the key in " CA_KEY, why);
    if (!may_sign(ca->cert))
        return refuse_ca(store, CA_PEM, "is not the certificate of a CA (CA:TRUE)", why);
    return 0;
}

static int ca_load(const struct store *store, const gnutls_datum_t *key, const gnutls_datum_t *pem,
                   const gnutls_datum_t *der, long long now, struct ca *ca, struct refusal *why)
{
    int failed = ca_parse(store, key, pem, ca, why);
    if (!failed)
        failed = ca_check_dates(store, ca->cert, now, why);
    if (!failed && !gnutls_x509_crt_equals2(ca->cert, der))
        failed = write_der(store, ca->cert, why); /* it only repeats ca.pem */
    return failed;
}

/* On failure *ca is still to be finished. */
static int ca_open(const struct store *store, long long now, struct ca *ca, struct refusal *why)
{
    FILE_BYTES key = { 0 };
    FILE_BYTES pem = { 0 };
    FILE_BYTES der = { 0 };
    int no_key = store_read(store, CA_KEY, true, &key, why);
    if (no_key && no_key != STORE_ABSENT)
        return no_key;
    int no_pem = store_read(store, CA_PEM, false, &pem, why);
    if (no_pem && no_pem != STORE_ABSENT)
        return no_pem;
    int no_der = store_read(store, CA_DER, false, &der, why);
    if (no_der && no_der != STORE_ABSENT)
        return no_der;

    if (no_key && no_pem && no_der)
        return ca_make(store, now, ca, why);
    if (no_key)
        return refuse_ca(store, CA_KEY, "is missing, though the CA certificate is there", why);
    if (no_pem)
        return refuse_ca(store, CA_PEM, "is missing, though the CA's key is there", why);
    return ca_load(store, &key, &pem, &der, now, ca, why);
}

/* --- The server certificate */

static bool has_just(gnutls_x509_crt_t cert, const struct names *wanted)
{
    bool seen[NAMES_ALWAYS + NAMES_MAX] = { false };
    for (unsigned count = 0;; count++) {
        struct name name = { .len = sizeof name.bytes };
        int type = gnutls_x509_crt_get_subject_alt_name(cert, count, name.bytes, &name.len, NULL);
        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return count == wanted->count;
        name.is_ip = type == GNUTLS_SAN_IPADDRESS;
        if (type < 0 || (!name.is_ip && type != GNUTLS_SAN_DNSNAME))
            return false;
        size_t place = names_find(wanted, &name);
        if (place == wanted->count || seen[place])
            return false;
        seen[place] = true;
    }
}

static bool signed_by(gnutls_x509_crt_t cert, gnutls_x509_crt_t ca)
{
    unsigned status = 0;
    return gnutls_x509_crt_verify(cert, &ca, 1, GNUTLS_VERIFY_DISABLE_TIME_CHECKS, &status) >= 0 &&
           status == 0;
}

/* Why the pair in the files will not do, or NULL. */
static const char *server_fault(const struct server *server, const struct ca *ca,
                                const struct names *wanted, long long now)
{
    if (!server->key || !server->length)
        return "it was damaged";
    gnutls_x509_crt_t cert = server->chain[0];
    if (!key_fits(server->key, cert))
        return "its key did not fit";
    if (server->length != 2 || !gnutls_x509_crt_equals(server->chain[1], ca->cert) ||
        !signed_by(cert, ca->cert))
        return "it was not signed by this CA";
    if (!has_just(cert, wanted))
        return "the names have changed";
    if (gnutls_x509_crt_get_activation_time(cert) > now)
        return "it was not valid yet";
    long long until = gnutls_x509_crt_get_expiration_time(cert);
    if (until <= now)
        return "it had expired";
    /* At the end of the CA's life another one would not last longer. */
    if (until - now < RENEW_BEFORE && until < mint_server_expiry(ca->cert, now))
        return "it was about to expire";
    return NULL;
}

/* Reads what is there; what cannot be read or parsed stays NULL. absent: there was neither file. */
static int server_read(const struct store *store, struct server *server, bool *absent)
{
    FILE_BYTES key = { 0 };
    FILE_BYTES pem = { 0 };
    int no_key = store_read(store, SERVER_KEY, true, &key, NULL);
    int no_pem = store_read(store, SERVER_PEM, false, &pem, NULL);
    if (no_key < 0 || no_pem < 0)
        return no_key < 0 ? no_key : no_pem;
    *absent = no_key == STORE_ABSENT && no_pem == STORE_ABSENT;

    if (!no_key && import_key(&key, &server->key) == GNUTLS_E_MEMORY_ERROR)
        return -ENOMEM;
    unsigned length = CHAIN_MAX;
    if (!no_pem && gnutls_x509_crt_list_import(server->chain, &length, &pem, GNUTLS_X509_FMT_PEM,
                                               GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED) > 0)
        server->length = length;
    return 0;
}

static bool sound(gnutls_x509_privkey_t key)
{
    gnutls_ecc_curve_t curve;
    return key && gnutls_x509_privkey_export_ecc_raw(key, &curve, NULL, NULL, NULL) >= 0 &&
           curve == GNUTLS_ECC_CURVE_SECP256R1 && gnutls_x509_privkey_verify_params(key) >= 0;
}

static int server_write(const struct store *store, gnutls_x509_privkey_t key,
                        gnutls_x509_crt_t cert, gnutls_x509_crt_t ca, struct refusal *why)
{
    GNUTLS_BYTES key_pem = { 0 }, cert_pem = { 0 }, ca_pem = { 0 };
    int failed = mint_key_pem(key, &key_pem);
    if (!failed)
        failed = mint_cert(cert, GNUTLS_X509_FMT_PEM, &cert_pem);
    if (!failed)
        failed = mint_cert(ca, GNUTLS_X509_FMT_PEM, &ca_pem);
    if (failed)
        return failed;

    FILE_BYTES chain = { .size = cert_pem.size + ca_pem.size };
    chain.data = malloc(chain.size);
    if (!chain.data)
        return -ENOMEM;
    memcpy(chain.data, cert_pem.data, cert_pem.size);
    memcpy(chain.data + cert_pem.size, ca_pem.data, ca_pem.size);
    struct store_file files[] = { { SERVER_KEY, 0600, key_pem }, { SERVER_PEM, 0644, chain } };
    return store_write(store, files, sizeof files / sizeof *files, why);
}

static int server_make(const struct store *store, struct server *old, const struct ca *ca,
                       const struct names *wanted, long long now, struct refusal *why)
{
    __attribute__((cleanup(server_finish))) struct server made = { 0 };
    int failed = 0;
    if (sound(old->key)) {
        made.key = old->key;
        old->key = NULL;
    } else {
        failed = mint_key(&made.key);
    }
    if (!failed)
        failed = mint_server(made.key, wanted, now, ca->cert, ca->key, &made.chain[0]);
    if (failed)
        return failed;
    made.length = 1;
    return server_write(store, made.key, made.chain[0], ca->cert, why);
}

static int server_open(const struct store *store, const struct ca *ca, const struct names *wanted,
                       long long now, struct refusal *why)
{
    __attribute__((cleanup(server_finish))) struct server server = { 0 };
    bool absent = false;
    int failed = server_read(store, &server, &absent);
    if (failed)
        return failed;
    const char *fault = absent ? "there was none" : server_fault(&server, ca, wanted, now);
    if (!fault)
        return 0;
    failed = server_make(store, &server, ca, wanted, now, why);
    if (failed)
        return failed;
    char date[DATE_SIZE];
    date_text(mint_server_expiry(ca->cert, now), "%F", date);
    log_info("made a server certificate, valid until %s: %s", date, fault);
    return 0;
}

static int open_files(const struct store *store, const struct names *wanted, long long now,
                      struct refusal *why)
{
    __attribute__((cleanup(ca_finish))) struct ca ca = { 0 };
    int failed = ca_open(store, now, &ca, why);
    return failed ? failed : server_open(store, &ca, wanted, now, why);
}

int authority_open(const char *state_dir, const char *const *names, size_t name_count,
                   long long now, struct authority_files *out, struct refusal *why)
{
    struct names wanted;
    struct store store;
    int failed = names_wanted(names, name_count, &wanted, why);
    if (failed)
        return failed;
    failed = store_open(state_dir, &store, why);
    if (!failed) {
        failed = open_files(&store, &wanted, now ? now : (long long)time(NULL), why);
        store_close(&store);
    }
    names_finish(&wanted);
    if (failed)
        return failed;
    _Static_assert(sizeof out->ca_pem == STORE_PATH_SIZE, "paths are of one size");
    store_path(&store, CA_PEM, out->ca_pem);
    store_path(&store, CA_DER, out->ca_der);
    store_path(&store, SERVER_PEM, out->cert);
    store_path(&store, SERVER_KEY, out->key);
    return 0;
}
