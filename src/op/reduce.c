/* SPDX-License-Identifier: Apache-2.0 */
/** Reductions along axes: ReduceSum and kin. Sums are kept in f64, integers in 64 bits with wrap-around. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/threads.h"
#include "op/families.h"
#include "op/helper.h"
#include "op/lift.h"
#include "op/reduce.h"

/* ---- axes ---- */

/** The set of axes to reduce; *ret_noop where the node says that no axes mean no reduction. */
static nz_status reduced_axes(const nz_op_ctx *ctx, unsigned *ret_set, bool *ret_noop) {
    int64_t axes[NZ_MAX_RANK];
    size_t count = 0;
    int rank = ctx->in[0]->shape.rank;
    unsigned set = 0;
    if (nz_op_in(ctx, 1)) {
        NZ_TRY(nz_op_ints(ctx, 1, axes, NZ_MAX_RANK, &count));
        NZ_TRY(nz_op_axes(ctx, &set, axes, count, rank));
    }
    *ret_noop = count == 0 && nz_attr_int(ctx->node, "noop_with_empty_axes", 0);
    *ret_set = count ? set : (1u << rank) - 1;
    return NZ_OK;
}

static nz_status infer_reduce(const nz_op_ctx *ctx) {
    unsigned set = 0;
    bool noop = false, keep = nz_attr_int(ctx->node, "keepdims", 1) != 0;
    NZ_TRY(nz_op_check(ctx, 1, 2, 1));
    NZ_TRY(reduced_axes(ctx, &set, &noop));
    const nz_shape *in = &ctx->in[0]->shape;
    nz_shape out = {.rank = 0};
    for (int d = 0; d < in->rank; d++) {
        bool reduced = !noop && (set >> d & 1);
        if (!reduced)
            out.dim[out.rank++] = in->dim[d];
        else if (keep)
            out.dim[out.rank++] = 1;
    }
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

/* ---- the walk ---- */

/** Axes in groups of neighbours that are all kept or all reduced; extents of 1 vanish. */
typedef struct reduce_plan {
    nz_reduce_kind kind;
    int kept, reduced;
    int64_t kept_dim[NZ_MAX_RANK], kept_stride[NZ_MAX_RANK];
    int64_t reduced_dim[NZ_MAX_RANK], reduced_stride[NZ_MAX_RANK];
    int64_t count; /**< elements per output */
    const nz_tensor *in;
    nz_tensor *out;
} reduce_plan;

static void add_group(int *count, int64_t *dims, int64_t *strides, int64_t dim, int64_t stride, bool joins) {
    if (joins && *count > 0) {
        dims[*count - 1] *= dim;
        strides[*count - 1] = stride;
        return;
    }
    dims[*count] = dim;
    strides[(*count)++] = stride;
}

static void make_plan(reduce_plan *plan, const nz_shape *in, unsigned set) {
    int64_t strides[NZ_MAX_RANK];
    int last = -1; /* whether the axis before was reduced */
    nz_shape_strides(in, strides);
    plan->count = 1;
    for (int d = 0; d < in->rank; d++) {
        int reduced = set >> d & 1;
        if (in->dim[d] == 1) continue;
        if (reduced) {
            add_group(&plan->reduced, plan->reduced_dim, plan->reduced_stride, in->dim[d], strides[d], last == 1);
            plan->count *= in->dim[d];
        } else {
            add_group(&plan->kept, plan->kept_dim, plan->kept_stride, in->dim[d], strides[d], last == 0);
        }
        last = reduced;
    }
    if (plan->reduced == 0) add_group(&plan->reduced, plan->reduced_dim, plan->reduced_stride, 1, 1, false);
}

#define FOR_ROW(update)                                                                                                \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        const double x = (double)at[i * stride];                                                                       \
        update;                                                                                                        \
    }                                                                                                                  \
    break

/* Neighbours in lanes of their own, which the compiler turns into vectors; always the same order, so the same bytes. */
enum { LANES = 8 };
#define LANE_ROW(update)                                                                                               \
    for (; i + LANES <= n; i += LANES)                                                                                 \
        for (int l = 0; l < LANES; l++) {                                                                              \
            const double x = (double)at[i + l];                                                                        \
            lane[l] = (update);                                                                                        \
        }                                                                                                              \
    break
