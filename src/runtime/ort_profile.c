/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/ort_profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/json.h"
#include "core/memory.h"
#include "core/text.h"

enum { MOST_LAYERS = 100000, MOST_BACK = 16 };

/* One executed kernel. */
typedef struct event {
    size_t layer;
    double ms;
} event;

void nz_ort_layers_done(nz_ort_layers *layers) {
    for (size_t i = 0; i < layers->count; i++) {
        free(layers->items[i].name);
        free(layers->items[i].op);
        free(layers->items[i].kernel);
        free(layers->items[i].fused);
    }
    free(layers->items);
    *layers = (nz_ort_layers){0};
}

/* Length of a node's name in "NAME_kernel_time"; 0 for another event. */
static size_t kernel_name(const char *text) {
    static const char end[] = "_kernel_time";
    size_t length = strlen(text), tail = sizeof end - 1;
    return length > tail && strcmp(text + length - tail, end) == 0 ? length - tail : 0;
}

/* Takes away what the library's passes hang on a name: "_nchwc", "_quant", "_token_12". */
static void strip(char *name) {
    static const char *const marks[] = {"_nchwc", "_quant", "_fusion", "_fused"};
    for (bool again = true; again;) {
        size_t length = strlen(name);
        again = false;
        for (size_t i = 0; i < NZ_COUNT(marks); i++) {
            size_t mark = strlen(marks[i]);
            if (length <= mark || strcmp(name + length - mark, marks[i]) != 0) continue;
            name[length - mark] = '\0';
            again = true;
            break;
        }
        size_t digits = strlen(name);
        while (digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9') digits--;
        if (name[digits] && digits > 7 && strncmp(name + digits - 7, "_token_", 7) == 0) {
            name[digits - 7] = '\0';
            again = true;
        }
    }
}

static const nz_node *node_called(const nz_graph *graph, const char *name) {
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].name && strcmp(graph->nodes[i].name, name) == 0) return &graph->nodes[i];
    return NULL;
}

static const nz_node *producer_of(const nz_graph *graph, const char *name) {
    for (size_t v = 0; v < graph->value_count; v++)
        if (strcmp(graph->values[v].name, name) == 0)
            return graph->values[v].producer < 0 ? NULL : &graph->nodes[graph->values[v].producer];
    return NULL;
}

/* "QLinearConv" and "FusedConv" do the work of a Conv. */
static bool does_work_of(const char *executed, const char *op) {
    size_t a = strlen(executed), b = strlen(op);
    return a >= b && strcmp(executed + a - b, op) == 0;
}

/* The node behind a name of the profile, and those between it and the end of its group. */
static nz_status name_layer(nz_ort_layer *layer, const nz_graph *graph, const char *name, const char *executed) {
    NZ_AUTO_FREE char *plain = NULL;
    nz_text fused = {0};
    NZ_TRY(nz_strdup(&plain, name));
    const nz_node *node = node_called(graph, plain);
    if (!node) {
        strip(plain);
        node = node_called(graph, plain);
    }
    if (!node) node = producer_of(graph, plain);
    const nz_node *at = node;
    for (int steps = 0; at && steps < MOST_BACK && !does_work_of(executed, at->op_type); steps++) {
        nz_text_appendf(&fused, "%s%s", fused.length ? " " : "", at->name ? at->name : "");
        int value = at->input_count ? at->inputs[0] : NZ_NO_VALUE;
        at = value >= 0 && graph->values[value].producer >= 0 ? &graph->nodes[graph->values[value].producer] : NULL;
    }
    if (!at || !node) {
        nz_text_done(&fused);
        fused = (nz_text){0};
    }
    const nz_node *chosen = at ? at : node;
    nz_status status = nz_strdup(&layer->name, chosen && chosen->name ? chosen->name : name);
    if (status == NZ_OK) status = nz_text_take(&fused, &layer->fused);
    nz_text_done(&fused);
    return status;
}

