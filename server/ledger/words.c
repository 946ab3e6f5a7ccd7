/* words.c - the words of the WORD fields. */
#include <assert.h>

#include "ledger/ledger.h"

#define X(symbol, word) word,
static const char *const by[] = { LEDGER_WORDS_BY(X) }, *const how[] = { LEDGER_WORDS_HOW(X) },
                         *const in[] = { LEDGER_WORDS_IN(X) },
                         *const reached[] = { LEDGER_WORDS_REACHED(X) },
                         *const sent_into[] = { LEDGER_WORDS_SENT_INTO(X) },
                         *const fin_acked[] = { LEDGER_WORDS_FIN_ACKED_BEFORE(X) },
                         *const apply[] = { LEDGER_WORDS_APPLY(X) },
                         *const trigger[] = { LEDGER_WORDS_TRIGGER(X) },
                         *const step[] = { LEDGER_WORDS_STEP(X) };
#undef X

#define WORDS(list)                                                                                \
    {                                                                                              \
        list, sizeof(list) / sizeof *(list)                                                        \
    }
static const struct {
    const char *const *words;
    int64_t count;
} tables[F_COUNT] = {
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
