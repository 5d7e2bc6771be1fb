/* SPDX-License-Identifier: Apache-2.0 */
/** Tensors that come from numbers: Constant, ConstantOfShape, Range, EyeLike, OneHot. */
#include <math.h>
#include <string.h>

#include "op/families.h"
#include "op/helper.h"

/** ONNX keeps element types in attributes by number. 0 where the attribute is absent. */
static nz_dtype dtype_attr(const nz_op_ctx *ctx, const char *name) {
    int64_t number = nz_attr_int(ctx->node, name, NZ_DTYPE_NONE);
    return number > 0 && number < NZ_DTYPE_END ? (nz_dtype)number : NZ_DTYPE_NONE;
}

/* ---- Constant ---- */

/** The one attribute that holds the value, NULL where there is none of the right kind. */
static const nz_attr *constant_value(const nz_node *node) {
    static const struct {
        const char *name;
        nz_attr_kind kind;
    } forms[] = {{"value", NZ_ATTR_TENSOR},
                 {"value_float", NZ_ATTR_FLOAT},
                 {"value_int", NZ_ATTR_INT},
                 {"value_floats", NZ_ATTR_FLOATS},
                 {"value_ints", NZ_ATTR_INTS}};
    for (size_t i = 0; i < NZ_COUNT(forms); i++) {
        const nz_attr *attr = nz_attr_get(node, forms[i].name);
        if (attr && attr->kind == forms[i].kind) return attr;
    }
    return NULL;
}

static nz_status infer_constant(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 0, 0, 1));
    const nz_attr *value = constant_value(ctx->node);
    if (!value) return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "the constant's value is neither a tensor nor numbers");
    if (value->kind == NZ_ATTR_TENSOR) {
        nz_op_set_out(ctx, 0, value->u.tensor->dtype, &value->u.tensor->shape);
        return NZ_OK;
    }
    bool list = value->kind == NZ_ATTR_FLOATS || value->kind == NZ_ATTR_INTS;
    bool real = value->kind == NZ_ATTR_FLOATS || value->kind == NZ_ATTR_FLOAT;
    nz_op_set_out(ctx, 0, real ? NZ_F32 : NZ_I64, &(nz_shape){.rank = list, .dim = {(int64_t)value->count}});
    return NZ_OK;
}

static nz_status run_constant(const nz_op_ctx *ctx) {
    const nz_attr *value = constant_value(ctx->node);
    if (value->kind == NZ_ATTR_TENSOR)
        nz_op_copy(&ctx->out[0], value->u.tensor);
    else if (value->kind == NZ_ATTR_FLOAT || value->kind == NZ_ATTR_FLOATS)
        memcpy(ctx->out[0].data, value->u.floats, value->count * sizeof *value->u.floats);
    else
        memcpy(ctx->out[0].data, value->u.ints, value->count * sizeof *value->u.ints);
    return NZ_OK;
}

/* ---- ConstantOfShape ---- */

static nz_status infer_constant_of_shape(const nz_op_ctx *ctx) {
    int64_t extents[NZ_MAX_RANK];
    size_t count = 0;
    NZ_TRY(nz_op_check(ctx, 1, 1, 1));
    NZ_TRY(nz_op_ints(ctx, 0, extents, NZ_MAX_RANK, &count));
    const nz_attr *value = nz_attr_get(ctx->node, "value");
    nz_shape out = {.rank = (int)count};
    for (size_t d = 0; d < count; d++) {
        if (extents[d] < 0) return nz_op_fail(ctx, NZ_E_SHAPE, "extent %lld is negative", (long long)extents[d]);
        out.dim[d] = extents[d];
    }
    if (nz_shape_elements(&out) < 0) return nz_op_fail(ctx, NZ_E_SHAPE, "the output is too large");
    if (value && (value->kind != NZ_ATTR_TENSOR || nz_shape_elements(&value->u.tensor->shape) != 1 ||
                  !(NZ_TYPES_BYTES & NZ_TYPE_BIT(value->u.tensor->dtype))))
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "value must be a tensor of one number");
    nz_op_set_out(ctx, 0, value ? value->u.tensor->dtype : NZ_F32, &out);
    return NZ_OK;
}

