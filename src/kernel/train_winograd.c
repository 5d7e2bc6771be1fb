/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 3x3 convolutions of stride 1 in f32, channels last, by Winograd's minimal filtering F(2x2, 3x3) and F(4x4, 3x3) in all three
 * directions: forward; backward to the source, which is forward with filters turned and their channels swapped; and
 * backward to the weights, where the transformed source and the transformed gradient are multiplied position by position
 * and summed over tiles. Weights and their gradient are kept as [9, in, out], so that every transformation of them works
 * on vectors. Tiles are taken few at a time, so that what lies between the transformations stays in the nearest caches.
 * @source A. Lavin, S. Gray: Fast Algorithms for Convolutional Neural Networks, arXiv 1509.09308
 */
#include "kernel/train_winograd.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/threads.h"
#include "kernel/avx512_train.h"
#include "kernel/train_packing.h"

enum {
    TAPS = 9,
    TILES_LEAST = 8,
    TILES_MANY = 32,
    FILTERS_MANY = 256 * 1024,
    CACHE_FLOATS = 12 * 1024,
    COPIES_FLOATS = 4 << 20
};

typedef struct image {
    int64_t h, w, channels; /* dense, channels last */
} image;

/* One direction of data: a convolution from one image to another. */
typedef struct pass {
    image from, to;
    int64_t pad_h, pad_w, tiles_h, tiles_w, tiles, at_once; /* tiles of `to`; of all images; of one block */
    int64_t step_from, step_to;                             /* between positions of transformed tiles */
} pass;

typedef struct layer {
    nz_train_layer base;
    nz_packing packing;
    int size;
    int64_t batch, threads, copies;
    bool by_position; /* threads share the positions of the weights' gradient instead of the tiles */
    pass forward, back, weights;
    float *scratch, *zeros; /* zeros: a bias */
    /* of the call that runs */
    const pass *pass;
    const float *x, *dy, *kept, *bias;
    float *y, *dweights, *dbias;
} layer;

static int64_t positions(const layer *l) { return (int64_t)(l->size + 2) * (l->size + 2); }
static int64_t channel_pairs(const layer *l) { return l->forward.from.channels * l->forward.to.channels; }
/* Between positions of transformed filters: not a power of two apart, which would be the same cache set. */
static int64_t filter_step(const layer *l) { return channel_pairs(l) + NZ_LANES; }
static int least(int64_t a, int64_t b) { return (int)(a < b ? a : b); }

/* Scratch: transformed filters (or the sums of their gradients), then for each thread its transformed tiles. */
static int64_t block_floats(const layer *l, const pass *p) { return positions(l) * (p->step_from + p->step_to); }

/* -- one tile ------------------------------------------------------------------------------------------------------- */

typedef struct place {
    int64_t n, h, w; /* image and first pixel of the tile */
} place;

static place place_of(const layer *l, const pass *p, int64_t tile) {
    return (place){tile / (p->tiles_h * p->tiles_w), tile / p->tiles_w % p->tiles_h * l->size,
                   tile % p->tiles_w * l->size};
}

/* Reads a run of memory once, in order. */
static void touch(const float *from, int64_t count) {
    for (int64_t i = 0; i < count; i += NZ_LANES) (void)*(const volatile float *)(from + i);
}

/* Brings the pixels under tiles [first, last] of an image into the caches, row by row: CPUs fetch ahead of reads in order,
 * not of the few pixels in each of several rows that a tile is made of. A tile begins `before` its own pixels
 * and is `reach` wide. */
static void fetch(const layer *l, const pass *p, const image *i, const float *data, int64_t first, int64_t last,
                  int64_t before_h, int64_t before_w, int64_t reach) {
    place a = place_of(l, p, first), b = place_of(l, p, last);
    int64_t row = i->w * i->channels, h0 = a.h - before_h, h1 = b.h - before_h + reach;
    if (h0 < 0) h0 = 0;
    if (h1 > i->h) h1 = i->h;
    if (a.n != b.n || a.h != b.h) {
        touch(data + (a.n * i->h + h0) * row, ((b.n - a.n) * i->h + h1 - h0) * row);
        return;
    }
    int64_t w0 = a.w - before_w, w1 = b.w - before_w + reach;
    if (w0 < 0) w0 = 0;
    if (w1 > i->w) w1 = i->w;
    for (int64_t h = h0; h < h1; h++) touch(data + (a.n * i->h + h) * row + w0 * i->channels, (w1 - w0) * i->channels);
}

