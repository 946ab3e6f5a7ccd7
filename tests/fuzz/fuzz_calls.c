/* What a caller of the admin API may send: whatever it is, the answer is a whole response of the
 * API, problems as docs/admin-api.md has them, and the next caller is answered.
 */
#include "admin/admin.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/run_host.h"
#include "trial/trial.h"
#include "wire/listener.h"

#define QUIET 12 /* turns of the loop without an octet: nothing more comes */

static struct admin *admin;

static void start(void)
{
    struct refusal why;
    static struct trials *trials;
    start_run(NULL);
    const struct trials_config of_runs = {
        .runs = runs, .runs_config = &run_config, .ports = "127.0.0.1:0", .kept_bytes = 1 << 20
    };
    promise(trials_create(&of_runs, &trials, &why) == 0, "the runs start");
    const struct admin_config config = {
        .loop = &loop, .trials = trials, .catalogue = catalogue, .address = "127.0.0.1:0"
    };
    promise(admin_start(&config, &admin, &why) == 0, "the admin API starts");
}

/* All that is answered to these octets, NUL behind. */
static struct buf call(const uint8_t *data, size_t size)
{
    const struct sockaddr_in at = { .sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                    .sin_port = htons(listener_port(admin_listener(admin))) };
    struct buf answer = { 0 };
    static char bytes[65536];
    int fd = connect_to(at);
    for (unsigned quiet = 0; quiet < QUIET; quiet++) {
        ssize_t n = size ? send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
        size -= n > 0 ? (size_t)n : n < 0 && errno != EAGAIN ? size : 0;
        data += n > 0 ? n : 0;
        uv_run(&loop, UV_RUN_NOWAIT);
        n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n > 0) {
            buf_add(&answer, bytes, (size_t)n);
            quiet = 0;
        }
    }
    drop_client(fd);
    for (int i = 0; i < 4; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    buf_add(&answer, "", 1);
    promise(!answer.failed, "memory");
    return answer;
}

static void check_problem(json_t *body, int status)
{
    const char *type = json_string_value(json_object_get(body, "type")),
               *title = json_string_value(json_object_get(body, "title")),
               *detail = json_string_value(json_object_get(body, "detail"));
    promise(json_is_object(body), "a problem is a JSON object");
    promise(type && (strncmp(type, "/problems/", 10) == 0 || strcmp(type, "about:blank") == 0),
            "a problem has a type");
    promise(title && *title && detail && *detail, "a problem has a title and a detail");
    promise(json_integer_value(json_object_get(body, "status")) == status,
            "a problem has the status of its response");
}

/* A field's line in the header section, which ends there. */
static const char *line_of(const char *text, const char *end, const char *line)
{
    const char *at = strcasestr(text, line);
    return at && at < end ? at : NULL;
}

/* The first response; a caller that spoke of several requests got more. */
static void check_answer(const struct buf *answer, bool head)
{
    const char *text = (const char *)buf_bytes(answer), *end = strstr(text, "\r\n\r\n");
    int status = 0;
    if (buf_len(answer) == 1)
        return; /* it waits for more, for events, or had nothing to answer */
    promise(sscanf(text, "HTTP/1.1 %3d ", &status) == 1 && end, "an answer begins as a response");
    if (status == 100)
        return;
    promise(status >= 200 && status < 600 && status != 500, "a status of the API");
    const char *length = line_of(text, end, "\r\nContent-Length: ");
    bool problem = line_of(text, end, "\r\nContent-Type: application/problem+json") != NULL;
    promise(status < 400 || problem || head, "what is refused has a problem");
    if (!length || head)
        return;
    size_t n = strtoul(length + 18, NULL, 10),
           there = buf_len(answer) - 1 - (size_t)(end + 4 - text);
    promise(there >= n, "a response is whole");
    if (!problem)
        return;
    json_t *body = json_loadb(end + 4, n, JSON_ALLOW_NUL, NULL);
    check_problem(body, status);
    json_decref(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char health[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static unsigned calls;
    if (!admin)
        start();
    struct buf answer = call(data, size);
    check_answer(&answer, size >= 5 && memmem(data, size, "HEAD ", 5));
    buf_free(&answer);
    if (++calls % 64)
        return 0;
    answer = call((const uint8_t *)health, sizeof health - 1);
    promise(strncmp((const char *)buf_bytes(&answer), "HTTP/1.1 200 ", 13) == 0,
            "the next caller is answered");
    buf_free(&answer);
    run_reset(run);
    return 0;
}
