/* command_modes.c - `hangup modes`: the catalogue, the cases, the suites and the language, on
 * stdout. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/option.h"
#include "mode/about.h"
#include "mode/cases.h"
#include "mode/catalogue.h"
#include "mode/suites.h"

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

/* What is expected of the client, as it is given on a command line. */
static void show_expect(const json_t *list)
{
    size_t i;
    json_t *item, *params, *value;
    const char *name, *param;
    json_array_foreach(list, i, item)
    {
        printf("%s", i ? ", " : "Expects: ");
        if (json_is_string(item))
            printf("%s", json_string_value(item));
        json_object_foreach(item, name, params)
        {
            printf("%s", name);
            json_object_foreach(params, param, value)
            {
                char *shown = json_dumps(value, JSON_ENCODE_ANY);
                printf(";%s=%s", param,
                       json_is_string(value) ? json_string_value(value)
                       : shown               ? shown
                                             : "");
                free(shown);
            }
        }
    }
    if (json_array_size(list))
        putchar('\n');
}

static void show_json(const char *title, const json_t *value)
{
    char *shown = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);
    printf("\n%s:\n%s\n", title, shown ? shown : "");
    free(shown);
}

static int out_of_memory(void)
{
    return command_error("modes", "out of memory");
}

/* --- The catalogue */

/* What the filters leave; NULL: not filtered. */
struct filter {
    const char *group, *over, *exercises;
};

static bool exercises(const json_t *mode, const char *mitigation)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(mode, "exercises"), i, item)
    {
        if (strcmp(json_string_value(item), mitigation) == 0)
            return true;
    }
    return false;
}

static bool passes(const struct filter *f, const json_t *whole)
{
    const struct protocol *protocol = f->over ? protocol_named(f->over) : NULL;
    unsigned over = protocol ? protocol->bit : OVER_ALL;
    return (!f->group || strcmp(text(whole, "group"), f->group) == 0) &&
           (mode_over(whole) & over) && (!f->exercises || exercises(whole, f->exercises));
}

