#include "h2_rig.h"

/* --- The host */

/* The data of an exchange whose end was told: nothing is told of it any more. */
static char rig_over;

static void rig_check(const struct exchange *ex)
{
    assert_true(!ex || ex->data != &rig_over);
}

static void rig_begin(void *host, struct exchange *ex)
{
    struct rig *rig = host;
    assert_null(ex->data);
    rig->begun++;
    rig->last = ex;
    assert_int_equal(ex->nth, rig->begun);
    buf_printf(&rig->log, "begin %d\n", ex->stream);
    if (rig->on_begin)
        rig->on_begin(rig, ex);
}

static void rig_headers(void *host, struct exchange *ex)
{
    struct rig *rig = host;
    rig_check(ex);
    buf_printf(&rig->log, "headers %d %s %s\n", ex->stream, ex->request.method, ex->request.target);
    if (rig->on_headers)
        rig->on_headers(rig, ex);
}

static void rig_body(void *host, struct exchange *ex, const void *bytes, size_t n)
{
    struct rig *rig = host;
    rig_check(ex);
    rig->body_bytes += n;
    if (!rig->quiet)
        buf_printf(&rig->log, "body %d %.*s\n", ex->stream, (int)n, (const char *)bytes);
}

static void rig_complete(void *host, struct exchange *ex)
{
    struct rig *rig = host;
    rig_check(ex);
    buf_printf(&rig->log, "complete %d\n", ex->stream);
    if (rig->on_complete)
        rig->on_complete(rig, ex);
    else if (rig->answer)
        engine_respond(ex, &rig->response);
}

static void rig_responded(void *host, struct exchange *ex)
{
    struct rig *rig = host;
    rig_check(ex);
    ex->data = &rig_over;
    rig->ended++;
    buf_printf(&rig->log, "responded %d\n", ex->stream);
    if (rig->on_responded)
        rig->on_responded(rig, ex);
}

static void rig_lost(void *host, struct exchange *ex, const char *why)
{
    struct rig *rig = host;
    rig_check(ex);
    ex->data = &rig_over;
    rig->ended++;
    buf_printf(&rig->log, "lost %d: %s\n", ex->stream, why);
    if (rig->on_lost)
        rig->on_lost(rig, ex);
}

static void rig_stopped(void *host, struct exchange *ex, enum engine_stop of)
{
    struct rig *rig = host;
    rig_check(ex);
    buf_printf(&rig->log, "stopped %d %s\n", ex->stream, of == STOP_OCTETS ? "octets" : "content");
    if (rig->on_stopped)
        rig->on_stopped(rig, ex);
}

static void rig_output(void *host, const void *bytes, size_t n)
{
    struct rig *rig = host;
    assert_true(n > 0);
    rig->outputs++;
    rig->room -= n < rig->room ? n : rig->room;
    buf_add(&rig->out, bytes, n);
}

static size_t rig_room(void *host)
{
    struct rig *rig = host;
    return rig->room;
}

static void rig_stale(void *host, struct exchange *ex, const struct request *request,
                      int32_t stream, enum engine_witnessed what)
{
    struct rig *rig = host;
    rig_check(ex);
    rig->stale++;
    buf_printf(&rig->log, "stale %d %s %s %s%s\n", stream, request->method, request->target,
               request->authority, what == WITNESSED_PART ? " (half)" : "");
}

static void rig_stale_body(void *host, struct exchange *ex, const void *bytes, size_t n,
                           int32_t stream)
{
    struct rig *rig = host;
    rig_check(ex);
    rig->stale_bytes += n;
}

static void rig_stale_complete(void *host, struct exchange *ex, const struct request *request,
                               int32_t stream)
{
    struct rig *rig = host;
    rig_check(ex);
    rig->stale_complete++;
}

static void rig_frame(void *host, const struct engine_frame_info *info)
{
    static const char *const names[] = { "SETTINGS", "PING", "PING_ACK", "GOAWAY", "RST_STREAM" };
    struct rig *rig = host;
    if (info->kind >= sizeof names / sizeof *names) /* test_run_acks has these */
        return;
    buf_printf(&rig->log, "frame %s %d %s [%.*s]\n", names[info->kind], info->stream,
               h2_error_name(info->error), (int)info->text_len, info->text);
}

static void rig_protocol_error(void *host, const char *what)
{
    struct rig *rig = host;
    rig->errors++;
    buf_printf(&rig->log, "error %s\n", what);
}

static void rig_limit(void *host, const char *what)
{
    struct rig *rig = host;
    rig->limits++;
    buf_printf(&rig->log, "limit %s\n", what);
}

static void rig_has_room(void *host)
{
    struct rig *rig = host;
    assert_false(engine_full(rig->engine));
}

static void rig_finished(void *host)
{
    struct rig *rig = host;
    rig->finished++;
    buf_printf(&rig->log, "finished\n");
}

