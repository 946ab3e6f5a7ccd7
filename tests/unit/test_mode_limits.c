/* test_mode_limits.c - mode documents that are too large, need what is missing here, or are
 * compiled without memory.
 */
#include "harness/memcheck.h"
#include "harness/memory.h"
#include "harness/mode_documents.h"

#include <errno.h>

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

/* --- Memory */

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
    for (long n = 0; !language; n = next_failing_of_many(n)) {
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
        cmocka_unit_test(numbers_of_rules_steps_and_parameters_are_bounded),
        cmocka_unit_test(the_size_of_a_document_is_bounded),
        cmocka_unit_test(parameters_cannot_blow_the_rules_up),
        cmocka_unit_test(a_long_path_and_long_words_are_cut_and_not_overrun),
        cmocka_unit_test(a_missing_capability_is_named_with_the_way_to_get_it),
        cmocka_unit_test(a_mistake_is_said_before_a_missing_capability),
        cmocka_unit_test(exact_false_needs_nothing),
        cmocka_unit_test(running_out_of_memory_anywhere_is_survived),
    };
    memory_for_jansson(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
