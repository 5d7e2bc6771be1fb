/* SPDX-License-Identifier: Apache-2.0 */
/* Every fast kernel behind nz_kernel_new against plain C: sizes around the tile and at primes, odd strides, guard bytes. */
#include "core/random.h"
#include "core/threads.h"
#include "kernel/kernel.h"
#include "test.h"

static nz_random random_state;

static int64_t between(int64_t least, int64_t most) {
    return least + (int64_t)nz_random_below(&random_state, (uint64_t)(most - least + 1));
}
static float number(void) { return (float)nz_random_unit(&random_state) * 2 - 1; }

enum { GUARD = 64 };

/* Bytes with a guard on both sides, filled with what no result is. */
typedef struct guarded {
    unsigned char *all;
    size_t bytes;
    void *data;
} guarded;

static guarded make(size_t bytes) {
    guarded g = {.bytes = bytes};
    assert_int_equal(posix_memalign((void **)&g.all, 64, bytes + 2 * GUARD), 0);
    memset(g.all, 0xAB, bytes + 2 * GUARD);
    g.data = g.all + GUARD;
    return g;
}

static void release(guarded *g) {
    for (int i = 0; i < GUARD; i++) {
        assert_int_equal(g->all[i], 0xAB);
        assert_int_equal(g->all[GUARD + g->bytes + (size_t)i], 0xAB);
    }
    free(g->all);
}

static int64_t place(const nz_mem *m, const int64_t *at) {
    int64_t sum = 0;
    for (int i = 0; i < m->rank; i++) sum += at[i] * m->stride[i];
    return sum;
}

/* The next index of a walk over the extents; false behind the last. */
static bool next(const nz_mem *m, int64_t *at) {
    for (int i = m->rank - 1; i >= 0; i--) {
        if (++at[i] < m->dim[i]) return true;
        at[i] = 0;
    }
    return false;
}

static void run(nz_kernel *kernel, void *src, void *src1, void *dst) {
    guarded scratch = make(kernel->scratch_bytes);
    kernel->bind(kernel, NZ_ARG_SRC, src);
    kernel->bind(kernel, NZ_ARG_SRC1, src1);
    kernel->bind(kernel, NZ_ARG_DST, dst);
    kernel->bind(kernel, NZ_ARG_SCRATCH, scratch.data);
    nz_assert_ok(kernel->run(kernel));
    release(&scratch);
}

/* Channels last with `gap` elements between pixels that belong to others. */
static nz_mem image(nz_dtype dtype, int64_t n, int64_t c, int64_t h, int64_t w, int64_t gap) {
    return (nz_mem){
        .dtype = dtype, .rank = 4, .dim = {n, c, h, w}, .stride = {h * w * (c + gap), 1, w * (c + gap), c + gap}};
}

/* ---- convolutions in f32 ---- */

typedef struct conv_case {
    nz_algorithm algorithm;
    const char *name; /* of the kernel that must come */
    int64_t kernel;
} conv_case;

static nz_window window(int64_t kernel, int64_t stride, int64_t begin, int64_t end, int64_t h, int64_t w) {
    nz_window s = {.rank = 2,
                   .in = {1, h, w},
                   .out = {1, 1, 1},
                   .kernel = {1, kernel, kernel},
                   .stride = {1, stride, stride},
                   .dilation = {1, 1, 1}};
    for (int i = 1; i < 3; i++) {
        s.begin[i] = begin, s.end[i] = end;
        s.out[i] = (s.in[i] + begin + end - kernel) / stride + 1;
    }
    return s;
}

static float act(float x, int kind) {
    return kind == 0   ? x
           : kind == 1 ? (x > 0 ? x : 0)
           : kind == 2 ? fminf(fmaxf(x, -0.5F), 0.7F)
           : kind == 3 ? (x > 0 ? x : 0.2F * x)
                       : x / (1 + expf(-x));
}

static nz_post act_post(int kind) {
    nz_post post = {.kind = NZ_POST_ACT, .act = NZ_ACT_RELU};
    if (kind == 2) post.act = NZ_ACT_CLIP, post.alpha = -0.5F, post.beta = 0.7F;
    if (kind == 3) post.alpha = 0.2F;
    if (kind == 4) post.act = NZ_ACT_SWISH, post.alpha = 1;
    return post;
}

