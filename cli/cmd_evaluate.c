/* SPDX-License-Identifier: Apache-2.0 */
/* netzip evaluate: the accuracy metrics of predictions that were made elsewhere. */
#include <string.h>

#include "cli.h"
#include "core/error.h"
#include "data_text.h"
#include "evaluate_detections.h"
#include "metric/evaluate.h"
#include "metric/value_text.h"
#include "netzip/data.h"
#include "netzip/detect.h"
#include "table.h"

static const nz_cli_option options[] = {
    {"labels", "LABELS.csv",
     "columns sample,label: the row of the scores from 0 (or any names, in the scores' order) and its class index"},
    {"scores", "SCORES.npz", "NumPy archive with the array scores [samples, classes]"},
    {"baseline", "SCORES.npz", "scores of the uncompressed model on the same samples, to compare with"},
    {"scores-are", "WHAT",
     "logits or probabilities; default: probabilities where every row lies in [0, 1] and sums to 1"},
    {"ground-truth", "COCO.json", "COCO's annotations (images, categories, annotations with bbox), of any size"},
    {"data", "DATA", "in place of --ground-truth: data with objects (coco:, yolo:, voc:, synthetic:shapes-det)"},
    {"detections", "FOUND.json", "list of detections with image_id, category_id, bbox [x, y, width, height] and score"},
    {"baseline-detections", "FOUND.json", "the uncompressed model's detections on the same images, to compare with"},
    {"evaluator", "NAME", "coco (default) or yolov5: whose rules map50 and map50_95 follow"},
    {"replicates", "N", "resampled sets of images for the intervals of COCO's mAP, 40 or more; default 400, 0: none"},
    {"seed", "N", "of the resampling; default 0"},
    {"out", "DIR",
     "of detections: writes evaluation.json and plots (precision and recall, F1, classes, confusion) there"},
    {"json", NULL, "print one JSON object on standard output, and nothing else"},
};

static const nz_cli_usage usage = {
    .verb = "evaluate",
    .arguments =
        "(--labels LABELS.csv --scores SCORES.npz | --ground-truth COCO.json --detections FOUND.json) [options]",
    .summary = "Computes the accuracy metrics of classification scores or of detections that were made elsewhere.",
    .examples = "netzip evaluate --labels labels.csv --scores scores.npz\n"
                "netzip evaluate --labels labels.csv --scores int8.npz --baseline float.npz --json\n"
                "netzip evaluate --ground-truth instances_val2017.json --detections int8.json\n"
                "netzip evaluate --ground-truth instances_val2017.json --detections int8.json "
                "--baseline-detections float.json --out evaluation",
    .least = 0,
    .most = 0,
    .options = options,
    .option_count = NZ_COUNT(options),
};

static nz_status print_values(const nz_metric *const *metrics, const nz_value_report *values, size_t count) {
    NZ_AUTO_CLI_TABLE nz_cli_table out = {.columns = 5};
    static const char *const headings[] = {"metric", "id", "value", "95% interval", "samples"};
    for (size_t i = 0; i < NZ_COUNT(headings); i++) NZ_TRY(nz_cli_table_add(&out, headings[i]));
    for (size_t i = 0; i < count; i++) {
        const nz_value_report *value = &values[i];
        const nz_metric *metric = metrics[i];
        char text[NZ_VALUE_TEXT], low[NZ_VALUE_TEXT], high[NZ_VALUE_TEXT];
        NZ_TRY(nz_cli_table_add(&out, metric->title));
        NZ_TRY(nz_cli_table_add(&out, metric->id));
        NZ_TRY(nz_cli_table_add(&out, nz_value_text(text, value, metric)));
        if (value->has_ci)
            NZ_TRY(nz_cli_table_addf(&out, "%s to %s",
                                     nz_number_text(low, value->ci95[0], metric->unit, metric->integer),
                                     nz_number_text(high, value->ci95[1], metric->unit, metric->integer)));
        else
            NZ_TRY(nz_cli_table_add(&out, value->source == NZ_UNAVAILABLE ? value->reason : ""));
        if (value->has_n)
            NZ_TRY(nz_cli_table_addf(&out, "%llu", (unsigned long long)value->n));
        else
            NZ_TRY(nz_cli_table_add(&out, ""));
    }
    nz_cli_table_print(&out, stdout, 1u | 1u << 1);
    return NZ_OK;
}

static nz_status read_kind(nz_scores_are *ret_are, const nz_cli_args *args) {
    const char *text = nz_cli_get(args, "scores-are", NULL);
    nz_scores_are are = NZ_SCORES_LOOKED_AT;
    if (text && strcmp(text, "logits") == 0)
        are = NZ_SCORES_LOGITS;
    else if (text && strcmp(text, "probabilities") == 0)
        are = NZ_SCORES_PROBABILITIES;
    else if (text)
        return nz_fail(NZ_E_ARG, "evaluate: --scores-are is logits or probabilities, not '%s'", text);
    *ret_are = are;
    return NZ_OK;
}

static nz_status evaluate_scores(const nz_cli_args *args) {
    NZ_AUTO(nz_evaluation_done) nz_evaluation e = {0};
    nz_scores_are are = NZ_SCORES_LOOKED_AT;
    NZ_TRY(nz_cli_need(args, "labels"));
    NZ_TRY(nz_cli_need(args, "scores"));
    NZ_TRY(read_kind(&are, args));
    NZ_TRY(nz_evaluate(&e, nz_cli_get(args, "labels", NULL), nz_cli_get(args, "scores", NULL),
                       nz_cli_get(args, "baseline", NULL), are));
    if (nz_cli_has(args, "json")) {
        NZ_AUTO_JSON json_t *json = NULL;
        NZ_TRY(nz_evaluation_json(&json, &e));
        return nz_cli_print_json(json);
    }
    NZ_TRY(print_values(e.metrics, e.values, e.count));
    if (!e.baseline.count) return NZ_OK;
    const nz_paired *p = &e.paired;
    printf("\ntop-1 against the baseline: %+.2f points (95%% interval %+.2f to %+.2f); right alone: baseline %llu, "
           "this %llu; "
           "McNemar p = %.3g\n",
           p->difference_pct, p->ci95_pct[0], p->ci95_pct[1], (unsigned long long)p->only_first,
           (unsigned long long)p->only_second, p->p_mid);
    return NZ_OK;
}

