/* differs.c - "differs" of a profile: in which situations its server is known to do something else,
 * and why. Nothing here acts on it: it is for people, and for the test that holds profiles against
 * their servers (tests/truth), which knows what the situations are. */
#include <string.h>

#include "engine/protocol.h"
#include "mode/language.h"

static const struct member {
    const char *name;
    bool required;
    const char *allowed;
} members[] = {
    { "situations", true, "a list of names of situations, at least one" },
    { "over", false, "h1 or h2; left out: both" },
    { "tls", false, "true or false; left out: both" },
    { "sometimes", false, "true: it is chance whether it does" },
    { "why", true, "a text: what is different, and why" },
};
#define MEMBERS (sizeof members / sizeof *members)

static bool is_text(const json_t *json)
{
    return json_string_length(json) > 0;
}

static bool fits(const char *name, const json_t *value)
{
    size_t i;
    json_t *item;
    if (strcmp(name, "over") == 0)
        return is_text(value) && protocol_named(json_string_value(value));
    if (strcmp(name, "sometimes") == 0)
        return json_is_true(value);
    if (strcmp(name, "tls") == 0)
        return json_is_boolean(value);
    if (strcmp(name, "why") == 0)
        return is_text(value);
    json_array_foreach(value, i, item) if (!is_text(item)) return false;
    return json_array_size(value) > 0;
}

static int check_names(struct compiler *c, const struct path *at, const json_t *entry)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)entry, key, value)
    {
        struct name_list names = { .meant.word = key };
        size_t i = 0;
        while (i < MEMBERS && strcmp(members[i].name, key) != 0)
            mode_names_add(&names, members[i++].name);
        struct path here = PATH_KEY(at, key);
        if (i < MEMBERS)
            continue;
        mode_refuse_at(c, &here, names.text, "a difference has no such member");
        return refuse_meant(c->why, &names.meant);
    }
    return 0;
}

static int check_entry(struct compiler *c, const struct path *at, const json_t *entry)
{
    if (!json_is_object(entry))
        return mode_refuse_at(c, at, "an object with situations and why",
                              "a difference is an object");
    int error = check_names(c, at, entry);
    for (size_t i = 0; !error && i < MEMBERS; i++) {
        const json_t *value = json_object_get(entry, members[i].name);
        struct path here = PATH_KEY(at, members[i].name);
        if (!value && members[i].required)
            return mode_refuse_at(c, &here, members[i].allowed, "it is missing");
        if (value && !fits(members[i].name, value))
            return mode_refuse_at(c, &here, members[i].allowed, "this does not fit here");
    }
    return error;
}

int differs_check(struct compiler *c, const json_t *differs)
{
    struct path root = PATH_KEY(NULL, "$"), list = PATH_KEY(&root, "differs");
    size_t i;
    json_t *entry;
    json_array_foreach(differs, i, entry)
    {
        struct path here = PATH_INDEX(&list, i);
        int error = check_entry(c, &here, entry);
        if (error)
            return error;
    }
    return 0;
}
