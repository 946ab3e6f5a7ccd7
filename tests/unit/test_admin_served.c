/* test_admin_served.c - who is being served is served to the end: whatever others want meanwhile,
 * however late the server is itself, and when it stops. */
#include "harness/admin_rig.h"
#include "harness/memory.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#define CALLERS 256 /* that have a place */
#define MANY    4000
#define PAGE    "GET /v1/runs/default/events?max=10000 HTTP/1.1\r\nHost: localhost\r\n"
#define HEALTH  "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define BODY    "{\"mode\":\"a\"}"
#define PUT_MODE                                                                                   \
    "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"               \
    "Content-Length: 12\r\n\r\n" BODY
#define POST_PHASE                                                                                 \
    "POST /v1/runs/default/phase HTTP/1.1\r\nHost: localhost\r\n"                                  \
    "Content-Type: application/json\r\nContent-Length: 17\r\n\r\n{\"phase\":\"fault\"}"

/* --- Who asks, and who wants a place */

/* More than sockets hold. */
static void commit_page(void)
{
    char name[900];
    ledger_destroy(the_run.ledger);
    the_run.ledger = ledger_create(16 << 20);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%0*u", (int)sizeof name - 1, i);
        rig_commit(name);
    }
}

/* Without a turn of the loop. */
static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The callers are told apart by their order. */
static struct caller *only_caller(void)
{
    assert_false(link_empty(&admin->callers));
    return link_entry(admin->callers.next, struct caller, link);
}

static bool only_caller_listens(void *unused)
{
    return !link_empty(&admin->callers) && only_caller()->listening;
}

static int others[2 * CALLERS];

static void others_come(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        others[i] = open_client();
        loop_settle(&loop); /* each finds the places as the ones before it left them */
    }
}

static void others_go(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        close(others[i]);
    loop_settle(&loop);
}

static char got[16 << 20];

/* Reads on, to the end of a page or of the connection. Returns how much there is. */
static size_t read_on(int fd, size_t n, int ms)
{
    int64_t until = clock_now() + ms * REAL_MS;
    while (clock_now() < until) {
        uv_run(&loop, UV_RUN_NOWAIT);
        ssize_t more = recv(fd, got + n, sizeof got - n, MSG_DONTWAIT);
        if (more == 0 || (more < 0 && errno != EAGAIN))
            break;
        n += more > 0 ? (size_t)more : 0;
        if (n > 5 && memcmp(got + n - 5, "0\r\n\r\n", 5) == 0)
            break;
    }
    return n;
}

static void assert_page(size_t n)
{
    char *body = memmem(got, n, "\r\n\r\n", 4);
    if (!body)
        fail_msg("%zu bytes have no body", n);
    forget_reply();
    body += 4;
    if (!reply_take_chunked(body, n - (size_t)(body - got)))
        fail_msg("cut after %zu bytes", n);
    json_t *page = json_loadb(reply.body, reply.body_len, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(page, "events")), MANY);
    json_decref(page);
}

static void assert_set(int fd)
{
    assert_true(rig_receive(fd, false, PATIENCE_MS));
    assert_int_equal(reply.status, 200);
    assert_string_equal(the_run.mode, "a");
}

/* --- When places are scarce */

static unsigned answers(size_t n)
{
    unsigned count = 0;
    char *at = got;
    while ((at = memmem(at, n - (size_t)(at - got), "HTTP/1.1 200", 12))) {
        at += 12;
        count++;
    }
    return count;
}

/* libmicrohttpd has said all of it, but the socket is full: it is on its way. */
static void an_answer_that_is_not_delivered_yet_keeps_its_place(void **state)
{
    commit_page();
    int fd = open_client(), held = 0;
    unsigned asked = 0;
    for (; asked < 200 && !held; asked++) {
        say(fd, "GET /v1/runs/default/events?max=100 HTTP/1.1\r\nHost: localhost\r\n\r\n");
        loop_until(&loop, only_caller_listens, NULL);
        loop_settle(&loop); /* the relay has passed on what the socket takes */
        assert_int_equal(ioctl(only_caller()->fd, SIOCOUTQ, &held), 0);
    }
    assert_true(held > 0 && only_caller()->listening);
    others_come(CALLERS + 20);
    size_t n = 0;
    int64_t until = clock_now() + PATIENCE;
    while (answers(n) < asked && clock_now() < until)
        n = read_on(fd, n, 20);
    n = read_on(fd, n, 500);
    assert_int_equal(answers(n), asked);
    assert_memory_equal(got + n - 5, "0\r\n\r\n", 5);
    close(fd);
    others_go(CALLERS + 20);
}

