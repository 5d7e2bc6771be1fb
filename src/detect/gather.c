/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/gather.h"

#include <math.h>

#include "core/error.h"
#include "core/memory.h"

void nz_gathered_done(nz_gathered *gathered) {
    free(gathered->samples);
    free(gathered->found);
    *gathered = (nz_gathered){0};
}

static double rounded(double value, double unit) { return rint(value * unit) / unit; }

void nz_found_to_image(nz_found_box *box, const nz_placement *placement) {
    double at[4] = {box->x, box->y, box->width, box->height};
    nz_unplace_box(at, placement);
    box->x = rounded(at[0], 1e3);
    box->y = rounded(at[1], 1e3);
    box->width = rounded(at[2], 1e3);
    box->height = rounded(at[3], 1e3);
    box->score = rounded(box->score, 1e6);
}

nz_status nz_gathered_add(nz_gathered *g, size_t sample, const nz_found_box *boxes, size_t count,
                          const nz_placement *placement) {
    if (g->count >= INT32_MAX) return nz_fail(NZ_E_UNSUPPORTED, "more than %d images", INT32_MAX);
    NZ_TRY(nz_grow(&g->samples, &g->capacity, g->count + 1, sizeof *g->samples));
    NZ_TRY(nz_grow(&g->found, &g->found_capacity, g->found_count + count, sizeof *g->found));
    for (size_t i = 0; i < count; i++) {
        nz_found_box box = boxes[i];
        box.image = (int32_t)g->count;
        nz_found_to_image(&box, placement);
        g->found[g->found_count++] = box;
    }
    g->samples[g->count++] = sample;
    return NZ_OK;
}

/* An id and where it stood. */
typedef struct ranked {
    int64_t id;
    size_t at;
} ranked;

