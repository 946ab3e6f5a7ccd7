#include "endpoint/stubs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "endpoint/target.h"

#define SIDE_SUFFIX    ".meta.json"
#define SIDE_MAX_BYTES (64u * 1024)
#define OPTION         "--stubs"

struct row {
    char *path;
    struct stub *stub;
};

struct stubs {
    struct stub **stubs;
    size_t stub_count, stub_size;
    struct row *rows; /* sorted by path once loaded; an index file has up to three */
    size_t row_count, row_size;
};

/* What is known while the tree is walked. */
struct load {
    struct stubs *stubs;
    char root[PATH_MAX];
    size_t root_len;
    size_t bytes;
    unsigned visited;
    struct refusal *why;
};

static void stub_destroy(struct stub *stub)
{
    if (!stub)
        return;
    for (size_t i = 0; i < stub->header_count; i++) {
        free((char *)stub->headers[i].name);
        free((char *)stub->headers[i].value);
    }
    free(stub->headers);
    free(stub->allow);
    free(stub->body);
    free(stub);
}

void stubs_destroy(struct stubs *stubs)
{
    if (!stubs)
        return;
    for (size_t i = 0; i < stubs->row_count; i++)
        free(stubs->rows[i].path);
    for (size_t i = 0; i < stubs->stub_count; i++)
        stub_destroy(stubs->stubs[i]);
    free(stubs->rows);
    free(stubs->stubs);
    free(stubs);
}

static int grow(void **array, size_t count, size_t *size, size_t item)
{
    if (count < *size)
        return 0;
    size_t more = *size ? *size * 2 : 64;
    void *bigger = realloc(*array, more * item);
    if (!bigger)
        return -ENOMEM;
    *array = bigger;
    *size = more;
    return 0;
}

static int add_row(struct stubs *stubs, const char *path, size_t len, struct stub *stub)
{
    int rc = grow((void **)&stubs->rows, stubs->row_count, &stubs->row_size, sizeof *stubs->rows);
    char *copy = rc ? NULL : strndup(path, len);
    if (!copy)
        return -ENOMEM;
    stubs->rows[stubs->row_count++] = (struct row){ copy, stub };
    return 0;
}

/* The path itself; for an index file also its directory, with and without the last slash. */
static int add_rows(struct stubs *stubs, const char *path, const char *name, struct stub *stub)
{
    size_t len = strlen(path), dir = len - strlen(name);
    int rc = add_row(stubs, path, len, stub);
    bool index = strcmp(name, "index") == 0 || strcmp(name, "index.json") == 0 ||
                 strcmp(name, "index.html") == 0;
    if (!rc && index)
        rc = add_row(stubs, path, dir, stub);
    if (!rc && index && dir > 1)
        rc = add_row(stubs, path, dir - 1, stub);
    return rc;
}

static int cannot(const struct load *load, const char *path, int error)
{
    return file_refuse(-error, NULL, path, "", load->why);
}

/* Reads a regular file of at most max bytes. */
static int read_file(const struct load *load, const char *path, size_t max, struct file *out)
{
    char allowed[64];
    int error = file_read(AT_FDCWD, path, max, FILE_REGULAR, out);
    if (!error)
        return 0;
    if (error == FILE_TOO_LARGE)
        snprintf(allowed, sizeof allowed, "at most %zu more bytes", max);
    else
        snprintf(allowed, sizeof allowed, "%s",
                 error == FILE_NOT_REGULAR ? "regular files and directories" : "");
    return file_refuse(error, NULL, path, allowed, load->why);
}

static int apply_side_file(const struct load *load, struct stub *stub, const char *path,
                           const char *name)
{
    char side[PATH_MAX];
    if ((size_t)snprintf(side, sizeof side, "%s" SIDE_SUFFIX, path) >= sizeof side ||
        access(side, F_OK) < 0)
        return side_file_apply(stub, name, NULL, 0, side, load->why);
    struct file text;
    int rc = read_file(load, side, SIDE_MAX_BYTES, &text);
    if (rc)
        return rc;
    rc = side_file_apply(stub, name, text.bytes, text.len, side, load->why);
    file_free(&text);
    return rc;
}

static int add_file(struct load *load, const char *path, const char *name)
{
    struct stubs *stubs = load->stubs;
    const char *url = path + load->root_len;
    if (strlen(url) >= TARGET_PATH_SIZE)
        return refuse(load->why, path, "", "makes a path of more than %d bytes",
                      TARGET_PATH_SIZE - 1);
    if (grow((void **)&stubs->stubs, stubs->stub_count, &stubs->stub_size, sizeof *stubs->stubs))
        return -ENOMEM;
    struct stub *stub = calloc(1, sizeof *stub);
    if (!stub)
        return -ENOMEM;
    stubs->stubs[stubs->stub_count++] = stub;
    struct file body;
    int rc = read_file(load, path, STUBS_MAX_BYTES - load->bytes, &body);
    if (!rc) {
        stub->body = body.bytes;
        stub->body_len = body.len;
        load->bytes += body.len;
        rc = apply_side_file(load, stub, path, name);
    }
    return rc ? rc : add_rows(stubs, url, name, stub);
}

static bool is_side_file(const char *name)
{
    size_t len = strlen(name), suffix = sizeof SIDE_SUFFIX - 1;
    return len > suffix && strcmp(name + len - suffix, SIDE_SUFFIX) == 0;
}

