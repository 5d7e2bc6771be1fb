/* SPDX-License-Identifier: Apache-2.0 */
/** One conformance case; the folders around it are conformance.c's. */
#ifndef NZ_RUNTIME_CONFORMANCE_H
#define NZ_RUNTIME_CONFORMANCE_H

#include "netzip/conformance.h"

/**
 * Runs the case in `folder` on all its data sets.
 *
 * @return NZ_OK where it passed; NZ_E_UNSUPPORTED where planning refused it; anything else: it failed, with the message.
 */
NZ_CHECKED nz_status nz_conformance_case(const char *folder, const char *runtime, int threads);
/** Whether two tensors agree: type, shape, and values within the tolerances. NZ_E_SHAPE names the first difference. */
NZ_CHECKED nz_status nz_conformance_compare(const nz_tensor *got, const nz_tensor *expected, const char *name);

#endif
