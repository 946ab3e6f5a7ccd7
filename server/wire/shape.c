/* shape.c - limits on how a wire's bytes leave: pacing, cutting, and bytes of the caller's choice.
 *
 * What is queued on a wire with a shape goes into a list first, as it came: plaintext unsealed, for
 * how much of it goes into a TLS record is only decided when it leaves. From the list it is
 * appended to w->out, where the rest of the wire takes over. Two things hold it back in the list:
 * the pace (pace.h), until its time has come and the piece before has left; and the cut, behind
 * which nothing is appended. What the cut divides is in w->out as a whole, and only its front
 * leaves. TLS's own records (handshake, KeyUpdate) pass the list by, but not the cut.
 *
 * A cut called for while something waits is an item of the list itself: how many bytes TLS will
 * make of what is before it is not known until that is appended.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/pace.h"
#include "wire/wire_impl.h"

enum kind { SEALED, RAW, ALERT, CUT };

struct item {
    struct item *next;
    enum kind kind;
    struct buf bytes;       /* SEALED, RAW */
    int level, description; /* ALERT */
};

struct shape {
    struct wire *wire;
    struct item *first, *last;
    size_t waiting;        /* bytes in the list */
    uint64_t behind, past; /* see wire_shape_behind; of these, appended behind the cut */
    bool failed;           /* memory ran out: the next flush ends the wire */
    bool tls_ended;        /* by the client: what is to be sealed is dropped */

    struct pace pace;
    struct timer gate; /* armed: what waits, waits for its time */

    bool cut_armed;  /* there is one, and it was not reached */
    bool cut_placed; /* it is known where: */
    uint64_t cut_at; /* in bytes of out_total */
    uint64_t cut_after;
    uint64_t cut_fault; /* the seq of its fault event; 0: it has none */
    enum wire_cut cut_how;
    struct timer cut_over;
};

/* --- The list */

static void drop_item(struct shape *s)
{
    struct item *item = s->first;
    s->first = item->next;
    if (!s->first)
        s->last = NULL;
    s->waiting -= buf_len(&item->bytes);
    buf_free(&item->bytes);
    free(item);
}

static void drop_all(struct shape *s)
{
    while (s->first)
        drop_item(s);
}

static struct item *make_item(enum kind kind)
{
    struct item *item = calloc(1, sizeof *item);
    if (item)
        item->kind = kind;
    return item;
}

static void enqueue(struct shape *s, struct item *item)
{
    if (s->last)
        s->last->next = item;
    else
        s->first = item;
    s->last = item;
}

static struct item *add_item(struct shape *s, enum kind kind)
{
    struct item *item = make_item(kind);
    if (item)
        enqueue(s, item);
    return item;
}

int wire_shape_put(struct wire *w, const void *bytes, size_t n, bool sealed)
{
    struct shape *s = w->shape;
    enum kind kind = sealed ? SEALED : RAW;
    if (s->waiting == 0)
        pace_begin(&s->pace, clock_now());
    struct item *item = s->last && s->last->kind == kind ? s->last : add_item(s, kind);
    if (!item || buf_add(&item->bytes, bytes, n) < 0)
        return -ENOMEM;
    s->waiting += n;
    s->behind += n;
    return 0;
}

bool wire_shape_put_alert(struct wire *w, int level, int description)
{
    if (!w->shape || !w->shape->first)
        return false;
    struct item *item = add_item(w->shape, ALERT);
    if (item) {
        item->level = level;
        item->description = description;
    }
    w->shape->failed = w->shape->failed || !item;
    return true;
}

size_t wire_shape_waiting(const struct wire *w)
{
    return w->shape->waiting;
}

uint64_t wire_shape_behind(const struct wire *w)
{
    return w->shape->behind;
}

/* --- The cut's place */

static bool cut_full(const struct wire *w)
{
    return w->shape->cut_placed && w->out_total >= w->shape->cut_at;
}

static bool cut_reached(const struct wire *w)
{
    return w->shape->cut_placed && w->out_total - buf_len(&w->out) >= w->shape->cut_at;
}

