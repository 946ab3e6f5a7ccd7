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

/* What comes later shows it, so that no beginning of it can: it is not among those that are cut. */
static const struct truth later[] = {
    { "1: a fast poller that never retries, from its beginning", "[\"recovered\"]",
      TWICE("GET /s") BITTEN("10.100", "c101", "x2", "GET /s") "10.200 c102 open\n" ANSWERED(
          "10.200", "c102", "x1", "GET /s")
          BITTEN("10.300", "c102", "x2", "GET /s") "10.400 c103 open\n" ANSWERED("10.400", "c103",
                                                                                 "x1", "GET /s")
              BITTEN("10.500", "c103", "x2", "GET /s") "10.600 c104 open\n" ANSWERED(
                  "10.600", "c104", "x1", "GET /s") GONE("10.750", "c101") GONE("10.750", "c102")
                  GONE("10.750", "c103") GONE("10.750", "c104") EXIT("10.800"),
      "inconclusive recovered=inconclusive(hangup-call)", 0 },
};

static void what_comes_later_decides(void **state)
{
    rig_judge_all(later, sizeof later / sizeof *later);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cell_has_its_truth),
        cmocka_unit_test(each_rule_decides_its_scenarios),
        cmocka_unit_test(what_comes_later_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
