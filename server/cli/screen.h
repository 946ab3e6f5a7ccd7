/* screen.h - what happens in a run, on the terminal of `hangup serve`. */
#pragma once

struct ledger;
struct screen;

/* A line for each request, fault, stale request, retry, mark and mode from now on, on stdout. It
 * waits for nobody: what the terminal does not take at once, or what is more than can be read, is
 * left out, and how much that was is said. NULL without memory. The ledger outlives it, or ends
 * first. */
struct screen *screen_create(struct ledger *ledger);
/* NULL is fine. */
void screen_destroy(struct screen *s);
