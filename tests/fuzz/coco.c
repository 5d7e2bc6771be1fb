/* SPDX-License-Identifier: Apache-2.0 */
/* COCO's annotations as a data set; its images are not there. */
#include "core/memory.h"
#include "fuzz.h"
#include "netzip/data.h"

static void check_sample(const nz_dataset *data, size_t i) {
    NZ_AUTO_FREE nz_object *objects = NULL;
    size_t count = 0;
    if (nz_data_objects(&objects, &count, data, i) != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !objects);
        return;
    }
    for (size_t k = 0; k < count; k++) {
        const nz_object *o = &objects[k];
        nz_fuzz_check(o->class_index >= 0 && (size_t)o->class_index < nz_data_classes(data));
        nz_fuzz_check(o->width >= 0 && o->height >= 0 && o->x - o->x == 0 && o->y - o->y == 0 &&
                      o->area - o->area == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    nz_dataset *data = NULL;
    char spec[256];
    snprintf(spec, sizeof spec, "coco:%s,images=/", nz_fuzz_file(bytes, count));
    if (nz_data_open(&data, spec, NULL, NZ_DATA_TRAIN, NULL) != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !strchr(nz_last_error(), '\n') && !data);
        return 0;
    }
    nz_fuzz_check(nz_data_has_objects(data) && nz_data_classes(data) > 0);
    for (size_t i = 0; i < nz_data_count(data) && i < 100; i++) check_sample(data, i);
    for (size_t c = 1; c < nz_data_classes(data); c++)
        nz_fuzz_check(nz_data_class_id(data, c) > nz_data_class_id(data, c - 1));
    nz_data_free(data);
    return 0;
}
