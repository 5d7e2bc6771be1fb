/* SPDX-License-Identifier: Apache-2.0 */
/* Q/DQ pairs as quantisers: what they observe, their scales, and the steps that quantise in float. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/threads.h"
#include "kernel/own.h"
#include "kernel/train_bf16.h"
#include "train/plan.h"

typedef struct quant_step {
    size_t index; /* of the quantiser */
    nz_train_quant quant;
} quant_step;

/* ---- extremes ---- */

enum { PIECES = 64, LANES = 64 };

typedef struct extremes_job {
    nz_dtype dtype;
    const void *x;
    int64_t run, channels, inner; /* elements in a piece; or [run, channels, inner] */
    float low[PIECES], high[PIECES];
    float *most; /* [channels]: the largest magnitude */
} extremes_job;

NZ_INLINE float element(nz_dtype dtype, const void *x, int64_t i) {
    return dtype == NZ_BF16 ? nz_from_bf16(((const uint16_t *)x)[i]) : ((const float *)x)[i];
}

/* Minimum and maximum of n elements; NaN is passed over. Lane by lane, so that the compiler may take them together. */
NZ_INLINE void span(nz_dtype dtype, const void *x, int64_t first, int64_t last, float *ret_low, float *ret_high) {
    float low[LANES], high[LANES];
    for (int k = 0; k < LANES; k++) {
        low[k] = INFINITY;
        high[k] = -INFINITY;
    }
    int64_t i = first;
    for (; i + LANES <= last; i += LANES)
        for (int k = 0; k < LANES; k++) {
            float v = element(dtype, x, i + k);
            low[k] = v < low[k] ? v : low[k];
            high[k] = v > high[k] ? v : high[k];
        }
    for (; i < last; i++) {
        float v = element(dtype, x, i);
        low[0] = v < low[0] ? v : low[0];
        high[0] = v > high[0] ? v : high[0];
    }
    for (int k = 1; k < LANES; k++) {
        low[0] = low[k] < low[0] ? low[k] : low[0];
        high[0] = high[k] > high[0] ? high[k] : high[0];
    }
    *ret_low = low[0];
    *ret_high = high[0];
}

NZ_CLONES static void extremes_of_pieces(void *argument, size_t begin, size_t end) {
    extremes_job *job = argument;
    for (size_t p = begin; p < end; p++) {
        int64_t first = (int64_t)p * job->run, last = first + job->run;
        if (last > job->inner) last = job->inner;
        if (job->dtype == NZ_BF16)
            span(NZ_BF16, job->x, first, last, &job->low[p], &job->high[p]);
        else
            span(NZ_F32, job->x, first, last, &job->low[p], &job->high[p]);
    }
}

static void extremes(nz_dtype dtype, const void *x, int64_t n, float *low, float *high) {
    extremes_job job = {.dtype = dtype, .x = x, .run = (n + PIECES - 1) / PIECES, .inner = n};
    nz_parallel(PIECES, n > 65536 ? 1 : PIECES, extremes_of_pieces, &job);
    for (int p = 0; p < PIECES; p++) {
        *low = job.low[p] < *low ? job.low[p] : *low;
        *high = job.high[p] > *high ? job.high[p] : *high;
    }
}

/* Largest magnitudes of channels [begin, end). */
NZ_CLONES static void most_of_channels(void *argument, size_t begin, size_t end) {
    const extremes_job *job = argument;
    for (size_t c = begin; c < end; c++) {
        float most = 0;
        for (int64_t o = 0; o < job->run; o++) {
            int64_t first = (o * job->channels + (int64_t)c) * job->inner;
            float low = 0, high = 0;
            if (job->dtype == NZ_BF16)
                span(NZ_BF16, job->x, first, first + job->inner, &low, &high);
            else
                span(NZ_F32, job->x, first, first + job->inner, &low, &high);
            most = -low > most ? -low : most;
            most = high > most ? high : most;
        }
        job->most[c] = most;
    }
}

/* A scale that is 0 would divide by it; what is all 0 is so under every scale. */
static float positive(float scale) { return scale > 0 && isfinite(scale) ? scale : 1.0F; }

