/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies between any two layouts and element types, quantising on the way: the one kernel behind reorders, Transpose,
 * Slice, Concat, QuantizeLinear and DequantizeLinear. The index space is reduced to as few axes as there are, and the
 * two innermost are walked in tiles, so that a transposition reads and writes whole cache lines.
 */
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/threads.h"
#include "kernel/avx512.h"
#include "kernel/own.h"

enum { TILE = 32, GRAIN_BYTES = 32 * 1024 };

/* A plane of rows x columns; strides in elements. */
typedef struct plane {
    int64_t rows, columns;
    int64_t from_row, from_column, to_row, to_column;
} plane;

/* stored_to = clamp(round((stored_from - from_zero) * from_scale / to_scale) + to_zero) */
typedef struct recode {
    float from_scale, from_zero, to_scale, to_zero, least, most;
    uint8_t table[256]; /* of 8 bits to 8 bits: the code for each code */
} recode;

typedef void plane_function(const void *from, void *to, const plane *p, const recode *q);

typedef struct copy {
    nz_kernel base;
    int rank; /* of the outer axes */
    int64_t dim[NZ_MAX_RANK], from_stride[NZ_MAX_RANK], to_stride[NZ_MAX_RANK];
    plane inner;
    int64_t outer; /* product of dim */
    recode code;
    plane_function *function;
    size_t from_bytes, to_bytes; /* per element */
    const char *from;
    char *to;
    size_t grain;
} copy;

/* Two functions per pair of types: a row of neighbours on both sides, which vectorises, and a plane. VALUE turns x into
 * what is stored. */
#define PLANE_FUNCTION(NAME, FROM, TO, VALUE)                                                                          \
    NZ_CLONES static void NAME##_row(const FROM *restrict f, TO *restrict t, int64_t count, const recode *q) {         \
        const float from_zero = q->from_zero, from_scale = q->from_scale, to_scale = q->to_scale;                      \
        const float to_zero = q->to_zero, least = q->least - to_zero, most = q->most - to_zero;                        \
        (void)from_zero, (void)from_scale, (void)to_scale, (void)least, (void)most;                                    \
        for (int64_t i = 0; i < count; i++) {                                                                          \
            FROM x = f[i];                                                                                             \
            t[i] = VALUE;                                                                                              \
        }                                                                                                              \
    }                                                                                                                  \
    static void NAME(const void *from, void *to, const plane *p, const recode *q) {                                    \
        const float from_zero = q->from_zero, from_scale = q->from_scale, to_scale = q->to_scale;                      \
        const float to_zero = q->to_zero, least = q->least - to_zero, most = q->most - to_zero;                        \
        (void)from_zero, (void)from_scale, (void)to_scale, (void)least, (void)most;                                    \
        for (int64_t r = 0; r < p->rows; r++) {                                                                        \
            const FROM *f = (const FROM *)from + r * p->from_row;                                                      \
            TO *t = (TO *)to + r * p->to_row;                                                                          \
            if (p->from_column == 1 && p->to_column == 1) {                                                            \
                NAME##_row(f, t, p->columns, q);                                                                       \
                continue;                                                                                              \
            }                                                                                                          \
            for (int64_t i = 0; i < p->columns; i++) {                                                                 \
                FROM x = f[i * p->from_column];                                                                        \
                t[i * p->to_column] = VALUE;                                                                           \
            }                                                                                                          \
        }                                                                                                              \
    }

/* NaN fails the first comparison and becomes the least, as in the plain C: what is converted next must be in range. */
static inline float clamp(float x, float least, float most) {
    x = x >= least ? x : least;
    return x > most ? most : x;
}

#define ENCODE(real) (nz_round_even(clamp((real) / to_scale, least, most)) + to_zero)

static inline uint16_t to_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
    return (uint16_t)((bits & 0x7FFFFFFFU) > 0x7F800000U ? (bits >> 16) | 0x40U : rounded);
}

