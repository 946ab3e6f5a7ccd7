/* show.c - a run as JSON. */
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/duration.h"
#include "engine/protocol.h"
#include "mode/exercise.h"
#include "run/plan.h"
#include "trial/trial_parts.h"
#include "wire/listener.h"

/* --- URLs */

/* The host of a URL: what the user says; where any address will do, one of this machine. */
static void host_of(const struct trials *t, const char *address, char *out, size_t size)
{
    int len = (int)(strrchr(address, ':') - address);
    if (t->advertise)
        snprintf(out, size, strchr(t->advertise, ':') ? "[%s]" : "%s", t->advertise);
    else if (strncmp(address, "[::]:", 5) == 0 || strncmp(address, "0.0.0.0:", 8) == 0)
        snprintf(out, size, "127.0.0.1");
    else
        snprintf(out, size, "%.*s", len, address);
}

static json_t *url_of(const struct trials *t, const char *scheme, const char *address,
                      const char *path)
{
    char host[256];
    host_of(t, address, host, sizeof host);
    return json_sprintf("%s://%s%s%s", scheme, host, strrchr(address, ':'), path);
}

static const struct {
    const char *name, *scheme;
    unsigned over;
} rows[] = {
    { "https", "https", OVER_ALL },
    { "https1", "https", OVER_H1 },
    { "http", "http", OVER_ALL },
};
#define ROWS (sizeof rows / sizeof *rows)

json_t *show_urls(const struct trial *t)
{
    json_t *urls = json_object(), *base = NULL;
    bool whole = urls != NULL;
    for (size_t i = 0; i < ROWS; i++) {
        const struct listener *l = runs_listening(t->trials->runs, t->run, rows[i].name);
        json_t *url = l ? url_of(t->trials, rows[i].scheme, listener_address(l, 0), "") : NULL;
        if (!l)
            continue;
        if (!base && (!t->over || (rows[i].over & t->over)))
            base = url;
        whole = json_object_set_new(urls, rows[i].name, url) == 0 && whole;
    }
    if (whole && (!base || json_object_set(urls, "base", base) == 0))
        return urls;
    json_decref(urls);
    return NULL;
}

static json_t *admin_url(const struct trial *t, const char *rest)
{
    char path[128];
    if (!t->trials || !t->trials->admin[0])
        return json_null();
    snprintf(path, sizeof path, "/v1/runs/%s%s", t->id, rest);
    return url_of(t->trials, "http", t->trials->admin, path);
}

/* --- How long a client pauses for the fault to be in effect */

#define PAUSE_MARGIN (300 * NS_PER_MS) /* and for its kernel to know of it */

double show_pause(const struct run *run, const struct plan *plan)
{
    struct exercise e;
    run_exercise(run, plan, &e);
    return (double)(e.pause + PAUSE_MARGIN) / NS_PER_S;
}

/* --- The run */

/* How many events of each kind the ledger has dropped, of those of which it has. */
static json_t *dropped_by(const struct ledger *l)
{
    json_t *by = json_object();
    for (enum ledger_event event = 0; by && event < EV_COUNT; event++) {
        json_int_t count = (json_int_t)ledger_dropped_of(l, event);
        if (!count || json_object_set_new(by, ledger_event_name(event), json_integer(count)) == 0)
            continue;
        json_decref(by);
        by = NULL;
    }
    return by;
}

/* TIME_NONE: null. */
static json_t *wall_time(int64_t wall)
{
    char text[CLOCK_RFC3339_SIZE];
    if (wall == TIME_NONE)
        return json_null();
    clock_rfc3339(wall, text);
    return json_string(text);
}

static int64_t timer_wall(const struct timer *timer)
{
    return timer_armed(timer) ? clock_wall(timer->due) : TIME_NONE;
}

static json_t *show_times(const struct trial *t)
{
    bool over = t->state != TRIAL_RUNNING;
    json_t *ttl = t->ttl == DURATION_NEVER ? json_null() : json_real((double)t->ttl / NS_PER_S);
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "ttl_s", ttl, "started", wall_time(t->started),
                     "ends", wall_time(over ? TIME_NONE : timer_wall(&t->over_at)), "ended",
                     wall_time(t->state == TRIAL_OVER ? t->ended : TIME_NONE), "mode_ends",
                     wall_time(over ? TIME_NONE : timer_wall(&t->mode_over)));
}

static json_t *show_state(const struct trial *t)
{
    bool over = t->state != TRIAL_RUNNING;
    const struct ledger *l = t->ledger;
    double pause = t->run ? show_pause(t->run, run_plan(t->run)) : t->pause;
    size_t connections = t->run ? run_connection_count(t->run) : 0;
    bool awaited = trial_is_awaited(t);
    if (t->plan && t->phase == PHASE_CONTROL && t->run)
        pause = show_pause(t->run, t->plan);
    return json_pack("{s:O?, s:s?, s:f, s:s?, s:I, s:b, s:{s:I, s:I, s:I, s:o}}", "expect",
                     t->expected.list, "expect_of", t->expected.list ? t->expected.origin : NULL,
                     "pause_s", pause, "reason",
                     over ? ledger_word_name(F_REASON, t->reason) : NULL, "connections",
                     (json_int_t)connections, "awaited", (int)awaited, "events", "first",
                     (json_int_t)ledger_first(l), "last", (json_int_t)ledger_last(l), "dropped",
                     (json_int_t)ledger_dropped(l), "dropped_by", dropped_by(l));
}

json_t *trial_json(struct trial *t)
{
    if (!t->urls && t->run) /* the default run's, whose listeners come later than the trial */
        t->urls = show_urls(t);
    const char *over = t->over == OVER_H1 ? "h1" : t->over == OVER_H2 ? "h2" : NULL;
    bool running = t->state == TRIAL_RUNNING;
    json_auto_t *mode = trial_mode(t), *times = show_times(t), *state = show_state(t);
    json_t *shown = json_pack("{s:s, s:s?, s:s, s:s, s:s?, s:O, s:o, s:o}", "id", t->id, "name",
                              t->name, "state", running ? "running" : "ended", "phase",
                              ledger_word_name(F_PHASE, t->phase), "over", over, "urls", t->urls,
                              "mark_url", admin_url(t, "/marks"), "admin_url", admin_url(t, ""));
    if (shown && mode && times && state && json_object_update(shown, mode) == 0 &&
        json_object_update(shown, times) == 0 && json_object_update(shown, state) == 0)
        return shown;
    json_decref(shown);
    return NULL;
}
