/* options.c - the command line of `hangup serve`, one row an option. */
#include "cli/options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "engine/engine.h"
#include "run/run.h"

enum kind { TEXT, NAMES, HOST, FIELD_NAMES, SCALE, SIZE, SEED, LEVEL, SPAN, FLAG };

struct row {
    const char *name, *value, *about;
    enum kind kind;
    size_t place;
};

static const struct row rows[] = {
    { "--https", "ADDR", "TLS, h2 and http/1.1 (:8443); \"off\" leaves a listener out", TEXT,
      offsetof(struct options, https) },
    { "--https1", "ADDR", "TLS, http/1.1 only (:8444)", TEXT, offsetof(struct options, https1) },
    { "--http", "ADDR", "cleartext, http/1.1 and h2c by prior knowledge (:8080)", TEXT,
      offsetof(struct options, http) },
    { "--admin", "ADDR", "the admin API (localhost:9000)", TEXT, offsetof(struct options, admin) },
    { "--run-ports", "FIRST-LAST",
      "where runs that are made over the API listen (9100-9131); [HOST:]0: any free ports", TEXT,
      offsetof(struct options, run_ports) },
    { "--advertise", "HOST", "the host of the URLs of runs; clients know this machine by it", HOST,
      offsetof(struct options, advertise) },
    { "--admin-token", "TOKEN", "ask admin calls for this bearer token", TEXT,
      offsetof(struct options, admin_token) },
    { "--admin-token-file", "FILE", "the same from a file; or the environment: HANGUP_ADMIN_TOKEN",
      TEXT, offsetof(struct options, admin_token_file) },
    { "--mode", "NAME[;k=v]", "the mode to start in (normal)", TEXT,
      offsetof(struct options, mode) },
    { "--plan", "FILE", "a plan to start with: which connections get which mode, JSON", TEXT,
      offsetof(struct options, plan_file) },
    { "--case", "NAME",
      "a case to start with, also by its number; `hangup modes --cases` lists "
      "them",
      TEXT, offsetof(struct options, case_name) },
    { "--seed", "N", "decides what the probabilities of the plan or case draw", SEED,
      offsetof(struct options, seed) },
    { "--modes", "DIR", "more modes, one JSON file each", TEXT,
      offsetof(struct options, modes_dir) },
    { "--stubs", "DIR", "serve this file tree beside the entitlement endpoint", TEXT,
      offsetof(struct options, stubs_dir) },
    { "--state", "DIR", "where certificates are kept ($XDG_STATE_HOME/hangup)", TEXT,
      offsetof(struct options, state_dir) },
    { "--name", "HOST", "a further name or IP address that clients use; may be repeated", NAMES,
      offsetof(struct options, names) },
    { "--cert", "FILE", "a certificate chain of one's own, PEM (with --key)", TEXT,
      offsetof(struct options, cert) },
    { "--key", "FILE", "its private key, PEM", TEXT, offsetof(struct options, key) },
    { "--keylog", "FILE", "append the keys of TLS sessions, with which Wireshark decrypts", TEXT,
      offsetof(struct options, keylog) },
    { "--time-scale", "FACTOR", "multiplies every duration of a mode (1)", SCALE,
      offsetof(struct options, time_scale) },
    { "--body-limit", "BYTES", "larger request bodies get 413 (1048576)", SIZE,
      offsetof(struct options, body_limit) },
    { "--handshake-timeout", "TIME", "for a whole TLS handshake; \"never\" or 0: no limit (60s)",
      SPAN, offsetof(struct options, patience.handshake) },
    { "--header-timeout", "TIME", "for a header section; and for the first request (60s)", SPAN,
      offsetof(struct options, patience.header) },
    { "--body-timeout", "TIME", "between two reads of a request body (60s)", SPAN,
      offsetof(struct options, patience.body) },
    { "--tcp-keepalive", "TIME", "probe a client after so long without a segment (60s)", SPAN,
      offsetof(struct options, tcp_keepalive) },
    { "--key-header", "NAME",
      "a header field by which a call is known in the ledger; may be repeated", FIELD_NAMES,
      offsetof(struct options, key_headers) },
    { "--relayed", NULL, "clients come by a relay, so that an ACK shows nothing about them", FLAG,
      offsetof(struct options, relayed) },
    { "--ledger-limit", "BYTES", "memory of the ledger; the oldest events go first (67108864)",
      SIZE, offsetof(struct options, ledger_bytes) },
    { "--ledger-dir", "DIR", "write the ledger to a file there too, an event a line, as it happens",
      TEXT, offsetof(struct options, ledger_dir) },
    { "--log-level", "LEVEL", "debug, info, warn or error (info)", LEVEL,
      offsetof(struct options, log_level) },
};
#define ROWS (sizeof rows / sizeof *rows)

