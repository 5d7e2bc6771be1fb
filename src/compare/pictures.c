/* SPDX-License-Identifier: Apache-2.0 */
/* Images of the data for the report to draw boxes on. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare/detection.h"
#include "core/error.h"
#include "core/file.h"
#include "core/progress.h"
#include "core/text.h"
#include "data/image.h"
#include "netzip/data.h"

enum { MOST_SIDE = 640 };

void nz_pictures_done(nz_pictures *pictures) {
    for (size_t i = 0; i < pictures->count; i++) free(pictures->items[i].file);
    free(pictures->items);
    *pictures = (nz_pictures){0};
}

static void free_data(nz_dataset **data) { nz_data_free(*data); }

/* Images with objects where there are enough of them, at equal distances: the same at every run. */
static nz_status choose(int64_t **ret_ids, size_t *ret_count, const nz_detections *d, size_t wanted) {
    NZ_AUTO_FREE bool *shows = NULL;
    NZ_AUTO_FREE int64_t *candidates = NULL;
    size_t count = 0;
    NZ_TRY(nz_alloc(&shows, d->image_count, sizeof *shows));
    NZ_TRY(nz_alloc(&candidates, d->image_count, sizeof *candidates));
    for (size_t i = 0; i < d->truth_count; i++) shows[d->truths[i].image] |= !d->truths[i].crowd;
    for (size_t i = 0; i < d->image_count; i++) count += shows[i];
    bool enough = count >= wanted || count == d->image_count;
    count = 0;
    for (size_t i = 0; i < d->image_count; i++)
        if (shows[i] || !enough) candidates[count++] = d->image_ids[i];
    if (wanted > count) wanted = count;
    for (size_t i = 0; i < wanted; i++) candidates[i] = candidates[(2 * i + 1) * count / (2 * wanted)];
    *ret_ids = NZ_STEAL(candidates);
    *ret_count = wanted;
    return NZ_OK;
}

/* At most MOST_SIDE wide and high. */
static nz_status shrink(nz_image *ret_image, const nz_image *image) {
    int longer = image->width > image->height ? image->width : image->height;
    double scale = (double)MOST_SIDE / longer;
    return nz_image_resize(ret_image, image, (int)fmax(1, round(image->width * scale)),
                           (int)fmax(1, round(image->height * scale)));
}

static nz_status write_picture(nz_picture *ret_picture, const nz_run *run, const nz_dataset *data, size_t sample) {
    NZ_AUTO(nz_image_done) nz_image stored = {.channels = 3}, small = {0};
    NZ_AUTO_FREE char *file = NULL, *path = NULL;
    NZ_AUTO_FREE uint8_t *rgb = NULL, *bytes = NULL;
    size_t count;
    int64_t id = nz_data_image_id(data, sample);
    NZ_TRY(nz_data_stored_image(data, sample, &rgb, &stored.width, &stored.height));
    stored.pixels = rgb;
    const nz_image *image = &stored;
    if (image->width > MOST_SIDE || image->height > MOST_SIDE) {
        NZ_TRY(shrink(&small, image));
        image = &small;
    }
    NZ_TRY(nz_format(&file, "samples/%012lld.png", (long long)id));
    NZ_TRY(nz_path_join(&path, run->options->out, file));
    NZ_TRY(nz_png_encode(&bytes, &count, image));
    NZ_TRY(nz_file_write(path, bytes, count));
    *ret_picture = (nz_picture){.id = id,
                                .file = NZ_STEAL(file),
                                .width = image->width,
                                .height = image->height,
                                .scale_x = (double)image->width / stored.width,
                                .scale_y = (double)image->height / stored.height};
    return NZ_OK;
}

static nz_status write_all(nz_pictures *pictures, const nz_run *run, const int64_t *ids, size_t count) {
    NZ_AUTO(free_data) nz_dataset *data = NULL;
    NZ_AUTO_FREE char *folder = NULL;
    NZ_TRY(nz_path_join(&folder, run->options->out, "samples"));
    NZ_TRY(nz_dir_make(folder));
    NZ_TRY(nz_data_open(&data, run->options->data, NULL, NZ_DATA_COMPARE, NULL));
    for (size_t i = 0; i < count; i++) {
        size_t sample = 0;
        while (sample < nz_data_count(data) && nz_data_image_id(data, sample) != ids[i]) sample++;
        if (sample == nz_data_count(data)) continue;
        nz_status status = write_picture(&pictures->items[pictures->count], run, data, sample);
        if (status == NZ_E_MEMORY || status == NZ_E_RESOURCE) return status;
        if (status == NZ_OK)
            pictures->count++;
        else
            nz_progress_note(run->progress, "a sample for the report: %s", nz_last_error());
    }
    return NZ_OK;
}

nz_status nz_pictures_write(nz_pictures *ret_pictures, const nz_run *run, const nz_detections *detections) {
    NZ_AUTO(nz_pictures_done) nz_pictures pictures = {0};
    NZ_AUTO_FREE int64_t *ids = NULL;
    size_t count = 0;
    if (run->options->out) NZ_TRY(choose(&ids, &count, detections, run->options->pictures));
    NZ_TRY(nz_alloc(&pictures.items, count, sizeof *pictures.items));
    if (count) NZ_TRY(write_all(&pictures, run, ids, count));
    *ret_pictures = pictures;
    pictures = (nz_pictures){0};
    return NZ_OK;
}
