/* SPDX-License-Identifier: Apache-2.0 */
/* Clip between two constants, as ReLU6 is written: like Relu's, its gradient follows from what came out. */
#include <math.h>

#include "core/error.h"
#include "core/threads.h"
#include "kernel/own.h"
#include "kernel/train_bf16.h"
#include "train/plan.h"

typedef struct bounds {
    float low, high;
} bounds;

typedef struct clip_job {
    const bounds *bounds;
    nz_dtype dtype;
    const void *x, *dy; /* backward: x is what came out */
    void *to;
} clip_job;

enum { GRAIN = 16384 };

NZ_INLINE float clipped(float x, float low, float high) {
    x = x < low ? low : x;
    return x > high ? high : x;
}

NZ_CLONES static void clip_part(void *argument, size_t begin, size_t end) {
    const clip_job *job = argument;
    const float low = job->bounds->low, high = job->bounds->high;
    if (job->dtype == NZ_F32) {
        const float *x = job->x;
        float *y = job->to;
        for (size_t i = begin; i < end; i++) y[i] = clipped(x[i], low, high);
    } else {
        const uint16_t *x = job->x;
        uint16_t *y = job->to;
        for (size_t i = begin; i < end; i++) y[i] = nz_to_bf16(clipped(nz_from_bf16(x[i]), low, high));
    }
}

/* Without branches: which way they would go cannot be foretold. */
NZ_CLONES static void back_part(void *argument, size_t begin, size_t end) {
    const clip_job *job = argument;
    const float low = job->bounds->low, high = job->bounds->high;
    if (job->dtype == NZ_F32) {
        const float *y = job->x, *dy = job->dy;
        float *dx = job->to;
        for (size_t i = begin; i < end; i++) {
            float flows = dy[i];
            dx[i] = ((y[i] > low) & (y[i] < high)) ? flows : 0;
        }
    } else {
        const uint16_t *y = job->x, *dy = job->dy;
        uint16_t *dx = job->to;
        for (size_t i = begin; i < end; i++) {
            float v = nz_from_bf16(y[i]);
            uint16_t flows = dy[i];
            dx[i] = ((v > low) & (v < high)) ? flows : 0;
        }
    }
}

static nz_status clip_forward(nz_engine *e, nz_engine_step *step) {
    const nz_slot *x = &e->slots[step->in[0]];
    clip_job job = {.bounds = step->self, .dtype = x->dtype, .x = x->data, .to = nz_step_out(e, step, 0)};
    nz_parallel((size_t)x->elements, GRAIN, clip_part, &job);
    return NZ_OK;
}

static nz_status clip_backward(nz_engine *e, nz_engine_step *step) {
    const nz_slot *y = &e->slots[step->out[0]];
    clip_job job = {step->self, y->dtype, y->data, y->grad, step->din[0]};
    nz_parallel((size_t)y->elements, GRAIN, back_part, &job);
    return NZ_OK;
}

static const nz_step_kind clip_kind = {"Clip", clip_forward, clip_backward, NULL, false};

/* A bound that is one constant float; `otherwise` where it is left out. false: it is something else. */
static bool read_bound(const nz_lowering *l, const nz_node *node, size_t i, float otherwise, float *ret_bound) {
    *ret_bound = otherwise;
    if (i >= node->input_count || node->inputs[i] < 0) return true;
    const nz_tensor *tensor = nz_lower_constant(l, node->inputs[i]);
    if (!tensor || tensor->dtype != NZ_F32 || nz_shape_elements(&tensor->shape) != 1) return false;
    *ret_bound = (float)nz_tensor_real(tensor, 0);
    return true;
}

nz_status nz_lower_clip(nz_lowering *l, const nz_node *node, bool *ret_done) {
    int in = -1, out = -1, value = node->outputs[0];
    bounds b, *self = NULL;
    NZ_TRY(nz_lower_value(l, &in, node->inputs[0]));
    nz_slot x = l->engine->slots[in];
    if (x.place == NZ_SLOT_CONSTANT || (x.dtype != NZ_F32 && x.dtype != NZ_BF16) ||
        !read_bound(l, node, 1, -INFINITY, &b.low) || !read_bound(l, node, 2, INFINITY, &b.high))
        return NZ_OK;
    NZ_TRY(nz_lower_slot(l, &out, NZ_SLOT_BLOCK, l->graph->values[value].name, x.dtype, &x.shape, x.last));
    l->slot_of[value] = out;
    NZ_TRY(nz_alloc(&self, 1, sizeof *self));
    /* What comes out is compared with the bounds as it can hold them. */
    if (x.dtype == NZ_BF16) b = (bounds){nz_from_bf16(nz_to_bf16(b.low)), nz_from_bf16(nz_to_bf16(b.high))};
    *self = b;
    nz_engine_step step = {.kind = &clip_kind,
                           .node = node,
                           .self = self,
                           .grad_inputs = 1,
                           .reads_out = 1,
                           .shares = 0,
                           .grad_shares = 1};
    *ret_done = true;
    return nz_lower_step(l, &step, &in, 1, &out, 1);
}
