/* mutants.c - what becomes of a saved ledger's verdict when events are missing or in another place.
 *
 *     mutants [--of N] [--seed S] [--bound ATTEMPTS,CONNECTIONS,FAULTS] FILE...
 *
 * Judges each ledger as it is, then each mutation of it (with --of, one in N, drawn by S), and
 * prints a line for each outcome that became one which it must not become:
 *
 *     FILE \t MUTATION \t PLACE \t EVENT \t OUTCOME OF \t BEFORE \t AFTER
 *
 * at the end "mutants N". With --bound the mutations are judged with room for no more than that,
 * and the ledger as it is with room for all. docs/matrix.md says what may become what.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/ledger.h"
#include "verdict/verdict_parts.h"

#define OUTCOMES_MAX 256               /* checks of all phases, and the verdict */
#define MOVED_MAX    6                 /* places by which an event is shifted */
#define NEAR         INT64_C(50000000) /* ns: half of what a client may take to hear something */

/* The whole ledger: its records, and the order in which they are fed. */
struct saved {
    struct ledger *ledger;
    struct ledger_record *records;
    size_t count;
};

struct result {
    enum outcome outcome;
    int phase; /* -1: the verdict */
    struct expected e;
};

struct results {
    struct result list[OUTCOMES_MAX];
    size_t count;
};

enum kind { WITHOUT, HOLE, ENDS, BEGINS, SWAPPED, LATER, EARLIER, AT_NEXT, AT_LAST, KINDS };

static const struct {
    const char *name;
    bool lacks; /* something is missing: nothing but inconclusive may come of it */
} kinds[KINDS] = { { "without", true },
                   { "hole", true },
                   { "ends at", false },
                   { "begins at", true },
                   { "swapped", false },
                   { "later", false },
                   { "earlier", false },
                   { "with the next's time", false },
                   { "with the last's time", false } };

static struct {
    unsigned of;
    uint64_t seed;
    struct verdict_config bound;
} options = { 1, 1, { 4096, 1024, 1024 } };
static const struct verdict_config room = { 4096, 1024, 1024 };

static bool chosen(void)
{
    options.seed = options.seed * 6364136223846793005u + 1442695040888963407u;
    return (options.seed >> 33) % options.of == 0;
}

/* --- A ledger */

static bool load(struct saved *s, const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t size = 0, room_for = 0;
    ssize_t len;
    struct refusal why;
    struct ledger_record record;
    bool good = file != NULL;
    *s = (struct saved){ .ledger = ledger_create((size_t)64 << 20) };
    while (good && (len = getline(&line, &size, file)) > 0) {
        len -= line[len - 1] == '\n';
        good = len == 0 || ledger_load(s->ledger, line, (size_t)len, &why) == 0;
    }
    struct ledger_cursor cursor = { .ledger = s->ledger };
    while (good && ledger_next(&cursor, &record)) {
        if (s->count == room_for) {
            room_for = 2 * room_for + 64;
            s->records = realloc(s->records, room_for * sizeof *s->records);
            if (!s->records)
                abort();
        }
        s->records[s->count++] = record;
    }
    if (!good)
        fprintf(stderr, "mutants: %s cannot be read\n", path);
    if (file)
        fclose(file);
    free(line);
    return good;
}

static void drop(struct saved *s)
{
    free(s->records);
    ledger_destroy(s->ledger);
}

/* --- Judging */

static void add(struct results *r, struct result one)
{
    if (r->count == OUTCOMES_MAX)
        abort();
    r->list[r->count++] = one;
}

/* A pass that is not final is none yet. */
static enum outcome decided(enum outcome outcome, bool final)
{
    return outcome == OUTCOME_PASS && !final ? OUTCOME_INCONCLUSIVE : outcome;
}

static void judge(const struct verdict_config *bound, const struct ledger_record *records,
                  size_t count, struct results *r)
{
    struct verdict *v = verdict_create(bound);
    if (!v)
        abort();
    for (size_t i = 0; i < count; i++)
        verdict_feed(v, &records[i]);
    r->count = 0;
    bool final;
    enum outcome outcome = verdict_outcome(v, &final);
    add(r, (struct result){ decided(outcome, final), -1, { 0 } });
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        const struct work *w = verdict_work_of(v, (enum ledger_phase)phase);
        for (size_t i = 0; w && i < w->check_count; i++)
            add(r, (struct result){ decided(w->checks[i].found.outcome, w->checks[i].final), phase,
                                    *w->checks[i].e });
    }
    verdict_destroy(v);
}

static bool same(const struct result *a, const struct result *b)
{
    return a->phase == b->phase && a->e.check == b->e.check && a->e.of == b->e.of &&
           memcmp(a->e.number, b->e.number, sizeof a->e.number) == 0 &&
           memcmp(a->e.text, b->e.text, sizeof a->e.text) == 0 &&
           strcmp(a->e.method, b->e.method) == 0 && strcmp(a->e.path, b->e.path) == 0;
}

/* Whether an outcome may become another. A ledger that lacks something may be undecided; one that
 * is told in another order, or that ends early, may say what was true of that, but never absolves.
 */
static bool may_become(enum kind kind, enum outcome before, enum outcome after)
{
    if (before == after || after == OUTCOME_INCONCLUSIVE)
        return true;
    if (after == OUTCOME_PASS)
        return before != OUTCOME_FAIL && !kinds[kind].lacks;
    if (after == OUTCOME_FAIL)
        return !kinds[kind].lacks;
    return true;
}

