/* SPDX-License-Identifier: Apache-2.0 */
/* Labels and scores from files. */
#include "core/file.h"
#include "core/random.h"
#include "data/npz.h"
#include "metric/evaluate.h"
#include "test.h"

static const char *write_labels(const char *text) {
    const char *path = nz_test_file("labels.csv");
    nz_assert_ok(nz_file_write(path, text, strlen(text)));
    return path;
}

static const char *write_scores(const char *file, const char *name, nz_dtype type, nz_shape shape,
                                const double *values) {
    const char *path = nz_test_file(file);
    nz_tensor t;
    nz_assert_ok(nz_tensor_init(&t, type, &shape));
    for (int64_t i = 0; i < nz_shape_elements(&shape); i++) nz_tensor_set_real(&t, i, values[i]);
    nz_assert_ok(nz_npz_write(path, &name, &t, 1));
    nz_tensor_done(&t);
    return path;
}

static void samples_are_rows_in_any_order(void **state) {
    (void)state;
    int32_t labels[3];
    nz_assert_ok(nz_label_table_read(labels, 3, 10, write_labels("label,sample\n7,2\n5,0\n6,1\n")));
    assert_int_equal(labels[0], 5);
    assert_int_equal(labels[1], 6);
    assert_int_equal(labels[2], 7);
}

static void names_and_counts_from_elsewhere_stand_in_order(void **state) {
    (void)state;
    static const char *const files[] = {"sample,label\nb.png,5\na.png,6\nc.png,7\n", "sample,label\n1,5\n2,6\n3,7\n",
                                        "sample,label,who\n100,5,x\n101,6,y\n102,7,z\n",
                                        "sample\tlabel\na,b\t5\nc\t6\nd\t7\n"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        int32_t labels[3];
        nz_assert_ok(nz_label_table_read(labels, 3, 10, write_labels(files[i])));
        for (int k = 0; k < 3; k++) assert_int_equal(labels[k], 5 + k);
    }
}

static void hostile_labels_get_one_line(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "empty"},
        {"sample\n0\n", "must name the columns sample and label"},
        {"a,b\n0,1\n", "labels.csv:1: the header must name the columns sample and label"},
        {"sample,label\n0,1\n1,2\n", "2 labels, but the scores have 3 samples"},
        {"sample,label\n0,1\n1,2\n2,3\n3,4\n", "4 labels, but the scores have 3 samples"},
        {"sample,label\n0,1\n1,10\n2,3\n", "labels.csv:3: label '10' is not a class of the scores, 0 to 9"},
        {"sample,label\n0,1\n1,-1\n2,3\n", "label '-1'"},
        {"sample,label\n0,1\n1,cat\n2,3\n", "label 'cat'"},
        {"sample,label\n0,1\n1,1.5\n2,3\n", "label '1.5'"},
        {"sample,label\n0,1\n1,99999999999999999999\n2,3\n", "label '99999999999999999999'"},
        {"sample,label\n0,1\n0,2\n2,3\n", "labels.csv:3: sample '0'"},
        {"sample,label\n0,1\n1,2\n5,3\n", "sample '5' is not a row of the scores, 0 to 2"},
        {"sample,label\n-9223372036854775808,1\n9223372036854775807,2\n0,3\n", "sample"},
        {"sample,label\n0,1\n1\n2,3\n", "labels.csv:3: 1 fields"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t labels[3] = {77, 77, 77};
        nz_assert_fails(nz_label_table_read(labels, 3, 10, write_labels(cases[i].text)), NZ_E_FORMAT, cases[i].message);
        assert_int_equal(labels[0], 77);
    }
}

static const double two_by_three[] = {0.1, 0.7, 0.2, 0.5, 0.25, 0.25};

static double value_of(const nz_evaluation *e, const char *id) {
    for (size_t i = 0; i < e->count; i++)
        if (strcmp(e->metrics[i]->id, id) == 0) return e->values[i].source == NZ_UNAVAILABLE ? NAN : e->values[i].value;
    fail_msg("no %s", id);
    return NAN;
}

