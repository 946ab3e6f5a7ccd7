/* Connections that come and go by the ten thousand leave nothing behind. */
#include "talk.h"

#include <stdio.h>

#ifdef __SANITIZE_ADDRESS__
#define RSS_SLACK_KB (512 * 1024) /* freed memory stays in quarantine */
#else
#define RSS_SLACK_KB (6 * 1024)
#endif
#define DESCRIPTOR_SLACK 40 /* some pairs are kept in stock for HTTP/1.1 */

static struct server server;

static int setup(void **state)
{
    /* A small ledger is full after the warming up and grows no more. */
    server_start(&server, (const char *const[]){ "--ledger-limit", "1048576", NULL });
    return 0;
}

static int teardown(void **state)
{
    server_stop(&server);
    return 0;
}

static const struct seat seats[] = {
    { "h1 cleartext", false, CLIENT_CLEARTEXT }, { "h2 cleartext", true, CLIENT_CLEARTEXT },
    { "h1 TLS", false, CLIENT_TLS13 },           { "h2 TLS", true, CLIENT_TLS13 },
    { "h1 TLS 1.2", false, CLIENT_TLS12 },
};
#define SEAT_COUNT (sizeof seats / sizeof seats[0])

/* Connections, each of which is served once or twice and then closed in one of three ways. */
static void churn(unsigned long count)
{
    for (unsigned long i = 0; i < count; i++) {
        struct stage stage = { .server = &server, .seat = &seats[i % SEAT_COUNT] };
        struct talk *t = talk_open(&stage);
        talk_served(t);
        if (i % 2)
            talk_served(t);
        if (i % 3 == 0)
            client_drop(&t->c);
        else if (i % 3 == 1 && t->c.tls)
            client_bye(&t->c);
        stage_clear(&stage);
    }
}

static size_t connections_left(void)
{
    json_t *all = admin_call(&server, 200, "GET", "/v1/connections", NULL);
    size_t left = json_array_size(json_object_get(all, "connections"));

    json_decref(all);
    return left;
}

static void wait_until_all_have_gone(void)
{
    int64_t until = in_ms(3 * PATIENCE_MS);

    while (connections_left() > 0)
        check(clock_now() < until, "%zu connections are still there", connections_left());
}

static void check_back_to(const char *what, long rss, long descriptors)
{
    wait_until_all_have_gone();
    long rss_now = server_rss(&server), descriptors_now = server_descriptors(&server);
    print_message("# %s: RSS %ld kB before, %ld kB after; descriptors %ld before, %ld after\n",
                  what, rss, rss_now, descriptors, descriptors_now);
    check(rss_now <= rss + RSS_SLACK_KB, "RSS grew from %ld to %ld kB", rss, rss_now);
    check(descriptors_now <= descriptors + DESCRIPTOR_SLACK, "descriptors grew from %ld to %ld",
          descriptors, descriptors_now);
}

static void ten_thousand_served_connections_leave_nothing_behind(void **state)
{
    churn(scaled(2000));
    wait_until_all_have_gone();
    long rss = server_rss(&server), descriptors = server_descriptors(&server);
    churn(scaled(10000));
    check_back_to("10,000 served", rss, descriptors);
}

/* From many source addresses, so that the closed ones in TIME_WAIT do not use up the ports. */
static void open_and_drop(unsigned long count)
{
    for (unsigned long i = 0; i < count; i++) {
        char source[32];
        struct client_options to = { .port = server.http, .source = source };
        struct client c;

        snprintf(source, sizeof source, "127.0.%lu.%lu", 1 + i / 10000, 1 + i % 200);
        check(client_connect(&c, &to), "connecting failed in round %lu", i);
        if (i % 5 == 0)
            client_text(&c, "GET / HTTP/1.1\r\n");
        if (i % 8 == 0)
            client_close(&c);
        else
            client_drop(&c);
    }
}

static void a_hundred_thousand_dropped_connections_leave_nothing_behind(void **state)
{
    open_and_drop(scaled(10000));
    wait_until_all_have_gone();
    long rss = server_rss(&server), descriptors = server_descriptors(&server);
    open_and_drop(scaled(100000));
    check_back_to("100,000 dropped", rss, descriptors);
    churn(SEAT_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_served_connections_leave_nothing_behind),
        cmocka_unit_test(a_hundred_thousand_dropped_connections_leave_nothing_behind),
    };

    return cmocka_run_group_tests_name("connections that come and go", tests, setup, teardown);
}
