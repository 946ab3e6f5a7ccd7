/* expect.c - lists of expectations read, with the place of what is wrong, and mitigations taken
 * apart into checks. */
#include "verdict/expect.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/duration.h"
#include "base/utf8.h"
#include "verdict/spelling.h"

const char *const expect_default[EXPECT_DEFAULT_COUNT] = { "recovered", "executed_once",
                                                           "user_wait", "no_storm" };

struct expect {
    json_t *list; /* each entry { NAME: { ... } } */
    struct expected *checks;
    size_t count;
};

/* Where something is: in JSON "$.expect[1].user_wait.max", in a text "user_wait;max". */
struct place {
    const char *text; /* NULL: JSON */
    size_t index;
};

static const char *place_of(const struct place *at, const char *name, const char *param,
                            char out[160])
{
    if (at->text)
        snprintf(out, 160, "%.60s%s%.60s", name && *name ? name : "expectation", param ? ";" : "",
                 param ? param : "");
    else
        snprintf(out, 160, "$.expect[%zu]%s%.60s%s%.60s", at->index, name ? "." : "",
                 name ? name : "", param ? "." : "", param ? param : "");
    return out;
}

/* --- Names */

static const struct mitigation_row *find_mitigation(const char *name)
{
    for (size_t i = 0; i < mitigation_count; i++) {
        if (strcmp(mitigation_rows[i].name, name) == 0)
            return &mitigation_rows[i];
    }
    return NULL;
}

static int find_check(const char *name)
{
    for (int i = 0; i < CHECK_COUNT; i++) {
        if (strcmp(check_rows[i].name, name) == 0)
            return i;
    }
    return -1;
}

static int refuse_name(const struct place *at, const char *name, struct refusal *why)
{
    struct suggestions meant = { .word = name };
    struct buf names = { 0 };
    char where[160];
    for (size_t i = 0; i < mitigation_count; i++) {
        suggest_offer(&meant, mitigation_rows[i].name);
        buf_printf(&names, "%s%s", i ? ", " : "one of ", mitigation_rows[i].name);
    }
    for (int i = 0; i < CHECK_COUNT; i++) {
        suggest_offer(&meant, check_rows[i].name);
        buf_printf(&names, ", %s", check_rows[i].name);
    }
    if (names.failed) {
        buf_free(&names);
        return -ENOMEM;
    }
    char allowed[sizeof why->allowed];
    snprintf(allowed, sizeof allowed, "%.*s", (int)buf_len(&names),
             (const char *)buf_bytes(&names));
    buf_free(&names);
    refuse(why, place_of(at, at->text ? name : NULL, NULL, where), allowed,
           "there is no check or mitigation \"%.60s\"", name);
    return refuse_meant(why, &meant);
}

/* --- Parameters */

/* Whether the part of a mitigation fixes it; then *value is what it says. */
static bool is_fixed(const struct part_row *part, const char *name, char value[32])
{
    size_t len = strlen(name);
    for (const char *at = part->fixed; at; at = strchr(at, ';') ? strchr(at, ';') + 1 : NULL) {
        if (strncmp(at, name, len) == 0 && at[len] == '=') {
            snprintf(value, 32, "%.*s", (int)strcspn(at + len + 1, ";"), at + len + 1);
            return true;
        }
    }
    return false;
}

static const struct param_row *param_of(enum check check, const char *name)
{
    const struct param_row *row = check_rows[check].params;
    while (row->name && strcmp(row->name, name) != 0)
        row++;
    return row->name ? row : NULL;
}

/* What is read: a check, or a mitigation with its parts. */
struct target {
    const char *name;
    const struct mitigation_row *mitigation;
    struct part_row own; /* of a check */
};

static const struct part_row *parts_of(const struct target *t, size_t *count)
{
    *count = t->mitigation ? t->mitigation->part_count : 1;
    return t->mitigation ? t->mitigation->parts : &t->own;
}

