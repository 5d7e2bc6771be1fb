/* SPDX-License-Identifier: Apache-2.0 */
/** Geometry of windows that plain C kernels share: which taps of a position, and which positions of a tap, lie inside the
 * image. */
#ifndef NZ_KERNEL_REF_WINDOW_H
#define NZ_KERNEL_REF_WINDOW_H

#include "kernel/ref.h"

/** Taps or positions [from, to); none where to <= from. */
typedef struct nz_reach {
    int64_t from, to;
} nz_reach;

/** Indices i >= 0 below `count` for which first + i * step lies in [0, extent). */
static inline nz_reach nz_reach_inside(int64_t first, int64_t step, int64_t count, int64_t extent) {
    int64_t last = extent - 1 - first;
    nz_reach r = {first >= 0 ? 0 : (-first + step - 1) / step, last < 0 ? 0 : last / step + 1};
    if (r.to > count) r.to = count;
    return r;
}

/** Input position that output position `out` sees at tap 0; maybe in the padding. */
static inline int64_t nz_window_start(const nz_window *w, int axis, int64_t out) {
    return out * w->stride[axis] - w->begin[axis];
}
/** Taps that lie inside the image, for the window that starts at `start`. */
static inline nz_reach nz_window_taps_inside(const nz_window *w, int axis, int64_t start) {
    return nz_reach_inside(start, w->dilation[axis], w->kernel[axis], w->in[axis]);
}
/** Output positions that see the image at `tap`. */
static inline nz_reach nz_window_outputs_inside(const nz_window *w, int axis, int64_t tap) {
    return nz_reach_inside(tap * w->dilation[axis] - w->begin[axis], w->stride[axis], w->out[axis], w->in[axis]);
}
/** Taps that lie inside the image or its padding: with ceil_mode a window may reach beyond both. */
static inline int64_t nz_window_taps_padded(const nz_window *w, int axis, int64_t start) {
    int64_t taps = (w->in[axis] + w->end[axis] - 1 - start) / w->dilation[axis] + 1;
    return taps < w->kernel[axis] ? taps : w->kernel[axis];
}

/** What the average at output position `out` counts along one axis: taps inside the image, or inside it and its padding. */
static inline int64_t nz_window_divisor(const nz_window *w, int axis, int64_t out, bool count_include_pad) {
    const int64_t start = nz_window_start(w, axis, out), last = start + (w->kernel[axis] - 1) * w->dilation[axis];
    if (start >= 0 && last < w->in[axis]) return w->kernel[axis];
    if (count_include_pad) return nz_window_taps_padded(w, axis, start);
    const nz_reach taps = nz_window_taps_inside(w, axis, start);
    return taps.to > taps.from ? taps.to - taps.from : 0;
}

/** A 1x1 convolution of stride 1 sees a plane as one long row. */
static inline nz_window nz_window_flatten_pointwise(const nz_window *window) {
    nz_window s = *window;
    for (int i = 0; i < 3; i++)
        if (s.kernel[i] != 1 || s.stride[i] != 1 || s.begin[i] != 0 || s.in[i] != s.out[i]) return s;
    s.in[2] = s.out[2] = s.in[0] * s.in[1] * s.in[2];
    s.in[0] = s.out[0] = s.in[1] = s.out[1] = 1;
    return s;
}

#endif
