/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bootstrap over images of COCO's mean average precision. Which detection is right does not depend on what other images are
 * drawn, so matching is done once; a resample gives every image a weight, how often it was drawn, and the curves are read with
 * weights. Several resamples are computed side by side, one in each lane of a vector.
 */
#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/random.h"
#include "metric/boxes.h"
#include "metric/coco_match.h"
#include "metric/family.h"
#include "netzip/metric.h"

enum { LANES = 16, THRESHOLDS = NZ_BOX_THRESHOLDS };

/* A model's detections as far as resampling needs them. An event is a detection that is right or ignored at any threshold. */
typedef struct side {
    nz_coco_matches matches;
    uint32_t *event_images; /* [events], by class in order */
    uint32_t *event_ends;   /* [events] how many detections of its class stand up to it, itself included */
    size_t *event_start;    /* [classes + 1] */
    uint32_t *turns;        /* by class and threshold: event within its class, times 2, plus 1 where it is ignored */
    size_t *turn_start;     /* [classes * THRESHOLDS + 1] */
    size_t most_events;     /* of a class */
} side;

/* Vectors of LANES numbers, one for each resample at hand. */
typedef struct scratch {
    float *weights;          /* [images] */
    float *totals;           /* [events of a class] weight of all detections up to it */
    float *precision, *over; /* [events of a class] of the right ones: precision, and how many recalls are reached */
    float recalls[2 * NZ_COCO_RECALLS]; /* no vector: by twice the percent of recall, plus 1 where it is beyond that */
} scratch;

typedef struct resampling {
    side sides[2];
    size_t side_count;
    scratch at;
    double *values; /* [side][stat][replicates] */
    size_t replicates;
} resampling;

static void side_done(side *s) {
    nz_coco_matches_done(&s->matches);
    free(s->event_images);
    free(s->event_ends);
    free(s->event_start);
    free(s->turns);
    free(s->turn_start);
}

static void resampling_done(resampling *r) {
    for (int s = 0; s < 2; s++) side_done(&r->sides[s]);
    free(r->at.weights);
    free(r->at.totals);
    free(r->at.precision);
    free(r->at.over);
    free(r->values);
}

/* ---- Once for each model ---- */

static void add_turns(side *s, size_t class_index, const nz_coco_verdict *verdicts, size_t *turn) {
    size_t first = s->event_start[class_index], end = s->event_start[class_index + 1];
    for (int t = 0; t < THRESHOLDS; t++) {
        s->turn_start[class_index * THRESHOLDS + (size_t)t] = *turn;
        for (size_t e = first; e < end; e++) {
            const nz_coco_verdict *v = &verdicts[s->event_ends[e] - 1];
            uint32_t ignored = v->ignored[0] >> t & 1u;
            if (ignored || (v->matched[0] >> t & 1)) s->turns[(*turn)++] = (uint32_t)(e - first) << 1 | ignored;
        }
    }
    s->turn_start[(class_index + 1) * THRESHOLDS] = *turn;
}

static nz_status open_side(side *s, const nz_detections *in) {
    NZ_TRY(nz_coco_match(&s->matches, in));
    const nz_coco_matches *m = &s->matches;
    size_t found = m->start[m->class_count], events = 0, turns = 0;
    for (size_t i = 0; i < found; i++) {
        unsigned bits = m->verdicts[i].matched[0] | m->verdicts[i].ignored[0];
        events += bits != 0;
        turns += (size_t)__builtin_popcount(bits);
    }
    NZ_TRY(nz_alloc(&s->event_images, events, sizeof *s->event_images));
    NZ_TRY(nz_alloc(&s->event_ends, events, sizeof *s->event_ends));
    NZ_TRY(nz_alloc(&s->event_start, m->class_count + 1, sizeof *s->event_start));
    NZ_TRY(nz_alloc(&s->turns, turns, sizeof *s->turns));
    NZ_TRY(nz_alloc(&s->turn_start, m->class_count + 1, THRESHOLDS * sizeof *s->turn_start));
    events = turns = 0;
    for (size_t c = 0; c < m->class_count; c++) {
        const nz_coco_verdict *verdicts = m->verdicts + m->start[c];
        s->event_start[c] = events;
        for (size_t i = 0; i < m->start[c + 1] - m->start[c]; i++) {
            if (!(verdicts[i].matched[0] | verdicts[i].ignored[0])) continue;
            s->event_images[events] = verdicts[i].image;
            s->event_ends[events++] = (uint32_t)(i + 1);
        }
        s->event_start[c + 1] = events;
        s->most_events = events - s->event_start[c] > s->most_events ? events - s->event_start[c] : s->most_events;
        add_turns(s, c, verdicts, &turns);
    }
    return NZ_OK;
}

/* ---- A class ---- */

