/* SPDX-License-Identifier: Apache-2.0 */
#include "core/error.h"
#include "data/source.h"
#include "netzip/arch.h"
#include "netzip/data.h"

static bool looks_like_channels(int64_t extent) { return extent == 1 || extent == 3 || extent == 4; }

nz_status nz_data_open_for_model(nz_dataset **ret_data, const char *spec, nz_data_use use, const nz_graph *graph) {
    if (graph->input_count != 1)
        return nz_fail(NZ_E_UNSUPPORTED, "data sets feed models with one input; this one has %zu", graph->input_count);
    const nz_shape *s = &graph->values[graph->inputs[0]].shape;
    const char *preprocess = nz_graph_meta(graph, "netzip.preprocess");
    if (s->rank != 4) return nz_data_open(ret_data, spec, preprocess, use, NULL);
    bool channels_last = looks_like_channels(s->dim[3]) && !looks_like_channels(s->dim[1]);
    int64_t nchw[3] = {s->dim[1], s->dim[2], s->dim[3]}, nhwc[3] = {s->dim[3], s->dim[1], s->dim[2]};
    const int64_t *chw = channels_last ? nhwc : nchw;
    bool known = chw[0] > 0 && chw[1] > 0 && chw[2] > 0;
    return nz_data_open_as(ret_data, spec, preprocess, use, known ? chw : NULL, channels_last);
}

nz_status nz_data_open_for_arch(nz_dataset **ret_data, const char *spec, nz_data_use use, const char *arch) {
    const nz_arch_info *info = arch ? nz_arch_get(arch) : NULL;
    nz_dataset *data = NULL;
    nz_shape shape;
    NZ_TRY(nz_data_open(&data, spec, NULL, use, NULL));
    nz_data_shape(data, &shape);
    if (!info || !info->detector || nz_shape_known(&shape)) {
        *ret_data = data;
        return NZ_OK;
    }
    nz_data_free(data);
    return nz_data_open(ret_data, spec, info->detector->preprocess, use, NULL);
}
