/* SPDX-License-Identifier: Apache-2.0 */
/* Groups that move elements: views without a step, joins, padding, nearest neighbours, and the plain C of the rest. */
#include <string.h>

#include "core/error.h"
#include "op/helper.h"
#include "runtime/planner.h"

static const nz_value *value_of(const nz_planner *planner, int value) { return &planner->graph->values[value]; }
static const nz_node *root_of(const nz_planner *planner, const nz_group *group) {
    return &planner->graph->nodes[group->root];
}
static bool is_op(const nz_node *node, const char *op_type) { return strcmp(node->op_type, op_type) == 0; }

/* -- views -------------------------------------------------------------------------------------------------------------- */

static nz_status source_view(nz_planner *planner, nz_view *ret_view, int value) {
    *ret_view = planner->views[value];
    if (ret_view->buffer >= 0) return NZ_OK;
    return nz_view_need(planner, ret_view, value, NZ_FORM_PLAIN, value_of(planner, value)->dtype);
}

static nz_status transpose_view(const nz_node *node, nz_view *view) {
    size_t count = 0;
    const int64_t *perm = nz_attr_ints(node, "perm", &count);
    nz_mem from = view->mem;
    for (int i = 0; i < from.rank; i++) {
        int64_t axis = perm && (int)count == from.rank ? perm[i] : from.rank - 1 - i;
        view->mem.dim[i] = from.dim[axis];
        view->mem.stride[i] = from.stride[axis];
    }
    return NZ_OK;
}

/* Starts and steps of the axes that are named; extents are those that shape inference found. */
static nz_status slice_view(nz_planner *planner, const nz_group *group, nz_view *view) {
    const nz_node *node = root_of(planner, group);
    const nz_tensor *starts = NULL, *axes = NULL, *steps = NULL;
    const nz_shape *out = &value_of(planner, node->outputs[0])->shape;
    NZ_TRY(nz_planner_constant(planner, node->inputs[1], &starts));
    if (node->input_count > 3 && node->inputs[3] != NZ_NO_VALUE)
        NZ_TRY(nz_planner_constant(planner, node->inputs[3], &axes));
    if (node->input_count > 4 && node->inputs[4] != NZ_NO_VALUE)
        NZ_TRY(nz_planner_constant(planner, node->inputs[4], &steps));
    for (int64_t i = 0; i < nz_shape_elements(&starts->shape); i++) {
        int64_t axis = axes ? nz_tensor_int(axes, i) : i, start = nz_tensor_int(starts, i),
                step = steps ? nz_tensor_int(steps, i) : 1;
        if (axis < 0) axis += view->mem.rank;
        int64_t extent = view->mem.dim[axis];
        if (start < 0) start += extent;
        start = start < 0 ? 0 : start > extent ? extent : start;
        view->offset += (size_t)(start * view->mem.stride[axis]) * (size_t)nz_dtype_get(view->mem.dtype)->bits / 8;
        view->mem.dim[axis] = out->dim[axis];
        view->mem.stride[axis] *= step;
    }
    return NZ_OK;
}

static void split_views(nz_planner *planner, const nz_group *group, nz_view view) {
    const nz_node *node = root_of(planner, group);
    int axis = (int)nz_attr_int(node, "axis", 0);
    if (axis < 0) axis += view.mem.rank;
    for (size_t i = 0; i < node->output_count; i++) {
        if (node->outputs[i] == NZ_NO_VALUE) continue;
        view.mem.dim[axis] = value_of(planner, node->outputs[i])->shape.dim[axis];
        planner->views[node->outputs[i]] = view;
        view.offset +=
            (size_t)(view.mem.dim[axis] * view.mem.stride[axis]) * (size_t)nz_dtype_get(view.mem.dtype)->bits / 8;
    }
}

nz_status nz_lower_view(nz_planner *planner, const nz_group *group) {
    const nz_node *node = root_of(planner, group);
    nz_view view;
    NZ_TRY(source_view(planner, &view, group->src));
    if (is_op(node, "Split")) {
        split_views(planner, group, view);
        return NZ_OK;
    }
    if (is_op(node, "Transpose")) {
        NZ_TRY(transpose_view(node, &view));
    } else if (is_op(node, "Slice")) {
        NZ_TRY(slice_view(planner, group, &view));
    } else {
        const nz_shape *shape = &value_of(planner, node->outputs[0])->shape;
        nz_mem mem;
        if (!nz_view_reshape(&mem, &view.mem, shape)) {
            NZ_TRY(nz_view_need(planner, &view, group->src, NZ_FORM_PLAIN, view.mem.dtype));
            mem = nz_mem_plain(view.mem.dtype, shape);
        }
        view.mem = mem;
    }
    planner->views[node->outputs[0]] = view;
    return NZ_OK;
}

