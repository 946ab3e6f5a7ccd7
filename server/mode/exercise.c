#include "mode/exercise.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/duration.h"
#include "engine/engine.h"
#include "mode/language.h"

#define HTTP_1_1_REQUIRED 13 /* RFC 9113 7 */

/* A step of a rule, with what comes of it. */
struct strike {
    const struct mode_rule *rule;
    const struct mode_step *step;
    enum ledger_step of;
    enum ledger_class class;
    bool resumed; /* a later step of the rule undoes it, and after a finite time */
};

/* Does the rule wait for a time or a mark, and not for something that the client does? */
static bool is_timed(const struct mode_rule *rule)
{
    return rule->slot == ON_IDLE || rule->slot == ON_AGE || rule->slot == ON_LATE_NOTHING ||
           rule->slot == ON_MARK;
}

/* Is there no request yet? */
static bool is_early(const struct mode_rule *rule)
{
    return rule->slot == ON_ACCEPT || rule->slot == ON_CLIENT_HELLO || rule->slot == ON_HANDSHAKE;
}

static bool is_in_response(const struct mode_rule *rule)
{
    return rule->slot == ON_RESPONSE_START || rule->slot == ON_RESPONSE_BYTES ||
           rule->slot == ON_RESPONSE_CONTENT;
}

/* A pace that is set. */
static bool is_slow(const struct strike *s)
{
    return (s->of == STEP_THROTTLE || s->of == STEP_DRIP) && s->class == CLASS_SHAPES;
}

static bool strikes(const struct strike *s)
{
    return s->class == CLASS_ENDS || s->class == CLASS_SILENCES || s->class == CLASS_REFUSES ||
           s->class == CLASS_HOLDS || s->class == CLASS_CUTS || is_slow(s);
}

/* A client's kernel refuses to write behind an RST: nothing of the request is seen. */
static bool bites(const struct strike *s)
{
    bool unseen = s->of == STEP_RST && (is_timed(s->rule) || s->rule->slot == ON_RESPONSE_END);
    return strikes(s) && !unseen && !is_slow(s) && !is_early(s->rule) && s->rule->slot != ON_LISTEN;
}

static bool waits(const struct strike *s)
{
    return s->class == CLASS_SILENCES || s->class == CLASS_HOLDS || is_slow(s) ||
           (s->of == STEP_GOAWAY && s->step->arg[3].number) ||
           s->of == STEP_CLOSE_NOTIFY || /* TCP is as it was: who does not read it waits */
           (s->of == STEP_CUT && s->step->arg[1].number == 2); /* step_cut_names: stall */
}

static bool tells(const struct strike *s)
{
    bool idle = is_timed(s->rule) || s->rule->slot == ON_RESPONSE_END;
    return idle && (s->of == STEP_FIN || s->of == STEP_CLOSE_NOTIFY || s->of == STEP_GOAWAY ||
                    s->of == STEP_GOAWAY_NOTICE);
}

static bool cuts(const struct strike *s)
{
    return s->class == CLASS_CUTS ||
           ((s->class == CLASS_ENDS || s->of == STEP_HOLD) &&
            (s->rule->slot == ON_RESPONSE_BYTES || s->rule->slot == ON_RESPONSE_CONTENT));
}

static bool hints(const struct strike *s)
{
    return s->of == STEP_HEADER && strcasecmp(s->step->arg[0].text, "keep-alive") == 0;
}

static unsigned can(const struct strike *s)
{
    bool unpinged = (s->of == STEP_IGNORE_PINGS && s->step->arg[0].number) || s->of == STEP_STALL;
    return (strikes(s) ? CAN(STRIKES) : 0) | (bites(s) ? CAN(BITES) : 0) |
           (waits(s) ? CAN(WAITS) : 0) | (tells(s) ? CAN(TOLD) : 0) | (cuts(s) ? CAN(CUTS) : 0) |
           (hints(s) ? CAN(HINT) : 0) | (unpinged ? CAN(PINGS) : 0) |
           (s->of == STEP_GOAWAY || s->of == STEP_GOAWAY_NOTICE ? CAN(GOAWAY) : 0) |
           (s->of == STEP_GOAWAY && s->step->arg[1].goaway->error == HTTP_1_1_REQUIRED
                ? CAN(FALLBACK)
                : 0) |
           (s->of == STEP_REFUSE_SYN || s->of == STEP_DROP_SYN ? CAN(OUTAGE) : 0);
}

/* Keeps it a connection's first request from being answered, for ever? A request that is slow, or
 * waits for a finite time, is answered. */
static bool denies(const struct strike *s)
{
    const struct mode_rule *rule = s->rule;
    bool first = is_early(rule) || ((((1u << rule->slot) & IN_REQUEST) || is_in_response(rule)) &&
                                    rule->nth_first <= 1 && !rule->age && !rule->idle_before);
    if (rule->slot == ON_LISTEN || rule->slot == ON_PROTOCOL || rule->unsure)
        return false;
    if (s->of == STEP_NO_CONTINUE) /* who expects a 100 does not wait for ever (RFC 9110 10.1.1) */
        return false;
    if (s->of == STEP_DELAY && s->step->arg[0].number != DURATION_NEVER)
        return false;
    return first && strikes(s) && !is_slow(s) && !s->resumed;
}

