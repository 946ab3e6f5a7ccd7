/* doing.c - steps that the admin API runs on live connections now: on one, or on all that a filter
 * fits.
 */
#include "run/run_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

/* BAD_INPUT when steps for TLS alone are to act on a cleartext connection. */
static int refuse_tls_steps(const struct session *s, const struct mode_program *program,
                            struct refusal *why)
{
    char where[24];
    for (unsigned i = 0; !wire_is_tls(s->xs.wire) && i < program->rules[0].step_count; i++) {
        const struct mode_step *step = &program->rules[0].steps[i];
        snprintf(where, sizeof where, "$.do[%u]", i);
        if (mode_step_is_for_tls(step))
            return refuse(why, where, "a connection with TLS", "\"%s\" exists under TLS only",
                          mode_step_name(step));
    }
    return 0;
}

static int begin(struct session *s, struct mode_program *program, struct refusal *why)
{
    int error = refuse_tls_steps(s, program, why);
    return error ? error : mode_run(&s->mode, program);
}

static unsigned over_of(const struct session *s)
{
    return s->mode.over ? s->mode.over : OVER_ALL;
}

int run_do(struct run *run, uint64_t id, const json_t *steps, struct refusal *why)
{
    struct mode_program *program;
    struct session *s = run_find(run, id);
    if (!s)
        return RUN_NO_CONNECTION;
    int error = mode_compile_steps(steps, over_of(s), run->config.time_scale, &program, why);
    if (error)
        return error;
    error = begin(s, program, why);
    mode_unref(program);
    return error;
}

/* --- Many */

/* What is NULL or 0 narrows nothing. */
struct filter {
    json_t *idle;
    const char *listener;
    unsigned over;
    bool of_peer;
    union address peer;
    struct mode_range numbers;
};

static int read_number(const json_t *json, struct filter *f, struct refusal *why)
{
    char digits[24];
    const char *text = json_string_value(json);
    if (json_is_integer(json)) {
        snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
        text = digits;
    }
    return text && mode_range_parse(text, &f->numbers)
               ? 0
               : refuse(why, "$.where.number",
                        "a number (2), or a range as text (\"2\", \"2-4\", \"3-\", \"1-/2\")",
                        "this is no connection's number and no range of them");
}

/* Listeners that are gone may have left connections. */
static int read_listener(const struct run *run, const char *name, struct refusal *why)
{
    char names[sizeof why->allowed] = "";
    size_t n = 0;
    for (const struct run_listener *l = run->shared.listeners; l; l = l->next) {
        if (strcmp(l->name, name) == 0)
            return 0;
        if (n < sizeof names)
            n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "", l->name);
    }
    for (const struct link *i = run->sessions.next; i != &run->sessions; i = i->next) {
        if (strcmp(link_entry(i, struct session, link)->listener, name) == 0)
            return 0;
    }
    return refuse(why, "$.where.listener", names, "the run has no such listener");
}

/* The members of a filter of a request. Its paths begin with "$.where". */
static int read_filter(const struct run *run, const json_t *json, struct filter *f,
                       struct refusal *why)
{
    json_t *over = NULL, *listener = NULL, *peer = NULL, *number = NULL;
    static const char *const names[] = { "idle", "over", "listener", "peer", "number" };
    json_t **const values[] = { &f->idle, &over, &listener, &peer, &number };
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value)
    {
        struct suggestions meant = { .word = key };
        char path[64];
        size_t i = 0;
        while (i < sizeof names / sizeof *names && strcmp(names[i], key) != 0)
            suggest_offer(&meant, names[i++]);
        snprintf(path, sizeof path, "$.where.%s", key);
        if (i == sizeof names / sizeof *names) {
            refuse(why, path, "idle, over, listener, peer, number", "a filter has no such member");
            return refuse_meant(why, &meant);
        }
        *values[i] = value;
    }
    const struct protocol *protocol =
        protocol_named(json_is_string(over) ? json_string_value(over) : "");
    f->over = protocol ? protocol->bit : 0;
    f->listener = json_string_value(listener);
    f->of_peer = peer;
    if (f->idle && !json_is_boolean(f->idle))
        return refuse(why, "$.where.idle", "true, false", "this is neither");
    if (over && !protocol)
        return refuse(why, "$.where.over", protocol_names_allowed(), "this is no protocol");
    if (peer && !(json_is_string(peer) && address_read(json_string_value(peer), &f->peer)))
        return refuse(why, "$.where.peer", "an address without a port: \"127.0.0.1\", \"::1\"",
                      "this is no address");
    if (listener && !f->listener)
        return refuse(why, "$.where.listener", "a listener's name as text", "this is no name");
    int error = listener ? read_listener(run, f->listener, why) : 0;
    return error || !number ? error : read_number(number, f, why);
}

