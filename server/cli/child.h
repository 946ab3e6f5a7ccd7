/* child.h - COMMAND of `hangup prove`: how it is started, heard and ended.
 *
 * It runs in a process group of its own, below a keeper (keeper.h), with its stdin as ours is, or
 * empty when that is a terminal: a process in the background may not read from one. All on one
 * loop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/refusal.h"

struct child;
struct uv_loop_s;

struct child_config {
    struct uv_loop_s *loop;
    char *const *argv;        /* ended by NULL */
    char *const *environment; /* all of it: NAME=VALUE, ended by NULL */
    /* What it writes to stdout. When false was returned last nothing more is read until
     * child_read_on; but all that it had written comes before ended and before gone. */
    bool (*wrote)(void *arg, const char *bytes, size_t len);
    void (*ended)(void *arg); /* COMMAND has ended; what it has started may live */
    void (*gone)(void *arg);  /* nothing of it is left, or what is left cannot be killed */
    void *arg;
};

/* Starts it. Its texts need not outlive the call. Returns 0, BAD_INPUT when it cannot be executed,
 * or -errno. */
int child_start(const struct child_config *config, struct child **out, struct refusal *why);

pid_t child_id(const struct child *c);

/* From ended on: its exit status, or -1 and the signal that it died of. */
int child_status(const struct child *c, int *signal);
/* When nothing of it was left, on clock_now(): this process may have been told late. Where the
 * keeper was killed, when that was last heard of; before gone: TIME_NONE. */
int64_t child_gone_at(const struct child *c);
/* From gone on: a process that could not be killed, 0 for none. */
pid_t child_left(const struct child *c);

/* To its process group; when COMMAND has ended, to all that it has left. */
void child_signal(struct child *c, int signal);
/* Ends all of it: SIGTERM, and two seconds later SIGKILL. gone follows. */
void child_stop(struct child *c);
/* The same at once. */
void child_kill(struct child *c);
void child_read_on(struct child *c);

/* Only when it is gone. Its memory is freed from the loop. NULL is fine. */
void child_destroy(struct child *c);
