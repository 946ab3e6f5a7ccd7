/* prove_elsewhere.c - runs on a server that is there already, by its admin API. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/http.h"
#include "cli/prove_options.h"
#include "cli/prove_place.h"

#define PATIENCE (30 * NS_PER_S)
#define ID_MAX   64

#define ARGUMENTS_MAX 256 /* of COMMAND's that are told */

struct elsewhere {
    struct place place;
    struct http http;
    uv_loop_t loop;
    char run[ID_MAX + 1]; /* "": none yet */
    int status;           /* of its last answer */
    char ca[160];         /* a file that goes at the end; "": none */
};

static struct elsewhere *of(struct place *p)
{
    return (struct elsewhere *)p;
}

/* --- Calls */

/* What the server has against it, in the words of its problem. */
static int refused(const struct elsewhere *e, const struct http_response *r, struct refusal *why)
{
    json_t *problem = NULL;
    json_read((const char *)buf_bytes(&r->body), buf_len(&r->body), "", &problem, NULL);
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    const char *where = json_string_value(json_object_get(problem, "where"));
    if (r->status == 401)
        refuse(why, "--server", "HANGUP_ADMIN_TOKEN in the environment", "%s asks for a token",
               e->http.host);
    else
        refuse(why, where && *where ? where : "--server", "", "%s (%s answered with %d)",
               detail ? detail : "it was refused", e->http.host, r->status);
    json_decref(problem);
    return BAD_INPUT;
}

/* Calls a part of the run ("" is the run itself), or with a path all of its own. body: taken over;
 * NULL: none. out NULL: the answer does not matter. */
static int call(struct elsewhere *e, const char *method, const char *part, json_t *body,
                struct buf *out, const char *accept, struct refusal *why)
{
    char path[ID_MAX + 160];
    struct buf text = { 0 };
    struct http_response r;
    if (strncmp(part, "/v1", 3) == 0)
        snprintf(path, sizeof path, "%s", part);
    else
        snprintf(path, sizeof path, "/v1/runs/%s%s", e->run, part);
    int error = body ? json_write(&text, body) : 0;
    if (body)
        buf_add(&text, "", 1);
    json_decref(body);
    if (!error)
        error = http_call(&e->http, method, path, text.data ? (const char *)buf_bytes(&text) : NULL,
                          accept, &r);
    buf_free(&text);
    if (error == -ENOMEM)
        return error;
    if (error)
        return refuse(why, "--server", "the admin API of a hangup that runs", "%s: %s",
                      e->http.host, strerror(-error));
    e->status = r.status;
    if (r.status < 200 || r.status > 299)
        error = refused(e, &r, why);
    else if (out)
        *out = r.body;
    if (error || !out)
        http_free(&r);
    return error;
}

/* The same, with an object as the answer. */
static int call_json(struct elsewhere *e, const char *method, const char *part, json_t *body,
                     json_t **out, struct refusal *why)
{
    struct buf text = { 0 };
    int error = call(e, method, part, body, &text, NULL, why);
    if (!error && json_read((const char *)buf_bytes(&text), buf_len(&text), "", out, NULL) != 0)
        error = refuse(why, "--server", "the admin API of a hangup of this version",
                       "%s answered with no JSON", e->http.host);
    buf_free(&text);
    return error;
}

/* --- The run */

/* Does it say of itself that it is on the machine that asks, as it has no other name for itself?
 * Its admin API has another address: clients here do not reach it so. */
static void look_at_url(struct elsewhere *e, const json_t *run)
{
    static const char own[] = "://127.0.0.1:";
    const char *url = json_string_value(json_object_get(json_object_get(run, "urls"), "base"));
    bool near = e->http.address_count == 0 || address_is_loopback(&e->http.addresses[0]);
    snprintf(e->place.own_url, sizeof e->place.own_url, "%s",
             url && !near && strstr(url, own) ? url : "");
}

static int add(struct place *p, const json_t *spec, struct refusal *why)
{
    struct elsewhere *e = of(p);
    json_t *run = NULL;
    e->status = 0;
    int error = call_json(e, "POST", "/v1/runs", json_deep_copy(spec), &run, why);
    if (error > 0 && (e->status == 404 || e->status == 405))
        return refuse(why, "--server", "the admin API of a hangup of this version, " HANGUP_VERSION,
                      "%s is of another version: it knows no runs", e->http.host);
    const char *id = json_string_value(json_object_get(run, "id"));
    if (!error && (!id || strlen(id) > ID_MAX))
        error = refuse(why, "--server", "the admin API of a hangup of this version",
                       "%s made a run without an id", e->http.host);
    if (!error)
        snprintf(e->run, sizeof e->run, "%s", id);
    look_at_url(e, run);
    json_decref(run);
    return error;
}

static int about(struct place *p, json_t **out, struct refusal *why)
{
    return call_json(of(p), "GET", "", NULL, out, why);
}

static int phase(struct place *p, const char *name, struct refusal *why)
{
    return call(of(p), "POST", "/phase", json_pack("{s:s}", "phase", name), NULL, NULL, why);
}

static int report(struct place *p, const char *line, size_t len, struct refusal *why)
{
    json_t *object = NULL;
    int error = json_read(line, len, "", &object, why);
    return error ? error : call(of(p), "POST", "/reports", object, NULL, NULL, why);
}

