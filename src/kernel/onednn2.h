/* SPDX-License-Identifier: Apache-2.0 */
/** What the files that call oneDNN share. */
#ifndef NZ_KERNEL_ONEDNN2_H
#define NZ_KERNEL_ONEDNN2_H

#include <dnnl.h>

#include "kernel/kernel.h"

extern dnnl_engine_t nz_onednn_engine; /**< after nz_onednn_start */
extern dnnl_stream_t nz_onednn_stream;
NZ_CHECKED nz_status nz_onednn_start(void);

/** What oneDNN refuses is not supported, without a message; only memory is a failure. */
NZ_CHECKED nz_status nz_onednn_check(dnnl_status_t status);
#define DO(call) NZ_TRY(nz_onednn_check(call))
/** `name`: for the message. */
NZ_CHECKED nz_status nz_onednn_execute(dnnl_primitive_t primitive, const dnnl_exec_arg_t *args, int count,
                                       const char *name);

dnnl_data_type_t nz_onednn_type(nz_dtype dtype); /**< dnnl_data_type_undef where there is none */
/** `rank` at least as large as the tensor's: extents of 1 go in front (broadcasting). */
NZ_CHECKED nz_status nz_onednn_describe(dnnl_memory_desc_t *md, const nz_mem *mem, int rank);
/** Strides of dense ONNX weights of a convolution as oneDNN's [g,] O, I, spatial; and the same left to the primitive. */
NZ_CHECKED nz_status nz_onednn_weights(dnnl_memory_desc_t *ret_plain, dnnl_memory_desc_t *ret_any,
                                       const nz_shape *shape, bool swapped, int64_t groups, nz_dtype plain_type,
                                       dnnl_data_type_t any_type);
void nz_onednn_window(const nz_window *w, bool transposed, dnnl_dims_t stride, dnnl_dims_t dilation, dnnl_dims_t begin,
                      dnnl_dims_t end);
/** Whether an implementation of that name is slower than our own C. */
bool nz_onednn_is_slow(const char *implementation);

#endif
