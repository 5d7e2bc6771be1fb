/* SPDX-License-Identifier: Apache-2.0 */
/** Walking strided tensors: rows in parallel, half precision by way of f32. */
#include <string.h>

#include "core/threads.h"
#include "op/helper.h"

size_t nz_dtype_size(nz_dtype dtype) { return (size_t)nz_dtype_get(dtype)->bits / 8; }

void nz_op_copy(const nz_tensor *out, const nz_tensor *in) {
    int64_t bits = nz_shape_elements(&out->shape) * nz_dtype_get(out->dtype)->bits;
    if (bits > 0 && out->data != in->data) memcpy(out->data, in->data, ((size_t)bits + 7) / 8);
}

nz_status nz_op_run_copy(const nz_op_ctx *ctx) {
    nz_op_copy(&ctx->out[0], ctx->in[0]);
    return NZ_OK;
}

/* ---- half precision ---- */

void nz_narrow_f32(nz_tensor *tensor, const float *values, int64_t count) {
    uint16_t *out = tensor->data;
    if (tensor->dtype == NZ_F32)
        memcpy(tensor->data, values, (size_t)count * sizeof *values);
    else if (tensor->dtype == NZ_F16)
        for (int64_t i = 0; i < count; i++) out[i] = nz_f32_to_f16(values[i]);
    else
        for (int64_t i = 0; i < count; i++) out[i] = nz_f32_to_bf16(values[i]);
}

static bool is_half(nz_dtype dtype) { return dtype == NZ_F16 || dtype == NZ_BF16; }

nz_status nz_op_run_widened(const nz_op_ctx *ctx, nz_status (*run)(const nz_op_ctx *)) {
    bool any = false;
    for (size_t i = 0; i < ctx->in_count; i++) any |= ctx->in[i] && is_half(ctx->in[i]->dtype);
    for (size_t i = 0; i < ctx->out_count; i++) any |= is_half(ctx->out[i].dtype);
    if (!any) return run(ctx);

    nz_op_ctx wide = *ctx;
    nz_tensor *copies, *outputs;
    const nz_tensor **pointers;
    NZ_TRY(nz_arena_alloc(ctx->scratch, &copies, ctx->in_count + 1, sizeof *copies));
    NZ_TRY(nz_arena_alloc(ctx->scratch, &pointers, ctx->in_count + 1, sizeof *pointers));
    NZ_TRY(nz_arena_alloc(ctx->scratch, &outputs, ctx->out_count + 1, sizeof *outputs));
    for (size_t i = 0; i < ctx->in_count; i++) {
        pointers[i] = ctx->in[i];
        if (!ctx->in[i] || !is_half(ctx->in[i]->dtype)) continue;
        float *values;
        NZ_TRY(nz_arena_alloc(ctx->scratch, &values, (size_t)nz_shape_elements(&ctx->in[i]->shape), sizeof *values));
        nz_tensor_to_f32(ctx->in[i], values);
        copies[i] = nz_tensor_borrow(NZ_F32, &ctx->in[i]->shape, values);
        pointers[i] = &copies[i];
    }
    for (size_t i = 0; i < ctx->out_count; i++) {
        outputs[i] = ctx->out[i];
        if (!is_half(ctx->out[i].dtype)) continue;
        float *values;
        NZ_TRY(nz_arena_alloc(ctx->scratch, &values, (size_t)nz_shape_elements(&ctx->out[i].shape), sizeof *values));
        outputs[i] = nz_tensor_borrow(NZ_F32, &ctx->out[i].shape, values);
    }
    wide.in = pointers;
    wide.out = outputs;
    NZ_TRY(run(&wide));
    for (size_t i = 0; i < ctx->out_count; i++)
        if (is_half(ctx->out[i].dtype) && ctx->out[i].data)
            nz_narrow_f32(&ctx->out[i], outputs[i].data, nz_shape_elements(&ctx->out[i].shape));
    return NZ_OK;
}

/* ---- loops ---- */

void nz_loop_init(nz_loop *loop, const nz_shape *shape) {
    memset(loop, 0, sizeof *loop);
    loop->rank = shape->rank;
    for (int d = 0; d < shape->rank; d++) loop->dim[d] = shape->dim[d];
}

void nz_loop_add_strided(nz_loop *loop, const void *data, size_t size, const int64_t *strides) {
    int k = loop->operands++;
    loop->data[k] = (char *)(uintptr_t)data;
    loop->size[k] = size;
    for (int d = 0; d < loop->rank; d++) loop->stride[k][d] = strides[d];
}

