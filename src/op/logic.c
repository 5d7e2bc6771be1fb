/* SPDX-License-Identifier: Apache-2.0 */
/** Comparison, logic, bits, and choosing by a condition. */
#include <math.h>
#include <string.h>

#include "op/families.h"
#include "op/grad.h"
#include "op/lift.h"

/* ---- comparison ---- */

#define COMPARE_ROW(name, T, OP)                                                                                       \
    static void name##_##T(char *const at[], const int64_t stride[], int64_t n, const void *argument) {                \
        uint8_t *out = (void *)at[0];                                                                                  \
        const T *a = (const void *)at[1], *b = (const void *)at[2];                                                    \
        (void)argument;                                                                                                \
        for (int64_t i = 0; i < n; i++) out[i] = a[i * stride[1]] OP b[i * stride[2]];                                 \
    }
#define COMPARE(name, OP)                                                                                              \
    COMPARE_ROW(name, int8_t, OP)                                                                                      \
    COMPARE_ROW(name, int16_t, OP)                                                                                     \
    COMPARE_ROW(name, int32_t, OP)                                                                                     \
    COMPARE_ROW(name, int64_t, OP)                                                                                     \
    COMPARE_ROW(name, uint8_t, OP)                                                                                     \
    COMPARE_ROW(name, uint16_t, OP)                                                                                    \
    COMPARE_ROW(name, uint32_t, OP)                                                                                    \
    COMPARE_ROW(name, uint64_t, OP)                                                                                    \
    COMPARE_ROW(name, float, OP)                                                                                       \
    COMPARE_ROW(name, double, OP)                                                                                      \
    static nz_loop_row *const name##_rows[NZ_DTYPE_END] = {                                                            \
        [NZ_I8] = name##_int8_t,  [NZ_I16] = name##_int16_t,  [NZ_I32] = name##_int32_t,  [NZ_I64] = name##_int64_t,   \
        [NZ_U8] = name##_uint8_t, [NZ_U16] = name##_uint16_t, [NZ_U32] = name##_uint32_t, [NZ_U64] = name##_uint64_t,  \
        [NZ_F32] = name##_float,  [NZ_F64] = name##_double,   [NZ_BOOL] = name##_uint8_t,                              \
    };                                                                                                                 \
    static nz_status plain_##name(const nz_op_ctx *ctx) { return run_pair(ctx, name##_rows); }                         \
    static nz_status run_##name(const nz_op_ctx *ctx) { return nz_op_run_widened(ctx, plain_##name); }

/** out = rows[type of input 0](input 0, input 1). */
static nz_status run_pair(const nz_op_ctx *ctx, nz_loop_row *const *rows) {
    nz_loop loop;
    nz_loop_init(&loop, &ctx->out[0].shape);
    nz_loop_add(&loop, &ctx->out[0]);
    nz_loop_add(&loop, ctx->in[0]);
    nz_loop_add(&loop, ctx->in[1]);
    nz_loop_run(&loop, rows[ctx->in[0]->dtype], NULL);
    return NZ_OK;
}

COMPARE(equal, ==)
COMPARE(greater, >)
COMPARE(greater_equal, >=)
COMPARE(less, <)
COMPARE(less_equal, <=)

static nz_status infer_pair(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    return nz_op_infer_broadcast(ctx);
}

static nz_status infer_compare(const nz_op_ctx *ctx) {
    NZ_TRY(infer_pair(ctx));
    ctx->out[0].dtype = NZ_BOOL;
    return NZ_OK;
}

/* ---- logic and bits: 1, 2, 4 or 8 bytes, signs do not matter ---- */

#define BITS_ROW(name, T, OP)                                                                                          \
    static void name##_##T(char *const at[], const int64_t stride[], int64_t n, const void *argument) {                \
        T *out = (void *)at[0];                                                                                        \
        const T *a = (const void *)at[1], *b = (const void *)at[2];                                                    \
        (void)argument;                                                                                                \
        for (int64_t i = 0; i < n; i++) out[i] = (T)OP(T, a[i * stride[1]], b[i * stride[2]]);                         \
    }
#define BITS(name, OP)                                                                                                 \
    BITS_ROW(name, uint8_t, OP)                                                                                        \
    BITS_ROW(name, uint16_t, OP)                                                                                       \
    BITS_ROW(name, uint32_t, OP)                                                                                       \
    BITS_ROW(name, uint64_t, OP)                                                                                       \
    static nz_loop_row *const name##_rows[NZ_DTYPE_END] = {                                                            \
        [NZ_I8] = name##_uint8_t,   [NZ_I16] = name##_uint16_t, [NZ_I32] = name##_uint32_t,                            \
        [NZ_I64] = name##_uint64_t, [NZ_U8] = name##_uint8_t,   [NZ_U16] = name##_uint16_t,                            \
        [NZ_U32] = name##_uint32_t, [NZ_U64] = name##_uint64_t, [NZ_BOOL] = name##_uint8_t,                            \
    };                                                                                                                 \
    static nz_status run_##name(const nz_op_ctx *ctx) { return run_pair(ctx, name##_rows); }
