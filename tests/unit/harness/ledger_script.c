#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "ledger_script.h"

#define FAULTS_MAX 64
#define TOKENS_MAX 64

/* The clock of the ledgers (ld's --wrap): what the line says. */
static int64_t script_time;

int64_t __wrap_clock_now(void);
int64_t __wrap_clock_now(void)
{
    return script_time;
}

static const struct {
    const char *name;
    enum ledger_kind kind;
} fields[F_COUNT] = {
#define X(symbol, json, type) [F_##symbol] = { json, LEDGER_##type },
    LEDGER_FIELDS(X)
#undef X
};

/* Class, scope and whether the client's kernel ACKs it, of each step with its usual arguments. */
static const struct {
    const char *class, *scope;
    bool acked;
} steps[STEP_COUNT] = {
    [STEP_FIN] = { "ends", "connection", true },
    [STEP_RST] = { "ends", "connection", false },
    [STEP_FORGET] = { "silences", "connection", false },
    [STEP_BLACK_HOLE] = { "silences", "connection", false },
    [STEP_HEAL] = { "repairs", "connection", false },
    [STEP_STALL] = { "silences", "connection", false },
    [STEP_RESUME] = { "repairs", "connection", false },
    [STEP_GOAWAY] = { "refuses", "connection", true },
    [STEP_GOAWAY_NOTICE] = { "says", "connection", true },
    [STEP_PING] = { "says", "connection", false },
    [STEP_IGNORE_PINGS] = { "shapes", "connection", false },
    [STEP_IGNORE_SETTINGS] = { "shapes", "connection", false },
    [STEP_WINDOW] = { "holds", "connection", false },
    [STEP_MAX_STREAMS] = { "refuses", "connection", false },
    [STEP_CLOSE_NOTIFY] = { "ends", "connection", true },
    [STEP_ALERT] = { "ends", "connection", true },
    [STEP_THROTTLE] = { "shapes", "connection", false },
    [STEP_DRIP] = { "shapes", "connection", false },
    [STEP_CUT] = { "cuts", "connection", false },
    [STEP_INJECT] = { "cuts", "connection", false },
    [STEP_WAIT] = { "says", "connection", false },
    [STEP_DELAY] = { "holds", "stream", false },
    [STEP_HOLD] = { "holds", "stream", false },
    [STEP_RESPOND] = { "refuses", "stream", false },
    [STEP_HEADER] = { "says", "stream", false },
    [STEP_RST_STREAM] = { "ends", "stream", true },
    [STEP_REFUSE] = { "refuses", "stream", true },
    [STEP_NO_CONTINUE] = { "holds", "stream", false },
    [STEP_INTERIM] = { "says", "stream", false },
    [STEP_REFUSE_SYN] = { "refuses", "listener", false },
    [STEP_DROP_SYN] = { "silences", "listener", false },
    [STEP_LISTEN] = { "repairs", "listener", false },
};

struct line {
    int64_t at;
    uint64_t connection;
    uint32_t exchange;
    char *tokens[TOKENS_MAX]; /* behind the event: MEMBER=VALUE, or -MEMBER */
    int count;
};

struct script {
    struct ledger *ledger;
    uint64_t faults[FAULTS_MAX];
    int fault_count;
    uint8_t requests[256]; /* of each connection, by its number */
    bool unsafe[256][256]; /* what its requests are, by their numbers */
};

static int64_t seconds(const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end)
        fail_msg("no time: %s", text);
    return (int64_t)(value * 1e6 + (value < 0 ? -0.5 : 0.5)) * 1000;
}

static bool is_member(enum ledger_event event, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = ledger_event_members(event); (at = strstr(at, name)); at += len) {
        char behind = at[len];
        if ((at == ledger_event_members(event) || at[-1] == ' ') &&
            (behind == 0 || behind == ' ' || behind == '?'))
            return true;
    }
    return false;
}

