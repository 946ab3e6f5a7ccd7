/* plan.c - reading a plan, and picking an entry of it for a connection. */
#include "run/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/draw.h"

struct entry {
    struct mode_program *program;
    struct mode_range connections;
    bool any_connection; /* also those with number 0 */
    unsigned over;       /* OVER_* */
    double probability;
};

struct plan {
    unsigned refs;
    uint64_t seed;
    json_t *json; /* NULL: it is a mode */
    struct mode_program *normal;
    unsigned count;
    struct entry entries[];
};

static bool is_narrowed(const struct entry *e)
{
    return !e->any_connection || e->over != OVER_ALL || e->probability < 1;
}

/* --- Memory */

static struct plan *create(unsigned count)
{
    struct plan *plan = calloc(1, sizeof *plan + count * sizeof *plan->entries);
    if (!plan)
        return NULL;
    plan->refs = 1;
    plan->count = count;
    for (unsigned i = 0; i < count; i++)
        plan->entries[i] = (struct entry){ .connections = MODE_RANGE_ALL,
                                           .any_connection = true,
                                           .over = OVER_ALL,
                                           .probability = 1 };
    return plan;
}

struct plan *plan_of_mode(struct mode_program *program)
{
    struct plan *plan = create(1);
    if (plan)
        plan->entries[0].program = program;
    return plan;
}

struct plan *plan_ref(struct plan *plan)
{
    plan->refs++;
    return plan;
}

void plan_unref(struct plan *plan)
{
    if (!plan || --plan->refs)
        return;
    for (unsigned i = 0; i < plan->count; i++)
        mode_unref(plan->entries[i].program);
    mode_unref(plan->normal);
    json_decref(plan->json);
    free(plan);
}

/* --- Reading entries. where is the entry's path: "$.plan[0]" */

#define WHERE_SIZE 24

static int refuse_member(struct refusal *why, const char *where, const char *member,
                         const char *allowed, const char *what)
{
    char path[sizeof why->where];
    snprintf(path, sizeof path, "%s.%s", where, member);
    return refuse(why, path, allowed, "%s", what);
}

static int read_connection(const char *where, const json_t *json, struct entry *e,
                           struct refusal *why)
{
    char number[24];
    const char *text = json_string_value(json);
    if (json_is_integer(json)) {
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
        text = number;
    }
    e->any_connection = false;
    return text && mode_range_parse(text, &e->connections)
               ? 0
               : refuse_member(why, where, "connection",
                               "a connection's number (2), or a range as text (\"2\", \"2-4\", "
                               "\"3-\"), also of every so many-th: \"1-/2\"",
                               "this is no connection's number and no range of them");
}

static int read_over(const char *where, const json_t *json, struct entry *e, struct refusal *why)
{
    const char *text = json_is_string(json) ? json_string_value(json) : "";
    const struct protocol *protocol = protocol_named(text);
    if (!protocol)
        return refuse_member(why, where, "over", protocol_names_allowed(), "this is no protocol");
    e->over = protocol->bit;
    return 0;
}

static int read_probability(const char *where, const json_t *json, struct entry *e,
                            struct refusal *why)
{
    e->probability = json_number_value(json);
    return json_is_number(json) && e->probability >= 0 && e->probability <= 1
               ? 0
               : refuse_member(why, where, "probability", "a number from 0 to 1",
                               "this is no probability");
}

static int read_params(const char *where, const json_t *json, struct entry *e, struct refusal *why)
{
    return json_is_object(json)
               ? 0
               : refuse_member(why, where, "params", "an object of the mode's parameters",
                               "the parameters are not an object");
}

static int read_mode(const char *where, const json_t *json, struct entry *e, struct refusal *why)
{
    return json_is_string(json)
               ? 0
               : refuse_member(why, where, "mode", "a mode's name as text", "this is no name");
}

static const struct {
    const char *name;
    int (*read)(const char *where, const json_t *json, struct entry *e, struct refusal *why);
} members[] = {
    { "mode", read_mode }, { "params", read_params },           { "connection", read_connection },
    { "over", read_over }, { "probability", read_probability },
};
#define MEMBER_NAMES "mode, params, connection, over, probability"

