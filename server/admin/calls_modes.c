/* calls_modes.c - the catalogue of modes, and the language they are written in. */
#include <stdio.h>
#include <string.h>

#include "admin/call.h"
#include "base/json.h"
#include "mode/about.h"
#include "mode/catalogue.h"

/* --- Texts that are kept */

bool calls_cache_begin(struct cache *cache, const struct catalogue *c, const char *head)
{
    if (cache->whole && cache->version == catalogue_version(c))
        return false;
    if ((!buf_len(&cache->text) && !cache->rows) || cache->version != catalogue_version(c)) {
        buf_free(&cache->text);
        *cache = (struct cache){ .version = catalogue_version(c) };
        buf_text(&cache->text, head);
    }
    return !cache->text.failed;
}

void calls_cache_row(struct cache *cache, json_t *row)
{
    if (cache->rows++)
        buf_text(&cache->text, ",");
    json_write(&cache->text, row);
    json_decref(row);
}

void calls_cache_end(struct cache *cache, const char *tail, struct buf *out)
{
    if (!cache->whole)
        buf_text(&cache->text, tail);
    cache->whole = !cache->text.failed;
    if (cache->whole)
        buf_add(out, buf_bytes(&cache->text), buf_len(&cache->text));
    else
        out->failed = true;
    if (!cache->whole) { /* and begin anew next time */
        buf_free(&cache->text);
        cache->rows = 0;
    }
}

bool calls_cache_row_available(json_t *row, int compiled, const struct refusal *why)
{
    bool available = compiled != MODE_UNAVAILABLE;
    return compiled >= 0 && json_object_set_new(row, "available", json_boolean(available)) == 0 &&
           (available || json_object_set_new(row, "why_not", json_string(why->what)) == 0);
}

/* --- The catalogue */

/* Can it be set on this machine, as far as its defaults tell? Returns false without memory. */
static bool add_availability(const struct catalogue *c, const char *name, json_t *row)
{
    struct mode_program *program = NULL;
    struct refusal why;
    int rc = catalogue_compile(c, name, NULL, false, 1.0, &program, &why);
    if (rc == 0)
        mode_unref(program);
    return calls_cache_row_available(row, rc, &why);
}

/* Likewise. */
static bool copy_members(const json_t *from, const char *const *names, json_t *to)
{
    for (; *names; names++) {
        json_t *value = json_object_get(from, *names);
        if (value && json_object_set(to, *names, value) != 0)
            return false;
    }
    return true;
}

/* With what it inherits, but without rules. NULL without memory. */
static json_t *describe_mode(const struct catalogue *c, const json_t *document, bool built_in)
{
    static const char *const own[] = { "name", "extends", NULL };
    static const char *const whole[] = { "group",  "assumed", "summary",   "client_sees",
                                         "basis",  "differs", "exercises", "expect",
                                         "params", "closing", NULL };
    const char *name = json_string_value(json_object_get(document, "name"));
    json_auto_t *resolved = catalogue_resolved(c, name);
    json_t *row = resolved ? json_object() : NULL;
    if (row && copy_members(document, own, row) && copy_members(resolved, whole, row) &&
        json_object_set_new(row, "over", mode_over_list(resolved)) == 0 &&
        json_object_set_new(row, "built_in", json_boolean(built_in)) == 0 &&
        add_availability(c, name, row))
        return row;
    json_decref(row);
    return NULL;
}

static bool more_modes(struct call *call, struct buf *out)
{
    struct admin *a = call->admin;
    const json_t *document;
    bool built_in;
    if (calls_cache_begin(&a->modes, a->catalogue, "{\"modes\":[") &&
        (document = catalogue_at(a->catalogue, a->modes.rows, &built_in))) {
        calls_cache_row(&a->modes, describe_mode(a->catalogue, document, built_in));
        return true;
    }
    calls_cache_end(&a->modes, "]}\n", out);
    return false;
}

void calls_modes(struct call *call)
{
    response_stream(call, "application/json", more_modes, NULL);
}

static void response_unknown(struct call *call)
{
    response_refuse(call, PROBLEM_NO_MODE, call->target.path, "a name that GET /v1/modes lists",
                    "there is no mode of this name");
}

/* Is a parameter "true"? Returns 0, or BAD_INPUT with the call answered. */
static int query_bool(struct call *call, const char *name, bool *out)
{
    size_t len;
    const char *value = input_query(call, name, &len);
    *out = value && len == 4 && memcmp(value, "true", 4) == 0;
    if (!value || *out || (len == 5 && memcmp(value, "false", 5) == 0))
        return 0;
    char where[32];
    snprintf(where, sizeof where, "?%s", name);
    response_refuse(call, PROBLEM_QUERY, where, "true, false", "is neither");
    return BAD_INPUT;
}

void calls_mode_file(struct call *call)
{
    const struct catalogue *c = call->admin->catalogue;
    const json_t *document = catalogue_get(c, call_arg(call, "name"));
    bool resolved;
    if (query_bool(call, "resolved", &resolved))
        return;
    if (!document)
        response_unknown(call);
    else if (resolved)
        response_json(call, 200, catalogue_resolved(c, call_arg(call, "name")));
    else
        response_json(call, 200, json_incref((json_t *)document));
}

static bool is_built_in(const struct catalogue *c, const char *name)
{
    const json_t *wanted = catalogue_get(c, name), *document;
    bool built_in = false;
    for (size_t i = 0; wanted && (document = catalogue_at(c, i, &built_in)); i++) {
        if (document == wanted)
            return built_in;
    }
    return false;
}

/* True, and answered, if the mode must stay as it is. */
static bool refuse_built_in(struct call *call)
{
    if (!is_built_in(call->admin->catalogue, call_arg(call, "name")))
        return false;
    response_refuse(call, PROBLEM_BUILT_IN, call->target.path, "another name",
                    "a built-in mode can be neither replaced nor removed");
    return true;
}

void calls_put_mode_file(struct call *call)
{
    struct catalogue *c = call->admin->catalogue;
    struct refusal why = { 0 };
    if (refuse_built_in(call))
        return;
    bool there = catalogue_get(c, call_arg(call, "name")) != NULL;
    int rc = catalogue_put(c, call_arg(call, "name"), call->json, &why);
    if (rc)
        response_outcome(call, rc, &why);
    else
        response_json(call, there ? 200 : 201,
                      json_incref((json_t *)catalogue_get(c, call_arg(call, "name"))));
}

void calls_delete_mode_file(struct call *call)
{
    struct refusal why = { 0 };
    if (refuse_built_in(call))
        return;
    int rc = catalogue_remove(call->admin->catalogue, call_arg(call, "name"), &why);
    if (rc == MODE_UNKNOWN)
        response_unknown(call);
    else if (rc == BAD_INPUT) /* another one extends it */
        response_problem(call, PROBLEM_IN_USE, &why);
    else if (rc)
        response_outcome(call, rc, &why);
    else
        response_empty(call, 204);
}

void calls_language(struct call *call)
{
    struct cache *cache = &call->admin->language;
    if (calls_cache_begin(cache, call->admin->catalogue, ""))
        calls_cache_row(cache, mode_language());
    calls_cache_end(cache, "\n", response_text(call, 200, "application/json"));
}
