/* SPDX-License-Identifier: Apache-2.0 */
/* The element-wise kernels of training against their plain C, at sizes around the width of a vector and at primes; memory
 * around what they may write stays as it was, and a second run gives the same bytes. */
#include "core/threads.h"
#include "guarded.h"
#include "kernel/train_ref.h"

static const nz_dtype types[] = {NZ_F32, NZ_BF16};
static const int64_t channel_counts[] = {1, 3, 10, 16, 17, 24, 32, 64, 100, 128, 257, 512};
static const int64_t row_counts[] = {1, 2, 5, 16, 31, 64, 257};

static size_t width(nz_dtype dtype) { return dtype == NZ_BF16 ? 2 : 4; }

/* In f32 within `tolerance` of the largest; in bf16 within its rounding of that besides. */
static void assert_like(const char *what, nz_dtype dtype, const void *got, const void *expected, size_t n,
                        double tolerance) {
    double largest = 1;              /* what goes in is of this size, and differences of it may come out */
    for (size_t i = 0; i < n; i++) { /* not fmax: gcc 12 for arm64 cannot compile a maximum that widens */
        double size = fabs((double)element(dtype, expected, i));
        if (size > largest) largest = size;
    }
    for (size_t i = 0; i < n; i++) {
        double a = (double)element(dtype, got, i), b = (double)element(dtype, expected, i);
        double room = tolerance * largest + (dtype == NZ_BF16 ? fabs(b) / 128 : 0);
        if (!(fabs(a - b) <= room))
            fail_msg("%s: element %zu of %zu is %.9g, expected %.9g (largest %.3g)", what, i, n, a, b, largest);
    }
}

static void assert_same(const char *what, const void *got, const void *expected, size_t bytes) {
    if (memcmp(got, expected, bytes) != 0) fail_msg("%s: not the same bytes", what);
}

/* -- batch normalisation ---------------------------------------------------------------------------------------------- */

typedef struct norm_out {
    guarded y, mean, variance, applied, dx, daddend, dgamma, dbeta;
} norm_out;

static norm_out make_norm_out(const nz_train_norm *norm) {
    size_t map = (size_t)(norm->rows * norm->channels) * width(norm->dtype), row = (size_t)norm->channels * 4;
    return (norm_out){make_guarded(map), make_guarded(row), make_guarded(row), make_guarded(map),
                      make_guarded(map), make_guarded(map), make_guarded(row), make_guarded(row)};
}

static void release_norm_out(norm_out *o) {
    guarded *all[] = {&o->y, &o->mean, &o->variance, &o->applied, &o->dx, &o->daddend, &o->dgamma, &o->dbeta};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) release_guarded(all[i]);
}

typedef struct norm_in {
    guarded x, addend, gamma, beta, dy;
    bool add, frozen;
} norm_in;

static void run_norm(const nz_train_norm *norm, const norm_in *in, norm_out *o, const norm_out *given) {
    const void *addend = in->add ? in->addend.data : NULL;
    void *daddend = in->add ? o->daddend.data : NULL;
    /* Both ways back start from the same results of the way forward. */
    const void *y = given ? given->y.data : o->y.data;
    const float *mean = given ? given->mean.data : o->mean.data,
                *variance = given ? given->variance.data : o->variance.data;
    if (given) {
        nz_train_ref_norm_forward(norm, in->x.data, addend, in->gamma.data, in->beta.data, o->y.data, o->mean.data,
                                  o->variance.data);
        nz_train_ref_norm_apply(norm, in->x.data, addend, in->gamma.data, in->beta.data, mean, variance,
                                o->applied.data);
        nz_train_ref_norm_backward(norm, in->x.data, y, in->dy.data, in->gamma.data, mean, variance, in->frozen,
                                   o->dx.data, daddend, o->dgamma.data, o->dbeta.data);
    } else {
        nz_train_norm_forward(norm, in->x.data, addend, in->gamma.data, in->beta.data, o->y.data, o->mean.data,
                              o->variance.data);
        nz_train_norm_apply(norm, in->x.data, addend, in->gamma.data, in->beta.data, mean, variance, o->applied.data);
        nz_train_norm_backward(norm, in->x.data, y, in->dy.data, in->gamma.data, mean, variance, in->frozen, o->dx.data,
                               daddend, o->dgamma.data, o->dbeta.data);
    }
}

