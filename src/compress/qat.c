/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Quantisation-aware training (QAT): the network is trained further with its weights and activations rounded as integers
 * will round them, gradients passing straight through, so that it learns to live with the rounding. Written as PTQ writes.
 * @source B. Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference,
 *         CVPR 2018 (moving ranges, frozen statistics); S. Esser et al., Learned Step Size Quantization, ICLR 2020 (learn=1)
 */
#include "compress/qat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/text.h"

static const nz_option qat_table[] = {
    {.name = "learn",
     .type = NZ_OPTION_BOOL,
     .offset = offsetof(nz_qat_options, learn),
     .initial = "0",
     .help = "train the scales as well (LSQ), 0 or 1"},
    {.name = "freeze",
     .type = NZ_OPTION_REAL,
     .offset = offsetof(nz_qat_options, freeze),
     .initial = "0.5",
     .least = 0,
     .most = 1,
     .help = "share of training after which ranges and running statistics stay as they are"},
    {.name = "norm",
     .type = NZ_OPTION_CHOICE,
     .offset = offsetof(nz_qat_options, norm),
     .initial = "keep",
     .choices = "keep|fold",
     .help = "batch normalisation during training: kept behind quantised weights, or folded before"},
};

enum { REFRESH = 100 }; /* steps between two searches for the weights' best scales */

/* One network while it trains. */
typedef struct run {
    const nz_qat *qat;
    const nz_qat_options *options;
    nz_engine *engine;
    float *plain; /* for the largest parameter */
} run;

static void run_done(run *r) { free(r->plain); }

/* The range that calibration found for the activation of that name. */
static const double *first_range(const run *r, const char *name) {
    const nz_qplan *plan = &r->qat->plan;
    for (size_t i = 0; i < plan->activation_count; i++)
        if (strcmp(r->qat->plain->values[plan->activations[i]].name, name) == 0)
            return r->qat->ranges.ends[plan->groups[i]];
    return NULL;
}

static nz_quantizer_mode mode_of(const run *r, const nz_quantizer *q) {
    if (r->options->learn) return NZ_QUANTIZER_LEARN;
    return q->is_weight && r->options->quant.wcalib == 1 ? NZ_QUANTIZER_FROZEN : NZ_QUANTIZER_OBSERVE;
}

static nz_status begin(void *user, nz_engine *engine, bool restored) {
    run *r = user;
    size_t largest = 1;
    r->engine = engine;
    for (size_t p = 0; p < nz_engine_param_count(engine); p++)
        if (nz_engine_param(engine, p)->elements > largest) largest = nz_engine_param(engine, p)->elements;
    NZ_TRY(nz_alloc(&r->plain, largest, sizeof *r->plain));
    for (size_t i = 0; i < nz_engine_quantizer_count(engine); i++) {
        nz_quantizer *q = nz_engine_quantizer(engine, i);
        q->mode = mode_of(r, q);
        const double *range = q->is_weight || restored ? NULL : first_range(r, q->name);
        if (!range) continue;
        q->low = (float)range[0];
        q->high = (float)range[1];
    }
    return NZ_OK;
}

static nz_param *param_named(nz_engine *engine, const char *name) {
    for (size_t p = 0; p < nz_engine_param_count(engine); p++)
        if (strcmp(nz_engine_param(engine, p)->name, name) == 0) return nz_engine_param(engine, p);
    return NULL;
}

/* Scales of least squared error for the weights of the moment. */
static nz_status refresh_weights(run *r) {
    const nz_qplan *plan = &r->qat->plan;
    for (size_t i = 0; i < nz_engine_quantizer_count(r->engine); i++) {
        nz_quantizer *q = nz_engine_quantizer(r->engine, i);
        nz_param *param = q->is_weight ? param_named(r->engine, q->name) : NULL;
        if (!param) continue;
        for (size_t l = 0; l < plan->layer_count; l++) {
            if (strcmp(r->qat->plain->values[plan->layers[l].weight].name, q->name) != 0) continue;
            nz_param_get(param, r->plain);
            nz_tensor weight = nz_tensor_borrow(NZ_F32, &param->shape, r->plain);
            NZ_TRY(nz_ptq_weight_scales(q->scales, q->count, &weight, plan->layers[l].axis, &r->options->quant));
            break;
        }
    }
    return NZ_OK;
}

static nz_status before_step(void *user, const nz_train_state *state) {
    run *r = user;
    bool frozen = (double)state->step >= r->options->freeze * (double)state->steps;
    nz_engine_set_frozen_norm(r->engine, frozen);
    for (size_t i = 0; i < nz_engine_quantizer_count(r->engine); i++) {
        nz_quantizer *q = nz_engine_quantizer(r->engine, i);
        if (!q->is_weight && !r->options->learn) q->mode = frozen ? NZ_QUANTIZER_FROZEN : NZ_QUANTIZER_OBSERVE;
    }
    bool searches = !r->options->learn && r->options->quant.wcalib == 1;
    return searches && state->step % REFRESH == 0 ? refresh_weights(r) : NZ_OK;
}

