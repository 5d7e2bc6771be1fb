/* SPDX-License-Identifier: Apache-2.0 */
/* Where values lie and in which order: making, finding and converting views; the steps that do so. */
#include <string.h>

#include "core/error.h"
#include "runtime/planner.h"

/* -- kernel steps ----------------------------------------------------------------------------------------------------- */

typedef struct kernel_step {
    nz_kernel *kernel;
    uint8_t arg[NZ_ARG_COUNT]; /* the kernel's argument behind operand i */
} kernel_step;

static void kernel_bind(nz_step *step, size_t arg, void *data) {
    const kernel_step *self = step->self;
    self->kernel->bind(self->kernel, (nz_kernel_arg)self->arg[arg], data);
}

static nz_status kernel_run(nz_step *step) {
    const kernel_step *self = step->self;
    return self->kernel->run(self->kernel);
}

static void kernel_release(nz_step *step) {
    kernel_step *self = step->self;
    nz_kernel_free(self->kernel);
    free(self);
}

static const nz_step_kind kernel_kind = {kernel_bind, kernel_run, kernel_release};

nz_status nz_planner_add_kernel(nz_planner *planner, nz_kernel *kernel, const nz_view *src, const nz_view *src1,
                                const nz_view *dst, const char *name, const char *op) {
    kernel_step *self = NULL;
    nz_plan_arg args[NZ_ARG_COUNT];
    size_t count = 0;
    int scratch = -1;
    nz_status status = nz_alloc(&self, 1, sizeof *self);
    if (status == NZ_OK && kernel->scratch_bytes)
        status = nz_plan_add_buffer(planner->plan, &scratch, NZ_PLACE_BLOCK, kernel->scratch_bytes, 0, NULL);
    if (status != NZ_OK) {
        free(self);
        nz_kernel_free(kernel);
        return status;
    }
    const nz_view *views[] = {src, src1, dst};
    for (uint8_t i = 0; i < 3; i++) {
        if (!views[i]) continue;
        self->arg[count] = i; /* NZ_ARG_SRC, NZ_ARG_SRC1, NZ_ARG_DST */
        args[count++] = (nz_plan_arg){.buffer = views[i]->buffer, .offset = views[i]->offset, .writes = i == 2};
    }
    if (scratch >= 0) {
        self->arg[count] = NZ_ARG_SCRATCH;
        args[count++] = (nz_plan_arg){.buffer = scratch, .writes = true};
    }
    self->kernel = kernel;
    size_t weight_bytes = kernel->weight_bytes;
    NZ_TRY(nz_plan_add_step(planner->plan, &kernel_kind, self, args, count, name, op, kernel->name));
    planner->plan->steps[planner->plan->step_count - 1].weight_bytes = weight_bytes;
    return NZ_OK;
}

/* -- views ------------------------------------------------------------------------------------------------------------ */

nz_status nz_view_new(nz_planner *planner, nz_view *ret_view, const nz_mem *mem) {
    nz_view view = {.mem = *mem};
    NZ_TRY(nz_plan_add_buffer(planner->plan, &view.buffer, NZ_PLACE_BLOCK, nz_mem_bytes(mem), 0, NULL));
    *ret_view = view;
    return NZ_OK;
}

nz_form nz_view_form(const nz_view *view) {
    const nz_mem *m = &view->mem;
    if (m->rank < 3 || m->dim[1] == 1) return m->rank < 4 ? NZ_FORM_PLAIN : NZ_FORM_LAST;
    return m->stride[1] == 1 ? NZ_FORM_LAST : NZ_FORM_PLAIN;
}

nz_status nz_planner_add_convert(nz_planner *planner, const nz_view *from, const nz_view *to,
                                 const nz_quant *from_quant, const nz_quant *to_quant, const char *name,
                                 const char *op) {
    static const nz_quant none = {1, 0};
    nz_kernel *kernel = NULL;
    nz_kernel_desc desc = {.op = NZ_KERNEL_COPY,
                           .src = from->mem,
                           .dst = to->mem,
                           .src_quant = from_quant ? *from_quant : none,
                           .dst_quant = to_quant ? *to_quant : none};
    nz_status status = nz_kernel_new(&kernel, &desc);
    if (status == NZ_E_UNSUPPORTED) {
        char text[112];
        nz_shape shape = {.rank = desc.src.rank};
        memcpy(shape.dim, desc.src.dim, sizeof shape.dim);
        return nz_fail(NZ_E_UNSUPPORTED, "node '%s' (%s): no way to turn %s %s into %s", name, op,
                       nz_dtype_get(desc.src.dtype)->name, nz_shape_text(&shape, text),
                       nz_dtype_get(desc.dst.dtype)->name);
    }
    NZ_TRY(status);
    return nz_planner_add_kernel(planner, kernel, from, NULL, to, name, op);
}

