#include <poll.h>

#include "certs/mint.h"
#include "harness/authority_fixture.h"
#include "harness/memory.h"

/* --- The CA is precious */

static void lose_ca_key(void)
{
    assert_int_equal(unlink(fixture_path("ca-key.pem")), 0);
}

static void lose_ca(void)
{
    assert_int_equal(unlink(fixture_path("ca.pem")), 0);
}

static void lose_ca_and_key(void)
{
    lose_ca();
    lose_ca_key();
}

static void cut_ca(void)
{
    assert_int_equal(truncate(fixture_path("ca.pem"), 200), 0);
}

static void cut_ca_key(void)
{
    assert_int_equal(truncate(fixture_path("ca-key.pem"), 100), 0);
}

static void empty_ca(void)
{
    fixture_put_text(fixture_path("ca.pem"), "");
}

static void other_ca_key(void)
{
    fixture_copy(fixture_path("server-key.pem"), fixture_path("ca-key.pem"));
}

static void server_as_ca(void)
{
    fixture_copy(fixture_path("server-key.pem"), fixture_path("ca-key.pem"));
    fixture_copy(fixture_path("server.pem"), fixture_path("ca.pem"));
}

static void directory_as_ca(void)
{
    lose_ca();
    assert_int_equal(mkdir(fixture_path("ca.pem"), 0700), 0);
}

static void fifo_as_ca_key(void)
{
    lose_ca_key();
    assert_int_equal(mkfifo(fixture_path("ca-key.pem"), 0600), 0);
}

static void locked_ca_key(void)
{
    gnutls_x509_privkey_t key;
    gnutls_datum_t pem = fixture_get(fixture_path("ca-key.pem")), locked;
    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_import(key, &pem, GNUTLS_X509_FMT_PEM), 0);
    assert_int_equal(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, "password",
                                                       GNUTLS_PKCS_PBES2_AES_128, &locked),
                     0);
    fixture_put(fixture_path("ca-key.pem"), locked.data, locked.size);
    gnutls_free(locked.data);
    gnutls_free(pem.data);
    gnutls_x509_privkey_deinit(key);
}

static void a_damaged_authority_is_refused_and_left_alone(void **unused)
{
    static const struct {
        void (*damage)(void);
        const char *file, *what;
    } rows[] = {
        { lose_ca_key, "ca-key.pem", "is missing" },
        { lose_ca, "ca.pem", "is missing" },
        { lose_ca_and_key, "ca-key.pem", "is missing" },
        { cut_ca, "ca.pem", "is damaged" },
        { cut_ca_key, "ca-key.pem", "is damaged" },
        { empty_ca, "ca.pem", "is damaged" },
        { other_ca_key, "ca.pem", "does not belong to the key" },
        { server_as_ca, "ca.pem", "is not the certificate of a CA" },
        { directory_as_ca, "ca.pem", "is not a regular file" },
        { fifo_as_ca_key, "ca-key.pem", "is not a regular file" },
        { locked_ca_key, "ca-key.pem", "is protected by a password" },
    };
    char own[sizeof fixture_state];
    strcpy(own, fixture_state);
    for (size_t i = 0; i < COUNT(rows); i++) {
        snprintf(fixture_state, sizeof fixture_state, "%.100s-%zu", own, i);
        fixture_open(NOW);
        struct authority_files untouched = fixture_files;
        rows[i].damage();
        bool special = rows[i].damage == directory_as_ca || rows[i].damage == fifo_as_ca_key;
        struct snapshot before = { 0 };
        if (!special)
            before = fixture_look();
        memset(&fixture_why, 0, sizeof fixture_why);
        int rc = fixture_open_at(NOW);
        if (rc != BAD_INPUT || !strstr(fixture_why.what, rows[i].what))
            fail_msg("row %zu (%s): returned %d: %s", i, rows[i].what, rc, fixture_why.what);
        assert_string_equal(fixture_why.where, fixture_path(rows[i].file));
        if (!special) {
            assert_string_equal(fixture_changed_since(&before), "");
            assert_non_null(strstr(fixture_why.allowed, "remove ca-key.pem, ca.pem and ca.der"));
        }
        assert_memory_equal(&fixture_files, &untouched, sizeof fixture_files);
        fixture_forget(&before);
    }
}

