/* SPDX-License-Identifier: Apache-2.0 */
/** Runs a model over samples and shows chosen values inside it: calibration and layer comparisons. */
#ifndef NZ_COMPRESS_TAP_H
#define NZ_COMPRESS_TAP_H

#include "core/memory.h"
#include "netzip/data.h"
#include "netzip/runtime.h"

typedef struct nz_tap nz_tap;

/**
 * Opens a session of `graph` in which the values named are outputs; runs in float, Q/DQ as they stand. Extents that the
 * model leaves open are those of the data's samples.
 *
 * @param names  Values of type float that depend on the model's input. Borrowed during the call.
 * @param data   What will be run. Borrowed during the call.
 * @return NZ_E_UNSUPPORTED where the model has not exactly one float input; NZ_E_SHAPE where the samples do not fit it;
 *         what nz_session_open returns.
 */
NZ_CHECKED nz_status nz_tap_open(nz_tap **ret_tap, const nz_graph *graph, const char *const *names, size_t count,
                                 const nz_dataset *data, int threads);
void nz_tap_free(nz_tap *tap); /**< NULL passes */
static inline void nz_tap_free_ptr(nz_tap **tap) { nz_tap_free(*tap); }

size_t nz_tap_batch(const nz_tap *tap); /**< samples that one run takes */
/** Runs `count` <= nz_tap_batch samples, row-major one after the other. */
NZ_CHECKED nz_status nz_tap_run(nz_tap *tap, const float *x, size_t count);
/** Value `i` of the last run: `*ret_elements` floats per sample, samples one after the other. Borrowed until the next run. */
const float *nz_tap_values(const nz_tap *tap, size_t i, size_t *ret_elements);
const nz_shape *nz_tap_shape(const nz_tap *tap, size_t i); /**< of value i, the batch first */
const nz_shape *nz_tap_input_shape(const nz_tap *tap);
size_t nz_tap_count(const nz_tap *tap); /**< of the values named */

/** The first `limit` samples of a data set, batch by batch. */
typedef struct nz_samples {
    nz_loader *loader;
    size_t total; /**< samples that will be tried */
} nz_samples;
NZ_CHECKED nz_status nz_samples_open(nz_samples *ret_samples, const nz_dataset *data, size_t batch, size_t limit);
/** count 0 at the end; broken samples are left out. */
NZ_CHECKED nz_status nz_samples_next(nz_samples *samples, nz_batch *ret_batch);
void nz_samples_done(nz_samples *samples);

#endif
