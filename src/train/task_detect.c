/* SPDX-License-Identifier: Apache-2.0 */
/* Learning objects: the levels of a YOLOv5 head against the boxes of each sample, as its placement leads them there. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/progress.h"
#include "core/text.h"
#include "graph/build.h"
#include "netzip/detection.h"
#include "train/detect_loss.h"
#include "train/head.h"
#include "train/task.h"

/* What is left of a box inside the sample counts as an object where it is no sliver. */
#define SIDE_LEAST 2.0
#define AREA_LEAST 0.1
#define PUBLISHED_SIDE 640.0
#define PUBLISHED_CLASSES 80.0
#define PUBLISHED_LEVELS 3.0
enum { BALANCES = 5 };

typedef struct detect {
    nz_head_places places;
    nz_detect_options options; /* of the model */
    nz_levels levels;
    size_t order[NZ_LEVELS_MOST];
    int64_t height, width;
    nz_object *objects; /* of all samples, one after the other */
    size_t object_count, object_capacity;
    size_t *first; /* [samples + 1] */
    nz_target *targets;
    size_t target_count, target_capacity;
    nz_assignment assignment;
    float *values[NZ_LEVELS_MOST], *gradients[NZ_LEVELS_MOST], *scratch;
} detect;

static void done(nz_task *t) {
    detect *d = t->own;
    if (!d) return;
    nz_head_places_done(&d->places);
    nz_detect_options_done(&d->options);
    nz_assignment_done(&d->assignment);
    for (size_t i = 0; i < NZ_LEVELS_MOST; i++) {
        free(d->values[i]);
        free(d->gradients[i]);
    }
    free(d->scratch);
    free(d->objects);
    free(d->first);
    free(d->targets);
    free(d);
}

/* ---- before the first step ---- */

/* Other heads run, but are not trained. */
static nz_status check_head(const nz_graph *graph, const nz_detect_options *options) {
    nz_head head = NZ_HEAD_AUTO;
    if (!nz_graph_detects(graph, options, &head)) /* told here, not when it is tested */
        return nz_fail(NZ_E_UNSUPPORTED,
                       "training: data with objects train a YOLOv5 head, and the model's outputs are not "
                       "those of a detector (metadata netzip.detect: head=, strides=, anchors=)");
    if (head == NZ_HEAD_YOLOV5 || head == NZ_HEAD_YOLOV5_RAW) return NZ_OK;
    return nz_fail(
        NZ_E_UNSUPPORTED,
        "training: the model's head is %s's by its outputs; only YOLOv5's is trained (where it is one all the "
        "same: metadata netzip.detect, head=)",
        nz_head_at((size_t)head, NULL));
}

static nz_status plan(nz_task *t, nz_engine_options *options) {
    detect *d = NULL;
    if (t->options->loss == NZ_LOSS_MSE)
        return nz_fail(NZ_E_ARG, "training: loss=mse is for classifiers; a detector's loss is YOLOv5's");
    NZ_TRY(nz_alloc(&d, 1, sizeof *d));
    t->own = d;
    NZ_TRY(nz_detect_options_read(&d->options, NULL, t->graph));
    NZ_TRY(nz_levels_get(&d->levels, &d->options));
    NZ_TRY(check_head(t->graph, &d->options));
    if (!d->options.anchors)
        nz_progress_note(t->progress,
                         "the model does not say its anchors (metadata netzip.detect): YOLOv5's for COCO are "
                         "taken for them");
    NZ_TRY(nz_head_find(&d->places, t->graph));
    const char **taps = (const char **)(uintptr_t)options->taps; /* the caller left room behind its own */
    for (size_t i = 0; i < d->places.count; i++) taps[options->tap_count++] = d->places.names[i];
    options->taps_alone = true;
    return NZ_OK;
}

static nz_status add_objects(detect *d, size_t classes, const nz_dataset *data, size_t sample) {
    NZ_AUTO_FREE nz_object *objects = NULL;
    size_t count = 0;
    nz_status status = nz_data_objects(&objects, &count, data, sample);
    if (status == NZ_E_MEMORY) return status;
    if (status != NZ_OK) count = 0; /* its image is found broken when it is read */
    NZ_TRY(nz_grow(&d->objects, &d->object_capacity, d->object_count + count, sizeof *d->objects));
    for (size_t i = 0; i < count; i++) {
        if (objects[i].crowd) continue;
        if (objects[i].class_index < 0 || (size_t)objects[i].class_index >= classes)
            return nz_fail(NZ_E_SHAPE, "training: %s: sample %zu shows an object of class %d, and the model knows %zu",
                           nz_data_describe(data), sample, (int)objects[i].class_index, classes);
        d->objects[d->object_count++] = objects[i];
    }
    return NZ_OK;
}

