/* routes.c - the calls there are. Matching, Allow, GET /v1 and a test of docs/openapi.json all go
 * by these rows. */
#include <stdio.h>
#include <string.h>

#include "admin/call.h"

/* A call on a run, and the same on the default run by its short name. */
#define ON_RUN(method, path, query, body, perform, about_run, about)                               \
    { method, "/v1/runs/{run}" path, query, body, false, about_run, perform, about },              \
    {                                                                                              \
        method, "/v1" path, query, body, false, about_run, perform, about ", of the default run"   \
    }

const struct route routes[] = {
    { "GET", "/healthz", NULL, BODY_NONE, true, RUN_NONE, calls_health, "is the server alive" },
    { "GET", "/problems/{kind}", NULL, BODY_NONE, true, RUN_NONE, calls_problem,
      "what the type of a problem means" },
    { "GET", "/metrics", NULL, BODY_NONE, false, RUN_NONE, calls_metrics,
      "counts for Prometheus, as text" },
    { "GET", "/v1", NULL, BODY_NONE, false, RUN_NONE, calls_index, "these calls" },
    { "GET", "/v1/openapi.json", NULL, BODY_NONE, false, RUN_NONE, calls_openapi,
      "this API as OpenAPI 3.1" },
    { "GET", "/v1/capabilities", NULL, BODY_NONE, false, RUN_NONE, calls_capabilities,
      "what this machine can do, and why not" },
    { "GET", "/v1/ca.pem", NULL, BODY_NONE, false, RUN_NONE, calls_ca_pem,
      "the CA certificate, PEM" },
    { "GET", "/v1/ca.der", NULL, BODY_NONE, false, RUN_NONE, calls_ca_der,
      "the CA certificate, DER" },
    { "GET", "/v1/modes", NULL, BODY_NONE, false, RUN_NONE, calls_modes, "the catalogue of modes" },
    { "GET", "/v1/modes/{name}", "resolved", BODY_NONE, false, RUN_NONE, calls_mode_file,
      "a mode's document" },
    { "PUT", "/v1/modes/{name}", NULL, BODY_JSON, false, RUN_NONE, calls_put_mode_file,
      "adds or replaces a mode of your own" },
    { "DELETE", "/v1/modes/{name}", NULL, BODY_NONE, false, RUN_NONE, calls_delete_mode_file,
      "removes a mode of your own" },
    { "GET", "/v1/language", NULL, BODY_NONE, false, RUN_NONE, calls_language,
      "what a mode can say: triggers, steps and their arguments" },
    { "GET", "/v1/cases", NULL, BODY_NONE, false, RUN_NONE, calls_cases,
      "cases from real reports, as plans" },
    { "GET", "/v1/cases/{name}", NULL, BODY_NONE, false, RUN_NONE, calls_case, "one of them" },
    { "GET", "/v1/suites", NULL, BODY_NONE, false, RUN_NONE, calls_suites,
      "suites: lists of tests of a client" },
    { "GET", "/v1/suites/{name}", NULL, BODY_NONE, false, RUN_NONE, calls_suite,
      "one of them, with its rows" },
    { "GET", "/v1/checks", NULL, BODY_NONE, false, RUN_NONE, calls_checks,
      "the checks and mitigations that can be expected" },
    { "GET", "/v1/runs", NULL, BODY_NONE, false, RUN_NONE, calls_runs,
      "the runs, and those that have ended and are kept" },
    { "POST", "/v1/runs", NULL, BODY_JSON, false, RUN_NONE, calls_post_run,
      "makes a run, with ports of its own" },
    { "GET", "/v1/runs/{run}", NULL, BODY_NONE, false, RUN_KEPT, calls_run, "a run in short" },
    { "PATCH", "/v1/runs/{run}", NULL, BODY_JSON, false, RUN_LIVE, calls_patch_run,
      "sets a mode, a plan or a case, and the time scale" },
    { "DELETE", "/v1/runs/{run}", NULL, BODY_NONE, false, RUN_KEPT, calls_delete_run,
      "ends a run; its ledger stays for a while" },
    ON_RUN("GET", "/mode", NULL, BODY_NONE, calls_mode, RUN_KEPT, "the mode or plan in force"),
    ON_RUN("PUT", "/mode", NULL, BODY_JSON, calls_put_mode, RUN_LIVE,
           "sets a mode, a plan or a case"),
    ON_RUN("POST", "/marks", NULL, BODY_JSON, calls_mark, RUN_LIVE, "names this point in time"),
    ON_RUN("POST", "/marks/{name}", NULL, BODY_NONE, calls_mark_by_name, RUN_LIVE,
           "the same, by the path alone"),
    ON_RUN("POST", "/phase", NULL, BODY_JSON, calls_phase, RUN_LIVE, "begins a phase"),
    ON_RUN("POST", "/reports", NULL, BODY_LINES, calls_reports, RUN_LIVE,
           "the lines of a driver: the client's own account"),
    ON_RUN("POST", "/command", NULL, BODY_JSON, calls_command, RUN_LIVE,
           "the command under test was started, or has ended"),
    ON_RUN("GET", "/quiet", "wait", BODY_NONE, calls_quiet, RUN_LIVE, "whether no request is open"),
    ON_RUN("GET", "/calls", NULL, BODY_NONE, calls_calls, RUN_KEPT,
           "the calls that the requests are attempts of"),
    ON_RUN("GET", "/verdict", "wait", BODY_NONE, calls_verdict, RUN_KEPT,
           "whether the client does what is expected of it"),
    ON_RUN("GET", "/connections", NULL, BODY_NONE, calls_connections, RUN_LIVE,
           "the live connections"),
    ON_RUN("GET", "/connections/{id}", NULL, BODY_NONE, calls_connection, RUN_LIVE, "one of them"),
    ON_RUN("POST", "/connections/do", NULL, BODY_JSON, calls_do_each, RUN_LIVE,
           "acts now on all that a filter fits"),
    ON_RUN("POST", "/connections/{id}/do", NULL, BODY_JSON, calls_do, RUN_LIVE,
           "acts on one of them now"),
    ON_RUN("POST", "/reset", NULL, BODY_NONE, calls_reset, RUN_LIVE, "mode normal, ledger empty"),
    ON_RUN("GET", "/events", "since, last, wait, max, event, connection, call", BODY_NONE,
           calls_events, RUN_KEPT, "the ledger from a sequence number on"),
};
const size_t routes_count = sizeof routes / sizeof *routes;

