/* SPDX-License-Identifier: Apache-2.0 */
/* The graph that was opened, with what training has made of its constants. */
#include "core/error.h"
#include "train/plan.h"

static nz_status set_floats(nz_graph *graph, int value, const float *values, int64_t count) {
    NZ_AUTO_TENSOR nz_tensor tensor = {0};
    NZ_TRY(nz_tensor_init(&tensor, graph->values[value].constant.dtype, &graph->values[value].constant.shape));
    for (int64_t i = 0; i < count; i++) nz_tensor_set_real(&tensor, i, (double)values[i]);
    return nz_graph_set_constant(graph, value, &tensor);
}

static nz_status set_params(nz_graph *graph, const nz_engine *e) {
    for (size_t i = 0; i < e->param_count; i++) {
        int64_t count = nz_shape_elements(&e->params[i].shape);
        NZ_AUTO_FREE float *plain = NULL;
        NZ_TRY(nz_alloc(&plain, (size_t)count, sizeof(float)));
        nz_param_get(&e->params[i], plain);
        NZ_TRY(set_floats(graph, e->param_homes[i].base_value, plain, count));
    }
    return NZ_OK;
}

static nz_status set_zero(nz_graph *graph, int value, int32_t zero) {
    NZ_AUTO_TENSOR nz_tensor tensor = {0};
    NZ_TRY(nz_tensor_init(&tensor, graph->values[value].constant.dtype, &graph->values[value].constant.shape));
    for (int64_t i = 0; i < nz_shape_elements(&tensor.shape); i++) nz_tensor_set_int(&tensor, i, zero);
    return nz_graph_set_constant(graph, value, &tensor);
}

static nz_status set_quantizers(nz_graph *graph, const nz_engine *e) {
    for (size_t i = 0; i < e->quantizer_count; i++) {
        const nz_quantizer *q = &e->quantizers[i];
        for (size_t s = 0; s < e->quantizer_homes[i].site_count; s++) {
            const nz_quantizer_site *site = &e->quantizer_homes[i].sites[s];
            for (int side = 0; side < 2; side++) {
                if (site->scale[side] >= 0) NZ_TRY(set_floats(graph, site->scale[side], q->scales, (int64_t)q->count));
                if (site->zero[side] >= 0) NZ_TRY(set_zero(graph, site->zero[side], q->zero));
            }
        }
    }
    return NZ_OK;
}

static nz_status fill(nz_graph *graph, const nz_engine *engine) {
    NZ_TRY(set_params(graph, engine));
    for (size_t i = 0; i < engine->running_count; i++)
        if (engine->running_homes[i].base_value >= 0)
            NZ_TRY(set_floats(graph, engine->running_homes[i].base_value, engine->running[i].value,
                              (int64_t)engine->running[i].elements));
    return set_quantizers(graph, engine);
}

/* Scales of weights as they were after the last step, all in one list: looking must change nothing that a run goes on from. */
static void exchange_scales(nz_engine *e, float *kept, bool back) {
    for (size_t i = 0; i < e->quantizer_count; i++)
        for (size_t c = 0; c < e->quantizers[i].count; c++, kept++)
            *(back ? &e->quantizers[i].scales[c] : kept) = *(back ? kept : &e->quantizers[i].scales[c]);
}

nz_status nz_engine_graph(nz_graph **ret_graph, nz_engine *engine) {
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO_FREE float *kept = NULL;
    size_t scales = 0;
    for (size_t i = 0; i < engine->quantizer_count; i++) scales += engine->quantizers[i].count;
    NZ_TRY(nz_alloc(&kept, scales, sizeof *kept));
    NZ_TRY(nz_graph_clone(&graph, engine->base));
    exchange_scales(engine, kept, false);
    nz_status status = nz_engine_refresh(engine);
    if (status == NZ_OK) status = fill(graph, engine);
    exchange_scales(engine, kept, true);
    NZ_TRY(status);
    *ret_graph = NZ_STEAL(graph);
    return NZ_OK;
}