/* Is what the step i does undone by a later one, which is reached? */
static bool is_resumed(const struct mode_rule *rule, unsigned i)
{
    enum ledger_step by = rule->steps[i].row->resumed_by;
    bool silences = rule->steps[i].row->effect == EFFECT_SILENCES;
    for (unsigned k = i + 1; silences && k < rule->step_count; k++) {
        if (mode_step_pause(&rule->steps[k]) == DURATION_NEVER)
            return false;
        if (step_of(rule->steps[k].row) == by)
            return true;
    }
    return false;
}

/* When the rule's first fault is on its way, for one that waits for idleness or a mark; 0: it does
 * not wait, or for ever. */
static int64_t pause_before(const struct mode_rule *rule, unsigned step)
{
    int64_t after = is_timed(rule) ? rule->after : rule->idle_before;
    for (unsigned i = 0; i < step && after != DURATION_NEVER; i++) {
        int64_t pause = mode_step_pause(&rule->steps[i]);
        after = pause == DURATION_NEVER ? pause : after + (pause > 0 ? pause : 0);
    }
    return after == DURATION_NEVER || rule->slot == ON_AGE ? 0 : after;
}

/* Adds one rule; *denied: it keeps a first request from being answered. */
static void add_rule(struct exercise *e, const struct mode_rule *rule, bool *denied)
{
    bool begun = false;
    for (unsigned i = 0; i < rule->step_count; i++) {
        const struct mode_step *step = &rule->steps[i];
        struct strike s = { rule, step, step_of(step->row), mode_step_class(step, rule->slot),
                            is_resumed(rule, i) };
        unsigned made = step->row->pauses && !step->row->gates ? 0 : can(&s);
        e->can |= made;
        *denied = *denied || (made && denies(&s));
        if (!begun && (made & (CAN(STRIKES) | CAN(GOAWAY)))) {
            int64_t pause = pause_before(rule, i);
            e->pause = pause > e->pause ? pause : e->pause;
            begun = true;
        }
        if (mode_step_pause(step) == DURATION_NEVER)
            return; /* what follows never comes */
    }
}

static void add_kind(struct exercise *e, const struct mode_program *program, uint32_t number,
                     unsigned kind)
{
    bool denied = false;
    for (unsigned i = 0; i < program->rule_count; i++) {
        const struct mode_rule *rule = &program->rules[i];
        bool never = (is_timed(rule) || rule->slot == ON_LISTEN) && rule->after == DURATION_NEVER;
        if (!never && (mode_rule_kinds(rule) & kind) && mode_range_has(&rule->connections, number))
            add_rule(e, rule, &denied);
    }
    if (!denied && number > 1)
        e->can |= CAN(SERVED);
}

void exercise_add(struct exercise *e, const struct mode_program *program, uint32_t number,
                  unsigned kinds)
{
    e->can |=
        (kinds & KINDS_OVER(OVER_H1) ? CAN(H1) : 0) | (kinds & KINDS_OVER(OVER_H2) ? CAN(H2) : 0);
    for (unsigned kind = 1; kind && kind <= KINDS_ALL; kind <<= 1)
        if (kinds & kind)
            add_kind(e, program, number, kind);
}

/* --- What is needed */

static const struct {
    const char *name, *about;
} words[EXERCISE_COUNT] = {
#define X(symbol, name, about) { name, about },
    EXERCISES(X)
#undef X
};

static unsigned word_named(const char *text, size_t len)
{
    for (unsigned i = 0; i < EXERCISE_COUNT; i++)
        if (strlen(words[i].name) == len && memcmp(words[i].name, text, len) == 0)
            return 1u << i;
    return 0;
}

/* Whether one of the words between "|" holds; *first becomes the first of them. */
static bool holds(const struct exercise *e, const char *text, size_t len, unsigned *first)
{
    *first = 0;
    while (len) {
        size_t n = 0;
        while (n < len && text[n] != '|')
            n++;
        unsigned word = word_named(text, n);
        *first = *first ? *first : word;
        if (!word || (e->can & word)) /* a word that is not known refuses nothing */
            return true;
        text += n + (n < len);
        len -= n + (n < len);
    }
    return false;
}

int exercise_refuse(const struct exercise *e, const char *needs, const char *name,
                    const char *where, struct refusal *why)
{
    for (const char *at = needs ? needs : ""; *(at += strspn(at, " "));) {
        size_t len = strcspn(at, " ");
        unsigned first, i = 0;
        if (!holds(e, at, len, &first)) {
            while (first >> i > 1)
                i++;
            return refuse(why, where, "what the mode or plan exercises (`hangup prove --list`)",
                          "\"%.63s\" could never be judged here: it needs that %s, and no "
                          "connection of this plan has that",
                          name, words[i].about);
        }
        at += len;
    }
    return 0;
}
