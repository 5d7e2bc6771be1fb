/* SPDX-License-Identifier: Apache-2.0 */
/** Detectors in a comparison: from the boxes of a variant to its metrics, and to what the results show of it. */
#ifndef NZ_COMPARE_DETECTION_H
#define NZ_COMPARE_DETECTION_H

#include "compare/run.h"
#include "netzip/detection.h"

/** One image of the data that the report draws boxes on. */
typedef struct nz_picture {
    int64_t id;
    char *file;              /**< "samples/000000000139.png" */
    int width, height;       /**< of the file */
    double scale_x, scale_y; /**< from the stored image to the file */
} nz_picture;

typedef struct nz_pictures {
    size_t count;
    nz_picture *items;
} nz_pictures;

/** pictures.c: chooses options->pictures images, spread over those of `detections` that show objects, and writes them to
 * OUT/samples, at most 640 pixels wide and high. None without `out`. An image that cannot be read is left out. */
NZ_CHECKED nz_status nz_pictures_write(nz_pictures *ret_pictures, const nz_run *run, const nz_detections *detections);
void nz_pictures_done(nz_pictures *pictures);

/**
 * detection_values.c: sets the cells of variant `v` that its predictions decide, and its section of the results.
 *
 * @param row    [metric_count]
 * @param input  What else was gathered of the variant; its reasons say why there are no boxes.
 * @param pictures  Made with the first variant that has boxes.
 */
NZ_CHECKED nz_status nz_detection_row(nz_cell *row, nz_run *run, size_t v, const nz_metric_input *input,
                                      nz_pictures *pictures);

/** detection_json.c: the section "detection" of a model, and OUT/detections/NAME.json. */
NZ_CHECKED nz_status nz_detection_json(json_t **ret_json, const nz_run *run, size_t v,
                                       const nz_detection_scores *scores, const nz_detection_match *match,
                                       const nz_pictures *pictures);

#endif
