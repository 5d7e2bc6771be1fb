/* SPDX-License-Identifier: Apache-2.0 */
/** Sampling at computed places: GridSample and AffineGrid. */
#include <math.h>
#include <string.h>

#include "core/threads.h"
#include "op/families.h"
#include "op/helper.h"

/* ---- AffineGrid ---- */

static nz_status infer_affine_grid(const nz_op_ctx *ctx) {
    int64_t size[5];
    size_t count = 0;
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    NZ_TRY(nz_op_ints(ctx, 1, size, 5, &count));
    const nz_shape *theta = &ctx->in[0]->shape;
    int64_t axes = (int64_t)count - 2;
    if (count < 4 || theta->rank != 3 || theta->dim[1] != axes || theta->dim[2] != axes + 1 ||
        (theta->dim[0] >= 0 && theta->dim[0] != size[0])) {
        char text[112];
        return nz_op_fail(ctx, NZ_E_SHAPE, "theta of shape %s does not fit a size of %zu extents",
                          nz_shape_text(theta, text), count);
    }
    nz_shape out = {.rank = (int)count, .dim = {size[0]}};
    for (size_t d = 2; d < count; d++) out.dim[d - 1] = size[d];
    out.dim[count - 1] = axes;
    for (int d = 0; d < out.rank; d++)
        if (out.dim[d] < 0) return nz_op_fail(ctx, NZ_E_SHAPE, "extent %lld is negative", (long long)out.dim[d]);
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

static nz_status plain_affine_grid(const nz_op_ctx *ctx) {
    const nz_shape *out = &ctx->out[0].shape;
    const int axes = out->rank - 2;
    bool align = nz_attr_int(ctx->node, "align_corners", 0) != 0;
    const float *theta = ctx->in[0]->data;
    float *to = ctx->out[0].data;
    int64_t places = nz_shape_span(out, 1, out->rank - 1);
    for (int64_t n = 0; n < out->dim[0]; n++, theta += axes * (axes + 1))
        for (int64_t place = 0; place < places; place++) {
            double at[3] = {0};
            int64_t rest = place;
            /* Coordinates run x, y, z: against the order of the axes. */
            for (int k = 0; k < axes; k++) {
                int64_t extent = out->dim[axes - k], index = rest % extent;
                rest /= extent;
                if (align)
                    at[k] = extent > 1 ? -1 + 2.0 * (double)index / (double)(extent - 1) : 0;
                else
                    at[k] = -1 + (2.0 * (double)index + 1) / (double)extent;
            }
            for (int k = 0; k < axes; k++) {
                double sum = (double)theta[k * (axes + 1) + axes];
                for (int j = 0; j < axes; j++) sum += (double)theta[k * (axes + 1) + j] * at[j];
                *to++ = (float)sum;
            }
        }
    return NZ_OK;
}
static nz_status run_affine_grid(const nz_op_ctx *ctx) { return nz_op_run_widened(ctx, plain_affine_grid); }

/** One MAC per entry of theta and place. */
static nz_status count_affine_grid(const nz_op_ctx *ctx, nz_op_cost *cost) {
    return nz_op_add_macs(ctx, cost, nz_shape_elements(&ctx->out[0].shape), ctx->in[0]->shape.dim[2]);
}

/* ---- GridSample ---- */

typedef enum grid_padding { GRID_ZEROS, GRID_BORDER, GRID_REFLECTION, GRID_PADDINGS } grid_padding;
static const char *const padding_names[GRID_PADDINGS] = {"zeros", "border", "reflection"};

enum { MOST_AXES = 3, MOST_TAPS = 4 };

typedef struct grid_plan {
    const nz_op_ctx *ctx;
    int axes, taps; /**< taps along each axis: 1 nearest, 2 linear, 4 cubic */
    grid_padding padding;
    bool align;
} grid_plan;

static nz_status read_grid(const nz_op_ctx *ctx, grid_plan *plan) {
    const char *mode = nz_attr_string(ctx->node, "mode", "linear"),
               *padding = nz_attr_string(ctx->node, "padding_mode", "zeros");
    int kind = 0;
    while (kind < GRID_PADDINGS && strcmp(padding, padding_names[kind]) != 0) kind++;
    *plan = (grid_plan){.ctx = ctx, .axes = ctx->in[0]->shape.rank - 2, .padding = (grid_padding)kind};
    plan->taps = strcmp(mode, "nearest") == 0  ? 1
                 : strcmp(mode, "linear") == 0 ? 2
                 : strcmp(mode, "cubic") == 0  ? 4
                                               : 0;
    plan->align = nz_attr_int(ctx->node, "align_corners", 0) != 0;
    if (kind == GRID_PADDINGS || plan->taps == 0 || (plan->taps == 4 && plan->axes != 2))
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "mode '%s' with padding '%s' of %d axes is not supported", mode,
                          padding, plan->axes);
    return NZ_OK;
}

