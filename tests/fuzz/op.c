/* SPDX-License-Identifier: Apache-2.0 */
/* One node of any operator with any inputs and attributes: lifted, inferred, counted and, where small, run. The bytes are the
 * operator's name, a line break, then choices. */
#include "op/op.h"
#include "core/memory.h"
#include "fuzz.h"
#include "graph/build.h"
#include "pass/infer.h"

typedef struct reader {
    const uint8_t *at, *end;
} reader;

static int take(reader *r) { return r->at < r->end ? *r->at++ : 0; }

enum { MOST_INPUTS = 6, MOST_ELEMENTS = 4096 };

static nz_shape take_shape(reader *r) {
    nz_shape shape = {.rank = take(r) % 6};
    for (int d = 0; d < shape.rank; d++) {
        int byte = take(r);
        shape.dim[d] = byte < 240 ? byte % 7 : byte < 250 ? -1 : INT64_C(1) << (byte - 200);
    }
    return shape;
}

/* Small integers most often, then bounds and what is no number. */
static double take_real(reader *r) {
    static const double special[] = {-1e300, 1e300, -9.3e18, 9.3e18, 0.5, -0.25, 1e-300, -128, 255, 65536};
    int byte = take(r);
    return byte < 200 ? byte % 16 - 5 : special[byte % 10];
}

static int64_t take_int(reader *r) {
    static const int64_t special[] = {INT64_MIN, INT64_MAX, INT32_MIN, INT32_MAX, 1000000, -1000000};
    int byte = take(r);
    return byte < 220 ? byte % 16 - 5 : special[byte % 6];
}

static nz_status add_input(nz_graph *graph, reader *r, int *ret_value) {
    int kind = take(r) % 16;
    nz_dtype dtype = (nz_dtype)(take(r) % NZ_DTYPE_END);
    if (kind == 0) {
        *ret_value = NZ_NO_VALUE;
        return NZ_OK;
    }
    if (kind < 12 && take(r) % 4) dtype = kind % 2 ? NZ_F32 : NZ_I64;
    nz_shape shape = take_shape(r);
    int64_t elements = nz_shape_elements(&shape);
    if (kind < 4 || elements < 0 || elements > MOST_ELEMENTS || !nz_dtype_get(dtype)->bits) {
        nz_status status = nz_graph_add_value(graph, ret_value, "in", dtype, &shape);
        return status == NZ_OK ? nz_graph_add_input(graph, *ret_value) : status;
    }
    NZ_AUTO_TENSOR nz_tensor tensor = {0};
    nz_status status = nz_tensor_init(&tensor, dtype, &shape);
    if (status != NZ_OK) return status;
    for (int64_t i = 0; i < elements; i++) nz_tensor_set_real(&tensor, i, take_real(r));
    return nz_graph_add_constant(graph, ret_value, "constant", &tensor);
}

static nz_status add_attribute(nz_node *node, reader *r, const char *name) {
    static const char *const words[] = {"linear",        "nearest",
                                        "cubic",         "constant",
                                        "reflect",       "edge",
                                        "wrap",          "zeros",
                                        "border",        "reflection",
                                        "SAME_UPPER",    "SAME_LOWER",
                                        "VALID",         "NOTSET",
                                        "LEFT",          "RIGHT",
                                        "DCR",           "CRD",
                                        "ij,jk->ik",     "...i->i",
                                        "...ii ->...i",  "bij, bjk -> bik",
                                        "ij->ji",        "add",
                                        "mul",           "max",
                                        "min",           "avg",
                                        "sum",           "mean",
                                        "tanh",          "reverse",
                                        "bidirectional", "none",
                                        "asymmetric",    "align_corners",
                                        "half_pixel",    "tf_crop_and_resize",
                                        "not_larger",    "ceil",
                                        "Sigmoid",       "a"};
    int64_t ints[8];
    float floats[8];
    size_t count = (size_t)take(r) % 8;
    for (size_t i = 0; i < 8; i++) ints[i] = take_int(r), floats[i] = (float)ints[i] / 4;
    switch (take(r) % 6) {
    case 0: return nz_node_set_int(node, name, ints[0]);
    case 1: return nz_node_set_float(node, name, floats[0]);
    case 2: return nz_node_set_string(node, name, words[(size_t)take(r) % NZ_COUNT(words)]);
    case 3: return nz_node_set_ints(node, name, ints, count);
    case 4: return nz_node_set_floats(node, name, floats, count);
    default: return NZ_OK;
    }
}

