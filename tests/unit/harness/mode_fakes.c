#include "mode_fakes.h"

char happened[16384];
size_t happened_len;

void note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(happened + happened_len, sizeof happened - happened_len, format, args);
    va_end(args);
    happened_len += (size_t)n;
    assert_true(happened_len < sizeof happened);
}

void forget_what_happened(void)
{
    happened[happened_len = 0] = '\0';
}

void check_happened(const char *expected, const char *file, int line)
{
    _assert_string_equal(happened, expected, file, line);
    forget_what_happened();
}

/* --- The clock and its timers */

int64_t __wrap_clock_now(void);

int64_t now;
struct timer *armed[4096];
size_t armed_count;
unsigned arm_calls;

int64_t __wrap_clock_now(void)
{
    return now;
}

/* A timer's rank is its place in `armed`, from 1. */
void timer_at(struct timer *m, int64_t due)
{
    arm_calls++;
    if (due == TIME_NONE) {
        timer_cancel(m);
        return;
    }
    if (!m->rank) {
        armed[armed_count++] = m;
        m->rank = (unsigned)armed_count;
        assert_true(armed_count < 4096);
    }
    m->due = due;
}

void timer_cancel(struct timer *m)
{
    if (!m->rank)
        return;
    armed[m->rank - 1] = armed[--armed_count];
    armed[m->rank - 1]->rank = m->rank;
    m->rank = 0;
}

static struct timer *earliest(void)
{
    struct timer *first = armed_count ? armed[0] : NULL;
    for (size_t i = 1; i < armed_count; i++)
        if (armed[i]->due < first->due)
            first = armed[i];
    return first;
}

void time_goes_to(int64_t until, int64_t late)
{
    for (struct timer *m; (m = earliest()) && m->due + late <= until;) {
        timer_cancel(m);
        now = m->due + late > now ? m->due + late : now;
        m->reached(m, now - m->due);
    }
    now = until;
}

void time_passes(int64_t ns)
{
    time_goes_to(now + ns, 0);
}

/* --- The ledger: "fault(conn=7 ex=1 mode=x rule=0 ...)" */

static int64_t last_fault; /* its seq */
static bool told[4096];    /* of each: whether it took effect */
static bool in_effect;     /* the event that is being written says that it did: that is not noted */
static size_t len_before;
static int64_t named;

void ledger_begin(struct ledger *l, enum ledger_event event, uint64_t connection, uint32_t exchange)
{
    last_fault += event == EV_FAULT;
    len_before = happened_len;
    in_effect = event == EV_PING_SENT; /* which is not noted either */
    note("%s(conn=%llu",
         event == EV_FAULT          ? "fault"
         : event == EV_FAULT_DONE   ? "done"
         : event == EV_FAULT_MISSED ? "missed"
                                    : "?",
         (unsigned long long)connection);
    if (exchange)
        note(" ex=%u", exchange);
}

void ledger_int(struct ledger *l, enum ledger_field field, int64_t value)
{
    if (field == F_FAULT)
        assert_in_range(named = value, 1, last_fault);
    else if (field == F_IN_EFFECT) {
        assert_false(told[named % 4096]); /* once */
        told[named % 4096] = true;
        in_effect = value;
    } else if (field == F_RULE)
        note(" rule=%lld", (long long)value);
    else if (field == F_LATE)
        note(" late=%lldms", (long long)(value / NS_PER_MS));
    else if (field != F_LAST_STREAM) /* the engine's to know */
        note(" ?=%lld", (long long)value);
}

void ledger_text(struct ledger *l, enum ledger_field field, const char *text)
{
    if (text)
        note(" %s", text);
}

void ledger_bytes(struct ledger *l, enum ledger_field field, const char *text, size_t len)
{
}

void ledger_word(struct ledger *l, enum ledger_field field, int64_t word)
{
    if (field != F_CLASS && field != F_SCOPE) /* which test_step_class looks at */
        note(" %s", ledger_word_name(field, word));
}

void ledger_real(struct ledger *l, enum ledger_field field, double value)
{
    note(" scale=%g", value);
}

uint64_t ledger_commit(struct ledger *l)
{
    note(") ");
    if (in_effect)
        happened[happened_len = len_before] = '\0';
    return (uint64_t)last_fault;
}

/* --- The wire */

void (*wire_changed)(enum wire_state state);

static int verb(struct wire *w, enum wire_state next, const char *name, int argument)
{
    int outcome = w->outcome;
    w->outcome = 0;
    note(argument < 0 ? "%s " : "%s(%d) ", name, argument);
    if (outcome)
        return outcome;
    w->state = next;
    if (wire_changed)
        wire_changed(next);
    return 0;
}

uint64_t wire_end_offset(const struct wire *w)
{
    return WIRE_NO_OFFSET;
}

