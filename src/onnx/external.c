/* SPDX-License-Identifier: Apache-2.0 */
/* External data: files beside the model that hold tensors, which must not lead out of the model's folder. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "onnx/reader.h"

void nz_reader_done(nz_reader *reader) {
    for (size_t i = 0; i < reader->external_count; i++) {
        free(reader->externals[i].location);
        free(reader->externals[i].path);
        nz_buffer_unref(reader->externals[i].buffer);
    }
    free(reader->externals);
    *reader = (nz_reader){0};
}

/* Whether a part of the path between slashes is "..". */
static bool climbs(const char *location) {
    for (const char *part = location; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) return true;
    }
    return false;
}

/* The file's real path, once it is certain that it lies below the model's folder, symbolic links followed. */
static nz_status resolve(const nz_reader *reader, const char *location, char **ret_path) {
    if (!*location || *location == '/' || climbs(location))
        return nz_fail(NZ_E_FORMAT,
                       "external data '%s' leads out of the model's folder; it must be a relative path below it",
                       location);
    NZ_AUTO_FREE char *folder = NULL, *joined = NULL, *real_folder = NULL, *real_file = NULL;
    NZ_TRY(nz_path_folder(&folder, reader->path));
    NZ_TRY(nz_path_join(&joined, folder, location));
    real_folder = realpath(folder, NULL);
    real_file = realpath(joined, NULL);
    if (!real_folder || !real_file)
        return nz_fail(NZ_E_IO, "external data '%s' cannot be opened: %s; it must lie beside the model", location,
                       strerror(errno));
    size_t length = strlen(real_folder);
    if (length && real_folder[length - 1] == '/') length--;
    if (strncmp(real_file, real_folder, length) != 0 || real_file[length] != '/')
        return nz_fail(NZ_E_FORMAT, "external data '%s' leads out of the model's folder through a symbolic link",
                       location);
    *ret_path = NZ_STEAL(real_file);
    return NZ_OK;
}

/* The entry whose location (or, by_path, real path) is `text`; NULL where there is none. The last one is asked for most. */
static const nz_external *find(const nz_reader *reader, const char *text, bool by_path) {
    for (size_t i = reader->external_count; i-- > 0;) {
        const nz_external *e = &reader->externals[i];
        if (strcmp(by_path ? e->path : e->location, text) == 0) return e;
    }
    return NULL;
}

static nz_status open_external(nz_reader *reader, const char *location, nz_buffer **ret_buffer) {
    const nz_external *known = find(reader, location, false);
    if (known) {
        *ret_buffer = known->buffer;
        return NZ_OK;
    }
    NZ_AUTO_FREE char *path = NULL, *copy = NULL;
    NZ_TRY(resolve(reader, location, &path));
    NZ_TRY(nz_strdup(&copy, location));
    NZ_TRY(
        nz_grow(&reader->externals, &reader->external_capacity, reader->external_count + 1, sizeof *reader->externals));
    nz_buffer *buffer = NULL;
    known = find(reader, path, true);
    if (known)
        buffer = nz_buffer_ref(known->buffer);
    else
        NZ_TRY(nz_buffer_map(&buffer, path));
    reader->externals[reader->external_count++] =
        (nz_external){.location = NZ_STEAL(copy), .path = NZ_STEAL(path), .buffer = buffer};
    *ret_buffer = buffer;
    return NZ_OK;
}

nz_status nz_external_open(nz_reader *reader, const char *location, int64_t offset, int64_t length,
                           nz_buffer **ret_buffer, const uint8_t **ret_data, size_t *ret_bytes) {
    nz_buffer *buffer = NULL;
    if (!reader->path) return nz_fail(NZ_E_FORMAT, "external data '%s' is not allowed here", location);
    NZ_TRY(open_external(reader, location, &buffer));
    size_t bytes = nz_buffer_bytes(buffer);
    if ((uint64_t)offset > bytes || (uint64_t)length > bytes - (uint64_t)offset)
        return nz_fail(NZ_E_FORMAT,
                       "external data '%s' has %zu bytes, but bytes %" PRId64 " to %" PRId64 " + %" PRId64
                       " are asked for",
                       location, bytes, offset, offset, length);
    *ret_buffer = buffer;
    *ret_data = (const uint8_t *)nz_buffer_data(buffer) + offset;
    *ret_bytes = (size_t)length;
    return NZ_OK;
}
