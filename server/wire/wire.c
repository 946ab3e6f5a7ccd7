/* wire.c - the socket of a wire: its beginning, and reading. wire.h has the table of states, send.c
 * the writing, end.c its end, closing.c what comes behind our FIN.
 *
 * Reading goes through one static buffer: what it holds is used up before the loop continues, and
 * what must wait is copied to w->held. While the owner is in a callback the wire is corked: all it
 * says leaves in one send.
 */
#include "wire/wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/duration.h"
#include "wire/client_socket.h"
#include "wire/wire_impl.h"

#define FIN_BEHIND_NOTIFY (30 * NS_PER_MS) /* so long a client may take from one to the other */

/* --- Reading */

void wire_tell_peer_closed(struct wire *w, bool at_end)
{
    if (w->state != WIRE_OPEN || w->peer_closed_told)
        return;
    w->peer_closed_told = true;
    w->calls->peer_closed(w->owner, at_end);
}

void wire_tell_peer_ends(struct wire *w, bool fin)
{
    if (w->state == WIRE_OPEN && w->calls->peer_ends)
        w->calls->peer_ends(w->owner, fin);
}

static struct wire_sent_into present(const struct wire *w)
{
    return (struct wire_sent_into){ .state = w->state,
                                    .fault = wire_in_fault(w) ? w->fault : 0,
                                    .since = wire_behind_fin(w) ? w->drained_at : w->fault_since };
}

struct wire_sent_into wire_sent_into(const struct wire *w)
{
    return w->into_earlier ? w->earlier : present(w);
}

void wire_keep_into(struct wire *w)
{
    w->earlier = present(w);
    w->into_earlier = true;
}

void wire_mark_before(struct wire *w)
{
    uint32_t unread = (uint32_t)wire_unread(w);
    if (w->earlier_left > 0)
        w->earlier_left = unread > w->before_left ? unread - w->before_left : 0;
    else
        w->before_left = unread;
}

size_t wire_early_left(const struct wire *w)
{
    return (size_t)w->before_left + w->earlier_left;
}

static void note_stale(struct wire *w, size_t n)
{
    struct wire_sent_into into = wire_sent_into(w);
    w->stale_noted = true;
    ledger_begin(w->ledger, EV_STALE_BYTES, w->id, 0);
    ledger_int(w->ledger, F_BYTES, (int64_t)n);
    ledger_word(w->ledger, F_SENT_INTO, wire_state_into(into.state));
    ledger_int(w->ledger, F_AFTER_FAULT, clock_now() - into.since);
    if (into.fault)
        ledger_int(w->ledger, F_FAULT, (int64_t)into.fault);
    enum ledger_fin_acked acked = wire_fin_acked(w);
    if (acked != FIN_NONE)
        ledger_word(w->ledger, F_FIN_ACKED_BEFORE, acked);
    ledger_commit(w->ledger);
}

void wire_hold(struct wire *w, const uint8_t *bytes, size_t n)
{
    if (buf_add(&w->held, bytes, n) < 0)
        wire_end(w, WIRE_LAST_QUIET, BY_SERVER, HOW_NO_MEMORY);
}

void wire_deliver(struct wire *w, const uint8_t *bytes, size_t n)
{
    if (w->state == WIRE_OPEN) {
        w->calls->received(w->owner, bytes, n);
    } else if (wire_in_fault(w) && !w->late) { /* also what came with the bytes that drew it */
        w->calls->before(w->owner, bytes, n);
    } else if (wire_in_fault(w)) {
        if (!w->stale_noted)
            note_stale(w, w->reading);
        w->calls->stale(w->owner, bytes, n);
    } else if (w->state == WIRE_ENDING && w->calls->unserved) {
        w->calls->unserved(w->owner, bytes, n);
    }
}

