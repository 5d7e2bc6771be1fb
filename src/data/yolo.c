/* SPDX-License-Identifier: Apache-2.0 */
/* YOLO's folders: images/ and labels/ beside each other, a text file of objects for each image. */
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "data/labels.h"
#include "data/objects.h"
#include "data/yolo_label.h"
#include "data/yolo_names.h"

enum { LABEL_BYTES_MOST = 16 << 20 };

typedef struct reader {
    nz_source *source;
    nz_object_set *set;
    const nz_data_options *options;
    nz_yolo_description description;
    char *root;         /* the set's folder */
    char *images;       /* the folder of the split's images, or a text file that lists them */
    size_t named, most; /* classes that are named; one above the greatest that a label says */
} reader;

static void reader_done(reader *r) {
    nz_yolo_description_done(&r->description);
    free(r->root);
    free(r->images);
}

/* ---- Where images and labels lie ---- */

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static bool is_yaml(const char *name) { return ends_with(name, ".yaml") || ends_with(name, ".yml"); }

/* The file in the set's folder that names the classes: names.yaml, data.yaml, or the only one there is. */
static nz_status find_yaml(char **ret_path, const char *folder) {
    char **names = NULL;
    const char *chosen = NULL;
    size_t count = 0, yamls = 0;
    NZ_TRY(nz_folder_names(&names, &count, folder));
    for (size_t i = 0; i < count; i++) {
        if (!is_yaml(names[i])) continue;
        if (!yamls++) chosen = names[i];
    }
    if (yamls > 1) chosen = NULL;
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], "data.yaml") == 0 || strcmp(names[i], "names.yaml") == 0) chosen = names[i];
    nz_status status = chosen ? nz_path_join(ret_path, folder, chosen) : NZ_OK;
    nz_labels_free(names, count);
    return status;
}

static nz_status open_description(reader *r, const char *path) {
    NZ_AUTO_FREE char *yaml = NULL, *folder = NULL, *inner = NULL;
    if (nz_dir_exists(path)) {
        NZ_TRY(nz_strdup(&r->root, path));
        NZ_TRY(find_yaml(&yaml, path));
        return yaml ? nz_yolo_description_read(&r->description, yaml) : NZ_OK;
    }
    if (!is_yaml(path) || !nz_file_exists(path))
        return nz_fail(NZ_E_IO, "%s: is neither a folder nor the .yaml file of a set", path);
    NZ_TRY(nz_yolo_description_read(&r->description, path));
    NZ_TRY(nz_path_folder(&folder, path));
    if (r->description.root) NZ_TRY(nz_path_join(&inner, folder, r->description.root));
    r->root = inner && nz_dir_exists(inner) ? NZ_STEAL(inner) : NZ_STEAL(folder);
    return NZ_OK;
}

static bool is_place(const char *path) {
    return nz_dir_exists(path) || (ends_with(path, ".txt") && nz_file_exists(path));
}

static const char *described_split(const reader *r, const char *split) {
    static const char *const known[] = {"train", "test", "val"};
    for (size_t s = 0; s < NZ_COUNT(known); s++)
        if (strcmp(known[s], split) == 0) return r->description.splits[s];
    return NULL;
}

/* The folder (or list) of a split: as the description says, from the set's folder or, as some exports mean it, from one in it;
 * else images/SPLIT or SPLIT/images. NULL: not there. */
static nz_status find_split(char **ret_images, void *user, const char *split) {
    const reader *r = user;
    const char *said = described_split(r, split);
    for (int i = said ? 0 : 2; i < 4; i++) {
        NZ_AUTO_FREE char *place = NULL;
        if (i == 0) NZ_TRY(nz_path_join(&place, r->root, said));
        if (i == 1) NZ_TRY(nz_path_join(&place, r->root, strncmp(said, "../", 3) == 0 ? said + 3 : said));
        if (i == 2) NZ_TRY(nz_format(&place, "%s/images/%s", r->root, split));
        if (i == 3) NZ_TRY(nz_format(&place, "%s/%s/images", r->root, split));
        if (!is_place(place)) continue;
        *ret_images = NZ_STEAL(place);
        return NZ_OK;
    }
    return NZ_OK;
}

static nz_status find_images(reader *r, const char *path) {
    NZ_TRY(nz_data_choose_split(&r->images, r->source, path, r->options, find_split, r));
    if (r->images) return NZ_OK;
    NZ_TRY(nz_path_join(&r->images, r->root, "images"));
    if (nz_dir_exists(r->images)) return NZ_OK;
    return nz_fail(NZ_E_IO, "%s: there is no folder 'images' here, nor one for a split", r->root);
}

