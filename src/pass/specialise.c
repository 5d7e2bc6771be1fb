/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/error.h"
#include "graph/names.h"
#include "netzip/pass.h"
#include "pass/fold.h"

static const nz_binding *find_binding(const char *input, const nz_binding *bindings, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(bindings[i].input, input) == 0) return &bindings[i];
    return NULL;
}

static nz_status check_bindings(const nz_graph *graph, const nz_binding *bindings, size_t count) {
    for (size_t b = 0; b < count; b++) {
        bool found = false;
        for (size_t i = 0; i < graph->input_count; i++)
            found |= strcmp(graph->values[graph->inputs[i]].name, bindings[b].input) == 0;
        if (!found) return nz_fail(NZ_E_ARG, "the model has no input named '%s'", bindings[b].input);
    }
    return NZ_OK;
}

/* The declared shape with what the binding says of its unknown extents. */
static nz_status bind_shape(nz_value *v, const nz_shape *bound) {
    char declared[112], given[112];
    bool fits = v->shape.rank < 0 || v->shape.rank == bound->rank;
    for (int d = 0; fits && v->shape.rank >= 0 && d < bound->rank; d++)
        fits = v->shape.dim[d] < 0 || v->shape.dim[d] == bound->dim[d];
    if (!fits)
        return nz_fail(NZ_E_SHAPE, "input %s has shape %s and cannot take %s", v->name,
                       nz_shape_text(&v->shape, declared), nz_shape_text(bound, given));
    if (nz_shape_elements(bound) < 0)
        return nz_fail(NZ_E_SHAPE, "input %s: shape %s is not concrete", v->name, nz_shape_text(bound, given));
    v->shape = *bound;
    return NZ_OK;
}

/* The extents that inputs have under a name, found by name. */
typedef struct extents {
    nz_names names;
    struct extent {
        const char *name;
        int64_t value;
    } * list;
    size_t count, capacity;
} extents;

static const char *extent_name(const void *holder, int index) { return ((const extents *)holder)->list[index].name; }

static void extents_done(extents *e) {
    nz_names_done(&e->names);
    free(e->list);
}

static nz_status learn(extents *e, const nz_value *value) {
    for (int d = 0; d < value->shape.rank; d++) {
        const char *name = value->dim_names[d];
        if (!name || value->shape.dim[d] < 0 || nz_names_find(&e->names, e, name) >= 0) continue;
        NZ_TRY(nz_grow(&e->list, &e->capacity, e->count + 1, sizeof *e->list));
        e->list[e->count] = (struct extent){.name = name, .value = value->shape.dim[d]};
        NZ_TRY(nz_names_set(&e->names, e, name, (int)e->count++));
    }
    return NZ_OK;
}

/* Symbolic extents of one name are one extent: what is known of one is known of all. */
static nz_status unify_names(nz_graph *graph) {
    NZ_AUTO(extents_done) extents e = {.names = {.get = extent_name}};
    for (size_t i = 0; i < graph->input_count; i++) NZ_TRY(learn(&e, &graph->values[graph->inputs[i]]));
    for (size_t i = 0; i < graph->input_count; i++) {
        nz_value *value = &graph->values[graph->inputs[i]];
        for (int d = 0; d < value->shape.rank; d++) {
            if (value->shape.dim[d] >= 0 || !value->dim_names[d]) continue;
            int known = nz_names_find(&e.names, &e, value->dim_names[d]);
            if (known >= 0) value->shape.dim[d] = e.list[known].value;
        }
    }
    return NZ_OK;
}

static nz_status bind_inputs(nz_graph *graph, const nz_binding *bindings, size_t count) {
    for (size_t i = 0; i < graph->input_count; i++) {
        nz_value *v = &graph->values[graph->inputs[i]];
        const nz_binding *binding = find_binding(v->name, bindings, count);
        if (!binding) continue;
        if (binding->value && v->dtype && binding->value->dtype != v->dtype)
            return nz_fail(NZ_E_SHAPE, "input %s is %s, not %s", v->name, nz_dtype_get(v->dtype)->name,
                           nz_dtype_get(binding->value->dtype)->name);
        NZ_TRY(bind_shape(v, binding->value ? &binding->value->shape : &binding->shape));
    }
    return NZ_OK;
}

static nz_status check_input(const nz_value *v) {
    char text[112];
    if (v->type.count) return nz_fail(NZ_E_UNSUPPORTED, "input %s is no tensor", v->name);
    if (!nz_dtype_get(v->dtype)->bits)
        return nz_fail(NZ_E_UNSUPPORTED, "input %s has type %s, which is not supported", v->name,
                       nz_dtype_get(v->dtype)->name);
    if (nz_shape_known(&v->shape) && nz_shape_elements(&v->shape) < 0)
        return nz_fail(NZ_E_SHAPE, "input %s has shape %s, which no memory holds", v->name,
                       nz_shape_text(&v->shape, text));
    if (nz_shape_elements(&v->shape) < 0)
        return nz_fail(NZ_E_SHAPE, "input %s has shape %s: give its extents (--input %s=...)", v->name,
                       nz_shape_text(&v->shape, text), v->name);
    return NZ_OK;
}

/* Every input's shape from the bindings, else by names, else the batch; bound values become constants. */
static nz_status fix_inputs(nz_graph *graph, int64_t batch, const nz_binding *bindings, size_t count) {
    NZ_TRY(bind_inputs(graph, bindings, count));
    NZ_TRY(unify_names(graph));
    for (size_t i = 0; i < graph->input_count; i++) {
        nz_value *v = &graph->values[graph->inputs[i]];
        if (v->shape.rank > 0 && v->shape.dim[0] < 0) v->shape.dim[0] = batch;
    }
    NZ_TRY(unify_names(graph));
    size_t kept = 0;
    for (size_t i = 0; i < graph->input_count; i++) {
        int value = graph->inputs[i];
        const nz_binding *binding = find_binding(graph->values[value].name, bindings, count);
        if (binding && binding->value)
            NZ_TRY(nz_graph_set_constant(graph, value, binding->value));
        else
            NZ_TRY(check_input(&graph->values[graph->inputs[kept++] = value]));
    }
    graph->input_count = kept;
    return NZ_OK;
}

nz_status nz_pass_specialise(nz_graph **ret_graph, const nz_graph *graph, int64_t batch, const nz_binding *bindings,
                             size_t binding_count, bool tolerant) {
    NZ_AUTO_GRAPH nz_graph *copy = NULL;
    NZ_TRY(check_bindings(graph, bindings, binding_count));
    NZ_TRY(nz_graph_clone(&copy, graph));
    NZ_TRY(fix_inputs(copy, batch < 1 ? 1 : batch, bindings, binding_count));
    NZ_TRY(nz_fold_in_place(copy, tolerant ? NZ_FOLD_TOLERANT : NZ_FOLD_STRICT));
    *ret_graph = NZ_STEAL(copy);
    return NZ_OK;
}
