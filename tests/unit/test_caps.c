/* What this machine allows, and how it is said to get the rest. */
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

#include "wire/caps.h"

static void a_container_is_known_by_its_engines_files_and_variables(void **state)
{
    static const char *const files[] = { "/.dockerenv", "/run/.containerenv" };
    static const char *const variables[] = { "container", "KUBERNETES_SERVICE_HOST" };
    char root[] = "/tmp/hangup-caps-XXXXXX", path[64];
    unsetenv("container");
    unsetenv("KUBERNETES_SERVICE_HOST");
    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof path, "%s/run", root);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(caps_in_container(root));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s%s", root, files[i]);
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        fclose(file);
        assert_true(caps_in_container(root));
        assert_int_equal(unlink(path), 0);
        assert_false(caps_in_container(root));
    }
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        setenv(variables[i], "x", 1);
        assert_true(caps_in_container(root));
        unsetenv(variables[i]);
    }
    snprintf(path, sizeof path, "%s/run", root);
    rmdir(path);
    rmdir(root);
}

static void the_hint_fits_where_the_server_runs(void **state)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    assert_true(n > 0);
    path[n] = '\0';
    assert_string_equal(caps_row(CAP_REPAIR)->needs, "CAP_NET_ADMIN");
    caps_probe();
    for (unsigned i = 0; i < CAPABILITY_COUNT; i++) {
        const char *needs = caps_row((enum capability)i)->needs;
        const char *name = i == CAP_TAP ? "CAP_NET_RAW (" : "CAP_NET_ADMIN (";
        assert_memory_equal(needs, name, strlen(name));
        if (caps_in_container("")) {
            assert_non_null(
                strstr(needs, i == CAP_TAP ? "--cap-add NET_RAW" : "--cap-add NET_ADMIN"));
        } else {
            assert_non_null(strstr(needs, "sudo setcap cap_net_admin,cap_net_raw+p "));
            assert_non_null(strstr(needs, path));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_container_is_known_by_its_engines_files_and_variables),
        cmocka_unit_test(the_hint_fits_where_the_server_runs),
    };
    return cmocka_run_group_tests_name("capabilities", tests, NULL, NULL);
}