static void check_norm(const nz_train_norm *norm, bool add, bool frozen) {
    size_t n = (size_t)(norm->rows * norm->channels), channels = (size_t)norm->channels;
    norm_in in = {make_random(norm->dtype, n),
                  make_random(norm->dtype, n),
                  make_random(NZ_F32, channels),
                  make_random(NZ_F32, channels),
                  make_random(norm->dtype, n),
                  add,
                  frozen};
    /* Means far from 0 beside the deviation, which a sum of squares alone would lose. */
    for (size_t i = 0; norm->dtype == NZ_F32 && i < n; i++) ((float *)in.x.data)[i] += (float)(i % channels % 5) * 8;
    norm_out got = make_norm_out(norm), again = make_norm_out(norm), expected = make_norm_out(norm);
    run_norm(norm, &in, &got, NULL);
    run_norm(norm, &in, &again, NULL);
    run_norm(norm, &in, &expected, &got);
    assert_like("mean", NZ_F32, got.mean.data, expected.mean.data, channels, 1e-6);
    assert_like("variance", NZ_F32, got.variance.data, expected.variance.data, channels, 1e-5);
    assert_like("y", norm->dtype, got.y.data, expected.y.data, n, 1e-5);
    assert_like("applied", norm->dtype, got.applied.data, expected.applied.data, n, 1e-5);
    assert_like("dx", norm->dtype, got.dx.data, expected.dx.data, n, 1e-5);
    if (add) assert_same("daddend", got.daddend.data, expected.daddend.data, n * width(norm->dtype));
    assert_like("dgamma", NZ_F32, got.dgamma.data, expected.dgamma.data, channels, 1e-5);
    assert_like("dbeta", NZ_F32, got.dbeta.data, expected.dbeta.data, channels, 1e-5);
    assert_same("y again", got.y.data, again.y.data, n * width(norm->dtype));
    assert_same("dx again", got.dx.data, again.dx.data, n * width(norm->dtype));
    assert_same("dgamma again", got.dgamma.data, again.dgamma.data, channels * 4);
    /* In place: the gradient where dy was. */
    nz_train_norm_backward(norm, in.x.data, got.y.data, in.dy.data, in.gamma.data, got.mean.data, got.variance.data,
                           frozen, in.dy.data, NULL, again.dgamma.data, again.dbeta.data);
    assert_same("dx in place", got.dx.data, in.dy.data, n * width(norm->dtype));
    guarded *all[] = {&in.x, &in.addend, &in.gamma, &in.beta, &in.dy};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) release_guarded(all[i]);
    release_norm_out(&got), release_norm_out(&again), release_norm_out(&expected);
}

static void norms(void **state) {
    (void)state;
    for (size_t t = 0; t < 2; t++)
        for (size_t c = 0; c < sizeof channel_counts / sizeof *channel_counts; c++)
            for (size_t r = 0; r < sizeof row_counts / sizeof *row_counts; r++)
                for (int variant = 0; variant < 8; variant++) {
                    nz_train_norm norm = {types[t], row_counts[r], channel_counts[c], 1e-2F, (variant & 1) != 0};
                    check_norm(&norm, (variant & 2) != 0, (variant & 4) != 0);
                }
}

static void norms_on_threads(void **state) {
    (void)state;
    int before = nz_threads_get();
    for (int threads = 2; threads < 4; threads++)
        for (size_t t = 0; t < 2; t++)
            for (size_t c = 0; c < sizeof channel_counts / sizeof *channel_counts; c++) {
                nz_train_norm norm = {types[t], 200000 / channel_counts[c] + 3, channel_counts[c], 1e-5F, true};
                nz_threads_set(threads);
                check_norm(&norm, c % 2, false);
            }
    nz_threads_set(before);
}

