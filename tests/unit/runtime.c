/* SPDX-License-Identifier: Apache-2.0 */
/* The native runtime's fast plan against its plain C plan, on graphs that exercise every fusion, layout and placement. */
#include "netzip/runtime.h"
#include "core/random.h"
#include "graphs.h"
#include "kernel/kernel.h"

static nz_random random_state;

/* ---- building ---- */

static int weights(nz_graph *g, nz_shape shape, double scale) {
    int value = -1;
    nz_tensor tensor;
    nz_assert_ok(nz_tensor_init(&tensor, NZ_F32, &shape));
    for (int64_t i = 0; i < nz_shape_elements(&shape); i++)
        nz_tensor_set_real(&tensor, i, scale * (double)nz_random_normal(&random_state));
    nz_assert_ok(nz_graph_add_constant(g, &value, "w", &tensor));
    nz_tensor_done(&tensor);
    return value;
}

static int numbers(nz_graph *g, const int64_t *list, size_t count) {
    int value = -1;
    nz_tensor tensor;
    nz_assert_ok(nz_tensor_init(&tensor, NZ_I64, &SHAPE((int64_t)count)));
    for (size_t i = 0; i < count; i++) nz_tensor_set_int(&tensor, (int64_t)i, list[i]);
    nz_assert_ok(nz_graph_add_constant(g, &value, "list", &tensor));
    nz_tensor_done(&tensor);
    return value;
}
#define LIST(g, ...) numbers(g, (int64_t[]){__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static void ints(nz_graph *g, const char *name, size_t count, const int64_t *values) {
    nz_assert_ok(nz_node_set_ints(graph_last(g), name, values, count));
}
#define INTS(g, name, ...) ints(g, name, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

typedef struct conv_shape {
    int64_t in, out, kernel, stride, begin, end, dilation, group;
} conv_shape;

static int conv(nz_graph *g, int x, conv_shape c) {
    int64_t group = c.group ? c.group : 1, d = c.dilation ? c.dilation : 1;
    double scale = 1 / sqrt((double)(c.in / group * c.kernel * c.kernel));
    int w = weights(g, SHAPE(c.out, c.in / group, c.kernel, c.kernel), scale), b = weights(g, SHAPE(c.out), 0.5);
    int y = graph_node(g, "Conv", x, w, b);
    INTS(g, "strides", c.stride, c.stride);
    INTS(g, "pads", c.begin, c.begin, c.end, c.end);
    INTS(g, "dilations", d, d);
    nz_assert_ok(nz_node_set_int(graph_last(g), "group", group));
    return y;
}

static int relu(nz_graph *g, int x) { return graph_node(g, "Relu", x); }
static int conv3(nz_graph *g, int x, int64_t in, int64_t out) {
    return conv(g, x, (conv_shape){in, out, 3, 1, 1, 1, 1, 1});
}

static int scalar(nz_graph *g, nz_dtype type, double value) { return graph_constant(g, type, (nz_shape){0}, value, 0); }

static int quantised(nz_graph *g, int x, double scale, int zero, nz_dtype type) {
    return graph_node(g, "QuantizeLinear", x, scalar(g, NZ_F32, scale), scalar(g, type, zero));
}

/* Q and DQ with the same parameters. */
static int through(nz_graph *g, int x, double scale, int zero, nz_dtype type) {
    int s = scalar(g, NZ_F32, scale), z = scalar(g, type, zero), q = graph_node(g, "QuantizeLinear", x, s, z);
    return graph_node(g, "DequantizeLinear", q, s, z);
}

/* A convolution with weights in 8 bits, one scale per output channel. */
static int conv8(nz_graph *g, int x, conv_shape c) {
    int64_t group = c.group ? c.group : 1, d = c.dilation ? c.dilation : 1;
    int w = -1;
    nz_tensor codes;
    nz_shape shape = SHAPE(c.out, c.in / group, c.kernel, c.kernel);
    nz_assert_ok(nz_tensor_init(&codes, NZ_I8, &shape));
    for (int64_t i = 0; i < nz_shape_elements(&shape); i++)
        nz_tensor_set_int(&codes, i, (int64_t)nz_random_below(&random_state, 255) - 127);
    nz_assert_ok(nz_graph_add_constant(g, &w, "w8", &codes));
    nz_tensor_done(&codes);
    double scale = 1 / (60 * sqrt((double)(c.in / group * c.kernel * c.kernel)));
    int s = graph_constant(g, NZ_F32, SHAPE(c.out), scale, scale / (double)c.out),
        z = graph_constant(g, NZ_I8, SHAPE(c.out), 0, 0);
    int dq = graph_node(g, "DequantizeLinear", w, s, z);
    nz_assert_ok(nz_node_set_int(graph_last(g), "axis", 0));
    int y = graph_node(g, "Conv", x, dq, weights(g, SHAPE(c.out), 0.3));
    INTS(g, "strides", c.stride, c.stride);
    INTS(g, "pads", c.begin, c.begin, c.end, c.end);
    INTS(g, "dilations", d, d);
    nz_assert_ok(nz_node_set_int(graph_last(g), "group", group));
    return y;
}

/* ---- comparing ---- */

static nz_session *open(const nz_graph *g, nz_runtime_options options) {
    nz_session *session = NULL;
    nz_assert_ok(nz_session_open(&session, "native", g, NULL, &options));
    return session;
}

