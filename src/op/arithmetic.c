/* SPDX-License-Identifier: Apache-2.0 */
/** Arithmetic of two or more tensors with broadcasting. Integers wrap around, as in ONNX's test vectors. */
#include <math.h>

#include "op/families.h"
#include "op/grad_arithmetic.h"
#include "op/helper.h"
#include "op/lift.h"

/* Integer operations work on the unsigned 64-bit patterns: wrapping without undefined behaviour. */
#define U(x) ((uint64_t)(x))
#define ADD_INT(T, x, y) (T)(U(x) + U(y))
#define SUB_INT(T, x, y) (T)(U(x) - U(y))
#define MUL_INT(T, x, y) (T)(U(x) * U(y))
#define DIV_SIGNED(T, x, y) ((T)((y) == 0 ? 0 : (y) == (T)-1 ? (T)(0 - U(x)) : (T)((x) / (y))))
#define DIV_UNSIGNED(T, x, y) ((T)((y) == 0 ? 0 : (x) / (y)))
#define FMOD_SIGNED(T, x, y) ((T)((y) == 0 || (y) == (T)-1 ? 0 : (x) % (y)))
#define FMOD_UNSIGNED(T, x, y) ((T)((y) == 0 ? 0 : (x) % (y)))
#define MAX_INT(T, x, y) ((x) > (y) ? (x) : (y))
#define MIN_INT(T, x, y) ((x) < (y) ? (x) : (y))

#define ADD_REAL(T, x, y) ((x) + (y))
#define SUB_REAL(T, x, y) ((x) - (y))
#define MUL_REAL(T, x, y) ((x) * (y))
#define DIV_REAL(T, x, y) ((x) / (y))
#define FMOD_REAL(T, x, y) ((T)fmod((double)(x), (double)(y)))
/* NaN wins on either side, as in NumPy. */
#define MAX_REAL(T, x, y) ((x) > (y) || (x) != (x) ? (x) : (y))
#define MIN_REAL(T, x, y) ((x) < (y) || (x) != (x) ? (x) : (y))

/** The remainder with the sign of the divisor (Python's %), from C's. */
static int64_t modulo_signed(int64_t x, int64_t y) {
    if (y == 0 || y == -1) return 0;
    int64_t rest = x % y;
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}
#define MOD_SIGNED(T, x, y) ((T)modulo_signed((int64_t)(x), (int64_t)(y)))
#define MOD_REAL(T, x, y) FMOD_REAL(T, x, y)

/* One row function per operation and type; the common strides get loops that the compiler can vectorise. */
#define ROW(name, T, OP)                                                                                               \
    static void name##_##T(char *const at[], const int64_t stride[], int64_t n, const void *argument) {                \
        T *out = (void *)at[0];                                                                                        \
        const T *a = (const void *)at[1], *b = (const void *)at[2];                                                    \
        (void)argument;                                                                                                \
        if (stride[1] == 1 && stride[2] == 1)                                                                          \
            for (int64_t i = 0; i < n; i++) out[i] = OP(T, a[i], b[i]);                                                \
        else if (stride[1] == 1 && stride[2] == 0) {                                                                   \
            const T y = *b;                                                                                            \
            for (int64_t i = 0; i < n; i++) out[i] = OP(T, a[i], y);                                                   \
        } else if (stride[1] == 0 && stride[2] == 1) {                                                                 \
            const T x = *a;                                                                                            \
            for (int64_t i = 0; i < n; i++) out[i] = OP(T, x, b[i]);                                                   \
        } else                                                                                                         \
            for (int64_t i = 0; i < n; i++) out[i] = OP(T, a[i * stride[1]], b[i * stride[2]]);                        \
    }
#define ROWS(name, SIGNED, UNSIGNED, REAL)                                                                             \
    ROW(name, int8_t, SIGNED)                                                                                          \
    ROW(name, int16_t, SIGNED)                                                                                         \
    ROW(name, int32_t, SIGNED)                                                                                         \
    ROW(name, int64_t, SIGNED)                                                                                         \
    ROW(name, uint8_t, UNSIGNED)                                                                                       \
    ROW(name, uint16_t, UNSIGNED)                                                                                      \
    ROW(name, uint32_t, UNSIGNED)                                                                                      \
    ROW(name, uint64_t, UNSIGNED)                                                                                      \
    ROW(name, float, REAL)                                                                                             \
    ROW(name, double, REAL)                                                                                            \
    static nz_loop_row *const name##_rows[NZ_DTYPE_END] = {                                                            \
        [NZ_I8] = name##_int8_t,  [NZ_I16] = name##_int16_t,  [NZ_I32] = name##_int32_t,  [NZ_I64] = name##_int64_t,   \
        [NZ_U8] = name##_uint8_t, [NZ_U16] = name##_uint16_t, [NZ_U32] = name##_uint32_t, [NZ_U64] = name##_uint64_t,  \
        [NZ_F32] = name##_float,  [NZ_F64] = name##_double,                                                            \
    };

