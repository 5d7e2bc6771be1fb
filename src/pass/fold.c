/* SPDX-License-Identifier: Apache-2.0 */
/* Constant folding: one walk over the sorted nodes that removes those which pass their input on, infers the others, and
 * computes those whose inputs are known. */
#include "pass/fold.h"

#include <string.h>

#include "core/error.h"
#include "netzip/pass.h"
#include "pass/infer.h"

/* A hostile file must neither fill memory nor keep a processor busy: all results together may take 64 MB or twice
 * what the file's own constants take, and one node as many operations as half a second or so lasts. What is refused is computed
 * when the model runs. */
enum { MOST_BYTES = 64 << 20 };
static const uint64_t most_operations = UINT64_C(1) << 28;

enum { IS_INPUT = 1, IS_OUTPUT = 2, IS_CAPTURED = 4 };

typedef struct folder {
    nz_graph *graph;
    nz_fold_mode mode;
    int *alias;  /* by value: which one to read instead */
    char *roles; /* by value, as long as no values are added: IS_... */
    size_t value_count;
    size_t budget; /* bytes that results may still take */
    nz_arena arena;
} folder;

static void folder_done(folder *f) {
    free(f->alias);
    free(f->roles);
    nz_arena_done(&f->arena);
}

static nz_status folder_init(folder *f) {
    const nz_graph *graph = f->graph;
    f->value_count = graph->value_count;
    NZ_TRY(nz_alloc(&f->alias, f->value_count, sizeof *f->alias));
    NZ_TRY(nz_alloc(&f->roles, f->value_count, 1));
    size_t constants = 0;
    for (size_t v = 0; v < f->value_count; v++) {
        f->alias[v] = (int)v;
        constants += graph->values[v].constant.bytes;
    }
    f->budget = constants > MOST_BYTES / 2 ? 2 * constants : MOST_BYTES;
    for (size_t i = 0; i < graph->input_count; i++) f->roles[graph->inputs[i]] |= IS_INPUT;
    for (size_t i = 0; i < graph->output_count; i++) f->roles[graph->outputs[i]] |= IS_OUTPUT;
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; i < graph->nodes[n].capture_count; i++) f->roles[graph->nodes[n].captures[i]] |= IS_CAPTURED;
    return NZ_OK;
}

static bool has_role(const folder *f, int value, int roles) {
    return (size_t)value < f->value_count && f->roles[value] & roles;
}

static bool is_op(const nz_node *node, const char *op_type) {
    return !*node->domain && strcmp(node->op_type, op_type) == 0;
}

/* ---- nodes that pass their input on ---- */

/* The constant input `i`, NULL where it is left out or not constant. */
static const nz_tensor *constant_input(const nz_graph *graph, const nz_node *node, size_t i) {
    if (i >= node->input_count || !nz_value_is_constant(graph, node->inputs[i])) return NULL;
    return &graph->values[node->inputs[i]].constant;
}

static bool is_left_out(const nz_node *node, size_t i) { return i >= node->input_count || node->inputs[i] < 0; }

/* Whether all numbers of a constant lie within bounds. */
static bool all_within(const nz_tensor *tensor, double least, double most) {
    int64_t elements = nz_shape_elements(&tensor->shape);
    for (int64_t i = 0; i < elements; i++) {
        double number = nz_tensor_real(tensor, i);
        if (!(number >= least && number <= most)) return false;
    }
    return elements >= 0;
}

/* Dropout outside training, or of nothing, as exporters leave it where a function forgot which of the two it was in. */
static bool drops_nothing(const nz_graph *graph, const nz_node *node) {
    for (size_t i = 1; i < node->output_count; i++)
        if (node->outputs[i] >= 0) return false;
    if (is_left_out(node, 2)) return true;
    for (size_t i = 1; i <= 2; i++) {
        const nz_tensor *zero = constant_input(graph, node, i);
        if (zero && nz_shape_elements(&zero->shape) == 1 && all_within(zero, 0, 0)) return true;
    }
    return false;
}

static bool keeps_order(const nz_node *node) {
    size_t count = 0;
    const int64_t *perm = nz_attr_ints(node, "perm", &count);
    for (size_t i = 0; i < count; i++)
        if (perm[i] != (int64_t)i) return false;
    return count > 0;
}

