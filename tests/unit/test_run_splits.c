/* What was read when a fault fired was sent before it, and what comes later is stale: whatever
 * records and frames the client's bytes are split into, and wherever the fault is. */
#include <gnutls/gnutls.h>
#include <netinet/tcp.h>

#include "run_client.h"

#include "minted_server.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum over { CLEAR, TLS12, TLS13, OVERS };
enum http { H1, H2, HTTPS };
static const char *const over_names[] = { "clear", "TLS 1.2", "TLS 1.3" };
static const char *const http_names[] = { "h1", "h2" };

/* --- A client whose records are gathered, and sent when it says so */

struct peer {
    enum over over;
    enum http http;
    int fd;
    gnutls_session_t tls;
    gnutls_certificate_credentials_t trust;
    struct buf out;
    bool gathers;
    uint32_t stream;
    uint64_t since; /* the ledger's last event when it connected */
};

static ssize_t push(gnutls_transport_ptr_t transport, const void *bytes, size_t n)
{
    struct peer *p = transport;
    if (!p->gathers)
        return send(p->fd, bytes, n, MSG_NOSIGNAL);
    assert_int_equal(buf_add(&p->out, bytes, n), 0);
    return (ssize_t)n;
}

static ssize_t pull(gnutls_transport_ptr_t transport, void *bytes, size_t n)
{
    struct peer *p = transport;
    ssize_t got_now = recv(p->fd, bytes, n, 0);
    if (got_now < 0)
        gnutls_transport_set_errno(p->tls, errno);
    return got_now;
}

static void shake(struct peer *p)
{
    static const char *const priorities[] = {
        [TLS12] = "NORMAL:-VERS-ALL:+VERS-TLS1.2", [TLS13] = "NORMAL:-VERS-ALL:+VERS-TLS1.3"
    };
    const gnutls_datum_t alpn = { (unsigned char *)(p->http == H2 ? "h2" : "http/1.1"),
                                  p->http == H2 ? 2 : 8 };
    int result;
    assert_int_equal(gnutls_certificate_allocate_credentials(&p->trust), 0);
    assert_int_equal(gnutls_init(&p->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK), 0);
    assert_int_equal(gnutls_priority_set_direct(p->tls, priorities[p->over], NULL), 0);
    assert_int_equal(gnutls_credentials_set(p->tls, GNUTLS_CRD_CERTIFICATE, p->trust), 0);
    assert_int_equal(gnutls_alpn_set_protocols(p->tls, &alpn, 1, 0), 0);
    gnutls_transport_set_ptr(p->tls, p);
    gnutls_transport_set_push_function(p->tls, push);
    gnutls_transport_set_pull_function(p->tls, pull);
    for (int i = 0; i < 1000 && (result = gnutls_handshake(p->tls)) == GNUTLS_E_AGAIN; i++)
        run_until(NULL, NS_PER_MS);
    assert_int_equal(result, 0);
}

/* One record (clear: no boundary) of these bytes. */
static void record(struct peer *p, const void *bytes, size_t n)
{
    if (p->tls)
        assert_int_equal(gnutls_record_send(p->tls, bytes, n), n);
    else
        assert_int_equal(buf_add(&p->out, bytes, n), 0);
}

/* Records of at most each bytes. */
static void records(struct peer *p, const struct buf *bytes, size_t each)
{
    for (size_t at = 0; at < buf_len(bytes); at += each) {
        size_t n = buf_len(bytes) - at < each ? buf_len(bytes) - at : each;
        record(p, buf_bytes(bytes) + at, n);
    }
}

/* Waits until the ledger has so many events of this name since the client connected. */
static uint64_t seen_since;
static const char *seen_name;
static size_t seen_count;

static bool is_seen(void)
{
    json_t *events = events_since(seen_since);
    bool is = count_events(events, seen_name) >= seen_count;
    json_decref(events);
    return is;
}

