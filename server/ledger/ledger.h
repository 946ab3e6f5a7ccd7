/* ledger.h - the ordered events of a run.
 *
 * An event is a record of typed fields, packed into chunks of memory as it happens and turned into
 * JSON only when somebody reads it, so that writing one costs about as much as copying its bytes.
 * The ledger is bounded: when it is full, the oldest chunk goes and its events are counted as
 * dropped. Sequence numbers start at 1 and never repeat, also across ledger_clear.
 *
 * Which events and fields exist is said once, by the rows of rows.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/refusal.h"
#include "ledger/rows.h"

enum ledger_kind {
    LEDGER_INT,
    LEDGER_TEXT,
    LEDGER_BOOL,
    LEDGER_SPAN,
    LEDGER_REAL,
    LEDGER_LIST,
    LEDGER_JSON,
    LEDGER_WORD,
    LEDGER_HASH
};

enum ledger_event {
#define X(symbol, name, about) EV_##symbol,
    LEDGER_EVENTS(X)
#undef X
        EV_COUNT
};

enum ledger_field {
#define X(symbol, name, kind) F_##symbol,
    LEDGER_FIELDS(X)
#undef X
        F_COUNT
};

/* The words, as they are written and read: BY_CLIENT ... */
enum ledger_protocol {
#define X(symbol, word) SPOKEN_##symbol,
    LEDGER_WORDS_PROTOCOL_NAME(X)
#undef X
        SPOKEN_COUNT
};

enum ledger_tls_version {
#define X(symbol, word) TLS_VERSION_##symbol,
    LEDGER_WORDS_TLS_VERSION(X)
#undef X
};

enum ledger_by {
#define X(symbol, word) BY_##symbol,
    LEDGER_WORDS_BY(X)
#undef X
};

enum ledger_how {
#define X(symbol, word) HOW_##symbol,
    LEDGER_WORDS_HOW(X)
#undef X
};

enum ledger_ended_in {
#define X(symbol, word) ENDED_IN_##symbol,
    LEDGER_WORDS_IN(X)
#undef X
};

enum ledger_reached {
#define X(symbol, word) REACHED_##symbol,
    LEDGER_WORDS_REACHED(X)
#undef X
};

enum ledger_into {
#define X(symbol, word) INTO_##symbol,
    LEDGER_WORDS_SENT_INTO(X)
#undef X
};

enum ledger_fin_acked {
#define X(symbol, word) FIN_##symbol,
    LEDGER_WORDS_FIN_ACKED_BEFORE(X)
#undef X
};

enum ledger_applied {
#define X(symbol, word) APPLIED_##symbol,
    LEDGER_WORDS_APPLY(X)
#undef X
};

enum ledger_lost_by {
#define X(symbol, word) LOST_BY_##symbol,
    LEDGER_WORDS_LOST_BY(X)
#undef X
};

enum ledger_proof {
#define X(symbol, word) PROOF_##symbol,
    LEDGER_WORDS_PROOF(X)
#undef X
};

enum ledger_class {
#define X(symbol, word) CLASS_##symbol,
    LEDGER_WORDS_CLASS(X)
#undef X
};

enum ledger_scope {
#define X(symbol, word) SCOPE_##symbol,
    LEDGER_WORDS_SCOPE(X)
#undef X
};

enum ledger_path {
#define X(symbol, word) PATH_##symbol,
    LEDGER_WORDS_PATH(X)
#undef X
};

enum ledger_source {
#define X(symbol, word) SOURCE_##symbol,
    LEDGER_WORDS_SOURCE(X)
#undef X
};

enum ledger_only {
#define X(symbol, word) ONLY_##symbol,
    LEDGER_WORDS_OVER(X)
#undef X
};

enum ledger_phase {
#define X(symbol, word) PHASE_##symbol,
    LEDGER_WORDS_PHASE(X)
#undef X
        PHASE_COUNT
};

enum ledger_reason {
#define X(symbol, word) REASON_##symbol,
    LEDGER_WORDS_REASON(X)
#undef X
};

enum ledger_trigger {
#define X(symbol, word) TRIGGER_##symbol,
    LEDGER_WORDS_TRIGGER(X)
#undef X
};

enum ledger_step {
#define X(symbol, word) STEP_##symbol,
    LEDGER_WORDS_STEP(X)
#undef X
        STEP_COUNT
};

struct ledger;

/* The JSON name of an event, what it means, and its members as LEDGER_MEMBERS has them; the JSON
 * name of a field, and its kind. */
const char *ledger_event_name(enum ledger_event event);
const char *ledger_event_members(enum ledger_event event);
const char *ledger_event_about(enum ledger_event event);
const char *ledger_field_name(enum ledger_field field);
enum ledger_kind ledger_field_kind(enum ledger_field field);
/* The words of a WORD field: how many numbers its enumeration has, the word of a number, and the
 * number of a word, -1 when the field has no such one. */
