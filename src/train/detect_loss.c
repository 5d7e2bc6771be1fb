/* SPDX-License-Identifier: Apache-2.0 */
#include "train/detect_loss.h"

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/threads.h"

#define PI 3.14159265358979323846
#define TINY 1e-7 /* keeps divisions defined, as published */

enum { X, Y, WIDTH, HEIGHT, OBJECT, CLASSES };

/* ---- overlap ---- */

typedef struct span {
    double inner, outer;         /* lengths of what two boxes share along an axis, and of what holds both */
    double dinner[2], douter[2]; /* by centre and extent of the first box */
} span;

/* One axis: centres c, extents e. */
static span span_of(double c1, double e1, double c2, double e2) {
    double low1 = c1 - e1 / 2, high1 = c1 + e1 / 2, low2 = c2 - e2 / 2, high2 = c2 + e2 / 2;
    span s = {.inner = fmin(high1, high2) - fmax(low1, low2), .outer = fmax(high1, high2) - fmin(low1, low2)};
    double high_inside = high1 < high2 ? 1 : 0, low_inside = low1 > low2 ? 1 : 0;
    if (s.inner > 0) {
        s.dinner[0] = high_inside - low_inside;
        s.dinner[1] = (high_inside + low_inside) / 2;
    } else
        s.inner = 0;
    s.douter[0] = low_inside - high_inside; /* the other ends reach out */
    s.douter[1] = 1 - (high_inside + low_inside) / 2;
    return s;
}

double nz_complete_iou(const double b[4], const double t[4], double gradient[4]) {
    span x = span_of(b[0], b[2], t[0], t[2]), y = span_of(b[1], b[3], t[1], t[3]);
    double inter = x.inner * y.inner, join = b[2] * b[3] + t[2] * t[3] - inter + TINY, iou = inter / join;
    double diagonal = x.outer * x.outer + y.outer * y.outer + TINY;
    double dx = b[0] - t[0], dy = b[1] - t[1], distance = dx * dx + dy * dy;
    double slope = atan(t[2] / t[3]) - atan(b[2] / b[3]), shape = 4 / (PI * PI) * slope * slope;
    double weight = shape / (shape - iou + (1 + TINY));
    if (!gradient) return iou - (distance / diagonal + shape * weight);
    double square = b[2] * b[2] + b[3] * b[3], turn = 8 / (PI * PI) * slope * weight;
    const double dinter[4] = {x.dinner[0] * y.inner, y.dinner[0] * x.inner, x.dinner[1] * y.inner,
                              y.dinner[1] * x.inner};
    const double darea[4] = {0, 0, b[3], b[2]};
    const double ddiagonal[4] = {2 * x.outer * x.douter[0], 2 * y.outer * y.douter[0], 2 * x.outer * x.douter[1],
                                 2 * y.outer * y.douter[1]};
    const double ddistance[4] = {2 * dx, 2 * dy, 0, 0};
    const double dshape[4] = {0, 0, -turn * b[3] / square, turn * b[2] / square}; /* weight held */
    for (int i = 0; i < 4; i++) {
        double djoin = darea[i] - dinter[i];
        gradient[i] = (dinter[i] - iou * djoin) / join -
                      (ddistance[i] - distance / diagonal * ddiagonal[i]) / diagonal - dshape[i];
    }
    return iou - (distance / diagonal + shape * weight);
}

/* ---- cross-entropy by the sigmoid ---- */

static double sigmoid(double x) {
    double power = exp(-fabs(x));
    return x < 0 ? power / (1 + power) : 1 / (1 + power);
}

static double cross_entropy(double x, double target) { return (x > 0 ? x : 0) - x * target + log1p(exp(-fabs(x))); }

/* ---- what is assigned: boxes and classes ---- */

typedef struct loss {
    const nz_level *level;
    const nz_detect_gains *gains;
    const float *raw;
    float *gradient, *overlap; /* overlap: [batch, anchors, rows, columns] */
    double *sums;              /* [batch, anchors] of objectness */
} loss;

static size_t plane(const nz_level *l) { return (size_t)(l->rows * l->columns); }

/* Index of channel 0 of an assigned place in the raw outputs, and of the place among overlaps. */
static size_t place_of(const nz_level *l, const nz_assigned *a, size_t *ret_overlap) {
    size_t map = (size_t)(a->slot * l->anchors + a->anchor), at = (size_t)(a->row * l->columns + a->column);
    *ret_overlap = map * plane(l) + at;
    return map * (size_t)(CLASSES + l->classes) * plane(l) + at;
}

