/* reach.c - on which kinds of connection the rules of a mode can do anything, as their triggers,
 * their "over" and their steps tell. */
#include <stdio.h>

#include "base/duration.h"
#include "mode/language.h"

/* Are all the faults in a list of steps such as TLS alone has? What comes after a wait for ever
 * does not count. */
static bool is_for_tls(const struct mode_rule *rule)
{
    bool any = false;
    for (unsigned i = 0; i < rule->step_count; i++) {
        const struct step_row *row = rule->steps[i].row;
        if (row->pauses && !row->gates && rule->steps[i].arg[0].number == DURATION_NEVER)
            break;
        if (row->fault && !row->tls)
            return false;
        any = any || row->fault;
    }
    return any;
}

unsigned mode_rule_kinds(const struct mode_rule *rule)
{
    unsigned kinds = KINDS_OVER(rule->over);
    if (rule->slot == ON_LISTEN)
        return KINDS_ALL;
    if (rule->slot == ON_CLIENT_HELLO || rule->slot == ON_HANDSHAKE ||
        rule->slot == ON_LATE_HANDSHAKE || is_for_tls(rule) ||
        (rule->slot == ON_PEER && rule->place == SAID_CLOSE_NOTIFY))
        kinds &= KINDS_TLS;
    return narrow_kinds(rule, kinds);
}

unsigned mode_kinds(const struct mode_program *program)
{
    unsigned kinds = program->rule_count ? 0 : KINDS_ALL;
    for (unsigned i = 0; i < program->rule_count; i++)
        kinds |= mode_rule_kinds(&program->rules[i]);
    return kinds;
}

const char *mode_kinds_name(unsigned kinds)
{
    kinds &= KINDS_ALL;
    if (!kinds)
        return "no connection";
    if (kinds == KINDS_ALL)
        return "all connections";
    if (kinds == KINDS_TLS)
        return "TLS";
    if (kinds == KIND(OVER_ALL, false))
        return "connections in cleartext";
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        const struct protocol *p = &protocols[i];
        if (kinds == KINDS_OVER(p->bit))
            return p->title;
        if (kinds == KIND(p->bit, false))
            return p->in_cleartext;
        if (kinds == KIND(p->bit, true))
            return p->over_tls;
    }
    return "some kinds of connection";
}

int mode_refuse_kinds(const struct mode_program *program, unsigned offered, const char *where,
                      struct refusal *why)
{
    unsigned kinds = mode_kinds(program);
    if (kinds & offered)
        return 0;
    char allowed[160];
    snprintf(allowed, sizeof allowed, "a mode for %s, or a listener for %s",
             mode_kinds_name(offered), mode_kinds_name(kinds));
    refuse(why, where, allowed, "\"%.63s\" can do nothing here: its rules are for %s, not for %s",
           program->name, mode_kinds_name(kinds), mode_kinds_name(offered));
    return MODE_NOT_HERE;
}

bool mode_step_is_for_tls(const struct mode_step *step)
{
    return step->row->tls;
}