static nz_tensor *tensors(const nz_session *s, bool inputs, double low, double high) {
    size_t count = inputs ? nz_session_input_count(s) : nz_session_output_count(s);
    nz_tensor *all = calloc(count + 1, sizeof *all);
    nz_random random;
    nz_random_init(&random, 5, 0);
    assert_non_null(all);
    for (size_t i = 0; i < count; i++) {
        const nz_tensor *model = inputs ? nz_session_input(s, i, NULL) : nz_session_output(s, i, NULL);
        nz_assert_ok(nz_tensor_init(&all[i], model->dtype, &model->shape));
        for (int64_t k = 0; inputs && k < nz_shape_elements(&model->shape); k++)
            nz_tensor_set_real(&all[i], k, low + (high - low) * nz_random_unit(&random));
    }
    return all;
}

static void release(nz_tensor *all, size_t count) {
    for (size_t i = 0; i < count; i++) nz_tensor_done(&all[i]);
    free(all);
}

/* All elements within `tolerance` of the largest; where `step` is given (one code), at most 1% differ by as much as it. */
static void assert_same(const nz_tensor *got, const nz_tensor *expected, double tolerance, double step) {
    int64_t count = nz_shape_elements(&expected->shape), off = 0;
    double largest = 0;
    for (int64_t i = 0; i < count; i++) largest = fmax(largest, fabs(nz_tensor_real(expected, i)));
    assert_true(largest > 0);
    for (int64_t i = 0; i < count; i++) {
        double a = nz_tensor_real(got, i), b = nz_tensor_real(expected, i),
               most = step > 0 ? 1.01 * step : tolerance * largest;
        if (!(fabs(a - b) <= most))
            fail_msg("element %lld of %lld is %.7g, expected %.7g (largest %.3g)", (long long)i, (long long)count, a, b,
                     largest);
        off += step > 0 && fabs(a - b) > 0.5 * step;
    }
    assert_true(off * 100 <= count);
}

typedef struct expectation {
    double low, high, tolerance, step; /* of the inputs; of the outputs */
    nz_compute compute;
    const char *computes; /* nz_session_compute; NULL: not checked */
} expectation;

static void check(nz_graph *g, expectation e) {
    nz_runtime_options plain = {.threads = 1, .reference = true, .compute = NZ_COMPUTE_F32};
    nz_session *reference = open(g, plain);
    nz_tensor *inputs = tensors(reference, true, e.low, e.high), *expected = tensors(reference, false, 0, 0);
    nz_assert_ok(nz_session_run(reference, inputs, expected));
    for (int variant = 0; variant < 3; variant++) {
        nz_runtime_options options = {
            .threads = variant == 1 ? 2 : 1, .tune = variant == 2, .profile = variant == 1, .compute = e.compute};
        nz_session *fast = open(g, options);
        nz_tensor *got = tensors(fast, false, 0, 0);
        if (e.computes) assert_string_equal(nz_session_compute(fast), e.computes);
        for (int run = 0; run < 2; run++) { /* the second run finds what the first left behind */
            for (size_t i = 0; i < nz_session_output_count(fast); i++) memset(got[i].data, 0x7F, got[i].bytes);
            nz_assert_ok(nz_session_run(fast, inputs, got));
            for (size_t i = 0; i < nz_session_output_count(fast); i++)
                assert_same(&got[i], &expected[i], e.tolerance, e.step);
        }
        release(got, nz_session_output_count(fast));
        nz_session_free(fast);
    }
    release(inputs, nz_session_input_count(reference));
    release(expected, nz_session_output_count(reference));
    nz_session_free(reference);
    nz_graph_free(g);
}

static const expectation floats = {-1, 1, 2e-5, 0, NZ_COMPUTE_AUTO, NULL};

static nz_graph *begin(uint64_t seed) {
    nz_graph *g = NULL;
    nz_random_init(&random_state, seed, 0);
    nz_assert_ok(nz_graph_new(&g));
    return g;
}

/* ---- float ---- */

static void convolutions_of_many_shapes(void **state) {
    (void)state;
    static const conv_shape shapes[] = {
        {3, 16, 3, 1, 1, 1, 1, 1},  {16, 16, 3, 1, 1, 1, 1, 1},  {17, 33, 3, 1, 1, 1, 1, 1}, {16, 48, 3, 1, 0, 0, 1, 1},
        {32, 80, 3, 1, 0, 2, 1, 1}, {16, 32, 3, 2, 1, 1, 1, 1},  {24, 40, 1, 1, 0, 0, 1, 1}, {24, 40, 1, 2, 0, 0, 1, 1},
        {16, 16, 3, 1, 2, 2, 2, 1}, {16, 16, 3, 1, 1, 1, 1, 16}, {12, 24, 3, 1, 1, 1, 1, 4}, {5, 7, 5, 1, 2, 2, 1, 1},
        {64, 64, 3, 1, 1, 1, 1, 1}, {3, 8, 7, 2, 3, 3, 1, 1},    {1, 1, 3, 1, 1, 1, 1, 1},
    };
    static const int64_t extents[][3] = {{1, 13, 17}, {2, 8, 8}, {1, 28, 7}, {8, 6, 5}};
    for (size_t i = 0; i < NZ_COUNT(shapes); i++)
        for (size_t k = 0; k < NZ_COUNT(extents); k++) {
            nz_graph *g = begin(i);
            int x = graph_input(g, "x", NZ_F32, SHAPE(extents[k][0], shapes[i].in, extents[k][1], extents[k][2]));
            graph_finish(g, relu(g, conv(g, x, shapes[i])));
            check(g, floats);
        }
}