/* The end of a reading that the client sent into a connection which we had ended or silenced. */
static void took_late(struct wire *w, size_t n, bool dead)
{
    if (w->tls && !w->closing.reset_late_notify && w->state != WIRE_FORGOTTEN &&
        wire_tls_just_notified(w))
        return; /* it says that it leaves; its FIN will follow */
    if (wire_lingers(w))
        dead = false;
    if (!w->stale_noted && (dead || w->state != WIRE_ENDING)) {
        note_stale(w, n);
        if (w->state != WIRE_ENDING) /* part of a record, an alert: no plaintext in it */
            w->calls->stale(w->owner, NULL, 0);
    }
    if (dead && wire_draws_rst(w) && !w->reset_reads) /* as a closed socket answers it */
        wire_end(w, WIRE_LAST_RST, wire_ended_by(w), HOW_AS_SEEN);
}

static bool read_once(struct wire *w);

void wire_reset(struct wire *w)
{
    w->reset_due = false;
    w->reset_reads = true;
    while (w->state != WIRE_CLOSED && w->reset_left > 0 && !w->peer_fin && read_once(w))
        ;
    if (!w->into_earlier)
        wire_keep_into(w);
    w->fault = w->reset_fault;
    wire_end(w, WIRE_LAST_RST, BY_FAULT, HOW_AS_SEEN);
}

/* Was it sent after we had ended or silenced the connection, and into what? Returns whether it
 * draws a RST. */
static bool begin_reading(struct wire *w, size_t n)
{
    bool dead = wire_draws_rst(w), before = w->before_left > 0;
    bool earlier = !before && w->earlier_left > 0;
    uint32_t *left = before ? &w->before_left : &w->earlier_left;
    w->late = !before && (earlier || dead || wire_row(w)->late == WIRE_LATE_AT_ONCE);
    if (w->late)
        w->into_earlier = earlier;
    *left -= n < *left ? (uint32_t)n : *left;
    return dead && !earlier;
}

static void take(struct wire *w, const uint8_t *bytes, size_t n)
{
    bool dead = begin_reading(w, n);
    uint64_t handed = w->handed;
    w->reset_left -= n < w->reset_left ? n : w->reset_left;
    w->stale_noted = w->notify_read = false;
    w->records = 0;
    w->reading = n;
    w->corked = true;
    if (w->tls) {
        w->in = bytes;
        w->in_len = n;
        wire_tls_input(w);
    } else {
        wire_deliver(w, bytes, n);
    }
    w->corked = false;
    if (w->reset_due) {
        wire_reset(w);
        return;
    }
    if (w->state == WIRE_ENDING)
        wire_say_last(w);
    wire_flush(w);
    wire_poll(w); /* which a flush leaves out when nothing may leave */
    if (w->handed != handed && w->state != WIRE_CLOSED)
        w->calls->progress(w->owner);
    if (w->late && w->state != WIRE_CLOSED)
        took_late(w, n, dead);
    if (wire_behind_fin(w))
        wire_look_behind_fin(w);
}

void wire_handshake_fin(struct wire *w)
{
    wire_end(w, WIRE_LAST_CLOSE, BY_CLIENT, HOW_AS_SEEN);
}

/* The client may have only shut down its writing side and wait for a response that is held back; or
 * it has closed, and its kernel forgets the connection within 60 s. */
void wire_open_fin(struct wire *w)
{
    wire_tell_peer_closed(w, !w->tls || w->tls_done);
    wire_keepalive_probe(w);
}

void wire_both_fins(struct wire *w)
{
    if (wire_behind_fin(w))
        wire_end(w, WIRE_LAST_CLOSE, wire_ended_by(w), HOW_FIN);
}

/* A FIN is a segment too. */
void wire_forgotten_fin(struct wire *w)
{
    if (!wire_draws_rst(w))
        return;
    w->into_earlier = false;
    note_stale(w, 0);
    wire_end(w, WIRE_LAST_RST, BY_FAULT, HOW_AS_SEEN);
}

static void fin_received(struct wire *w)
{
    w->peer_fin = true;
    w->peer_fin_at = clock_now();
    ledger_begin(w->ledger, EV_PEER_FIN, w->id, 0);
    /* Kept out by a stall, or before a handshake that it holds up: it had something to say. */
    int64_t unread = wire_unread(w);
    if (w->tls && !w->established)
        unread += (int64_t)w->bytes_in;
    if (unread > 0)
        ledger_int(w->ledger, F_BYTES, unread);
    wire_add_fields(w, EV_PEER_FIN);
    ledger_commit(w->ledger);
    wire_tell_peer_ends(w, true);
    if (wire_row(w)->peer_fin)
        wire_row(w)->peer_fin(w);
    wire_poll(w);
}

