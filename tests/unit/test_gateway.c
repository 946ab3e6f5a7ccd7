#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/gateway.h"

static char dir[] = "/tmp/hangup-gateway-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (!text) {
        unlink(path);
        return;
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static bool is_gateway(const struct gateways *g, const char *text)
{
    union address a;
    assert_true(address_read(text, &a));
    return gateways_have(g, &a.any);
}

#define V4_HEAD                                                                                    \
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
#define ZERO "00000000000000000000000000000000"

static void default_gateways_are_read(void **state)
{
    struct gateways g;
    put("route", V4_HEAD "eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
                         "eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
                         "eth0\t0000000A\t020011AC\t0003\t0\t0\t0\t000000FF\t0\t0\t0\n");
    put("ipv6_route",
        "fd000000000000000000000000000000 40 " ZERO " 00 " ZERO
        " 00000100 00000001 00000000 00000001     eth0\n" ZERO " 00 " ZERO
        " 00 fd000000000000000000000000000001 00000400 00000003 00000000 00000003     eth0\n" ZERO
        " 00 " ZERO " 00 " ZERO " ffffffff 00000001 00000000 00200200       lo\n");
    gateways_read(dir, &g);
    assert_int_equal(g.count, 2);
    assert_true(is_gateway(&g, "172.17.0.1"));
    assert_true(is_gateway(&g, "::ffff:172.17.0.1")); /* as it comes to an IPv6 socket */
    assert_true(is_gateway(&g, "fd00::1"));
    assert_false(is_gateway(&g, "172.17.0.2")); /* of another network */
    assert_false(is_gateway(&g, "172.17.0.3"));
    assert_false(is_gateway(&g, "fd00::2"));
    assert_false(is_gateway(&g, "127.0.0.1"));
    assert_false(is_gateway(&g, "::1"));
}

static void what_cannot_be_read_is_no_gateway(void **state)
{
    static const char *const texts[] = { NULL,
                                         "",
                                         "\n\n",
                                         "nonsense",
                                         V4_HEAD "eth0 0 1",
                                         V4_HEAD "eth0\tXXXXXXXX\t010011AC\t0003\n",
                                         V4_HEAD "eth0\t00000000\t00000000\t0003\n",
                                         ZERO " 00 " ZERO " 00 fd0001 0 0 0 3 eth0\n" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct gateways g;
        put("route", texts[i]);
        put("ipv6_route", texts[i]);
        gateways_read(dir, &g);
        assert_int_equal(g.count, 0);
    }
}

static void so_many_are_kept_and_no_more(void **state)
{
    char text[4096] = V4_HEAD;
    struct gateways g;
    for (unsigned i = 1; i < 20; i++)
        sprintf(text + strlen(text), "eth%u\t00000000\t%02X0011AC\t0003\t0\t0\t0\t0\n", i, i);
    put("route", text);
    gateways_read(dir, &g);
    assert_int_equal(g.count, GATEWAYS_MAX);
    assert_true(is_gateway(&g, "172.17.0.1"));
}

static int start(void **state)
{
    return mkdtemp(dir) ? 0 : -1;
}

static int stop(void **state)
{
    put("route", NULL);
    put("ipv6_route", NULL);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_gateways_are_read),
        cmocka_unit_test(what_cannot_be_read_is_no_gateway),
        cmocka_unit_test(so_many_are_kept_and_no_more),
    };
    return cmocka_run_group_tests_name("gateway", tests, start, stop);
}
