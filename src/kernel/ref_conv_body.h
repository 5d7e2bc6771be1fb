/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution for one element type. Included by ref_conv.c once per type, with T (the element) and NAME(x) defined. */

typedef T NAME(vector) __attribute__((vector_size(VECTOR_BYTES)));

typedef struct NAME(job) {
    const nz_ref_conv *conv;
    const T *x, *w, *bias;
    T *y;
    nz_window window; /* conv's, flattened where it is pointwise */
    row_layout layout;
    T *rows; /* x with its rows laid out by row_layout */
} NAME(job);

/* Lays out the rows of one image's channel: see row_layout. */
static void NAME(lay_out_part)(void *argument, size_t begin, size_t end) {
    const NAME(job) *job = argument;
    const nz_window *s = &job->window;
    const row_layout *l = &job->layout;
    for (size_t row = begin; row < end; row++) {
        const T *from = job->x + (int64_t)row * s->in[2];
        T *to = job->rows + (int64_t)row * l->size;
        for (int64_t i = 0; i < l->size; i++) to[i] = 0;
        for (int64_t phase = 0; phase < l->phases; phase++) {
            /* Columns w with (w + begin) % stride == phase, in order. */
            int64_t first = phase - s->begin[2], step = s->stride[2], at = 0;
            if (first < 0) at = (-first + step - 1) / step;
            for (int64_t w = first + at * step; w < s->in[2] && at < l->phase; w += step, at++)
                to[phase * l->phase + at] = from[w];
        }
    }
}

#define LOAD(v, from) memcpy(&(v), from, sizeof(v))

/* Two vectors of neighbouring positions of four output channels: `w` holds the channels' filters, `at` the first position
 * within a laid out row. The sums stay in registers; each input vector is read once for the four. */
static void NAME(conv_tile)(const NAME(job) * job, const T *x, const T *const w[4], int64_t od, int64_t oh, int64_t at,
                            NAME(vector) sums[4][2]) {
    const nz_window *s = &job->window;
    const row_layout *l = &job->layout;
    int64_t channels = job->conv->in_channels / job->conv->groups, k = 0;
    NAME(vector) a0 = sums[0][0], a1 = sums[0][1], b0 = sums[1][0], b1 = sums[1][1];
    NAME(vector) c0 = sums[2][0], c1 = sums[2][1], d0 = sums[3][0], d1 = sums[3][1], low, high;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t kd = 0; kd < s->kernel[0]; kd++)
            for (int64_t kh = 0; kh < s->kernel[1]; kh++, k += s->kernel[2]) {
                int64_t id = od * s->stride[0] - s->begin[0] + kd * s->dilation[0];
                int64_t ih = oh * s->stride[1] - s->begin[1] + kh * s->dilation[1];
                if (id < 0 || id >= s->in[0] || ih < 0 || ih >= s->in[1]) continue;
                const T *row = x + ((c * s->in[0] + id) * s->in[1] + ih) * l->size + at;
                for (int64_t kw = 0; kw < s->kernel[2]; kw++) {
                    const T *from = row + (kw < KEPT_OFFSETS ? l->offset[kw] : tap_offset(s, l, kw));
                    const T wa = w[0][k + kw], wb = w[1][k + kw], wc = w[2][k + kw], wd = w[3][k + kw];
                    LOAD(low, from);
                    LOAD(high, from + sizeof low / sizeof(T));
                    a0 += wa * low, a1 += wa * high, b0 += wb * low, b1 += wb * high;
                    c0 += wc * low, c1 += wc * high, d0 += wd * low, d1 += wd * high;
                }
            }
    sums[0][0] = a0, sums[0][1] = a1, sums[1][0] = b0, sums[1][1] = b1;
    sums[2][0] = c0, sums[2][1] = c1, sums[3][0] = d0, sums[3][1] = d1;
}

/* One output row of up to four neighbouring channels, starting at channel `first`. */
static void NAME(conv_row)(const NAME(job) * job, const T *x, int64_t n, int64_t first, int64_t lanes, int64_t od,
                           int64_t oh) {
    const nz_ref_conv *conv = job->conv;
    const nz_window *s = &job->window;
    int64_t plane = s->out[0] * s->out[1] * s->out[2], width = (int64_t)(2 * sizeof(NAME(vector)) / sizeof(T));
    int64_t filter = conv->in_channels / conv->groups * s->kernel[0] * s->kernel[1] * s->kernel[2];
    const T *w[4];
    for (int64_t lane = 0; lane < 4; lane++) w[lane] = job->w + (first + (lane < lanes ? lane : 0)) * filter;
    T *y = job->y + (n * conv->out_channels + first) * plane + (od * s->out[1] + oh) * s->out[2];
    for (int64_t at = 0; at < s->out[2]; at += width) {
        NAME(vector) sums[4][2];
        for (int64_t lane = 0; lane < 4; lane++)
            sums[lane][0] = sums[lane][1] =
                (NAME(vector)){0} + (job->bias && lane < lanes ? job->bias[first + lane] : (T)0);
        NAME(conv_tile)(job, x, w, od, oh, at, sums);
        int64_t count = s->out[2] - at < width ? s->out[2] - at : width;
        for (int64_t lane = 0; lane < lanes; lane++)
            memcpy(y + lane * plane + at, sums[lane], (size_t)count * sizeof(T));
    }
}

