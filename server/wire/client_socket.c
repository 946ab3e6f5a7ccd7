/* client_socket.c - see client_socket.h. Asked of the kernel by sock_diag(7), which takes no
 * capability.
 *
 * A FIN cannot be waited for in a black hole: it is behind what was sent before it and is never
 * ACKed, and a congestion window of 1 segment does not let it out (RFC 5681 3.1, 3.5).
 */
#include "wire/client_socket.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"

struct question {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
};

/* From the client's side: it is the source. */
static bool ask_of(int fd, struct question *q)
{
    union address client, server;
    socklen_t client_len = sizeof client, server_len = sizeof server;
    if (getpeername(fd, &client.any, &client_len) < 0 ||
        getsockname(fd, &server.any, &server_len) < 0)
        return false;
    address_unmap(&client);
    address_unmap(&server);
    *q = (struct question){
        .head = { .nlmsg_len = sizeof *q,
                  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                  .nlmsg_flags = NLM_F_REQUEST },
        .body = { .sdiag_family = (uint8_t)client.any.sa_family,
                  .sdiag_protocol = IPPROTO_TCP,
                  .idiag_states = UINT32_MAX,
                  .id = { .idiag_sport = htons(address_port(&client)),
                          .idiag_dport = htons(address_port(&server)),
                          .idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } } }
    };
    struct inet_diag_sockid *id = &q->body.id;
    if (client.any.sa_family == AF_INET) {
        memcpy(id->idiag_src, &client.v4.sin_addr, sizeof client.v4.sin_addr);
        memcpy(id->idiag_dst, &server.v4.sin_addr, sizeof server.v4.sin_addr);
    } else {
        memcpy(id->idiag_src, &client.v6.sin6_addr, sizeof client.v6.sin6_addr);
        memcpy(id->idiag_dst, &server.v6.sin6_addr, sizeof server.v6.sin6_addr);
        id->idiag_if = client.v6.sin6_scope_id;
    }
    return true;
}

static bool is_closed(unsigned state)
{
    switch (state) {
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
    case TCP_TIME_WAIT:
        return true;
    default:
        return false;
    }
}

bool client_socket_is_left(int fd)
{
    struct question q;
    union {
        struct nlmsghdr head;
        uint8_t bytes[1024];
    } answer;
    bool left = false;
    int netlink = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (netlink >= 0 && ask_of(fd, &q) && send(netlink, &q, sizeof q, 0) == sizeof q) {
        /* The kernel has answered before send returns. */
        ssize_t n = recv(netlink, &answer, sizeof answer, MSG_DONTWAIT);
        const struct inet_diag_msg *found = NLMSG_DATA(&answer.head);
        left = n >= (ssize_t)NLMSG_LENGTH(sizeof *found) &&
               answer.head.nlmsg_type == SOCK_DIAG_BY_FAMILY && found->idiag_inode == 0 &&
               is_closed(found->idiag_state);
    }
    if (netlink >= 0)
        close(netlink);
    return left;
}