static void scores_of_any_real_type_are_read(void **state) {
    (void)state;
    static const nz_dtype types[] = {NZ_F32, NZ_F64, NZ_F16};
    for (size_t i = 0; i < 3; i++) {
        nz_evaluation e;
        const char *scores = write_scores("scores.npz", "scores", types[i], (nz_shape){2, {2, 3}}, two_by_three);
        nz_assert_ok(nz_evaluate(&e, write_labels("sample,label\n0,1\n1,1\n"), scores, NULL, NZ_SCORES_LOOKED_AT));
        nz_assert_near(value_of(&e, "top1"), 50, 0, 0);
        assert_true(e.own.probabilities);
        nz_evaluation_done(&e);
        nz_assert_ok(nz_evaluate(&e, write_labels("sample,label\n0,1\n1,1\n"), scores, NULL, NZ_SCORES_LOGITS));
        assert_false(e.own.probabilities);
        nz_evaluation_done(&e);
    }
}

static void a_baseline_brings_its_comparisons(void **state) {
    (void)state;
    static const double other[] = {0.7, 0.1, 0.2, 0.5, 0.25, 0.25};
    nz_evaluation e;
    const char *own = write_scores("own.npz", "scores", NZ_F32, (nz_shape){2, {2, 3}}, other);
    const char *base = write_scores("base.npz", "scores", NZ_F32, (nz_shape){2, {2, 3}}, two_by_three);
    nz_assert_ok(nz_evaluate(&e, write_labels("sample,label\n0,1\n1,0\n"), own, base, NZ_SCORES_LOOKED_AT));
    nz_assert_near(value_of(&e, "agreement"), 50, 0, 0);
    nz_assert_near(value_of(&e, "negative_flips"), 50, 0, 0);
    nz_assert_near(e.paired.difference_pct, -50, 0, 0);
    NZ_AUTO_JSON json_t *json = NULL;
    nz_assert_ok(nz_evaluation_json(&json, &e));
    assert_int_equal(json_object_size(json_object_get(json, "per_class")), 3);
    json_t *precision = json_object_get(json_object_get(json_object_get(json, "per_class"), "2"), "precision");
    assert_true(json_is_null(json_object_get(precision, "value")));
    assert_string_equal(json_string_value(json_object_get(precision, "reason")), "the class was never predicted");
    assert_true(json_is_number(json_object_get(json_object_get(json, "paired"), "p_mid")));
    nz_evaluation_done(&e);
}

static void broken_scores_get_one_line(void **state) {
    (void)state;
    nz_evaluation e;
    const char *labels = write_labels("sample,label\n0,1\n1,1\n");
    const char *flat = write_scores("flat.npz", "scores", NZ_F32, (nz_shape){1, {6}}, two_by_three);
    nz_assert_fails(nz_evaluate(&e, labels, flat, NULL, NZ_SCORES_LOOKED_AT), NZ_E_FORMAT, "[samples, classes]");
    const char *named = write_scores("named.npz", "x", NZ_F32, (nz_shape){2, {2, 3}}, two_by_three);
    nz_assert_fails(nz_evaluate(&e, labels, named, NULL, NZ_SCORES_LOOKED_AT), NZ_E_FORMAT, "scores");
    const char *own = write_scores("own.npz", "scores", NZ_F32, (nz_shape){2, {2, 3}}, two_by_three);
    const char *base = write_scores("base.npz", "scores", NZ_F32, (nz_shape){2, {3, 2}}, two_by_three);
    nz_assert_fails(nz_evaluate(&e, labels, own, base, NZ_SCORES_LOOKED_AT), NZ_E_FORMAT, "3 x 2");
    nz_assert_fails(nz_evaluate(&e, labels, labels, NULL, NZ_SCORES_LOOKED_AT), NZ_E_FORMAT, NULL);
    nz_assert_fails(nz_evaluate(&e, labels, "/no/such.npz", NULL, NZ_SCORES_LOOKED_AT), NZ_E_IO, "/no/such.npz");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_rows_in_any_order),
        cmocka_unit_test(names_and_counts_from_elsewhere_stand_in_order),
        cmocka_unit_test(hostile_labels_get_one_line),
        cmocka_unit_test(scores_of_any_real_type_are_read),
        cmocka_unit_test(a_baseline_brings_its_comparisons),
        cmocka_unit_test(broken_scores_get_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
