/* verdict_says.h - for the tests of verdicts: the verdict of a script, in a line of text. */
#pragma once

#include "harness/ledger_script.h"
#include "verdict/verdict.h"

#include "verdict_rig.h"

static inline struct verdict *rig_verdict(void)
{
    const struct verdict_config config = { .attempts = 256, .connections = 64, .faults = 64 };
    struct verdict *v = verdict_create(&config);
    assert_non_null(v);
    return v;
}

/* A script with the beginning of a run before it. expect: JSON without blanks, NULL: none said. */
static inline char *rig_run_script(const char *expect, const char *script)
{
    struct buf out = { 0 };
    buf_printf(&out, "0.000 run_start run=r version=0.1 rules=1 time_scale=1 seed=1");
    if (expect)
        buf_printf(&out, " expectations=%s origin=run", expect);
    buf_printf(&out, "\n%s", script);
    char *text = strndup((const char *)buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    assert_non_null(text);
    return text;
}

static inline void rig_feed_verdict(struct verdict *v, const struct ledger *l)
{
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record;
    while (ledger_next(&cursor, &record))
        verdict_feed(v, &record);
}

/* "pass recovered=pass retries=fail no_storm=inconclusive(wait)~": the outcomes, with the remedy of
 * what is inconclusive, and "~" where it is not final. Of the phase fault. */
static inline char *rig_says(struct verdict *v)
{
    struct buf out = { 0 };
    json_t *doc = verdict_json(v), *check;
    size_t i;
    assert_non_null(doc);
    buf_printf(&out, "%s%s", json_string_value(json_object_get(doc, "verdict")),
               json_is_true(json_object_get(doc, "final")) ? "" : "~");
    json_array_foreach(json_object_get(doc, "checks"), i, check)
    {
        const char *phase = json_string_value(json_object_get(check, "phase"));
        json_t *remedy = json_object_get(check, "remedy");
        const char *code = json_string_value(json_object_get(remedy, "code"));
        if (strcmp(phase, "fault") != 0)
            continue;
        buf_printf(&out, " %s=%s%s%s%s%s", json_string_value(json_object_get(check, "check")),
                   json_string_value(json_object_get(check, "outcome")), code ? "(" : "",
                   code ? code : "", code ? ")" : "",
                   json_is_true(json_object_get(check, "final")) ? "" : "~");
    }
    json_decref(doc);
    char *text = strndup((const char *)buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    assert_non_null(text);
    return text;
}

/* A run with a known truth. */
struct truth {
    const char *title, *expect, *script, *says;
    int64_t later; /* ms after the last event at which it is asked; 0: see rig_later */
};

/* By itself a run is asked when no RST can make its last answer doubtful any more. */
static inline int64_t rig_later(const struct truth *t)
{
    return (t->later ? t->later : 101) * NS_PER_MS;
}

static inline char *rig_judge(const struct truth *t)
{
    char *script = rig_run_script(t->expect, t->script);
    struct ledger *l = script_ledger(script);
    struct verdict *v = rig_verdict();
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record = { 0 };
    while (ledger_next(&cursor, &record))
        verdict_feed(v, &record);
    verdict_now(v, record.age + rig_later(t));
    char *says = rig_says(v);
    verdict_destroy(v);
    ledger_destroy(l);
    free(script);
    return says;
}

static inline void rig_judge_all(const struct truth *list, size_t count)
{
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        char *says = rig_judge(&list[i]);
        if (strcmp(says, list[i].says) != 0) {
            print_error("%s\n#      %s\n# not: %s\n", list[i].title, says, list[i].says);
            all = false;
        }
        free(says);
    }
    assert_true(all);
}
