/* What a verdict says is final: neither a later event nor time makes something else of it, and of a
 * ledger that ends early no pass is. */
#include "verdict_outcomes.h"

/* What is told later is not known yet: then only what that says may still change it. */
static void ends_early(const struct truth *t, const struct ledger *l, const struct outcomes *base)
{
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record = { 0 };
    bool commanded = false;
    while (ledger_next(&cursor, &record) && record.seq < ledger_last(l)) {
        uint64_t seq = record.seq;
        const struct feeding f = { .upto = seq };
        struct outcomes now = fed(l, &f);
        commanded = record.event == EV_COMMAND_START ||
                    (commanded && record.event != EV_COMMAND_EXIT && record.event != EV_PHASE &&
                     record.event != EV_RUN_END);
        for (size_t i = 0; commanded && i < now.count; i++) {
            if (now.list[i] == OUTCOME_PASS && now.final[i] && wrong++ < 20)
                print_error("%s: up to event %llu, while the command runs: %s passes, finally\n",
                            t->title, (unsigned long long)seq, now.names[i]);
        }
        for (size_t i = 0; seq > 1 && i < base->count; i++) {
            if (now.list[i] == OUTCOME_PASS && now.final[i] && base->list[i] != OUTCOME_PASS &&
                base->evidence[i] <= (int64_t)seq && base->evidence[i] && wrong++ < 20)
                print_error("%s: up to event %llu: %s passes, finally\n", t->title,
                            (unsigned long long)seq, base->names[i]);
        }
    }
}

static void a_ledger_that_ends_early_makes_no_final_pass(void **state)
{
    each_truth(ends_early);
}

/* What was told as final stays: neither time nor an event makes something else of it. But who tests
 * may begin anew; and where nobody says that a command runs a pass is one of the calls that were
 * made. */
struct told {
    struct outcomes last;
    bool commanded;
    bool all; /* no call is made any more, so that a pass stays, too */
};

static bool begins_anew(enum ledger_event event)
{
    return event == EV_PHASE || event == EV_CLEARED || event == EV_EXPECTATIONS ||
           event == EV_COMMAND_START;
}

static void stays_final(const struct truth *t, struct verdict *v, struct told *told,
                        const struct ledger_record *record)
{
    struct outcomes now = outcomes_of(v);
    for (size_t i = 0; i < now.count && i < told->last.count; i++) {
        bool kept = now.list[i] == told->last.list[i] && now.final[i];
        bool bound = told->last.final[i] && !begins_anew(record->event) &&
                     (told->last.list[i] == OUTCOME_FAIL || told->commanded || told->all);
        if (bound && !kept && wrong++ < 20)
            print_error("%s: %s was %d for good, and is %d%s behind event %llu (%s)\n", t->title,
                        now.names[i], told->last.list[i], now.list[i], now.final[i] ? "" : "~",
                        (unsigned long long)record->seq, ledger_event_name(record->event));
    }
    told->last = now;
}

/* It is asked behind each event, and whenever it says that it may change by itself. */
static void feed_told(const struct truth *t, struct verdict *v, struct told *told,
                      struct ledger_record *before, const struct ledger_record *next)
{
    bool paused = next && next->event == EV_SERVER_PAUSED; /* nobody could ask meanwhile */
    for (int64_t at;
         before->seq && !paused && (at = verdict_next(v)) != -1 && (!next || at < next->age);) {
        verdict_now(v, at);
        stays_final(t, v, told, before);
    }
    if (!next)
        return;
    *before = *next;
    verdict_feed(v, next);
    stays_final(t, v, told, next);
    if (next->event == EV_PHASE || next->event == EV_CLEARED)
        told->commanded = false;
    told->commanded |= next->event == EV_COMMAND_START || next->event == EV_COMMAND_EXIT;
}

static void is_told_early(const struct truth *t, const struct ledger *l,
                          const struct outcomes *base)
{
    struct verdict *v = rig_verdict();
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record = { 0 }, next;
    struct told told = { 0 };
    while (ledger_next(&cursor, &next))
        feed_told(t, v, &told, &record, &next);
    feed_told(t, v, &told, &record, NULL);
    verdict_destroy(v);
}