void respond_now(struct rig *rig, struct exchange *ex)
{
    assert_int_equal(engine_respond(ex, &rig->response), 0);
}

void keep_for_later(struct rig *rig, struct exchange *ex)
{
}

const struct engine_host rig_calls = {
    .begin = rig_begin,
    .headers = rig_headers,
    .body = rig_body,
    .complete = rig_complete,
    .responded = rig_responded,
    .lost = rig_lost,
    .stopped = rig_stopped,
    .output = rig_output,
    .room = rig_room,
    .stale_request = rig_stale,
    .stale_body = rig_stale_body,
    .stale_complete = rig_stale_complete,
    .frame = rig_frame,
    .protocol_error = rig_protocol_error,
    .limit = rig_limit,
    .has_room = rig_has_room,
    .finished = rig_finished,
};

struct rig *rig_create(void)
{
    static const struct header type = { "Content-Type", "text/plain", 12, 10 };
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    rig->room = SIZE_MAX;
    rig->answer = true;
    rig->response = (struct response){
        .status = 200, .headers = &type, .header_count = 1, .body = "hello", .body_len = 5
    };
    if (h2_create(&rig_calls, rig, &rig->engine) < 0) {
        free(rig);
        return NULL;
    }
    return rig;
}

void rig_destroy(struct rig *rig)
{
    if (!rig)
        return;
    size_t rest = head_memory_total() - h2_of(rig->engine)->memory;
    engine_destroy(rig->engine);
    assert_int_equal(head_memory_total(), rest);
    assert_int_equal(rig->begun, rig->ended);
    assert_in_range(rig->finished, 0, 1);
    nghttp2_session_del(rig->client);
    buf_free(&rig->log);
    buf_free(&rig->out);
    free(rig);
}

const char *rig_log(struct rig *rig)
{
    static char text[65536];
    size_t n = buf_len(&rig->log);
    assert_true(n < sizeof text);
    if (n)
        memcpy(text, buf_bytes(&rig->log), n);
    text[n] = '\0';
    buf_consume(&rig->log, n);
    return text;
}

/* --- Bytes by hand */

void rig_input(struct rig *rig, const void *bytes, size_t n)
{
    /* A copy of the exact size, so that a sanitizer sees reading past its end. */
    uint8_t *copy = malloc(n + !n);
    assert_non_null(copy);
    if (n)
        memcpy(copy, bytes, n);
    engine_input(rig->engine, copy, n);
    free(copy);
}

void put_frame(struct buf *to, uint8_t type, uint8_t flags, uint32_t stream, const void *payload,
               size_t n)
{
    const uint8_t head[9] = { (uint8_t)(n >> 16),
                              (uint8_t)(n >> 8),
                              (uint8_t)n,
                              type,
                              flags,
                              (uint8_t)(stream >> 24),
                              (uint8_t)(stream >> 16),
                              (uint8_t)(stream >> 8),
                              (uint8_t)stream };
    buf_add(to, head, sizeof head);
    if (n)
        buf_add(to, payload, n);
}

void rig_frame_in(struct rig *rig, uint8_t type, uint8_t flags, uint32_t stream,
                  const void *payload, size_t n)
{
    struct buf bytes = { 0 };
    put_frame(&bytes, type, flags, stream, payload, n);
    rig_input(rig, buf_bytes(&bytes), buf_len(&bytes));
    buf_free(&bytes);
}

void rig_get(struct rig *rig, uint32_t stream)
{
    rig_frame_in(rig, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, stream, GET_BLOCK, BLOCK_LEN);
}

