/* SPDX-License-Identifier: Apache-2.0 */
/* Ratios and the overall compression score, and tables of numbers measured elsewhere. */
#include "core/file.h"
#include "core/random.h"
#include "metric/combine_table.h"
#include "metric/value_json.h"
#include "test.h"

static nz_value_report number(double value) { return nz_report_value(value, NZ_MEASURED); }

static nz_combine_options defaults(void) {
    return (nz_combine_options){.performance = "top1",
                                .speedup = "chats",
                                .compression = "disk_bytes",
                                .efficiency = "energy_j",
                                .better = {NZ_HIGHER, NZ_LOWER, NZ_LOWER, NZ_LOWER},
                                .zeta = 1,
                                .lambda = {1, 1, 1, 1},
                                .zeta_applies = true};
}

static nz_combined combine(const nz_combine_options *o, const double a[4], const double b[4], bool is_baseline) {
    nz_value_report original[4], compressed[4];
    nz_combined c;
    for (int i = 0; i < 4; i++) {
        original[i] = isnan(a[i]) ? nz_report_unavailable("no sensor") : number(a[i]);
        compressed[i] = isnan(b[i]) ? nz_report_unavailable("no sensor") : number(b[i]);
    }
    nz_combine(&c, o, original, compressed, is_baseline);
    return c;
}

static const double before[4] = {80, 1000, 40, 2}, after[4] = {78, 250, 10, 1};

static void ratios_follow_the_definitions(void **state) {
    (void)state;
    nz_combine_options o = defaults();
    nz_combined c = combine(&o, before, after, false);
    nz_assert_near(c.ratio[0].value, 78.0 / 80, 1e-15, 0);
    nz_assert_near(c.ratio[1].value, 4, 1e-15, 0);
    nz_assert_near(c.ratio[2].value, 4, 1e-15, 0);
    nz_assert_near(c.ratio[3].value, 2, 1e-15, 0);
    nz_assert_near(c.ocs.value, 0.975 * (-0.025 + 3 + 3 + 1), 1e-15, 0);
    assert_int_equal(c.ocs.source, NZ_DERIVED);
    assert_int_equal(c.partial.source, NZ_UNAVAILABLE);
}

static void higher_is_better_turns_a_ratio_round(void **state) {
    (void)state;
    nz_combine_options o = defaults();
    o.speedup = "throughput";
    o.better[1] = NZ_HIGHER;
    o.zeta_applies = false;
    nz_combined c = combine(&o, (double[]){80, 100, 40, 2}, (double[]){80, 300, 40, 2}, false);
    nz_assert_near(c.ratio[1].value, 3, 1e-15, 0);
    o.better[1] = NZ_NEITHER;
    c = combine(&o, before, after, false);
    assert_string_equal(c.ratio[1].reason, "throughput has no better direction");
}

static void zeta_is_for_theoretical_speed_of_compressed_models(void **state) {
    (void)state;
    nz_combine_options o = defaults();
    o.zeta = 0.5;
    nz_assert_near(combine(&o, before, after, false).ratio[1].value, 2, 1e-15, 0);
    nz_assert_near(combine(&o, before, before, true).ratio[1].value, 1, 1e-15, 0);
    o.zeta_applies = false;
    nz_assert_near(combine(&o, before, after, false).ratio[1].value, 4, 1e-15, 0);
}

static void the_baseline_has_ratios_of_1_and_a_score_of_0(void **state) {
    (void)state;
    nz_combine_options o = defaults();
    nz_combined c = combine(&o, before, before, true);
    for (int i = 0; i < 4; i++) nz_assert_near(c.ratio[i].value, 1, 0, 0);
    nz_assert_near(c.ocs.value, 0, 0, 0);
}

static void weights_scale_terms_and_0_removes_one_and_the_need_for_it(void **state) {
    (void)state;
    nz_combine_options o = defaults();
    o.lambda[0] = 2;
    o.lambda[1] = 0.5;
    o.lambda[3] = 0;
    nz_combined c = combine(&o, before, after, false);
    nz_assert_near(c.ocs.value, 0.975 * (2 * -0.025 + 0.5 * 3 + 3), 1e-15, 0);
    c = combine(&o, (double[]){80, 1000, 40, NAN}, (double[]){78, 250, 10, NAN}, false);
    nz_assert_near(c.ocs.value, 0.975 * (2 * -0.025 + 0.5 * 3 + 3), 1e-15, 0);
    assert_int_equal(c.ratio[3].source, NZ_UNAVAILABLE);
    assert_false(c.without[3]);
}

