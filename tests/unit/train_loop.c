/* SPDX-License-Identifier: Apache-2.0 */
/* Whole runs on a small network and made data: updates, stopping and resuming, refusals, hooks, evaluation. */
#include <inttypes.h>

#include "core/csv.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "graph/build.h"
#include "netzip/arch.h"
#include "test.h"
#include "train/trainer.h"
#include "train_bench.h"

#define SMALL "epochs=2.5,batch=32,threads=1,checkpoint_minutes=0"

static bench bench_of(const char *data, const char *options, int64_t classes) {
    bench b = {0};
    nz_assert_ok(nz_train_options_read(&b.options, options));
    nz_assert_ok(nz_data_open(&b.train, data, NULL, NZ_DATA_TRAIN, NULL));
    nz_assert_ok(nz_data_open(&b.test, "synthetic:shapes,count=25,size=16", NULL, NZ_DATA_COMPARE, NULL));
    nz_assert_ok(nz_arch_build(&b.graph, "resnet8",
                               &(nz_arch_options){.classes = classes, .height = 16, .width = 16, .seed = 3}));
    return b;
}
static bench small(const char *more) {
    char options[256];
    snprintf(options, sizeof options, SMALL "%s%s", *more ? "," : "", more);
    return bench_of("synthetic:shapes,count=160,size=16", options, 10);
}

/* ---- stopping ---- */

static void check_resume(const char *more) {
    bench b = small(more);
    nz_train_files files = {.checkpoint = nz_test_file("run.npz"), .resume = true};
    NZ_AUTO_GRAPH nz_graph *whole = NULL;
    NZ_AUTO(nz_train_report_done) nz_train_report report = {0};
    nz_assert_ok(go(&whole, &report, &b, NULL, NULL, NULL));
    assert_int_equal(report.epoch_count, 3);
    assert_false(report.resumed);
    for (int stop_at = 1; stop_at < 16; stop_at += 3) { /* steps of training and of evaluations */
        watcher u = {.left = stop_at};
        nz_progress progress = {.step = user_step, .note = user_note, .user = &u};
        NZ_AUTO_GRAPH nz_graph *rest = NULL;
        NZ_AUTO(nz_train_report_done) nz_train_report second = {0};
        nz_assert_fails(go(&rest, NULL, &b, &files, NULL, &progress), NZ_E_CANCELLED, "goes on from");
        assert_null(rest);
        assert_true(nz_file_exists(files.checkpoint));
        nz_assert_ok(go(&rest, &second, &b, &files, NULL, NULL));
        assert_true(second.resumed);
        assert_same_weights(whole, rest);
        assert_int_equal(second.epoch_count, 3);
        for (size_t e = 0; e < 3; e++) {
            nz_assert_near(second.epochs[e].train_loss, report.epochs[e].train_loss, 0, 0);
            nz_assert_near(second.epochs[e].test_loss, report.epochs[e].test_loss, 0, 0);
            nz_assert_near(second.epochs[e].test_top1_pct, report.epochs[e].test_top1_pct, 0, 0);
        }
        assert_false(nz_file_exists(files.checkpoint)); /* done */
    }
    bench_done(&b);
}

static void test_a_resumed_run_ends_with_the_same_bytes(void **unused) {
    (void)unused;
    check_resume("weight_decay=0.001");
}
static void test_adamw_with_clipping_resumes_too(void **unused) {
    (void)unused;
    check_resume("optimizer=adamw,lr=0.003,clip_norm=0.5,schedule=cosine");
}

static void test_checkpoints_of_other_runs_are_refused(void **unused) {
    (void)unused;
    bench b = small("");
    nz_train_files files = {.checkpoint = nz_test_file("other.npz"), .resume = true};
    watcher u = {.left = 2};
    nz_progress progress = {.step = user_step, .note = user_note, .user = &u};
    nz_graph *none = NULL;
    nz_assert_fails(go(&none, NULL, &b, &files, NULL, &progress), NZ_E_CANCELLED, NULL);
    b.options.lr = 0.2;
    nz_assert_fails(go(&none, NULL, &b, &files, NULL, NULL), NZ_E_ARG, "lr is '0.1' there and '0.2' here");
    b.options.lr = 0.1;
    b.options.threads = 2;
    nz_assert_fails(go(&none, NULL, &b, &files, NULL, NULL), NZ_E_ARG, "go on with threads=1");
    b.options.threads = 1;
    b.options.optimizer = NZ_OPTIMIZER_ADAMW;
    nz_assert_fails(go(&none, NULL, &b, &files, NULL, NULL), NZ_E_ARG, "optimizer is 'sgd' there");
    b.options.optimizer = NZ_OPTIMIZER_SGD;
    nz_train_hooks hooks = {.identity = "qat"};
    nz_assert_fails(go(&none, NULL, &b, &files, &hooks, NULL), NZ_E_ARG, "method is '' there and 'qat' here");
    bench other = bench_of("synthetic:shapes,count=96,size=16", SMALL, 10);
    nz_assert_fails(nz_train(&none, NULL, b.graph, other.train, NULL, &b.options, &files, NULL), NZ_E_ARG,
                    "training data");
    nz_graph *model = NULL;
    nz_assert_ok(nz_arch_build(&model, "resnet8", &(nz_arch_options){.height = 16, .width = 16, .seed = 4}));
    nz_assert_fails(nz_train(&none, NULL, model, b.train, NULL, &b.options, &files, NULL), NZ_E_ARG, "the model that");
    /* What the weights do not depend on may differ. */
    b.options.evaluate_every = 0;
    b.options.checkpoint_minutes = 3;
    nz_assert_ok(go(&none, NULL, &b, &files, NULL, NULL));
    nz_graph_free(none);
    nz_graph_free(model);
    bench_done(&b);
    bench_done(&other);
}

