/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a detector: which head the outputs are, and the message where they are none. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "detect/detector.h"

/* Looked through where nobody states strides: the usual three, with a coarser and with a finer one. */
static const char *const usual_strides[] = {"8+16+32", "8+16+32+64", "4+8+16+32", NULL};

/* Whether `kind` is in the outputs, at the levels of `options` or at any of the usual ones. */
static nz_status try_kind(bool *ret_fits, nz_head_fit *ret_fit, const nz_head_kind *kind, nz_head_ask *ask,
                          const nz_detect_options *options) {
    *ret_fits = false;
    for (size_t i = 0; usual_strides[i] && !*ret_fits; i++) {
        nz_detect_options at = *options;
        char strides[32];
        if (!options->strides) at.strides = strcpy(strides, usual_strides[i]);
        nz_status status = nz_levels_strides(&ask->levels, &at);
        if (status != NZ_OK && (options->strides || !options->anchors)) return status;
        if (status != NZ_OK) continue; /* anchors of another number of levels */
        ask->anchors = true;
        for (size_t l = 0; l < ask->levels.count && !options->anchors; l++)
            ask->anchors &= nz_anchors_published(ask->levels.anchor[l], ask->levels.stride[l]);
        *ret_fits = kind->fits(ret_fit, ask);
        if (options->strides) break;
    }
    return NZ_OK;
}

/* The first head that the outputs are, or the first with the data's number of classes where that is known. */
static nz_status tell(const nz_head_kind **ret_kind, nz_head_fit *ret_fit, nz_head_ask *ask,
                      const nz_detect_options *options) {
    const nz_head_kind *found = NULL;
    for (int h = NZ_HEAD_AUTO + 1; h < NZ_HEADS; h++) {
        const nz_head_kind *kind = nz_head_kind_get(h);
        nz_head_fit fit;
        bool fits = false;
        ask->named = options->head == h;
        if (options->head != NZ_HEAD_AUTO ? !ask->named : kind->never_told) continue;
        NZ_TRY(try_kind(&fits, &fit, kind, ask, options));
        bool expected = fits && fit.classes == ask->classes;
        if (!fits || (found && !expected)) continue;
        found = kind;
        *ret_fit = fit;
        if (expected) break;
    }
    *ret_kind = found;
    return NZ_OK;
}

static nz_status put_outputs(char **ret_text, const nz_tensor *outputs, size_t count) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    char shape[112];
    for (size_t i = 0; i < count; i++)
        nz_text_appendf(&text, "%s%s", i ? ", " : "", nz_shape_text(&outputs[i].shape, shape));
    return nz_text_take(&text, ret_text);
}

static nz_status fail_unknown(const nz_head_ask *ask, const nz_detect_options *options) {
    NZ_AUTO_FREE char *outputs = NULL;
    NZ_TRY(put_outputs(&outputs, ask->outputs, ask->output_count));
    const nz_head_kind *named = nz_head_kind_get(options->head);
    if (named)
        return nz_fail(NZ_E_UNSUPPORTED, "outputs of %s at an input of %zux%zu are not those of head %s: %s%s", outputs,
                       ask->height, ask->width, named->name, named->help,
                       options->head == NZ_HEAD_YOLOV5_RAW ? " (strides= and anchors= tell its levels)"
                                                           : " (strides= tells its levels)");
    NZ_AUTO(nz_text_done) nz_text known = {0};
    for (int h = NZ_HEAD_AUTO + 1; h < NZ_HEADS; h++) {
        const nz_head_kind *kind = nz_head_kind_get(h);
        if (!kind->never_told)
            nz_text_appendf(&known, "%s%s %.*s", known.length ? "; " : "", kind->name, (int)strcspn(kind->help, ":"),
                            kind->help);
    }
    NZ_AUTO_FREE char *heads = NULL;
    NZ_TRY(nz_text_take(&known, &heads));
    return nz_fail(NZ_E_UNSUPPORTED,
                   "outputs of %s at an input of %zux%zu are those of no head (%s); head= and strides= "
                   "may tell one",
                   outputs, ask->height, ask->width, heads);
}

static nz_status check_fit(const nz_head_fit *fit, const nz_head_kind *kind, const nz_head_ask *ask) {
    char text[112];
    if (ask->classes && fit->classes != ask->classes)
        return nz_fail(NZ_E_SHAPE, "the model (head %s) tells %zu classes apart, the data have %zu", kind->name,
                       fit->classes, ask->classes);
    for (size_t b = 0; b < fit->block_count; b++) {
        const nz_tensor *output = &ask->outputs[fit->blocks[b].output];
        if (nz_dtype_get(output->dtype)->bits < 8)
            return nz_fail(NZ_E_UNSUPPORTED, "outputs of type %s are not read as boxes",
                           nz_dtype_get(output->dtype)->name);
        if (output->shape.dim[0] != ask->batch)
            return nz_fail(NZ_E_SHAPE, "an output of %s for a batch of %lld images",
                           nz_shape_text(&output->shape, text), (long long)ask->batch);
    }
    /* A candidate's id counts pairs, a box's class index has a sign. */
    if (fit->classes > INT32_MAX || fit->rows > UINT32_MAX / fit->classes)
        return nz_fail(NZ_E_UNSUPPORTED, "%zu boxes of %zu classes are more than are handled", fit->rows, fit->classes);
    return NZ_OK;
}