/* The parameter that users can give; the first of its parts that has it stands for all. */
static const struct param_row *find_param(const struct target *t, const char *name)
{
    size_t count;
    const struct part_row *parts = parts_of(t, &count);
    char value[32];
    for (size_t i = 0; i < count; i++) {
        const struct param_row *row = param_of(parts[i].check, name);
        if (row && !is_fixed(&parts[i], name, value))
            return row;
    }
    return NULL;
}

/* Calls each with a parameter that users can give. */
static void each_param(const struct target *t, void (*each)(void *, const struct param_row *),
                       void *context)
{
    size_t count;
    const struct part_row *parts = parts_of(t, &count);
    for (size_t i = 0; i < count; i++) {
        const struct param_row *row = check_rows[parts[i].check].params;
        for (; row->name; row++) {
            if (find_param(t, row->name) == row)
                each(context, row);
        }
    }
}

struct names {
    struct suggestions meant;
    struct buf text;
};

static void add_name(void *context, const struct param_row *row)
{
    struct names *names = context;
    suggest_offer(&names->meant, row->name);
    buf_printf(&names->text, "%s, ", row->name);
}

static int refuse_param(const struct place *at, const struct target *t, const char *param,
                        struct refusal *why)
{
    struct names names = { .meant.word = param };
    char where[160], allowed[160];
    each_param(t, add_name, &names);
    suggest_offer(&names.meant, FOR_NAME);
    buf_printf(&names.text, "%s", FOR_NAME);
    if (names.text.failed) {
        buf_free(&names.text);
        return -ENOMEM;
    }
    snprintf(allowed, sizeof allowed, "%.*s", (int)buf_len(&names.text),
             (const char *)buf_bytes(&names.text));
    buf_free(&names.text);
    refuse(why, place_of(at, t->name, param, where), allowed, "%s has no such parameter", t->name);
    return refuse_meant(why, &names.meant);
}

/* --- Values */

static int word_of(const struct param_row *row, const char *text, char allowed[160])
{
    size_t len = (size_t)snprintf(allowed, 160, "one of");
    for (int i = 0; row->words[i]; i++) {
        if (strcmp(row->words[i], text) == 0)
            return i;
        len += (size_t)snprintf(allowed + len, 160 - len, "%s%s", i ? ", " : " ", row->words[i]);
    }
    return -1;
}

/* A control character in a text would come out in reports. */
static bool is_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    }
    return len > 0 && len <= PARAM_TEXT_MAX;
}

#define TEXT_ALLOWED "a text of 1 to 200 bytes without control characters"

static int read_value(const struct param_row *row, const json_t *value, const char *where,
                      int64_t *number, char text[PARAM_TEXT_MAX + 1], struct refusal *why)
{
    const char *string = json_string_value(value);
    size_t len = json_string_length(value);
    char allowed[160];
    switch (row->kind) {
    case PARAM_SPAN:
        if (!string || duration_parse(string, len, number) != 0 || *number == DURATION_NEVER ||
            *number == 0)
            return refuse(why, where, "a duration above 0 such as \"250ms\", \"3s\", \"5m\"",
                          "this is no such duration");
        return 0;
    case PARAM_COUNT:
        *number = json_is_integer(value) ? json_integer_value(value) : -1;
        snprintf(allowed, sizeof allowed, "a whole number from %d to %d", row->least,
                 PARAM_COUNT_MAX);
        if (*number < row->least || *number > PARAM_COUNT_MAX)
            return refuse(why, where, allowed, "this is no such number");
        return 0;
    case PARAM_TEXT:
        if (!string || !is_plain(string, len))
            return refuse(why, where, TEXT_ALLOWED, "this is no such text");
        memcpy(text, string, len + 1);
        return 0;
    case PARAM_WORD:
        *number = string ? word_of(row, string, allowed) : -1;
        if (*number < 0)
            return word_of(row, "", allowed),
                   refuse(why, where, allowed, "this is none of its words");
        return 0;
    case PARAM_NONE:
        break;
    }
    return -EINVAL;
}

