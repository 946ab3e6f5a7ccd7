/* test_mode_compile.c - mode documents: what is taken, what is refused and how, what comes out. */
#include "mode_fakes.h"

#include <errno.h>

#include "base/duration.h"

static struct refusal why;

static int compile_with(const char *document, const char *params, bool lenient, double scale,
                        struct mode_program **out)
{
    json_t *json = json_of(document), *values = params ? json_of(params) : NULL;
    memset(&why, 0, sizeof why);
    int error = mode_compile(json, values, lenient, scale, out, &why);
    json_decref(json);
    json_decref(values);
    return error;
}

/* A document around rules that use all types of parameters. */
#define PARAMS                                                                                     \
    "'params': {'t': {'type': 'duration', 'default': '3s', 'about': '-'},"                         \
    " 'b': {'type': 'bool', 'default': false}, 'n': {'type': 'int', 'default': 2, 'min': 1,"       \
    " 'max': 9}, 'how': {'type': 'choice', 'default': 'fin', 'allowed': ['fin', 'rst']},"          \
    " 's': {'type': 'text', 'default': '$t'}, 'last': {'type': 'choice', 'default': 'seen',"       \
    " 'allowed': ['seen', 'none']}}, "
#define DOCUMENT(rules)   "{'name': 'x', 'summary': '-', " PARAMS "'rules': " rules "}"
#define RULE(rule)        DOCUMENT("[" rule "]")
#define IDLE_DO(steps)    RULE("{'on': 'idle', 'after': '1s', 'do': " steps "}")
#define REQUEST_DO(steps) RULE("{'on': 'request', 'do': " steps "}")

static void check_refusal(int outcome, const char *document, const char *where, const char *what,
                          const char *allowed)
{
    if (outcome != BAD_INPUT)
        fail_msg("%s: %d, not refused", document, outcome);
    if (strcmp(why.where, where) != 0 || !strstr(why.what, what) || !strstr(why.allowed, allowed))
        fail_msg("%s\n    %s: %s (%s)\n    expected %s: %s (%s)", document, why.where, why.what,
                 why.allowed, where, what, allowed);
}

