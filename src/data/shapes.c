/* SPDX-License-Identifier: Apache-2.0 */
/* Lengths are in units of 1/256 of 1/32 of the image's side, whatever its size in pixels; a shape's own coordinates are
 * in 1/1024 of its radius; angles in 1/256 of a turn; sines in 1/16384. */
#include "data/shapes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/random.h"

enum { PIXEL = 256, SIDE = 32 * PIXEL, UNIT = 1024, ONE = 16384, TURN = 256, GRID = 6 };

/* In the order of the names, so that class folders written from the set are numbered alike. */
const char *const nz_shapes_names[NZ_SHAPES_CLASSES] = {"arrow",     "circle", "crescent", "cross", "halfdisc",
                                                        "hourglass", "ring",   "square",   "star",  "triangle"};
enum { ARROW, CIRCLE, CRESCENT, CROSS, HALFDISC, HOURGLASS, RING, SQUARE, STAR, TRIANGLE };

static const int16_t quarter_sine[TURN / 4 + 1] = {
    0,     402,   804,   1205,  1606,  2006,  2404,  2801,  3196,  3590,  3981,  4370,  4756,
    5139,  5520,  5897,  6270,  6639,  7005,  7366,  7723,  8076,  8423,  8765,  9102,  9434,
    9760,  10080, 10394, 10702, 11003, 11297, 11585, 11866, 12140, 12406, 12665, 12916, 13160,
    13395, 13623, 13842, 14053, 14256, 14449, 14635, 14811, 14978, 15137, 15286, 15426, 15557,
    15679, 15791, 15893, 15986, 16069, 16143, 16207, 16261, 16305, 16340, 16364, 16379, 16384};

static int sine(int angle) {
    angle &= TURN - 1;
    int within = angle % (TURN / 2), folded = within > TURN / 4 ? TURN / 2 - within : within;
    return angle < TURN / 2 ? quarter_sine[folded] : -quarter_sine[folded];
}

/* Uniform in [least, most]. */
static int between(nz_random *random, int least, int most) {
    return least + (int)nz_random_below(random, (uint64_t)(most - least + 1));
}
static bool chance(nz_random *random, int percent) { return between(random, 0, 99) < percent; }

typedef struct color {
    int c[3];
} color;

typedef struct pose {
    int x, y, across, along; /* centre and the two radii */
    int sine, cosine;
} pose;

typedef enum style { PLAIN, FADE, STRIPES, CHECKS, CLOUDS, STYLES } style;

/* How an area is coloured: from `a` to `b`, by position. */
typedef struct paint {
    style style;
    color a, b;
    int sine, cosine, period, phase;
    uint8_t grid[GRID * GRID]; /* of CLOUDS */
} paint;

typedef struct canvas {
    int size;
    int *rgb;     /* size x size x 3, 0..255 */
    int *middle;  /* [size] where pixels have their middle, across or down */
    int *quarter; /* [4 * size] where the quarters of pixels have theirs */
} canvas;

typedef struct point {
    int16_t x, y;
} point;

static bool in_polygon(const point *corners, size_t count, int u, int v) {
    bool inside = false;
    for (size_t i = 0, j = count - 1; i < count; j = i++) {
        int x1 = corners[i].x, y1 = corners[i].y, x2 = corners[j].x, y2 = corners[j].y;
        if ((y1 > v) == (y2 > v)) continue;
        int side = (x2 - x1) * (v - y1) - (u - x1) * (y2 - y1); /* which side of the edge the point is on */
        if ((side > 0) == (y2 > y1)) inside = !inside;
    }
    return inside;
}

