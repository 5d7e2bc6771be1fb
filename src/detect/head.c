/* SPDX-License-Identifier: Apache-2.0 */
/* The heads: by which shapes one is told, where its values lie, how a box is read. */
#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "detect/detector.h"

static bool looks_like_channels(int64_t extent) { return extent == 1 || extent == 3 || extent == 4; }

bool nz_shape_is_nhwc(const nz_shape *input) {
    return input->rank == 4 && looks_like_channels(input->dim[3]) && !looks_like_channels(input->dim[1]);
}

float nz_sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

/* Cells along an extent: convolutions of stride 2 with padding round up. */
static size_t cells(size_t extent, int stride) { return (extent + (size_t)stride - 1) / (size_t)stride; }

static size_t all_cells(const nz_head_ask *ask) {
    size_t sum = 0;
    for (size_t i = 0; i < ask->levels.count; i++)
        sum += cells(ask->width, ask->levels.stride[i]) * cells(ask->height, ask->levels.stride[i]);
    return sum;
}

/* [batch, rows, values] as one block, or transposed. */
static void one_block(nz_head_fit *ret_fit, size_t output, size_t rows, size_t values, bool transposed) {
    *ret_fit = (nz_head_fit){.block_count = 1, .rows = rows};
    ret_fit->blocks[0] = (nz_head_block){.output = output,
                                         .rows = rows,
                                         .row_step = transposed ? 1 : values,
                                         .value_step = transposed ? rows : 1,
                                         .columns = rows};
}

/* Decoded boxes, [batch, rows, 5 + classes] in any output. */
static bool fits_rows(nz_head_fit *ret_fit, const nz_head_ask *ask, size_t rows) {
    for (size_t i = 0; i < ask->output_count; i++) {
        const nz_shape *s = &ask->outputs[i].shape;
        if (s->rank != 3 || s->dim[1] < 1 || s->dim[2] < 6) continue;
        if ((size_t)s->dim[1] != rows && !ask->named) continue;
        one_block(ret_fit, i, (size_t)s->dim[1], (size_t)s->dim[2], false);
        ret_fit->classes = (size_t)s->dim[2] - 5;
        return true;
    }
    return false;
}

static bool fits_yolov5(nz_head_fit *ret_fit, const nz_head_ask *ask) {
    return fits_rows(ret_fit, ask, all_cells(ask) * ask->levels.anchors);
}

static bool fits_yolox_decoded(nz_head_fit *ret_fit, const nz_head_ask *ask) {
    return fits_rows(ret_fit, ask, all_cells(ask));
}

/* One block a level, each with its grid. */
static bool fits_yolox(nz_head_fit *ret_fit, const nz_head_ask *ask) {
    nz_head_ask strict = *ask;
    strict.named = false;
    if (!fits_rows(ret_fit, &strict, all_cells(ask))) return false;
    nz_head_block whole = ret_fit->blocks[0];
    size_t first = 0;
    ret_fit->block_count = ask->levels.count;
    for (size_t i = 0; i < ask->levels.count; i++) {
        nz_head_block *b = &ret_fit->blocks[i];
        *b = whole;
        b->stride = (float)ask->levels.stride[i];
        b->columns = cells(ask->width, ask->levels.stride[i]);
        b->rows = b->columns * cells(ask->height, ask->levels.stride[i]);
        b->first = first;
        b->offset = first * whole.row_step;
        first += b->rows;
    }
    return true;
}

/* [batch, 4 + classes, rows], or [batch, rows, 4 + classes] where that is sure: YOLOX's outputs look alike. */
static bool fits_yolov8(nz_head_fit *ret_fit, const nz_head_ask *ask) {
    size_t rows = all_cells(ask);
    for (size_t i = 0; i < ask->output_count; i++) {
        const nz_shape *s = &ask->outputs[i].shape;
        if (s->rank != 3 || s->dim[1] < 1 || s->dim[2] < 1) continue;
        size_t a = (size_t)s->dim[1], b = (size_t)s->dim[2];
        bool plain = a >= 5 && (b == rows || (ask->named && a <= b));
        bool turned = b >= 5 && (ask->named ? a == rows || a > b : a == rows && b == 4 + ask->classes);
        if (!plain && !turned) continue;
        one_block(ret_fit, i, plain ? b : a, plain ? a : b, plain);
        ret_fit->classes = (plain ? a : b) - 4;
        return true;
    }
    return false;
}

/* How the values of one level of a raw head lie; `values` is 5 + classes. */
static bool raw_level(nz_head_block *ret, size_t *ret_anchor_step, size_t *ret_values, const nz_shape *s, size_t w,
                      size_t h, size_t anchors) {
    int64_t wide = (int64_t)w, high = (int64_t)h, n = (int64_t)anchors, channels = 0;
    if (s->rank == 5 && s->dim[1] == n && s->dim[2] == high && s->dim[3] == wide) {
        channels = s->dim[4] * n;
        ret->row_step = (size_t)s->dim[4];
        ret->value_step = 1;
        *ret_anchor_step = w * h * ret->row_step;
    } else if (s->rank == 4 && s->dim[2] == high && s->dim[3] == wide && s->dim[1] % n == 0) {
        channels = s->dim[1];
        ret->row_step = 1;
        ret->value_step = w * h;
        *ret_anchor_step = (size_t)(channels / n) * w * h;
    } else if (s->rank == 4 && s->dim[1] == high && s->dim[2] == wide && s->dim[3] % n == 0) {
        channels = s->dim[3];
        ret->row_step = (size_t)channels;
        ret->value_step = 1;
        *ret_anchor_step = (size_t)(channels / n);
    }
    *ret_values = (size_t)(channels / n);
    return *ret_values >= 6;
}

