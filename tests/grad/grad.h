/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A gradient against central differences. One row describes a node; its inputs get numbers far from each other and from
 * 0, what flows in is random, and every element of every input with a gradient is moved by a little to either side in the
 * entry's own run, in double where the operator has it.
 */
#ifndef NZ_TESTS_GRAD_H
#define NZ_TESTS_GRAD_H

#include "op.h"

#include "core/random.h"
#include "core/threads.h"

/**
 * Inputs as text: "2x3" numbers of the row's range, "p2x3" numbers of [0.5, 1.5] (variances, divisors), "b2x3" random bools, "B:1,0" bools,
 * "i:1,2" a list of int64, "I:3" one int64, "i2x2:0,1,1,0" int64 of a shape, "f:1,2" and "F:0.5" floats likewise, "-" left out.
 * Attributes: "group=2 pads=1,1 one=3, alpha=0.5f mode:edge" for an integer, lists of integers, a float and a text.
 */
typedef struct grad_row {
    const char *op_type, *attributes;
    const char *inputs[5];
    double low, high; /**< of the numbers; both 0: -1.5 to 1.5 */
    size_t outputs;   /**< 0: one */
    bool single;      /**< the operator has no run in double: differences in float, with a wider step and tolerance */
} grad_row;

enum { GRAD_MOST = 5 };

/* ---- building ---- */

static inline void grad_attribute(nz_node *node, char *text) {
    char *value = strpbrk(text, "=:");
    assert_non_null(value);
    bool is_text = *value == ':';
    *value++ = 0;
    size_t length = strlen(value), count = 0;
    if (is_text) {
        nz_assert_ok(nz_node_set_string(node, text, value));
    } else if (value[length - 1] == 'f') {
        nz_assert_ok(nz_node_set_float(node, text, strtof(value, NULL)));
    } else if (strchr(value, ',')) {
        int64_t list[16];
        for (char *at = value; *at; at += *at == ',') list[count++] = strtoll(at, &at, 10);
        nz_assert_ok(nz_node_set_ints(node, text, list, count));
    } else {
        nz_assert_ok(nz_node_set_int(node, text, strtoll(value, NULL, 10)));
    }
}

/** n numbers from low to high at equal distances, in random order: none at 0, where kinks are, and at another `offset`
 * for every input, so that there are no ties. */
static inline void grad_numbers(nz_random *random, double low, double high, double offset, double *values, size_t n) {
    size_t order[4096];
    assert_true(n <= NZ_COUNT(order));
    for (size_t i = 0; i < n; i++) order[i] = i;
    nz_random_shuffle(random, order, n);
    for (size_t i = 0; i < n; i++)
        values[i] = (double)(float)(low + (high - low) * ((double)order[i] + offset) / (double)n);
}

static inline void grad_input(op_case *c, const grad_row *row, const char *text, nz_dtype real, nz_random *random) {
    double values[4096];
    char shape[64] = "";
    if (strcmp(text, "-") == 0) {
        op_skip(c);
        return;
    }
    char kind = *text && strchr("pbBiIfF", *text) ? *text++ : 'x';
    const char *colon = strchr(text, ':');
    nz_dtype dtype = kind == 'b' || kind == 'B' ? NZ_BOOL : kind == 'i' || kind == 'I' ? NZ_I64 : real;
    if (colon) {
        size_t count = 0;
        for (char *at = (char *)(uintptr_t)colon + 1; *at; at += *at == ',') values[count++] = strtod(at, &at);
        if (colon > text)
            snprintf(shape, sizeof shape, "%.*s", (int)(colon - text), text);
        else if (strchr("ifB", kind))
            snprintf(shape, sizeof shape, "%zu", count);
    } else {
        snprintf(shape, sizeof shape, "%s", text);
        nz_shape parsed = op_shape(shape);
        size_t n = (size_t)nz_shape_elements(&parsed);
        bool given = row->low != 0 || row->high != 0;
        grad_numbers(random,
                     kind == 'p' ? 0.5
                     : given     ? row->low
                                 : -1.5,
                     kind == 'p' ? 1.5
                     : given     ? row->high
                                 : 1.5,
                     0.25 + 0.05 * (double)c->input_count, values, n);
        for (size_t i = 0; kind == 'b' && i < n; i++) values[i] = values[i] > 0;
    }
    op_const(c, dtype, shape, values);
}

static inline void grad_build(op_case *c, const grad_row *row, nz_dtype real, nz_random *random) {
    char text[256], *rest = NULL;
    for (int i = 0; i < GRAD_MOST && row->inputs[i]; i++) grad_input(c, row, row->inputs[i], real, random);
    nz_node *node = op_node(c, row->op_type, row->outputs ? row->outputs : 1);
    snprintf(text, sizeof text, "%s", row->attributes ? row->attributes : "");
    for (char *at = strtok_r(text, " ", &rest); at; at = strtok_r(NULL, " ", &rest)) grad_attribute(node, at);
}

