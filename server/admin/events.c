/* events.c - the ledger of a run, as pages (JSON, NDJSON) that end where it ended when they were
 * asked for, or as a stream of server-sent events that continues.
 *
 * A page of all events is rendered from where it begins. With a filter the events are looked for
 * first, and then rendered one by one. All of it in small steps (work.c), and of each run, also one
 * that has ended: its ledger stays while a call has it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/call.h"
#include "base/clock.h"

#define EVENTS_MAX 10000
#define EVENTS     1000               /* when max is not given */
#define PAGE_BYTES (4u * 1024 * 1024) /* of memory in the ledger; a page ends here */
#define STEP_BYTES 4096               /* rendered at a time */
#define STEP       64                 /* events that are looked at at a time */
#define KEEP_ALIVE (15 * NS_PER_S)    /* of a stream, without an event */

static const char *const types[] = { "application/json", "application/x-ndjson",
                                     "text/event-stream" };

void events_free(struct page *page)
{
    free(page->call);
    buf_free(&page->exchanges);
    buf_free(&page->found);
}

/* --- What is asked for */

static int refuse_event(struct call *call, const char *name, size_t len)
{
    struct refusal why;
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(len < 60 ? len : 60), name);
    struct suggestions meant = { .word = word };
    for (int event = 0; event < EV_COUNT; event++)
        suggest_offer(&meant, ledger_event_name((enum ledger_event)event));
    refuse(&why, "?event", "names of events, with commas between them (docs/ledger.md)",
           "\"%s\" is no event", word);
    refuse_meant(&why, &meant);
    response_problem(call, PROBLEM_QUERY, &why);
    return BAD_INPUT;
}

static bool kind_is_in(const struct page *page, int event)
{
    return page->kinds[event / 64] >> event % 64 & 1;
}

static int read_kinds(struct call *call)
{
    _Static_assert(EV_COUNT <= 128, "a bit for each event");
    struct page *page = &call->page;
    size_t len;
    const char *text = input_query(call, "event", &len), *end = text ? text + len : NULL;
    while (text && text <= end) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        size_t n = (size_t)((comma ? comma : end) - text);
        int event = 0;
        while (event < EV_COUNT &&
               !(strlen(ledger_event_name((enum ledger_event)event)) == n &&
                 memcmp(ledger_event_name((enum ledger_event)event), text, n) == 0))
            event++;
        if (event == EV_COUNT)
            return refuse_event(call, text, n);
        page->kinds[event / 64] |= 1ull << event % 64;
        text += n + 1;
    }
    return 0;
}

/* Of a query value: "%41" is "A". False: it is none that can be. */
static bool decode(const char *text, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        char hex[3] = { 0 }, *end;
        if (text[i] != '%') {
            *out++ = text[i];
            continue;
        }
        if (len - i < 3)
            return false;
        memcpy(hex, text + i + 1, 2);
        long byte = strtol(hex, &end, 16);
        if (*end || byte < 1)
            return false;
        *out++ = (char)byte;
        i += 2;
    }
    *out = '\0';
    return true;
}

static int read_call(struct call *call)
{
    size_t len;
    const char *text = input_query(call, "call", &len);
    if (!text)
        return 0;
    call->page.call = malloc(len + 1);
    if (!call->page.call) {
        response_outcome(call, -ENOMEM, NULL);
        return BAD_INPUT;
    }
    if (len > 0 && decode(text, len, call->page.call))
        return 0;
    response_refuse(call, PROBLEM_QUERY, "?call",
                    "an id that a request of the call carries: Hangup-Call, Idempotency-Key, "
                    "X-Request-ID or a trace id",
                    "is no such id");
    return BAD_INPUT;
}

/* What says two things at once, or nothing, is no question. */
static int refuse_pairs(struct call *call)
{
    bool stream = call->page.as == AS_STREAM;
    size_t len;
    if (!stream && call->page.newest && input_query(call, "max", &len))
        response_refuse(call, PROBLEM_QUERY, "?max", "either last or max",
                        "last says already how many events there may be");
    else if (stream && input_query(call, "wait", &len))
        response_refuse(call, PROBLEM_QUERY, "?wait", "no wait with Accept: text/event-stream",
                        "a stream waits until the run ends");
    else
        return 0;
    return BAD_INPUT;
}