static bool wants_to_read(const struct wire *w)
{
    const struct wire_state_row *row = wire_row(w);
    if (w->peer_fin || !row->reads || buf_len(&w->held) >= LIMIT_HELD)
        return false;
    if (row->keeps && w->calls->takes && !w->calls->takes(w->owner))
        return false;
    return w->state != WIRE_OPEN || wire_waiting(w) < LIMIT_QUEUED;
}

/* Reads once. Returns true when there may be more. */
static bool read_once(struct wire *w)
{
    static uint8_t bytes[LIMIT_READING];
    size_t most = sizeof bytes;
    size_t early = w->before_left > 0 ? w->before_left : w->earlier_left;
    if (early > 0 && early < most)
        most = early; /* what came later is another reading */
    if (w->reset_left > 0 && w->reset_left < most)
        most = w->reset_left; /* and behind the reset there is none */
    if (w->black_hole_end > w->bytes_in && w->black_hole_end - w->bytes_in < most)
        most = w->black_hole_end - w->bytes_in; /* the same of what was sent into a black hole */
    ssize_t n = recv(w->fd, bytes, most, 0);
    if (n > 0) {
        w->bytes_in += (uint64_t)n;
        take(w, bytes, (size_t)n);
    } else if (n == 0) {
        fin_received(w);
    } else if (errno != EAGAIN && errno != EINTR) {
        wire_socket_error(w, errno);
    }
    return n > 0;
}

/* After a close_notify: the FIN that most clients send right behind it is waited for, so that what
 * we answer is answered to all of it. A close_notify of ours that came before the client closes its
 * socket would be unread then, and draw a RST, as an unread response does (RFC 1122 4.2.2.13): they
 * could not be told apart. When the time is over, wire_take_held() goes on. */
static void input_over(struct wire *w)
{
    bool reads = wants_to_read(w);
    if (reads)
        read_once(w);
    if (reads && w->state == WIRE_OPEN && !w->peer_closed_told && !timer_armed(&w->limit))
        timer_at(&w->limit, clock_now() + FIN_BEHIND_NOTIFY);
    else if (!timer_armed(&w->limit))
        wire_tell_peer_closed(w, true);
}

static void failed(struct wire *w)
{
    int error = 0;
    socklen_t len = sizeof error;
    while (w->state != WIRE_CLOSED && wants_to_read(w) && read_once(w))
        ; /* what came before the reset can still be read */
    if (w->state == WIRE_CLOSED)
        return;
    getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    wire_socket_error(w, error ? error : ECONNRESET);
}

static void polled(uv_poll_t *poll, int status, int events)
{
    struct wire *w = poll->data;
    if (status < 0) {
        w->polled = 0; /* libuv has stopped it */
        failed(w);
        return;
    }
    if (events & UV_WRITABLE)
        wire_flush_and_notify(w);
    if (events & UV_PRIORITIZED) {
        char urgent; /* out-of-band data, which nobody asked for: taken, so that it wakes us no more
                      */
        if (recv(w->fd, &urgent, 1, MSG_OOB | MSG_DONTWAIT) <= 0)
            uv_poll_stop(&w->poll);
    }
    if ((events & UV_DISCONNECT) && w->state == WIRE_STALLED) {
        w->hup_seen = true;
        wire_end_later(w);
        wire_poll(w);
    }
    if ((events & UV_READABLE) && w->state != WIRE_CLOSED && wants_to_read(w)) {
        read_once(w);
        if (w->tls_done && w->state == WIRE_OPEN)
            input_over(w);
    }
}

void wire_resume_reading(struct wire *w)
{
    wire_poll(w);
}

void wire_poll(struct wire *w)
{
    if (w->state == WIRE_CLOSED)
        return;
    int events = wants_to_read(w) ? UV_READABLE : 0;
    if (wire_leaving(w) > 0 && w->effect == WIRE_LEAVING)
        events |= UV_WRITABLE;
    if (!events && w->state == WIRE_STALLED && !w->peer_fin && !w->hup_seen)
        events = UV_DISCONNECT; /* what it sent is left in the kernel; its end is noticed */
    if (!events)
        events = UV_PRIORITIZED; /* nothing but errors */
    if (events == w->polled)
        return;
    w->polled = (uint8_t)events;
    uv_poll_start(&w->poll, events, polled);
}

