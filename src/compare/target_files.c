/* SPDX-License-Identifier: Apache-2.0 */
/* Files of this machine on another one. A copy lies under the hash of what it holds, appears there whole or not at all, and
 * stays, so that the next comparison copies nothing. */
#include <stdio.h>
#include <string.h>

#include "compare/link.h"
#include "core/error.h"
#include "core/file.h"
#include "netzip/onnx.h"

/* Prints "there" where the folder is whole. Without sha256sum(1) there, that it was whole once is all that is known. */
static nz_status ask_whether_there(nz_link *link, bool *ret_there, const char *folder, bool verify) {
    NZ_AUTO(nz_text_done) nz_text script = {0};
    NZ_AUTO_FREE char *said = NULL;
    nz_text_append(&script, "cd ");
    nz_shell_quote(&script, folder);
    nz_text_append(&script, " 2>/dev/null && test -f sums || exit 0; ");
    if (verify)
        nz_text_append(&script, "if command -v sha256sum >/dev/null 2>&1; then "
                                "sha256sum -c sums >/dev/null 2>&1 || exit 0; fi; ");
    nz_text_append(&script, "echo there");
    NZ_TRY(script.status);
    NZ_TRY(nz_link_ask(link, &said, script.data));
    *ret_there = strncmp(said, "there", 5) == 0;
    return NZ_OK;
}

static nz_status unpack_script(nz_text *script, const char *folder, bool check) {
    nz_text_append(script, "d=");
    nz_shell_quote(script, folder);
    nz_text_append(script, "; p=\"$d.part$$\"; trap 'rm -rf \"$p\"' EXIT; umask 077; "
                           "mkdir -p \"$p\" && tar -xf - -C \"$p\" && cd \"$p\" || exit 1; ");
    if (check)
        nz_text_append(script, "if command -v sha256sum >/dev/null 2>&1; then "
                               "sha256sum -c sums >/dev/null || exit 1; fi; ");
    nz_text_append(script, "rm -rf \"$d\" && mv \"$p\" \"$d\"");
    return script->status;
}

nz_status nz_link_deposit(nz_link *link, char **ret_folder, const char *place, const nz_tar_file *files, size_t count,
                          const char *sums, bool verify, const char *what) {
    NZ_AUTO_FREE char *folder = NULL;
    NZ_AUTO(nz_text_done) nz_text script = {0};
    NZ_AUTO_FREE nz_tar_file *all = NULL;
    bool there = false;
    NZ_TRY(nz_path_join(&folder, link->cache, place));
    NZ_TRY(ask_whether_there(link, &there, folder, verify && *sums));
    if (!there) {
        NZ_TRY(unpack_script(&script, folder, *sums));
        NZ_TRY(nz_alloc(&all, count + 1, sizeof *all));
        memcpy(all, files, count * sizeof *all);
        all[count] = (nz_tar_file){.text = sums, .name = "sums"};
        nz_exchange exchange = {.script = script.data, .what = what, .feed = nz_tar_read};
        nz_tar *tar = NULL;
        NZ_TRY(nz_tar_open(&tar, all, count + 1));
        exchange.feed_user = tar;
        nz_status status = nz_link_exchange(link, &exchange);
        nz_tar_free(tar);
        NZ_TRY(status);
    }
    *ret_folder = NZ_STEAL(folder);
    return NZ_OK;
}

