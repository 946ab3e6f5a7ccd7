/* h2_memory.c - memory for nghttp2.
 *
 * A session holds one buffer of 16 KiB for the frame it is about to send, and rarely uses more than
 * its first few hundred bytes. From the heap such a block is often memory that was touched before,
 * and counts in full for as long as the connection is open. So it comes from a reserved range of
 * addresses, a page-aligned slot for each session: only pages that were written to take memory, and
 * they go back to the kernel when the slot is freed. The session's own struct comes first in its
 * slot, so that it shares a page with the bytes of the buffer that are used.
 *
 * Only what is allocated while a session is made can be in a slot. It is known by its address. A
 * slot goes with the last of its blocks, in whatever order they are freed.
 *
 * Everything else is small and short-lived, a dozen blocks a stream, and comes from stacks of freed
 * blocks by size: the heap's own cache has room for seven of a size, and many streams at once need
 * hundreds. Such a block has its size class in the 16 bytes before it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/h2_impl.h"

#define STRUCT_MIN 2048 /* what is zeroed and so large is the session's struct */
#define STRUCT_MAX 4080
#define BUFFER_MIN 16384 /* the frame buffer: a payload, its header, and a little more */
#define BUFFER_MAX 16400
#define SLOTS      32768 /* more connections than a process has descriptors for; then the heap */

static struct {
    uint8_t *start;
    size_t slot_size;
    uint32_t used; /* slots that were ever in use */
    uint32_t free_count;
    uint16_t free[SLOTS];  /* those of them that are not now */
    uint8_t blocks[SLOTS]; /* of each slot, that are in use */
    bool failed;           /* there is no such range: all from the heap */
    bool making;           /* a session */
    uint8_t *slot;         /* its slot, of which */
    size_t taken;          /* so much is taken, */
    size_t first;          /* and so much by the struct, of this and of all sessions */
} range;

#define CLASS_STEP 32
#define CLASSES    16          /* blocks up to 512 bytes, the head included */
#define CLASS_KEPT (64 * 1024) /* bytes of freed blocks that are kept, by class */
#define HEAD       16          /* keeps the alignment of malloc */
#if defined(__SANITIZE_ADDRESS__)
#define POOLED 0 /* each block is one of the heap's, which ASan watches */
#else
#define POOLED 1
#endif

union head {
    size_t class; /* CLASSES: larger, straight from the heap */
    union head *next;
};

static struct {
    union head *top;
    size_t count;
} pools[CLASSES];

static void *pool_take(size_t size)
{
    size_t class = POOLED ? (size + HEAD - 1) / CLASS_STEP : CLASSES;
    union head *head;
    if (class < CLASSES && pools[class].top) {
        head = pools[class].top;
        pools[class].top = head->next;
        pools[class].count--;
    } else if (size > SIZE_MAX - HEAD ||
               !(head = malloc(class < CLASSES ? (class + 1) * CLASS_STEP : size + HEAD))) {
        return NULL;
    }
    head->class = class < CLASSES ? class : CLASSES;
    return (uint8_t *)head + HEAD;
}

static void pool_give(void *block)
{
    if (!block)
        return;
    union head *head = (union head *)((uint8_t *)block - HEAD);
    size_t class = head->class;
    if (class >= CLASSES || pools[class].count * (class + 1) * CLASS_STEP >= CLASS_KEPT) {
        free(head);
        return;
    }
    head->next = pools[class].top;
    pools[class].top = head;
    pools[class].count++;
}

static void *pool_resize(void *block, size_t size)
{
    union head *head = (union head *)((uint8_t *)block - HEAD);
    if (size > SIZE_MAX - HEAD)
        return NULL;
    if (head->class >= CLASSES) {
        head = realloc(head, size + HEAD);
        return head ? (uint8_t *)head + HEAD : NULL;
    }
    size_t room = (head->class + 1) * CLASS_STEP - HEAD;
    if (size <= room)
        return block;
    void *moved = pool_take(size);
    if (moved) {
        memcpy(moved, block, room);
        pool_give(block);
    }
    return moved;
}

