/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution for one element type. Included by ref_conv.c once per type, with T (the element) and NAME(x) defined. */

typedef struct NAME(job) {
    const nz_ref_conv *conv;
    const T *x, *w, *bias;
    T *y;
} NAME(job);

/* One output row of `lanes` (1..4) neighbouring output channels: rows of the input are read once for all of them. */
static void NAME(conv_row)(const NAME(job) * job, const nz_window *s, const row_range *ranges, const T *x, const T *w,
                           int lanes, int64_t od, int64_t oh, T *const rows[4]) {
    int64_t channels = job->conv->in_channels / job->conv->groups;
    int64_t taps = s->kernel[0] * s->kernel[1] * s->kernel[2], filter = channels * taps;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t kd = 0; kd < s->kernel[0]; kd++) {
            int64_t id = od * s->stride[0] - s->begin[0] + kd * s->dilation[0];
            if (id < 0 || id >= s->in[0]) continue;
            for (int64_t kh = 0; kh < s->kernel[1]; kh++) {
                int64_t ih = oh * s->stride[1] - s->begin[1] + kh * s->dilation[1];
                if (ih < 0 || ih >= s->in[1]) continue;
                const T *row = x + ((c * s->in[0] + id) * s->in[1] + ih) * s->in[2];
                const T *weights = w + c * taps + (kd * s->kernel[1] + kh) * s->kernel[2];
                for (int64_t kw = 0; kw < s->kernel[2]; kw++) {
                    row_range reach = kw < KEPT_RANGES ? ranges[kw] : row_range_of(s, kw);
                    int64_t from = reach.from, count = reach.to - from, step = s->stride[2];
                    if (count <= 0) continue;
                    const T *source = row + (from * step - s->begin[2] + kw * s->dilation[2]);
                    for (int lane = 0; lane < lanes; lane++) {
                        T weight = weights[lane * filter + kw], *target = rows[lane] + from;
                        if (step == 1)
                            for (int64_t i = 0; i < count; i++) target[i] += weight * source[i];
                        else
                            for (int64_t i = 0; i < count; i++) target[i] += weight * source[i * step];
                    }
                }
            }
        }
}

static void NAME(conv_part)(void *argument, size_t begin, size_t end) {
    const NAME(job) *job = argument;
    const nz_ref_conv *conv = job->conv;
    const nz_window s = flatten_pointwise(&conv->window);
    int64_t in_plane = s.in[0] * s.in[1] * s.in[2], out_plane = s.out[0] * s.out[1] * s.out[2];
    int64_t group_in = conv->in_channels / conv->groups, group_out = conv->out_channels / conv->groups;
    int64_t filter = group_in * s.kernel[0] * s.kernel[1] * s.kernel[2], blocks = (group_out + 3) / 4;
    row_range ranges[KEPT_RANGES];
    row_ranges(&s, ranges);
    for (size_t task = begin; task < end; task++) {
        int64_t block = (int64_t)task % blocks, group = (int64_t)task / blocks % conv->groups;
        int64_t n = (int64_t)task / blocks / conv->groups, first = group * group_out + block * 4;
        int lanes = (int)(group_out - block * 4 < 4 ? group_out - block * 4 : 4);
        const T *x = job->x + (n * conv->in_channels + group * group_in) * in_plane, *w = job->w + first * filter;
        T *y = job->y + (n * conv->out_channels + first) * out_plane;
        for (int lane = 0; lane < lanes; lane++)
            for (int64_t i = 0; i < out_plane; i++)
                y[lane * out_plane + i] = job->bias ? job->bias[first + lane] : (T)0;
        for (int64_t od = 0; od < s.out[0]; od++)
            for (int64_t oh = 0; oh < s.out[1]; oh++) {
                T *rows[4];
                for (int lane = 0; lane < 4; lane++)
                    rows[lane] = y + (lane < lanes ? lane : 0) * out_plane + (od * s.out[1] + oh) * s.out[2];
                NAME(conv_row)(job, &s, ranges, x, w, lanes, od, oh, rows);
            }
    }
}

static void NAME(conv)(const nz_ref_conv *conv, const T *x, const T *w, const T *bias, T *y) {
    NAME(job) job = {conv, x, w, bias, y};
    int64_t blocks = (conv->out_channels / conv->groups + 3) / 4;
    nz_parallel((size_t)(conv->batch * conv->groups * blocks), 1, NAME(conv_part), &job);
}

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
                        int64_t offset = kw * s->dilation[2] - s->begin[2];
                        for (int64_t i = 0; i < s->in[2]; i++) {
                            int64_t ow = i * s->stride[2] + offset;
                            if (ow >= 0 && ow < s->out[2]) target[ow] += row[i] * weights[kw];
                        }
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
    NAME(job) job = {conv, x, w, bias, y};
    nz_parallel((size_t)(conv->batch * conv->out_channels), 1, NAME(transpose_part), &job);
}
#endif
