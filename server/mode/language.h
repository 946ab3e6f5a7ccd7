/* language.h - the rows of the mode language, and what the parts of its compiler share. Private to
 * modes/.
 *
 * A row says everything about one trigger, step, argument or type: what it is called, what it is
 * for, what it takes, where it fits, what it needs. Checking, execution, listing and docs read the
 * rows; to add to the language is to add a row.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/suggest.h"
#include "mode/mode.h"

struct compiler;
struct mode_conn;
struct mode_exchange;

#define MODE_RULES_MAX    64
#define MODE_STEPS_MAX    64
#define MODE_PARAMS_MAX   32
#define MODE_EXTENDS_MAX  8
#define MODE_DOCUMENT_MAX ((size_t)64 * 1024)  /* bytes of a document as compact JSON */
#define MODE_TEXT_MAX     4096                 /* bytes of one text argument or parameter */
#define MODE_EXPANDED_MAX ((size_t)256 * 1024) /* bytes that parameters may put into the rules */

/* --- Where in a document: "$.rules[1].do[0].goaway.error" */

struct path {
    const struct path *up; /* NULL: this is the root, key its name ("$") */
    const char *key;       /* NULL: an array's element */
    size_t index;
};

#define PATH_SIZE 160
void mode_path_text(const struct path *path, char out[PATH_SIZE]);

#define PATH_KEY(parent, name)                                                                     \
    (struct path)                                                                                  \
    {                                                                                              \
        .up = (parent), .key = (name)                                                              \
    }
#define PATH_INDEX(parent, i)                                                                      \
    (struct path)                                                                                  \
    {                                                                                              \
        .up = (parent), .index = (i)                                                               \
    }

/* --- The compiler's state, and the program's memory */

struct compiler {
    struct program *program;
    struct refusal *why;
    double scale;
    const json_t *document; /* as it is compiled; NULL: there is none */
    const json_t *given;    /* the values given for its parameters; NULL: none */
    unsigned over;          /* of the rule being read */
    json_t *values;         /* the parameters in force; NULL: there are none */
    size_t expanded;        /* bytes put in for parameters so far */
    bool any_machine;       /* capabilities are left aside */
    bool is_missing;        /* a step's capability is missing: said when all else is right */
    struct refusal missing;
};

/* A program and all memory its parts live in, freed together. */
struct program {
    struct mode_program head; /* first: mode_unref frees by it */
    struct block *blocks;
};

struct program *program_create(void);
/* Zeroed; NULL without memory. Lives as long as the program. */
void *program_alloc(struct program *program, size_t size);
char *program_text(struct program *program, const char *text, size_t len);

/* Returns BAD_INPUT. A mistake in a rule where a parameter's value was put in is the value's: its
 * place is "$.params.NAME" when it was given, "$.params.NAME.default" when it is a text or choice.
 */
int mode_refuse_at(struct compiler *c, const struct path *at, const char *allowed, const char *what,
                   ...) __attribute__((format(printf, 4, 5)));

/* A JSON value as it can be quoted in a refusal: one line, and when it is long, cut with "..." for
 * the rest; a string that is cut is closed behind that. */
#define SHOWN_SIZE 64
const char *mode_json_shown(const json_t *json, char out[SHOWN_SIZE]);

/* Appends "a, b, c" item by item; what does not fit is left out. With a word in meant, the names
 * most like it are kept for refuse_meant, and must live so long. */
struct name_list {
    char text[480];
    size_t len;
    struct suggestions meant;
};
void mode_names_add(struct name_list *list, const char *name);

/* --- Extending (extends.c) */

/* A document by its name; NULL: there is none. */
typedef const json_t *mode_find(const void *arg, const char *name);

/* Makes a document whole: *out is a new reference, which has no "extends". *inherited: how many of
 * its rules are not its own. Returns 0, BAD_INPUT or -ENOMEM. */
int extends_resolve(const json_t *document, mode_find *find, const void *arg, json_t **out,
                    size_t *inherited, struct refusal *why);
/* Whether is_it is true for the document or one that it extends. */
bool extends_touches(const json_t *document, mode_find *find, const void *arg,
                     bool (*is_it)(const void *arg, const json_t *document));
