/* SPDX-License-Identifier: Apache-2.0 */
/* Strides and anchors of a head's levels, as options write them. */
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "detect/detector.h"

enum { STRIDE_MOST = 1024, PUBLISHED_ANCHORS = 3 };

/* YOLOv5's for COCO, in pixels at 640. @source YOLOv5, models/yolov5s.yaml (published values) */
static const struct {
    int stride;
    double anchor[PUBLISHED_ANCHORS][2];
} published[] = {
    {8, {{10, 13}, {16, 30}, {33, 23}}},
    {16, {{30, 61}, {62, 45}, {59, 119}}},
    {32, {{116, 90}, {156, 198}, {373, 326}}},
};

/* Copies what stands before the first of `stops`, and moves on behind it; false at the end of the text. */
static bool take(char piece[64], const char **at, char stop) {
    if (!*at) return false;
    const char *end = strchr(*at, stop);
    size_t length = end ? (size_t)(end - *at) : strlen(*at), kept = length < 63 ? length : 63;
    memcpy(piece, *at, kept);
    piece[kept] = 0;
    *at = end ? end + 1 : NULL;
    return true;
}

static nz_status read_strides(nz_levels *levels, const char *text) {
    char piece[64];
    for (const char *at = text; take(piece, &at, '+');) {
        long long stride = 0;
        NZ_TRY(nz_parse_int(&stride, piece, "strides"));
        if (stride < 1 || stride > STRIDE_MOST || levels->count == NZ_LEVELS_MOST)
            return nz_fail(NZ_E_ARG, "strides=%s: up to %d strides of 1 to %d pixels, as in 8+16+32", text,
                           NZ_LEVELS_MOST, STRIDE_MOST);
        for (size_t i = 0; i < levels->count; i++)
            if (levels->stride[i] == stride) return nz_fail(NZ_E_ARG, "strides=%s: %lld is there twice", text, stride);
        levels->stride[levels->count++] = (int)stride;
    }
    return NZ_OK;
}

static nz_status read_anchor(double ret_anchor[2], const char *piece, const char *text) {
    char width[64];
    const char *at = piece;
    bool both = take(width, &at, 'x') && at;
    if (both) {
        NZ_TRY(nz_parse_double(&ret_anchor[0], width, "anchors"));
        NZ_TRY(nz_parse_double(&ret_anchor[1], at, "anchors"));
    }
    if (!both || !(ret_anchor[0] > 0 && ret_anchor[0] < 1e6 && ret_anchor[1] > 0 && ret_anchor[1] < 1e6))
        return nz_fail(NZ_E_ARG, "anchors=%s: '%s' should be WIDTHxHEIGHT in pixels, as in 10x13", text, piece);
    return NZ_OK;
}

static nz_status read_anchors(nz_levels *levels, const char *text) {
    size_t level = 0;
    for (const char *at = text; at; level++) {
        size_t count = 0, length = strcspn(at, "/");
        NZ_AUTO_FREE char *row = NULL;
        NZ_TRY(nz_format(&row, "%.*s", (int)length, at));
        char piece[64];
        for (const char *in = row; take(piece, &in, '+'); count++) {
            if (level == levels->count || count == NZ_ANCHORS_MOST)
                return nz_fail(NZ_E_ARG, "anchors=%s: %zu levels of up to %d anchors are wanted, as many as strides",
                               text, levels->count, NZ_ANCHORS_MOST);
            NZ_TRY(read_anchor(levels->anchor[level][count], piece, text));
        }
        if (level && count != levels->anchors)
            return nz_fail(NZ_E_ARG, "anchors=%s: the levels have different numbers of anchors", text);
        levels->anchors = count;
        at = at[length] ? at + length + 1 : NULL;
    }
    if (level != levels->count)
        return nz_fail(NZ_E_ARG, "anchors=%s: %zu levels for %zu strides", text, level, levels->count);
    return NZ_OK;
}

nz_status nz_levels_strides(nz_levels *ret_levels, const nz_detect_options *options) {
    nz_levels levels = {.anchors = PUBLISHED_ANCHORS};
    NZ_TRY(read_strides(&levels, options->strides ? options->strides : "8+16+32"));
    if (options->anchors) NZ_TRY(read_anchors(&levels, options->anchors));
    *ret_levels = levels;
    return NZ_OK;
}

bool nz_anchors_published(double ret_anchor[NZ_ANCHORS_MOST][2], int stride) {
    for (size_t i = 0; i < NZ_COUNT(published); i++) {
        if (published[i].stride != stride) continue;
        memcpy(ret_anchor, published[i].anchor, sizeof published[i].anchor);
        return true;
    }
    return false;
}

nz_status nz_levels_get(nz_levels *ret_levels, const nz_detect_options *options) {
    nz_levels levels;
    NZ_TRY(nz_levels_strides(&levels, options));
    for (size_t i = 0; i < levels.count && !options->anchors; i++)
        if (!nz_anchors_published(levels.anchor[i], levels.stride[i]))
            return nz_fail(NZ_E_ARG, "there are no published anchors of stride %d; give anchors=", levels.stride[i]);
    *ret_levels = levels;
    return NZ_OK;
}
