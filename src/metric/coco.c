/* SPDX-License-Identifier: Apache-2.0 */
/* COCO's protocol for boxes. A cell is one class in one image: matching happens within it, for every area range and IoU
 * threshold at once; what remains of a detection is two bits per threshold and range. */
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "metric/boxes.h"
#include "netzip/detection.h"

enum { THRESHOLDS = NZ_BOX_THRESHOLDS, AREAS = 4, FOUND_MOST = 100, DRAWS = 6 };

/* Both ends belong to a range. */
static const double areas[AREAS][2] = {{0, 1e10}, {0, 32 * 32}, {32 * 32, 96 * 96}, {96 * 96, 1e10}};

/* What is accumulated over a class: an area range and how many detections of an image count. */
static const struct draw {
    int area;
    uint16_t most;
} draws[DRAWS] = {{0, 1}, {0, 10}, {0, 100}, {1, 100}, {2, 100}, {3, 100}};
enum { DRAW_1, DRAW_10, DRAW_100, DRAW_SMALL, DRAW_MEDIUM, DRAW_LARGE };

/* One detection after matching. Bit t: at threshold t. */
typedef struct verdict {
    double score;
    uint32_t place; /* within the class, by image and rank: settles equal scores */
    uint16_t rank;  /* within its image */
    uint16_t matched[AREAS], ignored[AREAS];
} verdict;

typedef struct evaluation {
    const nz_detections *in;
    uint32_t *truths, *found; /* indices sorted by class, image, and score where there is one */
    verdict *verdicts;        /* of the class in hand */
    size_t verdict_count;
    size_t counted[AREAS]; /* truths of the class in hand that count */
    double *ious;          /* of the cell in hand: [found][truths] */
    size_t iou_capacity;
    bool *taken, *outside; /* of the cell in hand, by truth */
    uint32_t *order;       /* truths of the cell in hand, those that count first */
    size_t cell_capacity;
    double *precision, *recall; /* of a class, by detection */
} evaluation;

static void evaluation_done(evaluation *e) {
    free(e->truths);
    free(e->found);
    free(e->verdicts);
    free(e->ious);
    free(e->taken);
    free(e->outside);
    free(e->order);
    free(e->precision);
    free(e->recall);
}

static int compare_truths(const void *a, const void *b, void *argument) {
    const nz_detections *in = argument;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    const nz_truth_box *p = &in->truths[i], *q = &in->truths[j];
    if (p->class_index != q->class_index) return p->class_index < q->class_index ? -1 : 1;
    if (p->image != q->image) return p->image < q->image ? -1 : 1;
    return i < j ? -1 : i > j;
}

static int compare_found(const void *a, const void *b, void *argument) {
    const nz_detections *in = argument;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    const nz_found_box *p = &in->found[i], *q = &in->found[j];
    if (p->class_index != q->class_index) return p->class_index < q->class_index ? -1 : 1;
    if (p->image != q->image) return p->image < q->image ? -1 : 1;
    if (p->score != q->score) return p->score > q->score ? -1 : 1;
    return i < j ? -1 : i > j;
}

static int compare_verdicts(const void *a, const void *b) {
    const verdict *p = a, *q = b;
    if (p->score != q->score) return p->score > q->score ? -1 : 1;
    return p->place < q->place ? -1 : p->place > q->place;
}

static bool out_of(const double range[2], double area) { return area < range[0] || area > range[1]; }

/* Where the best truth for a detection that is still free at this threshold lies in e->order; -1 for none. One that counts
 * is preferred to one that does not, whatever the overlap. */
static int find_match(const evaluation *e, const nz_truth_box *truths[], size_t count, const double *ious,
                      double least) {
    int best = -1;
    for (size_t k = 0; k < count; k++) {
        uint32_t g = e->order[k];
        if (e->taken[g] && !truths[g]->crowd) continue;
        if (best >= 0 && !e->outside[e->order[best]] && e->outside[g]) break;
        if (ious[g] < least) continue;
        least = ious[g];
        best = (int)k;
    }
    return best;
}

typedef struct cell {
    const nz_truth_box **truths;
    const nz_found_box **found;
    size_t truth_count, found_count;
} cell;

static void match_area(evaluation *e, const cell *c, int area, verdict *verdicts) {
    size_t kept = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t g = 0; g < c->truth_count; g++) {
            bool outside = c->truths[g]->crowd || out_of(areas[area], c->truths[g]->area);
            e->outside[g] = outside;
            if (outside == (pass == 1)) e->order[kept++] = (uint32_t)g;
        }
    for (size_t g = 0; g < c->truth_count; g++) e->counted[area] += !e->outside[g];
    for (int t = 0; t < THRESHOLDS; t++) {
        uint16_t bit = (uint16_t)(1u << t);
        memset(e->taken, 0, c->truth_count * sizeof *e->taken);
        for (size_t d = 0; d < c->found_count; d++) {
            const nz_found_box *box = c->found[d];
            int at = find_match(e, c->truths, c->truth_count, e->ious + d * c->truth_count, nz_box_threshold(t));
            if (at >= 0) {
                uint32_t g = e->order[at];
                e->taken[g] = true;
                verdicts[d].matched[area] |= bit;
                if (e->outside[g]) verdicts[d].ignored[area] |= bit;
            } else if (out_of(areas[area], box->width * box->height)) {
                verdicts[d].ignored[area] |= bit;
            }
        }
    }
}

