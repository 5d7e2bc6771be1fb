/* SPDX-License-Identifier: Apache-2.0 */
/** One image as each detector sees it: ground truth, the reference, every other model, side by side. */
#ifndef NZ_REPORT_SAMPLES_H
#define NZ_REPORT_SAMPLES_H

#include "core/text.h"
#include "report/boxes.h"
#include "report/view.h"

/** A panel: what it shows, and how that differs from the reference. */
typedef struct nz_sample_panel {
    char *heading, *note;
    size_t count;
    nz_box_mark *boxes;
    char **labels; /**< [count] of those whose class changed; else NULL */
} nz_sample_panel;

typedef struct nz_sample_sheet {
    const char *id;
    nz_picture picture; /**< rgb NULL: it is missing */
    uint8_t *rgb;
    char *data_uri;
    double width, height; /**< what boxes refer to */
    size_t class_count;
    const char **class_names; /**< borrowed from the view */
    double confidence;
    bool is_best;  /**< the confidence is the reference's best by F1 */
    size_t others; /**< models whose panel found no room */
    size_t count;
    nz_sample_panel *panels;
} nz_sample_sheet;

/**
 * @param reference  The row whose samples are shown, and that others are matched with.
 * @param[out] notes  Gets a line where the picture cannot be had.
 * @return NZ_E_MEMORY; a picture that is missing or broken is no failure.
 */
NZ_CHECKED nz_status nz_sample_sheet_get(nz_sample_sheet **ret_sheet, nz_text *notes, const nz_view *view,
                                         size_t reference, size_t sample);
/** NULL passes. */
void nz_sample_sheet_free(nz_sample_sheet *sheet);

#endif
