/* main.c - arguments, start, stop; the only file that knows everyone. */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "admin/admin.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/timer.h"
#include "certs/authority.h"
#include "cli/admin_token.h"
#include "cli/commands.h"
#include "cli/initial.h"
#include "cli/options.h"
#include "cli/ready.h"
#include "cli/standard.h"
#include "endpoint/endpoint.h"
#include "engine/engine.h"
#include "ledger/ledger.h"
#include "mode/catalogue.h"
#include "run/run.h"
#include "wire/caps.h"
#include "wire/keylog.h"
#include "wire/listener.h"
#include "wire/tls.h"

#define SHUTDOWN_GRACE NS_PER_S

enum { HTTPS, HTTPS1, HTTP, DATA_LISTENERS };

struct server {
    uv_loop_t loop;
    uv_signal_t signals[2];
    bool stopping;
    struct options options;
    struct initial initial;
    struct authority_files files;
    struct keylog *keylog; /* NULL: none */
    struct tls_server *tls;
    struct catalogue *catalogue;
    struct endpoint *endpoint;
    struct run *run;
    struct run_listener kinds[DATA_LISTENERS];
    struct listener *listeners[DATA_LISTENERS];
    struct admin *admin;
};

/* What was refused in the value of an option is said with the option's name. */
static int in_option(const char *option, int error, struct refusal *why)
{
    if (error > 0 && strncmp(why->where, "--", 2) != 0)
        refuse_in(why, option, why->where);
    return error;
}

/* --- Start */

static void log_capabilities(void)
{
    for (enum capability i = 0; i < CAPABILITY_COUNT; i++) {
        const struct capability_row *row = caps_row(i);
        if (row->available)
            log_info("capability %s: available", row->name);
        else
            log_info("capability %s: not available (%s); needs %s", row->name, row->why_not,
                     row->needs);
    }
}

static void out_of_descriptors(void *owner)
{
    struct server *server = owner;
    ledger_begin(run_ledger(server->run), EV_OUT_OF_DESCRIPTORS, 0, 0);
    ledger_commit(run_ledger(server->run));
}

static int open_certificates(struct server *s, struct refusal *why)
{
    const struct options *o = &s->options;
    if (o->cert)
        return tls_server_create(o->cert, o->key, &s->tls, why);
    int error = authority_open(o->state_dir, o->names, o->name_count, 0, &s->files, why);
    in_option("--state", error, why);
    if (!error)
        error = tls_server_create(s->files.cert, s->files.key, &s->tls, why);
    if (!error)
        tls_server_set_ca(s->tls, s->files.ca_pem);
    return error;
}

static int open_keylog(struct server *s, struct refusal *why)
{
    const char *file = s->options.keylog;
    int error = file ? keylog_open(file, &s->keylog, why) : 0;
    if (!file || error)
        return error;
    tls_server_set_keylog(s->tls, s->keylog);
    log_warn("the keys of all TLS sessions go to %s: who reads it can decrypt them", file);
    return 0;
}

/* What can be refused without a trace: nothing was written to the state directory yet. */
static int open_catalogue(struct server *s, struct refusal *why)
{
    const struct options *o = &s->options;
    int error = 0;
    s->catalogue = catalogue_create();
    if (!s->catalogue)
        return -ENOMEM;
    if (o->modes_dir)
        error = in_option("--modes", catalogue_load(s->catalogue, o->modes_dir, why), why);
    if (!error)
        error = in_option("--stubs", endpoint_create(o->stubs_dir, &s->endpoint, why), why);
    if (!error)
        error = initial_read(o, &s->initial, why);
    return error ? error : initial_check(&s->initial, s->catalogue, o->time_scale, why);
}

static int open_listeners(struct server *s, struct refusal *why)
{
    const struct options *o = &s->options;
    const char *const addresses[] = { o->https, o->https1, o->http };
    s->kinds[HTTPS] = (struct run_listener){ .name = "https", .tls = true, .over = OVER_ALL };
    s->kinds[HTTPS1] = (struct run_listener){ .name = "https1", .tls = true, .over = OVER_H1 };
    s->kinds[HTTP] = (struct run_listener){ .name = "http", .tls = false, .over = OVER_ALL };
    listener_set_out_of_descriptors(out_of_descriptors, s);
    for (unsigned i = 0; i < DATA_LISTENERS; i++) {
        if (strcmp(addresses[i], "off") == 0)
            continue;
        int error = listener_open(&s->loop, s->kinds[i].name, addresses[i], run_accept,
                                  &s->kinds[i], &s->listeners[i], why);
        if (error)
            return error;
    }
    return 0;
}

/* The listeners accept from the loop only, which does not run yet. */
static int open_run(struct server *s, struct refusal *why)
{
    const struct options *o = &s->options;
    struct run_config config = { .loop = &s->loop,
                                 .catalogue = s->catalogue,
                                 .endpoint = s->endpoint,
                                 .tls = s->tls,
                                 .ledger_bytes = o->ledger_bytes,
                                 .body_limit = o->body_limit,
                                 .time_scale = o->time_scale,
                                 .patience = o->patience,
                                 .keepalive = o->tcp_keepalive };
    int error = run_create(&config, &s->run);
    if (error)
        return error;
    for (unsigned i = 0; i < DATA_LISTENERS; i++) {
        s->kinds[i].run = s->run;
        if (s->listeners[i])
            run_add_listener(&s->kinds[i], s->listeners[i]);
    }
    error = initial_set(&s->initial, s->run, why);
    initial_free(&s->initial);
    return error;
}

