/* SPDX-License-Identifier: Apache-2.0 */
/* Detections as COCO's JSON list, a line each. Written digit by digit: a library's tree of a hundred thousand boxes would
 * take fifty times the memory, and its numbers have digits that nobody measured. */
#include <inttypes.h>
#include <math.h>

#include "core/error.h"
#include "core/file.h"
#include "core/locale.h"
#include "core/memory.h"
#include "core/text.h"
#include "netzip/detect.h"

enum { PIECE_BYTES = 1 << 16 };

static void put_number(nz_text *text, double value) {
    char digits[NZ_REAL_DIGITS];
    nz_snprintf(digits, sizeof digits, "%.9g", value);
    if (nz_strtod(digits, NULL) != value) nz_real_digits(digits, value, 10);
    nz_text_append(text, digits);
}

static nz_status check(const nz_detections *d, const nz_found_box *f, size_t i) {
    if (f->image < 0 || (size_t)f->image >= d->image_count || f->class_index < 0 ||
        (size_t)f->class_index >= d->class_count)
        return nz_fail(NZ_E_ARG, "detection %zu: image %" PRId32 " or class %" PRId32 " is out of range", i, f->image,
                       f->class_index);
    if (!isfinite(f->x) || !isfinite(f->y) || !isfinite(f->width) || !isfinite(f->height) || !isfinite(f->score))
        return nz_fail(NZ_E_ARG, "detection %zu has a value that is no number", i);
    return NZ_OK;
}

static void put_box(nz_text *text, const nz_detections *d, const nz_found_box *f) {
    const double values[] = {f->x, f->y, f->width, f->height};
    nz_text_appendf(text, "{\"image_id\":%" PRId64 ",\"category_id\":%" PRId64 ",\"bbox\":", d->image_ids[f->image],
                    d->class_ids[f->class_index]);
    for (size_t k = 0; k < 4; k++) {
        nz_text_append(text, k ? "," : "[");
        put_number(text, values[k]);
    }
    nz_text_append(text, "],\"score\":");
    put_number(text, f->score);
    nz_text_append(text, "}");
}

/* Hands what has gathered to the file. */
static nz_status flush(nz_file_writer *writer, nz_text *text) {
    NZ_TRY(text->status);
    NZ_TRY(nz_file_writer_append(writer, text->data, text->length));
    text->length = 0;
    return NZ_OK;
}

static void abort_writer(nz_file_writer **writer) { nz_file_writer_abort(*writer); }

nz_status nz_detect_write_json(const char *path, const nz_detections *detections) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    NZ_AUTO(abort_writer) nz_file_writer *writer = NULL;
    for (size_t i = 0; i < detections->found_count; i++) NZ_TRY(check(detections, &detections->found[i], i));
    NZ_TRY(nz_file_writer_open(&writer, path));
    nz_text_append(&text, "[");
    for (size_t i = 0; i < detections->found_count; i++) {
        nz_text_append(&text, i ? ",\n" : "\n");
        put_box(&text, detections, &detections->found[i]);
        if (text.length >= PIECE_BYTES) NZ_TRY(flush(writer, &text));
    }
    nz_text_append(&text, "\n]\n");
    NZ_TRY(flush(writer, &text));
    return nz_file_writer_commit(NZ_STEAL(writer));
}
