/* SPDX-License-Identifier: Apache-2.0 */
#include "compress/calibrate.h"

#include <math.h>
#include <stdlib.h>

#include "compress/tap.h"
#include "core/error.h"
#include "core/progress.h"

/* Room for the names of what is tapped; the strings stay the graph's. */
static nz_status activation_names(const char ***ret_names, const nz_graph *graph, const nz_qplan *plan) {
    NZ_TRY(nz_alloc(ret_names, plan->activation_count, sizeof **ret_names));
    for (size_t i = 0; i < plan->activation_count; i++) (*ret_names)[i] = graph->values[plan->activations[i]].name;
    return NZ_OK;
}

/* Channels are axis 1: features of a matrix, channels of images. */
static nz_status open_observers(nz_observer *observers, const nz_tap *tap, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const nz_shape *s = nz_tap_shape(tap, i);
        NZ_TRY(nz_observer_init(&observers[i], s->rank >= 2 ? (size_t)s->dim[1] : 1));
    }
    return NZ_OK;
}

static nz_status observe_all(nz_observer *observers, nz_tap *tap, size_t count, const nz_method_input *input,
                             size_t limit, nz_compress_report *report) {
    NZ_AUTO(nz_samples_done) nz_samples samples = {0};
    NZ_TRY(nz_samples_open(&samples, input->data, nz_tap_batch(tap), limit));
    for (;;) {
        nz_batch batch;
        NZ_TRY(nz_samples_next(&samples, &batch));
        if (batch.count == 0) break;
        NZ_TRY(nz_tap_run(tap, batch.x, batch.count));
        for (size_t i = 0; i < count; i++) {
            size_t elements = 0;
            const float *values = nz_tap_values(tap, i, &elements);
            nz_observer_add(&observers[i], values, batch.count, elements / observers[i].channels);
        }
        report->samples += batch.count;
        if (!nz_progress_step(input->progress, "calibration samples", report->samples, samples.total))
            return nz_fail(NZ_E_CANCELLED, "calibration was interrupted");
    }
    report->broken = nz_loader_broken(samples.loader);
    if (report->broken)
        nz_progress_note(input->progress, "%zu calibration samples could not be read and were left out; the first: %s",
                         report->broken, nz_loader_broken_message(samples.loader, 0));
    if (report->samples == 0) return nz_fail(NZ_E_FORMAT, "calibration: the data has no readable sample");
    return NZ_OK;
}

static nz_status observe(nz_observer *observers, const nz_graph *graph, const nz_qplan *plan,
                         const nz_method_input *input, size_t limit, nz_compress_report *report) {
    NZ_AUTO_FREE const char **names = NULL;
    NZ_AUTO(nz_tap_free_ptr) nz_tap *tap = NULL;
    NZ_TRY(activation_names(&names, graph, plan));
    NZ_TRY(nz_tap_open(&tap, graph, names, plan->activation_count, input->data, input->threads));
    NZ_TRY(open_observers(observers, tap, plan->activation_count));
    NZ_TRY(observe_all(observers, tap, plan->activation_count, input, limit, report));
    for (size_t i = 0; i < plan->activation_count; i++)
        if (observers[i].non_finite)
            return nz_fail(NZ_E_FORMAT, "calibration: value %s holds %llu infinities or NaN; check the preprocessing",
                           names[i], (unsigned long long)observers[i].non_finite);
    return NZ_OK;
}

/* The common range of every group, then scale and zero point of each activation. */
static void choose_params(nz_ranges *r, const nz_qplan *plan, const nz_ptq_options *o) {
    for (size_t i = 0; i < plan->activation_count; i++) {
        double *group = r->ends[plan->groups[i]];
        group[0] = fmin(group[0], r->own[i][0]);
        group[1] = fmax(group[1], r->own[i][1]);
    }
    double lowest = o->activations == 0 ? 0 : -128;
    for (size_t i = 0; i < plan->activation_count; i++) {
        const double *group = r->ends[plan->groups[i]];
        double scale = (group[1] - group[0]) / 255;
        r->scales[i] = scale >= 1e-30 ? (float)scale : 1;
        double zero = nearbyint(lowest - group[0] / (double)r->scales[i]);
        r->params[i] = (nz_qparams){.dtype = o->activations == 0 ? NZ_U8 : NZ_I8,
                                    .count = 1,
                                    .scales = &r->scales[i],
                                    .zero_point = (int64_t)fmin(fmax(zero, lowest), lowest + 255)};
    }
}

static nz_status make_room(nz_ranges *r) {
    NZ_TRY(nz_alloc(&r->observers, r->count, sizeof *r->observers));
    NZ_TRY(nz_alloc(&r->own, r->count, sizeof *r->own));
    NZ_TRY(nz_alloc(&r->ends, r->count, sizeof *r->ends));
    NZ_TRY(nz_alloc(&r->params, r->count, sizeof *r->params));
    return nz_alloc(&r->scales, r->count, sizeof *r->scales);
}

nz_status nz_ranges_calibrate(nz_ranges *ret_ranges, const nz_graph *graph, const nz_qplan *plan,
                              const nz_method_input *input, const nz_ptq_options *options, nz_compress_report *report) {
    NZ_AUTO(nz_ranges_done) nz_ranges r = {.count = plan->activation_count};
    NZ_TRY(make_room(&r));
    NZ_TRY(nz_alloc(&r.store, r.count, sizeof *r.store));
    r.store_count = r.count;
    NZ_TRY(observe(r.store, graph, plan, input, (size_t)options->samples, report));
    for (size_t i = 0; i < r.count; i++) {
        r.observers[i] = &r.store[i];
        NZ_TRY(nz_observer_range(r.own[i], r.observers[i], (nz_calibration)options->calib, options->percentile, 256));
    }
    choose_params(&r, plan, options);
    *ret_ranges = r;
    r = (nz_ranges){0};
    return NZ_OK;
}

nz_status nz_ranges_narrow(nz_ranges *ret_ranges, const nz_ranges *ranges, const nz_qplan *plan,
                           const nz_qplan *narrower, const nz_ptq_options *options) {
    NZ_AUTO(nz_ranges_done) nz_ranges r = {.count = narrower->activation_count};
    NZ_TRY(make_room(&r));
    for (size_t i = 0; i < r.count; i++) {
        size_t from = nz_qplan_place(plan, narrower->activations[i]);
        if (from == plan->activation_count) return nz_fail(NZ_E_INTERNAL, "an activation was not calibrated");
        r.observers[i] = ranges->observers[from];
        r.own[i][0] = ranges->own[from][0];
        r.own[i][1] = ranges->own[from][1];
    }
    choose_params(&r, narrower, options);
    *ret_ranges = r;
    r = (nz_ranges){0};
    return NZ_OK;
}

void nz_ranges_done(nz_ranges *ranges) {
    for (size_t i = 0; ranges->store && i < ranges->store_count; i++) nz_observer_done(&ranges->store[i]);
    free(ranges->store);
    free(ranges->observers);
    free(ranges->own);
    free(ranges->ends);
    free(ranges->params);
    free(ranges->scales);
    *ranges = (nz_ranges){0};
}
