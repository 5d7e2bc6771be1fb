/* SPDX-License-Identifier: Apache-2.0 */
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/progress.h"
#include "core/text.h"
#include "data/image.h"
#include "data/make.h"

nz_status nz_making_image(nz_making *m, const nz_dataset *data, size_t i, const char *path) {
    NZ_AUTO_FREE uint8_t *rgb = NULL, *png = NULL;
    int width = 0, height = 0;
    size_t count = 0;
    bool there = nz_file_exists(path);
    ++*(there ? &m->kept : &m->written);
    if (there) return NZ_OK;
    NZ_TRY(nz_data_has_objects(data) ? nz_data_stored_image(data, i, &rgb, &width, &height)
                                     : nz_data_image(data, i, &rgb, &width, &height));
    nz_image image = {.width = width, .height = height, .channels = 3, .pixels = rgb};
    NZ_TRY(nz_png_encode(&png, &count, &image));
    return nz_file_write(path, png, count);
}

nz_status nz_making_step(const nz_making *m, size_t done, size_t count) {
    return nz_progress_step(m->progress, "images", done, count)
               ? NZ_OK
               : nz_fail(NZ_E_CANCELLED, "%s: stopped; the same command goes on", m->folder);
}

nz_status nz_making_open(nz_dataset **ret_data, const nz_making *m, const char *split) {
    NZ_AUTO_FREE char *text = NULL;
    NZ_TRY(m->add_split ? nz_format(&text, "%s,split=%s", m->spec, split) : nz_strdup(&text, m->spec));
    return nz_data_open(ret_data, text, NULL, NZ_DATA_TRAIN, NULL);
}
