/* SPDX-License-Identifier: Apache-2.0 */
/* Nearest-neighbour resizing: every axis has a list of source positions. */
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/threads.h"
#include "kernel/own.h"

typedef struct nearest {
    nz_kernel base;
    const char *src;
    char *dst;
    int rank; /* of the axes outside a run */
    int64_t dim[NZ_MAX_RANK], to_stride[NZ_MAX_RANK];
    int64_t *from[NZ_MAX_RANK]; /* byte offsets into src per position of an axis */
    size_t run_bytes;           /* neighbours in both tensors that move together */
    int64_t outer;
} nearest;

static void nearest_bind(nz_kernel *kernel, nz_kernel_arg arg, void *data) {
    nearest *self = (nearest *)kernel;
    if (arg == NZ_ARG_SRC) self->src = data;
    if (arg == NZ_ARG_DST) self->dst = data;
}

static void nearest_range(void *argument, size_t begin, size_t end) {
    const nearest *self = argument;
    for (size_t n = begin; n < end; n++) {
        int64_t from = 0, to = 0, rest = (int64_t)n;
        for (int i = self->rank - 1; i >= 0; i--) {
            int64_t at = rest % self->dim[i];
            from += self->from[i][at];
            to += at * self->to_stride[i];
            rest /= self->dim[i];
        }
        memcpy(self->dst + to, self->src + from, self->run_bytes);
    }
}

static nz_status nearest_run(nz_kernel *kernel) {
    nearest *self = (nearest *)kernel;
    nz_parallel((size_t)self->outer, 1 + 16384 / (self->run_bytes + 1), nearest_range, self);
    return NZ_OK;
}

static void nearest_release(nz_kernel *kernel) {
    nearest *self = (nearest *)kernel;
    for (int i = 0; i < NZ_MAX_RANK; i++) free(self->from[i]);
    free(self);
}

/* The axis of neighbours in both tensors, moved as a whole; -1 where there is none. */
static int run_axis(const nz_kernel_desc *desc) {
    for (int i = 0; i < desc->dst.rank; i++)
        if (!desc->index[i] && desc->dst.dim[i] > 1 && desc->dst.stride[i] == 1 && desc->src.stride[i] == 1) return i;
    return -1;
}

static nz_status fill(nearest *self, const nz_kernel_desc *desc) {
    int64_t bytes = nz_dtype_get(desc->src.dtype)->bits / 8;
    int run = run_axis(desc);
    self->run_bytes = (size_t)(bytes * (run >= 0 ? desc->dst.dim[run] : 1));
    self->outer = 1;
    for (int i = 0; i < desc->dst.rank; i++) {
        if (i == run) continue;
        int axis = self->rank++;
        self->dim[axis] = desc->dst.dim[i];
        self->to_stride[axis] = desc->dst.stride[i] * bytes;
        self->outer *= desc->dst.dim[i];
        NZ_TRY(nz_alloc(&self->from[axis], (size_t)desc->dst.dim[i], sizeof(int64_t)));
        for (int64_t k = 0; k < desc->dst.dim[i]; k++)
            self->from[axis][k] = (desc->index[i] ? desc->index[i][k] : k) * desc->src.stride[i] * bytes;
    }
    return NZ_OK;
}

nz_status nz_nearest_create(nz_kernel **ret_kernel, const nz_kernel_desc *desc) {
    if (desc->src.dtype != desc->dst.dtype || nz_dtype_get(desc->src.dtype)->bits < 8) return NZ_E_UNSUPPORTED;
    nearest *self = NULL;
    NZ_TRY(nz_alloc(&self, 1, sizeof *self));
    self->base.bind = nearest_bind, self->base.run = nearest_run, self->base.release = nearest_release;
    snprintf(self->base.name, sizeof self->base.name, "own:nearest");
    nz_status status = fill(self, desc);
    if (status != NZ_OK) {
        nearest_release(&self->base);
        return status;
    }
    *ret_kernel = &self->base;
    return NZ_OK;
}
