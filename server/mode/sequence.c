/* sequence.c - reading a list of steps: each by its row, and whether one can follow the others. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mode/language.h"

/* What the steps so far have made of the connection and the exchange. */
struct so_far {
    const struct step_row *ended;          /* by this step; NULL: it lives */
    const struct step_row *silent;         /* because of this one; NULL: it is not */
    const struct step_row *exchange_ended; /* no response can come, because of this one */
    bool waited;
};

static int find_row(struct compiler *c, const struct path *at, const char *name,
                    const struct step_row **out)
{
    struct name_list names = { .meant.word = name };
    for (const struct step_row *row = step_rows; row->about; row++) {
        if (strcmp(step_name(row), name) == 0) {
            *out = row;
            return 0;
        }
        mode_names_add(&names, step_name(row));
    }
    mode_refuse_at(c, at, names.text, "no step is called \"%.*s\"", MODE_NAME_SIZE, name);
    return refuse_meant(c->why, &names.meant);
}

void step_places(const struct step_row *row, void (*place)(void *arg, const char *name), void *arg)
{
    char text[64];
    for (const struct trigger_row *trigger = trigger_rows; trigger->about; trigger++) {
        if (!trigger->at && (row->slots & IN(trigger->slot)))
            place(arg, trigger_name(trigger));
        for (const struct at_row *at = trigger->at; at && at->name; at++) {
            snprintf(text, sizeof text, trigger->place == RULE_AT ? "%s at %s" : "%s %s",
                     trigger_name(trigger), at->name);
            if (row->slots & IN(at->slot))
                place(arg, text);
        }
    }
}

static void list_place(void *list, const char *name)
{
    mode_names_add(list, name);
}

/* The protocol is, or may be, one that has no such step. */
static int refuse_over(struct compiler *c, const struct path *at, const struct step_row *row,
                       unsigned slot)
{
    char names[PROTOCOL_LIST_SIZE], titles[PROTOCOL_LIST_SIZE], allowed[PROTOCOL_LIST_SIZE + 32];
    protocol_list_names(row->over, names);
    protocol_list_titles(row->over, titles);
    if (slot == SLOT_OF_DO)
        snprintf(allowed, sizeof allowed, "a connection that speaks %s", titles);
    else
        snprintf(allowed, sizeof allowed, "a rule with \"over\": %s", names);
    return mode_refuse_at(c, at, allowed, "\"%s\" exists in %s only", step_name(row), titles);
}

static int check_place(struct compiler *c, const struct path *at, const struct step_row *row,
                       unsigned slot, unsigned over)
{
    if (!(row->slots & (1u << slot))) {
        struct name_list places = { 0 };
        step_places(row, list_place, &places);
        const char *why = row->listener        ? "it acts on the listeners, not on a connection"
                          : slot == ON_LISTEN  ? "there is no connection here that it could act on"
                          : slot == SLOT_OF_DO ? "it acts on an exchange, and there is none here"
                          : IN(slot) & IN_MIDDLE ? "half of a response is out"
                          : row->in_exchange     ? "there is no exchange here that it could act on"
                          : slot == ON_STALE     ? "the connection has ended or is silent by then"
                                                 : "the connection is not ready for it yet";
        return mode_refuse_at(c, at,
                              slot == SLOT_OF_DO ? "steps that act on the connection" : places.text,
                              "\"%s\" does not fit here: %s", step_name(row), why);
    }
    return over & ~row->over ? refuse_over(c, at, row, slot) : 0;
}

static int check_order(struct compiler *c, const struct path *at, const struct step_row *row,
                       struct so_far *so_far)
{
    if (so_far->ended && so_far->ended->effect == EFFECT_DESTROYS)
        return mode_refuse_at(c, at, "nothing", "nothing can come after \"%s\"",
                              step_name(so_far->ended));
    if (so_far->ended && !row->after_end)
        return mode_refuse_at(c, at, "wait, rst", "\"%s\" means nothing after \"%s\"",
                              step_name(row), step_name(so_far->ended));
    if (so_far->silent && !row->while_silent)
        return mode_refuse_at(c, at, ledger_word_name(F_STEP, so_far->silent->resumed_by),
                              "\"%s\" means nothing after \"%s\"", step_name(row),
                              step_name(so_far->silent));
    if (so_far->silent && row->effect == EFFECT_RESUMES &&
        step_of(row) != so_far->silent->resumed_by)
        return mode_refuse_at(c, at, ledger_word_name(F_STEP, so_far->silent->resumed_by),
                              "\"%s\" does not end \"%s\"", step_name(row),
                              step_name(so_far->silent));
    if (row->in_exchange && so_far->waited && !row->beside)
        return mode_refuse_at(c, at, "delay in place of wait: it holds the response back",
                              "the response is on its way by the time of \"%s\", after \"wait\"",
                              step_name(row));
    if (row->in_exchange && so_far->exchange_ended)
        return mode_refuse_at(c, at, "steps that act on the connection",
                              "\"%s\" means nothing after \"%s\", which never answers",
                              step_name(row), step_name(so_far->exchange_ended));

    if (row->effect == EFFECT_ENDS || row->effect == EFFECT_DESTROYS)
        so_far->ended = row;
    if (row->effect == EFFECT_SILENCES)
        so_far->silent = row;
    if (row->effect == EFFECT_RESUMES)
        so_far->silent = NULL;
    so_far->waited = so_far->waited || (row->pauses && !row->gates);
    if ((row->gates && !row->pauses) || row->ends_exchange)
        so_far->exchange_ended = row;
    return 0;
}

