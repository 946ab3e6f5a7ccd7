#include "base/worker.h"

#include <stdbool.h>
#include <stdlib.h>
#include <uv.h>

#include "base/log.h"

struct worker {
    uv_thread_t thread;
    uv_async_t async;
    bool beside; /* there is a thread */
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
};

static void run(void *worker)
{
    struct worker *w = worker;
    w->work(w->arg);
    uv_async_send(&w->async);
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void worker_join(struct worker *w)
{
    if (w->beside)
        uv_thread_join(&w->thread);
    uv_close((uv_handle_t *)&w->async, closed);
}

static void worked(uv_async_t *async)
{
    struct worker *w = async->data;
    worker_join(w);
    if (w->done)
        w->done(w->arg);
}

struct worker *worker_begin(struct uv_loop_s *loop, void (*work)(void *arg),
                            void (*done)(void *arg), void *arg)
{
    static struct log_gate gate;
    struct worker *w = calloc(1, sizeof *w);
    if (!w || uv_async_init(loop, &w->async, worked)) {
        free(w);
        return NULL;
    }
    w->async.data = w;
    w->work = work;
    w->done = done;
    w->arg = arg;
    int error = uv_thread_create(&w->thread, run, w);
    w->beside = !error;
    if (error) {
        log_sometimes(&gate, LOG_WARN,
                      "no thread can be had (%s): the server is late while it does without",
                      uv_strerror(error));
        run(w);
    }
    return w;
}
