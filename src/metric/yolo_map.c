/* SPDX-License-Identifier: Apache-2.0 */
/* Mean average precision, precision, recall and F1 as YOLOv5's validation counts them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "metric/box_order.h"
#include "metric/boxes.h"
#include "netzip/detection.h"

enum { THRESHOLDS = NZ_BOX_THRESHOLDS, FOUND_MOST = 300, RECALLS = 101 };
static const double score_most_of_none = 0.001; /* detections score above it */

/* A detection that counts; bit t: right at threshold t. */
typedef struct verdict {
    double score;
    uint32_t place;
    int32_t class_index;
    uint16_t right;
} verdict;

typedef struct evaluation {
    const nz_detections *in;
    nz_by_image truths, found; /* without crowds, and without those of too low a score */
    verdict *verdicts;
    size_t verdict_count;
    uint16_t *taken;                    /* by truth of the image in hand; bit t: at threshold t */
    double *precision, *recall, *score; /* of the class in hand, with a place before and one behind; score: negated */
} evaluation;

static void evaluation_done(evaluation *e) {
    nz_by_image_done(&e->truths);
    nz_by_image_done(&e->found);
    free(e->taken);
    free(e->verdicts);
    free(e->precision);
    free(e->recall);
    free(e->score);
}

static int compare_verdicts(const void *a, const void *b) {
    const verdict *p = a, *q = b;
    if (p->class_index != q->class_index) return p->class_index < q->class_index ? -1 : 1;
    if (p->score != q->score) return p->score > q->score ? -1 : 1;
    return p->place < q->place ? -1 : p->place > q->place;
}

/* Boxes of one image: indices into truths and found. */
typedef struct picture {
    const uint32_t *truths, *found;
    size_t truth_count, found_count;
} picture;

typedef struct best_truth {
    double iou;
    size_t truth; /* within the picture */
} best_truth;

/* The object of its class that a detection overlaps most, the last of equals, which a reversed sort puts first; its overlap is 0
 * where there is none. */
static best_truth find_best(const evaluation *e, const picture *p, const nz_found_box *found) {
    best_truth best = {0};
    for (size_t g = 0; g < p->truth_count; g++) {
        const nz_truth_box *truth = &e->in->truths[p->truths[g]];
        double iou = truth->class_index == found->class_index ? nz_box_iou(found, truth, false) : 0;
        if (iou > 0 && iou >= best.iou) best = (best_truth){.iou = iou, .truth = g};
    }
    return best;
}

/* A detection is matched with the object that it overlaps most or with none, and of several detections of one object that of
 * the highest score is right: sorting pairs by overlap and keeping each side's first, as YOLOv5 does it, comes to that. */
static void match_picture(evaluation *e, const picture *p) {
    verdict *verdicts = e->verdicts + e->verdict_count;
    memset(e->taken, 0, p->truth_count * sizeof *e->taken);
    for (size_t d = 0; d < p->found_count; d++) {
        const nz_found_box *box = &e->in->found[p->found[d]];
        best_truth best = find_best(e, p, box);
        verdicts[d] =
            (verdict){.score = box->score, .place = (uint32_t)(e->verdict_count + d), .class_index = box->class_index};
        for (int t = 0; t < THRESHOLDS && best.iou >= nz_box_threshold(t); t++) {
            uint16_t bit = (uint16_t)(1u << t);
            if (!(e->taken[best.truth] & bit)) verdicts[d].right |= bit;
            e->taken[best.truth] |= bit;
        }
    }
    e->verdict_count += p->found_count;
}

static void match_all(evaluation *e) {
    for (size_t i = 0; i < e->in->image_count; i++) {
        picture p = {.truths = e->truths.list + e->truths.start[i],
                     .found = e->found.list + e->found.start[i],
                     .truth_count = e->truths.start[i + 1] - e->truths.start[i],
                     .found_count = e->found.start[i + 1] - e->found.start[i]};
        if (p.found_count > FOUND_MOST) p.found_count = FOUND_MOST;
        match_picture(e, &p);
    }
}

