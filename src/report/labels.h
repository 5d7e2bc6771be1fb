/* SPDX-License-Identifier: Apache-2.0 */
/** Names beside points that overlap neither each other nor a point. */
#ifndef NZ_REPORT_LABELS_H
#define NZ_REPORT_LABELS_H

#include "report/canvas.h"

typedef struct nz_labels {
    size_t count;
    const nz_point *points;
    const char *const *names; /**< "": none */
    const size_t *colours;
    const nz_point *line; /**< corners of a line that names had better not cross */
    size_t line_count;
    double left, right, top, bottom; /**< where names may stand */
} nz_labels;

/** A box that is taken. */
typedef struct nz_box {
    double left, top, right, bottom;
} nz_box;

/**
 * Finds a place of the given size near a point that touches none of `taken` and lies within `bounds`.
 * @return false where there is none within reach; *ret_box untouched.
 */
bool nz_labels_place(nz_box *ret_box, nz_point point, double width, double height, const nz_box *taken,
                     size_t taken_count, nz_box bounds);

/** Draws what finds a place, with a thin line to its point where that is not close; the others keep their tooltips. */
void nz_labels_draw(nz_canvas *canvas, const nz_labels *labels);

#endif
