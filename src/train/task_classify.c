/* SPDX-License-Identifier: Apache-2.0 */
/* Learning classes: one score for each, and a label for each sample. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "train/task.h"

typedef struct classify {
    float *doutput, *wanted; /* [batch, classes]; wanted with the squared error alone */
} classify;

static void done(nz_task *t) {
    classify *c = t->own;
    if (!c) return;
    free(c->doutput);
    free(c->wanted);
    free(c);
}

static nz_status plan(nz_task *t, nz_engine_options *options) {
    options->keep_softmax = t->options->loss == NZ_LOSS_MSE;
    return NZ_OK;
}

static nz_status check_labels(const nz_dataset *data, size_t classes) {
    for (size_t i = 0; i < nz_data_count(data); i++) {
        int32_t label = nz_data_label(data, i);
        if (label < 0) return nz_fail(NZ_E_FORMAT, "training: %s: sample %zu has no label", nz_data_describe(data), i);
        if ((size_t)label >= classes)
            return nz_fail(NZ_E_SHAPE,
                           "training: %s: sample %zu is of class %d, but the model knows %zu classes (0 to %zu); take "
                           "data with that many classes, or a model with a larger output",
                           nz_data_describe(data), i, (int)label, classes, classes - 1);
    }
    return NZ_OK;
}

static nz_status begin(nz_task *t) {
    nz_shape output = *nz_engine_output_shape(t->engine);
    int64_t elements = nz_shape_elements(&output);
    char text[112];
    classify *c = NULL;
    if (output.rank < 2 || output.dim[1] < 1 || elements != output.dim[0] * output.dim[1])
        return nz_fail(NZ_E_SHAPE, "training: the model's output is %s; one score per class is needed",
                       nz_shape_text(&output, text));
    t->classes = (size_t)output.dim[1];
    NZ_TRY(nz_task_check_samples(t, t->train));
    NZ_TRY(check_labels(t->train, t->classes));
    if (t->test) {
        NZ_TRY(nz_task_check_samples(t, t->test));
        NZ_TRY(check_labels(t->test, t->classes));
    }
    NZ_TRY(nz_alloc(&c, 1, sizeof *c));
    t->own = c;
    NZ_TRY(nz_alloc(&c->doutput, (size_t)elements, sizeof *c->doutput));
    if (t->options->loss == NZ_LOSS_MSE) NZ_TRY(nz_alloc(&c->wanted, (size_t)elements, sizeof *c->wanted));
    t->outputs[0] = (nz_train_output){.shape = output, .gradient = c->doutput};
    t->output_count = 1;
    t->loss_scale = 1;
    return NZ_OK;
}

static nz_status lose(nz_task *t, const nz_batch *batch, nz_task_loss *ret_loss) {
    classify *c = t->own;
    size_t all = t->batch * t->classes;
    const float *scores = nz_engine_output(t->engine);
    t->outputs[0].value = scores;
    *ret_loss = (nz_task_loss){.hits = nz_count_hits(scores, batch->labels, t->batch, t->classes)};
    if (t->options->loss == NZ_LOSS_CROSS_ENTROPY) {
        ret_loss->loss =
            nz_loss_cross_entropy(scores, batch->labels, t->batch, t->classes, t->options->label_smoothing, c->doutput);
        return NZ_OK;
    }
    memset(c->wanted, 0, all * sizeof *c->wanted);
    memset(c->doutput, 0, all * sizeof *c->doutput);
    for (size_t n = 0; n < t->batch; n++) c->wanted[n * t->classes + (size_t)batch->labels[n]] = 1;
    ret_loss->loss = nz_loss_mse(scores, c->wanted, all, 1, c->doutput);
    return NZ_OK;
}

static nz_status push(nz_task *t, const float **ret_doutput) {
    *ret_doutput = t->outputs[0].gradient;
    return NZ_OK;
}

static nz_status evaluate(nz_task *t, const nz_graph *graph, nz_train_epoch *epoch, size_t *ret_broken) {
    nz_evaluate_options options = {.batch = t->options->batch,
                                   .threads = t->threads,
                                   .loss = t->options->loss,
                                   .softmax = nz_engine_is_logits(t->engine),
                                   .classes = t->classes};
    nz_evaluation found;
    NZ_TRY(nz_train_evaluate(&found, graph, t->test, &options, t->progress));
    epoch->test_loss = found.loss;
    epoch->test_top1_pct = found.top1_pct;
    *ret_broken = found.broken;
    return NZ_OK;
}

const nz_task_kind nz_task_classify = {false, plan, begin, lose, push, evaluate, NULL, done};
