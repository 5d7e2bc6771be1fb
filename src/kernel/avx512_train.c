/* SPDX-License-Identifier: Apache-2.0 */
/* The plain C that these are tested against is train_ref_layer.c. */
#include "kernel/avx512_train.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include "kernel/avx512_body.h"

/* -- filters ------------------------------------------------------------------------------------------------------------ */

/* G along one axis: three values `s` apart become size + 2 values, `t` apart. */
INLINE void weights_line(const int size, const __m512 *g, const int s, __m512 *u, const int t) {
    __m512 g0 = g[0], g1 = g[s], g2 = g[2 * s];
    if (size == 2) {
        __m512 even = MUL(0.5F, ADD(g0, g2)), odd = MUL(0.5F, g1);
        u[0] = g0, u[t] = ADD(even, odd), u[2 * t] = SUB(even, odd), u[3 * t] = g2;
        return;
    }
    __m512 even = MUL(-1.0F / 6, ADD(g0, g2)), odd = MUL(-1.0F / 6, g1);
    __m512 far = FMA(1.0F / 24, g0, MUL(1.0F / 6, g2)), near = MUL(1.0F / 12, g1);
    u[0] = MUL(0.25F, g0), u[t] = ADD(even, odd), u[2 * t] = SUB(even, odd);
    u[3 * t] = ADD(far, near), u[4 * t] = SUB(far, near), u[5 * t] = g2;
}

INLINE void weights_tile(const int size, const float *g, int64_t tap, bool turned, float *u, int64_t position) {
    const int side = size + 2;
    __m512 taps[9], half[18], line[6];
#pragma GCC unroll 9
    for (int i = 0; i < 9; i++) taps[i] = _mm512_loadu_ps(g + (turned ? 8 - i : i) * tap);
#pragma GCC unroll 3
    for (int w = 0; w < 3; w++) weights_line(size, taps + w, 3, half + w, 3);
#pragma GCC unroll 6
    for (int h = 0; h < side; h++) {
        weights_line(size, half + 3 * h, 1, line, 1);
#pragma GCC unroll 6
        for (int w = 0; w < side; w++) _mm512_storeu_ps(u + (h * side + w) * position, line[w]);
    }
}

AVX512 void nz_winograd_weights(int size, const float *g, int64_t tap, bool turned, float *u, int64_t position) {
    if (size == 4)
        weights_tile(4, g, tap, turned, u, position);
    else
        weights_tile(2, g, tap, turned, u, position);
}

/* G^T along one axis: size + 2 values `s` apart become three, `t` apart. */
INLINE void weights_back_line(const int size, const __m512 *u, const int s, __m512 *g, const int t) {
    if (size == 2) {
        __m512 sum = MUL(0.5F, ADD(u[s], u[2 * s])), difference = MUL(0.5F, SUB(u[s], u[2 * s]));
        g[0] = ADD(u[0], sum), g[t] = difference, g[2 * t] = ADD(sum, u[3 * s]);
        return;
    }
    __m512 sum = ADD(u[s], u[2 * s]), difference = SUB(u[2 * s], u[s]);
    __m512 far = ADD(u[3 * s], u[4 * s]), near = SUB(u[3 * s], u[4 * s]);
    g[0] = FMA(0.25F, u[0], FMA(1.0F / 24, far, MUL(-1.0F / 6, sum)));
    g[t] = FMA(1.0F / 6, difference, MUL(1.0F / 12, near));
    g[2 * t] = FMA(1.0F / 6, SUB(far, sum), u[5 * s]);
}

INLINE void weights_back_tile(const int size, const float *u, int64_t position, int64_t copies, int64_t apart, float *g,
                              int64_t tap) {
    const int side = size + 2;
    __m512 d[6], half[18], line[3];
#pragma GCC unroll 6
    for (int w = 0; w < side; w++) {
#pragma GCC unroll 6
        for (int h = 0; h < side; h++) {
            d[h] = _mm512_loadu_ps(u + (h * side + w) * position);
            for (int64_t i = 1; i < copies; i++)
                d[h] = ADD(d[h], _mm512_loadu_ps(u + (h * side + w) * position + i * apart));
        }
        weights_back_line(size, d, 1, half + w, side);
    }
#pragma GCC unroll 3
    for (int h = 0; h < 3; h++) {
        weights_back_line(size, half + h * side, 1, line, 1);
#pragma GCC unroll 3
        for (int w = 0; w < 3; w++) _mm512_storeu_ps(g + (h * 3 + w) * tap, line[w]);
    }
}

