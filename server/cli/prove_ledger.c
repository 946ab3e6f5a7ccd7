#include "cli/prove_ledger.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/report_file.h"

#define PATH_SIZE        4200
#define TRIES            10000 /* names that may be taken already */
#define NAME_MAX_IN_FILE 80

static const char *folder(const struct prove_options *o)
{
    return o->ledger_dir ? o->ledger_dir : ".";
}

int prove_ledger_check(const struct prove_options *o, struct refusal *why)
{
    struct stat it;
    if (!o->ledger_dir && !o->keep_ledger)
        return 0;
    bool there = stat(folder(o), &it) == 0, other = there && !S_ISDIR(it.st_mode);
    if (!other && access(folder(o), W_OK | X_OK) == 0)
        return 0;
    if (other)
        errno = ENOTDIR;
    return refuse(why, o->ledger_dir ? "--ledger-dir" : "--keep-ledger-on-fail",
                  "a folder in which files can be made", "%.160s: %s", folder(o), strerror(errno));
}

/* Hands the ledger to the file, and closes it. */
static int fill(struct place *place, FILE *file, const char *option, const char *path,
                struct refusal *why)
{
    errno = 0;
    int error = place->ops->ledger(place, file, why);
    int closed = report_file_close(file, option, path, error ? NULL : why);
    return error ? error : closed;
}

/* To --ledger: FILE, FILE.2, FILE.3 ... */
static int write_named(struct place *place, size_t i, const struct prove_options *o,
                       struct refusal *why)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, i ? "%s.%zu" : "%s", o->ledger, i + 1);
    FILE *file = fopen(path, "we");
    if (!file)
        return report_file_refuse(why, "--ledger", path, errno);
    return fill(place, file, "--ledger", path, why);
}

/* A new file "hangup-ROW-TIME.ndjson". Returns a descriptor or -1. */
static int make_file(const char *dir, const char *name, char path[PATH_SIZE])
{
    char part[NAME_MAX_IN_FILE + 1], at[32];
    time_t now = time(NULL);
    struct tm utc;
    size_t used = 0;
    for (; *name && used < NAME_MAX_IN_FILE; name++) {
        bool plain = isalnum((unsigned char)*name) || *name == '.' || *name == '_';
        if (plain || used == 0 || part[used - 1] != '-')
            part[used++] = plain ? *name : '-';
    }
    part[used] = '\0';
    strftime(at, sizeof at, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
    for (unsigned n = 1; n <= TRIES; n++) {
        char more[16] = "";
        if (n > 1)
            snprintf(more, sizeof more, "-%u", n);
        snprintf(path, PATH_SIZE, "%.3800s/hangup-%s-%s%s.ndjson", dir, part, at, more);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

static int write_kept(struct place *place, struct prove_results *results, size_t i,
                      const struct prove_options *o, struct refusal *why)
{
    char path[PATH_SIZE], name[PROVE_NAME_SIZE];
    const char *option = o->ledger_dir ? "--ledger-dir" : "--keep-ledger-on-fail";
    prove_report_name(results, i, name);
    int fd = make_file(folder(o), name, path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file)
        return report_file_refuse(why, option, path, errno);
    int error = fill(place, file, option, path, why);
    if (error)
        return error;
    results->list[i].ledger = strdup(path);
    fprintf(stderr, "hangup: the ledger of %s is kept: %s\n", name, path);
    return results->list[i].ledger ? 0 : -ENOMEM;
}

int prove_ledger_write(struct place *place, struct prove_results *results, size_t i,
                       const struct prove_options *o, struct refusal *why)
{
    bool failed = results->list[i].status != PROVE_PROVED || results->list[i].inconclusive;
    bool kept = o->keep_ledger ? failed : o->ledger_dir != NULL;
    int error = 0;
    if (!results->list[i].made)
        return 0; /* that of the run before is another's */
    if (o->ledger)
        error = write_named(place, i, o, why);
    return error || !kept ? error : write_kept(place, results, i, o, why);
}
