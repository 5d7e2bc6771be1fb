/* SPDX-License-Identifier: Apache-2.0 */
/* Our own kernels as a provider. */
#include "kernel/own.h"

static const struct {
    nz_kernel_op op;
    nz_status (*create)(nz_kernel **ret_kernel, const nz_kernel_desc *desc);
} makers[] = {
    {NZ_KERNEL_COPY, nz_copy_create},      {NZ_KERNEL_NEAREST, nz_nearest_create},
    {NZ_KERNEL_TABLE, nz_table_create},    {NZ_KERNEL_ADD, nz_add8_create},
    {NZ_KERNEL_MUL, nz_add8_create},       {NZ_KERNEL_AVG_POOL, nz_pool8_create},
    {NZ_KERNEL_ACT, nz_simple_act_create}, {NZ_KERNEL_CONV, nz_conv_f32_create},
};

static nz_status own_create(nz_kernel **ret_kernel, const nz_kernel_desc *desc) {
    for (size_t i = 0; i < NZ_COUNT(makers); i++) {
        if (makers[i].op != desc->op) continue;
        nz_status status = makers[i].create(ret_kernel, desc);
        if (status != NZ_E_UNSUPPORTED) return status;
    }
    return NZ_E_UNSUPPORTED;
}

const nz_kernel_provider nz_kernel_provider_own = {"own", own_create};
