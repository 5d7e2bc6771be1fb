/* SPDX-License-Identifier: Apache-2.0 */
/* The uncompressed network: built, imported or read, then trained where the file says so. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"
#include "core/progress.h"
#include "core/text.h"
#include "experiment/plan.h"
#include "graph/build.h"
#include "netzip/arch.h"
#include "netzip/data.h"
#include "netzip/import.h"
#include "netzip/onnx.h"

static void free_data(nz_dataset **data) { nz_data_free(*data); }

void nz_step_files_done(nz_train_files *files) {
    free((char *)(uintptr_t)files->checkpoint);
    free((char *)(uintptr_t)files->history);
    *files = (nz_train_files){0};
}

nz_status nz_step_files(nz_train_files *ret_files, const nz_experiment *x, const nz_step *step) {
    NZ_AUTO_FREE char *checkpoint = NULL, *history = NULL;
    /* The key in its name: a checkpoint from other inputs is not found. */
    NZ_TRY(nz_format(&checkpoint, "%s.%.12s.checkpoint.npz", step->stem, step->key));
    NZ_TRY(nz_format(&history, "%s.history.csv", step->stem));
    *ret_files = (nz_train_files){
        .checkpoint = NZ_STEAL(checkpoint), .history = NZ_STEAL(history), .resume = x->options->resume, .keep = true};
    return NZ_OK;
}

void nz_step_files_forget(const nz_experiment *x, const nz_step *step) {
    NZ_AUTO(nz_step_files_done) nz_train_files files = {0};
    if (nz_step_files(&files, x, step) == NZ_OK) unlink(files.checkpoint);
}

static json_t *detector_epoch(const nz_train_epoch *e) {
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "epoch", nz_json_real(e->epoch), "lr",
                     nz_json_real(e->lr), "train_loss", nz_json_real(e->train_loss), "box_loss",
                     nz_json_real(e->box_loss), "object_loss", nz_json_real(e->object_loss), "class_loss",
                     nz_json_real(e->class_loss), "test_map50", nz_json_real(e->test_map50_pct), "test_map50_95",
                     nz_json_real(e->test_map50_95_pct), "seconds", nz_json_real(e->seconds), "images_per_s",
                     nz_json_real(e->images_per_s));
}

json_t *nz_curve_json(const nz_train_report *report) {
    if (report->epoch_count == 0) return json_null();
    json_t *epochs = json_array();
    for (size_t i = 0; i < report->epoch_count; i++) {
        const nz_train_epoch *e = &report->epochs[i];
        if (report->detector) {
            json_array_append_new(epochs, detector_epoch(e));
            continue;
        }
        json_array_append_new(epochs,
                              json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "epoch", nz_json_real(e->epoch), "lr",
                                        nz_json_real(e->lr), "train_loss", nz_json_real(e->train_loss), "train_top1",
                                        nz_json_real(e->train_top1_pct), "test_loss", nz_json_real(e->test_loss),
                                        "test_top1", nz_json_real(e->test_top1_pct), "seconds",
                                        nz_json_real(e->seconds), "images_per_s", nz_json_real(e->images_per_s)));
    }
    return epochs;
}

/* Classes and extents: as stated, else as the data have them, else the architecture's own. */
static nz_arch_options arch_options(const nz_experiment *x, size_t network) {
    const nz_network_source *s = &x->description->source;
    const nz_data_facts *facts = x->train.fingerprint[0] ? &x->train : &x->test;
    bool fixed = facts->chw[0] && facts->chw[1] && facts->chw[2];
    nz_arch_options o = {.seed = (uint64_t)x->description->network_seeds[network]};
    o.classes = s->classes ? s->classes : s->checkpoint && !x->description->training ? 0 : (int64_t)facts->classes;
    o.channels = s->channels ? s->channels : fixed ? facts->chw[0] : 0;
    o.height = s->channels ? s->height : fixed ? facts->chw[1] : 0;
    o.width = s->channels ? s->width : fixed ? facts->chw[2] : 0;
    return o;
}

nz_status nz_network_check(const nz_experiment *x) {
    const nz_network_source *s = &x->description->source;
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    if (!s->arch) return NZ_OK;
    nz_arch_options blank = arch_options(x, 0);
    blank.blank = true;
    return nz_arch_build(&graph, s->arch, &blank);
}

static void tell_names(const nz_experiment *x, const char *what, char *const *names, size_t count) {
    enum { SHOWN = 4 };
    for (size_t i = 0; i < count && i < SHOWN; i++) nz_progress_note(x->progress, "%s: %s", what, names[i]);
    if (count > SHOWN) nz_progress_note(x->progress, "%s: and %zu more", what, count - SHOWN);
}

/* What was not in the checkpoint has drawn weights: to be trained, and to be told; never to be compared as it is. */
static nz_status check_fit(char **ret_warning, const nz_experiment *x, const nz_import_report *report) {
    const nz_network_source *s = &x->description->source;
    size_t count = report->missing_count + report->reshaped_count;
    if (!count) return NZ_OK;
    const char *first = report->missing_count ? report->missing[0] : report->reshaped[0];
    if (!x->description->training)
        return nz_fail(NZ_E_FORMAT,
                       "%s: %zu parameter%s of %s %s not in it or of another shape (the first: %s); without train: the "
                       "network cannot be used so",
                       s->checkpoint, count, count == 1 ? "" : "s", s->arch, count == 1 ? "is" : "are", first);
    return nz_format(ret_warning, "%s: %zu parameter%s %s not taken over and began at random (the first: %s)",
                     nz_path_base(s->checkpoint), count, count == 1 ? "" : "s", count == 1 ? "was" : "were", first);
}