static void convolve(conv_case which, int64_t in, int64_t out, int64_t h, int64_t w, int round) {
    int64_t batch = between(1, 2), pad = which.kernel == 3 ? between(0, 1) : 0,
            stride = which.kernel == 1 ? between(1, 2) : 1;
    int kind = round % 5, residual = round % 3;
    nz_kernel_desc d = {.op = NZ_KERNEL_CONV,
                        .groups = 1,
                        .algorithm = which.algorithm,
                        .src_quant = {1, 0},
                        .src1_quant = {1, 0},
                        .dst_quant = {1, 0}};
    d.window = window(which.kernel, stride, pad, which.kernel == 3 ? between(0, 1) : 0, h, w);
    int64_t oh = d.window.out[1], ow = d.window.out[2];
    d.src = image(NZ_F32, batch, in, h, w, between(0, 3));
    d.dst = image(NZ_F32, batch, out, oh, ow, between(0, 5));
    d.src1 = image(NZ_F32, batch, out, oh, ow, between(0, 2));
    nz_shape shape = {4, {out, in, which.kernel, which.kernel}};
    nz_tensor weights;
    nz_assert_ok(nz_tensor_init(&weights, NZ_F32, &shape));
    for (int64_t i = 0; i < nz_shape_elements(&shape); i++)
        ((float *)weights.data)[i] = number() / (float)(which.kernel * 3);
    float *bias = malloc((size_t)out * sizeof *bias);
    for (int64_t i = 0; i < out; i++) bias[i] = number();
    d.weights = &weights;
    d.bias = round % 4 ? bias : NULL;
    if (residual)
        d.posts[d.post_count++] =
            (nz_post){.kind = residual == 1 ? NZ_POST_SUM : NZ_POST_ADD, .scale = 1, .dtype = NZ_F32};
    if (kind) d.posts[d.post_count++] = act_post(kind);
    nz_kernel *kernel = NULL;
    nz_assert_ok(nz_kernel_new_algorithm(&kernel, &d));
    assert_int_equal(strncmp(kernel->name, which.name, strlen(which.name)), 0);
    guarded src = make(nz_mem_bytes(&d.src)), src1 = make(nz_mem_bytes(&d.src1)), dst = make(nz_mem_bytes(&d.dst)),
            was = make(nz_mem_bytes(&d.dst));
    for (size_t i = 0; i < src.bytes / 4; i++) ((float *)src.data)[i] = number();
    for (size_t i = 0; i < src1.bytes / 4; i++) ((float *)src1.data)[i] = number();
    for (size_t i = 0; i < dst.bytes / 4; i++) ((float *)dst.data)[i] = number();
    memcpy(was.data, dst.data, dst.bytes);
    run(kernel, src.data, src1.data, dst.data);
    /* plain C on dense row-major copies */
    nz_ref_conv conv = {.window = d.window, .batch = batch, .in_channels = in, .out_channels = out, .groups = 1};
    float *x = malloc((size_t)(batch * in * h * w) * sizeof *x),
          *y = malloc((size_t)(batch * out * oh * ow) * sizeof *y);
    int64_t at[4] = {0}, i = 0;
    do x[i++] = ((float *)src.data)[place(&d.src, at)];
    while (next(&d.src, at));
    nz_assert_ok(nz_ref_conv_f32(&conv, x, weights.data, d.bias, y));
    unsigned char *written = calloc(dst.bytes / 4, 1);
    double largest = 0, bound = which.kernel == 3 ? NZ_WINOGRAD_BOUND : 1e-5; /* relative to the largest sum */
    for (int64_t k = 0; k < batch * out * oh * ow;
         k++) { /* not fmax: gcc 12 for arm64 cannot compile a maximum that widens */
        double size = fabs((double)y[k]);
        if (size > largest) largest = size;
    }
    memset(at, 0, sizeof at);
    i = 0;
    do {
        int64_t p = place(&d.dst, at);
        float sum = y[i++] + (residual == 1   ? ((float *)was.data)[p]
                              : residual == 2 ? ((float *)src1.data)[place(&d.src1, at)]
                                              : 0);
        nz_assert_near(((float *)dst.data)[p], act(sum, kind), 1e-5, bound * largest);
        written[p] = 1;
    } while (next(&d.dst, at));
    for (size_t k = 0; k < dst.bytes / 4; k++) /* what lies between the pixels is somebody else's */
        if (!written[k]) assert_true(((float *)dst.data)[k] == ((float *)was.data)[k]);
    free(written);
    free(x);
    free(y);
    free(bias);
    nz_kernel_free(kernel);
    nz_tensor_done(&weights);
    release(&src);
    release(&src1);
    release(&dst);
    release(&was);
}