static void what_is_final_stays(void **state)
{
    each_truth(is_told_early);
}

/* --- What comes late of calls that were made, where nobody tells of a command */

static const char *const late[] = {
    "%s c%u peer_rst\n",
    "%s c%u peer_rst\n%s c%u connection_end by=client how=rst\n",
    "%s c%u peer_fin\n",
    "%s c%u peer_fin\n%s c%u connection_end by=client how=fin\n",
    "%s c%u x1 peer_rst_stream stream=1\n",
    "%s c%u x2 peer_rst_stream stream=3\n",
    "%s c%u peer_goaway last_stream=0\n",
    "%s c%u peer_close_notify\n",
    "%s c%u peer_ping\n",
    "%s c%u fin\n",
    "%s c%u rst\n%s c%u connection_end by=fault how=rst\n",
    "%s c%u stall\n",
    "%s mark foreground\n",
    "%s mark background\n",
    "%s report {\"driver\":1}\n%s report "
    "{\"n\":%u,\"step\":\"get\",\"ok\":false,\"error\":\"e\"}\n",
    "%s report {\"n\":1,\"step\":\"get\",\"ok\":false,\"error\":\"e\"}\n",
    "%s report {\"n\":1,\"step\":\"get\",\"ok\":true,\"status\":200,\"ms\":60000}\n",
    "%s report {\"n\":1,\"step\":\"get\",\"ok\":true,\"status\":500}\n",
    "%s run_end\n",
};

/* Whether a late event can be on a connection at the end of a script: it is open still, and has
 * such a stream. */
static bool can_be_late(const char *script, const char *what, unsigned c)
{
    char open[24], end[32], stream[24];
    bool h2 = strstr(what, "stream") != NULL;
    snprintf(open, sizeof open, " c%u open%s", c, h2 ? " h2" : "");
    snprintf(end, sizeof end, " c%u connection_end", c);
    snprintf(stream, sizeof stream, " c%u%s", c,
             strstr(what, "x1")   ? " x1"
             : strstr(what, "x2") ? " x2"
                                  : "");
    return strstr(script, open) && strstr(script, stream) && !strstr(script, end);
}

/* One of the late events behind all that a script tells, so many ms later. */
static struct ledger *told_late(const struct truth *t, const char *what, unsigned c, int64_t ms)
{
    struct ledger *whole = ledger_of(t);
    struct ledger_cursor cursor = { .ledger = whole };
    struct ledger_record record = { 0 };
    char at[32], more[512];
    while (ledger_next(&cursor, &record))
        continue;
    int64_t age = record.age / NS_PER_MS + ms;
    snprintf(at, sizeof at, "%lld.%03lld", (long long)(age / 1000), (long long)(age % 1000));
    ledger_destroy(whole);
    struct buf out = { 0 };
    for (const char *from = what; *from; from++) {
        if (from[0] == '%' && from[1] == 's')
            buf_printf(&out, "%s", at);
        else if (from[0] == '%')
            buf_printf(&out, "%u", c);
        else
            buf_add(&out, (const uint8_t *)from, 1);
        from += from[0] == '%';
    }
    snprintf(more, sizeof more, "%.*s", (int)buf_len(&out), (const char *)buf_bytes(&out));
    buf_free(&out);
    buf_printf(&out, "%s%s", t->script, more);
    char *text = strndup((const char *)buf_bytes(&out), buf_len(&out));
    char *script = rig_run_script(t->expect, text);
    struct ledger *l = script_ledger(script);
    buf_free(&out);
    free(text);
    free(script);
    return l;
}

/* Behind the last of its own events nothing makes something else of what is final. */
static void is_kept(const struct truth *t, const struct ledger *l, uint64_t own)
{
    struct verdict *v = rig_verdict();
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record = { 0 }, next;
    struct told told = { 0 };
    while (ledger_next(&cursor, &next)) {
        told.all = next.seq > own;
        feed_told(t, v, &told, &record, &next);
    }
    feed_told(t, v, &told, &record, NULL);
    verdict_destroy(v);
}

