/* say.c - what a run's ledger is told beside what happens on its connections, so that it can be
 * judged by itself. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "engine/protocol.h"
#include "ledger/ledger.h"
#include "trial/trial_parts.h"
#include "verdict/verdict.h"

static void put_json(struct ledger *l, enum ledger_field field, const json_t *value)
{
    struct buf text = { 0 };
    if (value && json_write(&text, value) == 0)
        ledger_bytes(l, field, (const char *)buf_bytes(&text), buf_len(&text));
    buf_free(&text);
}

static void put_expectations(struct trial *t)
{
    if (!t->expected.list)
        return;
    put_json(t->ledger, F_EXPECTATIONS, t->expected.list);
    ledger_text(t->ledger, F_ORIGIN, t->expected.origin);
}

/* By what the events around this one are to be judged: a reader that lacks some sees whether the
 * one that says it is among them. */
static void put_circumstances(struct trial *t)
{
    if (t->phase_seq)
        ledger_int(t->ledger, F_PHASE_SEQ, (int64_t)t->phase_seq);
    if (t->expected_seq)
        ledger_int(t->ledger, F_EXPECTED_SEQ, (int64_t)t->expected_seq);
}

void say_start(struct trial *t)
{
    struct ledger *l = t->ledger;
    ledger_begin(l, EV_RUN_START, 0, 0);
    ledger_text(l, F_RUN, t->id);
    ledger_text(l, F_VERSION, HANGUP_VERSION);
    ledger_int(l, F_RULES, VERDICT_RULES);
    ledger_word(l, F_OVER, t->over == OVER_H1 ? ONLY_H1 : t->over == OVER_H2 ? ONLY_H2 : ONLY_BOTH);
    put_expectations(t);
    ledger_real(l, F_TIME_SCALE, run_time_scale(t->run));
    ledger_int(l, F_SEED, (int64_t)run_seed(t->run));
    if (t->trials->config.relayed)
        ledger_int(l, F_RELAYED, true);
    if (t->control)
        ledger_int(l, F_CONTROL, true);
    ledger_int(l, F_KEPT, VERDICT_KEPT);
    t->expected_seq = ledger_commit(l);
}

void say_expectations(struct trial *t)
{
    ledger_begin(t->ledger, EV_EXPECTATIONS, 0, 0);
    put_expectations(t);
    t->expected_seq = ledger_commit(t->ledger);
}

void say_phase(struct trial *t)
{
    ledger_begin(t->ledger, EV_PHASE, 0, 0);
    ledger_word(t->ledger, F_PHASE, t->phase);
    put_circumstances(t);
    t->phase_seq = ledger_commit(t->ledger);
}

void say_end(struct trial *t)
{
    ledger_begin(t->ledger, EV_RUN_END, 0, 0);
    ledger_word(t->ledger, F_REASON, t->reason);
    put_circumstances(t);
    ledger_commit(t->ledger);
}

void trial_command_start(struct trial *t, char *const *argv, int64_t pid, const char *steps)
{
    char list[LEDGER_LIST_SIZE];
    size_t len = 0;
    if (!t->run)
        return;
    for (; *argv; argv++)
        len = ledger_item(list, sizeof list, len, *argv, strlen(*argv));
    ledger_begin(t->ledger, EV_COMMAND_START, 0, 0);
    ledger_bytes(t->ledger, F_COMMAND, list, len);
    if (pid)
        ledger_int(t->ledger, F_PID, pid);
    ledger_text(t->ledger, F_STEPS, steps);
    put_circumstances(t);
    ledger_commit(t->ledger);
}

void trial_command_exit(struct trial *t, int status, int signal, bool killed)
{
    if (!t->run)
        return;
    ledger_begin(t->ledger, EV_COMMAND_EXIT, 0, 0);
    ledger_int(t->ledger, signal ? F_SIGNAL : F_EXIT_STATUS, signal ? signal : status);
    if (killed)
        ledger_int(t->ledger, F_KILLED, true);
    ledger_int(t->ledger, F_LIVE, (int64_t)run_connection_count(t->run));
    put_circumstances(t);
    ledger_commit(t->ledger);
}

int trial_report(struct trial *t, const char *line, size_t len, struct refusal *why)
{
    json_t *report;
    if (!t->run)
        return TRIAL_ENDED;
    int error = json_read(line, len, "report", &report, why);
    if (error)
        return error;
    if (!json_is_object(report))
        error = refuse(why, "report", "{\"driver\":1}, then {\"n\":1,\"step\":\"get\",...}",
                       "is not an object");
    if (!error) {
        ledger_begin(t->ledger, EV_REPORT, 0, 0);
        put_json(t->ledger, F_REPORT, report);
        ledger_commit(t->ledger);
    }
    json_decref(report);
    return error;
}
