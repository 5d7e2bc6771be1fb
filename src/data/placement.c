/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of a data set, and where the stored image lies in a sample. */
#include "core/error.h"
#include "data/augment.h"
#include "data/dataset.h"

bool nz_data_has_objects(const nz_dataset *d) { return d->source.has_objects; }

nz_status nz_data_objects(nz_object **ret_objects, size_t *ret_count, const nz_dataset *d, size_t i) {
    NZ_TRY(nz_data_check_index(d, i));
    if (!d->source.has_objects)
        return nz_fail(NZ_E_UNSUPPORTED,
                       "%s: samples are not labelled with objects; the kinds coco, yolo, voc and "
                       "synthetic:shapes-det are",
                       d->description);
    return d->source.kind->objects(&d->source, nz_data_source_index(d, i), ret_objects, ret_count);
}

int64_t nz_data_image_id(const nz_dataset *d, size_t i) {
    size_t at = i < d->count ? nz_data_source_index(d, i) : i;
    return i < d->count && d->source.kind->id ? d->source.kind->id(&d->source, at) : (int64_t)at;
}

int64_t nz_data_class_id(const nz_dataset *d, size_t c) {
    return d->source.class_ids && c < d->source.classes ? d->source.class_ids[c] : (int64_t)c;
}

static nz_status image_size(const nz_dataset *d, size_t at, int *ret_width, int *ret_height) {
    const nz_source *source = &d->source;
    if (source->values.rank) return nz_fail(NZ_E_UNSUPPORTED, "%s: float values are no images", d->description);
    if (source->kind->size) return source->kind->size(source, at, ret_width, ret_height);
    *ret_width = source->width;
    *ret_height = source->height;
    return NZ_OK;
}

nz_status nz_data_placement(nz_placement *ret_placement, const nz_dataset *d, size_t i) {
    int width = 0, height = 0;
    NZ_TRY(nz_data_check_index(d, i));
    NZ_TRY(image_size(d, nz_data_source_index(d, i), &width, &height));
    nz_preprocess_place(ret_placement, &d->preprocess, width, height);
    return NZ_OK;
}

/* The part that is kept becomes the whole sample. */
static nz_status place_part(nz_placement *p, const nz_dataset *d, const nz_augment_draw *draw) {
    NZ_TRY(nz_data_sample_size(d, &p->width, &p->height));
    nz_augment_box box = nz_augment_place(draw, p->image_width, p->image_height);
    p->scale_x = (double)p->width / box.width;
    p->scale_y = (double)p->height / box.height;
    p->left = -box.left * p->scale_x;
    p->top = -box.top * p->scale_y;
    return NZ_OK;
}

nz_status nz_data_placement_augmented(nz_placement *ret_placement, const nz_dataset *d, size_t i,
                                      const nz_augment *augment) {
    nz_placement p;
    NZ_TRY(nz_augment_check(augment));
    NZ_TRY(nz_data_placement(&p, d, i));
    nz_augment_draw draw = nz_augment_draw_sample(augment, i);
    if (augment->resized_crop) NZ_TRY(place_part(&p, d, &draw));
    double zoom = (double)draw.zoom / NZ_AUGMENT_ONE;
    p.left = (p.left - p.width / 2.0) * zoom + p.width / 2.0 + (double)draw.shift_x * p.width / NZ_AUGMENT_ONE;
    p.top = (p.top - p.height / 2.0) * zoom + p.height / 2.0 + (double)draw.shift_y * p.height / NZ_AUGMENT_ONE;
    p.scale_x *= zoom;
    p.scale_y *= zoom;
    p.left -= draw.left;
    p.top -= draw.top;
    p.flip = draw.flip;
    *ret_placement = p;
    return NZ_OK;
}

void nz_place_box(double box[4], const nz_placement *p) {
    box[0] = box[0] * p->scale_x + p->left;
    box[1] = box[1] * p->scale_y + p->top;
    box[2] *= p->scale_x;
    box[3] *= p->scale_y;
    if (p->flip) box[0] = p->width - box[0] - box[2];
}

void nz_unplace_box(double box[4], const nz_placement *p) {
    if (p->flip) box[0] = p->width - box[0] - box[2];
    box[0] = (box[0] - p->left) / p->scale_x;
    box[1] = (box[1] - p->top) / p->scale_y;
    box[2] /= p->scale_x;
    box[3] /= p->scale_y;
}
