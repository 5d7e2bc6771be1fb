/* SPDX-License-Identifier: Apache-2.0 */
/** Boxes of many samples, and how they become nz_detections beside the data's ground truth. */
#ifndef NZ_DETECT_GATHER_H
#define NZ_DETECT_GATHER_H

#include "netzip/detect.h"

typedef struct nz_gathered {
    size_t count, capacity;
    size_t *samples; /**< indices into the data set, in the order they were added */
    size_t found_count, found_capacity;
    nz_found_box *found; /**< image: position in `samples` */
} nz_gathered;
void nz_gathered_done(nz_gathered *gathered);

/** Adds a sample with its boxes, mapped to the stored image. NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_gathered_add(nz_gathered *gathered, size_t sample, const nz_found_box *boxes, size_t count,
                                     const nz_placement *placement);
/** Ids, names, ground truth and the boxes (which are moved). Where the data have no objects, classes are the model's: as
 * many, and named as `graph` does (NULL: none has a name). */
NZ_CHECKED nz_status nz_gathered_finish(nz_detections *ret_detections, nz_gathered *gathered, const nz_dataset *data,
                                        const nz_graph *graph, size_t classes);

/** The names that a model carries, [count]; an entry is NULL where it has none. NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_class_names_read(char ***ret_names, const nz_graph *graph, size_t count);
/** What to tell the user where a name that the model gives to one of its `count` classes is that of another class of the data;
 * left alone where that is not so, or names are missing on either side. Owned: free(). NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_class_names_compare(char **ret_note, const nz_graph *graph, const nz_dataset *data,
                                            size_t count);

#endif
