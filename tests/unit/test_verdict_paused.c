/* The server's own pauses: whatever was read behind one may have come at any time in it, so that no
 * check passes, or fails, that does otherwise by one of these times. All runs with a known truth
 * are told with a pause before each of their events. */
#include "verdict_outcomes.h"

#define LINES_MAX 400
#define BEHIND    0.05 /* s: so long behind a pause what came in it is read */

/* The lines of a script, with their times in s. */
struct lines {
    size_t count;
    double at[LINES_MAX];
    const char *rest[LINES_MAX]; /* with the blank before it */
    char *text;
};

static struct lines lines_of(const char *script)
{
    struct lines l = { .text = strdup(script) };
    char *rest = l.text, *line;
    while ((line = strsep(&rest, "\n"))) {
        char *end;
        if (!*line)
            continue;
        assert_in_range(l.count, 0, LINES_MAX - 1);
        l.at[l.count] = strtod(line, &end);
        l.rest[l.count++] = end;
    }
    return l;
}

/* What the server reads of a client or its harness; all else it does itself. Not with times of its
 * own; and not the end of the command, which decides as it is read what is of the phase. */
static bool is_read(const char *rest)
{
    static const char *const names[] = { "open",
                                         "stale",
                                         "stale_bytes",
                                         "mark",
                                         "report",
                                         "peer_fin",
                                         "peer_rst",
                                         "peer_close_notify",
                                         "peer_ping",
                                         "peer_ping_ack",
                                         "peer_settings",
                                         "peer_goaway",
                                         "peer_rst_stream",
                                         "peer_settings_ack",
                                         "client_hello",
                                         "connection_end",
                                         "response_acked",
                                         "syn_dropped",
                                         "fault_acked",
                                         "segments_dropped" };
    while (*rest == ' ' || (strchr("cx", *rest) && strchr("0123456789", rest[1])))
        rest += strspn(rest, " ") ? strspn(rest, " ") : strcspn(rest, " ");
    if (strstr(rest, "from=") || strstr(rest, "to=") || strstr(rest, "first_") ||
        strstr(rest, "idle_before="))
        return false;
    if (strncmp(rest, "connection_end", 14) == 0 && !strstr(rest, "by=client"))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strncmp(rest, names[i], strlen(names[i])) == 0 && strchr(" ", rest[strlen(names[i])]))
            return true;
    }
    return (*rest >= 'A' && *rest <= 'Z') ||
           (strncmp(rest, "lost", 4) == 0 && strstr(rest, "lost_by=client"));
}

/* A pause, the first line that is read behind it, and how many are before the server itself does
 * something. */
struct pause_case {
    double from, to;
    size_t first, count;
};

/* The script with the pause, or without it and with the first count lines of those that were read
 * behind it after a part of it. */
