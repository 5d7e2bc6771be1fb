/* SPDX-License-Identifier: Apache-2.0 */
/** Detections as bytes: what a worker found on the data set, on its way to the comparison and kept for resuming. */
#ifndef NZ_COMPARE_DETECTIONS_FILE_H
#define NZ_COMPARE_DETECTIONS_FILE_H

#include <stddef.h>

#include "netzip/detection.h"

/** Ground truth and boxes as bytes of this machine's order. Owned: free(). NZ_E_MEMORY; NZ_E_ARG beyond the reader's limits. */
NZ_CHECKED nz_status nz_detections_pack(char **ret_bytes, size_t *ret_count, const nz_detections *detections);
/**
 * The way back. Counts are held against the number of bytes before anything is allocated; indices outside the images and
 * classes, and numbers that are none, are refused.
 * @param name  What messages call the bytes.
 * @return NZ_E_FORMAT, NZ_E_MEMORY.
 */
NZ_CHECKED nz_status nz_detections_unpack(nz_detections *ret_detections, const char *bytes, size_t count,
                                          const char *name);
/** nz_detections_pack into a file that appears whole or not at all. */
NZ_CHECKED nz_status nz_detections_save(const char *path, const nz_detections *detections, size_t *ret_bytes);
/** nz_detections_unpack of a file. NZ_E_IO where it is missing. */
NZ_CHECKED nz_status nz_detections_load(nz_detections *ret_detections, const char *path);

#endif
