/* params.c - a mode's parameters: declared, given values, and put into the rules.
 *
 * A text "$name" that stands alone is replaced by the parameter's value, whatever its type; "$$x"
 * is the text "$x". What is put in is not looked at again, so a value can hold anything. The bytes
 * put in are bounded: a short document must not grow into a huge program.
 */
#include <errno.h>
#include <string.h>

#include "mode/language.h"

#define CHOICES_MAX 16

static const char *const declaration_members[] = { "type", "default", "about",
                                                   "min",  "max",     "allowed" };

static int check_members(struct compiler *c, const struct path *at, const json_t *declared)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)declared, key, value)
    {
        struct name_list allowed = { .meant.word = key };
        bool known = false;
        for (size_t i = 0; i < sizeof declaration_members / sizeof *declaration_members; i++) {
            mode_names_add(&allowed, declaration_members[i]);
            known = known || strcmp(declaration_members[i], key) == 0;
        }
        if (!known) {
            struct path here = PATH_KEY(at, key);
            mode_refuse_at(c, &here, allowed.text, "a parameter has no such member");
            return refuse_meant(c->why, &allowed.meant);
        }
    }
    return 0;
}

static int read_type(struct compiler *c, const struct path *at, const json_t *declared,
                     struct arg_row *arg)
{
    const json_t *type = json_object_get(declared, "type");
    struct name_list types = { .meant.word = json_string_value(type) };
    for (size_t i = 0; i < VALUE_TYPES; i++) {
        if (!value_rows[i].param)
            continue;
        mode_names_add(&types, value_rows[i].name);
        if (json_is_string(type) && strcmp(json_string_value(type), value_rows[i].name) == 0) {
            arg->type = (enum value_type)i;
            return 0;
        }
    }
    struct path here = PATH_KEY(at, "type");
    char shown[SHOWN_SIZE];
    if (!type)
        return mode_refuse_at(c, &here, types.text, "it is missing");
    mode_refuse_at(c, &here, types.text, "%s is not a type", mode_json_shown(type, shown));
    return refuse_meant(c->why, &types.meant);
}

static int read_bound(struct compiler *c, const struct path *at, const json_t *declared,
                      const char *name, const struct arg_row *arg, int64_t *bound)
{
    const json_t *value = json_object_get(declared, name);
    struct path here = PATH_KEY(at, name);
    if (!value)
        return 0;
    if (arg->type != VALUE_INT)
        return mode_refuse_at(c, &here, "only a parameter of type int has it",
                              "\"%s\" does not fit", name);
    if (!json_is_integer(value))
        return mode_refuse_at(c, &here, "an integer", "this is not an integer");
    *bound = json_integer_value(value);
    return 0;
}

static int read_choices(struct compiler *c, const struct path *at, const json_t *declared,
                        struct arg_row *arg)
{
    const json_t *list = json_object_get(declared, "allowed");
    struct path here = PATH_KEY(at, "allowed");
    if (arg->type != VALUE_CHOICE)
        return list ? mode_refuse_at(c, &here, "only a parameter of type choice has it",
                                     "\"allowed\" does not fit")
                    : 0;
    size_t n = json_array_size(list);
    if (n == 0 || n > CHOICES_MAX)
        return mode_refuse_at(c, &here, "a list of 1 to 16 texts",
                              "a parameter of type choice needs the list of its values");
    const char **choices = program_alloc(c->program, (n + 1) * sizeof *choices);
    if (!choices)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const json_t *choice = json_array_get(list, i);
        struct path item = PATH_INDEX(&here, i);
        if (!json_is_string(choice) || json_string_length(choice) == 0 ||
            json_string_length(choice) >= MODE_NAME_SIZE)
            return mode_refuse_at(c, &item, "a text of 1 to 63 bytes", "this is not a choice");
        choices[i] =
            program_text(c->program, json_string_value(choice), json_string_length(choice));
        if (!choices[i])
            return -ENOMEM;
    }
    arg->choices = choices;
    return 0;
}

/* Reads one declaration, checks its default, and puts that into the values. */
static int read_declaration(struct compiler *c, const struct path *at, const char *name,
                            const json_t *declared, struct arg_row *arg)
{
    arg->name = name;
    arg->min = INT64_MIN;
    arg->max = INT64_MAX;
    if (!mode_name_ok(name))
        return mode_refuse_at(c, at, MODE_NAME_ALLOWED, "this cannot be a parameter's name");
    if (!json_is_object(declared))
        return mode_refuse_at(c, at, "an object with type, default and about",
                              "a parameter is declared by an object");
    int error = check_members(c, at, declared);
    if (!error)
        error = read_type(c, at, declared, arg);
    if (!error)
        error = read_bound(c, at, declared, "min", arg, &arg->min);
    if (!error)
        error = read_bound(c, at, declared, "max", arg, &arg->max);
    if (!error)
        error = read_choices(c, at, declared, arg);
    if (error)
        return error;

    const json_t *about = json_object_get(declared, "about");
    if (about && !json_is_string(about)) {
        struct path here = PATH_KEY(at, "about");
        return mode_refuse_at(c, &here, "a text", "this is not a text");
    }
    json_t *value = json_object_get(declared, "default");
    struct path here = PATH_KEY(at, "default");
    if (!value)
        return mode_refuse_at(c, &here, value_rows[arg->type].about,
                              "it is missing: every parameter has a default");
    union mode_value checked;
    error = value_read(c, &here, arg, value, &checked);
    if (!error && json_object_set(c->values, name, value) != 0)
        error = -ENOMEM;
    return error;
}