static int find_step(const char *name)
{
    for (int i = 0; i < STEP_COUNT; i++) {
        if (strcmp(ledger_word_name(F_STEP, i), name) == 0)
            return i;
    }
    return -1;
}

static int find_event(const char *name)
{
    for (int i = 0; i < EV_COUNT; i++) {
        if (strcmp(ledger_event_name((enum ledger_event)i), name) == 0)
            return i;
    }
    return -1;
}

/* A member by its name, with or without "_ms". */
static int find_field(const char *name)
{
    char with[64];
    snprintf(with, sizeof with, "%.59s_ms", name);
    for (int i = 0; i < F_COUNT; i++) {
        bool span = fields[i].kind == LEDGER_SPAN;
        if (strcmp(fields[i].name, span ? with : name) == 0)
            return i;
    }
    return -1;
}

static int64_t number_of(const struct script *s, int field, const char *value)
{
    switch (fields[field].kind) {
    case LEDGER_SPAN:
        return seconds(value);
    case LEDGER_BOOL:
        return strcmp(value, "true") == 0;
    case LEDGER_WORD:
        if (ledger_word_find((enum ledger_field)field, value) < 0)
            fail_msg("no word of %s: %s", ledger_field_name((enum ledger_field)field), value);
        return ledger_word_find((enum ledger_field)field, value);
    default:
        break;
    }
    if (value[0] == 'F') {
        int which = value[1] ? atoi(value + 1) : s->fault_count;
        if (which < 1 || which > s->fault_count)
            fail_msg("no such fault: %s", value);
        return (int64_t)s->faults[which - 1];
    }
    return strtoll(value, NULL, 10);
}

/* The steps of a driver, in a script with _ between them. */
static void write_steps(struct script *s, const char *value)
{
    char text[256];
    size_t len = strlen(value);
    assert_in_range(len, 1, sizeof text - 1);
    for (size_t i = 0; i <= len; i++)
        text[i] = value[i] == '_' ? ' ' : value[i];
    ledger_text(s->ledger, F_STEPS, text);
}

static void write_field(struct script *s, int field, const char *value)
{
    char list[LEDGER_LIST_SIZE];
    size_t len = 0;
    if (field == F_STEPS) {
        write_steps(s, value);
        return;
    }
    switch (fields[field].kind) {
    case LEDGER_TEXT:
    case LEDGER_JSON:
        ledger_text(s->ledger, (enum ledger_field)field, value);
        return;
    case LEDGER_LIST:
        for (const char *at = value; *at; at += *at == ',') {
            size_t n = strcspn(at, ",");
            len = ledger_item(list, sizeof list, len, at, n);
            at += n;
        }
        ledger_bytes(s->ledger, (enum ledger_field)field, list, len);
        return;
    case LEDGER_HASH: /* of whatever it is called */
        ledger_hash(s->ledger, (enum ledger_field)field,
                    hash_more(HASH_START, value, strlen(value)));
        return;
    case LEDGER_WORD:
        ledger_word(s->ledger, (enum ledger_field)field, number_of(s, field, value));
        return;
    case LEDGER_REAL:
        ledger_real(s->ledger, (enum ledger_field)field, strtod(value, NULL));
        return;
    default:
        ledger_int(s->ledger, (enum ledger_field)field, number_of(s, field, value));
    }
}

/* Whether the line says it, or says that it is left out. */
static bool says(const struct line *line, const char *name)
{
    size_t len = strlen(name);
    for (int i = 0; i < line->count; i++) {
        const char *token = line->tokens[i];
        if ((strncmp(token, name, len) == 0 && token[len] == '=') ||
            (token[0] == '-' && strcmp(token + 1, name) == 0))
            return true;
    }
    return false;
}

static void unless_said(struct script *s, const struct line *line, const char *name,
                        const char *value)
{
    if (!says(line, name))
        write_field(s, find_field(name), value);
}

