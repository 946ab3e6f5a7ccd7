/* captured.h - talks of which each segment is looked at.
 *
 * The test and its servers are in a network namespace of their own. A talk is looked at from its
 * answer on; "quiet" gives the server the time to say what it must not.
 */
#pragma once

#include "capture.h"
#include "talk.h"

#define IDLE_MS  300
#define QUIET_MS 250 /* longer than the kernel waits before it retransmits or ACKs */

/* As capture_enter(). Where it cannot be done, capture_port() skips the test and says why. */
void captured_enter(void);

/* Captures what goes to and from the port of the stage's seat from here on. */
void capture_port(const struct stage *stage);

/* A talk that was served, and where on the wire that ended. */
struct talk *watched(struct stage *stage, size_t *behind);
/* The same with all of it ACKed. */
struct talk *settled(struct stage *stage, size_t *behind);

/* Waits so long that all that must not come would have come, and has the client read. */
void quiet(struct talk *t);

/* The client goes, where the server has said all it ever will. */
void check_nothing_follows(struct talk *t);
