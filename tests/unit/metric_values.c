/* SPDX-License-Identifier: Apache-2.0 */
/* The table of metrics, timed metrics, readings, and how values are written. */
#include "metric/value_json.h"
#include "metric/value_text.h"
#include "netzip/metric.h"
#include "test.h"

static nz_value_report value_of(const char *id, const nz_metric_input *input) {
    const nz_metric *metric = nz_metric_find(id);
    assert_non_null(metric);
    return nz_metric_value(metric, input);
}

/* ---- The table ---- */

static void every_metric_says_what_it_is(void **state) {
    (void)state;
    static const char *const categories[] = {"accuracy", "speed", "size", "energy"};
    const nz_metric *m, *other;
    size_t rows = 0;
    for (size_t i = 0; (m = nz_metric_at(i)); i++, rows++) {
        size_t c = 0;
        assert_non_null(m->id);
        assert_non_null(m->unit);
        assert_non_null(m->evaluate);
        assert_true(*m->title && *m->help);
        while (c < 4 && strcmp(categories[c], m->category) != 0) c++;
        assert_true(c < 4);
        /* The confidence at which precision and recall are read is no merit. */
        assert_true(m->better != NZ_NEITHER || strcmp(m->id, "f1_confidence") == 0);
        assert_ptr_equal(nz_metric_find(m->id), m);
        if (m->alias) assert_ptr_equal(nz_metric_find(m->alias), m);
        for (size_t k = 0; k < i && (other = nz_metric_at(k)); k++) {
            assert_string_not_equal(other->id, m->id);
            if (other->alias && m->alias) assert_string_not_equal(other->alias, m->alias);
        }
    }
    assert_true(rows > 40);
    assert_null(nz_metric_at(rows));
}

/* The ids and aliases of the definitions, in full. */
static void ids_and_aliases_are_the_contracts(void **state) {
    (void)state;
    static const char *const names[][2] = {
        {"top1", "TOP1accuracy"},
        {"top5", "TOP5accuracy"},
        {"precision", "Precision"},
        {"recall", "Recall"},
        {"f1", "F1Score"},
        {"map50", NULL},
        {"map50_95", "mAP"},
        {"agreement", NULL},
        {"negative_flips", NULL},
        {"kl", NULL},
        {"max_abs_diff", NULL},
        {"sqnr_db", NULL},
        {"ece", NULL},
        {"latency_ms", "Latency"},
        {"throughput", NULL},
        {"macs", "MAC"},
        {"ops", "OPS"},
        {"flops", "FLOPS"},
        {"chats", "CHATS"},
        {"chats_macs", NULL},
        {"chats_stored", NULL},
        {"chats_macs_stored", NULL},
        {"bops", NULL},
        {"macs_effective", NULL},
        {"disk_bytes", "Size"},
        {"entropy_bytes", NULL},
        {"params", NULL},
        {"params_nonzero", "Parameters_count"},
        {"sparsity", "Sparsity"},
        {"sparsity_all", NULL},
        {"cpu_util_pct", "CPU_usage"},
        {"cpu_util_process_pct", NULL},
        {"ram_bytes", "RAM_usage"},
        {"ram_machine_bytes", NULL},
        {"activation_peak_bytes", NULL},
        {"gpu_util_pct", "GPU_usage"},
        {"gpu_mem_bytes", NULL},
        {"energy_j", "Energy"},
        {"power_w", "Power"},
        {"energy_estimated_j", NULL},
        {"latency_ms_mean", NULL},
        {"latency_ms_min", NULL},
        {"latency_ms_p90", NULL},
        {"latency_ms_p99", NULL},
        {"precision_micro", NULL},
        {"recall_micro", NULL},
        {"f1_micro", NULL},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const nz_metric *m = nz_metric_find(names[i][0]);
        if (!m) fail_msg("no metric %s", names[i][0]);
        assert_string_equal(m->id, names[i][0]);
        if (names[i][1]) assert_ptr_equal(nz_metric_find(names[i][1]), m);
        if (!names[i][1]) assert_null(m->alias);
    }
}

