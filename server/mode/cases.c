#include "mode/cases.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mode/catalogue_data.h"
#include "mode/language.h"

const char *const cases_members[] = { "name",   "summary",   "reports", "client_sees",
                                      "over",   "exercises", "plan",    "steps",
                                      "expect", "how",       NULL };

static json_t *read_case(const struct catalogue_file *file)
{
    return json_loads(file->text, JSON_REJECT_DUPLICATES, NULL);
}

size_t cases_count(void)
{
    size_t n = 0;
    while (case_files[n].name)
        n++;
    return n;
}

json_t *cases_at(size_t i)
{
    return read_case(&case_files[i]);
}

static bool begins_with(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

/* Could the word mean the case of this name, "NN-..."? */
static bool could_mean(const char *word, const char *name)
{
    size_t digits = strspn(word, "0123456789");
    if (!*word)
        return false;
    if (!word[digits])
        return digits < 9 && atoi(word) == atoi(name);
    return begins_with(name, word) || begins_with(name + strspn(name, "0123456789-"), word);
}

int cases_find(const char *word, json_t **out, struct refusal *why)
{
    struct name_list names = { 0 };
    const char *only = word;
    size_t count = 0;
    for (const struct catalogue_file *file = case_files; file->name; file++) {
        if (strcmp(file->name, word) == 0)
            return cases_get(word, out, why);
        if (!could_mean(word, file->name))
            continue;
        mode_names_add(&names, file->name);
        only = file->name;
        count++;
    }
    if (count < 2)
        return cases_get(only, out, why);
    refuse(why, "$.case", names.text, "\"%.*s\" could be %zu cases", MODE_NAME_SIZE, word, count);
    return MODE_UNKNOWN;
}

int cases_get(const char *name, json_t **out, struct refusal *why)
{
    struct name_list names = { .meant.word = name };
    for (const struct catalogue_file *file = case_files; file->name; file++) {
        if (strcmp(file->name, name) == 0) {
            json_t *found = read_case(file);
            if (!found)
                return -ENOMEM;
            *out = found;
            return 0;
        }
        mode_names_add(&names, file->name);
    }
    refuse(why, "$.case", names.text, "no case is called \"%.*s\"", MODE_NAME_SIZE, name);
    refuse_meant(why, &names.meant);
    return MODE_UNKNOWN;
}
