/* SPDX-License-Identifier: Apache-2.0 */
/* An estimate of energy for machines without a sensor: joules per operation by type and per byte moved. */
#include <math.h>

#include "core/memory.h"
#include "netzip/measure.h"
#include "netzip/metric.h"

/*
 * Picojoules of one multiplication and one addition of a width, and of one byte from memory and from a large cache.
 * The figures are for a 45 nm process at 0.9 V: today's chips need less, but in similar proportion, which is what a
 * comparison of models needs.
 *
 * @source M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, figure 1.1.9:
 *         integer add 8 bit 0.03, 32 bit 0.1; integer multiply 8 bit 0.2, 32 bit 3.1; float add 16 bit 0.4, 32 bit 0.9;
 *         float multiply 16 bit 1.1, 32 bit 3.7; cache of 1 MB 100 per 64 bits; DRAM 1.3 to 2.6 nJ per 64 bits (the
 *         middle is taken).
 */
static const struct {
    int bits; /* up to this width */
    double multiply_pj, add_pj;
} arithmetic[] = {
    {8, 0.2, 0.1}, /* products of 8 bits are summed up in 32 */
    {16, 1.1, 0.4},
    {32, 3.7, 0.9},
    {1 << 30, 7.4, 1.8},
};
static const double dram_pj_per_byte = 1950.0 / 8, cache_pj_per_byte = 100.0 / 8;

const char *nz_energy_estimate_source(void) {
    return "Horowitz, ISSCC 2014 (45 nm): pJ per multiply + add 0.3 (8 bit), 1.5 (16), 4.6 (32); per byte 243.8 for "
           "weights "
           "(DRAM), 12.5 for activations (1 MB cache)";
}

/* Every node's output is written once and read once. */
static double activation_bytes(const nz_graph *graph) {
    double bytes = 0;
    for (size_t v = 0; v < graph->value_count; v++) {
        const nz_value *value = &graph->values[v];
        int64_t elements = nz_shape_elements(&value->shape);
        if (value->constant.data || value->producer < 0 || elements < 0) continue;
        bytes += (double)elements * nz_dtype_get(value->dtype)->bits / 8.0;
    }
    return 2 * bytes;
}

double nz_energy_estimate_j(const nz_graph_facts *facts) {
    if (!facts->ops_known) return NAN;
    double pj = 0;
    for (size_t i = 0; i < facts->layer_count; i++) {
        const nz_layer_facts *layer = &facts->layers[i];
        size_t row = 0;
        while (row + 1 < NZ_COUNT(arithmetic) && layer->bits > arithmetic[row].bits) row++;
        double macs = (double)layer->macs, others = (double)layer->ops - 2 * macs;
        pj += macs * (arithmetic[row].multiply_pj + arithmetic[row].add_pj);
        pj += (others > 0 ? others : 0) * arithmetic[row].add_pj;
        pj += (double)layer->params * layer->bits_stored / 8 * dram_pj_per_byte;
    }
    if (facts->counted) pj += activation_bytes(facts->counted) * cache_pj_per_byte;
    return pj * 1e-12;
}
