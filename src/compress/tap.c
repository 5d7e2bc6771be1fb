/* SPDX-License-Identifier: Apache-2.0 */
#include "compress/tap.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "graph/build.h"
#include "netzip/pass.h"
#include "pass/bind.h"

/* Every tapped value of a batch is in memory at once: a small batch keeps large models affordable. */
enum { BATCH = 8 };

struct nz_tap {
    nz_session *session;
    nz_tensor input;
    size_t output_count, tap_count, batch;
    nz_tensor *outputs;
    int *places; /* of each tap among the outputs; -1: the input itself */
};

void nz_tap_free(nz_tap *tap) {
    if (!tap) return;
    nz_session_free(tap->session);
    nz_tensor_done(&tap->input);
    for (size_t i = 0; i < tap->output_count; i++) nz_tensor_done(&tap->outputs[i]);
    free(tap->outputs);
    free(tap->places);
    free(tap);
}

static nz_status expose_names(nz_graph **ret_exposed, const nz_graph *graph, const char *const *names, size_t count) {
    NZ_AUTO_FREE int *values = NULL;
    NZ_TRY(nz_alloc(&values, count, sizeof *values));
    size_t wanted = 0;
    for (size_t i = 0; i < count; i++) {
        int v = nz_graph_find_value(graph, names[i]);
        if (v < 0) return nz_fail(NZ_E_INTERNAL, "value %s is not in the model", names[i]);
        if (v != graph->inputs[0] && !nz_graph_is_output(graph, v)) values[wanted++] = v;
    }
    return nz_pass_expose(ret_exposed, graph, values, wanted);
}

static nz_status allocate_tensors(nz_tap *tap) {
    const nz_tensor *in = nz_session_input(tap->session, 0, NULL);
    NZ_TRY(nz_tensor_init(&tap->input, in->dtype, &in->shape));
    tap->batch = in->shape.rank > 0 && in->shape.dim[0] > 0 ? (size_t)in->shape.dim[0] : 1;
    size_t outputs = nz_session_output_count(tap->session);
    NZ_TRY(nz_alloc(&tap->outputs, outputs, sizeof *tap->outputs));
    for (; tap->output_count < outputs; tap->output_count++) {
        const nz_tensor *out = nz_session_output(tap->session, tap->output_count, NULL);
        NZ_TRY(nz_tensor_init(&tap->outputs[tap->output_count], out->dtype, &out->shape));
    }
    return NZ_OK;
}

static nz_status check_samples(const nz_tap *tap, const nz_shape *sample) {
    char mine[112], given[112];
    int64_t elements = nz_shape_elements(sample);
    if (elements >= 0 && (size_t)elements * tap->batch * sizeof(float) == tap->input.bytes) return NZ_OK;
    return nz_fail(NZ_E_SHAPE, "calibration: the data's samples are %s, the model's input is %s for %zu of them",
                   nz_shape_text(sample, given), nz_shape_text(&tap->input.shape, mine), tap->batch);
}

static nz_status find_places(nz_tap *tap, const char *const *names, size_t count) {
    NZ_TRY(nz_alloc(&tap->places, count, sizeof *tap->places));
    const char *name = NULL;
    nz_session_input(tap->session, 0, &name);
    for (size_t i = 0; i < count; i++) {
        tap->places[i] = -1;
        if (strcmp(name, names[i]) == 0) continue;
        for (size_t o = 0; o < tap->output_count; o++) {
            const char *output = NULL;
            nz_session_output(tap->session, o, &output);
            if (strcmp(output, names[i]) == 0) tap->places[i] = (int)o;
        }
        if (tap->places[i] < 0) return nz_fail(NZ_E_INTERNAL, "value %s is not among the outputs", names[i]);
        if (tap->outputs[tap->places[i]].dtype != NZ_F32)
            return nz_fail(NZ_E_INTERNAL, "value %s is not float", names[i]);
    }
    tap->tap_count = count;
    return NZ_OK;
}

nz_status nz_tap_open(nz_tap **ret_tap, const nz_graph *graph, const char *const *names, size_t count,
                      const nz_dataset *data, int threads) {
    if (graph->input_count != 1 || graph->values[graph->inputs[0]].dtype != NZ_F32)
        return nz_fail(NZ_E_UNSUPPORTED, "calibration needs a model with one float input; this one has %zu inputs",
                       graph->input_count);
    NZ_AUTO_GRAPH nz_graph *exposed = NULL;
    NZ_AUTO(nz_tap_free_ptr) nz_tap *tap = NULL;
    NZ_TRY(nz_alloc(&tap, 1, sizeof *tap));
    NZ_TRY(expose_names(&exposed, graph, names, count));
    nz_shape sample;
    nz_binding binding;
    nz_data_shape(data, &sample);
    nz_runtime_options options = {.threads = threads, .batch = BATCH, .compute = NZ_COMPUTE_F32, .bindings = &binding};
    nz_sample_binding(&binding, &options.binding_count, graph, &sample, BATCH);
    NZ_TRY(nz_session_open(&tap->session, "native", exposed, NULL, &options));
    NZ_TRY(allocate_tensors(tap));
    NZ_TRY(check_samples(tap, &sample));
    NZ_TRY(find_places(tap, names, count));
    *ret_tap = NZ_STEAL(tap);
    return NZ_OK;
}

size_t nz_tap_batch(const nz_tap *tap) { return tap->batch; }

nz_status nz_tap_run(nz_tap *tap, const float *x, size_t count) {
    size_t each = tap->input.bytes / tap->batch;
    memcpy(tap->input.data, x, count * each);
    memset((char *)tap->input.data + count * each, 0, (tap->batch - count) * each);
    return nz_session_run(tap->session, &tap->input, tap->outputs);
}

const nz_shape *nz_tap_shape(const nz_tap *tap, size_t i) {
    return tap->places[i] < 0 ? &tap->input.shape : &tap->outputs[tap->places[i]].shape;
}

const nz_shape *nz_tap_input_shape(const nz_tap *tap) { return &tap->input.shape; }

size_t nz_tap_count(const nz_tap *tap) { return tap->tap_count; }

const float *nz_tap_values(const nz_tap *tap, size_t i, size_t *ret_elements) {
    const nz_tensor *t = tap->places[i] < 0 ? &tap->input : &tap->outputs[tap->places[i]];
    *ret_elements = t->bytes / sizeof(float) / tap->batch;
    return t->data;
}

nz_status nz_samples_open(nz_samples *ret_samples, const nz_dataset *data, size_t batch, size_t limit) {
    size_t total = nz_data_count(data) < limit ? nz_data_count(data) : limit;
    NZ_AUTO_FREE size_t *order = NULL;
    NZ_TRY(nz_alloc(&order, total, sizeof *order));
    for (size_t i = 0; i < total; i++) order[i] = i;
    NZ_TRY(nz_loader_open(&ret_samples->loader, data, batch, order, total, 0));
    ret_samples->total = total;
    return NZ_OK;
}

nz_status nz_samples_next(nz_samples *samples, nz_batch *ret_batch) {
    return nz_loader_next(samples->loader, ret_batch);
}

void nz_samples_done(nz_samples *samples) {
    nz_loader_free(samples->loader);
    *samples = (nz_samples){0};
}
