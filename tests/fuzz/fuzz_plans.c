/* Plans: a list of entries, or a case, which has one. What compiles must give every connection an
 * entry that is there, and the same one when it is asked again. */
#include <stdlib.h>

#include "run/plan.h"
#include "tests/fuzz/fuzz.h"

static void pick(const struct plan *plan)
{
    static const unsigned overs[] = { 0, OVER_H1, OVER_H2 };
    for (uint32_t number = 0; number < 12; number++) {
        for (unsigned i = 0; i < 3; i++) {
            int picked = plan_pick(plan, number, 7, overs[i]);
            if (picked != plan_pick(plan, number, 7, overs[i]) ||
                (picked == PLAN_LATER && overs[i]) || picked < PLAN_LATER)
                abort();
            plan_program(plan, picked);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct catalogue *catalogue;
    struct plan *plan = NULL;
    struct refusal why = { 0 };
    json_t *input = fuzz_json(data, size);
    const json_t *inner = json_object_get(input, "plan");
    if (!catalogue)
        catalogue = catalogue_create();
    if (!catalogue)
        abort();
    if (input) {
        int outcome = plan_compile(catalogue, inner ? inner : input, 1, 42, &plan, &why);
        fuzz_check(outcome, &why);
        if (!outcome) {
            pick(plan);
            plan_unref(plan);
        }
    }
    json_decref(input);
    return 0;
}
