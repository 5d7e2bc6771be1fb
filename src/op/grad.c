/* SPDX-License-Identifier: Apache-2.0 */
/** What gradients share: sums over broadcast axes, element-wise rules. */
#include "op/grad.h"

#include <string.h>

#include "core/threads.h"

/* ---- sums over axes ---- */

/** A dense tensor as alternating groups of kept and reduced axes; extents of 1 vanish. */
typedef struct sum_plan {
    int kept, reduced;
    int64_t kept_dim[2 * NZ_MAX_RANK], kept_stride[2 * NZ_MAX_RANK];
    int64_t reduced_dim[2 * NZ_MAX_RANK], reduced_stride[2 * NZ_MAX_RANK];
    const float *from;
    float *to;
} sum_plan;

static void add_axis(int *count, int64_t *dims, int64_t *strides, int64_t dim, int64_t stride, bool joins) {
    if (joins)
        dims[*count - 1] *= dim, strides[*count - 1] = stride;
    else
        dims[*count] = dim, strides[(*count)++] = stride;
}

/** Calls for every combination of reduced indices: the offset of each. The innermost group is left to the caller. */
static bool next_offset(const sum_plan *plan, int groups, int64_t *index, int64_t *at) {
    for (int d = groups - 1; d >= 0; d--) {
        *at += plan->reduced_stride[d];
        if (++index[d] < plan->reduced_dim[d]) return true;
        *at -= plan->reduced_stride[d] * plan->reduced_dim[d];
        index[d] = 0;
    }
    return false;
}

static int64_t kept_offset(const sum_plan *plan, int groups, int64_t position) {
    int64_t at = 0;
    for (int d = groups - 1; d >= 0; position /= plan->kept_dim[d--])
        at += position % plan->kept_dim[d] * plan->kept_stride[d];
    return at;
}

enum { LANES = 8, PANEL = 64 };

