#include "authority_fixture.h"

const char *const all_files[] = { "ca-key.pem", "ca.pem", "ca.der", "server-key.pem",
                                  "server.pem" };

char top[64];    /* a fresh directory for each test */
char state[128]; /* top/state */
struct authority_files files;
struct refusal why;

const char *in_state(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", state, name);
    return path;
}

void put(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

void put_text(const char *path, const char *text)
{
    put(path, text, strlen(text));
}

gnutls_datum_t get(const char *path)
{
    gnutls_datum_t bytes = { 0 };
    assert_int_equal(gnutls_load_file(path, &bytes), 0);
    return bytes;
}

void copy(const char *from, const char *to)
{
    gnutls_datum_t bytes = get(from);
    put(to, bytes.data, bytes.size);
    gnutls_free(bytes.data);
}

bool same_bytes(const gnutls_datum_t *a, const gnutls_datum_t *b)
{
    return a->size == b->size && (!a->size || memcmp(a->data, b->data, a->size) == 0);
}

unsigned mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    return remove(path);
}

int make_top(void **unused)
{
    strcpy(top, "/tmp/hangup-authority-XXXXXX");
    if (!mkdtemp(top))
        return -1;
    chmod(top, 0755);
    snprintf(state, sizeof state, "%s/state", top);
    memset(&why, 0, sizeof why);
    return 0;
}

int remove_top(void **unused)
{
    gnutls_global_set_time_function(time);
    return nftw(top, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int open_at(long long now)
{
    return authority_open(state, NULL, 0, now, &files, &why);
}

void open_fine(long long now)
{
    int rc = open_at(now);
    if (rc)
        print_error("%s: %s (%s)\n", why.where, why.what, why.allowed);
    assert_int_equal(rc, 0);
}

struct snapshot look(void)
{
    struct snapshot seen = { 0 };
    for (size_t i = 0; i < COUNT(all_files); i++)
        if (is_there(in_state(all_files[i])))
            seen.bytes[i] = get(in_state(all_files[i]));
    return seen;
}

void forget(struct snapshot *seen)
{
    for (size_t i = 0; i < COUNT(all_files); i++)
        gnutls_free(seen->bytes[i].data);
}

const char *changed_since(const struct snapshot *before)
{
    static char names[128];
    names[0] = '\0';
    struct snapshot after = look();
    for (size_t i = 0; i < COUNT(all_files); i++)
        if (!same_bytes(&before->bytes[i], &after.bytes[i])) {
            strcat(names, all_files[i]);
            strcat(names, " ");
        }
    forget(&after);
    return names;
}

static time_t pretended;
static time_t pretended_time(time_t *out)
{
    if (out)
        *out = pretended;
    return pretended;
}

bool accepted(const char *host, const char *purpose, long long at)
{
    gnutls_x509_trust_list_t trust;
    gnutls_x509_crt_t *chain = NULL;
    unsigned length = 0, status = ~0u;
    pretended = (time_t)at;
    gnutls_global_set_time_function(pretended_time);
    assert_int_equal(gnutls_x509_trust_list_init(&trust, 0), 0);
    assert_int_equal(
        gnutls_x509_trust_list_add_trust_file(trust, files.ca_pem, NULL, GNUTLS_X509_FMT_PEM, 0, 0),
        1);
    gnutls_datum_t pem = get(files.cert);
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

bool serves(const char *host, long long at)
{
    return accepted(host, GNUTLS_KP_TLS_WWW_SERVER, at);
}

gnutls_x509_crt_t load_cert(const char *path)
{
    gnutls_x509_crt_t cert;
    gnutls_datum_t pem = get(path);
    assert_int_equal(gnutls_x509_crt_init(&cert), 0);
    assert_int_equal(gnutls_x509_crt_import(cert, &pem, GNUTLS_X509_FMT_PEM), 0);
    gnutls_free(pem.data);
    return cert;
}

bool pair_fits(void)
{
    gnutls_certificate_credentials_t cred;
    assert_int_equal(gnutls_certificate_allocate_credentials(&cred), 0);
    int rc = gnutls_certificate_set_x509_key_file(cred, files.cert, files.key, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(cred);
    return rc >= 0;
}

long long expiry(void)
{
    gnutls_x509_crt_t cert = load_cert(files.cert);
    long long until = gnutls_x509_crt_get_expiration_time(cert);
    gnutls_x509_crt_deinit(cert);
    return until;
}

int as_nobody(int (*check)(void))
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

void damage_chain(void)
{
    gnutls_x509_crt_t cert = load_cert(in_state("server.pem"));
    gnutls_datum_t pem;
    assert_int_equal(gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &pem), 0);
    put(in_state("server.pem"), pem.data, pem.size);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(cert);
}

void lose_cert(void)
{
    assert_int_equal(unlink(in_state("server.pem")), 0);
}