static int check_side_file(const struct load *load, const char *path)
{
    char file[PATH_MAX];
    snprintf(file, sizeof file, "%.*s", (int)(strlen(path) - (sizeof SIDE_SUFFIX - 1)), path);
    struct stat info;
    if (stat(file, &info) == 0 && S_ISREG(info.st_mode))
        return 0;
    return refuse(load->why, path, "NAME" SIDE_SUFFIX " beside a file NAME, which may be empty",
                  "describes a file that is not there");
}

/* Follows a symbolic link only to somewhere inside the tree. */
static int check_link(const struct load *load, const char *path)
{
    char real[PATH_MAX];
    if (!realpath(path, real))
        return cannot(load, path, errno);
    if (strncmp(real, load->root, load->root_len) == 0 &&
        (real[load->root_len] == '/' || real[load->root_len] == '\0'))
        return 0;
    return refuse(load->why, path, "links to somewhere inside the directory",
                  "is a symbolic link out of the directory");
}

static int check_name(const struct load *load, const char *path, const char *name)
{
    for (const char *c = name; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '\\')
            return refuse(load->why, path, "names without backslashes and control characters",
                          "has a name that no request could ask for");
    }
    return 0;
}

static int walk(struct load *load, const char *dir, unsigned depth);

static int add_entry(struct load *load, const char *dir, const char *name, unsigned depth)
{
    char path[PATH_MAX];
    struct stat info;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path)
        return refuse(load->why, dir, "", "has a path that is too long");
    if (++load->visited > STUBS_MAX_FILES)
        return refuse(load->why, OPTION, "", "has more than %d files", STUBS_MAX_FILES);
    int rc = check_name(load, path, name);
    if (!rc && lstat(path, &info) < 0)
        rc = cannot(load, path, errno);
    if (!rc && S_ISLNK(info.st_mode)) {
        rc = check_link(load, path);
        if (!rc && stat(path, &info) < 0)
            rc = cannot(load, path, errno);
    }
    if (rc)
        return rc;
    if (S_ISDIR(info.st_mode))
        return walk(load, path, depth + 1);
    return is_side_file(name) ? check_side_file(load, path) : add_file(load, path, name);
}

/* Hidden files are an editor's or a desktop's, but for the one directory that clients ask for. */
static bool is_served(const char *name)
{
    return name[0] != '.' || strcmp(name, ".well-known") == 0;
}

static int walk(struct load *load, const char *dir, unsigned depth)
{
    if (depth > STUBS_MAX_DEPTH)
        return refuse(load->why, dir, "", "is more than %d directories deep (a link to itself?)",
                      STUBS_MAX_DEPTH);
    DIR *stream = opendir(dir);
    if (!stream)
        return cannot(load, dir, errno);
    int rc = 0;
    while (!rc) {
        errno = 0;
        struct dirent *entry = readdir(stream);
        if (!entry) {
            rc = errno ? cannot(load, dir, errno) : 0;
            break;
        }
        if (is_served(entry->d_name))
            rc = add_entry(load, dir, entry->d_name, depth);
    }
    closedir(stream);
    return rc;
}

static int compare_rows(const void *a, const void *b)
{
    return strcmp(((const struct row *)a)->path, ((const struct row *)b)->path);
}

static int sort_rows(struct load *load)
{
    struct stubs *stubs = load->stubs;
    if (stubs->row_count)
        qsort(stubs->rows, stubs->row_count, sizeof *stubs->rows, compare_rows);
    for (size_t i = 1; i < stubs->row_count; i++) {
        const char *path = stubs->rows[i].path;
        if (strcmp(stubs->rows[i - 1].path, path) == 0)
            return refuse(load->why, path, "one of index, index.json and index.html in a directory",
                          "is the path of two files");
    }
    return 0;
}

int stubs_load(const char *dir, struct stubs **out, struct refusal *why)
{
    struct load load = { .stubs = calloc(1, sizeof *load.stubs), .why = why };
    if (!load.stubs)
        return -ENOMEM;
    int rc;
    if (!realpath(dir, load.root))
        rc = refuse(why, OPTION, "a directory", "\"%.150s\" cannot be read: %s", dir,
                    strerror(errno));
    else if (strcmp(load.root, "/") == 0)
        rc = refuse(why, OPTION, "a directory of its own", "\"/\" would serve the whole machine");
    else {
        load.root_len = strlen(load.root);
        rc = walk(&load, load.root, 0);
    }
    if (!rc)
        rc = sort_rows(&load);
    if (rc) {
        stubs_destroy(load.stubs);
        return rc;
    }
    *out = load.stubs;
    return 0;
}

static int compare_path(const void *path, const void *row)
{
    return strcmp(path, ((const struct row *)row)->path);
}

const struct stub *stubs_find(const struct stubs *stubs, const char *path)
{
    if (!stubs || !stubs->row_count)
        return NULL;
    const struct row *row =
        bsearch(path, stubs->rows, stubs->row_count, sizeof *stubs->rows, compare_path);
    return row ? row->stub : NULL;
}

bool stubs_allow(const char *allow, const char *method)
{
    size_t len = strlen(method);
    for (const char *at = len ? strstr(allow, method) : NULL; at; at = strstr(at + len, method)) {
        bool starts = at == allow || at[-1] == ' ';
        if (starts && (at[len] == ',' || at[len] == '\0'))
            return true;
    }
    return false;
}
