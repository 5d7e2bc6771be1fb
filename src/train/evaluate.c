/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/progress.h"
#include "graph/build.h"
#include "netzip/runtime.h"
#include "train/trainer.h"

typedef struct evaluator {
    const nz_evaluate_options *options;
    nz_session *session;
    nz_loader *loader;
    nz_tensor in, out;
    float *padded;          /* a last batch that is not whole; NULL until there is one */
    float *scores, *wanted; /* [batch, classes]; wanted with the squared error alone */
    size_t batch, elements; /* of one sample */
} evaluator;

static void evaluator_done(evaluator *e) {
    nz_loader_free(e->loader);
    nz_session_free(e->session);
    nz_tensor_done(&e->out);
    free(e->padded);
    free(e->scores);
    free(e->wanted);
}

static nz_status open_session(evaluator *e, const nz_graph *graph, const nz_dataset *data) {
    const nz_value *input = &graph->values[graph->inputs[0]];
    nz_shape sample;
    nz_data_shape(data, &sample);
    nz_binding binding = {.input = input->name, .shape = {.rank = sample.rank + 1}};
    bool open = input->shape.rank < 1 || input->shape.dim[0] < 1;
    binding.shape.dim[0] = open ? e->options->batch : input->shape.dim[0];
    for (int d = 0; d < sample.rank; d++) binding.shape.dim[d + 1] = sample.dim[d];
    nz_runtime_options options = {
        .threads = e->options->threads, .batch = binding.shape.dim[0], .bindings = &binding, .binding_count = 1};
    NZ_TRY(nz_session_open(&e->session, "native", graph, NULL, &options));
    e->batch = (size_t)binding.shape.dim[0];
    e->elements = (size_t)nz_shape_elements(&sample);
    e->in = *nz_session_input(e->session, 0, NULL);
    const nz_tensor *out = nz_session_output(e->session, 0, NULL);
    if (nz_session_input_count(e->session) != 1 || nz_session_output_count(e->session) != 1 || e->in.dtype != NZ_F32 ||
        nz_shape_elements(&out->shape) != (int64_t)(e->batch * e->options->classes))
        return nz_fail(NZ_E_SHAPE, "the model as it was trained has other inputs or outputs than it began with");
    NZ_TRY(nz_tensor_init(&e->out, out->dtype, &out->shape));
    NZ_TRY(nz_alloc(&e->scores, e->batch * e->options->classes, sizeof *e->scores));
    if (e->options->loss == NZ_LOSS_MSE) NZ_TRY(nz_alloc(&e->wanted, e->batch * e->options->classes, sizeof(float)));
    return nz_loader_open(&e->loader, data, e->batch, NULL, 0, nz_data_at_hand(data) ? 1 : e->options->threads);
}

size_t nz_count_hits(const float *scores, const int32_t *labels, size_t count, size_t classes) {
    size_t hits = 0;
    for (size_t n = 0; n < count; n++) {
        const float *row = scores + n * classes;
        size_t best = 0;
        bool number = !isnan(row[0]);
        for (size_t c = 1; c < classes; c++) {
            if (row[c] > row[best]) best = c;
            number = number && !isnan(row[c]);
        }
        hits += number && best == (size_t)labels[n];
    }
    return hits;
}

/* The sum of losses over `count` rows. */
static double sum_losses(evaluator *e, const int32_t *labels, size_t count) {
    size_t classes = e->options->classes, all = count * classes;
    if (e->options->loss == NZ_LOSS_CROSS_ENTROPY) {
        for (size_t i = 0; e->options->softmax && i < all; i++) e->scores[i] = logf(fmaxf(e->scores[i], 1e-37F));
        return nz_loss_cross_entropy(e->scores, labels, count, classes, 0, NULL) * (double)count;
    }
    memset(e->wanted, 0, all * sizeof *e->wanted);
    for (size_t n = 0; n < count; n++) e->wanted[n * classes + (size_t)labels[n]] = 1;
    return nz_loss_mse(e->scores, e->wanted, all, 1, NULL) * (double)count;
}

static nz_status run_batch(evaluator *e, const nz_batch *batch) {
    e->in.data = batch->x;
    if (batch->count < e->batch) { /* the rest is what it was before, and is not looked at */
        if (!e->padded) NZ_TRY(nz_alloc(&e->padded, e->batch * e->elements, sizeof *e->padded));
        memcpy(e->padded, batch->x, batch->count * e->elements * sizeof *e->padded);
        e->in.data = e->padded;
    }
    NZ_TRY(nz_session_run(e->session, &e->in, &e->out));
    nz_tensor_to_f32(&e->out, e->scores);
    return NZ_OK;
}

nz_status nz_train_evaluate(nz_evaluation *ret_evaluation, const nz_graph *graph, const nz_dataset *data,
                            const nz_evaluate_options *options, const nz_progress *progress) {
    NZ_AUTO(evaluator_done) evaluator e = {.options = options};
    size_t count = 0, hits = 0, all = nz_data_count(data);
    double loss = 0;
    NZ_TRY(open_session(&e, graph, data));
    for (;;) {
        nz_batch batch;
        if (!nz_progress_step(progress, "evaluating", count, all))
            return nz_fail(NZ_E_CANCELLED, "the evaluation was stopped");
        NZ_TRY(nz_loader_next(e.loader, &batch));
        if (!batch.count) break;
        NZ_TRY(run_batch(&e, &batch));
        hits += nz_count_hits(e.scores, batch.labels, batch.count, options->classes);
        loss += sum_losses(&e, batch.labels, batch.count);
        count += batch.count;
    }
    size_t broken = nz_loader_broken(e.loader);
    if (!count)
        return nz_fail(NZ_E_FORMAT, "%s: no sample could be read: %s", nz_data_describe(data),
                       broken ? nz_loader_broken_message(e.loader, 0) : "there is none");
    *ret_evaluation = (nz_evaluation){
        .loss = loss / (double)count, .top1_pct = 100 * (double)hits / (double)count, .count = count, .broken = broken};
    return NZ_OK;
}
