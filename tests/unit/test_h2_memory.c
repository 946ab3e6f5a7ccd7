/* test_h2_memory.c - the memory that nghttp2 gets, used in whatever order it likes. */
#include <malloc.h>

#include "harness/h2_rig.h"

#define STRUCT  3000 /* of a session */
#define BUFFER  16390
#define AT_ONCE 50

/* --- nghttp2, as far as it asks for memory (--wrap) */

int __real_nghttp2_session_server_new3(nghttp2_session **out,
                                       const nghttp2_session_callbacks *callbacks, void *user,
                                       const nghttp2_option *option, nghttp2_mem *mem);
int __wrap_nghttp2_session_server_new3(nghttp2_session **out,
                                       const nghttp2_session_callbacks *callbacks, void *user,
                                       const nghttp2_option *option, nghttp2_mem *mem);

static nghttp2_mem *memory;
static bool fake;
static unsigned fail_after; /* blocks; the session is then given up */

struct blocks {
    uint8_t *first, *buffer, *small;
};
static struct blocks made;

int __wrap_nghttp2_session_server_new3(nghttp2_session **out,
                                       const nghttp2_session_callbacks *callbacks, void *user,
                                       const nghttp2_option *option, nghttp2_mem *mem)
{
    if (!fake)
        return __real_nghttp2_session_server_new3(out, callbacks, user, option, mem);
    memory = mem;
    made = (struct blocks){ .first = mem->calloc(1, STRUCT, NULL) };
    if (fail_after > 1)
        made.small = mem->malloc(100, NULL);
    if (fail_after > 2)
        made.buffer = mem->realloc(NULL, BUFFER, NULL);
    return fail_after > 3 ? 0 : NGHTTP2_ERR_NOMEM;
}

static struct blocks make(unsigned blocks)
{
    nghttp2_session *session = NULL;
    fake = true;
    fail_after = blocks + 1;
    h2_memory_session(&session, NULL, NULL, NULL);
    fake = false;
    return made;
}

static uint32_t seed;

static uint32_t dice(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

static void fill(uint8_t *block, size_t n, uint8_t with)
{
    if (block)
        memset(block, with, n);
}

static void holds(const uint8_t *block, size_t n, uint8_t what)
{
    for (size_t i = 0; block && i < n; i++)
        assert_int_equal(block[i], what);
}

static void zeros(const uint8_t *block, size_t n)
{
    holds(block, n, 0);
}

/* Frees one of its blocks. */
static void free_block(struct blocks *b, unsigned which)
{
    uint8_t **all[] = { &b->first, &b->buffer, &b->small };
    memory->free(*all[which], NULL);
    *all[which] = NULL;
}

static void blocks_are_good_until_they_are_freed_in_any_order(void **state)
{
    struct blocks live[AT_ONCE] = { { NULL, NULL, NULL } };
    for (unsigned round = 0; round < 5000; round++) {
        unsigned i = dice(AT_ONCE);
        struct blocks *b = &live[i];
        uint8_t with = (uint8_t)(1 + i);
        holds(b->first, STRUCT, with);
        holds(b->buffer, BUFFER, with);
        holds(b->small, 100, with);
        if (b->first || b->buffer || b->small) {
            free_block(b, dice(3));
            continue;
        }
        *b = make(dice(4)); /* one that fails has its blocks freed later, as they may be */
        zeros(b->first, STRUCT);
        fill(b->first, STRUCT, with);
        fill(b->buffer, BUFFER, with);
        fill(b->small, 100, with);
    }
    for (unsigned i = 0; i < AT_ONCE; i++)
        for (unsigned which = 0; which < 3; which++)
            free_block(&live[i], which);
}

static void a_slot_is_used_again_once_all_of_it_is_free(void **state)
{
    for (unsigned last = 0; last < 2; last++) {
        struct blocks one = make(3), other;
        uint8_t *first = one.first;
        fill(one.buffer, BUFFER, 7);
        free_block(&one, !last);
        other = make(3);
        assert_ptr_not_equal(other.first, first);
        holds(one.buffer, BUFFER, 7);
        free_block(&one, last);
        free_block(&one, 2);
        struct blocks again = make(3);
        assert_ptr_equal(again.first, first);
        for (unsigned which = 0; which < 3; which++) {
            free_block(&other, which);
            free_block(&again, which);
        }
    }
}

static void what_grows_takes_its_content_along(void **state)
{
    static const size_t sizes[] = { 10, STRUCT, BUFFER, BUFFER + 1000, 70000 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (unsigned which = 0; which < 2; which++) {
            struct blocks b = make(3);
            uint8_t **block = which ? &b.buffer : &b.first, *other = which ? b.first : b.buffer;
            size_t had = which ? BUFFER : STRUCT;
            fill(b.first, STRUCT, 1);
            fill(b.buffer, BUFFER, 2);
            *block = memory->realloc(*block, sizes[i], NULL);
            assert_non_null(*block);
            holds(*block, had < sizes[i] ? had : sizes[i], (uint8_t)(1 + which));
            fill(*block, sizes[i], 9);
            holds(other, which ? STRUCT : BUFFER, (uint8_t)(2 - which));
            for (unsigned k = 0; k < 3; k++)
                free_block(&b, k);
        }
    }
}

static void real_sessions_come_and_go(void **state)
{
    struct rig *rigs[20] = { NULL };
    for (unsigned round = 0; round < 500; round++) {
        unsigned i = dice(20);
        if (rigs[i])
            rig_get(rigs[i], 1);
        rig_destroy(rigs[i]);
        rigs[i] = dice(2) ? rig_ready() : NULL;
    }
    for (unsigned i = 0; i < 20; i++)
        rig_destroy(rigs[i]);
}

/* As many at once: what they take is kept for the next ones. */
static size_t left_by(unsigned streams)
{
    struct rig *rig = rig_ready();
    rig->on_complete = keep_for_later;
    for (unsigned i = 0; i < streams; i++)
        rig_get(rig, 2 * i + 1);
    rig_destroy(rig);
    h2_stop();
    return mallinfo2().uordblks;
}

static void a_stop_gives_all_of_it_back(void **state)
{
    size_t before = left_by(1);
    assert_in_range(left_by(100), 0, before + 20000); /* 100 of them take ten times as much */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_good_until_they_are_freed_in_any_order),
        cmocka_unit_test(a_slot_is_used_again_once_all_of_it_is_free),
        cmocka_unit_test(what_grows_takes_its_content_along),
        cmocka_unit_test(real_sessions_come_and_go),
        cmocka_unit_test(a_stop_gives_all_of_it_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
