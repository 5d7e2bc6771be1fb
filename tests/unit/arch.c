/* SPDX-License-Identifier: Apache-2.0 */
/* Known architectures: their parameters and multiplications are those of the published networks, their names those of the
 * checkpoints, their initial weights the same everywhere. */
#include "netzip/arch.h"

#include "core/text.h"
#include "graph/arch.h"
#include "graphs.h"
#include "netzip/metric.h"
#include "netzip/onnx.h"
#include "netzip/pass.h"
#include "netzip/runtime.h"

/* Counted in torchvision's models (YOLOv5: in its published checkpoint and configuration; for CIFAR: the networks of arXiv 1512.03385, 4.2, under the names of their published
 * checkpoints): parameters; multiplications of convolutions and linear layers at the network's own image size; keys of the
 * state dictionary without num_batches_tracked (and anchors); and FNV-1a over its sorted lines "KEY EXTENTxEXTENT...\n". */
static const struct published {
    const char *name;
    uint64_t params, macs;
    size_t keys;
    uint64_t hash;
} published[] = {
    {"resnet18", 11689512, 1814073344, 102, 0xc340bda65f536872},
    {"resnet34", 21797672, 3663761408, 182, 0x29f522befd56d7ea},
    {"resnet50", 25557032, 4089184256, 267, 0x536158e742196701},
    {"resnet20-cifar", 269722, 40551040, 97, 0xeb5115867433f6f2},
    {"resnet32-cifar", 464154, 68862592, 157, 0xab119ffa70a77bfe},
    {"resnet44-cifar", 658586, 97174144, 217, 0x9b228669fc84125a},
    {"resnet56-cifar", 853018, 125485696, 277, 0x3cab006e7ba213d6},
    {"vgg11", 132863336, 7609090048, 22, 0xcdb2806472c0a5db},
    {"vgg11-bn", 132868840, 7609090048, 54, 0x19c80c353639048b},
    {"vgg13", 133047848, 11308466176, 26, 0xa73ef2d42f54652c},
    {"vgg13-bn", 133053736, 11308466176, 66, 0xe6636adf329ecbe4},
    {"vgg16", 138357544, 15470264320, 32, 0xd903676470699f1a},
    {"vgg16-bn", 138365992, 15470264320, 84, 0xec160d1ebfad7723},
    {"mobilenetv2", 3504872, 300774272, 262, 0xfb177d8f06753e7f},
    {"squeezenet1.1", 1235496, 349151936, 52, 0x19ac5599a75b445e},
    {"yolov5-tiny", 452311, 35824000, 291, 0x4536d4fda4c09080},
    {"yolov5n", 1872157, 2234060800, 291, 0x4130960443deece7},
    {"yolov5s", 7235389, 8216780800, 291, 0xaa8ee3275f286339},
    {"yolov5m", 21190557, 24436224000, 401, 0x4abf0264876e833b},
};

static nz_graph *build(const char *name, const nz_arch_options *options) {
    nz_graph *graph = NULL;
    nz_assert_ok(nz_arch_build(&graph, name, options));
    return graph;
}

static const nz_tensor *constant(const nz_graph *graph, const char *name) {
    int value = nz_graph_find_value(graph, name);
    if (value < 0 || !nz_value_is_constant(graph, value)) fail_msg("there is no constant %s", name);
    return &graph->values[value].constant;
}

static bool in_state(const char *name) {
    static const char *const ends[] = {".weight", ".bias", ".running_mean", ".running_var"};
    for (size_t i = 0; i < NZ_COUNT(ends); i++) {
        size_t length = strlen(name), end = strlen(ends[i]);
        if (length > end && strcmp(name + length - end, ends[i]) == 0) return true;
    }
    return false;
}