static nz_status run_constant_of_shape(const nz_op_ctx *ctx) {
    const nz_attr *value = nz_attr_get(ctx->node, "value");
    const float zero = 0;
    const int64_t repeat[NZ_MAX_RANK] = {0};
    int64_t strides[NZ_MAX_RANK];
    nz_loop loop;
    nz_loop_init(&loop, &ctx->out[0].shape);
    nz_shape_strides(&ctx->out[0].shape, strides);
    size_t size = nz_dtype_size(ctx->out[0].dtype);
    nz_loop_add_strided(&loop, ctx->out[0].data, size, strides);
    nz_loop_add_strided(&loop, value ? value->u.tensor->data : &zero, size, repeat);
    nz_loop_copy(&loop);
    return NZ_OK;
}

/* ---- Range ---- */

static nz_status infer_range(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 3, 3, 1));
    for (size_t i = 0; i < 3; i++) {
        NZ_TRY(nz_op_same_type(ctx, 0, i));
        if (nz_shape_elements(&ctx->in[i]->shape) != 1)
            return nz_op_fail(ctx, NZ_E_SHAPE, "start, limit and delta must be single numbers");
    }
    double start = nz_tensor_real(ctx->in[0], 0), limit = nz_tensor_real(ctx->in[1], 0),
           delta = nz_tensor_real(ctx->in[2], 0);
    double count = ceil((limit - start) / delta);
    if (delta == 0 || !(count < 1e15))
        return nz_op_fail(ctx, NZ_E_SHAPE, "a range from %g to %g by %g has no end", start, limit, delta);
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &(nz_shape){.rank = 1, .dim = {count > 0 ? (int64_t)count : 0}});
    return NZ_OK;
}

static nz_status run_range(const nz_op_ctx *ctx) {
    int64_t n = ctx->out[0].shape.dim[0];
    bool real = nz_dtype_get(ctx->out[0].dtype)->is_float;
    double start = nz_tensor_real(ctx->in[0], 0), delta = nz_tensor_real(ctx->in[2], 0);
    uint64_t first = (uint64_t)nz_tensor_int(ctx->in[0], 0), step = (uint64_t)nz_tensor_int(ctx->in[2], 0);
    for (int64_t i = 0; i < n; i++)
        if (real)
            nz_tensor_set_real(&ctx->out[0], i, start + (double)i * delta);
        else
            nz_tensor_set_int(&ctx->out[0], i, (int64_t)(first + (uint64_t)i * step));
    return NZ_OK;
}

/* ---- EyeLike ---- */

static nz_status infer_eye(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 1, 1, 1));
    nz_dtype dtype = nz_attr_get(ctx->node, "dtype") ? dtype_attr(ctx, "dtype") : ctx->in[0]->dtype;
    if (!((NZ_TYPES_NUMBER | NZ_TYPE_BIT(NZ_BOOL)) & NZ_TYPE_BIT(dtype)))
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "dtype %s is not supported", nz_dtype_get(dtype)->name);
    if (ctx->in[0]->shape.rank != 2)
        return nz_op_fail(ctx, NZ_E_SHAPE, "needs a matrix, not rank %d", ctx->in[0]->shape.rank);
    nz_op_set_out(ctx, 0, dtype, &ctx->in[0]->shape);
    return NZ_OK;
}

static nz_status run_eye(const nz_op_ctx *ctx) {
    int64_t rows = ctx->out[0].shape.dim[0], columns = ctx->out[0].shape.dim[1], k = nz_attr_int(ctx->node, "k", 0);
    memset(ctx->out[0].data, 0, (size_t)(rows * columns) * nz_dtype_size(ctx->out[0].dtype));
    for (int64_t row = 0; row < rows; row++)
        if (k >= -row && k < columns - row) nz_tensor_set_int(&ctx->out[0], row * columns + row + k, 1);
    return NZ_OK;
}

