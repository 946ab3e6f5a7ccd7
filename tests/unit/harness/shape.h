/* shape.h - a wire whose bytes are held back, and what its client reads, cleartext and TLS. */
#pragma once

#include "bench.h"

#define MS REAL_MS

/* What has come, and over TLS what it means. */
struct shape {
    struct buf raw, plain;
    size_t pulled; /* of raw, by GnuTLS */
    bool fin, rst;
    int64_t came_at[64]; /* when each of the first bytes had come */
    int tls_error;       /* what ended reading TLS; 0: close_notify, GNUTLS_E_AGAIN: nothing did */
    uv_poll_t watch;     /* of the client's socket */
};
extern struct shape shape;

/* Of a group: bench_start_tls(), and the block. */
int shape_start(void **state);

/* Of a test: *state is a bench whose client is read as it comes. */
int shape_set_up_cleartext(void **state);
int shape_set_up_tls(void **state);
int shape_tear_down(void **state);
#define cleartext(name)                                                                            \
    cmocka_unit_test_setup_teardown(name, shape_set_up_cleartext, shape_tear_down)
#define secured(name) cmocka_unit_test_setup_teardown(name, shape_set_up_tls, shape_tear_down)

/* The client reads no more; reads again. */
void shape_pause(void);
void shape_read(void);

/* Waits until so much has come and no more; until the FIN; until the wire was cut. */
void shape_until_raw(size_t n);
void shape_until_fin(void);
void shape_until_cut(struct bench *b);

/* Segments with data that the client's kernel was sent. */
unsigned shape_segments(struct bench *b);

/* --- TLS */

/* Shakes hands; what comes later is counted from here. */
void shape_establish(struct bench *b);

/* Reads what has come, until tls_error. */
void shape_read_tls(struct bench *b);

/* A condition: TLS has let so many bytes through (a size_t). */
bool shape_has_plain(void *n);

/* Did TLS end without close_notify? */
bool shape_tls_was_cut(void);

/* The body length of the i-th TLS record that came; checks that it is application data. */
size_t shape_record(unsigned i);

#define RECORD(n) ((n) + 5 + 1 + 16) /* of n bytes, in TLS 1.3 with a 16-byte tag */

/* --- What is sent */

/* Letters in order, so that what comes can be told from the rest. */
extern char shape_block[1 << 20];

/* Sends the first n. */
void shape_send(struct bench *b, size_t n);

/* A pace at which the first chunk leaves at once and what is behind it waits, however long the
 * machine takes for what the test does next: until shape_let_go(), from where on it leaves every
 * 20 ms. */
void shape_hold(struct bench *b, uint32_t chunk);
void shape_let_go(struct bench *b, uint32_t chunk);
bool shape_in_order(const struct buf *got);
