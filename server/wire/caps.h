/* caps.h - what this machine lets us do to a socket, found out by trying. */
#pragma once

#include <stdbool.h>

enum capability {
    CAP_BLACK_HOLE, /* SO_ATTACH_FILTER on a TCP socket */
    CAP_REPAIR,     /* TCP_REPAIR: end a connection with nothing said; exact forget */
    CAPABILITY_COUNT
};

struct capability_row {
    const char *name;  /* "black_hole" */
    const char *about; /* what it is for */
    const char
        *needs; /* what would make it available: the Linux capability and the docker option */
    bool available;
    char why_not[160]; /* the error met when trying; empty when available */
};

/* Raises CAP_NET_ADMIN from permitted to effective if it is there, then tries each row on sockets
 * of its own, over loopback. Call once, before serving. */
void caps_probe(void);

const struct capability_row *caps_row(enum capability cap);
bool caps_have(enum capability cap);