static bool in_range(const void *block)
{
    return range.start && (uintptr_t)block - (uintptr_t)range.start < SLOTS * range.slot_size;
}

static bool reserve(void)
{
    if (range.start || range.failed)
        return !range.failed;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    range.slot_size = (STRUCT_MAX + BUFFER_MAX + page - 1) / page * page;
    void *start = mmap(NULL, SLOTS * range.slot_size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    range.failed = start == MAP_FAILED;
    if (range.failed)
        return false;
    madvise(start, SLOTS * range.slot_size, MADV_NOHUGEPAGE); /* one page must not become 512 */
    range.start = start;
    return true;
}

/* A slot, all zeros; NULL when there is none. */
static uint8_t *take_slot(void)
{
    uint32_t slot;
    if (!reserve())
        return NULL;
    if (range.free_count > 0)
        slot = range.free[--range.free_count];
    else if (range.used < SLOTS)
        slot = range.used++;
    else
        return NULL;
    return range.start + slot * range.slot_size;
}

static size_t slot_of(const void *block)
{
    return (size_t)((const uint8_t *)block - range.start) / range.slot_size;
}

static size_t place_of(const void *block)
{
    return (size_t)((const uint8_t *)block - range.start) % range.slot_size;
}

static void *allocate(size_t size, void *unused)
{
    if (!range.making || !range.slot || size < BUFFER_MIN || size > BUFFER_MAX ||
        range.taken + size > range.slot_size)
        return pool_take(size);
    uint8_t *block = range.slot + range.taken;
    range.taken += size;
    range.blocks[slot_of(block)]++;
    return block;
}

static void *allocate_zeroed(size_t count, size_t size, void *unused)
{
    if (!range.making || range.slot || count != 1 || size < STRUCT_MIN || size > STRUCT_MAX ||
        !(range.slot = take_slot())) {
        void *block = size && count > SIZE_MAX / size ? NULL : pool_take(count * size);
        return block ? memset(block, 0, count * size) : NULL;
    }
    range.taken = range.first = (size + 15) / 16 * 16;
    range.blocks[slot_of(range.slot)] = 1;
    return range.slot;
}

static void release(void *block, void *unused)
{
    if (!in_range(block)) {
        pool_give(block);
        return;
    }
    size_t slot = slot_of(block);
    assert(range.blocks[slot] > 0);
    if (--range.blocks[slot] > 0)
        return;
    uint8_t *start = range.start + slot * range.slot_size;
    if (range.slot == start)
        range.slot = NULL;
    madvise(start, range.slot_size, MADV_DONTNEED);
    range.free[range.free_count++] = (uint16_t)slot;
}

static void *reallocate(void *block, size_t size, void *unused)
{
    if (!block)
        return allocate(size, NULL); /* how nghttp2 makes its frame buffer */
    if (!in_range(block))
        return pool_resize(block, size);
    size_t at = place_of(block);
    size_t fits = at == 0 ? range.first : range.slot_size - at;
    if (size <= fits)
        return block;
    void *moved = pool_take(size);
    if (moved) {
        memcpy(moved, block, fits);
        release(block, NULL);
    }
    return moved;
}

int h2_memory_session(nghttp2_session **out, const nghttp2_session_callbacks *callbacks, void *user,
                      const nghttp2_option *option)
{
    static nghttp2_mem memory = { NULL, allocate, release, allocate_zeroed, reallocate };
    range.making = true;
    int error = nghttp2_session_server_new3(out, callbacks, user, option, &memory);
    range.making = false;
    range.slot = NULL;
    return error;
}

void h2_stop(void)
{
    h2_exchange_stop();
    for (size_t class = 0; class < CLASSES; class ++) {
        while (pools[class].top) {
            union head *head = pools[class].top;
            pools[class].top = head->next;
            free(head);
        }
        pools[class].count = 0;
    }
}