void wire_take_held(struct wire *w)
{
    struct buf held = w->held;
    w->held = (struct buf){ 0 };
    if (buf_len(&held) > 0)
        take(w, buf_bytes(&held), buf_len(&held));
    buf_free(&held);
    if (w->peer_fin && w->state == WIRE_HANDSHAKE)
        wire_end(w, WIRE_LAST_CLOSE, BY_CLIENT, HOW_AS_SEEN);
    else if (w->peer_fin || w->tls_done)
        wire_tell_peer_closed(w, !w->tls || w->tls_done);
}

static void limit_reached(struct timer *m, int64_t late)
{
    struct wire *w = link_entry(m, struct wire, limit);
    if (w->reset_due)
        wire_reset(w);
    else if (wire_in_fault(w) && wire_shape_waits(w)) /* we are not done ourselves */
        timer_at(m, clock_now() + LIMIT_DRAIN);
    else
        wire_row(w)->limit(w);
}

/* --- The beginning */

int wire_create(const struct wire_config *config, int fd, struct wire **out)
{
    struct wire *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    *w = (struct wire){ .fd = fd,
                        .state = config->tls ? WIRE_HANDSHAKE : WIRE_OPEN,
                        .told = config->tls ? WIRE_HANDSHAKE : WIRE_OPEN,
                        .established = !config->tls,
                        .calls = config->owner_calls,
                        .owner = config->owner,
                        .ledger = config->ledger,
                        .id = config->id,
                        .opened_at = clock_now(),
                        .keepalive = config->keepalive,
                        .unacked_since = TIME_NONE,
                        .closing = WIRE_CLOSING_DEFAULT,
                        .fault_since = TIME_NONE,
                        .fin_acked_at = TIME_NONE,
                        .black_hole_used_at = TIME_NONE,
                        .sending_at = TIME_NONE,
                        .handed_at = TIME_NONE,
                        .limit.reached = limit_reached };
    int error = config->tls ? wire_tls_create(w, config->tls, config->alpn) : 0;
    if (!error)
        error = uv_poll_init(config->loop, &w->poll, fd);
    if (error) {
        if (w->tls)
            gnutls_deinit(w->tls);
        free(w);
        return error;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    w->poll.data = w;
    wire_keepalive_begin(w);
    wire_poll(w);
    *out = w;
    return 0;
}

/* --- Looking */

enum wire_state wire_state(const struct wire *w)
{
    return w->state;
}

bool wire_reads_before(const struct wire *w)
{
    bool leaving =
        wire_in_fault(w) && wire_row(w)->late == WIRE_LATE_IN_EFFECT && w->effect != WIRE_IN_EFFECT;
    return !w->peer_fin && (wire_early_left(w) > 0 || leaving);
}

bool wire_reset_due(const struct wire *w)
{
    return w->reset_due;
}

bool wire_peer_gone(const struct wire *w)
{
    return w->peer_fin || w->hup_seen;
}

bool wire_left_in_silence(struct wire *w)
{
    if (w->effect != WIRE_IN_EFFECT)
        return false;
    if (w->state == WIRE_BLACK_HOLED && !w->left_hole)
        w->left_hole = client_socket_is_left(w->fd);
    return w->state == WIRE_STALLED ? w->peer_fin : w->state == WIRE_BLACK_HOLED && w->left_hole;
}

bool wire_can_send(const struct wire *w)
{
    return w->state == WIRE_OPEN && !w->notified;
}

bool wire_is_tls(const struct wire *w)
{
    return w->tls != NULL;
}

int64_t wire_fault_since(const struct wire *w)
{
    return w->fault_since;
}

uint64_t wire_fault(const struct wire *w)
{
    return w->fault;
}

uint64_t wire_bytes_in(const struct wire *w)
{
    return w->bytes_in;
}

uint64_t wire_bytes_out(const struct wire *w)
{
    return w->bytes_out;
}
