/* SPDX-License-Identifier: Apache-2.0 */
/* Annotations and, behind a byte of 0, detections: what is read can be evaluated. */
#include <math.h>

#include "core/memory.h"
#include "fuzz.h"
#include "metric/evaluate_detections.h"

static void check_boxes(const nz_detections *d) {
    for (size_t i = 0; i < d->truth_count; i++) {
        const nz_truth_box *b = &d->truths[i];
        nz_fuzz_check(b->image >= 0 && (size_t)b->image < d->image_count);
        nz_fuzz_check(b->class_index >= 0 && (size_t)b->class_index < d->class_count);
        nz_fuzz_check(b->width >= 0 && b->height >= 0 && isfinite(b->x) && isfinite(b->y) && isfinite(b->area));
    }
    for (size_t i = 0; i < d->found_count; i++) {
        const nz_found_box *b = &d->found[i];
        nz_fuzz_check(b->image >= 0 && (size_t)b->image < d->image_count);
        nz_fuzz_check(b->class_index >= 0 && (size_t)b->class_index < d->class_count && isfinite(b->score));
    }
    for (size_t i = 1; i < d->image_count; i++) nz_fuzz_check(d->image_ids[i - 1] < d->image_ids[i]);
    for (size_t c = 1; c < d->class_count; c++) nz_fuzz_check(d->class_ids[c - 1] < d->class_ids[c]);
}

static void evaluate(const nz_detections *d) {
    NZ_AUTO(nz_detection_scores_done) nz_detection_scores scores = {0};
    NZ_AUTO(nz_confusion_done) nz_confusion confusion = {0};
    NZ_AUTO_FREE char *hint = NULL, *gap = NULL;
    const nz_detections twin = *d; /* another detector that finds the same */
    if (d->image_count > 1000 || d->class_count > 100 || d->found_count > 2000) return;
    nz_fuzz_check(nz_detection_hint(&hint, d) == NZ_OK);
    nz_fuzz_check(nz_detection_gap(&gap, d) == NZ_OK);
    if (!d->image_count) return;
    nz_fuzz_check(nz_detection_scores_resampled(&scores, d, &twin, 3, 0) == NZ_OK);
    nz_fuzz_check(scores.match.matched <= scores.match.first && scores.match.first == scores.match.second);
    nz_fuzz_check(!scores.match.matched || (scores.match.mean_iou >= 0.5 && scores.match.mean_iou < 1.001));
    nz_fuzz_check(nz_confusion_get(&confusion, d, 0.25, 0.45) == NZ_OK);
    for (int i = 0; i < NZ_COCO_STATS; i++) {
        double value = scores.coco.stats[i];
        nz_fuzz_check(value == -1 || (value >= 0 && value <= 1));
    }
    nz_fuzz_check(scores.yolo.map50 >= -1 && scores.yolo.map50 <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    NZ_AUTO(nz_detections_done) nz_detections d = {0};
    const uint8_t *end = count ? memchr(bytes, 0, count) : NULL;
    size_t truth = end ? (size_t)(end - bytes) : count;
    if (nz_detections_read(&d, nz_fuzz_file(bytes, truth), NULL) != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !strchr(nz_last_error(), '\n') && !d.image_ids && !d.truths);
        return 0;
    }
    if (end && nz_detections_read_found(&d, nz_fuzz_file(end + 1, count - truth - 1)) != NZ_OK)
        nz_fuzz_check(*nz_last_error() && !strchr(nz_last_error(), '\n') && !d.found);
    check_boxes(&d);
    evaluate(&d);
    return 0;
}