static void observe_weights(nz_quantizer *q, const quant_step *self, nz_dtype dtype, const void *x) {
    const nz_train_quant *quant = &self->quant;
    extremes_job job = {.dtype = dtype,
                        .x = x,
                        .run = quant->outer,
                        .channels = quant->channels,
                        .inner = quant->inner,
                        .most = q->scales};
    nz_parallel((size_t)quant->channels, 8, most_of_channels, &job);
    for (size_t c = 0; c < q->count; c++) q->scales[c] = positive(q->scales[c] / (float)(q->most - q->zero));
}

/* One scale for all: the range always holds 0, and 0 is a level of its own. */
static void scale_for_range(nz_quantizer *q) {
    float low = q->low < 0 ? q->low : 0, high = q->high > 0 ? q->high : 0;
    if (q->symmetric) {
        float most = high > -low ? high : -low;
        q->scales[0] = positive(most / (float)(q->most - q->zero));
    } else {
        q->scales[0] = positive((high - low) / (float)(q->most - q->least));
        float zero = (float)q->least + rintf(-low / q->scales[0]);
        q->zero = zero > (float)q->most ? q->most : (int32_t)zero;
    }
    for (size_t c = 1; c < q->count; c++) q->scales[c] = q->scales[0];
}

static void observe_activations(nz_quantizer *q, nz_quantizer_home *home, nz_dtype dtype, const void *x, int64_t n) {
    extremes(dtype, x, n, &home->seen_low, &home->seen_high);
    if (!(home->seen_low <= home->seen_high)) return; /* nothing but NaN */
    bool first = !(home->prior_low <= home->prior_high);
    q->low = first ? home->seen_low : home->prior_low + q->averaging * (home->seen_low - home->prior_low);
    q->high = first ? home->seen_high : home->prior_high + q->averaging * (home->seen_high - home->prior_high);
    scale_for_range(q);
}

void nz_engine_begin_observing(nz_engine *e) {
    for (size_t i = 0; i < e->quantizer_count; i++) {
        nz_quantizer_home *home = &e->quantizer_homes[i];
        home->prior_low = e->quantizers[i].low;
        home->prior_high = e->quantizers[i].high;
        home->seen_low = INFINITY;
        home->seen_high = -INFINITY;
    }
}

void nz_engine_begin_learning(nz_engine *e) {
    e->learning = false;
    for (size_t i = 0; i < e->quantizer_count; i++) {
        e->learning |= e->quantizers[i].mode == NZ_QUANTIZER_LEARN;
        memset(e->quantizers[i].grad, 0, e->quantizers[i].count * sizeof(float));
    }
}

/* ---- steps ---- */

static nz_train_quant present(const nz_quantizer *q, const quant_step *self) {
    nz_train_quant quant = self->quant;
    quant.scales = q->scales;
    quant.zero = q->zero;
    quant.least = q->least;
    quant.most = q->most;
    return quant;
}

static nz_status quant_forward(nz_engine *e, nz_engine_step *step) {
    const quant_step *self = step->self;
    nz_quantizer *q = &e->quantizers[self->index];
    const nz_slot *in = &e->slots[step->in[0]];
    if (q->mode == NZ_QUANTIZER_OBSERVE && q->is_weight)
        observe_weights(q, self, in->dtype, in->data);
    else if (q->mode == NZ_QUANTIZER_OBSERVE && e->training && !e->replay)
        observe_activations(q, &e->quantizer_homes[self->index], in->dtype, in->data, in->elements);
    nz_train_quant quant = present(q, self);
    nz_train_quantize(&quant, in->dtype, in->data, nz_step_out(e, step, 0));
    return NZ_OK;
}

static nz_status quant_backward(nz_engine *e, nz_engine_step *step) {
    const quant_step *self = step->self;
    nz_quantizer *q = &e->quantizers[self->index];
    nz_quantizer_home *home = &e->quantizer_homes[self->index];
    const nz_slot *in = &e->slots[step->in[0]], *out = &e->slots[step->out[0]];
    bool learns = q->mode == NZ_QUANTIZER_LEARN;
    if (!learns && !step->din[0]) return NZ_OK;
    /* Nobody reads what flowed in any more. */
    void *dx = step->din[0] ? step->din[0] : out->grad;
    nz_train_quant quant = present(q, self);
    nz_train_quantize_backward(&quant, in->dtype, in->data, out->grad, dx, learns ? home->learnt : NULL);
    double scale = 1 / sqrt((double)q->elements * (double)q->most);
    for (size_t c = 0; learns && c < q->count; c++) q->grad[c] += (float)(scale * (double)home->learnt[c]);
    return NZ_OK;
}

