/* test_mode_rules.c - rules: each trigger with what narrows it, each step with its arguments, and
 * the order of steps; what is taken, and what comes out. test_mode_rule_mistakes.c: what is
 * refused.
 */
#include "harness/memory.h"
#include "harness/mode_documents.h"

#include "base/duration.h"
#include "mode/language.h"

static void ranges_of_requests_are_read(void **state)
{
    static const struct {
        const char *rule;
        uint32_t first, last;
    } table[] = {
        { "[{'on': 'request', 'nth': 1, 'do': ['fin']}]", 1, 1 },
        { "[{'on': 'request', 'nth': '7', 'do': ['fin']}]", 7, 7 },
        { "[{'on': 'request', 'nth': '2-4', 'do': ['fin']}]", 2, 4 },
        { "[{'on': 'request', 'nth': '3-', 'do': ['fin']}]", 3, UINT32_MAX },
        { "[{'on': 'reuse', 'nth': '1-3', 'do': ['fin']}]", 2, 3 },
        { "[{'on': 'reuse', 'nth': '4-', 'do': ['fin']}]", 4, UINT32_MAX },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mode_program *program = program_of(table[i].rule);
        assert_int_equal(program->rules[0].nth_first, table[i].first);
        assert_int_equal(program->rules[0].nth_last, table[i].last);
        mode_unref(program);
    }
}

static void sensible_sequences_are_taken(void **state)
{
    static const char *const table[] = {
        IDLE_DO("['fin', {'wait': '1s'}, 'rst']"),
        IDLE_DO("[{'forget': {}}, {'wait': {'for': '1s'}}, 'rst']"),
        IDLE_DO("['stall', {'wait': '1s'}, 'resume', {'wait': '1s'}, 'close_notify', 'fin']"),
        IDLE_DO("['stall', {'wait': '1s'}, 'fin']"),
        IDLE_DO("['black_hole', {'wait': '1s'}, 'heal', 'stall', 'resume']"),
        IDLE_DO("['stall', 'black_hole', 'heal', 'resume']"),
        REQUEST_DO("[{'delay': '1s'}, {'delay': '1s'}, {'respond': {}}, {'wait': '1s'}, 'rst']"),
        REQUEST_DO("['hold', {'wait': 'never'}, 'rst']"),
        RULE("{'on': 'response', 'at': 'start', 'do': [{'delay': '1s'}, 'fin']}"),
        RULE("{'on': 'stale', 'times': 3, 'do': ['resume', {'wait': '1ms'}, 'rst']}"),
        RULE("{'on': 'accept', 'do': ['stall', {'wait': '1s'}, 'resume']}"),
        RULE("{'on': 'age', 'after': '0', 'over': 'h2', 'do': [{'goaway': 11}, 'goaway_notice']}"),
        RULE("{'on': 'listen', 'do': ['refuse_syn', {'wait': '1s'}, 'drop_syn', 'listen']}"),
        RULE("{'on': 'listen', 'name': 'down', 'after': '1s', 'do': ['refuse_syn']}"),
        RULE("{'on': 'client_hello', 'connection': '1-/2', 'do': ['alert', 'fin']}"),
        RULE("{'on': 'client_hello', 'do': [{'inject': {'hex': '00ff'}}, {'cut': 5}, 'stall']}"),
        RULE("{'on': 'accept', 'do': [{'inject': {'text': 'x', 'tls': false}}, {'rst': {'drain':"
             " true}}]}"),
        H2_DO("[{'window': {}}, {'max_streams': 1}, 'ignore_pings', {'ignore_settings': false},"
              " {'ping': '0123456789abcDEF'}, {'goaway': {'then_hold': true}}, 'fin']"),
        STREAM_DO("[{'delay': '1s'}, 'refuse', {'wait': '1s'}, 'fin']"),
        HEADER("'over': 'h1', ", "'Connection'", "'close'"),
        IN_MIDDLE_DO("{'bytes': 1}",
                     "{'delay': '1s'}, 'hold', {'throttle': 9}, {'drip': {}},"
                     " {'cut': 0}, 'alert', 'close_notify', 'stall', {'wait': '1s'}, 'resume',"
                     " 'black_hole', 'heal', 'fin'"),
        IN_MIDDLE_DO("{'content': 0}", "{'inject': 'x'}, 'goaway', 'goaway_notice', 'ping',"
                                       " {'max_streams': 1}, 'rst_stream', 'rst'"),
        RULE("{'on': 'response', 'over': 'h2', 'do': ['rst_stream']}"),
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mode_program *program = NULL;
        if (compile_with(table[i], NULL, false, 1, &program) != 0)
            fail_msg("%s\n    %s: %s (%s)", table[i], why.where, why.what, why.allowed);
        mode_unref(program);
    }
}

