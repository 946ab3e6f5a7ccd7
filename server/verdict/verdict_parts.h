/* verdict_parts.h - the inside of a verdict: verdict.c (records), phase.c (how long a phase lasts),
 * work.c (what follows from them), document.c and timeline.c (how it is told).
 */
#pragma once

#include "verdict/scene.h"
#include "verdict/verdict.h"

#define MISSING_MAX 32

/* A part of the run that is judged by itself. */
struct phase {
    enum ledger_phase phase;
    struct history *h;
    struct control *control; /* of a control phase that is over: what it shows; made when needed */
    uint64_t first_seq, first_connection;
    int64_t begun, ended;     /* NEVER: it lasts */
    bool closed;              /* nothing that begins now is of it: */
    uint64_t last_connection; /* the last one before that */
    struct account account;
    bool account_late; /* it begins when something is final already */
    int64_t exited;    /* the command; NEVER */
    int status;        /* its exit status; -1: it was ended by a signal, or that is not known */
    bool killed;       /* by us */
    bool started;      /* the command was, in this phase */
    bool running;      /* it was, and has not ended */
    bool disturbed; /* while it ran a phase began, the run was reset, or was expected something else
                     */
    bool gap;       /* events are missing, of it or before it */
    bool untold;    /* another may have begun in those: what came since may not be of this one */
    uint64_t seq;   /* of the event that began it; 0: it was taken for granted */
};

/* What was worked out of a check. */
struct judged {
    const struct expected *e;
    struct finding found;
    bool final;
};

/* What was worked out of a phase. calls and notes are of the narrow reading. */
struct work {
    struct phase *phase;
    struct calls *calls;
    struct note *notes;
    struct judged *checks;
    size_t check_count;
    enum outcome outcome;
    bool final;
    int64_t now;                    /* of the phase */
    bool over;                      /* it is, by then */
    bool quit;                      /* nothing begins in it any more */
    bool resent;                    /* what nobody has read is told by what else was sent (R7) */
    int64_t heard_out, client_gone; /* see phase.c; NEVER */
};

struct verdict {
    struct verdict_config config;
    uint64_t last_seq, last_connection;
    int64_t age;

    /* What the run is, by its own words. */
    bool started; /* run_start came */
    char run[80], version[40], over[8];
    double time_scale;
    bool relayed, control_meant, run_over;
    bool cleared;          /* the run was reset, and no command was started since */
    bool expected_unknown; /* the expectations are not in the ledger */
    bool expected_untold;  /* others may have been, in what is missing */
    uint64_t expected_seq; /* the event that says what they are; 0 */
    json_t *mode, *params; /* of the mode event: texts and an object; NULL */
    struct expect *expect;

    struct phase *phases[PHASE_COUNT];
    struct phase *current;
    struct gap missing[MISSING_MAX];
    size_t missing_count;

    bool failed; /* without memory: nothing can be said any more */
    bool dirty;
    int64_t worked_at; /* the age at which work was done */
    struct work works[PHASE_COUNT];
    enum outcome outcome;
    enum remedy remedy; /* why it is no pass although all checks pass */
    const char *why;    /* the same, as a sentence; NULL */
    bool final;
    int64_t next;
};

/* phase.c: how long it lasts */

/* When its client is gone: its command has ended by itself, and its connections are over. */
struct phase_end {
    int64_t gone; /* NEVER also while it is not sure */
    int64_t sure; /* from when on it is: `grace` later, and `within` if it was seen to live outside
                     of its command; NEVER: it is not gone */
    int64_t closes; /* from when on nothing begins any more: the same, or `within` after it has left
                       its connections, where a fault keeps them; NEVER */
};
struct phase_end phase_end_of(const struct verdict *v, const struct phase *p);
/* From when on no more is to be heard of a client that has ended, though connections of it are in
 * black holes: no end of theirs comes out of these (R8). NEVER: that is not so. */
int64_t phase_heard_out(const struct verdict *v, const struct phase *p);
/* How long recovery may take, by what is expected. */
int64_t phase_within(const struct verdict *v);
bool phase_over(const struct verdict *v, const struct phase *p);
/* The verdict's time, or when the phase had ended. */
int64_t phase_now(const struct verdict *v, const struct phase *p);
/* Before something that begins at an age: closes the phase, if its client had left by then. */
void phase_close(const struct verdict *v, struct phase *p, int64_t age);
/* Whether nothing that is told from then on is of it, so that what is final stays. */
bool phase_is_closed(const struct verdict *v, struct phase *p, int64_t age);
/* Another command was started in it, or it was reset. */
void phase_reopen(struct phase *p);

/* work.c: works everything out, if anything came. False: without memory. */
bool verdict_work(struct verdict *v);
void verdict_drop_work(struct verdict *v);
struct work *verdict_work_of(struct verdict *v, enum ledger_phase phase); /* NULL: no such phase */

/* paused.c: gives the times of a phase others, which they can have had in spite of the server's
 * pauses, one set of them after the other. NULL without memory. */
struct paused;
struct paused *paused_create(struct phase *p);
void paused_destroy(struct paused *p);
/* 1: the phase has the next ones; 0: there are no more; -1: no memory. */
int paused_next(struct paused *p);
/* What time it is then; *next: when that is beyond a pause, or NEVER. */
int64_t paused_now(const struct paused *p, int64_t now, int64_t *next);
/* Puts all back. */
void paused_back(struct paused *p);
/* Where a check finds something else by those times it is inconclusive. */
void paused_doubt(struct finding *f, const struct finding *early);

/* Whether the command has no account of its own, ended with 0 as in the control, and what was read
 * of it is just what was read there, all answered: what a black hole dropped beside that was sent
 * again. */
bool notes_same_as_control(const struct phase *p, const struct phase *before,
                           const struct control *control);
/* notes.c: whether no call died inside the client, by its own account (fits: its lines are put to
 * calls) or its exit status, as in the control before (NULL: none). *lacking: what the control
 * asked and was not answered here as often, where that is why not; NULL. */
enum tri notes_all_told(const struct phase *p, const struct phase *before,
                        const struct control *control, bool fits, const struct attempt **lacking);
/* A note for each call; the caller's. NULL without memory. */
struct note *notes_make(const struct scene *s, const struct calls *narrow,
                        const struct account *account, bool fits);

/* Which calls that were joined without a name there are fewer of than in the control (its calls),
 * between two commands that ended by themselves: one that a fault has struck, and was not sent
 * again, and the client's next one may be taken for one. False without memory. */
bool notes_find_fewer(const struct scene *s, const struct calls *control, struct note *notes);

/* timeline.c: the connections of the calls that met a fault, then others: { "connections": [],
 * "more": n }. NULL without memory. */
json_t *timeline_json(struct verdict *v);

/* document.c: a text that may have been cut within a character. */
json_t *document_text(const char *text);
const char *verdict_outcome_name(enum outcome outcome);
const char *verdict_phase_name(enum ledger_phase phase);
