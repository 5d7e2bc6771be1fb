/* SPDX-License-Identifier: Apache-2.0 */
/** What the targets of both kinds of checkpoints check. */
#ifndef NZ_TESTS_FUZZ_CHECKPOINT_H
#define NZ_TESTS_FUZZ_CHECKPOINT_H

#include "fuzz.h"
#include "import/checkpoint.h"

static inline void nz_fuzz_checkpoint(const uint8_t *bytes, size_t count) {
    nz_checkpoint *checkpoint = NULL;
    volatile double sum = 0;
    if (nz_checkpoint_open_bytes(&checkpoint, bytes, count, NULL, "fuzz") != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !checkpoint);
        return;
    }
    nz_fuzz_check(nz_checkpoint_count(checkpoint) > 0 && *nz_checkpoint_describe(checkpoint));
    for (size_t i = 0; i < nz_checkpoint_count(checkpoint); i++) {
        const char *name = NULL;
        size_t expected = 0;
        const nz_tensor *tensor = nz_checkpoint_tensor(checkpoint, i, &name);
        int64_t elements = nz_shape_elements(&tensor->shape);
        nz_fuzz_check(*name && elements >= 0 && nz_dtype_bytes(&expected, tensor->dtype, elements) == NZ_OK &&
                      expected == tensor->bytes);
        for (int64_t e = 0; e < elements && e < 100; e++) sum += nz_tensor_real(tensor, elements - 1 - e);
    }
    nz_checkpoint_free(checkpoint);
}

#endif
