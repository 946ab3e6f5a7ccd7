/* runtime.h - compiled rules at work on one connection.
 *
 * A rule that fires becomes a script: its steps run in order, at once until a step takes time
 * (wait, delay), then on from its time. Scripts of one connection run side by side, ordered by
 * their times; all end with the connection. A script keeps the program it came from alive, so a
 * change of mode does not touch what has begun.
 *
 * Each step that is a fault is ledgered (EV_FAULT) before it happens; one that comes too late or is
 * skipped is no fault, and ledgered as such (EV_FAULT_MISSED).
 *
 * Steps act on the connection (wire and engine verbs) or on the exchange that fired the rule: an
 * exchange can be gated (delay, hold), so that its host does not answer it yet, and can be given
 * another response (respond).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/timer.h"
#include "mode/mode.h"
#include "wire/wire.h"

struct ledger;
struct mode_conn;
struct mode_exchange;
struct doing;

/* A fault that a connection is under. */
struct mode_fault {
    uint64_t seq; /* of its event; 0: there is none */
    int64_t at;
};

/* Rules of a slot that fall due, counted from a time: those of idle, age and late. */
struct mode_due {
    struct timer timer;
    int64_t since; /* TIME_NONE: nothing is counted */
    uint32_t done; /* rules, in order of `after`, that are through since then */
    uint8_t slot;  /* enum trigger_slot */
    bool looked;   /* late: it was reached while bytes waited to be read */
};

struct mode_host {
    /* The last gate of this exchange opened: answer it if its request is complete or it was given
     * a response, or continue with the response if it stands at a place. */
    void (*released)(void *host, struct mode_exchange *mx);
    /* Something is about to happen to the connection: if the host has another program for it by
     * now, it gives it (mode_conn_set), and returns true. NULL: it gives them at once. */
    bool (*catch_up)(void *host);
    /* A step has told the client of a fault, by what is queued last (step_row.tells); fault: the
     * seq of its event, nth: the exchange that it is about. done: it is in effect once that has
     * left: if that waits, the host says so later, by mode_ledger_in_effect or mode_ledger_undone,
     * and returns true. NULL: nobody wants to know. */
    bool (*told)(void *host, uint64_t fault, enum ledger_step step, uint32_t nth, bool done);
    /* A rule of late is due for this exchange: the host calls mode_exchange_due(mx, now), and keeps
     * mx's memory until that returns. NULL: it is called at once. */
    void (*due)(void *host, struct mode_exchange *mx, int64_t now);
    /* A PING was sent; before: wire_end_offset() just before. NULL: nobody wants to know. */
    void (*pinged)(void *host, const uint8_t opaque[8], uint64_t before);
};

/* Embedded in the host's connection. The host sets wire, and engine when it has one. */
struct mode_conn {
    const struct mode_host *calls;
    void *host;
    struct ledger *ledger;
    uint64_t id;
    struct wire *wire;     /* NULL once it is closed */
    struct engine *engine; /* NULL before the protocol is known */
    uint32_t number;       /* in the plan; 0: older than it. Set by the host, as are */
    uint64_t seed;         /* of chance, */
    const char *listener;  /* its name, */
    bool v6;               /* and whether the client came over IPv6 */
    uint8_t over;          /* one of OVER_* once the protocol is known, 0 before: rules narrowed
                              by over do not fire then */
    uint8_t presumed;      /* as what it is taken before that by rules that wait for a time or a
                              mark; 0: nothing. Set by the host */
    bool used;             /* a request has begun on it; likewise */
    bool changed;          /* a step has changed it so that it will not be as it was */
    bool held;             /* goaway with then_hold: the host answers nothing any more */
    struct mode_program *program;
    struct said *said_so; /* by rule: what the client has said so far, see said.c; NULL: nothing */
    uint64_t answers;     /* frames of HEADERS and DATA that were sent when it said the last */
    uint32_t *fired;      /* how often each rule fired, by its number; NULL: none yet */
    int64_t accepted_at;
    int64_t mode_since;     /* when program came; what was due by then is due from then on */
    struct mode_fault said; /* the first that told the client of the connection's end */
    struct mode_fault last; /* the last that was more than said, a shape or a repair */
    int64_t goaway_at;      /* when a goaway step last took effect; TIME_NONE: never */
    uint64_t goaway_fault;  /* the seq of its fault event */
    uint64_t acting;     /* the seq of the fault event of the step that is being done; 0: none is */
    struct doing *doing; /* that step; of those that say at once whether they took effect */
    struct mode_due idle; /* in each idle spell; no since: busy */
    struct mode_due age, late;
    uint32_t draws; /* of chance, of rules that are about no exchange */
    struct link scripts;
    unsigned script_count;
    uint32_t initial_window; /* SETTINGS_INITIAL_WINDOW_SIZE in force */
};

