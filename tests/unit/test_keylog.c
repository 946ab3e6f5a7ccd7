/* The key log: what GnuTLS's client side says of the same session must be in the file. */
#include "harness/hello.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "wire/keylog.h"

static char file[] = "/tmp/hangup-keylog-XXXXXX";
static struct buf expected; /* lines, as the client's side has them */

static int client_key(gnutls_session_t session, const char *label, const gnutls_datum_t *secret)
{
    gnutls_datum_t random;
    gnutls_session_get_random(session, &random, NULL);
    buf_printf(&expected, "%s ", label);
    for (unsigned i = 0; i < random.size; i++)
        buf_printf(&expected, "%02x", random.data[i]);
    buf_text(&expected, " ");
    for (unsigned i = 0; i < secret->size; i++)
        buf_printf(&expected, "%02x", secret->data[i]);
    buf_text(&expected, "\n");
    return 0;
}

/* The file's content, with a NUL behind; the caller frees it. */
static struct buf content(void)
{
    struct buf text = { 0 };
    char bytes[4096];
    FILE *f = fopen(file, "r");
    assert_non_null(f);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, f)) > 0;)
        buf_add(&text, bytes, n);
    fclose(f);
    buf_add(&text, "", 1);
    return text;
}

static unsigned count_lines(const char *text, const char *label)
{
    unsigned n = 0;
    for (const char *at = text; *at; at = strchr(at, '\n') + 1)
        n += strncmp(at, label, strlen(label)) == 0 && at[strlen(label)] == ' ';
    return n;
}

static struct keylog *open_log(const char *name)
{
    struct keylog *k = NULL;
    struct refusal why;
    assert_int_equal(keylog_open(name, &k, &why), 0);
    tls_server_set_keylog(bench_server, k);
    return k;
}

static void close_log(struct keylog *k)
{
    tls_server_set_keylog(bench_server, NULL);
    keylog_close(k);
}

static void one_session(size_t kind)
{
    struct bench b;
    hello_begin(&b, kind, NULL);
    gnutls_session_set_keylog_function(b.tls, client_key);
    hello_works(&b);
    assert_int_equal(gnutls_session_is_resumed(b.tls), hello_kinds[kind].resumes);
    bench_close(&b);
}

/* TLS 1.2 and 1.3, a HelloRetryRequest, resumption in both. */
static void every_secret_of_the_client_is_in_the_file(void **state)
{
    for (size_t kind = 0; kind < HELLO_KINDS; kind++) {
        unlink(file);
        buf_free(&expected);
        struct keylog *k = open_log(file);
        one_session(kind);
        close_log(k);
        struct buf text = content();
        const char *all = (const char *)buf_bytes(&text);
        buf_add(&expected, "", 1);
        for (char *line = (char *)expected.data, *end; (end = strchr(line, '\n')); line = end + 1) {
            *end = '\0';
            if (!strstr(all, line))
                fail_msg("kind %zu: not in the file: %s; it has %s", kind, line, all);
        }
        unsigned sessions = hello_kinds[kind].resumes ? 2 : 1; /* one to get the ticket */
        if (strstr(hello_kinds[kind].priority, "TLS1.2")) {
            assert_int_equal(count_lines(all, "CLIENT_RANDOM"), sessions);
        } else {
            assert_int_equal(count_lines(all, "CLIENT_HANDSHAKE_TRAFFIC_SECRET"), sessions);
            assert_int_equal(count_lines(all, "SERVER_HANDSHAKE_TRAFFIC_SECRET"), sessions);
            assert_int_equal(count_lines(all, "CLIENT_TRAFFIC_SECRET_0"), sessions);
            assert_int_equal(count_lines(all, "SERVER_TRAFFIC_SECRET_0"), sessions);
        }
        buf_free(&text);
    }
}

static void it_is_for_its_owner_and_appended_to(void **state)
{
    struct stat st;
    unlink(file);
    umask(0);
    struct keylog *k = open_log(file);
    one_session(TLS12);
    close_log(k);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    k = open_log(file);
    one_session(TLS12);
    close_log(k);
    struct buf text = content();
    assert_int_equal(count_lines((const char *)buf_bytes(&text), "CLIENT_RANDOM"), 2);
    buf_free(&text);
}

static void a_file_that_cannot_be_opened_is_refused(void **state)
{
    static const char *const names[] = { "/tmp", "/tmp/hangup-no-such-dir/keys", "" };
    for (size_t i = 0; i < COUNT(names); i++) {
        struct keylog *k;
        struct refusal why = { 0 };
        assert_int_equal(keylog_open(names[i], &k, &why), BAD_INPUT);
        assert_string_equal(why.where, "--keylog");
        assert_non_null(strstr(why.what, names[i]));
    }
}

/* What is logged meanwhile. */
static char logged[4096];
static int kept_stderr;

static void log_to_file(void)
{
    kept_stderr = dup(STDERR_FILENO);
    int fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600);
    dup2(fd, STDERR_FILENO);
    close(fd);
}

static void log_back(void)
{
    ssize_t n = pread(STDERR_FILENO, logged, sizeof logged - 1, 0);
    logged[n > 0 ? n : 0] = '\0';
    dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
}

static void a_full_disk_is_said_once_and_counted_and_harms_no_session(void **state)
{
    log_to_file();
    struct keylog *k = open_log("/dev/full");
    one_session(TLS12);
    one_session(TLS12);
    one_session(TLS12);
    close_log(k);
    log_back();
    char *first = strstr(logged, "cannot be written to /dev/full: No space left on device");
    assert_non_null(first);
    assert_null(strstr(first + 1, "cannot be written"));
    assert_non_null(strstr(logged, "3 lines could not be written to /dev/full"));
}

/* Where there is room again, the next line is whole. */
static void a_line_cut_short_does_not_spoil_the_next(void **state)
{
    struct rlimit limit, small;
    getrlimit(RLIMIT_FSIZE, &limit);
    small = (struct rlimit){ 100, limit.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    unlink(file);
    struct keylog *k = open_log(file);
    setrlimit(RLIMIT_FSIZE, &small);
    one_session(TLS12);
    one_session(TLS12);
    setrlimit(RLIMIT_FSIZE, &limit);
    one_session(TLS12);
    int null = open("/dev/null", O_WRONLY), kept = dup(STDERR_FILENO);
    dup2(null, STDERR_FILENO);
    close_log(k);
    dup2(kept, STDERR_FILENO);
    close(null);
    close(kept);
    struct buf text = content();
    const char *all = (const char *)buf_bytes(&text);
    assert_int_equal(all[100], '\n');
    assert_int_equal(count_lines(all, "CLIENT_RANDOM"), 2);
    assert_int_equal(strlen(all + 101), strlen("CLIENT_RANDOM ") + 2 * 32 + 1 + 2 * 48 + 1);
    buf_free(&text);
}

static int finish(void **state)
{
    unlink(file);
    buf_free(&expected);
    return bench_stop(state);
}

static int prepare(void **state)
{
    close(mkstemp(file));
    return bench_start_tls(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_secret_of_the_client_is_in_the_file),
        cmocka_unit_test(it_is_for_its_owner_and_appended_to),
        cmocka_unit_test(a_file_that_cannot_be_opened_is_refused),
        cmocka_unit_test(a_line_cut_short_does_not_spoil_the_next),
        cmocka_unit_test(a_full_disk_is_said_once_and_counted_and_harms_no_session),
    };
    return cmocka_run_group_tests(tests, prepare, finish);
}
