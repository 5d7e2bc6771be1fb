/* SPDX-License-Identifier: Apache-2.0 */
/* The request that runs a detector over the data set: ground truth and boxes, in pixels of the stored images, go to a file
 * that the parent reads. */
#include <time.h>

#include "compare/detections_file.h"
#include "compare/worker.h"
#include "core/error.h"
#include "detect/detector.h"
#include "detect/gather.h"
#include "netzip/detect.h"
#include "netzip/onnx.h"

enum { MOST_MESSAGES = 100 };

typedef struct detection {
    nz_worker *worker;
    nz_dataset *data;
    nz_session *session;
    nz_ports ports;
    nz_loader *loader;
    nz_detect_options options;
    nz_detector *detector;
    nz_gathered gathered;
    nz_detections d;
    size_t total, unlabelled;
    uint64_t box_ns; /* from outputs to boxes, this thread's CPU time */
    json_t *broken;  /* messages */
    char *note;      /* about the classes' order; NULL: none */
} detection;

static void detection_done(detection *p) {
    nz_loader_free(p->loader);
    nz_detector_free(p->detector);
    nz_detect_options_done(&p->options);
    nz_ports_done(&p->ports);
    nz_session_free(p->session);
    nz_data_free(p->data);
    nz_gathered_done(&p->gathered);
    nz_detections_done(&p->d);
    json_decref(p->broken);
    free(p->note);
}

/* That the model is no detector, or another data set's, is a fact to be told; a lack of memory is a failure. */
static nz_status as_unavailable(nz_status status) {
    bool told = status == NZ_E_UNSUPPORTED || status == NZ_E_SHAPE || status == NZ_E_ARG || status == NZ_E_FORMAT;
    return told ? NZ_E_UNAVAILABLE : status;
}

static nz_status open_detector(detection *p) {
    const nz_tensor *input = &p->ports.inputs[p->ports.fed];
    return as_unavailable(nz_detector_open(&p->detector, &p->options, &input->shape, nz_shape_is_nhwc(&input->shape),
                                           p->ports.outputs, p->ports.output_count, nz_data_classes(p->data)));
}

/* Images of detectors are large: a batch takes what fits these bytes, at least one. */
static int64_t batch_of(int64_t asked, int64_t elements) {
    enum { BATCH_ELEMENTS = 8 << 20 };
    int64_t most = elements > 0 ? BATCH_ELEMENTS / elements : 1;
    return most < 1 ? 1 : most < asked ? most : asked;
}

static nz_status open_model(detection *p, const nz_worker_model *model, const json_t *request) {
    const char *spec = json_string_value(json_object_get(request, "data"));
    if (!spec) return nz_fail(NZ_E_ARG, "detect: no data");
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_TRY(nz_model_load(&graph, model->path));
    NZ_TRY(nz_data_open_for_model(&p->data, spec, NZ_DATA_COMPARE, graph));
    NZ_TRY(nz_worker_same_data(p->data, request));
    NZ_TRY(as_unavailable(
        nz_detect_options_read(&p->options, json_string_value(json_object_get(request, "detect")), graph)));
    nz_shape shape;
    nz_data_shape(p->data, &shape);
    int64_t elements = nz_shape_elements(&shape),
            batch = batch_of(json_integer_value(json_object_get(request, "batch")), elements);
    NZ_TRY(nz_worker_session(&p->session, graph, model, batch, false, false));
    NZ_TRY(nz_ports_init(&p->ports, p->session, elements > 0 ? (size_t)elements : 0, model->seed));
    if (p->ports.fed >= 0) {
        NZ_TRY(open_detector(p));
        return nz_class_names_compare(&p->note, graph, p->data, nz_detector_classes(p->detector));
    }
    char text[112];
    return nz_fail(NZ_E_UNAVAILABLE, "no input of the model takes the data's samples of %s",
                   nz_shape_text(&shape, text));
}

static nz_status open_all(detection *p, const nz_worker_model *model, const json_t *request) {
    p->broken = json_array();
    if (!p->broken) return nz_fail(NZ_E_MEMORY, "out of memory: a worker");
    NZ_TRY(open_model(p, model, request));
    p->total = nz_data_count(p->data);
    return nz_loader_open(&p->loader, p->data, (size_t)p->ports.batch, NULL, 0, model->threads);
}

