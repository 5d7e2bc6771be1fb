/* SPDX-License-Identifier: Apache-2.0 */
/* Zooming, moving and recolouring of pixels: integers alone. */
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "data/augment.h"
#include "data/shapes_draw.h"

enum { ONE = NZ_AUGMENT_ONE, PLACES = 14, COLOR_ONE = 1 << PLACES, OUTSIDE = -2 };

static bool moves(const nz_augment_draw *draw) { return draw->zoom != ONE || draw->shift_x || draw->shift_y; }
static bool recolours(const nz_augment_draw *draw) {
    return draw->hue || draw->saturation != ONE || draw->brightness != ONE;
}
bool nz_augment_changes_pixels(const nz_augment_draw *draw) { return moves(draw) || recolours(draw); }

/* ---- Places ---- */

/* A pixel of the result lies between pixel `at` of the source and the next one, `part`/256 of the way. -1 and the last pixel
 * have one neighbour outside; OUTSIDE has both. */
typedef struct between {
    int at, part;
} between;

static int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b != 0 && a < 0); }

/* The middle of pixel i is (i + 1/2) along; what is divided by the zoom is its way from the moved middle of the image. */
static nz_status make_places(between **ret_places, int size, int32_t zoom, int32_t shift) {
    NZ_TRY(nz_alloc(ret_places, (size_t)size, sizeof **ret_places));
    for (int i = 0; i < size; i++) {
        int64_t way = ((int64_t)2 * i + 1 - size) * (ONE / 2) - (int64_t)shift * size;
        int64_t place = floor_divide(way * ONE, zoom) + ((int64_t)size - 1) * (ONE / 2);
        int64_t at = floor_divide(place, ONE);
        bool inside = at >= -1 && at < size;
        (*ret_places)[i] = (between){inside ? (int)at : OUTSIDE, (int)((place - at * ONE) >> 8)};
    }
    return NZ_OK;
}

/* Row `y` between its neighbours, 8 more bits, with one pixel of the fill on either side. */
static void blend_rows(uint16_t *out, const nz_image *image, const between *y, uint8_t fill) {
    size_t channels = (size_t)image->channels, row = (size_t)image->width * channels;
    const uint8_t *upper = y->at >= 0 ? image->pixels + (size_t)y->at * row : NULL;
    const uint8_t *lower = y->at + 1 < image->height ? image->pixels + (size_t)(y->at + 1) * row : NULL;
    unsigned part = (unsigned)y->part, rest = 256 - part;
    for (size_t c = 0; c < channels; c++) out[c] = out[channels + row + c] = (uint16_t)(fill * 256);
    out += channels;
    if (upper && lower)
        for (size_t x = 0; x < row; x++) out[x] = (uint16_t)(upper[x] * rest + lower[x] * part);
    else if (upper)
        for (size_t x = 0; x < row; x++) out[x] = (uint16_t)(upper[x] * rest + fill * part);
    else
        for (size_t x = 0; x < row; x++) out[x] = (uint16_t)(fill * rest + lower[x] * part);
}

static void blend_columns(uint8_t *out, const uint16_t *row, const between *places, int width, size_t channels,
                          uint8_t fill) {
    for (int x = 0; x < width; x++, out += channels) {
        if (places[x].at == OUTSIDE) {
            memset(out, fill, channels);
            continue;
        }
        const uint16_t *from = row + (size_t)(places[x].at + 1) * channels;
        unsigned part = (unsigned)places[x].part, rest = 256 - part;
        for (size_t c = 0; c < channels; c++)
            out[c] = (uint8_t)((from[c] * rest + from[c + channels] * part + (1u << 15)) >> 16);
    }
}

