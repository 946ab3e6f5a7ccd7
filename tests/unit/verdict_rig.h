/* verdict_rig.h - for the tests of server/verdict: histories and calls of scripts, and what they
 * say in a line of text. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "harness/ledger_script.h"
#include "verdict/calls.h"

#define GRACE  (100 * NS_PER_MS)
#define WITHIN (10 * NS_PER_S)

static inline struct history *rig_history(const struct history_config *config)
{
    const struct history_config usual = {
        .grace = GRACE, .attempts = 256, .connections = 64, .faults = 64
    };
    struct history *h = history_create(config ? config : &usual);
    assert_non_null(h);
    return h;
}

/* Feeds what a ledger holds, but for the events without to without + lacking - 1. */
static inline void rig_feed(struct history *h, const struct ledger *l, uint64_t without,
                            uint64_t lacking)
{
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record;
    while (ledger_next(&cursor, &record)) {
        if (record.seq < without || record.seq >= without + lacking)
            history_feed(h, &record);
    }
}

/* The history of a script, as it is so long after its last event that all its windows are over. */
static inline struct history *rig_script(const char *script)
{
    struct history *h = rig_history(NULL);
    struct ledger *l = script_ledger(script);
    rig_feed(h, l, 0, 0);
    ledger_destroy(l);
    return h;
}

static const char *const rig_progress[] = { "begun",  "told",  "whole",    "answering",
                                            "handed", "acked", "confirmed" };
static const char *const rig_trouble[] = { "fine",     "bitten",      "held",
                                           "refused",  "abandoned",   "lost",
                                           "doubtful", "unconfirmed", "unknown" };
static const char *const rig_exposure[] = { "untouched", "bitten", "avoided", "pre-empted",
                                            "unknown" };
static const char *const rig_state[] = { "open",     "bitten",   "answered",  "recovered",
                                         "doubtful", "given-up", "undecided", "unknown" };

static inline void rig_count(struct buf *out, const char *name, unsigned count)
{
    if (count)
        buf_printf(out, " %s=%u", name, count);
}

static inline void rig_word(struct buf *out, const char *word, bool there)
{
    if (there)
        buf_printf(out, " %s", word);
}

/* "GET /a recovered bitten retries=1; …": state, exposure, and what else is not 0. */
static inline void rig_say_call(const struct calls *c, const struct call *call, struct buf *out)
{
    const struct attempt *a = call->count ? c->members[call->first].attempt : NULL;
    struct call_group group = calls_group(c, call);
    buf_printf(out, "%s%s %s %s %s", buf_len(out) ? "; " : "",
               a && a->method.bytes ? a->method.bytes : "?",
               a && a->target.bytes ? a->target.bytes : "?", rig_state[call->state],
               rig_exposure[call->exposure]);
    rig_word(out, "presumed", call->presumed);
    rig_word(out, "anonymous", call->anonymous);
    rig_word(out, "proven", call->exposure_proven);
    rig_word(out, "held", call->held);
    rig_word(out, "late", call->late);
    rig_count(out, "retries", call->retries);
    rig_count(out, "pooled", call->retries - call->retries_fresh);
    rig_count(out, "hedges", call->hedges);
    rig_count(out, "duplicates", call->duplicates);
    rig_count(out, "executions", call->executions);
    if (group.calls > 1)
        buf_printf(out, " group=%u/%u retries=%u..%u", group.answered, group.calls,
                   group.retries_min, group.retries_max);
}

static inline char *rig_say(const struct history *h, const struct calls_config *config,
                            enum reading reading)
{
    struct buf out = { 0 };
    struct calls *c = calls_build(h, config, reading);
    assert_non_null(c);
    for (size_t i = 0; i < c->count; i++)
        rig_say_call(c, &c->calls[i], &out);
    calls_destroy(c);
    buf_printf(&out, "%s", "");
    char *text = strndup((const char *)buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    assert_non_null(text);
    return text;
}

static inline struct calls_config rig_config(void)
{
    return (struct calls_config){ .within = WITHIN, .client_gone = NEVER };
}

/* --- Scenarios: a ledger, that of a control or NULL, and the calls in both readings (wide: NULL:
 * the same). */

struct scenario {
    const char *title, *control, *script, *narrow, *wide;
};

/* Pieces of scripts. BITTEN: a fault at the first byte; the request is read behind it, and lost. */
#define C2(at)                   at " c2 open\n"
#define ANSWERED(at, c, x, what) at " " c " " x " " what "\n" at " " c " " x " answer\n"
#define BITTEN(at, c, x, what)                                                                     \
    at " " c " fin\n" at " " c " " x " " what "\n" at " " c " " x " lost\n"

/* Whether it is as told; what is not is printed. */
static inline bool rig_run(const struct scenario *s)
{
    struct history *h = rig_script(s->script);
    struct calls_config config = rig_config();
    struct control *control = NULL;
    if (s->control) {
        struct history *before = rig_script(s->control);
        control = control_create(before);
        assert_non_null(control);
        history_destroy(before);
        config.control = control;
    }
    char *narrow = rig_say(h, &config, READING_NARROW), *wide = rig_say(h, &config, READING_WIDE);
    const char *expected = s->wide ? s->wide : s->narrow;
    bool as_told = strcmp(narrow, s->narrow) == 0 && strcmp(wide, expected) == 0;
    if (!as_told)
        print_error("%s\n# narrow: %s\n# not:    %s\n# wide:   %s\n# not:    %s\n", s->title,
                    narrow, s->narrow, wide, expected);
    free(narrow);
    free(wide);
    control_destroy(control);
    history_destroy(h);
    return as_told;
}

static inline void rig_run_all(const struct scenario *list, size_t count)
{
    bool all = true;
    for (size_t i = 0; i < count; i++)
        all &= rig_run(&list[i]);
    assert_true(all);
}
