/* test_file.c - whole files, and what is said about those that cannot be read. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

#include "harness/memory.h"

static char dir[64];

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void put(const char *name, const char *bytes, size_t len)
{
    FILE *f = fopen(path_of(name), "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static int make_dir(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/hangup-file-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    static const char *const names[] = { "f", "fifo", "folder" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove(path_of(names[i]));
    return rmdir(dir);
}

/* Of every length around the maximum, and as a pipe: the bytes as they are, with a NUL. */
static void a_file_is_read_whole(void **state)
{
    static char bytes[20000];
    static const size_t lengths[] = { 0, 1, 4095, 4096, 4097, 8192, 8193, sizeof bytes };
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 % 251);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t n = lengths[i];
        struct file f;
        put("f", bytes, n);
        assert_int_equal(chmod(path_of("f"), 0640), 0);
        assert_int_equal(file_read(AT_FDCWD, path_of("f"), n, FILE_REGULAR, &f), 0);
        assert_int_equal(f.len, n);
        assert_memory_equal(f.bytes, bytes, n);
        assert_int_equal(f.bytes[n], '\0');
        assert_int_equal(f.mode & 07777, 0640);
        file_free(&f);
        assert_null(f.bytes);
        if (n)
            assert_int_equal(file_read(AT_FDCWD, path_of("f"), n - 1, FILE_REGULAR, &f),
                             FILE_TOO_LARGE);
    }
}

static void a_pipe_is_read_to_its_end(void **state)
{
    static char bytes[20000];
    for (int over = 0; over < 2; over++) {
        int ends[2];
        char path[32];
        struct file f = { 0 };
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        memset(bytes, 'x', sizeof bytes);
        assert_int_equal(write(ends[1], bytes, sizeof bytes), sizeof bytes);
        close(ends[1]);
        snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
        assert_int_equal(file_read(AT_FDCWD, path, sizeof bytes - (size_t)over, FILE_ANY, &f),
                         over ? FILE_TOO_LARGE : 0);
        close(ends[0]);
        assert_int_equal(f.len, over ? 0 : sizeof bytes);
        if (!over)
            assert_memory_equal(f.bytes, bytes, sizeof bytes);
        file_free(&f);
    }
}

/* What says that it is empty may not be (/proc). */
static void a_regular_file_may_be_longer_than_it_says(void **state)
{
    struct file f;
    assert_int_equal(file_read(AT_FDCWD, "/proc/self/status", 1 << 20, FILE_REGULAR, &f), 0);
    assert_true(f.len > 100);
    assert_memory_equal(f.bytes, "Name:", 5);
    file_free(&f);
}

static void the_directory_is_where_a_path_begins(void **state)
{
    struct file f;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put("f", "here", 4);
    assert_int_equal(file_read(fd, "f", 10, FILE_REGULAR, &f), 0);
    assert_string_equal(f.bytes, "here");
    file_free(&f);
    assert_int_equal(file_read(fd, "g", 10, FILE_REGULAR, &f), -ENOENT);
    close(fd);
}

static void nothing_waits_for_a_writer(void **state)
{
    struct file f = { 0 };
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    assert_int_equal(file_read(AT_FDCWD, path_of("fifo"), 10, FILE_REGULAR, &f), FILE_NOT_REGULAR);
    assert_int_equal(mkdir(path_of("folder"), 0700), 0);
    assert_int_equal(file_read(AT_FDCWD, path_of("folder"), 10, FILE_REGULAR, &f),
                     FILE_NOT_REGULAR);
    assert_int_equal(file_read(AT_FDCWD, path_of("folder"), 10, FILE_ANY, &f), -EISDIR);
    assert_int_equal(file_read(AT_FDCWD, "/dev/zero", 100000, FILE_ANY, &f), FILE_TOO_LARGE);
    assert_null(f.bytes);
}

static void a_refusal_names_the_file(void **state)
{
    static const struct {
        int error;
        const char *alone, *of_option;
    } rows[] = {
        { -ENOENT, "cannot be read: No such file or directory",
          "/x/y cannot be read: No such file or directory" },
        { -EMFILE, "cannot be read: Too many open files",
          "/x/y cannot be read: Too many open files" },
        { FILE_NOT_REGULAR, "is not a regular file", "/x/y is not a regular file" },
        { FILE_TOO_LARGE, "is too large", "/x/y is too large" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct refusal why = { 0 };
        assert_int_equal(file_refuse(rows[i].error, NULL, "/x/y", "a", &why), BAD_INPUT);
        assert_string_equal(why.where, "/x/y");
        assert_string_equal(why.what, rows[i].alone);
        assert_string_equal(why.allowed, "a");
        assert_int_equal(file_refuse(rows[i].error, "--cert", "/x/y", "a", &why), BAD_INPUT);
        assert_string_equal(why.where, "--cert");
        assert_string_equal(why.what, rows[i].of_option);
        assert_int_equal(file_refuse(rows[i].error, NULL, "/x/y", "a", NULL), BAD_INPUT);
    }
}

static void taking_is_reading_or_refusing(void **state)
{
    struct file f;
    struct refusal why = { 0 };
    put("f", "x", 1);
    assert_int_equal(file_take("--plan", path_of("f"), 1, FILE_ANY, "", &f, &why), 0);
    file_free(&f);
    assert_int_equal(file_take("--plan", path_of("f"), 0, FILE_ANY, "", &f, &why), BAD_INPUT);
    assert_string_equal(why.where, "--plan");
    assert_non_null(strstr(why.what, "/f is too large"));
}

static void without_memory_it_is_that(void **state)
{
    char bytes[10000] = "";
    int error = -ENOMEM, fd;
    struct refusal why = { 0 };
    struct file f = { 0 };
    put("f", bytes, sizeof bytes);
    for (long n = 0; error; n++) {
        memory_ends_after(n);
        error = file_take(NULL, path_of("f"), sizeof bytes, FILE_ANY, "", &f, &why);
        memory_restore();
        assert_true(error == 0 || error == -ENOMEM);
        assert_true(n < 10);
    }
    file_free(&f);
    assert_string_equal(why.where, "");

    int ends[2]; /* growing fails, too */
    char path[32];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], bytes, sizeof bytes), sizeof bytes);
    close(ends[1]);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    memory_ends_after(1);
    error = file_read(AT_FDCWD, path, sizeof bytes, FILE_ANY, &f);
    memory_restore();
    assert_int_equal(error, -ENOMEM);
    assert_null(f.bytes);
    close(ends[0]);
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* none was left open */
    assert_int_equal(fd, ends[0]);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_read_whole, make_dir, remove_dir),
        cmocka_unit_test(a_pipe_is_read_to_its_end),
        cmocka_unit_test(a_regular_file_may_be_longer_than_it_says),
        cmocka_unit_test_setup_teardown(the_directory_is_where_a_path_begins, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(nothing_waits_for_a_writer, make_dir, remove_dir),
        cmocka_unit_test(a_refusal_names_the_file),
        cmocka_unit_test_setup_teardown(taking_is_reading_or_refusing, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(without_memory_it_is_that, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