static void test_broken_checkpoints_are_named(void **unused) {
    (void)unused;
    bench b = small("");
    nz_train_files files = {.checkpoint = nz_test_file("broken.npz"), .resume = true};
    watcher u = {.left = 2};
    nz_progress progress = {.step = user_step, .user = &u};
    nz_graph *none = NULL;
    char *bytes = NULL;
    size_t count = 0;
    nz_assert_fails(go(&none, NULL, &b, &files, NULL, &progress), NZ_E_CANCELLED, NULL);
    nz_assert_ok(nz_file_read(&bytes, &count, files.checkpoint, 1 << 24));
    for (size_t at = 100; at < count; at += count / 7) { /* cut off, and one byte turned over */
        nz_assert_ok(nz_file_write(files.checkpoint, bytes, at));
        nz_assert_fails(go(&none, NULL, &b, &files, NULL, NULL), NZ_E_FORMAT, "broken.npz");
        bytes[at] ^= 0x55;
        nz_assert_ok(nz_file_write(files.checkpoint, bytes, count));
        bytes[at] ^= 0x55;
        nz_assert_fails(go(&none, NULL, &b, &files, NULL, NULL), NZ_E_FORMAT, "broken.npz");
    }
    free(bytes);
    bench_done(&b);
}

/* ---- what goes wrong ---- */

static void test_a_loss_that_is_no_number_stops(void **unused) {
    (void)unused;
    bench b = small("schedule=constant,lr=900");
    nz_graph *none = NULL;
    nz_assert_fails(go(&none, NULL, &b, NULL, NULL, NULL), NZ_E_FORMAT, "a lower learning rate");
    assert_non_null(strstr(nz_last_error(), "at step "));
    assert_non_null(strstr(nz_last_error(), "appears first in "));
    bench_done(&b);
}

/* What a hook breaks, and from which step on. */
typedef struct breaker {
    float *statistic; /* of the engine, from `begin` on */
    uint64_t from;
    float value; /* of the statistic */
} breaker;
static nz_status break_samples(void *user, const nz_train_state *state) {
    if (state->step >= ((breaker *)user)->from) *(float *)(uintptr_t)&state->x[5] = INFINITY;
    return NZ_OK;
}
static nz_status break_gradient(void *user, const nz_train_state *state, double *loss, float *doutput) {
    (void)loss;
    if (state->step >= ((breaker *)user)->from) doutput[1] = NAN;
    return NZ_OK;
}
static nz_status find_statistic(void *user, nz_engine *engine, bool restored) {
    (void)restored;
    for (size_t i = 0; i < nz_engine_running_count(engine); i++)
        if (strstr(nz_engine_running(engine, i)->name, "layer1.0.bn1.running_var"))
            ((breaker *)user)->statistic = nz_engine_running(engine, i)->value;
    assert_non_null(((breaker *)user)->statistic);
    return NZ_OK;
}
static nz_status break_statistic(void *user, const nz_train_state *state) {
    if (state->step >= ((breaker *)user)->from) ((breaker *)user)->statistic[2] = ((breaker *)user)->value;
    return NZ_OK;
}

static nz_status overflow(void *user, const nz_train_state *state) {
    for (size_t i = 0; state->step > ((breaker *)user)->from && i < nz_engine_param_count(state->engine); i++) {
        nz_param *p = nz_engine_param(state->engine, i);
        for (size_t e = 0; strcmp(p->name, "fc.weight") == 0 && e < p->elements; e++) p->value[e] = 3e38F;
    }
    return NZ_OK;
}

