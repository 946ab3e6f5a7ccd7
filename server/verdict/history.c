/* history.c - records as they come, what is missing between them, and what is forgotten.
 *
 * The promise of this file: whatever is not in the ledger, or no longer held, is known to be
 * missing. An attempt that was not over when something went missing is unknown from then on; when
 * it was, what came later cannot have changed it (over).
 */
#include "verdict/history_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/utf8.h"

#define SHOWN_MAX 200

static event_handler on_a_request, on_mark, on_cleared, on_server_paused;

static event_handler *const handlers[EV_COUNT] = {
    [EV_CONNECTION_OPEN] = history_on_connection_open,
    [EV_CLIENT_HELLO] = history_on_client_hello,
    [EV_PROTOCOL] = history_on_protocol,
    [EV_REQUEST] = on_a_request,
    [EV_REQUEST_COMPLETE] = history_on_request_complete,
    [EV_PROCESSED] = history_on_processed,
    [EV_RESPONSE_START] = history_on_response_start,
    [EV_RESPONSE_END] = history_on_response_end,
    [EV_RESPONSE_ACKED] = history_on_response_acked,
    [EV_EXCHANGE_LOST] = history_on_exchange_lost,
    [EV_FAULT] = history_on_fault,
    [EV_FAULT_DONE] = history_on_fault_done,
    [EV_FAULT_ACKED] = history_on_fault_acked,
    [EV_STALE_BYTES] = history_on_stale_bytes,
    [EV_STALE_REQUEST] = on_a_request,
    [EV_SYN_DROPPED] = history_on_syn_dropped,
    [EV_SEGMENTS_DROPPED] = history_on_segments_dropped,
    [EV_PEER_FIN] = history_on_peer_fin,
    [EV_PEER_RST] = history_on_peer_rst,
    [EV_PEER_CLOSE_NOTIFY] = history_on_peer_close_notify,
    [EV_PEER_SETTINGS] = history_on_peer_settings,
    [EV_PEER_SETTINGS_ACK] = history_on_peer_settings_ack,
    [EV_PEER_PING] = history_on_peer_ping,
    [EV_PEER_PING_ACK] = history_on_peer_ping_ack,
    [EV_PING_SENT] = history_on_ping_sent,
    [EV_PEER_GOAWAY] = history_on_peer_goaway,
    [EV_PEER_ALERT] = history_on_peer_alert,
    [EV_PEER_RST_STREAM] = history_on_peer_rst_stream,
    [EV_CONNECTION_END] = history_on_connection_end,
    [EV_MARK] = on_mark,
    [EV_CLEARED] = on_cleared,
    [EV_SERVER_PAUSED] = on_server_paused,
};

struct history *history_create(const struct history_config *config)
{
    struct history *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->config = *config;
    h->unknown_until = h->told = NEVER;
    h->heads = calloc(config->attempts, HEAD_MAX);
    if (h->heads && store_init(&h->attempts, sizeof(struct attempt), config->attempts) == 0 &&
        store_init_names(&h->attempts) == 0 &&
        store_init(&h->connections, sizeof(struct connection), config->connections) == 0 &&
        store_init(&h->faults, sizeof(struct fault), config->faults) == 0 &&
        store_init(&h->marks, sizeof(struct mark), config->faults) == 0 &&
        store_init(&h->gaps, sizeof(struct gap), config->faults) == 0 &&
        store_init(&h->pauses, sizeof(struct pause), config->faults) == 0 &&
        store_init(&h->lost_syns, sizeof(struct lost_syns), config->faults) == 0)
        return h;
    history_destroy(h);
    return NULL;
}

void history_destroy(struct history *h)
{
    if (!h)
        return;
    struct attempt *a;
    for (size_t i = 0; (a = store_at(&h->attempts, i)); i++)
        attempt_forget(a);
    free(h->heads);
    store_finish(&h->attempts);
    store_finish(&h->connections);
    store_finish(&h->faults);
    store_finish(&h->marks);
    store_finish(&h->gaps);
    store_finish(&h->pauses);
    store_finish(&h->lost_syns);
    free(h);
}

/* --- Fields of records */

static uint64_t hash_of(const char *bytes, size_t len)
{
    uint64_t hash = hash_more(HASH_START, bytes, len);
    return hash ? hash : 1;
}