/* Where to continue a stream that was broken: there, also if it had begun with the newest ones. */
static int read_last_event_id(struct call *call, uint64_t last, uint64_t *since)
{
    const char *id = MHD_lookup_connection_value(call->mhd, MHD_HEADER_KIND, "Last-Event-ID");
    char *end;
    if (!id || call->page.as != AS_STREAM || !*id)
        return 0;
    unsigned long long n = strtoull(id, &end, 10);
    if (*id >= '0' && *id <= '9' && !*end && n <= last) {
        *since = n;
        call->page.newest = 0;
        return 0;
    }
    response_refuse(call, PROBLEM_QUERY, "Last-Event-ID", "an id that this run's stream has sent",
                    "is no such id");
    return BAD_INPUT;
}

static int read_question(struct call *call)
{
    struct page *page = &call->page;
    uint64_t last = ledger_last(trial_ledger(call->trial));
    int type = input_choose_type(call, types, sizeof types / sizeof *types);
    int rc = type < 0 ? BAD_INPUT : 0;
    page->as = (enum page_as)type;
    if (!rc)
        rc = waiting_read(call, &page->until);
    if (!rc)
        rc = input_query_number(call, "max", 1, EVENTS_MAX,
                                page->as == AS_STREAM ? UINT64_MAX : EVENTS, &page->max);
    if (!rc)
        rc = input_query_number(call, "since", 0, last, 0, &page->since);
    if (!rc)
        rc = input_query_number(call, "last", 1, EVENTS_MAX, 0, &page->newest);
    if (!rc)
        rc = input_query_number(call, "connection", 1, INT64_MAX, 0, &page->connection);
    if (!rc)
        rc = read_kinds(call);
    if (!rc)
        rc = read_call(call);
    if (!rc)
        rc = refuse_pairs(call);
    return rc ? rc : read_last_event_id(call, last, &page->since);
}

/* --- Filters */

static const enum ledger_field ids[] = { F_HANGUP_CALL, F_IDEMPOTENCY_KEY, F_REQUEST_ID,
                                         F_TRACE_ID };

static bool carries(const struct ledger_record *r, const char *id)
{
    struct ledger_value others;
    const char *item;
    size_t n, at = 0, len = strlen(id);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (ledger_text_is(r, ids[i], id))
            return true;
    if (!ledger_value(r, F_OTHER_KEYS, &others))
        return false;
    while (ledger_item_next(&others, &at, &item, &n))
        if (n >= len && memcmp(item + n - len, id, len) == 0 &&
            (n == len || item[n - len - 1] == ' ' || item[n - len - 1] == ':'))
            return true;
    return false;
}

static bool is_request(const struct ledger_record *r)
{
    return r->event == EV_REQUEST || r->event == EV_STALE_REQUEST;
}

static bool is_noted(const struct page *page, const uint64_t pair[2])
{
    const uint8_t *pairs = buf_bytes(&page->exchanges);
    for (size_t at = 0; at < buf_len(&page->exchanges); at += 2 * sizeof *pair)
        if (memcmp(pairs + at, pair, 2 * sizeof *pair) == 0)
            return true;
    return false;
}

/* The exchanges of the call, of which the requests tell. */
static void note_exchange(struct page *page, const struct ledger_record *r)
{
    const uint64_t pair[2] = { r->connection, r->exchange };
    if (is_request(r) && r->exchange && carries(r, page->call) && !is_noted(page, pair))
        buf_add(&page->exchanges, pair, sizeof pair);
}

static bool is_of_call(const struct page *page, const struct ledger_record *r)
{
    const uint64_t pair[2] = { r->connection, r->exchange };
    return (is_request(r) && carries(r, page->call)) || (r->exchange && is_noted(page, pair));
}

static bool fits(const struct page *page, const struct ledger_record *r)
{
    return ((!page->kinds[0] && !page->kinds[1]) || kind_is_in(page, r->event)) &&
           (!page->connection || r->connection == page->connection) &&
           (!page->call || is_of_call(page, r));
}