/* "GET /a*" or "/a*". */
static int read_for(const json_t *value, const char *where, struct expected *one,
                    struct refusal *why)
{
    const char *text = json_string_value(value), *path = text;
    size_t len = json_string_length(value);
    if (!text || !is_plain(text, len))
        return refuse(why, where, FOR_ALLOWED, "this is no method and path");
    size_t method = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-");
    if (method > 0) {
        if (method >= sizeof one->method || text[method] != ' ')
            return refuse(why, where, FOR_ALLOWED, "this is no method and path");
        memcpy(one->method, text, method);
        one->method[method] = 0;
        path = text + method + 1;
    }
    if (path[0] != '/' && strcmp(path, "*") != 0)
        return refuse(why, where, FOR_ALLOWED, "the path does not begin with \"/\"");
    snprintf(one->path, sizeof one->path, "%s", path);
    return 0;
}

/* --- Expectations */

/* The value of a parameter of a part: what the mitigation fixes, what the user gives, or its
 * default. */
static int fill_param(const struct target *t, const struct part_row *part, size_t place,
                      const json_t *given, const struct place *at, struct expected *one,
                      struct refusal *why)
{
    const struct param_row *row = &check_rows[part->check].params[place];
    const json_t *value = json_object_get(given, row->name);
    char fixed[32], where[160];
    const char *own = is_fixed(part, row->name, fixed) ? fixed : value ? NULL : row->initial;
    one->number[place] = PARAM_UNSET;
    if (!own && !value)
        return 0;
    json_t *made = !own                       ? NULL
                   : row->kind == PARAM_COUNT ? json_integer(strtol(own, NULL, 10))
                                              : json_string(own);
    if (own && !made)
        return -ENOMEM;
    int error = read_value(row, own ? made : value, place_of(at, t->name, row->name, where),
                           &one->number[place], one->text[place], why);
    json_decref(made);
    return error;
}

static int add_part(struct expect *e, const struct target *t, const struct part_row *part,
                    const json_t *given, const struct place *at, struct refusal *why)
{
    struct expected *one = &e->checks[e->count];
    *one = (struct expected){ .check = part->check, .of = t->mitigation, .index = at->index };
    for (size_t i = 0; check_rows[part->check].params[i].name; i++) {
        int error = fill_param(t, part, i, given, at, one, why);
        if (error)
            return error;
    }
    char where[160];
    const json_t *whom = json_object_get(given, FOR_NAME);
    int error = whom ? read_for(whom, place_of(at, t->name, FOR_NAME, where), one, why) : 0;
    if (!error)
        e->count++;
    return error;
}

/* `retries` with a min above its max can never pass. */
static int check_bounds(const struct expected *one, const struct place *at, struct refusal *why)
{
    char where[160];
    if (one->check != CHECK_RETRIES || one->number[0] <= one->number[1])
        return 0;
    return refuse(why, place_of(at, "retries", "min", where), "at most max", "it is above max");
}

static int read_one(struct expect *e, const char *name, const json_t *given, const struct place *at,
                    struct refusal *why)
{
    struct target t = { .name = name, .mitigation = find_mitigation(name) };
    char where[160];
    int check = find_check(name), error = 0;
    if (!t.mitigation && check < 0)
        return refuse_name(at, name, why);
    if (!json_is_object(given))
        return refuse(why, place_of(at, name, NULL, where), "an object of parameters",
                      "this is none");
    if (!t.mitigation)
        t.own.check = (enum check)check;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)given, key, value)
    {
        if (strcmp(key, FOR_NAME) != 0 && !find_param(&t, key))
            return refuse_param(at, &t, key, why);
    }
    size_t count;
    const struct part_row *parts = parts_of(&t, &count);
    for (size_t i = 0; i < count && !error; i++)
        error = add_part(e, &t, &parts[i], given, at, why);
    return error ? error : check_bounds(&e->checks[e->count - 1], at, why);
}

