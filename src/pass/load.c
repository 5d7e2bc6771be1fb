/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a model: map, parse, lift, infer. */
#include "core/error.h"
#include "netzip/onnx.h"
#include "onnx/onnx.h"
#include "pass/infer.h"

static void unref_buffer(nz_buffer **buffer) { nz_buffer_unref(*buffer); }

static nz_status load(nz_graph **ret_graph, const char *path, bool in_place) {
    NZ_AUTO(unref_buffer) nz_buffer *buffer = NULL;
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_TRY(nz_buffer_map(&buffer, path));
    NZ_TRY(nz_onnx_parse(&graph, buffer, path, in_place));
    NZ_TRY(nz_fail_context(nz_pass_lift(graph), "%s", path));
    *ret_graph = NZ_STEAL(graph);
    return NZ_OK;
}

nz_status nz_model_load(nz_graph **ret_graph, const char *path) { return load(ret_graph, path, false); }

nz_status nz_model_load_in_place(nz_graph **ret_graph, const char *path) { return load(ret_graph, path, true); }
