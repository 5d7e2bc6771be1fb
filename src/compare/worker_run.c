/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that plan the model and time it. */
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "compare/pin.h"
#include "compare/worker.h"
#include "core/error.h"
#include "core/random.h"
#include "netzip/onnx.h"
#include "pass/bind.h"

/* ---- ports ---- */

static void fill_random(nz_tensor *tensor, nz_random *random) {
    int64_t count = nz_shape_elements(&tensor->shape);
    const nz_dtype_info *info = nz_dtype_get(tensor->dtype);
    bool small = tensor->dtype == NZ_U8 || tensor->dtype == NZ_I8;
    for (int64_t i = 0; i < count; i++) {
        /* Wide integers are mostly indices: 0 is always one. */
        if (info->is_float)
            nz_tensor_set_real(tensor, i, 2 * nz_random_unit(random) - 1);
        else
            nz_tensor_set_int(tensor, i, small ? (int64_t)nz_random_below(random, 128) : 0);
    }
}

static size_t per_sample(const nz_tensor *tensor) {
    int64_t elements = nz_shape_elements(&tensor->shape);
    if (tensor->shape.rank < 1 || tensor->shape.dim[0] < 1 || elements < 1) return 0;
    return (size_t)(elements / tensor->shape.dim[0]);
}

nz_status nz_ports_init(nz_ports *ret_ports, const nz_session *session, size_t sample_elements, uint64_t seed) {
    NZ_AUTO(nz_ports_done) nz_ports ports = {.fed = -1, .batch = 1};
    nz_random random;
    nz_random_init(&random, seed, 1);
    size_t inputs = nz_session_input_count(session), outputs = nz_session_output_count(session);
    NZ_TRY(nz_alloc(&ports.inputs, inputs, sizeof *ports.inputs));
    NZ_TRY(nz_alloc(&ports.outputs, outputs, sizeof *ports.outputs));
    for (; ports.input_count < inputs; ports.input_count++) {
        const nz_tensor *like = nz_session_input(session, ports.input_count, NULL);
        nz_tensor *tensor = &ports.inputs[ports.input_count];
        NZ_TRY(nz_tensor_init(tensor, like->dtype, &like->shape));
        if (ports.fed < 0 && sample_elements && per_sample(tensor) == sample_elements)
            ports.fed = (int)ports.input_count;
        else
            fill_random(tensor, &random);
    }
    for (; ports.output_count < outputs; ports.output_count++) {
        const nz_tensor *like = nz_session_output(session, ports.output_count, NULL);
        NZ_TRY(nz_tensor_init(&ports.outputs[ports.output_count], like->dtype, &like->shape));
    }
    const nz_tensor *lead = inputs ? &ports.inputs[ports.fed < 0 ? 0 : ports.fed] : NULL;
    if (lead && lead->shape.rank > 0 && lead->shape.dim[0] > 0) ports.batch = lead->shape.dim[0];
    ports.elements = ports.fed < 0 ? 0 : sample_elements;
    *ret_ports = ports;
    ports = (nz_ports){0};
    return NZ_OK;
}

void nz_ports_done(nz_ports *ports) {
    for (size_t i = 0; i < ports->input_count; i++) nz_tensor_done(&ports->inputs[i]);
    for (size_t i = 0; i < ports->output_count; i++) nz_tensor_done(&ports->outputs[i]);
    free(ports->inputs);
    free(ports->outputs);
    *ports = (nz_ports){.fed = -1};
}

void nz_ports_set(nz_ports *ports, size_t slot, const float *x) {
    nz_tensor *tensor = &ports->inputs[ports->fed];
    size_t begin = slot * ports->elements;
    if (tensor->dtype == NZ_F32)
        memcpy((float *)tensor->data + begin, x, ports->elements * sizeof *x);
    else
        for (size_t i = 0; i < ports->elements; i++) nz_tensor_set_real(tensor, (int64_t)(begin + i), (double)x[i]);
}

/* ---- sessions ---- */

