#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "admin/admin.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/timer.h"
#include "certs/authority.h"
#include "endpoint/endpoint.h"
#include "engine/engine.h"
#include "mode/catalogue.h"
#include "run/runs.h"
#include "trial/trial.h"
#include "wire/keylog.h"
#include "wire/listener.h"
#include "wire/tls.h"
#include "wire/wire.h"

struct server {
    struct server_config config;
    uv_loop_t loop;
    bool timers, h1; /* were started */
    struct catalogue *catalogue;
    struct endpoint *endpoint;
    struct authority_files files;
    struct tls_server *tls;
    struct keylog *keylog; /* NULL: none */
    struct runs *runs;
    struct trials *trials;
    struct admin *admin;
    bool stopping;
    bool stuck; /* a thread writes to a disk that does not answer */
    void (*stopped)(void *arg);
    void *stopped_arg;
};

/* What was refused in the value of an option is said with the option's name. */
static int in_option(const char *option, int error, struct refusal *why)
{
    if (error > 0 && strncmp(why->where, "--", 2) != 0)
        refuse_in(why, option, why->where);
    return error;
}

/* --- Start */

static int open_catalogue(struct server *s, struct refusal *why)
{
    const struct server_config *c = &s->config;
    s->catalogue = catalogue_create();
    if (!s->catalogue)
        return -ENOMEM;
    int error = c->modes_dir ? catalogue_load(s->catalogue, c->modes_dir, why) : 0;
    return in_option("--modes", error, why);
}

static int start_loop(struct server *s)
{
    int error = timers_start(&s->loop);
    s->timers = !error;
    if (!error)
        error = h1_start(&s->loop);
    s->h1 = s->timers && !error;
    return error;
}

int server_create(const struct server_config *config, struct server **out, struct refusal *why)
{
    struct server *s = calloc(1, sizeof *s);
    int error = s ? uv_loop_init(&s->loop) : -ENOMEM;
    if (error) {
        free(s);
        return error;
    }
    s->config = *config;
    error = start_loop(s);
    if (!error)
        error = open_catalogue(s, why);
    if (!error)
        error = in_option("--stubs", endpoint_create(config->stubs_dir, &s->endpoint, why), why);
    if (error) {
        server_destroy(s);
        return error;
    }
    *out = s;
    return 0;
}

static int open_trials(struct server *s, const struct run_config *run, struct refusal *why)
{
    const struct server_config *c = &s->config;
    const struct trials_config config = { .runs = s->runs,
                                          .runs_config = run,
                                          .ports = c->run_ports,
                                          .advertise = c->advertise,
                                          .ledger_dir = c->ledger_dir,
                                          .kept_bytes = c->ledger_bytes / 2 };
    return trials_create(&config, &s->trials, why);
}

static int open_run(struct server *s, struct run **out, struct refusal *why)
{
    const struct server_config *c = &s->config;
    const struct run_config config = { .loop = &s->loop,
                                       .catalogue = s->catalogue,
                                       .endpoint = s->endpoint,
                                       .ledger_bytes = c->ledger_bytes,
                                       .body_limit = c->body_limit,
                                       .time_scale = c->time_scale,
                                       .key_headers = c->key_headers,
                                       .key_header_count = c->key_header_count,
                                       .relayed = c->relayed,
                                       .patience = c->patience,
                                       .keepalive = c->keepalive };
    int error = runs_create(c->ledger_bytes, &s->runs);
    if (!error)
        error = runs_add(s->runs, RUNS_DEFAULT, &config, out);
    return error ? error : open_trials(s, &config, why);
}

static int open_listeners(struct server *s, struct run *run, struct refusal *why)
{
    const struct server_config *c = &s->config;
    const struct runs_listener rows[] = {
        { "https", c->https, .tls = true, .over = OVER_ALL },
        { "https1", c->https1, .tls = true, .over = OVER_H1 },
        { "http", c->http, .tls = false, .over = OVER_ALL },
    };
    int error = 0;
    for (size_t i = 0; !error && i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].address, "off") != 0)
            error = runs_listen(s->runs, run, &rows[i], why);
    return error;
}

static int open_certificates(struct server *s, struct refusal *why)
{
    const struct server_config *c = &s->config;
    if (c->cert)
        return tls_server_create(c->cert, c->key, &s->tls, why);
    int error = authority_open(c->state_dir, c->names, c->name_count, 0, &s->files, why);
    in_option("--state", error, why);
    if (!error)
        error = tls_server_create(s->files.cert, s->files.key, &s->tls, why);
    if (!error)
        tls_server_set_ca(s->tls, s->files.ca_pem);
    return error;
}

