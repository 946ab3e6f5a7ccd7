/* exercise.h - what a mode can make a client meet, by its rules: so that what is expected of a
 * client and could never be seen is refused before the test, not found inconclusive after it.
 */
#pragma once

#include <stdint.h>

#include "mode/mode.h"

/* Each a word for the needs of a check or a mitigation (exercise_refuse), and what it means. */
#define EXERCISES(X)                                                                               \
    X(STRIKES, "strikes", "a fault strikes a call, or a connection that one could use")            \
    X(BITES, "bites", "a request can be struck on a connection before it is answered")             \
    X(SERVED, "served", "a later connection answers its first request")                            \
    X(WAITS, "waits", "silence, a response that is held back, or a slow one")                      \
    X(TOLD, "told", "an idle connection is ended so that the client can know it")                  \
    X(GOAWAY, "goaway", "a GOAWAY is sent")                                                        \
    X(PINGS, "pings", "PINGs over HTTP/2 stay unanswered")                                         \
    X(HINT, "hint", "responses say for how long a connection is kept")                             \
    X(CUTS, "cuts", "a response ends before it is whole")                                          \
    X(OUTAGE, "outage", "no connection is accepted for a while")                                   \
    X(FALLBACK, "fallback", "HTTP/1.1 is asked for over HTTP/2")                                   \
    X(H1, "h1", "HTTP/1.1 is offered")                                                             \
    X(H2, "h2", "HTTP/2 is offered")

enum exercise_index {
#define X(symbol, ...) EXERCISE_##symbol,
    EXERCISES(X)
#undef X
        EXERCISE_COUNT
};
#define CAN(symbol) (1u << EXERCISE_##symbol)

struct exercise {
    unsigned can;  /* CAN(...) */
    int64_t pause; /* ns after which the last of the faults that wait for idleness or a mark is on
                      its way, time_scale included; 0: none waits */
};

/* So many of a plan's connections are looked at. */
#define EXERCISE_CONNECTIONS 256

/* Adds what the connection of this number (from 1) can meet with this mode, if it is of one of
 * these kinds. */
void exercise_add(struct exercise *e, const struct mode_program *program, uint32_t number,
                  unsigned kinds);

/* Whether what a check or a mitigation needs can be: needs are words separated by blanks, all of
 * which must hold, "a|b" one of the two; NULL or "" needs nothing. Returns 0, or BAD_INPUT: name
 * can never be judged here, and what says which word it lacks. */
int exercise_refuse(const struct exercise *e, const char *needs, const char *name,
                    const char *where, struct refusal *why);
