/* scene.h - what a check sees: the calls of a phase in one reading, and all that is known around
 * them.
 */
#pragma once

#include "verdict/account.h"
#include "verdict/expect.h"
#include "verdict/finding.h"

/* What is known of a call besides. */
struct note {
    uint64_t id;  /* of the call in documents: that of its first attempt, in the narrow reading */
    bool foreign; /* the control asked no such thing */
    enum differs differs;            /* from the client's own account */
    const struct account_line *line; /* NULL: none */
    bool alone;                      /* in its group */
    bool fewer;   /* joined without a name, and there are fewer of its kind than in the control */
    size_t alike; /* how many calls have its method and path, itself too; 0: they are not known */
    unsigned at_once; /* how many calls were open when it began, itself too */
};

struct scene {
    const struct history *h;
    const struct calls *calls;
    const struct note *notes; /* one for each call */
    enum reading reading;
    const struct expected *e; /* the check that is worked out */

    const struct control *control;         /* NULL: there was none */
    const struct history *control_history; /* the same */
    const struct account *account;
    bool account_fits;             /* each of its lines is put to a call, or to none */
    enum tri all_told;             /* no call died inside the client, without a byte */
    const struct attempt *lacking; /* of the control: it was not answered here as often; NULL */

    int64_t begun; /* of the phase */
    int64_t now;
    bool over;           /* the phase is, at now */
    int64_t exited;      /* the client's process is; NEVER */
    int64_t client_gone; /* its process and connections are; NEVER */
    double time_scale;
    int64_t idle;   /* ns: the mode's parameter of this name, as it runs; NEVER */
    bool gap;       /* events of the phase, or of the control, are missing */
    bool forgotten; /* attempts or connections are not kept any more */
};

typedef void check_function(const struct scene *s, struct finding *f);
#define X(symbol, name, function) extern check_function function;
CHECKS(X)
#undef X

/* Whether a check is about this call: by its "for". */
bool scene_about(const struct scene *s, const struct call *call);
bool scene_asks(const struct scene *s, const struct attempt *a);
/* The number of a parameter of the check, by its place in its row. */
int64_t scene_number(const struct scene *s, size_t param);

/* An attempt was joined to it that may as well be the client's next call (quick.c), and nothing
 * says how many calls there were. */
bool scene_may_be_two(const struct scene *s, const struct call *call);

/* Adds what was found of a call. What the client's account contradicts is no pass; what the control
 * did not ask does not count, but if it is bad it leaves a doubt. What may be two calls leaves one
 * where it matters. */
void found_of(const struct scene *s, struct finding *f, const struct call *call,
              enum outcome outcome, enum remedy remedy, int64_t until, const char *format, ...)
    __attribute__((format(printf, 7, 8)));
void scene_leave(const struct scene *s, struct finding *f, const struct call *call,
                 enum remedy remedy, const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Its evidence: what it was struck by, its attempts, its answer. */
struct subject subject_of_call(const struct scene *s, const struct call *call);
struct subject subject_of_connection(const struct connection *c);
struct subject subject_of_attempt(const struct scene *s, const struct attempt *a);

/* "GET /a" of a call, for sentences. */
#define CALL_SIZE 96
const char *call_text(const struct scene *s, const struct call *call, char out[CALL_SIZE]);

/* The first attempt, and the first of which anything was read, if one was (a black hole drops what
 * the client's account shows to be an attempt); NULL: none. The members of a call are members[0] to
 * members[count - 1]. */
const struct attempt *call_first(const struct scene *s, const struct call *call);
const struct attempt *call_read(const struct scene *s, const struct call *call);
const struct member *call_members(const struct scene *s, const struct call *call);

/* paused.c: whether the client gave up a connection, on which it waited for this call, while the
 * server did not run: that is not for want of a retry. */
bool paused_left(const struct scene *s, const struct call *call);

/* The sentence of a call of which the ledger lacks something. */
#define UNSAID "the ledger does not tell all that happened to %s"
/* And what helps, of an attempt or of a call: a request that keeps to HTTP, where one was refused
 * for that, and see scene_untold, where nothing was read of it. */
enum remedy scene_lacks(const struct scene *s, const struct attempt *a);
enum remedy scene_unsaid(const struct scene *s, const struct call *call);
/* What helps where the wire does not tell what became of a call to its client: the client's own
 * account. If that has a line for each request already: a mode in which the request is read, if it
 * was not; a name on each call, if it is not known whose each line is; or what makes them differ.
 */
enum remedy scene_untold(const struct scene *s, const struct call *call);
/* The same of what is no call, for want of one that was read. */
enum remedy scene_unread(const struct scene *s);
/* The group of a call, see calls_group; of one that is alone only calls is set. */
struct call_group scene_group(const struct scene *s, const struct call *call);
/* As finding_end; it also says that a call met no fault for its client had just left. */
void scene_end(const struct scene *s, struct finding *f, const char *none);
/* As scene_end; but where calls met a fault, and none of them is one that the check is about, it
 * is n/a. */
void finding_end_or_na(const struct scene *s, struct finding *f, const char *none);

/* Whether an avoided or pre-empted call counts (R2); if not: why, and *remedy. */
#define WHY_SIZE 128
bool scene_counts(const struct scene *s, const struct call *call, char why[WHY_SIZE],
                  enum remedy *remedy);
/* Whether the client's own account shows that an answer of it has come, or one of the call that is
 * this attempt alone (R4). */
bool scene_confirmed(const struct scene *s, const struct call *call);
bool scene_confirmed_alone(const struct scene *s, const struct attempt *a);
/* The attempt whose answer that is; NULL: none. */
const struct attempt *scene_confirmed_by(const struct scene *s, const struct call *call);
/* Whether its client's own account had it as failed before any answer went out: its user did not
 * get what came after that. */
bool scene_had_failed(const struct scene *s, const struct call *call);
/* Whether what fell into a black hole at a time, and nobody has read, was a request: that attempt
 * of the same connection, or what came behind it. */
enum tri scene_was_request(const struct scene *s, const struct attempt *a, struct span when);
/* Whether it may have tried more often than is seen: where data fell into a black hole, the
 * client's kernel sends, behind its first retransmission, no more than that segment, and keeps back
 * what is written later (RFC 5681 3.1). And that this is found. */
bool scene_may_hide_more(const struct scene *s, const struct call *call);
void scene_hides_more(const struct scene *s, struct finding *f, const struct call *call);
/* Until when more attempts of it may come. */
int64_t call_until(const struct call *call);
/* Until when an RST may make its answer doubtful; NEVER: it was seen to be read. */
int64_t call_answered_until(const struct scene *s, const struct call *call);
/* The fault that struck it first; NULL: none, or it is forgotten. */
const struct fault *call_fault(const struct scene *s, const struct call *call);
/* The control shows that the client uses a connection again, or this phase does, after at most such
 * an idleness. */
bool scene_reuses(const struct scene *s, int64_t idle);
/* The longest idleness through which the client has kept a connection that nothing was wrong with,
 * in the control or here; of this one only what is behind a request that used it again. NEVER:
 * nothing shows one. */
int64_t scene_kept(const struct scene *s, const struct connection *but);
