#include "engine/protocol.h"

#include <stdio.h>
#include <string.h>

#include "engine/engine.h"

const struct protocol protocols[PROTOCOL_COUNT] = {
#define X(symbol, name_, title_, alpn_, streams_, create_)                                         \
    [PROTOCOL_##symbol] = {                                                                        \
        .name = name_,                                                                             \
        .title = title_,                                                                           \
        .alpn = alpn_,                                                                             \
        .in_cleartext = title_ " in cleartext",                                                    \
        .over_tls = title_ " over TLS",                                                            \
        .bit = OVER_##symbol,                                                                      \
        .streams = streams_,                                                                       \
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
    static char text[PROTOCOL_COUNT * 16];
    size_t n = 0;
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s\"%s\"", i ? " or " : "",
                              protocols[i].name);
    return text;
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