/* Layers are told apart by the library's own name, kept in `kernel` until all events are read. */
static nz_status layer_of(size_t *ret_layer, nz_ort_layers *layers, char ***raw, size_t *raw_capacity,
                          const nz_graph *graph, const char *name, const json_t *args) {
    for (size_t k = 0; k < layers->count; k++) {
        /* Runs repeat the same order: the layer wanted is mostly the one after the last. */
        size_t i = (*ret_layer + 1 + k) % layers->count;
        if (strcmp((*raw)[i], name) != 0) continue;
        *ret_layer = i;
        return NZ_OK;
    }
    if (layers->count >= MOST_LAYERS) return nz_fail(NZ_E_FORMAT, "more than %d kernels", MOST_LAYERS);
    NZ_TRY(nz_grow(&layers->items, &layers->capacity, layers->count + 1, sizeof *layers->items));
    NZ_TRY(nz_grow(raw, raw_capacity, layers->count + 1, sizeof **raw));
    nz_ort_layer *layer = &layers->items[layers->count];
    *layer = (nz_ort_layer){0};
    (*raw)[layers->count] = NULL;
    layers->count++;
    const char *op = nz_json_text_at(args, "op_name"), *provider = nz_json_text_at(args, "provider");
    size_t cut = strlen(provider);
    static const char end[] = "ExecutionProvider";
    if (cut > sizeof end - 1 && strcmp(provider + cut - (sizeof end - 1), end) == 0) cut -= sizeof end - 1;
    NZ_TRY(nz_strdup(&(*raw)[layers->count - 1], name));
    NZ_TRY(nz_strdup(&layer->op, op));
    NZ_TRY(nz_format(&layer->kernel, "%.*s:%s", (int)cut, provider, op));
    NZ_TRY(name_layer(layer, graph, name, op));
    *ret_layer = layers->count - 1;
    return NZ_OK;
}

static int by_layer_and_time(const void *a, const void *b) {
    const event *x = a, *y = b;
    if (x->layer != y->layer) return x->layer < y->layer ? -1 : 1;
    return x->ms < y->ms ? -1 : x->ms > y->ms;
}

static void set_medians(nz_ort_layers *layers, event *events, size_t count) {
    qsort(events, count, sizeof *events, by_layer_and_time);
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin; end < count && events[end].layer == events[begin].layer;) end++;
        size_t n = end - begin;
        const event *e = events + begin;
        layers->items[e->layer].latency_ms = n % 2 ? e[n / 2].ms : (e[n / 2 - 1].ms + e[n / 2].ms) / 2;
    }
}

static nz_status read_events(nz_ort_layers *layers, char ***raw, size_t *raw_capacity, const json_t *trace,
                             const nz_graph *graph) {
    NZ_AUTO_FREE event *events = NULL;
    size_t count = 0, last = 0;
    NZ_TRY(nz_alloc(&events, json_array_size(trace), sizeof *events));
    for (size_t i = 0; i < json_array_size(trace); i++) {
        const json_t *e = json_array_get(trace, i), *args = json_object_get(e, "args");
        const char *text = nz_json_text_at(e, "name");
        size_t length = kernel_name(text);
        if (!length || strcmp(nz_json_text_at(e, "cat"), "Node") != 0) continue;
        NZ_AUTO_FREE char *name = NULL;
        NZ_TRY(nz_format(&name, "%.*s", (int)length, text));
        NZ_TRY(layer_of(&last, layers, raw, raw_capacity, graph, name, args));
        events[count++] = (event){last, json_number_value(json_object_get(e, "dur")) * 1e-3};
    }
    set_medians(layers, events, count);
    return NZ_OK;
}

nz_status nz_ort_profile_read(nz_ort_layers *ret_layers, const char *path, const nz_graph *graph) {
    NZ_AUTO(nz_ort_layers_done) nz_ort_layers layers = {0};
    NZ_AUTO_JSON json_t *trace = NULL;
    json_error_t error;
    trace = json_load_file(path, 0, &error);
    if (!json_is_array(trace))
        return nz_fail(NZ_E_FORMAT, "%s: is no profile of ONNX Runtime: %s", path,
                       trace ? "no array of events" : error.text);
    char **raw = NULL;
    size_t capacity = 0;
    nz_status status = read_events(&layers, &raw, &capacity, trace, graph);
    for (size_t i = 0; i < layers.count; i++) free(raw[i]);
    free(raw);
    NZ_TRY(status);
    *ret_layers = layers;
    layers = (nz_ort_layers){0};
    return NZ_OK;
}
