/* SPDX-License-Identifier: Apache-2.0 */
/* The file: a header, then int64 ids of the images and of the classes, truths, boxes, and the classes' names, each ended by a
 * 0 byte ("" where a class has none). Records are of fixed size. */
#include "compare/detections_file.h"

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"

enum { MOST_CLASSES = 1 << 20, MOST_IMAGES = 1 << 28, MOST_BOXES = 1 << 30, MOST_NAME = 4096 };
static const char magic[8] = "nzboxes1";
static const size_t most_bytes = (size_t)1 << 36;

typedef struct header {
    char magic[8];
    uint64_t images, classes, truths, found, names; /* counts; `names` in bytes */
} header;

typedef struct truth_record {
    int32_t image, class_index;
    double x, y, width, height, area;
    uint64_t crowd;
} truth_record;

typedef struct found_record {
    int32_t image, class_index;
    double x, y, width, height, score;
} found_record;

/* Bytes of the whole; false where a count is beyond its limit. */
static bool total(size_t *ret_bytes, const header *h) {
    if (h->images > MOST_IMAGES || h->classes > MOST_CLASSES || h->truths > MOST_BOXES || h->found > MOST_BOXES ||
        h->names > h->classes * (uint64_t)(MOST_NAME + 1) || h->names < h->classes)
        return false;
    *ret_bytes = sizeof *h + (h->images + h->classes) * sizeof(int64_t) + h->truths * sizeof(truth_record) +
                 h->found * sizeof(found_record) + h->names;
    return true;
}

static void put(char **at, const void *from, size_t bytes) {
    if (bytes) memcpy(*at, from, bytes);
    *at += bytes;
}

static void put_boxes(char **at, const nz_detections *d) {
    for (size_t i = 0; i < d->truth_count; i++) {
        const nz_truth_box *b = &d->truths[i];
        truth_record r = {b->image, b->class_index, b->x, b->y, b->width, b->height, b->area, b->crowd};
        put(at, &r, sizeof r);
    }
    for (size_t i = 0; i < d->found_count; i++) {
        const nz_found_box *b = &d->found[i];
        found_record r = {b->image, b->class_index, b->x, b->y, b->width, b->height, b->score};
        put(at, &r, sizeof r);
    }
}

nz_status nz_detections_pack(char **ret_bytes, size_t *ret_count, const nz_detections *d) {
    header h = {.images = d->image_count, .classes = d->class_count, .truths = d->truth_count, .found = d->found_count};
    size_t bytes;
    memcpy(h.magic, magic, sizeof magic);
    for (size_t c = 0; c < d->class_count; c++)
        h.names += (d->class_names[c] ? strnlen(d->class_names[c], MOST_NAME) : 0) + 1;
    if (!total(&bytes, &h)) return nz_fail(NZ_E_ARG, "more images, classes or boxes than a comparison can hold");
    char *out = NULL;
    NZ_TRY(nz_alloc(&out, bytes, 1));
    char *at = out;
    put(&at, &h, sizeof h);
    put(&at, d->image_ids, d->image_count * sizeof *d->image_ids);
    put(&at, d->class_ids, d->class_count * sizeof *d->class_ids);
    put_boxes(&at, d);
    for (size_t c = 0; c < d->class_count; c++) {
        if (d->class_names[c]) put(&at, d->class_names[c], strnlen(d->class_names[c], MOST_NAME));
        put(&at, "", 1);
    }
    *ret_bytes = out;
    *ret_count = bytes;
    return NZ_OK;
}

static nz_status check_box(const nz_detections *d, int32_t image, int32_t class_index, const double *numbers,
                           size_t count, const char *name) {
    bool fine =
        image >= 0 && (size_t)image < d->image_count && class_index >= 0 && (size_t)class_index < d->class_count;
    for (size_t i = 0; i < count; i++) fine = fine && isfinite(numbers[i]);
    return fine ? NZ_OK : nz_fail(NZ_E_FORMAT, "%s: a box is of no image or class, or has a number that is none", name);
}