static nz_status read_truth(nz_detections *ret_truth, const nz_cli_args *args) {
    const char *file = nz_cli_get(args, "ground-truth", NULL), *spec = nz_cli_get(args, "data", NULL);
    nz_dataset *data = NULL;
    if (file && spec) return nz_fail(NZ_E_ARG, "evaluate: give --ground-truth or --data, not both");
    if (!spec) NZ_TRY(nz_cli_need(args, "ground-truth"));
    if (!spec) {
        NZ_TRY(nz_detections_read(ret_truth, file, NULL));
        return ret_truth->image_count ? NZ_OK : nz_fail(NZ_E_FORMAT, "%s: 'images' is empty", file);
    }
    NZ_TRY(nz_data_open(&data, spec, NULL, NZ_DATA_COMPARE, NULL));
    nz_cli_warn_of_data(data);
    nz_status status = nz_detect_truths(ret_truth, data);
    nz_data_free(data);
    return status;
}

static nz_status read_evaluator(bool *ret_yolov5, const nz_cli_args *args) {
    const char *name = nz_cli_get(args, "evaluator", "coco");
    bool yolov5 = strcmp(name, "yolov5") == 0;
    if (!yolov5 && strcmp(name, "coco") != 0)
        return nz_fail(NZ_E_ARG, "evaluate: --evaluator is coco or yolov5, not '%s'", name);
    *ret_yolov5 = yolov5;
    return NZ_OK;
}

/* 2.5% of fewer are less than one of them. */
enum { REPLICATES_LEAST = 40 };

static nz_status evaluate_found(nz_detection_evaluation *e, const nz_cli_args *args) {
    NZ_AUTO(nz_detections_done) nz_detections truth = {0};
    long long replicates = 0, seed = 0;
    bool yolov5 = false;
    NZ_TRY(nz_cli_need(args, "detections"));
    NZ_TRY(read_evaluator(&yolov5, args));
    NZ_TRY(nz_cli_get_int(&replicates, args, "replicates", 400, 0, 1000000));
    if (replicates && replicates < REPLICATES_LEAST)
        return nz_fail(NZ_E_ARG, "evaluate: --replicates %lld: the ends of a 95%% interval take %d resamples or more",
                       replicates, REPLICATES_LEAST);
    NZ_TRY(nz_cli_get_int(&seed, args, "seed", 0, 0, INT64_MAX));
    NZ_TRY(read_truth(&truth, args));
    return nz_evaluate_detections(e, &truth, nz_cli_get(args, "detections", NULL),
                                  nz_cli_get(args, "baseline-detections", NULL), yolov5, (size_t)replicates,
                                  (uint64_t)seed);
}

static nz_status evaluate_detections(const nz_cli_args *args) {
    NZ_AUTO(nz_detection_evaluation_done) nz_detection_evaluation e = {0};
    NZ_AUTO_JSON json_t *json = NULL;
    const char *out = nz_cli_get(args, "out", NULL);
    NZ_TRY(evaluate_found(&e, args));
    for (size_t i = 0; i < e.warning_count; i++) nz_cli_error("warning: %s", e.warnings[i]);
    if (out || nz_cli_has(args, "json")) NZ_TRY(nz_detection_evaluation_json(&json, &e));
    if (out) NZ_TRY(nz_cli_write_detections(out, json, nz_cli_get(args, "detections", NULL)));
    if (nz_cli_has(args, "json")) return nz_cli_print_json(json);
    NZ_TRY(print_values(e.metrics, e.values, e.count));
    return nz_cli_print_detections(&e);
}

/* The options of one kind of prediction mean nothing to the other. */
static nz_status check_kind(const nz_cli_args *args, bool detections) {
    static const char *const of_scores[] = {"labels", "scores", "baseline", "scores-are"};
    static const char *const of_detections[] = {"baseline-detections", "evaluator", "replicates", "seed", "out"};
    for (size_t i = 0; detections && i < NZ_COUNT(of_scores); i++)
        if (nz_cli_has(args, of_scores[i]))
            return nz_fail(NZ_E_ARG, "evaluate: --%s is for classification scores, not for detections%s", of_scores[i],
                           strcmp(of_scores[i], "baseline") == 0 ? "; did you mean --baseline-detections?" : "");
    for (size_t i = 0; !detections && i < NZ_COUNT(of_detections); i++)
        if (nz_cli_has(args, of_detections[i]))
            return nz_fail(NZ_E_ARG, "evaluate: --%s is for detections: give --ground-truth and --detections",
                           of_detections[i]);
    return NZ_OK;
}

static nz_status evaluate(const nz_cli_args *args) {
    bool detections = nz_cli_has(args, "ground-truth") || nz_cli_has(args, "detections") || nz_cli_has(args, "data");
    NZ_TRY(check_kind(args, detections));
    return detections ? evaluate_detections(args) : evaluate_scores(args);
}

int nz_cmd_evaluate(int argc, char **argv) {
    nz_cli_args args;
    int exit_status;
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    nz_status status = evaluate(&args);
    nz_cli_args_done(&args);
    return nz_cli_finish(status);
}
