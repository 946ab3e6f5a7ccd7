/* catalogue.c - mode documents by name: built in, from a directory, from the API. */
#include "mode/catalogue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "mode/catalogue_data.h"
#include "mode/language.h"

#define USER_MODES_MAX 1024

struct entry {
    json_t *document; /* has been checked */
    bool built_in;
};

struct catalogue {
    struct entry *entries; /* by name, ascending */
    size_t count, size;
    uint64_t version;
};

static const char *name_of(const json_t *document)
{
    return json_string_value(json_object_get(document, "name"));
}

/* Where name is, or (*found false) where it belongs. */
static size_t find(const struct catalogue *c, const char *name, bool *found)
{
    size_t low = 0, high = c->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name_of(c->entries[middle].document), name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int reserve(struct catalogue *c, size_t more)
{
    if (c->count + more <= c->size)
        return 0;
    size_t size = (c->count + more) * 2;
    struct entry *entries = realloc(c->entries, size * sizeof *entries);
    if (!entries)
        return -ENOMEM;
    c->entries = entries;
    c->size = size;
    return 0;
}

/* Adds or replaces; room has been reserved. Takes the reference. */
static void insert(struct catalogue *c, json_t *document, bool built_in)
{
    bool found;
    size_t i = find(c, name_of(document), &found);
    c->version++;
    if (found) {
        json_decref(c->entries[i].document);
    } else {
        memmove(&c->entries[i + 1], &c->entries[i], (c->count - i) * sizeof *c->entries);
        c->count++;
    }
    c->entries[i] = (struct entry){ document, built_in };
}

struct catalogue *catalogue_create(void)
{
    struct catalogue *c = calloc(1, sizeof *c);
    for (const struct catalogue_file *file = catalogue_files; c && file->name; file++) {
        json_t *document = json_loads(file->text, JSON_REJECT_DUPLICATES, NULL);
        if (!document || reserve(c, 1) != 0) {
            json_decref(document);
            catalogue_destroy(c);
            return NULL;
        }
        insert(c, document, true);
    }
    return c;
}

void catalogue_destroy(struct catalogue *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        json_decref(c->entries[i].document);
    free(c->entries);
    free(c);
}

uint64_t catalogue_version(const struct catalogue *c)
{
    return c->version;
}

/* --- Making whole what extends another */

/* The catalogue as it would be with more documents. */
struct view {
    const struct catalogue *c;
    json_t *const *more;
    size_t count;
};

static bool is_more(const void *arg, const json_t *document)
{
    const struct view *view = arg;
    for (size_t i = 0; i < view->count; i++)
        if (view->more[i] == document)
            return true;
    return false;
}

static const json_t *find_in_view(const void *arg, const char *name)
{
    const struct view *view = arg;
    for (size_t i = 0; i < view->count; i++) {
        const char *each = name_of(view->more[i]);
        if (each && strcmp(each, name) == 0)
            return view->more[i];
    }
    return catalogue_get(view->c, name);
}

static int check_in_view(const struct view *view, const json_t *document, struct refusal *why)
{
    json_t *whole;
    size_t inherited;
    int error = extends_resolve(document, find_in_view, view, &whole, &inherited, why);
    if (error)
        return error;
    error = mode_check(whole, why);
    if (error == BAD_INPUT && why)
        extends_refused(document, inherited, why);
    json_decref(whole);
    return error;
}

/* Modes that stay, and extend one that is replaced, must stay right. */
static int check_dependents(const struct view *view, struct refusal *why)
{
    int error = 0;
    for (size_t i = 0; i < view->c->count && !error; i++) {
        const json_t *document = view->c->entries[i].document;
        if (find_in_view(view, name_of(document)) != document ||
            !extends_touches(document, find_in_view, view, is_more))
            continue;
        struct refusal inner = { 0 };
        error = check_in_view(view, document, &inner);
        if (error == BAD_INPUT)
            refuse(why, "$", "a mode that those can extend which do",
                   "\"%.63s\" extends it and would break: %.60s: %.80s", name_of(document),
                   inner.where, inner.what);
    }
    return error;
}

/* --- The tester's own */

/* A user mode must not take a built-in name, and its name must be what the caller calls it. */
static int check_name(const struct catalogue *c, const char *name, const json_t *document,
                      struct refusal *why)
{
    if (!name_of(document))
        return 0; /* which the compiler refuses */
    if (strcmp(name_of(document), name) != 0)
        return refuse(why, "$.name", name, "the mode calls itself \"%.63s\"", name_of(document));
    bool found;
    size_t i = find(c, name, &found);
    if (found && c->entries[i].built_in)
        return refuse(why, "$.name", "another name", "\"%s\" is a built-in mode", name);
    return 0;
}

int catalogue_put(struct catalogue *c, const char *name, const json_t *document,
                  struct refusal *why)
{
    json_t *copy = json_deep_copy(document);
    if (!copy)
        return -ENOMEM;
    const struct view view = { c, &copy, 1 };
    int error = check_name(c, name, copy, why);
    if (!error)
        error = check_in_view(&view, copy, why);
    if (!error)
        error = check_dependents(&view, why);
    if (!error && c->count >= USER_MODES_MAX && !catalogue_get(c, name))
        error = refuse(why, "$", "at most 1024 modes", "there are too many modes");
    if (!error)
        error = reserve(c, 1);
    if (error)
        json_decref(copy);
    else
        insert(c, copy, false);
    return error;
}

/* There are too many names to list them all. */
static int refuse_unknown(const struct catalogue *c, const char *name, struct refusal *why)
{
    struct suggestions meant = { .word = name };
    for (size_t i = 0; i < c->count; i++)
        suggest_offer(&meant, name_of(c->entries[i].document));
    refuse(why, "$.mode", "a name that `hangup modes` or GET /v1/modes lists",
           "no mode is called \"%.*s\"", MODE_NAME_SIZE, name);
    refuse_meant(why, &meant);
    return MODE_UNKNOWN;
}

int catalogue_remove(struct catalogue *c, const char *name, struct refusal *why)
{
    bool found;
    size_t i = find(c, name, &found);
    if (!found)
        return refuse_unknown(c, name, why);
    if (c->entries[i].built_in)
        return refuse(why, "$.name", "a mode of your own", "\"%s\" is a built-in mode", name);
    for (size_t k = 0; k < c->count; k++) {
        const json_t *other = c->entries[k].document;
        const char *base = json_string_value(json_object_get(other, "extends"));
        if (base && strcmp(base, name) == 0)
            return refuse(why, "$.name", "a mode that no other extends",
                          "\"%.63s\" extends it: remove that first", name_of(other));
    }
    json_decref(c->entries[i].document);
    c->version++;
    c->count--;
    memmove(&c->entries[i], &c->entries[i + 1], (c->count - i) * sizeof *c->entries);
    return 0;
}

/* --- A directory of modes */

static int is_mode_file(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

/* Reads and parses a file of bounded size. where: for the refusal. */
static int read_document(const char *path, const char *where, json_t **out, struct refusal *why)
{
    struct file text;
    int error = file_read(AT_FDCWD, path, MODE_DOCUMENT_MAX, FILE_REGULAR, &text);
    if (error)
        return file_refuse(error, NULL, where, "a readable file of at most 64 KiB", why);
    error = json_read(text.bytes, text.len, where, out, why);
    file_free(&text);
    return error;
}

/* Puts the file's name before the place of a refusal. */
static int refuse_in_file(struct refusal *why, const char *file, const struct refusal *inner)
{
    char where[sizeof inner->where * 3];
    snprintf(where, sizeof where, "%s: %s", file, inner->where);
    if (why)
        *why = *inner;
    return refuse_in(why, where, NULL);
}

static int load_file(const struct catalogue *c, const char *dir, const char *file, json_t **out,
                     struct refusal *why)
{
    char path[4096], name[256];
    if (snprintf(path, sizeof path, "%s/%s", dir, file) >= (int)sizeof path)
        return refuse(why, dir, "a shorter path", "the path is too long");
    snprintf(name, sizeof name, "%.*s", (int)(strlen(file) - 5), file);
    int error = read_document(path, file, out, why);
    struct refusal inner = { 0 };
    if (!error)
        error = check_name(c, name, *out, &inner);
    return error == BAD_INPUT && inner.where[0] ? refuse_in_file(why, file, &inner) : error;
}

/* Checks the documents of a directory's files, with each other and with the modes there are. */
static int check_files(const struct catalogue *c, struct dirent *const *files,
                       json_t *const *documents, size_t count, struct refusal *why)
{
    const struct view view = { c, documents, count };
    struct refusal inner = { 0 };
    int error = 0;
    for (size_t i = 0; i < count && !error; i++) {
        error = check_in_view(&view, documents[i], &inner);
        if (error == BAD_INPUT)
            refuse_in_file(why, files[i]->d_name, &inner);
    }
    return error ? error : check_dependents(&view, why);
}

int catalogue_load(struct catalogue *c, const char *dir, struct refusal *why)
{
    struct dirent **files = NULL;
    int count = scandir(dir, &files, is_mode_file, alphasort);
    if (count < 0)
        return errno == ENOMEM
                   ? -ENOMEM
                   : refuse(why, dir, "a directory of mode files", "%s", strerror(errno));
    json_t **documents = calloc((size_t)count + 1, sizeof *documents);
    int error = documents ? 0 : -ENOMEM;
    if (!error && c->count + (size_t)count > USER_MODES_MAX)
        error = refuse(why, dir, "at most 1024 modes", "there are too many modes");
    for (int i = 0; i < count && !error; i++)
        error = load_file(c, dir, files[i]->d_name, &documents[i], why);
    if (!error)
        error = check_files(c, files, documents, (size_t)count, why);
    if (!error)
        error = reserve(c, (size_t)count);
    for (int i = 0; i < count; i++) {
        if (!error)
            insert(c, documents[i], false);
        else if (documents)
            json_decref(documents[i]);
        free(files[i]);
    }
    free(files);
    free(documents);
    return error;
}

/* --- Looking, compiling */

const json_t *catalogue_get(const struct catalogue *c, const char *name)
{
    bool found;
    size_t i = find(c, name, &found);
    return found ? c->entries[i].document : NULL;
}

const json_t *catalogue_at(const struct catalogue *c, size_t i, bool *built_in)
{
    if (i >= c->count)
        return NULL;
    if (built_in)
        *built_in = c->entries[i].built_in;
    return c->entries[i].document;
}

static int resolve(const struct catalogue *c, const json_t *document, json_t **out,
                   struct refusal *why)
{
    const struct view view = { c, NULL, 0 };
    size_t inherited;
    return extends_resolve(document, find_in_view, &view, out, &inherited, why);
}

json_t *catalogue_resolved(const struct catalogue *c, const char *name)
{
    const json_t *document = catalogue_get(c, name);
    json_t *whole = NULL;
    return document && resolve(c, document, &whole, NULL) == 0 ? whole : NULL;
}

int catalogue_compile(const struct catalogue *c, const char *name, const json_t *params,
                      bool lenient, double scale, struct mode_program **out, struct refusal *why)
{
    const json_t *document = catalogue_get(c, name);
    if (!document)
        return refuse_unknown(c, name, why);
    json_t *whole;
    int error = resolve(c, document, &whole, why);
    if (error)
        return error;
    error = mode_compile(whole, params, lenient, scale, out, why);
    json_decref(whole);
    return error;
}

int catalogue_compile_text(const struct catalogue *c, const char *text, size_t len, double scale,
                           struct mode_program **out, struct refusal *why)
{
    char name[MODE_NAME_SIZE];
    json_t *params = NULL;
    int error = mode_parse_text(text, len, name, &params, why);
    if (error)
        return error;
    error = catalogue_compile(c, name, params, true, scale, out, why);
    json_decref(params);
    return error;
}