static void our_convolutions_equal_plain_c(void **state) {
    (void)state;
    static const conv_case cases[] = {{NZ_ALGORITHM_WINOGRAD_2, "own:wino_2x3", 3},
                                      {NZ_ALGORITHM_WINOGRAD_4, "own:wino_4x3", 3},
                                      {NZ_ALGORITHM_GEMM, "own:gemm_1x1", 1}};
    static const int64_t channels[] = {1, 3, 15, 16, 17, 32, 47, 64, 65, 80, 97, 131};
    nz_kernel *kernel = NULL;
    nz_random_init(&random_state, 11, 0);
    nz_kernel_desc probe = {
        .op = NZ_KERNEL_CONV, .groups = 1, .algorithm = NZ_ALGORITHM_GEMM, .window = window(1, 1, 0, 0, 2, 2)};
    nz_tensor one;
    nz_assert_ok(nz_tensor_init(&one, NZ_F32, &(nz_shape){4, {1, 1, 1, 1}}));
    probe.weights = &one, probe.src = probe.dst = image(NZ_F32, 1, 1, 2, 2, 0);
    nz_status status = nz_kernel_new_algorithm(&kernel, &probe);
    nz_kernel_free(kernel);
    nz_tensor_done(&one);
    if (status == NZ_E_UNSUPPORTED) nz_test_skip("this CPU has no AVX-512");
    for (int threads = 1; threads <= 2; threads++) {
        nz_threads_set(threads);
        for (size_t c = 0; c < NZ_COUNT(cases); c++)
            for (int round = 0; round < 60; round++)
                convolve(cases[c], channels[(size_t)round % NZ_COUNT(channels)],
                         channels[(size_t)(round * 7 + 3) % NZ_COUNT(channels)], between(3, 19), between(3, 19), round);
    }
}

static void winograd_refuses_weights_it_would_blur(void **state) {
    (void)state;
    nz_kernel *kernel = NULL;
    nz_tensor weights;
    nz_kernel_desc d = {
        .op = NZ_KERNEL_CONV, .groups = 1, .algorithm = NZ_ALGORITHM_WINOGRAD_4, .window = window(3, 1, 1, 1, 16, 16)};
    d.src = d.dst = image(NZ_F32, 1, 2, 16, 16, 0);
    nz_assert_ok(nz_tensor_init(&weights, NZ_F32, &(nz_shape){4, {2, 2, 3, 3}}));
    for (int i = 0; i < 36; i++) ((float *)weights.data)[i] = NAN;
    d.weights = &weights;
    assert_int_equal(nz_kernel_new_algorithm(&kernel, &d), NZ_E_UNSUPPORTED);
    nz_tensor_done(&weights);
}

/* ---- copies ---- */

static double load(nz_dtype t, const void *data, int64_t i) {
    nz_shape shape = {1, {i + 1}};
    nz_tensor tensor = nz_tensor_borrow(t, &shape, (void *)(uintptr_t)data);
    tensor.bytes = SIZE_MAX;
    return nz_tensor_real(&tensor, i);
}

/* Axes in a random order, with a random gap in one of them. */
static nz_mem shuffled(nz_dtype dtype, const nz_shape *shape) {
    nz_mem m = {.dtype = dtype, .rank = shape->rank};
    int order[NZ_MAX_RANK];
    for (int i = 0; i < shape->rank; i++) order[i] = i;
    for (int i = shape->rank - 1; i > 0; i--) {
        int k = (int)between(0, i), swap = order[i];
        order[i] = order[k], order[k] = swap;
    }
    int64_t step = between(0, 3) ? 1 : 2;
    for (int i = 0; i < shape->rank; i++) {
        m.dim[order[i]] = shape->dim[order[i]];
        m.stride[order[i]] = step;
        step *= shape->dim[order[i]] + (between(0, 4) ? 0 : 1);
    }
    return m;
}