/* Behind the last update no training loss is looked at any more, but what it left is. */
static void test_a_run_lost_by_its_last_step_is_no_model(void **unused) {
    (void)unused;
    bench b = small("");
    breaker broken = {.from = 12, .value = NAN};
    nz_train_hooks hooks = {.user = &broken, .begin = find_statistic, .before_step = break_statistic};
    nz_graph *none = NULL;
    nz_assert_fails(go(&none, NULL, &b, NULL, &hooks, NULL), NZ_E_FORMAT, "at step 13 of 13 (epoch 3) was too much");
    assert_non_null(strstr(nz_last_error(), "appears first in layer"));
    hooks = (nz_train_hooks){.user = &broken, .after_step = overflow}; /* finite itself, its sums are not */
    nz_assert_fails(go(&none, NULL, &b, NULL, &hooks, NULL), NZ_E_FORMAT, "in the loss on the test samples");
    assert_null(none);
    bench_done(&b);
}

static void test_what_is_not_finite_is_told_apart(void **unused) {
    (void)unused;
    bench b = small("clip_norm=1");
    breaker broken = {.from = 2, .value = NAN};
    nz_graph *none = NULL;
    nz_train_hooks hooks = {.user = &broken, .before_step = break_samples};
    nz_assert_fails(go(&none, NULL, &b, NULL, &hooks, NULL), NZ_E_FORMAT, "holds values that are not finite");
    assert_non_null(strstr(nz_last_error(), "the loss of step 3; "));
    assert_null(strstr(nz_last_error(), "learning rate"));
    hooks = (nz_train_hooks){.user = &broken, .add_gradients = break_gradient};
    nz_assert_fails(go(&none, NULL, &b, NULL, &hooks, NULL), NZ_E_FORMAT, "the gradient became not a number at step 3");
    broken.from = 4; /* the last one of the first epoch */
    hooks = (nz_train_hooks){.user = &broken, .begin = find_statistic, .before_step = break_statistic};
    nz_data_free(b.test);
    b.test = NULL; /* none to notice it there */
    nz_train_files files = {.checkpoint = nz_test_file("told.npz")};
    nz_assert_fails(go(&none, NULL, &b, &files, &hooks, NULL), NZ_E_FORMAT, "at step 5 of 13 (epoch 1) was too much");
    assert_false(nz_file_exists(files.checkpoint));
    bench_done(&b);
}

static void test_a_state_that_is_no_number_is_never_kept(void **unused) {
    (void)unused;
    bench b = small("");
    breaker broken = {.from = 1, .value = NAN};
    nz_graph *none = NULL;
    nz_train_hooks hooks = {.user = &broken, .begin = find_statistic, .before_step = break_statistic};
    nz_train_files files = {.checkpoint = nz_test_file("never.npz")};
    watcher u = {.left = 3};
    nz_progress progress = {.step = user_step, .note = user_note, .user = &u};
    nz_assert_fails(go(&none, NULL, &b, &files, &hooks, &progress), NZ_E_FORMAT, "not finite");
    assert_false(nz_file_exists(files.checkpoint));
    b.options.checkpoint_minutes = 1e-9;
    nz_assert_fails(go(&none, NULL, &b, &files, &hooks, NULL), NZ_E_FORMAT, "at step 2 of 13");
    bench_done(&b);
}

/* A full disk costs checkpoints, not the run; but who stops a run must know that it cannot go on. */
static void test_a_checkpoint_that_cannot_be_written_ends_nothing(void **unused) {
    (void)unused;
    bench b = small("");
    b.options.checkpoint_minutes = 1e-9;
    char checkpoint[9000], history[9000];
    snprintf(checkpoint, sizeof checkpoint, "%s/run.npz", nz_test_file("no-such-folder"));
    snprintf(history, sizeof history, "%s/run.csv", nz_test_file("no-such-folder"));
    nz_train_files files = {.checkpoint = checkpoint, .history = history};
    watcher u = {.left = 1000};
    nz_progress progress = {.step = user_step, .note = user_note, .user = &u};
    NZ_AUTO_GRAPH nz_graph *graph = NULL, *whole = NULL;
    nz_assert_ok(go(&whole, NULL, &b, NULL, NULL, NULL));
    nz_assert_ok(go(&graph, NULL, &b, &files, NULL, &progress));
    assert_same_weights(graph, whole);
    assert_non_null(strstr(u.notes, "no checkpoint at step 1, training goes on: "));
    assert_non_null(strstr(u.notes, "no checkpoint at step 5, training goes on: "));
    assert_non_null(strstr(u.notes, "the history is not brought up to date: "));
    nz_graph *none = NULL;
    u = (watcher){.left = 3};
    nz_assert_fails(go(&none, NULL, &b, &files, NULL, &progress), NZ_E_IO, "no-such-folder");
    bench_done(&b);
}

