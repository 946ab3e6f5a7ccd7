/* worker.h - work that takes long, done by a thread of its own while the loop turns. Where no
 * thread can be had (a limit of processes, of memory) the loop does it, which is said in the log:
 * then other things are late, but nothing is lost. libuv's pool would end the process there.
 *
 * There may be as many at once as are begun. A thread costs the loop some 12 us.
 */
#pragma once

struct uv_loop_s;
struct worker;

/* Has work(arg) done, and calls done(arg) from a later turn of the loop; done may be NULL. Returns
 * NULL when there is no memory: then nothing is called. The loop does not end by itself before. */
struct worker *worker_begin(struct uv_loop_s *loop, void (*work)(void *arg),
                            void (*done)(void *arg), void *arg);

/* Waits until the work is done, before done was called: it will not be. */
void worker_join(struct worker *w);