static void a_missing_ingredient_leaves_a_partial_score(void **state) {
    (void)state;
    nz_combine_options o = defaults();
    nz_combined c = combine(&o, before, (double[]){78, 250, 10, NAN}, false);
    assert_int_equal(c.ocs.source, NZ_UNAVAILABLE);
    assert_string_equal(c.ratio[3].reason, "energy_j: no sensor");
    assert_string_equal(c.ocs.reason, "the efficiency ratio is unavailable: energy_j: no sensor");
    nz_assert_near(c.partial.value, 0.975 * (-0.025 + 3 + 3), 1e-15, 0);
    assert_true(c.without[3] && !c.without[0] && !c.without[1] && !c.without[2]);
    c = combine(&o, (double[]){80, NAN, 40, NAN}, after, false);
    nz_assert_near(c.partial.value, 0.975 * (-0.025 + 3), 1e-15, 0);
    assert_string_equal(c.ratio[1].reason, "chats of the baseline: no sensor");
    assert_true(c.without[1] && c.without[3]);
    static const double none[4] = {NAN, NAN, NAN, NAN};
    c = combine(&o, none, none, false);
    assert_int_equal(c.partial.source, NZ_UNAVAILABLE);
}

/* The score multiplies by P, so that even a weight of 0 does not make accuracy dispensable; what is left is named. */
static void without_accuracy_there_is_only_a_partial_score(void **state) {
    (void)state;
    nz_combine_options o = defaults();
    o.lambda[0] = 0;
    nz_combined c = combine(&o, (double[]){NAN, 1000, 40, 2}, after, false);
    assert_int_equal(c.ocs.source, NZ_UNAVAILABLE);
    assert_true(c.without[0]);
    nz_assert_near(c.partial.value, 3 + 3 + 1, 1e-15, 0);
}

static void denominators_that_are_zero_or_negative_give_no_ratio(void **state) {
    (void)state;
    nz_combine_options o = defaults();
    nz_combined c = combine(&o, (double[]){0, 1000, 40, 2}, (double[]){78, 0, -3, 1}, false);
    assert_string_equal(c.ratio[0].reason, "top1 of the baseline is 0");
    assert_string_equal(c.ratio[1].reason, "chats is 0");
    assert_string_equal(c.ratio[2].reason, "disk_bytes is negative");
    c = combine(&o, before, (double[]){0, 250, 10, 1}, false);
    nz_assert_near(c.ratio[0].value, 0, 0, 0); /* a model that is always wrong is a number */
    nz_assert_near(c.ocs.value, 0, 0, 0);
    c = combine(&o, (double[]){80, 1e308, 40, 2}, (double[]){78, 1e-308, 10, 1}, false);
    assert_int_equal(c.ratio[1].source, NZ_UNAVAILABLE);
}

static void an_estimate_stays_an_estimate(void **state) {
    (void)state;
    nz_combine_options o = defaults();
    nz_value_report a[4], b[4];
    nz_combined c;
    for (int i = 0; i < 4; i++) a[i] = b[i] = number(1);
    b[3].source = NZ_ESTIMATED;
    nz_combine(&c, &o, a, b, false);
    assert_int_equal(c.ratio[3].source, NZ_ESTIMATED);
    assert_int_equal(c.ocs.source, NZ_ESTIMATED);
    o.lambda[3] = 0;
    nz_combine(&c, &o, a, b, false);
    assert_int_equal(c.ocs.source, NZ_DERIVED);
}

/* ---- Tables ---- */

static const char *write_table(const char *text) {
    const char *path = nz_test_file("table.csv");
    nz_assert_ok(nz_file_write(path, text, strlen(text)));
    return path;
}

static void assert_rounds(double value, double printed, double unit) {
    if (!(fabs(value - printed) <= unit / 2 + 1e-12)) fail_msg("%.8f does not round to %.6f", value, printed);
}

static void check_paper(const char *name, const double *expected, size_t count, size_t first) {
    NZ_AUTO_TABLE nz_table t = {0};
    nz_table_request request = {.ids = {NULL, NULL, "cpu_util_pct", NULL}, .zeta = 1, .lambda = {1, 1, 1, 1}};
    nz_combine_options options;
    nz_assert_ok(nz_table_read(&t, nz_test_source(name), NULL, 0));
    nz_assert_ok(nz_table_options(&options, &t, &request));
    assert_string_equal(options.speedup, "chats_macs");
    assert_true(options.zeta_applies);
    for (size_t i = 0; i < count; i++) {
        nz_combined c;
        nz_table_combine(&c, &t, &options, first + i);
        if (c.ocs.source == NZ_UNAVAILABLE) fail_msg("%s", c.ocs.reason);
        assert_rounds(c.ocs.value, expected[i], 1e-4);
    }
}

