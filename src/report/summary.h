/* SPDX-License-Identifier: Apache-2.0 */
/** The comparison in plain words: what each model gained and lost against its baseline, and what the figures do not show. */
#ifndef NZ_REPORT_SUMMARY_H
#define NZ_REPORT_SUMMARY_H

#include "core/text.h"
#include "report/view.h"

/** One model's part. Plain text; each part may be empty. Names stand between Unicode isolates. */
typedef struct nz_summary_part {
    size_t row;
    nz_text gains, losses, noise; /**< one item a line */
    nz_text same;                 /**< a list with commas */
    nz_text remarks;              /**< whole sentences, one a line */
} nz_summary_part;

typedef struct nz_summary {
    nz_text verdict; /**< one line */
    nz_text lead;    /**< what was compared, on which data and machine */
    size_t count;
    nz_summary_part *parts;
    nz_text warnings; /**< of the whole run, one a line */
} nz_summary;

/** `view` is only changed by keeping more of its document's strings. */
NZ_CHECKED nz_status nz_summary_get(nz_summary *ret_summary, nz_view *view);
void nz_summary_done(nz_summary *summary);

/** How a value relates to the baseline's. */
typedef enum nz_change { NZ_CHANGE_UNKNOWN, NZ_CHANGE_SAME, NZ_CHANGE_NOISE, NZ_CHANGE_GAIN, NZ_CHANGE_LOSS } nz_change;
/** Unknown where a value is missing or no direction is better. Noise where the ratio of the same rounds may be 1,
 * where the difference on the same samples may be 0, else
 * where both have intervals and these overlap, else where a reading without an interval differs by less than 2%. */
nz_change nz_summary_change(const nz_view_column *column, const nz_view_cell *base, const nz_view_cell *own);

#endif
