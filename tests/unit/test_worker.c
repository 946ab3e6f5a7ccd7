/* Work beside the loop: where no thread can be had, too, it is done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/worker.h"

#include "harness/loop.h"
#include "harness/memory.h"

static bool no_threads;

int __real_uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *arg);
int __wrap_uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *arg);

int __wrap_uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *arg)
{
    return no_threads ? UV_EAGAIN : __real_uv_thread_create(thread, entry, arg);
}

struct job {
    uv_thread_t worked_by;
    bool worked, done;
};

static void work(void *arg)
{
    struct job *job = arg;
    job->worked_by = uv_thread_self();
    job->worked = true;
}

static void done(void *arg)
{
    struct job *job = arg;
    assert_true(job->worked);
    job->done = true;
}

static bool worked_here(const struct job *job)
{
    uv_thread_t self = uv_thread_self();
    return uv_thread_equal(&job->worked_by, &self);
}

static void a_thread_does_it_while_the_loop_turns(void **state)
{
    struct job jobs[2] = { { .done = false } };
    for (int i = 0; i < 2; i++)
        assert_non_null(worker_begin(&loop, work, done, &jobs[i]));
    for (int i = 0; i < 2; i++) {
        loop_until(&loop, is_set, &jobs[i].done);
        assert_false(worked_here(&jobs[i]));
    }
}

/* What is done behind it comes later, as with a thread. */
static void without_threads_the_loop_does_it(void **state)
{
    struct job job = { .done = false };
    no_threads = true;
    assert_non_null(worker_begin(&loop, work, done, &job));
    no_threads = false;
    assert_true(worked_here(&job));
    assert_false(job.done);
    loop_until(&loop, is_set, &job.done);
}

static void who_waits_for_it_is_not_told_again(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct job job = { .done = false };
        no_threads = i == 1;
        struct worker *w = worker_begin(&loop, work, done, &job);
        no_threads = false;
        assert_non_null(w);
        worker_join(w);
        assert_true(job.worked);
        loop_settle(&loop);
        assert_false(job.done);
    }
}

static void without_memory_nothing_is_begun(void **state)
{
    struct job job = { .done = false };
    memory_ends_after(0);
    struct worker *w = worker_begin(&loop, work, done, &job);
    memory_restore();
    assert_null(w);
    assert_false(job.worked);
}

static int start(void **state)
{
    log_set_level(LOG_ERROR);
    return loop_start(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_does_it_while_the_loop_turns),
        cmocka_unit_test(without_threads_the_loop_does_it),
        cmocka_unit_test(who_waits_for_it_is_not_told_again),
        cmocka_unit_test(without_memory_nothing_is_begun),
    };
    return cmocka_run_group_tests_name("worker", tests, start, loop_stop);
}