/* Moves of data that move nothing, once the shapes are known. */
static bool moves_nothing(const nz_graph *graph, const nz_node *node) {
    static const char *const reshaping[] = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand"};
    static const char *const joining[] = {"Concat", "Sum", "Max", "Min", "Mean"};
    const nz_shape *in = &graph->values[node->inputs[0]].shape, *out = &graph->values[node->outputs[0]].shape;
    for (size_t i = 0; i < NZ_COUNT(joining); i++)
        if (is_op(node, joining[i])) return node->input_count == 1;
    if (is_op(node, "Transpose")) return keeps_order(node);
    if (!nz_shape_known(in) || !nz_shape_equal(in, out)) return false;
    for (size_t i = 0; i < NZ_COUNT(reshaping); i++)
        if (is_op(node, reshaping[i])) return true;
    /* A slice of the whole, unless it runs backwards. */
    if (is_op(node, "Slice"))
        return is_left_out(node, 4) ||
               (constant_input(graph, node, 4) && all_within(constant_input(graph, node, 4), 1, 0x1p63));
    return is_op(node, "Pad") && constant_input(graph, node, 1) && all_within(constant_input(graph, node, 1), 0, 0);
}

static bool passes_on(const nz_graph *graph, const nz_node *node) {
    if (!nz_op_of(node) || node->input_count < 1 || node->inputs[0] < 0 || node->output_count < 1 ||
        node->outputs[0] < 0)
        return false;
    nz_dtype dtype = graph->values[node->inputs[0]].dtype;
    if (is_op(node, "Identity")) return true;
    if (is_op(node, "Cast")) return dtype && dtype == (nz_dtype)nz_attr_int(node, "to", 0);
    return is_op(node, "Dropout") ? drops_nothing(graph, node) : moves_nothing(graph, node);
}

/* Lets readers of the node's output read its input. An output of the model keeps its name: the input takes it over, except
 * where that has a name of its own to keep, or is a constant; then the node stays. */
static void pass_on(folder *f, int index) {
    const nz_node *node = &f->graph->nodes[index];
    int to = node->inputs[0], from = node->outputs[0];
    f->alias[from] = to;
    if (!has_role(f, from, IS_OUTPUT)) return;
    if (has_role(f, from, IS_CAPTURED) || has_role(f, to, IS_INPUT | IS_OUTPUT | IS_CAPTURED) ||
        nz_value_is_constant(f->graph, to))
        return;
    /* Nodes that read `from` come later and find its alias; a redirection would look through all nodes for each output. */
    for (size_t i = 0; i < f->graph->output_count; i++)
        if (f->graph->outputs[i] == from) f->graph->outputs[i] = to;
    nz_graph_swap_names(f->graph, from, to);
    f->roles[to] |= IS_OUTPUT;
    f->roles[from] = 0;
}

/* ---- nodes that can be computed ---- */

/* How a weight is stored is a fact that the metrics report: what widens stored bits to float is kept. */
static bool keeps_storage(const nz_graph *graph, const nz_node *node) {
    if (is_op(node, "DequantizeLinear")) return true;
    if (!is_op(node, "Cast") && !is_op(node, "CastLike")) return false;
    nz_dtype from = graph->values[node->inputs[0]].dtype, to = graph->values[node->outputs[0]].dtype;
    const nz_dtype_info *a = nz_dtype_get(from), *b = nz_dtype_get(to);
    return b->is_float && a->bits < b->bits && (a->is_float || (a->is_integer && a->bits <= 8));
}

static bool is_random(const nz_node *node) {
    static const char *const names[] = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
                                        "Bernoulli",    "Multinomial",      "Dropout"};
    for (size_t i = 0; i < NZ_COUNT(names); i++)
        if (is_op(node, names[i])) return true;
    return false;
}

/* Constants, or, for what asks no more of its first input, a known shape. */
static bool inputs_are_known(const nz_graph *graph, const nz_node *node, const nz_op *op) {
    size_t present = 0;
    for (size_t i = 0; i < node->input_count; i++) {
        int value = node->inputs[i];
        if (value < 0) continue;
        present++;
        if (nz_value_is_constant(graph, value)) continue;
        if (i > 0 || !(op->flags & NZ_OP_READS_SHAPE) || !nz_shape_known(&graph->values[value].shape)) return false;
    }
    return present > 0;
}

