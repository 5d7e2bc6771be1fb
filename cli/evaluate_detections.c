/* SPDX-License-Identifier: Apache-2.0 */
/* What netzip evaluate prints and writes about detections. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "evaluate_detections.h"
#include "metric/value_text.h"
#include "netzip/report.h"
#include "table.h"

static void percent_cell(char text[16], double fraction) {
    if (fraction >= 0)
        snprintf(text, 16, "%.2f", 100 * fraction);
    else
        snprintf(text, 16, "-");
}

static const char *class_name(const nz_detections *d, size_t c, char text[32]) {
    if (d->class_names[c] && *d->class_names[c]) return d->class_names[c];
    snprintf(text, 32, "%lld", (long long)d->class_ids[c]);
    return text;
}

static nz_status print_coco(const nz_detection_evaluation *e) {
    NZ_AUTO_CLI_TABLE nz_cli_table out = {.columns = 6};
    printf("\nCOCO's twelve statistics (fractions; -1: no such object in the ground truth)\n");
    for (size_t half = 0; half < NZ_COCO_STATS; half += 6) {
        for (size_t i = half; i < half + 6; i++) NZ_TRY(nz_cli_table_add(&out, nz_coco_stat_name((nz_coco_stat)i)));
        for (size_t i = half; i < half + 6; i++) NZ_TRY(nz_cli_table_addf(&out, "%.6f", e->scores.coco.stats[i]));
    }
    nz_cli_table_print(&out, stdout, 0);
    return NZ_OK;
}

static nz_status print_classes(const nz_detection_evaluation *e) {
    NZ_AUTO_CLI_TABLE nz_cli_table out = {.columns = 8};
    static const char *const headings[] = {"class",      "objects",     "detections", "map50 %",
                                           "map50_95 %", "precision %", "recall %",   "f1 %"};
    char text[32], cell[16];
    for (size_t i = 0; i < NZ_COUNT(headings); i++) NZ_TRY(nz_cli_table_add(&out, headings[i]));
    for (size_t c = 0; c < e->own.class_count; c++) {
        const nz_coco_class *coco = &e->scores.coco.classes[c];
        const nz_yolo_class *yolo = &e->scores.yolo.classes[c];
        const double values[] = {e->yolov5 ? yolo->ap50 : coco->ap50, e->yolov5 ? yolo->ap : coco->ap, yolo->precision,
                                 yolo->recall, yolo->f1};
        if (!yolo->truths && !e->found[c]) continue;
        NZ_TRY(nz_cli_table_add(&out, class_name(&e->own, c, text)));
        NZ_TRY(nz_cli_table_addf(&out, "%zu", coco->truths));
        NZ_TRY(nz_cli_table_addf(&out, "%zu", e->found[c]));
        for (size_t i = 0; i < NZ_COUNT(values); i++) {
            percent_cell(cell, values[i]);
            NZ_TRY(nz_cli_table_add(&out, cell));
        }
    }
    printf("\n");
    nz_cli_table_print(&out, stdout, 1);
    return NZ_OK;
}

enum { CONFUSIONS_SHOWN = 5 };

/* Puts cell `i` among the largest so far, in descending order; of equal ones the first stays in front. */
static void keep_largest(size_t shown[CONFUSIONS_SHOWN], size_t *count, const uint64_t *counts, size_t i) {
    size_t at = *count;
    while (at > 0 && counts[shown[at - 1]] < counts[i]) at--;
    if (at == CONFUSIONS_SHOWN) return;
    if (*count < CONFUSIONS_SHOWN) ++*count;
    memmove(shown + at + 1, shown + at, (*count - 1 - at) * sizeof *shown);
    shown[at] = i;
}

