#include "mode/about.h"

#include <stdio.h>
#include <string.h>

#include "mode/language.h"

const struct mode_group mode_groups[] = {
    { "normal", "No misbehaviour" },
    { "idle", "While the connection is idle" },
    { "reuse", "When the connection is used again" },
    { "response", "In the response" },
    { "h2", "HTTP/2" },
    { "establishing", "While the connection is being set up" },
    { "scene", "Scenes: marks, and several connections" },
    { "profile", "Like real infrastructure" },
    { NULL, "Others" },
};

const struct mode_group *mode_group_of(const json_t *whole)
{
    const char *group = json_string_value(json_object_get(whole, "group"));
    const struct mode_group *row = mode_groups;
    while (row->name && (!group || strcmp(row->name, group) != 0))
        row++;
    return row;
}

unsigned mode_over(const json_t *whole)
{
    unsigned over = 0;
    size_t i;
    json_t *rule;
    json_array_foreach(json_object_get(whole, "rules"), i, rule)
    {
        const char *text = json_string_value(json_object_get(rule, "over"));
        const struct protocol *one = text ? protocol_named(text) : NULL;
        over |= one ? one->bit : OVER_ALL; /* none is said, or a parameter's value */
    }
    return over ? over : OVER_ALL;
}

json_t *mode_over_names(unsigned over)
{
    bool whole = true;
    json_t *list = json_array();
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        if (over & protocols[i].bit)
            whole &= json_array_append_new(list, json_string(protocols[i].name)) == 0;
    if (whole)
        return list;
    json_decref(list);
    return NULL;
}

json_t *mode_over_list(const json_t *whole)
{
    return mode_over_names(mode_over(whole));
}

/* --- Needs */

struct needs {
    const json_t *params;
    json_t *list;
    bool failed;
};

static bool is_noted(const struct needs *n, const char *what, const char *with)
{
    size_t i;
    json_t *item;
    json_array_foreach(n->list, i, item)
    {
        const char *other = json_string_value(json_object_get(item, "with"));
        if (strcmp(json_string_value(json_object_get(item, "for")), what) == 0 &&
            (!other || (with && strcmp(other, with) == 0)))
            return true;
    }
    return false;
}

/* with: NULL for always, which makes what needs it only sometimes superfluous. */
static void note(struct needs *n, unsigned needs, const char *with)
{
    for (unsigned cap = 0; cap < CAPABILITY_COUNT; cap++) {
        const struct capability_row *row = caps_row((enum capability)cap);
        if (!(needs & (1u << cap)) || is_noted(n, row->name, with))
            continue;
        for (size_t i = json_array_size(n->list); !with && i-- > 0;) {
            const json_t *item = json_array_get(n->list, i);
            if (strcmp(json_string_value(json_object_get(item, "for")), row->name) == 0)
                json_array_remove(n->list, i);
        }
        json_t *item = json_pack("{s:s%, s:s, s:s*}", "capability", row->needs,
                                 strcspn(row->needs, " "), "for", row->name, "with", with);
        if (json_array_append_new(n->list, item) != 0)
            n->failed = true;
    }
}

/* Calls each for what a value in a rule can become: itself, or the values of the parameter that it
 * names, each with "NAME=VALUE" (NULL where they cannot be listed: for its default). */
static void each_value(struct needs *n, const json_t *value, const void *arg,
                       void (*each)(struct needs *n, const json_t *value, const char *with,
                                    const void *arg))
{
    const char *text = json_string_value(value);
    const json_t *param =
        text && text[0] == '$' && text[1] != '$' ? json_object_get(n->params, text + 1) : NULL;
    if (!param) {
        each(n, value, NULL, arg);
        return;
    }
    char with[2 * MODE_NAME_SIZE + 2];
    const json_t *usual = json_object_get(param, "default"),
                 *choices = json_object_get(param, "allowed");
    size_t i;
    json_t *choice;
    if (!choices && !json_is_boolean(usual))
        each(n, usual, NULL, arg);
    json_array_foreach(choices, i, choice)
    {
        snprintf(with, sizeof with, "%s=%s", text + 1, json_string_value(choice));
        each(n, choice, with, arg);
    }
    snprintf(with, sizeof with, "%s=true", text + 1);
    if (json_is_boolean(usual))
        each(n, json_true(), with, arg);
}

static const struct step_row *row_of(const char *name)
{
    for (const struct step_row *row = step_rows; row->about; row++)
        if (name && strcmp(step_name(row), name) == 0)
            return row;
    return NULL;
}

static void note_argument(struct needs *n, const json_t *value, const char *with, const void *arg)
{
    if (json_is_true(value))
        note(n, ((const struct arg_row *)arg)->needs, with);
}

static void note_step(struct needs *n, const json_t *name, const char *with, const void *args)
{
    const struct step_row *row = row_of(json_string_value(name));
    if (!row)
        return;
    note(n, row->needs, with);
    for (const struct arg_row *arg = row->args; arg->name; arg++) {
        const json_t *value = json_is_object((const json_t *)args)
                                  ? json_object_get(args, arg->name)
                              : row->shorthand && arg == row->args ? args
                                                                   : NULL;
        if (arg->needs && value)
            each_value(n, value, arg, note_argument);
    }
}

/* What each value of a parameter needs is needed always. */
static void join_values(struct needs *n)
{
    const char *param;
    json_t *declared, *choice;
    json_object_foreach((json_t *)n->params, param, declared)
    {
        const json_t *choices = json_object_get(declared, "allowed");
        for (unsigned cap = 0; cap < CAPABILITY_COUNT; cap++) {
            char with[2 * MODE_NAME_SIZE + 2];
            size_t i, noted = 0;
            json_array_foreach(choices, i, choice)
            {
                snprintf(with, sizeof with, "%s=%s", param, json_string_value(choice));
                noted += is_noted(n, caps_row((enum capability)cap)->name, with);
            }
            if (noted > 0 && noted == json_array_size(choices))
                note(n, 1u << cap, NULL);
        }
    }
}

json_t *mode_needs(const json_t *whole)
{
    struct needs n = { .params = json_object_get(whole, "params"), .list = json_array() };
    size_t i, k;
    json_t *rule, *step;
    n.failed = !n.list;
    json_array_foreach(json_object_get(whole, "rules"), i, rule)
    {
        json_array_foreach(json_object_get(rule, "do"), k, step)
        {
            void *only = json_object_iter(step); /* NULL for a text */
            json_auto_t *name = only ? json_string(json_object_iter_key(only)) : json_incref(step);
            each_value(&n, name, only ? json_object_iter_value(only) : NULL, note_step);
        }
    }
    join_values(&n);
    if (!n.failed)
        return n.list;
    json_decref(n.list);
    return NULL;
}
