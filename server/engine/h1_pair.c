/* h1_pair.c - see h1_pair.h.
 *
 * We hold the other end of every socket of this libmicrohttpd, so that it can be driven without an
 * epoll of ours: it has something to do only after we wrote, read, closed or resumed, and each of
 * these kicks it. What it writes is there to be read when its run is over.
 *
 * Who frees a pair: libmicrohttpd's connection lives until MHD_CONNECTION_NOTIFY_CLOSED. Without an
 * owner the pair is freed there; with one, when the owner gives it back or abandons it.
 */
#include "engine/h1_pair.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/address.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "engine/mhd_loop.h"

#define POOL_SIZE                                                                                  \
    (8 * 1024) /* of a libmicrohttpd connection; all of it is cleared for each request */
#define STOCK_MAX  1024
#define STOCK_KEPT 16 /* stays when no response is under way, also for when descriptors run out */
#define TRIM_MS    250

struct pairs {
    struct mhd_loop *mhd;
    h1_pair_handler handler;
    void (*after)(void);
    struct link stock, used, abandoned;
    size_t in_stock;
    size_t least_in_stock; /* since the last trim */
    struct h1_pair *adding;
    uv_timer_t trim;
    bool trimming;
};

static struct pairs *pairs;

static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *n, void **request)
{
    struct h1_pair *p =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    bool first = *request == NULL;
    enum MHD_Result result;

    if (!p->owner)
        return MHD_NO;
    *request = p;
    result = pairs->handler(p, upload, n, first);
    if (first && p->suspended)
        *request = NULL; /* it will be called for the first time again */
    return result;
}

static void on_completed(void *arg, struct MHD_Connection *mhd, void **request,
                         enum MHD_RequestTerminationCode code)
{
    struct h1_pair *p =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;

    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        p->answered = true;
}

static void free_pair(struct h1_pair *p)
{
    if (p->fd >= 0)
        close(p->fd);
    link_remove(&p->link);
    free(p);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct h1_pair *p = *context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        p = *context = pairs->adding;
        p->mhd = mhd;
        return;
    }
    p->gone = true;
    p->mhd = NULL;
    if (p->owner || p == pairs->adding)
        return;
    if (p->fd >= 0)
        pairs->in_stock--;
    free_pair(p);
}

static void after_run(void *arg)
{
    pairs->after();
}

int h1_pair_start(struct uv_loop_s *loop, h1_pair_handler handler, void (*after)(void))
{
    const struct MHD_OptionItem options[] = {
        { MHD_OPTION_CONNECTION_LIMIT, 1 << 20, NULL },
        { MHD_OPTION_CONNECTION_MEMORY_LIMIT, POOL_SIZE, NULL },
        { MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, NULL },
        { MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, NULL },
        { MHD_OPTION_END, 0, NULL },
    };
    int err;

    pairs = calloc(1, sizeof *pairs);
    if (!pairs)
        return -ENOMEM;
    pairs->handler = handler;
    pairs->after = after;
    link_init(&pairs->stock);
    link_init(&pairs->used);
    link_init(&pairs->abandoned);
    err = mhd_loop_start(loop, MHD_ALLOW_SUSPEND_RESUME, on_request, NULL, options, &pairs->mhd);
    if (err) {
        free(pairs);
        pairs = NULL;
        return err;
    }
    mhd_loop_drive(pairs->mhd, after_run, NULL);
    uv_timer_init(loop, &pairs->trim);
    pairs->trim.data = pairs;
    return 0;
}

static void on_trim_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void h1_pair_stop(void)
{
    struct link *lists[] = { &pairs->stock, &pairs->used };

    for (int i = 0; i < 2; i++)
        while (!link_empty(lists[i]))
            h1_pair_abandon(link_entry(lists[i]->next, struct h1_pair, link));
    mhd_loop_stop(pairs->mhd);
    uv_close((uv_handle_t *)&pairs->trim, on_trim_closed);
    pairs = NULL;
}

void h1_pair_kick(void)
{
    mhd_loop_kick(pairs->mhd);
}

void h1_pair_run(void)
{
    mhd_loop_run(pairs->mhd);
}

