/* SPDX-License-Identifier: Apache-2.0 */
/* Training layers of every provider against plain C: forward, both gradients, the order of weights, memory around. */
#include "core/threads.h"
#include "guarded.h"
#include "kernel/avx512.h"
#include "kernel/train_winograd.h"

typedef struct buffers {
    guarded src, dst, dsrc, ddst, weights, bias, dweights, dbias;
} buffers;

static void release_buffers(buffers *b) {
    release_guarded(&b->src), release_guarded(&b->dst), release_guarded(&b->dsrc), release_guarded(&b->ddst);
    release_guarded(&b->weights), release_guarded(&b->bias), release_guarded(&b->dweights), release_guarded(&b->dbias);
}

static size_t elements(const nz_mem *mem) { return (size_t)nz_mem_elements(mem); }

/* Every number within `tolerance` of the largest expected one. */
static void assert_like(const char *what, const nz_train_layer *layer, nz_dtype dtype, const void *got,
                        const float *expected, size_t n, double tolerance) {
    double largest = 1e-3;
    for (size_t i = 0; i < n; i++) { /* not fmax: gcc 12 for arm64 cannot compile a maximum that widens */
        double size = fabs((double)expected[i]);
        if (size > largest) largest = size;
    }
    for (size_t i = 0; i < n; i++) {
        double value = (double)element(dtype, got, i);
        if (!(fabs(value - (double)expected[i]) <= tolerance * largest))
            fail_msg("%s by %s, %s, %s: element %zu of %zu is %.9g, expected %.9g (largest %.3g)", what, layer->name[0],
                     layer->name[1], layer->name[2], i, n, value, (double)expected[i], largest);
    }
}

/* What the layer computes, in plain order, into b. */
static void compute(nz_train_layer *layer, const nz_train_layer_desc *desc, const buffers *in, buffers *b) {
    size_t plain = (size_t)nz_shape_elements(&desc->weights);
    size_t kept = layer->packing ? nz_packing_elements(layer->packing) : plain;
    guarded scratch = make_guarded(layer->scratch_bytes), weights = make_guarded(kept * sizeof(float)),
            dweights = make_guarded(kept * sizeof(float));
    if (layer->packing)
        nz_packing_in(layer->packing, weights.data, in->weights.data);
    else
        memcpy(weights.data, in->weights.data, plain * sizeof(float));
    layer->bind_scratch(layer, scratch.data);
    nz_assert_ok(layer->forward(layer, in->src.data, weights.data, desc->bias ? in->bias.data : NULL, b->dst.data));
    if (desc->source_gradient) nz_assert_ok(layer->backward_data(layer, in->ddst.data, weights.data, b->dsrc.data));
    nz_assert_ok(
        layer->backward_weights(layer, in->src.data, in->ddst.data, dweights.data, desc->bias ? b->dbias.data : NULL));
    if (layer->packing) {
        double all = 0, taken = 0;
        nz_packing_out(layer->packing, b->dweights.data, dweights.data);
        for (size_t i = 0; i < kept; i++) all += (double)((float *)dweights.data)[i];
        for (size_t i = 0; i < plain; i++) taken += (double)((float *)b->dweights.data)[i];
        nz_assert_near(all, taken, 1e-6, 1e-3); /* what pads is 0 */
    } else
        memcpy(b->dweights.data, dweights.data, plain * sizeof(float));
    release_guarded(&scratch), release_guarded(&weights), release_guarded(&dweights);
}

static buffers outputs(const nz_train_layer_desc *desc) {
    size_t item = desc->src.dtype == NZ_BF16 ? 2 : 4, weights = (size_t)nz_shape_elements(&desc->weights);
    return (buffers){.dst = make_guarded(elements(&desc->dst) * item),
                     .dsrc = make_guarded(elements(&desc->src) * item),
                     .dweights = make_guarded(weights * sizeof(float)),
                     .dbias = make_guarded((size_t)desc->dst.dim[1] * sizeof(float)),
                     .src = make_guarded(0),
                     .ddst = make_guarded(0),
                     .weights = make_guarded(0),
                     .bias = make_guarded(0)};
}

