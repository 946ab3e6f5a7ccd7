/* trigger_read.c - reading a rule's trigger and what narrows it, by the rows of triggers.c. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mode/language.h"

/* The row and the members that a reader is about. */
struct reading {
    struct compiler *c;
    const struct path *at;
    const json_t *json;
    const struct trigger_row *trigger;
    struct mode_rule *rule;
};

static int read_on(struct compiler *c, const struct path *at, const json_t *json,
                   const struct trigger_row **out)
{
    const json_t *on = json_object_get(json, "on");
    struct path here = PATH_KEY(at, "on");
    struct name_list names = { .meant.word = json_string_value(on) };
    for (const struct trigger_row *row = trigger_rows; row->about; row++) {
        if (json_is_string(on) && strcmp(json_string_value(on), trigger_name(row)) == 0) {
            *out = row;
            return 0;
        }
        mode_names_add(&names, trigger_name(row));
    }
    char shown[SHOWN_SIZE];
    if (!on)
        return mode_refuse_at(c, &here, names.text, "it is missing: a rule says when it fires");
    mode_refuse_at(c, &here, names.text, "%s is not a trigger", mode_json_shown(on, shown));
    return refuse_meant(c->why, &names.meant);
}

/* A member that is not known, or does not go with the trigger. */
static int refuse_member(const struct reading *r, const char *key, bool known)
{
    struct path here = PATH_KEY(r->at, key);
    struct name_list allowed = { .meant.word = known ? NULL : key };
    mode_names_add(&allowed, "on");
    mode_names_add(&allowed, "do");
    for (unsigned i = 0; i < RULE_MEMBERS; i++)
        if (r->trigger->takes & TAKES(i))
            mode_names_add(&allowed, rule_member_rows[i].name);
    if (known)
        return mode_refuse_at(r->c, &here, allowed.text, "it does not go with the trigger \"%s\"",
                              trigger_name(r->trigger));
    mode_refuse_at(r->c, &here, allowed.text, "a rule has no such member");
    return refuse_meant(r->c->why, &allowed.meant);
}

/* The members a rule of this trigger must and may have; BAD_INPUT for another, or for none. */
static int check_members(const struct reading *r)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)r->json, key, value)
    {
        if (strcmp(key, "on") == 0 || strcmp(key, "do") == 0)
            continue;
        unsigned i = 0;
        while (i < RULE_MEMBERS && strcmp(rule_member_rows[i].name, key) != 0)
            i++;
        if (i == RULE_MEMBERS || !(r->trigger->takes & TAKES(i)))
            return refuse_member(r, key, i < RULE_MEMBERS);
    }
    for (unsigned i = 0; i < RULE_MEMBERS; i++) {
        struct path here = PATH_KEY(r->at, rule_member_rows[i].name);
        if ((r->trigger->requires & TAKES(i)) &&
            !json_object_get(r->json, rule_member_rows[i].name))
            return mode_refuse_at(r->c, &here, rule_member_rows[i].allowed,
                                  "it is missing: \"%s\" needs it", trigger_name(r->trigger));
    }
    return 0;
}

/* What a rule has for a member; NULL: nothing. *here becomes where. */
static const json_t *member(const struct reading *r, enum rule_member which, struct path *here)
{
    *here = PATH_KEY(r->at, rule_member_rows[which].name);
    return json_object_get(r->json, rule_member_rows[which].name);
}

/* A number, also as a text: a parameter of type text may be put in here. */
static int read_number(struct compiler *c, const struct path *at, const json_t *json, int64_t min,
                       int64_t max, int64_t *out)
{
    const struct arg_row row = { .name = at->key, .type = VALUE_INT, .min = min, .max = max };
    json_auto_t *number = json_is_string(json) ? value_from_text(VALUE_INT, json_string_value(json))
                                               : json_incref((json_t *)json);
    union mode_value value;
    int error = number ? value_read(c, at, &row, number, &value) : -ENOMEM;
    if (!error)
        *out = value.number;
    return error;
}

/* --- Places */

/* The table's row of this name; a name may continue with ":" where the row is counted. */
static const struct at_row *find_place(const struct at_row *rows, const char *name)
{
    for (; rows->name; rows++) {
        size_t len = strlen(rows->name);
        if (strcmp(name, rows->name) == 0 ||
            (rows->counted && strncmp(name, rows->name, len) == 0 && name[len] == ':'))
            return rows;
    }
    return NULL;
}

