/* Mode documents: a document, or [document, values of its parameters]. */
#include <stdlib.h>

#include "mode/catalogue.h"
#include "mode/mode.h"
#include "tests/fuzz/fuzz.h"

static void compile(const json_t *document, const json_t *params, bool lenient)
{
    struct mode_program *program = NULL;
    struct refusal why = { 0 };
    int outcome = mode_compile(document, params, lenient, 0.5, &program, &why);
    fuzz_check(outcome, &why);
    if (!outcome)
        mode_unref(program);
}

/* As PUT /v1/modes/NAME: what it takes can be compiled again, by its name. */
static void put(const json_t *document)
{
    static struct catalogue *catalogue;
    struct mode_program *program = NULL;
    struct refusal why = { 0 };
    const char *name = json_string_value(json_object_get(document, "name"));
    if (!catalogue)
        catalogue = catalogue_create();
    if (!catalogue)
        abort();
    int outcome = catalogue_put(catalogue, name ? name : "x", document, &why);
    fuzz_check(outcome, &why);
    if (!outcome) {
        outcome = catalogue_compile(catalogue, name, NULL, false, 1, &program, &why);
        fuzz_check(outcome, &why);
        if (outcome == BAD_INPUT || outcome == MODE_UNKNOWN)
            abort();
        if (!outcome)
            mode_unref(program);
        catalogue_remove(catalogue, name, &why);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *input = fuzz_json(data, size);
    const json_t *document = json_is_array(input) ? json_array_get(input, 0) : input;
    const json_t *params = json_is_array(input) ? json_array_get(input, 1) : NULL;
    if (document) {
        compile(document, params, false);
        compile(document, params, true);
        put(document);
    }
    json_decref(input);
    return 0;
}
