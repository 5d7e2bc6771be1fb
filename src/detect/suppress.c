/* SPDX-License-Identifier: Apache-2.0 */
/* Suppression: best first, a box that overlaps a kept one of its class too much is dropped. Candidates are many (tens of
 * thousands of an image at a low confidence), kept boxes few: sorting takes linear time, boxes are read when their turn
 * comes, and the end is reached with the last box that is wanted. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "detect/detector.h"

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

/* One round of the radix sort, stable; false where all keys share the digit and nothing moved. */
static bool sort_digit(nz_candidate *out, const nz_candidate *in, size_t count, int shift) {
    size_t places[DIGITS] = {0}, at = 0;
    for (size_t i = 0; i < count; i++) places[in[i].key >> shift & (DIGITS - 1)]++;
    if (places[in[0].key >> shift & (DIGITS - 1)] == count) return false;
    for (size_t d = 0; d < DIGITS; d++) {
        size_t here = places[d];
        places[d] = at;
        at += here;
    }
    for (size_t i = 0; i < count; i++) out[places[in[i].key >> shift & (DIGITS - 1)]++] = in[i];
    return true;
}

static nz_status sort_candidates(nz_detector *d) {
    if (d->count < 2) return NZ_OK;
    NZ_TRY(nz_grow(&d->sorted, &d->sorted_capacity, d->capacity, sizeof *d->sorted));
    for (int shift = 0; shift < 32; shift += DIGIT_BITS) {
        if (!sort_digit(d->sorted, d->candidates, d->count, shift)) continue;
        nz_candidate *swapped = d->candidates;
        d->candidates = d->sorted;
        d->sorted = swapped;
        size_t capacity = d->capacity;
        d->capacity = d->sorted_capacity;
        d->sorted_capacity = capacity;
    }
    return NZ_OK;
}

static const nz_head_block *block_of(const nz_detector *d, size_t row) {
    size_t b = 0;
    while (b + 1 < d->fit.block_count && row >= d->fit.blocks[b + 1].first) b++;
    return &d->fit.blocks[b];
}

static void read_box(float ret_box[4], const nz_detector *d, size_t row) {
    const nz_head_block *block = block_of(d, row);
    size_t r = row - block->first;
    d->head->box(ret_box, block, r, d->data[block->output] + block->offset + r * block->row_step, block->value_step);
}

/* Whether one of the chunk's boxes overlaps by more than the threshold. All lanes are compared: empty ones overlap nothing. */
static bool overlaps(const nz_kept_chunk *k, const float box[4], float threshold) {
    float left = box[0], top = box[1], right = box[0] + box[2], bottom = box[1] + box[3], area = box[2] * box[3];
    int over = 0;
    for (int i = 0; i < NZ_KEPT_BOXES; i++) {
        float l = left > k->left[i] ? left : k->left[i], r = right < k->right[i] ? right : k->right[i];
        float t = top > k->top[i] ? top : k->top[i], b = bottom < k->bottom[i] ? bottom : k->bottom[i];
        float w = r - l > 0 ? r - l : 0, h = b - t > 0 ? b - t : 0;
        float both = w * h;
        over |= both / (area + k->area[i] - both) > threshold;
    }
    return over;
}

static bool suppressed(const nz_detector *d, const float box[4], size_t list) {
    for (uint32_t c = d->last_chunk[list]; c; c = d->chunks[c - 1].next)
        if (overlaps(&d->chunks[c - 1], box, d->iou)) return true;
    return false;
}

static nz_status keep_in_list(nz_detector *d, const float box[4], size_t list) {
    uint32_t last = d->last_chunk[list];
    if (!last || d->chunks[last - 1].count == NZ_KEPT_BOXES) {
        NZ_TRY(nz_grow(&d->chunks, &d->chunk_capacity, d->chunk_count + 1, sizeof *d->chunks));
        d->chunks[d->chunk_count] = (nz_kept_chunk){.next = last};
        d->last_chunk[list] = last = (uint32_t)++d->chunk_count;
    }
    nz_kept_chunk *k = &d->chunks[last - 1];
    uint32_t i = k->count++;
    k->left[i] = box[0];
    k->top[i] = box[1];
    k->right[i] = box[0] + box[2];
    k->bottom[i] = box[1] + box[3];
    k->area[i] = box[2] * box[3];
    return NZ_OK;
}

static nz_status take_candidate(nz_detector *d, const nz_candidate *candidate) {
    size_t row = candidate->id / d->fit.classes, class_index = candidate->id % d->fit.classes;
    size_t list = d->across ? 0 : class_index;
    float box[4], score;
    read_box(box, d, row);
    if (!isfinite(box[0]) || !isfinite(box[1]) || !isfinite(box[2]) || !isfinite(box[3])) return NZ_OK;
    if (box[2] < 0 || box[3] < 0) return NZ_OK; /* no box; readers of detections would refuse it */
    if (suppressed(d, box, list)) return NZ_OK;
    NZ_TRY(keep_in_list(d, box, list));
    uint32_t bits = ~candidate->key;
    memcpy(&score, &bits, sizeof score);
    NZ_TRY(nz_grow(&d->kept, &d->kept_capacity, d->kept_count + 1, sizeof *d->kept));
    d->kept[d->kept_count++] = (nz_found_box){.class_index = (int32_t)class_index,
                                              .x = (double)box[0],
                                              .y = (double)box[1],
                                              .width = (double)box[2],
                                              .height = (double)box[3],
                                              .score = (double)score};
    return NZ_OK;
}

nz_status nz_detector_suppress(nz_detector *d) {
    d->kept_count = d->chunk_count = 0;
    memset(d->last_chunk, 0, d->fit.classes * sizeof *d->last_chunk);
    NZ_TRY(sort_candidates(d));
    for (size_t i = 0; i < d->count && d->kept_count < d->most; i++) NZ_TRY(take_candidate(d, &d->candidates[i]));
    return NZ_OK;
}
