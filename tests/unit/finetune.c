/* SPDX-License-Identifier: Apache-2.0 */
/* Pruning with fine-tuning on small networks made here: masks, ramps, distillation, going on after a stop. */
#include "compress/distill.h"
#include "compress/prune_train.h"
#include "compress/tap.h"
#include "trained_nets.h"

/* Runs METHOD on 128 training samples. */
static nz_graph *tune(const nz_graph *g, const char *method, nz_compress_report *report) {
    NZ_AUTO(free_data) nz_dataset *data = small_data("limit=128");
    const nz_compress_inputs inputs = {.data = data, .threads = 1};
    nz_graph *result = NULL;
    nz_assert_ok(nz_compress_with(&result, report, g, method, &inputs, NULL));
    return result;
}

static bool same_bytes(const nz_tensor *a, const nz_tensor *b) {
    return a->bytes == b->bytes && memcmp(a->data, b->data, a->bytes) == 0;
}

static void assert_same_constants(const nz_graph *a, const nz_graph *b) {
    assert_int_equal(a->value_count, b->value_count);
    for (size_t v = 0; v < a->value_count; v++) {
        if (!nz_value_is_constant(a, (int)v)) continue;
        if (!same_bytes(&a->values[v].constant, constant(b, a->values[v].name)))
            fail_msg("%s differs", a->values[v].name);
    }
}

static void what_is_pruned_at_once_stays_zero_and_the_rest_learns(void **state) {
    (void)state;
    const char *const names[] = {"w1", "w2"};
    for (int norms = 0; norms < 2; norms++)
        for (int random = 0; random < 2; random++) {
            char method[128];
            NZ_AUTO_GRAPH nz_graph *g = small_network(norms);
            snprintf(method, sizeof method, "gup-%s,sparsity=0.6", random ? "r,seed=3" : "l1");
            NZ_AUTO_GRAPH nz_graph *cut = tune(g, method, NULL);
            snprintf(method + strlen(method), 64, ",finetune=2,batch=32,lr=0.05");
            NZ_AUTO_GRAPH nz_graph *tuned = tune(g, method, NULL);
            int64_t zeros = 0, moved = 0;
            for (int i = 0; i < 2; i++) {
                const nz_tensor *before = constant(cut, names[i]), *after = constant(tuned, names[i]);
                for (int64_t k = 0; k < nz_shape_elements(&before->shape); k++) {
                    double a = nz_tensor_real(before, k), b = nz_tensor_real(after, k);
                    if (a == 0) assert_true(b == 0);
                    zeros += b == 0;
                    moved += a != b;
                }
            }
            assert_int_equal(zeros, lround(0.6 * (8 * 27 + 8 * 72)));
            assert_true(moved > 200);
        }
}

static void the_same_seed_gives_the_same_bytes(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = small_network(true);
    const char *method = "gup-l1,sparsity=0.5,finetune=1,batch=32,ramp=cubic,seed=4";
    NZ_AUTO_GRAPH nz_graph *a = tune(g, method, NULL), *b = tune(g, method, NULL);
    NZ_AUTO_GRAPH nz_graph *c = tune(g, "gup-l1,sparsity=0.5,finetune=1,batch=32,ramp=cubic,seed=5", NULL);
    assert_same_constants(a, b);
    assert_false(same_bytes(constant(a, "w2"), constant(c, "w2")));
}

