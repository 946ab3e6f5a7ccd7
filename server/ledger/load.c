/* load.c - events from their JSON, as json.c wrote it: a saved ledger becomes a ledger again. */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "ledger/ledger.h"

/* The members that every event has or may have, beside those of its row. */
static bool is_head(const char *name)
{
    static const char *const heads[] = {
        "seq", "at", "ms", "event", "cut", "connection", "exchange"
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (strcmp(name, heads[i]) == 0)
            return true;
    return false;
}

static int refuse_member(struct refusal *why, const char *name, const char *allowed,
                         const char *what)
{
    char where[100];
    snprintf(where, sizeof where, "$.%.90s", name);
    return refuse(why, where, allowed, "%s", what);
}

/* Whether a row of members ("a b? c") has the name, and it must be there. */
static bool has_member(const char *row, const char *name, bool *required)
{
    size_t len = strlen(name);
    for (const char *at = row; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ?");
        bool optional = at[n] == '?';
        if (n == len && memcmp(at, name, n) == 0) {
            *required = !optional;
            return true;
        }
        at += n + optional;
    }
    return false;
}

static int find_field(const char *name)
{
    for (int f = 0; f < F_COUNT; f++)
        if (strcmp(ledger_field_name(f), name) == 0)
            return f;
    return -1;
}

static int find_event(const char *name)
{
    for (int e = 0; e < EV_COUNT; e++)
        if (strcmp(ledger_event_name(e), name) == 0)
            return e;
    return -1;
}

/* Milliseconds with three decimals, as number_ms writes them. */
static bool read_span(const json_t *value, int64_t *ns)
{
    double us = json_number_value(value) * 1000;
    if (!json_is_number(value) || !(us > -9e15 && us < 9e15))
        return false;
    *ns = (int64_t)(us < 0 ? us - 0.5 : us + 0.5) * NS_PER_US;
    return true;
}

/* --- Fields */

static int load_list(struct ledger *l, enum ledger_field field, const json_t *value)
{
    static char list[LEDGER_LIST_SIZE];
    size_t len = 0, i;
    const json_t *item;
    json_array_foreach(value, i, item)
    {
        if (!json_is_string(item))
            return BAD_INPUT;
        len =
            ledger_item(list, sizeof list, len, json_string_value(item), json_string_length(item));
    }
    ledger_bytes(l, field, list, len);
    return json_is_array(value) ? 0 : BAD_INPUT;
}

static int load_json(struct ledger *l, enum ledger_field field, const json_t *value)
{
    struct buf text = { 0 };
    int error = json_write(&text, value);
    if (!error)
        ledger_bytes(l, field, (const char *)buf_bytes(&text), buf_len(&text));
    buf_free(&text);
    return error;
}

static int load_word(struct ledger *l, enum ledger_field field, const json_t *value)
{
    int64_t word = json_is_string(value) ? ledger_word_find(field, json_string_value(value)) : -1;
    if (word < 0)
        return BAD_INPUT;
    ledger_word(l, field, word);
    return 0;
}

static int load_hash(struct ledger *l, enum ledger_field field, const json_t *value)
{
    uint8_t octets[sizeof(uint64_t)];
    uint64_t hash;
    if (json_string_length(value) != 2 * sizeof octets ||
        !hex_read(json_string_value(value), sizeof octets, octets))
        return BAD_INPUT;
    memcpy(&hash, octets, sizeof hash);
    ledger_hash(l, field, be64toh(hash));
    return 0;
}

static int load_number(struct ledger *l, enum ledger_field field, enum ledger_kind kind,
                       const json_t *value)
{
    int64_t number = 0;
    if (kind == LEDGER_SPAN   ? !read_span(value, &number)
        : kind == LEDGER_BOOL ? !json_is_boolean(value)
                              : !json_is_integer(value))
        return BAD_INPUT;
    if (kind == LEDGER_BOOL)
        number = json_is_true(value);
    else if (kind == LEDGER_INT)
        number = json_integer_value(value);
    ledger_int(l, field, number);
    return 0;
}

static int load_field(struct ledger *l, enum ledger_field field, const json_t *value)
{
    enum ledger_kind kind = ledger_field_kind(field);
    switch (kind) {
    case LEDGER_TEXT:
        if (!json_is_string(value))
            return BAD_INPUT;
        ledger_bytes(l, field, json_string_value(value), json_string_length(value));
        return 0;
    case LEDGER_WORD:
        return load_word(l, field, value);
    case LEDGER_HASH:
        return load_hash(l, field, value);
    case LEDGER_LIST:
        return load_list(l, field, value);
    case LEDGER_JSON:
        return load_json(l, field, value);
    case LEDGER_REAL:
        if (!json_is_number(value))
            return BAD_INPUT;
        ledger_real(l, field, json_number_value(value));
        return 0;
    default:
        return load_number(l, field, kind, value);
    }
}

/* What a field of this kind is in JSON. */
static const char *kind_name(enum ledger_kind kind)
{
    static const char *const names[] = {
        [LEDGER_INT] = "an integer",
        [LEDGER_TEXT] = "a string",
        [LEDGER_BOOL] = "true or false",
        [LEDGER_SPAN] = "milliseconds, a number",
        [LEDGER_REAL] = "a number",
        [LEDGER_LIST] = "an array of strings",
        [LEDGER_JSON] = "JSON",
        [LEDGER_WORD] = "a word that docs/ledger.md has",
        [LEDGER_HASH] = "16 hexadecimal digits",
    };
    return names[kind];
}

static int load_fields(struct ledger *l, const json_t *object, struct refusal *why)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        if (is_head(name))
            continue;
        enum ledger_field field = (enum ledger_field)find_field(name);
        int error = load_field(l, field, value);
        if (error == BAD_INPUT)
            return refuse_member(why, name, kind_name(ledger_field_kind(field)),
                                 "is not of its kind");
        if (error)
            return error;
    }
    return 0;
}

