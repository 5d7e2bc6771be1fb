/* SPDX-License-Identifier: Apache-2.0 */
/** What netzip detect says about a run, as a table and as JSON. */
#ifndef NZ_CLI_DETECT_TEXT_H
#define NZ_CLI_DETECT_TEXT_H

#include "netzip/detect.h"

typedef struct nz_detect_summary {
    nz_detections detections;
    size_t broken;
    nz_detect_times times;
    char description[NZ_DETECT_TEXT];
    const nz_detect_options *options; /**< borrowed, as path */
    const char *path;
    double sure;           /**< boxes of at least this score are counted apart */
    size_t *all, *certain; /**< [classes] boxes, and those */
    bool has_truths;
    nz_coco_result coco;
    nz_yolo_result yolo;
} nz_detect_summary;
void nz_detect_summary_done(nz_detect_summary *summary);

/** Counts boxes, and evaluates them where there is ground truth. NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_detect_summary_score(nz_detect_summary *summary);
NZ_CHECKED nz_status nz_detect_summary_print(const nz_detect_summary *summary);
NZ_CHECKED nz_status nz_detect_summary_print_json(const nz_detect_summary *summary);

#endif
