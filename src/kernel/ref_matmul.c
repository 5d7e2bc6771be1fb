/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products, row by row: the innermost loop runs along contiguous memory in either layout of b. */
#include "core/threads.h"
#include "kernel/ref.h"

enum { LANES = 16, PANEL = 2048 }; /* running sums of a dot product; columns of c that stay in the first cache */

#define T float
#define NAME(x) x##_f32
#include "kernel/ref_matmul_body.h"
#undef T
#undef NAME
#define T double
#define NAME(x) x##_f64
#include "kernel/ref_matmul_body.h"
#undef T
#undef NAME
#define T uint32_t
#define NAME(x) x##_i32
#include "kernel/ref_matmul_body.h"
#undef T
#undef NAME
#define T uint64_t
#define NAME(x) x##_i64
#include "kernel/ref_matmul_body.h"
#undef T
#undef NAME

void nz_ref_matmul_f32(const nz_ref_matmul *shape, const float *a, const float *b, float *c) {
    matmul_f32(shape, a, b, c);
}
void nz_ref_matmul_f64(const nz_ref_matmul *shape, const double *a, const double *b, double *c) {
    matmul_f64(shape, a, b, c);
}
void nz_ref_matmul_i32(const nz_ref_matmul *shape, const uint32_t *a, const uint32_t *b, uint32_t *c) {
    matmul_i32(shape, a, b, c);
}
void nz_ref_matmul_i64(const nz_ref_matmul *shape, const uint64_t *a, const uint64_t *b, uint64_t *c) {
    matmul_i64(shape, a, b, c);
}
