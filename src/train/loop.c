/* SPDX-License-Identifier: Apache-2.0 */
/* Epochs of steps, with an evaluation, a row of history and a checkpoint behind each. All that is drawn at random depends
 * on the seed and on where the run stands, so that a run that goes on does what it would have done. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/progress.h"
#include "core/random.h"
#include "core/threads.h"
#include "graph/build.h"
#include "train/trainer.h"

enum { WHAT_BYTES = 128, KEPT_BYTES = 1 << 30 };
#define DROPOUT_STREAM ((uint64_t)0x64726f70 << 32)

typedef struct run {
    nz_train_options settled; /**< the caller's with what the network decides; shares the texts */
    const nz_train_options *options;
    const nz_train_files *files; /**< never NULL */
    const nz_train_hooks *hooks; /**< never NULL */
    const nz_progress *progress;
    const nz_graph *graph;
    nz_dataset *train, *test;
    int threads, threads_before;
    nz_engine *engine;
    nz_updater updater;
    nz_feed feed;
    nz_pace pace;
    double *milestones;
    nz_standing standing;
    char *identity;
    size_t classes, epochs;  /**< epochs: rows of the history in all */
    float *doutput, *wanted; /**< [batch, classes]; wanted with the squared error alone */
    double lr;               /**< of the last step */
    double saved_at, evaluation_seconds;
    bool resumed;
    nz_graph *result;
} run;

