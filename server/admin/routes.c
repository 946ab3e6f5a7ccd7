/* routes.c - the calls there are. Matching, Allow, GET /v1 and a test of docs/openapi.json all go
 * by these rows. */
#include <stdio.h>
#include <string.h>

#include "admin/call.h"

const struct route routes[] = {
    { "GET", "/healthz", NULL, false, true, calls_health, "is the server alive" },
    { "GET", "/problems/{kind}", NULL, false, true, calls_problem,
      "what the type of a problem means" },
    { "GET", "/v1", NULL, false, false, calls_index, "these calls" },
    { "GET", "/v1/openapi.json", NULL, false, false, calls_openapi, "this API as OpenAPI 3.1" },
    { "GET", "/v1/capabilities", NULL, false, false, calls_capabilities,
      "what this machine can do, and why not" },
    { "GET", "/v1/ca.pem", NULL, false, false, calls_ca_pem, "the CA certificate, PEM" },
    { "GET", "/v1/ca.der", NULL, false, false, calls_ca_der, "the CA certificate, DER" },
    { "GET", "/v1/modes", NULL, false, false, calls_modes, "the catalogue of modes" },
    { "GET", "/v1/modes/{name}", "resolved", false, false, calls_mode_file, "a mode's document" },
    { "PUT", "/v1/modes/{name}", NULL, true, false, calls_put_mode_file,
      "adds or replaces a mode of your own" },
    { "DELETE", "/v1/modes/{name}", NULL, false, false, calls_delete_mode_file,
      "removes a mode of your own" },
    { "GET", "/v1/language", NULL, false, false, calls_language,
      "what a mode can say: triggers, steps and their arguments" },
    { "GET", "/v1/cases", NULL, false, false, calls_cases, "cases from real reports, as plans" },
    { "GET", "/v1/cases/{name}", NULL, false, false, calls_case, "one of them" },
    { "GET", "/v1/suites", NULL, false, false, calls_suites, "suites: lists of tests of a client" },
    { "GET", "/v1/suites/{name}", NULL, false, false, calls_suite, "one of them, with its rows" },
    { "GET", "/v1/mode", NULL, false, false, calls_mode, "the mode or plan in force" },
    { "PUT", "/v1/mode", NULL, true, false, calls_put_mode, "sets a mode, a plan or a case" },
    { "GET", "/v1/connections", NULL, false, false, calls_connections, "the live connections" },
    { "GET", "/v1/connections/{id}", NULL, false, false, calls_connection, "one of them" },
    { "POST", "/v1/connections/{id}/do", NULL, true, false, calls_do, "acts on one of them now" },
    { "POST", "/v1/reset", NULL, false, false, calls_reset, "mode normal, ledger empty" },
    { "GET", "/v1/runs/default", NULL, false, false, calls_run, "the run in short" },
    { "PATCH", "/v1/runs/default", NULL, true, false, calls_patch_run,
      "sets a mode, a plan or a case, and the time scale" },
    { "POST", "/v1/runs/default/marks", NULL, true, false, calls_mark, "names this point in time" },
    { "GET", "/v1/runs/default/events", "since, wait, max", false, false, calls_events,
      "the ledger from a sequence number on" },
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