void record_hash(const struct ledger_record *r, enum ledger_field field, struct text *out)
{
    struct ledger_value value;
    *out = (struct text){ 0 };
    if (!ledger_value(r, field, &value))
        return;
    if (value.kind == LEDGER_HASH)
        *out = (struct text){ .hash = hash_of((const char *)&value.hash, sizeof value.hash),
                              .len = 16 };
    else
        *out = (struct text){ .hash = hash_of(value.bytes, value.len), .len = (uint32_t)value.len };
}

void record_no_content(struct text *out)
{
    const uint64_t nothing = HASH_START;
    *out = (struct text){ .hash = hash_of((const char *)&nothing, sizeof nothing), .len = 16 };
}

/* The beginning of it, as the ledger's JSON shows it (buf_json), control characters aside: so that
 * it is the same of a ledger that was saved. */
static void to_show(const char *bytes, size_t len, char out[SHOWN_MAX + 1])
{
    size_t used = 0;
    for (size_t i = 0; i < len;) {
        uint8_t byte = (uint8_t)bytes[i];
        size_t step = utf8_sequence((const uint8_t *)bytes + i, len - i);
        char wide[2] = { (char)(0xc0 | byte >> 6), (char)(0x80 | (byte & 0x3f)) };
        const char *from = step ? bytes + i : wide;
        size_t size = step ? step : sizeof wide;
        if (used + size > SHOWN_MAX)
            break;
        memcpy(out + used, byte < 0x20 || byte == 0x7f ? "?" : from, size);
        used += size;
        i += step ? step : 1;
    }
    out[used] = 0;
}

bool record_keep(const struct ledger_record *r, enum ledger_field field, struct text *out)
{
    struct ledger_value value;
    record_hash(r, field, out);
    if (!ledger_value(r, field, &value) || !value.len) /* half a request may have it empty */
        return true;
    char shown[SHOWN_MAX + 1];
    to_show(value.bytes, value.len, shown);
    out->bytes = strdup(shown);
    return out->bytes != NULL;
}

int64_t record_age(const struct ledger_record *r, enum ledger_field field)
{
    return ledger_number(r, field, NEVER);
}

enum tri record_tri(const struct ledger_record *r, enum ledger_field field)
{
    int64_t told = ledger_number(r, field, -1);
    return told < 0 ? TRI_UNKNOWN : told ? TRI_YES : TRI_NO;
}

/* --- What is missing */

void history_unknown(struct history *h, int64_t age)
{
    if (age > h->unknown_until)
        h->unknown_until = age;
}

/* Nothing that is told later, or is not, can change whether it was answered. */
static bool over(const struct history *h, const struct attempt *a)
{
    if (!a->closed)
        return false;
    switch (a->progress) {
    case PROGRESS_CONFIRMED:
        return true;
    case PROGRESS_ACKED:
        return h->age >= a->reached[PROGRESS_HANDED] + h->config.grace;
    case PROGRESS_HANDED:
        return false;
    default:
        return true; /* it is lost */
    }
}

/* Of a connection that is forgotten: what is told of them from now on cannot be placed. */
static void lose_sight(struct history *h, const struct connection *c)
{
    struct attempt *a = c ? attempt_newest(h, c) : NULL;
    for (; a; a = attempt_before(h, a))
        a->unknown |= !over(h, a);
    history_unknown(h, h->age);
}

void history_make_room(struct history *h, struct store *s)
{
    if (!store_full(s))
        return;
    if (s == &h->attempts) {
        struct attempt *a = store_at(s, 0);
        h->recent_attempt = NULL;
        history_unknown(h, over(h, a) ? a->last_at : h->age);
        bool answered = history_answered(h, a);
        h->forgotten_unanswered += !answered;
        h->forgotten_struck += !answered || a->fault || a->holding || a->out_count || a->stale;
        attempt_forget(a);
    } else if (s == &h->connections) {
        h->recent = NULL;
        lose_sight(h, store_at(s, 0));
    } else if (s == &h->faults) {
        const struct fault *f = store_at(s, 0);
        lose_sight(h, store_find(&h->connections, f->connection));
    } else if (s == &h->marks) {
        h->marks_forgotten = true;
    } else {
        history_unknown(h, h->age);
    }
    h->forgotten++;
    store_drop(s);
}

/* Of two gaps without room for both one is made that holds all between them. */
static struct gap *add_gap(struct history *h, uint64_t first)
{
    if (!store_full(&h->gaps))
        return store_add(&h->gaps, first);
    return store_back(&h->gaps, 0);
}