static inline float from_bf16(uint16_t x) {
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

#define DECODE(x) (((float)(x)-from_zero) * from_scale)
PLANE_FUNCTION(copy_1, uint8_t, uint8_t, x)
PLANE_FUNCTION(copy_2, uint16_t, uint16_t, x)
PLANE_FUNCTION(copy_4, uint32_t, uint32_t, x)
PLANE_FUNCTION(copy_8, uint64_t, uint64_t, x)
PLANE_FUNCTION(f32_to_u8, float, uint8_t, (uint8_t)(int32_t)ENCODE(x))
PLANE_FUNCTION(f32_to_i8, float, int8_t, (int8_t)(int32_t)ENCODE(x))
PLANE_FUNCTION(u8_to_f32, uint8_t, float, DECODE(x))
PLANE_FUNCTION(i8_to_f32, int8_t, float, DECODE(x))
PLANE_FUNCTION(f32_to_bf16, float, uint16_t, to_bf16(x))
PLANE_FUNCTION(bf16_to_f32, uint16_t, float, from_bf16(x))

static void recode_8(const void *from, void *to, const plane *p, const recode *q) {
    for (int64_t r = 0; r < p->rows; r++) {
        const uint8_t *f = (const uint8_t *)from + r * p->from_row;
        uint8_t *t = (uint8_t *)to + r * p->to_row;
        if (p->from_column == 1 && p->to_column == 1)
            nz_lookup(q->table, f, t, p->columns);
        else
            for (int64_t i = 0; i < p->columns; i++) t[i * p->to_column] = q->table[f[i * p->from_column]];
    }
}

static void fill_table(recode *q, bool from_signed) {
    for (int i = 0; i < 256; i++) {
        float real = ((float)(from_signed && i > 127 ? i - 256 : i) - q->from_zero) * q->from_scale;
        float code = nz_round_even(clamp(real / q->to_scale, q->least - q->to_zero, q->most - q->to_zero)) + q->to_zero;
        q->table[i] = (uint8_t)(int32_t)code;
    }
}

static const struct {
    nz_dtype from, to;
    plane_function *function;
} conversions[] = {
    {NZ_F32, NZ_U8, f32_to_u8},     {NZ_F32, NZ_I8, f32_to_i8}, {NZ_U8, NZ_F32, u8_to_f32},
    {NZ_I8, NZ_F32, i8_to_f32},     {NZ_U8, NZ_U8, recode_8},   {NZ_U8, NZ_I8, recode_8},
    {NZ_I8, NZ_U8, recode_8},       {NZ_I8, NZ_I8, recode_8},   {NZ_F32, NZ_BF16, f32_to_bf16},
    {NZ_BF16, NZ_F32, bf16_to_f32},
};

static plane_function *find(const nz_kernel_desc *desc) {
    nz_dtype from = desc->src.dtype, to = desc->dst.dtype;
    bool recoded =
        nz_is_8bit(from) && nz_is_8bit(to) &&
        (desc->src_quant.scale != desc->dst_quant.scale || desc->src_quant.zero_point != desc->dst_quant.zero_point);
    if (from == to && !recoded) {
        switch (nz_dtype_get(from)->bits) {
        case 8: return copy_1;
        case 16: return copy_2;
        case 32: return copy_4;
        case 64: return copy_8;
        default: return NULL;
        }
    }
    for (size_t i = 0; i < NZ_COUNT(conversions); i++)
        if (conversions[i].from == from && conversions[i].to == to) return conversions[i].function;
    return NULL;
}

static void copy_bind(nz_kernel *kernel, nz_kernel_arg arg, void *data) {
    copy *self = (copy *)kernel;
    if (arg == NZ_ARG_SRC) self->from = data;
    if (arg == NZ_ARG_DST) self->to = data;
}

/* Three planes of n elements to n triples: an image of three channels becomes channels last. */
#define INTERLEAVE(T)                                                                                                  \
    NZ_CLONES static void interleave_##T(T *restrict to, const T *restrict a, const T *restrict b,                     \
                                         const T *restrict c, int64_t n) {                                             \
        for (int64_t i = 0; i < n; i++) to[3 * i] = a[i], to[3 * i + 1] = b[i], to[3 * i + 2] = c[i];                  \
    }
