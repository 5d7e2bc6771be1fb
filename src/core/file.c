/* SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"

struct nz_file_writer {
    FILE *stream;
    char *path, *temporary;
};

static void writer_free(nz_file_writer *writer) {
    if (writer->stream) fclose(writer->stream);
    free(writer->path);
    free(writer->temporary);
    free(writer);
}

void nz_file_writer_abort(nz_file_writer *writer) {
    if (!writer) return;
    if (writer->stream) unlink(writer->temporary);
    writer_free(writer);
}

/* A rename would replace a symbolic link by a file; the file it points to is meant. */
static nz_status resolve_target(char **ret_target, const char *path) {
    struct stat info;
    if (!*path) return nz_fail(NZ_E_ARG, "a file name is empty");
    if (stat(path, &info) != 0) return nz_strdup(ret_target, path);
    if (S_ISDIR(info.st_mode)) return nz_fail(NZ_E_IO, "%s: is a folder; a file name is needed", path);
    if (!S_ISREG(info.st_mode)) return nz_fail(NZ_E_IO, "%s: is not a regular file", path);
    char *real = realpath(path, NULL);
    if (!real) return nz_fail_errno(path, "cannot be resolved");
    *ret_target = real;
    return NZ_OK;
}

/* Beside the target, so that the rename stays within one file system. mkstemp would make it private to this user; a
 * result file gets the permissions that any new file gets. */
static nz_status open_temporary(nz_file_writer *writer) {
    static atomic_uint counter;
    enum { ATTEMPTS = 1000 };
    int fd = -1;
    for (int i = 0; i < ATTEMPTS && fd < 0; i++) {
        free(NZ_STEAL(writer->temporary));
        NZ_TRY(nz_format(&writer->temporary, "%s.tmp-%ld-%u", writer->path, (long)getpid(),
                         atomic_fetch_add(&counter, 1)));
        fd = open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST) break;
    }
    if (fd < 0) return nz_fail_errno(writer->path, "cannot be written");
    writer->stream = fdopen(fd, "wb");
    if (writer->stream) return NZ_OK;
    nz_status status = nz_fail_errno(writer->path, "cannot be written");
    close(fd);
    unlink(writer->temporary);
    return status;
}

nz_status nz_file_writer_open(nz_file_writer **ret_writer, const char *path) {
    nz_file_writer *writer = NULL;
    NZ_TRY(nz_alloc(&writer, 1, sizeof *writer));
    nz_status status = resolve_target(&writer->path, path);
    if (status == NZ_OK) status = open_temporary(writer);
    if (status != NZ_OK) {
        writer_free(writer);
        return status;
    }
    *ret_writer = writer;
    return NZ_OK;
}

nz_status nz_file_writer_append(nz_file_writer *writer, const void *bytes, size_t count) {
    if (count && fwrite(bytes, 1, count, writer->stream) != count)
        return nz_fail_errno(writer->path, "cannot be written");
    return NZ_OK;
}

nz_status nz_file_writer_commit(nz_file_writer *writer) {
    nz_status status = NZ_OK;
    if (fflush(writer->stream) != 0 || fsync(fileno(writer->stream)) != 0)
        status = nz_fail_errno(writer->path, "cannot be written");
    if (fclose(NZ_STEAL(writer->stream)) != 0 && status == NZ_OK)
        status = nz_fail_errno(writer->path, "cannot be written");
    if (status == NZ_OK && rename(writer->temporary, writer->path) != 0)
        status = nz_fail_errno(writer->path, "cannot be put in place");
    if (status != NZ_OK) unlink(writer->temporary);
    writer_free(writer);
    return status;
}

nz_status nz_file_write(const char *path, const void *bytes, size_t count) {
    nz_file_writer *writer = NULL;
    NZ_TRY(nz_file_writer_open(&writer, path));
    nz_status status = nz_file_writer_append(writer, bytes, count);
    if (status == NZ_OK) return nz_file_writer_commit(writer);
    nz_file_writer_abort(writer);
    return status;
}