static buffers inputs(const nz_train_layer_desc *desc) {
    return (buffers){.src = make_random(desc->src.dtype, elements(&desc->src)),
                     .ddst = make_random(desc->src.dtype, elements(&desc->dst)),
                     .weights = make_random(NZ_F32, (size_t)nz_shape_elements(&desc->weights)),
                     .bias = make_random(NZ_F32, (size_t)desc->dst.dim[1]),
                     .dst = make_guarded(0),
                     .dsrc = make_guarded(0),
                     .dweights = make_guarded(0),
                     .dbias = make_guarded(0)};
}

/* f32 copies of bf16 inputs: what the plain C gets. */
static buffers widened(const nz_train_layer_desc *desc, const buffers *in) {
    buffers wide = inputs(desc);
    size_t weights = (size_t)nz_shape_elements(&desc->weights);
    bool narrow = in->src.bytes == elements(&desc->src) * 2;
    for (size_t i = 0; i < elements(&desc->src); i++)
        ((float *)wide.src.data)[i] = element(narrow ? NZ_BF16 : NZ_F32, in->src.data, i);
    for (size_t i = 0; i < elements(&desc->dst); i++)
        ((float *)wide.ddst.data)[i] = element(narrow ? NZ_BF16 : NZ_F32, in->ddst.data, i);
    for (size_t i = 0; i < weights; i++) {
        float w = ((float *)in->weights.data)[i];
        ((float *)wide.weights.data)[i] = narrow ? nz_bf16_to_f32(nz_f32_to_bf16(w)) : w;
    }
    memcpy(wide.bias.data, in->bias.data, in->bias.bytes);
    return wide;
}

static void assert_same_bytes(const guarded *a, const guarded *b) { assert_memory_equal(a->data, b->data, a->bytes); }

/* winograd: the size of its tile; 0: what nz_train_layer_new takes. */
static void check_by(const nz_train_layer_desc *desc, int winograd) {
    nz_train_layer *layer = NULL, *reference = NULL;
    nz_train_layer_desc plain = *desc;
    plain.src.dtype = plain.dst.dtype = NZ_F32;
    nz_status status = winograd ? nz_train_winograd_create(&layer, desc, winograd) : nz_train_layer_new(&layer, desc);
    if (desc->src.dtype == NZ_BF16 && status == NZ_E_UNSUPPORTED) return;
    nz_assert_ok(status);
    nz_assert_ok(nz_train_layer_new_reference(&reference, &plain));
    buffers in = inputs(desc), wide = widened(&plain, &in), got = outputs(desc), again = outputs(desc);
    buffers expected = outputs(&plain);
    /* bfloat16 has 8 bits: half a unit of the result, and what products of rounded inputs add up to. */
    double tolerance = desc->src.dtype == NZ_BF16 ? 1.0 / 256 : winograd == 4 ? 5e-5 : 2e-5;
    compute(layer, desc, &in, &got);
    compute(layer, desc, &in, &again);
    compute(reference, &plain, &wide, &expected);
    assert_like("forward", layer, desc->src.dtype, got.dst.data, expected.dst.data, elements(&desc->dst), tolerance);
    if (desc->source_gradient)
        assert_like("backward data", layer, desc->src.dtype, got.dsrc.data, expected.dsrc.data, elements(&desc->src),
                    tolerance);
    assert_like("backward weights", layer, NZ_F32, got.dweights.data, expected.dweights.data,
                (size_t)nz_shape_elements(&desc->weights), tolerance);
    if (desc->bias)
        assert_like("bias", layer, NZ_F32, got.dbias.data, expected.dbias.data, (size_t)desc->dst.dim[1], tolerance);
    assert_same_bytes(&got.dst, &again.dst), assert_same_bytes(&got.dsrc, &again.dsrc);
    assert_same_bytes(&got.dweights, &again.dweights), assert_same_bytes(&got.dbias, &again.dbias);
    if (getenv("NETZIP_TEST_VERBOSE"))
        print_message("# %lldx%lld -> %lld, %s: %s %s %s\n", (long long)desc->src.dim[0], (long long)desc->src.dim[1],
                      (long long)desc->dst.dim[1], desc->src.dtype == NZ_BF16 ? "bf16" : "f32", layer->name[0],
                      layer->name[1], layer->name[2]);
    release_buffers(&in), release_buffers(&wide), release_buffers(&got), release_buffers(&again);
    release_buffers(&expected);
    nz_train_layer_free(layer), nz_train_layer_free(reference);
}

