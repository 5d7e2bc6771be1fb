/* SPDX-License-Identifier: Apache-2.0 */
#include "compress/method.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compress/finetune.h"
#include "compress/pattern.h"
#include "core/error.h"
#include "core/locale.h"
#include "core/progress.h"
#include "core/text.h"

static const nz_method *const methods[] = {
    &nz_method_ptq, &nz_method_qat, &nz_method_gup_l1, &nz_method_gup_r, &nz_method_fp16, &nz_method_bf16,
};

static nz_status find_method(const nz_method **ret_method, const char *name) {
    const char *names[NZ_COUNT(methods)];
    for (size_t i = 0; i < NZ_COUNT(methods); i++) {
        names[i] = methods[i]->name;
        if (strcmp(name, methods[i]->name) == 0 || (methods[i]->alias && strcmp(name, methods[i]->alias) == 0)) {
            *ret_method = methods[i];
            return NZ_OK;
        }
    }
    const char *near = nz_closest(name, names, NZ_COUNT(names));
    if (near) return nz_fail(NZ_E_ARG, "method '%s' is not known; did you mean '%s'?", name, near);
    return nz_fail(NZ_E_ARG, "method '%s' is not known; 'netzip compress --list' shows the methods", name);
}

/* The text of an option's value in force: what was given, else the default. */
static const char *value_in_force(const nz_option *option, const nz_spec *spec) {
    const char *given = nz_spec_get(spec, option->name);
    return given ? given : option->initial;
}

/* The keys of a method and their values. */
typedef struct keys {
    const nz_method *method;
    nz_option *table;
    size_t count, own;
    void *values;
    bool trains;
} keys;

static void keys_done(keys *k) {
    if (k->values) nz_options_done(k->values, k->table, k->count);
    free(k->values);
    free(k->table);
}

/* The second name of the key for the epochs becomes the first. */
static nz_status settle_names(nz_spec *spec, const nz_method *method) {
    const nz_method_training *training = method->training;
    if (!training || !training->also || !nz_spec_get(spec, training->also)) return NZ_OK;
    if (nz_spec_get(spec, training->epochs))
        return nz_fail(NZ_E_ARG, "method %s: %s and %s are the same key; give one", method->name, training->epochs,
                       training->also);
    for (size_t i = 0; i < spec->count; i++) {
        if (strcmp(spec->pairs[i].key, training->also) != 0) continue;
        NZ_AUTO_FREE char *name = NULL;
        NZ_TRY(nz_strdup(&name, training->epochs));
        free(spec->pairs[i].key);
        spec->pairs[i].key = NZ_STEAL(name);
    }
    return NZ_OK;
}

static nz_status keys_read(keys *ret_keys, const nz_method *method, nz_spec *spec) {
    NZ_AUTO(keys_done) keys k = {.method = method};
    NZ_AUTO_FREE char *what = NULL;
    NZ_TRY(nz_format(&what, "method %s", method->name));
    NZ_TRY(settle_names(spec, method));
    NZ_TRY(nz_finetune_table(&k.table, &k.count, &k.own, method));
    NZ_TRY(nz_alloc(&k.values, 1, method->options_bytes));
    NZ_TRY(nz_options_read(k.values, k.table, k.count, spec, what));
    const nz_finetune_options *tune = nz_finetune_within(method, k.values);
    k.trains = tune && tune->train.epochs > 0;
    *ret_keys = k;
    k = (keys){0};
    return NZ_OK;
}

static nz_status full_text(char **ret_text, const keys *k, const nz_spec *spec) {
    nz_text text = {0};
    nz_text_append(&text, k->method->name);
    for (size_t i = 0; i < (k->trains ? k->count : k->own); i++) {
        const char *value = value_in_force(&k->table[i], spec);
        if (!value) continue;
        nz_text_appendf(&text, ",%s=", k->table[i].name);
        for (const char *c = value; *c; c++) {
            if (strchr(",=\\", *c)) nz_text_append(&text, "\\");
            nz_text_append_bytes(&text, c, 1);
        }
    }
    return nz_text_take(&text, ret_text);
}

/* A model compressed twice keeps both names, in order, so that a table never hides the first step. */
static nz_status label_result(nz_graph *result, const nz_method *method, const char *text, const nz_dataset *data) {
    NZ_AUTO_FREE char *technique = NULL, *history = NULL;
    const char *before = nz_graph_meta(result, "netzip.technique"), *how = nz_graph_meta(result, "netzip.method");
    NZ_TRY(nz_format(&technique, "%s%s%s", before ? before : "", before ? "+" : "", method->technique));
    NZ_TRY(nz_format(&history, "%s%s%s", how ? how : "", how ? " + " : "", text));
    NZ_TRY(nz_graph_set_meta(result, "netzip.technique", technique));
    NZ_TRY(nz_graph_set_meta(result, "netzip.method", history));
    if (data && !nz_data_default_preprocess(data))
        NZ_TRY(nz_graph_set_meta(result, "netzip.preprocess", nz_data_preprocess(data)));
    return NZ_OK;
}

/* A pattern that fits nothing is most likely misspelt, and the layer it meant would be compressed without a word. */
static void note_idle_patterns(const nz_method_input *input, const nz_spec *spec) {
    const char *list = nz_spec_get(spec, "exclude");
    for (size_t length; list && *list; list += length + (list[length] == '+')) {
        length = strcspn(list, "+");
        bool fits = length == 0;
        for (size_t n = 0; n < input->graph->node_count && !fits; n++)
            fits = nz_node_fits(&input->graph->nodes[n], list, length);
        if (!fits)
            nz_progress_note(input->progress, "exclude: no node's name or operator fits '%.*s'", (int)length, list);
    }
}