#define LARGER(x, y) ((x) > (y) || (x) != (x) ? (x) : (y))
#define SMALLER(x, y) ((x) < (y) || (x) != (x) ? (x) : (y))

/* Folds the values of a contiguous row that fill whole lanes; returns how many those are. */
#define REAL_LANES(T)                                                                                                  \
    static int64_t lanes_##T(nz_reduce_kind kind, const T *at, int64_t n, double *sum) {                               \
        double lane[LANES];                                                                                            \
        int64_t i = 0;                                                                                                 \
        bool ordered = kind == NZ_REDUCE_MAX || kind == NZ_REDUCE_MIN;                                                 \
        if (kind == NZ_REDUCE_PROD || kind == NZ_REDUCE_LOG_SUM_EXP || n < 2 * LANES) return 0;                        \
        for (int l = 0; l < LANES; l++) lane[l] = ordered ? *sum : 0;                                                  \
        switch (kind) {                                                                                                \
        case NZ_REDUCE_L1: LANE_ROW(lane[l] + fabs(x));                                                                \
        case NZ_REDUCE_L2:                                                                                             \
        case NZ_REDUCE_SUM_SQUARE: LANE_ROW(lane[l] + x * x);                                                          \
        case NZ_REDUCE_MAX: LANE_ROW(LARGER(x, lane[l]));                                                              \
        case NZ_REDUCE_MIN: LANE_ROW(SMALLER(x, lane[l]));                                                             \
        default: LANE_ROW(lane[l] + x);                                                                                \
        }                                                                                                              \
        for (int l = 0; l < LANES; l++)                                                                                \
            *sum = kind == NZ_REDUCE_MAX   ? LARGER(lane[l], *sum)                                                     \
                   : kind == NZ_REDUCE_MIN ? SMALLER(lane[l], *sum)                                                    \
                                           : *sum + lane[l];                                                           \
        return i;                                                                                                      \
    }
REAL_LANES(float)
REAL_LANES(double)

/* Folds n values into the accumulator; `shift` is subtracted in LogSumExp. */
#define REAL_ROW(T)                                                                                                    \
    static double row_##T(nz_reduce_kind kind, const T *at, int64_t stride, int64_t n, double sum, double shift) {     \
        int64_t begin = stride == 1 ? lanes_##T(kind, at, n, &sum) : 0;                                                \
        at += begin * stride;                                                                                          \
        n -= begin;                                                                                                    \
        switch (kind) {                                                                                                \
        case NZ_REDUCE_L1: FOR_ROW(sum += fabs(x));                                                                    \
        case NZ_REDUCE_L2:                                                                                             \
        case NZ_REDUCE_SUM_SQUARE: FOR_ROW(sum += x * x);                                                              \
        case NZ_REDUCE_LOG_SUM_EXP: FOR_ROW(sum += exp(x - shift));                                                    \
        case NZ_REDUCE_PROD: FOR_ROW(sum *= x);                                                                        \
        case NZ_REDUCE_MAX: FOR_ROW(sum = LARGER(x, sum));                                                             \
        case NZ_REDUCE_MIN: FOR_ROW(sum = SMALLER(x, sum));                                                            \
        default: FOR_ROW(sum += x);                                                                                    \
        }                                                                                                              \
        return sum;                                                                                                    \
    }
REAL_ROW(float)
REAL_ROW(double)

/** Calls for every row (the last group of reduced axes) below the output at `base`. */
static double fold_rows(const reduce_plan *plan, nz_reduce_kind kind, int64_t base, double sum, double shift) {
    int64_t index[NZ_MAX_RANK] = {0}, at = base;
    const int last = plan->reduced - 1;
    for (;;) {
        if (plan->in->dtype == NZ_F64)
            sum = row_double(kind, (const double *)plan->in->data + at, plan->reduced_stride[last],
                             plan->reduced_dim[last], sum, shift);
        else
            sum = row_float(kind, (const float *)plan->in->data + at, plan->reduced_stride[last],
                            plan->reduced_dim[last], sum, shift);
        int d = last - 1;
        for (; d >= 0; d--) {
            at += plan->reduced_stride[d];
            if (++index[d] < plan->reduced_dim[d]) break;
            at -= plan->reduced_stride[d] * plan->reduced_dim[d];
            index[d] = 0;
        }
        if (d < 0) return sum;
    }
}