static char *told(const struct lines *l, const struct pause_case *c, size_t count, double part)
{
    struct buf out = { 0 };
    for (size_t i = 0; i < l->count; i++) {
        double at = l->at[i];
        if (i == c->first && !count)
            buf_printf(&out, "%.6f server_paused from=%.6f to=%.6f paused=%.6f\n", c->to, c->from,
                       c->to, c->to - c->from);
        if (i >= c->first && i < c->first + count)
            at = c->from + part * (c->to - c->from) + (at - c->from) / 1000;
        buf_printf(&out, "%.6f%s\n", at, l->rest[i]);
    }
    char *text = strndup((const char *)buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    return text;
}

static struct outcomes judged(const struct truth *t, char *script)
{
    const struct truth other = { t->title, t->expect, script, NULL, t->later };
    const struct feeding whole = { .later = t->later * NS_PER_MS };
    struct ledger *l = ledger_of(&other);
    struct outcomes out = fed(l, &whole);
    ledger_destroy(l);
    free(script);
    return out;
}

static void never_other_than(const struct truth *t, const struct outcomes *paused,
                             const struct outcomes *other, const struct pause_case *c, size_t count,
                             double part)
{
    static const char *const words[] = { "n/a", "pass", "inconclusive", "fail" };
    assert_int_equal(paused->count, other->count);
    for (size_t i = 0; i < paused->count; i++) {
        int here = paused->list[i], there = other->list[i];
        if (((here == OUTCOME_PASS && there == OUTCOME_FAIL) ||
             (here == OUTCOME_FAIL && there == OUTCOME_PASS)) &&
            wrong++ < 20)
            print_error("%s: paused from %.3f to %.3f: %s %s; %s if %zu came after %.2f of that\n",
                        t->title, c->from, c->to, paused->names[i], words[here], words[there],
                        count, part);
    }
}

static void try_pause(const struct truth *t, const struct lines *l, const struct pause_case *c,
                      const struct outcomes *base)
{
    struct outcomes paused = judged(t, told(l, c, 0, 0));
    never_other_than(t, &paused, base, c, 0, 1);
    for (size_t n = 1; n <= c->count; n++) {
        bool together = n < c->count && l->at[c->first + n] == l->at[c->first + n - 1];
        for (int part = 0; part < 4 && !together; part++) {
            struct outcomes other = judged(t, told(l, c, n, part / 4.0));
            never_other_than(t, &paused, &other, c, n, part / 4.0);
        }
    }
}

/* A pause of at most so many seconds before the i-th line. */
static void try_before(const struct truth *t, const struct lines *l, size_t i, double length,
                       const struct outcomes *base)
{
    struct pause_case c = { .from = l->at[i] - length, .to = l->at[i], .first = i };
    if (c.from < l->at[i - 1])
        c.from = l->at[i - 1];
    for (; i < l->count && is_read(l->rest[i]); i++, c.count++) {
        if (l->at[i] < c.to || l->at[i] > c.to + BEHIND)
            break;
    }
    if (c.count && c.to - c.from >= 0.001)
        try_pause(t, l, &c, base);
}

/* The same run, in which the server did not run as its client did what the lines from i to last
 * say.
 */
static char *told_late(const struct lines *l, size_t i, size_t last)
{
    struct buf out = { 0 };
    double from = (l->at[i - 1] + l->at[i]) / 2, to = l->at[last], now = 0;
    for (size_t k = 0; k < l->count; k++) {
        bool late = k >= i && k <= last;
        if (k == i)
            buf_printf(&out, "%.6f server_paused from=%.6f to=%.6f paused=%.6f\n", to, from, to,
                       to - from);
        now = late ? to + 1e-6 * (double)(k - i) : l->at[k] > now ? l->at[k] : now;
        buf_printf(&out, "%.6f%s\n", now, l->rest[k]);
    }
    char *text = strndup((const char *)buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    return text;
}

static void is_read_late(const struct truth *t, const struct ledger *whole,
                         const struct outcomes *base)
{
    struct lines l = lines_of(t->script);
    for (size_t i = 1; i < l.count && !strstr(t->script, "server_paused"); i++) {
        for (size_t last = i; last < l.count && is_read(l.rest[last]); last++) {
            const struct pause_case c = { l.at[i - 1], l.at[last], i, last - i + 1 };
            if (l.at[last] - l.at[i] < 0.001)
                continue;
            struct outcomes paused = judged(t, told_late(&l, i, last));
            never_other_than(t, &paused, base, &c, c.count, 0);
        }
    }
    free(l.text);
}

static void what_is_read_late_is_judged_as_if_it_were_not_or_not_at_all(void **state)
{
    each_truth(is_read_late);
}

static void is_paused(const struct truth *t, const struct ledger *whole,
                      const struct outcomes *base)
{
    static const double lengths[] = { 0.12, 0.25, 1, 3, 12 };
    struct lines l = lines_of(t->script);
    bool ended = false; /* what comes then is of the phase or not as it is read, too */
    for (size_t i = 1; i < l.count && !strstr(t->script, "server_paused"); i++) {
        bool begins = strstr(l.rest[i - 1], "phase ") || strstr(l.rest[i - 1], "command_start");
        ended = !begins && (ended || strstr(l.rest[i - 1], "command_exit"));
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths && !ended; k++)
            try_before(t, &l, i, lengths[k], base);
    }
    free(l.text);
}

static void no_outcome_is_another_by_a_time_in_a_pause(void **state)
{
    each_truth(is_paused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_outcome_is_another_by_a_time_in_a_pause),
        cmocka_unit_test(what_is_read_late_is_judged_as_if_it_were_not_or_not_at_all),
    };
    return cmocka_run_group_tests_name("verdict_paused", tests, NULL, NULL);
}
