/* SPDX-License-Identifier: Apache-2.0 */
/* Intervals of OCS and how far its weights may move, against what the formula says. */
#include "blocks_sim.h"

enum { DRAWS = 4000 };

static nz_combine_options usual(void) {
    return (nz_combine_options){.performance = "top1",
                                .speedup = "latency_ms",
                                .compression = "disk_bytes",
                                .efficiency = "energy_j",
                                .better = {NZ_HIGHER, NZ_LOWER, NZ_LOWER, NZ_LOWER},
                                .zeta = 1,
                                .lambda = {1, 1, 1, 1}};
}

static void fill(nz_value_report values[4], double top1, double latency, double disk, double energy) {
    const double numbers[4] = {top1, latency, disk, energy};
    for (int i = 0; i < 4; i++) values[i] = nz_report_value(numbers[i], NZ_MEASURED);
}

static void an_interval_says_whether_models_differ(void **state) {
    (void)state;
    static const struct {
        double ends[2];
        nz_difference difference;
        const char *name;
    } cases[] = {
        {{1.01, 1.2}, NZ_BETTER, "better"},
        {{0.8, 0.99}, NZ_WORSE, "worse"},
        {{0.99, 1.01}, NZ_INDISTINGUISHABLE, "indistinguishable"},
        {{1, 1.2}, NZ_INDISTINGUISHABLE, "indistinguishable"},
        {{0.8, 1}, NZ_INDISTINGUISHABLE, "indistinguishable"},
        {{NAN, 0.5}, NZ_INDISTINGUISHABLE, "indistinguishable"},
        {{1.5, NAN}, NZ_INDISTINGUISHABLE, "indistinguishable"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(nz_ratio_difference(cases[i].ends), cases[i].difference);
        assert_string_equal(nz_difference_name(cases[i].difference), cases[i].name);
    }
}

/* With P = 1 fixed, S = 2, C = 4, E = 1.5 the score is 1 + 3 + 0.5 and moves with S alone. */
static void ocs_follows_the_interval_of_its_only_uncertain_ratio(void **state) {
    (void)state;
    nz_combine_options options = usual();
    nz_value_report original[4], compressed[4];
    nz_ratio_spread spread[4] = {[1] = {.has_ci = true, .ci95 = {1.9, 2.3}}};
    double ends[2], again[2];
    fill(original, 70, 14, 40, 3);
    fill(compressed, 70, 7, 10, 2);
    nz_assert_ok(nz_ocs_interval(ends, &options, original, compressed, spread, 0.95, DRAWS, 1));
    nz_assert_near(ends[0], 4.4, 0, 0.01);
    nz_assert_near(ends[1], 4.8, 0, 0.03);
    nz_assert_ok(nz_ocs_interval(again, &options, original, compressed, spread, 0.95, DRAWS, 1));
    assert_memory_equal(ends, again, sizeof ends);
    /* A calibrated zeta scales the ratio and the interval that belongs to it; the result stays S = 2 +. */
    options.zeta = 0.5;
    options.zeta_applies = true;
    fill(compressed, 70, 3.5, 10, 2);
    nz_assert_ok(nz_ocs_interval(again, &options, original, compressed, spread, 0.95, DRAWS, 1));
    nz_assert_near(again[0], ends[0], 1e-9, 0);
    nz_assert_near(again[1], ends[1], 1e-9, 0);
    /* A higher accuracy is better: its numerator is the compressed model's. All terms scale with P. */
    spread[0] = (nz_ratio_spread){.has_ci = true, .ci95 = {0.9, 1.1}};
    spread[1] = (nz_ratio_spread){0};
    nz_assert_ok(nz_ocs_interval(ends, &options, original, compressed, spread, 0.95, DRAWS, 1));
    nz_assert_near(ends[0], 0.9 * (4.5 - 0.1), 0, 0.04);
    nz_assert_near(ends[1], 1.1 * (4.5 + 0.1), 0, 0.04);
    /* More confidence: 2.5758 in place of 1.96 standard errors. */
    nz_assert_ok(nz_ocs_interval(again, &options, original, compressed, spread, 0.99, DRAWS, 1));
    nz_assert_near((again[1] - again[0]) / (ends[1] - ends[0]), 2.5758 / 1.96, 0, 0.06);
    /* Nothing is uncertain. */
    spread[0] = (nz_ratio_spread){0};
    nz_assert_ok(nz_ocs_interval(ends, &options, original, compressed, spread, 0.95, DRAWS, 1));
    nz_assert_near(ends[0], 4.5, 1e-12, 0);
    nz_assert_near(ends[1], 4.5, 1e-12, 0);
}

static void replicates_are_drawn_together(void **state) {
    (void)state;
    nz_combine_options options = usual();
    nz_value_report original[4], compressed[4];
    double speedup[DRAWS], efficiency[DRAWS], ends[2];
    nz_random random;
    nz_random_init(&random, 3, 0);
    for (int i = 0; i < DRAWS; i++) {
        double up = 0.2 * (2 * nz_random_unit(&random) - 1);
        speedup[i] = 2 + up;
        efficiency[i] = 1.5 - up; /* what one gains, the other loses */
    }
    nz_ratio_spread spread[4] = {[1] = {.replicates = speedup}, [3] = {.replicates = efficiency}};
    fill(original, 70, 14, 40, 3);
    fill(compressed, 70, 7, 10, 2);
    nz_assert_ok(nz_ocs_interval(ends, &options, original, compressed, spread, 0.95, DRAWS, 1));
    nz_assert_near(ends[0], 4.5, 1e-9, 0);
    nz_assert_near(ends[1], 4.5, 1e-9, 0);
    spread[3] = (nz_ratio_spread){0};
    nz_assert_ok(nz_ocs_interval(ends, &options, original, compressed, spread, 0.95, DRAWS, 1));
    nz_assert_near(ends[0], 4.5 - 0.19, 0, 0.01); /* 95% of a uniform spread */
    nz_assert_near(ends[1], 4.5 + 0.19, 0, 0.01);
    /* Without a sensor the interval is that of `partial`. */
    original[3] = nz_report_unavailable("no sensor");
    nz_assert_ok(nz_ocs_interval(ends, &options, original, compressed, spread, 0.95, DRAWS, 1));
    nz_assert_near(ends[0], 4 - 0.19, 0, 0.01);

    speedup[17] = NAN;
    nz_assert_fails(nz_ocs_interval(ends, &options, original, compressed, spread, 0.95, DRAWS, 1), NZ_E_ARG,
                    "replicate 17");
    spread[1] = (nz_ratio_spread){.has_ci = true, .ci95 = {2.1, 2.2}};
    nz_assert_fails(nz_ocs_interval(ends, &options, original, compressed, spread, 0.95, DRAWS, 1), NZ_E_ARG,
                    "interval");
    nz_assert_fails(nz_ocs_interval(ends, &options, original, compressed, spread, 0.95, 99, 1), NZ_E_ARG,
                    "99 replicates");
    spread[1] = (nz_ratio_spread){0};
    nz_assert_fails(nz_ocs_interval(ends, &options, original, compressed, spread, 1, DRAWS, 1), NZ_E_ARG, "confidence");
    for (int i = 0; i < 4; i++) original[i] = nz_report_unavailable("nothing");
    nz_assert_fails(nz_ocs_interval(ends, &options, original, compressed, spread, 0.95, DRAWS, 1), NZ_E_ARG,
                    "no value");
    nz_assert_near(ends[0], 4 - 0.19, 0, 0.01);
}

/* Simulated measurements: accuracy with its own interval, times and joules in the same blocks. The joules of a block follow its
 * times, so that speedup and efficiency go up and down together. */
static void the_interval_of_ocs_covers_the_true_one(void **state) {
    (void)state;
    enum { RUNS = 200, ROUNDS = 60, REPLICATES = 400 };
    static const double accuracy = 0.98, spread_of_accuracy = 0.005;
    static simulation s;
    nz_combine_options options = usual();
    const scenario *how = &scenarios[5]; /* a machine that remembers */
    double true_ocs = accuracy * ((accuracy - 1) + 2 * (sim_ratio() - 1) + 1), mean_width = 0;
    size_t hits = 0;
    for (uint64_t run = 0; run < RUNS; run++) {
        double times[REPLICATES], joules[REPLICATES], ends[2];
        double per_block[ROUNDS * SIM_MODELS];
        size_t start[ROUNDS * SIM_MODELS + 1];
        nz_block_options block_options = nz_block_options_default();
        nz_block_interval ratio, saved, fast, slow;
        nz_value_report original[4], compressed[4];
        sim_begin(&s, how, 11, run);
        while (s.blocks.round_count < ROUNDS) sim_round(&s);
        for (size_t b = 0; b < ROUNDS * SIM_MODELS; b++) {
            start[b] = b;
            per_block[b] = 0;
            for (size_t i = s.start[b]; i < s.start[b + 1]; i++) per_block[b] += 2.5e-3 * s.values[i] / SIM_PER_BLOCK;
        }
        start[ROUNDS * SIM_MODELS] = ROUNDS * SIM_MODELS;
        nz_blocks energy = {.round_count = ROUNDS, .model_count = SIM_MODELS, .values = per_block, .start = start};
        block_options.replicates = REPLICATES;
        block_options.seed = run;
        block_options.length = 4;
        nz_assert_ok(nz_blocks_ratio(&ratio, times, &s.blocks, 0, 1, &block_options));
        nz_assert_ok(nz_blocks_value(&slow, NULL, &s.blocks, 0, &block_options));
        nz_assert_ok(nz_blocks_value(&fast, NULL, &s.blocks, 1, &block_options));
        block_options.statistic = NZ_BLOCK_MEAN;
        nz_assert_ok(nz_blocks_ratio(&saved, joules, &energy, 0, 1, &block_options));
        double top1 = accuracy + spread_of_accuracy * nz_random_normal(&s.random);
        fill(original, 100, slow.value, 40, saved.value);
        fill(compressed, 100 * top1, fast.value, 20, 1);
        nz_ratio_spread spread[4] = {
            {.has_ci = true, .ci95 = {top1 - 1.96 * spread_of_accuracy, top1 + 1.96 * spread_of_accuracy}},
            {.replicates = times},
            {0},
            {.replicates = joules},
        };
        nz_assert_ok(nz_ocs_interval(ends, &options, original, compressed, spread, 0.95, REPLICATES, run));
        hits += ends[0] <= true_ocs && true_ocs <= ends[1];
        mean_width += (ends[1] - ends[0]) / RUNS;
    }
    print_message("# OCS %.3f: covered in %zu of %d, %.3f wide\n", true_ocs, hits, RUNS, mean_width);
    assert_true(hits >= 0.92 * RUNS);
    assert_true(mean_width < 0.1 * true_ocs);
}

static size_t winner_with(nz_combine_options *options, const nz_value_report original[4], nz_value_report models[][4],
                          size_t count, const double lambda[4]) {
    nz_combined combined[8];
    nz_ocs_rank rank;
    memcpy(options->lambda, lambda, sizeof options->lambda);
    for (size_t m = 0; m < count; m++) nz_combine(&combined[m], options, original, models[m], false);
    assert_true(nz_ocs_rank_get(&rank, combined, count, lambda));
    return rank.winner;
}

/* Weights just inside a range leave the winner, just outside the rival that was named wins. */
static void the_winner_changes_where_the_range_ends(void **state) {
    (void)state;
    enum { MODELS = 5 };
    nz_random random;
    size_t low_ends = 0, high_ends = 0;
    nz_random_init(&random, 4, 0);
    for (int turn = 0; turn < 200; turn++) {
        nz_combine_options options = usual();
        nz_value_report original[4], models[MODELS][4];
        nz_combined combined[MODELS];
        nz_ocs_rank rank;
        double lambda[4];
        fill(original, 70, 10, 40, 2);
        for (int i = 0; i < 4; i++) options.lambda[i] = lambda[i] = 0.1 + 2 * nz_random_unit(&random);
        for (int m = 0; m < MODELS; m++) {
            fill(models[m], 50 + 25 * nz_random_unit(&random), 3 + 10 * nz_random_unit(&random),
                 8 + 40 * nz_random_unit(&random), 1 + 2 * nz_random_unit(&random));
            nz_combine(&combined[m], &options, original, models[m], false);
        }
        assert_true(nz_ocs_rank_get(&rank, combined, MODELS, lambda));
        for (int m = 0; m < MODELS; m++) {
            assert_true(combined[m].ocs.value <= combined[rank.winner].ocs.value);
            if (m != (int)rank.winner) assert_true(combined[m].ocs.value <= combined[rank.runner_up].ocs.value);
        }
        for (int i = 0; i < 4; i++) {
            const nz_lambda_range *range = &rank.lambda[i];
            double moved[4];
            memcpy(moved, lambda, sizeof moved);
            assert_true(range->known && range->low <= lambda[i] && lambda[i] <= range->high);
            if (range->has_low) {
                moved[i] = range->low + 1e-9;
                assert_int_equal(winner_with(&options, original, models, MODELS, moved), rank.winner);
                moved[i] = range->low - 1e-9;
                if (moved[i] >= 0)
                    assert_int_equal(winner_with(&options, original, models, MODELS, moved), range->low_rival);
                low_ends++;
            } else {
                moved[i] = 1e-12;
                assert_int_equal(winner_with(&options, original, models, MODELS, moved), rank.winner);
            }
            moved[i] = range->has_high ? range->high - 1e-9 : 1e6;
            assert_int_equal(winner_with(&options, original, models, MODELS, moved), rank.winner);
            if (range->has_high) {
                moved[i] = range->high + 1e-9;
                assert_int_equal(winner_with(&options, original, models, MODELS, moved), range->high_rival);
                high_ends++;
            }
        }
    }
    assert_true(low_ends > 50 && high_ends > 50);
}

static void a_contest_is_among_those_with_a_score(void **state) {
    (void)state;
    nz_combine_options options = usual();
    nz_value_report original[4], model[4];
    nz_combined combined[3];
    nz_ocs_rank rank = {.winner = 77};
    fill(original, 70, 10, 40, 2);
    fill(model, 70, 5, 40, 2);
    nz_combine(&combined[1], &options, original, model, false);
    model[3] = nz_report_unavailable("no sensor");
    nz_combine(&combined[0], &options, original, model, false);
    combined[2] = combined[0];
    assert_false(nz_ocs_rank_get(&rank, combined, 1, options.lambda));
    assert_int_equal(rank.winner, 77);
    assert_true(nz_ocs_rank_get(&rank, combined, 3, options.lambda));
    assert_true(rank.winner == 1 && rank.runner_up == 1);
    for (int i = 0; i < 4; i++) {
        assert_true(rank.lambda[i].known && !rank.lambda[i].has_low && !rank.lambda[i].has_high);
        assert_true(isinf(rank.lambda[i].high));
    }
    /* Without a weight on energy all have a score, and nobody can tell what energy would have done. */
    options.lambda[3] = 0;
    for (int m = 0; m < 3; m++) {
        fill(model, 70, 5 + m, 40, 2);
        if (m == 2) model[3] = nz_report_unavailable("no sensor");
        nz_combine(&combined[m], &options, original, model, false);
    }
    assert_true(nz_ocs_rank_get(&rank, combined, 3, options.lambda));
    assert_true(rank.winner == 0 && rank.runner_up == 1);
    assert_false(rank.lambda[3].known);
    assert_true(rank.lambda[1].known && rank.lambda[1].has_low);
    nz_assert_near(rank.lambda[1].low, 0, 0, 1e-12); /* they differ in speed alone */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interval_says_whether_models_differ),
        cmocka_unit_test(ocs_follows_the_interval_of_its_only_uncertain_ratio),
        cmocka_unit_test(replicates_are_drawn_together),
        cmocka_unit_test(the_interval_of_ocs_covers_the_true_one),
        cmocka_unit_test(the_winner_changes_where_the_range_ends),
        cmocka_unit_test(a_contest_is_among_those_with_a_score),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
