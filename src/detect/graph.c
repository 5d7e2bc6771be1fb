/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a model is a detector, without running it. */
#include "core/memory.h"
#include "detect/detector.h"
#include "netzip/pass.h"

/* Extents that an open input is tried with: the usual input of detectors, a multiple of every usual stride. */
enum { TRIED_SIDE = 640, TRIED_CHANNELS = 3 };

static void free_graph(nz_graph **graph) { nz_graph_free(*graph); }

static bool has_unknown(const nz_graph *graph) {
    for (size_t i = 0; i < graph->output_count; i++) {
        const nz_shape *s = &graph->values[graph->outputs[i]].shape;
        for (int k = 1; k < s->rank; k++)
            if (s->dim[k] < 0) return true;
        if (s->rank < 0) return true;
    }
    return false;
}

static nz_shape with_batch(const nz_shape *shape) {
    nz_shape known = *shape;
    if (known.rank > 0 && known.dim[0] < 0) known.dim[0] = 1;
    return known;
}

/* The outputs of a graph whose shapes are known but for the batch. */
static bool detects(const nz_graph *graph, const nz_detect_options *options, const nz_shape *input, nz_head *ret_head) {
    NZ_AUTO_FREE nz_tensor *outputs = NULL;
    nz_detector *detector = NULL;
    if (!graph->output_count || nz_alloc(&outputs, graph->output_count, sizeof *outputs) != NZ_OK) return false;
    for (size_t i = 0; i < graph->output_count; i++) {
        const nz_value *value = &graph->values[graph->outputs[i]];
        nz_shape shape = with_batch(&value->shape);
        outputs[i] = nz_tensor_borrow(value->dtype, &shape, NULL);
    }
    bool nhwc = nz_shape_is_nhwc(input);
    if (nz_detector_open(&detector, options, input, nhwc, outputs, graph->output_count, 0) != NZ_OK) return false;
    if (ret_head) *ret_head = nz_head_of_kind(detector->head);
    nz_detector_free(detector);
    return true;
}

bool nz_graph_detects(const nz_graph *graph, const nz_detect_options *options, nz_head *ret_head) {
    NZ_AUTO(free_graph) nz_graph *specialised = NULL;
    NZ_AUTO(nz_detect_options_done) nz_detect_options own = {0};
    if (graph->input_count != 1) return false;
    const nz_value *value = &graph->values[graph->inputs[0]];
    nz_shape input = with_batch(&value->shape);
    if (input.rank != 4) return false;
    if (!options && nz_detect_options_read(&own, NULL, graph) != NZ_OK) return false;
    bool open = !nz_shape_known(&input), nhwc = nz_shape_is_nhwc(&input);
    for (int k = 1; k < 4; k++)
        if (input.dim[k] < 0) input.dim[k] = k == (nhwc ? 3 : 1) ? TRIED_CHANNELS : TRIED_SIDE;
    if (open || has_unknown(graph)) {
        nz_binding binding = {.input = value->name, .shape = input};
        if (nz_pass_specialise(&specialised, graph, 1, &binding, open ? 1 : 0, true) != NZ_OK) return false;
        graph = specialised;
    }
    return detects(graph, options ? options : &own, &input, ret_head);
}
