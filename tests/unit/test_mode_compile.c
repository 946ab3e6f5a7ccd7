/* test_mode_compile.c - mode documents and their parameters: what is taken, what is refused and
 * how, what comes out. Rules and steps: test_mode_rules.c.
 */
#include "harness/memory.h"
#include "harness/mode_documents.h"

#include <errno.h>

#include "base/duration.h"

static void every_mistake_is_refused_with_its_place_and_what_is_allowed(void **state)
{
    static const struct refused table[] = {
        /* the document */
        { "[]", "$", "a mode is an object", "rules" },
        { "7", "$", "a mode is an object", "rules" },
        { "{'summary': '-', 'rules': []}", "$.name", "it is missing", "lower case" },
        { "{'name': 'x', 'rules': []}", "$.summary", "it is missing", "sentence" },
        { "{'name': 'x', 'summary': '-'}", "$.rules", "it is missing", "at most 64" },
        { "{'name': 'X', 'summary': '-', 'rules': []}", "$.name", "cannot be", "lower case" },
        { "{'name': '', 'summary': '-', 'rules': []}", "$.name", "cannot be", "lower case" },
        { "{'name': '-x', 'summary': '-', 'rules': []}", "$.name", "cannot be", "lower case" },
        { "{'name': 7, 'summary': '-', 'rules': []}", "$.name", "wrong type", "lower case" },
        { "{'name': 'x', 'summary': '-', 'rules': {}}", "$.rules", "wrong type", "at most 64" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'rule': 1}", "$.rule", "no such member",
          "name, summary, client_sees, basis, exercises, expect, assumed, differs, group, extends, "
          "params, "
          "closing, "
          "rules" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'a b': 1}", "$[\"a b\"]", "no such member",
          "name" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'exercises': ['A']}", "$.exercises[0]",
          "not a name", "mitigation" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'exercises': [1]}", "$.exercises[0]",
          "not a name", "mitigation" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'assumed': 'yes'}", "$.assumed", "wrong type",
          "true" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'differs': {}}", "$.differs", "wrong type",
          "differs from its server" },
#define DIFFERS(entry) "{'name': 'x', 'summary': '-', 'rules': [], 'differs': [" entry "]}"
        { DIFFERS("'idle'"), "$.differs[0]", "is an object", "situations" },
        { DIFFERS("{'why': 'w'}"), "$.differs[0].situations", "it is missing", "at least one" },
        { DIFFERS("{'situations': ['idle']}"), "$.differs[0].why", "it is missing", "a text" },
        { DIFFERS("{'situations': [], 'why': 'w'}"), "$.differs[0].situations", "does not fit",
          "at least one" },
        { DIFFERS("{'situations': ['idle', ''], 'why': 'w'}"), "$.differs[0].situations",
          "does not fit", "at least one" },
        { DIFFERS("{'situations': 'idle', 'why': 'w'}"), "$.differs[0].situations", "does not fit",
          "at least one" },
        { DIFFERS("{'situations': ['idle'], 'why': ''}"), "$.differs[0].why", "does not fit",
          "a text" },
        { DIFFERS("{'situations': ['idle'], 'why': 'w', 'over': 'h3'}"), "$.differs[0].over",
          "does not fit", "h1 or h2" },
        { DIFFERS("{'situations': ['idle'], 'why': 'w', 'tls': 'yes'}"), "$.differs[0].tls",
          "does not fit", "true or false" },
        { DIFFERS("{'situations': ['idle'], 'why': 'w', 'sometimes': false}"),
          "$.differs[0].sometimes", "does not fit", "chance" },
        { DIFFERS("{'situations': ['idle'], 'why': 'w'}, {'situation': ['idle'], 'why': 'w'}"),
          "$.differs[1].situation", "no such member", "situations, over, tls, sometimes, why" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'group': 'odd'}", "$.group", "not a group",
          "normal, idle, reuse, response, h2, establishing, scene, profile" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'group': 'idle, reuse'}", "$.group",
          "not a group", "scene" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'group': ''}", "$.group", "not a group",
          "scene" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'extends': 7}", "$.extends", "wrong type",
          "another mode" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'extends': 'y'}", "$.extends",
          "by the catalogue", "stands alone" },

        /* parameters */
        { "{'name': 'x', 'summary': '-', 'rules': [], 'params': []}", "$.params", "wrong type",
          "object" },
