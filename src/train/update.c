/* SPDX-License-Identifier: Apache-2.0 */
#include "train/update.h"

#include <math.h>

#include "core/error.h"
#include "core/memory.h"

static void moments_free(nz_moments *moments, size_t count) {
    for (size_t i = 0; moments && i < count; i++) {
        free(moments[i].first);
        free(moments[i].second);
    }
    free(moments);
}

void nz_updater_done(nz_updater *u) {
    moments_free(u->params, u->param_count);
    moments_free(u->quantizers, u->quantizer_count);
    *u = (nz_updater){0};
}

static nz_status allocate(float **ret_zeros, size_t count) {
    float *zeros = NULL;
    NZ_TRY(nz_alloc_aligned(&zeros, count, sizeof *zeros));
    for (size_t i = 0; i < count; i++) zeros[i] = 0;
    *ret_zeros = zeros;
    return NZ_OK;
}

static nz_status moments_init(nz_moments *m, size_t elements, bool second) {
    NZ_TRY(allocate(&m->first, elements));
    if (second) NZ_TRY(allocate(&m->second, elements));
    m->elements = elements;
    return NZ_OK;
}

nz_status nz_updater_init(nz_updater *ret_updater, nz_engine *engine, const nz_train_options *options) {
    bool second = options->optimizer == NZ_OPTIMIZER_ADAMW;
    NZ_AUTO(nz_updater_done) nz_updater u = {.options = options, .engine = engine};
    size_t params = nz_engine_param_count(engine), quantizers = nz_engine_quantizer_count(engine);
    NZ_TRY(nz_alloc(&u.params, params, sizeof *u.params));
    u.param_count = params;
    NZ_TRY(nz_alloc(&u.quantizers, quantizers, sizeof *u.quantizers));
    u.quantizer_count = quantizers;
    for (size_t i = 0; i < params; i++)
        NZ_TRY(moments_init(&u.params[i], nz_engine_param(engine, i)->elements, second));
    for (size_t i = 0; i < quantizers; i++)
        NZ_TRY(moments_init(&u.quantizers[i], nz_engine_quantizer(engine, i)->count, second));
    *ret_updater = u;
    u = (nz_updater){0};
    return NZ_OK;
}

/* Weights that stay 0 have no part in the norm, else pruning would slow down what is left. */
static void clear_masked(nz_param *p) {
    for (size_t i = 0; p->mask && i < p->elements; i++) p->grad[i] = p->mask[i] != 0 ? p->grad[i] : 0;
}

static double gradient_norm(const nz_updater *u) {
    double sum = 0;
    for (size_t i = 0; i < u->param_count; i++) {
        nz_param *p = nz_engine_param(u->engine, i);
        clear_masked(p);
        sum += nz_train_square_sum(p->grad, p->elements);
    }
    for (size_t i = 0; i < u->quantizer_count; i++) {
        const nz_quantizer *q = nz_engine_quantizer(u->engine, i);
        if (q->mode == NZ_QUANTIZER_LEARN) sum += nz_train_square_sum(q->grad, q->count);
    }
    return sqrt(sum);
}

typedef struct pace {
    float lr, momentum, gradient_scale;
    uint64_t step;
} pace;

static void update(const nz_updater *u, const pace *at, nz_moments *m, float *value, const float *grad,
                   const float *mask, bool decays) {
    const nz_train_options *o = u->options;
    float decay = decays ? (float)o->weight_decay : 0;
    if (o->optimizer != NZ_OPTIMIZER_ADAMW) {
        nz_train_sgd sgd = {.lr = at->lr,
                            .momentum = at->momentum,
                            .decay = decay,
                            .gradient_scale = at->gradient_scale,
                            .nesterov = o->nesterov};
        nz_train_sgd_update(&sgd, value, grad, m->first, mask, m->elements);
    } else {
        nz_train_adamw adamw = {.lr = at->lr,
                                .beta1 = at->momentum,
                                .beta2 = (float)o->beta2,
                                .epsilon = (float)o->epsilon,
                                .decay = decay,
                                .gradient_scale = at->gradient_scale,
                                .step = at->step};
        nz_train_adamw_update(&adamw, value, grad, m->first, m->second, mask, m->elements);
    }
}

double nz_updater_step(nz_updater *u, double lr, double momentum, uint64_t step) {
    pace at = {.lr = (float)lr, .momentum = (float)momentum, .gradient_scale = 1, .step = step};
    double norm = 0;
    if (u->options->clip_norm > 0) {
        norm = gradient_norm(u);
        if (!isfinite(norm)) return NAN;
        if (norm > u->options->clip_norm) at.gradient_scale = (float)(u->options->clip_norm / (norm + 1e-6));
    }
    for (size_t i = 0; i < u->param_count; i++) {
        nz_param *p = nz_engine_param(u->engine, i);
        update(u, &at, &u->params[i], p->value, p->grad, p->mask, p->decays);
    }
    for (size_t i = 0; i < u->quantizer_count; i++) {
        nz_quantizer *q = nz_engine_quantizer(u->engine, i);
        if (q->mode != NZ_QUANTIZER_LEARN) continue;
        update(u, &at, &u->quantizers[i], q->scales, q->grad, NULL, false);
        for (size_t c = 0; c < q->count; c++)
            if (q->scales[c] < 1e-9F) q->scales[c] = 1e-9F; /* NaN stays, to be told of */
    }
    return norm;
}
