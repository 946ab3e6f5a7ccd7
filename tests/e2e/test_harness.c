/* The raw client itself: it sees FIN, RST and silence apart, and reads messages right. Its server
 * is a socket in this program. And the servers of tests: they do not outlive them. */
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "admin.h"
#include "check.h"
#include "client.h"
#include "h1.h"
#include "h2.h"
#include "server.h"
#include "tests/skip.h"

#define NOBODY 65534

struct pair {
    struct client c;
    int peer; /* -1: closed */
};

static int setup(void **state)
{
    static struct pair pair;
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(listener, (struct sockaddr *)&name, sizeof name) < 0 || listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)&name, &len) < 0)
        return -1;
    struct client_options to = { .port = ntohs(name.sin_port) };
    if (!client_connect(&pair.c, &to))
        return -1;
    pair.peer = accept(listener, NULL, NULL);
    close(listener);
    *state = &pair;
    return 0;
}

static int teardown(void **state)
{
    struct pair *p = *state;

    client_close(&p->c);
    if (p->peer >= 0)
        close(p->peer);
    return 0;
}

static void say(struct pair *p, const char *text)
{
    assert_int_equal(write(p->peer, text, strlen(text)), strlen(text));
}

static void reset(struct pair *p)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    setsockopt(p->peer, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(p->peer);
    p->peer = -1;
}

static void silence_is_neither_bytes_nor_an_end(void **state)
{
    struct pair *p = *state;
    int64_t until = in_ms(50);

    assert_true(client_silent(&p->c, until));
    assert_true(clock_now() >= until);
    say(p, "x");
    assert_false(client_silent(&p->c, in_ms(PATIENCE_MS)));
    assert_int_equal(p->c.raw_in, 1);
}

static void fin_is_seen_after_the_bytes_before_it(void **state)
{
    struct pair *p = *state;

    say(p, "abc");
    shutdown(p->peer, SHUT_WR);
    assert_true(client_wait_end(&p->c, in_ms(PATIENCE_MS)));
    assert_true(p->c.fin);
    assert_false(p->c.rst);
    assert_int_equal(buf_len(&p->c.in), 3);
    assert_true(p->c.last_byte_at <= p->c.fin_at);
}

static void rst_is_no_fin(void **state)
{
    struct pair *p = *state;

    reset(p);
    assert_true(client_wait_end(&p->c, in_ms(PATIENCE_MS)));
    assert_true(p->c.rst);
    assert_false(p->c.fin);
    assert_true(client_silent(&p->c, in_ms(10)));
}

static void rst_is_seen_after_a_fin(void **state)
{
    struct pair *p = *state;

    shutdown(p->peer, SHUT_WR);
    assert_true(client_wait_fin(&p->c, in_ms(PATIENCE_MS)));
    assert_false(client_wait_rst(&p->c, in_ms(20)));
    reset(p);
    assert_true(client_wait_rst(&p->c, in_ms(PATIENCE_MS)));
    assert_true(p->c.fin_at <= p->c.rst_at);
}

static void what_the_peers_kernel_took_is_acked(void **state)
{
    struct pair *p = *state;

    assert_int_equal(client_text(&p->c, "unread but ACKed"), 0);
    assert_true(client_wait_acked(&p->c, in_ms(PATIENCE_MS)));
    assert_int_equal(client_unacked(&p->c), 0);
}