static void activations_after_convolutions(void **state) {
    (void)state;
    static const char *const names[] = {"Relu",      "LeakyRelu", "Sigmoid", "Tanh", "Elu", "HardSigmoid",
                                        "HardSwish", "Mish",      "Gelu",    "Abs",  "Exp", "Softplus"};
    for (size_t i = 0; i < NZ_COUNT(names); i++) {
        nz_graph *g = begin(i);
        int x = graph_input(g, "x", NZ_F32, SHAPE(1, 16, 9, 9));
        int y = graph_node(g, names[i], conv3(g, x, 16, 24));
        graph_finish(g, conv(g, graph_node(g, names[i], conv(g, y, (conv_shape){24, 8, 1, 1, 0, 0, 1, 1})),
                             (conv_shape){8, 8, 1, 1, 0, 0, 1, 1}));
        check(g, floats);
    }
}

static void gates_and_bounds(void **state) {
    (void)state;
    nz_graph *g = begin(1);
    int x = graph_input(g, "x", NZ_F32, SHAPE(1, 16, 10, 10)), c = conv3(g, x, 16, 16);
    int silu = graph_node(g, "Mul", c, graph_node(g, "Sigmoid", c)), d = conv3(g, silu, 16, 16);
    int hard = graph_node(g, "Mul", graph_node(g, "HardSigmoid", d), d);
    int clip = graph_node(g, "Clip", conv3(g, hard, 16, 16), scalar(g, NZ_F32, 0), scalar(g, NZ_F32, 6));
    int lone = graph_node(g, "Mul", x, graph_node(g, "Sigmoid", x)); /* x is an input with other readers */
    graph_finish(g, graph_node(g, "Add", clip, lone));
    check(g, floats);
}

static void residual_blocks(void **state) {
    (void)state;
    for (int64_t batch = 1; batch <= 8; batch += 7) {
        nz_graph *g = begin(2);
        int x = graph_input(g, "x", NZ_F32, SHAPE(batch, 3, 16, 16)), a = relu(g, conv3(g, x, 3, 16));
        for (int block = 0; block < 3; block++)
            a = relu(g, graph_node(g, "Add", conv3(g, relu(g, conv3(g, a, 16, 16)), 16, 16), a));
        int narrow = conv(g, relu(g, conv(g, a, (conv_shape){16, 32, 3, 2, 1, 1, 1, 1})),
                          (conv_shape){32, 32, 3, 1, 1, 1, 1, 1});
        int side = conv(g, a, (conv_shape){16, 32, 1, 2, 0, 0, 1, 1});
        int b = relu(g, graph_node(g, "Add", side, narrow));
        int pooled = graph_node(g, "Flatten", graph_node(g, "GlobalAveragePool", b));
        int logits = graph_node(g, "Gemm", pooled, weights(g, SHAPE(10, 32), 0.2), weights(g, SHAPE(10), 1));
        nz_assert_ok(nz_node_set_int(graph_last(g), "transB", 1));
        graph_finish(g, graph_node(g, "Softmax", logits));
        check(g, floats);
    }
}

/* The residual is needed again, is an output, is the input, or is added to itself: it must not be overwritten. */
static void residuals_that_live_on(void **state) {
    (void)state;
    nz_graph *g = begin(3);
    int x = graph_input(g, "x", NZ_F32, SHAPE(1, 16, 12, 12));
    int first = graph_node(g, "Add", conv3(g, x, 16, 16), x);
    int second = graph_node(g, "Add", conv3(g, first, 16, 16), first);
    int third = graph_node(g, "Add", conv3(g, second, 16, 16), first);
    int block = graph_node(g, "Add", conv3(g, relu(g, conv3(g, third, 16, 16)), 16, 16), third);
    int twice = graph_node(g, "Add", graph_node(g, "Add", third, third), block);
    nz_assert_ok(nz_graph_add_output(g, second));
    nz_assert_ok(nz_graph_add_output(g, x));
    graph_finish(g, twice);
    check(g, floats);
}

static void concatenations(void **state) {
    (void)state;
    nz_graph *g = begin(4);
    int x = graph_input(g, "x", NZ_F32, SHAPE(1, 16, 11, 11)),
        s = relu(g, conv(g, x, (conv_shape){16, 8, 1, 1, 0, 0, 1, 1}));
    int e1 = relu(g, conv(g, s, (conv_shape){8, 24, 1, 1, 0, 0, 1, 1})), e3 = relu(g, conv3(g, s, 8, 20));
    int wide = graph_node(g, "Concat", e1, e3, s);
    nz_assert_ok(nz_node_set_int(graph_last(g), "axis", 1));
    int pooled = graph_node(g, "MaxPool", wide);
    INTS(g, "kernel_shape", 3, 3);
    INTS(g, "strides", 2, 2);
    nz_assert_ok(nz_node_set_int(graph_last(g), "ceil_mode", 1));
    int again = graph_node(g, "Concat", conv(g, pooled, (conv_shape){52, 16, 1, 1, 0, 0, 1, 1}), pooled);
    nz_assert_ok(nz_node_set_int(graph_last(g), "axis", -3));
    nz_assert_ok(nz_graph_add_output(g, e3)); /* an output that is a part of a concatenation too */
    graph_finish(g, again);
    check(g, floats);
}

static void pools(void **state) {
    (void)state;
    static const char *const names[] = {"MaxPool", "AveragePool", "AveragePool"};
    for (int i = 0; i < 12; i++) {
        nz_graph *g = begin((uint64_t)i);
        int x = graph_input(g, "x", NZ_F32, SHAPE(2, 16, 13, 10)),
            y = graph_node(g, names[i % 3], conv(g, x, (conv_shape){16, 16, 1, 1, 0, 0, 1, 1}));
        INTS(g, "kernel_shape", 3, 2);
        INTS(g, "strides", 2, 2);
        INTS(g, "pads", 1, 0, (i / 3) % 2, 1);
        nz_assert_ok(nz_node_set_int(graph_last(g), "ceil_mode", i / 6));
        if (i % 3 == 2) nz_assert_ok(nz_node_set_int(graph_last(g), "count_include_pad", 1));
        graph_finish(g, conv(g, y, (conv_shape){16, 8, 1, 1, 0, 0, 1, 1}));
        check(g, floats);
    }
}