/* Whether a call is open still: what strikes it later is another matter. */
static bool has_open_call(const struct ledger *l)
{
    struct verdict *v = rig_verdict();
    rig_feed_verdict(v, l);
    json_t *said = verdict_calls(v), *call;
    size_t i;
    bool open = false;
    json_array_foreach(json_object_get(said, "calls"), i, call)
    {
        open |= strcmp(json_string_value(json_object_get(call, "state")), "open") == 0;
    }
    json_decref(said);
    verdict_destroy(v);
    return open;
}

static void comes_late(const struct truth *t, const struct ledger *l, const struct outcomes *base)
{
    static const int64_t after[] = { 150, 4900, 5500, 60000 };
    if (strstr(t->script, " command_start") || strstr(t->script, " command_exit") ||
        strstr(t->script, " run_end"))
        return;
    for (size_t i = 0; i < sizeof late / sizeof *late; i++) {
        bool of_connection = strstr(late[i], "c%u") != NULL;
        bool strikes = of_connection && !strstr(late[i], "peer_");
        if (strikes && has_open_call(l))
            continue;
        for (unsigned c = 101; c <= (of_connection ? 104 : 101); c++) {
            if (of_connection && !can_be_late(t->script, late[i], c))
                continue;
            for (size_t k = 0; k < sizeof after / sizeof *after; k++) {
                struct ledger *more = told_late(t, late[i], c, after[k]);
                is_kept(t, more, ledger_last(l));
                ledger_destroy(more);
            }
        }
    }
}

static void what_comes_late_changes_nothing(void **state)
{
    each_truth(comes_late);
}

/* --- A client that lives outside of its command, and asks again later */

static const char *const asks[] = {
    "c900 open\nT c900 x1 GET /a\nT c900 x1 answer\n",
    "c900 open\nT c900 x1 POST /a\nT c900 x1 answer\n",
    "c900 open\nT c900 x1 GET /a\nT c900 fin\nT c900 x1 lost\nT c900 peer_fin\n"
    "T c900 connection_end by=client how=fin\n",
    "mark foreground\nT drop_syn\n",
};

/* The first octets of the script, and behind them, at a time in seconds, one of these. */
static struct ledger *asked_again(const struct truth *t, size_t len, const char *ask, double at)
{
    struct buf out = { 0 };
    buf_printf(&out, "%.*s%.3f ", (int)len, t->script, at);
    for (const char *c = ask; *c; c++) {
        if (*c == 'T' && c[1] == ' ')
            buf_printf(&out, "%.3f", at);
        else
            buf_add(&out, (const uint8_t *)c, 1);
    }
    buf_printf(&out, "%s", "");
    char *text = strndup((const char *)buf_bytes(&out), buf_len(&out));
    char *script = rig_run_script(t->expect, text);
    struct ledger *l = script_ledger(script);
    buf_free(&out);
    free(text);
    free(script);
    return l;
}

/* Behind the end of its command, and behind each line that comes after that; else behind all. */
static void asks_again(const struct truth *t, const struct ledger *l, const struct outcomes *base)
{
    static const double after[] = { 0.001, 0.150, 2, 60 };
    const char *all = t->script + strlen(t->script) - 1, *from = t->script, *end;
    for (const char *at = from; (at = strstr(at, " command_exit")); at++)
        from = at;
    if (from == t->script || strstr(from, " phase "))
        from = all;
    for (; (end = strchr(from, '\n')); from = end + 1) {
        const char *line = end;
        while (line > t->script && line[-1] != '\n')
            line--;
        for (size_t i = 0; i < 4 * (sizeof asks / sizeof *asks); i++) {
            double at = strtod(line, NULL) + after[i % 4];
            struct ledger *more = asked_again(t, (size_t)(end + 1 - t->script), asks[i / 4], at);
            is_told_early(t, more, base);
            ledger_destroy(more);
        }
    }
}

static void what_is_asked_behind_the_end_changes_nothing(void **state)
{
    each_truth(asks_again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ledger_that_ends_early_makes_no_final_pass),
        cmocka_unit_test(what_is_final_stays),
        cmocka_unit_test(what_comes_late_changes_nothing),
        cmocka_unit_test(what_is_asked_behind_the_end_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