INTERLEAVE(uint8_t)
INTERLEAVE(uint16_t)
INTERLEAVE(uint32_t)

static bool is_interleaving(const copy *self) {
    const plane *p = &self->inner;
    return p->columns == 3 && p->to_column == 1 && p->from_row == 1 && p->to_row == 3 && self->to_bytes <= 4;
}

/* Converts plane by plane into a buffer that stays in the first cache, then interleaves. */
static void interleave_plane(const copy *self, const char *from, char *to) {
    enum { CHUNK = 512 };
    uint32_t buffer[3][CHUNK];
    const plane *p = &self->inner;
    for (int64_t at = 0; at < p->rows; at += CHUNK) {
        int64_t n = p->rows - at < CHUNK ? p->rows - at : CHUNK;
        plane line = {.rows = 1, .columns = n, .from_column = 1, .to_column = 1};
        for (int64_t c = 0; c < 3; c++)
            self->function(from + (size_t)(c * p->from_column + at) * self->from_bytes, buffer[c], &line, &self->code);
        void *out = to + (size_t)(at * 3) * self->to_bytes;
        if (self->to_bytes == 1)
            interleave_uint8_t(out, (void *)buffer[0], (void *)buffer[1], (void *)buffer[2], n);
        else if (self->to_bytes == 2)
            interleave_uint16_t(out, (void *)buffer[0], (void *)buffer[1], (void *)buffer[2], n);
        else
            interleave_uint32_t(out, (void *)buffer[0], (void *)buffer[1], (void *)buffer[2], n);
    }
}

/* A transposition by tiles; anything else in one go. */
static void copy_plane(const copy *self, const char *from, char *to) {
    const plane *p = &self->inner;
    if (is_interleaving(self)) {
        interleave_plane(self, from, to);
        return;
    }
    if (p->rows == 1 || (p->from_column == 1 && p->to_column == 1)) {
        self->function(from, to, p, &self->code);
        return;
    }
    for (int64_t r = 0; r < p->rows; r += TILE)
        for (int64_t i = 0; i < p->columns; i += TILE) {
            plane tile = *p;
            tile.rows = p->rows - r < TILE ? p->rows - r : TILE;
            tile.columns = p->columns - i < TILE ? p->columns - i : TILE;
            self->function(from + (size_t)(r * p->from_row + i * p->from_column) * self->from_bytes,
                           to + (size_t)(r * p->to_row + i * p->to_column) * self->to_bytes, &tile, &self->code);
        }
}

static void copy_range(void *argument, size_t begin, size_t end) {
    const copy *self = argument;
    for (size_t n = begin; n < end; n++) {
        int64_t from = 0, to = 0, rest = (int64_t)n;
        for (int i = self->rank - 1; i >= 0; i--) {
            from += rest % self->dim[i] * self->from_stride[i];
            to += rest % self->dim[i] * self->to_stride[i];
            rest /= self->dim[i];
        }
        copy_plane(self, self->from + (size_t)from * self->from_bytes, self->to + (size_t)to * self->to_bytes);
    }
}

static nz_status copy_run(nz_kernel *kernel) {
    copy *self = (copy *)kernel;
    nz_parallel((size_t)self->outer, self->grain, copy_range, self);
    return NZ_OK;
}

static void copy_release(nz_kernel *kernel) { free(kernel); }

typedef struct axis {
    int64_t dim, from, to;
} axis;

static int by_destination(const void *a, const void *b) {
    const axis *x = a, *y = b;
    if (x->to != y->to) return x->to < y->to ? 1 : -1;
    return x->from < y->from ? 1 : x->from > y->from ? -1 : 0;
}