static nz_status take_boxes(nz_detections *d, const char *bytes, const char *name) {
    for (size_t i = 0; i < d->truth_count; i++, bytes += sizeof(truth_record)) {
        truth_record r;
        memcpy(&r, bytes, sizeof r);
        const double numbers[] = {r.x, r.y, r.width, r.height, r.area};
        NZ_TRY(check_box(d, r.image, r.class_index, numbers, NZ_COUNT(numbers), name));
        d->truths[i] = (nz_truth_box){r.image, r.class_index, r.x, r.y, r.width, r.height, r.area, r.crowd != 0};
    }
    for (size_t i = 0; i < d->found_count; i++, bytes += sizeof(found_record)) {
        found_record r;
        memcpy(&r, bytes, sizeof r);
        const double numbers[] = {r.x, r.y, r.width, r.height, r.score};
        NZ_TRY(check_box(d, r.image, r.class_index, numbers, NZ_COUNT(numbers), name));
        d->found[i] = (nz_found_box){r.image, r.class_index, r.x, r.y, r.width, r.height, r.score};
    }
    return NZ_OK;
}

static nz_status take_names(nz_detections *d, const char *bytes, size_t count, const char *name) {
    for (size_t c = 0; c < d->class_count; c++) {
        const char *end = memchr(bytes, '\0', count);
        if (!end) return nz_fail(NZ_E_FORMAT, "%s: the classes' names end early", name);
        if (end > bytes) NZ_TRY(nz_strdup(&d->class_names[c], bytes));
        count -= (size_t)(end + 1 - bytes);
        bytes = end + 1;
    }
    return count ? nz_fail(NZ_E_FORMAT, "%s: more names than classes", name) : NZ_OK;
}

static nz_status take_all(nz_detections *d, const header *h, const char *bytes, const char *name) {
    NZ_TRY(nz_alloc(&d->image_ids, h->images, sizeof *d->image_ids));
    NZ_TRY(nz_alloc(&d->class_ids, h->classes, sizeof *d->class_ids));
    NZ_TRY(nz_alloc(&d->class_names, h->classes, sizeof *d->class_names));
    NZ_TRY(nz_alloc(&d->truths, h->truths, sizeof *d->truths));
    NZ_TRY(nz_alloc(&d->found, h->found, sizeof *d->found));
    d->image_count = h->images;
    d->class_count = h->classes;
    d->truth_count = h->truths;
    d->found_count = h->found;
    memcpy(d->image_ids, bytes, h->images * sizeof *d->image_ids);
    bytes += h->images * sizeof *d->image_ids;
    memcpy(d->class_ids, bytes, h->classes * sizeof *d->class_ids);
    bytes += h->classes * sizeof *d->class_ids;
    for (size_t i = 1; i < d->image_count; i++)
        if (d->image_ids[i] <= d->image_ids[i - 1])
            return nz_fail(NZ_E_FORMAT, "%s: the images are not sorted by their ids", name);
    NZ_TRY(take_boxes(d, bytes, name));
    bytes += h->truths * sizeof(truth_record) + h->found * sizeof(found_record);
    return take_names(d, bytes, h->names, name);
}

nz_status nz_detections_unpack(nz_detections *ret_detections, const char *bytes, size_t count, const char *name) {
    header h;
    size_t wanted;
    if (count < sizeof h) return nz_fail(NZ_E_FORMAT, "%s: too short for detections", name);
    memcpy(&h, bytes, sizeof h);
    if (memcmp(h.magic, magic, sizeof magic) != 0 || !total(&wanted, &h) || wanted != count)
        return nz_fail(NZ_E_FORMAT, "%s: these are no detections, or not all of them", name);
    NZ_AUTO(nz_detections_done) nz_detections d = {0};
    NZ_TRY(take_all(&d, &h, bytes + sizeof h, name));
    *ret_detections = d;
    d = (nz_detections){0};
    return NZ_OK;
}

nz_status nz_detections_save(const char *path, const nz_detections *detections, size_t *ret_bytes) {
    NZ_AUTO_FREE char *bytes = NULL;
    size_t count;
    NZ_TRY(nz_detections_pack(&bytes, &count, detections));
    NZ_TRY(nz_file_write(path, bytes, count));
    *ret_bytes = count;
    return NZ_OK;
}

nz_status nz_detections_load(nz_detections *ret_detections, const char *path) {
    NZ_AUTO_FREE char *bytes = NULL;
    size_t count;
    NZ_TRY(nz_file_read(&bytes, &count, path, most_bytes));
    return nz_detections_unpack(ret_detections, bytes, count, path);
}
