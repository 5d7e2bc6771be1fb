/* SPDX-License-Identifier: Apache-2.0 */
/* The plain C kernels against definitions written out, at odd sizes, with guard bytes, at one and at several threads. */
#include "kernel/ref.h"
#include "core/random.h"
#include "core/threads.h"
#include "test.h"

static nz_random random_state;

static float number(void) { return (float)nz_random_below(&random_state, 2001) / 1000 - 1; }
static int64_t between(int64_t least, int64_t most) {
    return least + (int64_t)nz_random_below(&random_state, (uint64_t)(most - least + 1));
}

/* ---- arrays with guards: writing one element before or behind is noticed ---- */

enum { GUARD = 16 };
static const float guard = 12345.678F;

static float *guarded(int64_t count, bool filled) {
    float *all = malloc((size_t)(count + 2 * GUARD) * sizeof *all);
    assert_non_null(all);
    for (int64_t i = 0; i < count + 2 * GUARD; i++) all[i] = guard;
    for (int64_t i = 0; i < count; i++) all[GUARD + i] = filled ? number() : NAN;
    return all + GUARD;
}

static void release(float *data, int64_t count) {
    for (int i = 1; i <= GUARD; i++) {
        assert_true(data[-i] == guard);
        assert_true(data[count + i - 1] == guard);
    }
    free(data - GUARD);
}

static void assert_close(const float *got, const double *expected, int64_t count) {
    for (int64_t i = 0; i < count; i++) nz_assert_near(got[i], expected[i], 1e-5, 1e-5);
}

/* ---- convolution ---- */

static nz_ref_conv random_conv(void) {
    nz_ref_conv c = {.batch = between(1, 2), .groups = between(1, 3)};
    c.in_channels = c.groups * between(1, 3), c.out_channels = c.groups * between(1, 6);
    c.window = (nz_window){.rank = 3};
    for (int i = 0; i < 3; i++) {
        nz_window *w = &c.window;
        w->kernel[i] = between(1, i == 2 ? 20 : 3), w->stride[i] = between(1, 3), w->dilation[i] = between(1, 2);
        w->begin[i] = between(0, 2), w->end[i] = between(0, 2);
        int64_t extent = (w->kernel[i] - 1) * w->dilation[i] + 1, least = extent - w->begin[i] - w->end[i];
        w->in[i] = between(least > 1 ? least : 1, extent + 4);
        w->out[i] = (w->in[i] + w->begin[i] + w->end[i] - extent) / w->stride[i] + 1;
    }
    return c;
}

static int64_t volume(const int64_t extents[3]) { return extents[0] * extents[1] * extents[2]; }

/* Calls `add` for every product of a convolution: indices into x, w and y. */
static void each_product(const nz_ref_conv *c, void (*add)(void *user, int64_t x, int64_t w, int64_t y), void *user) {
    const nz_window *s = &c->window;
    int64_t in = c->in_channels / c->groups, out = c->out_channels / c->groups, taps = volume(s->kernel), y = 0;
    for (int64_t n = 0; n < c->batch; n++)
        for (int64_t o = 0; o < c->out_channels; o++)
            for (int64_t at = 0; at < volume(s->out); at++, y++)
                for (int64_t i = 0; i < in; i++)
                    for (int64_t k = 0; k < taps; k++) {
                        int64_t o3[3] = {at / s->out[2] / s->out[1], at / s->out[2] % s->out[1], at % s->out[2]};
                        int64_t k3[3] = {k / s->kernel[2] / s->kernel[1], k / s->kernel[2] % s->kernel[1],
                                         k % s->kernel[2]};
                        int64_t x = n * c->in_channels + o / out * in + i;
                        bool inside = true;
                        for (int a = 0; a < 3; a++) {
                            int64_t p = o3[a] * s->stride[a] - s->begin[a] + k3[a] * s->dilation[a];
                            inside &= p >= 0 && p < s->in[a];
                            x = x * s->in[a] + p;
                        }
                        if (inside) add(user, x, (o * in + i) * taps + k, y);
                    }
}

typedef struct sums {
    const float *x, *w;
    double *y;
} sums;

static void add_forward(void *user, int64_t x, int64_t w, int64_t y) {
    sums *s = user;
    s->y[y] += (double)s->x[x] * (double)s->w[w];
}