static void doing_what_the_refusal_says_gives_a_new_authority(void **unused)
{
    fixture_open(NOW);
    struct snapshot before = fixture_look();
    lose_ca_and_key();
    assert_int_equal(unlink(fixture_path("ca.der")), 0);
    fixture_open(NOW);
    assert_string_equal(fixture_changed_since(&before), "ca-key.pem ca.pem ca.der server.pem ");
    assert_true(fixture_serves("localhost", NOW));
    fixture_forget(&before);
}

static void an_expired_authority_is_refused(void **unused)
{
    fixture_open(NOW);
    assert_int_equal(fixture_open_at(NOW + 3653 * DAY), BAD_INPUT);
    assert_string_equal(fixture_why.where, fixture_files.ca_pem);
    assert_non_null(strstr(fixture_why.what, "expired on 2037-01-1"));
    assert_non_null(strstr(fixture_why.allowed, "remove ca-key.pem"));
}

static void an_authority_that_is_not_valid_yet_is_refused_and_left_alone(void **unused)
{
    fixture_open(NOW);
    struct snapshot before = fixture_look();
    static const long long early[] = { NOW - 3601, NOW - DAY, NOW - 3000 * DAY };
    for (size_t i = 0; i < COUNT(early); i++) {
        memset(&fixture_why, 0, sizeof fixture_why);
        assert_int_equal(fixture_open_at(early[i]), BAD_INPUT);
        assert_string_equal(fixture_why.where, fixture_files.ca_pem);
        assert_non_null(strstr(fixture_why.what, "not valid before 2027-01-15 07:00 UTC"));
        assert_non_null(strstr(fixture_why.allowed, "a clock that is right"));
        assert_non_null(strstr(fixture_why.allowed, "remove ca-key.pem"));
    }
    assert_string_equal(fixture_changed_since(&before), "");
    fixture_open(NOW - 3600); /* its first second */
    fixture_forget(&before);
}

/* The clock was set back, but not to before the CA. */
static void a_server_certificate_that_is_not_valid_yet_is_made_anew(void **unused)
{
    fixture_open(NOW);
    assert_int_equal(unlink(fixture_path("server.pem")), 0);
    fixture_open(NOW + 10 * DAY);
    struct snapshot before = fixture_look();
    fixture_open(NOW + 5 * DAY);
    assert_string_equal(fixture_changed_since(&before), "server.pem ");
    assert_true(fixture_serves("localhost", NOW + 5 * DAY));
    fixture_forget(&before);
}

/* What a call writes to stderr. */
static const char *logged_by(long long now, int *rc)
{
    static char text[2048];
    char path[128];
    snprintf(path, sizeof path, "%s/log", fixture_top);
    int keep = dup(STDERR_FILENO);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && keep >= 0);
    dup2(fd, STDERR_FILENO);
    log_set_level(LOG_WARN);
    *rc = fixture_open_at(now);
    log_set_level(LOG_ERROR);
    dup2(keep, STDERR_FILENO);
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    close(keep);
    close(fd);
    return text;
}

static void near_its_end_the_authority_is_warned_about_and_certificates_end_with_it(void **unused)
{
    int rc;
    fixture_open(NOW);
    gnutls_x509_crt_t ca = fixture_load_cert(fixture_files.ca_pem);
    long long end = gnutls_x509_crt_get_expiration_time(ca);
    gnutls_x509_crt_deinit(ca);

    assert_string_equal(logged_by(end - 100 * DAY, &rc), "");
    assert_int_equal(rc, 0);
    assert_int_equal(fixture_expiry(), end);

    struct snapshot before = fixture_look();
    const char *log = logged_by(end - 10 * DAY, &rc);
    assert_int_equal(rc, 0);
    assert_non_null(strstr(log, "ca.pem expires on 2037-01-1"));
    assert_string_equal(fixture_changed_since(&before), ""); /* another would not last longer */
    assert_true(fixture_serves("localhost", end - 10 * DAY));
    fixture_forget(&before);
}

