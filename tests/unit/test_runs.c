/* Several runs beside each other: their listeners, plans, ledgers and connections, and the end of
 * one of them. */
#include "harness/run_client.h"

#include "base/descriptors.h"
#include "run/pauses.h"
#include "run/runs.h"
#include "wire/listener.h"

#define LEDGERS (16 * 65536)

static struct runs *runs;
static struct run *a, *b;
static uint16_t port; /* that is_refused() asks */

static void listen_on(struct run *r)
{
    struct refusal why;
    const struct runs_listener http = { "http", "127.0.0.1:0", .over = OVER_ALL };
    assert_int_equal(runs_listen(runs, r, &http, &why), 0);
}

static int add(const char *id, struct run **out)
{
    struct run_config config = { .loop = &loop,
                                 .catalogue = catalogue,
                                 .endpoint = endpoint,
                                 .ledger_bytes = LEDGERS,
                                 .body_limit = 1000,
                                 .time_scale = 1 };
    return runs_add(runs, id, &config, out);
}

static uint16_t port_of(const struct run *r)
{
    return listener_port(runs_listening(runs, r, "http"));
}

/* Returns a client, or -1 and errno. */
static int connect_to(uint16_t where)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons(where),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static bool is_refused(void)
{
    int fd = connect_to(port);
    if (fd >= 0)
        close(fd);
    return fd < 0 && errno == ECONNREFUSED;
}

static size_t events_of(struct run *r, const char *name)
{
    run = r;
    json_t *events = events_since(0);
    size_t n = count_events(events, name);
    json_decref(events);
    return n;
}

static bool are_gone(void)
{
    return !runs_find(runs, "a") && !runs_find(runs, "b");
}

static bool b_is_gone(void)
{
    return !runs_find(runs, "b");
}

static bool b_is_empty(void)
{
    return run_connection_count(b) == 0;
}

static int start(void **state)
{
    if (rig_start(state))
        return -1;
    run_destroy(run, NULL);
    run = NULL;
    if (runs_create(LEDGERS, &runs) || add("a", &a) || add("b", &b))
        return -1;
    listen_on(a);
    listen_on(b);
    return 0;
}

static void note(void *arg, bool all)
{
    *(bool *)arg = true;
}

static int stop(void **state)
{
    bool done = false;
    runs_shutdown(runs, 0, note, &done);
    if (!done && !run_until(are_gone, PATIENCE))
        return -1;
    runs_destroy(runs);
    run = NULL;
    return done ? rig_stop(state) : -1;
}

/* --- Side by side */

static void each_run_has_a_plan_a_ledger_and_connections_of_its_own(void **state)
{
    run = b;
    set_rules("[{\"on\":\"request\",\"at\":\"headers\",\"do\":[\"fin\"]}]");
    int to_a = connect_to(port_of(a)), to_b = connect_to(port_of(b));
    assert_answered(to_a);
    ask(to_b);
    assert_true(run_until(got_end, PATIENCE));
    assert_int_equal(events_of(a, "fault"), 0);
    assert_int_equal(events_of(b, "fault"), 1);

    run = a;
    json_t *of_a = events_since(0);
    run = b;
    json_t *of_b = events_since(0);
    json_t *first = event_called(of_a, "connection_open"),
           *second = event_called(of_b, "connection_open");
    assert_int_equal(number_in(first, "number"), 1);
    assert_int_equal(number_in(second, "number"), 1);
    assert_int_not_equal(number_in(first, "connection"), number_in(second, "connection"));
    json_decref(of_a);
    json_decref(of_b);
    close(to_a);
    close(to_b);
}

static void an_id_names_one_run(void **state)
{
    struct run *other = NULL;
    char id[RUNS_ID_SIZE + 1];
    memset(id, 'x', RUNS_ID_SIZE);
    id[RUNS_ID_SIZE] = '\0';
    assert_ptr_equal(runs_find(runs, "a"), a);
    assert_ptr_equal(runs_find(runs, "b"), b);
    assert_null(runs_find(runs, "default"));
    assert_int_equal(add("a", &other), -EEXIST);
    assert_int_equal(add(id, &other), -ENAMETOOLONG);
    assert_null(other);
}

static void fill(struct run *r)
{
    char text[1000];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 2000; i++) {
        ledger_begin(run_ledger(r), EV_MARK, 0, 0);
        ledger_bytes(run_ledger(r), F_NAME, text, sizeof text);
        ledger_commit(run_ledger(r));
    }
}

