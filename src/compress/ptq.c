/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Post-training quantisation (PTQ): static integers, written as standard QuantizeLinear/DequantizeLinear. Weights symmetric, activations
 * affine with calibrated ranges; BatchNormalization is folded first; biases are int32 and corrected for the mean error of the
 * rounded weights.
 * @source bias correction: M. Nagel et al., Data-Free Quantization, ICCV 2019, section 4.2, with measured instead of
 *         derived input means.
 */
#include "compress/ptq.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compress/ptq_graph.h"
#include "compress/sensitivity.h"
#include "compress/tap.h"
#include "core/error.h"
#include "core/locale.h"
#include "core/progress.h"
#include "core/text.h"
#include "netzip/pass.h"

static const nz_option ptq_table[] = {
    {.name = "bias_correction",
     .type = NZ_OPTION_BOOL,
     .offset = offsetof(nz_ptq_options, bias_correction),
     .initial = "1",
     .help = "correct biases for the mean error of rounded weights, 0 or 1"},
    {.name = "sqnr",
     .type = NZ_OPTION_INT,
     .offset = offsetof(nz_ptq_options, sqnr_samples),
     .initial = "32",
     .least = 0,
     .most = 1e6,
     .help = "samples on which each layer's signal-to-quantisation-noise ratio is measured, 0: not"},
};

/* Signal and noise of each layer's output, float model beside quantised model on the same samples. */
static nz_status measure_sqnr(double *sqnr_db, const nz_graph *before, const nz_graph *after, const nz_qplan *plan,
                              const nz_method_input *input, size_t limit) {
    NZ_AUTO_FREE const char **names = NULL;
    NZ_AUTO_FREE double(*power)[2] = NULL;
    NZ_AUTO(nz_tap_free_ptr) nz_tap *exact = NULL;
    NZ_AUTO(nz_tap_free_ptr) nz_tap *rounded = NULL;
    NZ_AUTO(nz_samples_done) nz_samples samples = {0};
    NZ_TRY(nz_alloc(&names, plan->layer_count, sizeof *names));
    NZ_TRY(nz_alloc(&power, plan->layer_count, sizeof *power));
    for (size_t i = 0; i < plan->layer_count; i++)
        names[i] = before->values[before->nodes[plan->layers[i].node].outputs[0]].name;
    NZ_TRY(nz_tap_open(&exact, before, names, plan->layer_count, input->data, input->threads));
    NZ_TRY(nz_tap_open(&rounded, after, names, plan->layer_count, input->data, input->threads));
    NZ_TRY(nz_samples_open(&samples, input->data, nz_tap_batch(exact), limit));
    for (size_t done = 0;;) {
        nz_batch batch;
        NZ_TRY(nz_samples_next(&samples, &batch));
        if (batch.count == 0) break;
        NZ_TRY(nz_tap_run(exact, batch.x, batch.count));
        NZ_TRY(nz_tap_run(rounded, batch.x, batch.count));
        for (size_t i = 0; i < plan->layer_count; i++) {
            size_t elements = 0;
            const float *a = nz_tap_values(exact, i, &elements), *b = nz_tap_values(rounded, i, &elements);
            for (size_t k = 0; k < elements * batch.count; k++) {
                double difference = (double)a[k] - b[k];
                power[i][0] += (double)a[k] * a[k];
                power[i][1] += difference * difference;
            }
        }
        if (!nz_progress_step(input->progress, "samples compared layer by layer", done += batch.count, samples.total))
            return nz_fail(NZ_E_CANCELLED, "compression was interrupted");
    }
    for (size_t i = 0; i < plan->layer_count; i++)
        sqnr_db[i] = power[i][0] > 0 && power[i][1] > 0 ? 10 * log10(power[i][0] / power[i][1]) : NAN;
    return NZ_OK;
}

