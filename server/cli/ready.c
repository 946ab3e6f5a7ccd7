#include "cli/ready.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/standard.h"

#define ENTITLEMENT "/api/entitlement/get"

static int say_line(const struct ready *r)
{
    json_t *ready = json_copy(r->listeners);
    json_object_set_new(ready, "ca", r->ca ? json_string(r->ca) : json_null());
    json_object_set(ready, "mode", r->mode);
    if (r->case_name)
        json_object_set_new(ready, "case", json_string(r->case_name));
    json_object_set_new(ready, "pid", json_integer(getpid()));
    json_t *line = json_pack("{s:o}", "ready", ready);
    struct buf text = { 0 };
    int error = json_write(&text, line);
    if (!error)
        printf("%.*s\n", (int)buf_len(&text), (const char *)buf_bytes(&text));
    json_decref(line);
    buf_free(&text);
    return error;
}

/* --- For people */

static const struct {
    const char *name, *scheme, *path, *about;
} rows[] = {
    { "https", "https", ENTITLEMENT, "TLS, h2 and http/1.1" },
    { "https1", "https", ENTITLEMENT, "TLS, http/1.1 only" },
    { "http", "http", ENTITLEMENT, "cleartext, http/1.1 and h2c" },
    { "admin", "http", "/v1", "the admin API" },
};
#define ROWS (sizeof rows / sizeof *rows)

/* An address that a browser on this machine can open. */
static void authority_of(const json_t *listener, char *out, size_t size)
{
    const char *first =
        json_string_value(json_array_get(json_object_get(listener, "addresses"), 0));
    static const char *const every[] = { "[::]:", "0.0.0.0:", "127.0.0.1:" };
    for (size_t i = 0; i < sizeof every / sizeof *every; i++)
        if (!first || strncmp(first, every[i], strlen(every[i])) == 0) {
            snprintf(out, size, "localhost:%d",
                     (int)json_integer_value(json_object_get(listener, "port")));
            return;
        }
    snprintf(out, size, "%s", first);
}

static void say_for_people(const struct ready *r)
{
    char authority[80], https[200] = "";
    const char *mode = json_string_value(json_object_get(r->mode, "mode"));
    printf("\nhangup is ready: %s%s, process %d. Ctrl-C ends it.\n\n",
           r->case_name ? "case "
           : mode       ? "mode "
                        : "a plan",
           r->case_name ? r->case_name
           : mode       ? mode
                        : "",
           (int)getpid());
    for (size_t i = 0; i < ROWS; i++) {
        char url[200];
        const json_t *listener = json_object_get(r->listeners, rows[i].name);
        if (!listener)
            continue;
        authority_of(listener, authority, sizeof authority);
        snprintf(url, sizeof url, "%s://%s%s", rows[i].scheme, authority, rows[i].path);
        printf("  %-46s  %s\n", url, rows[i].about);
        if (!*https && strcmp(rows[i].scheme, "https") == 0)
            snprintf(https, sizeof https, "%s", url);
    }
    if (r->ca && *https)
        printf("\nClients must trust its CA, once (certs/README.md has each system):\n\n"
               "  curl --cacert '%s' %s\n"
               "  xcrun simctl keychain booted add-root-cert '%s'\n",
               r->ca, https, r->ca);
    putchar('\n');
}

int ready_say(const struct ready *ready, bool for_people)
{
    int error = 0;
    if (for_people)
        say_for_people(ready);
    else
        error = say_line(ready);
    json_decref(ready->listeners);
    json_decref(ready->mode);
    return error ? error : standard_flush();
}