/* The last folder called images becomes labels, the extension txt; where no folder is called so, beside the image. */
static nz_status label_path(char **ret_path, const char *image) {
    static const char wanted[] = "/images/";
    const char *at = NULL, *dot = strrchr(nz_path_base(image), '.');
    int stem = (int)(dot ? dot - image : (ptrdiff_t)strlen(image));
    for (const char *p = image; (p = strstr(p, wanted)); p++) at = p;
    if (!at) return nz_format(ret_path, "%.*s.txt", stem, image);
    const char *rest = at + sizeof wanted - 1;
    return nz_format(ret_path, "%.*s/labels/%.*s.txt", (int)(at - image), image, stem - (int)(rest - image), rest);
}

/* ---- Reading ---- */

static nz_status add_listed(reader *r) {
    char **lines = NULL;
    size_t count = 0;
    NZ_TRY(nz_lines_read(&lines, &count, r->images));
    nz_status status = NZ_OK;
    for (size_t i = 0; i < count && status == NZ_OK; i++) {
        char *path = NULL;
        const char *line = strncmp(lines[i], "./", 2) == 0 ? lines[i] + 2 : lines[i];
        status = nz_path_join(&path, r->root, line);
        if (status == NZ_OK) status = nz_object_set_add_image(r->set, path);
        free(path);
    }
    nz_labels_free(lines, count);
    return status;
}

static nz_status add_images(reader *r) {
    NZ_AUTO(nz_files_done) nz_files files = {0};
    if (!nz_dir_exists(r->images)) return add_listed(r);
    NZ_TRY(nz_files_add_folder(&files, r->images, -1));
    if (!files.count) return nz_fail(NZ_E_FORMAT, "%s: no .jpg, .jpeg or .png files here", r->images);
    for (size_t i = 0; i < files.count; i++) NZ_TRY(nz_object_set_add_image(r->set, files.entries[i].path));
    return NZ_OK;
}

/* A file that is not there means that nothing is in the image. */
static nz_status read_labels(reader *r, nz_object **ret_objects, size_t *ret_count, size_t i) {
    NZ_AUTO_FREE char *path = NULL, *text = NULL;
    size_t length = 0;
    NZ_TRY(label_path(&path, r->set->files.entries[i].path));
    if (!nz_file_exists(path)) return NZ_OK;
    NZ_TRY(nz_file_read(&text, &length, path, LABEL_BYTES_MOST));
    if (memchr(text, '\0', length)) return nz_fail(NZ_E_FORMAT, "%s: not a text file", path);
    return nz_yolo_label_parse(ret_objects, ret_count, text, path, r->named);
}

static nz_status add_labels(reader *r) {
    for (size_t i = 0; i < r->set->files.count; i++) {
        NZ_AUTO_FREE nz_object *objects = NULL;
        size_t count = 0;
        nz_status status = read_labels(r, &objects, &count, i);
        if (status == NZ_E_MEMORY) return status;
        if (status != NZ_OK) NZ_TRY(nz_object_set_break(r->set, i));
        for (size_t k = 0; k < count; k++) {
            NZ_TRY(nz_object_set_add(r->set, i, &objects[k]));
            if ((size_t)objects[k].class_index >= r->most) r->most = (size_t)objects[k].class_index + 1;
        }
    }
    return nz_object_set_finish(r->set);
}

static nz_status name_classes(reader *r) {
    nz_source *source = r->source;
    if (r->options->labels) {
        NZ_TRY(nz_labels_read(&source->class_names, &source->classes, r->options->labels));
    } else {
        source->class_names = NZ_STEAL(r->description.names);
        source->classes = r->description.count;
        r->description.count = 0;
    }
    r->named = source->classes;
    return NZ_OK;
}

static nz_status yolo_open(nz_source *source, const char *path, const nz_data_options *options) {
    NZ_AUTO(reader_done) reader r = {.source = source, .options = options};
    NZ_TRY(nz_object_set_open(&r.set, source));
    r.set->fractions = true;
    NZ_TRY(open_description(&r, path));
    NZ_TRY(find_images(&r, path));
    NZ_TRY(nz_strdup(&r.set->files.root, r.root));
    NZ_TRY(name_classes(&r));
    NZ_TRY(add_images(&r));
    NZ_TRY(add_labels(&r));
    NZ_TRY(nz_object_set_number(r.set));
    if (!r.named) source->classes = r.most;
    source->count = r.set->files.count;
    return NZ_OK;
}

const nz_source_kind nz_source_yolo = {
    .name = "yolo",
    .help =
        "folder of YOLO (or its .yaml file): images/ and labels/, with a folder for each split in them where there are "
        "splits; classes named by names.yaml, data.yaml or labels=",
    .own_keys = "labels",
    .open = yolo_open,
    NZ_OBJECT_SET_ENTRIES,
};