/* -- joins and padding ------------------------------------------------------------------------------------------------------ */

/* Channels last where the larger part of the inputs lies so. */
static nz_form joint_form(const nz_planner *planner, const nz_node *node) {
    int64_t last = 0, plain = 0;
    for (size_t i = 0; i < node->input_count; i++) {
        const nz_view *view = &planner->views[node->inputs[i]];
        if (view->buffer < 0) continue;
        *(nz_view_form(view) == NZ_FORM_LAST ? &last : &plain) += nz_mem_elements(&view->mem);
    }
    return last > plain ? NZ_FORM_LAST : NZ_FORM_PLAIN;
}

nz_status nz_lower_concat(nz_planner *planner, const nz_group *group) {
    const nz_node *node = root_of(planner, group);
    const nz_value *out = value_of(planner, group->out);
    nz_view *whole = &planner->views[group->out];
    nz_dtype dtype = out->dtype;
    int axis = (int)nz_attr_int(node, "axis", 0);
    if (axis < 0) axis += out->shape.rank;
    if (whole->buffer < 0) {
        if (dtype == NZ_F32 && planner->float_type == NZ_BF16 && planner->views[node->inputs[0]].mem.dtype == NZ_BF16)
            dtype = NZ_BF16;
        nz_mem mem = joint_form(planner, node) == NZ_FORM_LAST || (group->int8 && out->shape.rank == 4)
                         ? nz_mem_channels_last(dtype, &out->shape)
                         : nz_mem_plain(dtype, &out->shape);
        NZ_TRY(nz_view_new(planner, whole, &mem));
    }
    nz_view part = *whole;
    for (size_t i = 0; i < node->input_count; i++) {
        int value = node->inputs[i];
        nz_quant quant = {1, 0};
        nz_view from;
        if (group->int8) (void)nz_planner_dequantised(planner, value, &value, &quant);
        part.mem.dim[axis] = value_of(planner, value)->shape.dim[axis];
        NZ_TRY(source_view(planner, &from, value));
        bool there =
            from.buffer == whole->buffer && from.offset == part.offset && nz_mem_same_places(&from.mem, &part.mem);
        if (!there && nz_mem_elements(&part.mem) > 0)
            NZ_TRY(nz_planner_add_convert(planner, &from, &part, &quant, group->int8 ? &group->dst_quant : NULL,
                                          node->name, node->op_type));
        part.offset +=
            (size_t)(part.mem.dim[axis] * part.mem.stride[axis]) * (size_t)nz_dtype_get(part.mem.dtype)->bits / 8;
    }
    return NZ_OK;
}

nz_status nz_lower_pad(nz_planner *planner, const nz_group *group) {
    const nz_node *node = root_of(planner, group);
    const nz_value *out = value_of(planner, group->out);
    const nz_tensor *pads = NULL;
    nz_view from, to;
    NZ_TRY(source_view(planner, &from, group->src));
    nz_dtype dtype = from.mem.dtype;
    nz_mem mem = nz_view_form(&from) == NZ_FORM_LAST ? nz_mem_channels_last(dtype, &out->shape)
                                                     : nz_mem_plain(dtype, &out->shape);
    NZ_TRY(nz_view_new(planner, &to, &mem));
    planner->views[group->out] = to;
    NZ_TRY(nz_planner_constant(planner, node->inputs[1], &pads));
    for (int64_t i = 0; i < nz_shape_elements(&pads->shape) / 2; i++)
        to.offset += (size_t)(nz_tensor_int(pads, i) * mem.stride[i]) * (size_t)nz_dtype_get(dtype)->bits / 8;
    memcpy(to.mem.dim, from.mem.dim, sizeof to.mem.dim);
    NZ_TRY(nz_plan_add_fill(planner->plan, to.buffer, group->table[0], node->name, node->op_type));
    return nz_planner_add_convert(planner, &from, &to, NULL, NULL, node->name, node->op_type);
}

/* -- nearest neighbours ------------------------------------------------------------------------------------------------------ */