static nz_status infer_grid_sample(const nz_op_ctx *ctx) {
    grid_plan plan;
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    NZ_TRY(nz_op_same_type(ctx, 0, 1));
    NZ_TRY(read_grid(ctx, &plan));
    const nz_shape *in = &ctx->in[0]->shape, *grid = &ctx->in[1]->shape;
    bool fits = (in->rank == 4 || in->rank == 5) && grid->rank == in->rank &&
                (grid->dim[0] == in->dim[0] || in->dim[0] < 0 || grid->dim[0] < 0) &&
                grid->dim[grid->rank - 1] == plan.axes;
    for (int d = 2; fits && d < in->rank; d++) fits = in->dim[d] != 0;
    if (!fits) {
        char a[112], b[112];
        return nz_op_fail(ctx, NZ_E_SHAPE, "a grid of shape %s does not fit %s", nz_shape_text(grid, a),
                          nz_shape_text(in, b));
    }
    nz_shape out = *in;
    for (int d = 2; d < in->rank; d++) out.dim[d] = grid->dim[d - 1];
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

/** Back and forth between low and high. */
static double reflect(double x, double low, double high) {
    double range = high - low;
    if (range <= 0 || !isfinite(x)) return low;
    double beyond = x < low    ? low - x
                    : x > high ? x - high
                               : 0,
           whole = floor(beyond / range), rest = beyond - whole * range;
    if (beyond == 0) return x;
    bool odd = fmod(whole, 2) != 0;
    return (x < low) != odd ? low + rest : high - rest;
}

/** An index within the axis, -1 for a place that counts as 0. */
static int64_t inside(const grid_plan *plan, double index, int64_t extent) {
    double last = (double)(extent - 1);
    if (index >= 0 && index <= last) return (int64_t)index;
    if (plan->padding == GRID_BORDER) return index > last ? extent - 1 : 0;
    if (plan->padding == GRID_ZEROS) return -1;
    double at = reflect(index, plan->align ? 0 : -0.5, plan->align ? last : last + 0.5);
    return at < 0 ? 0 : at > last ? extent - 1 : (int64_t)at;
}

/** Indices and weights along one axis for a coordinate in [-1, 1]. */
static void find_taps(const grid_plan *plan, double coordinate, int64_t extent, int64_t *indices, double *weights) {
    const double a = -0.75, last = (double)(extent - 1);
    double x = plan->align ? (coordinate + 1) / 2 * last : ((coordinate + 1) * (double)extent - 1) / 2;
    double low = plan->align ? 0 : -0.5, high = plan->align ? last : last + 0.5;
    if (!(fabs(x) < 1e15)) x = -1e15;
    if (plan->taps == 1) x = nearbyint(x);
    if (x < low || x > high) {
        if (plan->padding == GRID_BORDER) x = fmin(fmax(x, 0), last);
        if (plan->padding == GRID_REFLECTION) x = reflect(x, low, high);
    }
    double first = plan->taps == 1 ? nearbyint(x) : floor(x) - (plan->taps == 4 ? 1 : 0), t = x - floor(x);
    for (int k = 0; k < plan->taps; k++) indices[k] = inside(plan, first + k, extent);
    weights[0] = plan->taps == 1 ? 1 : 1 - t;
    weights[1] = t;
    if (plan->taps < 4) return;
    weights[0] = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a;
    weights[1] = ((a + 2) * t - (a + 3)) * t * t + 1;
    weights[2] = ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1;
    weights[3] = ((a * (2 - t) - 5 * a) * (2 - t) + 8 * a) * (2 - t) - 4 * a;
}

/** One place of the output grid, in every channel. */
static void sample_place(const grid_plan *plan, int64_t n, int64_t place, int64_t places) {
    const nz_shape *in = &plan->ctx->in[0]->shape;
    const float *grid = (const float *)plan->ctx->in[1]->data + (n * places + place) * plan->axes;
    int64_t indices[MOST_AXES][MOST_TAPS], plane = nz_shape_span(in, 2, in->rank);
    double weights[MOST_AXES][MOST_TAPS];
    int total = 1;
    for (int d = 0; d < plan->axes; d++) {
        find_taps(plan, (double)grid[plan->axes - 1 - d], in->dim[2 + d], indices[d], weights[d]);
        total *= plan->taps;
    }
    for (int64_t c = 0; c < in->dim[1]; c++) {
        const float *from = (const float *)plan->ctx->in[0]->data + (n * in->dim[1] + c) * plane;
        double sum = 0;
        for (int tap = 0; tap < total; tap++) {
            int64_t at = 0;
            double weight = 1;
            for (int d = 0, rest = tap; d < plan->axes; d++, rest /= plan->taps) {
                int64_t index = indices[d][rest % plan->taps];
                weight = index < 0 ? 0 : weight * weights[d][rest % plan->taps];
                at = at * in->dim[2 + d] + (index < 0 ? 0 : index);
            }
            if (weight != 0) sum += weight * (double)from[at];
        }
        ((float *)plan->ctx->out[0].data)[(n * in->dim[1] + c) * places + place] = (float)sum;
    }
}

static void sample_places(void *argument, size_t begin, size_t end) {
    const grid_plan *plan = argument;
    const nz_shape *out = &plan->ctx->out[0].shape;
    int64_t places = nz_shape_span(out, 2, out->rank);
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) sample_place(plan, i / places, i % places, places);
}

