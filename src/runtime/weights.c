/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory a plan holds for weights: what the graph stores, what the plan and its kernels have copied. */
#include "core/error.h"
#include "graph/build.h"
#include "runtime/plan.h"

/* The bytes of one constant. Values may share them, wholly or in part. */
typedef struct span {
    const char *begin, *end;
    bool mapped;
} span;

static int by_place(const void *a, const void *b) {
    const span *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

nz_status nz_plan_weights(const nz_plan *plan, nz_weight_bytes *ret_bytes) {
    const nz_graph *graph = plan->graph;
    nz_weight_bytes sum = {.packed = plan->constant_bytes};
    NZ_AUTO_FREE span *spans = NULL;
    size_t count = 0;
    NZ_TRY(nz_alloc(&spans, graph->value_count, sizeof *spans));
    for (size_t v = 0; v < graph->value_count; v++) {
        const nz_tensor *constant = &graph->values[v].constant;
        if (!constant->data || !constant->bytes) continue;
        const char *begin = constant->data;
        spans[count++] =
            (span){begin, begin + constant->bytes, constant->owner && nz_buffer_is_mapped(constant->owner)};
    }
    if (count) qsort(spans, count, sizeof *spans, by_place);
    const char *counted = NULL; /* everything before it has been */
    for (size_t i = 0; i < count; i++) {
        const char *begin = spans[i].begin > counted ? spans[i].begin : counted;
        if (begin >= spans[i].end) continue;
        *(spans[i].mapped ? &sum.mapped : &sum.heap) += (size_t)(spans[i].end - begin);
        counted = spans[i].end;
    }
    for (size_t s = 0; s < plan->step_count; s++) sum.packed += plan->steps[s].weight_bytes;
    *ret_bytes = sum;
    return NZ_OK;
}
