/* Verdicts: what the checks say of runs with a known truth. */
#include "verdict_truths_rules.h"

static void each_cell_has_its_truth(void **state)
{
    rig_judge_all(cells, sizeof cells / sizeof *cells);
}

static void each_rule_decides_its_scenarios(void **state)
{
    rig_judge_all(rules, sizeof rules / sizeof *rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cell_has_its_truth),
        cmocka_unit_test(each_rule_decides_its_scenarios),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
