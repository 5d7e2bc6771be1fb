/* SPDX-License-Identifier: Apache-2.0 */
/** RNN, GRU and LSTM. */
#include <string.h>

#include "kernel/ref.h"
#include "op/families.h"
#include "op/helper.h"

typedef struct recurrent {
    nz_ref_cell cell;
    int64_t directions, steps, batch, input, hidden;
    bool batch_first; /* layout 1 */
    bool reverse;     /* of the only direction */
} recurrent;

enum { X, W, R, B, LENGTHS, INITIAL_H, INITIAL_C, PEEPHOLE };

static nz_ref_cell cell_of(const nz_op_ctx *ctx) {
    return strcmp(ctx->node->op_type, "LSTM") == 0  ? NZ_CELL_LSTM
           : strcmp(ctx->node->op_type, "GRU") == 0 ? NZ_CELL_GRU
                                                    : NZ_CELL_RNN;
}

/* NZ_E_SHAPE unless input i, where it is there, has exactly these extents; -1 in either passes. */
static nz_status expect(const nz_op_ctx *ctx, size_t i, int rank, int64_t a, int64_t b, int64_t c) {
    const nz_tensor *t = nz_op_in(ctx, i);
    const nz_shape wanted = {rank, {a, b, c}};
    char tt[112], wt[112];
    if (!t) return NZ_OK;
    bool fits = t->shape.rank == rank;
    for (int d = 0; fits && d < rank; d++)
        fits = t->shape.dim[d] < 0 || wanted.dim[d] < 0 || t->shape.dim[d] == wanted.dim[d];
    if (!fits)
        return nz_op_fail(ctx, NZ_E_SHAPE, "input %zu is %s, %s is needed", i, nz_shape_text(&t->shape, tt),
                          nz_shape_text(&wanted, wt));
    return NZ_OK;
}

static nz_status read_recurrent(recurrent *ret, const nz_op_ctx *ctx) {
    const nz_shape *x = &ctx->in[X]->shape, *r_shape = &ctx->in[R]->shape;
    const char *direction = nz_attr_string(ctx->node, "direction", "forward");
    recurrent r = {.cell = cell_of(ctx), .directions = 1, .batch_first = nz_attr_int(ctx->node, "layout", 0) != 0};
    if (strcmp(direction, "bidirectional") == 0)
        r.directions = 2;
    else if (strcmp(direction, "reverse") == 0)
        r.reverse = true;
    else if (strcmp(direction, "forward") != 0)
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "direction '%s' is unknown", direction);
    if (x->rank != 3 || r_shape->rank != 3) return nz_op_fail(ctx, NZ_E_SHAPE, "X and R must have rank 3");
    r.steps = x->dim[r.batch_first ? 1 : 0], r.batch = x->dim[r.batch_first ? 0 : 1], r.input = x->dim[2],
    r.hidden = r_shape->dim[2];
    int64_t given = nz_attr_int(ctx->node, "hidden_size", r.hidden), n = r.hidden, gates = nz_ref_gates(r.cell);
    if (n < 1 || n > (1 << 24) || given != n)
        return nz_op_fail(ctx, NZ_E_SHAPE, "hidden_size %lld does not fit R", (long long)given);
    NZ_TRY(expect(ctx, W, 3, r.directions, gates * n, r.input));
    NZ_TRY(expect(ctx, R, 3, r.directions, gates * n, n));
    NZ_TRY(expect(ctx, B, 2, r.directions, 2 * gates * n, 0));
    NZ_TRY(expect(ctx, LENGTHS, 1, r.batch, 0, 0));
    for (size_t i = INITIAL_H; i <= INITIAL_C; i++)
        NZ_TRY(expect(ctx, i, 3, r.batch_first ? r.batch : r.directions, r.batch_first ? r.directions : r.batch, n));
    NZ_TRY(expect(ctx, PEEPHOLE, 2, r.directions, 3 * n, 0));
    *ret = r;
    return NZ_OK;
}

/* The activations of direction d: names in the attribute, parameters in lists that only some of them take from. */
static nz_status read_activations(nz_ref_activation activations[6], const nz_op_ctx *ctx, const recurrent *r) {
    static const char *const usual[3][3] = {
        [NZ_CELL_RNN] = {"Tanh"}, [NZ_CELL_GRU] = {"Sigmoid", "Tanh"}, [NZ_CELL_LSTM] = {"Sigmoid", "Tanh", "Tanh"}};
    size_t each = (size_t)r->cell + 1, count = each * (size_t)r->directions, alphas = 0, betas = 0;
    const nz_attr *names = nz_attr_get(ctx->node, "activations");
    const nz_attr *alpha = nz_attr_get(ctx->node, "activation_alpha"),
                  *beta = nz_attr_get(ctx->node, "activation_beta");
    if (names && (names->kind != NZ_ATTR_STRINGS || names->count != count))
        return nz_op_fail(ctx, NZ_E_SHAPE, "activations has %zu names, %zu are needed", names->count, count);
    for (size_t i = 0; i < count; i++) {
        static const char *const takes_alpha[] = {"Affine",     "LeakyRelu",   "ThresholdedRelu",
                                                  "ScaledTanh", "HardSigmoid", "Elu"};
        static const char *const takes_beta[] = {"Affine", "ScaledTanh", "HardSigmoid"};
        const char *name = names ? names->u.strings[i] : usual[r->cell][i % each];
        if (!nz_ref_activation_find(&activations[i], name))
            return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "activation '%s' is unknown", name);
        for (size_t k = 0; k < NZ_COUNT(takes_alpha); k++)
            if (strcmp(name, takes_alpha[k]) == 0 && alpha && alpha->kind == NZ_ATTR_FLOATS && alphas < alpha->count)
                activations[i].alpha = alpha->u.floats[alphas++];
        for (size_t k = 0; k < NZ_COUNT(takes_beta); k++)
            if (strcmp(name, takes_beta[k]) == 0 && beta && beta->kind == NZ_ATTR_FLOATS && betas < beta->count)
                activations[i].beta = beta->u.floats[betas++];
    }
    return NZ_OK;
}

