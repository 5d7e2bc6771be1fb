/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/worker.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compare/pin.h"
#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "netzip/compare.h"
#include "netzip/onnx.h"

static const struct verb {
    const char *name;
    nz_status (*serve)(nz_worker *worker, const json_t *request, json_t **ret_answer);
} verbs[] = {
    {"describe", nz_worker_describe}, {"load", nz_worker_load},       {"warm", nz_worker_warm},
    {"time", nz_worker_time},         {"memory", nz_worker_memory},   {"counters", nz_worker_counters},
    {"profile", nz_worker_profile},   {"predict", nz_worker_predict}, {"detect", nz_worker_detect},
    {"facts", nz_worker_facts},       {"station", nz_worker_station}, {"watch", nz_worker_watch},
    {"watched", nz_worker_watched},   {"quiet", nz_worker_quiet},     {"usage", nz_worker_usage},
    {"doctor", nz_worker_doctor},
};

static nz_status serve(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    const char *name = json_string_value(json_object_get(request, "do"));
    for (size_t i = 0; name && i < NZ_COUNT(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0) return verbs[i].serve(worker, request, ret_answer);
    return nz_fail(NZ_E_ARG, "a worker knows no request '%s'", name ? name : "");
}

nz_status nz_worker_answer(json_t **ret_answer, json_t *packed) {
    if (!packed) return nz_fail(NZ_E_MEMORY, "out of memory: an answer of a worker");
    *ret_answer = packed;
    return NZ_OK;
}

nz_status nz_worker_progress(nz_worker *worker, size_t done, size_t total) {
    NZ_AUTO_JSON json_t *message = json_pack("{s:[I,I]}", "progress", (json_int_t)done, (json_int_t)total);
    return message ? nz_channel_send(&worker->channel, message) : nz_fail(NZ_E_MEMORY, "out of memory: a message");
}

/* Serves one request; false where the parent is gone. */
static bool serve_next(nz_worker *worker) {
    NZ_AUTO_JSON json_t *request = NULL, *answer = NULL;
    nz_channel_event event;
    do {
        if (nz_channel_receive(&worker->channel, &event, &request, worker->idle_ms) != NZ_OK) return false;
        if (event == NZ_CHANNEL_QUIET && worker->idle_ms > 0 && nz_worker_progress(worker, 0, 0) != NZ_OK) return false;
    } while (event == NZ_CHANNEL_QUIET);
    if (event == NZ_CHANNEL_CLOSED) return false;
    nz_status status = serve(worker, request, &answer);
    if (status == NZ_OK) {
        json_object_set_new(answer, "ok", json_true());
    } else {
        json_decref(answer);
        answer = json_pack("{s:b,s:s,s:o}", "ok", 0, "status", nz_status_name(status), "error",
                           nz_json_string(nz_last_error()));
    }
    return answer && nz_channel_send(&worker->channel, answer) == NZ_OK;
}

void nz_worker_serve(nz_worker *worker) {
    if (nz_memory_process_get(&worker->start, 0, NULL) != NZ_OK) worker->start = (nz_memory_process){0};
    while (serve_next(worker)) {
    }
    nz_session_free(worker->session);
    nz_station_free(worker->station);
    nz_ports_done(&worker->ports);
    free(worker->sample);
    if (worker->samples >= 0) close(worker->samples);
    nz_channel_done(&worker->channel);
}

int nz_worker_main(int argc, char **argv) {
    static char name[] = "netzip", verb[] = "worker";
    struct stat info;
    if (fstat(NZ_WORKER_FD, &info) != 0 || !S_ISSOCK(info.st_mode)) {
        (void)nz_fail(NZ_E_ARG, "worker: is started by netzip compare, not by hand");
        return 2;
    }
    if (nz_pin_take(argc, argv, (char *[]){name, verb, NULL}) != NZ_OK) return 2;
    fcntl(NZ_WORKER_FD, F_SETFD, FD_CLOEXEC);
    /* An interrupt from the terminal goes to the whole group; whether to stop is the parent's to decide. */
    signal(SIGINT, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    nz_worker worker = {.channel = {.fd = NZ_WORKER_FD}, .idle_ms = -1, .samples = -1};
    nz_worker_serve(&worker);
    return 0;
}

json_t *nz_shape_json(const nz_shape *shape) {
    if (shape->rank < 0) return json_null();
    json_t *json = json_array();
    for (int i = 0; i < shape->rank; i++) json_array_append_new(json, json_integer(shape->dim[i]));
    return json;
}

nz_shape nz_shape_from_json(const json_t *json) {
    nz_shape shape = {.rank = -1};
    size_t rank = json_array_size(json);
    if (!json_is_array(json) || rank > NZ_MAX_RANK) return shape;
    for (size_t i = 0; i < rank; i++) shape.dim[i] = json_integer_value(json_array_get(json, i));
    shape.rank = (int)rank;
    return shape;
}

static json_t *values_json(const nz_graph *graph, const int *values, size_t count) {
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        const nz_value *v = &graph->values[values[i]];
        json_array_append_new(array, json_pack("{s:o,s:s,s:o}", "name", nz_json_string(v->name), "type",
                                               nz_dtype_get(v->dtype)->name, "shape", nz_shape_json(&v->shape)));
    }
    return array;
}

/* Whether what leaves the graph comes from a Softmax, but for nodes that move data without changing it. */
static bool ends_in_softmax(const nz_graph *graph) {
    static const char *const movers[] = {"Identity",  "Reshape",          "Flatten",       "Squeeze",
                                         "Unsqueeze", "DequantizeLinear", "QuantizeLinear"};
    int value = graph->output_count ? graph->outputs[0] : NZ_NO_VALUE;
    for (size_t steps = 0; value >= 0 && steps < 8; steps++) {
        int producer = graph->values[value].producer;
        if (producer < 0) return false;
        const nz_node *node = &graph->nodes[producer];
        if (strcmp(node->op_type, "Softmax") == 0) return true;
        bool moves = false;
        for (size_t i = 0; i < NZ_COUNT(movers); i++) moves = moves || strcmp(node->op_type, movers[i]) == 0;
        if (!moves || node->input_count == 0) return false;
        value = node->inputs[0];
    }
    return false;
}

static void free_data(nz_dataset **data) { nz_data_free(*data); }

/* The first samples that can be read, one after the other, so that timing never has to decode an image. */
static nz_status write_samples(size_t *ret_count, nz_dataset *data, const nz_shape *shape, const char *path) {
    enum { MOST_SAMPLES = 64, MOST_BYTES = 64 << 20 };
    int64_t elements = nz_shape_elements(shape);
    if (elements < 1) return nz_fail(NZ_E_SHAPE, "the samples' size varies; give resize= and crop=");
    NZ_AUTO_FREE float *x = NULL;
    NZ_AUTO_FREE char *first = NULL; /* why the first of those that cannot be read cannot */
    NZ_TRY(nz_alloc(&x, (size_t)elements, sizeof *x));
    size_t bytes = (size_t)elements * sizeof *x, written = 0;
    nz_file_writer *writer = NULL;
    nz_status status = nz_file_writer_open(&writer, path);
    for (size_t i = 0; status == NZ_OK && i < nz_data_count(data) && written < MOST_SAMPLES; i++) {
        int32_t label;
        if (written && (written + 1) * bytes > MOST_BYTES) break;
        if (nz_data_get(data, i, x, &label) != NZ_OK) {
            if (!first) status = nz_strdup(&first, nz_last_error());
            continue;
        }
        status = nz_file_writer_append(writer, x, bytes);
        written++;
    }
    if (status == NZ_OK && !written)
        status = nz_fail(NZ_E_FORMAT, "no sample of the data can be read: %s", first ? first : "there is none");
    if (status != NZ_OK) {
        nz_file_writer_abort(writer);
        return status;
    }
    NZ_TRY(nz_file_writer_commit(writer));
    *ret_count = written;
    return NZ_OK;
}

/* Opens the data as this model wants it. That it does not fit is a fact about the model, told in the answer. */
static nz_status describe_data(json_t *answer, const nz_graph *graph, const json_t *request) {
    const char *spec = json_string_value(json_object_get(request, "data")),
               *path = json_string_value(json_object_get(request, "samples"));
    NZ_AUTO(free_data) nz_dataset *data = NULL;
    nz_shape shape = {.rank = -1};
    size_t count = 0;
    if (!spec || !path) return NZ_OK;
    nz_status status = nz_data_open_for_model(&data, spec, NZ_DATA_COMPARE, graph);
    if (status == NZ_OK) {
        nz_data_shape(data, &shape);
        status = write_samples(&count, data, &shape, path);
    }
    if (status == NZ_E_MEMORY || status == NZ_E_RESOURCE) return status;
    json_t *part = status == NZ_OK
                       ? json_pack("{s:o,s:I,s:o,s:o,s:b,s:I}", "shape", nz_shape_json(&shape), "samples",
                                   (json_int_t)count, "describe", nz_json_string(nz_data_describe(data)), "preprocess",
                                   nz_json_string(nz_data_preprocess(data)), "default_preprocess",
                                   nz_data_default_preprocess(data), "count", (json_int_t)nz_data_count(data))
                       : json_pack("{s:o}", "error", nz_json_string(nz_last_error()));
    if (!part || json_object_set_new(answer, "data", part))
        return nz_fail(NZ_E_MEMORY, "out of memory: an answer of a worker");
    return NZ_OK;
}

/* A model's file does not tell what the files beside it hold: where it has some, the weights are hashed too. */
static nz_status hash_weights(json_t *answer, const nz_graph *graph, const char *path, uint64_t disk_bytes) {
    struct stat info;
    nz_text text = {0};
    NZ_AUTO_FREE char *all = NULL;
    char hex[65];
    if (stat(path, &info) != 0 || (uint64_t)info.st_size >= disk_bytes) return NZ_OK;
    for (size_t v = 0; v < graph->value_count; v++) {
        const nz_tensor *constant = &graph->values[v].constant;
        if (!constant->data) continue;
        nz_sha256(hex, constant->data, constant->bytes);
        nz_text_append(&text, hex);
    }
    NZ_TRY(nz_text_take(&text, &all));
    nz_sha256(hex, all, strlen(all));
    return json_object_set_new(answer, "weights_sha256", json_string(hex))
               ? nz_fail(NZ_E_MEMORY, "out of memory: an answer of a worker")
               : NZ_OK;
}

nz_status nz_worker_describe(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    (void)worker;
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO_JSON json_t *answer = NULL;
    const char *path = json_string_value(json_object_get(request, "path"));
    if (!path) return nz_fail(NZ_E_ARG, "describe: no path");
    NZ_TRY(nz_model_load(&graph, path));
    const nz_value *first = graph->input_count ? &graph->values[graph->inputs[0]] : NULL;
    json_int_t fixed = first && first->shape.rank > 0 && first->shape.dim[0] > 0 ? first->shape.dim[0] : 0;
    json_t *metas = json_object();
    for (size_t i = 0; i < graph->meta_count; i++)
        json_object_set_new(metas, graph->metas[i].key, nz_json_string(graph->metas[i].value));
    NZ_TRY(nz_worker_answer(&answer, json_pack("{s:o,s:o,s:I,s:b,s:o,s:i,s:o}", "inputs",
                                               values_json(graph, graph->inputs, graph->input_count), "outputs",
                                               values_json(graph, graph->outputs, graph->output_count), "fixed_batch",
                                               fixed, "probabilities", ends_in_softmax(graph), "meta", metas, "opset",
                                               graph->opset, "producer", nz_json_string(graph->producer))));
    uint64_t bytes;
    NZ_TRY(nz_model_disk_bytes(&bytes, path));
    json_object_set_new(answer, "disk_bytes", json_integer((json_int_t)bytes));
    NZ_TRY(hash_weights(answer, graph, path, bytes));
    NZ_TRY(describe_data(answer, graph, request));
    *ret_answer = NZ_STEAL(answer);
    return NZ_OK;
}
