#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "ledger/ledger.h"

#define ROOM (1 << 20)

static uint64_t seed;

static uint32_t any(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % below;
}

static void write_text(struct ledger *l, enum ledger_field field)
{
    /* Not what is no UTF-8: that comes back as what was shown of it. */
    static const char *const texts[] = { "", "a", "\"\\/\n\t", "\xc3\xbf", "\xf0\x9f\x98\x80" };
    char text[6000];
    size_t len = any(3) == 0 ? any(sizeof text) : 0;
    memset(text, 'x', len);
    if (len > 2)
        text[len / 2] = '\0';
    if (len)
        ledger_bytes(l, field, text, len);
    else
        ledger_text(l, field, texts[any(5)]);
}

static void write_list(struct ledger *l, enum ledger_field field)
{
    static char list[LEDGER_LIST_SIZE];
    size_t len = 0;
    for (unsigned n = any(5); n > 0; n--)
        len = ledger_item(list, sizeof list, len, "user-agent", any(11));
    ledger_bytes(l, field, list, len);
}

static void write_field(struct ledger *l, enum ledger_field field)
{
    static const char *const json[] = { "{\"a\":[1,2.5,null]}", "[]", "\"x\"", "1" };
    static const double reals[] = { 0, 0.1, -1e-9, 1e300 };
    int64_t number = (int64_t)any(UINT32_MAX) << any(31);
    switch (ledger_field_kind(field)) {
    case LEDGER_TEXT:
        write_text(l, field);
        break;
    case LEDGER_LIST:
        write_list(l, field);
        break;
    case LEDGER_JSON:
        ledger_text(l, field, json[any(4)]);
        break;
    case LEDGER_REAL:
        ledger_real(l, field, reals[any(4)]);
        break;
    case LEDGER_HASH:
        ledger_hash(l, field, (uint64_t)number);
        break;
    case LEDGER_BOOL:
        ledger_int(l, field, any(2));
        break;
    case LEDGER_WORD:
        ledger_word(l, field, 1 + any((uint32_t)ledger_word_count(field) - 1));
        break;
    case LEDGER_SPAN:
        number %= NS_PER_S * 1000000;
        /* fall through */
    case LEDGER_INT:
        ledger_int(l, field, any(4) ? number : -number);
        break;
    }
}

/* An event with all members that it must have, and some that it may have. */
static void write_event(struct ledger *l, enum ledger_event event)
{
    char row[1024], *rest = row;
    snprintf(row, sizeof row, "%s", ledger_event_members(event));
    bool connection = strstr(row, "connection"),
         exchange = strstr(row, "exchange ") || strstr(row, "exchange?");
    ledger_begin(l, event, connection ? 1 + any(UINT32_MAX - 1) : 0,
                 exchange ? 1 + any(UINT32_MAX - 1) : 0);
    for (char *name; (name = strsep(&rest, " ")) && *name;) {
        bool optional = strchr(name, '?');
        name[strcspn(name, "?")] = '\0';
        for (int f = 0; f < F_COUNT; f++)
            if (strcmp(ledger_field_name(f), name) == 0 && (!optional || any(2)))
                write_field(l, f);
    }
    ledger_commit(l);
}

static void each_event_comes_back_as_it_was(void **state)
{
    (void)state;
    const char *from = getenv("HANGUP_RANDOM_SEED");
    uint64_t began = seed = from ? strtoull(from, NULL, 10) : (uint64_t)clock_now();
    struct ledger *l = ledger_create(4 * ROOM), *again = ledger_create(4 * ROOM);
    struct ledger_cursor cursor = { .ledger = l }, loaded = { .ledger = again };
    struct ledger_record a, b;
    assert_non_null(l);
    assert_non_null(again);
    for (int round = 0; round < 20; round++)
        for (int e = 0; e < EV_COUNT; e++)
            write_event(l, e);
    while (ledger_next(&cursor, &a)) {
        struct buf line = { 0 };
        struct refusal why;
        assert_int_equal(ledger_render(&a, &line), 0);
        const char *text = (const char *)buf_bytes(&line);
        if (ledger_load(again, text, buf_len(&line), &why))
            fail_msg("seed %llu: %s: %s %s: %.*s", (unsigned long long)began, why.where, why.what,
                     why.allowed, (int)buf_len(&line), text);
        assert_true(ledger_next(&loaded, &b));
        assert_int_equal(b.seq, a.seq);
        assert_int_equal(b.age, a.age);
        assert_int_equal(b.wall, a.wall);
        assert_int_equal(b.connection, a.connection);
        assert_int_equal(b.exchange, a.exchange);
        assert_int_equal(b.event, a.event);
        assert_int_equal(b.cut, a.cut);
        if (b.fields_len != a.fields_len || memcmp(b.fields, a.fields, a.fields_len) != 0)
            fail_msg("seed %llu: another record: %.*s", (unsigned long long)began,
                     (int)buf_len(&line), text);
        buf_free(&line);
    }
    assert_int_equal(ledger_last(again), 20 * EV_COUNT);
    ledger_destroy(l);
    ledger_destroy(again);
}