static nz_status keep_objects(nz_task *t) {
    detect *d = t->own;
    size_t samples = nz_data_count(t->train);
    NZ_TRY(nz_alloc(&d->first, samples + 1, sizeof *d->first));
    for (size_t i = 0; i < samples; i++) {
        NZ_TRY(add_objects(d, t->classes, t->train, i));
        d->first[i + 1] = d->object_count;
    }
    if (d->object_count) return NZ_OK;
    return nz_fail(NZ_E_FORMAT, "training: %s: no sample shows an object", nz_data_describe(t->train));
}

static nz_status make_outputs(nz_task *t, const nz_shape *shapes) {
    detect *d = t->own;
    size_t largest = 0;
    t->output_count = d->places.count;
    for (size_t i = 0; i < t->output_count; i++) {
        const nz_shape *shape = &shapes[d->order[i]];
        size_t elements = (size_t)nz_shape_elements(shape), places = elements / (size_t)(5 + t->classes);
        if (places > largest) largest = places;
        NZ_TRY(nz_alloc_aligned(&d->values[i], elements, sizeof(float)));
        NZ_TRY(nz_alloc_aligned(&d->gradients[i], elements, sizeof(float)));
        t->outputs[i] = (nz_train_output){.shape = *shape, .value = d->values[i], .gradient = d->gradients[i]};
    }
    return nz_alloc_aligned(&d->scratch, largest, sizeof *d->scratch);
}

static nz_status check_classes(const nz_task *t, const nz_dataset *data) {
    size_t classes = nz_data_classes(data);
    if (classes == t->classes) return NZ_OK;
    return nz_fail(NZ_E_SHAPE, "training: %s: it has %zu classes, and the model's head %zu", nz_data_describe(data),
                   classes, t->classes);
}

/* How many objects have an anchor at all: those without are not learnt. */
static void tell_recall(const nz_task *t) {
    const detect *d = t->own;
    double recall = nz_anchor_recall(t->train, &d->levels, t->options->anchor_ratio);
    if (recall < 0.98)
        nz_progress_note(t->progress,
                         "only %.1f%% of the objects have an anchor of about their size: others are not learnt (train "
                         "--anchors fit)",
                         100 * recall);
}

static nz_status begin(nz_task *t) {
    detect *d = t->own;
    nz_shape shapes[NZ_LEVELS_MOST];
    const nz_shape *input = nz_engine_input_shape(t->engine);
    NZ_TRY(nz_task_check_samples(t, t->train));
    if (t->test) NZ_TRY(nz_task_check_samples(t, t->test));
    if (input->rank != 4)
        return nz_fail(NZ_E_SHAPE, "training: a detector's input has four extents, this one %d", input->rank);
    d->height = input->dim[2], d->width = input->dim[3];
    for (size_t i = 0; i < d->places.count; i++) shapes[i] = *nz_engine_tap_shape(t->engine, t->first_tap + i);
    NZ_TRY(nz_head_order(d->order, &t->classes, shapes, d->places.count, &d->levels, d->height, d->width));
    NZ_TRY(check_classes(t, t->train));
    if (t->test && !nz_data_has_objects(t->test))
        return nz_fail(NZ_E_ARG, "training: %s: test samples without objects cannot test a detector",
                       nz_data_describe(t->test));
    if (t->test) NZ_TRY(check_classes(t, t->test));
    t->loss_scale = (double)t->batch;
    NZ_TRY(make_outputs(t, shapes));
    NZ_TRY(keep_objects(t));
    tell_recall(t);
    return NZ_OK;
}

/* ---- one step ---- */

static double clip(double at, double most) { return at < 0 ? 0 : at > most ? most : at; }

static nz_status add_target(detect *d, const nz_object *object, const nz_placement *placement, int32_t slot) {
    double box[4] = {object->x, object->y, object->width, object->height};
    nz_place_box(box, placement);
    double left = clip(box[0], (double)d->width), right = clip(box[0] + box[2], (double)d->width),
           top = clip(box[1], (double)d->height), bottom = clip(box[1] + box[3], (double)d->height);
    double w = right - left, h = bottom - top;
    if (!(w >= SIDE_LEAST) || !(h >= SIDE_LEAST) || w * h < AREA_LEAST * box[2] * box[3]) return NZ_OK;
    NZ_TRY(nz_grow(&d->targets, &d->target_capacity, d->target_count + 1, sizeof *d->targets));
    d->targets[d->target_count++] = (nz_target){.slot = slot,
                                                .class_index = object->class_index,
                                                .x = (left + right) / 2,
                                                .y = (top + bottom) / 2,
                                                .width = w,
                                                .height = h};
    return NZ_OK;
}

static nz_status gather_targets(nz_task *t, const nz_batch *batch) {
    detect *d = t->own;
    d->target_count = 0;
    if (!batch->placements)
        return nz_fail(NZ_E_INTERNAL, "training: %s: batches do not tell where images lie", nz_data_describe(t->train));
    for (size_t n = 0; n < t->batch; n++)
        for (size_t i = d->first[batch->indices[n]]; i < d->first[batch->indices[n] + 1]; i++)
            NZ_TRY(add_target(d, &d->objects[i], &batch->placements[n], (int32_t)n));
    return NZ_OK;
}

