#include "engine/protocol.h"

#include <stdio.h>
#include <string.h>

#include "engine/engine.h"

const struct protocol protocols[PROTOCOL_COUNT] = {
#define X(symbol, name_, title_, alpn_, first_, streams_, no_connection_headers_, create_)         \
    [PROTOCOL_##symbol] = {                                                                        \
        .name = name_,                                                                             \
        .title = title_,                                                                           \
        .alpn = alpn_,                                                                             \
        .in_cleartext = title_ " in cleartext",                                                    \
        .over_tls = title_ " over TLS",                                                            \
        .bit = OVER_##symbol,                                                                      \
        .first = first_,                                                                           \
        .first_len = sizeof(first_) - 1,                                                           \
        .streams = streams_,                                                                       \
        .no_connection_headers = no_connection_headers_,                                           \
        .create = create_,                                                                         \
    },
    PROTOCOLS(X)
#undef X
};

const char *const protocol_names[PROTOCOL_COUNT + 1] = {
#define X(symbol, name_, ...) [PROTOCOL_##symbol] = name_,
    PROTOCOLS(X)
#undef X
};

const char *protocol_names_allowed(void)
{
    static char text[PROTOCOL_LIST_SIZE];
    return protocol_list_names(OVER_ALL, text);
}

static const char *list(unsigned over, bool titles, char out[PROTOCOL_LIST_SIZE])
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < PROTOCOL_COUNT && n < PROTOCOL_LIST_SIZE; i++) {
        const char *quote = titles ? "" : "\"";
        if (protocols[i].bit & over)
            n += (size_t)snprintf(out + n, PROTOCOL_LIST_SIZE - n, "%s%s%s%s", n ? " or " : "",
                                  quote, titles ? protocols[i].title : protocols[i].name, quote);
    }
    return out;
}

const char *protocol_list_names(unsigned over, char out[PROTOCOL_LIST_SIZE])
{
    return list(over, false, out);
}

const char *protocol_list_titles(unsigned over, char out[PROTOCOL_LIST_SIZE])
{
    return list(over, true, out);
}

unsigned protocol_with_connection_headers(unsigned over)
{
    unsigned with = 0;
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        if (!protocols[i].no_connection_headers)
            with |= protocols[i].bit;
    return over & with;
}

const struct protocol *protocol_named(const char *name)
{
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        if (strcmp(protocols[i].name, name) == 0)
            return &protocols[i];
    return NULL;
}

const struct protocol *protocol_of_alpn(const char *alpn)
{
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        if (strcmp(protocols[i].alpn, alpn) == 0)
            return &protocols[i];
    return &protocols[0];
}

/* Does a row's first say begin with what was seen, and continue with these octets, as far as both
 * go? */
static bool goes_on(const struct protocol *p, const struct protocol_sniff *sniff,
                    const uint8_t *bytes, size_t n)
{
    if (p->first_len <= sniff->seen ||
        memcmp(p->first, protocols[sniff->like].first, sniff->seen) != 0)
        return false;
    size_t left = p->first_len - sniff->seen;
    return memcmp(p->first + sniff->seen, bytes, n < left ? n : left) == 0;
}

const struct protocol *protocol_sniff(struct protocol_sniff *sniff, const uint8_t *bytes, size_t n)
{
    const struct protocol *like = NULL;
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        if (!goes_on(&protocols[i], sniff, bytes, n))
            continue;
        like = &protocols[i];
        if (n >= (size_t)(like->first_len - sniff->seen))
            return like;
    }
    if (!like)
        return &protocols[0];
    sniff->like = (uint8_t)(like - protocols);
    sniff->seen = (uint8_t)(sniff->seen + n);
    return NULL;
}

const struct protocol *protocol_of(unsigned bit)
{
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        if (protocols[i].bit == bit)
            return &protocols[i];
    return NULL;
}

const char *const *protocol_alpn_list(unsigned over)
{
    static const char *lists[OVER_ALL + 1][PROTOCOL_COUNT + 1];
    const char **list = lists[over & OVER_ALL];
    size_t n = 0;
    for (size_t i = PROTOCOL_COUNT; i-- > 0;)
        if (protocols[i].bit & over)
            list[n++] = protocols[i].alpn;
    return list;
}
