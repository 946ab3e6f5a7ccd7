/* test_head_memory.c - what open header sections take together: of a connection, and of all. */
#include "engine/h1_head.h"
#include "harness/h2_rig.h"

#define VALUE   15000
#define SECTION (4 * (size_t)(VALUE + 1)) /* octets of names and values in large_request() */

/* A POST with four fields of this size, of which no more comes. */
static void large_request(struct rig *rig, uint32_t stream)
{
    static uint8_t field[3 + 3 + VALUE] = { 0, 1, 'a', 0x7f };
    field[4] = 0x80 | ((VALUE - 127) & 0x7f); /* RFC 7541 5.1 */
    field[5] = (VALUE - 127) >> 7;
    memset(field + 6, 'v', VALUE);
    rig_frame_in(rig, NGHTTP2_HEADERS, 0, stream, POST_BLOCK, BLOCK_LEN);
    for (unsigned i = 0; i < 4; i++)
        rig_frame_in(rig, NGHTTP2_CONTINUATION, i == 3 ? END_HEADERS : 0, stream, field,
                     sizeof field);
}

static void of_a_connection_it_is_bounded(void **state)
{
    const unsigned fit = LIMIT_HEADS_CONNECTION / SECTION;
    struct rig *rig = rig_ready();
    uint32_t stream = 1;
    unsigned taken = 0;
    for (;; stream += 2) {
        large_request(rig, stream);
        if (buf_len(&rig->out) > 0)
            break;
        taken++;
    }
    char seen[64];
    snprintf(seen, sizeof seen, "RST_STREAM %u ENHANCE_YOUR_CALM\n", stream);
    assert_string_equal(rig_frames(rig), seen);
    assert_in_range(taken, fit - 2, fit);
    assert_in_range(head_memory_total(), taken * SECTION, LIMIT_HEADS_CONNECTION);
    assert_int_equal(rig->errors, 0); /* the client has broken nothing */
    assert_int_equal(rig->limits, 1);
    assert_non_null(strstr(rig_log(rig), "refused: the server keeps no more than 2 MiB"));
    rig_frame_in(rig, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4); /* makes room */
    large_request(rig, stream + 2);
    assert_string_equal(rig_frames(rig), "");
    assert_int_equal(rig->begun - rig->ended, taken);
    rig_destroy(rig);
}

static void the_greedy_one_is_refused_when_the_servers_is_used_up(void **state)
{
    enum { CONNECTIONS = 40 };
    struct rig *rigs[CONNECTIONS];
    unsigned refused = 0;
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        rigs[i] = rig_ready();
        for (uint32_t stream = 1; stream < 60 && buf_len(&rigs[i]->out) == 0; stream += 2)
            large_request(rigs[i], stream);
        refused += strstr(rig_frames(rigs[i]), " REFUSED_STREAM\n") != NULL;
        assert_in_range(head_memory_total(), 1, LIMIT_HEADS_SERVER + CONNECTIONS * SECTION);
    }
    assert_in_range(head_memory_total(), LIMIT_HEADS_SERVER - SECTION, LIMIT_HEADS_RESERVE);
    assert_in_range(refused, 1, CONNECTIONS - 20);
    struct rig *modest = rig_ready(); /* others are served */
    for (uint32_t stream = 1; stream < 100; stream += 2)
        rig_get(modest, stream);
    assert_int_equal(modest->ended, 50);
    rig_destroy(modest);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        rig_destroy(rigs[i]);
    assert_int_equal(head_memory_total(), 0);
}

/* Lines of two octets and a line end, each of which takes a field. */
static const char *http1_head(bool whole)
{
    static char text[H1_HEAD_MAX];
    size_t n = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");
    while (n < 8000)
        n += (size_t)sprintf(text + n, "a:\r\n");
    strcpy(text + n, whole ? "\r\n" : "");
    return text;
}

static void over_http1_it_is_bounded_too(void **state)
{
    enum { HEADS = 4000 };
    struct h1_head *heads = calloc(HEADS, sizeof *heads), *broken = NULL;
    const char *text = http1_head(false);
    unsigned taken = 0;
    for (; taken < HEADS && !broken; taken++) {
        h1_head_feed(&heads[taken], (const uint8_t *)text, 1);
        h1_head_feed(&heads[taken], (const uint8_t *)text, strlen(text));
        if (heads[taken].at == H1_BROKEN)
            broken = &heads[taken];
    }
    assert_non_null(broken);
    assert_int_equal(broken->status, 503);
    assert_in_range(head_memory_total(), LIMIT_HEADS_SERVER - 200000, LIMIT_HEADS_RESERVE);
    struct h1_head admin = { .uncounted = true };
    h1_head_feed(&admin, (const uint8_t *)text, 1);
    h1_head_feed(&admin, (const uint8_t *)text, strlen(text));
    assert_int_equal(admin.at, H1_IN_HEAD);
    h1_head_next(&admin);
    assert_true(admin.uncounted);
    for (unsigned i = 0; i < taken; i++)
        h1_head_free(&heads[i]);
    free(heads);
    assert_int_equal(head_memory_total(), 0);
}

static void a_copy_counts_for_itself(void **state)
{
    struct h1_head head = { 0 }, copy;
    const char *text = http1_head(true);
    h1_head_feed(&head, (const uint8_t *)text, 1);
    h1_head_feed(&head, (const uint8_t *)text, 100);
    size_t one = head_memory_total();
    assert_int_equal(h1_head_copy(&copy, &head), 0);
    h1_head_feed(&copy, (const uint8_t *)text + 100, strlen(text) - 100);
    h1_head_free(&copy);
    assert_int_equal(head_memory_total(), one);
    h1_head_free(&head);
    assert_int_equal(head_memory_total(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_connection_it_is_bounded),
        cmocka_unit_test(the_greedy_one_is_refused_when_the_servers_is_used_up),
        cmocka_unit_test(over_http1_it_is_bounded_too),
        cmocka_unit_test(a_copy_counts_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