static bool fits(const struct filter *f, const struct session *s)
{
    bool idle = s->xs.idle_since != TIME_NONE;
    return (!f->idle || json_is_true(f->idle) == idle) && (!f->over || s->mode.over == f->over) &&
           (!f->listener || strcmp(f->listener, s->listener) == 0) &&
           (!f->of_peer || address_same_host(&f->peer, &s->peer)) &&
           mode_range_has(&f->numbers, s->mode.number);
}

/* Adds the connection to those that are skipped for the same reason. */
static int skip(json_t *skipped, uint64_t id, const struct refusal *why)
{
    json_t *row = NULL;
    for (size_t i = 0; i < json_array_size(skipped) && !row; i++) {
        json_t *have = json_array_get(skipped, i);
        if (strcmp(json_string_value(json_object_get(have, "why")), why->what) == 0)
            row = have;
    }
    if (!row) {
        json_t *new = json_pack("{s:s, s:[]}", "why", why->what, "connections");
        if (json_array_append_new(skipped, new) != 0)
            return -ENOMEM;
        row = new;
    }
    json_t *ids = json_object_get(row, "connections");
    return json_array_append_new(ids, json_integer((json_int_t)id)) == 0 ? 0 : -ENOMEM;
}

/* The steps as connections of each protocol can have them. */
struct compiled {
    struct mode_program *program[OVER_ALL + 1]; /* by OVER_*; NULL: they cannot */
    struct refusal why[OVER_ALL + 1];
};

/* Refuses what none of them can have. */
static int compile(const struct run *run, const json_t *steps, struct compiled *c,
                   struct refusal *why)
{
    int error = 0;
    bool some = false;
    for (unsigned over = 1; over <= OVER_ALL; over++) { /* the last: not known yet */
        error = mode_compile_steps(steps, over, run->config.time_scale, &c->program[over],
                                   &c->why[over]);
        if (error < 0)
            return error;
        some = some || error == 0;
    }
    if (!some)
        *why = c->why[OVER_ALL];
    return some ? 0 : error;
}

/* Begins the steps where they can be. Returns 0 or -errno. */
static int do_on(struct session *s, struct compiled *c, json_t *skipped, json_int_t *count)
{
    unsigned over = over_of(s);
    struct refusal why = c->why[over];
    int error = c->program[over] ? begin(s, c->program[over], &why) : BAD_INPUT;
    if (error > 0)
        return skip(skipped, s->xs.id, &why);
    *count += error == 0;
    return error;
}

int run_do_each(struct run *run, const json_t *json, const json_t *steps, json_t **out,
                struct refusal *why)
{
    struct filter f = { .numbers = MODE_RANGE_ALL };
    struct compiled c = { 0 };
    struct run_cursor cursor;
    struct session *s;
    json_int_t count = 0;
    int error = json ? read_filter(run, json, &f, why) : 0;
    if (!error)
        error = compile(run, steps, &c, why);
    json_t *skipped = error ? NULL : json_array();
    if (!error && !skipped)
        error = -ENOMEM;
    run_cursor_open(run, &cursor);
    while (!error && (s = run_cursor_next(&cursor))) {
        session_catch_up(s);
        if (wire_state(s->xs.wire) != WIRE_CLOSED && fits(&f, s))
            error = do_on(s, &c, skipped, &count);
    }
    run_cursor_close(&cursor);
    for (unsigned over = 1; over <= OVER_ALL; over++) {
        if (c.program[over])
            mode_unref(c.program[over]);
    }
    json_t *done = error ? NULL : json_pack("{s:I, s:O}", "connections", count, "skipped", skipped);
    json_decref(skipped);
    if (done)
        *out = done;
    return error || done ? error : -ENOMEM;
}
