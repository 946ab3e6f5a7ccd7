/* test_mode_compile.c - mode documents and their parameters: what is taken, what is refused and
 * how, what comes out. Rules and steps: test_mode_rules.c.
 */
#include "harness/memory.h"
#include "mode_documents.h"

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
          "name, summary, client_sees, basis, exercises, assumed, group, extends, params, closing, "
          "rules" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'a b': 1}", "$[\"a b\"]", "no such member",
          "name" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'exercises': ['A']}", "$.exercises[0]",
          "not a name", "mitigation" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'exercises': [1]}", "$.exercises[0]",
          "not a name", "mitigation" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'assumed': 'yes'}", "$.assumed", "wrong type",
          "true" },
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
                        "\"then_hold\":false}");
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
                                              "   'do': ['fin']}]");
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
        { ON_COMPLETE, 2, { 1, 4 } },
        { ON_RESPONSE_START, 0, { 0 } },
        { ON_RESPONSE_END, 1, { 7 } },
        { ON_IDLE, 3, { 2, 5, 0 } },
        { ON_AGE, 0, { 0 } },
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
    mode_unref(program);
}

/* --- Limits */

static json_t *document_of(json_t *params, json_t *rules)
{
    return json_pack("{s:s, s:s, s:o, s:o}", "name", "x", "summary", "-", "params", params, "rules",
                     rules);
}

static int check(json_t *document)
{
    memset(&why, 0, sizeof why);
    int outcome = mode_check(document, &why);
    json_decref(document);
    return outcome;
}

static json_t *copies(size_t n, const char *item)
{
    json_t *list = json_array();
    while (n--)
        json_array_append_new(list, json_of(item));
    return list;
}

static json_t *some_params(size_t n)
{
    json_t *params = json_object();
    for (size_t i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "p%zu", i);
        json_object_set_new(params, name, json_of("{'type': 'bool', 'default': true}"));
    }
    return params;
}

static void numbers_of_rules_steps_and_parameters_are_bounded(void **state)
{
    const char *rule = "{'on': 'accept', 'do': ['fin']}";
    assert_int_equal(check(document_of(json_object(), copies(64, rule))), 0);
    assert_int_equal(check(document_of(json_object(), copies(65, rule))), BAD_INPUT);
    assert_string_equal(why.where, "$.rules");
    assert_string_equal(why.what, "65 rules");

    for (size_t n = 64; n <= 65; n++) {
        json_t *steps =
            json_pack("[{s:s, s:o}]", "on", "accept", "do", copies(n, "{'wait': '1s'}"));
        assert_int_equal(check(document_of(json_object(), steps)), n == 64 ? 0 : BAD_INPUT);
    }
    assert_string_equal(why.where, "$.rules[0].do");

    assert_int_equal(check(document_of(some_params(32), json_array())), 0);
    assert_int_equal(check(document_of(some_params(33), json_array())), BAD_INPUT);
    assert_string_equal(why.where, "$.params");
}

static void the_size_of_a_document_is_bounded(void **state)
{
    static char text[70000];
    memset(text, 'a', 65000);
    assert_int_equal(check(json_pack("{s:s, s:s, s:[]}", "name", "x", "summary", text, "rules")),
                     0);
    memset(text, 'a', 65536);
    assert_int_equal(check(json_pack("{s:s, s:s, s:[]}", "name", "x", "summary", text, "rules")),
                     BAD_INPUT);
    assert_string_equal(why.where, "$");
    assert_string_equal(why.allowed, "at most 64 KiB");
}

static void parameters_cannot_blow_the_rules_up(void **state)
{
    static char text[4096];
    memset(text, 'a', 4000);
    json_t *params = json_pack("{s:{s:s, s:s}}", "p", "type", "text", "default", text);
    json_t *body = copies(64, "'$p'");
    json_t *rules =
        json_pack("[{s:s, s:[{s:{s:o}}]}]", "on", "request", "do", "respond", "body", body);
    json_t *document = document_of(params, rules);
    assert_int_equal(check(json_incref(document)), 0); /* 64 times 4,002 bytes */
    json_array_append_new(body, json_of("'$p'"));
    json_array_append_new(body, json_of("'$p'"));
    assert_int_equal(check(document), BAD_INPUT);
    assert_string_equal(why.where, "$.params.p.default");
    assert_string_equal(why.allowed, "at most 256 KiB");
}