/* As published for three levels, and for five. */
static double balance(size_t level, size_t count) {
    static const double three[] = {4, 1, 0.4}, more[BALANCES] = {4, 1, 0.25, 0.06, 0.02};
    if (count == NZ_COUNT(three)) return three[level];
    return more[level < BALANCES ? level : BALANCES - 1];
}

static nz_status lose(nz_task *t, const nz_batch *batch, nz_task_loss *ret_loss) {
    detect *d = t->own;
    const nz_train_options *o = t->options;
    double levels = PUBLISHED_LEVELS / (double)t->output_count,
           area = (double)(d->height * d->width) / (PUBLISHED_SIDE * PUBLISHED_SIDE);
    *ret_loss = (nz_task_loss){0};
    NZ_TRY(gather_targets(t, batch));
    for (size_t i = 0; i < t->output_count; i++) {
        const nz_shape *shape = &t->outputs[i].shape;
        nz_level level = {.batch = shape->dim[0],
                          .anchors = (int64_t)d->levels.anchors,
                          .classes = (int64_t)t->classes,
                          .rows = shape->dim[2],
                          .columns = shape->dim[3],
                          .stride = d->levels.stride[i],
                          .anchor = d->levels.anchor[i]};
        nz_detect_gains gains = {.box = o->box_gain * levels,
                                 .object = o->object_gain * levels * area * balance(i, t->output_count),
                                 .class_score = o->class_gain * levels * (double)t->classes / PUBLISHED_CLASSES,
                                 .smoothing = o->label_smoothing,
                                 .gradient = t->loss_scale};
        double parts[NZ_LOSS_PARTS];
        nz_engine_tap(t->engine, t->first_tap + d->order[i], d->values[i]);
        NZ_TRY(nz_assign(&d->assignment, &level, d->targets, d->target_count, o->anchor_ratio));
        NZ_TRY(nz_detect_loss(parts, &level, &d->assignment, &gains, d->values[i], d->gradients[i], d->scratch));
        for (size_t p = 0; p < NZ_LOSS_PARTS; p++) {
            ret_loss->parts[p] += parts[p];
            ret_loss->loss += parts[p] * t->loss_scale;
        }
    }
    return NZ_OK;
}

static nz_status push(nz_task *t, const float **ret_doutput) {
    const detect *d = t->own;
    *ret_doutput = NULL;
    for (size_t i = 0; i < t->output_count; i++)
        NZ_TRY(nz_engine_tap_gradient(t->engine, t->first_tap + d->order[i], t->outputs[i].gradient));
    return NZ_OK;
}

/* ---- mAP ---- */

static nz_status evaluate(nz_task *t, const nz_graph *graph, nz_train_epoch *epoch, size_t *ret_broken) {
    const detect *d = t->own;
    NZ_AUTO(nz_detections_done) nz_detections found = {0};
    NZ_AUTO(nz_coco_result_done) nz_coco_result result = {0};
    nz_detect_run run = {.options = &d->options, .threads = t->threads, .batch = t->options->batch};
    NZ_TRY(nz_detect(&found, ret_broken, graph, t->test, &run, t->progress));
    NZ_TRY(nz_coco_evaluate(&result, &found));
    double map50 = result.stats[NZ_COCO_AP50], map50_95 = result.stats[NZ_COCO_AP];
    epoch->test_map50_pct = map50 < 0 ? (double)NAN : 100 * map50;
    epoch->test_map50_95_pct = map50_95 < 0 ? (double)NAN : 100 * map50_95;
    return NZ_OK;
}

/* Anchors and strides that were taken for given are told from now on. */
static nz_status describe(nz_task *t, nz_graph *graph) {
    const nz_levels *levels = &((const detect *)t->own)->levels;
    NZ_AUTO(nz_text_done) nz_text text = {0};
    if (nz_graph_meta(graph, "netzip.detect")) return NZ_OK;
    nz_text_append(&text, "anchors=");
    for (size_t l = 0; l < levels->count; l++)
        for (size_t a = 0; a < levels->anchors; a++)
            nz_text_appendf(&text, "%s%gx%g", a ? "+" : l ? "/" : "", levels->anchor[l][a][0], levels->anchor[l][a][1]);
    for (size_t l = 0; l < levels->count; l++) nz_text_appendf(&text, "%s%d", l ? "+" : ",strides=", levels->stride[l]);
    NZ_TRY(text.status);
    return nz_graph_set_meta(graph, "netzip.detect", text.data);
}

const nz_task_kind nz_task_detect = {true, plan, begin, lose, push, evaluate, describe, done};
