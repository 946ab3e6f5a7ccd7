/* problem.h - errors as JSON: problem details, RFC 9457.
 *
 * Problems of ours have a kind, whose type is a path of the admin API, /problems/KIND: what its
 * calls are refused with, and the modes that URLs ask for. Where the status says it all, as for
 * what is no HTTP, the type is about:blank (RFC 9457 4.2.1). The rows are also the pages that the
 * types name, and docs/openapi.json is made from them.
 */
#pragma once

#include "base/buf.h"
#include "base/refusal.h"

/* symbol, status, its part of the type, title, what it means. The first one of a status is its
 * default. */
#define PROBLEMS(X)                                                                                \
    X(VALUE, 400, "invalid-value", "Invalid value",                                                \
      "Something in the body, or in the mode of a URL, is not known, missing, of another type or " \
      "out of range; where says what.")                                                            \
    X(JSON, 400, "invalid-json", "Invalid JSON",                                                   \
      "The body is missing, or is no JSON text (RFC 8259) in which each member comes once.")       \
    X(BODY, 400, "unexpected-body", "Unexpected body",                                             \
      "The call takes no body, or an empty object at most.")                                       \
    X(QUERY, 400, "invalid-query", "Invalid query",                                                \
      "A query parameter is not known, comes twice or has a value that is not allowed.")           \
    X(TARGET, 400, "invalid-target", "Invalid target", "The request target is no path.")           \
    X(FIELD, 400, "repeated-field", "Repeated header field",                                       \
      "A header field that decides who may call came more than once.")                             \
    X(UNKNOWN_MODE, 400, "unknown-mode", "Unknown mode",                                           \
      "The body names a mode that is not in the catalogue.")                                       \
    X(UNKNOWN_CASE, 400, "unknown-case", "Unknown case",                                           \
      "The body names a case that there is not.")                                                  \
    X(UNAUTHORIZED, 401, "unauthorized", "Unauthorized",                                           \
      "The server was started with --admin-token, and the call does not carry the token.")         \
    X(FORBIDDEN, 403, "forbidden", "Forbidden",                                                    \
      "Host is no name of this server, or the call comes from a web page of another origin.")      \
    X(NO_CALL, 404, "no-such-call", "No such call",                                                \
      "Nothing is at this path; GET /v1 lists all calls.")                                         \
    X(NO_MODE, 404, "no-such-mode", "No such mode",                                                \
      "The path names a mode that is not in the catalogue.")                                       \
    X(NO_CASE, 404, "no-such-case", "No such case", "The path names a case that there is not.")    \
    X(NO_SUITE, 404, "no-such-suite", "No such suite",                                             \
      "The path names a suite that there is not.")                                                 \
    X(NO_CONNECTION, 404, "no-such-connection", "No such connection",                              \
      "No live connection has this id; the ledger says how it ended.")                             \
    X(NO_RUN, 404, "no-such-run", "No such run", "There is no run of this id.")                    \
    X(RUN_GONE, 404, "run-gone", "Run gone",                                                       \
      "The run has ended, and so long ago that what was kept of it is gone.")                      \
    X(NO_CA_CERTIFICATE, 404, "no-ca-certificate", "No CA certificate",                            \
      "The server runs with a certificate of its user (--cert), and has no CA certificate of its " \
      "own.")                                                                                      \
    X(NO_PROBLEM, 404, "no-such-problem", "No such problem", "There is no problem of this kind.")  \
    X(METHOD, 405, "method-not-allowed", "Method not allowed",                                     \
      "The path has other methods, which Allow lists.")                                            \
    X(NOT_ACCEPTABLE, 406, "not-acceptable", "Not acceptable",                                     \
      "Accept names no type that the response comes as.")                                          \
    X(UNAVAILABLE, 409, "unavailable", "Unavailable here",                                         \
      "It cannot happen on this machine or this connection; detail says why, allowed what would "  \
      "help.")                                                                                     \
    X(BUILT_IN, 409, "built-in-mode", "Built-in mode",                                             \
      "A built-in mode can be neither replaced nor removed.")                                      \
    X(IN_USE, 409, "mode-in-use", "Mode in use", "Another mode extends this one.")                 \
    X(RUN_ENDED, 409, "run-ended", "Run ended",                                                    \
      "The run has ended: what is kept of it can be read, and nothing done with it.")              \
    X(DEFAULT_RUN, 409, "default-run", "Default run", "The default run cannot be ended.")          \
    X(TOO_LARGE, 413, "body-too-large", "Body too large", "The body is larger than 256 KiB.")      \
    X(NOT_JSON, 415, "not-json", "Not declared as JSON",                                           \
      "The call takes JSON, and Content-Type says that the body is something else, or nothing.")   \
    X(FAILED, 500, "failed", "The server failed",                                                  \
      "The system refused something; detail has its reason.")                                      \
    X(NO_PORT, 503, "no-port", "No port left",                                                     \
      "Each port that runs may have (--run-ports) is in use.")                                     \
    X(TOO_MANY, 503, "too-many-runs", "Too many runs", "As many runs as there may be are there.")  \
    X(NO_DESCRIPTOR, 503, "no-descriptor", "No file descriptor left",                              \
      "The server has as many files and connections open as it may (RLIMIT_NOFILE).")              \
    X(NO_MEMORY, 503, "out-of-memory", "Out of memory",                                            \
      "The server is out of memory; nothing was changed.")

enum problem {
#define X(symbol, ...) PROBLEM_##symbol,
    PROBLEMS(X)
#undef X
        PROBLEM_COUNT
};

struct problem_row {
    int status;
    const char *kind, *title, *about;
};
const struct problem_row *problem_row(enum problem problem);
/* The default one of a status. */
enum problem problem_of_status(int status);

/* Appends {"type","title","status","detail","where","allowed","did_you_mean"} and a newline; detail
 * is made a sentence, allowed an array, and what is empty is left out. Returns 0 or -ENOMEM (out is
 * then of no use). */
int problem_write(struct buf *out, enum problem problem, const struct refusal *why);

/* The reason phrase of a status (RFC 9110 15), "Error" for one we have no word for. */
const char *problem_title(int status);

/* Appends {"type","title","status","detail"} and a newline, about:blank and a sentence. Returns 0
 * or -ENOMEM. */
int problem_write_status(struct buf *out, int status, const char *detail);