/* The name of an entry, and its parameters (a new reference). */
static int take_apart(const json_t *entry, const struct place *at, const char **name,
                      json_t **given, struct refusal *why)
{
    char where[160];
    if (json_is_string(entry)) {
        *name = json_string_value(entry);
        *given = json_object();
        return *given ? 0 : -ENOMEM;
    }
    if (!json_is_object(entry) || json_object_size(entry) != 1)
        return refuse(why, place_of(at, NULL, NULL, where),
                      "a name, or an object with one member: a name, with its parameters",
                      "an expectation is neither");
    void *it = json_object_iter((json_t *)entry);
    *name = json_object_iter_key(it);
    *given = json_incref(json_object_iter_value(it));
    return 0;
}

static int read_entry(struct expect *e, const json_t *entry, const struct place *at,
                      struct refusal *why)
{
    const char *name = NULL;
    json_t *given = NULL;
    int error = take_apart(entry, at, &name, &given, why);
    if (error)
        return error;
    error = read_one(e, name, given, at, why);
    json_t *kept = error ? NULL : json_deep_copy(given);
    if (!error && json_array_append_new(e->list, json_pack("{s:o}", name, kept)) != 0)
        error = -ENOMEM;
    json_decref(given);
    return error;
}

static struct expect *expect_create(size_t count)
{
    struct expect *e = calloc(1, sizeof *e);
    if (e && (e->list = json_array()) && (e->checks = calloc(count * PARTS_MAX, sizeof *e->checks)))
        return e;
    expect_free(e);
    return NULL;
}

void expect_free(struct expect *e)
{
    if (!e)
        return;
    json_decref(e->list);
    free(e->checks);
    free(e);
}

#define LIST_ALLOWED "a list of 1 to 32 checks and mitigations"

int expect_read(const json_t *list, struct expect **out, struct refusal *why)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count == 0 || count > EXPECT_MAX)
        return refuse(why, "$.expect", LIST_ALLOWED,
                      json_is_array(list) ? "it has %zu entries" : "this is no list", count);
    struct expect *e = expect_create(count);
    int error = e ? 0 : -ENOMEM;
    for (struct place at = { 0 }; at.index < count && !error; at.index++)
        error = read_entry(e, json_array_get(list, at.index), &at, why);
    if (error)
        expect_free(e);
    else
        *out = e;
    return error;
}

/* --- As text */

/* A count is a number in JSON; in a text all are texts. */
static json_t *value_of_text(const struct target *t, const char *key, const char *text, size_t len)
{
    const struct param_row *row = find_param(t, key);
    if (row && row->kind == PARAM_COUNT && len > 0 && len < 8 && strspn(text, "0123456789") >= len)
        return json_integer(strtol(text, NULL, 10));
    return json_stringn(text, len);
}

static int read_text_param(const char *text, size_t len, const struct target *t, json_t *params,
                           const struct place *at, struct refusal *why)
{
    char key[64] = "", where[160];
    const char *equals = memchr(text, '=', len);
    if (!equals || equals == text || (size_t)(equals - text) >= sizeof key)
        return refuse(why, place_of(at, t->name, NULL, where), "NAME;PARAMETER=VALUE;...",
                      "\"%.*s\" is no PARAMETER=VALUE", len < 40 ? (int)len : 40, text);
    memcpy(key, text, (size_t)(equals - text));
    if (json_object_get(params, key))
        return refuse(why, place_of(at, t->name, key, where), "each parameter once",
                      "it is there twice");
    json_t *value = value_of_text(t, key, equals + 1, (size_t)(text + len - equals - 1));
    return json_object_set_new(params, key, value) == 0 ? 0 : -ENOMEM;
}

static bool is_utf8(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0, step; i < len; i += step) {
        if ((step = utf8_sequence((const uint8_t *)text + i, len - i)) == 0)
            return false;
    }
    return true;
}