static double reduce_real(const reduce_plan *plan, int64_t base) {
    switch (plan->kind) {
    case NZ_REDUCE_MEAN: return fold_rows(plan, NZ_REDUCE_SUM, base, 0, 0) / (double)plan->count;
    case NZ_REDUCE_L2: return sqrt(fold_rows(plan, NZ_REDUCE_L2, base, 0, 0));
    case NZ_REDUCE_LOG_SUM: return log(fold_rows(plan, NZ_REDUCE_SUM, base, 0, 0));
    case NZ_REDUCE_LOG_SUM_EXP: {
        /* Relative to the largest value, so that nothing overflows. */
        double largest = fold_rows(plan, NZ_REDUCE_MAX, base, -INFINITY, 0);
        if (!isfinite(largest)) return largest;
        return largest + log(fold_rows(plan, NZ_REDUCE_LOG_SUM_EXP, base, 0, largest));
    }
    case NZ_REDUCE_PROD: return fold_rows(plan, NZ_REDUCE_PROD, base, 1, 0);
    case NZ_REDUCE_MAX: return fold_rows(plan, NZ_REDUCE_MAX, base, -INFINITY, 0);
    case NZ_REDUCE_MIN: return fold_rows(plan, NZ_REDUCE_MIN, base, INFINITY, 0);
    default: return fold_rows(plan, plan->kind, base, 0, 0);
    }
}

static int64_t update_int(nz_reduce_kind kind, int64_t sum, int64_t x, bool first) {
    uint64_t a = (uint64_t)sum, b = (uint64_t)x;
    switch (kind) {
    case NZ_REDUCE_L1: return (int64_t)(a + (x < 0 ? 0 - b : b));
    case NZ_REDUCE_L2:
    case NZ_REDUCE_SUM_SQUARE: return (int64_t)(a + b * b);
    case NZ_REDUCE_PROD: return first ? x : (int64_t)(a * b);
    case NZ_REDUCE_MAX: return first || x > sum ? x : sum;
    case NZ_REDUCE_MIN: return first || x < sum ? x : sum;
    default: return (int64_t)(a + b);
    }
}

/** Cut off and kept within 64 bits; 0 for what is no number. */
static int64_t whole(double x) { return x != x ? 0 : x >= 0x1p63 ? INT64_MAX : x <= -0x1p63 ? INT64_MIN : (int64_t)x; }

/** Integers by single elements: rare, and never large. The logarithms are taken in f64. */
static int64_t reduce_int(const reduce_plan *plan, int64_t base) {
    int64_t sum = 0;
    double real = 0;
    for (int64_t i = 0; i < plan->count; i++) {
        int64_t rest = i, at = base;
        for (int d = plan->reduced - 1; d >= 0; rest /= plan->reduced_dim[d--])
            at += rest % plan->reduced_dim[d] * plan->reduced_stride[d];
        int64_t x = nz_tensor_int(plan->in, at);
        sum = update_int(plan->kind, sum, x, i == 0);
        real += plan->kind == NZ_REDUCE_LOG_SUM_EXP ? exp((double)x) : (double)x;
    }
    switch (plan->kind) {
    case NZ_REDUCE_MEAN: return plan->count ? sum / plan->count : 0;
    case NZ_REDUCE_L2: return whole(sqrt((double)sum));
    case NZ_REDUCE_LOG_SUM:
    case NZ_REDUCE_LOG_SUM_EXP: return real > 0 ? whole(log(real)) : 0;
    case NZ_REDUCE_PROD: return plan->count ? sum : 1;
    /* Of nothing, the largest is the least number of the type: storing saturates. */
    case NZ_REDUCE_MAX: return plan->count ? sum : INT64_MIN;
    case NZ_REDUCE_MIN: return plan->count ? sum : INT64_MAX;
    default: return sum;
    }
}

