/* mode_documents.h - mode documents to compile in a test, and what is said about wrong ones.
 * Include once in a test program, in place of mode_fakes.h.
 */
#pragma once

#include "mode_fakes.h"

static struct refusal why;

static inline int compile_with(const char *document, const char *params, bool lenient, double scale,
                               struct mode_program **out)
{
    json_t *json = json_of(document), *values = params ? json_of(params) : NULL;
    memset(&why, 0, sizeof why);
    int error = mode_compile(json, values, lenient, scale, out, &why);
    json_decref(json);
    json_decref(values);
    return error;
}

/* A document around rules that use all types of parameters. */
#define PARAMS                                                                                     \
    "'params': {'t': {'type': 'duration', 'default': '3s', 'about': '-'},"                         \
    " 'b': {'type': 'bool', 'default': false}, 'n': {'type': 'int', 'default': 2, 'min': 1,"       \
    " 'max': 9}, 'how': {'type': 'choice', 'default': 'fin', 'allowed': ['fin', 'rst']},"          \
    " 's': {'type': 'text', 'default': '$t'}, 'last': {'type': 'choice', 'default': 'seen',"       \
    " 'allowed': ['seen', 'none']}}, "
#define DOCUMENT(rules)   "{'name': 'x', 'summary': '-', " PARAMS "'rules': " rules "}"
#define RULE(rule)        DOCUMENT("[" rule "]")
#define IDLE_DO(steps)    RULE("{'on': 'idle', 'after': '1s', 'do': " steps "}")
#define REQUEST_DO(steps) RULE("{'on': 'request', 'do': " steps "}")
#define H2_DO(steps)      RULE("{'on': 'protocol', 'over': 'h2', 'do': " steps "}")
#define STREAM_DO(steps)  RULE("{'on': 'request', 'over': 'h2', 'do': " steps "}")
#define IN_MIDDLE_DO(place, step)                                                                  \
    RULE("{'on': 'response', 'over': 'h2', 'at': " place ", 'do': [" step "]}")
#define HEADER(over, name, value)                                                                  \
    RULE("{'on': 'request', " over "'do': [{'header': {'name': " name ", 'value': " value "}}]}")

static inline void check_refusal(int outcome, const char *document, const char *where,
                                 const char *what, const char *allowed)
{
    if (outcome != BAD_INPUT)
        fail_msg("%s: %d, not refused", document, outcome);
    if (strcmp(why.where, where) != 0 || !strstr(why.what, what) || !strstr(why.allowed, allowed))
        fail_msg("%s\n    %s: %s (%s)\n    expected %s: %s (%s)", document, why.where, why.what,
                 why.allowed, where, what, allowed);
}

/* A mistake, and how it is refused: the place exactly, of the others a part. */
struct refused {
    const char *document, *where, *what, *allowed;
};

static inline void assert_refused(const struct refused *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct mode_program *program = NULL;
        int outcome = compile_with(table[i].document, NULL, false, 1, &program);
        check_refusal(outcome, table[i].document, table[i].where, table[i].what, table[i].allowed);
        assert_null(program);
    }
}
#define ASSERT_REFUSED(table) assert_refused(table, sizeof(table) / sizeof *(table))
