/* sockets.h - who on this machine is connected to a port. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* How many connections to one of these TCP ports are open and have a process that holds them, as
 * far as the kernel shows them (/proc/net/tcp): what a process has left behind when it ended is
 * none. */
size_t sockets_connected_to(const uint16_t *ports, size_t count);
