#include "loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/timer.h"

uv_loop_t loop;

/* Not on a stack: a condition may fail the test while it is armed. */
static struct deadline {
    struct timer timer;
    bool over;
} deadline;

static void deadline_reached(struct timer *timer, int64_t late)
{
    deadline.over = true;
}

int loop_start(void **state)
{
    return uv_loop_init(&loop) || timers_start(&loop);
}

int loop_stop(void **state)
{
    timer_cancel(&deadline.timer);
    timers_stop();
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

bool loop_wait(uv_loop_t *on, bool (*holds)(void *data), void *data, int64_t ns)
{
    timer_cancel(&deadline.timer);
    deadline = (struct deadline){ .timer.reached = deadline_reached };
    timer_at(&deadline.timer, clock_now() + ns);
    bool held = false;
    while (!(held = holds(data)) && !deadline.over)
        uv_run(on, UV_RUN_ONCE);
    timer_cancel(&deadline.timer);
    return held;
}

void loop_wait_or_fail(uv_loop_t *on, bool (*holds)(void *data), void *data, const char *what,
                       const char *file, int line)
{
    if (loop_wait(on, holds, data, PATIENCE))
        return;
    print_error("%s:%d: waited in vain for %s\n", file, line, what);
    _fail(file, line);
}

static bool never(void *data)
{
    return false;
}

void loop_run(int64_t ns)
{
    loop_wait(&loop, never, NULL, ns);
}

void loop_turns(unsigned n)
{
    while (n--)
        uv_run(&loop, UV_RUN_NOWAIT);
}

bool is_set(void *flag)
{
    return *(bool *)flag;
}

bool is_counted(void *count)
{
    return *(unsigned *)count > 0;
}