void wire_ledger_srtt(const struct wire *w)
{
}

void wire_announce(struct wire *w, uint64_t fault)
{
    assert_int_equal(fault, last_fault);
}

int wire_ready(const struct wire *w, enum wire_verb verb)
{
    return w->outcome == WIRE_TOO_LATE ? WIRE_TOO_LATE : 0;
}

int wire_fin(struct wire *w, bool notify, int64_t linger, bool exact)
{
    if (linger)
        note("linger(%lld) ", (long long)linger);
    if (exact)
        note("exact ");
    return verb(w, WIRE_FIN_SENT, "fin", notify);
}

int wire_rst(struct wire *w, bool drain)
{
    return verb(w, WIRE_CLOSED, drain ? "rst_drained" : "rst", -1);
}

int wire_forget(struct wire *w, bool exact)
{
    return verb(w, WIRE_FORGOTTEN, "forget", exact);
}

int wire_black_hole(struct wire *w)
{
    return verb(w, WIRE_BLACK_HOLED, "black_hole", -1);
}

int wire_heal(struct wire *w)
{
    return verb(w, WIRE_OPEN, "heal", -1);
}

int wire_stall(struct wire *w)
{
    return verb(w, WIRE_STALLED, "stall", -1);
}

int wire_resume(struct wire *w)
{
    return verb(w, WIRE_OPEN, "resume", -1);
}

/* What a verb that changes no state was given. */
static int shaped(struct wire *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int shaped(struct wire *w, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    note("%s ", text);
    int outcome = w->outcome;
    w->outcome = 0;
    return outcome;
}

int wire_close_notify(struct wire *w)
{
    return shaped(w, "close_notify");
}

int wire_alert(struct wire *w, bool fatal, int description)
{
    return shaped(w, "alert(%s %d)", fatal ? "fatal" : "warning", description);
}

int wire_pace(struct wire *w, uint32_t chunk, int64_t every)
{
    return shaped(w, "pace(%u/%lldus)", chunk, (long long)(every / 1000));
}

bool wire_is_paced(const struct wire *w)
{
    return !w->unpaced;
}

bool wire_cut_is_full(const struct wire *w)
{
    return false;
}

bool wire_can_send(const struct wire *w)
{
    return w->state == WIRE_OPEN && !w->notified;
}

int wire_throttle(struct wire *w, uint32_t rate)
{
    return shaped(w, "throttle(%u)", rate);
}

int wire_cut(struct wire *w, uint64_t after, enum wire_cut how)
{
    return shaped(w, "cut(%llu %d)", (unsigned long long)after, (int)how);
}

int wire_inject(struct wire *w, const void *bytes, size_t n, bool tls)
{
    return shaped(w, "inject(%zu \"%.*s\" %s)", n, (int)n, (const char *)bytes,
                  tls ? "tls" : "socket");
}

enum wire_state wire_state(const struct wire *w)
{
    return w->state;
}

const char *wire_state_name(enum wire_state state)
{
    static const char *const names[] = { "handshake",   "open",      "ending",
                                         "fin_sent",    "forgotten", "stalled",
                                         "black_holed", "resetting", "closed" };
    return names[state];
}

int wire_unread(const struct wire *w)
{
    return w->unread;
}

void wire_tls_info(const struct wire *w, struct wire_tls_info *info)
{
    *info = w->info;
}

bool wire_is_tls(const struct wire *w)
{
    return w->tls;
}

/* --- Capabilities */

struct capability_row caps[CAPABILITY_COUNT] = {
    { .name = "black_hole",
      .needs = "CAP_NET_ADMIN (docker run --cap-add NET_ADMIN)",
      .available = true },
    { .name = "repair",
      .needs = "CAP_NET_ADMIN (docker run --cap-add NET_ADMIN)",
      .available = true },
    { .name = "tap", .needs = "CAP_NET_RAW (docker run --cap-add NET_RAW)", .available = true },
};

const struct capability_row *caps_row(enum capability cap)
{
    return &caps[cap];
}

bool caps_have(enum capability cap)
{
    return caps[cap].available;
}

/* --- Documents */

json_t *json_of(const char *text)
{
    char *copy = strdup(text);
    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_error_t place;
    json_t *json = json_loads(copy, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &place);
    if (!json)
        fail_msg("%s: %s", copy, place.text);
    free(copy);
    return json;
}

struct mode_program *program_of(const char *rules)
{
    char text[8192];
    snprintf(text, sizeof text, "{'name': 'test', 'summary': '-', 'rules': %s}", rules);
    json_t *document = json_of(text);
    struct mode_program *program = NULL;
    struct refusal why = { 0 };
    if (mode_compile(document, NULL, false, 1, &program, &why) != 0)
        fail_msg("%s: %s (%s)", why.where, why.what, why.allowed);
    json_decref(document);
    return program;
}