static void copies_between_any_layouts_and_types(void **state) {
    (void)state;
    static const nz_dtype pairs[][2] = {{NZ_F32, NZ_F32}, {NZ_U8, NZ_U8},  {NZ_I64, NZ_I64}, {NZ_F16, NZ_F16},
                                        {NZ_F32, NZ_U8},  {NZ_F32, NZ_I8}, {NZ_U8, NZ_F32},  {NZ_I8, NZ_F32},
                                        {NZ_U8, NZ_I8},   {NZ_I8, NZ_U8},  {NZ_I8, NZ_I8},   {NZ_F32, NZ_BF16},
                                        {NZ_BF16, NZ_F32}};
    nz_random_init(&random_state, 12, 0);
    for (int round = 0; round < 520; round++) {
        const nz_dtype *pair = pairs[(size_t)round % NZ_COUNT(pairs)];
        nz_shape shape = {.rank = (int)between(0, 5)};
        for (int i = 0; i < shape.rank; i++) shape.dim[i] = between(0, 3) ? between(1, 5) : between(1, 41);
        nz_kernel_desc d = {.op = NZ_KERNEL_COPY,
                            .src = shuffled(pair[0], &shape),
                            .dst = shuffled(pair[1], &shape),
                            .src_quant = {1, 0},
                            .dst_quant = {1, 0}};
        bool from8 = pair[0] == NZ_U8 || pair[0] == NZ_I8, to8 = pair[1] == NZ_U8 || pair[1] == NZ_I8,
             recodes = from8 || to8;
        if (round % 26 == 1) recodes = false;
        if (recodes && from8) d.src_quant = (nz_quant){0.02F, (int32_t)between(-20, 20)};
        if (recodes && to8) d.dst_quant = (nz_quant){0.013F, (int32_t)between(-20, 20)};
        if (!recodes && from8 && pair[0] != pair[1]) continue;
        nz_kernel *kernel = NULL;
        nz_threads_set(1 + round % 2);
        nz_assert_ok(nz_kernel_new(&kernel, &d));
        guarded src = make(nz_mem_bytes(&d.src)), dst = make(nz_mem_bytes(&d.dst));
        nz_tensor fill = nz_tensor_borrow(
            pair[0], &(nz_shape){1, {(int64_t)(src.bytes * 8) / nz_dtype_get(pair[0])->bits}}, src.data);
        for (int64_t i = 0; i < fill.shape.dim[0]; i++)
            nz_tensor_set_real(&fill, i, from8 ? (double)between(-128, 255) : (double)number() * 3);
        run(kernel, src.data, NULL, dst.data);
        int64_t at[NZ_MAX_RANK] = {0};
        do {
            double x = load(pair[0], src.data, place(&d.src, at)), got = load(pair[1], dst.data, place(&d.dst, at));
            double real = (x - d.src_quant.zero_point) * (double)d.src_quant.scale;
            if (to8 && recodes) {
                double least = pair[1] == NZ_I8 ? -128 : 0,
                       code = nearbyint(real / (double)d.dst_quant.scale) + d.dst_quant.zero_point;
                assert_true(fabs(got - fmin(fmax(code, least), least + 255)) <=
                            (fabs(fabs(real / (double)d.dst_quant.scale - nearbyint(real / (double)d.dst_quant.scale)) -
                                  0.5) < 1e-4));
            } else if (pair[1] == NZ_BF16) {
                assert_true(got == (double)nz_bf16_to_f32(nz_f32_to_bf16((float)x)));
            } else {
                nz_assert_near(got, real, 1e-6, 0);
            }
        } while (next(&d.src, at));
        nz_kernel_free(kernel);
        release(&src);
        release(&dst);
    }
}

/* ---- 8 bits, element by element ---- */

