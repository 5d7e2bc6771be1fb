/* SPDX-License-Identifier: Apache-2.0 */
#include "data/shapes_draw.h"

#include <stddef.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/memory.h"

enum { UNIT = 1024 };

/* In the order of the names, so that class folders written from the set are numbered alike. */
const char *const nz_shapes_names[NZ_SHAPES_CLASSES] = {"arrow",     "circle", "crescent", "cross", "halfdisc",
                                                        "hourglass", "ring",   "square",   "star",  "triangle"};
nz_status nz_canvas_init(nz_canvas *ret_canvas, int size, bool pixels) {
    int *owned = NULL;
    size_t side = (size_t)size, rgb = pixels ? side * side * 3 : 0;
    NZ_TRY(nz_alloc(&owned, rgb + side * 5, sizeof *owned));
    nz_canvas on = {.size = size, .rgb = pixels ? owned : NULL, .middle = owned + rgb, .owned = owned};
    on.quarter = on.middle + side;
    for (int i = 0; i < size; i++) on.middle[i] = (2 * i + 1) * (NZ_DRAW_SIDE / 2) / size;
    for (int i = 0; i < 4 * size; i++) on.quarter[i] = (2 * i + 1) * NZ_DRAW_SIDE / (8 * size);
    *ret_canvas = on;
    return NZ_OK;
}

void nz_canvas_done(nz_canvas *on) {
    free(on->owned);
    *on = (nz_canvas){0};
}

static const int16_t quarter_sine[NZ_DRAW_TURN / 4 + 1] = {
    0,     402,   804,   1205,  1606,  2006,  2404,  2801,  3196,  3590,  3981,  4370,  4756,
    5139,  5520,  5897,  6270,  6639,  7005,  7366,  7723,  8076,  8423,  8765,  9102,  9434,
    9760,  10080, 10394, 10702, 11003, 11297, 11585, 11866, 12140, 12406, 12665, 12916, 13160,
    13395, 13623, 13842, 14053, 14256, 14449, 14635, 14811, 14978, 15137, 15286, 15426, 15557,
    15679, 15791, 15893, 15986, 16069, 16143, 16207, 16261, 16305, 16340, 16364, 16379, 16384};

int nz_draw_sine(int angle) {
    angle &= NZ_DRAW_TURN - 1;
    int within = angle % (NZ_DRAW_TURN / 2), folded = within > NZ_DRAW_TURN / 4 ? NZ_DRAW_TURN / 2 - within : within;
    return angle < NZ_DRAW_TURN / 2 ? quarter_sine[folded] : -quarter_sine[folded];
}

int nz_draw_between(nz_random *random, int least, int most) {
    return least + (int)nz_random_below(random, (uint64_t)(most - least + 1));
}
bool nz_draw_chance(nz_random *random, int percent) { return nz_draw_between(random, 0, 99) < percent; }

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
    case NZ_CIRCLE: return square <= 900 * 900;
    case NZ_SQUARE: return p <= 780 && q <= 780;
    case NZ_TRIANGLE: return in_polygon(triangle, NZ_COUNT(triangle), u, v);
    case NZ_STAR: return in_polygon(star, NZ_COUNT(star), u, v);
    case NZ_CROSS: return (p <= 270 && q <= 950) || (q <= 270 && p <= 950);
    case NZ_RING: return square <= 950 * 950 && square >= 520 * 520;
    case NZ_CRESCENT: return square <= 980 * 980 && (u - 480) * (u - 480) + v * v >= 780 * 780;
    case NZ_HALFDISC: return v >= -450 && u * u + (v + 450) * (v + 450) <= 1000 * 1000;
    case NZ_ARROW: return in_polygon(arrow, NZ_COUNT(arrow), u, v);
    default: return q <= 900 && p <= q * 8 / 10 + 70; /* NZ_HOURGLASS */
    }
}

