/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Tensors and element types. Row-major (C order), images NCHW. A tensor is a small value struct; its bytes live in a
 * shared buffer (weights, mapped files) or are borrowed.
 */
#ifndef NETZIP_TENSOR_H
#define NETZIP_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netzip/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Element types, numbered as ONNX TensorProto.DataType. */
typedef enum nz_dtype {
    NZ_DTYPE_NONE = 0,
    NZ_F32 = 1,
    NZ_U8 = 2,
    NZ_I8 = 3,
    NZ_U16 = 4,
    NZ_I16 = 5,
    NZ_I32 = 6,
    NZ_I64 = 7,
    NZ_STRING = 8, /**< named only; tensors of strings are not supported */
    NZ_BOOL = 9,
    NZ_F16 = 10,
    NZ_F64 = 11,
    NZ_U32 = 12,
    NZ_U64 = 13,
    NZ_C64 = 14,  /**< named only */
    NZ_C128 = 15, /**< named only */
    NZ_BF16 = 16,
    NZ_F8E4M3FN = 17,
    NZ_F8E4M3FNUZ = 18,
    NZ_F8E5M2 = 19,
    NZ_F8E5M2FNUZ = 20,
    NZ_U4 = 21, /**< two per byte, the first in the low half */
    NZ_I4 = 22, /**< two per byte, the first in the low half */
    NZ_DTYPE_END
} nz_dtype;

/** Facts of an element type; the one table that readers, writers, kernels and metrics ask. */
typedef struct nz_dtype_info {
    const char *name; /**< as in ONNX, lower case: "float", "int8", "bfloat16" */
    int bits;         /**< per stored element: 4, 8, 16, 32, 64, 128; 0 where not supported as a tensor */
    bool is_float, is_integer, is_signed;
} nz_dtype_info;
/** The row of an element type; that of NZ_DTYPE_NONE for an unknown number. Static. */
NZ_API const nz_dtype_info *nz_dtype_get(nz_dtype dtype);

#define NZ_MAX_RANK 8

/** rank -1: unknown rank. dim -1: unknown (symbolic) extent. */
typedef struct nz_shape {
    int rank;
    int64_t dim[NZ_MAX_RANK];
} nz_shape;

/** Number of elements; 1 for a scalar (rank 0). -1 where the rank or an extent is unknown, or the product overflows. */
NZ_API int64_t nz_shape_elements(const nz_shape *shape);
/** Whether ranks and all extents are the same, unknown ones included. */
NZ_API bool nz_shape_equal(const nz_shape *a, const nz_shape *b);
/** Whether the rank and every extent are known. */
NZ_API bool nz_shape_known(const nz_shape *shape);
/** Writes "1x3x224x224" ("scalar" for rank 0, "?" for an unknown extent, "unknown" for an unknown rank); returns `text`. */
NZ_API const char *nz_shape_text(const nz_shape *shape, char text[112]);
/** Bytes that `elements` elements take, 4-bit types packed. NZ_E_SHAPE where it overflows or the type has no tensors. */
NZ_API NZ_CHECKED nz_status nz_dtype_bytes(size_t *ret_bytes, nz_dtype dtype, int64_t elements);

struct nz_buffer;

typedef struct nz_tensor {
    nz_dtype dtype;
    nz_shape shape;
    void *data;              /**< NULL: shape and type only */
    size_t bytes;            /**< of data */
    struct nz_buffer *owner; /**< the shared buffer that holds data; NULL: borrowed */
} nz_tensor;

/** A zeroed tensor with a buffer of its own. Release with nz_tensor_done. NZ_E_SHAPE, NZ_E_MEMORY. */
NZ_API NZ_CHECKED nz_status nz_tensor_init(nz_tensor *ret_tensor, nz_dtype dtype, const nz_shape *shape);
/** A second reference to the same bytes (a borrowed tensor is copied). Release with nz_tensor_done. */
NZ_API NZ_CHECKED nz_status nz_tensor_share(nz_tensor *ret_tensor, const nz_tensor *tensor);
/** A tensor over memory of the caller, who keeps it. Nothing to release. */
NZ_API nz_tensor nz_tensor_borrow(nz_dtype dtype, const nz_shape *shape, void *data);
/** Lets go of the tensor's buffer and zeroes it; safe on a zeroed or borrowed one. */
NZ_API void nz_tensor_done(nz_tensor *tensor);

/** Element i as a double / 64-bit integer, whatever the type (4-bit unpacked, f16, bf16, f8 decoded; float to integer truncates and saturates). */
NZ_API double nz_tensor_real(const nz_tensor *tensor, int64_t i);
/** As nz_tensor_real, as a 64-bit integer. */
NZ_API int64_t nz_tensor_int(const nz_tensor *tensor, int64_t i);
/** Stores into element i; integers round half to even and saturate; f16/bf16/f8 round to nearest even. Not for shared tensors. */
NZ_API void nz_tensor_set_real(nz_tensor *tensor, int64_t i, double value);
/** As nz_tensor_set_real, from a 64-bit integer. */
NZ_API void nz_tensor_set_int(nz_tensor *tensor, int64_t i, int64_t value);
/** All elements as float into out[elements]; a fast path per type. */
NZ_API void nz_tensor_to_f32(const nz_tensor *tensor, float *out);

/** An 8-bit float of one of the four types. Encoding rounds to nearest even; beyond the largest value it gives that value
 * where `saturate` is set, else infinity or NaN as ONNX's Cast has it. */
NZ_API float nz_f8_to_f32(nz_dtype dtype, uint8_t bits);
/** Encodes, as told at nz_f8_to_f32. */
NZ_API uint8_t nz_f32_to_f8(nz_dtype dtype, float value, bool saturate);

/** IEEE half precision to single: exact. */
NZ_API float nz_f16_to_f32(uint16_t half);
/** Single to half precision: round to nearest even; overflow to infinity. */
NZ_API uint16_t nz_f32_to_f16(float value);
/** Bfloat16 to single precision: exact. */
NZ_API float nz_bf16_to_f32(uint16_t bits);
/** Single precision to bfloat16: round to nearest even; NaN stays NaN. */
NZ_API uint16_t nz_f32_to_bf16(float value);

#ifdef __cplusplus
}
#endif
#endif
