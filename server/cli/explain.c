/* explain.c - `hangup prove --list` and `--explain NAME`: the checks and mitigations, from their
 * rows, with the modes that exercise them.
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "mode/catalogue.h"
#include "verdict/expect.h"

static const char *text(const json_t *object, const char *member)
{
    const char *value = json_string_value(json_object_get(object, member));
    return value ? value : "";
}

static bool is_mitigation(const json_t *row)
{
    return strcmp(text(row, "kind"), "mitigation") == 0;
}

#define WIDTH 98

/* Words up to the width, the lines behind the first with this indentation. column: where the first
 * begins. */
static void wrapped(const char *words, int indent, int column)
{
    while (*words) {
        int len = (int)strcspn(words, " ");
        if (column + len > WIDTH && column > indent) {
            printf("\n%*s", indent, "");
            column = indent;
        }
        printf("%.*s", len, words);
        column += len;
        words += len;
        if (*words == ' ') {
            words++;
            if (column + 1 + (int)strcspn(words, " ") <= WIDTH)
                putchar(' ');
            column++;
        }
    }
    putchar('\n');
}

static void titled(const char *title, int indent, const char *words)
{
    if (!*words)
        return;
    printf("%*s%s: ", indent, "", title);
    wrapped(words, indent + 2, indent + (int)strlen(title) + 2);
}

/* "recovered, retries;min=1;max=1" */
static void show_parts(const json_t *row, int indent)
{
    size_t i;
    json_t *part, *value;
    const char *name;
    struct buf out = { 0 };
    json_array_foreach(json_object_get(row, "checks"), i, part)
    {
        buf_printf(&out, "%s%s", i ? ", " : "", text(part, "check"));
        json_object_foreach(json_object_get(part, "params"), name, value)
        {
            if (json_is_string(value))
                buf_printf(&out, ";%s=%s", name, json_string_value(value));
            else
                buf_printf(&out, ";%s=%" JSON_INTEGER_FORMAT, name, json_integer_value(value));
        }
    }
    buf_add(&out, "", 1);
    titled("checks", indent, out.failed ? "" : (const char *)buf_bytes(&out));
    buf_free(&out);
}

/* The modes that say that they exercise it. */
static void show_modes(const struct catalogue *c, const char *name, int indent)
{
    const json_t *document;
    struct buf out = { 0 };
    for (size_t i = 0; (document = catalogue_at(c, i, NULL)); i++) {
        size_t k;
        json_t *each;
        json_auto_t *whole = catalogue_resolved(c, text(document, "name"));
        json_array_foreach(json_object_get(whole, "exercises"), k, each)
        {
            if (strcmp(json_string_value(each), name) == 0)
                buf_printf(&out, "%s%s", buf_len(&out) ? ", " : "", text(document, "name"));
        }
    }
    buf_add(&out, "", 1);
    titled("modes", indent, out.failed ? "" : (const char *)buf_bytes(&out));
    buf_free(&out);
}

static void list_kind(const struct catalogue *c, const json_t *list, bool mitigations)
{
    size_t i;
    json_t *row;
    json_array_foreach((json_t *)list, i, row)
    {
        if (is_mitigation(row) != mitigations)
            continue;
        printf("  %-23s", text(row, "name"));
        wrapped(text(row, "about"), 25, 25);
        if (!mitigations)
            continue;
        show_parts(row, 25);
        show_modes(c, text(row, "name"), 25);
    }
}

static void list_all(const struct catalogue *c, const json_t *list)
{
    struct buf standard = { 0 };
    puts("Mitigations, each a set of checks:");
    list_kind(c, list, true);
    puts("\nChecks:");
    list_kind(c, list, false);
    for (size_t i = 0; i < EXPECT_DEFAULT_COUNT; i++)
        buf_printf(&standard, "%s%s", i ? ", " : "", expect_default[i]);
    buf_add(&standard, "", 1);
    printf("\nWithout --expect: what the case or the mode expects, else %s.\n"
           "`hangup prove --explain NAME` says more of one.\n",
           standard.failed ? "" : (const char *)buf_bytes(&standard));
    buf_free(&standard);
}

/* --- One of them */

static void show_params(const json_t *row)
{
    size_t i, k;
    json_t *param, *word;
    printf("\nParameters (%s;NAME=VALUE;...):\n", text(row, "name"));
    json_array_foreach(json_object_get(row, "params"), i, param)
    {
        const json_t *initial = json_object_get(param, "default");
        printf("  %-10s%-10s", text(param, "name"), text(param, "type"));
        if (json_is_string(initial))
            printf("default %s: ", json_string_value(initial));
        else if (initial)
            printf("default %" JSON_INTEGER_FORMAT ": ", json_integer_value(initial));
        printf("%s", text(param, "about"));
        json_array_foreach(json_object_get(param, "words"), k, word)
            printf("%s%s", k ? ", " : "; one of ", json_string_value(word));
        putchar('\n');
    }
}

static void explain(const struct catalogue *c, const json_t *row)
{
    const json_t *outcomes = json_object_get(row, "outcomes");
    printf("%s: ", text(row, "name"));
    wrapped(text(row, "about"), 2, (int)strlen(text(row, "name")) + 2);
    putchar('\n');
    show_parts(row, 0);
    titled("asks of the test", 0, text(row, "asks"));
    titled("pass", 0, text(outcomes, "pass"));
    titled("fail", 0, text(outcomes, "fail"));
    titled("n/a", 0, text(outcomes, "n/a"));
    show_modes(c, text(row, "name"), 0);
    show_params(row);
}

static int unknown(const json_t *list, const char *name)
{
    struct refusal why;
    struct suggestions meant = { .word = name };
    size_t i;
    json_t *row;
    json_array_foreach((json_t *)list, i, row) suggest_offer(&meant, text(row, "name"));
    refuse(&why, "--explain", "what `hangup prove --list` lists",
           "there is no check or mitigation \"%.60s\"", name);
    refuse_meant(&why, &meant);
    return command_refused("prove", BAD_INPUT, &why);
}

int command_checks(const char *name)
{
    size_t i = 0;
    json_auto_t *list = expect_list();
    struct catalogue *c = catalogue_create();
    int status = 0;
    if (!list || !c) {
        status = command_error("prove", "out of memory");
    } else if (!name) {
        list_all(c, list);
    } else {
        while (i < json_array_size(list) &&
               strcmp(text(json_array_get(list, i), "name"), name) != 0)
            i++;
        if (i < json_array_size(list))
            explain(c, json_array_get(list, i));
        else
            status = unknown(list, name);
    }
    catalogue_destroy(c);
    return status;
}