static void to_local(const nz_pose *at, int x, int y, int *u, int *v) {
    int dx = x - at->x, dy = y - at->y;
    *u = (dx * at->cosine + dy * at->sine) / NZ_DRAW_ONE * UNIT / at->across;
    *v = (dy * at->cosine - dx * at->sine) / NZ_DRAW_ONE * UNIT / at->along;
}

static int cloud(const uint8_t grid[NZ_DRAW_GRID * NZ_DRAW_GRID], int x, int y) {
    int step = NZ_DRAW_SIDE / (NZ_DRAW_GRID - 1) + 1, column = x / step, row = y / step, fx = x % step, fy = y % step;
    const uint8_t *g = grid + row * NZ_DRAW_GRID + column;
    int upper = g[0] * (step - fx) + g[1] * fx, lower = g[NZ_DRAW_GRID] * (step - fx) + g[NZ_DRAW_GRID + 1] * fx;
    return (upper / step * (step - fy) + lower / step * fy) / step;
}

/* How much of `b` is in the paint at a place, 0..256. */
static int share(const nz_paint *with, int x, int y) {
    int along = (x * with->cosine + y * with->sine) / NZ_DRAW_ONE,
        other = (y * with->cosine - x * with->sine) / NZ_DRAW_ONE;
    int far = 2 * NZ_DRAW_SIDE / with->period * with->period; /* keeps what is divided above 0 */
    switch (with->style) {
    case NZ_FADE: return (along + 2 * NZ_DRAW_SIDE) * 64 / NZ_DRAW_SIDE;
    case NZ_STRIPES: return (along + 2 * far + with->phase) / with->period % 2 * 256;
    case NZ_CHECKS:
        return ((along + 2 * far + with->phase) / with->period + (other + 2 * far) / with->period) % 2 * 256;
    case NZ_CLOUDS: return cloud(with->grid, x, y);
    default: return 0;
    }
}

/* Blends the paint over a pixel; `part` of 16. */
static void blend(nz_canvas *on, int px, int py, const nz_paint *with, int part) {
    int s = share(with, on->middle[px], on->middle[py]);
    int *rgb = on->rgb + 3 * ((size_t)py * (size_t)on->size + (size_t)px);
    for (int c = 0; c < 3; c++) {
        int wanted = (with->a.c[c] * (256 - s) + with->b.c[c] * s) / 256;
        rgb[c] = (rgb[c] * (16 - part) + wanted * part) / 16;
    }
}

/* Where the four corners agree, the rest is taken to. */
static int coverage(const nz_canvas *on, const nz_pose *at, int shape, int px, int py) {
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

/* Pixels whose middle is that far from the shape's along one of its axes (times NZ_DRAW_ONE) have no corner inside: saves
 * most of the work. No shape reaches FAR. */
enum { FAR = 1100 };
static int far_from(const nz_canvas *on, const nz_pose *at, int radius) {
    int pixel = NZ_DRAW_SIDE / on->size + 4;
    return NZ_DRAW_ONE * (FAR * radius / UNIT + 4) + pixel * (abs(at->sine) + abs(at->cosine)) / 2;
}

static int to_pixel(const nz_canvas *on, int place) {
    int pixel = place * on->size / NZ_DRAW_SIDE;
    return pixel < 0 ? 0 : pixel >= on->size ? on->size - 1 : pixel;
}

bool nz_draw_inside(const nz_pose *at, int shape, int x, int y) {
    int u, v;
    to_local(at, x, y, &u, &v);
    return abs(u) <= FAR && abs(v) <= FAR && inside(shape, u, v);
}

void nz_draw_each(const nz_canvas *on, const nz_pose *at, int shape, void (*use)(void *user, int px, int py, int part),
                  void *user) {
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
            if (part) use(user, x, y, part);
        }
}

typedef struct brush {
    nz_canvas *on;
    const nz_paint *with;
} brush;

static void paint_pixel(void *user, int px, int py, int part) {
    const brush *b = user;
    blend(b->on, px, py, b->with, part);
}

