/* mode_rig.h - a connection with a mode, on faked wire and engine, as the tests of the runtime want
 * it. */
#pragma once

#include "memory.h"
#include "mode_fakes.h"

#include <errno.h>

#include "engine/engine.h"
#include "mode/runtime.h"

#define MS NS_PER_MS
#define S  NS_PER_S

/* --- The connection under test, and its host */

extern struct wire wire;
extern struct mode_conn conn;
extern void (*on_silenced)(void), (*on_resumed)(void), (*on_released)(struct mode_exchange *mx);
void released(void *host, struct mode_exchange *mx);

extern unsigned pumps;

extern void (*on_rst_stream)(void);
extern int engine_outcome; /* of the next setting, PING or RST_STREAM */

extern bool engine_silent, engine_set_already;

extern struct engine engine;

/* Opens the connection over h2 in a mode of these rules. */
void open_connection(const char *rules);
void set_mode(const char *rules);
int mode_set_up(void **state);
int mode_tear_down(void **state);

struct request_made {
    struct exchange ex;
    struct mode_exchange mx;
};

struct request_made request(uint32_t nth);
struct mode_exchange *begin(struct request_made *made);

#define BEGIN(name, nth)                                                                           \
    struct request_made name##_made = request(nth);                                                \
    struct mode_exchange *name = begin(&name##_made)

#define TEST(name) cmocka_unit_test_setup_teardown(name, mode_set_up, mode_tear_down)
