/* faults.c - what faults do to the connections and attempts that they strike (sections 2 and 3).
 *
 * A fault strikes when it is told, before anything shows whether it takes effect; when fault_done
 * says that it did not, all that it did is taken back.
 */
#include "verdict/history_parts.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"

static bool has_text(const struct ledger_record *r, enum ledger_field field, const char *text)
{
    struct ledger_value value;
    return ledger_value(r, field, &value) && memmem(value.bytes, value.len, text, strlen(text));
}

/* Its argument then_hold, in whatever way the JSON is spaced. */
static bool holds_after(const struct ledger_record *r)
{
    return has_text(r, F_ARGUMENTS, "\"then_hold\":true") ||
           has_text(r, F_ARGUMENTS, "\"then_hold\": true");
}

/* --- What it does to one attempt */

static bool above_last(const struct fault *f, const struct attempt *a)
{
    return f->step == STEP_GOAWAY && f->last_stream >= 0 && a->stream > f->last_stream;
}

/* at: when this attempt meets it. */
static void strike(struct attempt *a, const struct fault *f, int64_t at)
{
    switch (f->class) {
    case CLASS_ENDS:
    case CLASS_SILENCES:
    case CLASS_CUTS:
        attempt_out(a, TROUBLE_BITTEN, f->seq, at, f->seq);
        break;
    case CLASS_REFUSES:
        a->by_rule |= f->step == STEP_RESPOND;
        if (f->step == STEP_GOAWAY && !above_last(f, a)) {
            if (f->then_hold)
                a->holding = f->seq;
        } else if (f->step != STEP_MAX_STREAMS) {
            attempt_out(a, TROUBLE_REFUSED, f->seq, at, f->seq);
        }
        break;
    case CLASS_HOLDS:
    case CLASS_SHAPES:
        if (kind_of(f->step)->holds != HOLDS_NOT)
            a->holding = f->seq;
        break;
    case CLASS_SAYS:
        a->by_rule |= f->step == STEP_RESPOND;
        break;
    case CLASS_REPAIRS:
        break;
    case CLASS_NONE:
        a->unknown = true; /* of an older ledger: nobody knows what it did */
        break;
    }
}

/* --- What it does to a connection */

static void strike_connection(struct history *h, struct connection *c, struct fault *f)
{
    bool strikes = f->class == CLASS_ENDS || f->class == CLASS_SILENCES || f->class == CLASS_CUTS;
    bool holds = f->class == CLASS_HOLDS || f->class == CLASS_SHAPES;
    bool kills = kind_of(f->step)->kills && strikes;
    bool refuses = f->step == STEP_GOAWAY && f->class == CLASS_REFUSES;
    if (kills || refuses) {
        c->fault = c->fault ? c->fault : f->seq;
        c->last_fault = f->seq;
        c->dead = c->dead == NEVER ? f->at : c->dead;
    }
    if (f->step == STEP_GOAWAY_NOTICE && !c->notice)
        c->notice = f->seq;
    if ((f->step == STEP_IGNORE_PINGS || f->step == STEP_STALL) && !c->pings_ignored) {
        c->pings_ignored = f->seq;
        c->pings_ignored_at = f->at;
    }
    if ((holds && kind_of(f->step)->holds != HOLDS_NOT) || f->then_hold)
        c->holding = f->seq;

    struct attempt *a = attempt_newest(h, c);
    for (; a; a = attempt_before(h, a)) {
        if (attempt_pending(a))
            strike(a, f, f->at);
    }
    if (f->step == STEP_RST)
        connection_doubt(h, c, f->seq, f->at, f->seq);
}

/* --- What the server says in header fields */

#define SECONDS_MAX (INT64_C(366) * 24 * 3600)

/* What stands behind a text in the arguments of a step, whatever its case; NULL: it is not there.
 * The JSON is not taken apart, as that could fail for want of memory. */
static const char *behind(const struct ledger_record *r, const char *text, const char **end)
{
    struct ledger_value value;
    size_t len = strlen(text);
    if (!ledger_value(r, F_ARGUMENTS, &value))
        return NULL;
    *end = value.bytes + value.len;
    for (const char *at = value.bytes; at + len <= *end; at++) {
        if (strncasecmp(at, text, len) == 0)
            return at + len;
    }
    return NULL;
}

/* Whole seconds as ns; NEVER: it is none. */
static int64_t seconds_at(const char *at, const char *end)
{
    int64_t value = 0;
    const char *begin = at;
    for (; at && at < end && *at >= '0' && *at <= '9' && value <= SECONDS_MAX; at++)
        value = 10 * value + (*at - '0');
    return !at || at == begin || value > SECONDS_MAX ? NEVER : value * NS_PER_S;
}