static int refuse_place(const struct reading *r, const struct path *here, const json_t *value)
{
    struct name_list names = { 0 };
    struct suggestions meant = { .word = json_string_value(value) };
    char text[64], shown[SHOWN_SIZE];
    for (const struct at_row *row = r->trigger->at; row->name; row++) {
        snprintf(text, sizeof text, row->counted ? "{\"%s\": N}" : "%s", row->name);
        mode_names_add(&names, text);
        suggest_offer(&meant, row->name);
    }
    mode_refuse_at(
        r->c, here, names.text, "%s is no %s of the trigger \"%s\"", mode_json_shown(value, shown),
        r->trigger->place == RULE_AT ? "place" : rule_member_rows[r->trigger->place].name,
        trigger_name(r->trigger));
    return refuse_meant(r->c->why, &meant);
}

/* "end", {"bytes": 700}, "bytes:700". */
static int read_at(const struct reading *r)
{
    struct path here, inside;
    const json_t *value = member(r, r->trigger->place, &here), *count = NULL;
    r->rule->slot = r->trigger->slot;
    if (!r->trigger->at)
        return 0;
    const char *name = value ? json_string_value(value) : r->trigger->default_at;
    if (json_is_object(value) && json_object_size(value) == 1) {
        void *only = json_object_iter((json_t *)value);
        name = json_object_iter_key(only);
        count = json_object_iter_value(only);
    }
    const struct at_row *row = name ? find_place(r->trigger->at, name) : NULL;
    bool with_count = count || (row && name[strlen(row->name)] == ':');
    if (!row || row->counted != with_count || (count && strcmp(name, row->name) != 0))
        return refuse_place(r, &here, value);
    r->rule->slot = row->slot;
    r->rule->place = row->counted ? 0 : (uint64_t)row->min;
    if (!row->counted)
        return 0;
    inside = PATH_KEY(&here, row->name);
    json_auto_t *text = count ? NULL : json_string(name + strlen(row->name) + 1);
    if (!count && !text)
        return -ENOMEM;
    int64_t place;
    int error = read_number(r->c, count ? &inside : &here, count ? count : text, row->min,
                            PLACE_MAX, &place);
    if (!error)
        r->rule->place = (uint64_t)place;
    return error;
}

/* --- Times, marks, narrowing */

static int read_duration(const struct reading *r, enum rule_member which, int64_t *out)
{
    static const struct arg_row duration = { .name = "duration", .type = VALUE_DURATION };
    struct path here;
    const json_t *value = member(r, which, &here);
    union mode_value ns = { 0 };
    int error = value ? value_read(r->c, &here, &duration, value, &ns) : 0;
    if (!error)
        *out = ns.number;
    return error;
}

static int read_mark(const struct reading *r, enum rule_member which, const char **out)
{
    struct path here;
    const json_t *value = member(r, which, &here);
    if (!value)
        return 0;
    char shown[SHOWN_SIZE];
    if (!json_is_string(value) || !mode_name_ok(json_string_value(value)))
        return mode_refuse_at(r->c, &here, rule_member_rows[which].allowed,
                              "%s cannot be a mark's name", mode_json_shown(value, shown));
    *out = program_text(r->c->program, json_string_value(value), json_string_length(value));
    return *out ? 0 : -ENOMEM;
}

static int read_over(const struct reading *r)
{
    static const struct arg_row over = { .name = "over",
                                         .type = VALUE_CHOICE,
                                         .choices = protocol_names };
    struct path here;
    const json_t *value = member(r, RULE_OVER, &here);
    r->rule->over = OVER_ALL;
    if (!value)
        return 0;
    union mode_value chosen;
    int error = value_read(r->c, &here, &over, value, &chosen);
    if (!error)
        r->rule->over = protocols[chosen.number].bit;
    return error;
}

/* A number or a range. strides: it may be of every so many-th. */
static int read_range(const struct reading *r, enum rule_member which, bool strides,
                      struct mode_range *out)
{
    struct path here;
    const json_t *value = member(r, which, &here);
    char number[24], shown[SHOWN_SIZE];
    const char *text = json_string_value(value);
    if (!value)
        return 0;
    if (json_is_integer(value)) {
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        text = number;
    }
    struct mode_range range;
    if (!text || !mode_range_parse(text, &range) || (!strides && range.every != 1))
        return mode_refuse_at(r->c, &here, rule_member_rows[which].allowed, "%s is not a range",
                              mode_json_shown(value, shown));
    *out = range;
    return 0;
}