static void test_what_does_not_fit_is_told_before_training(void **unused) {
    (void)unused;
    nz_graph *none = NULL;
    bench few = bench_of("synthetic:shapes,count=20,size=16", SMALL, 10);
    nz_assert_fails(go(&none, NULL, &few, NULL, NULL, NULL), NZ_E_ARG, "20 samples are fewer than one batch");
    bench narrow = bench_of("synthetic:shapes,count=160,size=16", SMALL, 7);
    nz_assert_fails(go(&none, NULL, &narrow, NULL, NULL, NULL), NZ_E_SHAPE, "the model knows 7 classes");
    bench large = bench_of("synthetic:shapes,count=160,size=24", SMALL, 10);
    nz_assert_fails(go(&none, NULL, &large, NULL, NULL, NULL), NZ_E_SHAPE, NULL);
    bench_done(&few);
    bench_done(&narrow);
    bench_done(&large);
}

/* Made images in folders, of which those of the first `classes` classes are broken from number `from` on. */
static const char *make_images(char spec[9000], const char *name, int count, int classes, int from) {
    static const char *const names[] = {"arrow",     "circle", "crescent", "cross", "halfdisc",
                                        "hourglass", "ring",   "square",   "star",  "triangle"};
    char path[9000];
    size_t written = 0, kept = 0;
    const char *folder = nz_test_file(name);
    snprintf(path, sizeof path, "synthetic:shapes,count=%d,size=16,split=train", count);
    nz_assert_ok(nz_data_make(&written, &kept, path, folder, NULL));
    for (int i = from; i < count; i++) {
        if (i % 10 >= classes) continue;
        snprintf(path, sizeof path, "%s/train/%s/%06d.png", folder, names[i % 10], i);
        assert_true(nz_file_exists(path));
        nz_assert_ok(nz_file_write(path, "no image", 8));
    }
    snprintf(spec, 9000, "imagefolder:%s,resize=16x16", folder);
    return spec;
}

static void test_broken_samples_are_counted_and_named(void **unused) {
    (void)unused;
    char spec[9000];
    bench b = bench_of(make_images(spec, "images", 96, 1, 80), SMALL, 10);
    watcher u = {.left = 1000};
    nz_progress progress = {.step = user_step, .note = user_note, .user = &u};
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO(nz_train_report_done) nz_train_report report = {0};
    nz_assert_ok(go(&graph, &report, &b, NULL, NULL, &progress));
    assert_int_equal(report.broken, 2);
    assert_non_null(strstr(u.notes, "is left out"));
    assert_non_null(strstr(u.notes, "000090.png"));
    assert_non_null(strstr(u.notes, "2 training samples could not be read"));
    bench_done(&b);
}

static void test_nothing_readable_is_an_error(void **unused) {
    (void)unused;
    char spec[9000];
    nz_graph *none = NULL;
    bench b = bench_of(make_images(spec, "none", 40, 10, 0), SMALL, 10);
    nz_assert_fails(go(&none, NULL, &b, NULL, NULL, NULL), NZ_E_FORMAT, "no sample could be read (32 are broken)");
    nz_assert_fails(nz_train_evaluate(&(nz_evaluation){0}, b.graph, b.train,
                                      &(nz_evaluate_options){.batch = 8, .threads = 1, .classes = 10}, NULL),
                    NZ_E_FORMAT, "no sample could be read");
    bench_done(&b);
}

/* ---- feeding ---- */

enum { FED = 120 };

/* The samples of the batches of an epoch from `first` on, by batch; SIZE_MAX where a batch was left out. */
static void drain(size_t out[FED], nz_feed *feed, size_t first) {
    for (size_t i = 0; i < FED; i++) out[i] = SIZE_MAX;
    nz_assert_ok(nz_feed_begin(feed, 1, first));
    for (;;) {
        nz_batch batch;
        size_t before = feed->next;
        nz_assert_ok(nz_feed_next(feed, &batch));
        if (!batch.count) break;
        assert_int_equal(batch.count, feed->batch);
        assert_true(feed->next > before && feed->next <= feed->batches);
        memcpy(out + (feed->next - 1) * feed->batch, batch.indices, feed->batch * sizeof *out);
        for (size_t k = 0; k < batch.count; k++)
            assert_int_equal(batch.labels[k], nz_data_label(feed->data, batch.indices[k]));
    }
    assert_int_equal(feed->next, feed->batches);
}

/* With six classes of ten broken and two samples a batch, many batches have one or none left. */
static void test_any_batch_can_be_had_alone(void **unused) {
    (void)unused;
    char spec[9000];
    bench b = bench_of(make_images(spec, "holes", FED, 6, 0), "batch=2,threads=2,seed=5", 10);
    nz_feed feed = {0};
    size_t whole[FED], part[FED], seen = 0;
    nz_assert_ok(nz_feed_init(&feed, b.train, &b.options, 2, NULL));
    drain(whole, &feed, 0);
    assert_int_equal(feed.broken_count, FED * 6 / 10);
    for (size_t i = 0; i < FED; i++) {
        seen += whole[i] != SIZE_MAX;
        if (whole[i] != SIZE_MAX) assert_true(nz_data_label(b.train, whole[i]) >= 6);
    }
    assert_true(seen >= FED * 4 / 10 && seen < FED);
    for (size_t first = 1; first < FED / 2; first += 7) {
        drain(part, &feed, first);
        assert_memory_equal(part + 2 * first, whole + 2 * first, (FED - 2 * first) * sizeof *part);
    }
    nz_feed_done(&feed);
    bench_done(&b);
}

