/* SPDX-License-Identifier: Apache-2.0 */
/* Methods on a small residual network made here: exact sparsity, deterministic ties, Q/DQ where they belong. */
#include "netzip/compress.h"
#include "compress/method.h"
#include "compress/ptq.h"
#include "core/random.h"
#include "graph/build.h"
#include "netzip/pass.h"
#include "netzip/runtime.h"
#include "test.h"
#include "trained_nets.h"

#include <strings.h>

static int add_weights(nz_graph *g, const char *name, nz_shape shape, uint64_t stream) {
    NZ_AUTO_TENSOR nz_tensor t = {0};
    int index = 0;
    nz_random random;
    nz_random_init(&random, 11, stream);
    nz_assert_ok(nz_tensor_init(&t, NZ_F32, &shape));
    for (int64_t i = 0; i < nz_shape_elements(&shape); i++)
        ((float *)t.data)[i] = ((float)nz_random_unit(&random) - 0.5f) / 2;
    nz_assert_ok(nz_graph_add_constant(g, &index, name, &t));
    return index;
}

/* input - conv1 - relu1 - conv2 - add(relu1) - relu2 - pool - flatten - gemm; conv1 without bias. 32x32, 10 classes. */
static nz_graph *residual_network_of(int64_t side) {
    nz_graph *g = NULL;
    int x = 0;
    nz_assert_ok(nz_graph_new(&g));
    nz_assert_ok(nz_graph_add_value(g, &x, "input", NZ_F32, &(nz_shape){.rank = 4, .dim = {-1, 3, side, side}}));
    nz_assert_ok(nz_graph_add_input(g, x));
    int w1 = add_weights(g, "w1", (nz_shape){.rank = 4, .dim = {8, 3, 3, 3}}, 1);
    int w2 = add_weights(g, "w2", (nz_shape){.rank = 4, .dim = {8, 8, 3, 3}}, 2);
    int b2 = add_weights(g, "b2", (nz_shape){.rank = 1, .dim = {8}}, 3);
    int w3 = add_weights(g, "w3", (nz_shape){.rank = 2, .dim = {8, 10}}, 4);
    int b3 = add_weights(g, "b3", (nz_shape){.rank = 1, .dim = {10}}, 5);
    int c1 = made_node(g, "Conv", "conv1", (int[]){x, w1}, 2);
    int r1 = made_node(g, "Relu", "relu1", &c1, 1);
    int c2 = made_node(g, "Conv", "conv2", (int[]){r1, w2, b2}, 3);
    int a = made_node(g, "Add", "add", (int[]){c2, r1}, 2);
    int r2 = made_node(g, "Relu", "relu2", &a, 1);
    int p = made_node(g, "GlobalAveragePool", "pool", &r2, 1);
    int f = made_node(g, "Flatten", "flatten", &p, 1);
    int y = made_node(g, "Gemm", "gemm", (int[]){f, w3, b3}, 3);
    nz_assert_ok(nz_graph_add_output(g, y));
    nz_assert_ok(nz_graph_finish(g));
    for (size_t n = 0; n < g->node_count; n++) g->nodes[n].opset = NZ_OPSET;
    return g;
}

static nz_graph *residual_network(void) { return residual_network_of(32); }

static nz_dataset *shapes(void) {
    nz_dataset *data = NULL;
    nz_assert_ok(nz_data_open(&data, "synthetic:shapes,limit=24,split=train", NULL, NZ_DATA_TRAIN,
                              (const int64_t[]){3, 32, 32}));
    return data;
}

static nz_graph *compress(const nz_graph *g, const char *method, nz_compress_report *report) {
    nz_graph *result = NULL;
    nz_dataset *data = strncasecmp(method, "ptq", 3) == 0 ? shapes() : NULL;
    nz_assert_ok(nz_compress(&result, report, g, method, data, 1, NULL));
    nz_data_free(data);
    return result;
}