static void fetch_from(const layer *l, const pass *p, const float *x, int64_t first, int64_t tiles) {
    fetch(l, p, &p->from, x, first, first + tiles - 1, p->pad_h, p->pad_w, l->size + 2);
}

static void fetch_to(const layer *l, const pass *p, const float *y, int64_t first, int64_t tiles) {
    fetch(l, p, &p->to, y, first, first + tiles - 1, 0, 0, l->size);
}

static void transform_from(const layer *l, const pass *p, const float *x, int64_t tile, float *v) {
    place at = place_of(l, p, tile);
    int64_t h = at.h - p->pad_h, w = at.w - p->pad_w, side = l->size + 2, row = p->from.w * p->from.channels;
    nz_tile inside = {h < 0 ? (int)-h : 0, least(side, p->from.h - h), w < 0 ? (int)-w : 0, least(side, p->from.w - w)};
    nz_winograd_input(l->size, &inside, x + (at.n * p->from.h + h) * row + w * p->from.channels, row, p->from.channels,
                      p->from.channels, v, p->step_from);
}

static void transform_to(const layer *l, const pass *p, float *y, int64_t tile, const float *m) {
    place at = place_of(l, p, tile);
    int64_t row = p->to.w * p->to.channels;
    nz_tile inside = {0, least(l->size, p->to.h - at.h), 0, least(l->size, p->to.w - at.w)};
    nz_epilogue plain = {.bias = l->bias, .least = -INFINITY, .most = INFINITY, .slope = 1};
    nz_winograd_output(l->size, &inside, m, p->step_to, p->to.channels,
                       y + (at.n * p->to.h + at.h) * row + at.w * p->to.channels, row, p->to.channels, NULL, 0, 0,
                       &plain);
}

static void transform_gradient(const layer *l, const pass *p, const float *dy, int64_t tile, float *m) {
    place at = place_of(l, p, tile);
    int64_t row = p->to.w * p->to.channels;
    nz_tile inside = {0, least(l->size, p->to.h - at.h), 0, least(l->size, p->to.w - at.w)};
    nz_winograd_output_back(l->size, &inside, dy + (at.n * p->to.h + at.h) * row + at.w * p->to.channels, row,
                            p->to.channels, p->to.channels, m, p->step_to);
}

/* -- filters ---------------------------------------------------------------------------------------------------------- */

/* Where a product wants element (k, column) of its right operand: see nz_gemm_panel. */
static int64_t packed(int64_t rows, int64_t columns, int64_t k, int64_t column) {
    int64_t panel = column / 64 * 64;
    return panel * rows + k * nz_gemm_panel(columns, panel) + column - panel;
}

/* Index: source channels. */
static void filters_forward(void *argument, size_t begin, size_t end) {
    const layer *l = argument;
    int64_t in = l->forward.from.channels, out = l->forward.to.channels;
    for (int64_t c = (int64_t)begin; c < (int64_t)end; c++)
        for (int64_t o = 0; o < out; o += NZ_LANES)
            nz_winograd_weights(l->size, l->kept + c * out + o, in * out, false, l->scratch + packed(in, out, c, o),
                                filter_step(l));
}

/* Index: source channels by 16. */
static void filters_back(void *argument, size_t begin, size_t end) {
    const layer *l = argument;
    int64_t in = l->forward.from.channels, out = l->forward.to.channels;
    float turned[TAPS][NZ_LANES][NZ_LANES]; /* one output channel and 16 source channels each */
    for (int64_t c = (int64_t)begin * NZ_LANES; c < (int64_t)end * NZ_LANES; c += NZ_LANES)
        for (int64_t o = 0; o < out; o += NZ_LANES) {
            for (int64_t tap = 0; tap < TAPS; tap++)
                nz_transpose16(l->kept + (tap * in + c) * out + o, out, turned[tap][0], NZ_LANES);
            for (int64_t i = 0; i < NZ_LANES; i++)
                nz_winograd_weights(l->size, turned[0][i], NZ_LANES * NZ_LANES, true,
                                    l->scratch + packed(out, in, o + i, c), filter_step(l));
        }
}

/* -- data in both directions -------------------------------------------------------------------------------------------- */

