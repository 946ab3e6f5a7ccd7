/* verdict_outcomes.h - for the tests that tell all runs with a known truth a little otherwise: what
 * a verdict says of each check then, to be compared with what it says of the run as it was. */
#pragma once

#include "verdict_truths_rules.h"

#include "harness/memcheck.h"

/* The outcomes of the checks of the phase fault, in their order, and the verdict's last. */
struct outcomes {
    int list[40];
    bool final[40];
    int64_t evidence[40]; /* the newest event that a check names; of the verdict: of all */
    char names[40][32];
    size_t count;
};

static inline int outcome_of(const char *name)
{
    static const char *const names[] = { "n/a", "pass", "inconclusive", "fail" };
    for (int i = 0; i < 4; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    fail_msg("no outcome: %s", name);
    return -1;
}

static inline struct outcomes outcomes_of(struct verdict *v)
{
    struct outcomes out = { 0 };
    json_t *doc = verdict_json(v), *check, *seq;
    size_t i, k;
    assert_non_null(doc);
    json_array_foreach(json_object_get(doc, "checks"), i, check)
    {
        if (strcmp(json_string_value(json_object_get(check, "phase")), "fault") != 0)
            continue;
        size_t at = out.count++;
        out.list[at] = outcome_of(json_string_value(json_object_get(check, "outcome")));
        out.final[at] = json_is_true(json_object_get(check, "final"));
        snprintf(out.names[at], sizeof out.names[at], "%s",
                 json_string_value(json_object_get(check, "check")));
        json_array_foreach(json_object_get(check, "evidence"), k, seq)
        {
            if (json_integer_value(seq) > out.evidence[at])
                out.evidence[at] = json_integer_value(seq);
        }
        if (out.evidence[at] > out.evidence[39])
            out.evidence[39] = out.evidence[at];
    }
    out.list[out.count] = outcome_of(json_string_value(json_object_get(doc, "verdict")));
    out.final[out.count] = json_is_true(json_object_get(doc, "final"));
    out.evidence[out.count] = out.evidence[39];
    if (json_array_size(json_object_get(doc, "disagreements")))
        out.evidence[out.count] = INT64_MAX; /* it was told at any time */
    strcpy(out.names[out.count++], "verdict");
    json_decref(doc);
    return out;
}

/* What a ledger is fed as. */
struct feeding {
    uint64_t without; /* this event is missing; 0: none */
    uint64_t lacking; /* and so many behind it */
    uint64_t upto;    /* nothing behind this one; 0: all */
    uint64_t shifted; /* this event is told at another time */
    int64_t by;       /* ns */
    size_t bound;     /* of attempts, connections and faults each; 0: as many as there can be */
    bool relayed;     /* every connection comes through a relay */
    int64_t later;    /* ns: when it is asked, behind the last event */
};

static inline struct outcomes fed(const struct ledger *l, const struct feeding *f)
{
    /* An event begins one of each at most. To clear more room would take most of the time. */
    size_t room = f->bound ? f->bound : (size_t)ledger_last(l);
    const struct verdict_config config = { .attempts = room, .connections = room, .faults = room };
    struct verdict *v = verdict_create(&config);
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record = { 0 };
    assert_non_null(v);
    while (ledger_next(&cursor, &record) && (!f->upto || record.seq <= f->upto)) {
        if (f->without && record.seq >= f->without && record.seq <= f->without + f->lacking)
            continue;
        if (record.seq == f->shifted)
            record.age = record.age + f->by > 0 ? record.age + f->by : 0;
        verdict_feed(v, &record);
    }
    verdict_now(v, record.age + f->later);
    struct outcomes out = outcomes_of(v);
    verdict_destroy(v);
    return out;
}

static unsigned wrong;

static inline struct ledger *ledger_of(const struct truth *t)
{
    char *script = rig_run_script(t->expect, t->script);
    struct ledger *l = script_ledger(script);
    free(script);
    return l;
}

/* Goes through all that is known; where memory is looked at through a part of it, each time through
 * another. */
static inline void each_truth(void (*each)(const struct truth *t, const struct ledger *l,
                                           const struct outcomes *base))
{
    static size_t times;
    const size_t step = rows_between(61, 3);
    wrong = 0;
    for (size_t i = 5 * times++ % step; i < truth_count(); i += step) {
        const struct truth *t = truth_at(i);
        struct ledger *l = ledger_of(t);
        const struct feeding whole = { .later = t->later * NS_PER_MS };
        struct outcomes base = fed(l, &whole);
        each(t, l, &base);
        ledger_destroy(l);
    }
    assert_int_equal(wrong, 0);
}