/* Slice, Transpose, Split, Reshape, Pad and Resize between convolutions: views where they can be, copies where not. */
static void moved_elements(void **state) {
    (void)state;
    nz_graph *g = begin(6);
    int x = graph_input(g, "x", NZ_F32, SHAPE(1, 16, 12, 12)), a = relu(g, conv3(g, x, 16, 32));
    int half = graph_node(g, "Slice", a, LIST(g, 0, 1), LIST(g, 12, 12), LIST(g, 2, 3), LIST(g, 2, 2));
    int padded = graph_node(g, "Pad", half, LIST(g, 0, 8, 0, 0, 0, 8, 0, 0));
    int b = graph_node(g, "Add", conv(g, a, (conv_shape){32, 48, 3, 2, 1, 1, 1, 1}), padded);
    int up = graph_node(g, "Resize", b, NZ_NO_VALUE, graph_constant(g, NZ_F32, SHAPE(4), 1, 0.0), NZ_NO_VALUE);
    nz_assert_ok(nz_node_set_string(graph_last(g), "mode", "nearest"));
    int shuffled =
        graph_node(g, "Reshape", graph_node(g, "Transpose", graph_node(g, "Reshape", up, LIST(g, 1, 4, 12, 6, 6))),
                   LIST(g, 1, 48, 6, 6));
    int c = conv(g, shuffled, (conv_shape){48, 8, 1, 1, 0, 0, 1, 1});
    int last = graph_node(g, "Transpose", c);
    INTS(g, "perm", 0, 2, 3, 1);
    graph_finish(g, graph_node(g, "Reshape", last, LIST(g, 1, -1, 8)));
    check(g, floats);
}

static void resized(void **state) {
    (void)state;
    static const int64_t factors[][2] = {{2, 2}, {1, 3}, {2, 1}};
    for (size_t i = 0; i < NZ_COUNT(factors); i++) {
        nz_graph *g = begin(i);
        int x = graph_input(g, "x", NZ_F32, SHAPE(1, 8, 5, 7)), c = conv3(g, x, 8, 16);
        int sizes = LIST(g, 1, 16, 5 * factors[i][0], 7 * factors[i][1]);
        int up = graph_node(g, "Resize", c, NZ_NO_VALUE, NZ_NO_VALUE, sizes);
        nz_assert_ok(nz_node_set_string(graph_last(g), "coordinate_transformation_mode", "asymmetric"));
        nz_assert_ok(nz_node_set_string(graph_last(g), "nearest_mode", "floor"));
        graph_finish(g, conv3(g, up, 16, 8));
        check(g, floats);
    }
}

static void matrices(void **state) {
    (void)state;
    nz_graph *g = begin(7);
    int x = graph_input(g, "x", NZ_F32, SHAPE(2, 5, 24));
    int h = graph_node(
        g, "Gelu",
        graph_node(g, "Add", graph_node(g, "MatMul", x, weights(g, SHAPE(24, 40), 0.2)), weights(g, SHAPE(40), 1)));
    int q = graph_node(g, "MatMul", h, weights(g, SHAPE(40, 16), 0.2)),
        k = graph_node(g, "MatMul", h, weights(g, SHAPE(40, 16), 0.2));
    int turned = graph_node(g, "Transpose", k);
    INTS(g, "perm", 0, 2, 1);
    int scores =
        graph_node(g, "Softmax", graph_node(g, "Mul", graph_node(g, "MatMul", q, turned), scalar(g, NZ_F32, 0.25)));
    graph_finish(g, graph_node(g, "Sub", graph_node(g, "MatMul", scores, q), weights(g, SHAPE(16), 1)));
    check(g, floats);
}

static void outputs_in_the_middle_and_dead_ends(void **state) {
    (void)state;
    nz_graph *g = begin(8);
    int x = graph_input(g, "x", NZ_F32, SHAPE(1, 8, 8, 8)), a = conv3(g, x, 8, 16), r = relu(g, a);
    nz_assert_ok(nz_graph_add_output(g, a));
    nz_assert_ok(nz_graph_add_output(g, a));
    (void)graph_node(g, "Sigmoid", r);
    int flat = graph_node(g, "Flatten", r);
    nz_assert_ok(nz_graph_add_output(g, flat));
    graph_finish(g, conv3(g, r, 16, 4));
    check(g, floats);
}

static void transposed_convolutions(void **state) {
    (void)state;
    for (int64_t group = 1; group <= 3; group++) {
        nz_graph *g = begin(9);
        int x = graph_input(g, "x", NZ_F32, SHAPE(1, 12, 6, 7));
        int w = weights(g, SHAPE(12, 10, 3, 3), 0.2),
            y = graph_node(g, "ConvTranspose", x, w, weights(g, SHAPE(10 * group), 1));
        INTS(g, "strides", 2, 2);
        INTS(g, "pads", 1, 1, 1, 1);
        INTS(g, "output_padding", 1, 1);
        nz_assert_ok(nz_node_set_int(graph_last(g), "group", group));
        graph_finish(g, relu(g, y));
        check(g, floats);
    }
}

