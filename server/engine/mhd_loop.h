/* mhd_loop.h - a libmicrohttpd daemon in external-epoll mode inside the libuv loop.
 *
 * Used twice: by h1.c for the data side and by the admin API. The daemon listens on nothing;
 * connections come through mhd_loop_add.
 */
#pragma once

#include <microhttpd.h>
#include <sys/socket.h>

struct mhd_loop;
struct uv_loop_s;

/* Starts a daemon with MHD_USE_NO_LISTEN_SOCKET | MHD_USE_EPOLL | MHD_USE_ITC | flags. options may
 * be NULL, else ends with MHD_OPTION_END. Its log (with MHD_USE_ERROR_LOG among the flags) goes to
 * log_debug. Returns 0 or -errno. */
int mhd_loop_start(struct uv_loop_s *loop, unsigned flags, MHD_AccessHandlerCallback handler,
                   void *handler_arg, const struct MHD_OptionItem *options, struct mhd_loop **out);

/* From now on the daemon runs only when kicked (or when its own timeouts are due), for an owner
 * that holds the other end of all its sockets and so knows of every event beforehand: that saves
 * the nested epoll. after is called behind each run. Before the first mhd_loop_add. */
void mhd_loop_drive(struct mhd_loop *m, void (*after)(void *arg), void *arg);

/* Hands a socket over; on failure (-errno) it is closed as well. */
int mhd_loop_add(struct mhd_loop *m, int fd, const struct sockaddr *peer, socklen_t len);

/* Lets the daemon work at the end of this turn of the loop (after MHD_resume_connection, say).
 * Any number of calls make one run. */
void mhd_loop_kick(struct mhd_loop *m);

/* Lets the daemon work now. Does nothing inside of a run, that is, in libmicrohttpd's callbacks. */
void mhd_loop_run(struct mhd_loop *m);

/* Stops the daemon and frees m once the loop has closed its handles. All suspended connections must
 * have been resumed. NULL is fine. */
void mhd_loop_stop(struct mhd_loop *m);
