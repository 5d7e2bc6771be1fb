/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NZ_OP_EINSUM_H
#define NZ_OP_EINSUM_H

#include "op/lift.h"

/** Rewrites an Einsum that is one (batched) product of matrices as Transpose and MatMul; leaves every other as it is. */
nz_status nz_lift_einsum(nz_graph *graph, int node);

#endif
