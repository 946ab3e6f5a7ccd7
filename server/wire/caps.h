/* caps.h - what this machine lets us do to a socket, found out by trying. */
#pragma once

#include <stdbool.h>

enum capability {
    CAP_BLACK_HOLE, /* SO_ATTACH_FILTER on a TCP socket */
    CAP_REPAIR,     /* TCP_REPAIR: end a connection with nothing said; exact forget */
    CAP_TAP,        /* AF_PACKET: see segments that no socket of ours is told of */
    CAPABILITY_COUNT
};

struct capability_row {
    const char *name;  /* "black_hole" */
    const char *about; /* what it is for */
    /* What would make it available: "CAP_NET_ADMIN"; after caps_probe followed by " (...)": how to
     * give it to this server. */
    const char *needs;
    bool available;
    char why_not[160]; /* the error met when trying; empty when available */
};

/* Raises CAP_NET_ADMIN and CAP_NET_RAW from permitted to effective if they are there, then tries
 * each row on sockets of its own, over loopback. Call once, before serving. */
void caps_probe(void);

/* Does this process run in a container, by the files that engines put under root ("") and by the
 * environment that they set? For the hint in needs. */
bool caps_in_container(const char *root);

const struct capability_row *caps_row(enum capability cap);
bool caps_have(enum capability cap);
