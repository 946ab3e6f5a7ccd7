/* initial.h - what the server starts with: the mode, plan or case that its options name. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/refusal.h"
#include "cli/options.h"

struct catalogue;
struct run;

struct initial {
    const char *option; /* what names it, for refusals: "--plan" */
    const char *mode;   /* NAME[;k=v]; NULL: a plan */
    json_t *plan;       /* as plan_compile takes it */
    json_t *file;       /* the plan's, with what a case has beside its plan; NULL: the plan alone */
    bool bare;          /* the file is the plan: paths begin with "$" */
    struct option_number seed; /* of the plan */
    char case_name[64];        /* the case that was meant; "": none */
};

/* Reads the file or finds the case. Returns 0, BAD_INPUT, MODE_UNKNOWN (the option is named) or
 * -ENOMEM. Free it in any case. */
int initial_read(const struct options *o, struct initial *out, struct refusal *why);
void initial_free(struct initial *i);

/* Can it be set? Nothing is changed. Returns as run_set_plan, with the option named. */
int initial_check(const struct initial *i, const struct catalogue *c, double scale,
                  struct refusal *why);

/* Sets it. Returns the same. */
int initial_set(const struct initial *i, struct run *run, struct refusal *why);

/* What was refused is said with the option's name, and its place as the file has it. Returns error.
 */
int initial_refused(const struct initial *i, int error, struct refusal *why);