/* Signals and volumes instead of images. */
static void one_and_three_dimensions(void **state) {
    (void)state;
    nz_graph *g = begin(20);
    int x = graph_input(g, "x", NZ_F32, SHAPE(2, 6, 31));
    int a = relu(g, graph_node(g, "Conv", x, weights(g, SHAPE(16, 6, 5), 0.2), weights(g, SHAPE(16), 1)));
    int p = graph_node(g, "MaxPool", a);
    INTS(g, "kernel_shape", 3);
    INTS(g, "strides", 2);
    graph_finish(g, graph_node(g, "GlobalAveragePool", p));
    check(g, floats);
    g = begin(21);
    x = graph_input(g, "x", NZ_F32, SHAPE(1, 4, 7, 6, 5));
    a = relu(g, graph_node(g, "Conv", x, weights(g, SHAPE(16, 4, 3, 3, 3), 0.1), weights(g, SHAPE(16), 1)));
    graph_finish(g, graph_node(g, "Add", graph_node(g, "Conv", a, weights(g, SHAPE(16, 16, 1, 1, 1), 0.2)), a));
    check(g, floats);
}

/* Numbers behind an activation join the kernel, also where they turn it round. */
static void factors_and_offsets(void **state) {
    (void)state;
    nz_graph *g = begin(22);
    int x = graph_input(g, "x", NZ_F32, SHAPE(1, 16, 8, 8)), c = conv3(g, x, 16, 16);
    int a = graph_node(g, "Mul", relu(g, c), scalar(g, NZ_F32, -0.5));
    int m = graph_node(g, "Mul", conv3(g, a, 16, 16), scalar(g, NZ_F32, -2));
    int b = relu(g, graph_node(g, "Add", m, scalar(g, NZ_F32, 0.3)));
    int shift = graph_node(g, "Add", conv3(g, b, 16, 16), weights(g, SHAPE(1, 16, 1, 1), 1));
    int divided = graph_node(g, "Div", shift, graph_constant(g, NZ_F32, SHAPE(16, 1, 1), 1, 0.1));
    graph_finish(g, graph_node(g, "Add", divided, scalar(g, NZ_F32, 1)));
    check(g, floats);
}

/* What keeps a division from 0 must not be taken for rounding. Large biases keep what is added to it at 0 or far away:
 * near 0 a quotient would show the convolution's own rounding instead. */
static void small_numbers_are_added(void **state) {
    (void)state;
    static const double numbers_added[] = {5e-5, 1e-6, -3e-5};
    for (size_t i = 0; i < NZ_COUNT(numbers_added); i++) {
        nz_graph *g = begin(23);
        int x = graph_input(g, "x", NZ_F32, SHAPE(1, 16, 8, 8)), w = weights(g, SHAPE(16, 16, 3, 3), 0.2);
        int r = relu(g, graph_node(g, "Conv", x, w, weights(g, SHAPE(16), 1000)));
        int guarded = graph_node(g, "Add", r, scalar(g, NZ_F32, numbers_added[i]));
        graph_finish(g, graph_node(g, "Div", scalar(g, NZ_F32, 1), guarded));
        check(g, (expectation){-1, 1, 1e-3, 0, NZ_COMPUTE_AUTO, NULL});
    }
}

/* Each value is read twice by the next, and the chain is longer than what is evaluated when planning. */
static void long_chains_of_constants(void **state) {
    (void)state;
    nz_graph *g = begin(24);
    int x = graph_input(g, "x", NZ_F32, SHAPE(2, 8));
    int v = graph_node(g, "DequantizeLinear", graph_constant(g, NZ_U8, SHAPE(8), 1, 3), scalar(g, NZ_F32, 0.25));
    for (int i = 0; i < 300; i++) v = graph_node(g, "Max", v, v);
    graph_finish(g, graph_node(g, "Mul", x, v));
    check(g, floats);
}

/* A Gemm's bias that varies along rows is no bias per channel, though it has as many elements. */
static void column_biases(void **state) {
    (void)state;
    nz_graph *g = begin(25);
    int x = graph_input(g, "x", NZ_F32, SHAPE(6, 5));
    int y = graph_node(g, "Gemm", x, weights(g, SHAPE(5, 6), 0.4), weights(g, SHAPE(6, 1), 1));
    graph_finish(g, graph_node(g, "Mul", y, weights(g, SHAPE(6), 1)));
    check(g, floats);
}

/* ---- bf16 and weights stored in fewer bits ---- */

static void bf16_layers(void **state) {
    (void)state;
    nz_graph *g = begin(10);
    int x = graph_input(g, "x", NZ_F32, SHAPE(1, 16, 12, 12)), a = relu(g, conv3(g, x, 16, 32));
    int b = relu(g, graph_node(g, "Add", conv3(g, a, 32, 32), a)), c = graph_node(g, "Concat", b, a);
    nz_assert_ok(nz_node_set_int(graph_last(g), "axis", 1));
    int pooled = graph_node(g, "Flatten", graph_node(g, "GlobalAveragePool", conv3(g, c, 64, 32)));
    graph_finish(g, graph_node(g, "Gemm", pooled, weights(g, SHAPE(32, 8), 0.2), weights(g, SHAPE(8), 1)));
    check(g, (expectation){-1, 1, 2e-2, 0, NZ_COMPUTE_BF16, NULL});
}

static void stored_weights_compute_in_f32(void **state) {
    (void)state;
    nz_graph *g = begin(11);
    int x = graph_input(g, "x", NZ_F32, SHAPE(1, 16, 9, 9));
    graph_finish(g, relu(g, conv8(g, x, (conv_shape){16, 24, 3, 1, 1, 1, 1, 1})));
    check(g, (expectation){-1, 1, 2e-5, 0, NZ_COMPUTE_AUTO, "f32"});
}

/* ---- 8 bits ---- */