/* A missing capability does not end the compiling: mistakes are said first. */
static void need_capabilities(struct compiler *c, const struct path *at, const char *step,
                              unsigned needs)
{
    if (c->any_machine || c->is_missing)
        return;
    for (unsigned cap = 0; cap < CAPABILITY_COUNT; cap++) {
        if (!(needs & (1u << cap)) || caps_have((enum capability)cap))
            continue;
        const struct capability_row *row = caps_row((enum capability)cap);
        char where[PATH_SIZE];
        mode_path_text(at, where);
        c->is_missing = true;
        refuse(&c->missing, where, row->needs, "\"%s\" needs %.*s, which is missing here%s%s", step,
               (int)strcspn(row->needs, " "), row->needs, row->why_not[0] ? ": " : "",
               row->why_not);
    }
}

/* Reads one argument into *out, and notes its JSON in force. value: as given; NULL: not given. */
static int read_arg(struct compiler *c, const struct path *at, const char *step,
                    const struct arg_row *arg, json_t *value, json_t *in_force,
                    union mode_value *out)
{
    if (!value && !arg->fallback)
        return arg->required ? mode_refuse_at(c, at, value_rows[arg->type].about,
                                              "it is missing: \"%s\" needs it", step)
                             : 0;
    json_auto_t *used = value ? json_incref(value) : value_fallback(arg);
    if (!used)
        return -ENOMEM;
    int error = value_read(c, at, arg, used, out);
    if (!error && json_object_set(in_force, arg->name, used) != 0)
        error = -ENOMEM;
    if (!error && arg->needs && out->number)
        need_capabilities(c, at, step, arg->needs);
    return error;
}

static int check_arg_names(struct compiler *c, const struct path *at, const struct step_row *row,
                           const json_t *args)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)args, key, value)
    {
        struct name_list names = { .meant.word = key };
        const struct arg_row *arg = row->args;
        while (arg->name && strcmp(arg->name, key) != 0)
            mode_names_add(&names, arg++->name);
        struct path here = PATH_KEY(at, key);
        if (arg->name)
            continue;
        mode_refuse_at(c, &here, names.len ? names.text : "no arguments",
                       "\"%s\" has no such argument", step_name(row));
        return refuse_meant(c->why, &names.meant);
    }
    return 0;
}

/* args: an object, a single value for a row with a shorthand, or NULL. at is where they are. */
static int read_args(struct compiler *c, const struct path *at, const json_t *args,
                     struct mode_step *step)
{
    const struct step_row *row = step->row;
    bool alone = args && !json_is_object(args);
    if (alone && !row->shorthand)
        return mode_refuse_at(c, at, "an object of arguments",
                              "the arguments of \"%s\" are not an object", step_name(row));
    int error = alone ? 0 : check_arg_names(c, at, row, args);
    json_auto_t *in_force = json_object();
    if (!error && !in_force)
        error = -ENOMEM;
    for (unsigned i = 0; !error && row->args[i].name; i++) {
        struct path here = PATH_KEY(at, row->args[i].name);
        json_t *value =
            alone ? (i == 0 ? (json_t *)args : NULL) : json_object_get(args, row->args[i].name);
        error = read_arg(c, alone ? at : &here, step_name(row), &row->args[i], value, in_force,
                         &step->arg[i]);
    }
    if (!error && row->build)
        error = row->build(c, at, step);
    if (error || !row->args[0].name)
        return error;
    size_t size = json_dumpb(in_force, NULL, 0, JSON_COMPACT);
    char *text = program_alloc(c->program, size + 1);
    step->arguments = text;
    return size && text && json_dumpb(in_force, text, size, JSON_COMPACT) ? 0 : -ENOMEM;
}

/* A step is "fin", or {"fin": arguments}. */
static int read_step(struct compiler *c, const struct path *at, const json_t *json,
                     struct path *named, const json_t **args, struct mode_step *step)
{
    *named = *at;
    *args = NULL;
    const char *name = json_string_value(json);
    if (json_is_object(json) && json_object_size(json) == 1) {
        void *only = json_object_iter((json_t *)json);
        name = json_object_iter_key(only);
        *args = json_object_iter_value(only);
        *named = PATH_KEY(at, name);
    }
    if (!name) {
        char shown[SHOWN_SIZE];
        return mode_refuse_at(c, at,
                              "\"fin\", or {\"fin\": {\"notify\": true}}, or {\"wait\": \"2s\"}",
                              "%s is not a step", mode_json_shown(json, shown));
    }
    return find_row(c, at, name, &step->row);
}

int steps_read(struct compiler *c, const struct path *at, const json_t *json, unsigned slot,
               struct mode_rule *rule)
{
    size_t count = json_array_size(json);
    if (count == 0 || count > MODE_STEPS_MAX)
        return json_is_array(json) && count
                   ? mode_refuse_at(c, at, "at most 64 steps", "%zu steps", count)
                   : mode_refuse_at(c, at, "a list of 1 to 64 steps",
                                    json ? "this is not a list of steps"
                                         : "it is missing: a rule says what to do");
    struct mode_step *steps = program_alloc(c->program, count * sizeof *steps);
    if (!steps)
        return -ENOMEM;
    struct so_far so_far = { 0 };
    c->over = rule->over;
    for (size_t i = 0; i < count; i++) {
        struct path here = PATH_INDEX(at, i), named;
        const json_t *args;
        int error = read_step(c, &here, json_array_get(json, i), &named, &args, &steps[i]);
        if (!error)
            error = check_place(c, &here, steps[i].row, slot, rule->over);
        if (!error)
            error = check_order(c, &here, steps[i].row, &so_far);
        if (!error)
            error = read_args(c, &named, args, &steps[i]);
        if (error)
            return error;
        need_capabilities(c, &here, step_name(steps[i].row), steps[i].row->needs);
    }
    rule->steps = steps;
    rule->step_count = (unsigned)count;
    return 0;
}
