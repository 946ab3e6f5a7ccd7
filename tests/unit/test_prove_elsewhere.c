/* The runs of `hangup prove` on a server elsewhere: what is asked of its admin API, and what is
 * said when it refuses, breaks off or is something else. The server is a process of the test's. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <netinet/in.h>

#include "cli/prove_options.h"
#include "cli/prove_place.h"

#define OK(body)         "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", body
#define PROBLEM(status)  "HTTP/1.1 " status " No\r\nContent-Type: application/problem+json\r\n"
#define SPEC             "{\"mode\":\"normal\"}"
#define EVENT(seq)       "{\"seq\":" #seq ",\"event\":\"mark\"}"
#define PAGE(events, to) "{\"events\":[" events "],\"next\":" #to "}"

struct answer {
    const char *request;     /* its beginning: "GET /v1 " */
    const char *head, *body; /* head NULL: the connection is closed; "": body as it stands */
};

/* What a server that does all says. */
static const struct answer works[] = {
    { "GET /v1 ", OK("{\"calls\":[]}") },
    { "GET /v1/ca.pem ", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", "-----PEM\n" },
    { "POST /v1/runs ", OK("{\"id\":\"r7\"}") },
    { "GET /v1/runs/r7 ", OK("{\"id\":\"r7\",\"connections\":3,\"awaited\":false}") },
    { "POST /v1/runs/r7/phase ", OK("{}") },
    { "POST /v1/runs/r7/reports ", OK("{}") },
    { "POST /v1/runs/r7/command ", OK("{}") },
    { "GET /v1/runs/r7/verdict ", OK("{\"verdict\":\"pass\",\"final\":true}") },
    { "GET /v1/runs/r7/calls ", OK("{\"calls\":[]}") },
    { "GET /v1/runs/r7/events?max=10000&since=0 ", OK(PAGE(EVENT(1) "," EVENT(2), 2)) },
    { "GET /v1/runs/r7/events?max=10000&since=2 ", OK(PAGE(EVENT(3), 3)) },
    { "GET /v1/runs/r7/events?max=10000&since=3 ", OK(PAGE("", 3)) },
    { "DELETE /v1/runs/r7 ", OK("{}") },
    { NULL, NULL, NULL },
};

/* --- The server */

static struct heard {
    char text[8192]; /* the requests: their first lines, and their bodies */
} * heard;

static pid_t server;
static char url[64];

/* Reads a request. Returns whether there is one. */
static bool read_request(int fd, char *out, size_t size)
{
    size_t len = 0, due = SIZE_MAX;
    while (len < size - 1 && len < due) {
        ssize_t n = read(fd, out + len, size - 1 - len);
        if (n <= 0)
            return false;
        len += (size_t)n;
        out[len] = '\0';
        char *end = strstr(out, "\r\n\r\n"), *length = strcasestr(out, "content-length:");
        if (end)
            due =
                (size_t)(end + 4 - out) + (length && length < end ? (size_t)atoi(length + 15) : 0);
    }
    return true;
}

static void answer_one(int fd, const struct answer *answers)
{
    char request[8192], reply[2048];
    if (!read_request(fd, request, sizeof request))
        return;
    size_t used = strlen(heard->text);
    snprintf(heard->text + used, sizeof heard->text - used, "%.*s %s\n",
             (int)strcspn(request, "\r"), request, strstr(request, "\r\n\r\n") + 4);
    while (answers->request && strncmp(request, answers->request, strlen(answers->request)) != 0)
        answers++;
    const char *head = answers->request ? answers->head : PROBLEM("404");
    const char *body = answers->request ? answers->body : "{\"detail\":\"not here\"}";
    if (!head)
        return;
    if (*head)
        snprintf(reply, sizeof reply, "%sContent-Length: %zu\r\nConnection: close\r\n\r\n%s", head,
                 strlen(body), body);
    else
        snprintf(reply, sizeof reply, "%s", body);
    if (write(fd, reply, strlen(reply)) < 0)
        return;
}

/* Serves in a process of its own; first: answers that come before those that work. */
static void serve(const struct answer *first)
{
    static struct answer all[32];
    size_t count = 0;
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof a;
    for (; first && first->request; first++)
        all[count++] = *first;
    memcpy(all + count, works, sizeof works);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", ntohs(a.sin_port));
    heard->text[0] = '\0';
    fflush(NULL);
    server = fork();
    if (server == 0)
        for (;;) {
            int fd = accept(listener, NULL, NULL);
            answer_one(fd, all);
            close(fd);
        }
    close(listener);
}

static void stop(void)
{
    kill(server, SIGKILL);
    assert_int_equal(waitpid(server, NULL, 0), server);
}

static int setup(void **state)
{
    heard = mmap(NULL, sizeof *heard, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsetenv("HANGUP_ADMIN_TOKEN");
    return heard == MAP_FAILED;
}

static int teardown(void **state)
{
    return munmap(heard, sizeof *heard);
}

static void assert_has(const char *in, const char *what)
{
    if (!strstr(in, what))
        fail_msg("\"%s\" is not in: %s", what, in);
}

static int open_place(struct place **out, struct refusal *why)
{
    const struct prove_options o = { .server = url };
    *why = (struct refusal){ .where = "" };
    return place_elsewhere(&o, out, why);
}

static int add(struct place *p, struct refusal *why)
{
    json_t *spec = json_loads(SPEC, 0, NULL);
    int error = p->ops->add(p, spec, why);
    json_decref(spec);
    return error;
}

/* --- Tests */

static void a_run_is_made_led_and_ended(void **state)
{
    static const char *const argv[] = { "app", "\xff", NULL };
    struct place *p;
    struct refusal why;
    json_t *out = NULL;
    bool final = false, awaited = true;
    size_t open = 0, size = 0;
    char *text = NULL;
    serve(NULL);
    assert_int_equal(open_place(&p, &why), 0);
    FILE *ca = fopen(p->ca, "re");
    assert_non_null(ca);
    fclose(ca);
    assert_int_equal(add(p, &why), 0);
    assert_int_equal(p->ops->about(p, &out, &why), 0);
    assert_string_equal(json_string_value(json_object_get(out, "id")), "r7");
    json_decref(out);
    assert_int_equal(p->ops->phase(p, "fault", &why), 0);
    assert_int_equal(p->ops->started(p, (char *const *)argv, 12, "get get", &why), 0);
    assert_int_equal(p->ops->report(p, "{\"n\":1}", 7, &why), 0);
    assert_int_equal(p->ops->exited(p, 3, 0, false, &why), 0);
    assert_int_equal(p->ops->exited(p, -1, 9, true, &why), 0);
    assert_int_equal(p->ops->look(p, &final, &open, &awaited, &why), 0);
    assert_true(final);
    assert_int_equal(open, 3);
    assert_false(awaited);
    assert_int_equal(p->ops->end(p, &why), 0);
    assert_int_equal(p->ops->verdict(p, &out, &why), 0);
    json_decref(out);
    assert_int_equal(p->ops->calls(p, &out, &why), 0);
    json_decref(out);
    FILE *to = open_memstream(&text, &size);
    assert_int_equal(p->ops->ledger(p, to, &why), 0);
    fclose(to);
    assert_string_equal(text, EVENT(1) "\n" EVENT(2) "\n" EVENT(3) "\n");
    free(text);
    p->ops->close(p);
    stop();
    assert_has(heard->text, "POST /v1/runs HTTP/1.1 " SPEC "\n");
    assert_has(heard->text, "{\"phase\":\"fault\"}");
    assert_has(heard->text, "\"argv\":[\"app\",\"?\"]");
    assert_has(heard->text, "\"pid\":12");
    assert_has(heard->text, "{\"exit\":{\"killed\":false,\"status\":3}}");
    assert_has(heard->text, "{\"exit\":{\"killed\":true,\"signal\":9}}");
}

static void what_is_refused_is_said(void **state)
{
    static const struct {
        struct answer answers[2];
        const char *said;
    } rows[] = {
        { { { "POST /v1/runs ", PROBLEM("503"), "{\"detail\":\"no port is left\"}" } },
          "no port is left (127.0.0.1" },
        { { { "POST /v1/runs ", PROBLEM("400"), "{\"detail\":\"bad\",\"where\":\"$.mode\"}" } },
          "$.mode: bad" },
        { { { "POST /v1/runs ", PROBLEM("404"), "{}" } }, "of another version" },
        { { { "POST /v1/runs ", PROBLEM("401"), "{}" } }, "asks for a token" },
        { { { "POST /v1/runs ", PROBLEM("500"), "<html>" } }, "it was refused" },
        { { { "POST /v1/runs ", OK("{}") } }, "a run without an id" },
        { { { "POST /v1/runs ", OK("{\"id\":\"0123456789012345678901234567890123456789"
                                   "012345678901234567890123456789\"}") } },
          "a run without an id" },
        { { { "POST /v1/runs ", OK("no JSON") } }, "answered with no JSON" },
        { { { "POST /v1/runs ", NULL, NULL } }, "--server: 127.0.0.1" },
        { { { "POST /v1/runs ", "", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{" } },
          "--server: 127.0.0.1" },
        { { { "POST /v1/runs ", "", "220 mail.example ready\r\n" } }, "--server: 127.0.0.1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char said[sizeof(struct refusal)];
        struct place *p;
        struct refusal why;
        serve(rows[i].answers);
        assert_int_equal(open_place(&p, &why), 0);
        int error = add(p, &why);
        assert_true(error > 0);
        snprintf(said, sizeof said, "%s: %s", why.where, why.what);
        assert_has(said, rows[i].said);
        p->ops->close(p);
        stop();
    }
}

/* The address decides: 0.0.0.0 leads to this machine, too, and stands for one that is not loopback.
 */
static void a_url_for_the_servers_own_machine_is_seen(void **state)
{
    static const struct answer here[] = {
        { "POST /v1/runs ", OK("{\"id\":\"r7\",\"urls\":{\"base\":\"https://127.0.0.1:9100\"}}") },
        { NULL, NULL, NULL },
    };
    static const struct answer named[] = {
        { "POST /v1/runs ", OK("{\"id\":\"r7\",\"urls\":{\"base\":\"https://10.0.2.2:9100\"}}") },
        { NULL, NULL, NULL },
    };
    static const struct {
        const struct answer *answers;
        bool far;
        const char *own;
    } rows[] = { { here, true, "https://127.0.0.1:9100" },
                 { here, false, "" },
                 { named, true, "" },
                 { NULL, true, "" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct place *p;
        struct refusal why;
        serve(rows[i].answers);
        if (rows[i].far)
            snprintf(url, sizeof url, "http://0.0.0.0:%d", atoi(strrchr(url, ':') + 1));
        assert_int_equal(open_place(&p, &why), 0);
        assert_int_equal(add(p, &why), 0);
        assert_string_equal(p->own_url, rows[i].own);
        p->ops->close(p);
        stop();
    }
}

static void a_server_that_is_none_is_said(void **state)
{
    static const struct answer none[] = { { "GET /v1 ", OK("hello") }, { NULL, NULL, NULL } };
    struct place *p;
    struct refusal why;
    serve(none);
    assert_true(open_place(&p, &why) > 0);
    assert_has(why.what, "answered with no JSON");
    stop();
    assert_true(open_place(&p, &why) > 0); /* nobody is there any more */
    assert_has(why.what, "refused");
}

/* One with a certificate of its own has no CA. */
static void there_may_be_no_ca(void **state)
{
    static const struct answer none[] = { { "GET /v1/ca.pem ", PROBLEM("404"), "{}" },
                                          { NULL, NULL, NULL } };
    struct place *p;
    struct refusal why;
    serve(none);
    assert_int_equal(open_place(&p, &why), 0);
    assert_null(p->ca);
    p->ops->close(p);
    stop();
}

static void a_server_that_dies_is_said_by_each_call(void **state)
{
    static const char *const argv[] = { "app", NULL };
    struct place *p;
    struct refusal why;
    json_t *out = NULL;
    bool final, awaited;
    size_t open;
    serve(NULL);
    assert_int_equal(open_place(&p, &why), 0);
    assert_int_equal(add(p, &why), 0);
    stop();
    assert_true(p->ops->about(p, &out, &why) > 0);
    assert_true(p->ops->phase(p, "fault", &why) > 0);
    assert_true(p->ops->started(p, (char *const *)argv, 12, NULL, &why) > 0);
    assert_true(p->ops->report(p, "{}", 2, &why) > 0);
    assert_true(p->ops->exited(p, 0, 0, false, &why) > 0);
    assert_true(p->ops->look(p, &final, &open, &awaited, &why) > 0);
    assert_true(p->ops->end(p, NULL) > 0);
    assert_true(p->ops->verdict(p, &out, &why) > 0);
    assert_true(p->ops->calls(p, &out, &why) > 0);
    assert_true(p->ops->ledger(p, stderr, &why) > 0);
    assert_null(out);
    assert_has(why.where, "--server");
    p->ops->close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_run_is_made_led_and_ended),
        TEST(what_is_refused_is_said),
        TEST(a_url_for_the_servers_own_machine_is_seen),
        TEST(a_server_that_is_none_is_said),
        TEST(there_may_be_no_ca),
        TEST(a_server_that_dies_is_said_by_each_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