static const nz_step_kind quant_kind = {"quantiser", quant_forward, quant_backward, NULL, false};

/* ---- from the graph ---- */

static bool same_constant(const nz_tensor *a, const nz_tensor *b) {
    if (!a || !b) return a == b;
    return a->dtype == b->dtype && a->bytes == b->bytes &&
           nz_shape_elements(&a->shape) == nz_shape_elements(&b->shape) && memcmp(a->data, b->data, a->bytes) == 0;
}

/* What a Q/DQ pair says. */
typedef struct pair {
    const nz_node *q, *dq;
    const nz_tensor *scale, *zero;
    nz_dtype dtype;
    int axis; /* -1: one scale for all */
} pair;

static const nz_tensor *input_constant(const nz_lowering *l, const nz_node *node, size_t i) {
    return i < node->input_count ? nz_lower_constant(l, node->inputs[i]) : NULL;
}

static bool read_pair(const nz_lowering *l, const nz_node *node, pair *ret_pair) {
    if (!nz_lower_is(node, "QuantizeLinear")) return false;
    pair p = {.q = node, .dq = nz_lower_only_reader(l, node->outputs[0]), .axis = -1};
    if (!nz_lower_is(p.dq, "DequantizeLinear") || p.dq->inputs[0] != node->outputs[0]) return false;
    p.scale = input_constant(l, node, 1);
    p.zero = input_constant(l, node, 2);
    p.dtype = l->graph->values[node->outputs[0]].dtype;
    bool has_zero = node->input_count > 2 && node->inputs[2] >= 0;
    if (!p.scale || p.scale->dtype != NZ_F32 || (has_zero && !p.zero) || !nz_dtype_get(p.dtype)->is_integer ||
        nz_attr_int(node, "block_size", 0) || !same_constant(p.scale, input_constant(l, p.dq, 1)) ||
        !same_constant(p.zero, input_constant(l, p.dq, 2)))
        return false;
    int64_t count = nz_shape_elements(&p.scale->shape);
    for (int64_t i = 1; p.zero && i < nz_shape_elements(&p.zero->shape); i++)
        if (nz_tensor_int(p.zero, i) != nz_tensor_int(p.zero, 0)) return false;
    int rank = l->graph->values[node->inputs[0]].shape.rank;
    int64_t axis = nz_attr_int(node, "axis", 1), other = nz_attr_int(p.dq, "axis", 1);
    if (count > 1) {
        axis += axis < 0 ? rank : 0;
        other += other < 0 ? rank : 0;
        if (axis != other || axis < 0 || axis >= rank) return false;
        p.axis = (int)axis;
    }
    *ret_pair = p;
    return true;
}

static int base_value(const nz_lowering *l, const nz_node *node, size_t i) {
    if (i >= node->input_count || node->inputs[i] < 0) return -1;
    int value = nz_graph_find_value(l->engine->base, l->graph->values[node->inputs[i]].name);
    return value >= 0 && l->engine->base->values[value].constant.data ? value : -1;
}

static nz_status add_site(nz_quantizer_home *home, const nz_quantizer_site *site) {
    NZ_TRY(nz_grow(&home->sites, &home->site_capacity, home->site_count + 1, sizeof *home->sites));
    home->sites[home->site_count++] = *site;
    return NZ_OK;
}

static nz_status new_quantizer(nz_engine *e, size_t *ret_index, const pair *p, const nz_slot *in) {
    const nz_dtype_info *info = nz_dtype_get(p->dtype);
    nz_quantizer q = {.name = in->name,
                      .is_weight = !in->behind_input,
                      .count = (size_t)nz_shape_elements(&p->scale->shape),
                      .low = 1,
                      .high = -1,
                      .averaging = 0.01F};
    nz_quantizer_home home = {0};
    q.zero = p->zero ? (int32_t)nz_tensor_int(p->zero, 0) : 0;
    q.least = info->is_signed ? -(1 << (info->bits - 1)) : 0;
    q.most = (1 << (info->bits - (info->is_signed ? 1 : 0))) - 1;
    q.symmetric = q.is_weight || !p->zero || (info->is_signed && q.zero == 0);
    int64_t samples = q.is_weight || in->shape.rank < 1 ? 1 : in->shape.dim[0];
    q.elements = in->elements / (samples > 0 ? samples : 1) / (int64_t)q.count;
    NZ_TRY(nz_grow(&e->quantizers, &e->quantizer_capacity, e->quantizer_count + 1, sizeof q));
    NZ_TRY(nz_grow(&e->quantizer_homes, &e->quantizer_home_capacity, e->quantizer_count + 1, sizeof home));
    nz_status status = nz_alloc_aligned(&q.scales, q.count, sizeof(float));
    if (status == NZ_OK) status = nz_alloc(&q.grad, q.count, sizeof(float));
    if (status == NZ_OK) status = nz_alloc(&home.learnt, q.count, sizeof(float));
    if (status != NZ_OK) {
        free(q.scales);
        free(q.grad);
        return status;
    }
    nz_tensor_to_f32(p->scale, q.scales);
    e->quantizers[e->quantizer_count] = q;
    e->quantizer_homes[e->quantizer_count] = home;
    *ret_index = e->quantizer_count++;
    return NZ_OK;
}