static nz_status read_all(nz_text *text, int fd, const char *path, size_t limit) {
    enum { CHUNK = 256 * 1024 };
    for (;;) {
        /* Sizes that the file system reports can be wrong (pipes, /proc): read until the end. */
        NZ_TRY(nz_grow(&text->data, &text->capacity, text->length + CHUNK + 1, 1));
        ssize_t got = read(fd, text->data + text->length, CHUNK);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return nz_fail_errno(path, "cannot be read");
        if (got == 0) break;
        text->length += (size_t)got;
        if (text->length > limit)
            return nz_fail(NZ_E_FORMAT, "%s: is larger than the %zu bytes that are allowed here", path, limit);
    }
    text->data[text->length] = '\0';
    return NZ_OK;
}

nz_status nz_file_read(char **ret_bytes, size_t *ret_count, const char *path, size_t limit) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return nz_fail_errno(path, "cannot be opened");
    struct stat info;
    nz_status status = NZ_OK;
    if (fstat(fd, &info) != 0)
        status = nz_fail_errno(path, "cannot be examined");
    else if (S_ISDIR(info.st_mode))
        status = nz_fail(NZ_E_IO, "%s: is a folder, not a file", path);
    else if (S_ISREG(info.st_mode) && info.st_size > 0 && (size_t)info.st_size > limit)
        status = nz_fail(NZ_E_FORMAT, "%s: is larger than the %zu bytes that are allowed here", path, limit);
    nz_text text = {0};
    if (status == NZ_OK) status = read_all(&text, fd, path, limit);
    close(fd);
    if (status == NZ_OK) {
        *ret_count = text.length;
        *ret_bytes = NZ_STEAL(text.data);
    }
    nz_text_done(&text);
    return status;
}

nz_status nz_dir_make(const char *path) {
    if (!*path) return nz_fail(NZ_E_ARG, "a folder name is empty");
    NZ_AUTO_FREE char *part = NULL;
    NZ_TRY(nz_strdup(&part, path));
    for (char *p = part; *p;) {
        p += strspn(p, "/");
        p += strcspn(p, "/");
        char kept = *p;
        *p = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST && !nz_dir_exists(part))
            return nz_fail_errno(part, "cannot be made a folder");
        *p = kept;
    }
    if (!nz_dir_exists(path)) return nz_fail(NZ_E_IO, "%s: exists, but is not a folder", path);
    return NZ_OK;
}

bool nz_file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

bool nz_dir_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

nz_status nz_path_join(char **ret_path, const char *folder, const char *name) {
    size_t length = strlen(folder);
    if (*name == '/' || !length) return nz_strdup(ret_path, name);
    return nz_format(ret_path, "%s%s%s", folder, folder[length - 1] == '/' ? "" : "/", name);
}

const char *nz_path_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

nz_status nz_path_stem(char **ret_stem, const char *path) {
    const char *base = nz_path_base(path), *dot = strrchr(base, '.');
    size_t length = dot && dot != base ? (size_t)(dot - base) : strlen(base);
    nz_text stem = {0};
    nz_text_append_bytes(&stem, base, length);
    return nz_text_take(&stem, ret_stem);
}

nz_status nz_path_folder(char **ret_folder, const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) return nz_strdup(ret_folder, ".");
    nz_text folder = {0};
    nz_text_append_bytes(&folder, path, slash == path ? 1 : (size_t)(slash - path));
    return nz_text_take(&folder, ret_folder);
}

/* Without "." and "..": part after part is put behind what stands already. */
nz_status nz_path_absolute(char **ret_path, const char *path) {
    NZ_AUTO(nz_text_done) nz_text out = {0};
    NZ_AUTO_FREE char *here = NULL, *joined = NULL;
    if (*path != '/' && !(here = getcwd(NULL, 0))) return nz_fail_errno(".", "cannot be told");
    NZ_TRY(nz_format(&joined, "%s/%s", here ? here : "", path));
    for (const char *at = joined, *end; *at; at = end) {
        at += strspn(at, "/");
        end = at + strcspn(at, "/");
        size_t length = (size_t)(end - at);
        if (!length || (length == 1 && *at == '.')) continue;
        if (length == 2 && at[0] == '.' && at[1] == '.') {
            while (out.length && out.data[--out.length] != '/') {
            }
            if (out.data) out.data[out.length] = 0;
            continue;
        }
        nz_text_append(&out, "/");
        nz_text_append_bytes(&out, at, length);
    }
    if (!out.length) nz_text_append(&out, "/");
    return nz_text_take(&out, ret_path);
}