static void NAME(conv_part)(void *argument, size_t begin, size_t end) {
    const NAME(job) *job = argument;
    const nz_ref_conv *conv = job->conv;
    const nz_window *s = &job->window;
    int64_t group_in = conv->in_channels / conv->groups, group_out = conv->out_channels / conv->groups;
    int64_t blocks = (group_out + 3) / 4, image = s->in[0] * s->in[1] * job->layout.size;
    for (size_t task = begin; task < end; task++) {
        int64_t block = (int64_t)task % blocks, group = (int64_t)task / blocks % conv->groups;
        int64_t n = (int64_t)task / blocks / conv->groups, left = group_out - block * 4;
        const T *x = job->rows + (n * conv->in_channels + group * group_in) * image;
        for (int64_t od = 0; od < s->out[0]; od++)
            for (int64_t oh = 0; oh < s->out[1]; oh++)
                NAME(conv_row)(job, x, n, group * group_out + block * 4, left < 4 ? left : 4, od, oh);
    }
}

static nz_status NAME(conv)(const nz_ref_conv *conv, const T *x, const T *w, const T *bias, T *y) {
    NAME(job)
    job = {.conv = conv, .x = x, .w = w, .bias = bias, .y = y, .window = nz_window_flatten_pointwise(&conv->window)};
    size_t rows = (size_t)(conv->batch * conv->in_channels * job.window.in[0] * job.window.in[1]), total;
    size_t tasks = (size_t)(conv->batch * conv->groups * ((conv->out_channels / conv->groups + 3) / 4));
    if (!lay_out(&job.layout, &job.window, (int64_t)(2 * sizeof(NAME(vector)) / sizeof(T))) ||
        !nz_mul_size(&total, rows, (size_t)job.layout.size))
        return nz_fail(NZ_E_MEMORY, "out of memory");
    NZ_TRY(nz_alloc_aligned(&job.rows, total, sizeof(T)));
    nz_parallel(rows, 64, NAME(lay_out_part), &job);
    nz_parallel(tasks, 1, NAME(conv_part), &job);
    free(job.rows);
    return NZ_OK;
}
#undef LOAD

#ifdef WITH_TRANSPOSE
/* Every output channel gathers from all input channels of its group, so that threads share no output. */
static void NAME(transpose_plane)(const nz_window *s, const T *x, const T *w, T *y) {
    for (int64_t id = 0; id < s->in[0]; id++)
        for (int64_t ih = 0; ih < s->in[1]; ih++)
            for (int64_t kd = 0; kd < s->kernel[0]; kd++) {
                int64_t od = id * s->stride[0] - s->begin[0] + kd * s->dilation[0];
                if (od < 0 || od >= s->out[0]) continue;
                for (int64_t kh = 0; kh < s->kernel[1]; kh++) {
                    int64_t oh = ih * s->stride[1] - s->begin[1] + kh * s->dilation[1];
                    if (oh < 0 || oh >= s->out[1]) continue;
                    const T *row = x + (id * s->in[1] + ih) * s->in[2],
                            *weights = w + (kd * s->kernel[1] + kh) * s->kernel[2];
                    T *target = y + (od * s->out[1] + oh) * s->out[2];
                    for (int64_t kw = 0; kw < s->kernel[2]; kw++) {
                        /* What of the row lands inside the output. */
                        const int64_t offset = kw * s->dilation[2] - s->begin[2], step = s->stride[2];
                        const nz_reach lands = nz_reach_inside(offset, step, s->in[2], s->out[2]);
                        const T weight = weights[kw];
                        if (step == 1)
                            for (int64_t i = lands.from; i < lands.to; i++) target[i + offset] += row[i] * weight;
                        else
                            for (int64_t i = lands.from; i < lands.to; i++)
                                target[i * step + offset] += row[i] * weight;
                    }
                }
            }
}

static void NAME(transpose_part)(void *argument, size_t begin, size_t end) {
    const NAME(job) *job = argument;
    const nz_ref_conv *conv = job->conv;
    const nz_window *s = &conv->window;
    int64_t in_plane = s->in[0] * s->in[1] * s->in[2], out_plane = s->out[0] * s->out[1] * s->out[2];
    int64_t taps = s->kernel[0] * s->kernel[1] * s->kernel[2];
    int64_t group_in = conv->in_channels / conv->groups, group_out = conv->out_channels / conv->groups;
    for (size_t task = begin; task < end; task++) {
        int64_t n = (int64_t)task / conv->out_channels, o = (int64_t)task % conv->out_channels;
        int64_t group = o / group_out;
        T *y = job->y + (int64_t)task * out_plane;
        for (int64_t i = 0; i < out_plane; i++) y[i] = job->bias ? job->bias[o] : (T)0;
        for (int64_t c = group * group_in; c < (group + 1) * group_in; c++) NAME(transpose_plane)
        (s, job->x + (n * conv->in_channels + c) * in_plane, job->w + (c * group_out + o % group_out) * taps, y);
    }
}

static void NAME(transpose)(const nz_ref_conv *conv, const T *x, const T *w, const T *bias, T *y) {
    NAME(job) job = {.conv = conv, .x = x, .w = w, .bias = bias, .y = y};
    nz_parallel((size_t)(conv->batch * conv->out_channels), 1, NAME(transpose_part), &job);
}
#endif
