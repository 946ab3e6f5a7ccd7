/* ledger.c - how events are held.
 *
 * Records lie one behind the other in chunks of 64 KiB, the chunks in a list, oldest first. Only
 * the newest chunk is written to. These hold whenever no record is open:
 *   - a chunk's records have the sequence numbers first_seq, first_seq + 1 ... without a gap, and
 *     so have the chunks among themselves; so any event is found from its number alone;
 *   - each chunk but the newest holds at least one record; the newest is empty only when the whole
 *     ledger is;
 *   - a record never spans two chunks.
 * A record is written in place, at the end of the newest chunk, and belongs to the chunk only from
 * ledger_commit on. When it outgrows the chunk, what there is of it moves to the front of a fresh
 * one; when it fills a whole chunk alone, its further fields are cut.
 *
 * The first chunk comes with the ledger, and a fresh one is the oldest one used again as soon as
 * the bound is reached or memory is short, of the largest ledger where several share memory:
 * writing an event cannot fail, and it allocates at most once in a thousand events or so.
 */
#include "ledger/ledger_impl.h"
#include "ledger/overdue.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"

/* How often the wall clock is read. Less often than the monotonic one, to save time; again and
 * again, because it may be set, and the monotonic one rests while the machine sleeps. */
#define WALL_EVERY NS_PER_S

static void use_chunk(struct ledger *l, struct chunk *c)
{
    c->first_seq = l->last + 1;
    c->count = 0;
    memset(c->count_of, 0, sizeof c->count_of);
    c->used = 0;
    link_append(&l->chunks, &c->link);
    l->start = l->at = c->data;
    l->limit = c->data + CHUNK_ROOM;
}

static void count_chunks(struct ledger *l, ptrdiff_t more)
{
    l->chunk_count += (size_t)more;
    if (l->budget)
        l->budget->chunks += (size_t)more;
}

struct ledger *ledger_create(size_t max_bytes)
{
    struct ledger *l = calloc(1, sizeof *l);
    struct chunk *c = malloc(CHUNK_SIZE);
    if (!l || !c) {
        free(l);
        free(c);
        return NULL;
    }
    link_init(&l->chunks);
    link_init(&l->watches);
    link_init(&l->sharing);
    l->refs = 1;
    l->chunk_count = 1;
    l->chunk_max = max_bytes / CHUNK_SIZE;
    l->made = clock_now();
    use_chunk(l, c);
    return l;
}

int64_t ledger_age(const struct ledger *l, int64_t monotonic)
{
    return monotonic - l->made;
}

struct ledger *ledger_ref(struct ledger *l)
{
    l->refs++;
    return l;
}

void ledger_destroy(struct ledger *l)
{
    if (!l || --l->refs > 0)
        return;
    while (!link_empty(&l->watches))
        ledger_watch_remove(link_entry(l->watches.next, struct ledger_watch, link));
    count_chunks(l, -(ptrdiff_t)l->chunk_count);
    link_remove(&l->sharing);
    while (!link_empty(&l->chunks)) {
        struct chunk *c = oldest(l);
        link_remove(&c->link);
        free(c);
    }
    free(l);
}

void ledger_budget_init(struct ledger_budget *budget, size_t max_bytes)
{
    *budget = (struct ledger_budget){ .chunk_max = max_bytes / CHUNK_SIZE };
    link_init(&budget->ledgers);
}

void ledger_join(struct ledger *l, struct ledger_budget *budget)
{
    l->budget = budget;
    link_append(&budget->ledgers, &l->sharing);
    budget->chunks += l->chunk_count;
}

/* --- Writing --- */

/* Takes the oldest chunk out of the list. */
static struct chunk *remove_oldest(struct ledger *l)
{
    struct chunk *c = oldest(l);
    link_remove(&c->link);
    l->removals++;
    return c;
}

static void count_dropped(struct ledger *l, const struct chunk *c)
{
    for (int event = 0; event < EV_COUNT; event++)
        l->dropped_of[event] += c->count_of[event];
    l->dropped += c->count;
}