void options_help(FILE *to)
{
    for (size_t i = 0; i < ROWS; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", rows[i].name, rows[i].value ? rows[i].value : "");
        fprintf(to, "  %-24s %s\n", left, rows[i].about);
    }
}

static int bad_value(struct refusal *why, const struct row *row, const char *value,
                     const char *allowed)
{
    return refuse(why, row->name, allowed, "\"%.150s\" is not a value for it", value);
}

static int set_scale(const struct row *row, const char *value, double *out, struct refusal *why)
{
    char *end;
    double scale = strtod(value, &end);
    if (end == value || *end || !(scale >= RUN_SCALE_MIN && scale <= RUN_SCALE_MAX))
        return bad_value(why, row, value, "a number from 0.000001 to 1000000");
    *out = scale;
    return 0;
}

static int set_size(const struct row *row, const char *value, size_t *out, struct refusal *why)
{
    char *end;
    errno = 0;
    unsigned long long size = strtoull(value, &end, 10);
    if (errno || end == value || *end || value[0] < '0' || value[0] > '9' || size > 1ull << 40)
        return bad_value(why, row, value, "a whole number of bytes, at most 1099511627776");
    *out = size;
    return 0;
}

static int set_seed(const struct row *row, const char *value, struct option_seed *out,
                    struct refusal *why)
{
    char *end;
    errno = 0;
    unsigned long long seed = strtoull(value, &end, 10);
    if (errno || *end || value[0] < '0' || value[0] > '9' || seed > RUN_SEED_MAX)
        return bad_value(why, row, value, "a whole number, at most 9007199254740992");
    *out = (struct option_seed){ true, seed };
    return 0;
}

static int set_level(const struct row *row, const char *value, enum log_level *out,
                     struct refusal *why)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };
    struct suggestions meant = { .word = value };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(value, names[i]) == 0) {
            *out = (enum log_level)i;
            return 0;
        }
        suggest_offer(&meant, names[i]);
    }
    bad_value(why, row, value, row->about);
    return refuse_meant(why, &meant);
}

static int add_field_name(const struct row *row, const char *value, struct options *o,
                          struct refusal *why)
{
    if (!header_name_valid(value))
        return bad_value(why, row, value,
                         "the name of a header field: letters, digits and !#$%&'*+-.^_`|~");
    if (o->key_header_count == OPTION_KEY_HEADERS_MAX)
        return refuse(why, row->name, "at most 16 names", "there are too many of them");
    o->key_headers[o->key_header_count++] = value;
    return 0;
}

static int add_name(const struct row *row, const char *value, struct options *o,
                    struct refusal *why)
{
    if (o->name_count == OPTION_NAMES_MAX)
        return refuse(why, row->name, "at most 64 names", "there are too many of them");
    o->names[o->name_count++] = value;
    return 0;
}

/* 0 is for "never", too. */
static int set_span(const struct row *row, const char *value, int64_t *out, struct refusal *why)
{
    int64_t ns;
    if (duration_parse(value, strlen(value), &ns))
        return bad_value(why, row, value, DURATION_ALLOWED " or 0");
    *out = ns == DURATION_NEVER ? 0 : ns;
    return 0;
}

