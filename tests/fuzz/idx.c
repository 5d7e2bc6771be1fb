/* SPDX-License-Identifier: Apache-2.0 */
/* MNIST's idx files, gzip or not. */
#include "data/idx.h"
#include "core/memory.h"
#include "fuzz.h"

enum { INFLATED_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    nz_buffer *file = NULL, *inflated = NULL;
    nz_fuzz_check(nz_buffer_alloc(&file, count) == NZ_OK);
    if (count) memcpy(nz_buffer_data(file), bytes, count);
    if (nz_idx_bytes(&inflated, file, INFLATED_MAX, "fuzz") == NZ_OK) {
        nz_fuzz_check(inflated == file || nz_buffer_bytes(inflated) <= INFLATED_MAX);
        for (int rank = 1; rank <= 4; rank++) {
            nz_idx idx;
            if (nz_idx_parse(&idx, nz_buffer_data(inflated), nz_buffer_bytes(inflated), rank, "fuzz") != NZ_OK)
                continue;
            uint64_t elements = 1;
            for (int i = 0; i < rank; i++) elements *= idx.dim[i];
            nz_fuzz_check(elements + 4 + 4 * (uint64_t)rank == nz_buffer_bytes(inflated));
            volatile uint8_t last = elements ? idx.data[elements - 1] : 0;
            (void)last;
        }
        nz_buffer_unref(inflated);
    } else {
        nz_fuzz_check(*nz_last_error() && !inflated);
    }
    nz_buffer_unref(file);
    return 0;
}