/* Turns the place of a mistake in the whole document into one in the document as written. */
void extends_refused(const json_t *document, size_t inherited, struct refusal *why);

/* --- Types of arguments and parameters (values.c) */

enum value_type {
    VALUE_BOOL,
    VALUE_INT,
    VALUE_DURATION,
    VALUE_CHOICE,
    VALUE_TEXT,
    VALUE_ERROR_CODE,
    VALUE_LAST_STREAM,
    VALUE_HEADERS,
    VALUE_HEADER_NAME,
    VALUE_HEADER_VALUE,
    VALUE_BODY,
    VALUE_HEX,
    VALUE_TYPES
};

/* An argument of a step, or a declared parameter. */
struct arg_row {
    const char *name; /* NULL ends a table */
    const char *about;
    enum value_type type;
    const char *fallback; /* as JSON text; NULL: it may be left out, and then is zero */
    bool required;
    int64_t min, max;           /* of an int; of hex digits: how many bytes */
    const char *const *choices; /* of a choice; ends with NULL */
    unsigned needs;             /* capabilities (1u << CAP_...) that a bool takes when true */
};

struct value_row {
    const char *name;
    const char *about; /* what is allowed */
    bool param;        /* parameters can be of this type */
    int (*read)(struct compiler *c, const struct path *at, const struct arg_row *arg,
                const json_t *json, union mode_value *out);
};
extern const struct value_row value_rows[VALUE_TYPES];

/* Reads a value of arg's type. Returns 0, BAD_INPUT or -ENOMEM. */
int value_read(struct compiler *c, const struct path *at, const struct arg_row *arg,
               const json_t *json, union mode_value *out);

/* The row's fallback, which is compact. NULL without memory. */
json_t *value_fallback(const struct arg_row *arg);
/* Turns the text of a value, as in a URL, into the type's JSON; a text that is none stays a string,
 * for value_read to refuse. NULL without memory. */
json_t *value_from_text(enum value_type type, const char *text);

/* --- Parameters (params.c) */

/* Reads the declarations, and the values given for them (may be NULL), into c->values. */
int params_read(struct compiler *c, const json_t *declared, const json_t *given, bool lenient);

/* Returns a copy of json with "$name" replaced by the parameters' values in *out (new reference).
 */
int params_expand(struct compiler *c, const struct path *at, const json_t *json, json_t **out);

/* --- How a profile is known to differ from its server (differs.c) */

int differs_check(struct compiler *c, const json_t *differs);

/* --- What is done when a connection ends (closing.c) */

/* The members of "closing"; each has a fallback. */
extern const struct arg_row closing_rows[];

/* Reads "closing" (NULL: none is given) into the program. */
int closing_read(struct compiler *c, const json_t *closing);

/* --- Triggers (rows: triggers.c; reading: trigger_read.c) */

/* The members of a rule beside "on" and "do"; a trigger takes some of them. */
enum rule_member {
    RULE_AT,
    RULE_WHAT,
    RULE_COUNT,
    RULE_WITHIN,
    RULE_SPACING,
    RULE_AFTER,
    RULE_NAME,
    RULE_UNLESS,
    RULE_OVER,
    RULE_NTH,
    RULE_IDLE,
    RULE_AGE,
    RULE_CONNECTION,
    RULE_TIMES,
    RULE_TLS,
    RULE_LISTENER,
    RULE_FAMILY,
    RULE_SNI,
    RULE_RESUMED,
    RULE_USED,
    RULE_METHOD,
    RULE_PATH,
    RULE_AUTHORITY,
    RULE_HEADER,
    RULE_CONTENT,
    RULE_PROBABILITY,
    RULE_MEMBERS
};
#define TAKES(member) (1u << (member))

struct rule_member_row {
    const char *name, *about, *allowed;
};
extern const struct rule_member_row rule_member_rows[RULE_MEMBERS];

struct at_row {
    const char *name; /* NULL ends a table */
    enum trigger_slot slot;
    const char *about;
    bool counted; /* {"bytes": 700}, or "bytes:700" as text: so many, at least min */
    int64_t min;  /* of one that is not counted: the rule's place */
};
#define PLACE_MAX (INT64_C(1) << 40)

