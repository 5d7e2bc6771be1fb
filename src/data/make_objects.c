/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a made set with objects, in the forms of YOLO and COCO at once: the images are the same. */
#include <inttypes.h>

#include "core/error.h"
#include "core/file.h"
#include "core/locale.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/make.h"

static void free_dataset(nz_dataset **data) { nz_data_free(*data); }

static void put_number(nz_text *text, const char *before, double value) {
    char digits[NZ_REAL_DIGITS];
    nz_real_digits(digits, value, 1);
    nz_text_append(text, before);
    nz_text_append(text, digits);
}

/* ---- YOLO ---- */

static nz_status write_label(const char *path, const nz_object *objects, size_t count, const nz_placement *image) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    double width = image->image_width, height = image->image_height;
    nz_text_append(&text, "");
    for (size_t k = 0; k < count; k++) {
        const nz_object *o = &objects[k];
        nz_text_appendf(&text, "%" PRId32, o->class_index);
        put_number(&text, " ", (o->x + o->width / 2) / width);
        put_number(&text, " ", (o->y + o->height / 2) / height);
        put_number(&text, " ", o->width / width);
        put_number(&text, " ", o->height / height);
        nz_text_append(&text, "\n");
    }
    NZ_TRY(text.status);
    return nz_file_write(path, text.data, text.length);
}

static nz_status write_names(const nz_making *m, const nz_dataset *data) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    NZ_AUTO_FREE char *path = NULL;
    nz_text_append(&text, "path: .\n");
    for (size_t s = 0; s < NZ_COUNT(m->splits) && m->splits[s]; s++)
        nz_text_appendf(&text, "%s: images/%s\n", m->splits[s], m->splits[s]);
    nz_text_append(&text, "names:\n");
    for (size_t c = 0; c < nz_data_classes(data); c++)
        nz_text_appendf(&text, "  %zu: %s\n", c, nz_data_class_name(data, c));
    NZ_TRY(text.status);
    NZ_TRY(nz_path_join(&path, m->folder, "data.yaml"));
    return nz_file_write(path, text.data, text.length);
}

/* ---- COCO ---- */

typedef struct coco {
    nz_text images, annotations;
    size_t annotation_count;
} coco;

static void coco_done(coco *c) {
    nz_text_done(&c->images);
    nz_text_done(&c->annotations);
}

static void put_image(coco *c, size_t i, const char *file, const nz_placement *image) {
    nz_text_appendf(&c->images, "%s\n{\"id\": %zu, \"file_name\": \"%s\", \"width\": %d, \"height\": %d}", i ? "," : "",
                    i, file, image->image_width, image->image_height);
}

/* Ids of annotations begin at 1: for some evaluators 0 means that nothing was matched. */
static void put_objects(coco *c, size_t image, const nz_object *objects, size_t count) {
    for (size_t k = 0; k < count; k++) {
        const nz_object *o = &objects[k];
        nz_text_appendf(&c->annotations,
                        "%s\n{\"id\": %zu, \"image_id\": %zu, \"category_id\": %" PRId32 ", \"bbox\": [",
                        c->annotation_count ? "," : "", c->annotation_count + 1, image, o->class_index);
        put_number(&c->annotations, "", o->x);
        put_number(&c->annotations, ", ", o->y);
        put_number(&c->annotations, ", ", o->width);
        put_number(&c->annotations, ", ", o->height);
        put_number(&c->annotations, "], \"area\": ", o->area);
        nz_text_appendf(&c->annotations, ", \"iscrowd\": %d}", o->crowd);
        c->annotation_count++;
    }
}

static nz_status write_coco(const coco *c, const nz_dataset *data, const char *path) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    NZ_TRY(c->images.status);
    NZ_TRY(c->annotations.status);
    nz_text_append(&text, "{\"categories\": [");
    for (size_t k = 0; k < nz_data_classes(data); k++)
        nz_text_appendf(&text, "%s\n{\"id\": %zu, \"name\": \"%s\"}", k ? "," : "", k, nz_data_class_name(data, k));
    nz_text_append(&text, "],\n\"images\": [");
    nz_text_append_bytes(&text, c->images.data ? c->images.data : "", c->images.length);
    nz_text_append(&text, "],\n\"annotations\": [");
    nz_text_append_bytes(&text, c->annotations.data ? c->annotations.data : "", c->annotations.length);
    nz_text_append(&text, "]}\n");
    NZ_TRY(text.status);
    return nz_file_write(path, text.data, text.length);
}

/* ---- Both ---- */

static nz_status make_folders(const char *folder, const char *split) {
    static const char *const kinds[] = {"images", "labels"};
    for (size_t k = 0; k < NZ_COUNT(kinds); k++) {
        NZ_AUTO_FREE char *path = NULL;
        NZ_TRY(nz_format(&path, "%s/%s/%s", folder, kinds[k], split));
        NZ_TRY(nz_dir_make(path));
    }
    return NZ_OK;
}

static nz_status make_sample(nz_making *m, coco *c, const nz_dataset *data, const char *split, size_t i) {
    NZ_AUTO_FREE char *image = NULL, *label = NULL, *file = NULL;
    NZ_AUTO_FREE nz_object *objects = NULL;
    size_t count = 0;
    nz_placement at;
    NZ_TRY(nz_format(&file, "%s/%06zu.png", split, i));
    NZ_TRY(nz_format(&image, "%s/images/%s", m->folder, file));
    NZ_TRY(nz_format(&label, "%s/labels/%s/%06zu.txt", m->folder, split, i));
    NZ_TRY(nz_making_image(m, data, i, image));
    NZ_TRY(nz_data_objects(&objects, &count, data, i));
    NZ_TRY(nz_data_placement(&at, data, i));
    if (!nz_file_exists(label)) NZ_TRY(write_label(label, objects, count, &at));
    put_image(c, i, file, &at);
    put_objects(c, i, objects, count);
    return NZ_OK;
}

static nz_status make_split(nz_making *m, const char *split) {
    NZ_AUTO(free_dataset) nz_dataset *data = NULL;
    NZ_AUTO(coco_done) coco c = {0};
    NZ_AUTO_FREE char *path = NULL;
    NZ_TRY(nz_making_open(&data, m, split));
    NZ_TRY(make_folders(m->folder, split));
    for (size_t i = 0; i < nz_data_count(data); i++) {
        NZ_TRY(make_sample(m, &c, data, split, i));
        NZ_TRY(nz_making_step(m, i + 1, nz_data_count(data)));
    }
    NZ_TRY(nz_format(&path, "%s/%s.json", m->folder, split));
    return write_coco(&c, data, path);
}

nz_status nz_making_objects(nz_making *m, const nz_dataset *any_split) {
    NZ_TRY(write_names(m, any_split));
    for (size_t s = 0; s < NZ_COUNT(m->splits) && m->splits[s]; s++) NZ_TRY(make_split(m, m->splits[s]));
    return NZ_OK;
}
