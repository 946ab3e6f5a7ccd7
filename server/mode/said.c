/* said.c - what a client has said so far, for rules that wait until it has said it so often: all of
 * it, or what came within a time, or too soon after the one before.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "mode/runtime_impl.h"

struct said {
    uint32_t count; /* since the rule has fired last */
    int64_t last;   /* when it was said last, if any */
    bool any;
    uint64_t answers; /* that were sent then */
    int64_t *times;   /* of the last rule->count, in turn; NULL: none is kept */
};

void said_forget(struct mode_conn *mc)
{
    for (unsigned i = 0; mc->said_so && i < mc->program->rule_count; i++)
        free(mc->said_so[i].times);
    free(mc->said_so);
    mc->said_so = NULL;
}

/* Whether it counts, as nothing was answered since the one before, and that was not long ago. */
static bool is_too_soon(const struct mode_conn *mc, const struct mode_rule *rule, struct said *said,
                        int64_t now)
{
    bool answered = said->any && said->answers != mc->answers;
    bool soon = said->any && !answered && now - said->last < rule->spacing;
    if (answered)
        said->count = 0;
    said->any = true;
    said->last = now;
    said->answers = mc->answers;
    return soon;
}

/* Whether the last rule->count, with this one, came within the time. */
static bool is_within(const struct mode_rule *rule, struct said *said, int64_t now)
{
    uint32_t at = said->count % rule->count;
    int64_t oldest = said->times[(at + 1) % rule->count]; /* of these */
    said->times[at] = now;
    said->count++;
    return said->count >= rule->count && now - oldest <= rule->within;
}

/* What is counted of a rule; NULL: no memory. */
static struct said *said_of(struct mode_conn *mc, const struct mode_rule *rule)
{
    if (!mc->said_so)
        mc->said_so = calloc(mc->program->rule_count, sizeof *mc->said_so);
    struct said *said = mc->said_so ? &mc->said_so[rule->number] : NULL;
    if (said && rule->within && !said->times)
        said->times = calloc(rule->count, sizeof *said->times);
    return said && (said->times || !rule->within) ? said : NULL;
}

bool said_enough(struct mode_conn *mc, const struct mode_rule *rule)
{
    if (rule->count == 1 && !rule->spacing)
        return true;
    if (!mode_rule_fits(mc, rule, NULL))
        return false;
    struct said *said = said_of(mc, rule);
    if (!said) {
        mode_log_no_memory(mc);
        return false;
    }
    int64_t now = clock_now();
    if (rule->spacing && !is_too_soon(mc, rule, said, now))
        return false;
    bool enough = rule->within ? is_within(rule, said, now) : ++said->count >= rule->count;
    if (enough)
        said->count = 0;
    return enough;
}
