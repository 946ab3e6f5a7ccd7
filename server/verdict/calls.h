/* calls.h - the calls that the attempts of a history are parts of, and how they stand to faults.
 *
 * Pure: nothing is kept between two builds, and the same history and config give the same calls.
 * Two readings are built: the narrow one joins attempts by name or closely, the wide one also
 * loosely (R1). A check is worked out in both; where they differ it is inconclusive.
 */
#pragma once

#include "verdict/control.h"
#include "verdict/history.h"

enum reading { READING_NARROW, READING_WIDE };

/* By what an attempt belongs to its call, the strongest last. */
enum join { JOIN_LOOSE, JOIN_CLOSE, JOIN_NAMED };

/* What an attempt is in its call. */
enum role {
    ROLE_FIRST,
    ROLE_RETRY,    /* all earlier ones were out when it began */
    ROLE_HEDGE,    /* one was not */
    ROLE_HOP,      /* it follows a redirect, as its name says */
    ROLE_DUPLICATE /* the call was answered */
};

struct member {
    const struct attempt *attempt;
    enum join join;
    enum role role;
    bool hopped; /* answered with a redirect that the next one follows: no answer of the call */
    bool quick;  /* joined closely, but the client makes its next call as quickly as that */
    bool fresh;  /* on a connection that was opened after the call was first bitten */
};

/* How a call stands to the faults (R2). */
enum exposure {
    EXPOSURE_UNTOUCHED,
    EXPOSURE_BITTEN,
    EXPOSURE_AVOIDED,
    EXPOSURE_PREEMPTED,
    EXPOSURE_UNKNOWN /* the ledger lacks what would tell */
};

/* Why: one for each way to an exposure. */
enum exposure_reason {
    WHY_NO_FAULT,       /* untouched: nothing stood in its way */
    WHY_OTHER_USABLE,   /* untouched: another idle connection was there, by luck */
    WHY_OPENED_BEFORE,  /* untouched: its connection was opened before the fault */
    WHY_CROSSED,        /* untouched: the client left as the fault came, unaware of it */
    WHY_LEFT_UNARMED,   /* untouched: the client left a connection that nothing was to befall */
    WHY_NOT_DUE,        /* untouched: the fault would have come only after the call */
    WHY_HELD_ON,        /* untouched: held, then released */
    WHY_STRUCK,         /* bitten */
    WHY_DEAD_NOT_USED,  /* avoided */
    WHY_LEFT_BEFORE,    /* pre-empted: the client ended it before the fault was due */
    WHY_DECLARED_CLOSE, /* pre-empted: it never reuses, by its own word */
    WHY_MISSING         /* unknown */
};

enum call_state {
    CALL_OPEN,
    CALL_BITTEN,    /* and not answered yet */
    CALL_ANSWERED,  /* without having been bitten before */
    CALL_RECOVERED, /* answered after a bite; see late */
    CALL_DOUBTFUL,  /* answered, perhaps: DOUBTFUL or UNCONFIRMED is the best of its attempts */
    CALL_GIVEN_UP,
    CALL_UNDECIDED, /* the run ended first */
    CALL_UNKNOWN    /* it depends on a gap, or on what was forgotten */
};

struct call {
    size_t first, count; /* its members; 0 of an anonymous call without a request */
    size_t group;        /* the group of equal calls that it is judged in; its own index: alone */
    enum call_state state;
    enum exposure exposure;
    enum exposure_reason why;
    bool exposure_proven; /* of avoided, pre-empted: this client does reuse at such a gap */
    bool quick;           /* one of its members is */
    bool presumed;        /* its bite is presumed (R7): it cannot fail a check */
    bool anonymous;       /* it began before its first request (R7) */
    bool lacks_before, lacks_after; /* earlier, later attempts may be missing */
    bool held;                      /* one of its attempts was held longer than grace */

    struct span begun;    /* its first byte, SYN or ClientHello */
    int64_t sent;         /* that, at the earliest, if the server had paused just before */
    uint64_t fault;       /* the first that bit or held it, or that it avoided; 0 */
    struct span seen;     /* when the client could see the first bite */
    struct span answered; /* [handed, ACKed] of the first answer; NEVER */
    struct span wait;     /* from begun to answered; NEVER */
    int64_t until;        /* until when more attempts may be joined to it (R8); NEVER: for as long
                             as a connection of it lives */
    int64_t ended_by_client; /* when the client itself ended the last of what was out; NEVER */
    bool late;               /* answered, but not within config's within */
    unsigned retries, retries_fresh, hedges, duplicates; /* fresh: of retries */
    unsigned executions, executions_unknown; /* with an effect; processed, effect not told */
    uint64_t left; /* of avoided and pre-empted: the connection that it kept off */
};

/* Equal calls that were open together, so that nobody can say which attempt is whose. */
struct call_group {
    unsigned calls, attempts, answered;
    unsigned retries_min, retries_max; /* of one call: the kindest and the harshest reading */
};

/* A request that nobody has read, as a black hole dropped it, and the one elsewhere by which its
 * client sent it again, as its own account shows (R7): the numbers of the attempts. */
struct resent {
    uint64_t lost, again;
};
#define RESENT_MAX 64

struct calls_config {
    int64_t within; /* ns: how long recovery may take */
    int64_t apart;  /* ns: so long behind a loss another attempt may still come; 0: within */
    int64_t reach;  /* of close joins without a control; 0: 250 ms */
    const struct control *control; /* NULL: there was none */
    int64_t client_gone; /* when its process had ended; NEVER: it runs, or that is not known */
    bool over;           /* the run is */
    const struct resent *resent; /* borrowed for the build */
    size_t resent_count;
    bool told_apart; /* the same account has a line for each call, those in a hole too */
    bool joined;     /* it has one for each call of the wide reading: what that joins loosely, both
                        join by name */
    bool counted; /* it has as many successes as calls of the narrow reading were answered: no two
                     attempts are of one that were answered, and that no fault struck */
    bool parted;  /* it has one for each call of the narrow reading: nothing is joined loosely */
};

struct calls {
    struct call *calls; /* by their first requests; then those that have none */
    size_t count;
    struct member *members; /* those of a call together, by first byte */
    size_t member_count;
    struct call_group *groups; /* by the index of its first call: see calls_group */
    enum reading reading;
};

/* NULL without memory. The history must not be fed while they are in use. */
struct calls *calls_build(const struct history *h, const struct calls_config *config,
                          enum reading reading);
void calls_destroy(struct calls *c);

/* The first attempt of a call of which anything was read, else the first; NULL: it has none. */
const struct attempt *calls_first_read(const struct calls *c, const struct call *call);

/* Whether it was answered for sure. */
bool calls_is_answered(const struct call *call);

/* The group of a call; of one that is alone, of itself. */
struct call_group calls_group(const struct calls *c, const struct call *call);

/* Whether another attempt of the call is safe by what the client could know (R5): its method is
 * idempotent, it has a key, or all that befell it said that it was not done. Whether there is
 * a connection that would serve it is the plan's to say. UNKNOWN: nothing of it was read. */
enum tri repeat_call(const struct history *h, const struct calls *c, const struct call *call);
/* Whether one of its attempts may have been processed before it was lost, unsafe and without a key:
 * what safe_retry is about. */
enum tri repeat_call_risky(const struct history *h, const struct calls *c, const struct call *call);
/* Whether an attempt was lost, or seemed to be, when it may have been processed, unsafe and without
 * a key. */
bool repeat_is_risk(const struct history *h, const struct calls *c, const struct call *call,
                    const struct attempt *a);