static void a_key_that_others_could_read_is_made_private_with_a_warning(void **unused)
{
    int rc;
    fixture_open(NOW);
    assert_int_equal(chmod(fixture_path("ca-key.pem"), 0644), 0);
    assert_int_equal(chmod(fixture_path("server-key.pem"), 0640), 0);
    const char *log = logged_by(NOW, &rc);
    assert_int_equal(rc, 0);
    assert_non_null(strstr(log, "ca-key.pem could be used by other users (mode 0644)"));
    assert_non_null(strstr(log, "server-key.pem could be used by other users (mode 0640)"));
    assert_int_equal(fixture_mode_of(fixture_path("ca-key.pem")), 0600);
    assert_int_equal(fixture_mode_of(fixture_path("server-key.pem")), 0600);
    assert_string_equal(logged_by(NOW, &rc), "");
}

static void an_authority_of_ones_own_is_as_good(void **unused)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t cert;
    gnutls_datum_t key_pem, cert_pem;
    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_RSA, 2048, 0), 0);
    assert_int_equal(mint_authority(key, NOW, &cert), 0);
    assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &key_pem), 0);
    assert_int_equal(mint_cert(cert, GNUTLS_X509_FMT_PEM, &cert_pem), 0);
    assert_int_equal(mkdir(fixture_state, 0700), 0);
    fixture_put(fixture_path("ca-key.pem"), key_pem.data, key_pem.size);
    fixture_put(fixture_path("ca.pem"), cert_pem.data, cert_pem.size);
    struct snapshot before = fixture_look();
    fixture_open(NOW);
    assert_string_equal(fixture_changed_since(&before), "ca.der server-key.pem server.pem ");
    assert_true(fixture_serves("localhost", NOW));
    fixture_forget(&before);
    gnutls_free(key_pem.data);
    gnutls_free(cert_pem.data);
    gnutls_x509_privkey_deinit(key);
    gnutls_x509_crt_deinit(cert);
}

/* --- Directories and disks */

static void paths_that_are_no_directory_are_refused(void **unused)
{
    char path[1200];
    fixture_put_text(fixture_state, "a file");
    assert_int_equal(fixture_open_at(NOW), BAD_INPUT);
    assert_string_equal(fixture_why.where, fixture_state);
    assert_non_null(strstr(fixture_why.what, "is a file"));
    strcat(fixture_state, "/below");
    assert_int_equal(fixture_open_at(NOW), BAD_INPUT);
    assert_string_equal(fixture_why.where, fixture_state);
    assert_non_null(strstr(fixture_why.what, "Not a directory"));

    assert_int_equal(authority_open("", NULL, 0, NOW, &fixture_files, &fixture_why), BAD_INPUT);
    assert_string_equal(fixture_why.where, "--state");
    static const size_t lengths[] = { 480, 500, 1023, 1024, 1100 };
    for (size_t i = 0; i < COUNT(lengths); i++) {
        memset(path, 'x', lengths[i]);
        path[0] = '/';
        path[lengths[i]] = '\0';
        assert_int_equal(authority_open(path, NULL, 0, NOW, &fixture_files, &fixture_why),
                         BAD_INPUT);
        assert_non_null(strstr(fixture_why.what, "too long"));
    }
}

static int expect_refused(void)
{
    return fixture_open_at(NOW) == BAD_INPUT && strstr(fixture_why.what, "Permission denied") &&
                   fixture_why.allowed[0]
               ? 0
               : 1;
}

