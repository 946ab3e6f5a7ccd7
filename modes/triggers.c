/* triggers.c - when a rule fires: the triggers, and what narrows them. */
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "modes/language.h"

const struct rule_member_row rule_member_rows[RULE_MEMBERS] = {
    [RULE_AT] = { "at", "where in the request or response", "one of the trigger's places" },
    [RULE_AFTER] = { "after", "how long it lasts before the rule fires", DURATION_ALLOWED },
    [RULE_OVER] = { "over", "only on connections of this protocol", "\"h1\" or \"h2\"" },
    [RULE_NTH] = { "nth", "only for these requests of the connection, counted from 1",
                   "a request's number (2), or a range as text (\"2\", \"2-4\", \"3-\")" },
    [RULE_TIMES] = { "times", "at most so often on one connection",
                     "an integer from 1 to 4294967294" },
};

static const struct at_row at_request[] = {
    { "first_byte", ON_FIRST_BYTE, "its first byte was read; nothing of it is known yet" },
    { "headers", ON_HEADERS, "its header section is complete" },
    { "complete", ON_COMPLETE, "its last byte was read" },
    { 0 },
};

static const struct at_row at_response[] = {
    { "start", ON_RESPONSE_START, "nothing of the response was sent yet" },
    { "end", ON_RESPONSE_END, "the response's last byte was handed to the kernel" },
    { 0 },
};

#define TAKES(member) (1u << (member))
#define ALWAYS        UINT32_MAX

const struct trigger_row trigger_rows[] = {
    { .name = "accept",
      .about = "the TCP connection was accepted; nothing was read",
      .slot = ON_ACCEPT,
      .takes = TAKES(RULE_TIMES),
      .times = ALWAYS },
    { .name = "handshake",
      .about = "TLS is established; never on a clear connection",
      .slot = ON_HANDSHAKE,
      .takes = TAKES(RULE_TIMES),
      .times = ALWAYS },
    { .name = "request",
      .about = "a request arrives",
      .at = at_request,
      .default_at = "complete",
      .takes = TAKES(RULE_AT) | TAKES(RULE_OVER) | TAKES(RULE_NTH) | TAKES(RULE_TIMES),
      .nth_first = 1,
      .times = ALWAYS },
    { .name = "reuse",
      .about = "a request arrives that is not the connection's first",
      .at = at_request,
      .default_at = "first_byte",
      .takes = TAKES(RULE_AT) | TAKES(RULE_OVER) | TAKES(RULE_NTH) | TAKES(RULE_TIMES),
      .nth_first = 2,
      .times = ALWAYS },
    { .name = "response",
      .about = "a response is sent",
      .at = at_response,
      .default_at = "end",
      .takes = TAKES(RULE_AT) | TAKES(RULE_OVER) | TAKES(RULE_NTH) | TAKES(RULE_TIMES),
      .nth_first = 1,
      .times = ALWAYS },
    { .name = "idle",
      .about = "the connection has been idle so long; once in each idle spell",
      .slot = ON_IDLE,
      .takes = TAKES(RULE_AFTER) | TAKES(RULE_OVER) | TAKES(RULE_TIMES),
      .needs_after = true,
      .times = ALWAYS },
    { .name = "age",
      .about = "the connection was accepted so long ago",
      .slot = ON_AGE,
      .takes = TAKES(RULE_AFTER) | TAKES(RULE_OVER) | TAKES(RULE_TIMES),
      .needs_after = true,
      .times = ALWAYS },
    { .name = "stale",
      .about = "bytes came after we ended or silenced the connection; once, unless times says more",
      .slot = ON_STALE,
      .takes = TAKES(RULE_OVER) | TAKES(RULE_TIMES),
      .times = 1 },
    { 0 },
};

static int read_on(struct compiler *c, const struct path *at, const json_t *json,
                   const struct trigger_row **out)
{
    const json_t *on = json_object_get(json, "on");
    struct path here = PATH_KEY(at, "on");
    struct name_list names = { 0 };
    for (const struct trigger_row *row = trigger_rows; row->name; row++) {
        if (json_is_string(on) && strcmp(json_string_value(on), row->name) == 0) {
            *out = row;
            return 0;
        }
        name_list_add(&names, row->name);
    }
    char shown[SHOWN_SIZE];
    return on ? refuse_at(c, &here, names.text, "%s is not a trigger", json_shown(on, shown))
              : refuse_at(c, &here, names.text, "it is missing: a rule says when it fires");
}

/* The members a rule of this trigger may have; BAD_INPUT for another. */
static int check_members(struct compiler *c, const struct path *at, const json_t *json,
                         const struct trigger_row *trigger)
{
    struct name_list allowed = { 0 };
    name_list_add(&allowed, "on");
    name_list_add(&allowed, "do");
    for (unsigned i = 0; i < RULE_MEMBERS; i++)
        if (trigger->takes & TAKES(i))
            name_list_add(&allowed, rule_member_rows[i].name);

    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value)
    {
        if (strcmp(key, "on") == 0 || strcmp(key, "do") == 0)
            continue;
        unsigned i = 0;
        while (i < RULE_MEMBERS && strcmp(rule_member_rows[i].name, key) != 0)
            i++;
        struct path here = PATH_KEY(at, key);
        if (i == RULE_MEMBERS)
            return refuse_at(c, &here, allowed.text, "a rule has no such member");
        if (!(trigger->takes & TAKES(i)))
            return refuse_at(c, &here, allowed.text, "it does not go with the trigger \"%s\"",
                             trigger->name);
    }
    return 0;
}

