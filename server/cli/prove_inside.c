/* prove_inside.c - runs on a server inside this process, on free ports. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "cli/options.h"
#include "cli/prove_options.h"
#include "cli/prove_place.h"
#include "ledger/ledger.h"
#include "run/run.h"
#include "server.h"
#include "trial/trial.h"
#include "wire/caps.h"

#define BODY_LIMIT   ((size_t)1024 * 1024)
#define LEDGER_BYTES ((size_t)64 * 1024 * 1024)
#define PATIENCE     (60 * NS_PER_S)
#define LINES        64 /* of the ledger, written at a time */

struct inside {
    struct place place;
    struct server *server;
    struct trial *trial; /* NULL: none yet */
    char admin[80], ports[80];
    const char *names[1];
};

static struct inside *of(struct place *p)
{
    return (struct inside *)p;
}

/* --- Waiting */

struct settled {
    struct trial_waiter waiter;
    bool is;
};

static void has_settled(struct trial_waiter *waiter)
{
    ((struct settled *)waiter)->is = true;
}

/* Until what was begun of the run is over. */
static void settle(struct inside *in)
{
    struct settled s = { .waiter.settled = has_settled };
    if (trial_is_settled(in->trial))
        return;
    trial_await_settled(in->trial, &s.waiter);
    while (!s.is)
        uv_run(in->place.loop, UV_RUN_ONCE);
}

/* --- The run */

static int add(struct place *p, const json_t *spec, struct refusal *why)
{
    struct inside *in = of(p);
    struct trial *made;
    int error = trials_add(server_trials(in->server), spec, &made, why);
    if (error == TRIAL_NO_PORT)
        refuse(why, "--ports", "a longer range, of ports that are free",
               "of %.100s fewer ports are free than the run has listeners", in->ports);
    if (!error) {
        trial_unref(in->trial);
        in->trial = trial_ref(made);
    }
    return error;
}

static int about(struct place *p, json_t **out, struct refusal *why)
{
    json_t *run = trial_json(of(p)->trial);
    if (!run)
        return -ENOMEM;
    *out = run;
    return 0;
}

static int phase(struct place *p, const char *name, struct refusal *why)
{
    struct inside *in = of(p);
    enum ledger_phase which = strcmp(name, "control") == 0 ? PHASE_CONTROL
                              : strcmp(name, "fault") == 0 ? PHASE_FAULT
                                                           : PHASE_WITHOUT;
    int error = trial_phase(in->trial, which, why);
    if (!error)
        settle(in);
    return error;
}

static int report(struct place *p, const char *line, size_t len, struct refusal *why)
{
    return trial_report(of(p)->trial, line, len, why);
}

static int started(struct place *p, char *const *argv, int64_t pid, const char *steps,
                   struct refusal *why)
{
    trial_command_start(of(p)->trial, argv, pid, steps);
    return 0;
}

static int exited(struct place *p, int status, int signal, bool killed, struct refusal *why)
{
    trial_command_exit(of(p)->trial, status, signal, killed);
    return 0;
}

static int look(struct place *p, bool *final, size_t *connections, bool *awaited,
                struct refusal *why)
{
    struct run *run = trial_run(of(p)->trial);
    trial_outcome(of(p)->trial, final);
    *connections = run ? run_connection_count(run) : 0;
    *awaited = trial_is_awaited(of(p)->trial);
    return 0;
}

static int end(struct place *p, struct refusal *why)
{
    trial_end(of(p)->trial, REASON_FINISHED);
    settle(of(p));
    return 0;
}

static int verdict(struct place *p, json_t **out, struct refusal *why)
{
    json_t *document = trial_verdict_json(of(p)->trial);
    if (!document)
        return -ENOMEM;
    *out = document;
    return 0;
}

static int calls(struct place *p, json_t **out, struct refusal *why)
{
    json_t *list = trial_calls_json(of(p)->trial);
    if (!list)
        return -ENOMEM;
    *out = list;
    return 0;
}

