/* setting.h - what a run is to do, as the API's bodies say it: a mode for all connections, a plan,
 * or a case, which is a plan that has a name. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/refusal.h"
#include "run/run.h"

/* The members of a body that sets something; NULL: not there. References of its own. */
struct setting {
    json_t *mode, *params, *plan, *case_name, *seed, *apply, *time_scale, *ttl, *expect;
};
void setting_free(struct setting *s);

/* Reads a whole one, or a merge patch (RFC 7396) on what is in force. Null says as much as nothing,
 * so that what GET shows can be set. Returns 0, BAD_INPUT or -ENOMEM; free it in any case. */
int setting_read(const json_t *body, const struct run *run, struct setting *s, struct refusal *why);
int setting_patch(const json_t *body, const struct run *run, struct setting *s,
                  struct refusal *why);
/* Of one whose members were taken from a body: whether they go together and have values that are
 * allowed. optional: that it sets nothing is fine, too. Returns 0 or BAD_INPUT. */
int setting_check(struct setting *s, bool optional, struct refusal *why);

/* Compiles it for the run, which gets its time scale and its seed. Returns 0, or as
 * run_compile_plan, and the run is as it was. */
int setting_compile(const struct setting *s, struct run *run, struct plan **out,
                    struct refusal *why);
enum run_apply setting_apply(const struct setting *s);
/* It changes expectations alone. */
bool setting_only_expects(const json_t *body);
/* How long it stays, in ns; DURATION_NEVER: until another is set. */
int64_t setting_ttl(const struct setting *s);
/* What a verdict says that it was: "mode idle-close", "case 01-answered-then-dead", "plan". */
#define SETTING_NAME_SIZE 160
void setting_name(const struct setting *s, char out[SETTING_NAME_SIZE]);

/* Reads a duration of a member, above 0 and at most most. Returns 0 or BAD_INPUT. */
int setting_duration(const json_t *value, const char *where, int64_t most, int64_t *out,
                     struct refusal *why);
#define SETTING_TTL_MAX (24 * 3600 * NS_PER_S)
