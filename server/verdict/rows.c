/* rows.c - the checks and mitigations, see rows.h. */
#include "verdict/rows.h"

#include <stddef.h>

#define WITHIN(text, about)                                                                        \
    {                                                                                              \
        "within", PARAM_SPAN, text, about, NULL, 0                                                 \
    }

static const char *const protocols[] = { "h1", "h2", NULL };
static const char *const kinds_met[] = { "any", "silence", NULL };

const struct check_row check_rows[CHECK_COUNT] = {
    [CHECK_RECOVERED] = {
        "recovered",
        "A call that a fault put out of service is answered all the same, or was kept off it.",
        "a call that meets the fault; one that the client keeps off a dead connection counts only "
        "if its own account or its exit status shows that no call died inside it",
        "each call that met a fault, and may be repeated, was answered within this time",
        "one was not answered, or too late",
        "no call that met a fault may be repeated: a POST without a key has no safe second attempt",
        { WITHIN("10s", "from the call's first byte to the end of its answer") },
    },
    [CHECK_RETRIES] = {
        "retries",
        "How many more attempts a call makes that a fault has struck.",
        "a call that meets the fault; a fault that the client cannot see before it uses the "
        "connection (close-on-reuse)",
        "each call that a fault struck made so many more attempts, and none after that",
        "one made more or fewer, or did not wait as long as Retry-After asks",
        "no call that a fault struck may be repeated, and none was",
        { { "min", PARAM_COUNT, "0", "at least so many", NULL, 0 },
          { "max", PARAM_COUNT, "1",
            "at most so many; attempts on other pooled connections that turn out dead as well do "
            "not count", NULL, 0 } },
    },
    [CHECK_RETRY_ELSEWHERE] = {
        "retry_elsewhere",
        "A retry goes onto another connection than the one that failed.",
        "a call that is struck by a fault of its connection and is sent again",
        "each retry was on a connection that had not failed its call before",
        "a retry was sent into the connection that had failed",
        "only single streams were struck, so that the connection is good; or nothing was sent again",
        { { 0 } },
    },
    [CHECK_NO_STALE_USE] = {
        "no_stale_use",
        "No request is sent on a connection of which the client could know that it has ended.",
        "a connection that ends while it is idle, in a way that is told to the client (a FIN, "
        "close_notify, GOAWAY), and a request well after that",
        "a request that would have used the ended connection went to a new one",
        "a request was sent on a connection after the client's kernel had ACKed its end",
        "the connection was reset: no client can send on it any more, so that nothing can be seen",
        { { 0 } },
    },
    [CHECK_CONNECTION_CLOSE] = {
        "connection_close",
        "Each request says Connection: close and has a connection of its own.",
        "two requests one after the other over HTTP/1.1",
        "each request said so, was the only one of its connection, and was answered",
        "a request did not say so, or a connection carried more than one",
        "",
        { { 0 } },
    },
    [CHECK_FRESH_AFTER_MARK] = {
        "fresh_after_mark",
        "After a mark (the app comes to the foreground) no connection from before is used.",
        "a request before the app goes to the background; the mark, and its answer waited for; "
        "then a request",
        "the next calls went to connections that were opened after the mark, and were answered",
        "a request was sent on a connection from before the mark",
        "",
        { { "mark", PARAM_TEXT, "foreground", "the mark's name", NULL, 0 } },
    },
    [CHECK_IDLE_EVICTION] = {
        "idle_eviction",
        "The client stops using a connection that has been idle for so long.",
        "two requests with a shorter pause between them, then one after a longer pause, and a mode "
        "that does not end the connection before",
        "after the pause the request went to a new connection, and was answered",
        "a request was sent on a connection that had been idle for longer",
        "",
        { { "before", PARAM_SPAN, NULL,
            "after what idleness at the latest; unless told: the mode's parameter idle", NULL, 0 } },
    },
    [CHECK_HONOURS_HINT] = {
        "honours_hint",
        "The client keeps to the Keep-Alive: timeout=N that the server says.",
        "a mode that says it, two requests with a shorter pause between them, then one after a "
        "longer pause",
        "after the time that the server had told, the request went to a new connection",
        "a request was sent on a connection that had been idle for longer than the server had told",
        "",
        { { 0 } },
    },
    [CHECK_GOAWAY_RESPECTED] = {
        "goaway_respected",
        "After GOAWAY no stream is opened on its connection; streams above its last are sent again "
        "elsewhere, those that were answered are not.",
        "two requests on one connection without a GOAWAY; then one over HTTP/2, and a request well "
        "after it",
        "requests after GOAWAY went to a new connection, though the client uses connections again, "
        "and what it refused was sent again once",
        "a stream was opened on the connection although the client had the GOAWAY; or what it "
        "refused was not sent again, or twice; or what was answered was; or what it had not refused "
        "was, without a key",
        "",
        { { 0 } },
    },
    [CHECK_CLOSES_AFTER_GOAWAY] = {
        "closes_after_goaway",
        "The client closes a connection after GOAWAY once its streams are done.",
        "a control in which a connection is idle for as long; a mode that does not close the "
        "connection itself (grace=never)",
        "the client closed it within this time, and keeps others for longer",
        "it left it open",
        "as a part of goaway-aware: the mode closed the connection first",
        { WITHIN("5s", "from the GOAWAY, or the end of the last stream") },
    },
    [CHECK_SAFE_RETRY] = {
        "safe_retry",
        "What may have been done is repeated only with a key: a POST without one is not.",
        "a POST (or another method that is not idempotent) that is struck after the server may "
        "have done it",
        "none was sent again; or each with the same key and content, and the key in no other call",
        "one was sent again without a key, or with another key or content, or the key is used for "
        "other calls too",
        "no such request was struck",
        { { 0 } },
    },
    [CHECK_EXECUTED_ONCE] = {
        "executed_once",
        "No call takes effect twice (a PUT or DELETE may; with one Idempotency-Key in all attempts "
        "it counts once).",
        "a POST that is struck after the server may have done it; wait until its connections are "
        "over",
        "each call that a fault struck took effect at most once",
        "one took effect more than once",
        "nothing that must not be done twice was struck",
        { { 0 } },
    },
    [CHECK_USER_WAIT] = {
        "user_wait",
        "How long the user waits for an answer or an error.",
        "a call that meets the fault",
        "each call that met a fault was answered, or ended by the client, in this time",
        "one took longer",
        "",
        { { "max", PARAM_SPAN, "5s", "from the call's first byte (or SYN) to its end", NULL, 0 },
          { "met", PARAM_WORD, "any",
            "silence: a pass needs a call that met silence, or was kept waiting", kinds_met, 0 } },
    },
    [CHECK_NO_STORM] = {
        "no_storm",
        "A fault does not set off a storm of attempts or connections.",
        "a call that a fault strikes, and so long a time after that",
        "no call made more attempts, and no more connections were opened on which nothing was "
        "answered than calls need (one for each call open at once, and 6 over HTTP/1.1, 2 over "
        "HTTP/2)",
        "there were more",
        "calls were kept off the fault, so that none was struck",
        { { "attempts", PARAM_COUNT, "5", "at most so many of one call", NULL, 1 },
          WITHIN("10s", "in so long a time after the fault") },
    },
    [CHECK_BACKOFF] = {
        "backoff",
        "The pauses between attempts of a call grow, and are not all alike.",
        "a fault that lasts, so that a call makes five attempts",
        "the pauses grow",
        "they are all alike (by 10 %), or the last two are no longer than the first two; or an "
        "attempt came before the time that Retry-After asks",
        "",
        { { 0 } },
    },
    [CHECK_PING_LIVENESS] = {
        "ping_liveness",
        "The client finds out by HTTP/2 PING that a connection is dead, and leaves it.",
        "a control in which a connection is idle for as long; the mode ping-deaf, and silence: a "
        "request that stays open, or a pause",
        "it sent a PING, and left when that was not answered, and keeps connections else",
        "it sent none in the silence, or stayed",
        "",
        { WITHIN("20s", "from the PING to its leaving; and how long a silence asks for one") },
    },
    [CHECK_STILL_REUSES] = {
        "still_reuses",
        "Without a fault connections carry more than one request: the mitigation has not cost "
        "that.",
        "a control run with two requests one after the other",
        "in the control a connection carried more than one request",
        "in the control each request had a connection of its own",
        "",
        { { 0 } },
    },
    [CHECK_FALLS_BACK] = {
        "falls_back",
        "A call that HTTP/2 fails is answered over another protocol.",
        "a fault of HTTP/2 alone, and a listener that offers both",
        "each call that was struck was answered over it within this time",
        "one was not",
        "",
        { { "to", PARAM_WORD, "h1", "the protocol", protocols, 0 },
          WITHIN("10s", "from the call's first byte to the end of its answer") },
    },
    [CHECK_DETECTS_TRUNCATION] = {
        "detects_truncation",
        "The client does not take an answer that was cut for a whole one.",
        "an answer that is cut, and the client's own account of it (HANGUP_REPORT)",
        "the client reported an error for the cut answer, or asked again",
        "the client reported the cut answer as a success",
        "no answer was cut",
        { { 0 } },
    },
    [CHECK_WAITS] = {
        "waits_for_connection",
        "A call that begins while there is no connection waits, and succeeds when there is one.",
        "an outage (syn-drop, refuse), a call that begins in it, and the client's own account",
        "a call that began in the outage was answered after it, without an error",
        "it failed",
        "",
        { { "outage", PARAM_SPAN, "2s", "how long the outage is at least", NULL, 0 } },
    },
};

