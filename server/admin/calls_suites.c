/* calls_suites.c - the suites: lists of tests of a client. */
#include "admin/call.h"
#include "mode/catalogue.h"
#include "mode/suites.h"

/* A row of the listing: what the suite is called, about, and made of. NULL without memory. */
static json_t *describe_suite(size_t i)
{
    json_auto_t *file = suites_at(i);
    json_t *suites = json_object_get(file, "suites");
    return json_pack("{s:O, s:O, s:O*}", "name", json_object_get(file, "name"), "summary",
                     json_object_get(file, "summary"), "suites", suites);
}

void calls_suites(struct call *call)
{
    json_t *list = json_array();
    for (size_t i = 0; i < suites_count(); i++)
        json_array_append_new(list, describe_suite(i));
    response_json(call, 200, json_pack("{s:o}", "suites", list));
}

void calls_suite(struct call *call)
{
    json_t *found = NULL;
    struct refusal why = { 0 };
    int rc = suites_get(call->admin->catalogue, call_arg(call, "name"), &found, &why);
    if (rc == MODE_UNKNOWN) {
        refuse_in(&why, call->target.path, NULL);
        response_problem(call, PROBLEM_NO_SUITE, &why);
    } else if (rc) {
        response_outcome(call, rc, &why);
    } else {
        response_json(call, 200, found);
    }
}