static void any_k_up_to_1000_is_a_metric(void **state) {
    (void)state;
    const nz_metric *top10 = nz_metric_find("top10");
    assert_non_null(top10);
    assert_int_equal(top10->argument, 10);
    assert_string_equal(top10->id, "top10");
    assert_string_equal(top10->title, "Top-10 accuracy");
    assert_ptr_equal(nz_metric_find("top10"), top10);
    assert_non_null(nz_metric_find("top1000"));
    assert_ptr_equal(nz_metric_find("top5"), nz_metric_find("TOP5accuracy"));
    static const char *const none[] = {"top0",  "top1001",        "top",  "top-1", "top1x",
                                       "top01", "top99999999999", "Top1", "topx",  ""};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) assert_null(nz_metric_find(none[i]));
}

static void a_mistyped_id_has_a_nearest(void **state) {
    (void)state;
    assert_string_equal(nz_metric_closest("latency"), "latency_ms");
    assert_string_equal(nz_metric_closest("disk_byte"), "disk_bytes");
    assert_null(nz_metric_closest("qqqqqqqqqqqqqqqq"));
}

/* ---- Timed speed ---- */

static void latency_statistics_by_hand(void **state) {
    (void)state;
    static const double times[] = {5, 1, 4, 2, 3, 100};
    nz_metric_input input = nz_metric_input_none();
    input.latency_ms = times;
    input.latency_count = 6;
    nz_value_report r = value_of("latency_ms", &input);
    nz_assert_near(r.value, 3.5, 0, 0);
    assert_int_equal(r.source, NZ_MEASURED);
    assert_int_equal(r.n, 6);
    assert_true(r.has_ci); /* 6 is the least for a median */
    nz_assert_near(r.ci95[0], 1, 0, 0);
    nz_assert_near(r.ci95[1], 100, 0, 0);
    nz_assert_near(value_of("latency_ms_mean", &input).value, 115.0 / 6, 1e-12, 0);
    nz_assert_near(value_of("latency_ms_min", &input).value, 1, 0, 0);
    input.latency_count = 5;
    r = value_of("latency_ms", &input);
    nz_assert_near(r.value, 3, 0, 0);
    assert_false(r.has_ci);
}

static void percentiles_need_enough_inferences(void **state) {
    (void)state;
    double times[400];
    for (int i = 0; i < 400; i++) times[i] = 400 - i;
    nz_metric_input input = nz_metric_input_none();
    input.latency_ms = times;
    input.latency_count = 367;
    nz_value_report r = value_of("latency_ms_p99", &input);
    assert_int_equal(r.source, NZ_UNAVAILABLE);
    assert_string_equal(r.reason, "p99 needs 368 timed inferences, there are 367");
    assert_int_equal(r.n, 367);
    input.latency_count = 368;
    r = value_of("latency_ms_p99", &input);
    assert_int_equal(r.source, NZ_MEASURED);
    assert_true(r.has_ci && r.ci95[0] <= r.value && r.value <= r.ci95[1]);
    nz_assert_near(r.ci95[1], 400, 0, 0);
    input.latency_count = 35;
    assert_int_equal(value_of("latency_ms_p90", &input).source, NZ_UNAVAILABLE);
    input.latency_count = 36;
    assert_int_equal(value_of("latency_ms_p90", &input).source, NZ_MEASURED);
}

