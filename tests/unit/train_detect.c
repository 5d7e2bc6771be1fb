/* SPDX-License-Identifier: Apache-2.0 */
/* Detectors in training: the head by structure, a network that learns scenes by heart, stopping and resuming, hooks. */
#include "core/csv.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/npz.h"
#include "graph/build.h"
#include "graphs.h"
#include "netzip/arch.h"
#include "test.h"
#include "train/head.h"
#include "train/trainer.h"
#include "train_bench.h"

#define SCENES "synthetic:shapes-det,count=8,size=64"

static bench bench_of(const char *data, int64_t side, const char *options) {
    bench b = {0};
    nz_assert_ok(nz_train_options_read(&b.options, options));
    nz_assert_ok(nz_data_open(&b.train, data, NULL, NZ_DATA_TRAIN, NULL));
    nz_assert_ok(nz_data_open(&b.test, data, NULL, NZ_DATA_TRAIN, NULL)); /* by heart: the same */
    nz_assert_ok(nz_arch_build(&b.graph, "yolov5-tiny",
                               &(nz_arch_options){.classes = 10, .height = side, .width = side, .seed = 1}));
    return b;
}

/* ---- the head ---- */

static void test_levels_are_found_by_structure(void **unused) {
    (void)unused;
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO(nz_head_places_done) nz_head_places places = {0};
    nz_assert_ok(nz_arch_build(&graph, "yolov5-tiny", &(nz_arch_options){.classes = 3, .height = 64, .width = 64}));
    nz_assert_ok(nz_head_find(&places, graph));
    assert_int_equal(places.count, 3);
    for (size_t i = 0; i < places.count; i++) {
        const nz_value *value = &graph->values[nz_graph_find_value(graph, places.names[i])];
        assert_string_equal(graph->nodes[value->producer].op_type, "Conv");
    }
}

static nz_levels three(void) {
    nz_levels levels = {.count = 3, .anchors = 3, .stride = {8, 16, 32}};
    for (size_t l = 0; l < 3; l++)
        for (size_t a = 0; a < 3; a++) levels.anchor[l][a][0] = levels.anchor[l][a][1] = 10.0 * (double)(1 + l + a);
    return levels;
}

static void test_levels_are_put_in_order(void **unused) {
    (void)unused;
    const nz_levels levels = three();
    nz_shape shapes[3] = {{4, {2, 24, 2, 4}}, {4, {2, 24, 8, 16}}, {4, {2, 24, 4, 8}}};
    size_t order[3], classes = 0;
    nz_assert_ok(nz_head_order(order, &classes, shapes, 3, &levels, 64, 128));
    assert_true(order[0] == 1 && order[1] == 2 && order[2] == 0 && classes == 3);
    nz_assert_fails(nz_head_order(order, &classes, shapes, 2, &levels, 64, 128), NZ_E_UNSUPPORTED, "each stride");
    nz_assert_fails(nz_head_order(order, &classes, shapes, 3, &levels, 64, 64), NZ_E_UNSUPPORTED, "strides");
    shapes[1].dim[1] = 25;
    nz_assert_fails(nz_head_order(order, &classes, shapes, 3, &levels, 64, 128), NZ_E_UNSUPPORTED, "same channels");
    for (int i = 0; i < 3; i++) shapes[i].dim[1] = 15;
    nz_assert_fails(nz_head_order(order, &classes, shapes, 3, &levels, 64, 128), NZ_E_UNSUPPORTED, "5 + classes");
}

