/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/kernel.h"

#include "core/error.h"

/* Asked in this order: the special before the general. */
static const nz_kernel_provider *const providers[] = {
    &nz_kernel_provider_own,
    &nz_kernel_provider_onednn,
};

const nz_kernel_provider *nz_kernel_provider_at(size_t i) { return i < NZ_COUNT(providers) ? providers[i] : NULL; }

nz_status nz_kernel_new(nz_kernel **ret_kernel, const nz_kernel_desc *desc) {
    for (size_t i = 0; i < NZ_COUNT(providers); i++) {
        nz_status status = providers[i]->create(ret_kernel, desc);
        if (status != NZ_E_UNSUPPORTED) return status;
    }
    return NZ_E_UNSUPPORTED; /* no message: the planner has another way */
}

nz_status nz_kernel_new_algorithm(nz_kernel **ret_kernel, const nz_kernel_desc *desc) {
    bool general = desc->algorithm == NZ_ALGORITHM_AUTO || desc->algorithm == NZ_ALGORITHM_GENERAL;
    return general ? nz_kernel_new(ret_kernel, desc) : nz_kernel_provider_own.create(ret_kernel, desc);
}

void nz_kernel_free(nz_kernel *kernel) {
    if (kernel) kernel->release(kernel);
}

nz_mem nz_mem_plain(nz_dtype dtype, const nz_shape *shape) {
    nz_mem mem = {.dtype = dtype, .rank = shape->rank};
    int64_t step = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        mem.dim[i] = shape->dim[i];
        mem.stride[i] = step;
        step *= shape->dim[i];
    }
    return mem;
}

nz_mem nz_mem_channels_last(nz_dtype dtype, const nz_shape *shape) {
    nz_mem mem = nz_mem_plain(dtype, shape);
    if (shape->rank < 3) return mem;
    mem.stride[1] = 1;
    int64_t step = shape->dim[1];
    for (int i = shape->rank - 1; i >= 2; i--) {
        mem.stride[i] = step;
        step *= shape->dim[i];
    }
    return mem;
}

bool nz_mem_same_places(const nz_mem *a, const nz_mem *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i] || (a->dim[i] > 1 && a->stride[i] != b->stride[i])) return false;
    return true;
}

bool nz_mem_same(const nz_mem *a, const nz_mem *b) { return a->dtype == b->dtype && nz_mem_same_places(a, b); }

int64_t nz_mem_elements(const nz_mem *mem) {
    int64_t count = 1;
    for (int i = 0; i < mem->rank; i++) count *= mem->dim[i];
    return count;
}

static int64_t reach(const nz_mem *mem) {
    int64_t last = 0;
    for (int i = 0; i < mem->rank; i++) {
        if (mem->dim[i] == 0) return 0;
        last += (mem->dim[i] - 1) * mem->stride[i];
    }
    return last + 1;
}

bool nz_mem_dense(const nz_mem *mem) { return reach(mem) == nz_mem_elements(mem); }

size_t nz_mem_bytes(const nz_mem *mem) { return ((size_t)reach(mem) * (size_t)nz_dtype_get(mem->dtype)->bits + 7) / 8; }
