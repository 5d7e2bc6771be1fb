/* SPDX-License-Identifier: Apache-2.0 */
/* Against an earlier run: made documents whose differences are known. */
#include "compare/against.h"

#include "compare/condition.h"
#include "core/file.h"
#include "core/memory.h"
#include "test.h"

/* A model of a made run. */
typedef struct made {
    const char *name, *sha256;
    double latency, low, high, ratio, ratio_low, ratio_high;
    double top1, top1_half;
    long long disk;
} made;

static json_t *model_of(const made *m, const char *host, const char *baseline) {
    json_t *json =
        json_pack("{s:s+,s:s,s:s,s:s+,s:s,s:{s:s,s:i,s:i,s:s},s:{s:{s:f,s:[f,f],s:s},s:{s:f,s:[f,f]},s:{s:I}}}", "id",
                  m->name, "/native/t1/b1", "name", m->name, "sha256", m->sha256, "baseline", baseline, "/native/t1/b1",
                  "status", "ok", "variant", "runtime", "native", "threads", 1, "batch", 1, "host", host, "metrics",
                  "latency_ms", "value", m->latency, "ci95", m->low, m->high, "source", "measured", "top1", "value",
                  m->top1, "ci95", m->top1 - m->top1_half, m->top1 + m->top1_half, "disk_bytes", "value", m->disk);
    assert_non_null(json);
    if (m->ratio > 0)
        json_object_set_new(json_object_get(json_object_get(json, "metrics"), "latency_ms"), "ratio",
                            json_pack("{s:f,s:[f,f]}", "value", m->ratio, "ci95", m->ratio_low, m->ratio_high));
    return json;
}

static json_t *run_of(const made *models, size_t count, const char *host, double noise_pct) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(list, model_of(&models[i], host, models[0].name));
    return json_pack("{s:s,s:{s:s,s:s,s:{s:s}},s:[{s:s,s:{s:f}}],s:o}", "schema", "netzip.results/1", "run", "started",
                     "2026-01-01T00:00:00Z", "version", "1", "data", "fingerprint", "d", "machines", "host", host,
                     "noise", "spread_pct", noise_pct, "models", list);
}

/* The second run judged against the first; both are released. */
static json_t *judged(json_t *old, json_t *new) {
    nz_assert_ok(nz_against_set(new, old, "old/results.json"));
    json_decref(old);
    return new;
}

static const json_t *entry(const json_t *results, const char *model, const char *metric) {
    const json_t *found = nz_against_metric(results, model, metric);
    if (!found) fail_msg("%s of %s is not in 'against'", metric, model);
    return found;
}

static void word_is(const json_t *results, const char *model, const char *metric, const char *word) {
    assert_string_equal(nz_json_text_at(entry(results, model, metric), "difference"), word);
}

static const made before[] = {{"A", "aa", 10, 9.9, 10.1, 0, 0, 0, 90, 0.5, 1000},
                              {"B", "bb", 5, 4.95, 5.05, 2, 1.99, 2.01, 89, 0.5, 400}};

static void a_ratio_of_two_independent_intervals(void **state) {
    (void)state;
    made now[] = {before[0]};
    now[0].latency = 8;
    now[0].low = 7.9;
    now[0].high = 8.1;
    json_t *r = judged(run_of(before, 1, "h", 0), run_of(now, 1, "h", 0));
    const json_t *e = entry(r, "A/native/t1/b1", "latency_ms");
    nz_assert_near(nz_json_number_at(e, "ratio"), 1.25, 1e-12, 0);
    /* log(10/8) -+ sqrt(log(10/9.9)^2 + log(8.1/8)^2), and sqrt(log(10.1/10)^2 + log(8/7.9)^2) */
    nz_assert_near(json_number_value(json_array_get(json_object_get(e, "ci95"), 0)), 1.25 * exp(-0.015977), 1e-5, 0);
    nz_assert_near(json_number_value(json_array_get(json_object_get(e, "ci95"), 1)), 1.25 * exp(0.016047), 1e-5, 0);
    assert_string_equal(nz_json_text_at(e, "by"), "intervals");
    word_is(r, "A/native/t1/b1", "latency_ms", "better");
    json_decref(r);
}

