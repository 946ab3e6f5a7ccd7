/* asked.c - what a request says of itself, for the ledger: its header section is looked through
 * once, into struct asked and the lists here, and told from there.
 */
#include <string.h>

#include "base/hash.h"
#include "base/hex.h"
#include "run/exchange.h"

/* The fields that are looked for. F_COUNT: told in a way of their own. */
static const struct {
    const char *name;
    size_t len;
    enum ledger_field field;
} known[] = {
#define X(symbol, text, member) [ASKED_##symbol] = { text, sizeof text - 1, member },
    ASKED_FIELDS(X)
#undef X
};

/* Those that their names have: most fields have another. */
static const uint32_t lengths = 0
#define X(symbol, text, member) | UINT32_C(1) << (sizeof text - 1)
    ASKED_FIELDS(X)
#undef X
    ;

/* Of the request that was looked at last. */
static char names[LEDGER_LIST_SIZE], others[LEDGER_LIST_SIZE];

/* The first field of a name counts, but that an empty one says nothing; of Connection, which is one
 * list in any number of lines (RFC 9110 5.3), the one that has "close". */
static void find(struct asked *asked, const struct header *h)
{
    if (h->value_len == 0 || h->name_len >= 32 || !(lengths >> h->name_len & 1))
        return;
    for (size_t i = 0; i < ASKED_COUNT; i++) {
        if (known[i].len != h->name_len || strncasecmp(known[i].name, h->name, h->name_len) != 0)
            continue;
        if (!asked->found[i] || (i == ASKED_CONNECTION && header_has_token(h, "close")))
            asked->found[i] = h;
        return;
    }
}

/* "name: value", the name as the option has it: over h1 clients write it in any case. */
static void find_other(struct asked *asked, const struct run_config *config, const struct header *h)
{
    static char item[LEDGER_LIST_SIZE];
    for (unsigned i = 0; i < config->key_header_count; i++) {
        const char *name = config->key_headers[i];
        size_t len = h->name_len;
        if (!header_is(h, name))
            continue;
        size_t room = sizeof item - len - 2, n = h->value_len < room ? h->value_len : room;
        memcpy(item, name, len);
        memcpy(item + len, ": ", 2);
        memcpy(item + len + 2, h->value, n);
        asked->others_len =
            ledger_item(others, sizeof others, asked->others_len, item, len + 2 + n);
    }
}

void asked_look(struct asked *asked, const struct run_config *config, const struct request *request)
{
    *asked = (struct asked){ .fingerprint = request->pseudo ? request->pseudo : HASH_START };
    for (size_t i = 0; i < request->header_count; i++) {
        const struct header *h = &request->headers[i];
        asked->names_len = ledger_item(names, sizeof names, asked->names_len, h->name, h->name_len);
        asked->fingerprint = hash_item(asked->fingerprint, h->name, h->name_len);
        find(asked, h);
        if (config->key_header_count)
            find_other(asked, config, h);
    }
}

/* --- Telling */

static bool is_lower_hex(const char *text, size_t n)
{
    bool any = false; /* all zeros are no id */
    for (size_t i = 0; i < n; i++) {
        if (hex_digit(text[i]) < 0 || (text[i] >= 'A' && text[i] <= 'F'))
            return false;
        any |= text[i] != '0';
    }
    return any;
}

/* version "-" trace-id "-" parent-id "-" flags, as W3C Trace Context has it; a later version may
 * have more behind that. */
static bool is_traceparent(const char *text, size_t len)
{
    enum { TRACE = 3, SPAN = 36, FLAGS = 53, LEN = 55 };
    int version = len < LEN ? -1 : hex_octet(text);
    return version >= 0 && version < 0xff && (version == 0 ? len == LEN : true) &&
           text[TRACE - 1] == '-' && text[SPAN - 1] == '-' && text[FLAGS - 1] == '-' &&
           (len == LEN || text[LEN] == '-') && is_lower_hex(text + TRACE, 32) &&
           is_lower_hex(text + SPAN, 16) && hex_octet(text + FLAGS) >= 0;
}

static void tell_trace(struct ledger *l, const struct header *trace)
{
    bool sound = is_traceparent(trace->value, trace->value_len);
    ledger_bytes(l, F_TRACE_ID, trace->value + (sound ? 3 : 0), sound ? 32 : trace->value_len);
    if (sound)
        ledger_bytes(l, F_SPAN_ID, trace->value + 36, 16);
}

void asked_tell(struct ledger *l, const struct asked *asked, const struct request *request,
                bool whole)
{
    const struct header *const *found = asked->found;
    const struct header *key = found[ASKED_KEY] ? found[ASKED_KEY] : found[ASKED_X_KEY];
    ledger_text(l, F_METHOD, request->method);
    ledger_text(l, F_TARGET, request->target);
    ledger_text(l, F_AUTHORITY, request->authority);
    for (size_t i = 0; i < ASKED_COUNT; i++)
        if (found[i] && known[i].field != F_COUNT)
            ledger_bytes(l, known[i].field, found[i]->value, found[i]->value_len);
    ledger_bytes(l, F_HEADERS, names, asked->names_len);
    if (key)
        ledger_bytes(l, F_IDEMPOTENCY_KEY, key->value, key->value_len);
    if (found[ASKED_TRACE])
        tell_trace(l, found[ASKED_TRACE]);
    if (asked->others_len)
        ledger_bytes(l, F_OTHER_KEYS, others, asked->others_len);
    if (found[ASKED_LENGTH] && header_number(found[ASKED_LENGTH]) >= 0)
        ledger_int(l, F_CONTENT_LENGTH, header_number(found[ASKED_LENGTH]));
    if (found[ASKED_EARLY] && found[ASKED_EARLY]->value_len == 1 &&
        found[ASKED_EARLY]->value[0] == '1')
        ledger_int(l, F_EARLY_DATA, true);
    if (whole)
        ledger_hash(l, F_FINGERPRINT, asked->fingerprint);
}
