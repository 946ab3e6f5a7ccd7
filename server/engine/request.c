/* request.c - what both engines share about requests. See engine.h. */
#include "engine/engine.h"

#include <string.h>
#include <strings.h>

const struct header *request_header(const struct request *request, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < request->header_count; i++) {
        const struct header *h = &request->headers[i];
        if (h->name_len == len && strncasecmp(h->name, name, len) == 0)
            return h;
    }
    return NULL;
}
