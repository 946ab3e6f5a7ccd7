#include "mode_documents.h"

struct refusal why;

int compile_with(const char *document, const char *params, bool lenient, double scale,
                 struct mode_program **out)
{
    json_t *json = json_of(document), *values = params ? json_of(params) : NULL;
    memset(&why, 0, sizeof why);
    int error = mode_compile(json, values, lenient, scale, out, &why);
    json_decref(json);
    json_decref(values);
    return error;
}

void check_refusal(int outcome, const char *document, const char *where, const char *what,
                   const char *allowed)
{
    if (outcome != BAD_INPUT)
        fail_msg("%s: %d, not refused", document, outcome);
    if (strcmp(why.where, where) != 0 || !strstr(why.what, what) || !strstr(why.allowed, allowed))
        fail_msg("%s\n    %s: %s (%s)\n    expected %s: %s (%s)", document, why.where, why.what,
                 why.allowed, where, what, allowed);
}

void assert_refused(const struct refused *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct mode_program *program = NULL;
        int outcome = compile_with(table[i].document, NULL, false, 1, &program);
        check_refusal(outcome, table[i].document, table[i].where, table[i].what, table[i].allowed);
        assert_null(program);
    }
}