static int open_keylog(struct server *s, struct refusal *why)
{
    const char *file = s->config.keylog;
    int error = file ? keylog_open(file, &s->keylog, why) : 0;
    if (!file || error)
        return error;
    tls_server_set_keylog(s->tls, s->keylog);
    log_warn("the keys of all TLS sessions go to %s: who reads it can decrypt them", file);
    return 0;
}

static int open_admin(struct server *s, struct refusal *why)
{
    const struct server_config *c = &s->config;
    struct admin_config config = { .loop = &s->loop,
                                   .trials = s->trials,
                                   .catalogue = s->catalogue,
                                   .address = c->admin,
                                   .token = c->admin_token,
                                   .names = c->names,
                                   .name_count = c->name_count,
                                   .ca_pem = server_ca(s),
                                   .ca_der = c->cert ? NULL : s->files.ca_der };
    int error = admin_start(&config, &s->admin, why);
    if (!error)
        trials_set_admin(s->trials, listener_address(admin_listener(s->admin), 0));
    return error;
}

int server_start(struct server *s, struct refusal *why)
{
    struct run *run;
    int error = open_run(s, &run, why);
    if (!error && s->config.ledger_dir)
        error = in_option("--ledger-dir", runs_save(s->runs, run, s->config.ledger_dir, why), why);
    if (!error)
        error = open_listeners(s, run, why); /* before anything is written to the state directory */
    if (!error)
        error = open_certificates(s, why);
    if (!error)
        error = open_keylog(s, why);
    if (error)
        return error;
    run_set_tls(run, s->tls);
    trials_set_tls(s->trials, s->tls);
    return open_admin(s, why);
}

void server_run(struct server *s)
{
    uv_run(&s->loop, UV_RUN_DEFAULT);
}

/* --- Stop */

static void all_ended(void *arg, bool written)
{
    struct server *s = arg;
    s->stuck = !written;
    if (s->h1)
        h1_stop();
    h2_stop();
    wire_stop();
    if (s->timers)
        timers_stop();
    if (s->stopped)
        s->stopped(s->stopped_arg);
    if (s->stuck)
        uv_stop(&s->loop);
}

bool server_is_stuck(const struct server *s)
{
    return s->stuck;
}

/* Until then a caller may set things of a run. */
static void admin_stopped(void *arg)
{
    struct server *s = arg;
    s->admin = NULL;
    if (s->trials)
        trials_stop(s->trials);
    if (s->runs)
        runs_shutdown(s->runs, LIMIT_STOP, all_ended, s);
    else
        all_ended(s, true);
}

void server_stop(struct server *s, void (*stopped)(void *arg), void *arg)
{
    s->stopping = true;
    s->stopped = stopped;
    s->stopped_arg = arg;
    if (s->admin)
        admin_stop(s->admin, admin_stopped, s);
    else
        admin_stopped(s);
}

void server_abort(struct server *s)
{
    if (s->runs)
        runs_abort(s->runs);
}

void server_destroy(struct server *s)
{
    if (!s)
        return;
    if (!s->stopping)
        server_stop(s, NULL, NULL);
    if (!s->stuck)
        server_run(s);
    if (s->stuck) /* the thread comes back to the loop, some day */
        return;
    trials_destroy(s->trials);
    runs_destroy(s->runs);
    endpoint_destroy(s->endpoint);
    catalogue_destroy(s->catalogue);
    tls_server_destroy(s->tls);
    keylog_close(s->keylog);
    uv_loop_close(&s->loop);
    free(s);
}

/* --- Looking */

struct uv_loop_s *server_loop(struct server *s)
{
    return &s->loop;
}

const struct catalogue *server_catalogue(const struct server *s)
{
    return s->catalogue;
}

struct run *server_default_run(const struct server *s)
{
    return runs_find(s->runs, RUNS_DEFAULT);
}

struct trials *server_trials(const struct server *s)
{
    return s->trials;
}

const struct listener *server_listener(const struct server *s, const char *name)
{
    return strcmp(name, "admin") == 0 ? admin_listener(s->admin)
                                      : runs_listening(s->runs, server_default_run(s), name);
}

const char *server_ca(const struct server *s)
{
    return s->config.cert ? NULL : s->files.ca_pem;
}
