#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trial/trial_parts.h"

#define ALLOWED "[HOST:]FIRST-LAST, such as 9100-9131, or [HOST:]0 for any free ports"

/* A port at the beginning of a text; -1: there is none. */
static long port_at(const char *text, char **end)
{
    if (*text < '0' || *text > '9')
        return -1;
    long port = strtol(text, end, 10);
    return port <= 65535 ? port : -1;
}

int ports_read(const char *text, struct ports *out, struct refusal *why)
{
    const char *colon = strrchr(text, ':'), *range = colon ? colon + 1 : text;
    size_t host = colon ? (size_t)(colon - text) : 0;
    char *end = NULL;
    long first = port_at(range, &end), last = first;
    if (first >= 0 && *end == '-')
        last = port_at(end + 1, &end);
    if (first < 0 || last < first || *end || (first == 0 && last != 0) || host >= sizeof out->host)
        return refuse(why, "--run-ports", ALLOWED, "\"%.100s\" is not a value for it", text);
    *out = (struct ports){ .first = (unsigned)first, .last = (unsigned)last };
    memcpy(out->host, text, host);
    out->next = out->first;
    return 0;
}

int ports_listen(struct ports *p, struct runs *runs, struct run *run, struct runs_listener *with,
                 struct refusal *why)
{
    char address[PORTS_HOST_SIZE + 8];
    int error = BAD_INPUT;
    for (unsigned i = p->first; i <= p->last && error == BAD_INPUT; i++) {
        snprintf(address, sizeof address, "%s:%u", p->host, p->next);
        with->address = address;
        p->next = p->next < p->last ? p->next + 1 : p->first;
        error = runs_listen(runs, run, with, why);
    }
    return error == BAD_INPUT ? TRIAL_NO_PORT : error;
}
