/* language.c - the rows of the language as JSON, for the listing. */
#include <stdio.h>

#include "mode/about.h"
#include "mode/language.h"

/* Appends item (stolen) to list unless something failed before; *failed notes a failure. */
static void add(json_t *list, json_t *item, bool *failed)
{
    if (json_array_append_new(list, item) != 0)
        *failed = true;
}

static void put(json_t *object, const char *key, json_t *value, bool *failed)
{
    if (json_object_set_new(object, key, value) != 0)
        *failed = true;
}

static json_t *named(const char *name, const char *about, bool *failed)
{
    json_t *object = json_object();
    put(object, "name", json_string(name), failed);
    put(object, "about", json_string(about), failed);
    return object;
}

static json_t *capability_names(unsigned needs, bool *failed)
{
    json_t *list = json_array();
    for (unsigned cap = 0; cap < CAPABILITY_COUNT; cap++)
        if (needs & (1u << cap))
            add(list, json_string(caps_row((enum capability)cap)->name), failed);
    return list;
}

static json_t *member_names(unsigned members, bool *failed)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < RULE_MEMBERS; i++)
        if (members & TAKES(i))
            add(list, json_string(rule_member_rows[i].name), failed);
    return list;
}

static json_t *place_json(const struct at_row *row, bool *failed)
{
    json_t *object = named(row->name, row->about, failed);
    if (row->counted) {
        put(object, "counted", json_true(), failed);
        put(object, "min", json_integer(row->min), failed);
        put(object, "max", json_integer(PLACE_MAX), failed);
    }
    return object;
}

static json_t *trigger_json(const struct trigger_row *row, bool *failed)
{
    json_t *object = named(trigger_name(row), row->about, failed);
    if (row->at) {
        json_t *places = json_array();
        for (const struct at_row *at = row->at; at->name; at++)
            add(places, place_json(at, failed), failed);
        put(object, rule_member_rows[row->place].name, places, failed);
        if (row->default_at)
            put(object, "default_at", json_string(row->default_at), failed);
    }
    put(object, "takes", member_names(row->takes, failed), failed);
    put(object, "requires", member_names(row->requires, failed), failed);
    if (row->times != UINT32_MAX)
        put(object, "default_times", json_integer(row->times), failed);
    return object;
}

static json_t *arg_json(const struct arg_row *arg, bool *failed)
{
    json_t *object = named(arg->name, arg->about, failed);
    put(object, "type", json_string(value_rows[arg->type].name), failed);
    put(object, "allowed", json_string(value_rows[arg->type].about), failed);
    if (arg->type == VALUE_INT) {
        put(object, "min", json_integer(arg->min), failed);
        put(object, "max", json_integer(arg->max), failed);
    }
    if (arg->type == VALUE_CHOICE) {
        json_t *choices = json_array();
        for (const char *const *choice = arg->choices; *choice; choice++)
            add(choices, json_string(*choice), failed);
        put(object, "choices", choices, failed);
    }
    if (arg->fallback)
        put(object, "default", value_fallback(arg), failed);
    put(object, "required", json_boolean(arg->required), failed);
    if (arg->needs)
        put(object, "needs", capability_names(arg->needs, failed), failed);
    return object;
}

struct places {
    json_t *list;
    bool *failed;
};

static void add_place(void *arg, const char *name)
{
    struct places *places = arg;
    add(places->list, json_string(name), places->failed);
}

static json_t *step_json(const struct step_row *row, bool *failed)
{
    json_t *object = named(step_name(row), row->about, failed);
    json_t *args = json_array();
    for (const struct arg_row *arg = row->args; arg->name; arg++)
        add(args, arg_json(arg, failed), failed);
    put(object, "arguments", args, failed);
    if (row->shorthand)
        put(object, "alone", json_string(row->args[0].name), failed);
    struct places places = { json_array(), failed };
    step_places(row, add_place, &places);
    put(object, "fits", places.list, failed);
    put(object, "over", mode_over_names(row->over), failed);
    put(object, "needs", capability_names(row->needs, failed), failed);
    return object;
}

json_t *mode_language(void)
{
    bool failed = false;
    json_t *triggers = json_array(), *members = json_array(), *steps = json_array();
    json_t *types = json_array(), *closing = json_array();
    for (const struct trigger_row *row = trigger_rows; row->about; row++)
        add(triggers, trigger_json(row, &failed), &failed);
    for (unsigned i = 0; i < RULE_MEMBERS; i++) {
        json_t *member = named(rule_member_rows[i].name, rule_member_rows[i].about, &failed);
        put(member, "allowed", json_string(rule_member_rows[i].allowed), &failed);
        add(members, member, &failed);
    }
    for (const struct step_row *row = step_rows; row->about; row++)
        add(steps, step_json(row, &failed), &failed);
    for (unsigned i = 0; i < VALUE_TYPES; i++)
        if (value_rows[i].param)
            add(types, named(value_rows[i].name, value_rows[i].about, &failed), &failed);
    for (const struct arg_row *row = closing_rows; row->name; row++)
        add(closing, arg_json(row, &failed), &failed);

    json_t *language = json_object();
    put(language, "triggers", triggers, &failed);
    put(language, "narrowing", members, &failed);
    put(language, "steps", steps, &failed);
    put(language, "parameter_types", types, &failed);
    put(language, "closing", closing, &failed);
    if (!failed)
        return language;
    json_decref(language);
    return NULL;
}
