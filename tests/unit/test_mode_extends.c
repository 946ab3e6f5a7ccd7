/* test_mode_extends.c - modes that extend others: what is inherited, what is refused, and what the
 * catalogue keeps right.
 */
#include "harness/catalogue_rig.h"
#include "harness/memory.h"

#define BASE                                                                                       \
    "{'name': 'base', 'summary': 'S', 'client_sees': 'C', 'basis': 'B', 'group': 'idle',"          \
    " 'assumed': true, 'differs': [{'situations': ['idle'], 'over': 'h2', 'tls': true, 'why': "    \
    "'w'}],"                                                                                       \
    " 'exercises': ['retry-once'], 'params': {'idle': {'type': 'duration',"                        \
    " 'default': '3s', 'about': 'how long'}, 'n': {'type': 'int', 'min': 1, 'max': 9,"             \
    " 'default': 1}}, 'rules': [{'on': 'idle', 'after': '$idle', 'do': ['fin']},"                  \
    " {'on': 'request', 'nth': '$n', 'do': ['hold']}]}"

static int put_base(void)
{
    return put("base", BASE);
}

/* What a member of the whole mode is, as compact JSON in memory that the next call reuses. */
static const char *member(const char *mode, const char *name)
{
    static char text[2048];
    json_t *whole = catalogue_resolved(catalogue, mode);
    assert_non_null(whole);
    size_t n = json_dumpb(json_object_get(whole, name), text, sizeof text - 1,
                          JSON_COMPACT | JSON_ENCODE_ANY);
    text[n] = '\0';
    json_decref(whole);
    return text;
}

static void what_is_not_given_is_inherited(void **state)
{
    assert_int_equal(put_base(), 0);
    assert_int_equal(put("mine", "{'name': 'mine', 'extends': 'base'}"), 0);
    static const char *const same[] = { "summary", "client_sees", "basis",  "group", "assumed",
                                        "differs", "exercises",   "params", "rules" };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char expected[2048];
        snprintf(expected, sizeof expected, "%s", member("base", same[i]));
        assert_true(expected[0]);
        assert_string_equal(member("mine", same[i]), expected);
    }
    assert_string_equal(member("mine", "name"), "\"mine\"");
    assert_string_equal(member("mine", "extends"), "");
    /* as it was written */
    const json_t *written = catalogue_get(catalogue, "mine");
    assert_int_equal(json_object_size(written), 2);
    assert_string_equal(json_string_value(json_object_get(written, "extends")), "base");
    assert_null(catalogue_resolved(catalogue, "nobody"));

    struct mode_program *program = NULL;
    assert_int_equal(compile("mine;idle=250ms", &program), 0);
    assert_string_equal(program->name, "mine");
    assert_int_equal(program->rule_count, 2);
    assert_int_equal(program->rules[0].after, 250 * NS_PER_MS);
    mode_unref(program);
}

static void what_is_given_is_laid_over_what_is_inherited(void **state)
{
    assert_int_equal(put_base(), 0);
    assert_int_equal(put("mine", "{'name': 'mine', 'extends': 'base', 'summary': 'other',"
                                 " 'assumed': false, 'exercises': [], 'params': {'idle': '60s',"
                                 " 'n': {'type': 'text', 'default': '2-'}, 'how': {'type':"
                                 " 'choice', 'allowed': ['fin', 'rst'], 'default': 'rst'}},"
                                 " 'rules': [{'on': 'age', 'after': '$idle', 'do': ['$how']}]}"),
                     0);
    assert_string_equal(member("mine", "summary"), "\"other\"");
    assert_string_equal(member("mine", "assumed"), "false");
    assert_string_equal(member("mine", "exercises"), "[]");
    struct mode_program *program = NULL;
    assert_int_equal(compile("mine", &program), 0);
    assert_string_equal(program->params, "{\"idle\":\"60s\",\"n\":\"2-\",\"how\":\"rst\"}");
    assert_int_equal(program->rule_count, 3);
    assert_int_equal(program->rules[1].nth_last, UINT32_MAX);
    assert_int_equal(program->rules[2].on, TRIGGER_AGE);
    mode_unref(program);

    /* the base is as it was */
    assert_int_equal(compile("base", &program), 0);
    assert_string_equal(program->params, "{\"idle\":\"3s\",\"n\":1}");
    assert_int_equal(program->rule_count, 2);
    mode_unref(program);
}

