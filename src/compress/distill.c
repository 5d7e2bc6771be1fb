/* SPDX-License-Identifier: Apache-2.0 */
#include "compress/distill.h"

#include <stdlib.h>
#include <string.h>

#include "compress/pattern.h"
#include "compress/qdq.h"
#include "core/error.h"
#include "core/text.h"
#include "train/head.h"

/* ---- where layers are compared ---- */

void nz_distill_places_done(nz_distill_places *places) {
    for (size_t i = 0; i < places->count; i++) free(places->names[i]);
    free(places->names);
    *places = (nz_distill_places){0};
}

static bool joins_computed(const nz_graph *graph, const nz_node *node) {
    if (strcmp(node->op_type, "Add") != 0 || node->input_count != 2) return false;
    for (size_t i = 0; i < 2; i++)
        if (nz_value_is_constant(graph, node->inputs[i]) || graph->values[node->inputs[i]].producer < 0) return false;
    return true;
}

/* What the value becomes by the normalisation and the activation that alone read it. */
static int settled_value(const nz_graph *graph, int value) {
    static const char *const passed[] = {"BatchNormalization", "Relu", "Clip", "LeakyRelu"};
    for (int reader = -1; !nz_graph_is_output(graph, value) && nz_graph_consumers(graph, value, &reader) == 1;) {
        const nz_node *node = &graph->nodes[reader];
        bool passes = false;
        for (size_t i = 0; i < NZ_COUNT(passed); i++) passes |= strcmp(node->op_type, passed[i]) == 0;
        if (!passes || node->inputs[0] != value) break;
        value = node->outputs[0];
    }
    return value;
}

typedef enum choice { BY_PATTERN, BLOCKS, LAYERS } choice;

static bool is_chosen(const nz_graph *graph, const nz_node *node, choice how, const char *patterns) {
    if (node->output_count < 1 || node->outputs[0] < 0) return false;
    if (how == BY_PATTERN) return nz_node_matches(node, patterns);
    return how == BLOCKS ? joins_computed(graph, node) : nz_qdq_is_layer(node);
}

static nz_status collect(nz_distill_places *places, const nz_graph *graph, choice how, const char *patterns) {
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_node *node = &graph->nodes[n];
        if (!is_chosen(graph, node, how, patterns)) continue;
        int value = settled_value(graph, node->outputs[0]);
        if (nz_graph_is_output(graph, value) || nz_value_is_constant(graph, value)) continue;
        bool known = false;
        for (size_t i = 0; i < places->count; i++) known |= strcmp(places->names[i], graph->values[value].name) == 0;
        if (known) continue;
        NZ_TRY(nz_strdup(&places->names[places->count], graph->values[value].name));
        places->count++;
    }
    return NZ_OK;
}

nz_status nz_distill_places_find(nz_distill_places *ret_places, const nz_graph *graph, const char *patterns) {
    NZ_AUTO(nz_distill_places_done) nz_distill_places places = {0};
    NZ_TRY(nz_alloc(&places.names, graph->node_count, sizeof *places.names));
    bool given = patterns && *patterns;
    NZ_TRY(collect(&places, graph, given ? BY_PATTERN : BLOCKS, patterns));
    if (places.count == 0 && !given) NZ_TRY(collect(&places, graph, LAYERS, NULL));
    if (places.count == 0)
        return nz_fail(NZ_E_ARG, "distill=layers: no node inside the model fits '%s'", given ? patterns : "a layer");
    *ret_places = places;
    places = (nz_distill_places){0};
    return NZ_OK;
}

/* ---- the teacher ---- */

struct nz_distiller {
    nz_engine *teacher;
    const nz_finetune_options *options;
    size_t tap_count, head_count; /* of the teacher: layers, then a detector's raw outputs */
    size_t largest;               /* elements of the largest of them */
    float *mine, *wanted, *gradient;
};

void nz_distiller_free(nz_distiller *d) {
    if (!d) return;
    nz_engine_free(d->teacher);
    free(d->mine);
    free(d->wanted);
    free(d->gradient);
    free(d);
}

static void distiller_free_ptr(nz_distiller **d) { nz_distiller_free(*d); }

static nz_status check_taps(nz_distiller *d, nz_engine *student) {
    char a[112], b[112];
    for (size_t i = 0; i < d->tap_count + d->head_count; i++) {
        const nz_shape *wanted = nz_engine_tap_shape(d->teacher, i);
        const nz_shape *mine = i < d->tap_count ? nz_engine_tap_shape(student, i) : wanted;
        if (!nz_shape_equal(wanted, mine))
            return nz_fail(NZ_E_SHAPE, "distillation: a layer of the teacher gives %s, of the student %s",
                           nz_shape_text(wanted, a), nz_shape_text(mine, b));
        size_t elements = (size_t)nz_shape_elements(wanted);
        if (elements > d->largest) d->largest = elements;
    }
    NZ_TRY(nz_alloc_aligned(&d->mine, d->largest, sizeof *d->mine));
    NZ_TRY(nz_alloc_aligned(&d->wanted, d->largest, sizeof *d->wanted));
    return nz_alloc_aligned(&d->gradient, d->largest, sizeof *d->gradient);
}

