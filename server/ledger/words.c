/* words.c - the words of the WORD fields. */
#include <assert.h>

#include "ledger/ledger.h"

#define X(symbol, word) word,
static const char *const protocol_name[] = { LEDGER_WORDS_PROTOCOL_NAME(X) };
static const char *const tls_version[] = { LEDGER_WORDS_TLS_VERSION(X) };
static const char *const key_from[] = { LEDGER_WORDS_KEY_FROM(X) };
static const char *const by[] = { LEDGER_WORDS_BY(X) };
static const char *const how[] = { LEDGER_WORDS_HOW(X) };
static const char *const in[] = { LEDGER_WORDS_IN(X) };
static const char *const reached[] = { LEDGER_WORDS_REACHED(X) };
static const char *const sent_into[] = { LEDGER_WORDS_SENT_INTO(X) };
static const char *const fin_acked[] = { LEDGER_WORDS_FIN_ACKED_BEFORE(X) };
static const char *const apply[] = { LEDGER_WORDS_APPLY(X) };
static const char *const trigger[] = { LEDGER_WORDS_TRIGGER(X) };
static const char *const step[] = { LEDGER_WORDS_STEP(X) };
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
    [F_KEY_FROM] = WORDS(key_from),
    [F_BY] = WORDS(by),
    [F_HOW] = WORDS(how),
    [F_IN] = WORDS(in),
    [F_REACHED] = WORDS(reached),
    [F_SENT_INTO] = WORDS(sent_into),
    [F_FIN_ACKED_BEFORE] = WORDS(fin_acked),
    [F_APPLY] = WORDS(apply),
    [F_TRIGGER] = WORDS(trigger),
    [F_STEP] = WORDS(step),
};

const char *ledger_word_name(enum ledger_field field, int64_t word)
{
    assert(word >= 0 && word < tables[field].count);
    return tables[field].words[word];
}
