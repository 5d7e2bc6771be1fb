/* SPDX-License-Identifier: Apache-2.0 */
/** What the benchmark asks of a native session beyond the public door. */
#ifndef NZ_RUNTIME_BENCH_H
#define NZ_RUNTIME_BENCH_H

#include "netzip/runtime.h"

/** Sum over the convolution steps of the median time of each one alone, on its own operands, with weights as cold as they are
 * in a whole run. */
NZ_CHECKED nz_status nz_bench_convolutions(nz_session *session, const nz_tensor *inputs, nz_tensor *outputs,
                                           double *ret_ms);

#endif