static int expect_fine(void)
{
    return fixture_open_at(NOW) == 0 ? 0 : 1;
}

static void a_directory_without_permission_is_refused(void **unused)
{
    assert_int_equal(chmod(fixture_top, 0555), 0);
    assert_int_equal(fixture_as_nobody(expect_refused), 0); /* cannot be made */
    assert_int_equal(chmod(fixture_top, 0755), 0);
    assert_int_equal(mkdir(fixture_state, 0555), 0);
    assert_int_equal(fixture_as_nobody(expect_refused), 0); /* cannot be written */
    assert_int_equal(chmod(fixture_state, 0000), 0);
    assert_int_equal(fixture_as_nobody(expect_refused), 0); /* cannot be read */
    assert_int_equal(chmod(fixture_state, 0755), 0);
}

static void a_complete_directory_need_not_be_writable(void **unused)
{
    fixture_open(NOW);
    if (geteuid() == 0)
        for (size_t i = 0; i < COUNT(fixture_all_files); i++)
            assert_int_equal(chown(fixture_path(fixture_all_files[i]), 65534, 65534), 0);
    assert_int_equal(chmod(fixture_state, 0555), 0);
    assert_int_equal(fixture_as_nobody(expect_fine), 0);
    assert_int_equal(chmod(fixture_state, 0755), 0);
}

/* Files may grow to this many bytes only. */
static int open_with_file_limit(rlim_t bytes)
{
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = bytes;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    int rc = fixture_open_at(NOW);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);
    return rc;
}

static unsigned entries_in_state(void)
{
    char command[256];
    unsigned count = 0;
    snprintf(command, sizeof command, "ls -A %s | wc -l", fixture_state);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%u", &count), 1);
    pclose(f);
    return count;
}

static void a_full_disk_leaves_no_half_file(void **unused)
{
    /* The keys fit, the certificates do not; then nothing fits. */
    for (rlim_t limit = 0; limit <= 400; limit += 400) {
        assert_int_equal(open_with_file_limit(limit), BAD_INPUT);
        assert_string_equal(fixture_why.where, fixture_path(limit ? "ca.pem" : "ca-key.pem"));
        assert_non_null(strstr(fixture_why.what, "cannot be written: File too large"));
        assert_int_equal(entries_in_state(), 0);
    }
    fixture_open(NOW);
    assert_true(fixture_serves("localhost", NOW));
}

static void a_full_disk_keeps_what_was_there(void **unused)
{
    fixture_open(NOW);
    fixture_damage_chain();
    struct snapshot before = fixture_look();
    assert_int_equal(open_with_file_limit(400), BAD_INPUT);
    assert_string_equal(fixture_why.where, fixture_path("server.pem"));
    assert_string_equal(fixture_changed_since(&before), "");
    assert_int_equal(entries_in_state(), COUNT(fixture_all_files));
    fixture_forget(&before);
}

static void a_directory_in_the_way_of_a_file_is_refused(void **unused)
{
    fixture_open(NOW);
    fixture_lose_cert();
    assert_int_equal(mkdir(fixture_path("server.pem"), 0700), 0);
    assert_int_equal(fixture_open_at(NOW), BAD_INPUT);
    assert_string_equal(fixture_why.where, fixture_path("server.pem"));
    assert_int_equal(entries_in_state(), COUNT(fixture_all_files));
}

static void without_descriptors_it_fails_cleanly(void **unused)
{
    struct rlimit before, limit;
    fixture_open(NOW);
    int free_fd = open("/dev/null", O_RDONLY);
    assert_true(free_fd >= 0);
    close(free_fd);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (rlim_t more = 0; more < 2; more++) {
        limit = before;
        limit.rlim_cur = (rlim_t)free_fd + more;
        setrlimit(RLIMIT_NOFILE, &limit);
        int rc = fixture_open_at(NOW);
        setrlimit(RLIMIT_NOFILE, &before);
        assert_int_not_equal(rc, 0);
    }
    fixture_open(NOW);
}

