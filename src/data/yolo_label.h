/* SPDX-License-Identifier: Apache-2.0 */
/** A YOLO label file: one object a line. */
#ifndef NZ_DATA_YOLO_LABEL_H
#define NZ_DATA_YOLO_LABEL_H

#include <stddef.h>

#include "netzip/data.h"

/**
 * The objects of a label file, boxes as fractions of the image's extents. A line is "class cx cy width height", or a class and
 * the corners of a polygon of three or more, whose bounding box is taken; blank lines are passed over.
 *
 * @param text     0-terminated. Left as it is.
 * @param name     What messages call the file.
 * @param classes  How many there are; 0: up to NZ_YOLO_CLASSES_MOST.
 * @param[out] ret_objects  Owned: free(). NULL where there is none.
 * @return NZ_E_FORMAT: "name:line: ..."; NZ_E_MEMORY.
 */
NZ_CHECKED nz_status nz_yolo_label_parse(nz_object **ret_objects, size_t *ret_count, const char *text, const char *name,
                                         size_t classes);
enum { NZ_YOLO_CLASSES_MOST = 100000 };

#endif
