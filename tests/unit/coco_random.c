/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COCO's protocol once more, as literally as it is described and as slowly: one image, class, area range, number of detections
 * and threshold at a time, whole curves with every detection on them. Random scenes must give the same numbers to the last digits.
 */
#include <math.h>
#include <stdlib.h>

#include "core/random.h"
#include "netzip/detection.h"
#include "test.h"

enum { IMAGES = 7, CLASSES = 4, TRUTHS_MOST = 120, FOUND_MOST = 700, CELL_MOST = 700 };

typedef struct scene {
    nz_detections d;
    nz_truth_box truths[TRUTHS_MOST];
    nz_found_box found[FOUND_MOST];
} scene;

/* ---- The literal one ---- */

/* linspace(.5, .95, 10) to the last bit: overlaps of boxes on a grid hit some of them exactly. */
static const double thresholds[10] = {0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.8999999999999999, 0.95};
static const double ranges[4][2] = {{0, 1e10}, {0, 1024}, {1024, 9216}, {9216, 1e10}};

static double literal_iou(const nz_found_box *d, const nz_truth_box *g) {
    double w = fmin(d->x + d->width, g->x + g->width) - fmax(d->x, g->x);
    double h = fmin(d->y + d->height, g->y + g->height) - fmax(d->y, g->y);
    if (w <= 0 || h <= 0) return 0;
    double all = g->crowd ? d->width * d->height : d->width * d->height + g->width * g->height - w * h;
    return w * h / all;
}

typedef struct outcome {
    double score;
    bool matched, ignored;
} outcome;

/* The detections of one class in one image, best first; at most `most`. */
static int literal_found(const scene *s, int image, int class_index, int most, const nz_found_box *ret[CELL_MOST]) {
    int count = 0;
    for (size_t i = 0; i < s->d.found_count; i++) {
        const nz_found_box *d = &s->found[i];
        if (d->image != image || d->class_index != class_index) continue;
        int at = count++;
        for (; at > 0 && ret[at - 1]->score < d->score; at--) ret[at] = ret[at - 1];
        ret[at] = d;
    }
    return count < most ? count : most;
}

/* Appends the outcomes of one cell at one threshold; returns how many objects count. */
static int literal_cell(const scene *s, int image, int class_index, const double range[2], int most, double threshold,
                        outcome *out, int *out_count) {
    const nz_truth_box *truths[TRUTHS_MOST];
    const nz_found_box *found[CELL_MOST];
    bool ignored[TRUTHS_MOST], taken[TRUTHS_MOST] = {false};
    int truth_count = 0, counted = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < s->d.truth_count; i++) {
            const nz_truth_box *g = &s->truths[i];
            bool ignore = g->crowd || g->area < range[0] || g->area > range[1];
            if (g->image != image || g->class_index != class_index || ignore != (pass == 1)) continue;
            ignored[truth_count] = ignore;
            truths[truth_count++] = g;
            counted += !ignore;
        }
    int found_count = literal_found(s, image, class_index, most, found);
    for (int k = 0; k < found_count; k++) {
        double least = fmin(threshold, 1 - 1e-10);
        int best = -1;
        for (int g = 0; g < truth_count; g++) {
            if (taken[g] && !truths[g]->crowd) continue;
            if (best >= 0 && !ignored[best] && ignored[g]) break;
            double iou = literal_iou(found[k], truths[g]);
            if (iou < least) continue;
            least = iou;
            best = g;
        }
        double area = found[k]->width * found[k]->height;
        outcome o = {.score = found[k]->score, .matched = best >= 0};
        o.ignored = best >= 0 ? ignored[best] : area < range[0] || area > range[1];
        if (best >= 0) taken[best] = true;
        out[(*out_count)++] = o;
    }
    return counted;
}

/* Precision at 101 recalls and the last recall; false where no object counts. */
static bool literal_curve(const scene *s, int class_index, const double range[2], int most, double threshold,
                          double curve[101], double *ret_recall) {
    static outcome all[FOUND_MOST];
    static double precision[FOUND_MOST], recall[FOUND_MOST];
    int count = 0, counted = 0, hits = 0, misses = 0, n = 0;
    for (int image = 0; image < IMAGES; image++)
        counted += literal_cell(s, image, class_index, range, most, threshold, all, &count);
    if (!counted) return false;
    for (int i = 1; i < count; i++) { /* a stable sort */
        outcome moved = all[i];
        int at = i;
        for (; at > 0 && all[at - 1].score < moved.score; at--) all[at] = all[at - 1];
        all[at] = moved;
    }
    for (int i = 0; i < count; i++, n++) {
        hits += all[i].matched && !all[i].ignored;
        misses += !all[i].matched && !all[i].ignored;
        recall[n] = (double)hits / counted;
        precision[n] = hits / (hits + misses + 2.220446049250313e-16);
    }
    for (int i = n - 1; i > 0; i--) precision[i - 1] = fmax(precision[i - 1], precision[i]);
    for (int r = 0; r < 101; r++) {
        int at = 0;
        while (at < n && recall[at] < (r == 100 ? 1.0 : r * 0.01)) at++;
        curve[r] = at < n ? precision[at] : 0;
    }
    *ret_recall = n ? recall[n - 1] : 0;
    return true;
}