static void durations_are_scaled_and_never_stays_never(void **state)
{
    struct mode_program *program = NULL;
    const char *document = DOCUMENT("[{'on': 'idle', 'after': '$t', 'do': [{'wait': '350s'},"
                                    " 'stall', {'wait': 'never'}, 'fin']}]");
    assert_int_equal(compile_with(document, NULL, false, 0.01, &program), 0);
    assert_int_equal(program->rules[0].after, 30 * NS_PER_MS);
    assert_int_equal(program->rules[0].steps[0].arg[0].number, 3500 * NS_PER_MS);
    assert_int_equal(program->rules[0].steps[2].arg[0].number, DURATION_NEVER);
    mode_unref(program);
}

static void answers_get_the_content_type_they_lack(void **state)
{
    static const struct {
        const char *respond, *type, *body;
        size_t headers;
    } table[] = {
        { "503", NULL, "", 0 },
        { "{'body': 'text'}", "text/plain; charset=utf-8", "text", 1 },
        { "{'body': {'a': [1, null]}}", "application/json", "{\"a\":[1,null]}", 1 },
        { "{'body': 7}", "application/json", "7", 1 },
        { "{'body': 'x', 'headers': {'content-type': 'a/b'}}", "a/b", "x", 1 },
        { "{'body': 'x', 'headers': {'Retry-After': '1'}}", "text/plain; charset=utf-8", "x", 2 },
        { "{'status': 204}", NULL, "", 0 },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char rules[256];
        snprintf(rules, sizeof rules, "[{'on': 'request', 'do': [{'respond': %s}]}]",
                 table[i].respond);
        struct mode_program *program = program_of(rules);
        const struct response *response = program->rules[0].steps[0].arg[2].response;
        assert_int_equal(response->header_count, table[i].headers);
        assert_int_equal(response->body_len, strlen(table[i].body));
        assert_memory_equal(response->body, table[i].body, response->body_len);
        if (table[i].type) {
            const struct header *last = &response->headers[response->header_count - 1];
            assert_int_equal(last->value_len, strlen(table[i].type));
            assert_memory_equal(last->value, table[i].type, last->value_len);
        }
        mode_unref(program);
    }
}

static void places_in_a_response_are_read(void **state)
{
    static const struct {
        const char *at;
        enum trigger_slot slot;
        uint64_t place;
    } table[] = {
        { "{'bytes': 1}", ON_RESPONSE_BYTES, 1 },
        { "{'bytes': '700'}", ON_RESPONSE_BYTES, 700 },
        { "'bytes:1099511627776'", ON_RESPONSE_BYTES, UINT64_C(1) << 40 },
        { "{'content': 0}", ON_RESPONSE_CONTENT, 0 },
        { "'content:20'", ON_RESPONSE_CONTENT, 20 },
        { "'start'", ON_RESPONSE_START, 0 },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char rules[128];
        snprintf(rules, sizeof rules, "[{'on': 'response', 'at': %s, 'do': ['fin']}]", table[i].at);
        struct mode_program *program = program_of(rules);
        assert_int_equal(program->rules[0].slot, table[i].slot);
        assert_true(program->rules[0].place == table[i].place);
        mode_unref(program);
    }
}

