#include "mode/driver.h"

#include <stdio.h>
#include <string.h>

#include "mode/mode.h"

static const struct {
    const char *name;
    bool request, counted;
} words[DRIVER_WORDS] = {
    [DRIVER_GET] = { "get", true, true },
    [DRIVER_POST] = { "post", true, false },
    [DRIVER_POST_KEY] = { "post-key", true, false },
    [DRIVER_PAUSE] = { "pause", false, false },
    [DRIVER_BACKGROUND] = { "background", false, false },
    [DRIVER_FOREGROUND] = { "foreground", false, false },
};

const char *driver_word_name(enum driver_word word)
{
    return words[word].name;
}

/* "*N" behind a counted word. */
static bool read_times(const char *text, size_t len, unsigned *times)
{
    unsigned n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || n > DRIVER_TIMES_MAX)
            return false;
        n = n * 10 + (unsigned)(text[i] - '0');
    }
    *times = n;
    return len > 0 && text[0] != '0' && n <= DRIVER_TIMES_MAX;
}

static bool read_word(const char *text, size_t len, struct driver_step *out)
{
    for (unsigned i = 0; i < DRIVER_WORDS; i++) {
        size_t n = strlen(words[i].name);
        if (len < n || memcmp(text, words[i].name, n) != 0)
            continue;
        *out = (struct driver_step){ (enum driver_word)i, 1 };
        if (len == n)
            return true;
        if (words[i].counted && text[n] == '*')
            return read_times(text + n + 1, len - n - 1, &out->times);
    }
    return false;
}

static int refuse_word(const char *where, size_t number, const char *text, size_t len,
                       struct refusal *why)
{
    char word[MODE_NAME_SIZE];
    struct suggestions meant = { .word = word };
    snprintf(word, sizeof word, "%.*s", (int)(len < sizeof word ? len : sizeof word - 1), text);
    for (unsigned i = 0; i < DRIVER_WORDS; i++)
        suggest_offer(&meant, words[i].name);
    refuse(why, where, DRIVER_ALLOWED, "word %zu, \"%s\", is no step", number, word);
    return refuse_meant(why, &meant);
}

int driver_steps_read(const char *text, const char *where, struct driver_step out[DRIVER_STEPS_MAX],
                      size_t *count, struct refusal *why)
{
    struct driver_step steps[DRIVER_STEPS_MAX];
    size_t n = 0;
    for (const char *at = text + strspn(text, " "); *at; at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");
        if (n == DRIVER_STEPS_MAX)
            return refuse(why, where, "at most 64 steps", "there are too many steps");
        if (!read_word(at, len, &steps[n]))
            return refuse_word(where, n + 1, at, len, why);
        n++;
        at += len;
    }
    if (driver_requests(steps, n) == 0)
        return refuse(why, where, DRIVER_ALLOWED, "there is no request among the steps");
    memcpy(out, steps, n * sizeof *steps);
    *count = n;
    return 0;
}

size_t driver_requests(const struct driver_step *steps, size_t count)
{
    size_t requests = 0;
    for (size_t i = 0; i < count; i++)
        requests += words[steps[i].word].request ? steps[i].times : 0;
    return requests;
}

/* --- Expectations */

#define NAME_ALLOWED "\"NAME\", or {\"NAME\": {\"PARAMETER\": value}}"

static bool is_name(const char *name)
{
    return name && mode_name_ok(name);
}

static int check_expectation(const json_t *item, const char *where, struct refusal *why)
{
    if (is_name(json_string_value(item)))
        return 0;
    const char *name, *param;
    json_t *params = NULL, *value;
    json_object_foreach((json_t *)item, name, params)
    {
        if (json_object_size(item) != 1 || !is_name(name) || !json_is_object(params))
            return refuse(why, where, NAME_ALLOWED, "this is no expectation");
        json_object_foreach(params, param, value)
        {
            if (!json_is_string(value) && !json_is_number(value) && !json_is_boolean(value))
                return refuse(why, where, "a text, a number, true or false",
                              "the value of %.63s is neither", param);
        }
    }
    return params ? 0 : refuse(why, where, NAME_ALLOWED, "this is no expectation");
}

int driver_expect_check(const json_t *list, const char *where, struct refusal *why)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count == 0 || count > DRIVER_EXPECT_MAX)
        return refuse(why, where, "a list of 1 to 32 checks and mitigations",
                      "this is no list of expectations");
    for (size_t i = 0; i < count; i++) {
        char here[160];
        snprintf(here, sizeof here, "%s[%zu]", where, i);
        int error = check_expectation(json_array_get(list, i), here, why);
        if (error)
            return error;
    }
    return 0;
}