/* A little of what the ledger has of the call's requests. Returns whether that was all. */
static bool scan_requests(struct call *call)
{
    struct page *page = &call->page;
    struct ledger_record r;
    bool more = page->call != NULL && !page->scanned;
    page->scan.ledger = trial_ledger(call->trial);
    for (int i = 0; more && i < STEP; i++)
        if ((more = ledger_next(&page->scan, &r)))
            note_exchange(page, &r);
    if (more)
        return false;
    if (!page->scanned)
        page->scan = (struct ledger_cursor){ .ledger = page->scan.ledger, .since = page->since };
    page->scanned = true;
    return true;
}

/* Of found, of which only the newest ones may be asked for. */
static uint64_t found_count(const struct page *page)
{
    return buf_len(&page->found) / sizeof(uint64_t);
}

static void found(struct page *page, uint64_t seq)
{
    if (page->newest && found_count(page) == page->newest)
        buf_consume(&page->found, sizeof seq);
    buf_add(&page->found, &seq, sizeof seq);
}

/* A little of what is there. Returns whether all is found that the page is to have. */
static bool scan_some(struct call *call)
{
    struct page *page = &call->page;
    struct ledger_record r;
    for (int i = 0; i < STEP; i++) {
        if (!page->newest && found_count(page) == page->max)
            return true;
        if (!ledger_next(&page->scan, &r))
            return true;
        if (page->call)
            note_exchange(page, &r);
        if (fits(page, &r))
            found(page, r.seq);
    }
    return false;
}

/* --- Pages */

static void end_page(struct call *call, struct buf *out)
{
    const struct ledger *l = trial_ledger(call->trial);
    struct page *page = &call->page;
    char started[CLOCK_RFC3339_SIZE];
    clock_rfc3339(trial_started(call->trial), started);
    if (page->as == AS_JSON)
        buf_printf(out,
                   "%s],\"next\":%" PRIu64 ",\"first\":%" PRIu64 ",\"last\":%" PRIu64
                   ",\"started\":\"%s\",\"dropped\":%" PRIu64 "}\n",
                   page->begun ? "" : "{\"events\":[", page->last, ledger_first(l), ledger_last(l),
                   started, ledger_dropped(l));
    else if (page->begun)
        buf_text(out, "\n");
}

/* It is known where the page ends. */
static void tell_next(struct call *call)
{
    char value[24];
    snprintf(value, sizeof value, "%" PRIu64, call->page.last);
    response_field(call, "Hangup-Next", value);
}

/* What goes before the next event. */
static const char *separator_of(const struct page *page)
{
    if (page->begun)
        return page->as == AS_JSON ? "," : "\n";
    return page->as == AS_JSON ? "{\"events\":[" : "";
}

/* The next few events, up to the page's last one; some of them may be gone by now. */
static bool more_events(struct call *call, struct buf *out)
{
    const struct ledger *l = trial_ledger(call->trial);
    struct page *page = &call->page;
    const char *separator = page->as == AS_JSON ? "," : "\n";
    uint64_t first = ledger_first(l);
    uint64_t from = first > page->since + 1 ? first : page->since + 1;
    int count = 0;
    size_t before = buf_len(out);
    if (from <= page->last) {
        buf_text(out, separator_of(page));
        page->begun = true;
        count = ledger_read(l, page->since, page->last + 1 - from, before + STEP_BYTES, separator,
                            out, &page->since);
    }
    if (count < 0)
        return false;
    if (count > 0 && page->since < page->last)
        return true;
    end_page(call, out);
    return false;
}

/* The next one of those that were found, if it is still there. */
static bool more_found(struct call *call, struct buf *out)
{
    const struct ledger *l = trial_ledger(call->trial);
    struct page *page = &call->page;
    uint64_t seq, next;
    if (page->shown == found_count(page)) {
        end_page(call, out);
        return false;
    }
    memcpy(&seq, buf_bytes(&page->found) + page->shown++ * sizeof seq, sizeof seq);
    if (seq < ledger_first(l))
        return true;
    buf_text(out, separator_of(page));
    page->begun = true;
    return ledger_read(l, seq - 1, 1, SIZE_MAX, "", out, &next) >= 0;
}