static void place_cut(struct wire *w)
{
    struct shape *s = w->shape;
    uint64_t most = UINT64_MAX - w->out_total;
    s->cut_at = w->out_total + (s->cut_after < most ? s->cut_after : most);
    s->cut_placed = true;
}

/* What was appended behind it may leave. */
static void lift_cut(struct shape *s)
{
    s->cut_placed = false;
    s->behind -= s->past;
    s->past = 0;
    for (struct item **at = &s->first, *before = NULL; *at; before = *at, at = &(*at)->next) {
        struct item *item = *at;
        if (item->kind != CUT)
            continue;
        *at = item->next;
        if (s->last == item)
            s->last = before;
        free(item);
        break;
    }
}

size_t wire_shape_leaving(const struct wire *w, size_t len)
{
    const struct shape *s = w->shape;
    if (!s->cut_placed)
        return len;
    uint64_t sent = w->out_total - len, left = sent < s->cut_at ? s->cut_at - sent : 0;
    return left < len ? (size_t)left : len;
}

/* --- From the list into w->out */

/* Of n bytes just appended, counts those that a receiver can use: of a record that is cut in two
 * none.
 */
static void count_appended(struct wire *w, enum kind kind, size_t n)
{
    struct shape *s = w->shape;
    uint64_t over = cut_full(w) ? w->out_total - s->cut_at : 0;
    size_t past = kind == RAW && over < n ? (size_t)over : over > 0 ? n : 0;
    s->past += past;
    s->behind -= n - past;
}

/* Appends up to n bytes of an item, in front of the cut or across it. */
static int append_bytes(struct wire *w, struct item *item, size_t n)
{
    while (n > 0 && buf_len(&item->bytes) > 0 && !cut_full(w)) {
        size_t piece = buf_len(&item->bytes);
        piece = piece < n ? piece : n;
        piece = piece < RECORD_MAX ? piece : RECORD_MAX;
        int error = wire_append(w, buf_bytes(&item->bytes), piece, item->kind == SEALED);
        if (error)
            return error;
        buf_consume(&item->bytes, piece);
        w->shape->waiting -= piece;
        n -= piece;
        count_appended(w, item->kind, piece);
    }
    return 0;
}

static void append_alert(struct wire *w, const struct item *item)
{
    if (item->level == GNUTLS_AL_WARNING && item->description == GNUTLS_A_CLOSE_NOTIFY)
        gnutls_bye(w->tls, GNUTLS_SHUT_WR);
    else
        gnutls_alert_send(w->tls, item->level, item->description);
}

/* Appends as much of an item as may leave at once. */
static int append_piece(struct wire *w, struct item *item)
{
    struct shape *s = w->shape;
    if (!pace_is_set(&s->pace))
        return append_bytes(w, item, SIZE_MAX);
    int64_t now = clock_now();
    size_t there = buf_len(&item->bytes);
    int error = append_bytes(w, item, pace_room(&s->pace, s->waiting, now));
    pace_left(&s->pace, there - buf_len(&item->bytes), now);
    return error;
}

/* Appends the first item, or as much of it as may leave at once. Returns 0 or -errno. */
static int append_first(struct wire *w)
{
    struct shape *s = w->shape;
    struct item *item = s->first;
    int error = 0;
    switch (item->kind) {
    case SEALED:
    case RAW:
        error = append_piece(w, item);
        break;
    case ALERT:
        append_alert(w, item);
        break;
    case CUT:
        place_cut(w);
        break;
    }
    if (!error && buf_len(&item->bytes) == 0)
        drop_item(s);
    return error;
}

static void no_memory(struct wire *w)
{
    wire_end_error(w, WIRE_LAST_RST, BY_SERVER, ENOMEM);
}

/* May the first item be appended now? */
static bool gate_open(const struct wire *w)
{
    const struct shape *s = w->shape;
    if (!s->first || cut_full(w))
        return false;
    if (!pace_is_set(&s->pace) || s->first->kind == CUT)
        return true;
    if (s->tls_ended && s->first->kind != RAW)
        return true;
    return buf_len(&w->out) == 0 && (s->first->kind == ALERT || s->waiting == 0 ||
                                     pace_due(&s->pace, s->waiting) <= clock_now());
}