static void a_mode_that_extends_can_be_extended(void **state)
{
    assert_int_equal(put_base(), 0);
    assert_int_equal(put("b", "{'name': 'b', 'extends': 'base', 'params': {'k': {'type': 'int',"
                              " 'default': 5}}, 'rules': [{'on': 'stale', 'do': ['rst']}]}"),
                     0);
    assert_int_equal(put("c", "{'name': 'c', 'extends': 'b', 'params': {'k': 6, 'idle': '9s'}}"),
                     0);
    struct mode_program *program = NULL;
    assert_int_equal(compile("c", &program), 0);
    assert_string_equal(program->params, "{\"idle\":\"9s\",\"n\":1,\"k\":6}");
    assert_int_equal(program->rule_count, 3);
    mode_unref(program);
    assert_int_equal(compile("b", &program), 0); /* not touched by what extends it */
    assert_string_equal(program->params, "{\"idle\":\"3s\",\"n\":1,\"k\":5}");
    mode_unref(program);
}

static void closing_is_inherited_member_by_member(void **state)
{
    assert_int_equal(put("base", "{'name': 'base', 'summary': 'S', 'rules': [], 'params': {'t':"
                                 " {'type': 'duration', 'default': '5s', 'about': '-'}}, 'closing':"
                                 " {'linger': '$t', 'client_first': 'fin'}}"),
                     0);
    assert_int_equal(put("mine", "{'name': 'mine', 'extends': 'base', 'closing':"
                                 " {'fin_wait': '7s'}}"),
                     0);
    struct mode_program *program = NULL;
    assert_int_equal(compile("mine;t=1s", &program), 0);
    assert_int_equal(program->closing.linger, NS_PER_S);
    assert_int_equal(program->closing.fin_wait, 7 * NS_PER_S);
    assert_true(program->closing.fin_alone);
    mode_unref(program);
    assert_int_equal(compile("base", &program), 0); /* not touched by what extends it */
    assert_int_equal(program->closing.fin_wait, 60 * NS_PER_S);
    mode_unref(program);
    assert_string_equal(member("mine", "closing"),
                        "{\"linger\":\"$t\",\"client_first\":\"fin\",\"fin_wait\":\"7s\"}");
}

static void a_built_in_mode_can_be_extended(void **state)
{
    assert_int_equal(put("mine", "{'name': 'mine', 'extends': 'idle-close', 'params': {'idle':"
                                 " '9s', 'notify': true}}"),
                     0);
    struct mode_program *program = NULL;
    assert_int_equal(compile("mine", &program), 0);
    assert_string_equal(program->params, "{\"idle\":\"9s\",\"notify\":true}");
    assert_string_equal(program->rules[0].steps[0].arguments,
                        "{\"notify\":true,\"linger\":\"0s\",\"exact\":false}");
    mode_unref(program);
}

static void every_mistake_is_refused_where_it_was_written(void **state)
{
    static const struct {
        const char *document, *where, *what, *allowed;
    } table[] = {
#define MINE(rest) "{'name': 'mine', 'extends': 'base'" rest "}"
        { "{'name': 'mine', 'extends': 'nobody'}", "$.extends", "no mode is called \"nobody\"",
          "another mode" },
        { "{'name': 'mine', 'extends': 'mine', 'summary': '-', 'rules': []}", "$.extends",
          "extends itself", "does not extend" },
        { "{'name': 'mine', 'extends': 7, 'summary': '-', 'rules': []}", "$.extends", "wrong type",
          "another mode" },
        { MINE(", 'rules': [{'on': 'accept', 'do': ['fin']}, {'on': 'x'}]"), "$.rules[1].on",
          "not a trigger", "idle" },
        { MINE(", 'rules': {}"), "$.rules", "wrong type", "list" },
        { MINE(", 'params': []"), "$.params", "wrong type", "object" },
        { MINE(", 'params': {'idel': '3s'}"), "$.params.idel", "no such parameter to inherit",
          "idle, n" },
        { MINE(", 'params': {'idle': 3}"), "$.params.idle", "3 is not a duration", "3s" },
        { MINE(", 'params': {'n': 10}"), "$.params.n", "10 is out of range", "from 1 to 9" },
        { MINE(", 'params': {'n': {'type': 'int', 'default': '1'}}"), "$.params.n.default",
          "\"1\" is not an int", "integer" },
        { MINE(", 'params': {'n': {'type': 'duration', 'default': '1s'}}"),
          "$.extends.rules[1].nth", "\"1s\" is not a range", "2-4" },
        { MINE(", 'group': 'odd'"), "$.group", "not a group", "idle" },
        { MINE(", 'rule': []"), "$.rule", "no such member", "extends" },
        { "{'extends': 'base'}", "$.name", "it is missing", "lower case" },
        { "{'name': 'theirs', 'extends': 'base'}", "$.name", "calls itself \"theirs\"", "mine" },
    };
    assert_int_equal(put_base(), 0);
    size_t before = count();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(put("mine", table[i].document), BAD_INPUT);
        if (strcmp(catalogue_why.where, table[i].where) != 0 ||
            !strstr(catalogue_why.what, table[i].what) ||
            !strstr(catalogue_why.allowed, table[i].allowed))
            fail_msg("%s\n    %s: %s (%s)", table[i].document, catalogue_why.where,
                     catalogue_why.what, catalogue_why.allowed);
    }
    assert_int_equal(count(), before);
}