static int read_nth(const struct reading *r)
{
    struct mode_range range = { r->trigger->nth_first, UINT32_MAX, 1 };
    int error = read_range(r, RULE_NTH, false, &range);
    if (error)
        return error;
    if (range.last < r->trigger->nth_first) {
        struct path here = PATH_KEY(r->at, "nth");
        return mode_refuse_at(r->c, &here, "2 or more", "\"%s\" is never about the first request",
                              trigger_name(r->trigger));
    }
    r->rule->nth_first = range.first > r->trigger->nth_first ? range.first : r->trigger->nth_first;
    r->rule->nth_last = range.last;
    return 0;
}

static int read_times(const struct reading *r)
{
    struct path here;
    const json_t *value = member(r, RULE_TIMES, &here);
    int64_t times = r->trigger->times;
    int error = value ? read_number(r->c, &here, value, 1, UINT32_MAX - 1, &times) : 0;
    if (!error)
        r->rule->times = (uint32_t)times;
    return error;
}

/* What cannot narrow a rule about what is late before there is a request, or a protocol. */
static int check_late(const struct reading *r)
{
    bool handshake = r->rule->slot == ON_LATE_HANDSHAKE, before = r->rule->slot == ON_LATE_NOTHING;
    struct path here;
    if ((handshake || before) && member(r, RULE_NTH, &here))
        return mode_refuse_at(r->c, &here, "it to be left out, or \"what\": head, body",
                              "no request has begun there");
    if (handshake && member(r, RULE_OVER, &here))
        return mode_refuse_at(r->c, &here, "it to be left out, or \"what\": nothing, head, body",
                              "the protocol is not known before TLS is established");
    return 0;
}

#define COUNT_MAX 10000

/* How often the client must say it, and how soon. */
static int read_counting(const struct reading *r)
{
    static const enum rule_member counting[] = { RULE_COUNT, RULE_WITHIN, RULE_SPACING };
    struct mode_rule *rule = r->rule;
    struct path here;
    int64_t count = 1;
    if (rule->slot != ON_PEER)
        return 0;
    for (size_t i = 0; i < sizeof counting / sizeof *counting; i++)
        if (rule->place >= FRAME_KINDS && member(r, counting[i], &here))
            return mode_refuse_at(r->c, &here, "it to be left out", "a client says this once");
    const json_t *value = member(r, RULE_COUNT, &here);
    int error = value ? read_number(r->c, &here, value, 1, COUNT_MAX, &count) : 0;
    rule->count = (uint32_t)count;
    if (!error)
        error = read_duration(r, RULE_WITHIN, &rule->within);
    if (!error)
        error = read_duration(r, RULE_SPACING, &rule->spacing);
    if (!error && count < 2 && member(r, RULE_WITHIN, &here))
        return mode_refuse_at(r->c, &here, "it with \"count\": 2 or more",
                              "within a time there must be several");
    return error;
}

/* Frames are of HTTP/2. */
static int check_said(const struct reading *r)
{
    struct path here = PATH_KEY(r->at, rule_member_rows[RULE_OVER].name);
    if (r->rule->slot != ON_PEER || r->rule->place >= FRAME_KINDS || r->rule->over == OVER_H2)
        return 0;
    return mode_refuse_at(r->c, &here, "\"h2\"", "only HTTP/2 has such a frame");
}

int trigger_read(struct compiler *c, const struct path *at, const json_t *json,
                 struct mode_rule *rule)
{
    struct reading r = { c, at, json, NULL, rule };
    int error = read_on(c, at, json, &r.trigger);
    if (error)
        return error;
    rule->on = (enum ledger_trigger)(r.trigger - trigger_rows);
    rule->connections = MODE_RANGE_ALL;
    error = check_members(&r);
    if (!error)
        error = read_at(&r);
    if (!error)
        error = check_late(&r);
    if (!error)
        error = read_duration(&r, RULE_AFTER, &rule->after);
    if (!error)
        error = read_mark(&r, RULE_NAME, &rule->mark);
    if (!error)
        error = read_mark(&r, RULE_UNLESS, &rule->unless);
    if (!error)
        error = read_over(&r);
    if (!error)
        error = check_said(&r);
    if (!error)
        error = read_counting(&r);
    if (!error)
        error = read_nth(&r);
    if (!error)
        error = read_duration(&r, RULE_IDLE, &rule->idle_before);
    if (!error)
        error = read_duration(&r, RULE_AGE, &rule->age);
    if (!error)
        error = read_range(&r, RULE_CONNECTION, true, &rule->connections);
    if (!error)
        error = read_times(&r);
    if (!error)
        error = narrow_read(c, at, json, rule);
    return error;
}