static void pruning_reaches_the_exact_share_of_convolution_weights(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = residual_network();
    const char *const methods[] = {"gup-l1,sparsity=0.37", "gup-r,sparsity=0.37"};
    for (int m = 0; m < 2; m++) {
        NZ_AUTO_GRAPH nz_graph *pruned = compress(g, methods[m], NULL);
        assert_int_equal(zeros_of(constant(pruned, "w1")) + zeros_of(constant(pruned, "w2")),
                         lround(0.37 * (8 * 27 + 8 * 72)));
        assert_int_equal(zeros_of(constant(pruned, "w3")), 0);
    }
    assert_int_equal(zeros_of(constant(g, "w1")), 0); /* the model given stays as it was */
}

static void linear_weights_are_pruned_on_request(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = residual_network();
    NZ_AUTO_GRAPH nz_graph *pruned = compress(g, "gup-l1,sparsity=1,linear=1", NULL);
    assert_int_equal(zeros_of(constant(pruned, "w3")), 80);
}

static void l1_keeps_every_weight_larger_than_any_it_removes(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = residual_network();
    NZ_AUTO_GRAPH nz_graph *pruned = compress(g, "gup-l1,sparsity=0.5", NULL);
    double largest_removed = 0, smallest_kept = INFINITY;
    const char *const names[] = {"w1", "w2"};
    for (int k = 0; k < 2; k++) {
        const nz_tensor *before = constant(g, names[k]), *after = constant(pruned, names[k]);
        for (int64_t i = 0; i < nz_shape_elements(&before->shape); i++) {
            double w = fabs(nz_tensor_real(before, i));
            if (nz_tensor_real(after, i) == 0)
                largest_removed = fmax(largest_removed, w);
            else
                smallest_kept = fmin(smallest_kept, w);
        }
    }
    assert_true(largest_removed <= smallest_kept);
}

static void equal_magnitudes_are_removed_in_file_order(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = residual_network();
    nz_tensor *w1 = &g->values[nz_graph_find_value(g, "w1")].constant,
              *w2 = &g->values[nz_graph_find_value(g, "w2")].constant;
    for (int64_t i = 0; i < nz_shape_elements(&w1->shape); i++) ((float *)w1->data)[i] = i % 2 ? 0.25f : -0.25f;
    for (int64_t i = 0; i < nz_shape_elements(&w2->shape); i++) ((float *)w2->data)[i] = 0.25f;
    NZ_AUTO_GRAPH nz_graph *pruned =
        compress(g, "gup-l1,sparsity=0.5", NULL); /* 396 of 792: all 216 of w1, 180 of w2 */
    assert_int_equal(zeros_of(constant(pruned, "w1")), 216);
    const nz_tensor *after = constant(pruned, "w2");
    for (int64_t i = 0; i < 576; i++) assert_true((nz_tensor_real(after, i) == 0) == (i < 180));
}

static void random_pruning_repeats_for_a_seed_and_differs_between_seeds(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = residual_network();
    NZ_AUTO_GRAPH nz_graph *a = compress(g, "gup-r,seed=3", NULL);
    NZ_AUTO_GRAPH nz_graph *b = compress(g, "gup-r,seed=3", NULL);
    NZ_AUTO_GRAPH nz_graph *c = compress(g, "gup-r,seed=4", NULL);
    const nz_tensor *wa = constant(a, "w2"), *wb = constant(b, "w2"), *wc = constant(c, "w2");
    assert_memory_equal(wa->data, wb->data, wa->bytes);
    assert_memory_not_equal(wa->data, wc->data, wa->bytes);
}

static void half_storage_halves_the_bytes_and_casts_back(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = residual_network();
    NZ_AUTO_GRAPH nz_graph *half = compress(g, "fp16", NULL);
    const nz_tensor *w2 = constant(half, "w2_float16");
    assert_int_equal(w2->dtype, NZ_F16);
    assert_int_equal(w2->bytes, 576 * 2);
    assert_int_equal(count_op(half, "Cast"), 5);
    assert_int_equal(nz_graph_find_value(half, "w2"), -1);
}

