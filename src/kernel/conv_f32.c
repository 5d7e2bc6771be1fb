/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two convolutions of our own in f32, channels last, both of which write into memory with any distance between pixels
 * (the part of a concatenation) and add a residual from elsewhere: 1x1 as a matrix product, and 3x3 with stride 1 by
 * Winograd's minimal filtering F(2x2, 3x3) and F(4x4, 3x3), which oneDNN has for blocked layouts alone.
 * @source A. Lavin, S. Gray: Fast Algorithms for Convolutional Neural Networks, arXiv 1509.09308
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/random.h"
#include "core/threads.h"
#include "kernel/avx512.h"
#include "kernel/own.h"

enum { CACHE_FLOATS = 160 * 1024, ROWS_AT_ONCE = 48 };

typedef struct image {
    int64_t n, h, w; /* strides in elements */
} image;

typedef struct conv {
    nz_kernel base;
    int size; /* of Winograd's output tile; 0: 1x1 */
    int64_t batch, channels, outputs, padded_in, padded_out;
    int64_t in_h, in_w, out_h, out_w, pad_h, pad_w, stride;
    int64_t tiles_h, tiles_w, tiles, tiles_at_once, position_in, position_out, threads_most;
    bool by_position; /* few tiles: threads share the products instead of the tiles */
    image from, to, residual;
    const float *src, *other;
    float *dst, *scratch;
    float *weights, *bias;
    bool in_place; /* the residual is what dst holds */
    nz_epilogue epilogue;
} conv;

static void conv_bind(nz_kernel *kernel, nz_kernel_arg arg, void *data) {
    conv *self = (conv *)kernel;
    if (arg == NZ_ARG_SRC) self->src = data;
    if (arg == NZ_ARG_SRC1) self->other = data;
    if (arg == NZ_ARG_DST) self->dst = data;
    if (arg == NZ_ARG_SCRATCH) self->scratch = data;
}

static void conv_release(nz_kernel *kernel) {
    conv *self = (conv *)kernel;
    free(self->weights);
    free(self->bias);
    free(self);
}

static const float *residual_at(const conv *self, int64_t n, int64_t h, int64_t w) {
    const float *base = self->in_place ? self->dst : self->other;
    return self->residual.w ? base + n * self->residual.n + h * self->residual.h + w * self->residual.w : NULL;
}

/* -- 1x1 ------------------------------------------------------------------------------------------------------------------ */

