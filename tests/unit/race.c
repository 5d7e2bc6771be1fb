/* SPDX-License-Identifier: Apache-2.0 */
/* Races of models that are made up (race_worker.sh): who is timed when, when it ends, what is kept, what a failure costs. */
#include "compare/race.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/text.h"
#include "test.h"

enum { MOST = 6 };

/* A run as the plan would have made it. */
typedef struct made_up {
    nz_compare_options options;
    nz_entry entries[MOST];
    nz_variant variants[MOST];
    nz_machine machine;
    nz_run run;
    char log_path[4096];
} made_up;

static const char *worker(void) {
    static char path[4096];
    const char *source = getenv("NETZIP_SOURCE");
    snprintf(path, sizeof path, "%s/tests/unit/race_worker.sh", source ? source : ".");
    if (access(path, X_OK) != 0) nz_test_skip("NETZIP_SOURCE names no folder with the made-up worker");
    return path;
}

static nz_compare_options options(double budget_s) {
    nz_compare_options o;
    nz_compare_options_init(&o);
    o.worker = worker();
    o.budget_s = budget_s;
    return o;
}

/* Variants of `names`, at each of `batches`. */
static void set_up(made_up *m, nz_compare_options o, const char *const *names, size_t count, const int *batches,
                   size_t batch_count) {
    *m = (made_up){.options = o};
    snprintf(m->log_path, sizeof m->log_path, "%s", nz_test_file("race.log"));
    nz_assert_ok(nz_file_write(m->log_path, "", 0));
    assert_int_equal(setenv("RACE_LOG", m->log_path, 1), 0);
    m->run = (nz_run){.options = &m->options,
                      .entries = m->entries,
                      .entry_count = count,
                      .variants = m->variants,
                      .machines = &m->machine,
                      .machine_count = 1,
                      .timing = true,
                      .warnings = json_array(),
                      .work_is_temporary = true};
    for (size_t i = 0; i < count; i++) {
        m->entries[i] = (nz_entry){.describe = json_pack("{s:i}", "fixed_batch", 0)};
        nz_assert_ok(nz_strdup(&m->entries[i].name, names[i]));
        nz_assert_ok(nz_format(&m->entries[i].path, "/%s", names[i]));
    }
    for (size_t b = 0; b < batch_count; b++)
        for (size_t i = 0; i < count; i++) {
            nz_variant *v = &m->variants[m->run.variant_count++];
            *v = (nz_variant){.entry = i,
                              .runtime = "native",
                              .threads = 1,
                              .batch = batches[b],
                              .raw = json_object(),
                              .process = {.channel = {.fd = -1}}};
            nz_assert_ok(nz_format(&v->id, "%s/b%d", names[i], batches[b]));
        }
    nz_assert_ok(nz_machine_open(&m->machine, "local", &m->options, NULL));
}

static void tear_down(made_up *m) {
    for (size_t i = 0; i < m->run.variant_count; i++) {
        nz_process_end(&m->variants[i].process);
        json_decref(m->variants[i].raw);
        free(m->variants[i].id);
        free(m->variants[i].error);
    }
    for (size_t i = 0; i < m->run.entry_count; i++) {
        json_decref(m->entries[i].describe);
        free(m->entries[i].name);
        free(m->entries[i].path);
    }
    nz_machine_close(&m->machine);
    json_decref(m->run.warnings);
}

static void set_up_at_batch_1(made_up *m, nz_compare_options o, const char *const *names, size_t count) {
    set_up(m, o, names, count, (const int[]){1}, 1);
}

/* Lines of the log that begin with a word, one letter each: the first of the model's name. */
static void turns(char *text, size_t size, const made_up *m, const char *word) {
    FILE *file = fopen(m->log_path, "r");
    char line[256];
    size_t at = 0, length = strlen(word);
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, word, length) == 0 && at + 1 < size) text[at++] = line[length];
    text[at] = '\0';
    fclose(file);
}

static bool logged(const made_up *m, const char *text) {
    FILE *file = fopen(m->log_path, "r");
    char line[256];
    bool found = false;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) found = found || strstr(line, text);
    fclose(file);
    return found;
}

static const json_t *part(const made_up *m, size_t v, const char *name) {
    return json_object_get(m->variants[v].raw, name);
}
static size_t rounds(const made_up *m, size_t v, const char *name) {
    return json_array_size(json_object_get(part(m, v, name), "rounds"));
}
static const json_t *look(const made_up *m, size_t v, const char *name) {
    return json_object_get(part(m, v, name), "look");
}
static double number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value)) fail_msg("'%s' is no number", key);
    return json_number_value(value);
}

