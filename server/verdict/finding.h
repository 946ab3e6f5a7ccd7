/* finding.h - what a check has found: the worst of what it found of each call or connection, with a
 * sentence and its evidence.
 */
#pragma once

#include <stdarg.h>

#include "verdict/calls.h"
#include "verdict/verdict.h"

/* What the test must do so that a check can say something.  symbol, code, what to do */
#define REMEDIES(X)                                                                                \
    X(NONE, "", "")                                                                                \
    X(NO_EXPOSURE, "no-exposure",                                                                  \
      "make a call that meets the fault: check when it fires (GET .../events has the `fault` "     \
      "events), and ask again after it")                                                           \
    X(NOT_STRUCK, "not-struck",                                                                    \
      "this client was kept off the dead connection; use a fault that it cannot see before it "    \
      "sends: the mode close-on-reuse")                                                            \
    X(WAIT, "wait", "wait: its time is not over yet (verdict?wait=, prove --settle)")              \
    X(ENDED_EARLY, "ended-early",                                                                  \
      "the run ended before its time was over: keep the client running for longer, or make the "   \
      "run wait (prove --settle)")                                                                 \
    X(CALL_NAME, "hangup-call",                                                                    \
      "set the header Hangup-Call: ID on each request, with the same ID in all attempts of a "     \
      "call")                                                                                      \
    X(REPORT, "report",                                                                            \
      "let the test write its own account (HANGUP_REPORT: a line for each request as it ends, "    \
      "with its status and ms), or run it by hangup prove, so that its exit status says that "     \
      "nothing failed inside the client")                                                          \
    X(CONTROL, "control", "run the same test in a control phase first (prove does so by default)") \
    X(REUSE, "reuse",                                                                              \
      "show that this client reuses connections: let the test ask twice, with a pause that is no " \
      "longer than the one before the fault")                                                      \
    X(GAP, "gap",                                                                                  \
      "events are missing: give the ledger more room (--ledger-limit), or use --ledger-dir")       \
    X(MALFORMED, "malformed",                                                                      \
      "the head of a request could not be read, and its end in the ledger says why "               \
      "(exchange_lost, "                                                                           \
      "beside it protocol_error or limit): let the client send it whole and at once, and as HTTP " \
      "has it")                                                                                    \
    X(RESET, "reset",                                                                              \
      "more calls were made than are kept: begin a new run, or reset this one before the test; "   \
      "of a saved ledger, hangup verdict --kept keeps more")                                       \
    X(RELAYED, "relayed",                                                                          \
      "something between client and server answers for the client: let it connect directly, or "   \
      "ask again on the same connection, so that it shows that it has read the answer")            \
    X(PROXY, "proxy",                                                                              \
      "a header field of a request (Via, Forwarded, X-Forwarded-For ...) says that a proxy has "   \
      "sent it: let the client connect directly (NO_PROXY), or leave the field out")               \
    X(CONFIRM, "confirm",                                                                          \
      "nothing shows that the client has read the answer: keep the connection open, or let the "   \
      "test ask once more on it (HTTP/1.1), or write its own account with the status that it got " \
      "(HANGUP_REPORT)")                                                                           \
    X(TIME_SCALE, "time-scale",                                                                    \
      "run it with time_scale 1: the client's own clocks are not scaled (or let the driver say "   \
      "{\"driver\":1,\"scaled\":true} if they are)")                                               \
    X(DISAGREE, "disagree",                                                                        \
      "client and server differ, see disagreements: look for what answers in between, or for a "   \
      "fault of the server")                                                                       \
    X(MARK, "mark",                                                                                \
      "set the mark (POST HANGUP_MARK_URL), wait for its answer, then let the client ask; it "     \
      "must "                                                                                      \
      "have asked before, too")                                                                    \
    X(SKEW, "skew",                                                                                \
      "leave a longer pause between the mark and the next request, or set the mark by the header " \
      "Hangup-Mark on a request")                                                                  \
    X(LATER, "later", "leave a longer pause between the fault and the next request")               \
    X(MODE, "mode", "use a mode that exercises it, see hangup prove --list")                       \
    X(READ, "read",                                                                                \
      "use a mode in which the server reads what it does not answer, such as stall-on-reuse")      \
    X(GRACE, "grace",                                                                              \
      "the server closed the connection itself before: use a mode that does not, such as "         \
      "goaway-idle with grace=never")                                                              \
    X(OVER_H1, "over-h1", "run it over HTTP/1.1 (--over h1)")                                      \
    X(OVER, "over",                                                                                \
      "the client did not meet the fault over the protocol that was asked for: check what it "     \
      "offers in ALPN, and which URL it uses")                                                     \
    X(MORE_CALLS, "more-calls", "let the test make more calls, one after the other")               \
    X(BEFORE, "before", "say after what idleness: before=DURATION")                                \
    X(FOR, "for", "say which calls it is about: for=METHOD PATH")                                  \
    X(LONGER, "longer", "let the fault last for longer, so that the client tries more often")      \
    X(LIMIT, "limit",                                                                              \
      "something came at about the end of the time that the check looks at: give it another one "  \
      "(within=DURATION)")                                                                         \
    X(COMMAND, "command", "the test fails without the fault: mend it first")                       \
    X(BEGIN, "begin",                                                                              \
      "the ledger does not say what is expected: keep it from its beginning (--ledger-dir)")       \
    X(DISTURBED, "disturbed",                                                                      \
      "let nothing begin a phase, reset the run or change what is expected while the command "     \
      "runs")                                                                                      \
    X(PAUSED, "paused",                                                                            \
      "the server did not run for a time (server_paused in the ledger): run it again, on a "       \
      "machine that is less busy and does not sleep")

