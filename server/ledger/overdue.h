/* overdue.h - told when an event comes later than it can: so what is known only then is in the
 * ledger ahead of it.
 */
#pragma once

#include <stdint.h>

/* Calls late once, from the next event of any ledger that begins at due or later (TIME_NONE: none),
 * before that is written; it may write events itself. */
void ledger_overdue_at(int64_t due, void (*late)(void *owner), void *owner);
/* The same for who reads ledgers at a time, and must not miss what an event then would be told of.
 */
void ledger_overdue_look(int64_t now);