static const char *name_of(const struct result *r, char out[64])
{
    static const char *const names[CHECK_COUNT] = {
#define X(symbol, name, function) [CHECK_##symbol] = name,
        CHECKS(X)
#undef X
    };
    if (r->phase < 0)
        return "verdict";
    snprintf(out, 64, "%.30s/%.20s", names[r->e.check],
             ledger_word_name(F_PHASE, (enum ledger_phase)r->phase));
    return out;
}

static const char *word(enum outcome outcome)
{
    static const char *const words[] = { "n/a", "pass", "inconclusive", "fail" };
    return words[outcome];
}

/* What is expected was not in it: then the outcomes are of other checks, and none of them is a
 * pass. */
static void compare(const char *path, enum kind kind, size_t place, enum ledger_event event,
                    const struct results *before, const struct results *after)
{
    for (size_t i = 0; i < after->count; i++) {
        const struct result *now = &after->list[i];
        enum outcome was = kinds[kind].lacks ? OUTCOME_INCONCLUSIVE : now->outcome;
        for (size_t k = 0; k < before->count; k++) {
            if (same(&before->list[k], now))
                was = before->list[k].outcome;
        }
        char name[64];
        if (!may_become(kind, was, now->outcome))
            printf("%s\t%s\t%zu\t%s\t%s\t%s\t%s\n", path, kinds[kind].name, place,
                   ledger_event_name(event), name_of(now, name), word(was), word(now->outcome));
    }
}

/* --- Mutations */

static void take_place(struct ledger_record *r, const struct ledger_record *of)
{
    r->seq = of->seq;
    r->age = of->age;
    r->wall = of->wall;
}

/* It is nobody's business which of two was first that are of different connections. */
static bool apart(const struct ledger_record *a, const struct ledger_record *b)
{
    return a->connection && b->connection && a->connection != b->connection;
}

/* Moves the event at `at` by up to `most` places over events of other connections; by how many. */
static size_t shift(struct ledger_record *out, size_t count, size_t at, int way, size_t most)
{
    size_t moved = 0;
    for (; moved < most; moved++) {
        size_t to = at + (size_t)way;
        if (to >= count || !apart(&out[at], &out[to]))
            break;
        struct ledger_record one = out[at], two = out[to];
        take_place(&one, &out[to]);
        take_place(&two, &out[at]);
        out[at] = two;
        out[to] = one;
        at = to;
    }
    return moved;
}

/* Makes the mutation of a kind at a place in out, which has room for all. Returns how many records
 * it has, 0: there is none. */
static size_t make(const struct saved *s, enum kind kind, size_t at, struct ledger_record *out)
{
    size_t n = s->count, hole = kind == HOLE ? 2 + (options.seed >> 40) % 8 : 1;
    memcpy(out, s->records, n * sizeof *out);
    switch (kind) {
    case WITHOUT:
    case HOLE:
        if (at + hole >= n + (kind == WITHOUT))
            return 0;
        memmove(out + at, out + at + hole, (n - at - hole) * sizeof *out);
        return n - hole;
    case ENDS:
        return at;
    case BEGINS:
        memmove(out, out + at, (n - at) * sizeof *out);
        return at ? n - at : 0;
    case SWAPPED:
        return shift(out, n, at, 1, 1) ? n : 0;
    case LATER:
        return shift(out, n, at, 1, MOVED_MAX) > 1 ? n : 0;
    case EARLIER:
        return shift(out, n, at, -1, MOVED_MAX) > 1 ? n : 0;
    case AT_NEXT:
        if (at + 1 == n)
            return 0;
        out[at].age = out[at + 1].age;
        return out[at].age - s->records[at].age < NEAR ? n : 0;
    case AT_LAST:
        if (at == 0)
            return 0;
        out[at].age = out[at - 1].age;
        return s->records[at].age - out[at].age < NEAR ? n : 0;
    case KINDS:
        break;
    }
    return 0;
}

static size_t mutate(const char *path)
{
    struct saved s;
    size_t made = 0;
    static struct results before, after;
    if (!load(&s, path) || !s.count) {
        drop(&s);
        return 0;
    }
    struct ledger_record *out = calloc(s.count, sizeof *out);
    if (!out)
        abort();
    judge(&room, s.records, s.count, &before);
    for (int kind = 0; kind < KINDS; kind++) {
        for (size_t at = 0; at < s.count; at++) {
            size_t count = chosen() ? make(&s, (enum kind)kind, at, out) : 0;
            if (!count)
                continue;
            judge(&options.bound, out, count, &after);
            compare(path, (enum kind)kind, at, s.records[at].event, &before, &after);
            made++;
        }
    }
    free(out);
    drop(&s);
    return made;
}

int main(int argc, char **argv)
{
    size_t made = 0;
    int i = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--of") == 0)
            options.of = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            options.seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--bound") != 0 ||
                 sscanf(value, "%zu,%zu,%zu", &options.bound.attempts, &options.bound.connections,
                        &options.bound.faults) != 3)
            break;
    }
    if (!options.of || i == argc) {
        fprintf(stderr, "mutants [--of N] [--seed S] [--bound A,C,F] FILE...\n");
        return 2;
    }
    for (; i < argc; i++)
        made += mutate(argv[i]);
    printf("mutants %zu\n", made);
    return 0;
}