static bool inside(int shape, int u, int v) {
    static const point triangle[] = {{0, -1024}, {887, 512}, {-887, 512}};
    static const point star[] = {{0, -1024}, {253, -348}, {974, -316}, {409, 133},   {602, 828},
                                 {0, 430},   {-602, 828}, {-409, 133}, {-974, -316}, {-253, -348}};
    static const point arrow[] = {{0, -1000},  {800, -50},  {300, -50}, {300, 950},
                                  {-300, 950}, {-300, -50}, {-800, -50}};
    int p = abs(u), q = abs(v), square = u * u + v * v;
    switch (shape) {
    case CIRCLE: return square <= 900 * 900;
    case SQUARE: return p <= 780 && q <= 780;
    case TRIANGLE: return in_polygon(triangle, NZ_COUNT(triangle), u, v);
    case STAR: return in_polygon(star, NZ_COUNT(star), u, v);
    case CROSS: return (p <= 270 && q <= 950) || (q <= 270 && p <= 950);
    case RING: return square <= 950 * 950 && square >= 520 * 520;
    case CRESCENT: return square <= 980 * 980 && (u - 480) * (u - 480) + v * v >= 780 * 780;
    case HALFDISC: return v >= -450 && u * u + (v + 450) * (v + 450) <= 1000 * 1000;
    case ARROW: return in_polygon(arrow, NZ_COUNT(arrow), u, v);
    default: return q <= 900 && p <= q * 8 / 10 + 70; /* HOURGLASS */
    }
}

static void to_local(const pose *at, int x, int y, int *u, int *v) {
    int dx = x - at->x, dy = y - at->y;
    *u = (dx * at->cosine + dy * at->sine) / ONE * UNIT / at->across;
    *v = (dy * at->cosine - dx * at->sine) / ONE * UNIT / at->along;
}

static int cloud(const uint8_t grid[GRID * GRID], int x, int y) {
    int step = SIDE / (GRID - 1) + 1, column = x / step, row = y / step, fx = x % step, fy = y % step;
    const uint8_t *g = grid + row * GRID + column;
    int upper = g[0] * (step - fx) + g[1] * fx, lower = g[GRID] * (step - fx) + g[GRID + 1] * fx;
    return (upper / step * (step - fy) + lower / step * fy) / step;
}

/* How much of `b` is in the paint at a place, 0..256. */
static int share(const paint *with, int x, int y) {
    int along = (x * with->cosine + y * with->sine) / ONE, other = (y * with->cosine - x * with->sine) / ONE;
    int far = 2 * SIDE / with->period * with->period; /* keeps what is divided above 0 */
    switch (with->style) {
    case FADE: return (along + 2 * SIDE) * 64 / SIDE;
    case STRIPES: return (along + 2 * far + with->phase) / with->period % 2 * 256;
    case CHECKS: return ((along + 2 * far + with->phase) / with->period + (other + 2 * far) / with->period) % 2 * 256;
    case CLOUDS: return cloud(with->grid, x, y);
    default: return 0;
    }
}

/* Blends the paint over a pixel; `part` of 16. */
static void blend(canvas *on, int px, int py, const paint *with, int part) {
    int s = share(with, on->middle[px], on->middle[py]);
    int *rgb = on->rgb + 3 * ((size_t)py * (size_t)on->size + (size_t)px);
    for (int c = 0; c < 3; c++) {
        int wanted = (with->a.c[c] * (256 - s) + with->b.c[c] * s) / 256;
        rgb[c] = (rgb[c] * (16 - part) + wanted * part) / 16;
    }
}

/* Sixteenths of a pixel that the shape covers; where the four corners agree, the rest is taken to. */
static int coverage(const canvas *on, const pose *at, int shape, int px, int py) {
    static const uint8_t corner[] = {0, 3, 12, 15};
    const int *x = on->quarter + 4 * (size_t)px, *y = on->quarter + 4 * (size_t)py;
    int hits = 0, u, v;
    for (int i = 0; i < 4; i++) {
        to_local(at, x[corner[i] % 4], y[corner[i] / 4], &u, &v);
        hits += inside(shape, u, v);
    }
    if (hits == 0 || hits == 4) return hits * 4;
    hits = 0;
    for (int i = 0; i < 16; i++) {
        to_local(at, x[i % 4], y[i / 4], &u, &v);
        hits += inside(shape, u, v);
    }
    return hits;
}

/* Pixels whose middle is that far from the shape's along one of its axes (times ONE) have no corner inside: saves most of
 * the work. No shape reaches FAR. */
enum { FAR = 1100 };
static int far_from(const canvas *on, const pose *at, int radius) {
    int pixel = SIDE / on->size + 4;
    return ONE * (FAR * radius / UNIT + 4) + pixel * (abs(at->sine) + abs(at->cosine)) / 2;
}

