/* SPDX-License-Identifier: Apache-2.0 */
/** Facts of a graph on their way from a worker to its parent. */
#ifndef NZ_COMPARE_FACTS_JSON_H
#define NZ_COMPARE_FACTS_JSON_H

#include "core/json.h"
#include "netzip/metric.h"

/** A new reference; NULL only when memory is short. */
json_t *nz_facts_to_json(const nz_graph_facts *facts);
/** Names are borrowed from `json`, which must outlive the facts; `counted` stays NULL. Release with nz_graph_facts_done. */
NZ_CHECKED nz_status nz_facts_from_json(nz_graph_facts *ret_facts, const json_t *json);

#endif