/* What layers with weights of 8 bits compute in; on a CPU whose kernels would saturate on the way, that hangs on the weights. */
static const char *int8(void) { return nz_kernel_sums_exactly() ? "int8" : NULL; }

typedef struct coding {
    nz_dtype type;
    int zero;
} coding;
static const coding codings[] = {{NZ_U8, 0}, {NZ_U8, 128}, {NZ_U8, 77}, {NZ_I8, 0}, {NZ_I8, -19}};

static void int8_convolutions(void **state) {
    (void)state;
    static const conv_shape shapes[] = {{16, 24, 3, 1, 1, 1, 1, 1}, {3, 16, 3, 2, 1, 1, 1, 1},
                                        {20, 30, 1, 1, 0, 0, 1, 1}, {16, 16, 3, 1, 1, 1, 1, 16},
                                        {16, 32, 3, 1, 2, 2, 2, 1}, {12, 24, 3, 1, 0, 1, 1, 4}};
    for (size_t i = 0; i < NZ_COUNT(shapes); i++)
        for (size_t k = 0; k < NZ_COUNT(codings); k++) {
            nz_graph *g = begin(i);
            coding in = codings[k], out = codings[(k + i) % NZ_COUNT(codings)];
            int x = graph_input(g, "x", NZ_F32, SHAPE(1, shapes[i].in, 11, 9)),
                d = through(g, x, 1.0 / 100, in.zero, in.type);
            int y = conv8(g, d, shapes[i]);
            if (i % 2) y = relu(g, y);
            graph_finish(g, through(g, y, 0.02, out.zero, out.type));
            check(g, (expectation){in.zero > 100 || in.type == NZ_I8 ? -1 : 0, 1, 0, 0.02, NZ_COMPUTE_AUTO, int8()});
        }
}

/* Conv, [Q DQ], Add of another DQ, Relu, Q: one kernel, with and without the rounding between. */
static void int8_residuals(void **state) {
    (void)state;
    for (int rounded = 0; rounded < 2; rounded++)
        for (size_t k = 0; k < NZ_COUNT(codings); k++) {
            nz_graph *g = begin(k);
            coding c = codings[k];
            int x = graph_input(g, "x", NZ_F32, SHAPE(1, 16, 10, 10)), d = through(g, x, 0.01, c.zero, c.type);
            int a = through(g, relu(g, conv8(g, d, (conv_shape){16, 16, 3, 1, 1, 1, 1, 1})), 0.02, 0, NZ_U8);
            int y = conv8(g, a, (conv_shape){16, 16, 3, 1, 1, 1, 1, 1});
            if (rounded) y = through(g, y, 0.03, c.zero, c.type);
            int sum = relu(g, graph_node(g, "Add", y, d));
            int b = through(g, sum, 0.03, 0, NZ_U8);
            graph_finish(g, through(g, graph_node(g, "Add", b, a), 0.05, c.zero,
                                    c.type)); /* an Add of its own: a has another reader */
            check(g, (expectation){0, 1, 0, 0.05, NZ_COMPUTE_AUTO, int8()});
        }
}

/* Whole runs of layers in 8 bits: pooling, concatenation with other scales, Resize, tables, Flatten, Gemm. */
static void int8_runs_of_layers(void **state) {
    (void)state;
    nz_graph *g = begin(14);
    int x = graph_input(g, "x", NZ_F32, SHAPE(1, 3, 16, 16)), d = through(g, x, 1.0 / 255, 0, NZ_U8);
    int a = through(g, relu(g, conv8(g, d, (conv_shape){3, 16, 3, 1, 1, 1, 1, 1})), 0.01, 0, NZ_U8);
    int pool = graph_node(g, "MaxPool", a);
    INTS(g, "kernel_shape", 2, 2);
    INTS(g, "strides", 2, 2);
    int p = through(g, pool, 0.01, 0, NZ_U8);
    int e1 = through(g, relu(g, conv8(g, p, (conv_shape){16, 8, 1, 1, 0, 0, 1, 1})), 0.008, 0, NZ_U8);
    int e3 = through(g, relu(g, conv8(g, p, (conv_shape){16, 24, 3, 1, 1, 1, 1, 1})), 0.012, 0, NZ_U8);
    int joined = graph_node(g, "Concat", e1, e3);
    nz_assert_ok(nz_node_set_int(graph_last(g), "axis", 1));
    int c = through(g, joined, 0.015, 0, NZ_U8);
    int table = through(g, graph_node(g, "Sigmoid", c), 1.0 / 255, 0, NZ_U8);
    int up = graph_node(g, "Resize", table, NZ_NO_VALUE, NZ_NO_VALUE, LIST(g, 1, 32, 16, 16));
    nz_assert_ok(nz_node_set_string(graph_last(g), "mode", "nearest"));
    int padded = graph_node(g, "Pad", through(g, up, 1.0 / 255, 0, NZ_U8), LIST(g, 0, 0, 1, 1, 0, 0, 1, 1));
    int h = through(g, conv8(g, through(g, padded, 1.0 / 255, 0, NZ_U8), (conv_shape){32, 16, 3, 1, 0, 0, 1, 1}), 0.02,
                    120, NZ_U8);
    int mean = through(g, graph_node(g, "GlobalAveragePool", h), 0.01, 128, NZ_U8);
    int flat = through(g, graph_node(g, "Flatten", mean), 0.01, 128, NZ_U8);
    int w = graph_constant(g, NZ_I8, SHAPE(10, 16), -80, 1), s = scalar(g, NZ_F32, 0.01);
    int logits = graph_node(g, "Gemm", flat, graph_node(g, "DequantizeLinear", w, s), weights(g, SHAPE(10), 1));
    nz_assert_ok(nz_node_set_int(graph_last(g), "transB", 1));
    graph_finish(g, through(g, logits, 0.05, 128, NZ_U8));
    check(g, (expectation){0, 1, 0, 0.05, NZ_COMPUTE_AUTO, int8()});
}