static void modes_cannot_extend_each_other_in_a_circle_or_without_end(void **state)
{
    assert_int_equal(put("m0", OWN("m0")), 0);
    char name[16], document[128];
    for (unsigned i = 1; i <= 8; i++) {
        snprintf(name, sizeof name, "m%u", i);
        snprintf(document, sizeof document, "{'name': 'm%u', 'extends': 'm%u'}", i, i - 1);
        assert_int_equal(put(name, document), 0);
    }
    assert_int_equal(put("m9", "{'name': 'm9', 'extends': 'm8'}"), BAD_INPUT);
    assert_string_equal(catalogue_why.where, "$.extends");
    assert_string_equal(catalogue_why.allowed, "at most 8 modes, each extending the next");
    assert_int_equal(put("m0", "{'name': 'm0', 'extends': 'm3', 'summary': '-', 'rules': []}"),
                     BAD_INPUT);
    assert_string_equal(catalogue_why.where, "$.extends");
    assert_non_null(strstr(catalogue_why.what, "extends itself"));
    struct mode_program *program = NULL;
    assert_int_equal(compile("m8", &program), 0);
    mode_unref(program);
}

static void what_others_extend_stays_and_stays_right(void **state)
{
    assert_int_equal(put_base(), 0);
    assert_int_equal(put("mine", "{'name': 'mine', 'extends': 'base', 'params': {'idle': '9s'}}"),
                     0);
    assert_int_equal(catalogue_remove(catalogue, "base", &catalogue_why), BAD_INPUT);
    assert_string_equal(catalogue_why.where, "$.name");
    assert_string_equal(catalogue_why.what, "\"mine\" extends it: remove that first");

    assert_int_equal(put("base", OWN("base")), BAD_INPUT); /* it has no parameter idle */
    assert_non_null(
        strstr(catalogue_why.what, "\"mine\" extends it and would break: $.params.idle"));
    struct mode_program *program = NULL;
    assert_int_equal(compile("mine", &program), 0);
    mode_unref(program);

    assert_int_equal(put("base", "{'name': 'base', 'summary': '-', 'params': {'idle': {'type':"
                                 " 'duration', 'default': '1s'}}, 'rules': []}"),
                     0);
    assert_int_equal(compile("mine", &program), 0);
    assert_int_equal(program->rule_count, 0);
    mode_unref(program);

    assert_int_equal(catalogue_remove(catalogue, "mine", &catalogue_why), 0);
    assert_int_equal(catalogue_remove(catalogue, "base", &catalogue_why), 0);
}