static void a_ramp_follows_the_cube_and_ends_exactly(void **state) {
    (void)state;
    nz_ramp ramp = nz_ramp_make(1000, 0.5, 100);
    assert_int_equal(ramp.every, 100);
    assert_int_equal(ramp.events, 5);
    /* 800 (1 - (1 - t/5)^3) */
    const uint64_t expected[] = {390, 627, 749, 794, 800};
    for (uint64_t e = 1; e <= 5; e++) assert_int_equal(nz_ramp_zeros(&ramp, e, 0, 800), expected[e - 1]);
    assert_int_equal(nz_ramp_zeros(&ramp, 1, 100, 800), 442); /* 800 - 700 x 0.512 */
    assert_int_equal(nz_ramp_zeros(&ramp, 1, 900, 800), 800);
    assert_int_equal(nz_ramp_make(3, 0.5, 0).events, 1);
    assert_int_equal(nz_ramp_make(1000, 0.5, 0).events, 20);
    assert_int_equal(nz_ramp_make(10, 0, 0).events, 1);
    /* Whatever the distance of events: the last one is within the ramp. */
    for (uint64_t steps = 1; steps < 60; steps++)
        for (uint64_t every = 0; every < 130; every++)
            for (int tenths = 0; tenths <= 10; tenths++) {
                ramp = nz_ramp_make(steps, 0.1 * tenths, every);
                uint64_t end = (uint64_t)(0.1 * tenths * (double)steps);
                assert_true(ramp.every >= 1 && ramp.events >= 1);
                assert_true(ramp.every * ramp.events <= (end ? end : 1));
            }
}

/* Zeros of the engine's pruned weights, in `gone`; fails where one that was gone is back. */
static int64_t count_gone(nz_engine *engine, bool *gone) {
    int64_t zeros = 0, at = 0;
    for (size_t p = 0; p < nz_engine_param_count(engine); p++) {
        nz_param *param = nz_engine_param(engine, p);
        if (strcmp(param->name, "w1") != 0 && strcmp(param->name, "w2") != 0) continue;
        float plain[8 * 72];
        nz_param_get(param, plain);
        for (int64_t k = 0; k < nz_shape_elements(&param->shape); k++, at++) {
            if (gone[at]) assert_true(plain[k] == 0);
            gone[at] = plain[k] == 0;
            zeros += gone[at];
            plain[k] += (k % 7 < 3 ? 0.01f : -0.02f) * (float)(plain[k] != 0); /* as if it had learnt */
        }
        nz_param_set(param, plain);
    }
    return zeros;
}

/* Runs the hooks through `steps` steps; the weights that are gone follow the ramp of `events` events to the exact share. */
static void check_ramp(const nz_prune_job *job, uint64_t steps, uint64_t events) {
    nz_pruner *pruner = NULL;
    nz_engine *engine = NULL;
    bool gone[8 * 27 + 8 * 72] = {false};
    const nz_engine_options options = {.batch = 4, .threads = 1};
    nz_assert_ok(nz_pruner_open(&pruner, job));
    nz_assert_ok(nz_engine_open(&engine, job->graph, &options));
    nz_train_hooks hooks = nz_pruner_hooks(pruner);
    nz_assert_ok(hooks.begin(hooks.user, engine, false));
    nz_ramp ramp = nz_ramp_make(steps, job->until, job->every);
    assert_int_equal(ramp.events, events);
    int64_t expected = 0;
    for (uint64_t step = 0; step < steps; step++) {
        const nz_train_state at = {.engine = engine, .step = step, .steps = steps};
        nz_assert_ok(hooks.before_step(hooks.user, &at));
        uint64_t event = (step + 1) / ramp.every;
        if (event > 0) expected = (int64_t)nz_ramp_zeros(&ramp, event < events ? event : events, 0, 594);
        assert_int_equal(count_gone(engine, gone), expected);
    }
    assert_int_equal(expected, 594);
    nz_engine_free(engine);
    nz_pruner_free(pruner);
}

