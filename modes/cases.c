#include "modes/cases.h"

#include <errno.h>
#include <string.h>

#include "modes/catalogue_data.h"
#include "modes/language.h"

const char *const cases_members[] = { "name",      "summary", "reports", "client_sees", "over",
                                      "exercises", "plan",    "how",     NULL };

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
        name_list_add(&names, file->name);
    }
    refuse(why, "$.case", names.text, "no case is called \"%.*s\"", MODE_NAME_SIZE, name);
    refuse_meant(why, &names.meant);
    return MODE_UNKNOWN;
}