static bool result_fits(const folder *f, const nz_node *node, size_t *ret_bytes) {
    size_t total = 0;
    for (size_t o = 0; o < node->output_count; o++) {
        if (node->outputs[o] < 0) continue;
        const nz_value *value = &f->graph->values[node->outputs[o]];
        int64_t elements = nz_shape_elements(&value->shape);
        const nz_dtype_info *info = nz_dtype_get(value->dtype);
        if (elements < 0 || elements > MOST_BYTES || !info->bits) return false;
        total += ((size_t)elements * (size_t)info->bits + 7) / 8;
        if (total > MOST_BYTES) return false;
    }
    *ret_bytes = total;
    return total <= f->budget;
}

static bool is_quick(const nz_op *op, const nz_op_ctx *ctx) {
    nz_op_cost cost = {0};
    return !op->count || (op->count(ctx, &cost) == NZ_OK && cost.ops <= most_operations);
}

/* The context's inputs with their elements aligned, as operators need them; copies are the caller's to release. */
static nz_status align_inputs(const nz_op_ctx *ctx, nz_tensor *copies) {
    for (size_t i = 0; i < ctx->in_count; i++) {
        nz_tensor *tensor = (nz_tensor *)(uintptr_t)ctx->in[i];
        int bits = tensor ? nz_dtype_get(tensor->dtype)->bits : 0;
        if (!tensor || !tensor->data || bits < 16 || (uintptr_t)tensor->data % ((size_t)bits / 8) == 0) continue;
        NZ_TRY(nz_tensor_init(&copies[i], tensor->dtype, &tensor->shape));
        memcpy(copies[i].data, tensor->data, copies[i].bytes);
        *tensor = copies[i];
    }
    return NZ_OK;
}

static nz_status run(const nz_op *op, nz_op_ctx *ctx, const nz_graph *graph, nz_tensor *copies, nz_tensor *results) {
    for (size_t o = 0; o < ctx->out_count; o++) {
        int value = ctx->node->outputs[o];
        if (value < 0) continue;
        NZ_TRY(nz_tensor_init(&results[o], graph->values[value].dtype, &graph->values[value].shape));
        ctx->out[o] = results[o];
    }
    NZ_TRY(align_inputs(ctx, copies));
    return op->run(ctx);
}

static void release(nz_tensor *tensors, size_t count) {
    for (size_t i = 0; tensors && i < count; i++) nz_tensor_done(&tensors[i]);
    free(tensors);
}

/* Computes a node whose inputs are known. *ret_results: one tensor per output, the caller's to release; NULL where it is not
 * worth it or would take too much. */
static nz_status compute(folder *f, int index, nz_tensor **ret_results) {
    const nz_node *node = &f->graph->nodes[index];
    const nz_op *op = nz_op_of(node);
    size_t bytes = 0;
    nz_op_ctx ctx;
    *ret_results = NULL;
    if (!op || !op->run || is_random(node) || !inputs_are_known(f->graph, node, op) || !result_fits(f, node, &bytes))
        return NZ_OK;
    nz_arena_reset(&f->arena);
    NZ_TRY(nz_pass_context(&ctx, f->graph, index, &f->arena));
    for (size_t o = 0; o < node->output_count; o++)
        if (node->outputs[o] >= 0) {
            ctx.out[o].dtype = f->graph->values[node->outputs[o]].dtype;
            ctx.out[o].shape = f->graph->values[node->outputs[o]].shape;
        }
    if (!is_quick(op, &ctx)) return NZ_OK;
    nz_tensor *results = NULL, *copies = NULL;
    nz_status status = nz_alloc(&results, node->output_count, sizeof *results);
    if (status == NZ_OK) status = nz_alloc(&copies, node->input_count, sizeof *copies);
    if (status == NZ_OK) status = run(op, &ctx, f->graph, copies, results);
    release(copies, node->input_count);
    if (status != NZ_OK) {
        release(results, node->output_count);
        return status;
    }
    f->budget -= bytes;
    *ret_results = results;
    return NZ_OK;
}