/* Few rows fill whole vectors only in part, or in none. */
static void norms_of_very_many_channels(void **state) {
    (void)state;
    static const int64_t shapes[][2] = {{3, 4099}, {5, 1001}, {70, 127}, {150, 65}, {3, 4095}, {9, 1002}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t t = 0; t < 2; t++) {
            nz_train_norm norm = {types[t], shapes[i][0], shapes[i][1], 1e-2F, true};
            check_norm(&norm, t == 0, false);
        }
}

/* Relu and its mask say the same of what is no common number in vectors and beside them: each of these stands once at
 * every element. */
static void relus_of_norms_have_one_rule(void **state) {
    (void)state;
    enum { VALUES = 10, MOST = 127 * 33 };
    static const float values[VALUES] = {NAN, -NAN, INFINITY, -INFINITY, 0.0F, -0.0F, 1, -1, 1.5e-39F, -1.5e-39F};
    static const int64_t shapes[][2] = {{150, 1}, {70, 3}, {9, 16}, {33, 65}, {33, 127}};
    static float x[MOST], zeros[MOST], ones[MOST], y[MOST], dx[MOST], through[MOST];
    float row[127] = {0}, ones_row[127], dgamma[127], dbeta[127];
    for (int i = 0; i < MOST; i++) ones[i] = 1;
    for (int i = 0; i < 127; i++) ones_row[i] = 1;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int shift = 0; shift < VALUES; shift++) {
            nz_train_norm norm = {NZ_F32, shapes[s][0], shapes[s][1], 0, true};
            int64_t n = norm.rows * norm.channels;
            float passed[127] = {0};
            for (int64_t i = 0; i < n; i++) x[i] = values[(i + shift) % VALUES];
            nz_train_norm_apply(&norm, x, NULL, ones_row, row, row, ones_row, y);
            nz_train_norm_backward(&norm, zeros, x, ones, ones_row, row, ones_row, true, dx, through, dgamma, dbeta);
            for (int64_t i = 0; i < n; i++) {
                float kept = x[i] > 0 ? x[i] : 0, d = x[i] > 0 ? 1 : 0;
                bool right = isnan(x[i]) ? isnan(y[i]) : memcmp(&y[i], &kept, sizeof kept) == 0;
                if (!right || through[i] != d || dx[i] != d)
                    fail_msg("%g at element %d of %d x %d: relu %g, gradients %g and %g", (double)x[i], (int)i,
                             (int)norm.rows, (int)norm.channels, (double)y[i], (double)through[i], (double)dx[i]);
                passed[i % norm.channels] += d;
            }
            assert_memory_equal(dbeta, passed, (size_t)norm.channels * sizeof *passed);
        }
}

/* -- element by element ------------------------------------------------------------------------------------------------ */

static void elements(void **state) {
    (void)state;
    static const size_t counts[] = {1, 15, 16, 17, 63, 100, 1000, 40013};
    for (size_t t = 0; t < 2; t++)
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            nz_dtype dtype = types[t];
            size_t n = counts[i], bytes = n * width(dtype);
            guarded a = make_random(dtype, n), b = make_random(dtype, n), got = make_guarded(bytes);
            guarded expected = make_guarded(bytes);
            nz_train_relu(dtype, a.data, got.data, n), nz_train_ref_relu(dtype, a.data, expected.data, n);
            assert_same("relu", got.data, expected.data, bytes);
            nz_train_relu_backward(dtype, a.data, b.data, got.data, n);
            nz_train_ref_relu_backward(dtype, a.data, b.data, expected.data, n);
            assert_same("relu backward", got.data, expected.data, bytes);
            nz_train_silu(dtype, a.data, got.data, n), nz_train_ref_silu(dtype, a.data, expected.data, n);
            assert_like("SiLU", dtype, got.data, expected.data, n, 1e-6);
            nz_train_silu_backward(dtype, a.data, b.data, got.data, n);
            nz_train_ref_silu_backward(dtype, a.data, b.data, expected.data, n);
            assert_like("SiLU backward", dtype, got.data, expected.data, n, 1e-6);
            nz_train_add(dtype, a.data, b.data, got.data, n);
            nz_train_ref_add(dtype, a.data, b.data, expected.data, n);
            assert_same("add", got.data, expected.data, bytes);
            nz_train_add(dtype, a.data, b.data, b.data, n);
            assert_same("add in place", b.data, expected.data, bytes);
            for (size_t to = 0; to < 2; to++) {
                guarded x = make_guarded(n * width(types[to])), y = make_guarded(n * width(types[to]));
                nz_train_convert(dtype, a.data, types[to], x.data, n);
                nz_train_ref_convert(dtype, a.data, types[to], y.data, n);
                assert_same("convert", x.data, y.data, n * width(types[to]));
                release_guarded(&x), release_guarded(&y);
            }
            release_guarded(&a), release_guarded(&b), release_guarded(&got), release_guarded(&expected);
        }
}

