/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products through the kernel interface: what a well-tuned library reaches here, not what the silicon could. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/threads.h"
#include "kernel/kernel.h"
#include "measure/rate.h"

/* Large enough to be bound by arithmetic and to be split among many threads, small enough for ten passes in the time that a
 * slow board has: A, B and C together stay near a second-level cache. */
static const struct shape {
    int64_t m, n, k;
    bool conv; /* the same product written as a 1x1 convolution: other kernels do it */
} shapes[] = {{512, 512, 512, false}, {1024, 512, 1024, false}, {1024, 512, 512, true}};

static const struct {
    nz_dtype source, weights, result;
} types[NZ_PEAK_TYPES] = {
    [NZ_PEAK_FP32] = {NZ_F32, NZ_F32, NZ_F32},
    [NZ_PEAK_BF16] = {NZ_BF16, NZ_F32, NZ_BF16}, /* the kernel keeps its weights as bf16 */
    [NZ_PEAK_INT8] = {NZ_U8, NZ_I8, NZ_U8},
};

/* Operands of one product; all elements 1 or so, since the time of a product does not depend on them. */
typedef struct product {
    nz_kernel *kernel;
    void *source, *weights, *result, *scratch;
} product;

static void product_done(product *p) {
    nz_kernel_free(p->kernel);
    free(p->source);
    free(p->weights);
    free(p->result);
    free(p->scratch);
}

/* Zeros would let a CPU save power and hold its clock higher than real numbers do. */
static nz_status fill(void *ret_data, nz_dtype dtype, int64_t count) {
    unsigned char *data = NULL;
    size_t size = (size_t)nz_dtype_get(dtype)->bits / 8;
    NZ_TRY(nz_alloc_aligned(&data, (size_t)count, size));
    uint32_t state = 1;
    for (int64_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        float value = (float)(int32_t)(state >> 8) * (1.0F / 16777216.0F) - 0.5F;
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        if (dtype == NZ_F32) memcpy(data + 4 * i, &bits, 4);
        if (dtype == NZ_BF16) memcpy(data + 2 * i, (const uint16_t[]){(uint16_t)(bits >> 16)}, 2);
        if (dtype == NZ_U8 || dtype == NZ_I8) data[i] = (unsigned char)(state >> 24);
    }
    *(void **)ret_data = data;
    return NZ_OK;
}

static nz_status product_init(product *p, nz_peak_type type, const struct shape *s) {
    static const float scale = 1.0F / 4096;
    nz_kernel_desc desc = {.op = s->conv ? NZ_KERNEL_CONV : NZ_KERNEL_LINEAR,
                           .src_quant.scale = 1,
                           .src1_quant.scale = 1,
                           .dst_quant = {type == NZ_PEAK_INT8 ? 1.0F / 16 : 1, type == NZ_PEAK_INT8 ? 128 : 0},
                           .groups = 1};
    nz_shape source = {.rank = 2, .dim = {s->m, s->k}}, result = {.rank = 2, .dim = {s->m, s->n}};
    nz_tensor weights = {.dtype = types[type].weights, .shape = {.rank = 2, .dim = {s->n, s->k}}};
    if (s->conv) {
        int64_t side = 32, lines = s->m / side;
        source = (nz_shape){.rank = 4, .dim = {1, s->k, lines, side}};
        result = (nz_shape){.rank = 4, .dim = {1, s->n, lines, side}};
        weights.shape = (nz_shape){.rank = 4, .dim = {s->n, s->k, 1, 1}};
        desc.window = (nz_window){.rank = 2, .in = {1, lines, side}, .out = {1, lines, side}};
        for (int i = 0; i < 3; i++) desc.window.kernel[i] = desc.window.stride[i] = desc.window.dilation[i] = 1;
    }
    desc.src = nz_mem_channels_last(types[type].source, &source);
    desc.dst = nz_mem_channels_last(types[type].result, &result);
    desc.weights_transposed = !s->conv;
    NZ_TRY(fill(&p->source, types[type].source, s->m * s->k));
    NZ_TRY(fill(&p->weights, types[type].weights, s->n * s->k));
    NZ_TRY(fill(&p->result, types[type].result, s->m * s->n));
    weights.data = p->weights;
    desc.weights = &weights;
    if (types[type].weights == NZ_I8) desc.weight_scales = &scale, desc.weight_scale_count = 1;
    NZ_TRY(nz_kernel_new(&p->kernel, &desc));
    NZ_TRY(nz_alloc_aligned(&p->scratch, p->kernel->scratch_bytes ? p->kernel->scratch_bytes : 1, 1));
    p->kernel->bind(p->kernel, NZ_ARG_SRC, p->source);
    p->kernel->bind(p->kernel, NZ_ARG_DST, p->result);
    p->kernel->bind(p->kernel, NZ_ARG_SCRATCH, p->scratch);
    return NZ_OK;
}

static nz_status pass(void *user) {
    nz_kernel *kernel = ((product *)user)->kernel;
    return kernel->run(kernel);
}

static nz_status measure(nz_rate *rate, nz_peak_type type, const struct shape *s, double seconds) {
    NZ_AUTO(product_done) product p = {0};
    NZ_TRY(product_init(&p, type, s));
    rate->work = 2 * (uint64_t)s->m * (uint64_t)s->n * (uint64_t)s->k;
    snprintf(rate->how, sizeof rate->how, "%s, %lldx%lldx%lld", p.kernel->name, (long long)s->m, (long long)s->n,
             (long long)s->k);
    return nz_rate_measure(rate, pass, &p, seconds);
}

nz_status nz_peak_ops_get(nz_rate *rate, nz_peak_type type, double seconds) {
    nz_rate best = {.per_s = NAN, .spread_pct = NAN, .median_per_s = NAN};
    for (size_t i = 0; i < NZ_COUNT(shapes); i++) {
        nz_rate one = {0};
        nz_status status = measure(&one, type, &shapes[i], seconds / (double)NZ_COUNT(shapes));
        if (status == NZ_E_UNSUPPORTED) continue;
        NZ_TRY(status);
        if (isnan(best.per_s) || one.per_s > best.per_s) best = one;
        if (one.count < 3) break; /* the larger ones would take longer still */
    }
    if (isnan(best.per_s))
        snprintf(best.reason, sizeof best.reason,
                 "no kernel multiplies %s on this CPU: models of that type are computed in FP32",
                 nz_peak_type_name(type));
    *rate = best;
    return NZ_OK;
}