AVX512 void nz_winograd_weights_back(int size, const float *u, int64_t position, int64_t copies, int64_t apart,
                                     float *g, int64_t tap) {
    if (size == 4)
        weights_back_tile(4, u, position, copies, apart, g, tap);
    else
        weights_back_tile(2, u, position, copies, apart, g, tap);
}

/* -- gradients of outputs ---------------------------------------------------------------------------------------------- */

/* A along one axis: `size` values `s` apart become size + 2, `t` apart. */
INLINE void output_back_line(const int size, const __m512 *y, const int s, __m512 *m, const int t) {
    if (size == 2) {
        m[0] = y[0], m[t] = ADD(y[0], y[s]), m[2 * t] = SUB(y[0], y[s]), m[3 * t] = SUB(_mm512_setzero_ps(), y[s]);
        return;
    }
    __m512 even = ADD(y[0], y[2 * s]), odd = ADD(y[s], y[3 * s]);
    __m512 far = FMA(4, y[2 * s], y[0]), near = FMA(8, y[3 * s], MUL(2, y[s]));
    m[0] = y[0], m[t] = ADD(even, odd), m[2 * t] = SUB(even, odd);
    m[3 * t] = ADD(far, near), m[4 * t] = SUB(far, near), m[5 * t] = y[3 * s];
}

INLINE void output_back_tile(const int size, const bool whole, const nz_tile *inside, const float *dy, int64_t sh,
                             int64_t sw, int64_t channels, float *m, int64_t position) {
    const int side = size + 2;
    for (int64_t c = 0; c < channels; c += NZ_LANES) {
        __m512 column[4], half[24], line[6];
#pragma GCC unroll 4
        for (int w = 0; w < size; w++) {
#pragma GCC unroll 4
            for (int h = 0; h < size; h++)
                column[h] = whole || (h < inside->h1 && w < inside->w1) ? _mm512_loadu_ps(dy + h * sh + w * sw + c)
                                                                        : _mm512_setzero_ps();
            output_back_line(size, column, 1, half + w, size);
        }
#pragma GCC unroll 6
        for (int h = 0; h < side; h++) {
            output_back_line(size, half + h * size, 1, line, 1);
#pragma GCC unroll 6
            for (int w = 0; w < side; w++) _mm512_storeu_ps(m + (h * side + w) * position + c, line[w]);
        }
    }
}

AVX512 static void output_back_4(const nz_tile *t, const float *dy, int64_t sh, int64_t sw, int64_t n, float *m,
                                 int64_t p) {
    if (t->h1 >= 4 && t->w1 >= 4)
        output_back_tile(4, true, t, dy, sh, sw, n, m, p);
    else
        output_back_tile(4, false, t, dy, sh, sw, n, m, p);
}

AVX512 static void output_back_2(const nz_tile *t, const float *dy, int64_t sh, int64_t sw, int64_t n, float *m,
                                 int64_t p) {
    if (t->h1 >= 2 && t->w1 >= 2)
        output_back_tile(2, true, t, dy, sh, sw, n, m, p);
    else
        output_back_tile(2, false, t, dy, sh, sw, n, m, p);
}

void nz_winograd_output_back(int size, const nz_tile *inside, const float *dy, int64_t sh, int64_t sw, int64_t channels,
                             float *m, int64_t position) {
    if (size == 4)
        output_back_4(inside, dy, sh, sw, channels, m, position);
    else
        output_back_2(inside, dy, sh, sw, channels, m, position);
}

/* -- products ---------------------------------------------------------------------------------------------------------- */

/* ROWS x VECTORS sums in registers over all of k. */
INLINE void outer_tile(const int rows, const int vectors, int64_t k, const float *a, int64_t lda, const float *b,
                       int64_t ldb, float *out, int64_t ldo, bool add) {
    __m512 sums[16];
#pragma GCC unroll 16
    for (int i = 0; i < rows * vectors; i++)
        sums[i] = add ? _mm512_loadu_ps(out + i / vectors * ldo + i % vectors * NZ_LANES) : _mm512_setzero_ps();
    nz_multiply_add(rows, vectors, k, a, 1, lda, b, ldb, sums);
#pragma GCC unroll 16
    for (int i = 0; i < rows * vectors; i++)
        _mm512_storeu_ps(out + i / vectors * ldo + i % vectors * NZ_LANES, sums[i]);
}