static void test_what_does_not_fit_is_refused(void **unused) {
    (void)unused;
    NZ_AUTO_GRAPH nz_graph *graph = NULL, *classifier = NULL;
    bench b = bench_of(SCENES, 64, "epochs=1,batch=4,threads=1");
    nz_graph_free(b.graph);
    nz_assert_ok(nz_arch_build(&b.graph, "yolov5-tiny", &(nz_arch_options){.classes = 4, .height = 64, .width = 64}));
    nz_assert_fails(go(&graph, NULL, &b, NULL, NULL, NULL), NZ_E_SHAPE, "10 classes, and the model's head 4");
    nz_graph_free(b.graph);
    b.graph = NULL;
    nz_assert_ok(nz_arch_build(&classifier, "resnet8", &(nz_arch_options){.classes = 10, .height = 64, .width = 64}));
    b.graph = NZ_STEAL(classifier);
    nz_assert_fails(go(&graph, NULL, &b, NULL, NULL, NULL), NZ_E_UNSUPPORTED, "YOLOv5 head");
    bench_done(&b);
}

/* Three levels of a head without objectness, [1, 14, 84] for 64x64. */
static nz_graph *yolov8(void) {
    nz_graph *g = NULL;
    nz_assert_ok(nz_graph_new(&g));
    int x = graph_input(g, "image", NZ_F32, SHAPE(1, 3, 64, 64)), rows[3];
    for (int level = 0; level < 3; level++) {
        const int64_t stride = 8 << level;
        int w = graph_constant(g, NZ_F32, SHAPE(14, 3, 1, 1), 0.1, 0.001);
        int map = graph_node(g, "Conv", x, w);
        nz_assert_ok(nz_node_set_ints(graph_last(g), "strides", (const int64_t[]){stride, stride}, 2));
        rows[level] = graph_node(g, "Reshape", map, graph_constant(g, NZ_I64, SHAPE(3), 0, 0));
        int64_t *shape = g->values[g->nodes[g->node_count - 1].inputs[1]].constant.data;
        shape[0] = 1, shape[1] = 14, shape[2] = -1;
    }
    int all = graph_node(g, "Concat", rows[0], rows[1], rows[2]);
    nz_assert_ok(nz_node_set_int(graph_last(g), "axis", 2));
    graph_finish(g, all);
    return g;
}

static void test_other_heads_and_losses_are_refused(void **unused) {
    (void)unused;
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    bench b = bench_of(SCENES, 64, "epochs=1,batch=1,threads=1,loss=mse");
    nz_assert_fails(go(&graph, NULL, &b, NULL, NULL, NULL), NZ_E_ARG, "loss=mse is for classifiers");
    b.options.loss = NZ_LOSS_CROSS_ENTROPY;
    nz_graph_free(b.graph);
    b.graph = yolov8();
    nz_assert_fails(go(&graph, NULL, &b, NULL, NULL, NULL), NZ_E_UNSUPPORTED, "yolov8's by its outputs; only YOLOv5's");
    nz_graph_free(b.graph);
    nz_assert_ok(nz_arch_build(&b.graph, "yolov5-tiny", &(nz_arch_options){.classes = 10, .height = 64, .width = 64}));
    nz_assert_ok(nz_graph_set_meta(b.graph, "netzip.detect", "head=yolox")); /* it could be trained, not tested */
    nz_assert_fails(go(&graph, NULL, &b, NULL, NULL, NULL), NZ_E_UNSUPPORTED, "not those of a detector");
    assert_null(graph);
    bench_done(&b);
}

/* ---- learning ---- */

static void test_scenes_are_learnt_by_heart(void **unused) {
    (void)unused;
    bench b = bench_of("synthetic:shapes-det,count=8,size=96", 96,
                       "epochs=100,batch=4,lr=0.01,threads=1,augment=none,evaluate_every=0,weight_decay=0");
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO(nz_train_report_done) nz_train_report report = {0};
    nz_assert_ok(go(&graph, &report, &b, NULL, NULL, NULL));
    assert_true(report.detector && report.epoch_count == 100);
    const nz_train_epoch *first = &report.epochs[0], *last = &report.epochs[99];
    assert_true(last->test_map50_pct > 60 && last->test_map50_pct <= 100);
    assert_true(last->test_map50_95_pct > 20 && last->test_map50_95_pct <= last->test_map50_pct);
    assert_true(last->train_loss < first->train_loss / 2);
    nz_assert_near(last->box_loss + last->object_loss + last->class_loss, last->train_loss, 1e-9, 0);
    nz_assert_nan(last->train_top1_pct);
    nz_assert_nan(first->test_map50_pct); /* not evaluated there */
    assert_non_null(strstr(nz_graph_meta(graph, "netzip.train"), "optimizer=adamw"));
    assert_non_null(strstr(nz_graph_meta(graph, "netzip.train"), "ema=0.9999"));
    bench_done(&b);
}

