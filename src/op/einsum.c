/* SPDX-License-Identifier: Apache-2.0 */
/** Einsum: products of tensors summed over the labels that the output does not name. */
#include <string.h>

#include "core/threads.h"
#include "op/einsum.h"
#include "op/families.h"
#include "op/grad.h"

enum { MOST_TERMS = 8, MOST_LABELS = 2 * NZ_MAX_RANK, ELLIPSIS = 1 /* labels 1.. stand for the axes of "..." */ };

/** An equation over concrete ranks: every axis of every term by its label's number. */
typedef struct equation {
    size_t terms;
    int rank[MOST_TERMS + 1]; /**< the output's comes last */
    unsigned char label[MOST_TERMS + 1][NZ_MAX_RANK];
    int64_t extent[256]; /**< per label; 0: not seen, -1: unknown */
    bool seen[256];
} equation;

static bool is_label(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/** One term up to ',' or '-' or the end; `dots` axes stand for its ellipsis. false where the text is wrong. */
static bool read_term(const char **text, unsigned char *labels, int *rank, int dots) {
    *rank = 0;
    for (; **text && **text != ',' && **text != '-'; (*text)++) {
        if (**text == ' ') continue;
        int add = 1;
        if (**text == '.') {
            if (strncmp(*text, "...", 3) != 0) return false;
            *text += 2;
            add = dots;
        } else if (!is_label(**text)) {
            return false;
        }
        if (*rank + add > NZ_MAX_RANK) return false;
        /* The axes of an ellipsis are counted from the right, as broadcasting does. */
        for (int k = 0; k < add; k++)
            labels[(*rank)++] =
                **text == '.' ? (unsigned char)(ELLIPSIS + NZ_MAX_RANK - add + k) : (unsigned char)**text;
    }
    return true;
}

/** How many axes the ellipsis of the term at `text` stands for in a tensor of this rank; 0 where there is none. */
static int dots_of(const char *text, int rank) {
    int letters = 0;
    bool dots = false;
    for (; *text && *text != ',' && *text != '-'; text++) {
        letters += is_label(*text);
        dots |= *text == '.';
    }
    return dots && rank > letters ? rank - letters : 0;
}

/** Without "->" the output has the ellipsis, then every label that occurs once, in alphabetical order. */
static bool implicit_output(equation *e, int dots) {
    int *rank = &e->rank[e->terms];
    unsigned char *labels = e->label[e->terms];
    *rank = 0;
    for (int k = 0; k < dots; k++) labels[(*rank)++] = (unsigned char)(ELLIPSIS + NZ_MAX_RANK - dots + k);
    for (int c = 'A'; c <= 'z'; c++) {
        int times = 0;
        for (size_t t = 0; t < e->terms; t++)
            for (int d = 0; d < e->rank[t]; d++) times += e->label[t][d] == c;
        if (times != 1) continue;
        if (*rank == NZ_MAX_RANK) return false;
        labels[(*rank)++] = (unsigned char)c;
    }
    return true;
}

static nz_status read_extents(const nz_op_ctx *ctx, equation *e) {
    for (size_t t = 0; t < e->terms; t++)
        for (int d = 0; d < e->rank[t]; d++) {
            int64_t *known = &e->extent[e->label[t][d]], extent = ctx->in[t]->shape.dim[d];
            bool dots = e->label[t][d] < 'A';
            if (!e->seen[e->label[t][d]] || *known < 0 || (dots && *known == 1))
                *known = extent;
            else if (extent >= 0 && extent != *known && !(dots && extent == 1))
                return nz_op_fail(ctx, NZ_E_SHAPE, "a label has the extents %lld and %lld", (long long)*known,
                                  (long long)extent);
            e->seen[e->label[t][d]] = true;
        }
    return NZ_OK;
}

static nz_status read_equation(const nz_op_ctx *ctx, equation *e) {
    const char *text = nz_attr_string(ctx->node, "equation", ""), *at = text;
    int most_dots = 0;
    memset(e, 0, sizeof *e);
    e->terms = ctx->in_count;
    for (size_t t = 0; t < e->terms; t++) {
        int dots = dots_of(at, ctx->in[t]->shape.rank);
        if (dots > most_dots) most_dots = dots;
        bool right = read_term(&at, e->label[t], &e->rank[t], dots) && (t + 1 == e->terms ? *at != ',' : *at == ',');
        if (!right || e->rank[t] != ctx->in[t]->shape.rank)
            return nz_op_fail(ctx, NZ_E_SHAPE, "equation '%s' does not fit input %zu", text, t);
        if (*at == ',') at++;
    }
    bool right = true;
    if (strncmp(at, "->", 2) == 0) {
        at += 2;
        right = read_term(&at, e->label[e->terms], &e->rank[e->terms], most_dots) && !*at;
    } else {
        right = !*at && implicit_output(e, most_dots);
    }
    NZ_TRY(read_extents(ctx, e));
    for (int d = 0; right && d < e->rank[e->terms]; d++) {
        right = e->seen[e->label[e->terms][d]];
        for (int other = 0; other < d; other++) right = right && e->label[e->terms][other] != e->label[e->terms][d];
    }
    return right ? NZ_OK : nz_op_fail(ctx, NZ_E_SHAPE, "equation '%s' has a broken output", text);
}

static nz_status infer_einsum(const nz_op_ctx *ctx) {
    equation e;
    NZ_TRY(nz_op_check(ctx, 1, MOST_TERMS, 1));
    for (size_t i = 1; i < ctx->in_count; i++) {
        if (!ctx->in[i]) return nz_op_fail(ctx, NZ_E_SHAPE, "input %zu is left out but required", i);
        NZ_TRY(nz_op_same_type(ctx, 0, i));
    }
    NZ_TRY(read_equation(ctx, &e));
    int labels = 0;
    for (int c = 0; c < 256; c++) labels += e.seen[c];
    if (labels > MOST_LABELS)
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "more than %d labels are not supported", MOST_LABELS);
    nz_shape out = {.rank = e.rank[e.terms]};
    for (int d = 0; d < out.rank; d++) out.dim[d] = e.extent[e.label[e.terms][d]];
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

/** The labels in the order of the walk: the output's first, then those that are summed. */
typedef struct einsum_walk {
    int outer, total;
    int64_t extent[MOST_LABELS];
    int64_t stride[MOST_TERMS][MOST_LABELS];
} einsum_walk;

static void plan_walk(const nz_op_ctx *ctx, const equation *e, einsum_walk *walk) {
    int place[256];
    memset(walk, 0, sizeof *walk);
    memset(place, -1, sizeof place);
    for (int d = 0; d < e->rank[e->terms]; d++) place[e->label[e->terms][d]] = walk->total++;
    walk->outer = walk->total;
    for (int c = 0; c < 256; c++)
        if (e->seen[c] && place[c] < 0) place[c] = walk->total++;
    for (int c = 0; c < 256; c++)
        if (e->seen[c]) walk->extent[place[c]] = e->extent[c];
    for (size_t t = 0; t < e->terms; t++) {
        int64_t own[NZ_MAX_RANK];
        nz_shape_strides(&ctx->in[t]->shape, own);
        for (int d = 0; d < e->rank[t]; d++)
            if (ctx->in[t]->shape.dim[d] != 1) walk->stride[t][place[e->label[t][d]]] += own[d];
    }
}

/** The sum over the last label for f32: a loop without calls. */
static double row_float(const nz_op_ctx *ctx, const einsum_walk *walk, size_t terms, const int64_t *at) {
    const int last = walk->total - 1;
    double sum = 0;
    if (terms == 2) {
        const float *a = (const float *)ctx->in[0]->data + at[0], *b = (const float *)ctx->in[1]->data + at[1];
        const int64_t step_a = walk->stride[0][last], step_b = walk->stride[1][last];
        for (int64_t i = 0; i < walk->extent[last]; i++) sum += (double)a[i * step_a] * (double)b[i * step_b];
        return sum;
    }
    for (int64_t i = 0; i < walk->extent[last]; i++) {
        double product = 1;
        for (size_t t = 0; t < terms; t++)
            product *= (double)((const float *)ctx->in[t]->data)[at[t] + i * walk->stride[t][last]];
        sum += product;
    }
    return sum;
}

/** Decodes position `i` of walk axes [from, to) into an offset per term. */
static void add_offsets(const einsum_walk *walk, size_t terms, int from, int to, int64_t i, int64_t *offsets) {
    for (int a = to - 1; a >= from; a--) {
        int64_t index = i % walk->extent[a];
        i /= walk->extent[a];
        for (size_t t = 0; t < terms; t++) offsets[t] += index * walk->stride[t][a];
    }
}

typedef struct einsum_job {
    const nz_op_ctx *ctx;
    einsum_walk walk;
    size_t terms;
    int64_t rows; /**< rows along the last label per output */
} einsum_job;

static void einsum_floats(void *argument, size_t begin, size_t end) {
    const einsum_job *job = argument;
    for (size_t o = begin; o < end; o++) {
        int64_t base[MOST_TERMS] = {0};
        double sum = 0;
        add_offsets(&job->walk, job->terms, 0, job->walk.outer, (int64_t)o, base);
        for (int64_t row = 0; row < job->rows; row++) {
            int64_t at[MOST_TERMS];
            memcpy(at, base, sizeof at);
            add_offsets(&job->walk, job->terms, job->walk.outer, job->walk.total - 1, row, at);
            sum += row_float(job->ctx, &job->walk, job->terms, at);
        }
        ((float *)job->ctx->out[0].data)[o] = (float)sum;
    }
}

static nz_status plain_einsum(const nz_op_ctx *ctx) {
    equation e;
    einsum_walk walk;
    NZ_TRY(read_equation(ctx, &e));
    plan_walk(ctx, &e, &walk);
    bool real = nz_dtype_get(ctx->out[0].dtype)->is_float;
    int64_t outputs = nz_shape_elements(&ctx->out[0].shape), inner = 1;
    for (int a = walk.outer; a < walk.total; a++) inner *= walk.extent[a];
    if (ctx->out[0].dtype == NZ_F32 && walk.total > walk.outer && inner > 0) {
        einsum_job job = {ctx, walk, e.terms, inner / walk.extent[walk.total - 1]};
        nz_parallel((size_t)outputs, (size_t)(16384 / inner + 1), einsum_floats, &job);
        return NZ_OK;
    }
    for (int64_t o = 0; o < outputs; o++) {
        int64_t base[MOST_TERMS] = {0};
        double sum = 0;
        uint64_t whole = 0;
        add_offsets(&walk, e.terms, 0, walk.outer, o, base);
        for (int64_t i = 0; i < inner; i++) {
            int64_t at[MOST_TERMS];
            double product = 1;
            uint64_t whole_product = 1;
            memcpy(at, base, sizeof at);
            add_offsets(&walk, e.terms, walk.outer, walk.total, i, at);
            for (size_t t = 0; t < e.terms; t++) {
                if (real)
                    product *= nz_tensor_real(ctx->in[t], at[t]);
                else
                    whole_product *= (uint64_t)nz_tensor_int(ctx->in[t], at[t]);
            }
            sum += product;
            whole += whole_product;
        }
        if (real)
            nz_tensor_set_real(&ctx->out[0], o, sum);
        else
            nz_tensor_set_int(&ctx->out[0], o, (int64_t)whole);
    }
    return NZ_OK;
}
static nz_status run_einsum(const nz_op_ctx *ctx) { return nz_op_run_widened(ctx, plain_einsum); }

/* ---- gradients ---- */

/** Labels of term `t` without repetition, each with the step between neighbours in its tensor; an axis that was broadcast
 * ("..." of extent 1) is left out, so that it is summed. */
static int own_labels(const nz_op_ctx *ctx, const equation *e, size_t t, unsigned char *labels, int64_t *steps) {
    int64_t own[NZ_MAX_RANK];
    int count = 0;
    nz_shape_strides(&ctx->in[t]->shape, own);
    for (int d = 0; d < e->rank[t]; d++) {
        int k = 0;
        if (ctx->in[t]->shape.dim[d] == 1) continue;
        while (k < count && labels[k] != e->label[t][d]) k++;
        if (k == count) labels[count++] = e->label[t][d], steps[k] = 0;
        steps[k] += own[d];
    }
    return count;
}

/** The gradient by term t is an Einsum itself: what flows in takes the term's place, and the term that of the output. */
static nz_status grad_term(const nz_op_ctx *ctx, const nz_op_grad *grad, const equation *e, size_t t) {
    equation turned = *e;
    nz_op_ctx inner = *ctx;
    const nz_tensor **in;
    int64_t steps[NZ_MAX_RANK], n = nz_shape_elements(&ctx->in[t]->shape), points = 1, rest = 1;
    float *to = nz_grad_to(ctx, grad, t), *dense;
    NZ_TRY(nz_arena_alloc(ctx->scratch, &in, ctx->in_count, sizeof *in));
    for (size_t i = 0; i < ctx->in_count; i++) in[i] = i == t ? grad->dout[0] : ctx->in[i];
    inner.in = in;
    turned.rank[t] = e->rank[e->terms];
    memcpy(turned.label[t], e->label[e->terms], sizeof turned.label[t]);
    turned.rank[e->terms] = own_labels(ctx, e, t, turned.label[e->terms], steps);
    einsum_job job = {.ctx = &inner, .terms = e->terms};
    plan_walk(&inner, &turned, &job.walk);
    if (job.walk.total == job.walk.outer) job.walk.extent[job.walk.total++] = 1; /* rows of one */
    for (int a = 0; a < job.walk.outer; a++) points *= job.walk.extent[a];
    for (int a = job.walk.outer; a < job.walk.total - 1; a++) rest *= job.walk.extent[a];
    job.rows = rest;
    NZ_TRY(nz_arena_alloc(ctx->scratch, &dense, (size_t)points, sizeof *dense));
    nz_tensor result = nz_tensor_borrow(NZ_F32, &ctx->in[t]->shape, dense);
    inner.out = &result;
    int64_t row = rest * job.walk.extent[job.walk.total - 1];
    nz_parallel((size_t)points, (size_t)(16384 / (row + 1) + 1), einsum_floats, &job);
    /* Of a label that occurs twice only the diagonal was read. */
    memset(to, 0, (size_t)n * sizeof *to);
    for (int64_t i = 0; i < points; i++) {
        int64_t left = i, at = 0;
        for (int a = job.walk.outer - 1; a >= 0; left /= job.walk.extent[a--])
            at += left % job.walk.extent[a] * steps[a];
        to[at] = dense[i];
    }
    return NZ_OK;
}

static nz_status grad_einsum(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    equation e;
    NZ_TRY(read_equation(ctx, &e));
    for (size_t t = 0; t < e.terms; t++)
        if (nz_grad_to(ctx, grad, t)) NZ_TRY(grad_term(ctx, grad, &e, t));
    return NZ_OK;
}

/** A MAC per point of the whole walk and further factor; of a single tensor only the summing costs. */
static nz_status count_einsum(const nz_op_ctx *ctx, nz_op_cost *cost) {
    equation e;
    int64_t points = 1;
    NZ_TRY(read_equation(ctx, &e));
    for (int c = 0; c < 256; c++) {
        if (!e.seen[c]) continue;
        if (e.extent[c] < 0 || __builtin_mul_overflow(points, e.extent[c], &points))
            return nz_op_fail(ctx, NZ_E_SHAPE, "operations cannot be counted while a shape is not known");
    }
    if (e.terms > 1) return nz_op_add_macs(ctx, cost, points, (int64_t)e.terms - 1);
    return points == nz_shape_elements(&ctx->out[0].shape) ? NZ_OK : nz_op_add_ops(ctx, cost, points, 1);
}

const nz_op nz_ops_einsum[] = {
    {.name = "Einsum",
     .versions = NZ_VERSIONS(12),
     .canonical_since = 12,
     .flags = NZ_OP_HAS_MACS,
     .attributes = NZ_ATTRIBUTES("equation"),
     .types = NZ_TYPES_NUMBER,
     .lift = nz_lift_einsum,
     .infer = infer_einsum,
     .count = count_einsum,
     .run = run_einsum,
     .grad = grad_einsum,
     .grad_inputs = NZ_GRAD_ALL_INPUTS,
     .grad_reads = NZ_GRAD_READS_IN,
     .params = 3},
    {0},
};