/* A function per number of vectors: 16 sums hide the latency of a multiply-add. */
AVX512 static void outer_1(int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb, float *out, int64_t ldo,
                           bool add) {
    outer_tile(16, 1, k, a, lda, b, ldb, out, ldo, add);
}

AVX512 static void outer_2(int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb, float *out, int64_t ldo,
                           bool add) {
    outer_tile(8, 2, k, a, lda, b, ldb, out, ldo, add);
}

AVX512 static void outer_4(int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb, float *out, int64_t ldo,
                           bool add) {
    outer_tile(4, 4, k, a, lda, b, ldb, out, ldo, add);
}

void nz_outer_block(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb,
                    float *out, bool add) {
    for (int64_t column = 0; column < n;) {
        int64_t left = n - column, width = left >= 64 ? 64 : left >= 32 ? 32 : 16, rows = 256 / width;
        void (*tile)(int64_t, const float *, int64_t, const float *, int64_t, float *, int64_t, bool) =
            width == 64   ? outer_4
            : width == 32 ? outer_2
                          : outer_1;
        for (int64_t r = 0; r < m; r += rows) tile(k, a + r, lda, b + column, ldb, out + r * n + column, n, add);
        column += width;
    }
}

AVX512 void nz_transpose16(const float *x, int64_t ldx, float *y, int64_t ldy) {
    __m512 a[16], b[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) a[i] = _mm512_loadu_ps(x + i * ldx);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        b[2 * i] = _mm512_unpacklo_ps(a[2 * i], a[2 * i + 1]);
        b[2 * i + 1] = _mm512_unpackhi_ps(a[2 * i], a[2 * i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4)
#pragma GCC unroll 2
        for (int k = 0; k < 2; k++) {
            __m512d low = _mm512_castps_pd(b[i + k]), high = _mm512_castps_pd(b[i + k + 2]);
            a[i + 2 * k] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
            a[i + 2 * k + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
        /* a[4 g + j] holds columns j, j + 4, j + 8, j + 12 of rows 4 g to 4 g + 3. */
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        __m512 low01 = _mm512_shuffle_f32x4(a[j], a[4 + j], 0x88), high01 = _mm512_shuffle_f32x4(a[j], a[4 + j], 0xDD);
        __m512 low23 = _mm512_shuffle_f32x4(a[8 + j], a[12 + j], 0x88),
               high23 = _mm512_shuffle_f32x4(a[8 + j], a[12 + j], 0xDD);
        _mm512_storeu_ps(y + j * ldy, _mm512_shuffle_f32x4(low01, low23, 0x88));
        _mm512_storeu_ps(y + (j + 4) * ldy, _mm512_shuffle_f32x4(high01, high23, 0x88));
        _mm512_storeu_ps(y + (j + 8) * ldy, _mm512_shuffle_f32x4(low01, low23, 0xDD));
        _mm512_storeu_ps(y + (j + 12) * ldy, _mm512_shuffle_f32x4(high01, high23, 0xDD));
    }
}

#else

/* Never called: nz_avx512() is false. */
void nz_winograd_weights(int size, const float *g, int64_t tap, bool turned, float *u, int64_t position) {
    (void)size, (void)g, (void)tap, (void)turned, (void)u, (void)position;
}
void nz_winograd_weights_back(int size, const float *u, int64_t position, int64_t copies, int64_t apart, float *g,
                              int64_t tap) {
    (void)size, (void)u, (void)position, (void)copies, (void)apart, (void)g, (void)tap;
}
void nz_winograd_output_back(int size, const nz_tile *inside, const float *dy, int64_t sh, int64_t sw, int64_t channels,
                             float *m, int64_t position) {
    (void)size, (void)inside, (void)dy, (void)sh, (void)sw, (void)channels, (void)m, (void)position;
}
void nz_outer_block(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb,
                    float *out, bool add) {
    (void)m, (void)n, (void)k, (void)a, (void)lda, (void)b, (void)ldb, (void)out, (void)add;
}
void nz_transpose16(const float *x, int64_t ldx, float *y, int64_t ldy) { (void)x, (void)ldx, (void)y, (void)ldy; }

#endif
