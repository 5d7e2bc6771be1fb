/* SPDX-License-Identifier: Apache-2.0 */
#include "data/objects.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"

/* ---- Filling ---- */

nz_status nz_object_set_open(nz_object_set **ret_set, nz_source *source) {
    nz_object_set *set = NULL;
    NZ_TRY(nz_alloc(&set, 1, sizeof *set));
    source->state = *ret_set = set;
    source->channels = 3;
    source->has_objects = true;
    return NZ_OK;
}

nz_status nz_object_set_add_image(nz_object_set *set, const char *path) {
    size_t count = set->files.count;
    if (count >= INT32_MAX) return nz_fail(NZ_E_FORMAT, "%s: more than %d images", path, INT32_MAX);
    NZ_TRY(nz_grow(&set->images, &set->image_capacity, count + 1, sizeof *set->images));
    set->images[count] = (nz_labelled_image){0};
    return nz_files_add(&set->files, path, -1);
}

void nz_object_set_tell_size(nz_object_set *set, size_t image, int width, int height) {
    nz_labelled_image *at = &set->images[image];
    at->size_told = width > 0 && width <= NZ_IMAGE_SIDE_MAX && height > 0 && height <= NZ_IMAGE_SIDE_MAX;
    if (at->size_told) atomic_store(&at->size, (uint64_t)width << 32 | (uint64_t)height);
}

nz_status nz_object_set_add(nz_object_set *set, size_t image, const nz_object *object) {
    NZ_TRY(nz_grow(&set->added, &set->added_capacity, set->added_count + 1, sizeof *set->added));
    set->added[set->added_count++] = (struct nz_object_of){(uint32_t)image, *object};
    set->images[image].count++;
    return NZ_OK;
}

nz_status nz_object_set_break(nz_object_set *set, size_t image) {
    nz_labelled_image *at = &set->images[image];
    return at->broken ? NZ_OK : nz_strdup(&at->broken, nz_last_error());
}

nz_status nz_object_set_finish(nz_object_set *set) {
    NZ_AUTO_FREE size_t *next = NULL;
    NZ_TRY(nz_alloc(&set->objects, set->added_count, sizeof *set->objects));
    NZ_TRY(nz_alloc(&next, set->files.count, sizeof *next));
    size_t first = 0;
    for (size_t i = 0; i < set->files.count; i++) {
        set->images[i].first = next[i] = first;
        first += set->images[i].count;
    }
    for (size_t k = 0; k < set->added_count; k++) set->objects[next[set->added[k].image]++] = set->added[k].object;
    free(NZ_STEAL(set->added));
    return NZ_OK;
}

/* ---- Ids ---- */

/* -1 where the stem is no number that an id can be. */
static int64_t stem_number(const char *path) {
    enum { DIGITS_MOST = 18 };
    const char *base = nz_path_base(path), *dot = strrchr(base, '.');
    size_t length = dot ? (size_t)(dot - base) : strlen(base);
    if (!length || length > DIGITS_MOST || strspn(base, "0123456789") < length) return -1;
    return strtoll(base, NULL, 10);
}

static int compare_ids(const void *a, const void *b) {
    int64_t p = *(const int64_t *)a, q = *(const int64_t *)b;
    return p < q ? -1 : p > q;
}

nz_status nz_object_set_number(nz_object_set *set) {
    size_t count = set->files.count;
    NZ_AUTO_FREE int64_t *sorted = NULL;
    NZ_TRY(nz_alloc(&sorted, count, sizeof *sorted));
    bool numbers = true;
    for (size_t i = 0; i < count; i++) {
        sorted[i] = set->images[i].id = stem_number(set->files.entries[i].path);
        numbers = numbers && sorted[i] >= 0;
    }
    qsort(sorted, count, sizeof *sorted, compare_ids);
    for (size_t i = 1; i < count && numbers; i++) numbers = sorted[i] != sorted[i - 1];
    for (size_t i = 0; i < count && !numbers; i++) set->images[i].id = (int64_t)i;
    return NZ_OK;
}

/* ---- What a source's table asks ---- */

static nz_status check_labels(const nz_labelled_image *image) {
    return image->broken ? nz_fail(NZ_E_FORMAT, "%s", image->broken) : NZ_OK;
}

