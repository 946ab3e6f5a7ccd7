#include "certs/names.h"
#include "harness/authority_fixture.h"

/* --- The first start */

static void the_first_start_makes_all_files_whatever_the_umask(void **unused)
{
    mode_t umask_before = umask(0777);
    strcat(fixture_state, "/a/b");
    int rc = fixture_open_at(NOW);
    umask(umask_before);
    assert_int_equal(rc, 0);
    assert_int_equal(fixture_mode_of(fixture_files.key), 0600);
    assert_int_equal(fixture_mode_of(fixture_path("ca-key.pem")), 0600);
    assert_int_equal(fixture_mode_of(fixture_files.ca_pem), 0644);
    assert_int_equal(fixture_mode_of(fixture_files.ca_der), 0644);
    assert_int_equal(fixture_mode_of(fixture_files.cert), 0644);
    assert_int_equal(fixture_mode_of(fixture_state), 0700);
    assert_int_equal(fixture_mode_of(fixture_path("..")), 0700);
    assert_int_equal(fixture_mode_of(fixture_path("../..")), 0700);
}

static void a_directory_that_was_there_keeps_its_mode(void **unused)
{
    assert_int_equal(mkdir(fixture_state, 0750), 0);
    fixture_open(NOW);
    assert_int_equal(fixture_mode_of(fixture_state), 0750);
}

static void a_relative_directory_gives_absolute_paths(void **unused)
{
    char before[512];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(fixture_top), 0);
    int rc = authority_open("state//", NULL, 0, NOW, &fixture_files, &fixture_why);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(rc, 0);
    assert_string_equal(fixture_files.ca_pem, fixture_path("ca.pem"));
    assert_string_equal(fixture_files.ca_der, fixture_path("ca.der"));
    assert_string_equal(fixture_files.cert, fixture_path("server.pem"));
    assert_string_equal(fixture_files.key, fixture_path("server-key.pem"));
}

static void the_authority_may_sign_certificates_but_no_further_authority(void **unused)
{
    fixture_open(NOW);
    gnutls_x509_crt_t ca = fixture_load_cert(fixture_files.ca_pem);
    unsigned critical = 0, is_ca = 0, usage = 0;
    int depth = -2;
    assert_true(gnutls_x509_crt_get_basic_constraints(ca, &critical, &is_ca, &depth) >= 0);
    assert_true(critical && is_ca && depth == 0);
    assert_int_equal(gnutls_x509_crt_get_key_usage(ca, &usage, &critical), 0);
    assert_int_equal(usage, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
    assert_true(critical);
    assert_true(gnutls_x509_crt_check_issuer(ca, ca));

    char serial[32];
    size_t size = sizeof serial;
    assert_int_equal(gnutls_x509_crt_get_serial(ca, serial, &size), 0);
    assert_int_equal(size, 16);
    assert_true(serial[0] >= 0x40);
    assert_int_equal(gnutls_x509_crt_get_activation_time(ca), NOW - 3600);
    assert_int_equal(gnutls_x509_crt_get_expiration_time(ca), NOW - 3600 + 3652 * DAY);

    gnutls_datum_t der = fixture_get(fixture_files.ca_der);
    assert_true(gnutls_x509_crt_equals2(ca, &der));
    gnutls_free(der.data);
    gnutls_x509_crt_deinit(ca);
}

static void common_name(const char *path, char out[80])
{
    gnutls_x509_crt_t cert = fixture_load_cert(path);
    size_t size = 80;
    assert_int_equal(
        gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, out, &size), 0);
    gnutls_x509_crt_deinit(cert);
}

static void two_authorities_can_be_told_apart_by_name(void **unused)
{
    char first[80], second[80];
    const char *start = "hangup local CA ";
    fixture_open(NOW);
    common_name(fixture_files.ca_pem, first);
    strcat(fixture_state, "2");
    fixture_open(NOW);
    common_name(fixture_files.ca_pem, second);
    assert_int_equal(strncmp(first, start, strlen(start)), 0);
    assert_int_equal(strspn(first + strlen(start), "0123456789abcdef"), 8);
    assert_int_equal(strlen(first), strlen(start) + 8);
    assert_string_not_equal(first, second);
}

