/* SPDX-License-Identifier: Apache-2.0 */
/* The request that runs the model over the data set. The scores go to a file that the parent maps:
 * float scores[count][classes], then int64 indices[count], then int32 labels[count]. */
#include <string.h>

#include "compare/worker.h"
#include "core/error.h"
#include "core/file.h"
#include "netzip/detect.h"
#include "netzip/onnx.h"

typedef struct prediction {
    nz_worker *worker;
    nz_dataset *data;
    nz_session *session;
    nz_ports ports;
    nz_loader *loader;
    nz_file_writer *writer;
    size_t classes, count, capacity_indices, capacity_labels, total;
    int64_t *indices;
    int32_t *labels;
    float *row; /* scores of one sample */
} prediction;

static void prediction_done(prediction *p) {
    nz_file_writer_abort(p->writer);
    nz_loader_free(p->loader);
    nz_ports_done(&p->ports);
    nz_session_free(p->session);
    nz_data_free(p->data);
    free(p->indices);
    free(p->labels);
    free(p->row);
}

/* One score per class: [batch, classes], where further extents of 1 do not matter. */
static nz_status count_classes(size_t *ret_classes, const nz_ports *ports) {
    char text[112];
    if (ports->output_count == 0) return nz_fail(NZ_E_UNAVAILABLE, "the model has no output");
    const nz_shape *shape = &ports->outputs[0].shape;
    int64_t classes = 1, wide = 0;
    for (int i = 1; i < shape->rank; i++) {
        wide += shape->dim[i] > 1;
        classes *= shape->dim[i];
    }
    if (shape->rank < 2 || shape->dim[0] != ports->batch || wide > 1 || classes < 1)
        return nz_fail(NZ_E_UNAVAILABLE, "the model's output is %s, not one score per class",
                       nz_shape_text(shape, text));
    if (!nz_dtype_get(ports->outputs[0].dtype)->bits)
        return nz_fail(NZ_E_UNAVAILABLE, "the model's output has no numbers");
    *ret_classes = (size_t)classes;
    return NZ_OK;
}

/* Says what the model is instead, where that is known. */
static nz_status explain(nz_status status, const nz_graph *graph) {
    nz_detect_options options = {0};
    nz_head head;
    if (status != NZ_E_UNAVAILABLE || nz_detect_options_read(&options, NULL, graph) != NZ_OK) return status;
    if (nz_graph_detects(graph, &options, &head))
        status = nz_fail(NZ_E_UNAVAILABLE, "the model is a detector (%s) and the data has no objects to be found",
                         nz_head_at((size_t)head, NULL));
    nz_detect_options_done(&options);
    return status;
}

nz_status nz_worker_same_data(const nz_dataset *data, const json_t *request) {
    const char *wanted = json_string_value(json_object_get(request, "fingerprint"));
    if (!wanted || strcmp(wanted, nz_data_fingerprint(data)) == 0) return NZ_OK;
    return nz_fail(NZ_E_UNAVAILABLE,
                   "the data on the other machine is not the same: %zu samples there, of another "
                   "list or with other labels (--target-data here computes accuracy on this machine)",
                   nz_data_count(data));
}

static nz_status open_all(prediction *p, const nz_worker_model *model, const json_t *request) {
    const char *spec = json_string_value(json_object_get(request, "data")),
               *out = json_string_value(json_object_get(request, "out"));
    int64_t batch = json_integer_value(json_object_get(request, "batch"));
    if (!spec || !out) return nz_fail(NZ_E_ARG, "predict: no data or no place for the scores");
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_TRY(nz_model_load(&graph, model->path));
    NZ_TRY(nz_data_open_for_model(&p->data, spec, NZ_DATA_COMPARE, graph));
    NZ_TRY(nz_worker_same_data(p->data, request));
    /* Measuring may choose other algorithms at every run; predictions should be the same each time. */
    NZ_TRY(nz_worker_session(&p->session, graph, model, batch, false, false));
    nz_shape shape;
    nz_data_shape(p->data, &shape);
    int64_t elements = nz_shape_elements(&shape);
    NZ_TRY(nz_ports_init(&p->ports, p->session, elements > 0 ? (size_t)elements : 0, model->seed));
    if (p->ports.fed < 0) {
        char text[112];
        return nz_fail(NZ_E_UNAVAILABLE, "no input of the model takes the data's samples of %s",
                       nz_shape_text(&shape, text));
    }
    NZ_TRY(explain(count_classes(&p->classes, &p->ports), graph));
    NZ_TRY(nz_alloc(&p->row, p->classes * (size_t)p->ports.batch, sizeof *p->row));
    /* Decoding may cost more than inference: as many threads, and the samples' order is the same with any number. */
    NZ_TRY(nz_loader_open(&p->loader, p->data, (size_t)p->ports.batch, NULL, 0, model->threads));
    p->total = nz_data_count(p->data);
    return nz_file_writer_open(&p->writer, out);
}

