/* SPDX-License-Identifier: Apache-2.0 */
#include "import/match.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/text.h"

enum { WITNESSES = 6, PREFIXES_MAX = 32 };

/* The checkpoint's tensors by name. */
typedef struct names {
    const nz_checkpoint *checkpoint;
    size_t *order;
} names;

static int compare_names(const void *a, const void *b, void *checkpoint) {
    const nz_checkpoint_entry *entries = ((const nz_checkpoint *)checkpoint)->entries;
    size_t i = *(const size_t *)a, k = *(const size_t *)b;
    int order = strcmp(entries[i].name, entries[k].name);
    return order ? order : (i > k) - (i < k);
}

static nz_status sort_names(names *by_name, const nz_checkpoint *checkpoint) {
    NZ_TRY(nz_alloc(&by_name->order, checkpoint->count, sizeof *by_name->order));
    by_name->checkpoint = checkpoint;
    for (size_t i = 0; i < checkpoint->count; i++) by_name->order[i] = i;
    qsort_r(by_name->order, checkpoint->count, sizeof *by_name->order, compare_names, (void *)(uintptr_t)checkpoint);
    return NZ_OK;
}

static void names_done(names *by_name) { free(by_name->order); }

/* "prefix" + "name" against a whole name, as strcmp orders them. */
static int compare_joined(const char *prefix, const char *name, const char *whole) {
    size_t length = strlen(prefix);
    int order = strncmp(prefix, whole, length);
    return order ? order : strcmp(name, whole + length);
}

static int64_t find(const names *by_name, const char *prefix, const char *name) {
    size_t low = 0, high = by_name->checkpoint->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2, i = by_name->order[middle];
        int order = compare_joined(prefix, name, by_name->checkpoint->entries[i].name);
        if (!order) return (int64_t)i;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

static size_t count_found(const names *by_name, const nz_graph *graph, const nz_match *match, const char *prefix) {
    size_t found = 0;
    for (size_t i = 0; i < match->count; i++)
        found += find(by_name, prefix, graph->values[match->rows[i].value].name) >= 0;
    return found;
}

/* A prefix that finds less than half of the parameters, or of the tensors where those are fewer, is a chance likeness. */
static bool finds_most(size_t found, const nz_match *match, const nz_checkpoint *checkpoint) {
    size_t least = match->count < checkpoint->count ? match->count : checkpoint->count;
    return found >= least - least / 2;
}

/* Candidates are what stands in front of the first and last parameters' names; the one under which most parameters are found is
 * taken, none at all where that is as good. */
static nz_status choose_prefix(nz_match *match, const names *by_name, const nz_graph *graph) {
    char *tried[PREFIXES_MAX] = {0};
    size_t count = 0, most = count_found(by_name, graph, match, ""), best = 0;
    nz_status status = nz_strdup(&tried[count++], "");
    for (size_t p = 0; p < match->count; p++) {
        if (p >= WITNESSES && p + WITNESSES < match->count) continue;
        const char *name = graph->values[match->rows[p].value].name;
        size_t length = strlen(name);
        for (size_t i = 0; i < by_name->checkpoint->count && count < PREFIXES_MAX && status == NZ_OK; i++) {
            const char *whole = by_name->checkpoint->entries[i].name;
            size_t all = strlen(whole), head = all - length, k = 0;
            if (all <= length || strcmp(whole + head, name) != 0 || whole[head - 1] != '.') continue;
            while (k < count && (strncmp(tried[k], whole, head) != 0 || tried[k][head])) k++;
            if (k < count) continue;
            status = nz_format(&tried[count], "%.*s", (int)head, whole);
            if (status != NZ_OK) break;
            size_t found = count_found(by_name, graph, match, tried[count++]);
            if (found > most && finds_most(found, match, by_name->checkpoint)) {
                most = found;
                best = count - 1;
            }
        }
    }
    if (status == NZ_OK) match->prefix = NZ_STEAL(tried[best]);
    for (size_t i = 0; i < count; i++) free(tried[i]);
    return status;
}

void nz_match_done(nz_match *match) {
    free(match->prefix);
    free(match->rows);
    free(match->used);
    *match = (nz_match){0};
}

nz_status nz_match_make(nz_match *ret_match, const nz_graph *graph, const nz_checkpoint *checkpoint) {
    NZ_AUTO(nz_match_done) nz_match match = {0};
    NZ_AUTO(names_done) names by_name = {0};
    NZ_TRY(sort_names(&by_name, checkpoint));
    NZ_TRY(nz_alloc(&match.used, checkpoint->count, 1));
    for (size_t v = 0; v < graph->value_count; v++) {
        const nz_value *value = &graph->values[v];
        if (!nz_value_is_constant(graph, (int)v) || value->dtype != NZ_F32 || value->shape.rank < 1) continue;
        if (strchr(value->name, ':')) continue; /* the architecture's own: no state dictionary has it */
        NZ_TRY(nz_grow(&match.rows, &match.capacity, match.count + 1, sizeof *match.rows));
        match.rows[match.count++] = (nz_match_row){.value = (int)v, .from = -1};
    }
    NZ_TRY(choose_prefix(&match, &by_name, graph));
    for (size_t i = 0; i < match.count; i++) {
        nz_match_row *row = &match.rows[i];
        const nz_value *value = &graph->values[row->value];
        row->from = find(&by_name, match.prefix, value->name);
        if (row->from < 0) continue;
        const nz_tensor *tensor = &checkpoint->entries[row->from].tensor;
        match.used[row->from] = 1;
        row->fits = nz_shape_equal(&tensor->shape, &value->shape) && nz_dtype_get(tensor->dtype)->is_float;
        match.loaded += row->fits;
    }
    *ret_match = match;
    match = (nz_match){0};
    return NZ_OK;
}

int nz_match_head(const nz_graph *graph) {
    for (size_t n = graph->node_count; n-- > 0;) {
        const nz_node *node = &graph->nodes[n];
        bool layer = strcmp(node->op_type, "Gemm") == 0 || strcmp(node->op_type, "Conv") == 0;
        if (layer && node->input_count > 1 && nz_value_is_constant(graph, node->inputs[1])) return node->inputs[1];
    }
    return -1;
}

int64_t nz_match_outputs(const nz_match *match, const nz_graph *graph, const nz_checkpoint *checkpoint) {
    int head = nz_match_head(graph);
    for (size_t i = 0; i < match->count; i++) {
        if (match->rows[i].value != head || match->rows[i].from < 0) continue;
        const nz_shape *own = &graph->values[head].shape;
        nz_shape other = checkpoint->entries[match->rows[i].from].tensor.shape;
        if (own->rank < 1 || other.rank < 1 || other.dim[0] < 1) return 0;
        int64_t outputs = other.dim[0];
        other.dim[0] = own->dim[0];
        return nz_shape_equal(own, &other) ? outputs : 0;
    }
    return 0;
}
