/* SPDX-License-Identifier: Apache-2.0 */
#include "detect_text.h"

#include <inttypes.h>

#include "cli.h"
#include "core/error.h"
#include "core/memory.h"
#include "metric/detection_json.h"
#include "table.h"

void nz_detect_summary_done(nz_detect_summary *s) {
    nz_detections_done(&s->detections);
    nz_coco_result_done(&s->coco);
    nz_yolo_result_done(&s->yolo);
    free(s->all);
    free(s->certain);
    *s = (nz_detect_summary){0};
}

nz_status nz_detect_summary_score(nz_detect_summary *s) {
    const nz_detections *d = &s->detections;
    NZ_TRY(nz_alloc(&s->all, d->class_count, sizeof *s->all));
    NZ_TRY(nz_alloc(&s->certain, d->class_count, sizeof *s->certain));
    for (size_t i = 0; i < d->found_count; i++) {
        s->all[d->found[i].class_index]++;
        s->certain[d->found[i].class_index] += d->found[i].score >= s->sure;
    }
    s->has_truths = d->truth_count > 0;
    if (!s->has_truths) return NZ_OK;
    NZ_TRY(nz_coco_evaluate(&s->coco, d));
    return nz_yolo_evaluate(&s->yolo, d);
}

static size_t sure_boxes(const nz_detect_summary *s) {
    size_t sum = 0;
    for (size_t c = 0; c < s->detections.class_count; c++) sum += s->certain[c];
    return sum;
}

static double ms(const nz_detect_summary *s, uint64_t ns) { return (double)ns * 1e-6 / (double)s->times.images; }

static nz_status add_class(nz_cli_table *out, const nz_detect_summary *s, size_t c) {
    const nz_detections *d = &s->detections;
    if (d->class_names[c])
        NZ_TRY(nz_cli_table_add(out, d->class_names[c]));
    else
        NZ_TRY(nz_cli_table_addf(out, "%" PRId64, d->class_ids[c]));
    NZ_TRY(nz_cli_table_addf(out, "%zu", s->all[c]));
    NZ_TRY(nz_cli_table_addf(out, "%zu", s->certain[c]));
    if (!s->has_truths) return NZ_OK;
    const nz_coco_class *row = &s->coco.classes[c];
    NZ_TRY(nz_cli_table_addf(out, "%zu", row->truths));
    const double fractions[] = {row->ap, row->ap50};
    for (size_t k = 0; k < NZ_COUNT(fractions); k++)
        NZ_TRY(row->truths ? nz_cli_table_addf(out, "%.2f", 100 * fractions[k]) : nz_cli_table_add(out, ""));
    return NZ_OK;
}

static nz_status print_classes(const nz_detect_summary *s) {
    NZ_AUTO_CLI_TABLE nz_cli_table out = {.columns = s->has_truths ? 6 : 3};
    NZ_TRY(nz_cli_table_add(&out, "class"));
    NZ_TRY(nz_cli_table_add(&out, "boxes"));
    NZ_TRY(nz_cli_table_addf(&out, "from %g", s->sure));
    if (s->has_truths) {
        NZ_TRY(nz_cli_table_add(&out, "objects"));
        NZ_TRY(nz_cli_table_add(&out, "AP %"));
        NZ_TRY(nz_cli_table_add(&out, "AP50 %"));
    }
    for (size_t c = 0; c < s->detections.class_count; c++)
        if (s->certain[c] || (s->has_truths && s->coco.classes[c].truths)) NZ_TRY(add_class(&out, s, c));
    nz_cli_table_print(&out, stdout, 1u);
    return NZ_OK;
}

nz_status nz_detect_summary_print(const nz_detect_summary *s) {
    NZ_TRY(print_classes(s));
    printf("\n%s\n", s->description);
    printf("%zu image%s (%zu could not be read), %zu boxes, %zu of them with a score of %g or more\n",
           s->detections.image_count, s->detections.image_count == 1 ? "" : "s", s->broken, s->detections.found_count,
           sure_boxes(s), s->sure);
    if (s->has_truths) {
        const double *stats = s->coco.stats;
        printf("COCO:   mAP50 %.2f%%, mAP50-95 %.2f%%, mAP75 %.2f%%, AR100 %.2f%%\n", 100 * stats[NZ_COCO_AP50],
               100 * stats[NZ_COCO_AP], 100 * stats[NZ_COCO_AP75], 100 * stats[NZ_COCO_AR100]);
        printf("YOLOv5: mAP50 %.2f%%, mAP50-95 %.2f%%; precision %.2f%%, recall %.2f%%, F1 %.2f%% at confidence %.3f\n",
               100 * s->yolo.map50, 100 * s->yolo.map50_95, 100 * s->yolo.precision, 100 * s->yolo.recall,
               100 * s->yolo.f1, s->yolo.confidence);
    }
    printf("ms per image: %.2f waiting for images, %.2f inference, %.2f from outputs to boxes\n",
           ms(s, s->times.read_ns), ms(s, s->times.inference_ns), ms(s, s->times.boxes_ns));
    printf("written: ");
    nz_cli_put_printable(stdout, s->path);
    printf("\n");
    return NZ_OK;
}

static json_t *classes_json(const nz_detect_summary *s) {
    const nz_detections *d = &s->detections;
    json_t *list = json_array();
    for (size_t c = 0; c < d->class_count; c++) {
        json_t *row =
            json_pack("{so sI sI sI}", "name", nz_json_string(d->class_names[c]), "id", (json_int_t)d->class_ids[c],
                      "boxes", (json_int_t)s->all[c], "sure_boxes", (json_int_t)s->certain[c]);
        if (s->has_truths) {
            const nz_coco_class *found = &s->coco.classes[c];
            json_object_set_new(row, "objects", json_integer((json_int_t)found->truths));
            json_object_set_new(row, "ap", nz_json_real(found->ap));
            json_object_set_new(row, "ap50", nz_json_real(found->ap50));
        }
        json_array_append_new(list, row);
    }
    return list;
}

nz_status nz_detect_summary_print_json(const nz_detect_summary *s) {
    NZ_AUTO_FREE char *options = NULL;
    NZ_TRY(nz_detect_options_text(&options, s->options));
    NZ_AUTO_JSON json_t *json = json_pack(
        "{so so so sI sI sI sf sI so s{sf sf sf}}", "head", nz_json_string(s->description), "options",
        nz_json_string(options), "detections", nz_json_string(s->path), "images", (json_int_t)s->detections.image_count,
        "broken", (json_int_t)s->broken, "boxes", (json_int_t)s->detections.found_count, "sure", s->sure, "sure_boxes",
        (json_int_t)sure_boxes(s), "classes", classes_json(s), "ms_per_image", "waiting", ms(s, s->times.read_ns),
        "inference", ms(s, s->times.inference_ns), "boxes", ms(s, s->times.boxes_ns));
    if (s->has_truths) {
        const nz_yolo_result *y = &s->yolo;
        json_object_set_new(json, "coco", nz_coco_stats_json(&s->coco));
        json_object_set_new(json, "yolov5",
                            json_pack("{sf sf sf sf sf sf}", "map50", y->map50, "map50_95", y->map50_95, "precision",
                                      y->precision, "recall", y->recall, "f1", y->f1, "confidence", y->confidence));
    }
    return nz_cli_print_json(json);
}