static void reduce_part(void *argument, size_t begin, size_t end) {
    const reduce_plan *plan = argument;
    bool real = nz_dtype_get(plan->in->dtype)->is_float;
    for (size_t o = begin; o < end; o++) {
        int64_t base = 0, rest = (int64_t)o;
        for (int d = plan->kept - 1; d >= 0; rest /= plan->kept_dim[d--])
            base += rest % plan->kept_dim[d] * plan->kept_stride[d];
        if (real)
            nz_tensor_set_real(plan->out, (int64_t)o, reduce_real(plan, base));
        else
            nz_tensor_set_int(plan->out, (int64_t)o, reduce_int(plan, base));
    }
}

/** A reduction over an extent of 0 has no rows to walk. */
static void reduce_nothing(const reduce_plan *plan) {
    static const double of_nothing[] = {[NZ_REDUCE_SUM] = 0,
                                        [NZ_REDUCE_MEAN] = NAN,
                                        [NZ_REDUCE_L1] = 0,
                                        [NZ_REDUCE_L2] = 0,
                                        [NZ_REDUCE_SUM_SQUARE] = 0,
                                        [NZ_REDUCE_LOG_SUM] = -INFINITY,
                                        [NZ_REDUCE_LOG_SUM_EXP] = -INFINITY,
                                        [NZ_REDUCE_PROD] = 1,
                                        [NZ_REDUCE_MAX] = -INFINITY,
                                        [NZ_REDUCE_MIN] = INFINITY};
    int64_t n = nz_shape_elements(&plan->out->shape);
    bool real = nz_dtype_get(plan->in->dtype)->is_float;
    for (int64_t i = 0; i < n; i++)
        if (real)
            nz_tensor_set_real(plan->out, i, of_nothing[plan->kind]);
        else
            nz_tensor_set_int(plan->out, i, reduce_int(plan, 0));
}

static nz_status run_reduce(const nz_op_ctx *ctx, nz_reduce_kind kind) {
    unsigned set = 0;
    bool noop = false;
    NZ_TRY(reduced_axes(ctx, &set, &noop));
    if (noop) return nz_op_run_copy(ctx);
    reduce_plan plan = {.kind = kind, .in = ctx->in[0], .out = &ctx->out[0]};
    make_plan(&plan, &ctx->in[0]->shape, set);
    int64_t n = nz_shape_elements(&ctx->out[0].shape);
    if (plan.count == 0)
        reduce_nothing(&plan);
    else
        nz_parallel((size_t)n, (size_t)(16384 / plan.count + 1), reduce_part, &plan);
    return NZ_OK;
}

#define RUN(name, kind)                                                                                                \
    static nz_status plain_##name(const nz_op_ctx *ctx) { return run_reduce(ctx, kind); }                              \
    static nz_status run_##name(const nz_op_ctx *ctx) { return nz_op_run_widened(ctx, plain_##name); }                 \
    static nz_status grad_##name(const nz_op_ctx *ctx, const nz_op_grad *grad) {                                       \
        unsigned set = 0;                                                                                              \
        bool noop = false;                                                                                             \
        NZ_TRY(reduced_axes(ctx, &set, &noop));                                                                        \
        return nz_grad_reduce(ctx, grad, kind, noop ? 0 : set);                                                        \
    }
RUN(sum, NZ_REDUCE_SUM)
RUN(mean, NZ_REDUCE_MEAN)
RUN(l1, NZ_REDUCE_L1)
RUN(l2, NZ_REDUCE_L2)
RUN(sum_square, NZ_REDUCE_SUM_SQUARE)
RUN(log_sum, NZ_REDUCE_LOG_SUM)
RUN(log_sum_exp, NZ_REDUCE_LOG_SUM_EXP)
RUN(prod, NZ_REDUCE_PROD)
RUN(max, NZ_REDUCE_MAX)
RUN(min, NZ_REDUCE_MIN)

