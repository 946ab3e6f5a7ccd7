#include "cli/option.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "engine/engine.h"
#include "run/run.h"

#define COUNT_MAX       1000000
#define SIZE_LIMIT      (UINT64_C(1) << 40)
#define FIELD_NAMES_MAX 16
#define WORDS_MAX       8 /* of an option that is one of them */

static int bad_value(struct refusal *why, const struct option_row *row, const char *value,
                     const char *allowed)
{
    return refuse(why, row->name, allowed, "\"%.150s\" is not a value for it", value);
}

static int set_scale(const struct option_row *row, const char *value, double *out,
                     struct refusal *why)
{
    char *end;
    double scale = strtod(value, &end);
    bool decimal = !value[strspn(value, "0123456789.eE+-")];
    if (end == value || *end || !decimal || !(scale >= RUN_SCALE_MIN && scale <= RUN_SCALE_MAX))
        return bad_value(why, row, value, "a number from 0.000001 to 1000000");
    *out = scale;
    return 0;
}

/* A whole number without a sign. False: it is none. */
static bool read_number(const char *value, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(value, &end, 10);
    return !errno && !*end && value[0] >= '0' && value[0] <= '9';
}

static int set_count(const struct option_row *row, const char *value, unsigned *out,
                     struct refusal *why)
{
    uint64_t n;
    if (!read_number(value, &n) || n == 0 || n > COUNT_MAX)
        return bad_value(why, row, value, "a whole number from 1 to 1000000");
    *out = (unsigned)n;
    return 0;
}

static int set_number(const struct option_row *row, const char *value, struct option_number *out,
                      struct refusal *why)
{
    uint64_t n;
    if (!read_number(value, &n) || n > RUN_SEED_MAX)
        return bad_value(why, row, value, "a whole number, at most 9007199254740992");
    *out = (struct option_number){ true, n };
    return 0;
}

static int set_size(const struct option_row *row, const char *value, size_t *out,
                    struct refusal *why)
{
    uint64_t n;
    if (!read_number(value, &n) || n > SIZE_LIMIT)
        return bad_value(why, row, value, "a whole number of bytes, at most 1099511627776");
    *out = n;
    return 0;
}

static int set_time(const struct option_row *row, const char *value, int64_t *out,
                    struct refusal *why)
{
    int64_t ns;
    bool span = row->kind == OPTION_SPAN;
    if (duration_parse(value, strlen(value), &ns) || (span && (ns == DURATION_NEVER || ns == 0)))
        return bad_value(why, row, value,
                         span ? "a duration such as \"250ms\", \"3s\" or \"5m\""
                              : DURATION_ALLOWED " or 0");
    *out = row->kind == OPTION_LIMIT && ns == DURATION_NEVER ? 0 : ns;
    return 0;
}

static int set_word(const struct option_row *row, const char *value, const char **out,
                    struct refusal *why)
{
    struct suggestions meant = { .word = value };
    char words[WORDS_MAX][16];
    size_t count = 0;
    for (const char *word = row->value; word && count < WORDS_MAX; word = strchr(word, '|')) {
        word += *word == '|';
        snprintf(words[count], sizeof words[count], "%.*s", (int)strcspn(word, "|"), word);
        if (strcmp(words[count], value) == 0) {
            *out = value;
            return 0;
        }
        suggest_offer(&meant, words[count++]);
    }
    bad_value(why, row, value, row->value);
    return refuse_meant(why, &meant);
}

static int add_text(const struct option_row *row, const char *value, struct option_texts *out,
                    unsigned most, struct refusal *why)
{
    char allowed[40];
    snprintf(allowed, sizeof allowed, "at most %u of them", most);
    if (out->count == most)
        return refuse(why, row->name, allowed, "there are too many of them");
    out->list[out->count++] = value;
    return 0;
}

static int add_field_name(const struct option_row *row, const char *value, struct option_texts *out,
                          struct refusal *why)
{
    if (!header_name_valid(value))
        return bad_value(why, row, value,
                         "the name of a header field: letters, digits and !#$%&'*+-.^_`|~");
    return add_text(row, value, out, FIELD_NAMES_MAX, why);
}