static void servers_that_start_at_once_agree(void **unused)
{
    enum { STARTS = 8 };
    pid_t pids[STARTS];
    char seen[256];
    for (int i = 0; i < STARTS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            char name[] = { (char)('a' + i), '.', 't', '\0' };
            const char *names[] = { i % 2 ? name : "same.test" };
            if (authority_open(fixture_state, names, 1, NOW, &fixture_files, &fixture_why) != 0)
                _exit(1);
            snprintf(seen, sizeof seen, "%s/seen-%d", fixture_top, i);
            fixture_copy(fixture_files.ca_pem, seen);
            _exit(fixture_pair_fits() ? 0 : 2);
        }
    }
    for (int i = 0; i < STARTS; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    fixture_open(NOW);
    gnutls_datum_t ca = fixture_get(fixture_files.ca_pem);
    for (int i = 0; i < STARTS; i++) {
        snprintf(seen, sizeof seen, "%s/seen-%d", fixture_top, i);
        gnutls_datum_t of_child = fixture_get(seen);
        assert_true(fixture_same_bytes(&ca, &of_child));
        gnutls_free(of_child.data);
    }
    gnutls_free(ca.data);
}

static void it_waits_for_whoever_holds_the_lock(void **unused)
{
    assert_int_equal(mkdir(fixture_state, 0700), 0);
    int fd = open(fixture_state, O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    int alive[2]; /* ends with the child */
    assert_int_equal(pipe2(alive, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fd);
        _exit(fixture_open_at(NOW));
    }
    close(alive[1]);
    struct pollfd ends = { .fd = alive[0] };
    assert_int_equal(poll(&ends, 1, 100), 0); /* time in which it must not end */
    close(alive[0]);
    int status;
    assert_int_equal(entries_in_state(), 0);
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- Memory */

/* Of our own: GnuTLS keeps its own. */
static void without_memory_it_fails_cleanly(void **unused)
{
    int failed = 0;
    fixture_open(NOW);
    struct snapshot before = fixture_look();
    fixture_damage_chain(); /* so that all is read and the server certificate made */
    for (int n = 0;; n++) {
        memory_fails_once_after(n);
        int rc = fixture_open_at(NOW);
        bool over = memory_restore() == 0;
        if (over) {
            assert_int_equal(rc, 0);
            break;
        }
        assert_int_equal(rc, -ENOMEM);
        assert_int_equal(entries_in_state(), COUNT(fixture_all_files));
        failed++;
    }
    assert_true(failed >= 7); /* names, five files, the chain */
    assert_string_equal(fixture_changed_since(&before), "server.pem ");
    fixture_forget(&before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make_top, fixture_remove_top)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_damaged_authority_is_refused_and_left_alone),
        TEST(doing_what_the_refusal_says_gives_a_new_authority),
        TEST(an_expired_authority_is_refused),
        TEST(an_authority_that_is_not_valid_yet_is_refused_and_left_alone),
        TEST(a_server_certificate_that_is_not_valid_yet_is_made_anew),
        TEST(near_its_end_the_authority_is_warned_about_and_certificates_end_with_it),
        TEST(a_key_that_others_could_read_is_made_private_with_a_warning),
        TEST(an_authority_of_ones_own_is_as_good),
        TEST(paths_that_are_no_directory_are_refused),
        TEST(a_directory_without_permission_is_refused),
        TEST(a_complete_directory_need_not_be_writable),
        TEST(a_full_disk_leaves_no_half_file),
        TEST(a_full_disk_keeps_what_was_there),
        TEST(a_directory_in_the_way_of_a_file_is_refused),
        TEST(without_descriptors_it_fails_cleanly),
        TEST(servers_that_start_at_once_agree),
        TEST(it_waits_for_whoever_holds_the_lock),
        TEST(without_memory_it_fails_cleanly),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