static uint64_t held(struct run *r)
{
    return ledger_last(run_ledger(r)) - ledger_first(run_ledger(r)) + 1;
}

static void the_ledgers_of_all_runs_have_one_bound(void **state)
{
    fill(a);
    uint64_t alone = held(a);
    fill(b);
    assert_true(held(a) + held(b) <= alone + 2 * 65); /* a chunk holds 63 or so */
    assert_true(held(a) >= alone / 2 - 65 && held(b) >= alone / 2 - 65);
}

/* --- Its end */

static void a_run_ends_and_the_others_continue(void **state)
{
    struct run *other = NULL;
    int to_a = connect_to(port_of(a)), to_b = connect_to(port_of(b));
    assert_answered(to_a);
    assert_answered(to_b);
    port = port_of(b);
    runs_end(runs, b, 0, NULL);
    assert_int_equal(add("b", &other), -EEXIST); /* it is about to end */
    start_reading(to_b);
    assert_true(run_until(got_end, PATIENCE));
    assert_true(run_until(b_is_gone, PATIENCE));
    assert_true(run_until(is_refused, PATIENCE));
    assert_answered(to_a);
    assert_int_equal(add("b", &b), 0);
    listen_on(b);
    int again = connect_to(port_of(b));
    assert_answered(again);
    close(to_a);
    close(to_b);
    close(again);
}

static void a_run_without_connections_ends_too(void **state)
{
    runs_end(runs, b, 10 * NS_PER_S, NULL);
    assert_true(run_until(b_is_gone, PATIENCE));
}

/* --- Its listeners */

static void the_connections_of_a_listener_that_is_removed_stay(void **state)
{
    int client = connect_to(port_of(a));
    assert_answered(client);
    port = port_of(a);
    runs_unlisten(runs, a, "no such");
    assert_non_null(runs_listening(runs, a, "http"));
    runs_unlisten(runs, a, "http");
    assert_null(runs_listening(runs, a, "http"));
    assert_true(run_until(is_refused, PATIENCE));
    assert_answered(client);
    run = a;
    json_t *c = newest_connection();
    assert_member(c, "listener", "http");
    json_decref(c);
    close(client);
}

/* The warnings that the ledger of a has; *why: of the last one. */
static size_t warnings_of_a(char why[256])
{
    size_t count = 0, i;
    json_t *event;
    run = a;
    json_t *events = events_since(0);
    json_array_foreach(events, i, event)
    {
        const char *name = json_string_value(json_object_get(event, "event"));
        if (strcmp(name, "warning") != 0)
            continue;
        count++;
        snprintf(why, 256, "%s", json_string_value(json_object_get(event, "why")));
    }
    json_decref(events);
    return count;
}

static void set_plan_of_a(const char *text)
{
    struct refusal why;
    json_t *plan = json_loads(text, 0, NULL);
    assert_non_null(plan);
    assert_int_equal(run_set_plan(a, plan, NULL, APPLY_ALL, &why), 0);
    json_decref(plan);
}

/* What would be refused now, and was set when there was a listener for it. */
static void a_mode_that_a_removed_listener_was_for_is_warned_of(void **state)
{
    struct refusal refused;
    char why[256] = "";
    const struct runs_listener h1 = { "h1", "127.0.0.1:0", .over = OVER_H1 },
                               again = { "again", "127.0.0.1:0", .over = OVER_H1 };
    assert_int_equal(runs_listen(runs, a, &h1, &refused), 0);
    assert_int_equal(runs_listen(runs, a, &again, &refused), 0);
    assert_int_equal(run_set_mode_text(a, "max-streams-one", &refused), 0);
    runs_unlisten(runs, a, "again"); /* there is another one of its kind */
    assert_int_equal(warnings_of_a(why), 0);
    runs_unlisten(runs, a, "http");
    assert_int_equal(warnings_of_a(why), 1);
    assert_non_null(
        strstr(why, "\"max-streams-one\" can do nothing here: its rules are for HTTP/2"));
    assert_int_equal(run_set_mode_text(a, "max-streams-one", &refused), MODE_NOT_HERE);
    listen_on(a);
    set_plan_of_a("[{\"mode\":\"max-streams-one\",\"over\":\"h2\"},{\"mode\":\"normal\"}]");
    runs_unlisten(runs, a, "http");
    assert_int_equal(warnings_of_a(why), 2);
    assert_non_null(strstr(why, "$.plan[0].over: no listener here has HTTP/2"));
    runs_unlisten(runs, a, "h1"); /* there is none at all */
    assert_int_equal(warnings_of_a(why), 2);
}