static int set(const struct option_row *row, const char *value, void *place, struct refusal *why)
{
    bool text = row->kind == OPTION_TEXT || row->kind == OPTION_TEXTS || row->kind == OPTION_WORD;
    if (text && !*value)
        return bad_value(why, row, value, row->value);
    switch (row->kind) {
    case OPTION_TEXT:
        *(const char **)place = value;
        return 0;
    case OPTION_TEXTS:
        return add_text(row, value, place, OPTION_TEXTS_MAX, why);
    case OPTION_FIELD_NAMES:
        return add_field_name(row, value, place, why);
    case OPTION_WORD:
        return set_word(row, value, place, why);
    case OPTION_SCALE:
        return set_scale(row, value, place, why);
    case OPTION_COUNT:
        return set_count(row, value, place, why);
    case OPTION_NUMBER:
        return set_number(row, value, place, why);
    case OPTION_SIZE:
        return set_size(row, value, place, why);
    case OPTION_SPAN:
    case OPTION_LIMIT:
    case OPTION_WAIT:
        return set_time(row, value, place, why);
    case OPTION_FLAG:
        *(bool *)place = true;
        return 0;
    }
    return -EINVAL;
}

/* "--name" or "--name=value": the row and, in the second form, the value. */
static const struct option_row *find(const struct option_table *table, const char *argument,
                                     const char **value)
{
    for (size_t i = 0; i < table->count; i++) {
        size_t len = strlen(table->rows[i].name);
        if (strncmp(argument, table->rows[i].name, len) != 0)
            continue;
        if (argument[len] == '\0' || argument[len] == '=') {
            *value = argument[len] ? argument + len + 1 : NULL;
            return &table->rows[i];
        }
    }
    return NULL;
}

static int refuse_unknown(const struct option_table *table, const char *argument,
                          struct refusal *why)
{
    char name[64], allowed[96];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(argument, "="), argument);
    snprintf(allowed, sizeof allowed, "the options that `%s` lists", table->help);
    struct suggestions meant = { .word = name };
    for (size_t i = 0; i < table->count; i++)
        suggest_offer(&meant, table->rows[i].name);
    refuse(why, argument, allowed, "there is no such option");
    return refuse_meant(why, &meant);
}

static bool is_list(const struct option_row *row)
{
    return row->kind == OPTION_TEXTS || row->kind == OPTION_FIELD_NAMES;
}

/* Whether it stands before argv[at], too. */
static bool is_given(const struct option_table *table, const struct option_row *row, char **argv,
                     int at)
{
    for (int i = 0; i < at; i++) {
        const char *value;
        const struct option_row *other = argv[i][0] == '-' ? find(table, argv[i], &value) : NULL;
        if (other == row)
            return true;
        i += other && other->kind != OPTION_FLAG && !value;
    }
    return false;
}

int option_read(const struct option_table *table, int argc, char **argv, int *at, void *out,
                struct refusal *why)
{
    const char *value;
    const struct option_row *row = find(table, argv[*at], &value);
    if (!row)
        return refuse_unknown(table, argv[*at], why);
    if (!is_list(row) && is_given(table, row, argv, *at))
        return refuse(why, row->name, "it once", "it is given twice");
    if (row->kind == OPTION_FLAG && value)
        return refuse(why, row->name, row->name, "it takes no value");
    if (row->kind != OPTION_FLAG && !value) {
        if (*at + 1 == argc || strcmp(argv[*at + 1], "--") == 0)
            return refuse(why, row->name, row->value, "its value is missing");
        value = argv[++*at];
    }
    ++*at;
    return set(row, value, (char *)out + row->place, why);
}

int option_read_all(const struct option_table *table, int argc, char **argv, void *out,
                    const char **word, const char *what, struct refusal *why)
{
    for (int at = 0, error = 0; at < argc;) {
        const char *argument = argv[at];
        if (!word || (argument[0] == '-' && argument[1])) {
            error = option_read(table, argc, argv, &at, out, why);
            if (error)
                return error;
            continue;
        }
        if (*word) {
            char allowed[40];
            snprintf(allowed, sizeof allowed, "one %s at most", what);
            return refuse(why, argument, allowed, "there is one already, %.100s", *word);
        }
        *word = argument;
        at++;
    }
    return 0;
}

void option_help(const struct option_table *table, FILE *to)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct option_row *row = &table->rows[i];
        char left[64];
        snprintf(left, sizeof left, "%s%s%s", row->name, row->value ? " " : "",
                 row->value ? row->value : "");
        fprintf(to, "  %-26s %s\n", left, row->about);
    }
}
