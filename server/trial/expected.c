#include "trial/expected.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mode/cases.h"
#include "verdict/expect.h"

/* What each check needs of a plan (mode/exercise.h), without which no client could ever meet it. */
static const char *const needs[] = {
    [CHECK_RECOVERED] = "strikes served",
    [CHECK_RETRIES] = "strikes",
    [CHECK_RETRY_ELSEWHERE] = "bites served",
    [CHECK_NO_STALE_USE] = "told",
    [CHECK_CONNECTION_CLOSE] = "h1",
    [CHECK_FRESH_AFTER_MARK] = "", /* the test does it, in any mode */
    [CHECK_IDLE_EVICTION] = "",    /* the same */
    [CHECK_HONOURS_HINT] = "hint",
    [CHECK_GOAWAY_RESPECTED] = "goaway h2",
    [CHECK_CLOSES_AFTER_GOAWAY] = "goaway h2",
    [CHECK_SAFE_RETRY] = "bites",
    [CHECK_EXECUTED_ONCE] = "",
    [CHECK_USER_WAIT] = "strikes|waits",
    [CHECK_NO_STORM] = "strikes|waits",
    [CHECK_BACKOFF] = "strikes",
    [CHECK_PING_LIVENESS] = "pings|waits h2",
    [CHECK_STILL_REUSES] = "",
    [CHECK_FALLS_BACK] = "fallback",
    [CHECK_DETECTS_TRUNCATION] = "cuts",
    [CHECK_WAITS] = "outage",
};
_Static_assert(sizeof needs / sizeof *needs == CHECK_COUNT, "each check has its needs");

/* What it needs as it is listed: a wait in silence needs some. */
static const char *needs_of(const struct expected *one)
{
    bool in_silence = one->check == CHECK_USER_WAIT && one->number[1] == 1;
    return in_silence ? "waits" : needs[one->check];
}

static int check_needs(const struct expect *e, const struct exercise *can, struct refusal *why)
{
    int error = 0;
    for (size_t i = 0; !error && i < expect_count(e); i++) {
        const struct expected *one = expect_at(e, i);
        char where[32];
        snprintf(where, sizeof where, "$.expect[%zu]", one->index);
        error = exercise_refuse(can, needs_of(one), expect_name(e, one->index), where, why);
    }
    return error;
}

int expected_stays(const struct expected_of *given, const struct exercise *can, struct refusal *why)
{
    struct expect *e = NULL;
    if (!(can->can & CAN(STRIKES)) || (can->can & CAN(SERVED)))
        return 0;
    int error = expect_read(given->list, &e, why);
    for (size_t i = 0; !error && i < expect_count(e); i++) {
        const struct expected *one = expect_at(e, i);
        if (strstr(needs_of(one), "served"))
            error = exercise_refuse(can, "served", expect_name(e, one->index), "$.expect", why);
    }
    if (e)
        expect_free(e);
    return error;
}

int expected_given(const json_t *list, const struct exercise *can, struct expected_of *out,
                   struct refusal *why)
{
    struct expect *e;
    int error = expect_read(list, &e, why);
    if (error)
        return error;
    error = check_needs(e, can, why);
    if (!error && !(out->list = expect_json(e)))
        error = -ENOMEM;
    expect_free(e);
    strcpy(out->origin, "run");
    out->by_user = true;
    return error;
}

/* The document that says what is expected, a new reference; NULL: there is none. */
static json_t *document_of(const struct catalogue *c, const struct setting *s)
{
    json_t *found = NULL;
    if (s->case_name)
        return cases_get(json_string_value(s->case_name), &found, NULL) == 0 ? found : NULL;
    return s->mode ? catalogue_resolved(c, json_string_value(s->mode)) : NULL;
}

/* What a user feels; where no connection ever answers, not that he gets an answer. */
static json_t *list_by_default(const struct exercise *can)
{
    json_t *list = json_array();
    bool denied = (can->can & CAN(STRIKES)) && !(can->can & CAN(SERVED));
    for (size_t i = 0; i < EXPECT_DEFAULT_COUNT; i++) {
        if (denied && strcmp(expect_default[i], check_rows[CHECK_RECOVERED].name) == 0)
            continue;
        if (json_array_append_new(list, json_string(expect_default[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

bool expected_is_usual(const struct expected_of *e)
{
    bool usual = strcmp(e->origin, "default") == 0;
    if (!e->list || !usual)
        return usual;
    return json_array_size(e->list) == EXPECT_DEFAULT_COUNT;
}

int expected_own(const struct catalogue *c, const struct setting *s, const struct exercise *can,
                 struct expected_of *out)
{
    json_auto_t *document = document_of(c, s);
    json_t *own = json_object_get(document, "expect");
    out->by_user = false;
    out->list = own ? json_incref(own) : list_by_default(can);
    if (own)
        setting_name(s, out->origin);
    else
        strcpy(out->origin, "default");
    return out->list ? 0 : -ENOMEM;
}

struct expected_of expected_ref(const struct expected_of *e)
{
    json_incref(e->list);
    return *e;
}

void expected_free(struct expected_of *e)
{
    json_decref(e->list);
    *e = (struct expected_of){ .list = NULL };
}