static nz_status print_confusion(const nz_detection_evaluation *e) {
    enum { CLASSES_MOST = 2000 }; /* counts grow with their square */
    NZ_AUTO(nz_confusion_done) nz_confusion m = {0};
    char found[32], there[32];
    if (e->own.class_count > CLASSES_MOST) return NZ_OK;
    NZ_TRY(nz_confusion_get(&m, &e->own, NZ_CONFUSION_CONFIDENCE, NZ_CONFUSION_IOU));
    size_t none = m.class_count, side = none + 1, shown[CONFUSIONS_SHOWN], count = 0;
    uint64_t right = 0, confused = 0, missed = 0, extra = 0;
    for (size_t i = 0; i < side * side; i++) {
        size_t row = i / side, column = i % side;
        uint64_t *sum = row == column ? &right : row == none ? &missed : column == none ? &extra : &confused;
        *sum += m.counts[i];
        if (sum == &confused && m.counts[i]) keep_largest(shown, &count, m.counts, i);
    }
    printf(
        "\nat confidence %g and IoU %g: %llu objects found, %llu taken for another class, %llu missed; %llu detections "
        "where nothing is\n",
        m.confidence, m.iou, (unsigned long long)right, (unsigned long long)confused, (unsigned long long)missed,
        (unsigned long long)extra);
    for (size_t k = 0; k < count; k++) {
        printf("  %llu x ", (unsigned long long)m.counts[shown[k]]);
        nz_cli_put_printable(stdout, class_name(&e->own, shown[k] % side, there));
        printf(" taken for ");
        nz_cli_put_printable(stdout, class_name(&e->own, shown[k] / side, found));
        printf("\n");
    }
    return NZ_OK;
}

static void print_baseline(const nz_detection_evaluation *e) {
    static const char *const names[NZ_MAP_STATS] = {[NZ_MAP50] = "map50", [NZ_MAP50_95] = "map50_95"};
    const nz_map_interval *interval = &e->scores.interval;
    const nz_detection_match *m = &e->scores.match;
    printf("\n");
    for (size_t k = 0; k < NZ_MAP_STATS && interval->has_difference && !e->yolov5; k++)
        printf("%s against the baseline: %+.2f points (95%% interval %+.2f to %+.2f, the same %zu resamples of both)\n",
               names[k], 100 * interval->difference[k], 100 * interval->difference_ci95[k][0],
               100 * interval->difference_ci95[k][1], interval->replicates);
    printf("boxes of confidence %g and more: baseline %zu, this %zu; %zu pairs at IoU %g, of the same class %zu",
           m->confidence, m->first, m->second, m->matched, m->iou, m->same_class);
    if (m->matched) printf("; mean IoU %.4f, mean difference of scores %.4f", m->mean_iou, m->mean_score_difference);
    printf("\n");
}

nz_status nz_cli_print_detections(const nz_detection_evaluation *e) {
    printf("\n%zu images, %zu objects, %zu detections; %s's evaluator", e->own.image_count, e->own.truth_count,
           e->own.found_count, e->yolov5 ? "YOLOv5" : "COCO");
    if (e->scores.interval.replicates)
        printf("; intervals from %zu resampled sets of images", e->scores.interval.replicates);
    printf("\n");
    if (!e->yolov5) NZ_TRY(print_coco(e));
    NZ_TRY(print_classes(e));
    NZ_TRY(print_confusion(e));
    if (e->base.image_count) print_baseline(e);
    return NZ_OK;
}

/* ---- Files ---- */

/* The evaluation as the one model of a results document, for the report's plots. */
static nz_status results_text(char **ret_text, const json_t *evaluation, const char *name) {
    NZ_AUTO_JSON json_t *json =
        json_pack("{s:s,s:{},s:[{s:o,s:o,s:s,s:s,s:O,s:O}]}", "schema", "netzip.results/1", "run", "models", "id",
                  nz_json_string(name), "name", nz_json_string(name), "technique", "None", "status", "ok", "metrics",
                  json_object_get(evaluation, "metrics"), "detection", json_object_get(evaluation, "detection"));
    if (!json) return nz_fail(NZ_E_MEMORY, "out of memory: the evaluation");
    return nz_json_text(ret_text, json, 1);
}

nz_status nz_cli_write_detections(const char *dir, const json_t *evaluation, const char *found) {
    NZ_AUTO_FREE char *path = NULL, *name = NULL, *text = NULL;
    NZ_TRY(nz_dir_make(dir));
    NZ_TRY(nz_path_join(&path, dir, "evaluation.json"));
    NZ_TRY(nz_json_write(evaluation, path));
    NZ_TRY(nz_path_stem(&name, found));
    NZ_TRY(results_text(&text, evaluation, name));
    return nz_report_detection(dir, text, nz_cli_progress());
}