static nz_status match_cell(evaluation *e, const cell *c) {
    NZ_TRY(nz_grow(&e->ious, &e->iou_capacity, c->found_count * c->truth_count, sizeof *e->ious));
    for (size_t d = 0; d < c->found_count; d++)
        for (size_t g = 0; g < c->truth_count; g++)
            e->ious[d * c->truth_count + g] = nz_box_iou(c->found[d], c->truths[g], c->truths[g]->crowd);
    verdict *verdicts = e->verdicts + e->verdict_count;
    for (size_t d = 0; d < c->found_count; d++)
        verdicts[d] =
            (verdict){.score = c->found[d]->score, .place = (uint32_t)(e->verdict_count + d), .rank = (uint16_t)d};
    for (int area = 0; area < AREAS; area++) match_area(e, c, area, verdicts);
    e->verdict_count += c->found_count;
    return NZ_OK;
}

/* Precision at 101 recalls and the last recall, at threshold t. */
static double read_curve(const evaluation *e, const struct draw *draw, int t, double precision_at[NZ_COCO_RECALLS]) {
    size_t n = 0, hits = 0, misses = 0;
    for (size_t i = 0; i < e->verdict_count; i++) {
        const verdict *v = &e->verdicts[i];
        if (v->rank >= draw->most) continue;
        if (!(v->ignored[draw->area] >> t & 1)) {
            if (v->matched[draw->area] >> t & 1)
                hits++;
            else
                misses++;
        }
        e->recall[n] = (double)hits / (double)e->counted[draw->area];
        e->precision[n++] = (double)hits / ((double)(hits + misses) + 2.220446049250313e-16);
    }
    for (size_t i = n; i-- > 1;)
        if (e->precision[i] > e->precision[i - 1]) e->precision[i - 1] = e->precision[i];
    size_t at = 0;
    for (int r = 0; r < NZ_COCO_RECALLS; r++) {
        double wanted = r == NZ_COCO_RECALLS - 1 ? 1.0 : r * 0.01;
        while (at < n && e->recall[at] < wanted) at++;
        precision_at[r] = at < n ? e->precision[at] : 0;
    }
    return n ? e->recall[n - 1] : 0;
}

/* Sums over classes, each with how many numbers went in. */
typedef struct sums {
    double precision[DRAWS][THRESHOLDS], recall[DRAWS];
    size_t classes[DRAWS];
} sums;

static void accumulate(evaluation *e, sums *s, nz_coco_class *row) {
    qsort(e->verdicts, e->verdict_count, sizeof *e->verdicts, compare_verdicts);
    *row = (nz_coco_class){.ap = -1, .ap50 = -1, .ar100 = -1, .truths = e->counted[0]};
    for (int i = 0; i < DRAWS; i++) {
        double recall = 0, ap = 0, curve[NZ_COCO_RECALLS];
        if (e->counted[draws[i].area] == 0) continue;
        for (int t = 0; t < THRESHOLDS; t++) {
            double sum = 0;
            recall += read_curve(e, &draws[i], t, curve);
            for (int r = 0; r < NZ_COCO_RECALLS; r++) sum += curve[r];
            s->precision[i][t] += sum / NZ_COCO_RECALLS;
            ap += sum / NZ_COCO_RECALLS;
            if (i != DRAW_100 || t > 0) continue;
            row->ap50 = sum / NZ_COCO_RECALLS;
            memcpy(row->precision50, curve, sizeof curve);
        }
        s->recall[i] += recall / THRESHOLDS;
        s->classes[i]++;
        if (i != DRAW_100) continue;
        row->ap = ap / THRESHOLDS;
        row->ar100 = recall / THRESHOLDS;
    }
}

static double mean_precision(const sums *s, int draw, int first, int last) {
    double sum = 0;
    for (int t = first; t <= last; t++) sum += s->precision[draw][t];
    return s->classes[draw] ? sum / (double)(last - first + 1) / (double)s->classes[draw] : -1;
}

static double mean_recall(const sums *s, int draw) {
    return s->classes[draw] ? s->recall[draw] / (double)s->classes[draw] : -1;
}

