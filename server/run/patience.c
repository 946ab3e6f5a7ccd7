/* patience.c - how long a client may be silent in the middle of something: its TLS handshake, a
 * header section, a request body. Then the server ends it, as real ones do: FIN, over HTTP/2 behind
 * a GOAWAY; a stream whose body does not come is reset alone, as others may continue.
 *
 * Only the client's own silence counts. While a rule acts on it - a fault, a gate, a
 * script at work, anything that has changed the connection for good - the time does not run; it
 * begins anew when that is over. A connection that has carried a request, and has none open, may
 * stay idle for as long as it likes; one that never carried any may not, unless its mode has rules
 * for that. Where its mode has rules on what is late, these decide.
 *
 * The timer is lazy, as that of idle rules (mode/due.c): it is armed for what may fall due
 * first and left alone when that has come in time.
 */
#include "run/session.h"

#define CANCEL 0x8 /* RFC 9113 7 */

struct wait {
    const char *what; /* NULL: nothing is waited for */
    int64_t limit, *since;
    struct session_exchange *sx; /* NULL: no exchange has begun */
};

static void earlier(struct wait *wait, const char *what, int64_t limit, int64_t *since,
                    struct session_exchange *sx)
{
    if (limit && (!wait->what || *since + limit < *wait->since + wait->limit))
        *wait = (struct wait){ what, limit, since, sx };
}

/* Does the mode say what becomes of a connection that carries no request? */
static bool mode_decides(const struct mode_program *p)
{
    return mode_has(p, ON_IDLE) || mode_has(p, ON_AGE) || mode_has(p, ON_LATE_NOTHING) ||
           mode_has(p, ON_MARK);
}

/* What falls due first. */
static struct wait first_wait(struct session *s)
{
    const struct run_patience *p = &s->shared->config->patience;
    const struct mode_program *mode = s->mode.program;
    struct wait first = { .what = NULL };
    if (wire_state(s->xs.wire) == WIRE_HANDSHAKE && !mode_has(mode, ON_LATE_HANDSHAKE))
        earlier(&first, "handshake timeout", p->handshake, &s->patience_since, NULL);
    if (!exchange_serving(&s->xs))
        return first;
    if (s->xs.begun == 0 && !mode_decides(mode))
        earlier(&first, "header timeout", p->header, &s->patience_since, NULL);
    for (struct link *i = s->xs.unanswered.next; i != &s->xs.unanswered; i = i->next) {
        struct session_exchange *sx = link_entry(i, struct session_exchange, link);
        if (sx->end_told)
            continue;
        if (sx->reached == REACHED_BEGUN && !mode_has(mode, ON_LATE_HEAD))
            earlier(&first, "header timeout", p->header, &sx->heard_at, sx);
        else if (sx->reached == REACHED_HEADERS && !mode_has(mode, ON_LATE_BODY))
            earlier(&first, "body timeout", p->body, &sx->heard_at, sx);
    }
    return first;
}

/* Is it not the client alone that it waits for? */
static bool is_held(const struct session *s, const struct wait *wait)
{
    return s->mode.script_count > 0 || s->mode.changed || s->mode.held ||
           (wait->sx && wait->sx->mx.gates > 0) ||
           (wire_state(s->xs.wire) == WIRE_OPEN && !wire_can_send(s->xs.wire));
}

static void give_up(struct session *s, const struct wait *wait)
{
    struct session_exchange *sx = wait->sx;
    bool streams = s->xs.engine && protocol_of(s->mode.over)->streams;
    if (sx)
        exchange_tell_lost_one(sx, LOST_BY_TIMEOUT, wait->what);
    if (streams && sx && sx->reached == REACHED_HEADERS) {
        engine_rst_stream(s->xs.engine, sx->copy.stream, CANCEL);
        return;
    }
    if (streams)
        engine_goaway(s->xs.engine, &(struct goaway){ .last = GOAWAY_LAST_SEEN });
    s->xs.timed_out = true;
    wire_say_why(s->xs.wire, wait->what);
    wire_close(s->xs.wire, BY_SERVER);
}

static void patience_over(struct timer *m, int64_t late)
{
    struct session *s = link_entry(m, struct session, patience);
    int64_t now = clock_now();
    struct wait wait = first_wait(s);
    if (wait.what && *wait.since + wait.limit <= now) {
        bool held = is_held(s, &wait), was_held = s->patience_held;
        s->patience_held = held;
        if (held || was_held || wire_unread(s->xs.wire) > 0)
            *wait.since = now; /* unread: the loop was late itself */
        else
            give_up(s, &wait);
        wait = first_wait(s);
    }
    if (wait.what)
        timer_at(m, *wait.since + wait.limit);
}

/* Arms the timer for something that is waited for. */
static void expect(struct session *s, int64_t since, int64_t limit)
{
    if (!limit || (timer_armed(&s->patience) && s->patience.due <= since + limit))
        return;
    s->patience.reached = patience_over;
    timer_at(&s->patience, since + limit);
}

void patience_begin(struct session *s)
{
    int64_t now = s->patience_since = clock_now();
    for (struct link *i = s->xs.unanswered.next; i != &s->xs.unanswered; i = i->next)
        link_entry(i, struct session_exchange, link)->heard_at = now;
    struct wait wait = first_wait(s);
    expect(s, now, wait.limit);
}

void patience_heard(struct exchanges *xs, struct session_exchange *sx, int64_t now)
{
    const struct run_patience *p = &xs->config->patience;
    sx->heard_at = now;
    expect(session_of(xs), now, sx->reached == REACHED_BEGUN ? p->header : p->body);
}
