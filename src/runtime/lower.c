/* SPDX-License-Identifier: Apache-2.0 */
/* Groups become steps: layouts are settled, kernels made, residuals added in place where nobody needs them any more. */
#include "runtime/planner.h"

#include <stdio.h>
#include <string.h>

#include "core/error.h"

static const nz_value *value_of(const nz_planner *planner, int value) { return &planner->graph->values[value]; }

static const nz_node *root_of(const nz_planner *planner, const nz_group *group) {
    return &planner->graph->nodes[group->root];
}

/* The group cannot be made as it is: what to leave out when planning starts again, the least first. */
static nz_status refuse(nz_planner *planner, const nz_group *group, bool bf16) {
    unsigned known = planner->refused[group->root];
    planner->again = group->root;
    if (bf16 && !(known & NZ_REFUSE_BF16))
        planner->again_refusal = NZ_REFUSE_BF16;
    else if (group->residual >= 0)
        planner->again_refusal = NZ_REFUSE_RESIDUAL;
    else if (group->post_count && group->kind != NZ_GROUP_ACT && !(known & NZ_REFUSE_POSTS))
        planner->again_refusal = NZ_REFUSE_POSTS;
    else if (group->int8 && !(known & NZ_REFUSE_INT8))
        planner->again_refusal = NZ_REFUSE_INT8;
    else
        planner->again_refusal = NZ_REFUSE_KERNEL;
    return NZ_OK;
}

/* Tells the layer what it is, after its step was appended. */
static nz_status label(nz_planner *planner, const nz_group *group, nz_dtype dtype) {
    nz_step *step = &planner->plan->steps[planner->plan->step_count - 1];
    step->compute = group->int8 ? "int8" : dtype == NZ_BF16 ? "bf16" : "f32";
    if (!group->fused.length) return NZ_OK;
    free(step->fused);
    step->fused = NULL;
    return nz_strdup(&step->fused, group->fused.data);
}

/* -- where a result goes ------------------------------------------------------------------------------------------------ */

/* The part of a concatenation's buffer that the value may be written into directly. */
static nz_status slot_view(nz_planner *planner, nz_view *ret_view, int value, nz_dtype dtype, bool *ret_found) {
    *ret_found = false;
    int concat = planner->slot_of[value];
    if (concat < 0) return NZ_OK;
    const nz_group *group = &planner->groups[concat];
    const nz_node *node = root_of(planner, group);
    const nz_shape *shape = &value_of(planner, group->out)->shape;
    int axis = (int)nz_attr_int(node, "axis", 0);
    if (axis < 0) axis += shape->rank;
    nz_view *whole = &planner->views[group->out];
    if (whole->buffer < 0) {
        nz_mem mem = nz_mem_channels_last(dtype, shape);
        NZ_TRY(nz_view_new(planner, whole, &mem));
    }
    if (whole->mem.dtype != dtype) return NZ_OK;
    nz_view view = *whole;
    for (size_t i = 0; i < node->input_count; i++) {
        int64_t extent = value_of(planner, node->inputs[i])->shape.dim[axis];
        if (node->inputs[i] == value) {
            view.mem.dim[axis] = extent;
            *ret_view = view;
            *ret_found = true;
            return NZ_OK;
        }
        view.offset += (size_t)(extent * view.mem.stride[axis]) * (size_t)nz_dtype_get(dtype)->bits / 8;
    }
    return NZ_OK;
}

/* In place: nobody reads the residual after this group, its bytes are the plan's own, and the source does not lie there. */
static bool may_overwrite(const nz_planner *planner, const nz_group *group, const nz_view *residual, const nz_view *src,
                          size_t position) {
    int class = planner->class_of[group->src1];
    const nz_plan_buffer *buffer = &planner->plan->buffers[residual->buffer];
    return planner->last_use[class] == position && buffer->place == NZ_PLACE_BLOCK && residual->buffer != src->buffer &&
           residual->offset == 0 && nz_mem_dense(&residual->mem) && nz_mem_bytes(&residual->mem) == buffer->bytes;
}

static void set_post(nz_kernel_desc *desc, const nz_group *group, nz_post_kind kind, nz_dtype dtype) {
    nz_post *post = &desc->posts[group->residual];
    post->kind = kind;
    post->dtype = dtype;
    if (kind == NZ_POST_ADD) post->scale = 1;
}

/* -- convolutions ------------------------------------------------------------------------------------------------------- */

