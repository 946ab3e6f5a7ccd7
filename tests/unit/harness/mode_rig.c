#include "mode_rig.h"

/* --- The connection under test, and its host */

struct wire wire;
struct mode_conn conn;
void (*on_silenced)(void), (*on_resumed)(void), (*on_released)(struct mode_exchange *mx);

void released(void *host, struct mode_exchange *mx)
{
    note("released(%u) ", mx->ex->nth);
    if (on_released)
        on_released(mx);
}

/* What the wire tells the host, from inside a step. */
static void changed(enum wire_state state)
{
    bool serves = state == WIRE_OPEN, for_now = state == WIRE_STALLED || state == WIRE_BLACK_HOLED;
    void (*then)(void) = serves ? on_resumed : on_silenced;
    note("%s", serves ? "resumed " : for_now ? "silenced(for now) " : "silenced(for ever) ");
    if (then)
        then();
}

static const struct mode_host host_calls = { .released = released };

static int fake_goaway(struct engine *e, const struct goaway *goaway)
{
    note("goaway(%u %d %d \"%.*s\") ", goaway->error, (int)goaway->last, goaway->number,
         (int)goaway->debug_len, (const char *)goaway->debug);
    return 0;
}

static int fake_goaway_notice(struct engine *e)
{
    note("goaway_notice ");
    return 0;
}

unsigned pumps;
static void fake_pump(struct engine *e)
{
    pumps++;
}

void (*on_rst_stream)(void);
int engine_outcome; /* of the next setting, PING or RST_STREAM */

static int outcome_once(void)
{
    int outcome = engine_outcome;
    engine_outcome = 0;
    return outcome;
}

bool engine_silent, engine_set_already;

static bool fake_can_say(const struct engine *e)
{
    return !engine_silent;
}

static bool fake_is_set(const struct engine *e, enum engine_setting setting, uint32_t value)
{
    return engine_set_already;
}

static int fake_rst_stream(struct engine *e, int32_t stream, uint32_t error)
{
    note("rst_stream(%d %u) ", stream, error);
    if (on_rst_stream)
        on_rst_stream();
    return outcome_once();
}

static int fake_ping(struct engine *e, const uint8_t opaque[8])
{
    note("ping(%02x..%02x) ", opaque[0], opaque[7]);
    return outcome_once();
}

static int fake_set(struct engine *e, enum engine_setting setting, uint32_t value)
{
    static const char *const names[] = {
        [ENGINE_IGNORE_PINGS] = "ignore_pings", [ENGINE_IGNORE_SETTINGS] = "ignore_settings",
        [ENGINE_KEEP_WINDOWS] = "keep_windows", [ENGINE_INITIAL_WINDOW] = "initial_window",
        [ENGINE_MAX_STREAMS] = "max_streams",   [ENGINE_HOLD_STREAMS] = "hold_streams",
    };
    note("%s=%u ", names[setting], value);
    return outcome_once();
}

static const struct engine_ops fake_ops = {
    .protocol = &protocols[PROTOCOL_H2],
    .pump = fake_pump,
    .can_say = fake_can_say,
    .is_set = fake_is_set,
    .goaway = fake_goaway,
    .goaway_notice = fake_goaway_notice,
    .rst_stream = fake_rst_stream,
    .ping = fake_ping,
    .set = fake_set,
};
struct engine engine = { .ops = &fake_ops };

void open_connection(const char *rules)
{
    struct mode_program *program = program_of(rules);
    if (conn.calls)
        mode_conn_finish(&conn);
    wire = (struct wire){ .state = WIRE_OPEN, .tls = true };
    conn = (struct mode_conn){ .wire = &wire, .engine = &engine, .over = OVER_H2 };
    mode_conn_init(&conn, &host_calls, NULL, NULL, 7, program);
    mode_unref(program);
    arm_calls = 0;
    forget_what_happened();
}

void set_mode(const char *rules)
{
    struct mode_program *program = program_of(rules);
    mode_conn_set(&conn, program);
    mode_unref(program);
}

int mode_set_up(void **state)
{
    now = 1000 * S;
    wire_changed = changed;
    on_silenced = on_resumed = NULL;
    on_released = NULL;
    on_rst_stream = NULL;
    engine_outcome = 0;
    pumps = 0;
    return 0;
}

int mode_tear_down(void **state)
{
    memory_restore();
    if (conn.calls)
        mode_conn_finish(&conn);
    conn.calls = NULL;
    assert_int_equal(armed_count, 0); /* nothing is left in the heap */
    return 0;
}

struct request_made request(uint32_t nth)
{
    return (struct request_made){ .ex = { .nth = nth, .stream = (int32_t)(2 * nth - 1) } };
}

struct mode_exchange *begin(struct request_made *made)
{
    made->mx.conn = &conn;
    made->mx.ex = &made->ex;
    return &made->mx;
}