static nz_status describe(nz_detector *d, const nz_head_ask *ask) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    char shape[112];
    nz_text_appendf(&text, "%s (", d->head->name);
    for (size_t b = 0, last = SIZE_MAX; b < d->fit.block_count; b++) {
        size_t output = d->fit.blocks[b].output;
        if (output == last) continue;
        nz_text_appendf(&text, "%s%s", b ? ", " : "", nz_shape_text(&ask->outputs[output].shape, shape));
        last = output;
    }
    nz_text_appendf(&text, "), conf %g, NMS IoU %g%s, at most %zu boxes%s", (double)d->confidence, (double)d->iou,
                    d->across ? " over all classes" : "", d->most, d->best_class ? ", best class alone" : "");
    return nz_text_take(&text, &d->description);
}

static nz_status make_buffers(nz_detector *d, const nz_head_ask *ask) {
    d->output_count = ask->output_count;
    NZ_TRY(nz_alloc(&d->data, d->output_count, sizeof *d->data));
    NZ_TRY(nz_alloc(&d->converted, d->output_count, sizeof *d->converted));
    NZ_TRY(nz_alloc(&d->last_chunk, d->fit.classes, sizeof *d->last_chunk));
    for (size_t b = 0; b < d->fit.block_count; b++) {
        size_t i = d->fit.blocks[b].output;
        const nz_tensor *output = &ask->outputs[i];
        size_t elements = (size_t)(nz_shape_elements(&output->shape) / output->shape.dim[0]);
        if (output->dtype != NZ_F32 && !d->converted[i])
            NZ_TRY(nz_alloc_aligned(&d->converted[i], elements, sizeof(float)));
    }
    return NZ_OK;
}

static void free_detector(nz_detector **d) { nz_detector_free(*d); }

nz_status nz_detector_open(nz_detector **ret_detector, const nz_detect_options *options, const nz_shape *input,
                           bool nhwc, const nz_tensor *outputs, size_t output_count, size_t classes) {
    char text[112];
    NZ_AUTO(free_detector) nz_detector *d = NULL;
    NZ_AUTO_FREE nz_tensor *known = NULL;
    nz_head_ask ask = {.output_count = output_count, .classes = classes};
    if (input->rank != 4 || nz_shape_elements(input) < 1)
        return nz_fail(NZ_E_UNSUPPORTED, "an input of %s is no batch of images", nz_shape_text(input, text));
    ask.batch = input->dim[0];
    ask.height = (size_t)input->dim[nhwc ? 1 : 2];
    ask.width = (size_t)input->dim[nhwc ? 2 : 3];
    /* An output of unknown or empty extents holds no boxes: it is shown, but no head looks at it. */
    NZ_TRY(nz_alloc(&known, output_count, sizeof *known));
    for (size_t i = 0; i < output_count; i++) {
        known[i] = nz_tensor_borrow(outputs[i].dtype, &outputs[i].shape, NULL);
        if (nz_shape_elements(&known[i].shape) < 1) known[i].shape.rank = 0;
    }
    ask.outputs = known;
    NZ_TRY(nz_alloc(&d, 1, sizeof *d));
    NZ_TRY(tell(&d->head, &d->fit, &ask, options));
    ask.outputs = outputs;
    if (!d->head) return fail_unknown(&ask, options);
    NZ_TRY(check_fit(&d->fit, d->head, &ask));
    d->confidence = (float)options->confidence;
    d->iou = (float)(isnan(options->iou) ? d->head->iou : options->iou);
    d->most = (size_t)options->most;
    d->best_class = options->best_class;
    d->across = options->across;
    NZ_TRY(make_buffers(d, &ask));
    NZ_TRY(describe(d, &ask));
    *ret_detector = NZ_STEAL(d);
    return NZ_OK;
}

void nz_detector_free(nz_detector *d) {
    if (!d) return;
    for (size_t i = 0; d->converted && i < d->output_count; i++) free(d->converted[i]);
    free(d->converted);
    free(d->data);
    free(d->description);
    free(d->candidates);
    free(d->sorted);
    free(d->chunks);
    free(d->last_chunk);
    free(d->kept);
    free(d);
}

size_t nz_detector_classes(const nz_detector *detector) { return detector->fit.classes; }

const char *nz_detector_describe(const nz_detector *detector) { return detector->description; }

/* Where the sample begins in each output, as float. */
static void point_at(nz_detector *d, const nz_tensor *outputs, size_t slot) {
    for (size_t i = 0; i < d->output_count; i++) d->data[i] = NULL;
    for (size_t b = 0; b < d->fit.block_count; b++) {
        size_t i = d->fit.blocks[b].output;
        if (d->data[i]) continue;
        nz_shape shape = outputs[i].shape;
        size_t elements = (size_t)(nz_shape_elements(&shape) / shape.dim[0]);
        size_t bytes = elements * slot * (size_t)nz_dtype_get(outputs[i].dtype)->bits / 8;
        char *begin = (char *)outputs[i].data + bytes;
        shape.dim[0] = 1;
        if (d->converted[i]) {
            nz_tensor sample = nz_tensor_borrow(outputs[i].dtype, &shape, begin);
            nz_tensor_to_f32(&sample, d->converted[i]);
            d->data[i] = d->converted[i];
        } else {
            d->data[i] = (const float *)(void *)begin;
        }
    }
}

nz_status nz_detector_boxes(const nz_found_box **ret_boxes, size_t *ret_count, nz_detector *d, const nz_tensor *outputs,
                            size_t slot) {
    point_at(d, outputs, slot);
    NZ_TRY(nz_detector_candidates(d));
    NZ_TRY(nz_detector_suppress(d));
    *ret_boxes = d->kept;
    *ret_count = d->kept_count;
    return NZ_OK;
}
