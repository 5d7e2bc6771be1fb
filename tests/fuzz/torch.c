/* SPDX-License-Identifier: Apache-2.0 */
/* PyTorch checkpoints in their three forms: zip archive, stream, tar archive. */
#include "checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (!nz_safetensors_detect(bytes, count)) nz_fuzz_checkpoint(bytes, count);
    return 0;
}