ROWS(add, ADD_INT, ADD_INT, ADD_REAL)
ROWS(sub, SUB_INT, SUB_INT, SUB_REAL)
ROWS(mul, MUL_INT, MUL_INT, MUL_REAL)
ROWS(div, DIV_SIGNED, DIV_UNSIGNED, DIV_REAL)
ROWS(mod, MOD_SIGNED, FMOD_UNSIGNED, MOD_REAL)
ROWS(fmod, FMOD_SIGNED, FMOD_UNSIGNED, FMOD_REAL)
ROWS(max, MAX_INT, MAX_INT, MAX_REAL)
ROWS(min, MIN_INT, MIN_INT, MIN_REAL)

/** out = rows(a, b), broadcast to out's shape. */
static void run_pair(const nz_tensor *out, const nz_tensor *a, const nz_tensor *b, nz_loop_row *const *rows) {
    nz_loop loop;
    nz_loop_init(&loop, &out->shape);
    nz_loop_add(&loop, out);
    nz_loop_add(&loop, a);
    nz_loop_add(&loop, b);
    nz_loop_run(&loop, rows[out->dtype], NULL);
}

/** Folds all inputs into the output from the left. */
static nz_status run_fold(const nz_op_ctx *ctx, nz_loop_row *const *rows) {
    if (ctx->in_count == 1) {
        nz_op_copy(&ctx->out[0], ctx->in[0]);
        return NZ_OK;
    }
    run_pair(&ctx->out[0], ctx->in[0], ctx->in[1], rows);
    for (size_t i = 2; i < ctx->in_count; i++) run_pair(&ctx->out[0], &ctx->out[0], ctx->in[i], rows);
    return NZ_OK;
}

#define RUN(name)                                                                                                      \
    static nz_status plain_##name(const nz_op_ctx *ctx) { return run_fold(ctx, name##_rows); }                         \
    static nz_status run_##name(const nz_op_ctx *ctx) { return nz_op_run_widened(ctx, plain_##name); }
RUN(add)
RUN(sub)
RUN(mul)
RUN(div)
RUN(max)
RUN(min)

static nz_status plain_mean(const nz_op_ctx *ctx) {
    NZ_TRY(run_fold(ctx, add_rows));
    int64_t n = nz_shape_elements(&ctx->out[0].shape);
    if (ctx->out[0].dtype == NZ_F64) {
        double *out = ctx->out[0].data;
        for (int64_t i = 0; i < n; i++) out[i] /= (double)ctx->in_count;
    } else {
        float *out = ctx->out[0].data;
        for (int64_t i = 0; i < n; i++) out[i] /= (float)ctx->in_count;
    }
    return NZ_OK;
}
static nz_status run_mean(const nz_op_ctx *ctx) { return nz_op_run_widened(ctx, plain_mean); }

static nz_status plain_mod(const nz_op_ctx *ctx) {
    return run_fold(ctx, nz_attr_int(ctx->node, "fmod", 0) ? fmod_rows : mod_rows);
}
static nz_status run_mod(const nz_op_ctx *ctx) { return nz_op_run_widened(ctx, plain_mod); }

static nz_status infer_pair(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    return nz_op_infer_broadcast(ctx);
}

static nz_status infer_mod(const nz_op_ctx *ctx) {
    NZ_TRY(infer_pair(ctx));
    if (nz_dtype_get(ctx->in[0]->dtype)->is_float && !nz_attr_int(ctx->node, "fmod", 0))
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "the remainder of floating-point numbers needs fmod=1");
    return NZ_OK;
}

/* ---- Pow: the exponent has a type of its own ---- */

static nz_status infer_pow(const nz_op_ctx *ctx) {
    nz_shape shape;
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    if (!(NZ_TYPES_NUMBER & NZ_TYPE_BIT(ctx->in[1]->dtype)))
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "an exponent of type %s is not supported",
                          nz_dtype_get(ctx->in[1]->dtype)->name);
    NZ_TRY(nz_op_broadcast_inputs(ctx, &shape));
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &shape);
    return NZ_OK;
}

