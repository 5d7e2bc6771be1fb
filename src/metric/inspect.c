/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/inspect.h"

#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "metric/value_json.h"
#include "netzip/onnx.h"
#include "netzip/runtime.h"

/* ---- Which metrics ---- */

static bool from_file_alone(const nz_metric *m) {
    return !m->needs_scores && !m->needs_timing && !m->needs_energy && !m->needs_process && !m->needs_entropy;
}

static void choose(nz_inspection *in, const nz_metric *metric) {
    for (size_t i = 0; i < in->count; i++)
        if (in->metrics[i] == metric) return;
    in->metrics[in->count++] = metric;
}

/* One word of --metrics: an id, a category or "all". */
static nz_status choose_word(nz_inspection *in, const char *word) {
    const nz_metric *metric = nz_metric_find(word), *row;
    bool all = strcmp(word, "all") == 0, found = false;
    for (size_t i = 0; (row = nz_metric_at(i)); i++) {
        if (!all && strcmp(row->category, word) != 0) continue;
        choose(in, row);
        found = true;
    }
    if (metric && !found) choose(in, metric);
    if (metric || found) return NZ_OK;
    const char *near = nz_metric_closest(word);
    return nz_fail(NZ_E_ARG, "inspect: no metric or category is called '%s'%s%s%s", word,
                   near ? "; did you mean '" : "", near ? near : "",
                   near ? "'?" : " (accuracy, speed, size, energy, all, or ids)");
}

static nz_status choose_metrics(nz_inspection *in, const char *text) {
    const nz_metric *row;
    size_t rows = 0, words = 1;
    while (nz_metric_at(rows)) rows++;
    for (const char *p = text; p && *p; p++) words += *p == ',';
    NZ_TRY(nz_alloc(&in->metrics, rows + words, sizeof *in->metrics));
    for (size_t i = 0; !text && (row = nz_metric_at(i)); i++)
        if (from_file_alone(row)) choose(in, row);
    NZ_AUTO_FREE char *list = NULL;
    NZ_TRY(nz_strdup(&list, text ? text : ""));
    for (char *rest = list, *word; (word = strsep(&rest, ","));)
        if (*word) NZ_TRY(choose_word(in, word));
    if (in->count == 0) return nz_fail(NZ_E_ARG, "inspect: --metrics is empty");
    return nz_alloc(&in->values, in->count, sizeof *in->values);
}

static nz_status evaluate(nz_inspection *in) {
    static const char unmeasured[] = "inspect only reads the file; netzip compare measures it";
    nz_metric_input input = nz_metric_input_none();
    input.facts = &in->facts;
    input.reason_accuracy = input.reason_speed = input.reason_process = input.reason_gpu = input.reason_energy =
        unmeasured;
    bool entropy = false;
    NZ_TRY(nz_model_disk_bytes(&input.disk_bytes, in->path));
    for (size_t i = 0; i < in->count; i++) entropy = entropy || in->metrics[i]->needs_entropy;
    if (entropy) NZ_TRY(nz_entropy_bytes(&input.entropy_bytes, in->facts.counted, NULL));
    for (size_t i = 0; i < in->count; i++) in->values[i] = nz_metric_value(in->metrics[i], &input);
    return NZ_OK;
}

/* ---- Which kernels ---- */

static void free_session(nz_session **session) { nz_session_free(*session); }

static size_t layer_named(const nz_inspection *in, const char *name, size_t length) {
    size_t i = 0;
    for (; i < in->facts.layer_count; i++)
        if (strlen(in->facts.layers[i].name) == length && memcmp(in->facts.layers[i].name, name, length) == 0) break;
    return i;
}

static nz_status note_kernel(nz_inspection *in, const char *name, size_t length, const nz_layer *layer, bool fused) {
    size_t at = layer_named(in, name, length);
    if (at == in->facts.layer_count || in->kernels[at].kernel) return NZ_OK;
    NZ_TRY(nz_strdup(&in->kernels[at].kernel, layer->kernel));
    NZ_TRY(nz_strdup(&in->kernels[at].compute, layer->compute));
    return fused ? nz_strdup(&in->kernels[at].into, layer->name) : NZ_OK;
}