static int compare_lines(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static uint64_t state_hash(const nz_graph *graph, size_t *ret_keys) {
    static char *lines[1024];
    uint64_t hash = 0xcbf29ce484222325u;
    size_t count = 0;
    char shape[112];
    for (size_t i = 0; i < graph->value_count; i++) {
        const nz_value *v = &graph->values[i];
        if (!v->constant.data || !in_state(v->name)) continue;
        assert_true(count < NZ_COUNT(lines));
        nz_assert_ok(nz_format(&lines[count++], "%s %s\n", v->name, nz_shape_text(&v->shape, shape)));
    }
    qsort(lines, count, sizeof *lines, compare_lines);
    for (size_t i = 0; i < count; i++) {
        for (const char *c = lines[i]; *c; c++) hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
        free(lines[i]);
    }
    *ret_keys = count;
    return hash;
}

static void test_published(void **state) {
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(published); i++) {
        const struct published *p = &published[i];
        NZ_AUTO_GRAPH nz_graph *graph = build(p->name, &(nz_arch_options){.blank = true});
        NZ_AUTO(nz_graph_facts_done) nz_graph_facts facts = {0};
        size_t keys = 0;
        uint64_t hash = state_hash(graph, &keys);
        if (keys != p->keys || hash != p->hash)
            fail_msg("%s: %zu keys, hash %016llx", p->name, keys, (unsigned long long)hash);
        nz_assert_ok(nz_graph_facts_get(&facts, graph, NULL, 0));
        assert_true(facts.macs_known);
        if (facts.params != p->params || facts.macs != p->macs)
            fail_msg("%s: %llu parameters, %llu multiplications", p->name, (unsigned long long)facts.params,
                     (unsigned long long)facts.macs);
    }
}

static void test_list(void **state) {
    (void)state;
    size_t count = 0;
    for (const nz_arch_info *a; (a = nz_arch_at(count)); count++) {
        assert_true(*a->help && a->classes > 1 && a->channels > 0 && a->height > 0 && a->width > 0);
        for (size_t j = 0; j < count; j++) assert_string_not_equal(a->name, nz_arch_at(j)->name);
        NZ_AUTO_GRAPH nz_graph *graph = build(a->name, &(nz_arch_options){.blank = true});
        const nz_value *in = &graph->values[graph->inputs[0]], *out = &graph->values[graph->outputs[0]];
        assert_int_equal(graph->input_count, 1);
        assert_int_equal(graph->output_count, 1);
        assert_true(nz_shape_equal(&in->shape, &SHAPE(-1, a->channels, a->height, a->width)));
        int64_t boxes = 0;
        for (int l = 0; a->detector && l < NZ_ARCH_LEVELS; l++)
            boxes += NZ_ARCH_ANCHORS * (a->height / a->detector->strides[l]) * (a->width / a->detector->strides[l]);
        assert_true(nz_shape_equal(&out->shape, boxes ? &SHAPE(-1, boxes, 5 + a->classes) : &SHAPE(-1, a->classes)));
        assert_string_equal(in->name, "input");
        assert_string_equal(out->name, "output");
        assert_string_equal(in->dim_names[0], "N");
        assert_string_equal(out->dim_names[0], "N");
        assert_string_equal(graph->name, a->name);
    }
    assert_int_equal(count, NZ_COUNT(published) + 1);
}

/* The network of MLPerf Tiny has 77,706 once its normalisation is folded. */
static void test_resnet8(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *graph = build("resnet8", NULL), *folded = NULL;
    NZ_AUTO(nz_graph_facts_done) nz_graph_facts facts = {0}, after = {0};
    nz_assert_ok(nz_graph_facts_get(&facts, graph, NULL, 0));
    assert_int_equal(facts.params, 78042);
    assert_int_equal(facts.macs, 12501632);
    nz_assert_ok(nz_pass_fold_batchnorm(&folded, graph));
    nz_assert_ok(nz_graph_facts_get(&after, folded, NULL, 0));
    assert_int_equal(after.params, 77706);
    assert_int_equal(after.macs, 12501632);
}