static void masks_grow_event_by_event_to_the_exact_share(void **state) {
    (void)state;
    /* every, steps, events: also distances beyond the ramp and beyond the run, which leave one event */
    static const uint64_t cases[][3] = {{5, 50, 6}, {40, 50, 1}, {1000, 50, 1}, {1000, 1, 1}};
    NZ_AUTO_GRAPH nz_graph *g = small_network(false);
    NZ_AUTO(nz_weight_list_done) nz_weight_list list = {0};
    nz_assert_ok(nz_weights_list(&list, g, false, NULL));
    for (size_t i = 0; i < 2 * NZ_COUNT(cases); i++) {
        const nz_prune_job job = {.graph = g,
                                  .list = &list,
                                  .sparsity = 0.75,
                                  .random = i % 2,
                                  .gradual = true,
                                  .seed = 9,
                                  .until = 0.6,
                                  .every = cases[i / 2][0]};
        check_ramp(&job, cases[i / 2][1], cases[i / 2][2]);
    }
}

static void a_random_ramp_ends_with_the_weights_that_one_shot_removes(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = small_network(true);
    NZ_AUTO_GRAPH nz_graph *once = tune(g, "gup-r,sparsity=0.5,seed=2", NULL);
    NZ_AUTO_GRAPH nz_graph *ramp = tune(g, "gup-r,sparsity=0.5,seed=2,finetune=2,batch=16,ramp=cubic", NULL);
    const nz_tensor *a = constant(once, "w2"), *b = constant(ramp, "w2");
    for (int64_t k = 0; k < nz_shape_elements(&a->shape); k++)
        assert_true((nz_tensor_real(a, k) == 0) == (nz_tensor_real(b, k) == 0));
}

static int stop_at(void *user, const char *what, unsigned long long done, unsigned long long total) {
    (void)total;
    return strncmp(what, "calib", 5) != 0 && done >= *(unsigned long long *)user;
}

/* A run that was stopped in the second epoch and went on gives what an uninterrupted one gives. */
static void check_resume(const char *method) {
    NZ_AUTO_GRAPH nz_graph *g = small_network(true);
    NZ_AUTO_GRAPH nz_graph *whole = NULL;
    NZ_AUTO_GRAPH nz_graph *parts = NULL;
    NZ_AUTO(free_data) nz_dataset *data = small_data("limit=128");
    const char *path = nz_test_file("tune.npz");
    unsigned long long stop = 3; /* steps of an epoch of 8 */
    const nz_progress progress = {.step = stop_at, .user = &stop};
    nz_train_files files = {.checkpoint = path};
    nz_compress_inputs inputs = {.data = data, .threads = 1};
    unlink(path);
    nz_assert_ok(nz_compress_with(&whole, NULL, g, method, &inputs, NULL));
    inputs.files = &files;
    nz_assert_fails(nz_compress_with(&parts, NULL, g, method, &inputs, &progress), NZ_E_CANCELLED, "tune.npz");
    files.resume = true;
    nz_assert_ok(nz_compress_with(&parts, NULL, g, method, &inputs, NULL));
    assert_same_constants(whole, parts);
}

static void a_stopped_run_goes_on_to_the_same_network(void **state) {
    (void)state;
    check_resume("gup-l1,sparsity=0.5,finetune=2,batch=16,ramp=cubic,ramp_every=2");
    check_resume("gup-r,sparsity=0.5,finetune=1,batch=16,ramp=cubic,distill=logits");
    check_resume("qat,epochs=2,batch=16,samples=32,freeze=0.7");
    check_resume("qat,wbits=4,epochs=2,batch=16,samples=32,learn=1");
}

static void a_checkpoint_of_another_method_is_refused(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = small_network(true);
    NZ_AUTO_GRAPH nz_graph *result = NULL;
    NZ_AUTO(free_data) nz_dataset *data = small_data("limit=128");
    const char *path = nz_test_file("other.npz");
    unsigned long long stop = 3;
    const nz_progress progress = {.step = stop_at, .user = &stop};
    nz_train_files files = {.checkpoint = path};
    const nz_compress_inputs inputs = {.data = data, .threads = 1, .files = &files};
    nz_assert_fails(nz_compress_with(&result, NULL, g, "gup-l1,sparsity=0.5,finetune=2,batch=16", &inputs, &progress),
                    NZ_E_CANCELLED, "other.npz");
    files.resume = true;
    nz_assert_fails(nz_compress_with(&result, NULL, g, "gup-l1,sparsity=0.6,finetune=2,batch=16", &inputs, NULL),
                    NZ_E_ARG, "other.npz");
}