static nz_status plain_grid_sample(const nz_op_ctx *ctx) {
    grid_plan plan;
    const nz_shape *out = &ctx->out[0].shape;
    NZ_TRY(read_grid(ctx, &plan));
    if (nz_shape_elements(out) > 0)
        nz_parallel((size_t)(out->dim[0] * nz_shape_span(out, 2, out->rank)), 256, sample_places, &plan);
    return NZ_OK;
}
static nz_status run_grid_sample(const nz_op_ctx *ctx) { return nz_op_run_widened(ctx, plain_grid_sample); }

/** As Resize: 2t - 1 per output of t taps, nothing where the nearest is taken. */
static nz_status count_grid_sample(const nz_op_ctx *ctx, nz_op_cost *cost) {
    grid_plan plan;
    uint64_t taps = 1;
    NZ_TRY(read_grid(ctx, &plan));
    for (int d = 0; d < plan.axes; d++) taps *= (uint64_t)plan.taps;
    return nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->out[0].shape), plan.taps == 1 ? 0 : 2 * taps - 1);
}

/** Opset 20 renamed two modes. */
static nz_status lift_grid_sample(nz_graph *graph, int node) {
    nz_node *n = &graph->nodes[node];
    const char *mode = nz_attr_string(n, "mode", "bilinear");
    if (n->opset >= 20) return NZ_OK;
    bool cubic = strcmp(mode, "bicubic") == 0;
    return cubic || strcmp(mode, "bilinear") == 0 ? nz_node_set_string(n, "mode", cubic ? "cubic" : "linear") : NZ_OK;
}

#define TYPES (NZ_TYPE_BIT(NZ_F32) | NZ_TYPE_BIT(NZ_F16) | NZ_TYPE_BIT(NZ_BF16))

const nz_op nz_ops_grid[] = {
    {.name = "AffineGrid",
     .versions = NZ_VERSIONS(20),
     .canonical_since = 20,
     .plan_inputs = 2,
     .types = TYPES,
     .attributes = NZ_ATTRIBUTES("align_corners"),
     .infer = infer_affine_grid,
     .count = count_affine_grid,
     .run = run_affine_grid},
    {.name = "GridSample",
     .versions = NZ_VERSIONS(16, 20, 22),
     .canonical_since = 20,
     .types = TYPES,
     .attributes = NZ_ATTRIBUTES("mode", "padding_mode", "align_corners"),
     .lift = lift_grid_sample,
     .infer = infer_grid_sample,
     .count = count_grid_sample,
     .run = run_grid_sample},
    {0},
};