static inline void grad_fail(const grad_row *row, const char *format, ...) {
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    fail_msg("%s(%s, %s, %s) %s: %s", row->op_type, row->inputs[0], row->inputs[1] ? row->inputs[1] : "",
             row->inputs[2] ? row->inputs[2] : "", row->attributes ? row->attributes : "", what);
}

/* ---- the gradient ---- */

/** What the entry is given and gives back. */
typedef struct grad_call {
    const nz_op *op;
    op_case node;
    const nz_tensor *out[OP_MOST], *dout[OP_MOST];
    const nz_tensor *in[OP_MOST];
    nz_tensor bare[2 * OP_MOST]; /**< inputs and outputs without data that grad must not read */
    nz_tensor flow[OP_MOST], din[OP_MOST];
    nz_tensor *wanted[OP_MOST];
} grad_call;

static inline bool grad_is_wanted(const grad_call *call, size_t i) {
    return (call->op->grad_inputs >> i & 1) && call->node.ctx.in[i] && call->node.ctx.in[i]->dtype == NZ_F32;
}

/** Whether grad may look at the numbers of input i: what must be known when planning is constant in every model, and anything
 * else may have been computed. */
static inline bool grad_is_read(const nz_op *op, size_t i) {
    if (op->grad_reads & NZ_GRAD_READS_IN || (i > 0 && op->grad_reads & NZ_GRAD_READS_REST)) return true;
    return i < 32 && (op->plan_inputs >> i & 1);
}

/** Runs the node in float and prepares random gradients of its outputs. */
static inline void grad_prepare(grad_call *call, const grad_row *row, nz_random *random) {
    op_case *c = &call->node;
    grad_build(c, row, NZ_F32, random);
    call->op = nz_op_of(&c->graph->nodes[c->node]);
    assert_non_null(call->op);
    if (!call->op->grad) grad_fail(row, "has no gradient");
    nz_assert_ok(op_run(c));
    for (size_t i = 0; i < c->output_count; i++) {
        nz_tensor *out = &c->ctx.out[i];
        call->out[i] = out;
        if (!(call->op->grad_reads & NZ_GRAD_READS_OUT)) {
            call->bare[OP_MOST + i] = (nz_tensor){.dtype = out->dtype, .shape = out->shape};
            call->out[i] = &call->bare[OP_MOST + i];
        }
        if (!nz_dtype_get(out->dtype)->is_float) continue;
        nz_assert_ok(nz_tensor_init(&call->flow[i], NZ_F32, &out->shape));
        for (int64_t k = 0; k < nz_shape_elements(&out->shape); k++)
            nz_tensor_set_real(&call->flow[i], k, nz_random_unit(random) * 2 - 1);
        call->dout[i] = &call->flow[i];
    }
    for (size_t i = 0; i < c->input_count; i++) {
        call->in[i] = c->ctx.in[i];
        if (call->in[i] && !grad_is_read(call->op, i)) {
            call->bare[i] = (nz_tensor){.dtype = call->in[i]->dtype, .shape = call->in[i]->shape};
            call->in[i] = &call->bare[i];
        }
        if (!grad_is_wanted(call, i)) continue;
        nz_assert_ok(nz_tensor_init(&call->din[i], NZ_F32, &c->ctx.in[i]->shape));
        call->wanted[i] = &call->din[i];
    }
    c->ctx.in = call->in;
}

/** Calls grad into memory that holds NaN, so that what is not written shows. */
static inline void grad_run(grad_call *call) {
    op_case *c = &call->node;
    for (size_t i = 0; i < c->input_count; i++)
        for (int64_t k = 0; call->wanted[i] && k < nz_shape_elements(&call->din[i].shape); k++)
            ((float *)call->din[i].data)[k] = NAN;
    const nz_op_grad grad = {call->out, call->dout, call->wanted};
    nz_assert_ok(call->op->grad(&c->ctx, &grad));
}

static inline void grad_done(grad_call *call) {
    for (size_t i = 0; i < OP_MOST; i++) {
        nz_tensor_done(&call->flow[i]);
        nz_tensor_done(&call->din[i]);
    }
    op_done(&call->node);
}

/* ---- the differences ---- */

/** Sum of what flows in times the outputs. */
static inline double grad_loss(op_case *c, const grad_call *call, nz_arena *scratch) {
    double sum = 0;
    nz_arena_reset(scratch);
    c->ctx.scratch = scratch;
    nz_assert_ok(call->op->run(&c->ctx));
    for (size_t i = 0; i < c->output_count; i++)
        for (int64_t k = 0; call->dout[i] && k < nz_shape_elements(&call->flow[i].shape); k++)
            sum += nz_tensor_real(&call->flow[i], k) * nz_tensor_real(&c->ctx.out[i], k);
    return sum;
}