/* A header that a step sets in the response, whichever that will be; replaces others of its
 * name. */
struct mode_header {
    struct mode_header *next;
    const struct header *header;
    struct mode_program *program; /* keeps header alive */
    bool stay;                    /* it is Connection: close, and the connection stays */
    uint64_t fault;               /* the seq of its fault event */
};

/* Embedded in the host's exchange. Zeroed before use, but for the two pointers. */
struct mode_exchange {
    struct mode_conn *conn;
    struct exchange *ex;
    int64_t idle_before;            /* how long the connection was idle before it, ns */
    unsigned gates;                 /* delay and hold in force: do not answer while > 0 */
    bool lost : 1;                  /* mode_exchange_unsaid was called: none will come */
    bool answering : 1;             /* the host has begun to answer it; the host sets this, and */
    bool standing : 1;              /* that the response has stopped at a place */
    bool ended : 1;                 /* a step reset its stream: the engine will tell of its loss */
    bool over : 1;                  /* mode_exchange_over was called */
    uint64_t gate_fault;            /* the seq of the fault event of the last of these */
    const struct response *instead; /* the response that respond gave, or NULL; lives as long as
                                       this exchange's program reference */
    uint64_t instead_fault;         /* the seq of its fault event */
    struct mode_program *program;   /* keeps instead alive */
    struct mode_header *set;        /* by header steps, newest first: the host puts them in */
    uint64_t ended_fault; /* the seq of the fault event of the step that reset its stream */
    uint64_t picked;      /* rules, by their numbers, whose narrowing its header section fits */
    uint64_t content;     /* octets of its content, once it is complete; the host sets it */
    struct mode_due late; /* what it waits for, and since when; the host says it first */
};

/* Starts with program (a reference is taken): sets everything but wire, engine, over, presumed and
 * number, which are the host's. The connection counts as accepted now. Arms age rules. */
void mode_conn_init(struct mode_conn *mc, const struct mode_host *calls, void *host,
                    struct ledger *ledger, uint64_t id, struct mode_program *program);

/* The wire is about to write connection_end: ledgers that the step which is being done, if one is,
 * was not done. */
void mode_conn_ends(struct mode_conn *mc);

/* Ends all scripts and timers. */
void mode_conn_finish(struct mode_conn *mc);

/* Another program from now on: running scripts continue, rules that wait after a mark do not fire,
 * idle and age rules count from when the connection became idle or was accepted - those already due
 * fire at once, from the loop. */
void mode_conn_set(struct mode_conn *mc, struct mode_program *program);

/* Fires the rules of a slot that fit. mx is the exchange in the request and response slots, else
 * NULL; its memory stays until this returns, also when it is over by then. When it returns, look at
 * mx->gates, mx->instead and wire_state(): the connection may have been silenced. */
void mode_fire(struct mode_conn *mc, enum trigger_slot slot, struct mode_exchange *mx);

/* The first place after `passed` (-1: any) at which a rule of the slot (ON_RESPONSE_BYTES,
 * ON_RESPONSE_CONTENT, ON_REQUEST_CONTENT) may fire for this exchange; -1: there is none. */
int64_t mode_next_place(const struct mode_conn *mc, const struct mode_exchange *mx,
                        enum trigger_slot slot, int64_t passed);
/* As mode_fire, for the rules of such a slot at this place. A response stands there: it continues
 * (engine_continue) when this has returned and mx->gates is 0, or else from released(). */
void mode_fire_at(struct mode_conn *mc, enum trigger_slot slot, struct mode_exchange *mx,
                  uint64_t place);

/* The client has said this (enum mode_said, or engine_frame; answers as in engine_frame_info),
 * which is in the ledger: fires the rules that wait for it. */
void mode_peer(struct mode_conn *mc, unsigned what, uint64_t answers);

/* A mark was set: rules that wait and have it as their `unless` are called off, then those of this
 * name fire, at once or when their `after` is over (unless another mode is set before). From the
 * loop. Returns how many rules it called off, fired or let wait. */
unsigned mode_mark(struct mode_conn *mc, const char *name);

/* Runs a program's only rule now, whatever its trigger (the admin API's "do"). Returns 0 or
 * -ENOMEM. */
int mode_run(struct mode_conn *mc, struct mode_program *program);

