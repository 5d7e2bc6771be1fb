/* SPDX-License-Identifier: Apache-2.0 */
/** The ONNX room's inner door: parsing without lifting, for src/pass/load.c and the fuzz targets. */
#ifndef NZ_ONNX_ONNX_H
#define NZ_ONNX_ONNX_H

#include "core/memory.h"
#include "netzip/graph.h"

/** Parses a ModelProto held in `buffer` (kept referenced by the graph's weights where their bytes can stay in place).
 * `path` names the file in messages and is the folder that external data must stay inside. Nodes keep the file's opset.
 * in_place: as nz_model_load_in_place. */
NZ_CHECKED nz_status nz_onnx_parse(nz_graph **ret_graph, nz_buffer *buffer, const char *path, bool in_place);
/** Writes a graph whose nodes are spelled in `opset`. Weights of more than inline_bytes in sum go to an external file. */
NZ_CHECKED nz_status nz_onnx_write(const nz_graph *graph, const char *path, int opset, uint64_t inline_bytes);
/** Parses a TensorProto. */
NZ_CHECKED nz_status nz_onnx_parse_tensor(nz_tensor *ret_tensor, char **ret_name, nz_buffer *buffer, const char *path);

#endif
