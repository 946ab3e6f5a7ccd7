/* session.c - a connection in a run: between its wire, its engine and the rules at work on it.
 *
 * A session lives until its wire says closed(). Before that the wire may already be closed inside
 * (a verb ended it): then every call on it is without effect, and exchange_serving() is false.
 */
#include "run/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static uint64_t last_id; /* connection ids are the process's, so that one names one connection */

/* --- The plan */

static void ledger_mode(const struct session *s, int entry)
{
    ledger_text(s->xs.ledger, F_MODE_NAME, s->mode.program->name);
    if (entry >= 0)
        ledger_int(s->xs.ledger, F_ENTRY, entry);
}

static void take_mode(struct session *s, struct mode_program *program)
{
    mode_conn_set(&s->mode, program);
    late_another_mode(&s->xs);
    wire_closing(s->xs.wire, &program->closing);
}

void session_set_mode(struct session *s, struct mode_program *program, int entry)
{
    take_mode(s, program);
    ledger_begin(s->xs.ledger, EV_MODE, s->xs.id, 0);
    ledger_mode(s, entry);
    ledger_text(s->xs.ledger, F_PARAMS, program->params);
    ledger_commit(s->xs.ledger);
}

/* Picks for a connection that is new, or new to the plan. Returns what plan_pick did. */
static int pick(struct session *s)
{
    struct plan *plan = s->shared->plan;
    s->mode.seed = s->shared->seed;
    int picked = plan_pick(plan, s->mode.number, s->xs.id, s->mode.over);
    plan_unref(s->undecided);
    s->undecided = picked == PLAN_LATER ? plan_ref(plan) : NULL;
    return picked;
}

/* Another plan, for which this connection is older: it gets what it has for such. */
static void replan(struct session *s)
{
    free(s->mode_text);
    s->mode_text = NULL;
    s->mode.number = 0;
    patience_begin(s); /* the mode that had it in its hands may be gone */
    s->early = false;
    int picked = pick(s);
    struct mode_program *program = plan_program(s->shared->plan, picked);
    if (plan_is_mode(s->shared->plan))
        take_mode(s, program);
    else
        session_set_mode(s, program, picked);
    fits_look(s, false);
}

bool session_catch_up(struct session *s)
{
    if (s->setting == s->shared->setting)
        return false;
    s->setting = s->shared->setting;
    replan(s);
    return true;
}

bool session_is_settled(struct session *s)
{
    return s->setting == s->shared->setting && !s->undecided && !timer_armed(&s->losing) &&
           !mode_may_go_on(&s->mode) && wire_left_in_silence(s->xs.wire);
}

static int url_mode(struct exchanges *xs, const struct exchange *ex, const char *spec, size_t len,
                    struct refusal *why)
{
    struct session *s = session_of(xs);
    const struct run_config *config = s->shared->config;
    struct mode_program *program;
    if (s->mode_text && strlen(s->mode_text) == len && memcmp(s->mode_text, spec, len) == 0)
        return 0;
    int error =
        catalogue_compile_text(config->catalogue, spec, len, config->time_scale, &program, why);
    if (error)
        return error;
    error = fits_url(s, ex, program, why);
    if (!error) {
        free(s->mode_text);
        s->mode_text = strndup(spec, len); /* without memory it is set anew the next time */
        session_set_mode(s, program, PLAN_NONE);
        s->early = false;
        fits_look(s, true);
    }
    mode_unref(program);
    return error;
}

static bool told(void *host, uint64_t fault, enum ledger_step step, uint32_t nth, bool done)
{
    struct session *s = host;
    return acks_fault(&s->xs, fault, step, nth, done);
}

static void pinged(void *host, const uint8_t opaque[8], uint64_t before)
{
    struct session *s = host;
    acks_ping(&s->xs, opaque, before);
}

static bool catch_up(void *host)
{
    return session_catch_up(host);
}

/* The protocol is known: what depends on it is decided. */
static void decide(struct session *s)
{
    session_catch_up(s);
    struct plan *plan = s->undecided;
    if (!plan)
        return;
    s->undecided = NULL;
    int picked = plan_pick(plan, s->mode.number, s->xs.id, s->mode.over);
    if (picked >= 0)
        session_set_mode(s, plan_program(plan, picked), picked);
    plan_unref(plan);
}

/* --- The engine */