static int read_members(const char *where, const json_t *json, struct entry *e, struct refusal *why)
{
    const char *key;
    json_t *value;
    if (!json_is_object(json))
        return refuse(why, where, "{\"mode\": \"NAME\"}", "this is no entry of a plan");
    json_object_foreach((json_t *)json, key, value)
    {
        struct suggestions meant = { .word = key };
        size_t i = 0;
        while (i < sizeof members / sizeof *members && strcmp(members[i].name, key) != 0)
            suggest_offer(&meant, members[i++].name);
        if (i == sizeof members / sizeof *members) {
            char shown[MODE_NAME_SIZE];
            snprintf(shown, sizeof shown, "%s", key);
            refuse_member(why, where, shown, MEMBER_NAMES, "an entry of a plan has no such member");
            return refuse_meant(why, &meant);
        }
        int error = members[i].read(where, value, e, why);
        if (error)
            return error;
    }
    return json_object_get(json, "mode") ? 0
                                         : refuse_member(why, where, "mode", "a mode's name",
                                                         "it is missing: an entry says which mode");
}

/* What is wrong with the mode is said with its place in the plan: paths in the parameters and the
 * mode's name are the entry's, others are the mode file's. */
static void place_refusal(struct refusal *why, const char *where)
{
    char path[sizeof why->where + WHERE_SIZE + 8];
    if (strncmp(why->where, "$.params", 8) == 0 || strcmp(why->where, "$.mode") == 0)
        snprintf(path, sizeof path, "%s%s", where, why->where + 1);
    else
        snprintf(path, sizeof path, "%s.mode: %s", where, why->where);
    snprintf(why->where, sizeof why->where, "%.*s", (int)sizeof why->where - 1, path);
}

/* The entry with its parameters in force, as it is shown. */
static json_t *shown_entry(const json_t *json, const struct entry *e)
{
    json_t *shown = json_copy((json_t *)json);
    if (json_object_set_new(shown, "params", json_loads(e->program->params, 0, NULL)) == 0)
        return shown;
    json_decref(shown);
    return NULL;
}

static int read_entry(const struct catalogue *catalogue, const char *where, const json_t *json,
                      double scale, struct entry *e, struct refusal *why)
{
    int error = read_members(where, json, e, why);
    if (error)
        return error;
    error = catalogue_compile(catalogue, json_string_value(json_object_get(json, "mode")),
                              json_object_get(json, "params"), false, scale, &e->program, why);
    if (error > 0)
        place_refusal(why, where);
    return error;
}

/* --- What decides before the protocol is known, and what only then */

/* The first trigger of a mode that fires before the protocol is known; NULL: none does. */
static const char *early_trigger(const struct mode_program *program)
{
    static const enum trigger_slot early[] = { ON_LISTEN, ON_ACCEPT, ON_CLIENT_HELLO,
                                               ON_HANDSHAKE };
    for (size_t i = 0; i < sizeof early / sizeof *early; i++)
        if (mode_has(program, early[i]))
            return mode_rule_on(program->by_slot[early[i]].rules[0]);
    return NULL;
}

/* x with a * x = gcd(a, b) modulo b; *gcd is set. */
static int64_t inverse(int64_t a, int64_t b, int64_t *gcd)
{
    int64_t x = 1, next_x = 0;
    while (b) {
        int64_t quotient = a / b, rest = a % b, x_after = x - quotient * next_x;
        a = b;
        b = rest;
        x = next_x;
        next_x = x_after;
    }
    *gcd = a;
    return x;
}

/* Whether a number is in both ranges: the first that their strides have in common, and is in the
 * span of both. All factors are below 2^32. */
static bool ranges_meet(const struct mode_range *a, const struct mode_range *b)
{
    int64_t gcd, x = inverse(a->every, b->every, &gcd);
    int64_t between = (int64_t)b->first - a->first;
    if (between % gcd != 0)
        return false;
    int64_t modulus = b->every / gcd;
    uint64_t steps = (uint64_t)((between / gcd % modulus + modulus) % modulus) *
                     (uint64_t)((x % modulus + modulus) % modulus) % (uint64_t)modulus;
    uint64_t common = a->first + a->every * steps, period = a->every * (uint64_t)modulus;
    uint32_t last = a->last < b->last ? a->last : b->last;
    if (common < b->first)
        common += (b->first - common + period - 1) / period * period;
    return common <= last;
}

