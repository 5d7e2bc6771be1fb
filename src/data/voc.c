/* SPDX-License-Identifier: Apache-2.0 */
/* Pascal VOC's folders: JPEGImages, Annotations (XML), ImageSets/Main (which images a split has). */
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "data/labels.h"
#include "data/objects.h"
#include "data/voc_xml.h"

enum { XML_BYTES_MOST = 16 << 20 };

/* VOC's own classes, in its order, which is that of their names. */
static const char *const voc_classes[] = {
    "aeroplane",   "bicycle", "bird",  "boat",      "bottle", "bus",         "car",   "cat",  "chair", "cow",
    "diningtable", "dog",     "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"};

typedef struct reader {
    nz_source *source;
    nz_object_set *set;
    const nz_data_options *options;
    const char *path;
    char **stems; /* of the split's images */
    size_t count;
    nz_voc_label *labels; /* [count] */
} reader;

static void reader_done(reader *r) {
    for (size_t i = 0; r->labels && i < r->count; i++) nz_voc_label_done(&r->labels[i]);
    free(r->labels);
    nz_labels_free(r->stems, r->count);
}

/* ---- Which images ---- */

/* A line is a stem, or a stem and whether a class is in the image, which is of no interest here. */
static nz_status read_list(reader *r, const char *path) {
    NZ_TRY(nz_lines_read(&r->stems, &r->count, path));
    for (size_t i = 0; i < r->count; i++) r->stems[i][strcspn(r->stems[i], " \t")] = '\0';
    return NZ_OK;
}

/* Where no list is there: an image for each annotation. */
static nz_status list_annotations(reader *r) {
    NZ_AUTO_FREE char *folder = NULL;
    char **names = NULL;
    size_t count = 0, kept = 0;
    NZ_TRY(nz_path_join(&folder, r->path, "Annotations"));
    NZ_TRY(nz_folder_names(&names, &count, folder));
    for (size_t i = 0; i < count; i++) {
        char *name = NZ_STEAL(names[i]), *dot = strrchr(name, '.');
        if (dot && strcmp(dot, ".xml") == 0 && dot > name) {
            *dot = '\0';
            names[kept++] = name;
        } else {
            free(name);
        }
    }
    r->stems = names;
    r->count = kept;
    return kept ? NZ_OK : nz_fail(NZ_E_FORMAT, "%s: no .xml files here", folder);
}

static nz_status find_list(char **ret_path, void *user, const char *split) {
    const reader *r = user;
    NZ_AUTO_FREE char *path = NULL;
    NZ_TRY(nz_format(&path, "%s/ImageSets/Main/%s.txt", r->path, split));
    if (nz_file_exists(path)) *ret_path = NZ_STEAL(path);
    return NZ_OK;
}

static nz_status choose_images(reader *r) {
    NZ_AUTO_FREE char *list = NULL;
    NZ_TRY(nz_data_choose_split(&list, r->source, r->path, r->options, find_list, r));
    return list ? read_list(r, list) : list_annotations(r);
}

/* ---- Images and labels ---- */

/* VOC's are .jpg; others who use the form have other images, and other folders. */
static nz_status add_image(reader *r, const char *stem) {
    static const char *const folders[] = {"JPEGImages", "images"}, *const ends[] = {"jpg", "png", "jpeg", "JPG"};
    char *path = NULL;
    nz_status status = NZ_OK;
    for (size_t f = 0; f < NZ_COUNT(folders) && !path; f++)
        for (size_t e = 0; e < NZ_COUNT(ends) && !path; e++) {
            status = nz_format(&path, "%s/%s/%s.%s", r->path, folders[f], stem, ends[e]);
            if (status != NZ_OK) return status;
            if (!nz_file_exists(path)) free(NZ_STEAL(path));
        }
    if (!path) NZ_TRY(nz_format(&path, "%s/%s/%s.%s", r->path, folders[0], stem, ends[0])); /* broken when it is read */
    status = nz_object_set_add_image(r->set, path);
    free(path);
    return status;
}

static nz_status read_label(nz_voc_label *ret_label, const reader *r, const char *stem) {
    NZ_AUTO_FREE char *path = NULL, *text = NULL;
    size_t length = 0;
    NZ_TRY(nz_format(&path, "%s/Annotations/%s.xml", r->path, stem));
    NZ_TRY(nz_file_read(&text, &length, path, XML_BYTES_MOST));
    return nz_voc_label_parse(ret_label, text, length, path);
}

static nz_status read_labels(reader *r) {
    NZ_TRY(nz_alloc(&r->labels, r->count, sizeof *r->labels));
    for (size_t i = 0; i < r->count; i++) {
        NZ_TRY(add_image(r, r->stems[i]));
        nz_status status = read_label(&r->labels[i], r, r->stems[i]);
        if (status == NZ_E_MEMORY) return status;
        if (status != NZ_OK) NZ_TRY(nz_object_set_break(r->set, i));
        nz_object_set_tell_size(r->set, i, r->labels[i].width, r->labels[i].height);
    }
    return NZ_OK;
}