/* What events of a kind have alike. */
static void fill_in(struct script *s, enum ledger_event event, const struct line *line)
{
    char now[32];
    snprintf(now, sizeof now, "%.6f", (double)line->at / 1e9);
    switch (event) {
    case EV_CONNECTION_OPEN:
        unless_said(s, line, "listener", "https");
        unless_said(s, line, "path", "direct");
        break;
    case EV_STALE_REQUEST:
        unless_said(s, line, "fault", s->fault_count ? "F" : "0");
        unless_said(s, line, "sent_into", "fin_sent");
        unless_said(s, line, "complete", "true");
        __attribute__((fallthrough));
    case EV_REQUEST:
        unless_said(s, line, "first_byte", now);
        unless_said(s, line, "reused", s->requests[line->connection % 256]++ ? "true" : "false");
        break;
    case EV_REQUEST_COMPLETE:
        unless_said(s, line, "digest", "none");
        unless_said(s, line, "body_bytes", "0");
        break;
    case EV_PROCESSED:
        unless_said(s, line, "effect",
                    s->unsafe[line->connection % 256][line->exchange % 256] ? "true" : "false");
        break;
    case EV_RESPONSE_ACKED:
        unless_said(s, line, "proof", "ack");
        __attribute__((fallthrough));
    case EV_FAULT_ACKED:
        unless_said(s, line, "from", now);
        unless_said(s, line, "to", now);
        break;
    case EV_MARK:
        unless_said(s, line, "from", now);
        unless_said(s, line, "to", now);
        break;
    default:
        break;
    }
    if (event == EV_FAULT_DONE || event == EV_FAULT_ACKED || event == EV_SEGMENTS_DROPPED)
        unless_said(s, line, "fault", "F");
}

static void write_event(struct script *s, enum ledger_event event, const struct line *line)
{
    script_time = line->at;
    ledger_begin(s->ledger, event, line->connection, line->exchange);
    for (int i = 0; i < line->count; i++) {
        char name[64];
        const char *token = line->tokens[i], *equals = strchr(token, '=');
        if (token[0] == '-' || !equals)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(equals - token), token);
        int field = find_field(name);
        if (field < 0)
            fail_msg("no member: %s", name);
        if (is_member(event, fields[field].name))
            write_field(s, field, equals + 1);
    }
    fill_in(s, event, line);
    uint64_t seq = ledger_commit(s->ledger);
    if (event == EV_FAULT && s->fault_count < FAULTS_MAX)
        s->faults[s->fault_count++] = seq;
}

/* --- Words that stand for several events */

/* Bare words of a line become members, by their places. */
static void name_words(struct line *line, const char *const *names)
{
    static char room[TOKENS_MAX][128];
    static int used;
    for (int i = 0; i < line->count && *names; i++, names++) {
        if (strchr(line->tokens[i], '=') || line->tokens[i][0] == '-')
            return;
        used = (used + 1) % TOKENS_MAX;
        snprintf(room[used], sizeof room[used], "%s=%s", *names, line->tokens[i]);
        line->tokens[i] = room[used];
    }
}

static void with(struct line *line, const char *name, const char *value)
{
    static char room[TOKENS_MAX][64];
    static int used;
    if (says(line, name) || !value)
        return;
    used = (used + 1) % TOKENS_MAX;
    snprintf(room[used], sizeof room[used], "%s=%s", name, value);
    line->tokens[line->count++] = room[used];
}

static void write_step(struct script *s, int step, struct line *line, bool alone)
{
    with(line, "step", ledger_word_name(F_STEP, step));
    with(line, "class", steps[step].class);
    with(line, "scope", steps[step].scope);
    with(line, "trigger", line->exchange ? "request" : "idle");
    write_event(s, EV_FAULT, line);
    if (alone)
        return;
    with(line, "in_effect", "true");
    write_event(s, EV_FAULT_DONE, line);
    if (steps[step].acked && line->connection)
        write_event(s, EV_FAULT_ACKED, line);
}

static void drop_first(struct line *line)
{
    memmove(line->tokens, line->tokens + 1, (size_t)--line->count * sizeof *line->tokens);
}

