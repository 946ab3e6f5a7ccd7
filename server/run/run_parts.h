/* run_parts.h - the highest step of run/: the inside of a run, for run.c (its plan, marks,
 * sessions and end), listening.c and syns.c (its listeners), sweep.c (what was set, on its way to
 * the sessions) and room.c (which of them can be done without).
 */
#pragma once

#include "run/run.h"
#include "run/session.h"
#include "run/syns.h"
#include "wire/listener.h"

/* What the listeners of a run (shared.listeners) do, and why. */
struct listening {
    enum listener_answer answer;
    struct syns *syns;            /* who is refused or dropped; NULL: nobody */
    struct mode_program *program; /* what the next connection gets; a reference. NULL: none yet */
    bool answered;                /* a rule of program has said what they do */
    struct link scripts;          /* its rules at work */
    unsigned script_count;
};

/* What was set for all, on its way to them (sweep.c). */
struct sweep {
    bool on, reset;
    bool end_faults;
    struct run_cursor cursor;
    struct timer timer;
    struct link waiting; /* run_waiter */
};

struct run {
    struct run_config config;
    struct session_shared shared; /* with the ledger, the plan and the listeners */
    struct sweep sweep;
    uint32_t number; /* connections accepted since the plan was set */
    struct listening listening;
    struct link sessions;
    size_t session_count;
    struct link cursors;  /* run_cursor, which look at sessions */
    struct timer marking; /* for the marks of marks, which requests have set */
    struct link marks;
    struct timer grace;
    struct run_waiter *part_over; /* set while connections are ended for the next part */
    unsigned part_turns;
    void (*done)(void *arg); /* set while shutting down */
    void *done_arg;
};

/* --- run.c */
/* The number of a connection that is accepted now. */
uint32_t run_next_number(const struct run *run);
/* The live connection with this id; NULL: there is none. */
struct session *run_find(const struct run *run, uint64_t id);
/* The next one a cursor comes to; NULL: that was all. */
struct session *run_cursor_next(struct run_cursor *cursor);

/* --- sweep.c */
extern int64_t sweep_slice; /* how long one slice takes; tests make it shorter */
void sweep_init(struct run *run);
/* A plan was set for all. end_faults: what a fault holds is ended as well; reset: by a reset, and
 * the ledger is emptied. Does the first slice at once. */
void sweep_begin(struct run *run, bool reset, bool end_faults);
/* Gives it up. */
void sweep_drop(struct run *run);

/* --- room.c */
/* A connection that can be done without. */
struct room {
    struct session *s; /* NULL: none was found */
    unsigned spare;
};
/* Puts one of this run's into *best that is missed less. */
void room_look(const struct run *run, struct room *best);
/* Ends it, so that its descriptors are there for others; false: there is none. */
bool room_make(const struct room *best);

/* --- listening.c */
/* The next connection may get another mode than before. */
void listening_look(struct run *run);
/* Returns how many rules it set off. */
unsigned listening_mark(struct run *run, const char *mark);
/* Nothing is armed any more. */
void listening_stop(struct run *run);

/* The kinds of connection (KIND) that the listeners can have; all when there are no listeners. */
unsigned listening_kinds(const struct run *run);
