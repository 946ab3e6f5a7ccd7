/* ledger_file.h - a run's ledger in a file, one event a line, written as it happens.
 *
 * Nobody waits for the disk: lines are written by a worker, one piece after the other. When
 * the file cannot be written (the disk is full, or read-only by now), that is said in the log and
 * in the ledger, and tried again each second from where it stopped; events that the ledger has
 * dropped by then are a "gap" in the file. What is in the file is whole up to its last line.
 *
 * Behind each piece it is looked whether the file is still there. When
 * it was deleted, replaced or cut, that is said in the log and in the ledger, and all that the
 * ledger still has goes into a new file. One that was moved is written where it is.
 */
#pragma once

#include "base/refusal.h"
#include "ledger/ledger.h"

struct ledger_file;
struct uv_loop_s;

#define CLOSING_RETRIES 3

/* Makes a file for the ledger in a directory: NAME-20260102T030405Z.ndjson, with -2, -3 ... behind
 * the time if that is there. The ledger's events, from the first that it has, go into it from the
 * loop's next turn on. Returns 0, BAD_INPUT for what is wrong with the directory, or -ENOMEM. With
 * why NULL a file that cannot be made is no error: that is treated as if it could not be written.
 */
int ledger_file_open(struct uv_loop_s *loop, struct ledger *ledger, const char *directory,
                     const char *name, struct ledger_file **out, struct refusal *why);

/* The ledger has all that it will have: what is not written yet is, a piece in each turn of the
 * loop as before, and the file is closed behind that. The file has a reference to the ledger until
 * then. What cannot be written is tried again for CLOSING_RETRIES seconds. NULL is fine. */
void ledger_file_close(struct ledger_file *f);

/* Calls done when all files that were closed are written; at this time at the latest. What is not
 * written by then is lost, which is said in the log and counted. A thread that is still at a piece
 * is left alone: then the result is false, and the loop never ends by itself. At most one waits. */
void ledger_file_finish_all(int64_t until, void (*done)(void *arg, bool all), void *arg);

/* Where it is; another place when it was lost. */
const char *ledger_file_path(const struct ledger_file *f);

/* How many files were deleted, replaced or cut while they were written, of all ledgers; and how
 * many events are in no file because theirs could not be written, nor the ledger wait for it. */
uint64_t ledger_file_losses(void);
uint64_t ledger_file_events_lost(void);