/* ---- stopping and going on ---- */

static void check_resume(const char *options, int stop, const char *stopped) {
    bench b = bench_of("synthetic:shapes-det,count=24,size=64", 64, options);
    NZ_AUTO_GRAPH nz_graph *whole = NULL, *rest = NULL;
    NZ_AUTO(nz_train_report_done) nz_train_report one = {0};
    NZ_AUTO(nz_train_report_done) nz_train_report two = {0};
    nz_train_files files = {.checkpoint = nz_test_file("detector.npz"), .resume = true};
    watcher u = {.left = stop};
    nz_progress progress = {.step = user_step, .user = &u};
    nz_assert_ok(go(&whole, &one, &b, NULL, NULL, NULL));
    nz_assert_fails(go(&rest, NULL, &b, &files, NULL, &progress), NZ_E_CANCELLED, stopped);
    nz_assert_ok(go(&rest, &two, &b, &files, NULL, NULL));
    assert_true(two.resumed && one.epoch_count == two.epoch_count);
    assert_same_weights(whole, rest);
    for (size_t i = 0; i < one.epoch_count; i++)
        for (size_t c = 0; c < NZ_EPOCH_COLUMNS; c++) {
            if (strstr(nz_epoch_columns[c].name, "_s") || strcmp(nz_epoch_columns[c].name, "seconds") == 0) continue;
            double left = *nz_epoch_cell(&one.epochs[i], c), right = *nz_epoch_cell(&two.epochs[i], c);
            if (!(left == right || (isnan(left) && isnan(right))))
                fail_msg("epoch %zu: %s is %.17g and %.17g", i, nz_epoch_columns[c].name, left, right);
        }
    bench_done(&b);
}

static void test_resumed_runs_end_alike(void **unused) {
    (void)unused;
    check_resume("epochs=3,batch=8,threads=1,evaluate_every=0,checkpoint_minutes=0", 4, "stopped at step 4 of 9");
    check_resume("epochs=3,batch=8,threads=1,evaluate_every=0,checkpoint_minutes=0,optimizer=sgd,ema=0", 5,
                 "stopped at step 5 of 9");
}

/* Where the decoding is not in the graph, metadata alone says what boxes mean. */
static void test_other_anchors_are_another_run(void **unused) {
    (void)unused;
    bench b = bench_of(SCENES, 64, "epochs=2,batch=4,threads=1,evaluate_every=0,checkpoint_minutes=0");
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    nz_train_files files = {.checkpoint = nz_test_file("anchors.npz"), .resume = true};
    watcher u = {.left = 3};
    nz_progress progress = {.step = user_step, .user = &u};
    nz_assert_fails(go(&graph, NULL, &b, &files, NULL, &progress), NZ_E_CANCELLED, "stopped");
    nz_assert_ok(nz_graph_set_meta(b.graph, "netzip.detect", NULL));
    nz_assert_fails(go(&graph, NULL, &b, &files, NULL, NULL), NZ_E_ARG, "detect is 'head=yolov5,anchors=");
    bench_done(&b);
}

/* An earlier netzip's checkpoint lacks arrays; what is said is its version. */
static void test_earlier_checkpoints_are_refused(void **unused) {
    (void)unused;
    static char identity[] = "checkpoint 1\nmodel x\n";
    const char *const names[] = {"identity"};
    bench b = bench_of(SCENES, 64, "epochs=1,batch=4,threads=1");
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    nz_train_files files = {.checkpoint = nz_test_file("earlier.npz"), .resume = true};
    nz_tensor text = nz_tensor_borrow(NZ_U8, &SHAPE(sizeof identity - 1), identity);
    nz_assert_ok(nz_npz_write(files.checkpoint, names, &text, 1));
    nz_assert_fails(go(&graph, NULL, &b, &files, NULL, NULL), NZ_E_ARG, "a checkpoint of another version");
    bench_done(&b);
}