/* A constant is converted now, into memory of the plan's. */
static nz_status need_constant(nz_planner *planner, nz_view *ret_view, int value, const nz_mem *wanted) {
    const nz_tensor *tensor = NULL;
    nz_kernel *kernel = NULL;
    void *memory = NULL;
    NZ_TRY(nz_planner_constant(planner, value, &tensor));
    nz_kernel_desc desc = {.op = NZ_KERNEL_COPY,
                           .src = nz_mem_plain(tensor->dtype, &tensor->shape),
                           .dst = *wanted,
                           .src_quant = {1, 0},
                           .dst_quant = {1, 0}};
    NZ_TRY(nz_plan_add_constant(planner->plan, &memory, nz_mem_bytes(wanted)));
    if (nz_mem_elements(wanted) == 0 || nz_mem_same(&desc.src, wanted)) {
        if (tensor->bytes) memcpy(memory, tensor->data, tensor->bytes);
    } else {
        NZ_TRY(nz_kernel_new(&kernel, &desc));
        kernel->bind(kernel, NZ_ARG_SRC, tensor->data);
        kernel->bind(kernel, NZ_ARG_DST, memory);
        nz_status status = kernel->run(kernel);
        nz_kernel_free(kernel);
        NZ_TRY(status);
    }
    nz_view view = {.mem = *wanted};
    NZ_TRY(nz_plan_add_buffer(planner->plan, &view.buffer, NZ_PLACE_CONSTANT, nz_mem_bytes(wanted), 0, memory));
    *ret_view = view;
    return NZ_OK;
}

nz_status nz_view_need(nz_planner *planner, nz_view *ret_view, int value, nz_form form, nz_dtype dtype) {
    const nz_value *v = &planner->graph->values[value];
    nz_mem wanted = form == NZ_FORM_LAST ? nz_mem_channels_last(dtype, &v->shape) : nz_mem_plain(dtype, &v->shape);
    nz_view *kept = &planner->forms[((size_t)value * NZ_FORMS + form) * 2 + (dtype == NZ_BF16)];
    nz_view *made = &planner->views[value];
    if (kept->buffer >= 0) {
        *ret_view = *kept;
        return NZ_OK;
    }
    if (made->buffer < 0 && nz_planner_is_constant(planner, value)) {
        NZ_TRY(need_constant(planner, kept, value, &wanted));
    } else if (made->buffer < 0) {
        return nz_fail(NZ_E_INTERNAL, "value '%s' is needed before it is made", v->name);
    } else if (nz_mem_same(&made->mem, &wanted)) {
        *kept = *made;
        kept->mem = wanted; /* strides of extents of 1 in their usual form */
    } else {
        nz_view copy;
        NZ_TRY(nz_view_new(planner, &copy, &wanted));
        NZ_TRY(nz_planner_add_convert(planner, made, &copy, NULL, NULL, v->name, "Reorder"));
        *kept = copy;
    }
    *ret_view = *kept;
    return NZ_OK;
}

/* The strides by which `shape` walks over the elements of `mem` in row-major order of their logical indices; false where no
 * strides do. Axes are taken together while their product on both sides is not yet the same. */
bool nz_view_reshape(nz_mem *ret_mem, const nz_mem *mem, const nz_shape *shape) {
    nz_mem to = {.dtype = mem->dtype, .rank = shape->rank};
    int64_t dim[NZ_MAX_RANK + 1] = {0}, stride[NZ_MAX_RANK + 1] = {0}; /* of axes longer than 1 */
    int rank = 0;
    for (int i = 0; i < mem->rank; i++)
        if (mem->dim[i] != 1) dim[rank] = mem->dim[i], stride[rank++] = mem->stride[i];
    int i = 0, k = 0;
    while (k < shape->rank) {
        if (shape->dim[k] == 1) {
            to.dim[k] = 1;
            to.stride[k++] = 1;
            continue;
        }
        if (i >= rank) return false;
        int first_k = k, first_i = i;
        int64_t have = dim[i++], want = shape->dim[k++];
        while (have != want) {
            if (have < want) {
                if (i >= rank) return false;
                have *= dim[i++];
            } else {
                if (k >= shape->rank) return false;
                want *= shape->dim[k++];
            }
        }
        for (int j = first_i; j + 1 < i; j++)
            if (stride[j] != stride[j + 1] * dim[j + 1]) return false;
        int64_t step = stride[i - 1];
        for (int j = k - 1; j >= first_k; j--) {
            to.dim[j] = shape->dim[j];
            to.stride[j] = step;
            step *= shape->dim[j];
        }
    }
    if (i != rank) return false;
    *ret_mem = to;
    return true;
}
