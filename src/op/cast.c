/* SPDX-License-Identifier: Apache-2.0 */
/** Cast and CastLike: every supported type to every other, by way of f64 (from floats) or 64-bit integers. */
#include <math.h>
#include <string.h>

#include "core/threads.h"
#include "op/families.h"
#include "op/grad.h"

/* ---- a chunk of elements through f64 or i64 ---- */

enum { CHUNK = 512 }; /* even, so that no packed byte is shared between chunks */

typedef struct cast_job {
    const nz_tensor *in;
    nz_tensor *out;
    bool saturate; /**< into 8-bit floats: beyond the largest number gives the largest, not infinity or NaN */
} cast_job;

#define READ_CASE(dtype, type)                                                                                         \
    case dtype:                                                                                                        \
        for (int64_t i = 0; i < n; i++) values[i] = (NUMBER)((const type *)in->data)[at + i];                          \
        return;
#define WRITE_CASE(dtype, type)                                                                                        \
    case dtype:                                                                                                        \
        for (int64_t i = 0; i < n; i++) ((type *)out->data)[at + i] = (type)values[i];                                 \
        return;

static void read_reals(const nz_tensor *in, int64_t at, int64_t n, double *values) {
#define NUMBER double
    switch (in->dtype) {
        NZ_EACH_REAL(READ_CASE)
        READ_CASE(NZ_U64, uint64_t)
    default:
        for (int64_t i = 0; i < n; i++) values[i] = nz_tensor_real(in, at + i);
    }
#undef NUMBER
}

static void read_ints(const nz_tensor *in, int64_t at, int64_t n, int64_t *values) {
#define NUMBER int64_t
    switch (in->dtype) {
        NZ_EACH_INT(READ_CASE)
    case NZ_BOOL:
        for (int64_t i = 0; i < n; i++) values[i] = ((const uint8_t *)in->data)[at + i] != 0;
        return;
    default:
        for (int64_t i = 0; i < n; i++) values[i] = nz_tensor_int(in, at + i);
    }
#undef NUMBER
}

/** Integers of fewer bits keep the low bits, as NumPy's astype does. */
static void write_ints(nz_tensor *out, int64_t at, int64_t n, const int64_t *values) {
    switch (out->dtype) {
        NZ_EACH_INT(WRITE_CASE)
        NZ_EACH_REAL(WRITE_CASE)
    case NZ_BOOL:
        for (int64_t i = 0; i < n; i++) ((uint8_t *)out->data)[at + i] = values[i] != 0;
        return;
    default:
        for (int64_t i = 0; i < n; i++) nz_tensor_set_int(out, at + i, values[i]);
    }
}

static bool is_f8(nz_dtype dtype) { return dtype >= NZ_F8E4M3FN && dtype <= NZ_F8E5M2FNUZ; }

/* Cuts off the fraction; what lies outside the type becomes its nearest end, NaN becomes 0. */
#define WRITE_CUT(dtype, type, least, most)                                                                            \
    case dtype:                                                                                                        \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            double x = values[i] < (least) ? (least) : values[i] > (most) ? (most) : values[i];                        \
            ((type *)out->data)[at + i] = x == x ? (type)x : 0;                                                        \
        }                                                                                                              \
        return;

static void write_reals(const cast_job *job, int64_t at, int64_t n, const double *values) {
    nz_tensor *out = job->out;
    if (is_f8(out->dtype)) {
        for (int64_t i = 0; i < n; i++)
            ((uint8_t *)out->data)[at + i] = nz_f32_to_f8(out->dtype, (float)values[i], job->saturate);
        return;
    }
    switch (out->dtype) {
        NZ_EACH_REAL(WRITE_CASE)
        WRITE_CUT(NZ_I8, int8_t, INT8_MIN, INT8_MAX)
        WRITE_CUT(NZ_U8, uint8_t, 0, UINT8_MAX)
        WRITE_CUT(NZ_I16, int16_t, INT16_MIN, INT16_MAX)
        WRITE_CUT(NZ_U16, uint16_t, 0, UINT16_MAX)
        WRITE_CUT(NZ_I32, int32_t, INT32_MIN, INT32_MAX)
        WRITE_CUT(NZ_U32, uint32_t, 0, UINT32_MAX)
    case NZ_BOOL:
        for (int64_t i = 0; i < n; i++) ((uint8_t *)out->data)[at + i] = values[i] != 0;
        return;
    default: break;
    }
    /* 4-bit integers round to nearest, 64-bit ones cut off like the others. */
    bool cuts = nz_dtype_get(out->dtype)->is_integer && nz_dtype_get(out->dtype)->bits >= 8;
    for (int64_t i = 0; i < n; i++) nz_tensor_set_real(out, at + i, cuts ? trunc(values[i]) : values[i]);
}

static bool fits_f32(nz_dtype dtype) { return dtype == NZ_F32 || dtype == NZ_F16 || dtype == NZ_BF16; }

/** Between f32, f16 and bf16 every value passes through f32 unchanged. */
static void cast_short(const cast_job *job, int64_t at, int64_t n) {
    float values[CHUNK];
    nz_shape shape = {.rank = 1, .dim = {n}};
    nz_tensor from =
        nz_tensor_borrow(job->in->dtype, &shape, (char *)job->in->data + at * (int64_t)nz_dtype_size(job->in->dtype));
    nz_tensor to = nz_tensor_borrow(job->out->dtype, &shape,
                                    (char *)job->out->data + at * (int64_t)nz_dtype_size(job->out->dtype));
    nz_tensor_to_f32(&from, values);
    nz_narrow_f32(&to, values, n);
}