static nz_status conv_desc(nz_planner *planner, const nz_group *group, nz_kernel_desc *desc) {
    nz_op_ctx ctx;
    NZ_TRY(nz_planner_context(planner, group->root, &ctx));
    *desc = (nz_kernel_desc){.op = group->op,
                             .src_quant = group->src_quant,
                             .src1_quant = group->src1_quant,
                             .dst_quant = group->dst_quant,
                             .weights = group->weights.data ? &group->weights : NULL,
                             .weight_scales = group->weight_scales,
                             .weight_scale_count = group->weight_scale_count,
                             .bias = group->bias,
                             .post_count = group->post_count,
                             .groups = nz_attr_int(ctx.node, "group", 1)};
    memcpy(desc->posts, group->posts, sizeof desc->posts);
    return NZ_OK;
}

/* Tries kernels in order: into the slot of a concatenation with the residual in place or read beside; then into memory of
 * its own. `views` gets what the step is bound to. */
typedef struct attempt {
    nz_kernel_desc *desc;
    nz_view src, residual, dst;
    bool has_residual, reads_src1;
} attempt;

static nz_status try_kernel(nz_planner *planner, nz_kernel **ret_kernel, attempt *a, const nz_view *dst) {
    a->desc->dst = dst->mem;
    a->dst = *dst;
    a->desc->algorithm = NZ_ALGORITHM_AUTO;
    if (planner->tune && a->desc->src.dtype == NZ_F32) NZ_TRY(nz_tune(&planner->tuner, a->desc, &a->desc->algorithm));
    return nz_kernel_new(ret_kernel, a->desc);
}

static nz_status make_conv_kernel(nz_planner *planner, const nz_group *group, attempt *a, nz_dtype out_type,
                                  size_t position, nz_kernel **ret_kernel) {
    nz_mem mem = nz_mem_channels_last(out_type, &value_of(planner, group->out)->shape);
    nz_view dst;
    bool slotted = false;
    nz_status status = NZ_E_UNSUPPORTED;
    if (!a->has_residual) {
        NZ_TRY(slot_view(planner, &dst, group->out, out_type, &slotted));
        if (slotted) status = try_kernel(planner, ret_kernel, a, &dst);
        if (status != NZ_E_UNSUPPORTED) return status;
        NZ_TRY(nz_view_new(planner, &dst, &mem));
        return try_kernel(planner, ret_kernel, a, &dst);
    }
    bool same_bytes = nz_dtype_get(a->residual.mem.dtype)->bits == nz_dtype_get(out_type)->bits;
    if (same_bytes && may_overwrite(planner, group, &a->residual, &a->src, position)) {
        set_post(a->desc, group, NZ_POST_SUM, a->residual.mem.dtype);
        dst = a->residual;
        dst.mem.dtype = out_type;
        return try_kernel(planner, ret_kernel, a, &dst);
    }
    NZ_TRY(nz_view_new(planner, &dst, &mem));
    if (!group->int8) { /* read beside, without a copy, where the kernel is as good */
        set_post(a->desc, group, NZ_POST_ADD, a->residual.mem.dtype);
        a->desc->src1 = a->residual.mem;
        a->reads_src1 = true;
        status = try_kernel(planner, ret_kernel, a, &dst);
        if (status != NZ_E_UNSUPPORTED) return status;
        a->reads_src1 = false;
    }
    if (!same_bytes) return NZ_E_UNSUPPORTED;
    set_post(a->desc, group, NZ_POST_SUM, a->residual.mem.dtype);
    status = try_kernel(planner, ret_kernel, a, &dst);
    if (status != NZ_OK) return status;
    nz_view as_residual = dst;
    as_residual.mem.dtype = a->residual.mem.dtype;
    status =
        nz_planner_add_convert(planner, &a->residual, &as_residual, NULL, NULL, root_of(planner, group)->name, "Copy");
    if (status != NZ_OK) nz_kernel_free(*ret_kernel);
    return status;
}

static nz_dtype float_type(const nz_planner *planner, const nz_group *group) {
    return planner->refused[group->root] & NZ_REFUSE_BF16 ? NZ_F32 : planner->float_type;
}

