/* witness.h - what the ledger must say about a talk, next to what its client saw. */
#pragma once

#include "talk.h"

/* By how much a span between two times of the ledger may be off: they have three decimals. */
#define LEDGER_MS 0.002

/* A fault's time as its client saw it: not before the connection was idle for idle_ms, and not
 * much later. */
void check_timer(const struct talk *t, int64_t seen_at, int64_t idle_ms);

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

/* Waits until the black hole of this mode is in effect: the server waits with it for the client's
 * ACKs. */
void await_hole(const struct stage *stage, struct talk *t, const char *mode);

/* The connection's end comes, after the event with the sequence number. */
void check_end_after(const struct stage *stage, const struct talk *t, uint64_t seq);

/* Nothing was read since the last answer: 0 response bytes. */
void check_nothing_read(const struct talk *t);

/* The client uses a dead connection: its request draws RST and not one byte. */
void check_request_draws_rst(struct talk *t, const char *key);

/* Each event of the ledger that follows from a fault names it: an earlier fault of the same
 * connection, of a step that leads to such an event. */
void check_faults_are_named(const struct server *server);

/* No rule fired on the talk's connection; that it has hurry_ms for in_time. */
void check_no_fault(const struct stage *stage, const struct talk *t);

/* The ledger says that this mode does nothing on the talk's connection, with this in the reason; so
 * does what is shown of the connection, while it lives. */
void check_warned(const struct stage *stage, const struct talk *t, const char *mode,
                  const char *why);

/* How the server ends or leaves a connection, as its client sees it: "fin" without close_notify,
 * "rst", or silence ("stall", "hold": neither FIN nor RST, and no byte for a while). */
void check_how(struct talk *t, const char *how);

/* The ledger has this exchange of the talk's connection as lost, and how far it got. */
void check_lost(const struct stage *stage, const struct talk *t, uint64_t exchange,
                const char *reached);

/* The sequence number of the first such event about an exchange of the talk's connection; the test
 * fails when there is none. */
uint64_t check_event(const struct stage *stage, const struct talk *t, const char *event,
                     uint64_t exchange);

/* What the exchange asked for was executed, once, before the event with this sequence number;
 * or never. */
void check_processed_before(const struct stage *stage, const struct talk *t, uint64_t exchange,
                            uint64_t seq);
/* The sequence number of its being executed, once. */
uint64_t check_processed(const struct stage *stage, const struct talk *t, uint64_t exchange);
void check_not_processed(const struct stage *stage, const struct talk *t, uint64_t exchange);

/* Sets a mode made of these rules for connections to come. */
void set_rules(const struct stage *stage, const char *rules);

/* A new connection in this mode, whose first request is served without a fault. */
struct talk *served_once(struct stage *stage, const char *mode, const char *params);

/* The same in a mode that does something when the client is silent for so long: it has asked before
 * that (in_time). */
struct talk *served_in_time(struct stage *stage, const char *mode, const char *params, int64_t ms);

/* Between two faults of the talk's connection, the first of each of these steps, so many
 * milliseconds went by, and not much more. */
void check_gap(const struct stage *stage, const struct talk *t, const char *from, const char *to,
               int64_t ms);
