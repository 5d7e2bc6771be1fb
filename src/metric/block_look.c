/* SPDX-License-Identifier: Apache-2.0 */
/* When measuring may stop. */
#include <math.h>

#include "core/error.h"
#include "core/memory.h"
#include "netzip/blocks.h"

/* Share of the allowed error that is left to an interval; the rest pays for choosing the moment by the width that was seen. */
static const double look_share = 0.5;
/* The next look: somewhat beyond where the width will do if it falls with the root of the rounds, within these factors. */
static const double margin = 1.05, least_growth = 1.25, most_growth = 2;

nz_look_options nz_look_options_default(void) {
    return (nz_look_options){.blocks = nz_block_options_default(), .width = 0.01, .least_rounds = 20};
}

static double relative_width(const nz_block_interval *interval) {
    return (interval->ends[1] - interval->ends[0]) / interval->value;
}

nz_status nz_blocks_look(nz_look *ret_look, nz_block_interval *ret_values, nz_block_interval *ret_ratios,
                         const nz_blocks *blocks, const nz_look_options *options) {
    NZ_AUTO_FREE nz_block_interval *found = NULL;
    nz_look look = {0};
    nz_block_options at = options->blocks;
    size_t models = blocks->model_count, rounds = blocks->round_count;
    at.confidence = 1 - (1 - at.confidence) * look_share;
    if (!(options->width > 0)) return nz_fail(NZ_E_ARG, "blocks: a width of %g is not above 0", options->width);
    if (options->baseline >= models)
        return nz_fail(NZ_E_ARG, "blocks: baseline %zu of %zu models", options->baseline, models);
    NZ_TRY(nz_alloc(&found, models, 2 * sizeof *found));
    for (size_t m = 0; m < models; m++) {
        nz_block_interval *value = &found[m], *ratio = &found[models + m];
        NZ_TRY(nz_blocks_value(value, NULL, blocks, m, &at));
        look.widest = fmax(look.widest, relative_width(value));
        *ratio = (nz_block_interval){.value = 1, .ends = {1, 1}, .length = 1, .stretch = 1};
        if (m == options->baseline) continue;
        NZ_TRY(nz_blocks_ratio(ratio, NULL, blocks, options->baseline, m, &at));
        look.widest = fmax(look.widest, relative_width(ratio));
    }
    double missing = look.widest / options->width, n = (double)rounds;
    look.confidence = at.confidence;
    look.enough = rounds >= options->least_rounds && missing <= 1;
    double next = fmin(fmax(n * missing * missing * margin, n * least_growth), n * most_growth);
    look.next_rounds = (size_t)fmax(ceil(next), (double)options->least_rounds);
    for (size_t m = 0; m < models; m++) {
        ret_values[m] = found[m];
        ret_ratios[m] = found[models + m];
    }
    *ret_look = look;
    return NZ_OK;
}
