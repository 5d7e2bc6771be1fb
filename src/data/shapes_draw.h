/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What pictures of shapes are drawn with: integer arithmetic only. Lengths are in units of 1/256 of 1/32 of the image's side,
 * whatever its size in pixels; a shape's own coordinates are in 1/1024 of its radius; angles in 1/256 of a turn; sines in
 * 1/16384.
 */
#ifndef NZ_DATA_SHAPES_DRAW_H
#define NZ_DATA_SHAPES_DRAW_H

#include <stdbool.h>

#include "core/random.h"
#include "data/shapes.h"

enum {
    NZ_DRAW_UNIT = 256,
    NZ_DRAW_SIDE = 32 * NZ_DRAW_UNIT,
    NZ_DRAW_ONE = 16384,
    NZ_DRAW_TURN = 256,
    NZ_DRAW_GRID = 6
};

/* The classes, in the order of their names. */
enum {
    NZ_ARROW,
    NZ_CIRCLE,
    NZ_CRESCENT,
    NZ_CROSS,
    NZ_HALFDISC,
    NZ_HOURGLASS,
    NZ_RING,
    NZ_SQUARE,
    NZ_STAR,
    NZ_TRIANGLE
};

typedef struct nz_rgb {
    int c[3];
} nz_rgb;

typedef struct nz_pose {
    int x, y, across, along; /**< centre and the two radii */
    int sine, cosine;
} nz_pose;

typedef enum nz_style { NZ_PLAIN, NZ_FADE, NZ_STRIPES, NZ_CHECKS, NZ_CLOUDS, NZ_STYLES } nz_style;

/** How an area is coloured: from `a` to `b`, by position. */
typedef struct nz_paint {
    nz_style style;
    nz_rgb a, b;
    int sine, cosine, period, phase;
    uint8_t grid[NZ_DRAW_GRID * NZ_DRAW_GRID]; /**< of clouds */
} nz_paint;

typedef struct nz_canvas {
    int size;
    int *rgb;     /**< size x size x 3, 0..255; NULL: only places are asked for */
    int *middle;  /**< [size] where pixels have their middle, across or down */
    int *quarter; /**< [4 * size] where the quarters of pixels have theirs */
    void *owned;
} nz_canvas;
NZ_CHECKED nz_status nz_canvas_init(nz_canvas *ret_canvas, int size, bool pixels);
void nz_canvas_done(nz_canvas *canvas);

int nz_draw_sine(int angle);
/** Uniform in [least, most]. */
int nz_draw_between(nz_random *random, int least, int most);
bool nz_draw_chance(nz_random *random, int percent);
nz_rgb nz_draw_color(nz_random *random);
nz_rgb nz_draw_near_color(nz_random *random, nz_rgb from, int spread);
int nz_draw_distance(nz_rgb a, nz_rgb b);
void nz_draw_texture(nz_random *random, nz_paint *with, nz_style chosen, int least_period, int most_period);
void nz_draw_turn(nz_pose *at, int angle);

/** Whether a place lies inside a shape. */
bool nz_draw_inside(const nz_pose *at, int shape, int x, int y);
/** Calls `use` for every pixel that a shape covers, with the sixteenths of it. */
void nz_draw_each(const nz_canvas *on, const nz_pose *at, int shape, void (*use)(void *user, int px, int py, int part),
                  void *user);
void nz_draw_shape(nz_canvas *on, const nz_pose *at, int shape, const nz_paint *with);
void nz_draw_fill(nz_canvas *on, const nz_paint *with);
/** Draws a paint at random and fills the canvas with it. */
void nz_draw_background(nz_canvas *on, nz_random *random, nz_paint *with);
/** One pass of 1 2 1 across and down. */
void nz_draw_blur(nz_canvas *on);
/** Light that falls off across the image, contrast and noise. */
void nz_draw_finish(uint8_t *rgb, const nz_canvas *on, nz_random *random);

#endif