/* x - conv - BatchNormalization - Mul by a constant: what is no parameter must keep its digits. */
static void statistics_and_anchors_stay_float(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = NULL;
    int x = 0;
    const nz_shape eight = {.rank = 1, .dim = {8}};
    nz_assert_ok(nz_graph_new(&g));
    nz_assert_ok(nz_graph_add_value(g, &x, "input", NZ_F32, &(nz_shape){.rank = 4, .dim = {-1, 3, 32, 32}}));
    nz_assert_ok(nz_graph_add_input(g, x));
    int c =
        made_node(g, "Conv", "conv", (int[]){x, add_weights(g, "w", (nz_shape){.rank = 4, .dim = {8, 3, 3, 3}}, 1)}, 2);
    int bn[5] = {c, add_weights(g, "gamma", eight, 2), add_weights(g, "beta", eight, 3),
                 add_weights(g, "mean", eight, 4), add_weights(g, "variance", eight, 5)};
    int b = made_node(g, "BatchNormalization", "bn", bn, 5);
    int anchors = add_weights(g, "anchors", (nz_shape){.rank = 4, .dim = {1, 1, 32, 32}}, 6);
    nz_assert_ok(nz_graph_add_output(g, made_node(g, "Mul", "decode", (int[]){b, anchors}, 2)));
    nz_assert_ok(nz_graph_finish(g));
    for (size_t n = 0; n < g->node_count; n++) g->nodes[n].opset = NZ_OPSET;
    NZ_AUTO_GRAPH nz_graph *half = compress(g, "bf16", NULL);
    const char *const kept[] = {"mean", "variance", "anchors"};
    for (size_t i = 0; i < NZ_COUNT(kept); i++) assert_int_equal(constant(half, kept[i])->dtype, NZ_F32);
    const char *const stored[] = {"w_bfloat16", "gamma_bfloat16", "beta_bfloat16"};
    for (size_t i = 0; i < NZ_COUNT(stored); i++) assert_int_equal(constant(half, stored[i])->dtype, NZ_BF16);
}

static void a_weight_beyond_the_range_of_float16_stays_float(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = residual_network();
    ((float *)g->values[nz_graph_find_value(g, "w1")].constant.data)[0] = 1e6f;
    NZ_AUTO_GRAPH nz_graph *half = compress(g, "fp16", NULL);
    NZ_AUTO_GRAPH nz_graph *brain = compress(g, "bf16", NULL);
    assert_int_equal(constant(half, "w1")->dtype, NZ_F32);
    assert_int_equal(constant(brain, "w1_bfloat16")->dtype, NZ_BF16);
}

static void the_residual_block_stays_in_integers(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = residual_network();
    NZ_AUTO(nz_qplan_done) nz_qplan plan = {0};
    nz_assert_ok(nz_qplan_make(&plan, g, NULL));
    assert_int_equal(plan.layer_count, 3);
    const char *const wanted[] = {"input", "relu1_out", "conv2_out", "relu2_out", "pool_out", "flatten_out"};
    assert_int_equal(plan.activation_count, 6);
    for (size_t i = 0; i < 6; i++) {
        bool found = false;
        for (size_t k = 0; k < plan.activation_count; k++)
            found |= strcmp(g->values[plan.activations[k]].name, wanted[i]) == 0;
        if (!found) fail_msg("%s is not quantised", wanted[i]);
    }
    for (size_t k = 0; k < plan.activation_count;
         k++) /* flatten keeps the range of the pool before it, nothing else shares */
        if (strcmp(g->values[plan.activations[k]].name, "flatten_out") == 0)
            assert_string_equal(g->values[plan.activations[plan.groups[k]]].name, "pool_out");
        else
            assert_int_equal(plan.groups[k], k);
}

