/* ledger_impl.h - what ledger.c, read.c and words.c know of a ledger's inside; nobody else includes
 * it. How records and chunks hang together is said in ledger.c.
 */
#pragma once

#include <assert.h>
#include <string.h>

#include "ledger/ledger.h"

#define CHUNK_SIZE 65536
#define TEXT_MAX   4096
#define VARINT_MAX 10
#define ITEM_HEAD  2 /* of a LIST: the length of a string in two octets */

struct chunk {
    struct link link;
    uint64_t first_seq;
    uint32_t count;
    uint32_t used;
    uint16_t count_of[EV_COUNT]; /* each kind of event: told without looking at old memory again */
    uint8_t data[];
};
#define CHUNK_ROOM (CHUNK_SIZE - sizeof(struct chunk))
static_assert(CHUNK_SIZE / sizeof(uint64_t) < UINT16_MAX, "count_of counts all of a chunk");

/* A record: this, then its fields, each an id byte, then for TEXT and LIST the length as a varint
 * and the bytes, for the other kinds the value as a zigzag varint. */
struct head {
    uint64_t seq;
    int64_t age, wall;
    uint64_t connection;
    uint32_t exchange;
    uint32_t length; /* of the whole record */
    uint16_t event;
    bool cut;
};

/* The rows of rows.h. */
struct field_row {
    const char *name;
    enum ledger_kind kind;
};
extern const struct field_row ledger_fields[F_COUNT];

static inline enum ledger_kind kind_of(enum ledger_field field)
{
    return ledger_fields[field].kind;
}

static inline bool is_text(enum ledger_kind kind)
{
    return kind == LEDGER_TEXT || kind == LEDGER_LIST || kind == LEDGER_JSON;
}

static_assert(F_COUNT <= 256, "a field's id is one byte");

struct ledger {
    struct link chunks; /* oldest first, never empty */
    struct link watches;
    struct link *next_watch; /* whose turn it is when the watcher that is called returns */
    size_t chunk_count, chunk_max;
    struct ledger_budget *budget; /* NULL: it shares none */
    struct link sharing;          /* in budget->ledgers */
    uint64_t last, dropped;
    uint64_t dropped_of[EV_COUNT];
    uint64_t removals;             /* of chunks: a cursor's place is good while it stays the same */
    int64_t made;                  /* monotonic */
    int64_t wall_offset, wall_due; /* wall minus monotonic time; when to measure it again */

    bool open;          /* between begin and commit: */
    size_t start, end;  /* where in the newest chunk the record lies */
    struct head record; /* goes to start at commit */
};

static inline struct chunk *oldest(const struct ledger *l)
{
    return link_entry(l->chunks.next, struct chunk, link);
}

static inline struct chunk *newest(const struct ledger *l)
{
    return link_entry(l->chunks.prev, struct chunk, link);
}

static inline struct ledger_record record_at(const uint8_t *bytes)
{
    struct head head;
    memcpy(&head, bytes, sizeof head);
    return (struct ledger_record){ .seq = head.seq,
                                   .age = head.age,
                                   .wall = head.wall,
                                   .connection = head.connection,
                                   .exchange = head.exchange,
                                   .event = head.event,
                                   .cut = head.cut,
                                   .fields = bytes + sizeof head,
                                   .fields_len = head.length - sizeof head };
}
