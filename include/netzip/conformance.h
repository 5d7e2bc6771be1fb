/* SPDX-License-Identifier: Apache-2.0 */
/** ONNX test vectors: folders of a model, its inputs and the outputs it must give. */
#ifndef NETZIP_CONFORMANCE_H
#define NETZIP_CONFORMANCE_H

#include "netzip/progress.h"
#include "netzip/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nz_case_status {
    NZ_CASE_PASSED,
    NZ_CASE_FAILED,     /**< it was computed and differs, or something broke */
    NZ_CASE_UNSUPPORTED /**< refused when it was planned, by name */
} nz_case_status;

typedef struct nz_case {
    char *name; /**< of its folder */
    nz_case_status status;
    char *reason; /**< one line; NULL where it passed */
} nz_case;

typedef struct nz_conformance {
    size_t count, passed, failed, unsupported;
    nz_case *cases; /**< in alphabetical order within each folder given */
} nz_conformance;

/**
 * Runs every case in the folders: a case is a folder with model.onnx and test_data_set_N/{input,output}_N.pb; a folder without
 * a model stands for the cases right below it. Floating outputs agree within rtol 1e-3 and atol 1e-7, everything else
 * exactly. Inputs that planning needs (a Reshape's shape) are given to it as constants, others when the model runs.
 *
 * @param[out] ret  Untouched on error; release with nz_conformance_done.
 * @param runtime   As for nz_session_open, or "reference": native with plain C kernels alone.
 * @param threads   0: as many as the process may use.
 * @return NZ_E_IO where a folder holds no case; NZ_E_ARG for an unknown runtime; NZ_E_CANCELLED; NZ_E_MEMORY. What goes wrong
 *         within a case is that case's status.
 * @source onnx/backend/test/runner (tolerances), ONNX 1.16
 */
NZ_API NZ_CHECKED nz_status nz_conformance_run(nz_conformance *ret, const char *const *folders, size_t folder_count,
                                               const char *runtime, int threads, const nz_progress *progress);
/** Releases the cases and zeroes the struct; safe on a zeroed one. */
NZ_API void nz_conformance_done(nz_conformance *conformance);
/** "passed", "failed" or "unsupported". Static. */
NZ_API const char *nz_case_status_name(nz_case_status status);

#ifdef __cplusplus
}
#endif
#endif
