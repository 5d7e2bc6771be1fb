/* SPDX-License-Identifier: Apache-2.0 */
/** Reading and writing ONNX files, bounded against hostile input. */
#ifndef NETZIP_ONNX_H
#define NETZIP_ONNX_H

#include "netzip/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Reads a model: parses, lifts every node to NZ_OPSET, infers the shapes that can be inferred with symbolic inputs.
 * Nothing is folded; weights stay mapped. A node that cannot be lifted keeps `unsupported` set; that is no error here.
 *
 * @param[out] ret_graph  Owned by the caller: nz_graph_free.
 * @return NZ_E_IO, NZ_E_FORMAT (broken file: one line with the place), NZ_E_UNSUPPORTED (opset above 28, tensors of
 *         strings among the weights), NZ_E_MEMORY.
 */
NZ_API NZ_CHECKED nz_status nz_model_load(nz_graph **ret_graph, const char *path);

/**
 * As nz_model_load, for looking at a model only: weights stay mapped even where the file does not align them to their
 * element type (nz_model_load copies those), so that memory stays small. Tensors of 64 KiB and more may therefore only be
 * read through nz_tensor_real, nz_tensor_int, nz_tensor_to_f32 or byte by byte.
 */
NZ_API NZ_CHECKED nz_status nz_model_load_in_place(nz_graph **ret_graph, const char *path);

/**
 * Writes a model as standard ONNX, whole or not at all: the lowest opset from 13 up that can express every node (21
 * where int4 is used), weights raw and inline; above 1.9 GB in an external file `<name>.data` beside it.
 */
NZ_API NZ_CHECKED nz_status nz_model_save(const nz_graph *graph, const char *path);

/** Bytes of the model file and the external data files it names (disk_bytes of metrics.md). */
NZ_API NZ_CHECKED nz_status nz_model_disk_bytes(uint64_t *ret_bytes, const char *path);

/** SHA-256 of the model file; where it names external data files, of its hash and theirs in their order. 64 hex digits. */
NZ_API NZ_CHECKED nz_status nz_model_sha256(char ret_hex[65], const char *path);

/** The external data files that a model names, as it names them: paths below its folder. Owned, each and the array: free(). */
NZ_API NZ_CHECKED nz_status nz_model_locations(char ***ret_locations, size_t *ret_count, const char *path);

/** Reads one serialised TensorProto (ONNX test vectors). Release with nz_tensor_done. */
NZ_API NZ_CHECKED nz_status nz_onnx_tensor_load(nz_tensor *ret_tensor, char **ret_name, const char *path);

#ifdef __cplusplus
}
#endif
#endif