/* The weight of all detections of a class up to each event. */
static void sum_totals(const side *s, scratch *at, size_t class_index) {
    const nz_coco_verdict *verdicts = s->matches.verdicts + s->matches.start[class_index];
    float sum[LANES] = {0};
    size_t i = 0;
    for (size_t e = s->event_start[class_index]; e < s->event_start[class_index + 1]; e++) {
        float *total = at->totals + (e - s->event_start[class_index]) * LANES;
        for (; i < s->event_ends[e]; i++) {
            const float *weight = at->weights + (size_t)verdicts[i].image * LANES;
            for (int l = 0; l < LANES; l++) sum[l] += weight[l];
        }
        for (int l = 0; l < LANES; l++) total[l] = sum[l];
    }
}

/* Walks the right detections of a class at one threshold; returns how many. `truths` holds the class's objects, 1 where there
 * is none. */
static size_t walk(const side *s, scratch *at, size_t class_index, int t, const float truths[LANES]) {
    const uint32_t *images = s->event_images + s->event_start[class_index];
    size_t row = class_index * THRESHOLDS + (size_t)t, right = 0;
    float hits[LANES] = {0}, ignored[LANES] = {0};
    int32_t reached[LANES];
    for (size_t k = s->turn_start[row]; k < s->turn_start[row + 1]; k++) {
        size_t e = s->turns[k] >> 1;
        const float *weight = at->weights + (size_t)images[e] * LANES, *total = at->totals + e * LANES;
        if (s->turns[k] & 1) {
            for (int l = 0; l < LANES; l++) ignored[l] += weight[l];
            continue;
        }
        float *precision = at->precision + right * LANES, *over = at->over + right * LANES;
        for (int l = 0; l < LANES; l++) {
            float seen = total[l] - ignored[l];
            hits[l] += weight[l];
            precision[l] = hits[l] / (seen > 1 ? seen : 1);
            float percent = 100 * hits[l] / truths[l];
            int32_t whole = (int32_t)percent;
            reached[l] = 2 * whole + ((float)whole != percent);
        }
        for (int l = 0; l < LANES; l++) over[l] = at->recalls[reached[l]];
        right++;
    }
    return right;
}

/* The area under the curve that was walked: from behind, the best precision so far holds at the recalls that a detection
 * reaches first. */
static void add_area(float sums[LANES], const scratch *at, size_t right) {
    static const float none[LANES] = {0};
    float best[LANES] = {0};
    for (size_t k = right; k-- > 0;) {
        const float *precision = at->precision + k * LANES, *over = at->over + k * LANES;
        const float *before = k ? over - LANES : none;
        for (int l = 0; l < LANES; l++) {
            best[l] = precision[l] > best[l] ? precision[l] : best[l];
            sums[l] += (over[l] - before[l]) * best[l];
        }
    }
}

/* ---- A set of resamples ---- */

typedef struct lane_sums {
    float stats[NZ_MAP_STATS][LANES], classes[LANES];
} lane_sums;

static void add_class(lane_sums *sums, const side *s, scratch *at, size_t class_index) {
    const nz_coco_matches *m = &s->matches;
    float truths[LANES] = {0}, present[LANES], areas[NZ_MAP_STATS][LANES] = {{0}};
    for (size_t g = m->truth_start[class_index]; g < m->truth_start[class_index + 1]; g++)
        for (int l = 0; l < LANES; l++) truths[l] += at->weights[(size_t)m->truth_images[g] * LANES + (size_t)l];
    for (int l = 0; l < LANES; l++) {
        present[l] = truths[l] > 0;
        truths[l] = truths[l] > 0 ? truths[l] : 1;
        sums->classes[l] += present[l];
    }
    sum_totals(s, at, class_index);
    for (int t = 0; t < THRESHOLDS; t++) {
        float area[LANES] = {0};
        add_area(area, at, walk(s, at, class_index, t, truths));
        for (int l = 0; l < LANES; l++) {
            areas[NZ_MAP50][l] += t == 0 ? area[l] : 0;
            areas[NZ_MAP50_95][l] += area[l] / THRESHOLDS;
        }
    }
    for (int k = 0; k < NZ_MAP_STATS; k++)
        for (int l = 0; l < LANES; l++) sums->stats[k][l] += present[l] * areas[k][l] / NZ_COCO_RECALLS;
}

/* Draws images for up to LANES resamples from `first` on and computes their statistics; NaN where no object was drawn. */
static void resample(resampling *r, nz_random *random, size_t images, size_t first) {
    for (size_t i = 0; i < images * LANES; i++) r->at.weights[i] = 0;
    for (size_t l = 0; l < LANES && first + l < r->replicates; l++)
        for (size_t i = 0; i < images; i++) r->at.weights[nz_random_below(random, images) * LANES + l] += 1;
    for (size_t s = 0; s < r->side_count; s++) {
        const nz_coco_matches *m = &r->sides[s].matches;
        lane_sums sums = {0};
        for (size_t c = 0; c < m->class_count; c++)
            if (m->truth_start[c] < m->truth_start[c + 1]) add_class(&sums, &r->sides[s], &r->at, c);
        for (size_t k = 0; k < NZ_MAP_STATS; k++)
            for (size_t l = 0; l < LANES && first + l < r->replicates; l++)
                r->values[(s * NZ_MAP_STATS + k) * r->replicates + first + l] =
                    sums.classes[l] > 0 ? (double)(sums.stats[k][l] / sums.classes[l]) : (double)NAN;
    }
}