static nz_status take_batch(prediction *p, const nz_batch *batch) {
    for (size_t i = 0; i < batch->count; i++) nz_ports_set(&p->ports, i, batch->x + i * p->ports.elements);
    NZ_TRY(nz_session_run(p->session, p->ports.inputs, p->ports.outputs));
    nz_tensor_to_f32(&p->ports.outputs[0], p->row);
    NZ_TRY(nz_file_writer_append(p->writer, p->row, batch->count * p->classes * sizeof *p->row));
    NZ_TRY(nz_grow(&p->indices, &p->capacity_indices, p->count + batch->count, sizeof *p->indices));
    NZ_TRY(nz_grow(&p->labels, &p->capacity_labels, p->count + batch->count, sizeof *p->labels));
    for (size_t i = 0; i < batch->count; i++) {
        p->indices[p->count] = (int64_t)batch->indices[i];
        p->labels[p->count++] = batch->labels[i];
    }
    return NZ_OK;
}

static nz_status run_all(prediction *p) {
    uint64_t told = 0;
    for (;;) {
        nz_batch batch;
        NZ_TRY(nz_loader_next(p->loader, &batch));
        if (!batch.count) break;
        NZ_TRY(take_batch(p, &batch));
        uint64_t now = nz_clock_ns();
        if (now - told < 200000000) continue;
        told = now;
        NZ_TRY(nz_worker_progress(p->worker, p->count + nz_loader_broken(p->loader), p->total));
    }
    if (!p->count) return nz_fail(NZ_E_UNAVAILABLE, "no sample of the data could be read");
    NZ_TRY(nz_file_writer_append(p->writer, p->indices, p->count * sizeof *p->indices));
    NZ_TRY(nz_file_writer_append(p->writer, p->labels, p->count * sizeof *p->labels));
    return nz_file_writer_commit(NZ_STEAL(p->writer));
}

nz_status nz_worker_predict(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    NZ_AUTO(prediction_done) prediction p = {.worker = worker, .ports = {.fed = -1}};
    nz_worker_model model;
    NZ_TRY(nz_worker_model_get(&model, request));
    uint64_t begin = nz_clock_ns();
    nz_status status = open_all(&p, &model, request);
    if (status == NZ_OK) status = run_all(&p);
    /* That this model and this data give no scores is an answer; that something broke is a failure. */
    if (status == NZ_E_UNAVAILABLE)
        return nz_worker_answer(ret_answer, json_pack("{s:o}", "unavailable", nz_json_string(nz_last_error())));
    if (status != NZ_OK) return status;
    json_t *broken = json_array();
    size_t count = nz_loader_broken(p.loader);
    for (size_t i = 0; i < count && i < 100; i++)
        json_array_append_new(broken, nz_json_string(nz_loader_broken_message(p.loader, i)));
    return nz_worker_answer(ret_answer, json_pack("{s:I,s:I,s:I,s:o,s:o,s:f}", "count", (json_int_t)p.count, "classes",
                                                  (json_int_t)p.classes, "broken", (json_int_t)count, "broken_messages",
                                                  broken, "preprocess", nz_json_string(nz_data_preprocess(p.data)),
                                                  "seconds", (double)(nz_clock_ns() - begin) * 1e-9));
}
