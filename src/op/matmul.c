/* SPDX-License-Identifier: Apache-2.0 */
/** MatMul and Gemm. */
#include "op/matmul.h"

#include <math.h>
#include <string.h>

#include "op/families.h"
#include "op/grad.h"

nz_status nz_op_read_matmul(nz_op_matmul *ret_product, const nz_op_ctx *ctx, size_t a_input, size_t b_input) {
    nz_shape a = ctx->in[a_input]->shape, b = ctx->in[b_input]->shape;
    nz_op_matmul product = {.a_vector = a.rank == 1, .b_vector = b.rank == 1};
    char at[112], bt[112];
    nz_shape_text(&a, at);
    nz_shape_text(&b, bt);
    if (a.rank < 1 || b.rank < 1) return nz_op_fail(ctx, NZ_E_SHAPE, "cannot multiply %s by %s", at, bt);
    if (product.a_vector) a = (nz_shape){2, {1, a.dim[0]}};
    if (product.b_vector) b = (nz_shape){2, {b.dim[0], 1}};
    int64_t m = a.dim[a.rank - 2], k = a.dim[a.rank - 1], inner = b.dim[b.rank - 2], n = b.dim[b.rank - 1];
    if (k >= 0 && inner >= 0 && k != inner) return nz_op_fail(ctx, NZ_E_SHAPE, "cannot multiply %s by %s", at, bt);
    product.a_batch = a, product.b_batch = b;
    product.a_batch.rank -= 2, product.b_batch.rank -= 2;
    if (!nz_shape_broadcast(&product.batch, &product.a_batch, &product.b_batch))
        return nz_op_fail(ctx, NZ_E_SHAPE, "cannot multiply %s by %s", at, bt);
    product.matrix = (nz_ref_matmul){.m = m, .n = n, .k = k >= 0 ? k : inner};
    *ret_product = product;
    return NZ_OK;
}

nz_shape nz_op_matmul_shape(const nz_op_matmul *product) {
    nz_shape shape = product->batch;
    if (!product->a_vector) shape.dim[shape.rank++] = product->matrix.m;
    if (!product->b_vector) shape.dim[shape.rank++] = product->matrix.n;
    return shape;
}

/* The index of the matrix that batch `at` (an index into `all`) reads from an operand whose batch extents broadcast. */
static int64_t operand_index(const nz_shape *all, const nz_shape *own, int64_t at) {
    int64_t index = 0, step = 1;
    for (int i = all->rank - 1, j = own->rank - 1; j >= 0; i--, j--) {
        int64_t position = at % all->dim[i];
        at /= all->dim[i];
        if (own->dim[j] != 1) index += position * step;
        step *= own->dim[j];
    }
    return index;
}

nz_status nz_op_matmul_run(const nz_op_matmul *product, nz_dtype dtype, const void *a, const void *b, void *c) {
    const nz_ref_matmul *s = &product->matrix;
    size_t size = nz_dtype_size(dtype);
    int64_t batches = nz_shape_elements(&product->batch), b_count = nz_shape_elements(&product->b_batch);
    nz_ref_matmul whole = *s;
    if (b_count == 1 && batches > 1 &&
        nz_shape_elements(&product->a_batch) == batches) { /* one matrix for all: more rows */
        whole.m *= batches;
        batches = 1;
    }
    for (int64_t i = 0; i < batches; i++) {
        const char *left =
            (const char *)a + (size_t)(operand_index(&product->batch, &product->a_batch, i) * s->m * s->k) * size;
        const char *right =
            (const char *)b + (size_t)(operand_index(&product->batch, &product->b_batch, i) * s->k * s->n) * size;
        char *to = (char *)c + (size_t)(i * s->m * s->n) * size;
        if (dtype == NZ_F32)
            nz_ref_matmul_f32(&whole, (const void *)left, (const void *)right, (void *)to);
        else if (dtype == NZ_F64)
            nz_ref_matmul_f64(&whole, (const void *)left, (const void *)right, (void *)to);
        else if (dtype == NZ_I32 || dtype == NZ_U32)
            nz_ref_matmul_i32(&whole, (const void *)left, (const void *)right, (void *)to);
        else
            nz_ref_matmul_i64(&whole, (const void *)left, (const void *)right, (void *)to);
    }
    return NZ_OK;
}