/* RFC 9110 10.2.3, of a response that a rule gives: "Retry-After": "5". */
static int64_t retry_after(const struct ledger_record *r)
{
    const char *end = NULL, *at = behind(r, "\"Retry-After\"", &end);
    while (at && at < end && strchr(": \"", *at))
        at++;
    return seconds_at(at, end);
}

/* "Keep-Alive: timeout=5": how long the server says that the connection may be idle. */
static void read_hint(struct connection *c, const struct ledger_record *r)
{
    const char *end = NULL;
    if (behind(r, "\"Keep-Alive\"", &end))
        c->hint = seconds_at(behind(r, "timeout=", &end), end);
}

/* What only says something, and is said with each response: there is nothing to be known of it but
 * a hint. */
static bool only_says(struct history *h, const struct ledger_record *r)
{
    switch (ledger_number(r, F_STEP, STEP_WAIT)) {
    case STEP_HEADER:
        if (r->connection)
            read_hint(history_connection_of(h, r), r);
        return true;
    case STEP_PING:
    case STEP_WAIT:
        return true;
    default:
        return false;
    }
}

void history_on_fault(struct history *h, const struct ledger_record *r)
{
    if (only_says(h, r))
        return;
    history_make_room(h, &h->faults);
    struct fault *f = store_add(&h->faults, r->seq);
    *f = (struct fault){
        .seq = r->seq,
        .step = (enum ledger_step)ledger_number(r, F_STEP, STEP_WAIT),
        .class = (enum ledger_class)ledger_number(r, F_CLASS, CLASS_NONE),
        .scope = (enum ledger_scope)ledger_number(r, F_SCOPE, SCOPE_NONE),
        .trigger = (enum ledger_trigger)ledger_number(r, F_TRIGGER, TRIGGER_ADMIN),
        .connection = r->connection,
        .exchange = r->exchange,
        .at = r->age,
        .ended = NEVER,
        .acked = SPAN_NEVER,
        .crossed = NEVER,
        .last_stream = ledger_number(r, F_LAST_STREAM, -1),
        .then_hold = ledger_number(r, F_STEP, STEP_WAIT) == STEP_GOAWAY && holds_after(r),
        .then_silent = ledger_number(r, F_STEP, STEP_WAIT) == STEP_CUT &&
                       has_text(r, F_ARGUMENTS, "\"stall\""),
        .srtt = ledger_number(r, F_SRTT, 0) * 1000,
        .retry_after = NEVER,
    };
    if (f->step == STEP_RESPOND)
        f->retry_after = retry_after(r);
    if (!r->connection)
        return; /* of the listeners: only SYNs tell of it */
    struct connection *c = history_connection_of(h, r);
    if (f->scope == SCOPE_CONNECTION || (f->scope == SCOPE_NONE && !f->exchange)) {
        strike_connection(h, c, f);
        return;
    }
    struct attempt *a = attempt_of(h, c, f->exchange);
    if (a && attempt_pending(a))
        strike(a, f, f->at);
    else if (!a && !c->pending)
        c->pending = f->seq; /* it fired on the first bytes of a request */
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Faults of this exchange that were told before it was, in their order. */
static void meet_pending(struct history *h, const struct connection *c, struct attempt *a)
{
    const struct fault *f;
    size_t count = 0;
    if (!c->pending || !a->exchange)
        return;
    while ((f = store_back(&h->faults, count)) && f->seq >= c->pending)
        count++;
    while (count-- > 0) {
        f = store_back(&h->faults, count);
        if (f->connection == c->id && f->exchange == a->exchange && f->scope == SCOPE_STREAM &&
            f->in_effect != TRI_NO)
            strike(a, f, later(f->at, a->first_byte.from));
    }
}

/* What it was sent into, of a stale one: it will not be answered, whatever its class. */
static void meet_stale(struct attempt *a, const struct fault *f)
{
    if (!f) {
        a->unknown = true; /* the ledger does not tell */
        return;
    }
    attempt_out(a, f->step == STEP_GOAWAY ? TROUBLE_REFUSED : TROUBLE_BITTEN, f->seq,
                a->first_byte.from, a->first_seq);
    if (!a->exchange)
        a->closed = f->class != CLASS_SILENCES; /* a stall may be resumed */
}

void faults_meet(struct history *h, struct connection *c, struct attempt *a, uint64_t named)
{
    uint64_t seq = named ? named : c->fault;
    const struct fault *f = seq ? store_find(&h->faults, seq) : NULL;
    const struct fault *last = c->last_fault ? store_find(&h->faults, c->last_fault) : NULL;
    if (seq && !f)
        a->unknown = true;
    meet_pending(h, c, a);
    if (a->stale)
        meet_stale(a, f);
    else if (f && (f->step == STEP_GOAWAY || kind_of(f->step)->kills))
        strike(a, f, later(f->at, a->first_byte.from));
    /* A GOAWAY may have let it pass; what came behind it strikes it all the same. */
    if (!a->stale && last && last != f && kind_of(last->step)->kills)
        strike(a, last, later(last->at, a->first_byte.from));
    if (c->holding && !a->holding)
        a->holding = c->holding;
}

/* By a GOAWAY that the client could know, and has not had for long: what it ends later, and is not
 * held, it ends for reasons of its own. */
void faults_drop(struct history *h, const struct connection *c, struct attempt *a)
{
    const struct fault *f = c->fault ? store_find(&h->faults, c->fault) : NULL;
    struct out *out = a->out_count == 1 ? &a->outs[0] : NULL;
    if (!f || f->step != STEP_GOAWAY || f->class != CLASS_REFUSES || f->in_effect != TRI_YES ||
        above_last(f, a) || c->path != PATH_DIRECT || !out || out->trouble != TROUBLE_ABANDONED ||
        a->fault)
        return;
    struct span seen = history_fault_seen(h, f);
    if (seen.to == NEVER || out->since < seen.from || out->since > seen.to)
        return;
    out->from = later(f->at, a->first_byte.from);
    out->fault = a->fault = a->last_fault = f->seq;
}

/* --- What becomes of it */

/* Takes back what it did; what else stands on the connection stays. */
static void spare(struct history *h, struct connection *c, const struct fault *f)
{
    struct attempt *a = attempt_newest(h, c);
    for (; a; a = attempt_before(h, a))
        attempt_spared(a, f->seq);
    if (c->last_fault == f->seq)
        c->last_fault = c->fault == f->seq ? 0 : c->fault;
    if (c->fault == f->seq)
        c->fault = c->last_fault;
    if (c->notice == f->seq)
        c->notice = 0;
    if (c->holding == f->seq)
        c->holding = 0;
    if (c->pings_ignored == f->seq)
        c->pings_ignored = 0;
    const struct fault *first = c->fault ? store_find(&h->faults, c->fault) : NULL;
    c->dead = first ? first->at : c->fault ? c->dead : NEVER;
}

/* `heal` and `resume`: what a black hole or a stall kept back continues, as before. */
static void repair(struct history *h, struct connection *c, enum ledger_step repaired, int64_t age)
{
    struct fault *f;
    for (size_t i = 0; (f = store_back(&h->faults, i)); i++) {
        if (f->connection != c->id || f->step != repaired || f->in_effect == TRI_NO)
            continue;
        f->ended = f->ended == NEVER ? age : f->ended;
        if (c->pings_ignored == f->seq)
            c->pings_ignored = 0;
        struct attempt *a = attempt_newest(h, c);
        for (; a; a = attempt_before(h, a))
            attempt_repaired(a, f->seq, age);
        if (c->fault == f->seq)
            c->fault = c->last_fault == f->seq ? 0 : c->last_fault;
        if (c->last_fault == f->seq)
            c->last_fault = c->fault;
        if (!c->fault)
            c->dead = NEVER;
    }
}

void history_on_fault_done(struct history *h, const struct ledger_record *r)
{
    struct fault *f = store_find(&h->faults, (uint64_t)ledger_number(r, F_FAULT, 0));
    if (!f)
        return;
    struct connection *c = f->connection ? store_find(&h->connections, f->connection) : NULL;
    enum tri in_effect = record_tri(r, F_IN_EFFECT);
    if (in_effect == TRI_UNKNOWN) {
        f->ended = f->ended == NEVER ? r->age : f->ended;
        if (c && c->holding == f->seq)
            c->holding = 0;
        return;
    }
    f->in_effect = in_effect;
    if (!c)
        return;
    if (in_effect == TRI_NO)
        spare(h, c, f);
    else if (f->step == STEP_HEAL)
        repair(h, c, STEP_BLACK_HOLE, r->age);
    else if (f->step == STEP_RESUME)
        repair(h, c, STEP_STALL, r->age);
}

void history_on_fault_acked(struct history *h, const struct ledger_record *r)
{
    struct fault *f = store_find(&h->faults, (uint64_t)ledger_number(r, F_FAULT, 0));
    if (!f)
        return;
    f->acked = (struct span){ ledger_number(r, F_FROM, f->at), ledger_number(r, F_TO, r->age) };
    if (f->crossed >= f->acked.from) /* only behind what crossed it */
        f->acked.from = f->crossed < f->acked.to ? f->crossed + 1 : f->acked.to;
    const struct connection *c = f->connection ? store_find(&h->connections, f->connection) : NULL;
    struct attempt *a = c && f->step == STEP_GOAWAY ? attempt_newest(h, c) : NULL;
    for (; a; a = attempt_before(h, a))
        faults_drop(h, c, a);
}
