/* send.c - how what a wire has to say gets to the kernel, and the count of it.
 *
 * All goes through w->out, which is empty and without memory most of the time. What a pace or a cut
 * keeps from going there waits in w->shape (shape.c), which most wires do not have.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "wire/wire_impl.h"

static struct buf spare_out; /* the memory of an emptied w->out, for the next one that needs some */

static void release_out(struct wire *w)
{
    w->out.start = w->out.end = 0;
    if (!spare_out.data && w->out.size <= LIMIT_QUEUED) {
        spare_out = w->out;
        w->out = (struct buf){ 0 };
    } else {
        buf_free(&w->out);
    }
}

void wire_stop(void)
{
    buf_free(&spare_out);
}

static void take_spare_out(struct wire *w)
{
    if (w->out.data || !spare_out.data)
        return;
    w->out = spare_out;
    spare_out = (struct buf){ 0 };
}

size_t wire_leaving(const struct wire *w)
{
    size_t len = buf_len(&w->out);
    return w->shape ? wire_shape_leaving(w, len) : len;
}

size_t wire_waiting(const struct wire *w)
{
    size_t len = buf_len(&w->out);
    return w->shape ? len + wire_shape_waiting(w) : len;
}

/* Moves the checkpoint on: all plaintext appended to w->out when it was set is in the kernel once
 * all bytes appended by then are. */
static void account(struct wire *w)
{
    uint64_t sent = w->out_total - buf_len(&w->out);
    uint64_t appended = w->shape ? w->queued - wire_shape_behind(w) : w->queued;
    uint64_t before = w->handed;
    if (w->mark_plain > w->handed && sent >= w->mark_out)
        w->handed = w->mark_plain;
    if (wire_leaving(w) == 0)
        w->handed = appended;
    if (w->handed > before)
        w->handed_at = w->sending_at;
    if (w->mark_plain <= w->handed) {
        w->mark_plain = appended;
        w->mark_out = w->out_total;
    }
}

/* Sends what may leave of w->out, as far as the kernel takes it. */
static void push_out(struct wire *w)
{
    size_t leaving = wire_leaving(w);
    if (leaving > 0)
        w->sending_at = clock_now();
    while (leaving > 0) {
        ssize_t n = send(w->fd, buf_bytes(&w->out), leaving, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN) {
                wire_socket_error(w, errno);
                return;
            }
            break;
        }
        leaving -= (size_t)n;
        buf_consume(&w->out, (size_t)n);
        w->bytes_out += (uint64_t)n;
        wire_keepalive_sent(w);
        if (w->state == WIRE_ENDING)
            timer_at(&w->limit, clock_now() + LIMIT_FLUSH);
        else if (w->state == WIRE_RESETTING)
            w->drained_at = clock_now();
    }
    account(w);
}

void wire_flush(struct wire *w)
{
    if (w->state == WIRE_CLOSED || w->effect != WIRE_LEAVING)
        return;
    push_out(w);
    while (w->shape && wire_shape_release(w))
        push_out(w);
    if (w->state == WIRE_CLOSED)
        return;
    if (buf_len(&w->out) == 0 && w->out.data)
        release_out(w);
    if (wire_leaving(w) == 0 && (!w->shape || wire_shape_over(w)) && wire_row(w)->drained) {
        w->drained_at = clock_now();
        wire_row(w)->drained(w);
    }
    wire_poll(w);
}

void wire_flush_and_notify(struct wire *w)
{
    uint64_t handed = w->handed;
    wire_flush(w);
    if (w->handed != handed && w->state != WIRE_CLOSED)
        w->calls->progress(w->owner);
}

static void notify_due(struct timer *m, int64_t late)
{
    struct wire *w = link_entry(m, struct wire, notify_timer);
    w->calls->progress(w->owner);
}

void wire_notify_later(struct wire *w, uint64_t handed)
{
    if (w->handed == handed || w->corked || w->state == WIRE_CLOSED)
        return;
    w->notify_timer.reached = notify_due;
    timer_at(&w->notify_timer, clock_now());
}

void wire_flush_in_verb(struct wire *w)
{
    uint64_t handed = w->handed;
    wire_flush(w);
    wire_notify_later(w, handed);
}

int wire_append(struct wire *w, const void *bytes, size_t n, bool sealed)
{
    take_spare_out(w);
    if (sealed)
        return wire_tls_seal(w, bytes, n);
    int error = buf_add(&w->out, bytes, n);
    if (!error)
        w->out_total += n;
    return error;
}

void wire_put(struct wire *w, const void *bytes, size_t n, bool sealed)
{
    int error = w->shape ? wire_shape_put(w, bytes, n, sealed) : wire_append(w, bytes, n, sealed);
    w->queued += n;
    if (error)
        wire_end_error(w, WIRE_LAST_RST, BY_SERVER, -error);
    else if (!w->corked)
        wire_flush(w);
}

void wire_send(struct wire *w, const void *bytes, size_t n)
{
    if (wire_can_send(w) && n > 0)
        wire_put(w, bytes, n, w->tls != NULL);
}

size_t wire_room(const struct wire *w)
{
    size_t waiting = wire_waiting(w);
    return w->state == WIRE_OPEN && waiting < LIMIT_QUEUED ? LIMIT_QUEUED - waiting : 0;
}

uint64_t wire_end_offset(const struct wire *w)
{
    return w->shape ? WIRE_NO_OFFSET : w->out_total;
}

uint64_t wire_queued(const struct wire *w)
{
    return w->queued;
}

uint64_t wire_handed(const struct wire *w)
{
    return w->handed;
}

int64_t wire_handed_at(const struct wire *w)
{
    return w->handed_at;
}