static void check(const nz_train_layer_desc *desc) { check_by(desc, 0); }

typedef struct shape {
    int64_t batch, in, out, side, kernel, stride, pad, dilation, groups;
} shape;

static nz_train_layer_desc describe(const shape *s, nz_kernel_op op, nz_dtype dtype, bool last) {
    bool deconv = op == NZ_KERNEL_DECONV;
    int64_t extent = (s->kernel - 1) * s->dilation + 1;
    int64_t out =
        deconv ? (s->side - 1) * s->stride + extent - 2 * s->pad : (s->side + 2 * s->pad - extent) / s->stride + 1;
    nz_shape src = {.rank = 4, .dim = {s->batch, s->in, s->side, s->side}};
    nz_shape dst = {.rank = 4, .dim = {s->batch, s->out, out, out}};
    nz_train_layer_desc desc = {.op = op, .groups = s->groups, .source_gradient = true};
    desc.src = last ? nz_mem_channels_last(dtype, &src) : nz_mem_plain(dtype, &src);
    desc.dst = last ? nz_mem_channels_last(dtype, &dst) : nz_mem_plain(dtype, &dst);
    desc.weights = (nz_shape){.rank = 4, .dim = {s->out, s->in / s->groups, s->kernel, s->kernel}};
    if (deconv) desc.weights.dim[0] = s->in, desc.weights.dim[1] = s->out / s->groups;
    nz_window *w = &desc.window;
    *w = (nz_window){.rank = 2, .in = {1, 1, 1}, .out = {1, 1, 1}, .kernel = {1, 1, 1}, .stride = {1, 1, 1}};
    for (int i = 0; i < 3; i++) w->dilation[i] = 1;
    for (int i = 1; i < 3; i++) {
        w->in[i] = s->side, w->out[i] = out, w->kernel[i] = s->kernel, w->stride[i] = s->stride;
        w->dilation[i] = s->dilation, w->begin[i] = w->end[i] = s->pad;
    }
    return desc;
}