/* Threads [begin, end): each its share of the blocks of tiles, from input to output. */
static void convolve(void *argument, size_t begin, size_t end) {
    const layer *l = argument;
    const pass *p = l->pass;
    int64_t count = positions(l), filter = filter_step(l), blocks = (p->tiles + p->at_once - 1) / p->at_once;
    for (int64_t thread = (int64_t)begin; thread < (int64_t)end; thread++) {
        float *v = l->scratch + count * filter + thread * block_floats(l, p), *m = v + count * p->step_from;
        for (int64_t b = blocks * thread / l->threads; b < blocks * (thread + 1) / l->threads; b++) {
            int64_t first = b * p->at_once, tiles = least(p->at_once, p->tiles - first);
            fetch_from(l, p, l->x, first, tiles);
            for (int64_t t = 0; t < tiles; t++) transform_from(l, p, l->x, first + t, v + t * p->from.channels);
            for (int64_t i = 0; i < count; i++)
                nz_gemm_block(tiles, p->to.channels, p->from.channels, v + i * p->step_from, p->from.channels,
                              l->scratch + i * filter, m + i * p->step_to, p->to.channels);
            fetch_to(l, p, l->y, first, tiles);
            for (int64_t t = 0; t < tiles; t++) transform_to(l, p, l->y, first + t, m + t * p->to.channels);
        }
    }
}

static nz_status winograd_forward(nz_train_layer *base, const void *src, const float *weights, const float *bias,
                                  void *dst) {
    layer *l = (layer *)base;
    l->pass = &l->forward, l->x = src, l->y = dst, l->kept = weights, l->bias = bias ? bias : l->zeros;
    nz_parallel((size_t)l->forward.from.channels, 8, filters_forward, l);
    nz_parallel((size_t)l->threads, 1, convolve, l);
    return NZ_OK;
}

static nz_status winograd_backward_data(nz_train_layer *base, const void *ddst, const float *weights, void *dsrc) {
    layer *l = (layer *)base;
    l->pass = &l->back, l->x = ddst, l->y = dsrc, l->kept = weights, l->bias = l->zeros;
    nz_parallel((size_t)(l->forward.from.channels / NZ_LANES), 2, filters_back, l);
    nz_parallel((size_t)l->threads, 1, convolve, l);
    return NZ_OK;
}

/* -- weights ------------------------------------------------------------------------------------------------------------ */

/* Copies [begin, end): each sums over its share of the tiles. */
static void sum_tiles(void *argument, size_t begin, size_t end) {
    const layer *l = argument;
    const pass *p = &l->weights;
    int64_t count = positions(l), filter = filter_step(l), blocks = (p->tiles + p->at_once - 1) / p->at_once;
    for (int64_t copy = (int64_t)begin; copy < (int64_t)end; copy++) {
        float *sums = l->scratch + copy * count * filter;
        float *v = l->scratch + l->copies * count * filter + copy * block_floats(l, p), *m = v + count * p->step_from;
        int64_t b = blocks * copy / l->copies, last = blocks * (copy + 1) / l->copies;
        for (bool add = false; b < last; b++, add = true) {
            int64_t first = b * p->at_once, tiles = least(p->at_once, p->tiles - first);
            fetch_from(l, p, l->x, first, tiles), fetch_to(l, p, l->dy, first, tiles);
            for (int64_t t = 0; t < tiles; t++) {
                transform_from(l, p, l->x, first + t, v + t * p->from.channels);
                transform_gradient(l, p, l->dy, first + t, m + t * p->to.channels);
            }
            for (int64_t i = 0; i < count; i++)
                nz_outer_block(p->from.channels, p->to.channels, tiles, v + i * p->step_from, p->from.channels,
                               m + i * p->step_to, p->to.channels, sums + i * filter, add);
        }
    }
}

static float *all_tiles(const layer *l) { return l->scratch + positions(l) * filter_step(l); }

static void transform_range(void *argument, size_t begin, size_t end) {
    const layer *l = argument;
    const pass *p = &l->weights;
    float *v = all_tiles(l), *m = v + positions(l) * p->step_from;
    for (int64_t t = (int64_t)begin; t < (int64_t)end; t++) {
        transform_from(l, p, l->x, t, v + t * p->from.channels);
        transform_gradient(l, p, l->dy, t, m + t * p->to.channels);
    }
}

static void sum_positions(void *argument, size_t begin, size_t end) {
    const layer *l = argument;
    const pass *p = &l->weights;
    float *v = all_tiles(l), *m = v + positions(l) * p->step_from;
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++)
        nz_outer_block(p->from.channels, p->to.channels, p->tiles, v + i * p->step_from, p->from.channels,
                       m + i * p->step_to, p->to.channels, l->scratch + i * filter_step(l), false);
}

