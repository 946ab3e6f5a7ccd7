/* test_mode_refusals.c - how a refusal tells what was written, and what may have been meant. */
#include "harness/mode_documents.h"

#include "mode/language.h"

/* Wherever a name is not known, the ones like it are told. */
static void what_may_have_been_meant_is_told(void **state)
{
#define PARAM(declared) "{'name': 'x', 'summary': '-', 'rules': [], 'params': {'p': " declared "}}"
#define RULES(rules)    "{'name': 'x', 'summary': '-', 'rules': [" rules "]}"
    static const struct {
        const char *document, *params, *meant;
    } table[] = {
        { "{'name': 'x', 'sumary': '-', 'rules': []}", NULL, "summary" },
        { "{'name': 'x', 'summary': '-', 'rules': [], 'group': 'reusd'}", NULL, "reuse" },
        { PARAM("{'typ': 'int', 'default': 1}"), NULL, "type" },
        { PARAM("{'type': 'integer', 'default': 1}"), NULL, "" },
        { PARAM("{'type': 'druation', 'default': '1s'}"), NULL, "duration" },
        { PARAM("{'type': 'choice', 'allowed': ['black', 'fin'], 'default': 'balck'}"), NULL,
          "black" },
        { IDLE_DO("['fin']"), "{'timez': 1}", "" },
        { IDLE_DO("['$hwo']"), NULL, "how" },
        { IDLE_DO("['$how']"), "{'hwo': 'rst'}", "how" },
        { IDLE_DO("['$how']"), "{'how': 'rest'}", "rst" },
        { IDLE_DO("['blackhole']"), NULL, "black_hole" },
        { IDLE_DO("[{'goawy': {}}]"), NULL, "goaway" },
        { IDLE_DO("[{'forget': {'exat': true}}]"), NULL, "exact" },
        { RULES("{'on': 'requets', 'do': ['fin']}"), NULL, "request" },
        { RULES("{'on': 'request', 'when': 'x', 'do': ['fin']}"), NULL, "" },
        { RULES("{'on': 'request', 'ta': 'headers', 'do': ['fin']}"), NULL, "at" },
        { RULES("{'on': 'request', 'at': 'header', 'do': ['fin']}"), NULL, "headers" },
        { RULES("{'on': 'request', 'over': 'h2', 'do': [{'goaway': 'NO_EROR'}]}"), NULL,
          "NO_ERROR" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mode_program *program = NULL;
        assert_int_equal(compile_with(table[i].document, table[i].params, false, 1, &program),
                         BAD_INPUT);
        if (strcmp(why.meant[0], table[i].meant) != 0)
            fail_msg("%s: %s: meant \"%s\", not \"%s\"", table[i].document, why.what, why.meant[0],
                     table[i].meant);
    }
}

/* Every length around the cut, of texts that are put out whole and of those made of parts. */
static void a_value_is_quoted_as_far_as_there_is_room(void **state)
{
    for (size_t n = 0; n < 200; n++) {
        char text[400], whole[400], shown[SHOWN_SIZE];
        for (int kind = 0; kind < 3; kind++) {
            size_t used = 0;
            for (size_t i = 0; i < n; i++)
                used += (size_t)snprintf(text + used, sizeof text - used, "%s",
                                         kind == 0   ? "9"
                                         : kind == 1 ? "\n"
                                                     : (i % 2 ? "\"" : "x"));
            text[used] = '\0';
            json_t *json = json_string(text);
            size_t len = json_dumpb(json, whole, sizeof whole - 1, JSON_ENCODE_ANY);
            whole[len < sizeof whole ? len : sizeof whole - 1] = '\0';
            memset(shown, '#', sizeof shown);
            assert_ptr_equal(mode_json_shown(json, shown), shown);
            if (len < SHOWN_SIZE) {
                assert_string_equal(shown, whole);
            } else {
                size_t kept = SHOWN_SIZE - sizeof "...\"";
                assert_memory_equal(shown, whole, kept);
                assert_string_equal(shown + kept, "...\"");
            }
            json_decref(json);
        }
    }
}

/* A quotation that is cut ends where JSON can, and is closed. */
static void what_is_cut_is_closed(void **state)
{
#define N10 "0123456789"
    static const struct {
        const char *json, *shown;
    } cases[] = {
        { "\"" N10 N10 N10 N10 N10 N10 "9\"", "\"" N10 N10 N10 N10 N10 N10 "9\"" },
        { "\"" N10 N10 N10 N10 N10 N10 "98\"", "\"" N10 N10 N10 N10 N10 "01234567...\"" },
        { "\"" N10 N10 N10 N10 N10 "0123456\\\"" N10 "\"",
          "\"" N10 N10 N10 N10 N10 "0123456...\"" },
        { "\"" N10 N10 N10 N10 N10 "012345\\\"" N10 "\"",
          "\"" N10 N10 N10 N10 N10 "012345\\\"...\"" },
        { "\"" N10 N10 N10 N10 N10 "012\\u00e9" N10 "\"", "\"" N10 N10 N10 N10 N10 "012...\"" },
        { "\"" N10 N10 N10 N10 N10 "01\\u00e9" N10 "\"",
          "\"" N10 N10 N10 N10 N10 "01\\u00E9...\"" },
        { "{\"a\":\"" N10 N10 N10 N10 N10 N10 "\"}", "{\"a\":\"" N10 N10 N10 N10 N10 "012...\"" },
    };
#undef N10
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char shown[SHOWN_SIZE];
        json_t *json = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
        assert_non_null(json);
        assert_string_equal(mode_json_shown(json, shown), cases[i].shown);
        json_decref(json);
    }
    json_t *numbers = json_array();
    for (int i = 0; i < 100; i++)
        json_array_append_new(numbers, json_integer(7));
    char shown[SHOWN_SIZE];
    assert_ptr_equal(mode_json_shown(numbers, shown), shown);
    assert_string_equal(shown, "[7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,...");
    json_decref(numbers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_have_been_meant_is_told),
        cmocka_unit_test(a_value_is_quoted_as_far_as_there_is_room),
        cmocka_unit_test(what_is_cut_is_closed),
    };
    return cmocka_run_group_tests_name("refusals of modes", tests, NULL, NULL);
}