static void an_excluded_layer_stays_float(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = residual_network();
    NZ_AUTO_GRAPH nz_graph *q = compress(g, "ptq,exclude=conv1+Gemm", NULL);
    assert_int_equal(constant(q, "w1")->dtype, NZ_F32);
    assert_int_equal(constant(q, "w2_quantized")->dtype, NZ_I8);
    assert_int_equal(constant(q, "w3")->dtype, NZ_F32);
}

/* The value that input `i` of the node `name` reads. */
static const char *input_of(const nz_graph *g, const char *name, size_t i) {
    for (size_t n = 0; n < g->node_count; n++)
        if (strcmp(g->nodes[n].name, name) == 0) return g->values[g->nodes[n].inputs[i]].name;
    fail_msg("no node %s", name);
    return NULL;
}

static void an_excluded_node_reads_the_float_value_that_others_read_quantised(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = residual_network();
    NZ_AUTO_GRAPH nz_graph *all = compress(g, "ptq", NULL), *q = compress(g, "ptq,exclude=conv2", NULL);
    assert_string_equal(input_of(all, "conv2", 0), "relu1_out_dequantized");
    assert_string_equal(input_of(all, "add", 1), "relu1_out_dequantized");
    assert_string_equal(input_of(q, "conv2", 0), "relu1_out");
    assert_string_equal(input_of(q, "add", 1), "relu1_out_dequantized");
}

static void a_weight_shared_with_an_excluded_layer_is_not_pruned(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = NULL;
    int x = 0;
    nz_assert_ok(nz_graph_new(&g));
    nz_assert_ok(nz_graph_add_value(g, &x, "input", NZ_F32, &(nz_shape){.rank = 4, .dim = {1, 4, 8, 8}}));
    nz_assert_ok(nz_graph_add_input(g, x));
    int shared = add_weights(g, "shared", (nz_shape){.rank = 4, .dim = {4, 4, 3, 3}}, 1);
    int own = add_weights(g, "own", (nz_shape){.rank = 4, .dim = {4, 4, 3, 3}}, 2);
    int y = made_node(g, "Conv", "first", (int[]){x, shared}, 2);
    y = made_node(g, "Conv", "second", (int[]){y, shared}, 2);
    y = made_node(g, "Conv", "third", (int[]){y, own}, 2);
    nz_assert_ok(nz_graph_add_output(g, y));
    nz_assert_ok(nz_graph_finish(g));
    for (size_t n = 0; n < g->node_count; n++) g->nodes[n].opset = NZ_OPSET;
    for (int second = 0; second < 2; second++) { /* the excluded layer comes before or after the other */
        NZ_AUTO_GRAPH nz_graph *pruned =
            compress(g, second ? "gup-l1,sparsity=0.5,exclude=second" : "gup-l1,sparsity=0.5,exclude=first", NULL);
        assert_int_equal(zeros_of(constant(pruned, "shared")), 0);
        assert_int_equal(zeros_of(constant(pruned, "own")), 72);
    }
}

static void quantised_weights_are_within_half_a_step(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = residual_network();
    NZ_AUTO_GRAPH nz_graph *q = compress(g, "ptq", NULL);
    const nz_tensor *w = constant(g, "w2"), *i8 = constant(q, "w2_quantized"), *scale = constant(q, "w2_scale");
    assert_int_equal(nz_shape_elements(&scale->shape), 8);
    for (int64_t k = 0; k < 576; k++) {
        double step = nz_tensor_real(scale, k / 72);
        assert_true(fabs(nz_tensor_real(w, k) - step * (double)nz_tensor_int(i8, k)) <= step * 0.5001);
    }
}

static void four_bit_weights_stay_within_seven(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = residual_network();
    NZ_AUTO_GRAPH nz_graph *q = compress(g, "ptq,wbits=4,wcalib=mse", NULL);
    const nz_tensor *w = constant(q, "w2_quantized");
    assert_int_equal(w->dtype, NZ_I4);
    for (int64_t k = 0; k < 576; k++) assert_in_range(nz_tensor_int(w, k) + 7, 0, 14);
}