static int started(struct place *p, char *const *argv, int64_t pid, const char *steps,
                   struct refusal *why)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ARGUMENTS_MAX && argv[i]; i++) {
        json_t *argument = json_string(argv[i]);
        json_array_append_new(list, argument ? argument : json_string("?")); /* no UTF-8 */
    }
    json_t *start =
        json_pack("{s:o, s:I, s:s*}", "argv", list, "pid", (json_int_t)pid, "steps", steps);
    return call(of(p), "POST", "/command", json_pack("{s:o}", "start", start), NULL, NULL, why);
}

static int exited(struct place *p, int status, int signal, bool killed, struct refusal *why)
{
    json_t *how = json_pack("{s:b}", "killed", (int)killed);
    if (signal)
        json_object_set_new(how, "signal", json_integer(signal));
    else
        json_object_set_new(how, "status", json_integer(status));
    return call(of(p), "POST", "/command", json_pack("{s:o}", "exit", how), NULL, NULL, why);
}

static int verdict(struct place *p, json_t **out, struct refusal *why)
{
    return call_json(of(p), "GET", "/verdict", NULL, out, why);
}

static int calls(struct place *p, json_t **out, struct refusal *why)
{
    return call_json(of(p), "GET", "/calls", NULL, out, why);
}

static int look(struct place *p, bool *final, size_t *connections, bool *awaited,
                struct refusal *why)
{
    json_t *document = NULL, *run = NULL;
    int error = verdict(p, &document, why);
    if (!error)
        error = about(p, &run, why);
    *final = json_is_true(json_object_get(document, "final"));
    *connections = (size_t)json_integer_value(json_object_get(run, "connections"));
    const json_t *say = json_object_get(run, "awaited"); /* older servers do not say */
    *awaited = say ? json_is_true(say) : *connections > 0;
    json_decref(document);
    json_decref(run);
    return error;
}

static int end(struct place *p, struct refusal *why)
{
    return call(of(p), "DELETE", "", NULL, NULL, NULL, why);
}

/* Page by page: a page is bounded. */
static int ledger(struct place *p, FILE *to, struct refusal *why)
{
    json_int_t since = 0, next = 0;
    int error = 0;
    do {
        char part[80];
        json_t *page = NULL, *events;
        size_t i;
        const json_t *event;
        since = next;
        snprintf(part, sizeof part, "/events?max=10000&since=%" JSON_INTEGER_FORMAT, since);
        error = call_json(of(p), "GET", part, NULL, &page, why);
        events = json_object_get(page, "events");
        json_array_foreach(events, i, event)
        {
            struct buf line = { 0 };
            if (json_write(&line, event) == 0 && buf_text(&line, "\n") == 0)
                fwrite(buf_bytes(&line), 1, buf_len(&line), to);
            else
                error = -ENOMEM;
            buf_free(&line);
        }
        next = json_integer_value(json_object_get(page, "next"));
        json_decref(page);
    } while (!error && next > since && !ferror(to));
    return error;
}

/* --- The server */

/* The CA's certificate as a file, for COMMAND. A server with a certificate of its own has none. */
static int fetch_ca(struct elsewhere *e, struct refusal *why)
{
    struct buf pem = { 0 };
    const char *tmp = getenv("TMPDIR");
    if (call(e, "GET", "/v1/ca.pem", NULL, &pem, "*/*", NULL) != 0)
        return 0;
    snprintf(e->ca, sizeof e->ca, "%s/hangup-ca-XXXXXX",
             tmp && tmp[0] == '/' && strlen(tmp) < 100 ? tmp : "/tmp");
    int fd = mkostemp(e->ca, O_CLOEXEC), error = fd < 0 ? -errno : 0;
    if (!error && write(fd, buf_bytes(&pem), buf_len(&pem)) != (ssize_t)buf_len(&pem))
        error = -EIO;
    if (fd >= 0)
        close(fd);
    else
        e->ca[0] = '\0';
    buf_free(&pem);
    e->place.ca = e->ca;
    return error;
}

static void close_place(struct place *p)
{
    struct elsewhere *e = of(p);
    if (e->ca[0])
        unlink(e->ca);
    uv_run(&e->loop, UV_RUN_DEFAULT);
    uv_loop_close(&e->loop);
    free(e);
}

PLACE_OPS(ops);

int place_elsewhere(const struct prove_options *o, struct place **out, struct refusal *why)
{
    struct elsewhere *e = calloc(1, sizeof *e);
    json_t *calls = NULL;
    int error = e ? uv_loop_init(&e->loop) : -ENOMEM;
    if (error) {
        free(e);
        return error;
    }
    e->place = (struct place){ .ops = &ops, .loop = &e->loop };
    e->http.patience = PATIENCE;
    error = http_find(&e->http, o->server, "--server", why);
    if (!error)
        error = http_take_token(&e->http, why);
    if (!error)
        error = call_json(e, "GET", "/v1", NULL, &calls, why);
    json_decref(calls);
    if (!error)
        error = fetch_ca(e, why);
    if (error)
        close_place(&e->place);
    else
        *out = &e->place;
    return error;
}
