/* calls_parts.h - the inside of a build of calls: join.c and names.c (which attempt belongs to
 * which call), anonymous.c (calls that began before a request), exposure.c (how a call stands to
 * faults), calls.c (the rest).
 */
#pragma once

#include "verdict/calls.h"
#include "verdict/store.h"

#define NO_CALL SIZE_MAX

/* An attempt, and where it was put. */
struct entry {
    const struct attempt *attempt;
    enum trouble trouble; /* as of now */
    uint64_t what;        /* method, authority, target and digest; 0: they are not all known */
    uint64_t path;        /* method and path; 0: not known */
    struct span seen;
    struct member member;
    size_t next; /* in its call: index + 1, 0 for the end */
};

/* Silence before a first request (R7), of a listener: SYNs, or connections that got no further. */
struct silence {
    uint64_t listener;
    struct span begun;
    int64_t last; /* its last sign; what comes much later is perhaps another call's */
    uint64_t fault;
    int64_t ended; /* when the client ended the last of it; NEVER */
    bool taken;    /* it belongs to a call */
};

struct made {
    size_t first, last; /* entries, + 1; 0: none */
    size_t count;
    size_t group;
    size_t silence;   /* + 1; 0: none */
    bool blind;       /* a presumed attempt alone, of which nothing was read */
    uint64_t named;   /* the hash of its Hangup-Call; 0 */
    size_t recent;    /* the first of its newest members that are looked at; + 1 */
    size_t skipped;   /* how many are before that */
    int64_t calm;     /* of one with one member: until when nothing happens to that; else 0 */
    size_t next_open; /* in the list of its path: index + 1 */
};

/* Of a connection and all that were opened before it. */
struct older {
    int64_t answered; /* when the last answer of all was handed out; NEVER: none was */
    int64_t over;     /* from when on all of them were dead or gone; INT64_MAX: they are not */
};

struct build {
    const struct history *h;
    const struct calls_config *config;
    enum reading reading;
    struct entry *entries; /* by first byte */
    size_t entry_count;
    struct made *made; /* in the order in which they began */
    size_t made_count;
    size_t blind_count;
    struct silence *silences; /* by begun */
    size_t silence_count;
    struct store names;  /* a call for each name */
    struct store worn;   /* ids that more than one call had: no names */
    struct store paths;  /* open calls of a method and path */
    struct store asked;  /* by what: who asks it, and when last */
    struct older *older; /* a row for each connection of the history */
};

/* What an attempt was at an age, to one that began then. */
enum standing { IN_FLIGHT, IS_OUT, IS_DONE, IS_UNCONFIRMED, IS_UNSURE };
enum standing join_standing(const struct build *b, const struct entry *e, int64_t age);

/* How long behind the loss of all its attempts another one may be of the same call. */
int64_t join_apart(const struct calls_config *config);

/* join.c: puts each entry into a call. Returns 0 or -ENOMEM. */
int join_all(struct build *b);

/* Whether the client's account shows what became of an attempt that nobody has read. */
bool join_is_resent(const struct build *b, const struct attempt *lost);

/* Whether what is joined loosely is joined. */
bool join_takes_loose(const struct build *b);

/* quick.c: whether an attempt that begins at an age may be the next call as well as one more
 * attempt of this one. */
bool quick_find(const struct build *b, const struct made *call, const struct entry *e,
                int64_t begun);

/* names.c: stores for the names of so many attempts. Returns 0 or -ENOMEM. */
int names_init(struct build *b, size_t attempts);
/* Which ids name no call, as more than one had them; before any is kept. */
void names_find_worn(struct build *b);
/* The call that an attempt names, or NO_CALL; *join: how strongly. */
size_t names_join(const struct build *b, const struct entry *e, enum join *join);
/* Two calls that the harness named are two, whatever else is equal. */
bool names_part(const struct made *call, const struct entry *e);
void names_keep(struct build *b, size_t index, const struct entry *e);

/* anonymous.c: what silences there were. Returns 0 or -ENOMEM. */
int silences_find(struct build *b);
/* The one that ends with this first request of a call: index + 1, 0: none. */
size_t silence_before(const struct build *b, const struct entry *e);

/* repeat.c: RFC 9110 9.2.1 and 9.2.2. */
bool repeat_is_safe(const struct attempt *a);
bool repeat_is_idempotent(const struct attempt *a);

/* exposure.c: what its `older` is. Returns 0 or -ENOMEM. */
int exposure_prepare(struct build *b);
/* Of a call that no fault struck. */
void exposure_find(const struct build *b, struct call *call, const struct entry *first);