nz_status nz_worker_model_get(nz_worker_model *ret_model, const json_t *request) {
    nz_worker_model model = {
        .path = json_string_value(json_object_get(request, "path")),
        .runtime = json_string_value(json_object_get(request, "runtime")),
        .threads = (int)json_integer_value(json_object_get(request, "threads")),
        .seed = (uint64_t)json_integer_value(json_object_get(request, "seed")),
        .sample = nz_shape_from_json(json_object_get(request, "sample")),
    };
    if (!model.path || !model.runtime) return nz_fail(NZ_E_ARG, "a request names no path or no runtime");
    *ret_model = model;
    return NZ_OK;
}

nz_status nz_worker_session(nz_session **ret_session, const nz_graph *graph, const nz_worker_model *model,
                            int64_t batch, bool tune, bool profile) {
    nz_binding binding;
    nz_runtime_options options = {
        .threads = model->threads, .batch = batch, .profile = profile, .tune = tune, .bindings = &binding};
    nz_sample_binding(&binding, &options.binding_count, graph, &model->sample, batch);
    return nz_session_open(ret_session, model->runtime, graph, model->path, &options);
}

static size_t sample_elements(const nz_shape *sample) {
    int64_t elements = sample->rank < 0 ? 0 : nz_shape_elements(sample);
    return elements > 0 ? (size_t)elements : 0;
}

static json_t *ports_json(const nz_session *session, bool outputs) {
    json_t *array = json_array();
    size_t count = outputs ? nz_session_output_count(session) : nz_session_input_count(session);
    for (size_t i = 0; i < count; i++) {
        const char *name;
        const nz_tensor *t = outputs ? nz_session_output(session, i, &name) : nz_session_input(session, i, &name);
        json_array_append_new(array, json_pack("{s:o,s:s,s:o}", "name", nz_json_string(name), "type",
                                               nz_dtype_get(t->dtype)->name, "shape", nz_shape_json(&t->shape)));
    }
    return array;
}

static nz_status open_samples(nz_worker *worker, const json_t *request) {
    const char *path = json_string_value(json_object_get(request, "samples"));
    worker->sample_count = (size_t)json_integer_value(json_object_get(request, "sample_count"));
    if (!path || !worker->sample_count || worker->ports.fed < 0) return NZ_OK;
    NZ_TRY(nz_alloc(&worker->sample, worker->ports.elements, sizeof *worker->sample));
    worker->samples = open(path, O_RDONLY | O_CLOEXEC);
    if (worker->samples < 0) return nz_fail_errno(path, "cannot be opened");
    return NZ_OK;
}

static nz_status plan(nz_worker *worker, const nz_worker_model *model, int64_t batch) {
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_TRY(nz_model_load(&graph, model->path));
    NZ_TRY(nz_worker_session(&worker->session, graph, model, batch, true, false));
    return NZ_OK;
}

nz_status nz_worker_load(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    nz_worker_model model;
    json_int_t batch = json_integer_value(json_object_get(request, "batch"));
    double sum_ms;
    if (worker->session) return nz_fail(NZ_E_ARG, "load: this worker holds a model already");
    NZ_TRY(nz_worker_model_get(&model, request));
    uint64_t begin = nz_clock_ns();
    nz_memory_watch_begin(&worker->memory);
    nz_status status = plan(worker, &model, batch > 0 ? batch : 1);
    nz_memory_watch_end(&worker->memory);
    NZ_TRY(status);
    double seconds = (double)(nz_clock_ns() - begin) * 1e-9;
    NZ_TRY(nz_ports_init(&worker->ports, worker->session, sample_elements(&model.sample), model.seed));
    NZ_TRY(open_samples(worker, request));
    return nz_worker_answer(
        ret_answer,
        json_pack("{s:o,s:o,s:I,s:b,s:f,s:o,s:s,s:o,s:I,s:o,s:i}", "inputs", ports_json(worker->session, false),
                  "outputs", ports_json(worker->session, true), "batch", (json_int_t)worker->ports.batch,
                  "real_samples", worker->samples >= 0, "load_s", seconds, "activation_bytes",
                  nz_worker_activations_json(worker), "compute", nz_session_compute(worker->session), "layers",
                  nz_worker_layers_json(worker->session, 0, &sum_ms), "rss_before", (json_int_t)worker->start.rss_bytes,
                  "process", nz_pin_json(), "pid", (int)getpid()));
}