/* ---- who takes turns ---- */

static void order_is_turned_every_other_round(void **state) {
    (void)state;
    made_up m;
    char order[256];
    set_up_at_batch_1(&m, options(1000), (const char *const[]){"steady", "other"}, 2);
    nz_assert_ok(nz_phase_timing(&m.run));
    turns(order, sizeof order, &m, "time ");
    assert_int_equal(strlen(order), 40); /* the first look, at 20 rounds, sees intervals without any width */
    for (size_t i = 0; i < 40; i++) assert_int_equal(order[i], "soos"[i % 4]);
    for (size_t v = 0; v < 2; v++) {
        assert_int_equal(rounds(&m, v, "timing"), 20);
        assert_true(json_is_true(json_object_get(look(&m, v, "timing"), "enough")));
        assert_int_equal(json_integer_value(json_object_get(look(&m, v, "timing"), "looks")), 1);
        assert_true(number(look(&m, v, "timing"), "width_pct") == 0);
        assert_true(number(look(&m, v, "timing"), "wanted_pct") == 1);
        nz_assert_near(number(look(&m, v, "timing"), "confidence"), 0.975, 1e-12, 0);
        assert_true(nz_variant_has(&m.variants[v], "memory") && nz_variant_has(&m.variants[v], "profile"));
    }
    assert_string_equal(nz_json_text_at(part(&m, 0, "timing"), "race"), nz_json_text_at(part(&m, 1, "timing"), "race"));
    tear_down(&m);
}

static void the_part_says_what_was_measured(void **state) {
    (void)state;
    made_up m;
    set_up_at_batch_1(&m, options(1000), (const char *const[]){"steady"}, 1);
    nz_assert_ok(nz_phase_timing(&m.run));
    const json_t *t = part(&m, 0, "timing"), *c = json_object_get(t, "conditions"), *o = json_object_get(t, "outliers"),
                 *first = json_array_get(json_object_get(t, "rounds"), 0);
    assert_int_equal(json_integer_value(json_object_get(t, "bunch")), 1);
    assert_int_equal(json_integer_value(json_object_get(t, "samples")), 1);
    assert_int_equal(json_array_size(json_object_get(first, "ns")), 4);
    assert_true(json_is_null(json_object_get(first, "joules")));
    assert_string_equal(nz_json_text_at(t, "energy_reason"), "no sensor");
    assert_null(json_object_get(t, "energy"));
    /* One of the four kept times is 2 ms: it stands for two of the eight. */
    assert_int_equal(json_integer_value(json_object_get(o, "count")), 40);
    assert_int_equal(json_integer_value(json_object_get(o, "of")), 160);
    nz_assert_near(number(o, "slowest_ms"), 2, 1e-12, 0);
    nz_assert_near(number(c, "before_pct"), 30, 1e-9, 0);
    nz_assert_near(number(c, "busy_pct"), 30, 1e-9, 0);
    nz_assert_near(number(c, "process_pct"), 40, 1e-9, 0); /* 8 ms of 10 ms on one of two CPUs */
    nz_assert_near(number(c, "others_pct"), 30 - 100 * 0.009 / (0.1 * 2), 1e-9, 0);
    assert_int_equal(json_integer_value(json_object_get(c, "throttled")), 20);
    nz_assert_near(number(c, "held_back_s"), 5, 1e-9, 0);
    nz_assert_near(number(t, "clock_overhead_pct"), 100 * 25e-9 / 1e-3, 1e-9, 0);
    nz_assert_near(number(t, "loop_overhead_pct"), 20, 1e-9, 0); /* 8 ms of inferences in 10 ms */
    tear_down(&m);
}

static void a_model_that_dies_leaves_every_round(void **state) {
    (void)state;
    made_up m;
    char order[256];
    set_up_at_batch_1(&m, options(1000), (const char *const[]){"steady", "dies", "other"}, 3);
    nz_assert_ok(nz_phase_timing(&m.run));
    turns(order, sizeof order, &m, "time ");
    assert_memory_equal(order,
                        "sdoodssdo"
                        "ossoos",
                        15); /* it ends in its third block; the others go on in turns */
    assert_non_null(strstr(m.variants[1].error, "exit status 7"));
    assert_int_equal(rounds(&m, 0, "timing"), 20);
    assert_int_equal(rounds(&m, 2, "timing"), 20);
    assert_int_equal(m.variants[1].process.pid, 0);
    tear_down(&m);
}

