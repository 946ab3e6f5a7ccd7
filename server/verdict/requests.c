/* requests.c - what the events of requests do to attempts: begun, told, whole; what they ask. */
#include "verdict/history_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "verdict/spelling.h"

/* --- What a request says */

static uint64_t more_hash(const char *bytes, size_t len)
{
    uint64_t hash = hash_more(HASH_START, bytes, len);
    return hash ? hash : 1;
}

static void read_keys(struct attempt *a, const struct ledger_record *r)
{
    struct ledger_value list;
    const char *key;
    size_t at = 0, len;
    if (!ledger_value(r, F_OTHER_KEYS, &list))
        return;
    for (int i = 0; i < ATTEMPT_KEYS && ledger_item_next(&list, &at, &key, &len); i++)
        a->other_keys[i] = more_hash(key, len);
}

static bool lists_close(const struct ledger_record *r)
{
    struct ledger_value value;
    if (!ledger_value(r, F_CONNECTION_HEADER, &value))
        return false;
    for (size_t i = 0; i + 5 <= value.len; i++) {
        bool begins = i == 0 || strchr(", \t", value.bytes[i - 1]);
        bool ends = i + 5 == value.len || strchr(", \t", value.bytes[i + 5]);
        if (begins && ends && strncasecmp(value.bytes + i, "close", 5) == 0)
            return true;
    }
    return false;
}

/* Fields that a proxy between client and server adds (RFC 9110 7.6.3, RFC 7239, RFC 8586), with "-"
 * at the end: all that begin so. */
static const char *const proxy_fields[] = { "via",      "forwarded", "x-forwarded-for",
                                            "cdn-loop", "x-envoy-",  "l5d-" };

static bool is_proxy_field(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof proxy_fields / sizeof *proxy_fields; i++) {
        if (!len || (name[0] | 0x20) != proxy_fields[i][0])
            continue; /* most are told apart by that */
        size_t n = strlen(proxy_fields[i]);
        bool family = proxy_fields[i][n - 1] == '-';
        if (len >= n && (family || len == n) && strncasecmp(name, proxy_fields[i], n) == 0)
            return true;
    }
    return false;
}

static bool is_named(const char *name, size_t len, const char *wanted)
{
    return len == strlen(wanted) && strncasecmp(name, wanted, len) == 0;
}

/* A proxy asks: what ACKs and what is done with connections is its doing, not the client's (R3). */
static void found_proxy(struct history *h, struct connection *c, struct attempt *a)
{
    h->proxied = true;
    a->network = c->path = PATH_RELAYED;
}

/* The names of its header fields: whether one is Transfer-Encoding, or may be. */
static bool read_names(struct history *h, struct connection *c, struct attempt *a,
                       const struct ledger_record *r)
{
    struct ledger_value list;
    const char *name;
    size_t at = 0, len;
    bool coded = false;
    if (!ledger_value(r, F_HEADERS, &list))
        return true;
    while (ledger_item_next(&list, &at, &name, &len)) {
        coded |= is_named(name, len, "transfer-encoding");
        if (is_proxy_field(name, len))
            found_proxy(h, c, a);
    }
    return coded;
}

/* What is only looked at when somebody asks. */
static void read_texts(struct attempt *a, const struct ledger_record *r)
{
    struct ledger_value value;
    if (!record_keep(r, F_METHOD, &a->method) || !record_keep(r, F_TARGET, &a->target) ||
        !record_keep(r, F_AUTHORITY, &a->authority) ||
        !record_keep(r, F_HANGUP_CALL, &a->hangup_call) ||
        !record_keep(r, F_IDEMPOTENCY_KEY, &a->idempotency_key))
        a->unknown = true; /* without memory */
    record_hash(r, F_REQUEST_ID, &a->request_id);
    record_hash(r, F_TRACE_ID, &a->trace_id);
    if (ledger_value(r, F_CONTENT_TYPE, &value))
        a->media_type = spelling_media_type(value.bytes, value.len);
    record_hash(r, F_USER_AGENT, &a->user_agent);
    record_hash(r, F_FINGERPRINT, &a->fingerprint);
    if (ledger_value(r, F_TARGET, &value)) {
        a->asked = spelling_target(value.bytes, value.len);
        a->path = spelling_path(value.bytes, value.len);
    }
    read_keys(a, r);
    a->said_close = lists_close(r);
}

