/* SPDX-License-Identifier: Apache-2.0 */
/** One operator at a time: a graph of one node, its inputs with shapes and perhaps numbers, lifted, inferred, counted, run. */
#ifndef NZ_TESTS_OP_H
#define NZ_TESTS_OP_H

#include "test.h"

#include "graph/build.h"
#include "op/op.h"
#include "pass/infer.h"

enum { OP_MOST = 12 };

typedef struct op_case {
    nz_graph *graph;
    int node; /**< index of the node under test */
    int inputs[OP_MOST], outputs[OP_MOST];
    size_t input_count, output_count;
    nz_tensor data[OP_MOST]; /**< of inputs; data NULL where only the shape is given */
    nz_arena arena;
    nz_op_ctx ctx; /**< after op_infer */
} op_case;

/** "2x3x?" to a shape; "" is a scalar, "?" an unknown extent. */
static inline nz_shape op_shape(const char *text) {
    nz_shape shape = {0};
    while (*text) {
        char *end;
        shape.dim[shape.rank++] = *text == '?' ? (end = (char *)(uintptr_t)text + 1, -1) : strtoll(text, &end, 10);
        text = *end == 'x' ? end + 1 : end;
    }
    return shape;
}

/** Adds an input of a type and shape without numbers. */
static inline void op_in(op_case *c, nz_dtype dtype, const char *shape) {
    nz_shape parsed = op_shape(shape);
    size_t i = c->input_count++;
    if (!c->graph) nz_assert_ok(nz_graph_new(&c->graph));
    nz_assert_ok(nz_graph_add_value(c->graph, &c->inputs[i], "in", dtype, &parsed));
    nz_assert_ok(nz_graph_add_input(c->graph, c->inputs[i]));
    c->data[i] = (nz_tensor){.dtype = dtype, .shape = parsed};
}

/** Adds a constant input. */
static inline void op_const(op_case *c, nz_dtype dtype, const char *shape, const double *values) {
    nz_shape parsed = op_shape(shape);
    size_t i = c->input_count++;
    if (!c->graph) nz_assert_ok(nz_graph_new(&c->graph));
    nz_assert_ok(nz_tensor_init(&c->data[i], dtype, &parsed));
    for (int64_t k = 0; k < nz_shape_elements(&parsed); k++) nz_tensor_set_real(&c->data[i], k, values[k]);
    nz_assert_ok(nz_graph_add_constant(c->graph, &c->inputs[i], "constant", &c->data[i]));
}
#define OP_VALUES(...) ((const double[]){__VA_ARGS__})
#define op_list(c, ...)                                                                                                \
    do {                                                                                                               \
        const double op_values_[] = {__VA_ARGS__};                                                                     \
        char op_shape_[32];                                                                                            \
        snprintf(op_shape_, sizeof op_shape_, "%zu", sizeof op_values_ / sizeof *op_values_);                          \
        op_const(c, NZ_I64, op_shape_, op_values_);                                                                    \
    } while (0)

static inline void op_skip(op_case *c) { c->inputs[c->input_count++] = NZ_NO_VALUE; }

/** The node over the inputs added so far. Attributes are set on the result. */
static inline nz_node *op_node(op_case *c, const char *op_type, size_t outputs) {
    if (!c->graph) nz_assert_ok(nz_graph_new(&c->graph));
    c->output_count = outputs;
    for (size_t i = 0; i < outputs; i++) {
        nz_assert_ok(nz_graph_add_value(c->graph, &c->outputs[i], "out", NZ_DTYPE_NONE, &(nz_shape){.rank = -1}));
        nz_assert_ok(nz_graph_add_output(c->graph, c->outputs[i]));
    }
    nz_assert_ok(nz_graph_add_node(c->graph, &c->node, op_type, "n", c->inputs, c->input_count, c->outputs, outputs));
    return &c->graph->nodes[c->node];
}

/** Infers the node; c->ctx stays valid for counting and running. */
static inline nz_status op_infer(op_case *c) {
    const nz_op *op = nz_op_of(&c->graph->nodes[c->node]);
    assert_non_null(op);
    nz_assert_ok(nz_pass_context(&c->ctx, c->graph, c->node, &c->arena));
    return op->infer(&c->ctx);
}

/** Infers, then gives the cost. */
static inline nz_op_cost op_count(op_case *c) {
    nz_op_cost cost = {0};
    nz_assert_ok(op_infer(c));
    const nz_op *op = nz_op_of(&c->graph->nodes[c->node]);
    if (op->count) nz_assert_ok(op->count(&c->ctx, &cost));
    return cost;
}

/** Infers, allocates and runs. All inputs must be constants. The outputs are in c->ctx.out. */
static inline nz_status op_run(op_case *c) {
    nz_status status = op_infer(c);
    if (status != NZ_OK) return status;
    for (size_t i = 0; i < c->output_count; i++) {
        nz_dtype dtype = c->ctx.out[i].dtype;
        nz_shape shape = c->ctx.out[i].shape;
        nz_assert_ok(nz_tensor_init(&c->ctx.out[i], dtype, &shape));
    }
    return nz_op_of(&c->graph->nodes[c->node])->run(&c->ctx);
}

static inline void op_done(op_case *c) {
    for (size_t i = 0; i < c->output_count && c->ctx.out; i++) nz_tensor_done(&c->ctx.out[i]);
    for (size_t i = 0; i < c->input_count; i++) nz_tensor_done(&c->data[i]);
    nz_graph_free(c->graph);
    nz_arena_done(&c->arena);
    *c = (op_case){0};
}

/** Output 0 must have this type, shape and these numbers. */
static inline void op_expect(op_case *c, nz_dtype dtype, const char *shape, const double *values) {
    nz_shape parsed = op_shape(shape);
    char got[112], wanted[112];
    nz_assert_ok(op_run(c));
    assert_int_equal(c->ctx.out[0].dtype, dtype);
    if (!nz_shape_equal(&c->ctx.out[0].shape, &parsed))
        fail_msg("shape is %s, expected %s", nz_shape_text(&c->ctx.out[0].shape, got), nz_shape_text(&parsed, wanted));
    for (int64_t i = 0; i < nz_shape_elements(&parsed); i++) {
        double value = nz_tensor_real(&c->ctx.out[0], i);
        if (!nz_test_close(value, values[i], 1e-6, 1e-9))
            fail_msg("element %lld is %.9g, expected %.9g", (long long)i, value, values[i]);
    }
    op_done(c);
}

/** Output `i` inferred must have this shape. */
static inline void op_expect_shape(op_case *c, size_t i, const char *shape) {
    nz_shape parsed = op_shape(shape);
    char got[112], wanted[112];
    if (!nz_shape_equal(&c->ctx.out[i].shape, &parsed))
        fail_msg("shape is %s, expected %s", nz_shape_text(&c->ctx.out[i].shape, got), nz_shape_text(&parsed, wanted));
}

#endif
