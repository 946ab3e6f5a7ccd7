/* server.h - the real binary, started and ended by a test.
 *
 * Each server gets a state directory of its own, which goes when it ends; its stderr goes into a
 * file there and is copied to the test's stderr at the end, where meson shows it when a test fails.
 * The path of the binary comes from the environment, HANGUP.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

struct server {
    pid_t pid; /* 0: not running */
    int pidfd;
    char dir[64], state[80], log[80], ca[512];
    uint16_t https, https1, http, admin;
    json_t *ready;             /* what stands under "ready" in its first line */
    const char *token;         /* the admin token that admin calls carry; NULL: none */
    unsigned long descriptors; /* RLIMIT_NOFILE for the server; 0: as it is */
};

/* Starts `hangup serve` on free loopback ports with further options, ended by NULL (or NULL
 * itself). s is zeroed, but for what is to be chosen. Fails the test when it does not get ready. */
void server_start(struct server *s, const char *const *options);
/* The same on the state directory of a server that has ended. */
void server_start_again(struct server *s, const char *const *options);

/* Sends the signal (0: none) and waits for the end. Returns the exit status, 256 + n for a death by
 * signal n, -1 when it is still running after the time. */
int server_end(struct server *s, int signal, int64_t patience_ms);

/* Ends it orderly, checks that it went with status 0 and that no sanitizer complained, and removes
 * its directory. Harmless on a zeroed one. */
void server_stop(struct server *s);

bool server_alive(const struct server *s);
bool server_log_has(const struct server *s, const char *text);

/* From /proc: resident memory in kB, CPU time in milliseconds, open descriptors. */
long server_rss(const struct server *s);
long server_cpu_ms(const struct server *s);
long server_descriptors(const struct server *s);

/* Runs `hangup` with these arguments, ended by NULL, to its end (killed after some seconds).
 * Returns as server_end does. out and err get what it wrote, NUL-terminated. */
int server_run(const char *const *arguments, struct buf *out, struct buf *err);

/* Starts the binary with stdout and stderr put on these descriptors. in_child (NULL: none) runs in
 * the new process just before that becomes the binary. It dies with the test. */
pid_t server_spawn(const char *const *arguments, int out, int err, void (*in_child)(void *arg),
                   void *arg);
/* Waits for its end; returns as server_end does. */
int server_await(pid_t pid, int64_t patience_ms);

/* A fresh directory in out (at least 64 bytes), and its removal with all in it. */
void scratch_create(char *out, size_t size);
void scratch_remove(const char *dir);

/* The same around a test or a group of them, as cmocka's setup and teardown. */
extern char scratch[64];
int scratch_setup(void **state);
int scratch_teardown(void **state);

/* How much of a load test to do: HANGUP_TEST_SCALE (0.1 for a tenth), 1 when not set. */
unsigned long scaled(unsigned long n);
