/* The whole server as an object: one after the other in one process, and taken back when it cannot
 * be made. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "run/run.h"
#include "server.h"
#include "wire/listener.h"

#include "harness/loop.h"
#include "harness/sockets.h"

static char dir[] = "/tmp/hangup-server-XXXXXX", state_dir[64], some_file[64];

static struct server_config config_of(void)
{
    return (struct server_config){ .https = "127.0.0.1:0",
                                   .https1 = "127.0.0.1:0",
                                   .http = "127.0.0.1:0",
                                   .admin = "127.0.0.1:0",
                                   .run_ports = "127.0.0.1:0",
                                   .state_dir = state_dir,
                                   .time_scale = 1,
                                   .body_limit = 1000,
                                   .ledger_bytes = 1 << 20 };
}

static int remove_all(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static int make_dir(void **state)
{
    log_set_level(LOG_ERROR + 1);
    if (!mkdtemp(dir))
        return -1;
    snprintf(state_dir, sizeof state_dir, "%s/state", dir);
    snprintf(some_file, sizeof some_file, "%s/file", dir);
    int fd = open(some_file, O_CREAT | O_WRONLY, 0600);
    return fd < 0 ? -1 : close(fd);
}

/* --- A client, in the loop of the server */

static int connect_to(struct server *s, const char *listener)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons(listener_port(server_listener(s, listener))),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

struct answer {
    ssize_t (*get)(void *from, void *out, size_t n);
    void *from;
    char got[4096];
};

static bool has_come(void *answer)
{
    struct answer *a = answer;
    return a->get(a->from, a->got, sizeof a->got - 1) > 0;
}

static void assert_200(struct server *s, ssize_t (*get)(void *from, void *out, size_t n),
                       void *from)
{
    struct answer answer = { .get = get, .from = from };
    loop_until(server_loop(s), has_come, &answer);
    assert_memory_equal(answer.got, "HTTP/1.1 200 ", 13);
}

struct shaking {
    gnutls_session_t tls;
    int error;
};

static bool has_shaken(void *shaking)
{
    struct shaking *s = shaking;
    s->error = gnutls_handshake(s->tls);
    return s->error == 0 || gnutls_error_is_fatal(s->error);
}

static ssize_t get_clear(void *from, void *out, size_t n)
{
    return recv(*(int *)from, out, n, 0);
}

static ssize_t get_tls(void *from, void *out, size_t n)
{
    return gnutls_record_recv(from, out, n);
}

static void ask_in_cleartext(struct server *s, const char *listener, const char *path)
{
    char request[200];
    int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    int fd = connect_to(s, listener);
    assert_int_equal(send(fd, request, (size_t)n, 0), n);
    assert_200(s, get_clear, &fd);
    close(fd);
}

static void ask_over_tls(struct server *s, const char *listener)
{
    static const char request[] = "GET /api/entitlement/get HTTP/1.1\r\nHost: localhost\r\n\r\n";
    gnutls_certificate_credentials_t trust;
    gnutls_session_t tls;
    int fd = connect_to(s, listener);
    assert_int_equal(gnutls_certificate_allocate_credentials(&trust), 0);
    assert_int_equal(gnutls_init(&tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK), 0);
    assert_int_equal(gnutls_set_default_priority(tls), 0);
    gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, trust);
    gnutls_transport_set_int(tls, fd);
    struct shaking shaking = { .tls = tls };
    loop_until(server_loop(s), has_shaken, &shaking);
    assert_int_equal(shaking.error, 0);
    assert_int_equal(gnutls_record_send(tls, request, sizeof request - 1), sizeof request - 1);
    assert_200(s, get_tls, tls);
    gnutls_deinit(tls);
    gnutls_certificate_free_credentials(trust);
    close(fd);
}

/* --- Its life */

static void note(void *arg)
{
    (*(unsigned *)arg)++;
}

static void live(void)
{
    struct refusal why = { 0 };
    struct server *s;
    unsigned stopped = 0;
    struct server_config config = config_of();
    assert_int_equal(server_create(&config, &s, &why), 0);
    int error = server_start(s, &why);
    if (error)
        fail_msg("%d: %s: %s", error, why.where, why.what);
    assert_int_equal(run_set_mode_text(server_default_run(s), "half-open;idle=1h", &why), 0);
    ask_in_cleartext(s, "http", "/api/entitlement/get");
    ask_over_tls(s, "https");
    ask_over_tls(s, "https1");
    ask_in_cleartext(s, "admin", "/v1/mode");
    int idle = connect_to(s, "http"); /* and is there when it stops */
    loop_settle(server_loop(s));
    server_stop(s, note, &stopped);
    server_run(s);
    assert_int_equal(stopped, 1);
    server_destroy(s);
    close(idle);
}

static void one_follows_the_other_and_leaves_nothing(void **state)
{
    live();
    unsigned before = open_descriptors();
    live();
    live();
    assert_int_equal(open_descriptors(), before);
}

static void it_is_taken_back_without_having_run(void **state)
{
    struct refusal why;
    struct server *s;
    struct server_config config = config_of();
    unsigned before = open_descriptors();
    assert_int_equal(server_create(&config, &s, &why), 0);
    server_destroy(s);
    assert_int_equal(server_create(&config, &s, &why), 0);
    assert_int_equal(server_start(s, &why), 0);
    server_destroy(s);
    server_destroy(NULL);
    assert_int_equal(open_descriptors(), before);
}

/* At each place where it can fail. */
static void what_cannot_be_made_is_taken_back(void **state)
{
    char taken[32];
    struct refusal why;
    struct server_config good = config_of();
    struct server *s = NULL;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    getsockname(fd, (struct sockaddr *)&at, &len);
    snprintf(taken, sizeof taken, "127.0.0.1:%u", ntohs(at.sin_port));

    struct {
        const char *where;
        struct server_config config;
    } rows[] = {
        { "--modes", good },  { "--stubs", good }, { "--https", good },
        { "--http", good },   { "--state", good }, { "--cert", good },
        { "--keylog", good }, { "--admin", good }, { "--admin", good },
    };
    rows[0].config.modes_dir = some_file;
    rows[1].config.stubs_dir = some_file;
    rows[2].config.https = "nonsense";
    rows[3].config.http = taken;
    rows[4].config.state_dir = some_file;
    rows[5].config.cert = rows[5].config.key = some_file;
    rows[6].config.keylog = dir;
    rows[7].config.admin = taken;
    rows[8].config.admin = "nonsense";
    unsigned before = open_descriptors();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int error = server_create(&rows[i].config, &s, &why);
        if (!error) {
            error = server_start(s, &why);
            server_destroy(s);
        }
        assert_int_equal(error, BAD_INPUT);
        assert_string_equal(why.where, rows[i].where);
        assert_int_equal(open_descriptors(), before);
    }
    close(fd);
    live(); /* and another one can be made */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_follows_the_other_and_leaves_nothing),
        cmocka_unit_test(it_is_taken_back_without_having_run),
        cmocka_unit_test(what_cannot_be_made_is_taken_back),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_all);
}
