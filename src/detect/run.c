/* SPDX-License-Identifier: Apache-2.0 */
/* A detector over a data set: images are read ahead by the loader's threads, each batch is run, each sample's boxes are
 * mapped back to its stored image. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/progress.h"
#include "core/threads.h"
#include "detect/detector.h"
#include "detect/gather.h"
#include "netzip/runtime.h"

typedef struct running {
    const nz_dataset *data;
    nz_session *session;
    nz_loader *loader;
    nz_detector *detector;
    nz_tensor input, *outputs; /* input.data: the batch as the session takes it */
    size_t output_count, batch, elements;
    size_t unlabelled; /* images whose ground truth cannot be read: left out too */
    char *message;     /* what was wrong with the first of them */
    nz_detect_times times;
    nz_gathered gathered;
} running;

static void running_done(running *r) {
    nz_loader_free(r->loader);
    nz_detector_free(r->detector);
    nz_session_free(r->session);
    for (size_t i = 0; r->outputs && i < r->output_count; i++) nz_tensor_done(&r->outputs[i]);
    free(r->outputs);
    nz_tensor_done(&r->input);
    nz_gathered_done(&r->gathered);
    free(r->message);
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Extents that the model leaves open are the data's. */
static nz_status open_session(running *r, const nz_graph *graph, const nz_detect_run *run) {
    if (graph->input_count != 1)
        return nz_fail(NZ_E_UNSUPPORTED, "a detector has one input; this model has %zu", graph->input_count);
    const nz_value *input = &graph->values[graph->inputs[0]];
    nz_shape sample, shape = input->shape;
    char text[112], wanted[112];
    nz_data_shape(r->data, &sample);
    if (shape.rank != 4 || sample.rank != 3)
        return nz_fail(NZ_E_SHAPE, "the model's input of %s takes no images of %s", nz_shape_text(&shape, text),
                       nz_shape_text(&sample, wanted));
    if (shape.dim[0] < 0) shape.dim[0] = run->batch > 0 ? run->batch : 1;
    bool open = false;
    for (int k = 1; k < 4; k++) {
        open = open || shape.dim[k] < 0;
        if (shape.dim[k] < 0) shape.dim[k] = sample.dim[k - 1];
        if (sample.dim[k - 1] >= 0 && shape.dim[k] != sample.dim[k - 1])
            return nz_fail(NZ_E_SHAPE, "the model's input of %s takes no images of %s",
                           nz_shape_text(&input->shape, text), nz_shape_text(&sample, wanted));
    }
    nz_binding binding = {.input = input->name, .shape = shape};
    nz_runtime_options options = {.threads = run->threads,
                                  .batch = run->batch,
                                  .reference = run->reference,
                                  .bindings = open ? &binding : NULL,
                                  .binding_count = open ? 1 : 0};
    return nz_session_open(&r->session, "native", graph, NULL, &options);
}

static nz_status open_all(running *r, const nz_graph *graph, const nz_detect_run *run) {
    NZ_TRY(open_session(r, graph, run));
    const nz_tensor *input = nz_session_input(r->session, 0, NULL);
    NZ_TRY(nz_tensor_init(&r->input, input->dtype, &input->shape));
    r->batch = (size_t)input->shape.dim[0];
    r->elements = (size_t)(nz_shape_elements(&input->shape) / input->shape.dim[0]);
    size_t count = nz_session_output_count(r->session);
    NZ_TRY(nz_alloc(&r->outputs, count, sizeof *r->outputs));
    r->output_count = count;
    for (size_t i = 0; i < count; i++) {
        const nz_tensor *output = nz_session_output(r->session, i, NULL);
        NZ_TRY(nz_tensor_init(&r->outputs[i], output->dtype, &output->shape));
    }
    size_t classes = nz_data_has_objects(r->data) ? nz_data_classes(r->data) : 0;
    NZ_TRY(nz_detector_open(&r->detector, run->options, &input->shape, nz_shape_is_nhwc(&input->shape), r->outputs,
                            count, classes));
    int threads = run->threads > 0 ? run->threads : nz_threads_hardware();
    return nz_loader_open(&r->loader, r->data, r->batch, NULL, 0, threads);
}

static void feed(running *r, const nz_batch *batch) {
    size_t count = batch->count * r->elements;
    if (r->input.dtype == NZ_F32) {
        memcpy(r->input.data, batch->x, count * sizeof(float));
        return;
    }
    for (size_t i = 0; i < count; i++) nz_tensor_set_real(&r->input, (int64_t)i, (double)batch->x[i]);
}

/* Whether the sample's objects can be read, where the data have any. */
static nz_status has_labels(bool *ret_has, running *r, size_t sample) {
    NZ_AUTO_FREE nz_object *objects = NULL;
    size_t count = 0;
    *ret_has = true;
    if (!nz_data_has_objects(r->data)) return NZ_OK;
    nz_status status = nz_data_objects(&objects, &count, r->data, sample);
    if (status == NZ_E_MEMORY) return status;
    *ret_has = status == NZ_OK;
    if (status != NZ_OK && r->unlabelled++ == 0) NZ_TRY(nz_strdup(&r->message, nz_last_error()));
    return NZ_OK;
}

static nz_status take_sample(running *r, const nz_batch *batch, size_t slot) {
    const nz_found_box *boxes = NULL;
    size_t count = 0;
    nz_placement placement;
    bool labelled = false;
    NZ_TRY(has_labels(&labelled, r, batch->indices[slot]));
    if (!labelled) return NZ_OK;
    if (batch->placements)
        placement = batch->placements[slot];
    else
        NZ_TRY(nz_data_placement(&placement, r->data, batch->indices[slot]));
    NZ_TRY(nz_detector_boxes(&boxes, &count, r->detector, r->outputs, slot));
    return nz_gathered_add(&r->gathered, batch->indices[slot], boxes, count, &placement);
}

static nz_status take_batch(running *r, const nz_batch *batch) {
    uint64_t begin = now_ns();
    feed(r, batch);
    NZ_TRY(nz_session_run(r->session, &r->input, r->outputs));
    uint64_t middle = now_ns();
    for (size_t k = 0; k < batch->count; k++) NZ_TRY(take_sample(r, batch, k));
    r->times.inference_ns += middle - begin;
    r->times.boxes_ns += now_ns() - middle;
    r->times.images += batch->count;
    return NZ_OK;
}

static size_t broken(const running *r) { return nz_loader_broken(r->loader) + r->unlabelled; }

static nz_status run_all(running *r, const nz_progress *progress) {
    for (;;) {
        nz_batch batch;
        uint64_t begin = now_ns();
        NZ_TRY(nz_loader_next(r->loader, &batch));
        r->times.read_ns += now_ns() - begin;
        if (!batch.count) break;
        NZ_TRY(take_batch(r, &batch));
        if (!nz_progress_step(progress, "images", r->times.images + nz_loader_broken(r->loader),
                              nz_data_count(r->data)))
            return nz_fail(NZ_E_CANCELLED, "stopped");
    }
    const char *message = nz_loader_broken_message(r->loader, 0);
    if (!message) message = r->message;
    if (!r->gathered.count) return nz_fail(NZ_E_FORMAT, "%s", message ? message : "the data set has no image");
    if (message) nz_progress_note(progress, "%zu images could not be read, the first: %s", broken(r), message);
    return NZ_OK;
}

nz_status nz_detect(nz_detections *ret_detections, size_t *ret_broken, const nz_graph *graph, const nz_dataset *data,
                    const nz_detect_run *run, const nz_progress *progress) {
    NZ_AUTO(running_done) running r = {.data = data};
    NZ_AUTO_FREE char *note = NULL;
    NZ_TRY(open_all(&r, graph, run));
    NZ_TRY(nz_class_names_compare(&note, graph, data, nz_detector_classes(r.detector)));
    if (note) nz_progress_note(progress, "%s", note);
    NZ_TRY(run_all(&r, progress));
    NZ_TRY(nz_gathered_finish(ret_detections, &r.gathered, data, graph, nz_detector_classes(r.detector)));
    if (ret_broken) *ret_broken = broken(&r);
    if (run->times) *run->times = r.times;
    if (run->description) snprintf(run->description, NZ_DETECT_TEXT, "%s", nz_detector_describe(r.detector));
    return NZ_OK;
}