static void the_server_certificate_is_what_apple_asks_for(void **unused)
{
    fixture_open(NOW);
    gnutls_x509_crt_t cert = fixture_load_cert(fixture_files.cert),
                      ca = fixture_load_cert(fixture_files.ca_pem);
    long long from = gnutls_x509_crt_get_activation_time(cert);
    long long until = gnutls_x509_crt_get_expiration_time(cert);
    assert_int_equal(from, NOW - 3600);
    assert_int_equal(until - from + 1, 397 * DAY);

    char text[80];
    size_t size = sizeof text;
    unsigned usage = 0, critical = 0, is_ca = 1;
    assert_int_equal(gnutls_x509_crt_get_key_purpose_oid(cert, 0, text, &size, NULL), 0);
    assert_string_equal(text, GNUTLS_KP_TLS_WWW_SERVER);
    size = sizeof text;
    assert_int_equal(gnutls_x509_crt_get_key_purpose_oid(cert, 1, text, &size, NULL),
                     GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE);
    assert_int_equal(gnutls_x509_crt_get_key_usage(cert, &usage, &critical), 0);
    assert_int_equal(usage, GNUTLS_KEY_DIGITAL_SIGNATURE);
    assert_int_equal(gnutls_x509_crt_get_basic_constraints(cert, NULL, &is_ca, NULL), 0);
    assert_false(is_ca);
    common_name(fixture_files.cert, text);
    assert_string_equal(text, "localhost");

    unsigned char issuer[64], subject[64];
    size_t issuer_size = sizeof issuer, subject_size = sizeof subject;
    assert_int_equal(gnutls_x509_crt_get_authority_key_id(cert, issuer, &issuer_size, NULL), 0);
    assert_int_equal(gnutls_x509_crt_get_subject_key_id(ca, subject, &subject_size, NULL), 0);
    assert_int_equal(issuer_size, subject_size);
    assert_memory_equal(issuer, subject, subject_size);

    gnutls_ecc_curve_t curve;
    assert_int_equal(gnutls_x509_crt_get_pk_ecc_raw(cert, &curve, NULL, NULL), 0);
    assert_int_equal(curve, GNUTLS_ECC_CURVE_SECP256R1);
    assert_int_equal(gnutls_x509_crt_get_signature_algorithm(cert), GNUTLS_SIGN_ECDSA_SHA256);
    assert_true(fixture_pair_fits());
    gnutls_x509_crt_deinit(cert);
    gnutls_x509_crt_deinit(ca);
}

static void clients_accept_the_certificate_for_each_name_and_no_other(void **unused)
{
    const char *names[] = { "app.test", "*.Dev.TEST",         "192.168.1.20",
                            "fd00::20", "xn--bcher-kva.test", "my_container" };
    assert_int_equal(
        authority_open(fixture_state, names, COUNT(names), NOW, &fixture_files, &fixture_why), 0);
    const char *good[] = { "localhost",
                           "127.0.0.1",
                           "::1",
                           "host.docker.internal",
                           "app.test",
                           "x.dev.test",
                           "APP.test",
                           "192.168.1.20",
                           "fd00::20",
                           "my_container",
                           "fd00:0:0:0:0:0:0:20" };
    const char *bad[] = { "app2.test",    "dev.test",  "a.b.dev.test",
                          "192.168.1.21", "127.0.0.2", "::2" };
    for (size_t i = 0; i < COUNT(good); i++)
        if (!fixture_serves(good[i], NOW))
            fail_msg("refused for %s", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        if (fixture_serves(bad[i], NOW))
            fail_msg("accepted for %s", bad[i]);
    assert_false(fixture_accepted("localhost", GNUTLS_KP_TLS_WWW_CLIENT, NOW));
    assert_false(fixture_serves("localhost", NOW + 397 * DAY));
}

static void the_host_name_is_among_the_names(void **unused)
{
    char host[300] = "";
    fixture_open(NOW);
    assert_int_equal(gethostname(host, sizeof host - 1), 0);
    struct name name;
    bool proper = name_parse(host, &name, NULL) == 0;
    assert_int_equal(fixture_serves(host, NOW), proper);
}

/* Runs a shell command; -1: openssl is not installed. */
static int openssl(const char *format, ...)
{
    char command[2048] = "command -v openssl >/dev/null || exit 255; ";
    size_t len = strlen(command);
    va_list args;
    va_start(args, format);
    vsnprintf(command + len, sizeof command - len, format, args);
    va_end(args);
    int status = system(command);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status) == 255 ? -1 : WEXITSTATUS(status);
}