/* SiLU from far below to far above 0: relative to what is right, and never more than 1e-15 beside it. */
static void silu_holds_everywhere(void **state) {
    (void)state;
    enum { POINTS = 4001 };
    static float x[POINTS], y[POINTS], ones[POINTS], dx[POINTS], expected[POINTS], slope[POINTS];
    for (int i = 0; i < POINTS; i++) x[i] = (float)(i - POINTS / 2) / 20, ones[i] = 1;
    nz_train_silu(NZ_F32, x, y, POINTS), nz_train_ref_silu(NZ_F32, x, expected, POINTS);
    nz_train_silu_backward(NZ_F32, x, ones, dx, POINTS);
    nz_train_ref_silu_backward(NZ_F32, x, ones, slope, POINTS);
    for (int i = 0; i < POINTS; i++) {
        nz_assert_near(y[i], expected[i], 5e-7, 1e-15);
        nz_assert_near(dx[i], slope[i], 1e-6, 5e-7);
    }
    const float odd[4] = {NAN, INFINITY, -INFINITY, 1e30F};
    nz_train_silu(NZ_F32, odd, y, 4);
    nz_assert_nan(y[0]);
    assert_true(y[1] == INFINITY && fabsf(y[2]) < 1e-15F && y[3] == 1e30F);
    nz_train_silu_backward(NZ_F32, odd, ones, dx, 4);
    nz_assert_nan(dx[0]);
    assert_true(dx[1] == 1 && fabsf(dx[2]) < 1e-15F && dx[3] == 1);
}

static void nan_and_infinity_stay(void **state) {
    (void)state;
    const float x[4] = {NAN, INFINITY, -INFINITY, -1};
    float y[4], wide[4];
    uint16_t narrow[4];
    nz_train_relu(NZ_F32, x, y, 4);
    nz_assert_nan(y[0]);
    assert_true(isinf(y[1]) && y[2] == 0 && y[3] == 0);
    nz_train_convert(NZ_F32, x, NZ_BF16, narrow, 4);
    nz_train_convert(NZ_BF16, narrow, NZ_F32, wide, 4);
    nz_assert_nan(wide[0]);
    assert_true(wide[1] == INFINITY && wide[2] == -INFINITY && wide[3] == -1);
    nz_assert_nan(nz_train_square_sum(x, 1));
    nz_assert_nan(nz_train_square_sum(x + 1, 1));
}

static void layouts(void **state) {
    (void)state;
    for (size_t from = 0; from < 2; from++)
        for (size_t to = 0; to < 2; to++)
            for (size_t c = 0; c < sizeof channel_counts / sizeof *channel_counts; c++) {
                int64_t batch = between(1, 3), spatial = between(1, 70), channels = channel_counts[c];
                size_t n = (size_t)(batch * spatial * channels);
                guarded x = make_random(types[from], n), got = make_guarded(n * width(types[to]));
                guarded expected = make_guarded(n * width(types[to]));
                nz_train_to_channels_last(types[from], x.data, types[to], got.data, batch, channels, spatial);
                nz_train_ref_to_channels_last(types[from], x.data, types[to], expected.data, batch, channels, spatial);
                assert_same("to channels last", got.data, expected.data, n * width(types[to]));
                nz_train_to_plain(types[from], x.data, types[to], got.data, batch, channels, spatial);
                nz_train_ref_to_plain(types[from], x.data, types[to], expected.data, batch, channels, spatial);
                assert_same("to plain", got.data, expected.data, n * width(types[to]));
                release_guarded(&x), release_guarded(&got), release_guarded(&expected);
            }
}