/* Axes of extent 1 vanish; an axis that continues the one inside it on both sides joins it. */
static int reduce(axis *axes, const nz_kernel_desc *desc) {
    int count = 0, kept = 0;
    for (int i = 0; i < desc->src.rank; i++)
        if (desc->src.dim[i] != 1) axes[count++] = (axis){desc->src.dim[i], desc->src.stride[i], desc->dst.stride[i]};
    qsort(axes, (size_t)count, sizeof *axes, by_destination);
    for (int i = 0; i < count; i++) {
        axis *last = kept ? &axes[kept - 1] : NULL;
        if (last && last->from == axes[i].dim * axes[i].from && last->to == axes[i].dim * axes[i].to)
            *last = (axis){last->dim * axes[i].dim, axes[i].from, axes[i].to};
        else
            axes[kept++] = axes[i];
    }
    return kept;
}

/* The plane's columns are the axis along which dst has neighbours; its rows, in a transposition, the one along which src has. */
static void arrange(copy *self, axis *axes, int count) {
    self->inner = (plane){.rows = 1, .columns = 1, .from_column = 1, .to_column = 1};
    if (count) {
        axis column = axes[--count];
        self->inner.columns = column.dim, self->inner.from_column = column.from, self->inner.to_column = column.to;
    }
    int row = count - 1;
    for (int i = 0; i < count; i++)
        if (self->inner.from_column != 1 && axes[i].from == 1) row = i;
    if (row >= 0) {
        self->inner.rows = axes[row].dim, self->inner.from_row = axes[row].from, self->inner.to_row = axes[row].to;
        for (int i = row; i < count - 1; i++) axes[i] = axes[i + 1];
        count--;
    }
    /* A lone large plane is cut into strips of rows, so that threads have something to share. */
    if (!count && self->inner.rows >= 8) {
        int64_t parts = 2;
        while (parts * 2 <= 16 && self->inner.rows % (parts * 2) == 0) parts *= 2;
        if (self->inner.rows % parts == 0) {
            int64_t rows = self->inner.rows / parts;
            axes[count++] = (axis){parts, rows * self->inner.from_row, rows * self->inner.to_row};
            self->inner.rows = rows;
        }
    }
    self->rank = count;
    self->outer = 1;
    for (int i = 0; i < count; i++) {
        self->dim[i] = axes[i].dim, self->from_stride[i] = axes[i].from, self->to_stride[i] = axes[i].to;
        self->outer *= axes[i].dim;
    }
}

nz_status nz_copy_create(nz_kernel **ret_kernel, const nz_kernel_desc *desc) {
    plane_function *function = find(desc);
    if (!function || desc->post_count) return NZ_E_UNSUPPORTED;
    for (int i = 0; i < desc->src.rank; i++)
        if (desc->src.dim[i] != desc->dst.dim[i] || desc->src.dim[i] == 0) return NZ_E_UNSUPPORTED;
    copy *self = NULL;
    axis axes[NZ_MAX_RANK + 1];
    NZ_TRY(nz_alloc(&self, 1, sizeof *self));
    self->base.bind = copy_bind, self->base.run = copy_run, self->base.release = copy_release;
    self->function = function;
    self->from_bytes = (size_t)nz_dtype_get(desc->src.dtype)->bits / 8;
    self->to_bytes = (size_t)nz_dtype_get(desc->dst.dtype)->bits / 8;
    bool is_signed = desc->dst.dtype == NZ_I8;
    self->code = (recode){.from_scale = desc->src_quant.scale,
                          .from_zero = (float)desc->src_quant.zero_point,
                          .to_scale = desc->dst_quant.scale,
                          .to_zero = (float)desc->dst_quant.zero_point,
                          .least = is_signed ? -128.0F : 0.0F,
                          .most = is_signed ? 127.0F : 255.0F};
    if (function == recode_8) fill_table(&self->code, desc->src.dtype == NZ_I8);
    arrange(self, axes, reduce(axes, desc));
    size_t each = (size_t)(self->inner.rows * self->inner.columns) * (self->from_bytes + self->to_bytes);
    self->grain = 1 + GRAIN_BYTES / (each ? each : 1);
    snprintf(self->base.name, sizeof self->base.name, "own:copy:%s:%s", nz_dtype_get(desc->src.dtype)->name,
             nz_dtype_get(desc->dst.dtype)->name);
    *ret_kernel = &self->base;
    return NZ_OK;
}