/* Whose oldest events go when no more memory may be taken: its own, or those of the largest that
 * shares with it. */
static struct ledger *victim(struct ledger *l)
{
    struct ledger *largest = l;
    if (!l->budget || l->chunk_count >= l->chunk_max)
        return l;
    for (struct link *i = l->budget->ledgers.next; i != &l->budget->ledgers; i = i->next) {
        struct ledger *other = link_entry(i, struct ledger, sharing);
        if (other->chunk_count > largest->chunk_count)
            largest = other;
    }
    return largest;
}

static bool may_grow(const struct ledger *l)
{
    return l->chunk_count < l->chunk_max &&
           (!l->budget || l->budget->chunks < l->budget->chunk_max);
}

/* Has the kernel make all pages of a chunk at once: a fault for each is dearer under load. Where it
 * cannot (before Linux 5.14), they come as they are written to. */
static void populate(struct chunk *c)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = (uintptr_t)c & ~(page - 1);
    madvise((void *)start, (uintptr_t)c + CHUNK_SIZE - start, MADV_POPULATE_WRITE);
}

static struct chunk *take_chunk(struct ledger *l)
{
    struct chunk *c = may_grow(l) ? malloc(CHUNK_SIZE) : NULL;
    if (c) {
        populate(c);
        count_chunks(l, 1);
        return c;
    }
    struct ledger *from = victim(l);
    c = remove_oldest(from); /* l's newest, when there is no other */
    count_dropped(from, c);
    count_chunks(from, -1);
    count_chunks(l, 1);
    return c;
}

static struct head *open_head(const struct ledger *l)
{
    return (struct head *)l->start;
}

/* Continues in an empty chunk, which what there is of the open record moves to. */
static void next_chunk(struct ledger *l)
{
    const uint8_t *start = l->start;
    size_t len = (size_t)(l->at - l->start);
    struct chunk *c = take_chunk(l);
    memmove(c->data, start, len);
    use_chunk(l, c);
    c->wall = l->wall;
    l->at += len;
}

/* For the next n bytes of the open record the newest chunk has no room. False: it fills one. */
static bool make_room(struct ledger *l, size_t n)
{
    if (l->start > newest(l)->data)
        next_chunk(l);
    bool fits = n <= (size_t)(l->limit - l->at);
    open_head(l)->cut |= !fits;
    return fits;
}

/* Is there room for the next n bytes of the open record? Not when it fills a chunk. */
static inline bool room(struct ledger *l, size_t n)
{
    return (size_t)(l->limit - l->at) >= n || make_room(l, n);
}

/* wall: the wall time minus the age. */
static inline void open_record(struct ledger *l, uint64_t seq, int64_t age, int64_t wall,
                               enum ledger_event event, uint64_t connection, uint32_t exchange)
{
    assert(!l->open);
    l->open = true;
    l->age = age;
    l->wall = wall;
    l->at = l->start;
    if (l->limit - l->at < (ptrdiff_t)(sizeof(struct head) + sizeof wall))
        next_chunk(l);
    struct chunk *c = newest(l);
    if (l->start == c->data)
        c->wall = wall;
    bool own_wall = wall != c->wall;
    *open_head(l) = (struct head){ .seq = seq,
                                   .age = age,
                                   .connection = connection,
                                   .exchange = exchange,
                                   .event = (uint8_t)event,
                                   .own_wall = own_wall };
    l->at += sizeof(struct head);
    if (!own_wall)
        return;
    wall += age;
    memcpy(l->at, &wall, sizeof wall);
    l->at += sizeof wall;
}

/* In microseconds, as it is shown: so what reads a record and what reads its JSON know the same. */
static int64_t shown(int64_t ns)
{
    return ns / NS_PER_US * NS_PER_US;
}

static struct {
    int64_t due;
    void (*late)(void *owner);
    void *owner;
} overdue = { .due = TIME_NONE };