static void test_options(void **state) {
    (void)state;
    nz_arch_options options = {.classes = 7, .channels = 1, .height = 20, .width = 28};
    NZ_AUTO_GRAPH nz_graph *graph = build("resnet20-cifar", &options);
    nz_graph *none = NULL;
    assert_true(nz_shape_equal(&constant(graph, "conv1.weight")->shape, &SHAPE(16, 1, 3, 3)));
    assert_true(nz_shape_equal(&constant(graph, "linear.bias")->shape, &SHAPE(7)));
    assert_true(nz_shape_equal(&graph->values[graph->inputs[0]].shape, &SHAPE(-1, 1, 20, 28)));
    nz_assert_fails(nz_arch_build(&none, "resnet-18", NULL), NZ_E_ARG, "did you mean 'resnet18'?");
    nz_assert_fails(nz_arch_build(&none, "??????????", NULL), NZ_E_ARG, "netzip train --list");
    nz_assert_fails(nz_arch_build(&none, "vgg11", &(nz_arch_options){.height = 31, .blank = true}), NZ_E_ARG,
                    "31x224 pixels (height x width) are too small");
    nz_assert_fails(nz_arch_build(&none, "squeezenet1.1", &(nz_arch_options){.height = 25, .width = 24}), NZ_E_ARG,
                    "25x24 pixels");
    nz_assert_fails(nz_arch_build(&none, "resnet8", &(nz_arch_options){.classes = -1}), NZ_E_ARG, "-1 classes");
    nz_assert_fails(nz_arch_build(&none, "resnet8", &(nz_arch_options){.width = 65536}), NZ_E_ARG, "columns of pixels");
    nz_assert_fails(nz_arch_build(&none, "resnet8", &(nz_arch_options){.channels = 1 << 20}), NZ_E_ARG, "channels");
    assert_null(none);
    nz_graph_free(build("squeezenet1.1", &(nz_arch_options){.height = 25, .width = 25, .blank = true}));
    nz_graph_free(build("resnet50", &(nz_arch_options){.height = 1, .width = 1, .blank = true}));
}

static double deviation(const nz_tensor *t) {
    double squares = 0;
    int64_t count = nz_shape_elements(&t->shape);
    for (int64_t i = 0; i < count; i++) squares += nz_tensor_real(t, i) * nz_tensor_real(t, i);
    return sqrt(squares / (double)count);
}

static void assert_same(const nz_graph *a, const nz_graph *b, const char *name) {
    const nz_tensor *x = constant(a, name), *y = constant(b, name);
    assert_int_equal(x->bytes, y->bytes);
    assert_memory_equal(x->data, y->data, x->bytes);
}

static void test_initial_weights(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *a =
        build("resnet18", &(nz_arch_options){.classes = 10, .height = 32, .width = 32, .seed = 3});
    NZ_AUTO_GRAPH nz_graph *b = build("resnet18", &(nz_arch_options){.seed = 3});
    NZ_AUTO_GRAPH nz_graph *c = build("resnet18", &(nz_arch_options){.seed = 4});
    for (size_t i = 0; i < a->value_count; i++)
        if (a->values[i].constant.data && strncmp(a->values[i].name, "fc.", 3) != 0)
            assert_same(a, b, a->values[i].name);
    assert_memory_not_equal(constant(b, "conv1.weight")->data, constant(c, "conv1.weight")->data, 64);
    assert_memory_not_equal(constant(b, "layer1.0.conv1.weight")->data, constant(b, "layer1.0.conv2.weight")->data, 64);
    nz_assert_near(deviation(constant(b, "conv1.weight")), sqrt(2.0 / (64 * 49)), 0.03, 0);
    nz_assert_near(deviation(constant(b, "layer3.0.conv1.weight")), sqrt(2.0 / (256 * 9)), 0.01, 0);
    nz_assert_near(deviation(constant(b, "fc.weight")), 1 / sqrt(3 * 512.0), 0.01, 0);
    nz_assert_near(deviation(constant(b, "layer2.1.bn2.weight")), 1, 0, 0);
    nz_assert_near(deviation(constant(b, "layer2.1.bn2.running_var")), 1, 0, 0);
    nz_assert_near(deviation(constant(b, "layer2.1.bn2.bias")), 0, 0, 0);
    nz_assert_near(deviation(constant(b, "layer2.1.bn2.running_mean")), 0, 0, 0);
    NZ_AUTO_GRAPH nz_graph *d = build("squeezenet1.1", NULL), *e = build("resnet20-cifar", NULL);
    nz_assert_near(deviation(constant(d, "features.12.expand3x3.weight")), sqrt(2.0 / (64 * 9)), 0.01, 0);
    nz_assert_near(deviation(constant(d, "classifier.1.weight")), 0.01, 0.01, 0);
    nz_assert_near(deviation(constant(e, "layer3.0.conv1.weight")), sqrt(2.0 / (32 * 9)), 0.02, 0);
}

