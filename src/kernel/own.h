/* SPDX-License-Identifier: Apache-2.0 */
/** What our own kernels share: their makers (each answers NZ_E_UNSUPPORTED to what it does not do) and compiling a loop
 * for several instruction sets. */
#ifndef NZ_KERNEL_OWN_H
#define NZ_KERNEL_OWN_H

#include "kernel/kernel.h"

/* The loops below such a mark are compiled once per instruction set, and the one for this CPU is picked when the program
 * starts. No multiply is fused with an add, so that all give the same bytes. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&               \
    !defined(__SANITIZE_THREAD__)
#define NZ_CLONES __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define NZ_CLONES
#endif

NZ_CHECKED nz_status nz_copy_create(nz_kernel **ret_kernel, const nz_kernel_desc *desc);
NZ_CHECKED nz_status nz_nearest_create(nz_kernel **ret_kernel, const nz_kernel_desc *desc);
NZ_CHECKED nz_status nz_table_create(nz_kernel **ret_kernel, const nz_kernel_desc *desc);
NZ_CHECKED nz_status nz_add8_create(nz_kernel **ret_kernel, const nz_kernel_desc *desc);
NZ_CHECKED nz_status nz_pool8_create(nz_kernel **ret_kernel, const nz_kernel_desc *desc);
NZ_CHECKED nz_status nz_conv_f32_create(nz_kernel **ret_kernel, const nz_kernel_desc *desc);
NZ_CHECKED nz_status nz_simple_act_create(nz_kernel **ret_kernel, const nz_kernel_desc *desc);

static inline bool nz_is_8bit(nz_dtype dtype) { return dtype == NZ_U8 || dtype == NZ_I8; }

/** Rounds half to even without a library call, so that loops vectorise. |x| < 2^22. */
static inline float nz_round_even(float x) { return (x + 12582912.0F) - 12582912.0F; }

#endif