void nz_draw_shape(nz_canvas *on, const nz_pose *at, int shape, const nz_paint *with) {
    brush b = {on, with};
    nz_draw_each(on, at, shape, paint_pixel, &b);
}

nz_rgb nz_draw_color(nz_random *random) {
    nz_rgb made;
    for (int c = 0; c < 3; c++) made.c[c] = nz_draw_between(random, 10, 245);
    return made;
}

int nz_draw_distance(nz_rgb a, nz_rgb b) {
    int sum = 0;
    for (int c = 0; c < 3; c++) sum += abs(a.c[c] - b.c[c]);
    return sum;
}

nz_rgb nz_draw_near_color(nz_random *random, nz_rgb from, int spread) {
    for (int c = 0; c < 3; c++) {
        int value = from.c[c] + nz_draw_between(random, -spread, spread);
        from.c[c] = value < 0 ? 0 : value > 255 ? 255 : value;
    }
    return from;
}

void nz_draw_texture(nz_random *random, nz_paint *with, nz_style chosen, int least_period, int most_period) {
    int angle = nz_draw_between(random, 0, NZ_DRAW_TURN - 1);
    with->style = chosen;
    with->sine = nz_draw_sine(angle);
    with->cosine = nz_draw_sine(angle + NZ_DRAW_TURN / 4);
    with->period = nz_draw_between(random, least_period, most_period);
    with->phase = nz_draw_between(random, 0, 2 * with->period);
    for (int i = 0; i < NZ_DRAW_GRID * NZ_DRAW_GRID; i++) with->grid[i] = (uint8_t)nz_draw_between(random, 0, 255);
}

void nz_draw_turn(nz_pose *at, int angle) {
    at->sine = nz_draw_sine(angle);
    at->cosine = nz_draw_sine(angle + NZ_DRAW_TURN / 4);
}

void nz_draw_fill(nz_canvas *on, const nz_paint *with) {
    for (int y = 0; y < on->size; y++)
        for (int x = 0; x < on->size; x++) blend(on, x, y, with, 16);
}

void nz_draw_background(nz_canvas *on, nz_random *random, nz_paint *with) {
    with->a = nz_draw_color(random);
    with->b = nz_draw_near_color(random, with->a, 90);
    nz_draw_texture(random, with, (nz_style)nz_draw_between(random, 0, NZ_STYLES - 1), 2 * NZ_DRAW_UNIT,
                    8 * NZ_DRAW_UNIT);
    nz_draw_fill(on, with);
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

void nz_draw_blur(nz_canvas *on) {
    size_t size = (size_t)on->size;
    for (size_t line = 0; line < size; line++)
        for (size_t c = 0; c < 3; c++) {
            blur_line(on->rgb + 3 * line * size + c, 3, on->size);
            blur_line(on->rgb + 3 * line + c, 3 * size, on->size);
        }
}

void nz_draw_finish(uint8_t *rgb, const nz_canvas *on, nz_random *random) {
    int angle = nz_draw_between(random, 0, NZ_DRAW_TURN - 1), fall = nz_draw_between(random, 0, 60),
        contrast = nz_draw_between(random, 190, 256);
    int lift = nz_draw_between(random, -20, 20), noise = nz_draw_between(random, 0, 14), sx = nz_draw_sine(angle),
        sy = nz_draw_sine(angle + NZ_DRAW_TURN / 4);
    for (int y = 0, i = 0; y < on->size; y++)
        for (int x = 0; x < on->size; x++) {
            int light = 256 + ((2 * x - on->size) * sx + (2 * y - on->size) * sy) / on->size * fall / NZ_DRAW_ONE;
            for (int c = 0; c < 3; c++, i++) {
                uint64_t bits = nz_random_u64(random);
                int grain = (int)(bits & 0xff) + (int)(bits >> 8 & 0xff) + (int)(bits >> 16 & 0xff) - 383;
                int value = ((on->rgb[i] - 128) * contrast / 256 + 128 + lift) * light / 256 + grain * noise / 192;
                rgb[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
            }
        }
}