/* A Gemm of x [4, 4] with weights of 4 outputs, quantised by itself; its input has a mean of 1 in every channel. */
static nz_graph *quantised_gemm(nz_shape bias, bool transposed) {
    nz_graph *g = NULL;
    int x = 0;
    const nz_shape square = {.rank = 2, .dim = {4, 4}};
    nz_assert_ok(nz_graph_new(&g));
    nz_assert_ok(nz_graph_add_value(g, &x, "input", NZ_F32, &square));
    nz_assert_ok(nz_graph_add_input(g, x));
    int inputs[3] = {x, add_weights(g, "w", square, 1), add_weights(g, "bias", bias, 2)};
    nz_assert_ok(nz_graph_add_output(g, made_node(g, "Gemm", "gemm", inputs, 3)));
    if (transposed) nz_assert_ok(nz_node_set_int(&g->nodes[0], "transA", 1));
    NZ_AUTO(nz_qplan_done) nz_qplan plan = {0};
    nz_assert_ok(nz_qplan_make(&plan, g, NULL));
    assert_int_equal(plan.layer_count, 1);
    NZ_AUTO(nz_observer_done) nz_observer observer = {0};
    nz_assert_ok(nz_observer_init(&observer, 4));
    nz_observer_add(&observer, (const float[]){1, 1, 1, 1}, 1, 1);
    const nz_ptq_options o = {.wbits = 1, .per_channel = true, .bias_correction = true};
    nz_assert_ok(nz_ptq_quantize_layer(g, &plan.layers[0], 0.01f, &observer, &o));
    return g;
}

/* What the bias of a quantised Gemm says for output `c`. */
static double bias_at(const nz_graph *g, int64_t c) {
    return (double)nz_tensor_int(constant(g, "gemm_bias_quantized"), c) *
           nz_tensor_real(constant(g, "gemm_bias_scale"), c);
}

static void biases_are_corrected_where_the_input_has_channels(void **state) {
    (void)state;
    const nz_shape row = {.rank = 1, .dim = {4}};
    NZ_AUTO_GRAPH nz_graph *plain = quantised_gemm(row, false);
    NZ_AUTO_GRAPH nz_graph *transposed = quantised_gemm(row, true);
    double moved = 0;
    for (int64_t c = 0; c < 4; c++) {
        double bias = nz_tensor_real(constant(plain, "bias"), c), error = 0;
        for (int64_t k = 0; k < 4; k++)
            error += (double)nz_tensor_int(constant(plain, "w_quantized"), 4 * k + c) *
                         nz_tensor_real(constant(plain, "w_scale"), c) -
                     nz_tensor_real(constant(plain, "w"), 4 * k + c);
        nz_assert_near(bias_at(plain, c), bias - error, 0, 1e-3);
        nz_assert_near(bias_at(transposed, c), bias, 0, 1e-3);
        moved = fmax(moved, fabs(error));
    }
    assert_true(moved > 2e-3); /* so that the two cases above differ */
}

static void a_column_added_to_each_row_is_no_bias_of_channels(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = quantised_gemm((nz_shape){.rank = 2, .dim = {4, 1}}, false);
    assert_string_equal(g->values[g->nodes[0].inputs[2]].name, "bias");
}

static void run(const nz_graph *g, const float *x, float *y) {
    nz_session *session = NULL;
    nz_runtime_options options = {.threads = 1, .batch = 1, .compute = NZ_COMPUTE_F32};
    nz_assert_ok(nz_session_open(&session, "native", g, NULL, &options));
    nz_tensor in = nz_tensor_borrow(NZ_F32, &nz_session_input(session, 0, NULL)->shape, (void *)(uintptr_t)x);
    nz_tensor out = nz_tensor_borrow(NZ_F32, &nz_session_output(session, 0, NULL)->shape, y);
    nz_assert_ok(nz_session_run(session, &in, &out));
    nz_session_free(session);
}