#define AND(T, x, y) ((x) & (y))
#define OR(T, x, y) ((x) | (y))
#define XOR(T, x, y) ((x) ^ (y))
#define LEFT(T, x, y) ((y) >= 8 * sizeof(T) ? 0 : (uint64_t)(x) << (y))
#define RIGHT(T, x, y) ((y) >= 8 * sizeof(T) ? 0 : (uint64_t)(x) >> (y))
BITS(and, AND)
BITS(or, OR)
BITS(xor, XOR)
BITS(shift_left, LEFT)
BITS(shift_right, RIGHT)

static nz_status infer_shift(const nz_op_ctx *ctx) {
    const char *direction = nz_attr_string(ctx->node, "direction", "");
    if (strcmp(direction, "LEFT") != 0 && strcmp(direction, "RIGHT") != 0)
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "direction must be LEFT or RIGHT, not '%s'", direction);
    return infer_pair(ctx);
}

static nz_status run_shift(const nz_op_ctx *ctx) {
    return *nz_attr_string(ctx->node, "direction", "") == 'L' ? run_shift_left(ctx) : run_shift_right(ctx);
}

static nz_status run_not(const nz_op_ctx *ctx) {
    const uint8_t *in = ctx->in[0]->data;
    uint8_t *out = ctx->out[0].data;
    int64_t n = nz_shape_elements(&ctx->out[0].shape);
    for (int64_t i = 0; i < n; i++) out[i] = !in[i];
    return NZ_OK;
}

static nz_status run_bitwise_not(const nz_op_ctx *ctx) {
    const uint8_t *in = ctx->in[0]->data;
    uint8_t *out = ctx->out[0].data;
    int64_t n = nz_shape_elements(&ctx->out[0].shape) * (int64_t)nz_dtype_size(ctx->out[0].dtype);
    for (int64_t i = 0; i < n; i++) out[i] = (uint8_t)~in[i];
    return NZ_OK;
}

/* ---- classification of floats ---- */

static nz_status infer_test(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_infer_unary(ctx));
    ctx->out[0].dtype = NZ_BOOL;
    return NZ_OK;
}

static nz_status run_is_nan(const nz_op_ctx *ctx) {
    uint8_t *out = ctx->out[0].data;
    int64_t n = nz_shape_elements(&ctx->out[0].shape);
    for (int64_t i = 0; i < n; i++) out[i] = (uint8_t)(isnan(nz_tensor_real(ctx->in[0], i)) ? 1 : 0);
    return NZ_OK;
}

static nz_status run_is_inf(const nz_op_ctx *ctx) {
    bool positive = nz_attr_int(ctx->node, "detect_positive", 1),
         negative = nz_attr_int(ctx->node, "detect_negative", 1);
    uint8_t *out = ctx->out[0].data;
    int64_t n = nz_shape_elements(&ctx->out[0].shape);
    for (int64_t i = 0; i < n; i++) {
        double value = nz_tensor_real(ctx->in[0], i);
        out[i] = isinf(value) && (value > 0 ? positive : negative);
    }
    return NZ_OK;
}

/* ---- Where ---- */

static nz_status infer_where(const nz_op_ctx *ctx) {
    nz_shape shape;
    NZ_TRY(nz_op_check(ctx, 3, 3, 1));
    NZ_TRY(nz_op_same_type(ctx, 1, 2));
    if (!(NZ_TYPES_BYTES & NZ_TYPE_BIT(ctx->in[1]->dtype)))
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "type %s is not supported", nz_dtype_get(ctx->in[1]->dtype)->name);
    NZ_TRY(nz_op_broadcast_inputs(ctx, &shape));
    nz_op_set_out(ctx, 0, ctx->in[1]->dtype, &shape);
    return NZ_OK;
}

#define WHERE_ROW(T)                                                                                                   \
    static void where_##T(char *const at[], const int64_t stride[], int64_t n, const void *argument) {                 \
        T *out = (void *)at[0];                                                                                        \
        const uint8_t *condition = (const void *)at[1];                                                                \
        const T *a = (const void *)at[2], *b = (const void *)at[3];                                                    \
        (void)argument;                                                                                                \
        for (int64_t i = 0; i < n; i++) out[i] = condition[i * stride[1]] ? a[i * stride[2]] : b[i * stride[3]];       \
    }
WHERE_ROW(uint8_t)
WHERE_ROW(uint16_t)
WHERE_ROW(uint32_t)
WHERE_ROW(uint64_t)

static nz_status run_where(const nz_op_ctx *ctx) {
    nz_loop loop;
    size_t size = nz_dtype_size(ctx->out[0].dtype);
    nz_loop_init(&loop, &ctx->out[0].shape);
    nz_loop_add(&loop, &ctx->out[0]);
    for (int i = 0; i < 3; i++) nz_loop_add(&loop, ctx->in[i]);
    nz_loop_run(&loop,
                size == 1   ? where_uint8_t
                : size == 2 ? where_uint16_t
                : size == 4 ? where_uint32_t
                            : where_uint64_t,
                NULL);
    return NZ_OK;
}