enum remedy {
#define X(symbol, code, what) REMEDY_##symbol,
    REMEDIES(X)
#undef X
        REMEDY_COUNT
};
const char *remedy_code(enum remedy remedy);
const char *remedy_text(enum remedy remedy);

/* Times after which nothing can change it any more: an age, NEVER: at once, or: */
#define UNTIL_THE_END INT64_MAX /* only when the phase is over */

#define EVIDENCE_MAX 16

struct ids {
    uint64_t list[EVIDENCE_MAX];
    int count;
};
void ids_add(struct ids *ids, uint64_t id); /* 0, again, or one too many: not */

/* What something was found of. */
struct subject {
    struct ids seqs, connections, calls;
};

#define SENTENCE_SIZE 256

struct finding {
    enum outcome outcome;
    enum remedy remedy;
    int64_t until; /* of all that was found: the latest */
    int64_t sure;  /* when the first fail of it is: one that leans on an answer waits for that */
    int64_t waits; /* of what is found otherwise then (REMEDY_WAIT): the first; NEVER */
    unsigned count[OUTCOME_FAIL + 1];
    char sentence[SENTENCE_SIZE]; /* of the first that is so bad */
    struct subject who;
    /* What does not count beside others; the first that was left out so. */
    bool left;
    enum remedy left_remedy;
    char left_sentence[SENTENCE_SIZE];
    struct subject left_who;
};

void finding_begin(struct finding *f);
/* Adds what was found of a call or connection (NULL: of the whole). A fail is so at once, but for
 * what waits until an age. The worst so far stays: its
 * sentence, remedy and evidence. */
void found(struct finding *f, enum outcome outcome, enum remedy remedy, int64_t until,
           const struct subject *who, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
void found_va(struct finding *f, enum outcome outcome, enum remedy remedy, int64_t until,
              const struct subject *who, const char *format, va_list args)
    __attribute__((format(printf, 6, 0)));
/* The same of what is left out when anything else was found: it is inconclusive when it is all. */
void finding_leave(struct finding *f, enum remedy remedy, const struct subject *who,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same, if nothing at all was found before. */
void found_none(struct finding *f, enum remedy remedy, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* When all was looked at: nothing found is inconclusive, for what was left out or for the want of
 * an exposure. */
void finding_end(struct finding *f, const char *none);
/* A pass that cannot be one becomes inconclusive, with the sentence that says why. */
void finding_doubt(struct finding *f, enum remedy remedy, int64_t until, const char *why);
/* Whatever it is, nothing can be said of it. */
void finding_withdraw(struct finding *f, enum remedy remedy, const char *why);

/* The same of a fail, too, as what was seen was perhaps not the client's doing. What is
 * inconclusive for a relay has this remedy instead. */
void finding_foreign(struct finding *f, enum remedy remedy, int64_t until, const char *why);
/* Why it is inconclusive, instead of what was said. */
void finding_say(struct finding *f, enum remedy remedy, const char *why);

/* What two readings found: the same outcome, or inconclusive. remedy: what helps if they differ. */
struct finding finding_of_both(const struct finding *narrow, const struct finding *wide,
                               const char *differ, const struct subject *joined,
                               enum remedy remedy);

/* A span of time for people: "16 ms", "1.5 s". */
#define TIME_SIZE 32
const char *finding_time(int64_t ns, char out[TIME_SIZE]);