static void a_failing_baseline_does_not_end_the_others(void **state) {
    (void)state;
    made_up m;
    set_up_at_batch_1(&m, options(1000), (const char *const[]){"dies", "steady", "empty", "refuses"}, 4);
    nz_assert_ok(nz_phase_timing(&m.run));
    assert_non_null(m.variants[0].error);
    assert_null(m.variants[1].error);
    assert_int_equal(rounds(&m, 1, "timing"), 20);
    assert_non_null(strstr(m.variants[2].error, "holds no times"));
    assert_non_null(strstr(m.variants[3].error, "node x"));
    tear_down(&m);
}

static void nobody_left_ends_the_race(void **state) {
    (void)state;
    made_up m;
    set_up_at_batch_1(&m, options(1000), (const char *const[]){"dies", "empty"}, 2);
    nz_assert_ok(nz_phase_timing(&m.run));
    assert_true(m.variants[0].error && m.variants[1].error);
    tear_down(&m);
}

/* ---- when it ends ---- */

static void a_spent_budget_ends_a_group_with_rounds_enough_for_an_interval(void **state) {
    (void)state;
    made_up m;
    set_up_at_batch_1(&m, options(0.001), (const char *const[]){"wild", "slow"}, 2);
    nz_assert_ok(nz_phase_timing(&m.run));
    for (size_t v = 0; v < 2; v++) {
        assert_int_equal(rounds(&m, v, "timing"), 5);
        assert_true(json_is_false(json_object_get(look(&m, v, "timing"), "enough")));
        assert_true(number(look(&m, v, "timing"), "width_pct") > 1);
        assert_int_equal(json_integer_value(json_object_get(look(&m, v, "timing"), "looks")), 1);
    }
    tear_down(&m);
}

static void a_group_that_is_done_leaves_the_others_alone(void **state) {
    (void)state;
    made_up m;
    /* Two networks, each its own baseline: their groups are looked at apart. */
    set_up_at_batch_1(&m, options(0.3), (const char *const[]){"steady", "wild"}, 2);
    m.entries[1].baseline = 1;
    nz_assert_ok(nz_phase_timing(&m.run));
    assert_true(json_is_true(json_object_get(look(&m, 0, "timing"), "enough")));
    assert_int_equal(rounds(&m, 0, "timing"), 5); /* a round a sitting: starting takes as long */
    assert_true(json_is_false(json_object_get(look(&m, 1, "timing"), "enough")));
    assert_true(rounds(&m, 1, "timing") > 5);
    assert_true(json_integer_value(json_object_get(look(&m, 1, "timing"), "looks")) > 1);
    tear_down(&m);
}

/* How a process has its memory, and which kernels it has chosen, lasts as long as it lives. */
static void workers_are_started_anew_in_every_sitting(void **state) {
    (void)state;
    made_up m;
    char loads[64];
    set_up_at_batch_1(&m, options(1000), (const char *const[]){"steady", "fickle"}, 2);
    nz_assert_ok(nz_phase_timing(&m.run));
    turns(loads, sizeof loads, &m, "load ");
    assert_string_equal(loads, "sfsfsfsfsf");
    const json_t *list = json_object_get(part(&m, 0, "timing"), "rounds");
    for (size_t r = 0; r < 20; r++)
        assert_int_equal(json_integer_value(json_object_get(json_array_get(list, r), "sitting")), r / 4);
    for (size_t v = 0; v < 2; v++) {
        const json_t *sittings = json_object_get(part(&m, v, "timing"), "sittings");
        assert_int_equal(json_integer_value(json_object_get(sittings, "count")), 5);
        assert_int_equal(json_integer_value(json_object_get(sittings, "replanned")), v ? 4 : 0);
    }
    const json_t *layers = json_object_get(part(&m, 1, "load"), "layers");
    assert_string_equal(nz_json_text_at(json_array_get(layers, 0), "kernel"), "k1");
    tear_down(&m);
}

static void a_wider_wish_is_granted_sooner(void **state) {
    (void)state;
    made_up m;
    nz_compare_options o = options(1000);
    o.width_pct = 100;
    set_up_at_batch_1(&m, o, (const char *const[]){"steady", "wild"}, 2);
    nz_assert_ok(nz_phase_timing(&m.run));
    assert_int_equal(rounds(&m, 1, "timing"), 20);
    assert_true(json_is_true(json_object_get(look(&m, 1, "timing"), "enough")));
    assert_true(number(look(&m, 1, "timing"), "width_pct") > 1);
    assert_true(number(look(&m, 1, "timing"), "wanted_pct") == 100);
    tear_down(&m);
}

