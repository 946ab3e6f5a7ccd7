/* run_client.h - a client of a run, for tests: what it asks, and what it has read. Then the state
 * that each test leaves behind.
 */
#pragma once

#include "run_rig.h"

static char got[65536]; /* what a client has read */
static size_t got_len;
static int reading; /* the client that reads */
static size_t wanted;

static inline void start_reading(int client)
{
    reading = client;
    got_len = 0;
}

/* Reads what there is. False: the connection has ended. */
static inline bool read_more(void)
{
    ssize_t n = recv(reading, got + got_len, sizeof got - 1 - got_len, 0);
    if (n > 0)
        got_len += (size_t)n;
    got[got_len] = '\0';
    return n > 0 || (n < 0 && errno == EAGAIN);
}

static inline bool got_wanted(void)
{
    return read_more() && got_len >= wanted;
}

static inline bool got_end(void)
{
    return !read_more();
}

/* A whole answer: its header section, and the content that that declares. */
static inline bool got_answer(void)
{
    read_more();
    const char *length = strcasestr(got, "\r\ncontent-length:"), *end = strstr(got, "\r\n\r\n");
    return length && end && got_len >= (size_t)(end + 4 - got) + strtoul(length + 17, NULL, 10);
}

static inline void ask(int client)
{
    start_reading(client);
    assert_int_equal(send(client, REQUEST, strlen(REQUEST), 0), strlen(REQUEST));
}

static inline void assert_answered(int client)
{
    ask(client);
    assert_true(run_until(got_answer, PATIENCE));
    assert_memory_equal(got, "HTTP/1.1 200 ", 13);
}

static inline void end(int client)
{
    close(client);
    run_reset(run);
    assert_true(run_until(is_empty, PATIENCE));
}

static inline uint64_t now_in_ledger(void)
{
    return ledger_last(run_ledger(run));
}

/* Whatever a test left behind when it failed is not the next one's. */
static inline int reset(void **state)
{
    run_abort(run);
    run_reset(run);
    run_set_time_scale(run, 1);
    return run_until(is_empty, PATIENCE) ? 0 : -1;
}
