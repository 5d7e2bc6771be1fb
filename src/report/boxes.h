/* SPDX-License-Identifier: Apache-2.0 */
/** Images with boxes on a canvas: outlines in the class's colour, labels that can be read on any image. */
#ifndef NZ_REPORT_BOXES_H
#define NZ_REPORT_BOXES_H

#include "netzip/report.h"
#include "report/canvas.h"

/** The colour of a class: hues that differ for any kind of colour vision, then lighter and darker tones; they come again
 * after NZ_CLASS_COLOURS. */
nz_colour nz_class_colour(int32_t class_index);
enum { NZ_CLASS_COLOURS = 21 };
/** What is legible on a ground of this colour: ink or white. */
nz_colour nz_colour_on(nz_colour ground);

/** Where a panel's image lies on the canvas, how large its letters are, and what its classes are called. */
typedef struct nz_box_frame {
    double left, top, width, height;
    double letters; /**< size of the labels; lines are as wide as suits them */
    const char *const *class_names;
    size_t class_count;
} nz_box_frame;

/** The size of labels that suits an image of this extent. */
double nz_box_letters(double width, double height);
/** The image and its boxes. @param picture  What is shown below the boxes; its extent may differ from the panel's. */
void nz_boxes_draw(nz_canvas *canvas, const nz_box_panel *panel, const nz_picture *picture, nz_box_frame frame);
/** A sample of an outline, for a legend. */
void nz_box_draw_sample(nz_canvas *canvas, double x, double y, double width, double height, nz_colour colour,
                        nz_outline outline);

#endif