/* The connection became idle at this time, or is busy again. */
void mode_idle(struct mode_conn *mc, int64_t since);
void mode_busy(struct mode_conn *mc);
/* From this time on (TIME_NONE: no more) this is waited for on the connection: ON_LATE_HANDSHAKE,
 * ON_LATE_NOTHING, or ON_LATE_HEAD while the protocol is not known. Out of service nothing is late:
 * the host says it anew when that is over. */
void mode_late(struct mode_conn *mc, enum trigger_slot slot, int64_t since);
/* The same for an exchange: ON_LATE_HEAD, or ON_LATE_BODY. */
void mode_exchange_late_begin(struct mode_exchange *mx, enum trigger_slot slot, int64_t since);
static inline void mode_exchange_late(struct mode_exchange *mx, enum trigger_slot slot,
                                      int64_t since)
{
    if (timer_armed(&mx->late.timer) || mode_has(mx->conn->program, slot)) {
        mode_exchange_late_begin(mx, slot, since);
        return;
    }
    mx->late.slot = (uint8_t)slot; /* so much is there when the mode changes */
    mx->late.since = since;
    mx->late.done = 0;
}
/* Its header section is whole: mx->ex->request is set, and what rules ask of it is known from now
 * on. */
void mode_exchange_pick(struct mode_exchange *mx);
static inline void mode_exchange_headers(struct mode_exchange *mx)
{
    if (mx->conn->program->of_request)
        mode_exchange_pick(mx);
}
/* The connection has another program. known: its header section is, still. */
void mode_exchange_anew(struct mode_exchange *mx, bool known);
/* Fires what is due at now, see mode_host.due. */
void mode_exchange_due(struct mode_exchange *mx, int64_t now);
/* The connection is under this fault from now on. */
void mode_conn_strikes(struct mode_conn *mc, uint64_t fault);
/* The rule that is the next to be a fault of the connection: the first that falls due of those on
 * idle, age or a mark that was set, *due_in being in how long; or else one that waits for a request
 * or its response, which would be number nth, with *due_in -1, or how long it is until it does.
 * NULL: there is none. */
const struct mode_rule *mode_armed(const struct mode_conn *mc, uint32_t nth, int64_t *due_in);
/* Whether what narrows a rule to some connections (tls, listener, sni ...) leaves it on this one.
 */
bool mode_rule_is_for(const struct mode_conn *mc, const struct mode_rule *rule);
/* Whether anything of its rules may still change what is served on a silent connection: something
 * runs or waits on it (what has come may yet be executed, say), or a rule of its mode, also one
 * that has fired, would bring it back (heal, resume). */
bool mode_may_go_on(const struct mode_conn *mc);
/* Ledgers the rules of idle (and of age and late, if it ends) that are due and have not run
 * (EV_FAULT_MISSED): the server's loop comes to them too late, as something of the client's came
 * first. why: what that is, a clause. ends: it ends the connection. Before mode_busy. */
void mode_gives_way(struct mode_conn *mc, const char *why, bool ends);

/* Ends what rules have begun on this connection, or wait to begin: no step of theirs comes any
 * more. The host opens the gates of its exchanges. */
void mode_conn_stop_scripts(struct mode_conn *mc);

/* After mode_conn_stop_scripts: opens the gates that rules have closed, and forgets the response
 * and the headers that they gave. */
void mode_exchange_open_gates(struct mode_exchange *mx);

/* Says that a step is in effect whose fault event has this seq, or is not and will not be. nth: of
 * the exchange that it is about; offset: where what says it ends in the TCP stream, or
 * WIRE_NO_OFFSET. */
void mode_ledger_in_effect(const struct mode_conn *mc, uint32_t nth, enum ledger_step step,
                           uint64_t fault, uint64_t offset);
void mode_ledger_undone(const struct mode_conn *mc, uint32_t nth, enum ledger_step step,
                        uint64_t fault, const char *why);

/* The response and the headers that steps have announced, if there are any and the response has not
 * begun, will not be sent: ledgers so (fault_done). why: one clause. */
void mode_exchange_unsaid(struct mode_exchange *mx, const char *why);

/* The response begins: ledgers that what steps have given for it is in effect. */
void mode_exchange_answers(const struct mode_exchange *mx);

/* The response that a respond step has announced is not sent, as another one goes before it. */
void mode_exchange_overtaken(struct mode_exchange *mx, const char *why);

/* An exchange is over: its scripts lose it (their exchange steps do nothing any more), its program
 * reference is given back. */
void mode_exchange_over(struct mode_exchange *mx);