/* ---- Classes ---- */

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *const *find_name(const char *const *names, size_t count, const char *name) {
    return count ? bsearch(&name, names, count, sizeof *names, compare_names) : NULL;
}

/* The names that objects have, each once, in the order of their bytes. */
static nz_status collect_names(const char ***ret_names, size_t *ret_count, const reader *r) {
    NZ_AUTO_FREE const char **names = NULL;
    size_t count = 0, capacity = 0, kept = 0;
    for (size_t i = 0; i < r->count; i++)
        for (size_t k = 0; k < r->labels[i].count; k++) {
            NZ_TRY(nz_grow(&names, &capacity, count + 1, sizeof *names));
            names[count++] = r->labels[i].objects[k].name;
        }
    if (count) qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++)
        if (!kept || strcmp(names[i], names[kept - 1]) != 0) names[kept++] = names[i];
    *ret_names = NZ_STEAL(names);
    *ret_count = kept;
    return NZ_OK;
}

/* Those of labels=, else VOC's own where all names are among them, else the names there are. */
static nz_status name_classes(reader *r) {
    NZ_AUTO_FREE const char **names = NULL;
    nz_source *source = r->source;
    size_t count = 0;
    if (r->options->labels) return nz_labels_read(&source->class_names, &source->classes, r->options->labels);
    NZ_TRY(collect_names(&names, &count, r));
    bool own = true;
    for (size_t i = 0; i < count && own; i++) own = find_name(voc_classes, NZ_COUNT(voc_classes), names[i]);
    const char *const *chosen = own ? voc_classes : names;
    if (own) count = NZ_COUNT(voc_classes);
    NZ_TRY(nz_alloc(&source->class_names, count, sizeof *source->class_names));
    source->classes = count;
    for (size_t c = 0; c < count; c++) NZ_TRY(nz_strdup(&source->class_names[c], chosen[c]));
    return NZ_OK;
}

/* A class's name and index, for finding it by its name. */
typedef struct named_class {
    const char *name;
    size_t index;
} named_class;

static int compare_classes(const void *a, const void *b) {
    const named_class *p = a, *q = b;
    int order = strcmp(p->name, q->name);
    return order ? order : p->index < q->index ? -1 : p->index > q->index;
}

/* Sorted by name; of equal ones the first alone. */
static nz_status sort_classes(named_class **ret_classes, size_t *ret_count, const nz_source *source) {
    named_class *sorted = NULL;
    size_t kept = 0;
    NZ_TRY(nz_alloc(&sorted, source->classes, sizeof *sorted));
    for (size_t c = 0; c < source->classes; c++) sorted[c] = (named_class){source->class_names[c], c};
    if (source->classes) qsort(sorted, source->classes, sizeof *sorted, compare_classes);
    for (size_t c = 0; c < source->classes; c++)
        if (!kept || strcmp(sorted[c].name, sorted[kept - 1].name) != 0) sorted[kept++] = sorted[c];
    *ret_classes = sorted;
    *ret_count = kept;
    return NZ_OK;
}

static int compare_with_name(const void *name, const void *at) { return strcmp(name, ((const named_class *)at)->name); }

static nz_status add_objects(reader *r) {
    NZ_AUTO_FREE named_class *classes = NULL;
    size_t count = 0;
    NZ_TRY(sort_classes(&classes, &count, r->source));
    for (size_t i = 0; i < r->count; i++)
        for (size_t k = 0; k < r->labels[i].count; k++) {
            nz_voc_object *o = &r->labels[i].objects[k];
            const named_class *at = bsearch(o->name, classes, count, sizeof *classes, compare_with_name);
            if (at) {
                o->object.class_index = (int32_t)at->index;
                NZ_TRY(nz_object_set_add(r->set, i, &o->object));
                continue;
            }
            (void)nz_fail(NZ_E_FORMAT, "%s/Annotations/%s.xml:%zu: '%s' is not in %s", r->path, r->stems[i], o->line,
                          o->name, r->options->labels);
            NZ_TRY(nz_object_set_break(r->set, i));
        }
    return nz_object_set_finish(r->set);
}

static nz_status voc_open(nz_source *source, const char *path, const nz_data_options *options) {
    NZ_AUTO(reader_done) reader r = {.source = source, .options = options, .path = path};
    if (!nz_dir_exists(path)) return nz_fail(NZ_E_IO, "%s: is not a folder", path);
    NZ_TRY(nz_object_set_open(&r.set, source));
    NZ_TRY(nz_strdup(&r.set->files.root, path));
    NZ_TRY(choose_images(&r));
    NZ_TRY(read_labels(&r));
    NZ_TRY(name_classes(&r));
    NZ_TRY(add_objects(&r));
    source->count = r.set->files.count;
    return nz_object_set_number(r.set);
}

const nz_source_kind nz_source_voc = {
    .name = "voc",
    .help = "folder of Pascal VOC: JPEGImages/, Annotations/ (XML), ImageSets/Main/SPLIT.txt where there are splits",
    .own_keys = "labels",
    .open = voc_open,
    NZ_OBJECT_SET_ENTRIES,
};
