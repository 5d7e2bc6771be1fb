/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/condition.h"

#include "core/memory.h"
#include "test.h"

/* What the conditions below ask about; NaN stands for "unavailable". */
static const struct quantity {
    const char *id;
    double of[5]; /* value, drop, ratio, delta, against */
} quantities[] = {
    {"top1", {81.0, 1.5, 0.98, -1.5, 1.01}},
    {"latency_ms", {2.0, 1.0, 1.5, -1.0, 0.9}},
    {"energy_j", {NAN, NAN, NAN, NAN, NAN}},
};

static bool get(void *user, const nz_condition_term *term, double *ret_value) {
    (void)user;
    for (size_t i = 0; i < NZ_COUNT(quantities); i++)
        if (strcmp(quantities[i].id, term->id) == 0) *ret_value = quantities[i].of[term->field];
    return !isnan(*ret_value);
}

static bool holds(const char *text) {
    nz_condition condition;
    nz_assert_ok(nz_condition_parse(&condition, text));
    bool held = nz_condition_holds(&condition, get, NULL, NULL);
    nz_condition_done(&condition);
    return held;
}

static void every_operator_and_field_compares(void **state) {
    (void)state;
    assert_true(holds("top1<82"));
    assert_false(holds("top1 < 81"));
    assert_true(holds("top1 <= 81"));
    assert_true(holds("top1.value > 80.5"));
    assert_true(holds("top1.drop >= 1.5"));
    assert_false(holds("top1.drop > 1.5"));
    assert_true(holds("top1.delta == -1.5"));
    assert_true(holds("top1.delta < 0"));
    assert_false(holds("top1.ratio != 9.8e-1"));
    assert_true(holds("latency_ms.ratio < 2.0e+0"));
    assert_true(holds("latency_ms.against < 1"));
    assert_false(holds("top1.against < 1"));
}

static void and_binds_closer_than_or_and_parentheses_bind_closest(void **state) {
    (void)state;
    assert_true(holds("top1 > 0 || top1 < 0 && top1 < 0"));
    assert_false(holds("(top1 > 0 || top1 < 0) && top1 < 0"));
    assert_true(holds(" ( ( top1.drop > 1 ) ) && latency_ms.ratio<2 "));
    assert_false(holds("top1.drop > 2 || latency_ms > 3"));
}

static void an_unavailable_quantity_counts_as_a_failure(void **state) {
    (void)state;
    assert_true(holds("energy_j > 1000"));
    assert_true(holds("energy_j.ratio < 0.001"));
    assert_false(holds("energy_j > 1 && top1 < 0"));
}

static void the_term_that_held_is_named(void **state) {
    (void)state;
    nz_condition condition;
    size_t term = 99;
    nz_assert_ok(nz_condition_parse(&condition, "top1 < 0 || latency_ms > 1 && top1.drop > 1"));
    assert_true(nz_condition_holds(&condition, get, NULL, &term));
    assert_int_equal(term, 1);
    assert_string_equal(condition.terms[term].id, "latency_ms");
    assert_string_equal(nz_condition_field_suffix(condition.terms[2].field), ".drop");
    assert_false(nz_condition_needs_against(&condition));
    nz_condition_done(&condition);
}

static void an_end_of_the_interval_may_be_asked_for(void **state) {
    (void)state;
    nz_condition condition;
    nz_assert_ok(nz_condition_parse(&condition, "latency_ms.against.high < 1 || top1.drop.low > 1 || top1.low < 5"));
    assert_int_equal(condition.terms[0].field, NZ_FIELD_AGAINST);
    assert_int_equal(condition.terms[0].end, NZ_END_HIGH);
    assert_int_equal(condition.terms[1].end, NZ_END_LOW);
    assert_int_equal(condition.terms[2].field, NZ_FIELD_VALUE);
    assert_string_equal(nz_condition_end_suffix(condition.terms[2].end), ".low");
    assert_true(nz_condition_needs_against(&condition));
    nz_condition_done(&condition);
}

static void what_is_no_condition_is_refused_with_its_place(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } wrong[] = {
        {"", "a metric's id expected at 'the end'"},
        {"top1", "one of <"},
        {"top1 <", "a number"},
        {"top1 < x", "a number expected at 'x'"},
        {"top1 < nan", "a number"},
        {"top1 < inf", "a number"},
        {"top1.fall < 1", ".value, .drop, .ratio, .delta or .against"},
        {"top1.dropped < 1", ".value, .drop"},
        {"top1.against.fall < 1", ".low or .high"},
        {"top1.low.high < 1", "a comparison"},
        {"top1 = 1", "one of <"},
        {"top1 < 1 &", "&& or ||"},
        {"top1 < 1 &&", "a metric's id"},
        {"top1 < 1 top5 < 1", "&& or || or the end expected at 'top5 < 1' (character 10)"},
        {"(top1 < 1", "a closing parenthesis"},
        {"top1 < 1)", "&& or ||"},
        {"< 1", "a metric's id"},
    };
    nz_condition condition;
    for (size_t i = 0; i < NZ_COUNT(wrong); i++)
        nz_assert_fails(nz_condition_parse(&condition, wrong[i].text), NZ_E_ARG, wrong[i].part);
    char deep[400];
    memset(deep, '(', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    nz_assert_fails(nz_condition_parse(&condition, deep), NZ_E_ARG, "less nesting");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_and_field_compares),
        cmocka_unit_test(and_binds_closer_than_or_and_parentheses_bind_closest),
        cmocka_unit_test(an_unavailable_quantity_counts_as_a_failure),
        cmocka_unit_test(the_term_that_held_is_named),
        cmocka_unit_test(an_end_of_the_interval_may_be_asked_for),
        cmocka_unit_test(what_is_no_condition_is_refused_with_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
