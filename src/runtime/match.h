/* SPDX-License-Identifier: Apache-2.0 */
/** The matchers of match.c, one per family of operators, for the table in group.c. */
#ifndef NZ_RUNTIME_MATCH_H
#define NZ_RUNTIME_MATCH_H

#include "runtime/planner.h"

/** Turns the reference group of `node` into one with a kernel, taking along what can be fused; leaves it where there is none. */
typedef nz_status nz_match_function(nz_planner *planner, nz_group *group, const nz_node *node);
nz_match_function nz_match_conv, nz_match_linear, nz_match_pool, nz_match_act, nz_match_binary, nz_match_softmax,
    nz_match_nearest, nz_match_concat, nz_match_pad, nz_match_view, nz_match_convert;

#endif