/* A mode whose rules fire before the protocol is known cannot depend on it. */
static int check_early(const struct plan *plan, const char *where, unsigned i, struct refusal *why)
{
    const struct entry *e = &plan->entries[i];
    const char *trigger = early_trigger(e->program);
    if (!trigger)
        return 0;
    char what[sizeof why->what];
    if (e->over != OVER_ALL) {
        snprintf(what, sizeof what, "\"%s\" has a rule on \"%s\", before the protocol is known",
                 e->program->name, trigger);
        return refuse_member(why, where, "over", "an entry for all protocols, or another mode",
                             what);
    }
    for (unsigned k = 0; k < i; k++) {
        const struct entry *before = &plan->entries[k];
        if (before->over == OVER_ALL || !ranges_meet(&before->connections, &e->connections))
            continue;
        snprintf(what, sizeof what,
                 "\"%s\" has a rule on \"%s\", but whether its connections get it is known with "
                 "the protocol only, as entry %u has \"over\"",
                 e->program->name, trigger, k);
        return refuse_member(why, where, "mode", "to put it first, or for other connections", what);
    }
    return 0;
}

/* --- What can happen */

/* Does the entry surely get each connection of this number and protocol that comes to it? */
static bool takes(const struct entry *e, uint32_t number, unsigned over)
{
    return e->probability >= 1 && (e->over & over) &&
           (number ? mode_range_has(&e->connections, number) : e->any_connection);
}

/* Is a connection of this number, by a protocol of the entry, left over by those before it? */
static bool is_left(const struct plan *plan, unsigned i, uint32_t number)
{
    for (size_t p = 0; p < PROTOCOL_COUNT; p++) {
        unsigned k = 0, over = protocols[p].bit;
        while (k < i && !takes(&plan->entries[k], number, over))
            k++;
        if (k == i && (plan->entries[i].over & over))
            return true;
    }
    return false;
}

#define PROBES 2048

/* Whether any connection can get entry i. Ranges repeat themselves behind the last number at which
 * one begins or ends: so numbers are tried from the first, and from there on. */
static bool is_reachable(const struct plan *plan, unsigned i)
{
    const struct mode_range *own = &plan->entries[i].connections;
    if (i == 0 || (plan->entries[i].any_connection && is_left(plan, i, 0)))
        return true;
    uint64_t first = own->first ? own->first : 1, behind = first;
    for (unsigned k = 0; k < i; k++) {
        const struct mode_range *other = &plan->entries[k].connections;
        uint64_t end = other->last < UINT32_MAX ? (uint64_t)other->last + 1 : other->first;
        if (end > behind)
            behind = end;
    }
    behind = first + (behind - first + own->every - 1) / own->every * own->every;
    for (unsigned n = 0; n < PROBES; n++) {
        uint64_t step = (uint64_t)n * own->every;
        if (first + step <= own->last && is_left(plan, i, (uint32_t)(first + step)))
            return true;
        if (behind + step <= own->last && is_left(plan, i, (uint32_t)(behind + step)))
            return true;
    }
    return false;
}

/* An entry that no connection can get is a mistake. */
static int check_reachable(const struct plan *plan, const char *where, unsigned i,
                           struct refusal *why)
{
    return is_reachable(plan, i)
               ? 0
               : refuse(why, where, "an entry in front of those that fit all its connections",
                        "no connection can get this entry: those before it take all that it fits");
}

int plan_refuse_kinds(const struct plan *plan, unsigned kinds, struct refusal *why)
{
    char where[WHERE_SIZE + 8];
    for (unsigned i = 0; i < plan->count; i++) {
        const struct entry *e = &plan->entries[i];
        unsigned of = KINDS_OVER(e->over);
        snprintf(where, sizeof where, "$.plan[%u].over", i);
        if (!(kinds & of)) {
            refuse(why, where, mode_kinds_name(kinds), "no listener here has %s",
                   mode_kinds_name(of));
            return MODE_NOT_HERE;
        }
        snprintf(where, sizeof where, "$.plan[%u].mode", i);
        int error = mode_refuse_kinds(e->program, kinds & of, where, why);
        if (error)
            return error;
    }
    return 0;
}

/* A connection of one kind: it may get each entry that fits, up to one that it surely gets. */
static void add_connection(const struct plan *plan, uint32_t number, unsigned kind,
                           struct exercise *out)
{
    for (unsigned i = 0; i < plan->count; i++) {
        const struct entry *e = &plan->entries[i];
        if (e->probability <= 0 || !(KINDS_OVER(e->over) & kind) ||
            !mode_range_has(&e->connections, number))
            continue;
        exercise_add(out, e->program, number, kind);
        if (e->probability >= 1)
            return;
    }
    exercise_add(out, plan->normal, number, kind);
}