/* What selects pixels may do so on codes of any coding, what computes or invents some may not: in every mode, to the bit. */
static void int8_resized(void **state) {
    (void)state;
    static const char *const modes[] = {"nearest", "linear", "cubic"},
                             *const nearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"},
                             *const coordinates[] = {"half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",
                                                     "align_corners", "asymmetric",           "tf_crop_and_resize"};
    static const int64_t sizes[][2] = {{11, 14}, {3, 21}, {10, 7}};
    for (size_t i = 0; i < 6 * NZ_COUNT(coordinates) * NZ_COUNT(codings); i++) {
        nz_graph *g = begin(40 + i);
        coding c = codings[i % NZ_COUNT(codings)];
        size_t kind = i / NZ_COUNT(codings) % 6,
               mode = kind < 4 ? 0 : kind - 3; /* four of the nearest, linear, cubic */
        const char *at = coordinates[i / NZ_COUNT(codings) / 6];
        const int64_t *size = sizes[i % NZ_COUNT(sizes)];
        int x = graph_input(g, "x", NZ_F32, SHAPE(1, 6, 5, 7)), d = through(g, x, 0.02, c.zero, c.type);
        int roi = graph_constant(g, NZ_F32, SHAPE(8), -0.2, 0.2); /* from a fifth before the image on */
        int up = graph_node(g, "Resize", d, roi, NZ_NO_VALUE, LIST(g, 1, 6, size[0], size[1]));
        nz_assert_ok(nz_node_set_string(graph_last(g), "mode", modes[mode]));
        nz_assert_ok(nz_node_set_string(graph_last(g), "nearest_mode", nearest[kind % 4]));
        nz_assert_ok(nz_node_set_string(graph_last(g), "coordinate_transformation_mode", at));
        nz_assert_ok(nz_node_set_float(graph_last(g), "extrapolation_value", 0.5F));
        bool other = i % 5 == 0; /* a scale and zero point of its own behind it */
        graph_finish(g, through(g, up, other ? 0.03 : 0.02, other ? 9 : c.zero, c.type));
        check(g, (expectation){-1, 1, 0, 0, NZ_COMPUTE_AUTO, NULL});
    }
}

static void int8_gates(void **state) {
    (void)state;
    nz_graph *g = begin(15);
    int x = graph_input(g, "x", NZ_F32, SHAPE(1, 16, 8, 8)), d = through(g, x, 0.01, 128, NZ_U8);
    int c = conv8(g, d, (conv_shape){16, 16, 3, 1, 1, 1, 1, 1});
    int silu = through(g, graph_node(g, "Mul", c, graph_node(g, "Sigmoid", c)), 0.02, 14, NZ_U8);
    int hard =
        through(g, graph_node(g, "HardSwish", conv8(g, silu, (conv_shape){16, 16, 1, 1, 0, 0, 1, 1})), 0.02, 20, NZ_U8);
    graph_finish(g, through(g, graph_node(g, "Mul", hard, silu), 0.03, 40, NZ_U8));
    check(g, (expectation){-1, 1, 0, 0.03, NZ_COMPUTE_AUTO, int8()});
}

/* The reader of f32 behind an 8-bit layer, and a graph whose interface is 8-bit. */
static void int8_and_float_side_by_side(void **state) {
    (void)state;
    nz_graph *g = begin(16);
    int x = graph_input(g, "x", NZ_U8, SHAPE(1, 16, 8, 8));
    int d = graph_node(g, "DequantizeLinear", x, scalar(g, NZ_F32, 0.01), scalar(g, NZ_U8, 128));
    int a = through(g, relu(g, conv8(g, d, (conv_shape){16, 16, 3, 1, 1, 1, 1, 1})), 0.02, 0, NZ_U8);
    int f = relu(g, conv3(g, a, 16, 16)); /* float weights: float layer */
    nz_assert_ok(nz_graph_add_output(g, f));
    int logits = conv8(g, a, (conv_shape){16, 4, 1, 1, 0, 0, 1, 1});
    nz_assert_ok(nz_graph_add_output(g, quantised(g, logits, 0.5, 3, NZ_U8)));
    graph_finish(g, logits); /* 8-bit sums that leave as f32 */
    check(g, (expectation){0, 255, 5e-2, 0, NZ_COMPUTE_AUTO, nz_kernel_sums_exactly() ? "mixed" : "f32"});
}

/* The older spelling of quantised layers becomes the same kernels. */
static void qlinear_layers(void **state) {
    (void)state;
    for (size_t k = 0; k < NZ_COUNT(codings); k++) {
        nz_graph *g = begin(k);
        coding c = codings[k];
        int x = graph_input(g, "x", NZ_F32, SHAPE(1, 8, 9, 9)), xs = scalar(g, NZ_F32, 0.01),
            xz = scalar(g, c.type, c.zero);
        int ws = graph_constant(g, NZ_F32, SHAPE(12), 0.002, 0.0001), wz = graph_constant(g, NZ_I8, SHAPE(12), 0, 0);
        int ys = scalar(g, NZ_F32, 0.05), yz = scalar(g, c.type, c.zero),
            w = graph_constant(g, NZ_I8, SHAPE(12, 8, 3, 3), -100, 0.23);
        int q = graph_node(g, "QuantizeLinear", x, xs, xz);
        int y =
            graph_node(g, "QLinearConv", q, xs, xz, w, ws, wz, ys, yz, graph_constant(g, NZ_I32, SHAPE(12), -300, 50));
        INTS(g, "pads", 1, 1, 1, 1);
        int flat = graph_node(g, "Flatten", y), m = graph_constant(g, NZ_I8, SHAPE(12 * 81, 6), -50, 0.016);
        int ms = scalar(g, NZ_F32, 0.001), mz = scalar(g, NZ_I8, 0), os = scalar(g, NZ_F32, 0.2),
            oz = scalar(g, c.type, c.zero);
        int z = graph_node(g, "QLinearMatMul", flat, ys, yz, m, ms, mz, os, oz);
        nz_assert_ok(nz_graph_add_output(g, graph_node(g, "DequantizeLinear", y, ys, yz)));
        graph_finish(g, graph_node(g, "DequantizeLinear", z, os, oz));
        check(g, (expectation){-1, 1, 0, 0.2, NZ_COMPUTE_AUTO, int8()});
    }
}