/* The median is of the means of bunches, minimum and percentiles of what was timed one by one. */
static void a_quick_model_has_percentiles_of_single_inferences(void **state) {
    (void)state;
    static const double means[] = {10, 11, 12};
    double singles[40];
    for (int i = 0; i < 40; i++) singles[i] = i < 39 ? 9 : 50;
    nz_metric_input input = nz_metric_input_none();
    input.latency_ms = means;
    input.latency_count = 3;
    input.latency_n = 300;
    input.latency_bunch = 100;
    nz_value_report r = value_of("latency_ms_min", &input);
    assert_int_equal(r.source, NZ_UNAVAILABLE);
    assert_non_null(strstr(r.reason, "once in 100 inferences"));
    input.single_ms = singles;
    input.single_count = 40;
    nz_assert_near(value_of("latency_ms", &input).value, 11, 0, 0);
    assert_int_equal(value_of("latency_ms", &input).n, 300);
    r = value_of("latency_ms_min", &input);
    nz_assert_near(r.value, 9, 0, 0);
    assert_int_equal(r.n, 40);
    nz_assert_near(value_of("latency_ms_p90", &input).value, 9, 0, 0);
    assert_string_equal(value_of("latency_ms_p99", &input).reason, "p99 needs 368 timed inferences, there are 40");
    /* Of a slower model that kept some of its times, the least was noted. */
    input.latency_bunch = 1;
    input.latency_least_ms = 8;
    nz_assert_near(value_of("latency_ms_min", &input).value, 8, 0, 0);
}

static void times_that_are_missing_or_broken_are_no_latency(void **state) {
    (void)state;
    double times[] = {1, NAN};
    nz_metric_input input = nz_metric_input_none();
    assert_string_equal(value_of("latency_ms", &input).reason, "not measured");
    input.reason_speed = "the worker crashed";
    assert_string_equal(value_of("throughput", &input).reason, "the worker crashed");
    input.latency_ms = times;
    input.latency_count = 2;
    assert_non_null(strstr(value_of("latency_ms", &input).reason, "inference 1"));
    input.throughput = 123.5;
    input.throughput_n = 1000;
    nz_value_report r = value_of("throughput", &input);
    nz_assert_near(r.value, 123.5, 0, 0);
    assert_int_equal(r.n, 1000);
}

/* ---- Readings ---- */

static void readings_pass_through_and_nan_is_unavailable(void **state) {
    (void)state;
    nz_metric_input input = nz_metric_input_none();
    const nz_metric *m;
    for (size_t i = 0; (m = nz_metric_at(i)); i++) {
        nz_value_report r = nz_metric_value(m, &input);
        if (r.source != NZ_UNAVAILABLE || !*r.reason) fail_msg("%s of nothing: source %d", m->id, (int)r.source);
    }
    input.ram_bytes = 1e6;
    input.cpu_util_pct = 0; /* a reading, not a gap */
    input.energy_j = 0.5;
    input.energy_n = 100;
    input.energy_estimated_j = 0.25;
    input.disk_bytes = 42;
    input.reason_energy = "no sensor";
    input.reason_gpu = "no GPU";
    nz_assert_near(value_of("ram_bytes", &input).value, 1e6, 0, 0);
    nz_assert_near(value_of("cpu_util_pct", &input).value, 0, 0, 0);
    nz_value_report energy = value_of("energy_j", &input);
    assert_int_equal(energy.source, NZ_MEASURED);
    assert_int_equal(energy.n, 100);
    assert_int_equal(value_of("energy_estimated_j", &input).source, NZ_ESTIMATED);
    assert_string_equal(value_of("power_w", &input).reason, "no sensor");
    assert_string_equal(value_of("gpu_util_pct", &input).reason, "no GPU");
    nz_assert_near(value_of("Size", &input).value, 42, 0, 0);
}

/* ---- JSON and text ---- */

static void assert_json(json_t *json, const char *expected) {
    char *text = NULL;
    assert_non_null(json);
    nz_assert_ok(nz_json_text(&text, json, 1));
    text[strcspn(text, "\n")] = '\0';
    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
}