static nz_status infer_recurrent(const nz_op_ctx *ctx) {
    recurrent r;
    nz_ref_activation activations[6];
    nz_ref_cell cell = cell_of(ctx);
    NZ_TRY(nz_op_check(ctx, 3, cell == NZ_CELL_LSTM ? 8 : 6, cell == NZ_CELL_LSTM ? 3 : 2));
    for (size_t i = 1; i < ctx->in_count; i++)
        if (i != LENGTHS) NZ_TRY(nz_op_same_type(ctx, 0, i));
    if (nz_op_in(ctx, LENGTHS) && ctx->in[LENGTHS]->dtype != NZ_I32)
        return nz_op_fail(ctx, NZ_E_SHAPE, "sequence_lens must be int32");
    NZ_TRY(read_recurrent(&r, ctx));
    NZ_TRY(read_activations(activations, ctx, &r));
    nz_shape y = {4, {r.steps, r.directions, r.batch, r.hidden}}, state = {3, {r.directions, r.batch, r.hidden}};
    if (r.batch_first) {
        y = (nz_shape){4, {r.batch, r.steps, r.directions, r.hidden}};
        state = (nz_shape){3, {r.batch, r.directions, r.hidden}};
    }
    nz_op_set_out(ctx, 0, ctx->in[X]->dtype, &y);
    nz_op_set_out(ctx, 1, ctx->in[X]->dtype, &state);
    nz_op_set_out(ctx, 2, ctx->in[X]->dtype, &state);
    return NZ_OK;
}

/* The gates' products alone, as metrics.md has it: 2 x MACs, + 1 per gate output with a bias. */
static nz_status count_recurrent(const nz_op_ctx *ctx, nz_op_cost *cost) {
    recurrent r;
    NZ_TRY(read_recurrent(&r, ctx));
    int64_t outputs = 0;
    if (r.steps < 0 || r.batch < 0 || __builtin_mul_overflow(r.steps, r.batch, &outputs) ||
        __builtin_mul_overflow(outputs, r.directions * nz_ref_gates(r.cell) * r.hidden, &outputs))
        return nz_op_fail(ctx, NZ_E_SHAPE, "the input's shape is not known or too large");
    NZ_TRY(nz_op_add_macs(ctx, cost, outputs, r.input + r.hidden));
    return nz_op_in(ctx, B) ? nz_op_add_ops(ctx, cost, outputs, 1) : NZ_OK;
}

/* [a, b, n] to [b, a, n]. */
static void swap_axes(const float *from, float *to, int64_t a, int64_t b, int64_t n) {
    for (int64_t i = 0; i < a; i++)
        for (int64_t j = 0; j < b; j++) memcpy(to + (j * a + i) * n, from + (i * b + j) * n, (size_t)n * sizeof *to);
}

/* A state input or output, in either layout. */
static float *state_at(const recurrent *r, void *data, int64_t direction, int64_t sample) {
    int64_t row = r->batch_first ? sample * r->directions + direction : direction * r->batch + sample;
    return (float *)data + row * r->hidden;
}