static double sum_row(const float *at, int64_t n) {
    double lane[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += (double)at[i + l];
    for (; i < n; i++) sum += (double)at[i];
    for (int l = 0; l < LANES; l++) sum += lane[l];
    return sum;
}

/** The innermost group is reduced: every output sums contiguous rows. */
static void sum_rows(void *argument, size_t begin, size_t end) {
    const sum_plan *plan = argument;
    int last = plan->reduced - 1;
    for (size_t o = begin; o < end; o++) {
        int64_t index[2 * NZ_MAX_RANK] = {0}, at = kept_offset(plan, plan->kept, (int64_t)o);
        double sum = 0;
        do sum += sum_row(plan->from + at, plan->reduced_dim[last]);
        while (next_offset(plan, last, index, &at));
        plan->to[o] = (float)sum;
    }
}

/** The innermost group is kept: PANEL outputs that lie next to each other are summed together. */
static void sum_panels(void *argument, size_t begin, size_t end) {
    const sum_plan *plan = argument;
    int last = plan->kept - 1;
    int64_t width = plan->kept_dim[last], panels = (width + PANEL - 1) / PANEL;
    for (size_t task = begin; task < end; task++) {
        int64_t outer = (int64_t)task / panels, first = (int64_t)task % panels * PANEL;
        int64_t n = width - first < PANEL ? width - first : PANEL;
        int64_t index[2 * NZ_MAX_RANK] = {0}, at = kept_offset(plan, last, outer) + first;
        double sums[PANEL] = {0};
        do
            for (int64_t i = 0; i < n; i++) sums[i] += (double)plan->from[at + i];
        while (next_offset(plan, plan->reduced, index, &at));
        for (int64_t i = 0; i < n; i++) plan->to[outer * width + first + i] = (float)sums[i];
    }
}

void nz_grad_sum(float *to, const float *from, int rank, const int64_t *dim, unsigned reduced) {
    sum_plan plan = {.from = from, .to = to};
    int64_t stride = 1, outputs = 1, strides[2 * NZ_MAX_RANK], total = 1;
    int last = -1; /* whether the axis before was reduced */
    for (int d = rank - 1; d >= 0; d--) strides[d] = stride, stride *= dim[d];
    for (int d = 0; d < rank; d++) {
        int is = reduced >> d & 1;
        total *= dim[d];
        if (!is) outputs *= dim[d];
        if (dim[d] == 1) continue;
        if (is)
            add_axis(&plan.reduced, plan.reduced_dim, plan.reduced_stride, dim[d], strides[d], last == 1);
        else
            add_axis(&plan.kept, plan.kept_dim, plan.kept_stride, dim[d], strides[d], last == 0);
        last = is;
    }
    if (total == 0) {
        memset(to, 0, (size_t)outputs * sizeof *to);
    } else if (plan.reduced == 0) {
        memcpy(to, from, (size_t)outputs * sizeof *to);
    } else if (last == 1) {
        nz_parallel((size_t)outputs, (size_t)(16384 / (total / outputs) + 1), sum_rows, &plan);
    } else {
        int64_t width = plan.kept_dim[plan.kept - 1], panels = (width + PANEL - 1) / PANEL;
        nz_parallel((size_t)(outputs / width * panels), (size_t)(16384 / (total / outputs * PANEL) + 1), sum_panels,
                    &plan);
    }
}

void nz_grad_sum_to(float *to, const nz_shape *own, const nz_shape *shape, const float *from) {
    unsigned reduced = 0;
    int missing = shape->rank - own->rank;
    for (int d = 0; d < shape->rank; d++)
        if (d < missing || (own->dim[d - missing] == 1 && shape->dim[d] != 1)) reduced |= 1u << d;
    nz_grad_sum(to, from, shape->rank, shape->dim, reduced);
}

/* ---- gradients of whole entries ---- */

nz_status nz_grad_copy(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    size_t n = (size_t)nz_shape_elements(&ctx->in[0]->shape);
    memmove(nz_grad_to(ctx, grad, 0), nz_grad_from(grad, 0), n * sizeof(float));
    return NZ_OK;
}

nz_status nz_grad_expand(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    nz_grad_sum_to(nz_grad_to(ctx, grad, 0), &ctx->in[0]->shape, &grad->dout[0]->shape, nz_grad_from(grad, 0));
    return NZ_OK;
}

nz_status nz_grad_by_run(const nz_op_ctx *ctx, const nz_op_grad *grad, nz_status (*run)(const nz_op_ctx *)) {
    nz_op_ctx turned = *ctx;
    const nz_tensor **in;
    nz_tensor *out;
    NZ_TRY(nz_arena_alloc(ctx->scratch, &in, ctx->in_count, sizeof *in));
    NZ_TRY(nz_arena_alloc(ctx->scratch, &out, ctx->out_count, sizeof *out));
    for (size_t i = 1; i < ctx->in_count; i++) in[i] = ctx->in[i];
    in[0] = grad->dout[0];
    out[0] = *grad->din[0];
    turned.in = in;
    turned.out = out;
    return run(&turned);
}

/* ---- element-wise rules ---- */

nz_status nz_grad_broadcast(const nz_op_ctx *ctx, const nz_op_grad *grad, size_t i, const nz_tensor *a,
                            const nz_tensor *b, nz_loop_row *row, const void *argument) {
    const nz_shape *shape = &grad->dout[0]->shape, *own = &ctx->in[i]->shape;
    float *to = nz_grad_to(ctx, grad, i), *full = to;
    int64_t n = nz_shape_elements(shape);
    if (!to) return NZ_OK;
    bool direct = nz_shape_elements(own) == n;
    if (!direct) NZ_TRY(nz_arena_alloc(ctx->scratch, &full, (size_t)n, sizeof *full));
    nz_tensor target = nz_tensor_borrow(NZ_F32, shape, full);
    nz_loop loop;
    nz_loop_init(&loop, shape);
    nz_loop_add(&loop, &target);
    nz_loop_add(&loop, grad->dout[0]);
    nz_loop_add(&loop, a);
    nz_loop_add(&loop, b ? b : a);
    nz_loop_run(&loop, row, argument);
    if (!direct) nz_grad_sum_to(to, own, shape, full);
    return NZ_OK;
}