/* The quantiser that a pair belongs to: an earlier one where that reads the same scale. */
static nz_status quantizer_of(nz_lowering *l, size_t *ret_index, const pair *p, const nz_slot *in) {
    nz_engine *e = l->engine;
    nz_quantizer_site site = {{base_value(l, p->q, 1), base_value(l, p->dq, 1)},
                              {base_value(l, p->q, 2), base_value(l, p->dq, 2)}};
    for (size_t i = 0; i < e->quantizer_count && site.scale[0] >= 0; i++)
        for (size_t s = 0; s < e->quantizer_homes[i].site_count; s++) {
            if (e->quantizer_homes[i].sites[s].scale[0] != site.scale[0]) continue;
            if (e->quantizers[i].is_weight != !in->behind_input)
                return nz_fail(NZ_E_UNSUPPORTED, "node '%s' (%s): weights and activations share the scale '%s'",
                               p->q->name, p->q->op_type, l->graph->values[p->q->inputs[1]].name);
            *ret_index = i;
            return add_site(&e->quantizer_homes[i], &site);
        }
    NZ_TRY(new_quantizer(e, ret_index, p, in));
    return add_site(&e->quantizer_homes[*ret_index], &site);
}

static nz_train_quant layout_of(const nz_slot *slot, int axis) {
    nz_train_quant quant = {.outer = 1, .channels = 1, .inner = slot->elements};
    if (axis < 0) return quant;
    quant.channels = slot->shape.dim[axis];
    quant.inner = 1;
    if (slot->last) {
        quant.outer = slot->elements / (quant.channels ? quant.channels : 1);
        return quant;
    }
    for (int d = 0; d < axis; d++) quant.outer *= slot->shape.dim[d];
    for (int d = axis + 1; d < slot->shape.rank; d++) quant.inner *= slot->shape.dim[d];
    return quant;
}

nz_status nz_lower_quantizer(nz_lowering *l, const nz_node *node, bool *ret_done) {
    nz_engine *e = l->engine;
    pair p;
    int in = -1, out = -1;
    if (!read_pair(l, node, &p)) return NZ_OK;
    NZ_TRY(nz_lower_value(l, &in, node->inputs[0]));
    if (e->slots[in].place == NZ_SLOT_CONSTANT) return NZ_OK;
    if (e->slots[in].last && p.axis >= 0 && p.axis != 1) NZ_TRY(nz_lower_form(l, &in, in, false, NZ_DTYPE_NONE));
    size_t index = 0;
    NZ_TRY(quantizer_of(l, &index, &p, &e->slots[in]));
    int value = p.dq->outputs[0];
    nz_slot slot = e->slots[in];
    NZ_TRY(nz_lower_slot(l, &out, NZ_SLOT_BLOCK, l->graph->values[value].name, slot.dtype, &slot.shape, slot.last));
    e->slots[out].behind_quantizer = true;
    quant_step *self = NULL;
    NZ_TRY(nz_alloc(&self, 1, sizeof *self));
    *self = (quant_step){.index = index, .quant = layout_of(&slot, p.axis)};
    nz_engine_step step = {.kind = &quant_kind,
                           .node = node,
                           .self = self,
                           .grad_inputs = 1,
                           .reads_in = 1,
                           .shares = 0,
                           .grad_shares = 1,
                           .always = true};
    NZ_TRY(nz_lower_step(l, &step, &in, 1, &out, 1));
    l->slot_of[value] = out;
    nz_lower_take(l, p.dq);
    *ret_done = true;
    return NZ_OK;
}