/* Adds the box's gradient; returns 1 - CIoU. */
static double lose_box(const loss *p, const nz_assigned *a, double scale) {
    const nz_level *l = p->level;
    size_t over, at = place_of(l, a, &over), step = plane(l);
    double s[4], box[4], by_box[4];
    const double wanted[4] = {a->x, a->y, a->width, a->height};
    for (int i = 0; i < 4; i++) s[i] = sigmoid((double)p->raw[at + (size_t)i * step]);
    for (int i = X; i <= Y; i++) box[i] = 2 * s[i] - 0.5;
    for (int i = WIDTH; i <= HEIGHT; i++)
        box[i] = 4 * s[i] * s[i] * l->anchor[a->anchor][i - WIDTH] / (double)l->stride;
    double ciou = nz_complete_iou(box, wanted, by_box);
    for (int i = X; i <= HEIGHT; i++) {
        double by_raw = i <= Y ? 2 * s[i] * (1 - s[i]) : 2 * box[i] * (1 - s[i]);
        p->gradient[at + (size_t)i * step] -= (float)(scale * by_box[i] * by_raw);
    }
    if (ciou > (double)p->overlap[over]) p->overlap[over] = (float)ciou;
    return 1 - ciou;
}

static double lose_class(const loss *p, const nz_assigned *a, double scale) {
    size_t over, at = place_of(p->level, a, &over), step = plane(p->level);
    double sum = 0, off = p->gains->smoothing / 2;
    for (int64_t c = 0; c < p->level->classes; c++) {
        size_t i = at + (size_t)(CLASSES + c) * step;
        double x = (double)p->raw[i], target = c == a->class_index ? 1 - off : off;
        sum += cross_entropy(x, target);
        p->gradient[i] += (float)(scale * (sigmoid(x) - target));
    }
    return sum;
}

/* ---- everywhere: objectness ---- */

static void lose_objects(void *argument, size_t begin, size_t end) {
    const loss *p = argument;
    const nz_level *l = p->level;
    size_t cells = plane(l), all = (size_t)(l->batch * l->anchors) * cells;
    double scale = p->gains->object * p->gains->gradient / (double)all;
    for (size_t map = begin; map < end; map++) {
        size_t from = (map * (size_t)(CLASSES + l->classes) + OBJECT) * cells;
        const float *raw = p->raw + from, *overlap = p->overlap + map * cells;
        float *gradient = p->gradient + from;
        double sum = 0;
        for (size_t i = 0; i < cells; i++) {
            double x = (double)raw[i], target = (double)overlap[i];
            sum += cross_entropy(x, target);
            gradient[i] = (float)(scale * (sigmoid(x) - target));
        }
        p->sums[map] = sum;
    }
}

nz_status nz_detect_loss(double parts[3], const nz_level *level, const nz_assignment *assignment,
                         const nz_detect_gains *gains, const float *raw, float *gradient, float *scratch) {
    size_t maps = (size_t)(level->batch * level->anchors), cells = plane(level), count = assignment->count;
    NZ_AUTO_FREE double *sums = NULL;
    NZ_TRY(nz_alloc(&sums, maps, sizeof *sums));
    loss p = {.level = level, .gains = gains, .raw = raw, .gradient = gradient, .overlap = scratch, .sums = sums};
    double box = 0, object = 0, classes = 0, each = count ? 1 / (double)count : 0,
           score = level->classes > 1 ? each / (double)level->classes : 0; /* one class: objectness says it all */
    memset(gradient, 0, maps * (size_t)(CLASSES + level->classes) * cells * sizeof *gradient);
    memset(scratch, 0, maps * cells * sizeof *scratch);
    for (size_t i = 0; i < count; i++) {
        box += lose_box(&p, &assignment->list[i], gains->box * gains->gradient * each);
        classes += lose_class(&p, &assignment->list[i], gains->class_score * gains->gradient * score);
    }
    nz_parallel(maps, 1 + 4096 / (cells + 1), lose_objects, &p);
    for (size_t i = 0; i < maps; i++) object += sums[i];
    parts[0] = gains->box * box * each;
    parts[1] = gains->object * object / (double)(maps * cells);
    parts[2] = gains->class_score * classes * score;
    return NZ_OK;
}
