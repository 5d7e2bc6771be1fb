/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Building a graph: what readers and passes use before they hand it out. Every function keeps indices valid; a builder
 * that failed is simply freed. Strings are copied, tensors shared.
 */
#ifndef NZ_GRAPH_BUILD_H
#define NZ_GRAPH_BUILD_H

#include "core/memory.h"
#include "netzip/graph.h"

static inline void nz_graph_free_ptr(nz_graph **graph) { nz_graph_free(*graph); }
#define NZ_AUTO_GRAPH NZ_AUTO(nz_graph_free_ptr)
#define NZ_AUTO_TENSOR NZ_AUTO(nz_tensor_done)

NZ_CHECKED nz_status nz_graph_new(nz_graph **ret_graph);
/** A deep copy of structure and names; constants share their buffers. The start of most passes. */
NZ_CHECKED nz_status nz_graph_clone(nz_graph **ret_copy, const nz_graph *graph);

/** Appends a value; an empty or taken name is made unique by a suffix. Returns its index through ret_index (may be NULL). */
NZ_CHECKED nz_status nz_graph_add_value(nz_graph *graph, int *ret_index, const char *name, nz_dtype dtype,
                                        const nz_shape *shape);
/** Appends a constant that shares `tensor`'s buffer. */
NZ_CHECKED nz_status nz_graph_add_constant(nz_graph *graph, int *ret_index, const char *name, const nz_tensor *tensor);
/** Appends a node (its name made unique); outputs' producers are set. Call nz_graph_finish before handing the graph out. */
NZ_CHECKED nz_status nz_graph_add_node(nz_graph *graph, int *ret_index, const char *op_type, const char *name,
                                       const int *inputs, size_t input_count, const int *outputs, size_t output_count);
NZ_CHECKED nz_status nz_graph_add_input(nz_graph *graph, int value);
NZ_CHECKED nz_status nz_graph_add_output(nz_graph *graph, int value);
NZ_CHECKED nz_status nz_graph_set_meta(nz_graph *graph, const char *key, const char *value); /**< value NULL removes */

NZ_CHECKED nz_status nz_node_set_int(nz_node *node, const char *name, int64_t value);
NZ_CHECKED nz_status nz_node_set_float(nz_node *node, const char *name, float value);
NZ_CHECKED nz_status nz_node_set_string(nz_node *node, const char *name, const char *value);
NZ_CHECKED nz_status nz_node_set_ints(nz_node *node, const char *name, const int64_t *values, size_t count);
NZ_CHECKED nz_status nz_node_set_floats(nz_node *node, const char *name, const float *values, size_t count);
NZ_CHECKED nz_status nz_node_set_tensor(nz_node *node, const char *name, const nz_tensor *tensor);
/** Copies an attribute of another node under its own name. */
NZ_CHECKED nz_status nz_node_copy_attr(nz_node *node, const nz_attr *attr);
void nz_node_remove_attr(nz_node *node, const char *name);
NZ_CHECKED nz_status nz_node_set_inputs(nz_node *node, const int *inputs, size_t count);
NZ_CHECKED nz_status nz_node_set_op(nz_node *node, const char *op_type);

/** A copy of a node that belongs to no graph; for putting back what a change that failed has left. */
NZ_CHECKED nz_status nz_node_clone(nz_node *ret_copy, const nz_node *node);
void nz_node_replace(nz_node *node, nz_node *by); /**< takes the content of `by` over, which is left empty */
void nz_node_release(nz_node *node);

/** Replaces a value's constant (sharing `tensor`'s buffer), dtype and shape. */
NZ_CHECKED nz_status nz_graph_set_constant(nz_graph *graph, int value, const nz_tensor *tensor);
/** Every reader of `from` (nodes and graph outputs) reads `to` instead. A graph output keeps its name: where `from` is an
 * output, names are swapped so that the model's interface does not change; where that is impossible because `to` is a
 * graph input or output itself (or read by a subgraph), the graph output stays with `from`, whose node must then stay:
 * leave removing it to nz_graph_finish. */
void nz_graph_redirect(nz_graph *graph, int from, int to);
/** Marks a node for removal by nz_graph_finish (its op_type is freed and set to NULL). */
void nz_graph_drop_node(nz_graph *graph, int node);
/** Gives a value another name, which is made unique. */
NZ_CHECKED nz_status nz_graph_rename_value(nz_graph *graph, int value, const char *name);
/** Whether every node comes after those it reads from and none is dropped. */
bool nz_graph_in_order(const nz_graph *graph);
/** Exchanges the names of two values, and those of their symbolic extents. */
void nz_graph_swap_names(nz_graph *graph, int from, int to);
/** Sorts the nodes topologically (stable) and recomputes producers; removes nothing but dropped nodes. What the reader
 * ends with, so that a file that is written back keeps what nobody reads. NZ_E_FORMAT names a node on a cycle. */
NZ_CHECKED nz_status nz_graph_sort(nz_graph *graph);
/** Removes dropped and dead nodes and unused values, sorts the nodes topologically (stable), recomputes producers.
 * NZ_E_FORMAT names a node on a cycle. Graph inputs stay. */
NZ_CHECKED nz_status nz_graph_finish(nz_graph *graph);

#endif
