/* SPDX-License-Identifier: Apache-2.0 */
#include "compress/method.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/progress.h"
#include "core/text.h"

static const nz_method *const methods[] = {
    &nz_method_ptq, &nz_method_gup_l1, &nz_method_gup_r, &nz_method_fp16, &nz_method_bf16,
};

/* Whether the shell pattern of `length` bytes fits the node's name or operator; an empty one fits none. */
static bool fits_pattern(const nz_node *node, const char *text, size_t length) {
    char pattern[1024];
    if (length == 0 || length >= sizeof pattern) return false;
    memcpy(pattern, text, length);
    pattern[length] = '\0';
    return fnmatch(pattern, node->name, 0) == 0 || fnmatch(pattern, node->op_type, 0) == 0;
}

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

static nz_status full_text(char **ret_text, const nz_method *method, const nz_spec *spec) {
    nz_text text = {0};
    nz_text_append(&text, method->name);
    for (size_t i = 0; i < method->option_count; i++) {
        const char *value = value_in_force(&method->options[i], spec);
        if (!value) continue;
        nz_text_appendf(&text, ",%s=", method->options[i].name);
        for (const char *c = value; *c; c++) {
            if (strchr(",=\\", *c)) nz_text_append(&text, "\\");
            nz_text_append_bytes(&text, c, 1);
        }
    }
    return nz_text_take(&text, ret_text);
}

/* A model compressed twice keeps both names, in order, so that a table never hides the first step. */
static nz_status label_result(nz_graph *result, const nz_method *method, const nz_spec *spec, const nz_dataset *data) {
    NZ_AUTO_FREE char *text = NULL, *technique = NULL, *history = NULL;
    NZ_TRY(full_text(&text, method, spec));
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
            fits = fits_pattern(&input->graph->nodes[n], list, length);
        if (!fits)
            nz_progress_note(input->progress, "exclude: no node's name or operator fits '%.*s'", (int)length, list);
    }
}

static nz_status apply_method(nz_graph **ret_graph, nz_compress_report *report, const nz_method *method,
                              const nz_method_input *input, const nz_spec *spec) {
    NZ_AUTO_FREE void *options = NULL;
    NZ_AUTO_FREE char *what = NULL;
    NZ_AUTO_GRAPH nz_graph *result = NULL;
    NZ_TRY(nz_alloc(&options, 1, method->options_bytes));
    NZ_TRY(nz_format(&what, "method %s", method->name));
    nz_status status = nz_options_read(options, method->options, method->option_count, spec, what);
    if (status == NZ_OK && method->needs_data && !input->data)
        status = nz_fail(NZ_E_ARG, "method %s needs calibration samples: give --data", method->name);
    if (status == NZ_OK) note_idle_patterns(input, spec);
    if (status == NZ_OK) status = method->apply(&result, report, input, options);
    nz_options_done(options, method->options, method->option_count);
    NZ_TRY(status);
    NZ_TRY(label_result(result, method, spec, input->data));
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
    NZ_AUTO_FREE void *options = NULL;
    const nz_method *entry = NULL;
    NZ_TRY(nz_spec_parse(&spec, method));
    NZ_TRY(find_method(&entry, spec.head));
    NZ_TRY(nz_alloc(&options, 1, entry->options_bytes));
    nz_status status = nz_options_read(options, entry->options, entry->option_count, &spec, entry->name);
    nz_options_done(options, entry->options, entry->option_count);
    NZ_TRY(status);
    *ret_needs = (nz_compress_needs){.data = entry->needs_data};
    return NZ_OK;
}

nz_status nz_compress_needs_data(bool *ret_needs, const char *method) {
    nz_compress_needs needs;
    NZ_TRY(nz_compress_what_needs(&needs, method));
    *ret_needs = needs.data;
    return NZ_OK;
}

static void describe_keys(char *text, size_t capacity, const nz_method *method) {
    size_t at = 0;
    text[0] = '\0';
    for (size_t k = 0; k < method->option_count && at < capacity; k++) {
        const nz_option *o = &method->options[k];
        char choice[96] = "";
        if (o->type == NZ_OPTION_CHOICE) snprintf(choice, sizeof choice, " (%s)", o->choices);
        int wrote = snprintf(text + at, capacity - at, "%s%s=%s  %s%s", k ? "\n" : "", o->name,
                             o->initial ? o->initial : "", o->help, choice);
        if (wrote > 0) at += (size_t)wrote;
    }
}

const char *nz_compress_method(size_t i, const char **ret_help, const char **ret_keys) {
    static _Thread_local char keys[4096];
    if (i >= NZ_COUNT(methods)) return NULL;
    describe_keys(keys, sizeof keys, methods[i]);
    if (ret_help) *ret_help = methods[i]->help;
    if (ret_keys) *ret_keys = keys;
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
    free(report->training.epochs);
    *report = (nz_compress_report){0};
}

bool nz_node_matches(const nz_node *node, const char *list) {
    for (size_t length; list && *list; list += length + (list[length] == '+')) {
        length = strcspn(list, "+");
        if (fits_pattern(node, list, length)) return true;
    }
    return false;
}