static nz_status move_pixels(uint8_t *out, const nz_image *image, const nz_augment_draw *draw, uint8_t fill) {
    NZ_AUTO_FREE between *across = NULL, *down = NULL;
    NZ_AUTO_FREE uint16_t *row = NULL;
    size_t channels = (size_t)image->channels, bytes = (size_t)image->width * channels;
    NZ_TRY(make_places(&across, image->width, draw->zoom, draw->shift_x));
    NZ_TRY(make_places(&down, image->height, draw->zoom, draw->shift_y));
    NZ_TRY(nz_alloc(&row, (size_t)image->width + 2, channels * sizeof *row));
    for (int y = 0; y < image->height; y++, out += bytes) {
        if (down[y].at == OUTSIDE) {
            memset(out, fill, bytes);
            continue;
        }
        blend_rows(row, image, &down[y], fill);
        blend_columns(out, row, across, image->width, channels, fill);
    }
    return NZ_OK;
}

/* ---- Colours ---- */

/* The sine of 1/65536 of a turn, in 1/16384: along a line between the table's. */
static int fine_sine(int angle) {
    enum { STEP = ONE / NZ_DRAW_TURN };
    int turned = angle & (ONE - 1), step = turned / STEP, within = turned % STEP;
    int below = nz_draw_sine(step), above = nz_draw_sine(step + 1);
    return below + (above - below) * within / STEP;
}

/* Turns about the axis of greys, then away from luma or to it, then lighter or darker; each row of the first two sums to one, so
 * that greys stay grey. */
static void make_matrix(int32_t matrix[3][3], const nz_augment_draw *draw) {
    enum { ROOT_THIRD = 9459 }; /* 1 / sqrt(3) */
    static const int luma[3] = {4899, 9617, 1868};
    int64_t cosine = fine_sine(draw->hue + ONE / 4), sine = (int64_t)fine_sine(draw->hue) * ROOT_THIRD / COLOR_ONE;
    int64_t same = (COLOR_ONE - cosine) / 3, turned[3][3];
    for (int i = 0; i < 3; i++) {
        turned[i][(i + 1) % 3] = same - sine;
        turned[i][(i + 2) % 3] = same + sine;
        turned[i][i] = COLOR_ONE - 2 * same;
    }
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            int64_t full = turned[i][j] * draw->saturation + (int64_t)luma[j] * (ONE - draw->saturation);
            matrix[i][j] = (int32_t)(full / ONE * draw->brightness / ONE);
        }
}

static uint8_t clipped(int32_t value) { return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value); }

static void recolour_rgb(uint8_t *out, const uint8_t *from, size_t pixels, const nz_augment_draw *draw) {
    int32_t m[3][3];
    make_matrix(m, draw);
    for (size_t i = 0; i < pixels; i++, out += 3, from += 3) {
        int32_t r = from[0], g = from[1], b = from[2], half = COLOR_ONE / 2;
        int32_t red = m[0][0] * r + m[0][1] * g + m[0][2] * b + half;
        int32_t green = m[1][0] * r + m[1][1] * g + m[1][2] * b + half;
        int32_t blue = m[2][0] * r + m[2][1] * g + m[2][2] * b + half;
        out[0] = clipped(red >> PLACES);
        out[1] = clipped(green >> PLACES);
        out[2] = clipped(blue >> PLACES);
    }
}

static void lighten(uint8_t *out, const uint8_t *from, size_t bytes, const nz_augment_draw *draw) {
    uint8_t table[256];
    for (int v = 0; v < 256; v++) table[v] = clipped((int32_t)(((int64_t)v * draw->brightness + ONE / 2) / ONE));
    for (size_t i = 0; i < bytes; i++) out[i] = table[from[i]];
}

nz_status nz_augment_pixels(nz_image *ret_image, const nz_image *image, const nz_augment_draw *draw, uint8_t fill) {
    NZ_AUTO(nz_image_done) nz_image result = {0};
    uint8_t *out = NULL;
    size_t pixels = (size_t)image->width * (size_t)image->height;
    const uint8_t *from = image->pixels;
    NZ_TRY(nz_image_init(&result, &out, image->width, image->height, image->channels));
    if (moves(draw)) {
        NZ_TRY(move_pixels(out, image, draw, fill));
        from = out;
    }
    if (image->channels != 3)
        lighten(out, from, pixels * (size_t)image->channels, draw);
    else if (recolours(draw))
        recolour_rgb(out, from, pixels, draw);
    *ret_image = result;
    result = (nz_image){0};
    return NZ_OK;
}
