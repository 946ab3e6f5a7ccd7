/* runtime_impl.h - what script.c (a rule at work), runtime.c (when rules fire) and due.c (those
 * that fall due) share. */
#pragma once

#include "mode/language.h"
#include "mode/runtime.h"

/* A client that makes rules fire faster than their scripts end must not fill the memory. */
#define SCRIPTS_MAX 1024

#define ON_TIME INT64_MIN /* lateness of what was not due at a time */

struct script {
    struct link link;
    struct timer timer;
    struct mode_conn *mc;
    struct mode_program *program;
    const struct mode_rule *rule;
    struct mode_exchange *mx; /* NULL: none, or it is over */
    uint32_t nth;             /* its number, also when it is over */
    unsigned next;            /* step */
    bool gating;              /* a delay's gate is closed until the time */
    bool waiting;             /* the rule has not fired yet: it does at the time, if it fits then */
};

/* Puts it on the connection's list. NULL without memory. */
struct script *script_create(struct mode_conn *mc, struct mode_program *program,
                             const struct mode_rule *rule, struct mode_exchange *mx);
void script_destroy(struct script *s);

/* Runs what can run now; frees the script at its end. Returns whether the connection was taken out
 * of service. */
bool script_run(struct script *s, bool from_loop, int64_t late);

/* Whether the host has given the connection another program just now: rules that waited are gone.
 */
static inline bool has_caught_up(struct mode_conn *mc)
{
    return mc->calls->catch_up && mc->calls->catch_up(mc->host);
}

/* Whether a rule is about this connection, and about this exchange (or NULL), now. */
bool mode_rule_fits(const struct mode_conn *mc, const struct mode_rule *rule,
                    const struct mode_exchange *mx);
/* Whether a rule with a limit has fired often enough. */
bool mode_rule_exhausted(const struct mode_conn *mc, const struct mode_rule *rule);
/* Fires a rule if it fits. Returns whether the connection was taken out of service. */
bool mode_rule_fire(struct mode_conn *mc, struct mode_program *program,
                    const struct mode_rule *rule, struct mode_exchange *mx, bool from_loop,
                    int64_t late);
/* Whether a rule that waited fires now, which is counted. */
bool mode_rule_fires(struct mode_conn *mc, const struct mode_rule *rule);

/* Ledgers that a rule that was due did not fire (EV_FAULT_MISSED). */
void mode_ledger_missed(const struct mode_conn *mc, const struct mode_rule *rule, int64_t late,
                        const char *why);

/* --- due.c: as mode_conn_init, mode_conn_finish, mode_conn_set, mode_exchange_over */
void due_begin(struct mode_conn *mc);
void due_end(struct mode_conn *mc);
void due_anew(struct mode_conn *mc);
void due_exchange_over(struct mode_exchange *mx);

enum wire_state mode_wire_state(const struct mode_conn *mc); /* also when the wire is gone */
void mode_log_no_memory(const struct mode_conn *mc);

/* --- said.c */
/* Counts what the client has just said, for a rule that has a count. Returns whether it fires. */
bool said_enough(struct mode_conn *mc, const struct mode_rule *rule);
/* Forgets all. Before the program changes. */
void said_forget(struct mode_conn *mc);