static int ledger(struct place *p, FILE *to, struct refusal *why)
{
    const struct ledger *l = trial_ledger(of(p)->trial);
    uint64_t since = 0;
    struct buf lines = { 0 };
    int count = 0;
    do {
        buf_consume(&lines, buf_len(&lines));
        count = ledger_read(l, since, LINES, SIZE_MAX, "\n", &lines, &since);
        if (count > 0) {
            buf_text(&lines, "\n");
            fwrite(buf_bytes(&lines), 1, buf_len(&lines), to);
        }
    } while (count > 0 && !lines.failed && !ferror(to));
    int error = lines.failed || count < 0 ? -ENOMEM : 0;
    buf_free(&lines);
    return error;
}

/* --- The server */

static void close_place(struct place *p)
{
    struct inside *in = of(p);
    trial_unref(in->trial);
    server_abort(in->server);
    server_destroy(in->server);
    free(in);
    log_end();
}

PLACE_OPS(ops);

/* "127.0.0.1", or "[::1]" when there are colons in it. */
static void write_host(const char *host, const char *port, char *out, size_t size)
{
    bool v6 = strchr(host, ':') && host[0] != '[';
    snprintf(out, size, v6 ? "[%s]:%s" : "%s:%s", host, port);
}

static int refuse_ports(const struct prove_options *o, struct refusal *why)
{
    return refuse(why, "--ports", "FIRST-LAST, such as 9100-9131, or 0 for any free ports",
                  "\"%.100s\" is not a value for it", o->ports);
}

static int open_server(struct inside *in, const struct prove_options *o, struct refusal *why)
{
    const char *host = o->listen ? o->listen : "127.0.0.1", *state = o->state_dir;
    union address address;
    struct address_spec spec;
    int error = state ? 0 : options_state_dir(&state, why);
    if (error)
        return error;
    write_host(host, "0", in->admin, sizeof in->admin);
    if (!address_read_spec(in->admin, &spec))
        return refuse(why, "--listen", "an IP address (\"0.0.0.0\", \"::1\") or localhost",
                      "\"%.100s\" is not an address to listen on", host);
    if (o->ports && strchr(o->ports, ':'))
        return refuse_ports(o, why);
    write_host(host, o->ports ? o->ports : "0", in->ports, sizeof in->ports);
    if (o->advertise ||
        (o->listen && address_read(o->listen, &address) && !address_is_any(&address)))
        in->names[0] = o->advertise ? o->advertise : o->listen;
    const struct server_config config = { .https = "off",
                                          .https1 = "off",
                                          .http = "off",
                                          .admin = in->admin,
                                          .run_ports = in->ports,
                                          .advertise = o->advertise,
                                          .modes_dir = o->modes_dir,
                                          .stubs_dir = o->stubs_dir,
                                          .state_dir = state,
                                          .names = in->names,
                                          .name_count = in->names[0] != NULL,
                                          .key_headers = o->key_headers.list,
                                          .key_header_count = o->key_headers.count,
                                          .time_scale = 1,
                                          .relayed = o->relayed,
                                          .body_limit = BODY_LIMIT,
                                          .ledger_bytes = LEDGER_BYTES,
                                          .patience = { PATIENCE, PATIENCE, PATIENCE },
                                          .keepalive = PATIENCE };
    error = server_create(&config, &in->server, why);
    return error ? error : server_start(in->server, why);
}

/* Refusals are told by the names of our options. */
static void rename_options(const struct prove_options *o, struct refusal *why)
{
    if (strcmp(why->where, "--run-ports") == 0)
        refuse_ports(o, why);
    else if (strcmp(why->where, "--admin") == 0)
        refuse_in(why, "--listen", NULL);
    else if (strcmp(why->where, "--name") == 0)
        refuse_in(why, "--advertise", NULL);
}

int place_inside(const struct prove_options *o, struct place **out, struct refusal *why)
{
    struct inside *in = calloc(1, sizeof *in);
    if (!in)
        return -ENOMEM;
    log_set_level(LOG_WARN);
    descriptors_raise_limit();
    caps_probe();
    int error = open_server(in, o, why);
    if (error > 0)
        rename_options(o, why);
    if (error) {
        server_destroy(in->server);
        free(in);
        return error;
    }
    in->place =
        (struct place){ .ops = &ops, .loop = server_loop(in->server), .ca = server_ca(in->server) };
    *out = &in->place;
    return 0;
}
