/* SPDX-License-Identifier: Apache-2.0 */
/* Coverage of intervals by a large simulation: the figures of docs/statistics.md. */
#include "blocks_sim.h"

enum { RUNS = 1000, STOPPED_RUNS = 400, REPLICATES = 500 };

/* What docs/statistics.md promises, less three standard errors of RUNS (0.7 points each) around 95%. */
static double least_coverage(const scenario *how, size_t rounds) {
    if (how->memory > 0.5) return rounds < 60 ? 0.77 : rounds < 200 ? 0.82 : 0.9;
    if (how->memory > 0) return rounds < 60 ? 0.88 : 0.91;
    return 0.93;
}

static void intervals_cover_as_they_claim(void **state) {
    (void)state;
    static const size_t rounds[] = {12, 30, 60, 200};
    for (size_t k = 0; k < sizeof rounds / sizeof *rounds; k++)
        for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
            const scenario *how = &scenarios[i];
            coverage c = sim_fixed(how, rounds[k], RUNS, REPLICATES);
            double median = (double)c.median_hits / RUNS, ratio = (double)c.ratio_hits / RUNS;
            print_message("# %zu rounds, %s: median %.3f (%.2f%% wide), ratio %.3f (%.2f%% wide)\n", rounds[k],
                          how->name, median, 100 * c.median_width, ratio, 100 * c.ratio_width);
            assert_true(ratio >= least_coverage(how, rounds[k]));
            /* A machine that remembers over rounds moves the median of one model, whatever the model. */
            double least = how->shared > 0 && rounds[k] < 60 ? 0.82 : how->shared > 0 ? 0.91 : 0.93;
            assert_true(median >= fmin(least, least_coverage(how, rounds[k])));
        }
}

static void stopping_early_does_not_cost_coverage(void **state) {
    (void)state;
    static const double widths[] = {0.01, 0.02, 0.03};
    for (size_t k = 0; k < sizeof widths / sizeof *widths; k++)
        for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
            coverage c = sim_stopped(&scenarios[i], widths[k], 400, STOPPED_RUNS, REPLICATES);
            double median = (double)c.median_hits / STOPPED_RUNS, ratio = (double)c.ratio_hits / STOPPED_RUNS;
            print_message(
                "# until %g%%, %s: median %.3f, ratio %.3f (%.2f%% wide) after %.0f rounds, %zu narrow enough\n",
                100 * widths[k], scenarios[i].name, median, ratio, 100 * c.ratio_width, c.rounds, c.enough);
            double least = scenarios[i].memory > 0.5 ? 0.88 : 0.93;
            assert_true(ratio >= least);
            assert_true(median >= least);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_cover_as_they_claim),
        cmocka_unit_test(stopping_early_does_not_cost_coverage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
