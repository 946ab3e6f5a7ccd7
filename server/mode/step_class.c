/* step_class.c - what a step does to the client, in the ledger: the class and the scope of its
 * fault event. By the step's row here, and for some by their arguments.
 */
#include "mode/language.h"

typedef enum ledger_class step_class(const struct mode_step *step, enum trigger_slot slot);

#define REFUSED_STREAM 7 /* RFC 9113 7 */

static enum ledger_class class_of_alert(const struct mode_step *step, enum trigger_slot slot)
{
    return step->arg[1].number == 0 ? CLASS_ENDS : CLASS_SAYS; /* alert_levels: fatal, warning */
}

/* A rate of 0, and "on": false, end what another step began. */
static enum ledger_class class_of_limit(const struct mode_step *step, enum trigger_slot slot)
{
    return step->arg[0].number ? CLASS_SHAPES : CLASS_REPAIRS;
}

static enum ledger_class class_of_window(const struct mode_step *step, enum trigger_slot slot)
{
    return step->arg[0].number == 0 || !step->arg[1].number ? CLASS_HOLDS : CLASS_SHAPES;
}

/* Statuses after which a client may ask again, as its request was not executed or the failure may
 * pass (RFC 9110 15.5.9, 15.5.20, 15.6; RFC 8470 5.2; RFC 6585 4). Any other is an answer. */
static enum ledger_class class_of_respond(const struct mode_step *step, enum trigger_slot slot)
{
    int64_t status = step->arg[0].number;
    return status >= 500 || status == 408 || status == 421 || status == 425 || status == 429
               ? CLASS_REFUSES
               : CLASS_SAYS;
}

/* At the end of a response it has nothing to end. */
static enum ledger_class class_of_rst_stream(const struct mode_step *step, enum trigger_slot slot)
{
    return slot == ON_RESPONSE_END                 ? CLASS_SAYS
           : step->arg[0].number == REFUSED_STREAM ? CLASS_REFUSES
                                                   : CLASS_ENDS;
}

static const struct {
    enum ledger_class class;
    enum ledger_scope scope;
    step_class *by_arguments; /* NULL: class says it */
} rows[STEP_COUNT] = {
    [STEP_FIN] = { CLASS_ENDS, SCOPE_CONNECTION, NULL },
    [STEP_RST] = { CLASS_ENDS, SCOPE_CONNECTION, NULL },
    [STEP_FORGET] = { CLASS_SILENCES, SCOPE_CONNECTION, NULL },
    [STEP_BLACK_HOLE] = { CLASS_SILENCES, SCOPE_CONNECTION, NULL },
    [STEP_HEAL] = { CLASS_REPAIRS, SCOPE_CONNECTION, NULL },
    [STEP_STALL] = { CLASS_SILENCES, SCOPE_CONNECTION, NULL },
    [STEP_RESUME] = { CLASS_REPAIRS, SCOPE_CONNECTION, NULL },
    [STEP_GOAWAY] = { CLASS_REFUSES, SCOPE_CONNECTION, NULL },
    [STEP_GOAWAY_NOTICE] = { CLASS_SAYS, SCOPE_CONNECTION, NULL },
    [STEP_PING] = { CLASS_SAYS, SCOPE_CONNECTION, NULL },
    [STEP_IGNORE_PINGS] = { CLASS_SHAPES, SCOPE_CONNECTION, class_of_limit },
    [STEP_IGNORE_SETTINGS] = { CLASS_SHAPES, SCOPE_CONNECTION, class_of_limit },
    [STEP_WINDOW] = { CLASS_HOLDS, SCOPE_CONNECTION, class_of_window },
    [STEP_MAX_STREAMS] = { CLASS_REFUSES, SCOPE_CONNECTION, NULL },
    [STEP_CLOSE_NOTIFY] = { CLASS_ENDS, SCOPE_CONNECTION, NULL },
    [STEP_ALERT] = { CLASS_ENDS, SCOPE_CONNECTION, class_of_alert },
    [STEP_THROTTLE] = { CLASS_SHAPES, SCOPE_CONNECTION, class_of_limit },
    [STEP_DRIP] = { CLASS_SHAPES, SCOPE_CONNECTION, class_of_limit },
    [STEP_CUT] = { CLASS_CUTS, SCOPE_CONNECTION, NULL },
    [STEP_INJECT] = { CLASS_CUTS, SCOPE_CONNECTION, NULL },
    [STEP_DELAY] = { CLASS_HOLDS, SCOPE_STREAM, NULL },
    [STEP_HOLD] = { CLASS_HOLDS, SCOPE_STREAM, NULL },
    [STEP_RESPOND] = { CLASS_REFUSES, SCOPE_STREAM, class_of_respond },
    [STEP_HEADER] = { CLASS_SAYS, SCOPE_STREAM, NULL },
    [STEP_RST_STREAM] = { CLASS_ENDS, SCOPE_STREAM, class_of_rst_stream },
    [STEP_REFUSE] = { CLASS_REFUSES, SCOPE_STREAM, NULL },
    [STEP_NO_CONTINUE] = { CLASS_HOLDS, SCOPE_STREAM, NULL },
    [STEP_INTERIM] = { CLASS_SAYS, SCOPE_STREAM, NULL },
    [STEP_REFUSE_SYN] = { CLASS_REFUSES, SCOPE_LISTENER, NULL },
    [STEP_DROP_SYN] = { CLASS_SILENCES, SCOPE_LISTENER, NULL },
    [STEP_LISTEN] = { CLASS_REPAIRS, SCOPE_LISTENER, NULL },
};

enum ledger_class mode_step_class(const struct mode_step *step, enum trigger_slot slot)
{
    enum ledger_step of = step_of(step->row);
    return rows[of].by_arguments ? rows[of].by_arguments(step, slot) : rows[of].class;
}

enum ledger_scope mode_step_scope(const struct mode_step *step)
{
    return rows[step_of(step->row)].scope;
}

void mode_step_ledger_class(const struct mode_step *step, enum trigger_slot slot, struct ledger *l)
{
    ledger_word(l, F_CLASS, mode_step_class(step, slot));
    ledger_word(l, F_SCOPE, mode_step_scope(step));
}