static void take_note(void *user, const char *text) {
    if (strstr(text, "does not say its anchors")) ++*(int *)user;
}

static void test_anchors_are_told(void **unused) {
    (void)unused;
    bench b = bench_of(SCENES, 64, "epochs=1,batch=8,threads=1,evaluate_every=0");
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    int notes = 0;
    nz_progress progress = {.note = take_note, .user = &notes};
    nz_data_free(b.test);
    b.test = NULL;
    nz_assert_ok(go(&graph, NULL, &b, NULL, NULL, &progress));
    assert_int_equal(notes, 0);
    nz_graph_free(graph);
    graph = NULL;
    nz_assert_ok(nz_graph_set_meta(b.graph, "netzip.detect", NULL));
    nz_assert_ok(go(&graph, NULL, &b, NULL, NULL, &progress));
    assert_int_equal(notes, 1);
    assert_string_equal(nz_graph_meta(graph, "netzip.detect"),
                        "anchors=10x13+16x30+33x23/30x61+62x45+59x119/116x90+156x198+373x326,strides=8+16+32");
    bench_done(&b);
}

/* ---- averages ---- */

static void test_averages_follow_their_equation(void **unused) {
    (void)unused;
    bench b = bench_of(SCENES, 64, "epochs=1,batch=4");
    NZ_AUTO(nz_average_done) nz_average average = {0};
    nz_engine *engine = NULL;
    nz_assert_ok(nz_engine_open(&engine, b.graph, &(nz_engine_options){.batch = 2, .threads = 1}));
    nz_assert_ok(nz_average_init(&average, engine, 0.9));
    nz_param *p = nz_engine_param(engine, 0);
    float before = p->value[0];
    for (size_t i = 0; i < p->elements; i++) p->value[i] += 1;
    nz_average_step(&average, 2000);
    double keep = 0.9 * (1 - exp(-1));
    nz_assert_near(average.params[0][0], before + (1 - (float)keep), 1e-6, 1e-6);
    float moved = p->value[0], held = average.params[0][0];
    nz_average_exchange(&average);
    assert_true(p->value[0] == held && average.params[0][0] == moved);
    nz_average_exchange(&average);
    assert_true(p->value[0] == moved && average.params[0][0] == held);
    size_t count = (size_t)nz_shape_elements(&p->shape);
    float *mask = calloc(count, sizeof *mask);
    nz_assert_ok(nz_engine_mask(engine, p, mask)); /* all 0 */
    nz_average_exchange(&average);
    for (size_t i = 0; i < p->elements; i++) assert_true(p->value[i] == 0);
    free(mask);
    nz_engine_free(engine);
    bench_done(&b);
}

/* ---- hooks ---- */

typedef struct method {
    int adds;
    size_t levels;
    double pushed;
} method;

/* Levels by resolution, before the sigmoid; what is added there arrives. */
static nz_status add_gradients(void *user, const nz_train_state *state, double *loss, float *doutput) {
    method *m = user;
    assert_null(doutput);
    assert_null(state->labels);
    assert_int_equal(state->output_count, 3);
    assert_true(state->loss_scale == 4 && *loss > 0);
    for (size_t i = 0; i < 3; i++) {
        const nz_train_output *o = &state->outputs[i];
        assert_true(o->shape.rank == 4 && o->shape.dim[0] == 4 && o->shape.dim[1] == 45);
        assert_int_equal(o->shape.dim[2], 64 >> (3 + i));
        for (int64_t k = 0; k < nz_shape_elements(&o->shape); k++) {
            assert_true(isfinite(o->value[k]));
            o->gradient[k] += (float)m->pushed;
        }
    }
    m->adds++;
    return NZ_OK;
}