/* The modes that pass, each whole and with "over" and "needs" added; NULL without memory. */
static json_t *whole_modes(const struct catalogue *c, const struct filter *f)
{
    const json_t *written;
    json_t *list = json_array();
    for (size_t i = 0; list && (written = catalogue_at(c, i, NULL)); i++) {
        json_auto_t *whole = catalogue_resolved(c, text(written, "name"));
        if (whole && !passes(f, whole))
            continue;
        if (*text(written, "extends"))
            json_object_set(whole, "extends", json_object_get(written, "extends"));
        if (!whole || json_object_set_new(whole, "over", mode_over_list(whole)) != 0 ||
            json_object_set_new(whole, "needs", mode_needs(whole)) != 0 ||
            json_array_append(list, whole) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* "CAP_NET_ADMIN", "CAP_NET_ADMIN, with how=black_hole"; "": it needs nothing. */
static const char *needs_text(const json_t *whole, char *out, size_t size)
{
    size_t i, used = 0;
    json_t *need;
    out[0] = '\0';
    json_array_foreach(json_object_get(whole, "needs"), i, need)
    {
        const char *with = text(need, "with");
        if (used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s%s", i ? "; " : "",
                                     text(need, "capability"), *with ? ", with " : "");
        if (used < size)
            used += (size_t)snprintf(out + used, size - used, "%s", with);
    }
    return out;
}

/* How far the listing has got. */
struct listing {
    bool any, any_assumed, any_needs;
};

static void list_group(const json_t *modes, const struct mode_group *group, struct listing *l)
{
    size_t i;
    json_t *mode;
    bool titled = false;
    json_array_foreach(modes, i, mode)
    {
        char needs[200];
        if (mode_group_of(mode) != group)
            continue;
        if (!titled)
            printf("%s%s:\n", l->any ? "\n" : "", group->title);
        needs_text(mode, needs, sizeof needs);
        printf("  %-22s %s%s%s%s%s\n", text(mode, "name"), text(mode, "summary"),
               assumed(mode) ? " [assumed]" : "", *needs ? " [" : "", needs, *needs ? "]" : "");
        titled = l->any = true;
        l->any_assumed |= assumed(mode);
        l->any_needs |= *needs != '\0';
    }
}

static void list_modes(const json_t *modes)
{
    struct listing l = { 0 };
    const struct mode_group *group = mode_groups;
    do
        list_group(modes, group, &l);
    while (group++->name);
    if (l.any_assumed || l.any_needs)
        putchar('\n');
    if (l.any_assumed)
        printf("[assumed]: some of it has no source; `hangup modes NAME` says what.\n");
    if (l.any_needs)
        printf(
            "[CAP_NET_ADMIN]: the server must have this capability of Linux; without it the mode "
            "is refused.\n");
    if (!l.any)
        printf("No mode is like that.\n");
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

/* Where a profile is known to differ from its server. */
static void show_differs(const json_t *list)
{
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one)
    {
        const json_t *tls = json_object_get(one, "tls");
        printf("%s", i ? "" : "Differs from its server:\n");
        show_list("  in: ", json_object_get(one, "situations"));
        printf("    ");
        if (*text(one, "over"))
            printf("over %s: ", text(one, "over"));
        if (tls)
            printf("%s: ", json_is_true(tls) ? "TLS" : "cleartext");
        if (json_object_get(one, "sometimes"))
            printf("by chance: ");
        puts(text(one, "why"));
    }
}

static void show_mode(const json_t *mode)
{
    char needs[200];
    const char *extends = text(mode, "extends");
    printf("%s: %s\n\n", text(mode, "name"), text(mode, "summary"));
    printf("The client sees: %s\nBasis: %s\n", text(mode, "client_sees"), text(mode, "basis"));
    if (assumed(mode))
        printf("Assumed: what its basis calls so has no source\n");
    show_differs(json_object_get(mode, "differs"));
    if (*extends)
        printf("Extends: %s, whose parameters and rules are shown here, too\n", extends);
    show_list("Exercises: ", json_object_get(mode, "exercises"));
    show_expect(json_object_get(mode, "expect"));
    show_list("Over: ", json_object_get(mode, "over"));
    if (*needs_text(mode, needs, sizeof needs))
        printf("Needs: %s\n", needs);
    if (json_object_size(json_object_get(mode, "params"))) {
        printf("\nParameters (%s;NAME=VALUE;...):\n", text(mode, "name"));
        show_params(mode);
    }
    if (json_object_size(json_object_get(mode, "closing")))
        show_json("Closing", json_object_get(mode, "closing"));
    show_json("Rules", json_object_get(mode, "rules"));
}

static int unknown_mode(const json_t *modes, const char *name)
{
    struct refusal why;
    struct suggestions meant = { .word = name };
    size_t i;
    json_t *mode;
    json_array_foreach(modes, i, mode) suggest_offer(&meant, text(mode, "name"));
    refuse(&why, name, "what `hangup modes` lists", "no such mode");
    refuse_meant(&why, &meant);
    return command_refused("modes", 1, &why);
}

static int show_one(const json_t *modes, const char *name)
{
    size_t i;
    json_t *mode;
    json_array_foreach(modes, i, mode)
    {
        if (strcmp(text(mode, "name"), name) != 0)
            continue;
        show_mode(mode);
        return 0;
    }
    return unknown_mode(modes, name);
}

static void show_as_json(json_t *modes)
{
    json_auto_t *all = json_pack("{s:[], s:O}", "groups", "modes", modes);
    for (const struct mode_group *group = mode_groups; group->name; group++)
        json_array_append_new(json_object_get(all, "groups"),
                              json_pack("{s:s, s:s}", "name", group->name, "title", group->title));
    json_dumpf(all, stdout, JSON_INDENT(1));
    putchar('\n');
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
    int error = cases_find(name, &one, &why);
    if (error > 0)
        refuse_in(&why, "--case", NULL);
    if (error)
        return command_refused("modes", error, &why);
    printf("%s: %s\n\n", text(one, "name"), text(one, "summary"));
    printf("The client sees: %s\nHow: %s\nOver: %s\n", text(one, "client_sees"), text(one, "how"),
           strcmp(text(one, "over"), "both") == 0 ? "h1, h2" : text(one, "over"));
    show_list("Reports: ", json_object_get(one, "reports"));
    show_list("Exercises: ", json_object_get(one, "exercises"));
    printf("Steps: %s\n", text(one, "steps"));
    show_expect(json_object_get(one, "expect"));
    show_plan(json_object_get(one, "plan"));
    return 0;
}

/* --- Suites */

static int list_suites(void)
{
    for (size_t i = 0; i < suites_count(); i++) {
        json_auto_t *one = suites_at(i);
        if (!one)
            return out_of_memory();
        printf("%-10s %s\n", text(one, "name"), text(one, "summary"));
    }
    return 0;
}

/* What a row sets: "idle-close;idle=500ms", "case 01-...", "a plan". */
static void show_row(const json_t *row)
{
    const char *param;
    json_t *value;
    printf("\n%s%s%s%s\n  ", text(row, "name"), *text(row, "over") ? ", over " : "",
           text(row, "over"), *text(row, "case") ? ", as the case is" : "");
    if (*text(row, "mode"))
        printf("%s", text(row, "mode"));
    else
        printf("%s", *text(row, "case") ? text(row, "case") : "a plan");
    json_object_foreach(json_object_get(row, "params"), param, value)
    {
        char *shown = json_dumps(value, JSON_ENCODE_ANY);
        printf(";%s=%s", param,
               json_is_string(value) ? json_string_value(value)
               : shown               ? shown
                                     : "");
        free(shown);
    }
    printf("\n  %s\n  ", text(row, "steps"));
    show_expect(json_object_get(row, "expect"));
    if (!json_object_get(row, "expect"))
        puts("Expects: what its user feels");
}

static int show_suite(const char *name)
{
    struct refusal why;
    json_auto_t *suite = NULL;
    struct catalogue *c = catalogue_create();
    int error = c ? suites_get(c, name, &suite, &why) : -ENOMEM;
    catalogue_destroy(c);
    if (error > 0)
        refuse_in(&why, "--suite", NULL);
    if (error)
        return command_refused("modes", error, &why);
    size_t i;
    json_t *row;
    printf("%s: %s\n", text(suite, "name"), text(suite, "summary"));
    json_array_foreach(json_object_get(suite, "rows"), i, row) show_row(row);
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

/* --- The arguments */

struct query {
    struct filter filter;
    const char *name, *case_name, *suite; /* at most one of these, or of the flags */
    bool language, cases, suites, json;
};

#define PLACE(member) offsetof(struct query, member)

static const struct option_row rows[] = {
    { "--group", "GROUP", "only these", OPTION_TEXT, PLACE(filter.group) },
    { "--over", "h1|h2", "only those of a protocol", OPTION_TEXT, PLACE(filter.over) },
    { "--exercises", "MITIGATION", "only what exercises it", OPTION_TEXT, PLACE(filter.exercises) },
    { "--json", NULL, "the list as JSON", OPTION_FLAG, PLACE(json) },
    { "--language", NULL, "what a mode can say, as JSON", OPTION_FLAG, PLACE(language) },
    { "--cases", NULL, "list the cases from real reports", OPTION_FLAG, PLACE(cases) },
    { "--case", "NAME", "show one", OPTION_TEXT, PLACE(case_name) },
    { "--suites", NULL, "list the suites", OPTION_FLAG, PLACE(suites) },
    { "--suite", "NAME", "show one", OPTION_TEXT, PLACE(suite) },
};
static const struct option_table table = { rows, sizeof rows / sizeof *rows, "hangup help modes" };

void modes_help(FILE *to)
{
    option_help(&table, to);
}

static int read_arguments(int argc, char **argv, struct query *out)
{
    struct refusal why;
    int error = option_read_all(&table, argc, argv, out, &out->name, "NAME", &why);
    if (error)
        return command_refused("modes", error, &why);
    bool filtered = out->filter.group || out->filter.over || out->filter.exercises || out->json;
    if ((out->name != NULL) + (out->case_name != NULL) + (out->suite != NULL) + out->language +
            out->cases + out->suites + filtered >
        1)
        return command_error("modes", "only one of NAME, --language, --cases, --case NAME, "
                                      "--suites, --suite NAME, or of a list with filters and "
                                      "--json");
    return 0;
}

/* What a filter can be asked for. */
struct words {
    const char *word[64];
    size_t count;
};

/* Unless it is there, or there is no more room. */
static void add_word(struct words *w, const char *word)
{
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->word[i], word) == 0)
            return;
    if (w->count < sizeof w->word / sizeof *w->word)
        w->word[w->count++] = word;
}

static int check_filter(const char *option, const char *value, const struct words *known)
{
    struct refusal why;
    struct suggestions meant = { .word = value };
    char allowed[sizeof why.allowed] = "";
    size_t used = 0;
    for (size_t i = 0; i < known->count; i++) {
        if (!value || strcmp(known->word[i], value) == 0)
            return 0;
        suggest_offer(&meant, known->word[i]);
        if (used < sizeof allowed)
            used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s%s", i ? ", " : "",
                                     known->word[i]);
    }
    refuse(&why, option, allowed, "\"%.150s\" is not known", value);
    refuse_meant(&why, &meant);
    return command_refused("modes", 1, &why);
}

static int check_filters(const struct filter *f, const json_t *modes)
{
    struct words over = { .count = 0 }, groups = { .count = 0 }, mitigations = { .count = 0 };
    size_t i, k;
    json_t *mode, *name;
    for (size_t p = 0; p < PROTOCOL_COUNT; p++)
        add_word(&over, protocol_names[p]);
    for (const struct mode_group *group = mode_groups; group->name; group++)
        add_word(&groups, group->name);
    json_array_foreach(modes, i, mode)
    {
        json_array_foreach(json_object_get(mode, "exercises"), k, name)
            add_word(&mitigations, json_string_value(name));
    }
    int status = check_filter("--group", f->group, &groups);
    if (!status)
        status = check_filter("--over", f->over, &over);
    return status ? status : check_filter("--exercises", f->exercises, &mitigations);
}

static int modes(const struct query *q)
{
    const struct filter none = { 0 };
    struct catalogue *c = catalogue_create();
    json_auto_t *all = c ? whole_modes(c, &none) : NULL;
    int status = all ? check_filters(&q->filter, all) : out_of_memory();
    json_auto_t *left = status ? NULL : whole_modes(c, &q->filter);
    catalogue_destroy(c);
    if (status)
        return status;
    if (!left)
        return out_of_memory();
    if (q->name)
        return show_one(left, q->name);
    if (q->json)
        show_as_json(left);
    else
        list_modes(left);
    return 0;
}

int command_modes(int argc, char **argv)
{
    struct query q = { 0 };
    int status = read_arguments(argc, argv, &q);
    if (status)
        return status;
    if (q.case_name)
        return show_case(q.case_name);
    if (q.suite)
        return show_suite(q.suite);
    if (q.suites)
        return list_suites();
    if (q.language)
        return show_language();
    return q.cases ? list_cases() : modes(&q);
}
