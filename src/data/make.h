/* SPDX-License-Identifier: Apache-2.0 */
/** Writing made data sets: what the forms of their folders share. */
#ifndef NZ_DATA_MAKE_H
#define NZ_DATA_MAKE_H

#include "netzip/data.h"
#include "netzip/progress.h"

/** What one call writes. */
typedef struct nz_making {
    const char *spec, *folder;
    const char *splits[2]; /**< the second one may be NULL */
    bool add_split;        /**< `spec` does not say which */
    const nz_progress *progress;
    size_t written, kept;
} nz_making;

/** Opens split `split` of the set. */
NZ_CHECKED nz_status nz_making_open(nz_dataset **ret_data, const nz_making *making, const char *split);
/** Writes sample `i` as a PNG where no file is: as it is stored where there are boxes in it, else after preprocessing. */
NZ_CHECKED nz_status nz_making_image(nz_making *making, const nz_dataset *data, size_t i, const char *path);
/** NZ_E_CANCELLED where it is to stop. */
NZ_CHECKED nz_status nz_making_step(const nz_making *making, size_t done, size_t count);
/** A set with objects: images/SPLIT, labels/SPLIT (YOLO), SPLIT.json (COCO) and data.yaml. Every split of the set names the same
 * classes: `any_split` is one of them. */
NZ_CHECKED nz_status nz_making_objects(nz_making *making, const nz_dataset *any_split);

#endif