/* The values that the definitions give for the paper's tables, to all printed digits. */
static void the_papers_tables_give_the_golden_scores(void **state) {
    (void)state;
    check_paper("tests/regression/paper_resnet18.csv", (double[]){0, 4.7438, 4.7029, -0.0399, 0.2288}, 5, 0);
    check_paper("tests/regression/paper_yolov5s.csv", (double[]){0, 0.7549, 3.5096, 6.3116}, 4, 0);
}

/* What the paper itself plots for its first table, to the digits of the plot. */
static void the_papers_plot_is_met_where_its_table_allows(void **state) {
    (void)state;
    NZ_AUTO_TABLE nz_table t = {0};
    nz_table_request request = {
        .ids = {"TOP1accuracy", "chats_macs", "CPU_usage", "Energy"}, .zeta = 1, .lambda = {1, 1, 1, 1}};
    nz_combine_options options;
    static const double plotted[] = {4.7, 4.7, 0, 0.2};
    nz_assert_ok(nz_table_read(&t, nz_test_source("tests/regression/paper_resnet18.csv"), NULL, 0));
    nz_assert_ok(nz_table_options(&options, &t, &request));
    for (size_t i = 0; i < 4; i++) {
        nz_combined c;
        nz_table_combine(&c, &t, &options, i + 1);
        assert_rounds(c.ocs.value, plotted[i], 0.1);
    }
}

static void suffixes_scale_and_ids_lose_them(void **state) {
    (void)state;
    NZ_AUTO_TABLE nz_table t = {0};
    nz_assert_ok(nz_table_read(&t,
                               write_table("m,macs_g,disk_mb,params_m,ram_gb,OPS,params_nonzero_k,entropy_bytes\n"
                                           "a,1.81,44.7,11.2,2.48,7,3.5,9\n"),
                               NULL, 0));
    static const char *const ids[] = {"macs", "disk_bytes",     "params",       "ram_bytes",
                                      "ops",  "params_nonzero", "entropy_bytes"};
    static const double values[] = {1.81e9, 44.7e6, 11.2e6, 2.48e9, 7, 3500, 9};
    for (size_t i = 0; i < 7; i++) {
        assert_string_equal(t.columns[i].id, ids[i]);
        nz_assert_near(t.values[i].value, values[i], 0, 0);
    }
}

static void other_columns_need_a_direction(void **state) {
    (void)state;
    NZ_AUTO_TABLE nz_table t = {0};
    const char *path = write_table("m,top1,co2_g\na,80,4\nb,79,2\n");
    nz_assert_fails(nz_table_read(&t, path, NULL, 0), NZ_E_ARG, "--better co2_g=higher or =lower");
    nz_stated_better co2 = {"co2_g", NZ_LOWER}, base = {"co2", NZ_LOWER}, gone = {"joy", NZ_HIGHER},
                     wrong = {"top1", NZ_LOWER};
    nz_table_request request = {.ids = {NULL, NULL, NULL, "co2_g"}, .zeta = 1, .lambda = {1, 0, 0, 1}};
    nz_combine_options options;
    nz_combined c;
    nz_assert_ok(nz_table_read(&t, path, &co2, 1));
    nz_assert_ok(nz_table_options(&options, &t, &request));
    nz_table_combine(&c, &t, &options, 1);
    nz_assert_near(c.ratio[3].value, 2, 1e-15, 0);
    nz_assert_near(c.ocs.value, 79.0 / 80 * (79.0 / 80 - 1 + 1), 1e-15, 0);
    nz_table_done(&t);
    nz_assert_ok(nz_table_read(&t, path, &base, 1)); /* by its name without the suffix: then it is scaled */
    assert_string_equal(t.columns[1].id, "co2");
    nz_assert_near(t.values[1].value, 4e9, 0, 0);
    nz_table_done(&t);
    nz_stated_better two[] = {co2, gone};
    nz_assert_fails(nz_table_read(&t, path, two, 2), NZ_E_ARG, "'joy' is no column");
    two[1] = wrong;
    nz_assert_fails(nz_table_read(&t, path, two, 2), NZ_E_ARG, "of top1, higher is better");
}