/* Signal over noise of the logits of 24 samples. */
static double output_sqnr_db(const nz_graph *exact, const nz_graph *rounded) {
    nz_dataset *data = shapes();
    float *x = malloc(3 * 32 * 32 * sizeof *x), a[10], b[10];
    double signal = 0, noise = 0;
    for (size_t i = 0; i < nz_data_count(data); i++) {
        int32_t label;
        nz_assert_ok(nz_data_get(data, i, x, &label));
        run(exact, x, a);
        run(rounded, x, b);
        for (int k = 0; k < 10; k++) signal += a[k] * a[k], noise += (a[k] - b[k]) * (a[k] - b[k]);
    }
    free(x);
    nz_data_free(data);
    return 10 * log10(signal / noise);
}

static void every_calibration_and_type_keeps_the_outputs_close(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = residual_network();
    const char *const methods[] = {"ptq",           "ptq,calib=percentile", "ptq,calib=entropy",
                                   "ptq,calib=mse", "ptq,activations=s8",   "ptq,per_channel=0"};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        NZ_AUTO_GRAPH nz_graph *q = compress(g, methods[m], NULL);
        double db = output_sqnr_db(g, q);
        if (!(db > 25)) fail_msg("%s: %.1f dB", methods[m], db);
    }
}

static void bias_correction_brings_coarse_weights_closer(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = residual_network();
    NZ_AUTO_GRAPH nz_graph *with = compress(g, "ptq,wbits=4", NULL);
    NZ_AUTO_GRAPH nz_graph *without = compress(g, "ptq,wbits=4,bias_correction=0", NULL);
    assert_true(output_sqnr_db(g, with) > output_sqnr_db(g, without));
}

static void open_extents_are_those_of_the_samples(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *fixed = residual_network();
    NZ_AUTO_GRAPH nz_graph *open = residual_network_of(-1);
    NZ_AUTO_GRAPH nz_graph *a = compress(fixed, "ptq", NULL);
    NZ_AUTO_GRAPH nz_graph *b = compress(open, "ptq", NULL);
    const char *const names[] = {"relu2_out_scale", "conv2_bias_quantized"};
    for (size_t i = 0; i < NZ_COUNT(names); i++)
        assert_memory_equal(constant(a, names[i])->data, constant(b, names[i])->data, constant(a, names[i])->bytes);
}

static void samples_of_another_size_are_refused(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = NULL;
    nz_graph *result = NULL;
    int x = 0;
    nz_assert_ok(nz_graph_new(&g));
    nz_assert_ok(nz_graph_add_value(g, &x, "input", NZ_F32, &(nz_shape){.rank = 2, .dim = {-1, 4000}}));
    nz_assert_ok(nz_graph_add_input(g, x));
    int w = add_weights(g, "w", (nz_shape){.rank = 2, .dim = {4000, 2}}, 1);
    nz_assert_ok(nz_graph_add_output(g, made_node(g, "MatMul", "matmul", (int[]){x, w}, 2)));
    nz_assert_ok(nz_graph_finish(g));
    for (size_t n = 0; n < g->node_count; n++) g->nodes[n].opset = NZ_OPSET;
    nz_dataset *data = shapes();
    nz_assert_fails(nz_compress(&result, NULL, g, "ptq", data, 1, NULL), NZ_E_SHAPE, "3x32x32");
    nz_data_free(data);
}

static void the_report_names_each_layer_with_its_sqnr(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = residual_network();
    NZ_AUTO(nz_compress_report_done) nz_compress_report report = {0};
    NZ_AUTO_GRAPH nz_graph *q = compress(g, "ptq", &report);
    assert_non_null(q);
    assert_int_equal(report.count, 3);
    assert_int_equal(report.samples, 24);
    assert_string_equal(report.layers[1].name, "conv2");
    for (size_t i = 0; i < 3; i++) assert_true(report.layers[i].sqnr_db > 15 && report.layers[i].sqnr_db < 80);
}