#define PARAM(declared) "{'name': 'x', 'summary': '-', 'rules': [], 'params': {'p': " declared "}}"
        { PARAM("7"), "$.params.p", "declared by an object", "type" },
        { PARAM("{}"), "$.params.p.type", "it is missing", "bool, int, duration, choice, text" },
        { PARAM("{'type': 'float', 'default': 1}"), "$.params.p.type", "\"float\" is not a type",
          "bool, int" },
        { PARAM("{'type': 'int'}"), "$.params.p.default", "it is missing", "integer" },
        { PARAM("{'type': 'int', 'default': 1, 'mni': 0}"), "$.params.p.mni", "no such member",
          "min" },
        { PARAM("{'type': 'int', 'default': '1'}"), "$.params.p.default", "\"1\" is not an int",
          "an integer" },
        { PARAM("{'type': 'int', 'default': 1.5}"), "$.params.p.default", "1.5 is not an int",
          "an integer" },
        { PARAM("{'type': 'int', 'default': 5, 'max': 4}"), "$.params.p.default",
          "5 is out of range", "to 4" },
        { PARAM("{'type': 'int', 'default': 5, 'min': 'a'}"), "$.params.p.min", "not an integer",
          "an integer" },
        { PARAM("{'type': 'bool', 'default': true, 'min': 1}"), "$.params.p.min", "does not fit",
          "type int" },
        { PARAM("{'type': 'bool', 'default': 'true'}"), "$.params.p.default",
          "\"true\" is not a bool", "true or false" },
        { PARAM("{'type': 'duration', 'default': 3}"), "$.params.p.default", "3 is not a duration",
          "250ms" },
        { PARAM("{'type': 'duration', 'default': '3 s'}"), "$.params.p.default",
          "\"3 s\" is not a duration", "250ms" },
        { PARAM("{'type': 'duration', 'default': '-3s'}"), "$.params.p.default",
          "is not a duration", "250ms" },
        { PARAM("{'type': 'choice', 'default': 'a'}"), "$.params.p.allowed", "needs the list",
          "1 to 16" },
        { PARAM("{'type': 'choice', 'default': 'a', 'allowed': []}"), "$.params.p.allowed",
          "needs the list", "1 to 16" },
        { PARAM("{'type': 'choice', 'default': 'a', 'allowed': ['a', 7]}"), "$.params.p.allowed[1]",
          "not a choice", "text" },
        { PARAM("{'type': 'choice', 'default': 'c', 'allowed': ['a', 'b']}"), "$.params.p.default",
          "\"c\" is none of the choices", "a, b" },
        { PARAM("{'type': 'text', 'default': 'c', 'allowed': ['a', 'b']}"), "$.params.p.allowed",
          "does not fit", "type choice" },
        { PARAM("{'type': 'text', 'default': 1}"), "$.params.p.default", "1 is not a text",
          "4096" },
        { PARAM("{'type': 'text', 'default': '', 'about': 1}"), "$.params.p.about", "not a text",
          "a text" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'params': {'P': {'type': 'bool', "
          "'default': true}}}",
          "$.params.P", "cannot be", "lower case" },
    };
    ASSERT_REFUSED(table);
}

