/* test_catalogue.c - the modes there are: built in, from a directory, put and removed; and that no
 * damage to a mode file does more than refuse it.
 */
#include "harness/catalogue_rig.h"
#include "harness/memcheck.h"
#include "harness/memory.h"

#include "mode/about.h"
#include "mode/catalogue_data.h"

/* --- Built in */

static bool is_mitigation(const char *name)
{
    static const char *const names[] = {
        "connection-close", "retry-once",        "fresh-on-foreground",
        "idle-eviction",    "bounded-wait",      "goaway-aware",
        "safe-retry",       "ping-liveness",     "waits-for-connectivity",
        "no_storm",         "backoff",           "falls_back",
        "honours_hint",     "detects_truncation"
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void every_built_in_mode_is_whole_and_compiles(void **state)
{
    size_t files = 0, modes = 0;
    for (const struct catalogue_file *file = catalogue_files; file->name; file++, files++)
        assert_non_null(catalogue_get(catalogue, file->name)); /* called like its file */
    const json_t *document;
    bool built_in;
    for (; (document = catalogue_at(catalogue, modes, &built_in)); modes++) {
        const char *name = json_string_value(json_object_get(document, "name"));
        assert_true(built_in);
        assert_ptr_equal(catalogue_get(catalogue, name), document);
        json_t *whole = catalogue_resolved(catalogue, name);
        static const char *const texts[] = { "name", "group", "summary", "client_sees", "basis" };
        for (size_t t = 0; t < 5; t++)
            if (!json_string_length(json_object_get(whole, texts[t])))
                fail_msg("%s has no %s", name, texts[t]);
        size_t j;
        const char *key;
        json_t *item;
        json_array_foreach(json_object_get(whole, "exercises"), j, item)
            assert_true(is_mitigation(json_string_value(item)));
        json_object_foreach(json_object_get(whole, "params"), key, item)
            assert_true(json_string_length(json_object_get(item, "about")) > 0);
        json_decref(whole);
        struct mode_program *program = NULL;
        if (compile(name, &program) != 0)
            fail_msg("%s: %s: %s (%s)", name, catalogue_why.where, catalogue_why.what,
                     catalogue_why.allowed);
        assert_string_equal(program->name, name);
        mode_unref(program);
    }
    assert_int_equal(modes, files);
    assert_true(modes >= 8);
}

static void every_choice_of_every_built_in_mode_compiles(void **state)
{
    const json_t *document;
    unsigned choices = 0;
    for (size_t i = 0; (document = catalogue_at(catalogue, i, NULL)); i++) {
        const char *param, *name = json_string_value(json_object_get(document, "name"));
        json_t *declared, *choice, *whole = catalogue_resolved(catalogue, name);
        json_object_foreach(json_object_get(whole, "params"), param, declared)
        {
            size_t j;
            json_array_foreach(json_object_get(declared, "allowed"), j, choice)
            {
                char text[256];
                snprintf(text, sizeof text, "%s;%s=%s", name, param, json_string_value(choice));
                struct mode_program *program = NULL;
                if (compile(text, &program) != 0)
                    fail_msg("%s: %s: %s (%s)", text, catalogue_why.where, catalogue_why.what,
                             catalogue_why.allowed);
                mode_unref(program);
                choices++;
            }
        }
        json_decref(whole);
    }
    assert_true(choices >= 4);
}

static void parameters_change_what_a_mode_does(void **state)
{
    static const struct {
        const char *text, *step, *arguments, *params;
        int64_t after;
    } table[] = {
        { "idle-close", "fin", "{\"notify\":false,\"linger\":\"0s\",\"exact\":false}",
          "{\"idle\":\"3s\",\"notify\":false}", 3000 },
        { "idle-close;notify=true;idle=250ms", "fin",
          "{\"notify\":true,\"linger\":\"0s\",\"exact\":false}",
          "{\"idle\":\"250ms\",\"notify\":true}", 250 },
        { "close-on-reuse;how=rst;read=complete", "rst", NULL,
          "\"how\":\"rst\",\"read\":\"complete\"", 0 },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mode_program *program = NULL;
        assert_int_equal(compile(table[i].text, &program), 0);
        assert_non_null(strstr(program->params, table[i].params));
        assert_int_equal(program->rules[0].after, table[i].after * NS_PER_MS);
        assert_string_equal(mode_step_name(&program->rules[0].steps[0]), table[i].step);
        if (table[i].arguments)
            assert_string_equal(program->rules[0].steps[0].arguments, table[i].arguments);
        else
            assert_true(mode_has(program, ON_COMPLETE));
        mode_unref(program);
    }
}

static void an_unknown_mode_is_refused_with_the_names_like_it(void **state)
{
    struct mode_program *program = NULL;
    assert_int_equal(compile("idle-clsoe", &program), MODE_UNKNOWN);
    assert_non_null(strstr(catalogue_why.what, "\"idle-clsoe\""));
    assert_string_equal(catalogue_why.meant[0], "idle-close");
    assert_string_equal(catalogue_why.allowed, "a name that `hangup modes` or GET /v1/modes lists");
    assert_int_equal(compile("alb", &program), MODE_UNKNOWN);
    assert_string_equal(catalogue_why.meant[0], "aws-alb");
    assert_string_equal(catalogue_why.meant[1], "gcp-alb");
    assert_int_equal(compile("x", &program), MODE_UNKNOWN);
    assert_string_equal(catalogue_why.meant[0], "");
    assert_int_equal(compile("idle-close;idle=x", &program), BAD_INPUT);
    assert_string_equal(catalogue_why.where, "$.params.idle");
    assert_int_equal(compile("IDLE", &program), BAD_INPUT);
    assert_null(program);
}

static void a_mode_that_this_machine_cannot_do_is_unavailable(void **state)
{
    struct mode_program *program = NULL;
    caps[CAP_BLACK_HOLE].available = false;
    assert_int_equal(compile("black-hole", &program), MODE_UNAVAILABLE);
    assert_non_null(strstr(catalogue_why.what, "CAP_NET_ADMIN"));
    assert_int_equal(compile("half-open", &program), 0);
    mode_unref(program);
}

/* Is "with" ("" for always) among what a mode needs? */
static bool needs_with(const json_t *needs, const char *with)
{
    size_t i;
    json_t *need;
    json_array_foreach(needs, i, need)
    {
        const char *each = json_string_value(json_object_get(need, "with"));
        assert_string_equal(json_string_value(json_object_get(need, "capability")),
                            "CAP_NET_ADMIN");
        if (strcmp(each ? each : "", with) == 0)
            return true;
    }
    return false;
}

static bool is_refused(const char *text)
{
    struct mode_program *program = NULL;
    int outcome = compile(text, &program);
    if (outcome != 0 && outcome != MODE_UNAVAILABLE)
        fail_msg("%s: %s: %s", text, catalogue_why.where, catalogue_why.what);
    mode_unref(program);
    return outcome != 0;
}

/* What the listing says that a mode needs, and with which value, is what it is refused for. */
static void what_a_mode_needs_is_what_it_is_refused_without(void **state)
{
    const json_t *document;
    unsigned modes = 0;
    for (size_t i = 0; (document = catalogue_at(catalogue, i, NULL)); i++) {
        const char *param, *name = json_string_value(json_object_get(document, "name"));
        json_t *declared, *whole = catalogue_resolved(catalogue, name), *needs = mode_needs(whole);
        for (unsigned cap = 0; cap < CAPABILITY_COUNT; cap++)
            caps[cap].available = false;
        assert_non_null(needs);
        bool by_default = needs_with(needs, "");
        modes += json_array_size(needs) > 0;
        json_object_foreach(json_object_get(whole, "params"), param, declared)
        {
            const json_t *usual = json_object_get(declared, "default");
            const char *chosen = json_is_true(usual) ? "true" : json_string_value(usual);
            json_auto_t *all = json_is_boolean(usual)
                                   ? json_pack("[s, s]", "true", "false")
                                   : json_deep_copy(json_object_get(declared, "allowed"));
            for (size_t k = 0; k < json_array_size(all); k++) {
                char with[100], text[200];
                const char *value = json_string_value(json_array_get(all, k));
                snprintf(with, sizeof with, "%s=%s", param, value);
                snprintf(text, sizeof text, "%s;%s", name, with);
                if (is_refused(text) ? !needs_with(needs, with) && !needs_with(needs, "")
                                     : needs_with(needs, with) || needs_with(needs, ""))
                    fail_msg("%s needs something, or not", text);
                by_default |= chosen && strcmp(chosen, value) == 0 && needs_with(needs, with);
            }
        }
        if (is_refused(name) != by_default)
            fail_msg("%s needs something, or not", name);
        json_decref(needs);
        json_decref(whole);
    }
    for (unsigned cap = 0; cap < CAPABILITY_COUNT; cap++)
        caps[cap].available = true;
    assert_true(modes >= 8);
}

/* By argument, by parameter of a bool, and only what is needed. */
static void needs_are_read_from_steps_and_arguments(void **state)
{
    static const struct {
        const char *rules, *needs;
    } table[] = {
        { "[{'on': 'accept', 'do': ['fin']}]", "[]" },
        { "[{'on': 'accept', 'do': ['black_hole', 'black_hole']}]",
          "[{'capability': 'CAP_NET_ADMIN', 'for': 'black_hole'}]" },
        { "[{'on': 'accept', 'do': [{'forget': {'exact': true}}]}]",
          "[{'capability': 'CAP_NET_ADMIN', 'for': 'repair'}]" },
        { "[{'on': 'accept', 'do': [{'forget': {'exact': false}}]}]", "[]" },
        { "[{'on': 'accept', 'do': [{'forget': {'exact': '$b'}}]}]",
          "[{'capability': 'CAP_NET_ADMIN', 'for': 'repair', 'with': 'b=true'}]" },
        { "[{'on': 'accept', 'do': ['$how']}]",
          "[{'capability': 'CAP_NET_ADMIN', 'for': 'black_hole', 'with': 'how=black_hole'}]" },
        { "[{'on': 'accept', 'do': ['$how']}, {'on': 'accept', 'do': ['black_hole']}]",
          "[{'capability': 'CAP_NET_ADMIN', 'for': 'black_hole'}]" },
        { "[{'on': 'accept', 'do': ['$usual']}]",
          "[{'capability': 'CAP_NET_ADMIN', 'for': 'black_hole', 'with': 'usual=black_hole'}]" },
        { "[{'on': 'accept', 'do': [{'forget': {'exact': '$on'}}]}]",
          "[{'capability': 'CAP_NET_ADMIN', 'for': 'repair', 'with': 'on=true'}]" },
        { "[{'on': 'listen', 'do': ['$both']}]",
          "[{'capability': 'CAP_NET_ADMIN', 'for': 'black_hole'}]" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        json_auto_t *whole =
            json_pack("{s:o, s:o}", "params",
                      json_of("{'b': {'type': 'bool', 'default': false},"
                              " 'on': {'type': 'bool', 'default': true},"
                              " 'how': {'type': 'choice',"
                              " 'allowed': ['fin', 'black_hole'], 'default': 'fin'},"
                              " 'usual': {'type': 'choice',"
                              " 'allowed': ['fin', 'black_hole'], 'default': 'black_hole'},"
                              " 'both': {'type': 'choice',"
                              " 'allowed': ['drop_syn', 'black_hole'], 'default': 'drop_syn'}}"),
                      "rules", json_of(table[i].rules));
        json_auto_t *needs = mode_needs(whole), *expected = json_of(table[i].needs);
        if (!json_equal(needs, expected))
            fail_msg("%s: %s", table[i].rules, json_dumps(needs, 0));
    }
}

/* --- One's own */

static void a_mode_of_ones_own_is_put_replaced_and_removed(void **state)
{
    size_t before = count();
    assert_int_equal(put("mine", OWN("mine")), 0);
    assert_int_equal(count(), before + 1);
    struct mode_program *program = NULL;
    assert_int_equal(compile("mine", &program), 0);
    assert_int_equal(program->rule_count, 1);

    assert_int_equal(put("mine", "{'name': 'mine', 'summary': '-', 'rules': []}"), 0);
    assert_int_equal(count(), before + 1);
    assert_int_equal(program->rule_count, 1); /* what is in use stays */
    mode_unref(program);
    assert_int_equal(compile("mine", &program), 0);
    assert_int_equal(program->rule_count, 0);

    assert_int_equal(catalogue_remove(catalogue, "mine", &catalogue_why), 0);
    assert_string_equal(program->name, "mine");
    mode_unref(program);
    assert_int_equal(count(), before);
    assert_int_equal(catalogue_remove(catalogue, "mine", &catalogue_why), MODE_UNKNOWN);
}

static void modes_are_listed_by_name(void **state)
{
    assert_int_equal(put("zz", OWN("zz")), 0);
    assert_int_equal(put("a", OWN("a")), 0);
    assert_int_equal(put("idle-b", OWN("idle-b")), 0);
    const char *last = "";
    bool built_in = true;
    for (size_t i = 0; i < count(); i++) {
        const json_t *document = catalogue_at(catalogue, i, &built_in);
        const char *name = json_string_value(json_object_get(document, "name"));
        assert_true(strcmp(last, name) < 0);
        last = name;
    }
    assert_false(built_in);
}

static void a_bad_mode_is_not_put(void **state)
{
    size_t before = count();
    assert_int_equal(put("x", "{'name': 'x', 'summary': '-', 'rules': [{}]}"), BAD_INPUT);
    assert_string_equal(catalogue_why.where, "$.rules[0].on");
    assert_int_equal(put("x", OWN("y")), BAD_INPUT);
    assert_string_equal(catalogue_why.where, "$.name");
    assert_int_equal(put("normal", OWN("normal")), BAD_INPUT);
    assert_non_null(strstr(catalogue_why.what, "built-in"));
    assert_int_equal(put("../x", OWN("x")), BAD_INPUT);
    assert_int_equal(catalogue_remove(catalogue, "normal", &catalogue_why), BAD_INPUT);
    assert_int_equal(count(), before);
}

static void a_mode_that_needs_what_is_missing_can_still_be_put(void **state)
{
    caps[CAP_BLACK_HOLE].available = false;
    assert_int_equal(put("x", "{'name': 'x', 'summary': '-', 'rules': [{'on': 'accept',"
                              " 'do': ['black_hole']}]}"),
                     0);
    struct mode_program *program = NULL;
    assert_int_equal(compile("x", &program), MODE_UNAVAILABLE);
}

static void the_number_of_modes_is_bounded(void **state)
{
    size_t n = count();
    char name[32], document[128];
    for (; n < 1024; n++) {
        snprintf(name, sizeof name, "m%zu", n);
        snprintf(document, sizeof document, "{'name': '%s', 'summary': '-', 'rules': []}", name);
        assert_int_equal(put(name, document), 0);
    }
    assert_int_equal(put("one-more", OWN("one-more")), BAD_INPUT);
    assert_int_equal(put(name, document), 0);
    assert_int_equal(count(), 1024);
}

/* --- A directory */

static void a_directory_of_modes_is_loaded(void **state)
{
    write_file("b.json", OWN("b"));
    write_file("a.json", OWN("a"));
    write_file("README", "not a mode");
    write_file(".hidden.json", "not a mode");
    size_t before = count();
    assert_int_equal(catalogue_load(catalogue, dir, &catalogue_why), 0);
    assert_int_equal(count(), before + 2);
    assert_non_null(catalogue_get(catalogue, "a"));
    assert_int_equal(catalogue_load(catalogue, dir, &catalogue_why), 0); /* again: replaced */
    assert_int_equal(count(), before + 2);
}

static void one_bad_file_keeps_the_whole_directory_out(void **state)
{
    static const struct {
        const char *file, *text, *where, *what;
    } table[] = {
        { "x.json", "{'name': 'x', 'summary': '-', 'rules': [{'on': 'x'}]}",
          "x.json: $.rules[0].on", "not a trigger" },
        { "x.json", OWN("y"), "x.json: $.name", "calls itself" },
        { "normal.json", OWN("normal"), "normal.json: $.name", "built-in" },
        { "x.json", "{'name': 'x',", "x.json, line 1, column 13", "expected" },
        { "x.json", "{'name': 'x', 'name': 'y', 'summary': '-', 'rules': []}",
          "x.json, line 1, column 20", "duplicate" },
        { "x.json", "", "x.json, line 1, column 0", "expected" },
        { "x.json", "\xff\xfe", "x.json, line 1, column 0", "decode" },
    };
    size_t before = count();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        write_file("a.json", OWN("a"));
        write_file("z.json", OWN("z"));
        write_file(table[i].file, table[i].text);
        memset(&catalogue_why, 0, sizeof catalogue_why);
        assert_int_equal(catalogue_load(catalogue, dir, &catalogue_why), BAD_INPUT);
        assert_string_equal(catalogue_why.where, table[i].where);
        assert_non_null(strstr(catalogue_why.what, table[i].what));
        assert_int_equal(count(), before);
        char path[256];
        snprintf(path, sizeof path, "%s/%s", dir, table[i].file);
        remove(path);
    }
}

static void what_cannot_be_read_is_refused(void **state)
{
    static char large[70000];
    char path[256];
    assert_int_equal(catalogue_load(catalogue, "/nowhere/at/all", &catalogue_why), BAD_INPUT);
    assert_string_equal(catalogue_why.where, "/nowhere/at/all");
    assert_int_equal(catalogue_load(catalogue, "/dev/null", &catalogue_why), BAD_INPUT);

    memset(large, ' ', sizeof large - 1);
    write_file("large.json", large);
    assert_int_equal(catalogue_load(catalogue, dir, &catalogue_why), BAD_INPUT);
    assert_string_equal(catalogue_why.where, "large.json");
    assert_non_null(strstr(catalogue_why.what, "too large"));
    snprintf(path, sizeof path, "%s/large.json", dir);
    remove(path);

    snprintf(path, sizeof path, "%s/folder.json", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(catalogue_load(catalogue, dir, &catalogue_why), BAD_INPUT);
    assert_string_equal(catalogue_why.where, "folder.json");
}

static void running_out_of_memory_is_survived(void **state)
{
    write_file("a.json", OWN("a"));
    write_file("b.json", OWN("b"));
    size_t before = count();
    int error = -ENOMEM;
    for (long n = 0; error; n++) {
        memory_ends_after(n);
        error = catalogue_load(catalogue, dir, &catalogue_why);
        memory_restore();
        /* jansson may take a lack of memory for a syntax error. */
        assert_true(error == 0 || error == -ENOMEM || error == BAD_INPUT);
        assert_int_equal(count(), error ? before : before + 2);
    }
    json_t *document = json_of(OWN("c"));
    error = -ENOMEM;
    for (long n = 0; error; n++) {
        memory_ends_after(n);
        error = catalogue_put(catalogue, "c", document, &catalogue_why);
        memory_restore();
        assert_true(error == 0 || error == -ENOMEM);
    }
    json_decref(document);
    struct catalogue *another = NULL;
    for (long n = 0; !another; n += under_memcheck() ? 211 : 7) {
        memory_ends_after(n);
        another = catalogue_create();
        memory_restore();
    }
    catalogue_destroy(another);
}

/* --- Damage */

static uint32_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % n;
}

/* A value that a mode could have somewhere, or not. */
static json_t *random_value(const json_t *donor)
{
    static const char *const texts[] = {
        "",           "$",        "$$",      "$idle",   "$how",      "$notify", "fin",     "rst",
        "stall",      "hold",     "3s",      "0",       "never",     "-1s",     "1e9h",    "h1",
        "h2",         "2-4",      "9-",      "int",     "choice",    "text",    "request", "age",
        "stale",      "goaway",   "respond", "delay",   "+9",        "-9",      "none",    "bool",
        "x\ny",       "duration", "1-/2",    "bytes:7", "content:0", "listen",  "mark",    "normal",
        "idle-close", "drip",     "00ff",    "cut",     "refuse",
    };
    switch (random_below(9)) {
    case 0:
        return json_integer((json_int_t)random_below(8) - 2);
    case 1:
        return json_integer(random_below(2) ? INT64_MAX : INT64_MIN);
    case 2:
        return json_boolean(random_below(2));
    case 3:
        return random_below(2) ? json_null() : json_real(1.5);
    case 4:
        return random_below(2) ? json_array() : json_object();
    case 5:
        return json_deep_copy(donor);
    default:
        return json_string(texts[random_below(sizeof texts / sizeof *texts)]);
    }
}

/* Changes one place somewhere below json. */
static void damage(json_t *json, const json_t *donor)
{
    static const char *const keys[] = {
        "on",      "do",      "at",         "after",  "over",   "nth",     "times",  "for",
        "type",    "default", "min",        "goaway", "wait",   "respond", "fin",    "x",
        "error",   "last",    "connection", "name",   "unless", "idle",    "bytes",  "content",
        "extends", "group",   "assumed",    "cut",    "inject", "header",  "differs"
    };
    uint32_t size =
        (uint32_t)(json_is_array(json) ? json_array_size(json) : json_object_size(json));
    uint32_t chosen = size ? random_below(size) : 0, what = random_below(8);
    json_t *child = NULL;
    const char *key = keys[random_below(sizeof keys / sizeof *keys)];
    if (json_is_array(json)) {
        child = json_array_get(json, chosen);
    } else {
        const char *each;
        json_t *value;
        json_object_foreach(json, each, value)
        {
            if (chosen-- == 0) {
                child = value;
                key = each;
            }
        }
        if (what == 0)
            key = keys[random_below(sizeof keys / sizeof *keys)];
    }
    if (child && what > 2 && (json_is_array(child) || json_is_object(child))) {
        damage(child, donor);
        return;
    }
    json_t *value = random_value(donor);
    if (json_is_object(json) && what == 1)
        json_object_del(json, key);
    else if (json_is_object(json))
        json_object_set(json, key, value);
    else if (what == 1 && size)
        json_array_remove(json, chosen % size);
    else if (what == 2 || !size)
        json_array_append(json, value);
    else
        json_array_set(json, chosen % size, value);
    json_decref(value);
}

static void no_damage_does_more_than_refuse_a_mode(void **state)
{
    unsigned taken = 0, refused = 0;
    random_state = 20240117;
    for (unsigned round = 0; round < rounds_of(20000); round++) {
        size_t modes = count();
        const json_t *donor = catalogue_at(catalogue, random_below((uint32_t)modes), NULL);
        json_t *document =
            json_deep_copy(catalogue_at(catalogue, random_below((uint32_t)modes), NULL));
        for (uint32_t n = 1 + random_below(4); n; n--)
            damage(document, random_below(2) ? json_object_get(donor, "rules") : donor);
        struct mode_program *program = NULL;
        memset(&catalogue_why, 0, sizeof catalogue_why);
        int outcome = mode_compile(document, NULL, false, 1, &program, &catalogue_why);
        json_decref(document);
        if (outcome == 0) {
            taken++;
        } else {
            assert_int_equal(outcome, BAD_INPUT);
            assert_int_equal(catalogue_why.where[0], '$');
            assert_true(catalogue_why.what[0]);
            refused++;
        }
        mode_unref(program);
    }
    /* It did meet both. */
    assert_true(under_memcheck() || (taken > 200 && refused > 5000));
}

static void no_damage_to_a_file_does_more_than_refuse_it(void **state)
{
    random_state = 7;
    for (const struct catalogue_file *file = catalogue_files; file->name; file++) {
        size_t len = strlen(file->text);
        char *text = malloc(len);
        for (unsigned round = 0; round < rounds_of(1000); round++) {
            memcpy(text, file->text, len);
            size_t kept = random_below(4) ? len : random_below((uint32_t)len);
            for (uint32_t n = random_below(4); n; n--)
                text[random_below((uint32_t)len)] = "{}[]\":,$0-\\a\x80"[random_below(13)];
            json_t *document = json_loadb(text, kept, JSON_REJECT_DUPLICATES, NULL);
            struct mode_program *program = NULL;
            if (document)
                mode_compile(document, NULL, false, 1, &program, &catalogue_why);
            mode_unref(program);
            json_decref(document);
        }
        free(text);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(every_built_in_mode_is_whole_and_compiles),
        TEST(every_choice_of_every_built_in_mode_compiles),
        TEST(parameters_change_what_a_mode_does),
        TEST(an_unknown_mode_is_refused_with_the_names_like_it),
        TEST(a_mode_that_this_machine_cannot_do_is_unavailable),
        TEST(what_a_mode_needs_is_what_it_is_refused_without),
        TEST(needs_are_read_from_steps_and_arguments),
        TEST(a_mode_of_ones_own_is_put_replaced_and_removed),
        TEST(modes_are_listed_by_name),
        TEST(a_bad_mode_is_not_put),
        TEST(a_mode_that_needs_what_is_missing_can_still_be_put),
        TEST(the_number_of_modes_is_bounded),
        TEST(a_directory_of_modes_is_loaded),
        TEST(one_bad_file_keeps_the_whole_directory_out),
        TEST(what_cannot_be_read_is_refused),
        TEST(running_out_of_memory_is_survived),
        TEST(no_damage_does_more_than_refuse_a_mode),
        TEST(no_damage_to_a_file_does_more_than_refuse_it),
    };
    memory_for_jansson(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