static void test_auto_augments_by_size_and_colour(void **unused) {
    (void)unused;
    static const struct {
        const char *data, *augment;
        nz_augment expected;
    } cases[] = {
        {"synthetic:shapes,count=40", "auto", {.crop_padding = 4, .flip = true}},
        {"synthetic:shapes,count=40,size=128", "auto", {.resized_crop = 1, .flip = true}},
        {"synthetic:shapes,count=40,size=28,color=gray", "auto", {.crop_padding = 4}},
        {"synthetic:shapes,count=40", "none", {0}},
        {"synthetic:shapes,count=40", "crop=2", {.crop_padding = 2}},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        char text[64];
        nz_train_options options;
        nz_dataset *data = NULL;
        nz_feed feed = {0};
        snprintf(text, sizeof text, "batch=8,augment=%s", cases[i].augment);
        nz_assert_ok(nz_train_options_read(&options, text));
        nz_assert_ok(nz_data_open(&data, cases[i].data, NULL, NZ_DATA_TRAIN, NULL));
        nz_assert_ok(nz_feed_init(&feed, data, &options, 1, NULL));
        assert_int_equal(feed.augment.crop_padding, cases[i].expected.crop_padding);
        assert_int_equal(feed.augment.flip, cases[i].expected.flip);
        assert_int_equal(feed.augment.resized_crop, cases[i].expected.resized_crop);
        nz_feed_done(&feed);
        nz_data_free(data);
        nz_train_options_done(&options);
    }
}

/* ---- evaluation ---- */

/* A network whose weights are 0 and whose bias picks class 3 is right where that is the label: 3 of 25, in four batches of
 * which the last is not whole. */
static void test_every_test_sample_counts_once(void **unused) {
    (void)unused;
    bench b = small("");
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO_TENSOR nz_tensor bias = {0};
    nz_evaluation found = {0};
    nz_assert_ok(nz_arch_build(&graph, "resnet8", &(nz_arch_options){.height = 16, .width = 16, .blank = true}));
    int value = nz_graph_find_value(graph, "fc.bias");
    assert_true(value >= 0);
    nz_assert_ok(nz_tensor_init(&bias, NZ_F32, &graph->values[value].shape));
    ((float *)bias.data)[3] = 1;
    nz_assert_ok(nz_graph_set_constant(graph, value, &bias));
    nz_evaluate_options options = {.batch = 8, .threads = 1, .classes = 10};
    nz_assert_ok(nz_train_evaluate(&found, graph, b.test, &options, NULL));
    assert_int_equal(found.count, 25);
    nz_assert_near(found.top1_pct, 12, 1e-12, 0);
    double norm = log(exp(1) + 9);
    nz_assert_near(found.loss, (3 * (norm - 1) + 22 * norm) / 25, 1e-6, 0);
    options.loss = NZ_LOSS_MSE; /* mean over classes: 0 where it is right, else 1 for either of two */
    nz_assert_ok(nz_train_evaluate(&found, graph, b.test, &options, NULL));
    nz_assert_near(found.loss, 22.0 / 25 * 2 / 10, 1e-6, 0);
    bench_done(&b);
}

/* A model that ends in Softmax learns and is evaluated as the one that it would be without. */
static void test_a_softmax_at_the_end_changes_nothing(void **unused) {
    (void)unused;
    bench b = small("");
    NZ_AUTO_GRAPH nz_graph *plain = NULL, *with = NULL, *result = NULL;
    NZ_AUTO(nz_train_report_done) nz_train_report report = {0}, other = {0};
    int value = -1, node = -1;
    nz_assert_ok(nz_graph_clone(&with, b.graph));
    nz_assert_ok(nz_graph_add_value(with, &value, "probabilities", NZ_F32, &(nz_shape){2, {-1, 10}}));
    nz_assert_ok(nz_graph_add_node(with, &node, "Softmax", "softmax", &with->outputs[0], 1, &value, 1));
    nz_assert_ok(nz_node_set_int(&with->nodes[node], "axis", 1));
    with->nodes[node].opset = NZ_OPSET;
    with->outputs[0] = value;
    nz_assert_ok(nz_graph_finish(with));
    nz_assert_ok(go(&plain, &report, &b, NULL, NULL, NULL));
    nz_assert_ok(nz_train(&result, &other, with, b.train, b.test, &b.options, NULL, NULL));
    assert_string_equal(result->nodes[result->node_count - 1].op_type, "Softmax");
    for (size_t e = 0; e < report.epoch_count; e++) {
        nz_assert_near(other.epochs[e].train_loss, report.epochs[e].train_loss, 0, 0);
        nz_assert_near(other.epochs[e].test_loss, report.epochs[e].test_loss, 1e-4, 0);
        nz_assert_near(other.epochs[e].test_top1_pct, report.epochs[e].test_top1_pct, 0, 0);
    }
    bench_done(&b);
}

