/* SPDX-License-Identifier: Apache-2.0 */
/** NumPy's archives (.npz): a zip file with an .npy array per member. Read bounded, written so that numpy.load takes them. */
#ifndef NZ_DATA_NPZ_H
#define NZ_DATA_NPZ_H

#include "core/memory.h"
#include "netzip/tensor.h"

/** An opened archive: its directory has been read and checked, its arrays not yet. */
typedef struct nz_npz nz_npz;
NZ_CHECKED nz_status nz_npz_open(nz_npz **ret_npz, const char *path);
/** The same over bytes in memory (borrowed until nz_npz_free). */
NZ_CHECKED nz_status nz_npz_open_bytes(nz_npz **ret_npz, const void *bytes, size_t count, const char *name);
void nz_npz_free(nz_npz *npz);                        /**< NULL passes */
size_t nz_npz_count(const nz_npz *npz);               /**< arrays */
const char *nz_npz_name(const nz_npz *npz, size_t i); /**< of array i, without ".npy"; borrowed */
/**
 * Array `name`, its checksum verified. Types b1, i1, i2, i4, i8, u1 to u8, f2, f4, f8, little-endian, C order, at most
 * NZ_MAX_RANK dimensions. An array stored uncompressed and well aligned stays in the mapped file, which lives on with it.
 *
 * @param[out] ret_tensor  Release with nz_tensor_done.
 * @return NZ_E_FORMAT: broken, or no such array; NZ_E_UNSUPPORTED: another type or order.
 */
NZ_CHECKED nz_status nz_npz_get(nz_tensor *ret_tensor, const nz_npz *npz, const char *name);
/** Opens, gets one array, closes. */
NZ_CHECKED nz_status nz_npz_read(nz_tensor *ret_tensor, const char *path, const char *name);

/** Writes arrays uncompressed, whole or not at all. NZ_E_UNSUPPORTED: a type that NumPy lacks (bfloat16, 4 bits), or 4 GB and more. */
NZ_CHECKED nz_status nz_npz_write(const char *path, const char *const *names, const nz_tensor *tensors, size_t count);

/** Type, shape and place of the data in the bytes of an .npy file. `name` for messages. */
typedef struct nz_npy {
    nz_dtype dtype;
    nz_shape shape;
    size_t offset, bytes; /**< of the data */
} nz_npy;
NZ_CHECKED nz_status nz_npy_parse(nz_npy *ret_npy, const uint8_t *bytes, size_t count, const char *name);

#endif