struct trigger_row {
    const char *about;       /* NULL ends the table */
    const struct at_row *at; /* its places; NULL: only slot */
    enum rule_member place;  /* which of them is named by this: RULE_AT, RULE_WHAT */
    const char *default_at;
    enum trigger_slot slot;
    unsigned takes, requires; /* TAKES(RULE_...) */
    uint32_t nth_first;       /* the first request it can be about */
    uint32_t times;           /* without "times"; UINT32_MAX: no limit */
};
extern const struct trigger_row trigger_rows[]; /* by enum ledger_trigger */
const char *trigger_name(const struct trigger_row *row);

/* Reads everything of a rule but its steps. json has been expanded. */
int trigger_read(struct compiler *c, const struct path *at, const json_t *json,
                 struct mode_rule *rule);

/* --- What narrows a rule further (narrow.c) */

/* What a narrowing is about: the connection for all its life, or as it is now; one request; chance.
 */
enum narrow_kind { NARROW_CONNECTION, NARROW_STATE, NARROW_REQUEST, NARROW_CHANCE };

struct narrow_row {
    enum rule_member member;
    enum narrow_kind kind;
    unsigned slots;    /* the places at which it is known */
    const char *known; /* the same in words */
    unsigned tls : 1;  /* no cleartext connection has it */
    int (*read)(struct compiler *c, const struct path *at, const json_t *json,
                struct mode_narrowing *out);
    /* request: NULL for those that are not about its header section. */
    bool (*matches)(const struct mode_narrowing *n, const struct mode_conn *mc,
                    const struct request *request);
};

/* Reads all that a rule has of them; its trigger and place are read. */
int narrow_read(struct compiler *c, const struct path *at, const json_t *json,
                struct mode_rule *rule);
/* Whether those about the connection fit it as it is now, as far as that is known. */
bool narrow_is_about(const struct mode_conn *mc, const struct mode_rule *rule);
/* Whether the others do. mx: NULL where there is no exchange; then chance is left to narrow_drawn.
 */
bool narrow_fits(const struct mode_conn *mc, const struct mode_rule *rule,
                 const struct mode_exchange *mx);
/* For a rule that fires on no exchange: whether chance is for it, this time. */
bool narrow_drawn(struct mode_conn *mc, const struct mode_rule *rule);
/* The kinds of connection that it leaves of these. */
unsigned narrow_kinds(const struct mode_rule *rule, unsigned kinds);

/* --- Steps (rows: steps.c; doing: step_wire.c, step_engine.c, step_exchange.c; reading:
 * sequence.c) */

/* Where a step can stand: bits of slots, and the admin API's "do". */
#define IN(slot)   (1u << (slot))
#define IN_REQUEST (IN(ON_FIRST_BYTE) | IN(ON_HEADERS) | IN(ON_REQUEST_CONTENT) | IN(ON_COMPLETE))
#define IN_MIDDLE  (IN(ON_RESPONSE_BYTES) | IN(ON_RESPONSE_CONTENT))
#define IN_ANY     (((1u << (TRIGGER_SLOTS + 1)) - 1) & ~IN(ON_LISTEN)) /* on a connection */
#define SLOT_OF_DO TRIGGER_SLOTS

/* What a step does to the connection as a whole. */
enum step_effect {
    EFFECT_NONE,
    EFFECT_CHANGES,  /* in service, but never again as it was */
    EFFECT_SILENCES, /* out of service until a resuming step */
    EFFECT_RESUMES,
    EFFECT_ENDS,    /* for ever, though the socket is still there */
    EFFECT_DESTROYS /* for ever, and nothing is left */
};

/* Completes the arguments once they are read: 0, BAD_INPUT or -ENOMEM. */
typedef int step_build(struct compiler *c, const struct path *at, struct mode_step *step);
/* Whether it does anything now, and so is a fault: 0, or why not: WIRE_TOO_LATE, ENGINE_TOO_LATE,
 * STEP_... or -errno.
 */
typedef int step_ready(const struct mode_conn *mc, const struct mode_exchange *mx,
                       const struct mode_step *step);
/* Does it, when it is ready: 0, or why it was not done after all, as above. program is the one that
 * step is from. */