/* -- pooling ----------------------------------------------------------------------------------------------------------- */

static nz_window random_window(void) {
    nz_window w = {.rank = 2};
    for (int i = 0; i < 3; i++) {
        w.in[i] = w.out[i] = w.kernel[i] = w.stride[i] = w.dilation[i] = 1;
        if (i == 0 && between(0, 3)) continue;
        w.kernel[i] = between(1, 3), w.stride[i] = between(1, 3), w.dilation[i] = between(1, 2);
        w.begin[i] = between(0, w.kernel[i] - 1), w.end[i] = between(0, w.kernel[i] - 1);
        int64_t extent = (w.kernel[i] - 1) * w.dilation[i] + 1;
        w.in[i] = between(extent, extent + 6);
        w.out[i] = (w.in[i] + w.begin[i] + w.end[i] - extent) / w.stride[i] + 1;
    }
    return w;
}

static void max_pools(void **state) {
    (void)state;
    for (int round = 0; round < 60; round++) {
        nz_window w = random_window();
        nz_dtype dtype = types[round % 2];
        int64_t batch = between(1, 3), channels = channel_counts[between(0, 8)];
        size_t in = (size_t)(batch * channels * w.in[0] * w.in[1] * w.in[2]);
        size_t out = (size_t)(batch * channels * w.out[0] * w.out[1] * w.out[2]);
        guarded x = make_random(dtype, in), dy = make_random(dtype, out), y = make_guarded(out * width(dtype));
        guarded y2 = make_guarded(out * width(dtype)), choice = make_guarded(out * 2), choice2 = make_guarded(out * 2);
        guarded dx = make_guarded(in * width(dtype)), dx2 = make_guarded(in * width(dtype));
        nz_train_max_pool(dtype, &w, batch, channels, x.data, y.data, choice.data);
        nz_train_ref_max_pool(dtype, &w, batch, channels, x.data, y2.data, choice2.data);
        assert_same("maximum", y.data, y2.data, out * width(dtype));
        assert_same("choice", choice.data, choice2.data, out * 2);
        nz_train_max_pool_backward(dtype, &w, batch, channels, dy.data, choice.data, dx.data);
        nz_train_ref_max_pool_backward(dtype, &w, batch, channels, dy.data, choice2.data, dx2.data);
        assert_like("gradient", dtype, dx.data, dx2.data, in, dtype == NZ_BF16 ? 1.0 / 64 : 1e-6);
        guarded *all[] = {&x, &dy, &y, &y2, &choice, &choice2, &dx, &dx2};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) release_guarded(all[i]);
    }
}

static void global_pools(void **state) {
    (void)state;
    for (size_t t = 0; t < 2; t++)
        for (size_t c = 0; c < sizeof channel_counts / sizeof *channel_counts; c++) {
            int64_t batch = between(1, 3), spatial = between(1, 70), channels = channel_counts[c];
            size_t in = (size_t)(batch * spatial * channels), out = (size_t)(batch * channels), w = width(types[t]);
            guarded x = make_random(types[t], in), y = make_guarded(out * w), y2 = make_guarded(out * w);
            guarded dx = make_guarded(in * w), dx2 = make_guarded(in * w);
            nz_train_global_pool(types[t], batch, spatial, channels, x.data, y.data);
            nz_train_ref_global_pool(types[t], batch, spatial, channels, x.data, y2.data);
            assert_like("mean", types[t], y.data, y2.data, out, 1e-6);
            nz_train_global_pool_backward(types[t], batch, spatial, channels, y2.data, dx.data);
            nz_train_ref_global_pool_backward(types[t], batch, spatial, channels, y2.data, dx2.data);
            assert_like("gradient", types[t], dx.data, dx2.data, in, 1e-6);
            release_guarded(&x), release_guarded(&y), release_guarded(&y2), release_guarded(&dx);
            release_guarded(&dx2);
        }
}

/* -- fake quantisation -------------------------------------------------------------------------------------------------- */

