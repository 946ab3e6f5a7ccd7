/* mode_documents.h - mode documents to compile in a test, and what is said about wrong ones. */
#pragma once

#include "mode_fakes.h"

extern struct refusal why; /* the last one */

int compile_with(const char *document, const char *params, bool lenient, double scale,
                 struct mode_program **out);

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

void check_refusal(int outcome, const char *document, const char *where, const char *what,
                   const char *allowed);

/* A mistake, and how it is refused: the place exactly, of the others a part. */
struct refused {
    const char *document, *where, *what, *allowed;
};

void assert_refused(const struct refused *table, size_t count);
#define ASSERT_REFUSED(table) assert_refused(table, sizeof(table) / sizeof *(table))
