/* SPDX-License-Identifier: Apache-2.0 */
#include "compress/outputs.h"

#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/memory.h"
#include "detect/detector.h"

enum { SCORES, BOXES };

typedef struct quantity {
    double signal, noise;
} quantity;

struct nz_meter {
    size_t output_count, quantity_count;
    size_t *elements; /* [outputs] of one sample */
    quantity *quantities;
    nz_detector *detector; /* NULL: every output is a quantity */
};

void nz_meter_free(nz_meter *meter) {
    if (!meter) return;
    nz_detector_free(meter->detector);
    free(meter->elements);
    free(meter->quantities);
    free(meter);
}

/* A model that is no detector has none: that is no failure. */
static nz_status find_head(nz_meter *meter, const nz_graph *graph, const nz_tap *tap) {
    NZ_AUTO(nz_detect_options_done) nz_detect_options options = {0};
    NZ_AUTO_FREE nz_tensor *outputs = NULL;
    const nz_shape *in = nz_tap_input_shape(tap);
    if (in->rank != 4 || nz_detect_options_read(&options, NULL, graph) != NZ_OK) return NZ_OK;
    NZ_TRY(nz_alloc(&outputs, meter->output_count, sizeof *outputs));
    for (size_t i = 0; i < meter->output_count; i++)
        outputs[i] = (nz_tensor){.dtype = NZ_F32, .shape = *nz_tap_shape(tap, i)};
    nz_status status =
        nz_detector_open(&meter->detector, &options, in, nz_shape_is_nhwc(in), outputs, meter->output_count, 0);
    return status == NZ_E_MEMORY ? status : NZ_OK;
}

nz_status nz_meter_open(nz_meter **ret_meter, const nz_graph *graph, const nz_tap *tap) {
    NZ_AUTO(nz_meter_free_ptr) nz_meter *meter = NULL;
    NZ_TRY(nz_alloc(&meter, 1, sizeof *meter));
    meter->output_count = nz_tap_count(tap);
    NZ_TRY(nz_alloc(&meter->elements, meter->output_count, sizeof *meter->elements));
    for (size_t i = 0; i < meter->output_count; i++) nz_tap_values(tap, i, &meter->elements[i]);
    NZ_TRY(find_head(meter, graph, tap));
    meter->quantity_count = meter->detector ? 2 : meter->output_count;
    NZ_TRY(nz_alloc(&meter->quantities, meter->quantity_count, sizeof *meter->quantities));
    *ret_meter = NZ_STEAL(meter);
    return NZ_OK;
}

void nz_meter_reset(nz_meter *meter) {
    for (size_t i = 0; i < meter->quantity_count; i++) meter->quantities[i] = (quantity){0};
}

/* ---- detectors ---- */

typedef struct scorer {
    const nz_head_kind *head;
    size_t step, classes, first;
} scorer;

static float plain(const scorer *s, float v) { return s->head->logits ? nz_sigmoid(v) : v; }
static float objectness(const scorer *s, const float *v) { return s->head->objectness ? plain(s, v[4 * s->step]) : 1; }

/* A rounded box may be anything: beyond its own size it is lost, and no more than that. */
static double box_noise(const float a[4], const float b[4]) {
    double centre_x = (double)(b[0] - a[0]) + (double)(b[2] - a[2]) / 2;
    double centre_y = (double)(b[1] - a[1]) + (double)(b[3] - a[3]) / 2;
    double w = (double)a[2], h = (double)a[3], dw = (double)(b[2] - a[2]), dh = (double)(b[3] - a[3]);
    double noise = (centre_x * centre_x + dw * dw) / (w * w) + (centre_y * centre_y + dh * dh) / (h * h);
    return noise < 1 ? noise : 1;
}

/* Rows that both take for nothing add nothing that matters. */
static void add_row(nz_meter *m, const scorer *s, const nz_head_block *block, size_t row, const float *exact,
                    const float *changed) {
    const float nothing = 1e-3f, *a = exact + row * block->row_step, *b = changed + row * block->row_step;
    float sure_a = objectness(s, a), sure_b = objectness(s, b), best = 0, box_a[4], box_b[4];
    quantity *scores = &m->quantities[SCORES], *boxes = &m->quantities[BOXES];
    if (!(sure_a > nothing) && !(sure_b > nothing)) return;
    for (size_t c = 0; c < s->classes; c++) {
        size_t at = (s->first + c) * s->step;
        float score_a = sure_a * plain(s, a[at]), score_b = sure_b * plain(s, b[at]);
        double off = (double)score_a - (double)score_b;
        scores->signal += (double)score_a * (double)score_a;
        scores->noise += off * off;
        if (score_a > best) best = score_a;
    }
    if (!(best > nothing)) return;
    s->head->box(box_a, block, row, a, s->step);
    s->head->box(box_b, block, row, b, s->step);
    if (!(box_a[2] > 0) || !(box_a[3] > 0)) return;
    boxes->signal += (double)best;
    boxes->noise += (double)best * box_noise(box_a, box_b);
}

static void add_detector(nz_meter *m, const float *const *exact, const float *const *changed) {
    const nz_head_fit *fit = &m->detector->fit;
    for (size_t k = 0; k < fit->block_count; k++) {
        const nz_head_block *block = &fit->blocks[k];
        const scorer s = {.head = m->detector->head,
                          .step = block->value_step,
                          .classes = fit->classes,
                          .first = m->detector->head->objectness ? 5 : 4};
        const float *a = exact[block->output] + block->offset, *b = changed[block->output] + block->offset;
        for (size_t row = 0; row < block->rows; row++) add_row(m, &s, block, row, a, b);
    }
}

/* ---- all ---- */

void nz_meter_add(nz_meter *meter, const float *const *exact, const float *const *changed) {
    if (meter->detector) {
        add_detector(meter, exact, changed);
        return;
    }
    for (size_t i = 0; i < meter->output_count; i++)
        for (size_t k = 0; k < meter->elements[i]; k++) {
            double a = (double)exact[i][k], off = a - (double)changed[i][k];
            meter->quantities[i].signal += a * a;
            meter->quantities[i].noise += off * off;
        }
}

/* Where the exact output is nothing but zeros, any other is as wrong as it can be; a detector that finds nothing on these
 * samples says nothing about boxes. */
static double relative(const quantity *q, bool detector) {
    if (q->signal > 0 || isnan(q->noise)) return q->noise / q->signal;
    return q->noise > 0 && !detector ? 1 : 0;
}

double nz_meter_noise(const nz_meter *meter) {
    double noise = 0;
    for (size_t i = 0; i < meter->quantity_count; i++)
        noise += relative(&meter->quantities[i], meter->detector != NULL);
    return noise < NZ_NOISE_MOST ? noise : NZ_NOISE_MOST; /* NaN too */
}