/* Mean squared difference of a value inside two networks. */
static double distance(const nz_graph *a, const nz_graph *b, const char *name) {
    NZ_AUTO(free_data) nz_dataset *data = small_data("limit=64,split=test");
    NZ_AUTO(nz_samples_done) nz_samples samples = {0};
    NZ_AUTO(nz_tap_free_ptr) nz_tap *ta = NULL;
    NZ_AUTO(nz_tap_free_ptr) nz_tap *tb = NULL;
    double sum = 0;
    size_t count = 0;
    nz_assert_ok(nz_tap_open(&ta, a, &name, 1, data, 1));
    nz_assert_ok(nz_tap_open(&tb, b, &name, 1, data, 1));
    nz_assert_ok(nz_samples_open(&samples, data, nz_tap_batch(ta), 64));
    for (;;) {
        nz_batch batch;
        size_t elements = 0;
        nz_assert_ok(nz_samples_next(&samples, &batch));
        if (batch.count == 0) return sum / (double)count;
        nz_assert_ok(nz_tap_run(ta, batch.x, batch.count));
        nz_assert_ok(nz_tap_run(tb, batch.x, batch.count));
        const float *x = nz_tap_values(ta, 0, &elements), *y = nz_tap_values(tb, 0, &elements);
        for (size_t i = 0; i < elements * batch.count; i++, count++)
            sum += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    }
}

static void distillation_brings_layers_and_outputs_closer_to_the_teacher(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = small_network(false);
#define CUT "gup-l1,sparsity=0.6,finetune=4,batch=16,lr=0.01"
    NZ_AUTO_GRAPH nz_graph *alone = tune(g, CUT, NULL);
    NZ_AUTO_GRAPH nz_graph *layers = tune(g, CUT ",distill=layers,distill_weight=5", NULL);
    NZ_AUTO_GRAPH nz_graph *at = tune(g, CUT ",distill=layers,distill_weight=5,distill_at=conv1", NULL);
    NZ_AUTO_GRAPH nz_graph *logits = tune(g, CUT ",distill=logits,distill_weight=5", NULL);
    assert_true(distance(g, layers, "relu2_out") < 0.7 * distance(g, alone, "relu2_out"));
    assert_true(distance(g, at, "relu1_out") < 0.7 * distance(g, alone, "relu1_out"));
    assert_true(distance(g, logits, "gemm_out") < 0.7 * distance(g, alone, "gemm_out"));
}

static void probabilities_are_not_taken_for_logits(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = small_network(false);
    NZ_AUTO_GRAPH nz_graph *result = NULL;
    NZ_AUTO(free_data) nz_dataset *data = small_data("limit=64");
    const char *const method = "gup-l1,finetune=1,batch=32,loss=mse,distill=logits";
    NZ_AUTO_GRAPH nz_graph *scores = tune(g, method, NULL);
    g->outputs[0] = made_node(g, "Softmax", "softmax", g->outputs, 1);
    nz_assert_ok(nz_graph_finish(g));
    g->nodes[g->node_count - 1].opset = NZ_OPSET;
    nz_assert_fails(nz_compress(&result, NULL, g, method, data, 1, NULL), NZ_E_ARG, "ends in Softmax");
    NZ_AUTO_GRAPH nz_graph *layers = tune(g, "gup-l1,finetune=1,batch=32,loss=mse,distill=layers", NULL);
    NZ_AUTO_GRAPH nz_graph *entropy = tune(g, "gup-l1,finetune=1,batch=32,distill=logits", NULL);
    assert_true(scores && layers && entropy);
}

