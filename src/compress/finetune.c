/* SPDX-License-Identifier: Apache-2.0 */
#include "compress/finetune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compress/distill.h"
#include "core/error.h"
#include "core/locale.h"
#include "core/text.h"
#include "netzip/detect.h"

/* ---- keys ---- */

static const nz_option distill_table[] = {
    {.name = "distill",
     .type = NZ_OPTION_CHOICE,
     .offset = offsetof(nz_finetune_options, distill),
     .initial = "none",
     .choices = "none|logits|layers",
     .help = "learn from the network before compression too: by its outputs or layer by layer"},
    {.name = "distill_weight",
     .type = NZ_OPTION_REAL,
     .offset = offsetof(nz_finetune_options, distill_weight),
     .initial = "1",
     .least = 0,
     .most = 1e6,
     .help = "of distillation's loss beside that of the labels"},
    {.name = "distill_temperature",
     .type = NZ_OPTION_REAL,
     .offset = offsetof(nz_finetune_options, distill_temperature),
     .initial = "4",
     .least = 0.01,
     .most = 1000,
     .help = "by which distill=logits divides both outputs"},
    {.name = "distill_at",
     .type = NZ_OPTION_TEXT,
     .offset = offsetof(nz_finetune_options, distill_at),
     .help = "layers of distill=layers: shell patterns of node names or operators, joined by '+'; none given: blocks"},
};

/* The row of another table as a key of the method: its place within the method's options, the method's default. */
static void take_row(nz_option *to, const nz_option *from, size_t offset, const char *const (*defaults)[3]) {
    *to = *from;
    to->offset += offset;
    for (size_t i = 0; defaults && defaults[i][0]; i++) {
        if (strcmp(defaults[i][0], from->name) != 0) continue;
        to->initial = defaults[i][1];
        if (defaults[i][2]) to->help = defaults[i][2];
    }
}

static bool has_row(const nz_option *table, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].name, name) == 0) return true;
    return false;
}

/* The epochs first, then distillation, then what is left of training. The threads are those of the whole compression. */
static size_t take_training(nz_option *table, size_t count, const nz_method_training *training) {
    size_t rows = 0, place = training->offset + offsetof(nz_finetune_options, train);
    const nz_option *train = nz_train_option_table(&rows);
    for (size_t i = 0; i < rows; i++) {
        if (strcmp(train[i].name, "epochs") != 0) continue;
        take_row(&table[count], &train[i], place, training->defaults);
        table[count].name = training->epochs;
        table[count++].least = 0;
    }
    for (size_t i = 0; i < training->option_count; i++) table[count++] = training->options[i];
    for (size_t i = 0; i < NZ_COUNT(distill_table); i++)
        take_row(&table[count++], &distill_table[i], training->offset, training->defaults);
    for (size_t i = 0; i < rows; i++)
        if (!has_row(table, count, train[i].name) && strcmp(train[i].name, "epochs") != 0 &&
            strcmp(train[i].name, "threads") != 0)
            take_row(&table[count++], &train[i], place, training->defaults);
    return count;
}

nz_status nz_finetune_table(nz_option **ret_table, size_t *ret_count, size_t *ret_own, const nz_method *method) {
    const nz_method_training *training = method->training;
    NZ_AUTO_FREE nz_option *table = NULL;
    size_t rows = 0, count = 0, extra = training ? training->option_count + NZ_COUNT(distill_table) : 0;
    nz_train_option_table(&rows);
    const nz_method_shared *shared = method->shared;
    NZ_TRY(nz_alloc(&table, (shared ? shared->count : 0) + method->option_count + extra + rows, sizeof *table));
    for (; shared && count < shared->count; count++)
        take_row(&table[count], &shared->options[count], shared->offset, shared->defaults);
    for (size_t i = 0; i < method->option_count; i++) table[count++] = method->options[i];
    *ret_own = count;
    *ret_count = training ? take_training(table, count, training) : count;
    *ret_table = NZ_STEAL(table);
    return NZ_OK;
}