static nz_status lower_conv(nz_planner *planner, const nz_group *group, size_t position) {
    nz_kernel_desc desc;
    nz_ref_conv geometry;
    nz_op_ctx ctx;
    nz_kernel *kernel = NULL;
    attempt a = {.desc = &desc, .has_residual = group->residual >= 0};
    nz_dtype type = group->int8 ? value_of(planner, group->src)->dtype : float_type(planner, group);
    nz_dtype out_type = group->int8 ? value_of(planner, group->out)->dtype : type;
    NZ_TRY(nz_planner_context(planner, group->root, &ctx));
    NZ_TRY(
        nz_op_read_conv(&geometry, &ctx, 1, 2, group->op == NZ_KERNEL_DECONV ? NZ_WINDOW_TRANSPOSED : NZ_WINDOW_CONV));
    NZ_TRY(conv_desc(planner, group, &desc));
    desc.window = geometry.window;
    NZ_TRY(nz_view_need(planner, &a.src, group->src, NZ_FORM_LAST, type));
    if (a.has_residual)
        NZ_TRY(nz_view_need(planner, &a.residual, group->src1, NZ_FORM_LAST,
                            group->int8 ? value_of(planner, group->src1)->dtype : type));
    desc.src = a.src.mem;
    nz_status status = make_conv_kernel(planner, group, &a, out_type, position, &kernel);
    if (status == NZ_E_UNSUPPORTED) return refuse(planner, group, type == NZ_BF16);
    NZ_TRY(status);
    planner->views[group->out] = a.dst;
    const nz_node *node = root_of(planner, group);
    NZ_TRY(nz_planner_add_kernel(planner, kernel, &a.src, a.reads_src1 ? &a.residual : NULL, &a.dst, node->name,
                                 node->op_type));
    return label(planner, group, type);
}

/* -- matrices ------------------------------------------------------------------------------------------------------------ */

static nz_mem as_matrix(const nz_mem *mem) {
    int64_t columns = mem->dim[mem->rank - 1];
    return (nz_mem){.dtype = mem->dtype,
                    .rank = 2,
                    .dim = {columns ? nz_mem_elements(mem) / columns : 0, columns},
                    .stride = {columns, 1}};
}

static nz_status lower_linear(nz_planner *planner, const nz_group *group) {
    nz_kernel_desc desc;
    nz_kernel *kernel = NULL;
    nz_view src, dst;
    const nz_node *node = root_of(planner, group);
    nz_dtype type = group->int8 ? value_of(planner, group->src)->dtype : float_type(planner, group);
    nz_mem mem =
        nz_mem_plain(group->int8 ? value_of(planner, group->out)->dtype : type, &value_of(planner, group->out)->shape);
    NZ_TRY(conv_desc(planner, group, &desc));
    NZ_TRY(nz_view_need(planner, &src, group->src, NZ_FORM_PLAIN, type));
    NZ_TRY(nz_view_new(planner, &dst, &mem));
    desc.src = as_matrix(&src.mem);
    desc.dst = as_matrix(&mem);
    desc.weights_transposed = strcmp(node->op_type, "Gemm") == 0 && nz_attr_int(node, "transB", 0);
    nz_status status = nz_kernel_new(&kernel, &desc);
    if (status == NZ_E_UNSUPPORTED) return refuse(planner, group, type == NZ_BF16);
    NZ_TRY(status);
    planner->views[group->out] = dst;
    NZ_TRY(nz_planner_add_kernel(planner, kernel, &src, NULL, &dst, node->name, node->op_type));
    return label(planner, group, type);
}

static bool matrix_strides(const nz_mem *mem) {
    int r = mem->rank;
    return nz_mem_dense(mem) && (mem->stride[r - 1] == 1 || mem->stride[r - 2] == 1);
}

static nz_status lower_matmul(nz_planner *planner, const nz_group *group) {
    nz_view src = planner->views[group->src], src1 = planner->views[group->src1], dst;
    const nz_node *node = root_of(planner, group);
    nz_mem mem = nz_mem_plain(NZ_F32, &value_of(planner, group->out)->shape);
    nz_kernel *kernel = NULL;
    if (src.buffer < 0 || src.mem.dtype != NZ_F32 || !matrix_strides(&src.mem))
        NZ_TRY(nz_view_need(planner, &src, group->src, NZ_FORM_PLAIN, NZ_F32));
    if (src1.buffer < 0 || src1.mem.dtype != NZ_F32 || !matrix_strides(&src1.mem))
        NZ_TRY(nz_view_need(planner, &src1, group->src1, NZ_FORM_PLAIN, NZ_F32));
    NZ_TRY(nz_view_new(planner, &dst, &mem));
    nz_kernel_desc desc = {.op = NZ_KERNEL_MATMUL,
                           .src = src.mem,
                           .src1 = src1.mem,
                           .dst = mem,
                           .src_quant = {1, 0},
                           .src1_quant = {1, 0},
                           .dst_quant = {1, 0}};
    nz_status status = nz_kernel_new(&kernel, &desc);
    if (status == NZ_E_UNSUPPORTED) return refuse(planner, group, false);
    NZ_TRY(status);
    planner->views[group->out] = dst;
    NZ_TRY(nz_planner_add_kernel(planner, kernel, &src, &src1, &dst, node->name, node->op_type));
    return label(planner, group, NZ_F32);
}