/* Whether the call waits for the first event. */
static bool waits(struct call *call)
{
    const struct page *page = &call->page;
    return page->until != TIME_NONE && clock_now() < page->until && !waiting_is_over(call) &&
           waiting_park(call, page->until) == 0;
}

static bool more_of_all(struct call *call, struct buf *out)
{
    struct page *page = &call->page;
    const struct ledger *l = trial_ledger(call->trial);
    if (page->until != TIME_NONE && ledger_last(l) <= page->since && waits(call))
        return true;
    page->until = TIME_NONE;
    if (page->newest && ledger_last(l) > page->newest &&
        ledger_last(l) - page->newest > page->since)
        page->since = ledger_last(l) - page->newest;
    page->last = ledger_page(l, page->since, page->newest ? page->newest : page->max, PAGE_BYTES);
    tell_next(call);
    call->response.stream.more = more_events;
    return more_events(call, out);
}

static bool more_of_some(struct call *call, struct buf *out)
{
    struct page *page = &call->page;
    if (!scan_requests(call) || !scan_some(call))
        return true;
    if (found_count(page) == 0 && waits(call))
        return true;
    page->last = page->scan.since;
    tell_next(call);
    call->response.stream.more = more_found;
    return !page->found.failed && !page->exchanges.failed;
}

/* --- A stream of server-sent events */

static bool send_event(struct page *page, const struct ledger_record *r, struct buf *out)
{
    buf_printf(out, "id: %" PRIu64 "\ndata: ", r->seq);
    if (ledger_render(r, out))
        return false;
    buf_text(out, "\n\n");
    return ++page->sent < page->max;
}

/* Events are missing before this one: the reader was too slow, or they have been gone already. */
static void send_gap(uint64_t first, const struct ledger_record *next, struct buf *out)
{
    buf_text(out, "data: ");
    ledger_render_gap(first, next, out);
    buf_text(out, "\n\n");
}

static bool more_of_stream(struct call *call, struct buf *out)
{
    struct page *page = &call->page;
    struct ledger_record r;
    size_t before = buf_len(out);
    if (!scan_requests(call))
        return true;
    while (buf_len(out) - before < STEP_BYTES) {
        uint64_t behind = page->scan.since;
        if (!ledger_next(&page->scan, &r))
            break;
        if (r.seq != behind + 1)
            send_gap(behind + 1, &r, out);
        if (page->call)
            note_exchange(page, &r);
        if (fits(page, &r) && !send_event(page, &r, out))
            return false;
    }
    if (buf_len(out) > before || page->scan.since < ledger_last(trial_ledger(call->trial)))
        return true;
    if (waiting_is_over(call) || !trial_is_live(call->trial))
        return false;
    if (clock_now() >= page->until)
        buf_text(out, ": nothing happened\n\n");
    page->until = clock_now() + KEEP_ALIVE;
    return waiting_park(call, page->until) == 0;
}

/* The newest ones that fit are looked for first. */
static bool more_of_newest(struct call *call, struct buf *out)
{
    struct page *page = &call->page;
    if (!scan_requests(call) || !scan_some(call))
        return true;
    uint64_t first = page->scan.since + 1;
    if (found_count(page))
        memcpy(&first, buf_bytes(&page->found), sizeof first);
    page->scan = (struct ledger_cursor){ .ledger = page->scan.ledger, .since = first - 1 };
    call->response.stream.more = more_of_stream;
    return !page->found.failed;
}

static bool begin_stream(struct call *call, struct buf *out)
{
    struct page *page = &call->page;
    page->until = clock_now() + KEEP_ALIVE;
    call->caller->follows = true;
    buf_text(out, "retry: 1000\n\n");
    call->response.stream.more = page->newest ? more_of_newest : more_of_stream;
    return true;
}

void calls_events(struct call *call)
{
    struct page *page = &call->page;
    if (read_question(call))
        return;
    page->filtered = page->kinds[0] || page->kinds[1] || page->connection || page->call;
    page->scan = (struct ledger_cursor){ .since = page->call ? 0 : page->since };
    response_stream(call, types[page->as],
                    page->as == AS_STREAM ? begin_stream
                    : page->filtered      ? more_of_some
                                          : more_of_all,
                    NULL);
}