nz_finetune_options *nz_finetune_within(const nz_method *method, void *options) {
    return method->training ? (nz_finetune_options *)(void *)((char *)options + method->training->offset) : NULL;
}

/* ---- what the model decides ---- */

/* The augmentation of netzip.train; NULL where that tells none. */
static nz_status augmentation_of(char **ret_text, const nz_graph *graph) {
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    NZ_AUTO_FREE char *whole = NULL;
    const char *how = nz_graph_meta(graph, "netzip.train");
    *ret_text = NULL;
    if (!how) return NZ_OK;
    NZ_TRY(nz_format(&whole, "train,%s", how));
    if (nz_spec_parse(&spec, whole) != NZ_OK) return NZ_OK; /* metadata of a later version is no reason to fail */
    return nz_strdup(ret_text, nz_spec_get(&spec, "augment"));
}

/* A network that nothing normalises bears a smaller rate. As in training, the rate follows the batch up to 256. Detectors are
 * trained at rates of their own: a share of those. */
static nz_status rate_for(char **ret_text, const nz_method_training *training, const nz_finetune_options *options,
                          const nz_graph *graph) {
    bool normalised = nz_train_normalises(graph);
    nz_train_options chosen = options->train; /* shares the texts */
    nz_train_options_choose(&chosen, graph);
    double batch = (double)(chosen.batch < 256 ? chosen.batch : 256);
    double rate = (normalised ? training->rate : training->rate_without_norm) * batch / 128;
    if (chosen.optimizer == NZ_OPTIMIZER_ADAMW) rate = normalised ? 0.001 : 0.0001;
    if (nz_graph_detects(graph, NULL, NULL)) rate = chosen.lr / 16;
    char text[32];
    nz_snprintf(text, sizeof text, "%.6g", rate);
    return nz_strdup(ret_text, text);
}

/* Takes the value over. */
static nz_status put_pair(nz_spec *spec, const char *key, char **value) {
    NZ_AUTO_FREE char *name = NULL;
    for (size_t i = 0; i < spec->count; i++) {
        if (strcmp(spec->pairs[i].key, key) != 0) continue;
        free(spec->pairs[i].value);
        spec->pairs[i].value = NZ_STEAL(*value);
        return NZ_OK;
    }
    size_t capacity = spec->count;
    NZ_TRY(nz_strdup(&name, key));
    NZ_TRY(nz_grow(&spec->pairs, &capacity, spec->count + 1, sizeof *spec->pairs));
    spec->pairs[spec->count].key = NZ_STEAL(name);
    spec->pairs[spec->count++].value = NZ_STEAL(*value);
    return NZ_OK;
}

nz_status nz_finetune_settle(nz_spec *spec, const nz_method *method, const nz_finetune_options *options,
                             const nz_graph *graph) {
    NZ_AUTO_FREE char *augment = NULL, *rate = NULL;
    if (!options || !(options->train.epochs > 0)) return NZ_OK;
    NZ_TRY(augmentation_of(&augment, graph));
    if (augment && *augment && !nz_spec_get(spec, "augment")) NZ_TRY(put_pair(spec, "augment", &augment));
    if (options->train.lr > 0) return NZ_OK;
    NZ_TRY(rate_for(&rate, method->training, options, graph));
    return put_pair(spec, "lr", &rate);
}

/* ---- the run ---- */

/* What the hooks see: the method's own ones and the teacher. */
typedef struct run {
    const nz_finetune_job *job;
    nz_distill_places places;
    nz_distiller *distiller;
} run;

static void run_done(run *r) {
    nz_distiller_free(r->distiller);
    nz_distill_places_done(&r->places);
}

static nz_status begin(void *user, nz_engine *engine, bool restored) {
    run *r = user;
    const nz_train_hooks *own = &r->job->hooks;
    if (r->job->options->distill != NZ_DISTILL_NONE)
        NZ_TRY(nz_distiller_open(&r->distiller, r->job->teacher, r->places.count ? &r->places : NULL,
                                 nz_data_has_objects(r->job->input->data), r->job->options, engine,
                                 r->job->input->threads));
    return own->begin ? own->begin(own->user, engine, restored) : NZ_OK;
}

