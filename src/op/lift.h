/* SPDX-License-Identifier: Apache-2.0 */
/** Steps that several operators take from an old spelling to the canonical one. */
#ifndef NZ_OP_LIFT_H
#define NZ_OP_LIFT_H

#include "op/op.h"

/** Opset 1 marked inputs that may be overwritten: forgotten. */
nz_status nz_lift_plain(nz_graph *graph, int node);
/** Opsets 1 and 6 of arithmetic and comparison: `broadcast` and `axis` become a reshaped second input. */
nz_status nz_lift_broadcast(nz_graph *graph, int node);

/** Moves a list of integers from an attribute to a constant int64 input at `position`; nothing where it is absent. */
NZ_CHECKED nz_status nz_lift_ints(nz_graph *graph, int node, const char *attribute, size_t position);
/** Makes a number a constant scalar input of input 0's type (f32 where that is not known yet) at `position`. */
NZ_CHECKED nz_status nz_lift_number(nz_graph *graph, int node, const char *name, double value, size_t position);
/** Adds a constant list of int64. */
NZ_CHECKED nz_status nz_lift_add_ints(nz_graph *graph, int *ret_value, const char *name, const int64_t *values,
                                      size_t count);
/** Makes `value` the input at `position`, filling up with left out ones. */
NZ_CHECKED nz_status nz_lift_set_input(nz_graph *graph, int node, size_t position, int value);
/** Inserts `op_type` between input `position` and the node: out = op(in, extra); extra may be NZ_NO_VALUE. Returns the new
 * node's index through ret_index (may be NULL). The pointer to any node is stale afterwards. */
NZ_CHECKED nz_status nz_lift_insert(nz_graph *graph, int *ret_index, int node, size_t position, const char *op_type,
                                    int extra);

/** Softmax, LogSoftmax and Hardmax before opset 13 took everything from `axis` (default 1) on as one row. Over the last axis
 * alone that is the same; otherwise the node becomes Flatten(axis), the operator over axis 1, and Reshape to the old shape. */
nz_status nz_lift_coerced(nz_graph *graph, int node);

#endif
