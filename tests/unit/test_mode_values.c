/* Values of parameters: whose mistake one is, and what is found when a mode is loaded. */
#include "harness/memory.h"
#include "harness/mode_documents.h"

/* What was given is to blame, not the rule that it was put into. */
static void a_mistake_in_a_value_is_told_of_the_parameter(void **state)
{
    static const struct {
        const char *param, *rule, *given, *where, *what;
    } table[] = {
        { "'type': 'text', 'default': 'NO_ERROR'",
          "{'on': 'request', 'over': 'h2', 'do': [{'goaway': {'error': '$p'}}]}", "'NO_EROR'",
          "$.params.p", "is not an HTTP/2 error code" },
        { "'type': 'text', 'default': 'NO_ERROR'",
          "{'on': 'request', 'over': 'h2', 'do': [{'rst_stream': '$p'}]}", "'NO_EROR'",
          "$.params.p", "is not an HTTP/2 error code" },
        { "'type': 'text', 'default': '1-'", "{'on': 'request', 'nth': '$p', 'do': ['fin']}",
          "'4-2'", "$.params.p", "is not a range" },
        { "'type': 'text', 'default': '1-'", "{'on': 'accept', 'connection': '$p', 'do': ['fin']}",
          "'x'", "$.params.p", "is not a range" },
        { "'type': 'text', 'default': 'end'", "{'on': 'response', 'at': '$p', 'do': ['fin']}",
          "'bytes:0'", "$.params.p", "out of range" },
        { "'type': 'text', 'default': 'end'", "{'on': 'response', 'at': '$p', 'do': ['fin']}",
          "'middle'", "$.params.p", "is no place" },
        { "'type': 'text', 'default': '00'", "{'on': 'request', 'do': [{'inject': {'hex': '$p'}}]}",
          "'zz'", "$.params.p", "is not that" },
        { "'type': 'text', 'default': 'v'",
          "{'on': 'request', 'do': [{'header': {'name': 'a', 'value': '$p'}}]}", "' v'",
          "$.params.p", "is not a header's value" },
        { "'type': 'text', 'default': 'm'", "{'on': 'mark', 'name': '$p', 'do': ['fin']}", "'M'",
          "$.params.p", "cannot be a mark's name" },
        { "'type': 'text', 'default': 'fin'", "{'on': 'accept', 'do': ['$p']}", "'fun'",
          "$.params.p", "no step is called" },
        { "'type': 'text', 'default': 'fin'", "{'on': 'accept', 'do': ['$p']}", "'respond'",
          "$.params.p", "does not fit here" },
        { "'type': 'int', 'default': 1", "{'on': 'request', 'do': [{'throttle': '$p'}]}",
          "2000000000", "$.params.p", "out of range" },
        { "'type': 'text', 'default': 'fun'", "{'on': 'accept', 'do': ['$p']}", NULL,
          "$.params.p.default", "no step is called" },
        { "'type': 'int', 'default': -1", "{'on': 'request', 'do': [{'throttle': '$p'}]}", NULL,
          "$.rules[0].do[0].throttle", "out of range" },
        { "'type': 'error_code', 'default': 'CANCEL'",
          "{'on': 'request', 'over': 'h2', 'do': [{'rst_stream': '$p'}]}", "'CANCL'", "$.params.p",
          "is not an HTTP/2 error code" },
        { "'type': 'last_stream', 'default': 'answered'",
          "{'on': 'request', 'over': 'h2', 'do': [{'goaway': {'last': '$p'}}]}", "'newest'",
          "$.params.p", "is not a last_stream" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char document[512], given[64];
        struct mode_program *program = NULL;
        snprintf(document, sizeof document,
                 "{'name': 'x', 'summary': '-', 'params': {'p': {%s}}, 'rules': [%s]}",
                 table[i].param, table[i].rule);
        snprintf(given, sizeof given, "{'p': %s}", table[i].given ? table[i].given : "");
        int outcome = compile_with(document, table[i].given ? given : NULL, false, 1, &program);
        check_refusal(outcome, document, table[i].where, table[i].what, "");
    }
}

static void parameters_of_streams_and_codes_take_texts_and_numbers(void **state)
{
    static const char document[] =
        "{'name': 'x', 'summary': '-', 'params': {'s': {'type': 'last_stream', 'default': 'seen'},"
        " 'e': {'type': 'error_code', 'default': 0}}, 'rules': [{'on': 'request', 'over': 'h2',"
        " 'do': [{'goaway': {'error': '$e', 'last': '$s'}}]}]}";
    static const char *const given[] = { "{'s': '-2'}",       "{'s': '+2'}", "{'s': '5'}",
                                         "{'s': 'answered'}", "{'e': '11'}", "{'e': 'CANCEL'}" };
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        struct mode_program *program = NULL;
        if (compile_with(document, given[i], true, 1, &program) != 0)
            fail_msg("%s: %s", given[i], why.what);
        mode_unref(program);
    }
}

/* Each text that a choice allows must work, or the mode is not taken. */
static void a_choice_that_can_only_fail_is_found_when_the_mode_is_loaded(void **state)
{
    static const struct {
        const char *allowed, *rule, *where, *what;
    } table[] = {
        { "'fin', 'rst', 'hang_up'", "{'on': 'accept', 'do': ['$p']}", "$.params.p.allowed[2]",
          "no step is called \"hang_up\"" },
        { "'fin', 'respond'", "{'on': 'accept', 'do': ['$p']}", "$.params.p.allowed[1]",
          "does not fit here" },
        { "'fin', 'goaway'", "{'on': 'idle', 'after': '1s', 'do': ['$p']}", "$.params.p.allowed[1]",
          "exists in HTTP/2 only" },
        { "'stall', 'rst'", "{'on': 'idle', 'after': '1s', 'do': ['$p', {'wait': '1s'}]}",
          "$.params.p.allowed[1]", "nothing can come after" },
        { "'headers', 'soon'", "{'on': 'request', 'at': '$p', 'do': ['fin']}",
          "$.params.p.allowed[1]", "is no place" },
        { "'h1', 'h3'", "{'on': 'request', 'over': '$p', 'do': ['fin']}", "$.params.p.allowed[1]",
          "none of the choices" },
        { "'fin', 'rst'", "{'on': 'accept', 'do': ['$p']}", NULL, NULL },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char document[512];
        snprintf(document, sizeof document,
                 "{'name': 'x', 'summary': '-', 'params': {'p': {'type': 'choice', 'allowed': [%s],"
                 " 'default': %.*s}}, 'rules': [%s]}",
                 table[i].allowed, (int)strcspn(table[i].allowed, ","), table[i].allowed,
                 table[i].rule);
        json_t *json = json_of(document);
        int outcome = mode_check(json, &why);
        json_decref(json);
        if (table[i].where)
            check_refusal(outcome, document, table[i].where, table[i].what, "");
        else
            assert_int_equal(outcome, 0);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mistake_in_a_value_is_told_of_the_parameter),
        cmocka_unit_test(parameters_of_streams_and_codes_take_texts_and_numbers),
        cmocka_unit_test(a_choice_that_can_only_fail_is_found_when_the_mode_is_loaded),
    };
    memory_for_jansson(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