static void convolution_is_its_definition(void **state) {
    (void)state;
    for (int round = 0; round < 60; round++) {
        nz_ref_conv c = random_conv();
        int64_t nx = c.batch * c.in_channels * volume(c.window.in),
                ny = c.batch * c.out_channels * volume(c.window.out);
        int64_t nw = c.out_channels * (c.in_channels / c.groups) * volume(c.window.kernel);
        float *x = guarded(nx, true), *w = guarded(nw, true), *bias = guarded(c.out_channels, true),
              *y = guarded(ny, false);
        double *expected = calloc((size_t)ny, sizeof *expected);
        for (int64_t i = 0; i < ny; i++)
            expected[i] = round % 2 ? (double)bias[i / volume(c.window.out) % c.out_channels] : 0;
        each_product(&c, add_forward, &(sums){x, w, expected});
        nz_assert_ok(nz_ref_conv_f32(&c, x, w, round % 2 ? bias : NULL, y));
        assert_close(y, expected, ny);
        release(x, nx), release(w, nw), release(bias, c.out_channels), release(y, ny);
        free(expected);
    }
}

typedef struct back {
    const float *y, *w;
    double *x;
    const nz_ref_conv *conv; /* the transposed one: its input has conv->in_channels */
} back;

/* A convolution's weight [o, i, k] is the transposed one's [o, i, k] with o its input channel: the same place. */
static void add_backward(void *user, int64_t x, int64_t w, int64_t y) {
    back *b = user;
    b->x[x] += (double)b->y[y] * (double)b->w[w];
}

static void transposed_convolution_is_the_gradient(void **state) {
    (void)state;
    for (int round = 0; round < 60; round++) {
        nz_ref_conv c = random_conv(), t = c;
        for (int i = 0; i < 3; i++) t.window.in[i] = c.window.out[i], t.window.out[i] = c.window.in[i];
        t.in_channels = c.out_channels, t.out_channels = c.in_channels;
        int64_t nx = c.batch * c.in_channels * volume(c.window.in),
                ny = c.batch * c.out_channels * volume(c.window.out);
        int64_t nw = c.out_channels * (c.in_channels / c.groups) * volume(c.window.kernel);
        float *y = guarded(ny, true), *w = guarded(nw, true), *x = guarded(nx, false);
        double *expected = calloc((size_t)nx, sizeof *expected);
        each_product(&c, add_backward, &(back){y, w, expected, &t});
        nz_ref_conv_transpose_f32(&t, y, w, NULL, x);
        assert_close(x, expected, nx);
        release(x, nx), release(w, nw), release(y, ny);
        free(expected);
    }
}

static void pointwise_convolution_is_one_long_row(void **state) {
    (void)state;
    nz_ref_conv c = {.batch = 2, .in_channels = 5, .out_channels = 7, .groups = 1};
    c.window = (nz_window){.rank = 2,
                           .in = {1, 3, 11},
                           .out = {1, 3, 11},
                           .kernel = {1, 1, 1},
                           .stride = {1, 1, 1},
                           .dilation = {1, 1, 1}};
    float *x = guarded(330, true), *w = guarded(35, true), *y = guarded(462, false);
    double expected[462] = {0};
    each_product(&c, add_forward, &(sums){x, w, expected});
    nz_assert_ok(nz_ref_conv_f32(&c, x, w, NULL, y));
    assert_close(y, expected, 462);
    release(x, 330), release(w, 35), release(y, 462);
}

static void integer_convolution_wraps(void **state) {
    (void)state;
    nz_ref_conv c = {.batch = 1, .in_channels = 2, .out_channels = 1, .groups = 1};
    c.window = (nz_window){
        .rank = 1, .in = {1, 1, 1}, .out = {1, 1, 1}, .kernel = {1, 1, 1}, .stride = {1, 1, 1}, .dilation = {1, 1, 1}};
    int32_t x[] = {INT32_MAX, 5}, w[] = {2, 3}, bias[] = {7}, y[1];
    nz_assert_ok(nz_ref_conv_i32(&c, x, w, bias, y));
    assert_int_equal(y[0], 20);
}