static nz_status find_kernels(nz_inspection *in, const nz_inspect_options *options) {
    NZ_AUTO(free_session) nz_session *session = NULL;
    nz_runtime_options runtime = {
        .threads = 1, .batch = 1, .bindings = options->bindings, .binding_count = options->binding_count};
    NZ_TRY(nz_alloc(&in->kernels, in->facts.layer_count, sizeof *in->kernels));
    nz_status status = nz_session_open(&session, "native", in->graph, in->path, &runtime);
    if (status == NZ_E_MEMORY) return status;
    if (status != NZ_OK) return nz_strdup(&in->kernel_note, nz_last_error());
    for (size_t i = 0; i < nz_session_layer_count(session); i++) {
        nz_layer layer = nz_session_layer(session, i);
        NZ_TRY(note_kernel(in, layer.name, strlen(layer.name), &layer, false));
        for (const char *p = layer.fused ? layer.fused : ""; *p;) {
            size_t length = strcspn(p, " ");
            if (length) NZ_TRY(note_kernel(in, p, length, &layer, true));
            p += length + (p[length] == ' ');
        }
    }
    return NZ_OK;
}

/* ---- The whole ---- */

static nz_status fill(nz_inspection *in, const char *path, const nz_inspect_options *options) {
    NZ_TRY(choose_metrics(in, options->metrics));
    NZ_TRY(nz_strdup(&in->path, path));
    NZ_TRY(nz_path_stem(&in->name, path));
    /* Counting reads the weights where they lie; a session needs them aligned. */
    NZ_TRY(options->per_layer ? nz_model_load(&in->graph, path) : nz_model_load_in_place(&in->graph, path));
    NZ_TRY(nz_sha256_file(in->sha256, path));
    NZ_TRY(nz_graph_facts_get(&in->facts, in->graph, options->bindings, options->binding_count));
    NZ_TRY(evaluate(in));
    return options->per_layer ? find_kernels(in, options) : NZ_OK;
}

nz_status nz_inspect(nz_inspection *ret_inspection, const char *path, const nz_inspect_options *options) {
    NZ_AUTO(nz_inspection_done) nz_inspection in = {0};
    NZ_TRY(fill(&in, path, options));
    *ret_inspection = in;
    in = (nz_inspection){0};
    return NZ_OK;
}

void nz_inspection_done(nz_inspection *in) {
    for (size_t i = 0; in->kernels && i < in->facts.layer_count; i++) {
        free(in->kernels[i].kernel);
        free(in->kernels[i].compute);
        free(in->kernels[i].into);
    }
    free(in->kernels);
    free(in->kernel_note);
    free(in->metrics);
    free(in->values);
    free(in->path);
    free(in->name);
    nz_graph_facts_done(&in->facts);
    nz_graph_free(in->graph);
    *in = (nz_inspection){0};
}

/* ---- JSON ---- */

/* Extents; the name of a symbolic one, null where it has none. */
static json_t *shape_json(const nz_value *value) {
    if (value->shape.rank < 0) return json_null();
    NZ_AUTO_JSON json_t *json = json_array();
    int failed = 0;
    for (int d = 0; d < value->shape.rank; d++)
        failed |= json_array_append_new(json, value->shape.dim[d] >= 0 ? json_integer(value->shape.dim[d])
                                                                       : nz_json_string(value->dim_names[d]));
    return failed ? NULL : NZ_STEAL(json);
}

static json_t *values_json(const nz_graph *graph, const int *values, size_t count) {
    NZ_AUTO_JSON json_t *json = json_array();
    int failed = 0;
    for (size_t i = 0; i < count; i++) {
        const nz_value *value = &graph->values[values[i]];
        failed |= json_array_append_new(json, json_pack("{s:o,s:s,s:o}", "name", nz_json_string(value->name), "type",
                                                        nz_dtype_get(value->dtype)->name, "shape", shape_json(value)));
    }
    return failed ? NULL : NZ_STEAL(json);
}