nz_status nz_object_set_image(const nz_source *source, size_t i, nz_image *ret_image) {
    const nz_object_set *set = source->state;
    const nz_labelled_image *at = &set->images[i];
    NZ_AUTO(nz_image_done) nz_image image = {0};
    NZ_TRY(check_labels(at));
    NZ_TRY(nz_files_image(source, i, &image));
    uint64_t size = atomic_load_explicit(&at->size, memory_order_relaxed);
    if (at->size_told && size != ((uint64_t)image.width << 32 | (uint64_t)image.height))
        return nz_fail(NZ_E_FORMAT, "%s: the image is %dx%d pixels, but its annotation says %dx%d",
                       set->files.entries[i].path, image.width, image.height, (int)(size >> 32),
                       (int)(size & UINT32_MAX));
    *ret_image = image;
    image = (nz_image){0};
    return NZ_OK;
}

nz_status nz_object_set_size(const nz_source *source, size_t i, int *ret_width, int *ret_height) {
    const nz_object_set *set = source->state;
    nz_labelled_image *at = &set->images[i];
    uint64_t size = atomic_load_explicit(&at->size, memory_order_relaxed);
    if (!size) {
        int width = 0, height = 0;
        NZ_TRY(nz_image_load_size(&width, &height, set->files.entries[i].path));
        size = (uint64_t)width << 32 | (uint64_t)height;
        atomic_store_explicit(&at->size, size, memory_order_relaxed);
    }
    *ret_width = (int)(size >> 32);
    *ret_height = (int)(size & UINT32_MAX);
    return NZ_OK;
}

nz_status nz_object_set_objects(const nz_source *source, size_t i, nz_object **ret_objects, size_t *ret_count) {
    const nz_object_set *set = source->state;
    const nz_labelled_image *at = &set->images[i];
    NZ_AUTO_FREE nz_object *objects = NULL;
    int width = 0, height = 0;
    NZ_TRY(check_labels(at));
    if (set->fractions && at->count) NZ_TRY(nz_object_set_size(source, i, &width, &height));
    if (at->count) {
        NZ_TRY(nz_alloc(&objects, at->count, sizeof *objects));
        memcpy(objects, set->objects + at->first, at->count * sizeof *objects);
    }
    for (size_t k = 0; set->fractions && k < at->count; k++) {
        nz_object *o = &objects[k];
        o->x *= width;
        o->y *= height;
        o->width *= width;
        o->height *= height;
        o->area = o->width * o->height;
    }
    *ret_objects = NZ_STEAL(objects);
    *ret_count = at->count;
    return NZ_OK;
}

int64_t nz_object_set_id(const nz_source *source, size_t i) {
    const nz_object_set *set = source->state;
    return set->images[i].id;
}

/* The objects' bits as a hash: padding has no say in it. */
void nz_object_set_identify(const nz_source *source, size_t i, nz_text *text) {
    const nz_object_set *set = source->state;
    const nz_labelled_image *at = &set->images[i];
    NZ_AUTO(nz_text_done) nz_text bits = {0};
    nz_files_identify(source, i, text);
    nz_text_appendf(text, " %" PRId64 " %zu%s", at->id, at->count, at->broken ? " broken" : "");
    for (size_t k = 0; k < at->count; k++) {
        const nz_object *o = &set->objects[at->first + k];
        const double numbers[] = {o->class_index, o->crowd, o->x, o->y, o->width, o->height, o->area};
        nz_text_append_bytes(&bits, numbers, sizeof numbers);
    }
    if (bits.status != NZ_OK && text->status == NZ_OK) text->status = bits.status;
    if (!bits.length) return;
    char hash[65];
    nz_sha256(hash, bits.data, bits.length);
    nz_text_appendf(text, " %.32s", hash);
}

void nz_object_set_close(nz_source *source) {
    nz_object_set *set = source->state;
    if (!set) return;
    for (size_t i = 0; i < set->files.count; i++) free(set->images[i].broken);
    nz_files_done(&set->files);
    free(set->images);
    free(set->added);
    free(set->objects);
    free(set);
}