static bool start_engine(struct session *s, const struct protocol *protocol)
{
    struct engine *e;
    int error = protocol->create(&exchange_engine_host, &s->xs, &e);
    if (error) {
        static struct log_gate gate;
        log_sometimes(&gate, LOG_WARN, "cannot serve connection %llu: %s",
                      (unsigned long long)s->xs.id, strerror(-error));
        wire_abort(s->xs.wire, BY_SERVER, HOW_NO_ROOM);
        return false;
    }
    s->xs.engine = s->mode.engine = e;
    s->mode.over = protocol->bit;
    ledger_begin(s->xs.ledger, EV_PROTOCOL, s->xs.id, 0);
    ledger_word(s->xs.ledger, F_PROTOCOL_NAME, protocol - protocols); /* in the same order */
    if (wire_client(s->xs.wire))
        ledger_hash(s->xs.ledger, F_CLIENT, wire_client(s->xs.wire));
    ledger_commit(s->xs.ledger);
    decide(s);
    fits_look(s, false);
    if (exchange_silenced(&s->xs)) { /* only witnesses from the start */
        s->watched = !wire_state_is_held(wire_state(s->xs.wire));
        engine_watch(e, s->watched ? WATCH_ONLY : WATCH_HOLD);
    }
    return true;
}

/* The HTTP version is known, and nothing of it was said. */
static void fire_protocol(struct session *s)
{
    if (s->protocol_fired || !exchange_serving(&s->xs))
        return;
    s->protocol_fired = true;
    mode_fire(&s->mode, ON_PROTOCOL, NULL);
}

/* On a cleartext connection the first bytes decide. Returns whether the engine runs; what was held
 * back until then has been given to it. */
static bool sniff(struct session *s, const uint8_t *bytes, size_t n)
{
    bool first = s->sniff.seen == 0;
    const struct protocol *protocol = protocol_sniff(&s->sniff, bytes, n);
    if (!protocol) {
        if (first) /* a request's, it may be */
            mode_late(&s->mode, ON_LATE_HEAD, clock_now());
        return false;
    }
    mode_late(&s->mode, ON_LATE_NOTHING, s->mode.accepted_at);
    struct protocol_sniff before = s->sniff;
    s->sniff = (struct protocol_sniff){ 0 };
    if (!start_engine(s, protocol))
        return false;
    fire_protocol(s);
    if (before.seen)
        exchange_input(&s->xs, (const uint8_t *)protocols[before.like].first, before.seen);
    return true;
}

static void input(struct session *s, const uint8_t *bytes, size_t n)
{
    if (s->xs.engine || sniff(s, bytes, n))
        exchange_input(&s->xs, bytes, n);
}

/* --- What the wire tells */

static void hello(void *owner)
{
    struct session *s = owner;
    mode_fire(&s->mode, ON_CLIENT_HELLO, NULL);
}

static void established(void *owner, const char *alpn)
{
    struct session *s = owner;
    if (!start_engine(s, protocol_of_alpn(alpn)))
        return;
    patience_begin(s);
    mode_late(&s->mode, ON_LATE_NOTHING, s->patience_since);
    exchange_idle(&s->xs, clock_now());
    mode_fire(&s->mode, ON_HANDSHAKE, NULL);
    fire_protocol(s);
    if (exchange_serving(&s->xs))
        engine_pump(s->xs.engine); /* the server's connection preface (RFC 9113 3.4) */
}

static void received(void *owner, const uint8_t *bytes, size_t n)
{
    struct session *s = owner;
    static const uint8_t type = 22; /* see wrong_port_look */
    enum wrong_port wrong =
        s->xs.engine || wire_is_tls(s->xs.wire) ? WRONG_PORT_NO : wrong_port_look(s, bytes, n);
    if (wrong == WRONG_PORT_TAKEN)
        return;
    if (wrong == WRONG_PORT_NO_AFTER_TYPE)
        input(s, &type, 1);
    input(s, bytes, n);
}

static void stale(void *owner, const uint8_t *bytes, size_t n)
{
    struct session *s = owner;
    s->xs.stale_seen = true;
    s->xs.quiet_since = TIME_NONE;
    if (n > 0)
        input(s, bytes, n);
    if (!wire_reset_due(s->xs.wire)) /* nothing comes after that */
        mode_fire(&s->mode, ON_STALE, NULL);
}

/* A client that says Connection: close, or was told so, and asks for more on its connection: told
 * when that is over, and never served. */
static void unserved(void *owner, const uint8_t *bytes, size_t n)
{
    struct session *s = owner;
    if (s->xs.finished && !protocol_of(s->mode.over)->streams)
        exchange_input(&s->xs, bytes, n);
}

