/* SPDX-License-Identifier: Apache-2.0 */
/* Saving a model: choose the opset, write. */
#include "core/error.h"
#include "netzip/onnx.h"
#include "onnx/onnx.h"
#include "pass/spelling.h"

/* protobuf ends at 2 GiB. */
static const uint64_t inline_most = UINT64_C(1900000000);

nz_status nz_model_save(const nz_graph *graph, const char *path) {
    int opset = 0;
    NZ_TRY(nz_fail_context(nz_pass_choose_opset(graph, &opset), "%s", path));
    return nz_onnx_write(graph, path, opset, inline_most);
}
