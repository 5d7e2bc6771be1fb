/* SPDX-License-Identifier: Apache-2.0 */
/** Operators of detection models: NonMaxSuppression (of constants: its output's size depends on the data) and RoiAlign. */
#include <math.h>
#include <string.h>

#include "op/families.h"
#include "op/helper.h"

/* ---- NonMaxSuppression ---- */

typedef struct box {
    double low[2], high[2], score;
    int64_t index;
} box;

static int compare_boxes(const void *left, const void *right) {
    const box *a = left, *b = right;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

static box read_box(const nz_tensor *boxes, int64_t at, bool center) {
    double v[4];
    box b = {.index = 0};
    for (int k = 0; k < 4; k++) v[k] = nz_tensor_real(boxes, at * 4 + k);
    for (int k = 0; k < 2; k++) {
        /* Corners may come in either order; centres come with whole extents. */
        double first = center ? v[k] - v[k + 2] / 2 : v[k], second = center ? v[k] + v[k + 2] / 2 : v[k + 2];
        b.low[k] = first < second ? first : second;
        b.high[k] = first < second ? second : first;
    }
    return b;
}

static double overlap(const box *a, const box *b) {
    double inside = 1, area_a = 1, area_b = 1;
    for (int k = 0; k < 2; k++) {
        double low = fmax(a->low[k], b->low[k]), high = fmin(a->high[k], b->high[k]);
        inside *= high > low ? high - low : 0;
        area_a *= a->high[k] - a->low[k];
        area_b *= b->high[k] - b->low[k];
    }
    return inside > 0 ? inside / (area_a + area_b - inside) : 0;
}

typedef struct suppression {
    int64_t batches, classes, boxes, most;
    double iou, score;
    bool has_score, center;
} suppression;

static nz_status read_suppression(const nz_op_ctx *ctx, suppression *s) {
    const nz_shape *boxes = &ctx->in[0]->shape, *scores = &ctx->in[1]->shape;
    const nz_tensor *iou = nz_op_in(ctx, 3), *score = nz_op_in(ctx, 4);
    if (boxes->rank != 3 || scores->rank != 3 || boxes->dim[2] != 4 || boxes->dim[0] != scores->dim[0] ||
        boxes->dim[1] != scores->dim[2]) {
        char a[112], b[112];
        return nz_op_fail(ctx, NZ_E_SHAPE, "boxes of shape %s and scores of shape %s do not fit",
                          nz_shape_text(boxes, a), nz_shape_text(scores, b));
    }
    if ((iou && nz_shape_elements(&iou->shape) != 1) || (score && nz_shape_elements(&score->shape) != 1))
        return nz_op_fail(ctx, NZ_E_SHAPE, "thresholds must be single numbers");
    *s = (suppression){.batches = scores->dim[0], .classes = scores->dim[1], .boxes = scores->dim[2]};
    NZ_TRY(nz_op_int(ctx, 2, 0, &s->most));
    s->iou = iou ? nz_tensor_real(iou, 0) : 0;
    s->score = score ? nz_tensor_real(score, 0) : 0;
    s->has_score = score != NULL;
    s->center = nz_attr_int(ctx->node, "center_point_box", 0) != 0;
    return NZ_OK;
}

/** The boxes of one class that stay, in `kept` (room for all); the number of them. */
static int64_t suppress(const nz_op_ctx *ctx, const suppression *s, int64_t batch, int64_t class_, box *line,
                        box *kept) {
    int64_t candidates = 0, count = 0;
    for (int64_t i = 0; i < s->boxes; i++) {
        double score = nz_tensor_real(ctx->in[1], (batch * s->classes + class_) * s->boxes + i);
        if (isnan(score) || (s->has_score && !(score > s->score))) continue;
        line[candidates] = read_box(ctx->in[0], batch * s->boxes + i, s->center);
        line[candidates].score = score;
        line[candidates++].index = i;
    }
    qsort(line, (size_t)candidates, sizeof *line, compare_boxes);
    for (int64_t i = 0; i < candidates && count < s->most; i++) {
        bool free_of_others = true;
        for (int64_t k = 0; k < count && free_of_others; k++) free_of_others = !(overlap(&line[i], &kept[k]) > s->iou);
        if (free_of_others) kept[count++] = line[i];
    }
    return count;
}

/** Walks all classes; `out` (may be NULL) gets rows of (batch, class, box). */
static nz_status select_boxes(const nz_op_ctx *ctx, int64_t *out, int64_t *ret_count) {
    suppression s;
    NZ_AUTO_FREE box *line = NULL, *kept = NULL;
    int64_t count = 0;
    NZ_TRY(read_suppression(ctx, &s));
    NZ_TRY(nz_alloc(&line, (size_t)s.boxes, sizeof *line));
    NZ_TRY(nz_alloc(&kept, (size_t)s.boxes, sizeof *kept));
    for (int64_t b = 0; b < s.batches; b++)
        for (int64_t c = 0; c < s.classes; c++) {
            int64_t n = suppress(ctx, &s, b, c, line, kept);
            for (int64_t i = 0; i < n && out; i++) {
                int64_t *row = out + (count + i) * 3;
                row[0] = b, row[1] = c, row[2] = kept[i].index;
            }
            count += n;
        }
    if (ret_count) *ret_count = count;
    return NZ_OK;
}

static nz_status infer_suppression(const nz_op_ctx *ctx) {
    int64_t count = 0;
    NZ_TRY(nz_op_check(ctx, 2, 5, 1));
    NZ_TRY(select_boxes(ctx, NULL, &count));
    nz_op_set_out(ctx, 0, NZ_I64, &(nz_shape){.rank = 2, .dim = {count, 3}});
    return NZ_OK;
}

static nz_status run_suppression(const nz_op_ctx *ctx) { return select_boxes(ctx, ctx->out[0].data, NULL); }

static nz_status count_suppression(const nz_op_ctx *ctx, nz_op_cost *cost) {
    NZ_TRY(nz_op_count_input(ctx, cost));
    return nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->in[1]->shape), 1);
}

