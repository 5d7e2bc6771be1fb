/* SPDX-License-Identifier: Apache-2.0 */
#include "data/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "data/labels.h"

enum { DEPTH_MAX = 16 }; /* folders within folders: a link to a folder above would go round for ever */

nz_status nz_files_add(nz_files *files, const char *path, int32_t label) {
    NZ_TRY(nz_grow(&files->entries, &files->capacity, files->count + 1, sizeof *files->entries));
    NZ_TRY(nz_strdup(&files->entries[files->count].path, path));
    files->entries[files->count++].label = label;
    return NZ_OK;
}

void nz_files_done(nz_files *files) {
    for (size_t i = 0; i < files->count; i++) free(files->entries[i].path);
    free(files->entries);
    free(files->root);
    *files = (nz_files){0};
}

bool nz_is_image_name(const char *name) {
    static const char *const extensions[] = {".jpg", ".jpeg", ".png"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < NZ_COUNT(extensions); i++)
        if (strcasecmp(dot, extensions[i]) == 0) return true;
    return false;
}

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static nz_status read_names(char ***names, size_t *count, DIR *dir, const char *folder) {
    size_t capacity = 0;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry) break;
        if (entry->d_name[0] == '.') continue;
        NZ_TRY(nz_grow(names, &capacity, *count + 1, sizeof **names));
        NZ_TRY(nz_strdup(&(*names)[*count], entry->d_name));
        ++*count;
    }
    if (errno) return nz_fail_errno(folder, "cannot be read");
    return NZ_OK;
}

nz_status nz_folder_names(char ***ret_names, size_t *ret_count, const char *folder) {
    char **names = NULL;
    size_t count = 0;
    DIR *dir = opendir(folder);
    if (!dir) return nz_fail_errno(folder, "cannot be opened as a folder");
    nz_status status = read_names(&names, &count, dir, folder);
    closedir(dir);
    if (status != NZ_OK) {
        nz_labels_free(names, count);
        return status;
    }
    if (count) qsort(names, count, sizeof *names, compare_names);
    *ret_names = names;
    *ret_count = count;
    return NZ_OK;
}

static nz_status add_below(nz_files *files, const char *folder, int32_t label, int depth);

static nz_status add_entry(nz_files *files, const char *folder, const char *name, int32_t label, int depth) {
    NZ_AUTO_FREE char *path = NULL;
    NZ_TRY(nz_path_join(&path, folder, name));
    if (nz_dir_exists(path)) return add_below(files, path, label, depth + 1);
    return nz_is_image_name(name) ? nz_files_add(files, path, label) : NZ_OK;
}

static nz_status add_below(nz_files *files, const char *folder, int32_t label, int depth) {
    char **names = NULL;
    size_t count = 0;
    if (depth > DEPTH_MAX)
        return nz_fail(NZ_E_FORMAT, "%s: more than %d folders within each other; is there a link in a circle?", folder,
                       DEPTH_MAX);
    NZ_TRY(nz_folder_names(&names, &count, folder));
    nz_status status = NZ_OK;
    for (size_t i = 0; i < count && status == NZ_OK; i++) status = add_entry(files, folder, names[i], label, depth);
    nz_labels_free(names, count);
    return status;
}

nz_status nz_files_add_folder(nz_files *files, const char *folder, int32_t label) {
    return add_below(files, folder, label, 0);
}

nz_status nz_files_image(const nz_source *source, size_t i, nz_image *ret_image) {
    const nz_files *files = source->state;
    return nz_image_load(ret_image, files->entries[i].path);
}

nz_status nz_files_size(const nz_source *source, size_t i, int *ret_width, int *ret_height) {
    const nz_files *files = source->state;
    return nz_image_load_size(ret_width, ret_height, files->entries[i].path);
}

int32_t nz_files_label(const nz_source *source, size_t i) {
    const nz_files *files = source->state;
    return files->entries[i].label;
}

const char *nz_files_path(const nz_source *source, size_t i) {
    const nz_files *files = source->state;
    return files->entries[i].path;
}

void nz_files_identify(const nz_source *source, size_t i, nz_text *text) {
    const nz_files *files = source->state;
    struct stat info;
    const char *path = files->entries[i].path, *shown = path;
    long long size = stat(path, &info) == 0 ? (long long)info.st_size : -1;
    size_t root = files->root ? strlen(files->root) : 0;
    if (root && strncmp(path, files->root, root) == 0) shown = path + root;
    nz_text_appendf(text, "%s %lld", shown + strspn(shown, "/"), size);
}

void nz_files_close(nz_source *source) {
    if (!source->state) return;
    nz_files_done(source->state);
    free(source->state);
}