static void ranges_of_connections_hold_the_numbers_they_say(void **state)
{
    static const struct {
        const char *text;
        uint32_t in[4], out[4]; /* both end with 0, which is in none */
    } table[] = {
        { "2", { 2 }, { 1, 3, UINT32_MAX } },
        { "2-4", { 2, 3, 4 }, { 1, 5 } },
        { "3-", { 3, 4, UINT32_MAX }, { 1, 2 } },
        { "1-/2", { 1, 3, 4294967295 }, { 2, 4, 4294967294 } },
        { "2-10/4", { 2, 6, 10 }, { 1, 3, 14 } },
        { "1-", { 1, 2, UINT32_MAX }, { 0 } },
        { "007", { 7 }, { 1, 8 } },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mode_range range;
        assert_true(mode_range_parse(table[i].text, &range));
        for (size_t j = 0; table[i].in[j]; j++)
            assert_true(mode_range_has(&range, table[i].in[j]));
        for (size_t j = 0; table[i].out[j]; j++)
            assert_false(mode_range_has(&range, table[i].out[j]));
        assert_false(mode_range_has(&range, 0));
    }
    struct mode_range all = MODE_RANGE_ALL;
    assert_true(mode_range_has(&all, 0) && mode_range_has(&all, 1) &&
                mode_range_has(&all, UINT32_MAX));
    assert_false(mode_range_parse("", &all) || mode_range_parse("x", &all) ||
                 mode_range_parse("1-2-3", &all) || mode_range_parse("1-/4294967296", &all));
    assert_int_equal(all.first, 0); /* untouched by what is no range */
}

static void a_rule_is_about_all_connections_unless_it_says_which(void **state)
{
    struct mode_program *program =
        program_of("[{'on': 'accept', 'do': ['fin']},"
                   " {'on': 'accept', 'connection': 3, 'times': '2', 'do': ['fin']},"
                   " {'on': 'reuse', 'connection': '1-/2', 'idle': '2s', 'do': ['fin']}]");
    assert_true(mode_range_has(&program->rules[0].connections, 0));
    assert_int_equal(program->rules[0].idle_before, 0);
    assert_false(mode_range_has(&program->rules[1].connections, 0));
    assert_true(mode_range_has(&program->rules[1].connections, 3));
    assert_int_equal(program->rules[1].times, 2);
    assert_int_equal(program->rules[2].connections.every, 2);
    assert_int_equal(program->rules[2].idle_before, 2 * NS_PER_S);
    mode_unref(program);
}

static void rules_of_marks_have_names_and_times(void **state)
{
    struct mode_program *program = NULL;
    const char *document =
        DOCUMENT("[{'on': 'mark', 'name': 'background', 'do': ['fin']},"
                 " {'on': 'mark', 'name': 'a', 'after': '$t', 'unless': 'b', 'do': ['fin']},"
                 " {'on': 'listen', 'do': ['listen']},"
                 " {'on': 'listen', 'name': 'down', 'after': 'never', 'do': ['refuse_syn']},"
                 " {'on': 'mark', 'name': 'a', 'after': 'never', 'do': ['fin']}]");
    assert_int_equal(compile_with(document, NULL, false, 0.5, &program), 0);
    assert_true(program->scale == 0.5);
    assert_string_equal(program->rules[0].mark, "background");
    assert_int_equal(program->rules[0].after, 0);
    assert_null(program->rules[0].unless);
    assert_int_equal(program->rules[1].after, 1500 * NS_PER_MS);
    assert_string_equal(program->rules[1].unless, "b");
    assert_null(program->rules[2].mark);
    assert_string_equal(program->rules[3].mark, "down");
    assert_int_equal(program->by_slot[ON_MARK].count, 2); /* what never comes is in no table */
    assert_int_equal(program->by_slot[ON_LISTEN].count, 1);
    assert_int_equal(mode_step_listener(&program->rules[2].steps[0]), LISTENER_STEP_ACCEPT);
    assert_int_equal(mode_step_listener(&program->rules[3].steps[0]), LISTENER_STEP_REFUSE);
    assert_int_equal(mode_step_listener(&program->rules[0].steps[0]), LISTENER_STEP_NONE);
    mode_unref(program);
}