static void peer_closed(void *owner, bool at_end)
{
    struct session *s = owner;
    if (s->xs.engine && wire_can_send(s->xs.wire) && !s->mode.held)
        engine_peer_closed(s->xs.engine);
    else
        wire_close(s->xs.wire, BY_CLIENT); /* nothing that is open could be answered */
}

static void peer_ends(void *owner, bool fin)
{
    struct session *s = owner;
    mode_peer(&s->mode, fin ? SAID_FIN : SAID_CLOSE_NOTIFY, 0);
}

static void progress(void *owner)
{
    struct session *s = owner;
    exchange_settle(&s->xs);
    acks_left(&s->xs);
    places_look(&s->xs);
    if (s->xs.engine && exchange_serving(&s->xs))
        engine_pump(s->xs.engine);
}

/* May more be read? What the engine cannot serve yet it keeps, and that is bounded. */
static bool takes(void *owner)
{
    const struct session *s = owner;
    return !s->xs.engine || !engine_full(s->xs.engine);
}

static const char fault_ended[] = "a fault ended the connection";

/* From now on the engine does nothing but watch. */
static void watch(struct session *s, enum ledger_lost_by by, const char *why)
{
    if (s->watched)
        return;
    s->watched = true;
    exchange_watch(&s->xs, by, why); /* while the engine knows what it has said */
    if (s->xs.engine)
        engine_watch(s->xs.engine, WATCH_ONLY);
}

/* To what is lost what is open when the connection ends. */
static enum ledger_lost_by lost_by(const struct session *s, enum ledger_by by)
{
    switch (by) {
    case BY_FAULT:
        return LOST_BY_FAULT;
    case BY_CLIENT:
        return s->xs.peer_goaway           ? LOST_BY_CLIENT_GOAWAY
               : wire_peer_rst(s->xs.wire) ? LOST_BY_CLIENT_RST
                                           : LOST_BY_CLIENT_FIN;
    case BY_NETWORK:
        return LOST_BY_NETWORK;
    case BY_RESET:
    case BY_MODE:
    case BY_SHUTDOWN:
        return LOST_BY_SHUTDOWN;
    default:
        return s->xs.timed_out ? LOST_BY_TIMEOUT : LOST_BY_SERVER;
    }
}

static void ending(void *owner, enum ledger_by by)
{
    struct session *s = owner;
    s->ended_by_fault = by == BY_FAULT;
    const char *why = by == BY_FAULT ? fault_ended : "the connection ended";
    enum ledger_lost_by lost = lost_by(s, by);
    watch(s, lost, why); /* what is pipelined behind an open exchange was read, too */
    if (s->xs.engine)
        engine_watch_flush(s->xs.engine, false);
    if (by == BY_CLIENT)
        mode_gives_way(&s->mode, "the client ended the connection first", true);
    exchange_tell_lost(&s->xs, lost, why, true);
    mode_conn_ends(&s->mode);
    acks_end(&s->xs);
}

static void add_end_fields(struct session *s)
{
    struct ledger *l = s->xs.ledger;
    bool by_fault = s->ended_by_fault || exchange_silenced(&s->xs);
    int64_t due;
    const struct mode_rule *rule = by_fault ? NULL : mode_armed(&s->mode, s->xs.numbered + 1, &due);
    ledger_int(l, F_EXCHANGES, s->xs.numbered);
    ledger_int(l, F_ANSWERED, s->xs.answered);
    if (s->xs.quiet_since != TIME_NONE)
        ledger_int(l, F_IDLE, clock_now() - s->xs.quiet_since);
    if (by_fault && s->mode.last.seq > wire_fault(s->xs.wire))
        ledger_int(l, F_LAST_FAULT, (int64_t)s->mode.last.seq);
    if (!rule)
        return;
    if (due >= 0)
        ledger_int(l, F_DUE_IN, due);
    ledger_int(l, F_RULE, rule->number);
}

static void add_fields(void *owner, enum ledger_event event)
{
    struct session *s = owner;
    if (event == EV_CONNECTION_END)
        add_end_fields(s);
    else
        witness_leaves(&s->xs);
}

static void closed(void *owner)
{
    struct session *s = owner;
    s->mode.wire = NULL;
    s->mode.engine = NULL;
    timer_cancel(&s->losing);
    timer_cancel(&s->patience);
    engine_destroy(s->xs.engine);
    exchange_drop_all(&s->xs);
    witness_drop_all(&s->xs);
    mode_conn_finish(&s->mode);
    plan_unref(s->undecided);
    free(s->mode_text);
    s->shared->closed(s->shared, s);
    free(s);
}

/* --- What the rules tell */

