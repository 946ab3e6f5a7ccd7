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
#include "cli/option.h"
#include "cli/standard.h"
#include "cli/story.h"
#include "ledger/ledger.h"

#define PATIENCE    (40 * NS_PER_S) /* a call waits for events up to half a minute */
#define AGAIN_MS    500             /* before it is asked again, when it was not reached */
#define LOOK_BACK   20              /* events that were there before */
#define ID_MAX      64
#define DEFAULT_RUN "default"

struct watch {
    struct http http;
    const char *url, *run;
    const char *event;               /* NULL: all that are told */
    struct option_number connection; /* not given: all */
    struct story story;
    json_int_t since;
    char started[CLOCK_RFC3339_SIZE]; /* the run, so that another of its id is told apart */
    bool away;                        /* it was said that the server is not reached */
    bool over;                        /* the run is */
    bool idle; /* nothing came: the wait is over, or the server ends, and another may be next */
};

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    stopped = 1;
}

/* --- Arguments */

#define PLACE(member) offsetof(struct watch, member)

static const struct option_row rows[] = {
    { "--connection", "N", "of this connection alone, by its number in the ledger", OPTION_NUMBER,
      PLACE(connection) },
    { "--event", "EVENT", "these events alone, by their name in the ledger", OPTION_TEXT,
      PLACE(event) },
    { "--run", "ID", "of this run (default)", OPTION_TEXT, PLACE(run) },
};
static const struct option_table table = { rows, sizeof rows / sizeof *rows, "hangup help watch" };

void watch_help(FILE *to)
{
    option_help(&table, to);
}

static int check_run(const char *text)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t len = strlen(text);
    if (len > ID_MAX || strspn(text, allowed) != len)
        return command_error("watch", "--run: \"%.80s\" is no run's id", text);
    return 0;
}

/* A name that no event has would be waited for in vain. */
static int check_event(const char *text)
{
    struct refusal why;
    struct suggestions meant = { .word = text };
    for (int event = 0; text && event < EV_COUNT; event++) {
        const char *name = ledger_event_name((enum ledger_event)event);
        if (strcmp(name, text) == 0)
            return 0;
        suggest_offer(&meant, name);
    }
    if (!text)
        return 0;
    refuse(&why, "--event", "an event's name: docs/ledger.md lists them",
           "\"%.80s\" is no event's name", text);
    refuse_meant(&why, &meant);
    return command_refused("watch", BAD_INPUT, &why);
}

static int read_arguments(int argc, char **argv, struct watch *out)
{
    struct refusal why;
    const char *url = NULL;
    int error = option_read_all(&table, argc, argv, out, &url, "URL", &why);
    if (url)
        out->url = url;
    if (error)
        return command_refused("watch", error, &why);
    if (out->connection.given && !out->connection.value)
        return command_error("watch", "--connection: \"0\" is no connection; allowed: its number "
                                      "in the ledger, from 1");
    int status = check_run(out->run);
    return status ? status : check_event(out->event);
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

/* Where to begin: a little before now; behind what was shown, if this is the run that was followed.
 * When the server was started anew, its events begin anew as well. */
static int begin(struct watch *w)
{
    char path[ID_MAX + 32];
    json_auto_t *run = NULL;
    snprintf(path, sizeof path, "/v1/runs/%s", w->run);
    int status = ask(w, path, &run);
    if (status)
        return status;
    json_int_t last = json_integer_value(json_object_get(json_object_get(run, "events"), "last"));
    const char *started = json_string_value(json_object_get(run, "started"));
    bool first = w->since < 0;
    bool same = !first && w->since <= last && started && strcmp(started, w->started) == 0;
    if (w->away)
        fprintf(stderr, "hangup watch: %s is reached%s\n", w->http.host,
                same ? "" : "; its events begin anew");
    else if (!first && !same)
        fprintf(stderr, "hangup watch: the events of %s begin anew\n", w->http.host);
    if (first)
        w->since = last > LOOK_BACK ? last - LOOK_BACK : 0;
    else if (!same)
        w->since = 0;
    snprintf(w->started, sizeof w->started, "%s", started ? started : "");
    w->away = w->idle = false;
    return 0;
}

static bool is_asked_for(const struct watch *w, const json_t *event)
{
    const char *name = json_string_value(json_object_get(event, "event"));
    json_int_t connection = json_integer_value(json_object_get(event, "connection"));
    return (!w->event || (name && strcmp(name, w->event) == 0)) &&
           (!w->connection.given || (uint64_t)connection == w->connection.value);
}

static int show(struct watch *w, const json_t *page)
{
    size_t i;
    const json_t *event;
    struct buf line = { 0 };
    w->idle = json_array_size(json_object_get(page, "events")) == 0;
    json_array_foreach(json_object_get(page, "events"), i, event)
    {
        const char *name = json_string_value(json_object_get(event, "event"));
        w->over = w->over || (name && strcmp(name, "run_end") == 0);
        story_tell(&w->story, event, &line);
        if (buf_len(&line) > 0 && is_asked_for(w, event))
            fwrite(buf_bytes(&line), 1, buf_len(&line), stdout);
        buf_consume(&line, buf_len(&line));
    }
    buf_free(&line);
    return standard_flush() ? EXIT_USAGE : 0;
}

/* Says how many events are gone between two pages: the ledger had no room for them, or was reset.
 */
static void say_gap(const struct watch *w, const json_t *page)
{
    json_int_t first = json_integer_value(json_object_get(page, "first"));
    json_int_t count = first - w->since - 1;
    if (count > 0)
        fprintf(stderr,
                "hangup watch: %" JSON_INTEGER_FORMAT " event%s missing here: the ledger of %s "
                "no longer had %s\n",
                count, count == 1 ? " is" : "s are", w->http.host, count == 1 ? "it" : "them");
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
    const char *started = json_string_value(json_object_get(page, "started"));
    if (started && strcmp(started, w->started) != 0) {
        w->idle = true; /* it is another server or run: begin() says so */
        return 0;
    }
    say_gap(w, page);
    w->since = json_integer_value(json_object_get(page, "next"));
    return show(w, page);
}

int command_watch(int argc, char **argv)
{
    struct watch w = { .url = "http://localhost:9000", .run = DEFAULT_RUN, .since = -1 };
    struct refusal why;
    int status = read_arguments(argc, argv, &w);
    if (status)
        return status;
    if (http_find(&w.http, w.url, "URL", &why) || http_take_token(&w.http, &why))
        return command_refused("watch", BAD_INPUT, &why);
    w.http.patience = PATIENCE;
    w.story.colour = story_colour(STDOUT_FILENO);
    w.story.all = w.event || w.connection.given;
    const struct sigaction ends = { .sa_handler = stop }; /* it interrupts what waits */
    sigaction(SIGINT, &ends, NULL);
    sigaction(SIGTERM, &ends, NULL);
    bool begun = false;
    while (!stopped && status <= 0) {
        status = begun ? follow(&w) : begin(&w);
        begun = status == 0 && !w.over && !w.idle;
        if (w.over && strcmp(w.run, DEFAULT_RUN) != 0) {
            fprintf(stderr, "hangup watch: run %s is over\n", w.run);
            break;
        }
        w.over = false;
        if (status < 0 && !stopped)
            nanosleep(&(struct timespec){ .tv_nsec = AGAIN_MS * NS_PER_MS }, NULL);
    }
    return status > 0 ? status : 0;
}