static int to_pixel(const canvas *on, int place) {
    int pixel = place * on->size / SIDE;
    return pixel < 0 ? 0 : pixel >= on->size ? on->size - 1 : pixel;
}

static void draw_shape(canvas *on, const pose *at, int shape, const paint *with) {
    int reach = (at->across > at->along ? at->across : at->along) * 3 / 2;
    int left = to_pixel(on, at->x - reach), right = to_pixel(on, at->x + reach);
    int top = to_pixel(on, at->y - reach), bottom = to_pixel(on, at->y + reach);
    int far_across = far_from(on, at, at->across), far_along = far_from(on, at, at->along);
    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++) {
            int dx = on->middle[x] - at->x, dy = on->middle[y] - at->y;
            if (abs(dx * at->cosine + dy * at->sine) > far_across || abs(dy * at->cosine - dx * at->sine) > far_along)
                continue;
            int part = coverage(on, at, shape, x, y);
            if (part) blend(on, x, y, with, part);
        }
}

static color random_color(nz_random *random) {
    color made;
    for (int c = 0; c < 3; c++) made.c[c] = between(random, 10, 245);
    return made;
}

static int distance(color a, color b) {
    int sum = 0;
    for (int c = 0; c < 3; c++) sum += abs(a.c[c] - b.c[c]);
    return sum;
}

static color near_color(nz_random *random, color from, int spread) {
    for (int c = 0; c < 3; c++) {
        int value = from.c[c] + between(random, -spread, spread);
        from.c[c] = value < 0 ? 0 : value > 255 ? 255 : value;
    }
    return from;
}

static void set_texture(nz_random *random, paint *with, style chosen, int least_period, int most_period) {
    int angle = between(random, 0, TURN - 1);
    with->style = chosen;
    with->sine = sine(angle);
    with->cosine = sine(angle + TURN / 4);
    with->period = between(random, least_period, most_period);
    with->phase = between(random, 0, 2 * with->period);
    for (int i = 0; i < GRID * GRID; i++) with->grid[i] = (uint8_t)between(random, 0, 255);
}

static void turn_pose(pose *at, int angle) {
    at->sine = sine(angle);
    at->cosine = sine(angle + TURN / 4);
}

static void draw_background(canvas *on, nz_random *random, paint *with) {
    with->a = random_color(random);
    with->b = near_color(random, with->a, 90);
    set_texture(random, with, (style)between(random, 0, STYLES - 1), 2 * PIXEL, 8 * PIXEL);
    for (int y = 0; y < on->size; y++)
        for (int x = 0; x < on->size; x++) blend(on, x, y, with, 16);
}

/* A bar or a dot, much smaller than the shapes that count. */
static void draw_clutter(canvas *on, nz_random *random) {
    paint with = {.a = random_color(random), .period = 1};
    pose at = {.x = between(random, 0, SIDE)};
    at.y = between(random, 0, SIDE);
    bool bar = chance(random, 60);
    at.across = between(random, PIXEL / 2, bar ? PIXEL : 2 * PIXEL);
    at.along = bar ? between(random, 2 * PIXEL, 7 * PIXEL) : at.across;
    turn_pose(&at, between(random, 0, TURN - 1));
    draw_shape(on, &at, bar ? SQUARE : CIRCLE, &with);
}

/* A bar over a part of the shape, away from its middle. */
static void draw_occluder(canvas *on, nz_random *random, const pose *target) {
    paint with = {.a = random_color(random), .period = 1};
    int angle = between(random, 0, TURN - 1), away = between(random, target->across / 3, target->across);
    pose at = {.x = target->x + away * sine(angle + TURN / 4) / ONE, .y = target->y + away * sine(angle) / ONE};
    at.across = between(random, PIXEL, 2 * PIXEL);
    at.along = between(random, 4 * PIXEL, 14 * PIXEL);
    turn_pose(&at, angle + between(random, -20, 20));
    draw_shape(on, &at, SQUARE, &with);
}