/* -- pooling --------------------------------------------------------------------------------------------------------------- */

/* The window of a pooling node; of a global one, the whole plane. */
static nz_status pool_window(nz_planner *planner, const nz_group *group, nz_window *ret_window) {
    const nz_node *node = root_of(planner, group);
    nz_op_ctx ctx;
    const nz_shape *x = &value_of(planner, node->inputs[0])->shape;
    NZ_TRY(nz_planner_context(planner, group->root, &ctx));
    if (nz_attr_get(node, "kernel_shape")) return nz_window_read(ret_window, &ctx, x, NULL, NZ_WINDOW_POOL);
    nz_window w = {.rank = x->rank - 2};
    if (w.rank > 3) return NZ_E_UNSUPPORTED;
    for (int i = 0; i < 3; i++) w.in[i] = w.out[i] = w.kernel[i] = w.stride[i] = w.dilation[i] = 1;
    for (int i = 0; i < w.rank; i++) w.in[3 - w.rank + i] = w.kernel[3 - w.rank + i] = x->dim[2 + i];
    *ret_window = w;
    return NZ_OK;
}

/* A window that reaches past the declared padding (ceil mode) would change the divisor. */
static bool reaches_past(const nz_window *w) {
    for (int i = 0; i < 3; i++)
        if ((w->out[i] - 1) * w->stride[i] + (w->kernel[i] - 1) * w->dilation[i] + 1 - w->in[i] - w->begin[i] >
            w->end[i])
            return true;
    return false;
}

static nz_status lower_pool(nz_planner *planner, const nz_group *group) {
    const nz_node *node = root_of(planner, group);
    const nz_value *out = value_of(planner, group->out);
    nz_view src, dst;
    nz_kernel *kernel = NULL;
    nz_dtype type = value_of(planner, group->src)->dtype;
    if (type == NZ_F32) type = float_type(planner, group);
    nz_kernel_desc desc = {.op = group->op, .src_quant = group->src_quant, .dst_quant = group->dst_quant};
    NZ_TRY(pool_window(planner, group, &desc.window));
    nz_shape shape = {
        .rank = 2 + desc.window.rank,
        .dim = {value_of(planner, group->src)->shape.dim[0], value_of(planner, group->src)->shape.dim[1]}};
    for (int i = 0; i < desc.window.rank; i++) shape.dim[2 + i] = desc.window.out[3 - desc.window.rank + i];
    nz_dtype out_type = out->dtype == NZ_F32 ? type : out->dtype;
    nz_mem mem = nz_mem_channels_last(out_type, &shape), last = nz_mem_channels_last(out_type, &out->shape);
    if (desc.op == NZ_KERNEL_AVG_POOL_PAD && reaches_past(&desc.window)) return refuse(planner, group, false);
    NZ_TRY(nz_view_need(planner, &src, group->src, NZ_FORM_LAST, type));
    desc.src = src.mem;
    bool slotted = false;
    nz_status status = NZ_E_UNSUPPORTED;
    NZ_TRY(slot_view(planner, &dst, group->out, out_type, &slotted));
    if (slotted) {
        desc.dst = dst.mem;
        status = nz_kernel_new(&kernel, &desc);
    }
    if (status == NZ_E_UNSUPPORTED) {
        NZ_TRY(nz_view_new(planner, &dst, &mem));
        desc.dst = mem;
        status = nz_kernel_new(&kernel, &desc);
        dst.mem = last; /* a reduction that drops the axes has the same bytes */
    }
    if (status == NZ_E_UNSUPPORTED) return refuse(planner, group, type == NZ_BF16);
    NZ_TRY(status);
    planner->views[group->out] = dst;
    NZ_TRY(nz_planner_add_kernel(planner, kernel, &src, NULL, &dst, node->name, node->op_type));
    return label(planner, group, type);
}

/* -- element by element ------------------------------------------------------------------------------------------------------ */

