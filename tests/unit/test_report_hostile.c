/* test_report_hostile.c - reports: no text from outside does anything but be shown, and nothing in
 * a document, nor want of memory, makes a report that looks whole and is not.
 */
#include "report_rig.h"

#include "harness/memory.h"

static const struct markup_rule html_rules[] = {
    { "html", NULL, "lang", NULL },
    { "head", NULL, NULL, NULL },
    { "meta", NULL, NULL, "charset name content http-equiv" },
    { "title", NULL, NULL, NULL },
    { "style", NULL, NULL, NULL },
    { "body", NULL, NULL, NULL },
    { "h1", NULL, NULL, NULL },
    { "h2", NULL, NULL, NULL },
    { "p", NULL, NULL, NULL },
    { "b", NULL, NULL, NULL },
    { "br", NULL, NULL, NULL },
    { "ul", NULL, NULL, NULL },
    { "li", NULL, NULL, NULL },
    { "pre", NULL, NULL, NULL },
    { "span", NULL, "class", NULL },
    { "section", NULL, NULL, NULL },
    { "table", NULL, NULL, NULL },
    { "thead", NULL, NULL, NULL },
    { "tbody", NULL, NULL, NULL },
    { "tr", NULL, NULL, NULL },
    { "th", NULL, "scope", NULL },
    { "td", NULL, NULL, "class" },
    { 0 },
};

static const char *const hostile[] = {
    "<script>alert(1)</script>",
    "]]> & < > \" ' &amp; &#x1b;",
    "\x1b[2J\x1b]0;owned\x07\x1b[31m",
    "a\nb\r\nc\td",
    "| cell | **bold** [x](http://x) ![y](z) `code` ~~s~~ $m$ @name #1",
    "```\n</pre></details>\n```",
    "\xff\xfe\xc0\xaf\xed\xa0\x80",
    "\xe2\x80\xae"
    "dlrow \xe2\x80\xa8 \xc2\x9b"
    "31m \xef\xbf\xbe \xef\xbb\xbf",
    "../../etc/passwd --> <!-- <![CDATA[ ?> <?php",
    "\x7f\x01\x02\x1f\x08\x08\x08",
    "\xf0\x9f\x98\x80 \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d na\xc3\xafve",
};
#define HOSTILE (sizeof hostile / sizeof *hostile)

static uint32_t seed = 1;

static uint32_t next_random(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(seed >> 8) * below >> 24);
}

/* As in a document, which is UTF-8: what is none is as buf_json makes it. */
static json_t *random_text(void)
{
    struct buf text = { 0 };
    const char *one = hostile[next_random(HOSTILE)];
    char bytes[64];
    size_t len = next_random(sizeof bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)next_random(256);
    if (next_random(2))
        buf_json(&text, one, strlen(one));
    else
        buf_json(&text, bytes, len);
    json_t *made =
        json_loadb((const char *)buf_bytes(&text), buf_len(&text), JSON_DECODE_ANY, NULL);
    buf_free(&text);
    return made ? made : json_string(""); /* jansson takes no NUL */
}

static json_t *random_value(void)
{
    switch (next_random(8)) {
    case 0:
        return json_null();
    case 1:
        return json_integer((json_int_t)next_random(1 << 20) - (1 << 19));
    case 2:
        return json_real(1e300 * next_random(3));
    case 3:
        return json_array();
    case 4:
        return json_object();
    default:
        return random_text();
    }
}

/* Replaces some of what is in it. */
static void spoil(json_t *value, unsigned one_in)
{
    const char *key;
    void *next;
    json_t *item;
    size_t i;
    json_object_foreach_safe(value, next, key, item)
    {
        if (next_random(one_in) == 0)
            json_object_set_new(value, key, random_value());
        else
            spoil(item, one_in);
    }
    json_array_foreach(value, i, item)
    {
        if (next_random(one_in) == 0)
            json_array_set_new(value, i, random_value());
        else
            spoil(item, one_in);
    }
}

/* The lines that the format itself makes, with all texts harmless: nothing adds one. */
static size_t lines_of(const char *text)
{
    size_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

/* Of Markdown, only our own tags are tags, and nothing else in a text has a meaning. */
static void check_markdown(const char *text)
{
    static const char *const tags[] = { "<details>", "<summary>", "</summary>",
                                        "<pre>",     "</pre>",    "</details>" };
    markup_plain(text, strlen(text));
    for (const char *at = text; (at = strchr(at, '<')); at++) {
        size_t i = 0;
        while (i < sizeof tags / sizeof *tags && strncmp(at, tags[i], strlen(tags[i])) != 0)
            i++;
        if (i == sizeof tags / sizeof *tags)
            fail_msg("%.80s", at);
    }
    assert_null(strpbrk(text, "`[]@~$\\"));
}

/* Each row that is not proved has a line, which is one command: the runner takes what comes up to
 * the next "::" for its properties. */
static void check_annotations(const struct report *r, const char *text)
{
    size_t count = 0, due = 0;
    for (size_t i = 0; i < r->count; i++)
        due += report_row_outcome(&r->rows[i]) != OUTCOME_PASS;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        bool error = strncmp(line, "::error title=hangup%3A ", 24) == 0;
        assert_true(error || strncmp(line, "::warning title=hangup%3A ", 26) == 0);
        const char *title = strchr(line, '='), *end = strstr(title, "::");
        assert_non_null(end);
        assert_true(end < strchr(line, '\n'));
        assert_null(memchr(title, ',', (size_t)(end - title)));
        assert_null(memchr(title, ':', (size_t)(end - title)));
        assert_non_null(strchr(line, '\n'));
        count++;
    }
    assert_null(strchr(text, '\r'));
    assert_int_equal(count, due);
}