nz_status nz_distiller_open(nz_distiller **ret_distiller, const nz_graph *graph, const nz_distill_places *places,
                            bool detects, const nz_finetune_options *options, nz_engine *student, int threads) {
    NZ_AUTO(distiller_free_ptr) nz_distiller *d = NULL;
    NZ_AUTO(nz_head_places_done) nz_head_places heads = {0};
    NZ_AUTO_FREE const char **taps = NULL;
    NZ_TRY(nz_alloc(&d, 1, sizeof *d));
    d->options = options;
    d->tap_count = places ? places->count : 0;
    if (detects) NZ_TRY(nz_head_find(&heads, graph));
    d->head_count = heads.count;
    NZ_TRY(nz_alloc(&taps, d->tap_count + d->head_count, sizeof *taps));
    for (size_t i = 0; i < d->tap_count; i++) taps[i] = places->names[i];
    for (size_t i = 0; i < d->head_count; i++) taps[d->tap_count + i] = heads.names[i];
    const nz_shape *in = nz_engine_input_shape(student);
    nz_engine_options engine = {.batch = in->dim[0],
                                .threads = threads,
                                .forward_only = true,
                                .taps = taps,
                                .tap_count = d->tap_count + d->head_count,
                                .taps_alone = detects};
    for (int i = 0; in->rank == 4 && i < 3; i++) engine.chw[i] = in->dim[i + 1];
    nz_status status = nz_engine_open(&d->teacher, graph, &engine);
    if (status != NZ_OK) return nz_fail_context(status, "the teacher");
    /* The loss of mse keeps the student's Softmax, and its probabilities are no logits. */
    if (!detects && options->distill == NZ_DISTILL_LOGITS && options->train.loss == NZ_LOSS_MSE &&
        nz_engine_is_logits(d->teacher))
        return nz_fail(NZ_E_ARG, "distill=logits does not go with loss=mse on a model that ends in Softmax; give "
                                 "loss=cross-entropy or distill=layers");
    NZ_TRY(check_taps(d, student));
    *ret_distiller = NZ_STEAL(d);
    return NZ_OK;
}

/* Adds the difference from the teacher's tap `i`, one of `count`, to the loss and to the gradient by `mine`. A layer that says
 * nothing adds nothing. */
static double add_difference(nz_distiller *d, size_t i, size_t count, double scale, const float *mine,
                             float *gradient) {
    size_t n = (size_t)nz_shape_elements(nz_engine_tap_shape(d->teacher, i));
    nz_engine_tap(d->teacher, i, d->wanted);
    double power = nz_train_square_sum(d->wanted, n) / (double)n;
    if (!(power > 0)) return 0;
    return nz_loss_mse(mine, d->wanted, n, scale * d->options->distill_weight / ((double)count * power), gradient);
}

static nz_status add_layer(nz_distiller *d, const nz_train_state *state, size_t i, double *loss) {
    size_t n = (size_t)nz_shape_elements(nz_engine_tap_shape(d->teacher, i));
    nz_engine_tap(state->engine, i, d->mine);
    memset(d->gradient, 0, n * sizeof *d->gradient);
    *loss += add_difference(d, i, d->tap_count, state->loss_scale, d->mine, d->gradient);
    return nz_engine_tap_gradient(state->engine, i, d->gradient);
}

/* Levels differ in resolution, so that their shapes tell which is which. */
static nz_status add_heads(nz_distiller *d, const nz_train_state *state, double *loss) {
    for (size_t o = 0; o < state->output_count; o++) {
        const nz_train_output *output = &state->outputs[o];
        size_t i = d->tap_count, end = d->tap_count + d->head_count;
        while (i < end && !nz_shape_equal(nz_engine_tap_shape(d->teacher, i), &output->shape)) i++;
        if (i == end) return nz_fail(NZ_E_SHAPE, "distillation: the teacher's head has no level like output %zu", o);
        *loss += add_difference(d, i, state->output_count, state->loss_scale, output->value, output->gradient);
    }
    return NZ_OK;
}

nz_status nz_distiller_add(nz_distiller *d, const nz_train_state *state, double *loss, float *doutput) {
    NZ_TRY(nz_engine_forward(d->teacher, state->x, false, 0));
    if (d->head_count && d->options->distill == NZ_DISTILL_LOGITS) {
        NZ_TRY(add_heads(d, state, loss));
    } else if (d->options->distill == NZ_DISTILL_LOGITS) {
        const nz_shape *out = nz_engine_output_shape(state->engine);
        size_t rows = (size_t)out->dim[0], classes = (size_t)(nz_shape_elements(out) / out->dim[0]);
        *loss += nz_loss_kl(nz_engine_output(state->engine), nz_engine_output(d->teacher), rows, classes,
                            d->options->distill_temperature, d->options->distill_weight, doutput);
    }
    for (size_t i = 0; i < d->tap_count; i++) NZ_TRY(add_layer(d, state, i, loss));
    return NZ_OK;
}