/* ---- RoiAlign ---- */

static nz_status infer_roi_align(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 3, 3, 1));
    NZ_TRY(nz_op_same_type(ctx, 0, 1));
    const char *mode = nz_attr_string(ctx->node, "mode", "avg");
    const char *transform = nz_attr_string(ctx->node, "coordinate_transformation_mode", "half_pixel");
    const nz_shape *in = &ctx->in[0]->shape, *rois = &ctx->in[1]->shape, *batches = &ctx->in[2]->shape;
    if ((strcmp(mode, "avg") != 0 && strcmp(mode, "max") != 0) ||
        (strcmp(transform, "half_pixel") != 0 && strcmp(transform, "output_half_pixel") != 0))
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "mode '%s' with coordinates '%s' is not supported", mode, transform);
    if (in->rank != 4 || rois->rank != 2 || (rois->dim[1] >= 0 && rois->dim[1] != 4) || batches->rank != 1 ||
        ctx->in[2]->dtype != NZ_I64 || (rois->dim[0] >= 0 && batches->dim[0] >= 0 && rois->dim[0] != batches->dim[0]))
        return nz_op_fail(ctx, NZ_E_SHAPE, "needs a tensor of rank 4, n x 4 regions and n int64 indices of images");
    int64_t height = nz_attr_int(ctx->node, "output_height", 1), width = nz_attr_int(ctx->node, "output_width", 1);
    if (height < 0 || width < 0 || height > 65536 || width > 65536 || in->dim[2] == 0 || in->dim[3] == 0)
        return nz_op_fail(ctx, NZ_E_SHAPE, "an output of %lldx%lld makes no sense", (long long)height,
                          (long long)width);
    if (nz_attr_int(ctx->node, "sampling_ratio", 0) < 0 || nz_attr_int(ctx->node, "sampling_ratio", 0) > 1024)
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "sampling_ratio must lie in 0..1024");
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &(nz_shape){.rank = 4, .dim = {rois->dim[0], in->dim[1], height, width}});
    return NZ_OK;
}

/** Four neighbours of a point, weighted bilinearly; `largest`: the largest weighted neighbour, as ONNX defines max. */
static double sample_point(const float *plane, int64_t height, int64_t width, double y, double x, bool largest) {
    if (!(y >= -1 && y <= (double)height && x >= -1 && x <= (double)width)) return 0;
    y = fmin(fmax(y, 0), (double)(height - 1));
    x = fmin(fmax(x, 0), (double)(width - 1));
    int64_t top = (int64_t)y, left = (int64_t)x;
    int64_t bottom = top + 1 < height ? top + 1 : top, right = left + 1 < width ? left + 1 : left;
    double dy = y - (double)top, dx = x - (double)left;
    double a = (1 - dy) * (1 - dx) * (double)plane[top * width + left],
           b = (1 - dy) * dx * (double)plane[top * width + right];
    double c = dy * (1 - dx) * (double)plane[bottom * width + left],
           d = dy * dx * (double)plane[bottom * width + right];
    return largest ? fmax(fmax(a, b), fmax(c, d)) : a + b + c + d;
}

typedef struct region {
    double start[2], bin[2]; /**< of y and x */
    int64_t grid[2];         /**< samples per bin */
} region;

