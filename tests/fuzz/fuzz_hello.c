/* What a client may send first: a ClientHello, or what is none, on a port that speaks TLS ('0' as
 * the first octet) and on one that does not ('1'). However it is split, the ledger has the same of
 * a ClientHello, once; what is answered is TLS, HTTP or nothing; and the connection ends once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/run_host.h"
#include "tests/unit/harness/minted_server.h"

static struct run_listener listeners[] = { { .name = "https", .tls = true, .over = OVER_ALL },
                                           { .name = "http", .over = OVER_ALL } };
static int listening;
static struct sockaddr_in at = { .sin_family = AF_INET };

static void start(void)
{
    socklen_t len = sizeof at;
    start_run(minted_server());
    listeners[0].run = listeners[1].run = run;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    promise(bind(listening, (struct sockaddr *)&at, len) == 0 && listen(listening, 8) == 0 &&
                getsockname(listening, (struct sockaddr *)&at, &len) == 0,
            "a listener");
}

static void turns(int n)
{
    while (n-- > 0)
        uv_run(&loop, UV_RUN_NOWAIT);
}

/* The client_hello since then, without its place and time, "" if there is none. */
static char *hello_since(uint64_t since)
{
    struct buf text = { 0 };
    uint64_t next;
    unsigned hellos = 0, ends = 0;
    char *hello = NULL;
    json_t *event;
    size_t i;
    buf_text(&text, "[");
    promise(ledger_read(run_ledger(run), since, SIZE_MAX, SIZE_MAX, ",", &text, &next) >= 0,
            "memory");
    buf_text(&text, "]");
    json_t *events =
        json_loadb((const char *)buf_bytes(&text), buf_len(&text), JSON_ALLOW_NUL, NULL);
    promise(json_is_array(events), "the ledger is JSON");
    json_array_foreach(events, i, event)
    {
        const char *name = json_string_value(json_object_get(event, "event"));
        ends += strcmp(name, "connection_end") == 0;
        if (strcmp(name, "client_hello") != 0)
            continue;
        promise(hellos++ == 0, "one ClientHello");
        json_object_del(event, "seq");
        json_object_del(event, "at");
        json_object_del(event, "ms");
        json_object_del(event, "connection");
        hello = json_dumps(event, JSON_COMPACT | JSON_SORT_KEYS);
    }
    promise(ends == 1, "a connection ends once");
    json_decref(events);
    buf_free(&text);
    return hello ? hello : strdup("");
}

static char *feed(const uint8_t *data, size_t size, bool cleartext, size_t piece)
{
    uint8_t first = 0;
    uint64_t since = ledger_last(run_ledger(run));
    int64_t until = clock_now() + 5 * NS_PER_S;
    int client = connect_to(at);
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;
    int fd = accept4(listening, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    run_accept(&listeners[cleartext], fd, (struct sockaddr *)&peer, len);
    for (size_t from = 0; from < size; from += piece) {
        size_t n = size - from < piece ? size - from : piece;
        if (send(client, data + from, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            break;
        turns(2);
    }
    turns(4);
    if (recv(client, &first, 1, MSG_DONTWAIT) == 1)
        promise(first == 'H' || (cleartext ? first == 0 : first == 0x15 || first == 0x16),
                "the answer is an alert, a handshake, a response or a frame");
    drop_client(client);
    while (run_connection_count(run) > 0) {
        promise(clock_now() < until, "a connection ends with its client");
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    return hello_since(since);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!run)
        start();
    if (size < 2)
        return 0;
    bool cleartext = data[0] & 1;
    char *whole = feed(data + 1, size - 1, cleartext, size);
    char *split = feed(data + 1, size - 1, cleartext, 1 + size / 7);
    if (strcmp(whole, split) != 0)
        fprintf(stderr, "--- at once\n%s\n--- in pieces\n%s\n", whole, split);
    promise(strcmp(whole, split) == 0, "a ClientHello is the same however it is split");
    free(whole);
    free(split);
    return 0;
}
