#include "minted_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "certs/mint.h"

static void put_pem(const char *path, gnutls_datum_t *pem)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(pem->data, 1, pem->size, f), pem->size);
    assert_int_equal(fclose(f), 0);
    gnutls_free(pem->data);
}

struct tls_server *minted_server(void)
{
    char dir[] = "/tmp/hangup-minted-XXXXXX", cert_file[64], key_file[64];
    gnutls_x509_privkey_t ca_key, key;
    gnutls_x509_crt_t ca, cert;
    gnutls_datum_t key_pem, cert_pem;
    struct names names;
    struct refusal why;
    struct tls_server *server;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(names_wanted(NULL, 0, &names, &why), 0);
    assert_int_equal(mint_key(&ca_key), 0);
    assert_int_equal(mint_key(&key), 0);
    assert_int_equal(mint_authority(ca_key, time(NULL), &ca), 0);
    assert_int_equal(mint_server(key, &names, time(NULL), ca, ca_key, &cert), 0);
    names_finish(&names);
    assert_int_equal(mint_key_pem(key, &key_pem), 0);
    assert_int_equal(mint_cert(cert, GNUTLS_X509_FMT_PEM, &cert_pem), 0);
    snprintf(cert_file, sizeof cert_file, "%s/cert", dir);
    snprintf(key_file, sizeof key_file, "%s/key", dir);
    put_pem(cert_file, &cert_pem);
    put_pem(key_file, &key_pem);
    assert_int_equal(tls_server_create(cert_file, key_file, &server, &why), 0);
    unlink(cert_file);
    unlink(key_file);
    rmdir(dir);
    gnutls_x509_privkey_deinit(ca_key);
    gnutls_x509_privkey_deinit(key);
    gnutls_x509_crt_deinit(ca);
    gnutls_x509_crt_deinit(cert);
    return server;
}