static void summarise(double stats[NZ_COCO_STATS], const sums *s) {
    stats[NZ_COCO_AP] = mean_precision(s, DRAW_100, 0, THRESHOLDS - 1);
    stats[NZ_COCO_AP50] = mean_precision(s, DRAW_100, 0, 0);
    stats[NZ_COCO_AP75] = mean_precision(s, DRAW_100, 5, 5);
    stats[NZ_COCO_AP_SMALL] = mean_precision(s, DRAW_SMALL, 0, THRESHOLDS - 1);
    stats[NZ_COCO_AP_MEDIUM] = mean_precision(s, DRAW_MEDIUM, 0, THRESHOLDS - 1);
    stats[NZ_COCO_AP_LARGE] = mean_precision(s, DRAW_LARGE, 0, THRESHOLDS - 1);
    for (int i = 0; i < DRAWS; i++) stats[NZ_COCO_AR1 + i] = mean_recall(s, i);
}

/* The next cell of class `c`: the least image that has anything left, its truths and its best detections. */
static bool take_cell(const evaluation *e, cell *ret_cell, int32_t c, size_t *at_truth, size_t *at_found) {
    const nz_detections *in = e->in;
    const nz_truth_box *g = *at_truth < in->truth_count ? &in->truths[e->truths[*at_truth]] : NULL;
    const nz_found_box *d = *at_found < in->found_count ? &in->found[e->found[*at_found]] : NULL;
    if (g && g->class_index != c) g = NULL;
    if (d && d->class_index != c) d = NULL;
    if (!g && !d) return false;
    int32_t image = !d || (g && g->image < d->image) ? g->image : d->image;
    ret_cell->truth_count = ret_cell->found_count = 0;
    for (; *at_truth < in->truth_count; ++*at_truth) {
        g = &in->truths[e->truths[*at_truth]];
        if (g->class_index != c || g->image != image) break;
        ret_cell->truths[ret_cell->truth_count++] = g;
    }
    for (; *at_found < in->found_count; ++*at_found) {
        d = &in->found[e->found[*at_found]];
        if (d->class_index != c || d->image != image) break;
        if (ret_cell->found_count < FOUND_MOST) ret_cell->found[ret_cell->found_count++] = d;
    }
    return true;
}

static nz_status open_evaluation(evaluation *e, const nz_detections *in) {
    e->in = in;
    NZ_TRY(nz_alloc(&e->truths, in->truth_count, sizeof *e->truths));
    NZ_TRY(nz_alloc(&e->found, in->found_count, sizeof *e->found));
    NZ_TRY(nz_alloc(&e->verdicts, in->found_count, sizeof *e->verdicts));
    NZ_TRY(nz_alloc(&e->precision, in->found_count, sizeof *e->precision));
    NZ_TRY(nz_alloc(&e->recall, in->found_count, sizeof *e->recall));
    NZ_TRY(nz_alloc(&e->taken, in->truth_count, sizeof *e->taken));
    NZ_TRY(nz_alloc(&e->outside, in->truth_count, sizeof *e->outside));
    NZ_TRY(nz_alloc(&e->order, in->truth_count, sizeof *e->order));
    for (size_t i = 0; i < in->truth_count; i++) e->truths[i] = (uint32_t)i;
    for (size_t i = 0; i < in->found_count; i++) e->found[i] = (uint32_t)i;
    qsort_r(e->truths, in->truth_count, sizeof *e->truths, compare_truths, (void *)(uintptr_t)in);
    qsort_r(e->found, in->found_count, sizeof *e->found, compare_found, (void *)(uintptr_t)in);
    return NZ_OK;
}

nz_status nz_coco_evaluate(nz_coco_result *ret_result, const nz_detections *in) {
    NZ_AUTO(evaluation_done) evaluation e = {0};
    NZ_AUTO(nz_coco_result_done) nz_coco_result result = {.class_count = in->class_count};
    NZ_AUTO_FREE const nz_truth_box **truths = NULL;
    const nz_found_box *found[FOUND_MOST];
    size_t at_truth = 0, at_found = 0;
    sums s = {0};
    NZ_TRY(nz_boxes_check(in));
    NZ_TRY(open_evaluation(&e, in));
    NZ_TRY(nz_alloc(&truths, in->truth_count, sizeof *truths));
    NZ_TRY(nz_alloc(&result.classes, in->class_count, sizeof *result.classes));
    cell c = {.truths = truths, .found = found};
    for (size_t k = 0; k < in->class_count; k++) {
        e.verdict_count = 0;
        memset(e.counted, 0, sizeof e.counted);
        while (take_cell(&e, &c, (int32_t)k, &at_truth, &at_found)) NZ_TRY(match_cell(&e, &c));
        accumulate(&e, &s, &result.classes[k]);
    }
    summarise(result.stats, &s);
    *ret_result = result;
    result = (nz_coco_result){0};
    return NZ_OK;
}

void nz_coco_result_done(nz_coco_result *result) {
    free(result->classes);
    *result = (nz_coco_result){0};
}

const char *nz_coco_stat_name(nz_coco_stat stat) {
    static const char *const names[NZ_COCO_STATS] = {"AP",  "AP50", "AP75",  "APsmall", "APmedium", "APlarge",
                                                     "AR1", "AR10", "AR100", "ARsmall", "ARmedium", "ARlarge"};
    return names[stat];
}