static void the_noise_floor_is_the_least_width(void **state) {
    (void)state;
    made now[] = {before[0]};
    now[0].latency = 10.6;
    now[0].low = 10.59;
    now[0].high = 10.61;
    json_t *r = judged(run_of(before, 1, "h", 0), run_of(now, 1, "h", 0));
    word_is(r, "A/native/t1/b1", "latency_ms", "worse");
    json_decref(r);
    /* A fixed piece of work scatters by 12% there: half of it each, 8.5% together. */
    r = judged(run_of(before, 1, "h", 12), run_of(now, 1, "h", 12));
    word_is(r, "A/native/t1/b1", "latency_ms", "indistinguishable");
    json_decref(r);
}

static void a_common_baseline_cancels_the_machines_mood(void **state) {
    (void)state;
    /* The machine is 30% slower today, and B is no slower relative to A. */
    made now[] = {{"A", "aa", 13, 12.9, 13.1, 0, 0, 0, 90, 0.5, 1000},
                  {"B", "b2", 6.5, 6.45, 6.55, 2, 1.99, 2.01, 89, 0.5, 400}};
    json_t *r = judged(run_of(before, 2, "h", 1), run_of(now, 2, "h", 1));
    const json_t *e = entry(r, "B/native/t1/b1", "latency_ms");
    assert_string_equal(nz_json_text_at(e, "by"), "baseline");
    nz_assert_near(nz_json_number_at(e, "ratio"), 1, 1e-12, 0);
    word_is(r, "B/native/t1/b1", "latency_ms", "indistinguishable");
    nz_assert_near(nz_json_number_at(json_object_get(e, "plain"), "ratio"), 5 / 6.5, 1e-12, 0);
    assert_string_equal(nz_json_text_at(json_object_get(e, "plain"), "difference"), "worse");
    word_is(r, "A/native/t1/b1", "latency_ms", "worse"); /* the baseline by itself */
    json_decref(r);
    now[0].sha256 = "other"; /* another baseline: nothing cancels */
    r = judged(run_of(before, 2, "h", 1), run_of(now, 2, "h", 1));
    assert_string_equal(nz_json_text_at(entry(r, "B/native/t1/b1", "latency_ms"), "by"), "intervals");
    word_is(r, "B/native/t1/b1", "latency_ms", "worse");
    json_decref(r);
}

static void accuracies_and_counts(void **state) {
    (void)state;
    made now[] = {before[0]};
    now[0].top1 = 89.4; /* the difference of -0.6 has an interval of 0.707 on each side */
    now[0].disk = 1001;
    json_t *r = judged(run_of(before, 1, "h", 1), run_of(now, 1, "h", 1));
    const json_t *points = json_object_get(entry(r, "A/native/t1/b1", "top1"), "points");
    nz_assert_near(nz_json_number_at(points, "value"), -0.6, 1e-9, 0);
    nz_assert_near(json_number_value(json_array_get(json_object_get(points, "ci95"), 0)), -0.6 - sqrt(0.5), 1e-9, 0);
    word_is(r, "A/native/t1/b1", "top1", "indistinguishable");
    word_is(r, "A/native/t1/b1", "disk_bytes", "worse");
    json_decref(r);
    now[0].top1 = 89.2;
    now[0].disk = 1000;
    r = judged(run_of(before, 1, "h", 1), run_of(now, 1, "h", 1));
    word_is(r, "A/native/t1/b1", "top1", "worse");
    word_is(r, "A/native/t1/b1", "disk_bytes", "indistinguishable");
    json_decref(r);
    json_t *other = run_of(now, 1, "h", 1); /* other data: no word */
    json_object_set_new(json_object_get(json_object_get(other, "run"), "data"), "fingerprint", json_string("e"));
    r = judged(run_of(before, 1, "h", 1), other);
    assert_true(json_is_null(json_object_get(entry(r, "A/native/t1/b1", "top1"), "difference")));
    assert_string_equal(nz_json_text_at(entry(r, "A/native/t1/b1", "top1"), "reason"), "measured on other data");
    json_decref(r);
}

static const json_t *against_model(const json_t *results, const char *id) {
    const json_t *models = json_object_get(json_object_get(results, "against"), "models");
    for (size_t i = 0; i < json_array_size(models); i++)
        if (strcmp(nz_json_text_at(json_array_get(models, i), "id"), id) == 0) return json_array_get(models, i);
    fail_msg("%s is not in 'against'", id);
    return NULL;
}