static void run_done(run *r) {
    nz_feed_done(&r->feed);
    nz_updater_done(&r->updater);
    nz_engine_free(r->engine);
    nz_graph_free(r->result);
    free(r->milestones);
    free(r->standing.epochs);
    free(r->identity);
    free(r->doutput);
    free(r->wanted);
    if (r->threads_before) nz_threads_set(r->threads_before);
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static const char *what_of(const run *r) { return r->hooks->what ? r->hooks->what : "training"; }

/* Steps before epoch `e`; past the last one, all. */
static uint64_t steps_before(const run *r, size_t e) {
    uint64_t whole = (uint64_t)e * r->feed.batches;
    return whole < r->pace.steps ? whole : r->pace.steps;
}

/* ---- before the first step ---- */

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

static nz_status check_samples(const run *r, const nz_dataset *data) {
    const nz_shape *input = nz_engine_input_shape(r->engine);
    nz_shape sample;
    char have[112], want[112];
    nz_data_shape(data, &sample);
    bool same = input->rank == sample.rank + 1;
    for (int d = 0; same && d < sample.rank; d++) same = input->dim[d + 1] == sample.dim[d];
    if (same) return check_labels(data, r->classes);
    return nz_fail(NZ_E_SHAPE, "training: %s: samples are %s, but the model's input is %s", nz_data_describe(data),
                   nz_shape_text(&sample, have), nz_shape_text(input, want));
}

static nz_status open_engine(run *r) {
    nz_shape sample, output;
    char text[112];
    nz_data_shape(r->train, &sample);
    nz_engine_options options = {.batch = r->options->batch,
                                 .threads = r->threads,
                                 .bf16 = r->options->precision == 1,
                                 .frozen_norm = r->hooks->frozen_norm,
                                 .keep_softmax = r->options->loss == NZ_LOSS_MSE,
                                 .taps = r->hooks->taps,
                                 .tap_count = r->hooks->tap_count};
    for (int d = 0; d < 3 && d < sample.rank; d++) options.chw[d] = sample.dim[d] > 0 ? sample.dim[d] : 0;
    NZ_TRY(nz_engine_open(&r->engine, r->graph, &options));
    output = *nz_engine_output_shape(r->engine);
    int64_t elements = nz_shape_elements(&output);
    if (output.rank < 2 || output.dim[1] < 1 || elements != output.dim[0] * output.dim[1])
        return nz_fail(NZ_E_SHAPE, "training: the model's output is %s; one score per class is needed",
                       nz_shape_text(&output, text));
    r->classes = (size_t)output.dim[1];
    NZ_TRY(check_samples(r, r->train));
    if (r->test) NZ_TRY(check_samples(r, r->test));
    NZ_TRY(nz_alloc(&r->doutput, (size_t)elements, sizeof *r->doutput));
    if (r->options->loss == NZ_LOSS_MSE) NZ_TRY(nz_alloc(&r->wanted, (size_t)elements, sizeof *r->wanted));
    return nz_updater_init(&r->updater, r->engine, r->options);
}

static nz_status plan_steps(run *r) {
    double steps = r->options->epochs * (double)r->feed.batches;
    r->pace = (nz_pace){.options = r->options, .steps_per_epoch = (double)r->feed.batches};
    r->pace.steps = steps < 1 ? 1 : (uint64_t)llround(steps);
    r->epochs = (size_t)((r->pace.steps + r->feed.batches - 1) / r->feed.batches);
    NZ_TRY(nz_schedule_milestones(&r->milestones, &r->pace.milestone_count, r->options->milestones));
    r->pace.milestones = r->milestones;
    return NZ_OK;
}

static nz_snapshot snapshot_of(run *r) {
    return (nz_snapshot){.identity = r->identity,
                         .engine = r->engine,
                         .updater = &r->updater,
                         .standing = &r->standing,
                         .feed = &r->feed,
                         .state = r->hooks->state,
                         .state_bytes = r->hooks->state_bytes};
}

static nz_status restore(run *r) {
    const char *path = r->files->checkpoint;
    if (!path) return NZ_OK;
    NZ_TRY(nz_run_identity(&r->identity, r->graph, r->train, r->options, r->threads, r->hooks));
    if (!nz_file_exists(path)) {
        if (r->files->resume)
            nz_progress_note(r->progress, "there is no %s to go on from: %s begins at the start", path, what_of(r));
        return NZ_OK;
    }
    if (!r->files->resume) {
        nz_progress_note(r->progress,
                         "%s is of an earlier run that was not finished; this run begins anew and will "
                         "replace it",
                         path);
        return NZ_OK;
    }
    nz_snapshot snapshot = snapshot_of(r);
    NZ_TRY(nz_snapshot_read(path, &snapshot));
    if (r->standing.step < steps_before(r, r->standing.count) ||
        r->standing.step > steps_before(r, r->standing.count + 1) || r->standing.count > r->epochs)
        return nz_fail(NZ_E_FORMAT, "%s: it stands at step %" PRIu64 " after %zu epochs, which no run does", path,
                       r->standing.step, r->standing.count);
    r->resumed = true;
    nz_progress_note(r->progress, "%s goes on from %s: step %" PRIu64 " of %" PRIu64, what_of(r), path,
                     r->standing.step, r->pace.steps);
    return NZ_OK;
}

static nz_status open_run(run *r) {
    r->threads = r->options->threads > 0 ? (int)r->options->threads : nz_threads_hardware();
    r->threads_before = nz_threads_get();
    nz_threads_set(r->threads);
    NZ_TRY(nz_feed_init(&r->feed, r->train, r->options, r->threads, r->progress));
    NZ_TRY(plan_steps(r));
    NZ_TRY(open_engine(r));
    if (r->pace.steps > r->feed.batches) NZ_TRY(nz_data_keep(r->train, KEPT_BYTES));
    if (r->test && r->epochs > 1 && r->options->evaluate_every) NZ_TRY(nz_data_keep(r->test, KEPT_BYTES));
    NZ_TRY(restore(r));
    r->saved_at = now_s();
    return r->hooks->begin ? r->hooks->begin(r->hooks->user, r->engine, r->resumed) : NZ_OK;
}

static nz_status fail_state(const run *r, const char *where) {
    uint64_t step = r->standing.step;
    return nz_fail(NZ_E_FORMAT,
                   "%s: the update at step %" PRIu64 " of %" PRIu64 " (epoch %zu) was too much: what is not finite "
                   "appears first in %s; a lower learning rate (this step's is %.3g) or clip_norm=1 may mend it",
                   what_of(r), step, r->pace.steps, r->standing.count + 1, where,
                   nz_schedule_rate(&r->pace, step ? step - 1 : 0));
}

/* What is no number stays out of checkpoints: going on from one would be of no use. */
static nz_status check_state(const run *r) {
    const char *where = nz_state_not_finite(r->engine);
    return where ? fail_state(r, where) : NZ_OK;
}

static nz_status save(run *r) {
    nz_snapshot snapshot = snapshot_of(r);
    r->saved_at = now_s();
    return nz_snapshot_write(r->files->checkpoint, &snapshot);
}

/* A disk that is full for a while costs the checkpoint, not the run; the next one is tried in its turn. */
static void try_to_save(run *r) {
    if (r->files->checkpoint && save(r) != NZ_OK)
        nz_progress_note(r->progress, "no checkpoint at step %" PRIu64 ", %s goes on: %s", r->standing.step, what_of(r),
                         nz_last_error());
}

static nz_status stop(run *r) {
    uint64_t step = r->standing.step;
    if (!r->files->checkpoint)
        return nz_fail(NZ_E_CANCELLED, "%s was stopped at step %" PRIu64 " of %" PRIu64 "; nothing was kept",
                       what_of(r), step, r->pace.steps);
    NZ_TRY(check_state(r));
    NZ_TRY(save(r));
    return nz_fail(NZ_E_CANCELLED,
                   "%s was stopped at step %" PRIu64 " of %" PRIu64 ", epoch %zu of %zu; it goes on from %s when it is "
                   "resumed",
                   what_of(r), step, r->pace.steps, r->standing.count + 1, r->epochs, r->files->checkpoint);
}

/* ---- one step ---- */

static nz_status check_samples_finite(const run *r, const nz_batch *batch) {
    size_t elements = (size_t)nz_shape_elements(nz_engine_input_shape(r->engine)) / r->feed.batch;
    for (size_t n = 0; n < batch->count; n++)
        if (!nz_all_finite(batch->x + n * elements, elements))
            return nz_fail(NZ_E_FORMAT,
                           "%s: %s: sample %zu holds values that are not finite, and with it the loss of step %" PRIu64
                           "; leave it out, or mend the data or their preprocessing",
                           what_of(r), nz_data_describe(r->train), batch->indices[n], r->standing.step + 1);
    return NZ_OK;
}

/* @param what  "loss" or "gradient". */
static nz_status fail_not_finite(const run *r, const nz_batch *batch, const char *what, double value) {
    NZ_TRY(check_samples_finite(r, batch));
    const char *where = nz_engine_not_finite(r->engine);
    return nz_fail(NZ_E_FORMAT,
                   "%s: the %s became %s at step %" PRIu64 " of %" PRIu64 " (epoch %zu)%s%s; a lower learning rate "
                   "(this step's is %.3g) or clip_norm=1 may mend it",
                   what_of(r), what, isnan(value) ? "not a number" : "infinite", r->standing.step + 1, r->pace.steps,
                   r->standing.count + 1, where ? ": what is not finite appears first in " : "", where ? where : "",
                   r->lr);
}

/* Loss over the batch and its gradient by the output. */
static double lose(run *r, const float *scores, const int32_t *labels) {
    size_t batch = r->feed.batch, all = batch * r->classes;
    if (r->options->loss == NZ_LOSS_CROSS_ENTROPY)
        return nz_loss_cross_entropy(scores, labels, batch, r->classes, r->options->label_smoothing, r->doutput);
    memset(r->wanted, 0, all * sizeof *r->wanted);
    memset(r->doutput, 0, all * sizeof *r->doutput);
    for (size_t n = 0; n < batch; n++) r->wanted[n * r->classes + (size_t)labels[n]] = 1;
    return nz_loss_mse(scores, r->wanted, all, 1, r->doutput);
}

static uint64_t dropout_seed(const run *r) {
    nz_random random;
    nz_random_init(&random, (uint64_t)r->options->seed, DROPOUT_STREAM + r->standing.step);
    return nz_random_u64(&random);
}

static nz_status learn(run *r, const nz_batch *batch) {
    const nz_train_hooks *hooks = r->hooks;
    nz_train_state state = {.engine = r->engine,
                            .step = r->standing.step,
                            .steps = r->pace.steps,
                            .epoch = (double)r->standing.step / r->pace.steps_per_epoch,
                            .epochs = r->options->epochs,
                            .x = batch->x,
                            .labels = batch->labels,
                            .batch = r->feed.batch};
    r->lr = nz_schedule_rate(&r->pace, state.step);
    double high = r->options->optimizer == NZ_OPTIMIZER_SGD ? r->options->momentum : r->options->beta1;
    double momentum = nz_schedule_momentum(&r->pace, high, state.step);
    if (hooks->before_step) NZ_TRY(hooks->before_step(hooks->user, &state));
    NZ_TRY(nz_engine_forward(r->engine, batch->x, true, dropout_seed(r)));
    const float *scores = nz_engine_output(r->engine);
    double loss = lose(r, scores, batch->labels);
    if (hooks->add_gradients) NZ_TRY(hooks->add_gradients(hooks->user, &state, &loss, r->doutput));
    if (!isfinite(loss)) return fail_not_finite(r, batch, "loss", loss);
    NZ_TRY(nz_engine_backward(r->engine, r->doutput));
    double norm = nz_updater_step(&r->updater, r->lr, momentum, state.step + 1);
    if (isnan(norm)) return fail_not_finite(r, batch, "gradient", norm);
    r->standing.loss_sum += loss * (double)r->feed.batch;
    r->standing.hits += nz_count_hits(scores, batch->labels, r->feed.batch, r->classes);
    r->standing.seen += r->feed.batch;
    if (!hooks->after_step) return NZ_OK;
    state.step++;
    return hooks->after_step(hooks->user, &state);
}

/* ---- one epoch ---- */

static void put_time(char text[24], double seconds) {
    long long s = seconds > 0 && seconds < 1e9 ? (long long)(seconds + 0.5) : 0;
    if (s >= 3600)
        snprintf(text, 24, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, 24, "%lld:%02lld", s / 60, s % 60);
}

static void tell_epoch(const run *r, const nz_train_epoch *e) {
    char test[64] = "", left[24], again[40] = "";
    double rest = (double)(r->pace.steps - r->standing.step) * (double)r->feed.batch / e->images_per_s;
    if (r->options->evaluate_every)
        rest +=
            r->evaluation_seconds * (double)((long long)(r->epochs - r->standing.count) / r->options->evaluate_every);
    put_time(left, rest);
    if (isfinite(e->test_top1_pct)) snprintf(test, sizeof test, ", test %.2f%%", e->test_top1_pct);
    if (r->standing.count < r->epochs) snprintf(again, sizeof again, ", %s left", left);
    nz_progress_note(r->progress, "%s epoch %zu/%zu: loss %.4f, train %.2f%%%s, %.0f images/s%s", what_of(r),
                     r->standing.count, r->epochs, e->train_loss, e->train_top1_pct, test, e->images_per_s, again);
}

/* The network as it stands, on the test samples. A graph that is the last one is kept. */
static nz_status evaluate(run *r, nz_train_epoch *epoch, bool last) {
    bool due = r->options->evaluate_every && (r->standing.count + 1) % (size_t)r->options->evaluate_every == 0;
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    if (last || (r->test && due)) NZ_TRY(nz_engine_graph(&graph, r->engine));
    if (r->test && (last || due)) {
        nz_evaluate_options options = {.batch = r->options->batch,
                                       .threads = r->threads,
                                       .loss = r->options->loss,
                                       .softmax = nz_engine_is_logits(r->engine),
                                       .classes = r->classes};
        nz_evaluation found;
        double begun = now_s();
        NZ_TRY(nz_train_evaluate(&found, graph, r->test, &options, r->progress));
        if (found.broken && last) nz_progress_note(r->progress, "%zu test samples could not be read", found.broken);
        r->evaluation_seconds = now_s() - begun;
        if (!isfinite(found.loss)) return fail_state(r, "the loss on the test samples");
        epoch->test_loss = found.loss;
        epoch->test_top1_pct = found.top1_pct;
    }
    if (last) r->result = NZ_STEAL(graph);
    return NZ_OK;
}

static nz_status end_epoch(run *r) {
    nz_standing *at = &r->standing;
    bool last = at->count + 1 == r->epochs;
    double seen = (double)at->seen, seconds = at->seconds > 1e-9 ? at->seconds : 1e-9;
    if (!at->seen)
        return nz_fail(NZ_E_FORMAT, "training: %s: no sample could be read (%zu are broken)",
                       nz_data_describe(r->train), r->feed.broken_count);
    NZ_TRY(check_state(r));
    nz_train_epoch epoch = {.epoch = (double)at->step / r->pace.steps_per_epoch,
                            .lr = nz_schedule_rate(&r->pace, at->step - 1),
                            .train_loss = at->loss_sum / seen,
                            .train_top1_pct = 100 * (double)at->hits / seen,
                            .test_loss = NAN,
                            .test_top1_pct = NAN,
                            .seconds = at->seconds,
                            .images_per_s = seen / seconds};
    nz_status status = evaluate(r, &epoch, last);
    if (status == NZ_E_CANCELLED) return stop(r);
    NZ_TRY(status);
    NZ_TRY(nz_standing_add(at, &epoch));
    at->hits = at->seen = 0;
    at->loss_sum = at->seconds = 0;
    if (r->files->history && nz_history_write(r->files->history, at->epochs, at->count) != NZ_OK)
        nz_progress_note(r->progress, "the history is not brought up to date: %s", nz_last_error());
    try_to_save(r);
    tell_epoch(r, &epoch);
    return NZ_OK;
}

static bool checkpoint_is_due(const run *r) {
    double minutes = r->options->checkpoint_minutes;
    return r->files->checkpoint && minutes > 0 && now_s() - r->saved_at >= 60 * minutes;
}

static nz_status run_epoch(run *r) {
    nz_standing *at = &r->standing;
    uint64_t begin = steps_before(r, at->count), end = steps_before(r, at->count + 1);
    char what[WHAT_BYTES];
    snprintf(what, sizeof what, "%.48s epoch %zu/%zu", what_of(r), at->count + 1, r->epochs);
    double begun = now_s();
    NZ_TRY(nz_feed_begin(&r->feed, at->count, (size_t)(at->step - begin)));
    while (at->step < end) {
        nz_batch batch;
        if (!nz_progress_step(r->progress, what, at->step - begin, end - begin)) return stop(r);
        NZ_TRY(nz_feed_next(&r->feed, &batch));
        at->step = begin + r->feed.next - (batch.count ? 1 : 0); /* unreadable batches are passed over */
        if (at->step > end) at->step = end;
        if (batch.count && at->step < end) {
            NZ_TRY(learn(r, &batch));
            at->step++;
        }
        double now = now_s();
        at->seconds += now - begun;
        begun = now;
        if (!checkpoint_is_due(r) || at->step == end) continue;
        NZ_TRY(check_state(r));
        try_to_save(r);
        begun = now_s();
    }
    return end_epoch(r);
}

/* ---- the whole ---- */

static nz_status finish(run *r) {
    NZ_AUTO_FREE char *text = NULL;
    if (!r->result) NZ_TRY(nz_engine_graph(&r->result, r->engine)); /* resumed behind the last epoch */
    NZ_TRY(nz_train_options_text(&text, r->options));
    NZ_TRY(nz_graph_set_meta(r->result, "netzip.train", text));
    NZ_TRY(nz_graph_set_meta(r->result, "netzip.preprocess", nz_data_preprocess(r->train)));
    if (r->feed.broken_count)
        nz_progress_note(r->progress, "%zu training samples could not be read and were left out", r->feed.broken_count);
    if (r->files->checkpoint && !r->files->keep) unlink(r->files->checkpoint);
    return NZ_OK;
}

static nz_train_report report_of(run *r) {
    const nz_augment *a = &r->feed.augment;
    nz_train_report report = {.broken = r->feed.broken_count,
                              .resumed = r->resumed,
                              .augmented = a->crop_padding || a->flip || a->resized_crop > 0,
                              .epoch_count = r->standing.count};
    for (size_t i = 0; i < nz_engine_param_count(r->engine); i++)
        report.parameters += (size_t)nz_shape_elements(&nz_engine_param(r->engine, i)->shape);
    report.epochs = NZ_STEAL(r->standing.epochs);
    return report;
}

nz_status nz_train_loop(nz_graph **ret_graph, nz_train_report *ret_report, const nz_graph *graph, nz_dataset *train,
                        nz_dataset *test, const nz_train_options *options, const nz_train_files *files,
                        const nz_train_hooks *hooks, const nz_progress *progress) {
    static const nz_train_files no_files = {0};
    static const nz_train_hooks no_hooks = {0};
    NZ_AUTO(run_done)
    run r = {.settled = *options,
             .files = files ? files : &no_files,
             .hooks = hooks ? hooks : &no_hooks,
             .progress = progress,
             .graph = graph,
             .train = train,
             .test = test};
    r.settled.lr = nz_train_rate(options, graph);
    r.settled.clip_norm = nz_train_clip(options, graph);
    r.options = &r.settled;
    NZ_TRY(open_run(&r));
    while (r.standing.count < r.epochs) NZ_TRY(run_epoch(&r));
    NZ_TRY(finish(&r));
    if (ret_report) *ret_report = report_of(&r);
    *ret_graph = NZ_STEAL(r.result);
    return NZ_OK;
}

nz_status nz_train(nz_graph **ret_graph, nz_train_report *ret_report, const nz_graph *graph, nz_dataset *train,
                   nz_dataset *test, const nz_train_options *options, const nz_train_files *files,
                   const nz_progress *progress) {
    return nz_train_loop(ret_graph, ret_report, graph, train, test, options, files, NULL, progress);
}

void nz_train_report_done(nz_train_report *report) {
    free(report->epochs);
    *report = (nz_train_report){0};
}