static nz_status run_direction(const nz_op_ctx *ctx, const recurrent *r, const nz_ref_activation *a, const float *x,
                               int64_t d) {
    int64_t n = r->hidden, gates = nz_ref_gates(r->cell), width = gates * n;
    float *state[2];
    int32_t *lengths = NULL;
    for (size_t i = 0; i < 2; i++) {
        const nz_tensor *initial = nz_op_in(ctx, INITIAL_H + i);
        NZ_TRY(nz_arena_alloc(ctx->scratch, &state[i], (size_t)(r->batch * n), sizeof(float)));
        for (int64_t b = 0; initial && b < r->batch; b++)
            memcpy(state[i] + b * n, state_at(r, initial->data, d, b), (size_t)n * sizeof(float));
    }
    if (nz_op_in(ctx, LENGTHS)) {
        NZ_TRY(nz_arena_alloc(ctx->scratch, &lengths, (size_t)r->batch, sizeof *lengths));
        for (int64_t b = 0; b < r->batch; b++) {
            int64_t length = nz_tensor_int(ctx->in[LENGTHS], b);
            lengths[b] = (int32_t)(length < 0 ? 0 : length > r->steps ? r->steps : length);
        }
    }
    const float *bias = nz_op_in(ctx, B) ? ctx->in[B]->data : NULL,
                *peephole = nz_op_in(ctx, PEEPHOLE) ? ctx->in[PEEPHOLE]->data : NULL;
    nz_ref_recurrent layer = {.cell = r->cell,
                              .steps = r->steps,
                              .batch = r->batch,
                              .input = r->input,
                              .hidden = n,
                              .reverse = r->reverse || d == 1,
                              .linear_before_reset = nz_attr_int(ctx->node, "linear_before_reset", 0) != 0,
                              .input_forget = nz_attr_int(ctx->node, "input_forget", 0) != 0,
                              .clip = nz_attr_float(ctx->node, "clip", 0),
                              .f = a[0],
                              .g = r->cell >= NZ_CELL_GRU ? a[1] : a[0],
                              .h = r->cell == NZ_CELL_LSTM ? a[2] : a[0],
                              .w = (const float *)ctx->in[W]->data + d * width * r->input,
                              .r = (const float *)ctx->in[R]->data + d * width * n,
                              .bias = bias ? bias + d * 2 * width : NULL,
                              .peephole = peephole ? peephole + d * 3 * n : NULL,
                              .lengths = lengths};
    float *y = nz_op_has_out(ctx, 0) ? (float *)ctx->out[0].data + d * n * (r->batch_first ? 1 : r->batch) : NULL;
    int64_t step = r->batch_first ? r->directions * n : r->directions * r->batch * n,
            sample = r->batch_first ? r->steps * r->directions * n : n;
    NZ_TRY(nz_ref_recurrent_run(&layer, ctx->scratch, x, state[0], state[1], y, step, sample));
    for (size_t i = 0; i < 2; i++)
        for (int64_t b = 0; nz_op_has_out(ctx, 1 + i) && b < r->batch; b++)
            memcpy(state_at(r, ctx->out[1 + i].data, d, b), state[i] + b * n, (size_t)n * sizeof(float));
    return NZ_OK;
}

static nz_status run_recurrent(const nz_op_ctx *ctx) {
    if (ctx->in[X]->dtype != NZ_F32) return nz_op_run_widened(ctx, run_recurrent);
    recurrent r;
    nz_ref_activation activations[6];
    const float *x = ctx->in[X]->data;
    NZ_TRY(read_recurrent(&r, ctx));
    NZ_TRY(read_activations(activations, ctx, &r));
    if (r.batch_first) {
        float *swapped;
        NZ_TRY(nz_arena_alloc(ctx->scratch, &swapped, (size_t)(r.steps * r.batch * r.input), sizeof *swapped));
        swap_axes(x, swapped, r.batch, r.steps, r.input);
        x = swapped;
    }
    for (int64_t d = 0; d < r.directions; d++)
        NZ_TRY(run_direction(ctx, &r, activations + d * ((int64_t)r.cell + 1), x, d));
    return NZ_OK;
}

/* Version 1 could leave the whole sequence's output out by an attribute; now by leaving the output out. */
static nz_status lift_recurrent(nz_graph *graph, int node) {
    nz_node_remove_attr(&graph->nodes[node], "output_sequence");
    return NZ_OK;
}

static int since_recurrent(const nz_graph *graph, const nz_node *node) {
    (void)graph;
    return nz_attr_get(node, "layout") ? 14 : 13;
}

#define TYPES_RECURRENT (NZ_TYPE_BIT(NZ_F32) | NZ_TYPE_BIT(NZ_F16) | NZ_TYPE_BIT(NZ_BF16))
#define SHARED_ATTRIBUTES                                                                                              \
    "activation_alpha", "activation_beta", "activations", "clip", "direction", "hidden_size", "layout"
#define ENTRY(op_name, op_versions, op_attributes)                                                                     \
    {                                                                                                                  \
        .name = op_name, .versions = op_versions, .canonical_since = 14, .flags = NZ_OP_HAS_MACS,                      \
        .attributes = op_attributes, .types = TYPES_RECURRENT, .lift = lift_recurrent, .infer = infer_recurrent,       \
        .count = count_recurrent, .run = run_recurrent, .since = since_recurrent                                       \
    }

const nz_op nz_ops_recurrent[] = {
    ENTRY("RNN", NZ_VERSIONS(1, 7, 14, 22), NZ_ATTRIBUTES(SHARED_ATTRIBUTES)),
    ENTRY("GRU", NZ_VERSIONS(1, 3, 7, 14, 22), NZ_ATTRIBUTES(SHARED_ATTRIBUTES, "linear_before_reset")),
    ENTRY("LSTM", NZ_VERSIONS(1, 7, 14, 22), NZ_ATTRIBUTES(SHARED_ATTRIBUTES, "input_forget")),
    {.name = NULL},
};