static bool sees(struct peer *p, const char *name, size_t count)
{
    seen_since = p->since;
    seen_name = name;
    seen_count = count;
    return run_until(is_seen, PATIENCE);
}

/* All that was gathered, in one segment. */
static void let_go(struct peer *p)
{
    assert_int_equal(send(p->fd, buf_bytes(&p->out), buf_len(&p->out), MSG_NOSIGNAL),
                     buf_len(&p->out));
    buf_consume(&p->out, buf_len(&p->out));
}

static void greet(struct peer *p)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    if (p->http == H2) {
        record(p, preface, sizeof preface - 1);
        let_go(p);
        assert_true(sees(p, "peer_settings", 1));
    }
}

static void open_peer(struct peer *p, enum over over, enum http http)
{
    *p = (struct peer){ .over = over, .http = http, .stream = 1, .since = now_in_ledger() };
    listener.tls = over != CLEAR;
    int on = 1;
    p->fd = connect_client();
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (over != CLEAR) {
        shake(p);
        assert_true(sees(p, "tls_established", 1));
    }
    p->gathers = true;
    greet(p);
}

static void close_peer(struct peer *p)
{
    if (p->tls) {
        gnutls_deinit(p->tls);
        gnutls_certificate_free_credentials(p->trust);
    }
    buf_free(&p->out);
    listener.tls = false;
    end(p->fd);
}

/* --- Requests */

static void frame(struct buf *to, uint8_t type, uint8_t flags, uint32_t stream, const void *payload,
                  size_t n)
{
    const uint8_t head[] = { 0, 0, (uint8_t)n, type, flags, 0, 0, 0, (uint8_t)stream };
    assert_int_equal(buf_add(to, head, sizeof head), 0);
    assert_int_equal(buf_add(to, payload, n), 0);
}