static nz_status fold_node(folder *f, int index) {
    nz_node *node = &f->graph->nodes[index];
    size_t count = node->output_count;
    if (!nz_op_of(node) || keeps_storage(f->graph, node)) return NZ_OK;
    for (size_t o = 0; o < count; o++)
        if (node->outputs[o] >= 0 && has_role(f, node->outputs[o], IS_OUTPUT)) return NZ_OK;
    nz_tensor *results = NULL;
    NZ_TRY(compute(f, index, &results));
    if (!results) return NZ_OK;
    nz_status status = NZ_OK;
    for (size_t o = 0; o < count && status == NZ_OK; o++)
        if (node->outputs[o] >= 0) status = nz_graph_set_constant(f->graph, node->outputs[o], &results[o]);
    release(results, count);
    if (status == NZ_OK) nz_graph_drop_node(f->graph, index);
    return status;
}

/* An input that planning needs but that is a stored constant widened by a Cast or DequantizeLinear, which stay for others:
 * this node gets the widened constant. */
static nz_status widen_plan_inputs(folder *f, int index) {
    const nz_op *op = nz_op_of(&f->graph->nodes[index]);
    for (size_t i = 0; op && i < f->graph->nodes[index].input_count && i < 32; i++) {
        int value = f->graph->nodes[index].inputs[i];
        if (!(op->plan_inputs >> i & 1) || value < 0 || nz_value_is_constant(f->graph, value)) continue;
        int producer = f->graph->values[value].producer, constant = -1;
        if (producer < 0 || !f->graph->nodes[producer].op_type || !keeps_storage(f->graph, &f->graph->nodes[producer]))
            continue;
        nz_tensor *results = NULL;
        NZ_TRY(compute(f, producer, &results));
        if (!results) continue;
        nz_status status = nz_graph_add_constant(f->graph, &constant, f->graph->values[value].name, &results[0]);
        release(results, f->graph->nodes[producer].output_count);
        NZ_TRY(status);
        f->graph->nodes[index].inputs[i] = constant;
    }
    return NZ_OK;
}

/* ---- the walk ---- */

/* Nothing is known of what a refused node makes; why it was refused stays with it where its inputs are not to blame. */
static nz_status refuse(folder *f, int index, nz_status status) {
    nz_node *node = &f->graph->nodes[index];
    if (status == NZ_E_MEMORY || f->mode == NZ_FOLD_STRICT) return status;
    for (size_t o = 0; o < node->output_count; o++)
        if (node->outputs[o] >= 0) f->graph->values[node->outputs[o]].shape = (nz_shape){.rank = -1};
    if (f->mode == NZ_FOLD_TOLERANT && !node->unsupported && nz_pass_inputs_known(f->graph, node, true))
        return nz_pass_mark_unsupported(node);
    return NZ_OK;
}

static nz_status visit(folder *f, int index) {
    nz_node *node = &f->graph->nodes[index];
    for (size_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] >= 0 && (size_t)node->inputs[i] < f->value_count)
            node->inputs[i] = f->alias[node->inputs[i]];
    NZ_TRY(widen_plan_inputs(f, index));
    nz_arena_reset(&f->arena);
    nz_status status = nz_pass_infer_node(f->graph, index, &f->arena);
    if (status != NZ_OK) return refuse(f, index, status);
    if (passes_on(f->graph, &f->graph->nodes[index])) {
        pass_on(f, index);
        return NZ_OK;
    }
    return fold_node(f, index);
}

nz_status nz_fold_in_place(nz_graph *graph, nz_fold_mode mode) {
    NZ_TRY(nz_graph_finish(graph));
    NZ_AUTO(folder_done) folder f = {.graph = graph, .mode = mode};
    NZ_TRY(folder_init(&f));
    for (size_t n = 0; n < graph->node_count; n++) NZ_TRY(visit(&f, (int)n));
    return nz_graph_finish(graph);
}

nz_status nz_pass_fold(nz_graph **ret_graph, const nz_graph *graph) {
    NZ_AUTO_GRAPH nz_graph *copy = NULL;
    NZ_TRY(nz_graph_clone(&copy, graph));
    NZ_TRY(nz_fold_in_place(copy, NZ_FOLD_SYMBOLIC));
    *ret_graph = NZ_STEAL(copy);
    return NZ_OK;
}