static bool is_taken(const nz_head_fit *fit, size_t output) {
    for (size_t b = 0; b < fit->block_count; b++)
        if (fit->blocks[b].output == output) return true;
    return false;
}

/* Lays the blocks of level `level` over the first output that has its shape and is no other level's (in a small input two
 * levels have as many cells). */
static bool add_raw_level(nz_head_fit *fit, const nz_head_ask *ask, size_t level) {
    int stride = ask->levels.stride[level];
    size_t w = cells(ask->width, stride), h = cells(ask->height, stride), anchor_step = 0, values = 0;
    for (size_t i = 0; i < ask->output_count; i++) {
        nz_head_block b = {.output = i, .rows = w * h, .columns = w, .stride = (float)stride};
        if (is_taken(fit, i) ||
            !raw_level(&b, &anchor_step, &values, &ask->outputs[i].shape, w, h, ask->levels.anchors))
            continue;
        if (fit->block_count && values != fit->classes + 5) continue;
        fit->classes = values - 5;
        for (size_t a = 0; a < ask->levels.anchors; a++) {
            b.offset = a * anchor_step;
            b.first = fit->rows;
            b.anchor[0] = (float)ask->levels.anchor[level][a][0];
            b.anchor[1] = (float)ask->levels.anchor[level][a][1];
            fit->blocks[fit->block_count++] = b;
            fit->rows += b.rows;
        }
        return true;
    }
    return false;
}

/* One output a level. A single map of features is taken for a head only where somebody says so. */
static bool fits_yolov5_raw(nz_head_fit *ret_fit, const nz_head_ask *ask) {
    *ret_fit = (nz_head_fit){0};
    size_t found = 0;
    for (size_t i = 0; ask->anchors && i < ask->levels.count; i++) found += add_raw_level(ret_fit, ask, i);
    return found >= 2 ? found == ask->output_count || ask->named : found && ask->named;
}

static void centre_to_corner(float ret_box[4], float x, float y, float w, float h) {
    ret_box[0] = x - w / 2;
    ret_box[1] = y - h / 2;
    ret_box[2] = w;
    ret_box[3] = h;
}

static void box_decoded(float ret_box[4], const nz_head_block *block, size_t row, const float *v, size_t step) {
    (void)block;
    (void)row;
    centre_to_corner(ret_box, v[0], v[step], v[2 * step], v[3 * step]);
}

static void box_yolox(float ret_box[4], const nz_head_block *block, size_t row, const float *v, size_t step) {
    float column = (float)(row % block->columns), line = (float)(row / block->columns), s = block->stride;
    centre_to_corner(ret_box, (v[0] + column) * s, (v[step] + line) * s, expf(v[2 * step]) * s, expf(v[3 * step]) * s);
}

static void box_raw(float ret_box[4], const nz_head_block *block, size_t row, const float *v, size_t step) {
    float column = (float)(row % block->columns), line = (float)(row / block->columns), s = block->stride;
    float w = nz_sigmoid(v[2 * step]) * 2, h = nz_sigmoid(v[3 * step]) * 2;
    centre_to_corner(ret_box, (nz_sigmoid(v[0]) * 2 - 0.5f + column) * s, (nz_sigmoid(v[step]) * 2 - 0.5f + line) * s,
                     w * w * block->anchor[0], h * h * block->anchor[1]);
}

static const nz_head_kind kinds[NZ_HEADS] = {
    [NZ_HEAD_AUTO] = {.name = "auto", .help = "told by the outputs' shapes, in the order of this list"},
    [NZ_HEAD_YOLOV5] = {.name = "yolov5",
                        .help = "[batch, boxes, 5 + classes]: decoded centre and extent, objectness, class scores",
                        .iou = 0.6,
                        .objectness = true,
                        .fits = fits_yolov5,
                        .box = box_decoded},
    [NZ_HEAD_YOLOV5_RAW] = {.name = "yolov5-raw",
                            .help =
                                "one output a level before the sigmoid: [batch, anchors, h, w, 5 + classes], [batch, "
                                "anchors * (5 + classes), h, w] or [batch, h, w, anchors * (5 + classes)]",
                            .iou = 0.6,
                            .objectness = true,
                            .logits = true,
                            .fits = fits_yolov5_raw,
                            .box = box_raw},
    [NZ_HEAD_YOLOV8] = {.name = "yolov8",
                        .help = "[batch, 4 + classes, boxes]: decoded, no objectness",
                        .iou = 0.6,
                        .fits = fits_yolov8,
                        .box = box_decoded},
    [NZ_HEAD_YOLOX] = {.name = "yolox",
                       .help =
                           "[batch, cells, 5 + classes]: centre from the cell and logarithm of the extent, in strides",
                       .iou = 0.65,
                       .objectness = true,
                       .fits = fits_yolox,
                       .box = box_yolox},
    [NZ_HEAD_YOLOX_DECODED] = {.name = "yolox-decoded",
                               .help = "the same with boxes in pixels; never told by shapes",
                               .iou = 0.65,
                               .objectness = true,
                               .never_told = true,
                               .fits = fits_yolox_decoded,
                               .box = box_decoded},
};

const nz_head_kind *nz_head_kind_get(int head) { return head > NZ_HEAD_AUTO && head < NZ_HEADS ? &kinds[head] : NULL; }

nz_head nz_head_of_kind(const nz_head_kind *kind) { return (nz_head)(kind - kinds); }

const char *nz_head_at(size_t i, const char **ret_help) {
    if (i >= NZ_COUNT(kinds)) return NULL;
    if (ret_help) *ret_help = kinds[i].help;
    return kinds[i].name;
}