/* ---- how ---- */

static void quick_models_are_timed_in_bunches(void **state) {
    (void)state;
    made_up m;
    set_up_at_batch_1(&m, options(0.001), (const char *const[]){"quick"}, 1);
    nz_assert_ok(nz_phase_timing(&m.run));
    /* A reading takes 25 ns: 0.008% of 312.5 us. */
    assert_true(logged(&m, "bunch 313"));
    assert_int_equal(json_integer_value(json_object_get(part(&m, 0, "timing"), "bunch")), 313);
    tear_down(&m);
}

/* Where an inference takes seconds, none is spent on caches, and one warms up a process that is started anew. */
static void long_inferences_are_not_wasted(void **state) {
    (void)state;
    made_up m;
    char least[64];
    set_up_at_batch_1(&m, options(0.001), (const char *const[]){"long"}, 1);
    nz_assert_ok(nz_phase_timing(&m.run));
    turns(least, sizeof least, &m, "least ");
    assert_string_equal(least, "31111");
    assert_true(logged(&m, "refill 0.0\n"));
    tear_down(&m);
}

static void rest_comes_before_every_block(void **state) {
    (void)state;
    made_up m;
    char order[256];
    nz_compare_options o = options(0.001);
    o.cooldown_s = 0.125;
    o.cooldown_c = 65; /* it has 60 */
    set_up_at_batch_1(&m, o, (const char *const[]){"slow", "wild"}, 2);
    nz_assert_ok(nz_phase_timing(&m.run));
    turns(order, sizeof order, &m, "quiet0.125");
    assert_int_equal(strlen(order), 10); /* before 5 rounds of two */
    tear_down(&m);
}

static void workers_get_their_cpus_and_priority(void **state) {
    (void)state;
    made_up m;
    nz_compare_options o = options(0.001);
    o.pin = "0";
    o.has_priority = true;
    o.priority = -5;
    set_up_at_batch_1(&m, o, (const char *const[]){"steady"}, 1);
    nz_assert_ok(nz_phase_timing(&m.run));
    assert_true(logged(&m, "load steady 1 --pin 0 --nice -5"));
    const json_t *c = json_object_get(part(&m, 0, "timing"), "conditions");
    assert_true(json_is_true(json_object_get(c, "priority_refused"))); /* it says that it runs at 0 */
    assert_int_equal(json_array_size(m.run.warnings), 1);
    assert_non_null(strstr(json_string_value(json_array_get(m.run.warnings, 0)), "priority -5 was refused"));
    tear_down(&m);
}

/* ---- batches ---- */

static void other_batches_share_latency_and_have_a_race_of_their_own(void **state) {
    (void)state;
    made_up m;
    char order[256];
    set_up(&m, options(1000), (const char *const[]){"steady", "other"}, 2, (const int[]){1, 8, 32}, 3);
    nz_assert_ok(nz_phase_timing(&m.run));
    turns(order, sizeof order, &m, "time ");
    assert_int_equal(strlen(order), 40 + 80); /* batch 1 once; batches 8 and 32 */
    for (size_t v = 0; v < 6; v++) {
        assert_ptr_equal(part(&m, v, "timing"), part(&m, v % 2, "timing"));
        assert_int_equal(rounds(&m, v, "batch"), v < 2 ? 0 : 20);
        assert_true(nz_variant_has(&m.variants[v], "memory"));
    }
    assert_int_equal(json_integer_value(json_object_get(part(&m, 2, "batch"), "samples")), 8);
    assert_int_equal(json_integer_value(json_object_get(part(&m, 5, "batch"), "samples")), 32);
    assert_string_equal(nz_json_text_at(part(&m, 2, "batch"), "race"), nz_json_text_at(part(&m, 3, "batch"), "race"));
    assert_string_not_equal(nz_json_text_at(part(&m, 2, "batch"), "race"),
                            nz_json_text_at(part(&m, 2, "timing"), "race"));
    tear_down(&m);
}