static nz_status infer_matmul(const nz_op_ctx *ctx) {
    nz_op_matmul product;
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    NZ_TRY(nz_op_same_type(ctx, 0, 1));
    NZ_TRY(nz_op_read_matmul(&product, ctx, 0, 1));
    nz_shape shape = nz_op_matmul_shape(&product);
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &shape);
    return NZ_OK;
}

static nz_status count_matmul(const nz_op_ctx *ctx, nz_op_cost *cost) {
    nz_op_matmul product;
    NZ_TRY(nz_op_read_matmul(&product, ctx, 0, 1));
    return nz_op_add_macs(ctx, cost, nz_shape_elements(&ctx->out[0].shape), product.matrix.k);
}

static nz_status run_matmul(const nz_op_ctx *ctx) {
    nz_dtype dtype = ctx->in[0]->dtype;
    nz_op_matmul product;
    if (dtype == NZ_F16 || dtype == NZ_BF16) return nz_op_run_widened(ctx, run_matmul);
    NZ_TRY(nz_op_read_matmul(&product, ctx, 0, 1));
    return nz_op_matmul_run(&product, dtype, ctx->in[0]->data, ctx->in[1]->data, ctx->out[0].data);
}

/* da = dc b^T and db = a^T dc, batch by batch, then summed over the batches for which an operand was repeated. */
static nz_status grad_operand(const nz_op_ctx *ctx, const nz_op_matmul *product, const float *dc, size_t operand,
                              float *to) {
    const nz_ref_matmul *s = &product->matrix;
    const nz_shape *own = operand == 0 ? &product->a_batch : &product->b_batch;
    const float *a = ctx->in[0]->data, *b = ctx->in[1]->data;
    int64_t batches = nz_shape_elements(&product->batch), size = operand == 0 ? s->m * s->k : s->k * s->n;
    nz_ref_matmul by_a = {.m = s->m, .n = s->k, .k = s->n, .b_transposed = true},
                  by_b = {.m = s->k, .n = s->n, .k = s->m, .a_transposed = true};
    if (operand == 1 && nz_shape_elements(own) == 1 && nz_shape_elements(&product->a_batch) == batches) {
        by_b.k *= batches; /* one matrix for all: more rows */
        nz_ref_matmul_f32(&by_b, a, dc, to);
        return NZ_OK;
    }
    float *each = to;
    bool repeated = nz_shape_elements(own) != batches;
    if (repeated) NZ_TRY(nz_arena_alloc(ctx->scratch, &each, (size_t)(batches * size), sizeof *each));
    for (int64_t i = 0; i < batches; i++) {
        const float *left = a + operand_index(&product->batch, &product->a_batch, i) * s->m * s->k;
        const float *right = b + operand_index(&product->batch, &product->b_batch, i) * s->k * s->n;
        if (operand == 0)
            nz_ref_matmul_f32(&by_a, dc + i * s->m * s->n, right, each + i * size);
        else
            nz_ref_matmul_f32(&by_b, left, dc + i * s->m * s->n, each + i * size);
    }
    if (!repeated) return NZ_OK;
    nz_shape all = product->batch, one = *own;
    all.dim[all.rank++] = size, one.dim[one.rank++] = size;
    nz_grad_sum_to(to, &one, &all, each);
    return NZ_OK;
}

static nz_status grad_matmul(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    nz_op_matmul product;
    NZ_TRY(nz_op_read_matmul(&product, ctx, 0, 1));
    for (size_t i = 0; i < 2; i++)
        if (nz_grad_to(ctx, grad, i))
            NZ_TRY(grad_operand(ctx, &product, nz_grad_from(grad, 0), i, nz_grad_to(ctx, grad, i)));
    return NZ_OK;
}

/* -- Gemm: alpha * A' * B' + beta * C --------------------------------------------------------------------------- */