static void openssl_accepts_it_too(void **unused)
{
    const char *verify = "openssl verify -x509_strict -purpose sslserver";
    fixture_open(0);
    int rc = openssl("%s -verify_hostname localhost -CAfile %s %s >/dev/null 2>&1", verify,
                     fixture_files.ca_pem, fixture_files.cert);
    if (rc < 0) {
        print_message("# openssl is not installed: nothing to ask\n");
        return;
    }
    assert_int_equal(rc, 0);
    assert_int_equal(openssl("%s -verify_ip ::1 -CAfile %s %s >/dev/null 2>&1", verify,
                             fixture_files.ca_pem, fixture_files.cert),
                     0);
    assert_int_equal(
        openssl("openssl pkey -in %s -noout -check >/dev/null 2>&1", fixture_files.key), 0);
}

/* --- Later starts */

static void a_second_start_changes_nothing(void **unused)
{
    fixture_open(NOW);
    struct snapshot before = fixture_look();
    fixture_open(NOW + 366 * DAY);
    assert_string_equal(fixture_changed_since(&before), "");
    fixture_forget(&before);
}

static void damage_nothing(void)
{
}

static void damage_cert(void)
{
    assert_int_equal(truncate(fixture_path("server.pem"), 300), 0);
}

static void damage_key(void)
{
    fixture_put_text(fixture_path("server-key.pem"),
                     "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
}

static void empty_key(void)
{
    fixture_put_text(fixture_path("server-key.pem"), "");
}

static void lose_key(void)
{
    assert_int_equal(unlink(fixture_path("server-key.pem")), 0);
}

static void other_key(void)
{
    fixture_copy(fixture_path("ca-key.pem"), fixture_path("server-key.pem"));
}

static void huge_cert(void)
{
    assert_int_equal(truncate(fixture_path("server.pem"), 2 << 20), 0);
}

/* Both files of another state directory: sound, but by another authority. */
static void other_authority(void)
{
    char own[sizeof fixture_state];
    strcpy(own, fixture_state);
    strcat(fixture_state, "-other");
    fixture_open(NOW);
    struct authority_files other = fixture_files;
    strcpy(fixture_state, own);
    fixture_copy(other.cert, fixture_path("server.pem"));
    fixture_copy(other.key, fixture_path("server-key.pem"));
}

static void the_server_certificate_is_made_anew_when_it_must(void **unused)
{
    static const char *const one[] = { "app.test" };
    static const char *const same[] = { "LOCALHOST", "127.0.0.1", "::0:1", "Localhost" };
    static const struct {
        const char *label;
        void (*damage)(void);
        long long later;
        const char *const *names;
        size_t count;
        const char *changes;
    } rows[] = {
        { "31 days left", damage_nothing, 365 * DAY, NULL, 0, "" },
        { "29 days left", damage_nothing, 368 * DAY, NULL, 0, "server.pem " },
        { "expired", damage_nothing, 500 * DAY, NULL, 0, "server.pem " },
        { "another name", damage_nothing, 0, one, 1, "server.pem " },
        { "names it has anyway", damage_nothing, 0, same, COUNT(same), "" },
        { "damaged certificate", damage_cert, 0, NULL, 0, "server.pem " },
        { "certificate without its chain", fixture_damage_chain, 0, NULL, 0, "server.pem " },
        { "no certificate", fixture_lose_cert, 0, NULL, 0, "server.pem " },
        { "a huge file", huge_cert, 0, NULL, 0, "server.pem " },
        { "damaged key", damage_key, 0, NULL, 0, "server-key.pem server.pem " },
        { "empty key", empty_key, 0, NULL, 0, "server-key.pem server.pem " },
        { "no key", lose_key, 0, NULL, 0, "server-key.pem server.pem " },
        { "another key", other_key, 0, NULL, 0, "server.pem " },
        { "another CA's", other_authority, 0, NULL, 0, "server.pem " },
    };
    char own[sizeof fixture_state];
    strcpy(own, fixture_state);
    for (size_t i = 0; i < COUNT(rows); i++) {
        snprintf(fixture_state, sizeof fixture_state, "%.100s-%zu", own, i);
        fixture_open(NOW);
        struct snapshot good = fixture_look();
        rows[i].damage();
        struct snapshot before = rows[i].changes[0] ? fixture_look() : good;
        /* "another CA's" and "another key" bring a key that is kept */
        int rc = authority_open(fixture_state, rows[i].names, rows[i].count, NOW + rows[i].later,
                                &fixture_files, &fixture_why);
        const char *changes = fixture_changed_since(&before);
        if (rc || strcmp(changes, rows[i].changes) != 0)
            fail_msg("%s: returned %d, changed \"%s\"", rows[i].label, rc, changes);
        assert_true(fixture_pair_fits());
        /* with the clock set back, the CA is of the future too */
        assert_true(fixture_serves("localhost", NOW + (rows[i].later > 0 ? rows[i].later : 0)));
        if (rows[i].changes[0])
            fixture_forget(&before);
        fixture_forget(&good);
    }
}

static void names_that_are_no_longer_wanted_go(void **unused)
{
    const char *names[] = { "app.test", "b.test" };
    assert_int_equal(authority_open(fixture_state, names, 2, NOW, &fixture_files, &fixture_why), 0);
    assert_true(fixture_serves("b.test", NOW));
    struct snapshot before = fixture_look();
    const char *swapped[] = { "B.test", "app.test", "b.TEST" };
    assert_int_equal(authority_open(fixture_state, swapped, 3, NOW, &fixture_files, &fixture_why),
                     0);
    assert_string_equal(fixture_changed_since(&before), "");
    assert_int_equal(authority_open(fixture_state, names, 1, NOW, &fixture_files, &fixture_why), 0);
    assert_false(fixture_serves("b.test", NOW));
    assert_true(fixture_serves("app.test", NOW));
    fixture_forget(&before);
}

static void a_lost_or_wrong_ca_der_is_written_again(void **unused)
{
    fixture_open(NOW);
    struct snapshot before = fixture_look();
    assert_int_equal(unlink(fixture_files.ca_der), 0);
    fixture_open(NOW);
    assert_string_equal(fixture_changed_since(&before), "");
    fixture_put_text(fixture_files.ca_der, "x");
    fixture_open(NOW);
    assert_string_equal(fixture_changed_since(&before), "");
    fixture_forget(&before);
}

static void what_a_crash_left_is_no_hindrance(void **unused)
{
    assert_int_equal(mkdir(fixture_state, 0700), 0);
    fixture_put_text(fixture_path("ca-key.pem.new"), "half");
    fixture_put_text(fixture_path("server.pem.new"), "half");
    fixture_open(NOW);
    assert_true(fixture_serves("localhost", NOW));
    assert_false(fixture_is_there(fixture_path("ca-key.pem.new")));
    assert_false(fixture_is_there(fixture_path("server.pem.new")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make_top, fixture_remove_top)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(the_first_start_makes_all_files_whatever_the_umask),
        TEST(a_directory_that_was_there_keeps_its_mode),
        TEST(a_relative_directory_gives_absolute_paths),
        TEST(the_authority_may_sign_certificates_but_no_further_authority),
        TEST(two_authorities_can_be_told_apart_by_name),
        TEST(the_server_certificate_is_what_apple_asks_for),
        TEST(clients_accept_the_certificate_for_each_name_and_no_other),
        TEST(the_host_name_is_among_the_names),
        TEST(openssl_accepts_it_too),
        TEST(a_second_start_changes_nothing),
        TEST(the_server_certificate_is_made_anew_when_it_must),
        TEST(names_that_are_no_longer_wanted_go),
        TEST(a_lost_or_wrong_ca_der_is_written_again),
        TEST(what_a_crash_left_is_no_hindrance),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
