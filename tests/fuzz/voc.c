/* SPDX-License-Identifier: Apache-2.0 */
/* Pascal VOC's annotations. */
#include <math.h>

#include "core/memory.h"
#include "data/voc_xml.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    NZ_AUTO(nz_voc_label_done) nz_voc_label label = {0};
    if (nz_voc_label_parse(&label, (const char *)bytes, count, "fuzz") != NZ_OK) {
        nz_fuzz_check(strncmp(nz_last_error(), "fuzz:", 5) == 0 && !strchr(nz_last_error(), '\n') && !label.objects);
        return 0;
    }
    for (size_t k = 0; k < label.count; k++) {
        const nz_object *o = &label.objects[k].object;
        nz_fuzz_check(label.objects[k].name && label.objects[k].name[0] && label.objects[k].line > 0);
        nz_fuzz_check(isfinite(o->x) && isfinite(o->y) && o->width >= 0 && o->height >= 0);
    }
    return 0;
}
