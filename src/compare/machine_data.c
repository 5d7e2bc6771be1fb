/* SPDX-License-Identifier: Apache-2.0 */
/* Where accuracy is computed: on the machine itself, from a copy of what DATA reads, or here where that is too large. */
#include <string.h>

#include "compare/link.h"
#include "compare/machine.h"
#include "core/error.h"
#include "core/file.h"
#include "core/text.h"

enum { COPY_MOST_MB = 1024 };

nz_status nz_machine_plan_data(nz_machine *machine, const nz_data_places *places) {
    const char *given = machine->options->target_data;
    machine->scores_here = !machine->link || (given && strcmp(given, "here") == 0);
    if (machine->scores_here || given || places->bytes <= (uint64_t)COPY_MOST_MB << 20) return NZ_OK;
    machine->scores_here = true;
    return nz_format(&machine->data_note,
                     "%s: accuracy is computed on this machine: the data has %.0f MB, and at most %d MB are copied "
                     "(--target-data DIR names a folder there that holds it)",
                     machine->host, (double)places->bytes / (1 << 20), COPY_MOST_MB);
}

/* ---- a folder there that holds the data already ---- */

typedef struct given_folder {
    const char *folder, *base; /* base: the folder here that `folder` stands for */
} given_folder;

static nz_status into_given(char **ret_path, void *user, const char *path) {
    const given_folder *g = user;
    NZ_AUTO_FREE char *absolute = NULL;
    NZ_TRY(nz_path_absolute(&absolute, path));
    size_t length = strlen(g->base);
    bool below = strncmp(absolute, g->base, length) == 0 && (absolute[length] == '/' || !absolute[length]);
    if (below && !absolute[length]) return nz_strdup(ret_path, g->folder);
    return nz_path_join(ret_path, g->folder, below ? absolute + length + 1 : nz_path_base(absolute));
}

/* DATA's folder, or the folder that its file lies in. */
static nz_status base_folder(char **ret_base, void *user, const char *path) {
    NZ_AUTO_FREE char *absolute = NULL;
    char **base = user;
    NZ_TRY(nz_path_absolute(&absolute, path));
    if (!*base) NZ_TRY(nz_dir_exists(absolute) ? nz_strdup(base, absolute) : nz_path_folder(base, absolute));
    return nz_strdup(ret_base, absolute);
}

static nz_status in_given(char **ret_spec, const char *folder, const char *spec) {
    NZ_AUTO_FREE char *base = NULL, *unused = NULL;
    NZ_TRY(nz_data_moved(&unused, spec, base_folder, &base));
    given_folder g = {folder, base};
    return nz_data_moved(ret_spec, spec, into_given, &g);
}

/* ---- a copy ---- */

static nz_status copy_data(nz_machine *machine, const nz_data_places *places, const char *fingerprint) {
    NZ_AUTO_FREE nz_tar_file *files = NULL;
    NZ_AUTO(nz_text_done) nz_text names = {0};
    NZ_AUTO_FREE char *place = NULL;
    char key[65];
    NZ_TRY(nz_alloc(&files, places->count, sizeof *files));
    for (size_t i = 0; i < places->count; i++) {
        const char *path = places->paths[i];
        files[i] = (nz_tar_file){.local = nz_dir_exists(path) ? NULL : path, .name = path + 1};
        nz_text_appendf(&names, "%s\n", path);
    }
    nz_text_appendf(&names, "%s %llu", fingerprint, (unsigned long long)places->bytes);
    NZ_TRY(names.status);
    nz_sha256(key, names.data, names.length);
    NZ_TRY(nz_format(&place, "data/%.32s", key));
    return nz_link_deposit(machine->link, &machine->data_root, place, files, places->count, "", false, "copy data");
}

static nz_status into_copy(char **ret_path, void *user, const char *path) {
    NZ_AUTO_FREE char *absolute = NULL;
    NZ_TRY(nz_path_absolute(&absolute, path));
    return nz_format(ret_path, "%s%s", (const char *)user, absolute);
}

nz_status nz_machine_data(nz_machine *machine, char **ret_spec, const char *spec, const nz_data_places *places,
                          const char *fingerprint) {
    const char *given = machine->options->target_data;
    if (machine->scores_here || !places->count) return nz_strdup(ret_spec, spec);
    if (given) return in_given(ret_spec, given, spec);
    if (!machine->data_root) NZ_TRY(copy_data(machine, places, fingerprint));
    return nz_data_moved(ret_spec, spec, into_copy, machine->data_root);
}