static void released(void *host, struct mode_exchange *mx)
{
    respond_continue(link_entry(mx, struct session_exchange, mx));
}

/* What the kernel had before the fault is read first. Then a header section that is not whole is
 * told as far as it came, ahead of its end. */
static void losing_reached(struct timer *m, int64_t late)
{
    struct session *s = link_entry(m, struct session, losing);
    if (wire_reads_before(s->xs.wire)) {
        int64_t now = clock_now(), pause = (now - wire_fault_since(s->xs.wire)) / 4;
        timer_at(m, now + (pause < NS_PER_MS ? NS_PER_MS : pause));
        return;
    }
    if (s->xs.engine)
        engine_watch_flush(s->xs.engine, true);
    exchange_tell_lost(&s->xs, LOST_BY_FAULT, fault_ended, false);
}

/* A fault has put the connection out of service, for ever. A request that drew the fault may still
 * be read to its end, as far as it was sent before: it is lost when that is read. Behind a cut,
 * whole responses too are never sent. */
static void out_of_service(struct session *s, bool cut)
{
    watch(s, LOST_BY_FAULT, fault_ended);
    s->losing.reached = losing_reached;
    timer_at(&s->losing, clock_now());
    if (cut)
        exchange_tell_cut(&s->xs, LOST_BY_FAULT, fault_ended);
}

/* It is out of service until resumed(). */
static void held(struct session *s)
{
    exchange_watch(&s->xs, LOST_BY_NONE, NULL);
    if (s->xs.engine)
        engine_watch(s->xs.engine, WATCH_HOLD);
}

/* The client's kernel sends again what it sent in vain, each time after twice as long (RFC 6298
 * 5.5); the first time after this at most, unless its path is very slow. */
#define FROM_HOLE (1250 * NS_PER_MS)

/* What is waited for, from now on: of requests, and before there is one. */
static void wait_anew(struct session *s, int64_t now)
{
    if (wire_state(s->xs.wire) == WIRE_HANDSHAKE)
        mode_late(&s->mode, ON_LATE_HANDSHAKE, now);
    else if (s->xs.begun == 0)
        mode_late(&s->mode, s->sniff.seen ? ON_LATE_HEAD : ON_LATE_NOTHING, now);
    late_anew(&s->xs, now);
}

/* It serves again, after a stall or a hole. */
static void resumed(struct session *s, bool hole)
{
    int64_t now = clock_now(), used = wire_black_hole_used(s->xs.wire);
    s->xs.from_hole_until = 0;
    s->xs.from_hole = false;
    if (hole)
        s->mode.changed = true; /* its client may have gone, unheard */
    if (hole && used != TIME_NONE) {
        s->xs.healed = s->xs.from_holed = s->xs.fed;
        s->xs.from_hole_until = now + 2 * (now - used) + FROM_HOLE;
        s->xs.from_hole_end = wire_black_hole_end(s->xs.wire);
    }
    s->xs.stale_seen = false;
    witness_resumes(&s->xs);
    patience_begin(s);
    wait_anew(s, now);
    if (s->xs.engine) {
        fire_protocol(s);
        if (exchange_serving(&s->xs))
            engine_resume(s->xs.engine);
    }
    places_look(&s->xs);
    respond_all(&s->xs);
    exchange_idle(&s->xs, clock_now());
}

static void changed(void *owner, enum wire_state from, bool cut)
{
    struct session *s = owner;
    enum wire_state state = wire_state(s->xs.wire);
    if (state == WIRE_CLOSED || wire_state_is_fault(state))
        exchange_busy(&s->xs);
    if (cut)
        mode_conn_strikes(&s->mode, wire_fault(s->xs.wire));
    if (wire_state_is_held(state))
        held(s);
    else if (wire_state_is_fault(state))
        out_of_service(s, cut);
    else if (wire_state_is_held(from) && state != WIRE_CLOSED)
        resumed(s, from == WIRE_BLACK_HOLED);
}

static const struct wire_owner wire_calls = {
    .hello = hello,
    .in_cleartext = wrong_port_in_cleartext,
    .established = established,
    .received = received,
    .before = received,
    .stale = stale,
    .unserved = unserved,
    .takes = takes,
    .ending = ending,
    .add_fields = add_fields,
    .peer_ends = peer_ends,
    .peer_closed = peer_closed,
    .changed = changed,
    .progress = progress,
    .closed = closed,
};

static const struct mode_host mode_calls = {
    .released = released,
    .catch_up = catch_up,
    .due = late_due,
    .told = told,
    .pinged = pinged,
};

