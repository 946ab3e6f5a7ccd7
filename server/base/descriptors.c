#include "base/descriptors.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define SHARE     8 /* one part in so many of the limit is a reserve, */
#define SHARE_MIN 8 /* within these bounds */
#define SHARE_MAX 64
#define FEW       64 /* more than those that nobody tells of */

static struct {
    bool raised;
    rlim_t before;  /* it was raised */
    unsigned limit; /* 0: not known yet */
    unsigned share;
    int highest; /* that was told of */
    bool (*room)(void *owner);
    void *owner;
} descriptors;

void descriptors_raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        rlim_t before = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0) {
            descriptors.before = before;
            descriptors.raised = true;
        }
    }
    descriptors_learn_limit();
}

int descriptors_restore_limit(void)
{
    struct rlimit limit;
    if (!descriptors.raised)
        return 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    limit.rlim_cur = descriptors.before;
    return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

void descriptors_learn_limit(void)
{
    struct rlimit limit;
    descriptors.limit = INT_MAX;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < INT_MAX)
        descriptors.limit = (unsigned)limit.rlim_cur;
    unsigned share = descriptors.limit / SHARE;
    descriptors.share = share < SHARE_MIN ? SHARE_MIN : share > SHARE_MAX ? SHARE_MAX : share;
}

unsigned descriptors_reserved(enum descriptor_use use)
{
    if (!descriptors.limit)
        descriptors_learn_limit();
    return (unsigned)(FOR_ADMIN - use) * descriptors.share;
}

void descriptors_note(int fd)
{
    if (fd > descriptors.highest)
        descriptors.highest = fd;
}

bool descriptors_allow(enum descriptor_use use, int fd)
{
    unsigned reserved = descriptors_reserved(use);
    return fd >= 0 && (unsigned)fd + reserved < descriptors.limit;
}

bool descriptors_left(enum descriptor_use use)
{
    if (descriptors_allow(use, descriptors.highest + FEW))
        return true;
    int fd = eventfd(0, EFD_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return descriptors_allow(use, fd);
}

void descriptors_set_room(bool (*room)(void *owner), void *owner)
{
    descriptors.room = room;
    descriptors.owner = owner;
}

bool descriptors_make_room(void)
{
    return descriptors.room && descriptors.room(descriptors.owner);
}