/* Events of which some are missing are found by what they stand behind, in one chunk and over many.
 */
static void numbers_may_be_missing(void **state)
{
    (void)state;
    struct ledger *l = ledger_create(4 * ROOM);
    struct ledger_record record;
    struct refusal why;
    char line[5000], name[4000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (unsigned seq = 10; seq <= 2000; seq += 10) {
        int n = snprintf(line, sizeof line,
                         "{\"seq\":%u,\"at\":\"2026-01-02T03:04:05.000000Z\",\"ms\":%u.5,"
                         "\"event\":\"warning\",\"why\":\"%s\"}",
                         seq, seq, name);
        assert_int_equal(ledger_load(l, line, (size_t)n, &why), 0);
    }
    assert_int_equal(ledger_first(l), 10);
    assert_int_equal(ledger_last(l), 2000);
    for (unsigned since = 0; since < 2000; since++) {
        struct ledger_cursor cursor = { .ledger = l, .since = since };
        assert_true(ledger_next(&cursor, &record));
        assert_int_equal(record.seq, since / 10 * 10 + 10);
        assert_int_equal(record.age, (int64_t)record.seq * NS_PER_MS + NS_PER_MS / 2);
    }
    ledger_destroy(l);
}

#define HEAD "{\"seq\":5,\"at\":\"2026-01-02T03:04:05.000000Z\",\"ms\":1.000,"

#define DIGEST(text)                                                                               \
    "\"event\":\"request_complete\",\"connection\":1,\"body_bytes\":0,\"attempt\":1,\"digest\":"   \
    "\"" text "\""

static void what_was_not_written_so_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *line, *where, *what;
    } rows[] = {
        { "", "$", "expected" },
        { "{\"seq\":", "$", "end of file" },
        { "[]", "$", "no object" },
        { "{}", "$.event", "missing" },
        { HEAD "\"event\":\"mark\",\"event\":\"warning\",\"why\":\"x\"}", "$", "duplicate" },
        { HEAD "\"event\":\"marks\",\"name\":\"x\"}", "$.event", "not known" },
        { HEAD "\"event\":7,\"name\":\"x\"}", "$.event", "missing" },
        { HEAD "\"event\":\"mark\"}", "$.name", "missing" },
        { HEAD "\"event\":\"warning\",\"why\":7}", "$.why", "kind" },
        { HEAD "\"event\":\"warning\",\"why\":\"x\",\"bytes\":1}", "$.bytes", "no member" },
        { HEAD "\"event\":\"warning\",\"why\":\"x\",\"colour\":1}", "$.colour", "no member" },
        { HEAD "\"event\":\"gap\",\"first_seq\":1,\"last_seq\":2,\"connection\":1}", "$.connection",
          "no member" },
        { HEAD "\"event\":\"warning\",\"why\":\"x\",\"cut\":false}", "$.cut", "something else" },
        { HEAD "\"event\":\"protocol\",\"protocol\":\"h2\"}", "$.connection", "missing" },
        { HEAD "\"event\":\"protocol\",\"connection\":0,\"protocol\":\"h2\"}", "$.connection",
          "none" },
        { HEAD "\"event\":\"protocol\",\"connection\":\"1\",\"protocol\":\"h2\"}", "$.connection",
          "none" },
        { HEAD "\"event\":\"processed\",\"connection\":1,\"exchange\":4294967296,\"attempt\":1,"
               "\"status\":200,\"effect\":true}",
          "$.exchange", "none" },
        { HEAD "\"event\":\"processed\",\"connection\":1,\"exchange\":1,\"attempt\":1.5,\"status\":"
               "200,\"effect\":true}",
          "$.attempt", "kind" },
        { HEAD "\"event\":\"processed\",\"connection\":1,\"exchange\":1,\"attempt\":1,\"status\":"
               "200,\"effect\":1}",
          "$.effect", "kind" },
        { HEAD "\"event\":\"cleared\",\"seq\":6}", "$", "duplicate" },
        { "{\"seq\":4,\"at\":\"2026-01-02T03:04:05.000000Z\",\"ms\":1,\"event\":\"cleared\"}",
          "$.seq", "rise" },
        { "{\"seq\":-1,\"at\":\"2026-01-02T03:04:05.000000Z\",\"ms\":1,\"event\":\"cleared\"}",
          "$.seq", "none" },
        { "{\"at\":\"2026-01-02T03:04:05.000000Z\",\"ms\":1,\"event\":\"cleared\"}", "$.seq",
          "rise" },
        { "{\"seq\":5,\"at\":\"2026-13-02T03:04:05.000000Z\",\"ms\":1,\"event\":\"cleared\"}",
          "$.at", "none" },
        { "{\"seq\":5,\"at\":\"2026-01-02T03:04:05Z\",\"ms\":1,\"event\":\"cleared\"}", "$.at",
          "none" },
        { "{\"seq\":5,\"at\":\"2026-01-02T03:04:05.000000Z\",\"ms\":\"1\",\"event\":\"cleared\"}",
          "$.ms", "none" },
        { "{\"seq\":5,\"at\":\"2026-01-02T03:04:05.000000Z\",\"ms\":1e300,\"event\":\"cleared\"}",
          "$.ms", "none" },
        { HEAD "\"event\":\"peer_rst_stream\",\"connection\":1,\"stream\":3,\"error\":[]}",
          "$.error", "kind" },
        { HEAD "\"event\":\"client_hello\",\"connection\":1,\"alpn_offered\":[\"h2\",2],"
               "\"resumption_offered\":true}",
          "$.alpn_offered", "kind" },
        { HEAD DIGEST("1234567890abcde") "}", "$.digest", "kind" },
        { HEAD DIGEST("1234567890abcdeg") "}", "$.digest", "kind" },
        { HEAD DIGEST("1234567890abcdef0") "}", "$.digest", "kind" },
        { HEAD "\"event\":\"exchange_lost\",\"connection\":1,\"exchange\":1,"
               "\"reached\":\"nowhere\",\"why\":\"\",\"lost_by\":\"fault\"}",
          "$.reached", "kind" },
        { HEAD "\"event\":\"exchange_lost\",\"connection\":1,\"exchange\":1,"
               "\"reached\":\"\",\"why\":\"\",\"lost_by\":\"fault\"}",
          "$.reached", "kind" },
    };
    struct ledger *l = ledger_create(ROOM);
    struct refusal why;
    static const char first[] = "{\"seq\":4,\"at\":\"2026-01-02T03:04:05.000000Z\",\"ms\":0.5,"
                                "\"event\":\"cleared\"}";
    assert_int_equal(ledger_load(l, first, strlen(first), &why), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int r = ledger_load(l, rows[i].line, strlen(rows[i].line), &why);
        if (r != BAD_INPUT || strcmp(why.where, rows[i].where) != 0 ||
            !strstr(why.what, rows[i].what))
            fail_msg("%s: %d, %s: %s", rows[i].line, r, r ? why.where : "", r ? why.what : "");
        assert_int_equal(ledger_last(l), 4); /* and nothing was appended */
    }
    ledger_destroy(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_event_comes_back_as_it_was),
        cmocka_unit_test(numbers_may_be_missing),
        cmocka_unit_test(what_was_not_written_so_is_refused_with_its_place),
    };
    return cmocka_run_group_tests_name("ledger_load", tests, NULL, NULL);
}
