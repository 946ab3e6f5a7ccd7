#include "harness/authority_fixture.h"

/* --- Names from outside */

static void names_that_no_certificate_can_carry_are_refused(void **unused)
{
    static char long_label[80], long_name[300];
    memset(long_label, 'a', 64);
    for (int i = 0; i < 127; i++)
        strcat(long_name, "a.");
    strcat(long_name, "b");
    static const struct {
        const char *name, *what;
    } rows[] = {
        { "", "empty" },
        { ".", "empty label" },
        { "a..b", "empty label" },
        { ".app.test", "empty label" },
        { "app.test.", "empty label" },
        { "-app.test", "hyphen" },
        { "app-.test", "hyphen" },
        { "a b", "character other than" },
        { "app.test\n", "character other than" },
        { "app@test", "character other than" },
        { long_label, "63 characters" },
        { long_name, "253 characters" },
        { "*", "\"*\"" },
        { "*.", "empty label" },
        { "*.test", "wildcard right above" },
        { "a*.app.test", "\"*\"" },
        { "app.*.test", "\"*\"" },
        { "*.*.test", "\"*\"" },
        { "b\xc3\xbc"
          "cher.test",
          "outside ASCII" },
        { "256.1.1.1", "not an IPv4 address" },
        { "1.2.3", "not an IPv4 address" },
        { "1", "not an IPv4 address" },
        { "app.test.7", "not an IPv4 address" },
        { "127.0.0.01", "not an IPv4 address" },
        { "[::1]", "brackets" },
        { "::g", "not an IPv6 address" },
        { "fe80::1%eth0", "zone" },
        { "app.test:8443", "port" },
        { "https://app.test", "URL" },
        { "10.0.0.0/8", "network" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *names[] = { "fine.test", rows[i].name };
        memset(&fixture_why, 0, sizeof fixture_why);
        assert_int_equal(authority_open(fixture_state, names, 2, NOW, &fixture_files, &fixture_why),
                         BAD_INPUT);
        assert_string_equal(fixture_why.where, "--name");
        if (!strstr(fixture_why.what, rows[i].what))
            fail_msg("%s: %s", rows[i].name, fixture_why.what);
        assert_true(fixture_why.allowed[0]);
    }
    assert_false(fixture_is_there(fixture_state)); /* refused before anything is made */
}

static void too_many_names_are_refused(void **unused)
{
    static const char *names[257];
    for (size_t i = 0; i < COUNT(names); i++)
        names[i] = "app.test";
    assert_int_equal(authority_open(fixture_state, names, 257, NOW, &fixture_files, &fixture_why),
                     BAD_INPUT);
    assert_string_equal(fixture_why.where, "--name");
    assert_int_equal(authority_open(fixture_state, names, 256, NOW, &fixture_files, &fixture_why),
                     0);
}

static void as_many_different_names_as_allowed_fit(void **unused)
{
    static char text[256][254];
    static const char *names[256];
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(text[i], sizeof text[i], "%0*zu.%060d.%060d.%060d.test", 60, i, 0, 0, 0);
        names[i] = text[i];
    }
    assert_int_equal(authority_open(fixture_state, names, 256, NOW, &fixture_files, &fixture_why),
                     0);
    assert_true(fixture_serves(names[255], NOW));
    struct snapshot before = fixture_look();
    assert_int_equal(authority_open(fixture_state, names, 256, NOW, &fixture_files, &fixture_why),
                     0);
    assert_string_equal(fixture_changed_since(&before), "");
    fixture_forget(&before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make_top, fixture_remove_top)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(names_that_no_certificate_can_carry_are_refused),
        TEST(too_many_names_are_refused),
        TEST(as_many_different_names_as_allowed_fit),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