static nz_status before_step(void *user, const nz_train_state *state) {
    const nz_train_hooks *own = &((run *)user)->job->hooks;
    return own->before_step ? own->before_step(own->user, state) : NZ_OK;
}

static nz_status add_gradients(void *user, const nz_train_state *state, double *loss, float *doutput) {
    run *r = user;
    return r->distiller ? nz_distiller_add(r->distiller, state, loss, doutput) : NZ_OK;
}

static nz_status after_step(void *user, const nz_train_state *state) {
    const nz_train_hooks *own = &((run *)user)->job->hooks;
    return own->after_step ? own->after_step(own->user, state) : NZ_OK;
}

/* What the network was trained with at first stays with it; how it was fine-tuned is in netzip.method. */
static nz_status keep_history(nz_graph *graph, const nz_graph *before) {
    NZ_TRY(nz_graph_set_meta(graph, "netzip.train", nz_graph_meta(before, "netzip.train")));
    return nz_graph_set_meta(graph, "netzip.preprocess", nz_graph_meta(before, "netzip.preprocess"));
}

nz_status nz_finetune(nz_graph **ret_graph, nz_compress_report *report, const nz_finetune_job *job) {
    NZ_AUTO(run_done) run r = {.job = job};
    NZ_AUTO_GRAPH nz_graph *trained = NULL;
    const nz_method_input *input = job->input;
    nz_train_options options = job->options->train; /* a copy that shares the texts */
    options.threads = input->threads;
    if (nz_data_classes(input->data) == 0)
        return nz_fail(NZ_E_ARG, "training needs labels, and the data has none: %s", nz_data_describe(input->data));
    NZ_TRY(nz_train_options_settle(&options));
    if (job->options->distill == NZ_DISTILL_LAYERS)
        NZ_TRY(nz_distill_places_find(&r.places, job->teacher, job->options->distill_at));
    nz_train_hooks hooks = job->hooks;
    hooks.user = &r;
    hooks.begin = begin;
    hooks.before_step = before_step;
    hooks.add_gradients = add_gradients;
    hooks.after_step = after_step;
    hooks.taps = (const char *const *)r.places.names;
    hooks.tap_count = r.places.count;
    hooks.identity = input->text;
    NZ_TRY(nz_train_loop(&trained, &report->training, job->student, input->data, input->test, &options, input->files,
                         &hooks, input->progress));
    NZ_TRY(keep_history(trained, input->graph));
    *ret_graph = NZ_STEAL(trained);
    return NZ_OK;
}

static nz_status describe_detector(char **ret_text, const nz_train_epoch *last, double epochs, const char *distilled) {
    if (isnan(last->test_map50_pct))
        return nz_format(ret_text, " Trained for %g epochs%s: loss %.4g.", epochs, distilled, last->train_loss);
    return nz_format(ret_text, " Trained for %g epochs%s: mAP50 %.2f%%, mAP50-95 %.2f%% on the test samples.", epochs,
                     distilled, last->test_map50_pct, last->test_map50_95_pct);
}

nz_status nz_finetune_describe(char **ret_text, const nz_compress_report *report, const nz_finetune_options *options) {
    static const char *const distilled[] = {"", ", taught by the outputs of the network before",
                                            ", taught layer by layer by the network before"};
    const nz_train_report *t = &report->training;
    if (t->epoch_count == 0) return nz_strdup(ret_text, "");
    const nz_train_epoch *last = &t->epochs[t->epoch_count - 1];
    NZ_AUTO_FREE char *tested = NULL;
    if (t->detector) return describe_detector(ret_text, last, options->train.epochs, distilled[options->distill]);
    if (isnan(last->test_top1_pct))
        NZ_TRY(nz_strdup(&tested, ""));
    else
        NZ_TRY(nz_format(&tested, ", %.2f%% of the test samples", last->test_top1_pct));
    return nz_format(ret_text, " Trained for %g epochs%s: top-1 %.2f%% of the training samples%s.",
                     options->train.epochs, distilled[options->distill], last->train_top1_pct, tested);
}