static int read_given(struct compiler *c, const struct path *at, const struct arg_row *args,
                      const json_t *given, bool lenient)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)given, name, value)
    {
        struct path here = PATH_KEY(at, name);
        struct name_list names = { .meant.word = name };
        const struct arg_row *arg = args;
        while (arg->name && strcmp(arg->name, name) != 0)
            mode_names_add(&names, arg++->name);
        if (!arg->name) {
            mode_refuse_at(c, &here, names.len ? names.text : "this mode has no parameters",
                           "the mode has no such parameter");
            return refuse_meant(c->why, &names.meant);
        }
        json_auto_t *typed = lenient && json_is_string(value)
                                 ? value_from_text(arg->type, json_string_value(value))
                                 : json_incref(value);
        if (!typed)
            return -ENOMEM;
        union mode_value checked;
        int error = value_read(c, &here, arg, typed, &checked);
        if (!error && json_object_set(c->values, name, typed) != 0)
            error = -ENOMEM;
        if (error)
            return error;
    }
    return 0;
}

int params_read(struct compiler *c, const json_t *declared, const json_t *given, bool lenient)
{
    struct path root = PATH_KEY(NULL, "$"), at = PATH_KEY(&root, "params");
    size_t count = json_object_size(declared);
    if (declared && !json_is_object(declared))
        return mode_refuse_at(c, &at, "an object of parameters by name", "this is not an object");
    if (given && !json_is_object(given))
        return mode_refuse_at(c, &at, "an object of values by parameter name",
                              "this is not an object");
    if (count > MODE_PARAMS_MAX)
        return mode_refuse_at(c, &at, "at most 32 parameters", "%zu parameters", count);

    struct arg_row *args = program_alloc(c->program, (count + 1) * sizeof *args);
    c->values = json_object();
    if (!args || !c->values)
        return -ENOMEM;
    const char *name;
    json_t *value;
    size_t i = 0;
    json_object_foreach((json_t *)declared, name, value)
    {
        struct path here = PATH_KEY(&at, name);
        int error = read_declaration(c, &here, name, value, &args[i++]);
        if (error)
            return error;
    }
    return read_given(c, &at, args, given, lenient);
}

/* --- Putting values into rules */

static int count_expanded(struct compiler *c, const struct path *at, const json_t *value)
{
    c->expanded += json_is_string(value) ? json_string_length(value) + 2 : 16;
    if (c->expanded > MODE_EXPANDED_MAX)
        return mode_refuse_at(c, at, "at most 256 KiB",
                              "the parameters' values make the rules too large");
    return 0;
}

static int expand_text(struct compiler *c, const struct path *at, const json_t *json, json_t **out)
{
    const char *text = json_string_value(json);
    if (text[0] != '$')
        *out = json_incref((json_t *)json);
    else if (text[1] == '$')
        *out = json_stringn(text + 1, json_string_length(json) - 1);
    else {
        json_t *value = json_object_get(c->values, text + 1);
        if (!value) {
            struct name_list names = { .meant.word = text + 1 };
            const char *name;
            json_object_foreach(c->values, name, value) mode_names_add(&names, name);
            mode_names_add(&names, "(\"$$\" begins a text that has a \"$\")");
            char shown[SHOWN_SIZE];
            mode_refuse_at(c, at, names.text, "%s is no parameter of this mode",
                           mode_json_shown(json, shown));
            return refuse_meant(c->why, &names.meant);
        }
        int error = count_expanded(c, at, value);
        if (error)
            return error;
        *out = json_incref(value);
    }
    return *out ? 0 : -ENOMEM;
}

static int expand_array(struct compiler *c, const struct path *at, const json_t *json, json_t *to)
{
    for (size_t i = 0; i < json_array_size(json); i++) {
        struct path here = PATH_INDEX(at, i);
        json_t *item;
        int error = params_expand(c, &here, json_array_get(json, i), &item);
        if (error)
            return error;
        if (json_array_append_new(to, item) != 0)
            return -ENOMEM;
    }
    return 0;
}

static int expand_object(struct compiler *c, const struct path *at, const json_t *json, json_t *to)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value)
    {
        struct path here = PATH_KEY(at, key);
        json_t *item;
        int error = params_expand(c, &here, value, &item);
        if (error)
            return error;
        if (json_object_set_new(to, key, item) != 0)
            return -ENOMEM;
    }
    return 0;
}

int params_expand(struct compiler *c, const struct path *at, const json_t *json, json_t **out)
{
    if (json_is_string(json))
        return expand_text(c, at, json, out);
    if (!json_is_array(json) && !json_is_object(json)) {
        *out = json_incref((json_t *)json);
        return 0;
    }
    json_t *to = json_is_array(json) ? json_array() : json_object();
    if (!to)
        return -ENOMEM;
    int error =
        json_is_array(json) ? expand_array(c, at, json, to) : expand_object(c, at, json, to);
    if (error) {
        json_decref(to);
        return error;
    }
    *out = to;
    return 0;
}