static json_t *count_json(bool known, uint64_t count) { return known ? json_integer((json_int_t)count) : json_null(); }
/* A node that computes nothing has no width. */
static json_t *bits_json(const nz_layer_facts *layer, int bits) {
    return bits && !(layer->ops_known && layer->ops == 0) ? json_integer(bits) : json_null();
}

static json_t *layer_json(const nz_inspection *in, size_t i) {
    const nz_layer_facts *f = &in->facts.layers[i];
    const nz_node_kernel *k = &in->kernels[i];
    NZ_AUTO_JSON json_t *json = json_object();
    int failed = 0;
    failed |= json_object_set_new(json, "name", nz_json_string(f->name));
    failed |= json_object_set_new(json, "op", nz_json_string(f->op));
    failed |= json_object_set_new(json, "macs", count_json(f->ops_known, f->macs));
    failed |= json_object_set_new(json, "ops", count_json(f->ops_known, f->ops));
    failed |= json_object_set_new(json, "macs_effective", count_json(f->ops_known, f->macs_effective));
    failed |= json_object_set_new(json, "params", count_json(true, f->params));
    failed |= json_object_set_new(json, "params_nonzero", count_json(true, f->params_nonzero));
    failed |= json_object_set_new(json, "bits", bits_json(f, f->bits));
    failed |= json_object_set_new(json, "bits_stored", bits_json(f, f->bits_stored));
    failed |= json_object_set_new(json, "weight_bits", bits_json(f, f->weight_bits));
    failed |= json_object_set_new(json, "activation_bits", bits_json(f, f->activation_bits));
    failed |= json_object_set_new(json, "kernel", nz_json_string(k->kernel));
    failed |= json_object_set_new(json, "compute", nz_json_string(k->compute));
    if (k->into) failed |= json_object_set_new(json, "fused_into", nz_json_string(k->into));
    return failed ? NULL : NZ_STEAL(json);
}

static int set_layers(json_t *model, const nz_inspection *in) {
    json_t *layers = json_array();
    int failed = json_object_set_new(model, "layers", layers);
    for (size_t i = 0; i < in->facts.layer_count; i++) failed |= json_array_append_new(layers, layer_json(in, i));
    if (in->kernel_note) failed |= json_object_set_new(model, "kernel_note", nz_json_string(in->kernel_note));
    return failed;
}

nz_status nz_inspection_json(json_t **ret_json, const nz_inspection *in) {
    const nz_graph *g = in->graph;
    const char *technique = nz_graph_meta(g, "netzip.technique");
    NZ_AUTO_JSON json_t *model = json_object();
    json_t *metrics = json_object();
    int failed = 0;
    failed |= json_object_set_new(model, "id", nz_json_string(in->name));
    failed |= json_object_set_new(model, "name", nz_json_string(in->name));
    failed |= json_object_set_new(model, "path", nz_json_string(in->path));
    failed |= json_object_set_new(model, "sha256", json_string(in->sha256));
    failed |= json_object_set_new(model, "technique", nz_json_string(technique ? technique : "None"));
    failed |= json_object_set_new(model, "status", json_string("ok"));
    failed |= json_object_set_new(model, "counting", json_string("netzip"));
    failed |= json_object_set_new(model, "opset", json_integer(g->opset));
    failed |= json_object_set_new(model, "ir_version", json_integer((json_int_t)g->ir_version));
    failed |= json_object_set_new(model, "producer", nz_json_string(g->producer));
    failed |= json_object_set_new(model, "inputs", values_json(g, g->inputs, g->input_count));
    failed |= json_object_set_new(model, "outputs", values_json(g, g->outputs, g->output_count));
    failed |= json_object_set_new(model, "metrics", metrics);
    for (size_t i = 0; i < in->count; i++)
        failed |= json_object_set_new(metrics, in->metrics[i]->id, nz_value_json(&in->values[i], in->metrics[i]));
    if (in->kernels) failed |= set_layers(model, in);
    if (failed) return nz_fail(NZ_E_MEMORY, "%s: out of memory: its description", in->path);
    *ret_json = NZ_STEAL(model);
    return NZ_OK;
}