static void models_that_one_run_alone_has(void **state) {
    (void)state;
    const made now[] = {before[0], {"C", "cc", 1, 0.9, 1.1, 0, 0, 0, 50, 1, 10}};
    json_t *r = judged(run_of(before, 2, "h", 1), run_of(now, 2, "h", 1));
    assert_string_equal(nz_json_text_at(against_model(r, "C/native/t1/b1"), "difference"), "new");
    assert_string_equal(nz_json_text_at(against_model(r, "B/native/t1/b1"), "difference"), "gone");
    assert_string_equal(nz_json_text_at(against_model(r, "A/native/t1/b1"), "difference"), "indistinguishable");
    json_decref(r);
    /* A model that has failed counts as one that is not there. */
    json_t *failed = run_of(before, 2, "h", 1);
    json_object_set_new(json_array_get(json_object_get(failed, "models"), 1), "status", json_string("failed"));
    r = judged(run_of(before, 2, "h", 1), failed);
    assert_string_equal(nz_json_text_at(against_model(r, "B/native/t1/b1"), "difference"), "gone");
    json_decref(r);
}

static void another_host_is_said(void **state) {
    (void)state;
    json_t *r = judged(run_of(before, 2, "old", 1), run_of(before, 2, "new", 1));
    const json_t *notes = json_object_get(against_model(r, "A/native/t1/b1"), "notes");
    assert_string_equal(json_string_value(json_array_get(notes, 0)), "measured on another machine");
    json_decref(r);
}

static bool held(const json_t *results, const char *text, const char *part) {
    nz_condition condition = {0};
    NZ_AUTO_FREE char *which = NULL;
    nz_assert_ok(nz_condition_parse(&condition, text));
    nz_assert_ok(nz_condition_check(&which, &condition, results));
    nz_condition_done(&condition);
    if (which && !strstr(which, part)) fail_msg("'%s' does not say '%s'", which, part);
    return which != NULL;
}

static void conditions_ask_about_the_earlier_run(void **state) {
    (void)state;
    made now[] = {before[0], before[1]};
    now[1].ratio = 1.6; /* 0.8 of what it was */
    now[1].ratio_low = 1.59;
    now[1].ratio_high = 1.61;
    json_t *r = judged(run_of(before, 2, "h", 1), run_of(now, 2, "h", 1));
    assert_true(held(r, "latency_ms.against < 0.9", "B/native/t1/b1: latency_ms.against is 0.8"));
    assert_true(held(r, "latency_ms.against.high < 1", "latency_ms.against.high is 0.8"));
    assert_false(held(r, "latency_ms.against < 0.7 || disk_bytes.against < 1", ""));
    assert_true(held(r, "latency_ms.ratio.low < 1.595", "latency_ms.ratio.low is 1.59"));
    assert_false(held(r, "latency_ms.ratio.high < 1.6", ""));
    assert_true(held(r, "energy_j.against < 1", "energy_j.against is unavailable"));
    assert_true(held(r, "top1.low > 88", "top1.low is 88.5"));
    assert_true(held(r, "top1.drop > 0.9", "top1.drop is 1"));
    assert_false(
        held(r, "disk_bytes.against.high < 1 || disk_bytes.ratio.low < 2.4", "")); /* a count is its own interval */
    json_decref(r);
}

static void refused(const char *text, const char *part) {
    json_t *old = NULL;
    const char *path = nz_test_file("old.json");
    nz_assert_ok(nz_file_write(path, text, strlen(text)));
    nz_assert_fails(nz_against_read(&old, path), NZ_E_FORMAT, part);
    assert_null(old);
}

static void what_is_no_earlier_run_is_refused(void **state) {
    (void)state;
    json_t *old = NULL;
    refused("{", "old.json:");
    refused("[]", "it names no schema");
    refused("{\"schema\": \"netzip.results/0\", \"models\": []}",
            "its schema is 'netzip.results/0', where netzip.results/1");
    refused("{\"schema\": \"netzip.results/1\"}", "'models' is missing");
    refused("{\"schema\": \"netzip.results/1\", \"models\": [{\"id\": \"A\"}]}", "models[0] lacks");
    nz_assert_fails(nz_against_read(&old, "/nonexistent/results.json"), NZ_E_IO,
                    "--against: /nonexistent/results.json");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ratio_of_two_independent_intervals),
        cmocka_unit_test(the_noise_floor_is_the_least_width),
        cmocka_unit_test(a_common_baseline_cancels_the_machines_mood),
        cmocka_unit_test(accuracies_and_counts),
        cmocka_unit_test(models_that_one_run_alone_has),
        cmocka_unit_test(another_host_is_said),
        cmocka_unit_test(conditions_ask_about_the_earlier_run),
        cmocka_unit_test(what_is_no_earlier_run_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