static void h1_bodies_are_framed_by_length_chunks_or_the_end(void **state)
{
    static const struct {
        const char *bytes, *body;
        int status;
        bool head;
    } cases[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", 200, false },
        { "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
          "hello", 200, false },
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "", 200, true },
        { "HTTP/1.1 100 Continue\r\n\r\n", "", 100, false },
        { "HTTP/1.1 204 No Content\r\n\r\n", "", 204, false },
        { "HTTP/1.0 400 Bad\r\n\r\nto the end", "to the end", 400, false }, /* the last one */
    };
    struct pair *p = *state;
    size_t count = sizeof cases / sizeof cases[0];

    for (size_t i = 0; i < count; i++)
        say(p, cases[i].bytes);
    shutdown(p->peer, SHUT_WR);
    for (size_t i = 0; i < count; i++) {
        struct h1_response r;
        assert_true(h1_read(&p->c, cases[i].head, &r, in_ms(PATIENCE_MS)));
        assert_int_equal(r.status, cases[i].status);
        assert_string_equal((const char *)buf_bytes(&r.body), cases[i].body);
        h1_free(&r);
    }
}

static void an_h1_response_cut_short_is_not_whole(void **state)
{
    struct pair *p = *state;
    struct h1_response r;

    say(p, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell");
    shutdown(p->peer, SHUT_WR);
    assert_false(h1_read(&p->c, false, &r, in_ms(PATIENCE_MS)));
    h1_free(&r);
}

static void h2_frames_are_noted(void **state)
{
    static const uint8_t goaway[] = { 0, 0, 0, 7, 0, 0, 0, 2, 'w', 'h', 'y' };
    static const uint8_t settings[] = { 0, 3, 0, 0, 0, 100 };
    struct pair *p = *state;
    struct buf out = { .data = NULL };
    struct h2 h;

    h2_start(&h, &p->c);
    h2_compose_frame(&out, NGHTTP2_SETTINGS, 0, 0, settings, sizeof settings);
    h2_compose_frame(&out, NGHTTP2_GOAWAY, 0, 0, goaway, sizeof goaway);
    assert_int_equal(write(p->peer, buf_bytes(&out), buf_len(&out)), buf_len(&out));
    assert_true(h2_wait_frame(&h, NGHTTP2_GOAWAY, in_ms(PATIENCE_MS)));
    assert_int_equal(h.settings[NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS], 100);
    assert_int_equal(h.goaway.last, 7);
    assert_int_equal(h.goaway.error, NGHTTP2_INTERNAL_ERROR);
    assert_int_equal(h.goaway.debug_len, 3);
    assert_false(h2_next(&h, in_ms(20)));
    buf_free(&out);
    h2_free(&h);
}

/* --- A test that is killed */

/* A test that has started a server and is killed: the server ends. `user`: as whom, 0 for as we
 * are; the binary is this one. */
static void kill_with_a_server(const char *dir, const char *binary, uid_t user)
{
    char state[80], byte;
    const char *const arguments[] = { "serve",       "--https", "127.0.0.1:0", "--https1",
                                      "127.0.0.1:0", "--http",  "127.0.0.1:0", "--admin",
                                      "127.0.0.1:0", "--state", state,         NULL };
    int ready[2], told[2];
    pid_t server;

    snprintf(state, sizeof state, "%s/state", dir);
    assert_return_code(pipe2(ready, O_CLOEXEC), 0);
    assert_return_code(pipe2(told, O_CLOEXEC), 0);
    pid_t test = fork();
    assert_return_code(test, 0);
    if (test == 0) {
        if (user && (setresgid(user, user, user) < 0 || setresuid(user, user, user) < 0))
            _exit(1);
        setenv("HANGUP", binary, 1);
        server = server_spawn(arguments, ready[1], STDERR_FILENO, NULL, NULL);
        if (write(told[1], &server, sizeof server) == sizeof server)
            pause();
        _exit(1);
    }
    close(ready[1]);
    close(told[1]);
    assert_int_equal(read(told[0], &server, sizeof server), sizeof server);
    struct pollfd end = { .fd = pidfd_open(server, 0), .events = POLLIN };
    assert_return_code(end.fd, 0);
    check(read(ready[0], &byte, 1) == 1, "the server did not get ready");
    assert_int_equal(poll(&end, 1, 100), 0);
    kill(test, SIGKILL);
    waitpid(test, NULL, 0);
    int ended = poll(&end, 1, 2 * PATIENCE_MS);
    if (!ended)
        pidfd_send_signal(end.fd, SIGKILL, NULL, 0);
    close(end.fd);
    close(ready[0]);
    close(told[0]);
    assert_int_equal(ended, 1);
}

static void a_killed_test_leaves_no_server_behind(void **state)
{
    char dir[64];

    scratch_create(dir, sizeof dir);
    kill_with_a_server(dir, getenv("HANGUP"), 0);
    scratch_remove(dir);
}

/* A copy of the binary, with a file capability. False: that is not allowed here. */
static bool copy_with_capability(const char *to)
{
    struct vfs_cap_data caps = { .magic_etc = VFS_CAP_REVISION_2,
                                 .data[0].permitted = 1u << CAP_NET_RAW };
    int in = open(getenv("HANGUP"), O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    struct stat st;

    assert_true(in >= 0 && out >= 0 && fstat(in, &st) == 0);
    for (off_t at = 0; at < st.st_size;)
        assert_true(sendfile(out, in, &at, (size_t)(st.st_size - at)) > 0);
    close(in);
    close(out);
    return setxattr(to, "security.capability", &caps, sizeof caps, 0) == 0;
}

/* As a user without capabilities: for one who has them all it is a program like others. */
static void nor_one_with_file_capabilities(void **state)
{
    uid_t user = getuid() == 0 ? NOBODY : 0;
    char dir[64], binary[80];

    scratch_create(dir, sizeof dir);
    snprintf(binary, sizeof binary, "%s/hangup", dir);
    bool capable = copy_with_capability(binary);
    if (capable && user)
        assert_return_code(chown(dir, user, user), 0);
    if (capable)
        kill_with_a_server(dir, binary, user);
    scratch_remove(dir);
    if (!capable)
        skip_because("no file capability can be set here (CAP_SETFCAP)");
}

/* The kernel chooses among some 14,000 ports, and anew every ten seconds. */
static void a_client_whose_port_is_in_a_black_hole_connects_from_another(void **state)
{
    struct server server = { .pid = 0 };
    struct client first, second;

    server_start(&server, NULL);
    if (!admin_capability(&server, "black_hole")) {
        server_stop(&server);
        skip_because("the server may not make black holes here");
    }
    admin_mode(&server, "path-change", NULL);
    struct client_options to = { .port = server.http, .source_port = client_free_port() };
    assert_true(client_connect(&first, &to));
    assert_int_equal(client_port(&first), to.source_port);
    json_decref(ledger_await(&server, 0, "connection_open", NULL));
    admin_mark(&server, "path-change");
    json_decref(ledger_await(&server, 0, "fault_done", "black_hole"));
    client_drop(&first);
    to.patience_ms = 500;
    assert_false(client_connect(&second, &to));
    check(!second.rst, "it was refused");
    client_close(&second);
    to.patience_ms = 0;
    assert_true(client_connect(&second, &to));
    assert_int_not_equal(client_port(&second), to.source_port);
    client_close(&second);
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(silence_is_neither_bytes_nor_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(fin_is_seen_after_the_bytes_before_it, setup, teardown),
        cmocka_unit_test_setup_teardown(rst_is_no_fin, setup, teardown),
        cmocka_unit_test_setup_teardown(rst_is_seen_after_a_fin, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_peers_kernel_took_is_acked, setup, teardown),
        cmocka_unit_test_setup_teardown(h1_bodies_are_framed_by_length_chunks_or_the_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_h1_response_cut_short_is_not_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(h2_frames_are_noted, setup, teardown),
        cmocka_unit_test(a_client_whose_port_is_in_a_black_hole_connects_from_another),
        cmocka_unit_test(a_killed_test_leaves_no_server_behind),
        cmocka_unit_test(nor_one_with_file_capabilities),
    };

    return cmocka_run_group_tests_name("the harness", tests, NULL, NULL);
}