static void quantisers(void **state) {
    (void)state;
    static const int64_t shapes[][3] = {{1, 1, 1},   {1, 1, 40013}, {3, 1, 17},  {1, 16, 27}, {1, 5, 4099},
                                        {64, 17, 1}, {7, 100, 1},   {2, 3, 300}, {1, 64, 1}};
    static const int32_t ranges[][3] = {{0, -128, 127}, {0, -8, 7}, {128, 0, 255}, {3, 0, 15}};
    for (size_t t = 0; t < 2; t++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++) {
                nz_dtype dtype = types[t];
                size_t channels = (size_t)shapes[s][1], n = (size_t)(shapes[s][0] * shapes[s][2]) * channels;
                guarded x = make_random(dtype, n), dy = make_random(dtype, n), scales = make_random(NZ_F32, channels);
                guarded y = make_guarded(n * width(dtype)), y2 = make_guarded(n * width(dtype));
                guarded dscale = make_guarded(channels * 4), dscale2 = make_guarded(channels * 4);
                float levels = (float)(ranges[r][2] - ranges[r][1]);
                for (size_t c = 0; c < channels; c++) /* some numbers lie outside the range */
                    ((float *)scales.data)[c] = (1.2F + 0.3F * ((float *)scales.data)[c]) / levels;
                nz_train_quant q = {shapes[s][0], shapes[s][1], shapes[s][2], scales.data,
                                    ranges[r][0], ranges[r][1], ranges[r][2]};
                nz_train_quantize(&q, dtype, x.data, y.data);
                nz_train_ref_quantize(&q, dtype, x.data, y2.data);
                assert_same("quantised", y.data, y2.data, n * width(dtype));
                nz_train_quantize_backward(&q, dtype, x.data, dy.data, y.data, dscale.data);
                nz_train_ref_quantize_backward(&q, dtype, x.data, dy.data, y2.data, dscale2.data);
                assert_same("gradient", y.data, y2.data, n * width(dtype));
                assert_like("of the scale", NZ_F32, dscale.data, dscale2.data, channels, 1e-5);
                nz_train_quantize_backward(&q, dtype, x.data, dy.data, dy.data, NULL);
                assert_same("in place", dy.data, y2.data, n * width(dtype));
                guarded *all[] = {&x, &dy, &scales, &y, &y2, &dscale, &dscale2};
                for (size_t i = 0; i < sizeof all / sizeof *all; i++) release_guarded(all[i]);
            }
}

/* -- updates ------------------------------------------------------------------------------------------------------------ */

static void updates(void **state) {
    (void)state;
    static const size_t counts[] = {1, 16, 17, 1000, 40013};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (int variant = 0; variant < 16; variant++) {
            size_t n = counts[i];
            guarded g = make_random(NZ_F32, n), mask = make_random(NZ_F32, n), buffers[6];
            for (size_t k = 0; k < n; k++) ((float *)mask.data)[k] = ((float *)mask.data)[k] > 0;
            for (int k = 0; k < 6; k++) buffers[k] = make_random(NZ_F32, n);
            float *w = buffers[0].data, *m = buffers[1].data, *v = buffers[2].data, *w2 = buffers[3].data;
            float *m2 = buffers[4].data, *v2 = buffers[5].data, *held = variant & 1 ? mask.data : NULL;
            for (size_t k = 0; k < n; k++) v[k] = fabsf(v[k]);
            memcpy(w2, w, n * 4), memcpy(m2, m, n * 4), memcpy(v2, v, n * 4);
            if (variant & 2) {
                nz_train_sgd sgd = {0.1F, 0.9F, 5e-4F, 0.5F, (variant & 4) != 0, (variant & 8) != 0};
                if (sgd.first) m[0] = NAN; /* not begun: may hold anything */
                nz_train_sgd_update(&sgd, w, g.data, m, held, n);
                nz_train_ref_sgd_update(&sgd, w2, g.data, m2, held, n);
            } else if (variant & 4) {
                nz_train_sgd sgd = {0.1F, 0, 5e-4F, 1, false, false};
                nz_train_sgd_update(&sgd, w, g.data, NULL, held, n);
                nz_train_ref_sgd_update(&sgd, w2, g.data, NULL, held, n);
            } else {
                nz_train_adamw adamw = {1e-2F, 0.9F, 0.999F, 1e-8F, 1e-2F, 0.5F, variant & 8 ? 1 : 1000};
                nz_train_adamw_update(&adamw, w, g.data, m, v, held, n);
                nz_train_ref_adamw_update(&adamw, w2, g.data, m2, v2, held, n);
            }
            nz_assert_floats(w, w2, n, 1e-5, 1e-6), nz_assert_floats(m, m2, n, 1e-5, 1e-6);
            nz_assert_floats(v, v2, n, 1e-5, 1e-6);
            for (size_t k = 0; held && k < n; k++) assert_true(held[k] != 0 || w[k] == 0);
            nz_assert_near(nz_train_square_sum(g.data, n), nz_train_ref_square_sum(g.data, n), 1e-12, 0);
            release_guarded(&g), release_guarded(&mask);
            for (int k = 0; k < 6; k++) release_guarded(&buffers[k]);
        }
}