void rig_preface(struct rig *rig)
{
    rig_input(rig, PREFACE, 24);
    rig_frame_in(rig, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}

struct rig *rig_ready(void)
{
    struct rig *rig = rig_create();
    assert_non_null(rig);
    rig_preface(rig);
    rig_frame_in(rig, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
    buf_consume(&rig->log, buf_len(&rig->log));
    buf_consume(&rig->out, buf_len(&rig->out));
    rig->outputs = 0;
    return rig;
}

uint32_t big32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void one_frame(struct buf *text, uint8_t type, uint8_t flags, uint32_t stream,
                      const uint8_t *payload, size_t n)
{
    const char *end = flags & END_STREAM ? " END_STREAM" : "";
    switch (type) {
    case NGHTTP2_DATA:
        buf_printf(text, "DATA %u %zu%s\n", stream, n, end);
        break;
    case NGHTTP2_HEADERS:
        buf_printf(text, "HEADERS %u%s\n", stream, end);
        break;
    case NGHTTP2_RST_STREAM:
        buf_printf(text, "RST_STREAM %u %s\n", stream, h2_error_name(big32(payload)));
        break;
    case NGHTTP2_SETTINGS:
        buf_printf(text, flags & 1 ? "SETTINGS ACK\n" : "SETTINGS\n");
        break;
    case NGHTTP2_PING:
        buf_printf(text, flags & 1 ? "PING ACK\n" : "PING\n");
        break;
    case NGHTTP2_GOAWAY:
        buf_printf(text, "GOAWAY last=%u %s", big32(payload), h2_error_name(big32(payload + 4)));
        buf_printf(text, n > 8 ? " [%.*s]\n" : "\n", (int)n - 8, payload + 8);
        break;
    case NGHTTP2_WINDOW_UPDATE:
        buf_printf(text, "WINDOW_UPDATE %u\n", stream);
        break;
    default:
        buf_printf(text, "type %u\n", type);
    }
}

const char *rig_frames(struct rig *rig)
{
    static char copy[65536];
    struct buf text = { 0 };
    const uint8_t *p = buf_bytes(&rig->out);
    size_t left = buf_len(&rig->out);
    while (left > 0) {
        assert_true(left >= 9);
        size_t n = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
        assert_true(left >= 9 + n);
        one_frame(&text, p[3], p[4], big32(p + 5), p + 9, n);
        p += 9 + n;
        left -= 9 + n;
    }
    buf_consume(&rig->out, buf_len(&rig->out));
    assert_true(buf_len(&text) < sizeof copy);
    if (buf_len(&text))
        memcpy(copy, buf_bytes(&text), buf_len(&text));
    copy[buf_len(&text)] = '\0';
    buf_free(&text);
    return copy;
}

/* --- The nghttp2 client */

int client_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                  size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                  void *user)
{
    struct rig *rig = user;
    if (strcmp((const char *)name, ":status") == 0)
        rig->status = atoi((const char *)value);
    else if (strcmp((const char *)name, "content-length") == 0)
        snprintf(rig->answer_length, sizeof rig->answer_length, "%s", (const char *)value);
    else if (strcmp((const char *)name, "content-type") == 0)
        snprintf(rig->answer_type, sizeof rig->answer_type, "%s", (const char *)value);
    else
        assert_true(strcmp((const char *)name, "date") == 0 && value_len == 29);
    return 0;
}

static int client_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                       size_t len, void *user)
{
    struct rig *rig = user;
    for (size_t i = 0; i < len && rig->quiet; i++)
        assert_int_equal(data[i], (uint8_t)((rig->answer_bytes + i) % 251));
    rig->answer_bytes += len;
    return 0;
}

static int client_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct rig *rig = user;
    if (frame->hd.type == NGHTTP2_HEADERS && rig->status != 100)
        rig->answers++;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        rig->goaway_error = frame->goaway.error_code;
    return 0;
}

static int client_closed(nghttp2_session *session, int32_t stream, uint32_t error, void *user)
{
    struct rig *rig = user;
    rig->closed++;
    rig->close_error = error;
    return 0;
}

void rig_client(struct rig *rig)
{
    nghttp2_session_callbacks *calls;
    assert_int_equal(nghttp2_session_callbacks_new(&calls), 0);
    nghttp2_session_callbacks_set_on_header_callback(calls, client_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, client_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(calls, client_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(calls, client_closed);
    assert_int_equal(nghttp2_session_client_new(&rig->client, calls, rig), 0);
    nghttp2_session_callbacks_del(calls);
    assert_int_equal(nghttp2_submit_settings(rig->client, 0, NULL, 0), 0);
}

int32_t client_request(struct rig *rig, const char *method, const char *path, const char *name,
                       const char *value, const h2_data_provider *body)
{
    nghttp2_nv nv[] = { NV(":method", method), NV(":scheme", "https"), NV(":path", path),
                        NV(":authority", "example.test"),
                        NV(name ? name : "x", value ? value : "") };
#if NGHTTP2_VERSION_NUM >= 0x013c00
    int32_t stream = nghttp2_submit_request2(rig->client, NULL, nv, name ? 5 : 4, body, NULL);
#else
    int32_t stream = nghttp2_submit_request(rig->client, NULL, nv, name ? 5 : 4, body, NULL);
#endif
    assert_true(stream > 0);
    return stream;
}

void rig_talk(struct rig *rig)
{
    bool more = true;
    while (more) {
        const uint8_t *bytes;
        h2_ssize n;
        struct buf flight = { 0 };
        more = false;
        while ((n = h2_session_send(rig->client, &bytes)) > 0)
            buf_add(&flight, bytes, (size_t)n);
        assert_int_equal(n, 0);
        if (buf_len(&flight)) {
            more = true;
            rig_input(rig, buf_bytes(&flight), buf_len(&flight));
        }
        buf_free(&flight);
        size_t fresh = buf_len(&rig->out) - rig->delivered;
        if (fresh) {
            more = true;
            n = h2_session_recv(rig->client, buf_bytes(&rig->out) + rig->delivered, fresh);
            assert_int_equal(n, fresh);
            rig->delivered += fresh;
        }
    }
}