static const shape shapes[] = {
    {4, 3, 16, 16, 3, 1, 1, 1, 1},  {2, 3, 64, 32, 7, 2, 3, 1, 1},  {3, 16, 16, 9, 3, 1, 1, 1, 1},
    {2, 16, 32, 16, 3, 2, 1, 1, 1}, {2, 32, 64, 8, 3, 2, 1, 1, 1},  {2, 64, 64, 8, 3, 1, 1, 1, 1},
    {2, 64, 128, 8, 1, 2, 0, 1, 1}, {3, 64, 32, 4, 1, 1, 0, 1, 1},  {4, 128, 64, 1, 3, 1, 1, 1, 1},
    {4, 64, 64, 2, 3, 1, 1, 1, 1},  {2, 1, 1, 7, 3, 1, 1, 1, 1},    {1, 3, 10, 5, 2, 1, 0, 1, 1},
    {2, 17, 16, 7, 3, 1, 1, 1, 1},  {2, 16, 17, 7, 3, 2, 1, 1, 1},  {1, 100, 10, 6, 3, 1, 0, 2, 1},
    {2, 32, 32, 8, 3, 1, 1, 1, 32}, {2, 96, 96, 9, 3, 2, 1, 1, 96}, {2, 17, 17, 6, 3, 1, 1, 1, 17},
    {2, 32, 64, 7, 3, 1, 1, 1, 2},  {1, 12, 20, 6, 3, 1, 1, 1, 4},  {2, 5, 7, 11, 5, 3, 2, 1, 1},
    {2, 24, 40, 6, 1, 1, 0, 1, 1},  {7, 13, 3, 3, 1, 1, 0, 1, 1},   {1, 16, 16, 12, 3, 1, 2, 2, 1},
    {1, 32, 16, 6, 4, 2, 1, 1, 1},  {33, 64, 64, 2, 3, 2, 1, 1, 1}, {31, 16, 16, 5, 3, 1, 1, 1, 1},
    {5, 64, 64, 13, 3, 1, 1, 1, 1}, {3, 16, 32, 1, 5, 1, 2, 1, 1},  {2, 8, 8, 1, 3, 1, 1, 1, 8},
    {3, 20, 7, 2, 5, 2, 2, 1, 1},   {2, 16, 16, 2, 3, 1, 2, 2, 1},
};

static void convolutions(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int variant = 0; variant < 3; variant++) {
            nz_train_layer_desc desc = describe(&shapes[i], NZ_KERNEL_CONV, NZ_F32, variant < 2);
            desc.bias = variant != 1;
            desc.plain_weights = variant == 1;
            check(&desc);
        }
}

static void transposed_convolutions(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int variant = 0; variant < 2; variant++) {
            shape s = shapes[i];
            if (s.side > 12) continue;
            nz_train_layer_desc desc = describe(&s, NZ_KERNEL_DECONV, NZ_F32, true);
            if (desc.dst.dim[2] < 1) continue;
            desc.bias = variant == 0;
            desc.plain_weights = variant == 1;
            check(&desc);
        }
}

static nz_train_layer_desc linear(nz_dtype dtype, int64_t m, int64_t k, int64_t n, bool transposed) {
    nz_shape src = {.rank = 2, .dim = {m, k}}, dst = {.rank = 2, .dim = {m, n}};
    return (nz_train_layer_desc){.op = NZ_KERNEL_LINEAR,
                                 .src = nz_mem_plain(dtype, &src),
                                 .dst = nz_mem_plain(dtype, &dst),
                                 .weights = {.rank = 2, .dim = {transposed ? n : k, transposed ? k : n}},
                                 .weights_transposed = transposed,
                                 .groups = 1,
                                 .source_gradient = true,
                                 .bias = true};
}

static void linear_layers(void **state) {
    (void)state;
    static const int64_t extents[][3] = {{1, 1, 1},     {2, 3, 10},    {32, 64, 10},  {128, 64, 10}, {7, 100, 17},
                                         {32, 512, 10}, {16, 257, 64}, {33, 31, 128}, {1, 64, 1000}};
    for (size_t i = 0; i < sizeof extents / sizeof *extents; i++)
        for (int variant = 0; variant < 4; variant++) {
            nz_train_layer_desc desc = linear(NZ_F32, extents[i][0], extents[i][1], extents[i][2], (variant & 1) != 0);
            desc.plain_weights = (variant & 2) != 0;
            desc.bias = variant != 3;
            check(&desc);
        }
}