/* Each step can stand exactly where its row says; what is refused names a place. */
static void every_step_fits_where_its_row_says_and_nowhere_else(void **state)
{
    static const struct {
        const char *rule;
        enum trigger_slot slot;
    } places[] = {
        { "'on': 'listen'", ON_LISTEN },
        { "'on': 'accept'", ON_ACCEPT },
        { "'on': 'client_hello'", ON_CLIENT_HELLO },
        { "'on': 'handshake'", ON_HANDSHAKE },
        { "'over': 'h2', 'on': 'protocol'", ON_PROTOCOL },
        { "'over': 'h2', 'on': 'request', 'at': 'first_byte'", ON_FIRST_BYTE },
        { "'over': 'h2', 'on': 'reuse', 'at': 'headers'", ON_HEADERS },
        { "'over': 'h2', 'on': 'request', 'at': 'content:5'", ON_REQUEST_CONTENT },
        { "'over': 'h2', 'on': 'request', 'at': 'complete'", ON_COMPLETE },
        { "'over': 'h2', 'on': 'response', 'at': 'start'", ON_RESPONSE_START },
        { "'over': 'h2', 'on': 'response', 'at': 'bytes:5'", ON_RESPONSE_BYTES },
        { "'over': 'h2', 'on': 'response', 'at': 'content:5'", ON_RESPONSE_CONTENT },
        { "'over': 'h2', 'on': 'response', 'at': 'end'", ON_RESPONSE_END },
        { "'over': 'h2', 'on': 'idle', 'after': '1s'", ON_IDLE },
        { "'over': 'h2', 'on': 'age', 'after': '1s'", ON_AGE },
        { "'on': 'late', 'what': 'handshake', 'after': '1s'", ON_LATE_HANDSHAKE },
        { "'over': 'h2', 'on': 'late', 'what': 'nothing', 'after': '1s'", ON_LATE_NOTHING },
        { "'over': 'h2', 'on': 'late', 'what': 'head', 'after': '1s'", ON_LATE_HEAD },
        { "'over': 'h2', 'on': 'late', 'what': 'body', 'after': '1s'", ON_LATE_BODY },
        { "'over': 'h2', 'on': 'mark', 'name': 'a'", ON_MARK },
        { "'over': 'h2', 'on': 'peer', 'what': 'ping'", ON_PEER },
        { "'over': 'h2', 'on': 'stale'", ON_STALE },
    };
    assert_int_equal(sizeof places / sizeof *places, TRIGGER_SLOTS);
    for (int step = 0; step < STEP_COUNT; step++)
        assert_non_null(step_rows[step].about);
    for (int trigger = 0; trigger < TRIGGER_ADMIN; trigger++)
        assert_non_null(trigger_rows[trigger].about);
    for (const struct step_row *row = step_rows; row->about; row++) {
        const char *value = strcmp(step_name(row), "header") == 0   ? "{'name': 'a', 'value': 'b'}"
                            : strcmp(step_name(row), "inject") == 0 ? "'x'"
                            : row->args[0].type == VALUE_DURATION && row->args[0].name ? "'1s'"
                            : row->args[0].required                                    ? "1"
                                                                                       : "{}";
        for (size_t i = 0; i < TRIGGER_SLOTS; i++) {
            char document[512];
            snprintf(document, sizeof document,
                     "{'name': 'x', 'summary': '-', 'rules': [{%s, 'do': [{'%s': %s}]}]}",
                     places[i].rule, step_name(row), value);
            struct mode_program *program = NULL;
            int outcome = compile_with(document, NULL, false, 1, &program);
            mode_unref(program);
            bool fits = row->slots & IN(places[i].slot);
            /* Without an engine there is no "over", which steps of HTTP/2 ask for. */
            if ((outcome == 0) != fits)
                fail_msg("%s: %s: %s", document, outcome ? "refused" : "taken", why.what);
            if (outcome)
                assert_string_equal(why.where, "$.rules[0].do[0]");
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_of_requests_are_read),
        cmocka_unit_test(sensible_sequences_are_taken),
        cmocka_unit_test(durations_are_scaled_and_never_stays_never),
        cmocka_unit_test(answers_get_the_content_type_they_lack),
        cmocka_unit_test(places_in_a_response_are_read),
        cmocka_unit_test(ranges_of_connections_hold_the_numbers_they_say),
        cmocka_unit_test(a_rule_is_about_all_connections_unless_it_says_which),
        cmocka_unit_test(rules_of_marks_have_names_and_times),
        cmocka_unit_test(every_step_fits_where_its_row_says_and_nowhere_else),
    };
    memory_for_jansson(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