void history_gap(struct history *h, uint64_t first, uint64_t last)
{
    if (last < first)
        return;
    struct gap *gap = add_gap(h, first);
    if (!gap->first)
        *gap = (struct gap){ .first = first, .from = h->age };
    gap->last = last;
    gap->to = h->age;
    h->gap_open = true;

    struct attempt *a;
    for (size_t i = 0; (a = store_at(&h->attempts, i)); i++)
        a->unknown |= !over(h, a);
    struct connection *c;
    for (size_t i = 0; (c = store_at(&h->connections, i)); i++)
        c->unknown |= c->ended == NEVER;
    if (last > h->last_seq)
        h->last_seq = last;
}

/* A reset: the harness begins anew. What was open then may continue, and is not told of any more.
 */
static void on_cleared(struct history *h, const struct ledger_record *r)
{
    if (h->last_seq == 0 && r->seq > 1)
        history_unknown(h, r->age);
    h->recent_attempt = NULL;
    while (store_count(&h->attempts) > 0) {
        struct attempt *a = store_at(&h->attempts, 0);
        if (!over(h, a))
            history_unknown(h, r->age);
        attempt_forget(a);
        store_drop(&h->attempts);
    }
    while (store_count(&h->pauses) > 0)
        store_drop(&h->pauses);
    struct connection *c;
    h->proxied = h->pauses_forgotten = false;
    for (size_t i = 0; (c = store_at(&h->connections, i)); i++)
        c->oldest = c->newest = c->presumed = 0;
}

/* --- Records */

/* It has many fields, of which many are asked for. */
static void on_a_request(struct history *h, const struct ledger_record *r)
{
    struct ledger_record record = *r;
    struct ledger_index index;
    ledger_index(&record, &index);
    if (r->event == EV_REQUEST)
        history_on_request(h, &record);
    else
        history_on_stale_request(h, &record);
}

void history_feed_next(struct history *h, const struct ledger_record *r)
{
    event_handler *handler = handlers[r->event];
    history_now(h, r->age);
    if (h->gap_open) {
        ((struct gap *)store_back(&h->gaps, 0))->to = h->age;
        h->gap_open = false;
    }
    if (handler)
        handler(h, r);
    h->last_seq = r->seq;
    h->told = r->age;
}

void history_feed(struct history *h, const struct ledger_record *r)
{
    if (r->event == EV_GAP) {
        history_gap(h, (uint64_t)ledger_number(r, F_FIRST_SEQ, 1),
                    (uint64_t)ledger_number(r, F_LAST_SEQ, 0));
        if (r->seq > h->last_seq)
            h->last_seq = r->seq;
        return;
    }
    if (r->seq <= h->last_seq)
        return;
    if (r->seq > h->last_seq + 1 && !(r->event == EV_CLEARED && h->last_seq == 0))
        history_gap(h, h->last_seq + 1, r->seq - 1);
    history_feed_next(h, r);
}

void history_commanded(struct history *h, bool commanded)
{
    h->commanded = commanded;
}

void history_skip(struct history *h, uint64_t seq)
{
    if (seq > h->last_seq)
        h->last_seq = seq;
}

void history_now(struct history *h, int64_t age)
{
    if (age > h->age)
        h->age = age;
}

static void on_mark(struct history *h, const struct ledger_record *r)
{
    struct ledger_value name;
    if (!ledger_value(r, F_NAME, &name))
        return;
    history_make_room(h, &h->marks);
    struct mark *mark = store_add(&h->marks, r->seq);
    size_t len = name.len < sizeof mark->name ? name.len : sizeof mark->name - 1;
    memcpy(mark->name, name.bytes, len);
    mark->seq = r->seq;
    mark->exact = ledger_number(r, F_SOURCE, SOURCE_ADMIN) == SOURCE_HEADER;
    mark->at = (struct span){ ledger_number(r, F_FROM, r->age), ledger_number(r, F_TO, r->age) };
}

/* It is told ahead of what was read behind it: what was told before shows that the server ran.
 * Where it was not seen to run for long enough since the last one, what waited then may still have
 * waited: the two are as one. */