/* Exact arithmetic alone: every machine and compiler has these. */
static void test_first_weights(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *graph = build("resnet8", &(nz_arch_options){.seed = 1});
    static const float expected[] = {0x1.e0bf46p-4f, 0x1.26d56ep-3f,  -0x1.7ca672p-6f, -0x1.db19a4p-5f,
                                     0x1.956ffp-5f,  -0x1.d05364p-4f, -0x1.3cad6cp-2f, 0x1.fa3168p-5f};
    assert_memory_equal(constant(graph, "layer1.0.conv1.weight")->data, expected, sizeof expected);
}

static void test_blank(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *graph = build("resnet8", &(nz_arch_options){.blank = true});
    nz_assert_near(deviation(constant(graph, "layer3.0.conv2.weight")), 0, 0, 0);
    nz_assert_near(deviation(constant(graph, "fc.bias")), 0, 0, 0);
    nz_assert_near(deviation(constant(graph, "bn1.running_var")), 1, 0, 0);
}

/* One word between an input of 2 samples and an output, run. Returns the output's elements; free(). */
static float *run_word(nz_shape in, const float *x, nz_shape *ret_shape,
                       nz_arch_map (*word)(nz_arch *, nz_arch_map, const char *, int64_t), int64_t argument) {
    NZ_AUTO_GRAPH nz_graph *g = NULL;
    nz_session *session = NULL;
    nz_assert_ok(nz_graph_new(&g));
    nz_arch arch = {.graph = g, .name = "test"};
    nz_arch_map map = {graph_input(g, "input", NZ_F32, in), in.dim[1], in.dim[2], in.dim[3]};
    map = nz_arch_add_relu(&arch, word(&arch, map, "word", argument), "relu");
    nz_assert_ok(arch.status);
    graph_finish(g, map.value);
    nz_assert_ok(nz_session_open(&session, "native", g, NULL, &(nz_runtime_options){.threads = 1, .reference = true}));
    *ret_shape = nz_session_output(session, 0, NULL)->shape;
    assert_true(nz_shape_equal(ret_shape, &SHAPE(in.dim[0], map.channels, map.height, map.width)));
    float *y = calloc((size_t)nz_shape_elements(ret_shape), sizeof *y);
    nz_tensor input = nz_tensor_borrow(NZ_F32, &in, (void *)(uintptr_t)x),
              output = nz_tensor_borrow(NZ_F32, ret_shape, y);
    nz_assert_ok(nz_session_run(session, &input, &output));
    nz_session_free(session);
    return y;
}

static float *ramp(size_t count) {
    float *x = calloc(count, sizeof *x);
    for (size_t i = 0; i < count; i++) x[i] = (float)((i * 37 + 11) % 101);
    return x;
}

