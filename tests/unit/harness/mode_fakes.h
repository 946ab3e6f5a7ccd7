/* mode_fakes.h - what lies below the modes layer, as its tests want it: a clock that is moved by
 * hand, and wire, ledger, engine and host that note what is done to them.
 *
 * Everything notable is appended to one text, so that a test sees it all in its order.
 * A program of these is linked with all of them, and with --wrap for clock_now.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/refusal.h"
#include "base/timer.h"
#include "ledger/ledger.h"
#include "mode/mode.h"
#include "wire/caps.h"
#include "wire/wire.h"

/* --- What happened */

extern char happened[16384];
extern size_t happened_len;

void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void note(const char *format, ...);
void forget_what_happened(void);
void check_happened(const char *expected, const char *file, int line);
#define assert_happened(expected) check_happened(expected, __FILE__, __LINE__)

/* --- The clock and its timers */

extern int64_t now;
extern struct timer *armed[4096];
extern size_t armed_count;
extern unsigned arm_calls;

/* Lets time pass until the given time; each timer is reached late by this much. */
void time_goes_to(int64_t until, int64_t late);
void time_passes(int64_t ns);

/* --- The wire */

struct wire {
    struct wire_tls_info info;
    enum wire_state state;
    int unread;
    bool tls, unpaced, notified;
    int outcome; /* of the next verb */
};

/* A verb has put the wire into this state: what its owner is told. NULL: nobody is. */
extern void (*wire_changed)(enum wire_state state);

/* --- Capabilities */

extern struct capability_row caps[CAPABILITY_COUNT];

/* --- Documents */

/* JSON written with ' for ". */
json_t *json_of(const char *text);

/* A program of these rules (with ' for "). */
struct mode_program *program_of(const char *rules);