static void draw_target(canvas *on, nz_random *random, int shape, const paint *background, pose *at) {
    paint with = {.period = 1};
    do with.a = random_color(random);
    while (distance(with.a, background->a) < 190 || distance(with.a, background->b) < 190);
    with.b = near_color(random, with.a, 55);
    static const style fills[] = {PLAIN, FADE, STRIPES, CLOUDS};
    set_texture(random, &with, fills[between(random, 0, 3)], PIXEL, 4 * PIXEL);
    int radius = between(random, 17 * PIXEL / 2, 27 * PIXEL / 2), room = SIDE / 2 - radius + PIXEL;
    at->x = SIDE / 2 + between(random, -room, room);
    at->y = SIDE / 2 + between(random, -room, room);
    at->across = radius * between(random, 85, 115) / 100;
    at->along = radius * between(random, 85, 115) / 100;
    turn_pose(at, between(random, 0, TURN - 1));
    if (chance(random, 25)) { /* an outline: the same shape behind, a little larger */
        paint edge = {.a = random_color(random), .period = 1};
        pose wider = *at;
        wider.across += PIXEL;
        wider.along += PIXEL;
        draw_shape(on, &wider, shape, &edge);
    }
    draw_shape(on, at, shape, &with);
}

/* One pass of 1 2 1 over a row or column. */
static void blur_line(int *values, size_t step, int count) {
    int before = values[0];
    for (int i = 0; i < count; i++) {
        int here = values[(size_t)i * step], after = i + 1 < count ? values[(size_t)(i + 1) * step] : here;
        values[(size_t)i * step] = (before + 2 * here + after + 2) / 4;
        before = here;
    }
}

static void blur(canvas *on) {
    size_t size = (size_t)on->size;
    for (size_t line = 0; line < size; line++)
        for (size_t c = 0; c < 3; c++) {
            blur_line(on->rgb + 3 * line * size + c, 3, on->size);
            blur_line(on->rgb + 3 * line + c, 3 * size, on->size);
        }
}

/* Light that falls off across the image, contrast and noise. */
static void finish(uint8_t *rgb, const canvas *on, nz_random *random) {
    int angle = between(random, 0, TURN - 1), fall = between(random, 0, 60), contrast = between(random, 190, 256);
    int lift = between(random, -20, 20), noise = between(random, 0, 14), sx = sine(angle), sy = sine(angle + TURN / 4);
    for (int y = 0, i = 0; y < on->size; y++)
        for (int x = 0; x < on->size; x++) {
            int light = 256 + ((2 * x - on->size) * sx + (2 * y - on->size) * sy) / on->size * fall / ONE;
            for (int c = 0; c < 3; c++, i++) {
                uint64_t bits = nz_random_u64(random);
                int grain = (int)(bits & 0xff) + (int)(bits >> 8 & 0xff) + (int)(bits >> 16 & 0xff) - 383;
                int value = ((on->rgb[i] - 128) * contrast / 256 + 128 + lift) * light / 256 + grain * noise / 192;
                rgb[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
            }
        }
}

nz_status nz_shapes_draw(uint8_t *rgb, int size, uint64_t seed, unsigned split, uint64_t index) {
    nz_random random;
    canvas on = {.size = size};
    NZ_AUTO_FREE int *pixels = NULL;
    size_t side = (size_t)size;
    NZ_TRY(nz_alloc(&pixels, side * side * 3 + side * 5, sizeof *pixels));
    on.rgb = pixels;
    on.middle = pixels + side * side * 3;
    on.quarter = on.middle + side;
    for (int i = 0; i < size; i++) on.middle[i] = (2 * i + 1) * (SIDE / 2) / size;
    for (int i = 0; i < 4 * size; i++) on.quarter[i] = (2 * i + 1) * SIDE / (8 * size);
    nz_random_init(&random, seed, (uint64_t)split << 48 | index);
    paint background = {0};
    draw_background(&on, &random, &background);
    for (int n = between(&random, 1, 4); n > 0; n--) draw_clutter(&on, &random);
    pose target = {0};
    draw_target(&on, &random, (int)(index % NZ_SHAPES_CLASSES), &background, &target);
    if (chance(&random, 50)) draw_occluder(&on, &random, &target);
    if (chance(&random, 40)) draw_clutter(&on, &random);
    int passes = between(&random, 0, 2) * size / 32; /* as wide at every size */
    for (int n = 0; n < passes; n++) blur(&on);
    finish(rgb, &on, &random);
    return NZ_OK;
}
