/* SPDX-License-Identifier: Apache-2.0 */
/* Detections as a comparison keeps them: what is taken in can be written again, to the same bytes but for names. */
#include "compare/detections_file.h"
#include "core/memory.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    NZ_AUTO(nz_detections_done) nz_detections first = {0}, second = {0};
    NZ_AUTO_FREE char *written = NULL;
    size_t length = 0;
    if (nz_detections_unpack(&first, (const char *)bytes, count, "fuzz") != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !first.image_ids && !first.found_count);
        return 0;
    }
    for (size_t i = 0; i < first.truth_count; i++) {
        const nz_truth_box *b = &first.truths[i];
        nz_fuzz_check(b->image >= 0 && (size_t)b->image < first.image_count);
        nz_fuzz_check(b->class_index >= 0 && (size_t)b->class_index < first.class_count);
    }
    for (size_t i = 0; i < first.found_count; i++) {
        const nz_found_box *b = &first.found[i];
        nz_fuzz_check(b->image >= 0 && (size_t)b->image < first.image_count);
        nz_fuzz_check(b->class_index >= 0 && (size_t)b->class_index < first.class_count && b->score - b->score == 0);
    }
    nz_fuzz_check(nz_detections_pack(&written, &length, &first) == NZ_OK);
    nz_fuzz_check(nz_detections_unpack(&second, written, length, "fuzz") == NZ_OK);
    nz_fuzz_check(second.found_count == first.found_count && second.class_count == first.class_count);
    return 0;
}
