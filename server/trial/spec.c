/* spec.c - a run is made of what the body of POST /v1/runs says. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "run/plan.h"
#include "trial/trial_parts.h"

static const struct runs_listener kinds[] = {
    { "https", NULL, .tls = true, .over = OVER_ALL },
    { "https1", NULL, .tls = true, .over = OVER_H1 },
    { "http", NULL, .tls = false, .over = OVER_ALL },
};
#define KINDS         (sizeof kinds / sizeof *kinds)
#define KINDS_ALLOWED "\"https\", \"https1\", \"http\""

/* What the body says; borrowed, but for the setting. */
struct spec {
    struct setting setting;
    json_t *name, *expect;
    bool control;
    unsigned over;                                /* 0: both alike */
    const struct runs_listener *listeners[KINDS]; /* up to the first NULL */
    int64_t ttl;
};

/* --- Reading */

static int read_name(const json_t *name, struct refusal *why)
{
    const char *text = json_string_value(name);
    size_t len = json_string_length(name);
    bool ok = len > 0 && len <= TRIAL_NAME_MAX;
    for (size_t i = 0; ok && i < len; i++)
        ok = (unsigned char)text[i] >= ' ' && text[i] != 0x7f;
    return ok ? 0
              : refuse(why, "$.name", "1 to 128 octets without control characters",
                       "is no such text");
}

static int read_over(const json_t *over, unsigned *out, struct refusal *why)
{
    const char *text = json_string_value(over);
    *out = strcmp(text, "h1") == 0 ? OVER_H1 : strcmp(text, "h2") == 0 ? OVER_H2 : 0;
    return *out ? 0 : refuse(why, "$.over", "\"h1\", \"h2\"", "is neither");
}

static int read_listener(struct spec *s, size_t i, const json_t *name, struct refusal *why)
{
    char where[40];
    size_t k = 0;
    snprintf(where, sizeof where, "$.listeners[%zu]", i);
    while (k < KINDS && (!json_is_string(name) || strcmp(kinds[k].name, json_string_value(name))))
        k++;
    if (k == KINDS)
        return refuse(why, where, KINDS_ALLOWED, "is none of these");
    for (size_t j = 0; j < i; j++)
        if (s->listeners[j] == &kinds[k])
            return refuse(why, where, KINDS_ALLOWED, "is there twice");
    if (s->over == OVER_H2 && !(kinds[k].over & OVER_H2))
        return refuse(why, where, "\"https\", \"http\"",
                      "cannot be: it offers http/1.1 only, and "
                      "the run is over h2");
    s->listeners[i] = &kinds[k];
    return 0;
}

static int read_listeners(struct spec *s, const json_t *listeners, struct refusal *why)
{
    size_t count = json_array_size(listeners);
    s->listeners[0] = &kinds[0];
    if (!listeners)
        return 0;
    if (count == 0 || count > KINDS)
        return refuse(why, "$.listeners", KINDS_ALLOWED, "has %zu items", count);
    int error = 0;
    for (size_t i = 0; !error && i < count; i++)
        error = read_listener(s, i, json_array_get(listeners, i), why);
    return error;
}

static int check_spec(struct spec *s, const json_t *name, const json_t *over, const json_t *ttl,
                      const json_t *listeners, struct refusal *why)
{
    int error = setting_check(&s->setting, true, why);
    s->ttl = TRIAL_TTL;
    if (!error && name)
        error = read_name(name, why);
    if (!error && over)
        error = read_over(over, &s->over, why);
    if (!error && ttl)
        error = setting_duration(ttl, "$.ttl", SETTING_TTL_MAX, &s->ttl, why);
    return error ? error : read_listeners(s, listeners, why);
}

