/* listener.h - listening sockets: addresses as people write them, accepting, running out of
 * descriptors.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/address.h"
#include "base/refusal.h"

struct uv_loop_s;
struct listener;

/* Called for each accepted socket, which is non-blocking and close-on-exec and now the callee's. */
typedef void (*listener_accepted)(void *owner, int fd, const struct sockaddr *peer, socklen_t len);

/* Opens name ("https") on an address:
 *     ":8443"  "[::]:8443"    every address, IPv6 and IPv4 (IPv4 alone where there is no IPv6)
 *     "127.0.0.1:0"  "[::1]:9000"
 *     "localhost:9000"        both loopback addresses, the same port on both
 * Port 0 lets the kernel choose. No name is ever looked up but "localhost".
 * Returns 0, BAD_INPUT (the text, or an address in use or not ours: why->where is "--NAME") or
 * -errno. */
int listener_open(struct uv_loop_s *loop, const char *name, const char *address,
                  listener_accepted accepted, void *owner, struct listener **out,
                  struct refusal *why);

const char *listener_name(const struct listener *l);
uint16_t listener_port(const struct listener *l);

/* The i-th socket's address as text ("[::]:8443"), NULL after the last one. */
const char *listener_address(const struct listener *l, unsigned i);

/* How a SYN is answered: as usual; with RST; not at all (CAP_BLACK_HOLE). What was accepted by the
 * kernel before the change is still handed over, from the loop. The port stays ours meanwhile.
 * Returns 0, -EPERM when the capability is missing, or -errno (-EMFILE: no descriptors for those
 * who wait, whom refusing would reset); then nothing was changed. Fine from inside accepted(). */
enum listener_answer { LISTENER_ACCEPTS, LISTENER_REFUSES, LISTENER_DROPS };
int listener_answer(struct listener *l, enum listener_answer answer);

/* How many segments the kernel has dropped at its sockets so far, as far as it counts them. */
uint64_t listener_drops(const struct listener *l);

/* When no descriptors are left for connections (base/descriptors.h; or ENFILE, ENOBUFS, ENOMEM),
 * and nobody makes room, all listeners pause, say so once in the log and through this hook, and try
 * again every 100 ms: connections wait in the backlog. */
void listener_set_out_of_descriptors(void (*hook)(void *owner), void *owner);

/* l accepts also when others have to pause: up to the last descriptor. Then its owner is asked to
 * make room, which returns whether it has given one back. */
void listener_reserve(struct listener *l, bool (*room)(void *owner));

/* Stops accepting and frees l once the loop has closed its handles. */
void listener_close(struct listener *l);
