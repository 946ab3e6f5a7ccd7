/* admin.c - the API's life: it is started, and stopped when who was answered has left. Its callers
 * are callers.c, the way of a call through it calls.c.
 */
#include "admin/admin.h"

#include <errno.h>
#include <stdlib.h>

#include "admin/call.h"
#include "admin/relay.h"
#include "base/clock.h"
#include "engine/mhd_loop.h"
#include "wire/listener.h"

#define CONNECTION_MEMORY (32 * 1024) /* bounds the header section, too */
#define CA_MAX            (64 * 1024)
#define STOP_STEP         (5 * NS_PER_MS)
#define LAST_TURNS        4 /* of the daemon, for calls to end */

struct call_patience call_patience = {
    .request = 10 * NS_PER_S,
    .response = 60 * NS_PER_S,
    .idle = 120 * NS_PER_S,
    .stop = 2 * NS_PER_S,
    .follow = 10 * NS_PER_S,
};

static int read_ca(const char *path, struct file *out, struct refusal *why)
{
    return path ? file_take(NULL, path, CA_MAX, FILE_REGULAR, "", out, why) : 0;
}

static int make_no_memory(struct admin *a)
{
    static char text[] =
        "{\"type\":\"/problems/out-of-memory\",\"title\":\"Out of memory\",\"status\":503,"
        "\"detail\":\"The server is out of memory.\"}\n";
    a->no_memory = MHD_create_response_from_buffer(sizeof text - 1, text, MHD_RESPMEM_PERSISTENT);
    return a->no_memory &&
                   MHD_add_response_header(a->no_memory, "Content-Type", "application/problem+json")
               ? 0
               : -ENOMEM;
}

static int start_daemon(struct admin *a)
{
    const struct MHD_OptionItem options[] = {
        { MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)calls_on_request_line, a },
        { MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)calls_on_completed, a },
        { MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)callers_on_connection, a },
        { MHD_OPTION_CONNECTION_LIMIT, 2 * CALLERS_MAX, NULL },
        { MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL },
        { MHD_OPTION_END, 0, NULL },
    };
    return mhd_loop_start(a->loop, MHD_ALLOW_SUSPEND_RESUME, calls_on_call, a, options, &a->mhd);
}

static void destroy(struct admin *a)
{
    timer_cancel(&a->work);
    if (a->no_memory)
        MHD_destroy_response(a->no_memory);
    guard_finish(&a->guard);
    file_free(&a->ca_pem);
    file_free(&a->ca_der);
    buf_free(&a->modes.text);
    buf_free(&a->cases.text);
    buf_free(&a->language.text);
    free(a);
}

int admin_start(const struct admin_config *config, struct admin **out, struct refusal *why)
{
    struct admin *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    link_init(&a->callers);
    link_init(&a->relays);
    a->loop = config->loop;
    a->trials = config->trials;
    a->catalogue = config->catalogue;
    waiting_init(a);
    work_init(a);
    int rc = guard_init(&a->guard, config->token, config->names, config->name_count, why);
    if (!rc)
        rc = read_ca(config->ca_pem, &a->ca_pem, why);
    if (!rc)
        rc = read_ca(config->ca_der, &a->ca_der, why);
    if (!rc)
        rc = make_no_memory(a);
    if (!rc)
        rc = start_daemon(a);
    if (!rc)
        rc = listener_open(a->loop, "admin", config->address, callers_on_accepted, a, &a->listener,
                           why);
    if (rc) {
        mhd_loop_stop(a->mhd);
        destroy(a);
        return rc;
    }
    listener_reserve(a->listener, callers_make_place);
    const char *address;
    for (unsigned i = 0; (address = listener_address(a->listener, i)); i++)
        guard_bound(&a->guard, address);
    *out = a;
    return 0;
}

struct listener *admin_listener(struct admin *a)
{
    return a->listener;
}

/* Nobody is there any more, or is waited for. */
static void finish(struct admin *a)
{
    void (*stopped)(void *arg) = a->stopped;
    void *arg = a->stopped_arg;
    a->over = true;
    waiting_wake_all(a);
    work_stop(a);
    for (int i = 0; i < LAST_TURNS; i++)
        mhd_loop_run(a->mhd);
    mhd_loop_stop(a->mhd);
    relay_stop_all(&a->relays);
    destroy(a);
    stopped(arg);
}

/* Who has been answered leaves. */
static void stop_due(struct timer *m, int64_t late)
{
    struct admin *a = link_entry(m, struct admin, stop);
    struct caller *caller;
    mhd_loop_run(a->mhd);
    while ((caller = callers_quietest(a, 0))) {
        unsigned before = a->caller_count;
        callers_end(a, caller);
        if (a->caller_count == before)
            break;
    }
    relay_drop_answered(&a->relays);
    if (link_empty(&a->relays) || clock_now() >= a->stop_at)
        finish(a);
    else
        timer_at(m, clock_now() + STOP_STEP);
}

void admin_stop(struct admin *a, void (*stopped)(void *arg), void *arg)
{
    a->stopping = true;
    a->stopped = stopped;
    a->stopped_arg = arg;
    listener_close(a->listener);
    work_settle(a);
    waiting_wake_all(a);
    a->stop.reached = stop_due;
    a->stop_at = clock_now() + call_patience.stop;
    timer_at(&a->stop, clock_now());
}