static void results_carry_technique_and_method(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = residual_network();
    NZ_AUTO_GRAPH nz_graph *pruned = compress(g, "GUP_L1,sparsity=0.25", NULL);
    NZ_AUTO_GRAPH nz_graph *both = compress(pruned, "PTQ", NULL);
    NZ_AUTO_GRAPH nz_graph *quantised = compress(pruned, "ptq,samples=8", NULL);
    assert_string_equal(nz_graph_meta(pruned, "netzip.technique"), "GUP_L1");
    assert_string_equal(nz_graph_meta(pruned, "netzip.method"), "gup-l1,sparsity=0.25,linear=0");
    assert_non_null(both);
    assert_string_equal(nz_graph_meta(quantised, "netzip.technique"), "GUP_L1+PTQ");
}

static void wrong_requests_are_refused_by_name(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = residual_network();
    nz_graph *result = NULL;
    nz_assert_fails(nz_compress(&result, NULL, g, "gup-l2", NULL, 1, NULL), NZ_E_ARG, "gup-l1");
    nz_assert_fails(nz_compress(&result, NULL, g, "gup-l1,sparsty=0.5", NULL, 1, NULL), NZ_E_ARG, "sparsity");
    nz_assert_fails(nz_compress(&result, NULL, g, "gup-l1,sparsity=1.5", NULL, 1, NULL), NZ_E_ARG, "0 to 1");
    nz_assert_fails(nz_compress(&result, NULL, g, "ptq,seed=1", NULL, 1, NULL), NZ_E_ARG, "seed");
    nz_assert_fails(nz_compress(&result, NULL, g, "ptq", NULL, 1, NULL), NZ_E_ARG, "--data");
    nz_assert_fails(nz_compress(&result, NULL, g, "ptq,wbits=3", NULL, 1, NULL), NZ_E_ARG, "8|4");
    NZ_AUTO_GRAPH nz_graph *q = compress(g, "ptq,sqnr=0", NULL);
    nz_assert_fails(nz_compress(&result, NULL, q, "gup-l1", NULL, 1, NULL), NZ_E_UNSUPPORTED, "quantised already");
    assert_null(result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pruning_reaches_the_exact_share_of_convolution_weights),
        cmocka_unit_test(linear_weights_are_pruned_on_request),
        cmocka_unit_test(l1_keeps_every_weight_larger_than_any_it_removes),
        cmocka_unit_test(equal_magnitudes_are_removed_in_file_order),
        cmocka_unit_test(random_pruning_repeats_for_a_seed_and_differs_between_seeds),
        cmocka_unit_test(half_storage_halves_the_bytes_and_casts_back),
        cmocka_unit_test(statistics_and_anchors_stay_float),
        cmocka_unit_test(a_weight_beyond_the_range_of_float16_stays_float),
        cmocka_unit_test(the_residual_block_stays_in_integers),
        cmocka_unit_test(an_excluded_layer_stays_float),
        cmocka_unit_test(an_excluded_node_reads_the_float_value_that_others_read_quantised),
        cmocka_unit_test(a_weight_shared_with_an_excluded_layer_is_not_pruned),
        cmocka_unit_test(quantised_weights_are_within_half_a_step),
        cmocka_unit_test(four_bit_weights_stay_within_seven),
        cmocka_unit_test(biases_are_corrected_where_the_input_has_channels),
        cmocka_unit_test(a_column_added_to_each_row_is_no_bias_of_channels),
        cmocka_unit_test(every_calibration_and_type_keeps_the_outputs_close),
        cmocka_unit_test(bias_correction_brings_coarse_weights_closer),
        cmocka_unit_test(open_extents_are_those_of_the_samples),
        cmocka_unit_test(samples_of_another_size_are_refused),
        cmocka_unit_test(the_report_names_each_layer_with_its_sqnr),
        cmocka_unit_test(results_carry_technique_and_method),
        cmocka_unit_test(wrong_requests_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