static uint8_t *head_of(const struct history *h, const struct attempt *a)
{
    return h->heads + (a->number - 1) % h->config.attempts * HEAD_MAX;
}

void attempt_read_head(const struct history *h, struct attempt *a)
{
    struct ledger_index index;
    struct ledger_record r = { .fields = head_of(h, a), .fields_len = a->head_len };
    a->head_len = 0;
    ledger_index(&r, &index);
    read_texts(a, &r);
}

static void keep_head(struct history *h, struct attempt *a, const struct ledger_record *r)
{
    if (r->fields_len > HEAD_MAX) {
        read_texts(a, r);
        return;
    }
    memcpy(head_of(h, a), r->fields, r->fields_len);
    a->head_len = (uint16_t)r->fields_len;
}

static void read_head(struct history *h, struct attempt *a, const struct ledger_record *r)
{
    struct ledger_value value;
    record_hash(r, F_METHOD, &a->method);
    keep_head(h, a, r);
    a->content_length = ledger_number(r, F_CONTENT_LENGTH, -1);
    a->has_range = ledger_value(r, F_RANGE, &value);
    a->partial = r->cut; /* what was cut cannot be compared */
    a->reused = record_tri(r, F_REUSED);
    a->idle_before = record_age(r, F_IDLE_BEFORE);
    a->stream = ledger_number(r, F_STREAM, 0);
    int64_t first_byte = record_age(r, F_FIRST_BYTE);
    if (first_byte != NEVER)
        a->first_byte = (struct span){ first_byte, first_byte };
    else
        a->unknown = true;
    attempt_reach(a, PROGRESS_BEGUN, r);
    if (ledger_number(r, F_COMPLETE, 1))
        attempt_reach(a, PROGRESS_TOLD, r);
}

/* What the ledger lacks of the time in which it began may have been a fault of it. */
static void look_for_gaps(struct history *h, struct attempt *a)
{
    a->unknown |= history_gap_in(h, a->first_byte.from, a->first_byte.to);
}

/* A request is read: a new attempt, or the one that was presumed. */
static struct attempt *attempt_read(struct history *h, struct connection *c,
                                    const struct ledger_record *r)
{
    struct attempt *a = presumed_on(h, c);
    if (!a)
        return attempt_add(h, c, r);
    a->sent = a->first_byte;
    attempt_spared(a, a->outs[0].fault);
    a->presumed = a->partial = a->unknown = false;
    a->exchange = r->exchange;
    attempt_enter(h, a);
    a->last_seq = r->seq;
    a->last_at = r->age;
    for (int i = 0; i < PROGRESS_COUNT; i++)
        a->reached[i] = NEVER;
    return a;
}

/* A request whose head says that it has no content is whole with that. Without Content-Length one
 * over HTTP/2, which has no Transfer-Encoding, may have some, but not one to read something. */
static bool look_for_content(struct attempt *a, const struct connection *c, bool coded,
                             const struct ledger_record *r)
{
    bool none = a->content_length == 0; /* it says so: Java does with GET */
    bool declared = a->content_length > 0 || (!c->h2 && coded);
    bool reads = ledger_text_is(r, F_METHOD, "GET") || ledger_text_is(r, F_METHOD, "HEAD");
    if (a->reached[PROGRESS_TOLD] == NEVER || a->partial || declared || (c->h2 && !reads && !none))
        return false;
    record_no_content(&a->digest);
    return true;
}