static void a_listener_that_comes_later_does_what_the_mode_says(void **state)
{
    run = a;
    set_rules("[{\"on\":\"listen\",\"do\":[\"refuse_syn\"]}]");
    runs_unlisten(runs, a, "http");
    listen_on(a);
    port = port_of(a);
    assert_true(is_refused());
    port = port_of(b);
    assert_false(is_refused());
}

/* --- Descriptors */

static void room_is_made_in_whichever_run_has_some(void **state)
{
    struct refusal why;
    int to_a = connect_to(port_of(a)), to_b = connect_to(port_of(b));
    assert_answered(to_a);
    assert_answered(to_b);
    assert_false(descriptors_make_room());
    run = b;
    json_t *steps = json_pack("[s]", "stall");
    assert_int_equal(run_do(b, newest_id(), steps, &why), 0);
    json_decref(steps);
    assert_true(descriptors_make_room());
    assert_true(run_until(b_is_empty, PATIENCE));
    assert_false(descriptors_make_room());
    assert_answered(to_a);
    close(to_a);
    close(to_b);
}

/* Of the longest pause that the ledger of a run tells. */
static double paused_ms(struct run *r)
{
    run = r;
    json_t *events = events_since(0), *event;
    size_t i;
    double longest = 0;
    json_array_foreach(events, i, event)
    {
        if (strcmp(json_string_value(json_object_get(event, "event")), "server_paused") != 0)
            continue;
        double ms = json_number_value(json_object_get(event, "paused_ms"));
        double from = json_number_value(json_object_get(event, "from_ms"));
        double to = json_number_value(json_object_get(event, "to_ms"));
        assert_true(from <= to && to - from >= ms - 0.01);
        assert_null(json_object_get(event, "slept_ms"));
        longest = ms > longest ? ms : longest;
    }
    json_decref(events);
    return longest;
}

static bool never(void)
{
    return false;
}

static bool both_have_paused(void)
{
    return paused_ms(a) > 900 && paused_ms(b) > 900;
}

/* All runs have it, whether anything happened in them or not. */
static void a_pause_of_the_server_is_in_each_ledger(void **state)
{
    run = b;
    assert_false(run_until(never, 300 * NS_PER_MS));
    assert_true(paused_ms(a) < 900 && paused_ms(b) < 900);
    int64_t before = pauses_total();
    usleep(1000 * 1000); /* the loop does not run */
    assert_true(run_until(both_have_paused, PATIENCE));
    assert_in_range(pauses_total() - before, 900 * NS_PER_MS, PATIENCE);
}

/* What is read behind a pause may be read before the timer is reached. */
static void a_pause_is_told_ahead_of_what_was_read_behind_it(void **state)
{
    run = b;
    assert_false(run_until(never, 300 * NS_PER_MS));
    usleep(1000 * 1000);
    size_t others = events_of(a, "mark");
    ledger_begin(run_ledger(a), EV_MARK, 0, 0);
    assert_true(both_have_paused());
    ledger_commit(run_ledger(a));
    assert_int_equal(events_of(a, "mark"), others + 1);
    size_t pauses = events_of(a, "server_paused");
    assert_false(run_until(never, 20 * NS_PER_MS));
    assert_int_equal(events_of(a, "server_paused"), pauses); /* once */
}

#define RUNS_TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUNS_TEST(each_run_has_a_plan_a_ledger_and_connections_of_its_own),
        RUNS_TEST(an_id_names_one_run),
        RUNS_TEST(the_ledgers_of_all_runs_have_one_bound),
        RUNS_TEST(a_run_ends_and_the_others_continue),
        RUNS_TEST(a_run_without_connections_ends_too),
        RUNS_TEST(the_connections_of_a_listener_that_is_removed_stay),
        RUNS_TEST(a_mode_that_a_removed_listener_was_for_is_warned_of),
        RUNS_TEST(a_listener_that_comes_later_does_what_the_mode_says),
        RUNS_TEST(room_is_made_in_whichever_run_has_some),
        RUNS_TEST(a_pause_of_the_server_is_in_each_ledger),
        RUNS_TEST(a_pause_is_told_ahead_of_what_was_read_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
