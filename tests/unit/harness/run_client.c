#include "run_client.h"

char got[65536];
size_t got_len;
int reading;
size_t wanted;

void start_reading(int client)
{
    reading = client;
    got_len = 0;
}

bool read_more(void)
{
    ssize_t n = recv(reading, got + got_len, sizeof got - 1 - got_len, 0);
    if (n > 0)
        got_len += (size_t)n;
    got[got_len] = '\0';
    return n > 0 || (n < 0 && errno == EAGAIN);
}

bool got_wanted(void)
{
    return read_more() && got_len >= wanted;
}

bool got_end(void)
{
    return !read_more();
}

bool got_answer(void)
{
    read_more();
    const char *length = strcasestr(got, "\r\ncontent-length:"), *end = strstr(got, "\r\n\r\n");
    return length && end && got_len >= (size_t)(end + 4 - got) + strtoul(length + 17, NULL, 10);
}

void ask(int client)
{
    start_reading(client);
    assert_int_equal(send(client, REQUEST, strlen(REQUEST), 0), strlen(REQUEST));
}

void assert_answered(int client)
{
    ask(client);
    assert_true(run_until(got_answer, PATIENCE));
    assert_memory_equal(got, "HTTP/1.1 200 ", 13);
}

void end_client(int client)
{
    close(client);
    run_reset(run);
    assert_true(run_until(is_empty, PATIENCE));
}

uint64_t now_in_ledger(void)
{
    return ledger_last(run_ledger(run));
}

int rig_reset(void **state)
{
    run_abort(run);
    run_reset(run);
    run_set_time_scale(run, 1);
    return run_until(is_empty, PATIENCE) ? 0 : -1;
}
