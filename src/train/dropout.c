/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout: which elements go follows from the step's seed, the node and the element's place in ONNX's order, by integers. */
#include <string.h>

#include "core/error.h"
#include "core/random.h"
#include "core/threads.h"
#include "kernel/own.h"
#include "kernel/train_bf16.h"
#include "train/plan.h"

typedef struct dropout {
    uint64_t stream;
    uint64_t threshold;        /* of 2^32: below it an element goes */
    float scale;               /* of those that stay */
    int64_t channels, spatial; /* of a map that lies channels last; else 1 */
} dropout;

typedef struct drop_job {
    const dropout *dropout;
    nz_dtype dtype;
    uint64_t key;
    const void *x;
    void *y;
} drop_job;

/* Place i of memory in ONNX's order. */
static uint64_t logical(const dropout *d, size_t i) {
    if (d->channels == 1) return i;
    size_t channels = (size_t)d->channels, spatial = (size_t)d->spatial;
    size_t c = i % channels, row = i / channels;
    return (row / spatial * channels + c) * spatial + row % spatial;
}

static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

NZ_CLONES static void drop(void *argument, size_t begin, size_t end) {
    const drop_job *job = argument;
    const dropout d = *job->dropout;
    for (size_t i = begin; i < end; i++) {
        bool stays = mix(job->key + (logical(&d, i) + 1) * 0x9e3779b97f4a7c15U) >> 32 >= d.threshold;
        if (job->dtype == NZ_F32)
            ((float *)job->y)[i] = stays ? ((const float *)job->x)[i] * d.scale : 0;
        else
            ((uint16_t *)job->y)[i] = stays ? nz_to_bf16(nz_from_bf16(((const uint16_t *)job->x)[i]) * d.scale) : 0;
    }
}

/* The same factors forward and backward; outside training, 1. */
static void apply(const nz_engine *e, const nz_engine_step *step, const void *x, void *y) {
    const nz_slot *slot = &e->slots[step->in[0]];
    if (!e->training) {
        if (x != y && slot->bytes) memcpy(y, x, slot->bytes);
        return;
    }
    const dropout *self = step->self;
    nz_random random;
    nz_random_init(&random, e->seed, self->stream);
    drop_job job = {self, slot->dtype, nz_random_u64(&random), x, y};
    nz_parallel((size_t)slot->elements, 8192, drop, &job);
}

static nz_status drop_forward(nz_engine *e, nz_engine_step *step) {
    apply(e, step, nz_step_in(e, step, 0), nz_step_out(e, step, 0));
    return NZ_OK;
}

static nz_status drop_backward(nz_engine *e, nz_engine_step *step) {
    apply(e, step, nz_step_dout(e, step, 0), step->din[0]);
    return NZ_OK;
}

static const nz_step_kind drop_kind = {"dropout", drop_forward, drop_backward, NULL, false};

static bool is_dropout(const nz_lowering *l, const nz_node *node) {
    return nz_lower_is(node, "Mul") && node->input_count == 2 && node->inputs[1] >= 0 && l->drops[node->inputs[1]] >= 0;
}

nz_status nz_lower_dropout(nz_lowering *l, const nz_node *node, bool *ret_done) {
    nz_engine *e = l->engine;
    if (!is_dropout(l, node)) return NZ_OK;
    double ratio = l->drops[node->inputs[1]];
    int in = -1, out = -1;
    NZ_TRY(nz_lower_value(l, &in, node->inputs[0]));
    nz_slot slot = e->slots[in];
    NZ_TRY(nz_lower_slot(l, &out, NZ_SLOT_BLOCK, l->graph->values[node->outputs[0]].name, slot.dtype, &slot.shape,
                         slot.last));
    dropout *self = NULL;
    NZ_TRY(nz_alloc(&self, 1, sizeof *self));
    /* The how manieth Dropout it is tells it from the others, in whatever form its map lies. */
    uint64_t stream = 0;
    for (const nz_node *n = l->graph->nodes; n < node; n++) stream += is_dropout(l, n);
    *self = (dropout){.stream = stream,
                      .threshold = (uint64_t)(ratio * 0x1p32),
                      .scale = (float)(1 / (1 - ratio)),
                      .channels = slot.last ? nz_slot_channels(&slot) : 1,
                      .spatial = slot.last ? nz_slot_spatial(&slot) : 1};
    nz_engine_step step = {
        .kind = &drop_kind, .node = node, .self = self, .grad_inputs = 1, .shares = 0, .grad_shares = 1};
    NZ_TRY(nz_lower_step(l, &step, &in, 1, &out, 1));
    l->slot_of[node->outputs[0]] = out;
    *ret_done = true;
    return NZ_OK;
}
