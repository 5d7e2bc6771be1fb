/* SPDX-License-Identifier: Apache-2.0 */
/* Marks of bad conditions: each is set by its own case, and none by good conditions. */
#include "compare/conditions_json.h"

#include "core/memory.h"
#include "test.h"

/* A part as it comes out on a quiet machine, with a sensor. */
#define ROUND "{'joules': 2, 'seconds': 1, 'runs': 100, 'mean_ns': 9999000}"
static const char good_part[] =
    "{'race': 'r', 'bunch': 1, 'samples': 1, 'clock_overhead_pct': 0.004, 'loop_overhead_pct': 0.05,"
    " 'rounds': [" ROUND "," ROUND "," ROUND "," ROUND "," ROUND "],"
    " 'warmup': {'runs': 10, 'seconds': 0.3, 'steady': true}, 'outliers': {'count': 1, 'of': 500, 'slowest_ms': 20},"
    " 'look': {'enough': true, 'width_pct': 0.8, 'wanted_pct': 1, 'confidence': 0.975, 'looks': 2},"
    " 'conditions': {'before_pct': 2, 'busy_pct': 52, 'process_pct': 50, 'others_pct': 2, 'steal_pct': 0.2,"
    "  'mhz': [3000, 2990, 2980], 'temperature_c': [50, 60, 61], 'throttled': 0, 'held_back_s': 0, 'load1': 1,"
    "  'swapped_pages': 0, 'priority_refused': false},"
    " 'energy': {'joules': 10, 'seconds': 5, 'watts': 2, 'mean_samples_w': 2.01, 'count': 500, 'samples': 100,"
    "  'interval_s': 0.05, 'idle_w': [1, 1.02]}}";
static const char good_machine[] = "{'hardware': {'governor': 'performance'}, 'before': {'begin': {'governor': ''}}}";

/* JSON with single quotes. */
static json_t *json_of(const char *text) {
    NZ_AUTO_FREE char *copy = strdup(text);
    json_error_t error;
    for (char *p = copy; *p; p++)
        if (*p == '\'') *p = '"';
    json_t *json = json_loads(copy, JSON_DECODE_ANY, &error);
    if (!json) fail_msg("%s: %s", text, error.text);
    return json;
}

static bool has_mark(const json_t *conditions, const char *id) {
    const json_t *marks = json_object_get(conditions, "marks");
    for (size_t i = 0; i < json_array_size(marks); i++)
        if (strcmp(json_string_value(json_array_get(marks, i)), id) == 0) return true;
    return false;
}

/* Replaces what lies at "a.b.2" of `json`. */
static void put(json_t *json, const char *path, json_t *value) {
    char step[64];
    for (const char *p = path;; p = strchr(p, '.') + 1) {
        size_t length = strcspn(p, ".");
        snprintf(step, sizeof step, "%.*s", (int)length, p);
        bool last = !p[length];
        if (json_is_array(json)) {
            size_t i = (size_t)atoi(step);
            if (last) json_array_set_new(json, i, value);
            json = json_array_get(json, i);
        } else {
            if (last) json_object_set_new(json, step, value);
            json = json_object_get(json, step);
        }
        if (last) return;
    }
}

/* Above its limit a mark is set, alone; just below it is not. `machine.` leads to the machine. */
static const struct {
    const char *id, *path, *bad, *fair, *sentence;
} cases[] = {
    {"busy_before", "conditions.before_pct", "10.5", "10", "the machine was 10% busy before anything was measured"},
    {"busy", "conditions.others_pct", "30", "5", "other programs used 30% of the machine meanwhile"},
    {"steal", "conditions.steal_pct", "1.2", "1", "the hypervisor gave 1.2% of the CPU time to others"},
    {"throttled", "conditions.throttled", "3", "0", "lowered its clock 3 times"},
    {"frequency", "conditions.mhz.2", "2700", "2900", "the clock rate fell by 10% meanwhile"},
    {"governor", "machine.hardware.governor", "'powersave'", "'performance'", "is not 'performance'"},
    {"governor", "machine.before.begin.governor", "'performance,ondemand'", "'performance'", "is not 'performance'"},
    {"quota", "conditions.held_back_s", "0.25", "0", "held processes back for 0.25 s"},
    {"swap", "conditions.swapped_pages", "7", "0", "moved 7 pages"},
    {"disk", "conditions.page_faults_major", "12", "0", "12 pages of the process had to be read from disk"},
    {"not_steady", "warmup.steady", "false", "true", "times were still changing"},
    {"rounds", "rounds", "[]", NULL, "fewer than 5 rounds"},
    {"width", "look.enough", "false", "true", "is 0.8% wide"},
    {"clock_overhead", "clock_overhead_pct", "0.02", "0.01", "reading the clock costs 0.020%"},
    {"priority", "conditions.priority_refused", "true", "false", "was refused"},
    {"energy_disagrees", "energy.watts", "2.05", "2.01", "joules, watts and seconds disagree by 2.5%"},
    {"energy_disagrees", "energy.mean_samples_w", "1.9", "1.99", "disagree by 5%"},
    {"energy_disagrees", "energy.count", "480", "500", "disagree by 4%"},
    {"energy_disagrees", "rounds.2.joules", "3", "2.05", "disagree by 10%"},
    {"energy_disagrees", "rounds.4.runs", "150", "101", "disagree by 9.1%"},
    {"energy_disagrees", "rounds.1.mean_ns", "8000000", "9900000", "disagree by 4%"},
    {"energy_gaps", "energy.gap_seconds", "0.2", "0.04", "4% of the time that joules were measured in"},
    {"energy_coarse", "energy.update_s", "0.25", "0.1", "a new value only every 0.25 s"},
    {"idle_changed", "energy.idle_w.1", "1.3", "0.95", "idle power changed by 30%"},
};