/* Comes back when what waits may leave. */
static void wait_for_pace(struct wire *w)
{
    struct shape *s = w->shape;
    if (!s->waiting || !pace_is_set(&s->pace) || cut_full(w))
        timer_cancel(&s->gate);
    else
        timer_at(&s->gate, pace_due(&s->pace, s->waiting));
}

bool wire_shape_release(struct wire *w)
{
    struct shape *s = w->shape;
    uint64_t before = w->out_total;
    if (s->failed)
        no_memory(w);
    while (w->state != WIRE_CLOSED && gate_open(w)) {
        bool dead = s->tls_ended && s->first->kind == SEALED;
        int error = dead ? 0 : append_first(w);
        if (dead || (error && w->tls_done))
            drop_item(s); /* a fatal alert has ended TLS, both ways (RFC 8446 6.2) */
        else if (error)
            wire_end_error(w, WIRE_LAST_RST, BY_SERVER, -error);
    }
    if (w->state != WIRE_CLOSED && buf_len(&w->out) == 0)
        wait_for_pace(w);
    return w->state != WIRE_CLOSED && w->out_total != before;
}

bool wire_shape_over(struct wire *w)
{
    struct shape *s = w->shape;
    if (!cut_reached(w))
        return !s->first;
    if (wire_in_fault(w))
        return true; /* a verb came first: the cut only bounds what goes before it */
    if (!timer_armed(&s->cut_over))
        timer_at(&s->cut_over, clock_now());
    return false;
}

bool wire_shape_waits(const struct wire *w)
{
    const struct shape *s = w->shape;
    return s && s->first && timer_armed(&s->gate) && !cut_reached(w);
}

/* --- Beginning and end */

static void pace_reached(struct timer *m, int64_t late)
{
    wire_flush_and_notify(link_entry(m, struct shape, gate)->wire);
}

void wire_shape_tls_ended(struct wire *w)
{
    struct shape *s = w->shape;
    if (!s)
        return;
    s->tls_ended = true;
    if (s->first)
        timer_at(&s->gate, clock_now());
}

static void ledger_cut(struct wire *w, bool in_effect, const char *why)
{
    ledger_begin(w->ledger, EV_FAULT_DONE, w->id, 0);
    ledger_word(w->ledger, F_STEP, STEP_CUT);
    if (w->shape->cut_fault)
        ledger_int(w->ledger, F_FAULT, (int64_t)w->shape->cut_fault);
    ledger_int(w->ledger, F_IN_EFFECT, in_effect);
    ledger_text(w->ledger, F_WHY, why);
    ledger_int(w->ledger, F_BYTES, (int64_t)w->shape->cut_after);
    ledger_commit(w->ledger);
    w->shape->cut_armed = false;
}

/* How far it came tells what to set: most likely it lies behind the end of a response. */
static void ledger_not_reached(struct wire *w, const char *what_came)
{
    const struct shape *s = w->shape;
    char why[128];
    uint64_t begin = s->cut_at - s->cut_after, sent = w->out_total - buf_len(&w->out);
    uint64_t out = s->cut_placed && sent > begin ? sent - begin : 0;
    snprintf(why, sizeof why, "not reached: %s when %" PRIu64 " of %" PRIu64 " bytes were out",
             what_came, out, s->cut_after);
    ledger_cut(w, false, why);
}

void wire_shape_unfinished(struct wire *w)
{
    if (w->shape && w->shape->cut_armed)
        ledger_not_reached(w, "the connection ended");
}

/* Takes effect from the loop, so that no verb and no wire_send changes the state unexpectedly. */
static void cut_is_over(struct timer *m, int64_t late)
{
    struct shape *s = link_entry(m, struct shape, cut_over);
    struct wire *w = s->wire;
    char why[64];
    if (!cut_reached(w) || wire_in_fault(w))
        return;
    snprintf(why, sizeof why, "in effect: %" PRIu64 " bytes were let out", s->cut_after);
    ledger_cut(w, true, why);
    lift_cut(s);
    wire_announce(w, s->cut_fault);
    wire_verb_cut(w, s->cut_how);
}