static void layers_are_compared_behind_blocks_unless_told_otherwise(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = small_network(true);
    NZ_AUTO(nz_distill_places_done) nz_distill_places blocks = {0};
    NZ_AUTO(nz_distill_places_done) nz_distill_places convs = {0};
    nz_assert_ok(nz_distill_places_find(&blocks, g, NULL));
    assert_int_equal(blocks.count, 1);
    assert_string_equal(blocks.names[0], "relu2_out");
    nz_assert_ok(nz_distill_places_find(&convs, g, "Conv"));
    assert_int_equal(convs.count, 2);
    assert_string_equal(convs.names[0], "relu1_out");
    assert_string_equal(convs.names[1], "norm2_out");
    nz_assert_fails(nz_distill_places_find(&convs, g, "nothing*"), NZ_E_ARG, "nothing*");
}

static void a_run_keeps_how_the_network_was_trained_and_goes_on_like_it(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = small_network(false);
    nz_assert_ok(nz_graph_set_meta(g, "netzip.train", "epochs=3,augment=crop=2+flip=1,seed=1"));
    NZ_AUTO(nz_compress_report_done) nz_compress_report report = {0};
    NZ_AUTO_GRAPH nz_graph *tuned = tune(g, "gup-l1,finetune=1,batch=64", &report);
    assert_string_equal(nz_graph_meta(tuned, "netzip.train"), "epochs=3,augment=crop=2+flip=1,seed=1");
    const char *method = nz_graph_meta(tuned, "netzip.method");
    assert_non_null(strstr(method, "gup-l1,sparsity=0.5,linear=0,finetune=1,ramp=oneshot"));
    assert_non_null(strstr(method, ",augment=crop\\=2+flip\\=1,"));
    assert_string_equal(nz_graph_meta(tuned, "netzip.technique"), "GUP_L1");
    assert_int_equal(report.training.epoch_count, 1);
    assert_non_null(strstr(report.summary, "Trained for 1 epoch"));
    NZ_AUTO_GRAPH nz_graph *other = tune(g, "gup-l1,finetune=1,batch=64,augment=none", NULL);
    assert_non_null(strstr(nz_graph_meta(other, "netzip.method"), ",augment=none,"));
}

static void half_precision_storage_is_widened_before_training(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = small_network(false);
    NZ_AUTO_GRAPH nz_graph *half = tune(g, "fp16", NULL);
    NZ_AUTO_GRAPH nz_graph *tuned = tune(half, "gup-l1,sparsity=0.5,finetune=1,batch=32", NULL);
    assert_int_equal(count_op(half, "Cast"), 5);
    assert_int_equal(count_op(tuned, "Cast"), 0);
    NZ_AUTO_GRAPH nz_graph *integers = tune(half, "qat,epochs=1,batch=32,samples=32", NULL);
    assert_int_equal(count_op(integers, "Cast"), 0);
}

static void what_a_method_needs_follows_from_its_options(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = small_network(false);
    nz_graph *result = NULL;
    nz_compress_needs needs;
    nz_assert_ok(nz_compress_what_needs(&needs, "gup-l1"));
    assert_true(!needs.data && !needs.trains);
    nz_assert_ok(nz_compress_what_needs(&needs, "gup-l1,finetune=2"));
    assert_true(needs.data && needs.trains);
    nz_assert_ok(nz_compress_what_needs(&needs, "GUP_R,epochs=0.5"));
    assert_true(needs.data && needs.trains);
    nz_assert_ok(nz_compress_what_needs(&needs, "ptq"));
    assert_true(needs.data && !needs.trains);
    nz_assert_ok(nz_compress_what_needs(&needs, "QAT,finetune=3"));
    assert_true(needs.data && needs.trains);
    nz_assert_fails(nz_compress_what_needs(&needs, "qat,epochs=1,finetune=1"), NZ_E_ARG, "the same key");
    nz_assert_fails(nz_compress_what_needs(&needs, "qat,ramp=cubic"), NZ_E_ARG, "ramp");
    nz_assert_fails(nz_compress(&result, NULL, g, "gup-l1,finetune=1", NULL, 1, NULL), NZ_E_ARG, "training samples");
    nz_assert_fails(nz_compress(&result, NULL, g, "gup-l1,finetune=1,augment=turn=3", NULL, 1, NULL), NZ_E_ARG, NULL);
}

