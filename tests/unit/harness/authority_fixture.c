#include "authority_fixture.h"

const char *const fixture_all_files[] = { "ca-key.pem", "ca.pem", "ca.der", "server-key.pem",
                                          "server.pem" };

char fixture_top[64];    /* a fresh directory for each test */
char fixture_state[128]; /* top/state */
struct authority_files fixture_files;
struct refusal fixture_why;

const char *fixture_path(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", fixture_state, name);
    return path;
}

void fixture_put(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

void fixture_put_text(const char *path, const char *text)
{
    fixture_put(path, text, strlen(text));
}

gnutls_datum_t fixture_get(const char *path)
{
    gnutls_datum_t bytes = { 0 };
    assert_int_equal(gnutls_load_file(path, &bytes), 0);
    return bytes;
}

void fixture_copy(const char *from, const char *to)
{
    gnutls_datum_t bytes = fixture_get(from);
    fixture_put(to, bytes.data, bytes.size);
    gnutls_free(bytes.data);
}

bool fixture_same_bytes(const gnutls_datum_t *a, const gnutls_datum_t *b)
{
    return a->size == b->size && (!a->size || memcmp(a->data, b->data, a->size) == 0);
}

unsigned fixture_mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

bool fixture_is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    return remove(path);
}

int fixture_make_top(void **unused)
{
    strcpy(fixture_top, "/tmp/hangup-authority-XXXXXX");
    if (!mkdtemp(fixture_top))
        return -1;
    chmod(fixture_top, 0755);
    snprintf(fixture_state, sizeof fixture_state, "%s/state", fixture_top);
    memset(&fixture_why, 0, sizeof fixture_why);
    return 0;
}

int fixture_remove_top(void **unused)
{
    gnutls_global_set_time_function(time);
    return nftw(fixture_top, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int fixture_open_at(long long now)
{
    return authority_open(fixture_state, NULL, 0, now, &fixture_files, &fixture_why);
}

void fixture_open(long long now)
{
    int rc = fixture_open_at(now);
    if (rc)
        print_error("%s: %s (%s)\n", fixture_why.where, fixture_why.what, fixture_why.allowed);
    assert_int_equal(rc, 0);
}

struct snapshot fixture_look(void)
{
    struct snapshot seen = { 0 };
    for (size_t i = 0; i < COUNT(fixture_all_files); i++)
        if (fixture_is_there(fixture_path(fixture_all_files[i])))
            seen.bytes[i] = fixture_get(fixture_path(fixture_all_files[i]));
    return seen;
}

void fixture_forget(struct snapshot *seen)
{
    for (size_t i = 0; i < COUNT(fixture_all_files); i++)
        gnutls_free(seen->bytes[i].data);
}

const char *fixture_changed_since(const struct snapshot *before)
{
    static char names[128];
    names[0] = '\0';
    struct snapshot after = fixture_look();
    for (size_t i = 0; i < COUNT(fixture_all_files); i++)
        if (!fixture_same_bytes(&before->bytes[i], &after.bytes[i])) {
            strcat(names, fixture_all_files[i]);
            strcat(names, " ");
        }
    fixture_forget(&after);
    return names;
}

static time_t pretended;
static time_t pretended_time(time_t *out)
{
    if (out)
        *out = pretended;
    return pretended;
}

bool fixture_accepted(const char *host, const char *purpose, long long at)
{
    gnutls_x509_trust_list_t trust;
    gnutls_x509_crt_t *chain = NULL;
    unsigned length = 0, status = ~0u;
    pretended = (time_t)at;
    gnutls_global_set_time_function(pretended_time);
    assert_int_equal(gnutls_x509_trust_list_init(&trust, 0), 0);
    assert_int_equal(gnutls_x509_trust_list_add_trust_file(trust, fixture_files.ca_pem, NULL,
                                                           GNUTLS_X509_FMT_PEM, 0, 0),
                     1);
    gnutls_datum_t pem = fixture_get(fixture_files.cert);
    assert_int_equal(gnutls_x509_crt_list_import2(&chain, &length, &pem, GNUTLS_X509_FMT_PEM,
                                                  GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED),
                     0);
    gnutls_typed_vdata_st asked[] = {
        { GNUTLS_DT_DNS_HOSTNAME, (unsigned char *)(uintptr_t)host, 0 },
        { GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)(uintptr_t)purpose, 0 },
    };
    int rc = gnutls_x509_trust_list_verify_crt2(trust, chain, length, asked, 2, 0, &status, NULL);
    for (unsigned i = 0; i < length; i++)
        gnutls_x509_crt_deinit(chain[i]);
    gnutls_free(chain);
    gnutls_free(pem.data);
    gnutls_x509_trust_list_deinit(trust, 1);
    return rc == 0 && status == 0;
}

bool fixture_serves(const char *host, long long at)
{
    return fixture_accepted(host, GNUTLS_KP_TLS_WWW_SERVER, at);
}

gnutls_x509_crt_t fixture_load_cert(const char *path)
{
    gnutls_x509_crt_t cert;
    gnutls_datum_t pem = fixture_get(path);
    assert_int_equal(gnutls_x509_crt_init(&cert), 0);
    assert_int_equal(gnutls_x509_crt_import(cert, &pem, GNUTLS_X509_FMT_PEM), 0);
    gnutls_free(pem.data);
    return cert;
}

bool fixture_pair_fits(void)
{
    gnutls_certificate_credentials_t cred;
    assert_int_equal(gnutls_certificate_allocate_credentials(&cred), 0);
    int rc = gnutls_certificate_set_x509_key_file(cred, fixture_files.cert, fixture_files.key,
                                                  GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(cred);
    return rc >= 0;
}

long long fixture_expiry(void)
{
    gnutls_x509_crt_t cert = fixture_load_cert(fixture_files.cert);
    long long until = gnutls_x509_crt_get_expiration_time(cert);
    gnutls_x509_crt_deinit(cert);
    return until;
}

int fixture_as_nobody(int (*check)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(99);
        _exit(check());
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

void fixture_damage_chain(void)
{
    gnutls_x509_crt_t cert = fixture_load_cert(fixture_path("server.pem"));
    gnutls_datum_t pem;
    assert_int_equal(gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &pem), 0);
    fixture_put(fixture_path("server.pem"), pem.data, pem.size);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(cert);
}

void fixture_lose_cert(void)
{
    assert_int_equal(unlink(fixture_path("server.pem")), 0);
}