static void empty_cells_are_missing_values(void **state) {
    (void)state;
    NZ_AUTO_TABLE nz_table t = {0};
    nz_table_request request = {.zeta = 1, .lambda = {1, 1, 1, 1}};
    nz_combine_options options;
    nz_combined c;
    nz_assert_ok(nz_table_read(&t, write_table("m,top1,chats,disk_mb\na,80,4,10\na,79,,5\na,n/a,2,-\n"), NULL, 0));
    assert_string_equal(t.names[1], "a-2");
    assert_string_equal(t.names[2], "a-3");
    nz_assert_ok(nz_table_options(&options, &t, &request));
    nz_table_combine(&c, &t, &options, 1);
    assert_string_equal(c.ratio[1].reason, "chats: not in the table");
    assert_string_equal(c.ratio[3].reason, "energy_j of the baseline: not in the table");
    nz_assert_near(c.partial.value, 79.0 / 80 * (79.0 / 80 - 1 + 1), 1e-15, 0);
}

static void hostile_tables_get_one_line(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
        nz_status status;
    } cases[] = {
        {"", "empty", NZ_E_FORMAT},
        {"m\na\n", "only one column", NZ_E_FORMAT},
        {"m,top1\n", "no rows", NZ_E_FORMAT},
        {"m,top1\na,eighty\n", "table.csv:2: column 'top1': 'eighty' is not a number", NZ_E_FORMAT},
        {"m,top1\na,1e400\n", "'1e400' is not a number", NZ_E_FORMAT},
        {"m,top1\na,inf\n", "'inf' is not a number", NZ_E_FORMAT},
        {"m,macs_g\na,1e299\nb,1e300\n", "table.csv:3", NZ_E_FORMAT},
        {"m,top1\n,80\n", "table.csv:2: the first column", NZ_E_FORMAT},
        {"m,macs,macs_g\na,1,1\n", "'macs' and 'macs_g' are both macs", NZ_E_FORMAT},
        {"m,top1\na,1,2\n", "3 fields", NZ_E_FORMAT},
        {"m,latensy_ms\na,1\n", "did you mean 'latency_ms'", NZ_E_ARG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nz_table t = {.count = 77};
        nz_assert_fails(nz_table_read(&t, write_table(cases[i].text), NULL, 0), cases[i].status, cases[i].message);
        assert_int_equal(t.count, 77);
    }
}

static void unknown_choices_are_named(void **state) {
    (void)state;
    NZ_AUTO_TABLE nz_table t = {0};
    nz_combine_options options;
    nz_table_request request = {.ids = {NULL, "latensy_ms", NULL, NULL}, .zeta = 1};
    nz_assert_ok(nz_table_read(&t, write_table("m,top1,disk_mb\na,80,1\n"), NULL, 0));
    nz_assert_fails(nz_table_options(&options, &t, &request), NZ_E_ARG, "--speedup: 'latensy_ms' is neither");
    request.ids[1] = "latency_ms"; /* a metric, but no column: the ratio will say so */
    request.ids[2] = "disk_mb";    /* as the header spells it */
    nz_assert_ok(nz_table_options(&options, &t, &request));
    assert_false(options.zeta_applies);
    assert_string_equal(options.compression, "disk_bytes");
}

