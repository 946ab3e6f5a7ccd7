/* A run over real sockets: its mode, its connections, accepting without memory, its end. */
#include "harness/memory.h"
#include "harness/run_client.h"

#include <poll.h>

#include "run/run_parts.h"

static void assert_mode(const char *name)
{
    json_t *mode = run_mode(run);
    assert_member(mode, "mode", name);
    json_decref(mode);
}

static int do_steps(uint64_t id, const char *text, struct refusal *why)
{
    json_t *steps = json_loads(text, 0, NULL);
    int outcome = run_do(run, id, steps, why);
    json_decref(steps);
    return outcome;
}

/* session.c writes the one as the other. */
static void the_ledger_has_a_word_for_each_protocol(void **state)
{
    assert_int_equal(SPOKEN_COUNT, PROTOCOL_COUNT);
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        assert_string_equal(ledger_word_name(F_PROTOCOL_NAME, i), protocols[i].alpn);
}

static void a_mode_that_cannot_be_set_leaves_the_old_one(void **state)
{
    struct refusal why;
    json_t *params = json_pack("{s:s}", "idle", "soon");
    assert_mode("normal");
    assert_int_equal(run_set_mode_text(run, "idle-close;idle=1s", &why), 0);
    assert_int_equal(run_set_mode(run, "nope", NULL, false, APPLY_ALL, &why), MODE_UNKNOWN);
    assert_int_equal(run_set_mode(run, "half-open", params, false, APPLY_ALL, &why), BAD_INPUT);
    assert_string_equal(why.where, "$.params.idle");
    assert_mode("idle-close");
    run_reset(run);
    assert_mode("normal");
    json_decref(params);
}

/* With parameters that have no string in them: jansson's reader may write behind one that it could
 * not keep whole. */
static void what_is_in_force_is_told_as_a_whole_or_not_at_all(void **state)
{
    json_t *whole = run_mode(run);
    unsigned refused = 0;
    bool failed = true;
    assert_true(json_is_object(json_object_get(whole, "params")));
    memory_for_jansson(true);
    for (long n = 0; failed && n < 1000; n++) {
        memory_fails_once_after(n);
        json_t *told = run_mode(run);
        failed = memory_restore() > 0;
        assert_true(!told || json_equal(told, whole));
        refused += !told;
        json_decref(told);
    }
    memory_for_jansson(false);
    assert_false(failed);
    assert_in_range(refused, 5, 999);
    json_decref(whole);
}

static void a_connection_is_listed_while_it_lives(void **state)
{
    int client = connect_client();
    assert_answered(client);
    json_t *c = newest_connection();
    assert_member(c, "protocol", "http/1.1");
    assert_member(c, "state", "open");
    assert_member(c, "listener", "http");
    assert_int_equal(json_integer_value(json_object_get(c, "exchanges")), 1);
    assert_true(json_is_number(json_object_get(c, "idle_ms")));
    struct buf none = { 0 };
    assert_int_equal(run_connection(run, 1 + newest_id(), &none), RUN_NO_CONNECTION);
    assert_int_equal(buf_len(&none), 0);
    json_decref(c);
    close(client);
    assert_true(run_until(is_empty, PATIENCE));
}