static void check_all(const struct report *r)
{
    char *text = text_of(report_text, r);
    markup_plain(text, strlen(text));
    free(text);
    text = text_of(report_markdown, r);
    check_markdown(text);
    free(text);
    junit(r);
    text = text_of(report_html, r);
    markup_html(text, strlen(text), html_rules);
    free(text);
    text = text_of(report_annotations, r);
    check_annotations(r, text);
    free(text);
}

static void hostile_texts_are_shown_and_do_nothing(void **state)
{
    for (size_t i = 0; i < HOSTILE; i++) {
        json_t *document = json(PROVED), *plain = json(PROVED);
        struct buf quoted = { 0 };
        buf_json(&quoted, hostile[i], strlen(hostile[i]));
        json_t *text =
            json_loadb((const char *)buf_bytes(&quoted), buf_len(&quoted), JSON_DECODE_ANY, NULL);
        buf_free(&quoted);
        assert_non_null(text);
        json_object_set(document, "summary", text);
        json_object_set(document, "over", text);
        json_object_set(json_array_get(json_object_get(document, "checks"), 0), "sentence", text);
        json_object_set(json_array_get(json_object_get(document, "checks"), 0), "check", text);
        json_object_set(json_object_get(document, "mode"), "mode", text);
        json_object_set(
            json_array_get(
                json_object_get(json_array_get(json_object_get(document, "connections"), 0),
                                "events"),
                1),
            "text", text);
        const struct report_row row = { hostile[i], document, hostile[i], 0 };
        const struct report_row tame = { "x", plain, "x", 0 };
        const struct report r = { .title = hostile[i], .rows = &row, .count = 1 };
        const struct report t = { .title = "x", .rows = &tame, .count = 1 };
        check_all(&r);
        char *one = text_of(report_text, &r), *other = text_of(report_text, &t);
        assert_int_equal(lines_of(one), lines_of(other));
        free(one);
        free(other);
        one = text_of(report_markdown, &r);
        other = text_of(report_markdown, &t);
        assert_int_equal(lines_of(one), lines_of(other));
        free(one);
        free(other);
        json_decref(text);
        json_decref(document);
        json_decref(plain);
    }
}

static void control_characters_are_shown_by_their_numbers(void **state)
{
    struct buf out = { 0 };
    static const char text[] = "a\x1b[31m\n\xc2\x9b\xe2\x80\xae\xff"
                               "z\xef\xbf\xbf\xc3\xa9#1##vso[x]###[y]";
    report_plain(&out, text, sizeof text - 1);
    buf_add(&out, "", 1);
    assert_string_equal((const char *)buf_bytes(&out),
                        "a\\x1b[31m\\x0a\\x9b\\u202e\xef\xbf\xbdz\\uffff\xc3\xa9"
                        "#1#\\x23vso[x]#\\x23\\x23[y]");
    buf_free(&out);
}

static void nothing_in_a_document_breaks_a_report(void **state)
{
    for (int round = 0; round < 1000; round++) {
        json_t *documents[3];
        struct report_row rows[3];
        for (int i = 0; i < 3; i++) {
            documents[i] = json(
                i == 1 ? WITH("inconclusive", "true", CHECK("a", "inconclusive", "true")) : PROVED);
            spoil(documents[i], 4 + next_random(30));
            rows[i] = (struct report_row){ next_random(2) ? hostile[next_random(HOSTILE)] : NULL,
                                           next_random(8) ? documents[i] : NULL,
                                           next_random(3) ? NULL : hostile[next_random(HOSTILE)],
                                           (unsigned)next_random(3) };
        }
        const struct report r = { .title = hostile[next_random(HOSTILE)],
                                  .rows = rows,
                                  .count = next_random(4),
                                  .at = "2026-11-30T04:45:07",
                                  .allow_inconclusive = next_random(2) };
        check_all(&r);
        for (int i = 0; i < 3; i++)
            json_decref(documents[i]);
    }
}

static void without_memory_a_report_has_failed(void **state)
{
    json_t *document = json(PROVED);
    const struct report_row rows[] = { { "a", document, NULL, 0 }, { "b", document, "e", 0 } };
    const struct report r = { .rows = rows, .count = 2 };
    void (*const formats[])(const struct report *, struct buf *) = { report_text, report_markdown,
                                                                     report_junit, report_html };
    for (size_t i = 0; i < 4; i++) {
        char *whole = text_of(formats[i], &r);
        bool failed = true;
        for (long n = 0; failed; n++) {
            struct buf out = { 0 };
            memory_ends_after(n);
            formats[i](&r, &out);
            failed = memory_restore() > 0;
            assert_int_equal(out.failed, failed);
            if (!failed)
                assert_memory_equal(buf_bytes(&out), whole, buf_len(&out));
            buf_free(&out);
        }
        for (long n = 0, once = 1; once; n++) { /* a single one that fails is not lost either */
            struct buf out = { 0 };
            memory_fails_once_after(n);
            formats[i](&r, &out);
            once = (long)memory_restore();
            if (!out.failed) /* what failed was not needed */
                assert_memory_equal(buf_bytes(&out), whole, strlen(whole));
            buf_free(&out);
        }
        free(whole);
    }
    json_decref(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_texts_are_shown_and_do_nothing),
        cmocka_unit_test(control_characters_are_shown_by_their_numbers),
        cmocka_unit_test(nothing_in_a_document_breaks_a_report),
        cmocka_unit_test(without_memory_a_report_has_failed),
        cmocka_unit_test(junit_follows_the_schema), /* the last one */
    };
    return cmocka_run_group_tests(tests, set_up_folder, tear_down_folder);
}
