/* SPDX-License-Identifier: Apache-2.0 */
/* From the boxes of a variant to metric values. Boxes of two variants at most are held at a time: of a large data set they
 * are many. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare/detection.h"
#include "compare/detections_file.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/progress.h"

/* What one variant found, beside what it is compared with. */
typedef struct pair {
    nz_detections own, base;
    bool has_base;
    nz_detection_scores scores; /* of `own`; with the difference and the match where the images are the same */
    /* Where the two have read different images: cut to those in common, and evaluated once more. */
    nz_detections common_own, common_base;
    nz_detection_scores common;
    const nz_detection_scores *paired; /* which of the two holds the difference; NULL: none */
} pair;

static void pair_done(pair *p) {
    nz_detection_scores_done(&p->scores);
    nz_detection_scores_done(&p->common);
    nz_detections_done(&p->own);
    nz_detections_done(&p->base);
    nz_detections_done(&p->common_own);
    nz_detections_done(&p->common_base);
}

static bool has_boxes(const nz_variant *v) {
    return !v->error && json_is_true(json_object_get(json_object_get(v->raw, "predict"), "detections"));
}

static nz_status load(nz_detections *ret_detections, const nz_run *run, const nz_variant *v) {
    NZ_AUTO_FREE char *path = NULL;
    NZ_TRY(nz_store_scores(&path, run, v));
    return nz_detections_load(ret_detections, path);
}

static bool same_images(const nz_detections *a, const nz_detections *b) {
    return a->image_count == b->image_count &&
           memcmp(a->image_ids, b->image_ids, a->image_count * sizeof *a->image_ids) == 0;
}

static nz_status copy_classes(nz_detections *to, const nz_detections *from) {
    NZ_TRY(nz_alloc(&to->class_ids, from->class_count, sizeof *to->class_ids));
    NZ_TRY(nz_alloc(&to->class_names, from->class_count, sizeof *to->class_names));
    to->class_count = from->class_count;
    memcpy(to->class_ids, from->class_ids, from->class_count * sizeof *to->class_ids);
    for (size_t c = 0; c < from->class_count; c++) NZ_TRY(nz_strdup(&to->class_names[c], from->class_names[c]));
    return NZ_OK;
}

/* Those images of `own` that `other` has too, with their boxes. Both lists are sorted. */
static nz_status keep_common(nz_detections *d, const nz_detections *own, const nz_detections *other) {
    NZ_AUTO_FREE int32_t *place = NULL;
    NZ_TRY(nz_alloc(&place, own->image_count, sizeof *place));
    NZ_TRY(nz_alloc(&d->image_ids, own->image_count, sizeof *d->image_ids));
    NZ_TRY(nz_alloc(&d->truths, own->truth_count, sizeof *d->truths));
    NZ_TRY(nz_alloc(&d->found, own->found_count, sizeof *d->found));
    for (size_t i = 0, k = 0; i < own->image_count; i++) {
        while (k < other->image_count && other->image_ids[k] < own->image_ids[i]) k++;
        bool both = k < other->image_count && other->image_ids[k] == own->image_ids[i];
        place[i] = both ? (int32_t)d->image_count : -1;
        if (both) d->image_ids[d->image_count++] = own->image_ids[i];
    }
    for (size_t i = 0; i < own->truth_count; i++) {
        if (place[own->truths[i].image] < 0) continue;
        d->truths[d->truth_count] = own->truths[i];
        d->truths[d->truth_count++].image = place[own->truths[i].image];
    }
    for (size_t i = 0; i < own->found_count; i++) {
        if (place[own->found[i].image] < 0) continue;
        d->found[d->found_count] = own->found[i];
        d->found[d->found_count++].image = place[own->found[i].image];
    }
    return copy_classes(d, own);
}

static nz_status evaluate(pair *p, const nz_run *run) {
    uint64_t seed = run->options->seed;
    bool same = p->has_base && same_images(&p->own, &p->base);
    NZ_TRY(nz_detection_scores_get(&p->scores, &p->own, same ? &p->base : NULL, seed));
    if (same) p->paired = &p->scores;
    if (same || !p->has_base) return NZ_OK;
    NZ_TRY(keep_common(&p->common_own, &p->own, &p->base));
    NZ_TRY(keep_common(&p->common_base, &p->base, &p->own));
    if (!p->common_own.image_count) return NZ_OK;
    NZ_TRY(nz_detection_scores_get(&p->common, &p->common_own, &p->common_base, seed));
    p->paired = &p->common;
    return NZ_OK;
}

