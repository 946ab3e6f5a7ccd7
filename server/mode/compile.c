/* compile.c - from a mode document to a program.
 *
 * The order of the checks: the document's shape, the declared parameters and the values given, then
 * rule by rule: values put in, trigger, steps. The first mistake ends it; a missing capability is
 * said only when there is no mistake at all. At the end the rules are sorted into the tables by
 * trigger; those that wait for a time that never comes are in none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "mode/driver.h"
#include "mode/language.h"

#define BOOLEAN JSON_TRUE /* or JSON_FALSE */

/* The members of a mode document. */
static const struct member_row {
    const char *name;
    json_type type;
    bool required;
    const char *allowed;
} members[] = {
    { "name", JSON_STRING, true, MODE_NAME_ALLOWED },
    { "summary", JSON_STRING, true, "a text: the mode in one sentence" },
    { "client_sees", JSON_STRING, false, "a text" },
    { "basis", JSON_STRING, false, "a text" },
    { "exercises", JSON_ARRAY, false, "a list of the names of mitigations and checks" },
    { "expect", JSON_ARRAY, false, "a list of checks and mitigations" },
    { "assumed", BOOLEAN, false,
      "true: some of it has no source, but is assumed; basis says what" },
    { "differs", JSON_ARRAY, false, "a list of objects: where a profile differs from its server" },
    { "group", JSON_STRING, false, MODE_GROUPS },
    { "extends", JSON_STRING, false, "the name of another mode" },
    { "params", JSON_OBJECT, false, "an object of parameters by name" },
    { "closing", JSON_OBJECT, false, "an object: what is done when a connection ends" },
    { "rules", JSON_ARRAY, true, "a list of at most 64 rules" },
};
#define MEMBERS (sizeof members / sizeof *members)

static int check_members(struct compiler *c, const struct path *root, const json_t *document)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)document, key, value)
    {
        struct name_list names = { .meant.word = key };
        size_t i = 0;
        while (i < MEMBERS && strcmp(members[i].name, key) != 0)
            mode_names_add(&names, members[i++].name);
        struct path here = PATH_KEY(root, key);
        if (i == MEMBERS) {
            mode_refuse_at(c, &here, names.text, "a mode has no such member");
            return refuse_meant(c->why, &names.meant);
        }
        json_type type = json_is_false(value) ? BOOLEAN : json_typeof(value);
        if (type != members[i].type)
            return mode_refuse_at(c, &here, members[i].allowed, "it has the wrong type");
    }
    for (size_t i = 0; i < MEMBERS; i++) {
        struct path here = PATH_KEY(root, members[i].name);
        if (members[i].required && !json_object_get(document, members[i].name))
            return mode_refuse_at(c, &here, members[i].allowed, "it is missing");
    }
    return 0;
}

static int check_group(struct compiler *c, const struct path *root, const json_t *document)
{
    const char *group = json_string_value(json_object_get(document, "group"));
    struct path here = PATH_KEY(root, "group");
    if (!group)
        return 0;
    char names[] = MODE_GROUPS, *rest = names;
    struct suggestions meant = { .word = group };
    for (char *each; (each = strsep(&rest, ", "));) {
        if (strcmp(group, each) == 0 && *each)
            return 0;
        suggest_offer(&meant, each);
    }
    mode_refuse_at(c, &here, MODE_GROUPS, "this is not a group");
    return refuse_meant(c->why, &meant);
}

static int check_document(struct compiler *c, const json_t *document)
{
    struct path root = PATH_KEY(NULL, "$");
    if (!json_is_object(document))
        return mode_refuse_at(c, &root, "an object with name, summary, params and rules",
                              "a mode is an object");
    size_t size = json_dumpb(document, NULL, 0, JSON_COMPACT);
    if (size == 0)
        return -ENOMEM;
    if (size > MODE_DOCUMENT_MAX)
        return mode_refuse_at(c, &root, "at most 64 KiB", "the mode has %zu bytes", size);
    int error = check_members(c, &root, document);
    if (error)
        return error;
    error = check_group(c, &root, document);
    if (error)
        return error;
    struct path name = PATH_KEY(&root, "name"), exercises = PATH_KEY(&root, "exercises");
    struct path extends = PATH_KEY(&root, "extends");
    if (json_object_get(document, "extends"))
        return mode_refuse_at(
            c, &extends, "a mode that stands alone",
            "a mode that extends another one can only be compiled by the catalogue");
    if (!mode_name_ok(json_string_value(json_object_get(document, "name"))))
        return mode_refuse_at(c, &name, MODE_NAME_ALLOWED, "this cannot be a mode's name");
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(document, "exercises"), i, item)
    {
        struct path here = PATH_INDEX(&exercises, i);
        if (!json_is_string(item) || !mode_name_ok(json_string_value(item)))
            return mode_refuse_at(c, &here, "the name of a mitigation or a check",
                                  "this is not a name");
    }
    error = differs_check(c, json_object_get(document, "differs"));
    if (error)
        return error;
    json_t *expect = json_object_get(document, "expect");
    return expect ? driver_expect_check(expect, "$.expect", c->why) : 0;
}

