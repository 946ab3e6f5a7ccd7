/* options.c - the command line of `hangup serve`, one row an option. */
#include "cli/options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certs/names.h"
#include "run/run.h"

static const struct option_row rows[] = {
    { "--https", "ADDR", "TLS, h2 and http/1.1 (:8443); \"off\" leaves a listener out", OPTION_TEXT,
      offsetof(struct options, https) },
    { "--https1", "ADDR", "TLS, http/1.1 only (:8444)", OPTION_TEXT,
      offsetof(struct options, https1) },
    { "--http", "ADDR", "cleartext, http/1.1 and h2c by prior knowledge (:8080)", OPTION_TEXT,
      offsetof(struct options, http) },
    { "--admin", "ADDR", "the admin API (localhost:9000)", OPTION_TEXT,
      offsetof(struct options, admin) },
    { "--run-ports", "FIRST-LAST",
      "where runs that are made over the API listen (9100-9131); [HOST:]0: any free ports",
      OPTION_TEXT, offsetof(struct options, run_ports) },
    { "--advertise", "HOST", "the host of the URLs of runs; clients know this machine by it",
      OPTION_TEXT, offsetof(struct options, advertise) },
    { "--admin-token", "TOKEN", "ask admin calls for this bearer token", OPTION_TEXT,
      offsetof(struct options, admin_token) },
    { "--admin-token-file", "FILE", "the same from a file; or the environment: HANGUP_ADMIN_TOKEN",
      OPTION_TEXT, offsetof(struct options, admin_token_file) },
    { "--mode", "NAME[;k=v]", "the mode to start in (normal)", OPTION_TEXT,
      offsetof(struct options, mode) },
    { "--plan", "FILE", "a plan to start with: which connections get which mode, JSON", OPTION_TEXT,
      offsetof(struct options, plan_file) },
    { "--case", "NAME",
      "a case to start with, also by its number; `hangup modes --cases` lists "
      "them",
      OPTION_TEXT, offsetof(struct options, case_name) },
    { "--seed", "N", "decides what the probabilities of the plan or case draw", OPTION_NUMBER,
      offsetof(struct options, seed) },
    { "--modes", "DIR", "more modes, one JSON file each", OPTION_TEXT,
      offsetof(struct options, modes_dir) },
    { "--stubs", "DIR", "serve this file tree beside the entitlement endpoint", OPTION_TEXT,
      offsetof(struct options, stubs_dir) },
    { "--state", "DIR", "where certificates are kept ($XDG_STATE_HOME/hangup)", OPTION_TEXT,
      offsetof(struct options, state_dir) },
    { "--name", "HOST", "a further name or IP address that clients use; may be repeated",
      OPTION_TEXTS, offsetof(struct options, names) },
    { "--cert", "FILE", "a certificate chain of one's own, PEM (with --key)", OPTION_TEXT,
      offsetof(struct options, cert) },
    { "--key", "FILE", "its private key, PEM", OPTION_TEXT, offsetof(struct options, key) },
    { "--keylog", "FILE", "append the keys of TLS sessions, with which Wireshark decrypts",
      OPTION_TEXT, offsetof(struct options, keylog) },
    { "--time-scale", "FACTOR", "multiplies every duration of a mode (1)", OPTION_SCALE,
      offsetof(struct options, time_scale) },
    { "--body-limit", "BYTES", "larger request bodies get 413 (1048576)", OPTION_SIZE,
      offsetof(struct options, body_limit) },
    { "--handshake-timeout", "TIME", "for a whole TLS handshake; \"never\" or 0: no limit (60s)",
      OPTION_LIMIT, offsetof(struct options, patience.handshake) },
    { "--header-timeout", "TIME", "for a header section; and for the first request (60s)",
      OPTION_LIMIT, offsetof(struct options, patience.header) },
    { "--body-timeout", "TIME", "between two reads of a request body (60s)", OPTION_LIMIT,
      offsetof(struct options, patience.body) },
    { "--tcp-keepalive", "TIME", "probe a client after so long without a segment (60s)",
      OPTION_LIMIT, offsetof(struct options, tcp_keepalive) },
    { "--key-header", "NAME",
      "a header field by which a call is known in the ledger; may be repeated", OPTION_FIELD_NAMES,
      offsetof(struct options, key_headers) },
    { "--relayed", NULL, "clients come by a relay, so that an ACK shows nothing about them",
      OPTION_FLAG, offsetof(struct options, relayed) },
    { "--ledger-limit", "BYTES", "memory of the ledger; the oldest events go first (67108864)",
      OPTION_SIZE, offsetof(struct options, ledger_bytes) },
    { "--ledger-dir", "DIR", "write the ledger to a file there too, an event a line, as it happens",
      OPTION_TEXT, offsetof(struct options, ledger_dir) },
    { "--log-level", "debug|info|warn|error", "what the server says of itself (info)", OPTION_WORD,
      offsetof(struct options, level) },
};

static const struct option_table table = { rows, sizeof rows / sizeof *rows, "hangup help serve" };

void options_help(FILE *to)
{
    option_help(&table, to);
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

/* What follows from what was said. */
static int settle(struct options *o, struct refusal *why)
{
    static const char *const levels[] = { "debug", "info", "warn", "error" };
    for (size_t i = 0; o->level && i < sizeof levels / sizeof *levels; i++)
        if (strcmp(o->level, levels[i]) == 0)
            o->log_level = (enum log_level)i;
    struct name advertised;
    if (!o->advertise)
        return 0;
    if (name_parse(o->advertise, &advertised, why) != 0) {
        refuse_in(why, "--advertise", NULL);
        return BAD_INPUT;
    }
    if (o->names.count == OPTION_TEXTS_MAX)
        return refuse(why, "--advertise", "at most 64 names", "with --name there are too many");
    o->names.list[o->names.count++] = o->advertise;
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
    int error = option_read_all(&table, argc, argv, &o, NULL, NULL, why);
    if (!error)
        error = check_together(&o, why);
    if (!error)
        error = settle(&o, why);
    if (!error && !o.state_dir && !o.cert)
        error = options_state_dir(&o.state_dir, why);
    if (!error)
        *out = o;
    return error;
}
