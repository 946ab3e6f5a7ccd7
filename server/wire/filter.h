/* filter.h - making the kernel drop every segment that comes for a socket (CAP_BLACK_HOLE). */
#pragma once

/* On a connection: not even an ACK leaves. On a listening socket: SYNs get no answer, and no
 * handshake under way is completed. Returns 0 or -errno (-EPERM without the capability). */
int filter_drop_all(int fd);
/* Ends it. A socket without a filter stays as it is. Returns 0 or -errno. */
int filter_none(int fd);
