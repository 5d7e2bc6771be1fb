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
#include "data/augment.h"
#include "graph/build.h"
#include "train/task.h"
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
    nz_task task;
    nz_updater updater;
    nz_average average;
    bool averages;
    nz_feed feed;
    nz_pace pace;
    double *milestones;
    nz_standing standing;
    char *identity;
    size_t epochs; /**< rows of the history in all */
    double lr;     /**< of the last step */
    double saved_at, evaluation_seconds;
    bool resumed;
    nz_graph *result;
} run;

static void run_done(run *r) {
    nz_feed_done(&r->feed);
    nz_updater_done(&r->updater);
    nz_average_done(&r->average);
    if (r->task.kind) r->task.kind->done(&r->task);
    nz_engine_free(r->engine);
    nz_graph_free(r->result);
    free(r->milestones);
    free(r->standing.epochs);
    free(r->identity);
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

nz_status nz_task_check_samples(const nz_task *t, const nz_dataset *data) {
    const nz_shape *input = nz_engine_input_shape(t->engine);
    nz_shape sample;
    char have[112], want[112];
    nz_data_shape(data, &sample);
    bool same = input->rank == sample.rank + 1;
    for (int d = 0; same && d < sample.rank; d++) same = input->dim[d + 1] == sample.dim[d];
    if (same) return NZ_OK;
    return nz_fail(NZ_E_SHAPE, "training: %s: samples are %s, but the model's input is %s", nz_data_describe(data),
                   nz_shape_text(&sample, have), nz_shape_text(input, want));
}

static void choose_task(run *r) {
    r->task = (nz_task){.kind = nz_data_has_objects(r->train) ? &nz_task_detect : &nz_task_classify,
                        .options = r->options,
                        .graph = r->graph,
                        .train = r->train,
                        .test = r->test,
                        .progress = r->progress,
                        .batch = r->feed.batch,
                        .threads = r->threads,
                        .first_tap = r->hooks->tap_count};
}

static nz_status open_engine(run *r) {
    NZ_AUTO_FREE const char **taps = NULL;
    nz_shape sample;
    NZ_TRY(nz_alloc(&taps, r->hooks->tap_count + NZ_LEVELS_MOST, sizeof *taps));
    for (size_t i = 0; i < r->hooks->tap_count; i++) taps[i] = r->hooks->taps[i];
    nz_data_shape(r->train, &sample);
    nz_engine_options options = {.batch = r->options->batch,
                                 .threads = r->threads,
                                 .bf16 = r->options->precision == 1,
                                 .frozen_norm = r->hooks->frozen_norm,
                                 .taps = taps,
                                 .tap_count = r->hooks->tap_count};
    for (int d = 0; d < 3 && d < sample.rank; d++) options.chw[d] = sample.dim[d] > 0 ? sample.dim[d] : 0;
    NZ_TRY(r->task.kind->plan(&r->task, &options));
    NZ_TRY(nz_engine_open(&r->engine, r->graph, &options));
    r->task.engine = r->engine;
    NZ_TRY(r->task.kind->begin(&r->task));
    r->averages = r->options->ema > 0;
    if (r->averages) NZ_TRY(nz_average_init(&r->average, r->engine, r->options->ema));
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
                         .average = r->averages ? &r->average : NULL,
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
    choose_task(r);
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

static uint64_t dropout_seed(const run *r) {
    nz_random random;
    nz_random_init(&random, (uint64_t)r->options->seed, DROPOUT_STREAM + r->standing.step);
    return nz_random_u64(&random);
}

static void account(nz_standing *at, const nz_task_loss *lost, const nz_task *task) {
    double samples = (double)task->batch;
    at->loss_sum += lost->loss / task->loss_scale * samples;
    for (size_t i = 0; i < NZ_LOSS_PARTS; i++) at->parts[i] += lost->parts[i] * samples;
    at->hits += lost->hits;
    at->seen += task->batch;
}

static nz_status learn(run *r, const nz_batch *batch) {
    const nz_train_hooks *hooks = r->hooks;
    nz_task *task = &r->task;
    nz_train_state state = {.engine = r->engine,
                            .step = r->standing.step,
                            .steps = r->pace.steps,
                            .epoch = (double)r->standing.step / r->pace.steps_per_epoch,
                            .epochs = r->options->epochs,
                            .x = batch->x,
                            .labels = task->kind->detects ? NULL : batch->labels,
                            .batch = r->feed.batch,
                            .output_count = task->output_count,
                            .loss_scale = task->loss_scale};
    r->lr = nz_schedule_rate(&r->pace, state.step);
    double high = r->options->optimizer != NZ_OPTIMIZER_ADAMW ? r->options->momentum : r->options->beta1;
    double momentum = nz_schedule_momentum(&r->pace, high, state.step);
    if (hooks->before_step) NZ_TRY(hooks->before_step(hooks->user, &state));
    NZ_TRY(nz_engine_forward(r->engine, batch->x, true, dropout_seed(r)));
    nz_task_loss lost;
    NZ_TRY(task->kind->lose(task, batch, &lost));
    const float *doutput = NULL;
    state.outputs = task->outputs;
    if (hooks->add_gradients)
        NZ_TRY(hooks->add_gradients(hooks->user, &state, &lost.loss,
                                    task->kind->detects ? NULL : task->outputs[0].gradient));
    state.outputs = NULL;
    if (!isfinite(lost.loss)) return fail_not_finite(r, batch, "loss", lost.loss);
    NZ_TRY(task->kind->push(task, &doutput));
    NZ_TRY(nz_engine_backward(r->engine, doutput));
    double norm = nz_updater_step(&r->updater, r->lr, momentum, state.step + 1);
    if (isnan(norm)) return fail_not_finite(r, batch, "gradient", norm);
    if (r->averages) nz_average_step(&r->average, state.step + 1);
    account(&r->standing, &lost, task);
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

/* What the training samples gave while they were learnt. */
static void put_seen(char text[96], const run *r, const nz_train_epoch *e) {
    if (r->task.kind->detects)
        snprintf(text, 96, " (box %.4f, object %.4f, class %.4f)", e->box_loss, e->object_loss, e->class_loss);
    else
        snprintf(text, 96, ", train %.2f%%", e->train_top1_pct);
}

static void tell_epoch(const run *r, const nz_train_epoch *e) {
    char test[64] = "", left[24], again[40] = "", seen[96];
    double rest = (double)(r->pace.steps - r->standing.step) * (double)r->feed.batch / e->images_per_s;
    if (r->options->evaluate_every)
        rest +=
            r->evaluation_seconds * (double)((long long)(r->epochs - r->standing.count) / r->options->evaluate_every);
    put_time(left, rest);
    put_seen(seen, r, e);
    if (isfinite(e->test_top1_pct)) snprintf(test, sizeof test, ", test %.2f%%", e->test_top1_pct);
    if (isfinite(e->test_map50_pct))
        snprintf(test, sizeof test, ", test mAP50 %.2f%%, mAP50-95 %.2f%%", e->test_map50_pct, e->test_map50_95_pct);
    if (r->standing.count < r->epochs) snprintf(again, sizeof again, ", %s left", left);
    nz_progress_note(r->progress, "%s epoch %zu/%zu: loss %.4f%s%s, %.0f images/s%s", what_of(r), r->standing.count,
                     r->epochs, e->train_loss, seen, test, e->images_per_s, again);
}

/* The network as it would be written: with the averages of weights, where they are kept. */
static nz_status present_graph(run *r, nz_graph **ret_graph) {
    if (r->averages) nz_average_exchange(&r->average);
    nz_status status = nz_engine_graph(ret_graph, r->engine);
    if (r->averages) nz_average_exchange(&r->average);
    return status;
}

/* The network as it stands, on the test samples. A graph that is the last one is kept. */
static nz_status evaluate(run *r, nz_train_epoch *epoch, bool last) {
    bool due = r->options->evaluate_every && (r->standing.count + 1) % (size_t)r->options->evaluate_every == 0;
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    if (last || (r->test && due)) NZ_TRY(present_graph(r, &graph));
    if (r->test && (last || due)) {
        size_t broken = 0;
        double begun = now_s();
        NZ_TRY(r->task.kind->evaluate(&r->task, graph, epoch, &broken));
        if (broken && last) nz_progress_note(r->progress, "%zu test samples could not be read", broken);
        r->evaluation_seconds = now_s() - begun;
        if (!r->task.kind->detects && !isfinite(epoch->test_loss)) return fail_state(r, "the loss on the test samples");
    }
    if (last) r->result = NZ_STEAL(graph);
    return NZ_OK;
}

static nz_train_epoch epoch_of(const run *r) {
    const nz_standing *at = &r->standing;
    bool detects = r->task.kind->detects;
    double seen = (double)at->seen, seconds = at->seconds > 1e-9 ? at->seconds : 1e-9;
    nz_train_epoch epoch = {.epoch = (double)at->step / r->pace.steps_per_epoch,
                            .lr = nz_schedule_rate(&r->pace, at->step - 1),
                            .train_loss = at->loss_sum / seen,
                            .train_top1_pct = detects ? (double)NAN : 100 * (double)at->hits / seen,
                            .test_loss = NAN,
                            .test_top1_pct = NAN,
                            .seconds = at->seconds,
                            .images_per_s = seen / seconds,
                            .test_map50_pct = NAN,
                            .test_map50_95_pct = NAN};
    double *const parts[NZ_LOSS_PARTS] = {&epoch.box_loss, &epoch.object_loss, &epoch.class_loss};
    for (size_t i = 0; i < NZ_LOSS_PARTS; i++) *parts[i] = detects ? at->parts[i] / seen : (double)NAN;
    return epoch;
}

static nz_status end_epoch(run *r) {
    nz_standing *at = &r->standing;
    bool last = at->count + 1 == r->epochs;
    if (!at->seen)
        return nz_fail(NZ_E_FORMAT, "training: %s: no sample could be read (%zu are broken)",
                       nz_data_describe(r->train), r->feed.broken_count);
    NZ_TRY(check_state(r));
    nz_train_epoch epoch = epoch_of(r);
    nz_status status = evaluate(r, &epoch, last);
    if (status == NZ_E_CANCELLED) return stop(r);
    NZ_TRY(status);
    NZ_TRY(nz_standing_add(at, &epoch));
    at->hits = at->seen = 0;
    at->loss_sum = at->seconds = 0;
    memset(at->parts, 0, sizeof at->parts);
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
    if (!r->result) NZ_TRY(present_graph(r, &r->result)); /* resumed behind the last epoch */
    NZ_TRY(nz_train_options_text(&text, r->options));
    NZ_TRY(nz_graph_set_meta(r->result, "netzip.train", text));
    if (r->task.kind->describe) NZ_TRY(r->task.kind->describe(&r->task, r->result));
    NZ_TRY(nz_graph_set_meta(r->result, "netzip.preprocess", nz_data_preprocess(r->train)));
    if (r->feed.broken_count)
        nz_progress_note(r->progress, "%zu training samples could not be read and were left out", r->feed.broken_count);
    if (r->files->checkpoint && !r->files->keep) unlink(r->files->checkpoint);
    return NZ_OK;
}

static nz_train_report report_of(run *r) {
    nz_train_report report = {.broken = r->feed.broken_count,
                              .resumed = r->resumed,
                              .augmented = !nz_augment_is_none(&r->feed.augment),
                              .detector = r->task.kind->detects,
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
    nz_train_options_choose(&r.settled, graph);
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