/* ---- counting, lifting ---- */

static nz_status count_mean(const nz_op_ctx *ctx, nz_op_cost *cost) {
    NZ_TRY(nz_op_count_input(ctx, cost));
    return nz_op_count_1(ctx, cost);
}

static nz_status count_twice(const nz_op_ctx *ctx, nz_op_cost *cost) {
    return nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->in[0]->shape), 2);
}

static nz_status lift_sum(nz_graph *graph, int node) {
    return graph->nodes[node].opset >= 13 ? NZ_OK : nz_lift_ints(graph, node, "axes", 1);
}

static nz_status lift_others(nz_graph *graph, int node) {
    return graph->nodes[node].opset >= 18 ? NZ_OK : nz_lift_ints(graph, node, "axes", 1);
}

static int since_others(const nz_graph *graph, const nz_node *node) {
    (void)graph;
    bool listed = node->input_count > 1 && node->inputs[1] != NZ_NO_VALUE;
    return listed || nz_attr_get(node, "noop_with_empty_axes") ? 18 : 13;
}

/* ---- entries ---- */

#define TYPES (NZ_TYPES_FLOAT | NZ_TYPE_BIT(NZ_I32) | NZ_TYPE_BIT(NZ_I64) | NZ_TYPE_BIT(NZ_U32) | NZ_TYPE_BIT(NZ_U64))
#define TYPES_ORDERED (TYPES | NZ_TYPE_BIT(NZ_I8) | NZ_TYPE_BIT(NZ_U8) | NZ_TYPE_BIT(NZ_BOOL))
#define REDUCE(label, vs, ts, counter, name_, reads)                                                                   \
    {                                                                                                                  \
        .name = label, .versions = vs, .canonical_since = 18, .plan_inputs = 2,                                        \
        .attributes = NZ_ATTRIBUTES("keepdims", "noop_with_empty_axes"), .types = ts, .lift = lift_others,             \
        .infer = infer_reduce, .count = counter, .run = run_##name_, .since = since_others, .grad = grad_##name_,      \
        .grad_inputs = 1, .grad_reads = reads                                                                          \
    }
#define BOTH (NZ_GRAD_READS_IN | NZ_GRAD_READS_OUT)
#define VERSIONS NZ_VERSIONS(1, 11, 13, 18)

const nz_op nz_ops_reduce[] = {
    REDUCE("ReduceL1", VERSIONS, TYPES, nz_op_count_input, l1, NZ_GRAD_READS_IN),
    REDUCE("ReduceL2", VERSIONS, TYPES, count_twice, l2, BOTH),
    REDUCE("ReduceLogSum", VERSIONS, TYPES, nz_op_count_input, log_sum, NZ_GRAD_READS_OUT),
    REDUCE("ReduceLogSumExp", VERSIONS, TYPES, count_twice, log_sum_exp, BOTH),
    REDUCE("ReduceMax", NZ_VERSIONS(1, 11, 12, 13, 18, 20), TYPES_ORDERED, nz_op_count_input, max, BOTH),
    REDUCE("ReduceMean", VERSIONS, TYPES, count_mean, mean, 0),
    REDUCE("ReduceMin", NZ_VERSIONS(1, 11, 12, 13, 18, 20), TYPES_ORDERED, nz_op_count_input, min, BOTH),
    REDUCE("ReduceProd", VERSIONS, TYPES, nz_op_count_input, prod, NZ_GRAD_READS_IN),
    REDUCE("ReduceSumSquare", VERSIONS, TYPES, count_twice, sum_square, NZ_GRAD_READS_IN),
    {.name = "ReduceSum",
     .versions = NZ_VERSIONS(1, 11, 13),
     .canonical_since = 13,
     .plan_inputs = 2,
     .attributes = NZ_ATTRIBUTES("keepdims", "noop_with_empty_axes"),
     .types = TYPES,
     .lift = lift_sum,
     .infer = infer_reduce,
     .count = nz_op_count_input,
     .run = run_sum,
     .grad = grad_sum,
     .grad_inputs = 1},
    {0},
};
