#include "wire/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/worker.h"

#define SNAP       128 /* the headers of IP and TCP */
#define AT_ONCE    64  /* then the connections get their turn */
#define V6_HEADER  40
#define TCP_HEADER 20

struct tap {
    uv_poll_t poll;
    int fd;
    bool closed;
    void (*seen)(void *owner, const struct tap_segment *segment);
    void *owner;
};

/* --- The filter: classic BPF on the network header */

struct program {
    struct sock_filter code[64];
    unsigned length;
};

static void add(struct program *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
    p->code[p->length++] = (struct sock_filter){ code, yes, no, k };
}

#define LOAD_PROTOCOL ((uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL))
#define LOAD_PKTTYPE  ((uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE))
#define REJECT_NEXT   add(p, BPF_RET | BPF_K, 0, 0, 0)

/* Flags and ports, with the TCP header at X + header: accepted or rejected. */
static void add_tcp(struct program *p, const struct tap_config *c, uint32_t header)
{
    if (c->from_port) {
        add(p, BPF_LD | BPF_H | BPF_IND, header, 0, 0);
        add(p, BPF_JMP | BPF_JEQ | BPF_K, c->from_port, 1, 0);
        REJECT_NEXT;
    }
    add(p, BPF_LD | BPF_B | BPF_IND, header + 13, 0, 0);
    add(p, BPF_ALU | BPF_AND | BPF_K, c->mask, 0, 0);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, c->flags, 1, 0);
    REJECT_NEXT;
    add(p, BPF_LD | BPF_H | BPF_IND, header + 2, 0, 0);
    for (unsigned i = 0; i < c->port_count; i++)
        add(p, BPF_JMP | BPF_JEQ | BPF_K, c->ports[i], (uint8_t)(c->port_count - i), 0);
    REJECT_NEXT;
    add(p, BPF_RET | BPF_K, SNAP, 0, 0);
}

static void build(struct program *p, const struct tap_config *c)
{
    const uint8_t tcp_length =
        (uint8_t)(7 + c->port_count + (c->from_port ? 3 : 0)); /* of what add_tcp adds */
    p->length = 0;
    add(p, BPF_LD | BPF_W | BPF_ABS, LOAD_PKTTYPE, 0, 0);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, PACKET_HOST, 1, 0);
    REJECT_NEXT;
    add(p, BPF_LD | BPF_W | BPF_ABS, LOAD_PROTOCOL, 0, 0);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, (uint8_t)(7 + tcp_length));
    add(p, BPF_LD | BPF_B | BPF_ABS, 9, 0, 0);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 1, 0);
    REJECT_NEXT;
    add(p, BPF_LD | BPF_H | BPF_ABS, 6, 0, 0);
    add(p, BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 0, 1); /* a later fragment has no TCP header */
    REJECT_NEXT;
    add(p, BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0); /* X: the length of the IPv4 header */
    add_tcp(p, c, 0);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 1, 0);
    REJECT_NEXT;
    add(p, BPF_LD | BPF_B | BPF_ABS, 6, 0, 0); /* without extension headers */
    add(p, BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 1, 0);
    REJECT_NEXT;
    add(p, BPF_LDX | BPF_W | BPF_IMM, 0, 0, 0);
    add_tcp(p, c, V6_HEADER);
}

/* --- Reading */

static uint16_t two(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* A forwarded packet for the same port of another machine is no concern of ours. */
static bool is_ours(const union address *to)
{
    union address address = *to;
    address_set_port(&address, 0);
    int fd = socket(to->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true; /* not known; it came to our machine */
    bool ours = bind(fd, &address.any, address_len(&address)) == 0;
    close(fd);
    return ours;
}

static bool parse(const uint8_t *packet, size_t len, int interface, struct tap_segment *out)
{
    *out = (struct tap_segment){ 0 };
    bool v4 = len > 0 && packet[0] >> 4 == 4;
    size_t header = v4 ? (size_t)(packet[0] & 0xf) * 4 : V6_HEADER;
    if (len < header + TCP_HEADER)
        return false;
    const uint8_t *tcp = packet + header;
    if (v4) {
        out->from.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(two(tcp)) };
        out->to.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(two(tcp + 2)) };
        memcpy(&out->from.v4.sin_addr, packet + 12, 4);
        memcpy(&out->to.v4.sin_addr, packet + 16, 4);
    } else {
        out->from.v6 =
            (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(two(tcp)) };
        out->to.v6 =
            (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(two(tcp + 2)) };
        memcpy(&out->from.v6.sin6_addr, packet + 8, 16);
        memcpy(&out->to.v6.sin6_addr, packet + 24, 16);
        if (IN6_IS_ADDR_LINKLOCAL(&out->to.v6.sin6_addr))
            out->to.v6.sin6_scope_id = out->from.v6.sin6_scope_id = (uint32_t)interface;
    }
    size_t all = v4 ? two(packet + 2) : (size_t)V6_HEADER + two(packet + 4);
    size_t heads = header + (size_t)(tcp[12] >> 4) * 4;
    out->seq = (uint32_t)two(tcp + 4) << 16 | two(tcp + 6);
    out->length = all > heads ? (uint32_t)(all - heads) : 0;
    out->flags = tcp[13];
    out->interface = interface;
    return true;
}