static json_t *conditions_with(const char *path, const char *value) {
    NZ_AUTO_JSON json_t *part = json_of(good_part), *machine = json_of(good_machine);
    bool of_machine = path && strncmp(path, "machine.", 8) == 0;
    if (path) put(of_machine ? machine : part, of_machine ? path + 8 : path, json_of(value));
    json_t *conditions = nz_conditions_json(part, NULL, machine, false);
    assert_non_null(conditions);
    return conditions;
}

static bool has_text(const json_t *conditions, const char *piece) {
    const json_t *texts = json_object_get(conditions, "texts");
    for (size_t i = 0; i < json_array_size(texts); i++)
        if (strstr(json_string_value(json_array_get(texts, i)), piece)) return true;
    return false;
}

static void good_conditions_leave_no_mark(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *conditions = conditions_with(NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(conditions, "marks")), 0);
    assert_int_equal(json_array_size(json_object_get(conditions, "texts")), 0);
    assert_string_equal(nz_json_text_at(conditions, "governor"), "performance");
    nz_assert_near(nz_json_number_at(conditions, "rounds"), 5, 0, 0);
    nz_assert_near(nz_json_number_at(conditions, "width_pct"), 0.8, 0, 0);
    nz_assert_near(nz_json_number_at(conditions, "others_pct"), 2, 0, 0);
    nz_assert_near(nz_json_number_at(conditions, "energy_disagreement_pct"), 0.5, 1e-6, 0);
    assert_true(json_is_object(json_object_get(conditions, "warmup")));
}

static void each_mark_is_set_by_its_own_case(void **state) {
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        NZ_AUTO_JSON json_t *bad = conditions_with(cases[i].path, cases[i].bad);
        if (!has_mark(bad, cases[i].id)) fail_msg("%s = %s does not mark", cases[i].path, cases[i].bad);
        if (!has_text(bad, cases[i].sentence))
            fail_msg("%s: '%s' instead of '%s'", cases[i].id,
                     json_string_value(json_array_get(json_object_get(bad, "texts"), 0)), cases[i].sentence);
        if (strcmp(cases[i].id, "rounds") != 0) assert_int_equal(json_array_size(json_object_get(bad, "marks")), 1);
        if (!cases[i].fair) continue;
        NZ_AUTO_JSON json_t *fair = conditions_with(cases[i].path, cases[i].fair);
        if (has_mark(fair, cases[i].id)) fail_msg("%s = %s marks", cases[i].path, cases[i].fair);
    }
}

static void every_row_of_the_table_has_a_case(void **state) {
    (void)state;
    const char *id, *meaning;
    for (size_t i = 0; nz_condition_mark(i, &id, &meaning); i++) {
        bool found = strcmp(id, "random_input") == 0; /* the next test */
        for (size_t c = 0; c < NZ_COUNT(cases); c++) found = found || strcmp(cases[c].id, id) == 0;
        if (!found) fail_msg("the mark %s has no case", id);
        assert_true(*meaning);
    }
}

static void random_input_is_a_mark_of_what_was_timed(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *part = json_of(good_part);
    NZ_AUTO_JSON json_t *timed = nz_conditions_json(part, NULL, NULL, true),
                        *not_timed = nz_conditions_json(NULL, NULL, NULL, true);
    assert_true(has_mark(timed, "random_input"));
    assert_true(json_is_null(json_object_get(timed, "governor")));
    assert_int_equal(json_array_size(json_object_get(not_timed, "marks")), 0);
}

