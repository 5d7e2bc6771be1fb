/* SPDX-License-Identifier: Apache-2.0 */
/** NumPy's names of element types, for the reader and the writer of arrays. */
#ifndef NZ_DATA_NPY_H
#define NZ_DATA_NPY_H

#include "netzip/tensor.h"

/** "f4", "i8", ...; NULL where NumPy has no such type. Static. */
const char *nz_npy_code(nz_dtype dtype);

#endif