static int read_spec(const json_t *body, struct spec *s, struct refusal *why)
{
    json_t *mode, *params, *plan, *case_name, *seed, *time_scale, *over, *ttl, *listeners, *control;
    const struct json_member members[] = {
        { "name", JSON_STRING, false, false, &s->name },
        { "mode", JSON_STRING, false, false, &mode },
        { "params", JSON_OBJECT, false, false, &params },
        { "plan", JSON_ARRAY, false, false, &plan },
        { "case", JSON_STRING, false, false, &case_name },
        { "expect", JSON_ARRAY, false, false, &s->expect },
        { "over", JSON_STRING, false, false, &over },
        { "listeners", JSON_ARRAY, false, false, &listeners },
        { "ttl", JSON_STRING, false, false, &ttl },
        { "time_scale", JSON_REAL, false, false, &time_scale },
        { "seed", JSON_INTEGER, false, false, &seed },
        { "control", JSON_TRUE, false, false, &control },
        { 0 },
    };
    int error = json_members(body, members, why);
    if (error)
        return error;
    s->setting = (struct setting){ .mode = json_incref(mode),
                                   .params = json_incref(params),
                                   .plan = json_incref(plan),
                                   .case_name = json_incref(case_name),
                                   .seed = json_incref(seed),
                                   .time_scale = json_incref(time_scale) };
    s->control = json_is_true(control);
    return check_spec(s, s->name, over, ttl, listeners, why);
}

/* --- Making */

static int open_listeners(struct trials *t, struct run *run, const struct spec *s,
                          struct refusal *why)
{
    int error = 0;
    for (size_t i = 0; !error && i < KINDS && s->listeners[i]; i++) {
        struct runs_listener with = *s->listeners[i];
        if (s->over == OVER_H1)
            with.over = OVER_H1;
        error = ports_listen(&t->ports, t->runs, run, &with, why);
    }
    return error;
}

static int read_expected(struct trial *t, const struct spec *s, const struct plan *plan,
                         struct refusal *why)
{
    struct exercise can;
    run_exercise(t->run, plan, &can);
    int error = expected_own(t->trials->config.catalogue, &s->setting, &can, &t->own);
    if (!error && !s->expect)
        t->expected = expected_ref(&t->own);
    if (error || !s->expect)
        return error;
    return expected_given(s->expect, &can, &t->expected, why);
}

static int fill(struct trial *t, const struct spec *s)
{
    t->over = s->over;
    t->control = s->control;
    t->ttl = s->ttl;
    t->urls = show_urls(t);
    t->name = s->name ? strdup(json_string_value(s->name)) : NULL;
    return t->urls && (t->name || !s->name) ? 0 : -ENOMEM;
}

/* The run is there, and can be taken back. Takes over the plan, when it returns 0. */
static int begin(struct trials *t, const char *id, struct run *run, const struct spec *s,
                 struct plan *plan, struct trial **out, struct refusal *why)
{
    struct trial *made = trial_create(t, id, run);
    int error = made ? read_expected(made, s, plan, why) : -ENOMEM;
    if (!error)
        error = fill(made, s);
    if (!error && t->ledger_dir)
        error = runs_save(t->runs, run, t->ledger_dir, NULL);
    if (error) {
        if (made)
            trial_destroy(made);
        return error;
    }
    made->plan = plan;
    judged_begin(&made->judged, t->config.loop, made->ledger);
    say_start(made);
    trial_enter(made, s->control ? PHASE_CONTROL : PHASE_FAULT);
    timer_at(&made->over_at, clock_now() + made->ttl);
    *out = made;
    return 0;
}

static int make(struct trials *t, const char *id, const struct spec *s, struct trial **out,
                struct refusal *why)
{
    struct plan *plan = NULL;
    struct run *run;
    int error = runs_add(t->runs, id, &t->config, &run);
    if (error)
        return error;
    error = open_listeners(t, run, s, why);
    if (!error)
        error = setting_compile(&s->setting, run, &plan, why);
    if (!error && (error = begin(t, id, run, s, plan, out, why)))
        plan_unref(plan);
    if (error)
        runs_drop(t->runs, run);
    return error;
}

int spec_add(struct trials *t, const json_t *spec, const char *id, struct trial **out,
             struct refusal *why)
{
    struct spec s = { 0 };
    int error = read_spec(spec, &s, why);
    if (!error)
        error = make(t, id, &s, out, why);
    setting_free(&s.setting);
    return error;
}