/* The value as it lies, if its elements fill an interval, else channels last or row-major as it is nearest to. */
static nz_status need_dense(nz_planner *planner, nz_view *ret_view, int value, nz_dtype dtype) {
    const nz_view *made = &planner->views[value];
    if (made->buffer < 0) return nz_view_need(planner, ret_view, value, NZ_FORM_PLAIN, dtype);
    return nz_view_need(planner, ret_view, value, nz_view_form(made), dtype);
}

static nz_status lower_act(nz_planner *planner, const nz_group *group) {
    const nz_node *node = root_of(planner, group);
    nz_dtype type = value_of(planner, group->src)->dtype;
    if (type == NZ_F32 && group->kind != NZ_GROUP_SOFTMAX) type = float_type(planner, group);
    nz_view src, dst;
    nz_kernel *kernel = NULL;
    NZ_TRY(need_dense(planner, &src, group->src, type));
    nz_mem mem = src.mem;
    if (group->kind == NZ_GROUP_TABLE) mem.dtype = value_of(planner, group->out)->dtype;
    NZ_TRY(nz_view_new(planner, &dst, &mem));
    nz_kernel_desc desc = {.op = group->op,
                           .src = src.mem,
                           .dst = mem,
                           .src_quant = {1, 0},
                           .dst_quant = {1, 0},
                           .post_count = group->post_count,
                           .table = group->table,
                           .axis = (int)nz_attr_int(node, "axis", -1)};
    if (desc.axis < 0) desc.axis += mem.rank;
    memcpy(desc.posts, group->posts, sizeof desc.posts);
    nz_status status = nz_kernel_new(&kernel, &desc);
    if (status == NZ_E_UNSUPPORTED) return refuse(planner, group, type == NZ_BF16);
    NZ_TRY(status);
    planner->views[group->out] = dst;
    NZ_TRY(nz_planner_add_kernel(planner, kernel, &src, NULL, &dst, node->name, node->op_type));
    return label(planner, group, type);
}

static nz_status lower_binary(nz_planner *planner, const nz_group *group) {
    const nz_node *node = root_of(planner, group);
    nz_view src, src1, dst;
    nz_kernel *kernel = NULL;
    NZ_TRY(need_dense(planner, &src, group->src, value_of(planner, group->src)->dtype));
    nz_form form = nz_view_form(&src);
    bool same = nz_shape_equal(&value_of(planner, group->src)->shape, &value_of(planner, group->src1)->shape);
    NZ_TRY(
        nz_view_need(planner, &src1, group->src1, same ? form : NZ_FORM_PLAIN, value_of(planner, group->src1)->dtype));
    nz_mem mem = src.mem;
    mem.dtype = value_of(planner, group->out)->dtype;
    NZ_TRY(nz_view_new(planner, &dst, &mem));
    nz_kernel_desc desc = {.op = group->op,
                           .src = src.mem,
                           .src1 = src1.mem,
                           .dst = mem,
                           .src_quant = group->src_quant,
                           .src1_quant = group->src1_quant,
                           .dst_quant = group->dst_quant,
                           .post_count = group->post_count};
    memcpy(desc.posts, group->posts, sizeof desc.posts);
    nz_status status = nz_kernel_new(&kernel, &desc);
    if (status == NZ_E_UNSUPPORTED) return refuse(planner, group, false);
    NZ_TRY(status);
    planner->views[group->out] = dst;
    NZ_TRY(nz_planner_add_kernel(planner, kernel, &src, &src1, &dst, node->name, node->op_type));
    return label(planner, group, NZ_F32);
}

/* Q or DQ: images come out channels last, as every kernel behind wants them. */
static nz_status lower_convert(nz_planner *planner, const nz_group *group) {
    const nz_node *node = root_of(planner, group);
    const nz_value *out = value_of(planner, group->out);
    nz_view src = planner->views[group->src], dst;
    if (src.buffer < 0)
        NZ_TRY(nz_view_need(planner, &src, group->src, NZ_FORM_PLAIN, value_of(planner, group->src)->dtype));
    if (src.mem.dtype == NZ_BF16) NZ_TRY(nz_view_need(planner, &src, group->src, nz_view_form(&src), NZ_F32));
    bool images = out->shape.rank == 4 && out->dtype != NZ_F32;
    nz_mem mem = images || nz_view_form(&src) == NZ_FORM_LAST ? nz_mem_channels_last(out->dtype, &out->shape)
                                                              : nz_mem_plain(out->dtype, &out->shape);
    NZ_TRY(nz_view_new(planner, &dst, &mem));
    NZ_TRY(
        nz_planner_add_convert(planner, &src, &dst, &group->src_quant, &group->dst_quant, node->name, node->op_type));
    planner->views[group->out] = dst;
    return NZ_OK;
}

