/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that plan the model and time it. */
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

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

static json_t *layers_json(const nz_session *session) {
    json_t *layers = json_array();
    for (size_t i = 0; i < nz_session_layer_count(session); i++) {
        nz_layer layer = nz_session_layer(session, i);
        json_array_append_new(layers,
                              json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "name", nz_json_string(layer.name), "op",
                                        nz_json_string(layer.op), "kernel", nz_json_string(layer.kernel), "fused",
                                        nz_json_string(layer.fused), "compute", nz_json_string(layer.compute),
                                        "latency_ms", nz_json_real(layer.latency_ms)));
    }
    return layers;
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

nz_status nz_worker_load(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    nz_worker_model model;
    if (worker->session) return nz_fail(NZ_E_ARG, "load: this worker holds a model already");
    NZ_TRY(nz_worker_model_get(&model, request));
    uint64_t begin = nz_clock_ns();
    {
        NZ_AUTO_GRAPH nz_graph *graph = NULL;
        NZ_TRY(nz_model_load(&graph, model.path));
        NZ_TRY(nz_worker_session(&worker->session, graph, &model, 1, true, false));
    }
    double seconds = (double)(nz_clock_ns() - begin) * 1e-9;
    NZ_TRY(nz_ports_init(&worker->ports, worker->session, sample_elements(&model.sample), model.seed));
    NZ_TRY(open_samples(worker, request));
    return nz_worker_answer(
        ret_answer, json_pack("{s:o,s:o,s:I,s:b,s:f,s:I,s:s,s:o,s:I}", "inputs", ports_json(worker->session, false),
                              "outputs", ports_json(worker->session, true), "batch", (json_int_t)worker->ports.batch,
                              "real_samples", worker->samples >= 0, "load_s", seconds, "activation_bytes",
                              (json_int_t)nz_session_activation_bytes(worker->session), "compute",
                              nz_session_compute(worker->session), "layers", layers_json(worker->session), "rss_before",
                              (json_int_t)worker->start.rss_bytes));
}

/* The next sample (or samples, for a fixed batch) into the fed input: outside of what is timed. */
static nz_status feed(nz_worker *worker, nz_ports *ports) {
    if (worker->samples < 0 || ports->fed < 0) return NZ_OK;
    size_t bytes = ports->elements * sizeof(float);
    for (int64_t slot = 0; slot < ports->batch; slot++) {
        off_t at = (off_t)(worker->sample_next * bytes);
        if (pread(worker->samples, worker->sample, bytes, at) != (ssize_t)bytes)
            return nz_fail(NZ_E_IO, "the file of samples ends early or cannot be read");
        worker->sample_next = (worker->sample_next + 1) % worker->sample_count;
        nz_ports_set(ports, (size_t)slot, worker->sample);
    }
    return NZ_OK;
}

static nz_status run_once(nz_worker *worker, nz_session *session, nz_ports *ports, uint64_t *ret_ns) {
    NZ_TRY(feed(worker, ports));
    uint64_t begin = nz_clock_ns();
    NZ_TRY(nz_session_run(session, ports->inputs, ports->outputs));
    *ret_ns = nz_clock_ns() - begin;
    return NZ_OK;
}

static nz_status need_session(const nz_worker *worker, const char *verb) {
    return worker->session ? NZ_OK : nz_fail(NZ_E_ARG, "%s: no model is loaded", verb);
}

/* Runs for at least `seconds` and three times; the last ones tell how long one takes once everything is warm. */
static nz_status warm(nz_worker *worker, nz_session *session, nz_ports *ports, double seconds, size_t *ret_runs,
                      uint64_t *ret_ns) {
    uint64_t begin = nz_clock_ns(), last[3] = {0, 0, 0};
    size_t runs = 0;
    while (runs < 3 || (double)(nz_clock_ns() - begin) * 1e-9 < seconds)
        NZ_TRY(run_once(worker, session, ports, &last[runs++ % 3]));
    uint64_t least = last[0] < last[1] ? last[0] : last[1];
    *ret_ns = least < last[2] ? least : last[2];
    *ret_runs = runs;
    return NZ_OK;
}

nz_status nz_worker_warm(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    size_t runs;
    uint64_t ns;
    NZ_TRY(need_session(worker, "warm"));
    NZ_TRY(warm(worker, worker->session, &worker->ports, json_number_value(json_object_get(request, "seconds")), &runs,
                &ns));
    return nz_worker_answer(ret_answer, json_pack("{s:I,s:I}", "runs", (json_int_t)runs, "ns", (json_int_t)ns));
}

