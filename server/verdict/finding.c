/* finding.c - see finding.h. */
#include "verdict/finding.h"

#include <stdio.h>

#include "base/clock.h"

static const struct {
    const char *code, *text;
} remedies[REMEDY_COUNT] = {
#define X(symbol, code, text) { code, text },
    REMEDIES(X)
#undef X
};

const char *remedy_code(enum remedy remedy)
{
    return remedies[remedy].code;
}

const char *remedy_text(enum remedy remedy)
{
    return remedies[remedy].text;
}

void ids_add(struct ids *ids, uint64_t id)
{
    for (int i = 0; i < ids->count; i++) {
        if (ids->list[i] == id)
            return;
    }
    if (id && ids->count < EVIDENCE_MAX)
        ids->list[ids->count++] = id;
}

static void join_ids(struct ids *ids, const struct ids *more)
{
    for (int i = 0; i < more->count; i++)
        ids_add(ids, more->list[i]);
}

void finding_begin(struct finding *f)
{
    *f = (struct finding){
        .outcome = OUTCOME_NA, .until = NEVER, .waits = NEVER, .sure = INT64_MAX
    };
}

/* Of what is inconclusive for several reasons, a pause of the server is named: without it the
 * others may be decided. */
static bool is_sooner_helped(const struct finding *f, enum outcome outcome, enum remedy remedy)
{
    return outcome == OUTCOME_INCONCLUSIVE && f->outcome == outcome && remedy == REMEDY_PAUSED &&
           f->remedy != REMEDY_WAIT;
}

void found_va(struct finding *f, enum outcome outcome, enum remedy remedy, int64_t until,
              const struct subject *who, const char *format, va_list args)
{
    int64_t sure = until == UNTIL_THE_END ? NEVER : until;
    if (outcome != OUTCOME_FAIL)
        f->until = until > f->until ? until : f->until;
    else
        f->sure = sure < f->sure ? sure : f->sure;
    if (remedy == REMEDY_WAIT && until != UNTIL_THE_END)
        f->waits = history_sooner(f->waits, until);
    bool first = f->count[outcome]++ == 0;
    if ((first && outcome >= f->outcome) || is_sooner_helped(f, outcome, remedy)) {
        vsnprintf(f->sentence, sizeof f->sentence, format, args);
        f->outcome = outcome;
        f->remedy = remedy;
        f->who = (struct subject){ 0 };
    }
    if (outcome == f->outcome && who) {
        join_ids(&f->who.seqs, &who->seqs);
        join_ids(&f->who.connections, &who->connections);
        join_ids(&f->who.calls, &who->calls);
    }
}

void found(struct finding *f, enum outcome outcome, enum remedy remedy, int64_t until,
           const struct subject *who, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    found_va(f, outcome, remedy, until, who, format, args);
    va_end(args);
}

static void leave_va(struct finding *f, enum remedy remedy, const struct subject *who,
                     const char *format, va_list args)
{
    vsnprintf(f->left_sentence, sizeof f->left_sentence, format, args);
    f->left = true;
    f->left_remedy = remedy;
    if (who)
        f->left_who = *who;
}

void finding_leave(struct finding *f, enum remedy remedy, const struct subject *who,
                   const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!f->left)
        leave_va(f, remedy, who, format, args);
    va_end(args);
}

void found_none(struct finding *f, enum remedy remedy, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!f->left && f->outcome == OUTCOME_NA && !f->count[OUTCOME_NA])
        leave_va(f, remedy, NULL, format, args);
    va_end(args);
}

void finding_end(struct finding *f, const char *none)
{
    if (f->outcome != OUTCOME_NA || (f->count[OUTCOME_NA] && !f->left))
        return;
    if (f->left)
        found(f, OUTCOME_INCONCLUSIVE, f->left_remedy, UNTIL_THE_END, &f->left_who, "%s",
              f->left_sentence);
    else
        found(f, OUTCOME_INCONCLUSIVE, REMEDY_NO_EXPOSURE, UNTIL_THE_END, NULL, "%s", none);
}

static void make_doubtful(struct finding *f, enum remedy remedy, int64_t until, const char *why)
{
    char was[SENTENCE_SIZE];
    snprintf(was, sizeof was, "%s", f->sentence);
    snprintf(f->sentence, sizeof f->sentence, "%.160s; but %.80s", was, why);
    f->outcome = OUTCOME_INCONCLUSIVE;
    f->count[OUTCOME_INCONCLUSIVE]++;
    f->remedy = remedy;
    f->until = until > f->until ? until : f->until;
}

void finding_doubt(struct finding *f, enum remedy remedy, int64_t until, const char *why)
{
    if (f->outcome == OUTCOME_PASS)
        make_doubtful(f, remedy, until, why);
}

void finding_say(struct finding *f, enum remedy remedy, const char *why)
{
    snprintf(f->sentence, sizeof f->sentence, "%s", why);
    f->remedy = remedy;
}

void finding_foreign(struct finding *f, enum remedy remedy, int64_t until, const char *why)
{
    if (f->outcome == OUTCOME_PASS || f->outcome == OUTCOME_FAIL)
        make_doubtful(f, remedy, until, why);
    else if (f->outcome == OUTCOME_INCONCLUSIVE && f->remedy == REMEDY_RELAYED)
        f->remedy = remedy;
}

void finding_withdraw(struct finding *f, enum remedy remedy, const char *why)
{
    if (f->outcome != OUTCOME_INCONCLUSIVE)
        make_doubtful(f, remedy, UNTIL_THE_END, why);
}

struct finding finding_of_both(const struct finding *narrow, const struct finding *wide,
                               const char *differ, const struct subject *joined, enum remedy remedy)
{
    static const char *const words[] = { "n/a", "pass", "inconclusive", "fail" };
    struct finding both = *narrow;
    both.until = wide->until > narrow->until ? wide->until : narrow->until;
    both.sure = wide->sure > narrow->sure ? wide->sure : narrow->sure;
    both.waits = history_sooner(wide->waits, narrow->waits);
    if (narrow->outcome == wide->outcome)
        return both;
    both.outcome = OUTCOME_INCONCLUSIVE;
    /* Where one of the two is undecided for another reason, that reason helps. */
    const struct finding *undecided = narrow->outcome == OUTCOME_INCONCLUSIVE ? narrow
                                      : wide->outcome == OUTCOME_INCONCLUSIVE ? wide
                                                                              : NULL;
    both.remedy = undecided && undecided->remedy == REMEDY_WAIT ? REMEDY_WAIT : remedy;
    snprintf(both.sentence, sizeof both.sentence, "%s if %s is a call of its own, else %s",
             words[narrow->outcome], differ, words[wide->outcome]);
    both.who = *joined;
    join_ids(&both.who.calls, &narrow->who.calls);
    return both;
}

const char *finding_time(int64_t ns, char out[TIME_SIZE])
{
    if (ns < NS_PER_S)
        snprintf(out, TIME_SIZE, "%lld ms", (long long)((ns + NS_PER_MS / 2) / NS_PER_MS));
    else
        snprintf(out, TIME_SIZE, "%.1f s", (double)ns / 1e9);
    return out;
}