static void weights_are_four_numbers(void **state) {
    (void)state;
    double lambda[4] = {7, 7, 7, 7};
    static const char *const wrong[] = {"",         "1",      "1,1,1",     "1,1,1,1,1", "1,1,1,x",
                                        "1,-1,1,1", "1,,1,1", "1,1,1,inf", "1,1,1,1,"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        nz_assert_fails(nz_lambda_parse(lambda, wrong[i], "l"), NZ_E_ARG, "l: '");
    nz_assert_near(lambda[0], 7, 0, 0);
    nz_assert_ok(nz_lambda_parse(lambda, "0,0.5,2,1e1", "l"));
    nz_assert_near(lambda[3], 10, 0, 0);
    nz_assert_near(lambda[1], 0.5, 0, 0);
}

/* Only where no numbers that round to the printed ones could fit: 14 ms may be 13.5 to 14.5. */
static void joules_that_are_not_watts_times_latency_are_noted(void **state) {
    (void)state;
    NZ_AUTO_TABLE nz_table t = {0};
    nz_assert_ok(nz_table_read(&t, nz_test_source("tests/regression/paper_resnet18.csv"), NULL, 0));
    for (size_t r = 0; r < 5; r++) {
        NZ_AUTO_FREE char *note = NULL;
        nz_assert_ok(nz_table_note(&note, &t, r));
        if (r == 0) /* 117.8 W x 14 ms = 1.65 J, not 2.2 */
            assert_non_null(strstr(note, "2.2 J is not 117.8 W x 14 ms = 1.649 J"));
        else
            assert_null(note);
    }
    nz_table_done(&t);
    nz_assert_ok(nz_table_read(
        &t, write_table("m,latency_ms,power_w,energy_j\na,1e2,10,1\nb,100,10,1.00\nc,100,10.0,1.20\nd,,1,1\n"), NULL,
        0));
    static const bool noted[] = {false, false, true, false};
    for (size_t r = 0; r < 4; r++) {
        NZ_AUTO_FREE char *note = NULL;
        nz_assert_ok(nz_table_note(&note, &t, r));
        assert_int_equal(note != NULL, noted[r]);
    }
}

static void the_document_holds_what_the_contract_says(void **state) {
    (void)state;
    NZ_AUTO_TABLE nz_table t = {0};
    NZ_AUTO_JSON json_t *json = NULL;
    nz_table_request request = {.ids = {NULL, NULL, "cpu_util_pct", NULL}, .zeta = 2, .lambda = {1, 1, 1, 1}};
    nz_combine_options options;
    char verb[] = "combine";
    char *command[] = {verb};
    const char *path = nz_test_source("tests/regression/paper_resnet18.csv");
    nz_assert_ok(nz_table_read(&t, path, NULL, 0));
    nz_assert_ok(nz_table_options(&options, &t, &request));
    nz_assert_ok(nz_table_json(&json, &t, &options, path, 1, command));
    assert_string_equal(json_string_value(json_object_get(json, "schema")), "netzip.results/1");
    json_t *models = json_object_get(json, "models"), *ptq = json_array_get(models, 1);
    assert_int_equal(json_array_size(models), 5);
    assert_string_equal(json_string_value(json_object_get(ptq, "name")), "PTQ");
    assert_string_equal(json_string_value(json_object_get(ptq, "baseline")), "None");
    assert_string_equal(json_string_value(json_object_get(ptq, "status")), "ok");
    json_t *metrics = json_object_get(ptq, "metrics"), *ratios = json_object_get(ptq, "ratios"),
           *speedup = json_object_get(ratios, "speedup");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(metrics, "disk_bytes"), "value")), 11300000);
    assert_string_equal(json_string_value(json_object_get(speedup, "of")), "chats_macs");
    nz_assert_near(json_number_value(json_object_get(speedup, "zeta")), 2, 0, 0);
    nz_assert_near(json_number_value(json_object_get(speedup, "value")), 8, 1e-12, 0);
    assert_int_equal(json_array_size(json_object_get(json_object_get(ptq, "ocs"), "lambda")), 4);
}

static void the_partial_score_names_what_it_leaves_out(void **state) {
    (void)state;
    nz_combine_options o = defaults();
    nz_combined c = combine(&o, before, (double[]){78, 250, 10, NAN}, false);
    NZ_AUTO_JSON json_t *ocs = nz_ocs_json(&c, &o), *ratios = nz_ratios_json(&c, &o);
    assert_true(json_is_null(json_object_get(ocs, "value")));
    json_t *partial = json_object_get(ocs, "partial");
    nz_assert_near(json_number_value(json_object_get(partial, "value")), c.partial.value, 0, 0);
    assert_string_equal(json_string_value(json_array_get(json_object_get(partial, "without"), 0)), "efficiency");
    assert_string_equal(json_string_value(json_object_get(json_object_get(ratios, "efficiency"), "reason")),
                        "energy_j: no sensor");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ratios_follow_the_definitions),
        cmocka_unit_test(higher_is_better_turns_a_ratio_round),
        cmocka_unit_test(zeta_is_for_theoretical_speed_of_compressed_models),
        cmocka_unit_test(the_baseline_has_ratios_of_1_and_a_score_of_0),
        cmocka_unit_test(weights_scale_terms_and_0_removes_one_and_the_need_for_it),
        cmocka_unit_test(a_missing_ingredient_leaves_a_partial_score),
        cmocka_unit_test(without_accuracy_there_is_only_a_partial_score),
        cmocka_unit_test(denominators_that_are_zero_or_negative_give_no_ratio),
        cmocka_unit_test(an_estimate_stays_an_estimate),
        cmocka_unit_test(the_papers_tables_give_the_golden_scores),
        cmocka_unit_test(the_papers_plot_is_met_where_its_table_allows),
        cmocka_unit_test(suffixes_scale_and_ids_lose_them),
        cmocka_unit_test(other_columns_need_a_direction),
        cmocka_unit_test(empty_cells_are_missing_values),
        cmocka_unit_test(hostile_tables_get_one_line),
        cmocka_unit_test(unknown_choices_are_named),
        cmocka_unit_test(weights_are_four_numbers),
        cmocka_unit_test(joules_that_are_not_watts_times_latency_are_noted),
        cmocka_unit_test(the_document_holds_what_the_contract_says),
        cmocka_unit_test(the_partial_score_names_what_it_leaves_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
