#include "base/refusal.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* A text that was cut must not end in the middle of a character. */
static void drop_torn_character(char *text)
{
    size_t len = strlen(text), back = 0;
    while (back < len && back < 3 && ((uint8_t)text[len - 1 - back] & 0xc0) == 0x80)
        back++;
    if (back == len)
        return;
    char *last = text + len - 1 - back;
    if ((uint8_t)*last >= 0xc0 && utf8_sequence((uint8_t *)last, back + 1) == 0)
        *last = '\0';
}

/* Input quoted in a refusal must not begin a line of its own, nor talk to a terminal. */
static void blank_controls(char *text)
{
    for (; *text; text++)
        if ((uint8_t)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

int refuse(struct refusal *why, const char *where, const char *allowed, const char *what, ...)
{
    if (!why)
        return BAD_INPUT;

    /* Made aside, because the arguments may be texts of *why itself. */
    struct refusal made = { .meant = { "" } };
    snprintf(made.where, sizeof made.where, "%s", where ? where : "");
    snprintf(made.allowed, sizeof made.allowed, "%s", allowed ? allowed : "");
    va_list args;
    va_start(args, what);
    vsnprintf(made.what, sizeof made.what, what, args);
    va_end(args);

    drop_torn_character(made.where);
    drop_torn_character(made.what);
    drop_torn_character(made.allowed);
    blank_controls(made.where);
    blank_controls(made.what);
    *why = made;
    return BAD_INPUT;
}

int refuse_meant(struct refusal *why, const struct suggestions *s)
{
    for (size_t i = 0; why && i < SUGGEST_MAX; i++) {
        snprintf(why->meant[i], sizeof why->meant[i], "%s", i < s->count ? s->names[i] : "");
        drop_torn_character(why->meant[i]);
        blank_controls(why->meant[i]);
    }
    return BAD_INPUT;
}

int refuse_in(struct refusal *why, const char *where, const char *prefix)
{
    if (!why)
        return BAD_INPUT;
    struct refusal inner = *why;
    refuse(why, where, inner.allowed, "%s%s%s", prefix ? prefix : "", prefix ? ": " : "",
           inner.what);
    memcpy(why->meant, inner.meant, sizeof why->meant);
    return BAD_INPUT;
}