static nz_status import(nz_graph **ret_graph, char **ret_warning, const nz_experiment *x,
                        const nz_arch_options *options) {
    NZ_AUTO(nz_import_report_done) nz_import_report report = {0};
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    const nz_network_source *s = &x->description->source;
    NZ_TRY(nz_import(&graph, &report, s->checkpoint, s->arch, options));
    nz_progress_note(x->progress, "%s: %zu tensors taken over", s->checkpoint, report.loaded);
    tell_names(x, "missing in the checkpoint", report.missing, report.missing_count);
    tell_names(x, "not used", report.extra, report.extra_count);
    tell_names(x, "of another shape", report.reshaped, report.reshaped_count);
    NZ_TRY(check_fit(ret_warning, x, &report));
    *ret_graph = NZ_STEAL(graph);
    return NZ_OK;
}

/* Anchors for the objects of the training data, as its samples show them. */
static nz_status fit_anchors(char **ret_anchors, const nz_experiment *x, const nz_arch_options *options) {
    const nz_description *d = x->description;
    NZ_AUTO(free_data) nz_dataset *data = NULL;
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO(nz_train_options_done) nz_train_options training = {0};
    nz_levels levels = {.count = NZ_ARCH_LEVELS, .anchors = NZ_ARCH_ANCHORS};
    nz_arch_options blank = *options;
    blank.blank = true;
    NZ_TRY(nz_arch_build(&graph, d->source.arch, &blank));
    NZ_TRY(nz_train_options_read(&training, d->training));
    NZ_TRY(nz_data_open_for_model(&data, d->train_data, NZ_DATA_TRAIN, graph));
    NZ_TRY(nz_anchors_fit(ret_anchors, data, &levels, training.anchor_ratio, options->seed));
    nz_progress_note(x->progress, "anchors: %s", *ret_anchors);
    return NZ_OK;
}

static nz_status get_network(nz_graph **ret_graph, char **ret_warning, const nz_experiment *x, const nz_step *step) {
    const nz_network_source *s = &x->description->source;
    nz_arch_options options = arch_options(x, step->index);
    NZ_AUTO_FREE char *anchors = NULL;
    if (s->file) return nz_model_load(ret_graph, s->file);
    options.anchors = s->anchors;
    if (s->anchors && strcmp(s->anchors, NZ_ANCHORS_FIT) == 0) {
        options.anchors = NULL;
        NZ_TRY(fit_anchors(&anchors, x, &options));
        options.anchors = anchors;
    }
    if (s->checkpoint) return import(ret_graph, ret_warning, x, &options);
    return nz_arch_build(ret_graph, s->arch, &options);
}

static nz_status train(nz_graph **ret_graph, nz_experiment *x, nz_step *step, const nz_graph *start) {
    NZ_AUTO(free_data) nz_dataset *samples = NULL;
    NZ_AUTO(free_data) nz_dataset *test = NULL;
    NZ_AUTO(nz_train_options_done) nz_train_options options = {0};
    NZ_AUTO(nz_step_files_done) nz_train_files files = {0};
    NZ_AUTO(nz_train_report_done) nz_train_report report = {0};
    const nz_description *d = x->description;
    NZ_TRY(nz_train_options_read(&options, d->training));
    options.seed = d->network_seeds[step->index];
    if (x->options->threads > 0) options.threads = x->options->threads;
    NZ_TRY(nz_data_open_for_model(&samples, d->train_data, NZ_DATA_TRAIN, start));
    NZ_TRY(nz_data_open_for_model(&test, d->test_data, NZ_DATA_COMPARE, start));
    NZ_TRY(nz_step_files(&files, x, step));
    NZ_TRY(nz_train(ret_graph, &report, start, samples, test, &options, &files, x->progress));
    step->record = json_pack("{s:o,s:I,s:b}", "training", nz_curve_json(&report), "parameters",
                             (json_int_t)report.parameters, "resumed", report.resumed);
    return step->record ? NZ_OK : nz_fail(NZ_E_MEMORY, "out of memory: a record");
}

/* A network that is taken as it is must say how its images are prepared; the data's keys say it where it does not. */
static nz_status state_preprocess(nz_graph *graph, const nz_experiment *x) {
    NZ_AUTO(free_data) nz_dataset *data = NULL;
    if (nz_graph_meta(graph, "netzip.preprocess")) return NZ_OK;
    NZ_TRY(nz_data_open_for_model(&data, x->description->test_data, NZ_DATA_COMPARE, graph));
    if (nz_data_default_preprocess(data)) return NZ_OK;
    return nz_graph_set_meta(graph, "netzip.preprocess", nz_data_preprocess(data));
}

nz_status nz_step_train(nz_experiment *x, nz_step *step) {
    NZ_AUTO_GRAPH nz_graph *start = NULL;
    NZ_AUTO_GRAPH nz_graph *result = NULL;
    NZ_AUTO_FREE char *warning = NULL;
    NZ_TRY(get_network(&start, &warning, x, step));
    if (x->description->training)
        NZ_TRY(train(&result, x, step, start));
    else
        NZ_TRY(state_preprocess(start, x));
    if (warning && json_object_set_new(step->record, "warning", nz_json_string(warning)))
        return nz_fail(NZ_E_MEMORY, "out of memory: a record");
    NZ_TRY(nz_model_save(result ? result : start, step->output));
    nz_step_files_forget(x, step);
    return NZ_OK;
}
