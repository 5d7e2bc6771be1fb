/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/by_image.h"

#include <stdlib.h>

#include "core/error.h"
#include "core/memory.h"

void nz_by_image_done(nz_by_image *by) {
    free(by->list);
    free(by->start);
    *by = (nz_by_image){0};
}

static nz_status open(nz_by_image *by, size_t images, size_t boxes) {
    NZ_TRY(nz_alloc(&by->list, boxes, sizeof *by->list));
    return nz_alloc(&by->start, images + 2, sizeof *by->start);
}

/* start[i + 2] holds the count of image i on entry; on return start[i + 1] is where image i begins, to be moved on as its
 * boxes are put there, which leaves start[i] right. */
static void sum_up(nz_by_image *by, size_t images) {
    for (size_t i = 0; i < images; i++) by->start[i + 2] += by->start[i + 1];
}

nz_status nz_truths_by_image(nz_by_image *ret_by, const nz_detections *in) {
    NZ_AUTO(nz_by_image_done) nz_by_image by = {0};
    NZ_TRY(open(&by, in->image_count, in->truth_count));
    for (size_t i = 0; i < in->truth_count; i++)
        if (!in->truths[i].crowd) by.start[in->truths[i].image + 2]++;
    sum_up(&by, in->image_count);
    for (size_t i = 0; i < in->truth_count; i++)
        if (!in->truths[i].crowd) by.list[by.start[in->truths[i].image + 1]++] = (uint32_t)i;
    *ret_by = by;
    by = (nz_by_image){0};
    return NZ_OK;
}

static int compare(const void *a, const void *b, void *argument) {
    const nz_found_box *found = argument;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    if (found[i].score != found[j].score) return found[i].score > found[j].score ? -1 : 1;
    return i < j ? -1 : i > j;
}

nz_status nz_found_by_image(nz_by_image *ret_by, const nz_detections *in, double confidence) {
    NZ_AUTO(nz_by_image_done) nz_by_image by = {0};
    NZ_TRY(open(&by, in->image_count, in->found_count));
    for (size_t i = 0; i < in->found_count; i++)
        if (in->found[i].score >= confidence) by.start[in->found[i].image + 2]++;
    sum_up(&by, in->image_count);
    for (size_t i = 0; i < in->found_count; i++)
        if (in->found[i].score >= confidence) by.list[by.start[in->found[i].image + 1]++] = (uint32_t)i;
    for (size_t i = 0; i < in->image_count; i++) {
        size_t count = by.start[i + 1] - by.start[i];
        if (count > 1) qsort_r(by.list + by.start[i], count, sizeof *by.list, compare, in->found);
    }
    *ret_by = by;
    by = (nz_by_image){0};
    return NZ_OK;
}
