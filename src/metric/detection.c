/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of detectors. Fractions of the evaluators become percent here. */
#include "netzip/detection.h"
#include "metric/family.h"

/* The interval of a statistic; NULL where there is none. */
static const double *interval_of(const nz_map_interval *interval, int stat) {
    if (!interval->replicates) return NULL;
    return stat == NZ_COCO_AP50 ? interval->ci95[NZ_MAP50] : stat == NZ_COCO_AP ? interval->ci95[NZ_MAP50_95] : NULL;
}

static nz_value_report coco_stat(const nz_metric_input *input, int stat) {
    static const char *const reasons[NZ_COCO_STATS] = {
        [NZ_COCO_AP_SMALL] = "no object is below 32 x 32 pixels",
        [NZ_COCO_AP_MEDIUM] = "no object is between 32 x 32 and 96 x 96 pixels",
        [NZ_COCO_AP_LARGE] = "no object is above 96 x 96 pixels",
    };
    nz_value_report report;
    const nz_detection_scores *d = nz_metric_detection(input, &report);
    if (!d) return report;
    const char *reason = reasons[stat] ? reasons[stat] : "no ground truth";
    const double *interval = interval_of(&d->interval, stat);
    report = nz_metric_fraction(d->coco.stats[stat], d->detections->image_count, reason);
    report.has_ci = interval && report.source != NZ_UNAVAILABLE;
    for (int i = 0; report.has_ci && i < 2; i++) report.ci95[i] = 100 * interval[i];
    return report;
}

enum { YOLO_MAP50, YOLO_MAP50_95, YOLO_CONFIDENCE };

static nz_value_report yolo_stat(const nz_metric_input *input, int which) {
    nz_value_report report;
    const nz_detection_scores *d = nz_metric_detection(input, &report);
    if (!d) return report;
    size_t images = d->detections->image_count;
    report = nz_metric_fraction(which == YOLO_MAP50_95 ? d->yolo.map50_95 : d->yolo.map50, images, "no ground truth");
    /* Without ground truth there is no mAP, and no confidence either. */
    if (report.source != NZ_UNAVAILABLE && which == YOLO_CONFIDENCE) report.value = d->yolo.confidence;
    return report;
}

enum { BOX_AGREEMENT, BOX_IOU, CLASS_CHANGES };

/* Of a model without a baseline the match is that with itself. */
static nz_value_report match_stat(const nz_metric_input *input, int which) {
    nz_value_report report;
    const nz_detection_scores *d = nz_metric_detection(input, &report);
    if (!d) return report;
    if (!d->has_match && input->reason_baseline) return nz_metric_missing(input->reason_baseline);
    const nz_detection_match *m = &d->match;
    if (m->first + m->second == 0)
        return nz_report_unavailable("neither model finds a box of confidence %g or more", m->confidence);
    if (which == BOX_AGREEMENT)
        return nz_metric_fraction(2 * (double)m->matched / (double)(m->first + m->second), m->first + m->second, "");
    if (m->matched == 0) return nz_report_unavailable("no box of the two models overlaps by %g or more", m->iou);
    if (which == CLASS_CHANGES) return nz_metric_share(m->matched - m->same_class, m->matched);
    report = nz_report_value(m->mean_iou, NZ_MEASURED);
    report.has_n = true;
    report.n = m->matched;
    return report;
}

#define ROW(ID, ALIAS, TITLE, UNIT, BETTER, DEFAULT, EVALUATE, ARGUMENT, HELP)                                         \
    {                                                                                                                  \
        .id = (ID), .alias = (ALIAS), .title = (TITLE), .unit = (UNIT), .category = "accuracy", .better = (BETTER),    \
        .by_default = (DEFAULT), .needs_scores = true, .task = NZ_TASK_DETECTION, .help = (HELP),                      \
        .evaluate = (EVALUATE), .argument = (ARGUMENT)                                                                 \
    }
#define COCO_ROW(ID, ALIAS, TITLE, DEFAULT, STAT, HELP)                                                                \
    ROW(ID, ALIAS, TITLE, "%", NZ_HIGHER, DEFAULT, coco_stat, STAT, HELP)

const nz_metric nz_metrics_detection[] = {
    COCO_ROW("map50", NULL, "mAP at IoU 0.50", true, NZ_COCO_AP50, "mean average precision at IoU 0.50, COCO protocol"),
    COCO_ROW("map50_95", "mAP", "mAP at IoU 0.50:0.95", true, NZ_COCO_AP,
             "mean average precision over IoU 0.50:0.05:0.95, COCO protocol"),
    COCO_ROW("map75", NULL, "mAP at IoU 0.75", false, NZ_COCO_AP75,
             "mean average precision at IoU 0.75, COCO protocol"),
    COCO_ROW("map_small", NULL, "mAP, small objects", false, NZ_COCO_AP_SMALL,
             "map50_95 over objects of at most 32 x 32 pixels"),
    COCO_ROW("map_medium", NULL, "mAP, medium objects", false, NZ_COCO_AP_MEDIUM,
             "map50_95 over objects from 32 x 32 to 96 x 96 pixels"),
    COCO_ROW("map_large", NULL, "mAP, large objects", false, NZ_COCO_AP_LARGE,
             "map50_95 over objects of at least 96 x 96 pixels"),
    COCO_ROW("ar100", NULL, "Average recall", false, NZ_COCO_AR100,
             "mean over IoU 0.50:0.05:0.95 of the recall reached with 100 detections an image, COCO protocol"),
    ROW("map50_yolov5", NULL, "mAP at IoU 0.50 (YOLOv5)", "%", NZ_HIGHER, true, yolo_stat, YOLO_MAP50,
        "mean average precision at IoU 0.50 as YOLOv5's validation computes it"),
    ROW("map50_95_yolov5", NULL, "mAP at IoU 0.50:0.95 (YOLOv5)", "%", NZ_HIGHER, true, yolo_stat, YOLO_MAP50_95,
        "mean average precision over IoU 0.50:0.05:0.95 as YOLOv5's validation computes it"),
    ROW("f1_confidence", NULL, "Confidence of best F1", "", NZ_NEITHER, false, yolo_stat, YOLO_CONFIDENCE,
        "the confidence at which the mean F1 over classes is largest, and precision, recall and F1 are read"),
    ROW("box_agreement", NULL, "Box agreement", "%", NZ_HIGHER, true, match_stat, BOX_AGREEMENT,
        "% of the boxes of both models, confidence 0.25 and more, that have a partner in the other at IoU 0.50"),
    ROW("box_iou", NULL, "Overlap of matched boxes", "", NZ_HIGHER, true, match_stat, BOX_IOU,
        "mean IoU of the baseline's boxes and their partners"),
    ROW("class_changes", NULL, "Class changes", "%", NZ_LOWER, true, match_stat, CLASS_CHANGES,
        "% of the baseline's boxes with a partner whose partner is of another class"),
    {.id = NULL},
};