static void test_hits_are_counted_by_the_rule_of_ties(void **unused) {
    (void)unused;
    const float scores[] = {1, 2, 2, 3, 3, 3, NAN, 0, 1, 0, 1, NAN};
    assert_int_equal(nz_count_hits(scores, (const int32_t[]){1, 0, 2, 1}, 4, 3), 2);
    assert_int_equal(nz_count_hits(scores, (const int32_t[]){2, 1, 0, 0}, 4, 3), 0);
}

/* ---- updates, beside sequences in double ---- */

static double gradient_at(size_t param, size_t element, int step) {
    return sin(1.0 + (double)param + 0.1 * (double)element + step);
}

typedef struct watched {
    double w, m, v;
} watched;

static void expect_sgd(watched *p, double g, double lr, bool decays) {
    g += decays ? 0.01 * p->w : 0;
    p->m = 0.9 * p->m + g;
    p->w -= lr * (g + 0.9 * p->m);
}
static void expect_adamw(watched *p, double g, double lr, bool decays, int step) {
    p->m = 0.8 * p->m + 0.2 * g;
    p->v = 0.95 * p->v + 0.05 * g * g;
    p->w *= 1 - (decays ? lr * 0.01 : 0);
    p->w -= lr * (p->m / (1 - pow(0.8, step))) / (sqrt(p->v / (1 - pow(0.95, step))) + 1e-6);
}

/* Element 0 of each parameter over five steps. */
static void check_updates(const char *more, bool adamw, double clip) {
    bench b = small(more);
    nz_engine *engine = NULL;
    nz_updater updater = {0};
    enum { MOST = 64 };
    watched seen[MOST] = {{0}};
    nz_assert_ok(nz_engine_open(&engine, b.graph, &(nz_engine_options){.batch = 8, .threads = 1}));
    nz_assert_ok(nz_updater_init(&updater, engine, &b.options));
    size_t count = nz_engine_param_count(engine);
    assert_true(count > 10 && count < MOST);
    for (size_t i = 0; i < count; i++) seen[i].w = (double)nz_engine_param(engine, i)->value[0];
    for (int step = 1; step <= 5; step++) {
        double squares = 0, lr = 0.01 * step, scale = 1;
        for (size_t i = 0; i < count; i++) {
            nz_param *p = nz_engine_param(engine, i);
            for (size_t e = 0; e < p->elements; e++) {
                p->grad[e] = (float)gradient_at(i, e, step);
                squares += (double)p->grad[e] * (double)p->grad[e];
            }
        }
        if (clip > 0) scale = clip / (sqrt(squares) + 1e-6);
        double norm = nz_updater_step(&updater, lr, adamw ? 0.8 : 0.9, (uint64_t)step);
        nz_assert_near(norm, clip > 0 ? sqrt(squares) : 0, 1e-6, 0);
        for (size_t i = 0; i < count; i++) {
            const nz_param *p = nz_engine_param(engine, i);
            double g = scale * (double)(float)gradient_at(i, 0, step);
            if (adamw)
                expect_adamw(&seen[i], g, lr, p->decays, step);
            else
                expect_sgd(&seen[i], g, lr, p->decays);
            nz_assert_near(p->value[0], seen[i].w, 2e-5, 2e-6);
        }
    }
    nz_updater_done(&updater);
    nz_engine_free(engine);
    bench_done(&b);
}
static void test_updates_match_their_equations(void **unused) {
    (void)unused;
    check_updates("weight_decay=0.01", false, 0);
    check_updates("weight_decay=0.01,clip_norm=0.25", false, 0.25);
    check_updates("optimizer=adamw,beta2=0.95,epsilon=1e-6,weight_decay=0.01", true, 0);
    check_updates("optimizer=adamw,beta2=0.95,epsilon=1e-6,weight_decay=0.01,clip_norm=2", true, 2);
}