/* Index: pairs of channels by 16. */
static void finish_weights(void *argument, size_t begin, size_t end) {
    const layer *l = argument;
    int64_t pairs = channel_pairs(l);
    for (int64_t i = (int64_t)begin * NZ_LANES; i < (int64_t)end * NZ_LANES; i += NZ_LANES)
        nz_winograd_weights_back(l->size, l->scratch + i, filter_step(l), l->copies, positions(l) * filter_step(l),
                                 l->dweights + i, pairs);
}

/* Index: output channels by 16. */
static void sum_bias(void *argument, size_t begin, size_t end) {
    const layer *l = argument;
    int64_t channels = l->weights.to.channels, rows = l->batch * l->weights.to.h * l->weights.to.w;
    for (int64_t c = (int64_t)begin * NZ_LANES; c < (int64_t)end * NZ_LANES; c += NZ_LANES) {
        double sums[NZ_LANES] = {0};
        for (int64_t row = 0; row < rows; row++)
            for (int64_t k = 0; k < NZ_LANES; k++) sums[k] += (double)l->dy[row * channels + c + k];
        for (int64_t k = 0; k < NZ_LANES; k++) l->dbias[c + k] = (float)sums[k];
    }
}

static nz_status winograd_backward_weights(nz_train_layer *base, const void *src, const void *ddst, float *dweights,
                                           float *dbias) {
    layer *l = (layer *)base;
    l->x = src, l->dy = ddst, l->dweights = dweights, l->dbias = dbias;
    if (l->by_position) {
        nz_parallel((size_t)l->weights.tiles, 4, transform_range, l);
        nz_parallel((size_t)positions(l), 1, sum_positions, l);
    } else
        nz_parallel((size_t)l->copies, 1, sum_tiles, l);
    nz_parallel((size_t)(channel_pairs(l) / NZ_LANES), 64, finish_weights, l);
    if (dbias) nz_parallel((size_t)(l->weights.to.channels / NZ_LANES), 1, sum_bias, l);
    return NZ_OK;
}

/* -- the order of weights: [9, in, out] --------------------------------------------------------------------------------- */

static const layer *layer_of(const nz_packing *packing) {
    return (const layer *)((const char *)packing - offsetof(layer, packing));
}

static void packing_in(const nz_packing *packing, float *kept, const float *plain) {
    const layer *l = layer_of(packing);
    int64_t in = l->forward.from.channels, out = l->forward.to.channels;
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t tap = 0; tap < TAPS; tap++) kept[(tap * in + i) * out + o] = plain[(o * in + i) * TAPS + tap];
}

static void packing_out(const nz_packing *packing, float *plain, const float *kept) {
    const layer *l = layer_of(packing);
    int64_t in = l->forward.from.channels, out = l->forward.to.channels;
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t tap = 0; tap < TAPS; tap++) plain[(o * in + i) * TAPS + tap] = kept[(tap * in + i) * out + o];
}

/* -- making --------------------------------------------------------------------------------------------------------------- */

static void bind_scratch(nz_train_layer *base, void *scratch) { ((layer *)base)->scratch = scratch; }

static void release(nz_train_layer *base) {
    layer *l = (layer *)base;
    free(l->zeros);
    free(l);
}

static bool fits(const nz_train_layer_desc *d) {
    const nz_window *w = &d->window;
    if (!nz_avx512() || d->op != NZ_KERNEL_CONV || d->groups != 1 || w->rank != 2 || d->plain_weights) return false;
    if (d->src.dtype != NZ_F32 || d->dst.dtype != NZ_F32 || d->src.dim[1] % NZ_LANES || d->dst.dim[1] % NZ_LANES)
        return false;
    for (int i = 1; i < 3; i++)
        if (w->kernel[i] != 3 || w->stride[i] != 1 || w->dilation[i] != 1 || w->begin[i] < 0 || w->begin[i] > 2 ||
            w->end[i] < 0 || w->end[i] > 2)
            return false;
    nz_shape src = {.rank = 4}, dst = {.rank = 4};
    for (int i = 0; i < 4; i++) src.dim[i] = d->src.dim[i], dst.dim[i] = d->dst.dim[i];
    nz_mem dense_src = nz_mem_channels_last(NZ_F32, &src), dense_dst = nz_mem_channels_last(NZ_F32, &dst);
    return nz_mem_same(&d->src, &dense_src) && nz_mem_same(&d->dst, &dense_dst);
}

