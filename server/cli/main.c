/* main.c - `hangup serve`: arguments, signals, the ready line around a server; and main(). */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/descriptors.h"
#include "base/log.h"
#include "cli/admin_token.h"
#include "cli/commands.h"
#include "cli/initial.h"
#include "cli/options.h"
#include "cli/ready.h"
#include "cli/screen.h"
#include "cli/standard.h"
#include "run/run.h"
#include "server.h"
#include "trial/trial.h"
#include "wire/caps.h"
#include "wire/listener.h"

struct serve {
    struct options options;
    struct initial initial;
    struct server *server;
    struct screen *screen; /* NULL: stdout is no terminal */
    uv_signal_t signals[2];
    bool stopping;
};

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

/* --- Signals */

static void signalled(uv_signal_t *signal, int number);

/* Returns 0 or -errno. Those that were begun are closed by end_signals. */
static int watch_signals(struct serve *s)
{
    static const int numbers[] = { SIGINT, SIGTERM };
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk */
    for (unsigned i = 0; i < 2; i++) {
        int error = uv_signal_init(server_loop(s->server), &s->signals[i]);
        if (error)
            return error;
        s->signals[i].data = s;
        error = uv_signal_start(&s->signals[i], signalled, numbers[i]);
        if (error)
            return error;
    }
    return 0;
}

static void end_signals(void *arg)
{
    struct serve *s = arg;
    for (unsigned i = 0; i < 2; i++)
        if (s->signals[i].data)
            uv_close((uv_handle_t *)&s->signals[i], NULL);
}

static void signalled(uv_signal_t *signal, int number)
{
    struct serve *s = signal->data;
    if (s->stopping) {
        server_abort(s->server);
        _exit(128 + number);
    }
    log_info("stopping on %s; once more ends it at once", strsignal(number));
    s->stopping = true;
    server_stop(s->server, end_signals, s);
}

/* --- Start */

static int create(struct serve *s, struct refusal *why)
{
    const struct options *o = &s->options;
    const struct server_config config = { .https = o->https,
                                          .https1 = o->https1,
                                          .http = o->http,
                                          .admin = o->admin,
                                          .admin_token = o->admin_token,
                                          .run_ports = o->run_ports,
                                          .advertise = o->advertise,
                                          .modes_dir = o->modes_dir,
                                          .stubs_dir = o->stubs_dir,
                                          .state_dir = o->state_dir,
                                          .cert = o->cert,
                                          .key = o->key,
                                          .keylog = o->keylog,
                                          .ledger_dir = o->ledger_dir,
                                          .names = o->names.list,
                                          .name_count = o->names.count,
                                          .key_headers = o->key_headers.list,
                                          .key_header_count = o->key_headers.count,
                                          .time_scale = o->time_scale,
                                          .relayed = o->relayed,
                                          .body_limit = o->body_limit,
                                          .ledger_bytes = o->ledger_bytes,
                                          .patience = o->patience,
                                          .keepalive = o->tcp_keepalive };
    return server_create(&config, &s->server, why);
}

/* What the mode, plan or case expects of clients. */
static int expect(struct serve *s, struct refusal *why)
{
    const struct initial *i = &s->initial;
    if (i->mode && strcmp(i->mode, "normal") == 0)
        return 0;
    return initial_refused(i,
                           trial_began_with(trials_default(server_trials(s->server)),
                                            *i->case_name ? i->case_name : NULL,
                                            json_object_get(i->file, "expect"), why),
                           why);
}

static int start(struct serve *s, struct refusal *why)
{
    const struct options *o = &s->options;
    int error = create(s, why);
    if (!error)
        error = watch_signals(s);
    if (!error)
        error = initial_read(o, &s->initial, why);
    if (!error)
        error = initial_check(&s->initial, server_catalogue(s->server), o->time_scale, why);
    if (!error)
        error = server_start(s->server, why);
    if (error > 0 && o->token_source && strcmp(why->where, "--admin-token") == 0)
        refuse_in(why, o->token_source, NULL);
    if (!error)
        error = initial_set(&s->initial, server_default_run(s->server), why);
    return error ? error : expect(s, why);
}

static void finish(struct serve *s)
{
    if (s->server && !s->stopping)
        end_signals(s);
    screen_destroy(s->screen);
    server_destroy(s->server);
    initial_free(&s->initial);
    log_end();
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
static int say_ready(const struct serve *s)
{
    static const char *const names[] = { "https", "https1", "http", "admin" };
    struct ready ready = { .listeners = json_object(),
                           .ca = server_ca(s->server),
                           .mode = run_mode(server_default_run(s->server)),
                           .case_name = *s->initial.case_name ? s->initial.case_name : NULL };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct listener *l = server_listener(s->server, names[i]);
        if (l)
            json_object_set_new(ready.listeners, names[i], listener_json(l));
    }
    return ready_say(&ready, isatty(STDOUT_FILENO));
}

static int serve(struct serve *s)
{
    struct refusal why;
    int error = start(s, &why);
    if (error)
        return command_refused("serve", error, &why);
    log_capabilities();
    error = say_ready(s);
    if (error)
        return command_error("serve", "the ready line cannot be written to stdout: %s",
                             strerror(-error));
    if (isatty(STDOUT_FILENO))
        s->screen = screen_create(run_ledger(server_default_run(s->server)));
    server_run(s->server);
    return 0;
}

int command_serve(int argc, char **argv)
{
    struct serve s = { 0 };
    struct refusal why;
    int error = options_parse(argc, argv, &s.options, &why);
    if (!error)
        error = admin_token_read(&s.options, &why);
    if (error)
        return command_refused("serve", error, &why);
    log_set_level(s.options.log_level);
    descriptors_raise_limit();
    caps_probe();
    int status = serve(&s);
    bool stuck = s.server && server_is_stuck(s.server);
    finish(&s);
    if (stuck) { /* exit() would wait for the thread */
        standard_flush();
        _exit(status);
    }
    return status;
}

int main(int argc, char **argv)
{
    if (standard_open() != 0)
        return EXIT_USAGE; /* and nowhere to say why */
    return commands_run(argc, argv);
}