/* Rows of pixels [begin, end) in units of ROWS_AT_ONCE; `lines` are image rows, joined where the memory is one run. */
static void multiply_rows(void *argument, size_t begin, size_t end) {
    const conv *self = argument;
    int64_t per_line = (self->out_w + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
    for (size_t unit = begin; unit < end; unit++) {
        int64_t line = (int64_t)unit / per_line, first = (int64_t)unit % per_line * ROWS_AT_ONCE;
        int64_t n = line / self->out_h, h = line % self->out_h;
        int64_t rows = self->out_w - first < ROWS_AT_ONCE ? self->out_w - first : ROWS_AT_ONCE;
        nz_gemm_finished(rows, self->outputs, self->channels,
                         self->src + n * self->from.n + h * self->stride * self->from.h +
                             first * self->stride * self->from.w,
                         self->stride * self->from.w, self->weights,
                         self->dst + n * self->to.n + h * self->to.h + first * self->to.w, self->to.w,
                         residual_at(self, n, h, first), self->residual.w, &self->epilogue);
    }
}

static nz_status multiply_run(nz_kernel *kernel) {
    conv *self = (conv *)kernel;
    size_t units = (size_t)(self->batch * self->out_h * ((self->out_w + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE));
    size_t work = (size_t)(self->channels * self->outputs * (self->out_w < ROWS_AT_ONCE ? self->out_w : ROWS_AT_ONCE));
    nz_parallel(units, 1 + (size_t)200000 / (work + 1), multiply_rows, self);
    return NZ_OK;
}

/* -- Winograd ---------------------------------------------------------------------------------------------------------------- */

static int least(int64_t a, int64_t b) { return (int)(a < b ? a : b); }
static int64_t side_of(const conv *self) { return self->size + 2; }

static void transform_input(const conv *self, int64_t tile, float *v) {
    int64_t n = tile / (self->tiles_h * self->tiles_w), th = tile / self->tiles_w % self->tiles_h,
            tw = tile % self->tiles_w;
    int64_t h = th * self->size - self->pad_h, w = tw * self->size - self->pad_w, side = side_of(self);
    nz_tile inside = {h < 0 ? (int)-h : 0, least(side, self->in_h - h), w < 0 ? (int)-w : 0,
                      least(side, self->in_w - w)};
    nz_winograd_input(self->size, &inside, self->src + n * self->from.n + h * self->from.h + w * self->from.w,
                      self->from.h, self->from.w, self->channels, v, self->position_in);
}

static void transform_output(const conv *self, int64_t tile, const float *m) {
    int64_t n = tile / (self->tiles_h * self->tiles_w), th = tile / self->tiles_w % self->tiles_h,
            tw = tile % self->tiles_w;
    int64_t h = th * self->size, w = tw * self->size;
    nz_tile inside = {0, least(self->size, self->out_h - h), 0, least(self->size, self->out_w - w)};
    nz_winograd_output(self->size, &inside, m, self->position_out, self->outputs,
                       self->dst + n * self->to.n + h * self->to.h + w * self->to.w, self->to.h, self->to.w,
                       residual_at(self, n, h, w), self->residual.h, self->residual.w, &self->epilogue);
}

static void multiply_position(const conv *self, int64_t position, int64_t tiles, const float *v, float *m) {
    nz_gemm_block(tiles, self->padded_out, self->channels, v + position * self->position_in, self->padded_in,
                  self->weights + position * self->channels * self->padded_out, m + position * self->position_out,
                  self->padded_out);
}

static size_t scratch_floats(const conv *self) {
    int64_t positions = side_of(self) * side_of(self);
    return (size_t)(positions * (self->position_in + self->position_out));
}

/* Threads [begin, end): each takes its share of the blocks, every block from input to output while its numbers are in the
 * second cache. */
static void winograd_threads(void *argument, size_t begin, size_t end) {
    const conv *self = argument;
    int64_t positions = side_of(self) * side_of(self),
            blocks = (self->tiles + self->tiles_at_once - 1) / self->tiles_at_once;
    for (size_t thread = begin; thread < end; thread++) {
        float *v = self->scratch + thread * scratch_floats(self), *m = v + positions * self->position_in;
        int64_t last = blocks * (int64_t)(thread + 1) / self->threads_most;
        for (int64_t block = blocks * (int64_t)thread / self->threads_most; block < last; block++) {
            int64_t first = block * self->tiles_at_once;
            int64_t count = self->tiles - first < self->tiles_at_once ? self->tiles - first : self->tiles_at_once;
            for (int64_t t = 0; t < count; t++) transform_input(self, first + t, v + t * self->padded_in);
            for (int64_t p = 0; p < positions; p++) multiply_position(self, p, count, v, m);
            for (int64_t t = 0; t < count; t++) transform_output(self, first + t, m + t * self->padded_out);
        }
    }
}

static void input_range(void *argument, size_t begin, size_t end) {
    const conv *self = argument;
    for (size_t t = begin; t < end; t++)
        transform_input(self, (int64_t)t, self->scratch + (int64_t)t * self->padded_in);
}

static void position_range(void *argument, size_t begin, size_t end) {
    const conv *self = argument;
    float *m = self->scratch + side_of(self) * side_of(self) * self->position_in;
    for (size_t p = begin; p < end; p++) multiply_position(self, (int64_t)p, self->tiles, self->scratch, m);
}

static void output_range(void *argument, size_t begin, size_t end) {
    const conv *self = argument;
    const float *m = self->scratch + side_of(self) * side_of(self) * self->position_in;
    for (size_t t = begin; t < end; t++) transform_output(self, (int64_t)t, m + (int64_t)t * self->padded_out);
}

static nz_status winograd_run(nz_kernel *kernel) {
    conv *self = (conv *)kernel;
    if (self->by_position) {
        nz_parallel((size_t)self->tiles, 1, input_range, self);
        nz_parallel((size_t)(side_of(self) * side_of(self)), 1, position_range, self);
        nz_parallel((size_t)self->tiles, 1, output_range, self);
        return NZ_OK;
    }
    nz_parallel((size_t)self->threads_most, 1, winograd_threads, self);
    return NZ_OK;
}

/* -- making ------------------------------------------------------------------------------------------------------------------- */

/* Places element (k, column) of a matrix with `columns` (padded) columns in panels. */
static size_t packed(int64_t rows, int64_t columns, int64_t k, int64_t column) {
    int64_t panel = column / 64 * 64;
    return (size_t)(panel * rows + k * nz_gemm_panel(columns, panel) + column - panel);
}

/* G g G^T in double precision. */
static void transform_weights(int size, const float *g, double *u) {
    static const double g2[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
    static const double g4[6][3] = {{1.0 / 4, 0, 0},
                                    {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                    {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                    {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                    {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                    {0, 0, 1}};
    int side = size + 2;
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++) {
            const double *a = size == 2 ? g2[i] : g4[i], *b = size == 2 ? g2[j] : g4[j];
            double sum = 0;
            for (int h = 0; h < 3; h++)
                for (int w = 0; w < 3; w++) sum += a[h] * (double)g[h * 3 + w] * b[w];
            u[i * side + j] = sum;
        }
}

static nz_status pack_weights(conv *self, const nz_kernel_desc *desc) {
    const float *w = desc->weights->data;
    int64_t positions = self->size ? side_of(self) * side_of(self) : 1, matrix = self->channels * self->padded_out;
    NZ_TRY(nz_alloc_aligned(&self->weights, (size_t)(positions * matrix), sizeof(float)));
    memset(self->weights, 0, (size_t)(positions * matrix) * sizeof(float));
    for (int64_t o = 0; o < self->outputs; o++)
        for (int64_t c = 0; c < self->channels; c++) {
            size_t at = packed(self->channels, self->padded_out, c, o);
            double u[36];
            if (!self->size) {
                self->weights[at] = w[o * self->channels + c];
                continue;
            }
            transform_weights(self->size, w + (o * self->channels + c) * 9, u);
            for (int64_t p = 0; p < positions; p++) self->weights[(size_t)(p * matrix) + at] = (float)u[p];
        }
    NZ_TRY(nz_alloc_aligned(&self->bias, (size_t)self->padded_out, sizeof(float)));
    memset(self->bias, 0, (size_t)self->padded_out * sizeof(float));
    if (desc->bias) memcpy(self->bias, desc->bias, (size_t)self->outputs * sizeof(float));
    self->base.weight_bytes = (size_t)(positions * matrix + self->padded_out) * sizeof(float);
    return NZ_OK;
}

/* At most a residual and then one activation that the epilogue knows. */
static bool read_posts(conv *self, const nz_kernel_desc *desc) {
    size_t at = 0;
    self->epilogue = (nz_epilogue){.least = -INFINITY, .most = INFINITY, .slope = 1};
    if (at < desc->post_count && (desc->posts[at].kind == NZ_POST_SUM || desc->posts[at].kind == NZ_POST_ADD)) {
        const nz_post *post = &desc->posts[at++];
        self->in_place = post->kind == NZ_POST_SUM;
        if (post->scale != 1 || post->zero_point || (self->in_place && post->dtype != NZ_F32)) return false;
        const nz_mem *mem = self->in_place ? &desc->dst : &desc->src1;
        if (mem->rank != 4 || mem->dtype != NZ_F32 || mem->stride[1] != 1) return false;
        for (int i = 0; i < 4; i++)
            if (mem->dim[i] != desc->dst.dim[i]) return false;
        self->residual = (image){mem->stride[0], mem->stride[2], mem->stride[3]};
    }
    if (at < desc->post_count) {
        const nz_post *post = &desc->posts[at++];
        if (post->kind != NZ_POST_ACT) return false;
        if (post->act == NZ_ACT_RELU && post->alpha == 0)
            self->epilogue.least = 0;
        else if (post->act == NZ_ACT_RELU && post->alpha > 0 && post->alpha < 1)
            self->epilogue.slope = post->alpha;
        else if (post->act == NZ_ACT_CLIP)
            self->epilogue.least = post->alpha, self->epilogue.most = post->beta;
        else if (post->act == NZ_ACT_SWISH && post->alpha == 1)
            self->epilogue.swish = true;
        else
            return false;
    }
    return at == desc->post_count;
}

static bool fits(const nz_kernel_desc *desc) {
    const nz_window *w = &desc->window;
    if (!nz_avx512() || desc->op != NZ_KERNEL_CONV || desc->groups != 1 || w->rank != 2) return false;
    if (desc->src.dtype != NZ_F32 || desc->dst.dtype != NZ_F32 || desc->weights->dtype != NZ_F32) return false;
    if ((desc->src.stride[1] != 1 && desc->src.dim[1] > 1) || (desc->dst.stride[1] != 1 && desc->dst.dim[1] > 1))
        return false;
    return w->dilation[1] == 1 && w->dilation[2] == 1;
}

static void read_shape(conv *self, const nz_kernel_desc *desc) {
    const nz_mem *src = &desc->src, *dst = &desc->dst;
    self->batch = src->dim[0], self->channels = src->dim[1], self->in_h = src->dim[2], self->in_w = src->dim[3];
    self->outputs = dst->dim[1], self->out_h = dst->dim[2], self->out_w = dst->dim[3];
    self->from = (image){src->stride[0], src->stride[2], src->stride[3]};
    self->to = (image){dst->stride[0], dst->stride[2], dst->stride[3]};
    self->padded_in = (self->channels + NZ_LANES - 1) / NZ_LANES * NZ_LANES;
    self->padded_out = (self->outputs + NZ_LANES - 1) / NZ_LANES * NZ_LANES;
    self->stride = desc->window.stride[1];
    self->pad_h = desc->window.begin[1], self->pad_w = desc->window.begin[2];
}

static nz_status finish_making(nz_kernel **ret_kernel, conv *self, const nz_kernel_desc *desc) {
    nz_status status = pack_weights(self, desc);
    if (status != NZ_OK) {
        conv_release(&self->base);
        return status;
    }
    self->epilogue.bias = self->bias;
    *ret_kernel = &self->base;
    return NZ_OK;
}

static nz_status start(conv **ret_self, const nz_kernel_desc *desc, nz_status (*run)(nz_kernel *)) {
    conv *self = NULL;
    NZ_TRY(nz_alloc(&self, 1, sizeof *self));
    self->base.bind = conv_bind, self->base.run = run, self->base.release = conv_release;
    read_shape(self, desc);
    if (!read_posts(self, desc)) {
        free(self);
        return NZ_E_UNSUPPORTED;
    }
    *ret_self = self;
    return NZ_OK;
}

static nz_status product_create(nz_kernel **ret_kernel, const nz_kernel_desc *desc) {
    const nz_window *w = &desc->window;
    conv *self = NULL;
    if (!fits(desc) || w->kernel[1] != 1 || w->kernel[2] != 1 || w->begin[1] || w->begin[2] ||
        w->stride[1] != w->stride[2])
        return NZ_E_UNSUPPORTED;
    if ((w->out[1] - 1) * w->stride[1] >= w->in[1] || (w->out[2] - 1) * w->stride[2] >= w->in[2])
        return NZ_E_UNSUPPORTED; /* padded at the end */
    NZ_TRY(start(&self, desc, multiply_run));
    bool one_run = self->stride == 1 && self->from.h == self->in_w * self->from.w &&
                   self->to.h == self->out_w * self->to.w &&
                   (!self->residual.w || self->residual.h == self->out_w * self->residual.w);
    if (one_run) self->out_w *= self->out_h, self->in_w *= self->in_h, self->out_h = self->in_h = 1;
    snprintf(self->base.name, sizeof self->base.name, "own:gemm_1x1:avx512");
    return finish_making(ret_kernel, self, desc);
}

/* Tiles that a thread takes through at once: as many as the second cache holds, shared out evenly. */
static void block_tiles(conv *self) {
    int64_t positions = side_of(self) * side_of(self), threads = nz_threads_get();
    int64_t fit = CACHE_FLOATS / (positions * (self->padded_in + self->padded_out));
    if (fit < 12) fit = 12;
    self->by_position = threads > 1 && self->tiles < 12 * threads &&
                        self->tiles * positions * (self->padded_in + self->padded_out) < 4 * CACHE_FLOATS;
    int64_t blocks = (self->tiles + fit - 1) / fit;
    if (!self->by_position && blocks < threads && self->tiles >= threads) blocks = threads;
    self->tiles_at_once = self->by_position ? self->tiles : (self->tiles + blocks - 1) / blocks;
    self->threads_most = self->by_position ? 1 : threads;
    self->position_in =
        self->tiles_at_once * self->padded_in + NZ_LANES; /* not a power of two apart: the same cache set otherwise */
    self->position_out = self->tiles_at_once * self->padded_out + NZ_LANES;
}

/* The largest difference, relative to the largest result, between one tile by Winograd and the same in double precision:
 * random pixels, 16 of the output channels. Weights whose magnitudes differ wildly lose digits in the transformation. */
static nz_status winograd_error(const conv *self, const nz_kernel_desc *desc, double *ret_error) {
    int64_t side = side_of(self), positions = side * side, step = 1 + self->outputs / 16;
    NZ_AUTO_FREE float *x = NULL;
    NZ_AUTO_FREE float *v = NULL;
    NZ_TRY(nz_alloc(&x, (size_t)(positions * self->channels), sizeof *x));
    NZ_TRY(nz_alloc(&v, (size_t)(positions * (self->padded_in + 2 * self->padded_out)), sizeof *v));
    float *m = v + positions * self->padded_in, *y = m + positions * self->padded_out;
    nz_tile whole = {0, (int)side, 0, (int)side}, out = {0, self->size, 0, self->size};
    nz_epilogue plain = {.bias = self->bias, .least = -INFINITY, .most = INFINITY, .slope = 1};
    nz_random random;
    nz_random_init(&random, 1, 0);
    for (int64_t i = 0; i < positions * self->channels; i++) x[i] = (float)nz_random_unit(&random) * 2 - 1;
    nz_winograd_input(self->size, &whole, x, side * self->channels, self->channels, self->channels, v, self->padded_in);
    for (int64_t p = 0; p < positions; p++)
        nz_gemm_block(1, self->padded_out, self->channels, v + p * self->padded_in, self->padded_in,
                      self->weights + p * self->channels * self->padded_out, m + p * self->padded_out,
                      self->padded_out);
    nz_winograd_output(self->size, &out, m, self->padded_out, self->outputs, y, self->size * self->outputs,
                       self->outputs, NULL, 0, 0, &plain);
    double largest = 0, error = 0;
    for (int64_t o = 0; o < self->outputs; o += step)
        for (int64_t at = 0; at < self->size * self->size; at++) {
            double sum = (double)self->bias[o];
            int64_t h = at / self->size, w = at % self->size;
            for (int64_t c = 0; c < self->channels; c++)
                for (int64_t k = 0; k < 9; k++)
                    sum += (double)((const float *)desc->weights->data)[(o * self->channels + c) * 9 + k] *
                           (double)x[((h + k / 3) * side + w + k % 3) * self->channels + c];
            double off = fabs(sum - (double)y[at * self->outputs + o]);
            error = off <= error || isnan(error) ? error : off; /* a NaN stays */
            largest = fmax(largest, fabs(sum));
        }
    *ret_error = error / (largest + 1e-30);
    return NZ_OK;
}

static nz_status winograd_create(nz_kernel **ret_kernel, const nz_kernel_desc *desc, int size) {
    const nz_window *w = &desc->window;
    conv *self = NULL;
    if (!fits(desc) || w->kernel[1] != 3 || w->kernel[2] != 3 || w->stride[1] != 1 || w->stride[2] != 1)
        return NZ_E_UNSUPPORTED;
    NZ_TRY(start(&self, desc, winograd_run));
    self->size = size;
    self->tiles_h = (self->out_h + size - 1) / size, self->tiles_w = (self->out_w + size - 1) / size;
    self->tiles = self->batch * self->tiles_h * self->tiles_w;
    block_tiles(self);
    self->base.scratch_bytes = scratch_floats(self) * (size_t)self->threads_most * sizeof(float);
    snprintf(self->base.name, sizeof self->base.name, "own:wino_%dx3:avx512", size);
    nz_kernel *kernel = NULL;
    double error = 0;
    NZ_TRY(finish_making(&kernel, self, desc));
    nz_status status = winograd_error(self, desc, &error);
    if (status == NZ_OK && !(error <= NZ_WINOGRAD_BOUND)) status = NZ_E_UNSUPPORTED;
    if (status != NZ_OK) {
        nz_kernel_free(kernel);
        return status;
    }
    *ret_kernel = kernel;
    return NZ_OK;
}

/* What a way of computing costs about, in nanoseconds on one core: products, weights that come from memory, and
 * Winograd's transformations per tile and vector. Only the order among the ways matters. */
static double cost(const nz_kernel_desc *desc, int64_t tile, double transform_ns) {
    const nz_window *w = &desc->window;
    int64_t side = tile > 1 ? tile + 2 : 3, in = desc->src.dim[1],
            out = (desc->dst.dim[1] + NZ_LANES - 1) / NZ_LANES * NZ_LANES;
    double tiles = (double)(desc->src.dim[0] * ((w->out[1] + tile - 1) / tile) * ((w->out[2] + tile - 1) / tile));
    double products = (double)(side * side * in * out),
           vectors = (double)((in + NZ_LANES - 1) / NZ_LANES + out / NZ_LANES);
    return tiles * products / 100 + products * sizeof(float) / 25 + tiles * vectors * transform_ns;
}

bool nz_kernel_plausible(const nz_kernel_desc *desc) {
    if (desc->algorithm != NZ_ALGORITHM_WINOGRAD_2 && desc->algorithm != NZ_ALGORITHM_WINOGRAD_4) return true;
    double direct = cost(desc, 1, 0), small = cost(desc, 2, 19), large = cost(desc, 4, 54);
    double own = desc->algorithm == NZ_ALGORITHM_WINOGRAD_2 ? small : large, best = direct < small ? direct : small;
    return own <= 1.25 * (best < large ? best : large);
}

/* Without measuring: a product of our own where oneDNN cannot write (between the channels of a concatenation), and of
 * the ways of a 3x3 convolution the one that should be fastest. */
static nz_algorithm usual_algorithm(const nz_kernel_desc *desc) {
    const nz_window *w = &desc->window;
    if (w->kernel[1] == 1 && w->kernel[2] == 1)
        return nz_mem_dense(&desc->dst) && nz_mem_dense(&desc->src) ? NZ_ALGORITHM_GENERAL : NZ_ALGORITHM_GEMM;
    if (w->kernel[1] != 3 || w->kernel[2] != 3 || w->stride[1] != 1 || w->stride[2] != 1) return NZ_ALGORITHM_GENERAL;
    double direct = cost(desc, 1, 0), small = cost(desc, 2, 19), large = cost(desc, 4, 54);
    if (direct <= small && direct <= large) return NZ_ALGORITHM_GENERAL;
    return large <= small ? NZ_ALGORITHM_WINOGRAD_4 : NZ_ALGORITHM_WINOGRAD_2;
}

nz_status nz_conv_f32_create(nz_kernel **ret_kernel, const nz_kernel_desc *desc) {
    if (!fits(desc)) return NZ_E_UNSUPPORTED;
    nz_algorithm algorithm = desc->algorithm == NZ_ALGORITHM_AUTO ? usual_algorithm(desc) : desc->algorithm;
    switch (algorithm) {
    case NZ_ALGORITHM_GEMM: return product_create(ret_kernel, desc);
    case NZ_ALGORITHM_WINOGRAD_2: return winograd_create(ret_kernel, desc, 2);
    case NZ_ALGORITHM_WINOGRAD_4: return winograd_create(ret_kernel, desc, 4);
    default: return NZ_E_UNSUPPORTED;
    }
}