static int compare_ranked(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Sorts ids; ret_place[i] is where the i-th went. */
static nz_status sort_ids(int64_t **ret_ids, int32_t **ret_place, ranked *list, size_t count) {
    NZ_AUTO_FREE int64_t *ids = NULL;
    NZ_AUTO_FREE int32_t *place = NULL;
    NZ_TRY(nz_alloc(&ids, count, sizeof *ids));
    NZ_TRY(nz_alloc(&place, count, sizeof *place));
    qsort(list, count, sizeof *list, compare_ranked);
    for (size_t i = 0; i < count; i++) {
        ids[i] = list[i].id;
        place[list[i].at] = (int32_t)i;
    }
    *ret_ids = NZ_STEAL(ids);
    *ret_place = NZ_STEAL(place);
    return NZ_OK;
}

static nz_status put_images(nz_detections *d, int32_t **ret_place, const nz_gathered *g, const nz_dataset *data) {
    NZ_AUTO_FREE ranked *list = NULL;
    NZ_TRY(nz_alloc(&list, g->count, sizeof *list));
    for (size_t i = 0; i < g->count; i++) list[i] = (ranked){nz_data_image_id(data, g->samples[i]), i};
    NZ_TRY(sort_ids(&d->image_ids, ret_place, list, g->count));
    d->image_count = g->count;
    return NZ_OK;
}

/* Of data with objects. */
static nz_status put_classes(nz_detections *d, int32_t **ret_place, const nz_dataset *data, size_t classes) {
    NZ_AUTO_FREE ranked *list = NULL;
    NZ_AUTO_FREE int32_t *place = NULL;
    NZ_TRY(nz_alloc(&list, classes, sizeof *list));
    for (size_t c = 0; c < classes; c++) list[c] = (ranked){nz_data_class_id(data, c), c};
    NZ_TRY(sort_ids(&d->class_ids, &place, list, classes));
    NZ_TRY(nz_alloc(&d->class_names, classes, sizeof *d->class_names));
    d->class_count = classes;
    for (size_t c = 0; c < classes; c++) NZ_TRY(nz_strdup(&d->class_names[place[c]], nz_data_class_name(data, c)));
    *ret_place = NZ_STEAL(place);
    return NZ_OK;
}

/* Of the model alone: ids are indices. */
static nz_status put_own_classes(nz_detections *d, int32_t **ret_place, const nz_graph *graph, size_t classes) {
    NZ_AUTO_FREE int32_t *place = NULL;
    NZ_TRY(nz_alloc(&place, classes, sizeof *place));
    NZ_TRY(nz_alloc(&d->class_ids, classes, sizeof *d->class_ids));
    NZ_TRY(nz_class_names_read(&d->class_names, graph, classes));
    d->class_count = classes;
    for (size_t c = 0; c < classes; c++) {
        place[c] = (int32_t)c;
        d->class_ids[c] = (int64_t)c;
    }
    *ret_place = NZ_STEAL(place);
    return NZ_OK;
}

static nz_status put_truths(nz_detections *d, const nz_gathered *g, const nz_dataset *data, const int32_t *image_place,
                            const int32_t *class_place) {
    size_t capacity = 0;
    for (size_t i = 0; i < g->count; i++) {
        NZ_AUTO_FREE nz_object *objects = NULL;
        size_t count = 0;
        NZ_TRY(nz_data_objects(&objects, &count, data, g->samples[i]));
        NZ_TRY(nz_grow(&d->truths, &capacity, d->truth_count + count, sizeof *d->truths));
        for (size_t k = 0; k < count; k++) {
            const nz_object *o = &objects[k];
            if (o->class_index < 0 || (size_t)o->class_index >= d->class_count)
                return nz_fail(NZ_E_FORMAT, "an object of class %d in a data set of %zu classes", (int)o->class_index,
                               d->class_count);
            d->truths[d->truth_count++] = (nz_truth_box){.image = image_place[i],
                                                         .class_index = class_place[o->class_index],
                                                         .x = o->x,
                                                         .y = o->y,
                                                         .width = o->width,
                                                         .height = o->height,
                                                         .area = o->area,
                                                         .crowd = o->crowd};
        }
    }
    return NZ_OK;
}

nz_status nz_gathered_finish(nz_detections *ret_detections, nz_gathered *g, const nz_dataset *data,
                             const nz_graph *graph, size_t classes) {
    NZ_AUTO(nz_detections_done) nz_detections d = {0};
    NZ_AUTO_FREE int32_t *image_place = NULL, *class_place = NULL;
    NZ_TRY(put_images(&d, &image_place, g, data));
    if (nz_data_has_objects(data)) {
        NZ_TRY(put_classes(&d, &class_place, data, classes));
        NZ_TRY(put_truths(&d, g, data, image_place, class_place));
    } else {
        NZ_TRY(put_own_classes(&d, &class_place, graph, classes));
    }
    d.found_count = g->found_count;
    d.found = NZ_STEAL(g->found);
    g->found_count = g->found_capacity = 0;
    for (size_t i = 0; i < d.found_count; i++) {
        d.found[i].image = image_place[d.found[i].image];
        d.found[i].class_index = class_place[d.found[i].class_index];
    }
    *ret_detections = d;
    d = (nz_detections){0};
    return NZ_OK;
}

nz_status nz_detect_truths(nz_detections *ret_detections, const nz_dataset *data) {
    NZ_AUTO(nz_gathered_done) nz_gathered g = {0};
    if (!nz_data_has_objects(data))
        return nz_fail(NZ_E_ARG, "%s: samples are not labelled with objects", nz_data_describe(data));
    for (size_t i = 0; i < nz_data_count(data); i++) {
        NZ_AUTO_FREE nz_object *objects = NULL;
        size_t count = 0;
        nz_status status = nz_data_objects(&objects, &count, data, i);
        if (status == NZ_E_MEMORY) return status;
        nz_placement none = {.scale_x = 1, .scale_y = 1};
        if (status == NZ_OK) NZ_TRY(nz_gathered_add(&g, i, NULL, 0, &none));
    }
    return nz_gathered_finish(ret_detections, &g, data, NULL, nz_data_classes(data));
}
