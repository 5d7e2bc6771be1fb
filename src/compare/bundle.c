/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/bundle.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"

enum { MOST_FILES = 64 };

/* ---- where it lies here ---- */

/* Beside the program that was built, and below the prefix that one is installed in. */
static nz_status program_folder(char **ret_folder) {
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    return nz_path_folder(ret_folder, path);
}

static nz_status try_folder(char **ret_folder, nz_text *tried, const char *format, const char *base,
                            const char *architecture) {
    NZ_AUTO_FREE char *folder = NULL, *program = NULL;
    if (*ret_folder) return NZ_OK;
    NZ_TRY(nz_format(&folder, "%s%s/%s", base, format, architecture));
    NZ_TRY(nz_path_join(&program, folder, "netzip-worker"));
    if (nz_file_exists(program))
        *ret_folder = NZ_STEAL(folder);
    else
        nz_text_appendf(tried, "%s%s", tried->length ? ", " : "", folder);
    return tried->status;
}

nz_status nz_bundle_find(char **ret_folder, const char *architecture) {
    NZ_AUTO(nz_text_done) nz_text tried = {0};
    NZ_AUTO_FREE char *base = NULL, *found = NULL;
    const char *named = getenv("NETZIP_WORKERS");
    if (strchr(architecture, '/')) return nz_fail(NZ_E_RESOURCE, "'%s' is no architecture", architecture);
    NZ_TRY(program_folder(&base));
    if (named && *named) {
        NZ_TRY(try_folder(&found, &tried, "", named, architecture));
    } else {
        NZ_TRY(try_folder(&found, &tried, "/worker", base, architecture));
        NZ_TRY(try_folder(&found, &tried, "/../lib/netzip/worker", base, architecture));
    }
    if (!found)
        return nz_fail(
            NZ_E_RESOURCE,
            "no worker for '%s' is built; in netzip's source folder, './run build worker --arch %s' builds it "
            "(looked for in %s)",
            architecture, architecture, tried.data);
    *ret_folder = NZ_STEAL(found);
    return NZ_OK;
}

/* ---- what it holds ---- */

typedef struct bundle {
    size_t count;
    char *paths[MOST_FILES], *names[MOST_FILES];
    nz_tar_file files[MOST_FILES];
} bundle;

static void bundle_done(bundle *b) {
    for (size_t i = 0; i < MOST_FILES; i++) {
        free(b->paths[i]);
        free(b->names[i]);
    }
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static nz_status list_names(bundle *b, const char *folder) {
    DIR *dir = opendir(folder);
    if (!dir) return nz_fail_errno(folder, "cannot be read");
    nz_status status = NZ_OK;
    for (struct dirent *entry; status == NZ_OK && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.') continue;
        if (b->count == MOST_FILES)
            status = nz_fail(NZ_E_RESOURCE, "%s: more than %d files", folder, MOST_FILES);
        else
            status = nz_strdup(&b->names[b->count++], entry->d_name);
    }
    closedir(dir);
    qsort(b->names, b->count, sizeof *b->names, by_name);
    return status;
}

static nz_status list_files(bundle *b, nz_text *sums, const char *folder) {
    char hex[65];
    NZ_TRY(list_names(b, folder));
    for (size_t i = 0; i < b->count; i++) {
        NZ_TRY(nz_path_join(&b->paths[i], folder, b->names[i]));
        NZ_TRY(nz_sha256_file(hex, b->paths[i]));
        nz_text_appendf(sums, "%s  %s\n", hex, b->names[i]);
        b->files[i] = (nz_tar_file){.local = b->paths[i], .name = b->names[i], .executable = true};
    }
    return sums->status;
}

nz_status nz_bundle_send(nz_link *link) {
    NZ_AUTO_FREE char *folder = NULL, *place = NULL;
    NZ_AUTO(bundle_done) bundle b = {0};
    NZ_AUTO(nz_text_done) nz_text sums = {0};
    char key[65];
    nz_status status = nz_bundle_find(&folder, link->architecture);
    if (status != NZ_OK) return nz_fail_context(status, "%s", link->target.host);
    NZ_TRY(list_files(&b, &sums, folder));
    nz_sha256(key, sums.data, sums.length);
    for (size_t i = 0; i < b.count; i++)
        if (strncmp(b.names[i], "ld-linux", 8) == 0) NZ_TRY(nz_strdup(&link->loader, b.names[i]));
    NZ_TRY(nz_format(&place, "worker/%.32s", key));
    return nz_link_deposit(link, &link->bundle, place, b.files, b.count, sums.data, false, link->target.host);
}