/* Where the operator's plain C takes each position of an axis from: it is run on a tensor that counts along that axis. */
static nz_status positions(nz_planner *planner, const nz_group *group, int axis, const int32_t **ret_index) {
    const nz_shape *in = &value_of(planner, group->src)->shape, *out = &value_of(planner, group->out)->shape;
    nz_op_ctx ctx;
    float *x, *y;
    int32_t *index;
    int64_t count = nz_shape_elements(in), inner = 1, out_inner = 1;
    NZ_TRY(nz_planner_context(planner, group->root, &ctx));
    NZ_TRY(nz_arena_alloc(&planner->arena, &x, (size_t)count, sizeof *x));
    NZ_TRY(nz_arena_alloc(&planner->arena, &y, (size_t)nz_shape_elements(out), sizeof *y));
    NZ_TRY(nz_arena_alloc(&planner->arena, &index, (size_t)out->dim[axis], sizeof *index));
    for (int i = axis + 1; i < in->rank; i++) inner *= in->dim[i], out_inner *= out->dim[i];
    for (int64_t i = 0; i < count; i++) x[i] = (float)(i / inner % in->dim[axis]);
    nz_tensor from = nz_tensor_borrow(NZ_F32, in, x);
    from.bytes = (size_t)count * sizeof *x;
    ((const nz_tensor **)(uintptr_t)ctx.in)[0] = &from;
    ctx.out[0] = nz_tensor_borrow(NZ_F32, out, y);
    ctx.out[0].bytes = (size_t)nz_shape_elements(out) * sizeof *y;
    NZ_TRY(nz_op_of(ctx.node)->run(&ctx));
    for (int64_t i = 0; i < out->dim[axis]; i++) index[i] = (int32_t)y[i * out_inner];
    *ret_index = index;
    return NZ_OK;
}

nz_status nz_lower_nearest(nz_planner *planner, const nz_group *group) {
    const nz_node *node = root_of(planner, group);
    const nz_value *in = value_of(planner, group->src), *out = value_of(planner, group->out);
    nz_view src, dst;
    nz_kernel *kernel = NULL;
    nz_kernel_desc desc = {.op = NZ_KERNEL_NEAREST};
    NZ_TRY(source_view(planner, &src, group->src));
    for (int i = 0; i < out->shape.rank; i++)
        if (in->shape.dim[i] != out->shape.dim[i]) NZ_TRY(positions(planner, group, i, &desc.index[i]));
    nz_mem mem = nz_view_form(&src) == NZ_FORM_LAST ? nz_mem_channels_last(src.mem.dtype, &out->shape)
                                                    : nz_mem_plain(src.mem.dtype, &out->shape);
    NZ_TRY(nz_view_new(planner, &dst, &mem));
    desc.src = src.mem;
    desc.dst = mem;
    nz_status status = nz_kernel_new(&kernel, &desc);
    if (status == NZ_E_UNSUPPORTED) {
        planner->again = group->root;
        planner->again_refusal = NZ_REFUSE_KERNEL;
        return NZ_OK;
    }
    NZ_TRY(status);
    planner->views[group->out] = dst;
    return nz_planner_add_kernel(planner, kernel, &src, NULL, &dst, node->name, node->op_type);
}

/* -- plain C ------------------------------------------------------------------------------------------------------------------ */

nz_status nz_lower_reference(nz_planner *planner, const nz_group *group) {
    const nz_node *node = root_of(planner, group);
    NZ_AUTO_FREE nz_plan_arg *args = NULL;
    NZ_TRY(nz_alloc(&args, node->input_count + node->output_count, sizeof *args));
    for (size_t i = 0; i < node->input_count; i++) {
        nz_view view = {.buffer = -1};
        if (node->inputs[i] != NZ_NO_VALUE)
            NZ_TRY(nz_view_need(planner, &view, node->inputs[i], NZ_FORM_PLAIN,
                                value_of(planner, node->inputs[i])->dtype));
        args[i] = (nz_plan_arg){.buffer = view.buffer, .offset = view.offset};
    }
    for (size_t i = 0; i < node->output_count; i++) {
        nz_view view = {.buffer = -1};
        if (node->outputs[i] != NZ_NO_VALUE) {
            const nz_value *v = value_of(planner, node->outputs[i]);
            size_t bytes = 0;
            view.mem = nz_mem_plain(v->dtype, &v->shape);
            NZ_TRY(nz_dtype_bytes(&bytes, v->dtype, nz_shape_elements(&v->shape)));
            NZ_TRY(nz_plan_add_buffer(planner->plan, &view.buffer, NZ_PLACE_BLOCK, bytes, 0, NULL));
            planner->views[node->outputs[i]] = view;
        }
        args[node->input_count + i] = (nz_plan_arg){.buffer = view.buffer, .offset = view.offset, .writes = true};
    }
    return nz_plan_add_reference(planner->plan, planner->graph, node, args);
}
