/* witness.h - what the ledger must say about a talk, next to what its client saw. */
#pragma once

#include "talk.h"

/* A fault's moment as its client saw it: not before the connection was idle for idle_ms, and not
 * much later. */
void check_moment(const struct talk *t, int64_t seen_at, int64_t idle_ms);

/* The ledger has this step of this mode as a fault on the talk's connection, not before it was idle
 * for idle_ms (0: whenever). Returns the event's sequence number. */
uint64_t check_fault(const struct stage *stage, const struct talk *t, const char *mode,
                     const char *step, int64_t idle_ms);

/* Waits until the server has seen that the client's kernel ACKed its FIN: what the client sends
 * from now on cannot have crossed it. */
void await_fin_acked(const struct stage *stage, const struct talk *t);

/* The client sent a whole request with this key into the fault. fin_acked: "" when there was no
 * FIN. */
void check_stale_request(const struct stage *stage, const struct talk *t, const char *key,
                         const char *into, const char *fin_acked);

/* The connection's end comes, after the event with the sequence number. */
void check_end_after(const struct stage *stage, const struct talk *t, uint64_t seq);

/* Nothing was read since the last answer: 0 response bytes. */
void check_nothing_read(const struct talk *t);

/* The client uses a dead connection: its request draws RST and not one byte. */
void check_request_draws_rst(struct talk *t, const char *key);
