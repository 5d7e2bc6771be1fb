/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "train/trainer.h"

#define RAMP_STEPS 2000.0

static void free_all(float **lists, size_t count) {
    for (size_t i = 0; lists && i < count; i++) free(lists[i]);
    free(lists);
}

void nz_average_done(nz_average *a) {
    free_all(a->params, a->param_count);
    free_all(a->running, a->running_count);
    free_all(a->scales, a->quantizer_count);
    *a = (nz_average){0};
}

static nz_status copy(float **ret_list, const float *values, size_t count) {
    NZ_TRY(nz_alloc_aligned(ret_list, count, sizeof **ret_list));
    if (count) memcpy(*ret_list, values, count * sizeof *values);
    return NZ_OK;
}

nz_status nz_average_init(nz_average *ret_average, nz_engine *engine, double keep) {
    NZ_AUTO(nz_average_done)
    nz_average a = {.engine = engine,
                    .keep = keep,
                    .param_count = nz_engine_param_count(engine),
                    .running_count = nz_engine_running_count(engine),
                    .quantizer_count = nz_engine_quantizer_count(engine)};
    NZ_TRY(nz_alloc(&a.params, a.param_count, sizeof *a.params));
    NZ_TRY(nz_alloc(&a.running, a.running_count, sizeof *a.running));
    NZ_TRY(nz_alloc(&a.scales, a.quantizer_count, sizeof *a.scales));
    for (size_t i = 0; i < a.param_count; i++) {
        const nz_param *p = nz_engine_param(engine, i);
        NZ_TRY(copy(&a.params[i], p->value, p->elements));
    }
    for (size_t i = 0; i < a.running_count; i++) {
        const nz_running *r = nz_engine_running(engine, i);
        NZ_TRY(copy(&a.running[i], r->value, r->elements));
    }
    for (size_t i = 0; i < a.quantizer_count; i++) {
        const nz_quantizer *q = nz_engine_quantizer(engine, i);
        NZ_TRY(copy(&a.scales[i], q->scales, q->count));
    }
    *ret_average = a;
    a = (nz_average){0};
    return NZ_OK;
}

static void move(float *average, const float *value, size_t count, float keep) {
    float take = 1 - keep;
    for (size_t i = 0; i < count; i++) average[i] = keep * average[i] + take * value[i];
}

static void hold_mask(float *average, const nz_param *p) {
    for (size_t k = 0; p->mask && k < p->elements; k++)
        if (p->mask[k] == 0) average[k] = 0;
}

void nz_average_step(nz_average *a, uint64_t step) {
    float keep = (float)(a->keep * (1 - exp(-(double)step / RAMP_STEPS)));
    for (size_t i = 0; i < a->param_count; i++) {
        const nz_param *p = nz_engine_param(a->engine, i);
        move(a->params[i], p->value, p->elements, keep);
        hold_mask(a->params[i], p);
    }
    for (size_t i = 0; i < a->running_count; i++) {
        const nz_running *r = nz_engine_running(a->engine, i);
        move(a->running[i], r->value, r->elements, keep);
    }
    for (size_t i = 0; i < a->quantizer_count; i++) { /* scales that are seen, not learnt, belong to the moment */
        const nz_quantizer *q = nz_engine_quantizer(a->engine, i);
        move(a->scales[i], q->scales, q->count, q->mode == NZ_QUANTIZER_LEARN ? keep : 0);
    }
}

static void exchange(float *a, float *b, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float kept = a[i];
        a[i] = b[i];
        b[i] = kept;
    }
}

void nz_average_exchange(nz_average *a) {
    for (size_t i = 0; i < a->param_count; i++) {
        nz_param *p = nz_engine_param(a->engine, i);
        hold_mask(a->params[i], p); /* one that came behind the last step */
        exchange(a->params[i], p->value, p->elements);
    }
    for (size_t i = 0; i < a->running_count; i++) {
        nz_running *r = nz_engine_running(a->engine, i);
        exchange(a->running[i], r->value, r->elements);
    }
    for (size_t i = 0; i < a->quantizer_count; i++) {
        nz_quantizer *q = nz_engine_quantizer(a->engine, i);
        exchange(a->scales[i], q->scales, q->count);
    }
}