static void a_long_path_and_long_words_are_cut_and_not_overrun(void **state)
{
    static char word[2000];
    memset(word, 'w', sizeof word - 1);
    json_t *rules = json_pack("[{s:s, s:[s]}]", "on", "accept", "do", word);
    assert_int_equal(check(document_of(json_object(), rules)), BAD_INPUT);
    assert_string_equal(why.where, "$.rules[0].do[0]");
    rules = json_pack("[{s:s, s:[{s:{s:b}}]}]", "on", "accept", "do", "fin", word, 1);
    assert_int_equal(check(document_of(json_object(), rules)), BAD_INPUT);
    assert_memory_equal(why.where, "$.rules[0].do[0].fin.www", 24);
    assert_int_equal(strlen(why.where), sizeof why.where - 1);
}

/* --- Capabilities */

static void a_missing_capability_is_named_with_the_way_to_get_it(void **state)
{
    static const struct {
        const char *document;
        enum capability cap;
        const char *where;
    } table[] = {
        { IDLE_DO("['black_hole', {'wait': '1s'}, 'heal']"), CAP_BLACK_HOLE, "$.rules[0].do[0]" },
        { IDLE_DO("[{'wait': '1s'}, {'forget': {'exact': true}}]"), CAP_REPAIR,
          "$.rules[0].do[1].forget.exact" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mode_program *program = NULL;
        assert_int_equal(compile_with(table[i].document, NULL, false, 1, &program), 0);
        mode_unref(program);
        program = NULL;

        caps[table[i].cap].available = false;
        strcpy(caps[table[i].cap].why_not, "not permitted");
        assert_int_equal(compile_with(table[i].document, NULL, false, 1, &program),
                         MODE_UNAVAILABLE);
        assert_null(program);
        assert_string_equal(why.where, table[i].where);
        assert_non_null(strstr(why.what, "needs CAP_NET_ADMIN, which is missing here: not"));
        assert_non_null(strstr(why.allowed, "--cap-add NET_ADMIN"));

        json_t *document = json_of(table[i].document); /* it is right all the same */
        assert_int_equal(mode_check(document, &why), 0);
        json_decref(document);
        caps[table[i].cap].available = true;
    }
}

static void a_mistake_is_said_before_a_missing_capability(void **state)
{
    struct mode_program *program = NULL;
    caps[CAP_BLACK_HOLE].available = false;
    int outcome = compile_with(DOCUMENT("[{'on': 'accept', 'do': ['black_hole']},"
                                        " {'on': 'accept', 'do': ['jump']}]"),
                               NULL, false, 1, &program);
    caps[CAP_BLACK_HOLE].available = true;
    check_refusal(outcome, "-", "$.rules[1].do[0]", "no step", "fin");
}

static void exact_false_needs_nothing(void **state)
{
    struct mode_program *program = NULL;
    caps[CAP_REPAIR].available = false;
    assert_int_equal(
        compile_with(IDLE_DO("[{'forget': {'exact': false}}]"), NULL, false, 1, &program), 0);
    caps[CAP_REPAIR].available = true;
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

/* --- The listing, and memory */

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
            "\"takes\":[\"at\",\"over\",\"nth\",\"age\",\"connection\",\"times\"]" } },
        { "triggers", "mark", { "\"requires\":[\"name\"]", "\"unless\"" } },
        { "triggers", "stale", { "\"default_times\":1" } },
        { "narrowing", "connection", { "1-/2" } },
        { "steps",
          "goaway",
          { "\"over\":[\"h2\"]", "\"default\":\"NO_ERROR\"", "\"alone\":\"error\"",
            "\"then_hold\"" } },
        { "steps", "forget", { "\"needs\":[\"repair\"]" } },
        { "steps", "cut", { "\"choices\":[\"fin\",\"rst\",\"stall\"]", "response at bytes" } },
        { "steps",
          "header",
          { "\"type\":\"header name\"", "\"fits\":[\"request at first_byte\"" } },
        { "steps", "drop_syn", { "\"fits\":[\"listen\"]", "\"needs\":[\"black_hole\"]" } },
        { "parameter_types", "duration", { "250ms" } },
    };
    json_t *language = mode_language();
    assert_int_equal(json_array_size(json_object_get(language, "triggers")), 12);
    assert_int_equal(json_array_size(json_object_get(language, "narrowing")), 10);
    assert_int_equal(json_array_size(json_object_get(language, "steps")), 30);
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