static void every_mistake_is_refused_with_its_place_and_what_is_allowed(void **state)
{
    static const struct {
        const char *document, *where, *what, *allowed;
    } table[] = {
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
          "name, summary, client_sees, basis, exercises, params, rules" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'a b': 1}", "$[\"a b\"]", "no such member",
          "name" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'exercises': ['A']}", "$.exercises[0]",
          "not a name", "mitigation" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'exercises': [1]}", "$.exercises[0]",
          "not a name", "mitigation" },

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

        /* rules */
        { DOCUMENT("[7]"), "$.rules[0]", "an object", "\"on\"" },
        { RULE("{}"), "$.rules[0].on", "it is missing", "accept, handshake, request, reuse" },
        { RULE("{'on': 'lunch', 'do': ['fin']}"), "$.rules[0].on", "\"lunch\" is not a trigger",
          "idle" },
        { RULE("{'on': 7, 'do': ['fin']}"), "$.rules[0].on", "7 is not a trigger", "idle" },
        { RULE("{'on': 'accept'}"), "$.rules[0].do", "it is missing", "1 to 64 steps" },
        { RULE("{'on': 'accept', 'do': []}"), "$.rules[0].do", "not a list", "1 to 64 steps" },
        { RULE("{'on': 'accept', 'do': 'fin'}"), "$.rules[0].do", "not a list", "1 to 64 steps" },
        { RULE("{'on': 'accept', 'do': ['fin'], 'wehn': 1}"), "$.rules[0].wehn", "no such member",
          "on, do, times" },
        { RULE("{'on': 'accept', 'do': ['fin'], 'after': '1s'}"), "$.rules[0].after",
          "does not go with the trigger \"accept\"", "on, do, times" },
        { RULE("{'on': 'accept', 'do': ['fin'], 'over': 'h2'}"), "$.rules[0].over",
          "does not go with", "on, do, times" },
        { RULE("{'on': 'idle', 'after': '1s', 'nth': 2, 'do': ['fin']}"), "$.rules[0].nth",
          "does not go with", "on, do, after, over, times" },
        { RULE("{'on': 'idle', 'do': ['fin']}"), "$.rules[0].after", "it is missing", "3s" },
        { RULE("{'on': 'age', 'after': 3, 'do': ['fin']}"), "$.rules[0].after",
          "3 is not a duration", "3s" },
        { RULE("{'on': 'request', 'at': 'end', 'do': ['fin']}"), "$.rules[0].at",
          "\"end\" is no place of the trigger \"request\"", "first_byte, headers, complete" },
        { RULE("{'on': 'response', 'at': 7, 'do': ['fin']}"), "$.rules[0].at", "7 is no place",
          "start, end" },
        { RULE("{'on': 'request', 'over': 'h3', 'do': ['fin']}"), "$.rules[0].over",
          "\"h3\" is none", "h1, h2" },
        { RULE("{'on': 'request', 'nth': 0, 'do': ['fin']}"), "$.rules[0].nth", "0 is not a range",
          "2-4" },
        { RULE("{'on': 'request', 'nth': '4-2', 'do': ['fin']}"), "$.rules[0].nth",
          "\"4-2\" is not a range", "2-4" },
        { RULE("{'on': 'request', 'nth': '-2', 'do': ['fin']}"), "$.rules[0].nth", "is not a range",
          "2-4" },
        { RULE("{'on': 'request', 'nth': '2-x', 'do': ['fin']}"), "$.rules[0].nth",
          "is not a range", "2-4" },
        { RULE("{'on': 'request', 'nth': '99999999999', 'do': ['fin']}"), "$.rules[0].nth",
          "is not a range", "2-4" },
        { RULE("{'on': 'reuse', 'nth': 1, 'do': ['fin']}"), "$.rules[0].nth",
          "never about the first request", "2 or more" },
        { RULE("{'on': 'stale', 'times': 0, 'do': ['rst']}"), "$.rules[0].times",
          "0 is out of range", "from 1" },
        { RULE("{'on': 'stale', 'times': '1', 'do': ['rst']}"), "$.rules[0].times",
          "\"1\" is not an int", "integer" },

        /* steps */
        { IDLE_DO("['jump']"), "$.rules[0].do[0]", "no step is called \"jump\"",
          "fin, rst, forget, black_hole" },
        { IDLE_DO("['fin', 7]"), "$.rules[0].do[1]", "7 is not a step", "{\"wait\": \"2s\"}" },
        { IDLE_DO("[{}]"), "$.rules[0].do[0]", "{} is not a step", "fin" },
        { IDLE_DO("[{'wait': '1s', 'fin': {}}]"), "$.rules[0].do[0]", "is not a step", "fin" },
        { IDLE_DO("[{'jump': {}}]"), "$.rules[0].do[0]", "no step is called \"jump\"", "fin" },
        { IDLE_DO("[{'fin': {'noitfy': true}}]"), "$.rules[0].do[0].fin.noitfy",
          "\"fin\" has no such argument", "notify" },
        { IDLE_DO("[{'fin': {'notify': 1}}]"), "$.rules[0].do[0].fin.notify", "1 is not a bool",
          "true or false" },
        { IDLE_DO("[{'fin': true}]"), "$.rules[0].do[0].fin", "not an object", "object" },
        { IDLE_DO("[{'rst': {'now': true}}]"), "$.rules[0].do[0].rst.now", "no such argument",
          "no arguments" },
        { IDLE_DO("['wait', 'fin']"), "$.rules[0].do[0].for", "it is missing: \"wait\" needs it",
          "3s" },
        { IDLE_DO("[{'wait': 2}, 'fin']"), "$.rules[0].do[0].wait", "2 is not a duration", "3s" },
        { IDLE_DO("[{'wait': {'for': 2}}, 'fin']"), "$.rules[0].do[0].wait.for",
          "2 is not a duration", "3s" },
        { RULE("{'on': 'idle', 'after': '1s', 'over': 'h2', 'do': [{'wait': '1s'}, {'goaway': "
               "{'error': 'NO_EROR'}}]}"),
          "$.rules[0].do[1].goaway.error", "\"NO_EROR\" is not an HTTP/2 error code",
          "ENHANCE_YOUR_CALM" },
        { RULE("{'on': 'idle', 'after': '1s', 'over': 'h2', 'do': [{'goaway': "
               "{'error': 4294967296}}]}"),
          "$.rules[0].do[0].goaway.error", "4294967296 is not", "NO_ERROR" },
        { RULE("{'on': 'idle', 'after': '1s', 'over': 'h2', 'do': [{'goaway': {'last': -1}}]}"),
          "$.rules[0].do[0].goaway.last", "-1 is not a last stream", "\"+2\"" },
        { RULE("{'on': 'idle', 'after': '1s', 'over': 'h2', 'do': [{'goaway': {'last': '2'}}]}"),
          "$.rules[0].do[0].goaway.last", "\"2\" is not a last stream", "\"+2\"" },
        { RULE("{'on': 'idle', 'after': '1s', 'over': 'h2', 'do': [{'goaway': {'debug': 2}}]}"),
          "$.rules[0].do[0].goaway.debug", "2 is not a text", "4096" },
        { IDLE_DO("['goaway']"), "$.rules[0].do[0]", "HTTP/2 only", "\"over\": \"h2\"" },
        { RULE("{'on': 'idle', 'after': '1s', 'over': 'h1', 'do': ['goaway_notice']}"),
          "$.rules[0].do[0]", "HTTP/2 only", "\"over\": \"h2\"" },
        { RULE("{'on': 'accept', 'do': ['goaway']}"), "$.rules[0].do[0]", "not ready", "idle" },
        { RULE("{'on': 'accept', 'do': ['close_notify']}"), "$.rules[0].do[0]", "not ready",
          "handshake" },
        { RULE("{'on': 'stale', 'do': ['stall']}"), "$.rules[0].do[0]", "is silent by then",
          "idle" },
        { IDLE_DO("['hold']"), "$.rules[0].do[0]", "no exchange here",
          "request at first_byte, request at headers, request at complete" },
        { IDLE_DO("[{'respond': 200}]"), "$.rules[0].do[0]", "no exchange", "response at start" },
        { RULE("{'on': 'response', 'at': 'end', 'do': [{'delay': '1s'}]}"), "$.rules[0].do[0]",
          "no exchange", "response at start" },

        /* order */
        { IDLE_DO("['fin', 'fin']"), "$.rules[0].do[1]", "\"fin\" means nothing after \"fin\"",
          "wait, rst" },
        { IDLE_DO("['forget', {'wait': '1s'}, 'stall']"), "$.rules[0].do[2]",
          "\"stall\" means nothing after \"forget\"", "wait, rst" },
        { IDLE_DO("['rst', {'wait': '1s'}]"), "$.rules[0].do[1]", "can come after \"rst\"",
          "nothing" },
        { IDLE_DO("['fin', 'rst', 'rst']"), "$.rules[0].do[2]", "can come after \"rst\"",
          "nothing" },
        { IDLE_DO("['stall', 'close_notify']"), "$.rules[0].do[1]", "means nothing after",
          "resume" },
        { IDLE_DO("['stall', 'stall']"), "$.rules[0].do[1]", "means nothing after", "resume" },
        { IDLE_DO("['black_hole', {'wait': '1s'}, 'resume']"), "$.rules[0].do[2]",
          "\"resume\" does not end \"black_hole\"", "heal" },
        { REQUEST_DO("[{'wait': '1s'}, 'hold']"), "$.rules[0].do[1]", "on its way", "delay" },
        { REQUEST_DO("['hold', {'respond': 503}]"), "$.rules[0].do[1]", "never answers",
          "connection" },
        { REQUEST_DO("['rst', 'hold']"), "$.rules[0].do[1]", "can come after \"rst\"", "nothing" },

        /* respond */
        { REQUEST_DO("[{'respond': 199}]"), "$.rules[0].do[0].respond", "199 is out of range",
          "from 200 to 599" },
        { REQUEST_DO("[{'respond': {'status': 600}}]"), "$.rules[0].do[0].respond.status",
          "600 is out of range", "from 200 to 599" },
        { REQUEST_DO("[{'respond': {'headers': []}}]"), "$.rules[0].do[0].respond.headers",
          "[] is not a headers object", "object" },
        { REQUEST_DO("[{'respond': {'headers': {'a b': 'c'}}}]"),
          "$.rules[0].do[0].respond.headers[\"a b\"]", "not a header's name", "token" },
        { REQUEST_DO("[{'respond': {'headers': {'': 'c'}}}]"), "$.rules[0].do[0].respond.headers.",
          "not a header's name", "token" },
        { REQUEST_DO("[{'respond': {'headers': {'X-A': 7}}}]"),
          "$.rules[0].do[0].respond.headers.X-A", "7 is not a header's value", "text" },
        { REQUEST_DO("[{'respond': {'headers': {'X-A': 'b\\r\\nSet-Cookie: c'}}}]"),
          "$.rules[0].do[0].respond.headers.X-A", "is not a header's value", "control" },
        { REQUEST_DO("[{'respond': {'headers': {'X-A': ' b'}}}]"),
          "$.rules[0].do[0].respond.headers.X-A", "is not a header's value", "control" },
        { REQUEST_DO("[{'respond': {'headers': {'content-length': '7'}}}]"),
          "$.rules[0].do[0].respond.headers.content-length", "made from the answer",
          "Content-Length" },
        { REQUEST_DO("[{'respond': {'headers': {'Transfer-Encoding': 'chunked'}}}]"),
          "$.rules[0].do[0].respond.headers.Transfer-Encoding", "made from the answer", "any but" },
        { REQUEST_DO("[{'respond': {'status': 204, 'body': 'x'}}]"),
          "$.rules[0].do[0].respond.body", "status 204 has no body", "" },

        /* values put in */
        { IDLE_DO("['$who']"), "$.rules[0].do[0]", "\"$who\" is no parameter",
          "t, b, n, how, s, last" },
        { IDLE_DO("['$t']"), "$.rules[0].do[0]", "no step is called \"3s\"", "fin" },
        { IDLE_DO("['$$t']"), "$.rules[0].do[0]", "no step is called \"$t\"", "fin" },
        { IDLE_DO("['$']"), "$.rules[0].do[0]", "\"$\" is no parameter", "how" },
        { IDLE_DO("[{'fin': {'notify': '$t'}}]"), "$.rules[0].do[0].fin.notify",
          "\"3s\" is not a bool", "true or false" },
        { RULE("{'on': 'idle', 'after': '$b', 'do': ['fin']}"), "$.rules[0].after",
          "false is not a duration", "3s" },
        { DOCUMENT("[{'on': 'accept', 'do': ['fin']}, {'on': 'request', 'nth': '$t', 'do': "
                   "['fin']}]"),
          "$.rules[1].nth", "\"3s\" is not a range", "2-4" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mode_program *program = NULL;
        int outcome = compile_with(table[i].document, NULL, false, 1, &program);
        check_refusal(outcome, table[i].document, table[i].where, table[i].what, table[i].allowed);
        assert_null(program);
    }
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
    assert_string_equal(program->rules[0].steps[0].arguments, "{\"notify\":true}");
    assert_int_equal(program->rules[1].nth_first, 3);
    assert_int_equal(program->rules[1].nth_last, 3);
    assert_int_equal(program->rules[1].times, 3);
    assert_string_equal(program->rules[1].steps[0].arguments,
                        "{\"status\":500,\"headers\":{\"X\":\"$b\"},"
                        "\"body\":{\"n\":3,\"list\":[true,\"$n\",\"$b\"]}}");
    assert_string_equal(program->rules[2].steps[0].arguments,
                        "{\"error\":\"NO_ERROR\",\"last\":\"none\",\"debug\":\"$b\"}");
    assert_null(program->rules[2].steps[1].arguments);
    mode_unref(program);
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
                                              " {'on': 'stale', 'do': ['rst']}]");
    static const struct {
        enum trigger_slot slot;
        unsigned count, rules[3];
    } table[] = {
        { ON_ACCEPT, 0, { 0 } },       { ON_HANDSHAKE, 0, { 0 } },
        { ON_FIRST_BYTE, 1, { 6 } },   { ON_HEADERS, 0, { 0 } },
        { ON_COMPLETE, 2, { 1, 4 } },  { ON_RESPONSE_START, 0, { 0 } },
        { ON_RESPONSE_END, 1, { 7 } }, { ON_IDLE, 3, { 2, 5, 0 } },
        { ON_AGE, 0, { 0 } },          { ON_STALE, 1, { 8 } },
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
    assert_string_equal(why.where, "$.rules[0].do[0].respond.body[65]");
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

static void the_language_lists_its_rows(void **state)
{
    json_t *language = mode_language();
    assert_int_equal(json_array_size(json_object_get(language, "triggers")), 8);
    assert_int_equal(json_array_size(json_object_get(language, "steps")), 14);
    assert_int_equal(json_array_size(json_object_get(language, "parameter_types")), 5);
    const json_t *goaway = json_array_get(json_object_get(language, "steps"), 7);
    assert_string_equal(json_string_value(json_object_get(goaway, "name")), "goaway");
    char *text = json_dumps(goaway, JSON_COMPACT);
    assert_non_null(strstr(text, "\"over\":[\"h2\"]"));
    assert_non_null(strstr(text, "\"default\":\"NO_ERROR\""));
    assert_non_null(strstr(text, "\"alone\":\"error\""));
    free(text);
    const json_t *forget = json_array_get(json_object_get(language, "steps"), 2);
    text = json_dumps(forget, JSON_COMPACT);
    assert_non_null(strstr(text, "\"needs\":[\"repair\"]"));
    free(text);
    json_decref(language);
}

static void running_out_of_memory_anywhere_is_survived(void **state)
{
    json_t *document = json_of(
        DOCUMENT("[{'on': 'idle', 'after': '$t', 'over': 'h2', 'do': [{'goaway': {'debug': '$s'}},"
                 "  {'wait': '$t'}, '$how']}, {'on': 'request', 'do': [{'delay': '1s'}, {'respond':"
                 "  {'headers': {'a': '$$'}, 'body': ['$n', {'x': 1}]}}]}]"));
    json_t *params = json_of("{'n': '7', 's': 'x'}"), *steps = json_of("['stall', 'fin']");
    json_t *broken = json_of(IDLE_DO("['jump']"));

    int error = -ENOMEM;
    for (long n = 0; error; n++) {
        struct mode_program *program = NULL;
        allocations_left = n;
        error = mode_compile(document, params, true, 1, &program, &why);
        allocations_left = -1;
        assert_true(error == 0 || error == -ENOMEM);
        assert_int_equal(program != NULL, error == 0);
        mode_unref(program);
        assert_true(n < 10000);
    }
    error = -ENOMEM;
    for (long n = 0; error; n++) {
        struct mode_program *program = NULL;
        allocations_left = n;
        error = mode_compile_steps(steps, OVER_H1, 1, &program, &why);
        allocations_left = -1;
        assert_true(error == 0 || error == -ENOMEM);
        mode_unref(program);
    }
    error = -ENOMEM;
    for (long n = 0; error != BAD_INPUT; n++) {
        allocations_left = n;
        error = mode_check(broken, &why);
        allocations_left = -1;
        assert_true(error == BAD_INPUT || error == -ENOMEM);
    }
    json_t *language = NULL;
    for (long n = 0; !language; n++) {
        allocations_left = n;
        language = mode_language();
        allocations_left = -1;
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
        cmocka_unit_test(rules_are_sorted_into_tables_by_trigger),
        cmocka_unit_test(ranges_of_requests_are_read),
        cmocka_unit_test(sensible_sequences_are_taken),
        cmocka_unit_test(durations_are_scaled_and_never_stays_never),
        cmocka_unit_test(answers_get_the_content_type_they_lack),
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
    json_set_alloc_funcs(__wrap_malloc, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
