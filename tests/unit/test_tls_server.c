#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "certs/mint.h"
#include "wire/tls_server.h"

#include "harness/memory.h"
#include "tests/count.h"

#define NORMAL13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define NORMAL12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"

/* Its password protects it with one round: the thousands that a library takes are seconds here. */
static const char locked_key[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHrMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAgOeCDnY3E1RAIBATAM\n"
    "BggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBAgQQUKaZ+eEesN/oEIYbXEQUBQSBkA4g\n"
    "udm4FrINruSUAelyK1hgDhwMB9MXEs7QOe9db4dsDltuA/u1Hb4L4g4MMPQ4o61t\n"
    "W7x9Gt0Ivpo9P8esS78fN+1eI/f76e8AT0/xzLsqWC4XlbRQvizxZO/bdUc3ro7c\n"
    "2lyugNK1dHS9inoyEyM2CDv0Q3lJjVB/jvBtgjfWhPj7eRvU0SafwOc/CWK9pg==\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

/* Made once: a directory with files of every kind. */
static char dir[64];
static gnutls_datum_t ca_pem;
static struct refusal why;

static const char *in_dir(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static void put(const char *name, const gnutls_datum_t *parts[], size_t count)
{
    FILE *f = fopen(in_dir(name), "w");
    assert_non_null(f);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(fwrite(parts[i]->data, 1, parts[i]->size, f), parts[i]->size);
    assert_int_equal(fclose(f), 0);
}

static void put_one(const char *name, const gnutls_datum_t *part)
{
    put(name, &part, 1);
}

static void put_text(const char *name, const char *text)
{
    FILE *f = fopen(in_dir(name), "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static gnutls_datum_t pem_of(gnutls_x509_crt_t cert)
{
    gnutls_datum_t pem;
    assert_int_equal(mint_cert(cert, GNUTLS_X509_FMT_PEM, &pem), 0);
    return pem;
}

/* An authority signed by another one. */
static gnutls_x509_crt_t intermediate(gnutls_x509_privkey_t key, gnutls_x509_crt_t ca,
                                      gnutls_x509_privkey_t ca_key)
{
    gnutls_x509_crt_t cert;
    assert_int_equal(mint_authority(key, time(NULL), &cert), 0); /* then signed again */
    assert_int_equal(gnutls_x509_crt_sign2(cert, ca, ca_key, GNUTLS_DIG_SHA256, 0), 0);
    return cert;
}

static int make_files(void **unused)
{
    gnutls_x509_privkey_t ca_key, middle_key, key, other;
    gnutls_x509_crt_t ca, middle, cert, by_middle, expired;
    struct names names;
    strcpy(dir, "/tmp/hangup-tls-server-XXXXXX");
    if (!mkdtemp(dir) || names_wanted(NULL, 0, &names, &why) != 0)
        return -1;
    assert_int_equal(mint_key(&ca_key), 0);
    assert_int_equal(mint_key(&middle_key), 0);
    assert_int_equal(mint_key(&key), 0);
    assert_int_equal(mint_key(&other), 0);
    assert_int_equal(mint_authority(ca_key, time(NULL), &ca), 0);
    middle = intermediate(middle_key, ca, ca_key);
    assert_int_equal(mint_server(key, &names, time(NULL), ca, ca_key, &cert), 0);
    assert_int_equal(mint_server(key, &names, time(NULL), middle, middle_key, &by_middle), 0);
    assert_int_equal(mint_server(key, &names, 1000000000, ca, ca_key, &expired), 0);
    names_finish(&names);

    gnutls_datum_t cert_pem = pem_of(cert), by_middle_pem = pem_of(by_middle);
    gnutls_datum_t middle_pem = pem_of(middle), expired_pem = pem_of(expired);
    gnutls_datum_t key_pem, other_pem, der;
    ca_pem = pem_of(ca);
    assert_int_equal(mint_key_pem(key, &key_pem), 0);
    assert_int_equal(mint_key_pem(other, &other_pem), 0);
    assert_int_equal(mint_cert(cert, GNUTLS_X509_FMT_DER, &der), 0);

    put_one("cert", &cert_pem);
    put_one("key", &key_pem);
    put_one("other-key", &other_pem);
    put_text("locked-key", locked_key);
    put_one("expired", &expired_pem);
    put_one("der", &der);
    put("both", (const gnutls_datum_t *[]){ &key_pem, &cert_pem }, 2);
    put("chain", (const gnutls_datum_t *[]){ &by_middle_pem, &middle_pem, &ca_pem }, 3);
    put("unsorted", (const gnutls_datum_t *[]){ &by_middle_pem, &ca_pem, &middle_pem }, 3);
    put_text("empty", "");
    put_text("garbage", "neither a key nor a certificate\n");
    put_text("bad-cert", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    put_text("bad-key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    cert_pem.size /= 2;
    put_one("half-cert", &cert_pem);

    gnutls_datum_t *all[] = { &cert_pem, &by_middle_pem, &middle_pem, &expired_pem,
                              &key_pem,  &other_pem,     &der };
    for (size_t i = 0; i < COUNT(all); i++)
        gnutls_free(all[i]->data);
    gnutls_x509_privkey_t keys[] = { ca_key, middle_key, key, other };
    for (size_t i = 0; i < COUNT(keys); i++)
        gnutls_x509_privkey_deinit(keys[i]);
    gnutls_x509_crt_t certs[] = { ca, middle, cert, by_middle, expired };
    for (size_t i = 0; i < COUNT(certs); i++)
        gnutls_x509_crt_deinit(certs[i]);
    return 0;
}

static int remove_files(void **unused)
{
    char command[128];
    gnutls_free(ca_pem.data);
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static struct tls_server *load(const char *cert, const char *key)
{
    struct tls_server *server = NULL;
    int rc = tls_server_create(in_dir(cert), in_dir(key), &server, &why);
    if (rc)
        print_error("%s: %s\n", why.where, why.what);
    assert_int_equal(rc, 0);
    assert_non_null(server);
    return server;
}

/* --- A client and a server in one process, over a pair of sockets */

struct talk {
    gnutls_certificate_credentials_t trust;
    gnutls_session_t client, server;
    int fds[2];
};

static int one_step(gnutls_session_t session, bool *done)
{
    int rc = *done ? 0 : gnutls_handshake(session);
    *done = rc == 0;
    return rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED ? 0 : rc;
}

/* The client verifies. ticket: a session to resume, may be NULL. Returns 0, or the first error. */
static int talk_start(struct talk *t, struct tls_server *server, const char *client_priority,
                      const gnutls_datum_t *ticket)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, t->fds), 0);
    assert_int_equal(gnutls_certificate_allocate_credentials(&t->trust), 0);
    assert_int_equal(gnutls_certificate_set_x509_trust_mem(t->trust, &ca_pem, GNUTLS_X509_FMT_PEM),
                     1);

    assert_int_equal(gnutls_init(&t->server, GNUTLS_SERVER | GNUTLS_NONBLOCK), 0);
    assert_int_equal(gnutls_priority_set(t->server, server->priority), 0);
    assert_int_equal(gnutls_credentials_set(t->server, GNUTLS_CRD_CERTIFICATE, server->cred), 0);
    assert_int_equal(gnutls_session_ticket_enable_server(t->server, &server->ticket_key), 0);
    gnutls_transport_set_int(t->server, t->fds[0]);

    assert_int_equal(gnutls_init(&t->client, GNUTLS_CLIENT | GNUTLS_NONBLOCK), 0);
    assert_int_equal(gnutls_priority_set_direct(t->client, client_priority, NULL), 0);
    assert_int_equal(gnutls_credentials_set(t->client, GNUTLS_CRD_CERTIFICATE, t->trust), 0);
    gnutls_session_set_verify_cert(t->client, "localhost", 0);
    if (ticket)
        assert_int_equal(gnutls_session_set_data(t->client, ticket->data, ticket->size), 0);
    gnutls_transport_set_int(t->client, t->fds[1]);

    bool client_done = false, server_done = false;
    int rc = 0;
    for (int i = 0; i < 20 && !rc && !(client_done && server_done); i++) {
        rc = one_step(t->client, &client_done);
        if (!rc)
            rc = one_step(t->server, &server_done);
    }
    if (!rc) {
        char byte;
        assert_true(client_done && server_done);
        gnutls_record_recv(t->client, &byte, 1); /* takes the tickets of TLS 1.3 */
    }
    return rc;
}

static void talk_end(struct talk *t)
{
    gnutls_deinit(t->client);
    gnutls_deinit(t->server);
    gnutls_certificate_free_credentials(t->trust);
    close(t->fds[0]);
    close(t->fds[1]);
}

static int try_client(struct tls_server *server, const char *priority)
{
    struct talk t;
    int rc = talk_start(&t, server, priority, NULL);
    talk_end(&t);
    return rc;
}

static void tls_1_2_and_1_3_are_spoken(void **unused)
{
    struct tls_server *server = load("cert", "key");
    struct talk t;
    assert_int_equal(talk_start(&t, server, "NORMAL", NULL), 0);
    assert_int_equal(gnutls_protocol_get_version(t.server), GNUTLS_TLS1_3);
    talk_end(&t);
    assert_int_equal(talk_start(&t, server, NORMAL12, NULL), 0);
    assert_int_equal(gnutls_protocol_get_version(t.server), GNUTLS_TLS1_2);
    talk_end(&t);
    tls_server_destroy(server);
}

static void old_and_weak_clients_are_turned_away(void **unused)
{
    static const char *const priorities[] = {
        "LEGACY:-VERS-ALL:+VERS-TLS1.1",
        "LEGACY:-VERS-ALL:+VERS-TLS1.0",
        NORMAL12 ":-CIPHER-ALL:+AES-128-CBC:+AES-256-CBC",
        NORMAL12 ":-CIPHER-ALL:+AES-128-CCM",
        NORMAL12 ":-SIGN-ALL:+SIGN-ECDSA-SHA1",
        NORMAL13 ":-GROUP-ALL:+GROUP-FFDHE2048",
    };
    struct tls_server *server = load("cert", "key");
    for (size_t i = 0; i < COUNT(priorities); i++)
        if (try_client(server, priorities[i]) == 0)
            fail_msg("accepted: %s", priorities[i]);
    tls_server_destroy(server);
}

static void every_common_curve_and_cipher_is_spoken(void **unused)
{
    static const char *const priorities[] = {
        NORMAL13 ":-GROUP-ALL:+GROUP-X25519",       NORMAL13 ":-GROUP-ALL:+GROUP-SECP256R1",
        NORMAL13 ":-GROUP-ALL:+GROUP-SECP384R1",    NORMAL13 ":-GROUP-ALL:+GROUP-SECP521R1",
        NORMAL13 ":-CIPHER-ALL:+AES-128-GCM",       NORMAL13 ":-CIPHER-ALL:+AES-256-GCM",
        NORMAL13 ":-CIPHER-ALL:+CHACHA20-POLY1305", NORMAL12 ":-CIPHER-ALL:+AES-128-GCM",
        NORMAL12 ":-CIPHER-ALL:+CHACHA20-POLY1305", NORMAL12 ":-GROUP-ALL:+GROUP-SECP256R1",
        NORMAL12 ":-SIGN-ALL:+SIGN-ECDSA-SHA256",
    };
    struct tls_server *server = load("cert", "key");
    for (size_t i = 0; i < COUNT(priorities); i++) {
        int rc = try_client(server, priorities[i]);
        if (rc)
            fail_msg("%s: %s", priorities[i], gnutls_strerror(rc));
    }
    tls_server_destroy(server);
}

static void the_client_chooses_the_cipher(void **unused)
{
    static const struct {
        const char *priority;
        gnutls_cipher_algorithm_t cipher;
    } rows[] = {
        { NORMAL13 ":-CIPHER-ALL:+CHACHA20-POLY1305:+AES-128-GCM",
          GNUTLS_CIPHER_CHACHA20_POLY1305 },
        { NORMAL13 ":-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM", GNUTLS_CIPHER_AES_256_GCM },
        { NORMAL12 ":-CIPHER-ALL:+CHACHA20-POLY1305:+AES-128-GCM",
          GNUTLS_CIPHER_CHACHA20_POLY1305 },
        { NORMAL12 ":-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM", GNUTLS_CIPHER_AES_128_GCM },
    };
    struct tls_server *server = load("cert", "key");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct talk t;
        assert_int_equal(talk_start(&t, server, rows[i].priority, NULL), 0);
        assert_int_equal(gnutls_cipher_get(t.server), rows[i].cipher);
        talk_end(&t);
    }
    tls_server_destroy(server);
}

static void sessions_are_resumed_by_ticket(void **unused)
{
    static const char *const priorities[] = { NORMAL13, NORMAL12 };
    struct tls_server *server = load("cert", "key"), *other = load("cert", "key");
    for (size_t i = 0; i < COUNT(priorities); i++) {
        struct talk t;
        gnutls_datum_t ticket;
        assert_int_equal(talk_start(&t, server, priorities[i], NULL), 0);
        assert_false(gnutls_session_is_resumed(t.server));
        assert_int_equal(gnutls_session_get_data2(t.client, &ticket), 0);
        talk_end(&t);
        assert_int_equal(talk_start(&t, server, priorities[i], &ticket), 0);
        assert_true(gnutls_session_is_resumed(t.server));
        talk_end(&t);
        /* another server has a key of its own, so it starts from nothing */
        assert_int_equal(talk_start(&t, other, priorities[i], &ticket), 0);
        assert_false(gnutls_session_is_resumed(t.server));
        talk_end(&t);
        gnutls_free(ticket.data);
    }
    tls_server_destroy(server);
    tls_server_destroy(other);
}

/* --- Files */

static void the_chain_is_sent_whole_and_in_order(void **unused)
{
    static const char *const files[] = { "chain", "unsorted" };
    for (size_t i = 0; i < COUNT(files); i++) {
        struct tls_server *server = load(files[i], "key");
        gnutls_x509_crt_t *chain;
        unsigned length;
        assert_int_equal(gnutls_certificate_get_x509_crt(server->cred, 0, &chain, &length), 0);
        assert_int_equal(length, 3);
        assert_true(gnutls_x509_crt_check_issuer(chain[0], chain[1]));
        assert_true(gnutls_x509_crt_check_issuer(chain[1], chain[2]));
        for (unsigned k = 0; k < length; k++)
            gnutls_x509_crt_deinit(chain[k]);
        gnutls_free(chain);
        tls_server_destroy(server);
    }
}

static void one_file_may_hold_both(void **unused)
{
    struct tls_server *server = load("both", "both");
    assert_int_equal(try_client(server, "NORMAL"), 0);
    tls_server_destroy(server);
}

static void a_file_may_come_through_a_pipe(void **unused)
{
    char command[512];
    assert_int_equal(mkfifo(in_dir("pipe"), 0600), 0);
    snprintf(command, sizeof command, "cat %s >%s &", in_dir("key"), in_dir("pipe"));
    assert_int_equal(system(command), 0);
    tls_server_destroy(load("cert", "pipe"));
}

static void an_expired_certificate_is_served_with_a_warning(void **unused)
{
    char log[512] = "";
    int keep = dup(STDERR_FILENO);
    int fd = open(in_dir("log"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(keep >= 0 && fd >= 0);
    dup2(fd, STDERR_FILENO);
    log_set_level(LOG_WARN);
    struct tls_server *server = load("expired", "key");
    log_set_level(LOG_ERROR);
    dup2(keep, STDERR_FILENO);
    assert_true(pread(fd, log, sizeof log - 1, 0) > 0);
    close(fd);
    close(keep);
    assert_non_null(strstr(log, "--cert"));
    assert_non_null(strstr(log, "has expired"));
    tls_server_destroy(server);
}

static void bad_files_are_refused_by_option_and_reason(void **unused)
{
    static const struct {
        const char *cert, *key, *where, *what;
    } rows[] = {
        { "missing", "key", "--cert", "cannot be read: No such file" },
        { ".", "key", "--cert", "cannot be read: Is a directory" },
        { "empty", "key", "--cert", "holds no PEM certificate" },
        { "garbage", "key", "--cert", "holds no PEM certificate" },
        { "der", "key", "--cert", "holds no PEM certificate" },
        { "key", "key", "--cert", "holds no PEM certificate" },
        { "bad-cert", "key", "--cert", "holds no sound certificate" },
        { "half-cert", "key", "--cert", "certificate" },
        { "zero", "key", "--cert", "is too large" },
        { "cert", "missing", "--key", "cannot be read: No such file" },
        { "cert", ".", "--key", "cannot be read: Is a directory" },
        { "cert", "empty", "--key", "holds no sound PEM private key" },
        { "cert", "garbage", "--key", "holds no sound PEM private key" },
        { "cert", "cert", "--key", "holds no sound PEM private key" },
        { "cert", "bad-key", "--key", "holds no sound PEM private key" },
        { "cert", "zero", "--key", "is too large" },
        { "cert", "locked-key", "--key", "is protected by a password" },
        { "cert", "other-key", "--key", "is not the key of the certificate" },
        { "chain", "other-key", "--key", "is not the key of the certificate" },
    };
    assert_int_equal(symlink("/dev/zero", in_dir("zero")), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tls_server *server = NULL;
        memset(&why, 0, sizeof why);
        int rc = tls_server_create(in_dir(rows[i].cert), in_dir(rows[i].key), &server, &why);
        if (rc != BAD_INPUT || strcmp(why.where, rows[i].where) != 0 ||
            !strstr(why.what, rows[i].what))
            fail_msg("row %zu: %d, %s: %s", i, rc, why.where, why.what);
        const char *file = strcmp(rows[i].where, "--key") == 0 ? rows[i].key : rows[i].cert;
        assert_non_null(strstr(why.what, in_dir(file)));
        assert_true(why.allowed[0]);
        assert_null(server);
    }
}

static int try_secret_key(void)
{
    struct tls_server *server = NULL;
    return tls_server_create(in_dir("cert"), in_dir("other-key"), &server, &why) == BAD_INPUT &&
                   strcmp(why.where, "--key") == 0 && strstr(why.what, "Permission denied")
               ? 0
               : 1;
}

static void a_file_without_permission_is_refused(void **unused)
{
    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(chmod(in_dir("other-key"), 0), 0);
    pid_t pid = fork(); /* root may read everything, so not as root */
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(geteuid() == 0 && setuid(65534) != 0 ? 99 : try_secret_key());
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(chmod(in_dir("other-key"), 0600), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void destroying_nothing_is_fine(void **unused)
{
    tls_server_destroy(NULL);
}

/* Of our own: GnuTLS keeps its own. */
static void without_memory_it_fails_cleanly(void **unused)
{
    for (int n = 0; n < 3; n++) { /* the server, two files */
        struct tls_server *server = NULL;
        memory_fails_once_after(n);
        assert_int_equal(tls_server_create(in_dir("cert"), in_dir("key"), &server, &why), -ENOMEM);
        memory_restore();
        assert_null(server);
    }
    tls_server_destroy(load("cert", "key"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_1_2_and_1_3_are_spoken),
        cmocka_unit_test(old_and_weak_clients_are_turned_away),
        cmocka_unit_test(every_common_curve_and_cipher_is_spoken),
        cmocka_unit_test(the_client_chooses_the_cipher),
        cmocka_unit_test(sessions_are_resumed_by_ticket),
        cmocka_unit_test(the_chain_is_sent_whole_and_in_order),
        cmocka_unit_test(one_file_may_hold_both),
        cmocka_unit_test(a_file_may_come_through_a_pipe),
        cmocka_unit_test(an_expired_certificate_is_served_with_a_warning),
        cmocka_unit_test(bad_files_are_refused_by_option_and_reason),
        cmocka_unit_test(a_file_without_permission_is_refused),
        cmocka_unit_test(destroying_nothing_is_fine),
        cmocka_unit_test(without_memory_it_fails_cleanly),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