/* Two descriptors, unless that would take those kept for others. Returns 0 or -errno. */
static int make_ends(int ends[2])
{
    do {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0) {
            int higher = ends[0] > ends[1] ? ends[0] : ends[1];
            descriptors_note(higher);
            if (descriptors_allow(FOR_EXCHANGES, higher))
                return 0;
            close(ends[0]);
            close(ends[1]);
            errno = EMFILE;
        }
    } while ((errno == EMFILE || errno == ENFILE) && descriptors_make_room());
    return -errno;
}

static int make(struct h1_pair **out)
{
    union address peer;
    struct h1_pair *p = calloc(1, sizeof *p);
    int ends[2], err;

    if (!p)
        return -ENOMEM;
    p->fd = -1;
    link_init(&p->link);
    err = make_ends(ends);
    if (err) {
        free(p);
        return err;
    }
    p->fd = ends[0];
    address_set_loopback(&peer, AF_INET); /* libmicrohttpd wants one */
    pairs->adding = p;
    err = mhd_loop_add(pairs->mhd, ends[1], &peer.any, address_len(&peer));
    pairs->adding = NULL;
    if (err) {
        free_pair(p);
        return err;
    }
    *out = p;
    return 0;
}

int h1_pair_take(void *owner, struct h1_pair **out)
{
    struct h1_pair *p = NULL;

    if (!link_empty(&pairs->stock)) {
        p = link_entry(pairs->stock.prev, struct h1_pair, link);
        link_remove(&p->link);
        pairs->in_stock--;
        if (pairs->in_stock < pairs->least_in_stock)
            pairs->least_in_stock = pairs->in_stock;
    } else {
        int err = make(&p);
        if (err)
            return err;
    }
    p->owner = owner;
    link_append(&pairs->used, &p->link);
    *out = p;
    return 0;
}

/* Closes, step by step, what was in stock all the time. */
static void on_trim(uv_timer_t *timer)
{
    size_t idle = pairs->least_in_stock, drop = 0;

    if (idle > STOCK_KEPT)
        drop = (idle - STOCK_KEPT + 1) / 2;
    while (drop--) {
        pairs->in_stock--;
        h1_pair_abandon(link_entry(pairs->stock.next, struct h1_pair, link));
    }
    pairs->least_in_stock = pairs->in_stock;
    if (pairs->in_stock <= STOCK_KEPT) {
        uv_timer_stop(timer);
        pairs->trimming = false;
    }
}

void h1_pair_give_back(struct h1_pair *p)
{
    if (p->gone || pairs->in_stock >= STOCK_MAX) {
        h1_pair_abandon(p);
        return;
    }
    p->owner = NULL;
    p->answered = false;
    link_remove(&p->link);
    link_append(&pairs->stock, &p->link);
    if (++pairs->in_stock > STOCK_KEPT && !pairs->trimming) {
        pairs->trimming = true;
        pairs->least_in_stock = pairs->in_stock;
        uv_timer_start(&pairs->trim, on_trim, TRIM_MS, TRIM_MS);
    }
}

void h1_pair_abandon(struct h1_pair *p)
{
    p->owner = NULL;
    if (p->gone) {
        free_pair(p);
        return;
    }
    close(p->fd);
    p->fd = -1;
    link_remove(&p->link);
    link_append(&pairs->abandoned, &p->link);
    if (p->suspended)
        h1_pair_resume(p);
    h1_pair_kick();
}

int h1_pair_write(struct h1_pair *p, const void *bytes, size_t n)
{
    ssize_t taken = p->gone ? -1 : send(p->fd, bytes, n, MSG_NOSIGNAL);

    h1_pair_kick();
    return taken == (ssize_t)n ? 0 : -EIO;
}

size_t h1_pair_read(struct h1_pair *p, void *bytes, size_t size)
{
    ssize_t n = recv(p->fd, bytes, size, 0);

    return n > 0 ? (size_t)n : 0;
}

size_t h1_pair_peek(struct h1_pair *p, void *bytes, size_t size)
{
    ssize_t n = recv(p->fd, bytes, size, MSG_PEEK);

    return n > 0 ? (size_t)n : 0;
}

size_t h1_pair_unread(const struct h1_pair *p)
{
    int n = 0;

    ioctl(p->fd, FIONREAD, &n);
    return (size_t)n;
}

void h1_pair_suspend(struct h1_pair *p)
{
    p->suspended = true;
    MHD_suspend_connection(p->mhd);
}

void h1_pair_resume(struct h1_pair *p)
{
    p->suspended = false;
    MHD_resume_connection(p->mhd);
    h1_pair_kick();
}
