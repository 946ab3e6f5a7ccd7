/* expect_rows.c - the rows of checks and mitigations, and the parameters of a check, as JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "verdict/expect.h"

static const char *const kinds[] = { [PARAM_NONE] = "",
                                     [PARAM_SPAN] = "duration",
                                     [PARAM_COUNT] = "count",
                                     [PARAM_TEXT] = "text",
                                     [PARAM_WORD] = "word" };

static json_t *param_json(const struct param_row *row)
{
    json_t *words = row->words ? json_array() : NULL;
    for (size_t i = 0; words && row->words[i]; i++)
        json_array_append_new(words, json_string(row->words[i]));
    json_t *initial = !row->initial              ? NULL
                      : row->kind == PARAM_COUNT ? json_integer(atoi(row->initial))
                                                 : json_string(row->initial);
    return json_pack("{s:s, s:s, s:o*, s:o*, s:s}", "name", row->name, "type", kinds[row->kind],
                     "default", initial, "words", words, "about", row->about);
}

static bool is_fixed(const char *fixed, const char *name)
{
    size_t len = strlen(name);
    const char *at = fixed ? strstr(fixed, name) : NULL;
    return at && at[len] == '=' && (at == fixed || at[-1] == ';');
}

/* The value that a part fixes, as JSON. */
static json_t *fixed_json(const struct part_row *part)
{
    json_t *out = json_object();
    const struct param_row *row = check_rows[part->check].params;
    for (; row->name; row++) {
        if (!is_fixed(part->fixed, row->name))
            continue;
        const char *value = strstr(part->fixed, row->name) + strlen(row->name) + 1;
        json_object_set_new(out, row->name,
                            row->kind == PARAM_COUNT ? json_integer(atoi(value))
                                                     : json_stringn(value, strcspn(value, ";")));
    }
    return out;
}

static bool has_param(const json_t *params, const char *name)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)params, i, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0)
            return true;
    }
    return false;
}

static void add_params(json_t *params, const struct part_row *part)
{
    const struct param_row *row = check_rows[part->check].params;
    for (; row->name; row++) {
        if (!is_fixed(part->fixed, row->name) && !has_param(params, row->name))
            json_array_append_new(params, param_json(row));
    }
}

static const struct param_row for_row = { FOR_NAME, PARAM_TEXT, NULL, FOR_ABOUT, NULL, 0 };

static json_t *check_json(enum check check)
{
    const struct check_row *row = &check_rows[check];
    json_t *params = json_array();
    add_params(params, &(struct part_row){ .check = check });
    json_array_append_new(params, param_json(&for_row));
    json_t *outcomes = json_pack("{s:s, s:s}", "pass", row->pass, "fail", row->fail);
    if (*row->na)
        json_object_set_new(outcomes, "n/a", json_string(row->na));
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "name", row->name, "kind", "check", "about",
                     row->about, "asks", row->asks, "params", params, "outcomes", outcomes);
}

static json_t *mitigation_json(const struct mitigation_row *row)
{
    json_t *params = json_array(), *checks = json_array();
    for (size_t i = 0; i < row->part_count; i++) {
        add_params(params, &row->parts[i]);
        json_array_append_new(checks,
                              json_pack("{s:s, s:o}", "check", check_rows[row->parts[i].check].name,
                                        "params", fixed_json(&row->parts[i])));
    }
    json_array_append_new(params, param_json(&for_row));
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "name", row->name, "kind", "mitigation",
                     "about", row->about, "asks", row->asks, "params", params, "checks", checks);
}

json_t *expect_list(void)
{
    json_t *list = json_array();
    int error = list ? 0 : -1;
    for (size_t i = 0; i < mitigation_count; i++)
        error |= json_array_append_new(list, mitigation_json(&mitigation_rows[i]));
    for (int i = 0; i < CHECK_COUNT; i++)
        error |= json_array_append_new(list, check_json((enum check)i));
    if (error) {
        json_decref(list);
        return NULL;
    }
    return list;
}

json_t *expected_params(const struct expected *one)
{
    json_t *out = json_object();
    const struct param_row *row = check_rows[one->check].params;
    int error = out ? 0 : -1;
    for (size_t i = 0; row[i].name; i++) {
        char text[DURATION_TEXT_SIZE];
        json_t *value = NULL;
        if (row[i].kind == PARAM_TEXT)
            value = json_string(one->text[i]);
        else if (one->number[i] == PARAM_UNSET)
            continue;
        else if (row[i].kind == PARAM_SPAN)
            value = duration_format(one->number[i], text) ? json_string(text) : NULL;
        else if (row[i].kind == PARAM_COUNT)
            value = json_integer(one->number[i]);
        else
            value = json_string(row[i].words[one->number[i]]);
        error |= json_object_set_new(out, row[i].name, value);
    }
    if (one->path[0])
        error |= json_object_set_new(
            out, FOR_NAME,
            json_sprintf("%s%s%s", one->method, one->method[0] ? " " : "", one->path));
    if (error) {
        json_decref(out);
        return NULL;
    }
    return out;
}