/** The slope of the loss along element k of input i by differences at four points. */
static inline double grad_slope(op_case *c, const grad_call *call, size_t i, int64_t k, double step,
                                nz_arena *scratch) {
    const double x = nz_tensor_real(&c->data[i], k), weights[4] = {1, -8, 8, -1};
    double slope = 0;
    for (int p = 0; p < 4; p++) {
        nz_tensor_set_real(&c->data[i], k, x + step * (p < 2 ? p - 2 : p - 1));
        slope += weights[p] * grad_loss(c, call, scratch);
    }
    nz_tensor_set_real(&c->data[i], k, x);
    return slope / (12 * step);
}

static inline void grad_compare(const grad_row *row, const grad_call *call, op_case *c) {
    const double step = row->single ? 1.0 / 64 : 1.0 / 2048, tolerance = row->single ? 5e-4 : 2e-5;
    nz_arena scratch = {0};
    for (size_t i = 0; i < c->input_count; i++) {
        if (!call->wanted[i]) continue;
        double slopes[4096], largest = 0;
        int64_t n = nz_shape_elements(&call->din[i].shape);
        for (int64_t k = 0; k < n; k++) {
            slopes[k] = grad_slope(c, call, i, k, step, &scratch);
            if (fabs(slopes[k]) > largest) largest = fabs(slopes[k]);
        }
        for (int64_t k = 0; k < n; k++) {
            double got = nz_tensor_real(&call->din[i], k);
            if (!nz_test_close(got, slopes[k], tolerance, tolerance * largest + 1e-7))
                grad_fail(row, "the gradient by element %lld of input %zu is %.9g, by differences %.9g", (long long)k,
                          i, got, slopes[k]);
        }
    }
    nz_arena_done(&scratch);
}

/* ---- one row ---- */

/** What was wanted alone, and on several threads, must be the same bytes as what was wanted together. */
static inline void grad_repeat(const grad_row *row, grad_call *call) {
    op_case *c = &call->node;
    int threads = nz_threads_get();
    float *before[OP_MOST] = {NULL};
    for (size_t i = 0; i < c->input_count; i++) {
        if (!call->wanted[i]) continue;
        nz_assert_ok(nz_alloc(&before[i], call->din[i].bytes, 1));
        memcpy(before[i], call->din[i].data, call->din[i].bytes);
    }
    for (size_t only = 0; only < c->input_count; only++) {
        if (!before[only]) continue;
        for (size_t i = 0; i < c->input_count; i++) call->wanted[i] = i == only ? &call->din[i] : NULL;
        nz_threads_set(only % 2 ? 2 : 3);
        grad_run(call);
        if (memcmp(before[only], call->din[only].data, call->din[only].bytes) != 0)
            grad_fail(row, "the gradient by input %zu differs where it is wanted alone", only);
    }
    nz_threads_set(threads);
    for (size_t i = 0; i < c->input_count; i++) {
        call->wanted[i] = before[i] ? &call->din[i] : NULL;
        free(before[i]);
    }
}

static inline void grad_check_flow(const grad_row *row, grad_call *call, op_case *c) {
    grad_run(call);
    grad_compare(row, call, c);
    grad_repeat(row, call);
}

static inline void grad_check(const grad_row *row) {
    grad_call call = {0};
    op_case wide = {0};
    nz_random random;
    nz_random_init(&random, 7, 1);
    grad_prepare(&call, row, &random);
    nz_random_init(&random, 7, 1);
    grad_build(&wide, row, row->single ? NZ_F32 : NZ_F64, &random);
    nz_assert_ok(op_run(&wide));
    grad_check_flow(row, &call, &wide);
    /* Each of several outputs alone: nothing flows in at the others. */
    for (size_t only = 0; call.node.output_count > 1 && only < call.node.output_count; only++) {
        if (!call.flow[only].data) continue;
        for (size_t i = 0; i < call.node.output_count; i++) call.dout[i] = i == only ? &call.flow[i] : NULL;
        grad_check_flow(row, &call, &wide);
    }
    op_done(&wide);
    grad_done(&call);
    /* A row that claims single precision alone must have no choice. */
    if (!row->single) return;
    op_case refused = {0};
    nz_random_init(&random, 7, 1);
    grad_build(&refused, row, NZ_F64, &random);
    if (op_infer(&refused) == NZ_OK) grad_fail(row, "runs in double: check it so");
    op_done(&refused);
}

#endif
