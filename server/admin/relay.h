/* relay.h - between the sockets of the admin API's callers and libmicrohttpd: lets only requests
 * through that RFC 9112 allows.
 *
 * libmicrohttpd 0.9 takes what two parsers may read differently (several Content-Lengths, a space
 * before a colon, a NUL in a value), and misses the end of a connection that came along with its
 * last bytes. So it gets the far end of a socketpair, through which every head comes as engine/
 * h1_head.c has read it, and the end as an end of its own. A request that h1_head refuses is
 * answered here, after the responses to those before it, and is the last.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct relay;
struct uv_loop_s;

/* Begins to relay between the accepted socket and *inner, which becomes the caller's: libmicrohttpd
 * closes it. The relay adds itself to list and leaves it at its end. Returns 0, or -errno (then the
 * socket is still the caller's). */
int relay_start(struct uv_loop_s *loop, int socket, struct link *list, struct relay **out,
                int *inner);

/* *place is r until r ends, then NULL. */
void relay_tell_end(struct relay *r, struct relay **place);
/* libmicrohttpd has closed its end, and place is no more: what it said is delivered, for as long as
 * the caller keeps taking it. */
void relay_leave(struct relay *r);

/* Whether the caller has sent something that libmicrohttpd has not read yet. */
bool relay_has_unread(const struct relay *r);

/* Passes on what goes now. Returns whether nothing is on its way then: libmicrohttpd has read all
 * that the caller sent, and the kernel has all that it answered. */
bool relay_is_quiet(struct relay *r);

/* Ends it at once, as relay_stop_all does. */
void relay_drop(struct relay *r);

/* Moves what has come by now, both ways, without waiting for the loop. */
void relay_move_all(struct link *list);

/* Of a list, ends those that only wait for their caller's FIN. Returns whether there were any. */
bool relay_drop_answered(struct link *list);

/* Of a list, ends the one whose caller has taken nothing of its response for longest, if that is
 * span or more (ns). Returns whether there was one. */
bool relay_drop_stuck(struct link *list, int64_t span);

/* Ends all of a list, after the inner ends are closed: what was answered is sent as far as the
 * kernel takes it. Memory goes with the next turn of the loop. */
void relay_stop_all(struct link *list);
