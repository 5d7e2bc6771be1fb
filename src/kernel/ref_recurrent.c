/* SPDX-License-Identifier: Apache-2.0 */
/* RNN, GRU and LSTM: the input's products for all steps at once, then the steps one after the other. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "core/error.h"
#include "kernel/ref.h"

/* -- activations ------------------------------------------------------------------------------------------------ */

#define ACTIVATION(name, expression)                                                                                   \
    static void name(float *values, int64_t count, float alpha, float beta) {                                          \
        (void)alpha, (void)beta;                                                                                       \
        for (int64_t i = 0; i < count; i++) {                                                                          \
            float x = values[i];                                                                                       \
            values[i] = (expression);                                                                                  \
        }                                                                                                              \
    }

ACTIVATION(apply_relu, x > 0 ? x : 0)
ACTIVATION(apply_tanh, tanhf(x))
ACTIVATION(apply_sigmoid, 1 / (1 + expf(-x)))
ACTIVATION(apply_affine, alpha *x + beta)
ACTIVATION(apply_leaky, x >= 0 ? x : alpha * x)
ACTIVATION(apply_threshold, x > alpha ? x : 0)
ACTIVATION(apply_scaled_tanh, alpha *tanhf(beta *x))
ACTIVATION(apply_hard_sigmoid, fminf(fmaxf(alpha *x + beta, 0), 1))
ACTIVATION(apply_elu, x >= 0 ? x : alpha * expm1f(x))
ACTIVATION(apply_softsign, x / (1 + fabsf(x)))
ACTIVATION(apply_softplus, x > 20 ? x : log1pf(expf(x)))

static const struct {
    const char *name;
    nz_ref_activation activation;
} activations[] = {
    {"Relu", {apply_relu, 0, 0}},
    {"Tanh", {apply_tanh, 0, 0}},
    {"Sigmoid", {apply_sigmoid, 0, 0}},
    {"Affine", {apply_affine, 1, 0}},
    {"LeakyRelu", {apply_leaky, 0.01F, 0}},
    {"ThresholdedRelu", {apply_threshold, 1, 0}},
    {"ScaledTanh", {apply_scaled_tanh, 1, 1}},
    {"HardSigmoid", {apply_hard_sigmoid, 0.2F, 0.5F}},
    {"Elu", {apply_elu, 1, 0}},
    {"Softsign", {apply_softsign, 0, 0}},
    {"Softplus", {apply_softplus, 0, 0}},
};

bool nz_ref_activation_find(nz_ref_activation *ret_activation, const char *name) {
    for (size_t i = 0; i < NZ_COUNT(activations); i++)
        if (strcasecmp(name, activations[i].name) == 0) {
            *ret_activation = activations[i].activation;
            return true;
        }
    return false;
}

/* -- cells ------------------------------------------------------------------------------------------------------ */

/* What one step works on: rows of `gates * hidden` numbers. */
typedef struct step {
    const nz_ref_recurrent *layer;
    float *sums;    /* [batch, gates * hidden]: x's products with both biases, then h's products added */
    float *product; /* [batch, gates * hidden]: h's products alone */
    float *kept;    /* [batch, hidden] */
} step;

static void activate(const nz_ref_recurrent *layer, const nz_ref_activation *with, float *values) {
    if (layer->clip > 0)
        for (int64_t i = 0; i < layer->hidden; i++) values[i] = fminf(fmaxf(values[i], -layer->clip), layer->clip);
    with->apply(values, layer->hidden, with->alpha, with->beta);
}

/* product = h * r' for the gates [first, first + count); h is [batch, hidden]. */
static void multiply_state(const nz_ref_recurrent *layer, const float *h, int64_t first, int64_t count,
                           float *product) {
    nz_ref_matmul shape = {.m = layer->batch, .n = count * layer->hidden, .k = layer->hidden, .b_transposed = true};
    nz_ref_matmul_f32(&shape, h, layer->r + first * layer->hidden * layer->hidden, product);
}

/* Whether sample b still runs at step t; a sample that has ended keeps its state. */
static bool runs(const nz_ref_recurrent *layer, int64_t b, int64_t t) {
    return !layer->lengths || t < layer->lengths[b];
}

static void rnn_step(const step *s, int64_t t, float *h) {
    const nz_ref_recurrent *layer = s->layer;
    multiply_state(layer, h, 0, 1, s->product);
    for (int64_t b = 0; b < layer->batch; b++) {
        if (!runs(layer, b, t)) continue;
        float *state = h + b * layer->hidden;
        for (int64_t i = 0; i < layer->hidden; i++)
            state[i] = s->sums[b * layer->hidden + i] + s->product[b * layer->hidden + i];
        activate(layer, &layer->f, state);
    }
}

/* The candidate's recurrent part: (r . h) * Rh', or r . (h * Rh' + bias) where the reset comes after the product. */
static void gru_step(const step *s, int64_t t, float *h) {
    const nz_ref_recurrent *layer = s->layer;
    int64_t n = layer->hidden, width = 3 * n;
    const float *late_bias = layer->bias && layer->linear_before_reset ? layer->bias + width + 2 * n : NULL;
    multiply_state(layer, h, 0, 2, s->product);
    for (int64_t b = 0; b < layer->batch; b++) {
        float *z = s->sums + b * width, *r = z + n;
        for (int64_t i = 0; i < 2 * n; i++) z[i] += s->product[b * 2 * n + i];
        activate(layer, &layer->f, z);
        activate(layer, &layer->f, r);
        for (int64_t i = 0; i < n; i++)
            s->kept[b * n + i] = layer->linear_before_reset ? h[b * n + i] : r[i] * h[b * n + i];
    }
    multiply_state(layer, s->kept, 2, 1, s->product);
    for (int64_t b = 0; b < layer->batch; b++) {
        const float *z = s->sums + b * width, *r = z + n;
        float *candidate = s->sums + b * width + 2 * n, *state = h + b * n;
        for (int64_t i = 0; i < n; i++) {
            float part = s->product[b * n + i] + (late_bias ? late_bias[i] : 0);
            candidate[i] += layer->linear_before_reset ? r[i] * part : part;
        }
        activate(layer, &layer->g, candidate);
        for (int64_t i = 0; i < n && runs(layer, b, t); i++) state[i] = (1 - z[i]) * candidate[i] + z[i] * state[i];
    }
}