/* Bytes, not values: a sign bit left over is a zero too, but not one that compresses. */
static void what_is_masked_is_a_plain_zero(void **state) {
    (void)state;
    enum { N = 53 };
    static const float starts[] = {1, -1, -0.0F, INFINITY, -INFINITY, NAN}, steps[] = {1e-3F, -1e-3F, INFINITY, 0, NAN};
    for (int variant = 0; variant < 8; variant++)
        for (size_t first = 0; first < sizeof starts / sizeof *starts; first++) {
            float w[N], g[N], m[N] = {0}, v[N] = {0}, mask[N];
            for (size_t k = 0; k < N; k++) {
                mask[k] = k % 3 == 0;
                w[k] = mask[k] != 0 ? 1 : starts[(first + k) % (sizeof starts / sizeof *starts)];
                g[k] = mask[k] != 0 ? 0.5F : steps[(first + k) % (sizeof steps / sizeof *steps)];
            }
            nz_train_sgd sgd = {0.1F, 0.9F, 0, 1, true, (variant & 2) != 0};
            nz_train_adamw adamw = {1e-2F, 0.9F, 0.999F, 1e-8F, 0, 1, 1};
            if (variant & 1)
                variant & 4 ? nz_train_ref_adamw_update(&adamw, w, g, m, v, mask, N)
                            : nz_train_adamw_update(&adamw, w, g, m, v, mask, N);
            else
                variant & 4 ? nz_train_ref_sgd_update(&sgd, w, g, variant & 2 ? m : NULL, mask, N)
                            : nz_train_sgd_update(&sgd, w, g, variant & 2 ? m : NULL, mask, N);
            for (size_t k = 0; k < N; k++) {
                uint32_t bits = 1;
                memcpy(&bits, &w[k], sizeof bits);
                if (mask[k] != 0)
                    assert_true(w[k] > 0.8F && w[k] < 1); /* a step against the gradient */
                else
                    assert_int_equal(bits, 0);
            }
        }
}

static void sums_do_not_depend_on_threads(void **state) {
    (void)state;
    int before = nz_threads_get();
    size_t n = 300007;
    guarded x = make_random(NZ_F32, n);
    nz_threads_set(1);
    double one = nz_train_square_sum(x.data, n);
    nz_threads_set(3);
    double three = nz_train_square_sum(x.data, n);
    assert_memory_equal(&one, &three, sizeof one);
    nz_threads_set(before);
    release_guarded(&x);
}

int main(void) {
    nz_random_init(&random_state, 5, 1);
    nz_threads_set(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norms),
        cmocka_unit_test(norms_on_threads),
        cmocka_unit_test(elements),
        cmocka_unit_test(silu_holds_everywhere),
        cmocka_unit_test(norms_of_very_many_channels),
        cmocka_unit_test(relus_of_norms_have_one_rule),
        cmocka_unit_test(layouts),
        cmocka_unit_test(nan_and_infinity_stay),
        cmocka_unit_test(max_pools),
        cmocka_unit_test(global_pools),
        cmocka_unit_test(quantisers),
        cmocka_unit_test(updates),
        cmocka_unit_test(what_is_masked_is_a_plain_zero),
        cmocka_unit_test(sums_do_not_depend_on_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
