/* Connections to a port, as the kernel shows them. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/sockets.h"

static int listen_on(int family, uint16_t *port)
{
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr *address = family == AF_INET ? (void *)&v4 : (void *)&v6;
    socklen_t len = family == AF_INET ? sizeof v4 : sizeof v6;
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, address, len) || listen(fd, 5) || getsockname(fd, address, &len))
        return -1;
    *port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
    return fd;
}

static void are_counted(int family)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    uint16_t ports[2] = { 0, 1 };
    int listener = listen_on(family, &ports[0]);
    if (listener < 0 && family == AF_INET6)
        return; /* there is no IPv6 */
    assert_true(listener >= 0);
    assert_int_equal(sockets_connected_to(ports, 2), 0);
    int client = socket(family, SOCK_STREAM, 0), other = socket(family, SOCK_STREAM, 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, len), 0);
    assert_int_equal(connect(other, (struct sockaddr *)&address, len), 0);
    assert_int_equal(sockets_connected_to(ports, 2), 2);
    assert_int_equal(sockets_connected_to(ports + 1, 1), 0);
    close(other); /* FIN: nobody holds it any more */
    assert_int_equal(sockets_connected_to(ports, 2), 1);
    int accepted = accept(listener, NULL, NULL);
    close(accepted); /* the client has yet to close its end */
    assert_int_equal(sockets_connected_to(ports, 2), 1);
    close(client);
    assert_int_equal(sockets_connected_to(ports, 2), 0);
    close(listener);
}

static void connections_that_are_held_are_counted(void **state)
{
    are_counted(AF_INET);
    are_counted(AF_INET6);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(connections_that_are_held_are_counted) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