static nz_status apply_method(nz_graph **ret_graph, nz_compress_report *report, const nz_method *method,
                              nz_method_input *input, nz_spec *spec) {
    NZ_AUTO(keys_done) keys given = {0};
    NZ_AUTO(keys_done) keys k = {0};
    NZ_AUTO_FREE char *text = NULL;
    NZ_AUTO_GRAPH nz_graph *result = NULL;
    NZ_TRY(keys_read(&given, method, spec));
    NZ_TRY(nz_finetune_settle(spec, method, nz_finetune_within(method, given.values), input->graph));
    NZ_TRY(keys_read(&k, method, spec));
    if ((method->needs_data || k.trains) && !input->data)
        return nz_fail(NZ_E_ARG, "method %s needs %s samples: give --data", method->name,
                       k.trains ? "training" : "calibration");
    note_idle_patterns(input, spec);
    NZ_TRY(full_text(&text, &k, spec));
    input->text = text;
    NZ_TRY(method->apply(&result, report, input, k.values));
    NZ_TRY(label_result(result, method, text, input->data));
    *ret_graph = NZ_STEAL(result);
    return NZ_OK;
}

nz_status nz_compress_with(nz_graph **ret_graph, nz_compress_report *ret_report, const nz_graph *graph,
                           const char *method, const nz_compress_inputs *inputs, const nz_progress *progress) {
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    NZ_AUTO(nz_compress_report_done) nz_compress_report report = {0};
    const nz_method *entry = NULL;
    NZ_TRY(nz_spec_parse(&spec, method));
    NZ_TRY(find_method(&entry, spec.head));
    nz_method_input input = {.graph = graph,
                             .data = inputs->data,
                             .test = inputs->test,
                             .files = inputs->files,
                             .threads = inputs->threads,
                             .progress = progress};
    NZ_TRY(apply_method(ret_graph, &report, entry, &input, &spec));
    if (ret_report) {
        *ret_report = report;
        report = (nz_compress_report){0};
    }
    return NZ_OK;
}

nz_status nz_compress(nz_graph **ret_graph, nz_compress_report *ret_report, const nz_graph *graph, const char *method,
                      nz_dataset *data, int threads, const nz_progress *progress) {
    const nz_compress_inputs inputs = {.data = data, .threads = threads};
    return nz_compress_with(ret_graph, ret_report, graph, method, &inputs, progress);
}

nz_status nz_compress_what_needs(nz_compress_needs *ret_needs, const char *method) {
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    NZ_AUTO(keys_done) keys k = {0};
    const nz_method *entry = NULL;
    NZ_TRY(nz_spec_parse(&spec, method));
    NZ_TRY(find_method(&entry, spec.head));
    NZ_TRY(keys_read(&k, entry, &spec));
    *ret_needs = (nz_compress_needs){.data = entry->needs_data || k.trains, .trains = k.trains, .seed = k.trains};
    for (size_t i = 0; i < entry->option_count; i++)
        ret_needs->seed = ret_needs->seed || strcmp(entry->options[i].name, "seed") == 0;
    return NZ_OK;
}

nz_status nz_compress_needs_data(bool *ret_needs, const char *method) {
    nz_compress_needs needs;
    NZ_TRY(nz_compress_what_needs(&needs, method));
    *ret_needs = needs.data;
    return NZ_OK;
}

static nz_status describe_keys(nz_text *text, const nz_method *method) {
    NZ_AUTO(keys_done) keys k = {0};
    NZ_TRY(nz_finetune_table(&k.table, &k.count, &k.own, method));
    for (size_t i = 0; i < k.count; i++) {
        const nz_option *o = &k.table[i];
        nz_text_appendf(text, "%s%s=%s  %s", i ? "\n" : "", o->name, o->initial ? o->initial : "", o->help);
        if (o->type == NZ_OPTION_CHOICE) nz_text_appendf(text, " (%s)", o->choices);
    }
    return NZ_OK;
}

const char *nz_compress_method(size_t i, const char **ret_help, const char **ret_keys) {
    static _Thread_local char listed[16384];
    if (i >= NZ_COUNT(methods)) return NULL;
    NZ_AUTO(nz_text_done) nz_text text = {0};
    NZ_AUTO_FREE char *whole = NULL;
    listed[0] = 0;
    if (describe_keys(&text, methods[i]) == NZ_OK && nz_text_take(&text, &whole) == NZ_OK)
        nz_snprintf(listed, sizeof listed, "%s", whole);
    if (ret_help) *ret_help = methods[i]->help;
    if (ret_keys) *ret_keys = listed;
    return methods[i]->name;
}

nz_status nz_compress_report_add(nz_compress_report *report, const nz_node *node, const char *what, double sqnr_db,
                                 double sparsity_pct) {
    size_t capacity = report->count; /* grown one by one: a report has as many rows as the model has layers */
    NZ_TRY(nz_grow(&report->layers, &capacity, report->count + 1, sizeof *report->layers));
    nz_layer_change *row = &report->layers[report->count];
    *row = (nz_layer_change){.sqnr_db = sqnr_db, .sparsity_pct = sparsity_pct};
    report->count++;
    NZ_TRY(nz_strdup(&row->name, node->name));
    NZ_TRY(nz_strdup(&row->op, node->op_type));
    return nz_strdup(&row->what, what);
}

void nz_compress_report_done(nz_compress_report *report) {
    for (size_t i = 0; i < report->count; i++) {
        free(report->layers[i].name);
        free(report->layers[i].op);
        free(report->layers[i].what);
    }
    free(report->layers);
    free(report->summary);
    nz_train_report_done(&report->training);
    *report = (nz_compress_report){0};
}
