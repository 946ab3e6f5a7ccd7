/* h2_stop_rig.h - for the tests of HTTP/2 responses that stop: exchanges that stop at a place. */
#pragma once

#include "h2_rig.h"

extern enum engine_stop stop_of;
extern uint64_t stop_place;
extern struct exchange *stop_exchange; /* most recently */

void stop_and_respond(struct rig *rig, struct exchange *ex);
void stop_note(struct rig *rig, struct exchange *ex);
struct rig *stop_rig(enum engine_stop at, uint64_t n);
void stop_ping(struct rig *rig);

/* Octets of the header section's frame, the first that was put out. Its Date makes them differ. */
size_t stop_section_len(struct rig *rig);