static int read_text(struct expect *e, const struct place *at, struct refusal *why)
{
    char name[64] = "", where[160];
    size_t len = strcspn(at->text, ";");
    if (!is_utf8(at->text))
        return refuse(why, place_of(at, NULL, NULL, where), "UTF-8", "this is no UTF-8");
    if (len == 0 || len >= sizeof name)
        return refuse(why, place_of(at, NULL, NULL, where), "NAME;PARAMETER=VALUE;...",
                      "it has no name");
    memcpy(name, at->text, len);
    struct target t = { .name = name, .mitigation = find_mitigation(name) };
    int check = find_check(name), error = 0;
    if (!t.mitigation && check < 0)
        return refuse_name(at, name, why);
    if (!t.mitigation)
        t.own.check = (enum check)check;
    json_t *params = json_object();
    for (const char *part = at->text + len; *part == ';' && params && !error; part += len) {
        len = strcspn(++part, ";");
        error = read_text_param(part, len, &t, params, at, why);
    }
    json_t *entry = params && !error ? json_pack("{s:O}", name, params) : NULL;
    if (!error)
        error = entry ? read_entry(e, entry, at, why) : -ENOMEM;
    json_decref(entry);
    json_decref(params);
    return error;
}

int expect_read_text(const char *const *texts, size_t count, struct expect **out,
                     struct refusal *why)
{
    if (count == 0 || count > EXPECT_MAX)
        return refuse(why, "expectations", LIST_ALLOWED, "there are %zu", count);
    struct expect *e = expect_create(count);
    int error = e ? 0 : -ENOMEM;
    for (size_t i = 0; i < count && !error; i++)
        error = read_text(e, &(struct place){ .text = texts[i], .index = i }, why);
    if (error)
        expect_free(e);
    else
        *out = e;
    return error;
}

/* --- Reading them */

int64_t expect_window(const struct expect *e)
{
    int64_t longest = 0;
    for (size_t i = 0; i < expect_count(e); i++) {
        const struct expected *one = expect_at(e, i);
        const struct param_row *param = check_rows[one->check].params;
        for (size_t k = 0; param[k].name; k++) {
            bool window = strcmp(param[k].name, "within") == 0 || strcmp(param[k].name, "max") == 0;
            if (window && param[k].kind == PARAM_SPAN && one->number[k] > longest)
                longest = one->number[k];
        }
    }
    return longest;
}

size_t expect_count(const struct expect *e)
{
    return e->count;
}

const struct expected *expect_at(const struct expect *e, size_t i)
{
    return i < e->count ? &e->checks[i] : NULL;
}

size_t expect_listed(const struct expect *e)
{
    return json_array_size(e->list);
}

const char *expect_name(const struct expect *e, size_t index)
{
    return json_object_iter_key(json_object_iter(json_array_get(e->list, index)));
}

json_t *expect_params(const struct expect *e, size_t index)
{
    return json_deep_copy(json_object_iter_value(json_object_iter(json_array_get(e->list, index))));
}

json_t *expect_json(const struct expect *e)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < expect_listed(e); i++) {
        json_t *params = expect_params(e, i);
        const char *name = expect_name(e, i);
        json_t *entry = !params                         ? NULL
                        : json_object_size(params) == 0 ? json_string(name)
                                                        : json_pack("{s:O}", name, params);
        json_decref(params);
        if (json_array_append_new(list, entry) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

bool expected_for(const struct expected *one, const char *method, const char *path)
{
    if (one->method[0] && strcmp(one->method, method) != 0)
        return false;
    if (!one->path[0])
        return true;
    /* Only "*" stands for anything. */
    char wanted[sizeof one->path + 3], asked[FOR_PATH_MAX + 3], pattern[2 * sizeof wanted];
    size_t len = 0;
    snprintf(wanted, sizeof wanted, "%s", one->path);
    snprintf(asked, sizeof asked, "%s", path);
    if (*wanted == '/' && *path == '/') {
        spelling_plain(one->path, strlen(one->path), wanted);
        spelling_plain(path, strnlen(path, FOR_PATH_MAX), asked);
    }
    for (const char *at = wanted; *at; at++) {
        if (strchr("?[]\\", *at))
            pattern[len++] = '\\';
        pattern[len++] = *at;
    }
    pattern[len] = 0;
    return fnmatch(pattern, asked, 0) == 0;
}
