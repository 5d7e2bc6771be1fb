/* SPDX-License-Identifier: Apache-2.0 */
#include "train/head.h"

#include <string.h>

#include "core/error.h"
#include "core/text.h"
#include "train/plan.h"

enum { BOX_CHANNELS = 5 };

void nz_head_places_done(nz_head_places *places) {
    for (size_t i = 0; i < places->count; i++) free(places->names[i]);
    *places = (nz_head_places){0};
}

/* ---- finding ---- */

static int only_reader(const nz_graph *graph, int value) {
    int reader = -1;
    return nz_graph_is_output(graph, value) || nz_graph_consumers(graph, value, &reader) != 1 ? -1 : reader;
}

/* What a convolution's output becomes by the quantisers that alone read it. */
static int behind_quantizers(const nz_graph *graph, int value) {
    for (;;) {
        int q = only_reader(graph, value);
        if (q < 0 || !nz_lower_is(&graph->nodes[q], "QuantizeLinear") || graph->nodes[q].inputs[0] != value)
            return value;
        int dq = only_reader(graph, graph->nodes[q].outputs[0]);
        if (dq < 0 || !nz_lower_is(&graph->nodes[dq], "DequantizeLinear")) return value;
        value = graph->nodes[dq].outputs[0];
    }
}

/* Marks what the outputs follow from; convolutions are where that ends. Nodes stand in order. */
static void mark(const nz_graph *graph, bool *wanted, bool *ends) {
    for (size_t i = 0; i < graph->output_count; i++) wanted[graph->outputs[i]] = true;
    for (size_t n = graph->node_count; n-- > 0;) {
        const nz_node *node = &graph->nodes[n];
        bool any = false;
        for (size_t o = 0; o < node->output_count; o++) any |= node->outputs[o] >= 0 && wanted[node->outputs[o]];
        ends[n] = any && nz_lower_is(node, "Conv");
        for (size_t i = 0; any && !ends[n] && i < node->input_count; i++)
            if (node->inputs[i] >= 0) wanted[node->inputs[i]] = true;
    }
}

nz_status nz_head_find(nz_head_places *ret_places, const nz_graph *graph) {
    NZ_AUTO(nz_head_places_done) nz_head_places places = {0};
    NZ_AUTO_FREE bool *wanted = NULL;
    NZ_TRY(nz_alloc(&wanted, graph->value_count + graph->node_count, sizeof *wanted));
    bool *ends = wanted + graph->value_count;
    mark(graph, wanted, ends);
    for (size_t n = 0; n < graph->node_count; n++) {
        if (!ends[n]) continue;
        if (places.count == NZ_LEVELS_MOST)
            return nz_fail(NZ_E_UNSUPPORTED,
                           "training: the model's outputs follow from more than %d convolutions; a YOLOv5 head has one "
                           "for each level",
                           (int)NZ_LEVELS_MOST);
        int value = behind_quantizers(graph, graph->nodes[n].outputs[0]);
        NZ_TRY(nz_strdup(&places.names[places.count], graph->values[value].name));
        places.count++;
    }
    if (!places.count)
        return nz_fail(NZ_E_UNSUPPORTED, "training: no convolution stands before the model's outputs: this is no "
                                         "detector's head");
    *ret_places = places;
    places = (nz_head_places){0};
    return NZ_OK;
}

/* ---- order ---- */

static int64_t positions(const nz_shape *shape) { return shape->rank == 4 ? shape->dim[2] * shape->dim[3] : -1; }

static nz_status fail_shapes(const nz_shape *shapes, size_t count, const char *why) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    char shape[112];
    for (size_t i = 0; i < count; i++) nz_text_appendf(&text, "%s%s", i ? ", " : "", nz_shape_text(&shapes[i], shape));
    NZ_TRY(text.status);
    return nz_fail(NZ_E_UNSUPPORTED, "training: the convolutions before the model's outputs give %s; %s", text.data,
                   why);
}

nz_status nz_head_order(size_t *ret_order, size_t *ret_classes, const nz_shape *shapes, size_t count,
                        const nz_levels *levels, int64_t height, int64_t width) {
    size_t order[NZ_LEVELS_MOST];
    if (count != levels->count)
        return fail_shapes(shapes, count,
                           "a YOLOv5 head has one for each stride (metadata netzip.detect: strides=, anchors=)");
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0 && positions(&shapes[order[at - 1]]) < positions(&shapes[i]); at--) order[at] = order[at - 1];
        order[at] = i;
    }
    int64_t channels = shapes[0].rank == 4 ? shapes[0].dim[1] : 0, anchors = (int64_t)levels->anchors;
    if (anchors < 1 || channels % anchors || channels / anchors <= BOX_CHANNELS)
        return fail_shapes(shapes, count, "a YOLOv5 head has anchors x (5 + classes) channels");
    for (size_t i = 0; i < count; i++) {
        const nz_shape *s = &shapes[order[i]];
        if (s->rank != 4 || s->dim[1] != channels || s->dim[2] * levels->stride[i] != height ||
            s->dim[3] * levels->stride[i] != width)
            return fail_shapes(shapes, count,
                               "they should be of the same channels, and the input's extents divided by the strides "
                               "(metadata netzip.detect: strides=)");
    }
    memcpy(ret_order, order, count * sizeof *order);
    *ret_classes = (size_t)(channels / anchors - BOX_CHANNELS);
    return NZ_OK;
}