/* Linear interpolation of (x, y)[n], x ascending, at `at` within it; of equal x the last one counts. */
static double interpolate(const double *x, const double *y, size_t n, double at) {
    size_t low = 0, high = n;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (x[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    if (low + 1 >= n || x[low] == at) return y[low];
    return y[low] + (y[low + 1] - y[low]) / (x[low + 1] - x[low]) * (at - x[low]);
}

/* Area under the curve of the detections [0, n) of a class at threshold t. */
static double average_precision(evaluation *e, const verdict *v, size_t n, size_t truths, int t) {
    double *recall = e->recall, *precision = e->precision, area = 0, before = 0;
    size_t hits = 0;
    recall[0] = 0, precision[0] = 1;
    for (size_t i = 0; i < n; i++) {
        hits += v[i].right >> t & 1;
        recall[i + 1] = (double)hits / ((double)truths + 1e-16);
        precision[i + 1] = (double)hits / (double)(i + 1);
    }
    recall[n + 1] = 1, precision[n + 1] = 0;
    for (size_t i = n + 1; i-- > 0;) precision[i] = fmax(precision[i], precision[i + 1]);
    for (int r = 0; r < RECALLS; r++) {
        double at = r == RECALLS - 1 ? 1 : r * 0.01, here = interpolate(recall, precision, n + 2, at);
        if (r) area += (here + before) / 2 * 0.01;
        before = here;
    }
    return area;
}

/* Precision and recall of a class behind each of its detections. */
static void draw_curve(evaluation *e, const verdict *v, size_t n, size_t truths) {
    double hits = 0;
    for (size_t i = 0; i < n; i++) {
        hits += v[i].right & 1;
        e->score[i] = -v[i].score;
        e->precision[i] = hits / (double)(i + 1);
        e->recall[i] = hits / ((double)truths + 1e-16);
    }
}

typedef struct point {
    double precision, recall, f1;
} point;

/* The curve that was drawn at confidence `c` of the 1,000, between the detections' own by straight lines. */
static point read_curve(const evaluation *e, size_t n, size_t c) {
    double at = -(double)c / (NZ_CONFIDENCES - 1);
    point p = {.precision = 1};
    if (at >= e->score[0]) {
        p.precision = interpolate(e->score, e->precision, n, at);
        p.recall = interpolate(e->score, e->recall, n, at);
    }
    p.f1 = 2 * p.precision * p.recall / (p.precision + p.recall + 1e-16);
    return p;
}

/* The detections of a class; without any, all is 0 at every confidence. */
typedef struct class_span {
    const verdict *first;
    size_t count;
} class_span;

static class_span next_class(const evaluation *e, size_t *at, size_t class_index) {
    class_span span = {.first = e->verdicts + *at};
    while (*at < e->verdict_count && e->verdicts[*at].class_index == (int32_t)class_index) ++*at, span.count++;
    return span;
}

static void score_class(evaluation *e, nz_yolo_result *r, nz_yolo_class *row, const class_span *span) {
    row->found = span->count;
    if (!row->truths) row->ap50 = row->ap = row->precision = row->recall = row->f1 = -1;
    if (!span->count || !row->truths) return;
    for (int t = 0; t < THRESHOLDS; t++) {
        double ap = average_precision(e, span->first, span->count, row->truths, t);
        if (t == 0) row->ap50 = ap;
        row->ap += ap / THRESHOLDS;
    }
    draw_curve(e, span->first, span->count, row->truths);
    for (size_t c = 0; c < NZ_CONFIDENCES; c++) r->mean_f1[c] += read_curve(e, span->count, c).f1;
}

/* Precision, recall and F1 of every class with objects at confidence `best`, and their means. */
static void read_classes(evaluation *e, nz_yolo_result *r, size_t best, size_t classes) {
    size_t at = 0;
    for (size_t c = 0; c < r->class_count; c++) {
        nz_yolo_class *row = &r->classes[c];
        class_span span = next_class(e, &at, c);
        if (!row->truths || !span.count) continue;
        draw_curve(e, span.first, span.count, row->truths);
        point p = read_curve(e, span.count, best);
        row->precision = p.precision, row->recall = p.recall, row->f1 = p.f1;
        r->precision += p.precision / (double)classes;
        r->recall += p.recall / (double)classes;
        r->f1 += p.f1 / (double)classes;
    }
}

static void score_all(evaluation *e, nz_yolo_result *r) {
    size_t at = 0, classes = 0, best = 0;
    if (e->verdict_count) qsort(e->verdicts, e->verdict_count, sizeof *e->verdicts, compare_verdicts);
    for (size_t i = 0; i < e->in->truth_count; i++)
        r->classes[e->in->truths[i].class_index].truths += !e->in->truths[i].crowd;
    for (size_t c = 0; c < r->class_count; c++) {
        class_span span = next_class(e, &at, c);
        score_class(e, r, &r->classes[c], &span);
        if (!r->classes[c].truths) continue;
        classes++;
        r->map50 += r->classes[c].ap50;
        r->map50_95 += r->classes[c].ap;
    }
    if (!classes) {
        r->map50 = r->map50_95 = r->precision = r->recall = r->f1 = -1;
        return;
    }
    for (size_t k = 0; k < NZ_CONFIDENCES; k++) {
        r->mean_f1[k] /= (double)classes;
        if (r->mean_f1[k] > r->mean_f1[best]) best = k;
    }
    r->confidence = (double)best / (NZ_CONFIDENCES - 1);
    r->map50 /= (double)classes, r->map50_95 /= (double)classes;
    read_classes(e, r, best, classes);
}

static nz_status open_evaluation(evaluation *e, const nz_detections *in) {
    e->in = in;
    NZ_TRY(nz_truths_by_image(&e->truths, in));
    NZ_TRY(nz_found_by_image(&e->found, in, nextafter(score_most_of_none, 1)));
    NZ_TRY(nz_alloc(&e->taken, in->truth_count, sizeof *e->taken));
    NZ_TRY(nz_alloc(&e->verdicts, in->found_count, sizeof *e->verdicts));
    NZ_TRY(nz_alloc(&e->precision, in->found_count + 2, sizeof *e->precision));
    NZ_TRY(nz_alloc(&e->recall, in->found_count + 2, sizeof *e->recall));
    NZ_TRY(nz_alloc(&e->score, in->found_count + 2, sizeof *e->score));
    return NZ_OK;
}

nz_status nz_yolo_evaluate(nz_yolo_result *ret_result, const nz_detections *in) {
    NZ_AUTO(evaluation_done) evaluation e = {0};
    NZ_AUTO(nz_yolo_result_done) nz_yolo_result result = {.class_count = in->class_count};
    NZ_TRY(nz_boxes_check(in));
    NZ_TRY(open_evaluation(&e, in));
    NZ_TRY(nz_alloc(&result.classes, in->class_count, sizeof *result.classes));
    match_all(&e);
    score_all(&e, &result);
    *ret_result = result;
    result = (nz_yolo_result){0};
    return NZ_OK;
}

void nz_yolo_result_done(nz_yolo_result *result) {
    free(result->classes);
    *result = (nz_yolo_result){0};
}
