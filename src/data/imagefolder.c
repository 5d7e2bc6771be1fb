/* SPDX-License-Identifier: Apache-2.0 */
/* One folder per class, with JPEG and PNG files in it; train/, val/ or test/ above the classes where there are splits. */
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "data/files.h"
#include "data/labels.h"

static nz_status folders_only(char ***ret_names, size_t *ret_count, const char *root) {
    char **names = NULL;
    size_t count = 0, kept = 0;
    NZ_TRY(nz_folder_names(&names, &count, root));
    for (size_t i = 0; i < count; i++) {
        char *path = NULL;
        nz_status status = nz_path_join(&path, root, names[i]);
        if (status != NZ_OK) {
            nz_labels_free(names, count);
            return status;
        }
        bool folder = nz_dir_exists(path);
        free(path);
        char *name = NZ_STEAL(names[i]);
        if (folder)
            names[kept++] = name;
        else
            free(name);
    }
    *ret_names = names;
    *ret_count = kept;
    return NZ_OK;
}

/* A split is a folder of folders: one that holds images is a class, which may well be called "train". */
static nz_status holds_folders(bool *ret_holds, const char *path) {
    char **names = NULL;
    size_t count = 0;
    if (nz_dir_exists(path)) NZ_TRY(folders_only(&names, &count, path));
    nz_labels_free(names, count);
    *ret_holds = count > 0;
    return NZ_OK;
}

/* The folder of a split, where there is one with folders in it. */
static nz_status find_split(char **ret_root, void *user, const char *split) {
    const char *const *path = user;
    NZ_AUTO_FREE char *root = NULL;
    bool there = false;
    NZ_TRY(nz_path_join(&root, *path, split));
    NZ_TRY(holds_folders(&there, root));
    if (there) *ret_root = NZ_STEAL(root);
    return NZ_OK;
}

/* The folder that holds the classes: of the first split that is there, or the set's own where it has no splits. */
static nz_status find_root(char **ret_root, nz_source *source, const char *path, const nz_data_options *options) {
    NZ_AUTO_FREE char *root = NULL;
    if (!nz_dir_exists(path)) return nz_fail(NZ_E_IO, "%s: is not a folder", path);
    NZ_TRY(nz_data_choose_split(&root, source, path, options, find_split, &path));
    if (!root) return nz_strdup(ret_root, path);
    *ret_root = NZ_STEAL(root);
    return NZ_OK;
}

/* A line names a folder as a whole, or by its first word ("n01440764 tench"). */
static bool line_names(const char *line, const char *folder) {
    size_t length = strlen(folder), word = strcspn(line, " \t,");
    return strcmp(line, folder) == 0 || (word == length && memcmp(line, folder, length) == 0);
}

/* Classes in the order of the labels file: each folder must be in it. */
static nz_status add_by_file(nz_source *source, char **folders, size_t count, const char *root, const char *labels) {
    NZ_TRY(nz_labels_read(&source->class_names, &source->classes, labels));
    bool *used = NULL;
    NZ_TRY(nz_alloc(&used, count, sizeof *used));
    nz_status status = NZ_OK;
    for (size_t c = 0; c < source->classes && status == NZ_OK; c++)
        for (size_t i = 0; i < count && status == NZ_OK; i++) {
            if (used[i] || !line_names(source->class_names[c], folders[i])) continue;
            used[i] = true;
            char *path = NULL;
            status = nz_path_join(&path, root, folders[i]);
            if (status == NZ_OK) status = nz_files_add_folder(source->state, path, (int32_t)c);
            free(path);
        }
    for (size_t i = 0; i < count && status == NZ_OK; i++)
        if (!used[i]) status = nz_fail(NZ_E_FORMAT, "%s/%s: this class is not in %s", root, folders[i], labels);
    free(used);
    return status;
}

static nz_status add_by_name(nz_source *source, char **folders, size_t count, const char *root) {
    NZ_TRY(nz_alloc(&source->class_names, count, sizeof *source->class_names));
    source->classes = count;
    for (size_t c = 0; c < count; c++) {
        NZ_AUTO_FREE char *path = NULL;
        NZ_TRY(nz_strdup(&source->class_names[c], folders[c]));
        NZ_TRY(nz_path_join(&path, root, folders[c]));
        NZ_TRY(nz_files_add_folder(source->state, path, (int32_t)c));
    }
    return NZ_OK;
}

static nz_status folder_open(nz_source *source, const char *path, const nz_data_options *options) {
    NZ_AUTO_FREE char *root = NULL;
    nz_files *files = NULL;
    NZ_TRY(nz_alloc(&files, 1, sizeof *files));
    source->state = files;
    source->channels = 3;
    NZ_TRY(find_root(&root, source, path, options));
    NZ_TRY(nz_strdup(&files->root, root));
    char **folders = NULL;
    size_t count = 0;
    NZ_TRY(folders_only(&folders, &count, root));
    nz_status status = NZ_OK;
    if (!count)
        status = nz_fail(NZ_E_FORMAT, "%s: no folders of classes here", root);
    else if (options->labels)
        status = add_by_file(source, folders, count, root, options->labels);
    else
        status = add_by_name(source, folders, count, root);
    nz_labels_free(folders, count);
    NZ_TRY(status);
    source->count = files->count;
    if (!files->count) return nz_fail(NZ_E_FORMAT, "%s: no .jpg, .jpeg or .png files in its %zu folders", root, count);
    return NZ_OK;
}

const nz_source_kind nz_source_imagefolder = {
    .name = "imagefolder",
    .help =
        "folder with a folder of JPEG and PNG files per class; train/, val/ or test/ above them where there are splits",
    .own_keys = "labels",
    .open = folder_open,
    .image = nz_files_image,
    .size = nz_files_size,
    .label = nz_files_label,
    .path = nz_files_path,
    .identify = nz_files_identify,
    .close = nz_files_close,
};
