/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Tables, plots and the page, drawn from results.json alone: nothing is measured here, and everything can be drawn again.
 */
#ifndef NETZIP_REPORT_H
#define NETZIP_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "netzip/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Reads DIR/results.json (schema netzip.results/1) and writes table.csv, table.md, table.tex, plots/ *.svg, plots/ *.png
 * and report.html beside it. Each file appears whole or not at all; plots that an earlier call drew and this one does not
 * (a metric that has gone) are removed.
 *
 * @param progress  NULL: silent. A note says what could not be drawn as it should (no font on this machine).
 * @return NZ_E_IO without results.json or where a file cannot be written; NZ_E_FORMAT names what in it is broken;
 *         NZ_E_RESOURCE; NZ_E_MEMORY; NZ_E_CANCELLED.
 */
NZ_API NZ_CHECKED nz_status nz_report_write(const char *dir, const nz_progress *progress);

/**
 * Draws the plots of detectors alone (precision and recall, F1 and confidence, classes, confusion, boxes on sample images)
 * into DIR/plots, and removes plots of an earlier report: for results that are no comparison.
 *
 * @param results_json  A results document as text whose models have "detection". Borrowed. Pictures of samples are looked for
 *                      below DIR.
 * @return as nz_report_write.
 */
NZ_API NZ_CHECKED nz_status nz_report_detection(const char *dir, const char *results_json, const nz_progress *progress);

typedef enum nz_report_table_form {
    NZ_TABLE_TEXT, /**< aligned columns for a terminal */
    NZ_TABLE_MARKDOWN,
    NZ_TABLE_TEX,
    NZ_TABLE_CSV
} nz_report_table_form;

/**
 * One table of a results document, as nz_report_write writes it: a row per variant, the metrics that matter most, the
 * ratios and OCS (CSV: every metric, with interval, source and reason).
 *
 * @param results_json  The document as text. Borrowed.
 * @param[out] ret_text  Owned: free().
 * @return NZ_E_FORMAT, NZ_E_MEMORY.
 */
NZ_API NZ_CHECKED nz_status nz_report_table(char **ret_text, const char *results_json, nz_report_table_form form);

/**
 * Draws a training's learning curve: loss, accuracy (mAP of a detector) and learning rate over epochs.
 *
 * @param history   CSV as nz_train writes it (columns epoch, lr, train_loss, test_loss, train_top1_pct, test_top1_pct; of
 *                  detectors also test_map50_pct, test_map50_95_pct, box_loss, object_loss, class_loss; empty cells where
 *                  something was not measured).
 * @param svg, png  Files to write, whole or not at all; NULL: not that one.
 * @param title     What was trained, for the heading.
 * @return NZ_E_IO; NZ_E_FORMAT names the line that no training writes; NZ_E_RESOURCE; NZ_E_MEMORY.
 */
NZ_API NZ_CHECKED nz_status nz_report_curve(const char *history, const char *svg, const char *png, const char *title);

struct nz_meter_energy;
/**
 * Draws the power in an external meter's log over time: the window that was integrated, its mean and the idle power beside
 * it, gaps. Of many samples the least and the largest of each pixel are drawn, so that no peak is lost.
 *
 * @param svg, png  Files to write, whole or not at all; NULL: not that one.
 * @param columns   As nz_meter_options.columns.
 * @param energy    What nz_meter_energy_read found in the log.
 * @return as nz_meter_energy_read; NZ_E_RESOURCE, NZ_E_IO for the files.
 */
NZ_API NZ_CHECKED nz_status nz_report_power(const char *svg, const char *png, const char *log, const char *columns,
                                            const struct nz_meter_energy *energy);

/** How a box's outline is drawn. */
typedef enum nz_outline {
    NZ_OUTLINE_SOLID,
    NZ_OUTLINE_DASHED,
    NZ_OUTLINE_DOTTED /**< thinner, its label on paper instead of colour: what is not there */
} nz_outline;

/** A box to be drawn: corner and extent in pixels of its image. */
typedef struct nz_box_mark {
    int32_t class_index;        /**< its colour and its name; a negative one has neither */
    double x, y, width, height; /**< what lies outside the image is cut off; a box that is wholly outside is left out */
    double score;               /**< behind the name: "dog 0.87"; NaN: none */
    nz_outline outline;
    const char *label; /**< in place of the class's name; NULL: the name */
} nz_box_mark;

/** An image with boxes. */
typedef struct nz_box_panel {
    const char *heading; /**< above it; NULL or "": none */
    const uint8_t *rgb;  /**< [height, width, 3], borrowed */
    int width, height;
    size_t count;
    const nz_box_mark *boxes; /**< borrowed; drawn and labelled in descending order of score */
} nz_box_panel;

/**
 * Draws boxes on images and writes a PNG, whole or not at all.
 *
 * One panel without heading: the image itself, pixel for pixel (a longer side below 400 pixels is enlarged by a whole
 * factor, so that labels can be read). Else the panels side by side, wrapped into rows of four at most, each under its heading.
 * A class's colour hangs on its index alone; lines have a dark rim and labels a ground, so that they are seen on any image.
 *
 * @param class_names  [class_count] entries may be NULL; a class without a name is shown as its index. Borrowed.
 * @return NZ_E_ARG without panels or where an image has no pixels; NZ_E_IO, NZ_E_RESOURCE, NZ_E_MEMORY.
 */
NZ_API NZ_CHECKED nz_status nz_report_boxes(const char *png, const nz_box_panel *panels, size_t panel_count,
                                            const char *const *class_names, size_t class_count);

#ifdef __cplusplus
}
#endif
#endif
