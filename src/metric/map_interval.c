/* SPDX-License-Identifier: Apache-2.0 */
/* Bootstrap over images of COCO's mean average precision. */
#include <stdlib.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/random.h"
#include "metric/box_order.h"
#include "netzip/metric.h"

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The images drawn, each under a number of its own. */
static nz_status resample(nz_detections *ret, const nz_detections *in, const size_t *drawn) {
    nz_detections d = {.image_count = in->image_count, .class_count = in->class_count};
    size_t truths = 0, found = 0;
    for (size_t i = 0; i < in->image_count; i++) {
        for (size_t k = 0; k < in->truth_count; k++)
            if (in->truths[k].image == (int32_t)drawn[i]) {
                NZ_TRY(nz_grow(&d.truths, &truths, d.truth_count + 1, sizeof *d.truths));
                d.truths[d.truth_count] = in->truths[k];
                d.truths[d.truth_count++].image = (int32_t)i;
            }
        for (size_t k = 0; k < in->found_count; k++)
            if (in->found[k].image == (int32_t)drawn[i]) {
                NZ_TRY(nz_grow(&d.found, &found, d.found_count + 1, sizeof *d.found));
                d.found[d.found_count] = in->found[k];
                d.found[d.found_count++].image = (int32_t)i;
            }
    }
    *ret = d;
    return NZ_OK;
}

static nz_status stats_of(double ret[NZ_MAP_STATS], const nz_detections *in, const size_t *drawn) {
    NZ_AUTO(nz_detections_done) nz_detections d = {0};
    NZ_AUTO(nz_coco_result_done) nz_coco_result r = {0};
    if (drawn) NZ_TRY(resample(&d, in, drawn));
    NZ_TRY(nz_coco_evaluate(&r, drawn ? &d : in));
    ret[NZ_MAP50] = r.stats[NZ_COCO_AP50];
    ret[NZ_MAP50_95] = r.stats[NZ_COCO_AP];
    return NZ_OK;
}

nz_status nz_map_interval_get(nz_map_interval *ret_interval, const nz_detections *model, const nz_detections *baseline,
                              size_t replicates, uint64_t seed) {
    const nz_detections *sides[2] = {model, baseline};
    nz_map_interval interval = {.replicates = replicates, .has_difference = baseline != NULL};
    double whole[2][NZ_MAP_STATS] = {{0}}, now[2][NZ_MAP_STATS] = {{0}};
    NZ_AUTO_FREE double *values = NULL;
    NZ_AUTO_FREE size_t *drawn = NULL;
    nz_random random;
    nz_random_init(&random, seed, 0);
    NZ_TRY(nz_alloc(&values, replicates, 2 * NZ_MAP_STATS * sizeof *values));
    NZ_TRY(nz_alloc(&drawn, model->image_count, sizeof *drawn));
    for (int s = 0; s < 1 + (baseline != NULL); s++) NZ_TRY(stats_of(whole[s], sides[s], NULL));
    for (size_t r = 0; r < replicates; r++) {
        for (size_t i = 0; i < model->image_count; i++) drawn[i] = (size_t)nz_random_below(&random, model->image_count);
        for (int s = 0; s < 1 + (baseline != NULL); s++) NZ_TRY(stats_of(now[s], sides[s], drawn));
        for (int k = 0; k < NZ_MAP_STATS; k++) {
            values[(size_t)k * replicates + r] = now[0][k];
            values[((size_t)k + NZ_MAP_STATS) * replicates + r] = now[0][k] - now[1][k];
        }
    }
    for (int k = 0; k < 2 * NZ_MAP_STATS; k++) {
        double *list = values + (size_t)k * replicates;
        double *ends = k < NZ_MAP_STATS ? interval.ci95[k] : interval.difference_ci95[k - NZ_MAP_STATS];
        qsort(list, replicates, sizeof *list, ascending);
        ends[0] = nz_quantile(list, replicates, 0.025);
        ends[1] = nz_quantile(list, replicates, 0.975);
    }
    for (int k = 0; k < NZ_MAP_STATS; k++) {
        interval.value[k] = whole[0][k];
        interval.difference[k] = whole[0][k] - whole[1][k];
    }
    *ret_interval = interval;
    return NZ_OK;
}
