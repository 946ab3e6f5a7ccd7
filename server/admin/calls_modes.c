/* calls_modes.c - the catalogue, and the mode in force. */
#include <string.h>

#include "admin/call.h"
#include "modes/catalogue.h"
#include "run/run.h"

/* Can it be set on this machine, as far as its defaults tell? */
static void add_availability(const struct catalogue *c, const char *name, json_t *row)
{
    struct mode_program *program = NULL;
    struct refusal why;
    int rc = catalogue_compile(c, name, NULL, false, 1.0, &program, &why);
    if (rc == 0)
        mode_unref(program);
    json_object_set_new(row, "available", json_boolean(rc != MODE_UNAVAILABLE));
    if (rc == MODE_UNAVAILABLE)
        json_object_set_new(row, "why_not", json_string(why.what));
}

static const char *const listed[] = { "name",  "summary",   "client_sees",
                                      "basis", "exercises", "params" };

static json_t *describe_mode(const struct catalogue *c, const json_t *document, bool built_in)
{
    json_t *row = json_object();
    for (size_t i = 0; i < sizeof listed / sizeof *listed; i++) {
        json_t *value = json_object_get(document, listed[i]);
        if (value)
            json_object_set(row, listed[i], value);
    }
    json_object_set_new(row, "built_in", json_boolean(built_in));
    const char *name = json_string_value(json_object_get(document, "name"));
    if (name)
        add_availability(c, name, row);
    return row;
}

void calls_modes(struct call *call)
{
    const struct catalogue *c = call->admin->catalogue;
    json_t *modes = json_array();
    const json_t *document;
    bool built_in;
    for (size_t i = 0; (document = catalogue_at(c, i, &built_in)); i++)
        json_array_append_new(modes, describe_mode(c, document, built_in));
    answer_json(call, 200, json_pack("{s:o}", "modes", modes));
}

static void answer_unknown(struct call *call)
{
    answer_refuse(call, 404, call->target.path, "a name that GET /v1/modes lists",
                  "there is no mode of this name");
}

void calls_mode_file(struct call *call)
{
    const json_t *document = catalogue_get(call->admin->catalogue, call->arg);
    if (document)
        answer_json(call, 200, json_incref((json_t *)document));
    else
        answer_unknown(call);
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
    if (!is_built_in(call->admin->catalogue, call->arg))
        return false;
    answer_refuse(call, 409, call->target.path, "another name",
                  "a built-in mode can be neither replaced nor removed");
    return true;
}

void calls_put_mode_file(struct call *call)
{
    struct catalogue *c = call->admin->catalogue;
    struct refusal why = { 0 };
    if (refuse_built_in(call))
        return;
    bool there = catalogue_get(c, call->arg) != NULL;
    int rc = catalogue_put(c, call->arg, call->json, &why);
    if (rc)
        answer_outcome(call, rc, &why);
    else
        answer_json(call, there ? 200 : 201, json_incref((json_t *)catalogue_get(c, call->arg)));
}

void calls_delete_mode_file(struct call *call)
{
    struct refusal why = { 0 };
    if (refuse_built_in(call))
        return;
    int rc = catalogue_remove(call->admin->catalogue, call->arg, &why);
    if (rc == MODE_UNKNOWN)
        answer_unknown(call);
    else if (rc)
        answer_outcome(call, rc, &why);
    else
        answer_empty(call, 204);
}

void calls_mode(struct call *call)
{
    answer_json(call, 200, run_mode(call->admin->run));
}

void calls_put_mode(struct call *call)
{
    json_t *mode, *params, *apply;
    const struct input_member members[] = {
        { "mode", JSON_STRING, true, &mode },
        { "params", JSON_OBJECT, false, &params },
        { "apply", JSON_STRING, false, &apply },
        { 0 },
    };
    if (input_members(call, members))
        return;
    const char *to = apply ? json_string_value(apply) : "all";
    if (strcmp(to, "all") != 0 && strcmp(to, "new") != 0) {
        answer_refuse(call, 400, "$.apply", "\"all\", \"new\"", "is neither");
        return;
    }
    struct refusal why = { 0 };
    int rc = run_set_mode(call->admin->run, json_string_value(mode), params, false,
                          *to == 'a' ? APPLY_ALL : APPLY_NEW, &why);
    if (rc)
        answer_outcome(call, rc, &why);
    else
        calls_mode(call);
}
