/* SPDX-License-Identifier: Apache-2.0 */
/** report.html: one self-contained file. */
#ifndef NZ_REPORT_PAGE_H
#define NZ_REPORT_PAGE_H

#include "report/plots.h"
#include "report/view.h"

/** Writes the whole page. `view` is only changed by keeping more of its document's strings. */
NZ_CHECKED nz_status nz_page_put(nz_text *out, nz_view *view, const nz_plots *plots);

/** A model's name as element content, a long one shortened. */
void nz_page_put_name(nz_text *out, const char *name);

/** A plot as a figure; a large one as wide as the page. */
void nz_page_put_figure(nz_text *out, const nz_plot *plot);

/* The parts, in the order of the page. */
void nz_page_put_main_table(nz_text *out, const nz_view *view); /**< with its notes */
/** Nothing where there is no detector. */
void nz_page_put_detection(nz_text *out, const nz_view *view, const nz_plots *plots);
/** A row per model and class. */
void nz_classes_put_csv(nz_text *out, const nz_view *view);
void nz_page_put_all_metrics(nz_text *out, const nz_view *view);
void nz_page_put_definitions(nz_text *out, const nz_view *view);
NZ_CHECKED nz_status nz_page_put_provenance(nz_text *out, nz_view *view);

extern const char nz_page_style[];  /**< CSS */
extern const char nz_page_script[]; /**< JavaScript; holds no "</" */

#endif