static nz_status read_gemm(nz_ref_matmul *ret_matrix, const nz_op_ctx *ctx) {
    const nz_shape *a = &ctx->in[0]->shape, *b = &ctx->in[1]->shape;
    nz_ref_matmul s = {.a_transposed = nz_attr_int(ctx->node, "transA", 0) != 0,
                       .b_transposed = nz_attr_int(ctx->node, "transB", 0) != 0};
    char at[112], bt[112];
    nz_shape_text(a, at);
    nz_shape_text(b, bt);
    if (a->rank != 2 || b->rank != 2) return nz_op_fail(ctx, NZ_E_SHAPE, "matrices are needed, not %s and %s", at, bt);
    s.m = a->dim[s.a_transposed], s.k = a->dim[!s.a_transposed], s.n = b->dim[!s.b_transposed];
    int64_t inner = b->dim[s.b_transposed];
    if (s.k >= 0 && inner >= 0 && s.k != inner)
        return nz_op_fail(ctx, NZ_E_SHAPE, "cannot multiply %s%s by %s%s", at, s.a_transposed ? " transposed" : "", bt,
                          s.b_transposed ? " transposed" : "");
    if (s.k < 0) s.k = inner;
    *ret_matrix = s;
    return NZ_OK;
}

/* Whether a factor of integers is one itself. */
static bool is_whole(float value) { return fabsf(value) < 0x1p31f && value == truncf(value); }

static nz_status infer_gemm(const nz_op_ctx *ctx) {
    nz_ref_matmul s;
    NZ_TRY(nz_op_check(ctx, 2, 3, 1));
    NZ_TRY(nz_op_same_type(ctx, 0, 1));
    NZ_TRY(nz_op_same_type(ctx, 0, 2));
    NZ_TRY(read_gemm(&s, ctx));
    if (!nz_dtype_get(ctx->in[0]->dtype)->is_float &&
        (!is_whole(nz_attr_float(ctx->node, "alpha", 1)) || !is_whole(nz_attr_float(ctx->node, "beta", 1))))
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "alpha and beta of integers must be whole numbers below 2^31");
    nz_shape shape = {2, {s.m, s.n}}, joined;
    const nz_tensor *c = nz_op_in(ctx, 2);
    if (c) {
        char ct[112], st[112];
        if (!nz_shape_broadcast(&joined, &shape, &c->shape) || joined.rank != 2 || (s.m >= 0 && joined.dim[0] != s.m) ||
            (s.n >= 0 && joined.dim[1] != s.n))
            return nz_op_fail(ctx, NZ_E_SHAPE, "C %s does not broadcast to %s", nz_shape_text(&c->shape, ct),
                              nz_shape_text(&shape, st));
    }
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &shape);
    return NZ_OK;
}

static nz_status count_gemm(const nz_op_ctx *ctx, nz_op_cost *cost) {
    nz_ref_matmul s;
    NZ_TRY(read_gemm(&s, ctx));
    int64_t outputs = nz_shape_elements(&ctx->out[0].shape);
    NZ_TRY(nz_op_add_macs(ctx, cost, outputs, s.k));
    return nz_op_in(ctx, 2) ? nz_op_add_ops(ctx, cost, outputs, 1) : NZ_OK;
}

/* alpha and beta as numbers of the element type; integers wrap. */
#define FINISH(T, FACTOR)                                                                                              \
    do {                                                                                                               \
        T *y = ctx->out[0].data;                                                                                       \
        const T *added = c ? c->data : NULL;                                                                           \
        T scale = (T)(FACTOR)alpha, weight = (T)(FACTOR)beta;                                                          \
        for (int64_t i = 0; i < s.m; i++)                                                                              \
            for (int64_t j = 0; j < s.n; j++) {                                                                        \
                T *at = &y[i * s.n + j];                                                                               \
                *at = (T)(scale * *at);                                                                                \
                if (added) *at = (T)(*at + (T)(weight * added[i * row + j * column]));                                 \
            }                                                                                                          \
    } while (0)

static nz_status run_gemm(const nz_op_ctx *ctx) {
    nz_dtype dtype = ctx->in[0]->dtype;
    if (dtype == NZ_F16 || dtype == NZ_BF16) return nz_op_run_widened(ctx, run_gemm);
    nz_ref_matmul s;
    NZ_TRY(read_gemm(&s, ctx));
    float alpha = nz_attr_float(ctx->node, "alpha", 1), beta = nz_attr_float(ctx->node, "beta", 1);
    const nz_tensor *c = nz_op_in(ctx, 2);
    int64_t columns = c && c->shape.rank > 0 ? c->shape.dim[c->shape.rank - 1] : 1,
            rows = c && c->shape.rank > 1 ? c->shape.dim[0] : 1;
    int64_t row = rows > 1 ? columns : 0, column = columns > 1 ? 1 : 0;
    const void *a = ctx->in[0]->data, *b = ctx->in[1]->data;
    if (dtype == NZ_F32) {
        nz_ref_matmul_f32(&s, a, b, ctx->out[0].data);
        FINISH(float, float);
    } else if (dtype == NZ_F64) {
        nz_ref_matmul_f64(&s, a, b, ctx->out[0].data);
        FINISH(double, double);
    } else if (dtype == NZ_I32 || dtype == NZ_U32) {
        nz_ref_matmul_i32(&s, a, b, ctx->out[0].data);
        FINISH(uint32_t, int64_t);
    } else {
        nz_ref_matmul_i64(&s, a, b, ctx->out[0].data);
        FINISH(uint64_t, int64_t);
    }
    return NZ_OK;
}