bool routes_match(const char *pattern, const char *path, struct route_args *args)
{
    const char *begin = path;
    size_t count = 0;
    while (*pattern) {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        size_t len = strcspn(path, "/");
        if (len == 0 || len >= ROUTE_ARG_SIZE || count == ROUTE_ARGS_MAX)
            return false;
        memcpy(args->values[count], path, len);
        args->values[count++][len] = '\0';
        path += len;
        pattern += strcspn(pattern, "}") + 1;
    }
    return *path == '\0' || (strcmp(path, "/") == 0 && path != begin);
}

const char *routes_arg(const char *pattern, const struct route_args *args, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < ROUTE_ARGS_MAX && (pattern = strchr(pattern, '{')); i++) {
        pattern++;
        if (strncmp(pattern, name, len) == 0 && pattern[len] == '}')
            return args->values[i];
    }
    return NULL;
}

const struct route *routes_find(const char *method, const char *path, struct route_args *args,
                                char allow[ROUTE_ALLOW_SIZE])
{
    bool head = strcmp(method, "HEAD") == 0;
    size_t n = 0;
    allow[0] = '\0';
    for (size_t i = 0; i < routes_count; i++) {
        const struct route *row = &routes[i];
        if (!routes_match(row->path, path, args))
            continue;
        bool get = strcmp(row->method, "GET") == 0;
        if (strcmp(row->method, method) == 0 || (head && get))
            return row;
        n += (size_t)snprintf(allow + n, ROUTE_ALLOW_SIZE - n, "%s, ",
                              get ? "GET, HEAD" : row->method);
    }
    if (n)
        snprintf(allow + n, ROUTE_ALLOW_SIZE - n, "OPTIONS");
    return NULL;
}
