/* run_books.h - what the ledger must say of the exchanges of a connection, whatever happened to it:
 * the events of each are in order and there at most once, and its end is there. tests/clients/
 * torture.py (Books) asks the same of the whole server.
 */
#pragma once

#include "run_peer.h"

enum stage { REQUEST_TOLD, COMPLETE_TOLD, PROCESSED, STARTED, ENDED, LOST, STAGES };
#define EXCHANGES_MAX 16

struct course {
    bool has[STAGES];
    bool lost_at_headers;
};

/* Fills in the course of each exchange, by its number, from the events since the peer connected;
 * fails when one of them contradicts those before it. */
void read_books(const struct peer *p, const char *what, struct course courses[EXCHANGES_MAX]);

/* The connection is over: each exchange has ended. */
void check_books(const struct peer *p, const char *what);