static nz_status describe(nz_compress_report *report, const nz_graph *graph, const nz_qplan *plan,
                          const nz_ptq_options *o, const nz_sensitivity *sensitivity, const double *sqnr_db) {
    NZ_AUTO_FREE char *left = NULL;
    size_t worst = 0, all = 0;
    for (size_t n = 0; n < graph->node_count; n++) all += nz_qdq_is_layer(&graph->nodes[n]);
    char what[96], lowest[256] = "";
    snprintf(what, sizeof what, "int%d %s weights, %s activations", o->wbits == 0 ? 8 : 4,
             o->per_channel ? "per-channel" : "per-tensor", o->activations == 0 ? "uint8" : "int8");
    for (size_t i = 0; i < plan->layer_count; i++) {
        NZ_TRY(nz_compress_report_add(report, &graph->nodes[plan->layers[i].node], what, sqnr_db[i], NAN));
        if (isnan(sqnr_db[worst]) || sqnr_db[i] < sqnr_db[worst]) worst = i;
    }
    if (isfinite(sqnr_db[worst]))
        nz_snprintf(lowest, sizeof lowest, " The lowest signal-to-quantisation-noise ratio is %.1f dB, at %s.",
                    sqnr_db[worst], graph->nodes[plan->layers[worst].node].name);
    NZ_TRY(nz_sensitivity_report(report, sensitivity, graph));
    NZ_TRY(nz_sensitivity_describe(&left, sensitivity, o));
    return nz_format(&report->summary,
                     "%zu of %zu convolution and linear layers run in integers (%s), calibrated on %zu samples.%s%s",
                     plan->layer_count, all, what, report->samples, left, lowest);
}

/* Everything that lives while one model is quantised. */
typedef struct work {
    nz_graph *folded, *result;
    nz_qplan plan;
    nz_ranges ranges;
    nz_sensitivity sensitivity;
    double *sqnr_db;
} work;

static void work_done(work *w) {
    nz_graph_free(w->folded);
    nz_graph_free(w->result);
    nz_ranges_done(&w->ranges);
    nz_qplan_done(&w->plan);
    nz_sensitivity_done(&w->sensitivity);
    free(w->sqnr_db);
}

static nz_status prepare(work *w, const nz_graph *graph, const nz_ptq_options *o) {
    const nz_qleft left = {.patterns = o->exclude};
    NZ_AUTO_GRAPH nz_graph *folded = NULL;
    NZ_TRY(nz_qdq_refuse_quantised(graph));
    NZ_TRY(nz_pass_fold(&folded, graph));
    NZ_TRY(nz_pass_fold_batchnorm(&w->folded, folded));
    NZ_TRY(nz_qplan_make(&w->plan, w->folded, &left));
    NZ_TRY(nz_qplan_check(&w->plan));
    NZ_TRY(nz_alloc(&w->sqnr_db, w->plan.layer_count, sizeof *w->sqnr_db));
    for (size_t i = 0; i < w->plan.layer_count; i++) w->sqnr_db[i] = NAN;
    return nz_sensitivity_init(&w->sensitivity, w->folded, &w->plan);
}

static nz_status apply(nz_graph **ret_graph, nz_compress_report *report, const nz_method_input *input,
                       const void *options) {
    const nz_ptq_options *o = options;
    NZ_AUTO(work_done) work w = {0};
    NZ_TRY(prepare(&w, input->graph, o));
    NZ_TRY(nz_ranges_calibrate(&w.ranges, w.folded, &w.plan, input, o, report));
    NZ_TRY(nz_sensitivity_choose(&w.sensitivity, &w.plan, &w.ranges, w.folded, input, o));
    const nz_qleft left = nz_sensitivity_left(&w.sensitivity, o);
    NZ_TRY(nz_ptq_graph(&w.result, w.folded, &w.plan, &w.ranges, &left, o));
    if (o->sqnr_samples > 0)
        NZ_TRY(measure_sqnr(w.sqnr_db, w.folded, w.result, &w.plan, input, (size_t)o->sqnr_samples));
    NZ_TRY(describe(report, w.folded, &w.plan, o, &w.sensitivity, w.sqnr_db));
    *ret_graph = NZ_STEAL(w.result);
    return NZ_OK;
}

static const nz_method_shared ptq_shared = {.options = nz_ptq_shared_options, .count = NZ_PTQ_SHARED_OPTIONS};

const nz_method nz_method_ptq = {
    .name = "ptq",
    .alias = "PTQ",
    .technique = "PTQ",
    .help = "post-training static quantisation to integers",
    .options = ptq_table,
    .option_count = NZ_COUNT(ptq_table),
    .shared = &ptq_shared,
    .options_bytes = sizeof(nz_ptq_options),
    .needs_data = true,
    .apply = apply,
};