void history_on_request(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    struct attempt *a = attempt_read(h, c, r);
    read_head(h, a, r);
    bool coded = read_names(h, c, a, r);
    look_for_gaps(h, a);
    look_for_content(a, c, coded, r);
    if (a->reused == TRI_UNKNOWN && c->opened != NEVER && !c->unknown)
        a->reused = c->requests ? TRI_YES : TRI_NO;
    if (a->idle_before == NEVER && c->idle_since != NEVER)
        a->idle_before = a->first_byte.to - c->idle_since;
    c->requests++;
    c->open++;
    c->idle_since = NEVER;
    faults_meet(h, c, a, 0);
}

/* Sent into a black hole: bitten since it was sent, which was between the beginning of the hole (or
 * the first data that it dropped) and now. */
static void came_out_of_hole(struct history *h, struct connection *c, const struct ledger_record *r)
{
    uint64_t hole = (uint64_t)ledger_number(r, F_FAULT, 0);
    const struct fault *fault = store_find(&h->faults, hole);
    struct attempt *a = r->exchange ? attempt_of(h, c, r->exchange) : NULL;
    bool told = a != NULL; /* as a request, just before */
    if (!told)
        a = attempt_read(h, c, r);
    struct span sent = a->sent.to ? a->sent : (struct span){ fault ? fault->at : 0, r->age };
    a->unknown = !fault;
    if (!told)
        read_head(h, a, r);
    read_names(h, c, a, r);
    a->first_byte = sent;
    a->presumed = a->stale = true;
    a->last_seq = r->seq;
    a->last_at = r->age;
    attempt_out(a, TROUBLE_BITTEN, hole, sent.from, r->seq);
    if (!c->fault)
        attempt_repaired(a, hole, r->age);
    if (r->exchange && !told)
        c->open++;
}

/* Our FIN was not ACKed yet when the request was read: its client could not know of it (R3). */
static void note_crossing(struct history *h, const struct connection *c, const struct attempt *a,
                          const struct ledger_record *r)
{
    const uint64_t seqs[] = { c->fault, c->last_fault };
    if (ledger_number(r, F_FIN_ACKED_BEFORE, FIN_NONE) != FIN_CROSSED)
        return;
    for (size_t i = 0; i < 2; i++) {
        struct fault *f = seqs[i] ? store_find(&h->faults, seqs[i]) : NULL;
        if (f && f->step == STEP_FIN && f->acked.to == NEVER)
            f->crossed = r->age > a->first_byte.to ? r->age : a->first_byte.to;
    }
}

void history_on_stale_request(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    if (ledger_number(r, F_SENT_INTO, INTO_NOTHING) == INTO_BLACK_HOLED) {
        came_out_of_hole(h, c, r);
        return;
    }
    struct attempt *a = attempt_add(h, c, r);
    read_head(h, a, r);
    bool coded = read_names(h, c, a, r);
    look_for_gaps(h, a);
    if (look_for_content(a, c, coded, r)) /* no request_complete follows */
        attempt_reach(a, PROGRESS_WHOLE, r);
    a->stale = true;
    c->open += r->exchange ? 1 : 0;
    if (c->stale_bytes == NEVER)
        c->stale_bytes = a->first_byte.from;
    c->stale_last = NEVER; /* a use for sure */
    note_crossing(h, c, a, r);
    faults_meet(h, c, a, (uint64_t)ledger_number(r, F_FAULT, 0));
}

void history_on_request_complete(struct history *h, const struct ledger_record *r)
{
    struct connection *c = history_connection_of(h, r);
    struct attempt *a;
    if (r->exchange) {
        a = attempt_told(h, c, r);
    } else {
        /* Of a stale request, which has a stream or none. */
        int64_t stream = ledger_number(r, F_STREAM, 0);
        a = attempt_newest(h, c);
        while (a && (a->exchange || !a->stale || (stream && a->stream != stream)))
            a = attempt_before(h, a);
        if (!a)
            a = attempt_told(h, c, r);
    }
    a->last_seq = r->seq;
    record_hash(r, F_DIGEST, &a->digest);
    a->content_length = ledger_number(r, F_BODY_BYTES, a->content_length);
    attempt_reach(a, PROGRESS_WHOLE, r);
}
