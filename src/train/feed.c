/* SPDX-License-Identifier: Apache-2.0 */
/* Order and augmentation depend on the seed, the epoch and the sample alone, so that any batch of any epoch can be had
 * without those before it. */
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/progress.h"
#include "core/random.h"
#include "train/trainer.h"

enum { NOTES = 10, SMALL_IMAGE = 96 };
#define ORDER_STREAM ((uint64_t)0x6f726465 << 32)

/* What "auto" stands for: small images are moved, large ones cut; colours mean photographs, which may be mirrored. Objects: as
 * YOLOv5 changes images, without mosaics. */
static void choose_augment(nz_augment *a, const nz_dataset *data) {
    nz_shape shape;
    nz_data_shape(data, &shape);
    bool last = shape.rank == 3 && shape.dim[0] > 4 && shape.dim[2] <= 4;
    int64_t channels = shape.dim[last ? 2 : 0], height = shape.dim[last ? 0 : 1], width = shape.dim[last ? 1 : 2];
    int64_t side = height < width ? height : width;
    *a = (nz_augment){.flip = channels == 3};
    if (nz_data_has_objects(data)) { /* boxes must stay whole: no crops */
        a->zoom = 25, a->shift = 10;
        if (channels == 3) a->hue = 2, a->saturation = 70, a->brightness = 40;
        return;
    }
    if (side >= SMALL_IMAGE)
        a->resized_crop = 1;
    else
        a->crop_padding = (int)((side + 4) / 8);
}

static nz_status read_augment(nz_augment *ret_augment, const nz_dataset *data, const char *text) {
    if (text && strcmp(text, "auto") == 0) {
        uint8_t *rgb = NULL;
        int width = 0, height = 0;
        nz_status status = nz_data_image(data, 0, &rgb, &width, &height);
        free(rgb);
        *ret_augment = (nz_augment){0};
        if (status != NZ_E_UNSUPPORTED) choose_augment(ret_augment, data); /* what is no image stays as it is */
        return NZ_OK;
    }
    return nz_augment_read(ret_augment, text && strcmp(text, "none") == 0 ? NULL : text);
}

void nz_feed_done(nz_feed *f) {
    nz_loader_free(f->loader);
    free(f->order);
    free(f->broken);
    *f = (nz_feed){0};
}

nz_status nz_feed_init(nz_feed *ret_feed, const nz_dataset *data, const nz_train_options *options, int threads,
                       const nz_progress *progress) {
    NZ_AUTO(nz_feed_done) nz_feed f = {.data = data, .progress = progress, .seed = (uint64_t)options->seed};
    size_t count = nz_data_count(data);
    f.batch = (size_t)options->batch;
    f.batches = count / f.batch;
    f.threads = nz_data_at_hand(data) ? 1 : threads;
    if (!f.batches)
        return nz_fail(NZ_E_ARG, "training: %s: %zu samples are fewer than one batch; give a batch of at most %zu",
                       nz_data_describe(data), count, count);
    NZ_TRY(read_augment(&f.augment, data, options->augment));
    f.augment.seed = f.seed;
    NZ_TRY(nz_alloc(&f.order, count, sizeof *f.order));
    NZ_TRY(nz_alloc(&f.broken, count, sizeof *f.broken));
    *ret_feed = f;
    f = (nz_feed){0};
    return NZ_OK;
}

nz_status nz_feed_begin(nz_feed *f, uint64_t epoch, size_t first) {
    nz_random random;
    size_t count = nz_data_count(f->data);
    for (size_t i = 0; i < count; i++) f->order[i] = i;
    nz_random_init(&random, f->seed, ORDER_STREAM + epoch);
    nz_random_shuffle(&random, f->order, count);
    f->augment.epoch = epoch;
    nz_loader_free(f->loader);
    f->loader = NULL;
    f->next = first;
    f->heard = 0;
    if (first >= f->batches) return NZ_OK;
    return nz_loader_open_augmented(&f->loader, f->data, f->batch, f->order + first * f->batch,
                                    (f->batches - first) * f->batch, f->threads, &f->augment);
}

static void remember_broken(nz_feed *f, size_t sample) {
    const char *message = nz_loader_broken_message(f->loader, f->heard++);
    if (f->broken[sample]) return;
    f->broken[sample] = true;
    f->broken_count++;
    if (f->broken_count <= NOTES)
        nz_progress_note(f->progress, "sample %zu is left out: %s", sample, message ? message : "it cannot be read");
    if (f->broken_count == NOTES + 1)
        nz_progress_note(f->progress, "more samples cannot be read; they are counted, and not named any more");
}

/* Walks the order from batch `next` on beside what the loader gave; returns the batch behind the one it was. */
static size_t account(nz_feed *f, const nz_batch *batch) {
    size_t at = f->next * f->batch, end = f->batches * f->batch, taken = 0;
    while (at < end && (taken < batch->count || at % f->batch || !batch->count)) {
        if (taken < batch->count && f->order[at] == batch->indices[taken])
            taken++;
        else
            remember_broken(f, f->order[at]);
        at++;
    }
    return at / f->batch;
}

nz_status nz_feed_next(nz_feed *f, nz_batch *ret_batch) {
    nz_batch batch = {0};
    if (f->loader && f->next < f->batches) NZ_TRY(nz_loader_next(f->loader, &batch));
    if (batch.count == f->batch && nz_loader_broken(f->loader) == f->heard)
        f->next++;
    else if (f->loader && f->next < f->batches)
        f->next = account(f, &batch);
    nz_shape shape;
    nz_data_shape(f->data, &shape);
    size_t elements = (size_t)nz_shape_elements(&shape);
    for (size_t k = batch.count; batch.count && k < f->batch; k++) {
        size_t from = k % batch.count;
        memcpy(batch.x + k * elements, batch.x + from * elements, elements * sizeof *batch.x);
        batch.labels[k] = batch.labels[from];
        batch.indices[k] = batch.indices[from];
        if (batch.placements) batch.placements[k] = batch.placements[from];
    }
    if (batch.count) batch.count = f->batch;
    *ret_batch = batch;
    return NZ_OK;
}
