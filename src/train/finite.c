/* SPDX-License-Identifier: Apache-2.0 */
/* Whether training still has numbers: a state that has none must become neither a checkpoint nor a model. */
#include <math.h>

#include "train/trainer.h"

bool nz_all_finite(const float *x, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

const char *nz_state_not_finite(nz_engine *engine) {
    for (size_t i = 0; i < nz_engine_param_count(engine); i++) {
        const nz_param *p = nz_engine_param(engine, i);
        if (!nz_all_finite(p->value, p->elements)) return p->name;
    }
    for (size_t i = 0; i < nz_engine_running_count(engine); i++) {
        const nz_running *r = nz_engine_running(engine, i);
        if (!nz_all_finite(r->value, r->elements)) return r->name;
    }
    for (size_t i = 0; i < nz_engine_quantizer_count(engine); i++) {
        const nz_quantizer *q = nz_engine_quantizer(engine, i);
        if (!nz_all_finite(q->scales, q->count)) return q->name;
    }
    return NULL;
}
