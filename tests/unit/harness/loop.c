#include "loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>

#include "base/clock.h"
#include "base/timer.h"

uv_loop_t loop;

/* A condition is looked at at least so often. */
#define LOOK_EVERY NS_PER_MS

/* Not on a stack: a condition may fail the test while it is armed. */
static struct look {
    struct timer timer;
    int64_t end;
    bool over;
} look;

static void look_again(struct timer *timer, int64_t late)
{
    int64_t next = clock_now() + LOOK_EVERY;
    look.over = clock_now() >= look.end;
    if (!look.over)
        timer_at(timer, next < look.end ? next : look.end);
}

int loop_start(void **state)
{
    return uv_loop_init(&loop) || timers_start(&loop);
}

int loop_stop(void **state)
{
    timer_cancel(&look.timer);
    timers_stop();
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

bool loop_wait(uv_loop_t *on, bool (*holds)(void *data), void *data, int64_t ns)
{
    bool held = false;
    timer_cancel(&look.timer);
    look = (struct look){ .timer.reached = look_again, .end = clock_now() + ns };
    timer_at(&look.timer, clock_now() + (ns < LOOK_EVERY ? ns : LOOK_EVERY));
    while (!(held = holds(data)) && !look.over)
        uv_run(on, UV_RUN_ONCE);
    timer_cancel(&look.timer);
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

void loop_quiet_or_fail(uv_loop_t *on, bool (*happens)(void *data), void *data, int64_t ns,
                        const char *what, const char *file, int line)
{
    if (!loop_wait(on, happens, data, ns))
        return;
    print_error("%s:%d: %s, which must not be\n", file, line, what);
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

void loop_settle(uv_loop_t *on)
{
    struct pollfd any = { .fd = uv_backend_fd(on), .events = POLLIN };
    int64_t end = clock_now() + PATIENCE;
    do {
        assert_true(clock_now() < end);
        uv_run(on, UV_RUN_NOWAIT);
        uv_run(on, UV_RUN_NOWAIT); /* begins to watch what the first one wants watched */
    } while (uv_backend_timeout(on) == 0 || poll(&any, 1, (int)(2 * REAL_MS / NS_PER_MS)) > 0);
}

bool is_set(void *flag)
{
    return *(bool *)flag;
}

bool is_counted(void *count)
{
    return *(unsigned *)count > 0;
}
