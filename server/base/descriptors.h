/* descriptors.h - file descriptors are shared out, so that those who must have one get it.
 *
 * The kernel gives out the lowest number that is free. So the number of one that was just made says
 * whether too many are in use, and each use has a bound of its own below the limit: connections
 * leave some for what a response needs besides, and both leave some for the admin API.
 */
#pragma once

#include <stdbool.h>

enum descriptor_use { FOR_CONNECTIONS, FOR_EXCHANGES, FOR_ADMIN };

/* Raises the soft limit (RLIMIT_NOFILE) as far as it goes, and learns it. */
void descriptors_raise_limit(void);
/* Puts the soft limit back to what it was before it was raised. A child inherits ours, and a
 * program that uses select(), or closes every descriptor that there may be, does not get along with
 * it. So whoever starts one calls this between fork() and exec(), where it is
 * safe; or, with uv_spawn(), before it, and descriptors_raise_limit() after it: what is open stays
 * open. Returns 0 or -errno. */
int descriptors_restore_limit(void);

/* Reads the limit again: once it is what it will be. */
void descriptors_learn_limit(void);

/* Tells of one that was made. */
void descriptors_note(int fd);
/* Whether one of this number is within the bound. */
bool descriptors_allow(enum descriptor_use use, int fd);
/* Whether the next one will be; costs something only when many were in use before. */
bool descriptors_left(enum descriptor_use use);
/* How many are kept from this use. */
unsigned descriptors_reserved(enum descriptor_use use);

/* Who can do without some: room returns whether it has given one back. NULL: nobody. */
void descriptors_set_room(bool (*room)(void *owner), void *owner);
bool descriptors_make_room(void);