/* --- Rules */

static int read_rule(struct compiler *c, const struct path *at, const json_t *json,
                     struct mode_rule *rule)
{
    if (!json_is_object(json))
        return mode_refuse_at(c, at, "an object with \"on\" and \"do\"", "a rule is an object");
    json_t *made = NULL;
    int error = params_expand(c, at, json, &made);
    if (error)
        return error;
    json_auto_t *expanded = made;
    error = trigger_read(c, at, expanded, rule);
    struct path steps = PATH_KEY(at, "do");
    if (!error)
        error = steps_read(c, &steps, json_object_get(expanded, "do"), rule->slot, rule);
    return error;
}

static bool mentions(const json_t *json, const char *param)
{
    const char *key, *text = json_string_value(json);
    json_t *item;
    size_t i;
    if (text)
        return text[0] == '$' && strcmp(text + 1, param) == 0;
    json_array_foreach(json, i, item) if (mentions(item, param)) return true;
    json_object_foreach((json_t *)json, key, item) if (mentions(item, param)) return true;
    return false;
}

/* Tries one value of a parameter in each rule that has it. at: the value's place. */
static int try_choice(struct compiler *c, const struct path *at, const json_t *rules,
                      const char *param, json_t *value)
{
    struct path root = PATH_KEY(NULL, "$"), list = PATH_KEY(&root, "rules");
    int error = json_object_set(c->values, param, value) == 0 ? 0 : -ENOMEM;
    for (size_t i = 0; !error && i < json_array_size(rules); i++) {
        struct path here = PATH_INDEX(&list, i);
        struct mode_rule scratch = { 0 };
        if (mentions(json_array_get(rules, i), param))
            error = read_rule(c, &here, json_array_get(rules, i), &scratch);
    }
    if (error == BAD_INPUT) {
        char where[PATH_SIZE];
        mode_path_text(at, where);
        refuse_in(c->why, where, NULL);
    }
    return error;
}

/* Each value that a choice allows must work, with the other parameters at their defaults: what can
 * only fail is found when the mode is loaded, not when it is set. */
static int check_choices(struct compiler *c, const json_t *declared, const json_t *rules)
{
    struct path root = PATH_KEY(NULL, "$"), params = PATH_KEY(&root, "params");
    const char *name;
    json_t *param;
    int error = 0;
    json_object_foreach((json_t *)declared, name, param)
    {
        struct path of_param = PATH_KEY(&params, name), allowed = PATH_KEY(&of_param, "allowed");
        json_auto_t *in_force = json_incref(json_object_get(c->values, name));
        const json_t *choices = json_object_get(param, "allowed");
        for (size_t i = 0; !error && i < json_array_size(choices); i++) {
            struct path here = PATH_INDEX(&allowed, i);
            c->expanded = 0;
            error = try_choice(c, &here, rules, name, json_array_get(choices, i));
        }
        if (!error && json_object_set(c->values, name, in_force) != 0)
            error = -ENOMEM;
    }
    return error;
}

static int read_rules(struct compiler *c, const json_t *list)
{
    struct path root = PATH_KEY(NULL, "$"), at = PATH_KEY(&root, "rules");
    size_t count = json_array_size(list);
    if (count > MODE_RULES_MAX)
        return mode_refuse_at(c, &at, "at most 64 rules", "%zu rules", count);
    struct mode_rule *rules = program_alloc(c->program, (count + 1) * sizeof *rules);
    if (!rules)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct path here = PATH_INDEX(&at, i);
        rules[i].number = (unsigned)i;
        int error = read_rule(c, &here, json_array_get(list, i), &rules[i]);
        if (error)
            return error;
        c->program->head.of_request |= rules[i].of_request;
    }
    c->program->head.rules = rules;
    c->program->head.rule_count = (unsigned)count;
    return 0;
}

