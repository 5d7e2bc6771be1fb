/* SPDX-License-Identifier: Apache-2.0 */
/* YOLO's label files (after a byte L) and the YAML that describes a set (after any other). */
#include <math.h>

#include "core/memory.h"
#include "data/yolo_label.h"
#include "data/yolo_names.h"
#include "fuzz.h"

static void read_label(const uint8_t *bytes, size_t count) {
    NZ_AUTO_FREE char *text = malloc(count + 1);
    NZ_AUTO_FREE nz_object *objects = NULL;
    size_t found = 0, classes = count % 3 ? 80 : 0;
    nz_fuzz_check(text);
    memcpy(text, bytes, count);
    text[count] = '\0';
    if (nz_yolo_label_parse(&objects, &found, text, "fuzz", classes) != NZ_OK) {
        nz_fuzz_check(strncmp(nz_last_error(), "fuzz:", 5) == 0 && !objects);
        return;
    }
    for (size_t k = 0; k < found; k++) {
        const nz_object *o = &objects[k];
        nz_fuzz_check(o->class_index >= 0 && o->class_index < (classes ? 80 : NZ_YOLO_CLASSES_MOST));
        nz_fuzz_check(o->width >= 0 && o->height >= 0 && o->width < 1.1 && fabs(o->x) < 2 && fabs(o->y) < 2);
    }
}

static void read_names(const uint8_t *bytes, size_t count) {
    NZ_AUTO(nz_yolo_description_done) nz_yolo_description d = {0};
    if (nz_yolo_description_read(&d, nz_fuzz_file(bytes, count)) != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !d.names);
        return;
    }
    for (size_t c = 0; c < d.count; c++) nz_fuzz_check(d.names[c]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (!count) return 0;
    if (bytes[0] == 'L')
        read_label(bytes + 1, count - 1);
    else
        read_names(bytes + 1, count - 1);
    return 0;
}
