#include "certs/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define LONGEST_FILE   32        /* "/server-key.pem.new" and room to spare */
#define CONTENT_MAX    (1 << 20) /* far more than any certificate */
#define LOCK_WAIT_MS   10000
#define LOCK_PAUSE_MS  20
#define TEMPORARY      ".new"
#define DIRECTORY_HELP "a directory that this user may write to (--state DIR)"

static int make_absolute(const char *path, char out[STORE_PATH_SIZE], struct refusal *why)
{
    char cwd[STORE_PATH_SIZE] = "";
    if (!*path)
        return refuse(why, "--state", DIRECTORY_HELP, "the state directory's name is empty");
    if (path[0] != '/' && !getcwd(cwd, sizeof cwd))
        return errno == ERANGE ? refuse(why, "--state", "a shorter path",
                                        "the working directory's path is too long")
                               : refuse(why, "--state", "an absolute path",
                                        "the working directory has no name: %s", strerror(errno));
    char absolute[2 * STORE_PATH_SIZE];
    int len = snprintf(absolute, sizeof absolute, "%s%s%s", cwd, *cwd ? "/" : "", path);
    while (len > 1 && len < (int)sizeof absolute && absolute[len - 1] == '/')
        absolute[--len] = '\0';
    if (len >= STORE_PATH_SIZE - LONGEST_FILE)
        return refuse(why, path, "a shorter path", "the state directory's path is too long");
    memcpy(out, absolute, (size_t)len + 1);
    return 0;
}

static int make_directory(const char *path)
{
    if (mkdir(path, 0700) != 0)
        return errno == EEXIST ? 0 : -errno;
    return chmod(path, 0700) == 0 ? 0 : -errno; /* whatever the umask took */
}

/* The path and its parents. An error of a parent does not count as long as the whole can be made.
 */
static int make_directories(const char *path)
{
    char part[STORE_PATH_SIZE];
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        memcpy(part, path, (size_t)(slash - path));
        part[slash - path] = '\0';
        make_directory(part);
    }
    return make_directory(path);
}

static int lock(const struct store *store, struct refusal *why)
{
    struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };
    for (int waited = 0; flock(store->dir, LOCK_EX | LOCK_NB) != 0; waited += LOCK_PAUSE_MS) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return refuse(why, store->path, DIRECTORY_HELP,
                          "the state directory cannot be locked: %s", strerror(errno));
        if (waited >= LOCK_WAIT_MS)
            return refuse(why, store->path,
                          "to wait for it to end, or to use another directory (--state DIR)",
                          "another process has kept the state directory locked for %d s",
                          LOCK_WAIT_MS / 1000);
        nanosleep(&pause, NULL);
    }
    return 0;
}

int store_open(const char *path, struct store *out, struct refusal *why)
{
    struct store store;
    int failed = make_absolute(path, store.path, why);
    if (failed)
        return failed;
    failed = make_directories(store.path);
    if (failed)
        return refuse(why, store.path, DIRECTORY_HELP, "the state directory cannot be made: %s",
                      strerror(-failed));
    store.dir = open(store.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store.dir < 0) {
        if (errno == ENOTDIR)
            return refuse(why, store.path, DIRECTORY_HELP, "is a file, not a directory");
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
            return -errno;
        return refuse(why, store.path, DIRECTORY_HELP, "the state directory cannot be read: %s",
                      strerror(errno));
    }
    failed = lock(&store, why);
    if (failed) {
        close(store.dir);
        return failed;
    }
    *out = store;
    return 0;
}

void store_close(struct store *store)
{
    close(store->dir);
    store->dir = -1;
}

const char *store_path(const struct store *store, const char *file, char out[STORE_PATH_SIZE])
{
    snprintf(out, STORE_PATH_SIZE, "%.*s/%s", STORE_PATH_SIZE - LONGEST_FILE, store->path, file);
    return out;
}

/* What to do about this error of a file, which its own text does not tell. */
static const char *remedy(int error)
{
    return error == ENOSPC || error == EDQUOT ? "free space on that disk"
           : error == EACCES || error == EPERM
               ? "to run as the user who owns it, or to use another directory (--state DIR)"
           : error == EROFS ? DIRECTORY_HELP
                            : "";
}

static void keep_secret(const struct store *store, const char *file, mode_t mode)
{
    char path[STORE_PATH_SIZE];
    if (!(mode & 077))
        return;
    store_path(store, file, path);
    if (fchmodat(store->dir, file, 0600, 0) == 0)
        log_warn("%s could be used by other users (mode %04o); it is 0600 now", path, mode & 07777);
    else
        log_warn("%s can be used by other users (mode %04o), and that cannot be changed: %s", path,
                 mode & 07777, strerror(errno));
}

int store_read(const struct store *store, const char *file, bool secret, gnutls_datum_t *out,
               struct refusal *why)
{
    char path[STORE_PATH_SIZE];
    struct file content;
    int error = file_read(store->dir, file, CONTENT_MAX, FILE_REGULAR, &content);
    if (error == -ENOENT)
        return STORE_ABSENT;
    if (error)
        return file_refuse(error, NULL, store_path(store, file, path),
                           error > 0 ? "a PEM file" : remedy(-error), why);
    if (secret)
        keep_secret(store, file, content.mode);
    *out = (gnutls_datum_t){ .data = (void *)content.bytes, .size = (unsigned)content.len };
    return 0;
}

static void temporary_name(const struct store_file *file, char out[LONGEST_FILE])
{
    snprintf(out, LONGEST_FILE, "%s" TEMPORARY, file->name);
}

static int write_all(int fd, const unsigned char *bytes, size_t n)
{
    while (n) {
        ssize_t wrote = write(fd, bytes, n);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return -errno;
        bytes += wrote;
        n -= (size_t)wrote;
    }
    return 0;
}

static int write_temporary(const struct store *store, const struct store_file *file)
{
    char name[LONGEST_FILE];
    temporary_name(file, name);
    unlinkat(store->dir, name, 0); /* what a crash has left; we hold the lock */
    int fd = openat(store->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file->mode);
    if (fd < 0)
        return -errno;
    int failed = fchmod(fd, file->mode) == 0 ? 0 : -errno; /* whatever the umask took */
    if (!failed)
        failed = write_all(fd, file->content.data, file->content.size);
    if (!failed && fsync(fd) != 0)
        failed = -errno;
    if (close(fd) != 0 && !failed)
        failed = -errno;
    return failed;
}

int store_write(const struct store *store, const struct store_file *files, size_t count,
                struct refusal *why)
{
    char name[LONGEST_FILE], path[STORE_PATH_SIZE];
    int failed = 0;
    size_t written = 0, renamed = 0;
    for (; written < count && !failed; written++)
        failed = write_temporary(store, &files[written]);
    for (; renamed < count && !failed; renamed++) {
        temporary_name(&files[renamed], name);
        if (renameat(store->dir, name, store->dir, files[renamed].name) != 0)
            failed = -errno;
    }
    if (!failed) {
        fsync(store->dir);
        return 0;
    }
    size_t at = (renamed ? renamed : written) - 1; /* the file that failed */
    for (size_t i = renamed ? at : 0; i < written; i++) {
        temporary_name(&files[i], name);
        unlinkat(store->dir, name, 0);
    }
    return refuse(why, store_path(store, files[at].name, path), remedy(-failed),
                  "cannot be written: %s", strerror(-failed));
}