static int set(const struct row *row, const char *value, struct options *o, struct refusal *why)
{
    void *place = (char *)o + row->place;
    switch (row->kind) {
    case TEXT:
        if (!*value)
            return bad_value(why, row, value, row->value);
        *(const char **)place = value;
        return 0;
    case HOST:
        *(const char **)place = value;
        return add_name(row, value, o, why);
    case NAMES:
        return add_name(row, value, o, why);
    case FIELD_NAMES:
        return add_field_name(row, value, o, why);
    case SCALE:
        return set_scale(row, value, place, why);
    case SIZE:
        return set_size(row, value, place, why);
    case SEED:
        return set_seed(row, value, place, why);
    case LEVEL:
        return set_level(row, value, place, why);
    case SPAN:
        return set_span(row, value, place, why);
    case FLAG:
        *(bool *)place = true;
        return 0;
    }
    return -EINVAL;
}

/* "--name" or "--name=value": the row and, in the second form, the value. */
static const struct row *find(const char *argument, const char **value)
{
    for (size_t i = 0; i < ROWS; i++) {
        size_t len = strlen(rows[i].name);
        if (strncmp(argument, rows[i].name, len) != 0)
            continue;
        if (argument[len] == '\0' || argument[len] == '=') {
            *value = argument[len] ? argument + len + 1 : NULL;
            return &rows[i];
        }
    }
    return NULL;
}

int options_state_dir(const char **out, struct refusal *why)
{
    static char dir[400];
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int len = -1;
    if (state && state[0] == '/')
        len = snprintf(dir, sizeof dir, "%s/hangup", state);
    else if (home && home[0] == '/')
        len = snprintf(dir, sizeof dir, "%s/.local/state/hangup", home);
    if (len < 0 || (size_t)len >= sizeof dir)
        return refuse(why, "--state", "a directory",
                      "it is needed: neither XDG_STATE_HOME nor HOME tells where to keep state");
    *out = dir;
    return 0;
}

static int refuse_unknown(const char *argument, struct refusal *why)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(argument, "="), argument);
    struct suggestions meant = { .word = name };
    for (size_t i = 0; i < ROWS; i++)
        suggest_offer(&meant, rows[i].name);
    refuse(why, argument, "the options that `hangup help serve` lists", "there is no such option");
    return refuse_meant(why, &meant);
}

/* What cannot be said together. */
static int check_together(const struct options *o, struct refusal *why)
{
    if (strcmp(o->https, "off") == 0 && strcmp(o->https1, "off") == 0 &&
        strcmp(o->http, "off") == 0)
        return refuse(why, "--http", "an address for --https, --https1 or --http",
                      "all three listeners are off, and no client could connect");
    if (!o->cert != !o->key)
        return refuse(why, o->cert ? "--key" : "--cert", "a file",
                      "--cert and --key go together, and it is missing");
    if ((o->mode != NULL) + (o->plan_file != NULL) + (o->case_name != NULL) > 1)
        return refuse(why, o->case_name ? "--case" : "--plan", "one of --mode, --plan and --case",
                      "it cannot go with %s", o->mode ? "--mode" : "--plan");
    if (o->seed.given && !o->plan_file && !o->case_name)
        return refuse(why, "--seed", "--plan or --case with it",
                      "nothing is drawn without a plan or case");
    return 0;
}

int options_parse(int argc, char **argv, struct options *out, struct refusal *why)
{
    struct options o = { .https = ":8443",
                         .https1 = ":8444",
                         .http = ":8080",
                         .admin = "localhost:9000",
                         .run_ports = "9100-9131",
                         .log_level = LOG_INFO,
                         .time_scale = 1,
                         .body_limit = 1024 * 1024,
                         .ledger_bytes = 64 * 1024 * 1024,
                         .patience = { 60 * NS_PER_S, 60 * NS_PER_S, 60 * NS_PER_S },
                         .tcp_keepalive = 60 * NS_PER_S };
    for (int i = 0; i < argc; i++) {
        const char *value;
        const struct row *row = find(argv[i], &value);
        if (!row)
            return refuse_unknown(argv[i], why);
        if (row->kind == FLAG && value)
            return refuse(why, row->name, row->name, "it takes no value");
        if (row->kind != FLAG && !value && ++i == argc)
            return refuse(why, row->name, row->value, "its value is missing");
        int error = set(row, value ? value : argv[i], &o, why);
        if (error)
            return error;
    }
    int error = check_together(&o, why);
    if (!error && !o.state_dir && !o.cert)
        error = options_state_dir(&o.state_dir, why);
    if (!error)
        *out = o;
    return error;
}
