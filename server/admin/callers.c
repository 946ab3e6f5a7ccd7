/* callers.c - the connections to the API: how long each may take, and who has to make place for a
 * newcomer.
 *
 * Slow callers are ended by a deadline of ours for each connection, because libmicrohttpd's own
 * starts anew with every byte.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/call.h"
#include "admin/relay.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/duration.h"
#include "base/log.h"
#include "engine/mhd_loop.h"

#define QUIET NS_PER_S /* a request of such a caller is not on its way */
#define HURRY NS_PER_MS
#define LOOK  (100 * NS_PER_MS) /* at what came, before a caller is cut off, */
#define LOOKS 10                /* and so often, while there is something that we have not read */

static void caller_allow(struct caller *caller, int64_t span)
{
    caller->overdue = 0;
    timer_at(&caller->deadline, span == DURATION_NEVER ? TIME_NONE : clock_now() + span);
}

void callers_listen_to(struct admin *a, struct caller *caller, int64_t span)
{
    caller->listening = true;
    caller->listening_since = clock_now();
    link_remove(&caller->link);
    link_append(&a->callers, &caller->link);
    caller_allow(caller, span);
}

void call_allow(struct call *call, int64_t span)
{
    call->caller->listening = false;
    caller_allow(call->caller, span);
}

void call_pause(struct call *call)
{
    struct caller *caller = call->caller;
    caller->left = timer_armed(&caller->deadline) ? caller->deadline.due - clock_now() : 0;
    timer_cancel(&caller->deadline);
}

void call_resume(struct call *call)
{
    if (call->caller->left)
        caller_allow(call->caller, call->caller->left);
    call->caller->left = 0;
}

void callers_end(struct admin *a, struct caller *caller)
{
    if (caller->relay)
        relay_drop(caller->relay);
    shutdown(caller->fd, SHUT_RDWR);
    mhd_loop_run(a->mhd);
}

/* It was answered, and has the response; and nothing of another request waits to be read. */
static bool is_quiet(const struct caller *caller)
{
    return caller->listening && (!caller->relay || relay_is_quiet(caller->relay));
}

struct caller *callers_quietest(struct admin *a, int64_t span)
{
    int64_t now = clock_now();
    for (struct link *i = a->callers.next; i != &a->callers; i = i->next) {
        struct caller *caller = link_entry(i, struct caller, link);
        if (caller->listening && now - caller->listening_since < span)
            return NULL;
        if (is_quiet(caller))
            return caller;
    }
    return NULL;
}

static bool is_there(const struct admin *a, const struct caller *caller)
{
    const struct link *i = a->callers.next;
    while (i != &a->callers && i != &caller->link)
        i = i->next;
    return i != &a->callers;
}

/* What has come is answered, as far as it goes in a short time. */
static void response_now(struct admin *a)
{
    int64_t until = clock_now() + HURRY;
    bool more;
    relay_move_all(&a->relays);
    mhd_loop_run(a->mhd);
    do {
        more = work_turn(a);
        mhd_loop_run(a->mhd);
    } while (more && clock_now() < until);
    relay_move_all(&a->relays);
}

bool callers_make_place(void *owner)
{
    struct admin *a = owner;
    struct caller *caller;
    unsigned before = a->caller_count;
    response_now(a);
    if (relay_drop_answered(&a->relays) || a->caller_count < before)
        return true;
    caller = callers_quietest(a, QUIET);
    if (!caller && (caller = waiting_wake_first(a))) {
        response_now(a);
        if (a->caller_count < before)
            return true;
        if (!is_there(a, caller) || !is_quiet(caller))
            caller = NULL;
    }
    if (caller || (caller = callers_quietest(a, 0)))
        callers_end(a, caller);
    else if (relay_drop_stuck(&a->relays, QUIET))
        mhd_loop_run(a->mhd);
    return a->caller_count < before;
}

/* Timers come before what is to be read, and this process may not have run for a while. */
static void deadline_reached(struct timer *m, int64_t late)
{
    struct caller *caller = link_entry(m, struct caller, deadline);
    bool unread = caller->relay && relay_has_unread(caller->relay);
    if (caller->overdue == 0 || late >= LOOK || (unread && caller->overdue < LOOKS)) {
        caller->overdue++;
        timer_at(m, clock_now() + LOOK);
        return;
    }
    if (caller->follows)
        caller->admin->dropped_readers++;
    caller->follows = false;
    /* libmicrohttpd sees the end of the connection and closes it. */
    shutdown(caller->fd, SHUT_RDWR);
}

void callers_on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                           enum MHD_ConnectionNotificationCode code)
{
    struct admin *admin = arg;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        struct caller *caller = calloc(1, sizeof *caller);
        if (!caller) {
            shutdown(fd, SHUT_RDWR);
            return;
        }
        caller->admin = admin;
        caller->fd = fd;
        caller->deadline.reached = deadline_reached;
        link_init(&caller->link);
        relay_tell_end(admin->adding, &caller->relay);
        admin->caller_count++;
        callers_listen_to(admin, caller, call_patience.request);
        *context = caller;
    } else if (*context) {
        struct caller *caller = *context;
        timer_cancel(&caller->deadline);
        if (caller->relay)
            relay_leave(caller->relay);
        link_remove(&caller->link);
        admin->caller_count--;
        free(caller);
        *context = NULL;
    }
}

void callers_on_accepted(void *owner, int fd, const struct sockaddr *peer, socklen_t len)
{
    static struct log_gate gate;
    struct admin *a = owner;
    int inner, rc;
    if (a->caller_count >= CALLERS_MAX && !callers_make_place(a)) {
        log_sometimes(&gate, LOG_WARN,
                      "admin: a connection was turned away: %u calls are being answered already",
                      a->caller_count);
        close(fd);
        return;
    }
    do
        rc = relay_start(a->loop, fd, &a->relays, &a->adding, &inner);
    while (rc == -EMFILE && (callers_make_place(a) || descriptors_make_room()));
    if (rc)
        close(fd);
    else
        rc = mhd_loop_add(a->mhd, inner, peer, len); /* closes inner when it fails */
    if (rc)
        log_sometimes(&gate, LOG_WARN, "admin: a connection was turned away: %s", strerror(-rc));
}