static int need_shape(struct wire *w)
{
    if (w->shape)
        return 0;
    w->shape = calloc(1, sizeof *w->shape);
    if (!w->shape)
        return -ENOMEM;
    w->shape->wire = w;
    w->shape->gate.reached = pace_reached;
    w->shape->cut_over.reached = cut_is_over;
    return 0;
}

void wire_shape_stop(struct wire *w)
{
    timer_cancel(&w->shape->gate);
    timer_cancel(&w->shape->cut_over);
}

void wire_shape_destroy(struct wire *w)
{
    if (!w->shape)
        return;
    drop_all(w->shape);
    free(w->shape);
    w->shape = NULL;
}

bool wire_discard(struct wire *w)
{
    struct shape *s = w->shape;
    bool any = buf_len(&w->out) > 0 || (s && s->first);
    if (any)
        w->notified = false; /* a close_notify would be the last of it */
    buf_consume(&w->out, buf_len(&w->out));
    w->mark_plain = w->handed;
    w->mark_out = w->out_total;
    if (s) {
        drop_all(s);
        lift_cut(s);
        s->behind = w->queued - w->handed;
    }
    return any;
}

/* --- The verbs */

/* Whether a pace can be set, with a shape to set it in. none: it is to end. 0, or -errno, or
 * WIRE_TOO_LATE. */
static int ready_for_pace(struct wire *w, bool none)
{
    if (wire_ready(w, WIRE_VERB_PACE))
        return WIRE_TOO_LATE;
    return none && !w->shape ? 0 : need_shape(w);
}

int wire_pace(struct wire *w, uint32_t chunk, int64_t every)
{
    int error = ready_for_pace(w, chunk == 0);
    if (error || !w->shape)
        return error;
    uint32_t parts = chunk / PACE_CHUNK_MAX + (chunk % PACE_CHUNK_MAX != 0);
    pace_set_drops(&w->shape->pace, parts ? chunk / parts : 0, parts ? every / parts : 0,
                   clock_now());
    if (!w->corked)
        wire_flush_in_verb(w); /* what waited may have made room */
    return 0;
}

int wire_throttle(struct wire *w, uint32_t rate)
{
    int error = ready_for_pace(w, rate == 0);
    if (error || !w->shape)
        return error;
    pace_set_rate(&w->shape->pace, rate, clock_now());
    if (!w->corked)
        wire_flush_in_verb(w);
    return 0;
}

bool wire_is_paced(const struct wire *w)
{
    return w->shape && pace_is_set(&w->shape->pace);
}

bool wire_cut_is_full(const struct wire *w)
{
    const struct shape *s = w->shape;
    const struct item *item = s ? s->first : NULL;
    uint64_t behind = 0;
    if (!s || !s->cut_armed)
        return false;
    if (s->cut_placed)
        return w->out_total + s->waiting >= s->cut_at;
    while (item && item->kind != CUT)
        item = item->next;
    for (const struct item *past = item; past; past = past->next)
        behind += buf_len(&past->bytes);
    return item && behind >= s->cut_after;
}

int wire_cut(struct wire *w, uint64_t after, enum wire_cut how)
{
    if (wire_ready(w, WIRE_VERB_CUT))
        return WIRE_TOO_LATE;
    int error = need_shape(w);
    if (error)
        return error;
    struct shape *s = w->shape;
    struct item *item = s->first ? make_item(CUT) : NULL;
    if (s->first && !item)
        return -ENOMEM;
    if (s->cut_armed)
        ledger_not_reached(w, "another cut took its place");
    lift_cut(s);
    s->cut_armed = true;
    s->cut_after = after;
    s->cut_how = how;
    s->cut_fault = w->announced;
    if (item)
        enqueue(s, item);
    else
        place_cut(w);
    if (!w->corked)
        wire_flush_in_verb(w); /* an earlier cut may have held some back */
    return 0;
}

int wire_inject(struct wire *w, const void *bytes, size_t n, bool tls)
{
    if (wire_ready(w, WIRE_VERB_INJECT))
        return WIRE_TOO_LATE;
    uint64_t handed = w->handed;
    if (n > 0)
        wire_put(w, bytes, n, tls && w->tls && w->established);
    wire_notify_later(w, handed); /* what waited before it may have left, too */
    return 0;
}