static void pow_float_row(char *const at[], const int64_t stride[], int64_t n, const void *argument) {
    float *out = (void *)at[0];
    const float *a = (const void *)at[1], *b = (const void *)at[2];
    (void)argument;
    if (stride[1] == 1 && stride[2] == 0 && *b == 2.0f)
        for (int64_t i = 0; i < n; i++) out[i] = a[i] * a[i];
    else
        for (int64_t i = 0; i < n; i++) out[i] = powf(a[i * stride[1]], b[i * stride[2]]);
}

static void pow_double_row(char *const at[], const int64_t stride[], int64_t n, const void *argument) {
    double *out = (void *)at[0];
    const double *a = (const void *)at[1], *b = (const void *)at[2];
    (void)argument;
    for (int64_t i = 0; i < n; i++) out[i] = pow(a[i * stride[1]], b[i * stride[2]]);
}

/** base^exponent modulo 2^64; 0 for a negative exponent unless the base is 1 or -1. */
static int64_t power_int(int64_t base, int64_t exponent) {
    uint64_t result = 1, square = (uint64_t)base;
    if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
    for (; exponent > 0; exponent /= 2, square *= square)
        if (exponent % 2) result *= square;
    return (int64_t)result;
}

static void pow_int_row(char *const at[], const int64_t stride[], int64_t n, const void *argument) {
    int64_t *out = (void *)at[0];
    const int64_t *a = (const void *)at[1], *b = (const void *)at[2];
    (void)argument;
    for (int64_t i = 0; i < n; i++) out[i] = power_int(a[i * stride[1]], b[i * stride[2]]);
}

/** A copy of `tensor` in scratch as i64 or f64. */
static nz_status copy_as(nz_arena *scratch, nz_tensor *ret_copy, const nz_tensor *tensor, nz_dtype dtype) {
    int64_t n = nz_shape_elements(&tensor->shape);
    double *memory;
    NZ_TRY(nz_arena_alloc(scratch, &memory, (size_t)n, sizeof *memory));
    nz_tensor copy = nz_tensor_borrow(dtype, &tensor->shape, memory);
    for (int64_t i = 0; i < n; i++)
        if (dtype == NZ_I64)
            nz_tensor_set_int(&copy, i, nz_tensor_int(tensor, i));
        else
            memory[i] = nz_tensor_real(tensor, i);
    *ret_copy = copy;
    return NZ_OK;
}

/** Stores 64-bit results into a narrower integer type modulo its width. */
static void store_wrapped(nz_tensor *out, const nz_tensor *wide) {
    int64_t n = nz_shape_elements(&out->shape);
    size_t size = nz_dtype_size(out->dtype);
    const int64_t *from = wide->data;
    for (int64_t i = 0; i < n; i++) {
        /* A C cast to unsigned keeps the low bits, whatever the byte order. */
        switch (size) {
        case 1: ((uint8_t *)out->data)[i] = (uint8_t)from[i]; break;
        case 2: ((uint16_t *)out->data)[i] = (uint16_t)from[i]; break;
        case 4: ((uint32_t *)out->data)[i] = (uint32_t)from[i]; break;
        default: ((uint64_t *)out->data)[i] = (uint64_t)from[i]; break;
        }
    }
}

static nz_status plain_pow(const nz_op_ctx *ctx) {
    nz_tensor base, exponent, out = ctx->out[0];
    bool integers = nz_dtype_get(ctx->in[0]->dtype)->is_integer && nz_dtype_get(ctx->in[1]->dtype)->is_integer;
    nz_loop loop;
    nz_loop_init(&loop, &out.shape);
    if (out.dtype == NZ_F32 && ctx->in[1]->dtype == NZ_F32) {
        nz_loop_add(&loop, &out);
        nz_loop_add(&loop, ctx->in[0]);
        nz_loop_add(&loop, ctx->in[1]);
        nz_loop_run(&loop, pow_float_row, NULL);
        return NZ_OK;
    }
    nz_dtype work = integers ? NZ_I64 : NZ_F64;
    NZ_TRY(copy_as(ctx->scratch, &base, ctx->in[0], work));
    NZ_TRY(copy_as(ctx->scratch, &exponent, ctx->in[1], work));
    int64_t n = nz_shape_elements(&out.shape);
    NZ_TRY(nz_arena_alloc(ctx->scratch, &out.data, (size_t)n, sizeof(double)));
    out.dtype = work;
    nz_loop_add(&loop, &out);
    nz_loop_add(&loop, &base);
    nz_loop_add(&loop, &exponent);
    nz_loop_run(&loop, integers ? pow_int_row : pow_double_row, NULL);
    if (integers)
        store_wrapped(&ctx->out[0], &out);
    else
        for (int64_t i = 0; i < n; i++) {
            double value = ((double *)out.data)[i];
            nz_tensor_set_real(&ctx->out[0], i, nz_dtype_get(ctx->out[0].dtype)->is_integer ? trunc(value) : value);
        }
    return NZ_OK;
}
static nz_status run_pow(const nz_op_ctx *ctx) { return nz_op_run_widened(ctx, plain_pow); }