static void steps_act_on_a_live_connection_only(void **state)
{
    char byte;
    struct refusal why;
    int client = connect_client();
    uint64_t id = newest_id();
    assert_int_equal(do_steps(id + 1, "[\"rst\"]", &why), RUN_NO_CONNECTION);
    assert_int_equal(do_steps(id, "[\"explode\"]", &why), BAD_INPUT);
    assert_int_equal(run_connection_count(run), 1);
    assert_int_equal(do_steps(id, "[\"rst\"]", &why), 0);
    assert_true(run_until(is_empty, PATIENCE));
    assert_int_equal(recv(client, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    close(client);
}

static bool is_one(void)
{
    return run_connection_count(run) == 1;
}

/* On how many the steps were begun, or what it was refused with; *skipped, if it is not NULL, on
 * how many they could not be. */
static int do_each(const char *where, const char *text, size_t *skipped, struct refusal *why)
{
    json_t *steps = json_loads(text, 0, NULL), *filter = where ? json_loads(where, 0, NULL) : NULL;
    json_t *done = NULL;
    int count = run_do_each(run, filter, steps, &done, why);
    if (count == 0) {
        count = (int)json_integer_value(json_object_get(done, "connections"));
        json_t *row = json_array_get(json_object_get(done, "skipped"), 0);
        if (skipped)
            *skipped = json_array_size(json_object_get(row, "connections"));
    } else {
        count = -count;
    }
    json_decref(done);
    json_decref(filter);
    json_decref(steps);
    return count;
}

static void a_filter_that_is_not_understood_acts_on_nothing(void **state)
{
    static const struct {
        const char *where, *named;
    } rows[] = {
        { "{\"idle\":1}", "$.where.idle" },
        { "{\"over\":\"h3\"}", "$.where.over" },
        { "{\"over\":null}", "$.where.over" },
        { "{\"listener\":\"nowhere\"}", "$.where.listener" },
        { "{\"listener\":7}", "$.where.listener" },
        { "{\"peer\":\"127.0.0.1:80\"}", "$.where.peer" },
        { "{\"peer\":7}", "$.where.peer" },
        { "{\"number\":0}", "$.where.number" },
        { "{\"number\":\"4-2\"}", "$.where.number" },
        { "{\"idel\":true}", "$.where.idel" },
    };
    struct refusal why;
    int client = connect_client();
    assert_answered(client);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(do_each(rows[i].where, "[\"rst\"]", NULL, &why), -BAD_INPUT);
        assert_string_equal(why.where, rows[i].named);
    }
    assert_int_equal(do_each(NULL, "[\"explode\"]", NULL, &why), -BAD_INPUT);
    assert_string_equal(why.where, "$.do[0]");
    assert_answered(client);
    end_client(client);
}

static void steps_act_on_all_that_a_filter_fits(void **state)
{
    char byte;
    struct refusal why;
    size_t skipped = 0;
    assert_int_equal(run_set_mode_text(run, "normal", &why), 0);
    int first = connect_client(), second = connect_client(), third = connect_client();
    assert_answered(first);
    assert_answered(third);
    assert_int_equal(do_each("{\"over\":\"h1\"}", "[\"goaway\"]", &skipped, &why), 0);
    assert_int_equal(skipped, 2);
    assert_int_equal(do_each(NULL, "[\"close_notify\"]", &skipped, &why), 0);
    assert_int_equal(skipped, 3);
    assert_int_equal(do_each("{\"over\":\"h2\"}", "[\"rst\"]", NULL, &why), 0);
    assert_int_equal(do_each("{\"peer\":\"192.0.2.1\"}", "[\"rst\"]", NULL, &why), 0);
    assert_int_equal(do_each("{\"number\":\"4-\"}", "[\"rst\"]", NULL, &why), 0);
    assert_int_equal(do_each("{\"over\":\"h1\",\"number\":3,\"listener\":\"http\",\"idle\":true,"
                             "\"peer\":\"127.0.0.1\"}",
                             "[\"rst\"]", NULL, &why),
                     1);
    assert_int_equal(recv(third, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_answered(first);
    assert_int_equal(do_each("{\"number\":\"1-\"}", "[\"rst\"]", NULL, &why), 2);
    assert_true(run_until(is_empty, PATIENCE));
    assert_int_equal(recv(first, &byte, 1, 0), -1);
    assert_int_equal(recv(second, &byte, 1, 0), -1);
    assert_int_equal(do_each(NULL, "[\"rst\"]", NULL, &why), 0);
    close(first);
    close(second);
    close(third);
}

static void reset_ends_what_a_fault_holds_and_keeps_the_rest(void **state)
{
    struct refusal why;
    int kept = connect_client();
    uint64_t kept_id = newest_id();
    int held = connect_client();
    assert_int_equal(do_steps(newest_id(), "[\"stall\"]", &why), 0);
    run_reset(run);
    assert_true(run_until(is_one, PATIENCE));
    assert_int_equal(newest_id(), kept_id);
    assert_answered(kept);
    close(kept);
    close(held);
    assert_true(run_until(is_empty, PATIENCE));
}

static void a_reset_without_memory_changes_nothing(void **state)
{
    struct refusal why;
    int held = connect_client(), failed = 0;
    assert_int_equal(run_set_mode_text(run, "idle-close;idle=1h", &why), 0);
    assert_int_equal(do_steps(newest_id(), "[\"stall\"]", &why), 0);
    uint64_t last = ledger_last(run_ledger(run));
    for (int n = 0; n < 100; n++) {
        memory_fails_once_after(n);
        int error = run_reset(run);
        memory_restore();
        if (!error)
            break;
        failed++;
        assert_int_equal(error, -ENOMEM);
        assert_mode("idle-close");
        assert_true(ledger_last(run_ledger(run)) == last);
        assert_int_equal(run_connection_count(run), 1);
    }
    assert_true(failed > 0);
    assert_mode("normal");
    assert_true(run_until(is_empty, PATIENCE));
    close(held);
}

/* --- Many connections: what is set reaches them in slices */

#define MANY 300

static int many[MANY];

static void connect_many(void)
{
    sweep_slice = 0; /* a few connections in each slice */
    for (int i = 0; i < MANY; i++)
        many[i] = connect_client();
}

static void close_many(void)
{
    sweep_slice = CLOCK_SLICE;
    for (int i = 0; i < MANY; i++)
        close(many[i]);
    assert_true(run_until(is_empty, PATIENCE));
}

static bool is_settled(void)
{
    return run_is_settled(run);
}

static unsigned settled_count;

static void count_settled(struct run_waiter *waiter)
{
    settled_count++;
}

/* Also those that the sweep has not come to: nobody sees them in what was in force before. */
static void a_mode_is_in_force_on_all_at_once(void **state)
{
    struct refusal why;
    struct run_waiter waiter = { .settled = count_settled };
    connect_many();
    uint64_t last = newest_id();
    assert_int_equal(run_set_mode_text(run, "half-open;idle=1h", &why), 0);
    assert_false(run_is_settled(run));
    settled_count = 0;
    run_await_settled(run, &waiter);
    for (uint64_t id = last + 1 - MANY; id <= last; id++) {
        struct buf text = { 0 };
        assert_int_equal(run_connection(run, id, &text), 0);
        buf_add(&text, "", 1);
        assert_non_null(strstr((const char *)buf_bytes(&text), "\"mode\":\"half-open\""));
        buf_free(&text);
    }
    assert_int_equal(settled_count, 0);
    assert_true(run_until(is_settled, PATIENCE));
    assert_int_equal(settled_count, 1);
    close_many();
}

static void no_rule_of_the_mode_before_fires_when_another_is_set(void **state)
{
    struct refusal why;
    char mode[64];
    int64_t began = clock_now();
    connect_many();
    int64_t connected = clock_now(), idle = 200 * REAL_MS + 5 * (connected - began);
    snprintf(mode, sizeof mode, "reset-idle;idle=%dms", (int)(idle / NS_PER_MS));
    assert_int_equal(run_set_mode_text(run, mode, &why), 0);
    assert_true(run_until(is_settled, PATIENCE));
    while (clock_now() < connected + idle) /* then all are due, and the loop does not know yet */
        poll(NULL, 0, 1);
    assert_int_equal(run_set_mode_text(run, "normal", &why), 0);
    uint64_t set = ledger_last(run_ledger(run));
    assert_false(run_is_settled(run));
    assert_true(run_until(is_settled, PATIENCE));
    look_for(set, "fault", 1);
    quiet_for(20 * NS_PER_MS, is_found);
    assert_int_equal(run_connection_count(run), MANY);
    close_many();
}

static void a_reset_of_many_ends_with_an_empty_ledger(void **state)
{
    struct refusal why;
    connect_many();
    uint64_t last = newest_id();
    for (uint64_t id = last + 1 - MANY; id <= last; id++)
        assert_int_equal(do_steps(id, "[\"stall\"]", &why), 0);
    assert_int_equal(run_reset(run), 0);
    assert_false(run_is_settled(run));
    assert_true(run_until(is_settled, PATIENCE));
    assert_true(ledger_first(run_ledger(run)) == ledger_last(run_ledger(run)));
    assert_true(run_until(is_empty, PATIENCE));
    close_many();
}

/* Another one that is set meanwhile waits for nobody, and is the one in force. */
static void the_last_of_two_modes_is_in_force(void **state)
{
    struct refusal why;
    connect_many();
    assert_int_equal(run_set_mode_text(run, "half-open;idle=1h", &why), 0);
    assert_int_equal(run_set_mode(run, "idle-close", NULL, false, APPLY_NEW, &why), 0);
    assert_true(run_is_settled(run));
    json_t *c = newest_connection();
    assert_member(c, "mode", "half-open");
    json_decref(c);
    assert_int_equal(run_set_mode_text(run, "normal", &why), 0);
    run_settle(run);
    close_many();
}

static void a_list_that_loses_connections_meanwhile_continues(void **state)
{
    struct run_cursor cursor;
    struct buf text = { 0 };
    unsigned seen = 0;
    connect_many();
    run_cursor_open(run, &cursor);
    while (seen < 100 && run_cursor_write(&cursor, "", &text))
        seen++;
    close_many();
    int later = connect_client();
    assert_false(run_cursor_write(&cursor, "", &text)); /* it came after the list was begun */
    run_cursor_close(&cursor);
    assert_int_equal(seen, 100);
    close(later);
    assert_true(run_until(is_empty, PATIENCE));
    buf_free(&text);
}

static int read_now; /* 0: FIN, or -errno */

static bool has_read(void)
{
    char byte;
    ssize_t n = recv(reading, &byte, 1, 0);
    read_now = n < 0 ? -errno : (int)n;
    return read_now != -EAGAIN;
}

static void a_connection_without_memory_is_turned_away(void **state)
{
    int turned_away = 0;
    for (int n = 0; n < 2; n++) {
        memory_fails_once_after(n);
        int client = connect_client();
        memory_restore();
        start_reading(client);
        assert_true(run_until(has_read, PATIENCE));
        turned_away += is_empty() && read_now == 0;
        close(client);
        assert_true(run_until(is_empty, PATIENCE));
    }
    assert_int_equal(turned_away, 2);
}

static bool is_answered_or_over(void)
{
    return !read_more() || got_answer();
}

static void an_exchange_without_memory_ends_its_connection_alone(void **state)
{
    bool failed = true;
    for (int n = 0; failed; n++) {
        int client = connect_client();
        ask(client);
        memory_fails_once_after(n);
        assert_true(run_until(is_answered_or_over, PATIENCE));
        failed = memory_restore() > 0;
        close(client);
        assert_true(run_until(is_empty, PATIENCE));
        assert_true(n < 200);
    }
    a_connection_is_listed_while_it_lives(state);
}

static bool done;

static void note_done(void *arg)
{
    done = true;
}

static bool is_done(void)
{
    return done;
}

static void shutdown_ends_every_connection_and_says_so(void **state)
{
    char byte;
    int client = connect_client();
    run_shutdown(run, 50 * NS_PER_MS, note_done, NULL);
    assert_true(run_until(is_done, PATIENCE));
    assert_true(is_empty());
    assert_int_equal(recv(client, &byte, 1, 0), 0);
    close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ledger_has_a_word_for_each_protocol),
        cmocka_unit_test(a_mode_that_cannot_be_set_leaves_the_old_one),
        cmocka_unit_test(what_is_in_force_is_told_as_a_whole_or_not_at_all),
        cmocka_unit_test(a_connection_is_listed_while_it_lives),
        cmocka_unit_test(steps_act_on_a_live_connection_only),
        cmocka_unit_test(a_filter_that_is_not_understood_acts_on_nothing),
        cmocka_unit_test(steps_act_on_all_that_a_filter_fits),
        cmocka_unit_test(reset_ends_what_a_fault_holds_and_keeps_the_rest),
        cmocka_unit_test(a_reset_without_memory_changes_nothing),
        cmocka_unit_test(a_mode_is_in_force_on_all_at_once),
        cmocka_unit_test(no_rule_of_the_mode_before_fires_when_another_is_set),
        cmocka_unit_test(a_reset_of_many_ends_with_an_empty_ledger),
        cmocka_unit_test(the_last_of_two_modes_is_in_force),
        cmocka_unit_test(a_list_that_loses_connections_meanwhile_continues),
        cmocka_unit_test(a_connection_without_memory_is_turned_away),
        cmocka_unit_test(an_exchange_without_memory_ends_its_connection_alone),
        cmocka_unit_test(shutdown_ends_every_connection_and_says_so),
    };
    return cmocka_run_group_tests(tests, rig_start, rig_stop);
}
