/* SPDX-License-Identifier: Apache-2.0 */
/** Under which conditions the figures of a model were taken, and the marks that bad ones leave. */
#ifndef NZ_COMPARE_CONDITIONS_JSON_H
#define NZ_COMPARE_CONDITIONS_JSON_H

#include "core/json.h"

/**
 * "conditions" of a model: {"marks": [ids], "texts": [sentences], "harm" (what the worst mark takes: "certainty", "figures",
 * "ratios"; absent without marks), "governor", "rounds", "wanted_pct", "width_pct", ...}.
 * @param timing   raw part; NULL: the model was not timed, and the object holds no more than empty lists
 * @param batch    raw part of a session at the variant's own batch, or NULL
 * @param machine  of results' machines[]: {"hardware": {"governor", ...}, ...}, or NULL
 * A new reference; NULL only when memory is short.
 */
json_t *nz_conditions_json(const json_t *timing, const json_t *batch, const json_t *machine, bool random_input);

/** Sentence `i` of the table of marks and its id; false past the end. What reports explain marks with. Static. */
bool nz_condition_mark(size_t i, const char **ret_id, const char **ret_meaning);

/** "marks" of the run: [{"id", "text", "harm", "models": [ids]}], each mark that a model of `models` has; `warnings` (array of strings)
 * gets a line for each. A new reference; NULL only when memory is short. */
json_t *nz_conditions_run_json(const json_t *models, json_t *warnings);

#endif