/* Every second one has a body; over h2 every third a header section in two frames. */
static void add_request(struct peer *p, struct buf *to, unsigned nth)
{
    static const uint8_t get[] = { 0x82, 0x86, 0x84, 0x01, 1, 'x' },
                         post[] = { 0x83, 0x86, 0x84, 0x01, 1, 'x' };
    const uint8_t *block = nth % 2 ? get : post;
    uint8_t last = nth % 2 ? 1 : 0;
    if (p->http == H1) {
        buf_text(to, nth % 2 ? "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
                             : "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
        return;
    }
    if (nth % 3) {
        frame(to, 1, 4 | last, p->stream, block, sizeof get);
    } else {
        frame(to, 1, last, p->stream, block, 3);
        frame(to, 9, 4, p->stream, block + 3, 3);
    }
    if (!last)
        frame(to, 0, 1, p->stream, "hello", 5);
    p->stream += 2;
}

/* --- The table */

static const size_t record_sizes[] = { 1, 9, 15, 40, 16000 };
static const char *const verbs[] = { "\"fin\"", "{\"fin\":{\"notify\":true}}", "\"forget\"",
                                     "\"stall\"" };
static const char *const places[] = { "first_byte", "headers", "complete" };

static size_t count_faults(const json_t *events, const char *trigger)
{
    size_t i, n = 0;
    json_t *event;
    json_array_foreach(events, i, event)
    {
        const char *is = json_string_value(json_object_get(event, "trigger"));
        n += is && strcmp(is, trigger) == 0;
    }
    return n;
}

static void nothing_is_stale(struct peer *p, unsigned requests, const char *what)
{
    json_t *events = events_since(p->since);
    size_t told = count_events(events, "request");
    if (count_events(events, "stale_bytes") || count_events(events, "stale_request") ||
        count_faults(events, "stale") || told != requests) {
        char *text = json_dumps(events, JSON_INDENT(1));
        fail_msg("%s: %zu of %u requests told\n%s", what, told, requests, text);
    }
    json_decref(events);
}

/* The control: what comes now is stale, each request once. */
static void the_next_one_is_stale(struct peer *p, size_t each, const char *what)
{
    struct buf late = { 0 };
    add_request(p, &late, 1);
    records(p, &late, each);
    let_go(p);
    buf_free(&late);
    if (!sees(p, "fault", 2))
        fail_msg("%s: no rule of \"stale\" fired", what);
    json_t *events = events_since(p->since);
    assert_int_equal(count_events(events, "stale_bytes"), 1);
    assert_int_equal(count_events(events, "stale_request"), 1);
    assert_int_equal(count_faults(events, "stale"), 1);
    json_decref(events);
}

static void one_split(enum over over, enum http http, size_t place, unsigned nth, unsigned requests,
                      const char *verb, size_t each)
{
    char rules[400], what[200];
    struct peer p;
    struct buf bytes = { 0 };
    snprintf(rules, sizeof rules,
             "[{\"on\":\"request\",\"at\":\"%s\",\"nth\":%u,\"times\":1,\"do\":[%s]},"
             " {\"on\":\"stale\",\"times\":9,\"do\":[\"rst\"]}]",
             places[place], nth, verb);
    snprintf(what, sizeof what, "%s %s, %u requests, %s at %s of the %u., records of %zu",
             over_names[over], http_names[http], requests, verb, places[place], nth, each);
    set_rules(rules);
    open_peer(&p, over, http);
    for (unsigned i = 1; i <= requests; i++)
        add_request(&p, &bytes, i);
    records(&p, &bytes, each);
    buf_free(&bytes);
    let_go(&p);
    if (!sees(&p, "fault", 1))
        fail_msg("%s: no fault", what);
    sees(&p, "request", requests);
    nothing_is_stale(&p, requests, what);
    the_next_one_is_stale(&p, each, what);
    close_peer(&p);
}

static void what_comes_in_one_reading_was_sent_before_the_fault(void **state)
{
    unsigned turn = 0;
    for (enum over over = CLEAR; over < OVERS; over++)
        for (enum http http = H1; http < HTTPS; http++)
            for (size_t place = 0; place < COUNT(places); place++)
                for (unsigned requests = 1; requests <= 3; requests++)
                    for (size_t size = 0; size < COUNT(record_sizes); size++, turn++)
                        one_split(over, http, place, 1 + turn % requests, requests,
                                  verbs[turn % COUNT(verbs)], record_sizes[size]);
}

/* From a timer or a call of the admin API: what the kernel has by then is read later. */
static void what_the_kernel_held_was_sent_before_the_fault(void **state)
{
    for (enum over over = CLEAR; over < OVERS; over++)
        for (enum http http = H1; http < HTTPS; http++)
            for (size_t v = 0; v < COUNT(verbs); v++) {
                struct peer p;
                struct buf bytes = { 0 };
                struct refusal why;
                char text[80];
                set_rules("[{\"on\":\"stale\",\"times\":9,\"do\":[\"rst\"]}]");
                open_peer(&p, over, http);
                add_request(&p, &bytes, 2);
                add_request(&p, &bytes, 1);
                records(&p, &bytes, 15);
                buf_free(&bytes);
                let_go(&p);
                snprintf(text, sizeof text, "[%s]", verbs[v]);
                json_t *steps = json_loads(text, 0, NULL);
                assert_int_equal(run_do(run, newest_id(), steps, &why), 0);
                json_decref(steps);
                sees(&p, "request", 2);
                nothing_is_stale(&p, 2, verbs[v]);
                the_next_one_is_stale(&p, 15, verbs[v]);
                close_peer(&p);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_comes_in_one_reading_was_sent_before_the_fault, reset),
        cmocka_unit_test_setup(what_the_kernel_held_was_sent_before_the_fault, reset),
    };
    rig_tls = minted_server();
    int failed = cmocka_run_group_tests(tests, rig_start, rig_stop);
    tls_server_destroy(rig_tls);
    return failed;
}
