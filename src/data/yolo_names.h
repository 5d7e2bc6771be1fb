/* SPDX-License-Identifier: Apache-2.0 */
/** The YAML file of a YOLO data set: its folder, its classes' names, the images of its splits. */
#ifndef NZ_DATA_YOLO_NAMES_H
#define NZ_DATA_YOLO_NAMES_H

#include <stddef.h>

#include "netzip/status.h"

typedef struct nz_yolo_description {
    char **names; /**< [count]; NULL: the file names no classes */
    size_t count;
    char *root;      /**< "path", as it stands there; NULL */
    char *splits[3]; /**< "train", "test", "val", as they stand there; NULL */
} nz_yolo_description;

/** Reads `names` (a list, or a mapping of class numbers), `nc`, `path`, `train`, `val` and `test`; other keys are passed
 * over. NZ_E_IO, NZ_E_FORMAT with the place, NZ_E_MEMORY. Release with nz_yolo_description_done. */
NZ_CHECKED nz_status nz_yolo_description_read(nz_yolo_description *ret_description, const char *path);
void nz_yolo_description_done(nz_yolo_description *description);

#endif