static nz_status begin(void *user, nz_engine *engine, bool restored) {
    method *m = user;
    assert_false(restored);
    m->levels = (size_t)nz_shape_elements(nz_engine_tap_shape(engine, 0)); /* the hooks' own tap comes first */
    return NZ_OK;
}

static void test_hooks_see_levels(void **unused) {
    (void)unused;
    bench b = bench_of(SCENES, 64, "epochs=1,batch=4,threads=1,evaluate_every=0,augment=none");
    NZ_AUTO_GRAPH nz_graph *one = NULL, *two = NULL;
    const char *tap = NULL;
    for (size_t n = 0; n < b.graph->node_count && !tap; n++)
        if (strcmp(b.graph->nodes[n].op_type, "Conv") == 0) tap = b.graph->values[b.graph->nodes[n].outputs[0]].name;
    method m = {0};
    nz_train_hooks hooks = {
        .user = &m, .begin = begin, .add_gradients = add_gradients, .taps = &tap, .tap_count = 1, .identity = "m"};
    nz_assert_ok(go(&one, NULL, &b, NULL, &hooks, NULL));
    assert_int_equal(m.adds, 2);
    assert_int_equal(m.levels, 4 * 8 * 32 * 32);
    NZ_AUTO_FREE char *said = NULL;
    nz_assert_ok(nz_strdup(&said, nz_graph_meta(b.graph, "netzip.detect")));
    assert_string_equal(nz_graph_meta(one, "netzip.detect"), said);
    m.pushed = 0.1;
    nz_assert_ok(go(&two, NULL, &b, NULL, &hooks, NULL));
    bool moved = false;
    for (size_t i = 0; i < one->value_count && !moved; i++)
        if (one->values[i].constant.data)
            moved = memcmp(one->values[i].constant.data, two->values[i].constant.data, one->values[i].constant.bytes);
    assert_true(moved);
    bench_done(&b);
}

/* ---- anchors ---- */

static void test_fitted_anchors_fit(void **unused) {
    (void)unused;
    nz_dataset *data = NULL;
    NZ_AUTO_FREE char *text = NULL, *again = NULL, *option = NULL;
    NZ_AUTO(nz_detect_options_done) nz_detect_options options = {0};
    nz_levels levels = three();
    nz_assert_ok(nz_data_open(&data, "synthetic:shapes-det,count=60,size=128", NULL, NZ_DATA_TRAIN, NULL));
    nz_assert_ok(nz_anchors_fit(&text, data, &levels, 4, 1));
    nz_assert_ok(nz_anchors_fit(&again, data, &levels, 4, 1));
    assert_string_equal(text, again);
    nz_assert_ok(nz_format(&option, "anchors=%s", text));
    nz_assert_ok(nz_detect_options_read(&options, option, NULL));
    nz_assert_ok(nz_levels_get(&levels, &options));
    assert_true(nz_anchor_recall(data, &levels, 1.7) > 0.95);
    levels = three();
    for (size_t l = 0; l < 3; l++)
        for (size_t a = 0; a < 3; a++) levels.anchor[l][a][0] = 1000;
    assert_true(nz_anchor_recall(data, &levels, 4) == 0);
    nz_data_free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels_are_found_by_structure),
        cmocka_unit_test(test_levels_are_put_in_order),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_other_heads_and_losses_are_refused),
        cmocka_unit_test(test_scenes_are_learnt_by_heart),
        cmocka_unit_test(test_other_anchors_are_another_run),
        cmocka_unit_test(test_earlier_checkpoints_are_refused),
        cmocka_unit_test(test_resumed_runs_end_alike),
        cmocka_unit_test(test_averages_follow_their_equation),
        cmocka_unit_test(test_anchors_are_told),
        cmocka_unit_test(test_hooks_see_levels),
        cmocka_unit_test(test_fitted_anchors_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
