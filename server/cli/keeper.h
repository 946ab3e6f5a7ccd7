/* keeper.h - a process between us and COMMAND, so that nothing of COMMAND is left behind.
 *
 * It is a reaper of its descendants (PR_SET_CHILD_SUBREAPER): what COMMAND starts and leaves alone,
 * also in a session of its own, becomes the keeper's child. So "none is left" is what waitpid()
 * says of it, and all of it is found below it. When our end of its socket closes, because we have
 * been killed, it kills what is left and ends.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* What it is told. */
enum keeper_order {
    KEEPER_SIGNAL, /* sends a signal to COMMAND's process group; when COMMAND has ended, to all */
    KEEPER_STOP,   /* ends all: SIGTERM, and after KEEPER_GRACE SIGKILL */
    KEEPER_KILL,   /* ends all: SIGKILL */
};
#define KEEPER_GRACE_MS 2000
#define KEEPER_TRIES_MS 5000 /* after SIGKILL: then it gives up what does not die */

struct keeper_message {
    int order; /* enum keeper_order */
    int signal;
};

/* What it says. */
enum keeper_word {
    KEEPER_STARTED, /* number: COMMAND's process id */
    KEEPER_FAILED,  /* number: errno of what could not be done */
    KEEPER_ENDED,   /* COMMAND has: number is its wait status; others of its may live */
    KEEPER_LEFT,    /* number: a process that could not be killed */
    KEEPER_GONE,    /* none is left; the last word */
};

struct keeper_report {
    int word; /* enum keeper_word */
    int number;
    int64_t at; /* clock_now() of then: it may be read late */
};

struct keeper_task {
    char *const *argv;        /* ended by NULL */
    char *const *environment; /* all of it */
    int out;                  /* COMMAND's stdout */
    int err;                  /* and its stderr */
};

/* In a new process: starts COMMAND, keeps it, exits. socket: SOCK_SEQPACKET, of the two structs
 * above. What else is open is closed. */
void keeper_run(const struct keeper_task *task, int socket) __attribute__((noreturn));