static void cast_chunks(void *argument, size_t begin, size_t end) {
    const cast_job *job = argument;
    int64_t total = nz_shape_elements(&job->out->shape);
    bool reals =
        nz_dtype_get(job->in->dtype)->is_float || (job->in->dtype == NZ_U64 && nz_dtype_get(job->out->dtype)->is_float);
    for (size_t chunk = begin; chunk < end; chunk++) {
        int64_t at = (int64_t)chunk * CHUNK, n = total - at < CHUNK ? total - at : CHUNK;
        if (fits_f32(job->in->dtype) && fits_f32(job->out->dtype)) {
            cast_short(job, at, n);
        } else if (reals) {
            double values[CHUNK];
            read_reals(job->in, at, n, values);
            write_reals(job, at, n, values);
        } else {
            int64_t values[CHUNK];
            read_ints(job->in, at, n, values);
            write_ints(job->out, at, n, values);
        }
    }
}

static nz_status run_cast(const nz_op_ctx *ctx) {
    cast_job job = {ctx->in[0], &ctx->out[0], nz_attr_int(ctx->node, "saturate", 1) != 0};
    int64_t n = nz_shape_elements(&ctx->out[0].shape);
    if (job.in->dtype == job.out->dtype)
        nz_op_copy(job.out, job.in);
    else
        nz_parallel((size_t)((n + CHUNK - 1) / CHUNK), 32, cast_chunks, &job);
    return NZ_OK;
}

/** Between floats as it is; through integers and bools nothing flows. */
static nz_status grad_cast(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    if (nz_dtype_get(ctx->in[0]->dtype)->is_float && nz_dtype_get(grad->out[0]->dtype)->is_float)
        return nz_grad_copy(ctx, grad);
    memset(nz_grad_to(ctx, grad, 0), 0, (size_t)nz_shape_elements(&ctx->in[0]->shape) * sizeof(float));
    return NZ_OK;
}

/* ---- inferring, lifting ---- */

#define TYPES (NZ_TYPES_BYTES | NZ_TYPE_BIT(NZ_U4) | NZ_TYPE_BIT(NZ_I4))

static nz_status infer_to(const nz_op_ctx *ctx, int64_t to) {
    if (to <= 0 || to >= NZ_DTYPE_END || !(TYPES & NZ_TYPE_BIT(to)))
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "a cast to type %s (%lld) is not supported",
                          to > 0 && to < NZ_DTYPE_END ? nz_dtype_get((nz_dtype)to)->name : "unknown", (long long)to);
    nz_op_set_out(ctx, 0, (nz_dtype)to, &ctx->in[0]->shape);
    return NZ_OK;
}

static nz_status infer_cast(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 1, 1, 1));
    return infer_to(ctx, nz_attr_int(ctx->node, "to", 0));
}

static nz_status infer_cast_like(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    return infer_to(ctx, (int64_t)ctx->in[1]->dtype);
}

/** Before opset 6 the type is a name. */
static nz_status lift_cast(nz_graph *graph, int node) {
    static const struct {
        const char *name;
        nz_dtype dtype;
    } names[] = {{"FLOAT", NZ_F32},   {"UINT8", NZ_U8},   {"INT8", NZ_I8},    {"UINT16", NZ_U16},
                 {"INT16", NZ_I16},   {"INT32", NZ_I32},  {"INT64", NZ_I64},  {"BOOL", NZ_BOOL},
                 {"FLOAT16", NZ_F16}, {"DOUBLE", NZ_F64}, {"UINT32", NZ_U32}, {"UINT64", NZ_U64}};
    nz_node *n = &graph->nodes[node];
    if (n->opset >= 6) return NZ_OK;
    const char *to = nz_attr_string(n, "to", "");
    for (size_t i = 0; i < NZ_COUNT(names); i++) {
        if (strcmp(to, names[i].name) != 0) continue;
        nz_node_remove_attr(n, "to");
        return nz_node_set_int(n, "to", (int64_t)names[i].dtype);
    }
    return nz_node_fail(n, NZ_E_UNSUPPORTED, "a cast to type '%s' is not supported", to);
}

static int since_type(nz_dtype dtype) {
    if (dtype == NZ_U4 || dtype == NZ_I4) return 21;
    return is_f8(dtype) ? 19 : 13;
}

static int since_cast(const nz_graph *graph, const nz_node *node) {
    if (nz_attr_get(node, "saturate")) return 19;
    int to = since_type((nz_dtype)nz_attr_int(node, "to", 0));
    int from = node->inputs[0] != NZ_NO_VALUE ? since_type(graph->values[node->inputs[0]].dtype) : 13;
    return to > from ? to : from;
}

const nz_op nz_ops_cast[] = {
    {.name = "Cast",
     .versions = NZ_VERSIONS(1, 6, 9, 13, 19, 21, 23, 24),
     .canonical_since = 6,
     .attributes = NZ_ATTRIBUTES("to", "saturate"),
     .types = TYPES,
     .lift = lift_cast,
     .infer = infer_cast,
     .run = run_cast,
     .since = since_cast,
     .grad = grad_cast,
     .grad_inputs = 1},
    {.name = "CastLike",
     .versions = NZ_VERSIONS(15, 19, 21, 23, 24),
     .canonical_since = 15,
     .attributes = NZ_ATTRIBUTES("saturate"),
     .types = TYPES,
     .infer = infer_cast_like,
     .run = run_cast,
     .grad = grad_cast,
     .grad_inputs = 1},
    {0},
};
