/* mode.h - the mode language: a misbehaviour as data, and its compiled form.
 *
 * A mode file (docs/writing-modes.md) has a name, texts, parameters and rules; a rule is a trigger
 * and a list of steps. Compiling checks all of it, puts the parameters' values in, and sorts the
 * rules into a table by trigger, so that a connection pays nothing for triggers without a rule.
 *
 * What triggers, steps and arguments exist is said once, by the rows of triggers.c and steps.c;
 * checking, help, listing and docs derive from them. A document that extends another is resolved by
 * the catalogue first (catalogue.h): what is compiled stands alone.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/refusal.h"
#include "engine/engine.h"
#include "engine/protocol.h"
#include "ledger/ledger.h"
#include "wire/caps.h"
#include "wire/wire.h"

/* The places in a connection's life where rules can be. "request" and "reuse" share the four
 * request slots: reuse is request with nth "2-". */
enum trigger_slot {
    ON_LISTEN,           /* the next connection would get this mode, or a mark: about listeners */
    ON_ACCEPT,           /* the connection was accepted; nothing was read */
    ON_CLIENT_HELLO,     /* the TLS ClientHello was read; nothing was answered */
    ON_HANDSHAKE,        /* TLS is established (never on a cleartext connection) */
    ON_PROTOCOL,         /* the HTTP version is known; nothing of it was said */
    ON_FIRST_BYTE,       /* request at first_byte */
    ON_HEADERS,          /* request at headers */
    ON_REQUEST_CONTENT,  /* request at {"content": N}: so much of its content was read */
    ON_COMPLETE,         /* request at complete */
    ON_RESPONSE_START,   /* nothing of the response was sent */
    ON_RESPONSE_BYTES,   /* response at {"bytes": N}: so many of its octets are with the kernel */
    ON_RESPONSE_CONTENT, /* response at {"content": N}: so much of its content is */
    ON_RESPONSE_END,     /* its last byte was handed to the kernel */
    ON_IDLE,             /* idle for `after` */
    ON_AGE,              /* accepted `after` ago */
    ON_LATE_HANDSHAKE,   /* late: TLS is not established */
    ON_LATE_NOTHING,     /* late: no request has ever begun */
    ON_LATE_HEAD,        /* late: a header section is not whole */
    ON_LATE_BODY,        /* late: a request's content is not */
    ON_MARK,             /* a mark of this name was set `after` ago */
    ON_PEER,             /* the client says what the rule's place names (enum mode_said) */
    ON_STALE,            /* bytes came after we ended or silenced it; before the wire reacts */
    TRIGGER_SLOTS
};

/* What a client says, for rules on ON_PEER: a frame (enum engine_frame), or these. */
enum mode_said { SAID_CLOSE_NOTIFY = FRAME_KINDS, SAID_FIN };

/* The kinds of connection that there are, as bits: by protocol (OVER_*), and whether there is TLS.
 */
#define KIND(over, tls)  ((unsigned)(over) << ((tls) ? PROTOCOL_COUNT : 0))
#define KINDS_OVER(over) (KIND(over, false) | KIND(over, true))
#define KINDS_TLS        KIND(OVER_ALL, true)
#define KINDS_ALL        KINDS_OVER(OVER_ALL)

struct mode_bytes {
    const uint8_t *bytes;
    size_t len;
};

union mode_value {
    int64_t number; /* int, bool, duration (ns, already scaled), index into a choice */
    const char *text;
    const struct mode_bytes *bytes;
    const struct header *header;
    const struct response *response;
    const struct goaway *goaway;
};

#define STEP_ARGS 6

/* Which connections, by their number: first, first + every, ... up to last. */
struct mode_range {
    uint32_t first, last, every;
};
#define MODE_RANGE_ALL ((struct mode_range){ 0, UINT32_MAX, 1 })

/* Reads "2", "2-4", "3-", and of these every so many-th: "1-/2". False: it is none. Number 0 is in
 * none that can be read, only in MODE_RANGE_ALL. */
bool mode_range_parse(const char *text, struct mode_range *out);
bool mode_range_has(const struct mode_range *range, uint32_t number);

struct step_row;
struct mode_step {
    const struct step_row *row;
    union mode_value arg[STEP_ARGS]; /* in the order of row->args */
    const char *arguments; /* the same as compact JSON, for the ledger; NULL: it has none */
};

/* What a step in slot ON_LISTEN does to the run's listeners; the run does it. */
enum step_listener {
    LISTENER_STEP_NONE,
    LISTENER_STEP_REFUSE,
    LISTENER_STEP_DROP,
    LISTENER_STEP_ACCEPT
};
enum step_listener mode_step_listener(const struct mode_step *step);
enum ledger_step mode_step_word(const struct mode_step *step); /* for the ledger */
/* What the step does to the client, and to which part. */
enum ledger_class mode_step_class(const struct mode_step *step, enum trigger_slot slot);
enum ledger_scope mode_step_scope(const struct mode_step *step);
/* Adds both to a fault event. */
void mode_step_ledger_class(const struct mode_step *step, enum trigger_slot slot, struct ledger *l);
const char *mode_step_name(const struct mode_step *step);
/* How long the next step is to wait for, in ns (DURATION_NEVER: for ever); -1: it takes no time. */
int64_t mode_step_pause(const struct mode_step *step);

