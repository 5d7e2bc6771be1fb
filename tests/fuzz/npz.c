/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy archives and the arrays in them. */
#include "data/npz.h"
#include "core/memory.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    nz_npz *npz = NULL;
    nz_npy npy;
    if (nz_npy_parse(&npy, bytes, count, "fuzz") == NZ_OK) nz_fuzz_check(npy.offset + npy.bytes == count);
    if (nz_npz_open_bytes(&npz, bytes, count, "fuzz") != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !npz);
        return 0;
    }
    for (size_t i = 0; i < nz_npz_count(npz) && i < 20; i++) {
        NZ_AUTO(nz_tensor_done) nz_tensor tensor = {0};
        if (nz_npz_get(&tensor, npz, nz_npz_name(npz, i)) != NZ_OK) {
            nz_fuzz_check(*nz_last_error() && !tensor.data);
            continue;
        }
        int64_t elements = nz_shape_elements(&tensor.shape);
        size_t expected = 0;
        nz_fuzz_check(elements >= 0 && nz_dtype_bytes(&expected, tensor.dtype, elements) == NZ_OK &&
                      expected == tensor.bytes);
        volatile double last = 0;
        for (int64_t e = 0; e < elements && e < 1000; e++) last = nz_tensor_real(&tensor, elements - 1 - e);
        (void)last;
    }
    nz_npz_free(npz);
    return 0;
}
