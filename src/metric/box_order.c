/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/box_order.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

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

int nz_found_compare(const void *a, const void *b, void *argument) {
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
        if (count > 1) qsort_r(by.list + by.start[i], count, sizeof *by.list, nz_found_compare, in->found);
    }
    *ret_by = by;
    by = (nz_by_image){0};
    return NZ_OK;
}

/* ---- By class and image ---- */

void nz_class_order_done(nz_class_order *order) {
    free(order->list);
    free(order->start);
    *order = (nz_class_order){0};
}

/* Both kinds of box begin with image and class. */
typedef struct box_head {
    int32_t image, class_index;
} box_head;
static_assert(offsetof(nz_truth_box, image) == offsetof(box_head, image) &&
                  offsetof(nz_truth_box, class_index) == offsetof(box_head, class_index) &&
                  offsetof(nz_found_box, image) == offsetof(box_head, image) &&
                  offsetof(nz_found_box, class_index) == offsetof(box_head, class_index),
              "boxes begin alike");

typedef struct box_list {
    const char *first;
    size_t count, stride;
} box_list;

static size_t key_of(const box_list *boxes, size_t i, bool by_class) {
    box_head head;
    memcpy(&head, boxes->first + i * boxes->stride, sizeof head);
    return (size_t)(by_class ? head.class_index : head.image);
}

/* Moves `from` to `to` sorted by one key, equal ones in their order; start[keys + 2] is zeroed and ends as sum_up leaves it. */
static void distribute(uint32_t *to, const uint32_t *from, const box_list *boxes, bool by_class, size_t *start,
                       size_t keys) {
    for (size_t i = 0; i < boxes->count; i++) start[key_of(boxes, i, by_class) + 2]++;
    for (size_t k = 0; k < keys; k++) start[k + 2] += start[k + 1];
    for (size_t i = 0; i < boxes->count; i++) to[start[key_of(boxes, from[i], by_class) + 1]++] = from[i];
}

static nz_status order_boxes(nz_class_order *ret_order, const box_list *boxes, size_t images, size_t classes) {
    NZ_AUTO(nz_class_order_done) nz_class_order order = {0};
    NZ_AUTO_FREE uint32_t *by_image = NULL;
    NZ_AUTO_FREE size_t *image_start = NULL;
    NZ_TRY(nz_alloc(&order.list, boxes->count, sizeof *order.list));
    NZ_TRY(nz_alloc(&by_image, boxes->count, sizeof *by_image));
    NZ_TRY(nz_alloc(&image_start, images + 2, sizeof *image_start));
    NZ_TRY(nz_alloc(&order.start, classes + 2, sizeof *order.start));
    for (size_t i = 0; i < boxes->count; i++) order.list[i] = (uint32_t)i;
    distribute(by_image, order.list, boxes, false, image_start, images);
    distribute(order.list, by_image, boxes, true, order.start, classes);
    *ret_order = order;
    order = (nz_class_order){0};
    return NZ_OK;
}

nz_status nz_truths_by_class(nz_class_order *ret_order, const nz_detections *in) {
    box_list boxes = {(const char *)in->truths, in->truth_count, sizeof *in->truths};
    return order_boxes(ret_order, &boxes, in->image_count, in->class_count);
}

nz_status nz_found_by_class(nz_class_order *ret_order, const nz_detections *in) {
    box_list boxes = {(const char *)in->found, in->found_count, sizeof *in->found};
    return order_boxes(ret_order, &boxes, in->image_count, in->class_count);
}
