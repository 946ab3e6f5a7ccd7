/* watch.c - `hangup watch`: follows the events of a server's run. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/http.h"
#include "cli/standard.h"
#include "cli/story.h"

#define PATIENCE  (40 * NS_PER_S) /* a call waits for events up to half a minute */
#define AGAIN_MS  500             /* before it is asked again, when it was not reached */
#define LOOK_BACK 20              /* events that were there before */
#define ID_MAX    64

struct watch {
    struct http http;
    char run[ID_MAX + 1];
    const char *event;     /* NULL: all that are told */
    json_int_t connection; /* 0: all */
    struct story story;
    json_int_t since;
    bool away; /* it was said that the server is not reached */
};

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    stopped = 1;
}

/* --- Arguments */

static int read_connection(const char *text, json_int_t *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (errno || *end || text[0] < '1' || text[0] > '9')
        return command_error("watch",
                             "--connection: \"%.40s\" is no connection; allowed: its "
                             "number in the ledger, from 1",
                             text);
    return 0;
}

static int read_run(const char *text, char out[ID_MAX + 1])
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t len = strlen(text);
    if (len == 0 || len > ID_MAX || strspn(text, allowed) != len)
        return command_error("watch", "--run: \"%.80s\" is no run's id", text);
    memcpy(out, text, len + 1);
    return 0;
}

static int read_arguments(int argc, char **argv, struct watch *w, const char **url)
{
    static const char *const options[] = { "--connection", "--event", "--run" };
    for (int i = 0; i < argc; i++) {
        const char *value = NULL, *option = NULL;
        for (size_t n = 0; n < 3 && !option; n++) {
            size_t len = strlen(options[n]);
            if (strncmp(argv[i], options[n], len) == 0 && (!argv[i][len] || argv[i][len] == '=')) {
                option = options[n];
                value = argv[i][len] ? argv[i] + len + 1 : i + 1 < argc ? argv[++i] : NULL;
            }
        }
        if (!option && argv[i][0] == '-')
            return command_error("watch",
                                 "%s: only --connection N, --event E, --run ID and the "
                                 "URL of an admin API are allowed",
                                 argv[i]);
        if (option && !value)
            return command_error("watch", "%s: its value is missing", option);
        int status = 0;
        if (!option)
            *url = argv[i];
        else if (option == options[0])
            status = read_connection(value, &w->connection);
        else if (option == options[1])
            w->event = value;
        else
            status = read_run(value, w->run);
        if (status)
            return status;
    }
    return 0;
}

/* --- Asking */

/* Says once that the server is not there. */
static void say_away(struct watch *w, int error)
{
    if (!w->away)
        fprintf(stderr, "hangup watch: %s is not reached (%s); it is asked again until it is\n",
                w->http.host, strerror(-error));
    w->away = true;
}

static int refused(const struct watch *w, const struct http_response *r)
{
    json_auto_t *problem = NULL;
    if (r->status == 404)
        return command_error("watch", "%s has no run \"%s\"", w->http.host, w->run);
    if (r->status == 401 || r->status == 403)
        return command_error("watch", "%s asks for a token: set HANGUP_ADMIN_TOKEN", w->http.host);
    if (json_read((const char *)buf_bytes(&r->body), buf_len(&r->body), "", &problem, NULL) != 0)
        problem = NULL;
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    return command_error("watch", "%s answered with %d%s%s", w->http.host, r->status,
                         detail ? ": " : "", detail ? detail : "");
}

/* Calls, and reads the answer, an object. Returns 0; -1: later; else the exit status. */
static int ask(struct watch *w, const char *path, json_t **out)
{
    struct http_response r;
    int error = http_call(&w->http, "GET", path, NULL, NULL, &r), status = 0;
    if (error) {
        if (error != -EINTR)
            say_away(w, error);
        return -1;
    }
    if (r.status != 200)
        status = refused(w, &r);
    else if (json_read((const char *)buf_bytes(&r.body), buf_len(&r.body), "", out, NULL) != 0)
        status = command_error("watch", "%s is no admin API of hangup", w->http.host);
    http_free(&r);
    return status;
}

/* Where to begin: a little before now. Also when the server was started anew: its events begin anew
 * as well. */
static int begin(struct watch *w)
{
    char path[ID_MAX + 32];
    json_auto_t *run = NULL;
    snprintf(path, sizeof path, "/v1/runs/%s", w->run);
    int status = ask(w, path, &run);
    if (status)
        return status;
    json_int_t last = json_integer_value(json_object_get(json_object_get(run, "events"), "last"));
    if (w->away)
        fprintf(stderr, "hangup watch: %s is reached\n", w->http.host);
    if (w->since < 0 || w->since > last)
        w->since = last > LOOK_BACK ? last - LOOK_BACK : 0;
    w->away = false;
    return 0;
}

static bool is_asked_for(const struct watch *w, const json_t *event)
{
    const char *name = json_string_value(json_object_get(event, "event"));
    json_int_t connection = json_integer_value(json_object_get(event, "connection"));
    return (!w->event || (name && strcmp(name, w->event) == 0)) &&
           (!w->connection || connection == w->connection);
}

static int show(struct watch *w, const json_t *page)
{
    size_t i;
    const json_t *event;
    struct buf line = { 0 };
    json_array_foreach(json_object_get(page, "events"), i, event)
    {
        story_tell(&w->story, event, &line);
        if (buf_len(&line) > 0 && is_asked_for(w, event))
            fwrite(buf_bytes(&line), 1, buf_len(&line), stdout);
        buf_consume(&line, buf_len(&line));
    }
    buf_free(&line);
    return standard_flush() ? EXIT_USAGE : 0;
}

/* Waits for events, and shows them. Returns as ask. */
static int follow(struct watch *w)
{
    char path[ID_MAX + 80];
    json_auto_t *page = NULL;
    snprintf(path, sizeof path, "/v1/runs/%s/events?since=%" JSON_INTEGER_FORMAT "&wait=30s",
             w->run, w->since);
    int status = ask(w, path, &page);
    if (status)
        return status;
    w->since = json_integer_value(json_object_get(page, "next"));
    return show(w, page);
}

int command_watch(int argc, char **argv)
{
    struct watch w = { .run = "default", .since = -1 };
    const char *url = "http://localhost:9000";
    struct refusal why;
    int status = read_arguments(argc, argv, &w, &url);
    if (status)
        return status;
    if (http_find(&w.http, url, "URL", &why))
        return command_refused("watch", BAD_INPUT, &why);
    w.http.token = getenv("HANGUP_ADMIN_TOKEN");
    w.http.patience = PATIENCE;
    w.story.colour = story_colour(STDOUT_FILENO);
    w.story.all = w.event || w.connection;
    const struct sigaction ends = { .sa_handler = stop }; /* it interrupts what waits */
    sigaction(SIGINT, &ends, NULL);
    sigaction(SIGTERM, &ends, NULL);
    bool begun = false;
    while (!stopped && status <= 0) {
        status = begun ? follow(&w) : begin(&w);
        begun = status == 0;
        if (status < 0 && !stopped)
            nanosleep(&(struct timespec){ .tv_nsec = AGAIN_MS * NS_PER_MS }, NULL);
    }
    return status > 0 ? status : 0;
}
