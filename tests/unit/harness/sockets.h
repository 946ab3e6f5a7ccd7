/* sockets.h - connections over loopback, and how many descriptors are open. */
#pragma once

#include <netinet/in.h>

/* Connects a client over TCP. Returns the server's end; *client is the other one, and *peer its
 * address, if that is wanted. Neither blocks, and the client does not wait to fill a segment. */
int connect_loopback(int *client, struct sockaddr_in *peer);

/* Of this process, below 1000. */
unsigned open_descriptors(void);