/* --- Beginning and end */

static void mark(struct exchanges *xs, const char *name, bool now)
{
    struct session *s = session_of(xs);
    s->shared->mark(s->shared, name, now);
}

static const struct exchanges_calls exchanges_calls = {
    .mark = mark,
    .heard = patience_heard,
    .url_mode = url_mode,
};

static enum ledger_path path_from(const struct session_shared *shared, const struct sockaddr *peer)
{
    return shared->config->relayed                  ? PATH_RELAYED
           : gateways_have(&shared->gateways, peer) ? PATH_GATEWAY
                                                    : PATH_DIRECT;
}

static void ledger_open(const struct session *s, const struct sockaddr *peer, int picked)
{
    struct ledger *l = s->xs.ledger;
    char text[ADDRESS_TEXT_SIZE];
    address_text(&s->peer.any, text);
    ledger_begin(l, EV_CONNECTION_OPEN, s->xs.id, 0);
    ledger_text(l, F_LISTENER, s->listener);
    ledger_text(l, F_PEER, text);
    ledger_int(l, F_FAMILY, s->peer.any.sa_family == AF_INET ? 4 : 6);
    ledger_word(l, F_PATH, path_from(s->shared, peer));
    ledger_int(l, F_NUMBER, s->mode.number);
    ledger_mode(s, plan_is_mode(s->shared->plan) ? PLAN_NONE : picked);
    ledger_commit(l);
}

int session_accept(struct session_shared *shared, const struct run_listener *listener,
                   uint32_t number, int fd, const struct sockaddr *peer, socklen_t len,
                   struct session **out)
{
    const struct run_config *run = shared->config;
    struct session *s = calloc(1, sizeof *s);
    struct wire_config config = {
        .loop = run->loop,
        .owner_calls = &wire_calls,
        .owner = s,
        .ledger = shared->ledger,
        .id = last_id + 1,
        .tls = listener->tls ? run->tls : NULL,
        .alpn = protocol_alpn_list(listener->over),
        .keepalive = run->keepalive,
    };
    int error = s ? wire_create(&config, fd, &s->xs.wire) : -ENOMEM;
    if (error) {
        free(s);
        return error;
    }
    s->shared = shared;
    snprintf(s->listener, sizeof s->listener, "%s", listener->name);
    link_init(&s->link);
    s->xs.calls = &exchanges_calls;
    s->xs.config = run;
    s->xs.ledger = shared->ledger;
    s->xs.attempts = shared->attempts;
    s->xs.mode = &s->mode;
    s->xs.id = ++last_id;
    exchange_init(&s->xs);
    s->setting = shared->setting;
    s->mode.number = number;
    int picked = pick(s);
    mode_conn_init(&s->mode, &mode_calls, s, shared->ledger, s->xs.id,
                   plan_program(shared->plan, picked));
    s->mode.listener = s->listener;
    s->mode.v6 = address_of(peer).any.sa_family == AF_INET6;
    s->mode.presumed = listener->tls ? 0 : listener->over & OVER_H1;
    s->early = true;
    s->peer = address_of(peer);
    ledger_open(s, peer, picked);
    s->mode.wire = s->xs.wire;
    wire_closing(s->xs.wire, &s->mode.program->closing);
    patience_begin(s);
    mode_late(&s->mode, listener->tls ? ON_LATE_HANDSHAKE : ON_LATE_NOTHING, s->mode.accepted_at);
    exchange_idle(&s->xs, clock_now());
    *out = s;
    return 0;
}

void session_begin(struct session *s)
{
    mode_fire(&s->mode, ON_ACCEPT, NULL);
}

void session_end_faults(struct session *s, enum ledger_by by)
{
    if (exchange_silenced(&s->xs) || s->mode.changed) {
        wire_abort(s->xs.wire, by, HOW_AS_SEEN);
        return;
    }
    if (wire_state(s->xs.wire) == WIRE_ENDING)
        wire_hurry(s->xs.wire);
    mode_conn_stop_scripts(&s->mode);
    s->mode.last = (struct mode_fault){ 0 };
    respond_open_gates(&s->xs);
}

void session_shutdown(struct session *s)
{
    if (exchange_silenced(&s->xs) || s->mode.held)
        wire_abort(s->xs.wire, BY_SHUTDOWN, HOW_AS_SEEN);
    else if (s->xs.engine && exchange_serving(&s->xs))
        engine_shutdown(s->xs.engine);
    else
        wire_close(s->xs.wire, BY_SERVER);
    wire_hurry(s->xs.wire);
}
