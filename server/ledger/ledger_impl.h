/* ledger_impl.h - what ledger.c, read.c and words.c know of a ledger's inside; nobody else includes
 * it. How records and chunks hang together is said in ledger.c.
 */
#pragma once

#include <assert.h>
#include <string.h>

#include "ledger/ledger.h"

#define CHUNK_SIZE 65536
#define TEXT_MAX   4096
#define ITEM_HEAD  2 /* of a LIST: the length of a string in two octets */

struct chunk {
    struct link link;
    uint64_t first_seq;
    int64_t wall; /* wall time minus age of its records, but for those that have their own */
    uint32_t count;
    uint32_t used;
    uint16_t count_of[EV_COUNT]; /* each kind of event: told without looking at old memory again */
    uint8_t data[];
};
#define CHUNK_ROOM (CHUNK_SIZE - sizeof(struct chunk))
static_assert(CHUNK_SIZE / sizeof(uint64_t) < UINT16_MAX, "count_of counts all of a chunk");

/* A record: this, the wall time of one that has its own, then its fields: an id byte each, and
 *   - for TEXT, LIST and JSON the length in two octets, and the bytes;
 *   - for REAL and HASH eight octets;
 *   - for the others (SPAN in microseconds) four octets; or WIDE in four, then eight.
 * All in the machine's own order, and aligned to nothing. */
struct head {
    uint64_t seq;
    int64_t age;
    uint64_t connection;
    uint32_t exchange;
    uint16_t length; /* of the whole record */
    uint8_t event;
    uint8_t cut : 1, own_wall : 1;
} __attribute__((packed, may_alias));
static_assert(CHUNK_ROOM <= UINT16_MAX && EV_COUNT <= 256, "length and event have room");
static_assert(EV_COUNT <= 64, "a watch has a bit for each event");
static_assert(TEXT_MAX <= UINT16_MAX, "a text's length is two octets");
#define WIDE INT32_MIN

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
    unsigned refs;
    struct link chunks; /* oldest first, never empty */
    struct link watches;
    uint64_t watched;        /* 1 << event for each kind that one of these may be called for */
    uint64_t *counts;        /* ledger_count_into; or NULL */
    struct link *next_watch; /* whose turn it is when the watcher that is called returns */
    size_t chunk_count, chunk_max;
    struct ledger_budget *budget; /* NULL: it shares none */
    struct link sharing;          /* in budget->ledgers */
    uint64_t last, dropped;
    uint64_t dropped_of[EV_COUNT];
    uint64_t removals;             /* of chunks: a cursor's place is good while it stays the same */
    int64_t made;                  /* monotonic */
    int64_t wall_offset, wall_due; /* wall minus monotonic time; when to measure it again */

    /* In the newest chunk: */
    uint8_t *start; /* the open record, or where the next one begins */
    uint8_t *at;    /* where the next field of it goes */
    uint8_t *limit; /* the end of the chunk */
    bool open;      /* between begin and commit */
    int64_t age;    /* of the record that was begun last, */
    int64_t wall;   /* and its wall time minus that */
};

static inline struct chunk *oldest(const struct ledger *l)
{
    return link_entry(l->chunks.next, struct chunk, link);
}

static inline struct chunk *newest(const struct ledger *l)
{
    return link_entry(l->chunks.prev, struct chunk, link);
}

static inline void record_at(const struct chunk *c, const uint8_t *bytes, struct ledger_record *out)
{
    const struct head *head = (const struct head *)bytes;
    const uint8_t *fields = bytes + sizeof *head;
    out->wall = c->wall + head->age;
    if (head->own_wall) {
        memcpy(&out->wall, fields, sizeof out->wall);
        fields += sizeof out->wall;
    }
    out->seq = head->seq;
    out->age = head->age;
    out->connection = head->connection;
    out->exchange = head->exchange;
    out->event = head->event;
    out->cut = head->cut;
    out->fields = fields;
    out->fields_len = (size_t)(bytes + head->length - fields);
    out->index = NULL;
}