static void winograd(void **state) {
    (void)state;
    static const shape all[] = {
        {1, 16, 16, 1, 3, 1, 1, 1, 1},  {3, 16, 32, 4, 3, 1, 1, 1, 1},   {2, 32, 16, 5, 3, 1, 1, 1, 1},
        {2, 64, 64, 8, 3, 1, 1, 1, 1},  {5, 48, 80, 7, 3, 1, 1, 1, 1},   {33, 16, 16, 2, 3, 1, 1, 1, 1},
        {1, 16, 16, 32, 3, 1, 1, 1, 1}, {2, 16, 112, 10, 3, 1, 0, 1, 1}, {2, 32, 16, 6, 3, 1, 2, 1, 1},
        {7, 128, 96, 3, 3, 1, 1, 1, 1}, {40, 16, 16, 12, 3, 1, 1, 1, 1},
    };
    int before = nz_threads_get();
    if (!nz_avx512()) nz_test_skip("no AVX-512 on this CPU");
    for (int threads = 1; threads < 4; threads += 2)
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            for (int size = 2; size < 5; size += 2) {
                nz_train_layer_desc desc = describe(&all[i], NZ_KERNEL_CONV, NZ_F32, true);
                nz_threads_set(threads);
                desc.bias = i % 2 == 0;
                check_by(&desc, size);
            }
    nz_threads_set(before);
}

static void winograd_leaves_to_others(void **state) {
    (void)state;
    nz_train_layer *layer = NULL;
    static const shape all[] = {{1, 16, 16, 8, 3, 2, 1, 1, 1}, {1, 16, 16, 8, 3, 1, 1, 2, 1},
                                {1, 16, 24, 8, 3, 1, 1, 1, 1}, {1, 16, 16, 8, 5, 1, 1, 1, 1},
                                {1, 32, 32, 8, 3, 1, 1, 1, 2}, {1, 16, 16, 8, 3, 1, 3, 1, 1}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        nz_train_layer_desc desc = describe(&all[i], NZ_KERNEL_CONV, NZ_F32, true);
        assert_int_equal(nz_train_winograd_create(&layer, &desc, 4), NZ_E_UNSUPPORTED);
    }
    nz_train_layer_desc desc = describe(&shapes[5], NZ_KERNEL_CONV, NZ_F32, true);
    desc.plain_weights = true;
    assert_int_equal(nz_train_winograd_create(&layer, &desc, 4), NZ_E_UNSUPPORTED);
    assert_null(layer);
}

static void brain_floats(void **state) {
    (void)state;
    nz_train_layer *layer = NULL;
    nz_train_layer_desc probe = describe(&shapes[5], NZ_KERNEL_CONV, NZ_BF16, true);
    if (nz_train_layer_new(&layer, &probe) != NZ_OK) {
        assert_non_null(strstr(nz_last_error(), "bfloat16"));
        nz_test_skip("no bfloat16 layers on this CPU");
    }
    nz_train_layer_free(layer);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        nz_train_layer_desc desc = describe(&shapes[i], NZ_KERNEL_CONV, NZ_BF16, true);
        desc.bias = i % 2;
        check(&desc);
    }
    nz_train_layer_desc desc = linear(NZ_BF16, 32, 64, 10, true);
    check(&desc);
}

static void without_a_source_gradient(void **state) {
    (void)state;
    nz_train_layer_desc desc = describe(&shapes[0], NZ_KERNEL_CONV, NZ_F32, true);
    desc.source_gradient = false;
    check(&desc);
}

static void on_two_threads(void **state) {
    (void)state;
    int before = nz_threads_get();
    nz_threads_set(2);
    for (size_t i = 0; i < 10; i++) {
        nz_train_layer_desc desc = describe(&shapes[i], NZ_KERNEL_CONV, NZ_F32, true);
        check(&desc);
    }
    nz_threads_set(before);
}

int main(void) {
    nz_random_init(&random_state, 3, 1);
    nz_threads_set(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(winograd),
        cmocka_unit_test(winograd_leaves_to_others),
        cmocka_unit_test(convolutions),
        cmocka_unit_test(transposed_convolutions),
        cmocka_unit_test(linear_layers),
        cmocka_unit_test(brain_floats),
        cmocka_unit_test(without_a_source_gradient),
        cmocka_unit_test(on_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