static void lstm_step(const step *s, int64_t t, float *h, float *c) {
    const nz_ref_recurrent *layer = s->layer;
    int64_t n = layer->hidden, width = 4 * n;
    const float *peephole = layer->peephole;
    multiply_state(layer, h, 0, 4, s->product);
    for (int64_t b = 0; b < layer->batch; b++) {
        if (!runs(layer, b, t)) continue;
        float *in = s->sums + b * width, *out = in + n, *forget = out + n, *candidate = forget + n;
        float *state = h + b * n, *cell = c + b * n;
        for (int64_t i = 0; i < width; i++) in[i] += s->product[b * width + i];
        for (int64_t i = 0; i < n && peephole; i++) {
            in[i] += peephole[i] * cell[i];
            forget[i] += peephole[2 * n + i] * cell[i];
        }
        activate(layer, &layer->f, in);
        if (layer->input_forget)
            for (int64_t i = 0; i < n; i++) forget[i] = 1 - in[i];
        else
            activate(layer, &layer->f, forget);
        activate(layer, &layer->g, candidate);
        for (int64_t i = 0; i < n; i++) cell[i] = forget[i] * cell[i] + in[i] * candidate[i];
        for (int64_t i = 0; i < n && peephole; i++) out[i] += peephole[n + i] * cell[i];
        activate(layer, &layer->f, out);
        memcpy(state, cell, (size_t)n * sizeof *state);
        layer->h.apply(state, n, layer->h.alpha, layer->h.beta);
        for (int64_t i = 0; i < n; i++) state[i] *= out[i];
    }
}

/* -- the layer -------------------------------------------------------------------------------------------------- */

int nz_ref_gates(nz_ref_cell cell) {
    static const int gates[] = {[NZ_CELL_RNN] = 1, [NZ_CELL_GRU] = 3, [NZ_CELL_LSTM] = 4};
    return gates[cell];
}

/* Both biases go to the input's products, but for the GRU's candidate where the reset comes after. */
static void add_bias(const nz_ref_recurrent *layer, int64_t width, float *products) {
    for (int64_t row = 0; row < layer->steps * layer->batch; row++)
        for (int64_t i = 0; i < width; i++) {
            bool late = layer->cell == NZ_CELL_GRU && layer->linear_before_reset && i >= 2 * layer->hidden;
            products[row * width + i] += layer->bias[i] + (late ? 0 : layer->bias[width + i]);
        }
}

nz_status nz_ref_recurrent_run(const nz_ref_recurrent *layer, nz_arena *scratch, const float *x, float *h, float *c,
                               float *y, int64_t y_step, int64_t y_sample) {
    int64_t n = layer->hidden, width = nz_ref_gates(layer->cell) * n;
    float *products;
    step s = {.layer = layer};
    NZ_TRY(nz_arena_alloc(scratch, &products, (size_t)(layer->steps * layer->batch * width), sizeof(float)));
    NZ_TRY(nz_arena_alloc(scratch, &s.sums, (size_t)(layer->batch * width), sizeof(float)));
    NZ_TRY(nz_arena_alloc(scratch, &s.product, (size_t)(layer->batch * width), sizeof(float)));
    NZ_TRY(nz_arena_alloc(scratch, &s.kept, (size_t)(layer->batch * n), sizeof(float)));
    nz_ref_matmul shape = {.m = layer->steps * layer->batch, .n = width, .k = layer->input, .b_transposed = true};
    nz_ref_matmul_f32(&shape, x, layer->w, products);
    if (layer->bias) add_bias(layer, width, products);
    for (int64_t t = 0; t < layer->steps; t++) {
        /* Step t of a sample that runs backwards reads its own length - 1 - t. */
        for (int64_t b = 0; b < layer->batch; b++) {
            int64_t length = layer->lengths ? layer->lengths[b] : layer->steps;
            int64_t from = layer->reverse && t < length ? length - 1 - t : t;
            memcpy(s.sums + b * width, products + (from * layer->batch + b) * width, (size_t)width * sizeof(float));
        }
        if (layer->cell == NZ_CELL_RNN)
            rnn_step(&s, t, h);
        else if (layer->cell == NZ_CELL_GRU)
            gru_step(&s, t, h);
        else
            lstm_step(&s, t, h, c);
        for (int64_t b = 0; y && b < layer->batch; b++) {
            int64_t length = layer->lengths ? layer->lengths[b] : layer->steps;
            float *to = y + (layer->reverse && t < length ? length - 1 - t : t) * y_step + b * y_sample;
            if (runs(layer, b, t))
                memcpy(to, h + b * n, (size_t)n * sizeof *to);
            else
                memset(to, 0, (size_t)n * sizeof *to);
        }
    }
    return NZ_OK;
}
