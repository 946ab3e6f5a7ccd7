/* tap.h - sees TCP segments as they come to this machine (CAP_TAP), before the kernel refuses or
 * drops them: what no socket of ours would ever be told.
 *
 * The kernel filters: only segments for these ports whose flags are the wanted ones are copied
 * here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"

struct tap;
struct uv_loop_s;

/* Flags of RFC 9293 3.1 */
#define TAP_FIN 0x01
#define TAP_SYN 0x02
#define TAP_RST 0x04
#define TAP_ACK 0x10

struct tap_segment {
    union address from, to;
    uint32_t seq;
    uint32_t length; /* octets of data; the kernel may have joined what came as several segments */
    uint8_t flags;
    int interface;
    int64_t at; /* clock_now() when it came to this machine, by the kernel */
};

#define TAP_PORTS_MAX 8

struct tap_config {
    struct uv_loop_s *loop;
    uint16_t ports[TAP_PORTS_MAX]; /* of ours */
    unsigned port_count;
    uint8_t mask, flags; /* segments with (their flags & mask) == flags */
    uint16_t from_port;  /* 0: any */
    /* Called from the loop. It may close the tap. */
    void (*seen)(void *owner, const struct tap_segment *segment);
    void *owner;
};

/* Returns 0 or -errno (-EPERM without the capability). */
int tap_open(const struct tap_config *config, struct tap **out);
/* Looks at what has come by now, without waiting for the loop. */
void tap_look(struct tap *t);
/* Stops and frees it, a few turns of the loop later. NULL is fine. */
void tap_close(struct tap *t);
/* Segments that came faster than they were read, since the last call. */
unsigned tap_missed(struct tap *t);

/* Tries it (caps.c). Returns 0 or -errno. */
int tap_try(void);
