/* SPDX-License-Identifier: Apache-2.0 */
/** "groups" of a results document: mean and standard deviation over seeds, in the main table's columns. */
#ifndef NZ_REPORT_GROUPS_H
#define NZ_REPORT_GROUPS_H

#include "core/text.h"
#include "report/view.h"

/** Whether the document has groups to show. Members of another type than they should have count as absent. */
bool nz_groups_any(const nz_view *view);
/** Each writes nothing where there are none. */
void nz_groups_put_text(nz_text *out, const nz_view *view);
void nz_groups_put_markdown(nz_text *out, const nz_view *view);
void nz_groups_put_tex(nz_text *out, const nz_view *view);
void nz_groups_put_csv(nz_text *out, const nz_view *view);  /**< every metric: mean, sd, n */
void nz_groups_put_html(nz_text *out, const nz_view *view); /**< a section of the page */

#endif