static void samples_without_labels_are_refused(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = small_network(false);
    NZ_AUTO(free_data) nz_dataset *data = coloured_data("unlabelled.npz", 64, 1, false);
    nz_graph *result = NULL;
    nz_assert_fails(nz_compress(&result, NULL, g, "gup-l1,finetune=1,batch=32", data, 1, NULL), NZ_E_ARG, "labels");
    nz_assert_fails(nz_compress(&result, NULL, g, "qat,batch=32", data, 1, NULL), NZ_E_ARG, "labels");
}

static void fine_tuning_mends_what_pruning_cut(void **state) {
    (void)state;
    NZ_AUTO(free_data) nz_dataset *data = coloured_data("train.npz", 512, 1, true);
    NZ_AUTO(free_data) nz_dataset *test = coloured_data("test.npz", 512, 2, true);
    NZ_AUTO_GRAPH nz_graph *g = small_network(true);
    NZ_AUTO_GRAPH nz_graph *trained = NULL;
    NZ_AUTO(nz_train_options_done) nz_train_options options = {0};
    nz_assert_ok(nz_train_options_read(&options, "epochs=10,batch=32,lr=0.1,augment=none,threads=1"));
    nz_assert_ok(nz_train(&trained, NULL, g, data, NULL, &options, NULL, NULL));
    const nz_compress_inputs inputs = {.data = data, .test = test, .threads = 1};
    double top1[3];
    const char *const methods[] = {"gup-l1,sparsity=0.9,finetune=5,batch=32,lr=0.02",
                                   "gup-l1,sparsity=0.9,finetune=5,batch=32,lr=0.02,ramp=cubic",
                                   "gup-l1,sparsity=0.9,finetune=5,batch=32,lr=1e-9"};
    for (size_t i = 0; i < 3; i++) {
        NZ_AUTO_GRAPH nz_graph *tuned = NULL;
        NZ_AUTO(nz_compress_report_done) nz_compress_report report = {0};
        nz_assert_ok(nz_compress_with(&tuned, &report, trained, methods[i], &inputs, NULL));
        top1[i] = report.training.epochs[report.training.epoch_count - 1].test_top1_pct;
    }
    if (!(top1[0] > top1[2] + 5) || !(top1[1] > top1[2] + 5))
        fail_msg("%.1f%% and %.1f%%, %.1f%% without learning", top1[0], top1[1], top1[2]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_pruned_at_once_stays_zero_and_the_rest_learns),
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
        cmocka_unit_test(a_ramp_follows_the_cube_and_ends_exactly),
        cmocka_unit_test(masks_grow_event_by_event_to_the_exact_share),
        cmocka_unit_test(a_random_ramp_ends_with_the_weights_that_one_shot_removes),
        cmocka_unit_test(a_stopped_run_goes_on_to_the_same_network),
        cmocka_unit_test(a_checkpoint_of_another_method_is_refused),
        cmocka_unit_test(distillation_brings_layers_and_outputs_closer_to_the_teacher),
        cmocka_unit_test(probabilities_are_not_taken_for_logits),
        cmocka_unit_test(layers_are_compared_behind_blocks_unless_told_otherwise),
        cmocka_unit_test(a_run_keeps_how_the_network_was_trained_and_goes_on_like_it),
        cmocka_unit_test(half_precision_storage_is_widened_before_training),
        cmocka_unit_test(samples_without_labels_are_refused),
        cmocka_unit_test(fine_tuning_mends_what_pruning_cut),
        cmocka_unit_test(what_a_method_needs_follows_from_its_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
