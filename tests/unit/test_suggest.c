/* What a mistyped word may have meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/refusal.h"
#include "base/suggest.h"

#include "harness/memcheck.h"

static const char *const modes[] = { "normal",       "idle-close", "goaway-idle",
                                     "reset-idle",   "half-open",  "black-hole",
                                     "stall-idle",   "truncate",   "nginx",
                                     "envoy",        "drip",       "black-hole-on-request",
                                     "late-original" };
#define MODES (sizeof modes / sizeof *modes)

/* "a b c": what is suggested for the word. */
static const char *suggested(const char *word, size_t max)
{
    static char text[200];
    const char *out[SUGGEST_MAX + 1];
    size_t n = suggest(word, modes, MODES, out, max), used = 0;
    assert_true(n <= max && n <= SUGGEST_MAX);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "", out[i]);
    return text;
}

static void what_is_like_it_comes_the_likeliest_first(void **state)
{
    static const struct {
        const char *word, *meant;
    } cases[] = {
        { "idle-clsoe", "idle-close" },  /* neighbours exchanged */
        { "idle_close", "idle-close" },  /* one replaced */
        { "idleclose", "idle-close" },   /* one left out */
        { "idle--close", "idle-close" }, /* one put in */
        { "Idle-Close", "idle-close" },  /* the case */
        { "ngnix", "nginx" },
        { "drop", "drip" },
        { "black", "black-hole black-hole-on-request" }, /* a part; the shorter one first */
        { "IDLE", "idle-close reset-idle stall-idle" },  /* three at most */
        { "black-hole", "black-hole black-hole-on-request" },
        { "original", "late-original" },
        { "or", "" }, /* too short for a part */
        { "x", "" },
        { "", "" },
        { "zzzzzz", "" },
        { "goaway", "goaway-idle" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(suggested(cases[i].word, SUGGEST_MAX), cases[i].meant);
    assert_string_equal(suggested("IDLE", 1), "idle-close");
    assert_string_equal(suggested("IDLE", 0), "");
}

/* Any one slip in any name of four letters or more suggests that name first. */
static void one_slip_is_always_understood(void **state)
{
    srand(1);
    for (unsigned round = 0; round < rounds_of(20000); round++) {
        const char *name = modes[(size_t)rand() % MODES];
        char word[80];
        size_t len = strlen(name), at = (size_t)rand() % len;
        memcpy(word, name, len + 1);
        switch (rand() % 4) {
        case 0:
            word[at] = '#';
            break;
        case 1:
            memmove(word + at, word + at + 1, len - at);
            break;
        case 2:
            memmove(word + at + 1, word + at, len - at + 1);
            word[at] = '#';
            break;
        default:
            if (at == 0)
                at = 1;
            word[at] = name[at - 1];
            word[at - 1] = name[at];
        }
        const char *out[1];
        assert_int_equal(suggest(word, modes, MODES, out, 1), 1);
        assert_string_equal(out[0], name);
    }
}

static void long_words_are_compared_as_far_as_they_are_looked_at(void **state)
{
    char a[300], b[300];
    memset(a, 'a', sizeof a - 1);
    a[sizeof a - 1] = '\0';
    memcpy(b, a, sizeof b);
    b[10] = 'x';
    const char *const candidates[] = { b, "a", "" };
    const char *out[3];
    assert_int_equal(suggest(a, candidates, 3, out, 3), 1);
    assert_ptr_equal(out[0], b);
    assert_int_equal(suggest("", candidates, 3, out, 3), 1); /* the same */
    assert_ptr_equal(out[0], candidates[2]);
}

static void nothing_is_kept_without_a_word(void **state)
{
    struct suggestions s = { .word = NULL };
    suggest_offer(&s, "normal");
    assert_int_equal(s.count, 0);
}

static void a_refusal_takes_them_along_when_it_is_put_into_another_place(void **state)
{
    struct suggestions s = { .word = "idle" };
    for (size_t i = 0; i < MODES; i++)
        suggest_offer(&s, modes[i]);
    struct refusal why;
    refuse(&why, "$.mode", "a, b", "no mode is called \"%s\"", s.word);
    assert_string_equal(why.meant[0], "");
    refuse_meant(&why, &s);
    assert_string_equal(why.meant[2], "stall-idle");
    assert_int_equal(refuse_in(&why, "--mode", "a place"), BAD_INPUT);
    assert_string_equal(why.where, "--mode");
    assert_string_equal(why.what, "a place: no mode is called \"idle\"");
    assert_string_equal(why.allowed, "a, b");
    assert_string_equal(why.meant[0], "idle-close");
    assert_string_equal(why.meant[2], "stall-idle");
    refuse_in(&why, "file", NULL);
    assert_string_equal(why.where, "file");
    assert_string_equal(why.what, "a place: no mode is called \"idle\"");

    /* One that is about something else has none. */
    refuse(&why, "$", "", "something else");
    assert_string_equal(why.meant[0], "");
    refuse_meant(NULL, &s);
    refuse_in(NULL, "x", "y");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_like_it_comes_the_likeliest_first),
        cmocka_unit_test(one_slip_is_always_understood),
        cmocka_unit_test(long_words_are_compared_as_far_as_they_are_looked_at),
        cmocka_unit_test(nothing_is_kept_without_a_word),
        cmocka_unit_test(a_refusal_takes_them_along_when_it_is_put_into_another_place),
    };
    return cmocka_run_group_tests_name("suggest", tests, NULL, NULL);
}