static void threads_do_not_change_a_bit(void **state) {
    (void)state;
    int before = nz_threads_get();
    nz_ref_conv c = {.batch = 3, .in_channels = 8, .out_channels = 13, .groups = 1};
    c.window = (nz_window){.rank = 2,
                           .in = {1, 17, 19},
                           .out = {1, 17, 19},
                           .kernel = {1, 3, 3},
                           .stride = {1, 1, 1},
                           .dilation = {1, 1, 1},
                           .begin = {0, 1, 1},
                           .end = {0, 1, 1}};
    int64_t nx = 3 * 8 * 17 * 19, ny = 3 * 13 * 17 * 19;
    float *x = guarded(nx, true), *w = guarded(13 * 8 * 9, true), *one = guarded(ny, false), *four = guarded(ny, false);
    nz_threads_set(1);
    nz_assert_ok(nz_ref_conv_f32(&c, x, w, NULL, one));
    nz_threads_set(4);
    nz_assert_ok(nz_ref_conv_f32(&c, x, w, NULL, four));
    nz_threads_set(before);
    assert_memory_equal(one, four, (size_t)ny * sizeof *one);
    release(x, nx), release(w, 13 * 8 * 9), release(one, ny), release(four, ny);
}

/* ---- matrices ---- */

static void products_are_their_definition_in_every_layout(void **state) {
    static const int64_t sizes[] = {1, 2, 15, 16, 17, 31, 33};
    (void)state;
    for (int round = 0; round < 120; round++) {
        nz_ref_matmul s = {.m = sizes[between(0, 6)],
                           .n = sizes[between(0, 6)],
                           .k = sizes[between(0, 6)],
                           .a_transposed = round & 1,
                           .b_transposed = round & 2};
        float *a = guarded(s.m * s.k, true), *b = guarded(s.k * s.n, true), *c = guarded(s.m * s.n, false);
        double *expected = calloc((size_t)(s.m * s.n), sizeof *expected);
        for (int64_t i = 0; i < s.m; i++)
            for (int64_t j = 0; j < s.n; j++)
                for (int64_t k = 0; k < s.k; k++)
                    expected[i * s.n + j] += (double)a[s.a_transposed ? k * s.m + i : i * s.k + k] *
                                             (double)b[s.b_transposed ? j * s.k + k : k * s.n + j];
        nz_ref_matmul_f32(&s, a, b, c);
        assert_close(c, expected, s.m * s.n);
        release(a, s.m * s.k), release(b, s.k * s.n), release(c, s.m * s.n);
        free(expected);
    }
}

static void a_product_over_nothing_is_zero(void **state) {
    (void)state;
    float c[4] = {1, 2, 3, 4}, none = 0;
    nz_ref_matmul_f32(&(nz_ref_matmul){.m = 2, .n = 2, .k = 0}, &none, &none, c);
    for (int i = 0; i < 4; i++) assert_true(c[i] == 0);
}

/* ---- pooling ---- */

static double pool_by_definition(const nz_ref_pool *p, const float *x, const int64_t at[3]) {
    const nz_window *s = &p->window;
    double sum = 0, most = -INFINITY;
    int64_t inside = 0, padded = 0;
    for (int64_t k = 0; k < volume(s->kernel); k++) {
        int64_t k3[3] = {k / s->kernel[2] / s->kernel[1], k / s->kernel[2] % s->kernel[1], k % s->kernel[2]}, index = 0;
        bool in = true, near = true;
        for (int a = 0; a < 3; a++) {
            int64_t place = at[a] * s->stride[a] - s->begin[a] + k3[a] * s->dilation[a];
            in &= place >= 0 && place < s->in[a];
            near &= place < s->in[a] + s->end[a];
            index = index * s->in[a] + place;
        }
        padded += near;
        if (!in) continue;
        inside++;
        sum += p->kind == NZ_POOL_LP ? pow(fabs((double)x[index]), (double)p->p) : (double)x[index];
        most = fmax(most, (double)x[index]);
    }
    if (p->kind == NZ_POOL_MAX) return most;
    if (p->kind == NZ_POOL_LP) return pow(sum, 1.0 / (double)p->p);
    int64_t divisor = p->count_include_pad ? padded : inside;
    return divisor ? sum / (double)divisor : 0;
}