/* A file's name there tells no more than its kind: the same content under two names is one copy. */
static void plain_name(char name[32], const char *path) {
    const char *dot = strrchr(nz_path_base(path), '.'), *extension = dot ? dot + 1 : "";
    size_t letters = strspn(extension, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    bool plain = letters && letters < 16 && !extension[letters];
    snprintf(name, 32, "file%s%s", plain ? "." : "", plain ? extension : "");
}

static nz_status add_sum(nz_text *sums, const char *local, const char *name) {
    char hex[65];
    NZ_TRY(nz_sha256_file(hex, local));
    /* Names that such a list would write in another way are not checked. */
    if (!strpbrk(name, "\n\\")) nz_text_appendf(sums, "%s  %s\n", hex, name);
    return sums->status;
}

/* ---- once in a run ---- */

static nz_status find_copy(const nz_link *link, char **ret_path, const char *local) {
    for (size_t i = 0; i < link->copy_count; i++)
        if (strcmp(link->copies[i].local, local) == 0) return nz_strdup(ret_path, link->copies[i].remote);
    return NZ_OK;
}

static nz_status keep_copy(nz_link *link, const char *local, const char *folder, const char *name) {
    NZ_AUTO_FREE char *remote = NULL, *key = NULL;
    NZ_TRY(nz_path_join(&remote, folder, name));
    NZ_TRY(nz_strdup(&key, local));
    NZ_TRY(nz_grow(&link->copies, &link->copy_capacity, link->copy_count + 1, sizeof *link->copies));
    link->copies[link->copy_count++] = (struct nz_link_copy){NZ_STEAL(key), NZ_STEAL(remote)};
    return NZ_OK;
}

static nz_status copy_one(nz_link *link, const char *local) {
    NZ_AUTO(nz_text_done) nz_text sums = {0};
    NZ_AUTO_FREE char *place = NULL, *folder = NULL;
    char name[32], key[65];
    plain_name(name, local);
    NZ_TRY(add_sum(&sums, local, name));
    nz_sha256(key, sums.data, sums.length);
    NZ_TRY(nz_format(&place, "files/%s", key));
    nz_tar_file file = {.local = local, .name = name};
    NZ_TRY(nz_link_deposit(link, &folder, place, &file, 1, sums.data, true, link->target.host));
    return keep_copy(link, local, folder, name);
}

nz_status nz_link_copy(nz_link *link, char **ret_path, const char *local) {
    NZ_TRY(find_copy(link, ret_path, local));
    if (*ret_path) return NZ_OK;
    NZ_TRY(copy_one(link, local));
    return find_copy(link, ret_path, local);
}

/* ---- a model and the files that it names ---- */

typedef struct model_files {
    size_t count; /* of locations */
    char **locations, **paths;
    nz_tar_file *files; /* [count + 1]: the model first */
} model_files;

static void model_files_done(model_files *m) {
    for (size_t i = 0; i < m->count; i++) {
        free(m->locations[i]);
        if (m->paths) free(m->paths[i]);
    }
    free(m->locations);
    free(m->paths);
    free(m->files);
}

static nz_status list_model(model_files *m, nz_text *sums, const char *local, const char *name) {
    NZ_AUTO_FREE char *folder = NULL;
    NZ_TRY(nz_model_locations(&m->locations, &m->count, local));
    NZ_TRY(nz_path_folder(&folder, local));
    NZ_TRY(nz_alloc(&m->paths, m->count, sizeof *m->paths));
    NZ_TRY(nz_alloc(&m->files, m->count + 1, sizeof *m->files));
    m->files[0] = (nz_tar_file){.local = local, .name = name};
    NZ_TRY(add_sum(sums, local, name));
    for (size_t i = 0; i < m->count; i++) {
        if (strcmp(m->locations[i], name) == 0)
            return nz_fail(NZ_E_FORMAT, "%s: its external data has its own name", local);
        NZ_TRY(nz_path_join(&m->paths[i], folder, m->locations[i]));
        m->files[i + 1] = (nz_tar_file){.local = m->paths[i], .name = m->locations[i]};
        NZ_TRY(add_sum(sums, m->paths[i], m->locations[i]));
    }
    return NZ_OK;
}

static nz_status copy_model(nz_link *link, const char *local) {
    NZ_AUTO(nz_text_done) nz_text sums = {0};
    NZ_AUTO(model_files_done) model_files m = {0};
    NZ_AUTO_FREE char *place = NULL, *folder = NULL;
    char name[32], key[65];
    plain_name(name, local);
    NZ_TRY(list_model(&m, &sums, local, name));
    if (!m.count) return copy_one(link, local);
    nz_sha256(key, sums.data, sums.length);
    NZ_TRY(nz_format(&place, "files/%s", key));
    NZ_TRY(nz_link_deposit(link, &folder, place, m.files, m.count + 1, sums.data, true, link->target.host));
    return keep_copy(link, local, folder, name);
}

nz_status nz_link_copy_model(nz_link *link, char **ret_path, const char *local) {
    NZ_TRY(find_copy(link, ret_path, local));
    if (*ret_path) return NZ_OK;
    NZ_TRY(copy_model(link, local));
    return find_copy(link, ret_path, local);
}

/* ---- back ---- */

nz_status nz_link_place(nz_link *link, char **ret_path, const char *name) {
    return nz_format(ret_path, "%s/%u-%s", link->run, link->placed++, name);
}

static nz_status take_file(void *user, const char *bytes, size_t count) {
    return nz_file_writer_append(user, bytes, count);
}

nz_status nz_link_fetch(nz_link *link, const char *remote, const char *local) {
    NZ_AUTO(nz_text_done) nz_text script = {0};
    nz_file_writer *writer = NULL;
    nz_text_append(&script, "cat ");
    nz_shell_quote(&script, remote);
    NZ_TRY(script.status);
    NZ_TRY(nz_file_writer_open(&writer, local));
    nz_exchange exchange = {.script = script.data, .what = link->target.host, .take = take_file, .take_user = writer};
    nz_status status = nz_link_exchange(link, &exchange);
    if (status == NZ_OK) return nz_file_writer_commit(writer);
    nz_file_writer_abort(writer);
    return status;
}