/* Weights that pruning holds at 0 do not move: their gradients shrink nobody else's step. */
static void test_clipping_sees_no_masked_gradients(void **unused) {
    (void)unused;
    bench b = small("clip_norm=1,weight_decay=0,momentum=0,nesterov=0");
    nz_engine *engine = NULL;
    nz_updater updater = {0};
    nz_assert_ok(nz_engine_open(&engine, b.graph, &(nz_engine_options){.batch = 8, .threads = 1}));
    nz_assert_ok(nz_updater_init(&updater, engine, &b.options));
    for (size_t i = 0; i < nz_engine_param_count(engine); i++) {
        nz_param *p = nz_engine_param(engine, i);
        memset(p->grad, 0, p->elements * sizeof *p->grad);
    }
    nz_param *p = nz_engine_param(engine, 0);
    size_t count = (size_t)nz_shape_elements(&p->shape), kept = p->elements, cut = p->elements;
    NZ_AUTO_FREE float *mask = NULL;
    nz_assert_ok(nz_alloc(&mask, count, sizeof *mask));
    for (size_t i = 0; i < count; i++) mask[i] = i % 2;
    nz_assert_ok(nz_engine_mask(engine, p, mask));
    for (size_t i = 0; i < p->elements; i++) {
        if (p->mask[i] != 0) kept = i;
        if (p->mask[i] == 0) cut = i;
    }
    assert_true(kept < p->elements && cut < p->elements);
    p->grad[kept] = 0.5F;
    p->grad[cut] = 100;
    float before = p->value[kept];
    nz_assert_near(nz_updater_step(&updater, 0.1, 0, 1), 0.5, 1e-7, 0);
    nz_assert_near(p->value[kept], before - 0.05F, 1e-6, 1e-7);
    assert_true(p->value[cut] == 0);
    nz_updater_done(&updater);
    nz_engine_free(engine);
    bench_done(&b);
}

/* Of torch.optim.SGD(lr=.1, momentum=.9, nesterov=True, weight_decay=.01), PyTorch 1.13, from (1, -2). */
static void test_sgd_is_pytorchs(void **unused) {
    (void)unused;
    static const float gradients[3][2] = {{0.5F, -0.25F}, {0.1F, 0.2F}, {-0.3F, 0.4F}};
    static const float expected[3][2] = {{0.9031000137329102F, -1.948699951171875F},
                                         {0.8410741090774536F, -1.9611274003982544F},
                                         {0.8504655361175537F, -2.0283398628234863F}};
    float w[2] = {1, -2}, m[2] = {0, 0};
    nz_train_sgd sgd = {.lr = 0.1F, .momentum = 0.9F, .decay = 0.01F, .gradient_scale = 1, .nesterov = true};
    for (int i = 0; i < 3; i++) {
        nz_train_sgd_update(&sgd, w, gradients[i], m, NULL, 2);
        nz_assert_floats(w, expected[i], 2, 1e-6, 0);
    }
}

/* ---- hooks ---- */

typedef struct method {
    int begun, restored;
    uint64_t before, after, adds, last_step;
    uint64_t kept; /* in checkpoints */
} method;

static nz_status hook_begin(void *user, nz_engine *engine, bool restored) {
    method *m = user;
    m->begun++;
    m->restored += restored;
    nz_param *p = nz_engine_param(engine, 0);
    size_t count = (size_t)nz_shape_elements(&p->shape);
    NZ_AUTO_FREE float *mask = NULL;
    NZ_TRY(nz_alloc(&mask, count, sizeof *mask));
    for (size_t i = 0; i < count; i++) mask[i] = i % 3 == 0;
    return restored ? NZ_OK : nz_engine_mask(engine, p, mask); /* the checkpoint keeps masks */
}
static nz_status hook_before(void *user, const nz_train_state *state) {
    method *m = user;
    m->before++;
    m->last_step = state->step;
    return NZ_OK;
}
static nz_status hook_add(void *user, const nz_train_state *state, double *loss, float *doutput) {
    method *m = user;
    assert_true(*loss > 0 && isfinite(doutput[0]) && state->labels && state->x && state->batch == 32);
    m->adds++;
    return NZ_OK;
}
static nz_status hook_after(void *user, const nz_train_state *state) {
    method *m = user;
    assert_int_equal(state->step, m->last_step + 1);
    m->after++;
    m->kept++;
    return NZ_OK;
}

static void test_hooks_are_heard_and_kept(void **unused) {
    (void)unused;
    bench b = small("");
    method m = {0};
    nz_train_hooks hooks = {.user = &m,
                            .begin = hook_begin,
                            .before_step = hook_before,
                            .add_gradients = hook_add,
                            .after_step = hook_after,
                            .state = &m.kept,
                            .state_bytes = sizeof m.kept,
                            .what = "a method",
                            .identity = "m"};
    nz_train_files files = {.checkpoint = nz_test_file("hooks.npz"), .resume = true};
    watcher u = {.left = 5};
    nz_progress progress = {.step = user_step, .note = user_note, .user = &u};
    NZ_AUTO_GRAPH nz_graph *whole = NULL, *rest = NULL;
    nz_assert_ok(go(&whole, NULL, &b, NULL, &hooks, NULL));
    assert_int_equal(m.begun, 1);
    assert_true(m.before == 13 && m.after == 13 && m.adds == 13 && m.kept == 13); /* 2.5 epochs of 5 steps */
    m = (method){0};
    nz_assert_fails(go(&rest, NULL, &b, &files, &hooks, &progress), NZ_E_CANCELLED, "a method was stopped");
    m = (method){0};
    nz_assert_ok(go(&rest, NULL, &b, &files, &hooks, NULL));
    assert_int_equal(m.restored, 1);
    assert_int_equal(m.kept, 13);
    assert_true(m.after < 13);
    assert_same_weights(whole, rest);
    int value = nz_graph_find_value(rest, "conv1.weight");
    assert_true(value >= 0);
    const float *w = rest->values[value].constant.data;
    size_t zeros = 0;
    for (size_t i = 0; i < 16 * 27; i++) {
        zeros += w[i] == 0;
        if (i % 3) assert_true(w[i] == 0);
    }
    assert_int_equal(zeros, 16 * 18);
    bench_done(&b);
}

