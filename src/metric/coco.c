/* SPDX-License-Identifier: Apache-2.0 */
/* COCO's statistics: precision over recall of every class, area range and number of detections, and their means. */
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "metric/boxes.h"
#include "metric/coco_match.h"

enum { THRESHOLDS = NZ_BOX_THRESHOLDS, DRAWS = 6, RECALLS = NZ_COCO_RECALLS };

/* What is accumulated over a class: an area range and how many detections of an image count. */
static const struct draw {
    int area;
    uint16_t most;
} draws[DRAWS] = {{0, 1}, {0, 10}, {0, 100}, {1, 100}, {2, 100}, {3, 100}};
enum { DRAW_1, DRAW_10, DRAW_100, DRAW_SMALL, DRAW_MEDIUM, DRAW_LARGE };

/* A class at hand. */
typedef struct row {
    const nz_coco_verdict *verdicts;
    size_t count;
    const size_t *counted; /* [NZ_COCO_AREAS] */
    double *precision;     /* [count] behind each right detection */
} row;

/* Precision at 101 recalls, and the last recall, at threshold t. Wrong detections lower what comes behind them and begin
 * nothing, so that the curve is told by the right ones alone: the best precision from one on holds back to the one before. */
static double read_curve(const row *c, const struct draw *draw, int t, double precision_at[RECALLS]) {
    size_t seen = 0, hits = 0;
    double counted = (double)c->counted[draw->area], best = 0;
    for (size_t i = 0; i < c->count; i++) {
        const nz_coco_verdict *v = &c->verdicts[i];
        if (v->rank >= draw->most || (v->ignored[draw->area] >> t & 1)) continue;
        seen++;
        if (!(v->matched[draw->area] >> t & 1)) continue;
        c->precision[hits] = (double)(hits + 1) / ((double)seen + 2.220446049250313e-16);
        hits++;
    }
    int r = RECALLS - 1;
    for (; r >= 0 && (hits == 0 || nz_coco_recall(r) > (double)hits / counted); r--) precision_at[r] = 0;
    for (size_t k = hits; k > 0; k--) {
        double before = (double)(k - 1) / counted;
        best = c->precision[k - 1] > best ? c->precision[k - 1] : best;
        for (; r >= 0 && (k == 1 || nz_coco_recall(r) > before); r--) precision_at[r] = best;
    }
    return (double)hits / counted;
}

/* Sums over classes, each with how many numbers went in. */
typedef struct sums {
    double precision[DRAWS][THRESHOLDS], recall[DRAWS];
    size_t classes[DRAWS];
} sums;

static void accumulate(sums *s, nz_coco_class *ret, const row *c) {
    *ret = (nz_coco_class){.ap = -1, .ap50 = -1, .ar100 = -1, .truths = c->counted[0]};
    for (int i = 0; i < DRAWS; i++) {
        double recall = 0, ap = 0, curve[RECALLS];
        if (c->counted[draws[i].area] == 0) continue;
        for (int t = 0; t < THRESHOLDS; t++) {
            double sum = 0;
            recall += read_curve(c, &draws[i], t, curve);
            for (int r = 0; r < RECALLS; r++) sum += curve[r];
            s->precision[i][t] += sum / RECALLS;
            ap += sum / RECALLS;
            if (i != DRAW_100 || t > 0) continue;
            ret->ap50 = sum / RECALLS;
            memcpy(ret->precision50, curve, sizeof curve);
        }
        s->recall[i] += recall / THRESHOLDS;
        s->classes[i]++;
        if (i != DRAW_100) continue;
        ret->ap = ap / THRESHOLDS;
        ret->ar100 = recall / THRESHOLDS;
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

nz_status nz_coco_score(nz_coco_result *ret_result, const nz_coco_matches *m) {
    NZ_AUTO(nz_coco_result_done) nz_coco_result result = {.class_count = m->class_count};
    NZ_AUTO_FREE double *precision = NULL;
    sums s = {0};
    NZ_TRY(nz_alloc(&result.classes, m->class_count, sizeof *result.classes));
    NZ_TRY(nz_alloc(&precision, m->start[m->class_count], sizeof *precision));
    for (size_t c = 0; c < m->class_count; c++) {
        row at = {.verdicts = m->verdicts + m->start[c],
                  .count = m->start[c + 1] - m->start[c],
                  .counted = m->counted + c * NZ_COCO_AREAS,
                  .precision = precision};
        accumulate(&s, &result.classes[c], &at);
    }
    summarise(result.stats, &s);
    *ret_result = result;
    result = (nz_coco_result){0};
    return NZ_OK;
}

nz_status nz_coco_evaluate(nz_coco_result *ret_result, const nz_detections *in) {
    NZ_AUTO(nz_coco_matches_done) nz_coco_matches matches = {0};
    NZ_TRY(nz_coco_match(&matches, in));
    return nz_coco_score(ret_result, &matches);
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