/* -- all groups -------------------------------------------------------------------------------------------------------------- */

static nz_status lower_group(nz_planner *planner, const nz_group *group, size_t position) {
    switch (group->kind) {
    case NZ_GROUP_CONV: return lower_conv(planner, group, position);
    case NZ_GROUP_LINEAR: return lower_linear(planner, group);
    case NZ_GROUP_MATMUL: return lower_matmul(planner, group);
    case NZ_GROUP_POOL: return lower_pool(planner, group);
    case NZ_GROUP_ACT:
    case NZ_GROUP_TABLE:
    case NZ_GROUP_SOFTMAX: return lower_act(planner, group);
    case NZ_GROUP_BINARY: return lower_binary(planner, group);
    case NZ_GROUP_CONVERT: return lower_convert(planner, group);
    case NZ_GROUP_NEAREST: return nz_lower_nearest(planner, group);
    case NZ_GROUP_CONCAT: return nz_lower_concat(planner, group);
    case NZ_GROUP_PAD: return nz_lower_pad(planner, group);
    case NZ_GROUP_VIEW: return nz_lower_view(planner, group);
    case NZ_GROUP_REFERENCE: return nz_lower_reference(planner, group);
    }
    return nz_fail(NZ_E_INTERNAL, "unknown kind of group");
}

/* Which values a concatenation lets be written into its buffer: made once, read by it alone. */
static void find_slots(nz_planner *planner) {
    const nz_graph *graph = planner->graph;
    for (size_t v = 0; v < graph->value_count; v++) planner->slot_of[v] = -1;
    for (size_t g = 0; g < planner->group_count; g++) {
        const nz_group *group = &planner->groups[g];
        if (!group->live || group->kind != NZ_GROUP_CONCAT || group->int8) continue;
        if (value_of(planner, group->out)->shape.rank != 4 || value_of(planner, group->out)->dtype != NZ_F32) continue;
        const nz_node *node = root_of(planner, group);
        for (size_t i = 0; i < node->input_count; i++) {
            int v = node->inputs[i];
            if (planner->reader_start[v + 1] - planner->reader_start[v] == 1 && !planner->is_output[v] &&
                !nz_planner_is_constant(planner, v))
                planner->slot_of[v] = (int)g;
        }
    }
}

/* An output that lies as the caller wants it is written there at once; others are copied. */
static nz_status lower_output(nz_planner *planner, size_t port) {
    int value = planner->graph->outputs[port], to = -1;
    nz_view view;
    NZ_TRY(nz_view_need(planner, &view, value, NZ_FORM_PLAIN, value_of(planner, value)->dtype));
    nz_plan_buffer *buffer = &planner->plan->buffers[view.buffer];
    if (buffer->place == NZ_PLACE_BLOCK && view.offset == 0 && buffer->bytes == nz_mem_bytes(&view.mem)) {
        buffer->place = NZ_PLACE_OUTPUT;
        buffer->port = port;
        return NZ_OK;
    }
    NZ_TRY(nz_plan_add_buffer(planner->plan, &to, NZ_PLACE_OUTPUT, nz_mem_bytes(&view.mem), port, NULL));
    return nz_plan_add_copy(planner->plan, view.buffer, view.offset, to, value_of(planner, value)->name);
}

nz_status nz_planner_lower(nz_planner *planner) {
    const nz_graph *graph = planner->graph;
    find_slots(planner);
    for (size_t i = 0; i < graph->input_count; i++) {
        const nz_value *v = &graph->values[graph->inputs[i]];
        nz_view *view = &planner->views[graph->inputs[i]];
        if (view->buffer >= 0) continue;
        view->mem = nz_mem_plain(v->dtype, &v->shape);
        NZ_TRY(nz_plan_add_buffer(planner->plan, &view->buffer, NZ_PLACE_INPUT, nz_mem_bytes(&view->mem), i, NULL));
    }
    for (size_t i = 0; i < planner->order_count && planner->again < 0; i++) {
        const nz_group *group = &planner->groups[planner->order[i]];
        NZ_TRY(lower_group(planner, group, i));
    }
    for (size_t i = 0; i < graph->output_count && planner->again < 0; i++) NZ_TRY(lower_output(planner, i));
    return NZ_OK;
}