void plan_exercise(const struct plan *plan, unsigned kinds, struct exercise *out)
{
    *out = (struct exercise){ 0 };
    for (uint32_t number = 1; number <= EXERCISE_CONNECTIONS; number++)
        for (unsigned kind = 1; kind <= KINDS_ALL; kind <<= 1)
            if (kinds & kind)
                add_connection(plan, number, kind, out);
}

/* --- The whole */

static const json_t *entry_at(const json_t *json, unsigned i, char where[WHERE_SIZE])
{
    if (!json_is_array(json)) {
        snprintf(where, WHERE_SIZE, "$.plan");
        return json;
    }
    snprintf(where, WHERE_SIZE, "$.plan[%u]", i);
    return json_array_get(json, i);
}

/* A capability that is missing does not end the reading: mistakes are said first. */
static int read_entries(const struct catalogue *catalogue, struct plan *plan, const json_t *json,
                        double scale, struct refusal *why)
{
    char where[WHERE_SIZE];
    struct refusal missing;
    bool is_missing = false;
    for (unsigned i = 0; i < plan->count; i++) {
        const json_t *given = entry_at(json, i, where);
        struct entry *e = &plan->entries[i];
        int error = read_entry(catalogue, where, given, scale, e, why);
        if (error == MODE_UNAVAILABLE) {
            if (!is_missing)
                missing = *why;
            is_missing = true;
            continue;
        }
        if (error)
            return error;
        if (!is_missing && (error = check_early(plan, where, i, why)))
            return error;
        if ((error = check_reachable(plan, where, i, why)))
            return error;
        if (json_array_append_new(plan->json, shown_entry(given, e)) != 0)
            return -ENOMEM;
    }
    if (is_missing)
        *why = missing;
    return is_missing ? MODE_UNAVAILABLE : 0;
}

int plan_compile(const struct catalogue *catalogue, const json_t *json, double scale, uint64_t seed,
                 struct plan **out, struct refusal *why)
{
    size_t count = json_is_object(json) ? 1 : json_array_size(json);
    if (count == 0 || count > PLAN_ENTRIES_MAX)
        return json_is_array(json)
                   ? refuse(why, "$.plan", "a list of 1 to 64 entries", "it has %zu entries", count)
                   : refuse(why, "$.plan", "a list of 1 to 64 entries", "this is no plan");
    struct plan *plan = create((unsigned)count);
    if (!plan)
        return -ENOMEM;
    plan->seed = seed;
    plan->json = json_array();
    int error = plan->json
                    ? catalogue_compile(catalogue, "normal", NULL, false, scale, &plan->normal, why)
                    : -ENOMEM;
    if (!error)
        error = read_entries(catalogue, plan, json, scale, why);
    if (error)
        plan_unref(plan);
    else
        *out = plan;
    return error;
}

/* --- Picking */

/* Whether chance picks the entry for this connection. */
static bool is_drawn(const struct plan *plan, unsigned entry, uint32_t number, uint64_t id)
{
    const uint64_t words[] = { number, entry, id };
    double probability = plan->entries[entry].probability;
    return probability >= 1 || draw(plan->seed, words, number ? 2 : 3) < probability;
}

int plan_pick(const struct plan *plan, uint32_t number, uint64_t id, unsigned over)
{
    for (unsigned i = 0; i < plan->count; i++) {
        const struct entry *e = &plan->entries[i];
        if (number ? !mode_range_has(&e->connections, number) : !e->any_connection)
            continue;
        if (!is_drawn(plan, i, number, id))
            continue;
        if (e->over != OVER_ALL && over == 0)
            return PLAN_LATER;
        if (e->over == OVER_ALL || (e->over & over))
            return (int)i;
    }
    return PLAN_NONE;
}

struct mode_program *plan_program(const struct plan *plan, int picked)
{
    return picked < 0 ? plan->normal : plan->entries[picked].program;
}

/* --- Looking */

bool plan_is_mode(const struct plan *plan)
{
    return plan->json == NULL;
}

struct mode_program *plan_only_mode(const struct plan *plan)
{
    return plan->count == 1 && !is_narrowed(&plan->entries[0]) ? plan->entries[0].program : NULL;
}

json_t *plan_json(const struct plan *plan)
{
    return plan->json;
}
