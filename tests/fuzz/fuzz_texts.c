/* Modes as texts, as in a URL or an option: "NAME;k=v". */
#include <stdlib.h>
#include <string.h>

#include "mode/catalogue.h"
#include "mode/mode.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct catalogue *catalogue;
    struct mode_program *program = NULL;
    struct refusal why = { 0 };
    if (!catalogue)
        catalogue = catalogue_create();
    /* A copy of its size, so that a step beyond the end is seen. */
    char *text = malloc(size ? size : 1);
    if (!catalogue || !text)
        abort();
    memcpy(text, data, size);
    int outcome = catalogue_compile_text(catalogue, text, size, 1, &program, &why);
    fuzz_check(outcome, &why);
    if (!outcome)
        mode_unref(program);
    free(text);
    return 0;
}