static nz_status add_attributes(nz_node *node, reader *r, const nz_op *op) {
    static const char *const old[] = {"axis", "axes", "broadcast", "shape", "pads", "paddings",
                                      "min",  "max",  "to",        "split", "k"};
    for (const char *const *name = op->attributes; name && *name; name++) {
        nz_status status = add_attribute(node, r, *name);
        if (status != NZ_OK) return status;
    }
    return take(r) % 2 ? add_attribute(node, r, old[(size_t)take(r) % NZ_COUNT(old)]) : NZ_OK;
}

static nz_status build(nz_graph *graph, reader *r) {
    char name[48] = "";
    for (size_t i = 0, c; i + 1 < sizeof name && (c = (size_t)take(r)) && c != '\n'; i++) name[i] = (char)c;
    const nz_op *op = nz_op_find("", name);
    if (!op) return nz_op_at(0) ? NZ_E_ARG : NZ_E_INTERNAL;
    int inputs[MOST_INPUTS], outputs[3], node = -1, opset = take(r) % 25;
    size_t input_count = (size_t)take(r) % (MOST_INPUTS + 1), output_count = (size_t)take(r) % 3 + 1;
    for (size_t i = 0; i < input_count; i++) {
        nz_status status = add_input(graph, r, &inputs[i]);
        if (status != NZ_OK) return status;
    }
    for (size_t i = 0; i < output_count; i++) {
        nz_status status = nz_graph_add_value(graph, &outputs[i], "out", NZ_DTYPE_NONE, &(nz_shape){.rank = -1});
        if (status == NZ_OK) status = nz_graph_add_output(graph, outputs[i]);
        if (status != NZ_OK) return status;
    }
    nz_status status = nz_graph_add_node(graph, &node, op->name, "n", inputs, input_count, outputs, output_count);
    if (status != NZ_OK) return status;
    graph->nodes[node].opset = opset < 22 ? 21 - opset : opset;
    return add_attributes(&graph->nodes[node], r, op);
}

/* What infer promises: known types, ranks within bounds, no negative extent but -1. */
static bool small_and_sound(const nz_op_ctx *ctx) {
    int64_t total = 0;
    for (size_t i = 0; i < ctx->out_count; i++) {
        const nz_shape *shape = &ctx->out[i].shape;
        if (!ctx->out[i].dtype) continue;
        nz_fuzz_check(shape->rank >= 0 && shape->rank <= NZ_MAX_RANK);
        for (int d = 0; d < shape->rank; d++) nz_fuzz_check(shape->dim[d] >= -1);
        int64_t elements = nz_shape_elements(shape);
        if (elements < 0 || elements > 1 << 16) return false;
        total += elements;
    }
    for (size_t i = 0; i < ctx->in_count; i++)
        if (ctx->in[i] && !ctx->in[i]->data) return false;
    return total <= 1 << 16;
}

static nz_status compute(const nz_op *op, nz_op_ctx *ctx) {
    nz_status status = NZ_OK;
    for (size_t i = 0; i < ctx->out_count && status == NZ_OK; i++) {
        nz_tensor made = {0};
        if (!ctx->out[i].dtype) continue;
        status = nz_tensor_init(&made, ctx->out[i].dtype, &ctx->out[i].shape);
        ctx->out[i] = made;
    }
    if (status == NZ_OK) status = op->run(ctx);
    for (size_t i = 0; i < ctx->out_count; i++) nz_tensor_done(&ctx->out[i]);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    reader r = {bytes, bytes + count};
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO(nz_arena_done) nz_arena arena = {0};
    nz_fuzz_check(nz_graph_new(&graph) == NZ_OK);
    if (build(graph, &r) != NZ_OK) return 0;
    if (nz_pass_lift(graph) != NZ_OK) {
        nz_fuzz_check(*nz_last_error());
        return 0;
    }
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_op *op = nz_op_of(&graph->nodes[n]);
        nz_op_ctx ctx;
        nz_op_cost cost = {0};
        if (!op || nz_pass_context(&ctx, graph, (int)n, &arena) != NZ_OK) continue;
        if (!nz_pass_inputs_known(graph, &graph->nodes[n], false)) continue;
        if (nz_pass_infer_node(graph, (int)n, &arena) != NZ_OK || op->infer(&ctx) != NZ_OK) {
            nz_fuzz_check(*nz_last_error());
            continue;
        }
        bool small = small_and_sound(&ctx);
        if (op->count && op->count(&ctx, &cost) != NZ_OK) continue;
        if (small) (void)!compute(op, &ctx);
    }
    return 0;
}