int64_t ledger_word_count(enum ledger_field field);
const char *ledger_word_name(enum ledger_field field, int64_t word);
int64_t ledger_word_find(enum ledger_field field, const char *word);

/* Makes an empty ledger of at most max_bytes (at least one chunk). NULL without memory. */
struct ledger *ledger_create(size_t max_bytes);
/* A time of clock_now() as events have it: since the ledger was made. */
int64_t ledger_age(const struct ledger *l, int64_t monotonic);
/* Whoever made it, or has a reference, has done with it; the last one takes it out of memory. */
void ledger_destroy(struct ledger *l);
/* One more who has it. */
struct ledger *ledger_ref(struct ledger *l);

/* Memory that ledgers share, beside the bound that each has. When it is used up, one that needs
 * more gets a chunk of the largest of them, which drops its oldest events; so each can have its
 * part, whatever the others hold. The first chunk of a ledger cannot be taken, nor refused. */
struct ledger_budget {
    size_t chunks, chunk_max;
    struct link ledgers;
};
void ledger_budget_init(struct ledger_budget *budget, size_t max_bytes);
/* Behind ledger_create; the budget must outlive the ledger. */
void ledger_join(struct ledger *l, struct ledger_budget *budget);

/* Writes one event: begin, then any fields, then commit, with nothing in between that could write
 * another. connection and exchange are ids, 0 for none. A text longer than 4,096 bytes is cut (the
 * record says so with "cut": true). Writing cannot fail: without memory for another chunk the
 * oldest one goes, as if the bound were reached. ledger_commit returns the event's sequence number.
 */
void ledger_begin(struct ledger *l, enum ledger_event event, uint64_t connection,
                  uint32_t exchange);
/* The same at a time that was read before, with clock_now(): of one turn of the loop, for what
 * happens many times in that. It is not shown to be before an earlier event. */
void ledger_begin_at(struct ledger *l, int64_t now, enum ledger_event event, uint64_t connection,
                     uint32_t exchange);
void ledger_int(struct ledger *l, enum ledger_field field, int64_t value); /* INT, BOOL, SPAN */
void ledger_word(struct ledger *l, enum ledger_field field,
                 int64_t word); /* an empty one: left out */
void ledger_real(struct ledger *l, enum ledger_field field, double value); /* REAL, a finite one */
void ledger_hash(struct ledger *l, enum ledger_field field, uint64_t hash);
void ledger_bytes(struct ledger *l, enum ledger_field field, const char *text, size_t len);
void ledger_text(struct ledger *l, enum ledger_field field, const char *text); /* NULL: left out */
uint64_t ledger_commit(struct ledger *l);

/* Appends a string to those of a LIST, of which list, of this size, holds len bytes. Returns the
 * new length. What does not fit is left out; LEDGER_LIST_SIZE holds more than the ledger takes. */
#define LEDGER_LIST_SIZE 8192
size_t ledger_item(char *list, size_t size, size_t len, const void *item, size_t n);

/* The newest sequence number (0: none yet), the oldest still held (0: none), and how many events
 * were dropped since the ledger was made: in all, and of one kind. */
uint64_t ledger_last(const struct ledger *l);
uint64_t ledger_first(const struct ledger *l);
uint64_t ledger_dropped(const struct ledger *l);
uint64_t ledger_dropped_of(const struct ledger *l, enum ledger_event event);
/* The memory that it takes up, in bytes. */
size_t ledger_memory(const struct ledger *l);

/* --- Reading records */

/* One event. It points into the ledger's memory, and is good until the next one is written or the
 * ledger is cleared. */
struct ledger_record {
    uint64_t seq;
    int64_t age;         /* of the ledger then: monotonic ns since it was made */
    int64_t wall;        /* ns since 1970 */
    uint64_t connection; /* 0: none */
    uint32_t exchange;   /* 0: none */
    enum ledger_event event;
    bool cut;              /* a text was cut, or fields did not fit */
    const uint8_t *fields; /* for ledger_field_next */
    size_t fields_len;
    const struct ledger_index *index; /* NULL: it has none */
};

/* A field of a record. */
struct ledger_value {
    enum ledger_field field;
    enum ledger_kind kind;
    int64_t number;    /* INT, BOOL, SPAN (ns), WORD (of its enumeration) */
    double real;       /* REAL */
    uint64_t hash;     /* HASH */
    const char *bytes; /* TEXT, JSON, LIST (for ledger_item_next); no NUL behind them */
    size_t len;
};

/* The field of a record that comes at *at (begin with 0), which moves behind it. False: there are
 * no more. */
