/* mutate.c - small mistakes in a text, as people and broken tools make them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mode/mode.h"
#include "tests/fuzz/fuzz.h"

/* --- Chance: splitmix64, so that a seed says all */

static uint64_t state;

static uint64_t chance(uint64_t below)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return below ? (z ^ z >> 31) % below : 0;
}

/* --- Values that are wrong nearly everywhere, and words that are right somewhere */

static const char *const odd_values[] = {
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1",
    "2",
    "4294967295",
    "4294967296",
    "2147483648",
    "9223372036854775807",
    "1e308",
    "-0.5",
    "0.5",
    "\"\"",
    "\"$\"",
    "\"$$\"",
    "\"$idle\"",
    "\"$x\"",
    "\"0s\"",
    "\"never\"",
    "\"99999999999999h\"",
    "\"1-\"",
    "\"2-1\"",
    "\"1-/0\"",
    "\"1-/2\"",
    "\"0-4\"",
    "\"h1\"",
    "\"h2\"",
    "\"h3\"",
    "\"normal\"",
    "\"black-hole\"",
    "\"\\u00e9\\u0001\"",
    "{}",
    "[]",
    "[[]]",
    "{\"bytes\":0}",
    "{\"content\":-1}",
    "{\"wait\":\"1s\"}",
    "[\"fin\"]",
};

/* Every word of the language, as JSON: its triggers, steps, members, choices. */
static json_t *words(void)
{
    static json_t *kept;
    if (!kept)
        kept = mode_language();
    return kept;
}

/* A random node of a tree; *parent is where it is (NULL: the root), *key or *index its place. */
struct place {
    json_t *parent, *node;
    const char *key;
    size_t index;
};

static size_t count_nodes(const json_t *node)
{
    size_t count = 1, i;
    const char *key;
    json_t *child;
    json_object_foreach((json_t *)node, key, child) count += count_nodes(child);
    json_array_foreach((json_t *)node, i, child) count += count_nodes(child);
    return count;
}

/* Walks to the node that *left counts down to. */
static bool find_node(json_t *node, size_t *left, struct place *at)
{
    const char *key;
    json_t *child;
    size_t i;
    if ((*left)-- == 0) {
        at->node = node;
        return true;
    }
    json_object_foreach(node, key, child)
    {
        struct place here = { node, NULL, key, 0 };
        if (find_node(child, left, &here)) {
            *at = here;
            return true;
        }
    }
    json_array_foreach(node, i, child)
    {
        struct place here = { node, NULL, NULL, i };
        if (find_node(child, left, &here)) {
            *at = here;
            return true;
        }
    }
    return false;
}

static struct place some_place(json_t *root)
{
    struct place at = { 0 };
    size_t left = chance(count_nodes(root));
    find_node(root, &left, &at);
    return at;
}

static json_t *some_value(json_t *root)
{
    json_t *from = NULL;
    switch (chance(3)) {
    case 0:
        from = json_loads(odd_values[chance(sizeof odd_values / sizeof *odd_values)],
                          JSON_DECODE_ANY, NULL);
        return from;
    case 1:
        from = some_place(words()).node;
        break;
    default:
        from = some_place(root).node;
    }
    return json_deep_copy(from);
}

static const char *some_key(json_t *root)
{
    for (int tries = 0; tries < 16; tries++) {
        struct place at = some_place(chance(2) ? root : words());
        if (at.key)
            return at.key;
    }
    return "on";
}

/* One mistake. Takes and returns the reference to the tree. */
static json_t *mistake(json_t *root)
{
    struct place at = some_place(root);
    json_t *value = some_value(root);
    char key[64];
    snprintf(key, sizeof key, "%s", some_key(root));
    if (!at.parent) {
        if (json_is_object(root))
            json_object_set(root, key, value);
        else if (json_is_array(root))
            json_array_append(root, value);
        json_decref(value);
        return root;
    }
    char old[256] = "";
    snprintf(old, sizeof old, "%s", at.key ? at.key : "");
    switch (chance(5)) {
    case 0: /* another value */
    case 1:
        if (at.key)
            json_object_set(at.parent, old, value);
        else
            json_array_set(at.parent, at.index, value);
        break;
    case 2: /* nothing */
        if (at.key)
            json_object_del(at.parent, old);
        else
            json_array_remove(at.parent, at.index);
        break;
    case 3: /* under another name, or twice */
        json_incref(at.node);
        if (at.key) {
            json_object_del(at.parent, old);
            json_object_set(at.parent, key, at.node);
        } else {
            json_array_insert_new(at.parent, chance(json_array_size(at.parent) + 1),
                                  json_deep_copy(at.node));
        }
        json_decref(at.node);
        break;
    default: /* one more */
        if (at.key)
            json_object_set(at.parent, key, value);
        else
            json_array_insert(at.parent, at.index, value);
    }
    json_decref(value);
    return root;
}

static size_t mutate_tree(json_t *root, uint8_t *data, size_t max)
{
    for (uint64_t n = 1 + chance(3); n > 0; n--)
        root = mistake(root);
    size_t size = json_dumpb(root, (char *)data, max, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(root);
    return size <= max ? size : 0;
}

static size_t mutate_bytes(uint8_t *data, size_t size, size_t max)
{
    for (uint64_t n = 1 + chance(4); n > 0; n--) {
        size_t at = chance(size + 1), len = chance(8) + 1;
        switch (chance(4)) {
        case 0:
            if (at < size)
                data[at] = (uint8_t)chance(256);
            break;
        case 1:
            if (at < size)
                data[at] ^= (uint8_t)(1u << chance(8));
            break;
        case 2:
            len = len < size - at ? len : size - at;
            memmove(data + at, data + at + len, size - at - len);
            size -= len;
            break;
        default:
            if (size + len > max)
                break;
            memmove(data + at + len, data + at, size - at);
            for (size_t i = 0; i < len; i++)
                data[at + i] = "\"{}[]:,;=/%-$0aeh\\"[chance(18)];
            size += len;
        }
    }
    return size;
}

size_t fuzz_mutate(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    state = seed;
    json_t *root = chance(8) ? fuzz_json(data, size) : NULL;
    return root ? mutate_tree(root, data, max) : mutate_bytes(data, size, max);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    return fuzz_mutate(data, size, max, seed);
}

/* --- What targets share */

json_t *fuzz_json(const uint8_t *data, size_t size)
{
    return json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}

void fuzz_check(int outcome, const struct refusal *why)
{
    bool known = outcome == 0 || outcome == BAD_INPUT || outcome == MODE_UNKNOWN ||
                 outcome == MODE_UNAVAILABLE;
    if (known && (outcome == 0 || (why->where[0] && why->what[0] && why->allowed[0])))
        return;
    fprintf(stderr, "outcome %d: where \"%s\", what \"%s\", allowed \"%s\"\n", outcome, why->where,
            why->what, why->allowed);
    abort();
}