/* ---- what is left behind ---- */

static void test_history_and_metadata(void **unused) {
    (void)unused;
    bench b = small("evaluate_every=2,loss=mse");
    nz_train_files files = {.history = nz_test_file("run.csv"), .checkpoint = nz_test_file("kept.npz"), .keep = true};
    NZ_AUTO_GRAPH nz_graph *graph = NULL, *again = NULL;
    NZ_AUTO_CSV nz_csv table = {0};
    nz_assert_ok(go(&graph, NULL, &b, &files, NULL, NULL));
    nz_assert_ok(nz_csv_read(&table, files.history, ','));
    assert_int_equal(table.rows, 3);
    size_t epoch = nz_csv_column(&table, "epoch"), test = nz_csv_column(&table, "test_top1_pct");
    assert_string_equal(nz_csv_cell(&table, 2, epoch), "2.6"); /* 13 steps of 5 */
    assert_string_equal(nz_csv_cell(&table, 0, test), "");
    assert_string_not_equal(nz_csv_cell(&table, 1, test), "");
    assert_string_not_equal(nz_csv_cell(&table, 2, test), ""); /* the last one always */
    assert_non_null(strstr(nz_graph_meta(graph, "netzip.train"), "epochs=2.5,batch=32,lr=0.1,"));
    assert_string_equal(nz_graph_meta(graph, "netzip.preprocess"), "scale=1/255");
    /* A finished run that is resumed has nothing to do but to hand out its model. */
    files.resume = true;
    nz_assert_ok(go(&again, NULL, &b, &files, NULL, NULL));
    assert_same_weights(graph, again);
    bench_done(&b);
}

static void test_the_seed_decides(void **unused) {
    (void)unused;
    bench a = small("seed=1"), b = small("seed=2");
    a.options.threads = 2; /* the same bytes with several, too */
    NZ_AUTO_GRAPH nz_graph *first = NULL, *second = NULL, *other = NULL;
    nz_assert_ok(go(&first, NULL, &a, NULL, NULL, NULL));
    nz_assert_ok(go(&second, NULL, &a, NULL, NULL, NULL));
    nz_assert_ok(go(&other, NULL, &b, NULL, NULL, NULL));
    assert_same_weights(first, second);
    int value = nz_graph_find_value(first, "conv1.weight");
    assert_memory_not_equal(first->values[value].constant.data, other->values[value].constant.data, 64);
    bench_done(&a);
    bench_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_resumed_run_ends_with_the_same_bytes),
        cmocka_unit_test(test_adamw_with_clipping_resumes_too),
        cmocka_unit_test(test_checkpoints_of_other_runs_are_refused),
        cmocka_unit_test(test_broken_checkpoints_are_named),
        cmocka_unit_test(test_a_loss_that_is_no_number_stops),
        cmocka_unit_test(test_a_run_lost_by_its_last_step_is_no_model),
        cmocka_unit_test(test_what_is_not_finite_is_told_apart),
        cmocka_unit_test(test_a_state_that_is_no_number_is_never_kept),
        cmocka_unit_test(test_a_checkpoint_that_cannot_be_written_ends_nothing),
        cmocka_unit_test(test_what_does_not_fit_is_told_before_training),
        cmocka_unit_test(test_broken_samples_are_counted_and_named),
        cmocka_unit_test(test_nothing_readable_is_an_error),
        cmocka_unit_test(test_any_batch_can_be_had_alone),
        cmocka_unit_test(test_auto_augments_by_size_and_colour),
        cmocka_unit_test(test_every_test_sample_counts_once),
        cmocka_unit_test(test_a_softmax_at_the_end_changes_nothing),
        cmocka_unit_test(test_hits_are_counted_by_the_rule_of_ties),
        cmocka_unit_test(test_updates_match_their_equations),
        cmocka_unit_test(test_clipping_sees_no_masked_gradients),
        cmocka_unit_test(test_sgd_is_pytorchs),
        cmocka_unit_test(test_hooks_are_heard_and_kept),
        cmocka_unit_test(test_history_and_metadata),
        cmocka_unit_test(test_the_seed_decides),
    };
    return cmocka_run_group_tests_name("train_loop", tests, NULL, NULL);
}
