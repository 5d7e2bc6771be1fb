/* SPDX-License-Identifier: Apache-2.0 */
/** Making small data sets in the test's temporary folder. */
#ifndef NZ_TESTS_DATA_FILES_H
#define NZ_TESTS_DATA_FILES_H

#include "test.h"

#include <zlib.h>

#include "core/file.h"
#include "core/memory.h"
#include "data/image.h"
#include "netzip/data.h"

/** Writes a file below the test's folder, with the folders it needs; returns its path (static buffer). */
static inline const char *put_file(const char *name, const void *bytes, size_t count) {
    const char *path = nz_test_file(name);
    NZ_AUTO_FREE char *folder = NULL;
    nz_assert_ok(nz_path_folder(&folder, path));
    nz_assert_ok(nz_dir_make(folder));
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    if (count) assert_int_equal(fwrite(bytes, 1, count, stream), count);
    assert_int_equal(fclose(stream), 0);
    return path;
}

static inline const char *put_text(const char *name, const char *text) { return put_file(name, text, strlen(text)); }

/** The same, through gzip. */
static inline const char *put_gzip(const char *name, const void *bytes, size_t count) {
    const char *path = put_file(name, "", 0);
    gzFile stream = gzopen(path, "wb");
    assert_non_null(stream);
    if (count) assert_int_equal(gzwrite(stream, bytes, (unsigned)count), (int)count);
    assert_int_equal(gzclose(stream), Z_OK);
    return path;
}

/** A PNG whose every pixel is (red, green, blue). */
static inline const char *put_png(const char *name, int width, int height, uint8_t red, uint8_t green, uint8_t blue) {
    NZ_AUTO(nz_image_done) nz_image image = {0};
    NZ_AUTO_FREE uint8_t *bytes = NULL;
    uint8_t *p = NULL;
    size_t count = 0;
    nz_assert_ok(nz_image_init(&image, &p, width, height, 3));
    for (int i = 0; i < width * height; i++, p += 3) p[0] = red, p[1] = green, p[2] = blue;
    nz_assert_ok(nz_png_encode(&bytes, &count, &image));
    return put_file(name, bytes, count);
}

/** An idx file of bytes 0, 1, 2, ... times `step`. */
static inline void put_idx(const char *name, int rank, const unsigned *dim, unsigned step, int gzip) {
    enum { MOST = 65536 };
    static uint8_t bytes[MOST];
    size_t at = 0, elements = 1;
    bytes[at++] = 0, bytes[at++] = 0, bytes[at++] = 8, bytes[at++] = (uint8_t)rank;
    for (int i = 0; i < rank; i++) {
        for (int shift = 24; shift >= 0; shift -= 8) bytes[at++] = (uint8_t)(dim[i] >> shift);
        elements *= dim[i];
    }
    assert_true(at + elements <= MOST);
    for (size_t i = 0; i < elements; i++) bytes[at++] = (uint8_t)(i * step);
    if (gzip)
        put_gzip(name, bytes, at);
    else
        put_file(name, bytes, at);
}

/** Records of CIFAR: label bytes (the last one is labels[i]) and pixels i * 40 + position. */
static inline void put_cifar(const char *name, size_t label_bytes, const uint8_t *labels, size_t count,
                             unsigned first) {
    NZ_AUTO_FREE uint8_t *bytes = NULL;
    size_t record = label_bytes + 3072;
    nz_assert_ok(nz_alloc(&bytes, count, record));
    for (size_t i = 0; i < count; i++) {
        bytes[i * record + label_bytes - 1] = labels[i];
        for (size_t p = 0; p < 3072; p++) bytes[i * record + label_bytes + p] = (uint8_t)((first + i) * 40 + p);
    }
    put_file(name, bytes, count * record);
}

/** "kind:<test folder>/name,keys". Static buffer, one of four. */
static inline const char *spec_of(const char *kind, const char *name, const char *keys) {
    static char texts[4][4500];
    static unsigned next;
    char *text = texts[next++ % 4];
    snprintf(text, sizeof texts[0], "%s:%s%s%s", kind, nz_test_file(name), *keys ? "," : "", keys);
    return text;
}

static inline nz_dataset *open_good(const char *spec, nz_data_use use) {
    nz_dataset *data = NULL;
    nz_assert_ok(nz_data_open(&data, spec, NULL, use, NULL));
    return data;
}

/** "labels=<test folder>/name". Static buffer. */
static inline const char *labels_key(const char *name) {
    static char key[4200];
    snprintf(key, sizeof key, "labels=%s", nz_test_file(name));
    return key;
}

/** The set is not opened, for a reason of one line that has `part` in it. */
static inline void refuse(const char *spec, nz_status status, const char *part) {
    nz_dataset *data = NULL;
    nz_assert_fails(nz_data_open(&data, spec, NULL, NZ_DATA_COMPARE, NULL), status, part);
    assert_null(data);
    assert_null(strchr(nz_last_error(), '\n'));
    assert_true(strlen(nz_last_error()) < 8000);
}

static inline void free_dataset(nz_dataset **data) { nz_data_free(*data); }
#define AUTO_DATA NZ_AUTO(free_dataset) nz_dataset *

/** Labels of all samples as text "3 1 4". Static buffer. */
static inline const char *labels_of(const nz_dataset *data) {
    static char text[4096];
    size_t used = 0;
    for (size_t i = 0; i < nz_data_count(data) && used + 16 < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%d", i ? " " : "", nz_data_label(data, i));
    return text;
}

#endif
