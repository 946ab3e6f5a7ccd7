/* fits.c - whether the rules of a mode can fire on a connection that gets it, as far as that can be
 * known: a mode that does nothing is said to, so that no test passes for that reason alone.
 */
#include <stdio.h>

#include "base/duration.h"
#include "run/session.h"

/* Why a rule cannot fire; of several reasons the first is told. */
enum why_not { CAN, NEVER, NUMBER, BEFORE, EARLIER, OLDER, OTHERS, KIND_OF };

static const char *const reasons[] = {
    [NEVER] = "its rules wait for a time that is \"never\"",
    [NUMBER] = "its rules are for connections of other numbers",
    [BEFORE] = "its rules fire before a request, and that is over on this connection",
    [EARLIER] = "its rules are for earlier requests of a connection",
    [OTHERS] = "its rules are for other listeners, addresses, names or sessions of TLS",
    [OLDER] = "its rules are for numbered connections, and this one is older than the mode",
};

static unsigned kind_of(const struct session *s)
{
    return KIND(s->mode.over, wire_is_tls(s->xs.wire));
}

/* The first request that is yet to come to this trigger. now: of the request whose header section
 * has just come; 0: of none. */
static uint32_t next_request(const struct session *s, enum trigger_slot slot, uint32_t now)
{
    if (now)
        return slot == ON_FIRST_BYTE || slot == ON_LATE_HEAD ? now + 1 : now;
    return s->xs.open ? s->xs.begun : s->xs.begun + 1;
}

static enum why_not why_not(const struct session *s, const struct mode_rule *rule, bool by_url,
                            uint32_t now)
{
    bool never = rule->after == DURATION_NEVER || rule->age == DURATION_NEVER ||
                 rule->idle_before == DURATION_NEVER;
    bool asks = (rule->slot >= ON_FIRST_BYTE && rule->slot <= ON_RESPONSE_END) ||
                rule->slot == ON_LATE_HEAD || rule->slot == ON_LATE_BODY;
    bool begun = rule->slot == ON_LATE_HANDSHAKE || (rule->slot == ON_LATE_NOTHING && s->xs.begun);
    if (rule->slot == ON_LISTEN)
        return by_url ? BEFORE : CAN;
    if (!(mode_rule_kinds(rule) & kind_of(s)))
        return KIND_OF;
    if (rule->slot < ON_PROTOCOL ? !s->early : rule->slot == ON_PROTOCOL && s->protocol_fired)
        return BEFORE;
    if (begun && (by_url || !s->early))
        return BEFORE;
    if (never)
        return NEVER;
    if (!mode_rule_is_for(&s->mode, rule))
        return OTHERS;
    if (asks && rule->nth_last < next_request(s, rule->slot, now))
        return EARLIER;
    if (mode_range_has(&rule->connections, s->mode.number))
        return CAN;
    return s->mode.number == 0 ? OLDER : by_url ? NUMBER : CAN;
}

/* CAN, or why none of the rules can fire. */
static enum why_not why_none(const struct session *s, const struct mode_program *program,
                             bool by_url, uint32_t now)
{
    enum why_not told = CAN;
    for (unsigned i = 0; i < program->rule_count; i++) {
        enum why_not each = why_not(s, &program->rules[i], by_url, now);
        if (each == CAN)
            return CAN;
        if (i == 0 || each < told)
            told = each;
    }
    return told;
}

int fits_url(const struct session *s, const struct exchange *ex, const struct mode_program *program,
             struct refusal *why)
{
    static const char instead[] = "PUT /v1/mode or --mode, for connections to come; by URL a mode "
                                  "whose rules fire from a request on";
    for (unsigned i = 0; i < program->rule_count; i++) {
        const struct mode_rule *rule = &program->rules[i];
        if (rule->slot > ON_PROTOCOL || !(mode_rule_kinds(rule) & kind_of(s)))
            continue;
        refuse(why, "mode", instead,
               "rule %u of \"%.63s\" is on \"%s\": that is over when a request asks for the mode",
               rule->number, program->name, mode_rule_on(rule));
        return MODE_NOT_HERE;
    }
    enum why_not none = why_none(s, program, true, ex->nth);
    if (none == KIND_OF)
        return mode_refuse_kinds(program, kind_of(s), "mode", why);
    if (none != EARLIER && none != BEFORE && none != OTHERS)
        return 0;
    refuse(why, "mode", "a mode for this request or later ones",
           "\"%.63s\" can do nothing here: %s", program->name, reasons[none]);
    return MODE_NOT_HERE;
}

const char *fits_warning(const struct session *s, char out[FITS_WARNING_SIZE])
{
    if (s->warning == CAN)
        return NULL;
    const char *kinds = mode_kinds_name(mode_kinds(s->mode.program));
    if (s->warning == KIND_OF)
        snprintf(out, FITS_WARNING_SIZE, "its rules are for %s alone", kinds);
    else
        snprintf(out, FITS_WARNING_SIZE, "%s", reasons[s->warning]);
    return out;
}

void fits_look(struct session *s, bool by_url)
{
    struct ledger *l = s->xs.ledger;
    char why[FITS_WARNING_SIZE];
    s->warning = CAN;
    if (!s->xs.engine || wire_state(s->xs.wire) == WIRE_CLOSED || exchange_silenced(&s->xs) ||
        s->mode.program->rule_count == 0)
        return;
    s->warning = (uint8_t)why_none(s, s->mode.program, by_url, 0);
    if (s->warning == CAN)
        return;
    ledger_begin(l, EV_WARNING, s->xs.id, 0);
    ledger_text(l, F_MODE_NAME, s->mode.program->name);
    ledger_text(l, F_WHY, fits_warning(s, why));
    ledger_commit(l);
}
