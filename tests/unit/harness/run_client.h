/* run_client.h - a client of a run, for tests: what it asks, and what it has read. Then the state
 * that each test leaves behind.
 */
#pragma once

#include "run_rig.h"

extern char got[65536]; /* what a client has read */
extern size_t got_len;
extern int reading; /* the client that reads */
extern size_t wanted;

void start_reading(int client);

/* Reads what there is. False: the connection has ended. */
bool read_more(void);

/* Conditions of run_until(). Of an answer: its header section, and the content that that declares.
 */
bool got_wanted(void);
bool got_end(void);
bool got_answer(void);

/* Sends REQUEST, and begins to read; the other one waits for its answer, a 200. */
void ask(int client);
void assert_answered(int client);

/* Closes it, and waits until the run has no connection. */
void end_client(int client);

uint64_t now_in_ledger(void);

/* Whatever a test left behind when it failed is not the next one's. */
int rig_reset(void **state);
