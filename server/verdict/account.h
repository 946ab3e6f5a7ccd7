/* account.h - the client's own account: the lines that a driver reports, one for each request, and
 * to which calls they belong.
 */
#pragma once

#include "verdict/calls.h"

/* Lines that are kept of a phase; what comes beyond is counted, and the account is not whole. */
#define ACCOUNT_MAX 4096

/* What a line is about. */
enum matched {
    MATCHED_NOT,    /* nobody can say */
    MATCHED_CALL,   /* a call */
    MATCHED_NOTHING /* none: it died inside the client, without a byte */
};

struct account_line {
    int n;
    bool ok, has_status;
    int status;
    int64_t took; /* ns; NEVER: it does not say */
    char step[16], error[64];
    uint64_t seq;
    int64_t at; /* the age at which the line came: it was over by then */
    enum matched matched;
    size_t call; /* of MATCHED_CALL: its index */
    bool named;  /* by a name, not by its place among the others */
};

struct account {
    bool driver;                /* {"driver":1} came */
    bool scaled;                /* and the client has scaled its clocks as the run has */
    bool broken;                /* a line is no such line, or there were too many */
    size_t asked;               /* requests that its steps ask for; 0: that is not known */
    bool at_once;               /* some of them at the same time */
    bool marks;                 /* some of them are the marks of an app that goes and comes back */
    struct account_line *lines; /* by n */
    size_t count, room;
    size_t pending; /* calls that began when the last line had come, so that they have none yet */
};

void account_finish(struct account *a);
/* A line of the report; the JSON text of it. */
void account_add(struct account *a, const char *json, size_t len, uint64_t seq, int64_t at);
/* The steps that it was asked to do ("get get*3 pause post"). */
void account_steps(struct account *a, const char *steps, size_t len);
/* Whether its client has said anything. */
bool account_given(const struct account *a);
/* Whether there is a line for each request that the steps ask for. */
bool account_whole(const struct account *a);

/* Puts each line to its call: by Hangup-Call, which is n, else by order and method where that
 * leaves no doubt. Returns whether all of them could be. */
bool account_match(struct account *a, const struct calls *calls);
/* What was lost in a black hole without being read, and sent again elsewhere (R7): where the client
 * asks for one thing after the other, says that all of it succeeded, and says of the call that
 * began next that it took since then; or where, without an account, its command did the same as in
 * the control, and so much was lost that it was a request. Returns how many, at most RESENT_MAX. */
size_t account_resent(struct account *a, const struct history *h, const struct calls *calls,
                      int64_t within, bool as_in_control, struct resent *out);
/* Whether it has a line for each request, and by what they took none was under way then; *failed:
 * the only one that may have been, if it failed and there is no call for it. NULL: none. */
bool account_was_quiet(const struct account *a, const struct calls *calls, struct span when,
                       int64_t grace, const struct account_line **failed);
/* Whether it has a line for each call, of requests that were made one after the other. */
bool account_tells_apart(struct account *a, const struct calls *calls);
/* Whether it has a line for each call of which something was read, all of success, of requests that
 * were made one after the other. */
bool account_tells_each(const struct account *a, const struct calls *calls);
/* Whether it shows that attempts are of one call which only the wide reading joins (R1): it has a
 * line for each wide call, and for nothing else, of requests that were made one after the other and
 * all succeeded; and each lasted from the first attempt of its call to the answer. */
bool account_joins(struct account *a, const struct history *h, const struct calls *wide);
/* Whether it has a line for each call of the narrow reading, of requests at the same time or not,
 * and as many successes as calls were answered. */
bool account_counts(const struct account *a, const struct calls *narrow);
/* Whether it shows that nothing is to be joined loosely: it has a line for each narrow call, and
 * for nothing else, of requests that were made one after the other; each says of its call what the
 * wire says, and is of less time than has passed since its client sent what belongs to the one
 * before. */
bool account_parts(struct account *a, const struct history *h, const struct calls *narrow);
/* Whether it is of a failure, when its call had begun, and all answers went out only later. */
bool account_failed_before(const struct account_line *line, const struct calls *calls,
                           const struct call *call);
/* The attempt of which a line (NULL: none) shows that the answer which went out has come (R4): it
 * is of a success, with the status of one that the endpoint gave. NULL: it shows none. */
const struct attempt *account_confirms(const struct account_line *line, const struct history *h,
                                       const struct calls *calls, const struct call *call);
/* Where a line and the wire differ. */
enum differs {
    DIFFERS_NOT,
    DIFFERS_FAILED,     /* the client says that it failed; it was answered */
    DIFFERS_CUT,        /* the client says that it succeeded; the answer was cut */
    DIFFERS_UNANSWERED, /* the same; it was never answered */
    DIFFERS_STATUS      /* another status */
};
enum differs account_differs(const struct account_line *line, const struct history *h,
                             const struct calls *calls, const struct call *call);
/* Whether the answer of one of its attempts was cut, and none whole came. */
bool account_was_cut(const struct history *h, const struct calls *calls, const struct call *call);