static bool write_words(struct script *s, struct line *line)
{
    static const char *const request[] = { "method", "target", NULL };
    static const char *const answer[] = { "status", NULL };
    static const char *const open[] = { "protocol", NULL };
    const char *word = line->tokens[0];
    bool stale = strcmp(word, "stale") == 0;
    if (stale)
        drop_first(line);
    if (stale || (word[0] >= 'A' && word[0] <= 'Z')) {
        s->unsafe[line->connection % 256][line->exchange % 256] =
            strcmp(line->tokens[0], "GET") != 0;
        name_words(line, request);
        write_event(s, stale ? EV_STALE_REQUEST : EV_REQUEST, line);
        if (!says(line, "whole"))
            write_event(s, EV_REQUEST_COMPLETE, line);
        return true;
    }
    int step = find_step(word);
    if (step >= 0) {
        drop_first(line);
        write_step(s, step, line, false);
        return true;
    }
    if (strcmp(word, "answer") == 0) {
        drop_first(line);
        name_words(line, answer);
        with(line, "status", "200");
        write_event(s, EV_PROCESSED, line);
        write_event(s, EV_RESPONSE_START, line);
        write_event(s, EV_RESPONSE_END, line);
        write_event(s, EV_RESPONSE_ACKED, line);
        return true;
    }
    if (strcmp(word, "open") == 0) {
        drop_first(line);
        name_words(line, open);
        with(line, "protocol", "http/1.1");
        write_event(s, EV_CONNECTION_OPEN, line);
        write_event(s, EV_PROTOCOL, line);
        return true;
    }
    if (strcmp(word, "lost") == 0) {
        drop_first(line);
        with(line, "lost_by", "fault");
        with(line, "fault", "F");
        write_event(s, EV_EXCHANGE_LOST, line);
        return true;
    }
    return false;
}

static void write_line(struct script *s, struct line *line)
{
    static const char *const fault[] = { "step", NULL }, *const mark[] = { "name", NULL };
    static const char *const phase[] = { "phase", NULL }, *const report[] = { "report", NULL };
    if (write_words(s, line))
        return;
    int event = find_event(line->tokens[0]);
    if (event < 0)
        fail_msg("no event: %s", line->tokens[0]);
    drop_first(line);
    if (event == EV_MARK)
        name_words(line, mark);
    if (event == EV_PHASE)
        name_words(line, phase);
    if (event == EV_REPORT)
        name_words(line, report);
    if (event != EV_FAULT) {
        write_event(s, (enum ledger_event)event, line);
        return;
    }
    name_words(line, fault);
    int step = find_step(strchr(line->tokens[0], '=') + 1);
    if (step < 0)
        fail_msg("no step: %s", line->tokens[0]);
    write_step(s, step, line, true);
}

struct ledger *script_ledger(const char *text)
{
    struct script s = { 0 };
    char *copy = strdup(text), *rest = copy, *row;
    script_time = 0;
    s.ledger = ledger_create(1 << 24);
    assert_non_null(s.ledger);
    while ((row = strsep(&rest, "\n"))) {
        struct line line = { 0 };
        char *token;
        while ((token = strsep(&row, " "))) {
            if (!*token)
                continue;
            if (!line.at && line.count == 0 && strchr("0123456789", token[0]) && !line.connection)
                line.at = seconds(token) + 1; /* not 0, to be told from none */
            else if (line.count == 0 && token[0] == 'c' && token[1] >= '0' && token[1] <= '9')
                line.connection = strtoull(token + 1, NULL, 10);
            else if (line.count == 0 && token[0] == 'x' && token[1] >= '0' && token[1] <= '9')
                line.exchange = (uint32_t)strtoul(token + 1, NULL, 10);
            else
                line.tokens[line.count++] = token;
        }
        if (!line.count)
            continue;
        line.at--;
        write_line(&s, &line);
    }
    free(copy);
    return s.ledger;
}
