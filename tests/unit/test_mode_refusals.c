/* test_mode_refusals.c - how a refusal tells what was written, and what may have been meant. */
#include "mode_documents.h"

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
            assert_ptr_equal(json_shown(json, shown), shown);
            if (len < SHOWN_SIZE) {
                assert_string_equal(shown, whole);
            } else {
                assert_int_equal(strlen(shown), SHOWN_SIZE - 1);
                assert_memory_equal(shown, whole, SHOWN_SIZE - 4);
                assert_string_equal(shown + SHOWN_SIZE - 4, "...");
            }
            json_decref(json);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_have_been_meant_is_told),
        cmocka_unit_test(a_value_is_quoted_as_far_as_there_is_room),
    };
    return cmocka_run_group_tests_name("refusals of modes", tests, NULL, NULL);
}