void ledger_overdue_at(int64_t due, void (*late)(void *owner), void *owner)
{
    overdue.due = due;
    overdue.late = late;
    overdue.owner = owner;
}

void ledger_overdue_look(int64_t now)
{
    if (now < overdue.due)
        return;
    overdue.due = TIME_NONE;
    overdue.late(overdue.owner);
}

void ledger_begin_at(struct ledger *l, int64_t now, enum ledger_event event, uint64_t connection,
                     uint32_t exchange)
{
    ledger_overdue_look(now);
    int64_t age = shown(now - l->made);
    if (age < l->age)
        age = l->age;
    if (now >= l->wall_due) {
        l->wall_offset = shown(clock_wall(now) - now + l->made);
        l->wall_due = now + WALL_EVERY;
    }
    open_record(l, l->last + 1, age, l->wall_offset, event, connection, exchange);
}

void ledger_begin(struct ledger *l, enum ledger_event event, uint64_t connection, uint32_t exchange)
{
    ledger_begin_at(l, clock_now(), event, connection, exchange);
}

void ledger_begin_again(struct ledger *l, const struct ledger_record *as)
{
    assert(as->seq > l->last);
    open_record(l, as->seq, as->age, as->wall - as->age, as->event, as->connection, as->exchange);
    open_head(l)->cut = as->cut;
}

void ledger_abandon(struct ledger *l)
{
    assert(l->open);
    l->open = false;
}

/* One that does not fit in four octets, or with no room in this chunk. */
static void put_far(struct ledger *l, enum ledger_field field, int64_t value)
{
    const int32_t wide = WIDE;
    if (!room(l, 1 + sizeof wide + sizeof value))
        return;
    *l->at = (uint8_t)field;
    memcpy(l->at + 1, &wide, sizeof wide);
    memcpy(l->at + 1 + sizeof wide, &value, sizeof value);
    l->at += 1 + sizeof wide + sizeof value;
}

static inline void put_number(struct ledger *l, enum ledger_field field, int64_t value)
{
    int32_t number = (int32_t)value;
    if (number != value || number == WIDE || l->limit - l->at < 1 + (ptrdiff_t)sizeof number) {
        put_far(l, field, value);
        return;
    }
    uint8_t *at = l->at; /* octets may be anything's: l->at would be read again behind each */
    *at = (uint8_t)field;
    memcpy(at + 1, &number, sizeof number);
    l->at = at + 1 + sizeof number;
}

void ledger_int(struct ledger *l, enum ledger_field field, int64_t value)
{
    enum ledger_kind kind = kind_of(field);
    assert(l->open && (kind == LEDGER_INT || kind == LEDGER_BOOL || kind == LEDGER_SPAN));
    put_number(l, field, kind == LEDGER_SPAN ? value / NS_PER_US : value);
}

void ledger_word(struct ledger *l, enum ledger_field field, int64_t word)
{
    assert(l->open && kind_of(field) == LEDGER_WORD);
    if (*ledger_word_name(field, word))
        put_number(l, field, word);
}

static void put_octets(struct ledger *l, enum ledger_field field, const void *eight)
{
    if (!room(l, 1 + sizeof(uint64_t)))
        return;
    *l->at = (uint8_t)field;
    memcpy(l->at + 1, eight, sizeof(uint64_t));
    l->at += 1 + sizeof(uint64_t);
}

void ledger_real(struct ledger *l, enum ledger_field field, double value)
{
    assert(l->open && kind_of(field) == LEDGER_REAL);
    put_octets(l, field, &value);
}

void ledger_hash(struct ledger *l, enum ledger_field field, uint64_t hash)
{
    assert(l->open && kind_of(field) == LEDGER_HASH);
    put_octets(l, field, &hash);
}

/* How much of a text is taken: not a part of a UTF-8 sequence, nor of JSON, as that would be none.
 */
static size_t cut_text(struct ledger *l, enum ledger_field field, const char *text)
{
    size_t len = TEXT_MAX;
    open_head(l)->cut = true;
    for (int i = 0; i < 3 && ((uint8_t)text[len] & 0xc0) == 0x80; i++)
        len--;
    return kind_of(field) == LEDGER_JSON ? 0 : len;
}