/* --- The head */

static int load_id(const json_t *object, const char *name, json_int_t max, uint64_t *id,
                   struct refusal *why)
{
    const json_t *value = json_object_get(object, name);
    *id = 0;
    if (!value)
        return 0;
    *id = (uint64_t)json_integer_value(value);
    if (json_is_integer(value) && json_integer_value(value) > 0 && json_integer_value(value) <= max)
        return 0;
    return refuse_member(why, name, "an integer from 1", "is none");
}

static int load_head(const struct ledger *l, const json_t *object, struct ledger_record *head,
                     struct refusal *why)
{
    const char *event = json_string_value(json_object_get(object, "event"));
    const char *at = json_string_value(json_object_get(object, "at"));
    const json_t *cut = json_object_get(object, "cut");
    uint64_t exchange;
    int found = event ? find_event(event) : -1;
    *head = (struct ledger_record){ .cut = json_is_true(cut) };
    if (found < 0)
        return refuse_member(why, "event", "an event that docs/ledger.md has",
                             event ? "is not known to this version" : "is missing");
    head->event = (enum ledger_event)found;
    if (!at || !clock_read_rfc3339(at, &head->wall))
        return refuse_member(why, "at", "a time as in 2026-01-02T03:04:05.123456Z", "is none");
    if (!read_span(json_object_get(object, "ms"), &head->age))
        return refuse_member(why, "ms", kind_name(LEDGER_SPAN), "is none");
    if (cut && !json_is_true(cut))
        return refuse_member(why, "cut", "true", "is something else");
    int error = load_id(object, "seq", INT64_MAX, &head->seq, why);
    if (!error)
        error = load_id(object, "connection", INT64_MAX, &head->connection, why);
    if (!error)
        error = load_id(object, "exchange", UINT32_MAX, &exchange, why);
    if (error)
        return error;
    head->exchange = (uint32_t)exchange;
    if (head->seq <= ledger_last(l))
        return refuse_member(why, "seq", "one above that of the event before", "does not rise");
    return 0;
}

/* Whether all members are of the event, and none is missing that it always has. */
static int check_members(const json_t *object, enum ledger_event event, struct refusal *why)
{
    const char *row = ledger_event_members(event), *name;
    json_t *value;
    bool required;
    json_object_foreach((json_t *)object, name, value)
    {
        bool head = is_head(name) && strcmp(name, "connection") && strcmp(name, "exchange");
        if (!head && !has_member(row, name, &required))
            return refuse_member(why, name, row, "is no member of this event");
    }
    for (const char *at = row; *at; at += strspn(at, " ")) {
        char member[64];
        size_t n = strcspn(at, " ?");
        snprintf(member, sizeof member, "%.*s", (int)n, at);
        if (at[n] != '?' && !json_object_get(object, member))
            return refuse_member(why, member, row, "is missing");
        at += n + (at[n] == '?');
    }
    return 0;
}

int ledger_load(struct ledger *l, const char *line, size_t len, struct refusal *why)
{
    json_error_t error;
    struct ledger_record head;
    json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!object && json_error_code(&error) == json_error_out_of_memory)
        return -ENOMEM;
    if (!json_is_object(object)) {
        json_decref(object);
        return refuse(why, "$", "one event of a ledger, a JSON object in a line", "%s",
                      object ? "this is JSON, but no object" : error.text);
    }
    int result = load_head(l, object, &head, why);
    if (!result)
        result = check_members(object, head.event, why);
    if (!result) {
        ledger_begin_again(l, &head);
        result = load_fields(l, object, why);
        if (result)
            ledger_abandon(l);
        else
            ledger_commit(l);
    }
    json_decref(object);
    return result;
}