/* One thing that narrows a rule; narrow.c knows what it means. */
struct mode_narrowing {
    const struct narrow_row *row;
    const char *const *texts; /* any of them, with a NULL behind; NULL: none is asked for */
    const char *name;         /* of a header field */
    int64_t min, max;         /* of content */
    double probability;
    bool flag;
};

struct mode_rule {
    unsigned number; /* its place in the file, from 0; for the ledger */
    enum trigger_slot slot;
    enum ledger_trigger on;        /* the trigger */
    unsigned over;                 /* OVER_* */
    uint32_t nth_first, nth_last;  /* which requests of the connection; 1..UINT32_MAX */
    uint32_t times;                /* at most so often on one connection; UINT32_MAX: no limit */
    struct mode_range connections; /* only these */
    int64_t after;                 /* idle, age, late, mark, listen: ns */
    int64_t age;                   /* request, response: only when accepted so long ago, ns */
    int64_t idle_before;           /* reuse: only when idle so long before, ns */
    uint64_t place;                /* at bytes or content: how many; peer: what is said */
    uint32_t count;                /* peer: fires at each so many-th */
    int64_t within;                /* peer: if so many came within this time, ns; 0: whenever */
    int64_t spacing;               /* peer: counts what is closer than this to the one before, ns;
                                      0: all */
    const struct mode_narrowing *narrow; /* what else narrows it */
    unsigned narrow_count;
    bool of_request;    /* some of these are about a request's header section */
    bool unsure;        /* some are about a request, or chance */
    const char *mark;   /* mark, listen: the mark's name; NULL: listen without one */
    const char *unless; /* mark: the mark that calls it off while it waits; or NULL */
    const struct mode_step *steps;
    unsigned step_count;
};

/* A compiled mode. Immutable and counted: a connection keeps the one it started a rule of. */
struct mode_program {
    unsigned refs;
    const char *name;
    const char *params; /* the values in force, as JSON text */
    double scale;       /* that its durations were multiplied with */
    struct wire_closing closing;
    unsigned rule_count;
    const struct mode_rule *rules; /* as in the file */
    bool of_request;               /* one of them is */
    struct {
        const struct mode_rule *const *rules;
        unsigned count;
    } by_slot[TRIGGER_SLOTS];
};

/* The trigger's name as written. */
const char *mode_rule_on(const struct mode_rule *rule);

struct mode_program *mode_ref(struct mode_program *program);
void mode_unref(struct mode_program *program); /* NULL is fine */

static inline bool mode_has(const struct mode_program *program, enum trigger_slot slot)
{
    return program->by_slot[slot].count != 0;
}

/* Further outcomes of compiling, beside 0, BAD_INPUT and -errno. */
#define MODE_UNKNOWN 2 /* no mode of this name */
/* A step needs a capability that is missing: why->what names it, why->allowed the way to get it. */
#define MODE_UNAVAILABLE 3

/* The mode can do nothing on any of the connections it is for: why->what says why. */
#define MODE_NOT_HERE 5

/* The kinds of connection on which a rule, or any rule of a mode, can do something. Those of
 * "listen" act on all; a mode without rules counts as one for all. */
unsigned mode_rule_kinds(const struct mode_rule *rule);
unsigned mode_kinds(const struct mode_program *program);
/* What they are called: "HTTP/2", "HTTP/1.1 over TLS" ... */
const char *mode_kinds_name(unsigned kinds);
/* 0, or MODE_NOT_HERE when the mode can do nothing on the kinds that are offered. */
int mode_refuse_kinds(const struct mode_program *program, unsigned offered, const char *where,
                      struct refusal *why);
/* Whether a step is one that TLS alone has. */
bool mode_step_is_for_tls(const struct mode_step *step);

/* Compiles a mode document (an object as in the catalogue). params: an object of parameter values,
 * or NULL for the defaults; with lenient, values may be strings for every type, as in a URL.
 * Paths in *why start with "$" for the document and "$.params" for params. scale multiplies
 * every duration. */
int mode_compile(const json_t *document, const json_t *params, bool lenient, double scale,
                 struct mode_program **out, struct refusal *why);

/* Compiles a bare list of steps (the admin API's "do") as a program with one rule, number 0, in
 * slot ON_ACCEPT, of name "do". over: the protocol of the connection it is for; in_exchange steps
 * are refused. */
int mode_compile_steps(const json_t *steps, unsigned over, double scale, struct mode_program **out,
                       struct refusal *why);

/* What a mode's "group" can be, for the listing. */
#define MODE_GROUPS "normal, idle, reuse, response, h2, establishing, scene, profile"

/* Checks that a document could be compiled with its defaults, capabilities left aside. */
int mode_check(const json_t *document, struct refusal *why);

/* A name in the language (of modes, parameters, marks): lower case letters, digits, and inside of
 * it "-" and "_". */
#define MODE_NAME_ALLOWED "lower case letters, digits, \"-\" and \"_\", at most 63 characters"
bool mode_name_ok(const char *name);

/* Reads "NAME[;k=v]..." (percent-encoding undone): name into a buffer of MODE_NAME_SIZE, the
 * parameters as an object of strings (new reference). Returns 0, BAD_INPUT or -ENOMEM. */
#define MODE_NAME_SIZE 64
int mode_parse_text(const char *text, size_t len, char name[MODE_NAME_SIZE], json_t **params,
                    struct refusal *why);

/* The language as JSON, from the rows: triggers and steps with their arguments. New reference. */
json_t *mode_language(void);