static void sums_and_products_of_codes(void **state) {
    (void)state;
    nz_random_init(&random_state, 13, 0);
    for (int round = 0; round < 64; round++) {
        nz_dtype t[3];
        for (int i = 0; i < 3; i++) t[i] = round >> i & 1 ? NZ_I8 : NZ_U8;
        nz_shape shape = {2, {between(1, 7), between(1, 131)}};
        nz_kernel_desc d = {.op = round & 8 ? NZ_KERNEL_MUL : NZ_KERNEL_ADD,
                            .src = nz_mem_plain(t[0], &shape),
                            .src1 = nz_mem_plain(t[1], &shape),
                            .dst = nz_mem_plain(t[2], &shape)};
        d.src_quant = (nz_quant){0.021F, (int32_t)between(-9, 9)},
        d.src1_quant = (nz_quant){0.034F, (int32_t)between(-9, 9)};
        d.dst_quant = (nz_quant){0.043F, (int32_t)between(-9, 9)};
        if (round & 16) d.posts[d.post_count++] = act_post(1 + (round >> 5));
        nz_kernel *kernel = NULL;
        nz_assert_ok(nz_kernel_new(&kernel, &d));
        int64_t count = nz_mem_elements(&d.dst);
        guarded a = make((size_t)count), b = make((size_t)count), y = make((size_t)count);
        for (int64_t i = 0; i < count; i++)
            ((uint8_t *)a.data)[i] = (uint8_t)between(0, 255), ((uint8_t *)b.data)[i] = (uint8_t)between(0, 255);
        run(kernel, a.data, b.data, y.data);
        for (int64_t i = 0; i < count; i++) {
            double p = (load(t[0], a.data, i) - d.src_quant.zero_point) * (double)d.src_quant.scale,
                   q = (load(t[1], b.data, i) - d.src1_quant.zero_point) * (double)d.src1_quant.scale;
            double real = round & 8 ? p * q : p + q, least = t[2] == NZ_I8 ? -128 : 0;
            if (round & 16) real = (double)act((float)real, 1 + (round >> 5));
            double exact = fmin(fmax(real / (double)d.dst_quant.scale + d.dst_quant.zero_point, least), least + 255);
            assert_true(fabs(load(t[2], y.data, i) - exact) <= 0.5 + 1e-3);
        }
        nz_kernel_free(kernel);
        release(&a);
        release(&b);
        release(&y);
    }
}

static void averages_of_codes(void **state) {
    (void)state;
    nz_random_init(&random_state, 14, 0);
    for (int round = 0; round < 40; round++) {
        nz_dtype from = round & 1 ? NZ_I8 : NZ_U8, to = round & 2 ? NZ_I8 : NZ_U8;
        int64_t n = between(1, 2), c = between(1, 300), h = between(3, 9), w = between(3, 9), k = between(1, 3),
                stride = between(1, 2), pad = k > 1 ? between(0, 1) : 0;
        nz_kernel_desc d = {.op = NZ_KERNEL_AVG_POOL,
                            .src_quant = {0.02F, (int32_t)between(-9, 9)},
                            .dst_quant = {0.017F, (int32_t)between(-9, 9)}};
        d.window = window(k, stride, pad, pad, h, w);
        d.src = image(from, n, c, h, w, between(0, 2));
        d.dst = image(to, n, c, d.window.out[1], d.window.out[2], between(0, 2));
        nz_kernel *kernel = NULL;
        nz_assert_ok(nz_kernel_new(&kernel, &d));
        guarded src = make(nz_mem_bytes(&d.src)), dst = make(nz_mem_bytes(&d.dst));
        for (size_t i = 0; i < src.bytes; i++) ((uint8_t *)src.data)[i] = (uint8_t)between(0, 255);
        run(kernel, src.data, NULL, dst.data);
        int64_t at[4] = {0};
        do {
            double sum = 0, count = 0, least = to == NZ_I8 ? -128 : 0;
            for (int64_t i = 0; i < k * k; i++) {
                int64_t y = at[2] * stride - pad + i / k, x = at[3] * stride - pad + i % k,
                        in[4] = {at[0], at[1], y, x};
                if (y < 0 || y >= h || x < 0 || x >= w) continue;
                sum += (load(from, src.data, place(&d.src, in)) - d.src_quant.zero_point) * (double)d.src_quant.scale;
                count++;
            }
            double exact =
                fmin(fmax(sum / count / (double)d.dst_quant.scale + d.dst_quant.zero_point, least), least + 255);
            assert_true(fabs(load(to, dst.data, place(&d.dst, at)) - exact) <= 0.5 + 1e-3);
        } while (next(&d.dst, at));
        nz_kernel_free(kernel);
        release(&src);
        release(&dst);
    }
}