static int open_admin(struct server *s, struct refusal *why)
{
    const struct options *o = &s->options;
    struct admin_config config = { .loop = &s->loop,
                                   .run = s->run,
                                   .catalogue = s->catalogue,
                                   .address = o->admin,
                                   .token = o->admin_token,
                                   .names = o->names,
                                   .name_count = o->name_count,
                                   .ca_pem = o->cert ? NULL : s->files.ca_pem,
                                   .ca_der = o->cert ? NULL : s->files.ca_der };
    int error = admin_start(&config, &s->admin, why);
    if (error > 0 && o->token_source && strcmp(why->where, "--admin-token") == 0)
        refuse_in(why, o->token_source, NULL);
    return error;
}

static json_t *listener_json(const struct listener *l)
{
    const char *address;
    json_t *addresses = json_array();
    for (unsigned i = 0; (address = listener_address(l, i)); i++)
        json_array_append_new(addresses, json_string(address));
    return json_pack("{s:i, s:o}", "port", (int)listener_port(l), "addresses", addresses);
}

/* Tells whoever started us that we are ready, and where. Returns 0 or -errno. */
static int say_ready(const struct server *s)
{
    struct ready ready = { .listeners = json_object(),
                           .ca = s->options.cert ? NULL : s->files.ca_pem,
                           .mode = run_mode(s->run),
                           .case_name = *s->initial.case_name ? s->initial.case_name : NULL };
    for (unsigned i = 0; i < DATA_LISTENERS; i++)
        if (s->listeners[i])
            json_object_set_new(ready.listeners, s->kinds[i].name, listener_json(s->listeners[i]));
    json_object_set_new(ready.listeners, "admin", listener_json(admin_listener(s->admin)));
    return ready_say(&ready, isatty(STDOUT_FILENO));
}

/* --- Stop */

static void all_ended(void *arg)
{
    struct server *s = arg;
    for (unsigned i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&s->signals[i], NULL);
    h1_stop();
    h2_stop();
    timers_stop();
}

/* Until then a caller may set things of the run. */
static void admin_stopped(void *arg)
{
    struct server *s = arg;
    for (unsigned i = 0; i < DATA_LISTENERS; i++)
        if (s->listeners[i])
            listener_close(s->listeners[i]);
    run_shutdown(s->run, SHUTDOWN_GRACE, all_ended, s);
}

static void stop(struct server *s)
{
    s->stopping = true;
    admin_stop(s->admin, admin_stopped, s);
}

static void signalled(uv_signal_t *signal, int number)
{
    struct server *s = signal->data;
    if (s->stopping) {
        run_abort(s->run);
        _exit(128 + number);
    }
    log_info("stopping on %s; once more ends it at once", strsignal(number));
    stop(s);
}

static int watch_signals(struct server *s)
{
    static const int numbers[] = { SIGINT, SIGTERM };
    signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < 2; i++) {
        int error = uv_signal_init(&s->loop, &s->signals[i]);
        s->signals[i].data = s;
        if (!error)
            error = uv_signal_start(&s->signals[i], signalled, numbers[i]);
        if (error)
            return error;
    }
    return 0;
}

static int start(struct server *s, struct refusal *why)
{
    int error = uv_loop_init(&s->loop);
    if (!error)
        error = timers_start(&s->loop);
    if (!error)
        error = h1_start(&s->loop);
    if (!error)
        error = watch_signals(s);
    if (!error)
        error = open_catalogue(s, why);
    if (!error)
        error = open_listeners(s, why);
    if (!error)
        error = open_certificates(s, why);
    if (!error)
        error = open_keylog(s, why);
    if (!error)
        error = open_run(s, why);
    return error ? error : open_admin(s, why);
}

int command_serve(int argc, char **argv)
{
    static struct server server;
    struct refusal why;
    int error = options_parse(argc, argv, &server.options, &why);
    if (error)
        return command_refused("serve", error, &why);
    error = admin_token_read(&server.options, &why);
    if (error)
        return command_refused("serve", error, &why);
    log_set_level(server.options.log_level);
    descriptors_raise_limit();
    caps_probe();
    error = start(&server, &why);
    if (error)
        return command_refused("serve", error, &why); /* the kernel takes back what is open */
    log_capabilities();
    error = say_ready(&server);
    if (error)
        return command_error("serve", "the ready line cannot be written to stdout: %s",
                             strerror(-error));
    uv_run(&server.loop, UV_RUN_DEFAULT);
    run_destroy(server.run);
    endpoint_destroy(server.endpoint);
    catalogue_destroy(server.catalogue);
    tls_server_destroy(server.tls);
    keylog_close(server.keylog);
    uv_loop_close(&server.loop);
    log_end();
    return 0;
}

int main(int argc, char **argv)
{
    if (standard_open() != 0)
        return EXIT_USAGE; /* and nowhere to say why */
    return commands_run(argc, argv);
}
