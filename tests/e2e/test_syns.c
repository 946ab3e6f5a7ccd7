/* What comes to listeners that refuse or drop SYNs leaves a trace: with its sender, where the
 * server may look (CAP_NET_RAW), and otherwise as far as it can be known. */
#include "talk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct server server;

static int setup(void **state)
{
    server_start(&server, NULL);
    return 0;
}

static int teardown(void **state)
{
    server_stop(&server);
    return 0;
}

/* A server without CAP_NET_RAW: nobody that this process starts from now on can have it. An
 * ordinary user may not give up a single one that a file adds, and gives up all of them. */
static int lose_it(void **state)
{
    server_stop(&server);
    memset(&server, 0, sizeof server);
    if (prctl(PR_CAPBSET_DROP, CAP_NET_RAW, 0, 0, 0) < 0)
        assert_return_code(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), errno);
    server_start(&server, NULL);
    return 0;
}

/* Sends a SYN to the port. *client: the port that it comes from. */
static int send_syn(uint16_t port, bool v6, uint16_t *client)
{
    struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
    struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr *at = v6 ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4;
    socklen_t len = v6 ? sizeof a6 : sizeof a4;
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, at, len), 0);
    getsockname(fd, at, &len);
    *client = ntohs(v6 ? a6.sin6_port : a4.sin_port);
    *(v6 ? &a6.sin6_port : &a4.sin_port) = htons(port);
    connect(fd, at, len);
    return fd;
}

/* The event about the n-th SYN from this port to that listener (another one may have had a SYN from
 * the same port: the client's kernel may take it again). */
static json_t *await_attempt(const char *event, const char *peer, const char *listener, int attempt)
{
    uint64_t since = 0, next;
    for (int64_t until = in_ms(PATIENCE_MS); clock_now() < until; since = next) {
        json_t *events = admin_events(&server, since, 500, &next), *found = NULL, *one;
        size_t i;
        json_array_foreach(events, i, one)
        {
            if (!found && strcmp(event_text(one, "event"), event) == 0 &&
                strcmp(event_text(one, "peer"), peer) == 0 &&
                strcmp(event_text(one, "listener"), listener) == 0 &&
                (int)event_ms(one, "attempts") == attempt)
                found = json_incref(one);
        }
        json_decref(events);
        if (found)
            return found;
    }
    fail_msg("no %s of %s to %s with attempts %d", event, peer, listener, attempt);
    return NULL;
}

static void check_seen(const char *mode, const char *event, bool again)
{
    const struct {
        const char *name;
        uint16_t port;
    } listeners[] = { { "https", server.https },
                      { "https1", server.https1 },
                      { "http", server.http } };
    admin_needs(&server, "tap");
    admin_reset(&server);
    admin_mode(&server, mode, "{\"for\":\"never\"}");
    for (size_t i = 0; i < sizeof listeners / sizeof listeners[0]; i++) {
        char peer[32];
        uint16_t client;
        int fd = send_syn(listeners[i].port, false, &client);
        snprintf(peer, sizeof peer, "127.0.0.1:%u", client);
        json_t *seen = await_attempt(event, peer, listeners[i].name, 1);
        assert_int_equal(event_ms(seen, "total"), i + 1);
        json_decref(seen);
        if (again && i == 2) {
            /* the client's kernel sends it again after a second: counted with the first */
            json_t *second = await_attempt(event, peer, listeners[i].name, 2);
            assert_true(event_ms(second, "total") > 3);
            json_decref(second);
        }
        close(fd);
    }
    admin_reset(&server);
    struct client c;
    struct client_options to = { .port = server.http };
    assert_true(client_connect(&c, &to)); /* accepted again, and no trace of such a kind */
    client_close(&c);
    json_t *none = ledger_find(&server, 0, event, NULL);
    check(!none, "an accepted connection is told as %s", event);
}

static void a_dropped_syn_is_told_with_its_sender_and_counted(void **state)
{
    admin_needs(&server, "black_hole");
    check_seen("syn-drop", "syn_dropped", true);
}

static void a_refused_syn_is_told_with_its_sender(void **state)
{
    check_seen("refuse", "syn_refused", false);
}

static void both_families_are_seen(void **state)
{
    char peer[48];
    uint16_t client;
    struct server other = { .pid = 0 };
    admin_needs(&server, "tap");
    struct server keep = server;
    server_start(&other, (const char *const[]){ "--http", "localhost:0", NULL });
    server = other;
    admin_mode(&server, "refuse", "{\"for\":\"never\"}");
    for (int v6 = 0; v6 < 2; v6++) {
        int fd = send_syn(server.http, v6, &client);
        snprintf(peer, sizeof peer, v6 ? "[::1]:%u" : "127.0.0.1:%u", client);
        json_t *seen = await_attempt("syn_refused", peer, "http", 1);
        json_decref(seen);
        close(fd);
    }
    other = server;
    server = keep;
    server_stop(&other);
}

/* --- Without CAP_NET_RAW */

static void without_the_capability_it_says_why(void **state)
{
    json_t *all = admin_call(&server, 200, "GET", "/v1/capabilities", NULL), *row;
    size_t i;
    bool told = false;
    json_array_foreach(json_object_get(all, "capabilities"), i, row)
    {
        if (strcmp(event_text(row, "name"), "tap") == 0) {
            told = true;
            assert_false(event_true(row, "available"));
            assert_non_null(strstr(event_text(row, "needs"), "CAP_NET_RAW"));
            assert_true(*event_text(row, "why_not"));
        }
    }
    assert_true(told);
    json_decref(all);

    uint16_t client;
    admin_mode(&server, "refuse", "{\"for\":\"never\"}");
    json_t *refused = ledger_await(&server, 0, "syn_refused", NULL);
    check(refused && strstr(event_text(refused, "why"), "CAP_NET_RAW"), "it does not say why");
    assert_null(json_object_get(refused, "peer"));
    json_decref(refused);
    close(send_syn(server.http, false, &client));
    admin_reset(&server);
}

static void without_the_capability_dropped_syns_are_counted(void **state)
{
    uint16_t client;
    admin_needs(&server, "black_hole");
    admin_reset(&server);
    admin_mode(&server, "syn-drop", "{\"for\":\"never\"}");
    int fd = send_syn(server.http, false, &client);
    json_t *dropped = ledger_await(&server, 0, "syn_dropped", NULL);
    assert_true(event_ms(dropped, "total") >= 1);
    assert_true(event_ms(dropped, "segments") >= 1);
    assert_non_null(strstr(event_text(dropped, "why"), "CAP_NET_RAW"));
    assert_null(json_object_get(dropped, "peer"));
    json_decref(dropped);
    close(fd);
    admin_reset(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dropped_syn_is_told_with_its_sender_and_counted),
        cmocka_unit_test(a_refused_syn_is_told_with_its_sender),
        cmocka_unit_test(both_families_are_seen),
        cmocka_unit_test_setup(without_the_capability_it_says_why, lose_it),
        cmocka_unit_test_setup(without_the_capability_dropped_syns_are_counted, lose_it),
    };

    return cmocka_run_group_tests_name("SYNs without an answer", tests, setup, teardown);
}