/* ---- entries ---- */

#define OLD_AND_NEW NZ_VERSIONS(1, 6, 7, 13, 14)
const nz_op nz_ops_arithmetic[] = {
    {.name = "Add",
     .versions = OLD_AND_NEW,
     .canonical_since = 7,
     .types = NZ_TYPES_NUMBER,
     .lift = nz_lift_broadcast,
     .infer = infer_pair,
     .count = nz_op_count_nary,
     .run = run_add,
     .grad = nz_grad_add,
     .grad_inputs = 3,
     .params = 3},
    {.name = "Sub",
     .versions = OLD_AND_NEW,
     .canonical_since = 7,
     .types = NZ_TYPES_NUMBER,
     .lift = nz_lift_broadcast,
     .infer = infer_pair,
     .count = nz_op_count_nary,
     .run = run_sub,
     .grad = nz_grad_sub,
     .grad_inputs = 3,
     .params = 3},
    {.name = "Mul",
     .versions = OLD_AND_NEW,
     .canonical_since = 7,
     .types = NZ_TYPES_NUMBER,
     .lift = nz_lift_broadcast,
     .infer = infer_pair,
     .count = nz_op_count_nary,
     .run = run_mul,
     .grad = nz_grad_mul,
     .grad_inputs = 3,
     .grad_reads = NZ_GRAD_READS_IN,
     .params = 3},
    {.name = "Div",
     .versions = OLD_AND_NEW,
     .canonical_since = 7,
     .types = NZ_TYPES_NUMBER,
     .lift = nz_lift_broadcast,
     .infer = infer_pair,
     .count = nz_op_count_nary,
     .run = run_div,
     .grad = nz_grad_div,
     .grad_inputs = 3,
     .grad_reads = NZ_GRAD_READS_IN},
    {.name = "Mod",
     .versions = NZ_VERSIONS(10, 13),
     .canonical_since = 10,
     .types = NZ_TYPES_NUMBER,
     .attributes = NZ_ATTRIBUTES("fmod"),
     .infer = infer_mod,
     .count = nz_op_count_nary,
     .run = run_mod},
    {.name = "Pow",
     .versions = NZ_VERSIONS(1, 7, 12, 13, 15),
     .canonical_since = 12,
     .types = NZ_TYPES_NUMBER,
     .lift = nz_lift_broadcast,
     .infer = infer_pow,
     .count = nz_op_count_nary,
     .run = run_pow,
     .grad = nz_grad_pow,
     .grad_inputs = 3,
     .grad_reads = NZ_GRAD_READS_IN},
    {.name = "Max",
     .versions = NZ_VERSIONS(1, 6, 8, 12, 13),
     .canonical_since = 12,
     .types = NZ_TYPES_NUMBER,
     .lift = nz_lift_plain,
     .infer = nz_op_infer_broadcast,
     .count = nz_op_count_nary,
     .run = run_max,
     .grad = nz_grad_max,
     .grad_inputs = NZ_GRAD_ALL_INPUTS,
     .grad_reads = NZ_GRAD_READS_IN},
    {.name = "Min",
     .versions = NZ_VERSIONS(1, 6, 8, 12, 13),
     .canonical_since = 12,
     .types = NZ_TYPES_NUMBER,
     .lift = nz_lift_plain,
     .infer = nz_op_infer_broadcast,
     .count = nz_op_count_nary,
     .run = run_min,
     .grad = nz_grad_min,
     .grad_inputs = NZ_GRAD_ALL_INPUTS,
     .grad_reads = NZ_GRAD_READS_IN},
    {.name = "Sum",
     .versions = NZ_VERSIONS(1, 6, 8, 13),
     .canonical_since = 8,
     .types = NZ_TYPES_FLOAT,
     .lift = nz_lift_plain,
     .infer = nz_op_infer_broadcast,
     .count = nz_op_count_nary,
     .run = run_add,
     .grad = nz_grad_sum_of,
     .grad_inputs = NZ_GRAD_ALL_INPUTS},
    {.name = "Mean",
     .versions = NZ_VERSIONS(1, 6, 8, 13),
     .canonical_since = 8,
     .types = NZ_TYPES_FLOAT,
     .lift = nz_lift_plain,
     .infer = nz_op_infer_broadcast,
     .count = nz_op_count_nary,
     .run = run_mean,
     .grad = nz_grad_mean,
     .grad_inputs = NZ_GRAD_ALL_INPUTS},
    {0},
};