static void chosen_row(char *const at[], const int64_t stride[], int64_t n, const void *argument) {
    float *to = (void *)at[0];
    const float *dy = (const void *)at[1];
    const uint8_t *condition = (const void *)at[2];
    const bool wanted = *(const bool *)argument;
    for (int64_t i = 0; i < n; i++)
        to[i * stride[0]] = (condition[i * stride[2]] != 0) == wanted ? dy[i * stride[1]] : 0;
}

static nz_status grad_where(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    static const bool yes = true, no = false;
    NZ_TRY(nz_grad_broadcast(ctx, grad, 1, ctx->in[0], NULL, chosen_row, &yes));
    return nz_grad_broadcast(ctx, grad, 2, ctx->in[0], NULL, chosen_row, &no);
}

/* ---- entries ---- */

#define TYPES_BOOL NZ_TYPE_BIT(NZ_BOOL)
#define TYPES_UNSIGNED (NZ_TYPE_BIT(NZ_U8) | NZ_TYPE_BIT(NZ_U16) | NZ_TYPE_BIT(NZ_U32) | NZ_TYPE_BIT(NZ_U64))
#define BINARY(label, vs, since_, ts, inf, fn)                                                                         \
    {                                                                                                                  \
        .name = label, .versions = vs, .canonical_since = since_, .types = ts, .lift = nz_lift_broadcast,              \
        .infer = inf, .count = nz_op_count_1, .run = fn                                                                \
    }

const nz_op nz_ops_logic[] = {
    BINARY("And", NZ_VERSIONS(1, 7), 7, TYPES_BOOL, infer_pair, run_and),
    BINARY("Or", NZ_VERSIONS(1, 7), 7, TYPES_BOOL, infer_pair, run_or),
    BINARY("Xor", NZ_VERSIONS(1, 7), 7, TYPES_BOOL, infer_pair, run_xor),
    BINARY("Equal", NZ_VERSIONS(1, 7, 11, 13, 19), 11, NZ_TYPES_NUMBER | TYPES_BOOL, infer_compare, run_equal),
    BINARY("Greater", NZ_VERSIONS(1, 7, 9, 13), 9, NZ_TYPES_NUMBER, infer_compare, run_greater),
    BINARY("GreaterOrEqual", NZ_VERSIONS(12, 16), 12, NZ_TYPES_NUMBER, infer_compare, run_greater_equal),
    BINARY("Less", NZ_VERSIONS(1, 7, 9, 13), 9, NZ_TYPES_NUMBER, infer_compare, run_less),
    BINARY("LessOrEqual", NZ_VERSIONS(12, 16), 12, NZ_TYPES_NUMBER, infer_compare, run_less_equal),
    BINARY("BitwiseAnd", NZ_VERSIONS(18), 18, NZ_TYPES_INT, infer_pair, run_and),
    BINARY("BitwiseOr", NZ_VERSIONS(18), 18, NZ_TYPES_INT, infer_pair, run_or),
    BINARY("BitwiseXor", NZ_VERSIONS(18), 18, NZ_TYPES_INT, infer_pair, run_xor),
    {.name = "BitShift",
     .versions = NZ_VERSIONS(11),
     .canonical_since = 11,
     .types = TYPES_UNSIGNED,
     .attributes = NZ_ATTRIBUTES("direction"),
     .infer = infer_shift,
     .count = nz_op_count_1,
     .run = run_shift},
    {.name = "Not",
     .versions = NZ_VERSIONS(1),
     .canonical_since = 1,
     .flags = NZ_OP_UNARY,
     .types = TYPES_BOOL,
     .infer = nz_op_infer_unary,
     .count = nz_op_count_1,
     .run = run_not},
    {.name = "BitwiseNot",
     .versions = NZ_VERSIONS(18),
     .canonical_since = 18,
     .flags = NZ_OP_UNARY,
     .types = NZ_TYPES_INT,
     .infer = nz_op_infer_unary,
     .count = nz_op_count_1,
     .run = run_bitwise_not},
    {.name = "IsNaN",
     .versions = NZ_VERSIONS(9, 13, 20),
     .canonical_since = 9,
     .flags = NZ_OP_UNARY,
     .types = NZ_TYPES_FLOAT,
     .infer = infer_test,
     .count = nz_op_count_1,
     .run = run_is_nan},
    {.name = "IsInf",
     .versions = NZ_VERSIONS(10, 20),
     .canonical_since = 10,
     .flags = NZ_OP_UNARY,
     .types = NZ_TYPES_FLOAT,
     .attributes = NZ_ATTRIBUTES("detect_positive", "detect_negative"),
     .infer = infer_test,
     .count = nz_op_count_1,
     .run = run_is_inf},
    {.name = "Where",
     .versions = NZ_VERSIONS(9, 16),
     .canonical_since = 9,
     .types = TYPES_BOOL,
     .infer = infer_where,
     .count = nz_op_count_1,
     .run = run_where,
     .grad = grad_where,
     .grad_inputs = 6,
     .grad_reads = NZ_GRAD_READS_IN},
    {0},
};