/* What the worst mark takes: a reader tells a wide interval from figures that are spoilt. */
static void marks_say_what_they_take(void **state) {
    (void)state;
    static const struct {
        const char *path, *value, *harm;
    } takes[] = {{"look.enough", "false", "certainty"},
                 {"conditions.others_pct", "40", "figures"},
                 {"conditions.page_faults_major", "3", "ratios"}};
    NZ_AUTO_JSON json_t *part = json_of(good_part), *good = nz_conditions_json(part, NULL, NULL, false);
    assert_null(json_object_get(good, "harm"));
    for (size_t i = 0; i < NZ_COUNT(takes); i++) { /* they pile up: the worst counts */
        put(part, takes[i].path, json_of(takes[i].value));
        NZ_AUTO_JSON json_t *conditions = nz_conditions_json(part, NULL, NULL, false);
        assert_string_equal(nz_json_text_at(conditions, "harm"), takes[i].harm);
    }
}

static void a_very_wide_interval_has_no_exponent(void **state) {
    (void)state;
    static const struct {
        double width;
        const char *sentence;
    } widths[] = {{3049.7, "is 3050% wide"}, {6.9312, "is 6.93% wide"}, {0.01234, "is 0.0123% wide"}};
    for (size_t i = 0; i < NZ_COUNT(widths); i++) {
        NZ_AUTO_JSON json_t *part = json_of(good_part);
        put(part, "look.enough", json_false());
        put(part, "look.width_pct", json_real(widths[i].width));
        NZ_AUTO_JSON json_t *conditions = nz_conditions_json(part, NULL, NULL, false);
        if (!has_text(conditions, widths[i].sentence))
            fail_msg("%s", json_string_value(json_array_get(json_object_get(conditions, "texts"), 0)));
    }
}

/* A machine that tells nothing: what is not known marks nothing. */
static void what_is_not_known_marks_nothing(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *part =
        json_of("{'rounds': [{}, {}, {}, {}, {}], 'energy': {'joules': null, 'seconds': null, 'idle_w': [null, null]},"
                " 'look': {'enough': true}, 'conditions': {'before_pct': null, 'others_pct': null, 'mhz': [null, null, "
                "null]}}");
    NZ_AUTO_JSON json_t *conditions = nz_conditions_json(part, NULL, NULL, false);
    assert_int_equal(json_array_size(json_object_get(conditions, "marks")), 0);
    assert_true(json_is_null(json_object_get(conditions, "energy_disagreement_pct")));
}

static void a_session_at_its_own_batch_marks_too(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *part = json_of(good_part), *batch = json_of(good_part);
    put(batch, "conditions.others_pct", json_integer(40));
    put(batch, "warmup.steady", json_false());
    put(part, "warmup.steady", json_false());
    NZ_AUTO_JSON json_t *conditions = nz_conditions_json(part, batch, NULL, false);
    assert_true(has_mark(conditions, "busy") && has_mark(conditions, "not_steady"));
    assert_int_equal(json_array_size(json_object_get(conditions, "marks")), 2);
    assert_int_equal(json_array_size(json_object_get(conditions, "texts")), 2);
    const json_t *own = json_object_get(conditions, "batch_session");
    nz_assert_near(nz_json_number_at(own, "others_pct"), 40, 0, 0);
}

static void a_run_warns_once_of_each_mark(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *models = json_of("[{'id': 'A', 'conditions': {'marks': ['busy', 'steal']}},"
                                          " {'id': 'B', 'conditions': {'marks': ['busy']}}, {'id': 'C'}]");
    NZ_AUTO_JSON json_t *warnings = json_array();
    NZ_AUTO_JSON json_t *marks = nz_conditions_run_json(models, warnings);
    assert_int_equal(json_array_size(marks), 2);
    assert_string_equal(nz_json_text_at(json_array_get(marks, 0), "id"), "busy");
    assert_string_equal(nz_json_text_at(json_array_get(marks, 0), "harm"), "figures");
    assert_int_equal(json_array_size(json_object_get(json_array_get(marks, 0), "models")), 2);
    assert_string_equal(json_string_value(json_array_get(warnings, 0)),
                        "A, B: other programs used more than 5% of the machine meanwhile");
    assert_string_equal(json_string_value(json_array_get(warnings, 1)),
                        "A: the hypervisor gave more than 1% of the CPU time to others");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_conditions_leave_no_mark),
        cmocka_unit_test(each_mark_is_set_by_its_own_case),
        cmocka_unit_test(every_row_of_the_table_has_a_case),
        cmocka_unit_test(random_input_is_a_mark_of_what_was_timed),
        cmocka_unit_test(what_is_not_known_marks_nothing),
        cmocka_unit_test(a_session_at_its_own_batch_marks_too),
        cmocka_unit_test(a_run_warns_once_of_each_mark),
        cmocka_unit_test(marks_say_what_they_take),
        cmocka_unit_test(a_very_wide_interval_has_no_exponent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