static void on_server_paused(struct history *h, const struct ledger_record *r)
{
    struct pause *last = store_back(&h->pauses, 0);
    struct pause pause = { .from = ledger_number(r, F_FROM, r->age),
                           .to = ledger_number(r, F_TO, r->age),
                           .slept = ledger_number(r, F_SLEPT, 0) + (last ? last->slept : 0) };
    pause.until = pause.to + LIMIT_PAUSED;
    if (last && pause.from <= last->to) {
        pause.from = last->from;
        *last = pause;
        return;
    }
    if (pause.from < h->told)
        pause.from = h->told;
    if (store_full(&h->pauses)) {
        h->pauses_forgotten = true;
        store_drop(&h->pauses);
    }
    *(struct pause *)store_add(&h->pauses, r->seq) = pause;
}

/* Times at the beginning of a pause keep their order, and are otherwise as good as one. */
#define SQUEEZED 1000

/* How many pauses began before a time. */
static size_t pauses_before(const struct history *h, int64_t at)
{
    size_t low = 0, high = store_count(&h->pauses);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct pause *p = store_at(&h->pauses, middle);
        if (p->from < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t history_pauses(const struct history *h)
{
    return store_count(&h->pauses);
}

const struct pause *history_pause_at(const struct history *h, int64_t at, size_t *index)
{
    size_t before = pauses_before(h, at);
    const struct pause *p = before ? store_at(&h->pauses, before - 1) : NULL;
    if (!p || at > p->until)
        return NULL;
    if (index)
        *index = before - 1;
    return p;
}

int64_t history_early(const struct history *h, int64_t at)
{
    const struct pause *p = history_pause_at(h, at, NULL);
    return p ? p->from + (at - p->from) / SQUEEZED : at;
}

bool history_pauses_forgotten(const struct history *h)
{
    return h->pauses_forgotten;
}

int64_t history_slept(const struct history *h, int64_t at)
{
    size_t before = at == INT64_MAX ? 0 : pauses_before(h, at);
    const struct pause *p = before ? store_at(&h->pauses, before - 1) : NULL;
    return p ? p->slept : 0;
}

/* --- Reading */

int64_t history_age(const struct history *h)
{
    return h->age;
}

int64_t history_grace(const struct history *h)
{
    return h->config.grace;
}

bool history_proxied(const struct history *h)
{
    return h->proxied;
}

uint64_t history_forgotten(const struct history *h)
{
    return h->forgotten;
}

uint64_t history_forgotten_unanswered(const struct history *h)
{
    return h->forgotten_unanswered;
}

uint64_t history_forgotten_struck(const struct history *h)
{
    return h->forgotten_struck;
}

bool history_gap_in(const struct history *h, int64_t from, int64_t to)
{
    const struct gap *gap;
    for (size_t i = 0; (gap = store_back(&h->gaps, i)) && gap->to >= from; i++) {
        if (gap->from <= to)
            return true;
    }
    return false;
}

bool history_lacks(const struct history *h, int64_t from, int64_t to)
{
    return history_gap_in(h, from, to) || (h->unknown_until != NEVER && h->unknown_until >= from);
}

size_t history_attempts(const struct history *h)
{
    return store_count(&h->attempts);
}

size_t history_connections(const struct history *h)
{
    return store_count(&h->connections);
}

static const struct attempt *with_head(const struct history *h, struct attempt *a)
{
    if (a && a->head_len)
        attempt_read_head(h, a);
    return a;
}

const struct attempt *history_attempt(const struct history *h, size_t i)
{
    return with_head(h, store_at(&h->attempts, i));
}

const struct connection *history_connection(const struct history *h, size_t i)
{
    return store_at(&h->connections, i);
}

const struct fault *history_fault(const struct history *h, size_t i)
{
    return store_at(&h->faults, i);
}

const struct mark *history_mark(const struct history *h, size_t i)
{
    return store_at(&h->marks, i);
}

const struct gap *history_missing(const struct history *h, size_t i)
{
    return store_at(&h->gaps, i);
}

const struct lost_syns *history_lost_syns(const struct history *h, size_t i)
{
    return store_at(&h->lost_syns, i);
}

const struct attempt *history_find_attempt(const struct history *h, uint64_t number)
{
    return with_head(h, store_find(&h->attempts, number));
}

const struct connection *history_find_connection(const struct history *h, uint64_t id)
{
    return store_find(&h->connections, id);
}

const struct fault *history_find_fault(const struct history *h, uint64_t seq)
{
    return store_find(&h->faults, seq);
}