/* ---- OneHot ---- */

static nz_status infer_one_hot(const nz_op_ctx *ctx) {
    int64_t depth = 0;
    int axis = 0;
    NZ_TRY(nz_op_check(ctx, 3, 3, 1));
    NZ_TRY(nz_op_int(ctx, 1, 0, &depth));
    const nz_shape *in = &ctx->in[0]->shape;
    if (in->rank >= NZ_MAX_RANK)
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "rank %d is above the supported %d", in->rank + 1, NZ_MAX_RANK);
    if (depth < 0 || nz_shape_elements(&ctx->in[2]->shape) != 2 || !(NZ_TYPES_BYTES & NZ_TYPE_BIT(ctx->in[2]->dtype)))
        return nz_op_fail(ctx, NZ_E_SHAPE, "needs a depth of at least 0 and two values");
    NZ_TRY(nz_op_axis(ctx, &axis, nz_attr_int(ctx->node, "axis", -1), in->rank + 1));
    nz_shape out = {.rank = in->rank + 1};
    for (int d = 0, from = 0; d < out.rank; d++) out.dim[d] = d == axis ? depth : in->dim[from++];
    nz_op_set_out(ctx, 0, ctx->in[2]->dtype, &out);
    return NZ_OK;
}

static nz_status run_one_hot(const nz_op_ctx *ctx) {
    const nz_tensor *indices = ctx->in[0];
    int64_t rank = indices->shape.rank, axis = nz_attr_int(ctx->node, "axis", -1);
    if (axis < 0) axis += rank + 1;
    int64_t outer = nz_shape_span(&indices->shape, 0, (int)axis),
            inner = nz_shape_span(&indices->shape, (int)axis, (int)rank);
    int64_t depth = ctx->out[0].shape.dim[axis];
    size_t size = nz_dtype_size(ctx->out[0].dtype);
    const char *off = ctx->in[2]->data, *on = off + size;
    char *to = ctx->out[0].data;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t k = 0; k < depth; k++)
            for (int64_t i = 0; i < inner; i++, to += size) {
                /* An index outside the depth gives a row of the off value, as the specification has it. */
                double index = nz_tensor_real(indices, o * inner + i);
                if (index < 0) index += (double)depth;
                memcpy(to, trunc(index) == (double)k ? on : off, size);
            }
    return NZ_OK;
}

/* ---- entries ---- */

const nz_op nz_ops_create[] = {
    {.name = "Constant",
     .versions = NZ_VERSIONS(1, 9, 11, 12, 13, 19, 21, 23, 24),
     .canonical_since = 12,
     .attributes = NZ_ATTRIBUTES("value", "value_float", "value_int", "value_floats", "value_ints"),
     .infer = infer_constant,
     .run = run_constant},
    {.name = "ConstantOfShape",
     .versions = NZ_VERSIONS(9, 20, 21, 23, 24),
     .canonical_since = 9,
     .plan_inputs = 1,
     .attributes = NZ_ATTRIBUTES("value"),
     .types = NZ_TYPE_BIT(NZ_I64),
     .infer = infer_constant_of_shape,
     .run = run_constant_of_shape},
    {.name = "EyeLike",
     .versions = NZ_VERSIONS(9, 22),
     .canonical_since = 9,
     .flags = NZ_OP_READS_SHAPE,
     .attributes = NZ_ATTRIBUTES("dtype", "k"),
     .infer = infer_eye,
     .run = run_eye},
    {.name = "OneHot",
     .versions = NZ_VERSIONS(9, 11),
     .canonical_since = 11,
     .plan_inputs = 2,
     .attributes = NZ_ATTRIBUTES("axis"),
     .types = NZ_TYPES_NUMBER,
     .infer = infer_one_hot,
     .run = run_one_hot},
    {.name = "Range",
     .versions = NZ_VERSIONS(11),
     .canonical_since = 11,
     .plan_inputs = 7,
     .types = NZ_TYPES_NUMBER,
     .infer = infer_range,
     .run = run_range},
    {0},
};
