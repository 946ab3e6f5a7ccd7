/* words.c - the names of events and fields, and the words of the WORD fields. */
#include "ledger/ledger_impl.h"

static const struct {
    const char *name, *about;
} events[EV_COUNT] = {
#define X(symbol, name, about) { name, about },
    LEDGER_EVENTS(X)
#undef X
};

static const char *const members[EV_COUNT] = {
#define X(symbol, names) [EV_##symbol] = names,
    LEDGER_MEMBERS(X)
#undef X
};

const struct field_row ledger_fields[F_COUNT] = {
#define X(symbol, name, kind) { name, LEDGER_##kind },
    LEDGER_FIELDS(X)
#undef X
};

#define X(symbol, word) word,
static const char *const protocol_name[] = { LEDGER_WORDS_PROTOCOL_NAME(X) };
static const char *const tls_version[] = { LEDGER_WORDS_TLS_VERSION(X) };
static const char *const by[] = { LEDGER_WORDS_BY(X) };
static const char *const how[] = { LEDGER_WORDS_HOW(X) };
static const char *const in[] = { LEDGER_WORDS_IN(X) };
static const char *const reached[] = { LEDGER_WORDS_REACHED(X) };
static const char *const sent_into[] = { LEDGER_WORDS_SENT_INTO(X) };
static const char *const fin_acked[] = { LEDGER_WORDS_FIN_ACKED_BEFORE(X) };
static const char *const apply[] = { LEDGER_WORDS_APPLY(X) };
static const char *const trigger[] = { LEDGER_WORDS_TRIGGER(X) };
static const char *const step[] = { LEDGER_WORDS_STEP(X) };
static const char *const lost_by[] = { LEDGER_WORDS_LOST_BY(X) };
static const char *const proof[] = { LEDGER_WORDS_PROOF(X) };
static const char *const class[] = { LEDGER_WORDS_CLASS(X) };
static const char *const scope[] = { LEDGER_WORDS_SCOPE(X) };
static const char *const path[] = { LEDGER_WORDS_PATH(X) };
static const char *const source[] = { LEDGER_WORDS_SOURCE(X) };
static const char *const over[] = { LEDGER_WORDS_OVER(X) };
static const char *const phase[] = { LEDGER_WORDS_PHASE(X) };
static const char *const reason[] = { LEDGER_WORDS_REASON(X) };
#undef X

#define WORDS(list)                                                                                \
    {                                                                                              \
        list, sizeof(list) / sizeof *(list)                                                        \
    }
static const struct {
    const char *const *words;
    int64_t count;
} tables[F_COUNT] = {
    [F_PROTOCOL_NAME] = WORDS(protocol_name),
    [F_TLS_VERSION] = WORDS(tls_version),
    [F_BY] = WORDS(by),
    [F_HOW] = WORDS(how),
    [F_IN] = WORDS(in),
    [F_REACHED] = WORDS(reached),
    [F_SENT_INTO] = WORDS(sent_into),
    [F_FIN_ACKED_BEFORE] = WORDS(fin_acked),
    [F_APPLY] = WORDS(apply),
    [F_TRIGGER] = WORDS(trigger),
    [F_STEP] = WORDS(step),
    [F_LOST_BY] = WORDS(lost_by),
    [F_PROOF] = WORDS(proof),
    [F_CLASS] = WORDS(class),
    [F_SCOPE] = WORDS(scope),
    [F_PATH] = WORDS(path),
    [F_SOURCE] = WORDS(source),
    [F_OVER] = WORDS(over),
    [F_PHASE] = WORDS(phase),
    [F_REASON] = WORDS(reason),
};

const char *ledger_event_name(enum ledger_event event)
{
    return events[event].name;
}

const char *ledger_event_about(enum ledger_event event)
{
    return events[event].about;
}

const char *ledger_event_members(enum ledger_event event)
{
    return members[event];
}

const char *ledger_field_name(enum ledger_field field)
{
    return ledger_fields[field].name;
}

enum ledger_kind ledger_field_kind(enum ledger_field field)
{
    return ledger_fields[field].kind;
}

const char *ledger_word_name(enum ledger_field field, int64_t word)
{
    assert(word >= 0 && word < tables[field].count);
    return tables[field].words[word];
}

int64_t ledger_word_count(enum ledger_field field)
{
    return tables[field].count;
}

int64_t ledger_word_find(enum ledger_field field, const char *word)
{
    for (int64_t i = 0; i < tables[field].count; i++)
        if (*word && strcmp(tables[field].words[i], word) == 0)
            return i;
    return -1;
}
