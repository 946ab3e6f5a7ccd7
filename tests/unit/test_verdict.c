/* Verdicts: what the checks say of runs with a known truth. */
#include "verdict_truths.h"

static void each_cell_has_its_truth(void **state)
{
    rig_judge_all(cells, sizeof cells / sizeof *cells);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cell_has_its_truth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
