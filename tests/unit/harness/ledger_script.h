/* ledger_script.h - ledgers written down as text, for tests of what follows from records.
 *
 * A line is an event: TIME [cN] [xN] EVENT [WORD…] [MEMBER=VALUE…], with the time in seconds. Names
 * of members are those of the ledger's JSON, without "_ms" (their values are seconds); strings of a
 * list are parted by commas. "fault=F2" is the seq of the second fault of the script, "fault=F" of
 * the newest. WORDs are the method and target of a request, the step of a fault, the name of a
 * mark or phase, the line of a report, and what a member is left out by is "-name". Members that
 * most events have alike need not be written (see fill_in in ledger_script.c).
 *
 * Some words stand for several events:
 *   GET /a      (any method) request, request_complete (the latter not with "-whole")
 *   stale GET /a             stale_request, request_complete
 *   answer [STATUS]          processed, response_start, response_end, response_acked by ack
 *   fin, goaway … (a step)   fault, fault_done in effect, and fault_acked where the step is ACKed
 *   lost                     exchange_lost to the newest fault
 *   open [h1|h2]             connection_open, protocol
 */
#pragma once

#include "ledger/ledger.h"

/* The ledger of a script; the caller destroys it. What is wrong in a script fails the test. */
struct ledger *script_ledger(const char *text);