typedef int step_exec(struct mode_conn *mc, struct mode_exchange *mx, struct mode_program *program,
                      const struct mode_step *step);
#define STEP_SKIPPED    2  /* it means nothing on this connection (close_notify without TLS) */
#define STEP_ANSWERED   3  /* too late: the exchange's response has begun */
#define STEP_OVER       4  /* too late: the exchange is over */
#define STEP_SO_ALREADY 6  /* what it sets is so already */
#define STEP_NOT_ASKED  9  /* the request expects no 100 (Continue) */
#define STEP_NO_INTERIM 10 /* HTTP/1.0 has no interim responses */
#define STEP_HELD_BACK  11 /* nothing is answered any more */
#define STEP_BEHIND_CUT 7  /* too late: an earlier cut ends the connection before it */

struct step_row {
    const char *about;          /* NULL ends the table */
    const struct arg_row *args; /* ends with a NULL name */
    bool shorthand;             /* the first argument can be given alone: {"wait": "2s"} */
    unsigned slots;             /* where it can stand */
    unsigned over;              /* OVER_* that it can work on */
    unsigned needs;             /* capabilities: 1u << CAP_... */
    bool fault;                 /* it is ledgered before it happens */
    bool later;                 /* the wire, or the answer, says when it is in effect */
    bool tells;                 /* it tells the client of itself, by what it queues last */
    bool in_exchange;   /* it acts on the exchange, and is too late when there is none any more */
    bool beside;        /* so, but not on its response: it may come behind a wait */
    bool ends_exchange; /* nothing of it can come any more */
    bool gates;         /* keeps the exchange unanswered, or its response where it is */
    bool pauses;        /* takes the time of its first argument */
    bool after_end;     /* makes sense on a connection that a step has ended */
    bool while_silent;  /* makes sense on one that a step has silenced */
    bool from_loop;     /* not from inside an engine's callback: it may start many exchanges */
    bool tls;           /* it is skipped on a cleartext connection */
    bool behind;        /* what the engine has answered goes out before it */
    enum step_listener listener;
    enum step_effect effect;
    enum ledger_step resumed_by; /* the step that ends the silence, for EFFECT_SILENCES */
    step_build *build;           /* NULL: nothing to complete */
    enum wire_verb verb;         /* for step_ready_verb, step_ready_tls_verb */
    step_ready *ready;           /* NULL: always */
    step_exec *exec;             /* NULL: the runtime or the run does it, by the flags */
};
extern const struct step_row step_rows[]; /* by enum ledger_step */
const char *step_name(const struct step_row *row);
enum ledger_step step_of(const struct step_row *row);

/* What the rows name. */
step_exec step_do_fin, step_do_rst, step_do_forget, step_do_black_hole, step_do_heal, step_do_stall,
    step_do_resume, step_do_close_notify;
step_exec step_do_alert, step_do_throttle, step_do_drip, step_do_cut, step_do_inject;
step_exec step_do_goaway, step_do_goaway_notice, step_do_ping, step_do_ignore_pings,
    step_do_ignore_settings, step_do_window;
step_exec step_do_max_streams, step_do_rst_stream, step_do_refuse;
step_exec step_do_respond, step_do_header, step_do_no_continue, step_do_interim;
step_ready step_ready_verb, step_ready_tls_verb, step_ready_rst, step_ready_pace, step_ready_cut,
    step_ready_response, step_ready_gate, step_ready_no_continue, step_ready_interim;
step_ready step_ready_engine, step_ready_ignore_pings, step_ready_ignore_settings,
    step_ready_window;
step_build step_build_drip, step_build_inject, step_build_goaway, step_build_respond,
    step_build_header, step_build_interim;
extern const char *const step_framing_names[]; /* choices */
extern const char *const step_alert_levels[], *const step_alert_names[],
                                                  *const step_cut_names[]; /* choices */

/* Calls place for each place where a step can stand ("idle", "request at headers"). */
void step_places(const struct step_row *row, void (*place)(void *arg, const char *name), void *arg);

/* Reads a list of steps for a slot (or SLOT_OF_DO) into rule. json has been expanded. */
int steps_read(struct compiler *c, const struct path *at, const json_t *json, unsigned slot,
               struct mode_rule *rule);
