/* loop.h - the loop of a unit program with its timers, and waiting for what happens on it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "memcheck.h"

/* How long a test waits for what must happen: the machine may have much else to do, and whoever
 * sees it happen waits no longer. */
#define PATIENCE_MS 20000
#define PATIENCE    (PATIENCE_MS * REAL_MS)

/* The program's loop, from loop_start() to loop_stop(). Both are set-up and teardown of cmocka, of
 * a group or of a test. */
extern uv_loop_t loop;
int loop_start(void **state);
int loop_stop(void **state);

/* Runs the loop for so many ns. */
void loop_run(int64_t ns);

/* Turns of the loop that do not wait. */
void loop_turns(unsigned n);

/* Runs the loop until nothing is left for it to do: for some ms nothing comes and nothing is due.
 * What has been sent to it is dealt with then, but for what waits for a later time. */
void loop_settle(uv_loop_t *on);

/* Runs the loop until the condition holds of data, at most for ns. Returns whether it does. It
 * looks after each turn of the loop, and at least every millisecond: what it is about need not be
 * of the loop. The condition may fail the test. Timers must have been started on the loop. */
bool loop_wait(uv_loop_t *on, bool (*holds)(void *data), void *data, int64_t ns);

/* Runs the loop until the condition holds of data. When it does not for PATIENCE, the test fails,
 * and says what it waited for. */
#define loop_until(on, holds, data)                                                                \
    loop_wait_or_fail(on, holds, data, #holds "(" #data ")", __FILE__, __LINE__)
void loop_wait_or_fail(uv_loop_t *on, bool (*holds)(void *data), void *data, const char *what,
                       const char *file, int line);

/* Runs the loop for ns, in which something must not happen: as soon as the condition holds of data
 * the test fails, and says which it was. */
#define loop_quiet(on, happens, data, ns)                                                          \
    loop_quiet_or_fail(on, happens, data, ns, #happens "(" #data ")", __FILE__, __LINE__)
void loop_quiet_or_fail(uv_loop_t *on, bool (*happens)(void *data), void *data, int64_t ns,
                        const char *what, const char *file, int line);

/* Conditions: this bool is true; this unsigned is not 0. */
bool is_set(void *flag);
bool is_counted(void *count);