static void fake_quantisation_runs_as_it_stands(void **state) {
    (void)state;
    nz_graph *g = begin(17);
    int x = graph_input(g, "x", NZ_F32, SHAPE(1, 16, 8, 8)), d = through(g, x, 0.01, 128, NZ_U8);
    graph_finish(g, through(g, conv8(g, d, (conv_shape){16, 16, 3, 1, 1, 1, 1, 1}), 0.02, 128, NZ_U8));
    check(g, (expectation){-1, 1, 0, 0.02, NZ_COMPUTE_F32, "f32"});
}

/* ---- the frame ---- */

static void symbolic_batches_and_wrong_calls(void **state) {
    (void)state;
    nz_graph *g = begin(18);
    int x = graph_input(g, "x", NZ_F32, SHAPE(-1, 3, 8, 8));
    graph_finish(g, relu(g, conv3(g, x, 3, 4)));
    nz_runtime_options options = {.threads = 1, .batch = 3};
    nz_session *s = open(g, options);
    assert_int_equal(nz_session_input(s, 0, NULL)->shape.dim[0], 3);
    nz_tensor *in = tensors(s, true, 0, 1), *out = tensors(s, false, 0, 0);
    nz_assert_ok(nz_session_run(s, in, out));
    nz_tensor wrong = nz_tensor_borrow(NZ_F32, &SHAPE(1, 3, 8, 8), in[0].data);
    nz_assert_fails(nz_session_run(s, &wrong, out), NZ_E_SHAPE, "3x3x8x8");
    wrong = nz_tensor_borrow(NZ_U8, &in[0].shape, in[0].data);
    nz_assert_fails(nz_session_run(s, &wrong, out), NZ_E_SHAPE, "type");
    release(in, 1);
    release(out, 1);
    nz_session_free(s);
    s = NULL;
    nz_assert_fails(nz_session_open(&s, "abacus", g, NULL, &options), NZ_E_ARG, "abacus");
    options.threads = -1;
    nz_assert_fails(nz_session_open(&s, "native", g, NULL, &options), NZ_E_ARG, "negative");
    assert_null(s);
    nz_graph_free(g);
}

static void layers_are_named(void **state) {
    (void)state;
    nz_graph *g = begin(19);
    int x = graph_input(g, "x", NZ_F32, SHAPE(1, 16, 8, 8));
    graph_finish(g, relu(g, conv3(g, x, 16, 16)));
    nz_runtime_options options = {.threads = 1, .profile = true};
    nz_session *s = open(g, options);
    nz_tensor *in = tensors(s, true, 0, 1), *out = tensors(s, false, 0, 0);
    nz_assert_ok(nz_session_run(s, in, out));
    bool found = false;
    for (size_t i = 0; i < nz_session_layer_count(s); i++) {
        nz_layer layer = nz_session_layer(s, i);
        if (strcmp(layer.op, "Conv") != 0) continue;
        found = true;
        assert_non_null(strchr(layer.kernel, ':'));
        assert_string_equal(layer.fused, "Relu");
        assert_true(layer.latency_ms >= 0);
    }
    assert_true(found);
    release(in, 1);
    release(out, 1);
    nz_session_free(s);
    nz_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_of_many_shapes),
        cmocka_unit_test(activations_after_convolutions),
        cmocka_unit_test(gates_and_bounds),
        cmocka_unit_test(residual_blocks),
        cmocka_unit_test(residuals_that_live_on),
        cmocka_unit_test(concatenations),
        cmocka_unit_test(pools),
        cmocka_unit_test(moved_elements),
        cmocka_unit_test(resized),
        cmocka_unit_test(matrices),
        cmocka_unit_test(outputs_in_the_middle_and_dead_ends),
        cmocka_unit_test(transposed_convolutions),
        cmocka_unit_test(one_and_three_dimensions),
        cmocka_unit_test(factors_and_offsets),
        cmocka_unit_test(small_numbers_are_added),
        cmocka_unit_test(long_chains_of_constants),
        cmocka_unit_test(column_biases),
        cmocka_unit_test(bf16_layers),
        cmocka_unit_test(stored_weights_compute_in_f32),
        cmocka_unit_test(int8_convolutions),
        cmocka_unit_test(int8_residuals),
        cmocka_unit_test(int8_runs_of_layers),
        cmocka_unit_test(int8_resized),
        cmocka_unit_test(int8_gates),
        cmocka_unit_test(int8_and_float_side_by_side),
        cmocka_unit_test(qlinear_layers),
        cmocka_unit_test(fake_quantisation_runs_as_it_stands),
        cmocka_unit_test(symbolic_batches_and_wrong_calls),
        cmocka_unit_test(layers_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