static nz_status describe(nz_compress_report *report, const nz_qat *qat, const nz_qat_options *o) {
    NZ_AUTO_FREE char *trained = NULL, *left = NULL;
    char what[96];
    size_t all = 0, kept = 0;
    for (size_t n = 0; n < qat->plain->node_count; n++) all += nz_qdq_is_layer(&qat->plain->nodes[n]);
    snprintf(what, sizeof what, "int%d %s weights, %s activations%s", o->quant.wbits == 0 ? 8 : 4,
             o->quant.per_channel ? "per-channel" : "per-tensor", o->quant.activations == 0 ? "uint8" : "int8",
             o->learn ? ", learnt scales" : "");
    for (size_t l = 0; l < qat->plan.layer_count; l++) {
        kept += qat->layers[l].norm >= 0;
        NZ_TRY(nz_compress_report_add(report, &qat->plain->nodes[qat->plan.layers[l].node], what, NAN, NAN));
    }
    NZ_TRY(nz_sensitivity_report(report, &qat->sensitivity, qat->plain));
    NZ_TRY(nz_sensitivity_describe(&left, &qat->sensitivity, &o->quant));
    NZ_TRY(nz_finetune_describe(&trained, report, &o->tune));
    return nz_format(&report->summary,
                     "%zu of %zu convolution and linear layers run in integers (%s), ranges begun on %zu samples; %zu "
                     "had batch normalisation, which is in their scales and biases now.%s%s",
                     qat->plan.layer_count, all, what, report->samples, kept, left, trained);
}

static nz_status apply(nz_graph **ret_graph, nz_compress_report *report, const nz_method_input *input,
                       const void *options) {
    const nz_qat_options *o = options;
    NZ_AUTO(nz_qat_done) nz_qat qat = {0};
    NZ_AUTO(run_done) run r = {.qat = &qat, .options = o};
    NZ_AUTO_GRAPH nz_graph *trained = NULL;
    NZ_AUTO_GRAPH nz_graph *result = NULL;
    if (!(o->tune.train.epochs > 0))
        return nz_fail(NZ_E_ARG, "method qat: epochs=0 leaves nothing to train; ptq quantises without training");
    NZ_TRY(nz_qat_prepare(&qat, input, o, report));
    const nz_finetune_job job = {.student = qat.training,
                                 .teacher = qat.plain,
                                 .input = input,
                                 .options = &o->tune,
                                 .hooks = {.user = &r, .begin = begin, .before_step = before_step, .what = "QAT"}};
    NZ_TRY(nz_finetune(&trained, report, &job));
    NZ_TRY(nz_qat_export(&result, &qat, trained, o));
    NZ_TRY(describe(report, &qat, o));
    *ret_graph = NZ_STEAL(result);
    return NZ_OK;
}

/* Weights are where they should be, but for the rounding: a small rate that falls to nothing. */
static const char *const training_defaults[][3] = {
    {"epochs", "2", "epochs of training"},
    {"lr", "0",
     "learning rate, from which the schedule falls; 0: 0.01 at batch 128, 0.002 where nothing normalises, a "
     "sixteenth of training's for detectors"},
    {"schedule", "cosine", NULL},
    {NULL, NULL, NULL}};

static const char *const quant_defaults[][3] = {
    {"calib", "mse", "how the first range of an activation is chosen"}, {"wcalib", "mse", NULL}, {NULL, NULL, NULL}};

static const nz_method_shared qat_shared = {
    .options = nz_ptq_shared_options,
    .count = NZ_PTQ_SHARED_OPTIONS,
    .offset = offsetof(nz_qat_options, quant),
    .defaults = quant_defaults,
};

static const nz_method_training qat_training = {
    .offset = offsetof(nz_qat_options, tune),
    .epochs = "epochs",
    .also = "finetune",
    .defaults = training_defaults,
    .rate = 0.01,
    .rate_without_norm = 0.002,
};

const nz_method nz_method_qat = {
    .name = "qat",
    .alias = "QAT",
    .technique = "QAT",
    .help = "quantisation-aware training: integers as by ptq, with the network trained to live with them",
    .options = qat_table,
    .option_count = NZ_COUNT(qat_table),
    .shared = &qat_shared,
    .options_bytes = sizeof(nz_qat_options),
    .needs_data = true,
    .training = &qat_training,
    .apply = apply,
};
