/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/facts_json.h"

#include <stdio.h>

#include "core/error.h"

typedef enum kind { COUNT, REAL, FLAG, SMALL } kind;

/* One row per field, so that what is written is what is read. */
typedef struct field {
    const char *name;
    kind kind;
    size_t offset;
} field;

#define GRAPH(name, kind)                                                                                              \
    { #name, kind, offsetof(nz_graph_facts, name) }
#define LAYER(name, kind)                                                                                              \
    { #name, kind, offsetof(nz_layer_facts, name) }

static const field graph_fields[] = {
    GRAPH(macs, COUNT),
    GRAPH(ops, COUNT),
    GRAPH(flops, COUNT),
    GRAPH(conversions, COUNT),
    GRAPH(params, COUNT),
    GRAPH(params_nonzero, COUNT),
    GRAPH(macs_effective, COUNT),
    GRAPH(chats, REAL),
    GRAPH(chats_macs, REAL),
    GRAPH(chats_stored, REAL),
    GRAPH(chats_macs_stored, REAL),
    GRAPH(bops, REAL),
    GRAPH(weights, COUNT),
    GRAPH(weights_zero, COUNT),
    GRAPH(ops_known, FLAG),
    GRAPH(macs_known, FLAG),
};
static const field layer_fields[] = {
    LAYER(macs, COUNT),           LAYER(ops, COUNT),
    LAYER(macs_effective, COUNT), LAYER(params, COUNT),
    LAYER(bits, SMALL),           LAYER(bits_stored, SMALL),
    LAYER(weight_bits, SMALL),    LAYER(activation_bits, SMALL),
    LAYER(ops_known, FLAG),       LAYER(params_nonzero, COUNT),
};

static int write_fields(json_t *json, const void *from, const field *fields, size_t count) {
    int failed = 0;
    for (size_t i = 0; i < count; i++) {
        const char *at = (const char *)from + fields[i].offset;
        json_t *value = NULL;
        switch (fields[i].kind) {
        case COUNT: value = json_integer((json_int_t) * (const uint64_t *)at); break;
        case REAL: value = nz_json_real(*(const double *)at); break;
        case FLAG: value = json_boolean(*(const bool *)at); break;
        case SMALL: value = json_integer(*(const int *)at); break;
        }
        failed |= json_object_set_new(json, fields[i].name, value);
    }
    return failed;
}

static void read_fields(void *to, const json_t *json, const field *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char *at = (char *)to + fields[i].offset;
        const json_t *value = json_object_get(json, fields[i].name);
        switch (fields[i].kind) {
        case COUNT: *(uint64_t *)at = (uint64_t)json_integer_value(value); break;
        case REAL: *(double *)at = json_number_value(value); break;
        case FLAG: *(bool *)at = json_is_true(value); break;
        case SMALL: *(int *)at = (int)json_integer_value(value); break;
        }
    }
}

json_t *nz_facts_to_json(const nz_graph_facts *facts) {
    NZ_AUTO_JSON json_t *json = json_object();
    json_t *layers = json_array();
    int failed = json_object_set_new(json, "layers", layers);
    failed |= write_fields(json, facts, graph_fields, NZ_COUNT(graph_fields));
    failed |= json_object_set_new(json, "ops_reason", nz_json_string(facts->ops_reason));
    failed |= json_object_set_new(json, "macs_reason", nz_json_string(facts->macs_reason));
    for (size_t i = 0; i < facts->layer_count; i++) {
        json_t *layer = json_object();
        failed |= json_array_append_new(layers, layer);
        failed |= json_object_set_new(layer, "name", nz_json_string(facts->layers[i].name));
        failed |= json_object_set_new(layer, "op", nz_json_string(facts->layers[i].op));
        failed |= write_fields(layer, &facts->layers[i], layer_fields, NZ_COUNT(layer_fields));
    }
    return failed ? NULL : NZ_STEAL(json);
}

nz_status nz_facts_from_json(nz_graph_facts *ret_facts, const json_t *json) {
    nz_graph_facts facts = {0};
    const json_t *layers = json_object_get(json, "layers");
    read_fields(&facts, json, graph_fields, NZ_COUNT(graph_fields));
    snprintf(facts.ops_reason, sizeof facts.ops_reason, "%.191s", nz_json_text_at(json, "ops_reason"));
    snprintf(facts.macs_reason, sizeof facts.macs_reason, "%.191s", nz_json_text_at(json, "macs_reason"));
    NZ_TRY(nz_alloc(&facts.layers, json_array_size(layers), sizeof *facts.layers));
    for (; facts.layer_count < json_array_size(layers); facts.layer_count++) {
        nz_layer_facts *layer = &facts.layers[facts.layer_count];
        const json_t *item = json_array_get(layers, facts.layer_count);
        read_fields(layer, item, layer_fields, NZ_COUNT(layer_fields));
        layer->name = nz_json_text_at(item, "name");
        layer->op = nz_json_text_at(item, "op");
    }
    *ret_facts = facts;
    return NZ_OK;
}