void nz_loop_add(nz_loop *loop, const nz_tensor *tensor) {
    int64_t own[NZ_MAX_RANK], strides[2 * NZ_MAX_RANK] = {0};
    int missing = loop->rank - tensor->shape.rank;
    nz_shape_strides(&tensor->shape, own);
    for (int d = 0; d < tensor->shape.rank; d++)
        if (tensor->shape.dim[d] != 1) strides[missing + d] = own[d];
    nz_loop_add_strided(loop, tensor->data, nz_dtype_size(tensor->dtype), strides);
}

/** Whether dimension d can be walked as a continuation of dimension d + 1 by every operand. */
static bool mergeable(const nz_loop *loop, int d) {
    for (int k = 0; k < loop->operands; k++)
        if (loop->stride[k][d] != loop->stride[k][d + 1] * loop->dim[d + 1]) return false;
    return true;
}

static void move_dim(nz_loop *loop, int to, int from) {
    loop->dim[to] = loop->dim[from];
    for (int k = 0; k < loop->operands; k++) loop->stride[k][to] = loop->stride[k][from];
}

static void merge(nz_loop *loop) {
    int kept = 0;
    for (int d = 0; d < loop->rank; d++)
        if (loop->dim[d] != 1) move_dim(loop, kept++, d);
    loop->rank = kept;
    for (int d = loop->rank - 2; d >= 0; d--) {
        if (!mergeable(loop, d)) continue;
        int64_t dim = loop->dim[d] * loop->dim[d + 1];
        for (int later = d; later < loop->rank - 1; later++) move_dim(loop, later, later + 1);
        loop->dim[d] = dim;
        loop->rank--;
    }
    if (loop->rank == 0) {
        loop->rank = 1;
        loop->dim[0] = 1;
        for (int k = 0; k < loop->operands; k++) loop->stride[k][0] = 1;
    }
}

typedef struct walk {
    const nz_loop *loop;
    nz_loop_row *row;
    const void *argument;
} walk;

static void walk_row_part(void *argument, size_t begin, size_t end) {
    const walk *w = argument;
    char *at[NZ_LOOP_OPERANDS];
    int64_t stride[NZ_LOOP_OPERANDS];
    for (int k = 0; k < w->loop->operands; k++) {
        stride[k] = w->loop->stride[k][0];
        at[k] = w->loop->data[k] + (ptrdiff_t)w->loop->size[k] * (int64_t)begin * stride[k];
    }
    w->row(at, stride, (int64_t)(end - begin), w->argument);
}

static void walk_rows(void *argument, size_t begin, size_t end) {
    const walk *w = argument;
    const nz_loop *loop = w->loop;
    int last = loop->rank - 1;
    int64_t index[2 * NZ_MAX_RANK] = {0}, stride[NZ_LOOP_OPERANDS];
    char *at[NZ_LOOP_OPERANDS];
    size_t rest = begin;
    for (int k = 0; k < loop->operands; k++) {
        at[k] = loop->data[k];
        stride[k] = loop->stride[k][last];
    }
    for (int d = last - 1; d >= 0; d--) {
        index[d] = (int64_t)(rest % (size_t)loop->dim[d]);
        rest /= (size_t)loop->dim[d];
        for (int k = 0; k < loop->operands; k++) at[k] += (ptrdiff_t)loop->size[k] * index[d] * loop->stride[k][d];
    }
    for (size_t row = begin; row < end; row++) {
        w->row(at, stride, loop->dim[last], w->argument);
        for (int d = last - 1; d >= 0; d--) {
            int64_t step = ++index[d] < loop->dim[d] ? 1 : 1 - loop->dim[d];
            for (int k = 0; k < loop->operands; k++) at[k] += (ptrdiff_t)loop->size[k] * step * loop->stride[k][d];
            if (step == 1) break;
            index[d] = 0;
        }
    }
}

void nz_loop_run(nz_loop *loop, nz_loop_row *row, const void *argument) {
    enum { GRAIN = 16384 }; /* elements: below about 10 us of work a second thread costs more than it gives */
    for (int d = 0; d < loop->rank; d++)
        if (loop->dim[d] == 0) return;
    merge(loop);
    walk w = {loop, row, argument};
    if (loop->rank == 1) {
        nz_parallel((size_t)loop->dim[0], GRAIN, walk_row_part, &w);
        return;
    }
    size_t rows = 1, grain = (size_t)(GRAIN / loop->dim[loop->rank - 1] + 1);
    for (int d = 0; d < loop->rank - 1; d++) rows *= (size_t)loop->dim[d];
    nz_parallel(rows, grain, walk_rows, &w);
}