void ledger_bytes(struct ledger *l, enum ledger_field field, const char *text, size_t len)
{
    uint16_t octets;
    assert(l->open && is_text(kind_of(field)));
    if (len > TEXT_MAX && (len = cut_text(l, field, text)) == 0)
        return;
    if (!room(l, 1 + sizeof octets + len))
        return;
    octets = (uint16_t)len;
    uint8_t *at = l->at;
    *at = (uint8_t)field;
    memcpy(at + 1, &octets, sizeof octets);
    l->at = at + 1 + sizeof octets + len;
    if (len)
        memcpy(at + 1 + sizeof octets, text, len);
}

void ledger_text(struct ledger *l, enum ledger_field field, const char *text)
{
    if (text)
        ledger_bytes(l, field, text, strlen(text));
}

/* Behind its length in two octets: no octet can stand between strings that are any bytes. */
size_t ledger_item(char *list, size_t size, size_t len, const void *item, size_t n)
{
    if (size < ITEM_HEAD || len > size - ITEM_HEAD)
        return len;
    n = n < UINT16_MAX ? n : UINT16_MAX;
    n = n < size - ITEM_HEAD - len ? n : size - ITEM_HEAD - len;
    list[len] = (char)(n >> 8);
    list[len + 1] = (char)n;
    if (n)
        memcpy(list + len + ITEM_HEAD, item, n);
    return len + ITEM_HEAD + n;
}

static __attribute__((noinline)) void tell_watches(struct ledger *l, const struct chunk *c,
                                                   const uint8_t *bytes)
{
    struct ledger_record record;
    record_at(c, bytes, &record);
    for (struct link *i = l->watches.next; i != &l->watches; i = l->next_watch) {
        struct ledger_watch *watch = link_entry(i, struct ledger_watch, link);
        l->next_watch = i->next;
        if (watch->from <= record.seq && (!watch->only || watch->only >> record.event & 1))
            watch->committed(watch, &record);
    }
}

uint64_t ledger_commit(struct ledger *l)
{
    assert(l->open);
    struct chunk *c = newest(l);
    struct head *head = open_head(l);
    uint64_t seq = head->seq;
    head->length = (uint16_t)(l->at - l->start);
    if (c->count++ == 0)
        c->first_seq = seq;
    c->count_of[head->event]++;
    c->used = (uint32_t)(l->at - c->data);
    l->last = seq;
    l->open = false;
    l->start = l->at;
    if (l->counts)
        l->counts[head->event]++;
    if (l->watched >> head->event & 1)
        tell_watches(l, c, (const uint8_t *)head);
    return seq;
}

void ledger_clear(struct ledger *l)
{
    assert(!l->open);
    for (; l->chunk_count > 1; count_chunks(l, -1))
        free(remove_oldest(l));
    use_chunk(l, remove_oldest(l));
    ledger_begin(l, EV_CLEARED, 0, 0);
    ledger_commit(l);
}

void ledger_count_into(struct ledger *l, uint64_t *counts)
{
    l->counts = counts;
}

void ledger_watch_add(struct ledger *l, struct ledger_watch *watch)
{
    watch->ledger = l;
    watch->from = l->last + 1;
    link_append(&l->watches, &watch->link);
    l->watched |= watch->only ? watch->only : UINT64_MAX;
}

void ledger_watch_remove(struct ledger_watch *watch)
{
    struct ledger *l = watch->ledger;
    if (!l)
        return;
    if (l->next_watch == &watch->link)
        l->next_watch = watch->link.next;
    link_remove(&watch->link);
    watch->ledger = NULL;
    l->watched = 0;
    for (const struct link *i = l->watches.next; i != &l->watches; i = i->next) {
        const struct ledger_watch *other = link_entry(i, const struct ledger_watch, link);
        l->watched |= other->only ? other->only : UINT64_MAX;
    }
}
