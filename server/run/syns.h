/* syns.h - what comes to the listeners of a run while they refuse or drop SYNs: no connection comes
 * of it, so this is its only trace in the ledger.
 */
#pragma once

#include "wire/listener.h"

struct run;
struct syns;

/* Ledgers what has come by now, before the listeners change. NULL is fine. */
void syns_look(struct syns *s);
/* The listeners refuse or drop from now on, or stop doing so. *s: NULL while they accept. */
void syns_watch(struct syns **s, struct run *run, enum listener_answer answer);