static void a_fixed_batch_and_one_that_cannot_load(void **state) {
    (void)state;
    made_up m;
    set_up(&m, options(1000), (const char *const[]){"steady", "refuses"}, 2, (const int[]){4}, 1);
    json_object_set_new(m.entries[0].describe, "fixed_batch", json_integer(1));
    nz_assert_ok(nz_phase_timing(&m.run));
    assert_int_equal(rounds(&m, 0, "timing"), 20);
    assert_null(part(&m, 0, "batch"));
    assert_non_null(m.variants[1].error);
    tear_down(&m);
}

/* ---- going on after an interruption ---- */

typedef struct stopper {
    const char *at;
    bool stopped;
} stopper;

static int stop_in_round(void *user, const char *what, unsigned long long done, unsigned long long total) {
    (void)done, (void)total;
    stopper *s = user;
    s->stopped = s->stopped || strstr(what, s->at);
    return s->stopped;
}

static void an_interrupted_group_is_timed_anew(void **state) {
    (void)state;
    made_up m;
    char order[512];
    stopper stop = {.at = "round 12"};
    const nz_progress progress = {.step = stop_in_round, .user = &stop};
    set_up_at_batch_1(&m, options(1000), (const char *const[]){"steady", "other"}, 2);
    m.run.progress = &progress;
    nz_assert_fails(nz_phase_timing(&m.run), NZ_E_CANCELLED, "stopped");
    assert_true(stop.stopped);
    assert_null(part(&m, 0, "timing"));
    for (size_t v = 0; v < 2; v++) nz_process_end(&m.variants[v].process);
    nz_machine_close(&m.machine);
    m.run.progress = NULL;
    nz_assert_ok(nz_machine_open(&m.machine, "local", &m.options, NULL));
    nz_assert_ok(nz_phase_timing(&m.run));
    assert_int_equal(rounds(&m, 0, "timing"), 20);
    turns(order, sizeof order, &m, "time ");
    assert_true(strlen(order) >= 40 + 22);
    tear_down(&m);
}

static void only_a_group_whose_rounds_can_be_paired_is_taken_over(void **state) {
    (void)state;
    made_up m;
    char order[512];
    set_up_at_batch_1(&m, options(1000), (const char *const[]){"steady", "other", "alone"}, 3);
    m.entries[2].baseline = 2;
    nz_assert_ok(nz_phase_timing(&m.run));
    turns(order, sizeof order, &m, "time ");
    assert_int_equal(strlen(order), 60);
    nz_assert_ok(nz_phase_timing(&m.run)); /* all of it is there */
    turns(order, sizeof order, &m, "time ");
    assert_int_equal(strlen(order), 60);
    /* One lacks its times: its whole group goes again, the other group does not. */
    json_object_del(m.variants[1].raw, "timing");
    nz_assert_ok(nz_phase_timing(&m.run));
    turns(order, sizeof order, &m, "time ");
    assert_int_equal(strlen(order), 100);
    assert_null(strchr(order + 60, 'a'));
    assert_string_equal(nz_json_text_at(part(&m, 0, "timing"), "race"), nz_json_text_at(part(&m, 1, "timing"), "race"));
    /* Times without what follows them: that alone is done. */
    json_object_del(m.variants[0].raw, "memory");
    nz_assert_ok(nz_phase_timing(&m.run));
    turns(order, sizeof order, &m, "time ");
    assert_int_equal(strlen(order), 100);
    assert_true(nz_variant_has(&m.variants[0], "memory"));
    tear_down(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_turned_every_other_round),
        cmocka_unit_test(the_part_says_what_was_measured),
        cmocka_unit_test(a_model_that_dies_leaves_every_round),
        cmocka_unit_test(a_failing_baseline_does_not_end_the_others),
        cmocka_unit_test(nobody_left_ends_the_race),
        cmocka_unit_test(a_spent_budget_ends_a_group_with_rounds_enough_for_an_interval),
        cmocka_unit_test(a_group_that_is_done_leaves_the_others_alone),
        cmocka_unit_test(workers_are_started_anew_in_every_sitting),
        cmocka_unit_test(a_wider_wish_is_granted_sooner),
        cmocka_unit_test(quick_models_are_timed_in_bunches),
        cmocka_unit_test(long_inferences_are_not_wasted),
        cmocka_unit_test(rest_comes_before_every_block),
        cmocka_unit_test(workers_get_their_cpus_and_priority),
        cmocka_unit_test(other_batches_share_latency_and_have_a_race_of_their_own),
        cmocka_unit_test(a_fixed_batch_and_one_that_cannot_load),
        cmocka_unit_test(an_interrupted_group_is_timed_anew),
        cmocka_unit_test(only_a_group_whose_rounds_can_be_paired_is_taken_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