static void test_adaptive_pool(void **state) {
    (void)state;
    static const int64_t extents[][2] = {{1, 1}, {2, 2}, {3, 5}, {6, 8}, {7, 7}, {9, 13}, {14, 7}, {16, 1}, {21, 10}};
    for (size_t e = 0; e < NZ_COUNT(extents); e++) {
        int64_t h = extents[e][0], w = extents[e][1], side = 7;
        nz_shape shape;
        NZ_AUTO_FREE float *x = ramp((size_t)(4 * h * w));
        NZ_AUTO_FREE float *y = run_word(SHAPE(2, 2, h, w), x, &shape, nz_arch_add_adaptive_pool, side);
        for (int64_t i = 0; i < 4 * side * side; i++) {
            int64_t plane = i / (side * side), r = i / side % side, c = i % side;
            int64_t top = r * h / side, bottom = ((r + 1) * h + side - 1) / side;
            int64_t left = c * w / side, right = ((c + 1) * w + side - 1) / side;
            double sum = 0;
            for (int64_t a = top; a < bottom; a++)
                for (int64_t b = left; b < right; b++) sum += (double)x[(plane * h + a) * w + b];
            nz_assert_near(y[i], sum / (double)((bottom - top) * (right - left)), 1e-5, 0);
        }
    }
}

static void test_subsample(void **state) {
    (void)state;
    nz_shape shape;
    NZ_AUTO_FREE float *x = ramp(2 * 3 * 5 * 6);
    NZ_AUTO_FREE float *y = run_word(SHAPE(2, 3, 5, 6), x, &shape, nz_arch_add_subsample, 4);
    assert_true(nz_shape_equal(&shape, &SHAPE(2, 7, 3, 3)));
    for (size_t i = 0; i < 2 * 7 * 9; i++) {
        size_t n = i / 63, c = i / 9 % 7, r = i / 3 % 3, k = i % 3;
        float expected = c < 2 || c > 4 ? 0 : x[((n * 3 + c - 2) * 5 + 2 * r) * 6 + 2 * k];
        nz_assert_near(y[i], expected, 0, 0);
    }
}

/* What is written reads back as the same network and runs to finite scores. */
static void test_saved(void **state) {
    (void)state;
    static const char *const names[] = {"resnet8", "resnet20-cifar", "squeezenet1.1", "mobilenetv2"};
    for (size_t i = 0; i < NZ_COUNT(names); i++) {
        NZ_AUTO_GRAPH nz_graph *made = build(names[i], &(nz_arch_options){.classes = 4, .height = 33, .width = 33});
        NZ_AUTO_GRAPH nz_graph *read = NULL;
        nz_session *session = NULL;
        nz_assert_ok(nz_model_save(made, nz_test_file("arch.onnx")));
        nz_assert_ok(nz_model_load(&read, nz_test_file("arch.onnx")));
        nz_assert_ok(nz_session_open(&session, "native", read, NULL, &(nz_runtime_options){.threads = 1, .batch = 2}));
        NZ_AUTO_FREE float *x = ramp(2 * 3 * 33 * 33);
        float y[8] = {0};
        nz_shape in = SHAPE(2, 3, 33, 33), out = SHAPE(2, 4);
        nz_tensor input = nz_tensor_borrow(NZ_F32, &in, x), output = nz_tensor_borrow(NZ_F32, &out, y);
        nz_assert_ok(nz_session_run(session, &input, &output));
        nz_session_free(session);
        for (int k = 0; k < 8; k++) assert_true(isfinite(y[k]));
        assert_true(y[0] != y[1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),       cmocka_unit_test(test_list),
        cmocka_unit_test(test_resnet8),         cmocka_unit_test(test_options),
        cmocka_unit_test(test_initial_weights), cmocka_unit_test(test_first_weights),
        cmocka_unit_test(test_blank),           cmocka_unit_test(test_adaptive_pool),
        cmocka_unit_test(test_subsample),       cmocka_unit_test(test_saved),
    };
    return cmocka_run_group_tests_name("arch", tests, NULL, NULL);
}