static void given_values_are_checked_against_their_parameter(void **state)
{
    static const struct {
        const char *params;
        bool lenient;
        const char *where, *what, *allowed;
    } table[] = {
        { "7", false, "$.params", "not an object", "object" },
        { "{'x': 1}", false, "$.params.x", "no such parameter", "t, b, n, how, s, last" },
        { "{'t': 3}", false, "$.params.t", "3 is not a duration", "3s" },
        { "{'t': 'soon'}", true, "$.params.t", "\"soon\" is not a duration", "3s" },
        { "{'b': 'true'}", false, "$.params.b", "\"true\" is not a bool", "true or false" },
        { "{'b': 'yes'}", true, "$.params.b", "\"yes\" is not a bool", "true or false" },
        { "{'n': '3'}", false, "$.params.n", "\"3\" is not an int", "integer" },
        { "{'n': '3x'}", true, "$.params.n", "\"3x\" is not an int", "integer" },
        { "{'n': ' 3'}", true, "$.params.n", "\" 3\" is not an int", "integer" },
        { "{'n': ''}", true, "$.params.n", "\"\" is not an int", "integer" },
        { "{'n': '99999999999999999999'}", true, "$.params.n", "is not an int", "integer" },
        { "{'n': '10'}", true, "$.params.n", "10 is out of range", "from 1 to 9" },
        { "{'how': 'bang'}", true, "$.params.how", "\"bang\" is none", "fin, rst" },
        { "{'s': null}", true, "$.params.s", "null is not a text", "4096" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mode_program *program = NULL;
        int outcome =
            compile_with(IDLE_DO("['$how']"), table[i].params, table[i].lenient, 1, &program);
        check_refusal(outcome, table[i].params, table[i].where, table[i].what, table[i].allowed);
    }
    struct mode_program *program = NULL;
    int outcome =
        compile_with("{'name': 'x', 'summary': '-', 'rules': []}", "{'a': 1}", false, 1, &program);
    check_refusal(outcome, "-", "$.params.a", "no such parameter", "no parameters");
}

static void values_are_put_in_wherever_a_text_stands(void **state)
{
    const char *document =
        DOCUMENT("[{'on': 'idle', 'after': '$t', 'do': [{'fin': {'notify': '$b'}}]},"
                 " {'on': 'reuse', 'nth': '$n', 'times': '$n', 'do': [{'respond': {'status': 500,"
                 "   'headers': {'X': '$s'}, 'body': {'n': '$n', 'list': ['$b', '$$n', '$s']}}}]},"
                 " {'on': 'age', 'after': '9s', 'over': 'h2', 'do': [{'goaway': {'last': '$last',"
                 "   'debug': '$s'}}, '$how']}]");
    struct mode_program *program = NULL;
    assert_int_equal(compile_with(document,
                                  "{'t': '1500ms', 'b': 'true', 'n': '3', 'how': 'rst',"
                                  " 's': '$b', 'last': 'none'}",
                                  true, 1, &program),
                     0);
    assert_string_equal(program->name, "x");
    assert_string_equal(program->params, "{\"t\":\"1500ms\",\"b\":true,\"n\":3,\"how\":\"rst\","
                                         "\"s\":\"$b\",\"last\":\"none\"}");
    assert_int_equal(program->rule_count, 3);
    assert_int_equal(program->rules[0].after, 1500 * NS_PER_MS);
    assert_string_equal(program->rules[0].steps[0].arguments,
                        "{\"notify\":true,\"linger\":\"0s\",\"exact\":false}");
    assert_int_equal(program->rules[1].nth_first, 3);
    assert_int_equal(program->rules[1].nth_last, 3);
    assert_int_equal(program->rules[1].times, 3);
    assert_string_equal(program->rules[1].steps[0].arguments,
                        "{\"status\":500,\"headers\":{\"X\":\"$b\"},"
                        "\"body\":{\"n\":3,\"list\":[true,\"$n\",\"$b\"]}}");
    assert_string_equal(program->rules[2].steps[0].arguments,
                        "{\"error\":\"NO_ERROR\",\"last\":\"none\",\"debug\":\"$b\","
                        "\"then_hold\":false,\"barrier\":false}");
    assert_string_equal(program->rules[2].steps[1].arguments, "{\"drain\":false}");
    mode_unref(program);
}

static void closing_is_compiled_with_the_mode(void **state)
{
    static const struct {
        const char *closing;
        int64_t linger, fin_wait; /* ms */
        bool fin_alone, reset_late_notify;
    } rows[] = {
        /* scaled by 0.1 */
        { "", 200, 6000, false, false },
        { "'closing': {}, ", 200, 6000, false, false },
        { "'closing': {'linger': '0s', 'fin_wait': '5s'}, ", 0, 500, false, false },
        { "'closing': {'client_first': 'fin', 'late_close_notify': 'rst'}, ", 200, 6000, true,
          true },
        { "'closing': {'client_first': 'close_notify', 'late_close_notify': 'ignore'}, ", 200, 6000,
          false, false },
        { "'closing': {'linger': '$t'}, ", 300, 6000, false, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char document[1024];
        struct mode_program *program;
        snprintf(document, sizeof document,
                 "{'name': 'x', 'summary': '-', " PARAMS "%s'rules': []}", rows[i].closing);
        assert_int_equal(compile_with(document, NULL, false, 0.1, &program), 0);
        assert_int_equal(program->closing.linger, rows[i].linger * NS_PER_MS);
        assert_int_equal(program->closing.fin_wait, rows[i].fin_wait * NS_PER_MS);
        assert_int_equal(program->closing.fin_alone, rows[i].fin_alone);
        assert_int_equal(program->closing.reset_late_notify, rows[i].reset_late_notify);
        mode_unref(program);
    }
    struct mode_program *program;
    assert_int_equal(compile_with("{'name': 'x', 'summary': '-', 'rules': [], 'closing':"
                                  " {'linger': 'never', 'fin_wait': 'never'}}",
                                  NULL, false, 0.1, &program),
                     0);
    assert_true(program->closing.linger == INT64_MAX && program->closing.fin_wait == INT64_MAX);
    mode_unref(program);
#define CLOSING(members) "{'name': 'x', 'summary': '-', 'rules': [], 'closing': " members "}"
    static const struct refused mistakes[] = {
        { CLOSING("[]"), "$.closing", "wrong type", "an object" },
        { CLOSING("{'linger': 2}"), "$.closing.linger", "2 is not a duration", "3s" },
        { CLOSING("{'fin_wait': '-1s'}"), "$.closing.fin_wait", "not a duration", "3s" },
        { CLOSING("{'client_first': 'rst'}"), "$.closing.client_first", "none of the choices",
          "close_notify, fin" },
        { CLOSING("{'late_close_notify': true}"), "$.closing.late_close_notify",
          "none of the choices", "ignore, rst" },
        { CLOSING("{'lingre': '2s'}"), "$.closing.lingre", "no such choice",
          "linger, fin_wait, client_first, late_close_notify" },
        { CLOSING("{'linger': '$t'}"), "$.closing.linger", "", "" },
    };
    ASSERT_REFUSED(mistakes);
}

static void rules_are_sorted_into_tables_by_trigger(void **state)
{
    struct mode_program *program = program_of("[{'on': 'idle', 'after': '5s', 'do': ['fin']},"
                                              " {'on': 'request', 'do': ['fin']},"
                                              " {'on': 'idle', 'after': '2s', 'do': ['fin']},"
                                              " {'on': 'idle', 'after': 'never', 'do': ['fin']},"
                                              " {'on': 'reuse', 'at': 'complete', 'do': ['fin']},"
                                              " {'on': 'idle', 'after': '2s', 'do': ['fin']},"
                                              " {'on': 'reuse', 'do': ['fin']},"
                                              " {'on': 'response', 'do': ['fin']},"
                                              " {'on': 'stale', 'do': ['rst']},"
                                              " {'on': 'mark', 'name': 'b', 'after': '1s',"
                                              "   'do': ['fin']},"
                                              " {'on': 'mark', 'name': 'a', 'do': ['fin']},"
                                              " {'on': 'listen', 'do': ['listen']},"
                                              " {'on': 'client_hello', 'do': ['fin']},"
                                              " {'on': 'protocol', 'do': ['fin']},"
                                              " {'on': 'response', 'at': {'bytes': 9},"
                                              "   'do': ['fin']},"
                                              " {'on': 'response', 'at': {'content': 0},"
                                              "   'do': ['fin']},"
                                              " {'on': 'late', 'what': 'head', 'after': '2s',"
                                              "   'do': ['fin']},"
                                              " {'on': 'late', 'what': 'head', 'after': '1s',"
                                              "   'do': ['fin']},"
                                              " {'on': 'late', 'what': 'body', 'after': '1s',"
                                              "   'do': ['fin']},"
                                              " {'on': 'late', 'what': 'nothing', 'after': '1s',"
                                              "   'do': ['fin']},"
                                              " {'on': 'late', 'what': 'handshake',"
                                              "   'after': '1s', 'do': ['fin']},"
                                              " {'on': 'reuse', 'at': {'content': 7},"
                                              "   'do': ['fin']},"
                                              " {'on': 'peer', 'what': 'fin', 'do': ['rst']}]");
    static const struct {
        enum trigger_slot slot;
        unsigned count, rules[3];
    } table[] = {
        { ON_LISTEN, 1, { 11 } },
        { ON_MARK, 2, { 10, 9 } },
        { ON_CLIENT_HELLO, 1, { 12 } },
        { ON_PROTOCOL, 1, { 13 } },
        { ON_RESPONSE_BYTES, 1, { 14 } },
        { ON_RESPONSE_CONTENT, 1, { 15 } },
        { ON_ACCEPT, 0, { 0 } },
        { ON_HANDSHAKE, 0, { 0 } },
        { ON_FIRST_BYTE, 1, { 6 } },
        { ON_HEADERS, 0, { 0 } },
        { ON_REQUEST_CONTENT, 1, { 21 } },
        { ON_COMPLETE, 2, { 1, 4 } },
        { ON_RESPONSE_START, 0, { 0 } },
        { ON_RESPONSE_END, 1, { 7 } },
        { ON_IDLE, 3, { 2, 5, 0 } },
        { ON_AGE, 0, { 0 } },
        { ON_LATE_HEAD, 2, { 17, 16 } },
        { ON_LATE_BODY, 1, { 18 } },
        { ON_LATE_NOTHING, 1, { 19 } },
        { ON_LATE_HANDSHAKE, 1, { 20 } },
        { ON_PEER, 1, { 22 } },
        { ON_STALE, 1, { 8 } },
    };
    assert_int_equal(sizeof table / sizeof *table, TRIGGER_SLOTS);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(program->by_slot[table[i].slot].count, table[i].count);
        assert_int_equal(mode_has(program, table[i].slot), table[i].count != 0);
        for (unsigned j = 0; j < table[i].count; j++)
            assert_int_equal(program->by_slot[table[i].slot].rules[j]->number, table[i].rules[j]);
    }
    assert_int_equal(program->rules[1].nth_first, 1);
    assert_int_equal(program->rules[4].nth_first, 2);
    assert_int_equal(program->rules[4].nth_last, UINT32_MAX);
    assert_int_equal(program->rules[7].times, UINT32_MAX);
    assert_int_equal(program->rules[8].times, 1);
    assert_int_equal(program->rules[21].place, 7);
    mode_unref(program);
}

/* --- Bare steps */

static int compile_steps(const char *steps, unsigned over, struct mode_program **out)
{
    json_t *json = json_of(steps);
    memset(&why, 0, sizeof why);
    int outcome = mode_compile_steps(json, over, 1, out, &why);
    json_decref(json);
    return outcome;
}

static void bare_steps_become_a_program_with_one_rule(void **state)
{
    struct mode_program *program = NULL;
    assert_int_equal(
        compile_steps("['goaway', {'wait': '1s'}, {'fin': {'notify': true}}]", OVER_H2, &program),
        0);
    assert_string_equal(program->name, "do");
    assert_string_equal(program->params, "{}");
    assert_int_equal(program->rule_count, 1);
    assert_int_equal(program->rules[0].step_count, 3);
    assert_true(mode_has(program, ON_ACCEPT));
    mode_unref(program);
}

static void bare_steps_are_checked_like_others(void **state)
{
    static const struct {
        const char *steps;
        unsigned over;
        const char *where, *what, *allowed;
    } table[] = {
        { "7", OVER_H2, "$.do", "not a list", "1 to 64" },
        { "[]", OVER_H2, "$.do", "not a list", "1 to 64" },
        { "['goaway']", OVER_H1, "$.do[0]", "HTTP/2 only", "speaks HTTP/2" },
        { "['goaway']", 0, "$.do[0]", "HTTP/2 only", "speaks HTTP/2" },
        { "['rst', 'fin']", OVER_H1, "$.do[1]", "can come after", "nothing" },
        { "['hold']", OVER_H1, "$.do[0]", "there is none here", "connection" },
        { "[{'respond': 200}]", OVER_H2, "$.do[0]", "there is none here", "connection" },
        { "['$how']", OVER_H2, "$.do[0]", "no parameter", "" },
        { "['refuse']", OVER_H2, "$.do[0]", "there is none here", "connection" },
        { "['listen']", OVER_H2, "$.do[0]", "acts on the listeners", "connection" },
        { "['ping']", OVER_H1, "$.do[0]", "HTTP/2 only", "speaks HTTP/2" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mode_program *program = NULL;
        int outcome = compile_steps(table[i].steps, table[i].over, &program);
        check_refusal(outcome, table[i].steps, table[i].where, table[i].what, table[i].allowed);
    }
    struct mode_program *program = NULL;
    caps[CAP_BLACK_HOLE].available = false;
    assert_int_equal(compile_steps("['black_hole']", OVER_H1, &program), MODE_UNAVAILABLE);
    caps[CAP_BLACK_HOLE].available = true;
}

/* --- The listing */

static const json_t *row(const json_t *language, const char *table, const char *name)
{
    size_t i;
    json_t *each;
    json_array_foreach(json_object_get(language, table), i, each)
    {
        if (strcmp(json_string_value(json_object_get(each, "name")), name) == 0)
            return each;
    }
    fail_msg("%s has no %s", table, name);
    return NULL;
}

static void the_language_lists_its_rows(void **state)
{
    static const struct {
        const char *table, *name, *parts[4];
    } table[] = {
        { "triggers",
          "response",
          { "\"name\":\"bytes\"", "\"counted\":true,\"min\":1",
            "\"takes\":[\"at\",\"over\",\"nth\",\"age\",\"connection\",\"times\",\"tls\"" } },
        { "triggers", "mark", { "\"requires\":[\"name\"]", "\"unless\"" } },
        { "triggers",
          "late",
          { "\"what\":[{\"name\":\"handshake\"", "\"requires\":[\"what\",\"after\"]",
            "\"takes\":[\"what\",\"after\",\"over\",\"nth\",\"connection\",\"times\",\"tls\"" } },
        { "triggers",
          "peer",
          { "\"what\":[{\"name\":\"ping\"", "\"requires\":[\"what\"]",
            "\"takes\":[\"what\",\"count\",\"within\",\"spacing\",\"over\"," } },
        { "triggers", "stale", { "\"default_times\":1" } },
        { "narrowing", "connection", { "1-/2" } },
        { "steps",
          "goaway",
          { "\"over\":[\"h2\"]", "\"default\":\"NO_ERROR\"", "\"alone\":\"error\"",
            "\"then_hold\"" } },
        { "steps", "forget", { "\"needs\":[\"repair\"]" } },
        { "steps", "rst_stream", { "\"late head\",\"late body\"" } },
        { "steps", "cut", { "\"choices\":[\"fin\",\"rst\",\"stall\"]", "response at bytes" } },
        { "steps",
          "header",
          { "\"type\":\"header name\"", "\"fits\":[\"request at first_byte\"" } },
        { "steps", "drop_syn", { "\"fits\":[\"listen\"]", "\"needs\":[\"black_hole\"]" } },
        { "parameter_types", "duration", { "250ms" } },
    };
    json_t *language = mode_language();
    assert_int_equal(json_array_size(json_object_get(language, "triggers")), 14);
    assert_int_equal(json_array_size(json_object_get(language, "narrowing")), 26);
    assert_int_equal(json_array_size(json_object_get(language, "steps")), 32);
    assert_int_equal(json_array_size(json_object_get(language, "parameter_types")), 7);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char *text = json_dumps(row(language, table[i].table, table[i].name), JSON_COMPACT);
        for (size_t j = 0; j < 4 && table[i].parts[j]; j++)
            if (!strstr(text, table[i].parts[j]))
                fail_msg("%s\n    lacks %s", text, table[i].parts[j]);
        free(text);
    }
    json_decref(language);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mistake_is_refused_with_its_place_and_what_is_allowed),
        cmocka_unit_test(given_values_are_checked_against_their_parameter),
        cmocka_unit_test(values_are_put_in_wherever_a_text_stands),
        cmocka_unit_test(closing_is_compiled_with_the_mode),
        cmocka_unit_test(rules_are_sorted_into_tables_by_trigger),
        cmocka_unit_test(bare_steps_become_a_program_with_one_rule),
        cmocka_unit_test(bare_steps_are_checked_like_others),
        cmocka_unit_test(the_language_lists_its_rows),
    };
    memory_for_jansson(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