nz_status nz_worker_time(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    enum { MOST = 100000 };
    json_int_t count = json_integer_value(json_object_get(request, "count"));
    double seconds = json_number_value(json_object_get(request, "seconds"));
    NZ_TRY(need_session(worker, "time"));
    if (count < 1 || count > MOST)
        return nz_fail(NZ_E_ARG, "time: count %lld is outside 1 to %d", (long long)count, MOST);
    if (!(seconds >= 0 && seconds <= 60)) return nz_fail(NZ_E_ARG, "time: %g seconds are outside 0 to 60", seconds);
    NZ_AUTO_FREE uint64_t *ns = NULL;
    NZ_TRY(nz_alloc(&ns, (size_t)count, sizeof *ns));
    uint64_t cpu = nz_process_cpu_ns(), begin = nz_clock_ns();
    /* Another worker has run since this one's last block: the first runs only fetch the caches back. */
    json_int_t untimed = 1 + count / 50;
    for (json_int_t i = 0; i < untimed; i++) NZ_TRY(run_once(worker, worker->session, &worker->ports, &ns[0]));
    for (json_int_t i = 0; i < count; i++) NZ_TRY(run_once(worker, worker->session, &worker->ports, &ns[i]));
    for (uint64_t last; (double)(nz_clock_ns() - begin) < seconds * 1e9;
         untimed++) /* a power source needs its window */
        NZ_TRY(run_once(worker, worker->session, &worker->ports, &last));
    uint64_t wall = nz_clock_ns() - begin;
    cpu = nz_process_cpu_ns() - cpu;
    json_t *list = json_array();
    for (json_int_t i = 0; i < count; i++) json_array_append_new(list, json_integer((json_int_t)ns[i]));
    return nz_worker_answer(ret_answer, json_pack("{s:o,s:I,s:I,s:I}", "ns", list, "runs", count + untimed, "cpu_ns",
                                                  (json_int_t)cpu, "wall_ns", (json_int_t)wall));
}

nz_status nz_worker_memory(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    (void)request;
    nz_memory_process now;
    NZ_TRY(nz_memory_process_get(&now, 0, NULL));
    if (!worker->start.rss_bytes)
        return nz_fail(NZ_E_UNAVAILABLE, "resident memory could not be read when the worker started");
    return nz_worker_answer(ret_answer,
                            json_pack("{s:I,s:I,s:I,s:o,s:o}", "rss_before", (json_int_t)worker->start.rss_bytes, "rss",
                                      (json_int_t)now.rss_bytes, "peak", (json_int_t)now.peak_bytes, "pss_before",
                                      nz_json_real(worker->start.pss_bytes), "pss", nz_json_real(now.pss_bytes)));
}

nz_status nz_worker_throughput(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    nz_worker_model model;
    NZ_TRY(nz_worker_model_get(&model, request));
    int64_t batch = json_integer_value(json_object_get(request, "batch"));
    double seconds = json_number_value(json_object_get(request, "seconds"));
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_TRY(nz_model_load(&graph, model.path));
    nz_session *session = NULL;
    nz_ports ports = {.fed = -1};
    NZ_TRY(nz_worker_session(&session, graph, &model, batch, true, false));
    nz_status status = nz_ports_init(&ports, session, sample_elements(&model.sample), model.seed);
    uint64_t sum = 0, ns;
    size_t runs = 0;
    if (status == NZ_OK) status = warm(worker, session, &ports, seconds / 4, &runs, &ns);
    for (runs = 0; status == NZ_OK && (runs < 3 || (double)sum * 1e-9 < seconds); runs++) {
        status = run_once(worker, session, &ports, &ns);
        if (status == NZ_OK) sum += ns;
    }
    batch = ports.batch;
    nz_ports_done(&ports);
    nz_session_free(session);
    if (status != NZ_OK) return status;
    double samples = (double)runs * (double)batch;
    return nz_worker_answer(ret_answer, json_pack("{s:f,s:I,s:I}", "per_second", samples / ((double)sum * 1e-9),
                                                  "batch", (json_int_t)batch, "samples", (json_int_t)samples));
}

nz_status nz_worker_profile(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    enum { MOST_RUNS = 1000 };
    nz_worker_model model;
    NZ_TRY(nz_worker_model_get(&model, request));
    double seconds = json_number_value(json_object_get(request, "seconds"));
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_TRY(nz_model_load(&graph, model.path));
    nz_session *session = NULL;
    nz_ports ports = {.fed = -1};
    NZ_TRY(nz_worker_session(&session, graph, &model, 1, true, true));
    nz_status status = nz_ports_init(&ports, session, sample_elements(&model.sample), model.seed);
    uint64_t begin = nz_clock_ns(), ns;
    for (int i = 0; status == NZ_OK && i < MOST_RUNS && (i < 5 || (double)(nz_clock_ns() - begin) * 1e-9 < seconds);
         i++)
        status = run_once(worker, session, &ports, &ns);
    json_t *layers = status == NZ_OK ? layers_json(session) : NULL;
    nz_ports_done(&ports);
    nz_session_free(session);
    if (status != NZ_OK) return status;
    return nz_worker_answer(ret_answer, json_pack("{s:o}", "layers", layers));
}
