/* rows.h - every check and mitigation: names, parameters, and what they mean.
 *
 * All that is said of them (--list, --explain, GET /v1/checks, docs/verdict.md) is made from these
 * rows. What a check does is the function of its name in checks.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*  symbol, name, function */
#define CHECKS(X)                                                                                  \
    X(RECOVERED, "recovered", check_recovered)                                                     \
    X(RETRIES, "retries", check_retries)                                                           \
    X(RETRY_ELSEWHERE, "retry_elsewhere", check_retry_elsewhere)                                   \
    X(NO_STALE_USE, "no_stale_use", check_no_stale_use)                                            \
    X(CONNECTION_CLOSE, "connection_close", check_connection_close)                                \
    X(FRESH_AFTER_MARK, "fresh_after_mark", check_fresh_after_mark)                                \
    X(IDLE_EVICTION, "idle_eviction", check_idle_eviction)                                         \
    X(HONOURS_HINT, "honours_hint", check_honours_hint)                                            \
    X(GOAWAY_RESPECTED, "goaway_respected", check_goaway_respected)                                \
    X(CLOSES_AFTER_GOAWAY, "closes_after_goaway", check_closes_after_goaway)                       \
    X(SAFE_RETRY, "safe_retry", check_safe_retry)                                                  \
    X(EXECUTED_ONCE, "executed_once", check_executed_once)                                         \
    X(USER_WAIT, "user_wait", check_user_wait)                                                     \
    X(NO_STORM, "no_storm", check_no_storm)                                                        \
    X(BACKOFF, "backoff", check_backoff)                                                           \
    X(PING_LIVENESS, "ping_liveness", check_ping_liveness)                                         \
    X(STILL_REUSES, "still_reuses", check_still_reuses)                                            \
    X(FALLS_BACK, "falls_back", check_falls_back)                                                  \
    X(DETECTS_TRUNCATION, "detects_truncation", check_detects_truncation)                          \
    X(WAITS, "waits_for_connection", check_waits)

enum check {
#define X(symbol, name, function) CHECK_##symbol,
    CHECKS(X)
#undef X
        CHECK_COUNT
};

enum param_kind {
    PARAM_NONE,
    PARAM_SPAN,  /* "3s"; ns */
    PARAM_COUNT, /* from the row's least to PARAM_COUNT_MAX */
    PARAM_TEXT,  /* a name */
    PARAM_WORD   /* one of words; its index */
};
#define PARAM_COUNT_MAX 10000
#define PARAM_TEXT_MAX  200
#define PARAMS_MAX      2

struct param_row {
    const char *name;
    enum param_kind kind;
    const char *initial; /* as users write it; NULL: what the check derives, see about */
    const char *about;
    const char *const *words; /* of PARAM_WORD; NULL ends them */
    int least;                /* of PARAM_COUNT */
};

struct check_row {
    const char *name, *about;
    const char *asks; /* of the test */
    const char *pass, *fail, *na;
    struct param_row params[PARAMS_MAX + 1]; /* one without a name ends them */
};
extern const struct check_row check_rows[CHECK_COUNT];

/* A parameter that all checks have. */
#define FOR_NAME    "for"
#define FOR_ABOUT   "which calls it is about: METHOD PATH or PATH, \"*\" in it stands for any text"
#define FOR_ALLOWED "a text such as \"GET /api/*\" or \"/api/*\""

/* A named set of checks. A parameter of theirs that the part does not fix is one of the mitigation.
 */
#define PARTS_MAX 3
struct part_row {
    enum check check;
    const char *fixed; /* "NAME=VALUE;..." or NULL */
};
struct mitigation_row {
    const char *name, *about, *asks;
    struct part_row parts[PARTS_MAX];
    size_t part_count;
};
extern const struct mitigation_row mitigation_rows[];
extern const size_t mitigation_count;