static region read_region(const nz_op_ctx *ctx, int64_t r) {
    enum { MOST_SAMPLES = 1024 };
    double scale = (double)nz_attr_float(ctx->node, "spatial_scale", 1);
    bool half = strcmp(nz_attr_string(ctx->node, "coordinate_transformation_mode", "half_pixel"), "half_pixel") == 0;
    int64_t ratio = nz_attr_int(ctx->node, "sampling_ratio", 0);
    region out;
    for (int k = 0; k < 2; k++) {
        double low = nz_tensor_real(ctx->in[1], r * 4 + 1 - k) * scale - (half ? 0.5 : 0);
        double high = nz_tensor_real(ctx->in[1], r * 4 + 3 - k) * scale - (half ? 0.5 : 0);
        double extent = half ? high - low : fmax(high - low, 1);
        out.start[k] = low;
        out.bin[k] = extent / (double)ctx->out[0].shape.dim[2 + k];
        double samples = ratio > 0 ? (double)ratio : ceil(out.bin[k]);
        out.grid[k] = samples >= 1 ? (int64_t)fmin(samples, MOST_SAMPLES) : samples > 0 ? 1 : 0;
    }
    return out;
}

static double pool_bin(const region *r, const float *plane, const nz_shape *in, int64_t i, int64_t j, bool largest) {
    double sum = 0, most = -INFINITY;
    for (int64_t a = 0; a < r->grid[0]; a++)
        for (int64_t b = 0; b < r->grid[1]; b++) {
            double y = r->start[0] + r->bin[0] * ((double)i + ((double)a + 0.5) / (double)r->grid[0]);
            double x = r->start[1] + r->bin[1] * ((double)j + ((double)b + 0.5) / (double)r->grid[1]);
            double value = sample_point(plane, in->dim[2], in->dim[3], y, x, largest);
            sum += value;
            most = fmax(most, value);
        }
    int64_t count = r->grid[0] * r->grid[1];
    return count == 0 ? 0 : largest ? most : sum / (double)count;
}

static nz_status plain_roi_align(const nz_op_ctx *ctx) {
    const nz_shape *in = &ctx->in[0]->shape, *out = &ctx->out[0].shape;
    bool largest = strcmp(nz_attr_string(ctx->node, "mode", "avg"), "max") == 0;
    const int64_t *images = ctx->in[2]->data;
    float *to = ctx->out[0].data;
    for (int64_t n = 0; n < out->dim[0]; n++) {
        region r = read_region(ctx, n);
        if (images[n] < 0 || images[n] >= in->dim[0])
            return nz_op_fail(ctx, NZ_E_SHAPE, "image %lld is none of %lld", (long long)images[n],
                              (long long)in->dim[0]);
        for (int64_t c = 0; c < out->dim[1]; c++) {
            const float *plane =
                (const float *)ctx->in[0]->data + (images[n] * in->dim[1] + c) * in->dim[2] * in->dim[3];
            for (int64_t i = 0; i < out->dim[2]; i++)
                for (int64_t j = 0; j < out->dim[3]; j++) *to++ = (float)pool_bin(&r, plane, in, i, j, largest);
        }
    }
    return NZ_OK;
}
static nz_status run_roi_align(const nz_op_ctx *ctx) { return nz_op_run_widened(ctx, plain_roi_align); }

/** As a linear Resize of four taps, per sample of a bin where their number is given, else of one sample. */
static nz_status count_roi_align(const nz_op_ctx *ctx, nz_op_cost *cost) {
    int64_t ratio = nz_attr_int(ctx->node, "sampling_ratio", 0);
    return nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->out[0].shape),
                         7 * (uint64_t)(ratio > 0 ? ratio * ratio : 1));
}

/** Until opset 16 coordinates were not moved by half a pixel. */
static nz_status lift_roi_align(nz_graph *graph, int node) {
    if (graph->nodes[node].opset >= 16) return NZ_OK;
    return nz_node_set_string(&graph->nodes[node], "coordinate_transformation_mode", "output_half_pixel");
}

const nz_op nz_ops_detect[] = {
    {.name = "NonMaxSuppression",
     .versions = NZ_VERSIONS(10, 11),
     .canonical_since = 11,
     .plan_inputs = 31,
     .types = NZ_TYPE_BIT(NZ_F32),
     .attributes = NZ_ATTRIBUTES("center_point_box"),
     .infer = infer_suppression,
     .count = count_suppression,
     .run = run_suppression},
    {.name = "RoiAlign",
     .versions = NZ_VERSIONS(10, 16, 22),
     .canonical_since = 16,
     .types = NZ_TYPE_BIT(NZ_F32) | NZ_TYPE_BIT(NZ_F16) | NZ_TYPE_BIT(NZ_BF16),
     .attributes = NZ_ATTRIBUTES("mode", "output_height", "output_width", "sampling_ratio", "spatial_scale",
                                 "coordinate_transformation_mode"),
     .lift = lift_roi_align,
     .infer = infer_roi_align,
     .count = count_roi_align,
     .run = run_roi_align},
    {0},
};
