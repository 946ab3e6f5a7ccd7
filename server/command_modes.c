/* command_modes.c - `hangup modes`: the catalogue, the cases and the language, on stdout. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "modes/cases.h"
#include "modes/catalogue.h"

#define EXIT_USAGE 2

static const char *text(const json_t *object, const char *member)
{
    const char *value = json_string_value(json_object_get(object, member));
    return value ? value : "";
}

static bool assumed(const json_t *mode)
{
    return json_is_true(json_object_get(mode, "assumed"));
}

/* "Exercises: a, b"; nothing when there are none. */
static void show_list(const char *title, const json_t *list)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) printf("%s%s", i ? ", " : title, json_string_value(item));
    if (json_array_size(list))
        putchar('\n');
}

static void show_json(const char *title, const json_t *value)
{
    char *shown = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);
    printf("\n%s:\n%s\n", title, shown ? shown : "");
    free(shown);
}

static int refused(const struct refusal *why)
{
    fprintf(stderr, "hangup modes: %s; allowed: %s\n", why->what, why->allowed);
    return EXIT_USAGE;
}

static int out_of_memory(void)
{
    fprintf(stderr, "hangup modes: out of memory\n");
    return EXIT_USAGE;
}

/* --- The catalogue */

static const struct {
    const char *name, *title;
} groups[] = {
    { "normal", "No misbehaviour" },
    { "idle", "While the connection is idle" },
    { "reuse", "When the connection is used again" },
    { "response", "In the response" },
    { "h2", "HTTP/2" },
    { "establishing", "While the connection is established" },
    { "scene", "Scenes: marks, and several connections" },
    { "profile", "Like real infrastructure" },
    { NULL, "Others" },
};
#define GROUPS (sizeof groups / sizeof *groups)

/* Its place in the table; the last one when it is not there. */
static size_t group_of(const json_t *mode)
{
    size_t i = 0;
    while (groups[i].name && strcmp(groups[i].name, text(mode, "group")) != 0)
        i++;
    return i;
}

/* How far the listing has got. */
struct listing {
    bool any, any_assumed;
};

static void list_group(const struct catalogue *c, size_t group, struct listing *l)
{
    const json_t *mode;
    bool titled = false;
    for (size_t i = 0; (mode = catalogue_at(c, i, NULL)); i++) {
        if (group_of(mode) != group)
            continue;
        if (!titled)
            printf("%s%s:\n", l->any ? "\n" : "", groups[group].title);
        printf("  %-22s %s%s\n", text(mode, "name"), text(mode, "summary"),
               assumed(mode) ? " [assumed]" : "");
        titled = l->any = true;
        l->any_assumed |= assumed(mode);
    }
}

static void list_modes(const struct catalogue *c)
{
    struct listing l = { 0 };
    for (size_t i = 0; i < GROUPS; i++)
        list_group(c, i, &l);
    if (l.any_assumed)
        printf("\n[assumed]: its times have a source; how it ends the connection is assumed.\n");
}

static void show_params(const json_t *mode)
{
    const char *name;
    json_t *param;
    json_object_foreach(json_object_get(mode, "params"), name, param)
    {
        char *value = json_dumps(json_object_get(param, "default"), JSON_ENCODE_ANY);
        char *allowed = json_dumps(json_object_get(param, "allowed"), JSON_COMPACT);
        printf("  %-10s %-9s default %-8s %s%s%s\n", name, text(param, "type"), value ? value : "",
               text(param, "about"), allowed ? "; one of " : "", allowed ? allowed : "");
        free(value);
        free(allowed);
    }
}

/* mode: with all that it extends put in; extends: what it extends, or "". */
static void show_mode(const json_t *mode, const char *extends)
{
    printf("%s: %s\n\n", text(mode, "name"), text(mode, "summary"));
    printf("The client sees: %s\nBasis: %s\n", text(mode, "client_sees"), text(mode, "basis"));
    if (assumed(mode))
        printf("Assumed: how it ends the connection; its times have a source\n");
    if (*extends)
        printf("Extends: %s, whose parameters and rules are shown here, too\n", extends);
    show_list("Exercises: ", json_object_get(mode, "exercises"));
    if (json_object_size(json_object_get(mode, "params"))) {
        printf("\nParameters (%s;NAME=VALUE;...):\n", text(mode, "name"));
        show_params(mode);
    }
    show_json("Rules", json_object_get(mode, "rules"));
}

static int show_one(const struct catalogue *c, const char *name)
{
    const json_t *written = catalogue_get(c, name);
    if (!written) {
        fprintf(stderr, "hangup modes: %s: no such mode; `hangup modes` lists them\n", name);
        return EXIT_USAGE;
    }
    json_auto_t *whole = catalogue_resolved(c, name);
    if (!whole)
        return out_of_memory();
    show_mode(whole, text(written, "extends"));
    return 0;
}

static int modes(const char *name)
{
    struct catalogue *c = catalogue_create();
    int status = 0;
    if (!c)
        return out_of_memory();
    if (name)
        status = show_one(c, name);
    else
        list_modes(c);
    catalogue_destroy(c);
    return status;
}

/* --- Cases */

/* One line an entry, as in the case's file. */
static void show_plan(const json_t *plan)
{
    size_t i;
    json_t *entry;
    printf("\nPlan:\n[\n");
    json_array_foreach(plan, i, entry)
    {
        char *shown = json_dumps(entry, 0);
        printf("  %s%s\n", shown ? shown : "", i + 1 < json_array_size(plan) ? "," : "");
        free(shown);
    }
    printf("]\n");
}

static int list_cases(void)
{
    for (size_t i = 0; i < cases_count(); i++) {
        json_auto_t *one = cases_at(i);
        if (!one)
            return out_of_memory();
        printf("%-36s %s\n", text(one, "name"), text(one, "summary"));
    }
    return 0;
}

static int show_case(const char *name)
{
    struct refusal why;
    json_auto_t *one = NULL;
    int error = cases_get(name, &one, &why);
    if (error)
        return error > 0 ? refused(&why) : out_of_memory();
    printf("%s: %s\n\n", text(one, "name"), text(one, "summary"));
    printf("The client sees: %s\nHow: %s\nOver: %s\n", text(one, "client_sees"), text(one, "how"),
           strcmp(text(one, "over"), "both") == 0 ? "h1, h2" : text(one, "over"));
    show_list("Reports: ", json_object_get(one, "reports"));
    show_list("Exercises: ", json_object_get(one, "exercises"));
    show_plan(json_object_get(one, "plan"));
    return 0;
}

/* --- The language */

static int show_language(void)
{
    json_auto_t *language = mode_language();
    if (!language)
        return out_of_memory();
    json_dumpf(language, stdout, JSON_INDENT(2));
    putchar('\n');
    return 0;
}

int command_modes(int argc, char **argv)
{
    if (argc == 0)
        return modes(NULL);
    if (argc == 2 && strcmp(argv[0], "--case") == 0)
        return show_case(argv[1]);
    if (argc == 1 && strcmp(argv[0], "--case") == 0) {
        fprintf(stderr, "hangup modes: --case: its NAME is missing\n");
        return EXIT_USAGE;
    }
    if (argc > 1) {
        fprintf(stderr, "hangup modes: %s: one NAME, --language, --cases or --case NAME at most\n",
                argv[1]);
        return EXIT_USAGE;
    }
    if (strcmp(argv[0], "--language") == 0)
        return show_language();
    if (strcmp(argv[0], "--cases") == 0)
        return list_cases();
    return modes(argv[0]);
}
