/* client_socket.h - the client's end of a connection, when it is on this machine. */
#pragma once

#include <stdbool.h>

/* Whether the kernel shows the other end of this connected socket, in the same network namespace,
 * and no process holds it any more: it was closed, and only the kernel still has what was to be
 * sent on it. False when it is not here, or the kernel does not say. */
bool client_socket_is_left(int fd);