/* The same variant but for threads or batch has been scored before: its cells and section hold for this one too. */
static bool take_over(nz_cell *row, nz_run *run, size_t v) {
    nz_variant *own = &run->variants[v];
    const nz_variant *own_base = &run->variants[nz_run_baseline_of(run, v)];
    for (size_t i = 0; i < v; i++) {
        const nz_variant *other = &run->variants[i];
        const nz_variant *base = &run->variants[nz_run_baseline_of(run, i)];
        if (other->entry != own->entry || strcmp(other->runtime, own->runtime) != 0 || !other->detection ||
            has_boxes(base) != has_boxes(own_base))
            continue;
        const nz_cell *from = row - (v - i) * run->metric_count;
        for (size_t m = 0; m < run->metric_count; m++)
            if (run->metrics[m]->needs_scores) row[m] = from[m];
        own->detection = json_incref(other->detection);
        return true;
    }
    return false;
}

static void set_difference(nz_cell *cell, const nz_metric *metric, const pair *p) {
    static const struct {
        const char *id;
        nz_map_stat stat;
    } resampled[] = {{"map50", NZ_MAP50}, {"map50_95", NZ_MAP50_95}};
    if (!p->paired || !p->paired->interval.has_difference) return;
    const nz_map_interval *interval = &p->paired->interval;
    for (size_t i = 0; i < NZ_COUNT(resampled); i++) {
        if (strcmp(resampled[i].id, metric->id) != 0) continue;
        nz_map_stat s = resampled[i].stat;
        cell->has_resampled = true;
        cell->difference_pct = 100 * interval->difference[s];
        for (size_t k = 0; k < 2; k++) cell->difference_ci95_pct[k] = 100 * interval->difference_ci95[s][k];
        cell->replicates = interval->replicates;
        cell->images = p->paired->detections->image_count;
    }
}

/* Metrics of the match read it from the scores: where that was made of the common images, from there. */
static bool is_of_match(const nz_metric *metric) {
    static const char *const ids[] = {"box_agreement", "box_iou", "class_changes"};
    for (size_t i = 0; i < NZ_COUNT(ids); i++)
        if (strcmp(ids[i], metric->id) == 0) return true;
    return false;
}

static nz_status fill(nz_cell *row, nz_run *run, size_t v, nz_metric_input *input, const pair *p,
                      const nz_pictures *pictures) {
    nz_variant *variant = &run->variants[v];
    const json_t *predict = json_object_get(variant->raw, "predict");
    input->postprocess_ms = nz_json_number_at(predict, "postprocess_ms");
    input->postprocess_n = p->own.image_count;
    for (size_t m = 0; m < run->metric_count; m++) {
        input->detection = p->paired && is_of_match(run->metrics[m]) ? p->paired : &p->scores;
        row[m].report = nz_metric_value(run->metrics[m], input);
        if (row[m].report.source != NZ_UNAVAILABLE) set_difference(&row[m], run->metrics[m], p);
    }
    const nz_detection_match *match = p->paired && p->paired->has_match ? &p->paired->match : NULL;
    return nz_detection_json(&variant->detection, run, v, &p->scores, match, pictures);
}

nz_status nz_detection_row(nz_cell *row, nz_run *run, size_t v, const nz_metric_input *input, nz_pictures *pictures) {
    size_t base = nz_run_baseline_of(run, v);
    nz_metric_input own = *input;
    char reason[512];
    for (size_t m = 0; m < run->metric_count; m++) row[m].report = nz_metric_value(run->metrics[m], &own);
    if (!has_boxes(&run->variants[v]) || take_over(row, run, v)) return NZ_OK;
    NZ_AUTO(pair_done) pair p = {.has_base = v != base && has_boxes(&run->variants[base])};
    NZ_TRY(load(&p.own, run, &run->variants[v]));
    if (p.has_base) NZ_TRY(load(&p.base, run, &run->variants[base]));
    if (v != base && !p.has_base) {
        const nz_variant *b = &run->variants[base];
        snprintf(reason, sizeof reason, "the baseline has no boxes: %.400s",
                 b->error ? b->error : nz_json_text_at(json_object_get(b->raw, "predict"), "unavailable"));
        own.reason_baseline = reason;
    }
    if (!nz_progress_step(run->progress, "evaluation of boxes", v, run->variant_count))
        return nz_fail(NZ_E_CANCELLED, "stopped by the user");
    NZ_TRY(evaluate(&p, run));
    if (p.has_base && !p.paired)
        own.reason_baseline = "there is no image that both this model and the baseline could read";
    if (!pictures->items) NZ_TRY(nz_pictures_write(pictures, run, &p.own));
    return fill(row, run, v, &own, &p, pictures);
}