static void scale(float *values, int64_t count, float factor) {
    for (int64_t i = 0; factor != 1 && i < count; i++) values[i] *= factor;
}

static nz_status grad_gemm(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    nz_ref_matmul s;
    NZ_TRY(read_gemm(&s, ctx));
    float alpha = nz_attr_float(ctx->node, "alpha", 1), beta = nz_attr_float(ctx->node, "beta", 1);
    float *da = nz_grad_to(ctx, grad, 0), *db = nz_grad_to(ctx, grad, 1), *dc = nz_grad_to(ctx, grad, 2);
    const float *a = ctx->in[0]->data, *b = ctx->in[1]->data, *dy = nz_grad_from(grad, 0);
    if (da && !s.a_transposed) /* [m, k] = dy b^T */
        nz_ref_matmul_f32(&(nz_ref_matmul){s.m, s.k, s.n, false, !s.b_transposed}, dy, b, da);
    else if (da) /* [k, m] = b dy^T */
        nz_ref_matmul_f32(&(nz_ref_matmul){s.k, s.m, s.n, s.b_transposed, true}, b, dy, da);
    if (db && !s.b_transposed) /* [k, n] = a^T dy */
        nz_ref_matmul_f32(&(nz_ref_matmul){s.k, s.n, s.m, !s.a_transposed, false}, a, dy, db);
    else if (db) /* [n, k] = dy^T a */
        nz_ref_matmul_f32(&(nz_ref_matmul){s.n, s.k, s.m, true, s.a_transposed}, dy, a, db);
    if (da) scale(da, s.m * s.k, alpha);
    if (db) scale(db, s.k * s.n, alpha);
    if (dc) {
        nz_grad_sum_to(dc, &ctx->in[2]->shape, &grad->dout[0]->shape, dy);
        scale(dc, nz_shape_elements(&ctx->in[2]->shape), beta);
    }
    return NZ_OK;
}

/* Before version 7 an attribute allowed C to broadcast; now it always may. */
static nz_status lift_gemm(nz_graph *graph, int node) {
    nz_node_remove_attr(&graph->nodes[node], "broadcast");
    return NZ_OK;
}

#define TYPES_MATMUL                                                                                                   \
    (NZ_TYPES_FLOAT | NZ_TYPE_BIT(NZ_I32) | NZ_TYPE_BIT(NZ_I64) | NZ_TYPE_BIT(NZ_U32) | NZ_TYPE_BIT(NZ_U64))

const nz_op nz_ops_matmul[] = {
    {.name = "MatMul",
     .versions = NZ_VERSIONS(1, 9, 13),
     .canonical_since = 1,
     .flags = NZ_OP_HAS_MACS,
     .attributes = NZ_ATTRIBUTES(NULL),
     .types = TYPES_MATMUL,
     .infer = infer_matmul,
     .count = count_matmul,
     .run = run_matmul,
     .grad = grad_matmul,
     .grad_inputs = 3,
     .grad_reads = NZ_GRAD_READS_IN,
     .params = 3},
    {.name = "Gemm",
     .versions = NZ_VERSIONS(1, 6, 7, 9, 11, 13),
     .canonical_since = 11,
     .flags = NZ_OP_HAS_MACS,
     .attributes = NZ_ATTRIBUTES("alpha", "beta", "transA", "transB"),
     .types = TYPES_MATMUL,
     .lift = lift_gemm,
     .infer = infer_gemm,
     .count = count_gemm,
     .run = run_gemm,
     .grad = grad_gemm,
     .grad_inputs = 7,
     .grad_reads = NZ_GRAD_READS_IN,
     .params = 6},
    {.name = NULL},
};