static void values_become_the_contracts_objects(void **state) {
    (void)state;
    nz_value_report r = nz_report_value(70.5, NZ_MEASURED);
    r.has_n = r.has_ci = r.has_ties = true;
    r.n = 50000;
    r.ci95[0] = 69.5;
    r.ci95[1] = 71.5;
    r.ties = 3;
    assert_json(nz_value_json(&r, nz_metric_find("top1")),
                "{\"value\":70.5,\"unit\":\"%\",\"category\":\"accuracy\",\"better\":\"higher\","
                "\"source\":\"measured\",\"n\":50000,\"ci95\":[69.5,71.5],\"ties\":3}");
    r = nz_report_value(40551040, NZ_DERIVED);
    assert_json(
        nz_value_json(&r, nz_metric_find("macs")),
        "{\"value\":40551040,\"unit\":\"MAC\",\"category\":\"speed\",\"better\":\"lower\",\"source\":\"derived\"}");
    r = nz_report_unavailable("no %s", "sensor");
    assert_json(nz_value_json(&r, nz_metric_find("energy_j")),
                "{\"value\":null,\"unit\":\"J\",\"category\":\"energy\",\"better\":\"lower\","
                "\"source\":\"unavailable\",\"reason\":\"no sensor\"}");
}

static void json_never_holds_what_is_no_number(void **state) {
    (void)state;
    nz_value_report r = nz_report_value(INFINITY, NZ_MEASURED);
    assert_int_equal(r.source, NZ_UNAVAILABLE);
    assert_string_equal(r.reason, "infinite");
    r = nz_report_value(NAN, NZ_MEASURED);
    assert_string_equal(r.reason, "not a number");
    r = (nz_value_report){.value = NAN, .source = NZ_MEASURED}; /* somebody's mistake */
    assert_json(nz_value_json_as(&r, "", "other", NZ_NEITHER, true),
                "{\"value\":null,\"unit\":\"\",\"category\":\"other\",\"better\":\"neither\",\"source\":"
                "\"unavailable\",\"reason\":\"not measured\"}");
}

static void numbers_are_written_for_people(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *unit;
        bool integer;
        const char *text;
    } cases[] = {
        {0, "B", true, "0 B"},
        {999, "B", true, "999 B"},
        {1000, "B", true, "1.000 kB"},
        {5002000, "B", true, "5.002 MB"},
        {40551040, "MAC", true, "40.55 M MAC"},
        {861339936, "", true, "861.3 M"},
        {999960, "B", true, "1.000 MB"},
        {-1500, "B", true, "-1.500 kB"},
        {50, "%", false, "50.00%"},
        {3.14159, "ms", false, "3.142 ms"},
        {0.25, "J", false, "0.2500 J"},
        {12.345, "ms", false, "12.35 ms"},
        {1234.5, "ms", false, "1234.5 ms"},
        {1e-7, "J", false, "1e-07 J"},
        {0, "ms", false, "0 ms"},
        {NAN, "ms", false, "-"},
    };
    char text[NZ_VALUE_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(nz_number_text(text, cases[i].value, cases[i].unit, cases[i].integer), cases[i].text);
    nz_value_report gone = nz_report_unavailable("gone");
    assert_string_equal(nz_value_text(text, &gone, nz_metric_find("top1")), "-");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_metric_says_what_it_is),
        cmocka_unit_test(ids_and_aliases_are_the_contracts),
        cmocka_unit_test(any_k_up_to_1000_is_a_metric),
        cmocka_unit_test(a_mistyped_id_has_a_nearest),
        cmocka_unit_test(latency_statistics_by_hand),
        cmocka_unit_test(percentiles_need_enough_inferences),
        cmocka_unit_test(a_quick_model_has_percentiles_of_single_inferences),
        cmocka_unit_test(times_that_are_missing_or_broken_are_no_latency),
        cmocka_unit_test(readings_pass_through_and_nan_is_unavailable),
        cmocka_unit_test(values_become_the_contracts_objects),
        cmocka_unit_test(json_never_holds_what_is_no_number),
        cmocka_unit_test(numbers_are_written_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
