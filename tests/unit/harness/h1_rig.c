#include "h1_rig.h"

void host_turns(void)
{
    loop_turns(12);
}

void host_at(struct host *t, struct exchange *ex, enum when when)
{
    if (t->watch == when)
        engine_watch(t->engine, t->watch_how);
    if (t->answer == when)
        engine_respond(ex, &t->response);
}

static void on_begin(void *host, struct exchange *ex)
{
    struct host *t = host;

    assert_null(t->open);
    assert_null(ex->data);
    t->open = ex;
    ex->data = t;
    buf_printf(&t->trace, "begin%u ", ex->nth);
    host_at(t, ex, AT_BEGIN);
}

static void on_headers(void *host, struct exchange *ex)
{
    struct host *t = host;

    assert_ptr_equal(ex, t->open);
    assert_ptr_equal(ex->data, t);
    buf_printf(&t->trace, "headers(%s %s %s %u) ", ex->request.method, ex->request.target,
               ex->request.authority, ex->request.header_count);
    host_at(t, ex, AT_HEADERS);
}

static void on_body(void *host, struct exchange *ex, const void *bytes, size_t n)
{
    struct host *t = host;

    assert_ptr_equal(ex, t->open);
    assert_true(n > 0);
    if (t->body_bytes == 0)
        buf_text(&t->trace, "body ");
    t->body_bytes += n;
    host_at(t, ex, AT_BODY);
}

static void on_complete(void *host, struct exchange *ex)
{
    struct host *t = host;

    assert_ptr_equal(ex, t->open);
    buf_text(&t->trace, "complete ");
    host_at(t, ex, AT_COMPLETE);
}

static void on_responded(void *host, struct exchange *ex)
{
    struct host *t = host;

    assert_ptr_equal(ex, t->open);
    t->open = NULL;
    t->responded++;
    buf_text(&t->trace, "responded ");
}

static void on_lost(void *host, struct exchange *ex, const char *why)
{
    struct host *t = host;

    assert_ptr_equal(ex, t->open);
    assert_true(strlen(why) > 0);
    t->open = NULL;
    buf_text(&t->trace, "lost ");
}

static void on_stopped(void *host, struct exchange *ex, enum engine_stop of)
{
    struct host *t = host;

    assert_ptr_equal(ex, t->open);
    buf_printf(&t->trace, "%s@%zu ", of == STOP_OCTETS ? "octets" : "content", buf_len(&t->out));
    if (t->stopped)
        t->stopped(t, ex);
}

static void on_output(void *host, const void *bytes, size_t n)
{
    struct host *t = host;

    assert_true(n > 0 && n <= t->room);
    t->room -= n;
    buf_add(&t->out, bytes, n);
    if (t->put_out)
        t->put_out(t);
    engine_pump(t->engine); /* as a wire does that makes room at once */
}

static size_t on_room(void *host)
{
    return ((struct host *)host)->room;
}

static void on_stale_request(void *host, struct exchange *ex, const struct request *r,
                             int32_t stream, enum engine_witnessed what)
{
    static const char *const names[] = { "part", "head", "whole" };
    struct host *t = host;

    assert_int_equal(stream, 0);
    assert_true(!ex || ex == t->open);
    buf_printf(&t->trace, "stale%s(%s %s %s %u %s) ", ex ? "-open" : "", r->method, r->target,
               r->authority, r->header_count, names[what]);
}

static void on_stale_body(void *host, struct exchange *ex, const void *bytes, size_t n,
                          int32_t stream)
{
    struct host *t = host;

    assert_true(n > 0);
    if (t->stale_bytes == 0)
        buf_text(&t->trace, ex ? "stale-open-body " : "stale-body ");
    t->stale_bytes += n;
}

static void on_stale_complete(void *host, struct exchange *ex, const struct request *r,
                              int32_t stream)
{
    struct host *t = host;

    buf_printf(&t->trace, "stale%s-complete(%s %zu) ", ex ? "-open" : "", r->method,
               t->stale_bytes);
    t->stale_bytes = 0;
}

static void on_frame(void *host, const struct engine_frame_info *info)
{
    fail();
}

static void on_protocol_error(void *host, const char *what)
{
    struct host *t = host;

    assert_true(strlen(what) > 0);
    buf_text(&t->trace, "error ");
}

static void on_limit(void *host, const char *what)
{
    struct host *t = host;

    assert_true(strlen(what) > 0);
    buf_text(&t->trace, "limit ");
}

static void on_has_room(void *host)
{
    struct host *t = host;

    assert_false(engine_full(t->engine));
    t->has_room++;
}

static void on_finished(void *host)
{
    struct host *t = host;

    buf_text(&t->trace, "finished ");
}

const struct engine_host host_calls = {
    .begin = on_begin,
    .headers = on_headers,
    .body = on_body,
    .complete = on_complete,
    .responded = on_responded,
    .lost = on_lost,
    .stopped = on_stopped,
    .output = on_output,
    .room = on_room,
    .stale_request = on_stale_request,
    .stale_body = on_stale_body,
    .stale_complete = on_stale_complete,
    .frame = on_frame,
    .protocol_error = on_protocol_error,
    .limit = on_limit,
    .has_room = on_has_room,
    .finished = on_finished,
};

void host_init(struct host *t, enum when answer)
{
    *t = (struct host){ .room = SIZE_MAX, .answer = answer, .watch = NEVER };
    t->response = (struct response)OK_RESPONSE;
    assert_int_equal(h1_create(&host_calls, t, &t->engine), 0);
    assert_string_equal(engine_protocol(t->engine), "http/1.1");
}

void host_free(struct host *t)
{
    engine_destroy(t->engine);
    assert_null(t->open);
    buf_free(&t->trace);
    buf_free(&t->out);
}

void host_say(struct host *t, const char *text)
{
    engine_input(t->engine, (const uint8_t *)text, strlen(text));
}

const char *host_trace(struct host *t)
{
    buf_add(&t->trace, "", 1);
    t->trace.end--;
    return (const char *)buf_bytes(&t->trace);
}

const char *host_out(struct host *t)
{
    buf_add(&t->out, "", 1);
    t->out.end--;
    return (const char *)buf_bytes(&t->out);
}

void host_forget(struct host *t)
{
    buf_consume(&t->trace, buf_len(&t->trace));
    buf_consume(&t->out, buf_len(&t->out));
    t->body_bytes = 0;
}

unsigned host_count(const char *text, const char *part)
{
    unsigned n = 0;

    for (const char *p = text; (p = strstr(p, part)); p++)
        n++;
    return n;
}

void assert_begins(const char *text, const char *with)
{
    if (strncmp(text, with, strlen(with)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", text, with);
}

void assert_ends(const char *text, const char *with)
{
    if (strlen(text) < strlen(with) || strcmp(text + strlen(text) - strlen(with), with) != 0)
        fail_msg("\"%s\" does not end with \"%s\"", text, with);
}

void host_released(void *arg)
{
    ++*(unsigned *)arg;
}

int host_set_up(void **state)
{
    return loop_start(state) || h1_start(&loop);
}

int host_tear_down(void **state)
{
    h1_stop();
    return loop_stop(state);
}