/* ---- Intervals ---- */

/* The middle 95% of the resampled values, moved by what resampling adds on average: a resample holds some images twice, which
 * lifts precision, so that its mean average precision lies above that of the set it was drawn from. */
static nz_status take_interval(double ret_ci95[2], double whole, double *values, size_t count) {
    size_t kept = 0;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        if (!isnan(values[i])) sum += values[kept++] = values[i];
    if (!kept) return nz_fail(NZ_E_ARG, "bootstrap: no resample has an object");
    double added = sum / (double)kept - whole;
    nz_sort_ascending(values, kept);
    ret_ci95[0] = nz_quantile(values, kept, 0.025) - added;
    ret_ci95[1] = nz_quantile(values, kept, 0.975) - added;
    return NZ_OK;
}

static nz_status open_resampling(resampling *r, const nz_detections *model, const nz_detections *baseline) {
    size_t images = model->image_count, events = 0;
    const nz_detections *sides[2] = {model, baseline};
    if (baseline) NZ_TRY(nz_boxes_same(baseline, model));
    r->side_count = baseline ? 2 : 1;
    for (size_t s = 0; s < r->side_count; s++) {
        NZ_TRY(open_side(&r->sides[s], sides[s]));
        events = r->sides[s].most_events > events ? r->sides[s].most_events : events;
    }
    NZ_TRY(nz_alloc(&r->at.weights, images, LANES * sizeof(float)));
    NZ_TRY(nz_alloc(&r->at.totals, events, LANES * sizeof(float)));
    NZ_TRY(nz_alloc(&r->at.precision, events, LANES * sizeof(float)));
    NZ_TRY(nz_alloc(&r->at.over, events, LANES * sizeof(float)));
    NZ_TRY(nz_alloc(&r->values, r->replicates, 2 * NZ_MAP_STATS * sizeof *r->values));
    /* Some of the 101 recalls lie a bit above their fraction: reaching that exactly does not reach them. */
    for (int i = 0; i < NZ_COCO_RECALLS; i++) {
        r->at.recalls[2 * i] = (float)(i + (nz_coco_recall(i) <= i / 100.0));
        r->at.recalls[2 * i + 1] = (float)(i + 1);
    }
    return NZ_OK;
}

static nz_status fill(nz_map_interval *interval, resampling *r) {
    double whole[2][NZ_MAP_STATS] = {{0}};
    for (size_t s = 0; s < r->side_count; s++) {
        NZ_AUTO(nz_coco_result_done) nz_coco_result result = {0};
        NZ_TRY(nz_coco_score(&result, &r->sides[s].matches));
        whole[s][NZ_MAP50] = result.stats[NZ_COCO_AP50];
        whole[s][NZ_MAP50_95] = result.stats[NZ_COCO_AP];
    }
    for (size_t k = 0; k < NZ_MAP_STATS; k++) {
        double *own = r->values + k * r->replicates, *base = own + NZ_MAP_STATS * r->replicates;
        interval->value[k] = whole[0][k];
        if (r->side_count > 1) {
            interval->difference[k] = whole[0][k] - whole[1][k];
            for (size_t i = 0; i < r->replicates; i++) base[i] = own[i] - base[i];
            NZ_TRY(take_interval(interval->difference_ci95[k], interval->difference[k], base, r->replicates));
        }
        NZ_TRY(take_interval(interval->ci95[k], whole[0][k], own, r->replicates));
        for (int end = 0; end < 2; end++) interval->ci95[k][end] = fmin(fmax(interval->ci95[k][end], 0), 1);
    }
    return NZ_OK;
}

nz_status nz_map_interval_get(nz_map_interval *ret_interval, const nz_detections *model, const nz_detections *baseline,
                              size_t replicates, uint64_t seed) {
    NZ_AUTO(resampling_done) resampling r = {.replicates = replicates};
    nz_map_interval interval = {.replicates = replicates, .has_difference = baseline != NULL};
    nz_random random;
    if (!replicates || !model->image_count) return nz_fail(NZ_E_ARG, "bootstrap: no images or no resamples");
    NZ_TRY(open_resampling(&r, model, baseline));
    nz_random_init(&random, seed, 0);
    for (size_t first = 0; first < replicates; first += LANES) resample(&r, &random, model->image_count, first);
    NZ_TRY(fill(&interval, &r));
    *ret_interval = interval;
    return NZ_OK;
}
