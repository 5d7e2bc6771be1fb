/* SPDX-License-Identifier: Apache-2.0 */
/**
 * One drawing code, two forms. A plot is a function that draws on a canvas; it is called once for SVG, where text stays
 * text (searchable, readable aloud, in the reader's fonts, of any script), and once for PNG through Cairo. Positions are in
 * CSS pixels from the top left; widths of texts are measured by Cairo in both forms, so that both have one layout.
 */
#ifndef NZ_REPORT_CANVAS_H
#define NZ_REPORT_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/text.h"

typedef struct nz_canvas nz_canvas;

typedef struct nz_point {
    double x, y;
} nz_point;

/** 0xRRGGBB, or none. */
typedef uint32_t nz_colour;
#define NZ_NO_COLOUR 0xff000000u
#define NZ_PAPER 0xfffdf8u /**< what every plot is drawn on */

typedef struct nz_paint {
    nz_colour fill, stroke;
    double fill_alpha, width; /**< alpha 0: 1; width 0: 1 */
    double dash;              /**< length of dashes and gaps; 0: solid */
} nz_paint;

typedef enum nz_anchor { NZ_LEFT, NZ_MIDDLE, NZ_RIGHT } nz_anchor;

typedef struct nz_lettering {
    double size;
    nz_anchor anchor;
    nz_colour colour;
    bool bold;
    bool upwards; /**< turned by 90 degrees against the clock */
    bool halo;    /**< a rim of paper around the letters, where they may stand on lines */
} nz_lettering;

void nz_canvas_rect(nz_canvas *canvas, double x, double y, double width, double height, double round, nz_paint paint);
void nz_canvas_path(nz_canvas *canvas, const nz_point *points, size_t count, bool closed, nz_paint paint);
void nz_canvas_line(nz_canvas *canvas, double x1, double y1, double x2, double y2, nz_paint paint);
void nz_canvas_circle(nz_canvas *canvas, double x, double y, double radius, nz_paint paint);
/** `y` is the baseline. */
void nz_canvas_text(nz_canvas *canvas, double x, double y, const char *text, nz_lettering lettering);
/** What is drawn until nz_canvas_end belongs together and is told by `title` when pointed at. */
void nz_canvas_begin(nz_canvas *canvas, const char *title);
void nz_canvas_end(nz_canvas *canvas);

/** The drawing as a whole fails with this status; what is drawn after it does not matter. */
void nz_canvas_fail(nz_canvas *canvas, nz_status status);

double nz_canvas_text_width(nz_canvas *canvas, const char *text, double size, bool bold);
/** Copies the text, shortened by an ellipsis in its middle until it fits. */
void nz_canvas_fit(nz_canvas *canvas, nz_text *out, const char *text, double size, bool bold, double width);
/** Text that is shortened to fit; its full form is told when it is pointed at. */
void nz_canvas_text_fit(nz_canvas *canvas, double x, double y, const char *text, nz_lettering lettering, double width);

/** Pixels to be shown. */
typedef struct nz_picture {
    int width, height;
    const uint8_t *rgb;   /**< [height, width, 3]; NULL: a gray field */
    const char *data_uri; /**< the same for SVG; NULL: a gray field */
} nz_picture;
/** A picture that was drawn before at the same size is not held twice in an SVG. */
void nz_canvas_picture(nz_canvas *canvas, const nz_picture *picture, double x, double y, double width, double height);

/** A plot: its size and how it is drawn. */
typedef struct nz_drawing {
    double width, height;
    double png_scale;                /**< pixels of the PNG per unit; 0: 2 */
    const char *slug;                /**< file name without extension; prefix of ids within the SVG */
    const char *title, *description; /**< for those who cannot see it */
    void (*draw)(nz_canvas *canvas, const void *user);
    const void *user;
} nz_drawing;

/** The SVG as an element, for a file or for a page. */
NZ_CHECKED nz_status nz_canvas_svg(nz_text *out, const nz_drawing *drawing);
/** PNG bytes at `png_scale`. Owned: free(). */
NZ_CHECKED nz_status nz_canvas_png(char **ret_bytes, size_t *ret_count, const nz_drawing *drawing);
/** Whether Cairo finds a font at all; without one the letters of the PNG files are plain strokes. */
bool nz_canvas_has_font(void);

#endif
