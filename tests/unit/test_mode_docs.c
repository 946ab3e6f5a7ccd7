/* test_mode_docs.c - what docs/writing-modes.md teaches is true: every example compiles, and every
 * word of the language is there.
 */
#include "harness/mode_fakes.h"

#include "mode/catalogue.h"

static char *text;

static int read_document(void **state)
{
    const char *root = getenv("SOURCE_ROOT");
    char path[4096];
    snprintf(path, sizeof path, "%s/docs/writing-modes.md", root ? root : ".");
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    text = calloc(1, 100000);
    size_t n = fread(text, 1, 99999, file);
    fclose(file);
    return n > 0 ? 0 : -1;
}

static int free_document(void **state)
{
    free(text);
    return 0;
}

/* A document around an example that is a rule or a list of steps. */
static json_t *document_around(json_t *example)
{
    if (json_is_array(example))
        example = json_pack("{s:s, s:s, s:s, s:o}", "on", "idle", "after", "1s", "over", "h2", "do",
                            example);
    if (json_object_get(example, "on"))
        example =
            json_pack("{s:s, s:s, s:[o]}", "name", "example", "summary", "-", "rules", example);
    return example;
}

/* An example may extend one that came before it. */
static int check_example(struct catalogue *catalogue, const json_t *example, struct refusal *why)
{
    const char *name = json_string_value(json_object_get(example, "name"));
    assert_non_null(name);
    bool built_in = catalogue_get(catalogue, name) && strcmp(name, "example") != 0;
    return built_in ? mode_check(example, why) : catalogue_put(catalogue, name, example, why);
}

static void every_example_compiles(void **state)
{
    struct catalogue *catalogue = catalogue_create();
    unsigned examples = 0;
    for (char *begin = text; (begin = strstr(begin, "```json\n")); examples++) {
        begin += strlen("```json\n");
        char *end = strstr(begin, "```");
        assert_non_null(end);
        json_error_t place;
        json_t *example = json_loadb(begin, (size_t)(end - begin), JSON_REJECT_DUPLICATES, &place);
        if (!example)
            fail_msg("%.*s\n%s", (int)(end - begin), begin, place.text);
        example = document_around(example);
        struct refusal why = { 0 };
        if (check_example(catalogue, example, &why) != 0)
            fail_msg("%.*s\n%s: %s (%s)", (int)(end - begin), begin, why.where, why.what,
                     why.allowed);
        json_decref(example);
        begin = end;
    }
    catalogue_destroy(catalogue);
    assert_true(examples >= 20);
}

/* Each name, as code. */
static void assert_all_mentioned(const json_t *rows)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        char word[64];
        snprintf(word, sizeof word, "`%s`", json_string_value(json_object_get(row, "name")));
        if (!strstr(text, word))
            fail_msg("%s is not in docs/writing-modes.md", word);
        assert_all_mentioned(json_object_get(row, "at"));
        assert_all_mentioned(json_object_get(row, "arguments"));
    }
}

static void every_word_of_the_language_is_taught(void **state)
{
    json_t *language = mode_language();
    const char *key;
    json_t *rows;
    json_object_foreach(language, key, rows) assert_all_mentioned(rows);
    json_decref(language);
    static const char *const members[] = { "name",      "summary", "client_sees", "basis",
                                           "exercises", "expect",  "assumed",     "group",
                                           "extends",   "params",  "closing",     "differs",
                                           "rules" };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        assert_true(strstr(text, members[i]));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_example_compiles),
        cmocka_unit_test(every_word_of_the_language_is_taught),
    };
    return cmocka_run_group_tests(tests, read_document, free_document);
}