static uint64_t thread_ns(void) {
    struct timespec now;
    return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) ? 0
                                                        : (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* Whether the labels of an image can be read: without them it says nothing. */
static nz_status has_labels(bool *ret_has, detection *p, size_t sample) {
    nz_object *objects = NULL;
    size_t count = 0;
    nz_status status = nz_data_objects(&objects, &count, p->data, sample);
    if (status == NZ_E_MEMORY) return status;
    if (status == NZ_OK)
        free(objects);
    else if (p->unlabelled++ < MOST_MESSAGES)
        json_array_append_new(p->broken, nz_json_string(nz_last_error()));
    *ret_has = status == NZ_OK;
    return NZ_OK;
}

static nz_status take_image(detection *p, const nz_batch *batch, size_t slot) {
    bool labelled = false;
    const nz_found_box *boxes;
    size_t count;
    NZ_TRY(has_labels(&labelled, p, batch->indices[slot]));
    if (!labelled) return NZ_OK;
    uint64_t begin = thread_ns();
    NZ_TRY(nz_detector_boxes(&boxes, &count, p->detector, p->ports.outputs, slot));
    NZ_TRY(nz_gathered_add(&p->gathered, batch->indices[slot], boxes, count, &batch->placements[slot]));
    p->box_ns += thread_ns() - begin;
    return NZ_OK;
}

static nz_status run_all(detection *p) {
    for (uint64_t told = 0, now;;) {
        nz_batch batch;
        NZ_TRY(nz_loader_next(p->loader, &batch));
        if (!batch.count) return NZ_OK;
        if (!batch.placements) return nz_fail(NZ_E_UNAVAILABLE, "the data does not say where its images lie");
        for (size_t i = 0; i < batch.count; i++) nz_ports_set(&p->ports, i, batch.x + i * p->ports.elements);
        NZ_TRY(nz_session_run(p->session, p->ports.inputs, p->ports.outputs));
        for (size_t i = 0; i < batch.count; i++) NZ_TRY(take_image(p, &batch, i));
        if ((now = nz_clock_ns()) - told < 200000000) continue;
        told = now;
        NZ_TRY(nz_worker_progress(p->worker, p->gathered.count + nz_loader_broken(p->loader), p->total));
    }
}

static nz_status finish(detection *p) {
    if (!p->gathered.count) return nz_fail(NZ_E_UNAVAILABLE, "no image of the data could be read");
    NZ_TRY(nz_gathered_finish(&p->d, &p->gathered, p->data, NULL, nz_detector_classes(p->detector)));
    for (size_t i = 1; i < p->d.image_count; i++)
        if (p->d.image_ids[i] == p->d.image_ids[i - 1])
            return nz_fail(NZ_E_UNAVAILABLE, "two images of the data have the id %lld", (long long)p->d.image_ids[i]);
    return NZ_OK;
}

static nz_status answer(json_t **ret_answer, detection *p, size_t bytes, double seconds) {
    const nz_detections *d = &p->d;
    NZ_AUTO_FREE char *options = NULL;
    NZ_TRY(nz_detect_options_text(&options, &p->options));
    size_t broken = nz_loader_broken(p->loader);
    for (size_t i = 0; i < broken && i < MOST_MESSAGES; i++)
        json_array_append_new(p->broken, nz_json_string(nz_loader_broken_message(p->loader, i)));
    return nz_worker_answer(
        ret_answer,
        json_pack("{s:b,s:o,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:I,s:O,s:o,s:f,s:f}", "detections", 1, "note",
                  nz_json_string(p->note), "count", (json_int_t)d->image_count, "classes", (json_int_t)d->class_count,
                  "truths", (json_int_t)d->truth_count, "boxes", (json_int_t)d->found_count, "bytes", (json_int_t)bytes,
                  "head", nz_json_string(nz_detector_describe(p->detector)), "options", nz_json_string(options),
                  "broken", (json_int_t)(broken + p->unlabelled), "broken_messages", p->broken, "preprocess",
                  nz_json_string(nz_data_preprocess(p->data)), "postprocess_ms",
                  (double)p->box_ns * 1e-6 / (double)d->image_count, "seconds", seconds));
}

nz_status nz_worker_detect(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    NZ_AUTO(detection_done) detection p = {.worker = worker, .ports = {.fed = -1}};
    const char *out = json_string_value(json_object_get(request, "out"));
    nz_worker_model model;
    if (!out) return nz_fail(NZ_E_ARG, "detect: no place for the boxes");
    NZ_TRY(nz_worker_model_get(&model, request));
    uint64_t begin = nz_clock_ns();
    nz_status status = open_all(&p, &model, request);
    if (status == NZ_OK) status = run_all(&p);
    if (status == NZ_OK) status = finish(&p);
    if (status == NZ_E_UNAVAILABLE)
        return nz_worker_answer(ret_answer, json_pack("{s:o}", "unavailable", nz_json_string(nz_last_error())));
    size_t bytes;
    if (status == NZ_OK) status = nz_detections_save(out, &p.d, &bytes);
    if (status != NZ_OK) return status;
    return answer(ret_answer, &p, bytes, (double)(nz_clock_ns() - begin) * 1e-9);
}
