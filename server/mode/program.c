/* program.c - a program's memory, and what all parts of the compiler say refusals with. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mode/language.h"

struct block {
    struct block *next;
    max_align_t bytes[];
};

struct program *program_create(void)
{
    struct program *program = calloc(1, sizeof *program);
    if (program)
        program->head.refs = 1;
    return program;
}

void *program_alloc(struct program *program, size_t size)
{
    struct block *block = calloc(1, sizeof *block + size);
    if (!block)
        return NULL;
    block->next = program->blocks;
    program->blocks = block;
    return block->bytes;
}

char *program_text(struct program *program, const char *text, size_t len)
{
    char *copy = program_alloc(program, len + 1);
    if (copy)
        memcpy(copy, text, len);
    return copy;
}

struct mode_program *mode_ref(struct mode_program *program)
{
    program->refs++;
    return program;
}

void mode_unref(struct mode_program *head)
{
    if (!head || --head->refs)
        return;
    struct program *program = (struct program *)head;
    while (program->blocks) {
        struct block *block = program->blocks;
        program->blocks = block->next;
        free(block);
    }
    free(program);
}

enum step_listener mode_step_listener(const struct mode_step *step)
{
    return step->row->listener;
}

enum ledger_step step_of(const struct step_row *row)
{
    return (enum ledger_step)(row - step_rows);
}

const char *step_name(const struct step_row *row)
{
    return ledger_word_name(F_STEP, step_of(row));
}

const char *trigger_name(const struct trigger_row *row)
{
    return ledger_word_name(F_TRIGGER, row - trigger_rows);
}

enum ledger_step mode_step_word(const struct mode_step *step)
{
    return step_of(step->row);
}

const char *mode_step_name(const struct mode_step *step)
{
    return step_name(step->row);
}

const char *mode_rule_on(const struct mode_rule *rule)
{
    return ledger_word_name(F_TRIGGER, rule->on);
}

int64_t mode_step_pause(const struct mode_step *step)
{
    return step->row->pauses ? step->arg[0].number : -1;
}

/* Writes the parents first. Cut when out is full. */
static size_t path_write(const struct path *path, char out[PATH_SIZE], size_t len)
{
    size_t left = PATH_SIZE - len;
    int n;
    if (!path->up) {
        n = snprintf(out, left, "%s", path->key);
    } else {
        len = path_write(path->up, out, len);
        left = PATH_SIZE - len;
        if (!path->key)
            n = snprintf(out + len, left, "[%zu]", path->index);
        else if (strpbrk(path->key, ".[]\" "))
            n = snprintf(out + len, left, "[\"%s\"]", path->key);
        else
            n = snprintf(out + len, left, ".%s", path->key);
    }
    return (size_t)n < left ? len + (size_t)n : PATH_SIZE - 1;
}

void mode_path_text(const struct path *path, char out[PATH_SIZE])
{
    out[0] = '\0';
    path_write(path, out, 0);
}

/* What the document has at a place, before values were put in; what is inside of a value is at the
 * place of the value. NULL: nothing. */
static const json_t *written_at(const struct compiler *c, const struct path *at)
{
    if (!at->up)
        return c->document;
    const json_t *in = written_at(c, at->up);
    if (json_is_string(in))
        return in;
    return at->key ? json_object_get(in, at->key) : json_array_get(in, at->index);
}

static bool is_in_rules(const struct path *at)
{
    while (at->up && at->up->up)
        at = at->up;
    return at->up && at->key && strcmp(at->key, "rules") == 0;
}

/* The parameter whose value makes the mistake at a place of the rules; NULL: none does. A default
 * of another type than text and choice is what its declaration asks for: then the rule that puts it
 * there is wrong. */
static const char *param_at(const struct compiler *c, const struct path *at)
{
    if (!c->document || !is_in_rules(at))
        return NULL;
    const char *text = json_string_value(written_at(c, at));
    if (!text || text[0] != '$' || !json_object_get(c->values, text + 1))
        return NULL;
    const json_t *declared = json_object_get(json_object_get(c->document, "params"), text + 1);
    const char *type = json_string_value(json_object_get(declared, "type"));
    bool is_free = type && (strcmp(type, "text") == 0 || strcmp(type, "choice") == 0);
    return is_free || json_object_get(c->given, text + 1) ? text + 1 : NULL;
}

int mode_refuse_at(struct compiler *c, const struct path *at, const char *allowed, const char *what,
                   ...)
{
    char where[PATH_SIZE], text[sizeof c->why->what];
    const char *param = param_at(c, at);
    const struct path root = PATH_KEY(NULL, "$"), params = PATH_KEY(&root, "params");
    const struct path of_param = PATH_KEY(&params, param ? param : "");
    const struct path its_default = PATH_KEY(&of_param, "default");
    if (param)
        at = json_object_get(c->given, param) ? &of_param : &its_default;
    mode_path_text(at, where);
    va_list args;
    va_start(args, what);
    vsnprintf(text, sizeof text, what, args);
    va_end(args);
    return refuse(c->why, where, allowed, "%s", text);
}

struct shown {
    char *text;
    size_t len;
    bool cut;
};

/* Takes what fits, and ends the dump when something did not. */
static int show_part(const char *part, size_t len, void *arg)
{
    struct shown *shown = arg;
    size_t room = SHOWN_SIZE - 1 - shown->len;
    shown->cut = len > room;
    if (shown->cut)
        len = room;
    memcpy(shown->text + shown->len, part, len);
    shown->len += len;
    return shown->cut ? -1 : 0;
}

/* Where a text of JSON with at least so many octets is cut: not within an escape. Returns whether
 * that is within a string. */
static bool cut_within_string(const char *text, size_t *len)
{
    bool in_string = false;
    size_t at = 0;
    for (;;) {
        size_t step = text[at] != '\\' ? 1 : text[at + 1] == 'u' ? 6 : 2;
        if (at + step > *len)
            break;
        in_string ^= text[at] == '"';
        at += step;
    }
    *len = at;
    return in_string;
}

/* Not json_dumpb: of a part that does not fit whole that puts out nothing. */
const char *mode_json_shown(const json_t *json, char out[SHOWN_SIZE])
{
    struct shown shown = { .text = out };
    int rc = json_dump_callback(json, show_part, &shown,
                                JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    if (rc != 0 && !shown.cut)
        return "this"; /* no memory */
    out[shown.len] = '\0';
    if (shown.cut) {
        shown.len = SHOWN_SIZE - sizeof "...\"";
        bool in_string = cut_within_string(out, &shown.len);
        strcpy(out + shown.len, in_string ? "...\"" : "...");
    }
    return out;
}

void mode_names_add(struct name_list *list, const char *name)
{
    size_t len = strlen(name), comma = list->len ? 2 : 0;
    suggest_offer(&list->meant, name);
    if (list->len + comma + len >= sizeof list->text)
        return;
    memcpy(list->text + list->len, ", ", comma);
    memcpy(list->text + list->len + comma, name, len + 1);
    list->len += comma + len;
}

bool mode_name_ok(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len < MODE_NAME_SIZE &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == len && name[0] != '-';
}