/* AP over thresholds first to last, and AR; -1 without objects. `ret_classes`: AP of each class; may be NULL. */
static void literal_means(const scene *s, int area, int most, int first, int last, double *ret_ap, double *ret_ar,
                          double *ret_classes) {
    double ap = 0, ar = 0;
    int classes = 0;
    for (int c = 0; c < CLASSES; c++) {
        double curve[101], recall = 0, own = 0;
        bool any = false;
        for (int t = first; t <= last; t++) {
            double sum = 0;
            if (!literal_curve(s, c, ranges[area], most, thresholds[t], curve, &recall)) continue;
            any = true;
            for (int r = 0; r < 101; r++) sum += curve[r] / 101;
            own += sum / (last - first + 1);
            ar += recall / (last - first + 1);
        }
        ap += own;
        classes += any;
        if (ret_classes) ret_classes[c] = any ? own : -1;
    }
    *ret_ap = classes ? ap / classes : -1;
    *ret_ar = classes ? ar / classes : -1;
}

/* ---- Scenes ---- */

static double between(nz_random *r, double low, double high) { return low + (high - low) * nz_random_unit(r); }

/* Scores of few values, so that many are equal; boxes on a coarse grid, so that overlaps are too, and crowds; class 3 seldom has
 * objects; of class 0 more detections than count are in image 0 where `full`. */
static void make(scene *s, uint64_t seed, bool full) {
    nz_random r;
    nz_random_init(&r, seed, 3);
    size_t truths = nz_random_below(&r, full ? 60 : 30), found = nz_random_below(&r, full ? 300 : 150);
    s->d = (nz_detections){.image_count = IMAGES, .class_count = CLASSES, .truths = s->truths, .found = s->found};
    for (size_t i = 0; i < truths; i++) {
        nz_truth_box g = {.image = (int32_t)nz_random_below(&r, IMAGES - 1),
                          .class_index = (int32_t)nz_random_below(&r, seed % 3 ? CLASSES - 1 : CLASSES),
                          .x = 8 * (double)nz_random_below(&r, 30),
                          .y = 8 * (double)nz_random_below(&r, 30),
                          .width = 8 * (double)(1 + nz_random_below(&r, 16)),
                          .height = 8 * (double)(1 + nz_random_below(&r, 16)),
                          .crowd = nz_random_below(&r, 6) == 0};
        g.area = g.width * g.height * (nz_random_below(&r, 2) ? 1 : between(&r, 0.3, 1));
        s->truths[s->d.truth_count++] = g;
    }
    for (size_t i = 0; i < found; i++) {
        nz_found_box d = {.image = (int32_t)nz_random_below(&r, IMAGES),
                          .class_index = (int32_t)nz_random_below(&r, CLASSES),
                          .x = between(&r, 0, 200),
                          .y = between(&r, 0, 200),
                          .width = between(&r, 4, 130),
                          .height = between(&r, 4, 130),
                          .score = (double)nz_random_below(&r, 12) / 12};
        if (truths && nz_random_below(&r, 4)) {
            const nz_truth_box *g = &s->truths[nz_random_below(&r, truths)];
            double step = nz_random_below(&r, 2) ? 0 : (double)nz_random_below(&r, 5);
            d.image = g->image;
            if (nz_random_below(&r, 5)) d.class_index = g->class_index;
            d.x = g->x + step, d.y = g->y, d.width = g->width, d.height = g->height + step;
        }
        if (full && i % 2) d.image = d.class_index = 0;
        s->found[s->d.found_count++] = d;
    }
}

static void check(const scene *s) {
    static const struct {
        int area, most, first, last;
        nz_coco_stat ap, ar; /* NZ_COCO_STATS: none */
    } rows[] = {
        {0, 100, 0, 9, NZ_COCO_AP, NZ_COCO_AR100},
        {0, 100, 0, 0, NZ_COCO_AP50, NZ_COCO_STATS},
        {0, 100, 5, 5, NZ_COCO_AP75, NZ_COCO_STATS},
        {0, 1, 0, 9, NZ_COCO_STATS, NZ_COCO_AR1},
        {0, 10, 0, 9, NZ_COCO_STATS, NZ_COCO_AR10},
        {1, 100, 0, 9, NZ_COCO_AP_SMALL, NZ_COCO_AR_SMALL},
        {2, 100, 0, 9, NZ_COCO_AP_MEDIUM, NZ_COCO_AR_MEDIUM},
        {3, 100, 0, 9, NZ_COCO_AP_LARGE, NZ_COCO_AR_LARGE},
    };
    nz_coco_result result;
    nz_assert_ok(nz_coco_evaluate(&result, &s->d));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double ap, ar, classes[CLASSES];
        literal_means(s, rows[i].area, rows[i].most, rows[i].first, rows[i].last, &ap, &ar, classes);
        if (rows[i].ap != NZ_COCO_STATS) nz_assert_near(result.stats[rows[i].ap], ap, 0, 1e-12);
        if (rows[i].ar != NZ_COCO_STATS) nz_assert_near(result.stats[rows[i].ar], ar, 0, 1e-12);
        for (int c = 0; c < CLASSES && i < 2; c++)
            nz_assert_near(i ? result.classes[c].ap50 : result.classes[c].ap, classes[c], 0, 1e-12);
    }
    nz_coco_result_done(&result);
}

static void random_scenes_give_what_the_literal_protocol_gives(void **state) {
    (void)state;
    static scene s;
    for (uint64_t seed = 0; seed < 150; seed++) {
        make(&s, seed, false);
        check(&s);
    }
}

static void more_than_a_hundred_detections_of_an_image_too(void **state) {
    (void)state;
    static scene s;
    for (uint64_t seed = 1000; seed < 1020; seed++) {
        make(&s, seed, true);
        check(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_scenes_give_what_the_literal_protocol_gives),
        cmocka_unit_test(more_than_a_hundred_detections_of_an_image_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