const struct mitigation_row mitigation_rows[] = {
    { "retry-once",
      "A call that fails on a dead connection is sent once more, on another one, if it may be.",
      "a fault that the client cannot see before it uses the connection, on a request that may be "
      "repeated (a GET)",
      { { CHECK_RECOVERED, NULL },
        { CHECK_RETRIES, "min=1;max=1" },
        { CHECK_RETRY_ELSEWHERE, NULL } },
      3 },
    { "safe-retry",
      "What may have been done already is not done again: no second POST without a key.",
      "a POST that is struck after the server may have done it",
      { { CHECK_SAFE_RETRY, NULL }, { CHECK_EXECUTED_ONCE, NULL } },
      2 },
    { "connection-close",
      "No connection is used twice: each request says Connection: close.",
      "two requests one after the other over HTTP/1.1",
      { { CHECK_CONNECTION_CLOSE, NULL } },
      1 },
    { "fresh-on-foreground",
      "When the app comes to the foreground, no connection from before is used.",
      "a request, the marks background and foreground, a request",
      { { CHECK_FRESH_AFTER_MARK, NULL } },
      1 },
    { "idle-eviction",
      "Connections that have been idle for long are not used.",
      "two requests with a short pause between them, then one after a long pause",
      { { CHECK_IDLE_EVICTION, NULL } },
      1 },
    { "bounded-wait",
      "The user gets an answer or an error in bounded time.",
      "a call in silence (black-hole, stall, syn-drop) or slowness",
      { { CHECK_USER_WAIT, "met=silence" } },
      1 },
    { "goaway-aware",
      "After GOAWAY calls go to a new connection; what it refused is repeated, and the old "
      "connection is closed.",
      "two requests on one connection; a GOAWAY, and requests well after it; a control",
      { { CHECK_GOAWAY_RESPECTED, NULL }, { CHECK_CLOSES_AFTER_GOAWAY, NULL } },
      2 },
    { "ping-liveness",
      "HTTP/2 PINGs find out that a connection is dead while calls wait on it.",
      "the mode ping-deaf, and silence: a request that stays open, or a pause; a control",
      { { CHECK_PING_LIVENESS, NULL } },
      1 },
    { "waits-for-connectivity",
      "Calls wait for a connection instead of failing at once.",
      "an outage, a call that begins in it, and the client's own account",
      { { CHECK_WAITS, NULL } },
      1 },
};
const size_t mitigation_count = sizeof mitigation_rows / sizeof *mitigation_rows;