#define COPY_ROW(bits)                                                                                                 \
    static void copy_row_##bits(char *const at[], const int64_t stride[], int64_t n, const void *argument) {           \
        uint##bits##_t *to = (void *)at[0];                                                                            \
        const uint##bits##_t *from = (const void *)at[1];                                                              \
        (void)argument;                                                                                                \
        if (stride[0] == 1 && stride[1] == 1)                                                                          \
            memcpy(to, from, (size_t)n * sizeof *to);                                                                  \
        else if (stride[0] == 1 && stride[1] == 0)                                                                     \
            for (int64_t i = 0; i < n; i++) to[i] = *from;                                                             \
        else                                                                                                           \
            for (int64_t i = 0; i < n; i++) to[i * stride[0]] = from[i * stride[1]];                                   \
    }
COPY_ROW(8)
COPY_ROW(16)
COPY_ROW(32)
COPY_ROW(64)

/* ---- copies whose operands run along different dimensions: by square tiles, so that both sides use whole cache lines ---- */

typedef struct tiling {
    const nz_loop *loop;
    int across;     /**< the dimension along which operand 1 is contiguous; operand 0 is along the last one */
    int64_t blocks; /**< tiles along `across` */
} tiling;

enum { TILE = 16 };

#define COPY_TILE(bits)                                                                                                \
    static void copy_tile_##bits(char *to_bytes, const char *from_bytes, int64_t rows, int64_t columns,                \
                                 int64_t to_stride, int64_t from_stride) {                                             \
        uint##bits##_t *to = (void *)to_bytes;                                                                         \
        const uint##bits##_t *from = (const void *)from_bytes;                                                         \
        for (int64_t begin = 0; begin < columns; begin += TILE) {                                                      \
            int64_t end = begin + TILE < columns ? begin + TILE : columns;                                             \
            for (int64_t r = 0; r < rows; r++)                                                                         \
                for (int64_t c = begin; c < end; c++) to[r * to_stride + c] = from[r + c * from_stride];               \
        }                                                                                                              \
    }
COPY_TILE(8)
COPY_TILE(16)
COPY_TILE(32)
COPY_TILE(64)

/** Item i: one band of TILE rows of `across`, at one place of the other dimensions. */
static void copy_bands(void *argument, size_t begin, size_t end) {
    const tiling *t = argument;
    const nz_loop *loop = t->loop;
    const int last = loop->rank - 1;
    void (*const tile)(char *, const char *, int64_t, int64_t, int64_t, int64_t) = loop->size[0] == 1   ? copy_tile_8
                                                                                   : loop->size[0] == 2 ? copy_tile_16
                                                                                   : loop->size[0] == 4 ? copy_tile_32
                                                                                                        : copy_tile_64;
    for (size_t item = begin; item < end; item++) {
        int64_t rest = (int64_t)item / t->blocks, row = (int64_t)item % t->blocks * TILE, to, from;
        to = row * loop->stride[0][t->across];
        from = row;
        for (int d = last - 1; d >= 0; d--) {
            if (d == t->across) continue;
            to += rest % loop->dim[d] * loop->stride[0][d];
            from += rest % loop->dim[d] * loop->stride[1][d];
            rest /= loop->dim[d];
        }
        int64_t rows = loop->dim[t->across] - row < TILE ? loop->dim[t->across] - row : TILE;
        tile(loop->data[0] + to * (int64_t)loop->size[0], loop->data[1] + from * (int64_t)loop->size[1], rows,
             loop->dim[last], loop->stride[0][t->across], loop->stride[1][last]);
    }
}

/** The dimension to tile against the last one, -1 where rows are better. */
static int tile_dimension(const nz_loop *loop) {
    const int last = loop->rank - 1;
    if (loop->stride[0][last] != 1 || loop->stride[1][last] < TILE || loop->dim[last] < TILE / 2) return -1;
    for (int d = 0; d < last; d++)
        if (loop->stride[1][d] == 1 && loop->dim[d] >= TILE / 2) return d;
    return -1;
}

void nz_loop_copy(nz_loop *loop) {
    for (int d = 0; d < loop->rank; d++)
        if (loop->dim[d] == 0) return;
    merge(loop);
    tiling t = {.loop = loop, .across = tile_dimension(loop)};
    if (t.across >= 0) {
        size_t items = 1;
        t.blocks = (loop->dim[t.across] + TILE - 1) / TILE;
        for (int d = 0; d < loop->rank - 1; d++) items *= (size_t)(d == t.across ? t.blocks : loop->dim[d]);
        nz_parallel(items, (size_t)(16384 / (TILE * loop->dim[loop->rank - 1]) + 1), copy_bands, &t);
        return;
    }
    switch (loop->size[0]) {
    case 1: nz_loop_run(loop, copy_row_8, NULL); break;
    case 2: nz_loop_run(loop, copy_row_16, NULL); break;
    case 4: nz_loop_run(loop, copy_row_32, NULL); break;
    default: nz_loop_run(loop, copy_row_64, NULL); break;
    }
}