bool ledger_field_next(const struct ledger_record *record, size_t *at, struct ledger_value *out);
/* The same for the strings of a LIST; of one that was cut, the last may be short. */
bool ledger_item_next(const struct ledger_value *list, size_t *at, const char **item, size_t *n);

/* Where each field of a record is. For one of many fields that are looked for: with it each is
 * found at once. It must live as long as the record. */
struct ledger_index {
    uint16_t at[F_COUNT]; /* the place + 1; 0: it has none */
};
void ledger_index(struct ledger_record *record, struct ledger_index *index);

/* The field of a record, if it has it. Accessors of one kind: a number (INT, BOOL, SPAN, WORD) or
 * fallback; whether a text (TEXT, JSON) is there and the same as this. */
bool ledger_value(const struct ledger_record *record, enum ledger_field field,
                  struct ledger_value *out);
int64_t ledger_number(const struct ledger_record *record, enum ledger_field field,
                      int64_t fallback);
bool ledger_text_is(const struct ledger_record *record, enum ledger_field field, const char *text);

/* Goes through the events behind since, oldest first, while others are written and dropped: set
 * ledger and since, the rest 0. Events that are gone are passed over (compare seq). */
struct ledger_cursor {
    const struct ledger *ledger;
    uint64_t since;    /* the event that it stands behind */
    const void *chunk; /* where that is, if removals is the ledger's */
    size_t at;
    uint64_t removals;
};
/* The next event. False: there is none yet; ask again later. */
bool ledger_next(struct ledger_cursor *cursor, struct ledger_record *out);

/* --- Reading as JSON (json.c) */

/* Appends the event as a JSON object: "seq", "at" (wall time), "ms" (milliseconds since the ledger
 * was made), "event", "connection" and "exchange" where there is one, then the event's fields in
 * their order. Returns 0 or -ENOMEM. */
int ledger_render(const struct ledger_record *record, struct buf *out);

/* The same for a "gap": the events from first up to the one before next are missing. It has the
 * last one's sequence number, and the times of next. */
int ledger_render_gap(uint64_t first, const struct ledger_record *next, struct buf *out);

/* Where a page ends that begins behind since: the sequence number of its last event, of at most
 * max_events (at least one) and as many as take up max_bytes of the ledger's memory; since when
 * there is none. */
uint64_t ledger_page(const struct ledger *l, uint64_t since, size_t max_events, size_t max_bytes);

/* Appends to out, as JSON objects with separator between them, the events with a sequence number
 * above since, oldest first, at most max_events and until out holds max_bytes. *next becomes the
 * sequence number to continue from: that of the last event written, or since when there was none.
 * Returns how many were written, or -ENOMEM (out is as it was, but for its failed). */
int ledger_read(const struct ledger *l, uint64_t since, size_t max_events, size_t max_bytes,
                const char *separator, struct buf *out, uint64_t *next);

/* --- Loading what was rendered (load.c) */

/* Appends the event of a line of JSON that ledger_render wrote, with its sequence number and times:
 * the ledger then has the same record, but that a text which was no UTF-8 is now what was shown of
 * it. Returns 0, -ENOMEM, or BAD_INPUT with *why for what ledger_render does not write: no JSON
 * object, an event or member that does not exist, one that is missing or of another kind, a
 * sequence number that does not rise. Nothing is appended then. */
int ledger_load(struct ledger *l, const char *line, size_t len, struct refusal *why);
/* What it is made of: begins an event as this one was, its fields aside; gives up the one that is
 * being written. */
void ledger_begin_again(struct ledger *l, const struct ledger_record *as);
void ledger_abandon(struct ledger *l);

/* Empties it (sequence numbers continue) and writes a "cleared" event. */
void ledger_clear(struct ledger *l);

/* --- Watching */

/* A watcher is called after each commit with what was written, until it is removed. From inside it
 * any watcher may be removed, itself too, or added (which hears of the next event); it must not
 * write events. The caller owns the memory. A ledger's end removes all. */
struct ledger_watch {
    struct link link;
    void (*committed)(struct ledger_watch *watch, const struct ledger_record *record);
    uint64_t only;         /* 1 << event for each kind that it is called for; 0: for all */
    struct ledger *ledger; /* NULL: it is removed */
    uint64_t from;         /* the first event that it hears of */
};
void ledger_watch_add(struct ledger *l, struct ledger_watch *watch);
void ledger_watch_remove(struct ledger_watch *watch); /* again, or before it was added: no harm */
/* For one who only counts, at less cost: each commit adds 1 to counts[event], EV_COUNT of them.
 * NULL: no longer. */
void ledger_count_into(struct ledger *l, uint64_t *counts);
