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
    unsigned kinds = 0;
    if (rule->slot == ON_LISTEN)
        return KINDS_ALL;
    if (rule->over & OVER_H1)
        kinds |= KIND(false, false) | KIND(false, true);
    if (rule->over & OVER_H2)
        kinds |= KIND(true, false) | KIND(true, true);
    if (rule->slot == ON_CLIENT_HELLO || rule->slot == ON_HANDSHAKE || is_for_tls(rule))
        kinds &= KINDS_TLS;
    return kinds;
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
    static const char *const names[KINDS_ALL + 1] = {
        [0] = "no connection",
        [KIND(false, false)] = "HTTP/1.1 in cleartext",
        [KIND(false, true)] = "HTTP/1.1 over TLS",
        [KIND(true, false)] = "HTTP/2 in cleartext",
        [KIND(true, true)] = "HTTP/2 over TLS",
        [KINDS_H1] = "HTTP/1.1",
        [KINDS_H2] = "HTTP/2",
        [KINDS_TLS] = "TLS",
        [KINDS_ALL & ~KINDS_TLS] = "connections in cleartext",
        [KINDS_ALL] = "all connections",
    };
    return names[kinds & KINDS_ALL] ? names[kinds & KINDS_ALL] : "some kinds of connection";
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