static void pooling_is_its_definition(void **state) {
    (void)state;
    for (int round = 0; round < 120; round++) {
        nz_ref_conv c = random_conv();
        nz_ref_pool p = {.window = c.window,
                         .kind = (nz_pool_kind)(round % 3),
                         .planes = between(1, 4),
                         .count_include_pad = round & 4,
                         .p = between(1, 3)};
        for (int i = 0; i < 3; i++) /* one more window where ceil_mode would have one */
            if (round % 5 == 0 && p.window.out[i] * p.window.stride[i] < p.window.in[i] + p.window.begin[i])
                p.window.out[i]++;
        int64_t in = volume(p.window.in), out = volume(p.window.out);
        float *x = guarded(p.planes * in, true), *y = guarded(p.planes * out, false);
        int64_t *indices = calloc((size_t)(p.planes * out), sizeof *indices);
        nz_ref_pool_f32(&p, x, y, p.kind == NZ_POOL_MAX ? indices : NULL);
        for (int64_t i = 0; i < p.planes * out; i++) {
            int64_t o = i % out, at[3] = {o / p.window.out[2] / p.window.out[1], o / p.window.out[2] % p.window.out[1],
                                          o % p.window.out[2]};
            double expected = pool_by_definition(&p, x + i / out * in, at);
            assert_true(nz_test_close(y[i], expected, 1e-5, 1e-6));
            if (p.kind == NZ_POOL_MAX && isfinite(y[i])) assert_true(x[indices[i]] == y[i]);
        }
        release(x, p.planes * in), release(y, p.planes * out);
        free(indices);
    }
}

static void a_maximum_carries_nan(void **state) {
    (void)state;
    nz_ref_pool p = {.kind = NZ_POOL_MAX, .planes = 1};
    p.window = (nz_window){
        .rank = 1, .in = {1, 1, 4}, .out = {1, 1, 2}, .kernel = {1, 1, 2}, .stride = {1, 1, 2}, .dilation = {1, 1, 1}};
    const float x[] = {1, NAN, 2, 3};
    float y[2];
    nz_ref_pool_f32(&p, x, y, NULL);
    nz_assert_nan(y[0]);
    assert_true(y[1] == 3);
}

/* ---- the rest ---- */

static void softmax_stands_large_numbers(void **state) {
    (void)state;
    const float x[] = {1000, 1001, -INFINITY, 1000};
    float y[4];
    nz_ref_softmax(1, 2, 2, (const float[]){1000, -INFINITY, 1001, 0}, false, y);
    nz_assert_near(y[0], 0.26894142, 1e-6, 0);
    nz_assert_near(y[2], 0.73105858, 1e-6, 0);
    nz_assert_near(y[1], 0, 0, 0);
    nz_assert_near(y[3], 1, 0, 0);
    nz_ref_softmax(1, 4, 1, x, true, y);
    nz_assert_near(y[1], -0.55144471, 1e-6, 0);
    assert_true(isinf(y[2]) && y[2] < 0);
}

static void rows_are_normalised(void **state) {
    (void)state;
    float x[2 * 37], y[2 * 37], mean[2], inverse[2];
    for (int i = 0; i < 74; i++) x[i] = 1000 + number();
    nz_ref_normalise_rows(2, 37, x, 0, y, mean, inverse);
    for (int row = 0; row < 2; row++) {
        double sum = 0, squares = 0;
        for (int i = 0; i < 37; i++)
            sum += (double)y[row * 37 + i], squares += (double)y[row * 37 + i] * (double)y[row * 37 + i];
        nz_assert_near(sum / 37, 0, 0, 1e-5);
        nz_assert_near(squares / 37, 1, 1e-5, 0);
        assert_true(fabs((double)mean[row] - 1000) < 1 && inverse[row] > 1);
    }
}

static void requantising_saturates(void **state) {
    (void)state;
    const int32_t sums_in[] = {5, 15, -1000000, 1000000, 25};
    uint8_t u[5];
    int8_t s[5];
    nz_ref_requantize(NZ_U8, 5, sums_in, 0.1F, 3, u);
    nz_ref_requantize(NZ_I8, 5, sums_in, 0.1F, 3, s);
    const uint8_t u_expected[] = {3, 5, 0, 255, 5};
    const int8_t s_expected[] = {3, 5, -128, 127, 5};
    assert_memory_equal(u, u_expected, 5);
    assert_memory_equal(s, s_expected, 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolution_is_its_definition),
        cmocka_unit_test(transposed_convolution_is_the_gradient),
        cmocka_unit_test(pointwise_convolution_is_one_long_row),
        cmocka_unit_test(integer_convolution_wraps),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(products_are_their_definition_in_every_layout),
        cmocka_unit_test(a_product_over_nothing_is_zero),
        cmocka_unit_test(pooling_is_its_definition),
        cmocka_unit_test(a_maximum_carries_nan),
        cmocka_unit_test(softmax_stands_large_numbers),
        cmocka_unit_test(rows_are_normalised),
        cmocka_unit_test(requantising_saturates),
    };
    nz_random_init(&random_state, 1, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
