/* R1: which attempts are one call. */
#include "verdict_scenarios.h"

static void attempts_are_joined_so(void **state)
{
    rig_run_all(joins, sizeof joins / sizeof *joins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempts_are_joined_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
