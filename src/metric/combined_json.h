/* SPDX-License-Identifier: Apache-2.0 */
/** The combined measures of models as they stand in a results document: read back, and ranked. */
#ifndef NZ_METRIC_COMBINED_JSON_H
#define NZ_METRIC_COMBINED_JSON_H

#include "core/json.h"
#include "netzip/blocks.h"
#include "netzip/metric.h"

/** A value object of `metrics`; unavailable with its reason where the document says so. */
nz_value_report nz_value_from_json(const json_t *metric);

/** What the ratios of a model are made of. */
typedef struct nz_combining {
    nz_combine_options options; /**< strings are borrowed from the document */
    nz_value_report original[4], compressed[4];
    bool is_baseline;
} nz_combining;
/** From `ratios`, `ocs` and `metrics` of a model and `metrics` of its baseline. */
void nz_combining_get(nz_combining *ret, const json_t *model, const json_t *baseline);
void nz_combining_combine(nz_combined *ret, const nz_combining *combining);

/** The model with this id; NULL: there is none. Borrowed. */
json_t *nz_model_by_id(const json_t *models, const char *id);

/**
 * "ocs_rank": who wins by OCS in each group of models that share a baseline, and how far each weight may move before another
 * one does: [{"group", "winner", "runner_up", "told_apart", "lambda": [4 x {"term", "known", "low", "high", "low_rival",
 * "high_rival"}], "without", "text"}]. Where no model has an OCS, those compete whose `partial` leaves out the same terms. Groups of
 * one contestant are left out. `told_apart` is null where an interval is missing.
 *
 * @param[out] ret_rank  A new reference, [] where nobody competes. @return NZ_E_MEMORY
 */
NZ_CHECKED nz_status nz_ocs_rank_json(json_t **ret_rank, const json_t *models);

#endif