/* ---- 8-bit convolutions: every chain of post-operations in real units ---- */

typedef struct chain {
    size_t count;
    nz_post posts[4];
} chain;

static double follow(const nz_post *p, double x, double before) {
    switch (p->kind) {
    case NZ_POST_SUM: return x + (double)p->scale * (before - p->zero_point);
    case NZ_POST_REQUANT:
        return (fmin(fmax(nearbyint(x / (double)p->scale) + p->zero_point, p->least), p->most) - p->zero_point) *
               (double)p->scale;
    default: break;
    }
    switch (p->act) {
    case NZ_ACT_RELU: return x < 0 ? (double)p->alpha * x : x;
    case NZ_ACT_CLIP: return fmin(fmax(x, (double)p->alpha), (double)p->beta);
    case NZ_ACT_LINEAR: return (double)p->alpha * x + (double)p->beta;
    case NZ_ACT_SWISH: return x / (1 + exp(-x));
    default: return fmin(fmax((double)p->alpha * x + (double)p->beta, 0), 1); /* HARDSIGMOID */
    }
}

/* The sum of products at one place of the output, zero point taken off, as the definition says. */
static double exact_sum(const nz_kernel_desc *d, const void *src, const int64_t at[4]) {
    const nz_window *w = &d->window;
    int64_t in = d->src.dim[1], k = w->kernel[1];
    double sum = 0;
    for (int64_t c = 0; c < in; c++)
        for (int64_t i = 0; i < k * k; i++) {
            int64_t p[4] = {0, c, at[2] - w->begin[1] + i / k, at[3] - w->begin[2] + i % k};
            if (p[2] < 0 || p[2] >= w->in[1] || p[3] < 0 || p[3] >= w->in[2]) continue;
            int8_t code = ((const int8_t *)d->weights->data)[(at[1] * in + c) * k * k + i];
            sum += (load(d->src.dtype, src, place(&d->src, p)) - d->src_quant.zero_point) * code;
        }
    return sum;
}