static void files_of_a_directory_extend_each_other_in_any_order(void **state)
{
    write_file("a.json", "{'name': 'a', 'extends': 'z', 'params': {'idle': '7s'}}");
    write_file("k.json", "{'name': 'k', 'extends': 'a'}");
    write_file("z.json", "{'name': 'z', 'extends': 'idle-close', 'summary': '-'}");
    size_t before = count();
    assert_int_equal(catalogue_load(catalogue, dir, &catalogue_why), 0);
    assert_int_equal(count(), before + 3);
    struct mode_program *program = NULL;
    assert_int_equal(compile("k", &program), 0);
    assert_int_equal(program->rules[0].after, 7 * NS_PER_S);
    mode_unref(program);

    write_file("z.json", "{'name': 'z', 'extends': 'k'}");
    assert_int_equal(catalogue_load(catalogue, dir, &catalogue_why), BAD_INPUT);
    assert_string_equal(catalogue_why.where, "a.json: $.extends");
    write_file("z.json", "{'name': 'z', 'extends': 'nobody'}");
    assert_int_equal(catalogue_load(catalogue, dir, &catalogue_why), BAD_INPUT);
    assert_non_null(strstr(catalogue_why.what, "no mode is called \"nobody\""));
    write_file("z.json", OWN("z")); /* which has no parameter idle for a.json */
    assert_int_equal(catalogue_load(catalogue, dir, &catalogue_why), BAD_INPUT);
    assert_string_equal(catalogue_why.where, "a.json: $.params.idle");
    write_file("a.json", "{'name': 'a', 'extends': 'z', 'params': {'n': {'type': 'int', 'default':"
                         " 1}}}");
    write_file("z.json", "{'name': 'z', 'summary': '-', 'params': [], 'rules': []}");
    assert_int_equal(catalogue_load(catalogue, dir, &catalogue_why),
                     BAD_INPUT); /* the base is wrong */
    assert_string_equal(catalogue_why.where, "z.json: $.params");
    assert_int_equal(count(), before + 3);
}

static void a_directory_does_not_break_modes_that_stay(void **state)
{
    assert_int_equal(put_base(), 0);
    assert_int_equal(put("mine", "{'name': 'mine', 'extends': 'base', 'params': {'idle': '9s'}}"),
                     0);
    write_file("base.json", OWN("base"));
    assert_int_equal(catalogue_load(catalogue, dir, &catalogue_why), BAD_INPUT);
    assert_non_null(strstr(catalogue_why.what, "\"mine\" extends it and would break"));
    write_file("mine.json", OWN("mine")); /* replaced as well */
    assert_int_equal(catalogue_load(catalogue, dir, &catalogue_why), 0);
}

static void running_out_of_memory_is_survived(void **state)
{
    assert_int_equal(put_base(), 0);
    json_t *document = json_of("{'name': 'mine', 'extends': 'base', 'params': {'idle': '9s', 'x':"
                               " {'type': 'int', 'default': 1}}, 'rules': [{'on': 'accept', 'do':"
                               " ['fin']}]}");
    int error = -ENOMEM;
    for (long n = 0; error; n++) {
        memory_ends_after(n);
        error = catalogue_put(catalogue, "mine", document, &catalogue_why);
        memory_restore();
        assert_true(error == 0 || error == -ENOMEM);
        assert_true(n < 10000);
    }
    json_decref(document);
    error = -ENOMEM;
    for (long n = 0; error; n++) {
        struct mode_program *program = NULL;
        memory_ends_after(n);
        error = catalogue_compile(catalogue, "mine", NULL, false, 1, &program, &catalogue_why);
        memory_restore();
        assert_true(error == 0 || error == -ENOMEM);
        mode_unref(program);
    }
    json_t *whole = NULL;
    for (long n = 0; !whole; n++) {
        memory_ends_after(n);
        whole = catalogue_resolved(catalogue, "mine");
        memory_restore();
    }
    assert_int_equal(json_array_size(json_object_get(whole, "rules")), 3);
    json_decref(whole);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(what_is_not_given_is_inherited),
        TEST(what_is_given_is_laid_over_what_is_inherited),
        TEST(a_mode_that_extends_can_be_extended),
        TEST(closing_is_inherited_member_by_member),
        TEST(a_built_in_mode_can_be_extended),
        TEST(every_mistake_is_refused_where_it_was_written),
        TEST(modes_cannot_extend_each_other_in_a_circle_or_without_end),
        TEST(what_others_extend_stays_and_stays_right),
        TEST(files_of_a_directory_extend_each_other_in_any_order),
        TEST(a_directory_does_not_break_modes_that_stay),
        TEST(running_out_of_memory_is_survived),
    };
    memory_for_jansson(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