/* When it came, in the time of clock_now(), of which the kernel's stamp is none. */
static int64_t came_at(struct msghdr *message)
{
    int64_t now = clock_now();
    struct timespec stamp;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
            continue;
        memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
        int64_t ago = clock_wall(now) - ((int64_t)stamp.tv_sec * NS_PER_S + stamp.tv_nsec);
        return ago > 0 && ago < NS_PER_S ? now - ago : now; /* else somebody has set the clock */
    }
    return now;
}

void tap_look(struct tap *t)
{
    for (int i = 0; i < AT_ONCE && !t->closed; i++) {
        uint8_t packet[SNAP], control[CMSG_SPACE(sizeof(struct timespec))];
        struct sockaddr_ll link;
        struct tap_segment segment;
        struct iovec into = { packet, sizeof packet };
        struct msghdr message = { .msg_name = &link,
                                  .msg_namelen = sizeof link,
                                  .msg_iov = &into,
                                  .msg_iovlen = 1,
                                  .msg_control = control,
                                  .msg_controllen = sizeof control };
        ssize_t n = recvmsg(t->fd, &message, MSG_DONTWAIT);
        if (n < 0 && errno != EINTR && errno != ENETDOWN) /* an interface went: the others stay */
            return;
        if (n <= 0 || !parse(packet, (size_t)n, link.sll_ifindex, &segment) ||
            !is_ours(&segment.to))
            continue;
        segment.at = came_at(&message);
        t->seen(t->owner, &segment);
    }
}

static void readable(uv_poll_t *poll, int status, int events)
{
    tap_look(poll->data);
}

/* --- Beginning and end */

/* Nothing is taken before the filter is there: the protocol comes with bind(). Returns it or
 * -errno. */
static int packet_socket(const struct tap_config *c)
{
    struct program p;
    struct sockaddr_ll every = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int on = 1;
    build(&p, c);
    struct sock_fprog program = { .len = (unsigned short)p.length, .filter = p.code };
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on); /* without: when it is read */
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ||
        bind(fd, (struct sockaddr *)&every, sizeof every) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

int tap_open(const struct tap_config *c, struct tap **out)
{
    if (c->port_count > TAP_PORTS_MAX)
        return -EINVAL;
    struct tap *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    t->seen = c->seen;
    t->owner = c->owner;
    t->fd = packet_socket(c);
    int error = t->fd < 0 ? t->fd : uv_poll_init(c->loop, &t->poll, t->fd);
    if (error) {
        if (t->fd >= 0)
            close(t->fd);
        free(t);
        return error;
    }
    t->poll.data = t;
    uv_poll_start(&t->poll, UV_READABLE, readable);
    *out = t;
    return 0;
}

static void poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void close_socket(void *fd)
{
    close((int)(intptr_t)fd);
}

/* The kernel waits with the close of a packet socket until no processor can look at it any more,
 * for some 10 ms: the loop is not to. */
void tap_close(struct tap *t)
{
    if (!t)
        return;
    void *fd = (void *)(intptr_t)t->fd;
    t->closed = true;
    uv_poll_stop(&t->poll);
    if (!worker_begin(t->poll.loop, close_socket, NULL, fd))
        close_socket(fd);
    uv_close((uv_handle_t *)&t->poll, poll_closed);
}

unsigned tap_missed(struct tap *t)
{
    struct tpacket_stats stats = { 0 };
    socklen_t len = sizeof stats;
    return getsockopt(t->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) < 0 ? 0 : stats.tp_drops;
}

int tap_try(void)
{
    const struct tap_config nothing = { .mask = TAP_SYN, .flags = TAP_SYN };
    int fd = packet_socket(&nothing);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}
