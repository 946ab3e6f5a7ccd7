/* A run over real sockets: its mode, its connections, accepting without memory, its end. */
#include "run_rig.h"

/* calloc() fails when this reaches 0; -1: never. */
static int calloc_fails = -1;
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    if (calloc_fails >= 0 && calloc_fails-- == 0)
        return NULL;
    return __real_calloc(count, size);
}

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

static void a_connection_is_listed_while_it_lives(void **state)
{
    char answer[512];
    int client = connect_client();
    assert_int_equal(send(client, REQUEST, strlen(REQUEST), 0), strlen(REQUEST));
    run_until(NULL, 50 * NS_PER_MS);
    assert_true(recv(client, answer, sizeof answer, 0) > 12);
    assert_memory_equal(answer, "HTTP/1.1 200", 12);
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

static void reset_lets_go_what_a_fault_holds_and_keeps_the_rest(void **state)
{
    struct refusal why;
    int kept = connect_client();
    uint64_t kept_id = newest_id();
    int held = connect_client();
    assert_int_equal(do_steps(newest_id(), "[\"stall\"]", &why), 0);
    run_reset(run);
    run_until(NULL, 20 * NS_PER_MS);
    assert_int_equal(run_connection_count(run), 1);
    assert_int_equal(newest_id(), kept_id);
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
        calloc_fails = n;
        int error = run_reset(run);
        calloc_fails = -1;
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

static void a_connection_without_memory_is_turned_away(void **state)
{
    int turned_away = 0;
    for (int n = 0; n < 2; n++) {
        char byte;
        calloc_fails = n;
        int client = connect_client();
        calloc_fails = -1;
        run_until(NULL, 10 * NS_PER_MS);
        turned_away += is_empty() && recv(client, &byte, 1, 0) == 0;
        close(client);
        assert_true(run_until(is_empty, PATIENCE));
    }
    assert_int_equal(turned_away, 2);
}

static void an_exchange_without_memory_ends_its_connection_alone(void **state)
{
    for (int n = 0; n < 12; n++) {
        int client = connect_client();
        run_until(NULL, 2 * NS_PER_MS);
        assert_int_equal(send(client, REQUEST, strlen(REQUEST), 0), strlen(REQUEST));
        calloc_fails = n;
        run_until(NULL, 10 * NS_PER_MS);
        calloc_fails = -1;
        close(client);
        assert_true(run_until(is_empty, PATIENCE));
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
        cmocka_unit_test(a_mode_that_cannot_be_set_leaves_the_old_one),
        cmocka_unit_test(a_connection_is_listed_while_it_lives),
        cmocka_unit_test(steps_act_on_a_live_connection_only),
        cmocka_unit_test(reset_lets_go_what_a_fault_holds_and_keeps_the_rest),
        cmocka_unit_test(a_reset_without_memory_changes_nothing),
        cmocka_unit_test(a_connection_without_memory_is_turned_away),
        cmocka_unit_test(an_exchange_without_memory_ends_its_connection_alone),
        cmocka_unit_test(shutdown_ends_every_connection_and_says_so),
    };
    return cmocka_run_group_tests(tests, rig_start, rig_stop);
}
