/* SPDX-License-Identifier: Apache-2.0 */
/* The extents of an image file from its header alone. */
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "data/image.h"

static unsigned big16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }
static uint64_t big32(const uint8_t *p) { return (uint64_t)big16(p) << 16 | big16(p + 2); }

static nz_status fail_short(const char *name) {
    return nz_fail(NZ_E_FORMAT, "%s: the file ends before its image's size is told", name);
}

/* Frame headers are SOF0..SOF15 without DHT, JPG and DAC, which share their row of codes. @source ITU-T T.81, table B.1 */
static bool is_frame(int marker) {
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/* The next marker's code after any fill bytes, EOF at the end. Bytes that belong to no segment are passed over, as decoders do. */
static int next_marker(FILE *file) {
    int c = getc(file);
    while (c != EOF && c != 0xff) c = getc(file);
    while (c == 0xff) c = getc(file);
    return c;
}

static nz_status jpeg_size(uint64_t *ret_width, uint64_t *ret_height, FILE *file, const char *name) {
    enum { SEGMENTS_MOST = 65536, BARE_FIRST = 0xd0, BARE_LAST = 0xd8, SCAN = 0xda, END = 0xd9 };
    uint8_t head[7];
    for (int n = 0; n < SEGMENTS_MOST; n++) {
        int marker = next_marker(file);
        if (marker == EOF) return fail_short(name);
        if (marker <= 1 || (marker >= BARE_FIRST && marker <= BARE_LAST)) continue; /* no length follows */
        if (marker == SCAN || marker == END) break;
        if (fread(head, 1, 2, file) != 2) return fail_short(name);
        unsigned length = big16(head);
        if (!is_frame(marker)) { /* a length below its own two bytes is let pass, as decoders do */
            if (length > 2 && fseeko(file, (off_t)length - 2, SEEK_CUR) != 0)
                return nz_fail_errno(name, "cannot be read");
            continue;
        }
        if (length < 7 || fread(head + 2, 1, 5, file) != 5) return fail_short(name);
        *ret_height = big16(head + 3);
        *ret_width = big16(head + 5);
        return NZ_OK;
    }
    return nz_fail(NZ_E_FORMAT, "%s: broken JPEG: no frame header", name);
}

static nz_status read_size(uint64_t *ret_width, uint64_t *ret_height, FILE *file, const char *name) {
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    uint8_t head[24];
    size_t count = fread(head, 1, sizeof head, file);
    if (ferror(file)) return nz_fail_errno(name, "cannot be read");
    if (count >= 3 && head[0] == 0xff && head[1] == 0xd8 && head[2] == 0xff) {
        if (fseeko(file, 2, SEEK_SET) != 0) return nz_fail_errno(name, "cannot be read");
        return jpeg_size(ret_width, ret_height, file, name);
    }
    if (count < sizeof png || memcmp(head, png, sizeof png) != 0) {
        if (!count) return nz_fail(NZ_E_FORMAT, "%s: the file is empty", name);
        return nz_fail(NZ_E_UNSUPPORTED, "%s: neither JPEG nor PNG", name);
    }
    if (count < sizeof head || memcmp(head + 12, "IHDR", 4) != 0) return fail_short(name);
    *ret_width = big32(head + 16);
    *ret_height = big32(head + 20);
    return NZ_OK;
}

nz_status nz_image_load_size(int *ret_width, int *ret_height, const char *path) {
    uint64_t width = 0, height = 0;
    FILE *file = fopen(path, "rb");
    if (!file) return nz_fail_errno(path, "cannot be opened");
    nz_status status = read_size(&width, &height, file, path);
    fclose(file);
    NZ_TRY(status);
    NZ_TRY(nz_image_check_size(path, width, height, SIZE_MAX, 1)); /* whether the file can hold it is for the decoder */
    *ret_width = (int)width;
    *ret_height = (int)height;
    return NZ_OK;
}