static pass make_pass(const layer *l, image from, image to, int64_t pad_h, int64_t pad_w, int64_t tiles_least) {
    pass p = {.from = from, .to = to, .pad_h = pad_h, .pad_w = pad_w};
    p.tiles_h = (to.h + l->size - 1) / l->size, p.tiles_w = (to.w + l->size - 1) / l->size;
    p.tiles = l->batch * p.tiles_h * p.tiles_w;
    p.at_once = CACHE_FLOATS / (positions(l) * (from.channels + to.channels));
    if (p.at_once < tiles_least) p.at_once = tiles_least;
    int64_t blocks = (p.tiles + p.at_once - 1) / p.at_once;
    if (blocks < l->threads && p.tiles >= l->threads) blocks = l->threads;
    p.at_once = (p.tiles + blocks - 1) / blocks;
    if (p.at_once > p.tiles_w) p.at_once -= p.at_once % p.tiles_w; /* whole rows of tiles */
    /* Not a power of two apart: the same cache set otherwise. */
    p.step_from = p.at_once * from.channels + NZ_LANES, p.step_to = p.at_once * to.channels + NZ_LANES;
    return p;
}

static void plan(layer *l, const nz_train_layer_desc *d) {
    const nz_window *w = &d->window;
    image from = {w->in[1], w->in[2], d->src.dim[1]}, to = {w->out[1], w->out[2], d->dst.dim[1]};
    int64_t sums = positions(l) * (from.channels * to.channels + NZ_LANES);
    /* Filters that leave the nearest caches are read once for more tiles. */
    int64_t tiles = sums > FILTERS_MANY ? TILES_MANY : TILES_LEAST;
    l->forward = make_pass(l, from, to, w->begin[1], w->begin[2], tiles);
    l->back = make_pass(l, to, from, 2 - w->begin[1], 2 - w->begin[2], tiles);
    l->weights = make_pass(l, from, to, w->begin[1], w->begin[2], 2 * TILES_LEAST);
    l->copies = l->threads < COPIES_FLOATS / sums ? l->threads : COPIES_FLOATS / sums;
    if (l->copies > l->weights.tiles / l->weights.at_once) l->copies = l->weights.tiles / l->weights.at_once;
    if (l->copies < 1) l->copies = 1;
    l->by_position = l->weights.tiles <= 4 * l->weights.at_once;
    if (l->by_position) {
        l->copies = 1;
        l->weights.at_once = l->weights.tiles;
        l->weights.step_from = l->weights.tiles * from.channels + NZ_LANES;
        l->weights.step_to = l->weights.tiles * to.channels + NZ_LANES;
    }
    int64_t data = block_floats(l, &l->forward), back = block_floats(l, &l->back);
    int64_t both = sums + l->threads * (data > back ? data : back);
    int64_t gradient = l->copies * (sums + block_floats(l, &l->weights));
    l->base.scratch_bytes = (size_t)(both > gradient ? both : gradient) * sizeof(float);
}

nz_status nz_train_winograd_create(nz_train_layer **ret_layer, const nz_train_layer_desc *desc, int size) {
    layer *l = NULL;
    int64_t most = desc->src.dim[1] > desc->dst.dim[1] ? desc->src.dim[1] : desc->dst.dim[1];
    if (!fits(desc)) return NZ_E_UNSUPPORTED;
    NZ_TRY(nz_alloc(&l, 1, sizeof *l));
    l->base = (nz_train_layer){.forward = winograd_forward,
                               .backward_data = winograd_backward_data,
                               .backward_weights = winograd_backward_weights,
                               .bind_scratch = bind_scratch,
                               .release = release,
                               .packing = &l->packing};
    l->size = size, l->batch = desc->src.dim[0], l->threads = nz_threads_get();
    plan(l, desc);
    l->packing = (nz_packing){(size_t)(TAPS * channel_pairs(l)), packing_in, packing_out};
    for (int i = 0; i < 3; i++) snprintf(l->base.name[i], sizeof l->base.name[i], "own:wino_%dx3:avx512", size);
    nz_status status = nz_alloc_aligned(&l->zeros, (size_t)most, sizeof(float));
    if (status != NZ_OK) {
        free(l);
        return status;
    }
    memset(l->zeros, 0, (size_t)most * sizeof(float));
    *ret_layer = &l->base;
    return NZ_OK;
}