static void running_out_of_memory_anywhere_is_survived(void **state)
{
    json_t *document = json_of(
        DOCUMENT("[{'on': 'idle', 'after': '$t', 'over': 'h2', 'do': [{'goaway': {'debug': '$s'}},"
                 "  {'wait': '$t'}, '$how']}, {'on': 'request', 'do': [{'delay': '1s'}, {'respond':"
                 "  {'headers': {'a': '$$'}, 'body': ['$n', {'x': 1}]}}, {'header': {'name': 'b',"
                 "  'value': '$s'}}, {'inject': {'hex': '00'}}, {'inject': '$s'}]}, {'on': 'mark',"
                 "  'name': 'a', 'unless': 'b', 'do': ['fin']}, {'on': 'response', 'at':"
                 "  'content:7', 'do': [{'cut': 1}]}]"));
    json_t *params = json_of("{'n': '7', 's': 'x'}"), *steps = json_of("['stall', 'fin']");
    json_t *broken = json_of(IDLE_DO("['jump']"));

    int error = -ENOMEM;
    for (long n = 0; error; n++) {
        struct mode_program *program = NULL;
        memory_ends_after(n);
        error = mode_compile(document, params, true, 1, &program, &why);
        memory_restore();
        assert_true(error == 0 || error == -ENOMEM);
        assert_int_equal(program != NULL, error == 0);
        mode_unref(program);
        assert_true(n < 10000);
    }
    error = -ENOMEM;
    for (long n = 0; error; n++) {
        struct mode_program *program = NULL;
        memory_ends_after(n);
        error = mode_compile_steps(steps, OVER_H1, 1, &program, &why);
        memory_restore();
        assert_true(error == 0 || error == -ENOMEM);
        mode_unref(program);
    }
    error = -ENOMEM;
    for (long n = 0; error != BAD_INPUT; n++) {
        memory_ends_after(n);
        error = mode_check(broken, &why);
        memory_restore();
        assert_true(error == BAD_INPUT || error == -ENOMEM);
    }
    json_t *language = NULL;
    for (long n = 0; !language; n++) {
        memory_ends_after(n);
        language = mode_language();
        memory_restore();
        assert_true(n < 10000);
    }
    json_decref(language);
    json_decref(document);
    json_decref(params);
    json_decref(steps);
    json_decref(broken);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mistake_is_refused_with_its_place_and_what_is_allowed),
        cmocka_unit_test(given_values_are_checked_against_their_parameter),
        cmocka_unit_test(values_are_put_in_wherever_a_text_stands),
        cmocka_unit_test(closing_is_compiled_with_the_mode),
        cmocka_unit_test(rules_are_sorted_into_tables_by_trigger),
        cmocka_unit_test(numbers_of_rules_steps_and_parameters_are_bounded),
        cmocka_unit_test(the_size_of_a_document_is_bounded),
        cmocka_unit_test(parameters_cannot_blow_the_rules_up),
        cmocka_unit_test(a_long_path_and_long_words_are_cut_and_not_overrun),
        cmocka_unit_test(a_missing_capability_is_named_with_the_way_to_get_it),
        cmocka_unit_test(a_mistake_is_said_before_a_missing_capability),
        cmocka_unit_test(exact_false_needs_nothing),
        cmocka_unit_test(bare_steps_become_a_program_with_one_rule),
        cmocka_unit_test(bare_steps_are_checked_like_others),
        cmocka_unit_test(the_language_lists_its_rows),
        cmocka_unit_test(running_out_of_memory_anywhere_is_survived),
    };
    memory_for_jansson(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
