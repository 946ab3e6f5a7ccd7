/* extends.c - a mode that extends another one, made whole.
 *
 * The chain of what it extends is followed up to a mode that stands alone; from there back each
 * document is merged into what was inherited so far. The documents themselves are not touched.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mode/language.h"

static const char *base_of(const json_t *document)
{
    return json_string_value(json_object_get(document, "extends"));
}

static const char *name_of(const json_t *document)
{
    const char *name = json_string_value(json_object_get(document, "name"));
    return name ? name : "";
}

/* Whether a name is that of one of the chain's documents. */
static bool in_chain(const json_t *const *chain, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name_of(chain[i]), name) == 0)
            return true;
    return false;
}

static int follow(const json_t *document, mode_find *find, const void *arg,
                  const json_t *chain[MODE_EXTENDS_MAX + 1], size_t *count, struct refusal *why)
{
    chain[0] = document;
    *count = 1;
    for (const char *base; (base = base_of(chain[*count - 1])); ++*count) {
        if (in_chain(chain, *count, base))
            return refuse(why, "$.extends", "a mode that does not extend this one",
                          "\"%.63s\" extends itself by way of this", base);
        if (*count > MODE_EXTENDS_MAX)
            return refuse(why, "$.extends", "at most 8 modes, each extending the next",
                          "too many modes extend each other");
        chain[*count] = find(arg, base);
        if (!chain[*count])
            return refuse(why, "$.extends", "the name of another mode",
                          "no mode is called \"%.63s\"", base);
    }
    return 0;
}

/* Merges one value of "params" into the inherited declarations. */
static int merge_param(json_t *inherited, const char *name, json_t *value, struct refusal *why)
{
    if (json_is_object(value))
        return json_object_set(inherited, name, value) == 0 ? 0 : -ENOMEM;
    json_t *declared = json_object_get(inherited, name);
    if (json_is_object(declared))
        return json_object_set(declared, "default", value) == 0 ? 0 : -ENOMEM;
    struct name_list names = { .meant.word = name };
    const char *key;
    json_t *each;
    json_object_foreach(inherited, key, each)
    {
        mode_names_add(&names, key);
    }
    struct path root = PATH_KEY(NULL, "$"), params = PATH_KEY(&root, "params");
    struct path at = PATH_KEY(&params, name);
    char where[PATH_SIZE];
    mode_path_text(&at, where);
    refuse(why, where, names.len ? names.text : "an object that declares a parameter",
           "there is no such parameter to inherit; a new one is declared by an object");
    return refuse_meant(why, &names.meant);
}

/* Merges one member into what was inherited. What is of the wrong type is left to the compiler. */
static int merge_member(json_t *whole, const char *key, json_t *value, struct refusal *why)
{
    json_t *inherited = json_object_get(whole, key);
    if (strcmp(key, "rules") == 0 && json_is_array(inherited) && json_is_array(value))
        return json_array_extend(inherited, value) == 0 ? 0 : -ENOMEM;
    if (strcmp(key, "closing") == 0 && json_is_object(inherited) && json_is_object(value))
        return json_object_update(inherited, value) == 0 ? 0 : -ENOMEM;
    if (strcmp(key, "params") != 0 || !json_is_object(value) ||
        (inherited && !json_is_object(inherited)))
        return json_object_set(whole, key, value) == 0 ? 0 : -ENOMEM;
    if (!inherited) {
        inherited = json_object();
        if (json_object_set_new(whole, key, inherited) != 0)
            return -ENOMEM;
    }
    const char *name;
    json_t *param;
    int error = 0;
    json_object_foreach(value, name, param)
    {
        if (!error)
            error = merge_param(inherited, name, param, why);
    }
    return error;
}

/* Merges a document into what was inherited; *rules becomes how many rules those are. */
static int merge(json_t *whole, const json_t *document, size_t *rules, struct refusal *why)
{
    json_auto_t *own = json_deep_copy(document);
    if (!own)
        return -ENOMEM;
    *rules = json_array_size(json_object_get(whole, "rules"));
    json_object_del(whole, "name");
    json_object_del(whole, "extends");
    json_object_del(own, "extends");
    const char *key;
    json_t *value;
    int error = 0;
    json_object_foreach(own, key, value)
    {
        if (!error)
            error = merge_member(whole, key, value, why);
    }
    return error;
}

int extends_resolve(const json_t *document, mode_find *find, const void *arg, json_t **out,
                    size_t *inherited, struct refusal *why)
{
    const json_t *chain[MODE_EXTENDS_MAX + 1];
    size_t count;
    *inherited = 0;
    int error = follow(document, find, arg, chain, &count, why);
    if (error)
        return error;
    if (count == 1) {
        *out = json_incref((json_t *)document);
        return 0;
    }
    json_t *whole = json_deep_copy(chain[--count]);
    error = whole ? 0 : -ENOMEM;
    while (!error && count > 0)
        error = merge(whole, chain[--count], inherited, why);
    if (error)
        json_decref(whole);
    else
        *out = whole;
    return error;
}

bool extends_touches(const json_t *document, mode_find *find, const void *arg,
                     bool (*is_it)(const void *arg, const json_t *document))
{
    for (size_t depth = 0; document && depth <= MODE_EXTENDS_MAX; depth++) {
        if (is_it(arg, document))
            return true;
        const char *base = base_of(document);
        document = base ? find(arg, base) : NULL;
    }
    return false;
}

void extends_refused(const json_t *document, size_t inherited, struct refusal *why)
{
    static const char rules[] = "$.rules[", params[] = "$.params.", given[] = ".default";
    static const char closing[] = "$.closing.";
    char where[sizeof why->where];
    size_t len = strlen(why->where);
    if (strncmp(why->where, rules, strlen(rules)) == 0) {
        char *rest;
        unsigned long number = strtoul(why->where + strlen(rules), &rest, 10);
        if (number < inherited)
            snprintf(where, sizeof where, "$.extends%.140s", why->where + 1);
        else
            snprintf(where, sizeof where, "%s%lu%.120s", rules, number - (unsigned long)inherited,
                     rest);
        memcpy(why->where, where, sizeof where);
    } else if (strncmp(why->where, closing, strlen(closing)) == 0 &&
               !json_object_get(json_object_get(document, "closing"),
                                why->where + strlen(closing))) {
        snprintf(where, sizeof where, "$.extends%.140s", why->where + 1);
        memcpy(why->where, where, sizeof where);
    } else if (strncmp(why->where, params, strlen(params)) == 0 && len > strlen(given) &&
               strcmp(why->where + len - strlen(given), given) == 0) {
        snprintf(where, sizeof where, "%.*s", (int)(len - strlen(given)), why->where);
        const json_t *own =
            json_object_get(json_object_get(document, "params"), where + strlen(params));
        if (own && !json_is_object(own))
            memcpy(why->where, where, sizeof where);
    }
}