static void a_call_that_waits_for_what_it_sets_keeps_its_place(void **state)
{
    int fd = open_client();
    the_run.unsettled = true;
    say(fd, PUT_MODE);
    loop_settle(&loop);
    others_come(CALLERS + 20);
    run_settle(&the_run);
    assert_set(fd);
    close(fd);
    others_go(CALLERS + 20);
}

static void a_page_that_is_being_sent_keeps_its_place(void **state)
{
    commit_page();
    int fd = open_client();
    say(fd, PAGE "\r\n"); /* not one turn in which to send it */
    others_come(CALLERS + 20);
    assert_page(read_on(fd, 0, PATIENCE_MS));
    close(fd);
    others_go(CALLERS + 20);
}

/* It was quiet for long, as far as the server has looked. */
static void a_request_that_nobody_has_read_yet_keeps_its_place(void **state)
{
    int fd = open_client();
    say(fd, HEALTH);
    assert_true(rig_receive(fd, false, PATIENCE_MS));
    others_come(CALLERS - 1);
    poll(NULL, 0, 1100); /* a second is what makes it quiet, and the loop must not run in it */
    int newcomer = open_client();
    say(fd, HEALTH); /* behind it */
    assert_true(rig_receive(fd, false, PATIENCE_MS));
    assert_int_equal(reply.status, 200);
    say(newcomer, HEALTH);
    assert_true(rig_receive(newcomer, false, PATIENCE_MS));
    assert_int_equal(reply.status, 200);
    close(newcomer);
    close(fd);
    others_go(CALLERS - 1);
}

/* Who waits for events makes place, but not while its answer, which is long, is sent. */
static void a_page_that_was_waited_for_is_sent_whole(void **state)
{
    int fd = open_client();
    ledger_destroy(the_run.ledger);
    the_run.ledger = ledger_create(16 << 20);
    say(fd, "GET /v1/runs/default/events?max=10000&wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n");
    loop_settle(&loop);
    assert_false(link_empty(&admin->waiters));
    others_come(CALLERS - 1);
    int newcomer = open_client();
    char name[900];
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%0*u", (int)sizeof name - 1, i);
        rig_commit(name);
    }
    timer_cancel(&admin->wake); /* the newcomer comes first */
    loop_settle(&loop);
    timer_at(&admin->wake, clock_now());
    assert_page(read_on(fd, 0, PATIENCE_MS));
    close(newcomer);
    close(fd);
    others_go(CALLERS - 1);
}

/* --- When the server is late */

/* From now on; what was done until then may have taken its time. */
static void only_caller_has(int64_t span)
{
    timer_at(&only_caller()->deadline, clock_now() + span);
}

static void time_that_a_call_waits_for_others_does_not_count(void **state)
{
    call_patience.request = 400 * NS_PER_MS;
    int fd = open_client();
    the_run.unsettled = true;
    say(fd, PUT_MODE);
    loop_settle(&loop);
    loop_run(600 * NS_PER_MS); /* more than a call may take to be said */
    run_settle(&the_run);
    assert_set(fd);
    close(fd);
}

static void time_in_which_the_server_did_not_run_does_not_count(void **state)
{
    for (int twice = 0; twice < 2; twice++) {
        int fd = open_client();
        loop_settle(&loop);
        only_caller_has(50 * NS_PER_MS);
        if (twice) {           /* and again, just when it was about to look */
            poll(NULL, 0, 60); /* its time is over, and the loop does not run in it */
            uv_run(&loop, UV_RUN_NOWAIT);
            assert_true(only_caller()->overdue);
        }
        say(fd, PUT_MODE);
        poll(NULL, 0, 300); /* the same */
        assert_set(fd);
        close(fd);
    }
}

/* The loop turns, and yet does not come to what has been said: on the way to libmicrohttpd it is
 * read twice, and the loop may stand still before each.
 */
static void who_has_said_all_is_heard_though_the_server_is_late_again_and_again(void **state)
{
    int fd = open_client();
    loop_settle(&loop);
    say(fd, PUT_MODE);
    for (int turns = 0; turns < 4; turns++) { /* of its timers alone */
        struct timer *deadline = &only_caller()->deadline;
        timer_cancel(deadline);
        deadline->reached(deadline, 0);
    }
    assert_set(fd);
    close(fd);
}

static void who_has_said_all_is_sent_a_whole_page(void **state)
{
    commit_page();
    int fd = open_client();
    say(fd, PAGE "\r\n");
    shutdown(fd, SHUT_WR);
    assert_page(read_on(fd, 0, PATIENCE_MS));
    close(fd);
}