static int read_at(struct compiler *c, const struct path *at, const json_t *json,
                   const struct trigger_row *trigger, struct mode_rule *rule)
{
    rule->slot = trigger->slot;
    if (!trigger->at)
        return 0;
    const char *wanted = trigger->default_at;
    const json_t *value = json_object_get(json, "at");
    struct name_list names = { 0 };
    if (value)
        wanted = json_is_string(value) ? json_string_value(value) : "";
    for (const struct at_row *row = trigger->at; row->name; row++) {
        if (strcmp(wanted, row->name) == 0) {
            rule->slot = row->slot;
            return 0;
        }
        name_list_add(&names, row->name);
    }
    struct path here = PATH_KEY(at, "at");
    char shown[SHOWN_SIZE];
    return refuse_at(c, &here, names.text, "%s is no place of the trigger \"%s\"",
                     json_shown(value, shown), trigger->name);
}

static int read_after(struct compiler *c, const struct path *at, const json_t *json,
                      const struct trigger_row *trigger, struct mode_rule *rule)
{
    static const struct arg_row duration = { .name = "after", .type = VALUE_DURATION };
    const json_t *value = json_object_get(json, "after");
    struct path here = PATH_KEY(at, "after");
    if (!trigger->needs_after)
        return 0;
    if (!value)
        return refuse_at(c, &here, DURATION_ALLOWED, "it is missing: \"%s\" needs it",
                         trigger->name);
    union mode_value after;
    int error = value_read(c, &here, &duration, value, &after);
    if (!error)
        rule->after = after.number;
    return error;
}

static int read_over(struct compiler *c, const struct path *at, const json_t *json,
                     struct mode_rule *rule)
{
    static const char *const protocols[] = { "h1", "h2", NULL };
    static const struct arg_row over = { .name = "over",
                                         .type = VALUE_CHOICE,
                                         .choices = protocols };
    const json_t *value = json_object_get(json, "over");
    rule->over = OVER_BOTH;
    if (!value)
        return 0;
    struct path here = PATH_KEY(at, "over");
    union mode_value chosen;
    int error = value_read(c, &here, &over, value, &chosen);
    if (!error)
        rule->over = chosen.number == 0 ? OVER_H1 : OVER_H2;
    return error;
}

/* A number from 1, at *p; moves *p behind it. 0: there is none. */
static uint32_t read_number(const char **p)
{
    uint64_t number = 0;
    while (**p >= '0' && **p <= '9' && number <= UINT32_MAX)
        number = number * 10 + (uint64_t)(*(*p)++ - '0');
    return number <= UINT32_MAX ? (uint32_t)number : 0;
}

/* "2", "2-4", "3-". */
static bool parse_range(const char *text, uint32_t *first, uint32_t *last)
{
    *first = *last = read_number(&text);
    if (*text == '-') {
        text++;
        *last = *text ? read_number(&text) : UINT32_MAX;
    }
    return !*text && *first >= 1 && *last >= *first;
}

static int read_nth(struct compiler *c, const struct path *at, const json_t *json,
                    const struct trigger_row *trigger, struct mode_rule *rule)
{
    const json_t *value = json_object_get(json, "nth");
    rule->nth_first = trigger->nth_first;
    rule->nth_last = UINT32_MAX;
    if (!value)
        return 0;
    struct path here = PATH_KEY(at, "nth");
    char shown[SHOWN_SIZE];
    uint32_t first = 0, last = 0;
    int64_t number = json_integer_value(value);
    if (json_is_integer(value) && number >= 1 && number <= UINT32_MAX)
        first = last = (uint32_t)number;
    else if (!json_is_string(value) || !parse_range(json_string_value(value), &first, &last))
        return refuse_at(c, &here, rule_member_rows[RULE_NTH].allowed, "%s is not a range",
                         json_shown(value, shown));
    if (last < trigger->nth_first)
        return refuse_at(c, &here, "2 or more", "\"%s\" is never about the first request",
                         trigger->name);
    rule->nth_first = first > trigger->nth_first ? first : trigger->nth_first;
    rule->nth_last = last;
    return 0;
}

static int read_times(struct compiler *c, const struct path *at, const json_t *json,
                      const struct trigger_row *trigger, struct mode_rule *rule)
{
    static const struct arg_row count = {
        .name = "times", .type = VALUE_INT, .min = 1, .max = UINT32_MAX - 1
    };
    const json_t *value = json_object_get(json, "times");
    rule->times = trigger->times;
    if (!value)
        return 0;
    struct path here = PATH_KEY(at, "times");
    union mode_value times;
    int error = value_read(c, &here, &count, value, &times);
    if (!error)
        rule->times = (uint32_t)times.number;
    return error;
}

int trigger_read(struct compiler *c, const struct path *at, const json_t *json,
                 struct mode_rule *rule)
{
    const struct trigger_row *trigger = NULL;
    int error = read_on(c, at, json, &trigger);
    if (error)
        return error;
    rule->on = trigger->name;
    error = check_members(c, at, json, trigger);
    if (!error)
        error = read_at(c, at, json, trigger, rule);
    if (!error)
        error = read_after(c, at, json, trigger, rule);
    if (!error)
        error = read_over(c, at, json, rule);
    if (!error)
        error = read_nth(c, at, json, trigger, rule);
    if (!error)
        error = read_times(c, at, json, trigger, rule);
    return error;
}