/* Idle and age rules in the order they fall due, in file order where that is equal; the others in
 * file order. */
static int fill_tables(struct program *program)
{
    struct mode_program *head = &program->head;
    for (unsigned slot = 0; slot < TRIGGER_SLOTS; slot++) {
        const struct mode_rule **table =
            program_alloc(program, (head->rule_count + 1) * sizeof *table);
        unsigned count = 0;
        if (!table)
            return -ENOMEM;
        for (unsigned i = 0; i < head->rule_count; i++) {
            const struct mode_rule *rule = &head->rules[i];
            if (rule->slot != slot || rule->after == DURATION_NEVER)
                continue;
            unsigned place = count++;
            for (; place > 0 && table[place - 1]->after > rule->after; place--)
                table[place] = table[place - 1];
            table[place] = rule;
        }
        head->by_slot[slot].rules = table;
        head->by_slot[slot].count = count;
    }
    return 0;
}

static int name_program(struct compiler *c, const char *name)
{
    struct mode_program *head = &c->program->head;
    head->scale = c->scale;
    head->name = program_text(c->program, name, strlen(name));
    size_t size = json_dumpb(c->values, NULL, 0, JSON_COMPACT);
    char *text = program_alloc(c->program, size + 1);
    head->params = text;
    return head->name && text && size && json_dumpb(c->values, text, size, JSON_COMPACT) ? 0
                                                                                         : -ENOMEM;
}

/* Ends a compilation: the program is handed over on success only. */
static int finish(struct compiler *c, int error, struct mode_program **out)
{
    json_decref(c->values);
    if (!error && c->is_missing) {
        error = MODE_UNAVAILABLE;
        if (c->why)
            *c->why = c->missing;
    }
    if (error)
        mode_unref(&c->program->head);
    else
        *out = &c->program->head;
    return error;
}

static int compile(const json_t *document, const json_t *params, bool lenient, double scale,
                   bool any_machine, struct mode_program **out, struct refusal *why)
{
    struct compiler c = { .program = program_create(),
                          .why = why,
                          .scale = scale,
                          .document = document,
                          .given = params,
                          .any_machine = any_machine };
    if (!c.program)
        return -ENOMEM;
    int error = check_document(&c, document);
    if (!error)
        error = params_read(&c, json_object_get(document, "params"), params, lenient);
    if (!error)
        error = closing_read(&c, json_object_get(document, "closing"));
    if (!error)
        error = read_rules(&c, json_object_get(document, "rules"));
    if (!error && any_machine)
        error = check_choices(&c, json_object_get(document, "params"),
                              json_object_get(document, "rules"));
    if (!error)
        error = name_program(&c, json_string_value(json_object_get(document, "name")));
    if (!error)
        error = fill_tables(c.program);
    return finish(&c, error, out);
}

int mode_compile(const json_t *document, const json_t *params, bool lenient, double scale,
                 struct mode_program **out, struct refusal *why)
{
    return compile(document, params, lenient, scale, false, out, why);
}

int mode_check(const json_t *document, struct refusal *why)
{
    struct mode_program *program = NULL;
    int error = compile(document, NULL, false, 1, true, &program, why);
    mode_unref(program);
    return error;
}

int mode_compile_steps(const json_t *steps, unsigned over, double scale, struct mode_program **out,
                       struct refusal *why)
{
    struct compiler c = { .program = program_create(), .why = why, .scale = scale };
    if (!c.program)
        return -ENOMEM;
    struct path root = PATH_KEY(NULL, "$"), at = PATH_KEY(&root, "do");
    struct mode_rule *rule = program_alloc(c.program, sizeof *rule);
    json_auto_t *expanded = NULL;
    c.values = json_object();
    int error = rule && c.values ? 0 : -ENOMEM;
    if (!error) {
        *rule = (struct mode_rule){ .slot = ON_ACCEPT,
                                    .on = TRIGGER_ADMIN,
                                    .times = UINT32_MAX,
                                    .over = over ? over : OVER_ALL,
                                    .connections = MODE_RANGE_ALL };
        error = params_expand(&c, &at, steps, &expanded);
    }
    if (!error)
        error = steps_read(&c, &at, expanded, SLOT_OF_DO, rule);
    if (!error) {
        c.program->head.rules = rule;
        c.program->head.rule_count = 1;
        error = name_program(&c, "do");
    }
    if (!error)
        error = fill_tables(c.program);
    return finish(&c, error, out);
}