/* Though libmicrohttpd has closed: its end must not be reported over and over. */
static void who_does_not_take_the_rest_costs_nothing(void **state)
{
    commit_page();
    int fd = open_client();
    say(fd, PAGE "Connection: close\r\n\r\n");
    rig_await_bytes(fd);
    size_t n = 0;
    for (int t = 0; t < 100000 && !link_empty(&admin->callers); t++) {
        ssize_t more = recv(fd, got + n, 4096, MSG_DONTWAIT);
        n += more > 0 ? (size_t)more : 0;
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_false(link_empty(&admin->relays));
    loop_settle(&loop);
    struct pollfd some = { .fd = uv_backend_fd(&loop), .events = POLLIN };
    assert_int_equal(poll(&some, 1, 100), 0); /* time in which nothing must wake it */
    assert_page(read_on(fd, n, PATIENCE_MS));
    close(fd);
}

/* --- When it stops */

static void restart(void)
{
    rig_await_stop();
    rig_start(&(struct admin_config){ 0 });
}

static void who_takes_an_answer_gets_all_of_it_when_it_stops(void **state)
{
    commit_page();
    for (int close_it = 0; close_it < 2; close_it++) {
        int fd = open_client();
        say(fd, close_it ? PAGE "Connection: close\r\n\r\n" : PAGE "\r\n");
        rig_await_bytes(fd);
        call_patience.stop = 20 * NS_PER_S;
        admin_stop(admin, rig_stopped, NULL);
        assert_page(read_on(fd, 0, PATIENCE_MS));
        assert_int_equal(read_on(fd, 0, PATIENCE_MS), 0); /* and then its end */
        close(fd);
        restart();
    }
}

static void who_waits_for_what_it_sets_is_answered_when_it_stops(void **state)
{
    int fd = open_client();
    the_run.unsettled = true;
    say(fd, PUT_MODE);
    loop_settle(&loop);
    admin_stop(admin, rig_stopped, NULL);
    assert_set(fd);
    close(fd);
    restart();
}

/* A phase, whose connections end later than the server does: of a caller who is there, and of one
 * who has left with an RST, for whom nobody waits.
 */
static void what_does_not_come_about_is_not_waited_for_when_it_stops(void **state)
{
    const struct linger rst = { .l_onoff = 1 };
    call_patience.stop = 100 * NS_PER_MS;
    the_run.lingers = true;
    for (int leaves = 0; leaves < 2; leaves++) {
        int fd = open_client();
        say(fd, POST_PHASE);
        loop_settle(&loop);
        assert_non_null(the_run.ending);
        if (leaves) {
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &rst, sizeof rst);
            close(fd);
        }
        admin_stop(admin, rig_stopped, NULL);
        rig_await_stop();
        if (!leaves)
            close(fd);
        rig_start(&(struct admin_config){ 0 });
        struct run_waiter *ending = the_run.ending;
        the_run.ending = NULL;
        ending->settled(ending);
    }
    the_run.lingers = false;
}

static void who_takes_nothing_is_not_waited_for_when_it_stops(void **state)
{
    commit_page();
    int fd = open_client(), idle = open_client(), little = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    say(fd, PAGE "\r\n");
    rig_await_bytes(fd);
    int64_t began = clock_now();
    call_patience.stop = 200 * NS_PER_MS;
    admin_stop(admin, rig_stopped, NULL);
    assert_int_equal(read_on(idle, 0, PATIENCE_MS), 0);
    rig_await_stop();
    assert_true(clock_now() - began >= 200 * NS_PER_MS);
    size_t n = read_on(fd, 0, PATIENCE_MS);
    assert_true(n > 0 && memcmp(got + n - 5, "0\r\n\r\n", 5) != 0); /* as one that was cut */
    close(fd);
    close(idle);
    restart();
}

int main(void)
{
    caps_probe();
    memory_for_jansson(true);
#define SERVED(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        SERVED(an_answer_that_is_not_delivered_yet_keeps_its_place),
        SERVED(a_call_that_waits_for_what_it_sets_keeps_its_place),
        SERVED(a_page_that_is_being_sent_keeps_its_place),
        SERVED(a_request_that_nobody_has_read_yet_keeps_its_place),
        SERVED(a_page_that_was_waited_for_is_sent_whole),
        SERVED(time_that_a_call_waits_for_others_does_not_count),
        SERVED(time_in_which_the_server_did_not_run_does_not_count),
        SERVED(who_has_said_all_is_heard_though_the_server_is_late_again_and_again),
        SERVED(who_has_said_all_is_sent_a_whole_page),
        SERVED(who_does_not_take_the_rest_costs_nothing),
        SERVED(who_takes_an_answer_gets_all_of_it_when_it_stops),
        SERVED(who_waits_for_what_it_sets_is_answered_when_it_stops),
        SERVED(what_does_not_come_about_is_not_waited_for_when_it_stops),
        SERVED(who_takes_nothing_is_not_waited_for_when_it_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