static void codes_through_chains_of_post_operations(void **state) {
    (void)state;
#define ACT_POST(kind_, a, b)                                                                                          \
    { .kind = NZ_POST_ACT, .act = kind_, .alpha = a, .beta = b }
#define SUM_POST                                                                                                       \
    { .kind = NZ_POST_SUM, .scale = 0.031F, .zero_point = 7, .dtype = NZ_U8 }
#define ROUND_POST                                                                                                     \
    { .kind = NZ_POST_REQUANT, .scale = 0.05F, .zero_point = 11, .least = 0, .most = 255 }
    static const chain chains[] = {
        {0, {{0}}},
        {1, {ACT_POST(NZ_ACT_RELU, 0, 0)}},
        {1, {ACT_POST(NZ_ACT_RELU, 0.1F, 0)}},
        {1, {SUM_POST}},
        {2, {SUM_POST, ACT_POST(NZ_ACT_RELU, 0, 0)}},
        {3, {ROUND_POST, SUM_POST, ACT_POST(NZ_ACT_CLIP, 0, 6)}},
        {2, {ACT_POST(NZ_ACT_SWISH, 1, 0), SUM_POST}},
        {3, {ACT_POST(NZ_ACT_LINEAR, 0.5F, 0.3F), SUM_POST, ACT_POST(NZ_ACT_RELU, 0, 0)}},
        {2, {ACT_POST(NZ_ACT_RELU, 0, 0), ACT_POST(NZ_ACT_LINEAR, -0.5F, 4)}},
        {3, {ACT_POST(NZ_ACT_LINEAR, -1.5F, 0.2F), SUM_POST, ACT_POST(NZ_ACT_CLIP, -1, 5)}},
        {2, {ACT_POST(NZ_ACT_HARDSIGMOID, 0.2F, 0.5F), ACT_POST(NZ_ACT_LINEAR, 2, -0.5F)}},
    };
    nz_random_init(&random_state, 15, 0);
    for (int round = 0; round < 110; round++) {
        const chain *posts = &chains[(size_t)round % NZ_COUNT(chains)];
        int64_t in = between(1, 20), out = between(1, 20), h = 6, w = 5, k = round & 1 ? 3 : 1,
                pad = k == 3 && (round & 2);
        nz_dtype from = round & 4 ? NZ_I8 : NZ_U8, to = round % 5 == 4 && posts->count < 1 ? NZ_F32 : NZ_U8;
        nz_kernel_desc d = {.op = NZ_KERNEL_CONV,
                            .groups = 1,
                            .src_quant = {0.02F, (int32_t)between(-9, 9)},
                            .dst_quant = {0.07F, (int32_t)between(0, 90)}};
        if (to == NZ_F32) d.dst_quant = (nz_quant){1, 0};
        d.window = window(k, 1, pad, pad, h, w);
        d.src = image(from, 1, in, h, w, 0);
        d.dst = image(to, 1, out, d.window.out[1], d.window.out[2], 0);
        nz_tensor weights;
        nz_assert_ok(nz_tensor_init(&weights, NZ_I8, &(nz_shape){4, {out, in, k, k}}));
        int8_t *codes = weights.data;
        for (int64_t i = 0; i < out * in * k * k; i++) codes[i] = (int8_t)between(-127, 127);
        float scales[20], bias[20];
        for (int i = 0; i < 20; i++) scales[i] = 0.003F + 0.0002F * (float)i, bias[i] = number();
        d.weights = &weights, d.weight_scales = scales, d.weight_scale_count = (size_t)out,
        d.bias = round % 3 ? bias : NULL;
        memcpy(d.posts, posts->posts, posts->count * sizeof *d.posts);
        d.post_count = posts->count;
        nz_kernel *kernel = NULL;
        nz_status made = nz_kernel_new(&kernel, &d);
#if !defined(__x86_64__)
        if (made == NZ_E_UNSUPPORTED) nz_test_skip("no 8-bit convolution for this kind of CPU");
#endif
        nz_assert_ok(made);
        guarded src = make(nz_mem_bytes(&d.src)), dst = make(nz_mem_bytes(&d.dst)), was = make(nz_mem_bytes(&d.dst));
        for (size_t i = 0; i < src.bytes; i++) ((uint8_t *)src.data)[i] = (uint8_t)between(0, 255);
        for (size_t i = 0; i < dst.bytes; i++)
            ((uint8_t *)was.data)[i] = ((uint8_t *)dst.data)[i] = (uint8_t)between(0, 255);
        run(kernel, src.data, NULL, dst.data);
        int64_t at[4] = {0};
        do {
            double sum = exact_sum(&d, src.data, at);
            double x = sum * (double)d.src_quant.scale * (double)scales[at[1]] + (d.bias ? (double)bias[at[1]] : 0),
                   got = load(to, dst.data, place(&d.dst, at));
            double before = to == NZ_F32 ? 0 : load(to, was.data, place(&d.dst, at)), slack = 2e-3;
            for (size_t i = 0; i < posts->count; i++) {
                double units = x / (double)posts->posts[i].scale; /* a value between two codes may round either way */
                if (posts->posts[i].kind == NZ_POST_REQUANT && fabs(fabs(units - nearbyint(units)) - 0.5) < 1e-3)
                    slack = 1;
                x = follow(&posts->posts[i], x, before);
            }
            if (to == NZ_F32)
                nz_assert_near(got, x, 1e-5, 1e-5);
            else
                assert_true(fabs(got - fmin(fmax(x / (double)d.dst_quant.scale + d.dst_quant.zero_point, 0), 255)) <=
                            0.5 + slack);
        } while (next(&d.dst, at));
        nz_kernel_free(kernel);
        nz_tensor_done(&weights);
        release(&src);
        release(&dst);
        release(&was);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_convolutions_equal_plain_c),
        cmocka_unit_test(winograd_refuses_weights_it_would_blur),
        cmocka_unit_test(copies_between_any_layouts_and_types),
        cmocka_unit_test(sums_and_products_of_codes),
        cmocka_unit_test(averages_of_codes),
        cmocka_unit_test(codes_through_chains_of_post_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
